/* SPDX-License-Identifier: Apache-2.0 */
/* Apps in their test stage call as they will later: with signatures, limits and the one decision.
 * What differs is where the answer comes from, which is never where others' data is, and that each
 * call is told to the control plane, where it counts for the joint test. */
#include "sluice.h"

#include "base/clock.h"

#define TOLD_PER_S 50 /* by one worker: a loop of calls must not fill the disk with lines */

bool sluice_sandbox(const sluice_ctx_t *ctx)
{
    return ctx->caller && ctx->caller->app_known && ctx->caller->app.state == POLICY_TESTING;
}

static bool has_target(const struct replica_api *api)
{
    for (size_t i = 0; i < api->n_targets; i++) {
        if (api->targets[i].role == REPLICA_SANDBOX) {
            return true;
        }
    }
    return false;
}

bool sluice_to_unit(const sluice_ctx_t *ctx)
{
    const struct replica_api *api = &ctx->api->record;
    return api->policy.kind == POLICY_HTTP && (!sluice_sandbox(ctx) || has_target(api));
}

ngx_int_t sluice_sandbox_header(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    return sluice_sandbox(ctx) ? sluice_add_header(r, "Sluice-Sandbox", SLICE("true")) : NGX_OK;
}

static bool within_rate(void)
{
    static time_t second;
    static unsigned told;
    time_t now = ngx_time();
    if (now != second) {
        second = now;
        told = 0;
    }
    return told++ < TOLD_PER_S;
}

void sluice_sandbox_count(const sluice_ctx_t *ctx, const struct audit_call *call)
{
    if (!sluice_sandbox(ctx) || ctx->inner || !within_rate()) {
        return;
    }
    struct sluice_event event = {
        .kind = "sandbox-call",
        .api = ctx->api ? &ctx->api->record.policy.id : NULL,
        .app = &ctx->caller->credential.app,
        .credential = &ctx->caller->credential.id,
        .target = slice_of(ctx->txn_text, UUID_TEXT_LEN),
        .reason = slice_str(problem_row((enum problem)call->reason)->code),
        .count = call->status,
    };
    sluice_event(&event);
}
