/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing and the cursor. The meta record carries the format's number: a replica of
 * another format is emptied by the writer, whose cursor is then zero, so the next batch is the
 * whole state. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "replica/env.h"

#define FORMAT      8
#define MAP_DEFAULT ((size_t)16 << 30) /* address space; the file holds what is used */
#define MAX_READERS 512

static const struct {
    const char *name;
    unsigned flags;
} tables[ENV_TABLES] = {
    [ENV_API] = {"api", 0},
    [ENV_APP] = {"app", 0},
    [ENV_CREDENTIAL] = {"credential", 0},
    [ENV_SUBSCRIPTION] = {"subscription", 0},
    [ENV_GRANT] = {"grant", 0},
    [ENV_DATASET] = {"dataset", 0},
    [ENV_SOURCE] = {"source", 0},
    [ENV_LIMIT] = {"limit", 0},
    [ENV_LIST] = {"list", 0},
    [ENV_TRUST] = {"trust", 0},
    [ENV_ALGORITHM] = {"algorithm", 0},
    [ENV_TOKEN_KEY] = {"token_key", 0},
    [ENV_TOPIC] = {"topic", 0},
    [ENV_EVENT_SUBSCRIPTION] = {"event_subscription", 0},
    [ENV_SDK_RELEASE] = {"sdk_release", 0},
    [ENV_REVOCATION] = {"revocation", 0},
    [ENV_SCHEMA] = {"schema", 0},
    [ENV_CONVERSION] = {"conversion", 0},
    [ENV_COMPOSITION] = {"composition", 0},
    [ENV_USER] = {"user", 0},
    [ENV_ACCOUNT] = {"account", 0},
    [ENV_ROUTE] = {"route", MDB_DUPSORT | MDB_DUPFIXED},
    [ENV_SUBSCRIPTION_BY_APP] = {"subscription_by_app", 0},
    [ENV_GRANT_BY_OWNER] = {"grant_by_owner", 0},
    [ENV_CREDENTIAL_BY_KEY] = {"credential_by_key", 0},
    [ENV_REVOCATION_BY_SUBJECT] = {"revocation_by_subject", 0},
    [ENV_META] = {"meta", 0},
};

const char *replica_strerror(enum replica_err err)
{
    static const char *const texts[] = {
        [REPLICA_OK] = "no error",
        [REPLICA_ENOTFOUND] = "the replica has no such record",
        [REPLICA_EFORMAT] = "a record or feed entry cannot be read",
        [REPLICA_EFULL] = "the replica's map or disk is full",
        [REPLICA_EIO] = "the replica's files cannot be read or written",
        [REPLICA_EMEMORY] = "out of memory",
    };
    return (unsigned)err < sizeof texts / sizeof *texts ? texts[err] : "unknown replica error";
}

enum replica_err env_error(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return REPLICA_OK;
    case MDB_NOTFOUND:
    case ENOENT:
        return REPLICA_ENOTFOUND;
    case MDB_MAP_FULL:
    case ENOSPC:
        return REPLICA_EFULL;
    case ENOMEM:
        return REPLICA_EMEMORY;
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_PAGE_NOTFOUND:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_VALSIZE:
        return REPLICA_EFORMAT;
    default:
        errno = rc > 0 ? rc : EIO;
        return REPLICA_EIO;
    }
}

struct meta_record { /* in the file as it is in memory: the file never leaves the machine */
    uint32_t format, reserved;
    struct env_meta meta;
};

enum replica_err env_meta_get(const struct replica *r, MDB_txn *txn, struct env_meta *meta)
{
    MDB_val key = env_val("meta", 4), value;
    struct meta_record record;
    memset(meta, 0, sizeof *meta);
    int rc = mdb_get(txn, r->tables[ENV_META], &key, &value);
    if (rc != 0) {
        return env_error(rc);
    }
    if (value.mv_size != sizeof record) {
        return REPLICA_EFORMAT;
    }
    memcpy(&record, value.mv_data, sizeof record); /* LMDB aligns to 2 only */
    if (record.format != FORMAT) {
        return REPLICA_EFORMAT;
    }
    *meta = record.meta;
    return REPLICA_OK;
}

int env_meta_put(const struct replica *r, MDB_txn *txn, const struct env_meta *meta)
{
    struct meta_record record;
    memset(&record, 0, sizeof record);
    record.format = FORMAT;
    record.meta = *meta;
    MDB_val key = env_val("meta", 4), value = env_val(&record, sizeof record);
    return mdb_put(txn, r->tables[ENV_META], &key, &value, 0);
}

static int open_tables(struct replica *r, MDB_txn *txn)
{
    for (int i = 0; i < ENV_TABLES; i++) {
        unsigned flags = tables[i].flags | (r->writer ? MDB_CREATE : 0);
        int rc = mdb_dbi_open(txn, tables[i].name, flags, &r->tables[i]);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* Readers that see the emptied tables see a new version with them. */
static int empty_foreign_format(struct replica *r, MDB_txn *txn)
{
    struct env_meta meta;
    enum replica_err err = env_meta_get(r, txn, &meta);
    if (err == REPLICA_OK) {
        return 0;
    }
    for (int i = 0; i < ENV_TABLES; i++) {
        int rc = mdb_drop(txn, r->tables[i], 0);
        if (rc != 0) {
            return rc;
        }
    }
    memset(&meta, 0, sizeof meta);
    meta.version = 1;
    return env_meta_put(r, txn, &meta);
}

static int open_env(struct replica *r, const char *dir, size_t map_bytes)
{
    MDB_txn *txn = NULL;
    int rc = mdb_env_create(&r->env);
    if (rc == 0 && map_bytes != 0) {
        rc = mdb_env_set_mapsize(r->env, map_bytes);
    }
    if (rc == 0) {
        rc = mdb_env_set_maxdbs(r->env, ENV_TABLES);
    }
    if (rc == 0) {
        rc = mdb_env_set_maxreaders(r->env, MAX_READERS);
    }
    if (rc == 0) {
        rc = mdb_env_open(r->env, dir, MDB_NOTLS | (r->writer ? 0 : MDB_RDONLY), 0600);
    }
    if (rc == 0) {
        rc = mdb_txn_begin(r->env, NULL, r->writer ? 0 : MDB_RDONLY, &txn);
    }
    if (rc == 0) {
        rc = open_tables(r, txn);
    }
    if (rc == 0 && r->writer) {
        rc = empty_foreign_format(r, txn);
    }
    if (rc == 0) {
        return mdb_txn_commit(txn);
    }
    if (txn != NULL) {
        mdb_txn_abort(txn);
    }
    return rc;
}

static enum replica_err open_replica(struct replica **out, const char *dir, bool writer,
                                     size_t map_bytes)
{
    struct replica *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return REPLICA_EMEMORY;
    }
    r->writer = writer;
    int rc = open_env(r, dir, map_bytes);
    if (rc != 0) {
        replica_close(&r);
        return env_error(rc);
    }
    *out = r;
    return REPLICA_OK;
}

enum replica_err replica_open_writer(struct replica **r, const char *dir, size_t map_bytes)
{
    if (mkdir(dir, 0770) != 0 && errno != EEXIST) {
        return REPLICA_EIO;
    }
    return open_replica(r, dir, true, map_bytes == 0 ? MAP_DEFAULT : map_bytes);
}

enum replica_err replica_open_reader(struct replica **r, const char *dir)
{
    return open_replica(r, dir, false, 0);
}

void replica_close(struct replica **r)
{
    if (*r == NULL) {
        return;
    }
    if ((*r)->env != NULL) {
        mdb_env_close((*r)->env);
    }
    free(*r);
    *r = NULL;
}

enum replica_err replica_cursor(struct replica *r, struct replica_cursor *cursor)
{
    MDB_txn *txn;
    struct env_meta meta;
    int rc = mdb_txn_begin(r->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0) {
        return env_error(rc);
    }
    enum replica_err err = env_meta_get(r, txn, &meta);
    mdb_txn_abort(txn);
    if (err == REPLICA_OK) {
        *cursor = meta.cursor;
    }
    return err;
}

void replica_check_readers(struct replica *r)
{
    int dead;
    (void)mdb_reader_check(r->env, &dead);
}
