/* SPDX-License-Identifier: Apache-2.0 */
/* The decision is a row of gates, each of which may refuse, and then one pass over the fields. A
 * gate that does not know a value refuses it: the enums come from records that another version of
 * the program may have written. */
#include "policy/policy.h"

#include "plan/plan.h"
#include "policy/purpose.h"

static const struct {
    const char *clauses, *en, *zh;
} whys[POLICY_WHY_COUNT] = {
    [POLICY_WHY_OPEN] = {"EC-5.2-T1,EC-5.2-T2", "open to this app", "已向该应用开放"},
    [POLICY_WHY_MASKED] = {"EC-5.2-T3,EC-6.1.4.2", "given masked", "脱敏后提供"},
    [POLICY_WHY_FORBIDDEN] = {"EC-5.2-T4,EC-6.1.1.2b", "level 4 never leaves", "四级数据禁止开放"},
    [POLICY_WHY_UNCLASSIFIED] = {"EC-4.2.1b1,EC-6.1.1.2a", "the field has no level",
                                 "字段尚未定级"},
    [POLICY_WHY_UNMASKABLE] = {"EC-5.2.3-0", "it must be masked and has no usable rule",
                               "需要脱敏但没有可用的脱敏规则"},
    [POLICY_WHY_ENVIRONMENT] = {"EC-7.1.3-0,EC-7.1.3-T1",
                                "the app's run environment may not receive this level",
                                "应用运行环境等级不足以接收该级别数据"},
    [POLICY_WHY_SUBSCRIPTION] = {"EC-6.1.4.1,EC-6.1.3.1c,BK-9.2.1a2-4",
                                 "outside what the app's subscription opens",
                                 "超出应用订阅的级别或字段范围"},
    [POLICY_WHY_GRANT] = {"EC-6.1.3.1d,EC-4.2.1c1", "the data owner has not granted it",
                          "数据所有者未授权该字段"},
    [POLICY_WHY_OWN] = {"SW-9.6.1-03,SW-9.6.1-a2", "the app's own organisation's data",
                        "应用所属机构自有数据"},
};

const char *policy_why_text(enum policy_field_why why, bool zh)
{
    if ((unsigned)why >= POLICY_WHY_COUNT) {
        return "";
    }
    return zh ? whys[why].zh : whys[why].en;
}

const char *policy_why_clauses(enum policy_field_why why)
{
    return (unsigned)why < POLICY_WHY_COUNT ? whys[why].clauses : "";
}

/* A window holds its first instant and not its last: what expires at t is refused at t. */
static bool in_window(uint64_t not_before_ms, uint64_t expires_ms, uint64_t now_ms)
{
    return now_ms >= not_before_ms && (expires_ms == 0 || now_ms < expires_ms);
}

static bool has_bit(const uint64_t *words, uint32_t i)
{
    return words[i / 64] >> (i % 64) & 1;
}

static enum problem gate_route(const struct policy_call *c)
{
    if (c->api == NULL || c->api->state < POLICY_API_PUBLISHED ||
        c->api->state > POLICY_API_OFFLINE) {
        return PROBLEM_ROUTE_UNKNOWN;
    }
    return PROBLEM_OK;
}

static enum problem gate_method(const struct policy_call *c)
{
    bool one_bit = c->method != 0 && (c->method & (c->method - 1)) == 0;
    return one_bit && (c->method & c->api->methods) ? PROBLEM_OK : PROBLEM_METHOD_NOT_ALLOWED;
}

static enum problem gate_offline(const struct policy_call *c)
{
    return c->api->state == POLICY_API_OFFLINE ? PROBLEM_API_OFFLINE : PROBLEM_OK;
}

static enum problem gate_credential(const struct policy_call *c)
{
    const struct policy_credential *k = c->credential;
    if (k == NULL) {
        return PROBLEM_CREDENTIAL_UNKNOWN;
    }
    if (k->state != POLICY_ACTIVE || !in_window(k->not_before_ms, k->expires_ms, c->now_ms)) {
        return PROBLEM_CREDENTIAL_INACTIVE;
    }
    if (c->app != NULL && !uuid_eq(&k->app, &c->app->id)) {
        return PROBLEM_CREDENTIAL_INACTIVE;
    }
    return PROBLEM_OK;
}

static enum problem gate_app(const struct policy_call *c)
{
    bool calls =
        c->app != NULL && (c->app->state == POLICY_ACTIVE || c->app->state == POLICY_TESTING);
    return calls ? PROBLEM_OK : PROBLEM_APP_INACTIVE;
}

/* BK-6.1a; BK-6.1c1, -6.1c3: what a phone holds is not a secret, so a mobile app sees what is open
 * anyway. */
static enum problem gate_channel(const struct policy_call *c)
{
    uint8_t channel = c->app->channel;
    if (channel == 0 || channel == POLICY_SERVER) {
        return c->api->mobile_only ? PROBLEM_CHANNEL_NOT_ALLOWED : PROBLEM_OK;
    }
    bool open = c->api->mobile && c->api->class_ == POLICY_A1 && !c->api->owner_scoped;
    return channel == POLICY_MOBILE && open ? PROBLEM_OK : PROBLEM_CHANNEL_NOT_ALLOWED;
}

/* 0: the algorithm signs nothing. */
static uint8_t proof_of_alg(uint8_t alg)
{
    switch (alg) {
    case POLICY_HMAC_SHA256:
    case POLICY_HMAC_SM3:
    case POLICY_TOKEN: /* whoever holds it has it, as with a secret */
        return POLICY_PROOF_SECRET;
    case POLICY_SM2_SM3:
    case POLICY_ECDSA_P256_SHA256:
    case POLICY_RSA_PSS_SHA512:
        return POLICY_PROOF_KEY;
    default:
        return 0;
    }
}

static bool can_sign(const struct policy_credential *k)
{
    return (k->use == 0 || k->use == POLICY_SIGNING) && proof_of_alg(k->alg) != 0;
}

/* The proofs a call still owes. BK-7.2.1a2, BK-9.2.1b2: a shared secret alone never opens A2; only
 * a private key's signature over this very call does. */
static uint8_t proofs_missing(const struct policy_call *c)
{
    static const uint8_t defaults[] = {[POLICY_A1] = POLICY_PROOF_SECRET | POLICY_PROOF_KEY |
                                                     POLICY_PROOF_CERTIFICATE,
                                       [POLICY_A2] = POLICY_PROOF_KEY | POLICY_PROOF_CERTIFICATE};
    uint8_t proven = c->proofs != 0 ? c->proofs : proof_of_alg(c->credential->alg);
    uint8_t any = c->api->schemes != 0 ? c->api->schemes : defaults[c->api->class_];
    uint8_t all = c->app->factors;
    if (c->api->class_ == POLICY_A2) {
        all |= POLICY_PROOF_KEY;
    }
    uint8_t missing = (uint8_t)(all & ~proven);
    bool enough = (any & (proven | missing)) != 0;
    return enough ? missing : (uint8_t)(missing | any);
}

static bool class_known(const struct policy_call *c)
{
    return c->api->class_ == POLICY_A1 || c->api->class_ == POLICY_A2;
}

static enum problem gate_scheme(const struct policy_call *c)
{
    if (!class_known(c) || !can_sign(c->credential) || proofs_missing(c) != 0) {
        return PROBLEM_SCHEME_TOO_WEAK;
    }
    return PROBLEM_OK;
}

/* BK-7.2.1b: how strongly the user proved himself to the platform, which a token alone can tell. */
static enum problem gate_user(const struct policy_call *c)
{
    return c->user_factors >= c->api->user_factors ? PROBLEM_OK : PROBLEM_STEP_UP_REQUIRED;
}

/* SW-9.6.1-03: an organisation that asks for its own rows. A grant that is named makes the call one
 * about the grant's owner, so such a call is never it. */
static bool is_own(const struct policy_call *c)
{
    return c->api != NULL && c->api->owner_scoped && c->app != NULL && c->app->has_subject &&
           !c->grant_named && c->grant == NULL;
}

static enum problem gate_subscription(const struct policy_call *c)
{
    const struct policy_subscription *s = c->subscription;
    if (c->api->access == POLICY_REGISTERED || is_own(c)) {
        return PROBLEM_OK;
    }
    if (s == NULL || s->state != POLICY_ACTIVE || s->max_level < POLICY_L1 ||
        !in_window(s->not_before_ms, s->expires_ms, c->now_ms)) {
        return PROBLEM_SUBSCRIPTION_MISSING;
    }
    return PROBLEM_OK;
}

/* BK-6.2b1, -6.2b2, BK-9.3.5c: what is claimed must hold wherever it is claimed, for it is
 * recorded; nobody calls for an event that is brought. */
static enum problem gate_sdk(const struct policy_call *c)
{
    const struct policy_subscription *s = c->subscription;
    if (c->stream == POLICY_STREAM_EVENT) {
        return PROBLEM_OK;
    }
    if (c->sdk > POLICY_SDK_OUTDATED) {
        return PROBLEM_SDK_REFUSED;
    }
    bool direct = s != NULL && c->now_ms < s->direct_until_ms;
    return !c->api->sdk_required || c->sdk != POLICY_SDK_NONE || direct ? PROBLEM_OK
                                                                        : PROBLEM_SDK_REQUIRED;
}

/* What the app was approved for, whatever the owner says: by level and by field. */
static bool subscribed(const struct policy_call *c, uint32_t i)
{
    uint8_t level = c->api->fields[i].level;
    if (c->api->access == POLICY_REGISTERED) {
        return level == POLICY_L1;
    }
    const struct policy_subscription *s = c->subscription;
    return s != NULL && level <= s->max_level && (s->all_fields || has_bit(s->allowed, i));
}

static bool is_owner_data(uint8_t level)
{
    return level == POLICY_L2 || level == POLICY_L3;
}

/* EC-6.1.1.1a: what a user enters is recorded with that user's consent alone. */
static bool collects(const struct policy_call *c)
{
    return c->api->collects && c->method != POLICY_GET && c->method != POLICY_HEAD;
}

static bool opens(const struct policy_call *c)
{
    return c->stream == POLICY_STREAM_OPEN || c->stream == POLICY_STREAM_PUBLISH;
}

static bool grant_needed(const struct policy_call *c, uint32_t n_fields)
{
    if (opens(c)) {
        return false;
    }
    if (collects(c)) {
        return true;
    }
    if (!c->api->owner_scoped) {
        return false;
    }
    for (uint32_t i = 0; i < n_fields; i++) {
        if (is_owner_data(c->api->fields[i].level) && subscribed(c, i)) {
            return true;
        }
    }
    return false;
}

static uint32_t field_count(const struct policy_api *api)
{
    if (api == NULL || api->fields == NULL) {
        return 0;
    }
    return api->n_fields < POLICY_FIELDS_MAX ? api->n_fields : POLICY_FIELDS_MAX;
}

static bool in_audience(const struct policy_grant *g, const struct uuid *user)
{
    for (size_t at = 0; at + UUID_LEN <= g->audience.n; at += UUID_LEN) {
        if (!uuid_is_nil(user) && memcmp(g->audience.p + at, user->b, UUID_LEN) == 0) {
            return true;
        }
    }
    return false;
}

/* A grant that is named must be good even where none is needed: a caller that shows a revoked
 * consent has a mistake worth hearing of, and the audit record must not cite it. */
static enum problem gate_grant(const struct policy_call *c)
{
    const struct policy_grant *g = c->grant;
    if (is_own(c)) {
        return PROBLEM_OK;
    }
    if (!c->grant_named && g == NULL) {
        return grant_needed(c, field_count(c->api)) ? PROBLEM_GRANT_MISSING : PROBLEM_OK;
    }
    if (g == NULL) {
        return PROBLEM_GRANT_UNKNOWN;
    }
    if (c->app == NULL || c->api == NULL || !uuid_eq(&g->app, &c->app->id) ||
        !uuid_eq(&g->api, &c->api->id)) {
        return PROBLEM_GRANT_MISMATCH;
    }
    if (!in_window(g->not_before_ms, g->expires_ms, c->now_ms) || g->term < POLICY_ONCE ||
        g->term > POLICY_AGREEMENT ||
        (c->stream == POLICY_STREAM_EVENT && g->term == POLICY_ONCE)) { /* once is no stream */
        return PROBLEM_GRANT_EXPIRED;
    }
    if (g->state != POLICY_ACTIVE) {
        return PROBLEM_GRANT_REVOKED;
    }
    return !g->restricted || in_audience(g, &c->user) ? PROBLEM_OK : PROBLEM_AUDIENCE_EXCLUDED;
}

static bool shares_purpose(struct slice a, struct slice b)
{
    for (size_t at = 0; at + UUID_LEN <= a.n; at += UUID_LEN) {
        struct uuid id;
        memcpy(id.b, a.p + at, UUID_LEN);
        if (purpose_among(b, &id)) {
            return true;
        }
    }
    return false;
}

/* A call that says nothing is for what its grant was given for: one thing, and one that an
 * agreement there is names too. */
static enum problem implied_purpose(const struct policy_call *c, struct slice granted,
                                    struct slice approved)
{
    const struct policy_subscription *s = c->subscription;
    bool agreed = s != NULL && s->agreed && c->api->access != POLICY_REGISTERED;
    if (granted.n == 0) {
        return PROBLEM_OK;
    }
    if (granted.n > UUID_LEN && c->stream != POLICY_STREAM_EVENT) {
        return PROBLEM_PURPOSE_MISSING;
    }
    return !agreed || shares_purpose(granted, approved) ? PROBLEM_OK : PROBLEM_PURPOSE_MISMATCH;
}

/* BK-9.3.2a2-1, SW-9.8-use2c: whoever agreed to something agreed to it for something. Nobody calls
 * for an event, so what it is for is what both sides named. */
static enum problem gate_purpose(const struct policy_call *c)
{
    const struct policy_subscription *s = c->subscription;
    const struct slice none = SLICE("");
    bool asked =
        s != NULL && c->api->access != POLICY_REGISTERED &&
        (s->agreed || c->grant == NULL); /* the subscription's own word, or the agreement's */
    struct slice granted = c->grant == NULL ? none : c->grant->purposes;
    struct slice approved = asked ? s->purposes : none;
    if (is_own(c)) {
        return PROBLEM_OK;
    }
    if (uuid_is_nil(&c->purpose) && !c->api->purpose_needed) {
        return implied_purpose(c, granted, approved);
    }
    if (uuid_is_nil(&c->purpose)) {
        bool named = c->grant == NULL || !asked || shares_purpose(granted, approved);
        return c->stream == POLICY_STREAM_EVENT && named ? PROBLEM_OK : PROBLEM_PURPOSE_MISSING;
    }
    bool good = (c->grant == NULL || purpose_among(granted, &c->purpose)) &&
                (!asked || purpose_among(approved, &c->purpose));
    return good && (c->grant != NULL || asked) ? PROBLEM_OK : PROBLEM_PURPOSE_MISMATCH;
}

/* CI-6.1.4b: by the way that was chosen for the business scenario, and by no other. */
static enum problem gate_way(const struct policy_call *c)
{
    const struct policy_subscription *s = c->subscription;
    bool call = c->stream == POLICY_STREAM_NONE && !c->export_;
    unsigned way = c->stream != POLICY_STREAM_NONE ? POLICY_WAY_EVENT
                   : c->export_                    ? POLICY_WAY_EXPORT
                   : c->sdk != POLICY_SDK_NONE     ? POLICY_WAY_CALL | POLICY_WAY_SDK
                                                   : POLICY_WAY_CALL;
    if (is_own(c) || s == NULL || s->ways == 0 || (s->ways & way)) {
        return PROBLEM_OK;
    }
    return call && (s->ways & POLICY_WAY_SDK) ? PROBLEM_SDK_REQUIRED : PROBLEM_ACCESS_NOT_AGREED;
}

/* EC-7.1.3-T2, -T3: only a controlled environment writes. A dataset's POST carries a query unless
 * it says that rows are posted to it, and so does a composed API's, whose graph only reads. */
static enum problem gate_environment(const struct policy_call *c)
{
    bool queried =
        (c->api->kind == POLICY_DATASET && !c->api->posts_rows) || c->api->kind == POLICY_COMPOSED;
    bool taken = c->stream == POLICY_STREAM_OPEN || c->stream == POLICY_STREAM_EVENT;
    bool read = c->method == POLICY_GET || c->method == POLICY_HEAD || taken ||
                (c->method == POLICY_POST && queried);
    return read || is_own(c) || c->app->environment == POLICY_CONTROLLED
               ? PROBLEM_OK
               : PROBLEM_ENVIRONMENT_TOO_LOW;
}

/* Rows are chosen where they are read from a dataset. What is anybody else's to read cannot be held
 * to a condition, so it is not read at all. */
static enum problem gate_rows(const struct policy_call *c)
{
    bool rows = c->api->kind == POLICY_DATASET || c->api->kind == POLICY_TOPIC;
    bool asked = (c->subscription != NULL && c->subscription->rows.n > 0 &&
                  c->api->access != POLICY_REGISTERED) ||
                 (c->grant != NULL && c->grant->rows.n > 0);
    return rows || !asked || is_own(c) ? PROBLEM_OK : PROBLEM_ROW_FILTER_UNUSABLE;
}

static enum problem (*const gates[])(const struct policy_call *) = {
    gate_route,   gate_method,  gate_offline, gate_credential,   gate_app,
    gate_channel, gate_scheme,  gate_user,    gate_subscription, gate_sdk,
    gate_grant,   gate_purpose, gate_way,     gate_environment,  gate_rows,
};

static bool environment_receives(const struct policy_app *app, uint8_t level)
{
    if (app == NULL) {
        return false;
    }
    switch (app->environment) {
    case POLICY_GENERAL:
        return level == POLICY_L1;
    case POLICY_MONITORED:
    case POLICY_CONTROLLED:
        return true;
    default:
        return false;
    }
}

static bool granted(const struct policy_call *c, uint32_t i)
{
    if (c->grant == NULL) {
        return !c->api->owner_scoped;
    }
    return c->grant->all_fields || has_bit(c->grant->allowed, i);
}

/* The environment is asked last, so that POLICY_WHY_ENVIRONMENT means: nothing else is in the way.
 */
static enum policy_field_why field_why(const struct policy_call *c, uint32_t i)
{
    const struct policy_field *f = &c->api->fields[i];
    if (f->level < POLICY_L1 || f->level > POLICY_L4) {
        return POLICY_WHY_UNCLASSIFIED;
    }
    if (f->level == POLICY_L4) {
        return POLICY_WHY_FORBIDDEN;
    }
    if (is_own(c)) {
        return POLICY_WHY_OWN;
    }
    if (!subscribed(c, i)) {
        return POLICY_WHY_SUBSCRIPTION;
    }
    if (is_owner_data(f->level) && !granted(c, i)) {
        return POLICY_WHY_GRANT;
    }
    if (f->mask.rule >= MASK_RULES || (f->level == POLICY_L3 && f->mask.rule == MASK_NONE)) {
        return POLICY_WHY_UNMASKABLE;
    }
    if (!environment_receives(c->app, f->level)) {
        return POLICY_WHY_ENVIRONMENT;
    }
    return f->mask.rule == MASK_NONE ? POLICY_WHY_OPEN : POLICY_WHY_MASKED;
}

static enum problem decide_fields(const struct policy_call *c, struct policy_verdict *v)
{
    static const uint8_t outcomes[POLICY_WHY_COUNT] = {[POLICY_WHY_OPEN] = PLAN_KEEP,
                                                       [POLICY_WHY_OWN] = PLAN_KEEP,
                                                       [POLICY_WHY_MASKED] = PLAN_MASK};
    uint32_t given = 0, environment = 0;
    for (uint32_t i = 0; i < v->n_fields; i++) {
        v->why[i] = (uint8_t)field_why(c, i);
        v->outcome[i] = outcomes[v->why[i]];
        given += v->outcome[i] != PLAN_DROP;
        environment += v->why[i] == POLICY_WHY_ENVIRONMENT;
    }
    if (given > 0) {
        return PROBLEM_OK;
    }
    return environment > 0 ? PROBLEM_ENVIRONMENT_TOO_LOW : PROBLEM_NO_READABLE_FIELD;
}

static void sooner(uint64_t *until_ms, uint64_t at_ms, uint64_t now_ms)
{
    if (at_ms > now_ms && (*until_ms == 0 || at_ms < *until_ms)) {
        *until_ms = at_ms;
    }
}

static uint64_t valid_until(const struct policy_call *c)
{
    uint64_t until_ms = 0;
    if (c->credential != NULL) {
        sooner(&until_ms, c->credential->not_before_ms, c->now_ms);
        sooner(&until_ms, c->credential->expires_ms, c->now_ms);
    }
    if (c->subscription != NULL) {
        sooner(&until_ms, c->subscription->not_before_ms, c->now_ms);
        sooner(&until_ms, c->subscription->expires_ms, c->now_ms);
        sooner(&until_ms, c->subscription->direct_until_ms, c->now_ms);
    }
    if (c->grant != NULL) {
        sooner(&until_ms, c->grant->not_before_ms, c->now_ms);
        sooner(&until_ms, c->grant->expires_ms, c->now_ms);
    }
    return until_ms;
}

/* Conditions of both hold, so neither can widen the other. Open APIs ask no subscription. */
static void decide_rows(const struct policy_call *c, struct policy_verdict *v)
{
    v->rows_subscription = v->rows_grant = SLICE("");
    if (v->own || c->api == NULL) {
        return;
    }
    if (c->subscription != NULL && c->api->access != POLICY_REGISTERED) {
        v->rows_subscription = c->subscription->rows;
    }
    if (c->grant != NULL) {
        v->rows_grant = c->grant->rows;
    }
}

bool policy_rows(const struct policy_verdict *v, char out[static POLICY_ROWS_BOTH], size_t *n)
{
    struct slice a = v->rows_subscription, b = v->rows_grant;
    *n = 0;
    if (a.n > POLICY_ROWS_MAX || b.n > POLICY_ROWS_MAX) {
        return false;
    }
    if (a.n > 0) {
        memcpy(out, a.p, a.n);
        *n = a.n;
    }
    if (b.n > 0) {
        out[*n] = '&';
        *n += *n > 0;
        memcpy(out + *n, b.p, b.n);
        *n += b.n;
    }
    return true;
}

void policy_decide(const struct policy_call *call, struct policy_verdict *v)
{
    memset(v, 0, sizeof *v);
    v->n_fields = field_count(call->api);
    v->own = is_own(call);
    v->valid_until_ms = valid_until(call);
    if (call->subscription != NULL) {
        v->amount_call = call->subscription->amount_call;
        v->amount_day = call->subscription->amount_day;
    }
    decide_rows(call, v);
    enum problem fields = decide_fields(call, v);
    for (size_t i = 0; i < sizeof gates / sizeof *gates && v->reason == PROBLEM_OK; i++) {
        v->reason = gates[i](call);
    }
    if (v->reason == PROBLEM_SCHEME_TOO_WEAK && class_known(call) && can_sign(call->credential)) {
        v->needs = proofs_missing(call);
    }
    if (v->reason == PROBLEM_OK && !opens(call)) {
        v->reason = fields;
    }
    if (v->reason != PROBLEM_OK) {
        memset(v->outcome, PLAN_DROP, sizeof v->outcome);
    }
}
