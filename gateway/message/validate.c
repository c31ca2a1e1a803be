/* SPDX-License-Identifier: Apache-2.0 */
/* The stage that holds a call against its API's description before anybody is asked (BK-7.2.2a,
 * BK-7.3.2a1). A SOAP or XML call stands here as the REST call it means (convert.c). */
#include "sluice.h"

#include "convert/convert.h"
#include "schema/schema.h"

/* The nth header of the request with this name. */
static bool header(void *data, struct slice name, size_t nth, struct slice *value)
{
    ngx_http_request_t *r = data;
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part; part = part->next) {
        ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            bool same = headers[i].key.len == name.n &&
                        ngx_strncasecmp(headers[i].key.data, (u_char *)name.p, name.n) == 0;
            if (same && nth-- == 0) {
                *value = sluice_slice(headers[i].value);
                return true;
            }
        }
    }
    return false;
}

bool sluice_raw_rest(ngx_http_request_t *r, const sluice_ctx_t *ctx, struct slice *rest)
{
    struct slice target = ctx->target;
    size_t n = ctx->api->record.prefix_bytes;
    const char *query = target.n ? memchr(target.p, '?', target.n) : NULL;
    target.n = query ? (size_t)(query - target.p) : target.n;
    if (target.n < n || ngx_memcmp(target.p, r->uri.data, n) != 0 ||
        (target.n > n && target.p[n] != '/')) {
        return false;
    }
    *rest = slice_of(target.p + n, target.n - n);
    return true;
}

/* Each kind of fault has a code of its own (GS-6.9.3c-2). */
static enum problem problem_of(enum schema_err err)
{
    static const enum problem rows[] = {
        [SCHEMA_EROUTE] = PROBLEM_OPERATION_UNKNOWN,
        [SCHEMA_EMETHOD] = PROBLEM_METHOD_NOT_ALLOWED,
        [SCHEMA_EVERSION] = PROBLEM_VERSION_MISMATCH,
        [SCHEMA_EPARAM_MISSING] = PROBLEM_PARAMETER_MISSING,
        [SCHEMA_EPARAM_INVALID] = PROBLEM_PARAMETER_INVALID,
        [SCHEMA_EPARAM_UNKNOWN] = PROBLEM_PARAMETER_UNKNOWN,
        [SCHEMA_ECONTENT_TYPE] = PROBLEM_MEDIA_TYPE_UNSUPPORTED,
        [SCHEMA_EBODY_MISSING] = PROBLEM_BODY_MISSING,
        [SCHEMA_EBODY_UNEXPECTED] = PROBLEM_BODY_INVALID,
        [SCHEMA_EBODY_MALFORMED] = PROBLEM_BODY_MALFORMED,
        [SCHEMA_EBODY_INVALID] = PROBLEM_BODY_INVALID,
        [SCHEMA_ELIMIT] = PROBLEM_BODY_TOO_COMPLEX,
    };
    enum problem problem = (size_t)err < sizeof rows / sizeof *rows ? rows[err] : PROBLEM_OK;
    return problem == PROBLEM_OK ? PROBLEM_INTERNAL : problem;
}

static ngx_int_t refuse(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct schema_error *error)
{
    ngx_str_t where = {strlen(error->where), (u_char *)error->where};
    u_char *kept = ngx_pstrdup(r->pool, &where);
    return sluice_refuse(ctx, problem_of(error->code), slice_str(error->detail),
                         slice_of((const char *)kept, kept ? where.len : 0));
}

/* The call as REST has it. */
static bool describe(ngx_http_request_t *r, const sluice_ctx_t *ctx, struct schema_request *call)
{
    bool wrapped = ctx->op && ctx->form != CONVERT_JSON;
    call->header = header;
    call->header_ctx = r;
    call->body = sluice_slice(ctx->body);
    if (r->headers_in.content_type) {
        call->content_type = sluice_slice(r->headers_in.content_type->value);
    }
    if (wrapped) {
        call->method = convert_op_method(ctx->op);
        call->path = convert_op_path(ctx->op);
        call->query = convert_op_by_query(ctx->op) ? sluice_slice(r->args) : SLICE("");
        return true;
    }
    call->method = sluice_slice(r->method_name);
    call->query = sluice_slice(r->args);
    return sluice_raw_rest(r, ctx, &call->path);
}

ngx_int_t sluice_validate(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (!ctx->api->record.has_schema || ctx->export_asked) {
        return NGX_OK;
    }
    struct schema_request call = {0};
    struct schema_error error;
    struct slice second;
    sluice_definition_t *d = sluice_definition_find(SLUICE_SCHEMA, &ctx->api->record.policy.id);
    if (!d) {
        return sluice_refuse(ctx, PROBLEM_DEFINITION_MISSING, SLICE(""), SLICE(""));
    }
    ngx_int_t rc = NGX_OK;
    if (!describe(r, ctx, &call)) {
        rc = sluice_refuse(ctx, PROBLEM_OPERATION_UNKNOWN, SLICE("the path is not in plain form"),
                           SLICE("path"));
    } else if (header(r, SLICE("content-type"), 1, &second)) { /* which would the upstream take? */
        rc = sluice_refuse(ctx, PROBLEM_MEDIA_TYPE_UNSUPPORTED, SLICE("it is given twice"),
                           SLICE("content-type"));
    } else if (schema_check_request(d->schema, &call, &error) != SCHEMA_OK) {
        rc = refuse(r, ctx, &error);
    }
    sluice_definition_drop(d);
    return rc;
}
