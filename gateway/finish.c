/* SPDX-License-Identifier: Apache-2.0 */
/* The last stage of an answer that must be complete before any of it leaves: what is signed has a
 * digest in its header, what is sealed or converted exists only as a whole. */
#include "sluice.h"

static const sluice_finisher_pt finishers[] = {sluice_wrap, sluice_seal, sluice_sign, NULL};

bool sluice_whole_wanted(const sluice_ctx_t *ctx)
{
    return sluice_wrap_wanted(ctx) ||
           ((ctx->api->record.sign_response || ctx->seal_to) && !ctx->inner);
}

ngx_int_t sluice_gather(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t *outs)
{
    size_t n = 0;
    for (ngx_chain_t *link = outs; link; link = link->next) {
        n += (size_t)(link->buf->last - link->buf->pos);
    }
    if (outs && !outs->next) {
        ctx->answer = (ngx_str_t){n, outs->buf->pos};
        return NGX_OK;
    }
    u_char *p = ngx_pnalloc(r->pool, n + 1);
    if (!p) {
        return NGX_ERROR;
    }
    ctx->answer = (ngx_str_t){n, p};
    for (ngx_chain_t *link = outs; link; link = link->next) {
        p = ngx_cpymem(p, link->buf->pos, (size_t)(link->buf->last - link->buf->pos));
    }
    return NGX_OK;
}

ngx_int_t sluice_finish(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    while (finishers[ctx->finish]) {
        ngx_int_t rc = finishers[ctx->finish](r, ctx);
        if (rc != NGX_OK) {
            return rc;
        }
        ctx->finish++;
    }
    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = (off_t)ctx->answer.len;
    if (ctx->answer_type.len) {
        r->headers_out.content_type = ctx->answer_type;
        r->headers_out.content_type_len = ctx->answer_type.len;
        r->headers_out.content_type_lowcase = NULL;
        ngx_str_null(&r->headers_out.charset);
    }
    ctx->bytes_out = ctx->answer.len;
    return NGX_OK;
}

void sluice_resume(ngx_http_request_t *r)
{
    ngx_post_event(r->connection->write, &ngx_posted_events);
}
