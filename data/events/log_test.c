/* SPDX-License-Identifier: Apache-2.0 */
/* The log under what happens to it: torn blocks, other keys, rotation, retention, several writers.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "data/events/cloudevents.h"

static char dir[] = "/tmp/sluice-log-XXXXXX";
static const uint8_t key[CRYPTO_KEY_LEN] = {7};
static const struct uuid topic = {{1, 2, 3}};

static int fresh(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/sluice-log-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int gone(void **state)
{
    char command[80];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static enum log_err put(struct topic_log *log, const char *id, size_t *duplicates)
{
    struct event e = {.key = SLICE("k"),
                      .owner = SLICE("o"),
                      .type = SLICE("t"),
                      .head = SLICE("{\"id\":\"x\""),
                      .data = slice_str(id)};
    ce_identity(&e, SLICE("/s"), slice_str(id));
    return topic_log_append(log, &e, 1, duplicates);
}

static size_t count(struct topic_log *log, uint64_t after)
{
    struct event e;
    bool damaged = false;
    size_t n = 0;
    struct topic_reader *r = topic_reader_new(log);
    topic_reader_seek(r, after);
    while (topic_reader_next(r, &e, &damaged)) {
        assert_int_equal(e.seq, after + ++n);
        assert_true(slice_eq(e.owner, SLICE("o")) && slice_eq(e.key, SLICE("k")));
    }
    assert_false(damaged);
    topic_reader_free(&r);
    return n;
}

static void kept(void **state)
{
    size_t twice = 9;
    char id[16];
    (void)state;
    struct topic_log *log = topic_log_open(dir, &topic, key, 400);
    assert_non_null(log);
    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof id, "%d", i);
        assert_int_equal(put(log, id, &twice), LOG_OK);
        assert_int_equal(twice, 0);
    }
    assert_int_equal(put(log, "29", &twice), LOG_OK);
    assert_int_equal(twice, 1);
    assert_int_equal(topic_log_last(log), 30);
    assert_int_equal(count(log, 0), 30);
    assert_int_equal(count(log, 17), 13);
    topic_log_close(&log);
    log = topic_log_open(dir, &topic, key, 400);
    assert_non_null(log);
    assert_int_equal(topic_log_last(log), 30);
    assert_int_equal(put(log, "29", &twice), LOG_OK);
    assert_int_equal(twice, 1); /* a publisher that tries again after our crash */
    assert_int_equal(count(log, 0), 30);
    assert_int_equal(topic_log_before(log, 1), 0);
    assert_int_equal(topic_log_before(log, clock_wall_ms() + 1000), 30);
    topic_log_trim(log, 0, 500);
    assert_true(topic_log_first(log) > 1 && topic_log_bytes(log) <= 1200);
    assert_int_equal(count(log, topic_log_first(log) - 1), 31 - topic_log_first(log));
    topic_log_close(&log);
}

/* Cut anywhere in its last block, the log is what it was before that block and goes on from there.
 */
static void torn(void **state)
{
    char path[100];
    size_t twice;
    (void)state;
    struct topic_log *log = topic_log_open(dir, &topic, key, 0);
    assert_int_equal(put(log, "a", &twice), LOG_OK);
    uint64_t whole = topic_log_bytes(log);
    assert_int_equal(put(log, "b", &twice), LOG_OK);
    uint64_t all = topic_log_bytes(log);
    topic_log_close(&log);
    snprintf(path, sizeof path, "%s/%020d.log", dir, 1);
    for (uint64_t at = all - 1; at >= whole; at -= 7) {
        assert_int_equal(truncate(path, (off_t)at), 0);
        log = topic_log_open(dir, &topic, key, 0);
        assert_non_null(log);
        assert_int_equal(topic_log_last(log), 1);
        assert_int_equal(put(log, "b", &twice), LOG_OK);
        assert_int_equal(twice, 0);
        assert_int_equal(count(log, 0), 2);
        topic_log_close(&log);
    }
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, (off_t)all - 3), 1); /* not torn: changed */
    close(fd);
    log = topic_log_open(dir, &topic, key, 0);
    assert_int_equal(topic_log_last(log), 1);
    topic_log_close(&log);
}

static void sealed(void **state)
{
    char path[100], bytes[400];
    const uint8_t other[CRYPTO_KEY_LEN] = {8};
    size_t twice;
    (void)state;
    struct topic_log *log = topic_log_open(dir, &topic, key, 0);
    assert_int_equal(put(log, "13812345678", &twice), LOG_OK);
    topic_log_close(&log);
    snprintf(path, sizeof path, "%s/%020d.log", dir, 1);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_true(n > 40);
    assert_null(memmem(bytes, (size_t)n, "13812345678", 11));
    log = topic_log_open(dir, &topic, other, 0); /* what does not open is no event */
    assert_non_null(log);
    assert_int_equal(topic_log_last(log), 0);
    topic_log_close(&log);
}

static void *writer(void *p)
{
    static _Atomic int number;
    size_t twice;
    char id[16];
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof id, "w%d", number++);
        assert_int_equal(put(p, id, &twice), LOG_OK);
    }
    return NULL;
}

static void together(void **state)
{
    pthread_t threads[4];
    (void)state;
    struct topic_log *log = topic_log_open(dir, &topic, key, 4000);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, writer, log), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(topic_log_last(log), 200);
    assert_int_equal(count(log, 0), 200);
    topic_log_close(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kept, fresh, gone),
        cmocka_unit_test_setup_teardown(torn, fresh, gone),
        cmocka_unit_test_setup_teardown(sealed, fresh, gone),
        cmocka_unit_test_setup_teardown(together, fresh, gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
