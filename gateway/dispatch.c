/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 5: where the call goes and what it says there. To the data service: the request as it came,
 * with `Sluice-Call`. To a business unit's own API: the API's path replaced by the upstream's, with
 * who calls and for whom in plain headers (the link there is inside its zone, BK-8). */
#include "sluice.h"

#include "base/clock.h"

/* "/trade/orders/v1/42?x=1" → "/base/42?x=1", from the normalised path: what was a dot segment or
 * an escape for the client can be none for the upstream. */
static ngx_int_t rewrite_target(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    const sluice_api_t *api = ctx->api;
    struct slice base = api->record.targets[ctx->chosen].path;
    u_char *rest = ctx->op ? ctx->rest.data : r->uri.data + api->record.prefix_bytes;
    size_t rest_n = ctx->op ? ctx->rest.len : r->uri.len - api->record.prefix_bytes;
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
    if (r->args.len && !ctx->op) { /* a converted call has its members in the body */
        *p++ = '?';
        p = ngx_cpymem(p, r->args.data, r->args.len);
    }
    r->unparsed_uri.len = (size_t)(p - r->unparsed_uri.data);
    r->valid_unparsed_uri = 1;
    return NGX_OK;
}

/* One more header of the request that goes on; no client can have sent it (route.c refuses). */
static ngx_int_t say(ngx_http_request_t *r, const char *name, const char *lower, struct slice value)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_in.headers);
    if (!header) {
        return NGX_ERROR;
    }
    ngx_memzero(header, sizeof *header);
    header->hash = 1;
    header->key = (ngx_str_t){strlen(name), (u_char *)name};
    header->lowcase_key = (u_char *)lower;
    header->value = (ngx_str_t){value.n, (u_char *)value.p};
    return NGX_OK;
}

static ngx_int_t say_call(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    static struct link_call call; /* a kilobyte, and one call at a time */
    const sluice_verdict_t *verdict = ctx->verdict;
    char *text = ngx_pnalloc(r->pool, LINK_TEXT_MAX);
    if (!text) {
        return NGX_ERROR;
    }
    call.txn = ctx->txn;
    call.api = ctx->api->record.policy.id;
    call.app = ctx->caller->credential.app;
    call.grant = verdict->grant;
    call.api_rev = ctx->api->record.policy.rev;
    call.issued_ms = clock_wall_ms();
    call.owner = verdict->of;
    call.rows = verdict->rows;
    call.sandbox = sluice_sandbox(ctx);
    call.n_fields = verdict->verdict.n_fields;
    memcpy(call.outcome, verdict->verdict.outcome, call.n_fields);
    size_t n = link_encode(&call, link_mac_sign(&sluice_worker.link), sluice_slice(r->method_name),
                           ctx->target, text);
    return n ? say(r, "Sluice-Call", "sluice-call", slice_of(text, n)) : NGX_ERROR;
}

static ngx_int_t say_ticket(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    char *text = ngx_pnalloc(r->pool, LINK_INNER_TEXT_MAX);
    size_t n = text ? sluice_ticket(r, ctx, text) : 0;
    return n ? say(r, LINK_TICKET_HEADER, "sluice-ticket", slice_of(text, n)) : NGX_ERROR;
}

static ngx_int_t say_parties(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    char *app = ngx_pnalloc(r->pool, UUID_TEXT_LEN + 1);
    if (!app) {
        return NGX_ERROR;
    }
    uuid_format(&ctx->caller->credential.app, app);
    struct slice txn = slice_of(ctx->txn_text, UUID_TEXT_LEN);
    if (say(r, "Sluice-Transaction", "sluice-transaction", txn) != NGX_OK ||
        say(r, "Sluice-App", "sluice-app", slice_of(app, UUID_TEXT_LEN)) != NGX_OK) {
        return NGX_ERROR;
    }
    if (sluice_sandbox(ctx) &&
        say(r, "Sluice-Sandbox", "sluice-sandbox", SLICE("true")) != NGX_OK) {
        return NGX_ERROR;
    }
    return ctx->verdict->of.n ? say(r, "Sluice-Owner", "sluice-owner", ctx->verdict->of) : NGX_OK;
}

static ngx_int_t to_business_unit(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    return rewrite_target(r, ctx) == NGX_OK ? say_parties(r, ctx) : NGX_ERROR;
}

static ngx_int_t to_data_service(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    r->valid_unparsed_uri = 1; /* our MAC is over the target as it came */
    bool composed = ctx->api->record.policy.kind == POLICY_COMPOSED;
    return composed && say_ticket(r, ctx) != NGX_OK ? NGX_ERROR : say_call(r, ctx);
}

/* The balancer has the last word (balancer.c), but Host and path are said here. */
static bool choose(sluice_ctx_t *ctx)
{
    ctx->chosen = sluice_target_choose(ctx, 0);
    return ctx->chosen != CHOOSE_NONE;
}

ngx_int_t sluice_redirect(ngx_http_request_t *r, sluice_ctx_t *ctx, int at)
{
    const struct replica_target *to = &ctx->api->record.targets[at];
    const struct replica_target *from = &ctx->api->record.targets[ctx->chosen];
    bool same = slice_eq(from->host, to->host) && slice_eq(from->path, to->path);
    ctx->chosen = at;
    if (same) {
        return NGX_OK;
    }
    r->upstream->request_bufs = r->request_body ? r->request_body->bufs : NULL;
    return rewrite_target(r, ctx) == NGX_OK ? r->upstream->create_request(r) : NGX_ERROR;
}

ngx_int_t sluice_dispatch(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    bool http = sluice_to_unit(ctx);
    if (!http && ctx->api->record.policy.kind == POLICY_HTTP && ctx->op) {
        return sluice_refuse(ctx, PROBLEM_SANDBOX_UNAVAILABLE,
                             SLICE("this API converts messages and has no target for tests"),
                             SLICE(""));
    }
    if (http && !choose(ctx)) {
        return sluice_targets_refuse(ctx);
    }
    if ((http ? to_business_unit(r, ctx) : to_data_service(r, ctx)) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ctx->mode = SLUICE_PLAN;
    ctx->dispatched = ngx_current_msec;
    return NGX_OK;
}

/* $sluice_host: the Host header of the request that goes on; another at another target. */
static ngx_int_t get_host(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    (void)data;
    bool http = ctx && ctx->api && sluice_to_unit(ctx);
    struct slice host = http ? ctx->api->record.targets[ctx->chosen].host : SLICE("data");
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->data = (u_char *)host.p;
    v->len = (unsigned)host.n;
    return NGX_OK;
}

/* $sluice_upstream_name: whose certificate a target over TLS must show; another at another. */
static ngx_int_t get_upstream_name(ngx_http_request_t *r, ngx_http_variable_value_t *v,
                                   uintptr_t data)
{
    sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    (void)data;
    bool http = ctx && ctx->api && sluice_to_unit(ctx);
    struct slice name = http ? ctx->api->record.targets[ctx->chosen].name : SLICE("");
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->data = (u_char *)name.p;
    v->len = (unsigned)name.n;
    return NGX_OK;
}

ngx_int_t sluice_add_variables(ngx_conf_t *cf)
{
    static struct {
        ngx_str_t name;
        ngx_http_get_variable_pt get;
    } rows[] = {{ngx_string("sluice_host"), get_host},
                {ngx_string("sluice_upstream_name"), get_upstream_name}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ngx_http_variable_t *v = ngx_http_add_variable(cf, &rows[i].name, NGX_HTTP_VAR_NOCACHEABLE);
        if (!v) {
            return NGX_ERROR;
        }
        v->get_handler = rows[i].get;
    }
    return NGX_OK;
}
