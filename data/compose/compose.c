/* SPDX-License-Identifier: Apache-2.0 */
/* The executors: each a thread with a curl multi handle and the jobs it was dealt. A job is touched
 * by its submitter before and by one executor after it is queued, so jobs need no locks. */
#include "data/compose/compose.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/compose/job.h"

#define IDLE_MS         1000
#define CONNECTIONS_MAX 128 /* of one executor to the gateway */

struct lane {
    struct executor e;
    pthread_t thread;
    bool started;
    struct compose_job *queue; /* under compose.mutex */
};

struct compose {
    char socket[108];
    unsigned threads;
    struct lane lanes[COMPOSE_THREADS_MAX];
    pthread_mutex_t mutex;
    /* under mutex */
    unsigned jobs, turn;
    bool stopping;
};

const char *compose_socket(const struct compose *c)
{
    return c->socket;
}

static void finish(struct compose *c, struct compose_job *job)
{
    void (*done)(void *, struct compose_result *) = job->done;
    void *ctx = job->ctx;
    struct compose_result result = job->result;
    compose_job_free(&job);
    pthread_mutex_lock(&c->mutex);
    c->jobs--;
    pthread_mutex_unlock(&c->mutex);
    done(ctx, &result);
}

/* Ends and forgets the jobs that are over. */
static void sweep(struct lane *lane)
{
    for (struct compose_job **at = &lane->e.jobs; *at;) {
        struct compose_job *job = *at;
        if (!job->over) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        finish(lane->e.compose, job);
    }
}

/* Takes what was queued. False: it is time to stop. */
static bool take_queue(struct lane *lane)
{
    struct compose *c = lane->e.compose;
    pthread_mutex_lock(&c->mutex);
    struct compose_job *queue = lane->queue;
    bool stopping = c->stopping;
    lane->queue = NULL;
    pthread_mutex_unlock(&c->mutex);
    while (queue) {
        struct compose_job *job = queue;
        queue = job->next;
        job->next = lane->e.jobs;
        lane->e.jobs = job;
        job_advance(&lane->e, job);
    }
    return !stopping;
}

static void read_messages(struct lane *lane)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(lane->e.multi, &left)) != NULL) {
        struct part *part = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* the message dies with the handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &part);
        job_part_done(&lane->e, part, code);
    }
}

static void *run(void *ctx)
{
    struct lane *lane = ctx;
    while (take_queue(lane)) {
        int running;
        sweep(lane);
        curl_multi_perform(lane->e.multi, &running);
        read_messages(lane);
        sweep(lane);
        curl_multi_poll(lane->e.multi, NULL, 0, IDLE_MS, NULL);
    }
    for (struct compose_job *job = lane->e.jobs; job; job = job->next) {
        if (!job->over)
            job_fail(job, PROBLEM_COMPOSITION_FAILED, NULL, "the platform is stopping");
        job_advance(&lane->e, job);
    }
    sweep(lane);
    return NULL;
}

static bool start_lane(struct compose *c, struct lane *lane,
                       const uint8_t link_key[static CRYPTO_KEY_LEN])
{
    lane->e.compose = c;
    link_mac_init(&lane->e.inner, "link.inner", link_key);
    lane->e.multi = curl_multi_init();
    if (!lane->e.multi)
        return false;
    curl_multi_setopt(lane->e.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
    curl_multi_setopt(lane->e.multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX / 4);
    lane->started = pthread_create(&lane->thread, NULL, run, lane) == 0;
    return lane->started;
}

struct compose *compose_start(const struct compose_config *cfg, const char **why)
{
    struct compose *c = calloc(1, sizeof *c);
    *why = "out of memory";
    if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(c);
        return NULL;
    }
    pthread_mutex_init(&c->mutex, NULL);
    c->threads = cfg->threads < COMPOSE_THREADS_MAX ? cfg->threads : COMPOSE_THREADS_MAX;
    int n = snprintf(c->socket, sizeof c->socket, "%s", cfg->socket);
    bool ok = c->threads > 0 && n >= 0 && (size_t)n < sizeof c->socket;
    for (unsigned i = 0; ok && i < c->threads; i++)
        ok = start_lane(c, &c->lanes[i], cfg->link_key);
    if (!ok) {
        *why = "the threads of composed APIs cannot be started";
        compose_stop(c);
        compose_free(&c);
    }
    return c;
}

void compose_stop(struct compose *c)
{
    pthread_mutex_lock(&c->mutex);
    c->stopping = true;
    pthread_mutex_unlock(&c->mutex);
    for (unsigned i = 0; i < c->threads; i++) {
        struct lane *lane = &c->lanes[i];
        if (!lane->started)
            continue;
        curl_multi_wakeup(lane->e.multi);
        pthread_join(lane->thread, NULL);
        lane->started = false;
    }
}

void compose_free(struct compose **slot)
{
    struct compose *c = *slot;
    *slot = NULL;
    if (!c)
        return;
    for (unsigned i = 0; i < c->threads; i++) {
        curl_multi_cleanup(c->lanes[i].e.multi);
        link_mac_fini(&c->lanes[i].e.inner);
    }
    pthread_mutex_destroy(&c->mutex);
    free(c);
    curl_global_cleanup();
}

void compose_submit(struct compose *c, struct compose_job **slot,
                    void (*done)(void *ctx, struct compose_result *result), void *ctx)
{
    struct compose_job *job = *slot;
    *slot = NULL;
    job->done = done;
    job->ctx = ctx;
    job->deadline_us = clock_mono_us() + (uint64_t)job->timeout_ms * 1000;
    pthread_mutex_lock(&c->mutex);
    bool taken = !c->stopping && c->jobs < COMPOSE_JOBS_MAX;
    struct lane *lane = &c->lanes[c->turn++ % c->threads];
    c->jobs++;
    if (taken) {
        job->next = lane->queue;
        lane->queue = job;
    }
    pthread_mutex_unlock(&c->mutex);
    if (taken) {
        curl_multi_wakeup(lane->e.multi);
        return;
    }
    job_fail(job, PROBLEM_COMPOSITION_FAILED, NULL, "too many composed calls are under way");
    finish(c, job);
}
