/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals: RFC 9457 problems from the catalogue, in the caller's language, with the transaction
 * number and nothing of what is inside (BK-7.1g). */
#include "sluice.h"

#include "base/clock.h"

static void ctx_cleanup(void *data)
{
    sluice_ctx_t *ctx = data;
    sluice_sign_drop(ctx);
    sluice_recipient_drop(ctx->seal_to);
    if (ctx->stream) {
        sluice_stream_give(ctx->stream);
    }
    sluice_redis_end(ctx);
    sluice_limits_release(ctx);
    sluice_definition_drop(ctx->conversion);
    sluice_verdict_drop(ctx->verdict);
    sluice_caller_drop(ctx->caller);
    sluice_api_drop(ctx->api);
}

sluice_ctx_t *sluice_ctx(ngx_http_request_t *r)
{
    sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    if (ctx) {
        return ctx;
    }
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof *ctx);
    if (!cleanup) {
        return NULL;
    }
    ctx = cleanup->data;
    ngx_memzero(ctx, sizeof *ctx);
    cleanup->handler = ctx_cleanup;
    ctx->http_version = r->http_version;
    ctx->began_us = clock_wall_us();
    ctx->began_mono_us = clock_mono_us();
    uuid_new(&ctx->txn);
    uuid_format(&ctx->txn, ctx->txn_text);
    ctx->last_out = &ctx->outs;
    ngx_http_set_ctx(r, ctx, ngx_http_sluice_module);
    return ctx;
}

ngx_int_t sluice_refuse(sluice_ctx_t *ctx, enum problem problem, struct slice detail,
                        struct slice where)
{
    ctx->problem = problem;
    ctx->detail = detail;
    ctx->where = where;
    return NGX_DECLINED;
}

bool sluice_prefers_zh(ngx_http_request_t *r)
{
    ngx_list_part_t *part = &r->headers_in.headers.part;
    for (; part; part = part->next) {
        ngx_table_elt_t *header = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (header[i].key.len == sizeof "accept-language" - 1 && header[i].lowcase_key &&
                ngx_strncmp(header[i].lowcase_key, "accept-language", header[i].key.len) == 0) {
                return problem_prefers_zh(sluice_slice(header[i].value));
            }
        }
    }
    return false;
}

/* One more header of the answer; name and value live as long as r. */
ngx_int_t sluice_add_header(ngx_http_request_t *r, const char *name, struct slice value)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);
    if (!header) {
        return NGX_ERROR;
    }
    ngx_memzero(header, sizeof *header);
    header->hash = 1;
    header->key = (ngx_str_t){strlen(name), (u_char *)name};
    header->value = (ngx_str_t){value.n, (u_char *)value.p};
    return NGX_OK;
}

ngx_int_t sluice_transaction_header(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    return sluice_sandbox_header(r, ctx) == NGX_OK
               ? sluice_add_header(r, "Sluice-Transaction", slice_of(ctx->txn_text, UUID_TEXT_LEN))
               : NGX_ERROR;
}

/* An answer of our own that is no problem: its body is there already. */
static ngx_int_t own_headers(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t)ctx->problem_body.len;
    r->headers_out.content_type = ctx->own_type;
    r->headers_out.content_type_len = ctx->own_type.len;
    return NGX_OK;
}

ngx_int_t sluice_problem_headers(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (ctx->own_type.len && ctx->problem == PROBLEM_OK) {
        return own_headers(r, ctx);
    }
    char *body = ngx_pnalloc(r->pool, PROBLEM_RENDER_MAX);
    if (!body) {
        return NGX_ERROR;
    }
    bool zh = sluice_prefers_zh(r);
    ctx->problem_body.data = (u_char *)body;
    ctx->problem_body.len = problem_render(ctx->problem, zh, ctx->detail, ctx->where,
                                           slice_of(ctx->txn_text, UUID_TEXT_LEN), body);
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);
    ngx_http_clear_location(r);
    r->headers_out.status = problem_row(ctx->problem)->status;
    r->headers_out.status_line.len = 0;
    r->headers_out.content_length_n = (off_t)ctx->problem_body.len;
    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);
    return sluice_convert_problem(r, ctx);
}

/* BK-9.2.1b4-1: who may not call any more, or never could from there, loses the connection too. */
static bool cuts_off(enum problem problem)
{
    static const enum problem rows[] = {PROBLEM_CREDENTIAL_INACTIVE, PROBLEM_APP_INACTIVE,
                                        PROBLEM_CALLER_BLOCKED, PROBLEM_ADDRESS_BLOCKED,
                                        PROBLEM_CERTIFICATE_INVALID};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i] == problem) {
            return true;
        }
    }
    return false;
}

/* After this answer. HTTP/2 has no header for it: nginx sends GOAWAY, lets the streams under way
 * end and closes when its read handler finds `close` set, as at a worker's shutdown. */
static void cut_off(ngx_http_request_t *r)
{
    r->keepalive = 0;
    if (r->stream) {
        ngx_connection_t *c = r->stream->connection->connection;
        c->close = 1;
        ngx_post_event(c->read, &ngx_posted_events);
    }
}

ngx_int_t sluice_problem_handler(ngx_http_request_t *r)
{
    sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    if (cuts_off(ctx->problem)) {
        cut_off(r);
    }
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    if (sluice_problem_headers(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    ngx_buf_t *buf = ngx_create_temp_buf(r->pool, ctx->problem_body.len);
    if (!buf) {
        return NGX_ERROR;
    }
    buf->last = ngx_cpymem(buf->last, ctx->problem_body.data, ctx->problem_body.len);
    buf->last_buf = 1;
    buf->last_in_chain = 1;
    ngx_chain_t out = {buf, NULL};
    ctx->bytes_out = ctx->problem_body.len;
    return ngx_http_output_filter(r, &out);
}

/* nginx answers 400 to a header line that fills its largest buffer. It is then at that buffer's
 * end, inside a line; a line that is wrong leaves it where the line begins, a read header between
 * two. */
static bool header_too_large(const ngx_http_request_t *r)
{
    return !r->stream && r->state != 0 && r->header_in && r->header_in->pos == r->header_in->end;
}

/* What an answer we did not make means: nginx's own, or an upstream's. */
enum problem sluice_problem_of_status(ngx_http_request_t *r, ngx_uint_t status)
{
    bool answered = r->upstream && r->upstream->headers_in.status_n != 0;
    if (answered) {
        return status == NGX_HTTP_NOT_FOUND ? PROBLEM_NOT_FOUND
               : status < 400               ? PROBLEM_UPSTREAM_INVALID
               : status < 500               ? PROBLEM_UPSTREAM_REFUSED
                                            : PROBLEM_UPSTREAM_UNAVAILABLE;
    }
    switch (status) {
    case NGX_HTTP_REQUEST_URI_TOO_LARGE:
    case NGX_HTTP_REQUEST_HEADER_TOO_LARGE:
    case 431:
        return PROBLEM_REQUEST_TOO_LARGE;
    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return PROBLEM_BODY_TOO_LARGE;
    case NGX_HTTP_CLIENT_CLOSED_REQUEST:
        return PROBLEM_CLIENT_GONE;
    case NGX_HTTP_NOT_IMPLEMENTED: /* a method or a coding nginx does not know */
    case NGX_HTTP_VERSION_NOT_SUPPORTED:
        return PROBLEM_REQUEST_MALFORMED;
    case NGX_HTTP_GATEWAY_TIME_OUT:
        return PROBLEM_UPSTREAM_TIMEOUT;
    case NGX_HTTP_BAD_REQUEST:
        return sluice_certificate_refused(r) ? PROBLEM_CERTIFICATE_INVALID
               : header_too_large(r)         ? PROBLEM_REQUEST_TOO_LARGE
                                             : PROBLEM_REQUEST_MALFORMED;
    case NGX_HTTP_BAD_GATEWAY:
        return PROBLEM_UPSTREAM_UNAVAILABLE;
    default:
        return status < 500 ? PROBLEM_REQUEST_MALFORMED : PROBLEM_INTERNAL;
    }
}
