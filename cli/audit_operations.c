/* SPDX-License-Identifier: Apache-2.0 */
/* sluice audit operations: the control plane's log of what was changed, from its SQLite store. Each
 * operation's chain value is SM3(the one before || its columns), so one that was changed, or
 * dropped from the middle, shows. */
#include <inttypes.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "base/clock.h"
#include "crypto/crypto.h"

static void hash_text(struct crypto_hasher *h, const char *text, bool newline)
{
    crypto_hasher_add(h, text, strlen(text));
    if (newline) {
        crypto_hasher_add(h, "\n", 1);
    }
}

#define OPERATIONS                                                                                 \
    "SELECT seq, at_ms, actor, action, kind, resource_id, before, after, chain FROM operations "   \
    "ORDER BY seq"
enum { OP_SEQ, OP_AT, OP_ACTOR, OP_ACTION, OP_KIND, OP_RESOURCE, OP_BEFORE, OP_AFTER, OP_CHAIN };

static const char *column(sqlite3_stmt *st, int i)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    return text == NULL ? "" : text;
}

/* Chain of one operation: SM3(previous || seq \n at_ms \n … before \n after). */
static void hash_operation(struct crypto_hasher *h, sqlite3_stmt *st,
                           uint8_t chain[static CRYPTO_HASH_LEN])
{
    crypto_hasher_reset(h);
    crypto_hasher_add(h, chain, CRYPTO_HASH_LEN);
    for (int i = OP_SEQ; i <= OP_AFTER; i++) {
        hash_text(h, column(st, i), i < OP_AFTER);
    }
    crypto_hasher_end(h, chain);
}

static sqlite3 *open_store(const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, 5000) == SQLITE_OK) {
        return db;
    }
    sqlite3_close(db);
    return NULL;
}

/* Returns the number of defects; *count the operations read, *rc how the reading ended. */
static uint64_t check_all(sqlite3_stmt *st, uint64_t *count, int *rc)
{
    struct crypto_hasher h;
    uint8_t chain[CRYPTO_HASH_LEN] = {0};
    uint64_t defects = 0;
    sqlite3_int64 last = 0;
    crypto_hasher_init(&h, CRYPTO_SM3);
    while ((*rc = sqlite3_step(st)) == SQLITE_ROW) {
        sqlite3_int64 seq = sqlite3_column_int64(st, OP_SEQ);
        (*count)++;
        if (seq != last + 1) {
            printf("DEFECT  operations: %lld to %lld are missing\n", (long long)last + 1,
                   (long long)seq - 1);
            defects++;
        }
        last = seq;
        hash_operation(&h, st, chain);
        const void *stored = sqlite3_column_blob(st, OP_CHAIN);
        bool sized = sqlite3_column_bytes(st, OP_CHAIN) == CRYPTO_HASH_LEN;
        if (!sized || memcmp(stored, chain, CRYPTO_HASH_LEN) != 0) {
            printf("DEFECT  operations: operation %lld does not match its chain value: it was "
                   "changed, or one before it removed\n",
                   (long long)seq);
            defects++;
        }
        if (sized) { /* go on from what is stored: each defect is named once */
            memcpy(chain, stored, CRYPTO_HASH_LEN);
        }
    }
    crypto_hasher_fini(&h);
    return defects;
}

static void unreadable(const char *store, sqlite3 *db)
{
    fprintf(stderr, "sluice audit: the store %s cannot be read: %s\n", store,
            db == NULL ? "no such file?" : sqlite3_errmsg(db));
}

bool cli_audit_check_operations(const char *store, uint64_t *count, uint64_t *defects)
{
    sqlite3_stmt *st = NULL;
    int rc = SQLITE_ERROR;
    sqlite3 *db = open_store(store);
    *count = *defects = 0;
    if (db != NULL && sqlite3_prepare_v2(db, OPERATIONS, -1, &st, NULL) == SQLITE_OK) {
        *defects = check_all(st, count, &rc);
    }
    if (rc != SQLITE_DONE) {
        unreadable(store, db);
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
    return rc == SQLITE_DONE;
}

/* For people and scripts
 * ---------------------------------------------------------------------------- */

static json_t *json_column(sqlite3_stmt *st, int i)
{
    json_t *json = sqlite3_column_type(st, i) == SQLITE_NULL
                       ? json_null()
                       : json_loads(column(st, i), JSON_DECODE_ANY, NULL);
    return json != NULL ? json : json_string(column(st, i));
}

static int print_operations(sqlite3_stmt *st)
{
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        char at[CLOCK_RFC3339_LEN + 1];
        clock_format_ms((uint64_t)sqlite3_column_int64(st, OP_AT), at);
        json_t *out =
            json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:o,s:o}", "seq",
                      (json_int_t)sqlite3_column_int64(st, OP_SEQ), "at", at, "actor",
                      column(st, OP_ACTOR), "action", column(st, OP_ACTION), "kind",
                      column(st, OP_KIND), "resource_id", column(st, OP_RESOURCE), "before",
                      json_column(st, OP_BEFORE), "after", json_column(st, OP_AFTER));
        json_dumpf(out, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(out);
    }
    return rc == SQLITE_DONE ? 0 : 2;
}

int cli_audit_operations(const struct audit_options *o)
{
    sqlite3_stmt *st = NULL;
    int code = 2;
    sqlite3 *db = open_store(o->store);
    static const char sql[] =
        "SELECT * FROM (SELECT seq, at_ms, actor, action, kind, resource_id, before, after "
        "FROM operations ORDER BY seq DESC LIMIT ?1) ORDER BY seq";
    if (db != NULL && sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(st, 1, o->limit == 0 ? -1 : (sqlite3_int64)o->limit);
        code = print_operations(st);
    }
    if (code != 0) {
        unreadable(o->store, db);
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
    return code;
}
