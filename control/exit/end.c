/* SPDX-License-Identifier: Apache-2.0 */
/* The day it leaves. All of it is one transaction: a process that dies in the middle leaves an app
 * that has not left, and the job takes it up again. */
#include "api/api.h"
#include "api/credentials.h"
#include "exit/exit.h"
#include "oauth/oauth.h"

#define WHY "the app left the platform"

static enum problem cancel_one(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "state"), "cancelled") == 0) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    enum problem p =
        stage_change(c, ch->txn, &subscriptions_resource, old, ch->row, "cancelled", "cancel");
    json_decref(old);
    return p;
}

static enum problem remove_client(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "state"), "active") != 0) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    enum problem p = stage_change(c, ch->txn, &clients_resource, old, ch->row, "removed", "remove");
    json_decref(old);
    return p;
}

static enum problem withdraw(struct rest_call *c, struct store_txn *txn, const char *app_id)
{
    json_t *app = NULL, *old;
    enum problem p = api_load(c, txn, &apps_resource, app_id, &app);

    if (p == PROBLEM_OK && strcmp(row_text(app, "state"), "withdrawn") != 0) {
        old = json_deep_copy(app);
        p = stage_change(c, txn, &apps_resource, old, app, "withdrawn", "withdraw");
        json_decref(old);
    }
    json_decref(app);
    return p;
}

/* Consent first, then what the app proves itself with, the app last: at no point of what a node may
 * see could it do more than before. */
static enum problem end_all(struct rest_call *c, struct store_txn *txn, const char *app_id)
{
    const struct oauth_revocation tokens = {.app_id = app_id};
    enum problem p = stage_revoke_grants(c, txn, app_id, 0, WHY);

    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &subscriptions_resource, "app_id", app_id, cancel_one, NULL);
    }
    if (p == PROBLEM_OK) {
        p = oauth_revoke(c, txn, &tokens);
    }
    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &clients_resource, "app_id", app_id, remove_client, NULL);
    }
    if (p == PROBLEM_OK) {
        p = credentials_void_app(c, txn, app_id, WHY);
    }
    return p == PROBLEM_OK ? withdraw(c, txn, app_id) : p;
}

enum problem exit_end(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    const char *app_id = row_text(row, "app_id");
    json_t *order = NULL, *old = json_deep_copy(row);
    uint64_t days = 0;
    enum problem p = exit_order(c, txn, app_id, &order);

    if (p == PROBLEM_OK) {
        p = stage_setting_days(c, txn, "exit-receipt-days", &days);
    }
    if (p == PROBLEM_OK) {
        p = end_all(c, txn, app_id);
    }
    json_object_set_new(row, "deletion_order", order);
    json_object_set_new(row, "ended_at", stage_time(c->now_ms));
    json_object_set_new(row, "receipt_due_at", stage_time(c->now_ms + days * STAGE_DAY_MS));
    if (p == PROBLEM_OK) {
        p = stage_change(c, txn, &exits_resource, old, row, "ended", "end");
    }
    if (p == PROBLEM_OK) {
        p = exit_duties_open(c, txn, row);
    }
    if (p == PROBLEM_OK) {
        p = stage_tell(c, txn, "exit-deletion-ordered", "exit", row, app_id,
                       row_text(row, "receipt_due_at"), false);
    }
    if (p == PROBLEM_OK) {
        p = stage_tell(c, txn, "exit-ended", "exit", row, app_id, NULL, true);
    }
    json_decref(old);
    return p;
}
