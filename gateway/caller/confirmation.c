/* SPDX-License-Identifier: Apache-2.0 */
/* The stage that asks whether the user confirmed this very call (BK-10.2.2b): a text that the
 * control plane sealed when the user agreed on its page, bound to the app, the API, the user and
 * the digest of method, address and body; good for minutes, and once. Runs when the body is read
 * and opened, so what is compared is what goes on. */
#include "sluice.h"

#include "token/confirmation.h"

static ngx_int_t refuse(sluice_ctx_t *ctx, enum problem problem, const char *detail)
{
    return sluice_refuse(ctx, problem, slice_str(detail), SLICE("sluice-confirmation"));
}

/* Whose call is it: the user of the token, and the owner of the rows or of the grant. A call that
 * says of nobody whose it is could be confirmed by anybody, so it passes for nobody's. */
static bool same_person(const sluice_ctx_t *ctx, const struct confirmation *c)
{
    uint8_t owner[CRYPTO_HASH_LEN];
    bool user = ctx->token && !uuid_is_nil(&ctx->token->user);
    if (user && !uuid_eq(&ctx->token->user, &c->user)) {
        return false;
    }
    if (ctx->verdict->of.n == 0) {
        return user;
    }
    crypto_hash(CRYPTO_SM3, ctx->verdict->of.p, ctx->verdict->of.n, owner);
    return crypto_equal(owner, c->owner_sm3, sizeof owner);
}

static ngx_int_t check_content(ngx_http_request_t *r, sluice_ctx_t *ctx,
                               const struct confirmation *c)
{
    uint8_t content[CRYPTO_HASH_LEN];
    struct slice body = sluice_slice(ctx->body);
    confirmation_content(sluice_slice(r->method_name), sluice_slice(r->unparsed_uri), body,
                         content);
    return crypto_equal(content, c->content_sm3, sizeof content)
               ? NGX_OK
               : refuse(ctx, PROBLEM_CONFIRMATION_MISMATCH,
                        "method, address or body is not what was confirmed");
}

static ngx_int_t check(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct confirmation *c)
{
    if (ctx->began_us / 1000 >= c->expires_ms) {
        return refuse(ctx, PROBLEM_CONFIRMATION_EXPIRED, "");
    }
    if (!uuid_eq(&c->app, &ctx->caller->credential.app) ||
        !uuid_eq(&c->api, &ctx->api->record.policy.id)) {
        return refuse(ctx, PROBLEM_CONFIRMATION_MISMATCH, "it is for another app or API");
    }
    if (!same_person(ctx, c)) {
        return refuse(ctx, PROBLEM_CONFIRMATION_MISMATCH,
                      "another user confirmed it, or the call names no user");
    }
    if (sluice_user_revoked(&c->app, &c->user, c->issued_ms)) {
        return refuse(ctx, PROBLEM_CONFIRMATION_INVALID, "the user has withdrawn it");
    }
    return check_content(r, ctx, c);
}

ngx_int_t sluice_confirmation(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct confirmation c;
    size_t n;
    if (!ctx->api->record.user_confirmation) {
        return NGX_OK;
    }
    /* A part of a composed call has no user to ask. */
    if (ctx->inner || !ctx->confirmation.p) {
        return refuse(ctx, PROBLEM_CONFIRMATION_MISSING, "");
    }
    const struct token_key *keys = sluice_token_keys(&n);
    enum token_err err = confirmation_open(&c, keys, n, ctx->confirmation);
    if (err != TOKEN_OK || ctx->duplicate_header) {
        return refuse(ctx, PROBLEM_CONFIRMATION_INVALID, "");
    }
    if (check(r, ctx, &c) != NGX_OK) {
        return NGX_DECLINED;
    }
    return sluice_use_once(r, ctx, "confirmation", &c.id, c.expires_ms, PROBLEM_CONFIRMATION_USED,
                           "sluice-confirmation");
}
