/* SPDX-License-Identifier: Apache-2.0 */
/* Stages `addresses` and `callers`: who is kept out, and who alone is let in (BK-10.1.2a4,
 * SW-8.3.4-security). The feed's `list` set is compiled into one sorted array by (list, subject,
 * prefix length, value): a look-up is a binary search, for addresses one for each prefix length in
 * use, whatever the number of entries. What depends on the call (which app, which API, the time) is
 * tested on the entries found.
 *
 * Where an `allow` entry of a subject covers a call, one of them must name its value; a block wins
 * over an allow. Before the caller is known only entries for every app count, but an address that
 * an allow entry of some app names is not turned away yet. */
#include "sluice.h"

#include "base/clock.h"
#include "lists/lists.h"

static struct {
    sluice_set_t set;
    struct lists *lists;
} compiled;

void sluice_lists_clear(void)
{
    lists_free(&compiled.lists);
    compiled.set.read = false;
}

static bool add(void *data, const struct uuid *id, uint64_t rev, struct slice json)
{
    struct lists *lists = data;
    (void)id;
    (void)rev;
    return lists_add(lists, json, clock_wall_ms());
}

static bool compile(void)
{
    struct replica_reader *reader = sluice_reader();
    struct lists *fresh = lists_new();
    if (!reader || !fresh || replica_set_each(reader, REPLICA_LISTS, add, fresh) != REPLICA_OK ||
        !lists_seal(fresh)) {
        lists_free(&fresh);
        return false;
    }
    lists_free(&compiled.lists);
    compiled.lists = fresh;
    return true;
}

/* False: the lists cannot be read, so nobody is let past them. */
static bool current(void)
{
    if (sluice_set_changed(&compiled.set, REPLICA_LISTS) && !compile()) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sluice: the lists cannot be compiled");
        compiled.set.read = false;
    }
    return compiled.set.read;
}

struct slice sluice_client_address(ngx_http_request_t *r)
{
    struct sockaddr *sa = r->connection->sockaddr;
    if (sa->sa_family == AF_INET) {
        return slice_of((const char *)&((struct sockaddr_in *)sa)->sin_addr, 4);
    }
    if (sa->sa_family == AF_INET6) {
        return slice_of((const char *)&((struct sockaddr_in6 *)sa)->sin6_addr, 16);
    }
    return SLICE("");
}

static ngx_int_t refuse_address(sluice_ctx_t *ctx)
{
    return sluice_refuse(ctx, PROBLEM_ADDRESS_BLOCKED, SLICE(""), SLICE("address"));
}

/* ctx->api NULL: of a path that no API answers at. */
ngx_int_t sluice_addresses(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    static const struct uuid nil;
    if (!current()) {
        return sluice_refuse(ctx, PROBLEM_LIMITS_UNAVAILABLE, SLICE("the lists"), SLICE(""));
    }
    if (ctx->inner) { /* a part of a call whose own address has been judged */
        return NGX_OK;
    }
    if (!lists_empty(compiled.lists)) {
        struct lists_call call = {.api = ctx->api ? &ctx->api->record.policy.id : &nil,
                                  .now_ms = ctx->began_us / 1000};
        if (lists_judge_address(compiled.lists, &call, sluice_client_address(r)) != LISTS_PASS) {
            return refuse_address(ctx);
        }
    }
    return sluice_suspended_address(r, ctx);
}

/* The app, its organisation and the user, in this order. */
static enum lists_verdict judge_names(const struct lists_call *call, sluice_ctx_t *ctx)
{
    const sluice_caller_t *caller = ctx->caller;
    const struct {
        enum lists_subject subject;
        struct slice value;
    } names[] = {
        {LISTS_APP, {(const char *)caller->credential.app.b, UUID_LEN}},
        {LISTS_ORGANISATION, {(const char *)caller->org.b, UUID_LEN}},
        {LISTS_USER, ctx->verdict->of},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum lists_verdict verdict =
            lists_judge(compiled.lists, call, names[i].subject, names[i].value);
        if (verdict != LISTS_PASS) {
            return verdict;
        }
    }
    return LISTS_PASS;
}

ngx_int_t sluice_callers(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (!current()) {
        return sluice_refuse(ctx, PROBLEM_LIMITS_UNAVAILABLE, SLICE("the lists"), SLICE(""));
    }
    if (!lists_empty(compiled.lists)) {
        struct lists_call call = {.app = &ctx->caller->credential.app,
                                  .api = &ctx->api->record.policy.id,
                                  .now_ms = ctx->began_us / 1000};
        enum lists_verdict verdict =
            ctx->inner ? LISTS_PASS
                       : lists_judge_address(compiled.lists, &call, sluice_client_address(r));
        if (verdict == LISTS_NOT_ALLOWED) { /* an app from where it never calls (BK-10.1.2a2-2) */
            sluice_impersonation(r, ctx, "address");
        }
        if (verdict != LISTS_PASS) {
            return refuse_address(ctx);
        }
        if (judge_names(&call, ctx) != LISTS_PASS) {
            return sluice_refuse(ctx, PROBLEM_CALLER_BLOCKED, SLICE(""), SLICE(""));
        }
    }
    return sluice_suspended_caller(r, ctx);
}
