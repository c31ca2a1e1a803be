/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a query as JSON, and rows made by the platform. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "services/services.h"

#define COLUMNS_MAX 400

static json_t *value_of(struct store_rows *rows, int i, char type)
{
    if (store_is_null(rows, i)) {
        return json_null();
    }
    switch (type) {
    case 'i':
        return json_integer((json_int_t)store_get_int(rows, i));
    case 'b':
        return json_boolean(store_get_int(rows, i));
    case 'm':
        return stage_time((uint64_t)store_get_int(rows, i));
    case 'j':
        return json_loads(store_get_text(rows, i), JSON_DECODE_ANY, NULL);
    default:
        return json_string(store_get_text(rows, i));
    }
}

static json_t *object_of(struct store_rows *rows, const char *columns)
{
    char list[COLUMNS_MAX], *save = NULL;
    json_t *row = json_object();
    int i = 0;

    snprintf(list, sizeof list, "%s", columns);
    for (char *word = strtok_r(list, " ", &save); word; word = strtok_r(NULL, " ", &save), i++) {
        char *type = strchr(word, ':');
        *type++ = '\0';
        json_object_set_new(row, word, value_of(rows, i, *type));
    }
    return row;
}

enum problem services_rows(struct rest_call *c, struct store_txn *txn, const char *sql,
                           const struct store_value *v, size_t n, const char *columns, json_t **out)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, n, &rows);

    *out = json_array();
    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(*out, object_of(rows, columns));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem services_count(struct rest_call *c, struct store_txn *txn, const char *sql,
                            const char *id, int64_t *n)
{
    const struct store_value v = store_text(id);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    *n = err == STORE_OK && store_next(rows) ? store_get_int(rows, 0) : 0;
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem service_load(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                          bool write, json_t **row)
{
    struct uuid id;

    *row = NULL;
    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, res, c->segment[1], true, row);
    if (p == PROBLEM_OK && !*row) {
        return PROBLEM_NOT_FOUND;
    }
    return p == PROBLEM_OK && write && !row_writable(c, txn, res, c->segment[1])
               ? PROBLEM_NOT_PERMITTED
               : p;
}

enum problem service_check_ids(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *item;
    size_t i;
    struct uuid id;
    bool ok = json_is_array(v) && json_array_size(v) > 0 && json_array_size(v) <= 100;

    json_array_foreach(v, i, item)
    {
        const char *text = json_string_value(item);
        ok = ok && text && uuid_parse(&id, text, strlen(text));
    }
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where, "1 to 100 ids, or null, are needed");
}
