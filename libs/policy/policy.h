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
enum policy_api_kind { POLICY_DATASET = 1, POLICY_HTTP };
enum policy_state {
    POLICY_INACTIVE,
    POLICY_ACTIVE,
    POLICY_REVOKED
}; /* of app, credential, subscription, grant */
enum policy_alg { POLICY_HMAC_SHA256 = 1, POLICY_HMAC_SM3 };
enum policy_term { POLICY_ONCE = 1, POLICY_PERIOD, POLICY_AGREEMENT };
enum policy_method {
    POLICY_GET = 1,
    POLICY_HEAD = 2,
    POLICY_POST = 4,
    POLICY_PUT = 8,
    POLICY_PATCH = 16,
    POLICY_DELETE = 32
};

#define POLICY_FIELDS_MAX  512 /* = PLAN_FIELDS_MAX */
#define POLICY_FIELD_WORDS (POLICY_FIELDS_MAX / 64)

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
    bool owner_scoped; /* rows belong to an owner: level 2 and above need that owner's grant */
    uint64_t sunset_ms;
    uint32_t n_fields;
    const struct policy_field *fields;
};

struct policy_app {
    struct uuid id;
    uint8_t state, environment;
};

struct policy_credential {
    struct uuid id, app;
    uint8_t state, alg;
    uint64_t not_before_ms, expires_ms;
};

/* allowed: bit i = api field i may be given; all_fields true ignores it. */
struct policy_subscription {
    uint8_t state, max_level;
    uint64_t not_before_ms, expires_ms;
    bool all_fields;
    uint64_t allowed[POLICY_FIELD_WORDS];
};

struct policy_grant {
    struct uuid id, app, api;
    struct slice owner; /* value of the dataset's owner column */
    uint8_t state, term;
    uint64_t not_before_ms, expires_ms;
    bool all_fields;
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
                        POLICY_WHY_COUNT
};
const char *policy_why_text(enum policy_field_why why, bool zh);
const char *policy_why_clauses(enum policy_field_why why);

struct policy_verdict {
    enum problem reason; /* PROBLEM_OK: allowed */
    uint32_t n_fields;
    uint8_t outcome[POLICY_FIELDS_MAX]; /* enum plan_outcome, one per api field */
    uint8_t why[POLICY_FIELDS_MAX];     /* enum policy_field_why */
    uint64_t valid_until_ms; /* with the same records the verdict stays the same until then; 0 = no
                                bound */
};

/* Fills *v wholly. A refused call gives every field PLAN_DROP; its why[] still tells what each
 * field met by itself, for explain. The order of tests is the order of the enum in
 * contract/errors.tsv. */
void policy_decide(const struct policy_call *call, struct policy_verdict *v);
