/* SPDX-License-Identifier: Apache-2.0 */
/* Export jobs of a dataset API, below `<path>/exports` (docs/batch.md), and the files of documents,
 * below `<path>/files` (docs/files.md), which are asked for in the same way. Every call of a job,
 * whatever its method, is decided as a read of the API: making a job asks for rows, ending one asks
 * for less. What comes back is no answer of rows for the plan: the file was masked when it was
 * made, and the data service holds what is decided now against what was decided then. It says so in
 * a header, without which the answer goes through the plan like any other and nothing of it is
 * left. */
#include "sluice.h"

#define EXPORTS SLICE("/exports")
#define FILES   SLICE("/files")

static bool is_below(struct slice rest, struct slice part)
{
    return rest.n >= part.n && memcmp(rest.p, part.p, part.n) == 0 &&
           (rest.n == part.n || rest.p[part.n] == '/');
}

bool sluice_export_asked(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    const struct replica_api *api = &ctx->api->record;
    struct slice rest;
    /* As it was sent: the data service looks at nothing else. */
    return api->policy.kind == POLICY_DATASET && !ctx->inner && sluice_raw_rest(r, ctx, &rest) &&
           ((api->batch && is_below(rest, EXPORTS)) || (api->documents && is_below(rest, FILES)));
}

bool sluice_export_answers(sluice_ctx_t *ctx, struct slice said)
{
    static const struct slice rows = {"rows=", 5};
    if (!ctx->export_asked || said.n == 0) {
        return false;
    }
    ctx->export_file = said.n > rows.n && memcmp(said.p, rows.p, rows.n) == 0;
    if (ctx->export_file) {
        ngx_int_t n = ngx_atoi((u_char *)said.p + rows.n, said.n - rows.n);
        ctx->export_rows = n > 0 ? (uint64_t)n : 0;
    }
    return true;
}

ngx_int_t sluice_export_hold(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    off_t n = r->headers_out.content_length_n;
    if (n < 0 || n > SLUICE_ANSWER_MAX) {
        return NGX_DECLINED;
    }
    ctx->answer.data = ngx_pnalloc(r->pool, (size_t)n + 1);
    ctx->answer.len = 0;
    r->filter_need_in_memory = 1;
    ctx->header_held = true;
    ctx->whole = true;
    return ctx->answer.data ? NGX_OK : NGX_ERROR;
}

bool sluice_export_take(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t *in)
{
    size_t room = (size_t)r->headers_out.content_length_n;
    for (ngx_chain_t *link = in; link; link = link->next) {
        size_t n = (size_t)(link->buf->last - link->buf->pos);
        if (n > room - ctx->answer.len || (link->buf->flush && !link->buf->last_buf && n == 0)) {
            return false;
        }
        if (n) {
            ngx_memcpy(ctx->answer.data + ctx->answer.len, link->buf->pos, n);
            ctx->answer.len += n;
        }
        link->buf->pos = link->buf->last;
        ctx->ended |= link->buf->last_buf;
    }
    return !ctx->ended || ctx->answer.len == room;
}

/* Of the fields that may leave all count as having left. */
void sluice_export_fields(const sluice_ctx_t *ctx, struct audit_call *call)
{
    static uint64_t seen[PLAN_FIELDS_MAX / 64];
    const struct policy_verdict *v = &ctx->verdict->verdict;
    ngx_memzero(seen, sizeof seen);
    for (uint32_t i = 0; i < v->n_fields; i++) {
        if (v->outcome[i] != PLAN_DROP) {
            seen[i / 64] |= (uint64_t)1 << (i % 64);
        }
    }
    call->rows = ctx->export_rows;
    call->seen = seen;
}
