/* SPDX-License-Identifier: Apache-2.0 */
/* The pages people see of the OAuth server: sign-in, consent, what they agreed to, sign-out. Made
 * whole on the server; they work without scripts, and with them the password is sealed before it
 * leaves the browser (CI-5.3a). */
#pragma once
#include "oauth/oauth.h"
#include "rest/rest.h"

/* html.c: a page under construction ------------------------------------------------------------ */
struct page {
    struct rest_call *c;
    struct buf out;
    bool zh;
    bool frames; /* the page holds pages of others: front-channel logout */
};
void page_begin(struct page *p, struct rest_call *c, const char *title_en, const char *title_zh);
void page_html(struct page *p, const char *markup);            /* ours, as it is */
void page_text(struct page *p, const char *text);              /* anybody's, escaped */
void page_say(struct page *p, const char *en, const char *zh); /* ours, escaped, in the reader's */
void page_input(struct page *p, const char *label_en, const char *label_zh, const char *name,
                const char *attributes); /* attributes: ours */
void page_hidden(struct page *p, const char *name, const char *value);
/* Sends it, with the headers that keep it to itself; frees. */
enum problem page_end(struct page *p, unsigned status);
/* A page for a problem: what it is, nothing to be done here. */
enum problem page_problem(struct rest_call *c, enum problem p);
enum problem web_redirect(struct rest_call *c, const char *location); /* 303, never 307 */
/* Appends `text` to a URL's query, percent-encoded. */
void url_parameter(struct buf *url, const char *name, const char *value);

/* form.c: whose form is it ----------------------------------------------------------------------
 */
#define FORM_TOKEN_TEXT 44
/* HMAC of the session (or, before one, of the browser's own cookie) and the form's name. */
void form_token(struct rest_call *c, const char *form, char out[static FORM_TOKEN_TEXT]);
/* Writes the hidden field. */
void form_guard(struct page *p, const char *form);
/* PROBLEM_FORM_STALE unless the form was made for this browser by us and comes from our page. */
enum problem form_check(struct rest_call *c, const char *form);
/* What the browser says of where the request comes from does not speak against us. */
bool form_from_us(const struct rest_call *c);

/* cookie.c: the session in a cookie --------------------------------------------------------------
 */
bool web_signed_in(struct rest_call *c); /* fills c->user */
/* The session of a REST call that the portal makes with the cookie. Only a page of ours can make
 * one: it carries the header Sluice-Portal, which no other site's may send (there is no CORS here),
 * and what the browser says of its origin fits. False: none, or not from the portal. */
bool web_portal_session(const struct rest_call *c, char token[static FORM_TOKEN_TEXT]);
void web_cookie_set(struct rest_call *c, const char *token);
void web_cookie_clear(struct rest_call *c);
/* A random value that only this browser has, made when there is none: guards forms before sign-in.
 */
const char *web_browser(struct rest_call *c, char fresh[static FORM_TOKEN_TEXT]);

/* authorize.c ------------------------------------------------------------------------------------
 * Whether the user has yet to sign in for this request: nobody is signed in, or the session is from
 * before the request and is older, or weaker, than what it asks for (prompt, max_age, acr_values).
 */
bool web_must_sign_in(const struct rest_call *c, const struct oauth_request *r);
/* Back to the client with `name` (code or error) and what goes with it: state, iss (RFC 9207). */
enum problem web_back(struct rest_call *c, const struct oauth_request *r, const char *name,
                      const char *value);
/* To /login, which leads back to this page of ours for this request. again: the user has to prove
 * themselves now; a session anywhere does not do. */
enum problem web_to_login(struct rest_call *c, const char *path, const char *request_id,
                          bool again);
/* Makes the code without a page where the consent allows it: `least` or better. *done: the answer
 * is written. */
enum problem web_back_silently(struct rest_call *c, struct oauth_request *r,
                               enum oauth_consent least, bool *done);

/* login.c: where to go after sign-in: a page of ours, or none. */
const char *web_continuation(const char *asked);

/* Routes */
enum problem web_login_get(struct rest_call *c);
enum problem web_login_post(struct rest_call *c);
enum problem web_authorize(struct rest_call *c);
enum problem web_consent_get(struct rest_call *c);
enum problem web_consent_post(struct rest_call *c);
enum problem web_confirm_get(struct rest_call *c);
enum problem web_confirm_post(struct rest_call *c);
enum problem web_authorizations_get(struct rest_call *c);
enum problem web_authorizations_post(struct rest_call *c);
enum problem web_logout_get(struct rest_call *c);
enum problem web_logout_post(struct rest_call *c);
enum problem web_asset(struct rest_call *c);
enum problem web_portal(struct rest_call *c);
enum problem web_portal_page(struct rest_call *c);  /* GET /portal/ */
enum problem web_portal_asset(struct rest_call *c); /* GET /portal/assets/{name} */
enum problem web_logout_job(struct rest_call *c);   /* back-channel logout, until it is heard */
