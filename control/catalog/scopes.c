/* SPDX-License-Identifier: Apache-2.0 */
/* Opening scopes (SW-8.2a1-1): which data is to be opened at all, on what ground and until when;
 * asked for by one and agreed to by another. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "catalog/opening.h"
#include "services/services.h"

#define LISTED_MAX 500 /* entries outside every scope that are named */

static const struct attr attrs[] = {
    {"title", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"basis", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, REST_TEXT_MAX},
    {"organisation_id", ATTR_REF, AF_FILTER, .ref = "organisations"},
    {"domain_id", ATTR_REF, AF_FILTER, .ref = "service_domains"},
    {"node_id", ATTR_REF, AF_FILTER, .ref = "catalog_nodes"},
    {"department", ATTR_TEXT, AF_FILTER, 0, 200},
    {"entry_ids", ATTR_JSON, 0, .check = service_check_ids},
    {"not_before", ATTR_TIME, AF_SORT},
    {"expires_at", ATTR_TIME, AF_SORT},
    {"submitted_by", ATTR_TEXT, AF_READ_ONLY},
    {"submitted_at", ATTR_TIME, AF_READ_ONLY},
    {"approved_by", ATTR_TEXT, AF_READ_ONLY},
    {"approved_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    static const char *const bounds[] = {"organisation_id", "domain_id", "node_id", "department"};
    bool bounded = json_array_size(json_object_get(ch->row, "entry_ids")) > 0;

    if (!ch->old && c->user.role == ROLE_PROVIDER && !row_text(ch->row, "organisation_id")[0]) {
        json_object_set_new(ch->row, "organisation_id", json_string(c->user.organisation));
        bounded = true;
    }
    for (size_t i = 0; i < COUNT(bounds); i++) {
        bounded = bounded || row_text(ch->row, bounds[i])[0];
    }
    if (ch->old && strcmp(row_text(ch->old, "state"), "draft") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                         "what was submitted stays; return it, or make another scope");
    }
    return bounded ? api_check_validity(c, ch->row)
                   : rest_fail(c, PROBLEM_FIELD_INVALID, "/entry_ids",
                               "a scope names an organisation, a domain, a node, a department or "
                               "entries");
}

static enum problem submit(struct rest_call *c, struct change *ch)
{
    stage_sign(c, ch->row, "submitted");
    return PROBLEM_OK;
}

static enum problem approve(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "submitted_by"), c->user.login) == 0) {
        return PROBLEM_SELF_APPROVAL;
    }
    stage_sign(c, ch->row, "approved");
    return PROBLEM_OK;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"draft", "submit", "submitted", KEEPER, .hook = submit},
    {"submitted", "approve", "approved", ROLE_STAFF, .hook = approve},
    {"submitted", "return", "draft", ROLE_STAFF, .body_text = "comment"},
    {"draft|submitted|approved", "end", "ended", ROLE_STAFF, .body_text = "comment"},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ? OR t.state = 'approved'",
     "t.organisation_id = ?"},
};

const struct resource opening_scopes_resource = {
    .plural = "opening_scopes",
    .kind = "opening-scope",
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

/* Every bound that a scope names must hold; entries that it names need nothing else. A node covers
 * what stands below it. */
#define BELOW                                                                                      \
    "EXISTS (WITH RECURSIVE up (id) AS (SELECT value FROM json_each(json_array(e.theme_id, "       \
    "e.category_id, e.application_id)) WHERE value IS NOT NULL UNION SELECT value FROM "           \
    "json_each(ifnull(e.node_ids, '[]')) UNION SELECT n.parent_id FROM catalog_nodes n JOIN up u " \
    "ON n.id = u.id WHERE n.parent_id IS NOT NULL) SELECT 1 FROM up WHERE up.id = s.node_id)"
#define COVERS                                                                                     \
    "(CASE WHEN json_array_length(ifnull(s.entry_ids, '[]')) > 0 THEN EXISTS (SELECT 1 FROM "      \
    "json_each(s.entry_ids) j WHERE j.value = e.id) ELSE 1 END AND (s.organisation_id IS NULL OR " \
    "s.organisation_id = e.organisation_id) AND (s.domain_id IS NULL OR s.domain_id = "            \
    "e.domain_id) AND (ifnull(s.department, '') = '' OR s.department = e.department) AND "         \
    "(s.node_id IS NULL OR " BELOW "))"

enum problem scope_covers(struct rest_call *c, struct store_txn *txn, const json_t *entry,
                          char *title, size_t cap)
{
    static const char sql[] =
        "WITH e AS (SELECT ?1 AS id, nullif(?2, '') AS organisation_id, nullif(?3, '') AS "
        "domain_id, nullif(?4, '') AS theme_id, nullif(?5, '') AS category_id, nullif(?6, '') AS "
        "application_id, ?7 AS node_ids, ?8 AS department) SELECT s.title FROM opening_scopes s, e "
        "WHERE s.state = 'approved' AND ifnull(s.not_before, 0) <= ?9 AND (s.expires_at IS NULL OR "
        "s.expires_at > ?9) AND " COVERS " ORDER BY s.created_at LIMIT 1";
    static const char *const members[] = {"id",       "organisation_id", "domain_id",
                                          "theme_id", "category_id",     "application_id"};
    struct store_value v[COUNT(members) + 3];
    char *nodes = json_dumps(json_object_get(entry, "node_ids"), JSON_COMPACT);
    json_t *rows = NULL;

    for (size_t i = 0; i < COUNT(members); i++) {
        v[i] = store_text(row_text(entry, members[i]));
    }
    v[6] = store_text(nodes && nodes[0] == '[' ? nodes : "[]");
    v[7] = store_text(row_text(entry, "department"));
    v[8] = store_int((int64_t)c->now_ms);
    enum problem p = services_rows(c, txn, sql, v, COUNT(v), "title:t", &rows);
    snprintf(title, cap, "%s", row_text(json_array_get(rows, 0), "title"));
    json_decref(rows);
    free(nodes);
    return p;
}

enum problem scope_check_listing(struct rest_call *c, struct store_txn *txn, const json_t *entry)
{
    char title[8];
    bool on = false;
    enum problem p = catalog_setting_on(c, txn, "scope-required", &on);

    if (p != PROBLEM_OK || !on) {
        return p;
    }
    p = scope_covers(c, txn, entry, title, sizeof title);
    return p == PROBLEM_OK && !title[0] ? rest_fail(c, PROBLEM_STATE_CONFLICT, "/decision",
                                                    "no approved opening scope covers it")
                                        : p;
}

enum problem scope_uncovered(struct rest_call *c, struct store_txn *txn, json_t **out)
{
    static const char sql[] =
        "SELECT e.id, e.name, e.department FROM entries e WHERE e.decision = 'open' AND e.state IN "
        "('published', 'deprecated') AND NOT EXISTS (SELECT 1 FROM opening_scopes s WHERE s.state "
        "= 'approved' AND ifnull(s.not_before, 0) <= ?1 AND (s.expires_at IS NULL OR s.expires_at "
        "> ?1) AND " COVERS ") ORDER BY e.created_at DESC LIMIT ?2";
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_int(LISTED_MAX)};

    return services_rows(c, txn, sql, v, 2, "entry_id:t name:t department:t", out);
}
