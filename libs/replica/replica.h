/* SPDX-License-Identifier: Apache-2.0 */
/* The policy replica: an LMDB environment one writer (the node's agent) keeps up to date from the
 * change feed and any number of readers (gateway workers, data service, explain) read without
 * locks. Records are packed binary made from the feed's JSON (contract/feed.md); a reader gets
 * views into the page, good until its next replica_read_begin/end. A reader sees each feed batch
 * wholly or not at all, together with its cursor. Crash-safe: a killed writer loses at most the
 * unacknowledged batch. */
#pragma once
#include <jansson.h>

#include "crypto/crypto.h"
#include "id/uuid.h"
#include "policy/policy.h"

enum replica_err {
    REPLICA_OK,
    REPLICA_ENOTFOUND,
    REPLICA_EFORMAT /* record or entry cannot be read */,
    REPLICA_EFULL /* map full */,
    REPLICA_EIO,
    REPLICA_EMEMORY
};
const char *replica_strerror(enum replica_err err);

#define REPLICA_PATH_MAX     255 /* bytes of an API's path; LMDB keys end at 511 */
#define REPLICA_ENTRY_MAX    32  /* bytes of an entry point's name */
#define REPLICA_EPOCH_LEN    16
#define REPLICA_SEGMENTS_MAX 12 /* path segments tried by replica_route */

struct replica; /* one per process; a read handle per thread */
struct replica_reader;

enum replica_err replica_open_writer(struct replica **r, const char *dir, size_t map_bytes)
    __attribute__((warn_unused_result)); /* makes dir */
enum replica_err replica_open_reader(struct replica **r, const char *dir)
    __attribute__((warn_unused_result));
void replica_close(struct replica **r);

/* Writer: one thread. ------------------------------------------------------------------------- */
struct replica_cursor {
    uint8_t epoch[REPLICA_EPOCH_LEN]; /* the store's birth; another epoch needs a full resync */
    uint64_t seq;
    uint64_t synced_ms; /* wall time at which the node knew itself up to date */
};
/* Applies entries (a JSON array of contract/feed.md entries) and the cursor in one transaction.
 * reset: the entries are the whole state; what is not among them goes. Entries of kinds this node
 * does not keep are skipped. *bad: index of the entry at fault on EFORMAT; nothing is applied then.
 * durable false skips the disk sync (heartbeats). */
enum replica_err replica_apply(struct replica *r, const json_t *entries,
                               const struct replica_cursor *cursor, bool reset, bool durable,
                               size_t *bad) __attribute__((warn_unused_result));
/* True when replica_apply can read the entry: what a caller does with those it cannot is its
 * policy. */
bool replica_entry_readable(const json_t *entry);
enum replica_err replica_cursor(struct replica *r, struct replica_cursor *cursor)
    __attribute__((warn_unused_result)); /* zeros when new */
/* Removes reader slots of dead processes; call now and then. */
void replica_check_readers(struct replica *r);

/* Readers: one thread per reader. ----------------------------------------------------------------
 */
enum replica_err replica_reader_new(struct replica_reader **rd, struct replica *r)
    __attribute__((warn_unused_result));
void replica_reader_free(struct replica_reader **rd);
/* Begins a snapshot; *version changes exactly when anything but a heartbeat did. Cheap (no malloc).
 */
enum replica_err replica_read_begin(struct replica_reader *rd, uint64_t *version,
                                    uint64_t *synced_ms) __attribute__((warn_unused_result));
void replica_read_end(struct replica_reader *rd);

/* SANDBOX: for apps in their test stage, and for nobody else. */
enum replica_role { REPLICA_PRIMARY = 1, REPLICA_STANDBY, REPLICA_CANARY, REPLICA_SANDBOX };
enum replica_balance { REPLICA_ROUND_ROBIN = 1, REPLICA_LEAST_CONNECTIONS };
enum replica_seal { REPLICA_SEAL_OFF, REPLICA_SEAL_OPTIONAL, REPLICA_SEAL_REQUIRED };
enum replica_certificate { REPLICA_PINNED = 1, REPLICA_CA };
#define REPLICA_TARGETS_MAX     16
#define REPLICA_CANARY_APPS_MAX 64
#define REPLICA_AUDIENCE_MAX    100 /* users a grant may be for */

struct replica_target {
    struct slice address; /* "10.0.0.7:8080" as resolved by the agent, "" none */
    struct slice host;    /* as written, for the Host header */
    struct slice name;    /* the host without its port: whose certificate it must show */
    struct slice path;    /* "/base" put in front of what follows the API's path */
    uint16_t weight;      /* 1..1000 */
    uint8_t role;         /* enum replica_role */
    bool tls;             /* asked over TLS alone */
};

/* Defaults of contract/feed.md are filled in. */
/* What a call may say of its user, and what a grant has a keyed digest of (crypto/verifier.h, over
 * the name below, the owner and the value). The order is the records'. */
enum replica_claim {
    REPLICA_REAL_NAME,
    REPLICA_ID_NUMBER,
    REPLICA_PHONE,
    REPLICA_EMAIL,
    REPLICA_BIRTH_DATE,
    REPLICA_CLAIMS
};
extern const char *const replica_claim_names[REPLICA_CLAIMS];

struct replica_api {
    struct policy_api policy; /* .fields points at fields below or the heap: see replica_api_free */
    struct slice name, path;  /* path "/trade/orders/v1" */
    struct slice upstream;    /* targets[0].address; "" unless POLICY_HTTP */
    struct slice upstream_path; /* targets[0].path */
    struct slice profile;       /* "rest", or "getEnterpriseGrade" … : see contract/feed.md */
    struct uuid dataset;
    bool user_confirmation; /* each call needs what its user confirmed of it (token/confirmation.h)
                             */
    bool batch;             /* of a dataset: export jobs may be asked for */
    bool documents;         /* of a dataset: its rows have files below `files` */
    uint32_t timeout_ms;
    uint32_t max_body_bytes;
    uint32_t prefix_bytes; /* of the request path that replica_route matched */
    struct replica_target targets[REPLICA_TARGETS_MAX];
    uint8_t n_targets; /* POLICY_HTTP: 1 or more; else 0 */
    uint8_t balance;   /* enum replica_balance */
    uint8_t retries, canary_percent;
    struct slice canary_apps;  /* 16 bytes each, at most REPLICA_CANARY_APPS_MAX */
    uint32_t breaker_failures; /* 0: no breaker */
    uint32_t breaker_window_ms, breaker_open_ms;
    struct slice health_path; /* "": no active check */
    uint32_t health_interval_ms, health_timeout_ms;
    uint32_t cache_ms; /* 0: not cached */
    uint64_t cache_epoch;
    bool internal;           /* parts of composed APIs alone reach it (BK-A-2) */
    struct slice entry;      /* the named entry point it is behind alone (BK-A-3); "": the public */
    bool account_parameters; /* accessid, username and pwd prove the caller too */
    uint16_t signature_max_s;
    bool sign_response;                  /* always true of A2 */
    uint8_t seal_request, seal_response; /* enum replica_seal */
    bool has_schema, has_conversion;     /* without that record calls are refused */
    struct slice successor, notice_zh, notice_en;
    struct slice claims[REPLICA_CLAIMS]; /* where a body says who its user is; "": nowhere */
    struct slice amount_path; /* where in a body it says how much money it moves; "": none */
};
#define REPLICA_APP_VERSION_MAX 40
struct replica_app {
    struct policy_app policy;
    struct uuid org;
    struct slice name;
    struct slice subject; /* its organisation's value in owner columns, "" none */
    struct slice version; /* of the app, that is live; "" none */
    bool states_version;  /* each call says which version it is of */
};
struct replica_credential {
    struct policy_credential policy;
    struct slice secret_sealed;   /* "" when the algorithm has a public key */
    struct slice public_key;      /* SPKI DER, or "" */
    uint8_t certificate_mode;     /* enum replica_certificate, 0 none */
    struct slice certificate_sm3; /* 32 bytes, or "" */
    struct slice certificate_subject;
};

/* The API whose path is the longest prefix, in whole segments, of `path` (no query string).
 * O(segments), whatever the number of APIs. fields[] is filled (cap POLICY_FIELDS_MAX) and
 * policy.fields set to it. */
enum replica_err replica_route(struct replica_reader *rd, struct slice path,
                               struct replica_api *api, struct policy_field *fields)
    __attribute__((warn_unused_result));
enum replica_err replica_get_api(struct replica_reader *rd, const struct uuid *id,
                                 struct replica_api *api, struct policy_field *fields)
    __attribute__((warn_unused_result));
enum replica_err replica_get_app(struct replica_reader *rd, const struct uuid *id,
                                 struct replica_app *app) __attribute__((warn_unused_result));
enum replica_err replica_get_credential(struct replica_reader *rd, const struct uuid *id,
                                        struct replica_credential *c)
    __attribute__((warn_unused_result));
/* Field bits are resolved against api's fields by name, so an API revision cannot shift them. */
enum replica_err replica_get_subscription(struct replica_reader *rd, const struct uuid *app,
                                          const struct policy_api *api,
                                          struct policy_subscription *s)
    __attribute__((warn_unused_result));
enum replica_err replica_get_grant(struct replica_reader *rd, const struct uuid *id,
                                   const struct policy_api *api, struct policy_grant *g)
    __attribute__((warn_unused_result));
/* Finds the live grant of an owner for an app and API, for explain. */
enum replica_err replica_find_grant(struct replica_reader *rd, const struct uuid *app,
                                    const struct policy_api *api, struct slice owner,
                                    struct policy_grant *g) __attribute__((warn_unused_result));
/* By the client certificate of the connection. Only active signing credentials; whether they are in
 * their time is policy_decide's to say. Among equals the newest. By SM3: mode pinned. By subject
 * (RFC 4514 text, compared byte for byte): mode ca, the chain is the caller's to check. */
enum replica_err replica_find_certificate(struct replica_reader *rd, const uint8_t sm3[static 32],
                                          struct replica_credential *c)
    __attribute__((warn_unused_result));
enum replica_err replica_find_subject(struct replica_reader *rd, struct slice subject,
                                      struct replica_credential *c)
    __attribute__((warn_unused_result));
/* The app's newest encryption key that is active and in its time. */
enum replica_err replica_find_encryption_key(struct replica_reader *rd, const struct uuid *app,
                                             uint64_t now_ms, struct replica_credential *c)
    __attribute__((warn_unused_result));
/* Raw JSON of one record's data. kind: "dataset" | "source" | "schema" | "conversion" |
 * "composition"; another is ENOTFOUND. */
enum replica_err replica_get_json(struct replica_reader *rd, const char *kind,
                                  const struct uuid *id, uint64_t *rev, struct slice *json)
    __attribute__((warn_unused_result));

/* Every API, in id order, without its fields (n_fields 0). visit returns false to stop; what it is
 * given lasts until it returns. EFORMAT when a record cannot be read: the others are visited. */
enum replica_err replica_each_api(struct replica_reader *rd,
                                  bool (*visit)(void *ctx, const struct replica_api *api),
                                  void *ctx) __attribute__((warn_unused_result));

/* Tokens of a subject issued at or before *before_ms are void; ENOTFOUND: none are. app-user: the
 * app's id and the user's, 32 bytes. O(log n) of all revocations. */
enum replica_revoked {
    REPLICA_REVOKED_TOKEN = 1,
    REPLICA_REVOKED_GRANT,
    REPLICA_REVOKED_SESSION,
    REPLICA_REVOKED_FAMILY,
    REPLICA_REVOKED_APP_USER
};
enum replica_err replica_revoked_before(struct replica_reader *rd, enum replica_revoked subject,
                                        struct slice value, uint64_t *before_ms)
    __attribute__((warn_unused_result));

/* Who may call which API by accessid, username and pwd (feed kind `account`; the id: the start of
 * SM3 over the accessid of the app for that API, a NUL and the username). */
struct replica_account {
    struct uuid user, app, api;
    struct uuid accessid;              /* the account's own, which its verifier is over */
    uint8_t verifier[CRYPTO_HASH_LEN]; /* crypto/verifier.h */
};
enum replica_err replica_get_account(struct replica_reader *rd, const struct uuid *id,
                                     struct replica_account *account)
    __attribute__((warn_unused_result));

/* Whether a call with a token of this user's may reach the API, as far as the user's account says
 * (feed kind `user-apis`); true when nothing is said. O(log n) of all users, then O(n) of the APIs
 * named. */
enum replica_err replica_user_may(struct replica_reader *rd, const struct uuid *user,
                                  const struct uuid *api, bool *may)
    __attribute__((warn_unused_result));

/* Small sets that a process holds whole: limits, lists, trust anchors, algorithms, the keys of
 * tokens, topics and who is pushed their events, releases of software kits. */
enum replica_set {
    REPLICA_LIMITS,
    REPLICA_LISTS,
    REPLICA_TRUST,
    REPLICA_ALGORITHMS,
    REPLICA_TOKEN_KEYS,
    REPLICA_TOPICS,
    REPLICA_EVENT_SUBSCRIPTIONS,
    REPLICA_SDK_RELEASES,
    REPLICA_SETS
};
/* *rev changes exactly when a record of the set does, or at a reset. O(1). */
enum replica_err replica_set_rev(struct replica_reader *rd, enum replica_set set, uint64_t *rev)
    __attribute__((warn_unused_result));
/* Each record of the set in id order; rev is the record's, json its data, borrowed until the read
 * ends. visit returns false to stop. */
enum replica_err replica_set_each(struct replica_reader *rd, enum replica_set set,
                                  bool (*visit)(void *ctx, const struct uuid *id, uint64_t rev,
                                                struct slice json),
                                  void *ctx) __attribute__((warn_unused_result));
