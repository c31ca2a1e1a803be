/* SPDX-License-Identifier: Apache-2.0 */
#include "data/write/journal_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT(s) (s), -1, SQLITE_TRANSIENT

static const char schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
    "CREATE TABLE IF NOT EXISTS operations (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT "
    "NULL "
    "UNIQUE, boot TEXT, dataset TEXT NOT NULL, source TEXT NOT NULL, api TEXT NOT NULL, app TEXT "
    "NOT "
    "NULL, grant_id TEXT NOT NULL, txn TEXT NOT NULL, batch TEXT NOT NULL, owner TEXT NOT NULL, "
    "actor "
    "TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL, settled_at "
    "INTEGER, "
    "n_rows INTEGER NOT NULL, deliver INTEGER NOT NULL, shape TEXT NOT NULL, idempotency TEXT, "
    "fingerprint BLOB NOT NULL, status INTEGER NOT NULL, answer BLOB, undoes TEXT, undone_by TEXT, "
    "reason TEXT) STRICT;"
    "CREATE UNIQUE INDEX IF NOT EXISTS operations_key ON operations (app, idempotency) WHERE "
    "idempotency IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS operations_dataset ON operations (dataset, seq);"
    "CREATE INDEX IF NOT EXISTS operations_batch ON operations (batch, dataset);"
    "CREATE INDEX IF NOT EXISTS operations_open ON operations (seq) WHERE state = 'prepared';"
    "CREATE TABLE IF NOT EXISTS images (seq INTEGER NOT NULL REFERENCES operations (seq), n "
    "INTEGER "
    "NOT NULL, row BLOB NOT NULL, row_key BLOB NOT NULL, before BLOB, after BLOB, PRIMARY KEY "
    "(seq, "
    "n)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS images_row ON images (row, seq);"
    "CREATE TABLE IF NOT EXISTS consents (seq INTEGER NOT NULL REFERENCES operations (seq), n "
    "INTEGER NOT NULL, consent BLOB NOT NULL, PRIMARY KEY (seq, n)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS deliveries (id INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT "
    "NULL, n INTEGER NOT NULL, dataset TEXT NOT NULL, row BLOB NOT NULL, state TEXT NOT NULL, "
    "attempts "
    "INTEGER NOT NULL, due_at INTEGER NOT NULL, reason TEXT) STRICT;"
    "CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due_at);"
    "CREATE INDEX IF NOT EXISTS deliveries_row ON deliveries (row, state, id);"
    "CREATE INDEX IF NOT EXISTS deliveries_seq ON deliveries (seq);"
    "CREATE INDEX IF NOT EXISTS operations_at ON operations (at);"
    "CREATE TABLE IF NOT EXISTS pruned (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT "
    "NULL) STRICT;"
    "CREATE TEMP TABLE IF NOT EXISTS gone (seq INTEGER PRIMARY KEY);";

enum journal_err wjournal_judge(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return JOURNAL_OK;
    case SQLITE_FULL:
        return JOURNAL_EFULL;
    case SQLITE_CONSTRAINT:
        return JOURNAL_EKEY;
    case SQLITE_IOERR: /* a write that a limit or a quota cuts short */
        return rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_TRUNCATE ||
                       rc == SQLITE_IOERR_SHMSIZE || rc == SQLITE_IOERR_FSYNC
                   ? JOURNAL_EFULL
                   : JOURNAL_EIO;
    default:
        return JOURNAL_EIO;
    }
}

struct journal *wjournal_open(const char *dir, const uint8_t link_key[static CRYPTO_KEY_LEN])
{
    char path[600];
    uint8_t key[CRYPTO_KEY_LEN];
    struct journal *j = calloc(1, sizeof *j);
    if (!j || (mkdir(dir, 0700) != 0 && errno != EEXIST)) {
        free(j);
        return NULL;
    }
    pthread_mutex_init(&j->lock, NULL);
    uuid_new_text(j->boot);
    crypto_derive(link_key, "journal.image", j->image_key);
    crypto_derive(link_key, "journal.row", key);
    j->row_key = crypto_hmac_new(CRYPTO_SM3, key, sizeof key);
    crypto_wipe(key, sizeof key);
    snprintf(path, sizeof path, "%s/journal.db", dir);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &j->db, flags, NULL) != SQLITE_OK || chmod(path, 0600) != 0 ||
        sqlite3_extended_result_codes(j->db, 1) != SQLITE_OK ||
        sqlite3_busy_timeout(j->db, 2000) != SQLITE_OK ||
        sqlite3_exec(j->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        wjournal_close(&j);
    return j;
}

void wjournal_close(struct journal **j)
{
    if (!*j)
        return;
    sqlite3_close((*j)->db);
    crypto_hmac_free(&(*j)->row_key);
    crypto_wipe((*j)->image_key, sizeof(*j)->image_key);
    pthread_mutex_destroy(&(*j)->lock);
    free(*j);
    *j = NULL;
}

sqlite3_stmt *wjournal_sql(struct journal *j, const char *sql, const char *const *texts, size_t n)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(j->db, sql, -1, &st, NULL) != SQLITE_OK)
        return NULL;
    for (size_t i = 0; i < n; i++)
        sqlite3_bind_text(st, (int)i + 1, TEXT(texts[i]));
    return st;
}

enum journal_err wjournal_run(sqlite3_stmt *st)
{
    if (!st)
        return JOURNAL_EIO;
    int rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return wjournal_judge(rc);
}

enum journal_err wjournal_begin(struct journal *j)
{
    return wjournal_judge(sqlite3_exec(j->db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
}

enum journal_err wjournal_end(struct journal *j, enum journal_err err)
{
    if (!err)
        err = wjournal_judge(sqlite3_exec(j->db, "COMMIT", NULL, NULL, NULL));
    if (err && !sqlite3_get_autocommit(j->db))
        sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

void wjournal_row_id(struct journal *j, const char *dataset, const json_t *key,
                     uint8_t out[static CRYPTO_HASH_LEN])
{
    char *text = json_dumps(key, JSON_COMPACT | JSON_SORT_KEYS);
    crypto_hmac_begin(j->row_key);
    crypto_hmac_add(j->row_key, dataset, strlen(dataset) + 1);
    crypto_hmac_add(j->row_key, text ? text : "", text ? strlen(text) : 0);
    crypto_hmac_end(j->row_key, out);
    free(text);
}

static size_t aad_of(char out[static 80], const char *op, int64_t n, const char *which)
{
    return (size_t)snprintf(out, 80, "%s:%lld:%s", op, (long long)n, which);
}

bool wjournal_seal(struct journal *j, const char *op, int64_t n, const char *which,
                   const json_t *image, struct buf *out)
{
    char aad[80];
    size_t aad_n = aad_of(aad, op, n, which);
    char *text = json_dumps(image, JSON_COMPACT | JSON_ENCODE_ANY);
    size_t len = text ? strlen(text) : 0;
    buf_clear(out);
    if (text && buf_reserve(out, len + CRYPTO_SEAL_EXTRA)) {
        crypto_seal(j->image_key, slice_of(aad, aad_n), text, len, (uint8_t *)out->p);
        out->n = len + CRYPTO_SEAL_EXTRA;
    }
    if (text)
        crypto_wipe(text, len);
    free(text);
    return text && !out->failed;
}

json_t *wjournal_open_image(struct journal *j, const char *op, int64_t n, const char *which,
                            const void *sealed, size_t len)
{
    char aad[80];
    struct buf plain;
    json_t *image = NULL;
    if (!sealed)
        return json_null();
    size_t aad_n = aad_of(aad, op, n, which);
    buf_init(&plain);
    if (len > CRYPTO_SEAL_EXTRA && buf_reserve(&plain, len) &&
        crypto_open(j->image_key, slice_of(aad, aad_n), sealed, len, (uint8_t *)plain.p) ==
            CRYPTO_OK)
        image = json_loadb(plain.p, len - CRYPTO_SEAL_EXTRA, JSON_DECODE_ANY, NULL);
    buf_wipe(&plain);
    return image;
}

static enum journal_err add_operation(struct journal *j, const struct journal_op *op, int64_t *seq)
{
    char *shape = json_dumps(op->shape, JSON_COMPACT);
    char *undoes = op->undoes ? json_dumps(op->undoes, JSON_COMPACT) : NULL;
    struct buf answer;
    buf_init(&answer);
    json_t *text = json_stringn(op->answer.p ? op->answer.p : "", op->answer.n);
    bool ok = shape && text && wjournal_seal(j, op->id, -1, "answer", text, &answer);
    const char *const texts[] = {op->id,    j->boot,   op->dataset,       op->source, op->api,
                                 op->app,   op->grant, op->txn,           op->batch,  op->owner,
                                 op->actor, op->kind,  shape ? shape : ""};
    sqlite3_stmt *st =
        ok ? wjournal_sql(
                 j,
                 "INSERT INTO operations (id, boot, dataset, source, api, app, grant_id, "
                 "txn, batch, owner, actor, kind, shape, state, at, n_rows, deliver, "
                 "idempotency, fingerprint, status, answer, undoes) VALUES (?, ?, ?, ?, ?, "
                 "?, ?, ?, ?, ?, ?, ?, ?, 'prepared', ?, ?, ?, ?, ?, ?, ?, ?)",
                 texts, sizeof texts / sizeof *texts)
           : NULL;
    enum journal_err err = JOURNAL_EIO;
    if (st) {
        sqlite3_bind_int64(st, 14, (int64_t)op->at_ms);
        sqlite3_bind_int64(st, 15, (int64_t)json_array_size(op->rows));
        sqlite3_bind_int(st, 16, op->deliver);
        if (op->key[0])
            sqlite3_bind_text(st, 17, TEXT(op->key));
        sqlite3_bind_blob(st, 18, op->fingerprint, sizeof op->fingerprint, SQLITE_STATIC);
        sqlite3_bind_int64(st, 19, op->status);
        if (op->key[0])
            sqlite3_bind_blob(st, 20, answer.p, (int)answer.n, SQLITE_STATIC);
        if (undoes)
            sqlite3_bind_text(st, 21, TEXT(undoes));
        err = wjournal_run(st);
        *seq = sqlite3_last_insert_rowid(j->db);
    }
    json_decref(text);
    buf_wipe(&answer);
    free(shape);
    free(undoes);
    return err;
}

static enum journal_err add_image(struct journal *j, const struct journal_op *op, int64_t seq,
                                  int64_t n, const json_t *row)
{
    static const char *const members[] = {"key", "before", "after"};
    uint8_t id[CRYPTO_HASH_LEN];
    struct buf sealed;
    buf_init(&sealed);
    sqlite3_stmt *st =
        wjournal_sql(j,
                     "INSERT INTO images (seq, n, row, row_key, before, after) VALUES "
                     "(?, ?, ?, ?, ?, ?)",
                     NULL, 0);
    bool ok = st != NULL;
    wjournal_row_id(j, op->dataset, json_object_get(row, "key"), id);
    if (ok) {
        sqlite3_bind_int64(st, 1, seq);
        sqlite3_bind_int64(st, 2, n);
        sqlite3_bind_blob(st, 3, id, sizeof id, SQLITE_STATIC);
    }
    for (int i = 0; ok && i < 3; i++) {
        const json_t *image = json_object_get(row, members[i]);
        if (!image || json_is_null(image))
            continue;
        ok = wjournal_seal(j, op->id, n, members[i], image, &sealed);
        sqlite3_bind_blob(st, i + 4, sealed.p, (int)sealed.n, SQLITE_TRANSIENT);
    }
    buf_fini(&sealed);
    if (!ok) {
        sqlite3_finalize(st);
        return JOURNAL_EIO;
    }
    return wjournal_run(st);
}

/* What a record that a user entered says of that user's consent. */
static enum journal_err add_consent(struct journal *j, const struct journal_op *op, int64_t seq,
                                    int64_t n, const json_t *consent)
{
    struct buf sealed;
    buf_init(&sealed);
    sqlite3_stmt *st = NULL;
    if (wjournal_seal(j, op->id, n, "consent", consent, &sealed))
        st = wjournal_sql(j, "INSERT INTO consents (seq, n, consent) VALUES (?, ?, ?)", NULL, 0);
    if (st) {
        sqlite3_bind_int64(st, 1, seq);
        sqlite3_bind_int64(st, 2, n);
        sqlite3_bind_blob(st, 3, sealed.p, (int)sealed.n, SQLITE_TRANSIENT);
    }
    buf_fini(&sealed);
    return wjournal_run(st);
}

/* Keys past their time make room for the same word again. */
static enum journal_err forget_keys(struct journal *j, uint64_t now_ms)
{
    sqlite3_stmt *st = wjournal_sql(j,
                                    "UPDATE operations SET idempotency = NULL, answer = NULL WHERE "
                                    "idempotency IS NOT NULL AND at < ? AND state <> 'prepared'",
                                    NULL, 0);
    if (st)
        sqlite3_bind_int64(st, 1, (int64_t)(now_ms - JOURNAL_KEY_KEPT_MS));
    return wjournal_run(st);
}

enum journal_err wjournal_prepare(struct journal *j, const struct journal_op *op)
{
    int64_t seq = 0;
    size_t i;
    const json_t *row;
    pthread_mutex_lock(&j->lock);
    enum journal_err err = wjournal_begin(j);
    if (!err && op->key[0])
        err = forget_keys(j, op->at_ms);
    if (!err)
        err = add_operation(j, op, &seq);
    json_array_foreach(op->rows, i, row)
    {
        if (!err)
            err = add_image(j, op, seq, (int64_t)i, row);
        const json_t *consent = json_object_get(row, "consent");
        if (!err && consent)
            err = add_consent(j, op, seq, (int64_t)i, consent);
    }
    err = wjournal_end(j, err);
    pthread_mutex_unlock(&j->lock);
    return err;
}

static enum journal_err settle(struct journal *j, const char *id, bool done, const char *reason,
                               int64_t at, bool *changed)
{
    const char *const texts[] = {done ? "done" : "failed", reason ? reason : "", id};
    sqlite3_stmt *st = wjournal_sql(
        j,
        "UPDATE operations SET state = ?, reason = nullif(?, ''), settled_at = ?4, boot = NULL, "
        "idempotency = CASE WHEN ?1 = 'done' THEN idempotency END WHERE id = ?3 AND state = "
        "'prepared'",
        texts, 3);
    if (st)
        sqlite3_bind_int64(st, 4, at);
    enum journal_err err = wjournal_run(st);
    *changed = !err && sqlite3_changes(j->db) == 1;
    return err;
}

/* Oldest first, as they happened. */
static enum journal_err queue(struct journal *j, const char *id, int64_t at)
{
    const char *const texts[] = {id};
    sqlite3_stmt *st = wjournal_sql(
        j,
        "INSERT INTO deliveries (seq, n, dataset, row, state, attempts, due_at) SELECT o.seq, i.n, "
        "o.dataset, i.row, 'due', 0, ?2 FROM operations o JOIN images i USING (seq) WHERE o.id = "
        "?1 "
        "AND o.deliver = 1 ORDER BY i.n",
        texts, 1);
    if (st)
        sqlite3_bind_int64(st, 2, at);
    return wjournal_run(st);
}

#define UNDOES                                                                                     \
    "(SELECT value FROM json_each((SELECT coalesce(undoes, '[]') FROM operations WHERE id = ?1)))"

/* What an undone rollback took back is in force again. */
static enum journal_err mark_undone(struct journal *j, const char *id)
{
    const char *const texts[] = {id};
    enum journal_err err = wjournal_run(wjournal_sql(
        j,
        "UPDATE operations SET state = 'done', undone_by = NULL WHERE state = 'rolled-back' AND "
        "undone_by IN " UNDOES " AND id NOT IN " UNDOES,
        texts, 1));
    if (err)
        return err;
    return wjournal_run(wjournal_sql(j,
                                     "UPDATE operations SET state = 'rolled-back', undone_by = ?1 "
                                     "WHERE state = 'done' AND id IN " UNDOES,
                                     texts, 1));
}

enum journal_err wjournal_finish(struct journal *j, const char *id, bool done, const char *reason)
{
    struct timespec ts;
    bool changed = false;
    clock_gettime(CLOCK_REALTIME, &ts);
    int64_t now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    pthread_mutex_lock(&j->lock);
    enum journal_err err = wjournal_begin(j);
    if (!err)
        err = settle(j, id, done, reason, now, &changed);
    if (!err && changed && done)
        err = queue(j, id, now);
    if (!err && changed && done)
        err = mark_undone(j, id);
    err = wjournal_end(j, err);
    pthread_mutex_unlock(&j->lock);
    return err;
}

void wjournal_doubt(struct journal *j, const char *id)
{
    const char *const texts[] = {id};
    pthread_mutex_lock(&j->lock);
    /* When even this cannot be written the boot id alone says it: that of another process. */
    (void)wjournal_run(wjournal_sql(j, "UPDATE operations SET boot = NULL WHERE id = ?", texts, 1));
    pthread_mutex_unlock(&j->lock);
}

static void read_kept(struct journal *j, sqlite3_stmt *st, struct journal_kept *kept)
{
    snprintf(kept->id, sizeof kept->id, "%s", (const char *)sqlite3_column_text(st, 0));
    snprintf(kept->state, sizeof kept->state, "%s", (const char *)sqlite3_column_text(st, 1));
    if (sqlite3_column_bytes(st, 2) == CRYPTO_HASH_LEN)
        memcpy(kept->fingerprint, sqlite3_column_blob(st, 2), CRYPTO_HASH_LEN);
    kept->status = (unsigned)sqlite3_column_int(st, 3);
    const void *sealed = sqlite3_column_blob(st, 4);
    json_t *answer =
        wjournal_open_image(j, kept->id, -1, "answer", sealed, (size_t)sqlite3_column_bytes(st, 4));
    buf_clear(kept->answer);
    if (json_is_string(answer))
        buf_add(kept->answer, json_string_value(answer), json_string_length(answer));
    json_decref(answer);
}

enum journal_err wjournal_kept(struct journal *j, const char *app, const char *key,
                               struct journal_kept *kept)
{
    const char *const texts[] = {app, key};
    pthread_mutex_lock(&j->lock);
    sqlite3_stmt *st = wjournal_sql(j,
                                    "SELECT id, state, fingerprint, status, answer FROM operations "
                                    "WHERE app = ? AND idempotency = ?",
                                    texts, 2);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        read_kept(j, st, kept);
    sqlite3_finalize(st);
    pthread_mutex_unlock(&j->lock);
    return rc == SQLITE_ROW ? JOURNAL_OK : rc == SQLITE_DONE ? JOURNAL_EABSENT : JOURNAL_EIO;
}
