/* SPDX-License-Identifier: Apache-2.0 */
/* An enterprise's own exchange space (专属交换空间): an area for what it uses, a store in the open
 * zone, and one for what it reports, a store in the landing zone, each under a policy of its own.
 * Nobody else's organisation sees either. */
#include <stdio.h>

#include "api/api.h"
#include "exchange/exchange.h"

static enum problem policy_check(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"max_level", "note", NULL};
    json_t *level = json_object_get(v, "max_level");

    return json_is_object(v) && api_only_members(v, members) &&
                   (!level || api_int_within(level, 1, 3))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "{max_level 1..3, note}");
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"use_source_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE, .ref = "sources"},
    {"report_source_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE, .ref = "sources"},
    {"use_policy", ATTR_JSON, 0, .check = policy_check},
    {"report_policy", ATTR_JSON, 0, .check = policy_check},
};

static enum problem check_area(struct rest_call *c, struct change *ch, const char *member,
                               const char *zone)
{
    json_t *source = NULL;
    char where[40];
    enum problem p = api_load(c, ch->txn, &sources_resource, row_text(ch->row, member), &source);

    snprintf(where, sizeof where, "/%s", member);
    if (p == PROBLEM_OK &&
        (strcmp(row_text(source, "zone"), zone) != 0 ||
         strcmp(row_text(source, "organisation_id"), row_text(ch->row, "organisation_id")) != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where,
                      "a store of the enterprise's own in the zone %s is needed", zone);
    }
    json_decref(source);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    enum problem p = check_area(c, ch, "use_source_id", "open");

    return p == PROBLEM_OK ? check_area(c, ch, "report_source_id", "landing") : p;
}

static const struct transition transitions[] = {
    {"active", "close", "closed", ROLE_STAFF},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER, BIND_ORGANISATION, EXCHANGE_OWN, "1 = 0"},
};

const struct resource exchange_spaces_resource = {
    .plural = "exchange_spaces",
    .kind = "exchange-space",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER | ROLE_DEVELOPER,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
};

/* What has been opened to the enterprise: the transfers into its open zone, the newest first, with
 * the APIs that serve them. */
static enum problem opened(struct rest_call *c, struct store_txn *txn, const json_t *space,
                           json_t *items)
{
    static const char sql[] =
        "SELECT t.id, t.target_table, t.ended_at, t.accepted, t.sm3, t.columns, a.id, a.path, "
        "a.state FROM transfers t LEFT JOIN datasets d ON d.source_id = t.target_id AND "
        "d.\"table\" "
        "= t.target_table LEFT JOIN apis a ON a.dataset_id = d.id WHERE t.target_id = ? AND "
        "t.state = 'succeeded' ORDER BY t.ended_at DESC LIMIT 200";
    const struct store_value v = store_text(row_text(space, "use_source_id"));
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_t *columns =
            json_loads(store_get_text(rows, 5) ? store_get_text(rows, 5) : "[]", 0, NULL);
        json_array_append_new(
            items, json_pack("{s:s, s:s, s:o, s:I, s:s?, s:o?, s:s?, s:s?, s:s?}", "transfer_id",
                             store_get_text(rows, 0), "table", store_get_text(rows, 1), "at",
                             exchange_time((uint64_t)store_get_int(rows, 2)), "rows",
                             (json_int_t)store_get_int(rows, 3), "sm3", store_get_text(rows, 4),
                             "columns", columns, "api_id", store_get_text(rows, 6), "path",
                             store_get_text(rows, 7), "api_state", store_get_text(rows, 8)));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem exchange_zone(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *space = NULL, *items = json_array();
    struct uuid id;
    enum problem p = uuid_parse(&id, c->segment[1], strlen(c->segment[1]))
                         ? rest_begin(c, STORE_READ, &txn)
                         : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK) {
        p = row_load(c, txn, &exchange_spaces_resource, c->segment[1], true, &space);
        p = p == PROBLEM_OK && !space ? PROBLEM_NOT_FOUND : p;
        if (p == PROBLEM_OK) {
            p = opened(c, txn, space, items);
        }
        store_rollback(&txn);
    }
    json_decref(space);
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}

/* What others may do with it: nothing -------------------------------------------------------------
 */
static enum problem owner_of(struct rest_call *c, struct store_txn *txn, const char *dataset_id,
                             char owner[static UUID_TEXT_LEN + 1], bool *reports)
{
    static const char sql[] =
        "SELECT s.organisation_id, d.source_id = s.report_source_id FROM exchange_spaces s JOIN "
        "datasets d ON d.source_id IN (s.use_source_id, s.report_source_id) WHERE d.id = ?";
    const struct store_value v = store_text(dataset_id);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    owner[0] = '\0';
    *reports = false;
    if (err == STORE_OK && store_next(rows)) {
        snprintf(owner, UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
        *reports = store_get_int(rows, 1) != 0;
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem space_check_api(struct rest_call *c, struct change *ch)
{
    bool submission = strcmp(row_text(ch->row, "profile"), "submission") == 0, reports = false;
    char owner[UUID_TEXT_LEN + 1] = "";
    enum problem p = PROBLEM_OK;

    if (row_text(ch->row, "dataset_id")[0]) {
        p = owner_of(c, ch->txn, row_text(ch->row, "dataset_id"), owner, &reports);
    }
    if (p == PROBLEM_OK && submission && !reports) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/dataset_id",
                         "one reports into the reporting area of an exchange space");
    }
    if (p == PROBLEM_OK && submission &&
        (strcmp(row_text(ch->row, "class"), "A2") != 0 ||
         strcmp(row_text(ch->row, "seal_request"), "required") != 0)) {
        return rest_fail(
            c, PROBLEM_FIELD_INVALID, "/seal_request",
            "what is reported comes signed and sealed: class A2, seal_request required");
    }
    if (p == PROBLEM_OK && reports && !submission) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/profile",
                         "the reporting area takes reports, nothing is read from it");
    }
    if (p == PROBLEM_OK && owner[0] &&
        (strcmp(row_text(ch->row, "access"), "subscription") != 0 ||
         json_is_true(json_object_get(ch->row, "owner_scoped")))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/access",
                         "what lies in an exchange space is for its enterprise's subscriptions");
    }
    return p;
}

enum problem space_check_subscription(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL, *app = NULL;
    char owner[UUID_TEXT_LEN + 1] = "";
    bool reports;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);

    if (p == PROBLEM_OK && row_text(api, "dataset_id")[0]) {
        p = owner_of(c, ch->txn, row_text(api, "dataset_id"), owner, &reports);
    }
    if (p == PROBLEM_OK && owner[0]) {
        p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    }
    if (p == PROBLEM_OK && owner[0] && strcmp(row_text(app, "organisation_id"), owner) != 0) {
        p = rest_fail(c, PROBLEM_NOT_PERMITTED, "/api_id", "it is in another enterprise's space");
    }
    json_decref(api);
    json_decref(app);
    return p;
}

/* The most that the use area takes; 3 where the store is in nobody's space. */
enum problem space_max_level(struct rest_call *c, struct store_txn *txn, const char *source_id,
                             json_int_t *level)
{
    static const char sql[] = "SELECT use_policy FROM exchange_spaces WHERE use_source_id = ? AND "
                              "state = 'active'";
    const struct store_value v = store_text(source_id);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);
    const char *text = err == STORE_OK && store_next(rows) ? store_get_text(rows, 0) : NULL;
    json_t *policy = text ? json_loads(text, 0, NULL) : NULL;
    json_int_t most = json_integer_value(json_object_get(policy, "max_level"));

    *level = most ? most : 3;
    json_decref(policy);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem space_uses(struct rest_call *c, struct store_txn *txn, const char *source_id,
                        bool *uses)
{
    static const char sql[] = "SELECT 1 FROM exchange_spaces WHERE use_source_id = ? AND state = "
                              "'active'";
    const struct store_value v = store_text(source_id);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    *uses = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}
