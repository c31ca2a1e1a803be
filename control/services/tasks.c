/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that an operator has done by the clock (SW-6-timer). A start and the time of the next are
 * written in one transaction, which looks again at what is due: who dies half way has not run, and
 * of two processes on one store one runs it. What takes longer is followed until it is over. */
#include "services/tasks.h"

#include <stdio.h>

#include "notices/notices.h"

#define FOLLOW_MS (6 * 3600 * 1000ull) /* what is not over by then has failed */

static const struct task_kind *kind_of(const json_t *row)
{
    for (size_t i = 0; i < n_task_kinds; i++) {
        if (strcmp(task_kinds[i].name, row_text(row, "task")) == 0) {
            return &task_kinds[i];
        }
    }
    return NULL;
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 128},
    {"task", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 40, .values = task_words},
    {"api_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"target_id", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, UUID_TEXT_LEN, UUID_TEXT_LEN},
    {"parameters", ATTR_JSON, 0},
    {"every_s", ATTR_INT, 0, 1, 31536000},
    {"next_at", ATTR_TIME, AF_SORT},
    {"last_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"last_result", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"last_detail", ATTR_TEXT, AF_READ_ONLY},
    {"about_id", ATTR_TEXT, AF_READ_ONLY},
    {"failures", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
};

static enum problem check_target(struct rest_call *c, struct store_txn *txn,
                                 const struct task_kind *kind, const json_t *row)
{
    const char *id = row_text(row, "target_id");
    json_t *target = NULL;
    struct uuid u;

    if (!kind->of_target) {
        return id[0] ? rest_fail(c, PROBLEM_FIELD_INVALID, "/target_id",
                                 "the task is about no row of its own")
                     : PROBLEM_OK;
    }
    enum problem p = uuid_parse(&u, id, strlen(id))
                         ? row_load(c, txn, resource_by_plural(kind->of_target), id, true, &target)
                         : PROBLEM_OK;
    if (p == PROBLEM_OK && !target) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/target_id", "the id of one of the %s is needed",
                      kind->of_target);
    }
    json_decref(target);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    const struct task_kind *kind = kind_of(ch->row);
    const json_t *parameters = json_object_get(ch->row, "parameters");
    bool none = !parameters || json_is_null(parameters);

    if (kind->of_api != (row_text(ch->row, "api_id")[0] != '\0')) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id",
                         kind->of_api ? "the task is about an API"
                                      : "the task is about no one API");
    }
    if (kind->parameters_ok ? !kind->parameters_ok(parameters) : !none) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/parameters",
                         kind->parameters_ok ? "a member that this task does not have, or no object"
                                             : "the task has none");
    }
    if (!row_text(ch->row, "next_at")[0] && !ch->old) {
        json_object_set_new(ch->row, "next_at", stage_time(c->now_ms));
    }
    return check_target(c, ch->txn, kind, ch->row);
}

static enum problem at_once(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "next_at", stage_time(c->now_ms));
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"active|running", "pause", "paused", ROLE_STAFF},
    {"paused|done", "resume", "active", ROLE_STAFF, .hook = at_once},
    {"active", "run", NULL, ROLE_STAFF, .hook = at_once},
    {"active|running|paused|done", "remove", "removed", ROLE_STAFF},
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

/* By the clock -----------------------------------------------------------------------------------
 */
static enum problem alarm_operators(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    const struct notice n = {.kind = "scheduled-task-failed",
                             .object_kind = "scheduled-task",
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(row, "name"),
                             .detail = row_text(row, "last_detail")};

    return notice_put(c, txn, &n);
}

static enum problem over(struct rest_call *c, struct store_txn *txn, json_t *row,
                         const struct outcome *o)
{
    json_t *old = json_deep_copy(row);
    json_int_t every = json_integer_value(json_object_get(row, "every_s")),
               failures = json_integer_value(json_object_get(row, "failures"));

    json_object_set_new(row, "last_at", stage_time(c->now_ms));
    json_object_set_new(row, "last_result", json_string(o->ok ? "passed" : "failed"));
    json_object_set_new(row, "last_detail", json_string(o->detail));
    json_object_set_new(row, "failures", json_integer(o->ok ? 0 : failures + 1));
    json_object_set_new(row, "next_at",
                        every ? stage_time(c->now_ms + (uint64_t)every * 1000) : json_null());
    enum problem p = stage_change(c, txn, &scheduled_tasks_resource, old, row,
                                  every ? "active" : "done", "execute");
    json_decref(old);
    return p == PROBLEM_OK && !o->ok ? alarm_operators(c, txn, row) : p;
}

static enum problem begun(struct rest_call *c, struct store_txn *txn, json_t *row,
                          const struct outcome *o)
{
    json_t *old = json_deep_copy(row);

    json_object_set_new(row, "last_at", stage_time(c->now_ms));
    json_object_set_new(row, "last_result", json_string("begun"));
    json_object_set_new(row, "last_detail", json_null());
    json_object_set_new(row, "about_id", o->about[0] ? json_string(o->about) : json_null());
    enum problem p = stage_change(c, txn, &scheduled_tasks_resource, old, row, "running", "begin");
    json_decref(old);
    return p;
}

static enum problem start(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    struct outcome o = {.ok = false};

    if (strcmp(row_text(row, "state"), "active") != 0 || !row_text(row, "next_at")[0] ||
        api_ms(row, "next_at") > c->now_ms) {
        return PROBLEM_OK;
    }
    enum problem p = kind_of(row)->start(c, txn, row, &o);
    if (p != PROBLEM_OK) {
        return p;
    }
    return o.under_way ? begun(c, txn, row, &o) : over(c, txn, row, &o);
}

static enum problem follow(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    const struct task_kind *kind = kind_of(row);
    struct outcome o = {.ok = false};

    if (strcmp(row_text(row, "state"), "running") != 0 || !kind->follow) {
        return PROBLEM_OK;
    }
    enum problem p = kind->follow(c, txn, row, &o);
    if (p == PROBLEM_OK && o.under_way && api_ms(row, "last_at") + FOLLOW_MS <= c->now_ms) {
        o = (struct outcome){.detail = "it was not over within six hours"};
    }
    return p == PROBLEM_OK && !o.under_way ? over(c, txn, row, &o) : p;
}

static enum problem load(struct rest_call *c, const char *id, json_t **row)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = row_load(c, txn, &scheduled_tasks_resource, id, false, row);
        store_rollback(&txn);
    }
    return p;
}

/* The row is read once more: it may have been paused meanwhile. */
static enum problem note_outside(struct rest_call *c, const char *id, const struct outcome *o)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &scheduled_tasks_resource, id, false, &row);
    if (p == PROBLEM_OK && row && strcmp(row_text(row, "state"), "running") == 0) {
        p = over(c, txn, row, o);
    }
    p = rest_finish(c, &txn, p);
    json_decref(row);
    return p;
}

static enum problem do_outside(struct rest_call *c, const char *id, void *arg)
{
    struct outcome o = {.ok = false};
    json_t *row = NULL;
    enum problem p = load(c, id, &row);
    const struct task_kind *kind = row ? kind_of(row) : NULL;

    (void)arg;
    if (p == PROBLEM_OK && kind && kind->outside &&
        strcmp(row_text(row, "state"), "running") == 0) {
        p = kind->outside(c, row, &o);
        p = p == PROBLEM_OK ? note_outside(c, id, &o) : p;
    }
    json_decref(row);
    return p;
}

enum problem scheduled_tasks_job(struct rest_call *c)
{
    static const char due[] =
        "SELECT id FROM scheduled_tasks WHERE state = 'active' AND next_at <= ?";
    static const char under_way[] = "SELECT id FROM scheduled_tasks WHERE state = 'running' AND "
                                    "task <> 'call-api' AND last_at <= ?";
    static const char calls[] = "SELECT id FROM scheduled_tasks WHERE state = 'running' AND task = "
                                "'call-api' AND last_at <= ? ORDER BY last_at LIMIT 4";
    enum problem p = stage_each_due(c, due, 0, &scheduled_tasks_resource, start);
    enum problem q = stage_each_due(c, under_way, 0, &scheduled_tasks_resource, follow);
    enum problem r = stage_each_id(c, calls, 0, do_outside, NULL);

    return p != PROBLEM_OK ? p : q != PROBLEM_OK ? q : r;
}
