/* SPDX-License-Identifier: Apache-2.0 */
/* The end of an API's life, told to who calls it: a deprecated one says since when, until when and
 * what follows it; an offline one answers with what its provider has to say (BK-11e2), and nobody
 * behind it is asked. */
#include "sluice.h"

/* RFC 8288: rel "successor-version" of RFC 5829. */
static ngx_int_t say_successor(ngx_http_request_t *r, struct slice path)
{
    u_char *p = ngx_pnalloc(r->pool, path.n + sizeof "<>; rel=\"successor-version\"");
    if (!p) {
        return NGX_ERROR;
    }
    u_char *end = ngx_sprintf(p, "<%*s>; rel=\"successor-version\"", path.n, path.p);
    return sluice_add_header(r, "Link", slice_of((char *)p, (size_t)(end - p)));
}

/* RFC 9745: a Date of RFC 9651, "@" and seconds. */
static ngx_int_t say_deprecated(ngx_http_request_t *r, uint64_t at_ms)
{
    u_char *p = ngx_pnalloc(r->pool, 1 + NGX_INT64_LEN);
    if (!p) {
        return NGX_ERROR;
    }
    u_char *end = ngx_sprintf(p, "@%uL", at_ms / 1000);
    return sluice_add_header(r, "Deprecation", slice_of((char *)p, (size_t)(end - p)));
}

/* RFC 8594: an HTTP date. */
static ngx_int_t say_sunset(ngx_http_request_t *r, uint64_t at_ms)
{
    u_char *p = ngx_pnalloc(r->pool, sizeof "Mon, 28 Sep 1970 06:00:00 GMT");
    if (!p) {
        return NGX_ERROR;
    }
    u_char *end = ngx_http_time(p, (time_t)(at_ms / 1000));
    return sluice_add_header(r, "Sunset", slice_of((char *)p, (size_t)(end - p)));
}

ngx_int_t sluice_life_headers(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    if (!ctx->api || ctx->api->record.policy.state == POLICY_API_PUBLISHED || !ctx->authenticated) {
        return NGX_OK;
    }
    const struct replica_api *api = &ctx->api->record;
    bool good =
        (!api->policy.deprecated_ms || say_deprecated(r, api->policy.deprecated_ms) == NGX_OK) &&
        (!api->policy.sunset_ms || say_sunset(r, api->policy.sunset_ms) == NGX_OK) &&
        (!api->successor.n || say_successor(r, api->successor) == NGX_OK);
    return good ? NGX_OK : NGX_ERROR;
}

ngx_int_t sluice_life_offline(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const struct replica_api *api = &ctx->api->record;
    bool zh = sluice_prefers_zh(r);
    struct slice first = zh ? api->notice_zh : api->notice_en;
    struct slice other = zh ? api->notice_en : api->notice_zh;
    return sluice_refuse(ctx, PROBLEM_API_OFFLINE, first.n ? first : other, SLICE(""));
}
