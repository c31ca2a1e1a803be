/* SPDX-License-Identifier: Apache-2.0 */
/* What the node tells the control plane (contract/feed.md, reports): events of the workers, live
 * counters of limits and targets, its public keys. A thread of its own, every 5 s and at once after
 * an event. No event is lost: a file of events goes when all of it is accepted and nobody writes it
 * any more; what was sent before a crash is sent again, and known by its id. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/slice.h"
#include "targets/targets.h"

struct replica;
struct node_report_config {
    const char *control, *ca, *certificate, *key; /* as in node_feed_config */
    const char *node, *state_dir, *audit_dir;
    struct replica *replica;
};
struct node_report;
/* What *cfg points at must outlive it. NULL: no memory or no thread. Stopping takes up to a second.
 */
struct node_report *node_report_start(const struct node_report_config *cfg);
void node_report_stop(struct node_report **report);

/* spool.c: the workers' files of events, DIR/<pid>.<n>.ndjson. One thread. ----------------------
 */
#define SPOOL_EVENTS_MAX 500
struct spool;
struct spool *spool_new(const char *dir); /* dir is kept by reference; NULL: no memory */
void spool_free(struct spool **s);
/* True when there are bytes that were not taken. */
bool spool_waiting(struct spool *s);
/* A new array of the next events, at most `most`. Lines that are no JSON are passed over, and
 * said. */
json_t *spool_take(struct spool *s, size_t most);
/* What was taken is stored, or is not to be sent again: forgets it and removes finished files. */
void spool_accepted(struct spool *s);
/* Appends an event of this process's own to a file of the folder. False: it could not be written.
 * Any thread. */
bool spool_add(const char *dir, const json_t *event);

/* live.c: new arrays of at most 1,000 rows each. ------------------------------------------------
 */
json_t *node_live_limits(const char *state_dir);
json_t *node_live_targets(const char *state_dir, struct replica *replica);
json_t *node_live_keys(const char *state_dir);
