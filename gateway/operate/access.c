/* SPDX-License-Identifier: Apache-2.0 */
/* What the access log says of a call, as nginx variables (node/nginx_conf.c has the format). The
 * log is for operators and tools; the proof is the audit log. No variable holds a query, a header's
 * value or anything of a body. */
#include "sluice.h"

static struct slice transaction(sluice_ctx_t *ctx)
{
    return slice_of(ctx->txn_text, UUID_TEXT_LEN);
}

static struct slice api(sluice_ctx_t *ctx)
{
    return ctx->api ? ctx->api->record.name : SLICE("");
}

static struct slice app(sluice_ctx_t *ctx)
{
    return ctx->authenticated ? slice_of(ctx->caller->app_name, ctx->caller->app_name_n)
                              : SLICE("");
}

static struct slice code(sluice_ctx_t *ctx)
{
    return slice_str(problem_row(ctx->problem)->code);
}

static struct slice cached(sluice_ctx_t *ctx)
{
    return ctx->cached ? SLICE("hit") : SLICE("");
}

typedef struct slice (*value_pt)(sluice_ctx_t *ctx);

static const struct {
    ngx_str_t name;
    value_pt value;
} variables[] = {
    {ngx_string("sluice_transaction"), transaction},
    {ngx_string("sluice_api"), api},
    {ngx_string("sluice_app"), app},
    {ngx_string("sluice_code"), code},
    {ngx_string("sluice_cached"), cached},
};

static ngx_int_t get_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    struct slice value = ctx ? variables[data].value(ctx) : SLICE("");
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->data = (u_char *)value.p;
    v->len = (unsigned)value.n;
    return NGX_OK;
}

ngx_int_t sluice_add_access_variables(ngx_conf_t *cf)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        ngx_str_t name = variables[i].name;
        ngx_http_variable_t *v = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (!v) {
            return NGX_ERROR;
        }
        v->get_handler = get_variable;
        v->data = i;
    }
    return NGX_OK;
}
