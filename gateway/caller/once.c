/* SPDX-License-Identifier: Apache-2.0 */
/* Stages `nonce` and `grant`: what may be used once is used once on all nodes (EC-6.1.3.1b,
 * BK-9.3.2a3). The node's own table has refused a replay on this node before; with a Redis between
 * the nodes its SET NX refuses one on another. A single-use grant is spent after the limits, so
 * that a call they refuse does not use it up. */
#include "httpsig/httpsig.h"
#include "limit/limit.h"
#include "traffic/redis.h"

#define SKEW_S 60 /* clocks of nodes and callers */

/* NGX_ABORT: Redis is away. */
static ngx_int_t set_once(ngx_http_request_t *r, sluice_ctx_t *ctx, const char *kind,
                          const struct slice *parts, size_t n, uint64_t life_s)
{
    struct limit_key key = limit_key_make(sluice_worker.limit_seed, parts, n);
    struct sluice_redis_args *args = sluice_redis_command();
    sluice_redis_arg(args, "SET");
    sluice_redis_arg(args, "sluice:%s:%016llx%016llx", kind, (unsigned long long)key.hi,
                     (unsigned long long)key.lo);
    sluice_redis_arg(args, "1");
    sluice_redis_arg(args, "NX");
    sluice_redis_arg(args, "EX");
    sluice_redis_arg(args, "%llu", (unsigned long long)life_s);
    return sluice_redis_ask(r, ctx, args);
}

/* Of an answer: NGX_OK it is ours now, NGX_DECLINED it was used, NGX_ABORT no answer. */
static ngx_int_t read_once(sluice_ctx_t *ctx)
{
    ngx_int_t rc = ctx->redis->state == SLUICE_REDIS_DONE  ? NGX_OK
                   : ctx->redis->state == SLUICE_REDIS_NIL ? NGX_DECLINED
                                                           : NGX_ABORT;
    sluice_redis_end(ctx);
    return rc;
}

/* Without Redis the node's own table has said all that can be said. */
static ngx_int_t without_redis(sluice_ctx_t *ctx)
{
    if (sluice_redis_local()) {
        return NGX_OK;
    }
    ctx->retry_s = 1;
    return sluice_refuse(ctx, PROBLEM_LIMITS_UNAVAILABLE, SLICE("Redis is away"), SLICE(""));
}

static ngx_int_t ask_nonce(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    static struct httpsig sigs[HTTPSIG_SIGNATURES_MAX];
    size_t n, bad_at;
    uint64_t now_s = ctx->began_us / 1000000;
    if (httpsig_parse_several(sigs, &n, ctx->signature_input, ctx->signature, &bad_at) !=
        HTTPSIG_OK) {
        return NGX_ERROR; /* `authenticate` has read it */
    }
    if (ctx->nonces == n) {
        return NGX_OK;
    }
    const struct httpsig *sig = &sigs[ctx->nonces];
    const struct slice parts[] = {sig->keyid, sig->nonce};
    uint64_t left_s = sig->expires_s > now_s ? sig->expires_s - now_s : 0;
    return set_once(r, ctx, "nonce", parts, 2, left_s + SKEW_S);
}

ngx_int_t sluice_nonce(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ngx_int_t rc = NGX_OK;
    if (!sluice_redis_wanted() || ctx->inner) {
        return NGX_OK;
    }
    if (ctx->redis) {
        if (ctx->redis->state == SLUICE_REDIS_WAITS) {
            return NGX_DONE;
        }
        rc = read_once(ctx);
        ctx->nonces++;
    }
    rc = rc == NGX_OK ? ask_nonce(r, ctx) : rc;
    switch (rc) {
    case NGX_DECLINED:
        return sluice_refuse(ctx, PROBLEM_SIGNATURE_REPLAYED, SLICE(""), SLICE("nonce"));
    case NGX_ABORT:
        return without_redis(ctx);
    default:
        return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
    }
}

ngx_int_t sluice_use_once(ngx_http_request_t *r, sluice_ctx_t *ctx, const char *kind,
                          const struct uuid *id, uint64_t expires_ms, enum problem used,
                          const char *where)
{
    struct slice bytes = slice_of((const char *)id->b, UUID_LEN);
    uint64_t now_ms = ctx->began_us / 1000;
    uint64_t left_ms = expires_ms > now_ms ? expires_ms - now_ms : 0;
    if (ctx->redis && ctx->redis->state == SLUICE_REDIS_WAITS) {
        return NGX_DONE;
    }
    if (!ctx->redis) {
        /* ELIFE: valid for longer than a nonce can be remembered; REST makes none. */
        enum replay_err err = replay_use(sluice_worker.replay, slice_str(kind), bytes,
                                         now_ms / 1000, expires_ms / 1000 + 1);
        if (err != REPLAY_OK) {
            return sluice_refuse(ctx, err == REPLAY_EFULL ? PROBLEM_REPLAY_STORE_FULL : used,
                                 SLICE("single use"), slice_str(where));
        }
        if (!sluice_redis_wanted()) {
            return NGX_OK;
        }
    }
    ngx_int_t rc =
        ctx->redis ? read_once(ctx) : set_once(r, ctx, kind, &bytes, 1, left_ms / 1000 + SKEW_S);
    if (rc == NGX_DECLINED) {
        return sluice_refuse(ctx, used, SLICE("single use"), slice_str(where));
    }
    return rc == NGX_ABORT ? without_redis(ctx) : rc;
}

ngx_int_t sluice_grant(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const struct policy_grant *grant = &ctx->verdict->grant_record;
    if (!ctx->verdict->grant_known || grant->term != POLICY_ONCE) {
        return NGX_OK;
    }
    return sluice_use_once(r, ctx, "grant", &grant->id, grant->expires_ms, PROBLEM_GRANT_EXPIRED,
                           "sluice-grant");
}
