/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted of each call (libs/metric), and `sluice_metrics;`: the location that says it in
 * the text of Prometheus. It names APIs, apps and upstreams, so it belongs on the inner listener
 * alone (node/nginx_conf.c). */
#include "sluice.h"

#include <time.h>

#include "metric/metric.h"

#define SAMPLE 16 /* one call in so many is timed stage by stage */

static struct metric *metric;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void sluice_metrics_open(ngx_cycle_t *cycle, ngx_str_t state_dir)
{
    char path[NGX_MAX_PATH];
    if (metric) {
        return;
    }
    int n = snprintf(path, sizeof path, "%.*s/metrics", (int)state_dir.len, state_dir.data);
    enum mapfile_err err =
        n > 0 && (size_t)n < sizeof path ? metric_open(&metric, path) : MAPFILE_EIO;
    if (err == MAPFILE_EFORMAT && unlink(path) == 0) { /* of another version: only counters */
        err = metric_open(&metric, path);
    }
    if (err != MAPFILE_OK) { /* calls are served uncounted: the audit log is what must not lack */
        ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno, "sluice: metrics \"%s\": %s", path,
                      mapfile_strerror(err));
    }
}

void sluice_metrics_close(void)
{
    metric_close(&metric);
}

void sluice_stage_begin(sluice_ctx_t *ctx)
{
    static unsigned calls;
    if (ctx->stage == 0 && ctx->stage_ns == 0 && metric && ++calls % SAMPLE != 0) {
        return;
    }
    if (metric && (ctx->stage == 0 || ctx->stage_ns)) {
        ctx->stage_ns = now_ns();
    }
}

void sluice_stage_end(sluice_ctx_t *ctx)
{
    if (ctx->stage_ns) {
        metric_stage(metric, (unsigned)ctx->stage, now_ns() - ctx->stage_ns);
    }
}

static struct metric_row *api_row(sluice_api_t *api)
{
    if (!api->metrics) {
        api->metrics = metric_row(metric, METRIC_API, &api->record.policy.id, api->record.name);
    }
    return api->metrics;
}

static struct metric_row *app_row(sluice_caller_t *caller)
{
    if (!caller->metrics) {
        caller->metrics = metric_row(metric, METRIC_APP, &caller->credential.app,
                                     slice_of(caller->app_name, caller->app_name_n));
    }
    return caller->metrics;
}

void sluice_metrics_count(sluice_ctx_t *ctx, const struct audit_call *call)
{
    if (!metric) {
        return;
    }
    unsigned status = problem_row(ctx->problem)->status;
    struct metric_call count = {.elapsed_us = call->elapsed_us,
                                .bytes_in = call->bytes_in,
                                .bytes_out = call->bytes_out,
                                .rows = call->rows,
                                .refused = ctx->problem != PROBLEM_OK && status < 500,
                                .failed = status >= 500,
                                .cached = ctx->cached};
    if (ctx->api) {
        metric_count(api_row(ctx->api), &count);
    }
    if (ctx->authenticated) { /* else anyone could count on another's account */
        metric_count(app_row(ctx->caller), &count);
    }
    metric_code(metric, ctx->problem);
}

void sluice_metrics_target(const struct uuid *id, struct slice name, uint64_t elapsed_us,
                           bool failed)
{
    if (metric) {
        struct metric_call count = {.elapsed_us = elapsed_us, .failed = failed};
        metric_count(metric_row(metric, METRIC_TARGET, id, name), &count);
    }
}

/* The location --------------------------------------------------------------------------------- */

static const char *code_name(unsigned code)
{
    return code < PROBLEM_COUNT ? problem_row((enum problem)code)->code : NULL;
}

static void add_gauges(struct buf *out)
{
    const sluice_worker_t *w = &sluice_worker;
    buf_addf(out,
             "# HELP sluice_policy_version Version of the policy this node decides by.\n"
             "# TYPE sluice_policy_version gauge\nsluice_policy_version %llu\n",
             (unsigned long long)w->version);
    buf_addf(out,
             "# HELP sluice_policy_synced_seconds When the node was last up to date.\n"
             "# TYPE sluice_policy_synced_seconds gauge\nsluice_policy_synced_seconds %.3f\n",
             (double)w->synced_ms / 1000);
}

static ngx_int_t send_text(ngx_http_request_t *r, const struct buf *text)
{
    ngx_buf_t *buf = ngx_create_temp_buf(r->pool, text->n + 1);
    if (!buf) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    buf->last = ngx_cpymem(buf->last, text->p, text->n);
    buf->last_buf = r == r->main;
    buf->last_in_chain = 1;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t)text->n;
    ngx_str_set(&r->headers_out.content_type, "text/plain; version=0.0.4; charset=utf-8");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    ngx_int_t rc = ngx_http_send_header(r);
    ngx_chain_t out = {buf, NULL};
    return rc == NGX_ERROR || rc > NGX_OK || r->header_only ? rc : ngx_http_output_filter(r, &out);
}

static ngx_int_t metrics_handler(ngx_http_request_t *r)
{
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    if (ngx_http_discard_request_body(r) != NGX_OK || !metric) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    struct buf text;
    buf_init(&text);
    (void)sluice_refresh();
    metric_render(metric, code_name, sluice_stage_names, sluice_stages_n, &text);
    add_gauges(&text);
    sluice_snapshot_end();
    ngx_int_t rc = text.failed ? NGX_HTTP_INTERNAL_SERVER_ERROR : send_text(r, &text);
    buf_fini(&text);
    return rc;
}

char *sluice_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t *location =
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    (void)cmd;
    (void)conf;
    location->handler = metrics_handler;
    return NGX_CONF_OK;
}
