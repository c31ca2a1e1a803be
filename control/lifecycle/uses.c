/* SPDX-License-Identifier: Apache-2.0 */
/* A batch of a node is added whole, once. A row a day, API, app, grant and owner: what the store
 * grows by is who uses what, not how often. Past KEEP_DAYS the owners of a row become one. */
#include "api/api.h"
#include "lifecycle/lifecycle.h"
#include "sandbox/stage.h"

#define KEEP_DAYS  400
#define FOLD_BATCH "500"

static const char *text_of(const json_t *row, const char *name)
{
    return row_text(row, name);
}

static struct store_value number_of(const json_t *row, const char *name)
{
    return store_int(json_integer_value(json_object_get(row, name)));
}

static enum problem add(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    static const char sql[] =
        "INSERT INTO data_uses (api_id, day, app_id, grant_id, owner, calls, refused, rows, bytes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (api_id, day, app_id, grant_id, owner) DO "
        "UPDATE SET calls = calls + excluded.calls, refused = refused + excluded.refused, rows = "
        "rows + excluded.rows, bytes = bytes + excluded.bytes";
    const struct store_value v[] = {store_text(text_of(row, "api_id")),
                                    number_of(row, "day"),
                                    store_text(text_of(row, "app_id")),
                                    store_text(text_of(row, "grant_id")),
                                    store_text(text_of(row, "owner")),
                                    number_of(row, "calls"),
                                    number_of(row, "refused"),
                                    number_of(row, "rows"),
                                    number_of(row, "bytes")};

    return rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL));
}

/* How it served, of all callers together (SW-3.8b). A node of before says nothing of it. */
static enum problem add_times(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    static const char sql[] =
        "INSERT INTO api_times (api_id, day, failed, t0, t1, t2, t3, t4, t5, t6, t7, t8, t9) "
        "VALUES "
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (api_id, day) DO UPDATE SET failed = "
        "failed + excluded.failed, t0 = t0 + excluded.t0, t1 = t1 + excluded.t1, t2 = t2 + "
        "excluded.t2, t3 = t3 + excluded.t3, t4 = t4 + excluded.t4, t5 = t5 + excluded.t5, t6 = t6 "
        "+ excluded.t6, t7 = t7 + excluded.t7, t8 = t8 + excluded.t8, t9 = t9 + excluded.t9";
    const json_t *times = json_object_get(row, "times");
    struct store_value v[3 + USES_TIMES] = {store_text(text_of(row, "api_id")),
                                            number_of(row, "day"), number_of(row, "failed")};

    if (json_array_size(times) != USES_TIMES) {
        return PROBLEM_OK;
    }
    for (size_t i = 0; i < USES_TIMES; i++) {
        v[3 + i] = store_int(json_integer_value(json_array_get(times, i)));
    }
    return rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL));
}

static enum problem is_known(struct rest_call *c, struct store_txn *txn, const char *node,
                             const char *id, bool *known)
{
    const struct store_value v[] = {store_text(node), store_text(id)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn, "SELECT 1 FROM usage_batches WHERE node = ? AND batch_id = ?", v, 2, &rows);

    *known = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem uses_store(struct rest_call *c, struct store_txn *txn, const char *node,
                        const json_t *usage)
{
    static const char sql[] =
        "INSERT INTO usage_batches (node, batch_id, at) VALUES (?, ?, ?) ON CONFLICT (node) DO "
        "UPDATE SET batch_id = excluded.batch_id, at = excluded.at";
    const char *id = row_text(usage, "id");
    const struct store_value v[] = {store_text(node), store_text(id),
                                    store_int((int64_t)c->now_ms)};
    bool known = false;
    json_t *row;
    size_t i;
    enum problem p = is_known(c, txn, node, id, &known);

    if (p != PROBLEM_OK || known) {
        return p;
    }
    json_array_foreach(json_object_get(usage, "rows"), i, row)
    {
        if (p == PROBLEM_OK) {
            p = add(c, txn, row);
            p = p == PROBLEM_OK ? add_times(c, txn, row) : p;
        }
    }
    return p == PROBLEM_OK ? rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL)) : p;
}

static enum problem fold(struct rest_call *c, struct store_txn *txn, int64_t before)
{
    static const char sum[] =
        "INSERT INTO data_uses (api_id, day, app_id, grant_id, owner, calls, refused, rows, bytes) "
        "SELECT api_id, day, app_id, '', '', sum(calls), sum(refused), sum(rows), sum(bytes) FROM "
        "(SELECT * FROM data_uses WHERE day < ? AND (owner <> '' OR grant_id <> '') ORDER BY day, "
        "api_id, app_id, grant_id, owner LIMIT " FOLD_BATCH ") WHERE true GROUP BY api_id, day, "
        "app_id ON CONFLICT (api_id, day, app_id, grant_id, owner) DO UPDATE SET calls = calls + "
        "excluded.calls, refused = refused + excluded.refused, rows = rows + excluded.rows, bytes "
        "= bytes + excluded.bytes";
    static const char drop[] =
        "DELETE FROM data_uses WHERE rowid IN (SELECT rowid FROM data_uses WHERE day < ? AND "
        "(owner <> '' OR grant_id <> '') ORDER BY day, api_id, app_id, grant_id, owner "
        "LIMIT " FOLD_BATCH ")";
    const struct store_value v = store_int(before);
    enum store_err err = store_exec(txn, "DELETE FROM api_times WHERE day < ?", &v, 1, NULL);
    err = err == STORE_OK ? store_exec(txn, sum, &v, 1, NULL) : err;

    return rest_store_problem(c, err == STORE_OK ? store_exec(txn, drop, &v, 1, NULL) : err);
}

enum problem uses_fold_job(struct rest_call *c)
{
    int64_t before =
        (int64_t)(c->now_ms / STAGE_DAY_MS * STAGE_DAY_MS) - (int64_t)(KEEP_DAYS * STAGE_DAY_MS);
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    return p == PROBLEM_OK ? rest_finish(c, &txn, fold(c, txn, before)) : p;
}
