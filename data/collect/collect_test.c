/* SPDX-License-Identifier: Apache-2.0 */
/* Rules row by row, most of them negative, and runs without a provider: what is done once stays
 * done once. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/collect/inner.h"
#include "data/zones/inner.h"

static char dir[] = "/tmp/collect-test-XXXXXX";
static struct uuid target;
static const uint8_t key[CRYPTO_KEY_LEN] = {1};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int open_all(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/collect-test-XXXXXX");
    uuid_new(&target);
    return mkdtemp(dir) && zone_make(dir, &target) == ZONE_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static json_t *parse(const char *text)
{
    json_t *v = json_loads(text, 0, NULL);
    assert_non_null(v);
    return v;
}

static void test_rules(void **state)
{
    static const struct {
        const char *rules, *record, *result; /* result NULL: refused at field f */
        bool blank;
        unsigned converted;
    } rows[] = {
        {"[{\"rule\":\"trim\"}]", "{\"f\":\"  a b \"}", "{\"f\":\"a b\"}", false, 1},
        {"[{\"rule\":\"trim\"}]", "{\"f\":7}", "{\"f\":7}", false, 0},
        {"[{\"rule\":\"upper\"}]", "{\"f\":\"a甲z\"}", "{\"f\":\"A甲Z\"}", false, 1},
        {"[{\"rule\":\"required\"}]", "{\"f\":\" \\t\"}", NULL, true, 0},
        {"[{\"rule\":\"required\"}]", "{}", NULL, true, 0},
        {"[{\"rule\":\"required\"}]", "{\"f\":0}", "{\"f\":0}", false, 0},
        {"[{\"rule\":\"default\",\"value\":\"x\"}]", "{\"f\":null}", "{\"f\":\"x\"}", false, 1},
        {"[{\"rule\":\"date\",\"from\":[\"%Y%m%d\"]}]", "{\"f\":\"20240229\"}",
         "{\"f\":\"2024-02-29\"}", false, 1},
        {"[{\"rule\":\"date\",\"from\":[\"%Y%m%d\"]}]", "{\"f\":20240229}",
         "{\"f\":\"2024-02-29\"}", false, 1},
        {"[{\"rule\":\"date\",\"from\":[\"%Y%m%d\"]}]", "{\"f\":\"20230229\"}", NULL, false, 0},
        {"[{\"rule\":\"date\",\"from\":[\"%Y%m%d\"]}]", "{\"f\":\"2024-02-29\"}",
         "{\"f\":\"2024-02-29\"}", false, 0},
        {"[{\"rule\":\"date\",\"from\":[\"%Y%m%d\"]}]", "{\"f\":\"2024-02-30\"}", NULL, false, 0},
        {"[{\"rule\":\"date\",\"from\":[\"%Y%m%d\"]}]", "{\"f\":\"20240229x\"}", NULL, false, 0},
        {"[{\"rule\":\"date\",\"from\":[\"%Y%m%d\"]}]", "{\"f\":[1]}", NULL, false, 0},
        {"[{\"rule\":\"date\"}]", "{\"f\":null}", "{\"f\":null}", false, 0},
        {"[{\"rule\":\"code\",\"map\":{\"男\":\"1\"}}]", "{\"f\":\"男\"}", "{\"f\":\"1\"}", false,
         1},
        {"[{\"rule\":\"code\",\"map\":{\"男\":\"1\"},\"strict\":true}]", "{\"f\":\"1\"}",
         "{\"f\":\"1\"}", false, 0},
        {"[{\"rule\":\"code\",\"map\":{\"男\":\"1\"},\"strict\":true}]", "{\"f\":\"2\"}", NULL,
         false, 0},
        {"[{\"rule\":\"code\",\"map\":{\"男\":\"1\"}}]", "{\"f\":\"2\"}", "{\"f\":\"2\"}", false,
         0},
        {"[{\"rule\":\"unit\",\"from\":{\"t\":1000}}]", "{\"f\":\"1.5 t\"}", "{\"f\":1500}", false,
         1},
        {"[{\"rule\":\"unit\",\"from\":{\"t\":1000}}]", "{\"f\":\"2 lb\"}", NULL, false, 0},
        {"[{\"rule\":\"unit\",\"from\":{\"t\":1000}}]", "{\"f\":\"many\"}", NULL, false, 0},
        {"[{\"rule\":\"unit\",\"from\":{\"t\":1000}}]", "{\"f\":3}", "{\"f\":3}", false, 0},
        {"[{\"rule\":\"nothing we know\"}]", "{\"f\":3}", NULL, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *rules = parse(rows[i].rules), *record = parse(rows[i].record);
        uint64_t converted = 0;
        bool blank = false;
        json_object_set_new(json_array_get(rules, 0), "field", json_string("f"));
        const char *bad = collect_clean(rules, record, &converted, &blank);
        json_t *want = rows[i].result ? parse(rows[i].result) : NULL;
        if (!bad != (want != NULL) || (want && !json_equal(want, record)) ||
            blank != rows[i].blank || (want && converted != rows[i].converted))
            fail_msg("row %zu", i);
        json_decref(want);
        json_decref(rules);
        json_decref(record);
    }
}

static void test_pointers(void **state)
{
    json_t *v = parse("{\"a\":{\"b/c\":[1,{\"d\":2}]},\"e\":3}");
    (void)state;
    assert_int_equal(json_integer_value(collect_at(v, "/a/b~1c/1/d")), 2);
    assert_int_equal(json_integer_value(collect_at(v, "e")), 3);
    assert_ptr_equal(collect_at(v, ""), v);
    assert_null(collect_at(v, "/a/b~1c/x"));
    assert_null(collect_at(v, "/a/b~1c/9"));
    assert_null(collect_at(v, "/e/f/g"));
    json_decref(v);
}

static json_t *run_of(const char *run, const char *mode, const char *records)
{
    char id[UUID_TEXT_LEN + 1], text[1024];
    const struct collect_env env = {dir, key};
    uuid_format(&target, id);
    snprintf(text, sizeof text,
             "{\"run\":\"%s\",\"target\":\"%s\",\"table\":\"t\",\"mode\":\"%s\",\"columns\":[{"
             "\"name\":\"k\",\"type\":\"string\",\"key\":true},{\"name\":\"n\",\"type\":"
             "\"integer\"}],\"inputs\":[{\"kind\":\"inline\",\"sender\":\"s\",\"records\":%s}]}",
             run, id, mode, records);
    json_t *job = parse(text), *report = collect_run(&env, job);
    json_decref(job);
    return report;
}

static int64_t count(const json_t *report, const char *name)
{
    return json_integer_value(json_object_get(report, name));
}

static uint64_t rows_now(void)
{
    struct zone *z = NULL;
    uint64_t n = 0;
    assert_int_equal(zone_open(&z, dir, &target), ZONE_OK);
    assert_int_equal(zone_count(z, SLICE("t"), &n), ZONE_OK);
    zone_close(&z);
    return n;
}

static void test_runs(void **state)
{
    static const char records[] =
        "[{\"k\":\"a\",\"n\":1},{\"k\":\"a\",\"n\":2},{\"k\":\"b\",\"n\":\"many\"},{\"n\":1},7]";
    const struct collect_env env = {dir, key};
    (void)state;
    json_t *first = run_of("r1", "upsert", records), *again = run_of("r1", "upsert", records);
    assert_string_equal(collect_text(first, "outcome"), "succeeded");
    assert_int_equal(count(first, "accepted"), 1);
    assert_int_equal(count(first, "duplicate"), 1);
    assert_int_equal(count(first, "illegal"), 3);
    assert_int_equal(count(first, "quarantined"), 3);
    assert_true(json_equal(first, again));
    assert_int_equal(rows_now(), 1);
    json_t *apart = collect_quarantine(&env, &target, "r1", 1);
    assert_int_equal(json_array_size(json_object_get(apart, "items")), 2);
    json_decref(apart);
    json_decref(first);
    json_decref(again);
    /* A key that is there refuses an append as a whole; nothing of it is seen. */
    json_t *refused = run_of("r2", "append", "[{\"k\":\"z\",\"n\":1},{\"k\":\"a\",\"n\":5}]");
    assert_string_equal(collect_text(refused, "code"), "store-failed");
    assert_int_equal(rows_now(), 1);
    json_decref(refused);
    assert_null(collect_done(&env, &target, "r2"));
}

static void test_bad_work(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"run\":\"x\",\"target\":\"nothing\"}",
        "{\"run\":\"x\",\"target\":\"019a0000-0000-7000-8000-000000000001\",\"columns\":[{\"name\":"
        "\"a\",\"type\":\"string\"}],\"table\":\"t\",\"inputs\":[]}",
        "{\"run\":\"x\",\"target\":\"019a0000-0000-7000-8000-000000000001\",\"columns\":[{\"name\":"
        "\"a\",\"type\":\"string\",\"mask\":\"nonsense\"}]}",
    };
    const struct collect_env env = {dir, key};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *job = parse(bad[i]), *report = collect_run(&env, job);
        assert_string_equal(collect_text(report, "outcome"), "failed");
        json_decref(report);
        json_decref(job);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test_setup_teardown(test_runs, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_bad_work, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
