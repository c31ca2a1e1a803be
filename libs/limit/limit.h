/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic limits (SW-6-flow, SW-8.3.4-flow, BK-5i2, BK-10.1.2a1, BK-10.2.1b3): counters in a
 * memory-mapped file that all workers of a machine share and the agent reads. A process killed at
 * any instruction blocks nobody and leaks nothing (libs/mapfile says how, and what it asks: one
 * PID namespace, opened after fork()). Any number of threads.
 *
 * What is promised
 * - RATE: at most `amount` calls in any half-open span of `window_ms`, across all workers, by the
 *   times of the calls (see Clocks): no bursts at edges. A window is counted in 128 parts, the
 * oldest of which leaves as a whole, so a caller that asks without pause gets 127/128 of the rate:
 * at most 0.8 % is given away, never one call is over.
 * - CONCURRENCY: at most `amount` calls between limit_take and limit_release. Those of a process
 *   that died come back at the next limit_tick.
 * - DAY_CALLS, DAY_ROWS, DAY_BYTES: by calendar day of the rule's UTC offset. Rows and bytes are
 *   known after the answer and charged then, so the call that crosses the line passes (as do those
 *   in flight with it) and the next is refused.
 * - DAY_AMOUNT: a day's sum of what each call is worth (`units`), which is known before it goes on:
 *   a call that does not fit any more is refused and takes nothing, a smaller one may still pass.
 * - Several rules of one call are judged together with all their counters locked: all count it or
 *   none does, and at no moment is one over.
 *
 * Actions: ALERT lets the call pass and counts it; REJECT refuses just the calls that are over;
 * SUSPEND refuses all calls of the key for suspend_s from the first that is over. A suspension ends
 * early when the rule comes with a later released_ms than it had at the beginning (so whose clock
 * wrote it does not matter); such a release by hand also empties the window or day, as the next
 * call would else suspend again. An end by time does not: with suspend_s shorter than the window
 * the next call over suspends anew. first_over is told once per window (day; for CONCURRENCY
 * window_ms, 0: a minute) and key, to one caller of all processes: raise one alert with `used`.
 *
 * Clocks: windows and suspensions run on the file's own clock, which setting the wall clock does
 * not move. Days follow the wall clock, but a key's day never goes back: when the wall clock does,
 * calls count into the later day until that one comes, so ten minutes either way never give a day's
 * amount twice. A day more than one ahead of the wall clock was a mistake: its count goes on as
 * today's. A call with an earlier time than its key has seen counts at the latest one seen.
 *
 * Full table: a key that holds nothing (window past, none in flight, not suspended) gives way, the
 * one idle longest of the places a new key may take; one that holds something never does, and a new
 * key without a place is EFULL: refuse the call. The first comes with 73 to 94 % of the places
 * live, so give the file half as many again as are to be live at once.
 *
 * The same limits over several machines: libs/limit/redis_script.h. */
#pragma once
#include "base/slice.h"
#include "id/uuid.h"

#define LIMIT_CALL_RULES_MAX 16 /* of one call */
#define LIMIT_RATE_MAX       1000000000u
#define LIMIT_WINDOW_MIN_MS  1000u
#define LIMIT_WINDOW_MAX_MS  86400000u
#define LIMIT_SUSPEND_MAX_S  2678400u /* 31 days */
#define LIMIT_UTC_MAX_S      50400    /* 14 h */
#define LIMIT_WHO_LEN        40

struct limit;
enum limit_err {
    LIMIT_OK,
    LIMIT_EOVER,    /* a rule refuses the call; nothing was counted */
    LIMIT_EFULL,    /* no place for another live key, or 65,535 in flight of one key and process */
    LIMIT_EBUSY,    /* a process was stopped while it held a counter: refuse */
    LIMIT_EINVAL,   /* a rule out of bounds, too many rules, or the same key twice */
    LIMIT_EMISSING, /* no such live key */
    LIMIT_EIO,
    LIMIT_EFORMAT,
};
const char *limit_strerror(enum limit_err err);

enum limit_measure {
    LIMIT_RATE,
    LIMIT_CONCURRENCY,
    LIMIT_DAY_CALLS,
    LIMIT_DAY_ROWS,
    LIMIT_DAY_BYTES,
    LIMIT_DAY_AMOUNT,
    LIMIT_MEASURES /* how many */
};
enum limit_action { LIMIT_ALERT, LIMIT_SUSPEND, LIMIT_REJECT, LIMIT_ACTIONS };

struct limit_rule {
    struct uuid id;
    enum limit_measure measure;
    enum limit_action action;
    uint64_t amount;      /* 0 refuses all. RATE: up to LIMIT_RATE_MAX */
    uint32_t window_ms;   /* RATE: LIMIT_WINDOW_MIN_MS..MAX_MS */
    uint32_t suspend_s;   /* SUSPEND: 1..LIMIT_SUSPEND_MAX_S */
    int32_t utc_offset_s; /* DAY_*: ±LIMIT_UTC_MAX_S; China 28800 */
    uint64_t released_ms; /* when suspensions were last released by hand; 0: never */
    uint64_t units;       /* DAY_AMOUNT: what this call is worth */
    uint64_t ends_ms;     /* wall time from which the rule is no more (BK-10.2.1b3); 0: none */
};
/* EINVAL: it would be refused by all that take one. For the configuration check. */
enum limit_err limit_rule_check(const struct limit_rule *rule) __attribute__((warn_unused_result));

/* Names one counter: a hash over the rule's id and whatever the rule counts apart (app, API, app ×
 * API, owner, address). The same on all machines that share counters. */
struct limit_key {
    uint64_t lo, hi;
};
/* Parts are kept apart by their lengths. seed: secret, so that nobody picks owners or addresses
 * that meet in one counter; shared by all machines that share counters. */
struct limit_key limit_key_make(uint64_t seed, const struct slice *parts, size_t n);

/* Who a counter is about, for the live view; kept from the call that makes it. Nil: not counted
 * apart by that. who: owner or address, cut to what fits, not terminated when full. */
struct limit_label {
    struct uuid rule, app, api;
    char who[LIMIT_WHO_LEN];
};

struct limit_time {
    uint64_t mono_us; /* of limit_now: the file's clock */
    uint64_t wall_ms;
};

enum limit_outcome {
    LIMIT_ALLOWED,
    LIMIT_OVER,      /* with ALERT the call passes all the same */
    LIMIT_SUSPENDED, /* by this call or an earlier one */
};
struct limit_state {
    enum limit_outcome outcome;
    bool first_over;    /* raise the alert or log the event */
    uint64_t used;      /* this call in it when it passes */
    uint64_t remaining; /* for RateLimit headers */
    uint32_t reset_s; /* rounded up: RATE: when the oldest calls leave the window; DAY_*: midnight;
                       * suspended: the end; CONCURRENCY: 1 */
};

/* One rule that applies to a call. */
struct limit_check {
    struct limit_key key;
    const struct limit_rule *rule;
    const struct limit_label *label; /* NULL: all nil */
    struct limit_state state;        /* out */
};

/* keys: how many the file is to hold, for a new file; rounded up to a power of two ≥ 16, 712 bytes
 * each. Mode 0600. EIO: errno says why. EFORMAT: not such a file, see mapfile.h. */
enum limit_err limit_open(struct limit **l, const char *path, size_t keys)
    __attribute__((warn_unused_result));
void limit_close(struct limit **l);
struct limit_time limit_now(const struct limit *l);

/* Judges the call by all n rules and, when none refuses, counts it under each; n 0 is OK. EOVER:
 * *refused_by is the first that refuses; the states of all are set. On other errors the states are
 * undefined and nothing is counted. A rule that has ended allows and counts nothing. */
enum limit_err limit_take(struct limit *l, struct limit_check *checks, size_t n,
                          struct limit_time now, size_t *refused_by)
    __attribute__((warn_unused_result));
/* Once for each take that was OK, with the same checks: gives back what is in flight. Only
 * CONCURRENCY rules are looked at. (Where limit_take would be EBUSY, it stays in flight as long as
 * this process lives.) */
void limit_release(struct limit *l, const struct limit_check *checks, size_t n);
/* DAY_ROWS, DAY_BYTES: what the answer held. Others: EINVAL. */
enum limit_err limit_charge(struct limit *l, const struct limit_check *check, uint64_t amount,
                            struct limit_time now) __attribute__((warn_unused_result));

/* What a call now would be told, without counting it: check->state. */
enum limit_err limit_peek(struct limit *l, struct limit_check *check, struct limit_time now)
    __attribute__((warn_unused_result));

/* A live counter, for the live view. */
struct limit_view {
    struct limit_key key;
    struct limit_label label;
    enum limit_measure measure;
    enum limit_action action;
    uint64_t used, amount; /* amount and action as the last call found them */
    uint32_t window_ms;
    uint32_t suspended_s; /* what is left; 0: not suspended */
};
/* *cursor: 0 at first. False: no more. Each is consistent in itself, not with the others. */
bool limit_next(struct limit *l, size_t *cursor, struct limit_time now, struct limit_view *view);

/* Once a second, by any one process or all: takes back what dead processes had in flight and
 * forgets a part of the keys that hold nothing. */
void limit_tick(struct limit *l, struct limit_time now);
