/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to calls of apps in their test stage. The grammar of the query, the fields, the owner and
 * the paging are those of the real call; the rows are data/sandbox.h's. A condition that says what
 * a field equals is met by every row; of the others only the grammar is checked. */
#include <jansson.h>
#include <stdlib.h>

#include "data/query/cell.h"
#include "data/sandbox.h"
#include "data/service.h"
#include "plan/plan.h"

/* What field i of the rows asked for must be; NULL: not said. */
static const struct slice *wanted(const struct worker *w, size_t column)
{
    const struct query_node *node = w->query.where.first;

    for (; node; node = node->next)
        if (node->kind == QUERY_CONDITION && !node->negate && node->op == QUERY_EQ &&
            node->column == column && node->n_values == 1)
            return &node->values[0];
    return NULL;
}

/* One row when a field of the key is said, as a source would have. */
static uint64_t rows_there(const struct worker *w, const struct catalog_api *api)
{
    for (size_t i = 0; i < api->table.n_columns; i++)
        for (size_t k = 0; k < api->table.n_keys && wanted(w, i); k++)
            if (slice_eq(api->table.keys[k], api->columns[i].column))
                return 1;
    return SANDBOX_ROWS;
}

static void write_value(struct worker *w, const struct catalog_api *api, size_t column,
                        uint64_t row, struct slice owner, bool as_text)
{
    enum query_type type = (enum query_type)api->columns[column].type;
    struct slice own = api->columns[column].column;
    const struct slice *said = wanted(w, column);
    bool owners = owner.n && slice_eq(own, api->table.owner_column);
    struct slice value = owners ? owner : said ? *said : SLICE("");

    buf_clear(&w->sql);
    if (!value.p || !value.n) {
        sandbox_value(&w->sql, (enum sandbox_kind)api->stands_for[column], type,
                      api->columns[column].name, row);
        value = buf_slice(&w->sql);
    }
    if (as_text)
        cell_write_text(&w->body, type, CELL_SECONDS, value);
    else
        cell_write(&w->body, type, value);
}

static void write_row(struct worker *w, const struct catalog_api *api, uint64_t row,
                      struct slice owner, bool as_text)
{
    for (size_t i = 0; i < w->query.n_select; i++) {
        uint16_t column = w->query.select[i];
        buf_addc(&w->body, i ? ',' : '{');
        buf_add(&w->body, api->members[column].p, api->members[column].n);
        write_value(w, api, column, row, owner, as_text);
    }
    for (size_t e = 0; e < w->query.n_embeds; e++) { /* nothing belongs to what is made up */
        const struct query_relation *r = w->query.embeds[e].relation;
        struct slice member = api->related[r - api->table.relations].member;
        buf_addc(&w->body, e || w->query.n_select ? ',' : '{');
        buf_add(&w->body, member.p, member.n);
        buf_adds(&w->body, r->many ? "[]" : "null");
    }
    buf_addc(&w->body, '}');
}

enum problem synthetic_rows(struct worker *w, const struct catalog_api *api, bool as_text,
                            uint64_t *n)
{
    struct sql_scope scope;
    uint64_t there = rows_there(w, api), row = w->query.offset;

    *n = 0;
    if (!service_scope(w, api, &scope))
        return PROBLEM_OK;
    for (; row < there && *n < w->query.limit; row++, ++*n) {
        if (*n)
            buf_addc(&w->body, ',');
        write_row(w, api, row, scope.owner, as_text);
    }
    return w->body.failed || w->sql.failed ? PROBLEM_INTERNAL : PROBLEM_OK;
}

enum problem synthetic_count(struct worker *w, const struct catalog_api *api, uint64_t *total)
{
    struct sql_scope scope;

    *total = service_scope(w, api, &scope) ? rows_there(w, api) : 0;
    return PROBLEM_OK;
}

/* A document for a business unit's own API, from the paths of its fields. -------------------- */

static struct json_t *value_of(struct worker *w, const struct catalog_api *api, size_t i)
{
    struct slice path = api->columns[i].name;
    const char *dot = memrchr(path.p, '.', path.n);
    struct slice last = dot ? slice_of(dot + 1, path.n - (size_t)(dot + 1 - path.p)) : path;

    if (api->columns[i].type == QUERY_JSON)
        return json_pack("{s:b}", "test", 1);
    buf_clear(&w->sql);
    sandbox_value(&w->sql, (enum sandbox_kind)api->stands_for[i], QUERY_STRING, last, 0);
    return json_stringn(w->sql.p, w->sql.n);
}

/* False: a path goes through what another says is a value; that one stays. */
static bool put(json_t *at, struct slice path, json_t *value)
{
    const char *dot;

    while ((dot = path.n ? memchr(path.p, '.', path.n) : NULL)) {
        size_t n = (size_t)(dot - path.p);
        json_t *next = json_object_getn(at, path.p, n);
        if (!next) {
            json_object_setn_new(at, path.p, n, json_object());
            next = json_object_getn(at, path.p, n);
        }
        if (!json_is_object(next)) {
            json_decref(value);
            return false;
        }
        at = next;
        path = slice_of(dot + 1, path.n - n - 1);
    }
    return json_object_setn_new(at, path.p, path.n, value) == 0;
}

void synthetic_document(struct worker *w, const struct catalog_api *api,
                        const struct service_request *rq, struct service_reply *rp)
{
    json_t *document = json_object();

    for (size_t i = 0; i < api->table.n_columns; i++)
        if (w->call.outcome[i] != PLAN_DROP)
            (void)put(document, api->columns[i].name, value_of(w, api, i));
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    if (!text) {
        service_problem(w, rq, rp, PROBLEM_INTERNAL, NULL, SLICE(""));
        return;
    }
    buf_adds(&w->body, text);
    free(text);
}
