/* SPDX-License-Identifier: Apache-2.0 */
/* The stage that says which app calls, proven by an HTTP message signature (RFC 9421) over what
 * matters, inside its window, with a nonce never used before (EC-6.1.3.1b, BK-9.2.1); beside it may
 * stand a second signature by another of the app's credentials, and the client certificate of the
 * connection: what was proven is for decide() to weigh. The order keeps the cheap tests first and
 * never spends a nonce on a signature that does not verify. */
#include "sluice.h"

#include "httpsig/httpsig.h"

#define SKEW_S   30 /* a client's clock may be this far ahead */
#define BASE_MAX 8192

static bool request_field(void *data, struct slice name, struct slice *value)
{
    ngx_http_request_t *r = data;
    ngx_list_part_t *part = &r->headers_in.headers.part;
    ngx_table_elt_t *found = NULL;
    for (; part; part = part->next) {
        ngx_table_elt_t *header = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (header[i].key.len != name.n ||
                ngx_memcmp(header[i].lowcase_key, name.p, name.n) != 0) {
                continue;
            }
            if (found) {
                return false; /* what is covered must come once: joining is room for mischief */
            }
            found = &header[i];
        }
    }
    if (found) {
        *value = sluice_slice(found->value);
    }
    return found != NULL;
}

struct httpsig_request sluice_signed_request(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    return (struct httpsig_request){
        .method = sluice_slice(r->method_name),
        .scheme = r->connection->ssl ? SLICE("https") : SLICE("http"),
        .authority = r->headers_in.host ? sluice_slice(r->headers_in.host->value) : SLICE(""),
        .target = ctx->target,
        .field = request_field,
        .ctx = r,
    };
}

static bool has_body(ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}

static ngx_int_t check_coverage(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct httpsig *sig)
{
    struct slice demanded[6], missing = SLICE("");
    size_t n = 0;
    if (has_body(r)) {
        if (ctx->content_digest.n == 0) {
            return sluice_refuse(ctx, PROBLEM_DIGEST_MISSING, SLICE(""), SLICE("content-digest"));
        }
        demanded[n++] = SLICE("content-digest");
    }
    if (ctx->grant_header.p) {
        demanded[n++] = SLICE("sluice-grant");
    }
    if (ctx->purpose_header.p) {
        demanded[n++] = SLICE("sluice-purpose");
    }
    if (ctx->package_header.p) {
        demanded[n++] = SLICE("sluice-package");
    }
    if (ctx->sdk_header.p) {
        demanded[n++] = SLICE("sluice-sdk");
    }
    if (ctx->version_header.p) {
        demanded[n++] = SLICE("sluice-app-version");
    }
    if (httpsig_covers(sig, demanded, n, &missing) != HTTPSIG_OK) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INCOMPLETE, SLICE("not covered"), missing);
    }
    return NGX_OK;
}

/* BK-9.2.1b3: how long a signature may live is the API's to say, up to a ceiling. */
static ngx_int_t check_window(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct httpsig *sig)
{
    static const char text[] =
        "created at most %d s ahead, expires in the future and at most %d s after created";
    uint64_t now_s = ctx->began_us / 1000000;
    unsigned window_s = ctx->api->record.signature_max_s;
    bool ok = sig->created_s <= now_s + SKEW_S && sig->expires_s > now_s &&
              sig->created_s < sig->expires_s && sig->expires_s - sig->created_s <= window_s;
    if (ok) {
        return NGX_OK;
    }
    size_t cap = sizeof text + 20;
    char *detail = ngx_pnalloc(r->pool, cap);
    size_t n = detail ? (size_t)snprintf(detail, cap, text, SKEW_S, (int)window_s) : 0;
    return sluice_refuse(ctx, PROBLEM_SIGNATURE_STALE, slice_of(detail, n),
                         SLICE("signature-input"));
}

/* Whose signature it claims to be. The first one names the caller; the second must be of the same
 * app, so that its proof is the caller's. */
static ngx_int_t find_caller(sluice_ctx_t *ctx, const struct httpsig *sig, sluice_caller_t **caller)
{
    struct uuid id;
    if (!uuid_parse(&id, sig->keyid.p, sig->keyid.n)) {
        return sluice_refuse(ctx, PROBLEM_CREDENTIAL_UNKNOWN, SLICE(""), SLICE("keyid"));
    }
    replay_prefetch(sluice_worker.replay, sig->keyid, sig->nonce); /* looked at after the MAC */
    *caller = sluice_caller_find(&id);
    if (!*caller) {
        (void)sluice_refuse(ctx, PROBLEM_CREDENTIAL_UNKNOWN, SLICE(""), SLICE("keyid"));
        return NGX_DECLINED;
    }
    return NGX_OK;
}

static ngx_int_t check_algorithm(sluice_ctx_t *ctx, const sluice_caller_t *caller,
                                 const struct httpsig *sig)
{
    enum crypto_alg alg;
    if (!sluice_signature_alg(caller, sig->alg, &alg)) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INVALID, SLICE("not this key's algorithm"),
                             SLICE("alg"));
    }
    if (!sluice_algorithm_allowed(alg, ctx->began_us / 1000)) {
        return sluice_refuse(ctx, PROBLEM_ALGORITHM_DISABLED, SLICE(""), SLICE("alg"));
    }
    return NGX_OK;
}

static ngx_int_t check_signature(ngx_http_request_t *r, sluice_ctx_t *ctx,
                                 const sluice_caller_t *caller, const struct httpsig *sig)
{
    static char base[BASE_MAX];
    size_t n;
    struct httpsig_request request = sluice_signed_request(r, ctx);
    enum httpsig_err err = httpsig_base(sig, &request, base, sizeof base, &n);
    if (err == HTTPSIG_ECOMPONENT) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INCOMPLETE, slice_str(httpsig_strerror(err)),
                             SLICE("signature-input"));
    }
    if (err != HTTPSIG_OK) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INVALID, SLICE(""), SLICE("signature"));
    }
    if (!sluice_signature_good(caller, sig->alg, slice_of(base, n), sig->sig, sig->sig_n)) {
        sluice_impersonation(r, ctx, "signature by another key");
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INVALID, SLICE(""), SLICE("signature"));
    }
    return NGX_OK;
}

static ngx_int_t spend_nonce(sluice_ctx_t *ctx, const struct httpsig *sig)
{
    enum replay_err err = replay_use(sluice_worker.replay, sig->keyid, sig->nonce,
                                     ctx->began_us / 1000000, sig->expires_s);
    if (err == REPLAY_OK) {
        return NGX_OK;
    }
    enum problem problem =
        err == REPLAY_EUSED ? PROBLEM_SIGNATURE_REPLAYED : PROBLEM_REPLAY_STORE_FULL;
    return sluice_refuse(ctx, problem, SLICE(""), SLICE("nonce"));
}

static ngx_int_t read_signatures(sluice_ctx_t *ctx, struct httpsig *sigs, size_t *n)
{
    size_t bad_at;
    if (ctx->duplicate_header) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_MALFORMED, SLICE("a header came twice"),
                             SLICE(""));
    }
    enum httpsig_err err =
        httpsig_parse_several(sigs, n, ctx->signature_input, ctx->signature, &bad_at);
    if (err == HTTPSIG_OK) {
        return NGX_OK;
    }
    enum problem problem =
        err == HTTPSIG_EMISSING ? PROBLEM_SIGNATURE_MISSING : PROBLEM_SIGNATURE_MALFORMED;
    return sluice_refuse(ctx, problem, slice_str(httpsig_strerror(err)), SLICE("signature-input"));
}

static uint8_t proof_of(const sluice_caller_t *caller)
{
    bool secret =
        caller->credential.alg == POLICY_HMAC_SHA256 || caller->credential.alg == POLICY_HMAC_SM3;
    return secret ? POLICY_PROOF_SECRET : POLICY_PROOF_KEY;
}

static ngx_int_t check_first(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct httpsig *sig)
{
    if (check_coverage(r, ctx, sig) != NGX_OK || check_window(r, ctx, sig) != NGX_OK ||
        find_caller(ctx, sig, &ctx->caller) != NGX_OK ||
        check_algorithm(ctx, ctx->caller, sig) != NGX_OK ||
        check_signature(r, ctx, ctx->caller, sig) != NGX_OK || spend_nonce(ctx, sig) != NGX_OK) {
        return NGX_DECLINED;
    }
    ctx->label = sig->label;
    ctx->proofs = proof_of(ctx->caller);
    return NGX_OK;
}

/* decide() knows the first credential alone, so whether this one is good is judged here. */
static bool usable(const sluice_caller_t *caller, uint64_t now_ms)
{
    const struct policy_credential *c = &caller->credential;
    return c->state == POLICY_ACTIVE && (c->use == 0 || c->use == POLICY_SIGNING) &&
           now_ms >= c->not_before_ms && (c->expires_ms == 0 || now_ms < c->expires_ms);
}

static ngx_int_t check_other(ngx_http_request_t *r, sluice_ctx_t *ctx, const sluice_caller_t *other,
                             const struct httpsig *sig)
{
    if (!uuid_eq(&other->credential.app, &ctx->caller->credential.app)) {
        sluice_impersonation(r, ctx, "signature of another app");
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INVALID, SLICE("two signatures are of one app"),
                             SLICE("keyid"));
    }
    if (!usable(other, ctx->began_us / 1000)) {
        return sluice_refuse(ctx, PROBLEM_CREDENTIAL_INACTIVE, SLICE("of the second signature"),
                             SLICE("keyid"));
    }
    if (check_algorithm(ctx, other, sig) != NGX_OK ||
        check_signature(r, ctx, other, sig) != NGX_OK || spend_nonce(ctx, sig) != NGX_OK) {
        return NGX_DECLINED;
    }
    ctx->label = proof_of(other) == POLICY_PROOF_KEY ? sig->label : ctx->label;
    ctx->proofs |= proof_of(other);
    return other->certificate_mode ? sluice_certificate(r, ctx, other) : NGX_OK;
}

static ngx_int_t check_second(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct httpsig *sig)
{
    sluice_caller_t *other;
    if (check_coverage(r, ctx, sig) != NGX_OK || check_window(r, ctx, sig) != NGX_OK ||
        find_caller(ctx, sig, &other) != NGX_OK) {
        return NGX_DECLINED;
    }
    ngx_int_t rc = check_other(r, ctx, other, sig);
    sluice_caller_drop(other);
    return rc;
}

/* A token alone names the app that it was issued to: what a secret proves, and a certificate beside
 * it what a certificate does. Class A2 asks for a signature over the call all the same. */
static ngx_int_t by_token(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ctx->caller = sluice_caller_of_token(&ctx->token->app);
    if (!ctx->caller) {
        return sluice_refuse(ctx, PROBLEM_APP_INACTIVE, SLICE(""), SLICE("authorization"));
    }
    ctx->proofs = POLICY_PROOF_SECRET;
    if (ctx->grant_header.p) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INCOMPLETE,
                             SLICE("a grant is named by a signed call or by the token alone"),
                             SLICE("sluice-grant"));
    }
    if (ctx->sdk_header.p) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INCOMPLETE,
                             SLICE("only a signed call says through which SDK it came"),
                             SLICE("sluice-sdk"));
    }
    if (sluice_certificate(r, ctx, ctx->caller) != NGX_OK) {
        return NGX_DECLINED;
    }
    ctx->authenticated = true;
    return NGX_OK;
}

ngx_int_t sluice_authenticate(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    static struct httpsig sigs[HTTPSIG_SIGNATURES_MAX]; /* 3 KiB, and one call at a time */
    size_t n;
    if (ctx->inner) {
        return NGX_OK;
    }
    if (ctx->token && !ctx->signature_input.p && !ctx->signature.p) {
        return by_token(r, ctx);
    }
    if (read_signatures(ctx, sigs, &n) != NGX_OK || check_first(r, ctx, &sigs[0]) != NGX_OK ||
        (n > 1 && check_second(r, ctx, &sigs[1]) != NGX_OK) ||
        sluice_certificate(r, ctx, ctx->caller) != NGX_OK) {
        return NGX_DECLINED;
    }
    if (ctx->token && !uuid_eq(&ctx->token->app, &ctx->caller->credential.app)) {
        sluice_impersonation(r, ctx, "token of another app");
        return sluice_refuse(ctx, PROBLEM_TOKEN_MISMATCH, SLICE(""), SLICE("authorization"));
    }
    if (!sluice_account_app(ctx)) {
        sluice_impersonation(r, ctx, "account of another app");
        return sluice_refuse(ctx, PROBLEM_SIGN_IN_FAILED, SLICE("the account is another app's"),
                             SLICE("accessid"));
    }
    ctx->authenticated = true;
    return NGX_OK;
}
