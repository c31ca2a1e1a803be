/* SPDX-License-Identifier: Apache-2.0 */
/* What is not on the path of a call: the live view, and clearing up. */
#include "limit/table.h"

#include "base/clock.h"

#define FORGET_A_TICK 1024
#define HIDDEN        offsetof(struct entry, key) /* the lock: others write it at any time */

struct limit_time limit_now(const struct limit *l)
{
    return (struct limit_time){mapfile_now_us(&l->file), clock_wall_ms()};
}

/* Looks at a copy, so that looking changes nothing. */
static bool copy_entry(struct limit *l, struct entry *e, struct entry *copy)
{
    if (!entry_lock(l, e)) {
        return false;
    }
    memcpy((char *)copy + HIDDEN, (const char *)e + HIDDEN, sizeof *e - HIDDEN);
    entry_unlock(e);
    return true;
}

enum limit_err limit_peek(struct limit *l, struct limit_check *check, struct limit_time now)
{
    struct entry copy, *e = table_find(l, check->key);
    if (limit_rule_check(check->rule) != LIMIT_OK) {
        return LIMIT_EINVAL;
    }
    if (e == NULL) {
        return LIMIT_EMISSING;
    }
    if (!copy_entry(l, e, &copy)) {
        return LIMIT_EBUSY;
    }
    if (!entry_is(&copy, check->key) || copy.measure != check->rule->measure) {
        return LIMIT_EMISSING;
    }
    entry_advance(&copy, check->rule, now);
    (void)entry_judge(&copy, check->rule, now, &check->state);
    return LIMIT_OK;
}

/* As entry_advance does, but with what the entry itself knows of its rule. */
static void advance_alone(struct entry *e, struct limit_time now)
{
    struct limit_rule rule = {.measure = e->measure,
                              .action = e->action,
                              .amount = e->amount,
                              .window_ms = (uint32_t)(e->window_us / 1000),
                              .utc_offset_s = e->utc_offset_s};
    entry_advance(e, &rule, now);
}

bool limit_next(struct limit *l, size_t *cursor, struct limit_time now, struct limit_view *view)
{
    struct entry copy;
    while (*cursor < entry_count(l)) {
        size_t at = (*cursor)++;
        if (atomic_load(&l->sets[at / WAYS].tags[at % WAYS]) == 0 ||
            !copy_entry(l, &l->entries[at], &copy) || copy.measure >= LIMIT_MEASURES ||
            !entry_holds(&copy, now)) {
            continue;
        }
        advance_alone(&copy, now);
        uint64_t until_us = copy.suspended_until_us;
        uint64_t left_us = until_us > now.mono_us ? until_us - now.mono_us : 0;
        *view = (struct limit_view){copy.key,
                                    copy.label,
                                    copy.measure,
                                    copy.action,
                                    copy.used,
                                    copy.amount,
                                    (uint32_t)(copy.window_us / 1000),
                                    (uint32_t)((left_us + 999999) / 1000000)};
        return true;
    }
    return false;
}

/* True: nothing is counted under that owner any more. */
static bool take_back(struct limit *l, unsigned owner)
{
    bool all = true;
    for (size_t i = 0; i < entry_count(l); i++) {
        struct entry *e = &l->entries[i];
        if (atomic_load(&l->sets[i / WAYS].tags[i % WAYS]) == 0) {
            continue;
        }
        if (!entry_lock(l, e)) {
            all = false;
            continue;
        }
        if (e->measure == LIMIT_CONCURRENCY && e->inflight[owner] > 0) {
            e->used -= e->inflight[owner] < e->used ? e->inflight[owner] : e->used;
            e->inflight[owner] = 0;
        }
        entry_unlock(e);
    }
    return all;
}

static void forget_some(struct limit *l, struct limit_time now)
{
    size_t n = entry_count(l) < FORGET_A_TICK ? entry_count(l) : FORGET_A_TICK;
    for (size_t i = 0; i < n; i++) {
        size_t at = l->forget_at++ % entry_count(l);
        struct entry *e = &l->entries[at];
        if (atomic_load(&l->sets[at / WAYS].tags[at % WAYS]) != 0 && entry_lock(l, e)) {
            table_forget(l, e, now);
            entry_unlock(e);
        }
    }
}

void limit_tick(struct limit *l, struct limit_time now)
{
    for (unsigned i = 0; i < MAPFILE_OWNERS; i++) {
        if (mapfile_owner_is_dead(&l->file, i) && take_back(l, i)) {
            mapfile_owner_free(&l->file, i);
        }
    }
    forget_some(l, now);
    mapfile_keep_time(&l->file);
}
