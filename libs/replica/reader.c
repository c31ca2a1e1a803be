/* SPDX-License-Identifier: Apache-2.0 */
/* A reader keeps one read transaction for its life and only renews it: no allocation and no lock on
 * the way of a call. Between calls the transaction is reset, so it holds no old page back. */
#include <assert.h>
#include <stdlib.h>

#include "replica/env.h"
#include "replica/record.h"

enum replica_err replica_reader_new(struct replica_reader **out, struct replica *r)
{
    struct replica_reader *rd = calloc(1, sizeof *rd);
    if (rd == NULL) {
        return REPLICA_EMEMORY;
    }
    rd->r = r;
    int rc = mdb_txn_begin(r->env, NULL, MDB_RDONLY, &rd->txn);
    if (rc == 0) {
        rc = mdb_cursor_open(rd->txn, r->tables[ENV_SUBSCRIPTION_BY_APP], &rd->subscriptions);
    }
    if (rc == 0) {
        rc = mdb_cursor_open(rd->txn, r->tables[ENV_GRANT_BY_OWNER], &rd->grants);
    }
    if (rc == 0) {
        rc = mdb_cursor_open(rd->txn, r->tables[ENV_CREDENTIAL_BY_KEY], &rd->credentials);
    }
    if (rc != 0) {
        replica_reader_free(&rd);
        return env_error(rc);
    }
    mdb_txn_reset(rd->txn);
    *out = rd;
    return REPLICA_OK;
}

void replica_reader_free(struct replica_reader **rd)
{
    if (*rd == NULL) {
        return;
    }
    if ((*rd)->subscriptions != NULL) {
        mdb_cursor_close((*rd)->subscriptions);
    }
    if ((*rd)->grants != NULL) {
        mdb_cursor_close((*rd)->grants);
    }
    if ((*rd)->credentials != NULL) {
        mdb_cursor_close((*rd)->credentials);
    }
    if ((*rd)->txn != NULL) {
        mdb_txn_abort((*rd)->txn);
    }
    free(*rd);
    *rd = NULL;
}

enum replica_err replica_read_begin(struct replica_reader *rd, uint64_t *version,
                                    uint64_t *synced_ms)
{
    struct env_meta meta;
    replica_read_end(rd);
    int rc = mdb_txn_renew(rd->txn);
    if (rc != 0) {
        return env_error(rc);
    }
    rd->active = true;
    rc = mdb_cursor_renew(rd->txn, rd->subscriptions);
    if (rc == 0) {
        rc = mdb_cursor_renew(rd->txn, rd->grants);
    }
    if (rc == 0) {
        rc = mdb_cursor_renew(rd->txn, rd->credentials);
    }
    enum replica_err err = rc != 0 ? env_error(rc) : env_meta_get(rd->r, rd->txn, &meta);
    if (err != REPLICA_OK) {
        replica_read_end(rd);
        return err;
    }
    *version = meta.version;
    *synced_ms = meta.cursor.synced_ms;
    memcpy(rd->set_revs, meta.set_revs, sizeof rd->set_revs);
    return REPLICA_OK;
}

void replica_read_end(struct replica_reader *rd)
{
    if (rd->active) {
        mdb_txn_reset(rd->txn);
        rd->active = false;
    }
}

enum replica_err env_get_record(struct replica_reader *rd, enum env_table table,
                                const struct uuid *id, struct slice *record)
{
    assert(rd->active);
    MDB_val key = env_val(id->b, UUID_LEN), value;
    int rc = mdb_get(rd->txn, rd->r->tables[table], &key, &value);
    if (rc != 0) {
        return env_error(rc);
    }
    *record = slice_of(value.mv_data, value.mv_size);
    return REPLICA_OK;
}

enum replica_err replica_get_api(struct replica_reader *rd, const struct uuid *id,
                                 struct replica_api *api, struct policy_field *fields)
{
    struct slice record;
    enum replica_err err = env_get_record(rd, ENV_API, id, &record);
    if (err != REPLICA_OK) {
        return err;
    }
    if (!record_unpack_api(record, api, fields)) {
        return REPLICA_EFORMAT;
    }
    api->policy.id = *id;
    api->prefix_bytes = (uint32_t)api->path.n;
    return REPLICA_OK;
}

/* Offsets at which a whole segment of the path ends, shortest prefix first. */
static size_t segment_ends(struct slice path, size_t ends[static REPLICA_SEGMENTS_MAX])
{
    size_t n = 0;
    for (size_t i = 1; i <= path.n && i <= REPLICA_PATH_MAX && n < REPLICA_SEGMENTS_MAX; i++) {
        if (i == path.n || path.p[i] == '/') {
            ends[n++] = i;
        }
    }
    return n;
}

enum replica_err replica_route(struct replica_reader *rd, struct slice path,
                               struct replica_api *api, struct policy_field *fields)
{
    assert(rd->active);
    size_t ends[REPLICA_SEGMENTS_MAX];
    for (size_t n = segment_ends(path, ends); n > 0; n--) {
        MDB_val key = env_val(path.p, ends[n - 1]), value;
        int rc = mdb_get(rd->txn, rd->r->tables[ENV_ROUTE], &key, &value);
        if (rc == MDB_NOTFOUND) {
            continue;
        }
        if (rc != 0) {
            return env_error(rc);
        }
        struct uuid id;
        if (value.mv_size != 8 + UUID_LEN) {
            return REPLICA_EFORMAT;
        }
        memcpy(id.b, (const uint8_t *)value.mv_data + 8, UUID_LEN);
        enum replica_err err = replica_get_api(rd, &id, api, fields);
        return err == REPLICA_ENOTFOUND ? REPLICA_EFORMAT : err; /* a route to nothing */
    }
    return REPLICA_ENOTFOUND;
}

enum replica_err replica_get_app(struct replica_reader *rd, const struct uuid *id,
                                 struct replica_app *app)
{
    struct slice record;
    enum replica_err err = env_get_record(rd, ENV_APP, id, &record);
    if (err != REPLICA_OK) {
        return err;
    }
    if (!record_unpack_app(record, app)) {
        return REPLICA_EFORMAT;
    }
    app->policy.id = *id;
    return REPLICA_OK;
}

enum replica_err replica_get_credential(struct replica_reader *rd, const struct uuid *id,
                                        struct replica_credential *c)
{
    struct slice record;
    enum replica_err err = env_get_record(rd, ENV_CREDENTIAL, id, &record);
    if (err != REPLICA_OK) {
        return err;
    }
    if (!record_unpack_credential(record, c)) {
        return REPLICA_EFORMAT;
    }
    c->policy.id = *id;
    return REPLICA_OK;
}

enum replica_err env_next_in_prefix(MDB_cursor *cursor, const uint8_t *prefix, size_t n, bool first,
                                    struct uuid *id)
{
    MDB_val key = env_val(prefix, n), value;
    int rc = mdb_cursor_get(cursor, &key, &value, first ? MDB_SET_RANGE : MDB_NEXT);
    if (rc != 0) {
        return env_error(rc);
    }
    if (key.mv_size < n + UUID_LEN || memcmp(key.mv_data, prefix, n) != 0) {
        return REPLICA_ENOTFOUND;
    }
    memcpy(id->b, (const uint8_t *)key.mv_data + key.mv_size - UUID_LEN, UUID_LEN);
    return REPLICA_OK;
}

enum replica_err replica_get_subscription(struct replica_reader *rd, const struct uuid *app,
                                          const struct policy_api *api,
                                          struct policy_subscription *s)
{
    assert(rd->active);
    uint8_t prefix[2 * UUID_LEN];
    struct uuid id;
    struct slice record;
    memcpy(prefix, app->b, UUID_LEN);
    memcpy(prefix + UUID_LEN, api->id.b, UUID_LEN);
    enum replica_err err = env_next_in_prefix(rd->subscriptions, prefix, sizeof prefix, true, &id);
    if (err == REPLICA_OK) {
        err = env_get_record(rd, ENV_SUBSCRIPTION, &id, &record);
    }
    if (err != REPLICA_OK) {
        return err;
    }
    return record_unpack_subscription(record, api, s) ? REPLICA_OK : REPLICA_EFORMAT;
}

enum replica_err replica_get_grant(struct replica_reader *rd, const struct uuid *id,
                                   const struct policy_api *api, struct policy_grant *g)
{
    struct slice record;
    enum replica_err err = env_get_record(rd, ENV_GRANT, id, &record);
    if (err != REPLICA_OK) {
        return err;
    }
    if (!record_unpack_grant(record, api, g)) {
        return REPLICA_EFORMAT;
    }
    g->id = *id;
    return REPLICA_OK;
}

enum replica_err replica_get_json(struct replica_reader *rd, const char *kind,
                                  const struct uuid *id, uint64_t *rev, struct slice *json)
{
    static const struct {
        const char *kind;
        enum env_table table;
    } rows[] = {{"dataset", ENV_DATASET},
                {"source", ENV_SOURCE},
                {"schema", ENV_SCHEMA},
                {"conversion", ENV_CONVERSION},
                {"composition", ENV_COMPOSITION}};
    struct slice record;
    size_t i = 0, n = sizeof rows / sizeof *rows;
    while (i < n && strcmp(rows[i].kind, kind) != 0) {
        i++;
    }
    if (i == n) {
        return REPLICA_ENOTFOUND;
    }
    enum replica_err err = env_get_record(rd, rows[i].table, id, &record);
    if (err != REPLICA_OK) {
        return err;
    }
    return record_unpack_json(record, rev, json) ? REPLICA_OK : REPLICA_EFORMAT;
}
