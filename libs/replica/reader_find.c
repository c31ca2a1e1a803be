/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups by something else than an id, and walks over whole tables. */
#include <assert.h>

#include "base/clock.h"
#include "replica/env.h"
#include "replica/record.h"

static int liveness(const struct policy_grant *g, uint64_t now_ms)
{
    bool in_time = now_ms >= g->not_before_ms && (g->expires_ms == 0 || now_ms < g->expires_ms);
    return g->state != POLICY_ACTIVE ? 1 : in_time ? 3 : 2;
}

enum replica_err replica_find_grant(struct replica_reader *rd, const struct uuid *app,
                                    const struct policy_api *api, struct slice owner,
                                    struct policy_grant *g)
{
    assert(rd->active);
    uint8_t prefix[2 * UUID_LEN + 1 + RECORD_OWNER_MAX];
    if (owner.n > RECORD_OWNER_MAX) {
        return REPLICA_ENOTFOUND;
    }
    memcpy(prefix, app->b, UUID_LEN);
    memcpy(prefix + UUID_LEN, api->id.b, UUID_LEN);
    prefix[2 * UUID_LEN] = (uint8_t)owner.n;
    if (owner.n > 0) {
        memcpy(prefix + 2 * UUID_LEN + 1, owner.p, owner.n);
    }
    const size_t n = 2 * UUID_LEN + 1 + owner.n;
    const uint64_t now_ms = clock_wall_ms();
    struct policy_grant candidate;
    struct uuid id;
    int best = 0;
    enum replica_err err = env_next_in_prefix(rd->grants, prefix, n, true, &id);
    for (; err == REPLICA_OK; err = env_next_in_prefix(rd->grants, prefix, n, false, &id)) {
        err = replica_get_grant(rd, &id, api, &candidate);
        if (err != REPLICA_OK) {
            return err;
        }
        int rank = liveness(&candidate, now_ms);
        if (rank >= best) { /* among equals the newest: ids sort by time */
            best = rank;
            *g = candidate;
        }
    }
    return err == REPLICA_ENOTFOUND && best > 0 ? REPLICA_OK : err;
}

/* Credentials found by a key: the newest that `fits`, for ids sort by time. */
static enum replica_err find_credential(struct replica_reader *rd, enum env_credential_tag tag,
                                        struct slice what,
                                        bool (*fits)(const struct replica_credential *c,
                                                     struct slice what, uint64_t now_ms),
                                        uint64_t now_ms, struct replica_credential *c)
{
    assert(rd->active);
    uint8_t key[ENV_CREDENTIAL_KEY_MAX];
    size_t n = env_credential_key(key, tag, what);
    struct replica_credential candidate;
    struct uuid id, best;
    bool found = false;
    enum replica_err err = env_next_in_prefix(rd->credentials, key, n, true, &id);
    for (; err == REPLICA_OK; err = env_next_in_prefix(rd->credentials, key, n, false, &id)) {
        err = replica_get_credential(rd, &id, &candidate);
        if (err != REPLICA_OK) {
            return err;
        }
        bool newer = !found || memcmp(id.b, best.b, UUID_LEN) > 0;
        if (newer && fits(&candidate, what, now_ms)) {
            found = true;
            best = id;
            *c = candidate;
        }
    }
    return err == REPLICA_ENOTFOUND && found ? REPLICA_OK : err;
}

static bool fits_sm3(const struct replica_credential *c, struct slice sm3, uint64_t now_ms)
{
    (void)now_ms;
    return c->policy.state == POLICY_ACTIVE && c->certificate_mode == REPLICA_PINNED &&
           slice_eq(c->certificate_sm3, sm3);
}

enum replica_err replica_find_certificate(struct replica_reader *rd, const uint8_t sm3[static 32],
                                          struct replica_credential *c)
{
    return find_credential(rd, ENV_BY_SM3, slice_of((const char *)sm3, 32), fits_sm3, 0, c);
}

static bool fits_subject(const struct replica_credential *c, struct slice subject, uint64_t now_ms)
{
    (void)now_ms;
    return c->policy.state == POLICY_ACTIVE && c->certificate_mode == REPLICA_CA &&
           slice_eq(c->certificate_subject, subject);
}

enum replica_err replica_find_subject(struct replica_reader *rd, struct slice subject,
                                      struct replica_credential *c)
{
    if (subject.n == 0 || subject.n > RECORD_SUBJECT_MAX) {
        return REPLICA_ENOTFOUND;
    }
    return find_credential(rd, ENV_BY_SUBJECT, subject, fits_subject, 0, c);
}

static bool fits_encryption(const struct replica_credential *c, struct slice app, uint64_t now_ms)
{
    const struct policy_credential *k = &c->policy;
    return memcmp(k->app.b, app.p, UUID_LEN) == 0 && k->state == POLICY_ACTIVE &&
           k->use == POLICY_ENCRYPTION && now_ms >= k->not_before_ms &&
           (k->expires_ms == 0 || now_ms < k->expires_ms);
}

enum replica_err replica_find_encryption_key(struct replica_reader *rd, const struct uuid *app,
                                             uint64_t now_ms, struct replica_credential *c)
{
    struct slice what = slice_of((const char *)app->b, UUID_LEN);
    return find_credential(rd, ENV_BY_APP, what, fits_encryption, now_ms, c);
}

enum replica_err replica_revoked_before(struct replica_reader *rd, enum replica_revoked subject,
                                        struct slice value, uint64_t *before_ms)
{
    assert(rd->active);
    uint8_t key[1 + 2 * UUID_LEN] = {(uint8_t)subject};
    MDB_val k, v;
    if (value.n > 2 * UUID_LEN) {
        return REPLICA_ENOTFOUND;
    }
    memcpy(key + 1, value.p, value.n);
    k = env_val(key, 1 + value.n);
    int rc = mdb_get(rd->txn, rd->r->tables[ENV_REVOCATION_BY_SUBJECT], &k, &v);
    if (rc != 0) {
        return env_error(rc);
    }
    if (v.mv_size != 8) {
        return REPLICA_EFORMAT;
    }
    *before_ms = 0;
    for (int i = 0; i < 8; i++) {
        *before_ms = *before_ms << 8 | ((const uint8_t *)v.mv_data)[i];
    }
    return REPLICA_OK;
}

enum replica_err replica_get_account(struct replica_reader *rd, const struct uuid *id,
                                     struct replica_account *account)
{
    struct slice record;
    enum replica_err err = env_get_record(rd, ENV_ACCOUNT, id, &record);
    if (err != REPLICA_OK) {
        return err;
    }
    return record_unpack_account(record, account) ? REPLICA_OK : REPLICA_EFORMAT;
}

enum replica_err replica_user_may(struct replica_reader *rd, const struct uuid *user,
                                  const struct uuid *api, bool *may)
{
    struct slice record, apis;
    bool only, named = false;
    enum replica_err err = env_get_record(rd, ENV_USER, user, &record);
    *may = err == REPLICA_ENOTFOUND;
    if (err != REPLICA_OK) {
        return err == REPLICA_ENOTFOUND ? REPLICA_OK : err;
    }
    if (!record_unpack_user(record, &only, &apis)) {
        return REPLICA_EFORMAT;
    }
    for (size_t i = 0; i < apis.n && !named; i += UUID_LEN) {
        named = memcmp(apis.p + i, api->b, UUID_LEN) == 0;
    }
    *may = named == only;
    return REPLICA_OK;
}

/* Calls one() for each record of a table; a record it cannot read is told at the end. */
static enum replica_err each(struct replica_reader *rd, enum env_table table,
                             enum replica_err (*one)(void *ctx, const struct uuid *id,
                                                     struct slice record, bool *more),
                             void *ctx)
{
    assert(rd->active);
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open(rd->txn, rd->r->tables[table], &cursor);
    if (rc != 0) {
        return env_error(rc);
    }
    enum replica_err worst = REPLICA_OK;
    bool more = true;
    while (more && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        struct uuid id;
        enum replica_err err = REPLICA_EFORMAT;
        if (key.mv_size == UUID_LEN) {
            memcpy(id.b, key.mv_data, UUID_LEN);
            err = one(ctx, &id, slice_of(value.mv_data, value.mv_size), &more);
        }
        worst = err == REPLICA_OK ? worst : err;
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? worst : env_error(rc);
}

struct api_visit {
    bool (*visit)(void *ctx, const struct replica_api *api);
    void *ctx;
};

static enum replica_err visit_api(void *ctx, const struct uuid *id, struct slice record, bool *more)
{
    const struct api_visit *v = ctx;
    struct replica_api api;
    if (!record_unpack_api(record, &api, NULL)) {
        return REPLICA_EFORMAT;
    }
    api.policy.id = *id;
    api.prefix_bytes = (uint32_t)api.path.n;
    *more = v->visit(v->ctx, &api);
    return REPLICA_OK;
}

enum replica_err replica_each_api(struct replica_reader *rd,
                                  bool (*visit)(void *ctx, const struct replica_api *api),
                                  void *ctx)
{
    struct api_visit v = {visit, ctx};
    return each(rd, ENV_API, visit_api, &v);
}

enum replica_err replica_set_rev(struct replica_reader *rd, enum replica_set set, uint64_t *rev)
{
    assert(rd->active);
    if ((unsigned)set >= REPLICA_SETS) {
        return REPLICA_ENOTFOUND;
    }
    *rev = rd->set_revs[set];
    return REPLICA_OK;
}

struct set_visit {
    bool (*visit)(void *ctx, const struct uuid *id, uint64_t rev, struct slice json);
    void *ctx;
};

static enum replica_err visit_json(void *ctx, const struct uuid *id, struct slice record,
                                   bool *more)
{
    const struct set_visit *v = ctx;
    uint64_t rev;
    struct slice json;
    if (!record_unpack_json(record, &rev, &json)) {
        return REPLICA_EFORMAT;
    }
    *more = v->visit(v->ctx, id, rev, json);
    return REPLICA_OK;
}

enum replica_err replica_set_each(struct replica_reader *rd, enum replica_set set,
                                  bool (*visit)(void *ctx, const struct uuid *id, uint64_t rev,
                                                struct slice json),
                                  void *ctx)
{
    struct set_visit v = {visit, ctx};
    return (unsigned)set >= REPLICA_SETS ? REPLICA_ENOTFOUND
                                         : each(rd, ENV_LIMIT + set, visit_json, &v);
}
