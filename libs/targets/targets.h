/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of each upstream target (SW-6-breaker, BK-10.1.2a-2, SW-10.1-3d): its circuit
 * breaker, its health, what is in flight to it. In a memory-mapped file that all workers share and
 * the agent reads (libs/mapfile: one PID namespace, opened after fork(), a killed process blocks
 * nobody). Any number of threads.
 *
 * Breaker: CLOSED, all calls pass; OPEN after `failures` in a row, or ratio_percent of at least
 * ratio_calls in the window, or by targets_eject: none pass, for open_ms, twice as long each time
 * up to open_max_ms; then HALF_OPEN: one call of all workers is let through as a probe and decides.
 * A probe that is not reported within probe_ms, or whose process died, is followed by another. The
 * back-off starts over once the target was closed for open_max_ms.
 *
 * The last one: the breaker opens it too, as failing fast is what it is for. Being worse than
 * others (targets_eject) or failing the checker's tests alone never takes the last live target of
 * a set: the first spares it, and when all of a set are down, targets_look calls those usable whose
 * breaker lets them be (the checker may be what is broken).
 *
 * Events are told once, to the caller that caused them: write them to the log.
 *
 * A table that is full, or a target whose lock a stopped process holds, is no reason to refuse: an
 * admit then says YES, and the rest goes uncounted. Targets unused for an hour give way to new
 * ones. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define TARGETS_SET_MAX   16
#define TARGETS_LABEL_LEN 64

struct targets;
enum targets_err {
    TARGETS_OK,
    TARGETS_EIO,
    TARGETS_EFORMAT,
    TARGETS_EINVAL, /* a configuration out of bounds */
    TARGETS_EMISSING,
};
const char *targets_strerror(enum targets_err err);

struct targets_config {
    uint32_t failures;        /* in a row; 0: not looked at */
    uint32_t ratio_percent;   /* 1..100; 0: not looked at */
    uint32_t ratio_calls;     /* at least so many in the window, ≥ 1 */
    uint32_t window_ms;       /* 1000..600000; counted in 16 parts */
    uint32_t open_ms;         /* ≥ 100 */
    uint32_t open_max_ms;     /* open_ms..3600000 */
    uint32_t probe_ms;        /* ≥ 100; the call's timeout and a little */
    uint32_t outlier_percent; /* failing so many points more than the others of the set; 0: none */
    uint32_t rise, fall;      /* checks in a row that turn health up or down, ≥ 1 */
};
enum targets_err targets_config_check(const struct targets_config *config)
    __attribute__((warn_unused_result));

enum targets_state { TARGETS_CLOSED, TARGETS_OPEN, TARGETS_HALF_OPEN };
enum targets_health { TARGETS_UNKNOWN, TARGETS_UP, TARGETS_DOWN };
enum targets_event {
    TARGETS_NO_EVENT,
    TARGETS_OPENED,   /* closed → open, by calls that failed */
    TARGETS_EJECTED,  /* closed → open, by targets_eject */
    TARGETS_REOPENED, /* the probe failed */
    TARGETS_RECLOSED, /* the probe was well: open → closed */
    TARGETS_WENT_UP,  /* health */
    TARGETS_WENT_DOWN,
};
enum targets_verdict { TARGETS_YES, TARGETS_PROBE, TARGETS_NO };
enum targets_outcome {
    TARGETS_WELL,
    TARGETS_FAILED,
    TARGETS_UNDECIDED /* the caller left, or it was our fault: counts for nothing */
};

/* targets: how many, for a new file; rounded up to a power of two ≥ 16, about 900 bytes each. */
enum targets_err targets_open(struct targets **t, const char *path, size_t targets)
    __attribute__((warn_unused_result));
void targets_close(struct targets **t);
uint64_t targets_now(const struct targets *t); /* microseconds; set clocks and reboots: mapfile.h */

/* The id of an API's target, by its host and base path as written: a name that resolves anew keeps
 * what is known of it. Never 0; the same in every process. */
uint64_t targets_id(const uint8_t api[static 16], struct slice host, struct slice path);

/* id: the caller's hash of API and address, not 0. label: for the live view, kept from the call
 * that makes it, cut to TARGETS_LABEL_LEN - 1; NULL: none. */

/* May a call go there? YES and PROBE count it in flight until the one targets_report with the same
 * ticket. config: checked before. */
enum targets_verdict targets_admit(struct targets *t, uint64_t id, const char *label,
                                   const struct targets_config *config, uint64_t now_us,
                                   uint32_t *ticket);
/* How it went; what it changed. */
enum targets_event targets_report(struct targets *t, uint64_t id,
                                  const struct targets_config *config, uint32_t ticket,
                                  enum targets_outcome outcome, uint64_t now_us);
/* What the active checker found. */
enum targets_event targets_health_set(struct targets *t, uint64_t id, const char *label,
                                      const struct targets_config *config, bool is_well,
                                      uint64_t now_us);

/* For choose.h: of each target whether a call may be sent (a probe that is due counts) and what is
 * in flight, over all workers. n ≤ TARGETS_SET_MAX. Changes nothing: admit the chosen one, and
 * choose again without it on NO. */
struct targets_look {
    bool usable;
    uint32_t inflight;
};
void targets_look(struct targets *t, const uint64_t *ids, size_t n, uint64_t now_us,
                  struct targets_look *looks);

/* Opens those of a set that fail outlier_percent points more than the rest does, each with at least
 * ratio_calls in the window. Now and then (a second) by any process. Sets events[0..n). */
void targets_eject(struct targets *t, const uint64_t *ids, size_t n,
                   const struct targets_config *config, uint64_t now_us,
                   enum targets_event *events);

struct targets_view {
    uint64_t id;
    char label[TARGETS_LABEL_LEN];
    enum targets_state state;
    enum targets_health health;
    uint32_t inflight;
    uint32_t in_a_row; /* failures of calls */
    uint32_t window_calls, window_failures;
    uint64_t calls, failures, refused; /* since the file was made */
    uint64_t changed_ms;               /* wall time of the last event; 0: none */
    uint32_t open_left_ms;
};
/* EMISSING: never heard of, or its lock is held by a stopped process. */
enum targets_err targets_get(struct targets *t, uint64_t id, uint64_t now_us,
                             struct targets_view *view) __attribute__((warn_unused_result));
/* *cursor: 0 at first. False: no more. */
bool targets_next(struct targets *t, size_t *cursor, uint64_t now_us, struct targets_view *view);

/* Once a second, by any one process or all: what dead processes had in flight and their probes. */
void targets_tick(struct targets *t);
