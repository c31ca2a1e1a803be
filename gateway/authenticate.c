/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 2: which app calls, proven by an HTTP message signature (RFC 9421) over what matters,
 * inside its window, with a nonce never used before (EC-6.1.3.1b, BK-9.2.1). The order keeps the
 * cheap tests first and never spends a nonce on a signature that does not verify. */
#include "sluice.h"

#include "httpsig/httpsig.h"

#define SKEW_S   30  /* a client's clock may be this far ahead */
#define WINDOW_S 300 /* longest time from created to expires */
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

static bool has_body(ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}

static ngx_int_t check_coverage(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct httpsig *sig)
{
    struct slice demanded[2], missing = SLICE("");
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
    if (httpsig_covers(sig, demanded, n, &missing) != HTTPSIG_OK) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INCOMPLETE, SLICE("not covered"), missing);
    }
    return NGX_OK;
}

static ngx_int_t check_window(sluice_ctx_t *ctx, const struct httpsig *sig)
{
    uint64_t now_s = ctx->began_us / 1000000;
    bool ok = sig->created_s <= now_s + SKEW_S && sig->expires_s > now_s &&
              sig->created_s < sig->expires_s && sig->expires_s - sig->created_s <= WINDOW_S;
    return ok ? NGX_OK
              : sluice_refuse(ctx, PROBLEM_SIGNATURE_STALE,
                              SLICE("created at most 30 s ahead, expires in the future and at most "
                                    "300 s after created"),
                              SLICE("signature-input"));
}

static ngx_int_t check_credential(sluice_ctx_t *ctx, const struct httpsig *sig)
{
    struct uuid id;
    if (!uuid_parse(&id, sig->keyid.p, sig->keyid.n)) {
        return sluice_refuse(ctx, PROBLEM_CREDENTIAL_UNKNOWN, SLICE(""), SLICE("keyid"));
    }
    replay_prefetch(sluice_worker.replay, sig->keyid, sig->nonce); /* looked at after the MAC */
    ctx->caller = sluice_caller_find(&id);
    if (!ctx->caller) {
        return sluice_refuse(ctx, PROBLEM_CREDENTIAL_UNKNOWN, SLICE(""), SLICE("keyid"));
    }
    struct slice alg =
        ctx->caller->credential.alg == POLICY_HMAC_SM3 ? SLICE("hmac-sm3") : SLICE("hmac-sha256");
    if (!slice_eq(sig->alg, alg)) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INVALID, SLICE("not this key's algorithm"),
                             SLICE("alg"));
    }
    return NGX_OK;
}

static ngx_int_t check_signature(ngx_http_request_t *r, sluice_ctx_t *ctx,
                                 const struct httpsig *sig)
{
    static char base[BASE_MAX];
    uint8_t mac[CRYPTO_HASH_LEN];
    size_t n;
    bool tls = r->connection->ssl != NULL;
    struct httpsig_request request = {
        .method = sluice_slice(r->method_name),
        .scheme = tls ? SLICE("https") : SLICE("http"),
        .authority = r->headers_in.host ? sluice_slice(r->headers_in.host->value) : SLICE(""),
        .target = ctx->target,
        .field = request_field,
        .ctx = r,
    };
    enum httpsig_err err = httpsig_base(sig, &request, base, sizeof base, &n);
    if (err == HTTPSIG_ECOMPONENT) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INCOMPLETE, slice_str(httpsig_strerror(err)),
                             SLICE("signature-input"));
    }
    if (err != HTTPSIG_OK || !ctx->caller->hmac) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_INVALID, SLICE(""), SLICE("signature"));
    }
    crypto_hmac_sign(ctx->caller->hmac, base, n, mac);
    if (sig->sig_n != sizeof mac || !crypto_equal(mac, sig->sig, sizeof mac)) {
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

static ngx_int_t read_signature(sluice_ctx_t *ctx, struct httpsig *sig)
{
    size_t bad_at;
    if (ctx->duplicate_header) {
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_MALFORMED, SLICE("a header came twice"),
                             SLICE(""));
    }
    enum httpsig_err err = httpsig_parse(sig, ctx->signature_input, ctx->signature, &bad_at);
    if (err == HTTPSIG_OK) {
        return NGX_OK;
    }
    enum problem problem =
        err == HTTPSIG_EMISSING ? PROBLEM_SIGNATURE_MISSING : PROBLEM_SIGNATURE_MALFORMED;
    return sluice_refuse(ctx, problem, slice_str(httpsig_strerror(err)), SLICE("signature-input"));
}

ngx_int_t sluice_authenticate(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct httpsig sig;
    if (read_signature(ctx, &sig) != NGX_OK || check_coverage(r, ctx, &sig) != NGX_OK ||
        check_window(ctx, &sig) != NGX_OK || check_credential(ctx, &sig) != NGX_OK ||
        check_signature(r, ctx, &sig) != NGX_OK || spend_nonce(ctx, &sig) != NGX_OK) {
        return NGX_DECLINED;
    }
    ctx->authenticated = true;
    return NGX_OK;
}
