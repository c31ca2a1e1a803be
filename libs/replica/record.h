/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of one record: a version byte, then fixed numbers (little endian) and texts with their
 * length before them, in the order of the struct. Pure functions; the replica's other files alone
 * use them. pack reads the feed's JSON (contract/feed.md) and is strict: a member missing, of the
 * wrong type or with an unknown word makes the entry unreadable, never a default. unpack trusts no
 * byte: a damaged record is false, and then *out is unspecified. */
#pragma once
#include "base/buf.h"
#include "replica/replica.h"

#define RECORD_VERSION     12
#define RECORD_OWNER_MAX   128  /* bytes, = LINK_OWNER_MAX */
#define RECORD_SUBJECT_MAX 1024 /* bytes of a certificate's subject */

typedef bool record_pack_fn(struct buf *out, uint64_t rev, const json_t *data);
/* Looks up upstream host names: blocks on DNS. A host that has no address packs as "". */
record_pack_fn record_pack_api;
record_pack_fn record_pack_app, record_pack_credential, record_pack_subscription, record_pack_grant,
    record_pack_json;
/* Checked, and then as record_pack_json. */
record_pack_fn record_pack_limit, record_pack_list, record_pack_trust, record_pack_algorithm,
    record_pack_schema, record_pack_conversion, record_pack_composition, record_pack_token_key,
    record_pack_topic, record_pack_event_subscription, record_pack_sdk_release;
record_pack_fn record_pack_revocation, record_pack_user, record_pack_account;

/* policy.id and the like are not in the record: the caller knows them, they are its key. */
/* fields: room for POLICY_FIELDS_MAX, or NULL: they are passed over and n_fields is 0. */
bool record_unpack_api(struct slice in, struct replica_api *api, struct policy_field *fields)
    __attribute__((warn_unused_result));
bool record_unpack_app(struct slice in, struct replica_app *app)
    __attribute__((warn_unused_result));
bool record_unpack_credential(struct slice in, struct replica_credential *c)
    __attribute__((warn_unused_result));
/* api: its fields give the bits; NULL sets none. */
bool record_unpack_subscription(struct slice in, const struct policy_api *api,
                                struct policy_subscription *s) __attribute__((warn_unused_result));
bool record_unpack_grant(struct slice in, const struct policy_api *api, struct policy_grant *g)
    __attribute__((warn_unused_result));
/* Of a revocation: whom, as its index key says it, and up to when. */
bool record_unpack_revocation(struct slice in, uint8_t *subject, struct slice *value,
                              uint64_t *before_ms) __attribute__((warn_unused_result));
bool record_unpack_account(struct slice in, struct replica_account *a)
    __attribute__((warn_unused_result));
/* Of a user: the only APIs (only), or all but these; 16 bytes each. */
bool record_unpack_user(struct slice in, bool *only, struct slice *apis)
    __attribute__((warn_unused_result));
bool record_unpack_json(struct slice in, uint64_t *rev, struct slice *json)
    __attribute__((warn_unused_result));

/* The parts indexes are made of, for the kinds that have an index. */
struct record_keys {
    uint64_t rev;
    uint8_t state;
    struct uuid app, api;     /* subscription, grant; credential: app */
    struct slice owner, path; /* grant; api */
    uint8_t use, mode;        /* credential */
    struct slice sm3, subject;
};
bool record_keys_api(struct slice in, struct record_keys *k) __attribute__((warn_unused_result));
bool record_keys_subscription(struct slice in, struct record_keys *k)
    __attribute__((warn_unused_result));
bool record_keys_credential(struct slice in, struct record_keys *k)
    __attribute__((warn_unused_result));
bool record_keys_grant(struct slice in, struct record_keys *k) __attribute__((warn_unused_result));

/* record_path.c ----------------------------------------------------------------------------------
 */
/* "/a/b/v1": 1 to REPLICA_SEGMENTS_MAX whole segments, no dot segments, unreserved characters. */
bool record_path_ok(struct slice path);
/* "http://host:port/base" or "https://…" (tls) in parts; base keeps no '/' at its end. Without a
 * port it is the scheme's. */
struct record_upstream {
    struct slice host, base;
    uint16_t port;
    bool tls;
};
bool record_upstream_split(struct slice url, struct record_upstream *out);
/* "host:port" of a URL that record_upstream_split took, as written. */
struct slice record_upstream_host(struct slice url);
#define RECORD_ADDRESS_MAX 64
/* Writes "10.0.0.7:8080" or "[::1]:8080" and a NUL; "" when the host has no address. */
void record_upstream_resolve(struct slice host, uint16_t port, char out[static RECORD_ADDRESS_MAX]);
