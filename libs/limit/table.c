/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants:
 * - An entry changes its key only under both the head's lock (or with its tag gone) and its own.
 * - A tag is taken away first and put last, so whoever dies between leaves an empty place.
 * - entry.used can always be made again from the parts, so no order of stores between them
 *   matters to one who takes a lock over. */
#include "limit/table.h"

#include <errno.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static const char magic[MAPFILE_MAGIC_LEN] = "SLULIMI2";

static const char *const texts[] = {
    [LIMIT_OK] = "no error",
    [LIMIT_EOVER] = "over a limit",
    [LIMIT_EFULL] = "no room for another live counter",
    [LIMIT_EBUSY] = "a process was stopped while it held a counter",
    [LIMIT_EINVAL] = "limit rule is out of bounds, or a counter is named twice",
    [LIMIT_EMISSING] = "no such counter",
    [LIMIT_EIO] = "limit file cannot be opened or made",
    [LIMIT_EFORMAT] = "limit file is damaged or not a limit file",
};

const char *limit_strerror(enum limit_err err)
{
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown error";
}

struct limit_key limit_key_make(uint64_t seed, const struct slice *parts, size_t n)
{
    XXH128_hash_t hash = {seed, n};
    for (size_t i = 0; i < n; i++) {
        uint64_t links[3] = {hash.low64, hash.high64, parts[i].n};
        XXH128_hash_t part = XXH3_128bits_withSeed(parts[i].p, parts[i].n, seed ^ hash.low64);
        uint64_t all[5] = {links[0], links[1], links[2], part.low64, part.high64};
        hash = XXH3_128bits_withSeed(all, sizeof all, seed);
    }
    hash.low64 += hash.low64 == 0 && hash.high64 == 0; /* both 0 is no key */
    return (struct limit_key){hash.low64, hash.high64};
}

/* Where things are in the body; false: it has no such size. */
static bool lay_out(struct limit *l)
{
    size_t set_bytes = sizeof(struct set) + WAYS * sizeof(struct entry);
    size_t sets = l->file.body_bytes / set_bytes;
    l->sets = l->file.body;
    l->entries = (struct entry *)(void *)(l->sets + sets);
    l->set_mask = sets - 1;
    return sets >= SETS_MIN && (sets & (sets - 1)) == 0 && l->file.body_bytes % set_bytes == 0;
}

enum limit_err limit_open(struct limit **l, const char *path, size_t keys)
{
    size_t sets = SETS_MIN;
    while (sets * WAYS < keys && sets < SIZE_MAX / 16 / WAYS / sizeof(struct entry)) {
        sets *= 2;
    }
    struct limit *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return LIMIT_EIO;
    }
    enum mapfile_err err = mapfile_open(&made->file, path, magic,
                                        sets * (sizeof(struct set) + WAYS * sizeof(struct entry)));
    if (err != MAPFILE_OK) {
        free(made);
        return err == MAPFILE_EFORMAT ? LIMIT_EFORMAT : LIMIT_EIO;
    }
    if (!lay_out(made)) {
        limit_close(&made);
        return LIMIT_EFORMAT;
    }
    limit_tick(made, limit_now(made)); /* so that the dead leave their places to us */
    if (mapfile_join(&made->file) != MAPFILE_OK) {
        limit_close(&made);
        errno = EUSERS;
        return LIMIT_EIO;
    }
    *l = made;
    return LIMIT_OK;
}

void limit_close(struct limit **l)
{
    if (*l != NULL) {
        mapfile_close(&(*l)->file);
        free(*l);
        *l = NULL;
    }
}

/* A sum is made again from what it sums. */
static void repair(struct entry *e)
{
    uint64_t sum = 0;
    if (e->measure == LIMIT_RATE) {
        for (size_t i = 0; i < PARTS; i++) {
            sum += e->calls[i];
        }
        e->used = sum;
        e->oldest = e->newest < PARTS ? 0 : e->newest - PARTS + 1;
    } else if (e->measure == LIMIT_CONCURRENCY) {
        for (size_t i = 0; i < MAPFILE_OWNERS; i++) {
            sum += e->inflight[i];
        }
        e->used = sum;
    }
}

bool entry_lock(struct limit *l, struct entry *e)
{
    enum mapfile_lock got = mapfile_lock(&l->file, &e->lock);
    if (got == MAPFILE_TAKEN_OVER) {
        repair(e);
    }
    return got != MAPFILE_BUSY;
}

void entry_unlock(struct entry *e)
{
    mapfile_unlock(&e->lock);
}

/* Where a key may stand. */
struct place {
    uint64_t tag;
    size_t sets[2];
};

static struct place place_of(const struct limit *l, struct limit_key key)
{
    uint64_t hash = XXH3_64bits_withSeed(&key, sizeof key, l->file.seed);
    size_t one = hash & l->set_mask, two = hash >> 32 & l->set_mask;
    two ^= one == two;
    return (struct place){hash + (hash == 0), {one, two}};
}

static struct entry *look(const struct limit *l, const struct place *place)
{
    for (size_t s = 0; s < 2; s++) {
        const struct set *set = &l->sets[place->sets[s]];
        for (size_t i = 0; i < WAYS; i++) {
            if (atomic_load_explicit(&set->tags[i], memory_order_acquire) == place->tag) {
                struct entry *e = &l->entries[place->sets[s] * WAYS + i];
                __builtin_prefetch(&e->suspended_until_us, 1);
                return e;
            }
        }
    }
    return NULL;
}

struct entry *table_find(const struct limit *l, struct limit_key key)
{
    struct place place = place_of(l, key);
    return look(l, &place);
}

static _Atomic uint64_t *tag_of(const struct limit *l, const struct entry *e)
{
    size_t i = (size_t)(e - l->entries);
    return &l->sets[i / WAYS].tags[i % WAYS];
}

void table_forget(struct limit *l, struct entry *e, struct limit_time now)
{
    if (!entry_holds(e, now)) {
        atomic_store(tag_of(l, e), 0);
        e->key = (struct limit_key){0, 0};
    }
}

/* When it was last used, if it holds nothing; else, or if it is busy, UINT64_MAX. */
static uint64_t idle_since(struct limit *l, struct entry *e, struct limit_time now)
{
    if (!entry_lock(l, e)) {
        return UINT64_MAX;
    }
    uint64_t since_us = entry_holds(e, now) ? UINT64_MAX : e->latest_us;
    entry_unlock(e);
    return since_us;
}

/* What a set has to offer. */
struct room {
    size_t places;       /* empty or idle */
    uint64_t since_us;   /* 0: empty */
    struct entry *entry; /* the one to take */
};

static struct room room_in(struct limit *l, size_t set, struct limit_time now)
{
    struct room room = {.since_us = UINT64_MAX};
    for (size_t i = 0; i < WAYS; i++) {
        struct entry *e = &l->entries[set * WAYS + i];
        bool empty = atomic_load(tag_of(l, e)) == 0;
        uint64_t since_us = empty ? 0 : idle_since(l, e, now);
        room.places += since_us != UINT64_MAX;
        if (since_us < room.since_us) {
            room.since_us = since_us;
            room.entry = e;
        }
    }
    return room;
}

/* A place in the set with fewer live keys, so that both fill alike; there an empty one, else the
 * one idle longest. NULL: all hold something. What it says is looked at again under the entry's
 * lock. */
static struct entry *choose(struct limit *l, const struct place *place, struct limit_time now)
{
    struct room one = room_in(l, place->sets[0], now), two = room_in(l, place->sets[1], now);
    return one.places >= two.places ? one.entry : two.entry;
}

/* Under the lock of the entry: makes it the key's own. The key last but the tag: one who takes the
 * lock over must not find the key with another's counts. */
static void reset(struct limit *l, struct entry *e, const struct limit_check *check,
                  struct limit_time now)
{
    atomic_store(tag_of(l, e), 0);
    e->key = (struct limit_key){0, 0};
    atomic_signal_fence(memory_order_seq_cst);
    memset((char *)e + offsetof(struct entry, measure), 0,
           sizeof *e - offsetof(struct entry, measure));
    e->measure = (uint8_t)check->rule->measure;
    e->latest_us = now.mono_us;
    if (check->label != NULL) {
        e->label = *check->label;
    }
    atomic_signal_fence(memory_order_seq_cst);
    e->key = check->key;
}

/* Under the head's lock. EMISSING: it changed under us, look again. */
static enum limit_err insert(struct limit *l, const struct place *place,
                             const struct limit_check *check, struct limit_time now,
                             struct entry **made)
{
    *made = look(l, place);
    if (*made != NULL) {
        return LIMIT_OK;
    }
    struct entry *e = choose(l, place, now);
    if (e == NULL) {
        return LIMIT_EFULL;
    }
    if (!entry_lock(l, e)) {
        return LIMIT_EBUSY;
    }
    bool is_free = atomic_load(tag_of(l, e)) == 0 || !entry_holds(e, now);
    if (is_free) {
        reset(l, e, check, now);
        atomic_store(tag_of(l, e), place->tag);
        *made = e;
    }
    entry_unlock(e);
    return is_free ? LIMIT_OK : LIMIT_EMISSING;
}

enum limit_err table_get(struct limit *l, const struct limit_check *check, struct limit_time now,
                         struct entry **e)
{
    struct place place = place_of(l, check->key);
    *e = look(l, &place);
    if (*e != NULL) {
        return LIMIT_OK;
    }
    enum limit_err err = LIMIT_EMISSING;
    for (int i = 0; i < FIND_TRIES && err == LIMIT_EMISSING; i++) {
        if (mapfile_lock(&l->file, mapfile_lock_word(&l->file)) == MAPFILE_BUSY) {
            return LIMIT_EBUSY;
        }
        err = insert(l, &place, check, now, e);
        mapfile_unlock(mapfile_lock_word(&l->file));
    }
    return err == LIMIT_EMISSING ? LIMIT_EBUSY : err;
}
