/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rank.h"

#include <stddef.h>

#define PHRASES_MAX   64
#define INSTANCES_MAX 1000 /* of one row that are looked at */
#define HALF          5.0  /* the weight at which a phrase counts half */
#define WHOLE         1000000

/* Each phrase adds up to 1: many hits of a light column come near to one of a heavy one. */
static void word_rank(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *out,
                      int n_weights, sqlite3_value **weights)
{
    double found[PHRASES_MAX] = {0}, score = 0;
    int n = 0, rc = api->xInstCount(fts, &n);

    n = n > INSTANCES_MAX ? INSTANCES_MAX : n;
    for (int i = 0; i < n && rc == SQLITE_OK; i++) {
        int phrase = 0, column = 0, at = 0;
        rc = api->xInst(fts, i, &phrase, &column, &at);
        if (rc == SQLITE_OK && phrase < PHRASES_MAX && column < n_weights) {
            found[phrase] += sqlite3_value_double(weights[column]);
        }
    }
    if (rc != SQLITE_OK) {
        sqlite3_result_error_code(out, rc);
        return;
    }
    for (int i = 0; i < PHRASES_MAX; i++) {
        score += found[i] / (found[i] + HALF);
    }
    sqlite3_result_int64(out, -(sqlite3_int64)(score * WHOLE));
}

/* FTS5 hands its functions out by a pointer that a statement carries. */
static fts5_api *api_of(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    fts5_api *api = NULL;

    if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_pointer(stmt, 1, &api, "fts5_api_ptr", NULL);
        sqlite3_step(stmt);
    }
    sqlite3_finalize(stmt);
    return api;
}

bool rank_register(sqlite3 *db)
{
    fts5_api *api = api_of(db);

    return api && api->iVersion >= 2 &&
           api->xCreateFunction(api, "word_rank", NULL, word_rank, NULL) == SQLITE_OK;
}
