/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <xxhash.h>

#include "base/clock.h"

#define BUCKETS 256

struct idle {
    struct source *source;
    uint64_t rev;
    bool write;
};

struct pool {
    struct uuid id;
    struct pool_terms terms;
    unsigned open; /* in use and idle */
    size_t n_idle;
    struct idle idle[POOL_MAX]; /* the last one used at the end */
    struct pool *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct pool *buckets[BUCKETS];
static size_t all_idle;

static void make_condition(void)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&freed, &attr);
    pthread_condattr_destroy(&attr);
}

static struct pool **slot_of(const struct uuid *id)
{
    struct pool **p = &buckets[XXH3_64bits(id->b, UUID_LEN) % BUCKETS];
    while (*p && !uuid_eq(&(*p)->id, id))
        p = &(*p)->next;
    return p;
}

static struct source *take_idle(struct pool *p, size_t at)
{
    struct source *source = p->idle[at].source;
    p->n_idle--;
    all_idle--;
    for (size_t i = at; i < p->n_idle; i++)
        p->idle[i] = p->idle[i + 1];
    return source;
}

void pool_set(const struct uuid *id, const struct pool_terms *terms)
{
    struct source *old[POOL_MAX];
    size_t n = 0;
    pthread_once(&once, make_condition);
    pthread_mutex_lock(&lock);
    struct pool **slot = slot_of(id);
    if (!*slot && (*slot = calloc(1, sizeof **slot)) != NULL)
        (*slot)->id = *id;
    struct pool *p = *slot;
    while (p && p->n_idle && p->terms.rev != terms->rev) {
        old[n++] = take_idle(p, p->n_idle - 1);
        p->open--;
    }
    if (p) {
        p->terms = *terms;
        if (p->terms.max > POOL_MAX)
            p->terms.max = POOL_MAX;
    }
    pthread_cond_broadcast(&freed);
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < n; i++)
        source_free(&old[i]);
}

/* The one used last first: the others grow old and are the ones to close. */
static bool fitting(const struct pool *p, uint64_t rev, bool write, size_t *at)
{
    for (*at = p->n_idle; *at > 0; --*at)
        if (p->idle[*at - 1].rev == rev && p->idle[*at - 1].write == write) {
            --*at;
            return true;
        }
    return false;
}

static struct timespec until(uint64_t wait_ms)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += (time_t)(wait_ms / 1000);
    ts.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    return ts;
}

/* A place: a new one, or that of an idle connection of another kind, *old. False: there is none. */
static bool find_place(struct pool *p, struct source **old)
{
    if (p->open < p->terms.max) {
        p->open++;
        return true;
    }
    if (p->n_idle == 0)
        return false;
    *old = take_idle(p, 0);
    return true;
}

/* With the lock held; the pool stays where it is as long as there are terms. */
static enum pool_err wait_for(struct pool *p, uint64_t rev, bool own, bool write,
                              struct source **source, struct source **old)
{
    struct timespec end = until(p->terms.wait_ms);
    size_t at;
    for (bool late = false;;) {
        if (!own && p->terms.rev != rev)
            return POOL_EUNKNOWN;
        if (!own && fitting(p, rev, write, &at)) {
            *source = take_idle(p, at);
            return POOL_OK;
        }
        if (find_place(p, old))
            return POOL_OK;
        if (late)
            return POOL_EBUSY;
        late = pthread_cond_timedwait(&freed, &lock, &end) != 0;
    }
}

enum pool_err pool_take(const struct uuid *id, uint64_t rev, bool write, struct source **source)
{
    struct source *old = NULL;
    *source = NULL;
    pthread_once(&once, make_condition);
    pthread_mutex_lock(&lock);
    struct pool *p = *slot_of(id);
    enum pool_err err = p ? wait_for(p, rev, false, write, source, &old) : POOL_EUNKNOWN;
    pthread_mutex_unlock(&lock);
    source_free(&old);
    return err;
}

void pool_give(const struct uuid *id, uint64_t rev, bool write, struct source *source)
{
    pthread_mutex_lock(&lock);
    struct pool *p = *slot_of(id);
    bool keep = p && source && rev == p->terms.rev && p->open <= p->terms.max &&
                p->n_idle < POOL_MAX && all_idle < POOL_IDLE;
    if (keep) {
        p->idle[p->n_idle++] = (struct idle){source, rev, write};
        all_idle++;
    } else if (p) {
        p->open--;
    }
    pthread_cond_broadcast(&freed);
    pthread_mutex_unlock(&lock);
    if (!keep)
        source_free(&source);
}

enum pool_err pool_enter(const struct uuid *id, bool *held)
{
    struct source *none = NULL, *old = NULL;
    pthread_once(&once, make_condition);
    pthread_mutex_lock(&lock);
    struct pool *p = *slot_of(id);
    enum pool_err err = p ? wait_for(p, 0, true, false, &none, &old) : POOL_OK;
    *held = p && err == POOL_OK;
    pthread_mutex_unlock(&lock);
    source_free(&old);
    return err;
}

void pool_leave(const struct uuid *id)
{
    pool_give(id, 0, false, NULL);
}

void pool_close_all(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (buckets[i]) {
            struct pool *p = buckets[i];
            buckets[i] = p->next;
            for (size_t k = 0; k < p->n_idle; k++)
                source_free(&p->idle[k].source);
            free(p);
        }
    }
    all_idle = 0;
    pthread_mutex_unlock(&lock);
}
