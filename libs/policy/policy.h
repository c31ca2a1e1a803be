/* SPDX-License-Identifier: Apache-2.0 */
/* One decision (design section 3). decide() is a pure function of its input: gateway, data service,
 * `sluice explain` and the control plane's explain resource all call it, so each gives the answer
 * the others give. Deny by default: what is missing, unknown or out of range yields nothing.
 * No allocation, no I/O, no clock of its own; safe from any thread. */
#pragma once
#include "id/uuid.h"
#include "mask/mask.h"
#include "problem/problem.h"

/* Numbers below reach the replica and audit records: append only. */
enum policy_level { POLICY_UNCLASSIFIED, POLICY_L1, POLICY_L2, POLICY_L3, POLICY_L4 }; /* EC-5.2 */
enum policy_class { POLICY_A1 = 1, POLICY_A2 };                                        /* BK-6.2 */
enum policy_environment { POLICY_GENERAL = 1, POLICY_MONITORED, POLICY_CONTROLLED }; /* EC-7.1.3 */
enum policy_access {
    POLICY_SUBSCRIPTION = 1,
    POLICY_REGISTERED
}; /* REGISTERED: any admitted app, L1 fields only (EC-5.2-T1) */
enum policy_api_state { POLICY_API_PUBLISHED = 1, POLICY_API_DEPRECATED, POLICY_API_OFFLINE };
enum policy_api_kind { POLICY_DATASET = 1, POLICY_HTTP, POLICY_COMPOSED, POLICY_TOPIC };
enum policy_state {
    POLICY_INACTIVE,
    POLICY_ACTIVE,
    POLICY_REVOKED,
    POLICY_TESTING /* of an app alone: decided as an active one, and given synthetic data only */
};                 /* of app, credential, subscription, grant */
enum policy_alg {
    POLICY_HMAC_SHA256 = 1,
    POLICY_HMAC_SM3,
    POLICY_SM2_SM3,
    POLICY_ECDSA_P256_SHA256,
    POLICY_RSA_PSS_SHA512,
    POLICY_SM2, /* this and the next: use POLICY_ENCRYPTION alone */
    POLICY_ECDH_ES,
    POLICY_TOKEN /* no key of the app's: an access token stood for it */
};
enum policy_use { POLICY_SIGNING = 1, POLICY_ENCRYPTION };
enum policy_proof { /* bits: what a call can prove of its app (BK-7.2.1a1) */
                    POLICY_PROOF_SECRET = 1, /* a MAC by a shared secret */
                    POLICY_PROOF_KEY = 2,    /* a signature by a private key */
                    POLICY_PROOF_CERTIFICATE =
                        4 /* the app's client certificate on the connection */
};
enum policy_channel { POLICY_SERVER = 1, POLICY_MOBILE }; /* BK-6.1 */
/* The software kit a call came through, as far as the platform knows it (libs/sdk). */
enum policy_sdk {
    POLICY_SDK_NONE,     /* it called directly */
    POLICY_SDK_CURRENT,  /* a registered release */
    POLICY_SDK_OUTDATED, /* one that has a successor, and serves still */
    POLICY_SDK_REFUSED,  /* one that was withdrawn, or whose deadline is over */
    POLICY_SDK_UNKNOWN   /* none of ours, or not as we gave it out */
};
enum policy_term { POLICY_ONCE = 1, POLICY_PERIOD, POLICY_AGREEMENT };
enum policy_method {
    POLICY_GET = 1,
    POLICY_HEAD = 2,
    POLICY_POST = 4,
    POLICY_PUT = 8,
    POLICY_PATCH = 16,
    POLICY_DELETE = 32
};

/* What a call about a topic is. The call itself gives no row, so no grant is asked of it; each
 * event is decided by itself, for its owner, when it is delivered. */
enum policy_stream {
    POLICY_STREAM_NONE,
    POLICY_STREAM_OPEN,    /* to be given events, or to say which were taken: reads */
    POLICY_STREAM_PUBLISH, /* writes */
    POLICY_STREAM_EVENT    /* one event on its way to the app */
};

/* How data reaches an app, and so what an agreement may choose among (CI-6.1.4b): bits. */
enum policy_way {
    POLICY_WAY_CALL = 1,
    POLICY_WAY_EXPORT = 2,
    POLICY_WAY_EVENT = 4,
    POLICY_WAY_AGGREGATE = 8, /* groups of rows, in a call: looked at by the data service */
    POLICY_WAY_SDK = 16       /* a call through a registered SDK */
};

#define POLICY_FIELDS_MAX  512 /* = PLAN_FIELDS_MAX */
#define POLICY_FIELD_WORDS (POLICY_FIELDS_MAX / 64)
#define POLICY_ROWS_MAX    512                       /* bytes of one row filter */
#define POLICY_ROWS_BOTH   (2 * POLICY_ROWS_MAX + 1) /* of the two there may be, joined */

/* All slices below are borrowed from whoever made the struct (the replica's page, a test). Times
 * are wall milliseconds, 0 = no bound. */
struct policy_field {
    struct slice path; /* as in plan.h */
    uint8_t level;     /* enum policy_level */
    uint8_t type;      /* enum plan_type */
    struct mask_spec mask;
};

struct policy_api {
    struct uuid id;
    uint64_t rev; /* the feed's sequence number of this record */
    uint8_t state, kind, class_, access;
    uint8_t methods;   /* policy_method bits */
    uint8_t schemes;   /* policy_proof bits any of which suffices; 0: A1 all, A2 key, certificate */
    bool owner_scoped; /* rows belong to an owner: level 2 and above need that owner's grant */
    bool mobile;       /* apps of channel mobile may call it */
    bool mobile_only;  /* and no others (BK-6.1a) */
    bool sdk_required; /* called through a registered kit alone (BK-6.2b1, BK-9.3.5c1) */
    bool posts_rows;   /* a dataset whose POST inserts; else a dataset's POST carries a query */
    bool purpose_needed;  /* each call says what for it is made */
    bool collects;        /* takes what users enter: writing needs the grant of whose data it is */
    uint8_t user_factors; /* kinds of proof its user must have signed in with; 0: no user needed */
    uint64_t sunset_ms, deprecated_ms;
    uint32_t n_fields;
    const struct policy_field *fields;
};

struct policy_app {
    struct uuid id;
    uint8_t state, environment;
    uint8_t factors;  /* policy_proof bits, all of which each call must prove */
    uint8_t channel;  /* enum policy_channel; 0 = server */
    bool has_subject; /* its organisation is itself an owner of rows */
};

struct policy_credential {
    struct uuid id, app;
    uint8_t state, alg;
    uint8_t use; /* enum policy_use; 0 = signing */
    uint64_t not_before_ms, expires_ms;
};

/* allowed: bit i = api field i may be given; all_fields true ignores it. */
struct policy_subscription {
    uint8_t state, max_level;
    uint64_t not_before_ms, expires_ms;
    bool all_fields;
    struct slice purposes;            /* what it was approved for: purpose_id()s */
    uint64_t amount_call, amount_day; /* hundredths that one call, and a day of its party, may move;
                                         0: no bound */
    uint8_t ways;                     /* policy_way bits that were agreed on; 0: any */
    bool agreed;       /* they are those of an agreement in force, so a grant goes no further */
    struct slice rows; /* conditions that hold for each row it opens (docs/query.md); "": all */
    uint64_t direct_until_ms; /* 0: no exception; until then the app may call without a kit */
    uint64_t allowed[POLICY_FIELD_WORDS];
};

struct policy_grant {
    struct uuid id, app, api;
    struct slice owner; /* value of the dataset's owner column */
    uint8_t state, term;
    uint64_t not_before_ms, expires_ms;
    bool all_fields;
    bool restricted;       /* only users of `audience` may use it (EC-5.2.2a) */
    struct slice audience; /* their ids, UUID_LEN bytes each */
    struct slice purposes; /* what the owner agreed to: purpose_id()s */
    struct slice
        claims;        /* digests of the owner's record, for the gateway; no part of the decision */
    struct slice rows; /* as a subscription's, of the owner's own rows */
    uint64_t allowed[POLICY_FIELD_WORDS];
};

/* Each pointer may be NULL: "the call named none, or none exists". */
struct policy_call {
    const struct policy_api *api;
    const struct policy_app *app;
    const struct policy_credential *credential;
    const struct policy_subscription *subscription;
    const struct policy_grant *grant;
    bool grant_named; /* the call named a grant (grant NULL then means: unknown) */
    uint8_t method;   /* one policy_method bit */
    uint8_t proofs;   /* policy_proof bits the call proved; 0: what the credential's alg proves */
    uint8_t
        user_factors;    /* how many kinds of proof the user of the call's token gave; 0: no user */
    struct uuid user;    /* of the call's token; nil: none */
    struct uuid purpose; /* what the call says it is for: a purpose_id(); nil: it does not */
    uint8_t stream;      /* enum policy_stream */
    uint8_t sdk;         /* enum policy_sdk */
    bool export_;        /* it is about a file of the rows (docs/batch.md) */
    uint64_t now_ms;
};

enum policy_field_why { /* why a field has its outcome; explain prints it with clause ids */
                        POLICY_WHY_OPEN,         /* kept: L1, or L2 with what it needs */
                        POLICY_WHY_MASKED,       /* masked: L3, or a lower level that has a rule */
                        POLICY_WHY_FORBIDDEN,    /* dropped: L4 */
                        POLICY_WHY_UNCLASSIFIED, /* dropped: no level */
                        POLICY_WHY_UNMASKABLE,   /* dropped: L3 without a rule */
                        POLICY_WHY_ENVIRONMENT,  /* dropped: above what the app's environment may
                                                    receive */
                        POLICY_WHY_SUBSCRIPTION, /* dropped: above the subscription's level, or not
                                                    among its fields */
                        POLICY_WHY_GRANT, /* dropped: not among the grant's fields, or no grant */
                        POLICY_WHY_OWN,   /* kept as it is: the app's own organisation's */
                        POLICY_WHY_COUNT
};
const char *policy_why_text(enum policy_field_why why, bool zh);
const char *policy_why_clauses(enum policy_field_why why);

struct policy_verdict {
    enum problem reason; /* PROBLEM_OK: allowed */
    uint8_t needs;       /* scheme-too-weak: policy_proof bits to prove next time; 0 else */
    /* The rows are those of the app's own subject, and of no other: the caller must ask for these
     * alone. Access to one's own data is not the opening of data to a third party: it needs no
     * subscription and no grant, and L1 to L3 come unmasked whatever the environment. Set of
     * refused calls too. */
    bool own;
    uint64_t amount_call, amount_day; /* as of the subscription */
    /* EC-4.2.1c1: conditions of the subscription and of the grant, all of which hold for each row
     * that is given or written; "" where there are none. Borrowed from the call's records. Who
     * cannot apply them gives nothing. Set of refused calls too. */
    struct slice rows_subscription, rows_grant;
    uint32_t n_fields;
    uint8_t outcome[POLICY_FIELDS_MAX]; /* enum plan_outcome, one per api field */
    uint8_t why[POLICY_FIELDS_MAX];     /* enum policy_field_why */
    uint64_t valid_until_ms; /* with the same records the verdict stays the same until then; 0 = no
                                bound */
};

/* Fills *v wholly. A refused call gives every field PLAN_DROP; its why[] still tells what each
 * field met by itself, for explain. The gates, in order, the first that refuses gives the reason:
 * route, method, offline, credential, app, channel (BK-6.1c1, -c3: mobile apps only where the API
 * says so, never A2 nor rows of owners), scheme (BK-7.2.1a2: A2 needs a signature by a private key,
 * whatever api.schemes says; app.factors all), user (BK-7.2.1b2-2: as many factors as the API asks
 * for), subscription, sdk (BK-6.2b1, -b2: where the API asks for a kit, through a registered one or
 * on an exception of its own; a kit that is claimed must be good in any case), grant, purpose
 * (BK-9.3.2a2-1: what the call says it is for is named by the grant, or without one by the
 * subscription, and by the agreement there is), environment, rows (a row filter is on rows of a
 * dataset); then the fields, none of which left is no-readable-field or environment-too-low. */
void policy_decide(const struct policy_call *call, struct policy_verdict *v);

/* Both conditions of a verdict as one, of the same grammar; the length, 0: there are none.
 * False: one is longer than POLICY_ROWS_MAX, so nothing may be given. */
bool policy_rows(const struct policy_verdict *v, char out[static POLICY_ROWS_BOTH], size_t *n)
    __attribute__((warn_unused_result));
