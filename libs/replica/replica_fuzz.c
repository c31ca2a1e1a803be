/* SPDX-License-Identifier: Apache-2.0 */
/* First byte even: the rest is a record of any kind. Odd: the rest is a feed batch in JSON, packed
 * by replica_apply into a replica in memory and read back. */
#include <stdlib.h>
#include <unistd.h>

#include "replica/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct policy_field fields[POLICY_FIELDS_MAX];

static void fuzz_records(struct slice in)
{
    struct replica_api api;
    struct replica_app app;
    struct replica_credential c;
    struct policy_subscription s;
    struct policy_grant g;
    struct record_keys k;
    struct slice json;
    uint64_t rev;
    const struct policy_api *p = record_unpack_api(in, &api, fields) ? &api.policy : NULL;
    const bool read[] = {record_unpack_app(in, &app),           record_unpack_credential(in, &c),
                         record_unpack_subscription(in, p, &s), record_unpack_grant(in, p, &g),
                         record_unpack_json(in, &rev, &json),   record_keys_api(in, &k),
                         record_keys_subscription(in, &k),      record_keys_grant(in, &k),
                         record_keys_credential(in, &k),        record_unpack_api(in, &api, NULL)};
    (void)read;
}

static struct replica *open_once(struct replica_reader **rd)
{
    static struct replica *r;
    static struct replica_reader *reader;
    if (r == NULL) {
        char dir[] = "/dev/shm/replica-fuzz-XXXXXX";
        if (mkdtemp(dir) == NULL || replica_open_writer(&r, dir, 64 << 20) != REPLICA_OK ||
            replica_reader_new(&reader, r) != REPLICA_OK) {
            abort();
        }
    }
    *rd = reader;
    return r;
}

/* An active credential is found by whatever it may be found by. */
static void find_back(struct replica_reader *rd, const struct replica_credential *c)
{
    struct replica_credential found;
    bool signs = c->policy.use == POLICY_SIGNING;
    enum replica_err err = REPLICA_OK;
    if (signs && c->certificate_mode == REPLICA_PINNED) {
        err = replica_find_certificate(rd, (const uint8_t *)c->certificate_sm3.p, &found);
    } else if (signs && c->certificate_mode == REPLICA_CA) {
        err = replica_find_subject(rd, c->certificate_subject, &found);
    } else if (!signs) {
        err = replica_find_encryption_key(rd, &c->policy.app, c->policy.not_before_ms, &found);
        bool never = c->policy.expires_ms != 0 && c->policy.expires_ms <= c->policy.not_before_ms;
        err = never && err == REPLICA_ENOTFOUND ? REPLICA_OK : err;
    }
    if (err != REPLICA_OK) {
        abort();
    }
}

static bool see_api(void *ctx, const struct replica_api *api)
{
    (void)ctx;
    return api->policy.n_fields == 0;
}

static bool see_json(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    (void)ctx, (void)id, (void)rev;
    return json.n > 0;
}

static void walk_back(struct replica_reader *rd)
{
    bool bad = replica_each_api(rd, see_api, NULL) != REPLICA_OK;
    for (int set = 0; set < REPLICA_SETS; set++) {
        bad |= replica_set_each(rd, (enum replica_set)set, see_json, NULL) != REPLICA_OK;
    }
    if (bad) {
        abort();
    }
}

static void read_back(struct replica_reader *rd, const json_t *entry)
{
    struct uuid id;
    struct replica_api api;
    struct replica_app app;
    struct replica_credential c;
    struct policy_grant g;
    const json_t *text = json_object_get(entry, "id");
    if (!json_is_string(text) ||
        !uuid_parse(&id, json_string_value(text), json_string_length(text))) {
        return;
    }
    static const char *const kinds[] = {"schema", "conversion", "composition", "dataset", "source"};
    struct slice raw;
    uint64_t rev;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        enum replica_err err = replica_get_json(rd, kinds[i], &id, &rev, &raw);
        if (err != REPLICA_OK && err != REPLICA_ENOTFOUND) {
            abort();
        }
    }
    if (replica_get_credential(rd, &id, &c) == REPLICA_OK && c.policy.state == POLICY_ACTIVE) {
        find_back(rd, &c);
    }
    enum replica_err errs[] = {replica_get_api(rd, &id, &api, fields),
                               replica_get_app(rd, &id, &app), replica_get_credential(rd, &id, &c),
                               replica_get_grant(rd, &id, NULL, &g)};
    for (size_t i = 0; i < sizeof errs / sizeof *errs; i++) {
        if (errs[i] != REPLICA_OK && errs[i] != REPLICA_ENOTFOUND) {
            abort(); /* what was packed must unpack */
        }
    }
}

static void fuzz_apply(const uint8_t *data, size_t size)
{
    struct replica_reader *rd;
    struct replica *r = open_once(&rd);
    struct replica_cursor cursor = {.seq = 1};
    uint64_t version, synced;
    size_t bad;
    json_t *list = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
    if (list != NULL && replica_apply(r, list, &cursor, true, false, &bad) == REPLICA_OK) {
        if (replica_read_begin(rd, &version, &synced) != REPLICA_OK) {
            abort();
        }
        for (size_t i = 0; i < json_array_size(list); i++) {
            read_back(rd, json_array_get(list, i));
        }
        walk_back(rd);
        replica_read_end(rd);
    }
    json_decref(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        fuzz_records(slice_of((const char *)data + 1, size - 1));
    } else {
        fuzz_apply(data + 1, size - 1);
    }
    return 0;
}
