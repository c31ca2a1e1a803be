/* SPDX-License-Identifier: Apache-2.0 */
/* What each financial scenario asks of a user (BK-7.2.1b1, BK-10.2.2b): how many factors he must
 * have shown, and whether he confirms each call. An API asks for at least what its scenario does;
 * a scenario that comes to ask for more asks it of the APIs there are. */
#include "api/apis.h"

static const char *const confirmations[] = {"always", "unless-declined", "on-request", NULL};

static const struct attr attrs[] = {
    {"operation", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"user_factors", ATTR_INT, AF_REQUIRED, 0, 3},
    {"confirmation", ATTR_TEXT, AF_REQUIRED, 1, 20, .values = confirmations},
};

static bool always(const json_t *scenario)
{
    return strcmp(row_text(scenario, "confirmation"), "always") == 0;
}

static json_int_t factors_of(const json_t *row)
{
    return json_integer_value(json_object_get(row, "user_factors"));
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    if (protection_authenticates(ch->row) && factors_of(ch->row) < 1) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/user_factors",
                         "who is authenticated has signed in");
    }
    if (!protection_moves_money(ch->row) && !protection_authenticates(ch->row)) {
        return PROBLEM_OK;
    }
    if (protection_moves_money(ch->row) && factors_of(ch->row) < 2) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/user_factors",
                         "what moves money asks for two factors at least");
    }
    return always(ch->row)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/confirmation",
                           "what moves money or speaks for a user is confirmed each time");
}

/* True: the API asked for less. */
static bool raise_api(json_t *api, const json_t *scenario)
{
    bool factors = factors_of(api) < factors_of(scenario),
         confirm = always(scenario) && !json_is_true(json_object_get(api, "user_confirmation"));

    if (factors) {
        json_object_set(api, "user_factors", json_object_get(scenario, "user_factors"));
    }
    if (confirm) {
        json_object_set_new(api, "user_confirmation", json_true());
    }
    return factors || confirm;
}

static enum problem apply(struct rest_call *c, struct change *ch)
{
    json_t *old = json_deep_copy(ch->row);
    enum problem p = raise_api(ch->row, ch->arg)
                         ? change_store(c, ch->txn, ch->res, old, ch->row, "update")
                         : PROBLEM_OK;

    json_decref(old);
    return p;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    return row_each(c, ch->txn, &apis_resource, "operation", row_text(ch->row, "operation"), apply,
                    ch->row);
}

const struct resource financial_scenarios_resource = {
    .plural = "financial_scenarios",
    .kind = "financial-scenario",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_ALL,
    .patch_roles = ROLE_ADMIN,
    .check = check,
    .after = after,
};

static enum problem keep(struct rest_call *c, struct change *ch)
{
    json_t **row = ch->arg;

    (void)c;
    json_decref(*row);
    *row = json_incref(ch->row);
    return PROBLEM_OK;
}

static enum problem apply_to(struct rest_call *c, json_t *api, const json_t *scenario)
{
    const json_t *asked = json_object_get(api, "user_confirmation");

    if (always(scenario) && json_is_false(asked)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/user_confirmation",
                         "the user confirms each call of an API for %s",
                         row_text(api, "operation"));
    }
    if (strcmp(row_text(scenario, "confirmation"), "unless-declined") == 0 &&
        !json_is_boolean(asked)) {
        json_object_set_new(api, "user_confirmation", json_true());
    }
    (void)raise_api(api, scenario);
    return PROBLEM_OK;
}

enum problem scenario_apply(struct rest_call *c, struct store_txn *txn, json_t *api)
{
    json_t *scenario = NULL;
    enum problem p = row_each(c, txn, &financial_scenarios_resource, "operation",
                              row_text(api, "operation"), keep, &scenario);

    p = p == PROBLEM_OK && scenario ? apply_to(c, api, scenario) : p;
    json_decref(scenario);
    return p;
}
