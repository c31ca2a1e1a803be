/* SPDX-License-Identifier: Apache-2.0 */
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/sources/metadata.h"
#include "data/zones/inner.h"

static char dir[] = "/tmp/zones-test-XXXXXX";
static struct uuid id;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int open_all(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/zones-test-XXXXXX");
    uuid_new(&id);
    return mkdtemp(dir) && zone_make(dir, &id) == ZONE_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct zone_column columns[] = {
    {{"no", 2}, QUERY_INTEGER, true},
    {{"name", 4}, QUERY_STRING, false},
    {{"price", 5}, QUERY_NUMBER, false},
    {{"day", 3}, QUERY_DATE, false},
};
#define N 4

static struct zone *opened(void)
{
    struct zone *z = NULL;
    assert_int_equal(zone_open(&z, dir, &id), ZONE_OK);
    return z;
}

static enum zone_err row(struct zone *z, const char *no, const char *name, const char *price,
                         const char *day)
{
    const char *texts[N] = {no, name, price, day};
    struct zone_value v[N];
    for (size_t i = 0; i < N; i++)
        v[i] = texts[i] ? (struct zone_value){slice_str(texts[i]), false}
                        : (struct zone_value){{"", 0}, true};
    return zone_load_row(z, v);
}

static void load(struct zone *z, const char *name, enum zone_mode mode, const char *no,
                 const char *price, struct zone_sum *sum)
{
    assert_int_equal(zone_load_begin(z, slice_str(name), SLICE("orders"), mode, columns, N, NULL),
                     ZONE_OK);
    assert_int_equal(row(z, no, "张三", price, "2026-01-02"), ZONE_OK);
    assert_int_equal(zone_load_commit(z, sum), ZONE_OK);
}

static uint64_t rows_of(struct zone *z)
{
    uint64_t n = 99;
    return zone_count(z, SLICE("orders"), &n) == ZONE_OK ? n : 99;
}

static void test_visible_at_once(void **state)
{
    (void)state;
    struct zone *z = opened(), *reader = opened();
    uint64_t n = 0;
    assert_int_equal(zone_count(reader, SLICE("orders"), &n), ZONE_EMISSING);
    assert_int_equal(zone_load_begin(z, SLICE("a"), SLICE("orders"), ZONE_APPEND, columns, N, NULL),
                     ZONE_OK);
    for (int i = 0; i < 1000; i++) {
        char no[8];
        snprintf(no, sizeof no, "%d", i);
        assert_int_equal(row(z, no, "x", "1.5", NULL), ZONE_OK);
    }
    assert_int_equal(zone_count(reader, SLICE("orders"), &n), ZONE_EMISSING);
    assert_int_equal(zone_load_commit(z, NULL), ZONE_OK);
    assert_int_equal(rows_of(reader), 1000);
    load(z, "b", ZONE_REPLACE, "1", "2", NULL);
    assert_int_equal(rows_of(reader), 1);
    zone_close(&z);
    zone_close(&reader);
}

static void test_once(void **state)
{
    (void)state;
    struct zone *z = opened();
    struct zone_sum first, again = {0};
    load(z, "run-1", ZONE_APPEND, "1", "10.50", &first);
    assert_int_equal(
        zone_load_begin(z, SLICE("run-1"), SLICE("orders"), ZONE_APPEND, columns, N, &again),
        ZONE_EDONE);
    assert_int_equal(again.rows, 1);
    assert_memory_equal(again.sm3, first.sm3, sizeof first.sm3);
    assert_int_equal(rows_of(z), 1);
    zone_close(&z);
}

static void test_killed_half_way(void **state)
{
    (void)state;
    int status, ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct zone *z = NULL;
        if (zone_open(&z, dir, &id) != ZONE_OK ||
            zone_load_begin(z, SLICE("k"), SLICE("orders"), ZONE_APPEND, columns, N, NULL))
            _exit(1);
        row(z, "1", "x", "1", NULL);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    struct zone *z = opened();
    uint64_t n;
    assert_int_equal(zone_count(z, SLICE("orders"), &n), ZONE_EMISSING);
    load(z, "k", ZONE_APPEND, "1", "1", NULL);
    assert_int_equal(rows_of(z), 1);
    zone_close(&z);
    close(ready[0]);
    close(ready[1]);
}

static void test_digest_of_the_way(void **state)
{
    (void)state;
    struct zone *z = opened();
    struct zone_sum sum, whole, given;
    struct zone_summer s;
    const struct zone_value v[N] = {{SLICE("7"), false},
                                    {SLICE("张三"), false},
                                    {SLICE("10.500"), false},
                                    {SLICE("2026-01-02"), false}};
    load(z, "d", ZONE_APPEND, "7", "10.5", &sum);
    zone_sum_init(&s);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(zone_sum_value(&s, columns[i].type, &v[i]), ZONE_OK);
    zone_sum_row(&s);
    zone_sum_end(&s, &given);
    assert_memory_equal(given.sm3, sum.sm3, sizeof sum.sm3);
    assert_int_equal(zone_digest(z, SLICE("orders"), &whole), ZONE_OK);
    assert_memory_equal(whole.sm3, sum.sm3, sizeof sum.sm3);
    zone_close(&z);
}

static void test_upsert_and_keys(void **state)
{
    (void)state;
    struct zone *z = opened();
    load(z, "1", ZONE_APPEND, "1", "1", NULL);
    load(z, "2", ZONE_UPSERT, "1", "2", NULL);
    assert_int_equal(rows_of(z), 1);
    assert_int_equal(zone_load_begin(z, SLICE("3"), SLICE("orders"), ZONE_APPEND, columns, N, NULL),
                     ZONE_OK);
    assert_int_equal(row(z, "1", "x", "1", NULL), ZONE_OK);
    assert_int_equal(row(z, "1", "x", "1", NULL), ZONE_EKEY);
    assert_int_equal(zone_load_commit(z, NULL), ZONE_EKEY); /* the table has 1 already */
    assert_int_equal(rows_of(z), 1);
    zone_close(&z);
}

static void test_values(void **state)
{
    static const struct {
        size_t column;
        const char *text;
        bool fits;
    } rows[] = {{0, "1.5", false},
                {0, " 1", false},
                {0, "9223372036854775807", true},
                {0, "9223372036854775808", false},
                {0, "", false},
                {2, "1e3", true},
                {2, "0x10", false},
                {2, "nan", false},
                {2, "1234567890123456", false},
                {2, "123456789012.345", true},
                {2, "1234567890000000000", true},
                {2, "1..5", false},
                {3, "2026-02-30", true},
                {3, "20260102", false},
                {3, "123e-500", false},
                {1, "=cmd()", true}};
    (void)state;
    struct zone *z = opened();
    assert_int_equal(zone_load_begin(z, SLICE("v"), SLICE("orders"), ZONE_APPEND, columns, N, NULL),
                     ZONE_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char no[16];
        snprintf(no, sizeof no, "%zu", i);
        const char *t[N] = {no, "x", NULL, NULL};
        t[rows[i].column] = rows[i].text;
        enum zone_err err = row(z, t[0], t[1], t[2], t[3]);
        if ((err == ZONE_OK) != rows[i].fits)
            fail_msg("row %zu: %s", i, zone_strerror(err));
    }
    assert_int_equal(zone_load_commit(z, NULL), ZONE_OK);
    zone_close(&z);
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", "a\"b", "sqlite_x", "_sluice_loads", "a;b", "a\nb"};
    (void)state;
    struct zone *z = opened();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(zone_table_make(z, slice_str(bad[i]), columns, N), ZONE_ENAME);
    const struct zone_column twice[] = {{{"a", 1}, QUERY_STRING, false},
                                        {{"A", 1}, QUERY_STRING, false}};
    assert_int_equal(zone_table_make(z, SLICE("t"), twice, 2), ZONE_ENAME);
    assert_int_equal(zone_table_make(z, SLICE("订单"), columns, N), ZONE_OK);
    assert_int_equal(zone_table_make(z, SLICE("订单"), columns, N), ZONE_OK);
    assert_int_equal(zone_table_make(z, SLICE("订单"), columns, N - 1), ZONE_EEXISTS);
    assert_int_equal(zone_table_drop(z, SLICE("订单")), ZONE_OK);
    zone_close(&z);
}

static json_t *find(json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
            return item;
    }
    return NULL;
}

/* As a source: what ODBC sees is what was made, and nothing of ours. */
static void test_as_a_source(void **state)
{
    (void)state;
    struct zone *z = opened();
    json_t *tables = NULL, *found = NULL;
    load(z, "s", ZONE_APPEND, "1", "1.5", NULL);
    struct source *s = source_new_managed(&id, dir);
    assert_int_equal(metadata_tables(s, &tables), SOURCE_OK);
    assert_int_equal(json_array_size(tables), 1);
    assert_int_equal(metadata_columns(s, "", "orders", &found), SOURCE_OK);
    for (size_t i = 0; i < N; i++) {
        json_t *c = find(found, columns[i].name.p);
        assert_non_null(c);
        assert_string_equal(json_string_value(json_object_get(c, "type")),
                            query_type_name(columns[i].type));
        assert_int_equal(json_is_true(json_object_get(c, "key")), columns[i].key);
    }
    struct source_rows rows;
    assert_int_not_equal(source_query(s, SLICE("DELETE FROM orders"), NULL, 0, &rows), SOURCE_OK);
    json_decref(tables);
    json_decref(found);
    source_free(&s);
    zone_close(&z);
}

/* By a connection string nobody comes to a store. */
static void test_not_by_string(void **state)
{
    char path[300], text[400];
    (void)state;
    assert_true(zone_path(dir, &id, path, sizeof path));
    snprintf(text, sizeof text, "DRIVER=SQLite3;Database=%s", path);
    struct source *s = source_new(slice_str(text), dir);
    assert_int_equal(source_ready(s), SOURCE_ECONNECTION);
    source_free(&s);
}

static void test_drop(void **state)
{
    (void)state;
    struct zone *z = opened();
    load(z, "s", ZONE_APPEND, "1", "1.5", NULL);
    zone_close(&z);
    assert_int_equal(zone_drop(dir, &id), ZONE_OK);
    assert_int_equal(zone_drop(dir, &id), ZONE_OK);
    assert_int_equal(zone_open(&z, dir, &id), ZONE_EMISSING);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)
    const struct CMUnitTest tests[] = {
        T(test_visible_at_once), T(test_once),   T(test_killed_half_way), T(test_digest_of_the_way),
        T(test_upsert_and_keys), T(test_values), T(test_names),           T(test_as_a_source),
        T(test_not_by_string),   T(test_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
