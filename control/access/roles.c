/* SPDX-License-Identifier: Apache-2.0 */
/* Groups, and roles that operators define: a role has operations, services (APIs) or both, and any
 * number of users; a user any number of roles (SW-3.7). */
#include "access/access.h"
#include "api/api.h"

#define OPERATIONS_MAX 200
#define SERVICES_MAX   200

static const struct attr group_attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"description", ATTR_TEXT, AF_LINES, 0, 1000},
};

static enum problem check_operations(struct rest_call *c, const char *where, const json_t *v)
{
    enum problem p = json_array_size(v) == 0 && json_is_array(v)
                         ? PROBLEM_OK
                         : api_check_words(c, where, v, NULL, OPERATIONS_MAX);
    json_t *operation;
    size_t i;

    json_array_foreach(v, i, operation)
    {
        const char *word = json_string_value(operation);
        if (p == PROBLEM_OK && (strlen(word) >= ACCESS_OPERATION_MAX || access_reserved(word) ||
                                !access_names_operations(word))) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "%.80s is no operation that can be given to a role", word);
        }
    }
    return p;
}

static enum problem check_services(struct rest_call *c, const char *where, const json_t *v)
{
    struct uuid id;
    json_t *api;
    size_t i;
    enum problem p = api_check_words(c, where, v, NULL, SERVICES_MAX);

    json_array_foreach(v, i, api)
    {
        if (p == PROBLEM_OK && !uuid_parse(&id, json_string_value(api), json_string_length(api))) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "ids of APIs are needed");
        }
    }
    return p;
}

static const struct attr role_attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 100},
    {"description", ATTR_TEXT, AF_LINES, 0, 1000},
    {"operations", ATTR_JSON, 0, .fallback = "[]", .check = check_operations},
    {"reach", ATTR_TEXT, 0, 1, 20, .values = access_reaches, .fallback = "\"own\""},
    {"apis", ATTR_JSON, 0, .check = check_services},
};

static const struct attr group_member_attrs[] = {
    {"group_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "groups"},
    {"user_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "users"},
};

static const struct attr role_member_attrs[] = {
    {"role_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "roles"},
    {"user_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "users"},
};

static enum problem check_apis(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    enum problem p = PROBLEM_OK;
    json_t *id;
    size_t i;

    json_array_foreach(json_object_get(row, "apis"), i, id)
    {
        json_t *api = NULL;
        if (p == PROBLEM_OK) {
            p = row_load(c, txn, &apis_resource, json_string_value(id), true, &api);
        }
        if (p == PROBLEM_OK && !api) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, "/apis", "there is no such one among the apis");
        }
        json_decref(api);
    }
    return p;
}

static enum problem member_fits(struct rest_call *c, struct change *ch)
{
    return strcmp(row_text(ch->row, "state"), "active") == 0
               ? access_check_duties(c, ch->txn, row_text(ch->row, "user_id"), NULL, ch->arg)
               : PROBLEM_OK;
}

/* Of one administration, and that of all its members. */
static enum problem check_role(struct rest_call *c, struct change *ch)
{
    json_t *operations = json_object_get(ch->row, "operations"), *v;
    enum access_duty duty = DUTY_NONE;
    size_t i;

    json_array_foreach(operations, i, v)
    {
        enum access_duty one = access_granted_duty(json_string_value(v));
        if (duty != DUTY_NONE && one != DUTY_NONE && one != duty) {
            return rest_fail(c, PROBLEM_ROLES_CONFLICT, "/operations",
                             "they are of the %s and of the %s administration",
                             access_duty_name(duty), access_duty_name(one));
        }
        duty = one == DUTY_NONE ? duty : one;
    }
    enum problem p = check_apis(c, ch->txn, ch->row);
    return p == PROBLEM_OK && ch->old ? row_each(c, ch->txn, &role_members_resource, "role_id",
                                                 row_text(ch->row, "id"), member_fits, operations)
                                      : p;
}

static enum problem role_after(struct rest_call *c, struct change *ch)
{
    return ch->old ? access_retell(c, ch->txn, "role", row_text(ch->row, "id"), 0) : PROBLEM_OK;
}

/* What the role has by itself and by grants to it. */
static enum problem operations_of(struct rest_call *c, struct store_txn *txn, const char *role_id,
                                  json_t *operations)
{
    const struct store_value v = store_text(role_id);
    struct store_rows *rows = NULL;
    json_t *role = NULL;
    enum problem p = api_load(c, txn, &roles_resource, role_id, &role);

    if (p != PROBLEM_OK) {
        return p;
    }
    json_array_extend(operations, json_object_get(role, "operations"));
    json_decref(role);
    enum store_err err = store_query(txn,
                                     "SELECT operation FROM function_grants WHERE holder_kind = "
                                     "'role' AND holder_id = ? AND state = 'active' AND effect = "
                                     "'allow'",
                                     &v, 1, &rows);
    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(operations, json_string(store_get_text(rows, 0)));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem check_role_member(struct rest_call *c, struct change *ch)
{
    json_t *operations = json_array();
    enum problem p = operations_of(c, ch->txn, row_text(ch->row, "role_id"), operations);

    if (p == PROBLEM_OK) {
        p = access_check_duties(c, ch->txn, row_text(ch->row, "user_id"), NULL, operations);
    }
    json_decref(operations);
    return p;
}

static enum problem check_group_member(struct rest_call *c, struct change *ch)
{
    json_t *group = NULL;
    enum problem p = api_load(c, ch->txn, &groups_resource, row_text(ch->row, "group_id"), &group);

    if (p == PROBLEM_OK && strcmp(row_text(group, "state"), "active") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/group_id", "the group is closed");
    }
    json_decref(group);
    return p;
}

static enum problem member_after(struct rest_call *c, struct change *ch)
{
    return access_retell(c, ch->txn, "person", row_text(ch->row, "user_id"), 0);
}

static enum problem group_after(struct rest_call *c, struct change *ch)
{
    return ch->old && api_changed(ch->old, ch->row, "state")
               ? access_retell(c, ch->txn, "group", row_text(ch->row, "id"), 0)
               : PROBLEM_OK;
}

static const struct transition closes[] = {
    {"active", "close", "closed", ROLE_ADMIN},
};
static const struct transition removes[] = {
    {"active", "remove", "removed", ROLE_ADMIN},
};

#define READERS (ROLE_STAFF | ROLE_AUDITOR)

const struct resource groups_resource = {
    .plural = "groups",
    .kind = "group",
    .initial = "active",
    .attrs = group_attrs,
    .n_attrs = COUNT(group_attrs),
    .transitions = closes,
    .n_transitions = COUNT(closes),
    .read_roles = READERS,
    .create_roles = ROLE_ADMIN,
    .patch_roles = ROLE_ADMIN,
    .after = group_after,
};

const struct resource group_members_resource = {
    .plural = "group_members",
    .kind = "group-member",
    .initial = "active",
    .attrs = group_member_attrs,
    .n_attrs = COUNT(group_member_attrs),
    .transitions = removes,
    .n_transitions = COUNT(removes),
    .read_roles = READERS,
    .create_roles = ROLE_ADMIN,
    .check = check_group_member,
    .after = member_after,
};

const struct resource roles_resource = {
    .plural = "roles",
    .kind = "role",
    .initial = "active",
    .attrs = role_attrs,
    .n_attrs = COUNT(role_attrs),
    .transitions = closes,
    .n_transitions = COUNT(closes),
    .read_roles = READERS,
    .create_roles = ROLE_ADMIN,
    .patch_roles = ROLE_ADMIN,
    .check = check_role,
    .after = role_after,
};

const struct resource role_members_resource = {
    .plural = "role_members",
    .kind = "role-member",
    .initial = "active",
    .attrs = role_member_attrs,
    .n_attrs = COUNT(role_member_attrs),
    .transitions = removes,
    .n_transitions = COUNT(removes),
    .read_roles = READERS,
    .create_roles = ROLE_ADMIN,
    .check = check_role_member,
    .after = member_after,
};
