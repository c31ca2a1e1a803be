/* SPDX-License-Identifier: Apache-2.0 */
/* The whole life of an API in one answer (CI-8.1): each step with who, when, what was said and what
 * was looked at, out of the operations log. */
#include "api/api.h"
#include "services/services.h"

#define STEPS_MAX "2000"

static json_t *step_of(const json_t *op)
{
    const json_t *before = json_object_get(op, "before"), *after = json_object_get(op, "after");
    json_t *step = json_object();

    json_object_set(step, "at", json_object_get(op, "at"));
    json_object_set(step, "operator", json_object_get(op, "actor"));
    json_object_set(step, "action", json_object_get(op, "action"));
    json_object_set_new(step, "from",
                        before && !json_is_null(before) ? json_string(row_text(before, "state"))
                                                        : json_null());
    json_object_set_new(step, "to", json_string(row_text(after, "state")));
    json_object_set_new(step, "version", json_string(row_text(after, "version")));
    json_object_set(step, "revision", json_object_get(after, "revision"));
    if (!json_equal(json_object_get(before, "gate"), json_object_get(after, "gate")) ||
        strcmp(row_text(before, "state"), row_text(after, "state")) != 0) {
        json_object_set(step, "gate", json_object_get(after, "gate"));
        json_object_set(step, "comment", json_object_get(after, "comment"));
    }
    return step;
}

static enum problem read_steps(struct rest_call *c, struct store_txn *txn, const char *id,
                               json_t *steps)
{
    static const char sql[] =
        "SELECT at_ms, actor, action, before, after FROM operations WHERE kind = 'api' AND "
        "resource_id = ? ORDER BY seq LIMIT " STEPS_MAX;
    const struct store_value v = store_text(id);
    json_t *ops = NULL, *op;
    size_t i;
    enum problem p =
        services_rows(c, txn, sql, &v, 1, "at:m actor:t action:t before:j after:j", &ops);

    json_array_foreach(ops, i, op)
    {
        json_array_append_new(steps, step_of(op));
    }
    json_decref(ops);
    return p;
}

enum problem life_history(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *steps = json_array(), *reports = NULL, *changes = NULL, *ends = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &apis_resource, !(c->user.role & ROLE_AUDITOR), &row);
    }
    const struct store_value v = store_text(row_text(row, "id"));
    if (p == PROBLEM_OK) {
        p = read_steps(c, txn, row_text(row, "id"), steps);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn,
                          "SELECT id, kind, result, state, created_at, tested_by FROM "
                          "service_reports WHERE api_id = ? ORDER BY created_at",
                          &v, 1, "id:t kind:t result:t state:t at:m tested_by:t", &reports);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn,
                          "SELECT id, state, summary, created_at FROM service_changes WHERE api_id "
                          "= ? ORDER BY created_at",
                          &v, 1, "id:t state:t summary:t at:m", &changes);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn,
                          "SELECT id, state, reason, end_at FROM service_terminations WHERE api_id "
                          "= ? ORDER BY created_at",
                          &v, 1, "id:t state:t reason:t end_at:m", &ends);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 200,
                        json_pack("{s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:O}", "api_id",
                                  json_object_get(row, "id"), "name", json_object_get(row, "name"),
                                  "version", json_object_get(row, "version"), "state",
                                  json_object_get(row, "state"), "steps", steps, "reports", reports,
                                  "changes", changes, "terminations", ends));
    }
    json_decref(row);
    json_decref(steps);
    json_decref(reports);
    json_decref(changes);
    json_decref(ends);
    return p;
}
