/* SPDX-License-Identifier: Apache-2.0 */
/* The script in a Redis of the test's own, on a socket in its own folder. */
#include "limit/redis_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { RULES = 3, REPLY_MAX = 1 + 5 * RULES, PASSED_MAX = 4000 };

static char dir[] = "/tmp/sluice-redis-XXXXXX";
static char path[64];
static pid_t server;
static redisContext *redis;
static char sha[41];
static long long reply[REPLY_MAX]; /* of the last take */

/* What the script is told of one rule. */
struct row {
    const char *key;
    enum limit_measure measure;
    enum limit_action action;
    unsigned amount, window_ms, suspend_s, released_ms, units;
};

static redisContext *connect_to_it(void)
{
    for (int i = 0; i < 100; i++) {
        redisContext *one = redisConnectUnix(path);
        if (one != NULL && one->err == 0) {
            return one;
        }
        redisFree(one);
        usleep(50000);
    }
    return NULL;
}

static void run_server(void)
{
    char log[80];
    snprintf(log, sizeof log, "%s/log", dir);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
           "--appendonly", "no", "--dir", dir, "--logfile", log, (char *)NULL);
    _exit(127);
}

static int start_server(void **unused)
{
    (void)unused;
    snprintf(path, sizeof path, "%s/socket", dir);
    server = fork();
    if (server == 0) {
        run_server();
    }
    redis = connect_to_it();
    if (redis == NULL) {
        return -1;
    }
    redisReply *loaded = redisCommand(redis, "SCRIPT LOAD %s", limit_redis_script);
    bool ok = loaded != NULL && loaded->type == REDIS_REPLY_STRING && loaded->len == 40;
    if (ok) {
        memcpy(sha, loaded->str, sizeof sha);
    } else if (loaded != NULL) {
        fprintf(stderr, "%s\n", loaded->str);
    }
    freeReplyObject(loaded);
    return ok ? 0 : -1;
}

static int stop_server(void **unused)
{
    (void)unused;
    char log[80];
    snprintf(log, sizeof log, "%s/log", dir);
    redisFree(redis);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    unlink(path);
    unlink(log);
    return rmdir(dir);
}

static int flush(void **unused)
{
    (void)unused;
    freeReplyObject(redisCommand(redis, "FLUSHALL"));
    return 0;
}

/* op, call and n rules, and an argument more. */
static void run(redisContext *on, const char *op, const char *call, unsigned lease_ms,
                const struct row *rows, size_t n, const char *more)
{
    char texts[RULES * 10][64], lease[16], keys[8];
    const char *argv[8 + RULES * 10] = {"EVALSHA", sha};
    size_t k = 3, at = 0;
    snprintf(keys, sizeof keys, "%zu", 2 * n);
    snprintf(lease, sizeof lease, "%u", lease_ms);
    argv[2] = keys;
    for (size_t i = 0; i < 2 * n; i++) {
        snprintf(texts[at], 64, LIMIT_REDIS_PREFIX "%s%s", rows[i / 2].key,
                 i % 2 == 0 ? "" : LIMIT_REDIS_LEASES);
        argv[k++] = texts[at++];
    }
    argv[k++] = op;
    argv[k++] = call;
    argv[k++] = lease;
    for (size_t i = 0; i < n; i++) {
        const unsigned numbers[] = {rows[i].amount, rows[i].window_ms,   rows[i].suspend_s,
                                    28800,          rows[i].released_ms, rows[i].units};
        argv[k++] = limit_redis_measure(rows[i].measure);
        argv[k++] = limit_redis_action(rows[i].action);
        for (size_t f = 0; f < 6; f++) {
            snprintf(texts[at], 64, "%u", numbers[f]);
            argv[k++] = texts[at++];
        }
    }
    argv[k++] = more;
    redisReply *got = redisCommandArgv(on, (int)(more == NULL ? k - 1 : k), argv, NULL);
    assert_non_null(got);
    if (got->type == REDIS_REPLY_ERROR) {
        fail_msg("%s", got->str);
    }
    assert_int_equal(got->type, REDIS_REPLY_ARRAY);
    assert_true(got->elements <= REPLY_MAX);
    for (size_t i = 0; i < got->elements; i++) {
        reply[i] = got->element[i]->integer;
    }
    freeReplyObject(got);
}

/* Number of the rule that refuses; 0: passed. */
static long long take(const struct row *rows, size_t n, const char *call)
{
    run(redis, "take", call, 60000, rows, n, NULL);
    return reply[0];
}

static unsigned take_many(const struct row *row, unsigned n)
{
    unsigned passed = 0;
    for (unsigned i = 0; i < n; i++) {
        char call[16];
        snprintf(call, sizeof call, "c%u", i);
        passed += take(row, 1, call) == 0;
    }
    return passed;
}

static void rate(void **unused)
{
    const struct row row = {"rate", LIMIT_RATE, LIMIT_REJECT, 40, 1000, 0, 0};
    static uint64_t before[PASSED_MAX], after[PASSED_MAX];
    uint64_t begun_us = clock_mono_us(), at_us = begun_us;
    unsigned n = 0, asked = 0;
    (void)unused;
    for (; at_us - begun_us < 2600000; at_us = clock_mono_us(), asked++) {
        bool passed = take(&row, 1, "c") == 0;
        assert_int_equal(reply[3] + reply[4], 40);
        assert_in_range(reply[5], 1, 2);
        if (passed && n < PASSED_MAX) {
            before[n] = at_us;
            after[n++] = clock_mono_us();
        }
        usleep(5000);
    }
    assert_true(asked > 2 * n);
    assert_in_range(n, 100, 120);
    for (unsigned i = 40; i < n; i++) {
        assert_true(after[i] - before[i - 40] >= 1000000);
    }
}

static void actions(void **unused)
{
    const struct row alert = {"alert", LIMIT_RATE, LIMIT_ALERT, 3, 60000, 0, 0};
    struct row suspend = {"suspend", LIMIT_RATE, LIMIT_SUSPEND, 2, 1000, 3600, 0};
    unsigned told = 0;
    (void)unused;
    for (int i = 0; i < 9; i++) {
        assert_int_equal(take(&alert, 1, "c"), 0);
        told += reply[2] == 1;
        assert_int_equal(reply[2], i == 3);
        assert_int_equal(reply[3], i + 1);
    }
    assert_int_equal(told, 1);
    assert_int_equal(take_many(&suspend, 5), 2);
    assert_int_equal(reply[1], LIMIT_SUSPENDED);
    assert_in_range(reply[5], 3598, 3600);
    usleep(1100000);
    assert_int_equal(take_many(&suspend, 5), 0); /* though the window is free again */
    suspend.released_ms = 7;
    assert_int_equal(take_many(&suspend, 5), 2);
    assert_int_equal(take_many(&suspend, 5), 0);
}

static void concurrency(void **unused)
{
    const struct row row = {"flight", LIMIT_CONCURRENCY, LIMIT_REJECT, 3, 0, 0, 0};
    (void)unused;
    assert_int_equal(take_many(&row, 5), 3);
    run(redis, "release", "c1", 0, &row, 1, NULL);
    run(redis, "release", "c1", 0, &row, 1, NULL); /* twice: no harm */
    assert_int_equal(take(&row, 1, "again"), 0);
    assert_int_equal(take(&row, 1, "more"), 1);
    flush(NULL);
    run(redis, "take", "short", 200, &row, 1, NULL); /* its gateway dies */
    assert_int_equal(take_many(&row, 5), 2);
    usleep(250000);
    assert_int_equal(take(&row, 1, "after"), 0);
}

/* What does not fit takes nothing; what is smaller still passes. */
static void amounts(void **unused)
{
    struct row row = {"sum", LIMIT_DAY_AMOUNT, LIMIT_REJECT, 1000, 0, 0, 0, 600};
    (void)unused;
    assert_int_equal(take(&row, 1, "a"), 0);
    assert_int_equal(reply[4], 400);
    assert_int_equal(take(&row, 1, "b"), 1);
    assert_int_equal(reply[4], 400);
    row.units = 400;
    assert_int_equal(take(&row, 1, "c"), 0);
    assert_int_equal(reply[3], 1000);
    row.units = 1;
    assert_int_equal(take(&row, 1, "d"), 1);
    row.units = 0;
    assert_int_equal(take(&row, 1, "e"), 0);
}

static void days(void **unused)
{
    const struct row calls = {"calls", LIMIT_DAY_CALLS, LIMIT_REJECT, 5, 0, 0, 0};
    const struct row bytes = {"bytes", LIMIT_DAY_BYTES, LIMIT_REJECT, 1000, 0, 0, 0};
    (void)unused;
    assert_int_equal(take_many(&calls, 9), 5);
    assert_in_range(reply[5], 1, 86400);
    assert_int_equal(take_many(&bytes, 3), 3);
    run(redis, "charge", "c", 0, &bytes, 1, "999");
    assert_int_equal(take(&bytes, 1, "c"), 0);
    assert_int_equal(reply[4], 1);
    run(redis, "charge", "c", 0, &bytes, 1, "5000");
    assert_int_equal(take(&bytes, 1, "c"), 1);
    assert_int_equal(reply[3], 5999);
}

static void all_or_none(void **unused)
{
    const struct row rows[RULES] = {{"wide", LIMIT_RATE, LIMIT_REJECT, 10, 60000, 0, 0},
                                    {"wide2", LIMIT_CONCURRENCY, LIMIT_REJECT, 10, 0, 0, 0},
                                    {"narrow", LIMIT_DAY_CALLS, LIMIT_REJECT, 1, 0, 0, 0}};
    (void)unused;
    assert_int_equal(take(rows, RULES, "one"), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(take(rows, RULES, "two"), 3);
    }
    assert_int_equal(take(rows, 2, "three"), 0);
    assert_int_equal(reply[3], 2);
    assert_int_equal(reply[8], 2);
}

static void rule_changes(void **unused)
{
    struct row row = {"change", LIMIT_RATE, LIMIT_REJECT, 3, 1000, 0, 0};
    (void)unused;
    assert_int_equal(take_many(&row, 9), 3);
    row.window_ms = 60000;
    usleep(1100000);
    assert_int_equal(take_many(&row, 9), 0);
    row.amount = 5;
    assert_int_equal(take_many(&row, 9), 2);
    redisReply *ttl = redisCommand(redis, "PTTL " LIMIT_REDIS_PREFIX "change");
    assert_in_range(ttl->integer, 60000, 130000); /* it is forgotten by itself */
    freeReplyObject(ttl);
}

/* Gateways on several connections, in turn at one counter. */
static void many_gateways(void **unused)
{
    const struct row row = {"many", LIMIT_RATE, LIMIT_REJECT, 100, 60000, 0, 0};
    pid_t pids[3];
    int status, passed = 0;
    (void)unused;
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            int own = 0;
            redis = connect_to_it();
            for (int call = 0; call < 200 && redis != NULL; call++) {
                own += take(&row, 1, "c") == 0;
            }
            _exit(own);
        }
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        passed += WEXITSTATUS(status);
    }
    assert_int_equal(passed, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-10.1.2a1-2] redis: no span of the window holds more calls than the limit", rate,
         flush, NULL},
        {"[BK-10.1.2a1-2] redis: counting is shared across gateways", many_gateways, flush, NULL},
        {"[BK-10.1.2a1-3, BK-10.1.2a1-4] redis: alert is told once, suspend lasts or is released",
         actions, flush, NULL},
        {"[BK-10.1.2a1-1] redis: in flight by leases, which end by themselves", concurrency, flush,
         NULL},
        {"[BK-10.2.1c] redis: a day's sum", amounts, flush, NULL},
        {"[SW-8.3.4-flow] redis: calls and bytes of a day", days, flush, NULL},
        {"redis: a call that one rule refuses is counted under none", all_or_none, flush, NULL},
        {"redis: a changed rule counts on", rule_changes, flush, NULL},
    };
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
