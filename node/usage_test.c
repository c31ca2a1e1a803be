/* SPDX-License-Identifier: Apache-2.0 */
/* What was used is counted once, however often whoever counts is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "node/usage.h"

#define DAY_MS 86400000ull
#define TODAY  (20000 * DAY_MS)

static char dir[64];
static struct audit_writer *writer;

static void open_writer(void)
{
    const struct audit_config cfg = {.dir = dir, .node = "n1", .segment_bytes = 64u << 10};
    assert_int_equal(audit_writer_open(&writer, &cfg), AUDIT_OK);
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/usage-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    open_writer();
    return 0;
}

static int teardown(void **state)
{
    char command[96];
    (void)state;
    audit_writer_close(&writer);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

/* app 0: nobody's; api 0: a path that no API answers at. */
static uint32_t elapsed_us; /* of the calls that follow */

static void append(uint8_t api, uint8_t app, const char *owner, uint64_t at_ms, uint16_t status)
{
    const struct audit_call call = {.kind = AUDIT_CALL,
                                    .elapsed_us = elapsed_us,
                                    .api = {.b = {api}},
                                    .app = {.b = {app}},
                                    .at_us = at_ms * 1000,
                                    .status = status,
                                    .owner = slice_str(owner),
                                    .client = SLICE(""),
                                    .target = SLICE(""),
                                    .rows = 3,
                                    .bytes_out = 10};
    assert_int_equal(audit_writer_append(writer, &call), AUDIT_OK);
}

static struct usage *begin(void)
{
    struct usage *u = usage_new(dir, dir);
    assert_non_null(u);
    return u;
}

static json_int_t number(const json_t *batch, size_t i, const char *name)
{
    return json_integer_value(
        json_object_get(json_array_get(json_object_get(batch, "rows"), i), name));
}

static json_int_t in_class(const json_t *batch, size_t row, size_t class)
{
    const json_t *r = json_array_get(json_object_get(batch, "rows"), row);
    return json_integer_value(json_array_get(json_object_get(r, "times"), class));
}

static size_t rows(const json_t *batch)
{
    return json_array_size(json_object_get(batch, "rows"));
}

/* SW-3.8b: a class holds its bound; what failed and what was refused has no time. */
static void times_fall_into_classes(void **state)
{
    static const struct {
        uint32_t us;
        size_t class;
    } all[] = {{0, 0},      {10000, 0},   {10001, 1},   {20000, 1},
               {500000, 5}, {5000000, 8}, {5000001, 9}, {UINT32_MAX, 9}};
    (void)state;
    struct usage *u = begin();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        elapsed_us = all[i].us;
        append(2, 7, "", TODAY, 200);
    }
    append(2, 7, "", TODAY, 502);
    append(2, 7, "", TODAY, 404);
    elapsed_us = 0;
    json_t *batch = usage_take(u);
    assert_int_equal(number(batch, 0, "calls"), 10);
    assert_int_equal(number(batch, 0, "failed"), 1);
    for (size_t class = 0; class < 10; class ++) {
        json_int_t wanted = 0;
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            wanted += all[i].class == class;
        }
        assert_int_equal(in_class(batch, 0, class), wanted);
    }
    json_decref(batch);
    usage_free(&u);
}

static void calls_become_rows(void **state)
{
    (void)state;
    struct usage *u = begin();
    assert_null(usage_take(u));
    append(1, 7, "M1", TODAY, 200);
    append(1, 7, "M1", TODAY + 5, 403);
    append(1, 7, "M2", TODAY, 200);
    append(1, 7, "M1", TODAY + DAY_MS, 200);
    append(0, 7, "M1", TODAY, 404);
    json_t *batch = usage_take(u);
    assert_int_equal(rows(batch), 3);
    assert_int_equal(number(batch, 0, "calls"), 2);
    assert_int_equal(number(batch, 0, "refused"), 1);
    assert_int_equal(number(batch, 0, "rows"), 6);
    assert_int_equal(number(batch, 0, "bytes"), 20);
    assert_int_equal(number(batch, 0, "day"), TODAY);
    assert_int_equal(number(batch, 2, "day"), TODAY + DAY_MS);
    json_decref(batch);
    usage_accepted(u);
    assert_null(usage_take(u));
    usage_free(&u);
}

/* Killed before it was told that the batch is stored: the same batch comes again, and what was
 * appended meanwhile is in the next. */
static void a_batch_is_the_same_after_a_kill(void **state)
{
    (void)state;
    struct usage *u = begin();
    append(1, 7, "M1", TODAY, 200);
    json_t *first = usage_take(u);
    usage_free(&u);
    append(1, 7, "M1", TODAY, 200);
    u = begin();
    json_t *again = usage_take(u);
    assert_true(json_equal(first, again));
    json_decref(first);
    json_decref(again);
    usage_accepted(u);
    json_t *next = usage_take(u);
    assert_int_equal(number(next, 0, "calls"), 1);
    json_decref(next);
    usage_free(&u);
}

static void a_long_log_comes_in_batches_over_segments(void **state)
{
    (void)state;
    enum { N = 3000, OWNERS = 1200 };
    struct usage *u = begin();
    char owner[16];
    json_int_t calls = 0;
    size_t batches = 0;
    for (unsigned i = 0; i < N; i++) {
        snprintf(owner, sizeof owner, "M%u", i % OWNERS);
        append(1, (uint8_t)(1 + i % 3), owner, TODAY, 200);
        if (i == N / 2) { /* another worker goes on with the stream */
            audit_writer_close(&writer);
            open_writer();
        }
    }
    for (json_t *batch; (batch = usage_take(u)) != NULL; batches++) {
        assert_in_range(rows(batch), 1, USAGE_ROWS_MAX);
        for (size_t i = 0; i < rows(batch); i++) {
            calls += number(batch, i, "calls");
        }
        json_decref(batch);
        usage_accepted(u);
        if (batches == 1) { /* and another agent */
            usage_free(&u);
            u = begin();
            batch = usage_take(u); /* what is on the disk was accepted, it was told so */
            json_decref(batch);
        }
    }
    usage_free(&u);
    assert_true(batches >= 3);
    assert_true(calls >=
                N); /* the batch that was sent twice has one id: the receiver counts it once */
}

static void a_broken_file_counts_from_the_beginning(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/usage.json", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("{\"places\": [[1", f);
    fclose(f);
    append(1, 7, "M1", TODAY, 200);
    struct usage *u = begin();
    json_t *batch = usage_take(u);
    assert_int_equal(rows(batch), 1);
    json_decref(batch);
    usage_free(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_become_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(times_fall_into_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_is_the_same_after_a_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_log_comes_in_batches_over_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_file_counts_from_the_beginning, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
