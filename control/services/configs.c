/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration centre of the services behind APIs (SW-6-config): values by name that running
 * instances are told with each answer to their heartbeat, so that a change counts in them without a
 * restart. What each was, and the way back, is restore.c's. */
#include <stdio.h>

#include "api/api.h"
#include "services/services.h"

#define VALUE_MAX 16384

static enum problem check_name(struct rest_call *c, const char *where, const json_t *v)
{
    const char *name = json_string_value(v);
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_");

    return n == strlen(name) ? PROBLEM_OK
                             : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                                         "small letters, digits and . - _ are allowed");
}

static enum problem check_value(struct rest_call *c, const char *where, const json_t *v)
{
    return json_dumpb(v, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) <= VALUE_MAX
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "at most %d bytes of JSON are taken",
                           VALUE_MAX);
}

static const struct attr attrs[] = {
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"name", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 100,
     .check = check_name},
    {"value", ATTR_JSON, AF_REQUIRED, .check = check_value},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);

    if (p == PROBLEM_OK && strcmp(row_text(api, "kind"), "http") != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id", "only APIs of kind http have instances");
    }
    if (p == PROBLEM_OK && (!ch->old || strcmp(row_text(ch->old, "state"), "active") == 0) &&
        !row_writable(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"))) {
        p = PROBLEM_NOT_PERMITTED;
    }
    json_decref(api);
    return p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"active", "remove", "removed", KEEPER},
};

#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, OWN_API},
};

const struct resource service_configs_resource = {
    .plural = "service_configs",
    .kind = "service-config",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .check = check,
};

enum problem configs_of(struct rest_call *c, struct store_txn *txn, const char *api_id,
                        json_t **values)
{
    const struct store_value v = store_text(api_id);
    json_t *rows = NULL, *row;
    size_t i;
    enum problem p = services_rows(c, txn,
                                   "SELECT name, value FROM service_configs WHERE api_id = ? AND "
                                   "state = 'active' ORDER BY name",
                                   &v, 1, "name:t value:j", &rows);

    *values = json_object();
    json_array_foreach(rows, i, row)
    {
        json_object_set(*values, row_text(row, "name"), json_object_get(row, "value"));
    }
    json_decref(rows);
    return p;
}
