/* SPDX-License-Identifier: Apache-2.0 */
/* By the clock: each alert that says something is wrong becomes a case, or one more hit of the open
 * case of its kind, app and API; and what nobody takes up or finishes in time goes a step up. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "incidents/cases.h"
#include "notices/notices.h"
#include "sandbox/stage.h"

/* What an alert is about; those of things that got well again open nothing. */
static const struct {
    const char *alert, *kind, *title;
    int grade;
} causes[] = {
    {"impersonation", "risk", "Somebody called in an app's name", 1},
    {"calls-refused", "risk", "An app's calls are refused again and again", 2},
    {"limit-suspended", "risk", "An app was suspended by a limit", 2},
    {"suspected-transfer", "risk", "An app's calls come from a package that is not its own", 2},
    {"limit-alert", "anomaly", "An app passed a limit", 3},
    {"breaker-open", "problem", "An interface's circuit opened", 2},
    {"target-down", "problem", "An interface failed its check", 2},
    {"standby-used", "problem", "An interface runs on its standby", 3},
    {"redis-lost", "production", "A node lost its shared counters", 2},
    {"policy-unreadable", "production", "A node could not read a rule", 1},
};

static int cause_of(const char *alert)
{
    for (size_t i = 0; i < COUNT(causes); i++) {
        if (strcmp(causes[i].alert, alert) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static enum problem note(struct rest_call *c, struct store_txn *txn, const json_t *alert,
                         const char *case_id)
{
    const struct store_value v[] = {store_text(row_text(alert, "id")), store_text(case_id)};

    return rest_store_problem(
        c, store_exec(txn, "INSERT INTO case_alerts (alert_id, case_id) VALUES (?, ?)", v, COUNT(v),
                      NULL));
}

static enum problem find_open(struct rest_call *c, struct store_txn *txn, const json_t *alert,
                              const char *kind, const char *title, char id[static 40])
{
    static const char sql[] =
        "SELECT id FROM cases WHERE state IN ('open', 'assigned') AND source = 'alert' AND kind = "
        "? "
        "AND title = ? AND coalesce(app_id, '') = ? AND coalesce(api_id, '') = ? LIMIT 1";
    const struct store_value v[] = {store_text(kind), store_text(title),
                                    store_text(row_text(alert, "app_id")),
                                    store_text(row_text(alert, "api_id"))};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);

    id[0] = '\0';
    if (err == STORE_OK && store_next(rows)) {
        snprintf(id, 40, "%s", store_get_text(rows, 0));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem one_more(struct rest_call *c, struct store_txn *txn, const json_t *alert,
                             const char *id)
{
    json_t *row = NULL;
    enum problem p = row_load(c, txn, &cases_resource, id, false, &row);

    if (p == PROBLEM_OK && row) {
        json_t *old = json_deep_copy(row);
        json_int_t hits = json_integer_value(json_object_get(row, "hits"));
        json_object_set_new(row, "hits", json_integer(hits + 1));
        p = stage_change(c, txn, &cases_resource, old, row, NULL, "hit");
        json_decref(old);
    }
    json_decref(row);
    return p == PROBLEM_OK ? note(c, txn, alert, id) : p;
}

static enum problem party_of(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *app = NULL;
    enum problem p = row_load(c, txn, &apps_resource, row_text(row, "app_id"), false, &app);

    if (p == PROBLEM_OK && app) {
        json_object_set(row, "organisation_id", json_object_get(app, "organisation_id"));
    } else {
        json_object_set_new(row, "app_id", json_null()); /* an alert may name what is gone */
    }
    json_decref(app);
    return p;
}

static enum problem known_api(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *api = NULL;
    enum problem p = row_load(c, txn, &apis_resource, row_text(row, "api_id"), false, &api);

    if (p == PROBLEM_OK && !api) {
        json_object_set_new(row, "api_id", json_null());
    }
    json_decref(api);
    return p;
}

static enum problem open_case(struct rest_call *c, struct store_txn *txn, const json_t *alert,
                              int cause)
{
    json_t *row = resource_row(&cases_resource);
    const char *id = row_text(row, "id"); /* stays while the row does */

    json_object_set_new(row, "kind", json_string(causes[cause].kind));
    json_object_set_new(row, "title", json_string(causes[cause].title));
    json_object_set_new(row, "grade", json_integer(causes[cause].grade));
    json_object_set_new(row, "source", json_string("alert"));
    json_object_set_new(row, "opened_by", json_string("platform"));
    json_object_set(row, "alert_id", json_object_get(alert, "id"));
    json_object_set(row, "alerted_at", json_object_get(alert, "at"));
    json_object_set(row, "app_id", json_object_get(alert, "app_id"));
    json_object_set(row, "api_id", json_object_get(alert, "api_id"));
    json_object_set_new(row, "created_at", stage_time(c->now_ms));
    case_set_due(c, row);
    enum problem p = party_of(c, txn, row);
    if (p == PROBLEM_OK) {
        p = known_api(c, txn, row);
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &cases_resource, NULL, row, "create");
    }
    if (p == PROBLEM_OK) {
        p = note(c, txn, alert, id);
    }
    const struct notice n = {.kind = "case-opened",
                             .object_kind = "case",
                             .object_id = id,
                             .object_name = causes[cause].title};
    p = p == PROBLEM_OK ? notice_put(c, txn, &n) : p;
    json_decref(row);
    return p;
}

static enum problem take(struct rest_call *c, struct store_txn *txn, json_t *alert)
{
    char id[40];
    int cause = cause_of(row_text(alert, "kind"));

    if (cause < 0) {
        return note(c, txn, alert, "");
    }
    enum problem p = find_open(c, txn, alert, causes[cause].kind, causes[cause].title, id);
    if (p != PROBLEM_OK) {
        return p;
    }
    return id[0] ? one_more(c, txn, alert, id) : open_case(c, txn, alert, cause);
}

/* Not taken up in time, or not done: the operators hear of it, and it counts a grade more. */
static enum problem escalate(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    bool waits = strcmp(row_text(row, "state"), "open") == 0;
    json_int_t times = json_integer_value(json_object_get(row, "escalations"));

    if (waits && case_answer_ms(row) > c->now_ms && api_ms(row, "due_at") > c->now_ms) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(row);
    json_int_t grade = json_integer_value(json_object_get(row, "grade"));
    json_object_set_new(row, "escalated_at", stage_time(c->now_ms));
    json_object_set_new(row, "escalations", json_integer(times + 1));
    json_object_set_new(row, "grade", json_integer(grade > 1 ? grade - 1 : 1));
    enum problem p = stage_change(c, txn, &cases_resource, old, row, NULL, "escalate");
    json_decref(old);
    const struct notice n = {.kind = waits ? "case-unanswered" : "case-overdue",
                             .object_kind = "case",
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(row, "title"),
                             .detail = row_text(row, "handler")};
    return p == PROBLEM_OK ? notice_put(c, txn, &n) : p;
}

enum problem cases_job(struct rest_call *c)
{
    static const char alerts[] =
        "SELECT a.id FROM alerts a WHERE a.state = 'open' AND a.created_at <= ? AND NOT EXISTS "
        "(SELECT 1 FROM case_alerts k WHERE k.alert_id = a.id) ORDER BY a.created_at LIMIT 200";
    static const char late[] =
        "SELECT id FROM cases WHERE (state IN ('open', 'assigned', 'treated') AND due_at <= ?1 AND "
        "(escalated_at IS NULL OR escalated_at < due_at)) OR (state = 'open' AND escalated_at IS "
        "NULL AND created_at + (due_at - created_at) / 4 <= ?1)";
    enum problem p = stage_each_due(c, alerts, 0, &alerts_resource, take);
    enum problem q = stage_each_due(c, late, 0, &cases_resource, escalate);

    return p != PROBLEM_OK ? p : q;
}
