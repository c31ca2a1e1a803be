/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of one counter.
 *
 * RATE: with parts of w = ceil(W / 127), a call in part b leaves when part b + 128 begins. Two
 * calls less than W apart are at most 127 parts apart, so both are among the 128 counted, and what
 * is counted is at most the amount: exact. A call stays counted for 128 w at most, 128/127 of W:
 * 0.8 % is given away. */
#include "limit/table.h"

#define PARTS_OF_W (PARTS - 1)
#define DAY_S      86400
#define MINUTE_US  60000000u
#define SECOND_US  1000000u

static uint64_t part_us(const struct entry *e)
{
    uint64_t w = (e->window_us + PARTS_OF_W - 1) / PARTS_OF_W;
    return w == 0 ? 1 : w; /* a damaged file must not divide by 0 */
}

static int64_t local_s(int32_t utc_offset_s, struct limit_time now)
{
    return (int64_t)(now.wall_ms / 1000) + utc_offset_s + DAY_S; /* + a day: never below 0 */
}

static uint64_t day_of(int32_t utc_offset_s, struct limit_time now)
{
    return (uint64_t)(local_s(utc_offset_s, now) / DAY_S);
}

static uint64_t time_of(const struct entry *e, struct limit_time now)
{
    return now.mono_us > e->latest_us ? now.mono_us : e->latest_us;
}

static bool is_daily(unsigned measure)
{
    return measure >= LIMIT_DAY_CALLS;
}

bool entry_holds(const struct entry *e, struct limit_time now)
{
    if (e->suspended_until_us > now.mono_us) {
        return true;
    }
    if (e->used == 0) {
        return false;
    }
    if (e->measure == LIMIT_RATE) {
        return e->newest + PARTS > now.mono_us / part_us(e);
    }
    return e->measure == LIMIT_CONCURRENCY || day_of(e->utc_offset_s, now) <= e->newest;
}

/* Past the parts without a call, so that neither this nor a reset time looks at each of them. */
static void skip_empty(struct entry *e)
{
    while (e->oldest < e->newest && e->calls[e->oldest % PARTS] == 0) {
        e->oldest++;
    }
}

/* Drops what leaves the window when `part` begins. */
static void advance_parts(struct entry *e, uint64_t part)
{
    if (part <= e->newest) {
        return;
    }
    if (e->oldest + PARTS <= e->newest) { /* only in a damaged file: no endless walk */
        e->oldest = e->newest - PARTS_OF_W;
    }
    for (; e->oldest <= e->newest && e->oldest + PARTS <= part && e->used > 0; e->oldest++) {
        e->used -= e->calls[e->oldest % PARTS];
        e->calls[e->oldest % PARTS] = 0;
    }
    e->newest = part;
    if (e->used == 0) {
        e->oldest = part;
    }
    skip_empty(e);
}

/* Another window: all that was counted counts as of now, so that nothing is over meanwhile. */
static void change_window(struct entry *e, uint64_t window_us)
{
    uint64_t used = e->used;
    memset(e->calls, 0, sizeof e->calls);
    e->window_us = window_us;
    e->newest = e->oldest = e->latest_us / part_us(e);
    e->calls[e->newest % PARTS] = used > UINT32_MAX ? UINT32_MAX : (uint32_t)used;
    e->used = e->calls[e->newest % PARTS];
}

static void advance_day(struct entry *e, uint64_t day)
{
    if (day > e->newest) {
        e->used = 0;
        e->newest = day;
    } else if (e->newest - day > 1) {
        e->newest = day;
    }
}

/* A release by hand: see limit.h. Calls in flight stay what they are. */
static void clear(struct entry *e)
{
    e->suspended_until_us = 0;
    e->told_us = 0;
    if (e->measure != LIMIT_CONCURRENCY) {
        memset(e->calls, 0, sizeof e->calls);
        e->used = 0;
        e->oldest = e->newest;
    }
}

void entry_advance(struct entry *e, const struct limit_rule *rule, struct limit_time now)
{
    uint64_t window_us = (uint64_t)rule->window_ms * 1000;
    e->latest_us = time_of(e, now);
    atomic_signal_fence(memory_order_seq_cst); /* else one who takes over may be earlier */
    e->amount = rule->amount;
    e->action = (uint8_t)rule->action;
    if (rule->measure == LIMIT_RATE) {
        if (e->window_us == window_us) {
            advance_parts(e, e->latest_us / part_us(e));
        } else {
            change_window(e, window_us);
        }
    } else if (is_daily(rule->measure)) {
        e->utc_offset_s = rule->utc_offset_s;
        advance_day(e, day_of(rule->utc_offset_s, now));
    }
    if (e->suspended_until_us != 0 && rule->released_ms > e->released_ms) {
        clear(e);
    }
}

static uint32_t seconds_up(uint64_t us)
{
    uint64_t s = (us + SECOND_US - 1) / SECOND_US;
    return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

/* Until the oldest counted calls leave. */
static uint64_t rate_reset_us(const struct entry *e)
{
    return (e->oldest + PARTS) * part_us(e) - e->latest_us;
}

static uint32_t reset_s(const struct entry *e, struct limit_time now)
{
    if (e->measure == LIMIT_RATE) {
        return seconds_up(rate_reset_us(e));
    }
    if (e->measure == LIMIT_CONCURRENCY) {
        return 1;
    }
    int64_t midnight_s = (int64_t)(e->newest + 1) * DAY_S;
    return (uint32_t)(midnight_s - local_s(e->utc_offset_s, now));
}

bool entry_judge(const struct entry *e, const struct limit_rule *rule, struct limit_time now,
                 struct limit_state *state)
{
    bool after = rule->measure == LIMIT_DAY_ROWS || rule->measure == LIMIT_DAY_BYTES;
    bool sum = rule->measure == LIMIT_DAY_AMOUNT;
    uint64_t more = sum ? rule->units : !after;
    uint64_t left = e->used < rule->amount ? rule->amount - e->used : 0;
    bool fits = sum ? left >= more : left > 0;
    *state = (struct limit_state){.used = e->used, .remaining = left};
    if (rule->action == LIMIT_SUSPEND && e->suspended_until_us > e->latest_us) {
        state->outcome = LIMIT_SUSPENDED;
        state->remaining = 0;
        state->reset_s = seconds_up(e->suspended_until_us - e->latest_us);
        return true;
    }
    state->reset_s = reset_s(e, now);
    state->outcome = fits ? LIMIT_ALLOWED : LIMIT_OVER;
    if (fits || rule->action == LIMIT_ALERT) {
        state->used += more;
        state->remaining -= fits ? more : 0;
        return false;
    }
    return true;
}

static bool is_first_over(const struct entry *e)
{
    if (e->told_us == 0) {
        return true;
    }
    if (is_daily(e->measure)) {
        return e->told_us < e->newest + 1;
    }
    uint64_t apart_us = e->window_us != 0 ? e->window_us : MINUTE_US;
    return e->latest_us - e->told_us >= apart_us;
}

void entry_note_over(struct entry *e, const struct limit_rule *rule, struct limit_state *state)
{
    if (rule->measure == LIMIT_CONCURRENCY) {
        e->window_us = (uint64_t)rule->window_ms * 1000;
    }
    if (is_first_over(e)) {
        state->first_over = true;
        e->told_us = is_daily(e->measure) ? e->newest + 1 : e->latest_us;
    }
    if (rule->action == LIMIT_SUSPEND && state->outcome == LIMIT_OVER) {
        e->released_ms = rule->released_ms;
        e->suspended_until_us = e->latest_us + (uint64_t)rule->suspend_s * SECOND_US;
        state->outcome = LIMIT_SUSPENDED;
        state->reset_s = rule->suspend_s;
    }
}

void entry_count_call(struct entry *e, const struct limit_rule *rule, unsigned owner)
{
    uint32_t *calls = &e->calls[e->newest % PARTS];
    switch (e->measure) {
    case LIMIT_RATE:
        if (*calls != UINT32_MAX) { /* only ALERT comes so far: it counts no further */
            (*calls)++;
            e->used++;
        }
        break;
    case LIMIT_CONCURRENCY:
        e->inflight[owner]++;
        e->used++;
        break;
    case LIMIT_DAY_CALLS:
        e->used++;
        break;
    case LIMIT_DAY_AMOUNT:
        e->used = rule->units > UINT64_MAX - e->used ? UINT64_MAX : e->used + rule->units;
        break;
    default: /* charged after the answer */
        break;
    }
}
