/* SPDX-License-Identifier: Apache-2.0 */
/* How long credentials of a class live; one row a class, made with the store. */
#include "api/credentials.h"

static const struct attr attrs[] = {
    {"class", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"default_days", ATTR_INT, 0, 1, 3650},
    {"max_days", ATTR_INT, 0, 1, 3650},
    {"warn_days", ATTR_INT, 0, 0, 365},
    {"overlap_days", ATTR_INT, 0, 0, 365},
};

static json_int_t number(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    static const char *const needed[] = {"default_days", "max_days", "warn_days", "overlap_days"};

    for (size_t i = 0; i < COUNT(needed); i++) {
        if (!json_is_integer(json_object_get(ch->row, needed[i]))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "", "%s is a number of days", needed[i]);
        }
    }
    if (number(ch->row, "default_days") > number(ch->row, "max_days")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/default_days", "more than max_days");
    }
    return PROBLEM_OK;
}

const struct resource credential_policies_resource = {
    .plural = "credential_policies",
    .kind = "credential_policy",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_ALL,
    .patch_roles = ROLE_ADMIN,
    .check = check,
};

enum problem credential_policy_load(struct rest_call *c, struct store_txn *txn, const char *class,
                                    struct credential_policy *policy)
{
    static const char sql[] =
        "SELECT default_days, max_days, overlap_days FROM credential_policies WHERE class = ?";
    const struct store_value v = store_text(class);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);
    bool there = err == STORE_OK && store_next(rows);

    if (there) {
        *policy = (struct credential_policy){store_get_int(rows, 0), store_get_int(rows, 1),
                                             store_get_int(rows, 2)};
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    return p == PROBLEM_OK && !there ? PROBLEM_INTERNAL : p;
}

enum problem credential_class(struct rest_call *c, struct store_txn *txn, const char *app_id,
                              const char *given, const char **class)
{
    static const char sql[] = "SELECT 1 FROM subscriptions s JOIN apis a ON a.id = s.api_id WHERE "
                              "s.app_id = ? AND s.state = 'approved' AND a.class = 'A2' LIMIT 1";
    const struct store_value v = store_text(app_id);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);
    bool high = err == STORE_OK && store_next(rows);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    *class = high || strcmp(given, "A2") == 0 ? "A2" : "A1";
    return p == PROBLEM_OK && high && strcmp(given, "A1") == 0
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/class",
                           "the app calls A2 interfaces, and what opens them is of class A2")
               : p;
}
