/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes at one counter, and what is left when one is killed at any instruction. */
#include "limit/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 4, RUN_US = 3300000, PASSED_MAX = 200000 };

static char dir[] = "/tmp/sluice-limit-XXXXXX";
static char path[64];
static struct limit *l;

static const struct limit_rule rate = {
    .measure = LIMIT_RATE, .action = LIMIT_REJECT, .amount = 500, .window_ms = 1000};
static const struct limit_rule flight = {
    .measure = LIMIT_CONCURRENCY, .action = LIMIT_REJECT, .amount = 6};

/* Shared with the children. */
static struct shared {
    _Atomic uint64_t n, told, told_over, asked;
    uint64_t before[PASSED_MAX], after[PASSED_MAX];
} * shared;

static int new_table(void **unused)
{
    (void)unused;
    limit_close(&l);
    unlink(path);
    memset(shared, 0, sizeof *shared);
    return limit_open(&l, path, 64) == LIMIT_OK ? 0 : -1;
}

static enum limit_err take_one(struct limit *own, const struct limit_rule *rule, uint64_t key,
                               struct limit_state *state)
{
    size_t refused_by;
    struct limit_check check = {.key = {key, 1}, .rule = rule};
    enum limit_err err = limit_take(own, &check, 1, limit_now(own), &refused_by);
    *state = check.state;
    return err;
}

/* What each worker does until it has done so often enough or is killed. */
typedef void work_fn(struct limit *own);

static pid_t start(work_fn *work)
{
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    struct limit *own;
    if (limit_open(&own, path, 64) != LIMIT_OK) {
        _exit(1);
    }
    work(own);
    limit_close(&own);
    _exit(0);
}

static int end_of(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* About four times the limit between them. Says when it asked and when it knew: the call was
 * counted at some moment between. */
static void hammer(struct limit *own)
{
    uint64_t begun_us = limit_now(own).mono_us, now_us = begun_us;
    while (now_us - begun_us < RUN_US) {
        struct limit_state state;
        atomic_fetch_add(&shared->asked, 1);
        enum limit_err err = take_one(own, &rate, 1, &state);
        uint64_t i = err == LIMIT_OK ? atomic_fetch_add(&shared->n, 1) : PASSED_MAX;
        if (i < PASSED_MAX) {
            shared->before[i] = now_us;
            shared->after[i] = limit_now(own).mono_us;
        }
        usleep(1700);
        now_us = limit_now(own).mono_us;
    }
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Most calls that were surely counted inside one window. */
static uint64_t most_in_a_window(uint64_t n)
{
    uint64_t most = 0, end = 0;
    qsort(shared->before, n, sizeof shared->before[0], by_time);
    qsort(shared->after, n, sizeof shared->after[0], by_time);
    for (uint64_t i = 0; i < n; i++) {
        while (end < n && shared->after[end] < shared->before[i] + rate.window_ms * 1000) {
            end++;
        }
        most = end > i && end - i > most ? end - i : most;
    }
    return most;
}

static void nothing_over(void **unused)
{
    pid_t pids[WORKERS];
    (void)unused;
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = start(hammer);
    }
    usleep(RUN_US / 2);
    kill(pids[0], SIGKILL);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(end_of(pids[i]) == 0, i != 0);
    }
    uint64_t n = atomic_load(&shared->n);
    assert_true(atomic_load(&shared->asked) > 3 * n / 2);
    assert_in_range(n, 3 * rate.amount - 20, 4 * rate.amount);
    assert_in_range(most_in_a_window(n), 1, rate.amount);
}

static void tell(struct limit *own)
{
    static const struct limit_rule alert = {
        .measure = LIMIT_RATE, .action = LIMIT_ALERT, .amount = 100, .window_ms = 86400000};
    for (int i = 0; i < 5000; i++) {
        struct limit_state state;
        if (take_one(own, &alert, 2, &state) == LIMIT_OK && state.first_over) {
            atomic_fetch_add(&shared->told, 1);
            atomic_store(&shared->told_over, state.used);
        }
    }
}

static void told_once(void **unused)
{
    pid_t pids[WORKERS];
    (void)unused;
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = start(tell);
    }
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(end_of(pids[i]), 0);
    }
    assert_int_equal(atomic_load(&shared->told), 1);
    assert_int_equal(atomic_load(&shared->told_over), 101);
}

static void hold(struct limit *own)
{
    struct limit_state state;
    for (int i = 0; i < 2; i++) {
        if (take_one(own, &flight, 3, &state) != LIMIT_OK) {
            _exit(1);
        }
    }
    atomic_fetch_add(&shared->n, 1);
    pause();
}

static unsigned take_all_flights(void)
{
    struct limit_state state;
    unsigned n = 0;
    while (take_one(l, &flight, 3, &state) == LIMIT_OK) {
        n++;
    }
    return n;
}

static void flights_come_back(void **unused)
{
    pid_t pids[2] = {start(hold), start(hold)};
    (void)unused;
    while (atomic_load(&shared->n) < 2) {
        usleep(1000);
    }
    assert_int_equal(take_all_flights(), 2);
    limit_tick(l, limit_now(l)); /* all live: nothing comes back */
    assert_int_equal(take_all_flights(), 0);
    kill(pids[0], SIGKILL);
    end_of(pids[0]);
    limit_tick(l, limit_now(l));
    assert_int_equal(take_all_flights(), 2);
    kill(pids[1], SIGKILL); /* a zombie, not yet waited for, holds nothing either */
    usleep(100000);
    limit_tick(l, limit_now(l));
    assert_int_equal(take_all_flights(), 2);
    end_of(pids[1]);
    struct limit_check check = {.key = {3, 1}, .rule = &flight};
    for (int i = 0; i < 6; i++) {
        limit_release(l, &check, 1);
    }
    assert_int_equal(take_all_flights(), 6);
}

/* Dies with the counter locked and half counted, and with the table locked. */
static void die_inside(struct limit *own)
{
    struct limit_state state;
    if (take_one(own, &rate, 4, &state) != LIMIT_OK) {
        _exit(1);
    }
    struct entry *e = table_find(own, (struct limit_key){4, 1});
    if (!entry_lock(own, e) ||
        mapfile_lock(&own->file, mapfile_lock_word(&own->file)) == MAPFILE_BUSY) {
        _exit(1);
    }
    e->calls[e->newest % PARTS] += 2;
    e->used = 77;
    kill(getpid(), SIGKILL);
}

static void locks_outlive_nobody(void **unused)
{
    struct limit_state state;
    (void)unused;
    end_of(start(die_inside));
    assert_int_equal(take_one(l, &rate, 4, &state), LIMIT_OK);
    assert_int_equal(state.used, 4); /* its one, its two half counted, ours */
    assert_int_equal(take_one(l, &rate, 5, &state), LIMIT_OK); /* a new key */
}

/* Holds a lock and is stopped: others are told, and go on when it does. */
static void stop_inside(struct limit *own)
{
    struct limit_state state;
    if (take_one(own, &rate, 6, &state) != LIMIT_OK) {
        _exit(1);
    }
    struct entry *e = table_find(own, (struct limit_key){6, 1});
    if (!entry_lock(own, e)) {
        _exit(1);
    }
    raise(SIGSTOP);
    entry_unlock(e);
}

static void waiting_is_bounded(void **unused)
{
    struct limit_state state;
    int status;
    pid_t pid = start(stop_inside);
    (void)unused;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(take_one(l, &rate, 6, &state), LIMIT_EBUSY);
    kill(pid, SIGCONT);
    assert_int_equal(end_of(pid), 0);
    assert_int_equal(take_one(l, &rate, 6, &state), LIMIT_OK);
    assert_int_equal(state.used, 2);
}

static void churn(struct limit *own)
{
    static const struct limit_rule wide = {
        .measure = LIMIT_RATE, .action = LIMIT_REJECT, .amount = LIMIT_RATE_MAX, .window_ms = 1000};
    size_t refused_by;
    for (uint64_t i = 0;; i++) {
        struct limit_check checks[] = {{.key = {7, 1}, .rule = &flight},
                                       {.key = {8, 1}, .rule = &wide},
                                       {.key = {100 + i % 200, 1}, .rule = &wide}};
        if (limit_take(own, checks, 3, limit_now(own), &refused_by) == LIMIT_OK) {
            limit_release(own, checks, 3);
        }
    }
}

/* 0 too when a tick has forgotten it. */
static uint64_t held_by(uint64_t key)
{
    struct entry *e = table_find(l, (struct limit_key){key, 1});
    if (e == NULL) {
        return 0;
    }
    assert_true(entry_lock(l, e));
    uint64_t used = e->used;
    entry_unlock(e);
    return used;
}

static uint64_t sum_of(uint64_t key)
{
    struct entry *e = table_find(l, (struct limit_key){key, 1});
    uint64_t sum = 0;
    for (int i = 0; e != NULL && i < PARTS; i++) {
        sum += e->calls[i];
    }
    return sum;
}

static void killed_anywhere(void **unused)
{
    (void)unused;
    for (unsigned round = 0; round < 40; round++) {
        pid_t pids[2] = {start(churn), start(churn)};
        usleep(4000 + round * 397);
        kill(pids[round % 2], SIGKILL);
        usleep(2000);
        kill(pids[1 - round % 2], SIGKILL);
        end_of(pids[0]);
        end_of(pids[1]);
        limit_tick(l, limit_now(l));
    }
    assert_int_equal(held_by(7), 0); /* none leaked */
    assert_int_equal(held_by(8), sum_of(8));
}

static void *run_thread(void *passed)
{
    for (int i = 0; i < 4000; i++) {
        struct limit_state state;
        struct limit_check check = {.key = {3, 1}, .rule = &flight};
        *(unsigned *)passed += take_one(l, &rate, 9, &state) == LIMIT_OK;
        (void)take_one(l, &rate, 1000 + (uint64_t)i % 30, &state);
        if (take_one(l, &flight, 3, &state) == LIMIT_OK) {
            limit_release(l, &check, 1);
        }
    }
    return NULL;
}

static void threads(void **unused)
{
    pthread_t ids[4];
    unsigned passed[4] = {0}, sum = 0;
    struct limit_view seen;
    uint64_t begun_us = limit_now(l).mono_us;
    (void)unused;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&ids[i], NULL, run_thread, &passed[i]), 0);
    }
    for (size_t cursor = 0; limit_next(l, &cursor, limit_now(l), &seen);) {
        assert_true(seen.used <= rate.amount);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(ids[i], NULL);
        sum += passed[i];
    }
    uint64_t windows = (limit_now(l).mono_us - begun_us) / 1000000 + 1;
    assert_in_range(sum, rate.amount, rate.amount * windows);
    assert_int_equal(take_all_flights(), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-10.1.2a1-2, SW-6-flow] four workers at 4 times the limit, one killed: none over",
         nothing_over, new_table, NULL},
        {"[BK-10.1.2a1-3] of four workers one is told of the first call over", told_once, new_table,
         NULL},
        {"[BK-10.1.2a1-1] what a killed worker had in flight comes back", flights_come_back,
         new_table, NULL},
        {"a lock held by a dead process is taken over and its counter repaired",
         locks_outlive_nobody, new_table, NULL},
        {"a lock held by a stopped process is waited for 100 ms", waiting_is_bounded, new_table,
         NULL},
        {"workers killed at any moment leak nothing and block nobody", killed_anywhere, new_table,
         NULL},
        {"threads of one process share a table", threads, new_table, NULL},
    };
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mkdtemp(dir) == NULL || shared == MAP_FAILED) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/limits", dir);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    limit_close(&l);
    unlink(path);
    rmdir(dir);
    return failed;
}
