/* SPDX-License-Identifier: Apache-2.0 */
/* Runs wait here and are done by a few threads, the oldest first: but never two into one table, and
 * never so many with one party that it alone, being slow, could keep all others waiting. What is
 * remembered of one that failed is lost with the process: whoever asks is told that it is unknown,
 * and may have it begun again. */
#include <pthread.h>
#include <stdlib.h>

#include "data/collect/inner.h"

enum state { EMPTY, WAITING, RUNNING, DONE };
static const char *const state_names[] = {"unknown", "waiting", "running", "done"};

struct slot {
    enum state state;
    char run[64];
    uint64_t turn;
    json_t *job, *report;
};

struct collector {
    struct collect_env env;
    pthread_t threads[COLLECT_THREADS];
    size_t n_threads;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock, as all below */
    uint64_t turns;
    struct slot slots[COLLECT_WAITING_MAX];
};

static struct slot *find(struct collector *c, const char *run)
{
    for (size_t i = 0; i < COLLECT_WAITING_MAX; i++)
        if (c->slots[i].state != EMPTY && strcmp(c->slots[i].run, run) == 0)
            return &c->slots[i];
    return NULL;
}

/* The oldest of a state; NULL: none. */
static struct slot *oldest(struct collector *c, enum state state)
{
    struct slot *found = NULL;
    for (size_t i = 0; i < COLLECT_WAITING_MAX; i++)
        if (c->slots[i].state == state && (!found || c->slots[i].turn < found->turn))
            found = &c->slots[i];
    return found;
}

static bool names(const json_t *job, const char *party)
{
    size_t i;
    const json_t *input;
    json_array_foreach(json_object_get(job, "inputs"), i, input)
    {
        if (strcmp(collect_text(input, "sender"), party) == 0)
            return true;
    }
    return false;
}

/* A run that only sends has no table. */
static bool same_table(const json_t *a, const json_t *b)
{
    return !json_is_object(json_object_get(a, "send")) &&
           !json_is_object(json_object_get(b, "send")) &&
           strcmp(collect_text(a, "target"), collect_text(b, "target")) == 0 &&
           strcmp(collect_text(a, "table"), collect_text(b, "table")) == 0;
}

static bool may_run(const struct collector *c, const json_t *job)
{
    size_t i;
    const json_t *input;
    for (size_t s = 0; s < COLLECT_WAITING_MAX; s++)
        if (c->slots[s].state == RUNNING && same_table(c->slots[s].job, job))
            return false;
    json_array_foreach(json_object_get(job, "inputs"), i, input)
    {
        const char *party = collect_text(input, "sender");
        size_t busy = 0;
        for (size_t s = 0; s < COLLECT_WAITING_MAX && party[0]; s++)
            busy += c->slots[s].state == RUNNING && names(c->slots[s].job, party);
        if (busy >= COLLECT_OF_PARTY)
            return false;
    }
    return true;
}

/* The oldest that may run now; NULL: none. */
static struct slot *next(struct collector *c)
{
    struct slot *found = NULL;
    for (size_t i = 0; i < COLLECT_WAITING_MAX; i++) {
        struct slot *s = &c->slots[i];
        if (s->state == WAITING && (!found || s->turn < found->turn) && may_run(c, s->job))
            found = s;
    }
    return found;
}

static void *loop(void *ctx)
{
    struct collector *c = ctx;
    pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        struct slot *s = next(c);
        if (!s) {
            pthread_cond_wait(&c->wake, &c->lock);
            continue;
        }
        s->state = RUNNING;
        pthread_mutex_unlock(&c->lock);
        json_t *report = collect_run(&c->env, s->job);
        pthread_mutex_lock(&c->lock);
        json_decref(s->job);
        s->job = NULL;
        s->report = report;
        s->state = DONE;
        pthread_cond_broadcast(&c->wake); /* what waited for this one */
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct collector *collector_start(const struct collect_env *env)
{
    struct collector *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->env = *env;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    while (c->n_threads < COLLECT_THREADS &&
           pthread_create(&c->threads[c->n_threads], NULL, loop, c) == 0)
        c->n_threads++;
    if (c->n_threads == 0)
        collector_stop(&c);
    return c;
}

void collector_stop(struct collector **slot)
{
    struct collector *c = *slot;
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < c->n_threads; i++)
        pthread_join(c->threads[i], NULL);
    for (size_t i = 0; i < COLLECT_WAITING_MAX; i++) {
        json_decref(c->slots[i].job);
        json_decref(c->slots[i].report);
    }
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c);
    *slot = NULL;
}

static struct slot *free_slot(struct collector *c)
{
    struct slot *s = oldest(c, EMPTY);
    if (s)
        return s;
    s = oldest(c, DONE);
    if (s) {
        json_decref(s->report);
        *s = (struct slot){.state = EMPTY};
    }
    return s;
}

bool collector_submit(struct collector *c, const json_t *job)
{
    const char *run = collect_text(job, "run");
    pthread_mutex_lock(&c->lock);
    struct slot *s = find(c, run);
    bool ok = s != NULL;
    if (!s && strlen(run) < sizeof s->run && (s = free_slot(c)) != NULL) {
        strcpy(s->run, run);
        s->job = json_deep_copy(job);
        s->state = s->job ? WAITING : EMPTY;
        s->turn = ++c->turns;
        ok = s->job != NULL;
        pthread_cond_broadcast(&c->wake);
    }
    pthread_mutex_unlock(&c->lock);
    return ok;
}

json_t *collector_state(struct collector *c, const struct uuid *target, const char *run)
{
    pthread_mutex_lock(&c->lock);
    const struct slot *s = find(c, run);
    enum state state = s ? s->state : EMPTY;
    json_t *report = s && s->report ? json_incref(s->report) : NULL;
    pthread_mutex_unlock(&c->lock);
    if (state == EMPTY && (report = collect_done(&c->env, target, run)) != NULL)
        state = DONE;
    return json_pack("{s:s, s:o*}", "state", state_names[state], "report", report);
}
