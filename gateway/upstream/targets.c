/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an API's upstream targets a call goes to and what is remembered of them (libs/targets,
 * in a file all workers and the agent share). Its breaker: the API's number of failures in a row,
 * or RATIO percent of at least twice as many calls in its window; see docs/upstreams.md. */
#include "sluice.h"

#include <xxhash.h>

#define TARGETS_FILE 4096 /* of all APIs; those unused for an hour make room */
#define RATIO        50
#define RATIO_CALLS  20
#define BACKOFF      16 /* longest time open, in times of the first */
#define TELL_MS      60000

static struct targets *table; /* NULL: cannot be opened, so all are taken to be well */

void sluice_targets_open(ngx_cycle_t *cycle, ngx_str_t state_dir)
{
    char path[NGX_MAX_PATH];
    if (table) {
        return;
    }
    int n = snprintf(path, sizeof path, "%.*s/targets", (int)state_dir.len, state_dir.data);
    enum targets_err err =
        n > 0 && (size_t)n < sizeof path ? targets_open(&table, path, TARGETS_FILE) : TARGETS_EIO;
    if (err == TARGETS_EFORMAT && unlink(path) == 0) { /* of another version: nothing to keep */
        err = targets_open(&table, path, TARGETS_FILE);
    }
    if (err != TARGETS_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno, "sluice: targets \"%s\": %s", path,
                      targets_strerror(err));
    }
}

void sluice_targets_tick(void)
{
    if (table) {
        targets_tick(table);
    }
}

void sluice_targets_close(void)
{
    targets_close(&table);
}

/* What an API remembers --------------------------------------------------------------------------
 */

size_t sluice_targets_bytes(const struct replica_api *from)
{
    size_t n = from->canary_apps.n;
    for (size_t i = 0; i < from->n_targets; i++) {
        const struct replica_target *t = &from->targets[i];
        n += t->address.n + t->host.n + t->name.n + t->path.n;
    }
    return n;
}

/* "10.0.0.7:8080" or "[::1]:8080", as the agent resolved it. */
static void read_address(sluice_target_t *target, struct slice text)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
    if (!colon || (size_t)(colon - text.p) >= sizeof host) {
        return;
    }
    size_t n = (size_t)(colon - text.p);
    ngx_int_t port = ngx_atoi((u_char *)colon + 1, text.n - n - 1);
    bool v6 = n > 2 && text.p[0] == '[' && text.p[n - 1] == ']';
    if (port <= 0 || port > 65535) {
        return;
    }
    memcpy(host, text.p + v6, n - 2 * v6);
    host[n - 2 * v6] = '\0';
    if (v6 && inet_pton(AF_INET6, host, &target->addr.in6.sin6_addr) == 1) {
        target->addr.in6.sin6_family = AF_INET6;
        target->addr.in6.sin6_port = htons((uint16_t)port);
        target->addrlen = sizeof target->addr.in6;
    } else if (!v6 && inet_pton(AF_INET, host, &target->addr.in.sin_addr) == 1) {
        target->addr.in.sin_family = AF_INET;
        target->addr.in.sin_port = htons((uint16_t)port);
        target->addrlen = sizeof target->addr.in;
    }
}

/* nginx's pool of kept connections knows an address alone: in bytes that connect() does not look
 * at, that of a target over TLS is told apart from a plain one at the same port. */
static void mark_tls(sluice_target_t *target)
{
    if (target->addr.any.sa_family == AF_INET) {
        target->addr.in.sin_zero[0] = 1;
    } else if (target->addr.any.sa_family == AF_INET6) {
        target->addr.in6.sin6_flowinfo = htonl(1);
    }
}

static uint32_t within(uint64_t n, uint32_t least, uint32_t most)
{
    return n < least ? least : n > most ? most : (uint32_t)n;
}

/* In the bounds of targets_config_check(), whatever the record says. */
static struct targets_config breaker_of(const struct replica_api *api)
{
    uint32_t failures = api->breaker_failures;
    uint32_t open_ms = within(api->breaker_open_ms, 100, 3600000);
    return (struct targets_config){.failures = failures,
                                   .ratio_percent = failures ? RATIO : 0,
                                   .ratio_calls = within(2ull * failures, RATIO_CALLS, UINT32_MAX),
                                   .window_ms = within(api->breaker_window_ms, 1000, 600000),
                                   .open_ms = open_ms,
                                   .open_max_ms =
                                       within(BACKOFF * (uint64_t)open_ms, open_ms, 3600000),
                                   .probe_ms = within(api->timeout_ms + 1000ull, 100, 3600000),
                                   .rise = 2,
                                   .fall = 3};
}

static struct slice copy_into(char **at, struct slice s)
{
    struct slice copy = {*at, s.n};
    if (s.n) {
        memcpy(*at, s.p, s.n);
    }
    *at += s.n;
    return copy;
}

void sluice_targets_copy(sluice_api_t *api, const struct replica_api *from, char **at)
{
    api->record.canary_apps = copy_into(at, from->canary_apps);
    for (size_t i = 0; i < from->n_targets; i++) {
        struct replica_target *to = &api->record.targets[i];
        sluice_target_t *target = &api->targets[i];
        to->address = copy_into(at, from->targets[i].address);
        to->host = copy_into(at, from->targets[i].host);
        to->name = copy_into(at, from->targets[i].name);
        to->path = copy_into(at, from->targets[i].path);
        target->text = (ngx_str_t){to->address.n, (u_char *)to->address.p};
        target->id = targets_id(from->policy.id.b, to->host, to->path);
        read_address(target, to->address);
        if (to->tls) {
            mark_tls(target);
        }
    }
    api->breaker = breaker_of(from);
}

/* One call ---------------------------------------------------------------------------------------
 */

static bool is_canary_app(const sluice_ctx_t *ctx)
{
    struct slice apps = ctx->api->record.canary_apps;
    for (size_t i = 0; i + UUID_LEN <= apps.n; i += UUID_LEN) {
        if (memcmp(apps.p + i, ctx->caller->credential.app.b, UUID_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static void look(const sluice_api_t *api, unsigned tried, struct choose_target *targets)
{
    static const enum choose_role roles[] = {[REPLICA_PRIMARY] = CHOOSE_PRIMARY,
                                             [REPLICA_STANDBY] = CHOOSE_STANDBY,
                                             [REPLICA_CANARY] = CHOOSE_CANARY,
                                             [REPLICA_SANDBOX] = CHOOSE_SANDBOX};
    size_t n = api->record.n_targets;
    uint64_t ids[REPLICA_TARGETS_MAX];
    struct targets_look looks[REPLICA_TARGETS_MAX];
    for (size_t i = 0; i < n; i++) {
        ids[i] = api->targets[i].id;
        looks[i] = (struct targets_look){.usable = true};
    }
    if (table) {
        targets_look(table, ids, n, targets_now(table), looks);
    }
    for (size_t i = 0; i < n; i++) {
        targets[i] = (struct choose_target){.weight = api->record.targets[i].weight,
                                            .role = roles[api->record.targets[i].role],
                                            .usable = looks[i].usable && api->targets[i].addrlen &&
                                                      !(tried & 1u << i),
                                            .inflight = looks[i].inflight};
    }
}

int sluice_target_choose(sluice_ctx_t *ctx, unsigned tried)
{
    sluice_api_t *api = ctx->api;
    struct choose_target targets[REPLICA_TARGETS_MAX];
    struct choose_call call = {.method = api->record.balance == REPLICA_LEAST_CONNECTIONS
                                             ? CHOOSE_LEAST_CONNECTIONS
                                             : CHOOSE_ROUND_ROBIN,
                               .canary_share = api->record.canary_percent * (CHOOSE_PARTS / 100)};
    look(api, tried, targets);
    call.is_sandbox = sluice_sandbox(ctx);
    if (api->record.n_targets == 1 && !call.is_sandbox &&
        api->record.targets[0].role != REPLICA_SANDBOX) {
        return targets[0].usable ? 0 : CHOOSE_NONE;
    }
    if (call.canary_share) {
        call.hash = (uint32_t)(XXH3_64bits(ctx->txn.b, UUID_LEN) % CHOOSE_PARTS);
    }
    call.is_canary_app = is_canary_app(ctx);
    return choose_target(targets, api->record.n_targets, &call, &api->turn);
}

/* Why there is no target: none has an address, or each is left alone for a while. */
ngx_int_t sluice_targets_refuse(sluice_ctx_t *ctx)
{
    const sluice_api_t *api = ctx->api;
    uint32_t left_ms = 0;
    bool any = false;
    for (size_t i = 0; i < api->record.n_targets; i++) {
        struct targets_view view;
        any |= api->targets[i].addrlen != 0;
        if (table &&
            targets_get(table, api->targets[i].id, targets_now(table), &view) == TARGETS_OK &&
            view.open_left_ms && (!left_ms || view.open_left_ms < left_ms)) {
            left_ms = view.open_left_ms;
        }
    }
    if (!any) {
        return sluice_refuse(ctx, PROBLEM_UPSTREAM_UNAVAILABLE, SLICE(""), SLICE(""));
    }
    ctx->retry_s = (left_ms + 999) / 1000;
    ctx->retry_s = ngx_max(ctx->retry_s, 1);
    return sluice_refuse(ctx, PROBLEM_CIRCUIT_OPEN, SLICE(""), SLICE(""));
}

static void tell(const sluice_api_t *api, int at, const char *kind, uint64_t count)
{
    struct sluice_event event = {.kind = kind,
                                 .api = &api->record.policy.id,
                                 .target = api->record.targets[at].host,
                                 .count = count};
    sluice_event(&event);
}

/* Once when a standby takes over (SW-10.1-3d), not for each call it serves. */
static void note_standby(sluice_api_t *api, int at)
{
    bool now = api->record.targets[at].role == REPLICA_STANDBY;
    if (now && !api->on_standby &&
        (!api->standby_told || ngx_current_msec - api->standby_told > TELL_MS)) {
        tell(api, at, "standby-used", 0);
        api->standby_told = ngx_current_msec;
    }
    api->on_standby = now;
}

bool sluice_target_admit(sluice_api_t *api, int at, uint32_t *ticket)
{
    char label[UUID_TEXT_LEN + 1];
    *ticket = 0;
    if (table) {
        uuid_format(&api->record.policy.id, label);
        if (targets_admit(table, api->targets[at].id, label, &api->breaker, targets_now(table),
                          ticket) == TARGETS_NO) {
            return false;
        }
    }
    note_standby(api, at);
    return true;
}

void sluice_target_report(sluice_api_t *api, int at, uint32_t ticket, enum targets_outcome outcome,
                          uint64_t elapsed_us)
{
    struct uuid row = api->record.policy.id; /* of the metrics: the API's and this target's */
    for (size_t i = 0; i < sizeof api->targets[at].id; i++) {
        row.b[UUID_LEN - 1 - i] ^= (uint8_t)(api->targets[at].id >> 8 * i);
    }
    sluice_metrics_target(&row, api->record.targets[at].host, elapsed_us,
                          outcome == TARGETS_FAILED);
    enum targets_event event = table ? targets_report(table, api->targets[at].id, &api->breaker,
                                                      ticket, outcome, targets_now(table))
                                     : TARGETS_NO_EVENT;
    if (event == TARGETS_OPENED) {
        tell(api, at, "breaker-open", 0);
    } else if (event == TARGETS_RECLOSED) {
        tell(api, at, "breaker-closed", 0);
    }
}
