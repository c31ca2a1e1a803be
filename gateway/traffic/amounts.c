/* SPDX-License-Identifier: Apache-2.0 */
/* The stage that holds what a transaction is worth against what its party can bear (BK-10.2.1c):
 * at most so much in one call, and so much in a day of all calls of the party's apps. The bounds
 * are those of the party's risk class and come with the subscription. What passed here counts,
 * whatever becomes of it behind: money may have moved. */
#include "traffic/limits.h"

#include "limit/amount.h"

#define UTC_OFFSET_S 28800 /* a day is one of China's, as for limits */

static ngx_int_t refuse_value(sluice_ctx_t *ctx, enum amount_err err)
{
    return sluice_refuse(
        ctx, err == AMOUNT_EMISSING ? PROBLEM_PARAMETER_MISSING : PROBLEM_PARAMETER_INVALID,
        slice_str(amount_strerror(err)), ctx->api->record.amount_path);
}

static struct sluice_limits *day_of_party(ngx_http_request_t *r, const sluice_ctx_t *ctx,
                                          uint64_t amount)
{
    struct sluice_limits *l = sluice_limits_new(r->pool, 1);
    const struct slice parts[] = {SLICE("amount of a day"),
                                  {(const char *)ctx->caller->org.b, UUID_LEN}};
    if (!l) {
        return NULL;
    }
    l->rules[0] = (struct limit_rule){.id = ctx->caller->org,
                                      .measure = LIMIT_DAY_AMOUNT,
                                      .action = LIMIT_REJECT,
                                      .amount = ctx->verdict->verdict.amount_day,
                                      .units = amount,
                                      .utc_offset_s = UTC_OFFSET_S};
    ngx_memzero(&l->labels[0], sizeof l->labels[0]); /* no rule of an operator's: not in the view */
    l->checks[0] = (struct limit_check){.key = limit_key_make(sluice_worker.limit_seed, parts, 2),
                                        .rule = &l->rules[0],
                                        .label = &l->labels[0]};
    l->n = 1;
    return l;
}

static bool moves_money(const sluice_ctx_t *ctx)
{
    const struct policy_verdict *v = &ctx->verdict->verdict;
    return ctx->api->record.amount_path.n > 0 && (v->amount_call || v->amount_day) &&
           ctx->method & (POLICY_POST | POLICY_PUT | POLICY_PATCH);
}

ngx_int_t sluice_amounts(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    uint64_t amount = 0;
    if (!moves_money(ctx)) {
        return NGX_OK;
    }
    if (!ctx->amounts) {
        enum amount_err err =
            amount_of(sluice_slice(ctx->body), ctx->api->record.amount_path, &amount);
        if (err != AMOUNT_OK) {
            return refuse_value(ctx, err);
        }
        uint64_t most = ctx->verdict->verdict.amount_call;
        if (most && amount > most) {
            return sluice_refuse(ctx, PROBLEM_AMOUNT_EXCEEDED,
                                 SLICE("more than the party's risk class allows in one call"),
                                 ctx->api->record.amount_path);
        }
        if (!ctx->verdict->verdict.amount_day) {
            return NGX_OK;
        }
        ctx->amounts = day_of_party(r, ctx, amount);
    }
    return ctx->amounts ? sluice_limits_take(r, ctx, ctx->amounts)
                        : sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
}
