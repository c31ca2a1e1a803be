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

/* The headers a call brings for us, in one pass. One that comes twice is no header we can trust. */
static void read_headers(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct {
        struct slice name, *value;
    } wanted[] = {{SLICE("signature-input"), &ctx->signature_input},
                  {SLICE("signature"), &ctx->signature},
                  {SLICE("sluice-grant"), &ctx->grant_header},
                  {SLICE("content-digest"), &ctx->content_digest}};
    ngx_list_part_t *part = &r->headers_in.headers.part;
    for (; part; part = part->next) {
        ngx_table_elt_t *header = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
                if (header[i].key.len != wanted[k].name.n ||
                    ngx_memcmp(header[i].lowcase_key, wanted[k].name.p, wanted[k].name.n) != 0) {
                    continue;
                }
                ctx->duplicate_header |= wanted[k].value->p != NULL;
                *wanted[k].value = sluice_slice(header[i].value);
            }
        }
    }
}

ngx_int_t sluice_route(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    sluice_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);
    sluice_worker_t *w = &sluice_worker;
    ctx->method = method_bit(r->method);
    ctx->target = sluice_slice(r->unparsed_uri);
    if (!w->ready) {
        return sluice_refuse(ctx, PROBLEM_AUDIT_UNAVAILABLE, SLICE(""), SLICE(""));
    }
    uint64_t now_ms = ctx->began_us / 1000;
    if (!ctx->snapshot || w->synced_ms + (uint64_t)conf->staleness_s * 1000 < now_ms) {
        return sluice_refuse(ctx, PROBLEM_POLICY_STALE, SLICE(""), SLICE(""));
    }
    ctx->api = sluice_api_find(sluice_slice(r->uri));
    if (!ctx->api) {
        return sluice_refuse(ctx, PROBLEM_ROUTE_UNKNOWN, SLICE(""), SLICE("path"));
    }
    read_headers(r, ctx);
    return NGX_OK;
}
