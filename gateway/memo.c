/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker remembers between calls: APIs by path, callers by credential, verdicts by (API,
 * caller, method, grant). Three direct-mapped tables of fixed size, so cost and memory do not grow
 * with what the replica holds. An entry is taken as it stands while the replica's version is the
 * one it was found true at; otherwise its record is read again, and only what really changed is
 * rebuilt: under a steady flow of changes elsewhere a call pays two look-ups, not a new plan. */
#include "sluice.h"

#include <xxhash.h>

#define APIS     1024
#define CALLERS  4096
#define VERDICTS 4096

static struct {
    sluice_api_t *apis[APIS];
    sluice_caller_t *callers[CALLERS];
    sluice_verdict_t *verdicts[VERDICTS];
} memo;

/* APIs ---------------------------------------------------------------------------------------- */

void sluice_api_drop(sluice_api_t *api)
{
    if (api && --api->refs == 0) {
        free(api);
    }
}

static struct slice copy_into(char **at, struct slice s)
{
    struct slice copy = {*at, s.n};
    if (s.n) {
        memcpy(*at, s.p, s.n);
    }
    *at += s.n;
    return copy;
}

static size_t claims_bytes(const struct replica_api *api)
{
    size_t n = 0;
    for (size_t i = 0; i < REPLICA_CLAIMS; i++) {
        n += api->claims[i].n;
    }
    return n;
}

static size_t text_bytes(const struct replica_api *api, struct slice request_path)
{
    size_t n = api->name.n + api->path.n + api->profile.n + request_path.n +
               sluice_targets_bytes(api) + api->successor.n + api->notice_zh.n + api->notice_en.n +
               api->amount_path.n + api->entry.n + claims_bytes(api);
    for (uint32_t i = 0; i < api->policy.n_fields; i++) {
        n += api->policy.fields[i].path.n;
    }
    return n;
}

/* A copy of the record in one block: struct, fields, texts. */
static sluice_api_t *api_new(const struct replica_api *from, struct slice request_path)
{
    size_t fields = from->policy.n_fields * sizeof(struct policy_field);
    sluice_api_t *api = calloc(1, sizeof *api + fields + text_bytes(from, request_path));
    if (!api) {
        return NULL;
    }
    struct policy_field *field = (struct policy_field *)(api + 1);
    char *at = (char *)field + fields;
    api->refs = 1;
    api->record = *from;
    api->record.policy.fields = field;
    for (uint32_t i = 0; i < from->policy.n_fields; i++) {
        field[i] = from->policy.fields[i];
        field[i].path = copy_into(&at, from->policy.fields[i].path);
    }
    api->record.name = copy_into(&at, from->name);
    api->record.path = copy_into(&at, from->path);
    api->record.profile = copy_into(&at, from->profile);
    api->record.successor = copy_into(&at, from->successor);
    api->record.notice_zh = copy_into(&at, from->notice_zh);
    api->record.notice_en = copy_into(&at, from->notice_en);
    api->record.amount_path = copy_into(&at, from->amount_path);
    api->record.entry = copy_into(&at, from->entry);
    for (size_t i = 0; i < REPLICA_CLAIMS; i++) {
        api->record.claims[i] = copy_into(&at, from->claims[i]);
    }
    api->request_path = copy_into(&at, request_path);
    sluice_targets_copy(api, from, &at);
    return api;
}

/* The same API at the same revision: still true at the new version. */
static bool api_is(const sluice_api_t *api, const struct replica_api *now)
{
    return api && api->record.policy.rev == now->policy.rev &&
           uuid_eq(&api->record.policy.id, &now->policy.id) &&
           api->record.prefix_bytes == now->prefix_bytes;
}

sluice_api_t *sluice_api_find(struct slice path)
{
    sluice_worker_t *w = &sluice_worker;
    sluice_api_t **slot = &memo.apis[XXH3_64bits(path.p, path.n) % APIS];
    bool same_path = *slot && slice_eq((*slot)->request_path, path);
    if (same_path && (*slot)->version == w->version) {
        (*slot)->refs++;
        return *slot;
    }
    struct replica_api now;
    struct replica_reader *reader = sluice_reader();
    if (!reader || replica_route(reader, path, &now, w->fields) != REPLICA_OK) {
        return NULL;
    }
    if (!same_path || !api_is(*slot, &now)) {
        sluice_api_t *fresh = api_new(&now, path);
        if (!fresh) {
            return NULL;
        }
        sluice_api_drop(*slot);
        *slot = fresh;
    }
    (*slot)->version = w->version;
    (*slot)->refs++;
    return *slot;
}

/* Callers ------------------------------------------------------------------------------------- */

void sluice_caller_drop(sluice_caller_t *caller)
{
    if (caller && --caller->refs == 0) {
        crypto_hmac_free(&caller->hmac);
        crypto_key_free(&caller->key);
        free(caller);
    }
}

static bool same_secret(const sluice_caller_t *caller, const struct replica_credential *c)
{
    return caller->sealed_n == c->secret_sealed.n && caller->credential.alg == c->policy.alg &&
           memcmp(caller->sealed, c->secret_sealed.p, caller->sealed_n) == 0;
}

static void open_secret(sluice_caller_t *caller, const struct replica_credential *c)
{
    uint8_t secret[sizeof caller->sealed];
    char id[UUID_TEXT_LEN + 1];
    size_t n = c->secret_sealed.n;
    crypto_hmac_free(&caller->hmac);
    caller->sealed_n = 0;
    if (n <= CRYPTO_SEAL_EXTRA || n > sizeof caller->sealed) {
        return;
    }
    memcpy(caller->sealed, c->secret_sealed.p, n);
    caller->sealed_n = n;
    uuid_format(&c->policy.id, id);
    if (link_ring_open(NULL, slice_of(id, UUID_TEXT_LEN), c->secret_sealed.p, n, secret) ==
        CRYPTO_OK) {
        enum crypto_hash alg = c->policy.alg == POLICY_HMAC_SM3 ? CRYPTO_SM3 : CRYPTO_SHA256;
        caller->hmac = crypto_hmac_new(alg, secret, n - CRYPTO_SEAL_EXTRA);
    }
    crypto_wipe(secret, sizeof secret);
}

/* A handle of a key costs more than a look-up, so it is kept until the key is another. */
static void load_key(sluice_caller_t *caller, const struct replica_credential *c)
{
    bool same = caller->key && slice_eq(crypto_key_spki(caller->key), c->public_key);
    if (same) {
        return;
    }
    crypto_key_free(&caller->key);
    if (c->public_key.n && crypto_key_load_spki(&caller->key, c->public_key) != CRYPTO_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "sluice: a credential's key is unreadable");
    }
}

static void read_certificate(sluice_caller_t *caller, const struct replica_credential *c)
{
    caller->certificate_mode = c->certificate_mode;
    if (c->certificate_mode == REPLICA_CA) {
        crypto_hash(CRYPTO_SM3, c->certificate_subject.p, c->certificate_subject.n,
                    caller->certificate_id);
    } else if (c->certificate_mode) { /* without a fingerprint none is it: SM3 gives no zeros */
        ngx_memzero(caller->certificate_id, sizeof caller->certificate_id);
        memcpy(caller->certificate_id, c->certificate_sm3.p,
               ngx_min(c->certificate_sm3.n, sizeof caller->certificate_id));
    }
}

static void read_app(sluice_caller_t *caller, const struct replica_app *app)
{
    caller->app = app->policy;
    caller->org = app->org;
    caller->app_name_n = ngx_min(app->name.n, sizeof caller->app_name);
    memcpy(caller->app_name, app->name.p, caller->app_name_n);
    caller->app_version_n = (uint8_t)ngx_min(app->version.n, sizeof caller->app_version);
    memcpy(caller->app_version, app->version.p, caller->app_version_n);
    caller->states_version = app->states_version;
    caller->subject_n = 0;
    caller->app.has_subject = app->policy.has_subject && app->subject.n <= sizeof caller->subject;
    if (caller->app.has_subject) {
        caller->subject_n = (uint16_t)app->subject.n;
        memcpy(caller->subject, app->subject.p, app->subject.n);
    }
}

/* An app that a token stands for: its own id stands where a credential's would. */
static bool token_caller_refresh(sluice_caller_t *caller, const struct uuid *id)
{
    struct replica_app app;
    struct replica_reader *reader = sluice_reader();
    if (!reader || replica_get_app(reader, id, &app) != REPLICA_OK) {
        return false;
    }
    caller->credential = (struct policy_credential){
        .id = *id, .app = *id, .state = POLICY_ACTIVE, .alg = POLICY_TOKEN, .use = POLICY_SIGNING};
    caller->app_known = true;
    read_app(caller, &app);
    caller->version = sluice_worker.version;
    return true;
}

/* Reads the credential and its app anew into *caller; false: there is no such credential. */
static bool caller_refresh(sluice_caller_t *caller, const struct uuid *id)
{
    sluice_worker_t *w = &sluice_worker;
    struct replica_credential now;
    struct replica_app app;
    struct replica_reader *reader = sluice_reader();
    if (!reader || replica_get_credential(reader, id, &now) != REPLICA_OK) {
        return false;
    }
    if (!caller->hmac || !same_secret(caller, &now)) {
        open_secret(caller, &now);
    }
    load_key(caller, &now);
    read_certificate(caller, &now);
    caller->credential = now.policy;
    caller->app_known = replica_get_app(reader, &now.policy.app, &app) == REPLICA_OK;
    if (caller->app_known) {
        read_app(caller, &app);
    }
    caller->version = w->version;
    return true;
}

static sluice_caller_t *find_caller(const struct uuid *credential,
                                    bool (*refresh)(sluice_caller_t *caller, const struct uuid *id))
{
    sluice_worker_t *w = &sluice_worker;
    sluice_caller_t **slot = &memo.callers[XXH3_64bits(credential->b, UUID_LEN) % CALLERS];
    bool same = *slot && uuid_eq(&(*slot)->credential.id, credential);
    if (same && (*slot)->version == w->version) {
        (*slot)->refs++;
        return *slot;
    }
    /* Calls in flight read only what does not change under them: they hold a verdict already. */
    sluice_caller_t *caller = same ? *slot : calloc(1, sizeof *caller);
    if (!caller) {
        return NULL;
    }
    caller->refs += !same;
    if (!refresh(caller, credential)) {
        *slot = same ? NULL : *slot;
        sluice_caller_drop(caller);
        return NULL;
    }
    if (!same) {
        sluice_caller_drop(*slot);
        *slot = caller;
    }
    caller->refs++;
    return caller;
}

sluice_caller_t *sluice_caller_find(const struct uuid *credential)
{
    return find_caller(credential, caller_refresh);
}

sluice_caller_t *sluice_caller_of_token(const struct uuid *app)
{
    return find_caller(app, token_caller_refresh);
}

/* Verdicts ------------------------------------------------------------------------------------ */

void sluice_verdict_drop(sluice_verdict_t *verdict)
{
    if (verdict && --verdict->refs == 0) {
        sluice_api_drop(verdict->api);
        sluice_caller_drop(verdict->caller);
        plan_free(&verdict->plan);
        free(verdict->rows_text);
        free(verdict);
    }
}

static void read_claims(sluice_verdict_t *v, struct slice claims)
{
    v->claims_known = claims.n ? (uint8_t)claims.p[0] : 0;
    if (claims.n == 1 + sizeof v->claims) {
        memcpy(v->claims, claims.p + 1, sizeof v->claims);
    }
}

static void read_grant(sluice_verdict_t *v, struct replica_reader *reader)
{
    v->grant_known = replica_get_grant(reader, &v->grant, &v->api->record.policy,
                                       &v->grant_record) == REPLICA_OK &&
                     v->grant_record.owner.n <= sizeof v->owner;
    if (v->grant_known && v->grant_record.owner.n > 0) {
        memcpy(v->owner, v->grant_record.owner.p, v->grant_record.owner.n);
        v->grant_record.owner.p = v->owner;
    }
    read_claims(v, v->grant_known ? v->grant_record.claims : SLICE(""));
}

/* SW-9.6.1-a2: of its own data the owner is the app's organisation. A copy, for the caller's record
 * may change while the call that was decided by it is under way. */
static void set_owner(sluice_verdict_t *v, const struct policy_verdict *verdict)
{
    v->of = v->grant_known ? v->grant_record.owner : SLICE("");
    if (verdict->own) {
        memcpy(v->owner, v->caller->subject, v->caller->subject_n);
        v->of = slice_of(v->owner, v->caller->subject_n);
    }
}

/* The conditions outlive the snapshot with the verdict. What cannot be kept must not be left out.
 */
static void keep_rows(sluice_verdict_t *v, struct policy_verdict *verdict)
{
    char rows[POLICY_ROWS_BOTH];
    size_t n = 0;
    bool ok = policy_rows(verdict, rows, &n);
    free(v->rows_text);
    v->rows_text = ok && n ? malloc(n) : NULL;
    if (!ok || (n && !v->rows_text)) {
        verdict->reason = PROBLEM_INTERNAL;
        n = 0;
    }
    if (n) {
        memcpy(v->rows_text, rows, n);
    }
    v->rows = n ? slice_of(v->rows_text, n) : SLICE("");
    verdict->rows_subscription = verdict->rows_grant = SLICE("");
}

/* Asks decide() with what the replica says now. */
static void ask(sluice_verdict_t *v, uint64_t now_ms, struct policy_verdict *verdict)
{
    struct replica_reader *reader = sluice_reader(); /* NULL: nothing is known, so nothing given */
    const struct policy_api *api = &v->api->record.policy;
    struct policy_subscription subscription;
    struct policy_call call = {.api = api,
                               .credential = &v->caller->credential,
                               .grant_named = v->grant_named,
                               .method = v->method,
                               .proofs = v->proofs,
                               .user_factors = v->user_factors,
                               .user = v->user,
                               .purpose = v->purpose,
                               .export_ = v->export_,
                               .sdk = v->sdk,
                               .stream = api->kind == POLICY_TOPIC ? POLICY_STREAM_OPEN
                                                                   : POLICY_STREAM_NONE,
                               .now_ms = now_ms};
    if (v->caller->app_known) {
        call.app = &v->caller->app;
    }
    if (reader && replica_get_subscription(reader, &v->caller->credential.app, api,
                                           &subscription) == REPLICA_OK) {
        call.subscription = &subscription;
    }
    if (v->grant_named && reader) {
        read_grant(v, reader);
        call.grant = v->grant_known ? &v->grant_record : NULL;
    }
    policy_decide(&call, verdict);
    /* These are the replica's, and gone with the snapshot. */
    keep_rows(v, verdict);
    v->grant_record.audience = v->grant_record.purposes = v->grant_record.claims =
        v->grant_record.rows = SLICE("");
    set_owner(v, verdict);
}

/* Of a topic: what the data service says around events it has decided and masked one by one. */
static bool make_topic_plan(sluice_verdict_t *v)
{
    static const struct plan_field fields[] = {{{"events", 6}, PLAN_KEEP, PLAN_JSON, {0}},
                                               {{"cursor", 6}, PLAN_KEEP, PLAN_SCALAR, {0}},
                                               {{"receipts", 8}, PLAN_KEEP, PLAN_SCALAR, {0}},
                                               {{"accepted", 8}, PLAN_KEEP, PLAN_SCALAR, {0}},
                                               {{"duplicates", 10}, PLAN_KEEP, PLAN_SCALAR, {0}},
                                               {{"covered", 7}, PLAN_KEEP, PLAN_SCALAR, {0}},
                                               {{"acknowledged", 12}, PLAN_KEEP, PLAN_SCALAR, {0}}};
    v->plan = plan_new(fields, sizeof fields / sizeof *fields);
    return v->plan != NULL;
}

static bool make_plan(sluice_verdict_t *v)
{
    static struct plan_field fields[POLICY_FIELDS_MAX];
    const struct policy_api *api = &v->api->record.policy;
    if (api->kind == POLICY_TOPIC) {
        return make_topic_plan(v);
    }
    for (uint32_t i = 0; i < v->verdict.n_fields; i++) {
        fields[i] = (struct plan_field){.path = api->fields[i].path,
                                        .outcome = v->verdict.outcome[i],
                                        .type = api->fields[i].type,
                                        .mask = api->fields[i].mask};
    }
    v->plan = plan_new(fields, v->verdict.n_fields);
    XXH64_hash_t seed = XXH3_64bits(api->id.b, UUID_LEN) ^ api->rev;
    v->plan_key = XXH3_64bits_withSeed(v->verdict.outcome, v->verdict.n_fields, seed);
    return v->plan != NULL;
}

/* A verdict is never changed once a call holds it, so a changed one is a new object; it keeps the
 * old one's place in the table. */
static sluice_verdict_t *verdict_new(const struct sluice_question *q, uint64_t now_ms)
{
    sluice_verdict_t *v = calloc(1, sizeof *v);
    if (!v) {
        return NULL;
    }
    v->refs = 1;
    v->api = q->api;
    v->caller = q->caller;
    v->method = q->method;
    v->proofs = q->proofs;
    v->user_factors = q->user_factors;
    v->grant = q->grant;
    v->user = q->user;
    v->purpose = q->purpose;
    v->export_ = q->export_;
    v->sdk = q->sdk;
    v->grant_named = q->grant_named;
    v->api->refs++;
    v->caller->refs++;
    ask(v, now_ms, &v->verdict);
    if (v->verdict.reason == PROBLEM_OK && !make_plan(v)) {
        sluice_verdict_drop(v);
        return NULL;
    }
    v->version = sluice_worker.version;
    return v;
}

static bool fresh(const sluice_verdict_t *v, uint64_t now_ms)
{
    return v->version == sluice_worker.version &&
           (v->verdict.valid_until_ms == 0 || now_ms < v->verdict.valid_until_ms);
}

/* Asks again; true when the answer is what it was, so the plan may stay. */
static bool still_true(sluice_verdict_t *v, uint64_t now_ms)
{
    static struct policy_verdict now;
    if (v->refs > 1) {
        return false; /* a call in flight reads it */
    }
    ask(v, now_ms, &now);
    if (now.reason != v->verdict.reason || now.needs != v->verdict.needs ||
        now.own != v->verdict.own || now.n_fields != v->verdict.n_fields ||
        now.amount_call != v->verdict.amount_call || now.amount_day != v->verdict.amount_day ||
        memcmp(now.outcome, v->verdict.outcome, now.n_fields) != 0) {
        return false;
    }
    v->verdict.valid_until_ms = now.valid_until_ms;
    v->version = sluice_worker.version;
    return true;
}

static bool verdict_is(const sluice_verdict_t *v, const struct sluice_question *q)
{
    return v && v->api == q->api && v->caller == q->caller && v->method == q->method &&
           v->proofs == q->proofs && v->user_factors == q->user_factors &&
           v->grant_named == q->grant_named && uuid_eq(&v->grant, &q->grant) &&
           uuid_eq(&v->user, &q->user) && uuid_eq(&v->purpose, &q->purpose) &&
           v->export_ == q->export_ && v->sdk == q->sdk;
}

sluice_verdict_t *sluice_verdict_find(const struct sluice_question *q, uint64_t now_ms)
{
    struct {
        const void *api, *caller;
        struct uuid grant, user, purpose;
        uint8_t method, proofs, named, user_factors, export_, sdk, pad[10];
    } key = {.api = q->api,
             .caller = q->caller,
             .grant = q->grant,
             .user = q->user,
             .purpose = q->purpose,
             .method = q->method,
             .proofs = q->proofs,
             .named = q->grant_named,
             .user_factors = q->user_factors,
             .export_ = q->export_,
             .sdk = q->sdk};
    sluice_verdict_t **slot = &memo.verdicts[XXH3_64bits(&key, sizeof key) % VERDICTS];
    sluice_verdict_t *v = *slot;
    if (!verdict_is(v, q) || (!fresh(v, now_ms) && !still_true(v, now_ms))) {
        v = verdict_new(q, now_ms);
        if (!v) {
            return NULL;
        }
        sluice_verdict_drop(*slot);
        *slot = v;
    }
    v->refs++;
    return v;
}

void sluice_memo_clear(void)
{
    for (size_t i = 0; i < VERDICTS; i++) {
        sluice_verdict_drop(memo.verdicts[i]);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        sluice_caller_drop(memo.callers[i]);
    }
    for (size_t i = 0; i < APIS; i++) {
        sluice_api_drop(memo.apis[i]);
    }
    ngx_memzero(&memo, sizeof memo);
}
