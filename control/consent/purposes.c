/* SPDX-License-Identifier: Apache-2.0 */
/* Which fields of an API a purpose needs, as its provider declares it, and what an app asks for
 * beyond that (BK-12.2b1-2): told to whoever may see the subscription, and refused at its approval
 * unless the reviewer says why. */
#include "api/api.h"
#include "consent/consent.h"

static const struct attr attrs[] = {
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"name", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 1000},
    {"fields", ATTR_JSON, AF_REQUIRED, .check = api_check_paths},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    return api_check_named_fields(c, ch->txn, ch->row);
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"active", "remove", "removed", KEEPER},
};

#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, OWN_API},
    {ROLE_DEVELOPER | ROLE_OWNER, BIND_ORGANISATION, "t.state = 'active'", "1 = 0"},
};

const struct resource purposes_resource = {
    .plural = "purposes",
    .kind = "purpose",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .check = check,
};

/* What is asked for beyond what is needed ---------------------------------------------------------
 */
static bool among(const json_t *list, const json_t *path)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_equal(item, path)) {
            return true;
        }
    }
    return false;
}

/* The named fields; of a subscription to all, those up to its level that can leave at all. */
static json_t *asked_by(const json_t *subscription, const json_t *api)
{
    json_int_t max = json_integer_value(json_object_get(subscription, "max_level"));
    json_t *named = json_object_get(subscription, "fields"), *out = json_array(), *field;
    size_t i;

    json_array_foreach(json_object_get(api, "fields"), i, field)
    {
        json_int_t level = json_integer_value(json_object_get(field, "level"));
        const json_t *path = json_object_get(field, "path");
        if (level >= 1 && level <= max && (!json_is_array(named) || among(named, path))) {
            json_array_append(out, json_object_get(field, "path"));
        }
    }
    return out;
}

struct need {
    const char *name;
    json_t *fields; /* of all declarations of that name; NULL: there is none */
};

static enum problem add_need(struct rest_call *c, struct change *ch)
{
    struct need *need = ch->arg;

    (void)c;
    if (strcmp(row_text(ch->row, "name"), need->name) == 0 &&
        strcmp(row_text(ch->row, "state"), "active") == 0) {
        need->fields = need->fields ? need->fields : json_array();
        json_array_extend(need->fields, json_object_get(ch->row, "fields"));
    }
    return PROBLEM_OK;
}

static json_t *report(const json_t *subscription, const json_t *api, const struct need *need)
{
    json_t *asked = asked_by(subscription, api), *surplus = json_array(), *path;
    size_t i;

    json_array_foreach(asked, i, path)
    {
        if (need->fields && !among(need->fields, path)) {
            json_array_append(surplus, path);
        }
    }
    return json_pack("{s:s, s:b, s:o, s:O, s:o}", "purpose", need->name, "declared",
                     need->fields != NULL, "asked", asked, "needed",
                     need->fields ? need->fields : json_null(), "surplus", surplus);
}

enum problem purposes_surplus(struct rest_call *c, struct store_txn *txn,
                              const json_t *subscription, const json_t *api, json_t **surplus)
{
    struct need need = {.name = row_text(subscription, "purpose")};
    enum problem p =
        row_each(c, txn, &purposes_resource, "api_id", row_text(api, "id"), add_need, &need);

    *surplus = NULL;
    if (p == PROBLEM_OK) {
        json_t *all = report(subscription, api, &need);
        *surplus = json_incref(json_object_get(all, "surplus"));
        json_decref(all);
    }
    json_decref(need.fields);
    return p;
}

enum problem rest_subscription_surplus(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *api = NULL;
    struct need need = {.name = ""};
    struct uuid id;
    enum problem p = uuid_parse(&id, c->segment[1], strlen(c->segment[1]))
                         ? rest_begin(c, STORE_READ, &txn)
                         : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK) {
        p = row_load(c, txn, &subscriptions_resource, c->segment[1], true, &row);
        p = p == PROBLEM_OK && !row ? PROBLEM_NOT_FOUND : p;
    }
    if (p == PROBLEM_OK) {
        need.name = row_text(row, "purpose");
        p = api_load(c, txn, &apis_resource, row_text(row, "api_id"), &api);
    }
    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &purposes_resource, "api_id", row_text(row, "api_id"), add_need,
                     &need);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 200, report(row, api, &need));
    }
    json_decref(row);
    json_decref(api);
    json_decref(need.fields);
    return p;
}
