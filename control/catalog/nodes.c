/* SPDX-License-Identifier: Apache-2.0 */
/* What entries are ordered by: trees, one a scheme. Category, theme and application have an
 * attribute of the entry each; any other scheme is one more level, by node_ids. */
#include <ctype.h>
#include <stdio.h>

#include "api/api.h"
#include "catalog/catalog.h"

#define DEPTH_MAX 16

static enum problem check_scheme(struct rest_call *c, const char *where, const json_t *v)
{
    const char *s = json_string_value(v);

    for (; *s; s++) {
        if (!islower((unsigned char)*s) && *s != '-') {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                             "a word of small letters like theme is needed");
        }
    }
    return PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"scheme", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 40,
     .check = check_scheme},
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"name_en", ATTR_TEXT, 0, 0, 200},
    {"code", ATTR_TEXT, AF_FILTER | AF_SORT, 0, 64},
    {"parent_id", ATTR_REF, AF_FILTER, .ref = "catalog_nodes"},
};

/* The way up ends, in the same tree, and does not come by here. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    char at[UUID_TEXT_LEN + 1];
    enum problem p = PROBLEM_OK;
    json_t *node = NULL;
    int depth = 0;

    for (snprintf(at, sizeof at, "%s", row_text(ch->row, "parent_id")); at[0] && p == PROBLEM_OK;) {
        p = api_load(c, ch->txn, &catalog_nodes_resource, at, &node);
        if (p == PROBLEM_OK && strcmp(row_text(node, "scheme"), row_text(ch->row, "scheme")) != 0) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, "/parent_id", "it is of another scheme");
        }
        if (p == PROBLEM_OK && (strcmp(at, row_text(ch->row, "id")) == 0 || ++depth >= DEPTH_MAX)) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, "/parent_id",
                          "a tree is needed, of at most %d levels", DEPTH_MAX);
        }
        snprintf(at, sizeof at, "%s", row_text(node, "parent_id"));
        json_decref(node);
        node = NULL;
    }
    return p;
}

static enum problem reindex(struct rest_call *c, struct store_txn *txn, const char *id)
{
    static const char sql[] =
        "WITH RECURSIVE below (id) AS (VALUES (?) UNION SELECT n.id FROM catalog_nodes n JOIN "
        "below b ON n.parent_id = b.id) SELECT e.id FROM entries e WHERE e.theme_id IN (SELECT id "
        "FROM below) OR e.category_id IN (SELECT id FROM below) OR e.application_id IN (SELECT id "
        "FROM below) OR (e.node_ids IS NOT NULL AND EXISTS (SELECT 1 FROM below b WHERE "
        "e.node_ids LIKE '%' || b.id || '%'))";
    const struct store_value v = store_text(id);
    struct store_rows *rows = NULL;
    json_t *ids = json_array(), *entry = NULL, *item;
    size_t i;
    enum problem p = rest_store_problem(c, store_query(txn, sql, &v, 1, &rows));

    while (p == PROBLEM_OK && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    p = p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
    json_array_foreach(ids, i, item)
    {
        p = p == PROBLEM_OK
                ? row_load(c, txn, &entries_resource, json_string_value(item), false, &entry)
                : p;
        p = p == PROBLEM_OK && entry ? index_entry(c, txn, entry) : p;
        json_decref(entry);
        entry = NULL;
    }
    json_decref(ids);
    return p;
}

/* Entries are found by the names above them. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    bool turned = ch->old && (api_changed(ch->old, ch->row, "name") ||
                              api_changed(ch->old, ch->row, "name_en") ||
                              api_changed(ch->old, ch->row, "parent_id"));

    return turned ? reindex(c, ch->txn, row_text(ch->row, "id")) : PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"active", "retire", "retired", ROLE_STAFF},
    {"retired", "restore", "active", ROLE_STAFF},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER | ROLE_OWNER, BIND_ORGANISATION, "1 = 1", "1 = 0"},
};

const struct resource catalog_nodes_resource = {
    .plural = "catalog_nodes",
    .kind = "catalog-node",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .after = after,
};
