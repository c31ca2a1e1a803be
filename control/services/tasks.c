/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that an operator has done by the clock (SW-6-timer). A run and the time of the next are
 * written in one transaction: who dies half way has not run, and nobody runs twice. */
#include <stdio.h>

#include "api/api.h"
#include "notices/notices.h"
#include "services/services.h"

struct outcome {
    bool ok;
    char detail[200];
};

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

static const struct {
    const char *name;
    bool of_api;
    enum problem (*run)(struct rest_call *c, struct store_txn *txn, const json_t *task,
                        struct outcome *o);
} tasks[] = {{"check-definition", true, do_lint},
             {"check-catalogue", false, count_astray},
             {"check-archives", false, count_due}};
static const char *const task_words[] = {"check-definition", "check-catalogue", "check-archives",
                                         NULL};
_Static_assert(COUNT(task_words) == COUNT(tasks) + 1, "each word is a task");

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 128},
    {"task", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 40, .values = task_words},
    {"api_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"every_s", ATTR_INT, 0, 1, 31536000},
    {"next_at", ATTR_TIME, AF_SORT},
    {"last_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"last_result", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"last_detail", ATTR_TEXT, AF_READ_ONLY},
    {"failures", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
};

static size_t task_of(const json_t *row)
{
    for (size_t i = 0; i < COUNT(tasks); i++) {
        if (strcmp(tasks[i].name, row_text(row, "task")) == 0) {
            return i;
        }
    }
    return 0;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    bool of_api = tasks[task_of(ch->row)].of_api;

    if (of_api != (row_text(ch->row, "api_id")[0] != '\0')) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id",
                         of_api ? "the task is about an API" : "the task is about no one API");
    }
    if (!row_text(ch->row, "next_at")[0]) {
        json_object_set_new(ch->row, "next_at", stage_time(c->now_ms));
    }
    return PROBLEM_OK;
}

static enum problem at_once(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "next_at", stage_time(c->now_ms));
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"active", "pause", "paused", ROLE_STAFF},
    {"paused|done", "resume", "active", ROLE_STAFF, .hook = at_once},
    {"active", "run", NULL, ROLE_STAFF, .hook = at_once},
    {"active|paused|done", "remove", "removed", ROLE_STAFF},
};

const struct resource scheduled_tasks_resource = {
    .plural = "scheduled_tasks",
    .kind = "scheduled-task",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
};

static enum problem alarm_operators(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    const struct notice n = {.kind = "scheduled-task-failed",
                             .object_kind = "scheduled-task",
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(row, "name"),
                             .detail = row_text(row, "last_detail")};

    return notice_put(c, txn, &n);
}

static enum problem run(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *old = json_deep_copy(row);
    json_int_t every = json_integer_value(json_object_get(row, "every_s")),
               failures = json_integer_value(json_object_get(row, "failures"));
    struct outcome o = {.ok = false};
    enum problem p = PROBLEM_OK;

    if (strcmp(row_text(row, "state"), "active") != 0 || api_ms(row, "next_at") > c->now_ms) {
        json_decref(old);
        return PROBLEM_OK;
    }
    p = tasks[task_of(row)].run(c, txn, row, &o);
    json_object_set_new(row, "last_at", stage_time(c->now_ms));
    json_object_set_new(row, "last_result", json_string(o.ok ? "passed" : "failed"));
    json_object_set_new(row, "last_detail", json_string(o.detail));
    json_object_set_new(row, "failures", json_integer(o.ok ? 0 : failures + 1));
    json_object_set_new(row, "next_at",
                        every ? stage_time(c->now_ms + (uint64_t)every * 1000) : json_null());
    if (p == PROBLEM_OK) {
        p = stage_change(c, txn, &scheduled_tasks_resource, old, row, every ? NULL : "done",
                         "execute");
    }
    json_decref(old);
    return p == PROBLEM_OK && !o.ok ? alarm_operators(c, txn, row) : p;
}

enum problem scheduled_tasks_job(struct rest_call *c)
{
    return stage_each_due(c,
                          "SELECT id FROM scheduled_tasks WHERE state = 'active' AND next_at <= ?",
                          0, &scheduled_tasks_resource, run);
}
