/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 5: where the call goes and what it says there. To the data service: the request as it came,
 * with `Sluice-Call`. To a business unit's own API: the API's path replaced by the upstream's, with
 * who calls and for whom in plain headers (the link there is inside its zone, BK-8). */
#include "sluice.h"

#include "base/clock.h"

/* "/trade/orders/v1/42?x=1" → "/base/42?x=1", from the normalised path: what was a dot segment or
 * an escape for the client can be none for the upstream. */
static ngx_int_t rewrite_target(ngx_http_request_t *r, const sluice_api_t *api)
{
    struct slice base = api->record.upstream_path;
    u_char *rest = r->uri.data + api->record.prefix_bytes;
    size_t rest_n = r->uri.len - api->record.prefix_bytes;
    size_t escapes = ngx_escape_uri(NULL, rest, rest_n, NGX_ESCAPE_URI);
    size_t n = base.n + rest_n + 2 * escapes + 1 + r->args.len + 1;
    u_char *p = ngx_pnalloc(r->pool, n);
    if (!p) {
        return NGX_ERROR;
    }
    r->unparsed_uri.data = p;
    p = ngx_cpymem(p, base.p, base.n);
    p = (u_char *)ngx_escape_uri(p, rest, rest_n, NGX_ESCAPE_URI);
    if (p == r->unparsed_uri.data) {
        *p++ = '/';
    }
    if (r->args.len) {
        *p++ = '?';
        p = ngx_cpymem(p, r->args.data, r->args.len);
    }
    r->unparsed_uri.len = (size_t)(p - r->unparsed_uri.data);
    r->valid_unparsed_uri = 1;
    return NGX_OK;
}

ngx_int_t sluice_dispatch(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const sluice_api_t *api = ctx->api;
    if (api->record.policy.kind == POLICY_HTTP) {
        if (api->addrlen == 0) {
            return sluice_refuse(ctx, PROBLEM_UPSTREAM_UNAVAILABLE, SLICE(""), SLICE(""));
        }
        if (rewrite_target(r, api) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    } else {
        r->valid_unparsed_uri = 1; /* the data service checks our MAC over the target as it came */
    }
    ctx->mode = SLUICE_PLAN;
    return NGX_OK;
}

/* Variables ------------------------------------------------------------------------------------ */

static ngx_int_t set_value(ngx_http_variable_value_t *v, const void *p, size_t n)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = (u_char *)p;
    v->len = (unsigned)n;
    return NGX_OK;
}

static sluice_ctx_t *dispatched(ngx_http_request_t *r)
{
    sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    return ctx && ctx->verdict ? ctx : NULL;
}

static ngx_int_t get_call(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    sluice_ctx_t *ctx = dispatched(r);
    (void)data;
    if (!ctx || ctx->api->record.policy.kind != POLICY_DATASET) {
        return set_value(v, "", 0);
    }
    static struct link_call call;
    const sluice_verdict_t *verdict = ctx->verdict;
    call.txn = ctx->txn;
    call.api = ctx->api->record.policy.id;
    call.app = ctx->caller->credential.app;
    call.grant = verdict->grant;
    call.api_rev = ctx->api->record.policy.rev;
    call.issued_ms = clock_wall_ms();
    call.owner = verdict->grant_known ? verdict->grant_record.owner : SLICE("");
    call.n_fields = verdict->verdict.n_fields;
    memcpy(call.outcome, verdict->verdict.outcome, call.n_fields);
    char *text = ngx_pnalloc(r->pool, LINK_TEXT_MAX);
    if (!text) {
        return NGX_ERROR;
    }
    size_t n =
        link_encode(&call, sluice_worker.link, sluice_slice(r->method_name), ctx->target, text);
    return set_value(v, text, n);
}

static ngx_int_t get_transaction(ngx_http_request_t *r, ngx_http_variable_value_t *v,
                                 uintptr_t data)
{
    sluice_ctx_t *ctx = dispatched(r);
    (void)data;
    return ctx ? set_value(v, ctx->txn_text, UUID_TEXT_LEN) : set_value(v, "", 0);
}

static ngx_int_t get_owner(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    sluice_ctx_t *ctx = dispatched(r);
    (void)data;
    bool say = ctx && ctx->api->record.policy.kind == POLICY_HTTP && ctx->verdict->grant_known;
    struct slice owner = say ? ctx->verdict->grant_record.owner : SLICE("");
    return set_value(v, owner.p, owner.n);
}

static ngx_int_t get_app(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    sluice_ctx_t *ctx = dispatched(r);
    (void)data;
    if (!ctx || ctx->api->record.policy.kind != POLICY_HTTP) {
        return set_value(v, "", 0);
    }
    char *text = ngx_pnalloc(r->pool, UUID_TEXT_LEN + 1);
    if (!text) {
        return NGX_ERROR;
    }
    uuid_format(&ctx->caller->credential.app, text);
    return set_value(v, text, UUID_TEXT_LEN);
}

static ngx_int_t get_host(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    sluice_ctx_t *ctx = dispatched(r);
    (void)data;
    bool http = ctx && ctx->api->record.policy.kind == POLICY_HTTP;
    struct slice host = http ? ctx->api->record.upstream : SLICE("data");
    return set_value(v, host.p, host.n);
}

ngx_int_t sluice_add_variables(ngx_conf_t *cf)
{
    static ngx_http_variable_t rows[] = {
        {ngx_string("sluice_call"), NULL, get_call, 0, 0, 0},
        {ngx_string("sluice_transaction"), NULL, get_transaction, 0, 0, 0},
        {ngx_string("sluice_owner"), NULL, get_owner, 0, 0, 0},
        {ngx_string("sluice_app"), NULL, get_app, 0, 0, 0},
        {ngx_string("sluice_host"), NULL, get_host, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ngx_http_variable_t *v = ngx_http_add_variable(cf, &rows[i].name, rows[i].flags);
        if (!v) {
            return NGX_ERROR;
        }
        v->get_handler = rows[i].get_handler;
    }
    return NGX_OK;
}
