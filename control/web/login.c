/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in as a page: at the platform alone, never at an app (BK-7.2.1b2-1, BK-9.3.1a1). */
#include "web/web.h"

#include <stdlib.h>

#include "identity/identity.h"
#include "peers/peers.h"

const char *web_continuation(const char *asked)
{
    static const char *const ours[] = {"/consent?request=", "/confirm?request=", "/authorizations",
                                       "/oauth/authorize?", "/portal/"};

    for (size_t i = 0; asked && i < sizeof ours / sizeof *ours; i++) {
        if (strncmp(asked, ours[i], strlen(ours[i])) == 0) {
            return asked;
        }
    }
    return "/authorizations";
}

/* A new captcha, where one is asked for. */
static enum problem add_captcha(struct page *p)
{
    json_t *captcha = NULL;
    enum problem problem = identity_captcha(p->c, &captcha);

    if (problem != PROBLEM_OK) {
        return problem;
    }
    page_hidden(p, "captcha_id", json_string_value(json_object_get(captcha, "id")));
    page_html(p, "<img class=\"captcha\" alt=\"");
    page_say(p, "Captcha: five characters", "验证码：五个字符");
    page_html(p, "\" src=\"");
    page_text(p, json_string_value(json_object_get(captcha, "image")));
    page_html(p, "\">");
    page_input(p, "Characters in the picture", "图中字符", "captcha",
               "autocomplete=\"off\" autocapitalize=\"off\" required maxlength=\"5\"");
    json_decref(captcha);
    return PROBLEM_OK;
}

static void add_alert(struct page *p, enum problem why)
{
    const struct problem_row *row = problem_row(why);

    if (why == PROBLEM_OK) {
        return;
    }
    page_html(p, "<p role=\"alert\" class=\"bad\">");
    page_say(p, row->title_en, row->title_zh);
    page_html(p, "</p>");
}

/* Other platforms that may vouch for the user (GS-6.4b). */
static enum problem add_peers(struct page *p, const char *next)
{
    json_t *peers = NULL, *peer;
    size_t i;
    enum problem problem = peers_offered(p->c, &peers);

    json_array_foreach(peers, i, peer)
    {
        struct buf url;
        buf_init(&url);
        buf_adds(&url, "/peers/sign-on");
        url_parameter(&url, "peer", json_string_value(json_object_get(peer, "id")));
        url_parameter(&url, "continue", next);
        if (rest_query(p->c, "again")) {
            url_parameter(&url, "again", "1");
        }
        buf_addc(&url, '\0');
        page_html(p, "<p><a class=\"peer\" href=\"");
        page_text(p, url.failed ? "" : url.p);
        page_html(p, "\">");
        page_say(p, "Sign in with ", "通过对接平台登录：");
        page_text(p, json_string_value(json_object_get(peer, "name")));
        page_html(p, "</a></p>");
        buf_fini(&url);
    }
    json_decref(peers);
    return problem;
}

static enum problem login_page(struct rest_call *c, const char *next, enum problem why,
                               const char *login)
{
    bool captcha = why == PROBLEM_CAPTCHA_INVALID;
    bool otp = why == PROBLEM_SECOND_FACTOR_REQUIRED || why == PROBLEM_SECOND_FACTOR_INVALID;
    struct page p;

    page_begin(&p, c, "Sign in", "登录");
    add_alert(&p, why);
    page_html(&p, "<form method=\"post\" action=\"/login\" id=\"login-form\">");
    form_guard(&p, "login");
    page_hidden(&p, "continue", next);
    page_html(&p, "<label for=\"login\">");
    page_say(&p, "User name", "用户名");
    page_html(&p, "</label><input id=\"login\" name=\"login\" autocomplete=\"username\" required "
                  "maxlength=\"128\" value=\"");
    page_text(&p, login);
    page_html(&p, "\">");
    page_input(&p, "Password", "密码", "password",
               "type=\"password\" autocomplete=\"current-password\" required maxlength=\"1024\"");
    page_html(&p, "<input type=\"hidden\" name=\"password_sealed\" value=\"\">");
    enum problem problem = captcha ? add_captcha(&p) : PROBLEM_OK;
    if (otp) {
        page_input(&p, "One-time code", "动态口令", "otp",
                   "inputmode=\"numeric\" autocomplete=\"one-time-code\" required maxlength=\"6\"");
    }
    page_html(&p, "<button type=\"submit\">");
    page_say(&p, "Sign in", "登录");
    page_html(&p, "</button></form>");
    if (problem == PROBLEM_OK) {
        problem = add_peers(&p, next);
    }
    page_html(&p, "<script src=\"/assets/sm2.js\" defer></script>"
                  "<script src=\"/assets/login.js\" defer></script>");
    if (problem != PROBLEM_OK) {
        buf_wipe(&p.out);
        return page_problem(c, problem);
    }
    return page_end(&p, why == PROBLEM_OK ? 200 : problem_row(why)->status);
}

/* Whom another platform knows, nobody asks here (GS-6.4c-1). Somebody who is signed in and is sent
 * here all the same has to prove themselves anew. */
enum problem web_login_get(struct rest_call *c)
{
    const char *next = web_continuation(rest_query(c, "continue")), *tried = rest_query(c, "tried");
    bool sent = false;

    if (!web_signed_in(c) && !rest_query(c, "again")) {
        enum problem p =
            peers_try_silently(c, next, tried ? (unsigned)strtoul(tried, NULL, 10) : 0, &sent);
        if (p != PROBLEM_OK || sent) {
            return p == PROBLEM_OK ? p : page_problem(c, p);
        }
    }
    memset(&c->user, 0, sizeof c->user);
    return login_page(c, next, PROBLEM_OK, "");
}

static const char *filled(const struct rest_call *c, const char *name)
{
    const char *v = rest_form(c, name);
    return v && v[0] ? v : NULL;
}

enum problem web_login_post(struct rest_call *c)
{
    const char *next = web_continuation(rest_form(c, "continue")), *login = filled(c, "login");
    char token[SESSION_TOKEN_TEXT] = "";
    json_t *user = NULL;
    enum problem p = form_check(c, "login");

    if (p != PROBLEM_OK) {
        return page_problem(c, p);
    }
    struct sign_in in = {.login = login ? login : "",
                         .password_sealed = filled(c, "password_sealed"),
                         .captcha_id = filled(c, "captcha_id"),
                         .captcha = filled(c, "captcha"),
                         .otp = filled(c, "otp"),
                         .scenario = "oauth"};
    in.password = in.password_sealed ? NULL : filled(c, "password");
    p = identity_sign_in(c, &in, token, &user);
    if (p == PROBLEM_OK) {
        bool change = json_is_true(json_object_get(user, "password_change_required"));
        if (change && strncmp(next, "/portal/", 8) == 0) {
            web_cookie_set(c, token); /* opens nothing but the change, which the portal has */
            p = web_redirect(c, "/portal/#/password");
        } else if (change) {
            p = PROBLEM_PASSWORD_CHANGE_REQUIRED;
        } else {
            web_cookie_set(c, token);
            p = web_redirect(c, next);
        }
    } else if (problem_row(p)->status < 500) {
        p = login_page(c, next, p, in.login);
    }
    crypto_wipe(token, sizeof token);
    json_decref(user);
    return p == PROBLEM_OK ? p : page_problem(c, p);
}
