/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a change of a live API (BK-10.3): who is touched, the plans, who was told, when it
 * takes effect and for whom first. Either attributes of the API itself change, or a new version of
 * it is opened beside it. Releasing and taking back is in release.c. */
#include <stdio.h>

#include "api/api.h"
#include "services/changes.h"

static enum problem check_change(struct rest_call *c, const char *where, const json_t *v)
{
    const char *key;
    json_t *value;

    if (!json_is_object(v) || json_object_size(v) == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "attributes of the API are needed");
    }
    json_object_foreach((json_t *)v, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < apis_resource.n_attrs; i++) {
            const struct attr *a = &apis_resource.attrs[i];
            known = known || (strcmp(a->name, key) == 0 &&
                              !(a->flags & (AF_READ_ONLY | AF_HIDDEN | AF_IMMUTABLE)));
        }
        if (!known) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "%.60s does not change", key);
        }
    }
    return PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"summary", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, 1000},
    {"change", ATTR_JSON, 0, .check = check_change},
    {"new_api_id", ATTR_REF, AF_FILTER, .ref = "apis"},
    {"plan", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"emergency_plan", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"touches_users", ATTR_BOOL, 0, .fallback = "false"},
    {"user_notice", ATTR_TEXT, AF_LINES, 1, 1000},
    {"canary_apps", ATTR_JSON, 0, .check = service_check_ids},
    {"release_at", ATTR_TIME, AF_SORT},
    {"impact", ATTR_TEXT, AF_READ_ONLY},
    {"affected", ATTR_JSON, AF_READ_ONLY},
    {"assessed_by", ATTR_TEXT, AF_READ_ONLY},
    {"assessed_at", ATTR_TIME, AF_READ_ONLY},
    {"announced_by", ATTR_TEXT, AF_READ_ONLY},
    {"announced_at", ATTR_TIME, AF_READ_ONLY},
    {"released_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"earlier", ATTR_JSON, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check_new(struct rest_call *c, struct change *ch, const json_t *api)
{
    json_t *next = NULL;
    const char *id = row_text(ch->row, "new_api_id");

    if (!id[0]) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &apis_resource, id, &next);
    if (p == PROBLEM_OK && (strcmp(id, row_text(api, "id")) == 0 ||
                            strcmp(row_text(next, "name"), row_text(api, "name")) != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/new_api_id",
                      "another version of the same API (by its name) is needed");
    }
    if (p == PROBLEM_OK &&
        strcmp(row_text(next, "organisation_id"), row_text(api, "organisation_id")) != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/new_api_id", "it is another organisation's");
    }
    json_decref(next);
    return p;
}

/* What is edited is assessed anew. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    const char *state = row_text(ch->row, "state");
    json_t *api = NULL;
    bool in_place = json_is_object(json_object_get(ch->row, "change"));
    bool version = row_text(ch->row, "new_api_id")[0] != '\0';

    if (ch->old && strcmp(state, "draft") != 0 && strcmp(state, "assessed") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the change is %s", state);
    }
    if (in_place == version) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/change",
                         "either change or new_api_id is needed");
    }
    if (in_place && json_is_array(json_object_get(ch->row, "canary_apps"))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/canary_apps",
                         "only a new version can be had beside the old one");
    }
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    if (p == PROBLEM_OK && !row_writable(c, ch->txn, &apis_resource, row_text(api, "id"))) {
        p = PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK && strcmp(row_text(api, "state"), "published") != 0 &&
        strcmp(row_text(api, "state"), "deprecated") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/api_id", "the API is %s; it just changes",
                      row_text(api, "state"));
    }
    p = p == PROBLEM_OK ? check_new(c, ch, api) : p;
    json_object_set_new(ch->row, "state", json_string("draft"));
    json_object_set_new(ch->row, "impact", json_null());
    json_object_set_new(ch->row, "affected", json_null());
    json_decref(api);
    return p;
}

/* Who is affected is computed; what it means to them somebody writes. */
static enum problem assess(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL, *parties = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);

    if (p == PROBLEM_OK) {
        p = parties_of(c, ch->txn, api, &parties);
    }
    json_object_set_new(ch->row, "affected", parties ? parties : json_null());
    stage_sign(c, ch->row, "assessed");
    json_decref(api);
    return p;
}

static enum problem lacking(struct rest_call *c, const json_t *row)
{
    static const char *const needed[] = {"plan", "emergency_plan", "release_at"};
    char where[40];

    for (size_t i = 0; i < COUNT(needed); i++) {
        if (!row_text(row, needed[i])[0]) {
            snprintf(where, sizeof where, "/%s", needed[i]);
            return rest_fail(c, PROBLEM_STATE_CONFLICT, where, "a change is announced with it");
        }
    }
    return json_is_true(json_object_get(row, "touches_users")) && !row_text(row, "user_notice")[0]
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "/user_notice",
                           "users are touched: say what they are told")
               : PROBLEM_OK;
}

static enum problem announce(struct rest_call *c, struct change *ch)
{
    uint64_t days = 0;
    json_t *api = NULL;
    enum problem p = lacking(c, ch->row);

    if (p == PROBLEM_OK) {
        p = service_setting_days(c, ch->txn, "change-notice-days", &days);
    }
    if (p == PROBLEM_OK && api_ms(ch->row, "release_at") < c->now_ms + days * STAGE_DAY_MS) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/release_at",
                      "the affected are told %d days before", (int)days);
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    }
    if (p == PROBLEM_OK) {
        p = parties_tell(c, ch->txn, api, json_object_get(ch->row, "affected"),
                         "service-change-announced", "service-change", row_text(ch->row, "id"),
                         row_text(ch->row, "summary"));
    }
    if (p == PROBLEM_OK && json_is_true(json_object_get(ch->row, "touches_users"))) {
        p = parties_tell_owners(c, ch->txn, api, "service-change-for-users", "service-change",
                                row_text(ch->row, "id"), row_text(ch->row, "user_notice"));
    }
    stage_sign(c, ch->row, "announced");
    json_decref(api);
    return p;
}

static enum problem release(struct rest_call *c, struct change *ch)
{
    return api_ms(ch->row, "release_at") > c->now_ms
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "/release_at", "its time has not come")
               : change_release(c, ch->txn, ch->row);
}

static enum problem complete(struct rest_call *c, struct change *ch)
{
    return change_complete(c, ch->txn, ch->row);
}

static enum problem roll_back(struct rest_call *c, struct change *ch)
{
    return change_roll_back(c, ch->txn, ch->row);
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"draft|assessed", "assess", "assessed", KEEPER, .body_text = "impact", .hook = assess},
    {"assessed", "announce", "announced", KEEPER, .hook = announce},
    {"announced", "release", NULL, KEEPER, .hook = release},
    {"canary", "complete", "released", KEEPER, .hook = complete},
    {"canary|released", "roll-back", "rolled_back", KEEPER, .body_text = "comment",
     .hook = roll_back},
    {"draft|assessed|announced|failed", "cancel", "cancelled", KEEPER, .body_text = "comment"},
};

#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, OWN_API},
};

const struct resource service_changes_resource = {
    .plural = "service_changes",
    .kind = "service-change",
    .initial = "draft",
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

/* With change control on, what a live API is changes by a record alone. What it says of itself may
 * be put in better words at any time. */
enum problem change_holds(struct rest_call *c, struct change *ch)
{
    static const char *const free_[] = {"title",     "description", "notice_zh", "notice_en",
                                        "successor", "service_id",  "sunset_at"};
    const char *state = row_text(ch->row, "state"), *key;
    json_t *v;
    bool on = false;
    enum problem p = PROBLEM_OK;

    if (!ch->old || ch->action ||
        (strcmp(state, "published") != 0 && strcmp(state, "deprecated") != 0)) {
        return PROBLEM_OK;
    }
    p = service_setting_on(c, ch->txn, "change-control", &on);
    json_object_foreach(c->body, key, v)
    {
        bool harmless = false;
        for (size_t i = 0; i < COUNT(free_); i++) {
            harmless = harmless || strcmp(free_[i], key) == 0;
        }
        if (p == PROBLEM_OK && on && !harmless) {
            return rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                             "a live API changes by a record: POST /service_changes");
        }
    }
    return p;
}

/* Whether a record says that what becomes of this live API is what publishing the other brings. */
static enum problem announced_with(struct rest_call *c, struct store_txn *txn, const char *api_id,
                                   const char *new_api_id, bool *yes)
{
    const struct store_value v[] = {store_text(api_id), store_text(new_api_id)};
    json_t *found = NULL;
    enum problem p =
        services_rows(c, txn,
                      "SELECT id FROM service_changes WHERE api_id = ? AND "
                      "new_api_id = ? AND state IN ('announced', 'canary', 'released')",
                      v, 2, "id:t", &found);

    *yes = json_array_size(found) > 0;
    json_decref(found);
    return p;
}

enum problem change_covers(struct rest_call *c, struct store_txn *txn, const json_t *api,
                           const char *published_id)
{
    bool on = false, told = false;
    enum problem p = service_setting_on(c, txn, "change-control", &on);

    if (p == PROBLEM_OK && on) {
        p = announced_with(c, txn, row_text(api, "id"), published_id, &told);
    }
    if (p != PROBLEM_OK || !on || told) {
        return p;
    }
    return rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                     "the fields of %s, which is live, would change: announce it by a record first "
                     "(POST /service_changes with api_id and new_api_id)",
                     row_text(api, "path"));
}
