/* SPDX-License-Identifier: Apache-2.0 */
/* The file and its tables. WAL, so that readers by ODBC go on while a load writes; every commit is
 * synced, since what a load reports is believed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/zones/inner.h"

#define BUSY_MS 5000

static const char *const errors[] = {
    [ZONE_OK] = "no error",
    [ZONE_EMISSING] = "there is no such store, table or load",
    [ZONE_EEXISTS] = "a table of that name has other columns",
    [ZONE_ENAME] = "a name cannot be one, or is there twice",
    [ZONE_EVALUE] = "a value does not fit its column",
    [ZONE_EKEY] = "a key is there already",
    [ZONE_EDONE] = "the load was committed before",
    [ZONE_EBUSY] = "another load is writing to the store",
    [ZONE_EFULL] = "the disk is full",
    [ZONE_EIO] = "the store cannot be read or written",
};

const char *zone_strerror(enum zone_err err)
{
    return (size_t)err < sizeof errors / sizeof *errors ? errors[err] : "unknown error";
}

enum zone_err zone_db_err(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
        return ZONE_OK;
    if ((rc & 0xff) == SQLITE_CONSTRAINT)
        return ZONE_EKEY;
    if ((rc & 0xff) == SQLITE_BUSY)
        return ZONE_EBUSY;
    if ((rc & 0xff) == SQLITE_FULL)
        return ZONE_EFULL;
    fprintf(stderr, "data: zones: %s\n", db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    return ZONE_EIO;
}

enum zone_err zone_exec(sqlite3 *db, const char *sql)
{
    return zone_db_err(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

enum zone_err zone_exec_buf(sqlite3 *db, struct buf *sql)
{
    buf_addc(sql, '\0');
    enum zone_err err = sql->failed ? ZONE_EIO : zone_exec(db, sql->p);
    buf_fini(sql);
    return err;
}

bool zone_path(const char *data_dir, const struct uuid *id, char *path, size_t cap)
{
    char text[UUID_TEXT_LEN + 1];
    uuid_format(id, text);
    return (size_t)snprintf(path, cap, "%s/" ZONE_FOLDER "/%s.db", data_dir, text) < cap;
}

static bool make_folder(const char *data_dir)
{
    char path[600];
    if ((size_t)snprintf(path, sizeof path, "%s/data", data_dir) >= sizeof path)
        return false;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return false;
    if ((size_t)snprintf(path, sizeof path, "%s/" ZONE_FOLDER, data_dir) >= sizeof path)
        return false;
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static enum zone_err open_file(sqlite3 **db, const char *path, bool make)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int rc = sqlite3_open_v2(path, db, flags | (make ? SQLITE_OPEN_CREATE : 0), NULL);
    if (rc != SQLITE_OK) {
        enum zone_err err = rc == SQLITE_CANTOPEN && !make ? ZONE_EMISSING : zone_db_err(*db, rc);
        sqlite3_close(*db);
        *db = NULL;
        return err;
    }
    sqlite3_extended_result_codes(*db, 1);
    sqlite3_busy_timeout(*db, BUSY_MS);
    sqlite3_limit(*db, SQLITE_LIMIT_LENGTH, (int)(ZONE_CELL_MAX + (1u << 20)));
    return ZONE_OK;
}

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS _sluice_loads (id TEXT PRIMARY KEY, target TEXT NOT NULL,"
    " n INTEGER NOT NULL, sm3 BLOB NOT NULL, at INTEGER NOT NULL) STRICT;";

enum zone_err zone_make(const char *data_dir, const struct uuid *id)
{
    char path[700];
    sqlite3 *db = NULL;
    if (!make_folder(data_dir) || !zone_path(data_dir, id, path, sizeof path))
        return ZONE_EIO;
    mode_t old = umask(0077);
    enum zone_err err = open_file(&db, path, true);
    umask(old);
    if (!err)
        err = zone_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
    if (!err)
        err = zone_exec(db, schema);
    sqlite3_close(db);
    return err;
}

enum zone_err zone_drop(const char *data_dir, const struct uuid *id)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal", ""};
    char path[700], one[720];
    if (!zone_path(data_dir, id, path, sizeof path))
        return ZONE_EIO;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(one, sizeof one, "%s%s", path, ends[i]);
        if (unlink(one) != 0 && errno != ENOENT)
            return ZONE_EIO;
    }
    return ZONE_OK;
}

enum zone_err zone_open(struct zone **slot, const char *data_dir, const struct uuid *id)
{
    char path[700];
    struct zone *z = calloc(1, sizeof *z);
    if (!z || !zone_path(data_dir, id, path, sizeof path)) {
        free(z);
        return ZONE_EIO;
    }
    enum zone_err err = open_file(&z->db, path, false);
    if (!err)
        err = zone_exec(z->db, "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;");
    if (err)
        zone_close(&z);
    else
        *slot = z;
    return err;
}

void zone_close(struct zone **slot)
{
    struct zone *z = *slot;
    if (!z)
        return;
    zone_load_abort(z);
    sqlite3_close(z->db);
    free(z);
    *slot = NULL;
}

void *zone_handle(struct zone *z)
{
    return z->db;
}

/* Names ---------------------------------------------------------------------------------------- */

bool zone_name_ok(struct slice name)
{
    static const char ours[] = ZONE_HIDDEN;
    if (name.n == 0 || name.n > ZONE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f || strchr("\"'`[];\\", name.p[i]))
            return false;
    return sqlite3_strnicmp(name.p, "sqlite_", 7) != 0 &&
           sqlite3_strnicmp(name.p, ours, (int)sizeof ours - 1) != 0;
}

void zone_quote(struct buf *sql, struct slice name)
{
    buf_addc(sql, '"');
    buf_add(sql, name.p, name.n);
    buf_addc(sql, '"');
}

enum zone_err zone_check_columns(const struct zone_column *columns, size_t n)
{
    if (n == 0 || n > ZONE_COLUMNS_MAX)
        return ZONE_ENAME;
    for (size_t i = 0; i < n; i++) {
        if (!zone_name_ok(columns[i].name))
            return ZONE_ENAME;
        for (size_t j = 0; j < i; j++)
            if (columns[i].name.n == columns[j].name.n &&
                sqlite3_strnicmp(columns[i].name.p, columns[j].name.p, (int)columns[i].name.n) == 0)
                return ZONE_ENAME;
    }
    return ZONE_OK;
}

/* As metadata.c reads them back. */
static const char *const declared[QUERY_TYPES] = {
    [QUERY_STRING] = "varchar(4000)", [QUERY_INTEGER] = "bigint", [QUERY_NUMBER] = "numeric",
    [QUERY_BOOLEAN] = "boolean",      [QUERY_DATE] = "date",      [QUERY_DATETIME] = "timestamp",
    [QUERY_BINARY] = "blob",          [QUERY_JSON] = "json_text",
};

void zone_create_sql(struct buf *sql, struct slice table, const struct zone_column *columns,
                     size_t n, bool keys)
{
    size_t n_keys = 0;
    buf_adds(sql, "CREATE TABLE ");
    zone_quote(sql, table);
    for (size_t i = 0; i < n; i++) {
        buf_addc(sql, i ? ',' : '(');
        zone_quote(sql, columns[i].name);
        buf_addf(sql, " %s", declared[columns[i].type]);
        n_keys += columns[i].key;
    }
    for (size_t i = 0, k = 0; keys && n_keys && i < n; i++) {
        if (!columns[i].key)
            continue;
        buf_adds(sql, k++ ? "," : ", PRIMARY KEY (");
        zone_quote(sql, columns[i].name);
        if (k == n_keys)
            buf_addc(sql, ')');
    }
    buf_addc(sql, ')');
}

static enum zone_err prepare(sqlite3 *db, struct buf *sql, sqlite3_stmt **st)
{
    int rc = sql->failed ? SQLITE_NOMEM : sqlite3_prepare_v2(db, sql->p, (int)sql->n, st, NULL);
    buf_fini(sql);
    return zone_db_err(db, rc);
}

static bool same_column(sqlite3_stmt *st, const struct zone_column *c)
{
    const char *name = (const char *)sqlite3_column_text(st, 0);
    const char *type = (const char *)sqlite3_column_text(st, 1);
    return name && type && slice_eq(slice_str(name), c->name) &&
           strcmp(type, declared[c->type]) == 0 && (sqlite3_column_int(st, 2) > 0) == c->key;
}

enum zone_err zone_table_fits(sqlite3 *db, struct slice table, const struct zone_column *columns,
                              size_t n, bool *there)
{
    sqlite3_stmt *st = NULL;
    struct buf sql;
    size_t i = 0;
    int rc;
    bool same = true;
    buf_init(&sql);
    buf_adds(&sql, "SELECT name, type, pk FROM pragma_table_info(?)");
    enum zone_err err = prepare(db, &sql, &st);
    if (err)
        return err;
    sqlite3_bind_text(st, 1, table.p, (int)table.n, SQLITE_STATIC);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        same = same && i < n && same_column(st, &columns[i]);
        i++;
    }
    err = zone_db_err(db, rc);
    sqlite3_finalize(st);
    *there = i > 0;
    if (!err && *there && (!same || i != n))
        return ZONE_EEXISTS;
    return err;
}

enum zone_err zone_table_make(struct zone *z, struct slice table, const struct zone_column *columns,
                              size_t n)
{
    struct buf sql;
    bool there = false;
    enum zone_err err = zone_name_ok(table) ? zone_check_columns(columns, n) : ZONE_ENAME;
    if (!err)
        err = zone_table_fits(z->db, table, columns, n, &there);
    if (err || there)
        return err;
    buf_init(&sql);
    zone_create_sql(&sql, table, columns, n, true);
    return zone_exec_buf(z->db, &sql);
}

enum zone_err zone_table_drop(struct zone *z, struct slice table)
{
    struct buf sql;
    if (!zone_name_ok(table))
        return ZONE_ENAME;
    buf_init(&sql);
    buf_adds(&sql, "DROP TABLE IF EXISTS ");
    zone_quote(&sql, table);
    return zone_exec_buf(z->db, &sql);
}

/* Counting and digests ------------------------------------------------------------------------- */

static enum zone_err select_all(sqlite3 *db, const char *what, struct slice table,
                                const char *order, sqlite3_stmt **st)
{
    static const struct zone_column none;
    bool there = false;
    struct buf sql;
    enum zone_err err = zone_table_fits(db, table, &none, 0, &there);
    if (err != ZONE_EEXISTS)
        return err ? err : ZONE_EMISSING;
    buf_init(&sql);
    buf_addf(&sql, "SELECT %s FROM ", what);
    zone_quote(&sql, table);
    buf_adds(&sql, order);
    return prepare(db, &sql, st);
}

enum zone_err zone_count(struct zone *z, struct slice table, uint64_t *n)
{
    sqlite3_stmt *st = NULL;
    if (!zone_name_ok(table))
        return ZONE_ENAME;
    enum zone_err err = select_all(z->db, "count(*)", table, "", &st);
    if (err)
        return err;
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *n = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return zone_db_err(z->db, rc);
}

static enum query_type declared_type(const char *text)
{
    for (size_t t = 0; text && t < QUERY_TYPES; t++)
        if (strcmp(declared[t], text) == 0)
            return (enum query_type)t;
    return QUERY_STRING;
}

static enum zone_err sum_row(struct zone_summer *s, sqlite3_stmt *st)
{
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        struct zone_value v = {.null = sqlite3_column_type(st, i) == SQLITE_NULL};
        bool bytes = sqlite3_column_type(st, i) == SQLITE_BLOB;
        const void *p = bytes ? sqlite3_column_blob(st, i) : sqlite3_column_text(st, i);
        v.text = slice_of(p ? p : "", (size_t)sqlite3_column_bytes(st, i));
        enum zone_err err = zone_sum_value(s, declared_type(sqlite3_column_decltype(st, i)), &v);
        if (err)
            return err;
    }
    zone_sum_row(s);
    return ZONE_OK;
}

enum zone_err zone_table_sum(sqlite3 *db, struct slice table, struct zone_sum *sum)
{
    sqlite3_stmt *st = NULL;
    struct zone_summer s;
    int rc = SQLITE_DONE;
    enum zone_err err = select_all(db, "*", table, " ORDER BY rowid", &st);
    if (err)
        return err;
    zone_sum_init(&s);
    while (!err && (rc = sqlite3_step(st)) == SQLITE_ROW)
        err = sum_row(&s, st);
    if (!err)
        err = zone_db_err(db, rc);
    sqlite3_finalize(st);
    zone_sum_end(&s, sum);
    return err;
}

enum zone_err zone_digest(struct zone *z, struct slice table, struct zone_sum *sum)
{
    return zone_name_ok(table) ? zone_table_sum(z->db, table, sum) : ZONE_ENAME;
}
