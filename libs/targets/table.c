/* SPDX-License-Identifier: Apache-2.0 */
/* Invariant: an id is put into ids[] last and taken out first, so whoever dies between leaves an
 * empty place. */
#include "targets/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define TARGETS_MIN 16
#define IDLE_US     UINT64_C(3600000000)

static const char magic[MAPFILE_MAGIC_LEN] = "SLUTARG1";

static const char *const texts[] = {
    [TARGETS_OK] = "no error",
    [TARGETS_EIO] = "targets file cannot be opened or made",
    [TARGETS_EFORMAT] = "targets file is damaged or not a targets file",
    [TARGETS_EINVAL] = "breaker configuration is out of bounds",
    [TARGETS_EMISSING] = "no such target",
};

const char *targets_strerror(enum targets_err err)
{
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown error";
}

static bool lay_out(struct targets *t)
{
    size_t n = t->file.body_bytes / (sizeof(uint64_t) + sizeof(struct target));
    t->ids = t->file.body;
    t->all = (struct target *)(void *)(t->ids + n);
    t->mask = n - 1;
    return n >= TARGETS_MIN && (n & (n - 1)) == 0 &&
           t->file.body_bytes % (sizeof(uint64_t) + sizeof(struct target)) == 0;
}

enum targets_err targets_open(struct targets **t, const char *path, size_t targets)
{
    size_t n = TARGETS_MIN;
    while (n < targets && n < SIZE_MAX / 4 / sizeof(struct target)) {
        n *= 2;
    }
    struct targets *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return TARGETS_EIO;
    }
    enum mapfile_err err =
        mapfile_open(&made->file, path, magic, n * (sizeof(uint64_t) + sizeof(struct target)));
    if (err != MAPFILE_OK) {
        free(made);
        return err == MAPFILE_EFORMAT ? TARGETS_EFORMAT : TARGETS_EIO;
    }
    if (!lay_out(made)) {
        targets_close(&made);
        return TARGETS_EFORMAT;
    }
    targets_tick(made); /* so that the dead leave their places to us */
    if (mapfile_join(&made->file) != MAPFILE_OK) {
        targets_close(&made);
        errno = EUSERS;
        return TARGETS_EIO;
    }
    *t = made;
    return TARGETS_OK;
}

void targets_close(struct targets **t)
{
    if (*t != NULL) {
        mapfile_close(&(*t)->file);
        free(*t);
        *t = NULL;
    }
}

uint64_t targets_now(const struct targets *t)
{
    return mapfile_now_us(&t->file);
}

static bool lock(struct targets *t, struct target *g)
{
    enum mapfile_lock got = mapfile_lock(&t->file, &g->lock);
    if (got == MAPFILE_TAKEN_OVER) { /* the one sum; all else is a value of its own */
        g->inflight_sum = 0;
        for (size_t i = 0; i < MAPFILE_OWNERS; i++) {
            g->inflight_sum += g->inflight[i];
        }
    }
    return got != MAPFILE_BUSY;
}

static size_t home_of(const struct targets *t, uint64_t id)
{
    return XXH3_64bits_withSeed(&id, sizeof id, t->file.seed) & t->mask;
}

struct target *target_find(struct targets *t, uint64_t id)
{
    size_t home = home_of(t, id);
    for (size_t i = 0; i < REACH; i++) {
        size_t at = (home + i) & t->mask;
        if (atomic_load_explicit(&t->ids[at], memory_order_acquire) != id) {
            continue;
        }
        struct target *g = target_at(t, at);
        if (g != NULL && g->id == id) {
            return g;
        }
        if (g != NULL) {
            target_unlock(g);
        }
        return NULL;
    }
    return NULL;
}

struct target *target_at(struct targets *t, size_t at)
{
    if (atomic_load(&t->ids[at]) == 0 || !lock(t, &t->all[at])) {
        return NULL;
    }
    return &t->all[at];
}

static bool is_idle(const struct target *g, uint64_t now_us)
{
    return g->inflight_sum == 0 && now_us > g->latest_us && now_us - g->latest_us > IDLE_US;
}

/* Under the head's lock. Locked: an empty place within reach, else one that is idle. */
static struct target *find_room(struct targets *t, uint64_t id, uint64_t now_us)
{
    size_t home = home_of(t, id);
    for (int idle = 0; idle < 2; idle++) {
        for (size_t i = 0; i < REACH; i++) {
            size_t at = (home + i) & t->mask;
            bool empty = atomic_load(&t->ids[at]) == 0;
            if ((!empty && idle == 0) || !lock(t, &t->all[at])) {
                continue;
            }
            if (empty || is_idle(&t->all[at], now_us)) {
                return &t->all[at];
            }
            target_unlock(&t->all[at]);
        }
    }
    return NULL;
}

static void reset(struct targets *t, struct target *g, uint64_t id, const char *label,
                  uint64_t now_us)
{
    _Atomic uint64_t *hint = &t->ids[g - t->all];
    atomic_store(hint, 0);
    memset((char *)g + offsetof(struct target, id), 0, sizeof *g - offsetof(struct target, id));
    g->latest_us = now_us;
    snprintf(g->label, sizeof g->label, "%s", label == NULL ? "" : label);
    g->id = id;
    atomic_store(hint, id);
}

/* Found or not: it may be busy. */
static bool is_listed(const struct targets *t, uint64_t id)
{
    size_t home = home_of(t, id);
    for (size_t i = 0; i < REACH; i++) {
        if (atomic_load(&t->ids[(home + i) & t->mask]) == id) {
            return true;
        }
    }
    return false;
}

struct target *target_get(struct targets *t, uint64_t id, const char *label, uint64_t now_us)
{
    struct target *g = target_find(t, id);
    if (g != NULL || id == 0) {
        return g;
    }
    if (mapfile_lock(&t->file, mapfile_lock_word(&t->file)) == MAPFILE_BUSY) {
        return NULL;
    }
    g = target_find(t, id); /* another made it meanwhile */
    if (g == NULL && !is_listed(t, id)) {
        g = find_room(t, id, now_us);
        if (g != NULL) {
            reset(t, g, id, label, now_us);
        }
    }
    mapfile_unlock(mapfile_lock_word(&t->file));
    return g;
}
