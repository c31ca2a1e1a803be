/* SPDX-License-Identifier: Apache-2.0 */
/* What a party of each rating may do with money (BK-10.2.1c): which operations on funds at all, for
 * how much in one call, and for how much in a day. An administrator's to change; what changes holds
 * for every party's next call. */
#include <stdio.h>

#include "admission/inner.h"
#include "admission/terms.h"
#include "api/apis.h"

static enum problem check_operations(struct rest_call *c, const char *where, const json_t *v)
{
    return json_array_size(v) == 0
               ? PROBLEM_OK
               : api_check_words(c, where, v, protection_operations, PROTECTION_FUND_OPERATIONS);
}

#define CENTS_MAX (1ll << 53)

static const struct attr attrs[] = {
    {"rating", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"fund_operations", ATTR_JSON, AF_REQUIRED, .check = check_operations},
    {"call_cents", ATTR_INT, 0, 1, CENTS_MAX},
    {"day_cents", ATTR_INT, 0, 1, CENTS_MAX},
};

static enum problem refeed(struct rest_call *c, struct change *ch)
{
    return strcmp(row_text(ch->row, "state"), "active") == 0
               ? terms_refeed_organisation(c, ch->txn, row_text(ch->row, "organisation_id"))
               : PROBLEM_OK;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    return row_each(c, ch->txn, &assessments_resource, "rating", row_text(ch->row, "rating"),
                    refeed, NULL);
}

const struct resource risk_classes_resource = {
    .plural = "risk_classes",
    .kind = "risk-class",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .patch_roles = ROLE_ADMIN,
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

static bool permits(const json_t *class, const char *operation)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(class, "fund_operations"), i, item)
    {
        if (strcmp(json_string_value(item), operation) == 0) {
            return true;
        }
    }
    return false;
}

enum problem risk_bounds_of(struct rest_call *c, struct store_txn *txn, const char *rating,
                            const json_t *api, struct risk_bounds *bounds)
{
    json_t *class = NULL;

    *bounds = (struct risk_bounds){.permitted = true};
    if (!protection_amount_path(api)[0]) {
        return PROBLEM_OK;
    }
    enum problem p = row_each(c, txn, &risk_classes_resource, "rating", rating, keep, &class);
    bounds->permitted =
        !protection_moves_money(api) || (class && permits(class, row_text(api, "operation")));
    bounds->call_cents = json_integer_value(json_object_get(class, "call_cents"));
    bounds->day_cents = json_integer_value(json_object_get(class, "day_cents"));
    json_decref(class);
    return p;
}
