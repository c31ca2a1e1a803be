/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed bodies (CI-6.2.2f, BK-7.2.2c3-2; docs/protection.md). Stage `open`, after `body`: a
 * request body of type application/jose is opened, what was in it goes on in its place; who will be
 * able to open the answer is settled here too, before the upstream is asked. Finisher `seal`: the
 * answer is sealed to that key. */
#include "sluice.h"

#include "base/buf.h"
#include "httpsig/httpsig.h"

#define APPS 256
#define JOSE "application/jose"

/* Encryption keys of apps, as memo.c remembers callers. */
static sluice_recipient_t *recipients[APPS];

void sluice_recipient_drop(sluice_recipient_t *recipient)
{
    if (recipient && --recipient->refs == 0) {
        jwe_key_free(&recipient->key);
        free(recipient);
    }
}

static sluice_recipient_t *recipient_new(const struct replica_credential *c)
{
    struct crypto_key *key = NULL;
    char id[UUID_TEXT_LEN + 1];
    uuid_format(&c->policy.id, id);
    sluice_recipient_t *fresh = calloc(1, sizeof *fresh);
    if (!fresh || crypto_key_load_spki(&key, c->public_key) != CRYPTO_OK) {
        free(fresh);
        return NULL;
    }
    fresh->refs = 1;
    fresh->app = c->policy.app;
    fresh->credential = c->policy.id; /* never has another key: REST changes its times alone */
    fresh->key = jwe_key_take(&key, slice_of(id, UUID_TEXT_LEN));
    if (!fresh->key) {
        sluice_recipient_drop(fresh);
        return NULL;
    }
    return fresh;
}

/* A new reference to the app's newest key that is valid now, or NULL. Validity is a matter of time
 * too, so the replica is asked each time; the key itself is read once. */
static sluice_recipient_t *find_recipient(const struct uuid *app, uint64_t now_ms)
{
    struct replica_credential now;
    struct replica_reader *reader = sluice_reader();
    if (!reader || replica_find_encryption_key(reader, app, now_ms, &now) != REPLICA_OK) {
        return NULL;
    }
    sluice_recipient_t **slot = &recipients[app->b[UUID_LEN - 1] % APPS];
    if (!*slot || !uuid_eq(&(*slot)->credential, &now.policy.id)) {
        sluice_recipient_t *fresh = recipient_new(&now);
        if (!fresh) {
            return NULL;
        }
        sluice_recipient_drop(*slot);
        *slot = fresh;
    }
    (*slot)->refs++;
    return *slot;
}

void sluice_recipients_clear(void)
{
    for (size_t i = 0; i < APPS; i++) {
        sluice_recipient_drop(recipients[i]);
        recipients[i] = NULL;
    }
}

static void policy_now(struct crypto_policy *policy, uint64_t now_ms)
{
    static const enum crypto_alg used[] = {CRYPTO_ALG_SM2, CRYPTO_ALG_SM4GCM, CRYPTO_ALG_ECDH_ES,
                                           CRYPTO_ALG_A256GCM};
    crypto_policy_init(policy);
    for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
        if (!sluice_algorithm_allowed(used[i], now_ms)) {
            policy->disabled |= 1u << used[i];
        }
    }
}

/* The request ---------------------------------------------------------------------------------- */

static ngx_table_elt_t *find_header(ngx_http_request_t *r, struct slice name)
{
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part; part = part->next) {
        ngx_table_elt_t *header = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (header[i].key.len == name.n &&
                ngx_memcmp(header[i].lowcase_key, name.p, name.n) == 0) {
                return &header[i];
            }
        }
    }
    return NULL;
}

/* Is one of these media ranges, parameters aside, application/jose? */
static bool names_jose(ngx_str_t list)
{
    u_char *p = list.data, *end = list.data + list.len;
    while (p < end) {
        u_char *comma = memchr(p, ',', (size_t)(end - p));
        u_char *stop = comma ? comma : end;
        u_char *semicolon = memchr(p, ';', (size_t)(stop - p));
        u_char *last = semicolon ? semicolon : stop;
        for (; p < last && *p == ' '; p++) {
        }
        for (; last > p && last[-1] == ' '; last--) {
        }
        if (last - p == sizeof JOSE - 1 &&
            ngx_strncasecmp(p, (u_char *)JOSE, sizeof JOSE - 1) == 0) {
            return true;
        }
        p = stop + 1;
    }
    return false;
}

/* RFC 7516 4.1.12: "application/" may be left out of cty. */
static ngx_int_t type_of(ngx_http_request_t *r, const char *cty, struct slice *type)
{
    const char *named = cty[0] ? cty : "json";
    const char *prefix = strchr(named, '/') ? "" : "application/";
    char *p = ngx_pnalloc(r->pool, strlen(prefix) + strlen(named) + 1);
    if (!p) {
        return NGX_ERROR;
    }
    strcpy(stpcpy(p, prefix), named);
    *type = slice_str(p);
    return NGX_OK;
}

/* The upstream gets the digest of what it gets. */
static ngx_int_t renew_digest(ngx_http_request_t *r, ngx_str_t body)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    ngx_table_elt_t *header = find_header(r, SLICE("content-digest"));
    if (!header) {
        return NGX_OK;
    }
    char *text = ngx_pnalloc(r->pool, HTTPSIG_DIGEST_TEXT_MAX);
    if (!text) {
        return NGX_ERROR;
    }
    crypto_hash(CRYPTO_SM3, body.data, body.len, digest);
    header->value =
        (ngx_str_t){httpsig_write_digest(HTTPSIG_DIGEST_SM3, digest, text), (u_char *)text};
    return NGX_OK;
}

static ngx_int_t replace_body(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct buf *plain,
                              const char *cty)
{
    struct slice type;
    ngx_str_t body = {plain->n, ngx_pnalloc(r->pool, plain->n + 1)};
    if (!body.data || type_of(r, cty, &type) != NGX_OK) {
        return NGX_ERROR;
    }
    if (plain->n) {
        ngx_memcpy(body.data, plain->p, plain->n);
    }
    return renew_digest(r, body) == NGX_OK ? sluice_body_replace(r, ctx, body, type) : NGX_ERROR;
}

static ngx_int_t open_body(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct crypto_policy policy;
    struct buf plain;
    char cty[JWE_CTY_MAX + 1];
    uint64_t now_ms = ctx->began_us / 1000;
    sluice_keys_t *keys = &sluice_worker.keys;
    policy_now(&policy, now_ms);
    buf_init(&plain);
    enum jwe_err err = jwe_open(keys->body, SLUICE_BODY_KEYS, &policy, (int64_t)now_ms,
                                sluice_slice(ctx->body), &plain, cty);
    ngx_int_t rc;
    if (err != JWE_OK) {
        rc = sluice_refuse(ctx, PROBLEM_SEAL_INVALID, slice_str(jwe_strerror(err)), SLICE("body"));
    } else if (replace_body(r, ctx, &plain, cty) != NGX_OK) {
        rc = sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    } else {
        rc = NGX_OK;
    }
    buf_wipe(&plain);
    return rc;
}

size_t sluice_unseal(struct slice sealed, uint64_t now_ms, char *out, size_t cap)
{
    struct crypto_policy policy;
    struct buf plain;
    char cty[JWE_CTY_MAX + 1];
    policy_now(&policy, now_ms);
    buf_init(&plain);
    enum jwe_err err = jwe_open(sluice_worker.keys.body, SLUICE_BODY_KEYS, &policy, (int64_t)now_ms,
                                sealed, &plain, cty);
    size_t n = err == JWE_OK && plain.n <= cap ? plain.n : 0;
    memcpy(out, plain.p ? plain.p : "", n);
    buf_wipe(&plain);
    return n;
}

static ngx_int_t take_body(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    uint8_t seal = ctx->api->record.seal_request;
    ngx_table_elt_t *type = r->headers_in.content_type;
    if (!seal || ctx->body.len == 0) {
        return NGX_OK;
    }
    if (type && names_jose(type->value)) {
        return open_body(r, ctx);
    }
    return seal == REPLICA_SEAL_REQUIRED
               ? sluice_refuse(ctx, PROBLEM_SEAL_REQUIRED, SLICE("content-type " JOSE " is needed"),
                               SLICE("body"))
               : NGX_OK;
}

static ngx_int_t settle_recipient(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    uint8_t seal = ctx->api->record.seal_response;
    ngx_table_elt_t *accept = seal ? find_header(r, SLICE("accept")) : NULL;
    bool asked = accept && names_jose(accept->value);
    struct crypto_policy policy;
    uint64_t now_ms = ctx->began_us / 1000;
    if (seal != REPLICA_SEAL_REQUIRED && !(seal == REPLICA_SEAL_OPTIONAL && asked)) {
        return NGX_OK;
    }
    if (asked) {
        ngx_str_set(&accept->value, "application/json"); /* sealing is ours, not the upstream's */
    }
    ctx->seal_to = find_recipient(&ctx->caller->credential.app, now_ms);
    if (!ctx->seal_to) {
        return sluice_refuse(ctx, PROBLEM_SEAL_KEY_MISSING, SLICE(""), SLICE(""));
    }
    policy_now(&policy, now_ms);
    return jwe_key_allowed(ctx->seal_to->key, &policy, (int64_t)now_ms)
               ? NGX_OK
               : sluice_refuse(ctx, PROBLEM_ALGORITHM_DISABLED,
                               SLICE("that of the app's encryption key"), SLICE(""));
}

ngx_int_t sluice_open(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const struct replica_api *api = &ctx->api->record;
    if (!api->sign_response && !api->seal_request && !api->seal_response) {
        return NGX_OK;
    }
    /* First, while the request's headers are as they were signed. */
    if (sluice_sign_expect(r, ctx) != NGX_OK || take_body(r, ctx) != NGX_OK) {
        return NGX_DECLINED;
    }
    return settle_recipient(r, ctx);
}

/* The answer ----------------------------------------------------------------------------------- */

ngx_int_t sluice_seal(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct buf sealed;
    ngx_str_t type = ctx->answer_type.len ? ctx->answer_type : r->headers_out.content_type;
    if (!ctx->seal_to) {
        return NGX_OK;
    }
    buf_init(&sealed);
    enum jwe_err err =
        jwe_seal(ctx->seal_to->key, sluice_slice(type), sluice_slice(ctx->answer), &sealed);
    u_char *p = err == JWE_OK ? ngx_pnalloc(r->pool, sealed.n) : NULL;
    if (!p) {
        buf_fini(&sealed);
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    ngx_memcpy(p, sealed.p, sealed.n);
    ctx->answer = (ngx_str_t){sealed.n, p};
    ngx_str_set(&ctx->answer_type, JOSE);
    buf_fini(&sealed);
    return NGX_OK;
}
