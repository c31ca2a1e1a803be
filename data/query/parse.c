/* SPDX-License-Identifier: Apache-2.0 */
/* The query string is cut at '&' and '=' first and percent-decoded after, so an encoded '&' is part
 * of a value. Each name is checked against the call's outcomes the moment it is read: what the app
 * may not read cannot be asked about, not even as a filter that would tell by its number of rows.
 */
#include "data/query/query.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "data/query/parse_internal.h"
#include "plan/plan.h"

static const char *const type_names[QUERY_TYPES] = {
    [QUERY_STRING] = "string",   [QUERY_INTEGER] = "integer", [QUERY_NUMBER] = "number",
    [QUERY_BOOLEAN] = "boolean", [QUERY_DATE] = "date",       [QUERY_DATETIME] = "datetime",
    [QUERY_BINARY] = "binary",   [QUERY_JSON] = "json",
};

const char *query_type_name(enum query_type type)
{
    return type < QUERY_TYPES ? type_names[type] : type_names[QUERY_STRING];
}

enum query_type query_type_by_name(struct slice name)
{
    for (size_t i = 0; i < QUERY_TYPES; i++)
        if (slice_eq(name, slice_str(type_names[i])))
            return (enum query_type)i;
    return QUERY_STRING;
}

bool query_uint(struct slice text, uint64_t *value)
{
    uint64_t v = 0;
    if (text.n == 0 || text.n > 18)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(text.p[i] - '0');
    }
    *value = v;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool decode_into(char *out, size_t *n, struct slice raw)
{
    size_t o = 0;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i] == '+' ? ' ' : raw.p[i];
        if (c == '%') {
            if (raw.n - i < 3 || hex_digit(raw.p[i + 1]) < 0 || hex_digit(raw.p[i + 2]) < 0)
                return false;
            c = (char)(hex_digit(raw.p[i + 1]) * 16 + hex_digit(raw.p[i + 2]));
            i += 2;
        }
        if (c == '\0')
            return false;
        out[o++] = c;
    }
    *n = o;
    return true;
}

struct slice query_decode(struct arena *arena, struct slice raw)
{
    static const struct slice refused = {NULL, 0};
    char *out = arena_get(arena, 1, raw.n + 1);
    size_t n;
    if (!out || !decode_into(out, &n, raw) || !utf8_valid(slice_of(out, n)))
        return refused;
    return slice_of(out, n);
}

enum problem parser_fail(struct parser *ps, enum problem problem, const char *detail)
{
    ps->err->where = ps->where;
    ps->err->detail = detail;
    return problem;
}

enum problem parser_column(struct parser *ps, struct slice name, enum query_use use,
                           uint16_t *column)
{
    size_t i = 0;
    while (i < ps->table->n_columns && !slice_eq(ps->table->columns[i].name, name))
        i++;
    if (i == ps->table->n_columns)
        return parser_fail(ps, PROBLEM_FIELD_UNKNOWN, "no such field");
    uint8_t outcome = ps->in->outcome[i];
    if (outcome != PLAN_KEEP && outcome != PLAN_MASK)
        return parser_fail(ps, PROBLEM_FIELD_FORBIDDEN, "this app may not read the field");
    if (use == QUERY_USE_FILTER && outcome != PLAN_KEEP)
        return parser_fail(ps, PROBLEM_FILTER_FORBIDDEN, "the field is masked for this app");
    if (ps->table->columns[i].column.n == 0)
        return parser_fail(ps, PROBLEM_FIELD_UNKNOWN, "the dataset has no column for the field");
    *column = (uint16_t)i;
    return PROBLEM_OK;
}

void query_clear(struct query *q)
{
    q->n_select = q->n_order = q->n_embeds = q->n_seek = 0;
    q->special = q->grouped = q->count = q->single = false;
    q->where = (struct query_node){.kind = QUERY_AND};
    q->after = (struct slice){NULL, 0};
    q->offset = q->limit = 0;
    memset(q->arguments, 0, sizeof q->arguments);
}

struct slice parser_item(struct slice *text)
{
    size_t i = 0, depth = 0;
    bool quoted = false;
    while (i < text->n && (quoted || depth || text->p[i] != ',')) {
        char c = text->p[i];
        if (quoted && c == '\\' && i + 1 < text->n)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && c == '(')
            depth++;
        else if (!quoted && c == ')' && depth)
            depth--;
        i++;
    }
    struct slice item = slice_of(text->p, i);
    size_t skip = i < text->n ? i + 1 : i;
    *text = slice_of(text->p + skip, text->n - skip);
    return item;
}

struct slice parser_trim(struct slice s)
{
    while (s.n && s.p[0] == ' ')
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

struct slice parser_unquoted(struct slice name)
{
    if (name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"')
        return slice_of(name.p + 1, name.n - 2);
    return name;
}

static const char *arrow(struct slice s)
{
    return s.n && s.p[0] != '"' ? memmem(s.p, s.n, "->", 2) : NULL;
}

enum problem parser_path(struct parser *ps, struct slice text, struct slice *name,
                         const struct query_path **out)
{
    const char *at = arrow(text);
    *out = NULL;
    *name = text;
    if (!at)
        return PROBLEM_OK;
    struct query_path *path = arena_get(ps->arena, sizeof *path, 1);
    if (!path)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many JSON paths");
    *name = slice_of(text.p, (size_t)(at - text.p));
    struct slice rest = slice_of(at, text.n - name->n);
    while (rest.n) {
        size_t skip = rest.n > 2 && rest.p[2] == '>' ? 3 : 2;
        if (path->text || path->n == QUERY_PATH_MAX || rest.n < skip)
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED,
                               "a JSON path is up to 8 of ->name, ->>name at the end alone");
        path->text = skip == 3;
        rest = slice_of(rest.p + skip, rest.n - skip);
        const char *next = arrow(rest);
        size_t n = next ? (size_t)(next - rest.p) : rest.n;
        if (n == 0 || memchr(rest.p, '"', n) || memchr(rest.p, '\'', n))
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED,
                               "a step of a JSON path is a plain name");
        path->steps[path->n++] = slice_of(rest.p, n);
        rest = slice_of(rest.p + n, rest.n - n);
    }
    *out = path;
    return PROBLEM_OK;
}

enum problem parser_path_column(struct parser *ps, struct slice text, enum query_use use,
                                uint16_t *column, const struct query_path **path)
{
    struct slice name;
    enum problem p = parser_path(ps, text, &name, path);
    if (!p)
        p = parser_column(ps, parser_unquoted(name), *path ? QUERY_USE_FILTER : use, column);
    if (p || !*path)
        return p;
    if (ps->table->columns[*column].type != QUERY_JSON)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "only a JSON field has a path");
    return ps->in->json
               ? PROBLEM_OK
               : parser_fail(ps, PROBLEM_QUERY_MALFORMED, "the source cannot look into JSON");
}

static const struct {
    struct slice word;
    bool descending, direction;
    enum query_nulls nulls;
} order_words[] = {
    {{"asc", 3}, false, true, QUERY_NULLS_DEFAULT},
    {{"desc", 4}, true, true, QUERY_NULLS_DEFAULT},
    {{"nullsfirst", 10}, false, false, QUERY_NULLS_FIRST},
    {{"nullslast", 9}, false, false, QUERY_NULLS_LAST},
};

static bool order_suffix(struct query_order *o, struct slice word, bool *direction_seen)
{
    for (size_t i = 0; i < sizeof order_words / sizeof *order_words; i++) {
        if (!slice_eq(word, order_words[i].word))
            continue;
        if (o->nulls != QUERY_NULLS_DEFAULT || (order_words[i].direction && *direction_seen))
            return false;
        if (order_words[i].direction)
            o->descending = order_words[i].descending;
        *direction_seen = true;
        o->nulls = order_words[i].nulls;
        return true;
    }
    return false;
}

/* `name`, `name.desc`, `name.asc.nullsfirst`, `name.nullslast` */
static enum problem order_item(struct parser *ps, struct slice item)
{
    struct query_order o = {0};
    if (ps->q->n_order == QUERY_ORDER_MAX)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many names in order");
    size_t name_n = 0;
    if (item.n && item.p[0] == '"') {
        const char *end = memchr(item.p + 1, '"', item.n - 1);
        name_n = end ? (size_t)(end - item.p) + 1 : item.n;
    }
    while (name_n < item.n && item.p[name_n] != '.')
        name_n++;
    struct slice rest = slice_of(item.p + name_n, item.n - name_n);
    bool direction_seen = false;
    while (rest.n) {
        size_t n = 1;
        while (n < rest.n && rest.p[n] != '.')
            n++;
        if (!order_suffix(&o, slice_of(rest.p + 1, n - 1), &direction_seen))
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED,
                               "after a name in order: asc, desc, nullsfirst, nullslast");
        rest = slice_of(rest.p + n, rest.n - n);
    }
    enum problem p =
        parser_path_column(ps, slice_of(item.p, name_n), QUERY_USE_FILTER, &o.column, &o.path);
    if (p)
        return p;
    if (o.path && !o.path->text)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "JSON has no order: end the path with ->>");
    ps->q->order[ps->q->n_order++] = o;
    return PROBLEM_OK;
}

static enum problem parse_order(struct parser *ps, struct slice text)
{
    if (ps->q->n_order)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "given twice");
    while (text.n) {
        enum problem p = order_item(ps, parser_trim(parser_item(&text)));
        if (p)
            return p;
    }
    return PROBLEM_OK;
}

static const struct {
    struct slice name;
    enum query_node_kind kind;
    bool negate;
} logic_words[] = {
    {{"and", 3}, QUERY_AND, false},
    {{"or", 2}, QUERY_OR, false},
    {{"not.and", 7}, QUERY_AND, true},
    {{"not.or", 6}, QUERY_OR, true},
};

static enum problem take_argument(struct parser *ps, size_t i, struct slice value)
{
    const struct query_argument *a = &ps->table->arguments[i];
    if (ps->q->arguments[i].p)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "given twice");
    if (value.n > QUERY_VALUE_MAX)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "a value is longer than 4 KiB");
    if (!query_value_fits((enum query_type)a->type, value))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED,
                           "the value does not fit the parameter's type");
    ps->q->arguments[i] = value;
    return PROBLEM_OK;
}

static enum problem check_arguments(struct parser *ps)
{
    for (size_t i = 0; i < ps->table->n_arguments; i++) {
        const struct query_argument *a = &ps->table->arguments[i];
        if (ps->q->arguments[i].p)
            continue;
        ps->where = a->name;
        if (a->required)
            return parser_fail(ps, PROBLEM_PARAMETER_MISSING, "the query needs it");
        if (a->fallback.n)
            ps->q->arguments[i] = a->fallback;
    }
    return PROBLEM_OK;
}

static enum problem parse_paging(struct parser *ps, struct slice *slot, struct slice value)
{
    if (slot->p)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "given twice");
    *slot = value;
    return PROBLEM_OK;
}

/* What chooses and sorts the rows of a table. */
static enum problem parse_rows(struct parser *ps, struct slice name, struct slice value)
{
    if (slice_eq(name, SLICE("order")))
        return parse_order(ps, value);
    for (size_t i = 0; i < sizeof logic_words / sizeof *logic_words; i++)
        if (slice_eq(name, logic_words[i].name))
            return filter_logic(ps, logic_words[i].kind, logic_words[i].negate, value);
    return filter_column(ps, name, value);
}

static enum problem parse_param(struct parser *ps, struct range_params *range, struct slice value)
{
    struct slice name = ps->where;
    const struct {
        struct slice name;
        struct slice *slot;
    } paging[] = {
        {SLICE("limit"), &range->limit},   {SLICE("offset"), &range->offset},
        {SLICE("pageno"), &range->pageno}, {SLICE("pagesize"), &range->pagesize},
        {SLICE("after"), &range->after},
    };
    for (size_t i = 0; i < ps->table->n_arguments; i++)
        if (slice_eq(name, ps->table->arguments[i].name))
            return take_argument(ps, i, value);
    for (size_t i = 0; i < sizeof paging / sizeof *paging; i++)
        if (slice_eq(name, paging[i].name))
            return parse_paging(ps, paging[i].slot, value);
    if (slice_eq(name, SLICE("select"))) /* read before: a relation's conditions come after it */
        return PROBLEM_OK;
    struct parser child;
    struct slice rest;
    if (!select_embedded(ps, name, &child, &rest))
        return parse_rows(ps, name, value);
    enum problem p = parse_rows(&child, rest, value);
    ps->conditions = child.conditions;
    return p;
}

typedef enum problem (*take_pair)(struct parser *ps, struct range_params *range,
                                  struct slice value);

/* One `name=value` of the raw query string. */
static enum problem parse_pair(struct parser *ps, struct range_params *range, take_pair take,
                               struct slice pair)
{
    const char *equals = memchr(pair.p, '=', pair.n);
    size_t name_n = equals ? (size_t)(equals - pair.p) : pair.n;
    ps->where = query_decode(ps->arena, slice_of(pair.p, name_n));
    if (!ps->where.p) {
        ps->where = SLICE("");
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "a name is not percent-encoded UTF-8");
    }
    if (!equals)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "a parameter without '='");
    struct slice value = query_decode(ps->arena, slice_of(equals + 1, pair.n - name_n - 1));
    if (!value.p)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "a value is not percent-encoded UTF-8");
    return take(ps, range, value);
}

static bool contains(struct slice text, const char *word)
{
    return text.n && memmem(text.p, text.n, word, strlen(word)) != NULL;
}

/* In a first pass over the string select alone is read, so the order of parameters is of no matter.
 */
static enum problem take_select(struct parser *ps, struct range_params *range, struct slice value)
{
    (void)range;
    return slice_eq(ps->where, SLICE("select")) ? select_parse(ps, value) : PROBLEM_OK;
}

static enum problem take_filter(struct parser *ps, struct range_params *range, struct slice value)
{
    (void)range;
    return slice_eq(ps->where, SLICE("order"))
               ? parser_fail(ps, PROBLEM_QUERY_MALFORMED, "conditions alone")
               : parse_rows(ps, ps->where, value);
}

static enum problem each_pair(struct parser *ps, struct range_params *range, take_pair take)
{
    struct slice rest = ps->in->raw;
    ps->where = SLICE("");
    if (rest.n > QUERY_BYTES_MAX)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "the query string is longer than 16 KiB");
    while (rest.n) {
        const char *amp = memchr(rest.p, '&', rest.n);
        size_t n = amp ? (size_t)(amp - rest.p) : rest.n;
        enum problem p = n ? parse_pair(ps, range, take, slice_of(rest.p, n)) : PROBLEM_OK;
        if (p)
            return p;
        size_t skip = amp ? n + 1 : n;
        rest = slice_of(rest.p + skip, rest.n - skip);
    }
    return PROBLEM_OK;
}

enum problem query_parse(struct query *q, struct arena *arena, const struct query_table *table,
                         const struct query_input *in, struct query_error *err)
{
    struct parser ps = {.arena = arena, .table = table, .in = in, .q = q, .err = err};
    struct range_params range = {0};
    enum problem p = PROBLEM_OK;
    query_clear(q);
    q->count = contains(in->prefer, "count=exact") || contains(in->prefer, "count=planned") ||
               contains(in->prefer, "count=estimated");
    q->single = contains(in->accept, "application/vnd.pgrst.object+json");
    if (contains(in->raw, "select=") || contains(in->raw, "%"))
        p = each_pair(&ps, &range, take_select);
    if (!p)
        p = each_pair(&ps, &range, parse_param);
    if (!p)
        p = check_arguments(&ps);
    if (!p)
        p = select_check(&ps);
    return p ? p : range_resolve(&ps, &range);
}

enum problem query_parse_filter(struct query_node *filter, struct arena *arena,
                                const struct query_table *table, const struct query_input *in,
                                struct query_error *err)
{
    struct query *q = calloc(1, sizeof *q);
    struct parser ps = {.arena = arena, .table = table, .in = in, .q = q, .err = err};
    if (!q)
        return PROBLEM_INTERNAL;
    query_clear(q);
    enum problem p = each_pair(&ps, NULL, take_filter);
    *filter = q->where;
    free(q);
    return p;
}
