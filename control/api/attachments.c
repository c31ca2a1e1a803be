/* SPDX-License-Identifier: Apache-2.0 */
/* What an API has at most one of: the schema its calls are checked against, the conversion of its
 * bodies, the graph that composes it. Told to the nodes under the API's own id. */
#include "api/attachments.h"
#include "admission/terms.h"
#include "convert/convert.h"
#include "services/services.h"

enum problem attachment_exists(struct rest_call *c, struct store_txn *txn,
                               const struct resource *res, const char *api_id, bool *there)
{
    const struct store_value v = store_text(api_id);
    struct store_rows *rows = NULL;
    struct buf sql;

    buf_init(&sql);
    buf_addf(&sql, "SELECT 1 FROM %s WHERE api_id = ? AND state = 'active'", res->plural);
    buf_addc(&sql, '\0');
    enum store_err err = sql.failed ? STORE_EIO : store_query(txn, sql.p, &v, 1, &rows);
    *there = err == STORE_OK && store_next(rows);
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    buf_fini(&sql);
    return rest_store_problem(c, err);
}

static enum problem check_definition(struct rest_call *c, struct change *ch)
{
    enum problem p = attachment_from_wsdl(c, ch->row);

    if (p == PROBLEM_OK && !json_is_object(json_object_get(ch->row, "definition"))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/definition",
                      "a definition, or a wsdl, is needed");
    }
    return p;
}

/* Whose API it is, the row's write scope says; archived ones are past changing. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    bool composed = strcmp(row_text(api, "kind"), "composed") == 0;

    if (p == PROBLEM_OK && strcmp(row_text(api, "state"), "archived") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/api_id", "the API is archived");
    }
    if (p == PROBLEM_OK && ch->res == &compositions_resource && !composed) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id", "the API is of kind %s, not composed",
                      row_text(api, "kind"));
    }
    if (p == PROBLEM_OK && ch->old && strcmp(row_text(ch->old, "state"), "removed") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it is removed; make another");
    }
    if (p == PROBLEM_OK && ch->res == &schemas_resource) {
        p = lint_exchange(c, api, json_object_get(ch->row, "openapi"));
    }
    if (p == PROBLEM_OK && ch->res == &compositions_resource) {
        p = agreement_permits_graph(c, ch->txn, api, json_object_get(ch->row, "graph"));
    }
    json_decref(api);
    return p == PROBLEM_OK && ch->res == &conversions_resource ? check_definition(c, ch) : p;
}

/* A composed API that is open has its graph. */
static enum problem not_in_use(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    const char *state = row_text(api, "state");

    if (p == PROBLEM_OK && (strcmp(state, "published") == 0 || strcmp(state, "deprecated") == 0)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the API is %s; take it offline first", state);
    }
    json_decref(api);
    return p;
}

/* Without its schema a paged API would not say how it is paged (CI-7.3a). */
static enum problem schema_spared(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);

    p = p == PROBLEM_OK ? lint_exchange(c, api, NULL) : p;
    json_decref(api);
    return p;
}

/* has_schema and has_conversion are members of the API's own entry. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;

    if (!api_changed(ch->old, ch->row, "state") && ch->old) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    if (p == PROBLEM_OK) {
        p = change_feed(c, ch->txn, &apis_resource, api);
    }
    json_decref(api);
    return p;
}

static enum problem feed_member(const json_t *row, const char *member, json_t **data)
{
    *data = NULL;
    if (strcmp(row_text(row, "state"), "active") == 0) {
        *data = json_pack("{s:O}", member, json_object_get(row, member));
    }
    return PROBLEM_OK;
}

static enum problem feed_schema(struct rest_call *c, struct store_txn *txn, const json_t *row,
                                json_t **data)
{
    (void)c;
    (void)txn;
    return feed_member(row, "openapi", data);
}

static enum problem feed_conversion(struct rest_call *c, struct store_txn *txn, const json_t *row,
                                    json_t **data)
{
    (void)c;
    (void)txn;
    return feed_member(row, "definition", data);
}

static enum problem feed_composition(struct rest_call *c, struct store_txn *txn, const json_t *row,
                                     json_t **data)
{
    (void)c;
    (void)txn;
    return feed_member(row, "graph", data);
}

static enum problem check_operations(struct rest_call *c, const char *where, const json_t *v)
{
    return api_check_words(c, where, v, NULL, CONVERT_OPERATIONS_MAX);
}

#define API_ID                                                                                     \
    {                                                                                              \
        "api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"                  \
    }
static const struct attr schema_attrs[] = {
    API_ID,
    {"openapi", ATTR_JSON, AF_REQUIRED, .check = attachment_check_openapi},
};
static const struct attr conversion_attrs[] = {
    API_ID,
    {"definition", ATTR_JSON, 0, .check = attachment_check_definition},
    {"wsdl", ATTR_TEXT, AF_WRITE_ONLY | AF_LINES, 1, ATTACHMENT_WSDL_MAX},
    {"get_operations", ATTR_JSON, AF_WRITE_ONLY, .check = check_operations},
};
static const struct attr composition_attrs[] = {
    API_ID,
    {"graph", ATTR_JSON, AF_REQUIRED, .check = attachment_check_graph},
};

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"active", "remove", "removed", KEEPER},
};
static const struct transition schema_transitions[] = {
    {"active", "remove", "removed", KEEPER, .hook = schema_spared},
};
static const struct transition composition_transitions[] = {
    {"active", "remove", "removed", KEEPER, .hook = not_in_use},
};

/* Whoever may call an API may read what its calls are checked against; how it is made is not
 * theirs. */
#define OWN_API  "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
#define OPEN_API "t.api_id IN (SELECT id FROM apis WHERE state IN ('published', 'deprecated'))"
static const struct scope open_scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OPEN_API " OR " OWN_API, OWN_API},
    {ROLE_DEVELOPER, BIND_ORGANISATION, OPEN_API, "1 = 0"},
};
static const struct scope own_scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, OWN_API},
};

#define ATTACHMENT(attrs_, scopes_, transitions_)                                                  \
    .initial = "active", .attrs = (attrs_), .n_attrs = COUNT(attrs_),                              \
    .transitions = (transitions_), .n_transitions = COUNT(transitions_), .scopes = (scopes_),      \
    .n_scopes = COUNT(scopes_), .create_roles = KEEPER, .patch_roles = KEEPER, .check = check,     \
    .after = after, .feed_id = "api_id", .depth = ATTACHMENT_DEPTH

const struct resource schemas_resource = {
    .plural = "schemas",
    .kind = "schema",
    .read_roles = KEEPER | ROLE_DEVELOPER | ROLE_AUDITOR,
    .feed = feed_schema,
    .feed_kind = "schema",
    ATTACHMENT(schema_attrs, open_scopes, schema_transitions),
};

const struct resource conversions_resource = {
    .plural = "conversions",
    .kind = "conversion",
    .read_roles = KEEPER | ROLE_AUDITOR,
    .feed = feed_conversion,
    .feed_kind = "conversion",
    ATTACHMENT(conversion_attrs, own_scopes, transitions),
};

const struct resource compositions_resource = {
    .plural = "compositions",
    .kind = "composition",
    .read_roles = KEEPER | ROLE_AUDITOR,
    .feed = feed_composition,
    .feed_kind = "composition",
    ATTACHMENT(composition_attrs, own_scopes, composition_transitions),
};
