/* SPDX-License-Identifier: Apache-2.0 */
/* What replica.c, apply.c and reader.c share: the LMDB environment and its tables. */
#pragma once
#include <lmdb.h>

#include "replica/replica.h"

/* Record tables are keyed by the 16 bytes of the id; the others are indexes over them and meta. */
enum env_table {
    ENV_API,
    ENV_APP,
    ENV_CREDENTIAL,
    ENV_SUBSCRIPTION,
    ENV_GRANT,
    ENV_DATASET,
    ENV_SOURCE,
    ENV_ROUTE,               /* path -> ~rev | API id, sorted duplicates: the first is the newest */
    ENV_SUBSCRIPTION_BY_APP, /* app | api | not active | ~rev | id -> "" */
    ENV_GRANT_BY_OWNER,      /* app | api | owner's length | owner | id -> "" */
    ENV_META,
    ENV_TABLES
};

struct replica {
    MDB_env *env;
    MDB_dbi tables[ENV_TABLES];
    bool writer;
};

struct env_meta {
    struct replica_cursor cursor;
    uint64_t version;
};

enum replica_err env_error(int rc); /* of an LMDB or errno number; sets errno for the latter */
/* ENOTFOUND: a new replica, *meta zeros. EFORMAT: made by another version of the program. */
enum replica_err env_meta_get(const struct replica *r, MDB_txn *txn, struct env_meta *meta);
int env_meta_put(const struct replica *r, MDB_txn *txn, const struct env_meta *meta);

static inline MDB_val env_val(const void *p, size_t n)
{
    return (MDB_val){.mv_size = n, .mv_data = (void *)(uintptr_t)p};
}

static inline void env_put_be64(uint8_t *out, uint64_t v)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(v >> (56 - 8 * i));
    }
}
