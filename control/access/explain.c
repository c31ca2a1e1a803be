/* SPDX-License-Identifier: Apache-2.0 */
/* Why a user may or may not: the decision itself, asked for somebody and shown with its steps. */
#include <stdlib.h>

#include "access/access.h"
#include "api/api.h"
#include "identity/identity.h"

struct asked {
    const char *operation, *user, *app;
    json_t *api, *dataset;
};

static enum problem named(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                          const char *parameter, json_t **row)
{
    const char *id = rest_query(c, parameter);
    char where[24];

    if (!id) {
        return PROBLEM_OK;
    }
    enum problem p = row_load(c, txn, res, id, true, row);
    snprintf(where, sizeof where, "/%s", parameter);
    return p == PROBLEM_OK && !*row
               ? rest_fail(c, PROBLEM_NOT_FOUND, where, "no such one among the %s", res->plural)
               : p;
}

static enum problem check_parameters(struct rest_call *c, struct asked *a)
{
    static const char *const known[] = {"user", "operation", "app", "api", "dataset"};
    unsigned roles = 0;
    enum problem p = rest_query_known(c, known, COUNT(known),
                                      "user, operation, app, api and dataset are understood");

    a->operation = rest_query(c, "operation");
    a->user = rest_query(c, "user");
    a->app = rest_query(c, "app");
    if (p != PROBLEM_OK) {
        return p;
    }
    if (!a->operation) {
        return rest_fail(c, PROBLEM_PARAMETER_MISSING, "/operation",
                         "an operation like apps.read is needed");
    }
    if (strlen(a->operation) >= ACCESS_OPERATION_MAX ||
        !access_operation_roles(a->operation, &roles)) {
        return rest_fail(c, PROBLEM_NOT_FOUND, "/operation", "/access/operations lists them");
    }
    bool oneself =
        !a->user || strcmp(a->user, c->user.id) == 0 || strcmp(a->user, c->user.login) == 0;
    return oneself || access_may(c, "access.explain-anyone") ? PROBLEM_OK : PROBLEM_NOT_PERMITTED;
}

static int level_of(const json_t *api)
{
    json_t *field;
    int level = 0;
    size_t i;

    json_array_foreach(json_object_get(api, "fields"), i, field)
    {
        int one = (int)json_integer_value(json_object_get(field, "level"));
        level = one > level ? one : level;
    }
    return level;
}

/* As that user's own call would be answered. */
static enum problem decide(struct rest_call *c, struct store_txn *txn, const struct asked *a,
                           json_t **answer)
{
    struct rest_call other = {.ctl = c->ctl, .req = c->req, .resp = c->resp, .now_ms = c->now_ms};
    const struct access_question q = {.operation = a->operation,
                                      .app_id = a->app,
                                      .api_id = a->api ? row_text(a->api, "id") : NULL,
                                      .dataset_id = a->dataset ? row_text(a->dataset, "id")
                                                    : a->api   ? row_text(a->api, "dataset_id")
                                                               : NULL,
                                      .level = level_of(a->api)};
    struct access_verdict v;
    struct access_who who;
    enum problem p = identity_act_as(&other, txn, a->user ? a->user : c->user.id);

    if (p == PROBLEM_OK) {
        access_caller(&other, &who);
        access_decide(&who, &q, &v);
        *answer = access_steps(&v, c->zh);
        json_object_set_new(*answer, "user_id", json_string(other.user.id));
        json_object_set_new(*answer, "operation", json_string(a->operation));
        json_object_set_new(*answer, "duty", json_string(access_duty_name(who.duty)));
    }
    access_held_free(&other.held);
    return p == PROBLEM_NOT_SIGNED_IN
               ? rest_fail(c, PROBLEM_NOT_FOUND, "/user", "there is no such active user")
               : p;
}

enum problem rest_access_explain(struct rest_call *c)
{
    struct asked a = {0};
    struct store_txn *txn = NULL;
    json_t *answer = NULL;
    enum problem p = check_parameters(c, &a);

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = named(c, txn, &apis_resource, "api", &a.api);
    }
    if (p == PROBLEM_OK) {
        p = named(c, txn, &datasets_resource, "dataset", &a.dataset);
    }
    if (p == PROBLEM_OK) {
        p = decide(c, txn, &a, &answer);
    }
    store_rollback(&txn);
    json_decref(a.api);
    json_decref(a.dataset);
    return p == PROBLEM_OK ? rest_answer(c, 200, answer) : p;
}

enum problem rest_access_operations(struct rest_call *c)
{
    return rest_answer(c, 200, json_pack("{s:o}", "items", access_operations()));
}

/* What a user interface shows follows from this; what is done is decided at each call all the same.
 */
enum problem rest_access_mine(struct rest_call *c)
{
    return rest_answer(c, 200,
                       json_pack("{s:s, s:s, s:s, s:s, s:o}", "user_id", c->user.id, "login",
                                 c->user.login, "role", rest_role_name(c->user.role), "duty",
                                 access_duty_name(c->user.duty), "operations",
                                 access_operations_of(c)));
}
