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

static const char *asked(const struct rest_call *c, const char *name)
{
    const char *v = rest_form(c, name);
    return v ? v : rest_query(c, name);
}

/* Front channel (OpenID Connect Front-Channel Logout 1.0): what the browser keeps for a client,
 * only the browser can let it end. */
static enum problem frames_of(struct rest_call *c, struct store_txn *txn, json_t *frames)
{
    static const char sql[] =
        "SELECT DISTINCT k.frontchannel_logout_uri FROM oauth_families f JOIN clients k ON "
        "k.app_id = f.app_id AND k.state <> 'removed' WHERE f.session_id = ? AND "
        "k.frontchannel_logout_uri IS NOT NULL LIMIT 32";
    const struct store_value v = store_text(c->user.session);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(frames, json_string(store_get_text(rows, 0)));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static void add_frame(struct page *p, const char *uri, const char *session)
{
    struct buf url;

    buf_init(&url);
    buf_adds(&url, uri);
    url_parameter(&url, "iss", oauth_issuer(p->c->ctl));
    url_parameter(&url, "sid", session);
    buf_addc(&url, '\0');
    page_html(p, "<iframe hidden src=\"");
    page_text(p, url.failed ? "" : url.p);
    page_html(p, "\"></iframe>");
    buf_fini(&url);
}

/* With a way on that the reader takes, or is led by after the frames had their time. */
static enum problem signed_out_page(struct rest_call *c, const json_t *frames, const char *session,
                                    const char *to)
{
    struct page p;

    page_begin(&p, c, "You are signed out", "已退出登录");
    p.frames = json_array_size(frames) > 0;
    for (size_t i = 0; i < json_array_size(frames); i++) {
        add_frame(&p, json_string_value(json_array_get(frames, i)), session);
    }
    if (to) {
        page_html(&p, "<meta http-equiv=\"refresh\" content=\"3;url=");
        page_text(&p, to);
        page_html(&p, "\"><p><a href=\"");
        page_text(&p, to);
        page_html(&p, "\">");
        page_say(&p, "Go on", "继续");
        page_html(&p, "</a></p>");
    }
    return page_end(&p, 200);
}

static enum problem leave(struct rest_call *c, const char *to, const json_t *frames,
                          const char *session)
{
    const char *state = asked(c, "state");
    struct buf url;

    buf_init(&url);
    buf_adds(&url, to ? to : "");
    if (to && state) {
        url_parameter(&url, "state", state);
    }
    buf_addc(&url, '\0');
    if (url.failed) {
        buf_fini(&url);
        return PROBLEM_INTERNAL;
    }
    enum problem p = to && json_array_size(frames) == 0
                         ? web_redirect(c, url.p)
                         : signed_out_page(c, frames, session, to ? url.p : NULL);
    buf_fini(&url);
    return p;
}

enum problem web_logout_post(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *frames = json_array();
    char *to = NULL;
    bool in = c->user.role || web_signed_in(c);
    enum problem p = in ? form_check(c, FORM) : PROBLEM_OK;

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = destination(c, txn, asked(c, "client_id"), asked(c, "post_logout_redirect_uri"), &to);
        if (p == PROBLEM_OK && in) {
            p = frames_of(c, txn, frames);
        }
        if (p == PROBLEM_OK && in) {
            p = identity_session_end(c, txn, c->user.session);
        }
        p = rest_finish(c, &txn, p);
    }
    if (p == PROBLEM_OK) {
        web_cookie_clear(c);
        p = leave(c, to, frames, c->user.session);
    }
    json_decref(frames);
    free(to);
    return p == PROBLEM_OK ? p : page_problem(c, p);
}

/* Telling clients -------------------------------------------------------------------------------
 */
struct delivery {
    char receiver[UUID_TEXT_LEN + 1];
    char *session, *user, *audience, *uri, *issuer, *ca; /* issuer, ca: of a peer; NULL: none */
    int64_t attempts;
};

static void delivery_fini(struct delivery *d)
{
    free(d->session);
    free(d->user);
    free(d->audience);
    free(d->uri);
    free(d->issuer);
    free(d->ca);
}

static char *text_of(struct store_rows *rows, int column)
{
    const char *text = store_get_text(rows, column);
    return text ? strdup(text) : NULL;
}

static enum problem next_due(struct rest_call *c, struct delivery *d)
{
    static const char sql[] =
        "SELECT d.receiver, d.session_id, d.user_id, d.audience, d.uri, d.attempts, p.issuer, p.ca "
        "FROM logout_deliveries d LEFT JOIN peers p ON p.state = 'active' AND (p.id = d.receiver "
        "OR "
        "p.app_id = d.receiver) WHERE d.state = 'due' AND d.due_at <= ? ORDER BY d.due_at LIMIT 1";
    const struct store_value v = store_int((int64_t)c->now_ms);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, &v, 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        snprintf(d->receiver, sizeof d->receiver, "%s", store_get_text(rows, 0));
        d->session = text_of(rows, 1);
        d->user = text_of(rows, 2);
        d->audience = text_of(rows, 3);
        d->uri = text_of(rows, 4);
        d->attempts = store_get_int(rows, 5);
        d->issuer = text_of(rows, 6);
        d->ca = text_of(rows, 7);
    }
    p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    store_rollback(&txn);
    return p;
}

static char *logout_token(struct rest_call *c, const struct delivery *d)
{
    char jti[UUID_TEXT_LEN + 1];

    uuid_new_text(jti);
    json_t *claims = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:{s:{}}}", "iss", oauth_issuer(c->ctl), "aud",
        d->audience, "sub", d->user, "iat", (json_int_t)(c->now_ms / 1000), "exp",
        (json_int_t)(c->now_ms / 1000 + 120), "jti", jti, "sid", d->session, "events", LOGOUT_TYPE);
    char *jwt = claims ? oauth_jwt_sign(c, claims, "logout+jwt") : NULL;
    json_decref(claims);
    return jwt;
}

/* An address of a peer's own was chosen by an administrator with the peer. */
static bool of_peer(const struct delivery *d)
{
    size_t n = d->issuer ? strlen(d->issuer) : 0;

    return n > 0 && strncmp(d->uri, d->issuer, n) == 0 && d->uri[n] == '/';
}

static bool tell(struct rest_call *c, const struct delivery *d)
{
    char *jwt = logout_token(c, d);
    struct buf form;

    buf_init(&form);
    buf_adds(&form, "logout_token=");
    buf_adds(&form, jwt ? jwt : "");
    const struct outbound o = {.url = d->uri,
                               .content_type = "application/x-www-form-urlencoded",
                               .body = buf_slice(&form),
                               .ca = of_peer(d) ? d->ca : NULL,
                               .administrators = of_peer(d)};
    long status = jwt && !form.failed ? outbound_exchange(c->ctl->cfg, &o) : 0;
    buf_wipe(&form);
    free(jwt);
    return status >= 200 && status < 300;
}

static enum problem note(struct rest_call *c, const struct delivery *d, bool heard)
{
    bool last = d->attempts + 1 >= RETRY_LAST;
    const struct store_value key[] = {store_text(d->receiver), store_text(d->session)};
    const struct store_value v[] = {
        store_text(last ? "given-up" : "due"), store_int(d->attempts + 1),
        store_int((int64_t)(c->now_ms + (RETRY_MS << d->attempts))), key[0], key[1]};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err =
        heard
            ? store_exec(txn, "DELETE FROM logout_deliveries WHERE receiver = ? AND session_id = ?",
                         key, COUNT(key), NULL)
            : store_exec(txn,
                         "UPDATE logout_deliveries SET state = ?, attempts = ?, due_at = ? WHERE "
                         "receiver = ? AND session_id = ?",
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
        delivery_fini(&d);
        if (none) {
            break;
        }
    }
    return p;
}
