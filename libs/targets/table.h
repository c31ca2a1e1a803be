/* SPDX-License-Identifier: Apache-2.0 */
/* Inside libs/targets. The file's body: the ids, then the targets, in the same order. An id stands
 * within REACH places from where its hash says. ids[] is a hint, read without a lock; the target's
 * own id, read under its lock, decides. At most one target is locked at a time, after the head's
 * lock if both. */
#pragma once
#include <string.h>

#include "mapfile/mapfile.h"
#include "targets/targets.h"

#define REACH 16
#define PARTS 16

struct target {
    _Atomic uint64_t lock;
    uint64_t id; /* 0: none */
    uint64_t latest_us;
    uint8_t state, health;
    uint32_t in_a_row;
    uint32_t opens; /* in short order: the back-off */
    uint32_t ticket;
    uint64_t open_until_us, closed_us;
    uint64_t probe_us; /* begun; 0: none under way */
    uint32_t probe_owner, health_row, inflight_sum;
    uint64_t window_us, newest;
    uint64_t calls_sum, failures_sum, refused, changed_ms;
    char label[TARGETS_LABEL_LEN];
    uint32_t calls[PARTS], failures[PARTS];
    uint16_t inflight[MAPFILE_OWNERS];
};

struct targets {
    struct mapfile file;
    _Atomic uint64_t *ids;
    struct target *all;
    uint64_t mask;
};

/* Locked. NULL: not there, or busy. */
struct target *target_find(struct targets *t, uint64_t id);
/* Locked. Makes it if need be. NULL: no room, or busy. */
struct target *target_get(struct targets *t, uint64_t id, const char *label, uint64_t now_us);
/* By its place; locked. NULL: none there, or busy. */
struct target *target_at(struct targets *t, size_t at);
static inline void target_unlock(struct target *g)
{
    mapfile_unlock(&g->lock);
}
