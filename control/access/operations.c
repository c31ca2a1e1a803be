/* SPDX-License-Identifier: Apache-2.0 */
/* What operations there are: those of every resource's table, those of the routes beside them, and
 * two that have neither. Nobody writes a list, so none can be forgotten. */
#include <stdio.h>

#include "access/access.h"
#include "api/api.h"

/* Asked by handlers, of routes that mean more than one thing. */
static const struct {
    const char *operation;
    unsigned roles;
} others[] = {
    {"apis.call", ROLE_ANY}, /* with a token of the user's */
    {"sessions.read", ROLE_ADMIN},
    {"sessions.end", ROLE_ADMIN},
    {"apps.update-reviewed", ROLE_STAFF},
    {"subscriptions.update-approved", ROLE_STAFF},
    {"subscriptions.assess", ROLE_STAFF},
    {"apis.open-directly", ROLE_STAFF},
    {"users.verify-anyone", ROLE_STAFF},
    {"organisations.identify", ROLE_STAFF},
    {"access.explain-anyone", ROLE_STAFF | ROLE_AUDITOR},
};

/* Whose administration a resource is; what is not here is the system administrator's. */
static const char *const security[] = {
    "users",
    "groups",
    "group_members",
    "roles",
    "role_members",
    "function_grants",
    "data_grants",
    "dual_controls",
    "admin_networks",
    "trusts",
    "identity_settings",
    "admission_settings",
    "catalog_settings",
    "classify_settings",
    "service_settings",
    "stage_settings",
    "settings",
    "session_policies",
    "algorithms",
    "credential_policies",
    "token-keys",
    "key_replacements",
    "sessions",
};
/* One's own, or what anyone deciding or deciding about it needs: no administration's. */
static const char *const nobodys[] = {"account", "approvals", "notices", "contact_points",
                                      "explain", "access",    "live"};
static const char *const audit[] = {"operations.read", "operation-kinds.read"};

/* What a grant would have to be given by itself. */
static const char *const reserved[] = {
    "groups",
    "group_members",
    "roles",
    "role_members",
    "function_grants",
    "data_grants",
    "dual_controls",
    "identity_settings",
    "session_policies",
    "approvals",
    "admin_networks",
    "token-keys",
    "account",
    "access",
    "key_replacements",
};

static bool starts(const char *operation, const char *plural)
{
    size_t n = strlen(plural);

    return strncmp(operation, plural, n) == 0 && operation[n] == '.';
}

static bool among(const char *const *list, size_t n, const char *operation)
{
    for (size_t i = 0; i < n; i++) {
        if (starts(operation, list[i])) {
            return true;
        }
    }
    return false;
}

static unsigned table_roles(const struct resource *res, const char *verb)
{
    unsigned roles = 0;

    if (strcmp(verb, "read") == 0) {
        return res->read_roles;
    }
    if (strcmp(verb, "create") == 0) {
        return res->create_roles;
    }
    if (strcmp(verb, "update") == 0) {
        return res->patch_roles;
    }
    for (size_t i = 0; i < res->n_transitions; i++) {
        if (strcmp(res->transitions[i].action, verb) == 0) {
            roles |= res->transitions[i].roles;
        }
    }
    return roles;
}

static bool resource_operation(const char *operation, unsigned *roles)
{
    const char *dot = strchr(operation, '.');
    char plural[ACCESS_OPERATION_MAX] = "";

    if (!dot || strlen(operation) >= sizeof plural) {
        return false;
    }
    memcpy(plural, operation, (size_t)(dot - operation));
    const struct resource *res = resource_by_plural(plural);
    *roles = res ? table_roles(res, dot + 1) : 0;
    return *roles != 0;
}

bool access_operation_roles(const char *operation, unsigned *roles)
{
    bool found = resource_operation(operation, roles);

    for (size_t i = 0; !found && i < rest_routes_n; i++) {
        if (rest_routes[i].operation && strcmp(rest_routes[i].operation, operation) == 0) {
            *roles = rest_routes[i].roles;
            found = true;
        }
    }
    for (size_t i = 0; !found && i < COUNT(others); i++) {
        if (strcmp(others[i].operation, operation) == 0) {
            *roles = others[i].roles;
            found = true;
        }
    }
    return found;
}

enum access_duty access_operation_duty(const char *operation)
{
    const char *verb = strrchr(operation, '.');

    for (size_t i = 0; i < COUNT(audit); i++) {
        if (strcmp(audit[i], operation) == 0) {
            return DUTY_AUDIT;
        }
    }
    if (among(nobodys, COUNT(nobodys), operation) || !verb || strcmp(verb, ".read") == 0 ||
        strcmp(operation, "apis.call") == 0) {
        return DUTY_NONE;
    }
    return among(security, COUNT(security), operation) ? DUTY_SECURITY : DUTY_SYSTEM;
}

bool access_covers(const char *granted, const char *operation)
{
    size_t n = strlen(granted);

    if (starts(operation, "account")) {
        return false; /* nobody's grant takes one's own account away */
    }
    if (strcmp(granted, "*") == 0) {
        return true;
    }
    if (n > 2 && strcmp(granted + n - 2, ".*") == 0) {
        return strncmp(granted, operation, n - 1) == 0;
    }
    return strcmp(granted, operation) == 0;
}

/* Each -------------------------------------------------------------------------------------------
 */
static void add(json_t *all, const char *operation)
{
    unsigned roles = 0;

    if (access_operation_roles(operation, &roles)) {
        json_object_set_new(all, operation, json_integer(roles));
    }
}

static void add_table(json_t *all, const struct resource *res)
{
    static const char *const verbs[] = {"read", "create", "update"};
    char operation[ACCESS_OPERATION_MAX];

    for (size_t i = 0; i < COUNT(verbs) + res->n_transitions; i++) {
        snprintf(operation, sizeof operation, "%s.%s", res->plural,
                 i < COUNT(verbs) ? verbs[i] : res->transitions[i - COUNT(verbs)].action);
        add(all, operation);
    }
}

/* {operation: roles} */
static json_t *every(void)
{
    json_t *all = json_object();

    for (size_t i = 0; i < resources_n; i++) {
        add_table(all, resources[i]);
    }
    for (size_t i = 0; i < rest_routes_n; i++) {
        if (rest_routes[i].operation) {
            add(all, rest_routes[i].operation);
        }
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        add(all, others[i].operation);
    }
    return all;
}

bool access_names_operations(const char *granted)
{
    json_t *all = every(), *roles;
    const char *operation;
    bool found = false;

    json_object_foreach(all, operation, roles)
    {
        found = found || access_covers(granted, operation);
    }
    json_decref(all);
    return found;
}

/* What providers or developers have by their built-in roles is no administration. */
enum access_duty access_granted_duty(const char *granted)
{
    json_t *all = every(), *roles;
    const char *operation;
    enum access_duty duty = DUTY_NONE;

    json_object_foreach(all, operation, roles)
    {
        bool administration = !(json_integer_value(roles) & ~(ROLE_STAFF | ROLE_AUDITOR));
        if (administration && duty == DUTY_NONE && access_covers(granted, operation)) {
            duty = access_operation_duty(operation);
        }
    }
    json_decref(all);
    return duty;
}

bool access_reserved(const char *granted)
{
    static const char *const consent[] = {"grants.create", "grants.update"};

    for (size_t i = 0; i < COUNT(consent); i++) {
        if (access_covers(granted, consent[i])) {
            return true; /* consent is the owner's to give, not ours to hand on */
        }
    }
    return strcmp(granted, "*") == 0 || among(reserved, COUNT(reserved), granted);
}

static json_t *role_names(unsigned roles)
{
    json_t *names = json_array();

    for (unsigned bit = 1; bit <= ROLE_MEMBER; bit <<= 1) {
        if (roles & bit) {
            json_array_append_new(names, json_string(rest_role_name(bit)));
        }
    }
    return names;
}

json_t *access_operations(void)
{
    json_t *all = every(), *out = json_array(), *roles;
    const char *operation;

    json_object_foreach(all, operation, roles)
    {
        enum access_duty duty = access_operation_duty(operation);
        json_array_append_new(out, json_pack("{s:s, s:s, s:o, s:b}", "operation", operation, "duty",
                                             access_duty_name(duty), "roles",
                                             role_names((unsigned)json_integer_value(roles)),
                                             "grantable", !access_reserved(operation)));
    }
    json_decref(all);
    return out;
}

json_t *access_operations_of(const struct rest_call *c)
{
    json_t *all = every(), *mine = json_array(), *roles;
    const char *operation;

    json_object_foreach(all, operation, roles)
    {
        if (access_may(c, operation)) {
            json_array_append_new(mine, json_string(operation));
        }
    }
    json_decref(all);
    return mine;
}
