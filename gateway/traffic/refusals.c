/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of measure `refused`: who is refused again and again (bad signatures, replays, scanning for
 * paths, calls beyond its permissions) is told to the operators and, where the rule says so, cut
 * off for a time (BK-9.2.1b4-2, BK-10.1.2a2-1).
 *
 * Whom a refusal is laid to: the app, once its signature has been verified; before that the
 * address, whatever the rule counts apart, for anybody may claim to be an app and must not be able
 * to have it suspended. A suspended address is turned away before its signature is looked at.
 * Counted on each node by itself. */
#include "traffic/limit_rows.h"

/* Refusals that say something about the caller; a limit's own are none, nor are our troubles. */
static bool is_suspect(enum problem problem)
{
    static const enum problem rows[] = {PROBLEM_ROUTE_UNKNOWN, PROBLEM_SIGNATURE_MALFORMED,
                                        PROBLEM_DIGEST_MISSING, PROBLEM_DIGEST_MISMATCH,
                                        PROBLEM_SEAL_INVALID};
    unsigned status = problem_row(problem)->status;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i] == problem) {
            return true;
        }
    }
    return status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN;
}

/* What a rule counts apart when the app is not proven. */
static uint8_t by_of(const struct limit_row *row, bool authenticated)
{
    const uint8_t person = LIMIT_BY_APP | LIMIT_BY_USER;
    if (authenticated || !(row->by & person)) {
        return row->by;
    }
    return (uint8_t)((row->by & ~person) | LIMIT_BY_ADDRESS);
}

static void tell(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct limit_check *check)
{
    struct sluice_event event = {
        .kind = "calls-refused",
        .limit = &check->rule->id,
        .api = ctx->api ? &ctx->api->record.policy.id : NULL,
        .app = ctx->caller ? &ctx->caller->credential.app : NULL,
        .credential = ctx->caller ? &ctx->caller->credential.id : NULL,
        .owner = SLICE(""),
        .address = sluice_slice(r->connection->addr_text),
        .target = SLICE(""),
        .reason = slice_str(problem_row(ctx->problem)->code),
        .count = check->state.used,
    };
    sluice_event(&event);
}

static void count(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct limit_row *row,
                  const struct limit_parties *parties)
{
    struct limit *counters = sluice_limits_counters();
    struct limit_label label;
    struct limit_check check;
    size_t refused_by;
    if (!limit_check_make(&check, &label, row, by_of(row, ctx->authenticated), parties,
                          ctx->began_us / 1000)) {
        return;
    }
    enum limit_err err = limit_take(counters, &check, 1, limit_now(counters), &refused_by);
    if ((err == LIMIT_OK || err == LIMIT_EOVER) && check.state.first_over) {
        tell(r, ctx, &check);
    }
}

void sluice_refusals_count(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct limit_parties parties;
    struct limit_run runs[LIMIT_RUNS];
    if (!limit_rows_count_refusals() || !is_suspect(ctx->problem) || !sluice_limits_counters()) {
        return;
    }
    limit_parties_of(r, ctx, &parties);
    limit_rows_find(true, &parties.app, &parties.api, runs);
    for (size_t i = 0; i < LIMIT_RUNS; i++) {
        for (uint32_t k = runs[i].from; k < runs[i].to; k++) {
            count(r, ctx, &limit_rows()[k], &parties);
        }
    }
}

/* Whether the rule keeps such calls out now. Looking makes no counter. */
static bool keeps_out(struct limit_check *check)
{
    struct limit *counters = sluice_limits_counters();
    if (limit_peek(counters, check, limit_now(counters)) != LIMIT_OK) {
        return false;
    }
    return check->rule->action == LIMIT_SUSPEND ? check->state.outcome == LIMIT_SUSPENDED
                                                : check->state.outcome == LIMIT_OVER;
}

static ngx_int_t look(sluice_ctx_t *ctx, const struct limit_parties *parties, bool authenticated)
{
    struct limit_run runs[LIMIT_RUNS];
    limit_rows_find(true, authenticated ? &parties->app : NULL, &parties->api, runs);
    for (size_t i = 0; i < LIMIT_RUNS; i++) {
        for (uint32_t k = runs[i].from; k < runs[i].to; k++) {
            const struct limit_row *row = &limit_rows()[k];
            struct limit_label label;
            struct limit_check check;
            bool asked = row->rule.action != LIMIT_ALERT &&
                         limit_check_make(&check, &label, row, by_of(row, authenticated), parties,
                                          ctx->began_us / 1000);
            if (asked && keeps_out(&check)) {
                ctx->retry_s = ngx_max(check.state.reset_s, 1);
                return sluice_refuse(ctx, PROBLEM_CALLS_SUSPENDED, SLICE("repeated refusals"),
                                     SLICE(""));
            }
        }
    }
    return NGX_OK;
}

static ngx_int_t look_up(ngx_http_request_t *r, sluice_ctx_t *ctx, bool authenticated)
{
    struct limit_parties parties;
    if (!limit_rows_current()) {
        ctx->retry_s = 1;
        return sluice_refuse(ctx, PROBLEM_LIMITS_UNAVAILABLE, SLICE(""), SLICE(""));
    }
    if (!limit_rows_count_refusals() || !sluice_limits_counters()) {
        return NGX_OK;
    }
    limit_parties_of(r, ctx, &parties);
    return look(ctx, &parties, authenticated);
}

ngx_int_t sluice_suspended_address(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    return look_up(r, ctx, false);
}

ngx_int_t sluice_suspended_caller(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    return look_up(r, ctx, true);
}
