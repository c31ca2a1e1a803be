/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 1: is the node fit to decide, which API is asked, and does it exist. An offline API and a
 * method it lacks are decide()'s to refuse, after the caller is known. */
#include "sluice.h"

#include "base/clock.h"

static uint8_t method_bit(ngx_uint_t method)
{
    static const struct {
        ngx_uint_t ngx;
        uint8_t bit;
    } rows[] = {{NGX_HTTP_GET, POLICY_GET},     {NGX_HTTP_HEAD, POLICY_HEAD},
                {NGX_HTTP_POST, POLICY_POST},   {NGX_HTTP_PUT, POLICY_PUT},
                {NGX_HTTP_PATCH, POLICY_PATCH}, {NGX_HTTP_DELETE, POLICY_DELETE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].ngx == method) {
            return rows[i].bit;
        }
    }
    return 0;
}

static bool named(const ngx_table_elt_t *header, struct slice name)
{
    return header->key.len == name.n && ngx_memcmp(header->lowcase_key, name.p, name.n) == 0;
}

/* Our names: what we say to upstreams must not be what a client says. */
static bool reserved(const ngx_table_elt_t *header)
{
    static const char prefix[] = "sluice-";
    return header->key.len >= sizeof prefix - 1 &&
           ngx_memcmp(header->lowcase_key, prefix, sizeof prefix - 1) == 0;
}

static void read_header(sluice_ctx_t *ctx, const ngx_table_elt_t *header)
{
    struct {
        struct slice name, *value;
    } wanted[] = {{SLICE("signature-input"), &ctx->signature_input},
                  {SLICE("signature"), &ctx->signature},
                  {SLICE("sluice-grant"), &ctx->grant_header},
                  {SLICE("sluice-purpose"), &ctx->purpose_header},
                  {SLICE("sluice-app-version"), &ctx->version_header},
                  {SLICE("sluice-package"), &ctx->package_header},
                  {SLICE("sluice-confirmation"), &ctx->confirmation},
                  {SLICE("sluice-sdk"), &ctx->sdk_header},
                  {SLICE("content-digest"), &ctx->content_digest},
                  {SLICE("sluice-inner"), &ctx->inner_header},
                  {SLICE("dpop"), &ctx->proof}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (named(header, wanted[i].name)) {
            ctx->duplicate_header |= wanted[i].value->p != NULL;
            *wanted[i].value = sluice_slice(header->value);
            return;
        }
    }
    ctx->reserved_header |= reserved(header);
}

/* The headers a call brings for us, in one pass. One that comes twice is no header we can trust. */
static void read_headers(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part; part = part->next) {
        ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            u_char first = headers[i].lowcase_key[0];
            if (first == 's' || first == 'c' || first == 'd') {
                read_header(ctx, &headers[i]);
            }
        }
    }
}

/* BK-A-2: an internal API is reached by parts of composed ones alone. BK-A-3: one with an entry
 * point of its own at that alone, so no composed API opens it to others. */
static bool at_this_entry(const sluice_api_t *api, const sluice_loc_conf_t *here)
{
    const struct replica_api *a = &api->record;
    return a->internal ? here->inner
                       : a->entry.n == 0 || slice_eq(a->entry, sluice_slice(here->entry));
}

ngx_int_t sluice_route(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    sluice_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);
    sluice_loc_conf_t *here = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);
    sluice_worker_t *w = &sluice_worker;
    ctx->method = method_bit(r->method);
    ctx->target = sluice_slice(r->unparsed_uri);
    if (!w->ready) {
        return sluice_refuse(ctx, PROBLEM_AUDIT_UNAVAILABLE, SLICE(""), SLICE(""));
    }
    uint64_t now_ms = ctx->began_us / 1000;
    if (!sluice_refresh() || w->synced_ms + (uint64_t)conf->staleness_s * 1000 < now_ms) {
        return sluice_refuse(ctx, PROBLEM_POLICY_STALE, SLICE(""), SLICE(""));
    }
    ctx->api = sluice_api_find(sluice_slice(r->uri));
    if (ctx->api && !at_this_entry(ctx->api, here)) {
        ctx->api = NULL; /* to who calls here it does not exist */
    }
    if (!ctx->api) { /* who scans for paths is kept out here too */
        return sluice_addresses(r, ctx) == NGX_OK
                   ? sluice_refuse(ctx, PROBLEM_ROUTE_UNKNOWN, SLICE(""), SLICE("path"))
                   : NGX_DECLINED;
    }
    read_headers(r, ctx);
    if (ctx->reserved_header || (ctx->inner_header.p && !here->inner)) {
        return sluice_refuse(ctx, PROBLEM_REQUEST_MALFORMED,
                             SLICE("headers named Sluice-, but Sluice-Grant, Sluice-Purpose, "
                                   "Sluice-Confirmation and Sluice-Sdk, are the gateway's own"),
                             SLICE("headers"));
    }
    ctx->export_asked = sluice_export_asked(r, ctx);
    return here->inner ? sluice_inner(r, ctx) : NGX_OK;
}
