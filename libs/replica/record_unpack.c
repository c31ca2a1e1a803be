/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes back to structs. Every read goes through take(), which never passes the end; texts
 * stay where they are and are borrowed. */
#include "plan/plan.h"
#include "policy/purpose.h"
#include "replica/record.h"

struct cursor {
    const char *p, *end;
    bool bad;
};

static const char *take(struct cursor *c, size_t n)
{
    if (c->bad || (size_t)(c->end - c->p) < n) {
        c->bad = true;
        return NULL;
    }
    const char *at = c->p;
    c->p += n;
    return at;
}

static uint64_t take_uint(struct cursor *c, int n_bytes)
{
    const char *at = take(c, (size_t)n_bytes);
    uint64_t value = 0;
    for (int i = 0; at != NULL && i < n_bytes; i++) {
        value |= (uint64_t)(uint8_t)at[i] << (8 * i);
    }
    return value;
}

static struct slice take_text(struct cursor *c)
{
    size_t n = take_uint(c, 2);
    const char *at = take(c, n);
    return at == NULL ? SLICE("") : slice_of(at, n);
}

static void take_uuid(struct cursor *c, struct uuid *id)
{
    const char *at = take(c, sizeof id->b);
    if (at != NULL) {
        memcpy(id->b, at, sizeof id->b);
    }
}

static struct cursor start(struct slice in, uint64_t *rev)
{
    struct cursor c = {in.p, in.p + in.n, false};
    c.bad = take_uint(&c, 1) != RECORD_VERSION || c.bad;
    *rev = take_uint(&c, 8);
    return c;
}

static bool finished(const struct cursor *c)
{
    return !c->bad && c->p == c->end;
}

bool record_unpack_app(struct slice in, struct replica_app *app)
{
    uint64_t rev;
    memset(app, 0, sizeof *app);
    struct cursor c = start(in, &rev);
    app->policy.state = (uint8_t)take_uint(&c, 1);
    app->policy.environment = (uint8_t)take_uint(&c, 1);
    take_uuid(&c, &app->org);
    app->name = take_text(&c);
    app->policy.factors = (uint8_t)take_uint(&c, 1);
    app->policy.channel = (uint8_t)take_uint(&c, 1);
    app->subject = take_text(&c);
    app->policy.has_subject = app->subject.n > 0;
    app->version = take_text(&c);
    app->states_version = take_uint(&c, 1) == 1;
    return finished(&c);
}

bool record_unpack_credential(struct slice in, struct replica_credential *k)
{
    uint64_t rev;
    memset(k, 0, sizeof *k);
    struct cursor c = start(in, &rev);
    k->policy.state = (uint8_t)take_uint(&c, 1);
    k->policy.alg = (uint8_t)take_uint(&c, 1);
    k->policy.use = (uint8_t)take_uint(&c, 1);
    take_uuid(&c, &k->policy.app);
    k->policy.not_before_ms = take_uint(&c, 8);
    k->policy.expires_ms = take_uint(&c, 8);
    k->certificate_mode = (uint8_t)take_uint(&c, 1);
    k->certificate_sm3 = take_text(&c);
    k->certificate_subject = take_text(&c);
    k->secret_sealed = take_text(&c);
    k->public_key = take_text(&c);
    c.bad |= k->certificate_sm3.n != 0 && k->certificate_sm3.n != 32;
    return finished(&c);
}

/* Lists are made in the API's own order as a rule, so the search goes on from the last hit. */
static void set_bit(uint64_t *words, const struct policy_api *api, struct slice path,
                    uint32_t *from)
{
    uint32_t n = api->n_fields < POLICY_FIELDS_MAX ? api->n_fields : POLICY_FIELDS_MAX;
    for (uint32_t tried = 0; tried < n; tried++) {
        uint32_t i = (*from + tried) % n;
        if (slice_eq(api->fields[i].path, path)) {
            words[i / 64] |= 1ull << (i % 64);
            *from = i + 1;
            return;
        }
    }
}

static bool take_paths(struct cursor *c, const struct policy_api *api, uint64_t *words)
{
    bool all = take_uint(c, 1) == 1;
    if (all) {
        return true;
    }
    uint32_t from = 0;
    size_t n = take_uint(c, 2);
    c->bad |= n > POLICY_FIELDS_MAX;
    for (size_t i = 0; i < n && !c->bad; i++) {
        struct slice path = take_text(c);
        if (api != NULL && !c->bad) {
            set_bit(words, api, path, &from);
        }
    }
    return false;
}

static struct slice take_purposes(struct cursor *c)
{
    struct slice ids = take_text(c);
    c->bad |= ids.n % UUID_LEN != 0 || ids.n > PURPOSES_MAX * UUID_LEN;
    return ids;
}

bool record_unpack_subscription(struct slice in, const struct policy_api *api,
                                struct policy_subscription *s)
{
    uint64_t rev;
    struct uuid skipped;
    memset(s, 0, sizeof *s);
    struct cursor c = start(in, &rev);
    s->state = (uint8_t)take_uint(&c, 1);
    s->max_level = (uint8_t)take_uint(&c, 1);
    take_uuid(&c, &skipped);
    take_uuid(&c, &skipped);
    s->not_before_ms = take_uint(&c, 8);
    s->expires_ms = take_uint(&c, 8);
    s->all_fields = take_paths(&c, api, s->allowed);
    s->purposes = take_purposes(&c);
    s->agreed = take_uint(&c, 1) != 0;
    s->amount_call = take_uint(&c, 8);
    s->amount_day = take_uint(&c, 8);
    s->ways = (uint8_t)take_uint(&c, 1);
    s->direct_until_ms = take_uint(&c, 8);
    s->rows = take_text(&c);
    c.bad |= s->rows.n > POLICY_ROWS_MAX;
    return finished(&c);
}

/* Its first byte says which of them there are. */
static struct slice take_claims(struct cursor *c)
{
    const char *at = take(c, 1);
    size_t n = at == NULL || *at == 0 ? 0 : REPLICA_CLAIMS * CRYPTO_HASH_LEN;
    bool whole = n == 0 || take(c, n) != NULL;
    c->bad |= at != NULL && (uint8_t)*at >= 1u << REPLICA_CLAIMS;
    return at != NULL && whole ? slice_of(at, 1 + n) : SLICE("");
}

bool record_unpack_grant(struct slice in, const struct policy_api *api, struct policy_grant *g)
{
    uint64_t rev;
    memset(g, 0, sizeof *g);
    struct cursor c = start(in, &rev);
    g->state = (uint8_t)take_uint(&c, 1);
    g->term = (uint8_t)take_uint(&c, 1);
    take_uuid(&c, &g->app);
    take_uuid(&c, &g->api);
    g->owner = take_text(&c);
    g->not_before_ms = take_uint(&c, 8);
    g->expires_ms = take_uint(&c, 8);
    g->all_fields = take_paths(&c, api, g->allowed);
    g->restricted = take_uint(&c, 1) != 0;
    g->audience = take_text(&c);
    g->purposes = take_purposes(&c);
    g->claims = take_claims(&c);
    g->rows = take_text(&c);
    c.bad |= g->rows.n > POLICY_ROWS_MAX;
    c.bad |= g->audience.n % UUID_LEN != 0 || g->audience.n > REPLICA_AUDIENCE_MAX * UUID_LEN;
    return finished(&c);
}

bool record_unpack_revocation(struct slice in, uint8_t *subject, struct slice *value,
                              uint64_t *before_ms)
{
    uint64_t rev;
    struct cursor c = start(in, &rev);
    *subject = (uint8_t)take_uint(&c, 1);
    *value = take_text(&c);
    *before_ms = take_uint(&c, 8);
    (void)take_uint(&c, 8);
    return finished(&c);
}

bool record_unpack_account(struct slice in, struct replica_account *a)
{
    uint64_t rev;
    struct cursor c = start(in, &rev);
    take_uuid(&c, &a->user);
    take_uuid(&c, &a->app);
    take_uuid(&c, &a->api);
    take_uuid(&c, &a->accessid);
    const char *verifier = take(&c, sizeof a->verifier);
    if (verifier != NULL) {
        memcpy(a->verifier, verifier, sizeof a->verifier);
    }
    return finished(&c);
}

bool record_unpack_user(struct slice in, bool *only, struct slice *apis)
{
    uint64_t rev;
    struct cursor c = start(in, &rev);
    uint64_t mode = take_uint(&c, 1);
    size_t n = take_uint(&c, 2) * UUID_LEN;
    const char *at = take(&c, n);
    *only = mode == 1;
    *apis = at == NULL ? SLICE("") : slice_of(at, n);
    return finished(&c) && (mode == 1 || mode == 2);
}

bool record_unpack_json(struct slice in, uint64_t *rev, struct slice *json)
{
    struct cursor c = start(in, rev);
    size_t n = take_uint(&c, 4);
    const char *at = take(&c, n);
    *json = at == NULL ? SLICE("") : slice_of(at, n);
    return finished(&c);
}

static void take_field(struct cursor *c, struct policy_field *f)
{
    memset(f, 0, sizeof *f);
    f->level = (uint8_t)take_uint(c, 1);
    f->type = (uint8_t)take_uint(c, 1);
    f->mask.rule = (uint8_t)take_uint(c, 1);
    f->mask.first = (uint8_t)take_uint(c, 1);
    f->mask.last = (uint8_t)take_uint(c, 1);
    struct slice domain = take_text(c);
    f->path = take_text(c);
    c->bad |= domain.n > MASK_DOMAIN_MAX || f->path.n > PLAN_PATH_MAX;
    if (!c->bad) {
        memcpy(f->mask.domain, domain.p, domain.n);
    }
}

static void take_fields(struct cursor *c, struct policy_api *api, struct policy_field *fields)
{
    struct policy_field skipped;
    size_t n = take_uint(c, 2);
    c->bad |= n > POLICY_FIELDS_MAX;
    for (size_t i = 0; i < n && !c->bad; i++) {
        take_field(c, fields == NULL ? &skipped : &fields[i]);
    }
    api->n_fields = fields == NULL ? 0 : (uint32_t)n;
    api->fields = fields;
}

static void take_targets(struct cursor *c, struct replica_api *api)
{
    api->n_targets = (uint8_t)take_uint(c, 1);
    c->bad |= api->n_targets > REPLICA_TARGETS_MAX;
    for (size_t i = 0; i < api->n_targets && !c->bad; i++) {
        struct replica_target *t = &api->targets[i];
        t->weight = (uint16_t)take_uint(c, 2);
        t->role = (uint8_t)take_uint(c, 1);
        t->address = take_text(c);
        t->host = take_text(c);
        t->name = take_text(c);
        t->path = take_text(c);
        t->tls = take_uint(c, 1) != 0;
    }
    bool any = api->n_targets > 0 && !c->bad;
    api->upstream = any ? api->targets[0].address : SLICE("");
    api->upstream_path = any ? api->targets[0].path : SLICE("");
}

static void take_upstreams(struct cursor *c, struct replica_api *api)
{
    take_targets(c, api);
    api->balance = (uint8_t)take_uint(c, 1);
    api->retries = (uint8_t)take_uint(c, 1);
    api->canary_percent = (uint8_t)take_uint(c, 1);
    api->canary_apps = take_text(c);
    c->bad |= api->canary_apps.n % UUID_LEN != 0;
    c->bad |= api->canary_apps.n > (size_t)REPLICA_CANARY_APPS_MAX * UUID_LEN;
    api->breaker_failures = (uint32_t)take_uint(c, 4);
    api->breaker_window_ms = (uint32_t)take_uint(c, 4);
    api->breaker_open_ms = (uint32_t)take_uint(c, 4);
    api->health_path = take_text(c);
    api->health_interval_ms = (uint32_t)take_uint(c, 4);
    api->health_timeout_ms = (uint32_t)take_uint(c, 4);
    api->cache_ms = (uint32_t)take_uint(c, 4);
    api->cache_epoch = take_uint(c, 8);
}

static void take_treatment(struct cursor *c, struct replica_api *api)
{
    api->policy.schemes = (uint8_t)take_uint(c, 1);
    api->signature_max_s = (uint16_t)take_uint(c, 2);
    api->sign_response = take_uint(c, 1) != 0;
    api->seal_request = (uint8_t)take_uint(c, 1);
    api->seal_response = (uint8_t)take_uint(c, 1);
    api->policy.mobile = take_uint(c, 1) == 1;
    api->policy.user_factors = (uint8_t)take_uint(c, 1);
    api->account_parameters = take_uint(c, 1) != 0;
    api->user_confirmation = take_uint(c, 1) != 0;
    api->batch = take_uint(c, 1) != 0;
    api->documents = take_uint(c, 1) != 0;
    api->policy.collects = take_uint(c, 1) != 0;
    api->policy.purpose_needed = take_uint(c, 1) != 0;
    api->internal = take_uint(c, 1) != 0;
    api->policy.mobile_only = take_uint(c, 1) != 0;
    api->policy.sdk_required = take_uint(c, 1) != 0;
    api->entry = take_text(c);
    api->has_schema = take_uint(c, 1) != 0;
    api->has_conversion = take_uint(c, 1) != 0;
    api->policy.sunset_ms = take_uint(c, 8);
    api->policy.deprecated_ms = take_uint(c, 8);
    api->successor = take_text(c);
    api->notice_zh = take_text(c);
    api->notice_en = take_text(c);
    api->amount_path = take_text(c);
    for (size_t i = 0; i < REPLICA_CLAIMS; i++) {
        api->claims[i] = take_text(c);
    }
}

bool record_unpack_api(struct slice in, struct replica_api *api, struct policy_field *fields)
{
    memset(api, 0, sizeof *api);
    struct cursor c = start(in, &api->policy.rev);
    api->policy.state = (uint8_t)take_uint(&c, 1);
    api->path = take_text(&c);
    api->policy.kind = (uint8_t)take_uint(&c, 1);
    api->policy.class_ = (uint8_t)take_uint(&c, 1);
    api->policy.access = (uint8_t)take_uint(&c, 1);
    api->policy.methods = (uint8_t)take_uint(&c, 1);
    api->policy.owner_scoped = take_uint(&c, 1) != 0;
    api->timeout_ms = (uint32_t)take_uint(&c, 4);
    api->max_body_bytes = (uint32_t)take_uint(&c, 4);
    take_uuid(&c, &api->dataset);
    api->name = take_text(&c);
    api->profile = take_text(&c);
    api->policy.posts_rows =
        api->policy.kind == POLICY_DATASET && slice_eq(api->profile, SLICE("rest"));
    take_treatment(&c, api);
    take_fields(&c, &api->policy, fields);
    take_upstreams(&c, api);
    return finished(&c);
}

bool record_keys_api(struct slice in, struct record_keys *k)
{
    memset(k, 0, sizeof *k);
    struct cursor c = start(in, &k->rev);
    k->state = (uint8_t)take_uint(&c, 1);
    k->path = take_text(&c);
    return !c.bad && k->path.n > 0 && k->path.n <= REPLICA_PATH_MAX;
}

bool record_keys_subscription(struct slice in, struct record_keys *k)
{
    memset(k, 0, sizeof *k);
    struct cursor c = start(in, &k->rev);
    k->state = (uint8_t)take_uint(&c, 1);
    take_uint(&c, 1);
    take_uuid(&c, &k->app);
    take_uuid(&c, &k->api);
    return !c.bad;
}

bool record_keys_credential(struct slice in, struct record_keys *k)
{
    struct replica_credential c;
    memset(k, 0, sizeof *k);
    if (!record_unpack_credential(in, &c)) {
        return false;
    }
    k->state = c.policy.state;
    k->app = c.policy.app;
    k->use = c.policy.use;
    k->mode = c.certificate_mode;
    k->sm3 = c.certificate_sm3;
    k->subject = c.certificate_subject;
    return true;
}

bool record_keys_grant(struct slice in, struct record_keys *k)
{
    if (!record_keys_subscription(in, k)) {
        return false;
    }
    struct policy_grant g;
    bool ok = record_unpack_grant(in, NULL, &g) && g.owner.n <= RECORD_OWNER_MAX;
    k->owner = ok ? g.owner : SLICE("");
    return ok;
}
