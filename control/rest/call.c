/* SPDX-License-Identifier: Apache-2.0 */
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "identity/identity.h"
#include "rest/resource.h"
#include "web/web.h"

#define PREFIX "/api/v1/"

static const struct {
    enum rest_role role;
    const char *name;
} roles[] = {
    {ROLE_ADMIN, "admin"},         {ROLE_OPERATOR, "operator"},  {ROLE_PROVIDER, "provider"},
    {ROLE_DEVELOPER, "developer"}, {ROLE_OWNER, "owner"},        {ROLE_AUDITOR, "auditor"},
    {ROLE_MEMBER, "member"},       {ROLE_ADMIN, "system-admin"}, {ROLE_ADMIN, "security-admin"},
};

const char *rest_role_name(enum rest_role role)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (roles[i].role == role) {
            return roles[i].name;
        }
    }
    return "nobody";
}

enum rest_role rest_role_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(roles[i].name, name) == 0) {
            return roles[i].role;
        }
    }
    return 0;
}

void rest_response_init(struct rest_response *resp)
{
    *resp = (struct rest_response){.content_type = "application/json"};
    buf_init(&resp->body);
}

void rest_response_fini(struct rest_response *resp)
{
    for (size_t i = 0; i < resp->n_headers; i++) {
        crypto_wipe(resp->headers[i].value, strlen(resp->headers[i].value));
        free(resp->headers[i].value);
    }
    resp->n_headers = 0;
    buf_wipe(&resp->body);
}

enum problem rest_fail(struct rest_call *c, enum problem p, const char *where, const char *format,
                       ...)
{
    va_list args;

    snprintf(c->where, sizeof c->where, "%s", where ? where : "");
    va_start(args, format);
    vsnprintf(c->detail, sizeof c->detail, format, args);
    va_end(args);
    return p;
}

enum problem rest_store_problem(struct rest_call *c, enum store_err err)
{
    switch (err) {
    case STORE_OK:
        return PROBLEM_OK;
    case STORE_EEXISTS:
        return PROBLEM_ALREADY_EXISTS;
    case STORE_EREF:
        return rest_fail(c, PROBLEM_FIELD_INVALID, "", "it refers to a resource that is not there");
    case STORE_EFULL:
        return PROBLEM_STORAGE_FULL;
    case STORE_EIO:
    case STORE_ENEWER:
        break;
    }
    return PROBLEM_INTERNAL;
}

const char *rest_query(const struct rest_call *c, const char *key)
{
    for (size_t i = 0; i < c->req->n_query; i++) {
        if (strcmp(c->req->query[i].key, key) == 0) {
            return c->req->query[i].value;
        }
    }
    return NULL;
}

const char *rest_form(const struct rest_call *c, const char *key)
{
    for (size_t i = 0; i < c->n_form; i++) {
        if (strcmp(c->form[i].key, key) == 0) {
            return c->form[i].value;
        }
    }
    return NULL;
}

const char *rest_request_header(const struct rest_call *c, const char *name)
{
    return c->req->header ? c->req->header(c->req->header_ctx, name) : NULL;
}

void rest_header(struct rest_call *c, const char *name, const char *value)
{
    struct rest_response *resp = c->resp;

    for (const char *s = value; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) {
            return;
        }
    }
    char *copy = resp->n_headers < REST_HEADERS_MAX ? strdup(value) : NULL;
    if (copy) {
        resp->headers[resp->n_headers].name = name;
        resp->headers[resp->n_headers++].value = copy;
    }
}

enum problem rest_page(struct rest_call *c, unsigned status, struct slice html)
{
    c->resp->status = status;
    c->resp->content_type = "text/html; charset=utf-8";
    buf_add(&c->resp->body, html.p, html.n);
    return c->resp->body.failed ? PROBLEM_INTERNAL : PROBLEM_OK;
}

enum problem rest_answer(struct rest_call *c, unsigned status, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    if (!text) {
        return PROBLEM_INTERNAL;
    }
    size_t n = strlen(text);
    buf_add(&c->resp->body, text, n);
    crypto_wipe(text, n);
    free(text);
    c->resp->status = status;
    return c->resp->body.failed ? PROBLEM_INTERNAL : PROBLEM_OK;
}

enum problem rest_body_members(struct rest_call *c, const char *const *allowed)
{
    const char *key;
    json_t *value;
    char where[80];

    if (!c->body) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "a JSON object is needed");
    }
    json_object_foreach(c->body, key, value)
    {
        size_t i = 0;
        while (allowed[i] && strcmp(allowed[i], key) != 0) {
            i++;
        }
        if (!allowed[i]) {
            snprintf(where, sizeof where, "/%.60s", key);
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "there is no such member");
        }
    }
    return PROBLEM_OK;
}

const char *rest_body_text(struct rest_call *c, const char *name, size_t max_bytes, enum problem *p)
{
    const json_t *v = json_object_get(c->body, name);
    char where[80];

    snprintf(where, sizeof where, "/%s", name);
    if (!json_is_string(v) || json_string_length(v) == 0) {
        *p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "a text is needed");
        return NULL;
    }
    if (json_string_length(v) > max_bytes) {
        *p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "at most %zu bytes", max_bytes);
        return NULL;
    }
    return json_string_value(v);
}

enum problem rest_begin(struct rest_call *c, enum store_mode mode, struct store_txn **txn)
{
    return rest_store_problem(c, store_begin(c->ctl->store, mode, txn));
}

enum problem rest_finish(struct rest_call *c, struct store_txn **txn, enum problem p)
{
    if (p != PROBLEM_OK) {
        store_rollback(txn);
        return p;
    }
    p = rest_store_problem(c, store_commit(txn));
    if (p == PROBLEM_OK && c->rang) {
        control_ring(c->ctl);
    }
    return p;
}

enum problem rest_query_known(struct rest_call *c, const char *const *names, size_t n,
                              const char *text)
{
    for (size_t i = 0; i < c->req->n_query; i++) {
        size_t k = 0;
        while (k < n && strcmp(names[k], c->req->query[i].key) != 0) {
            k++;
        }
        if (k == n) {
            return rest_fail(c, PROBLEM_QUERY_MALFORMED, "", "%s", text);
        }
    }
    return PROBLEM_OK;
}

/* Parsing ------------------------------------------------------------------------------------- */
bool rest_too_deep(const json_t *v, unsigned left)
{
    const char *key;
    json_t *child;
    size_t i;

    if (!json_is_object(v) && !json_is_array(v)) {
        return false;
    }
    if (left == 0) {
        return true;
    }
    json_object_foreach((json_t *)v, key, child)
    {
        if (rest_too_deep(child, left - 1)) {
            return true;
        }
    }
    json_array_foreach(v, i, child)
    {
        if (rest_too_deep(child, left - 1)) {
            return true;
        }
    }
    return false;
}

static unsigned depth_allowed(const struct rest_call *c)
{
    const struct resource *res = c->n_segments ? resource_by_plural(c->segment[0]) : NULL;

    return res && res->depth ? res->depth : REST_DEPTH_MAX;
}

static enum problem read_body(struct rest_call *c)
{
    unsigned depth = depth_allowed(c);
    json_error_t error;

    if (c->req->body.n > REST_BODY_MAX) {
        return rest_fail(c, PROBLEM_BODY_TOO_LARGE, "", "at most %u bytes", REST_BODY_MAX);
    }
    if (c->req->body.n == 0) {
        return PROBLEM_OK;
    }
    if (!utf8_valid(c->req->body)) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "not valid UTF-8");
    }
    c->body = json_loadb(c->req->body.p, c->req->body.n, JSON_REJECT_DUPLICATES, &error);
    if (!c->body) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "line %d, column %d: not JSON", error.line,
                         error.column);
    }
    if (!json_is_object(c->body)) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "a JSON object is needed");
    }
    if (rest_too_deep(c->body, depth)) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "nested deeper than %u levels", depth);
    }
    return PROBLEM_OK;
}

static enum problem check_query(struct rest_call *c)
{
    if (c->req->n_query >= REST_QUERY_MAX) {
        return rest_fail(c, PROBLEM_QUERY_TOO_LARGE, "", "fewer than %d parameters",
                         REST_QUERY_MAX);
    }
    for (size_t i = 0; i < c->req->n_query; i++) {
        struct slice key = slice_str(c->req->query[i].key),
                     value = slice_str(c->req->query[i].value);
        if (!utf8_valid(key) || !utf8_valid(value)) {
            return rest_fail(c, PROBLEM_QUERY_MALFORMED, "", "not valid UTF-8");
        }
        if (value.n > REST_TEXT_MAX) {
            return rest_fail(c, PROBLEM_QUERY_TOO_LARGE, "", "a value has at most %d bytes",
                             REST_TEXT_MAX);
        }
    }
    return PROBLEM_OK;
}

/* Percent-decodes one segment in place, so that an encoded slash does not split it. */
static bool decode(char *segment)
{
    size_t n = MHD_http_unescape(segment);

    return n > 0 && n == strlen(segment) && utf8_valid(slice_of(segment, n));
}

/* Splits the path behind the prefix into segments; false: not a path of ours. */
static bool split(struct rest_call *c, const char *prefix)
{
    size_t n = strlen(c->req->path), skip = strlen(prefix);

    if (n >= sizeof c->path || strncmp(c->req->path, prefix, skip) != 0) {
        return false;
    }
    memcpy(c->path, c->req->path, n + 1);
    char *at = c->path + skip;
    while (at) {
        char *slash = strchr(at, '/');
        if (slash) {
            *slash = '\0';
        }
        if (c->n_segments == REST_SEGMENTS_MAX || !decode(at)) {
            return false;
        }
        c->segment[c->n_segments++] = at;
        at = slash ? slash + 1 : NULL;
    }
    return true;
}

static bool matches(const struct rest_call *c, const char *pattern)
{
    for (size_t i = 0; i < c->n_segments; i++) {
        size_t n = strcspn(pattern, "/");
        bool any = n == 1 && *pattern == '*';
        if (!any && (strlen(c->segment[i]) != n || memcmp(c->segment[i], pattern, n) != 0)) {
            return false;
        }
        pattern += n;
        if (*pattern == '\0') {
            return i + 1 == c->n_segments;
        }
        pattern++;
    }
    return false;
}

static enum problem find_route(struct rest_call *c, const struct rest_route *routes, size_t n,
                               const struct rest_route **route)
{
    bool path_known = false;

    for (size_t i = 0; i < n; i++) {
        if (!matches(c, routes[i].pattern)) {
            continue;
        }
        path_known = true;
        if (strcmp(routes[i].method, c->req->method) == 0) {
            *route = &routes[i];
            return PROBLEM_OK;
        }
    }
    return path_known ? PROBLEM_METHOD_NOT_ALLOWED : PROBLEM_NOT_FOUND;
}

/* One name twice would let two readers see two values: refused (RFC 6749 3.1). */
static enum problem add_member(struct rest_call *c, char *pair)
{
    char *value = strchr(pair, '=');

    if (!value) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "a form of name=value pairs is needed");
    }
    *value++ = '\0';
    for (char *s = pair; (s = strchr(s, '+')); *s = ' ') {
    }
    for (char *s = value; (s = strchr(s, '+')); *s = ' ') {
    }
    size_t key_n = MHD_http_unescape(pair), value_n = MHD_http_unescape(value);
    if (key_n != strlen(pair) || value_n != strlen(value) || !utf8_valid(slice_str(pair)) ||
        !utf8_valid(slice_str(value))) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "not valid UTF-8, or a zero byte");
    }
    if (rest_form(c, pair) || c->n_form == REST_FORM_MAX) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "a member twice, or more than %d members",
                         REST_FORM_MAX);
    }
    c->form[c->n_form++] = (struct rest_parameter){pair, value};
    return PROBLEM_OK;
}

static enum problem read_form(struct rest_call *c)
{
    enum problem p = PROBLEM_OK;

    if (c->req->body.n > REST_BODY_MAX) {
        return rest_fail(c, PROBLEM_BODY_TOO_LARGE, "", "at most %u bytes", REST_BODY_MAX);
    }
    if (c->req->body.n == 0) {
        return PROBLEM_OK;
    }
    c->form_text = strndup(c->req->body.p, c->req->body.n);
    if (!c->form_text || strlen(c->form_text) != c->req->body.n) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "a form has no zero byte");
    }
    char *rest = NULL;
    for (char *pair = strtok_r(c->form_text, "&", &rest); pair && p == PROBLEM_OK;
         pair = strtok_r(NULL, "&", &rest)) {
        p = add_member(c, pair);
    }
    return p;
}

static bool media_type_is(const char *header, const char *type)
{
    size_t n = strlen(type);

    return header && strncasecmp(header, type, n) == 0 &&
           (header[n] == '\0' || header[n] == ';' || header[n] == ' ');
}

static enum problem read_web_body(struct rest_call *c)
{
    const char *type = rest_request_header(c, "Content-Type");

    if (c->req->body.n == 0 || media_type_is(type, "application/x-www-form-urlencoded")) {
        return read_form(c);
    }
    if (media_type_is(type, "application/json")) {
        return read_body(c);
    }
    if (media_type_is(type, "application/ocsp-request")) {
        return PROBLEM_OK; /* DER: its reader has a bound of its own */
    }
    return rest_fail(c, PROBLEM_MEDIA_TYPE_UNSUPPORTED, "", "a form or JSON is needed");
}

static enum problem run_web(struct rest_call *c)
{
    const struct rest_route *route = NULL;
    bool front = strcmp(c->req->path, "/portal/") == 0 && strcmp(c->req->method, "GET") == 0;

    if (front) { /* the one address that ends with a slash */
        return web_portal_page(c);
    }
    enum problem p =
        split(c, "/") ? find_route(c, web_routes, web_routes_n, &route) : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK) {
        p = check_query(c);
    }
    if (p == PROBLEM_OK) {
        p = read_web_body(c);
    }
    return p == PROBLEM_OK ? route->handler(c) : p;
}

/* Nothing is done before this has said that it may be. */
static enum problem permit(struct rest_call *c, const struct rest_route *route)
{
    char operation[ACCESS_OPERATION_MAX];

    if (route->flags & ROUTE_OPEN) {
        return PROBLEM_OK;
    }
    if (!access_operation_of(c, route, operation)) {
        return route->pattern[0] == '*' ? PROBLEM_NOT_FOUND : PROBLEM_NOT_PERMITTED;
    }
    return access_check(c, operation);
}

static enum problem handle(struct rest_call *c, const struct rest_route *route)
{
    bool held_back = false;
    enum problem p = permit(c, route);

    if (p == PROBLEM_OK && !(route->flags & (ROUTE_OPEN | ROUTE_RAW))) {
        p = access_dual(c, c->operation, &held_back);
    }
    return p == PROBLEM_OK && !held_back ? route->handler(c) : p;
}

static enum problem run(struct rest_call *c)
{
    const struct rest_route *route = NULL;

    if (c->req->head_bytes > REST_HEAD_MAX) {
        return rest_fail(c, PROBLEM_REQUEST_TOO_LARGE, "", "at most %u bytes of URL and headers",
                         REST_HEAD_MAX);
    }
    if (strncmp(c->req->path, PREFIX, sizeof PREFIX - 1) != 0) {
        return run_web(c);
    }
    enum problem p =
        split(c, PREFIX) ? find_route(c, rest_routes, rest_routes_n, &route) : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK && !(route->flags & ROUTE_OPEN)) {
        p = rest_authenticate(c);
    }
    if (p == PROBLEM_OK && c->user.must_change_password &&
        !(route->flags & (ROUTE_ONE_TIME | ROUTE_OPEN))) {
        p = PROBLEM_PASSWORD_CHANGE_REQUIRED;
    }
    if (p == PROBLEM_OK && !(route->flags & (ROUTE_ONE_TIME | ROUTE_OPEN))) {
        p = c->user.restricted;
    }
    if (p == PROBLEM_OK) {
        p = check_query(c);
    }
    if (p == PROBLEM_OK && !(route->flags & ROUTE_RAW)) {
        p = read_body(c);
    }
    return p == PROBLEM_OK ? handle(c, route) : p;
}

static void render_problem(struct rest_call *c, enum problem p)
{
    char text[PROBLEM_RENDER_MAX];
    size_t n = problem_render(p, c->zh, slice_str(c->detail), slice_str(c->where),
                              slice_str(c->resp->transaction), text);

    buf_wipe(&c->resp->body);
    buf_init(&c->resp->body);
    buf_add(&c->resp->body, text, n);
    c->resp->status = problem_row(p)->status;
    c->resp->content_type = "application/problem+json";
    c->resp->etag[0] = '\0';
    c->resp->location[0] = '\0';
}

/* A body may hold a password, a connection string, or a private key sent by mistake. */
static void wipe_strings(json_t *v)
{
    const char *key;
    json_t *child;
    size_t i;

    if (json_is_string(v)) {
        crypto_wipe((char *)json_string_value(v), json_string_length(v));
    }
    json_object_foreach(v, key, child)
    {
        wipe_strings(child);
    }
    json_array_foreach(v, i, child)
    {
        wipe_strings(child);
    }
}

static void call_init(struct rest_call *c)
{
    struct uuid txn;

    uuid_new(&txn);
    uuid_format(&txn, c->resp->transaction);
    c->zh = c->req->accept_language && problem_prefers_zh(slice_str(c->req->accept_language));
}

static void call_fini(struct rest_call *c, enum problem p)
{
    if (p != PROBLEM_OK) {
        render_problem(c, p);
    }
    wipe_strings(c->body);
    if (c->form_text) {
        crypto_wipe(c->form_text, c->req->body.n);
        free(c->form_text);
    }
    json_decref(c->body);
    json_decref(c->once);
    access_held_free(&c->held);
}

void rest_dispatch(struct control *ctl, const struct rest_request *req, struct rest_response *resp)
{
    struct rest_call c = {.ctl = ctl, .req = req, .resp = resp, .now_ms = clock_wall_ms()};

    unsigned turn = keyring_enter(ctl);
    call_init(&c);
    call_fini(&c, run(&c));
    keyring_leave(ctl, turn);
}

enum problem rest_dispatch_as(struct control *ctl, const struct rest_request *req,
                              const char *user_id, struct rest_response *resp)
{
    struct rest_call c = {
        .ctl = ctl, .req = req, .resp = resp, .now_ms = clock_wall_ms(), .approved = true};
    const struct rest_route *route = NULL;
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(&c, STORE_READ, &txn);

    call_init(&c);
    if (p == PROBLEM_OK) {
        p = identity_act_as(&c, txn, user_id);
        store_rollback(&txn);
    }
    if (p == PROBLEM_OK) {
        p = split(&c, PREFIX) ? find_route(&c, rest_routes, rest_routes_n, &route)
                              : PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK) {
        p = read_body(&c);
    }
    if (p == PROBLEM_OK) {
        p = handle(&c, route);
    }
    call_fini(&c, p);
    return p;
}
