/* SPDX-License-Identifier: Apache-2.0 */
/* The page on which a user confirms one transaction (BK-10.2.2b): all that the call says, the risk
 * notice where money moves, a one-time code where the API asks for a second factor. What is shown
 * is what the gateway will compare, and what is kept. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "consent/consent.h"
#include "identity/identity.h"
#include "web/web.h"

#define FORM         "confirm"
#define TEXT_VERSION "confirm-1"
#define WHERE_MAX    1024 /* names and depth are bounded where the app pushes (consent/push.c) */

struct shown {
    const char *secret;
    json_t *row, *api, *app, *company, *body;
    const struct consent_risk *risk;
    bool otp; /* the API asks for more factors than the session has */
};

static void shown_fini(struct shown *s)
{
    json_decref(s->row);
    json_decref(s->api);
    json_decref(s->app);
    json_decref(s->company);
    json_decref(s->body);
}

static enum problem load(struct rest_call *c, struct store_txn *txn, struct shown *s)
{
    enum problem p = confirmation_load(c, txn, s->secret, &s->row);

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &apis_resource, row_text(s->row, "api_id"), &s->api);
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &apps_resource, row_text(s->row, "app_id"), &s->app);
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &organisations_resource, row_text(s->app, "organisation_id"),
                     &s->company);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    const char *body = row_text(s->row, "body");
    json_int_t needs = json_integer_value(json_object_get(s->api, "user_factors"));
    s->body = body[0] ? json_loads(body, JSON_REJECT_DUPLICATES, NULL) : json_object();
    s->risk = consent_risk_of_call(s->api);
    s->otp = __builtin_popcount(c->user.factors) < needs;
    return s->body ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* Each value under its path, in the order it came. */
typedef void (*value_visit)(void *arg, const char *path, const char *text);

static void walk(const json_t *v, const char *path, value_visit visit, void *arg)
{
    char at[WHERE_MAX];
    const char *key;
    json_t *item;
    size_t i;

    if (json_object_size(v) > 0) {
        json_object_foreach((json_t *)v, key, item)
        {
            if (snprintf(at, sizeof at, "%s%s%s", path, path[0] ? "." : "", key) > 0) {
                walk(item, at, visit, arg);
            }
        }
    } else if (json_array_size(v) > 0) {
        json_array_foreach(v, i, item)
        {
            if (snprintf(at, sizeof at, "%s[%zu]", path, i + 1) > 0) {
                walk(item, at, visit, arg);
            }
        }
    } else if (path[0]) { /* a call without a body has nothing to show */
        char *text = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY);
        visit(arg, path, json_is_string(v) ? json_string_value(v) : text ? text : "");
        free(text);
    }
}

static void add_value(void *arg, const char *path, const char *text)
{
    struct page *p = arg;

    page_html(p, "<tr><th scope=\"row\">");
    page_text(p, path);
    page_html(p, "</th><td>");
    page_text(p, text);
    page_html(p, "</td></tr>");
}

static void say_value(void *arg, const char *path, const char *text)
{
    buf_addf(arg, "- %s: %s\n", path, text);
}

static const char *title_of(const json_t *row)
{
    return row_text(row, "title")[0] ? row_text(row, "title") : row_text(row, "name");
}

static void add_call(struct page *p, const struct shown *s)
{
    page_html(p, "<p><strong>");
    page_text(p, row_text(s->app, "name"));
    page_html(p, "</strong> ");
    page_say(p, "by", "，提供方：");
    page_html(p, " <strong>");
    page_text(p, row_text(s->company, "name"));
    page_html(p, "</strong></p><fieldset><legend>");
    page_text(p, title_of(s->api));
    page_html(p, "</legend><p class=\"quiet\">");
    page_text(p, row_text(s->row, "method"));
    page_html(p, " ");
    page_text(p, row_text(s->row, "target"));
    page_html(p, "</p><table><tbody>");
    walk(s->body, "", add_value, p);
    page_html(p, "</tbody></table></fieldset>");
}

static void add_risk(struct page *p, const struct consent_risk *risk)
{
    if (!risk) {
        return;
    }
    page_html(p, "<div class=\"risk\"><label class=\"tick\"><input type=\"checkbox\" name=\"risk\" "
                 "value=\"yes\" required><span>");
    page_say(p, risk->en, risk->zh);
    page_html(p, "</span></label></div>");
}

static enum problem confirm_page(struct rest_call *c, const struct shown *s, enum problem why)
{
    struct page p;

    page_begin(&p, c, "Confirm this transaction", "请确认本次交易");
    if (why != PROBLEM_OK) {
        page_html(&p, "<p role=\"alert\" class=\"bad\">");
        if (why == PROBLEM_CONSENT_INCOMPLETE) {
            page_say(&p, "Read the notice and tick it, or refuse.",
                     "请阅读并勾选风险提示，或选择拒绝。");
        } else {
            page_say(&p, problem_row(why)->title_en, problem_row(why)->title_zh);
        }
        page_html(&p, "</p>");
    }
    add_call(&p, s);
    page_html(&p, "<form method=\"post\" action=\"/confirm\">");
    form_guard(&p, FORM);
    page_hidden(&p, "request", s->secret);
    add_risk(&p, s->risk);
    if (s->otp) {
        page_input(&p, "One-time code", "动态口令", "otp",
                   "inputmode=\"numeric\" autocomplete=\"one-time-code\" required maxlength=\"6\"");
    }
    page_html(&p, "<button type=\"submit\" name=\"decision\" value=\"confirm\">");
    page_say(&p, "Confirm", "确认");
    page_html(&p, "</button><button class=\"plain\" type=\"submit\" name=\"decision\" "
                  "value=\"refuse\" formnovalidate>");
    page_say(&p, "Refuse", "拒绝");
    page_html(&p, "</button></form>");
    return page_end(&p, why == PROBLEM_OK ? 200 : 422);
}

enum problem web_confirm_get(struct rest_call *c)
{
    struct shown s = {.secret = rest_query(c, "request")};
    struct store_txn *txn = NULL;

    if (!web_signed_in(c)) {
        return web_to_login(c, "/confirm", s.secret, false);
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p == PROBLEM_OK) {
        p = load(c, txn, &s);
        store_rollback(&txn);
    }
    p = p == PROBLEM_OK ? confirm_page(c, &s, PROBLEM_OK) : page_problem(c, p);
    shown_fini(&s);
    return p;
}

/* The decision ------------------------------------------------------------------------------------
 */
static char *statement(struct rest_call *c, const struct shown *s)
{
    const char *lang = rest_query(c, "lang");
    bool zh = lang ? strcmp(lang, "zh") == 0 : c->zh;
    struct buf text;

    buf_init(&text);
    buf_addf(&text, "%s\n%s: %s (%s)\n", TEXT_VERSION, zh ? "应用" : "app",
             row_text(s->app, "name"), row_text(s->company, "name"));
    buf_addf(&text, "%s: %s\n%s %s\n", zh ? "服务" : "service", title_of(s->api),
             row_text(s->row, "method"), row_text(s->row, "target"));
    walk(s->body, "", say_value, &text);
    if (s->risk) {
        buf_addf(&text, "%s: %s\n", s->risk->version, zh ? s->risk->zh : s->risk->en);
    }
    buf_addc(&text, '\0');
    if (text.failed) {
        buf_fini(&text);
        return NULL;
    }
    return text.p;
}

static enum problem back(struct rest_call *c, const struct shown *s, const char *sealed)
{
    const char *state = json_string_value(json_object_get(s->row, "client_state"));
    struct buf url;

    buf_init(&url);
    buf_adds(&url, row_text(s->row, "redirect_uri"));
    url_parameter(&url, sealed[0] ? "confirmation" : "error", sealed[0] ? sealed : "access_denied");
    if (state) {
        url_parameter(&url, "state", state);
    }
    url_parameter(&url, "iss", oauth_issuer(c->ctl));
    buf_addc(&url, '\0');
    enum problem p = url.failed ? PROBLEM_INTERNAL : web_redirect(c, url.p);
    buf_wipe(&url);
    return p;
}

/* Loads again under the write lock: of two decisions one is made. */
static enum problem decide(struct rest_call *c, struct shown *s, bool agreed,
                           char sealed[static CONFIRMATION_SEALED_MAX])
{
    struct store_txn *txn = NULL;
    json_t *now = NULL;
    char *said = statement(c, s);
    enum problem p = said ? rest_begin(c, STORE_WRITE, &txn) : PROBLEM_INTERNAL;

    if (p == PROBLEM_OK) {
        p = confirmation_load(c, txn, s->secret, &now);
    }
    if (p == PROBLEM_OK) {
        const struct confirmation_decision d = {
            .agreed = agreed, .statement = said, .risk_version = s->risk ? s->risk->version : NULL};
        p = confirmation_decide(c, txn, now, &d, sealed);
    }
    p = txn ? rest_finish(c, &txn, p) : p;
    json_decref(now);
    free(said);
    return p;
}

/* What the page asks for before it takes a yes. */
static enum problem ready(struct rest_call *c, struct shown *s)
{
    const char *otp = rest_form(c, "otp");

    if (s->risk && !rest_form(c, "risk")) {
        return PROBLEM_CONSENT_INCOMPLETE;
    }
    if (!s->otp) {
        return PROBLEM_OK;
    }
    return otp && otp[0] ? identity_step_up(c, otp) : PROBLEM_SECOND_FACTOR_REQUIRED;
}

static enum problem post(struct rest_call *c, struct shown *s)
{
    const char *decision = rest_form(c, "decision");
    bool agreed = decision && strcmp(decision, "confirm") == 0;
    char sealed[CONFIRMATION_SEALED_MAX] = "";
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = load(c, txn, s);
        store_rollback(&txn);
    }
    if (p != PROBLEM_OK) {
        return page_problem(c, p);
    }
    p = agreed ? ready(c, s) : PROBLEM_OK;
    if (p != PROBLEM_OK && problem_row(p)->status < 500) {
        return confirm_page(c, s, p);
    }
    if (p == PROBLEM_OK) {
        p = decide(c, s, agreed, sealed);
    }
    p = p == PROBLEM_OK ? back(c, s, sealed) : page_problem(c, p);
    crypto_wipe(sealed, sizeof sealed);
    return p;
}

enum problem web_confirm_post(struct rest_call *c)
{
    struct shown s = {.secret = rest_form(c, "request")};

    if (!web_signed_in(c)) {
        return web_to_login(c, "/confirm", s.secret, false);
    }
    enum problem p = form_check(c, FORM);
    p = p == PROBLEM_OK ? post(c, &s) : page_problem(c, p);
    shown_fini(&s);
    return p;
}
