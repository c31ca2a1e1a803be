/* SPDX-License-Identifier: Apache-2.0 */
/* What a scheduled task can be: tasks_kinds.c; when it is done: tasks.c. */
#pragma once
#include "api/api.h"
#include "services/services.h"

struct outcome {
    bool ok;
    bool under_way;                /* begun, and not over */
    char about[UUID_TEXT_LEN + 1]; /* of what was begun: an export, a run */
    char detail[200];
};

struct task_kind {
    const char *name;
    bool of_api;           /* api_id says on what; else there is none */
    const char *of_target; /* plural of what target_id names; NULL: there is none */
    bool (*parameters_ok)(const json_t *parameters); /* NULL: there are none */
    /* In the transaction that notes it. What is under way afterwards is followed. */
    enum problem (*start)(struct rest_call *c, struct store_txn *txn, const json_t *task,
                          struct outcome *o);
    /* How what was begun is getting on; NULL: it is over when it was started. */
    enum problem (*follow)(struct rest_call *c, struct store_txn *txn, const json_t *task,
                           struct outcome *o);
    /* Instead of follow: done outside any transaction, since it asks somebody. Done once more when
     * the process dies in the middle of it. */
    enum problem (*outside)(struct rest_call *c, const json_t *task, struct outcome *o);
};

extern const struct task_kind task_kinds[];
extern const size_t n_task_kinds;
extern const char *const task_words[]; /* their names, then NULL */
