/* SPDX-License-Identifier: Apache-2.0 */
/* Which organisation owes which report how often. A report that waits for review holds the clock:
 * what the platform has not read yet is not the party's delay. */
#include "api/api.h"
#include "incidents/incidents.h"
#include "notices/notices.h"

static const struct attr attrs[] = {
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 30, .values = self_report_kinds},
    {"every_days", ATTR_INT, AF_REQUIRED, 1, 3650},
    {"remind_days", ATTR_INT, 0, 0, 365, .fallback = "7"},
    {"due_at", ATTR_TIME, AF_SORT},
    {"reminded_at", ATTR_TIME, AF_READ_ONLY},
    {"overdue_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"suspended_at", ATTR_TIME, AF_READ_ONLY},
};

static void begin_period(json_t *row, uint64_t due_ms)
{
    json_object_set_new(row, "due_at", stage_time(due_ms));
    json_object_set_new(row, "reminded_at", json_null());
    json_object_set_new(row, "overdue_at", json_null());
    json_object_set_new(row, "suspended_at", json_null());
}

static uint64_t period_ms(const json_t *row)
{
    return (uint64_t)json_integer_value(json_object_get(row, "every_days")) * STAGE_DAY_MS;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    if (ch->old && strcmp(row_text(ch->row, "state"), "active") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the duty has ended; make another");
    }
    if (!api_ms(ch->row, "due_at")) {
        begin_period(ch->row, c->now_ms + period_ms(ch->row));
    } else if (ch->old && api_changed(ch->old, ch->row, "due_at")) {
        begin_period(ch->row, api_ms(ch->row, "due_at"));
    }
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"active", "end", "ended", ROLE_STAFF},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, "t.organisation_id = ?", "1 = 0"},
};

const struct resource report_duties_resource = {
    .plural = "report_duties",
    .kind = "report-duty",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
};

static enum problem met(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "state"), "active") != 0 ||
        strcmp(row_text(ch->row, "kind"), ch->arg) != 0) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    begin_period(ch->row, c->now_ms + period_ms(ch->row));
    enum problem p =
        stage_change(c, ch->txn, &report_duties_resource, old, ch->row, NULL, "update");
    json_decref(old);
    return p;
}

enum problem report_duty_met(struct rest_call *c, struct store_txn *txn, const char *organisation,
                             const char *kind)
{
    return row_each(c, txn, &report_duties_resource, "organisation_id", organisation, met,
                    (void *)(uintptr_t)kind);
}

/* By the clock ----------------------------------------------------------------------------------
 */

static enum problem tell(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         const char *kind, bool to_operators)
{
    const struct notice n = {.kind = kind,
                             .organisation_id =
                                 to_operators ? NULL : row_text(row, "organisation_id"),
                             .object_kind = "report-duty",
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(row, "kind")};

    return notice_put(c, txn, &n);
}

static enum problem mark(struct rest_call *c, struct store_txn *txn, json_t *row, const char *when,
                         const char *action)
{
    json_t *old = json_deep_copy(row);

    json_object_set_new(row, when, stage_time(c->now_ms));
    enum problem p = stage_change(c, txn, &report_duties_resource, old, row, NULL, action);
    json_decref(old);
    return p;
}

static enum problem remind(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = mark(c, txn, row, "reminded_at", "remind");

    return p == PROBLEM_OK ? tell(c, txn, row, "self-report-due", false) : p;
}

static enum problem overdue(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = mark(c, txn, row, "overdue_at", "warn");

    if (p == PROBLEM_OK) {
        p = tell(c, txn, row, "self-report-overdue", false);
    }
    return p == PROBLEM_OK ? tell(c, txn, row, "self-report-overdue", true) : p;
}

static enum problem suspend_app(struct rest_call *c, struct change *ch)
{
    return stage_suspend_app(c, ch->txn, row_text(ch->row, "id"), "a report it owes is missing");
}

static enum problem suspend(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = mark(c, txn, row, "suspended_at", "suspend");

    return p == PROBLEM_OK ? row_each(c, txn, &apps_resource, "organisation_id",
                                      row_text(row, "organisation_id"), suspend_app, NULL)
                           : p;
}

#define OWED                                                                                       \
    "SELECT id FROM report_duties d WHERE state = 'active' AND NOT EXISTS (SELECT 1 FROM "         \
    "self_reports r WHERE r.organisation_id = d.organisation_id AND r.kind = d.kind AND r.state "  \
    "= 'submitted') AND "

enum problem report_duties_job(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    uint64_t days = 0;
    enum problem p =
        stage_each_due(c, OWED "reminded_at IS NULL AND due_at - remind_days * 86400000 <= ?", 0,
                       &report_duties_resource, remind);

    if (p == PROBLEM_OK) {
        p = stage_each_due(c, OWED "overdue_at IS NULL AND due_at <= ?", 0, &report_duties_resource,
                           overdue);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = stage_setting_days(c, txn, "self-report-suspend-days", &days);
        store_rollback(&txn);
    }
    return p == PROBLEM_OK && days > 0
               ? stage_each_due(c, OWED "suspended_at IS NULL AND due_at <= ?",
                                -days * STAGE_DAY_MS, &report_duties_resource, suspend)
               : p;
}
