/* SPDX-License-Identifier: Apache-2.0 */
/* The writer. A batch is one LMDB transaction: records, indexes, cursor and version change together
 * or not at all. An index entry is computed from the record alone, so the entry an old record left
 * is found and removed by computing it again from the old record. */
#include "replica/env.h"
#include "replica/record.h"

#define INDEX_KEY_MAX 511

struct index_entry {
    enum env_table table;
    uint8_t key[INDEX_KEY_MAX], value[8 + UUID_LEN];
    size_t key_n, value_n;
};

static void add_key(struct index_entry *e, const void *p, size_t n)
{
    memcpy(e->key + e->key_n, p, n);
    e->key_n += n;
}

static bool index_api(const struct uuid *id, struct slice record, struct index_entry *e)
{
    struct record_keys k;
    if (!record_keys_api(record, &k)) {
        return false;
    }
    *e = (struct index_entry){.table = ENV_ROUTE, .value_n = sizeof e->value};
    add_key(e, k.path.p, k.path.n);
    env_put_be64(e->value, ~k.rev);
    memcpy(e->value + 8, id->b, UUID_LEN);
    return true;
}

static bool index_subscription(const struct uuid *id, struct slice record, struct index_entry *e)
{
    struct record_keys k;
    uint8_t order[9];
    if (!record_keys_subscription(record, &k)) {
        return false;
    }
    *e = (struct index_entry){.table = ENV_SUBSCRIPTION_BY_APP};
    order[0] = k.state != POLICY_ACTIVE;
    env_put_be64(order + 1, ~k.rev);
    add_key(e, k.app.b, UUID_LEN);
    add_key(e, k.api.b, UUID_LEN);
    add_key(e, order, sizeof order);
    add_key(e, id->b, UUID_LEN);
    return true;
}

static bool index_grant(const struct uuid *id, struct slice record, struct index_entry *e)
{
    struct record_keys k;
    if (!record_keys_grant(record, &k)) {
        return false;
    }
    *e = (struct index_entry){.table = ENV_GRANT_BY_OWNER};
    uint8_t n = (uint8_t)k.owner.n;
    add_key(e, k.app.b, UUID_LEN);
    add_key(e, k.api.b, UUID_LEN);
    add_key(e, &n, 1);
    add_key(e, k.owner.p, k.owner.n);
    add_key(e, id->b, UUID_LEN);
    return true;
}

static bool index_credential(const struct uuid *id, struct slice record, struct index_entry *e)
{
    struct record_keys k;
    uint8_t key[ENV_CREDENTIAL_KEY_MAX];
    size_t n = 0;
    if (!record_keys_credential(record, &k)) {
        return false;
    }
    if (k.use == POLICY_ENCRYPTION) {
        n = env_credential_key(key, ENV_BY_APP, slice_of((const char *)k.app.b, UUID_LEN));
    } else if (k.mode == REPLICA_PINNED) {
        n = env_credential_key(key, ENV_BY_SM3, k.sm3);
    } else if (k.mode == REPLICA_CA) {
        n = env_credential_key(key, ENV_BY_SUBJECT, k.subject);
    }
    *e = (struct index_entry){.table = ENV_CREDENTIAL_BY_KEY};
    if (n > 0) {
        add_key(e, key, n);
        add_key(e, id->b, UUID_LEN);
    }
    return true;
}

/* One entry a subject: its id follows from the subject, so a later one replaces the earlier. */
static bool index_revocation(const struct uuid *id, struct slice record, struct index_entry *e)
{
    struct slice value;
    uint64_t before_ms;
    uint8_t subject;
    (void)id;
    if (!record_unpack_revocation(record, &subject, &value, &before_ms)) {
        return false;
    }
    *e = (struct index_entry){.table = ENV_REVOCATION_BY_SUBJECT, .value_n = 8};
    add_key(e, &subject, 1);
    add_key(e, value.p, value.n);
    env_put_be64(e->value, before_ms);
    return true;
}

static const struct kind {
    const char *name;
    enum env_table table;
    record_pack_fn *pack;
    /* An entry with an empty key: the record is in no index. */
    bool (*index)(const struct uuid *id, struct slice record, struct index_entry *e);
} kinds[] = {
    {"api", ENV_API, record_pack_api, index_api},
    {"app", ENV_APP, record_pack_app, NULL},
    {"credential", ENV_CREDENTIAL, record_pack_credential, index_credential},
    {"subscription", ENV_SUBSCRIPTION, record_pack_subscription, index_subscription},
    {"grant", ENV_GRANT, record_pack_grant, index_grant},
    {"dataset", ENV_DATASET, record_pack_json, NULL},
    {"source", ENV_SOURCE, record_pack_json, NULL},
    {"limit", ENV_LIMIT, record_pack_limit, NULL},
    {"list", ENV_LIST, record_pack_list, NULL},
    {"trust", ENV_TRUST, record_pack_trust, NULL},
    {"algorithm", ENV_ALGORITHM, record_pack_algorithm, NULL},
    {"token-key", ENV_TOKEN_KEY, record_pack_token_key, NULL},
    {"token-revocation", ENV_REVOCATION, record_pack_revocation, index_revocation},
    {"topic", ENV_TOPIC, record_pack_topic, NULL},
    {"event-subscription", ENV_EVENT_SUBSCRIPTION, record_pack_event_subscription, NULL},
    {"sdk-release", ENV_SDK_RELEASE, record_pack_sdk_release, NULL},
    {"schema", ENV_SCHEMA, record_pack_schema, NULL},
    {"conversion", ENV_CONVERSION, record_pack_conversion, NULL},
    {"composition", ENV_COMPOSITION, record_pack_composition, NULL},
    {"user-apis", ENV_USER, record_pack_user, NULL},
    {"account", ENV_ACCOUNT, record_pack_account, NULL},
};

struct batch {
    struct replica *r;
    MDB_txn *txn;
    struct buf record; /* reused from entry to entry */
    bool touched[ENV_TABLES];
};

static enum replica_err remove_record(struct batch *b, const struct kind *kind,
                                      const struct uuid *id)
{
    struct index_entry e;
    MDB_val key = env_val(id->b, UUID_LEN), old;
    int rc = mdb_get(b->txn, b->r->tables[kind->table], &key, &old);
    if (rc == MDB_NOTFOUND) {
        return REPLICA_OK;
    }
    if (rc == 0 && kind->index != NULL) {
        if (!kind->index(id, slice_of(old.mv_data, old.mv_size), &e)) {
            return REPLICA_EFORMAT;
        }
        MDB_val index_key = env_val(e.key, e.key_n), index_value = env_val(e.value, e.value_n);
        rc = e.key_n == 0 ? 0 : mdb_del(b->txn, b->r->tables[e.table], &index_key, &index_value);
        rc = rc == MDB_NOTFOUND ? 0 : rc;
    }
    if (rc == 0) {
        b->touched[kind->table] = true;
        rc = mdb_del(b->txn, b->r->tables[kind->table], &key, NULL);
    }
    return env_error(rc);
}

static enum replica_err put_record(struct batch *b, const struct kind *kind, const struct uuid *id)
{
    struct index_entry e;
    struct slice record = buf_slice(&b->record);
    MDB_val key = env_val(id->b, UUID_LEN), value = env_val(record.p, record.n);
    b->touched[kind->table] = true;
    int rc = mdb_put(b->txn, b->r->tables[kind->table], &key, &value, 0);
    if (rc != 0 || kind->index == NULL) {
        return env_error(rc);
    }
    if (!kind->index(id, record, &e)) {
        return REPLICA_EFORMAT;
    }
    if (e.key_n == 0) {
        return REPLICA_OK;
    }
    MDB_val index_key = env_val(e.key, e.key_n), index_value = env_val(e.value, e.value_n);
    return env_error(mdb_put(b->txn, b->r->tables[e.table], &index_key, &index_value, 0));
}

static const struct kind *kind_of(const json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "kind"));
    for (size_t i = 0; name != NULL && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

struct entry {
    const struct kind *kind; /* NULL: not kept here */
    struct uuid id;
    bool put;
};

/* Packs a put into *record. */
static bool read_entry(const json_t *json, struct entry *e, struct buf *record)
{
    const json_t *id = json_object_get(json, "id"), *seq = json_object_get(json, "seq");
    const char *op = json_string_value(json_object_get(json, "op"));
    if (!json_is_string(json_object_get(json, "kind")) || op == NULL || !json_is_string(id) ||
        !json_is_integer(seq) || json_integer_value(seq) < 0 ||
        !uuid_parse(&e->id, json_string_value(id), json_string_length(id))) {
        return false;
    }
    e->kind = kind_of(json);
    e->put = strcmp(op, "put") == 0;
    if (e->kind == NULL) {
        return true;
    }
    if (!e->put) {
        return strcmp(op, "del") == 0;
    }
    uint64_t rev = (uint64_t)json_integer_value(seq);
    return e->kind->pack(record, rev, json_object_get(json, "data"));
}

bool replica_entry_readable(const json_t *entry)
{
    struct entry e;
    struct buf record;
    buf_init(&record);
    bool ok = read_entry(entry, &e, &record);
    buf_wipe(&record);
    return ok;
}

static enum replica_err apply_entry(struct batch *b, const json_t *json)
{
    struct entry e;
    buf_clear(&b->record);
    if (!read_entry(json, &e, &b->record)) {
        return b->record.failed ? REPLICA_EMEMORY : REPLICA_EFORMAT;
    }
    if (e.kind == NULL) {
        return REPLICA_OK;
    }
    enum replica_err err = remove_record(b, e.kind, &e.id);
    if (err != REPLICA_OK || !e.put) {
        return err;
    }
    return put_record(b, e.kind, &e.id);
}

static enum replica_err empty_records(struct batch *b)
{
    for (int i = 0; i < ENV_META; i++) {
        int rc = mdb_drop(b->txn, b->r->tables[i], 0);
        if (rc != 0) {
            return env_error(rc);
        }
    }
    return REPLICA_OK;
}

static enum replica_err apply_all(struct batch *b, const json_t *entries,
                                  const struct replica_cursor *cursor, bool reset, size_t *bad)
{
    struct env_meta meta;
    size_t n = json_array_size(entries);
    enum replica_err err = env_meta_get(b->r, b->txn, &meta);
    if (err == REPLICA_OK && reset) {
        err = empty_records(b);
    }
    for (size_t i = 0; i < n && err == REPLICA_OK; i++) {
        err = apply_entry(b, json_array_get(entries, i));
        *bad = err == REPLICA_EFORMAT ? i : *bad;
    }
    if (err != REPLICA_OK) {
        return err;
    }
    meta.cursor = *cursor;
    meta.version += n > 0 || reset;
    for (int i = 0; i < REPLICA_SETS; i++) {
        meta.set_revs[i] += reset || b->touched[ENV_LIMIT + i];
    }
    return env_error(env_meta_put(b->r, b->txn, &meta));
}

enum replica_err replica_apply(struct replica *r, const json_t *entries,
                               const struct replica_cursor *cursor, bool reset, bool durable,
                               size_t *bad)
{
    struct batch b = {.r = r};
    if (entries != NULL && !json_is_array(entries)) {
        *bad = 0;
        return REPLICA_EFORMAT;
    }
    /* Without the meta page's sync a crash of the machine may lose this batch but never tear it:
     * MDB_NOSYNC could. */
    int rc = mdb_env_set_flags(r->env, MDB_NOMETASYNC, !durable);
    if (rc == 0) {
        rc = mdb_txn_begin(r->env, NULL, 0, &b.txn);
    }
    if (rc != 0) {
        return env_error(rc);
    }
    buf_init(&b.record);
    enum replica_err err = apply_all(&b, entries, cursor, reset, bad);
    buf_wipe(&b.record);
    if (err != REPLICA_OK) {
        mdb_txn_abort(b.txn);
        return err;
    }
    return env_error(mdb_txn_commit(b.txn));
}
