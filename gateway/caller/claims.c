/* SPDX-License-Identifier: Apache-2.0 */
/* The stage that holds what a call says of its user against the record (BK-9.3.1b): where an API
 * names members of its bodies that hold a user's name, number, telephone, mail or birth, each sent
 * has to be that of the owner whose rows the call is about. The record itself is not here: with the
 * owner's grant come keyed digests of it. The refusal says neither which one nor what. */
#include "sluice.h"

#include "base/json_at.h"
#include "crypto/verifier.h"

#define VALUE_MAX 256 /* bytes, as of the record */

static ngx_int_t refuse(sluice_ctx_t *ctx)
{
    return sluice_refuse(ctx, PROBLEM_USER_DATA_MISMATCH, SLICE(""), SLICE("body"));
}

static bool matches(const sluice_ctx_t *ctx, enum replica_claim claim, const json_t *value)
{
    const sluice_verdict_t *v = ctx->verdict;
    uint8_t digest[CRYPTO_HASH_LEN];
    size_t n = json_string_length(value);
    if (!json_is_string(value) || n == 0 || n > VALUE_MAX || !(v->claims_known >> claim & 1)) {
        return false;
    }
    crypto_claim(sluice_worker.verifier_key, slice_str(replica_claim_names[claim]), v->of,
                 slice_of(json_string_value(value), n), digest);
    return crypto_equal(digest, v->claims[claim], sizeof digest);
}

/* All are compared, whatever the first says. */
static bool all_match(const sluice_ctx_t *ctx, const json_t *body)
{
    bool good = true;
    for (unsigned i = 0; i < REPLICA_CLAIMS; i++) {
        struct slice path = ctx->api->record.claims[i];
        const json_t *value = path.n ? json_at(body, path) : NULL;
        bool one = value == NULL || matches(ctx, (enum replica_claim)i, value);
        good = good && one;
    }
    return good;
}

ngx_int_t sluice_claims(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    bool any = false;
    (void)r;
    for (size_t i = 0; i < REPLICA_CLAIMS; i++) {
        any = any || ctx->api->record.claims[i].n > 0;
    }
    if (!any || ctx->body.len == 0) {
        return NGX_OK;
    }
    json_t *body =
        json_loadb((const char *)ctx->body.data, ctx->body.len, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(body) && all_match(ctx, body);
    json_decref(body);
    return good ? NGX_OK : refuse(ctx);
}
