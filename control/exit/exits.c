/* SPDX-License-Identifier: Apache-2.0 */
/* The exit itself: its steps, and who takes each. */
#include "exit/exit.h"

#include <stdio.h>

#include "api/api.h"
#include "notices/notices.h"

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"reason", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, 1000},
    {"leave_at", ATTR_TIME, AF_SORT},
    {"confidentiality_days", ATTR_INT, 0, 0, 36500},
    {"surviving", ATTR_JSON, 0, .check = exit_check_surviving},
    {"side", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY},
    {"notice_cursor", ATTR_TEXT, AF_HIDDEN},
    {"noticed_at", ATTR_TIME, AF_READ_ONLY},
    {"owners_noticed", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"owners_unreached", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"settlement", ATTR_TEXT, AF_READ_ONLY},
    {"settled_by", ATTR_TEXT, AF_READ_ONLY},
    {"settled_at", ATTR_TIME, AF_READ_ONLY},
    {"ended_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"deletion_order", ATTR_JSON, AF_READ_ONLY},
    {"receipt_due_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"receipt", ATTR_JSON, AF_READ_ONLY},
    {"received_by", ATTR_TEXT, AF_READ_ONLY},
    {"received_at", ATTR_TIME, AF_READ_ONLY},
    {"checked_by", ATTR_TEXT, AF_READ_ONLY},
    {"checked_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"warned_at", ATTR_TIME, AF_READ_ONLY},
};

static bool under_way(const json_t *row)
{
    const char *state = row_text(row, "state");

    return strcmp(state, "announced") == 0 || strcmp(state, "settled") == 0;
}

/* The notice period is the users' and the platform's: the app's side cannot shorten it. */
static enum problem check_date(struct rest_call *c, struct change *ch)
{
    uint64_t days = 0, leave_ms = api_ms(ch->row, "leave_at");
    enum problem p = stage_setting_days(c, ch->txn, "exit-notice-days", &days);

    if (p != PROBLEM_OK) {
        return p;
    }
    if (!leave_ms) {
        json_object_set_new(ch->row, "leave_at", stage_time(c->now_ms + days * STAGE_DAY_MS));
        return PROBLEM_OK;
    }
    if (ch->old && !api_changed(ch->old, ch->row, "leave_at")) {
        return PROBLEM_OK;
    }
    if (c->user.role & ROLE_STAFF) { /* may shorten it; what has passed is now */
        json_object_set_new(ch->row, "leave_at",
                            stage_time(leave_ms > c->now_ms ? leave_ms : c->now_ms));
        return PROBLEM_OK;
    }
    return leave_ms >= c->now_ms + days * STAGE_DAY_MS
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/leave_at",
                           "notice is given %d days before; an operator may shorten it", (int)days);
}

static enum problem tell(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         const char *kind, bool to_operators)
{
    return stage_tell(c, txn, kind, "exit", row, row_text(row, "app_id"), row_text(row, "leave_at"),
                      to_operators);
}

struct provider {
    const json_t *exit;
    json_t *told; /* organisations, as members */
    const char *app_name;
};

static enum problem tell_provider(struct rest_call *c, struct change *ch)
{
    struct provider *to = ch->arg;
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    const char *organisation = row_text(api, "organisation_id");

    if (p == PROBLEM_OK && organisation[0] && !json_object_get(to->told, organisation)) {
        const struct notice n = {.kind = "exit-announced",
                                 .organisation_id = organisation,
                                 .object_kind = "exit",
                                 .object_id = row_text(to->exit, "id"),
                                 .object_name = to->app_name,
                                 .detail = row_text(to->exit, "leave_at")};
        json_object_set_new(to->told, organisation, json_true());
        p = notice_put(c, ch->txn, &n);
    }
    json_decref(api);
    return p;
}

/* The app's own side, the operators and whoever provides what it calls; the users by a job. */
static enum problem announce(struct rest_call *c, struct change *ch, const json_t *app)
{
    struct provider to = {ch->row, json_object(), row_text(app, "name")};
    enum problem p = tell(c, ch->txn, ch->row, "exit-announced", true);

    json_object_set_new(to.told, row_text(app, "organisation_id"), json_true());
    if (p == PROBLEM_OK) {
        p = tell(c, ch->txn, ch->row, "exit-announced", false);
    }
    if (p == PROBLEM_OK) {
        p = row_each(c, ch->txn, &subscriptions_resource, "app_id", row_text(app, "id"),
                     tell_provider, &to);
    }
    json_decref(to.told);
    return p;
}

static enum problem begin(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;
    uint64_t days = 0;
    enum problem p = stage_app(c, ch->txn, ch->row, &app);

    if (p == PROBLEM_OK && strcmp(row_text(app, "state"), "withdrawn") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/app_id", "the app has left already");
    }
    if (p == PROBLEM_OK) {
        p = stage_setting_days(c, ch->txn, "confidentiality-days", &days);
    }
    if (p == PROBLEM_OK && !json_is_integer(json_object_get(ch->row, "confidentiality_days"))) {
        json_object_set_new(ch->row, "confidentiality_days", json_integer((json_int_t)days));
    }
    json_object_set_new(ch->row, "side",
                        json_string(c->user.role & ROLE_STAFF ? "platform" : "organisation"));
    json_object_set_new(ch->row, "requested_by", json_string(c->user.login));
    json_object_set_new(ch->row, "notice_cursor", json_string(""));
    if (p == PROBLEM_OK) {
        p = announce(c, ch, app);
    }
    json_decref(app);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    bool staff = c->user.role & ROLE_STAFF;

    if (ch->old && !under_way(ch->row)) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the exit is %s",
                         row_text(ch->row, "state"));
    }
    if (!staff && ch->old && api_changed(ch->old, ch->row, "confidentiality_days")) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/confidentiality_days",
                         "what was agreed is not one side's to change");
    }
    if (!staff && !ch->old && json_object_get(c->body, "confidentiality_days")) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/confidentiality_days",
                         "an operator states what was agreed");
    }
    enum problem p = check_date(c, ch);
    return p == PROBLEM_OK && !ch->old ? begin(c, ch) : p;
}

/* Nothing in flight: no incident is open, and somebody answers for the rest in words. */
static enum problem settle(struct rest_call *c, struct change *ch)
{
    const struct store_value v = store_text(row_text(ch->row, "app_id"));
    struct store_rows *rows = NULL;
    enum store_err err = store_query(ch->txn,
                                     "SELECT count(*) FROM incidents WHERE app_id = ? AND state IN "
                                     "('open', 'accepted', 'fixed')",
                                     &v, 1, &rows);
    int64_t open = err == STORE_OK && store_next(rows) ? store_get_int(rows, 0) : 0;
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    if (p == PROBLEM_OK && open > 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "%d incidents of the app are not over",
                         (int)open);
    }
    stage_sign(c, ch->row, "settled");
    json_object_set_new(ch->row, "warned_at", json_null()); /* the receipt has its own */
    return p == PROBLEM_OK ? tell(c, ch->txn, ch->row, "exit-settled", true) : p;
}

static enum problem checked(struct rest_call *c, struct change *ch)
{
    stage_sign(c, ch->row, "checked");
    return tell(c, ch->txn, ch->row, "exit-receipt-checked", false);
}

static enum problem send_back(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "receipt", json_null());
    return stage_tell(c, ch->txn, "exit-receipt-returned", "exit", ch->row,
                      row_text(ch->row, "app_id"), row_text(ch->row, "comment"), false);
}

static enum problem cancel(struct rest_call *c, struct change *ch)
{
    return tell(c, ch->txn, ch->row, "exit-cancelled", false);
}

#define PARTIES (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"announced", "settle", "settled", PARTIES, .body_text = "settlement", .hook = settle},
    {"announced|settled", "cancel", "cancelled", ROLE_STAFF, .body_text = "comment",
     .hook = cancel},
    {"received", "check", "checked", ROLE_STAFF, .hook = checked},
    {"received", "return", "ended", ROLE_STAFF, .body_text = "comment", .hook = send_back},
    {"checked", "close", "closed", ROLE_STAFF},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, STAGE_OWN_APP, STAGE_OWN_APP},
};

const struct resource exits_resource = {
    .plural = "exits",
    .kind = "exit",
    .initial = "announced",
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

enum problem exit_hold_app(struct rest_call *c, struct change *ch)
{
    const char *state = row_text(ch->old, "state");
    bool on = false, live = strcmp(state, "admitted") == 0 || strcmp(state, "suspended") == 0;
    enum problem p = stage_setting_on(c, ch->txn, "exit-required", &on);

    return p == PROBLEM_OK && on && live
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                           "an app that was live leaves in order: POST /exits")
               : p;
}

enum problem exit_refuse_new(struct rest_call *c, struct store_txn *txn, const char *app_id)
{
    const struct store_value v = store_text(app_id);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn, "SELECT 1 FROM exits WHERE app_id = ? AND state IN ('announced', 'settled')", &v, 1,
        &rows);
    bool leaving = err == STORE_OK && store_next(rows);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    return p == PROBLEM_OK && leaving
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "/app_id",
                           "the app is about to leave: nothing new is begun with it")
               : p;
}
