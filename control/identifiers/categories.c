/* SPDX-License-Identifier: Apache-2.0 */
/* The institution's own service categories, in two levels, numbered in order (BK-B.3.5). */
#include <stdio.h>

#include "api/api.h"
#include "identifiers/identifiers.h"

#define FIRST_MAX  99
#define SECOND_MAX 9999

static const struct attr attrs[] = {
    {"code", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"parent_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "service_categories"},
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 100},
    {"name_en", ATTR_TEXT, 0, 1, 100},
    {"description", ATTR_TEXT, AF_LINES, 1, 1000},
    {"fixed", ATTR_BOOL, AF_READ_ONLY},
};

/* The parent of a second-level one; *code "": the category is of the first level. */
static enum problem parent_code(struct rest_call *c, struct change *ch, char code[static 3])
{
    const char *id = row_text(ch->row, "parent_id");
    json_t *parent = NULL;

    code[0] = '\0';
    if (!id[0]) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &service_categories_resource, id, &parent);
    if (p == PROBLEM_OK && row_text(parent, "parent_id")[0]) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/parent_id",
                      "a category of the first level is needed: there are two levels");
    }
    if (p == PROBLEM_OK && strcmp(row_text(parent, "state"), "active") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/parent_id", "the category is retired");
    }
    snprintf(code, 3, "%.2s", row_text(parent, "code"));
    json_decref(parent);
    return p;
}

/* Numbers are never given back: what was retired keeps its own. */
static enum problem highest(struct rest_call *c, struct store_txn *txn, const char *parent,
                            int64_t *last)
{
    static const char first[] =
        "SELECT coalesce(max(CAST(code AS INTEGER)), 0) FROM service_categories WHERE parent_id IS "
        "NULL";
    static const char second[] =
        "SELECT coalesce(max(CAST(substr(code, 3) AS INTEGER)), 0) FROM service_categories WHERE "
        "parent_id IS NOT NULL AND substr(code, 1, 2) = ?";
    const struct store_value v = store_text(parent);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, parent[0] ? second : first, &v, parent[0] ? 1 : 0, &rows);

    *last = err == STORE_OK && store_next(rows) ? store_get_int(rows, 0) : 0;
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem number(struct rest_call *c, struct change *ch)
{
    char parent[3], code[16];
    int64_t last = 0;
    enum problem p = parent_code(c, ch, parent);

    if (p == PROBLEM_OK) {
        p = highest(c, ch->txn, parent, &last);
    }
    if (p == PROBLEM_OK && last >= (parent[0] ? SECOND_MAX : FIRST_MAX)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "all %d numbers are taken",
                      parent[0] ? SECOND_MAX : FIRST_MAX);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    snprintf(code, sizeof code, parent[0] ? "%s%04d" : "%s%02d", parent, (int)last + 1);
    json_object_set_new(ch->row, "code", json_string(code));
    json_object_set_new(ch->row, "fixed", json_false());
    return PROBLEM_OK;
}

static enum problem refuse_fixed(struct rest_call *c, struct change *ch)
{
    return json_is_true(json_object_get(ch->row, "fixed"))
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                           "the standard gives this category: it stays as it is")
               : PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    return ch->old ? refuse_fixed(c, ch) : number(c, ch);
}

static const struct transition transitions[] = {
    {"active", "retire", "retired", ROLE_STAFF, .hook = refuse_fixed},
    {"retired", "restore", "active", ROLE_STAFF},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER | ROLE_OWNER, BIND_ORGANISATION, "1 = 1", "1 = 0"},
};

const struct resource service_categories_resource = {
    .plural = "service_categories",
    .kind = "service-category",
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
};
