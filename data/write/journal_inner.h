/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the journal only. */
#pragma once
#include <pthread.h>
#include <sqlite3.h>

#include "data/write/journal.h"

struct journal {
    sqlite3 *db;
    pthread_mutex_t lock;
    uint8_t image_key[CRYPTO_KEY_LEN];
    struct crypto_hmac *row_key;
    unsigned days;                /* operations are kept */
    uint64_t kept_ms;             /* when it was last looked what is to go */
    char boot[UUID_TEXT_LEN + 1]; /* of this process: what is its own and what a dead one left */
};

enum journal_err wjournal_judge(int rc);
/* A statement with its texts bound in order; NULL: it cannot be made. */
sqlite3_stmt *wjournal_sql(struct journal *j, const char *sql, const char *const *texts, size_t n);
/* Steps once and finalizes. */
enum journal_err wjournal_run(sqlite3_stmt *st);
enum journal_err wjournal_begin(struct journal *j);
/* Commits on JOURNAL_OK, else rolls back; the result of both. */
enum journal_err wjournal_end(struct journal *j, enum journal_err err);
/* Which row, without its key. */
void wjournal_row_id(struct journal *j, const char *dataset, const json_t *key,
                     uint8_t out[static CRYPTO_HASH_LEN]);
/* Unseals; new reference, JSON null for none, NULL when it cannot be opened. */
json_t *wjournal_open_image(struct journal *j, const char *op, int64_t n, const char *which,
                            const void *sealed, size_t len);
bool wjournal_seal(struct journal *j, const char *op, int64_t n, const char *which,
                   const json_t *image, struct buf *out);
