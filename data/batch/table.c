/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs there are, the threads that run them, and the clock that ends them. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "crypto/keystore.h"
#include "data/batch/batch.h"

#define CLOCK_PERIOD_S 2

enum problem batch_problem(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? PROBLEM_STORAGE_FULL
                                                                : PROBLEM_INTERNAL;
}

struct job *batch_find(struct batch *b, const struct uuid *id)
{
    struct job *job = b->jobs;
    while (job && !uuid_eq(&job->id, id))
        job = job->next;
    return job;
}

static size_t open_jobs(const struct batch *b, const struct uuid *app)
{
    size_t n = 0;
    for (const struct job *job = b->jobs; job; job = job->next)
        n += job->state <= JOB_RUNNING && uuid_eq(&job->app, app);
    return n;
}

enum problem batch_add(struct batch *b, struct job *job)
{
    pthread_mutex_lock(&b->lock);
    enum problem p = PROBLEM_OK;
    if (open_jobs(b, &job->app) >= BATCH_OPEN_MAX || b->n_jobs >= BATCH_JOBS_MAX)
        p = PROBLEM_CONCURRENCY_LIMITED;
    else if (!job_save(b->root, job, clock_wall_ms()))
        p = batch_problem(errno);
    if (!p) {
        job->next = b->jobs;
        b->jobs = job;
        b->n_jobs++;
        pthread_cond_broadcast(&b->wake);
    }
    pthread_mutex_unlock(&b->lock);
    return p;
}

/* A running one is told to stop; its runner erases then. */
enum problem batch_erase(struct batch *b, struct job *job)
{
    enum problem p = PROBLEM_OK;
    uint8_t before = job->state;
    job->stop = true;
    if (job->state == JOB_ERASED)
        return p;
    job->state = JOB_ERASED;
    job->finished_ms = job->finished_ms ? job->finished_ms : clock_wall_ms();
    if (!job_save(b->root, job, clock_wall_ms())) {
        p = batch_problem(errno);
        job->state = before;
    } else if (!job->taken) {
        job_erase(b->root, job, false);
    }
    return p;
}

/* The threads ---------------------------------------------------------------------------------- */

static struct job *next_job(struct batch *b)
{
    struct job *oldest = NULL;
    for (struct job *job = b->jobs; job; job = job->next)
        if (job->state <= JOB_RUNNING && !job->taken)
            oldest = job;
    return oldest;
}

static void *runner(void *ctx)
{
    struct batch *b = ctx;
    struct worker *w = worker_new(&b->service);
    pthread_mutex_lock(&b->lock);
    while (w && !b->stopping) {
        struct job *job = next_job(b);
        if (!job) {
            pthread_cond_wait(&b->wake, &b->lock);
            continue;
        }
        job->taken = true;
        pthread_mutex_unlock(&b->lock);
        batch_run(b, w, job);
        pthread_mutex_lock(&b->lock);
        job->taken = false;
        if (job->state > JOB_READY)
            job_erase(b->root, job, false);
    }
    pthread_mutex_unlock(&b->lock);
    worker_free(&w);
    return NULL;
}

/* Ends what is over; forgets what nobody asks for any more. */
static void sweep(struct batch *b, uint64_t now_ms)
{
    for (struct job **at = &b->jobs; *at;) {
        struct job *job = *at;
        if (!job->taken && job->state <= JOB_FAILED && now_ms >= job->expires_ms) {
            job->state = JOB_EXPIRED;
            if (job_save(b->root, job, now_ms))
                job_erase(b->root, job, false);
        }
        if (!job->taken && job->state > JOB_READY && now_ms >= job->changed_ms + BATCH_MEMORY_MS) {
            *at = job->next;
            b->n_jobs--;
            job_erase(b->root, job, true);
            job_free(&job);
            continue;
        }
        at = &job->next;
    }
}

static void *clock_loop(void *ctx)
{
    struct batch *b = ctx;
    pthread_mutex_lock(&b->lock);
    while (!b->stopping) {
        struct timespec until;
        sweep(b, clock_wall_ms());
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += CLOCK_PERIOD_S;
        pthread_cond_timedwait(&b->wake, &b->lock, &until);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* Starting ------------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    const struct job *const *x = a, *const *y = b;
    return (*x)->created_ms < (*y)->created_ms ? 1 : (*x)->created_ms > (*y)->created_ms ? -1 : 0;
}

/* What cannot be read stays where it is, for somebody to look at; it is no job. */
static bool load_all(struct batch *b)
{
    struct job **list = calloc(BATCH_JOBS_MAX, sizeof(struct job *));
    if (!list)
        return false;
    DIR *dir = opendir(b->root);
    struct dirent *entry;
    struct uuid id;
    while (dir && b->n_jobs < BATCH_JOBS_MAX && (entry = readdir(dir)))
        if (uuid_parse(&id, entry->d_name, strlen(entry->d_name)) &&
            (list[b->n_jobs] = job_load(b->root, entry->d_name)))
            b->n_jobs++;
    if (dir)
        closedir(dir);
    if (b->n_jobs)
        qsort(list, b->n_jobs, sizeof(struct job *), newest_first);
    for (size_t i = b->n_jobs; i-- > 0;) {
        list[i]->next = b->jobs;
        b->jobs = list[i];
        if (list[i]->state > JOB_READY) /* killed before the erasure was done */
            job_erase(b->root, list[i], false);
    }
    free(list);
    return dir != NULL;
}

/* The key of this service, made once: manifests are signed with it. */
static struct crypto_key *open_signer(const char *data_dir)
{
    char path[JOB_DIR_MAX];
    struct crypto_key *key = NULL;
    snprintf(path, sizeof path, "%s/keys/data-signing.pem", data_dir);
    if (crypto_key_load_file(&key, CRYPTO_KEY_PAIR, path) == CRYPTO_OK || errno != ENOENT)
        return key;
    key = crypto_key_new(CRYPTO_KEY_SM2);
    char *pem = crypto_key_private_pem(key);
    if (!pem || crypto_keystore_write(path, false, slice_str(pem)) != CRYPTO_OK)
        crypto_key_free(&key);
    if (pem)
        crypto_wipe(pem, strlen(pem));
    free(pem);
    return key;
}

static const char *start_parts(struct batch *b)
{
    if (mkdir(b->root, 0700) != 0 && errno != EEXIST)
        return "the folder of exports cannot be made";
    crypto_derive(b->service.link_key, "batch.at", b->at_key);
    crypto_derive(b->service.link_key, "mask.pseudonym", b->mask_key);
    b->signer = open_signer(b->service.data_dir);
    if (!b->signer)
        return "the key that signs manifests cannot be made or opened";
    if (!load_all(b))
        return "the folder of exports cannot be read";
    for (; b->n_threads <= BATCH_THREADS; b->n_threads++)
        if (pthread_create(&b->threads[b->n_threads], NULL,
                           b->n_threads < BATCH_THREADS ? runner : clock_loop, b) != 0)
            return "no thread left";
    return NULL;
}

struct batch *batch_start(const struct service_config *service, const char *root, const char **why)
{
    struct batch *b = calloc(1, sizeof *b);
    *why = "out of memory";
    if (!b)
        return NULL;
    b->service = *service;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->wake, NULL);
    snprintf(b->root, sizeof b->root, "%s", root);
    *why = start_parts(b);
    if (*why)
        batch_stop(&b);
    return b;
}

void batch_stop(struct batch **slot)
{
    struct batch *b = *slot;
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    b->stopping = true;
    pthread_cond_broadcast(&b->wake);
    pthread_mutex_unlock(&b->lock);
    while (b->n_threads > 0)
        pthread_join(b->threads[--b->n_threads], NULL);
    for (struct job *job = b->jobs, *next; job; job = next) {
        next = job->next;
        job_free(&job);
    }
    crypto_key_free(&b->signer);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->wake);
    crypto_wipe(b, sizeof *b);
    free(b);
    *slot = NULL;
}
