/* SPDX-License-Identifier: Apache-2.0 */
/* Rows on their way from a file into the store. A column's type is the narrowest that all of its
 * values have and keep: what begins with zeros, has more digits than a number holds or names an
 * hour of a zone stays text. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/utf8.h"
#include "data/batch/format.h"
#include "data/files/inner.h"

enum {
    CAN_INTEGER = 1,
    CAN_NUMBER = 2,
    CAN_BOOLEAN = 4,
    CAN_DATE = 8,
    CAN_DATETIME = 16,
    CAN_JSON = 32
};
#define CAN_ALL 63

bool records_init(struct records *r, struct files_detail *d)
{
    *r = (struct records){.detail = d};
    buf_init(&r->bytes);
    r->columns = calloc(ZONE_COLUMNS_MAX, sizeof *r->columns);
    r->typed = calloc(ZONE_COLUMNS_MAX, sizeof *r->typed);
    r->cells = calloc(ZONE_COLUMNS_MAX, sizeof *r->cells);
    r->values = calloc(ZONE_COLUMNS_MAX, sizeof *r->values);
    return r->columns && r->typed && r->cells && r->values;
}

void records_fini(struct records *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->columns[i].key);
    free(r->columns);
    free(r->typed);
    free(r->cells);
    free(r->values);
    buf_fini(&r->bytes);
}

bool records_fail(struct records *r, enum files_err err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->detail->text, sizeof r->detail->text, fmt, args);
    va_end(args);
    r->err = err;
    return false;
}

/* Columns ---------------------------------------------------------------------------------------
 */

static bool name_taken(const struct records *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcasecmp(r->columns[i].name, name) == 0)
            return true;
    return false;
}

/* A name as the store takes it: no signs of SQL, no second of its kind. */
static void make_name(const struct records *r, struct slice key, char name[ZONE_NAME_MAX + 1])
{
    char base[ZONE_NAME_MAX + 1];
    size_t n = 0;
    while (key.n && (key.p[0] == ' ' || key.p[0] == '\t'))
        key = slice_of(key.p + 1, key.n - 1);
    while (key.n && strchr(" \t\r\n", key.p[key.n - 1]))
        key.n--;
    for (size_t i = 0, width; i < key.n && n + 8 < ZONE_NAME_MAX; i += width) {
        width = utf8_char(slice_of(key.p + i, key.n - i));
        bool plain = width > 1 || (width == 1 && (unsigned char)key.p[i] >= ' ' &&
                                   key.p[i] != 0x7f && !strchr("\"'`[];\\", key.p[i]));
        if (plain)
            memcpy(base + n, key.p + i, width);
        else
            base[n] = '_';
        n += plain ? width : 1;
        width = width ? width : 1;
    }
    base[n] = '\0';
    if (n == 0)
        snprintf(base, sizeof base, "column_%zu", r->n + 1);
    bool ours = strncasecmp(base, "sqlite_", 7) == 0 ||
                strncasecmp(base, ZONE_HIDDEN, sizeof ZONE_HIDDEN - 1) == 0;
    snprintf(name, ZONE_NAME_MAX + 1, "%s%.*s", ours ? "x" : "", ZONE_NAME_MAX - 8, base);
    for (unsigned i = 2; name_taken(r, name); i++)
        snprintf(name, ZONE_NAME_MAX + 1, "%s%.*s_%u", ours ? "x" : "", ZONE_NAME_MAX - 12, base,
                 i);
}

static bool same_key(const struct record_column *c, struct slice key)
{
    return strlen(c->key) == key.n && memcmp(c->key, key.p, key.n) == 0;
}

bool records_column(struct records *r, struct slice key)
{
    if (r->n == ZONE_COLUMNS_MAX)
        return records_fail(r, FILES_ECOLUMNS, "more than %d columns", ZONE_COLUMNS_MAX);
    struct record_column *c = &r->columns[r->n];
    make_name(r, key, c->name);
    c->key = strndup(key.p, key.n);
    c->can = CAN_ALL;
    if (!c->key)
        return records_fail(r, FILES_EIO, "out of memory");
    r->n++;
    return true;
}

/* No key: the column at the hint itself, which the reader knows to be there. */
static bool column_of(struct records *r, size_t hint, struct slice key, size_t *i)
{
    if (hint < r->n && (!key.p || same_key(&r->columns[hint], key))) {
        *i = hint;
        return true;
    }
    for (*i = 0; *i < r->n; ++*i)
        if (same_key(&r->columns[*i], key))
            return true;
    return !r->zone ? records_column(r, key)
                    : records_fail(r, FILES_ECHANGED, "a column came late");
}

/* Types -----------------------------------------------------------------------------------------
 */

static size_t digits(struct slice s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    return n;
}

static bool is_number(struct slice s, bool *integer)
{
    if (s.n && s.p[0] == '-')
        s = slice_of(s.p + 1, s.n - 1);
    size_t whole = digits(s), part = 0;
    if (whole == 0 || (whole > 1 && s.p[0] == '0'))
        return false;
    *integer = whole == s.n;
    if (*integer)
        return whole <= 18;
    if (s.p[whole] != '.')
        return false;
    s = slice_of(s.p + whole + 1, s.n - whole - 1);
    part = digits(s);
    return part > 0 && part == s.n && whole + part <= ZONE_DIGITS_MAX;
}

static unsigned two(const char *p)
{
    return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

/* Whether s is as the pattern: 0 a digit, anything else itself. */
static bool is_like(struct slice s, const char *pattern)
{
    for (size_t i = 0; pattern[i]; i++)
        if (i >= s.n || (pattern[i] == '0' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != pattern[i]))
            return false;
    return true;
}

static bool is_date(struct slice s)
{
    return s.n >= 10 && is_like(s, "0000-00-00") && two(s.p + 5) - 1 < 12 && two(s.p + 8) - 1 < 31;
}

static bool is_time(struct slice s)
{
    if (s.n != 19 || !is_date(s) || (s.p[10] != ' ' && s.p[10] != 'T'))
        return false;
    struct slice t = slice_of(s.p + 11, 8);
    return is_like(t, "00:00:00") && two(t.p) < 24 && two(t.p + 3) < 60 && two(t.p + 6) < 60;
}

static uint8_t types_of(enum record_kind kind, struct slice text)
{
    bool integer = false;
    if (kind == RECORD_JSON)
        return CAN_JSON;
    if (kind == RECORD_BOOL)
        return CAN_BOOLEAN;
    if (kind == RECORD_NUMBER) /* jansson has seen to it */
        return is_number(text, &integer) && integer ? CAN_INTEGER | CAN_NUMBER : CAN_NUMBER;
    uint8_t can = 0;
    if (kind == RECORD_TEXT && is_number(text, &integer))
        can |= integer ? CAN_INTEGER | CAN_NUMBER : CAN_NUMBER;
    if (integer && text.n > ZONE_DIGITS_MAX)
        can &= (uint8_t)~CAN_NUMBER;
    if (kind == RECORD_TEXT && (slice_eq(text, SLICE("true")) || slice_eq(text, SLICE("false"))))
        can |= CAN_BOOLEAN;
    if (is_date(text) && text.n == 10)
        can |= CAN_DATE;
    if (is_time(text))
        can |= CAN_DATETIME;
    return can;
}

static enum query_type narrowest(const struct record_column *c)
{
    static const struct {
        uint8_t can;
        enum query_type type;
    } order[] = {{CAN_INTEGER, QUERY_INTEGER},   {CAN_NUMBER, QUERY_NUMBER},
                 {CAN_BOOLEAN, QUERY_BOOLEAN},   {CAN_DATE, QUERY_DATE},
                 {CAN_DATETIME, QUERY_DATETIME}, {CAN_JSON, QUERY_JSON}};
    for (size_t i = 0; c->any && i < sizeof order / sizeof *order; i++)
        if (c->can & order[i].can)
            return order[i].type;
    return QUERY_STRING;
}

void records_types(struct records *r)
{
    for (size_t i = 0; i < r->n; i++)
        r->typed[i] =
            (struct zone_column){slice_str(r->columns[i].name), narrowest(&r->columns[i]), false};
    for (size_t i = 0; i < r->n; i++)
        if (r->typed[i].type != QUERY_STRING)
            r->columns[i].formulas = 0; /* of minus signs */
}

/* Cells and rows --------------------------------------------------------------------------------
 */

bool records_cell(struct records *r, size_t hint, struct slice key, enum record_kind kind,
                  struct slice text)
{
    size_t i = 0;
    if (!column_of(r, hint, key, &i))
        return false;
    r->cells[i] = (struct record_cell){r->bytes.n, text.n, (uint8_t)kind};
    if (!r->zone && kind != RECORD_NULL) {
        struct record_column *c = &r->columns[i];
        c->can &= c->can ? types_of(kind, text) : 0;
        c->any = true;
        c->formulas += (kind == RECORD_TEXT || kind == RECORD_STRING) && format_is_formula(text);
    }
    if (r->zone)
        buf_add(&r->bytes, text.p, text.n);
    return !r->bytes.failed || records_fail(r, FILES_EIO, "out of memory");
}

/* `2026-01-02T03:04:05` as databases write it. */
static void plain_time(struct records *r, size_t i)
{
    if (r->bytes.p && r->typed[i].type == QUERY_DATETIME && r->cells[i].n > 10)
        r->bytes.p[r->cells[i].at + 10] = ' ';
}

bool records_row(struct records *r, uint64_t line)
{
    r->rows++;
    if (!r->zone) {
        memset(r->cells, 0, r->n * sizeof *r->cells);
        return true;
    }
    for (size_t i = 0; i < r->n; i++) {
        const struct record_cell *c = &r->cells[i];
        if (c->kind != RECORD_NULL)
            plain_time(r, i);
        r->values[i] = (struct zone_value){slice_of(r->bytes.p ? r->bytes.p + c->at : "", c->n),
                                           c->kind == RECORD_NULL};
    }
    enum zone_err err = zone_load_row(r->zone, r->values);
    memset(r->cells, 0, r->n * sizeof *r->cells);
    buf_clear(&r->bytes);
    if (!err)
        return true;
    return records_fail(r,
                        err == ZONE_EFULL    ? FILES_EFULL
                        : err == ZONE_EVALUE ? FILES_ESYNTAX
                                             : FILES_EIO,
                        "line %llu: %s", (unsigned long long)line, zone_strerror(err));
}
