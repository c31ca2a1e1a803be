/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that bring records into a zone store (docs/collection.md): from a provider's interface by
 * one HTTP request, from a registered source, or handed over. Each record is mapped, cleaned, held
 * against the declared standard and stored with where it came from; what does not fit is kept apart
 * with the reasons. All of a run becomes visible in one transaction together with its report, so
 * that a run begun again after a crash is found done, or does all of it. */
#pragma once
#include <jansson.h>

#include "crypto/crypto.h"
#include "data/zones/zones.h"
#include "id/uuid.h"

#define COLLECT_ANSWER_MAX  (32u << 20) /* bytes of a provider's answer */
#define COLLECT_RECORDS_MAX 1000000u    /* of one run */
#define COLLECT_MERGE_MAX   100000u     /* records that a run merges by key */
#define COLLECT_WAITING_MAX 256         /* runs waiting or remembered */
#define COLLECT_THREADS     4           /* runs at once */
#define COLLECT_OF_PARTY    2           /* of them with one party */

struct collect_env { /* borrowed */
    const char *data_dir;
    const uint8_t *secret_key; /* opens what the control plane sealed: sub-key feed.secret */
};

/* Does the run that job describes and returns its report, new: {outcome: succeeded, failed or
 * refused, code, where, detail, counts…}. Blocks for as long as the provider may take. job is the
 * control plane's (control/exchange/job.c); NULL: out of memory. */
json_t *collect_run(const struct collect_env *env, const json_t *job);
/* The report of a run that the store has; NULL: it has none. */
json_t *collect_done(const struct collect_env *env, const struct uuid *target, const char *run);
/* {items: […]} of what the run kept apart, at most 100 from the offset; NULL: it cannot be read. */
json_t *collect_quarantine(const struct collect_env *env, const struct uuid *target,
                           const char *run, uint64_t offset);

/* An empty table of these columns, and of those that say where a record came from. */
enum zone_err collect_make_table(const struct collect_env *env, const struct uuid *target,
                                 const char *table, const json_t *columns);

/* A few threads that do runs, the oldest first. */
struct collector;
struct collector *collector_start(const struct collect_env *env); /* NULL: no thread */
void collector_stop(struct collector **c);                        /* waits for the runs under way */
/* Queues the run unless it is queued, done or under way. False: the queue is full. job: a new
 * reference is taken. */
bool collector_submit(struct collector *c, const json_t *job);
/* {state: unknown, waiting, running or done, report?}, new. */
json_t *collector_state(struct collector *c, const struct uuid *target, const char *run);
