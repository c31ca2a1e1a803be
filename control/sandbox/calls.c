/* SPDX-License-Identifier: Apache-2.0 */
/* Each call of the test stage, as the nodes tell them, and what they show together. The transaction
 * number leads to the audit record of the same call. */
#include <stdio.h>

#include "api/api.h"
#include "base/clock.h"
#include "sandbox/sandbox.h"
#include "services/services.h"

static const struct attr attrs[] = {
    {"app_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"api_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"credential_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"transaction_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"status", ATTR_INT, AF_READ_ONLY},
    {"code", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"node", ATTR_TEXT, AF_READ_ONLY},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, STAGE_OWN_APP, "1 = 0"},
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)", "1 = 0"},
};

const struct resource sandbox_calls_resource = {
    .plural = "sandbox_calls",
    .kind = "sandbox-call",
    .initial = "recorded",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_DEVELOPER | ROLE_PROVIDER,
};

static json_t *text_of(const json_t *event, const char *name)
{
    const char *s = row_text(event, name);

    return s[0] ? json_string(s) : json_null();
}

enum problem sandbox_call_store(struct rest_call *c, struct store_txn *txn, const json_t *event,
                                const char *node)
{
    json_t *row = NULL, *app = NULL;
    enum problem p = row_load(c, txn, &sandbox_calls_resource, row_text(event, "id"), false, &row);
    bool known = row != NULL;

    json_decref(row);
    if (p == PROBLEM_OK && !known) {
        p = row_load(c, txn, &apps_resource, row_text(event, "app_id"), false, &app);
    }
    if (p != PROBLEM_OK || !app) { /* stored before, or an app nobody knows */
        return p;
    }
    json_decref(app);
    row = json_pack("{s:s, s:s, s:i, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:s}", "id",
                    row_text(event, "id"), "state", "recorded", "revision", 1, "created_at",
                    stage_time(c->now_ms), "updated_at", stage_time(c->now_ms), "app_id",
                    row_text(event, "app_id"), "api_id", text_of(event, "api_id"), "credential_id",
                    text_of(event, "credential_id"), "transaction_id", text_of(event, "target"),
                    "at", stage_time((uint64_t)json_integer_value(json_object_get(event, "at"))),
                    "status", json_integer_value(json_object_get(event, "count")), "code",
                    text_of(event, "reason"), "node", node);
    p = row ? row_insert(c, txn, &sandbox_calls_resource, row) : PROBLEM_INTERNAL;
    json_decref(row);
    return p;
}

/* Calls of an earlier stage of the same app show nothing of what it is now. */
#define SINCE "SELECT p.testing_since FROM apps p WHERE p.id = t.app_id"

/* What is looked for, among what a node can say of a call of this app: one without a signature or
 * with a stale one is nobody's. Optional ones are shown, and do not decide. */
static const struct {
    const char *name, *condition;
    bool required;
} cases[] = {
    {"signed-call", "code = 'ok' AND status < 400", true},
    {"bad-signature-refused",
     "code IN ('signature-invalid', 'signature-incomplete', 'digest-mismatch')", true},
    {"goes-on-after-refusal",
     "code = 'ok' AND status < 400 AND t.at > (SELECT min(r.at) FROM sandbox_calls r WHERE "
     "r.app_id = t.app_id AND r.at >= (" SINCE ") AND r.code <> 'ok')",
     true},
    {"replay-refused", "code = 'signature-replayed'", false},
    {"limit-met", "code IN ('rate-limited', 'concurrency-limited', 'quota-exceeded')", false},
    {"missing-grant-refused", "code LIKE 'grant-%'", false},
};

/* Counts the calls that fit and takes the last one's transaction as the proof. */
static enum problem count(struct rest_call *c, struct store_txn *txn, const json_t *app,
                          const char *condition, const char *api_id, json_t *out)
{
    char sql[700];
    const struct store_value v[] = {store_text(row_text(app, "id")), store_text(api_id)};
    struct store_rows *rows = NULL;

    snprintf(sql, sizeof sql,
             "SELECT count(*), max(transaction_id) FROM sandbox_calls t WHERE app_id = ?%s AND "
             "t.at >= (" SINCE ") AND %s",
             api_id ? " AND api_id = ?" : "", condition);
    enum store_err err = store_query(txn, sql, v, api_id ? 2 : 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        const char *proof = store_get_text(rows, 1);
        json_object_set_new(out, "count", json_integer(store_get_int(rows, 0)));
        json_object_set_new(out, "passed", json_boolean(store_get_int(rows, 0) > 0));
        json_object_set_new(out, "transaction_id", proof ? json_string(proof) : json_null());
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

struct evaluation {
    const json_t *app;
    json_t *cases;
    size_t apis;
    bool passed;
};

static enum problem add_case(struct rest_call *c, struct store_txn *txn, struct evaluation *e,
                             json_t *row, bool required, const char *condition, const char *api_id)
{
    enum problem p = count(c, txn, e->app, condition, api_id, row);

    json_object_set_new(row, "required", json_boolean(required));
    e->passed = e->passed && (!required || json_is_true(json_object_get(row, "passed")));
    json_array_append_new(e->cases, row);
    return p;
}

/* Each API the app was given is to be called, well, at least once. */
static enum problem add_api(struct rest_call *c, struct change *ch)
{
    struct evaluation *e = ch->arg;
    json_t *api = NULL;

    if (strcmp(row_text(ch->row, "state"), "approved") != 0) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    if (p == PROBLEM_OK) {
        e->apis++;
        p = add_case(c, ch->txn, e,
                     json_pack("{s:s, s:s, s:s}", "case", "api-called", "api_id",
                               row_text(api, "id"), "name", row_text(api, "name")),
                     true, "code = 'ok' AND status < 400", row_text(api, "id"));
    }
    json_decref(api);
    return p;
}

/* What was agreed on and not subscribed to is no less to be called before it is relied on
 * (CI-6.1.6b). */
static enum problem add_agreed(struct rest_call *c, struct store_txn *txn, struct evaluation *e)
{
    static const char sql[] =
        "SELECT DISTINCT p.id, p.name FROM agreements a, json_each(a.interfaces) i JOIN apis p ON "
        "p.id = json_extract(i.value, '$.api_id') WHERE a.app_id = ? AND a.kind <> 'privacy' AND "
        "a.state = 'in_force' AND p.id NOT IN (SELECT api_id FROM subscriptions WHERE app_id = ? "
        "AND state = 'approved')";
    const struct store_value v[] = {store_text(row_text(e->app, "id")),
                                    store_text(row_text(e->app, "id"))};
    json_t *apis = NULL, *api;
    size_t i;
    enum problem p = services_rows(c, txn, sql, v, COUNT(v), "id:t name:t", &apis);

    json_array_foreach(apis, i, api)
    {
        if (p == PROBLEM_OK) {
            e->apis++;
            p = add_case(c, txn, e,
                         json_pack("{s:s, s:s, s:s}", "case", "api-called", "api_id",
                                   row_text(api, "id"), "name", row_text(api, "name")),
                         true, "code = 'ok' AND status < 400", row_text(api, "id"));
        }
    }
    json_decref(apis);
    return p;
}

enum problem sandbox_evaluate(struct rest_call *c, struct store_txn *txn, const json_t *app,
                              json_t **result)
{
    struct evaluation e = {.app = app, .cases = json_array(), .passed = true};
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(cases) && p == PROBLEM_OK; i++) {
        p = add_case(c, txn, &e, json_pack("{s:s}", "case", cases[i].name), cases[i].required,
                     cases[i].condition, NULL);
    }
    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &subscriptions_resource, "app_id", row_text(app, "id"), add_api, &e);
    }
    p = p == PROBLEM_OK ? add_agreed(c, txn, &e) : p;
    *result = json_pack("{s:b, s:o}", "passed", e.passed && e.apis > 0, "cases", e.cases);
    return p;
}
