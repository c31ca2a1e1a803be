/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that an operator can have done by the clock, one a row. */
#include <inttypes.h>
#include <stdio.h>

#include "batch/batch.h"
#include "catalog/catalog.h"
#include "exchange/exchange.h"
#include "services/probe.h"
#include "services/tasks.h"

#define CALL_TARGET_MAX 1000

static void say(struct outcome *o, bool ok, const char *detail)
{
    o->ok = ok;
    snprintf(o->detail, sizeof o->detail, "%.190s", detail);
}

static void keep_about(struct outcome *o, const json_t *row)
{
    o->under_way = true;
    snprintf(o->about, sizeof o->about, "%s", row_text(row, "id"));
}

/* What the rules refuse is a result of the task, not a failure of the job. */
static enum problem refused(struct rest_call *c, enum problem p, struct outcome *o)
{
    if (p == PROBLEM_OK || p == PROBLEM_INTERNAL || p == PROBLEM_STORAGE_FULL) {
        return p;
    }
    say(o, false, c->detail[0] ? c->detail : problem_row(p)->code);
    c->detail[0] = '\0';
    return PROBLEM_OK;
}

/* Checks -----------------------------------------------------------------------------------------
 */
static enum problem do_lint(struct rest_call *c, struct store_txn *txn, const json_t *task,
                            struct outcome *o)
{
    json_t *api = NULL, *findings = NULL;
    enum problem p = api_load(c, txn, &apis_resource, row_text(task, "api_id"), &api);

    if (p == PROBLEM_OK) {
        p = lint_api(c, txn, api, &findings);
    }
    size_t n = json_array_size(findings);
    o->ok = p == PROBLEM_OK && n == 0;
    snprintf(o->detail, sizeof o->detail, "%zu findings%s%s", n, n ? ": " : "",
             n ? row_text(json_array_get(findings, 0), "text") : "");
    json_decref(api);
    json_decref(findings);
    return p;
}

static enum problem count_astray(struct rest_call *c, struct store_txn *txn, const json_t *task,
                                 struct outcome *o)
{
    int64_t n = 0;
    enum problem p = services_count(
        c, txn,
        "SELECT count(*) FROM apis a LEFT JOIN services s ON s.id = a.service_id WHERE a.state IN "
        "('published', 'deprecated') AND (s.id IS NULL OR s.state <> 'listed') AND ? <> ''",
        row_text(task, "id"), &n);

    o->ok = p == PROBLEM_OK && n == 0;
    snprintf(o->detail, sizeof o->detail, "%d APIs are open without an entry", (int)n);
    return p;
}

static enum problem count_due(struct rest_call *c, struct store_txn *txn, const json_t *task,
                              struct outcome *o)
{
    int64_t n = 0;
    enum problem p = services_count(
        c, txn, "SELECT count(*) FROM service_archives WHERE state = 'due' AND ? <> ''",
        row_text(task, "id"), &n);

    o->ok = p == PROBLEM_OK && n == 0;
    snprintf(o->detail, sizeof o->detail, "%d archives wait to be disposed of", (int)n);
    return p;
}

/* A harvest --------------------------------------------------------------------------------------
 */
static bool is(const json_t *row, const char *state)
{
    return strcmp(row_text(row, "state"), state) == 0;
}

static enum problem start_harvest(struct rest_call *c, struct store_txn *txn, const json_t *task,
                                  struct outcome *o)
{
    json_t *harvest = NULL;
    enum problem p = api_load(c, txn, &harvests_resource, row_text(task, "target_id"), &harvest);

    if (p == PROBLEM_OK) {
        keep_about(o, harvest);
        if (!is(harvest, "waiting") && !is(harvest, "running")) { /* else that one is followed */
            p = harvest_again(c, txn, harvest);
        }
    }
    json_decref(harvest);
    return refused(c, p, o);
}

static enum problem follow_harvest(struct rest_call *c, struct store_txn *txn, const json_t *task,
                                   struct outcome *o)
{
    json_t *harvest = NULL;
    enum problem p = api_load(c, txn, &harvests_resource, row_text(task, "about_id"), &harvest);
    json_int_t failures = json_integer_value(json_object_get(harvest, "failures")),
               total = json_integer_value(json_object_get(harvest, "total"));

    o->under_way = p == PROBLEM_OK && (is(harvest, "waiting") || is(harvest, "running"));
    o->ok = p == PROBLEM_OK && is(harvest, "done") && failures == 0;
    snprintf(o->detail, sizeof o->detail,
             "harvest %s: %" JSON_INTEGER_FORMAT " tables, %" JSON_INTEGER_FORMAT " failed%s%.100s",
             row_text(harvest, "state"), total, failures,
             row_text(harvest, "reason")[0] ? ": " : "", row_text(harvest, "reason"));
    json_decref(harvest);
    return p;
}

/* A collection -----------------------------------------------------------------------------------
 */
static enum problem start_collection(struct rest_call *c, struct store_txn *txn, const json_t *task,
                                     struct outcome *o)
{
    json_t *collection = NULL, *run = NULL;
    enum problem p =
        api_load(c, txn, &collections_resource, row_text(task, "target_id"), &collection);

    if (p == PROBLEM_OK && !is(collection, "active")) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the collection is disabled");
    }
    if (p == PROBLEM_OK) {
        p = collection_queue(c, txn, collection, "schedule", row_text(task, "name"), NULL, &run);
    }
    if (p == PROBLEM_OK) {
        keep_about(o, run);
    }
    json_decref(run);
    json_decref(collection);
    return refused(c, p, o);
}

static enum problem follow_collection(struct rest_call *c, struct store_txn *txn,
                                      const json_t *task, struct outcome *o)
{
    json_t *run = NULL;
    enum problem p = api_load(c, txn, &collection_runs_resource, row_text(task, "about_id"), &run);

    o->under_way = p == PROBLEM_OK && (is(run, "queued") || is(run, "running"));
    o->ok = p == PROBLEM_OK && is(run, "succeeded");
    snprintf(o->detail, sizeof o->detail, "collection run %s: %.36s", row_text(run, "state"),
             row_text(run, "id"));
    json_decref(run);
    return p;
}

/* An export --------------------------------------------------------------------------------------
 */
static bool export_ok(const json_t *parameters)
{
    static const char *const members[] = {
        "query",        "format",      "compression",    "owner",      "expires_in_s",
        "since_column", "since_after", "zone_source_id", "zone_table", NULL};

    return !parameters || json_is_null(parameters) ||
           (json_is_object(parameters) && api_only_members(parameters, members));
}

static enum problem start_export(struct rest_call *c, struct store_txn *txn, const json_t *task,
                                 struct outcome *o)
{
    const json_t *more = json_object_get(task, "parameters");
    json_t *body = json_is_object(more) ? json_deep_copy(more) : json_object(), *row = NULL;

    json_object_set(body, "api_id", json_object_get(task, "api_id"));
    enum problem p = export_request(c, txn, body, &row);
    if (p == PROBLEM_OK) {
        keep_about(o, row);
    }
    json_decref(row);
    json_decref(body);
    return refused(c, p, o);
}

static enum problem follow_export(struct rest_call *c, struct store_txn *txn, const json_t *task,
                                  struct outcome *o)
{
    json_t *row = NULL;
    enum problem p = api_load(c, txn, &exports_resource, row_text(task, "about_id"), &row);

    o->under_way =
        p == PROBLEM_OK && (is(row, "requested") || is(row, "queued") || is(row, "running"));
    o->ok = p == PROBLEM_OK && is(row, "ready");
    snprintf(o->detail, sizeof o->detail, "export %s: %.36s %.100s", row_text(row, "state"),
             row_text(row, "id"), row_text(row, "error"));
    json_decref(row);
    return p;
}

/* A call -----------------------------------------------------------------------------------------
 */
static bool call_ok(const json_t *parameters)
{
    static const char *const members[] = {"target", "status", NULL};
    const json_t *target = json_object_get(parameters, "target"),
                 *status = json_object_get(parameters, "status");

    if (!parameters || json_is_null(parameters)) {
        return true;
    }
    bool ok =
        json_is_object(parameters) && api_only_members(parameters, members) &&
        (!status || api_int_within(status, 100, 599)) &&
        (!target || (json_is_string(target) && json_string_length(target) <= CALL_TARGET_MAX));
    for (const char *at = row_text(parameters, "target"); ok && *at; at++) {
        ok = *at > 0x20 && *at < 0x7f && *at != '#';
    }
    return ok;
}

static enum problem start_call(struct rest_call *c, struct store_txn *txn, const json_t *task,
                               struct outcome *o)
{
    (void)c;
    (void)txn;
    (void)task;
    o->under_way = true;
    return PROBLEM_OK;
}

static enum problem open_probe(struct rest_call *c, const json_t *task, json_t **api,
                               struct probe *probe)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &apis_resource, row_text(task, "api_id"), api);
    if (p == PROBLEM_OK) {
        p = probe_open(c, txn, *api, probe);
    }
    return rest_finish(c, &txn, p);
}

/* Through a gateway, as the platform's own app: a GET, so that once more does no harm. */
static enum problem make_call(struct rest_call *c, const json_t *task, struct outcome *o)
{
    const json_t *more = json_object_get(task, "parameters");
    json_int_t wanted = json_integer_value(json_object_get(more, "status"));
    struct probe probe = {0};
    struct probe_answer answer = {0};
    json_t *api = NULL;
    char target[PROBE_TARGET_MAX];
    const struct probe_call call = {.method = "GET", .target = target};
    enum problem p = open_probe(c, task, &api, &probe);

    if (p == PROBLEM_OK) {
        snprintf(target, sizeof target, "%.255s%s", row_text(api, "path"),
                 row_text(more, "target"));
        probe_send(&probe, &call, PROBE_SIGNED, &answer);
        o->ok =
            wanted ? answer.status == (long)wanted : answer.status >= 200 && answer.status < 300;
        snprintf(o->detail, sizeof o->detail, "status %ld %.60s in %d ms, transaction %s",
                 answer.status, row_text(answer.json, "code"), (int)(answer.ms + 0.5),
                 answer.transaction);
        probe_answer_fini(&answer);
    }
    probe_fini(&probe);
    json_decref(api);
    return refused(c, p, o);
}

const struct task_kind task_kinds[] = {
    {"check-definition", true, NULL, NULL, do_lint, NULL, NULL},
    {"check-catalogue", false, NULL, NULL, count_astray, NULL, NULL},
    {"check-archives", false, NULL, NULL, count_due, NULL, NULL},
    {"run-harvest", false, "harvests", NULL, start_harvest, follow_harvest, NULL},
    {"run-collection", false, "collections", NULL, start_collection, follow_collection, NULL},
    {"make-export", true, NULL, export_ok, start_export, follow_export, NULL},
    {"call-api", true, NULL, call_ok, start_call, NULL, make_call},
};
const size_t n_task_kinds = COUNT(task_kinds);
const char *const task_words[] = {
    "check-definition", "check-catalogue", "check-archives", "run-harvest",
    "run-collection",   "make-export",     "call-api",       NULL};
_Static_assert(COUNT(task_words) == COUNT(task_kinds) + 1, "each word is a task");
