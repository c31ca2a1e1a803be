/* SPDX-License-Identifier: Apache-2.0 */
/* A change takes effect, for some first or for all, and is taken back. A new version gets the
 * subscriptions of the old one, so that nobody applies twice for the same data. */
#include "api/api.h"
#include "services/changes.h"

/* Applies attributes as a change by its owner would, in the name of the record. */
static enum problem apply(struct rest_call *c, struct store_txn *txn, const char *api_id,
                          json_t *change, const char *action, json_t **earlier)
{
    json_t *old = NULL, *body = c->body, *v;
    const char *key;
    enum problem p = api_load(c, txn, &apis_resource, api_id, &old);

    if (p != PROBLEM_OK) {
        return p;
    }
    json_t *row = json_deep_copy(old);
    struct change ch = {
        .res = &apis_resource, .txn = txn, .old = old, .row = row, .action = action};
    if (earlier) {
        *earlier = json_object();
        json_object_foreach(change, key, v)
        {
            json_object_set(*earlier, key, json_object_get(old, key));
        }
    }
    c->body = change;
    p = attr_apply(c, txn, &apis_resource, row, false);
    if (p == PROBLEM_OK) {
        p = apis_resource.check(c, &ch);
    }
    c->body = body;
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &apis_resource, old, row, action);
    }
    json_decref(row);
    json_decref(old);
    return p;
}

struct carrying {
    const json_t *to;   /* the new version */
    const json_t *only; /* ids of apps; not an array: all */
};

static bool wanted(const struct carrying *k, const char *app_id)
{
    const json_t *bound = json_pack("{s:O?}", "bound_apps", k->only);
    bool yes = life_bound_to(bound, app_id);

    json_decref((json_t *)bound);
    return yes;
}

static enum problem carry(struct rest_call *c, struct change *ch)
{
    static const char *const copied[] = {"app_id",
                                         "purpose",
                                         "max_level",
                                         "not_before",
                                         "expires_at",
                                         "risk_assessment",
                                         "risk_approver",
                                         "risk_approved_at",
                                         "provider_approved_by",
                                         "provider_approved_at"};
    const struct carrying *k = ch->arg;
    const char *app_id = row_text(ch->row, "app_id");
    const struct store_value v[] = {store_text(row_text(k->to, "id")), store_text(app_id)};
    json_t *there = NULL;

    if (strcmp(row_text(ch->row, "state"), "approved") != 0 || !wanted(k, app_id)) {
        return PROBLEM_OK;
    }
    enum problem p = services_rows(c, ch->txn,
                                   "SELECT id FROM subscriptions WHERE api_id = ? AND app_id = ? "
                                   "AND state <> 'cancelled'",
                                   v, 2, "id:t", &there);
    bool has = json_array_size(there) > 0;
    json_decref(there);
    if (p != PROBLEM_OK || has) {
        return p;
    }
    json_t *row = resource_row(&subscriptions_resource);
    for (size_t i = 0; i < COUNT(copied); i++) {
        json_t *value = json_object_get(ch->row, copied[i]);
        json_object_set(row, copied[i], value ? value : json_null());
    }
    json_object_set(row, "api_id", json_object_get(k->to, "id"));
    json_object_set_new(row, "state", json_string("approved"));
    p = change_store(c, ch->txn, &subscriptions_resource, NULL, row, "carry");
    json_decref(row);
    return p;
}

/* Moves an API as its table's action would, with that action's own hook. */
static enum problem move(struct rest_call *c, struct store_txn *txn, const json_t *old,
                         const char *action, json_t *row)
{
    const struct transition *t = NULL;
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < apis_resource.n_transitions && !t; i++) {
        const struct transition *one = &apis_resource.transitions[i];
        t = strcmp(one->action, action) == 0 && strstr(one->from, row_text(old, "state")) ? one
                                                                                          : NULL;
    }
    if (!t) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/new_api_id", "the API is %s",
                         row_text(old, "state"));
    }
    struct change ch = {
        .res = &apis_resource, .txn = txn, .old = old, .row = row, .action = action};
    json_object_set_new(row, "state", json_string(t->to));
    if (t->hook) {
        p = t->hook(c, &ch);
    }
    return p == PROBLEM_OK ? change_store(c, txn, &apis_resource, old, row, action) : p;
}

static enum problem move_id(struct rest_call *c, struct store_txn *txn, const char *id,
                            const char *action, const char *set, json_t *value)
{
    json_t *old = NULL;
    enum problem p = api_load(c, txn, &apis_resource, id, &old);
    json_t *row = json_deep_copy(old), *body = c->body;

    c->body = NULL;
    if (p == PROBLEM_OK && set) {
        json_object_set(row, set, value);
    }
    if (p == PROBLEM_OK) {
        p = move(c, txn, old, action, row);
    }
    c->body = body;
    json_decref(row);
    json_decref(old);
    return p;
}

static enum problem carry_all(struct rest_call *c, struct store_txn *txn, const json_t *record,
                              const json_t *only)
{
    json_t *to = NULL;
    enum problem p = api_load(c, txn, &apis_resource, row_text(record, "new_api_id"), &to);
    struct carrying k = {to, only};

    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &subscriptions_resource, "api_id", row_text(record, "api_id"), carry,
                     &k);
    }
    json_decref(to);
    return p;
}

static enum problem succeed(struct rest_call *c, struct store_txn *txn, const json_t *record)
{
    json_t *to = NULL, *old = NULL;
    enum problem p = api_load(c, txn, &apis_resource, row_text(record, "new_api_id"), &to);

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &apis_resource, row_text(record, "api_id"), &old);
    }
    if (p == PROBLEM_OK && strcmp(row_text(old, "state"), "published") == 0) {
        p = move_id(c, txn, row_text(old, "id"), "deprecate", "successor",
                    json_object_get(to, "path"));
    }
    json_decref(to);
    json_decref(old);
    return p;
}

enum problem change_release(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *change = json_object_get(row, "change"), *earlier = NULL;
    json_t *canary = json_object_get(row, "canary_apps");
    bool some = json_is_array(canary);
    enum problem p;

    json_object_set_new(row, "released_at", stage_time(c->now_ms));
    json_object_set_new(row, "state", json_string(some ? "canary" : "released"));
    if (json_is_object(change)) {
        p = apply(c, txn, row_text(row, "api_id"), change, "change", &earlier);
        json_object_set_new(row, "earlier", earlier ? earlier : json_null());
        return p;
    }
    p = move_id(c, txn, row_text(row, "new_api_id"), "publish", "bound_apps",
                some ? canary : json_object_get(row, "earlier"));
    if (p == PROBLEM_OK) {
        p = carry_all(c, txn, row, canary);
    }
    return p == PROBLEM_OK && !some ? succeed(c, txn, row) : p;
}

enum problem change_complete(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *all = json_pack("{s:n}", "bound_apps");
    enum problem p = apply(c, txn, row_text(row, "new_api_id"), all, "change", NULL);

    json_decref(all);
    if (p == PROBLEM_OK) {
        p = carry_all(c, txn, row, NULL);
    }
    return p == PROBLEM_OK ? succeed(c, txn, row) : p;
}

static enum problem tell_back(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    json_t *api = NULL;
    enum problem p = api_load(c, txn, &apis_resource, row_text(row, "api_id"), &api);

    if (p == PROBLEM_OK) {
        p = parties_tell(c, txn, api, json_object_get(row, "affected"),
                         "service-change-rolled-back", "service-change", row_text(row, "id"),
                         row_text(row, "comment"));
    }
    json_decref(api);
    return p;
}

enum problem change_roll_back(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *earlier = json_object_get(row, "earlier"), *old = NULL;
    enum problem p;

    if (json_is_object(earlier)) {
        p = apply(c, txn, row_text(row, "api_id"), earlier, "roll-back", NULL);
        return p == PROBLEM_OK ? tell_back(c, txn, row) : p;
    }
    p = move_id(c, txn, row_text(row, "new_api_id"), "stop", NULL, NULL);
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &apis_resource, row_text(row, "api_id"), &old);
    }
    if (p == PROBLEM_OK && strcmp(row_text(old, "state"), "deprecated") == 0) {
        p = move_id(c, txn, row_text(row, "api_id"), "publish", "successor", json_null());
    }
    json_decref(old);
    return p == PROBLEM_OK ? tell_back(c, txn, row) : p;
}

/* By the clock -----------------------------------------------------------------------------------
 */
static enum problem release_due(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *old = json_deep_copy(row);
    enum problem p = change_release(c, txn, row);

    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &service_changes_resource, old, row, "release");
    }
    json_decref(old);
    return p;
}

enum problem changes_due(struct rest_call *c)
{
    return stage_each_due(c,
                          "SELECT id FROM service_changes WHERE state = 'announced' AND release_at "
                          "<= ?",
                          0, &service_changes_resource, release_due);
}
