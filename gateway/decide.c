/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 3: subscription, grant, environment and levels, all in policy_decide(). */
#include "sluice.h"

static ngx_int_t read_grant_header(sluice_ctx_t *ctx)
{
    if (!ctx->grant_header.p) {
        return NGX_OK;
    }
    ctx->grant_named = true;
    if (!uuid_parse(&ctx->grant, ctx->grant_header.p, ctx->grant_header.n)) {
        return sluice_refuse(ctx, PROBLEM_GRANT_UNKNOWN, SLICE("not the id of a grant"),
                             SLICE("sluice-grant"));
    }
    return NGX_OK;
}

/* A single-use grant is spent in the store that spends nonces (BK-9.3.2a3). */
static ngx_int_t spend_grant(sluice_ctx_t *ctx)
{
    const struct policy_grant *grant = &ctx->verdict->grant_record;
    if (!ctx->verdict->grant_known || grant->term != POLICY_ONCE) {
        return NGX_OK;
    }
    enum replay_err err = replay_use(sluice_worker.replay, SLICE("grant"),
                                     slice_of((const char *)grant->id.b, UUID_LEN),
                                     ctx->began_us / 1000000, grant->expires_ms / 1000 + 1);
    if (err == REPLAY_OK) {
        return NGX_OK;
    }
    /* ELIFE: a single-use grant valid for longer than a nonce can be remembered; REST makes none.
     */
    enum problem problem = err == REPLAY_EFULL ? PROBLEM_REPLAY_STORE_FULL : PROBLEM_GRANT_EXPIRED;
    return sluice_refuse(ctx, problem, SLICE("single use"), SLICE("sluice-grant"));
}

ngx_int_t sluice_decide(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    (void)r;
    if (read_grant_header(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }
    ctx->verdict = sluice_verdict_find(ctx->api, ctx->caller, ctx->method, ctx->grant_named,
                                       &ctx->grant, ctx->began_us / 1000);
    if (!ctx->verdict) {
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    if (ctx->verdict->verdict.reason != PROBLEM_OK) {
        return sluice_refuse(ctx, ctx->verdict->verdict.reason, SLICE(""), SLICE(""));
    }
    return spend_grant(ctx);
}
