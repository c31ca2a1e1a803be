/* SPDX-License-Identifier: Apache-2.0 */
/* A call: all its counters are found or made, locked in the order of their addresses (so two calls
 * never wait for each other), judged, then counted. What dies between two counts leaves a call
 * counted under some of its rules that never went through: too much is counted, never too little.
 */
#include "limit/table.h"

/* A call under way: its rules that have not ended, and their counters. */
struct batch {
    struct limit *l;
    struct limit_check *checks[LIMIT_CALL_RULES_MAX];
    struct entry *entries[LIMIT_CALL_RULES_MAX];
    uint8_t order[LIMIT_CALL_RULES_MAX]; /* by address */
    size_t n;
};

enum limit_err limit_rule_check(const struct limit_rule *rule)
{
    bool bounded = (unsigned)rule->measure < LIMIT_MEASURES &&
                   (unsigned)rule->action < LIMIT_ACTIONS &&
                   rule->utc_offset_s >= -LIMIT_UTC_MAX_S && rule->utc_offset_s <= LIMIT_UTC_MAX_S;
    bool rate = rule->measure != LIMIT_RATE ||
                (rule->amount <= LIMIT_RATE_MAX && rule->window_ms >= LIMIT_WINDOW_MIN_MS &&
                 rule->window_ms <= LIMIT_WINDOW_MAX_MS);
    bool suspend = rule->action != LIMIT_SUSPEND ||
                   (rule->suspend_s >= 1 && rule->suspend_s <= LIMIT_SUSPEND_MAX_S);
    return bounded && rate && suspend ? LIMIT_OK : LIMIT_EINVAL;
}

static bool has_ended(const struct limit_rule *rule, struct limit_time now)
{
    return rule->ends_ms != 0 && now.wall_ms >= rule->ends_ms;
}

static enum limit_err batch_init(struct batch *b, struct limit *l, struct limit_check *checks,
                                 size_t n, struct limit_time now)
{
    b->l = l;
    b->n = 0;
    if (n > LIMIT_CALL_RULES_MAX) {
        return LIMIT_EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        if (limit_rule_check(checks[i].rule) != LIMIT_OK) {
            return LIMIT_EINVAL;
        }
        checks[i].state = (struct limit_state){.remaining = checks[i].rule->amount};
        if (!has_ended(checks[i].rule, now)) {
            b->checks[b->n++] = &checks[i];
        }
    }
    return LIMIT_OK;
}

/* By insertion: a handful. */
static enum limit_err batch_sort(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        size_t at = i;
        for (; at > 0 && b->entries[b->order[at - 1]] > b->entries[i]; at--) {
            b->order[at] = b->order[at - 1];
        }
        if (at > 0 && b->entries[b->order[at - 1]] == b->entries[i]) {
            return LIMIT_EINVAL;
        }
        b->order[at] = (uint8_t)i;
    }
    return LIMIT_OK;
}

static void batch_unlock(struct batch *b, size_t n)
{
    while (n > 0) {
        entry_unlock(b->entries[b->order[--n]]);
    }
}

/* EMISSING: one was given to another key since it was found. */
static enum limit_err batch_lock(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct entry *e = b->entries[b->order[i]];
        if (!entry_lock(b->l, e)) {
            batch_unlock(b, i);
            return LIMIT_EBUSY;
        }
        const struct limit_check *check = b->checks[b->order[i]];
        if (!entry_is(e, check->key) || e->measure != check->rule->measure) {
            bool other = entry_is(e, check->key);
            batch_unlock(b, i + 1);
            return other ? LIMIT_EINVAL : LIMIT_EMISSING;
        }
    }
    return LIMIT_OK;
}

static enum limit_err batch_get(struct batch *b, struct limit_time now)
{
    enum limit_err err = LIMIT_EMISSING;
    for (int turn = 0; turn < FIND_TRIES && err == LIMIT_EMISSING; turn++) {
        err = LIMIT_OK;
        for (size_t i = 0; i < b->n && err == LIMIT_OK; i++) {
            err = table_get(b->l, b->checks[i], now, &b->entries[i]);
        }
        err = err == LIMIT_OK ? batch_sort(b) : err;
        err = err == LIMIT_OK ? batch_lock(b) : err;
    }
    return err == LIMIT_EMISSING ? LIMIT_EBUSY : err;
}

static bool is_counter_full(const struct batch *b, size_t i)
{
    return b->entries[i]->measure == LIMIT_CONCURRENCY &&
           b->entries[i]->inflight[b->l->file.owner] == UINT16_MAX;
}

/* Under all locks. */
static enum limit_err batch_decide(struct batch *b, struct limit_time now,
                                   const struct limit_check **refuses)
{
    enum limit_err err = LIMIT_OK;
    *refuses = NULL;
    for (size_t i = 0; i < b->n; i++) {
        const struct limit_rule *rule = b->checks[i]->rule;
        entry_advance(b->entries[i], rule, now);
        bool refused = entry_judge(b->entries[i], rule, now, &b->checks[i]->state);
        *refuses = refused && *refuses == NULL ? b->checks[i] : *refuses;
        err = is_counter_full(b, i) ? LIMIT_EFULL : err;
    }
    for (size_t i = 0; i < b->n; i++) {
        /* An alert is about a call that passed. */
        bool alert = b->checks[i]->rule->action == LIMIT_ALERT;
        if (b->checks[i]->state.outcome == LIMIT_OVER && !(alert && *refuses != NULL)) {
            entry_note_over(b->entries[i], b->checks[i]->rule, &b->checks[i]->state);
        }
    }
    if (*refuses != NULL) {
        return LIMIT_EOVER;
    }
    for (size_t i = 0; i < b->n && err == LIMIT_OK; i++) {
        entry_count_call(b->entries[i], b->checks[i]->rule, b->l->file.owner);
    }
    return err;
}

enum limit_err limit_take(struct limit *l, struct limit_check *checks, size_t n,
                          struct limit_time now, size_t *refused_by)
{
    struct batch b;
    const struct limit_check *refuses;
    enum limit_err err = batch_init(&b, l, checks, n, now);
    err = err == LIMIT_OK ? batch_get(&b, now) : err;
    if (err != LIMIT_OK) {
        return err;
    }
    err = batch_decide(&b, now, &refuses);
    batch_unlock(&b, b.n);
    if (err == LIMIT_EOVER) {
        *refused_by = (size_t)(refuses - checks);
    }
    return err;
}

static void release_one(struct limit *l, struct limit_key key)
{
    struct entry *e = table_find(l, key);
    if (e == NULL || !entry_lock(l, e)) {
        return;
    }
    uint16_t *mine = &e->inflight[l->file.owner];
    if (entry_is(e, key) && e->measure == LIMIT_CONCURRENCY && *mine > 0) {
        (*mine)--;
        e->used--;
    }
    entry_unlock(e);
}

void limit_release(struct limit *l, const struct limit_check *checks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (checks[i].rule->measure == LIMIT_CONCURRENCY) {
            release_one(l, checks[i].key);
        }
    }
}

enum limit_err limit_charge(struct limit *l, const struct limit_check *check, uint64_t amount,
                            struct limit_time now)
{
    struct batch b;
    struct limit_check own = *check;
    if (own.rule->measure != LIMIT_DAY_ROWS && own.rule->measure != LIMIT_DAY_BYTES) {
        return LIMIT_EINVAL;
    }
    enum limit_err err = batch_init(&b, l, &own, 1, now);
    err = err == LIMIT_OK ? batch_get(&b, now) : err;
    if (err != LIMIT_OK || b.n == 0) {
        return err;
    }
    struct entry *e = b.entries[0];
    entry_advance(e, own.rule, now);
    e->used = amount > UINT64_MAX - e->used ? UINT64_MAX : e->used + amount;
    batch_unlock(&b, b.n);
    return LIMIT_OK;
}
