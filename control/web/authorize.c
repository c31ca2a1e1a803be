/* SPDX-License-Identifier: Apache-2.0 */
/* The authorization endpoint (RFC 6749 3.1, RFC 9207, OpenID Connect Core 3.1.2): the request is
 * taken and checked, then the user is led to sign-in or consent, or nowhere when nothing has to be
 * asked. An error goes to the client only when its address is proven. */
#include "web/web.h"

#include <stdlib.h>

enum problem web_back(struct rest_call *c, const struct oauth_request *r, const char *name,
                      const char *value)
{
    const char *to = json_string_value(json_object_get(r->params, "redirect_uri")),
               *state = json_string_value(json_object_get(r->params, "state"));
    struct buf url;

    if (!to) {
        return page_problem(c, PROBLEM_AUTHORIZATION_INVALID);
    }
    buf_init(&url);
    buf_adds(&url, to);
    url_parameter(&url, name, value);
    if (strcmp(name, "error") == 0 && c->detail[0]) {
        url_parameter(&url, "error_description", c->detail);
    }
    if (state) {
        url_parameter(&url, "state", state);
    }
    url_parameter(&url, "iss", oauth_issuer(c->ctl));
    buf_addc(&url, '\0');
    enum problem p = url.failed ? PROBLEM_INTERNAL : web_redirect(c, url.p);
    buf_wipe(&url);
    return p;
}

/* Signing in --------------------------------------------------------------------------------------
 */
static bool has_word(const struct oauth_request *r, const char *name, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = row_text(r->params, name); *at; at += strspn(at, " ")) {
        size_t m = strcspn(at, " ");
        if (m == n && memcmp(at, word, n) == 0) {
            return true;
        }
        at += m;
    }
    return false;
}

/* A session that began after the request answers it, as good as the user could: what is still
 * missing then, the client sees in the id token. */
bool web_must_sign_in(const struct rest_call *c, const struct oauth_request *r)
{
    const char *max_age = row_text(r->params, "max_age");
    bool one = (c->user.factors & (c->user.factors - 1)) == 0;

    if (!c->user.role) {
        return true;
    }
    if (c->user.signed_in_ms >= r->created_ms) {
        return false;
    }
    if (has_word(r, "prompt", "login") || has_word(r, "prompt", "select_account")) {
        return true;
    }
    if (one && has_word(r, "acr_values", "2") && !has_word(r, "acr_values", "1")) {
        return true;
    }
    return max_age[0] && r->created_ms - c->user.signed_in_ms > strtoull(max_age, NULL, 10) * 1000;
}

/* Whoever is signed in and has to be so again, or may be so elsewhere, and is to prove it there. */
static bool wants_anew(const struct rest_call *c, const struct oauth_request *r)
{
    return c->user.role || has_word(r, "prompt", "login") ||
           has_word(r, "prompt", "select_account");
}

enum problem web_to_login(struct rest_call *c, const char *request_id, bool again)
{
    struct buf next, url;

    buf_init(&next);
    buf_init(&url);
    buf_adds(&next, "/consent");
    url_parameter(&next, "request", request_id ? request_id : "");
    buf_addc(&next, '\0');
    buf_adds(&url, "/login");
    url_parameter(&url, "continue", next.failed ? "" : next.p);
    if (again) {
        url_parameter(&url, "again", "1");
    }
    buf_addc(&url, '\0');
    enum problem p = url.failed || next.failed ? PROBLEM_INTERNAL : web_redirect(c, url.p);
    buf_fini(&url);
    buf_fini(&next);
    return p;
}

/* Without a page ----------------------------------------------------------------------------------
 */
static enum problem make_code(struct rest_call *c, struct store_txn *txn, struct oauth_request *r,
                              enum oauth_consent least, char code[static OAUTH_CODE_TEXT],
                              bool *made)
{
    enum oauth_consent consent = OAUTH_CONSENT_NONE;
    json_t *grants = NULL;
    enum problem p = oauth_consented(c, txn, r, &consent, &grants);

    *made = p == PROBLEM_OK && consent >= least;
    if (*made) {
        const struct oauth_decision d = {.grants = grants,
                                         .signed_in_ms = c->user.signed_in_ms,
                                         .session_id = c->user.session,
                                         .factors = c->user.factors};
        p = oauth_code_issue(c, txn, r, &d, code);
    }
    json_decref(grants);
    return p;
}

enum problem web_back_silently(struct rest_call *c, struct oauth_request *r,
                               enum oauth_consent least, bool *done)
{
    char code[OAUTH_CODE_TEXT] = "";
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    *done = false;
    if (p == PROBLEM_OK) {
        p = make_code(c, txn, r, least, code, done);
    }
    if (p != PROBLEM_OK || !*done) {
        store_rollback(&txn);
    } else {
        p = rest_finish(c, &txn, p);
    }
    if (p == PROBLEM_OK && *done) {
        p = web_back(c, r, "code", code);
    }
    crypto_wipe(code, sizeof code);
    return p;
}

/* Nothing may be shown: the code, or which page would have been (OpenID Connect Core 3.1.2.1). */
static enum problem without_page(struct rest_call *c, struct oauth_request *r)
{
    bool done = false;

    c->detail[0] = '\0';
    if (web_must_sign_in(c, r)) {
        return web_back(c, r, "error", "login_required");
    }
    enum problem p = web_back_silently(c, r, OAUTH_CONSENT_BEFORE, &done);
    return p == PROBLEM_OK && !done ? web_back(c, r, "error", "consent_required") : p;
}

static enum problem to_consent(struct rest_call *c, const char *request_id)
{
    struct buf url;

    buf_init(&url);
    buf_adds(&url, "/consent");
    url_parameter(&url, "request", request_id);
    buf_addc(&url, '\0');
    enum problem p = url.failed ? PROBLEM_INTERNAL : web_redirect(c, url.p);
    buf_fini(&url);
    return p;
}

enum problem web_authorize(struct rest_call *c)
{
    struct oauth_request r = {0};
    const char *error = "invalid_request";
    bool redirect = false;

    web_signed_in(c);
    enum problem p = oauth_request_take(c, &r, &error, &redirect);
    if (p != PROBLEM_OK) {
        p = redirect ? web_back(c, &r, "error", error) : page_problem(c, p);
    } else if (has_word(&r, "prompt", "none")) {
        p = without_page(c, &r);
    } else if (web_must_sign_in(c, &r)) {
        p = web_to_login(c, r.id, wants_anew(c, &r));
    } else {
        p = to_consent(c, r.id);
    }
    oauth_request_fini(&r);
    return p;
}
