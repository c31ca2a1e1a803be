/* SPDX-License-Identifier: Apache-2.0 */
/* Who is touched when an API changes or ends, and how each was told. The notice itself keeps its
 * delivery and reading; service_notices keeps who was told of what, and who could not be. */
#include "api/api.h"
#include "notices/notices.h"
#include "services/services.h"

#define OWNERS_MAX "5000"

static const struct attr attrs[] = {
    {"about_kind", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"about_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"party", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"organisation_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"app_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"user_id", ATTR_TEXT, AF_READ_ONLY},
    {"owner", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"delivered", ATTR_BOOL, AF_READ_ONLY},
    {"text", ATTR_TEXT, AF_READ_ONLY},
};

const struct resource service_notices_resource = {
    .plural = "service_notices",
    .kind = "service-notice",
    .initial = "told",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
};

enum problem parties_of(struct rest_call *c, struct store_txn *txn, const json_t *api,
                        json_t **parties)
{
    static const char apps_sql[] =
        "SELECT DISTINCT p.id, p.name, p.organisation_id FROM apps p WHERE p.state <> 'withdrawn' "
        "AND (EXISTS (SELECT 1 FROM subscriptions s WHERE s.app_id = p.id AND s.api_id = ? AND "
        "s.state IN ('applied', 'approved', 'suspended')) OR EXISTS (SELECT 1 FROM grants g WHERE "
        "g.app_id = p.id AND g.api_id = ? AND g.state = 'active')) ORDER BY p.name";
    static const char composed_sql[] =
        "SELECT a.id, a.name, a.version FROM compositions x JOIN apis a ON a.id = x.api_id WHERE "
        "x.state = 'active' AND a.state NOT IN ('draft', 'archived') AND EXISTS (SELECT 1 FROM "
        "json_each(x.graph, '$.steps') e WHERE json_extract(e.value, '$.api') = ?)";
    const char *id = row_text(api, "id");
    const struct store_value two[] = {store_text(id), store_text(id)},
                             path = store_text(row_text(api, "path"));
    json_t *apps = NULL, *composed = NULL;
    int64_t owners = 0;
    enum problem p =
        services_rows(c, txn, apps_sql, two, 2, "id:t name:t organisation_id:t", &apps);

    if (p == PROBLEM_OK) {
        p = services_rows(c, txn, composed_sql, &path, 1, "id:t name:t version:t", &composed);
    }
    if (p == PROBLEM_OK) {
        p = services_count(c, txn,
                           "SELECT count(DISTINCT owner) FROM grants WHERE api_id = ? AND state = "
                           "'active'",
                           id, &owners);
    }
    *parties = json_pack("{s:o, s:o, s:I}", "apps", apps ? apps : json_array(), "apis",
                         composed ? composed : json_array(), "owners", (json_int_t)owners);
    return p;
}

static enum problem keep(struct rest_call *c, struct store_txn *txn, const struct notice *n,
                         const char *party, const char *app_id, const char *owner)
{
    json_t *row = resource_row(&service_notices_resource);

    json_object_set_new(row, "about_kind", json_string(n->object_kind));
    json_object_set_new(row, "about_id", json_string(n->object_id));
    json_object_set_new(row, "party", json_string(party));
    json_object_set_new(row, "delivered", json_boolean(n->organisation_id || n->user_id));
    json_object_set_new(row, "text", json_string(n->detail ? n->detail : ""));
    if (n->organisation_id) {
        json_object_set_new(row, "organisation_id", json_string(n->organisation_id));
    }
    if (n->user_id) {
        json_object_set_new(row, "user_id", json_string(n->user_id));
    }
    if (app_id) {
        json_object_set_new(row, "app_id", json_string(app_id));
    }
    if (owner) {
        json_object_set_new(row, "owner", json_string(owner));
    }
    enum problem p = change_store(c, txn, &service_notices_resource, NULL, row, "create");
    json_decref(row);
    return p;
}

enum problem parties_tell(struct rest_call *c, struct store_txn *txn, const json_t *api,
                          const json_t *parties, const char *notice, const char *about_kind,
                          const char *about_id, const char *text)
{
    const char *provider = row_text(api, "organisation_id");
    json_t *app;
    size_t i;
    enum problem p = PROBLEM_OK;
    struct notice n = {.kind = notice,
                       .object_kind = about_kind,
                       .object_id = about_id,
                       .object_name = row_text(api, "name"),
                       .detail = text};

    json_array_foreach(json_object_get(parties, "apps"), i, app)
    {
        n.organisation_id = row_text(app, "organisation_id");
        if (p == PROBLEM_OK) {
            p = notice_put(c, txn, &n);
        }
        if (p == PROBLEM_OK) {
            p = keep(c, txn, &n, "app", row_text(app, "id"), NULL);
        }
    }
    if (p == PROBLEM_OK && provider[0]) {
        n.organisation_id = provider;
        p = notice_put(c, txn, &n);
        p = p == PROBLEM_OK ? keep(c, txn, &n, "provider", NULL, NULL) : p;
    }
    return p;
}

static enum problem tell_owner(struct rest_call *c, struct store_txn *txn, struct notice n,
                               const char *owner)
{
    const struct store_value v = store_text(owner);
    json_t *users = NULL, *user;
    size_t i;
    enum problem p =
        services_rows(c, txn, "SELECT id FROM users WHERE subject = ? AND state = 'active'", &v, 1,
                      "id:t", &users);

    if (p == PROBLEM_OK && json_array_size(users) == 0) {
        p = keep(c, txn, &n, "user", NULL, owner); /* a public announcement has to reach them */
    }
    json_array_foreach(users, i, user)
    {
        n.user_id = row_text(user, "id");
        if (p == PROBLEM_OK) {
            p = notice_put(c, txn, &n);
        }
        if (p == PROBLEM_OK) {
            p = keep(c, txn, &n, "user", NULL, owner);
        }
    }
    json_decref(users);
    return p;
}

enum problem parties_tell_owners(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                 const char *notice, const char *about_kind, const char *about_id,
                                 const char *text)
{
    const struct store_value v = store_text(row_text(api, "id"));
    json_t *owners = NULL, *owner;
    size_t i;
    const struct notice n = {.kind = notice,
                             .object_kind = about_kind,
                             .object_id = about_id,
                             .object_name = row_text(api, "name"),
                             .detail = text};
    enum problem p = services_rows(c, txn,
                                   "SELECT DISTINCT owner FROM grants WHERE api_id = ? AND state = "
                                   "'active' LIMIT " OWNERS_MAX,
                                   &v, 1, "owner:t", &owners);

    json_array_foreach(owners, i, owner)
    {
        p = p == PROBLEM_OK ? tell_owner(c, txn, n, row_text(owner, "owner")) : p;
    }
    json_decref(owners);
    return p;
}
