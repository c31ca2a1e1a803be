/* SPDX-License-Identifier: Apache-2.0 */
/* The stage that asks policy_decide(): proofs, subscription, grant, environment and levels. */
#include "sluice.h"

#include "base/buf.h"
#include "policy/purpose.h"

/* Another owner's grant that is for an audience: whether the token's user is in it, decide() says.
 */
static bool shared(const sluice_ctx_t *ctx)
{
    struct replica_reader *reader = sluice_reader();
    struct policy_grant grant;
    return reader &&
           replica_get_grant(reader, &ctx->grant, &ctx->api->record.policy, &grant) == REPLICA_OK &&
           grant.restricted;
}

static ngx_int_t read_grant_header(sluice_ctx_t *ctx)
{
    const struct uuid *granted = ctx->token ? sluice_token_grant(ctx) : NULL;
    bool said = ctx->grant_header.p || ctx->licence_named;
    if (!said && granted) {
        ctx->grant_named = true;
        ctx->grant = *granted;
    }
    if (!said) {
        return NGX_OK;
    }
    ctx->grant_named = true;
    ctx->grant = ctx->licence; /* licenseID, where there is no header */
    if (ctx->grant_header.p && !uuid_parse(&ctx->grant, ctx->grant_header.p, ctx->grant_header.n)) {
        return sluice_refuse(ctx, PROBLEM_GRANT_UNKNOWN, SLICE("not the id of a grant"),
                             SLICE("sluice-grant"));
    }
    if (granted && !uuid_eq(granted, &ctx->grant) && !shared(ctx)) {
        return sluice_refuse(ctx, PROBLEM_TOKEN_SCOPE, SLICE("the token is for another grant"),
                             SLICE("sluice-grant"));
    }
    return NGX_OK;
}

/* What for, as the caller says, or as the caller of the whole said of which this is a part. */
static ngx_int_t read_purpose(sluice_ctx_t *ctx)
{
    if (ctx->inner) {
        ctx->purpose = ctx->inner->purpose;
    }
    if (ctx->purpose_header.p && !purpose_of_header(ctx->purpose_header, &ctx->purpose)) {
        return sluice_refuse(ctx, PROBLEM_REQUEST_MALFORMED,
                             SLICE("a purpose is one line of UTF-8, with %XX for what a header "
                                   "cannot hold"),
                             SLICE("sluice-purpose"));
    }
    return NGX_OK;
}

/* EC-7.2.1e: what a call says it is of has to be the version that was filed and went live; of an
 * app that states it each call says so. A part of a composed API comes from us. */
static ngx_int_t check_version(sluice_ctx_t *ctx)
{
    const sluice_caller_t *caller = ctx->caller;
    if (ctx->inner || (!ctx->version_header.p && !caller->states_version)) {
        return NGX_OK;
    }
    if (!ctx->version_header.p) {
        return sluice_refuse(ctx, PROBLEM_APP_VERSION_UNFILED, SLICE("the call does not say it"),
                             SLICE("sluice-app-version"));
    }
    return caller->app_version_n > 0 &&
                   slice_eq(ctx->version_header,
                            slice_of(caller->app_version, caller->app_version_n))
               ? NGX_OK
               : sluice_refuse(ctx, PROBLEM_APP_VERSION_UNFILED, SLICE(""),
                               SLICE("sluice-app-version"));
}

static uint8_t user_factors(const struct token *token)
{
    return token ? (uint8_t)__builtin_popcount(token->factors) : 0;
}

static const struct {
    uint8_t proof;
    const char *text;
} proofs[] = {
    {POLICY_PROOF_SECRET, "a signature with the app's secret"},
    {POLICY_PROOF_KEY, "a signature by a registered key pair"},
    {POLICY_PROOF_CERTIFICATE, "the app's registered client certificate on the connection"},
};

static void add_proofs(struct buf *text, uint8_t bits, const char *between)
{
    const char *next = "";
    for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) {
        if (bits & proofs[i].proof) {
            buf_adds(text, next);
            buf_adds(text, proofs[i].text);
            next = between;
        }
    }
}

/* What must be added (BK-7.2.1a2): all that the app's factors or class A2 demand, and any one of
 * what else the API would take. */
static ngx_int_t refuse_weak(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    uint8_t needs = ctx->verdict->verdict.needs;
    uint8_t all = ctx->caller->app.factors;
    if (ctx->api->record.policy.class_ == POLICY_A2) {
        all |= POLICY_PROOF_KEY;
    }
    if (needs & POLICY_PROOF_CERTIFICATE && ctx->unproven) {
        return sluice_refuse(ctx, PROBLEM_CERTIFICATE_INVALID, slice_str(ctx->unproven),
                             SLICE("client certificate"));
    }
    struct buf text = {0};
    buf_adds(&text, "add ");
    add_proofs(&text, needs & all, " and ");
    buf_adds(&text, needs & all && needs & ~all ? ", and " : "");
    add_proofs(&text, needs & (uint8_t)~all, " or ");
    u_char *kept = text.failed ? NULL : ngx_pnalloc(r->pool, text.n);
    struct slice detail = slice_of((const char *)kept, kept ? text.n : 0);
    if (kept) {
        ngx_memcpy(kept, text.p, text.n);
    }
    buf_fini(&text);
    return sluice_refuse(ctx, PROBLEM_SCHEME_TOO_WEAK, needs ? detail : SLICE(""), SLICE(""));
}

ngx_int_t sluice_decide(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (read_grant_header(ctx) != NGX_OK || read_purpose(ctx) != NGX_OK ||
        sluice_sdk(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }
    struct sluice_question question = {.api = ctx->api,
                                       .caller = ctx->caller,
                                       .method = ctx->export_asked ? POLICY_GET : ctx->method,
                                       .proofs = ctx->proofs,
                                       .user_factors = user_factors(ctx->token),
                                       .grant_named = ctx->grant_named,
                                       .grant = ctx->grant,
                                       .purpose = ctx->purpose,
                                       .sdk = ctx->sdk,
                                       .export_ = ctx->export_asked};
    if (ctx->token && ctx->grant_named) { /* without a grant it makes no difference */
        question.user = ctx->token->user;
    }
    ctx->verdict = sluice_verdict_find(&question, ctx->began_us / 1000);
    if (!ctx->verdict) {
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    if (ctx->verdict->verdict.reason == PROBLEM_SCHEME_TOO_WEAK) {
        return refuse_weak(r, ctx);
    }
    if (ctx->verdict->verdict.reason == PROBLEM_SDK_REFUSED) {
        return sluice_sdk_refuse(ctx);
    }
    if (ctx->verdict->verdict.reason == PROBLEM_API_OFFLINE) {
        return sluice_life_offline(r, ctx);
    }
    if (ctx->verdict->verdict.reason != PROBLEM_OK) {
        return sluice_refuse(ctx, ctx->verdict->verdict.reason, SLICE(""), SLICE(""));
    }
    if (check_version(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }
    return NGX_OK;
}
