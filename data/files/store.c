/* SPDX-License-Identifier: Apache-2.0 */
/* What a source's store knows of its files, beside their tables: written in the transaction that
 * makes a file's rows visible, so that both are there or neither. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "data/files/inner.h"
#include "media/media.h"

#define SHRINK_PAGES     64    /* unused ones that are worth it */
#define SHRINK_PAGES_MAX 65536 /* that are moved: a second's work at most */

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS _sluice_files (path TEXT PRIMARY KEY, kind INTEGER NOT NULL,"
    " err INTEGER NOT NULL, ino INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
    " ctime INTEGER NOT NULL, sm3 TEXT NOT NULL, media_type TEXT, encoding TEXT, title TEXT,"
    " detail TEXT, n INTEGER, notes TEXT, at INTEGER NOT NULL) STRICT;";

static const struct zone_column document_columns[] = {
    {{"id", 2}, QUERY_STRING, true},           {{"path", 4}, QUERY_STRING, false},
    {{"folder", 6}, QUERY_STRING, false},      {{"owner", 5}, QUERY_STRING, false},
    {{"name", 4}, QUERY_STRING, false},        {{"title", 5}, QUERY_STRING, false},
    {{"media_type", 10}, QUERY_STRING, false}, {{"bytes", 5}, QUERY_INTEGER, false},
    {{"sm3", 3}, QUERY_STRING, false},         {{"modified", 8}, QUERY_DATETIME, false},
    {{"content", 7}, QUERY_STRING, false},
};
#define N_DOCUMENT (sizeof document_columns / sizeof *document_columns)

static enum zone_err failed(sqlite3 *db, int rc)
{
    if ((rc & 0xff) == SQLITE_FULL)
        return ZONE_EFULL;
    if ((rc & 0xff) == SQLITE_BUSY)
        return ZONE_EBUSY;
    fprintf(stderr, "data: files: %s\n", sqlite3_errmsg(db));
    return ZONE_EIO;
}

static sqlite3_stmt *prepare(struct zone *z, const char *sql)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(zone_handle(z), sql, -1, &st, NULL) != SQLITE_OK)
        failed(zone_handle(z), SQLITE_ERROR);
    return st;
}

static void bind_text(sqlite3_stmt *st, int i, const char *text)
{
    if (text)
        sqlite3_bind_text(st, i, text, -1, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(st, i);
}

static enum zone_err run(struct zone *z, sqlite3_stmt *st)
{
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    sqlite3_finalize(st);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? ZONE_OK : failed(zone_handle(z), rc);
}

enum zone_err files_store_open(struct zone **z, const char *data_dir, const struct uuid *id)
{
    enum zone_err err = zone_make(data_dir, id);
    if (!err)
        err = zone_open(z, data_dir, id);
    if (err)
        return err;
    int rc = sqlite3_exec(zone_handle(*z), schema, NULL, NULL, NULL);
    err = rc == SQLITE_OK ? ZONE_OK : failed(zone_handle(*z), rc);
    if (!err)
        err = zone_table_make(*z, SLICE(FILES_DOCUMENTS), document_columns, N_DOCUMENT);
    if (err)
        zone_close(z);
    return err;
}

bool files_store_find(struct zone *z, const char *path, struct files_known *known)
{
    sqlite3_stmt *st = prepare(
        z, "SELECT kind, err, ino, size, mtime, ctime, sm3 FROM _sluice_files WHERE path = ?");
    bind_text(st, 1, path);
    bool found = st && sqlite3_step(st) == SQLITE_ROW;
    if (found) {
        known->kind = (uint8_t)sqlite3_column_int(st, 0);
        known->err = (enum files_err)sqlite3_column_int(st, 1);
        known->stamp = (struct files_stamp){
            (uint64_t)sqlite3_column_int64(st, 2), (uint64_t)sqlite3_column_int64(st, 3),
            sqlite3_column_int64(st, 4), sqlite3_column_int64(st, 5)};
        snprintf(known->sm3, sizeof known->sm3, "%s", (const char *)sqlite3_column_text(st, 6));
    }
    sqlite3_finalize(st);
    return found;
}

enum zone_err files_store_put(struct zone *z, const struct files_known *known)
{
    sqlite3_stmt *st = prepare(z, "INSERT OR REPLACE INTO _sluice_files VALUES"
                                  " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    const int64_t stamp[] = {known->kind,
                             known->err,
                             (int64_t)known->stamp.ino,
                             (int64_t)known->stamp.size,
                             known->stamp.mtime_ns,
                             known->stamp.ctime_ns};
    char *notes = known->notes ? json_dumps(known->notes, JSON_COMPACT) : NULL;
    const char *texts[] = {known->sm3, known->media_type, known->encoding, known->title,
                           known->detail};
    bind_text(st, 1, known->path);
    for (int i = 0; i < 6; i++)
        sqlite3_bind_int64(st, i + 2, stamp[i]);
    for (int i = 0; i < 5; i++)
        bind_text(st, i + 8, texts[i]);
    sqlite3_bind_int64(st, 13, (sqlite3_int64)known->rows);
    bind_text(st, 14, notes);
    sqlite3_bind_int64(st, 15, (sqlite3_int64)clock_wall_ms());
    free(notes);
    return run(z, st);
}

enum zone_err files_store_touch(struct zone *z, const struct files_known *known)
{
    sqlite3_stmt *st = prepare(
        z, "UPDATE _sluice_files SET ino = ?, size = ?, mtime = ?, ctime = ? WHERE path = ?");
    const int64_t stamp[] = {(int64_t)known->stamp.ino, (int64_t)known->stamp.size,
                             known->stamp.mtime_ns, known->stamp.ctime_ns};
    for (int i = 0; i < 4; i++)
        sqlite3_bind_int64(st, i + 1, stamp[i]);
    bind_text(st, 5, known->path);
    return run(z, st);
}

void files_id(const struct uuid *source, const char *path, char hex[static 33])
{
    uint8_t digest[CRYPTO_HASH_LEN];
    struct crypto_hasher h;
    crypto_hasher_init(&h, CRYPTO_SM3);
    crypto_hasher_add(&h, source->b, sizeof source->b);
    crypto_hasher_add(&h, path, strlen(path));
    crypto_hasher_end(&h, digest);
    crypto_hasher_fini(&h);
    hex[codec_hex(hex, digest, 16)] = '\0';
}

/* "2026-01-02 03:04:05", UTC. */
static void write_time(int64_t ns, char out[static CLOCK_RFC3339_LEN + 1])
{
    clock_format_ms((uint64_t)(ns > 0 ? ns / 1000000 : 0), out);
    out[10] = ' ';
    out[19] = '\0';
}

enum zone_err files_store_document(struct zone *z, const struct uuid *source,
                                   const struct files_known *known)
{
    char id[33], content[48], modified[CLOCK_RFC3339_LEN + 1],
        folder[FILES_PATH_MAX + 1] = "", owner[FILES_PATH_MAX + 1] = "";
    const char *slash = strrchr(known->path, '/'), *name = slash ? slash + 1 : known->path;
    files_id(source, known->path, id);
    snprintf(content, sizeof content, "files/%s", id);
    snprintf(folder, sizeof folder, "%.*s", (int)(slash ? slash - known->path : 0), known->path);
    snprintf(owner, sizeof owner, "%.*s", (int)strcspn(folder, "/"), folder);
    write_time(known->stamp.mtime_ns, modified);
    sqlite3_stmt *st = prepare(z, "INSERT OR REPLACE INTO " FILES_DOCUMENTS
                                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    const char *texts[] = {id,
                           known->path,
                           folder,
                           owner[0] ? owner : NULL,
                           name,
                           known->title[0] ? known->title : name,
                           known->media_type};
    for (int i = 0; i < 7; i++)
        bind_text(st, i + 1, texts[i]);
    sqlite3_bind_int64(st, 8, (sqlite3_int64)known->stamp.size);
    bind_text(st, 9, known->sm3);
    bind_text(st, 10, modified);
    bind_text(st, 11, content);
    return run(z, st);
}

static enum zone_err remove_by(struct zone *z, const char *sql, const char *path)
{
    sqlite3_stmt *st = prepare(z, sql);
    bind_text(st, 1, path);
    return run(z, st);
}

/* In one transaction of its own. */
enum zone_err files_store_remove(struct zone *z, const char *path, bool table)
{
    sqlite3 *db = zone_handle(z);
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return failed(db, rc);
    enum zone_err err = table
                            ? zone_table_drop(z, slice_str(path))
                            : remove_by(z, "DELETE FROM " FILES_DOCUMENTS " WHERE path = ?", path);
    err = err == ZONE_ENAME ? ZONE_OK : err; /* never was a table */
    if (!err)
        err = remove_by(z, "DELETE FROM _sluice_files WHERE path = ?", path);
    rc = sqlite3_exec(db, err ? "ROLLBACK" : "COMMIT", NULL, NULL, NULL);
    return err ? err : rc == SQLITE_OK ? ZONE_OK : failed(db, rc);
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t n = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

/* Writing the store anew takes its own size in time and room: only when much of it is free. A
 * reader in between, or a disk that is full, leaves it as it is: the room is used again. */
void files_store_shrink(struct zone *z)
{
    sqlite3 *db = zone_handle(z);
    int64_t unused = number(db, "PRAGMA freelist_count"), pages = number(db, "PRAGMA page_count");
    if (unused > SHRINK_PAGES && unused > pages / 4 && pages - unused < SHRINK_PAGES_MAX)
        (void)(sqlite3_exec(db, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL));
}

enum zone_err files_store_paths(struct zone *z, json_t *paths)
{
    sqlite3_stmt *st = prepare(z, "SELECT path FROM _sluice_files ORDER BY path");
    int rc = SQLITE_ERROR;
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW)
        json_array_append_new(paths, json_string((const char *)sqlite3_column_text(st, 0)));
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? ZONE_OK : ZONE_EIO;
}

bool files_store_keeps(struct zone *z, const char *sm3)
{
    sqlite3_stmt *st = prepare(z, "SELECT 1 FROM " FILES_DOCUMENTS " WHERE sm3 = ? LIMIT 1");
    bind_text(st, 1, sm3);
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    sqlite3_finalize(st);
    return rc != SQLITE_DONE; /* unknown counts as kept */
}

/* What is told of a source ---------------------------------------------------------------------
 */

enum zone_err files_store_items(struct zone *z, json_t *items)
{
    sqlite3_stmt *st =
        prepare(z, "SELECT path, kind, err, sm3 <> '' FROM _sluice_files ORDER BY path");
    int rc = SQLITE_ERROR;
    json_array_append_new(items, json_pack("{s:s, s:s, s:s}", "schema", "", "name", FILES_DOCUMENTS,
                                           "type", "table"));
    while (st && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const char *type = sqlite3_column_int(st, 2)                  ? "failed"
                           : sqlite3_column_int(st, 1) == FILES_TABLE ? "table"
                                                                      : "document";
        json_array_append_new(items,
                              json_pack("{s:s, s:s, s:s}", "schema", "", "name",
                                        (const char *)sqlite3_column_text(st, 0), "type", type));
    }
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? ZONE_OK : ZONE_EIO;
}

static json_t *text_at(sqlite3_stmt *st, int i)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    return text && text[0] ? json_string(text) : json_null();
}

json_t *files_store_item(struct zone *z, const char *path)
{
    sqlite3_stmt *st = prepare(z, "SELECT kind, err, size, sm3, media_type, encoding, title, "
                                  "detail, n, notes FROM _sluice_files WHERE path = ?");
    json_t *item = NULL;
    bind_text(st, 1, path);
    if (st && sqlite3_step(st) == SQLITE_ROW) {
        enum files_err err = (enum files_err)sqlite3_column_int(st, 1);
        const char *notes = (const char *)sqlite3_column_text(st, 9);
        item =
            json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:I}", "kind",
                      sqlite3_column_int(st, 0) == FILES_TABLE ? "table" : "document", "bytes",
                      (json_int_t)sqlite3_column_int64(st, 2), "sm3", text_at(st, 3), "media_type",
                      text_at(st, 4), "encoding", text_at(st, 5), "title", text_at(st, 6), "detail",
                      text_at(st, 7), "rows", (json_int_t)sqlite3_column_int64(st, 8));
        json_object_set_new(item, "reason", err ? json_string(files_err_name(err)) : json_null());
        json_object_set_new(item, "notes", notes ? json_loads(notes, 0, NULL) : json_array());
    }
    sqlite3_finalize(st);
    return item;
}

bool files_store_bytes(struct zone *z, const char *id, struct files_known *known)
{
    sqlite3_stmt *st =
        prepare(z, "SELECT path, media_type, bytes, sm3 FROM " FILES_DOCUMENTS " WHERE id = ?");
    static const char *const octets = "application/octet-stream";
    bind_text(st, 1, id);
    bool found = st && sqlite3_step(st) == SQLITE_ROW;
    if (found) {
        snprintf(known->path, sizeof known->path, "%s", (const char *)sqlite3_column_text(st, 0));
        known->media_type = media_known((const char *)sqlite3_column_text(st, 1));
        known->media_type = known->media_type ? known->media_type : octets;
        known->stamp.size = (uint64_t)sqlite3_column_int64(st, 2);
        snprintf(known->sm3, sizeof known->sm3, "%s", (const char *)sqlite3_column_text(st, 3));
    }
    sqlite3_finalize(st);
    return found;
}
