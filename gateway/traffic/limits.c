/* SPDX-License-Identifier: Apache-2.0 */
/* Stage `limits`: a call that has been let in is counted under each rule that applies to it, or
 * refused by one and counted under none (SW-6-flow, SW-8.3.4-flow, BK-10.1.2a1). Counters are those
 * of libs/limit, shared by all workers of the node in one file, or in a Redis shared by all nodes
 * (redis.c). What the call takes is given back, and what its answer held is charged, when it ends.
 */
#include "traffic/limits.h"

#include "base/clock.h"
#include "traffic/limit_rows.h"
#include "traffic/redis.h"

#define KEYS 65536 /* counters the file holds: 46 MB, of which only pages in use are real */
#define LEASE_MS                                                                                   \
    60000 /* beyond the API's timeout: how long Redis counts a call nobody gives back */

static struct limit *counters;

void sluice_limits_open(ngx_log_t *log, ngx_str_t state_dir)
{
    char path[NGX_MAX_PATH];
    if (counters) {
        return;
    }
    int n = snprintf(path, sizeof path, "%.*s/limits", (int)state_dir.len, state_dir.data);
    enum limit_err err =
        n > 0 && (size_t)n < sizeof path ? limit_open(&counters, path, KEYS) : LIMIT_EIO;
    if (err == LIMIT_EFORMAT && unlink(path) == 0) { /* of another version: counting begins anew */
        err = limit_open(&counters, path, KEYS);
    }
    if (err != LIMIT_OK) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "sluice: limits \"%s\": %s", path,
                      limit_strerror(err));
    }
}

void sluice_limits_tick(void)
{
    if (counters) {
        limit_tick(counters, limit_now(counters));
    }
}

void sluice_limits_close(void)
{
    limit_rows_clear();
    limit_close(&counters);
}

struct limit *sluice_limits_counters(void)
{
    return counters;
}

/* Which rules apply -----------------------------------------------------------------------------
 */

static const struct limit_run *runs_of(sluice_ctx_t *ctx, uint64_t number)
{
    sluice_verdict_t *verdict = ctx->verdict;
    if (verdict->limits_number != number) {
        limit_rows_find(false, &ctx->caller->credential.app, &ctx->api->record.policy.id,
                        verdict->limits);
        verdict->limits_number = number;
        verdict->limits_n = 0;
        for (size_t i = 0; i < LIMIT_RUNS; i++) {
            verdict->limits_n += verdict->limits[i].to - verdict->limits[i].from;
        }
    }
    return verdict->limits;
}

struct sluice_limits *sluice_limits_new(ngx_pool_t *pool, size_t n)
{
    struct sluice_limits *l = ngx_pcalloc(pool, sizeof *l);
    if (l) {
        l->checks = ngx_palloc(pool, n * sizeof *l->checks);
        l->labels = ngx_palloc(pool, n * sizeof *l->labels);
        l->rules = ngx_palloc(pool, n * sizeof *l->rules);
    }
    return l && l->checks && l->labels && l->rules ? l : NULL;
}

static void add_checks(struct sluice_limits *l, const struct limit_run *run,
                       const struct limit_parties *parties, uint64_t now_ms)
{
    for (uint32_t i = run->from; i < run->to; i++) {
        const struct limit_row *row = &limit_rows()[i];
        if (!limit_check_make(&l->checks[l->n], &l->labels[l->n], row, row->by, parties, now_ms)) {
            continue;
        }
        l->rules[l->n] = row->rule;
        l->checks[l->n].rule = &l->rules[l->n];
        l->n++;
    }
}

static ngx_int_t refuse_uncounted(sluice_ctx_t *ctx, const char *why)
{
    ctx->retry_s = 1;
    return sluice_refuse(ctx, PROBLEM_LIMITS_UNAVAILABLE, slice_str(why), SLICE(""));
}

/* ctx->limits stays NULL where none applies. */
static ngx_int_t find_rules(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct limit_parties parties;
    uint64_t number = limit_rows_current();
    if (!number) {
        return refuse_uncounted(ctx, "the limits cannot be read");
    }
    const struct limit_run *runs = runs_of(ctx, number);
    if (ctx->verdict->limits_n == 0) {
        return NGX_OK;
    }
    struct sluice_limits *l = sluice_limits_new(r->pool, ctx->verdict->limits_n);
    if (!l) {
        return NGX_ERROR;
    }
    limit_parties_of(r, ctx, &parties);
    for (size_t i = 0; i < LIMIT_RUNS; i++) {
        add_checks(l, &runs[i], &parties, ctx->began_us / 1000);
    }
    if (l->n > LIMIT_CALL_RULES_MAX) {
        return refuse_uncounted(ctx, "more than 16 limits apply");
    }
    ctx->limits = l->n ? l : NULL;
    return NGX_OK;
}

/* What came out ----------------------------------------------------------------------------------
 */

static void tell(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct limit_check *check)
{
    static const char *const kinds[LIMIT_ACTIONS] = {
        [LIMIT_ALERT] = "limit-alert", [LIMIT_SUSPEND] = "limit-suspended"};
    const char *kind = kinds[check->rule->action];
    if (!check->state.first_over || !kind) {
        return;
    }
    struct sluice_event event = {.kind = kind,
                                 .api = &ctx->api->record.policy.id,
                                 .app = &ctx->caller->credential.app,
                                 .credential = &ctx->caller->credential.id,
                                 .limit = &check->rule->id,
                                 .owner = ctx->verdict->of,
                                 .address = sluice_slice(r->connection->addr_text),
                                 .target = SLICE(""),
                                 .reason = SLICE(""),
                                 .count = check->state.used};
    sluice_event(&event);
}

static ngx_int_t refuse(sluice_ctx_t *ctx, const struct limit_check *by)
{
    static const enum problem problems[LIMIT_MEASURES] = {
        [LIMIT_RATE] = PROBLEM_RATE_LIMITED,
        [LIMIT_CONCURRENCY] = PROBLEM_CONCURRENCY_LIMITED,
        [LIMIT_DAY_CALLS] = PROBLEM_QUOTA_EXCEEDED,
        [LIMIT_DAY_ROWS] = PROBLEM_QUOTA_EXCEEDED,
        [LIMIT_DAY_BYTES] = PROBLEM_QUOTA_EXCEEDED,
        [LIMIT_DAY_AMOUNT] = PROBLEM_AMOUNT_EXCEEDED};
    ctx->retry_s = ngx_max(by->state.reset_s, 1);
    return sluice_refuse(ctx,
                         by->state.outcome == LIMIT_SUSPENDED ? PROBLEM_CALLS_SUSPENDED
                                                              : problems[by->rule->measure],
                         SLICE(""), SLICE(""));
}

static ngx_int_t judged(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct sluice_limits *l)
{
    for (size_t i = 0; i < l->n; i++) {
        tell(r, ctx, &l->checks[i]);
    }
    return l->refused ? refuse(ctx, &l->checks[l->refused_by]) : NGX_OK;
}

static ngx_int_t take_here(ngx_http_request_t *r, sluice_ctx_t *ctx, struct sluice_limits *l)
{
    enum limit_err err =
        counters ? limit_take(counters, l->checks, l->n, limit_now(counters), &l->refused_by)
                 : LIMIT_EIO;
    if (err != LIMIT_OK && err != LIMIT_EOVER) {
        static time_t said;
        if (said != ngx_time()) { /* once a second: it may be of each call */
            said = ngx_time();
            ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0, "sluice: limits: %s",
                          limit_strerror(err));
        }
        ctx->limits = l == ctx->limits ? NULL : ctx->limits;
        return refuse_uncounted(ctx, limit_strerror(err));
    }
    l->taken = err == LIMIT_OK;
    l->refused = err == LIMIT_EOVER;
    return judged(r, ctx, l);
}

/* Redis ------------------------------------------------------------------------------------------
 */

static void add_rule(struct sluice_redis_args *args, const struct limit_rule *rule)
{
    sluice_redis_arg(args, "%s", limit_redis_measure(rule->measure));
    sluice_redis_arg(args, "%s", limit_redis_action(rule->action));
    const unsigned long long numbers[] = {rule->amount, rule->window_ms, rule->suspend_s};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sluice_redis_arg(args, "%llu", numbers[i]);
    }
    sluice_redis_arg(args, "%d", rule->utc_offset_s);
    sluice_redis_arg(args, "%llu", (unsigned long long)rule->released_ms);
    sluice_redis_arg(args, "%llu", (unsigned long long)rule->units);
}

static struct sluice_redis_args *script_args(const sluice_ctx_t *ctx, const char *operation,
                                             const struct limit_check *checks, size_t n)
{
    struct sluice_redis_args *args = sluice_redis_script();
    sluice_redis_arg(args, "%zu", 2 * n);
    for (size_t i = 0; i < 2 * n; i++) {
        const struct limit_key *key = &checks[i / 2].key;
        sluice_redis_arg(args, LIMIT_REDIS_PREFIX "%016llx%016llx%s", (unsigned long long)key->hi,
                         (unsigned long long)key->lo, i % 2 ? LIMIT_REDIS_LEASES : "");
    }
    sluice_redis_arg(args, "%s", operation);
    sluice_redis_arg(args, "%s", ctx->txn_text);
    sluice_redis_arg(args, "%u", ctx->api->record.timeout_ms + LEASE_MS);
    for (size_t i = 0; i < n; i++) {
        add_rule(args, checks[i].rule);
    }
    return args;
}

/* False: not what the script answers. */
static bool read_states(struct sluice_limits *l, const sluice_redis_op_t *op)
{
    const long long *at = op->numbers + 1;
    if (op->state != SLUICE_REDIS_NUMBERS || op->n != 1 + 5 * l->n || op->numbers[0] < 0 ||
        (size_t)op->numbers[0] > l->n) {
        return false;
    }
    for (size_t i = 0; i < l->n; i++, at += 5) {
        l->checks[i].state = (struct limit_state){.outcome = (enum limit_outcome)at[0],
                                                  .first_over = at[1] != 0,
                                                  .used = (uint64_t)at[2],
                                                  .remaining = (uint64_t)at[3],
                                                  .reset_s = (uint32_t)at[4]};
    }
    l->refused = op->numbers[0] != 0;
    l->refused_by = l->refused ? (size_t)op->numbers[0] - 1 : 0;
    l->taken = !l->refused;
    l->shared = true;
    return true;
}

/* NGX_ABORT: Redis is not to be had. */
static ngx_int_t take_shared(ngx_http_request_t *r, sluice_ctx_t *ctx, struct sluice_limits *l)
{
    if (!ctx->redis) {
        return sluice_redis_ask(r, ctx, script_args(ctx, "take", l->checks, l->n));
    }
    if (ctx->redis->state == SLUICE_REDIS_WAITS) {
        return NGX_DONE;
    }
    bool ok = read_states(l, ctx->redis);
    sluice_redis_end(ctx);
    return ok ? judged(r, ctx, l) : NGX_ABORT;
}

ngx_int_t sluice_limits_take(ngx_http_request_t *r, sluice_ctx_t *ctx, struct sluice_limits *l)
{
    if (!sluice_redis_wanted()) {
        return take_here(r, ctx, l);
    }
    ngx_int_t rc = take_shared(r, ctx, l);
    if (rc != NGX_ABORT) {
        return rc;
    }
    return sluice_redis_local() ? take_here(r, ctx, l) : refuse_uncounted(ctx, "Redis is away");
}

ngx_int_t sluice_limits(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ngx_int_t rc = ctx->limits ? NGX_OK : find_rules(r, ctx);
    if (rc != NGX_OK || !ctx->limits) {
        return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
    }
    return sluice_limits_take(r, ctx, ctx->limits);
}

/* The answer -------------------------------------------------------------------------------------
 */

static bool has_budget(enum limit_measure measure)
{
    return measure != LIMIT_CONCURRENCY;
}

/* The rule that leaves the smallest part of its amount. */
static const struct limit_check *tightest(const struct sluice_limits *l)
{
    const struct limit_check *found = NULL;
    double least = 2;
    if (l->refused && has_budget(l->checks[l->refused_by].rule->measure)) {
        return &l->checks[l->refused_by];
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct limit_check *check = &l->checks[i];
        double amount = (double)ngx_max(check->rule->amount, 1);
        if (has_budget(check->rule->measure) && (double)check->state.remaining / amount < least) {
            least = (double)check->state.remaining / amount;
            found = check;
        }
    }
    return found;
}

static ngx_int_t add_text(ngx_http_request_t *r, const char *name, const char *fmt, ...)
{
    char text[96];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *copy = n > 0 && (size_t)n < sizeof text ? ngx_pnalloc(r->pool, (size_t)n) : NULL;
    if (!copy) {
        return NGX_ERROR;
    }
    memcpy(copy, text, (size_t)n);
    return sluice_add_header(r, name, slice_of(copy, (size_t)n));
}

/* `RateLimit` and `RateLimit-Policy` as in draft-ietf-httpapi-ratelimit-headers. */
ngx_int_t sluice_limits_headers(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    static const char *const names[LIMIT_MEASURES] = {[LIMIT_RATE] = "rate",
                                                      [LIMIT_DAY_CALLS] = "calls",
                                                      [LIMIT_DAY_ROWS] = "rows",
                                                      [LIMIT_DAY_BYTES] = "bytes"};
    const struct limit_check *check = ctx->limits ? tightest(ctx->limits) : NULL;
    if (ctx->retry_s && add_text(r, "Retry-After", "%u", ctx->retry_s) != NGX_OK) {
        return NGX_ERROR;
    }
    if (!check) {
        return NGX_OK;
    }
    const struct limit_rule *rule = check->rule;
    unsigned window_s = rule->measure == LIMIT_RATE ? (rule->window_ms + 999) / 1000 : 86400;
    const char *unit = rule->measure == LIMIT_DAY_BYTES  ? ";qu=\"content-bytes\""
                       : rule->measure == LIMIT_DAY_ROWS ? ";qu=\"rows\""
                                                         : "";
    return add_text(r, "RateLimit-Policy", "\"%s\";q=%llu;w=%u%s", names[rule->measure],
                    (unsigned long long)rule->amount, window_s, unit) == NGX_OK
               ? add_text(r, "RateLimit", "\"%s\";r=%llu;t=%u", names[rule->measure],
                          (unsigned long long)check->state.remaining, check->state.reset_s)
               : NGX_ERROR;
}

static void charge(sluice_ctx_t *ctx, const struct limit_check *check, uint64_t amount)
{
    if (!ctx->limits->shared) {
        enum limit_err err = limit_charge(counters, check, amount, limit_now(counters));
        if (err != LIMIT_OK) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sluice: limits: %s",
                          limit_strerror(err));
        }
        return;
    }
    struct sluice_redis_args *args = script_args(ctx, "charge", check, 1);
    sluice_redis_arg(args, "%llu", (unsigned long long)amount);
    sluice_redis_tell(args);
}

void sluice_limits_charge(sluice_ctx_t *ctx, const struct audit_call *call)
{
    struct sluice_limits *l = ctx->limits;
    if (!l || !l->taken || l->charged) {
        return;
    }
    l->charged = true;
    for (size_t i = 0; i < l->n; i++) {
        enum limit_measure measure = l->rules[i].measure;
        uint64_t amount = measure == LIMIT_DAY_ROWS    ? call->rows
                          : measure == LIMIT_DAY_BYTES ? call->bytes_out
                                                       : 0;
        if (amount) {
            charge(ctx, &l->checks[i], amount);
        }
    }
}

static bool counts_in_flight(const struct sluice_limits *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->rules[i].measure == LIMIT_CONCURRENCY) {
            return true;
        }
    }
    return false;
}

void sluice_limits_release(sluice_ctx_t *ctx)
{
    struct sluice_limits *l = ctx->limits;
    if (!l || !l->taken || !counts_in_flight(l)) {
        return;
    }
    l->taken = false;
    if (l->shared) {
        sluice_redis_tell(script_args(ctx, "release", l->checks, l->n));
    } else if (counters) {
        limit_release(counters, l->checks, l->n);
    }
}
