/* SPDX-License-Identifier: Apache-2.0 */
/* Test reports of apps. The functional one the platform counts itself from the calls of the test
 * stage; the others are documents somebody else made. Each is confirmed by the app's side and then
 * accepted by the platform's (GS-6.9.2e-2), and counts until it expires. */
#include <stdio.h>

#include "api/api.h"
#include "sandbox/sandbox.h"

#define CASES_MAX 200

static const struct kind {
    const char *name;
    bool computed; /* by the platform alone */
    bool assessed; /* by somebody who must be named (GS-6.1b-4) */
} kinds[] = {{"functional", true, false},
             {"security", false, false},
             {"performance", false, false},
             {"scan", false, false},
             {"conformity", false, true}};
static const char *const kind_words[] = {"functional", "security",   "performance",
                                         "scan",       "conformity", NULL};
_Static_assert(COUNT(kind_words) == COUNT(kinds) + 1, "each word is a kind");
static const char *const results[] = {"passed", "failed", NULL};

static const struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool test_report_kind_known(const char *kind)
{
    return kind_of(kind) != NULL;
}

static enum problem check_cases(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"case", "passed", "note", NULL};
    json_t *item;
    size_t i;
    bool ok = json_is_array(v) && json_array_size(v) > 0 && json_array_size(v) <= CASES_MAX;

    json_array_foreach(v, i, item)
    {
        ok = ok && json_is_object(item) && api_only_members(item, members) &&
             row_text(item, "case")[0] && json_is_boolean(json_object_get(item, "passed"));
    }
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "1 to 200 objects of case, passed and perhaps note are needed");
}

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = kind_words},
    {"result", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 10, .values = results},
    {"cases", ATTR_JSON, AF_IMMUTABLE, .check = check_cases},
    {"summary", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"app_version", ATTR_TEXT, AF_IMMUTABLE, 1, 100},
    {"document_id", ATTR_REF, AF_IMMUTABLE, .ref = "documents"},
    {"assessor", ATTR_TEXT, AF_IMMUTABLE, 1, 200},
    {"qualification", ATTR_TEXT, AF_IMMUTABLE, 1, 400},
    {"tested_at", ATTR_TIME, AF_IMMUTABLE | AF_SORT},
    {"expires_at", ATTR_TIME, AF_IMMUTABLE | AF_SORT},
    {"source", ATTR_TEXT, AF_READ_ONLY | AF_FILTER, .fallback = "\"uploaded\""},
    {"confirmed_by", ATTR_TEXT, AF_READ_ONLY},
    {"confirmed_at", ATTR_TIME, AF_READ_ONLY},
    {"accepted_by", ATTR_TEXT, AF_READ_ONLY},
    {"accepted_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem need(struct rest_call *c, const json_t *row, const char *name)
{
    char where[32];

    snprintf(where, sizeof where, "/%s", name);
    return row_text(row, name)[0]
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "a report of kind %s needs it",
                           row_text(row, "kind"));
}

static enum problem fill_times(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    uint64_t days = 0, tested_ms = api_ms(row, "tested_at");
    enum problem p = stage_setting_days(c, txn, "test-report-days", &days);

    if (p != PROBLEM_OK) {
        return p;
    }
    if (tested_ms > c->now_ms) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/tested_at", "it lies in the future");
    }
    if (!tested_ms) {
        tested_ms = c->now_ms;
        json_object_set_new(row, "tested_at", stage_time(tested_ms));
    }
    if (!api_ms(row, "expires_at")) {
        json_object_set_new(row, "expires_at", stage_time(tested_ms + days * STAGE_DAY_MS));
    }
    return api_ms(row, "expires_at") > tested_ms
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "it ends before the test");
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    static const char *const of_assessed[] = {"assessor", "qualification", "tested_at",
                                              "expires_at"};
    const struct kind *kind = kind_of(row_text(ch->row, "kind"));
    json_t *app = NULL;
    enum problem p = stage_app(c, ch->txn, ch->row, &app);

    json_decref(app);
    if (p == PROBLEM_OK && kind->computed && strcmp(row_text(ch->row, "source"), "platform") != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/kind",
                      "the platform makes this one: POST /apps/{id}/test-report");
    }
    if (p == PROBLEM_OK && !kind->computed) {
        p = need(c, ch->row, "document_id");
    }
    for (size_t i = 0; i < COUNT(of_assessed) && p == PROBLEM_OK && kind->assessed; i++) {
        p = need(c, ch->row, of_assessed[i]);
    }
    return p == PROBLEM_OK ? fill_times(c, ch->txn, ch->row) : p;
}

static enum problem confirm(struct rest_call *c, struct change *ch)
{
    stage_sign(c, ch->row, "confirmed");
    return stage_tell(c, ch->txn, "test-report-confirmed", "test-report", ch->row,
                      row_text(ch->row, "app_id"), row_text(ch->row, "kind"), true);
}

static enum problem note_scan(struct rest_call *c, struct store_txn *txn, const json_t *report)
{
    json_t *app = NULL, *old;
    enum problem p = api_load(c, txn, &apps_resource, row_text(report, "app_id"), &app);

    if (p != PROBLEM_OK) {
        return p;
    }
    old = json_deep_copy(app);
    json_object_set(app, "scanned_at", json_object_get(report, "tested_at"));
    json_object_set_new(app, "scan_warned_at", json_null());
    p = stage_change(c, txn, &apps_resource, old, app, NULL, "update");
    json_decref(old);
    json_decref(app);
    return p;
}

static enum problem accept(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "result"), "passed") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/result", "what failed is not accepted");
    }
    if (api_ms(ch->row, "expires_at") <= c->now_ms) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/expires_at", "it has expired");
    }
    stage_sign(c, ch->row, "accepted");
    enum problem p = stage_tell(c, ch->txn, "test-report-accepted", "test-report", ch->row,
                                row_text(ch->row, "app_id"), row_text(ch->row, "kind"), false);
    return p == PROBLEM_OK && strcmp(row_text(ch->row, "kind"), "scan") == 0
               ? note_scan(c, ch->txn, ch->row)
               : p;
}

static enum problem send_back(struct rest_call *c, struct change *ch)
{
    return stage_tell(c, ch->txn, "test-report-returned", "test-report", ch->row,
                      row_text(ch->row, "app_id"), row_text(ch->row, "comment"), false);
}

static const struct transition transitions[] = {
    {"open", "confirm", "confirmed", ROLE_DEVELOPER, .hook = confirm},
    {"confirmed", "accept", "accepted", ROLE_STAFF, .hook = accept},
    {"open|confirmed", "return", "returned", ROLE_STAFF, .body_text = "comment", .hook = send_back},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, STAGE_OWN_APP, STAGE_OWN_APP},
};

const struct resource test_reports_resource = {
    .plural = "test_reports",
    .kind = "test-report",
    .initial = "open",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = ROLE_STAFF | ROLE_DEVELOPER,
    .check = check,
};

/* The platform's own ----------------------------------------------------------------------------
 */

static enum problem load_app(struct rest_call *c, struct store_txn *txn, json_t **app)
{
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &apps_resource, c->segment[1], true, app);
    if (p == PROBLEM_OK && !*app) {
        return PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, &apps_resource, c->segment[1])) {
        return PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK && strcmp(row_text(*app, "state"), "testing") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the app is %s, not in its test stage",
                         row_text(*app, "state"));
    }
    return p;
}

static enum problem make_report(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                json_t **row)
{
    json_t *result = NULL;
    enum problem p = sandbox_evaluate(c, txn, app, &result);

    *row = resource_row(&test_reports_resource);
    json_object_set(*row, "app_id", json_object_get(app, "id"));
    json_object_set_new(*row, "kind", json_string("functional"));
    json_object_set_new(*row, "source", json_string("platform"));
    json_object_set_new(
        *row, "result",
        json_string(json_is_true(json_object_get(result, "passed")) ? "passed" : "failed"));
    json_object_set(*row, "cases", json_object_get(result, "cases"));
    json_decref(result);
    if (p == PROBLEM_OK) {
        p = fill_times(c, txn, *row);
    }
    return p == PROBLEM_OK ? change_store(c, txn, &test_reports_resource, NULL, *row, "create") : p;
}

enum problem sandbox_test_report(struct rest_call *c)
{
    static const char *const members[] = {NULL};
    struct store_txn *txn = NULL;
    json_t *app = NULL, *row = NULL;
    enum problem p =
        test_reports_resource.create_roles & c->user.role ? PROBLEM_OK : PROBLEM_NOT_PERMITTED;

    if (p == PROBLEM_OK && c->body) {
        p = rest_body_members(c, members);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = load_app(c, txn, &app);
        p = rest_finish(c, &txn, p == PROBLEM_OK ? make_report(c, txn, app, &row) : p);
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &test_reports_resource, row, 201);
    }
    json_decref(app);
    json_decref(row);
    return p;
}
