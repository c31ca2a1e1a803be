/* SPDX-License-Identifier: Apache-2.0 */
/* Sharing (SW-8.3.1-07): the owner of an entry lets one other organisation see it and, within
 * bounds, call what serves it. An operator agrees; after that the other side puts its apps in by
 * itself, and what it got ends with the share. */
#include <stdio.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "catalog/opening.h"
#include "notices/notices.h"
#include "services/services.h"

static const struct attr attrs[] = {
    {"entry_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "entries"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"receiver_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_REF_ANY,
     .ref = "organisations"},
    {"purpose", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, 1000},
    {"max_level", ATTR_INT, AF_REQUIRED | AF_IMMUTABLE, 1, 3},
    {"fields", ATTR_JSON, AF_IMMUTABLE, .check = api_check_paths},
    {"expires_at", ATTR_TIME, AF_REQUIRED | AF_IMMUTABLE | AF_SORT},
    {"submitted_by", ATTR_TEXT, AF_READ_ONLY},
    {"approved_by", ATTR_TEXT, AF_READ_ONLY},
    {"approved_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

/* Only what is one's own can be shared. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *entry = NULL;
    enum problem p = api_load(c, ch->txn, &entries_resource, row_text(ch->row, "entry_id"), &entry);

    if (p == PROBLEM_OK && !row_writable(c, ch->txn, &entries_resource, row_text(entry, "id"))) {
        p = PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK && strcmp(row_text(entry, "state"), "withdrawn") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/entry_id", "the entry is withdrawn");
    }
    if (p == PROBLEM_OK &&
        strcmp(row_text(ch->row, "receiver_id"), row_text(entry, "organisation_id")) == 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/receiver_id", "it is the entry's own");
    }
    if (p == PROBLEM_OK && api_ms(ch->row, "expires_at") <= c->now_ms) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "it must be in the future");
    }
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "organisation_id", json_object_get(entry, "organisation_id"));
        json_object_set_new(ch->row, "submitted_by", json_string(c->user.login));
    }
    json_decref(entry);
    return p;
}

static enum problem approve(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "submitted_by"), c->user.login) == 0) {
        return PROBLEM_SELF_APPROVAL;
    }
    if (api_ms(ch->row, "expires_at") <= c->now_ms) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/expires_at", "its time is over");
    }
    stage_sign(c, ch->row, "approved");
    return PROBLEM_OK;
}

static enum problem end_subscription(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "state"), "cancelled") == 0) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    enum problem p =
        stage_change(c, ch->txn, &subscriptions_resource, old, ch->row, "cancelled", "cancel");
    json_decref(old);
    return p;
}

static enum problem tell(struct rest_call *c, struct store_txn *txn, const char *kind,
                         const json_t *share, const json_t *entry)
{
    const struct notice n = {.kind = kind,
                             .organisation_id = row_text(share, "receiver_id"),
                             .object_kind = "entry-share",
                             .object_id = row_text(share, "id"),
                             .object_name = row_text(entry, "name"),
                             .detail = row_text(share, "comment")};

    return notice_put(c, txn, &n);
}

/* Whom the entry is shared with is in its index; what was had by the share ends with it. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    const char *state = row_text(ch->row, "state");
    bool active = strcmp(state, "active") == 0,
         was = ch->old && strcmp(row_text(ch->old, "state"), "active") == 0;
    json_t *entry = NULL;
    enum problem p = PROBLEM_OK;

    if (active == was) {
        return PROBLEM_OK;
    }
    p = api_load(c, ch->txn, &entries_resource, row_text(ch->row, "entry_id"), &entry);
    if (p == PROBLEM_OK) {
        p = index_entry(c, ch->txn, entry);
    }
    if (p == PROBLEM_OK && !active) {
        p = row_each(c, ch->txn, &subscriptions_resource, "share_id", row_text(ch->row, "id"),
                     end_subscription, NULL);
    }
    if (p == PROBLEM_OK) {
        p = tell(c, ch->txn, active ? "share-made" : "share-ended", ch->row, entry);
    }
    json_decref(entry);
    return p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"offered", "approve", "active", ROLE_STAFF, .hook = approve},
    {"offered", "refuse", "refused", ROLE_STAFF, .body_text = "comment"},
    {"offered|active", "revoke", "revoked", KEEPER, .body_text = "comment"},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ? OR t.receiver_id = ?",
     "t.organisation_id = ?"},
    {ROLE_DEVELOPER, BIND_ORGANISATION, "t.receiver_id = ? AND t.state <> 'offered'", "1 = 0"},
};

const struct resource entry_shares_resource = {
    .plural = "entry_shares",
    .kind = "entry-share",
    .initial = "offered",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = KEEPER,
    .check = check,
    .after = after,
};

/* Using it --------------------------------------------------------------------------------------
 */
/* The API that serves the entry: the one named, else the newest that is published. */
static enum problem find_api(struct rest_call *c, struct store_txn *txn, const json_t *share,
                             char id[static UUID_TEXT_LEN + 1])
{
    static const char sql[] =
        "SELECT a.id FROM apis a JOIN entries e ON e.dataset_id = a.dataset_id WHERE e.id = ? AND "
        "a.state IN ('published', 'deprecated') AND ? IN ('', a.id) ORDER BY a.state DESC, "
        "a.created_at DESC LIMIT 1";
    const char *named = row_text(c->body, "api_id");
    const struct store_value v[] = {store_text(row_text(share, "entry_id")), store_text(named)};
    json_t *rows = NULL;
    enum problem p = services_rows(c, txn, sql, v, 2, "id:t", &rows);

    snprintf(id, UUID_TEXT_LEN + 1, "%s", row_text(json_array_get(rows, 0), "id"));
    json_decref(rows);
    return p == PROBLEM_OK && !id[0]
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id", "no published API serves the entry")
               : p;
}

static enum problem check_app(struct rest_call *c, struct store_txn *txn, const json_t *share)
{
    json_t *app = NULL;
    const char *id = row_text(c->body, "app_id");
    struct uuid u;
    enum problem p = uuid_parse(&u, id, strlen(id))
                         ? row_load(c, txn, &apps_resource, id, true, &app)
                         : PROBLEM_OK;

    if (p == PROBLEM_OK &&
        (!app || strcmp(row_text(app, "organisation_id"), row_text(share, "receiver_id")) != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id",
                      "an app of the organisation it is shared with is needed");
    }
    json_decref(app);
    return p;
}

static resource_hook approval(void)
{
    for (size_t i = 0; i < subscriptions_resource.n_transitions; i++) {
        if (strcmp(subscriptions_resource.transitions[i].action, "approve") == 0) {
            return subscriptions_resource.transitions[i].hook;
        }
    }
    return NULL;
}

/* A subscription within the share's bounds. All that holds of others holds of it; the operator and
 * the provider said yes when they agreed to the share. */
static enum problem subscribe(struct rest_call *c, struct store_txn *txn, const json_t *share,
                              json_t *row)
{
    static const char *const copied[] = {"purpose", "max_level", "fields", "expires_at"};
    struct change ch = {.res = &subscriptions_resource, .txn = txn, .row = row};
    char api[UUID_TEXT_LEN + 1];
    enum problem p = find_api(c, txn, share, api);

    for (size_t i = 0; i < COUNT(copied); i++) {
        json_object_set(row, copied[i], json_object_get(share, copied[i]));
    }
    json_object_set(row, "app_id", json_object_get(c->body, "app_id"));
    json_object_set_new(row, "api_id", json_string(api));
    json_object_set(row, "share_id", json_object_get(share, "id"));
    json_object_set(row, "provider_approved_by", json_object_get(share, "submitted_by"));
    json_object_set_new(row, "provider_approved_at", stage_time(c->now_ms));
    if (p == PROBLEM_OK) {
        p = subscriptions_resource.check(c, &ch);
    }
    ch.action = "approve";
    if (p == PROBLEM_OK) {
        p = approval()(c, &ch);
    }
    json_object_set_new(row, "state", json_string("approved"));
    return p == PROBLEM_OK ? change_store(c, txn, &subscriptions_resource, NULL, row, "create") : p;
}

enum problem share_use(struct rest_call *c)
{
    static const char *const members[] = {"app_id", "api_id", NULL};
    json_t *share = NULL, *row = resource_row(&subscriptions_resource);
    struct store_txn *txn = NULL;
    enum problem p = rest_body_members(c, members);

    p = p == PROBLEM_OK ? rest_begin(c, STORE_WRITE, &txn) : p;
    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &entry_shares_resource, false, &share);
        if (p == PROBLEM_OK && (strcmp(row_text(share, "state"), "active") != 0 ||
                                api_ms(share, "expires_at") <= c->now_ms)) {
            p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the share is not active");
        }
        p = p == PROBLEM_OK ? check_app(c, txn, share) : p;
        p = p == PROBLEM_OK ? subscribe(c, txn, share, row) : p;
        p = rest_finish(c, &txn, p);
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &subscriptions_resource, row, 201);
    }
    json_decref(share);
    json_decref(row);
    return p;
}

static enum problem over(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *old = json_deep_copy(row);
    enum problem p = stage_change(c, txn, &entry_shares_resource, old, row, "ended", "expire");

    json_decref(old);
    return p;
}

enum problem entry_shares_job(struct rest_call *c)
{
    return stage_each_due(
        c, "SELECT id FROM entry_shares WHERE state IN ('offered', 'active') AND expires_at <= ?",
        0, &entry_shares_resource, over);
}
