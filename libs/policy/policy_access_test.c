/* SPDX-License-Identifier: Apache-2.0 */
/* How an app proves itself, from where it calls, and whose rows it asks for. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "plan/plan.h"

enum { S = POLICY_PROOF_SECRET, K = POLICY_PROOF_KEY, C = POLICY_PROOF_CERTIFICATE };
enum { FIELDS = 6 };

struct world {
    struct policy_field fields[FIELDS];
    struct policy_api api;
    struct policy_app app;
    struct policy_credential credential;
    struct policy_subscription subscription;
    struct policy_grant grant;
    struct policy_call call;
};

/* Fields of levels 1, 2, 3 (masked), 4, none, and a level 1 with a mask rule. No grant is named and
 * rows belong to no owner. */
static void world_init(struct world *w)
{
    static const uint8_t levels[FIELDS] = {POLICY_L1, POLICY_L2,           POLICY_L3,
                                           POLICY_L4, POLICY_UNCLASSIFIED, POLICY_L1};
    memset(w, 0, sizeof *w);
    for (int i = 0; i < FIELDS; i++) {
        w->fields[i] = (struct policy_field){.path = SLICE("x"), .level = levels[i]};
    }
    w->fields[2].mask.rule = MASK_PHONE;
    w->fields[5].mask.rule = MASK_NAME;
    w->api = (struct policy_api){.id.b = {1},
                                 .state = POLICY_API_PUBLISHED,
                                 .kind = POLICY_DATASET,
                                 .class_ = POLICY_A1,
                                 .access = POLICY_SUBSCRIPTION,
                                 .methods = POLICY_GET | POLICY_POST | POLICY_PUT,
                                 .n_fields = FIELDS,
                                 .fields = w->fields};
    w->app =
        (struct policy_app){.id.b = {2}, .state = POLICY_ACTIVE, .environment = POLICY_MONITORED};
    w->credential = (struct policy_credential){
        .id.b = {3}, .app.b = {2}, .state = POLICY_ACTIVE, .alg = POLICY_HMAC_SM3};
    w->subscription = (struct policy_subscription){
        .state = POLICY_ACTIVE, .max_level = POLICY_L3, .all_fields = true};
    w->grant = (struct policy_grant){.id.b = {4},
                                     .app.b = {2},
                                     .api.b = {1},
                                     .owner = SLICE("M001"),
                                     .state = POLICY_ACTIVE,
                                     .term = POLICY_PERIOD,
                                     .all_fields = true};
    w->call = (struct policy_call){.api = &w->api,
                                   .app = &w->app,
                                   .credential = &w->credential,
                                   .subscription = &w->subscription,
                                   .method = POLICY_GET,
                                   .now_ms = 1000};
}

/* clang-format off */
static struct scheme_row {
    const char *title;
    uint8_t class_, schemes, factors, alg, use, proofs;
    enum problem want;
    uint8_t needs;
} scheme_rows[] = {
    { "[BK-7.2.1a1-1] a shared secret opens A1", POLICY_A1, 0, 0, POLICY_HMAC_SM3, POLICY_SIGNING, S, PROBLEM_OK, 0 },
    { "[BK-7.2.1a1-3] a key pair opens A1", POLICY_A1, 0, 0, POLICY_SM2_SM3, POLICY_SIGNING, K, PROBLEM_OK, 0 },
    { "[BK-7.2.1a1-2] a certificate opens A1", POLICY_A1, 0, 0, POLICY_SM2_SM3, POLICY_SIGNING, C, PROBLEM_OK, 0 },
    { "[BK-7.2.1a2] SM2 opens A2", POLICY_A2, 0, 0, POLICY_SM2_SM3, POLICY_SIGNING, K, PROBLEM_OK, 0 },
    { "[BK-7.2.1a2] ECDSA opens A2", POLICY_A2, 0, 0, POLICY_ECDSA_P256_SHA256, POLICY_SIGNING, K, PROBLEM_OK, 0 },
    { "[BK-7.2.1a2] RSA-PSS opens A2", POLICY_A2, 0, 0, POLICY_RSA_PSS_SHA512, POLICY_SIGNING, K, PROBLEM_OK, 0 },
    { "[BK-7.2.1a2] a shared secret alone never opens A2", POLICY_A2, 0, 0, POLICY_HMAC_SM3, POLICY_SIGNING, S, PROBLEM_SCHEME_TOO_WEAK, K },
    { "[BK-7.2.1a2] nor where the API says secrets suffice", POLICY_A2, S, 0, POLICY_HMAC_SM3, POLICY_SIGNING, S, PROBLEM_SCHEME_TOO_WEAK, K },
    { "[BK-7.2.1a2] nor with a certificate beside it but no signature by its key", POLICY_A2, 0, 0, POLICY_HMAC_SM3, POLICY_SIGNING, S | C, PROBLEM_SCHEME_TOO_WEAK, K },
    { "[BK-7.2.1a2] a certificate on the connection signs no call of A2", POLICY_A2, C, 0, POLICY_SM2_SM3, POLICY_SIGNING, C, PROBLEM_SCHEME_TOO_WEAK, K },
    { "[BK-9.2.1b2] A2 that takes certificates needs one beside the signature", POLICY_A2, C, 0, POLICY_SM2_SM3, POLICY_SIGNING, K, PROBLEM_SCHEME_TOO_WEAK, C },
    { "[BK-9.2.1b2] A2 that takes certificates, with both", POLICY_A2, C, 0, POLICY_SM2_SM3, POLICY_SIGNING, K | C, PROBLEM_OK, 0 },
    { "[BK-7.2.1a1] any of an API's schemes suffices", POLICY_A1, K | C, 0, POLICY_SM2_SM3, POLICY_SIGNING, C, PROBLEM_OK, 0 },
    { "[BK-7.2.1a1] none of an API's schemes is refused with all named", POLICY_A1, K | C, 0, POLICY_HMAC_SM3, POLICY_SIGNING, S, PROBLEM_SCHEME_TOO_WEAK, K | C },
    { "[BK-7.2.1a1] a scheme from the future is met by nothing", POLICY_A1, 8, 0, POLICY_SM2_SM3, POLICY_SIGNING, S | K | C, PROBLEM_SCHEME_TOO_WEAK, 8 },
    { "[BK-7.2.1a1-4] a combination: both factors pass", POLICY_A1, 0, S | C, POLICY_HMAC_SM3, POLICY_SIGNING, S | C, PROBLEM_OK, 0 },
    { "[BK-7.2.1a1-4] a combination: the secret alone is refused", POLICY_A1, 0, S | C, POLICY_HMAC_SM3, POLICY_SIGNING, S, PROBLEM_SCHEME_TOO_WEAK, C },
    { "[BK-7.2.1a1-4] a combination: the certificate alone is refused", POLICY_A1, 0, S | C, POLICY_SM2_SM3, POLICY_SIGNING, C, PROBLEM_SCHEME_TOO_WEAK, S },
    { "[BK-7.2.1a1-4] all three, one missing", POLICY_A1, 0, S | K | C, POLICY_SM2_SM3, POLICY_SIGNING, K | C, PROBLEM_SCHEME_TOO_WEAK, S },
    { "[BK-7.2.1a1-4] all three", POLICY_A2, 0, S | K | C, POLICY_SM2_SM3, POLICY_SIGNING, S | K | C, PROBLEM_OK, 0 },
    { "[BK-7.2.1a1-4] a missing factor that is also a scheme is named once", POLICY_A1, K, K, POLICY_HMAC_SM3, POLICY_SIGNING, S, PROBLEM_SCHEME_TOO_WEAK, K },
    { "[BK-7.2.1a1-4] a factor from the future is proven by nothing", POLICY_A1, 0, 8, POLICY_SM2_SM3, POLICY_SIGNING, S | K | C, PROBLEM_SCHEME_TOO_WEAK, 8 },
    { "an encryption key signs nothing", POLICY_A1, 0, 0, POLICY_SM2, POLICY_ENCRYPTION, K, PROBLEM_SCHEME_TOO_WEAK, 0 },
    { "nor with the algorithm of a signing key", POLICY_A1, 0, 0, POLICY_SM2_SM3, POLICY_ENCRYPTION, K, PROBLEM_SCHEME_TOO_WEAK, 0 },
    { "nor an encryption algorithm that says it signs", POLICY_A1, 0, 0, POLICY_ECDH_ES, POLICY_SIGNING, K, PROBLEM_SCHEME_TOO_WEAK, 0 },
    { "a use from the future is refused", POLICY_A1, 0, 0, POLICY_SM2_SM3, 3, K, PROBLEM_SCHEME_TOO_WEAK, 0 },
    { "a class from the future is refused whatever is proven", 3, 0, 0, POLICY_SM2_SM3, POLICY_SIGNING, S | K | C, PROBLEM_SCHEME_TOO_WEAK, 0 },
    { "with no proofs told, a secret's algorithm proves a secret", POLICY_A2, 0, 0, POLICY_HMAC_SHA256, 0, 0, PROBLEM_SCHEME_TOO_WEAK, K },
    { "with no proofs told, a key's algorithm proves a key", POLICY_A2, 0, 0, POLICY_RSA_PSS_SHA512, 0, 0, PROBLEM_OK, 0 },
    { "with no proofs told, no certificate is", POLICY_A2, C, 0, POLICY_RSA_PSS_SHA512, 0, 0, PROBLEM_SCHEME_TOO_WEAK, C },
};

static struct channel_row {
    const char *title;
    uint8_t channel, class_;
    bool mobile, owned;
    enum problem want;
} channel_rows[] = {
    { "[BK-6.1c1] a mobile app calls an A1 API that is open to phones", POLICY_MOBILE, POLICY_A1, true, false, PROBLEM_OK },
    { "[BK-6.1c3] a mobile app and an API that is not open to phones", POLICY_MOBILE, POLICY_A1, false, false, PROBLEM_CHANNEL_NOT_ALLOWED },
    { "[BK-6.1c3] a mobile app never calls A2, marked or not", POLICY_MOBILE, POLICY_A2, true, false, PROBLEM_CHANNEL_NOT_ALLOWED },
    { "[BK-6.1c3] a mobile app never reads owners' rows, marked or not", POLICY_MOBILE, POLICY_A1, true, true, PROBLEM_CHANNEL_NOT_ALLOWED },
    { "[BK-6.1c3] nor an API of a class from the future", POLICY_MOBILE, 3, true, false, PROBLEM_CHANNEL_NOT_ALLOWED },
    { "[BK-6.1c3] a channel from the future is refused", 3, POLICY_A1, true, false, PROBLEM_CHANNEL_NOT_ALLOWED },
    { "[BK-6.1c1] a server calls what is open to phones too", POLICY_SERVER, POLICY_A1, true, false, PROBLEM_OK },
    { "no channel is the server's", 0, POLICY_A1, false, false, PROBLEM_OK },
};

/* The relation of an app to the rows, by level: k as they are, m masked, d dropped. */
enum relation { OWN, PLATFORM, OTHER, OTHER_NAMED };
static struct own_row {
    const char *title;
    enum relation relation;
    uint8_t environment, max_level, method; /* max_level 0: no subscription */
    enum problem want;
    const char *outcomes;
} own_rows[] = {
    { "[SW-9.6.1-a2] own data: levels 1 to 3 whole and unmasked, level 4 and no level never", OWN, POLICY_MONITORED, POLICY_L3, POLICY_GET, PROBLEM_OK, "kkkddk" },
    { "[SW-9.6.1-a2] own data without a subscription", OWN, POLICY_MONITORED, 0, POLICY_GET, PROBLEM_OK, "kkkddk" },
    { "[SW-9.1-5b] own data in a general environment", OWN, POLICY_GENERAL, 0, POLICY_GET, PROBLEM_OK, "kkkddk" },
    { "[SW-9.1-5b] own data is written from any environment", OWN, POLICY_GENERAL, 0, POLICY_PUT, PROBLEM_OK, "kkkddk" },
    { "[SW-9.1-5c] the platform's data needs no subscription at level 1", PLATFORM, POLICY_GENERAL, 0, POLICY_GET, PROBLEM_OK, "kddddm" },
    { "[SW-9.1-5c] the platform's data above level 1 is not unconditional", PLATFORM, POLICY_CONTROLLED, POLICY_L3, POLICY_GET, PROBLEM_OK, "kddddm" },
    { "[SW-9.1-5d] another enterprise's data by its grant: level 3 masked", OTHER_NAMED, POLICY_MONITORED, POLICY_L3, POLICY_GET, PROBLEM_OK, "kkmddm" },
    { "[SW-9.1-5d] another's data up to the subscribed level", OTHER_NAMED, POLICY_MONITORED, POLICY_L2, POLICY_GET, PROBLEM_OK, "kkdddm" },
    { "[SW-9.1-5d] another's data in a general environment: level 1", OTHER_NAMED, POLICY_GENERAL, POLICY_L3, POLICY_GET, PROBLEM_OK, "kddddm" },
    { "[SW-9.1-5d] another's data without a subscription", OTHER_NAMED, POLICY_MONITORED, 0, POLICY_GET, PROBLEM_SUBSCRIPTION_MISSING, NULL },
    { "[SW-9.1-5d] another's data without a grant", OTHER, POLICY_MONITORED, POLICY_L3, POLICY_GET, PROBLEM_GRANT_MISSING, NULL },
    { "[SW-9.6.1-03] another's data is not written from a monitored environment", OTHER_NAMED, POLICY_MONITORED, POLICY_L3, POLICY_PUT, PROBLEM_ENVIRONMENT_TOO_LOW, NULL },
};
/* clang-format on */

static void scheme_case(void **state)
{
    const struct scheme_row *r = *state;
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    w.api.class_ = r->class_;
    w.api.schemes = r->schemes;
    w.app.factors = r->factors;
    w.credential.alg = r->alg;
    w.credential.use = r->use;
    w.call.proofs = r->proofs;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, r->want);
    assert_int_equal(v.needs, r->needs);
    assert_false(v.own);
}

static void channel_case(void **state)
{
    const struct channel_row *r = *state;
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    w.app.channel = r->channel;
    w.app.has_subject = true;
    w.api.class_ = r->class_;
    w.api.mobile = r->mobile;
    w.api.owner_scoped = r->owned;
    w.credential.alg = POLICY_SM2_SM3;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, r->want);
    assert_int_equal(v.needs, 0);
}

static void own_case(void **state)
{
    const struct own_row *r = *state;
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    w.api.owner_scoped = r->relation != PLATFORM;
    w.api.access = r->relation == PLATFORM ? POLICY_REGISTERED : POLICY_SUBSCRIPTION;
    w.app.has_subject = r->relation != OTHER; /* an owner elsewhere too is no owner here */
    w.app.environment = r->environment;
    w.call.method = r->method;
    w.subscription.max_level = r->max_level;
    w.call.subscription = r->max_level == 0 ? NULL : &w.subscription;
    if (r->relation == OTHER_NAMED) {
        w.call.grant = &w.grant;
        w.call.grant_named = true;
    }
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, r->want);
    assert_int_equal(v.own, r->relation == OWN);
    for (uint32_t i = 0; i < FIELDS; i++) {
        char letter = r->outcomes == NULL ? 'd' : r->outcomes[i];
        assert_int_equal(v.outcome[i], letter == 'k'   ? PLAN_KEEP
                                       : letter == 'm' ? PLAN_MASK
                                                       : PLAN_DROP);
    }
}

/* What is one's own opens neither by a weak proof nor by a grant that is named wrongly. */
static void own_data_keeps_the_other_gates(void **state)
{
    (void)state;
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    w.api.owner_scoped = true;
    w.app.has_subject = true;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    assert_int_equal(v.why[2], POLICY_WHY_OWN);
    assert_int_equal(v.why[3], POLICY_WHY_FORBIDDEN);
    w.api.class_ = POLICY_A2;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_SCHEME_TOO_WEAK);
    assert_true(v.own && v.outcome[0] == PLAN_DROP);
    w.api.class_ = POLICY_A1;
    w.call.grant_named = true;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_GRANT_UNKNOWN);
    assert_false(v.own);
    w.call.grant_named = false;
    w.app.state = POLICY_INACTIVE;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_APP_INACTIVE);
    w.app.state = POLICY_ACTIVE;
    w.api.state = POLICY_API_OFFLINE;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_API_OFFLINE);
}

/* EC-5.2.2a: named persons alone, by the token's user. */
static void audience(void **state)
{
    (void)state;
    struct world w;
    struct policy_verdict v;
    const struct uuid members[2] = {{.b = {7}}, {.b = {8}}}, other = {.b = {9}};
    world_init(&w);
    w.api.owner_scoped = true;
    w.call.grant = &w.grant;
    w.call.grant_named = true;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    w.grant.restricted = true; /* nobody */
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_AUDIENCE_EXCLUDED);
    w.grant.audience = slice_of((const char *)members, sizeof members);
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_AUDIENCE_EXCLUDED); /* no token */
    w.call.user = other;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_AUDIENCE_EXCLUDED);
    w.call.user = members[1];
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    w.grant.state = POLICY_REVOKED;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_GRANT_REVOKED);
}

/* EC-6.1.1.1a: only what writes needs whose data it is. */
static void collecting(void **state)
{
    (void)state;
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    w.api.collects = true;
    w.api.kind = POLICY_HTTP;
    w.api.methods = POLICY_GET | POLICY_POST;
    w.app.environment = POLICY_CONTROLLED;
    w.call.method = POLICY_GET;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    w.call.method = POLICY_POST;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_GRANT_MISSING);
    w.call.grant = &w.grant;
    w.call.grant_named = true;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
}

/* The first gate that refuses gives the reason. */
static void gates_keep_their_order(void **state)
{
    (void)state;
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    w.app.channel = POLICY_MOBILE;
    w.api.class_ = POLICY_A2;
    w.call.subscription = NULL;
    w.app.environment = POLICY_GENERAL;
    w.call.method = POLICY_PUT;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_CHANNEL_NOT_ALLOWED);
    w.app.channel = POLICY_SERVER;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_SCHEME_TOO_WEAK);
    w.call.proofs = K;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_SUBSCRIPTION_MISSING);
    w.call.subscription = &w.subscription;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_ENVIRONMENT_TOO_LOW);
}

/* A composed API only reads, whatever carries its query. */
static void a_composed_post_is_a_query(void **state)
{
    (void)state;
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    w.call.method = POLICY_POST;
    w.api.kind = POLICY_COMPOSED;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    w.api.kind = POLICY_HTTP;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_ENVIRONMENT_TOO_LOW);
}

/* A topic's stream opens without a grant and gives nothing by itself; each event needs its owner's,
 * and one for a single use is none. To publish is to write. */
static void streams(void **state)
{
    struct world w;
    struct policy_verdict v;
    (void)state;
    world_init(&w);
    w.api.kind = POLICY_TOPIC;
    w.api.owner_scoped = true;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_GRANT_MISSING);
    w.call.stream = POLICY_STREAM_OPEN;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    assert_int_equal(v.outcome[1], PLAN_DROP);
    w.call.method = POLICY_POST; /* to fetch and to acknowledge is to read */
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    w.call.stream = POLICY_STREAM_PUBLISH;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_ENVIRONMENT_TOO_LOW);
    w.app.environment = POLICY_CONTROLLED;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    w.call.method = POLICY_GET;
    w.call.stream = POLICY_STREAM_EVENT;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_GRANT_MISSING);
    w.call.grant_named = true;
    w.call.grant = &w.grant;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    assert_int_equal(v.outcome[2], PLAN_MASK);
    w.grant.term = POLICY_ONCE;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_GRANT_EXPIRED);
    w.call.stream = POLICY_STREAM_OPEN;
    w.call.grant = NULL;
    w.call.grant_named = false;
    w.subscription.state = POLICY_INACTIVE;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_SUBSCRIPTION_MISSING);
}

/* What is claimed must hold wherever it is claimed; what is not claimed is missed only where the
 * API asks for it and the app has no exception. */
static void kits(void **state)
{
    static const struct {
        bool required;
        uint64_t direct_until_ms; /* now is 1000 */
        uint8_t sdk;
        enum problem want;
    } rows[] = {
        {false, 0, POLICY_SDK_NONE, PROBLEM_OK},
        {false, 0, POLICY_SDK_CURRENT, PROBLEM_OK},
        {false, 0, POLICY_SDK_OUTDATED, PROBLEM_OK},
        {false, 0, POLICY_SDK_REFUSED, PROBLEM_SDK_REFUSED},
        {false, 0, POLICY_SDK_UNKNOWN, PROBLEM_SDK_REFUSED},
        {false, 0, POLICY_SDK_UNKNOWN + 1, PROBLEM_SDK_REFUSED},
        {true, 0, POLICY_SDK_NONE, PROBLEM_SDK_REQUIRED},
        {true, 0, POLICY_SDK_CURRENT, PROBLEM_OK},
        {true, 0, POLICY_SDK_OUTDATED, PROBLEM_OK},
        {true, 0, POLICY_SDK_REFUSED, PROBLEM_SDK_REFUSED},
        {true, 0, POLICY_SDK_UNKNOWN, PROBLEM_SDK_REFUSED},
        {true, 1001, POLICY_SDK_NONE, PROBLEM_OK},
        {true, 1000, POLICY_SDK_NONE, PROBLEM_SDK_REQUIRED},
        {true, 1001, POLICY_SDK_UNKNOWN, PROBLEM_SDK_REFUSED},
    };
    struct world w;
    struct policy_verdict v;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world_init(&w);
        w.api.sdk_required = rows[i].required;
        w.subscription.direct_until_ms = rows[i].direct_until_ms;
        w.call.sdk = rows[i].sdk;
        policy_decide(&w.call, &v);
        assert_int_equal(v.reason, rows[i].want);
        assert_int_equal(v.valid_until_ms, rows[i].direct_until_ms == 1001 ? 1001 : 0);
    }
    w.call.stream = POLICY_STREAM_EVENT; /* nobody calls */
    w.call.sdk = POLICY_SDK_NONE;
    w.subscription.direct_until_ms = 0;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
}

static void for_phones_alone(void **state)
{
    struct world w;
    struct policy_verdict v;
    (void)state;
    world_init(&w);
    w.api.mobile = w.api.mobile_only = true;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_CHANNEL_NOT_ALLOWED);
    w.app.channel = POLICY_SERVER;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_CHANNEL_NOT_ALLOWED);
    w.app.channel = POLICY_MOBILE;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
}

static void expect_rows(const struct policy_verdict *v, const char *want)
{
    char text[POLICY_ROWS_BOTH];
    size_t n;
    assert_true(policy_rows(v, text, &n));
    assert_true(slice_eq(slice_of(text, n), slice_str(want)));
}

/* EC-4.2.1c1: both hold, neither replaces the other, and nothing that could not apply them is
 * allowed. */
static void row_filters(void **state)
{
    (void)state;
    static char longest[POLICY_ROWS_MAX + 1];
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    expect_rows(&v, "");
    w.subscription.rows = SLICE("a=eq.1");
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    expect_rows(&v, "a=eq.1");
    w.grant.rows = SLICE("b=lt.2&c=is.null");
    w.call.grant = &w.grant;
    w.call.grant_named = true;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    expect_rows(&v, "a=eq.1&b=lt.2&c=is.null");
    w.subscription.rows = SLICE("");
    policy_decide(&w.call, &v);
    expect_rows(&v, "b=lt.2&c=is.null");
    w.api.kind = POLICY_TOPIC;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    static const uint8_t others[] = {POLICY_HTTP, POLICY_COMPOSED};
    for (size_t i = 0; i < sizeof others; i++) { /* somebody else reads the rows */
        w.api.kind = others[i];
        policy_decide(&w.call, &v);
        assert_int_equal(v.reason, PROBLEM_ROW_FILTER_UNUSABLE);
        for (uint32_t k = 0; k < v.n_fields; k++) {
            assert_int_equal(v.outcome[k], PLAN_DROP);
        }
    }
    w.api.kind = POLICY_DATASET;
    w.grant.rows = slice_of(longest, sizeof longest);
    policy_decide(&w.call, &v);
    char text[POLICY_ROWS_BOTH];
    size_t n;
    assert_false(policy_rows(&v, text, &n));
    /* of one's own rows nobody else says which */
    w.subscription.rows = SLICE("a=eq.1");
    w.call.grant = NULL;
    w.call.grant_named = false;
    w.api.owner_scoped = w.app.has_subject = true;
    policy_decide(&w.call, &v);
    assert_true(v.own);
    expect_rows(&v, "");
    w.api.owner_scoped = false;
    w.api.access = POLICY_REGISTERED; /* which asks no subscription */
    policy_decide(&w.call, &v);
    expect_rows(&v, "");
}

int main(void)
{
    enum {
        SCHEMES = sizeof scheme_rows / sizeof *scheme_rows,
        CHANNELS = sizeof channel_rows / sizeof *channel_rows,
        OWNS = sizeof own_rows / sizeof *own_rows,
        ALL = SCHEMES + CHANNELS + OWNS + 9
    };
    struct CMUnitTest tests[ALL];
    size_t n = 0;
    for (size_t i = 0; i < SCHEMES; i++) {
        tests[n++] =
            (struct CMUnitTest){scheme_rows[i].title, scheme_case, NULL, NULL, &scheme_rows[i]};
    }
    for (size_t i = 0; i < CHANNELS; i++) {
        tests[n++] =
            (struct CMUnitTest){channel_rows[i].title, channel_case, NULL, NULL, &channel_rows[i]};
    }
    for (size_t i = 0; i < OWNS; i++) {
        tests[n++] = (struct CMUnitTest){own_rows[i].title, own_case, NULL, NULL, &own_rows[i]};
    }
    tests[n++] = (struct CMUnitTest){"[SW-9.6.1-03] own data passes the other gates as all data",
                                     own_data_keeps_the_other_gates, NULL, NULL, NULL};
    tests[n++] = (struct CMUnitTest){"[EC-5.2.2a] audience", audience, NULL, NULL, NULL};
    tests[n++] = (struct CMUnitTest){"[EC-6.1.1.1a] collecting", collecting, NULL, NULL, NULL};
    tests[n++] = (struct CMUnitTest){"channel, scheme, subscription, environment: in this order",
                                     gates_keep_their_order, NULL, NULL, NULL};
    tests[n++] = (struct CMUnitTest){"[EC-7.1.3-T2] a POST to a composed API is a query",
                                     a_composed_post_is_a_query, NULL, NULL, NULL};
    tests[n++] = (struct CMUnitTest){"[EC-7.1.4.2b] events of a topic, one by one", streams, NULL,
                                     NULL, NULL};
    tests[n++] =
        (struct CMUnitTest){"[BK-6.2b1] through a kit, or on an exception", kits, NULL, NULL, NULL};
    tests[n++] = (struct CMUnitTest){"[BK-6.1a] an API for mobile apps alone", for_phones_alone,
                                     NULL, NULL, NULL};
    tests[n++] =
        (struct CMUnitTest){"[EC-4.2.1c1] rows of a single grant", row_filters, NULL, NULL, NULL};
    return cmocka_run_group_tests_name("policy access", tests, NULL, NULL);
}
