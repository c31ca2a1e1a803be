/* SPDX-License-Identifier: Apache-2.0 */
/* The registration centre (SW-6-registry): instances of a unit's service come by themselves, say
 * that they live, and are let go when they no longer do. Those that live are among the targets that
 * nodes are told. */
#include "api/apis.h"
#include "services/services.h"

#define MISSED 3 /* heartbeats, and it is lost */

static enum problem check_url(struct rest_call *c, const char *where, const json_t *v)
{
    return targets_check_upstream(c, where, v);
}

static const struct attr attrs[] = {
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"url", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 8, 1000, .check = check_url},
    {"weight", ATTR_INT, 0, 1, 1000, .fallback = "1"},
    {"heartbeat_s", ATTR_INT, 0, 1, 3600, .fallback = "10"},
    {"seen_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"lost_at", ATTR_TIME, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);

    if (p == PROBLEM_OK && strcmp(row_text(api, "kind"), "http") != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id", "only APIs of kind http have instances");
    }
    if (!ch->old) {
        json_object_set_new(ch->row, "seen_at", stage_time(c->now_ms));
    }
    json_decref(api);
    return p;
}

static enum problem heartbeat(struct rest_call *c, struct change *ch)
{
    json_t *values = NULL;
    enum problem p = configs_of(c, ch->txn, row_text(ch->row, "api_id"), &values);

    json_object_set_new(ch->row, "seen_at", stage_time(c->now_ms));
    json_object_set_new(ch->row, "lost_at", json_null());
    if (p == PROBLEM_OK && json_object_size(values)) { /* what it goes by from now on */
        c->once = json_pack("{s:O}", "configuration", values);
    }
    json_decref(values);
    return p;
}

/* Nodes hear of who came or went, not of each heartbeat. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;

    if (ch->old && !api_changed(ch->old, ch->row, "state") &&
        !api_changed(ch->old, ch->row, "weight")) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    if (p == PROBLEM_OK) {
        p = change_feed(c, ch->txn, &apis_resource, api);
    }
    json_decref(api);
    return p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"up|lost", "heartbeat", "up", KEEPER, .hook = heartbeat},
    {"up|lost", "remove", "removed", KEEPER},
};

#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, OWN_API},
};

const struct resource service_instances_resource = {
    .plural = "service_instances",
    .kind = "service-instance",
    .initial = "up",
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
    .after = after,
};

#define INSTANCES_MAX "16"

/* Beside the targets of its own, or in place of a single upstream. */
enum problem instances_feed(struct rest_call *c, struct store_txn *txn, const json_t *api,
                            json_t *out)
{
    const struct store_value v = store_text(row_text(api, "id"));
    json_t *found = NULL, *one;
    size_t i;

    if (strcmp(row_text(api, "kind"), "http") != 0) {
        return PROBLEM_OK;
    }
    enum problem p = services_rows(c, txn,
                                   "SELECT url, weight FROM service_instances WHERE api_id = ? AND "
                                   "state = 'up' ORDER BY created_at LIMIT " INSTANCES_MAX,
                                   &v, 1, "url:t weight:i", &found);
    if (json_array_size(found)) {
        json_t *targets = json_object_get(out, "targets");
        targets = json_is_array(targets) ? json_copy(targets) : json_array();
        json_array_foreach(found, i, one)
        {
            json_object_set_new(one, "role", json_string("primary"));
            json_array_append(targets, one);
        }
        json_object_set_new(out, "targets", targets);
    }
    json_decref(found);
    return p;
}

static enum problem lose(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *old = json_deep_copy(row);
    uint64_t limit =
        api_ms(row, "seen_at") +
        MISSED * 1000u * (uint64_t)json_integer_value(json_object_get(row, "heartbeat_s"));
    enum problem p = PROBLEM_OK;

    if (strcmp(row_text(row, "state"), "up") == 0 && limit <= c->now_ms) {
        json_object_set_new(row, "lost_at", stage_time(c->now_ms));
        p = stage_change(c, txn, &service_instances_resource, old, row, "lost", "lose");
    }
    json_decref(old);
    return p;
}

enum problem service_instances_job(struct rest_call *c)
{
    return stage_each_due(c,
                          "SELECT id FROM service_instances WHERE state = 'up' AND seen_at + 3000 "
                          "* heartbeat_s <= ?",
                          0, &service_instances_resource, lose);
}
