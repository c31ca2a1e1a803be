/* SPDX-License-Identifier: Apache-2.0 */
/* The four levels by name: how important what is in them is, what damage its loss does, and the
 * protection that nodes give it (EC-3.8, EC-5.2). What the standard demands of a level is the least
 * it gets; a definition may ask for more. */
#include "api/api.h"
#include "classify/classify.h"

static const char *const protections[] = {"open", "grant", "mask", "refuse", NULL};
static const char *const impacts[] = {"none", "slight", "serious", "severe", NULL};
static const char *const importances[] = {"ordinary", "important", "sensitive", "core", NULL};

static const struct attr attrs[] = {
    {"level", ATTR_INT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"name", ATTR_TEXT, AF_REQUIRED, 1, 60},
    {"name_en", ATTR_TEXT, AF_REQUIRED, 1, 60},
    {"importance", ATTR_TEXT, AF_REQUIRED, 1, 20, .values = importances},
    {"damage_impact", ATTR_TEXT, AF_REQUIRED, 1, 20, .values = impacts},
    {"protection", ATTR_TEXT, AF_REQUIRED | AF_FILTER, 1, 10, .values = protections},
    {"description", ATTR_TEXT, AF_LINES, 0, 1000},
};

/* "open" is what level 1 gets, "refuse" what level 4 does. */
static int protection_level(const char *name)
{
    for (int i = 0; protections[i]; i++) {
        if (strcmp(protections[i], name) == 0) {
            return i + 1;
        }
    }
    return 4;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    int level = (int)json_integer_value(json_object_get(ch->row, "level"));

    if (protection_level(row_text(ch->row, "protection")) < level) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/protection", "level %d is given %s at least",
                         level, protections[level - 1]);
    }
    if (level == 4 && strcmp(row_text(ch->row, "damage_impact"), "severe") != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/damage_impact", "that of level 4 is severe");
    }
    return PROBLEM_OK;
}

static enum problem tell(struct rest_call *c, struct change *ch)
{
    return change_feed(c, ch->txn, ch->res, ch->row);
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    static const char *const live[] = {"published", "deprecated", "offline"};
    enum problem p = PROBLEM_OK;

    if (!api_changed(ch->old, ch->row, "protection")) {
        return p;
    }
    for (size_t i = 0; i < COUNT(live) && p == PROBLEM_OK; i++) {
        p = row_each(c, ch->txn, &apis_resource, "state", live[i], tell, NULL);
    }
    return p;
}

const struct resource level_definitions_resource = {
    .plural = "level_definitions",
    .kind = "level-definition",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_ALL,
    .patch_roles = ROLE_ADMIN,
    .check = check,
    .after = after,
};

enum problem classify_served_levels(struct rest_call *c, struct store_txn *txn,
                                    int served[static 5])
{
    struct store_rows *rows = NULL;
    enum problem p = rest_store_problem(
        c, store_query(txn, "SELECT level, protection FROM level_definitions", NULL, 0, &rows));

    for (int i = 0; i < 5; i++) {
        served[i] = i;
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    while (store_next(rows)) {
        int64_t level = store_get_int(rows, 0);
        int given = protection_level(store_get_text(rows, 1));
        if (level >= 1 && level <= 4 && given > level) {
            served[level] = given;
        }
    }
    return rest_store_problem(c, store_rows_end(&rows));
}
