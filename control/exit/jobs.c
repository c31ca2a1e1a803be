/* SPDX-License-Identifier: Apache-2.0 */
/* By the clock: every user with a live consent is told, the app leaves on its date, what is missing
 * is reminded of. Users are told a batch at a time, each batch with the place it reached in one
 * transaction, so that whoever was told is told once, however often the process dies. */
#include "api/api.h"
#include "exit/exit.h"
#include "notices/notices.h"

#define OWNERS_MAX 200 /* of a batch */

static const struct attr notice_attrs[] = {
    {"exit_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "exits"},
    {"owner", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"user_id", ATTR_TEXT, AF_READ_ONLY},
    {"reached", ATTR_BOOL, AF_READ_ONLY},
    {"at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
};

const struct resource exit_notices_resource = {
    .plural = "exit_notices",
    .kind = "exit-notice",
    .initial = "told",
    .attrs = notice_attrs,
    .n_attrs = COUNT(notice_attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
};

/* Users that stand for this owner, or the organisation that does; a notice each. */
static enum problem find_recipients(struct rest_call *c, struct store_txn *txn, const char *owner,
                                    json_t *found)
{
    static const char sql[] =
        "SELECT id, 1 FROM users WHERE subject = ? AND state = 'active' UNION "
        "SELECT id, 0 FROM organisations WHERE subject = ?";
    const struct store_value v[] = {store_text(owner), store_text(owner)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, 2, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(
            found, json_pack("[s, b]", store_get_text(rows, 0), (int)store_get_int(rows, 1)));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem tell_each(struct rest_call *c, struct store_txn *txn, const json_t *exit,
                              const char *app_name, const json_t *recipients)
{
    json_t *to;
    size_t i;
    enum problem p = PROBLEM_OK;

    json_array_foreach(recipients, i, to)
    {
        const char *id = json_string_value(json_array_get(to, 0));
        bool user = json_is_true(json_array_get(to, 1));
        const struct notice n = {.kind = "exit-of-app",
                                 .user_id = user ? id : NULL,
                                 .organisation_id = user ? NULL : id,
                                 .object_kind = "exit",
                                 .object_id = row_text(exit, "id"),
                                 .object_name = app_name,
                                 .detail = row_text(exit, "leave_at")};
        if (p == PROBLEM_OK) {
            p = notice_put(c, txn, &n);
        }
    }
    return p;
}

static enum problem tell_owner(struct rest_call *c, struct store_txn *txn, json_t *exit,
                               const char *app_name, const char *owner)
{
    json_t *recipients = json_array(), *row = NULL;
    struct uuid id;
    char text[UUID_TEXT_LEN + 1];
    enum problem p = find_recipients(c, txn, owner, recipients);
    bool reached = json_array_size(recipients) > 0;

    if (p == PROBLEM_OK) {
        p = tell_each(c, txn, exit, app_name, recipients);
    }
    if (p == PROBLEM_OK) {
        const char *count = reached ? "owners_noticed" : "owners_unreached";
        const char *user = json_string_value(json_array_get(json_array_get(recipients, 0), 0));
        uuid_new(&id);
        uuid_format(&id, text);
        row = json_pack("{s:s, s:s, s:O, s:s, s:o, s:b, s:o}", "id", text, "state", "told",
                        "exit_id", json_object_get(exit, "id"), "owner", owner, "user_id",
                        user ? json_string(user) : json_null(), "reached", reached, "at",
                        stage_time(c->now_ms));
        p = row ? change_store(c, txn, &exit_notices_resource, NULL, row, "create")
                : PROBLEM_INTERNAL;
        json_object_set_new(exit, count,
                            json_integer(json_integer_value(json_object_get(exit, count)) + 1));
    }
    json_decref(recipients);
    json_decref(row);
    return p;
}

static enum problem next_owners(struct rest_call *c, struct store_txn *txn, const json_t *exit,
                                json_t *owners)
{
    static const char sql[] = "SELECT DISTINCT owner FROM grants WHERE app_id = ? AND state = "
                              "'active' AND expires_at > ? AND owner > ? ORDER BY owner LIMIT ?";
    const struct store_value v[] = {
        store_text(row_text(exit, "app_id")), store_int((int64_t)c->now_ms),
        store_text(row_text(exit, "notice_cursor")), store_int(OWNERS_MAX)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(owners, json_string(store_get_text(rows, 0)));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem notify(struct rest_call *c, struct store_txn *txn, json_t *exit)
{
    json_t *old = json_deep_copy(exit), *owners = json_array(), *app = NULL, *owner;
    size_t i;
    enum problem p = next_owners(c, txn, exit, owners);

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &apps_resource, row_text(exit, "app_id"), &app);
    }
    json_array_foreach(owners, i, owner)
    {
        if (p == PROBLEM_OK) {
            p = tell_owner(c, txn, exit, row_text(app, "name"), json_string_value(owner));
            json_object_set(exit, "notice_cursor", owner);
        }
    }
    if (json_array_size(owners) < OWNERS_MAX) {
        json_object_set_new(exit, "noticed_at", stage_time(c->now_ms));
    }
    if (p == PROBLEM_OK) {
        p = stage_change(c, txn, &exits_resource, old, exit, NULL, "notify");
    }
    json_decref(old);
    json_decref(owners);
    json_decref(app);
    return p;
}

enum problem exits_notify_job(struct rest_call *c)
{
    return stage_each_due(c,
                          "SELECT id FROM exits WHERE noticed_at IS NULL AND state IN "
                          "('announced', 'settled') AND created_at <= ?",
                          0, &exits_resource, notify);
}

enum problem exits_end_job(struct rest_call *c)
{
    return stage_each_due(c,
                          "SELECT id FROM exits WHERE state = 'settled' AND noticed_at IS NOT NULL "
                          "AND leave_at <= ?",
                          0, &exits_resource, exit_end);
}

/* Reminders -------------------------------------------------------------------------------------
 */

static enum problem warn(struct rest_call *c, struct store_txn *txn, json_t *exit)
{
    const char *kind =
        strcmp(row_text(exit, "state"), "ended") == 0 ? "exit-receipt-overdue" : "exit-unsettled";
    json_t *old = json_deep_copy(exit);

    json_object_set_new(exit, "warned_at", stage_time(c->now_ms));
    enum problem p = stage_change(c, txn, &exits_resource, old, exit, NULL, "warn");
    json_decref(old);
    for (int to = 0; to < 2 && p == PROBLEM_OK; to++) {
        p = stage_tell(c, txn, kind, "exit", exit, row_text(exit, "app_id"), NULL, to);
    }
    return p;
}

static enum problem end_duty(struct rest_call *c, struct store_txn *txn, json_t *duty)
{
    json_t *old = json_deep_copy(duty);
    enum problem p = stage_change(c, txn, &exit_duties_resource, old, duty, "ended", "end");

    json_decref(old);
    if (p == PROBLEM_OK) {
        p = exit_duties_note(c, txn, row_text(duty, "organisation_id"));
    }
    for (int to = 0; to < 2 && p == PROBLEM_OK; to++) {
        p = stage_tell(c, txn, "exit-duty-ended", "exit-duty", duty, row_text(duty, "app_id"),
                       row_text(duty, "kind"), to);
    }
    return p;
}

enum problem exits_remind_job(struct rest_call *c)
{
    enum problem p = stage_each_due(
        c,
        "SELECT id FROM exits WHERE warned_at IS NULL AND state IN ('announced', 'ended') AND CASE "
        "state WHEN 'ended' THEN receipt_due_at ELSE leave_at END <= ?",
        0, &exits_resource, warn);

    return p == PROBLEM_OK
               ? stage_each_due(c,
                                "SELECT id FROM exit_duties WHERE state = 'active' AND until <= ?",
                                0, &exit_duties_resource, end_duty)
               : p;
}
