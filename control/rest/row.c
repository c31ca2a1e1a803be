/* SPDX-License-Identifier: Apache-2.0 */
/* Rows between the store and JSON. Every name in SQL text comes from a resource's table; every
 * value is bound. */
#include <stdlib.h>

#include "base/clock.h"
#include "rest/resource.h"

#define COLUMNS_MAX 96
#define FIXED       5 /* id, state, revision, created_at, updated_at */

static bool stored(const struct attr *a)
{
    return !(a->flags & AF_WRITE_ONLY);
}

void row_columns(const struct resource *res, struct buf *sql)
{
    buf_adds(sql, "id, state, revision, created_at, updated_at");
    for (size_t i = 0; i < res->n_attrs; i++) {
        if (stored(&res->attrs[i])) {
            buf_addf(sql, ", \"%s\"", res->attrs[i].name);
        }
    }
}

static json_t *time_json(int64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    clock_format_ms((uint64_t)ms, text);
    return json_string(text);
}

static json_t *column_json(const struct attr *a, struct store_rows *rows, int column)
{
    if (store_is_null(rows, column)) {
        return json_null();
    }
    switch (a->type) {
    case ATTR_INT:
        return json_integer(store_get_int(rows, column));
    case ATTR_BOOL:
        return json_boolean(store_get_int(rows, column));
    case ATTR_TIME:
        return time_json(store_get_int(rows, column));
    case ATTR_JSON:
        return json_loads(store_get_text(rows, column), JSON_DECODE_ANY, NULL);
    case ATTR_TEXT:
    case ATTR_REF:
        break;
    }
    return json_string(store_get_text(rows, column));
}

json_t *row_read(const struct resource *res, struct store_rows *rows)
{
    json_t *row = json_object();
    int column = FIXED;

    json_object_set_new(row, "id", json_string(store_get_text(rows, 0)));
    json_object_set_new(row, "state", json_string(store_get_text(rows, 1)));
    json_object_set_new(row, "revision", json_integer(store_get_int(rows, 2)));
    json_object_set_new(row, "created_at", time_json(store_get_int(rows, 3)));
    json_object_set_new(row, "updated_at", time_json(store_get_int(rows, 4)));
    for (size_t i = 0; i < res->n_attrs; i++) {
        if (stored(&res->attrs[i])) {
            json_object_set_new(row, res->attrs[i].name,
                                column_json(&res->attrs[i], rows, column++));
        }
    }
    return row;
}

json_t *row_public(const struct resource *res, const json_t *row)
{
    json_t *shown = json_copy((json_t *)row);

    for (size_t i = 0; i < res->n_attrs; i++) {
        if (res->attrs[i].flags & AF_HIDDEN) {
            json_object_del(shown, res->attrs[i].name);
        }
    }
    return shown;
}

json_t *row_shown(const struct rest_call *c, const struct resource *res, const json_t *row)
{
    json_t *shown = row_public(res, row);

    if (res->show) {
        res->show(c, shown);
    }
    return shown;
}

enum problem row_load(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                      const char *id, bool scoped, json_t **row)
{
    struct store_value v[1 + SCOPE_VALUES_MAX] = {store_text(id)};
    struct store_rows *rows = NULL;
    struct buf sql;
    size_t n = 1;

    *row = NULL;
    buf_init(&sql);
    buf_adds(&sql, "SELECT ");
    row_columns(res, &sql);
    buf_addf(&sql, " FROM %s AS t WHERE t.id = ?", res->plural);
    if (scoped) {
        scope_sql(c, res, false, &sql, v, &n);
    }
    buf_addc(&sql, '\0');
    enum store_err err = sql.failed ? STORE_EIO : store_query(txn, sql.p, v, n, &rows);
    if (err == STORE_OK && store_next(rows)) {
        *row = row_read(res, rows);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    buf_fini(&sql);
    return rest_store_problem(c, err);
}

bool row_writable(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                  const char *id)
{
    struct store_value v[1 + SCOPE_VALUES_MAX] = {store_text(id)};
    struct store_rows *rows = NULL;
    struct buf sql;
    size_t n = 1;

    buf_init(&sql);
    buf_addf(&sql, "SELECT 1 FROM %s AS t WHERE t.id = ?", res->plural);
    scope_sql(c, res, true, &sql, v, &n);
    buf_addc(&sql, '\0');
    bool found =
        !sql.failed && store_query(txn, sql.p, v, n, &rows) == STORE_OK && store_next(rows);
    found = store_rows_end(&rows) == STORE_OK && found;
    buf_fini(&sql);
    return found;
}

static struct store_value time_value(const json_t *v)
{
    uint64_t ms = 0;

    if (!clock_parse_ms(json_string_value(v), json_string_length(v), &ms)) {
        return (struct store_value){.type = STORE_NULL};
    }
    return store_int((int64_t)ms);
}

/* *dump: text to free when the value borrows from it. */
static struct store_value value_of(const struct attr *a, const json_t *v, char **dump)
{
    if (!v || json_is_null(v)) {
        return (struct store_value){.type = STORE_NULL};
    }
    switch (a->type) {
    case ATTR_INT:
        return store_int(json_integer_value(v));
    case ATTR_BOOL:
        return store_int(json_is_true(v));
    case ATTR_TIME:
        return time_value(v);
    case ATTR_JSON:
        *dump = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        return store_text(*dump);
    case ATTR_TEXT:
    case ATTR_REF:
        break;
    }
    return (struct store_value){.type = STORE_TEXT,
                                .s = {json_string_value(v), json_string_length(v)}};
}

struct binding {
    struct store_value v[COLUMNS_MAX];
    char *dumps[COLUMNS_MAX];
    size_t n, n_dumps;
};

static void bind_attrs(const struct resource *res, const json_t *row, struct binding *b)
{
    for (size_t i = 0; i < res->n_attrs && b->n < COLUMNS_MAX; i++) {
        const struct attr *a = &res->attrs[i];
        if (!stored(a)) {
            continue;
        }
        char *dump = NULL;
        b->v[b->n++] = value_of(a, json_object_get(row, a->name), &dump);
        if (dump) {
            b->dumps[b->n_dumps++] = dump;
        }
    }
}

static enum store_err bind_run(struct store_txn *txn, struct buf *sql, struct binding *b)
{
    int64_t changed = 0;

    buf_addc(sql, '\0');
    enum store_err err = sql->failed ? STORE_EIO : store_exec(txn, sql->p, b->v, b->n, &changed);
    for (size_t i = 0; i < b->n_dumps; i++) {
        free(b->dumps[i]);
    }
    buf_fini(sql);
    return err == STORE_OK && changed != 1 ? STORE_EIO : err;
}

enum problem row_insert(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                        const json_t *row)
{
    struct binding b = {.n = FIXED};
    struct buf sql;

    b.v[0] = store_text(row_text(row, "id"));
    b.v[1] = store_text(row_text(row, "state"));
    b.v[2] = store_int(json_integer_value(json_object_get(row, "revision")));
    b.v[3] = time_value(json_object_get(row, "created_at"));
    b.v[4] = time_value(json_object_get(row, "updated_at"));
    bind_attrs(res, row, &b);
    buf_init(&sql);
    buf_addf(&sql, "INSERT INTO %s (", res->plural);
    row_columns(res, &sql);
    buf_adds(&sql, ") VALUES (?");
    for (size_t i = 1; i < b.n; i++) {
        buf_adds(&sql, ", ?");
    }
    buf_addc(&sql, ')');
    return rest_store_problem(c, bind_run(txn, &sql, &b));
}

enum problem row_update(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                        const json_t *row)
{
    struct binding b = {.n = 3};
    struct buf sql;

    b.v[0] = store_text(row_text(row, "state"));
    b.v[1] = store_int(json_integer_value(json_object_get(row, "revision")));
    b.v[2] = time_value(json_object_get(row, "updated_at"));
    bind_attrs(res, row, &b);
    b.v[b.n++] = store_text(row_text(row, "id"));
    buf_init(&sql);
    buf_addf(&sql, "UPDATE %s SET state = ?, revision = ?, updated_at = ?", res->plural);
    for (size_t i = 0; i < res->n_attrs; i++) {
        if (stored(&res->attrs[i])) {
            buf_addf(&sql, ", \"%s\" = ?", res->attrs[i].name);
        }
    }
    buf_adds(&sql, " WHERE id = ?");
    return rest_store_problem(c, bind_run(txn, &sql, &b));
}

/* Reads all rows before the first visit, since a visit may write the table. */
static enum store_err rows_where(struct store_txn *txn, const struct resource *res,
                                 const char *column, const char *value, json_t *list)
{
    const struct store_value v = store_text(value);
    struct store_rows *rows = NULL;
    struct buf sql;

    buf_init(&sql);
    buf_adds(&sql, "SELECT ");
    row_columns(res, &sql);
    buf_addf(&sql, " FROM %s WHERE \"%s\" = ? ORDER BY created_at, id", res->plural, column);
    buf_addc(&sql, '\0');
    enum store_err err = sql.failed ? STORE_EIO : store_query(txn, sql.p, &v, 1, &rows);
    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(list, row_read(res, rows));
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    buf_fini(&sql);
    return err;
}

enum problem row_each(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                      const char *column, const char *value,
                      enum problem (*visit)(struct rest_call *c, struct change *ch), void *arg)
{
    json_t *list = json_array(), *row;
    size_t i;
    enum problem p = rest_store_problem(c, rows_where(txn, res, column, value, list));

    json_array_foreach(list, i, row)
    {
        if (p != PROBLEM_OK) {
            break;
        }
        struct change ch = {.res = res, .txn = txn, .row = row, .arg = arg};
        p = visit(c, &ch);
    }
    json_decref(list);
    return p;
}
