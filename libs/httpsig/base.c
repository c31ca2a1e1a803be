/* SPDX-License-Identifier: Apache-2.0 */
/* The signature base, RFC 9421 sections 2.2 and 2.5. */
#include "httpsig/httpsig.h"

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

static void put_component(struct writer *w, uint8_t kind, struct slice name,
                          const struct httpsig_request *req)
{
    struct slice path, query, value;
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
    case HTTPSIG_SCHEME:
        put_lower(w, req->scheme);
        break;
    default:
        if (req->field == NULL || !req->field(req->ctx, name, &value)) {
            w->err = HTTPSIG_ECOMPONENT;
            return;
        }
        put_value(w, value);
    }
}

enum httpsig_err httpsig_base(const struct httpsig *s, const struct httpsig_request *req, char *out,
                              size_t cap, size_t *n)
{
    struct writer w = {out, out + cap, HTTPSIG_OK};
    for (size_t i = 0; i < s->n_components && w.err == HTTPSIG_OK; i++) {
        put(&w, SLICE("\""));
        put(&w, s->components[i].name);
        put(&w, SLICE("\": "));
        put_component(&w, s->components[i].kind, s->components[i].name, req);
        put(&w, SLICE("\n"));
    }
    put(&w, SLICE("\"@signature-params\": "));
    put(&w, s->params);
    if (w.err == HTTPSIG_OK) {
        *n = (size_t)(w.at - out);
    }
    return w.err;
}

static bool covers_field(const struct httpsig *s, struct slice name)
{
    for (size_t i = 0; i < s->n_components; i++) {
        if (slice_eq(s->components[i].name, name)) {
            return true;
        }
    }
    return false;
}

enum httpsig_err httpsig_covers(const struct httpsig *s, const struct slice *fields, size_t n,
                                struct slice *missing)
{
    unsigned kinds = 0;
    for (size_t i = 0; i < s->n_components; i++) {
        kinds |= 1u << s->components[i].kind;
    }
    unsigned path_query = 1u << HTTPSIG_PATH | 1u << HTTPSIG_QUERY;
    bool target = kinds & (1u << HTTPSIG_TARGET_URI | 1u << HTTPSIG_REQUEST_TARGET) ||
                  (kinds & path_query) == path_query;
    if (!(kinds & 1u << HTTPSIG_METHOD)) {
        *missing = SLICE("@method");
        return HTTPSIG_ECOVERAGE;
    }
    if (!target) {
        *missing = kinds & 1u << HTTPSIG_PATH ? SLICE("@query") : SLICE("@path");
        return HTTPSIG_ECOVERAGE;
    }
    for (size_t i = 0; i < n; i++) {
        if (!covers_field(s, fields[i])) {
            *missing = fields[i];
            return HTTPSIG_ECOVERAGE;
        }
    }
    return HTTPSIG_OK;
}
