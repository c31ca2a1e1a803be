/* SPDX-License-Identifier: Apache-2.0 */
/* Two formats for one call (SW-6-protocol, SW-8.3.4-protocol). Between the stages `unwrap` and
 * `convert` a call is the REST call it means, whatever the client speaks, so that it is validated
 * as one; `convert` then makes it what the upstream speaks. The answer comes back the same way: its
 * XML is taken in whole and becomes JSON before the plan sees it (levels and masks hold on XML as
 * on JSON), and becomes the client's XML after it. */
#include "sluice.h"

#include "convert/convert.h"
#include "httpsig/httpsig.h"

#define NONE ((ngx_str_t)ngx_null_string)

/* What the client speaks ------------------------------------------------------------------------
 */

static ngx_table_elt_t *header(ngx_http_request_t *r, const char *name)
{
    size_t n = strlen(name);
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part; part = part->next) {
        ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (headers[i].key.len == n &&
                ngx_strncasecmp(headers[i].key.data, (u_char *)name, n) == 0) {
                return &headers[i];
            }
        }
    }
    return NULL;
}

static bool is_type(struct slice value, struct slice type)
{
    return value.n >= type.n && ngx_strncasecmp((u_char *)value.p, (u_char *)type.p, type.n) == 0 &&
           (value.n == type.n || strchr("; ,\t", value.p[type.n]) != NULL);
}

/* SOAP 1.1 is known by its SOAPAction, which it must have; other text/xml is bare. A GET, which has
 * no type, says by Accept what it wants. */
static enum convert_form form_of(ngx_http_request_t *r)
{
    ngx_table_elt_t *type = r->headers_in.content_type;
    type = type ? type : header(r, "accept");
    struct slice value = type ? sluice_slice(type->value) : SLICE("");
    if (is_type(value, SLICE("application/soap+xml"))) {
        return CONVERT_SOAP12;
    }
    if (is_type(value, SLICE("text/xml"))) {
        return header(r, "soapaction") ? CONVERT_SOAP11 : CONVERT_XML;
    }
    return is_type(value, SLICE("application/xml")) ? CONVERT_XML : CONVERT_JSON;
}

static struct slice unquoted(struct slice text)
{
    bool quoted = text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"';
    return quoted ? slice_of(text.p + 1, text.n - 2) : text;
}

/* The action of a SOAP call: a header in 1.1, a parameter of the type in 1.2. */
static struct slice action_of(ngx_http_request_t *r, enum convert_form form)
{
    ngx_table_elt_t *at =
        form == CONVERT_SOAP11 ? header(r, "soapaction") : r->headers_in.content_type;
    if (!at) {
        return SLICE("");
    }
    if (form == CONVERT_SOAP11) {
        return unquoted(sluice_slice(at->value));
    }
    u_char *p = ngx_strlcasestrn(at->value.data, at->value.data + at->value.len,
                                 (u_char *)"action=", sizeof "action=" - 2);
    if (!p) {
        return SLICE("");
    }
    p += sizeof "action=" - 1;
    size_t n = (size_t)(at->value.data + at->value.len - p);
    const u_char *end = memchr(p, ';', n);
    return unquoted(slice_of((char *)p, end ? (size_t)(end - p) : n));
}

/* Faults of the client's document ---------------------------------------------------------------
 */

static enum problem problem_of(enum convert_err err, bool query)
{
    switch (err) {
    case CONVERT_EMEMORY:
        return PROBLEM_INTERNAL;
    case CONVERT_EINPUT:
    case CONVERT_EOUTPUT:
        return PROBLEM_BODY_TOO_LARGE;
    case CONVERT_EDEPTH:
    case CONVERT_ELIMIT:
        return PROBLEM_BODY_TOO_COMPLEX;
    case CONVERT_ESYNTAX:
    case CONVERT_EENCODING:
    case CONVERT_EDOCTYPE:
    case CONVERT_EENVELOPE:
        return query ? PROBLEM_PARAMETER_INVALID : PROBLEM_BODY_MALFORMED;
    case CONVERT_EUNKNOWN:
        return query ? PROBLEM_PARAMETER_UNKNOWN : PROBLEM_BODY_INVALID;
    case CONVERT_EREQUIRED:
        return query ? PROBLEM_PARAMETER_MISSING : PROBLEM_BODY_INVALID;
    default:
        return query ? PROBLEM_PARAMETER_INVALID : PROBLEM_BODY_INVALID;
    }
}

static ngx_int_t refuse(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct convert_error *error)
{
    bool query = convert_op_by_query(ctx->op) && ctx->form == CONVERT_JSON;
    ngx_str_t where = {strlen(error->where), (u_char *)error->where};
    u_char *kept = ngx_pstrdup(r->pool, &where);
    return sluice_refuse(ctx, problem_of(error->code, query), slice_str(error->text),
                         slice_of((const char *)kept, kept ? where.len : 0));
}

static void free_buf(void *data)
{
    buf_fini(data);
}

/* A buffer that is freed with the request; NULL: no memory. */
static struct buf *new_buf(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(struct buf));
    if (!cleanup) {
        return NULL;
    }
    buf_init(cleanup->data);
    cleanup->handler = free_buf;
    return cleanup->data;
}

static ngx_str_t text_of(const struct buf *buf)
{
    return (ngx_str_t){buf->n, (u_char *)buf->p};
}

/* Unwrap: the REST call that is meant -----------------------------------------------------------
 */

static bool at_root(const sluice_ctx_t *ctx, ngx_http_request_t *r)
{
    size_t n = r->uri.len - ctx->api->record.prefix_bytes;
    return n == 0 || (n == 1 && r->uri.data[r->uri.len - 1] == '/');
}

/* An XML name out of the API's own. */
static void service_name(struct slice name, char out[64])
{
    size_t n = ngx_min(name.n, 63);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        out[i] = (char)((c | 0x20) >= 'a' && (c | 0x20) <= 'z'          ? c
                        : i > 0 && ((c >= '0' && c <= '9') || c == '-') ? c
                                                                        : '_');
    }
    out[n] = '\0';
}

/* GET …?wsdl: what a SOAP client is made from. It is our own answer and passes no further stage. */
static ngx_int_t give_wsdl(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const struct replica_api *api = &ctx->api->record;
    struct buf *out = new_buf(r), *address = new_buf(r);
    struct convert_error error;
    struct slice json;
    uint64_t rev;
    char name[64];
    struct replica_reader *reader = sluice_reader();
    if (!out || !address || !reader ||
        replica_get_json(reader, "conversion", &api->policy.id, &rev, &json) != REPLICA_OK) {
        return sluice_refuse(ctx, PROBLEM_DEFINITION_MISSING, SLICE(""), SLICE(""));
    }
    service_name(api->name, name);
    struct slice host = r->headers_in.host ? sluice_slice(r->headers_in.host->value) : SLICE("");
    buf_addf(address, "%s://%.*s%.*s", r->connection->ssl ? "https" : "http", SLICE_FMT(host),
             SLICE_FMT(api->path));
    buf_addc(address, '\0');
    json_t *record = json_loadb(json.p, json.n, 0, NULL);
    enum convert_err err = address->failed ? CONVERT_EMEMORY
                                           : convert_wsdl_of(json_object_get(record, "definition"),
                                                             name, address->p, true, out, &error);
    json_decref(record);
    if (err != CONVERT_OK) {
        return sluice_refuse(ctx, PROBLEM_OPERATION_UNKNOWN, SLICE("the API has no WSDL"),
                             SLICE("query"));
    }
    ctx->problem_body = text_of(out);
    ngx_str_set(&ctx->own_type, "text/xml; charset=utf-8");
    return NGX_DECLINED;
}

static const struct convert_op *find(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const struct convert *convert = ctx->conversion->convert;
    struct slice rest;
    if (ctx->form == CONVERT_SOAP11 || ctx->form == CONVERT_SOAP12) {
        return at_root(ctx, r) && r->method == NGX_HTTP_POST
                   ? convert_find_soap(convert, action_of(r, ctx->form), sluice_slice(ctx->body))
                   : NULL;
    }
    return sluice_raw_rest(r, ctx, &rest)
               ? convert_find(convert, sluice_slice(r->method_name), rest)
               : NULL;
}

/* The client's document as JSON, in place of its body. */
static ngx_int_t body_to_json(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct convert_error error;
    struct convert_limits limits = {CONVERT_INPUT_MAX, SLUICE_ANSWER_MAX};
    struct buf *out = new_buf(r);
    if (!out) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (ctx->body.len == 0) {
        return sluice_refuse(ctx, PROBLEM_BODY_MISSING, SLICE(""), SLICE("body"));
    }
    if (convert_to_json(ctx->op, CONVERT_REQUEST, ctx->form, sluice_slice(ctx->body), out, &limits,
                        &error) != CONVERT_OK) {
        return refuse(r, ctx, &error);
    }
    return sluice_body_replace(r, ctx, text_of(out), SLICE("application/json")) == NGX_OK
               ? NGX_OK
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

static ngx_int_t unwrap_as(ngx_http_request_t *r, sluice_ctx_t *ctx, enum convert_form form)
{
    ctx->form = (uint8_t)form;
    ctx->op = find(r, ctx);
    if (!ctx->op) {
        return sluice_refuse(ctx, PROBLEM_OPERATION_UNKNOWN, SLICE(""), SLICE(""));
    }
    if (!convert_op_accepts(ctx->op, form)) {
        return sluice_refuse(ctx, PROBLEM_MEDIA_TYPE_UNSUPPORTED, SLICE(""), SLICE("content-type"));
    }
    bool document = form != CONVERT_JSON && !(form == CONVERT_XML && convert_op_by_query(ctx->op));
    return document ? body_to_json(r, ctx) : NGX_OK;
}

ngx_int_t sluice_unwrap(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const struct replica_api *api = &ctx->api->record;
    if (!api->has_conversion || ctx->export_asked) {
        return NGX_OK;
    }
    ctx->conversion = sluice_definition_find(SLUICE_CONVERSION, &api->policy.id);
    if (!ctx->conversion) {
        return sluice_refuse(ctx, PROBLEM_DEFINITION_MISSING, SLICE(""), SLICE(""));
    }
    if (r->method == NGX_HTTP_GET && r->args.len == 4 && at_root(ctx, r) &&
        ngx_strncasecmp(r->args.data, (u_char *)"wsdl", 4) == 0) {
        return give_wsdl(r, ctx);
    }
    enum convert_form form = form_of(r);
    if (form == CONVERT_JSON && ctx->body.len > 0 &&
        !(r->headers_in.content_type &&
          is_type(sluice_slice(r->headers_in.content_type->value), SLICE("application/json")))) {
        return sluice_refuse(ctx, PROBLEM_MEDIA_TYPE_UNSUPPORTED, SLICE(""), SLICE("content-type"));
    }
    /* What the caller signed is kept before any of it is changed. */
    return sluice_sign_expect(r, ctx) == NGX_OK ? unwrap_as(r, ctx, form) : NGX_DECLINED;
}

/* Convert: what the upstream speaks -------------------------------------------------------------
 */

/* The one header of that name of the request that goes on: each line that the client gave says it
 * too, for a second SOAPAction would be the client's choice of another operation. */
static ngx_int_t set_header(ngx_http_request_t *r, const char *name, const char *lower,
                            struct slice value)
{
    size_t n = strlen(name);
    bool found = false;
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part; part = part->next) {
        ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (headers[i].key.len == n &&
                ngx_strncasecmp(headers[i].key.data, (u_char *)name, n) == 0) {
                headers[i].value = (ngx_str_t){value.n, (u_char *)value.p};
                found = true;
            }
        }
    }
    ngx_table_elt_t *header = found ? NULL : ngx_list_push(&r->headers_in.headers);
    if (!header) {
        return found ? NGX_OK : NGX_ERROR;
    }
    ngx_memzero(header, sizeof *header);
    header->hash = 1;
    header->key = (ngx_str_t){n, (u_char *)name};
    header->lowcase_key = (u_char *)lower;
    header->value = (ngx_str_t){value.n, (u_char *)value.p};
    return NGX_OK;
}

/* The client's digest is of another body now. */
static ngx_int_t renew_digest(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    if (!header(r, "content-digest")) {
        return NGX_OK;
    }
    char *text = ngx_pnalloc(r->pool, HTTPSIG_DIGEST_TEXT_MAX);
    if (!text) {
        return NGX_ERROR;
    }
    crypto_hash(CRYPTO_SHA256, ctx->body.data, ctx->body.len, digest);
    size_t n = httpsig_write_digest(HTTPSIG_DIGEST_SHA256, digest, text);
    return set_header(r, "Content-Digest", "content-digest", slice_of(text, n));
}

/* The request line and headers of the operation's upstream. */
static ngx_int_t address(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const struct convert_op *op = ctx->op;
    enum convert_form form = convert_op_upstream_form(op);
    const char *method = convert_op_upstream_method(op), *path = convert_op_upstream_path(op);
    ctx->asked_method = r->method_name;
    r->method_name = (ngx_str_t){strlen(method), (u_char *)method};
    bool itself = strcmp(path, "/") == 0; /* a service at one address: the target's own path */
    ctx->rest = (ngx_str_t){itself ? 0 : strlen(path), (u_char *)path};
    struct slice type = slice_str(convert_op_content_type(op, form));
    if (renew_digest(r, ctx) != NGX_OK ||
        (ctx->body.len && set_header(r, "Content-Type", "content-type", type) != NGX_OK)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (form != CONVERT_SOAP11 && !header(r, "soapaction")) {
        return NGX_OK;
    }
    struct slice action =
        form == CONVERT_SOAP11 ? slice_str(convert_op_action_header(op)) : SLICE("");
    return set_header(r, "SOAPAction", "soapaction", action) == NGX_OK
               ? NGX_OK
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ngx_int_t sluice_convert(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const struct convert_op *op = ctx->op;
    struct convert_limits limits = {CONVERT_INPUT_MAX, SLUICE_ANSWER_MAX};
    struct convert_error error;
    if (!op) {
        return NGX_OK;
    }
    enum convert_form form = convert_op_upstream_form(op);
    struct buf *json = new_buf(r), *xml = new_buf(r);
    bool query = convert_op_by_query(op) && ctx->form <= CONVERT_XML;
    ngx_str_t body = ctx->body;
    if (!json || !xml) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (query) {
        if (convert_query(op, sluice_slice(r->args), json, &error) != CONVERT_OK) {
            return refuse(r, ctx, &error);
        }
        body = text_of(json);
    }
    if (form != CONVERT_JSON) {
        if (convert_to_xml(op, CONVERT_REQUEST, form, sluice_slice(body), xml, &limits, &error) !=
            CONVERT_OK) {
            return refuse(r, ctx, &error);
        }
        body = text_of(xml);
    }
    bool other = body.data != ctx->body.data;
    if (other && sluice_body_replace(r, ctx, body, SLICE("")) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return address(r, ctx);
}

/* The answer ------------------------------------------------------------------------------------
 */

bool sluice_convert_expected(const sluice_ctx_t *ctx)
{
    return ctx->op && convert_op_upstream_form(ctx->op) != CONVERT_JSON;
}

bool sluice_convert_answers(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    enum convert_form form = ctx->op ? convert_op_upstream_form(ctx->op) : CONVERT_JSON;
    struct slice type = sluice_slice(r->headers_out.content_type);
    ngx_uint_t status = r->headers_out.status;
    bool fault = status == NGX_HTTP_INTERNAL_SERVER_ERROR || status == NGX_HTTP_BAD_REQUEST;
    switch (form) {
    case CONVERT_XML:
        return status < 300 &&
               (is_type(type, SLICE("application/xml")) || is_type(type, SLICE("text/xml")));
    case CONVERT_SOAP11:
        return (status < 300 || fault) && is_type(type, SLICE("text/xml"));
    case CONVERT_SOAP12: /* some say text/xml for it */
        return (status < 300 || fault) &&
               (is_type(type, SLICE("application/soap+xml")) || is_type(type, SLICE("text/xml")));
    default:
        return false;
    }
}

ngx_int_t sluice_convert_begin(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ctx->xml = new_buf(r);
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);
    return ctx->xml ? NGX_OK : NGX_ERROR;
}

/* Takes in what came. Sets *last at the end and *cut to a buffer that says the upstream broke off.
 */
static void collect(struct buf *xml, ngx_chain_t *in, bool *last, ngx_chain_t **cut)
{
    for (; in; in = in->next) {
        ngx_buf_t *buf = in->buf;
        buf_add(xml, buf->pos, (size_t)(buf->last - buf->pos));
        buf->pos = buf->last;
        *last |= buf->last_buf;
        *cut = buf->flush && !buf->last_buf ? in : *cut;
    }
}

/* BK-7.1g: of a fault only whose it is; an answer of another status that is no fault is none. */
static ngx_int_t refuse_answer(ngx_http_request_t *r, sluice_ctx_t *ctx, enum convert_err err,
                               const struct convert_error *error)
{
    enum problem problem = PROBLEM_UPSTREAM_INVALID;
    if (err == CONVERT_OK) {
        problem = PROBLEM_UPSTREAM_UNAVAILABLE;
    } else if (err == CONVERT_EFAULT) {
        problem = error->fault == CONVERT_FAULT_CLIENT ? PROBLEM_UPSTREAM_REFUSED
                                                       : PROBLEM_UPSTREAM_UNAVAILABLE;
    } else if (r->headers_out.status >= 300) {
        problem = sluice_problem_of_status(r, r->headers_out.status);
    } else {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "sluice: upstream answer: %s (%s)",
                      error->text, error->where);
    }
    return sluice_refuse(ctx, problem, SLICE(""), SLICE(""));
}

static ngx_int_t answer_to_json(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t **in)
{
    struct convert_limits limits = {SLUICE_ANSWER_MAX, SLUICE_ANSWER_MAX};
    struct convert_error error;
    struct buf *json = new_buf(r);
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);
    ngx_chain_t *link = ngx_alloc_chain_link(r->pool);
    if (!json || !buf || !link || ctx->xml->failed) {
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    enum convert_err err =
        convert_to_json(ctx->op, CONVERT_RESPONSE, convert_op_upstream_form(ctx->op),
                        buf_slice(ctx->xml), json, &limits, &error);
    if (err != CONVERT_OK || r->headers_out.status >= 300) {
        return refuse_answer(r, ctx, err, &error);
    }
    buf->pos = (u_char *)json->p;
    buf->last = buf->pos + json->n;
    buf->memory = 1;
    buf->last_buf = 1;
    *link = (ngx_chain_t){buf, NULL};
    *in = link;
    ctx->xml = NULL;
    return NGX_OK;
}

ngx_int_t sluice_convert_answer(ngx_http_request_t *r, sluice_ctx_t *ctx, ngx_chain_t **in)
{
    bool last = false;
    ngx_chain_t *cut = NULL;
    collect(ctx->xml, *in, &last, &cut);
    ctx->heard_msec = *in && !cut ? ngx_current_msec : ctx->heard_msec;
    if (ctx->xml->n > SLUICE_ANSWER_MAX) {
        return sluice_refuse(ctx, PROBLEM_ANSWER_TOO_LARGE, SLICE(""), SLICE(""));
    }
    if (cut) { /* filter.c knows what that means */
        *in = cut;
        ctx->xml = NULL;
        return NGX_OK;
    }
    return last ? answer_to_json(r, ctx, in) : NGX_AGAIN;
}

bool sluice_wrap_wanted(const sluice_ctx_t *ctx)
{
    return ctx->op && ctx->form != CONVERT_JSON;
}

ngx_int_t sluice_wrap(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct convert_limits limits = {SLUICE_ANSWER_MAX, SLUICE_ANSWER_MAX};
    struct convert_error error;
    if (!sluice_wrap_wanted(ctx)) {
        return NGX_OK;
    }
    struct buf *out = new_buf(r);
    if (!out) {
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    enum convert_err err = convert_to_xml(ctx->op, CONVERT_RESPONSE, ctx->form,
                                          sluice_slice(ctx->answer), out, &limits, &error);
    if (err != CONVERT_OK) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "sluice: an answer does not fit its conversion: %s (%s)", error.text,
                      error.where);
        return sluice_refuse(
            ctx, err == CONVERT_EOUTPUT ? PROBLEM_ANSWER_TOO_LARGE : PROBLEM_UPSTREAM_INVALID,
            SLICE(""), SLICE(""));
    }
    const char *type = convert_op_content_type(ctx->op, ctx->form);
    ctx->answer = text_of(out);
    ctx->answer_type = (ngx_str_t){strlen(type), (u_char *)type};
    return NGX_OK;
}

/* Problems --------------------------------------------------------------------------------------
 */

static void set_problem(ngx_http_request_t *r, sluice_ctx_t *ctx, const struct buf *body,
                        const char *type)
{
    ctx->problem_body = text_of(body);
    r->headers_out.content_length_n = (off_t)body->n;
    r->headers_out.content_type = (ngx_str_t){strlen(type), (u_char *)type};
    r->headers_out.content_type_len = r->headers_out.content_type.len;
}

/* A fault is 500 in SOAP 1.1 (its section 6.2), 400 or 500 in SOAP 1.2 (part 2, section 7.5.2.2).
 * Its code says whose it is, its text which problem; no detail. */
static void soap_problem(ngx_http_request_t *r, sluice_ctx_t *ctx, enum convert_form form,
                         struct buf *out)
{
    const struct problem_row *row = problem_row(ctx->problem);
    bool client = row->status < 500, v12 = form == CONVERT_SOAP12;
    char text[256];
    snprintf(text, sizeof text, "%s: %s (%.*s)", row->code, row->title_en, UUID_TEXT_LEN,
             ctx->txn_text);
    convert_soap_fault(form, client ? CONVERT_FAULT_CLIENT : CONVERT_FAULT_SERVER, slice_str(text),
                       out);
    r->headers_out.status = client && v12 ? NGX_HTTP_BAD_REQUEST : NGX_HTTP_INTERNAL_SERVER_ERROR;
    set_problem(r, ctx, out,
                v12 ? "application/soap+xml; charset=utf-8" : "text/xml; charset=utf-8");
}

/* RFC 7807, appendix A. Code, titles and number are plain text without markup. */
static void xml_problem(ngx_http_request_t *r, sluice_ctx_t *ctx, struct buf *out)
{
    const struct problem_row *row = problem_row(ctx->problem);
    buf_addf(out,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?><problem xmlns=\"urn:ietf:rfc:7807\">"
             "<type>urn:sluice:problem:%s</type><title>%s</title><status>%u</status>"
             "<code>%s</code><instance>%.*s</instance></problem>",
             row->code, sluice_prefers_zh(r) ? row->title_zh : row->title_en, row->status,
             row->code, UUID_TEXT_LEN, ctx->txn_text);
    set_problem(r, ctx, out, "application/problem+xml");
}

ngx_int_t sluice_convert_problem(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (!ctx->api || !ctx->api->record.has_conversion) {
        return NGX_OK;
    }
    enum convert_form form = ctx->op ? (enum convert_form)ctx->form : form_of(r);
    struct buf *out = form == CONVERT_JSON ? NULL : new_buf(r);
    if (!out) {
        return form == CONVERT_JSON ? NGX_OK : NGX_ERROR;
    }
    if (form == CONVERT_XML) {
        xml_problem(r, ctx, out);
    } else {
        soap_problem(r, ctx, form, out);
    }
    return out->failed ? NGX_ERROR : NGX_OK;
}
