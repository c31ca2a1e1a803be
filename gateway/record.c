/* SPDX-License-Identifier: Apache-2.0 */
/* Exactly one record a call, whatever became of it (BK-7.3.3a2), in the log before the answer's
 * last byte leaves; a long answer says `open` before its first. The log phase is the net for calls
 * that ended without an answer. */
#include "sluice.h"

#include "base/clock.h"

static void fill_parties(sluice_ctx_t *ctx, struct audit_call *call)
{
    if (ctx->api) {
        call->api = ctx->api->record.policy.id;
        call->api_rev = ctx->api->record.policy.rev;
        call->class_ = ctx->api->record.policy.class_;
    }
    if (ctx->caller) {
        /* A claimed key is worth recording even when the signature failed; the reason tells. */
        call->credential = ctx->caller->credential.id;
        call->app = ctx->caller->credential.app;
    }
    if (ctx->grant_named) {
        call->grant = ctx->grant;
    }
    if (ctx->token) {
        call->token = ctx->token->id;
        call->user = ctx->token->user;
    }
    call->purpose = ctx->purpose;
    call->sdk = ctx->sdk_text.p ? ctx->sdk_text : SLICE("");
    if (ctx->verdict) {
        call->owner = ctx->verdict->of;
    }
}

/* Which plan the answer went through and which of its fields left. */
static enum audit_err fill_fields(sluice_ctx_t *ctx, struct audit_call *call)
{
    bool file = ctx->export_file && ctx->problem == PROBLEM_OK;
    if ((!ctx->stream && !file) || !ctx->verdict || !ctx->verdict->plan) {
        return AUDIT_OK;
    }
    if (ctx->api->record.policy.kind == POLICY_TOPIC) {
        return AUDIT_OK; /* the data service records each event it gives */
    }
    if (file) {
        sluice_export_fields(ctx, call);
    } else {
        call->rows = plan_stream_rows(ctx->stream);
        call->seen = plan_stream_seen(ctx->stream);
    }
    call->n_fields = ctx->verdict->verdict.n_fields;
    return audit_writer_plan(sluice_worker.audit, ctx->verdict->plan_key, &ctx->api->record.policy,
                             &ctx->verdict->verdict, &call->plan);
}

ngx_int_t sluice_record(ngx_http_request_t *r, sluice_ctx_t *ctx, enum audit_kind kind)
{
    if (kind == AUDIT_CALL && ctx->recorded) {
        return NGX_OK;
    }
    if (!sluice_worker.audit) {
        return NGX_ERROR;
    }
    struct audit_call call = {
        .kind = kind,
        .txn = ctx->txn,
        .at_us = ctx->began_us,
        .elapsed_us = (uint32_t)ngx_min(clock_mono_us() - ctx->began_mono_us, UINT32_MAX),
        .status = (uint16_t)r->headers_out.status,
        .reason = (uint16_t)ctx->problem,
        .method = ctx->method,
        .opened = ctx->opened && kind == AUDIT_CALL,
        .bytes_out = ctx->bytes_out,
        .bytes_in =
            r->headers_in.content_length_n > 0 ? (uint64_t)r->headers_in.content_length_n : 0,
        .client = sluice_client_address(r),
        .owner = SLICE(""),
        .target = SLICE(""),
        .sdk = SLICE(""),
    };
    fill_parties(ctx, &call);
    if (!ctx->api || ctx->problem != PROBLEM_OK) {
        call.target = ctx->target.p ? ctx->target : sluice_slice(r->unparsed_uri);
        call.target = sluice_token_hidden(call.target);
        call.target.n = ngx_min(call.target.n, 512);
    }
    if (ctx->inner) {
        call.target = sluice_inner_target(r, ctx);
        call.target.n = ngx_min(call.target.n, 512);
    }
    enum audit_err err = fill_fields(ctx, &call);
    if (err == AUDIT_OK) {
        err = audit_writer_append(sluice_worker.audit, &call);
    }
    if (err != AUDIT_OK) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, ngx_errno, "sluice: audit log: %s",
                      audit_strerror(err));
        return NGX_ERROR;
    }
    if (kind == AUDIT_CALL) {
        sluice_metrics_count(ctx, &call);
        sluice_limits_charge(ctx, &call);
        sluice_refusals_count(r, ctx);
        if (ctx->problem == PROBLEM_OK && ctx->verdict && ctx->verdict->grant_known) {
            sluice_grant_used(&ctx->verdict->grant, ctx->began_us / 1000);
        }
        sluice_package_named(r, ctx);
        sluice_sandbox_count(ctx, &call);
    }
    ctx->recorded |= kind == AUDIT_CALL;
    ctx->opened |= kind == AUDIT_OPEN;
    return NGX_OK;
}

ngx_int_t sluice_log_handler(ngx_http_request_t *r)
{
    sluice_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);
    sluice_ctx_t *ctx = conf->on && r == r->main ? sluice_ctx(r) : NULL;
    if (!ctx || ctx->recorded) {
        return NGX_OK;
    }
    if (ctx->problem == PROBLEM_OK && ctx->mode == SLUICE_STREAM) {
        ctx->problem = PROBLEM_CLIENT_GONE; /* how a stream ends */
    } else if (ctx->problem == PROBLEM_OK) {
        ctx->problem = ctx->failed || ctx->opened
                           ? PROBLEM_UPSTREAM_INVALID
                           : sluice_problem_of_status(r, r->headers_out.status);
        if (r->connection->error) {
            ctx->problem = PROBLEM_CLIENT_GONE;
        }
    }
    if (r->headers_out.status == 0) {
        r->headers_out.status = problem_row(ctx->problem)->status;
    }
    (void)sluice_record(r, ctx, AUDIT_CALL); /* nothing was answered: nothing to hold back */
    return NGX_OK;
}
