/* SPDX-License-Identifier: Apache-2.0 */
/* The page on which an owner sees in plain words who wants which fields for what and how long, and
 * ticks what they agree to; nothing is ticked at the start (BK-3.12b). Agreeing makes one grant an
 * API and the code in one transaction, so neither is without the other. */
#include <stdio.h>
#include <stdlib.h>

#include "api/apis.h"
#include "base/clock.h"
#include "consent/consent.h"
#include "web/web.h"

#define DAY_MS (24ull * 3600 * 1000)
#define FORM   "consent"

/* Of the sentences on this page: a record says which ones somebody saw. */
#define TEXT_VERSION "consent-1"
static const struct {
    const char *name, *en, *zh;
    unsigned days;
} periods[] = {
    {"1", "one day", "一天", 1},
    {"30", "30 days", "30 天", 30},
    {"90", "90 days", "90 天", 90},
    {"365", "one year", "一年", 365},
};

static const char *const level_en[] = {"", "open", "needs your consent", "sensitive, shown masked"};
static const char *const level_zh[] = {"", "公开", "需经您授权", "敏感，脱敏后提供"};

/* The request and, of each API it asks for, the row. */
struct asked {
    struct oauth_request r;
    json_t *apis; /* rows, in the order of r.apis */
    json_t *company;
};

static void asked_fini(struct asked *a)
{
    oauth_request_fini(&a->r);
    json_decref(a->apis);
    json_decref(a->company);
}

static enum problem load_rows(struct rest_call *c, struct store_txn *txn, const json_t *app,
                              json_t *item)
{
    const struct store_value v[] = {store_text(row_text(app, "id")),
                                    store_text(row_text(item, "api_id"))};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn,
                                     "SELECT row_filter_text FROM subscriptions WHERE app_id = ? "
                                     "AND api_id = ? AND state = 'approved' AND row_filter_text "
                                     "IS NOT NULL",
                                     v, COUNT(v), &rows);

    if (err == STORE_OK && store_next(rows)) {
        const char *text = store_get_text(rows, 0);
        json_object_set_new(item, "rows", text ? json_loads(text, 0, NULL) : NULL);
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem load(struct rest_call *c, struct store_txn *txn, const char *id,
                         struct asked *a)
{
    enum problem p = id ? oauth_request_load(c, txn, id, &a->r) : PROBLEM_AUTHORIZATION_INVALID;
    json_t *item;
    size_t i;

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &organisations_resource, row_text(a->r.client, "organisation_id"),
                     &a->company);
    }
    a->apis = json_array();
    json_array_foreach(a->r.apis, i, item)
    {
        json_t *api = NULL;
        if (p == PROBLEM_OK) {
            p = api_load(c, txn, &apis_resource, row_text(item, "api_id"), &api);
            json_array_append_new(a->apis, api ? api : json_null());
        }
        p = p == PROBLEM_OK ? load_rows(c, txn, a->r.client, item) : p;
    }
    return p;
}

/* Whether the request asks for this field, and the owner has a say in it. */
static bool wanted(const json_t *item, const json_t *field)
{
    json_int_t level = json_integer_value(json_object_get(field, "level"));
    const json_t *fields = json_object_get(item, "fields");
    json_t *path;
    size_t i;

    if (level < 2 || level > 3) {
        return false;
    }
    if (!json_is_array(fields)) {
        return true;
    }
    json_array_foreach(fields, i, path)
    {
        if (strcmp(json_string_value(path), row_text(field, "path")) == 0) {
            return true;
        }
    }
    return false;
}

static bool needs_grant(const json_t *api)
{
    return json_is_true(json_object_get(api, "owner_scoped"));
}

/* "f<API>.<field>" */
static void field_name(char out[static 32], unsigned api, unsigned field)
{
    snprintf(out, 32, "f%u.%u", api, field);
}

static const char *title_of(const json_t *row, const char *otherwise)
{
    return row_text(row, "title")[0] ? row_text(row, "title") : row_text(row, otherwise);
}

static void add_fields(struct page *p, const json_t *item, const json_t *api, size_t at)
{
    json_t *field;
    size_t i;

    json_array_foreach(json_object_get(api, "fields"), i, field)
    {
        json_int_t level = json_integer_value(json_object_get(field, "level"));
        char name[32];
        if (!wanted(item, field)) {
            continue;
        }
        field_name(name, (unsigned)at, (unsigned)i);
        page_html(p, "<label class=\"tick\"><input type=\"checkbox\" value=\"yes\" name=\"");
        page_text(p, name);
        page_html(p, "\"><span>");
        page_text(p, title_of(field, "name"));
        page_html(p, "</span><span class=\"level\">");
        page_say(p, level_en[level], level_zh[level]);
        page_html(p, "</span></label>");
    }
}

/* EC-4.2.1c1: less than all of the rows, where the app's subscription says so. */
static void add_rows(struct page *p, const json_t *item)
{
    const json_t *said = json_object_get(item, "rows");

    if (json_is_object(said)) {
        page_html(p, "<p class=\"quiet\">");
        page_say(p, "Only records of yours where: ", "仅限您的下列记录：");
        page_say(p, row_text(said, "en"), row_text(said, "zh"));
        page_html(p, "</p>");
    }
}

static void add_term(struct page *p, const json_t *item)
{
    const char *term = row_text(item, "term"), *until = row_text(item, "expires_at");

    page_html(p, "<p class=\"quiet\">");
    page_say(p, "Purpose: ", "用途：");
    page_text(p, row_text(item, "purpose"));
    page_html(p, "<br>");
    if (strcmp(term, "once") == 0) {
        page_say(p, "For a single use within 24 hours.", "仅供 24 小时内使用一次。");
    } else if (until[0]) {
        page_say(p, "At the longest until ", "最长至 ");
        page_text(p, until);
    } else {
        page_say(p, "For the time you choose below.", "期限由您在下方选择。");
    }
    page_html(p, "</p>");
}

/* BK-10.2.2c */
static void add_risk(struct page *p, const json_t *apis)
{
    json_t *api;
    size_t i;

    json_array_foreach(apis, i, api)
    {
        const struct consent_risk *risk = consent_risk_of(api);
        if (risk) {
            page_html(p, "<div class=\"risk\"><label class=\"tick\"><input type=\"checkbox\" "
                         "name=\"risk\" value=\"yes\" required><span>");
            page_say(p, risk->en, risk->zh);
            page_html(p, "</span></label></div>");
            return;
        }
    }
}

static void add_periods(struct page *p)
{
    page_html(p, "<label for=\"days\">");
    page_say(p, "For how long", "授权期限");
    page_html(p, "</label><select id=\"days\" name=\"days\" required><option value=\"\"></option>");
    for (size_t i = 0; i < COUNT(periods); i++) {
        page_html(p, "<option value=\"");
        page_text(p, periods[i].name);
        page_html(p, "\">");
        page_say(p, periods[i].en, periods[i].zh);
        page_html(p, "</option>");
    }
    page_html(p, "</select>");
}

static void add_apis(struct page *p, const struct asked *a)
{
    json_t *item;
    size_t i;

    json_array_foreach(a->r.apis, i, item)
    {
        const json_t *api = json_array_get(a->apis, i);
        page_html(p, "<fieldset><legend>");
        page_text(p, title_of(api, "name"));
        page_html(p, "</legend>");
        add_term(p, item);
        add_rows(p, item);
        if (needs_grant(api)) {
            add_fields(p, item, api, i);
        } else {
            page_html(p, "<p class=\"quiet\">");
            page_say(p, "No data of yours in particular.", "不涉及您个人的数据。");
            page_html(p, "</p>");
        }
        page_html(p, "</fieldset>");
    }
}

static enum problem consent_page(struct rest_call *c, const struct asked *a, bool incomplete)
{
    struct page p;

    page_begin(&p, c, "An app asks for your data", "应用请求访问您的数据");
    if (incomplete) {
        page_html(&p, "<p role=\"alert\" class=\"bad\">");
        page_say(&p, "Tick at least one item and choose a period, or refuse.",
                 "请至少勾选一项并选择期限，或选择拒绝。");
        page_html(&p, "</p>");
    }
    page_html(&p, "<p><strong>");
    page_text(&p, row_text(a->r.client, "name"));
    page_html(&p, "</strong> ");
    page_say(&p, "by", "，提供方：");
    page_html(&p, " <strong>");
    page_text(&p, row_text(a->company, "name"));
    page_html(&p, "</strong></p><p class=\"quiet\">");
    page_say(&p, "It gets only what you tick. You can withdraw it at any time.",
             "仅提供您勾选的内容，您可随时撤回。");
    page_html(&p, "</p><form method=\"post\" action=\"/consent\">");
    form_guard(&p, FORM);
    page_hidden(&p, "request", a->r.id);
    add_apis(&p, a);
    add_periods(&p);
    add_risk(&p, a->apis);
    page_html(&p, "<button type=\"submit\" name=\"decision\" value=\"agree\">");
    page_say(&p, "Agree", "同意");
    page_html(&p, "</button><button class=\"plain\" type=\"submit\" name=\"decision\" "
                  "value=\"refuse\" formnovalidate>");
    page_say(&p, "Refuse", "拒绝");
    page_html(&p, "</button></form>");
    return page_end(&p, incomplete ? 422 : 200);
}

/* A peer platform that asks who the user is: the operator has agreed for all (GS-6.4c). */
static enum problem show(struct rest_call *c, struct asked *a)
{
    bool done = false;

    if (web_must_sign_in(c, &a->r)) {
        return web_to_login(c, "/consent", a->r.id, true);
    }
    enum problem p = strstr(row_text(a->r.params, "prompt"), "consent")
                         ? PROBLEM_OK
                         : web_back_silently(c, &a->r, OAUTH_CONSENT_PEER, &done);
    return p == PROBLEM_OK && !done ? consent_page(c, a, false) : p;
}

enum problem web_consent_get(struct rest_call *c)
{
    const char *id = rest_query(c, "request");
    struct asked a = {0};
    struct store_txn *txn = NULL;

    if (!web_signed_in(c)) {
        return web_to_login(c, "/consent", id, false);
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p == PROBLEM_OK) {
        p = load(c, txn, id, &a);
        store_rollback(&txn);
    }
    p = p == PROBLEM_OK ? show(c, &a) : p;
    asked_fini(&a);
    return p == PROBLEM_OK ? p : page_problem(c, p);
}

/* The decision ----------------------------------------------------------------------------------
 */
static json_t *ticked(const struct rest_call *c, const json_t *item, const json_t *api, size_t at)
{
    json_t *paths = json_array(), *field;
    char name[32];
    size_t i;

    json_array_foreach(json_object_get(api, "fields"), i, field)
    {
        field_name(name, (unsigned)at, (unsigned)i);
        if (wanted(item, field) && rest_form(c, name)) {
            json_array_append(paths, json_object_get(field, "path"));
        }
    }
    return paths;
}

static unsigned days_chosen(const struct rest_call *c)
{
    const char *chosen = rest_form(c, "days");

    for (size_t i = 0; chosen && i < COUNT(periods); i++) {
        if (strcmp(periods[i].name, chosen) == 0) {
            return periods[i].days;
        }
    }
    return 0;
}

static json_t *grant_row(const struct rest_call *c, const json_t *item, json_t *fields)
{
    const char *term = row_text(item, "term")[0] ? row_text(item, "term") : "period";
    uint64_t end_ms = c->now_ms + days_chosen(c) * DAY_MS, asked_ms = api_ms(item, "expires_at");
    char until[CLOCK_RFC3339_LEN + 1];

    if (strcmp(term, "once") == 0) {
        end_ms = c->now_ms + DAY_MS;
    }
    end_ms = asked_ms && asked_ms < end_ms ? asked_ms : end_ms;
    clock_format_ms(end_ms, until);
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s}", "owner", c->user.subject,
                            "purpose", row_text(item, "purpose"), "term", term, "expires_at", until,
                            "fields", fields, "act", "tick", "channel", "page");
    json_object_set(row, "api_id", json_object_get(item, "api_id"));
    return row;
}

/* What the page said and what was ticked on it, as it will be read by somebody who judges it. */
static json_t *statement(bool zh, const struct asked *a, const json_t *item, const json_t *api,
                         const json_t *row)
{
    struct buf text;
    json_t *field;
    size_t i;

    buf_init(&text);
    buf_addf(&text, "%s\n%s: %s (%s)\n", TEXT_VERSION, zh ? "应用" : "app",
             row_text(a->r.client, "name"), row_text(a->company, "name"));
    buf_addf(&text, "%s: %s\n", zh ? "数据" : "data", title_of(api, "name"));
    json_array_foreach(json_object_get(row, "fields"), i, field)
    {
        buf_addf(&text, "- %s\n", json_string_value(field));
    }
    const json_t *rows = json_object_get(item, "rows");
    if (json_is_object(rows)) {
        buf_addf(&text, "%s: %s\n", zh ? "仅限记录" : "only records where",
                 row_text(rows, zh ? "zh" : "en"));
    }
    buf_addf(&text, "%s: %s\n%s: %s\n", zh ? "用途" : "purpose", row_text(item, "purpose"),
             zh ? "期限至" : "until", row_text(row, "expires_at"));
    const struct consent_risk *risk = consent_risk_of(api);
    if (risk) {
        buf_addf(&text, "%s: %s\n", risk->version, zh ? risk->zh : risk->en);
    }
    json_t *kept = text.failed ? NULL : json_stringn(text.p, text.n);
    buf_fini(&text);
    return kept ? kept : json_null();
}

static enum problem make_grant(struct rest_call *c, struct store_txn *txn, const struct asked *a,
                               size_t at, json_t *fields, json_t *ids)
{
    const json_t *item = json_array_get(a->r.apis, at), *api = json_array_get(a->apis, at);
    const char *lang = rest_query(c, "lang");
    json_t *row = grant_row(c, item, fields);

    json_object_set(row, "app_id", json_object_get(a->r.client, "id"));
    json_object_set_new(row, "statement",
                        statement(lang ? strcmp(lang, "zh") == 0 : c->zh, a, item, api, row));
    enum problem p = grants_make(c, txn, row);
    json_array_append(ids, json_object_get(row, "id"));
    json_decref(row);
    return p;
}

/* One grant for each API of which something was ticked; *ids stays empty when nothing was that
 * could have been. */
static enum problem make_grants(struct rest_call *c, struct store_txn *txn, const struct asked *a,
                                json_t *ids, bool *complete)
{
    enum problem p = PROBLEM_OK;
    bool asked_any = false;
    json_t *item;
    size_t i;

    json_array_foreach(a->r.apis, i, item)
    {
        const json_t *api = json_array_get(a->apis, i);
        if (p != PROBLEM_OK || !needs_grant(api)) {
            continue;
        }
        json_t *fields = ticked(c, item, api, i);
        asked_any = true;
        if (json_array_size(fields) > 0) {
            p = make_grant(c, txn, a, i, fields, ids);
        } else {
            json_decref(fields);
        }
    }
    *complete = !asked_any || (json_array_size(ids) > 0 && days_chosen(c) > 0);
    return p;
}

static bool risk_open(const struct rest_call *c, const json_t *apis)
{
    json_t *api;
    size_t i;

    json_array_foreach(apis, i, api)
    {
        if (consent_risk_of(api) && !rest_form(c, "risk")) {
            return true;
        }
    }
    return false;
}

/* In txn; *code is what the client gets. *complete false: the page is shown again. */
static enum problem agree(struct rest_call *c, struct store_txn *txn, struct asked *a,
                          char code[static OAUTH_CODE_TEXT], bool *complete)
{
    json_t *ids = json_array();
    enum problem p = closures_refuse(c, txn, c->user.subject, row_text(a->r.client, "id"));

    if (p == PROBLEM_OK) {
        p = make_grants(c, txn, a, ids, complete);
    }
    *complete = *complete && !risk_open(c, a->apis);
    if (p == PROBLEM_OK && *complete) {
        const struct oauth_decision d = {.grants = ids,
                                         .signed_in_ms = c->user.signed_in_ms,
                                         .session_id = c->user.session,
                                         .factors = c->user.factors};
        p = oauth_code_issue(c, txn, &a->r, &d, code);
    }
    json_decref(ids);
    return p;
}

static enum problem decide(struct rest_call *c, struct asked *a)
{
    const char *decision = rest_form(c, "decision");
    char code[OAUTH_CODE_TEXT] = "";
    struct store_txn *txn = NULL;
    bool complete = false, agreed = decision && strcmp(decision, "agree") == 0;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK) {
        p = load(c, txn, rest_form(c, "request"), a);
    }
    if (p == PROBLEM_OK && web_must_sign_in(c, &a->r)) {
        store_rollback(&txn);
        return web_to_login(c, "/consent", a->r.id, true);
    }
    if (p == PROBLEM_OK && agreed && !c->user.subject[0]) {
        p = rest_fail(c, PROBLEM_NOT_PERMITTED, "", "only an owner of data can consent");
    }
    if (p == PROBLEM_OK && agreed) {
        p = agree(c, txn, a, code, &complete);
    }
    if (p != PROBLEM_OK || !agreed || !complete) {
        store_rollback(&txn);
    } else {
        p = rest_finish(c, &txn, p);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    if (agreed && !complete) {
        return consent_page(c, a, true);
    }
    p = agreed ? web_back(c, &a->r, "code", code) : web_back(c, &a->r, "error", "access_denied");
    crypto_wipe(code, sizeof code);
    return p;
}

enum problem web_consent_post(struct rest_call *c)
{
    struct asked a = {0};

    if (!web_signed_in(c)) {
        return web_to_login(c, "/consent", rest_form(c, "request"), false);
    }
    enum problem p = form_check(c, FORM);
    if (p == PROBLEM_OK) {
        p = decide(c, &a);
    }
    asked_fini(&a);
    return p == PROBLEM_OK ? p : page_problem(c, p);
}
