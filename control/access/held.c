/* SPDX-License-Identifier: Apache-2.0 */
/* What reaches a user: grants to the person, the organisation, the department and those above it,
 * groups, roles, the post, and ranks up to their own. */
#include <stdio.h>
#include <stdlib.h>

#include "access/access.h"
#include "api/api.h"

/* A user's holders, but the rank; binds the user's id seven times. Inactive units hold nothing. */
#define HOLDERS                                                                                    \
    "WITH RECURSIVE up (id, parent_id) AS (SELECT d.id, d.parent_id FROM departments d JOIN "      \
    "users "                                                                                       \
    "u ON u.department_id = d.id WHERE u.id = ? AND d.state = 'active' UNION SELECT d.id, "        \
    "d.parent_id FROM departments d JOIN up ON d.id = up.parent_id WHERE d.state = 'active'), "    \
    "holders (kind, id) AS (SELECT 'person', u.id FROM users u WHERE u.id = ? "                    \
    "UNION ALL SELECT 'organisation', u.organisation_id FROM users u WHERE u.id = ? "              \
    "UNION ALL SELECT 'department', up.id FROM up "                                                \
    "UNION ALL SELECT 'group', m.group_id FROM group_members m JOIN groups g ON g.id = "           \
    "m.group_id WHERE m.user_id = ? AND m.state = 'active' AND g.state = 'active' "                \
    "UNION ALL SELECT 'role', m.role_id FROM role_members m JOIN roles r ON r.id = m.role_id "     \
    "WHERE m.user_id = ? AND m.state = 'active' AND r.state = 'active' "                           \
    "UNION ALL SELECT 'post', u.post_id FROM users u JOIN posts p ON p.id = u.post_id WHERE u.id " \
    "= ? AND p.state = 'active') "
#define HOLDERS_BINDS 6

void access_held_free(struct access_held **held)
{
    if (*held) {
        free((*held)->functions);
        free((*held)->data);
        free((*held)->departments);
        json_decref((*held)->lists);
        free(*held);
        *held = NULL;
    }
}

static void copy(char *out, size_t room, const char *from)
{
    snprintf(out, room, "%s", from ? from : "");
}

static enum access_reach reach_of(const char *word)
{
    for (size_t i = 0; access_reaches[i]; i++) {
        if (word && strcmp(access_reaches[i], word) == 0) {
            return (enum access_reach)i;
        }
    }
    return REACH_OWN;
}

static struct access_function *add_function(struct access_held *held)
{
    struct access_function *more = realloc(held->functions, (held->n_functions + 1) * sizeof *more);

    if (!more) {
        return NULL;
    }
    held->functions = more;
    more += held->n_functions++;
    *more = (struct access_function){0};
    return more;
}

static struct access_data *add_data(struct access_held *held)
{
    struct access_data *more = realloc(held->data, (held->n_data + 1) * sizeof *more);

    if (!more) {
        return NULL;
    }
    held->data = more;
    more += held->n_data++;
    *more = (struct access_data){0};
    return more;
}

/* Grants ---------------------------------------------------------------------------------------
 */
typedef bool (*row_reader)(struct access_held *held, struct store_rows *rows);

static bool read_function(struct access_held *held, struct store_rows *rows)
{
    struct access_function *f = add_function(held);

    if (!f) {
        return false;
    }
    copy(f->id, sizeof f->id, store_get_text(rows, 0));
    copy(f->holder, sizeof f->holder, store_get_text(rows, 1));
    f->deny = strcmp(store_get_text(rows, 2), "deny") == 0;
    copy(f->operation, sizeof f->operation, store_get_text(rows, 3));
    copy(f->app, sizeof f->app, store_get_text(rows, 4));
    f->reach = reach_of(store_get_text(rows, 5));
    return true;
}

static bool read_data(struct access_held *held, struct store_rows *rows)
{
    struct access_data *d = add_data(held);

    if (!d) {
        return false;
    }
    copy(d->id, sizeof d->id, store_get_text(rows, 0));
    copy(d->holder, sizeof d->holder, store_get_text(rows, 1));
    d->deny = strcmp(store_get_text(rows, 2), "deny") == 0;
    copy(d->api, sizeof d->api, store_get_text(rows, 3));
    copy(d->dataset, sizeof d->dataset, store_get_text(rows, 4));
    d->max_level = (int)store_get_int(rows, 5);
    return true;
}

/* A role's operations and, when it is bound to services, its APIs. */
static bool read_role(struct access_held *held, struct store_rows *rows)
{
    json_t *operations = json_loads(store_get_text(rows, 1), 0, NULL), *v;
    const char *services = store_is_null(rows, 3) ? NULL : store_get_text(rows, 3);
    json_t *apis = services ? json_loads(services, 0, NULL) : NULL;
    bool ok = true;
    size_t i;

    json_array_foreach(operations, i, v)
    {
        struct access_function *f = add_function(held);
        ok = ok && f;
        if (f) {
            copy(f->id, sizeof f->id, store_get_text(rows, 0));
            copy(f->holder, sizeof f->holder, "role");
            copy(f->operation, sizeof f->operation, json_string_value(v));
            f->reach = reach_of(store_get_text(rows, 2));
        }
    }
    json_array_foreach(apis, i, v)
    {
        struct access_data *d = add_data(held);
        ok = ok && d;
        if (d) {
            copy(d->id, sizeof d->id, store_get_text(rows, 0));
            copy(d->holder, sizeof d->holder, "role");
            copy(d->api, sizeof d->api, json_string_value(v));
        }
    }
    json_decref(operations);
    json_decref(apis);
    return ok;
}

static enum problem read_all(struct rest_call *c, struct store_txn *txn, const char *sql,
                             const char *user_id, size_t binds, struct access_held *held,
                             row_reader read)
{
    struct store_value v[HOLDERS_BINDS + 1];
    struct store_rows *rows = NULL;
    bool ok = true;

    for (size_t i = 0; i < binds; i++) {
        v[i] = store_text(user_id);
    }
    enum store_err err = store_query(txn, sql, v, binds, &rows);
    while (err == STORE_OK && ok && store_next(rows)) {
        ok = read(held, rows);
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    return p == PROBLEM_OK && !ok ? PROBLEM_INTERNAL : p;
}

static enum problem read_departments(struct rest_call *c, struct store_txn *txn,
                                     const char *user_id, struct access_held *held)
{
    static const char sql[] =
        "WITH RECURSIVE down (id) AS (SELECT u.department_id FROM users u WHERE u.id = ? AND "
        "u.department_id IS NOT NULL UNION SELECT d.id FROM departments d JOIN down ON "
        "d.parent_id = down.id) SELECT id FROM down";
    const struct store_value v = store_text(user_id);
    struct store_rows *rows = NULL;
    struct buf ids;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    buf_init(&ids);
    while (err == STORE_OK && store_next(rows)) {
        buf_addf(&ids, "%s ", store_get_text(rows, 0));
    }
    buf_addc(&ids, '\0');
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    held->departments = ids.failed ? NULL : strdup(ids.p);
    buf_fini(&ids);
    return p == PROBLEM_OK && !held->departments ? PROBLEM_INTERNAL : p;
}

static enum problem any_at_all(struct rest_call *c, struct store_txn *txn, const char *user_id,
                               bool *any, bool *bound)
{
    const struct store_value v = store_text(user_id);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn,
        "SELECT EXISTS (SELECT 1 FROM function_grants) OR EXISTS (SELECT 1 FROM data_grants) OR "
        "EXISTS (SELECT 1 FROM role_members), u.interfaces FROM users u WHERE u.id = ?",
        &v, 1, &rows);

    *any = *bound = false;
    if (err == STORE_OK && store_next(rows)) {
        const char *interfaces = store_get_text(rows, 1);
        *any = store_get_int(rows, 0) != 0;
        *bound = interfaces && strcmp(interfaces, "granted") == 0;
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

/* CROSS JOIN: from the few holders to their grants by the index, never the other way round. */
static enum problem read_held(struct rest_call *c, struct store_txn *txn, const char *user_id,
                              struct access_held *held)
{
    static const char roles[] =
        "SELECT r.id, r.operations, r.reach, r.apis FROM role_members m JOIN roles r ON r.id = "
        "m.role_id WHERE m.user_id = ? AND m.state = 'active' AND r.state = 'active'";
    static const char functions[] =
        HOLDERS "SELECT g.id, g.holder_kind, g.effect, g.operation, g.app_id, g.reach FROM holders "
                "h CROSS JOIN function_grants g WHERE g.holder_kind = h.kind AND g.holder_id = "
                "h.id AND g.state = 'active' UNION ALL SELECT g.id, g.holder_kind, g.effect, "
                "g.operation, g.app_id, g.reach FROM users u JOIN function_grants g ON "
                "g.holder_kind = 'rank' AND g.rank <= u.rank WHERE u.id = ? AND g.state = 'active'";
    static const char data[] =
        HOLDERS "SELECT g.id, g.holder_kind, g.effect, g.api_id, g.dataset_id, coalesce("
                "g.max_level, 0) FROM holders h CROSS JOIN data_grants g WHERE g.holder_kind = "
                "h.kind AND g.holder_id = h.id AND g.state = 'active' UNION ALL SELECT g.id, "
                "g.holder_kind, g.effect, g.api_id, g.dataset_id, coalesce(g.max_level, 0) FROM "
                "users u JOIN data_grants g ON g.holder_kind = 'rank' AND g.rank <= u.rank WHERE "
                "u.id = ? AND g.state = 'active'";
    enum problem p = read_all(c, txn, roles, user_id, 1, held, read_role);

    if (p == PROBLEM_OK) {
        p = read_all(c, txn, functions, user_id, HOLDERS_BINDS + 1, held, read_function);
    }
    if (p == PROBLEM_OK) {
        p = read_all(c, txn, data, user_id, HOLDERS_BINDS + 1, held, read_data);
    }
    return p == PROBLEM_OK && held->n_functions ? read_departments(c, txn, user_id, held) : p;
}

enum problem access_load(struct rest_call *c, struct store_txn *txn, const char *user_id,
                         struct access_held **held)
{
    bool any = false, bound = false;
    enum problem p = any_at_all(c, txn, user_id, &any, &bound);

    *held = NULL;
    if (p != PROBLEM_OK || (!any && !bound)) {
        return p;
    }
    *held = calloc(1, sizeof **held);
    p = *held ? read_held(c, txn, user_id, *held) : PROBLEM_INTERNAL;
    if (*held) {
        (*held)->bound = bound;
    }
    if (*held && (p != PROBLEM_OK || (!(*held)->n_functions && !(*held)->n_data && !bound))) {
        access_held_free(held);
    }
    return p;
}

void access_caller(const struct rest_call *c, struct access_who *who)
{
    *who = (struct access_who){.roles = c->user.role,
                               .duty = (enum access_duty)c->user.duty,
                               .parties = c->user.parties,
                               .held = c->held};
}

uint8_t access_parties(const char *words)
{
    static const struct {
        const char *word;
        enum access_party bit;
    } parties[] = {{"data-provider", PARTY_PROVIDER},
                   {"data-user", PARTY_USER},
                   {"credit-scenario", PARTY_SCENARIO}};
    json_t *list = words ? json_loads(words, 0, NULL) : NULL, *v;
    unsigned bits = 0;
    size_t i;

    json_array_foreach(list, i, v)
    {
        for (size_t k = 0; k < COUNT(parties); k++) {
            bits |= strcmp(parties[k].word, json_string_value(v)) == 0 ? parties[k].bit : 0u;
        }
    }
    json_decref(list);
    return (uint8_t)bits;
}

/* Without separation the one administrator and the operators do all three. */
enum access_duty access_duty_of(const char *role, bool separation)
{
    static const struct {
        const char *role;
        enum access_duty duty;
    } named[] = {
        {"system-admin", DUTY_SYSTEM}, {"security-admin", DUTY_SECURITY}, {"auditor", DUTY_AUDIT}};

    for (size_t i = 0; i < COUNT(named); i++) {
        if (strcmp(named[i].role, role) == 0) {
            return named[i].duty;
        }
    }
    return separation && (rest_role_by_name(role) & ROLE_STAFF) ? DUTY_SYSTEM : DUTY_NONE;
}

bool access_separation(struct store_txn *txn)
{
    struct store_rows *rows = NULL;
    bool on = false;

    if (store_query(txn, "SELECT value FROM identity_settings WHERE name = 'separation'", NULL, 0,
                    &rows) == STORE_OK) {
        on = store_next(rows) && strcmp(store_get_text(rows, 0), "on") == 0;
        on = store_rows_end(&rows) == STORE_OK && on;
    }
    return on;
}
