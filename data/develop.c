/* SPDX-License-Identifier: Apache-2.0 */
#include "data/develop.h"

#include <stdio.h>
#include <stdlib.h>

#include "data/harvest/harvest.h"
#include "data/query/sql_internal.h"
#include "data/query/template.h"
#include "data/service.h"
#include "data/sources/metadata.h"

#define TRIAL_BYTES (256u << 10)

struct trial {
    struct source *source;
    const json_t *body;
    struct arena arena;
    struct buf compiled, text;
    struct query_argument arguments[TEMPLATE_ARGS_MAX];
    uint16_t marks[TEMPLATE_MARKS_MAX];
    struct query_table table;
    struct query query;
    struct sql sql;
    json_t *columns;
    unsigned limit;
    char *detail;
    size_t cap;
};

static struct slice text_of(const json_t *object, const char *member)
{
    const json_t *v = json_object_get(object, member);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE("");
}

static enum problem malformed(struct trial *t, const char *why, struct slice name)
{
    snprintf(t->detail, t->cap, "%s%s%.*s", why, name.n ? ": " : "",
             (int)(name.n < 64 ? name.n : 64), name.p);
    return PROBLEM_QUERY_MALFORMED;
}

/* The value of a parameter: the one given, else its default; a required one must be there. */
static enum problem take_argument(struct trial *t, const json_t *item, size_t i)
{
    struct query_argument *a = &t->arguments[i];
    struct slice value;
    a->name = text_of(item, "name");
    a->type = (uint8_t)query_type_by_name(text_of(item, "type"));
    a->fallback = text_of(item, "default");
    value = text_of(json_object_get(t->body, "values"), a->name.p);
    if (value.n == 0)
        value = a->fallback;
    if (value.n == 0 && json_is_true(json_object_get(item, "required")))
        return malformed(t, "a value is needed for the parameter", a->name);
    if (value.n && !query_value_fits((enum query_type)a->type, value))
        return malformed(t, "the value does not fit the parameter", a->name);
    t->query.arguments[i] = value.n ? value : (struct slice){0};
    return PROBLEM_OK;
}

static enum problem compile(struct trial *t)
{
    const json_t *list = json_object_get(t->body, "parameters"), *item;
    enum problem p = PROBLEM_OK;
    const char *why;
    size_t i;
    if (json_array_size(list) > TEMPLATE_ARGS_MAX)
        return malformed(t, "too many parameters", SLICE(""));
    json_array_foreach(list, i, item)
    {
        p = p ? p : take_argument(t, item, i);
    }
    if (p)
        return p;
    why = template_compile(text_of(t->body, "query"), t->arguments, i, &t->compiled, t->marks,
                           &t->table.n_marks);
    t->table.text = buf_slice(&t->compiled);
    t->table.arguments = t->arguments;
    t->table.n_arguments = i;
    t->table.marks = t->marks;
    return why ? malformed(t, why, SLICE("")) : PROBLEM_OK;
}

static enum problem write_sql(struct trial *t)
{
    const struct dialect *d = source_dialect(t->source);
    const char *quote = source_quote(t->source);
    t->sql = (struct sql){.text = &t->text,
                          .arena = &t->arena,
                          .dialect = d,
                          .quote = quote[0] && quote[0] != ' ' ? quote[0] : '"'};
    buf_adds(&t->text, "SELECT *");
    static const struct sql_scope all = {.owner = {NULL, 0}};
    (void)sql_from_where(&t->sql, &t->table, &t->query, &all);
    if (d->paging == DIALECT_OFFSET_FETCH)
        buf_addf(&t->text, " OFFSET 0 ROWS FETCH NEXT %u ROWS ONLY", t->limit + 1);
    else
        buf_addf(&t->text, " LIMIT %u", t->limit + 1);
    buf_addc(&t->text, '\0');
    return t->sql.failed || t->text.failed ? PROBLEM_INTERNAL : PROBLEM_OK;
}

static enum problem refused(struct trial *t, SQLHSTMT h)
{
    char state[6] = "";
    SQLINTEGER native;
    SQLSMALLINT n;
    (void)SQLGetDiagRec(SQL_HANDLE_STMT, h, 1, (SQLCHAR *)state, &native, NULL, 0, &n);
    return malformed(t, "the source cannot read it, SQLSTATE", slice_str(state));
}

static enum problem describe_columns(struct trial *t, SQLHSTMT h)
{
    SQLSMALLINT n = 0;
    if (!SQL_SUCCEEDED(SQLPrepare(h, (SQLCHAR *)t->text.p, SQL_NTS)) ||
        !SQL_SUCCEEDED(SQLNumResultCols(h, &n)) || n < 1)
        return refused(t, h);
    if (n > DEVELOP_COLUMNS_MAX)
        return malformed(t, "it has too many columns", SLICE(""));
    for (SQLUSMALLINT i = 1; i <= (SQLUSMALLINT)n; i++) {
        char name[129] = "", native[129] = "";
        SQLSMALLINT type = 0, length = 0, places = 0, nullable = 0;
        SQLULEN size = 0;
        if (!SQL_SUCCEEDED(SQLDescribeCol(h, i, (SQLCHAR *)name, sizeof name, &length, &type, &size,
                                          &places, &nullable)))
            return refused(t, h);
        (void)SQLColAttribute(h, i, SQL_DESC_TYPE_NAME, native, sizeof native, &length, NULL);
        json_array_append_new(t->columns,
                              json_pack("{s:s%, s:s, s:I, s:s}", "name", name, strlen(name), "type",
                                        query_type_name(metadata_type(type, native)), "length",
                                        (json_int_t)(size < INT32_MAX ? size : 0), "native_type",
                                        native));
    }
    return PROBLEM_OK;
}

static enum problem describe(struct trial *t)
{
    SQLHSTMT h;
    void *dbc = source_handle(t->source);
    if (!dbc || !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, dbc, &h)))
        return PROBLEM_SOURCE_UNAVAILABLE;
    enum problem p = describe_columns(t, h);
    SQLFreeHandle(SQL_HANDLE_STMT, h);
    return p;
}

static json_t *take_row(const struct trial *t, const struct source_rows *rows)
{
    json_t *row = json_object(), *column;
    size_t i;
    json_array_foreach(t->columns, i, column)
    {
        const char *name = json_string_value(json_object_get(column, "name"));
        const char *type = json_string_value(json_object_get(column, "type"));
        struct slice v;
        json_t *cell = i < rows->n_columns && source_cell(rows, i, &v)
                           ? harvest_cover(json_object_get(t->body, "masks"), name, type, v)
                           : NULL;
        json_object_set_new(row, name, cell ? cell : json_null());
    }
    return row;
}

static enum problem run(struct trial *t, json_t **answer)
{
    struct source_rows rows;
    json_t *list = json_array();
    bool more = false;
    enum source_err err = source_query(t->source, slice_of(t->text.p, t->text.n - 1), t->sql.params,
                                       t->sql.n_params, &rows);
    if (!err) {
        while (!(err = source_next(&rows, &more)) && more && json_array_size(list) < t->limit)
            json_array_append_new(list, take_row(t, &rows));
        source_rows_end(&rows);
    }
    if (err) {
        json_decref(list);
        return err == SOURCE_EUNAVAILABLE || err == SOURCE_ETIMEOUT
                   ? service_source_problem(err)
                   : malformed(t, "the source cannot run it", SLICE(""));
    }
    *answer = json_pack("{s:O, s:o, s:b}", "columns", t->columns, "rows", list, "more", more);
    return PROBLEM_OK;
}

enum problem develop_try(struct source *s, const json_t *body, json_t **answer, char *detail,
                         size_t cap)
{
    json_int_t limit = json_integer_value(json_object_get(body, "limit"));
    struct trial *t = calloc(1, sizeof *t);
    if (!t)
        return PROBLEM_INTERNAL;
    t->source = s;
    t->body = body;
    t->detail = detail;
    t->cap = cap;
    t->limit = limit > 0 && limit <= DEVELOP_ROWS_MAX ? (unsigned)limit : 10;
    t->columns = json_array();
    buf_init(&t->compiled);
    buf_init(&t->text);
    enum problem p = arena_init(&t->arena, TRIAL_BYTES) ? compile(t) : PROBLEM_INTERNAL;
    p = p ? p : service_source_problem(source_ready(s));
    p = p ? p : write_sql(t);
    p = p ? p : describe(t);
    p = p ? p : run(t, answer);
    arena_fini(&t->arena);
    buf_fini(&t->compiled);
    buf_fini(&t->text);
    json_decref(t->columns);
    free(t);
    return p;
}
