/* SPDX-License-Identifier: Apache-2.0 */
/* A request for another's data goes to that owner, who alone answers it (SW-9.6.1-c1): an approval
 * is a grant of the same id, a refusal leaves nothing. The owner may narrow what is asked first. */
#include "api/api.h"
#include "base/clock.h"
#include "consent/consent.h"

static const char *const terms[] = {"once", "period", "agreement", NULL};

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"owner", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 128},
    {"purpose", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, 1000},
    {"term", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE, 1, 20, .values = terms},
    {"not_before", ATTR_TIME, AF_IMMUTABLE},
    {"expires_at", ATTR_TIME, AF_REQUIRED},
    {"fields", ATTR_JSON, 0, .check = api_check_paths},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY},
    {"statement", ATTR_TEXT, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"decided_by", ATTR_TEXT, AF_READ_ONLY},
    {"decided_at", ATTR_TIME, AF_READ_ONLY},
};

static bool among(const json_t *list, const json_t *path)
{
    json_t *item;
    size_t i;

    if (!json_is_array(list)) {
        return true;
    }
    json_array_foreach(list, i, item)
    {
        if (json_equal(item, path)) {
            return true;
        }
    }
    return false;
}

/* The owner takes away; what was not asked for is not theirs to add to another's request. */
static enum problem check_narrower(struct rest_call *c, const struct change *ch)
{
    const json_t *was = json_object_get(ch->old, "fields"),
                 *is = json_object_get(ch->row, "fields");
    json_t *path;
    size_t i;

    if (strcmp(row_text(ch->old, "state"), "requested") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the request is %s",
                         row_text(ch->old, "state"));
    }
    if (api_ms(ch->row, "expires_at") > api_ms(ch->old, "expires_at")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "no later than was asked for");
    }
    if (json_is_array(was) && !json_is_array(is)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/fields", "no more than was asked for");
    }
    json_array_foreach(is, i, path)
    {
        if (!among(was, path)) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/fields", "%.100s was not asked for",
                             json_string_value(path));
        }
    }
    return PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    enum problem p = api_check_validity(c, ch->row);

    if (p == PROBLEM_OK && api_ms(ch->row, "expires_at") <= c->now_ms) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "it lies in the past");
    }
    if (p == PROBLEM_OK && ch->old) {
        p = check_narrower(c, ch);
    } else if (p == PROBLEM_OK) {
        json_object_set_new(ch->row, "requested_by", json_string(c->user.login));
        p = closures_refuse(c, ch->txn, row_text(ch->row, "owner"), row_text(ch->row, "app_id"));
    }
    return p == PROBLEM_OK ? api_check_named_fields(c, ch->txn, ch->row) : p;
}

static enum problem note_decision(struct rest_call *c, struct change *ch)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(ch->row, "decided_by", json_string(c->user.login));
    json_object_set_new(ch->row, "decided_at", json_string(now));
    return PROBLEM_OK;
}

static enum problem approve(struct rest_call *c, struct change *ch)
{
    static const char *const copied[] = {"id",   "app_id",     "api_id",     "owner",  "purpose",
                                         "term", "not_before", "expires_at", "fields", "statement"};
    json_t *grant = json_pack("{s:s, s:s}", "act", "statement", "channel", "request");

    for (size_t i = 0; i < COUNT(copied); i++) {
        json_object_set(grant, copied[i], json_object_get(ch->row, copied[i]));
    }
    (void)note_decision(c, ch);
    enum problem p = api_ms(ch->row, "expires_at") <= c->now_ms
                         ? rest_fail(c, PROBLEM_STATE_CONFLICT, "/expires_at", "it is over")
                         : grants_make(c, ch->txn, grant);
    json_decref(grant);
    return p;
}

#define CALLER (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"requested", "approve", "approved", ROLE_OWNER, .body_text = "statement", .hook = approve},
    {"requested", "refuse", "refused", ROLE_OWNER, .body_text = "comment", .body_optional = true,
     .hook = note_decision},
    {"requested", "withdraw", "withdrawn", CALLER},
};

#define OWN_APP "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_OWNER, BIND_SUBJECT, "t.owner = ?", "t.owner = ?"},
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN_APP, OWN_APP},
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)", "1 = 0"},
};

const struct resource grant_requests_resource = {
    .plural = "grant_requests",
    .kind = "grant-request",
    .initial = "requested",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = CALLER,
    .patch_roles = ROLE_OWNER,
    .check = check,
};
