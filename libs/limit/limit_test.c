/* SPDX-License-Identifier: Apache-2.0 */
/* One process, times of its own making. What takes several is in limit_process_test.c. */
#include "limit/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define S        UINT64_C(1000000)
#define NOON_MS  UINT64_C(1795348800000) /* 2026-11-22T12:00:00Z */
#define AT(us)   ((struct limit_time){1000 * S + (us), NOON_MS + (us) / 1000})
#define WALL(ms) ((struct limit_time){1000 * S, (ms)})
#define RATE(n, w)                                                                                 \
    {                                                                                              \
        .measure = LIMIT_RATE, .action = LIMIT_REJECT, .amount = (n), .window_ms = (w)             \
    }

static char dir[] = "/tmp/sluice-limit-XXXXXX";
static struct limit *l;
static struct limit_state state; /* of the last take_one() */

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static int new_table(void **unused)
{
    (void)unused;
    limit_close(&l);
    unlink(in_dir("limits"));
    return limit_open(&l, in_dir("limits"), 64) == LIMIT_OK ? 0 : -1;
}

static struct limit_check check_of(const struct limit_rule *rule, uint64_t key)
{
    return (struct limit_check){.key = {key, 1}, .rule = rule};
}

static enum limit_err take_one(const struct limit_rule *rule, uint64_t key, struct limit_time now)
{
    size_t refused_by;
    struct limit_check check = check_of(rule, key);
    enum limit_err err = limit_take(l, &check, 1, now, &refused_by);
    state = check.state;
    return err;
}

static unsigned take_many(const struct limit_rule *rule, uint64_t key, struct limit_time now,
                          unsigned n)
{
    unsigned passed = 0;
    for (unsigned i = 0; i < n; i++) {
        passed += take_one(rule, key, now) == LIMIT_OK;
    }
    return passed;
}

/* Calls at times of every density: no span of the window ever holds more than the amount. */
static void rate_is_exact(void **unused)
{
    static const struct {
        uint32_t amount, window_ms, gap_us;
    } rows[] = {
        {1, 1000, 100000},  {5, 1000, 30000},      {100, 1000, 700}, {100, 1001, 13},
        {7, 60000, 900000}, {333, 61234, 30000},   {5000, 1000, 20}, {50, 86400000, 300000000},
        {3, 1127, 127000},  {2000, 86400000, 999},
    };
    static uint64_t passed[60000];
    uint32_t random = 1;
    (void)unused;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const struct limit_rule rule = RATE(rows[r].amount, rows[r].window_ms);
        uint64_t at_us = 0, n = 0, window_us = UINT64_C(1000) * rows[r].window_ms;
        for (int call = 0; call < 60000; call++) {
            random = random * 1664525 + 1013904223;
            at_us += (random >> 16) * (uint64_t)rows[r].gap_us / 32768;
            if (take_one(&rule, r, AT(at_us)) == LIMIT_OK) {
                passed[n++] = at_us;
                assert_int_equal(state.used + state.remaining, rows[r].amount);
            } else {
                assert_int_equal(state.outcome, LIMIT_OVER);
                assert_in_range(state.reset_s, 1, rows[r].window_ms / 1000 * 128 / 127 + 2);
            }
        }
        assert_true(n >= rows[r].amount);
        for (uint64_t i = rows[r].amount; i < n; i++) {
            assert_true(passed[i] - passed[i - rows[r].amount] >= window_us);
        }
    }
}

/* Asked without pause, at least 99 % of the rate is had. */
static void rate_gives_little_away(void **unused)
{
    static const uint32_t windows_ms[] = {1000, 1001, 1127, 60000, 3600000, 86400000};
    (void)unused;
    for (size_t w = 0; w < sizeof windows_ms / sizeof *windows_ms; w++) {
        const struct limit_rule rule = RATE(100, windows_ms[w]);
        uint64_t step_us = windows_ms[w], passed = 0; /* a thousandth of the window */
        for (uint64_t i = 0; i < 50000; i++) {
            passed += take_one(&rule, 900 + w, AT(i * step_us)) == LIMIT_OK;
        }
        assert_in_range(passed, 100 * 50 * 99 / 100, 100 * 50);
    }
}

static void reject_only_what_is_over(void **unused)
{
    const struct limit_rule rule = RATE(10, 1000), none = RATE(0, 1000);
    (void)unused;
    assert_int_equal(take_many(&rule, 1, AT(0), 40), 10);
    assert_int_equal(take_many(&rule, 1, AT(500000), 10), 0);
    assert_int_equal(take_many(&rule, 1, AT(999999), 10), 0);
    assert_int_equal(take_many(&rule, 1, AT(1010000), 40), 10);
    assert_int_equal(take_many(&rule, 2, AT(0), 40), 10); /* another key */
    assert_int_equal(take_one(&none, 3, AT(0)), LIMIT_EOVER);
}

static void alert_once(void **unused)
{
    struct limit_rule rule = RATE(3, 1000);
    unsigned told = 0;
    (void)unused;
    rule.action = LIMIT_ALERT;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(take_one(&rule, 1, AT(0)), LIMIT_OK);
        told += state.first_over;
        assert_int_equal(state.first_over, i == 3);
        assert_int_equal(state.used, i + 1);
    }
    assert_int_equal(take_one(&rule, 1, AT(900000)), LIMIT_OK);
    assert_false(state.first_over);
    assert_int_equal(take_one(&rule, 1, AT(1001000)), LIMIT_OK); /* still over, a window later */
    assert_true(state.first_over);
    assert_int_equal(told, 1);
}

static void suspend_and_release(void **unused)
{
    struct limit_rule rule = RATE(2, 1000);
    (void)unused;
    rule.action = LIMIT_SUSPEND;
    rule.suspend_s = 10;
    assert_int_equal(take_many(&rule, 1, AT(0), 3), 2);
    assert_int_equal(state.outcome, LIMIT_SUSPENDED);
    assert_true(state.first_over);
    assert_int_equal(take_one(&rule, 1, AT(9 * S + 999999)), LIMIT_EOVER);
    assert_int_equal(state.reset_s, 1);
    assert_int_equal(take_many(&rule, 1, AT(10 * S), 2), 2); /* ends by time */
    assert_int_equal(take_one(&rule, 1, AT(10 * S)), LIMIT_EOVER);
    rule.released_ms = 1; /* by hand; by any clock */
    assert_int_equal(take_many(&rule, 1, AT(11 * S), 2), 2);
    assert_int_equal(take_one(&rule, 1, AT(11 * S)), LIMIT_EOVER);
    assert_int_equal(take_one(&rule, 1, AT(15 * S)), LIMIT_EOVER); /* one release, one end */
    assert_int_equal(state.outcome, LIMIT_SUSPENDED);
}

/* After a release the window is as new, its reset time too. */
static void release_empties(void **unused)
{
    struct limit_rule rule = RATE(2, 60000);
    (void)unused;
    rule.action = LIMIT_SUSPEND;
    rule.suspend_s = 30;
    assert_int_equal(take_many(&rule, 1, AT(0), 2), 2);
    assert_int_equal(take_many(&rule, 1, AT(20 * S), 2), 0);
    rule.released_ms = 5;
    assert_int_equal(take_one(&rule, 1, AT(20 * S)), LIMIT_OK);
    assert_int_equal(state.used, 1);
    assert_in_range(state.reset_s, 60, 61);
}

/* An alert is about a call that passed; one that another rule refused takes none away. */
static void no_alert_for_a_refused_call(void **unused)
{
    const struct limit_rule reject = RATE(3, 1000);
    struct limit_rule alert = RATE(3, 1000);
    alert.action = LIMIT_ALERT;
    struct limit_check checks[2] = {check_of(&alert, 1), check_of(&reject, 2)};
    size_t refused_by;
    (void)unused;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(limit_take(l, checks, 2, AT(0), &refused_by), LIMIT_OK);
    }
    assert_int_equal(limit_take(l, checks, 2, AT(0), &refused_by), LIMIT_EOVER);
    assert_false(checks[0].state.first_over);
    assert_true(checks[1].state.first_over);
    assert_int_equal(limit_take(l, checks, 1, AT(0), &refused_by), LIMIT_OK);
    assert_true(checks[0].state.first_over);
    assert_int_equal(checks[0].state.used, 4);
}

static void concurrency(void **unused)
{
    const struct limit_rule rule = {
        .measure = LIMIT_CONCURRENCY, .action = LIMIT_REJECT, .amount = 3};
    struct limit_check check = check_of(&rule, 1);
    (void)unused;
    assert_int_equal(take_many(&rule, 1, AT(0), 5), 3);
    assert_int_equal(state.outcome, LIMIT_OVER);
    limit_release(l, &check, 1);
    assert_int_equal(take_many(&rule, 1, AT(0), 5), 1);
    for (int i = 0; i < 9; i++) { /* more than are in flight: no harm */
        limit_release(l, &check, 1);
    }
    assert_int_equal(take_many(&rule, 1, AT(900 * S), 5), 3);
}

static void one_rule_refuses_all(void **unused)
{
    const struct limit_rule wide = RATE(10, 1000), narrow = RATE(1, 1000);
    const struct limit_rule flight = {
        .measure = LIMIT_CONCURRENCY, .action = LIMIT_REJECT, .amount = 9};
    struct limit_check checks[3] = {check_of(&wide, 1), check_of(&flight, 2), check_of(&narrow, 3)};
    size_t refused_by = 99;
    (void)unused;
    assert_int_equal(limit_take(l, checks, 3, AT(0), &refused_by), LIMIT_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(limit_take(l, checks, 3, AT(1), &refused_by), LIMIT_EOVER);
        assert_int_equal(refused_by, 2);
    }
    assert_int_equal(limit_peek(l, &checks[0], AT(1)), LIMIT_OK);
    assert_int_equal(checks[0].state.used, 2); /* this one in it */
    assert_int_equal(limit_peek(l, &checks[1], AT(1)), LIMIT_OK);
    assert_int_equal(checks[1].state.used, 2);
    limit_release(l, checks, 3);
    assert_int_equal(limit_peek(l, &checks[1], AT(1)), LIMIT_OK);
    assert_int_equal(checks[1].state.used, 1);
}

static void days(void **unused)
{
    struct limit_rule rule = {.measure = LIMIT_DAY_CALLS, .action = LIMIT_REJECT, .amount = 5};
    const uint64_t midnight_ms = NOON_MS + 12 * 3600000, m10 = 600000;
    (void)unused;
    assert_int_equal(take_many(&rule, 1, WALL(NOON_MS), 9), 5);
    assert_int_equal(state.reset_s, 12 * 3600);
    assert_int_equal(take_one(&rule, 1, WALL(midnight_ms - 1)), LIMIT_EOVER);
    assert_int_equal(take_many(&rule, 1, WALL(midnight_ms), 9), 5);
    assert_int_equal(take_many(&rule, 1, WALL(midnight_ms - m10), 9), 0); /* the clock went back */
    assert_int_equal(take_many(&rule, 1, WALL(midnight_ms + m10), 9), 0);
    rule.utc_offset_s = 28800; /* 20:00 in Beijing */
    assert_int_equal(take_many(&rule, 2, WALL(NOON_MS), 9), 5);
    assert_int_equal(state.reset_s, 4 * 3600);
    assert_int_equal(take_many(&rule, 2, WALL(NOON_MS + 4 * 3600000), 9), 5);
}

/* [BK-10.2.1c] What does not fit takes nothing; what is smaller still passes. */
static void amounts(void **unused)
{
    struct limit_rule rule = {
        .measure = LIMIT_DAY_AMOUNT, .action = LIMIT_REJECT, .amount = 1000, .units = 600};
    (void)unused;
    assert_int_equal(take_one(&rule, 1, WALL(NOON_MS)), LIMIT_OK);
    assert_int_equal(state.remaining, 400);
    assert_int_equal(take_one(&rule, 1, WALL(NOON_MS)), LIMIT_EOVER);
    assert_true(state.used == 600 && state.remaining == 400);
    rule.units = UINT64_MAX;
    assert_int_equal(take_one(&rule, 1, WALL(NOON_MS)), LIMIT_EOVER);
    rule.units = 400;
    assert_int_equal(take_one(&rule, 1, WALL(NOON_MS)), LIMIT_OK);
    rule.units = 1;
    assert_int_equal(take_one(&rule, 1, WALL(NOON_MS)), LIMIT_EOVER);
    rule.units = 0;
    assert_int_equal(take_one(&rule, 1, WALL(NOON_MS)), LIMIT_OK);
    rule.units = 1000;
    assert_int_equal(take_one(&rule, 1, WALL(NOON_MS + 86400000)), LIMIT_OK);
}

/* A wall clock that is years ahead for a moment does not freeze a key for years. */
static void clock_ahead(void **unused)
{
    struct limit_rule rule = {.measure = LIMIT_DAY_CALLS, .action = LIMIT_REJECT, .amount = 5};
    (void)unused;
    assert_int_equal(take_many(&rule, 1, WALL(NOON_MS + 3000 * UINT64_C(86400000)), 9), 5);
    assert_int_equal(take_many(&rule, 1, WALL(NOON_MS), 9), 0);
    assert_int_equal(take_many(&rule, 1, WALL(NOON_MS + 86400000), 9), 5);
}

static void clock_back(void **unused)
{
    const struct limit_rule rule = RATE(5, 60000);
    struct limit_time now = AT(600 * S);
    (void)unused;
    assert_int_equal(take_many(&rule, 1, now, 9), 5);
    now.wall_ms += 600000; /* the wall clock, either way: nothing */
    assert_int_equal(take_many(&rule, 1, now, 9), 0);
    now.wall_ms -= 1200000;
    assert_int_equal(take_many(&rule, 1, now, 9), 0);
    assert_int_equal(take_many(&rule, 1, AT(0), 9), 0); /* the file's own, which never does */
    assert_int_equal(take_many(&rule, 1, AT(661 * S), 9), 5);
}

static void charges(void **unused)
{
    const struct limit_rule rule = {
        .measure = LIMIT_DAY_BYTES, .action = LIMIT_REJECT, .amount = 1000};
    const struct limit_rule rate = RATE(1, 1000);
    struct limit_check check = check_of(&rule, 1), other = check_of(&rate, 2);
    (void)unused;
    assert_int_equal(take_many(&rule, 1, AT(0), 9), 9);
    assert_int_equal(limit_charge(l, &check, 999, AT(0)), LIMIT_OK);
    assert_int_equal(take_one(&rule, 1, AT(0)), LIMIT_OK);
    assert_int_equal(state.remaining, 1);
    assert_int_equal(limit_charge(l, &check, 5000, AT(0)), LIMIT_OK); /* crosses: had passed */
    assert_int_equal(take_one(&rule, 1, AT(0)), LIMIT_EOVER);
    assert_int_equal(state.used, 5999);
    assert_int_equal(limit_charge(l, &check, UINT64_MAX, AT(0)), LIMIT_OK);
    assert_int_equal(take_one(&rule, 1, AT(0)), LIMIT_EOVER); /* no wrap */
    assert_int_equal(limit_charge(l, &other, 1, AT(0)), LIMIT_EINVAL);
}

static void rule_ends_and_changes(void **unused)
{
    struct limit_rule rule = RATE(1, 1000);
    (void)unused;
    rule.ends_ms = NOON_MS + 5000;
    assert_int_equal(take_many(&rule, 1, AT(0), 5), 1);
    assert_int_equal(take_many(&rule, 1, AT(5 * S), 5), 5); /* it is no more */
    rule.ends_ms = 0;
    assert_int_equal(take_many(&rule, 2, AT(0), 5), 1);
    rule.amount = 3;
    assert_int_equal(take_many(&rule, 2, AT(0), 5), 2);
    rule.window_ms = 60000; /* what was counted counts on, for the new window */
    assert_int_equal(take_many(&rule, 2, AT(2 * S), 5), 0);
    assert_int_equal(take_many(&rule, 2, AT(63 * S), 5), 3);
}

static void bad_rules(void **unused)
{
    static const struct limit_rule rows[] = {
        RATE(1, 999),
        RATE(1, 86400001),
        RATE((uint64_t)LIMIT_RATE_MAX + 1, 1000),
        {.measure = LIMIT_MEASURES, .action = LIMIT_REJECT},
        {.measure = LIMIT_DAY_CALLS, .action = LIMIT_ACTIONS},
        {.measure = LIMIT_DAY_CALLS, .action = LIMIT_SUSPEND},
        {.measure = LIMIT_DAY_CALLS, .action = LIMIT_SUSPEND, .suspend_s = 2678401},
        {.measure = LIMIT_DAY_CALLS, .action = LIMIT_REJECT, .utc_offset_s = 50401},
        {.measure = LIMIT_DAY_CALLS, .action = LIMIT_REJECT, .utc_offset_s = -50401},
    };
    const struct limit_rule rule = RATE(1, 1000);
    const struct limit_rule day = {.measure = LIMIT_DAY_CALLS, .action = LIMIT_REJECT};
    struct limit_check many[LIMIT_CALL_RULES_MAX + 1];
    size_t refused_by;
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(take_one(&rows[i], 1, AT(0)), LIMIT_EINVAL);
    }
    for (size_t i = 0; i <= LIMIT_CALL_RULES_MAX; i++) {
        many[i] = check_of(&rule, i);
    }
    assert_int_equal(limit_take(l, many, LIMIT_CALL_RULES_MAX + 1, AT(0), &refused_by),
                     LIMIT_EINVAL);
    many[3] = many[7]; /* the same counter twice */
    assert_int_equal(limit_take(l, many, LIMIT_CALL_RULES_MAX, AT(0), &refused_by), LIMIT_EINVAL);
    assert_int_equal(limit_take(l, many, 0, AT(0), &refused_by), LIMIT_OK);
    assert_int_equal(take_one(&rule, 50, AT(0)), LIMIT_OK);
    assert_int_equal(take_one(&day, 50, AT(0)), LIMIT_EINVAL); /* one key, two measures */
}

static void full_table(void **unused)
{
    const struct limit_rule rule = RATE(1, 1000);
    const struct limit_rule flight = {
        .measure = LIMIT_CONCURRENCY, .action = LIMIT_REJECT, .amount = 1};
    uint64_t n = 0;
    (void)unused;
    assert_int_equal(take_one(&flight, 1000, AT(0)), LIMIT_OK);
    while (take_one(&rule, n, AT(n)) == LIMIT_OK) {
        n++;
    }
    assert_in_range(n, 64 / 2, 64);
    assert_int_equal(take_one(&rule, n, AT(n)), LIMIT_EFULL);
    for (uint64_t i = 0; i < n; i++) { /* the live keep their counts */
        assert_int_equal(take_one(&rule, i, AT(n)), LIMIT_EOVER);
    }
    for (uint64_t i = 5000; i < 5032; i++) { /* the idle give way, the one in flight never */
        assert_int_equal(take_one(&rule, i, AT(2 * S)), LIMIT_OK);
    }
    assert_int_equal(take_one(&flight, 1000, AT(2 * S)), LIMIT_EOVER);
}

static void view(void **unused)
{
    const struct limit_rule rule = RATE(5, 1000);
    const struct limit_label label = {.app.b = {1, 2, 3}, .who = "10.0.0.1"};
    struct limit_check check = check_of(&rule, 7), none = check_of(&rule, 8);
    struct limit_view seen;
    size_t cursor = 0, refused_by;
    (void)unused;
    check.label = &label;
    assert_false(limit_next(l, &cursor, AT(0), &seen));
    assert_int_equal(limit_take(l, &check, 1, AT(0), &refused_by), LIMIT_OK);
    assert_int_equal(limit_peek(l, &none, AT(0)), LIMIT_EMISSING);
    cursor = 0;
    assert_true(limit_next(l, &cursor, AT(0), &seen));
    assert_int_equal(seen.key.lo, 7);
    assert_memory_equal(&seen.label, &label, sizeof label);
    assert_int_equal(seen.used, 1);
    assert_int_equal(seen.amount, 5);
    assert_int_equal(seen.window_ms, 1000);
    assert_false(limit_next(l, &cursor, AT(0), &seen));
    cursor = 0;
    assert_false(limit_next(l, &cursor, AT(2 * S), &seen)); /* holds nothing any more */
    limit_tick(l, AT(2 * S));
    assert_int_equal(limit_peek(l, &check, AT(2 * S)), LIMIT_EMISSING); /* forgotten */
}

static void keys_differ(void **unused)
{
    const struct slice ab_c[] = {SLICE("ab"), SLICE("c")}, a_bc[] = {SLICE("a"), SLICE("bc")},
                       abc[] = {SLICE("abc")};
    struct limit_key one = limit_key_make(1, ab_c, 2), two = limit_key_make(1, a_bc, 2),
                     three = limit_key_make(1, abc, 1), other = limit_key_make(2, abc, 1);
    (void)unused;
    assert_true(one.lo != two.lo && one.lo != three.lo && two.lo != three.lo);
    assert_true(three.lo != other.lo);
    two = limit_key_make(1, ab_c, 2);
    assert_memory_equal(&one, &two, sizeof one);
}

static void files(void **unused)
{
    static const struct {
        off_t at;
        char byte;
    } damage[] = {{0, 'X'}, {7, '9'}, {8, 1}, {16, 99}, {24, 99}};
    struct limit *other = NULL;
    struct stat st;
    (void)unused;
    assert_int_equal(stat(in_dir("limits"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 4096 + 64 * 712);
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        assert_int_equal(new_table(NULL), 0);
        int fd = open(in_dir("limits"), O_RDWR);
        char byte;
        assert_int_equal(pread(fd, &byte, 1, damage[i].at), 1);
        byte ^= damage[i].byte;
        assert_int_equal(pwrite(fd, &byte, 1, damage[i].at), 1);
        assert_int_equal(limit_open(&other, in_dir("limits"), 64), LIMIT_EFORMAT);
        close(fd);
    }
    assert_int_equal(new_table(NULL), 0);
    limit_close(&l);
    assert_int_equal(truncate(in_dir("limits"), 4096 + 63 * 712), 0);
    assert_int_equal(limit_open(&other, in_dir("limits"), 64), LIMIT_EFORMAT);
    assert_int_equal(truncate(in_dir("limits"), 0), 0);
    assert_int_equal(limit_open(&other, in_dir("limits"), 64), LIMIT_EFORMAT);
    assert_int_equal(limit_open(&other, in_dir("no/such"), 64), LIMIT_EIO);
    assert_int_equal(limit_open(&other, dir, 64), LIMIT_EIO);
    assert_null(other);
    for (int i = 0; i <= LIMIT_EFORMAT + 1; i++) {
        assert_true(strlen(limit_strerror((enum limit_err)i)) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-10.1.2a1-2, SW-6-flow, BK-5i2] no span of the window holds more calls than the limit",
         rate_is_exact, new_table, NULL},
        {"a rate asked for without pause is had to 99 %", rate_gives_little_away, new_table, NULL},
        {"[BK-10.1.2a1-5] reject refuses only the calls above the limit", reject_only_what_is_over,
         new_table, NULL},
        {"[BK-10.1.2a1-3] alert lets calls pass and tells once a window, with the count",
         alert_once, new_table, NULL},
        {"[BK-10.1.2a1-4] suspend stops the key for its time or until released by hand",
         suspend_and_release, new_table, NULL},
        {"[BK-10.1.2a1-4] a release by hand empties the window", release_empties, new_table, NULL},
        {"[BK-10.1.2a1-3] a call that another rule refuses raises no alert",
         no_alert_for_a_refused_call, new_table, NULL},
        {"[BK-10.1.2a1-1] the call N+1 in flight is refused until one comes back", concurrency,
         new_table, NULL},
        {"[BK-10.1.2a1] a call that one rule refuses is counted under none", one_rule_refuses_all,
         new_table, NULL},
        {"[BK-10.2.1c] a day's sum: what does not fit takes nothing", amounts, new_table, NULL},
        {"[SW-8.3.4-flow] a day's calls, by the rule's offset, also when the clock goes back", days,
         new_table, NULL},
        {"a clock years ahead freezes no day", clock_ahead, new_table, NULL},
        {"a wall clock ten minutes off moves no window", clock_back, new_table, NULL},
        {"[SW-8.3.4-flow] rows and bytes are charged after the answer, the next call is refused",
         charges, new_table, NULL},
        {"[BK-10.2.1b3] a temporary limit ends by itself; a changed one holds at once",
         rule_ends_and_changes, new_table, NULL},
        {"rules out of bounds are refused", bad_rules, new_table, NULL},
        {"a full table drops the idle, never the live", full_table, new_table, NULL},
        {"the live view shows who, how many and of how many", view, new_table, NULL},
        {"keys keep their parts apart", keys_differ, NULL, NULL},
        {"a file that is not ours or is damaged is refused", files, new_table, NULL},
    };
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    limit_close(&l);
    unlink(in_dir("limits"));
    rmdir(dir);
    return failed;
}
