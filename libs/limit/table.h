/* SPDX-License-Identifier: Apache-2.0 */
/* Inside libs/limit. The file's body: sets of 8 tags (one cache line each), then 8 entries a set.
 * A key may stand in either of two sets. A tag is a hint, read without a lock; the entry's own key,
 * read under its lock, decides. Locks: entries in the order of their addresses; the head's lock,
 * for new keys, before any entry's. */
#pragma once
#include "limit/limit.h"
#include "mapfile/mapfile.h"

#define WAYS       8
#define PARTS      128 /* of a window and what has just left it */
#define SETS_MIN   2
#define FIND_TRIES 16

struct entry {
    _Atomic uint64_t lock;
    struct limit_key key; /* both 0: none */
    uint8_t measure, action;
    int32_t utc_offset_s;
    uint64_t window_us; /* RATE */
    uint64_t latest_us; /* never goes back */
    uint64_t newest;    /* RATE: number of the newest part; DAY_*: the day */
    uint64_t used;      /* sum of calls or inflight; DAY_*: the count */

    uint64_t suspended_until_us, released_ms; /* released_ms: of the rule when it was suspended */
    uint64_t told_us;                         /* first_over was last told; DAY_*: day + 1 */
    uint64_t amount;
    uint64_t oldest; /* RATE: no part before it has a call */

    struct limit_label label;
    union {
        uint32_t calls[PARTS];             /* RATE */
        uint16_t inflight[MAPFILE_OWNERS]; /* CONCURRENCY */
    };
};
_Static_assert(sizeof(struct entry) == 704, "whole cache lines");

struct set {
    _Atomic uint64_t tags[WAYS];
};

struct limit {
    struct mapfile file;
    struct set *sets;
    struct entry *entries;
    uint64_t set_mask;
    size_t forget_at; /* of this process's ticks */
};

/* Locks; repairs when the holder had died. False: busy. */
bool entry_lock(struct limit *l, struct entry *e) __attribute__((warn_unused_result));
void entry_unlock(struct entry *e);
static inline bool entry_is(const struct entry *e, struct limit_key key)
{
    return e->key.lo == key.lo && e->key.hi == key.hi;
}
static inline size_t entry_count(const struct limit *l)
{
    return (size_t)(l->set_mask + 1) * WAYS;
}
/* Unlocked: check entry_is() under the lock. NULL: none such. */
struct entry *table_find(const struct limit *l, struct limit_key key);
/* Finds or makes. EFULL, EBUSY. */
enum limit_err table_get(struct limit *l, const struct limit_check *check, struct limit_time now,
                         struct entry **e) __attribute__((warn_unused_result));
/* Drops it if it holds nothing. The caller holds the lock. */
void table_forget(struct limit *l, struct entry *e, struct limit_time now);

/* window.c; all under the entry's lock. */
/* The key holds something that must not be lost. */
bool entry_holds(const struct entry *e, struct limit_time now);
/* Brings the entry to the time and the rule: what is past leaves. */
void entry_advance(struct entry *e, const struct limit_rule *rule, struct limit_time now);
/* Judges one more call and sets *state; true: refuse. Counts nothing. */
bool entry_judge(const struct entry *e, const struct limit_rule *rule, struct limit_time now,
                 struct limit_state *state);
/* What being over does: told once, suspended. For a call that is over. */
void entry_note_over(struct entry *e, const struct limit_rule *rule, struct limit_state *state);
/* Counts the call. */
void entry_count_call(struct entry *e, const struct limit_rule *rule, unsigned owner);
