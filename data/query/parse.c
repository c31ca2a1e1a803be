/* SPDX-License-Identifier: Apache-2.0 */
/* The query string is cut at '&' and '=' first and percent-decoded after, so an encoded '&' is part
 * of a value. Each name is checked against the call's outcomes the moment it is read: what the app
 * may not read cannot be asked about, not even as a filter that would tell by its number of rows.
 */
#include "data/query/query.h"

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

static void select_add(struct query *q, uint16_t column)
{
    for (size_t i = 0; i < q->n_select; i++)
        if (q->select[i] == column)
            return;
    if (q->n_select < QUERY_SELECT_MAX)
        q->select[q->n_select++] = column;
}

static void select_all(struct parser *ps)
{
    for (size_t i = 0; i < ps->table->n_columns && i < QUERY_SELECT_MAX; i++) {
        uint8_t outcome = ps->in->outcome[i];
        if ((outcome == PLAN_KEEP || outcome == PLAN_MASK) && ps->table->columns[i].column.n)
            select_add(ps->q, (uint16_t)i);
    }
}

/* The part of text up to the next comma outside of double quotes; *text moves behind it. */
static struct slice next_item(struct slice *text)
{
    size_t i = 0;
    bool quoted = false;
    while (i < text->n && (quoted || text->p[i] != ',')) {
        if (quoted && text->p[i] == '\\' && i + 1 < text->n)
            i++;
        else if (text->p[i] == '"')
            quoted = !quoted;
        i++;
    }
    struct slice item = slice_of(text->p, i);
    size_t skip = i < text->n ? i + 1 : i;
    *text = slice_of(text->p + skip, text->n - skip);
    return item;
}

static struct slice trim(struct slice s)
{
    while (s.n && s.p[0] == ' ')
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

static struct slice unquote_name(struct slice name)
{
    if (name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"')
        return slice_of(name.p + 1, name.n - 2);
    return name;
}

/* An alias would carry a value past the gateway's field plan, which knows fields by name: `a:phone`
 * would come out unmasked under a kept name. So a name may only be itself. */
static enum problem select_item(struct parser *ps, struct slice item)
{
    if (item.n == 0)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "an empty name in select");
    if (slice_eq(item, SLICE("*"))) {
        select_all(ps);
        return PROBLEM_OK;
    }
    const char *colon = item.p[0] == '"' ? NULL : memchr(item.p, ':', item.n);
    struct slice alias = {NULL, 0};
    if (colon) {
        alias = slice_of(item.p, (size_t)(colon - item.p));
        item = slice_of(colon + 1, item.n - alias.n - 1);
    }
    if (item.n == 0 || item.p[0] == ':' ||
        (item.p[0] != '"' && (memchr(item.p, '(', item.n) || memchr(item.p, ':', item.n))))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "embedding and casts are not spoken here");
    uint16_t column;
    enum problem p = parser_column(ps, unquote_name(item), QUERY_USE_SELECT, &column);
    if (p)
        return p;
    if (alias.p && !slice_eq(alias, ps->table->columns[column].name))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "fields keep their names: no alias");
    select_add(ps->q, column);
    return PROBLEM_OK;
}

static enum problem parse_select(struct parser *ps, struct slice text)
{
    if (ps->q->n_select)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "given twice");
    size_t items = 0;
    while (text.n) {
        if (++items > QUERY_SELECT_MAX)
            return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many names in select");
        bool more = text.p[text.n - 1] == ',';
        enum problem p = select_item(ps, trim(next_item(&text)));
        if (p)
            return p;
        if (more && text.n == 0)
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "an empty name in select");
    }
    if (items == 0)
        select_all(ps);
    return PROBLEM_OK;
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
        parser_column(ps, unquote_name(slice_of(item.p, name_n)), QUERY_USE_FILTER, &o.column);
    if (p)
        return p;
    ps->q->order[ps->q->n_order++] = o;
    return PROBLEM_OK;
}

static enum problem parse_order(struct parser *ps, struct slice text)
{
    if (ps->q->n_order)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "given twice");
    while (text.n) {
        enum problem p = order_item(ps, trim(next_item(&text)));
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

static enum problem parse_paging(struct parser *ps, struct slice *slot, struct slice value)
{
    if (slot->p)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "given twice");
    *slot = value;
    return PROBLEM_OK;
}

static enum problem parse_param(struct parser *ps, struct range_params *range, struct slice value)
{
    struct slice name = ps->where;
    const struct {
        struct slice name;
        struct slice *slot;
    } paging[] = {
        {SLICE("limit"), &range->limit},
        {SLICE("offset"), &range->offset},
        {SLICE("pageno"), &range->pageno},
        {SLICE("pagesize"), &range->pagesize},
    };
    for (size_t i = 0; i < sizeof paging / sizeof *paging; i++)
        if (slice_eq(name, paging[i].name))
            return parse_paging(ps, paging[i].slot, value);
    if (slice_eq(name, SLICE("select")))
        return parse_select(ps, value);
    if (slice_eq(name, SLICE("order")))
        return parse_order(ps, value);
    for (size_t i = 0; i < sizeof logic_words / sizeof *logic_words; i++)
        if (slice_eq(name, logic_words[i].name))
            return filter_logic(ps, logic_words[i].kind, logic_words[i].negate, value);
    return filter_column(ps, unquote_name(name), value);
}

/* One `name=value` of the raw query string. */
static enum problem parse_pair(struct parser *ps, struct range_params *range, struct slice pair)
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
    return parse_param(ps, range, value);
}

static bool contains(struct slice text, const char *word)
{
    return text.n && memmem(text.p, text.n, word, strlen(word)) != NULL;
}

enum problem query_parse(struct query *q, struct arena *arena, const struct query_table *table,
                         const struct query_input *in, struct query_error *err)
{
    struct parser ps = {.arena = arena, .table = table, .in = in, .q = q, .err = err};
    struct range_params range = {0};
    q->n_select = q->n_order = 0;
    q->where = (struct query_node){.kind = QUERY_AND};
    q->count = contains(in->prefer, "count=exact") || contains(in->prefer, "count=planned") ||
               contains(in->prefer, "count=estimated");
    q->single = contains(in->accept, "application/vnd.pgrst.object+json");
    ps.where = SLICE("");
    if (in->raw.n > QUERY_BYTES_MAX)
        return parser_fail(&ps, PROBLEM_QUERY_TOO_LARGE, "the query string is longer than 16 KiB");
    struct slice rest = in->raw;
    while (rest.n) {
        const char *amp = memchr(rest.p, '&', rest.n);
        size_t n = amp ? (size_t)(amp - rest.p) : rest.n;
        enum problem p = n ? parse_pair(&ps, &range, slice_of(rest.p, n)) : PROBLEM_OK;
        if (p)
            return p;
        size_t skip = amp ? n + 1 : n;
        rest = slice_of(rest.p + skip, rest.n - skip);
    }
    if (q->n_select == 0)
        select_all(&ps);
    ps.where = SLICE("select");
    if (q->n_select == 0)
        return parser_fail(&ps, PROBLEM_NO_READABLE_FIELD, "no readable field");
    return range_resolve(&ps, &range);
}
