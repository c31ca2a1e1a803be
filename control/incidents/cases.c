/* SPDX-License-Identifier: Apache-2.0 */
#include "incidents/cases.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "notices/notices.h"
#include "sandbox/stage.h"

#define HOUR_MS     (3600ull * 1000)
#define TAKE_UP     4 /* a quarter of the time is for taking it up */
#define ANSWERS_MAX 200

static const char *const kinds[] = {"anomaly", "risk", "production", "problem", "defect", NULL};

/* By what a grade is done, in hours. */
static const unsigned hours[] = {4, 24, 72, 168};
#define GRADES ((int64_t)COUNT(hours))

static const struct attr attrs[] = {
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = kinds},
    {"grade", ATTR_INT, AF_FILTER | AF_SORT, 1, GRADES, .fallback = "3"},
    {"title", ATTR_TEXT, AF_REQUIRED, 1, 200},
    {"detail", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"alert_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "alerts"},
    {"app_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER | AF_REF_ANY, .ref = "apps"},
    {"api_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER | AF_REF_ANY, .ref = "apis"},
    {"organisation_id", ATTR_REF, AF_FILTER | AF_REF_ANY, .ref = "organisations"},
    {"due_at", ATTR_TIME, AF_SORT},
    {"analysis", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"remedy", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"report_document_id", ATTR_REF, 0, .ref = "documents"},
    {"hits", ATTR_INT, AF_READ_ONLY, .fallback = "1"},
    {"alerted_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"source", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"opened_by", ATTR_TEXT, AF_READ_ONLY},
    {"handler", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"assigned_at", ATTR_TIME, AF_READ_ONLY},
    {"measures", ATTR_TEXT, AF_READ_ONLY},
    {"treated_at", ATTR_TIME, AF_READ_ONLY},
    {"question", ATTR_TEXT, AF_READ_ONLY},
    {"shared_at", ATTR_TIME, AF_READ_ONLY},
    {"answers", ATTR_JSON, AF_READ_ONLY, .fallback = "[]"},
    {"solution", ATTR_TEXT, AF_READ_ONLY},
    {"agreed_at", ATTR_TIME, AF_READ_ONLY},
    {"result", ATTR_TEXT, AF_READ_ONLY},
    {"closed_by", ATTR_TEXT, AF_READ_ONLY},
    {"closed_at", ATTR_TIME, AF_READ_ONLY},
    {"escalations", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"escalated_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"disclosure", ATTR_TEXT, AF_READ_ONLY},
    {"disclosed_by", ATTR_TEXT, AF_READ_ONLY},
    {"disclosed_at", ATTR_TIME, AF_READ_ONLY},
    {"blacklist_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"blacklisted_by", ATTR_TEXT, AF_READ_ONLY},
    {"blacklisted_at", ATTR_TIME, AF_READ_ONLY},
};

void case_set_due(const struct rest_call *c, json_t *row)
{
    json_int_t grade = json_integer_value(json_object_get(row, "grade"));

    if (grade < 1 || grade > GRADES) {
        grade = GRADES;
    }
    json_object_set_new(row, "due_at", stage_time(c->now_ms + hours[grade - 1] * HOUR_MS));
}

uint64_t case_answer_ms(const json_t *row)
{
    uint64_t from = api_ms(row, "created_at"), until = api_ms(row, "due_at");

    return until > from ? from + (until - from) / TAKE_UP : until;
}

static bool is(const json_t *row, const char *name, const char *value)
{
    return strcmp(row_text(row, name), value) == 0;
}

static bool staff(const struct rest_call *c)
{
    return c->user.role & ROLE_STAFF;
}

static enum problem tell(struct rest_call *c, struct store_txn *txn, const char *kind,
                         const json_t *row, bool to_party)
{
    const struct notice n = {.kind = kind,
                             .organisation_id = to_party ? row_text(row, "organisation_id") : NULL,
                             .object_kind = "case",
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(row, "title"),
                             .detail = to_party ? row_text(row, "question") : NULL};

    return notice_put(c, txn, &n);
}

static enum problem of_alert(struct rest_call *c, struct change *ch)
{
    static const char *const copied[] = {"app_id", "api_id"};
    json_t *alert = NULL;
    enum problem p = api_load(c, ch->txn, &alerts_resource, row_text(ch->row, "alert_id"), &alert);

    for (size_t i = 0; i < COUNT(copied) && p == PROBLEM_OK; i++) {
        if (!row_text(ch->row, copied[i])[0] && row_text(alert, copied[i])[0]) {
            json_object_set(ch->row, copied[i], json_object_get(alert, copied[i]));
        }
    }
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "alerted_at", json_object_get(alert, "at"));
    }
    json_decref(alert);
    return p;
}

/* The party a case is about: that of its app. */
static enum problem of_app(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;
    enum problem p = row_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), false, &app);

    if (p == PROBLEM_OK && app && !row_text(ch->row, "organisation_id")[0]) {
        json_object_set(ch->row, "organisation_id", json_object_get(app, "organisation_id"));
    }
    json_decref(app);
    return p;
}

/* A party reports defects alone, its own apps', with what it did about them (BK-9.3.5d1). */
static enum problem check_report(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;

    if (!is(ch->row, "kind", "defect")) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/kind", "a party reports defects");
    }
    if (!row_text(ch->row, "remedy")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/remedy", "what was done about it is needed");
    }
    if (row_text(ch->row, "alert_id")[0] || json_object_get(c->body, "organisation_id") ||
        json_object_get(c->body, "due_at") || json_object_get(c->body, "grade")) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "", "grade, date and party are not its to say");
    }
    json_object_set_new(ch->row, "organisation_id", json_string(c->user.organisation));
    if (!row_text(ch->row, "app_id")[0]) {
        return PROBLEM_OK;
    }
    enum problem p = stage_app(c, ch->txn, ch->row, &app);
    json_decref(app);
    return p;
}

static enum problem check_new(struct rest_call *c, struct change *ch)
{
    enum problem p = staff(c) ? PROBLEM_OK : check_report(c, ch);

    if (p == PROBLEM_OK && row_text(ch->row, "alert_id")[0]) {
        p = of_alert(c, ch);
    }
    if (p == PROBLEM_OK && row_text(ch->row, "app_id")[0]) {
        p = of_app(c, ch);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    if (!api_ms(ch->row, "due_at")) {
        case_set_due(c, ch->row);
    }
    json_object_set_new(ch->row, "source", json_string(staff(c) ? "operator" : "organisation"));
    json_object_set_new(ch->row, "opened_by", json_string(c->user.login));
    return tell(c, ch->txn, "case-opened", ch->row, false);
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    if (!ch->old) {
        return check_new(c, ch);
    }
    if (is(ch->old, "state", "closed") || is(ch->old, "state", "dismissed")) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the case is %s",
                         row_text(ch->old, "state"));
    }
    if (api_changed(ch->old, ch->row, "organisation_id") && row_text(ch->old, "shared_at")[0]) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/organisation_id",
                         "it is shared with that party");
    }
    if (api_changed(ch->old, ch->row, "grade") && !api_changed(ch->old, ch->row, "due_at")) {
        case_set_due(c, ch->row);
    }
    if (!api_ms(ch->row, "due_at")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/due_at", "it has a date");
    }
    if (row_text(ch->row, "report_document_id")[0] &&
        api_changed(ch->old, ch->row, "report_document_id")) {
        return stage_document(c, ch->txn, "/report_document_id",
                              row_text(ch->row, "report_document_id"));
    }
    return PROBLEM_OK;
}

static enum problem assign(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "assigned_at", stage_time(c->now_ms));
    return PROBLEM_OK;
}

static enum problem treat(struct rest_call *c, struct change *ch)
{
    if (!row_text(ch->row, "analysis")[0]) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/analysis", "it is analysed first");
    }
    json_object_set_new(ch->row, "treated_at", stage_time(c->now_ms));
    return PROBLEM_OK;
}

static enum problem share(struct rest_call *c, struct change *ch)
{
    if (!row_text(ch->row, "organisation_id")[0]) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/organisation_id",
                         "the case names no party to share it with");
    }
    json_object_set_new(ch->row, "shared_at", stage_time(c->now_ms));
    return tell(c, ch->txn, "case-shared", ch->row, true);
}

static enum problem agree(struct rest_call *c, struct change *ch)
{
    if (!row_text(ch->row, "shared_at")[0] ||
        json_array_size(json_object_get(ch->row, "answers")) == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/answers", "the party has not answered");
    }
    json_object_set_new(ch->row, "agreed_at", stage_time(c->now_ms));
    return tell(c, ch->txn, "case-agreed", ch->row, true);
}

static enum problem close(struct rest_call *c, struct change *ch)
{
    if (is(ch->row, "kind", "production") && !row_text(ch->row, "report_document_id")[0]) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/report_document_id",
                         "a production incident is closed with its report");
    }
    stage_sign(c, ch->row, "closed");
    return row_text(ch->row, "shared_at")[0] || is(ch->row, "source", "organisation")
               ? tell(c, ch->txn, "case-closed", ch->row, true)
               : PROBLEM_OK;
}

static enum problem dismiss(struct rest_call *c, struct change *ch)
{
    stage_sign(c, ch->row, "closed");
    return PROBLEM_OK;
}

/* BK-9.3.5d2: until somebody of the platform who did not handle it says so, a defect is nobody
 * else's to know. */
static enum problem disclose(struct rest_call *c, struct change *ch)
{
    if (!is(ch->row, "kind", "defect")) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/kind", "defects are disclosed");
    }
    if (is(ch->row, "handler", c->user.login) || is(ch->row, "opened_by", c->user.login)) {
        return rest_fail(c, PROBLEM_SELF_APPROVAL, "", "the case is your own");
    }
    stage_sign(c, ch->row, "disclosed");
    return PROBLEM_OK;
}

#define PARTIES (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"open|assigned", "assign", "assigned", ROLE_STAFF, .body_text = "handler", .hook = assign},
    {"assigned|treated", "treat", "treated", ROLE_STAFF, .body_text = "measures", .hook = treat},
    {"open|assigned|treated", "share", NULL, ROLE_STAFF, .body_text = "question", .hook = share},
    {"open|assigned|treated", "agree", NULL, ROLE_STAFF, .body_text = "solution", .hook = agree},
    {"treated", "close", "closed", ROLE_STAFF, .body_text = "result", .hook = close},
    {"open|assigned", "dismiss", "dismissed", ROLE_STAFF, .body_text = "result", .hook = dismiss},
    {"treated|closed", "disclose", NULL, ROLE_STAFF, .body_text = "disclosure", .hook = disclose},
};

/* A party sees what it reported and what was shared with it: a defect is nobody else's to know
 * (BK-9.3.5d2). */
#define OWN_OR_SHARED                                                                              \
    "t.organisation_id = ? AND (t.shared_at IS NOT NULL OR t.source = 'organisation')"
#define OR_DISCLOSED "((" OWN_OR_SHARED ") OR t.disclosed_at IS NOT NULL)"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, OR_DISCLOSED, OWN_OR_SHARED},
};

/* Of another's defect a party is told what was disclosed. */
static void show(const struct rest_call *c, json_t *shown)
{
    static const char *const told[] = {"id",         "state",        "revision", "created_at",
                                       "updated_at", "disclosed_at", "kind",     "title",
                                       "disclosure", "api_id"};
    const char *name;
    void *next;
    json_t *v;

    if (c->user.role != ROLE_DEVELOPER || is(shown, "organisation_id", c->user.organisation)) {
        return;
    }
    json_object_foreach_safe(shown, next, name, v)
    {
        size_t i = 0;
        while (i < COUNT(told) && strcmp(told[i], name) != 0) {
            i++;
        }
        if (i == COUNT(told)) {
            json_object_del(shown, name);
        }
    }
}

const struct resource cases_resource = {
    .plural = "cases",
    .kind = "case",
    .initial = "open",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = PARTIES | ROLE_AUDITOR,
    .create_roles = PARTIES,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .show = show,
};

/* Answers --------------------------------------------------------------------------------------
 */
static enum problem read_answer(struct rest_call *c, struct store_txn *txn, json_t **entry)
{
    static const char *const members[] = {"text", "document_id", NULL};
    enum problem p = rest_body_members(c, members);

    *entry = NULL;
    if (p == PROBLEM_OK) {
        p = attr_text_check(c, "/text", json_object_get(c->body, "text"), 1, REST_TEXT_MAX, true);
    }
    const json_t *document = json_object_get(c->body, "document_id");
    if (p == PROBLEM_OK && document) {
        p = json_is_string(document)
                ? stage_document(c, txn, "/document_id", json_string_value(document))
                : rest_fail(c, PROBLEM_FIELD_INVALID, "/document_id", "an id is needed");
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    *entry =
        json_pack("{s:o, s:s, s:s, s:O}", "at", stage_time(c->now_ms), "by", c->user.login, "side",
                  staff(c) ? "platform" : "party", "text", json_object_get(c->body, "text"));
    if (document) {
        json_object_set_new(*entry, "document_id", json_string(json_string_value(document)));
    }
    return PROBLEM_OK;
}

static enum problem add_answer(struct rest_call *c, struct store_txn *txn, json_t **row)
{
    json_t *entry = NULL, *old, *list;
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &cases_resource, c->segment[1], true, row);
    if (p == PROBLEM_OK && !*row) {
        return PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && (is(*row, "state", "closed") || is(*row, "state", "dismissed"))) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the case is %s", row_text(*row, "state"));
    }
    if (p == PROBLEM_OK) {
        p = read_answer(c, txn, &entry);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    old = json_deep_copy(*row);
    list = json_object_get(*row, "answers");
    if (json_array_size(list) >= ANSWERS_MAX) {
        json_decref(entry);
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the case has %d answers", ANSWERS_MAX);
    } else {
        json_array_append_new(list, entry);
        p = stage_change(c, txn, &cases_resource, old, *row, NULL, "answer");
    }
    json_decref(old);
    bool shared = row_text(*row, "organisation_id")[0] &&
                  (row_text(*row, "shared_at")[0] || is(*row, "source", "organisation"));
    return p != PROBLEM_OK || (staff(c) && !shared) ? p
                                                    : tell(c, txn, "case-answered", *row, staff(c));
}

enum problem case_answer(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, add_answer(c, txn, &row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &cases_resource, row, 200);
    }
    json_decref(row);
    return p;
}
