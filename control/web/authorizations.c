/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody has agreed to and when it was last used, and the ways to take it back: one grant,
 * an app's API services, or all of them (EC-6.1.4.4b, BK-9.3.2b). */
#include <stdio.h>

#include "api/api.h"
#include "base/clock.h"
#include "consent/consent.h"
#include "web/web.h"

#define FORM          "authorizations"
#define CLOSE_VERSION "close-1:" /* of the sentence beside the button */

static const struct {
    const char *term, *en, *zh;
} terms[] = {
    {"once", "single use", "单次"},
    {"period", "for a period", "阶段性"},
    {"agreement", "term of the agreement", "协议期限"},
};

static void say_term(struct page *p, const char *term)
{
    for (size_t i = 0; i < COUNT(terms); i++) {
        if (strcmp(terms[i].term, term) == 0) {
            page_say(p, terms[i].en, terms[i].zh);
        }
    }
}

static void say_time(struct page *p, int64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    clock_format_ms((uint64_t)ms, text);
    text[16] = '\0';
    text[10] = ' ';
    page_text(p, text);
}

static void say_use(struct page *p, struct store_rows *rows, int column)
{
    page_html(p, "<br>");
    if (store_is_null(rows, column)) {
        page_say(p, "not used yet", "尚未使用");
    } else {
        page_say(p, "last used ", "最近使用 ");
        say_time(p, store_get_int(rows, column));
    }
}

static void add_button(struct page *p, const char *action, const char *en, const char *zh)
{
    page_html(p, "<button class=\"plain\" type=\"submit\" name=\"action\" value=\"");
    page_html(p, action);
    page_html(p, "\">");
    page_say(p, en, zh);
    page_html(p, "</button>");
}

static void begin_form(struct page *p)
{
    page_html(p, "<form method=\"post\" action=\"/authorizations\">");
    form_guard(p, FORM);
}

static void add_row(struct page *p, struct store_rows *rows)
{
    const char *fields = store_get_text(rows, 6);
    json_t *list = fields ? json_loads(fields, JSON_DECODE_ANY, NULL) : NULL, *field;
    size_t i;

    page_html(p, "<tr><td><strong>");
    page_text(p, store_get_text(rows, 1));
    page_html(p, "</strong><br><span class=\"quiet\">");
    page_text(p, store_get_text(rows, 2));
    page_html(p, "</span></td><td>");
    page_text(p, store_get_text(rows, 3));
    page_html(p, "<br><span class=\"quiet\">");
    json_array_foreach(list, i, field)
    {
        page_text(p, i ? ", " : "");
        page_text(p, json_string_value(field));
    }
    page_html(p, "</span></td><td>");
    page_text(p, store_get_text(rows, 4));
    page_html(p, "<br><span class=\"quiet\">");
    say_term(p, store_get_text(rows, 5));
    page_html(p, ", ");
    say_time(p, store_get_int(rows, 7));
    page_html(p, " – ");
    say_time(p, store_get_int(rows, 8));
    say_use(p, rows, 9);
    page_html(p, "</span></td><td>");
    begin_form(p);
    page_hidden(p, "grant", store_get_text(rows, 0));
    page_hidden(p, "app", store_get_text(rows, 10));
    add_button(p, "withdraw", "Withdraw", "撤回");
    add_button(p, "close", "Close this app", "关闭该应用");
    page_html(p, "</form></td></tr>");
    json_decref(list);
}

static enum problem add_rows(struct page *p, size_t *n)
{
    static const char sql[] =
        "SELECT g.id, a.name, o.name, coalesce(i.title, i.name), g.purpose, g.term, g.fields, "
        "g.created_at, g.expires_at, g.last_used_at, a.id FROM grants g JOIN apps a ON a.id = "
        "g.app_id JOIN "
        "organisations o ON o.id = a.organisation_id JOIN apis i ON i.id = g.api_id WHERE g.owner "
        "= "
        "? AND g.state = 'active' AND g.expires_at > ? ORDER BY g.created_at DESC LIMIT 200";
    const struct store_value v[] = {store_text(p->c->user.subject),
                                    store_int((int64_t)p->c->now_ms)};
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem problem = rest_begin(p->c, STORE_READ, &txn);

    if (problem != PROBLEM_OK) {
        return problem;
    }
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);
    for (*n = 0; err == STORE_OK && store_next(rows); (*n)++) {
        add_row(p, rows);
    }
    problem = rest_store_problem(p->c, err == STORE_OK ? store_rows_end(&rows) : err);
    store_rollback(&txn);
    return problem;
}

/* What is closed now, each with the way back. */
static enum problem add_closures(struct page *p)
{
    static const char sql[] =
        "SELECT c.id, a.name, c.handled_at FROM closures c LEFT JOIN apps a ON a.id = c.app_id "
        "WHERE c.owner = ? AND c.state = 'closed' ORDER BY c.created_at DESC LIMIT 100";
    const struct store_value v = store_text(p->c->user.subject);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem problem = rest_begin(p->c, STORE_READ, &txn);

    if (problem != PROBLEM_OK) {
        return problem;
    }
    enum store_err err = store_query(txn, sql, &v, 1, &rows);
    while (err == STORE_OK && store_next(rows)) {
        page_html(p, "<div class=\"risk\">");
        begin_form(p);
        page_hidden(p, "closure", store_get_text(rows, 0));
        page_html(p, "<strong>");
        page_text(p, store_get_text(rows, 1) ? store_get_text(rows, 1) : "");
        page_html(p, "</strong> ");
        page_say(p,
                 store_is_null(rows, 1) ? "All API services are closed since " : "is closed since ",
                 store_is_null(rows, 1) ? "全部接口服务已关闭，关闭时间 "
                                        : "的接口服务已关闭，关闭时间 ");
        say_time(p, store_get_int(rows, 2));
        page_html(p, " ");
        add_button(p, "reopen", "Open again", "重新开通");
        page_html(p, "</form></div>");
    }
    problem = rest_store_problem(p->c, err == STORE_OK ? store_rows_end(&rows) : err);
    store_rollback(&txn);
    return problem;
}

static void add_close_all(struct page *p)
{
    begin_form(p);
    page_html(p, "<p class=\"quiet\">");
    page_say(
        p,
        "Closing all API services ends every authorization above and the sign-ins of all apps; "
        "no new one is made until you open them again.",
        "关闭全部接口服务将立即终止上述所有授权及应用登录，重新开通前不再产生新的授权。");
    page_html(p, "</p>");
    add_button(p, "close-all", "Close all API services", "关闭全部接口服务");
    page_html(p, "</form>");
}

enum problem web_authorizations_get(struct rest_call *c)
{
    struct page p;
    size_t n = 0;

    if (!web_signed_in(c)) {
        return web_redirect(c, "/login?continue=%2Fauthorizations");
    }
    page_begin(&p, c, "What you have agreed to", "我的授权");
    enum problem problem = c->user.subject[0] ? add_closures(&p) : PROBLEM_OK;
    page_html(&p, "<table><thead><tr><th>");
    page_say(&p, "App and company", "应用与提供方");
    page_html(&p, "</th><th>");
    page_say(&p, "Data", "数据");
    page_html(&p, "</th><th>");
    page_say(&p, "Purpose and time", "用途与期限");
    page_html(&p, "</th><th></th></tr></thead><tbody>");
    if (problem == PROBLEM_OK && c->user.subject[0]) {
        problem = add_rows(&p, &n);
    }
    page_html(&p, "</tbody></table>");
    if (n == 0) {
        page_html(&p, "<p class=\"quiet\">");
        page_say(&p, "No app may see data of yours.", "目前没有应用可以访问您的数据。");
        page_html(&p, "</p>");
    }
    if (c->user.subject[0]) {
        add_close_all(&p);
    }
    page_html(&p, "<p><a href=\"/oauth/logout\">");
    page_say(&p, "Sign out", "退出登录");
    page_html(&p, "</a></p>");
    if (problem != PROBLEM_OK) {
        buf_wipe(&p.out);
        return page_problem(c, problem);
    }
    return page_end(&p, 200);
}

static enum problem revoke(struct rest_call *c, struct store_txn *txn, const char *id)
{
    json_t *old = NULL;
    struct uuid u;
    enum problem p = id && uuid_parse(&u, id, strlen(id))
                         ? row_load(c, txn, &grants_resource, id, true, &old)
                         : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK && (!old || strcmp(row_text(old, "owner"), c->user.subject) != 0)) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK) {
        p = grants_end(c, txn, old, NULL);
    }
    json_decref(old);
    return p;
}

static enum problem act(struct rest_call *c, struct store_txn *txn)
{
    const char *action = rest_form(c, "action"), *app = rest_form(c, "app");
    struct uuid u;

    if (!action || strcmp(action, "withdraw") == 0) {
        return revoke(c, txn, rest_form(c, "grant"));
    }
    if (!c->user.subject[0]) {
        return PROBLEM_NOT_PERMITTED;
    }
    if (strcmp(action, "reopen") == 0) {
        return closures_reopen(c, txn, rest_form(c, "closure"));
    }
    if (strcmp(action, "close-all") == 0) {
        return closures_close(c, txn, NULL, CLOSE_VERSION " all API services");
    }
    return strcmp(action, "close") == 0 && app && uuid_parse(&u, app, strlen(app))
               ? closures_close(c, txn, app, CLOSE_VERSION " the API services of this app")
               : PROBLEM_NOT_FOUND;
}

enum problem web_authorizations_post(struct rest_call *c)
{
    struct store_txn *txn = NULL;

    if (!web_signed_in(c)) {
        return web_redirect(c, "/login?continue=%2Fauthorizations");
    }
    enum problem p = form_check(c, FORM);
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, act(c, txn));
    }
    return p == PROBLEM_OK ? web_redirect(c, "/authorizations") : page_problem(c, p);
}
