/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization endpoint (RFC 6749 3.1, RFC 9207): the request is taken and checked, then the
 * user is led to sign-in or consent. An error goes to the client only when its address is proven.
 */
#include "web/web.h"

#include <stdlib.h>

/* Back to the client with an error. */
static enum problem answer_error(struct rest_call *c, const struct oauth_request *r,
                                 const char *error)
{
    const char *to = json_string_value(json_object_get(r->params, "redirect_uri")),
               *state = json_string_value(json_object_get(r->params, "state"));
    struct buf url;

    if (!to) {
        return page_problem(c, PROBLEM_AUTHORIZATION_INVALID);
    }
    buf_init(&url);
    buf_adds(&url, to);
    url_parameter(&url, "error", error);
    if (c->detail[0]) {
        url_parameter(&url, "error_description", c->detail);
    }
    if (state) {
        url_parameter(&url, "state", state);
    }
    url_parameter(&url, "iss", oauth_issuer(c->ctl));
    buf_addc(&url, '\0');
    enum problem p = url.failed ? PROBLEM_INTERNAL : web_redirect(c, url.p);
    buf_fini(&url);
    return p;
}

static const char *param(const struct oauth_request *r, const char *name)
{
    const char *v = json_string_value(json_object_get(r->params, name));
    return v ? v : "";
}

/* True: the user must sign in (again) first: nobody is, or not lately enough. */
static bool must_sign_in(const struct rest_call *c, const struct oauth_request *r)
{
    const char *max_age = param(r, "max_age");
    uint64_t age_ms = c->now_ms > c->user.signed_in_ms ? c->now_ms - c->user.signed_in_ms : 0;

    if (!c->user.role) {
        return true;
    }
    return max_age[0] && age_ms > strtoull(max_age, NULL, 10) * 1000;
}

static enum problem to_page(struct rest_call *c, const char *path, const char *id)
{
    struct buf url, next;

    buf_init(&next);
    buf_adds(&next, "/consent");
    url_parameter(&next, "request", id);
    buf_addc(&next, '\0');
    buf_init(&url);
    if (strcmp(path, "/login") == 0 && !next.failed) {
        buf_adds(&url, path);
        url_parameter(&url, "continue", next.p);
    } else {
        buf_adds(&url, next.failed ? "" : next.p);
    }
    buf_addc(&url, '\0');
    enum problem p = url.failed ? PROBLEM_INTERNAL : web_redirect(c, url.p);
    buf_fini(&url);
    buf_fini(&next);
    return p;
}

enum problem web_authorize(struct rest_call *c)
{
    struct oauth_request r = {0};
    const char *error = "invalid_request";
    bool redirect = false, in = web_signed_in(c);
    enum problem p = oauth_request_take(c, &r, &error, &redirect);

    if (p != PROBLEM_OK) {
        p = redirect ? answer_error(c, &r, error) : page_problem(c, p);
    } else if (strcmp(param(&r, "prompt"), "none") == 0) {
        c->detail[0] = '\0';
        p = answer_error(c, &r, in ? "consent_required" : "login_required");
    } else if (must_sign_in(c, &r) || strcmp(param(&r, "prompt"), "login") == 0) {
        p = to_page(c, "/login", r.id);
    } else {
        p = to_page(c, "/consent", r.id);
    }
    oauth_request_fini(&r);
    return p;
}
