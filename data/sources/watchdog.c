/* SPDX-License-Identifier: Apache-2.0 */
/* SQLCancel is called with the list locked, so a statement cannot end and be freed under it; it is
 * only used where cancelling is a flag in this process, never a connection that could block
 * (PostgreSQL has statement_timeout). */
#include "data/sources/watchdog.h"

#include <pthread.h>
#include <sqlext.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct watch *running;

static void *watch_all(void *unused)
{
    (void)unused;
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = WATCHDOG_PERIOD_MS * 1000000L}, NULL);
        pthread_mutex_lock(&lock);
        uint64_t now = clock_mono_us();
        for (struct watch *w = running; w; w = w->next) {
            if (now < w->deadline_us)
                continue;
            w->cut = true;
            SQLCancel(w->handle);
        }
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void start(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch_all, NULL) == 0)
        pthread_detach(thread);
}

void watchdog_begin(struct watch *w, SQLHSTMT handle, uint64_t timeout_ms)
{
    pthread_once(&once, start);
    w->handle = handle;
    w->deadline_us = clock_mono_us() + timeout_ms * 1000;
    w->cut = false;
    pthread_mutex_lock(&lock);
    w->next = running;
    w->back = &running;
    if (running)
        running->back = &w->next;
    running = w;
    pthread_mutex_unlock(&lock);
}

bool watchdog_end(struct watch *w)
{
    pthread_mutex_lock(&lock);
    *w->back = w->next;
    if (w->next)
        w->next->back = w->back;
    bool cut = w->cut;
    pthread_mutex_unlock(&lock);
    return cut;
}
