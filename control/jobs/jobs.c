/* SPDX-License-Identifier: Apache-2.0 */
/* The wake-up is a condition on the monotonic clock, so a wall clock that jumps neither stops the
 * jobs nor makes them run wild; what is due is judged by the wall clock, as everything stored is.
 */
#include "jobs/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"

#define JOBS_MAX 64
#define AGAIN_MS 500 /* until a process that waits for its turn looks again */
#define LOCK     "control/jobs.lock"

struct jobs {
    struct control *ctl;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;             /* under lock */
    int turn;                  /* the lock file, held; -1: others do the jobs. The thread's own */
    uint64_t due_ms[JOBS_MAX]; /* monotonic; the thread's own */
};

static void run_one(struct control *ctl, const struct job *job, uint64_t now_ms)
{
    struct rest_request req = {.method = "", .path = ""};
    struct rest_response resp;
    struct rest_call c = {.ctl = ctl, .req = &req, .resp = &resp, .now_ms = now_ms};

    rest_response_init(&resp);
    enum problem p = job->run(&c);
    if (p != PROBLEM_OK) {
        fprintf(stderr, "sluice: control: job %s: %s%s%s\n", job->name, problem_row(p)->code,
                c.detail[0] ? ": " : "", c.detail);
    }
    rest_response_fini(&resp);
}

void jobs_run_once(struct control *ctl, uint64_t now_ms)
{
    for (size_t i = 0; i < job_table_n; i++) {
        run_one(ctl, &job_table[i], now_ms);
    }
}

/* True: time to go on; false: stop. */
static bool wait_until(struct jobs *j, uint64_t at_ms)
{
    struct timespec until = {.tv_sec = (time_t)(at_ms / 1000),
                             .tv_nsec = (long)(at_ms % 1000) * 1000000};
    int rc = 0;

    pthread_mutex_lock(&j->lock);
    while (!j->stopping && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&j->wake, &j->lock, &until);
    }
    bool go = !j->stopping;
    pthread_mutex_unlock(&j->lock);
    return go;
}

/* Of several processes on one store one does the jobs, as long as it lives: the kernel gives the
 * lock up with it, so the next goes on at once and nothing has to expire. */
static bool is_our_turn(struct jobs *j)
{
    char path[2048];

    if (j->turn >= 0) {
        return true;
    }
    if (snprintf(path, sizeof path, "%s/" LOCK, j->ctl->cfg->data_dir) >= (int)sizeof path) {
        return false;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        j->turn = fd;
    } else if (fd >= 0) {
        close(fd);
    } else {
        fprintf(stderr, "sluice: control: %s: %s\n", path, strerror(errno));
    }
    return j->turn >= 0;
}

static void *loop(void *arg)
{
    struct jobs *j = arg;
    uint64_t next = (clock_mono_us() / 1000);

    while (wait_until(j, next)) {
        uint64_t now = (clock_mono_us() / 1000);
        next = now + (is_our_turn(j) ? 60000 : AGAIN_MS);
        for (size_t i = 0; j->turn >= 0 && i < job_table_n && i < JOBS_MAX; i++) {
            if (now >= j->due_ms[i]) {
                run_one(j->ctl, &job_table[i], clock_wall_ms());
                j->due_ms[i] = (clock_mono_us() / 1000) + job_table[i].every_ms;
            }
            next = j->due_ms[i] < next ? j->due_ms[i] : next;
        }
    }
    return NULL;
}

struct jobs *jobs_start(struct control *ctl)
{
    struct jobs *j = calloc(1, sizeof *j);
    pthread_condattr_t attr;

    if (!j) {
        return NULL;
    }
    j->ctl = ctl;
    j->turn = -1;
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&j->thread, NULL, loop, j) != 0) {
        pthread_mutex_destroy(&j->lock);
        pthread_cond_destroy(&j->wake);
        free(j);
        return NULL;
    }
    return j;
}

void jobs_stop(struct jobs **jobs_)
{
    struct jobs *j = *jobs_;

    if (!j) {
        return;
    }
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    if (j->turn >= 0) {
        close(j->turn);
    }
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->wake);
    free(j);
    *jobs_ = NULL;
}
