/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-out at the platform ends the session everywhere (OpenID Connect RP-Initiated and
 * Back-Channel Logout): tokens of the session are void at once, clients that asked to be told are
 * told, again until they hear it (GS-6.4d). */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "identity/identity.h"
#include "outbound.h"
#include "web/web.h"

#define FORM        "logout"
#define RETRY_MS    5000ull
#define RETRY_LAST  14 /* attempts, about 23 hours from the first to the last */
#define LOGOUT_TYPE "http://schemas.openid.net/event/backchannel-logout"

/* Where the client asked to be sent, if that address is registered; NULL: nowhere. */
static enum problem destination(struct rest_call *c, struct store_txn *txn, const char *client,
                                const char *uri, char **to)
{
    static const char sql[] =
        "SELECT 1 FROM clients c, json_each(c.post_logout_redirect_uris) u WHERE c.app_id = ? AND "
        "c.state <> 'removed' AND u.value = ?";
    const struct store_value v[] = {store_text(client), store_text(uri)};
    struct store_rows *rows = NULL;

    *to = NULL;
    if (!client || !uri) {
        return PROBLEM_OK;
    }
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);
    if (err == STORE_OK && store_next(rows)) {
        *to = strdup(uri);
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem web_logout_get(struct rest_call *c)
{
    static const char *const kept[] = {"client_id", "post_logout_redirect_uri", "state"};
    struct page p;

    if (!web_signed_in(c)) {
        return web_logout_post(c);
    }
    page_begin(&p, c, "Sign out?", "退出登录？");
    page_html(&p, "<p>");
    page_say(&p, "You are signed out of the platform and of every app that signed you in with it.",
             "将退出本平台以及通过本平台登录的所有应用。");
    page_html(&p, "</p><form method=\"post\" action=\"/oauth/logout\">");
    form_guard(&p, FORM);
    for (size_t i = 0; i < COUNT(kept); i++) {
        const char *v = rest_query(c, kept[i]);
        if (v) {
            page_hidden(&p, kept[i], v);
        }
    }
    page_html(&p, "<button type=\"submit\">");
    page_say(&p, "Sign out", "退出登录");
    page_html(&p, "</button></form>");
    return page_end(&p, 200);
}

/* Told are the clients that hold tokens of the session. */
static enum problem tell_clients(struct rest_call *c, struct store_txn *txn)
{
    static const char sql[] =
        "INSERT INTO logout_deliveries (app_id, session_id, user_id, uri, state, attempts, due_at) "
        "SELECT DISTINCT f.app_id, ?, ?, k.backchannel_logout_uri, 'due', 0, ? FROM oauth_families "
        "f JOIN clients k ON k.app_id = f.app_id AND k.state <> 'removed' WHERE f.session_id = ? "
        "AND k.backchannel_logout_uri IS NOT NULL ON CONFLICT DO NOTHING";
    const struct store_value v[] = {store_text(c->user.session), store_text(c->user.id),
                                    store_int((int64_t)c->now_ms), store_text(c->user.session)};

    return rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL));
}

static enum problem end_session(struct rest_call *c, struct store_txn *txn)
{
    enum problem p = tell_clients(c, txn);

    return p == PROBLEM_OK ? identity_session_end(c, txn, c->user.session) : p;
}

static const char *asked(const struct rest_call *c, const char *name)
{
    const char *v = rest_form(c, name);
    return v ? v : rest_query(c, name);
}

static enum problem leave(struct rest_call *c, const char *to)
{
    const char *state = asked(c, "state");
    struct page page;
    struct buf url;

    if (!to) {
        page_begin(&page, c, "You are signed out", "已退出登录");
        return page_end(&page, 200);
    }
    buf_init(&url);
    buf_adds(&url, to);
    if (state) {
        url_parameter(&url, "state", state);
    }
    buf_addc(&url, '\0');
    enum problem p = url.failed ? PROBLEM_INTERNAL : web_redirect(c, url.p);
    buf_fini(&url);
    return p;
}

enum problem web_logout_post(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    char *to = NULL;
    bool in = c->user.role || web_signed_in(c);
    enum problem p = in ? form_check(c, FORM) : PROBLEM_OK;

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = destination(c, txn, asked(c, "client_id"), asked(c, "post_logout_redirect_uri"), &to);
        if (p == PROBLEM_OK && in) {
            p = end_session(c, txn);
        }
        p = rest_finish(c, &txn, p);
    }
    if (p == PROBLEM_OK) {
        web_cookie_clear(c);
        p = leave(c, to);
    }
    free(to);
    return p == PROBLEM_OK ? p : page_problem(c, p);
}

/* Telling clients -------------------------------------------------------------------------------
 */
struct delivery {
    char app[UUID_TEXT_LEN + 1], session[UUID_TEXT_LEN + 1], user[UUID_TEXT_LEN + 1];
    char *uri;
    int64_t attempts;
};

static enum problem next_due(struct rest_call *c, struct delivery *d)
{
    static const char sql[] = "SELECT app_id, session_id, user_id, uri, attempts FROM "
                              "logout_deliveries WHERE state = 'due' AND due_at <= ? ORDER BY "
                              "due_at LIMIT 1";
    const struct store_value v = store_int((int64_t)c->now_ms);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, &v, 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        snprintf(d->app, sizeof d->app, "%s", store_get_text(rows, 0));
        snprintf(d->session, sizeof d->session, "%s", store_get_text(rows, 1));
        snprintf(d->user, sizeof d->user, "%s", store_get_text(rows, 2));
        d->uri = strdup(store_get_text(rows, 3));
        d->attempts = store_get_int(rows, 4);
    }
    p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    store_rollback(&txn);
    return p;
}

static char *logout_token(struct rest_call *c, const struct delivery *d)
{
    char jti[UUID_TEXT_LEN + 1];
    struct uuid u;

    uuid_new(&u);
    uuid_format(&u, jti);
    json_t *claims = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:{s:{}}}", "iss", oauth_issuer(c->ctl), "aud", d->app,
        "sub", d->user, "iat", (json_int_t)(c->now_ms / 1000), "exp",
        (json_int_t)(c->now_ms / 1000 + 120), "jti", jti, "sid", d->session, "events", LOGOUT_TYPE);
    char *jwt = claims ? oauth_jwt_sign(c, claims, "logout+jwt") : NULL;
    json_decref(claims);
    return jwt;
}

static bool tell(struct rest_call *c, const struct delivery *d)
{
    char *jwt = logout_token(c, d);
    CURL *curl = jwt ? curl_easy_init() : NULL;
    struct buf form;
    long status = 0;

    buf_init(&form);
    buf_adds(&form, "logout_token=");
    buf_adds(&form, jwt ? jwt : "");
    buf_addc(&form, '\0');
    if (curl && !form.failed) {
        outbound_prepare(curl, c->ctl->cfg);
        curl_easy_setopt(curl, CURLOPT_URL, d->uri);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form.p);
        if (curl_easy_perform(curl) == CURLE_OK) {
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        }
    }
    curl_easy_cleanup(curl);
    buf_wipe(&form);
    free(jwt);
    return status >= 200 && status < 300;
}

static enum problem note(struct rest_call *c, const struct delivery *d, bool heard)
{
    bool last = d->attempts + 1 >= RETRY_LAST;
    const struct store_value key[] = {store_text(d->app), store_text(d->session)};
    const struct store_value v[] = {
        store_text(last ? "given-up" : "due"), store_int(d->attempts + 1),
        store_int((int64_t)(c->now_ms + (RETRY_MS << d->attempts))), key[0], key[1]};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err =
        heard ? store_exec(txn, "DELETE FROM logout_deliveries WHERE app_id = ? AND session_id = ?",
                           key, COUNT(key), NULL)
              : store_exec(txn,
                           "UPDATE logout_deliveries SET state = ?, attempts = ?, due_at = ? WHERE "
                           "app_id = ? AND session_id = ?",
                           v, COUNT(v), NULL);
    return rest_finish(c, &txn, rest_store_problem(c, err));
}

/* A few a turn, so that one that hangs holds up the other jobs for seconds at most. */
enum problem web_logout_job(struct rest_call *c)
{
    enum problem p = PROBLEM_OK;

    for (int i = 0; i < 3 && p == PROBLEM_OK; i++) {
        struct delivery d = {0};
        p = next_due(c, &d);
        bool none = !d.uri;
        if (p == PROBLEM_OK && !none) {
            p = note(c, &d, tell(c, &d));
        }
        free(d.uri);
        if (none) {
            break;
        }
    }
    return p;
}
