/* SPDX-License-Identifier: Apache-2.0 */
/* The signature base, RFC 9421 sections 2.2 and 2.5. */
#include "httpsig/inner.h"

struct writer {
    char *at, *end;
    enum httpsig_err err;
};

static void put(struct writer *w, struct slice text)
{
    if ((size_t)(w->end - w->at) < text.n) {
        w->err = w->err == HTTPSIG_OK ? HTTPSIG_ELIMIT : w->err;
        return;
    }
    if (text.n > 0) {
        memcpy(w->at, text.p, text.n);
    }
    w->at += text.n;
}

static bool is_line(struct slice text)
{
    return text.n == 0 ||
           (memchr(text.p, '\n', text.n) == NULL && memchr(text.p, '\r', text.n) == NULL);
}

/* A value of the request. A line break in it could stand for a component it is not. */
static void put_value(struct writer *w, struct slice value)
{
    if (!is_line(value)) {
        w->err = HTTPSIG_ECOMPONENT;
        return;
    }
    put(w, value);
}

static void put_lower(struct writer *w, struct slice text)
{
    char *from = w->at;
    put_value(w, text);
    for (char *p = from; p < w->at; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            *p = (char)(*p | 0x20);
        }
    }
}

static bool is_no_case(struct slice text, const char *lower)
{
    for (size_t i = 0; i < text.n; i++) {
        if (lower[i] == '\0' || (text.p[i] | 0x20) != lower[i]) {
            return false;
        }
    }
    return lower[text.n] == '\0';
}

static bool ends_with(struct slice text, struct slice tail)
{
    return text.n > tail.n && memcmp(text.p + text.n - tail.n, tail.p, tail.n) == 0;
}

/* 2.2.3: normalised as RFC 9110 section 4.2.3: lower case, without the scheme's own port. */
static void put_authority(struct writer *w, const struct httpsig_request *req)
{
    struct slice host = req->authority;
    if (is_no_case(req->scheme, "https") && ends_with(host, SLICE(":443"))) {
        host.n -= 4;
    } else if (is_no_case(req->scheme, "http") && ends_with(host, SLICE(":80"))) {
        host.n -= 3;
    }
    put_lower(w, host);
}

/* Origin form only; another form has no path of its own to speak for. */
static bool split_target(struct slice target, struct slice *path, struct slice *query)
{
    if (target.n > 0 && target.p[0] != '/' && target.p[0] != '?') {
        return false;
    }
    const char *mark = target.n > 0 ? memchr(target.p, '?', target.n) : NULL;
    size_t path_n = mark != NULL ? (size_t)(mark - target.p) : target.n;
    *path = path_n > 0 ? slice_of(target.p, path_n) : SLICE("/");
    *query = mark != NULL ? slice_of(mark, target.n - path_n) : SLICE("?");
    return true;
}

static void put_target_uri(struct writer *w, const struct httpsig_request *req)
{
    put_lower(w, req->scheme);
    put(w, SLICE("://"));
    put_authority(w, req);
    if (req->target.n == 0 || req->target.p[0] == '?') {
        put(w, SLICE("/"));
    }
    put_value(w, req->target);
}

static void put_derived(struct writer *w, uint8_t kind, const struct httpsig_request *req)
{
    struct slice path, query;
    bool origin_form = split_target(req->target, &path, &query);
    bool needs_it = kind == HTTPSIG_PATH || kind == HTTPSIG_QUERY || kind == HTTPSIG_TARGET_URI;
    if (needs_it && !origin_form) {
        w->err = HTTPSIG_ECOMPONENT;
        return;
    }
    switch (kind) {
    case HTTPSIG_METHOD:
        put_value(w, req->method);
        break;
    case HTTPSIG_AUTHORITY:
        put_authority(w, req);
        break;
    case HTTPSIG_TARGET_URI:
        put_target_uri(w, req);
        break;
    case HTTPSIG_REQUEST_TARGET:
        put_value(w, req->target);
        break;
    case HTTPSIG_PATH:
        put_value(w, path);
        break;
    case HTTPSIG_QUERY:
        put_value(w, query);
        break;
    default:
        put_lower(w, req->scheme);
    }
}

static void put_status(struct writer *w, unsigned status)
{
    char digits[3] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
                      (char)('0' + status % 10)};
    if (status < 100 || status > 999) {
        w->err = HTTPSIG_ECOMPONENT;
        return;
    }
    put(w, slice_of(digits, sizeof digits));
}

/* What is signed. */
struct message {
    const struct httpsig_response *response; /* NULL: the request itself */
    const struct httpsig_request *request;
};

static bool field_of(const struct message *m, const struct httpsig_covered *one,
                     struct slice *value)
{
    bool ours = m->response != NULL && !one->req;
    bool (*field)(void *, struct slice, struct slice *) =
        ours ? m->response->field : m->request->field;
    if (field == NULL || !field(ours ? m->response->ctx : m->request->ctx, one->name, value)) {
        return false;
    }
    if (one->key.n == 0) {
        return true;
    }
    return slice_eq(one->name, SLICE("signature"))
               ? httpsig_signature_member(*value, one->key, value)
               : httpsig_input_member(*value, one->key, value);
}

static void put_component(struct writer *w, const struct message *m,
                          const struct httpsig_covered *one)
{
    struct slice value;
    bool response = m->response != NULL, of_request = !response || one->req;
    if (!httpsig_allowed(one, response) || (of_request && m->request == NULL)) {
        w->err = HTTPSIG_ECOMPONENT;
    } else if (one->kind == HTTPSIG_STATUS) {
        put_status(w, response ? m->response->status : 0);
    } else if (one->kind < HTTPSIG_FIELD) {
        put_derived(w, one->kind, m->request);
    } else if (field_of(m, one, &value)) {
        put_value(w, value);
    } else {
        w->err = HTTPSIG_ECOMPONENT;
    }
}

static enum httpsig_err make_base(const struct httpsig *s, const struct message *m, char *out,
                                  size_t cap, size_t *n)
{
    struct writer w = {out, out + cap, HTTPSIG_OK};
    for (size_t i = 0; i < s->n_components && w.err == HTTPSIG_OK; i++) {
        put(&w, SLICE("\""));
        put(&w, s->components[i].name);
        put(&w, SLICE("\""));
        put(&w, s->components[i].params);
        put(&w, SLICE(": "));
        put_component(&w, m, &s->components[i]);
        put(&w, SLICE("\n"));
    }
    put(&w, SLICE("\"@signature-params\": "));
    put(&w, s->params);
    if (w.err == HTTPSIG_OK) {
        *n = (size_t)(w.at - out);
    }
    return w.err;
}

enum httpsig_err httpsig_base(const struct httpsig *s, const struct httpsig_request *req, char *out,
                              size_t cap, size_t *n)
{
    return make_base(s, &(struct message){NULL, req}, out, cap, n);
}

enum httpsig_err httpsig_base_response(const struct httpsig *s, const struct httpsig_response *res,
                                       const struct httpsig_request *req, char *out, size_t cap,
                                       size_t *n)
{
    return make_base(s, &(struct message){res, req}, out, cap, n);
}

static bool covers_field(const struct httpsig *s, struct slice name, bool req)
{
    for (size_t i = 0; i < s->n_components; i++) {
        if (slice_eq(s->components[i].name, name) && s->components[i].req == req) {
            return true;
        }
    }
    return false;
}

/* The method and the target of the request; req: as components of a response. */
static bool covers_line(const struct httpsig *s, bool req, struct slice *missing)
{
    unsigned kinds = 0;
    for (size_t i = 0; i < s->n_components; i++) {
        kinds |= s->components[i].req == req ? 1u << s->components[i].kind : 0;
    }
    unsigned path_query = 1u << HTTPSIG_PATH | 1u << HTTPSIG_QUERY;
    bool target = kinds & (1u << HTTPSIG_TARGET_URI | 1u << HTTPSIG_REQUEST_TARGET) ||
                  (kinds & path_query) == path_query;
    if (!(kinds & 1u << HTTPSIG_METHOD)) {
        *missing = SLICE("@method");
        return false;
    }
    if (!target) {
        *missing = kinds & 1u << HTTPSIG_PATH ? SLICE("@query") : SLICE("@path");
    }
    return target;
}

static bool covers_fields(const struct httpsig *s, const struct slice *fields, size_t n,
                          struct slice *missing)
{
    for (size_t i = 0; i < n; i++) {
        if (!covers_field(s, fields[i], false)) {
            *missing = fields[i];
            return false;
        }
    }
    return true;
}

enum httpsig_err httpsig_covers(const struct httpsig *s, const struct slice *fields, size_t n,
                                struct slice *missing)
{
    return covers_line(s, false, missing) && covers_fields(s, fields, n, missing)
               ? HTTPSIG_OK
               : HTTPSIG_ECOVERAGE;
}

enum httpsig_err httpsig_covers_response(const struct httpsig *s, const struct slice *fields,
                                         size_t n, struct slice *missing)
{
    static const struct slice always[] = {{"@status", 7}, {"content-digest", 14}};
    if (!covers_fields(s, always, sizeof always / sizeof *always, missing) ||
        !covers_line(s, true, missing) || !covers_fields(s, fields, n, missing)) {
        return HTTPSIG_ECOVERAGE;
    }
    if (!covers_field(s, SLICE("signature"), true)) {
        *missing = SLICE("signature");
        return HTTPSIG_ECOVERAGE;
    }
    return HTTPSIG_OK;
}
