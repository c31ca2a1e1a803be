/* SPDX-License-Identifier: Apache-2.0 */
/* What the nodes are told of a user: the only APIs that calls with a token of theirs may reach, or
 * those that they may not. Worked out by access_decide() when something that reaches the user
 * changes, so that a node answers from one record and the rules have one place. */
#include <stdio.h>
#include <stdlib.h>

#include "access/access.h"
#include "api/api.h"

#define FEED_KIND "user-apis"

static int level_of(const json_t *fields)
{
    json_t *field;
    int level = 0;
    size_t i;

    json_array_foreach(fields, i, field)
    {
        int one = (int)json_integer_value(json_object_get(field, "level"));
        level = one > level ? one : level;
    }
    return level;
}

/* The user as the decision sees them; held is the caller's to free. */
static enum problem load_who(struct rest_call *c, struct store_txn *txn, const char *user_id,
                             struct access_who *who, struct access_held **held)
{
    json_t *user = NULL;
    enum problem p = api_load(c, txn, &users_resource, user_id, &user);

    *who = (struct access_who){.roles = rest_role_by_name(row_text(user, "role"))};
    json_decref(user);
    if (p == PROBLEM_OK) {
        p = access_load(c, txn, user_id, held);
    }
    who->held = *held;
    return p;
}

struct judged {
    const struct access_who *who;
    bool only; /* collect what is allowed, else what is not */
    json_t *apis;
};

static enum problem judge_api(struct rest_call *c, struct change *ch)
{
    const struct judged *j = ch->arg;
    const struct access_question q = {.operation = "apis.call",
                                      .api_id = row_text(ch->row, "id"),
                                      .dataset_id = row_text(ch->row, "dataset_id"),
                                      .level = level_of(json_object_get(ch->row, "fields"))};
    struct access_verdict v;
    json_t *id = json_object_get(ch->row, "id"), *seen;
    size_t i;

    (void)c;
    access_decide(j->who, &q, &v);
    if (v.allowed != j->only) {
        return PROBLEM_OK;
    }
    json_array_foreach(j->apis, i, seen)
    {
        if (json_equal(seen, id)) {
            return PROBLEM_OK;
        }
    }
    json_array_append(j->apis, id);
    return PROBLEM_OK;
}

/* Looks at the APIs that the user's data grants name, and no others: what none names is as the mode
 * says. *data NULL: nothing bounds the user. */
static enum problem work_out(struct rest_call *c, struct store_txn *txn,
                             const struct access_who *who, json_t **data)
{
    const struct access_question plain = {.operation = "apis.call"};
    const struct access_held *held = who->held;
    struct access_verdict v;
    enum problem p = PROBLEM_OK;
    struct judged j = {who, held && held->bound, json_array()};

    access_decide(who, &plain, &v);
    for (size_t i = 0; held && i < held->n_data; i++) {
        j.only = j.only || !held->data[i].deny;
    }
    j.only = j.only || !v.allowed;
    for (size_t i = 0; held && v.allowed && i < held->n_data && p == PROBLEM_OK; i++) {
        const struct access_data *d = &held->data[i];
        p = row_each(c, txn, &apis_resource, d->api[0] ? "id" : "dataset_id",
                     d->api[0] ? d->api : d->dataset, judge_api, &j);
    }
    *data = p == PROBLEM_OK && (j.only || json_array_size(j.apis))
                ? json_pack("{s:s, s:O}", "mode", j.only ? "only" : "except", "apis", j.apis)
                : NULL;
    json_decref(j.apis);
    return p;
}

static enum problem told_before(struct rest_call *c, struct store_txn *txn, const char *user_id,
                                char **text)
{
    const struct store_value v = store_text(user_id);
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn, "SELECT data FROM user_interfaces WHERE user_id = ?", &v, 1, &rows);

    *text = NULL;
    if (err == STORE_OK && store_next(rows)) {
        *text = strdup(store_get_text(rows, 0));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem tell(struct rest_call *c, struct store_txn *txn, const char *user_id,
                         const char *text)
{
    const struct store_value v[] = {store_text(user_id), store_text(text)};
    enum store_err err =
        text ? store_exec(txn,
                          "INSERT INTO user_interfaces (user_id, data) VALUES (?, ?) ON CONFLICT "
                          "(user_id) DO UPDATE SET data = excluded.data",
                          v, 2, NULL)
             : store_exec(txn, "DELETE FROM user_interfaces WHERE user_id = ?", v, 1, NULL);

    if (err == STORE_OK) {
        err = log_feed(txn, FEED_KIND, user_id, text, c->ctl->feed_keep);
    }
    c->rang = true;
    return rest_store_problem(c, err);
}

/* An account that was given interfaces stays bound to what it has: losing the last one must not
 * open all of them. Its attribute says so, and an administrator can set it back. */
static enum problem bind_user(struct rest_call *c, struct store_txn *txn, const char *user_id)
{
    json_t *old = NULL;
    enum problem p = api_load(c, txn, &users_resource, user_id, &old);

    if (p == PROBLEM_OK && strcmp(row_text(old, "interfaces"), "granted") != 0) {
        json_t *row = json_deep_copy(old);
        json_object_set_new(row, "interfaces", json_string("granted"));
        p = change_store(c, txn, &users_resource, old, row, "bind");
        json_decref(row);
    }
    json_decref(old);
    return p;
}

static bool given_any(const struct access_held *held)
{
    for (size_t i = 0; held && i < held->n_data; i++) {
        if (!held->data[i].deny) {
            return true;
        }
    }
    return false;
}

static enum problem retell_one(struct rest_call *c, struct store_txn *txn, const char *user_id)
{
    struct access_held *held = NULL;
    struct access_who who;
    json_t *data = NULL;
    char *before = NULL;
    enum problem p = load_who(c, txn, user_id, &who, &held);

    if (p == PROBLEM_OK && given_any(held)) {
        p = bind_user(c, txn, user_id);
    }
    if (p == PROBLEM_OK) {
        p = work_out(c, txn, &who, &data);
    }
    char *now = data ? json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (p == PROBLEM_OK) {
        p = told_before(c, txn, user_id, &before);
    }
    if (p == PROBLEM_OK && (now || before) && (!now || !before || strcmp(now, before) != 0)) {
        p = tell(c, txn, user_id, now);
    }
    free(now);
    free(before);
    json_decref(data);
    access_held_free(&held);
    return p;
}

/* Which users -------------------------------------------------------------------------------------
 */
static const struct {
    const char *kind, *sql;
} reached[] = {
    {"person", "SELECT id FROM users WHERE id = ?"},
    {"organisation", "SELECT id FROM users WHERE organisation_id = ?"},
    {"department", "WITH RECURSIVE down (id) AS (SELECT id FROM departments WHERE id = ? UNION "
                   "SELECT d.id FROM departments d JOIN down ON d.parent_id = down.id) SELECT u.id "
                   "FROM down CROSS JOIN users u WHERE u.department_id = down.id"},
    {"group", "SELECT user_id FROM group_members WHERE group_id = ? AND state = 'active'"},
    {"role", "SELECT user_id FROM role_members WHERE role_id = ? AND state = 'active'"},
    {"post", "SELECT id FROM users WHERE post_id = ?"},
    {"rank", "SELECT id FROM users WHERE rank >= ?"},
};

static enum problem retell_all(struct rest_call *c, struct store_txn *txn, const char *sql,
                               struct store_value v)
{
    struct store_rows *rows = NULL;
    json_t *ids = json_array(), *id;
    size_t i;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    json_array_foreach(ids, i, id)
    {
        p = p == PROBLEM_OK ? retell_one(c, txn, json_string_value(id)) : p;
    }
    json_decref(ids);
    return p;
}

enum problem access_retell(struct rest_call *c, struct store_txn *txn, const char *holder_kind,
                           const char *holder_id, int64_t rank)
{
    bool ranked = strcmp(holder_kind, "rank") == 0;

    for (size_t i = 0; i < COUNT(reached); i++) {
        if (strcmp(reached[i].kind, holder_kind) == 0) {
            return retell_all(c, txn, reached[i].sql,
                              ranked ? store_int(rank) : store_text(holder_id));
        }
    }
    return PROBLEM_OK;
}

/* A grant names the API or its dataset; bounds of level are looked at anew. */
enum problem access_api_changed(struct rest_call *c, struct store_txn *txn, const json_t *api)
{
    static const char sql[] = "SELECT holder_kind, holder_id, coalesce(rank, 0) FROM data_grants "
                              "WHERE api_id = ? AND state = 'active' UNION SELECT holder_kind, "
                              "holder_id, coalesce(rank, 0) FROM data_grants WHERE dataset_id = ? "
                              "AND state = 'active'";
    const struct store_value v[] = {store_text(row_text(api, "id")),
                                    store_text(row_text(api, "dataset_id"))};
    struct store_rows *rows = NULL;
    json_t *holders = json_array(), *h;
    size_t i;
    enum store_err err = store_query(txn, sql, v, 2, &rows);

    while (err == STORE_OK && store_next(rows)) {
        const char *id = store_get_text(rows, 1);
        json_array_append_new(holders,
                              json_pack("{s:s, s:s, s:I}", "kind", store_get_text(rows, 0), "id",
                                        id ? id : "", "rank", (json_int_t)store_get_int(rows, 2)));
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    json_array_foreach(holders, i, h)
    {
        p = p == PROBLEM_OK ? access_retell(c, txn, row_text(h, "kind"), row_text(h, "id"),
                                            json_integer_value(json_object_get(h, "rank")))
                            : p;
    }
    json_decref(holders);
    return p;
}

enum problem access_feed_all(struct rest_call *c, struct store_txn *txn)
{
    struct store_rows *rows = NULL;
    json_t *all = json_object(), *data;
    const char *user_id;
    enum store_err err =
        store_query(txn, "SELECT user_id, data FROM user_interfaces", NULL, 0, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_object_set_new(all, store_get_text(rows, 0), json_string(store_get_text(rows, 1)));
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    json_object_foreach(all, user_id, data)
    {
        err = err == STORE_OK
                  ? log_feed(txn, FEED_KIND, user_id, json_string_value(data), c->ctl->feed_keep)
                  : err;
    }
    json_decref(all);
    return rest_store_problem(c, err);
}
