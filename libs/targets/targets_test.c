/* SPDX-License-Identifier: Apache-2.0 */
#include "targets/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS      UINT64_C(1000)
#define AT(ms)  (UINT64_C(5000000000) + (ms)*MS)
#define WORKERS 4

static char dir[] = "/tmp/sluice-targets-XXXXXX";
static char path[64];
static struct targets *t;
static _Atomic unsigned *shared; /* with the children: probes, events */

static const struct targets_config config = {.failures = 3,
                                             .ratio_percent = 50,
                                             .ratio_calls = 10,
                                             .window_ms = 10000,
                                             .open_ms = 1000,
                                             .open_max_ms = 5000,
                                             .probe_ms = 2000,
                                             .outlier_percent = 30,
                                             .rise = 2,
                                             .fall = 3};

static int new_table(void **unused)
{
    (void)unused;
    targets_close(&t);
    unlink(path);
    memset((void *)shared, 0, 4096);
    return targets_open(&t, path, 16) == TARGETS_OK ? 0 : -1;
}

/* One call; what it changed. */
static enum targets_event call(uint64_t id, enum targets_outcome outcome, uint64_t ms)
{
    uint32_t ticket;
    assert_int_not_equal(targets_admit(t, id, NULL, &config, AT(ms), &ticket), TARGETS_NO);
    return targets_report(t, id, &config, ticket, outcome, AT(ms));
}

static enum targets_verdict admit(uint64_t id, uint64_t ms, uint32_t *ticket)
{
    return targets_admit(t, id, "127.0.0.1:9", &config, AT(ms), ticket);
}

static void trip(uint64_t id, uint64_t ms)
{
    assert_int_equal(call(id, TARGETS_FAILED, ms), TARGETS_NO_EVENT);
    assert_int_equal(call(id, TARGETS_FAILED, ms), TARGETS_NO_EVENT);
    assert_int_equal(call(id, TARGETS_FAILED, ms), TARGETS_OPENED);
}

static struct targets_view view_of(uint64_t id, uint64_t ms)
{
    struct targets_view view;
    assert_int_equal(targets_get(t, id, AT(ms), &view), TARGETS_OK);
    return view;
}

static void opens_and_closes(void **unused)
{
    uint32_t ticket, other;
    (void)unused;
    call(1, TARGETS_FAILED, 0);
    call(1, TARGETS_FAILED, 0);
    call(1, TARGETS_WELL, 0); /* not in a row */
    trip(1, 0);
    assert_int_equal(admit(1, 0, &ticket), TARGETS_NO);
    assert_int_equal(admit(1, 999, &ticket), TARGETS_NO);
    assert_int_equal(view_of(1, 999).state, TARGETS_OPEN);
    assert_int_equal(view_of(1, 999).open_left_ms, 1);
    assert_int_equal(view_of(1, 1000).state, TARGETS_HALF_OPEN);
    assert_int_equal(admit(1, 1000, &ticket), TARGETS_PROBE);
    assert_int_equal(admit(1, 1000, &other), TARGETS_NO); /* exactly one */
    assert_int_equal(targets_report(t, 1, &config, ticket, TARGETS_WELL, AT(1100)),
                     TARGETS_RECLOSED);
    assert_int_equal(admit(1, 1100, &ticket), TARGETS_YES);
    assert_int_equal(view_of(1, 1100).state, TARGETS_CLOSED);
    assert_int_equal(view_of(1, 1100).refused, 3);
    assert_int_equal(view_of(1, 1100).failures, 5);
    assert_int_equal(view_of(1, 1100).inflight, 1);
    assert_true(view_of(1, 1100).changed_ms != 0);
}

static void backs_off(void **unused)
{
    static const uint64_t open_ms[] = {1000, 2000, 4000, 5000, 5000};
    uint64_t at_ms = 0;
    uint32_t ticket;
    (void)unused;
    trip(1, 0);
    for (size_t i = 0; i < sizeof open_ms / sizeof *open_ms; i++) {
        assert_int_equal(admit(1, at_ms + open_ms[i] - 1, &ticket), TARGETS_NO);
        at_ms += open_ms[i];
        assert_int_equal(admit(1, at_ms, &ticket), TARGETS_PROBE);
        enum targets_outcome outcome = i == 4 ? TARGETS_WELL : TARGETS_FAILED;
        assert_int_equal(targets_report(t, 1, &config, ticket, outcome, AT(at_ms)),
                         i == 4 ? TARGETS_RECLOSED : TARGETS_REOPENED);
    }
    trip(1, at_ms); /* well for no time: goes on where it was */
    assert_int_equal(admit(1, at_ms + 4999, &ticket), TARGETS_NO);
    assert_int_equal(call(1, TARGETS_WELL, at_ms + 5000), TARGETS_RECLOSED);
    trip(1, at_ms + 10000); /* well for long: from the beginning */
    assert_int_equal(admit(1, at_ms + 11000, &ticket), TARGETS_PROBE);
}

static void by_ratio(void **unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 9; i++) { /* nine of ten are too few calls */
        assert_int_equal(call(1, i % 2 == 0 ? TARGETS_FAILED : TARGETS_WELL, i), TARGETS_NO_EVENT);
    }
    assert_int_equal(call(1, TARGETS_WELL, 9), TARGETS_NO_EVENT);
    assert_int_equal(call(1, TARGETS_FAILED, 10), TARGETS_OPENED);
    assert_int_equal(call(1, TARGETS_WELL, 1010), TARGETS_RECLOSED);
    assert_int_equal(call(1, TARGETS_FAILED, 1011), TARGETS_NO_EVENT); /* the past is forgiven */
    for (uint64_t i = 0; i < 40; i++) { /* in no window there are ten */
        assert_int_equal(call(2, i % 2 == 0 ? TARGETS_FAILED : TARGETS_WELL, i * 1200),
                         TARGETS_NO_EVENT);
    }
}

static void odd_reports(void **unused)
{
    uint32_t ticket, again;
    (void)unused;
    assert_int_equal(targets_report(t, 9, &config, 0, TARGETS_FAILED, AT(0)), TARGETS_NO_EVENT);
    trip(1, 0);
    for (int i = 0; i < 5; i++) { /* calls that began before it opened */
        assert_int_equal(targets_report(t, 1, &config, 0, TARGETS_WELL, AT(1500)),
                         TARGETS_NO_EVENT);
        assert_int_equal(targets_report(t, 1, &config, 0, TARGETS_FAILED, AT(1500)),
                         TARGETS_NO_EVENT);
    }
    assert_int_equal(admit(1, 1500, &ticket), TARGETS_PROBE);
    assert_int_equal(targets_report(t, 1, &config, ticket, TARGETS_UNDECIDED, AT(1600)),
                     TARGETS_NO_EVENT);
    assert_int_equal(admit(1, 1600, &ticket), TARGETS_PROBE); /* says nothing: the next is it */
    assert_int_equal(admit(1, 3599, &again), TARGETS_NO);
    assert_int_equal(admit(1, 3600, &again), TARGETS_PROBE); /* lost: another */
    assert_int_equal(targets_report(t, 1, &config, ticket, TARGETS_WELL, AT(3600)),
                     TARGETS_NO_EVENT); /* too late to decide */
    assert_int_equal(targets_report(t, 1, &config, again, TARGETS_WELL, AT(3600)),
                     TARGETS_RECLOSED);
}

static void health(void **unused)
{
    static const struct {
        bool is_well;
        enum targets_event event;
        enum targets_health health;
    } rows[] = {
        {true, TARGETS_NO_EVENT, TARGETS_UP},     {false, TARGETS_NO_EVENT, TARGETS_UP},
        {false, TARGETS_NO_EVENT, TARGETS_UP},    {true, TARGETS_NO_EVENT, TARGETS_UP},
        {false, TARGETS_NO_EVENT, TARGETS_UP},    {false, TARGETS_NO_EVENT, TARGETS_UP},
        {false, TARGETS_WENT_DOWN, TARGETS_DOWN}, {false, TARGETS_NO_EVENT, TARGETS_DOWN},
        {true, TARGETS_NO_EVENT, TARGETS_DOWN},   {false, TARGETS_NO_EVENT, TARGETS_DOWN},
        {true, TARGETS_NO_EVENT, TARGETS_DOWN},   {true, TARGETS_WENT_UP, TARGETS_UP},
    };
    const uint64_t ids[] = {1, 2, 3};
    struct targets_look looks[3];
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(targets_health_set(t, 1, "a", &config, rows[i].is_well, AT(i)),
                         rows[i].event);
        assert_int_equal(view_of(1, i).health, rows[i].health);
    }
    for (int i = 0; i < 3; i++) { /* unknown, and never well: down */
        targets_health_set(t, 2, "b", &config, false, AT(20));
    }
    targets_look(t, ids, 3, AT(20), looks);
    assert_true(looks[0].usable && !looks[1].usable && looks[2].usable);
    targets_look(t, ids + 1, 1, AT(20), looks);
    assert_true(looks[0].usable); /* all of the set are down: as if none were */
    trip(2, 20);
    targets_look(t, ids + 1, 1, AT(20), looks);
    assert_false(looks[0].usable); /* but the breaker holds */
    targets_look(t, ids + 1, 1, AT(1020), looks);
    assert_true(looks[0].usable); /* a probe is due */
}

static const struct targets_config only_outliers = {.ratio_calls = 10,
                                                    .window_ms = 10000,
                                                    .open_ms = 1000,
                                                    .open_max_ms = 5000,
                                                    .probe_ms = 2000,
                                                    .outlier_percent = 30,
                                                    .rise = 1,
                                                    .fall = 1};

/* Targets 1 to 4 fail 10, 20, 60 and 100 % of twenty calls. */
static void fail_by_degrees(void)
{
    static const unsigned failing_of_10[] = {1, 2, 6, 10};
    for (unsigned i = 0; i < 20; i++) {
        for (size_t k = 0; k < 4; k++) {
            uint32_t ticket;
            targets_admit(t, k + 1, NULL, &only_outliers, AT(i), &ticket);
            targets_report(t, k + 1, &only_outliers, ticket,
                           i % 10 < failing_of_10[k] ? TARGETS_FAILED : TARGETS_WELL, AT(i));
        }
    }
}

static void ejects(void **unused)
{
    const uint64_t ids[] = {1, 2, 3, 4};
    enum targets_event events[4];
    (void)unused;
    fail_by_degrees();
    targets_eject(t, ids + 3, 1, &only_outliers, AT(20), events);
    assert_int_equal(events[0], TARGETS_NO_EVENT); /* the last of its set */
    targets_eject(t, ids, 4, &only_outliers, AT(20), events);
    assert_int_equal(events[0], TARGETS_NO_EVENT);
    assert_int_equal(events[1], TARGETS_NO_EVENT);
    assert_int_equal(events[2], TARGETS_NO_EVENT); /* 60 % beside 43 % of the rest */
    assert_int_equal(events[3], TARGETS_EJECTED);
    targets_eject(t, ids, 4, &only_outliers, AT(21), events);
    assert_int_equal(events[2], TARGETS_EJECTED);  /* 60 % beside 15 % */
    assert_int_equal(events[3], TARGETS_NO_EVENT); /* told once */
    targets_eject(t, ids + 2, 2, &only_outliers, AT(22), events);
    assert_int_equal(events[0] + events[1], TARGETS_NO_EVENT);
}

static void ejects_worst_first(void **unused)
{
    const uint64_t ids[] = {4, 3, 2, 1};
    enum targets_event events[4];
    (void)unused;
    fail_by_degrees();
    targets_health_set(t, 2, NULL, &only_outliers, false, AT(20)); /* no live one any more */
    targets_eject(t, ids, 2, &only_outliers, AT(20), events);
    assert_int_equal(events[0], TARGETS_EJECTED); /* 100 % beside 60 % */
    assert_int_equal(events[1], TARGETS_NO_EVENT);
    targets_eject(t, ids, 3, &only_outliers, AT(20), events);
    assert_int_equal(events[1], TARGETS_NO_EVENT); /* beside the open and the down: the last */
    assert_true(view_of(3, 20).state == TARGETS_CLOSED);
    assert_int_equal(new_table(NULL), 0);
    fail_by_degrees();
    targets_eject(t, ids, 4, &only_outliers, AT(20), events);
    assert_int_equal(events[0], TARGETS_EJECTED);
    assert_int_equal(events[1], TARGETS_EJECTED); /* beside those that are left */
    assert_int_equal(events[2] + events[3], TARGETS_NO_EVENT);
}

static void bad_configs(void **unused)
{
    struct targets_config row;
    (void)unused;
    assert_int_equal(targets_config_check(&config), TARGETS_OK);
#define BAD(field, value)                                                                          \
    row = config;                                                                                  \
    row.field = (value);                                                                           \
    assert_int_equal(targets_config_check(&row), TARGETS_EINVAL)
    BAD(ratio_percent, 101);
    BAD(outlier_percent, 101);
    BAD(ratio_calls, 0);
    BAD(window_ms, 999);
    BAD(window_ms, 600001);
    BAD(open_ms, 99);
    BAD(open_max_ms, 999);
    BAD(open_max_ms, 3600001);
    BAD(probe_ms, 99);
    BAD(rise, 0);
    BAD(fall, 0);
#undef BAD
}

static void full_table(void **unused)
{
    uint32_t ticket;
    struct targets_view view;
    size_t cursor = 0, n = 0;
    (void)unused;
    for (uint64_t id = 1; id <= 16; id++) {
        assert_int_equal(admit(id, 0, &ticket), TARGETS_YES);
    }
    assert_int_equal(targets_report(t, 16, &config, 0, TARGETS_WELL, AT(0)), TARGETS_NO_EVENT);
    assert_int_equal(admit(17, 0, &ticket), TARGETS_YES); /* uncounted, not refused */
    assert_int_equal(targets_get(t, 17, AT(0), &view), TARGETS_EMISSING);
    assert_int_equal(admit(18, 3600001, &ticket), TARGETS_YES); /* an hour on: 16 gives way */
    assert_int_equal(targets_get(t, 18, AT(0), &view), TARGETS_OK);
    assert_string_equal(view.label, "127.0.0.1:9");
    assert_int_equal(targets_get(t, 16, AT(0), &view), TARGETS_EMISSING);
    assert_int_equal(admit(0, 0, &ticket), TARGETS_YES); /* no id: uncounted */
    while (targets_next(t, &cursor, AT(0), &view)) {
        assert_true(view.id != 0 && view.inflight == 1);
        n++;
    }
    assert_int_equal(n, 16);
}

static void files(void **unused)
{
    struct targets *other = NULL;
    struct stat st;
    (void)unused;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    targets_close(&t);
    assert_int_equal(truncate(path, st.st_size - 8), 0);
    assert_int_equal(targets_open(&other, path, 16), TARGETS_EFORMAT);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(targets_open(&other, path, 16), TARGETS_EFORMAT);
    assert_int_equal(targets_open(&other, "/tmp/no/such/place", 16), TARGETS_EIO);
    assert_null(other);
    for (int i = 0; i <= TARGETS_EMISSING + 1; i++) {
        assert_true(strlen(targets_strerror((enum targets_err)i)) > 5);
    }
}

/* Across processes. */

static pid_t start(void (*work)(struct targets *own))
{
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    struct targets *own;
    if (targets_open(&own, path, 16) != TARGETS_OK) {
        _exit(1);
    }
    work(own);
    targets_close(&own);
    _exit(0);
}

/* All at one open target whose time is over: each tries until someone's probe has closed it. */
static void race_for_probe(struct targets *own)
{
    uint32_t ticket;
    atomic_fetch_add(&shared[3], 1);
    while (atomic_load(&shared[3]) < WORKERS) {
        usleep(100);
    }
    for (int i = 0; i < 2000; i++) {
        enum targets_verdict verdict = targets_admit(own, 1, NULL, &config, AT(1000), &ticket);
        atomic_fetch_add(&shared[0], verdict == TARGETS_PROBE);
        if (verdict == TARGETS_PROBE) {
            usleep(2000);
        }
        if (verdict != TARGETS_NO) {
            enum targets_event event =
                targets_report(own, 1, &config, ticket, TARGETS_WELL, AT(1000));
            atomic_fetch_add(&shared[1], event == TARGETS_RECLOSED);
        }
    }
}

static void one_probe(void **unused)
{
    pid_t pids[WORKERS];
    int status;
    (void)unused;
    trip(1, 0);
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = start(race_for_probe);
    }
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(atomic_load(&shared[0]), 1);
    assert_int_equal(atomic_load(&shared[1]), 1);
    assert_int_equal(view_of(1, 1000).inflight, 0);
}

static void hold_two_and_the_probe(struct targets *own)
{
    uint32_t ticket;
    targets_admit(own, 2, NULL, &config, AT(1000), &ticket);
    targets_admit(own, 2, NULL, &config, AT(1000), &ticket);
    if (targets_admit(own, 1, NULL, &config, AT(1000), &ticket) == TARGETS_PROBE) {
        atomic_store(&shared[0], 1);
    }
    struct target *g = target_find(own, 3);
    if (g == NULL) {
        _exit(1);
    }
    kill(getpid(), SIGKILL); /* with a lock in its hand */
}

static void killed(void **unused)
{
    uint32_t ticket;
    int status;
    (void)unused;
    trip(1, 0);
    assert_int_equal(admit(2, 0, &ticket), TARGETS_YES);
    assert_int_equal(admit(3, 0, &ticket), TARGETS_YES);
    pid_t pid = start(hold_two_and_the_probe);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(atomic_load(&shared[0]), 1);
    assert_int_equal(view_of(2, 1000).inflight, 3);
    assert_int_equal(admit(1, 1000, &ticket), TARGETS_NO);
    targets_tick(t);
    assert_int_equal(view_of(2, 1000).inflight, 1);
    assert_int_equal(admit(1, 1000, &ticket), TARGETS_PROBE); /* its probe is given up */
    assert_int_equal(admit(3, 0, &ticket), TARGETS_YES);
    assert_int_equal(view_of(3, 0).inflight, 2);
}

static void *fail_always(void *opened)
{
    for (int i = 0; i < 3000; i++) {
        uint32_t ticket;
        uint64_t id = 1 + (uint64_t)i % 7;
        if (targets_admit(t, id, NULL, &config, AT(0), &ticket) != TARGETS_NO) {
            *(unsigned *)opened +=
                targets_report(t, id, &config, ticket, TARGETS_FAILED, AT(0)) == TARGETS_OPENED;
        }
    }
    return NULL;
}

static void threads(void **unused)
{
    pthread_t ids[4];
    unsigned opened[4] = {0}, sum = 0;
    (void)unused;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&ids[i], NULL, fail_always, &opened[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(ids[i], NULL);
        sum += opened[i];
    }
    assert_int_equal(sum, 7); /* each opening told to one */
    assert_int_equal(view_of(1, 0).inflight, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[SW-6-breaker, BK-10.1.2a-2] failures in a row open, one probe closes", opens_and_closes,
         new_table, NULL},
        {"[SW-6-breaker] the time open grows up to its cap and starts over", backs_off, new_table,
         NULL},
        {"[SW-6-breaker] a ratio of failures in the window opens", by_ratio, new_table, NULL},
        {"reports from before, late and undecided ones do not decide", odd_reports, new_table,
         NULL},
        {"[SW-10.1-3d] health turns by checks in a row, told once; all down is as none down",
         health, new_table, NULL},
        {"a target worse than its set is ejected, the last one never", ejects, new_table, NULL},
        {"of a set the worst go first, the last live one stays", ejects_worst_first, new_table,
         NULL},
        {"configurations out of bounds are refused", bad_configs, NULL, NULL},
        {"a full table refuses no call; the idle give way", full_table, new_table, NULL},
        {"a file that is not ours or is damaged is refused", files, new_table, NULL},
        {"[SW-6-breaker] of four workers exactly one sends the probe", one_probe, new_table, NULL},
        {"a killed worker's calls, probe and lock come back", killed, new_table, NULL},
        {"threads of one process: each opening is told once", threads, new_table, NULL},
    };
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mkdtemp(dir) == NULL || (void *)shared == MAP_FAILED) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/targets", dir);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    targets_close(&t);
    unlink(path);
    rmdir(dir);
    return failed;
}
