/* SPDX-License-Identifier: Apache-2.0 */
/* The way back, first half: what an answer is, and what of its header may leave. A planned answer's
 * header is held here until filter.c releases it; everything else is recorded and sent at once. */
#include "sluice.h"

static ngx_http_output_header_filter_pt next_header;

/* Headers an upstream may add to what leaves; content-type and -length are not in this list's
 * reach. */
static const char *const allowed_headers[] = {"content-range", "preference-applied", "range-unit",
                                              "content-language", "allow"};

/* What the data service says of a row's version and of a write; nobody else's word counts there. */
static const char *const own_headers[] = {"etag", "sluice-operation", "sluice-replayed",
                                          "sluice-next"};

static bool named(const ngx_table_elt_t *header, const char *name)
{
    size_t n = strlen(name);
    return header->key.len == n && ngx_strncasecmp(header->key.data, (u_char *)name, n) == 0;
}

/* Those of an export or a document beside them. */
static const char *const export_headers[] = {"accept-ranges", "etag", "location",
                                             "content-disposition"};

static bool header_allowed(const ngx_table_elt_t *header, const sluice_ctx_t *ctx, bool own)
{
    for (size_t i = 0; ctx->export_asked && i < sizeof export_headers / sizeof *export_headers;
         i++) {
        if (named(header, export_headers[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof allowed_headers / sizeof *allowed_headers; i++) {
        if (named(header, allowed_headers[i])) {
            return true;
        }
    }
    for (size_t i = 0; own && i < sizeof own_headers / sizeof *own_headers; i++) {
        if (named(header, own_headers[i])) {
            return true;
        }
    }
    return false;
}

/* Drops every other header, and keeps nginx from naming itself: an element with hash 0 is not sent,
 * but stands where nginx would put its own. */
static ngx_int_t scrub_headers(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    bool own = ctx->api && !sluice_to_unit(ctx) && ctx->api->record.policy.kind == POLICY_DATASET;
    ngx_list_part_t *part = &r->headers_out.headers.part;
    for (; part; part = part->next) {
        ngx_table_elt_t *header = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (!header_allowed(&header[i], ctx, own)) {
                header[i].hash = 0;
            }
        }
    }
    ngx_table_elt_t *server = ngx_list_push(&r->headers_out.headers);
    if (!server) {
        return NGX_ERROR;
    }
    ngx_memzero(server, sizeof *server);
    r->headers_out.server = server;
    return NGX_OK;
}

static struct slice upstream_header(ngx_http_request_t *r, const char *name)
{
    ngx_list_part_t *part = &r->headers_out.headers.part;
    for (; part; part = part->next) {
        ngx_table_elt_t *header = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (named(&header[i], name)) {
                return sluice_slice(header[i].value);
            }
        }
    }
    return SLICE("");
}

/* application/json or application/<anything>+json, parameters or none. */
static bool is_json(ngx_http_request_t *r)
{
    struct slice type = sluice_slice(r->headers_out.content_type);
    const char *end = type.n ? memchr(type.p, ';', type.n) : NULL;
    type.n = end ? (size_t)(end - type.p) : type.n;
    while (type.n && type.p[type.n - 1] == ' ') {
        type.n--;
    }
    if (type.n < 16 || ngx_strncasecmp((u_char *)type.p, (u_char *)"application/", 12) != 0) {
        return false;
    }
    return (type.n == 16 && ngx_strncasecmp((u_char *)type.p + 12, (u_char *)"json", 4) == 0) ||
           (type.n > 17 &&
            ngx_strncasecmp((u_char *)type.p + type.n - 5, (u_char *)"+json", 5) == 0);
}

/* A topic's events, which have been through the data service's plan. */
static bool is_stream(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    static const char type[] = "text/event-stream";
    return ctx->mode == SLUICE_PLAN && ctx->api->record.policy.kind == POLICY_TOPIC &&
           r->headers_out.content_type.len >= sizeof type - 1 &&
           ngx_strncasecmp(r->headers_out.content_type.data, (u_char *)type, sizeof type - 1) == 0;
}

/* The data service's own problems are written for the caller; anyone else's errors are not. */
static bool trusted_problem(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (!ctx->api || sluice_to_unit(ctx) || ctx->mode != SLUICE_PLAN) {
        return false;
    }
    struct slice code = upstream_header(r, "sluice-problem");
    enum problem problem = code.n ? problem_by_code(code) : PROBLEM_COUNT;
    if (problem == PROBLEM_COUNT) {
        return false;
    }
    ctx->problem = problem;
    return true;
}

/* nginx takes bytes that are no HTTP for an HTTP/0.9 answer, and would answer the caller likewise:
 * without a header. */
static bool no_http(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (r->http_version == ctx->http_version) {
        return false;
    }
    r->http_version = ctx->http_version;
    return true;
}

/* Of an export: streams as it is, or is held for whom signs or seals it. */
static void choose_export(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ctx->mode = sluice_whole_wanted(ctx) ? SLUICE_HOLD : SLUICE_PASS;
    if (ctx->mode == SLUICE_HOLD && sluice_export_hold(r, ctx) != NGX_OK) {
        ctx->header_held = ctx->whole = false;
        ctx->mode = SLUICE_REPLACE;
        ctx->problem = PROBLEM_ANSWER_TOO_LARGE;
    }
}

static void choose_mode(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ngx_uint_t status = r->headers_out.status;
    if (ctx->mode == SLUICE_OWN) {
        return;
    }
    if (no_http(r, ctx)) {
        ctx->mode = SLUICE_REPLACE;
        ctx->problem = PROBLEM_UPSTREAM_INVALID;
        return;
    }
    if (trusted_problem(r, ctx)) {
        /* The credit profile answers {msg, result: 0} with 200 (CI-A): a plan-worthy body. */
        ctx->mode = status < 300 ? SLUICE_PLAN : SLUICE_PASS;
        if (ctx->mode == SLUICE_PASS && sluice_sign_wanted(ctx) && r->method != NGX_HTTP_HEAD) {
            ctx->mode = SLUICE_RELAY; /* signed is what we have whole */
        }
        return;
    }
    bool fault = ctx->mode == SLUICE_PLAN && sluice_convert_answers(r, ctx);
    if (ctx->mode != SLUICE_PLAN || (status >= 300 && !fault)) {
        ctx->mode = SLUICE_REPLACE;
        ctx->problem = ctx->problem ? ctx->problem : sluice_problem_of_status(r, status);
        return;
    }
    bool bare = status == NGX_HTTP_NO_CONTENT ||
                (status == NGX_HTTP_CREATED && r->headers_out.content_length_n == 0);
    if (r->method == NGX_HTTP_HEAD || bare) {
        ctx->mode = SLUICE_PASS;
        return;
    }
    if (is_stream(r, ctx)) {
        ctx->mode = SLUICE_STREAM;
        return;
    }
    if (sluice_export_answers(ctx, upstream_header(r, "sluice-export"))) {
        choose_export(r, ctx);
        return;
    }
    bool readable = sluice_convert_answers(r, ctx) || (!sluice_convert_expected(ctx) && is_json(r));
    if (!readable || r->headers_out.content_encoding) {
        ctx->mode = SLUICE_REPLACE;
        ctx->problem = PROBLEM_UPSTREAM_INVALID;
    }
}

/* From here on the answer is a problem, and nothing of what the upstream said counts as sent. */
ngx_int_t sluice_become_problem(ngx_http_request_t *r, sluice_ctx_t *ctx, enum problem problem)
{
    if (ctx->stream) {
        sluice_stream_give(ctx->stream);
        ctx->stream = NULL;
    }
    ctx->mode = SLUICE_REPLACE;
    ctx->problem = problem;
    sluice_sign_again(ctx);
    if (sluice_problem_headers(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }
    ctx->bytes_out = ctx->problem_body.len;
    return NGX_OK;
}

static ngx_int_t sign_and_record(ngx_http_request_t *r, sluice_ctx_t *ctx, enum audit_kind kind)
{
    return sluice_sign_now(r, ctx) == NGX_OK ? sluice_record(r, ctx, kind) : NGX_ERROR;
}

/* Records the answer as it stands; when it cannot be recorded, makes it a refusal and records that.
 */
static ngx_int_t record_answer(ngx_http_request_t *r, sluice_ctx_t *ctx, enum audit_kind kind)
{
    if (sign_and_record(r, ctx, kind) == NGX_OK) {
        return NGX_OK;
    }
    if (ctx->mode == SLUICE_OWN || ctx->mode == SLUICE_REPLACE) {
        return NGX_ERROR;
    }
    if (sluice_become_problem(r, ctx, PROBLEM_AUDIT_UNAVAILABLE) != NGX_OK) {
        return NGX_ERROR;
    }
    return sign_and_record(r, ctx, AUDIT_CALL);
}

ngx_int_t sluice_send_header(ngx_http_request_t *r, sluice_ctx_t *ctx, enum audit_kind kind)
{
    if (record_answer(r, ctx, kind) != NGX_OK || sluice_life_headers(r, ctx) != NGX_OK ||
        sluice_sdk_headers(r, ctx) != NGX_OK || sluice_transaction_header(r, ctx) != NGX_OK ||
        sluice_limits_headers(r, ctx) != NGX_OK || sluice_token_challenge(r, ctx) != NGX_OK ||
        sluice_sign_headers(r, ctx) != NGX_OK ||
        /* data is what its type says, whatever a browser would make of it */
        sluice_add_header(r, "X-Content-Type-Options", SLICE("nosniff")) != NGX_OK) {
        return NGX_ERROR;
    }
    ctx->header_held = false;
    return next_header(r);
}

static ngx_int_t hold_header(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ctx->stream = sluice_stream_take(ctx->verdict->plan);
    if (!ctx->stream) {
        return NGX_ERROR;
    }
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    if (sluice_to_unit(ctx)) { /* of a dataset it names the row's version, not these bytes */
        ngx_http_clear_etag(r);
    }
    r->filter_need_in_memory = 1;
    ctx->request = r;
    ctx->out.more = sluice_more_room;
    ctx->header_held = true;
    ctx->whole = sluice_whole_wanted(ctx);
    if (sluice_convert_answers(r, ctx) && sluice_convert_begin(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }
    ctx->heard_msec = ngx_current_msec;
    return NGX_OK;
}

/* The data service's problem, of which filter.c takes the body in. */
static ngx_int_t hold_problem(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ctx->problem_body.data = ngx_pnalloc(r->pool, PROBLEM_RENDER_MAX);
    if (!ctx->problem_body.data) {
        return NGX_ERROR;
    }
    ctx->problem_body.len = 0;
    r->filter_need_in_memory = 1;
    ctx->header_held = true;
    return NGX_OK;
}

static ngx_int_t header_filter(ngx_http_request_t *r)
{
    sluice_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);
    if (!conf->on || r != r->main) {
        return next_header(r);
    }
    sluice_ctx_t *ctx = sluice_ctx(r);
    if (!ctx) {
        return NGX_ERROR;
    }
    if (ctx->asked_method.len) {
        r->method_name = ctx->asked_method;
    }
    choose_mode(r, ctx);
    if (scrub_headers(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }
    if (r->cache && sluice_cache_answer(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }
    if (ctx->mode == SLUICE_PLAN) {
        return hold_header(r, ctx);
    }
    if (ctx->mode == SLUICE_STREAM) {
        r->upstream->buffering = 0; /* an event leaves when it comes, not when a buffer is full */
        return sluice_send_header(r, ctx, AUDIT_OPEN);
    }
    if (ctx->mode == SLUICE_RELAY) {
        return hold_problem(r, ctx);
    }
    if (ctx->mode == SLUICE_HOLD) {
        return NGX_OK;
    }
    if (ctx->mode == SLUICE_REPLACE && sluice_become_problem(r, ctx, ctx->problem) != NGX_OK) {
        return NGX_ERROR;
    }
    if (ctx->mode == SLUICE_PASS && r->headers_out.content_length_n > 0) {
        ctx->bytes_out = (uint64_t)r->headers_out.content_length_n;
    }
    return sluice_send_header(r, ctx, AUDIT_CALL);
}

void sluice_headers_init(void)
{
    next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = header_filter;
}
