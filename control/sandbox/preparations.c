/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be ready before the joint test and going live (GS-6.1b, CI-6.1.2c): a list opened with
 * the test stage, of which the platform checks what it can and the app's side states the rest. */
#include <stdio.h>

#include "api/api.h"
#include "sandbox/sandbox.h"

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "apps"},
    {"due_at", ATTR_TIME, AF_SORT},
    {"environment", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"hardening", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"hardening_document_id", ATTR_REF, 0, .ref = "documents"},
    {"backup", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"recovery", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"contacts", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"connected_transaction_id", ATTR_TEXT, AF_READ_ONLY},
    {"completed_by", ATTR_TEXT, AF_READ_ONLY},
    {"completed_at", ATTR_TIME, AF_READ_ONLY},
    {"warned_at", ATTR_TIME, AF_READ_ONLY},
};

/* Its due date is the platform's to move. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "state"), "open") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the list is complete");
    }
    if (ch->old && api_changed(ch->old, ch->row, "due_at")) {
        if (!(c->user.role & ROLE_STAFF) || !api_ms(ch->row, "due_at")) {
            return rest_fail(c, PROBLEM_NOT_PERMITTED, "/due_at", "an operator sets a date");
        }
        json_object_set_new(ch->row, "warned_at", json_null());
    }
    return PROBLEM_OK;
}

/* The self-test of the connection: a signed call of the present test stage that was answered. */
static enum problem find_connection(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    const struct store_value v = store_text(row_text(row, "app_id"));
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn,
        "SELECT transaction_id FROM sandbox_calls t WHERE app_id = ? AND code = 'ok' AND at >= "
        "(SELECT testing_since FROM apps p WHERE p.id = t.app_id) ORDER BY at LIMIT 1",
        &v, 1, &rows);

    if (err == STORE_OK && store_next(rows) && !store_is_null(rows, 0)) {
        json_object_set_new(row, "connected_transaction_id", json_string(store_get_text(rows, 0)));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem complete(struct rest_call *c, struct change *ch)
{
    static const char *const stated[] = {"environment", "hardening", "hardening_document_id",
                                         "backup",      "recovery",  "contacts"};
    char where[40];
    enum problem p = find_connection(c, ch->txn, ch->row);

    for (size_t i = 0; i < COUNT(stated) && p == PROBLEM_OK; i++) {
        snprintf(where, sizeof where, "/%s", stated[i]);
        if (!row_text(ch->row, stated[i])[0]) {
            return rest_fail(c, PROBLEM_STATE_CONFLICT, where, "this is not stated yet");
        }
    }
    if (p == PROBLEM_OK && !row_text(ch->row, "connected_transaction_id")[0]) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/connected_transaction_id",
                         "no call of this test stage was answered yet");
    }
    stage_sign(c, ch->row, "completed");
    return p;
}

static const struct transition transitions[] = {
    {"open", "complete", "complete", ROLE_DEVELOPER | ROLE_STAFF, .hook = complete},
    {"open", "drop", "dropped", ROLE_STAFF},
    {"complete", "reopen", "open", ROLE_STAFF},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, STAGE_OWN_APP, STAGE_OWN_APP},
};

const struct resource test_preparations_resource = {
    .plural = "test_preparations",
    .kind = "test-preparation",
    .initial = "open",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_DEVELOPER,
    .patch_roles = ROLE_STAFF | ROLE_DEVELOPER,
    .check = check,
};

static enum problem drop_one(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "state"), "dropped") == 0) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    enum problem p =
        stage_change(c, ch->txn, &test_preparations_resource, old, ch->row, "dropped", "drop");
    json_decref(old);
    return p;
}

/* A new stage begins with a new list. */
enum problem test_preparation_open(struct rest_call *c, struct store_txn *txn, const char *app_id)
{
    json_t *row = resource_row(&test_preparations_resource);
    uint64_t days = 0;
    enum problem p =
        row_each(c, txn, &test_preparations_resource, "app_id", app_id, drop_one, NULL);

    if (p == PROBLEM_OK) {
        p = stage_setting_days(c, txn, "preparation-days", &days);
    }
    json_object_set_new(row, "app_id", json_string(app_id));
    json_object_set_new(row, "due_at", stage_time(c->now_ms + days * STAGE_DAY_MS));
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &test_preparations_resource, NULL, row, "create");
    }
    if (p == PROBLEM_OK) {
        p = stage_tell(c, txn, "test-preparation-opened", "test-preparation", row, app_id, NULL,
                       false);
    }
    json_decref(row);
    return p;
}

enum problem test_preparation_done(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                   bool *done)
{
    const struct store_value v = store_text(app_id);
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn, "SELECT 1 FROM test_preparations WHERE app_id = ? AND state = 'complete'",
                    &v, 1, &rows);

    *done = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem warn(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    const char *app = row_text(row, "app_id");
    json_t *old = json_deep_copy(row);

    json_object_set_new(row, "warned_at", stage_time(c->now_ms));
    enum problem p = stage_change(c, txn, &test_preparations_resource, old, row, NULL, "warn");
    json_decref(old);
    if (p == PROBLEM_OK) {
        p = stage_tell(c, txn, "test-preparation-overdue", "test-preparation", row, app, NULL,
                       false);
    }
    return p == PROBLEM_OK ? stage_tell(c, txn, "test-preparation-overdue", "test-preparation", row,
                                        app, NULL, true)
                           : p;
}

enum problem test_preparations_due(struct rest_call *c)
{
    return stage_each_due(
        c,
        "SELECT id FROM test_preparations WHERE state = 'open' AND warned_at IS NULL "
        "AND due_at <= ?",
        0, &test_preparations_resource, warn);
}
