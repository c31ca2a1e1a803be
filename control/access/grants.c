/* SPDX-License-Identifier: Apache-2.0 */
/* Grants of functions and, apart from them, grants of data (SW-9.5-4b, SW-9.5-4c). A grant is made
 * and revoked, never changed: the log then tells what was in force at any time. */
#include "access/access.h"
#include "api/api.h"

#define READERS (ROLE_STAFF | ROLE_AUDITOR)

static enum problem check_operation(struct rest_call *c, const char *where, const json_t *v)
{
    return access_names_operations(json_string_value(v))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "an operation like apps.read, apps.* or * is needed; "
                           "/access/operations lists them");
}

static const struct attr function_attrs[] = {
    {"holder_kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20,
     .values = access_holder_kinds},
    {"holder_id", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, UUID_TEXT_LEN, UUID_TEXT_LEN},
    {"rank", ATTR_INT, AF_IMMUTABLE, 0, 1000},
    {"operation", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, ACCESS_OPERATION_MAX - 1,
     .check = check_operation},
    {"effect", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 10, .values = access_effects,
     .fallback = "\"allow\""},
    {"reach", ATTR_TEXT, AF_IMMUTABLE, 1, 20, .values = access_reaches, .fallback = "\"own\""},
    {"app_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"reason", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 0, 1000},
};

static const struct attr data_attrs[] = {
    {"holder_kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20,
     .values = access_holder_kinds},
    {"holder_id", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, UUID_TEXT_LEN, UUID_TEXT_LEN},
    {"rank", ATTR_INT, AF_IMMUTABLE, 0, 1000},
    {"api_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"dataset_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "datasets"},
    {"max_level", ATTR_INT, AF_IMMUTABLE, 1, 3},
    {"effect", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 10, .values = access_effects,
     .fallback = "\"allow\""},
    {"reason", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 0, 1000},
};

static enum problem member_fits(struct rest_call *c, struct change *ch)
{
    return strcmp(row_text(ch->row, "state"), "active") == 0
               ? access_check_duties(c, ch->txn, row_text(ch->row, "user_id"), NULL, ch->arg)
               : PROBLEM_OK;
}

/* Administration goes to a person or a role, where it can be told who has which. */
static enum problem check_administration(struct rest_call *c, struct change *ch)
{
    const char *operation = row_text(ch->row, "operation"),
               *kind = row_text(ch->row, "holder_kind"), *holder = row_text(ch->row, "holder_id");
    json_t *more = json_pack("[s]", operation);
    enum problem p = PROBLEM_OK;

    if (access_granted_duty(operation) == DUTY_NONE) {
        json_decref(more);
        return PROBLEM_OK;
    }
    if (strcmp(kind, "person") == 0) {
        p = access_check_duties(c, ch->txn, holder, NULL, more);
    } else if (strcmp(kind, "role") == 0) {
        p = row_each(c, ch->txn, &role_members_resource, "role_id", holder, member_fits, more);
    } else {
        p = rest_fail(c, PROBLEM_ROLES_CONFLICT, "/holder_kind",
                      "administration is given to a person or a role");
    }
    json_decref(more);
    return p;
}

static enum problem check_function(struct rest_call *c, struct change *ch)
{
    enum problem p = access_check_holder(c, ch->txn, ch->row);

    if (p != PROBLEM_OK || strcmp(row_text(ch->row, "effect"), "deny") == 0) {
        return p;
    }
    if (access_reserved(row_text(ch->row, "operation"))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/operation",
                         "it comes with a built-in role alone");
    }
    return check_administration(c, ch);
}

static enum problem check_data(struct rest_call *c, struct change *ch)
{
    bool api = row_text(ch->row, "api_id")[0], dataset = row_text(ch->row, "dataset_id")[0];

    if (api == dataset) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id",
                         "either an API or a dataset is needed");
    }
    if (json_is_integer(json_object_get(ch->row, "max_level")) &&
        strcmp(row_text(ch->row, "effect"), "deny") == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/max_level", "it bounds what is allowed");
    }
    return access_check_holder(c, ch->txn, ch->row);
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    return access_retell(c, ch->txn, row_text(ch->row, "holder_kind"),
                         row_text(ch->row, "holder_id"),
                         json_integer_value(json_object_get(ch->row, "rank")));
}

static const struct transition transitions[] = {
    {"active", "revoke", "revoked", ROLE_ADMIN},
};

const struct resource function_grants_resource = {
    .plural = "function_grants",
    .kind = "function-grant",
    .initial = "active",
    .attrs = function_attrs,
    .n_attrs = COUNT(function_attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = READERS,
    .create_roles = ROLE_ADMIN,
    .check = check_function,
    .after = after,
};

const struct resource data_grants_resource = {
    .plural = "data_grants",
    .kind = "data-grant",
    .initial = "active",
    .attrs = data_attrs,
    .n_attrs = COUNT(data_attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = READERS,
    .create_roles = ROLE_ADMIN,
    .check = check_data,
    .after = after,
};
