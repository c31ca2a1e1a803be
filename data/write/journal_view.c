/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal tells: lists, images, deliveries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "data/write/journal_inner.h"

#define LIST_MAX 200
#define DUE_MAX  "16"

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static void put_text(json_t *out, const char *name, sqlite3_stmt *st, int i)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    if (text && *text)
        json_object_set_new(out, name, json_string(text));
}

static void put_json(json_t *out, const char *name, sqlite3_stmt *st, int i)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    if (text)
        json_object_set_new(out, name, json_loads(text, 0, NULL));
}

#define COLUMNS                                                                                    \
    "seq, id, dataset, source, api, app, grant_id, txn, batch, owner, actor, kind, state, at, "    \
    "settled_at, n_rows, undone_by, reason, undoes, shape"

static json_t *operation_of(sqlite3_stmt *st)
{
    static const char *const texts[] = {"id",     "dataset_id", "source_id",      "api_id",
                                        "app_id", "grant_id",   "transaction_id", "batch",
                                        "owner",  "actor",      "kind",           "state"};
    json_t *out = json_pack("{s:I, s:I, s:I}", "sequence", (json_int_t)sqlite3_column_int64(st, 0),
                            "at", (json_int_t)sqlite3_column_int64(st, 13), "rows",
                            (json_int_t)sqlite3_column_int64(st, 15));
    for (int i = 0; i < 12; i++)
        put_text(out, texts[i], st, i + 1);
    if (sqlite3_column_int64(st, 14))
        json_object_set_new(out, "settled_at", json_integer(sqlite3_column_int64(st, 14)));
    put_text(out, "undone_by", st, 16);
    put_text(out, "reason", st, 17);
    put_json(out, "undoes", st, 18);
    put_json(out, "shape", st, 19);
    return out;
}

static json_t *collect(sqlite3_stmt *st)
{
    json_t *items = json_array();
    int rc = st ? SQLITE_ROW : SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW)
        json_array_append_new(items, operation_of(st));
    sqlite3_finalize(st);
    if (rc == SQLITE_DONE)
        return items;
    json_decref(items);
    return NULL;
}

json_t *wjournal_list(struct journal *j, const json_t *filter)
{
    static const struct {
        const char *member, *column;
    } texts[] = {{"operation", "id"},    {"dataset", "dataset"}, {"batch", "batch"},
                 {"app", "app"},         {"state", "state"},     {"kind", "kind"},
                 {"transaction", "txn"}, {"owner", "owner"}};
    static const struct {
        const char *member, *condition;
    } numbers[] = {{"since", "at >="}, {"until", "at <="}, {"before", "seq <"}};
    struct buf sql;
    const json_t *datasets = json_object_get(filter, "datasets");
    char *among = datasets ? json_dumps(datasets, JSON_COMPACT) : NULL;
    int n = 0;
    buf_init(&sql);
    buf_adds(&sql, "SELECT " COLUMNS " FROM operations WHERE 1 = 1");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*text_of(filter, texts[i].member))
            buf_addf(&sql, " AND %s = ?", texts[i].column);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (json_object_get(filter, numbers[i].member))
            buf_addf(&sql, " AND %s ?", numbers[i].condition);
    if (among)
        buf_adds(&sql, " AND dataset IN (SELECT value FROM json_each(?))");
    buf_adds(&sql, " ORDER BY seq DESC LIMIT ?");
    buf_addc(&sql, '\0');
    pthread_mutex_lock(&j->lock);
    sqlite3_stmt *st = sql.failed ? NULL : wjournal_sql(j, sql.p, NULL, 0);
    for (size_t i = 0; st && i < sizeof texts / sizeof *texts; i++)
        if (*text_of(filter, texts[i].member))
            sqlite3_bind_text(st, ++n, text_of(filter, texts[i].member), -1, SQLITE_TRANSIENT);
    for (size_t i = 0; st && i < sizeof numbers / sizeof *numbers; i++)
        if (json_object_get(filter, numbers[i].member))
            sqlite3_bind_int64(st, ++n,
                               json_integer_value(json_object_get(filter, numbers[i].member)));
    if (st && among)
        sqlite3_bind_text(st, ++n, among, -1, SQLITE_TRANSIENT);
    json_int_t limit = json_integer_value(json_object_get(filter, "limit"));
    if (st)
        sqlite3_bind_int64(st, ++n, limit > 0 && limit < LIST_MAX ? limit : LIST_MAX);
    json_t *items = collect(st);
    pthread_mutex_unlock(&j->lock);
    free(among);
    buf_fini(&sql);
    return items;
}

json_t *wjournal_unsettled(struct journal *j, const char *dataset)
{
    const char *const texts[] = {j->boot, dataset ? dataset : ""};
    pthread_mutex_lock(&j->lock);
    json_t *items = collect(
        wjournal_sql(j,
                     "SELECT " COLUMNS
                     " FROM operations WHERE state = 'prepared' AND boot IS NOT ?1 AND (?2 = '' "
                     "OR dataset = ?2) ORDER BY seq LIMIT 50",
                     texts, 2));
    pthread_mutex_unlock(&j->lock);
    return items;
}

static json_t *row_of(struct journal *j, const char *id, int64_t n, sqlite3_stmt *st, int first)
{
    static const char *const members[] = {"key", "before", "after"};
    json_t *row = json_object();
    for (int i = 0; i < 3; i++) {
        json_t *image =
            wjournal_open_image(j, id, n, members[i], sqlite3_column_blob(st, first + i),
                                (size_t)sqlite3_column_bytes(st, first + i));
        if (!image) {
            json_decref(row);
            return NULL;
        }
        json_object_set_new(row, members[i], image);
    }
    return row;
}

/* Where the row has one. */
static bool add_consent(struct journal *j, const char *id, json_t *row, sqlite3_stmt *st, int at)
{
    if (!row || sqlite3_column_type(st, at) == SQLITE_NULL)
        return row != NULL;
    json_t *consent =
        wjournal_open_image(j, id, sqlite3_column_int64(st, 0), "consent",
                            sqlite3_column_blob(st, at), (size_t)sqlite3_column_bytes(st, at));
    if (consent)
        return json_object_set_new(row, "consent", consent) == 0;
    json_decref(row);
    return false;
}

json_t *wjournal_rows(struct journal *j, const char *id)
{
    const char *const texts[] = {id};
    json_t *rows = json_array();
    bool ok = true;
    pthread_mutex_lock(&j->lock);
    sqlite3_stmt *st = wjournal_sql(j,
                                    "SELECT n, row_key, before, after, consent FROM images JOIN "
                                    "operations USING (seq) LEFT JOIN consents USING (seq, n) "
                                    "WHERE id = ? ORDER BY n",
                                    texts, 1);
    int rc = SQLITE_ERROR;
    while (st && ok && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        json_t *row = row_of(j, id, sqlite3_column_int64(st, 0), st, 1);
        ok = add_consent(j, id, row, st, 4) && json_array_append_new(rows, row) == 0;
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&j->lock);
    if (ok && rc == SQLITE_DONE)
        return rows;
    json_decref(rows);
    return NULL;
}

json_t *wjournal_later(struct journal *j, const char *id, const char *dataset, const json_t *key)
{
    uint8_t row[CRYPTO_HASH_LEN];
    const char *const texts[] = {id};
    json_t *ids = json_array();
    pthread_mutex_lock(&j->lock);
    wjournal_row_id(j, dataset, key, row);
    sqlite3_stmt *st = wjournal_sql(
        j,
        "SELECT DISTINCT o.id FROM images i JOIN operations o USING (seq) WHERE i.row = ?2 AND "
        "o.seq "
        "> (SELECT seq FROM operations WHERE id = ?1) AND o.state IN ('done', 'prepared') ORDER BY "
        "o.seq DESC LIMIT 5",
        texts, 1);
    if (st)
        sqlite3_bind_blob(st, 2, row, sizeof row, SQLITE_STATIC);
    while (st && sqlite3_step(st) == SQLITE_ROW)
        json_array_append_new(ids, json_string((const char *)sqlite3_column_text(st, 0)));
    sqlite3_finalize(st);
    pthread_mutex_unlock(&j->lock);
    return ids;
}

static json_t *due_of(struct journal *j, sqlite3_stmt *st)
{
    const char *op = (const char *)sqlite3_column_text(st, 2);
    json_t *row = row_of(j, op, sqlite3_column_int64(st, 4), st, 9);
    char subject[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];
    size_t n = (size_t)sqlite3_column_bytes(st, 12);
    if (!row || n != CRYPTO_HASH_LEN)
        return row;
    subject[codec_hex(subject, sqlite3_column_blob(st, 12), n)] = '\0';
    json_object_update_new(row,
                           json_pack("{s:I, s:I, s:s, s:s, s:s, s:I, s:s, s:I, s:s}", "id",
                                     (json_int_t)sqlite3_column_int64(st, 0), "sequence",
                                     (json_int_t)sqlite3_column_int64(st, 1), "operation_id", op,
                                     "dataset_id", (const char *)sqlite3_column_text(st, 3), "kind",
                                     (const char *)sqlite3_column_text(st, 5), "at",
                                     (json_int_t)sqlite3_column_int64(st, 6), "app_id",
                                     (const char *)sqlite3_column_text(st, 7), "attempts",
                                     (json_int_t)sqlite3_column_int64(st, 8), "subject", subject));
    return row;
}

json_t *wjournal_due(struct journal *j, uint64_t now_ms)
{
    json_t *items = json_array();
    pthread_mutex_lock(&j->lock);
    sqlite3_stmt *st = wjournal_sql(
        j,
        "SELECT d.id, d.seq, o.id, d.dataset, d.n, o.kind, o.at, o.app, d.attempts, i.row_key, "
        "i.before, i.after, d.row FROM deliveries d JOIN operations o ON o.seq = d.seq JOIN images "
        "i "
        "ON i.seq = d.seq AND i.n = d.n WHERE d.state = 'due' AND d.due_at <= ? AND NOT EXISTS "
        "(SELECT 1 FROM deliveries e WHERE e.row = d.row AND e.state = 'due' AND e.id < d.id) "
        "ORDER "
        "BY d.id LIMIT " DUE_MAX,
        NULL, 0);
    if (st)
        sqlite3_bind_int64(st, 1, (int64_t)now_ms);
    while (st && sqlite3_step(st) == SQLITE_ROW) {
        json_t *row = due_of(j, st);
        if (row)
            json_array_append_new(items, row);
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&j->lock);
    return items;
}

static enum journal_err note(struct journal *j, const json_t *outcome, uint64_t now_ms)
{
    sqlite3_stmt *st = wjournal_sql(j,
                                    "UPDATE deliveries SET attempts = attempts + 1, reason = "
                                    "nullif(?2, ''), due_at = ?3 + (1000 "
                                    "<< attempts), state = CASE WHEN ?4 THEN 'delivered' WHEN "
                                    "attempts + 1 >= ?5 THEN 'given-up' "
                                    "ELSE 'due' END WHERE id = ?1 AND state = 'due'",
                                    NULL, 0);
    if (st) {
        sqlite3_bind_int64(st, 1, json_integer_value(json_object_get(outcome, "id")));
        sqlite3_bind_text(st, 2, text_of(outcome, "reason"), -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(st, 3, (int64_t)now_ms);
        sqlite3_bind_int(st, 4, json_is_true(json_object_get(outcome, "ok")));
        sqlite3_bind_int(st, 5, JOURNAL_TRIES);
    }
    return wjournal_run(st);
}

enum journal_err wjournal_delivered(struct journal *j, const json_t *outcome, uint64_t now_ms)
{
    const json_t *one;
    size_t i;
    pthread_mutex_lock(&j->lock);
    enum journal_err err = wjournal_begin(j);
    json_array_foreach(outcome, i, one)
    {
        if (!err)
            err = note(j, one, now_ms);
    }
    err = wjournal_end(j, err);
    pthread_mutex_unlock(&j->lock);
    return err;
}

json_t *wjournal_deliveries(struct journal *j, const json_t *filter)
{
    const char *const texts[] = {text_of(filter, "dataset"), text_of(filter, "state")};
    json_t *items = json_array();
    pthread_mutex_lock(&j->lock);
    sqlite3_stmt *st = wjournal_sql(
        j,
        "SELECT d.id, o.id, d.state, d.attempts, d.due_at, d.reason FROM deliveries d JOIN "
        "operations "
        "o ON o.seq = d.seq WHERE d.dataset = ?1 AND (?2 = '' OR d.state = ?2) ORDER BY d.id DESC "
        "LIMIT 200",
        texts, 2);
    while (st && sqlite3_step(st) == SQLITE_ROW) {
        json_t *one =
            json_pack("{s:I, s:s, s:s, s:I, s:I}", "id", (json_int_t)sqlite3_column_int64(st, 0),
                      "operation_id", (const char *)sqlite3_column_text(st, 1), "state",
                      (const char *)sqlite3_column_text(st, 2), "attempts",
                      (json_int_t)sqlite3_column_int64(st, 3), "due_at",
                      (json_int_t)sqlite3_column_int64(st, 4));
        put_text(one, "reason", st, 5);
        json_array_append_new(items, one);
    }
    sqlite3_finalize(st);
    pthread_mutex_unlock(&j->lock);
    return items;
}

enum journal_err wjournal_redeliver(struct journal *j, const char *dataset, int64_t id)
{
    const char *const texts[] = {dataset};
    pthread_mutex_lock(&j->lock);
    sqlite3_stmt *st = wjournal_sql(j,
                                    "UPDATE deliveries SET state = 'due', attempts = 0, due_at = 0 "
                                    "WHERE dataset = ? AND id = ? AND state = 'given-up'",
                                    texts, 1);
    if (st)
        sqlite3_bind_int64(st, 2, id);
    enum journal_err err = wjournal_run(st);
    if (!err && sqlite3_changes(j->db) != 1)
        err = JOURNAL_EABSENT;
    pthread_mutex_unlock(&j->lock);
    return err;
}
