/* SPDX-License-Identifier: Apache-2.0 */
/* One good call, and rows that each change it in one or two places. Most rows must be refused. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

#include "plan/plan.h"

enum { NOW = 1000000, BEFORE = NOW - 1, AFTER = NOW + 1, FIELDS = 6 };

struct world {
    struct policy_field fields[FIELDS];
    struct policy_api api;
    struct policy_app app;
    struct policy_credential credential;
    struct policy_subscription subscription;
    struct policy_grant grant;
    struct policy_call call;
};

/* An owner-scoped dataset; a monitored app with a subscription to level 3 and the owner's grant.
 * The fields are one of each level, then a level 1 and a level 2 with a mask rule. */
static void world_init(struct world *w)
{
    static const uint8_t levels[FIELDS] = {POLICY_L1, POLICY_L2,           POLICY_L3,
                                           POLICY_L4, POLICY_UNCLASSIFIED, POLICY_L2};
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
                                 .methods = POLICY_GET | POLICY_POST,
                                 .owner_scoped = true,
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
                                   .grant = &w->grant,
                                   .grant_named = true,
                                   .method = POLICY_GET,
                                   .now_ms = NOW};
}

enum knob {
    NONE,
    API_NONE,
    API_STATE,
    API_KIND,
    API_CLASS,
    API_ACCESS,
    API_METHODS,
    API_OWNED,
    API_FIELDS,
    API_FACTORS,
    USER_FACTORS,
    METHOD,
    CRED_NONE,
    CRED_STATE,
    CRED_FROM,
    CRED_TO,
    CRED_APP,
    CRED_ALG,
    APP_NONE,
    APP_STATE,
    APP_ENV,
    SUB_NONE,
    SUB_STATE,
    SUB_LEVEL,
    SUB_FROM,
    SUB_TO,
    SUB_ALLOWED,
    GRANT_NONE,
    GRANT_UNNAMED,
    GRANT_APP,
    GRANT_API,
    GRANT_STATE,
    GRANT_TERM,
    GRANT_FROM,
    GRANT_TO,
    GRANT_ALLOWED,
    L3_RULE,
    L1_RULE,
};

static void turn_api(struct world *w, enum knob k, unsigned v)
{
    switch (k) {
    case API_NONE:
        w->call.api = NULL;
        break;
    case API_STATE:
        w->api.state = (uint8_t)v;
        break;
    case API_KIND:
        w->api.kind = (uint8_t)v;
        break;
    case API_CLASS:
        w->api.class_ = (uint8_t)v;
        break;
    case API_ACCESS:
        w->api.access = (uint8_t)v;
        break;
    case API_METHODS:
        w->api.methods = (uint8_t)v;
        break;
    case API_OWNED:
        w->api.owner_scoped = v;
        break;
    case API_FIELDS:
        w->api.n_fields = v;
        break;
    case API_FACTORS:
        w->api.user_factors = (uint8_t)v;
        break;
    case USER_FACTORS:
        w->call.user_factors = (uint8_t)v;
        break;
    case METHOD:
        w->call.method = (uint8_t)v;
        break;
    case L3_RULE:
        w->fields[2].mask.rule = (uint8_t)v;
        break;
    case L1_RULE:
        w->fields[0].mask.rule = (uint8_t)v;
        break;
    default:
        break;
    }
}

static void turn_app(struct world *w, enum knob k, unsigned v)
{
    switch (k) {
    case CRED_NONE:
        w->call.credential = NULL;
        break;
    case CRED_STATE:
        w->credential.state = (uint8_t)v;
        break;
    case CRED_FROM:
        w->credential.not_before_ms = v;
        break;
    case CRED_TO:
        w->credential.expires_ms = v;
        break;
    case CRED_APP:
        w->credential.app.b[0] = (uint8_t)v;
        break;
    case CRED_ALG:
        w->credential.alg = (uint8_t)v;
        break;
    case APP_NONE:
        w->call.app = NULL;
        break;
    case APP_STATE:
        w->app.state = (uint8_t)v;
        break;
    case APP_ENV:
        w->app.environment = (uint8_t)v;
        break;
    case SUB_NONE:
        w->call.subscription = NULL;
        break;
    case SUB_STATE:
        w->subscription.state = (uint8_t)v;
        break;
    case SUB_LEVEL:
        w->subscription.max_level = (uint8_t)v;
        break;
    case SUB_FROM:
        w->subscription.not_before_ms = v;
        break;
    case SUB_TO:
        w->subscription.expires_ms = v;
        break;
    case SUB_ALLOWED:
        w->subscription.all_fields = false;
        w->subscription.allowed[0] = v;
        break;
    default:
        break;
    }
}

static void turn_grant(struct world *w, enum knob k, unsigned v)
{
    switch (k) {
    case GRANT_NONE:
        w->call.grant = NULL;
        break;
    case GRANT_UNNAMED:
        w->call.grant = NULL;
        w->call.grant_named = false;
        break;
    case GRANT_APP:
        w->grant.app.b[0] = (uint8_t)v;
        break;
    case GRANT_API:
        w->grant.api.b[0] = (uint8_t)v;
        break;
    case GRANT_STATE:
        w->grant.state = (uint8_t)v;
        break;
    case GRANT_TERM:
        w->grant.term = (uint8_t)v;
        break;
    case GRANT_FROM:
        w->grant.not_before_ms = v;
        break;
    case GRANT_TO:
        w->grant.expires_ms = v;
        break;
    case GRANT_ALLOWED:
        w->grant.all_fields = false;
        w->grant.allowed[0] = v;
        break;
    default:
        break;
    }
}

struct row {
    const char *title;
    struct {
        enum knob knob;
        unsigned value;
    } set[4];
    enum problem want;
    const char *outcomes; /* one letter a field: k keep, m mask, d drop; NULL: all drop */
};

/* clang-format off */
static struct row rows[] = {
    { "a good call: L1 and L2 kept, L3 masked, L4 and unclassified dropped [EC-5.2d]", { { NONE } }, PROBLEM_OK, "kkmddm" },
    /* route, method, state */
    { "[BK-9.3.2] no API at the path is refused", { { API_NONE } }, PROBLEM_ROUTE_UNKNOWN },
    { "[BK-9.3.2] an API state of 0 is no API", { { API_STATE, 0 } }, PROBLEM_ROUTE_UNKNOWN },
    { "[BK-9.3.2] an API state from the future is no API", { { API_STATE, 4 } }, PROBLEM_ROUTE_UNKNOWN },
    { "[CI-A.1b] a method the API does not list is refused", { { METHOD, POLICY_DELETE } }, PROBLEM_METHOD_NOT_ALLOWED },
    { "[CI-A.1b] HEAD is not GET", { { METHOD, POLICY_HEAD } }, PROBLEM_METHOD_NOT_ALLOWED },
    { "[CI-A.1b] an unknown method (no bit) is refused", { { METHOD, 0 } }, PROBLEM_METHOD_NOT_ALLOWED },
    { "[CI-A.1b] two methods at once are refused", { { METHOD, POLICY_GET | POLICY_POST } }, PROBLEM_METHOD_NOT_ALLOWED },
    { "[BK-11e2] an offline API answers that it is", { { API_STATE, POLICY_API_OFFLINE } }, PROBLEM_API_OFFLINE },
    { "[BK-11e2] a wrong method on an offline API: the method comes first", { { API_STATE, POLICY_API_OFFLINE }, { METHOD, POLICY_PUT } }, PROBLEM_METHOD_NOT_ALLOWED },
    { "a deprecated API still answers", { { API_STATE, POLICY_API_DEPRECATED } }, PROBLEM_OK, "kkmddm" },
    { "POST on a dataset is a query", { { METHOD, POLICY_POST } }, PROBLEM_OK, "kkmddm" },
    /* credential and app */
    { "[BK-9.2.1a2-2] no credential is refused", { { CRED_NONE } }, PROBLEM_CREDENTIAL_UNKNOWN },
    { "[BK-9.2.1a2-2] no credential and no app: the credential comes first", { { CRED_NONE }, { APP_NONE } }, PROBLEM_CREDENTIAL_UNKNOWN },
    { "[BK-9.2.1a2-3] a revoked credential is refused", { { CRED_STATE, POLICY_REVOKED } }, PROBLEM_CREDENTIAL_INACTIVE },
    { "[BK-9.2.1a2-3] an inactive credential is refused", { { CRED_STATE, POLICY_INACTIVE } }, PROBLEM_CREDENTIAL_INACTIVE },
    { "[BK-9.2.1a2-3] a credential state from the future is refused", { { CRED_STATE, 9 } }, PROBLEM_CREDENTIAL_INACTIVE },
    { "[BK-9.2.1a2-3] an expired credential is refused", { { CRED_TO, BEFORE } }, PROBLEM_CREDENTIAL_INACTIVE },
    { "[BK-9.2.1a2-3] a credential is dead at its very last instant", { { CRED_TO, NOW } }, PROBLEM_CREDENTIAL_INACTIVE },
    { "[BK-9.2.1a2-3] a credential before its time is refused", { { CRED_FROM, AFTER } }, PROBLEM_CREDENTIAL_INACTIVE },
    { "a credential lives from its first instant to before its last", { { CRED_FROM, NOW }, { CRED_TO, AFTER } }, PROBLEM_OK, "kkmddm" },
    { "[BK-3.7] a credential of another app is refused", { { CRED_APP, 7 } }, PROBLEM_CREDENTIAL_INACTIVE },
    { "[BK-9.2.1a2-3] no app is refused", { { APP_NONE } }, PROBLEM_APP_INACTIVE },
    { "[BK-9.2.1a2-3] a suspended app is refused with the right credential", { { APP_STATE, POLICY_INACTIVE } }, PROBLEM_APP_INACTIVE },
    { "[BK-12.1e] an app in its test stage is decided as one that is live", { { APP_STATE, POLICY_TESTING } }, PROBLEM_OK, "kkmddm" },
    { "an app state from the future is refused", { { APP_STATE, 9 } }, PROBLEM_APP_INACTIVE },
    { "[EC-6.1.4.4a] a blocked app is refused", { { APP_STATE, POLICY_REVOKED } }, PROBLEM_APP_INACTIVE },
    { "[BK-7.2.1a2] A2 refuses hmac-sm3", { { API_CLASS, POLICY_A2 } }, PROBLEM_SCHEME_TOO_WEAK },
    { "[BK-9.2.1b2] A2 refuses hmac-sha256", { { API_CLASS, POLICY_A2 }, { CRED_ALG, POLICY_HMAC_SHA256 } }, PROBLEM_SCHEME_TOO_WEAK },
    { "[BK-7.2.1a2] a class from the future refuses a shared secret", { { API_CLASS, 3 } }, PROBLEM_SCHEME_TOO_WEAK },
    { "[BK-7.2.1a1] an unknown algorithm is refused", { { CRED_ALG, 9 } }, PROBLEM_SCHEME_TOO_WEAK },
    { "[BK-7.2.1b2-2] an API that wants two factors refuses a user with one", { { API_FACTORS, 2 }, { USER_FACTORS, 1 } }, PROBLEM_STEP_UP_REQUIRED },
    { "[BK-7.2.1b2-2] it refuses a call without a user", { { API_FACTORS, 2 } }, PROBLEM_STEP_UP_REQUIRED },
    { "[BK-7.2.1b2-2] it takes a user with two", { { API_FACTORS, 2 }, { USER_FACTORS, 2 } }, PROBLEM_OK, "kkmddm" },
    { "what a user proved is no matter where nobody asks", { { USER_FACTORS, 1 } }, PROBLEM_OK, "kkmddm" },
    { "a token stands for a secret", { { CRED_ALG, POLICY_TOKEN } }, PROBLEM_OK, "kkmddm" },
    { "[BK-7.2.1a1-1] A1 takes hmac-sha256", { { CRED_ALG, POLICY_HMAC_SHA256 } }, PROBLEM_OK, "kkmddm" },
    /* subscription */
    { "[EC-6.1.3.1c] no subscription is refused although the owner consents", { { SUB_NONE } }, PROBLEM_SUBSCRIPTION_MISSING },
    { "[BK-9.2.1a2-4] a suspended subscription is refused", { { SUB_STATE, POLICY_INACTIVE } }, PROBLEM_SUBSCRIPTION_MISSING },
    { "[BK-9.2.1a2-4] an expired subscription is refused", { { SUB_TO, NOW } }, PROBLEM_SUBSCRIPTION_MISSING },
    { "[BK-9.2.1a2-4] a subscription before its time is refused", { { SUB_FROM, AFTER } }, PROBLEM_SUBSCRIPTION_MISSING },
    { "[EC-6.1.4.1] a subscription to level 0 is none", { { SUB_LEVEL, 0 } }, PROBLEM_SUBSCRIPTION_MISSING },
    { "[EC-6.1.4.1] a subscription to level 1 gives level 1 alone", { { SUB_LEVEL, POLICY_L1 } }, PROBLEM_OK, "kddddd" },
    { "[EC-6.1.4.1] a subscription to level 2 gives no level 3", { { SUB_LEVEL, POLICY_L2 } }, PROBLEM_OK, "kkdddm" },
    { "[EC-6.1.1.2b] a subscription to level 4 gives no level 4", { { SUB_LEVEL, POLICY_L4 } }, PROBLEM_OK, "kkmddm" },
    { "[EC-6.1.1.2b] a subscription to level 255 gives no level 4", { { SUB_LEVEL, 255 } }, PROBLEM_OK, "kkmddm" },
    { "[EC-4.2.1c1] a subscription to chosen fields gives those alone", { { SUB_ALLOWED, 1 << 2 } }, PROBLEM_OK, "ddmddd" },
    { "[EC-5.2-T4] a subscription that names the level-4 field gives nothing", { { SUB_ALLOWED, 1 << 3 } }, PROBLEM_NO_READABLE_FIELD },
    { "[EC-6.1.1.2a] a subscription that names the unclassified field gives nothing", { { SUB_ALLOWED, 1 << 4 } }, PROBLEM_NO_READABLE_FIELD },
    { "[EC-6.1.4.1] a subscription to no field gives nothing", { { SUB_ALLOWED, 0 } }, PROBLEM_NO_READABLE_FIELD },
    { "[EC-5.2-T1] registered access: an app without a subscription gets level 1", { { API_ACCESS, POLICY_REGISTERED }, { SUB_NONE }, { GRANT_UNNAMED } }, PROBLEM_OK, "kddddd" },
    { "[EC-5.2-T2] registered access never gives level 2, subscription or not", { { API_ACCESS, POLICY_REGISTERED } }, PROBLEM_OK, "kddddd" },
    { "[EC-5.2-T1] registered access still needs an admitted app", { { API_ACCESS, POLICY_REGISTERED }, { APP_STATE, 0 } }, PROBLEM_APP_INACTIVE },
    { "an access rule from the future needs a subscription", { { API_ACCESS, 3 }, { SUB_NONE } }, PROBLEM_SUBSCRIPTION_MISSING },
    /* grant */
    { "[EC-4.2.2b] user data without a grant is refused", { { GRANT_UNNAMED } }, PROBLEM_GRANT_MISSING },
    { "[EC-6.1.3.1d] a subscription to the level-3 field alone needs the grant too", { { GRANT_UNNAMED }, { SUB_ALLOWED, 1 << 2 } }, PROBLEM_GRANT_MISSING },
    { "[EC-5.2-T1] level 1 alone needs no grant", { { GRANT_UNNAMED }, { SUB_LEVEL, POLICY_L1 } }, PROBLEM_OK, "kddddd" },
    { "[EC-5.2-T1] the level-1 field alone needs no grant", { { GRANT_UNNAMED }, { SUB_ALLOWED, 1 } }, PROBLEM_OK, "kddddd" },
    { "an API without owners needs no grant", { { GRANT_UNNAMED }, { API_OWNED, 0 } }, PROBLEM_OK, "kkmddm" },
    { "[EC-6.1.3.1d] a grant that does not exist is refused", { { GRANT_NONE } }, PROBLEM_GRANT_UNKNOWN },
    { "[EC-6.1.3.1d] an unknown grant is refused where none is needed", { { GRANT_NONE }, { API_OWNED, 0 } }, PROBLEM_GRANT_UNKNOWN },
    { "[EC-6.1.3.1a] a grant to another app is refused", { { GRANT_APP, 9 } }, PROBLEM_GRANT_MISMATCH },
    { "[CI-6.2.3b] a grant for another API is refused", { { GRANT_API, 9 } }, PROBLEM_GRANT_MISMATCH },
    { "[BK-9.3.2a2-2] an expired grant is refused", { { GRANT_TO, NOW } }, PROBLEM_GRANT_EXPIRED },
    { "[BK-9.3.2a3] a grant before its time is refused", { { GRANT_FROM, AFTER } }, PROBLEM_GRANT_EXPIRED },
    { "[BK-9.3.2a3] a grant with no kind of term is refused", { { GRANT_TERM, 0 } }, PROBLEM_GRANT_EXPIRED },
    { "[BK-9.3.2a3] a term from the future is refused", { { GRANT_TERM, 4 } }, PROBLEM_GRANT_EXPIRED },
    { "[EC-6.1.4.4b] a revoked grant is refused", { { GRANT_STATE, POLICY_REVOKED } }, PROBLEM_GRANT_REVOKED },
    { "[EC-6.1.4.4b] an inactive grant is refused", { { GRANT_STATE, POLICY_INACTIVE } }, PROBLEM_GRANT_REVOKED },
    { "[EC-6.1.4.4b] a revoked grant is refused where none is needed", { { GRANT_STATE, POLICY_REVOKED }, { SUB_LEVEL, POLICY_L1 } }, PROBLEM_GRANT_REVOKED },
    { "[EC-6.1.4.4b] a revoked grant on a registered API is refused", { { GRANT_STATE, POLICY_REVOKED }, { API_ACCESS, POLICY_REGISTERED } }, PROBLEM_GRANT_REVOKED },
    { "[EC-4.2.1c1] a grant of chosen fields gives those and level 1", { { GRANT_ALLOWED, 1 << 1 } }, PROBLEM_OK, "kkdddd" },
    { "[EC-4.2.1c1] a narrow grant narrows an API without owners", { { GRANT_ALLOWED, 1 << 2 }, { API_OWNED, 0 } }, PROBLEM_OK, "kdmddd" },
    { "[EC-5.2-T4] a grant that names the level-4 field gives nothing more", { { GRANT_ALLOWED, 1 << 3 } }, PROBLEM_OK, "kddddd" },
    { "[EC-6.1.3.1d] a grant of nothing wanted leaves nothing", { { GRANT_ALLOWED, 1 << 1 }, { SUB_ALLOWED, 1 << 2 } }, PROBLEM_NO_READABLE_FIELD },
    /* environment */
    { "[EC-7.1.3-T1] a general environment receives level 1 alone", { { APP_ENV, POLICY_GENERAL } }, PROBLEM_OK, "kddddd" },
    { "[EC-7.1.3-T1] a general environment and no level 1: too low", { { APP_ENV, POLICY_GENERAL }, { SUB_ALLOWED, 1 << 2 } }, PROBLEM_ENVIRONMENT_TOO_LOW },
    { "[EC-7.1.3-T1] a general environment where nothing else would remain", { { APP_ENV, POLICY_GENERAL }, { SUB_ALLOWED, 1 << 3 } }, PROBLEM_NO_READABLE_FIELD },
    { "[EC-7.1.3-0] an unknown environment receives nothing", { { APP_ENV, 0 } }, PROBLEM_ENVIRONMENT_TOO_LOW },
    { "[EC-7.1.3-0] an environment from the future receives nothing", { { APP_ENV, 4 } }, PROBLEM_ENVIRONMENT_TOO_LOW },
    { "[EC-7.1.3-T3] a controlled environment reads", { { APP_ENV, POLICY_CONTROLLED } }, PROBLEM_OK, "kkmddm" },
    { "[EC-7.1.3-T2] a monitored environment may not write", { { API_KIND, POLICY_HTTP }, { METHOD, POLICY_POST } }, PROBLEM_ENVIRONMENT_TOO_LOW },
    { "[EC-7.1.3-T1] a general environment may not write", { { API_KIND, POLICY_HTTP }, { METHOD, POLICY_POST }, { APP_ENV, POLICY_GENERAL } }, PROBLEM_ENVIRONMENT_TOO_LOW },
    { "[EC-7.1.3-T2] nor PUT", { { API_KIND, POLICY_HTTP }, { METHOD, POLICY_PUT }, { API_METHODS, 63 } }, PROBLEM_ENVIRONMENT_TOO_LOW },
    { "[EC-7.1.3-T2] nor PATCH", { { API_KIND, POLICY_HTTP }, { METHOD, POLICY_PATCH }, { API_METHODS, 63 } }, PROBLEM_ENVIRONMENT_TOO_LOW },
    { "[EC-7.1.3-T2] nor DELETE, on a dataset either", { { METHOD, POLICY_DELETE }, { API_METHODS, 63 } }, PROBLEM_ENVIRONMENT_TOO_LOW },
    { "[EC-7.1.3-T2] a kind from the future: POST is a write", { { API_KIND, 4 }, { METHOD, POLICY_POST } }, PROBLEM_ENVIRONMENT_TOO_LOW },
    { "[EC-7.1.3-T3] a controlled environment writes within its grant", { { API_KIND, POLICY_HTTP }, { METHOD, POLICY_POST }, { APP_ENV, POLICY_CONTROLLED } }, PROBLEM_OK, "kkmddm" },
    { "[EC-6.1.3.1d] a write needs the grant before the environment", { { API_KIND, POLICY_HTTP }, { METHOD, POLICY_POST }, { GRANT_UNNAMED } }, PROBLEM_GRANT_MISSING },
    /* fields */
    { "[EC-5.2.3-0] level 3 without a rule is dropped", { { L3_RULE, MASK_NONE } }, PROBLEM_OK, "kkdddm" },
    { "[EC-5.2.3-0] level 3 with a rule from the future is dropped", { { L3_RULE, MASK_RULES } }, PROBLEM_OK, "kkdddm" },
    { "[EC-5.2.3-0] level 3 without a rule alone: nothing to read", { { L3_RULE, MASK_NONE }, { SUB_ALLOWED, 1 << 2 } }, PROBLEM_NO_READABLE_FIELD },
    { "[EC-5.2.3-0] nor in a general environment is that the environment's fault", { { L3_RULE, MASK_NONE }, { SUB_ALLOWED, 1 << 2 }, { APP_ENV, POLICY_GENERAL } }, PROBLEM_NO_READABLE_FIELD },
    { "a rule on level 1 is honoured", { { L1_RULE, MASK_NAME } }, PROBLEM_OK, "mkmddm" },
    { "a rule from the future on level 1 drops it", { { L1_RULE, 200 } }, PROBLEM_OK, "dkmddm" },
    { "[EC-6.1.4.1] an API with no fields gives nothing", { { API_FIELDS, 0 }, { GRANT_UNNAMED } }, PROBLEM_NO_READABLE_FIELD },
};
/* clang-format on */

static void run_row(void **state)
{
    const struct row *r = *state;
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    for (size_t i = 0; i < sizeof r->set / sizeof *r->set; i++) {
        turn_api(&w, r->set[i].knob, r->set[i].value);
        turn_app(&w, r->set[i].knob, r->set[i].value);
        turn_grant(&w, r->set[i].knob, r->set[i].value);
    }
    memset(&v, 0x5a, sizeof v);
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, r->want);
    for (uint32_t i = 0; i < v.n_fields; i++) {
        char letter = r->outcomes == NULL ? 'd' : r->outcomes[i];
        assert_int_equal(v.outcome[i], letter == 'k'   ? PLAN_KEEP
                                       : letter == 'm' ? PLAN_MASK
                                                       : PLAN_DROP);
    }
}

static void whys_name_the_obstacle(void **state)
{
    (void)state;
    static const struct {
        enum knob knob;
        unsigned value;
        uint32_t field;
        enum policy_field_why why;
    } w_rows[] = {
        {NONE, 0, 0, POLICY_WHY_OPEN},
        {NONE, 0, 1, POLICY_WHY_OPEN},
        {NONE, 0, 2, POLICY_WHY_MASKED},
        {NONE, 0, 3, POLICY_WHY_FORBIDDEN},
        {NONE, 0, 4, POLICY_WHY_UNCLASSIFIED},
        {L3_RULE, MASK_NONE, 2, POLICY_WHY_UNMASKABLE},
        {APP_ENV, POLICY_GENERAL, 2, POLICY_WHY_ENVIRONMENT},
        {SUB_LEVEL, POLICY_L2, 2, POLICY_WHY_SUBSCRIPTION},
        {SUB_NONE, 0, 0, POLICY_WHY_SUBSCRIPTION},
        {GRANT_ALLOWED, 1, 2, POLICY_WHY_GRANT},
        {GRANT_UNNAMED, 0, 1, POLICY_WHY_GRANT},
        {APP_NONE, 0, 0, POLICY_WHY_ENVIRONMENT},
    };
    for (size_t i = 0; i < sizeof w_rows / sizeof *w_rows; i++) {
        struct world w;
        struct policy_verdict v;
        world_init(&w);
        turn_api(&w, w_rows[i].knob, w_rows[i].value);
        turn_app(&w, w_rows[i].knob, w_rows[i].value);
        turn_grant(&w, w_rows[i].knob, w_rows[i].value);
        policy_decide(&w.call, &v);
        assert_int_equal(v.why[w_rows[i].field], w_rows[i].why);
    }
}

static void every_why_speaks(void **state)
{
    (void)state;
    for (int i = 0; i < POLICY_WHY_COUNT; i++) {
        assert_true(policy_why_text((enum policy_field_why)i, true)[0] != '\0');
        assert_true(policy_why_text((enum policy_field_why)i, false)[0] != '\0');
        assert_true(policy_why_clauses((enum policy_field_why)i)[0] != '\0');
    }
    assert_string_equal(policy_why_text(POLICY_WHY_COUNT, true), "");
    assert_string_equal(policy_why_clauses((enum policy_field_why) - 1), "");
}

static void valid_until_is_the_next_boundary(void **state)
{
    (void)state;
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    policy_decide(&w.call, &v);
    assert_int_equal(v.valid_until_ms, 0);
    w.credential.not_before_ms = 5; /* past */
    w.credential.expires_ms = NOW + 500;
    w.subscription.expires_ms = NOW + 400;
    w.grant.not_before_ms = NOW; /* now is past too */
    w.grant.expires_ms = NOW + 600;
    policy_decide(&w.call, &v);
    assert_int_equal(v.valid_until_ms, NOW + 400);
    w.grant.not_before_ms = NOW + 300; /* refused now, may be allowed then */
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_GRANT_EXPIRED);
    assert_int_equal(v.valid_until_ms, NOW + 300);
    w.call.api = NULL;
    w.call.app = NULL;
    w.call.credential = NULL;
    w.call.subscription = NULL;
    w.call.grant = NULL;
    policy_decide(&w.call, &v);
    assert_int_equal(v.valid_until_ms, 0);
    assert_int_equal(v.n_fields, 0);
}

/* Bits of the last field are read from the last word, and fields past the limit do not exist. */
static void the_limit_of_fields_holds(void **state)
{
    (void)state;
    static struct policy_field many[POLICY_FIELDS_MAX + 8];
    struct world w;
    struct policy_verdict v;
    world_init(&w);
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        many[i] = (struct policy_field){.path = SLICE("x"), .level = POLICY_L2};
    }
    w.api.fields = many;
    w.api.n_fields = sizeof many / sizeof *many;
    w.subscription.all_fields = false;
    w.subscription.allowed[POLICY_FIELD_WORDS - 1] = 1ull << 63;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_OK);
    assert_int_equal(v.n_fields, POLICY_FIELDS_MAX);
    for (uint32_t i = 0; i < POLICY_FIELDS_MAX; i++) {
        assert_int_equal(v.outcome[i], i == POLICY_FIELDS_MAX - 1 ? PLAN_KEEP : PLAN_DROP);
    }
    w.api.fields = NULL;
    policy_decide(&w.call, &v);
    assert_int_equal(v.reason, PROBLEM_NO_READABLE_FIELD);
}

int main(void)
{
    enum { N = sizeof rows / sizeof *rows };
    struct CMUnitTest tests[N + 4];
    for (size_t i = 0; i < N; i++) {
        tests[i] = (struct CMUnitTest){rows[i].title, run_row, NULL, NULL, &rows[i]};
    }
    tests[N] = (struct CMUnitTest){"each why names what stands in the way", whys_name_the_obstacle,
                                   NULL, NULL, NULL};
    tests[N + 1] =
        (struct CMUnitTest){"every why has words and clauses", every_why_speaks, NULL, NULL, NULL};
    tests[N + 2] = (struct CMUnitTest){"valid_until is the next boundary of any window",
                                       valid_until_is_the_next_boundary, NULL, NULL, NULL};
    tests[N + 3] = (struct CMUnitTest){"field bits reach to the last of 512",
                                       the_limit_of_fields_holds, NULL, NULL, NULL};
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
