/* SPDX-License-Identifier: Apache-2.0 */
/* An app that may call an API without a kit, though the API asks for one (BK-6.2b1, BK-6.2b2):
 * asked for with a reason and an end by the app's side, decided by somebody else of the platform.
 * It is part of what nodes are told of the app's subscription. */
#include "sdks/sdks.h"

#include "api/apis.h"

#define NO_END "4102444800000" /* 2100-01-01 */

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"reason", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 5, 2000},
    {"expires_at", ATTR_TIME, AF_REQUIRED | AF_IMMUTABLE | AF_SORT},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"decided_by", ATTR_TEXT, AF_READ_ONLY},
    {"decided_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);

    if (p == PROBLEM_OK && !protection_sdk_required(api)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/api_id", "the API asks for no SDK");
    }
    if (p == PROBLEM_OK && api_ms(ch->row, "expires_at") <= c->now_ms) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "an end ahead is needed");
    }
    json_object_set_new(ch->row, "requested_by", json_string(c->user.login));
    json_decref(api);
    return p;
}

static enum problem decide(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "requested_by"), c->user.login) == 0) {
        return rest_fail(c, PROBLEM_SELF_APPROVAL, "", "somebody else decides");
    }
    api_decided(c, ch->row);
    return PROBLEM_OK;
}

/* Nodes learn of it as a part of the app's subscription. */
static enum problem refeed(struct rest_call *c, struct change *ch)
{
    const json_t *exception = ch->arg;

    return strcmp(row_text(ch->row, "api_id"), row_text(exception, "api_id")) == 0
               ? change_feed(c, ch->txn, ch->res, ch->row)
               : PROBLEM_OK;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    return ch->old && api_changed(ch->old, ch->row, "state")
               ? row_each(c, ch->txn, &subscriptions_resource, "app_id",
                          row_text(ch->row, "app_id"), refeed, ch->row)
               : PROBLEM_OK;
}

enum problem direct_until(struct rest_call *c, struct store_txn *txn, const char *app_id,
                          const char *api_id, uint64_t *until_ms)
{
    /* The platform's own app is no party: it tests what others will call (probe-app). */
    static const char sql[] =
        "SELECT max(ifnull((SELECT max(expires_at) FROM direct_connections WHERE app_id = ? AND "
        "api_id = ? AND state = 'approved'), 0), CASE WHEN EXISTS (SELECT 1 FROM service_settings "
        "WHERE name = 'probe-app' AND value = ?) THEN " NO_END " ELSE 0 END)";
    const struct store_value v[] = {store_text(app_id), store_text(api_id), store_text(app_id)};
    struct store_rows *rows = NULL;
    enum problem p = rest_store_problem(c, store_query(txn, sql, v, COUNT(v), &rows));

    *until_ms = 0;
    if (p != PROBLEM_OK) {
        return p;
    }
    if (store_next(rows)) {
        *until_ms = (uint64_t)store_get_int(rows, 0);
    }
    return rest_store_problem(c, store_rows_end(&rows));
}

#define APPLICANT (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"requested", "approve", "approved", ROLE_STAFF, .body_text = "comment", .hook = decide},
    {"requested", "refuse", "refused", ROLE_STAFF, .body_text = "comment", .hook = decide},
    {"requested", "withdraw", "withdrawn", APPLICANT},
    {"approved", "revoke", "revoked", ROLE_STAFF, .body_text = "comment"},
};

#define OWN     "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
static const struct scope scopes[] = {{ROLE_DEVELOPER, BIND_ORGANISATION, OWN, OWN},
                                      {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, "1 = 0"}};

const struct resource direct_connections_resource = {
    .plural = "direct_connections",
    .kind = "direct-connection",
    .initial = "requested",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = APPLICANT | ROLE_PROVIDER | ROLE_AUDITOR,
    .create_roles = APPLICANT,
    .check = check,
    .after = after,
};
