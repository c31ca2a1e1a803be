/* SPDX-License-Identifier: Apache-2.0 */
/* Stage 4: the request body is the one that was signed (EC-6.1.4.3a). The signature covers
 * Content-Digest; here the body is read, into memory only, and held against it. Runs after
 * `decide`: nobody's body is read before we know that the call may be made. */
#include "sluice.h"

#include "httpsig/httpsig.h"

#define LEAST_MS 10000 /* that a body may take, whatever its size */
#define SLOWEST  32    /* bytes a millisecond, beyond that */

static void on_body(ngx_http_request_t *r)
{
    sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    ctx->body_read = true;
    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

/* As nginx does when a client is silent for too long: the read handler finds the time over. */
static void on_late(ngx_event_t *event)
{
    ngx_http_request_t *r = event->data;
    ngx_connection_t *c = r->connection;
    sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    if (!ctx->body_read) {
        c->read->timedout = 1;
        r->read_event_handler(r);
        ngx_http_run_posted_requests(c);
    }
}

static void end_timer(void *data)
{
    ngx_event_t *event = data;
    if (event->timer_set) {
        ngx_del_timer(event);
    }
}

/* client_body_timeout is the silence between two reads, which a client that dribbles never lets
 * grow: the whole body has a time of its own, enough for SLOWEST. */
static ngx_int_t limit_time(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    off_t length = r->headers_in.content_length_n;
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(ngx_event_t));
    if (!cleanup) {
        return NGX_ERROR;
    }
    ngx_event_t *event = cleanup->data;
    *event =
        (ngx_event_t){.handler = on_late, .data = r, .log = r->connection->log, .cancelable = 1};
    cleanup->handler = end_timer;
    length = length > 0 ? length : (off_t)ctx->api->record.max_body_bytes;
    ngx_add_timer(event, LEAST_MS + (ngx_msec_t)(length / SLOWEST));
    return NGX_OK;
}

ngx_int_t sluice_body_read(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }
    if (rc == NGX_AGAIN && limit_time(r, ctx) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_DONE);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    /* The read took a reference of its own; the phases go on from on_body(). */
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

/* Makes ctx->body what was read, in one piece; it nearly always is one already. */
static ngx_int_t gather(ngx_http_request_t *r, sluice_ctx_t *ctx, size_t n)
{
    ngx_chain_t *link = r->request_body ? r->request_body->bufs : NULL;
    if (!link || !link->next) {
        ctx->body.data = link ? link->buf->pos : NULL;
        ctx->body.len = n;
        return NGX_OK;
    }
    u_char *p = ngx_pnalloc(r->pool, n);
    if (!p) {
        return NGX_ERROR;
    }
    ctx->body = (ngx_str_t){n, p};
    for (; link; link = link->next) {
        p = ngx_cpymem(p, link->buf->pos, (size_t)(link->buf->last - link->buf->pos));
    }
    return NGX_OK;
}

ngx_int_t sluice_body_replace(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_str_t body,
                              struct slice content_type)
{
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);
    ngx_chain_t *link = ngx_alloc_chain_link(r->pool);
    if (!r->request_body) { /* the call came without one, and none will be read */
        r->request_body = ngx_pcalloc(r->pool, sizeof *r->request_body);
    }
    if (!buf || !link || !r->request_body) {
        return NGX_ERROR;
    }
    buf->pos = buf->start = body.data;
    buf->last = buf->end = body.data + body.len;
    buf->memory = 1;
    buf->last_buf = 1;
    link->buf = buf;
    link->next = NULL;
    r->request_body->bufs = link;
    r->headers_in.content_length_n = (off_t)body.len;
    r->headers_in.chunked = 0;
    if (r->headers_in.content_type && content_type.n) {
        r->headers_in.content_type->value = (ngx_str_t){content_type.n, (u_char *)content_type.p};
    }
    ctx->body = body;
    return NGX_OK;
}

/* Hashes what was read; -1 when it went to a file, which our configuration never lets happen to a
 * body within the limit. */
static off_t digest_body(ngx_http_request_t *r, enum crypto_hash alg, uint8_t out[CRYPTO_HASH_LEN])
{
    struct crypto_hasher hasher;
    off_t total = 0;
    ngx_chain_t *link = r->request_body ? r->request_body->bufs : NULL;
    if (r->request_body && r->request_body->temp_file) {
        return -1;
    }
    crypto_hasher_init(&hasher, alg);
    for (; link; link = link->next) {
        size_t n = (size_t)(link->buf->last - link->buf->pos);
        crypto_hasher_add(&hasher, link->buf->pos, n);
        total += (off_t)n;
    }
    crypto_hasher_end(&hasher, out);
    crypto_hasher_fini(&hasher);
    return total;
}

static ngx_int_t check_digest(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    enum httpsig_digest alg;
    uint8_t claimed[CRYPTO_HASH_LEN], actual[CRYPTO_HASH_LEN];
    if (httpsig_digest_parse(ctx->content_digest, &alg, claimed) != HTTPSIG_OK ||
        alg == HTTPSIG_DIGEST_NONE) {
        return sluice_refuse(ctx, PROBLEM_DIGEST_MISSING, SLICE("sm3 or sha-256 is needed"),
                             SLICE("content-digest"));
    }
    off_t n = digest_body(r, alg == HTTPSIG_DIGEST_SM3 ? CRYPTO_SM3 : CRYPTO_SHA256, actual);
    if (n < 0 || n > (off_t)ctx->api->record.max_body_bytes) {
        return sluice_refuse(ctx, PROBLEM_BODY_TOO_LARGE, SLICE(""), SLICE("body"));
    }
    if (!crypto_equal(claimed, actual, sizeof actual)) {
        return sluice_refuse(ctx, PROBLEM_DIGEST_MISMATCH, SLICE(""), SLICE("content-digest"));
    }
    ctx->body_checked = true;
    return gather(r, ctx, (size_t)n);
}

ngx_int_t sluice_body_gather(ngx_http_request_t *r, sluice_ctx_t *ctx, size_t max)
{
    size_t total = 0;
    for (ngx_chain_t *link = r->request_body ? r->request_body->bufs : NULL; link;
         link = link->next) {
        total += (size_t)(link->buf->last - link->buf->pos);
    }
    if (total > max || (r->request_body && r->request_body->temp_file)) {
        return sluice_refuse(ctx, PROBLEM_BODY_TOO_LARGE, SLICE(""), SLICE("body"));
    }
    return gather(r, ctx, total);
}

ngx_int_t sluice_body(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    off_t length = r->headers_in.content_length_n;
    if (length <= 0 && !r->headers_in.chunked) {
        return NGX_OK;
    }
    if (ctx->account && !ctx->content_digest.p) { /* such a contract knows no digest */
        ctx->body_checked = true;
        return NGX_OK;
    }
    if (length > (off_t)ctx->api->record.max_body_bytes) {
        return sluice_refuse(ctx, PROBLEM_BODY_TOO_LARGE, SLICE(""), SLICE("body"));
    }
    return ctx->body_read ? check_digest(r, ctx) : sluice_body_read(r, ctx);
}
