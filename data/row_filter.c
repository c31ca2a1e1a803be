/* SPDX-License-Identifier: Apache-2.0 */
#include "data/row_filter.h"

#include <stdio.h>
#include <stdlib.h>

#include "data/catalog_inner.h"

#define ARENA_ROOM  (256u << 10)
#define COLUMNS_MAX POLICY_FIELDS_MAX

/* Reading ---------------------------------------------------------------------------------------
 */
struct reading {
    struct arena arena;
    struct query_table table;
    struct query_column *columns;
    const struct query_node *root;
    const json_t *said; /* the columns as they were told, for their titles */
    bool named[COLUMNS_MAX];
};

static bool fill_columns(struct reading *r, const json_t *columns)
{
    size_t i;
    const json_t *column;
    r->said = columns;
    r->columns = arena_get(&r->arena, sizeof *r->columns, json_array_size(columns) + 1);
    if (!r->columns || json_array_size(columns) > COLUMNS_MAX)
        return false;
    json_array_foreach(columns, i, column)
    {
        r->columns[i] = (struct query_column){
            .name = catalog_text(column, "name"),
            .column = catalog_text(column, "column"),
            .type = (uint8_t)query_type_by_name(catalog_text(column, "type"))};
    }
    r->table = (struct query_table){.columns = r->columns, .n_columns = i};
    return i > 0;
}

static void note_names(struct reading *r, const struct query_node *node)
{
    if (node->kind == QUERY_CONDITION)
        r->named[node->column] = true;
    for (const struct query_node *child = node->first; child; child = child->next)
        note_names(r, child);
}

/* The row of an event is compared by us: to the letter, and numbers as numbers. Patterns and the
 * order of text are a database's own, and a date is written in more than one way. */
static const char *event_wrong(const struct query_table *table, const struct query_node *node)
{
    const char *why = NULL;
    for (const struct query_node *child = node->first; child && !why; child = child->next)
        why = event_wrong(table, child);
    if (node->kind != QUERY_CONDITION || why)
        return why;
    uint8_t type = table->columns[node->column].type;
    bool number = type == QUERY_INTEGER || type == QUERY_NUMBER;
    if (node->op == QUERY_IS)
        return slice_eq(node->values[0], SLICE("null")) ? NULL
                                                        : "of events is.null; eq.true of a boolean";
    if (node->op == QUERY_GT || node->op == QUERY_GTE || node->op == QUERY_LT ||
        node->op == QUERY_LTE)
        return number ? NULL : "of events gt, gte, lt and lte are for numbers alone";
    if (node->op != QUERY_EQ && node->op != QUERY_NEQ && node->op != QUERY_IN &&
        node->op != QUERY_DISTINCT)
        return "of events there are no patterns";
    return number || type == QUERY_STRING || type == QUERY_BOOLEAN
               ? NULL
               : "of events text, numbers and booleans are compared, not dates";
}

/* Words -----------------------------------------------------------------------------------------
 */
static const struct {
    const char *en, *zh, *not_en, *not_zh;
} words[QUERY_OPS] = {
    [QUERY_EQ] = {"is", "等于", "is not", "不等于"},
    [QUERY_NEQ] = {"is not", "不等于", "is", "等于"},
    [QUERY_GT] = {"is greater than", "大于", "is at most", "不大于"},
    [QUERY_GTE] = {"is at least", "不小于", "is less than", "小于"},
    [QUERY_LT] = {"is less than", "小于", "is at least", "不小于"},
    [QUERY_LTE] = {"is at most", "不大于", "is greater than", "大于"},
    [QUERY_LIKE] = {"is like", "匹配", "is not like", "不匹配"},
    [QUERY_ILIKE] = {"is like (any case)", "匹配（不分大小写）", "is not like (any case)",
                     "不匹配（不分大小写）"},
    [QUERY_IN] = {"is one of", "属于", "is none of", "不属于"},
    [QUERY_IS] = {"is", "为", "is not", "不为"},
    [QUERY_DISTINCT] = {"differs from", "异于", "does not differ from", "不异于"},
};

static void say_value(struct buf *out, const struct query_node *node, size_t i)
{
    bool pattern = node->op == QUERY_LIKE || node->op == QUERY_ILIKE;
    buf_adds(out, node->op == QUERY_IS ? " " : i ? ", \"" : " \"");
    for (size_t k = 0; k < node->values[i].n; k++) {
        char c = node->values[i].p[k];
        buf_addc(out, pattern && c == '%' ? '*' : (unsigned char)c < 0x20 ? ' ' : c);
    }
    if (node->op != QUERY_IS)
        buf_addc(out, '"');
}

static void say_condition(struct buf *out, const struct reading *r, const struct query_node *node,
                          bool zh)
{
    const json_t *column = json_array_get(r->said, node->column);
    struct slice name = catalog_text(column, "title");
    if (name.n == 0)
        name = catalog_text(column, "name");
    buf_add(out, name.p, name.n);
    buf_addc(out, ' ');
    buf_adds(out, node->negate ? (zh ? words[node->op].not_zh : words[node->op].not_en)
                  : zh         ? words[node->op].zh
                               : words[node->op].en);
    if (node->n_values == 0)
        buf_adds(out, zh ? "（空）" : " nothing");
    for (size_t i = 0; i < node->n_values; i++)
        say_value(out, node, i);
}

static void say(struct buf *out, const struct reading *r, const struct query_node *node, bool zh,
                bool top)
{
    const char *glue = node->kind == QUERY_OR ? (zh ? " 或 " : " or ") : zh ? " 且 " : " and ";
    if (node->kind == QUERY_CONDITION) {
        say_condition(out, r, node, zh);
        return;
    }
    bool around = node->negate || (!top && node->first && node->first->next);
    if (around)
        buf_adds(out, node->negate ? (zh ? "非（" : "not (") : zh ? "（" : "(");
    for (const struct query_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            buf_adds(out, glue);
        say(out, r, child, zh, top && !node->negate && !node->first->next);
    }
    if (around)
        buf_adds(out, zh ? "）" : ")");
}

static json_t *said(const struct reading *r, bool zh)
{
    struct buf out;
    buf_init(&out);
    say(&out, r, r->root, zh, true);
    json_t *text = out.failed ? NULL : json_stringn(out.p, out.n);
    buf_fini(&out);
    return text;
}

static json_t *answer_of(const struct reading *r)
{
    json_t *names = json_array();
    for (size_t i = 0; i < r->table.n_columns; i++)
        if (r->named[i])
            json_array_append_new(names, json_stringn(r->columns[i].name.p, r->columns[i].name.n));
    return json_pack("{s:o, s:o, s:o}", "columns", names, "en", said(r, false), "zh",
                     said(r, true));
}

static enum problem read_all(struct reading *r, const json_t *body, const char **why)
{
    struct slice filter = catalog_text(body, "filter");
    *why = "it cannot be read: conditions as in docs/query.md, on fields there are, without "
           "regular expressions and paths into JSON";
    if (filter.n == 0 || filter.n > POLICY_ROWS_MAX)
        *why = "1 to 512 bytes are needed";
    else if (!fill_columns(r, json_object_get(body, "columns")))
        return PROBLEM_BODY_MALFORMED;
    else if (catalog_rows(&r->arena, &r->table, filter, &r->root))
        *why =
            json_is_true(json_object_get(body, "events")) ? event_wrong(&r->table, r->root) : NULL;
    return *why ? PROBLEM_QUERY_MALFORMED : PROBLEM_OK;
}

enum problem row_filter_check(const json_t *body, json_t **answer, char *detail, size_t room)
{
    const char *why = "";
    struct reading *r = calloc(1, sizeof *r);
    if (!r || !arena_init(&r->arena, ARENA_ROOM)) {
        free(r);
        return PROBLEM_INTERNAL;
    }
    enum problem p = read_all(r, body, &why);
    if (p)
        snprintf(detail, room, "%s", why);
    else {
        note_names(r, r->root);
        *answer = answer_of(r);
        p = *answer ? PROBLEM_OK : PROBLEM_INTERNAL;
    }
    arena_fini(&r->arena);
    free(r);
    return p;
}

/* An event's row --------------------------------------------------------------------------------
 */
struct row_filter {
    struct arena arena;
    struct query_table table;
    const struct query_node *root;
};

struct row_filter *row_filter_new(const struct policy_api *api, struct slice text)
{
    struct row_filter *f = calloc(1, sizeof *f);
    struct query_column *columns = NULL;
    size_t room = 8192 + text.n * 480 + (api->n_fields + 1) * (sizeof *columns + 1);
    if (f && text.n <= POLICY_ROWS_BOTH && arena_init(&f->arena, room))
        columns = arena_get(&f->arena, sizeof *columns, api->n_fields + 1);
    if (!columns) {
        row_filter_free(&f);
        return NULL;
    }
    /* Which type a value is of its JSON tells; what the filter may say was held against the types
     * when it was set. */
    for (uint32_t i = 0; i < api->n_fields; i++)
        columns[i] = (struct query_column){
            .name = api->fields[i].path, .column = api->fields[i].path, .type = QUERY_STRING};
    f->table = (struct query_table){.columns = columns, .n_columns = api->n_fields};
    if (!catalog_rows(&f->arena, &f->table, text, &f->root))
        row_filter_free(&f);
    return f;
}

void row_filter_free(struct row_filter **filter)
{
    if (!*filter)
        return;
    if ((*filter)->arena.block)
        arena_fini(&(*filter)->arena);
    free(*filter);
    *filter = NULL;
}

enum truth { NO, YES, UNKNOWN }; /* as SQL's */

static enum truth not_of(enum truth t)
{
    return t == UNKNOWN ? UNKNOWN : t == YES ? NO : YES;
}

struct decimal { /* digits without leading zeros before the point, none at the end behind it */
    bool negative;
    struct slice whole, part;
};

/* False: no plain decimal; one with an exponent is none. */
static bool decimal_of(struct slice text, struct decimal *d)
{
    size_t i = text.n && (text.p[0] == '-' || text.p[0] == '+'), at = i, n;
    d->negative = i && text.p[0] == '-';
    while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9')
        i++;
    d->whole = slice_of(text.p + at, i - at);
    d->part = slice_of(text.p + i, 0);
    if (i < text.n && text.p[i] == '.') {
        n = ++i;
        while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9')
            i++;
        d->part = slice_of(text.p + n, i - n);
    }
    if (i != text.n || d->whole.n + d->part.n == 0)
        return false;
    while (d->whole.n && d->whole.p[0] == '0')
        d->whole = slice_of(d->whole.p + 1, d->whole.n - 1);
    while (d->part.n && d->part.p[d->part.n - 1] == '0')
        d->part.n--;
    if (d->whole.n + d->part.n == 0)
        d->negative = false;
    return true;
}

static int text_order(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int decimal_order(const struct decimal *a, const struct decimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    int order = (a->whole.n > b->whole.n) - (a->whole.n < b->whole.n);
    if (!order)
        order = text_order(a->whole, b->whole);
    if (!order)
        order = text_order(a->part, b->part);
    return a->negative ? -order : order;
}

struct value {                                          /* one of an event's row */
    enum { NOTHING, NONE, TEXT, NUMBER, BOOLEAN } kind; /* NOTHING: it is not there; NONE: null */
    struct slice text;
    char number[64];
};

static void value_of(const json_t *row, struct slice name, struct value *v)
{
    const json_t *j = json_object_getn(row, name.p, name.n);
    v->kind = NOTHING;
    if (json_is_null(j)) {
        v->kind = NONE;
    } else if (json_is_string(j)) {
        v->kind = TEXT;
        v->text = slice_of(json_string_value(j), json_string_length(j));
    } else if (json_is_boolean(j)) {
        v->kind = BOOLEAN;
        v->text = json_is_true(j) ? SLICE("t") : SLICE("f");
    } else if (json_is_integer(j)) {
        v->kind = NUMBER;
        snprintf(v->number, sizeof v->number, "%lld", (long long)json_integer_value(j));
        v->text = slice_str(v->number);
    } else if (json_is_real(j)) { /* what has more digits than a double keeps is not compared */
        snprintf(v->number, sizeof v->number, "%.15g", json_real_value(j));
        if (strtod(v->number, NULL) == json_real_value(j))
            v->kind = NUMBER;
        v->text = slice_str(v->number);
    }
}

/* *order: of the row's value to the filter's. */
static enum truth compare(const struct value *v, struct slice with, int *order)
{
    struct decimal a, b;
    if (v->kind == TEXT) {
        *order = text_order(v->text, with);
        return YES;
    }
    if (v->kind == BOOLEAN) {
        bool t = slice_eq(with, SLICE("true")) || slice_eq(with, SLICE("t")) ||
                 slice_eq(with, SLICE("1"));
        *order = t != (v->text.p[0] == 't');
        return YES;
    }
    if (v->kind != NUMBER || !decimal_of(v->text, &a) || !decimal_of(with, &b))
        return UNKNOWN;
    *order = decimal_order(&a, &b);
    return YES;
}

static enum truth in_list(const struct value *v, const struct query_node *node)
{
    enum truth all = NO;
    int order;
    for (size_t i = 0; i < node->n_values; i++) {
        if (compare(v, node->values[i], &order) == UNKNOWN)
            all = UNKNOWN;
        else if (order == 0)
            return YES;
    }
    return all;
}

static enum truth condition(const struct row_filter *f, const struct query_node *node,
                            const json_t *row)
{
    struct value v;
    int order = 0;
    value_of(row, f->table.columns[node->column].name, &v);
    if (node->op == QUERY_IS) /* null, as no other word is taken */
        return v.kind == NOTHING ? UNKNOWN : v.kind == NONE ? YES : NO;
    if (node->op == QUERY_DISTINCT && v.kind == NONE)
        return YES;
    if (v.kind == NOTHING || v.kind == NONE)
        return UNKNOWN;
    if (node->op == QUERY_IN)
        return in_list(&v, node);
    if (compare(&v, node->values[0], &order) == UNKNOWN)
        return UNKNOWN;
    bool number = v.kind == NUMBER;
    switch (node->op) {
    case QUERY_EQ:
        return order == 0 ? YES : NO;
    case QUERY_NEQ:
    case QUERY_DISTINCT:
        return order != 0 ? YES : NO;
    case QUERY_GT:
        return !number ? UNKNOWN : order > 0 ? YES : NO;
    case QUERY_GTE:
        return !number ? UNKNOWN : order >= 0 ? YES : NO;
    case QUERY_LT:
        return !number ? UNKNOWN : order < 0 ? YES : NO;
    case QUERY_LTE:
        return !number ? UNKNOWN : order <= 0 ? YES : NO;
    default:
        return UNKNOWN;
    }
}

static enum truth holds(const struct row_filter *f, const struct query_node *node,
                        const json_t *row)
{
    enum truth t, stops = node->kind == QUERY_OR ? YES : NO;
    if (node->kind == QUERY_CONDITION) {
        t = condition(f, node, row);
        return node->negate ? not_of(t) : t;
    }
    enum truth all = not_of(stops);
    for (const struct query_node *child = node->first; child; child = child->next) {
        t = holds(f, child, row);
        if (t == stops) {
            all = stops;
            break;
        }
        if (t == UNKNOWN)
            all = UNKNOWN;
    }
    return node->negate ? not_of(all) : all;
}

bool row_filter_admits(const struct row_filter *filter, struct slice row)
{
    json_t *json = json_loadb(row.p, row.n, 0, NULL);
    bool yes = json_is_object(json) && holds(filter, filter->root, json) == YES;
    json_decref(json);
    return yes;
}
