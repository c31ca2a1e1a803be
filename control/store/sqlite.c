/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded store: SQLite in WAL mode. Invariants: one writer connection behind a mutex; readers
 * from a pool, each used by one transaction at a time; synchronous=FULL, so what store_commit
 * acknowledges survives the machine; statements are prepared once a connection and kept. */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "store/rank.h"

struct migration {
    int version;
    const char *name, *sql;
};
#include "migrations.inc"

#define MIGRATIONS      ((int)(sizeof migrations / sizeof *migrations))
#define READERS         8
#define CACHE           96
#define BUSY_TIMEOUT_MS 5000
#define FULL            "PRAGMA synchronous=FULL"
#define SOON            "PRAGMA synchronous=NORMAL" /* in WAL mode: no sync at a commit */

struct cached {
    sqlite3_stmt *stmt;
    bool busy;
    uint64_t used;
};

struct connection {
    sqlite3 *db;
    struct cached cache[CACHE];
    uint64_t clock;
    bool taken; /* readers: under store.pool_lock */
};

struct store {
    char *path;
    pthread_mutex_t write_lock, pool_lock;
    pthread_cond_t pool_free;
    struct connection writer, readers[READERS];
    bool soon; /* how the writer commits: under write_lock */
};

struct store_txn {
    struct store *st;
    struct connection *c;
    enum store_mode mode;
};

struct store_rows {
    struct connection *c;
    sqlite3_stmt *stmt;
    struct cached *slot; /* NULL: not from the cache */
    enum store_err err;
};

static enum store_err error_of(sqlite3 *db, int rc)
{
    int extended = sqlite3_extended_errcode(db);

    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW) {
        return STORE_OK;
    }
    if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY) {
        return STORE_EEXISTS;
    }
    if (extended == SQLITE_CONSTRAINT_FOREIGNKEY) {
        return STORE_EREF;
    }
    if ((rc & 0xff) == SQLITE_FULL ||
        ((rc & 0xff) == SQLITE_IOERR && sqlite3_system_errno(db) == ENOSPC)) {
        return STORE_EFULL;
    }
    fprintf(stderr, "sluice: store: %s\n", sqlite3_errmsg(db));
    return STORE_EIO;
}

static enum store_err run(sqlite3 *db, const char *sql)
{
    return error_of(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

#define STORE_PATH_MAX 2048

/* The engine makes the files beside it with the mode of the store; a store of before may lie open.
 */
static bool hide(const char *path)
{
    static const char *const beside[] = {"-wal", "-shm"};
    char name[STORE_PATH_MAX];

    if (chmod(path, 0600) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        if (snprintf(name, sizeof name, "%s%s", path, beside[i]) < (int)sizeof name &&
            chmod(name, 0600) != 0 && errno != ENOENT) {
            return false;
        }
    }
    return true;
}

static enum store_err connection_open(struct connection *c, const char *path, bool writer)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | (writer ? SQLITE_OPEN_CREATE : 0);

    *c = (struct connection){0};
    if (sqlite3_open_v2(path, &c->db, flags, NULL) != SQLITE_OK) {
        return STORE_EIO;
    }
    if (writer && !hide(path)) {
        return STORE_EIO;
    }
    sqlite3_busy_timeout(c->db, BUSY_TIMEOUT_MS);
    /* A store handed to us by someone else must not run code or read strange schema. */
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (!rank_register(c->db)) {
        return STORE_EIO;
    }
    if (!writer) {
        return run(c->db, "PRAGMA query_only=1; PRAGMA cache_size=-4096;");
    }
    return run(c->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=1;");
}

static void connection_close(struct connection *c)
{
    for (size_t i = 0; i < CACHE; i++) {
        sqlite3_finalize(c->cache[i].stmt);
    }
    sqlite3_close(c->db);
    *c = (struct connection){0};
}

static enum store_err version_of(sqlite3 *db, int *version)
{
    sqlite3_stmt *stmt = NULL;
    enum store_err err =
        run(db, "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, "
                "name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;");

    if (err != STORE_OK) {
        return err;
    }
    int rc = sqlite3_prepare_v2(db, "SELECT coalesce(max(version), 0) FROM schema_version", -1,
                                &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        *version = sqlite3_column_int(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return error_of(db, rc);
}

static enum store_err apply(sqlite3 *db, const struct migration *m)
{
    char mark[200];
    enum store_err err = run(db, "BEGIN IMMEDIATE");

    if (err != STORE_OK) {
        return err;
    }
    snprintf(mark, sizeof mark,
             "INSERT INTO schema_version VALUES (%d, '%s', CAST(strftime('%%s','now') AS INTEGER) "
             "* 1000)",
             m->version, m->name);
    err = run(db, m->sql);
    if (err == STORE_OK) {
        err = run(db, mark);
    }
    if (err == STORE_OK) {
        err = run(db, "COMMIT");
    }
    if (err != STORE_OK) {
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    return err;
}

static enum store_err migrate(sqlite3 *db, char why[static STORE_WHY_MAX])
{
    int version = 0;
    enum store_err err = version_of(db, &version);

    if (err != STORE_OK) {
        snprintf(why, STORE_WHY_MAX, "cannot read its schema version: %s", sqlite3_errmsg(db));
        return err;
    }
    if (version > MIGRATIONS) {
        snprintf(why, STORE_WHY_MAX,
                 "it has schema version %d, this program knows up to %d; run the newer program, or "
                 "restore a backup made before its first start",
                 version, MIGRATIONS);
        return STORE_ENEWER;
    }
    for (int i = version; i < MIGRATIONS; i++) {
        err = apply(db, &migrations[i]);
        if (err != STORE_OK) {
            snprintf(why, STORE_WHY_MAX, "migration %d (%s) failed: %s", migrations[i].version,
                     migrations[i].name, sqlite3_errmsg(db));
            return err;
        }
    }
    return STORE_OK;
}

static enum store_err open_connections(struct store *st, char why[static STORE_WHY_MAX])
{
    enum store_err err = connection_open(&st->writer, st->path, true);

    if (err != STORE_OK) {
        snprintf(why, STORE_WHY_MAX, "cannot open %.180s: %s", st->path,
                 sqlite3_errmsg(st->writer.db));
        return err;
    }
    err = migrate(st->writer.db, why);
    for (size_t i = 0; i < READERS && err == STORE_OK; i++) {
        err = connection_open(&st->readers[i], st->path, false);
    }
    return err;
}

enum store_err store_open(struct store **out, const char *path, char why[static STORE_WHY_MAX])
{
    struct store *st = calloc(1, sizeof *st);

    snprintf(why, STORE_WHY_MAX, "out of memory");
    if (!st || !(st->path = strdup(path))) {
        free(st);
        return STORE_EIO;
    }
    pthread_mutex_init(&st->write_lock, NULL);
    pthread_mutex_init(&st->pool_lock, NULL);
    pthread_cond_init(&st->pool_free, NULL);
    enum store_err err = open_connections(st, why);
    if (err != STORE_OK) {
        store_close(&st);
        return err;
    }
    why[0] = '\0';
    *out = st;
    return STORE_OK;
}

void store_close(struct store **st)
{
    if (!*st) {
        return;
    }
    for (size_t i = 0; i < READERS; i++) {
        connection_close(&(*st)->readers[i]);
    }
    connection_close(&(*st)->writer);
    pthread_mutex_destroy(&(*st)->write_lock);
    pthread_mutex_destroy(&(*st)->pool_lock);
    pthread_cond_destroy(&(*st)->pool_free);
    free((*st)->path);
    free(*st);
    *st = NULL;
}

enum store_err store_limit_pages(struct store *st, unsigned pages)
{
    char sql[64];

    snprintf(sql, sizeof sql, "PRAGMA max_page_count=%u", pages ? pages : 4294967294u);
    pthread_mutex_lock(&st->write_lock);
    enum store_err err = run(st->writer.db, sql);
    pthread_mutex_unlock(&st->write_lock);
    return err;
}

static struct connection *reader_take(struct store *st)
{
    struct connection *c = NULL;

    pthread_mutex_lock(&st->pool_lock);
    while (!c) {
        for (size_t i = 0; i < READERS && !c; i++) {
            c = st->readers[i].taken ? NULL : &st->readers[i];
        }
        if (!c) {
            pthread_cond_wait(&st->pool_free, &st->pool_lock);
        }
    }
    c->taken = true;
    pthread_mutex_unlock(&st->pool_lock);
    return c;
}

static void connection_give(struct store_txn *txn)
{
    if (txn->mode != STORE_READ) {
        pthread_mutex_unlock(&txn->st->write_lock);
        return;
    }
    pthread_mutex_lock(&txn->st->pool_lock);
    txn->c->taken = false;
    pthread_cond_signal(&txn->st->pool_free);
    pthread_mutex_unlock(&txn->st->pool_lock);
}

/* Whether commits of the writer wait for the disk; under the write lock, outside a transaction. */
static enum store_err wait_for_disk(struct store *st, bool wait)
{
    enum store_err err = STORE_OK;

    if (st->soon == wait) {
        err = run(st->writer.db, wait ? FULL : SOON);
        st->soon = err == STORE_OK ? !wait : st->soon;
    }
    return err;
}

enum store_err store_begin(struct store *st, enum store_mode mode, struct store_txn **out)
{
    struct store_txn *txn = calloc(1, sizeof *txn);

    if (!txn) {
        return STORE_EIO;
    }
    txn->st = st;
    txn->mode = mode;
    if (mode != STORE_READ) {
        pthread_mutex_lock(&st->write_lock);
        txn->c = &st->writer;
    } else {
        txn->c = reader_take(st);
    }
    enum store_err err = mode == STORE_READ ? STORE_OK : wait_for_disk(st, mode == STORE_WRITE);
    if (err == STORE_OK) {
        err = run(txn->c->db, mode != STORE_READ ? "BEGIN IMMEDIATE" : "BEGIN");
    }
    if (err != STORE_OK) {
        connection_give(txn);
        free(txn);
        return err;
    }
    *out = txn;
    return STORE_OK;
}

static void txn_end(struct store_txn **txn)
{
    connection_give(*txn);
    free(*txn);
    *txn = NULL;
}

enum store_err store_commit(struct store_txn **txn)
{
    sqlite3 *db = (*txn)->c->db;
    enum store_err err = run(db, "COMMIT");

    if (err != STORE_OK && !sqlite3_get_autocommit(db)) {
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    txn_end(txn);
    return err;
}

void store_rollback(struct store_txn **txn)
{
    if (!*txn) {
        return;
    }
    /* A full disk rolls back by itself. */
    if (!sqlite3_get_autocommit((*txn)->c->db)) {
        sqlite3_exec((*txn)->c->db, "ROLLBACK", NULL, NULL, NULL);
    }
    txn_end(txn);
}

/* The statement of this text, from the cache when it is there and idle. The least recently used
 * idle slot makes room. */
static enum store_err statement(struct connection *c, const char *sql, sqlite3_stmt **stmt,
                                struct cached **slot)
{
    struct cached *victim = NULL;

    for (size_t i = 0; i < CACHE; i++) {
        struct cached *k = &c->cache[i];
        if (k->stmt && !k->busy && strcmp(sqlite3_sql(k->stmt), sql) == 0) {
            victim = k;
            break;
        }
        if (!k->busy && (!victim || k->used < victim->used)) {
            victim = k;
        }
    }
    if (victim && victim->stmt && strcmp(sqlite3_sql(victim->stmt), sql) != 0) {
        sqlite3_finalize(victim->stmt);
        victim->stmt = NULL;
    }
    if (victim && victim->stmt) {
        *stmt = victim->stmt;
    } else {
        int rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
        if (rc != SQLITE_OK) {
            return error_of(c->db, rc);
        }
    }
    if (victim) {
        *victim = (struct cached){*stmt, true, ++c->clock};
    }
    *slot = victim;
    return STORE_OK;
}

static int bind_one(sqlite3_stmt *stmt, int at, const struct store_value *v)
{
    switch (v->type) {
    case STORE_INT:
        return sqlite3_bind_int64(stmt, at, v->i);
    case STORE_TEXT:
        return sqlite3_bind_text(stmt, at, v->s.p, (int)v->s.n, SQLITE_STATIC);
    case STORE_BLOB:
        return sqlite3_bind_blob(stmt, at, v->s.p, (int)v->s.n, SQLITE_STATIC);
    case STORE_NULL:
        break;
    }
    return sqlite3_bind_null(stmt, at);
}

enum store_err store_query(struct store_txn *txn, const char *sql, const struct store_value *v,
                           size_t n, struct store_rows **out)
{
    struct store_rows *rows = calloc(1, sizeof *rows);
    int rc = SQLITE_OK;

    if (!rows) {
        return STORE_EIO;
    }
    rows->c = txn->c;
    enum store_err err = statement(txn->c, sql, &rows->stmt, &rows->slot);
    if (err != STORE_OK) {
        free(rows);
        return err;
    }
    for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
        rc = bind_one(rows->stmt, (int)i + 1, &v[i]);
    }
    if (rc != SQLITE_OK || (size_t)sqlite3_bind_parameter_count(rows->stmt) != n) {
        store_rows_end(&rows);
        return STORE_EIO;
    }
    *out = rows;
    return STORE_OK;
}

bool store_next(struct store_rows *rows)
{
    int rc = sqlite3_step(rows->stmt);

    if (rc == SQLITE_ROW) {
        return true;
    }
    rows->err = error_of(rows->c->db, rc);
    return false;
}

enum store_err store_rows_end(struct store_rows **rows)
{
    struct store_rows *r = *rows;

    if (!r) {
        return STORE_OK;
    }
    enum store_err err = r->err;
    sqlite3_reset(r->stmt);
    sqlite3_clear_bindings(r->stmt);
    if (r->slot) {
        r->slot->busy = false;
    } else {
        sqlite3_finalize(r->stmt);
    }
    free(r);
    *rows = NULL;
    return err;
}

enum store_err store_exec(struct store_txn *txn, const char *sql, const struct store_value *v,
                          size_t n, int64_t *changed)
{
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, n, &rows);

    if (err != STORE_OK) {
        return err;
    }
    while (store_next(rows)) {
    }
    err = store_rows_end(&rows);
    if (changed) {
        *changed = err == STORE_OK ? sqlite3_changes64(txn->c->db) : 0;
    }
    return err;
}

int64_t store_get_int(struct store_rows *rows, int column)
{
    return sqlite3_column_int64(rows->stmt, column);
}

const char *store_get_text(struct store_rows *rows, int column)
{
    return (const char *)sqlite3_column_text(rows->stmt, column);
}

struct slice store_get_blob(struct store_rows *rows, int column)
{
    const char *p = sqlite3_column_blob(rows->stmt, column);
    return slice_of(p, (size_t)sqlite3_column_bytes(rows->stmt, column));
}

bool store_is_null(struct store_rows *rows, int column)
{
    return sqlite3_column_type(rows->stmt, column) == SQLITE_NULL;
}

int64_t store_last_seq(struct store_txn *txn)
{
    return sqlite3_last_insert_rowid(txn->c->db);
}
