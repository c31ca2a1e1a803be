/* SPDX-License-Identifier: Apache-2.0 */
/* The way back, second half: the body. The header is held until the whole answer fits what we keep
 * (HOLD_MAX) or that much of it has passed the plan; only then is the call recorded and the first
 * byte sent. So a short answer is recorded whole before it leaves, a broken one becomes a clean
 * problem, and a long one streams in bounded memory with `open` recorded first. */
#include "sluice.h"

#define HOLD_MAX  (64 * 1024)
#define SLICE_MAX (16 * 1024) /* input fed at once, which bounds how far output may overshoot */
#define BUF_MAX   (16 * 1024)
#define BUF_MIN   1024
#define BUFS      16 /* output buffers a slow client may occupy before the upstream is made to wait */
#define BUFFERED  0x08 /* our bit in connection->buffered */

static ngx_http_output_body_filter_pt next_body;

/* A refusal in place of what came ----------------------------------------------------------------
 */

static void swallow(ngx_chain_t *in)
{
    for (; in; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }
}

static ngx_int_t replace_body(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t *in)
{
    swallow(in);
    if (ctx->replaced || r->header_only) {
        return next_body(r, NULL);
    }
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);
    if (!buf) {
        return NGX_ERROR;
    }
    ctx->replaced = true;
    buf->pos = ctx->problem_body.data;
    buf->last = buf->pos + ctx->problem_body.len;
    buf->memory = 1;
    buf->last_buf = 1;
    buf->last_in_chain = 1;
    ngx_chain_t out = {buf, NULL};
    return next_body(r, &out);
}

/* Body: through the plan
 * --------------------------------------------------------------------------- */

static size_t first_buf_size(const ngx_http_request_t *r)
{
    off_t n = r->headers_out.content_length_n;
    if (n < 0 || n >= BUF_MAX) {
        return BUF_MAX;
    }
    return ngx_max((size_t)n + (size_t)n / 4 + 128, BUF_MIN);
}

/* Puts the buffer being filled at the end of what goes out. */
static ngx_int_t finish_buf(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ngx_buf_t *buf = ctx->buf;
    if (!buf) {
        return NGX_OK;
    }
    buf->last = (u_char *)ctx->out.pos;
    ctx->buf = NULL;
    ctx->out.pos = ctx->out.end = NULL;
    size_t n = (size_t)(buf->last - buf->pos);
    buf->temporary = n > 0; /* an empty one only says that this was the last */
    ngx_chain_t *link = ngx_alloc_chain_link(r->pool);
    if (!link) {
        return NGX_ERROR;
    }
    link->buf = buf;
    link->next = NULL;
    *ctx->last_out = link;
    ctx->last_out = &link->next;
    ctx->bytes_out += n;
    ctx->held_bytes += n;
    return NGX_OK;
}

static ngx_int_t take_buf(ngx_http_request_t *r, sluice_ctx_t *ctx, size_t need)
{
    ngx_chain_t *link = ctx->free;
    if (link && (size_t)(link->buf->end - link->buf->start) >= need) {
        ctx->free = link->next;
        ctx->buf = link->buf;
        ctx->buf->pos = ctx->buf->last = ctx->buf->start;
        ctx->buf->flush = 0;
        ngx_free_chain(r->pool, link);
    } else {
        size_t size = ctx->n_bufs ? BUF_MAX : first_buf_size(r);
        ctx->buf = ngx_create_temp_buf(r->pool, ngx_max(size, need));
        if (!ctx->buf) {
            return NGX_ERROR;
        }
        ctx->buf->tag = (ngx_buf_tag_t)&ngx_http_sluice_module;
        ctx->buf->recycled = 0;
        ctx->n_bufs++;
    }
    ctx->out.pos = (char *)ctx->buf->start;
    ctx->out.end = (char *)ctx->buf->end;
    return NGX_OK;
}

bool sluice_more_room(struct plan_out *out, size_t need)
{
    sluice_ctx_t *ctx = (sluice_ctx_t *)((char *)out - offsetof(sluice_ctx_t, out));
    return finish_buf(ctx->request, ctx) == NGX_OK && take_buf(ctx->request, ctx, need) == NGX_OK;
}

/* The answer cannot go on. While the header is held the caller gets a clean problem; after that
 * only the connection can say it. */
static ngx_int_t fail(ngx_http_request_t *r, sluice_ctx_t *ctx, enum problem problem)
{
    ctx->failed = true;
    ctx->problem = problem;
    sluice_cache_spoil(r);
    swallow(ctx->in);
    ctx->in = NULL;
    r->connection->buffered &= ~BUFFERED;
    if (!ctx->header_held) {
        (void)sluice_record(r, ctx, AUDIT_CALL);
        return NGX_ERROR;
    }
    if (sluice_become_problem(r, ctx, problem) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_int_t rc = sluice_send_header(r, ctx, AUDIT_CALL);
    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }
    return replace_body(r, ctx, NULL);
}

/* Feeds what is waiting until it is gone, the document ends, or a slow client holds all buffers. */
static enum plan_err consume(ngx_http_request_t *r, sluice_ctx_t *ctx, bool *last, bool *cut)
{
    while (ctx->in && (ctx->free || ctx->n_bufs < BUFS || ctx->header_held)) {
        ngx_chain_t *link = ctx->in;
        ngx_buf_t *buf = link->buf;
        size_t n = ngx_min((size_t)(buf->last - buf->pos), SLICE_MAX);
        if (n) {
            struct slice in = {(char *)buf->pos, n};
            enum plan_err err = plan_stream_feed(ctx->stream, in, &ctx->out);
            if (err != PLAN_OK) {
                return err;
            }
            buf->pos += n;
            if (buf->pos < buf->last) {
                continue;
            }
        }
        *last |= buf->last_buf;
        *cut |= buf->flush && !buf->last_buf;
        ctx->in = link->next;
        ngx_free_chain(r->pool, link);
        if (ctx->header_held && ctx->held_bytes > HOLD_MAX && !ctx->whole) {
            break;
        }
    }
    return PLAN_OK;
}

/* An answer that leaves in one piece: finished, then header and body at once. */
static ngx_int_t release_whole(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (!ctx->ended) {
        return ctx->held_bytes <= SLUICE_ANSWER_MAX ? NGX_OK
                                                    : fail(r, ctx, PROBLEM_ANSWER_TOO_LARGE);
    }
    if (!ctx->answer.data && sluice_gather(r, ctx, ctx->outs) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_int_t rc = sluice_finish(r, ctx);
    if (rc == NGX_AGAIN) {
        r->connection->buffered |= BUFFERED;
        return NGX_AGAIN;
    }
    r->connection->buffered &= ~BUFFERED;
    if (rc == NGX_DECLINED) {
        return fail(r, ctx, ctx->problem);
    }
    ngx_buf_t *buf = rc == NGX_OK ? ngx_calloc_buf(r->pool) : NULL;
    if (!buf) {
        return NGX_ERROR;
    }
    rc = sluice_send_header(r, ctx, AUDIT_CALL);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    if (ctx->mode == SLUICE_REPLACE) {
        return replace_body(r, ctx, NULL);
    }
    buf->pos = ctx->answer.data;
    buf->last = buf->pos + ctx->answer.len;
    buf->memory = ctx->answer.len > 0;
    buf->last_buf = 1;
    buf->last_in_chain = 1;
    ngx_chain_t out = {buf, NULL};
    return next_body(r, &out);
}

/* Sends what is ready: the header first if it is still held. */
static ngx_int_t release(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (finish_buf(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }
    if (ctx->header_held && ctx->whole) {
        return release_whole(r, ctx);
    }
    if (ctx->header_held) {
        if (!ctx->ended && ctx->held_bytes <= HOLD_MAX) {
            return NGX_OK;
        }
        ngx_http_clear_content_length(r);
        r->headers_out.content_length_n = ctx->ended ? (off_t)ctx->bytes_out : -1;
        ngx_int_t rc = sluice_send_header(r, ctx, ctx->ended ? AUDIT_CALL : AUDIT_OPEN);
        if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
            return rc;
        }
        if (ctx->mode == SLUICE_REPLACE) {
            return replace_body(r, ctx, NULL);
        }
    } else if (ctx->ended && sluice_record(r, ctx, AUDIT_CALL) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_int_t rc = next_body(r, ctx->outs);
    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &ctx->outs,
                            (ngx_buf_tag_t)&ngx_http_sluice_module);
    ctx->outs = NULL;
    ctx->last_out = &ctx->outs;
    return rc;
}

static ngx_int_t end_document(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (plan_stream_end(ctx->stream, &ctx->out) != PLAN_OK) {
        return NGX_DECLINED;
    }
    if (!ctx->buf && take_buf(r, ctx, 1) != NGX_OK) {
        return NGX_ERROR;
    }
    ctx->buf->last_buf = 1;
    ctx->buf->last_in_chain = 1;
    ctx->ended = true;
    return NGX_OK;
}

/* Why an upstream broke off: too slow is not unreadable (SW-8.3.4-timeout). nginx has closed the
 * connection by now, but silence for as long as the API allows is its timeout and nothing else. */
static enum problem why_cut(const sluice_ctx_t *ctx)
{
    ngx_msec_t silent = ngx_current_msec - ctx->heard_msec;
    ngx_msec_t allowed = ctx->api->record.timeout_ms;
    ngx_msec_t early = ngx_min(allowed / 2, NGX_TIMER_LAZY_DELAY); /* how exact its timers are */
    return allowed && silent + early >= allowed ? PROBLEM_UPSTREAM_TIMEOUT
                                                : PROBLEM_UPSTREAM_INVALID;
}

static ngx_int_t plan_body(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t *in)
{
    bool last = false, cut = false;
    if (ctx->failed) {
        return NGX_ERROR;
    }
    if (ctx->ended) {
        swallow(in);
        return ctx->header_held ? release_whole(r, ctx) : next_body(r, NULL);
    }
    if (ctx->xml) {
        ngx_int_t rc = sluice_convert_answer(r, ctx, &in);
        if (rc != NGX_OK) {
            return rc == NGX_AGAIN ? NGX_OK : fail(r, ctx, ctx->problem);
        }
    }
    if (r->cache) {
        sluice_cache_body(r);
    }
    if (in && ngx_chain_add_copy(r->pool, &ctx->in, in) != NGX_OK) {
        return NGX_ERROR;
    }
    for (;;) {
        enum plan_err err = consume(r, ctx, &last, &cut);
        if (err != PLAN_OK) {
            ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "sluice: upstream answer: %s",
                          plan_strerror(err));
            return fail(r, ctx, PROBLEM_UPSTREAM_INVALID);
        }
        if (cut) {
            return fail(r, ctx, why_cut(ctx));
        }
        ctx->heard_msec = ngx_current_msec;
        if (last) {
            ngx_int_t rc = end_document(r, ctx);
            if (rc != NGX_OK) {
                return fail(r, ctx, PROBLEM_UPSTREAM_INVALID);
            }
        }
        ngx_int_t rc = release(r, ctx);
        if (rc == NGX_AGAIN && ctx->whole && ctx->header_held) {
            return rc; /* a finisher waits; sluice_resume() brings us back */
        }
        if (rc == NGX_ERROR || rc > NGX_OK || ctx->ended || ctx->mode == SLUICE_REPLACE) {
            r->connection->buffered &= ~BUFFERED;
            return rc;
        }
        if (!ctx->in) {
            r->connection->buffered &= ~BUFFERED;
            return rc;
        }
        if (!ctx->free && ctx->n_bufs >= BUFS) {
            r->connection->buffered |= BUFFERED;
            return NGX_AGAIN;
        }
    }
}

/* The data service's own problem, signed as it is: it leaves when all of it is here. */
static ngx_int_t relay_body(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t *in)
{
    bool last = false, bad = false;
    for (ngx_chain_t *link = in; link && !bad; link = link->next) {
        size_t n = (size_t)(link->buf->last - link->buf->pos);
        last |= link->buf->last_buf;
        bad = n > PROBLEM_RENDER_MAX - ctx->problem_body.len ||
              (link->buf->flush && !link->buf->last_buf);
        if (!bad && n) {
            ngx_memcpy(ctx->problem_body.data + ctx->problem_body.len, link->buf->pos, n);
            ctx->problem_body.len += n;
        }
    }
    swallow(in);
    if (bad) {
        return fail(r, ctx, ctx->problem);
    }
    if (!last) {
        return NGX_OK;
    }
    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = (off_t)ctx->problem_body.len;
    ctx->bytes_out = ctx->problem_body.len;
    ngx_int_t rc = sluice_send_header(r, ctx, AUDIT_CALL);
    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }
    ctx->mode = SLUICE_REPLACE;
    return replace_body(r, ctx, NULL);
}

/* What is counted here is recorded when the stream ends, by its own end or its client's. */
static ngx_int_t stream_body(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t *in)
{
    bool last = false;
    for (ngx_chain_t *link = in; link; link = link->next) {
        ctx->bytes_out += (uint64_t)(link->buf->last - link->buf->pos);
        last |= link->buf->last_buf;
    }
    if (last && sluice_record(r, ctx, AUDIT_CALL) != NGX_OK) {
        return NGX_ERROR;
    }
    return next_body(r, in);
}

/* An answer about an export that is signed or sealed: it leaves when all of it is here. */
static ngx_int_t hold_body(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t *in)
{
    if (!ctx->ended && !sluice_export_take(r, ctx, in)) {
        return fail(r, ctx, PROBLEM_UPSTREAM_INVALID);
    }
    if (!ctx->ended) {
        return NGX_OK;
    }
    return ctx->header_held ? release_whole(r, ctx) : next_body(r, NULL);
}

static ngx_int_t body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    if (!ctx || r != r->main) {
        return next_body(r, in);
    }
    switch (ctx->mode) {
    case SLUICE_REPLACE:
        return replace_body(r, ctx, in);
    case SLUICE_PLAN:
        return plan_body(r, ctx, in);
    case SLUICE_STREAM:
        return stream_body(r, ctx, in);
    case SLUICE_RELAY:
        return relay_body(r, ctx, in);
    case SLUICE_HOLD:
        return hold_body(r, ctx, in);
    default:
        return next_body(r, in);
    }
}

ngx_int_t sluice_filter_init(ngx_conf_t *cf)
{
    (void)cf;
    sluice_headers_init();
    next_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = body_filter;
    return NGX_OK;
}
