/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane does by itself, by the clock: expiries, reviews that fall due, deliveries.
 * One thread, of one of the processes on a store; a job that fails is tried again at its next turn.
 * Each job must be safe to run twice and to be killed half way: it reads what is due from the store
 * and marks it done in the same transaction as its effect. */
#pragma once
#include "rest/rest.h"

struct job {
    const char *name;
    uint32_t every_ms;
    /* c: a call of nobody, by the platform, with now_ms set. */
    enum problem (*run)(struct rest_call *c);
};
extern const struct job job_table[]; /* jobs/table.c */
extern const size_t job_table_n;

struct jobs;
struct jobs *jobs_start(struct control *ctl); /* NULL: no thread to be had */
void jobs_stop(struct jobs **j);              /* waits for the job under way */
/* Runs every job once, now: for tests and for `sluice control --jobs-once`. */
void jobs_run_once(struct control *ctl, uint64_t now_ms);
