/* SPDX-License-Identifier: Apache-2.0 */
/* From an alert an operator limits, for a while and at once, what it is about (BK-10.2.1b3). */
#include "api/api.h"

static enum problem load_alert(struct rest_call *c, struct store_txn *txn, json_t **alert)
{
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &alerts_resource, c->segment[1], true, alert);
    return p == PROBLEM_OK && !*alert ? PROBLEM_NOT_FOUND : p;
}

/* The limit covers the alert's app and API, counted for them unless the operator says otherwise. */
static enum problem bind(struct rest_call *c, const json_t *alert)
{
    static const char *const ids[] = {"app_id", "api_id"};
    bool app = row_text(alert, "app_id")[0], api = row_text(alert, "api_id")[0];

    if (!app && !api) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the alert names neither app nor API");
    }
    for (size_t i = 0; i < COUNT(ids); i++) {
        if (row_text(alert, ids[i])[0]) {
            json_object_set(c->body, ids[i], json_object_get(alert, ids[i]));
        }
    }
    if (!json_object_get(c->body, "per")) {
        json_object_set_new(c->body, "per",
                            json_string(app && api ? "app-api"
                                        : app      ? "app"
                                                   : "api"));
    }
    return PROBLEM_OK;
}

static enum problem write_limit(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    struct change ch = {.res = &limits_resource, .txn = txn, .row = row};
    json_t *alert = NULL;
    struct uuid id;
    char text[UUID_TEXT_LEN + 1];

    uuid_new(&id);
    uuid_format(&id, text);
    json_object_set_new(row, "id", json_string(text));
    json_object_set_new(row, "state", json_string(limits_resource.initial));
    enum problem p = load_alert(c, txn, &alert);
    if (p == PROBLEM_OK) {
        p = bind(c, alert);
    }
    if (p == PROBLEM_OK) {
        p = attr_apply(c, txn, &limits_resource, row, true);
    }
    if (p == PROBLEM_OK && api_ms(row, "expires_at") <= c->now_ms) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at",
                      "a limit from an alert ends by itself, in the future");
    }
    if (p == PROBLEM_OK) {
        json_object_set(row, "alert_id", json_object_get(alert, "id"));
        p = limits_resource.check(c, &ch);
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &limits_resource, NULL, row, "create");
    }
    json_decref(alert);
    return p;
}

enum problem rest_alert_limit(struct rest_call *c)
{
    static const char *const members[] = {"name",       "per",    "measure",   "amount",
                                          "window_ms",  "action", "suspend_s", "not_before",
                                          "expires_at", "reason", NULL};
    struct store_txn *txn = NULL;
    json_t *row = json_object();
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, write_limit(c, txn, row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &limits_resource, row, 201);
    }
    json_decref(row);
    return p;
}
