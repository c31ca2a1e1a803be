/* SPDX-License-Identifier: Apache-2.0 */
/* `select`: fields, aggregates, steps into JSON, rows of related tables. An alias would carry a
 * value past the gateway's field plan, which knows fields by name: `a:phone` would come out
 * unmasked under a kept name. So what is answered is always answered as a field of the API, decided
 * as that field: itself, an aggregate's own field, or `relation.field`. */
#include "data/query/parse_internal.h"
#include "plan/plan.h"

static const struct slice fn_names[QUERY_FNS] = {
    [QUERY_FN_NONE] = {"", 0}, [QUERY_COUNT] = {"count", 5}, [QUERY_SUM] = {"sum", 3},
    [QUERY_AVG] = {"avg", 3},  [QUERY_MIN] = {"min", 3},     [QUERY_MAX] = {"max", 3},
};

enum query_fn query_fn_by_name(struct slice name)
{
    for (size_t i = 1; i < QUERY_FNS; i++)
        if (slice_eq(name, fn_names[i]))
            return (enum query_fn)i;
    return QUERY_FN_NONE;
}

static bool readable(const struct parser *ps, size_t i)
{
    uint8_t outcome = ps->in->outcome[i];
    return (outcome == PLAN_KEEP || outcome == PLAN_MASK) && ps->table->columns[i].column.n;
}

static struct query_from plain(const struct parser *ps, uint16_t column)
{
    return (struct query_from){.column = column, .type = ps->table->columns[column].type};
}

/* A field twice is one field, unless its values would come from two places. */
static enum problem add(struct parser *ps, uint16_t field, struct query_from from)
{
    struct query *q = ps->q;
    for (size_t i = 0; i < q->n_select; i++) {
        if (q->select[i] != field)
            continue;
        bool same = q->from[i].fn == from.fn && q->from[i].column == from.column &&
                    !q->from[i].path && !from.path;
        return same ? PROBLEM_OK
                    : parser_fail(ps, PROBLEM_QUERY_MALFORMED, "two values under one name");
    }
    if (q->n_select == QUERY_SELECT_MAX)
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many names in select");
    q->special = q->special || from.fn || from.path;
    q->grouped = q->grouped || from.fn;
    q->from[q->n_select] = from;
    q->select[q->n_select++] = field;
    return PROBLEM_OK;
}

void select_all(struct parser *ps)
{
    for (size_t i = 0; i < ps->table->n_columns && i < QUERY_SELECT_MAX; i++)
        if (readable(ps, i))
            (void)!add(ps, (uint16_t)i, plain(ps, (uint16_t)i));
}

/* The API's field an aggregate is answered as: named like the function, `count`, or after its field
 * too, `amount_sum`. */
static enum problem aggregate_field(struct parser *ps, struct slice name, struct query_from from,
                                    uint16_t *field)
{
    for (size_t i = 0; i < ps->table->n_columns; i++) {
        const struct query_column *c = &ps->table->columns[i];
        if (c->fn != from.fn || !slice_eq(c->name, name) ||
            (c->of != QUERY_NO_COLUMN && c->of != from.column))
            continue;
        *field = (uint16_t)i;
        return ps->in->outcome[i] == PLAN_KEEP
                   ? PROBLEM_OK
                   : parser_fail(ps, PROBLEM_FIELD_FORBIDDEN, "this app may not read the field");
    }
    return parser_fail(ps, PROBLEM_FIELD_UNKNOWN,
                       "an aggregate is named like its function, or field_function");
}

static bool countable(uint8_t fn, uint8_t type)
{
    if (fn == QUERY_SUM || fn == QUERY_AVG)
        return type == QUERY_INTEGER || type == QUERY_NUMBER;
    return fn == QUERY_COUNT ||
           (type != QUERY_JSON && type != QUERY_BINARY && type != QUERY_BOOLEAN);
}

/* `count()`, `amount.sum()`: what a mask hides cannot be counted with either. */
static enum problem aggregate(struct parser *ps, struct slice alias, struct slice item)
{
    struct query_from from = {.column = QUERY_NO_COLUMN, .type = QUERY_INTEGER};
    struct slice call = slice_of(item.p, item.n - 2);
    const char *dot = memrchr(call.p, '.', call.n);
    struct slice fn = dot ? slice_of(dot + 1, call.n - (size_t)(dot + 1 - call.p)) : call;
    uint16_t field = 0;
    from.fn = (uint8_t)query_fn_by_name(fn);
    if (!from.fn || (!dot && from.fn != QUERY_COUNT))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "count(), field.sum(), avg, min, max");
    if (!ps->table->min_group || !ps->in->extended)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "this dataset has no aggregates");
    if (dot) {
        struct slice name = slice_of(call.p, (size_t)(dot - call.p));
        enum problem p = parser_column(ps, parser_unquoted(name), QUERY_USE_FILTER, &from.column);
        if (p)
            return p;
        from.type = ps->table->columns[from.column].type;
        if (!countable(from.fn, from.type))
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "not of a field of this type");
        if (from.fn == QUERY_COUNT || from.fn == QUERY_AVG)
            from.type = from.fn == QUERY_COUNT ? QUERY_INTEGER : QUERY_NUMBER;
    }
    enum problem p = aggregate_field(ps, alias.p ? alias : fn_names[from.fn], from, &field);
    return p ? p : add(ps, field, from);
}

static const struct query_relation *find_relation(const struct parser *ps, struct slice name)
{
    for (size_t i = 0; i < ps->table->n_relations; i++)
        if (slice_eq(ps->table->relations[i].name, name))
            return &ps->table->relations[i];
    return NULL;
}

/* A parser of the relation's own table, each of its fields decided as this API's `relation.field`.
 */
static bool child_parser(struct parser *ps, const struct query_relation *r, struct query *q,
                         struct parser *child)
{
    struct query_input *in = arena_get(ps->arena, sizeof *in, 1);
    uint8_t *outcome = arena_get(ps->arena, 1, r->table.n_columns + 1);
    if (!in || !outcome)
        return false;
    for (size_t i = 0; i < r->table.n_columns; i++)
        outcome[i] = r->fields[i] == QUERY_NO_COLUMN ? PLAN_DROP : ps->in->outcome[r->fields[i]];
    *in = *ps->in;
    in->outcome = outcome;
    *child = *ps;
    child->table = &r->table;
    child->in = in;
    child->q = q;
    return true;
}

static enum problem embed(struct parser *ps, struct slice name, struct slice inside)
{
    const struct query_relation *r = find_relation(ps, name);
    struct parser child;
    if (!r || !ps->in->extended)
        return parser_fail(ps, PROBLEM_FIELD_UNKNOWN, "the dataset has no such relation");
    for (size_t i = 0; i < ps->q->n_embeds; i++)
        if (ps->q->embeds[i].relation == r)
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "a relation given twice");
    struct query *q =
        ps->q->n_embeds < QUERY_EMBEDS_MAX ? arena_get(ps->arena, sizeof *q, 1) : NULL;
    if (!q || !child_parser(ps, r, q, &child))
        return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many relations");
    query_clear(q);
    ps->q->embeds[ps->q->n_embeds++] = (struct query_embed){r, q};
    enum problem p = select_parse(&child, inside.n ? inside : SLICE("*"));
    if (!p && q->n_select == 0)
        p = parser_fail(ps, PROBLEM_NO_READABLE_FIELD, "no readable field of the relation");
    return !p && q->grouped
               ? parser_fail(ps, PROBLEM_QUERY_MALFORMED, "no aggregates of a relation")
               : p;
}

bool select_embedded(struct parser *ps, struct slice name, struct parser *child, struct slice *rest)
{
    const char *dot = name.n && name.p[0] != '"' ? memchr(name.p, '.', name.n) : NULL;
    size_t n = dot ? (size_t)(dot - name.p) : 0;
    for (size_t i = 0; dot && i < ps->q->n_embeds; i++) {
        const struct query_embed *e = &ps->q->embeds[i];
        if (!slice_eq(e->relation->name, slice_of(name.p, n)) ||
            !child_parser(ps, e->relation, e->query, child))
            continue;
        *rest = slice_of(dot + 1, name.n - n - 1);
        return true;
    }
    return false;
}

/* `name`, `name:name`, `name:name->a->>b` */
static enum problem field(struct parser *ps, struct slice alias, struct slice item)
{
    const struct query_path *path;
    uint16_t column;
    enum problem p = parser_path_column(ps, item, QUERY_USE_SELECT, &column, &path);
    if (p)
        return p;
    if ((alias.p || path) && !slice_eq(alias, ps->table->columns[column].name))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED,
                           path ? "a path is answered under its field's name: note:note->a"
                                : "fields keep their names: no alias");
    struct query_from from = plain(ps, column);
    if (path) {
        from.path = path;
        from.type = path->text ? QUERY_STRING : QUERY_JSON;
    }
    return add(ps, column, from);
}

static enum problem item_parse(struct parser *ps, struct slice item)
{
    if (item.n == 0)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "an empty name in select");
    if (slice_eq(item, SLICE("*"))) {
        select_all(ps);
        return PROBLEM_OK;
    }
    bool quoted = item.p[0] == '"';
    const char *colon = quoted ? NULL : memchr(item.p, ':', item.n);
    const char *open = quoted ? NULL : memchr(item.p, '(', item.n);
    struct slice alias = {NULL, 0};
    if (colon && (!open || colon < open)) {
        alias = slice_of(item.p, (size_t)(colon - item.p));
        item = slice_of(colon + 1, item.n - alias.n - 1);
    }
    if (open && item.p[item.n - 1] == ')' && item.n > 2) {
        size_t n = (size_t)(open - item.p);
        struct slice name = slice_of(item.p, n), inside = slice_of(open + 1, item.n - n - 2);
        bool is_fn = inside.n == 0 && !find_relation(ps, name);
        if (!is_fn && alias.p && !slice_eq(alias, name))
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "relations keep their names: no alias");
        return is_fn ? aggregate(ps, alias, item) : embed(ps, name, inside);
    }
    if (item.n == 0 || item.p[0] == ':' ||
        (item.p[0] != '"' && (memchr(item.p, '(', item.n) || memchr(item.p, ':', item.n))))
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "casts are not spoken here");
    return field(ps, alias, item);
}

enum problem select_parse(struct parser *ps, struct slice text)
{
    if (ps->q->n_select || ps->q->n_embeds)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "given twice");
    size_t items = 0;
    while (text.n) {
        if (++items > QUERY_SELECT_MAX)
            return parser_fail(ps, PROBLEM_QUERY_TOO_LARGE, "too many names in select");
        bool more = text.p[text.n - 1] == ',';
        enum problem p = item_parse(ps, parser_trim(parser_item(&text)));
        if (p)
            return p;
        if (more && text.n == 0)
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "an empty name in select");
    }
    if (items == 0)
        select_all(ps);
    return PROBLEM_OK;
}

/* Rows are grouped by what is no aggregate: it must be open as it is, or groups would tell what the
 * mask hides. */
static enum problem check_groups(struct parser *ps)
{
    struct query *q = ps->q;
    if (q->n_embeds)
        return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "groups have no related rows");
    for (size_t i = 0; i < q->n_select; i++) {
        if (q->from[i].fn)
            continue;
        if (ps->in->outcome[q->select[i]] != PLAN_KEEP)
            return parser_fail(ps, PROBLEM_FILTER_FORBIDDEN, "the field is masked for this app");
        if (q->from[i].path || q->from[i].type == QUERY_JSON || q->from[i].type == QUERY_BINARY)
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "no groups by a field of this type");
    }
    for (size_t i = 0; i < q->n_order; i++) {
        bool by = false;
        for (size_t k = 0; k < q->n_select; k++)
            by = by || (!q->from[k].fn && q->select[k] == q->order[i].column && !q->order[i].path);
        ps->where = SLICE("order");
        if (!by)
            return parser_fail(ps, PROBLEM_QUERY_MALFORMED, "groups are sorted by what makes them");
    }
    return PROBLEM_OK;
}

static bool relation_readable(const struct parser *ps, const struct query_relation *r)
{
    for (size_t i = 0; i < r->table.n_columns; i++)
        if (r->fields[i] != QUERY_NO_COLUMN && ps->in->outcome[r->fields[i]] != PLAN_DROP)
            return true;
    return false;
}

/* A dataset that is read as a whole: what of its relations may be read comes along. */
static enum problem embed_all(struct parser *ps)
{
    enum problem p = PROBLEM_OK;
    for (size_t i = 0; !p && i < ps->table->n_relations; i++)
        if (relation_readable(ps, &ps->table->relations[i]))
            p = embed(ps, ps->table->relations[i].name, SLICE("*"));
    return p;
}

enum problem select_check(struct parser *ps)
{
    struct query *q = ps->q;
    ps->where = SLICE("select");
    if (q->n_select == 0 && q->n_embeds == 0) {
        select_all(ps);
        enum problem p = ps->table->whole && ps->in->extended ? embed_all(ps) : PROBLEM_OK;
        if (p)
            return p;
    }
    if (q->n_select == 0 && q->n_embeds == 0)
        return parser_fail(ps, PROBLEM_NO_READABLE_FIELD, "no readable field");
    if (ps->table->groups_only && !q->grouped)
        return parser_fail(ps, PROBLEM_FIELD_FORBIDDEN,
                           "this dataset gives groups, no single rows");
    return q->grouped ? check_groups(ps) : PROBLEM_OK;
}
