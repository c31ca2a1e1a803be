/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/stage.h"

#include <stdio.h>

#include "api/api.h"
#include "base/clock.h"
#include "notices/notices.h"

json_t *stage_time(uint64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    if (!ms) {
        return json_null();
    }
    clock_format_ms(ms, text);
    return json_string(text);
}

enum problem stage_document(struct rest_call *c, struct store_txn *txn, const char *where,
                            const char *id)
{
    struct uuid parsed;
    json_t *row = NULL;
    enum problem p = PROBLEM_OK;

    if (!uuid_parse(&parsed, id, strlen(id))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "the id of a document is needed");
    }
    p = row_load(c, txn, resource_by_plural("documents"), id, true, &row);
    if (p == PROBLEM_OK && !row) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "there is no such document");
    }
    json_decref(row);
    return p;
}

void stage_sign(struct rest_call *c, json_t *row, const char *done)
{
    char name[40];

    snprintf(name, sizeof name, "%s_by", done);
    json_object_set_new(row, name, json_string(c->user.login[0] ? c->user.login : "platform"));
    snprintf(name, sizeof name, "%s_at", done);
    json_object_set_new(row, name, stage_time(c->now_ms));
}

enum problem stage_app(struct rest_call *c, struct store_txn *txn, const json_t *row, json_t **app)
{
    enum problem p = api_load(c, txn, &apps_resource, row_text(row, "app_id"), app);

    if (p == PROBLEM_OK && !(c->user.role & ROLE_STAFF) &&
        strcmp(row_text(*app, "organisation_id"), c->user.organisation) != 0) {
        json_decref(*app);
        *app = NULL;
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id", "your organisation has no such app");
    }
    return p;
}

enum problem stage_tell(struct rest_call *c, struct store_txn *txn, const char *kind,
                        const char *object_kind, const json_t *row, const char *app_id,
                        const char *detail, bool to_operators)
{
    json_t *app = NULL;
    enum problem p = api_load(c, txn, &apps_resource, app_id, &app);
    const struct notice n = {.kind = kind,
                             .organisation_id =
                                 to_operators ? NULL : row_text(app, "organisation_id"),
                             .object_kind = object_kind,
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(app, "name"),
                             .detail = detail};

    if (p == PROBLEM_OK) {
        p = notice_put(c, txn, &n);
    }
    json_decref(app);
    return p;
}

enum problem stage_change(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                          const json_t *old, json_t *row, const char *state, const char *action)
{
    if (state) {
        json_object_set_new(row, "state", json_string(state));
    }
    return change_store(c, txn, res, old, row, action);
}

enum problem stage_suspend_app(struct rest_call *c, struct store_txn *txn, const char *app_id,
                               const char *why)
{
    json_t *app = NULL, *old;
    enum problem p = api_load(c, txn, &apps_resource, app_id, &app);

    if (p != PROBLEM_OK || strcmp(row_text(app, "state"), "admitted") != 0) {
        json_decref(app);
        return p;
    }
    old = json_deep_copy(app);
    json_object_set_new(app, "comment", json_string(why));
    p = stage_change(c, txn, &apps_resource, old, app, "suspended", "suspend");
    json_decref(old);
    json_decref(app);
    return p;
}

struct revocation {
    uint64_t since_ms;
    const char *why;
};

static enum problem revoke_one(struct rest_call *c, struct change *ch)
{
    const struct revocation *r = ch->arg;

    if (strcmp(row_text(ch->row, "state"), "active") != 0 ||
        api_ms(ch->row, "created_at") < r->since_ms) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    json_object_set_new(ch->row, "revocation_reason", json_string(r->why));
    json_object_set_new(ch->row, "revoked_by",
                        json_string(c->user.login[0] ? c->user.login : "platform"));
    enum problem p = stage_change(c, ch->txn, &grants_resource, old, ch->row, "revoked", "revoke");
    json_decref(old);
    return p;
}

enum problem stage_revoke_grants(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                 uint64_t since_ms, const char *why)
{
    struct revocation r = {since_ms, why};

    return row_each(c, txn, &grants_resource, "app_id", app_id, revoke_one, &r);
}

static enum problem due_ids(struct rest_call *c, const char *sql, uint64_t ahead_ms, json_t *ids)
{
    const struct store_value v = store_int((int64_t)(c->now_ms + ahead_ms));
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, &v, strchr(sql, '?') ? 1 : 0, &rows);
    while (err == STORE_OK && json_array_size(ids) < STAGE_BATCH_MAX && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    store_rollback(&txn);
    return rest_store_problem(c, err);
}

enum problem stage_each_id(struct rest_call *c, const char *sql, uint64_t ahead_ms,
                           stage_outside visit, void *arg)
{
    json_t *ids = json_array(), *id;
    size_t i;
    enum problem first = due_ids(c, sql, ahead_ms, ids);

    json_array_foreach(ids, i, id)
    {
        enum problem p = visit(c, json_string_value(id), arg);
        first = first == PROBLEM_OK ? p : first;
    }
    json_decref(ids);
    return first;
}

struct visiting {
    const struct resource *res;
    stage_visit visit;
};

static enum problem visit_one(struct rest_call *c, const char *id, void *arg)
{
    const struct visiting *v = arg;
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, v->res, id, false, &row);
    p = rest_finish(c, &txn, p == PROBLEM_OK && row ? v->visit(c, txn, row) : p);
    json_decref(row);
    return p;
}

enum problem stage_each_due(struct rest_call *c, const char *sql, uint64_t ahead_ms,
                            const struct resource *res, stage_visit visit)
{
    struct visiting v = {res, visit};

    return stage_each_id(c, sql, ahead_ms, visit_one, &v);
}
