/* SPDX-License-Identifier: Apache-2.0 */
/* Incidents of an app: found by the platform, its operators or the app's own side; each with a date
 * to be fixed by, and a way to stop it from spreading at once. */
#include "incidents/incidents.h"

#include <stdio.h>

#include "api/api.h"
#include "api/credentials.h"
#include "oauth/oauth.h"

static const char *const kinds[] = {"vulnerability", "leak", "abuse", "outage", "other", NULL};
static const struct {
    const char *name;
    unsigned days; /* to fix it, unless an operator says otherwise */
} severities[] = {{"critical", 1}, {"high", 7}, {"medium", 30}, {"low", 90}};
static const char *const severity_words[] = {"critical", "high", "medium", "low", NULL};
_Static_assert(COUNT(severity_words) == COUNT(severities) + 1, "each word is a severity");

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = kinds},
    {"severity", ATTR_TEXT, AF_REQUIRED | AF_FILTER, 1, 10, .values = severity_words},
    {"title", ATTR_TEXT, AF_REQUIRED, 1, 200},
    {"detail", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"transaction_id", ATTR_TEXT, AF_FILTER, 1, 100},
    {"document_id", ATTR_REF, 0, .ref = "documents"},
    {"due_at", ATTR_TIME, AF_SORT},
    {"source", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"opened_by", ATTR_TEXT, AF_READ_ONLY},
    {"remedy", ATTR_TEXT, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"containment", ATTR_JSON, AF_READ_ONLY},
    {"verified_by", ATTR_TEXT, AF_READ_ONLY},
    {"verified_at", ATTR_TIME, AF_READ_ONLY},
    {"warned_at", ATTR_TIME, AF_READ_ONLY},
    {"suspended_at", ATTR_TIME, AF_READ_ONLY},
};

static void set_due(struct rest_call *c, json_t *row)
{
    for (size_t i = 0; i < COUNT(severities); i++) {
        if (strcmp(severities[i].name, row_text(row, "severity")) == 0) {
            json_object_set_new(row, "due_at",
                                stage_time(c->now_ms + severities[i].days * STAGE_DAY_MS));
        }
    }
}

/* How grave it is and by when it is fixed is not for the app's side to play down. */
static enum problem check_patch(struct rest_call *c, struct change *ch)
{
    const char *state = row_text(ch->row, "state");

    if (strcmp(state, "closed") == 0 || strcmp(state, "dismissed") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the incident is %s", state);
    }
    if (!(c->user.role & ROLE_STAFF) &&
        (api_changed(ch->old, ch->row, "severity") || api_changed(ch->old, ch->row, "due_at"))) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/due_at", "an operator changes these");
    }
    if (api_changed(ch->old, ch->row, "severity") && !api_changed(ch->old, ch->row, "due_at")) {
        set_due(c, ch->row);
    }
    if (!api_ms(ch->row, "due_at")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/due_at", "it has a date");
    }
    if (api_changed(ch->old, ch->row, "due_at")) {
        json_object_set_new(ch->row, "warned_at", json_null());
    }
    return PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;
    bool staff = c->user.role & ROLE_STAFF;

    if (ch->old) {
        return check_patch(c, ch);
    }
    enum problem p = stage_app(c, ch->txn, ch->row, &app);
    json_decref(app);
    if (p != PROBLEM_OK) {
        return p;
    }
    if (!staff || !api_ms(ch->row, "due_at")) {
        set_due(c, ch->row);
    }
    json_object_set_new(ch->row, "source", json_string(staff ? "operator" : "organisation"));
    json_object_set_new(ch->row, "opened_by", json_string(c->user.login));
    return stage_tell(c, ch->txn, "incident-opened", "incident", ch->row,
                      row_text(ch->row, "app_id"), row_text(ch->row, "title"), !staff);
}

static enum problem tell_party(struct rest_call *c, struct change *ch, const char *kind)
{
    return stage_tell(c, ch->txn, kind, "incident", ch->row, row_text(ch->row, "app_id"),
                      row_text(ch->row, "title"), false);
}

static enum problem fixed(struct rest_call *c, struct change *ch)
{
    return stage_tell(c, ch->txn, "incident-fixed", "incident", ch->row,
                      row_text(ch->row, "app_id"), row_text(ch->row, "title"), true);
}

static enum problem verify(struct rest_call *c, struct change *ch)
{
    stage_sign(c, ch->row, "verified");
    return tell_party(c, ch, "incident-verified");
}

static enum problem reopen(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "remedy", json_null());
    return tell_party(c, ch, "incident-reopened");
}

#define PARTIES (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"open", "accept", "accepted", PARTIES},
    {"open|accepted", "fix", "fixed", PARTIES, .body_text = "remedy", .hook = fixed},
    {"fixed", "verify", "verified", ROLE_STAFF, .hook = verify},
    {"fixed|verified", "reopen", "accepted", ROLE_STAFF, .body_text = "comment", .hook = reopen},
    {"verified", "close", "closed", ROLE_STAFF},
    {"open|accepted", "dismiss", "dismissed", ROLE_STAFF, .body_text = "comment"},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, STAGE_OWN_APP, STAGE_OWN_APP},
};

const struct resource incidents_resource = {
    .plural = "incidents",
    .kind = "incident",
    .initial = "open",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = PARTIES,
    .patch_roles = PARTIES,
    .check = check,
};

/* Containment ------------------------------------------------------------------------------------
 */

static const char *const measures[] = {"suspend_app", "revoke_grants", "void_credentials"};

static enum problem take_measures(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                  const char *why)
{
    const struct oauth_revocation tokens = {.app_id = app_id};
    enum problem p = PROBLEM_OK;

    if (json_is_true(json_object_get(c->body, "suspend_app"))) {
        p = stage_suspend_app(c, txn, app_id, why);
    }
    if (p == PROBLEM_OK && json_is_true(json_object_get(c->body, "revoke_grants"))) {
        p = stage_revoke_grants(c, txn, app_id, 0, why);
    }
    if (p == PROBLEM_OK && json_is_true(json_object_get(c->body, "void_credentials"))) {
        p = credentials_void_app(c, txn, app_id, why);
        p = p == PROBLEM_OK ? oauth_revoke(c, txn, &tokens) : p;
    }
    return p;
}

static enum problem read_measures(struct rest_call *c, json_t *entry)
{
    static const char *const members[] = {"suspend_app", "revoke_grants", "void_credentials",
                                          "reason", NULL};
    bool any = false;
    char where[32];
    enum problem p = rest_body_members(c, members);

    for (size_t i = 0; i < COUNT(measures) && p == PROBLEM_OK; i++) {
        json_t *v = json_object_get(c->body, measures[i]);
        snprintf(where, sizeof where, "/%s", measures[i]);
        if (v && !json_is_boolean(v)) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "true or false is needed");
        }
        any = any || json_is_true(v);
        json_object_set_new(entry, measures[i], json_boolean(json_is_true(v)));
    }
    if (p == PROBLEM_OK) {
        p = attr_text_check(c, "/reason", json_object_get(c->body, "reason"), 1, 1000, true);
    }
    if (p == PROBLEM_OK && !any) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/suspend_app",
                         "at least one measure is needed");
    }
    json_object_set(entry, "reason", json_object_get(c->body, "reason"));
    json_object_set_new(entry, "by", json_string(c->user.login));
    json_object_set_new(entry, "at", stage_time(c->now_ms));
    return p;
}

static enum problem contain(struct rest_call *c, struct store_txn *txn, json_t *entry, json_t **row)
{
    json_t *old = NULL, *list;
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &incidents_resource, c->segment[1], true, row);
    if (p == PROBLEM_OK && !*row) {
        return PROBLEM_NOT_FOUND;
    }
    p = p == PROBLEM_OK ? change_precondition(c, *row, true) : p;
    if (p == PROBLEM_OK) {
        p = take_measures(c, txn, row_text(*row, "app_id"), row_text(entry, "reason"));
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    old = json_deep_copy(*row);
    list = json_object_get(*row, "containment");
    list = json_is_array(list) ? json_incref(list) : json_array();
    json_array_append(list, entry);
    json_object_set_new(*row, "containment", list);
    p = stage_change(c, txn, &incidents_resource, old, *row, NULL, "contain");
    json_decref(old);
    return p == PROBLEM_OK ? stage_tell(c, txn, "incident-contained", "incident", *row,
                                        row_text(*row, "app_id"), row_text(entry, "reason"), false)
                           : p;
}

enum problem incident_contain(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *entry = json_object();
    enum problem p = c->user.role & ROLE_STAFF ? read_measures(c, entry) : PROBLEM_NOT_PERMITTED;

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, contain(c, txn, entry, &row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &incidents_resource, row, 200);
    }
    json_decref(row);
    json_decref(entry);
    return p;
}

/* By the clock ----------------------------------------------------------------------------------
 */

static enum problem mark(struct rest_call *c, struct store_txn *txn, json_t *row, const char *when,
                         const char *action)
{
    json_t *old = json_deep_copy(row);

    json_object_set_new(row, when, stage_time(c->now_ms));
    enum problem p = stage_change(c, txn, &incidents_resource, old, row, NULL, action);
    json_decref(old);
    return p;
}

static enum problem warn(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = mark(c, txn, row, "warned_at", "warn");

    for (int to = 0; to < 2 && p == PROBLEM_OK; to++) {
        p = stage_tell(c, txn, "incident-overdue", "incident", row, row_text(row, "app_id"),
                       row_text(row, "title"), to);
    }
    return p;
}

static enum problem suspend(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = mark(c, txn, row, "suspended_at", "suspend");

    if (p == PROBLEM_OK) {
        p = stage_suspend_app(c, txn, row_text(row, "app_id"), "an incident was not fixed in time");
    }
    return p == PROBLEM_OK ? stage_tell(c, txn, "incident-suspended", "incident", row,
                                        row_text(row, "app_id"), row_text(row, "title"), true)
                           : p;
}

enum problem incidents_job(struct rest_call *c)
{
    static const char late[] = "SELECT id FROM incidents WHERE state IN ('open', 'accepted') AND "
                               "warned_at IS NULL AND due_at <= ?";
    static const char too_late[] = "SELECT id FROM incidents WHERE state IN ('open', 'accepted') "
                                   "AND suspended_at IS NULL AND due_at <= ?";
    struct store_txn *txn = NULL;
    uint64_t days = 0;
    enum problem p = stage_each_due(c, late, 0, &incidents_resource, warn);

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = stage_setting_days(c, txn, "incident-suspend-days", &days);
        store_rollback(&txn);
    }
    return p == PROBLEM_OK && days > 0
               ? stage_each_due(c, too_late, -days * STAGE_DAY_MS, &incidents_resource, suspend)
               : p;
}
