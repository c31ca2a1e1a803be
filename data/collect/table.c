/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a registered source: the chosen columns, on the chosen condition, in the grammar of
 * docs/query.md. Values are bound, names are the input's own columns. */
#include <stdlib.h>

#include "data/catalog.h"
#include "data/collect/inner.h"
#include "data/query/sql.h"
#include "data/sources/pool.h"
#include "plan/plan.h"

#define TIMEOUT_MS (10 * 60 * 1000)

struct table {
    struct uuid id;
    bool held; /* a place of the source's connections */
    struct query_table table;
    struct query_column *columns;
    struct arena arena;
    struct buf text;
    struct query query;
    struct source *source;
};

static bool open_source(struct collect *c, const json_t *input, struct table *t)
{
    const json_t *from = json_object_get(input, "source");
    const char *id = collect_text(from, "id");
    struct uuid uuid;
    struct buf connection;
    if (!uuid_parse(&uuid, id, strlen(id)))
        return collect_fail(c, "failed", "definition-invalid", "/source", "");
    t->id = uuid;
    if (pool_enter(&uuid, &t->held) != POOL_OK)
        return collect_fail(c, "failed", "source-busy", "", "all its connections are in use");
    buf_init(&connection);
    const char *kind = collect_text(from, "kind");
    if (strcmp(kind, "managed") == 0 || strcmp(kind, "files") == 0)
        t->source = source_new_managed(&uuid, c->env->data_dir);
    else if (collect_unseal(c, id, collect_text(from, "connection_sealed"), &connection))
        t->source = source_new(buf_slice(&connection), c->env->data_dir);
    buf_wipe(&connection);
    if (t->source && !source_set_encoding(t->source, slice_str(collect_text(from, "encoding"))))
        source_free(&t->source);
    if (t->source)
        source_set_timeout_ms(t->source, TIMEOUT_MS);
    return (t->source && source_ready(t->source) == SOURCE_OK) || c->code ||
           collect_fail(c, "failed", "source-unavailable", "", "the source does not answer");
}

static bool read_columns(struct collect *c, const json_t *input, struct table *t)
{
    const json_t *list = json_object_get(input, "columns"), *item;
    size_t i, n = json_array_size(list);
    t->columns = calloc(n + 1, sizeof *t->columns);
    if (!t->columns || n == 0 || n > QUERY_SELECT_MAX)
        return collect_fail(c, "failed", "definition-invalid", "/columns", "");
    json_array_foreach(list, i, item)
    {
        struct slice column = slice_str(collect_text(item, "column"));
        struct slice name = slice_str(collect_text(item, "name"));
        t->columns[i] = (struct query_column){
            .name = name,
            .column = column.n ? column : name,
            .type = (uint8_t)query_type_by_name(slice_str(collect_text(item, "type")))};
    }
    t->table = (struct query_table){.schema = slice_str(collect_text(input, "schema")),
                                    .table = slice_str(collect_text(input, "table")),
                                    .columns = t->columns,
                                    .n_columns = n};
    return true;
}

static bool read_condition(struct collect *c, const json_t *input, struct table *t)
{
    uint8_t keep[QUERY_SELECT_MAX];
    memset(keep, PLAN_KEEP, sizeof keep);
    struct query_error err = {.where = SLICE(""), .detail = ""};
    const struct query_input in = {.raw = slice_str(collect_text(input, "where")),
                                   .range = SLICE(""),
                                   .range_unit = SLICE(""),
                                   .prefer = SLICE(""),
                                   .accept = SLICE(""),
                                   .outcome = keep,
                                   .max_rows = COLLECT_RECORDS_MAX};
    if (query_parse(&t->query, &t->arena, &t->table, &in, &err) == PROBLEM_OK)
        return true;
    return collect_fail(c, "failed", "definition-invalid", "/where", err.detail ? err.detail : "");
}

static json_t *cell(enum query_type type, struct slice text)
{
    char *copy = NULL, *end = NULL;
    json_t *v = NULL;
    if (type == QUERY_BOOLEAN)
        return json_boolean(text.n && (text.p[0] == '1' || text.p[0] == 't'));
    if (type == QUERY_INTEGER || type == QUERY_NUMBER)
        copy = strndup(text.p, text.n);
    if (copy && type == QUERY_INTEGER)
        v = json_integer(strtoll(copy, &end, 10));
    else if (copy)
        v = json_real(strtod(copy, &end));
    if (v && *end) {
        json_decref(v);
        v = NULL;
    }
    free(copy);
    if (type == QUERY_JSON)
        v = json_loadb(text.p, text.n, JSON_DECODE_ANY, NULL);
    return v ? v : json_stringn(text.p, text.n);
}

static json_t *record_of(const struct table *t, const struct source_rows *rows)
{
    json_t *record = json_object();
    for (size_t i = 0; i < t->query.n_select && i < rows->n_columns; i++) {
        const struct query_column *col = &t->columns[t->query.select[i]];
        struct slice text;
        json_t *v =
            source_cell(rows, i, &text) ? cell((enum query_type)col->type, text) : json_null();
        json_object_setn_new(record, col->name.p, col->name.n, v ? v : json_null());
    }
    return record;
}

static bool read_rows(struct collect *c, const json_t *input, struct table *t, uint64_t *n)
{
    struct source_rows rows;
    struct sql sql = {.text = &t->text,
                      .arena = &t->arena,
                      .dialect = source_dialect(t->source),
                      .quote = source_quote(t->source)[0]};
    bool more = true, ok = true;
    static const struct sql_scope all = {.owner = {NULL, 0}};
    sql_select(&sql, &t->table, &t->query, &all);
    if (sql.failed)
        return collect_fail(c, "failed", "definition-invalid", "/where", "it is too large");
    enum source_err err =
        source_query(t->source, buf_slice(sql.text), sql.params, sql.n_params, &rows);
    if (err)
        return collect_fail(c, "failed", "source-unavailable", "", source_strerror(err));
    for (*n = 0; ok; ++*n) {
        err = source_next(&rows, &more);
        if (err || !more)
            break;
        json_t *record = record_of(t, &rows);
        ok = collect_record(c, record, collect_text(input, "sender"));
        json_decref(record);
    }
    source_rows_end(&rows);
    if (ok && err)
        return collect_fail(c, "failed", "source-unavailable", "", source_strerror(err));
    return ok;
}

bool collect_table(struct collect *c, const json_t *input, uint64_t *n)
{
    struct table *t = calloc(1, sizeof *t);
    *n = 0;
    if (!t || !arena_init(&t->arena, ARENA_BYTES)) {
        free(t);
        return collect_fail(c, "failed", "out-of-memory", "", "");
    }
    buf_init(&t->text);
    bool ok = read_columns(c, input, t) && read_condition(c, input, t) &&
              open_source(c, input, t) && !c->code && read_rows(c, input, t, n);
    source_free(&t->source);
    if (t->held)
        pool_leave(&t->id);
    buf_fini(&t->text);
    arena_fini(&t->arena);
    free(t->columns);
    free(t);
    return ok;
}
