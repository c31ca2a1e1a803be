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
    ENV_LIMIT, /* these eight in the order of enum replica_set */
    ENV_LIST,
    ENV_TRUST,
    ENV_ALGORITHM,
    ENV_TOKEN_KEY,
    ENV_TOPIC,
    ENV_EVENT_SUBSCRIPTION,
    ENV_SDK_RELEASE,
    ENV_REVOCATION,
    ENV_SCHEMA,
    ENV_CONVERSION,
    ENV_COMPOSITION,
    ENV_USER,
    ENV_ACCOUNT,             /* keyed by the accessid */
    ENV_ROUTE,               /* path -> ~rev | API id, sorted duplicates: the first is the newest */
    ENV_SUBSCRIPTION_BY_APP, /* app | api | not active | ~rev | id -> "" */
    ENV_GRANT_BY_OWNER,      /* app | api | owner's length | owner | id -> "" */
    ENV_CREDENTIAL_BY_KEY,   /* tag | what it is found by | id -> "": see env_credential_key */
    ENV_REVOCATION_BY_SUBJECT, /* subject | value -> before: the latest of them is the record */
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
    uint64_t set_revs[REPLICA_SETS];
};

enum replica_err env_error(int rc); /* of an LMDB or errno number; sets errno for the latter */
/* ENOTFOUND: a new replica, *meta zeros. EFORMAT: made by another version of the program. */
enum replica_err env_meta_get(const struct replica *r, MDB_txn *txn, struct env_meta *meta);
int env_meta_put(const struct replica *r, MDB_txn *txn, const struct env_meta *meta);

/* How a credential is found: an encryption key by its app, a pinned certificate by its SM3, one of
 * a trusted CA by its subject, of which the length and the head are in the key. */
#define ENV_HEAD_MAX           400
#define ENV_CREDENTIAL_KEY_MAX (3 + ENV_HEAD_MAX)
enum env_credential_tag { ENV_BY_APP = 'a', ENV_BY_SM3 = 'c', ENV_BY_SUBJECT = 's' };
static inline size_t env_credential_key(uint8_t out[static ENV_CREDENTIAL_KEY_MAX],
                                        enum env_credential_tag tag, struct slice what)
{
    size_t n = what.n < ENV_HEAD_MAX ? what.n : ENV_HEAD_MAX;
    out[0] = (uint8_t)tag;
    out[1] = (uint8_t)(what.n >> 8);
    out[2] = (uint8_t)what.n;
    memcpy(out + 3, what.p, n);
    return 3 + n;
}

static inline MDB_val env_val(const void *p, size_t n)
{
    return (MDB_val){.mv_size = n, .mv_data = (void *)(uintptr_t)p};
}

/* reader.c --------------------------------------------------------------------------------------
 */
struct replica_reader {
    struct replica *r;
    MDB_txn *txn;
    MDB_cursor *subscriptions, *grants, *credentials;
    uint64_t set_revs[REPLICA_SETS];
    bool active;
};

enum replica_err env_get_record(struct replica_reader *rd, enum env_table table,
                                const struct uuid *id, struct slice *record);
/* Moves the cursor to the first key >= prefix, or on from where it is; ENOTFOUND: no more keys have
 * the prefix. *id: the key's last 16 bytes. */
enum replica_err env_next_in_prefix(MDB_cursor *cursor, const uint8_t *prefix, size_t n, bool first,
                                    struct uuid *id);

static inline void env_put_be64(uint8_t *out, uint64_t v)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(v >> (56 - 8 * i));
    }
}
