/* SPDX-License-Identifier: Apache-2.0 */
/* What a dataset says beyond its table: whose rows at all, what belongs to them, how they may be
 * counted, how much a call may cost. Whatever of it cannot be read makes the API unusable, never
 * more open. */
#include <stdlib.h>

#include "data/catalog_inner.h"
#include "data/query/template.h"
#include "plan/plan.h"

static bool number(const json_t *object, const char *member, json_int_t most, uint32_t *out)
{
    const json_t *v = json_object_get(object, member);
    *out = 0;
    if (!v || json_is_null(v))
        return true;
    json_int_t n = json_integer_value(v);
    *out = (uint32_t)n;
    return json_is_integer(v) && n >= 0 && n <= most;
}

/* `count`, `sum` and so on, and `amount_sum`, where the dataset has no column of that name. */
static void mark_aggregates(struct catalog_api *api)
{
    for (size_t i = 0; i < api->table.n_columns; i++) {
        struct query_column *c = &api->columns[i];
        if (c->column.n || api->table.min_group == 0)
            continue;
        const char *dash = memrchr(c->name.p, '_', c->name.n);
        size_t n = dash ? (size_t)(dash - c->name.p) : 0;
        enum query_fn fn = query_fn_by_name(c->name);
        c->of = QUERY_NO_COLUMN;
        if (!fn && dash) {
            for (size_t k = 0; k < api->table.n_columns; k++)
                if (api->columns[k].column.n &&
                    slice_eq(api->columns[k].name, slice_of(c->name.p, n)))
                    c->of = (uint16_t)k;
            fn = c->of == QUERY_NO_COLUMN ? QUERY_FN_NONE
                                          : query_fn_by_name(slice_of(dash + 1, c->name.n - n - 1));
        }
        c->fn = (uint8_t)fn;
    }
}

/* portable: what every source can do, whatever it is. */
static bool read_filter(struct arena *arena, const struct query_table *table, struct slice text,
                        bool portable, const struct query_node **out)
{
    struct query_error err;
    struct query_node *filter = arena_get(arena, sizeof *filter, 1);
    uint8_t *all = arena_get(arena, 1, table->n_columns + 1);
    struct slice raw = arena_copy(arena, text);
    if (!filter || !all || !raw.p)
        return false;
    memset(all, PLAN_KEEP, table->n_columns);
    struct query_input in = {.raw = raw, .outcome = all, .regex = !portable, .json = !portable};
    if (query_parse_filter(filter, arena, table, &in, &err) != PROBLEM_OK || !filter->first)
        return false;
    *out = filter;
    return true;
}

static bool fill_filter(struct arena *arena, struct query_table *table, struct slice text)
{
    return text.n == 0 || read_filter(arena, table, text, false, &table->filter);
}

bool catalog_rows(struct arena *arena, const struct query_table *table, struct slice text,
                  const struct query_node **rows)
{
    return read_filter(arena, table, text, true, rows);
}

static bool fill_arguments(struct catalog_api *api, const json_t *list,
                           struct query_argument *arguments)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        struct query_argument *a = &arguments[i];
        a->name = arena_copy(&api->arena, catalog_text(item, "name"));
        a->type = (uint8_t)query_type_by_name(catalog_text(item, "type"));
        a->required = json_is_true(json_object_get(item, "required"));
        a->fallback = arena_copy(&api->arena, catalog_text(item, "default"));
        if (!a->name.p || !a->fallback.p ||
            (a->fallback.n && !query_value_fits((enum query_type)a->type, a->fallback)))
            return false;
    }
    return true;
}

/* A provider's own query in place of a table. */
static bool fill_text(struct catalog_api *api, const json_t *dataset)
{
    struct slice text = catalog_text(dataset, "query");
    const json_t *list = json_object_get(dataset, "parameters");
    size_t n = json_array_size(list);
    struct query_argument *arguments = arena_get(&api->arena, sizeof *arguments, n + 1);
    uint16_t *marks = arena_get(&api->arena, sizeof *marks, TEMPLATE_MARKS_MAX);
    struct buf out;
    if (text.n == 0)
        return true;
    if (!arguments || !marks || n > TEMPLATE_ARGS_MAX || !fill_arguments(api, list, arguments))
        return false;
    buf_init(&out);
    bool ok = template_compile(text, arguments, n, &out, marks, &api->table.n_marks) == NULL;
    if (ok) {
        api->table.text = arena_copy(&api->arena, buf_slice(&out));
        api->table.arguments = arguments;
        api->table.n_arguments = n;
        api->table.marks = marks;
    }
    buf_fini(&out);
    return ok && api->table.text.p;
}

static uint16_t field_of(const struct catalog_api *api, struct slice relation, struct slice name)
{
    for (size_t i = 0; i < api->table.n_columns; i++) {
        struct slice path = api->columns[i].name;
        if (path.n == relation.n + 1 + name.n && memcmp(path.p, relation.p, relation.n) == 0 &&
            path.p[relation.n] == '.' && memcmp(path.p + relation.n + 1, name.p, name.n) == 0)
            return (uint16_t)i;
    }
    return QUERY_NO_COLUMN;
}

struct related { /* what is filled for one relation */
    struct query_relation *r;
    struct query_column *columns;
    struct slice *members, *keys;
    uint8_t *key_types;
    uint16_t *fields;
};

static bool related_column(struct catalog_api *api, const struct related *to, size_t i,
                           const json_t *column)
{
    struct query_column *c = &to->columns[i];
    struct query_table *table = &to->r->table;
    c->name = arena_copy(&api->arena, catalog_text(column, "name"));
    c->column = arena_copy(&api->arena, catalog_text(column, "column"));
    c->type = (uint8_t)query_type_by_name(catalog_text(column, "type"));
    if (!c->name.p || !c->column.p || !catalog_member(&api->arena, c->name, &to->members[i]))
        return false;
    to->fields[i] = field_of(api, to->r->name, c->name);
    if (json_is_true(json_object_get(column, "key"))) {
        to->keys[table->n_keys] = c->column;
        to->key_types[table->n_keys++] = c->type;
    }
    if (slice_eq(c->column, to->r->foreign))
        to->r->foreign_type = c->type;
    if (slice_eq(c->column, table->owner_column))
        table->owner_type = c->type;
    return true;
}

static bool fill_relation(struct catalog_api *api, const json_t *item, struct query_relation *r,
                          struct catalog_related *names)
{
    struct arena *a = &api->arena;
    const json_t *columns = json_object_get(item, "columns"), *column;
    size_t n = json_array_size(columns), i;
    struct related to = {.r = r,
                         .columns = arena_get(a, sizeof *to.columns, n + 1),
                         .members = arena_get(a, sizeof *to.members, n + 1),
                         .keys = arena_get(a, sizeof *to.keys, n + 1),
                         .key_types = arena_get(a, 1, n + 1),
                         .fields = arena_get(a, sizeof *to.fields, n + 1)};
    r->name = arena_copy(a, catalog_text(item, "name"));
    r->local = arena_copy(a, catalog_text(item, "local"));
    r->foreign = arena_copy(a, catalog_text(item, "foreign"));
    r->many = json_is_true(json_object_get(item, "many"));
    r->table.schema = arena_copy(a, catalog_text(item, "schema"));
    r->table.table = arena_copy(a, catalog_text(item, "table"));
    r->table.owner_column = arena_copy(a, catalog_text(item, "owner_column"));
    if (n == 0 || !to.columns || !to.members || !to.keys || !to.key_types || !to.fields ||
        !r->name.p || !r->local.n || !r->foreign.n || !r->table.table.n ||
        !r->table.owner_column.p || !catalog_member(a, r->name, &names->member))
        return false;
    json_array_foreach(columns, i, column)
    {
        if (!related_column(api, &to, i, column))
            return false;
    }
    names->members = to.members;
    r->fields = to.fields;
    r->table.columns = to.columns;
    r->table.n_columns = n;
    r->table.keys = to.keys;
    r->table.key_types = to.key_types;
    return fill_filter(a, &r->table, catalog_text(item, "filter"));
}

static bool fill_relations(struct catalog_api *api, const json_t *list)
{
    size_t n = json_array_size(list), i;
    const json_t *item;
    struct query_relation *r = arena_get(&api->arena, sizeof *r, n + 1);
    api->related = arena_get(&api->arena, sizeof *api->related, n + 1);
    if (!r || !api->related)
        return false;
    json_array_foreach(list, i, item)
    {
        if (!fill_relation(api, item, &r[i], &api->related[i]))
            return false;
    }
    api->table.relations = r;
    api->table.n_relations = n;
    return true;
}

size_t catalog_more_room(const json_t *dataset, size_t json_n)
{
    bool more = json_object_get(dataset, "filter") || json_object_get(dataset, "relations") ||
                json_object_get(dataset, "query");
    return more ? 131072 + json_n * 8 : 0;
}

bool catalog_more(struct catalog_api *api, const json_t *dataset)
{
    uint32_t timeout = 0;
    if (!number(dataset, "min_group", 1000000, &api->table.min_group) ||
        !number(dataset, "timeout_ms", 60000, &timeout) ||
        !number(dataset, "max_rows", 100000, &api->max_rows) ||
        !number(dataset, "max_cost", INT32_MAX, &api->max_cost))
        return false;
    api->query_timeout_ms = timeout;
    api->table.groups_only = json_is_true(json_object_get(dataset, "groups_only"));
    api->table.whole = json_is_true(json_object_get(dataset, "whole"));
    mark_aggregates(api);
    return fill_text(api, dataset) && fill_relations(api, json_object_get(dataset, "relations")) &&
           fill_filter(&api->arena, &api->table, catalog_text(dataset, "filter"));
}
