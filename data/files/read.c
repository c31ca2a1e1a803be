/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that are tables: CSV with a line of names, NDJSON, a JSON array of objects. One value
 * of JSON is in memory at a time. */
#include <stdio.h>
#include <stdlib.h>

#include "base/jsondepth.h"
#include "csv/reader.h"
#include "data/files/inner.h"
#include "media/media.h"

/* CSV -------------------------------------------------------------------------------------------
 */

struct csv_pass {
    struct records *r;
    bool named; /* the first row has gone by */
    size_t n;
};

static bool csv_names(struct csv_pass *pass, const struct csv_cell *cells, size_t n)
{
    pass->named = true;
    pass->n = n;
    for (size_t i = 0; i < n && !pass->r->zone; i++)
        if (!records_column(pass->r, cells[i].text))
            return false;
    return true;
}

static bool csv_row(void *ctx, const struct csv_cell *cells, size_t n, uint64_t line)
{
    struct csv_pass *pass = ctx;
    if (!pass->named)
        return csv_names(pass, cells, n);
    if (n != pass->n)
        return records_fail(pass->r, FILES_ESYNTAX, "line %llu: %zu cells, the first line has %zu",
                            (unsigned long long)line, n, pass->n);
    for (size_t i = 0; i < n; i++)
        if (!records_cell(pass->r, i, (struct slice){NULL, 0},
                          cells[i].null ? RECORD_NULL : RECORD_TEXT, cells[i].text))
            return false;
    return records_row(pass->r, line);
}

bool read_csv(struct records *r, struct slice text)
{
    const struct csv_read_options options = {.row_max = FILES_RECORD_MAX,
                                             .cells_max = ZONE_COLUMNS_MAX};
    struct csv_pass pass = {.r = r};
    uint64_t line = 0;
    enum csv_read_err err = csv_read(text, &options, csv_row, &pass, &line);
    if (err == CSV_READ_OK)
        return true;
    if (err == CSV_READ_ESTOP && r->err)
        return false;
    return records_fail(r,
                        err == CSV_READ_ELONG     ? FILES_ELONG
                        : err == CSV_READ_ECELLS  ? FILES_ECOLUMNS
                        : err == CSV_READ_EMEMORY ? FILES_EIO
                                                  : FILES_ESYNTAX,
                        "line %llu: %s", (unsigned long long)line, csv_read_strerror(err));
}

/* JSON ------------------------------------------------------------------------------------------
 */

static bool json_cell(struct records *r, size_t hint, struct slice key, const json_t *v)
{
    if (json_is_null(v))
        return records_cell(r, hint, key, RECORD_NULL, SLICE(""));
    if (json_is_string(v))
        return records_cell(r, hint, key, r->untyped ? RECORD_TEXT : RECORD_STRING,
                            slice_of(json_string_value(v), json_string_length(v)));
    if (json_is_boolean(v))
        return records_cell(r, hint, key, RECORD_BOOL,
                            json_is_true(v) ? SLICE("true") : SLICE("false"));
    bool number = json_is_number(v);
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY |
                                   (number ? JSON_REAL_PRECISION(ZONE_DIGITS_MAX) : 0));
    bool ok =
        text && records_cell(r, hint, key, number ? RECORD_NUMBER : RECORD_JSON, slice_str(text));
    free(text);
    return ok || r->err || records_fail(r, FILES_EIO, "out of memory");
}

bool records_object(struct records *r, const json_t *object, uint64_t line)
{
    const char *key;
    json_t *v;
    size_t i = 0;
    if (!json_is_object(object))
        return records_fail(r, FILES_ESYNTAX, "line %llu: each record is an object",
                            (unsigned long long)line);
    if (jsondepth_over(object, FILES_LEVELS_MAX))
        return records_fail(r, FILES_EDEEP, "line %llu: more than %d levels",
                            (unsigned long long)line, FILES_LEVELS_MAX);
    json_object_foreach((json_t *)(uintptr_t)object, key, v)
    {
        if (!json_cell(r, i++, slice_str(key), v))
            return false;
    }
    return records_row(r, line);
}

static bool json_fault(struct records *r, uint64_t line, const json_error_t *error, bool cut)
{
    enum json_error_code code = json_error_code(error);
    if (code == json_error_stack_overflow)
        return records_fail(r, FILES_EDEEP, "line %llu: more than %d levels",
                            (unsigned long long)line, FILES_LEVELS_MAX);
    if (cut && code == json_error_premature_end_of_input)
        return records_fail(r, FILES_ELONG, "line %llu: a record of more than %u bytes",
                            (unsigned long long)line, FILES_RECORD_MAX);
    return records_fail(r, FILES_ESYNTAX, "line %llu: %.100s", (unsigned long long)line,
                        error->text);
}

bool read_ndjson(struct records *r, struct slice text)
{
    for (uint64_t line = 1; text.n; line++) {
        const char *end = memchr(text.p, '\n', text.n);
        struct slice own = slice_of(text.p, end ? (size_t)(end - text.p) : text.n);
        text = slice_of(text.p + own.n + (end != NULL), text.n - own.n - (end != NULL));
        bool blank = true;
        for (size_t i = 0; i < own.n && blank; i++)
            blank = strchr(" \t\r", own.p[i]) != NULL;
        if (blank)
            continue;
        if (own.n > FILES_RECORD_MAX)
            return records_fail(r, FILES_ELONG, "line %llu: more than %u bytes",
                                (unsigned long long)line, FILES_RECORD_MAX);
        json_error_t error;
        json_t *v = json_loadb(own.p, own.n, JSON_REJECT_DUPLICATES, &error);
        bool ok = v ? records_object(r, v, line) : json_fault(r, line, &error, false);
        json_decref(v);
        if (!ok)
            return false;
    }
    return true;
}

struct place {
    struct slice left;
    uint64_t line;
};

static void skip(struct place *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at->line += at->left.p[i] == '\n';
    at->left = slice_of(at->left.p + n, at->left.n - n);
}

/* The next sign that is no space; '\0': the end. */
static char next(struct place *at)
{
    while (at->left.n && strchr(" \t\r\n", at->left.p[0]))
        skip(at, 1);
    return at->left.n ? at->left.p[0] : '\0';
}

static bool one_value(struct records *r, struct place *at)
{
    bool cut = at->left.n > FILES_RECORD_MAX;
    json_error_t error;
    json_t *v = json_loadb(at->left.p, cut ? FILES_RECORD_MAX : at->left.n,
                           JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &error);
    bool ok =
        v ? records_object(r, v, at->line)
          : json_fault(r, at->line + (uint64_t)(error.line > 0 ? error.line - 1 : 0), &error, cut);
    if (ok)
        skip(at, (size_t)error.position); /* on success: the bytes the value took */
    json_decref(v);
    return ok;
}

bool read_json(struct records *r, struct slice text)
{
    struct place at = {text, 1};
    if (next(&at) == '{') /* one record */
        return one_value(r, &at) &&
               (next(&at) == '\0' ||
                records_fail(r, FILES_ESYNTAX, "line %llu: more than one value",
                             (unsigned long long)at.line));
    if (next(&at) != '[')
        return records_fail(r, FILES_ESYNTAX, "an array of objects, or an object, is needed");
    skip(&at, 1);
    if (next(&at) != ']') {
        for (;;) {
            if (!one_value(r, &at))
                return false;
            if (next(&at) != ',')
                break;
            skip(&at, 1);
            next(&at);
        }
    }
    if (next(&at) == ']') {
        skip(&at, 1);
        if (next(&at) == '\0')
            return true;
    }
    return records_fail(r, FILES_ESYNTAX, "line %llu: the array does not end here",
                        (unsigned long long)at.line);
}
