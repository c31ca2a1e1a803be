/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules, and what becomes of a run whose time has passed. No data service here: runs wait. */
#include <stdio.h>

#include "base/clock.h"
#include "exchange/exchange.h"
#include "jobs/jobs.h"
#include "test/fixture.h"

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static uint64_t next(const char *schedule, const char *now)
{
    uint64_t ms = 0;
    json_t *v = json_loads(schedule, 0, NULL);
    assert_non_null(v);
    assert_true(clock_parse_ms(now, strlen(now), &ms));
    ms = schedule_next(v, ms);
    json_decref(v);
    return ms;
}

static void test_times(void **state)
{
    static const struct {
        const char *schedule, *now, *next;
    } rows[] = {
        {"{\"every_s\":60}", "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z"},
        {"{\"at\":[\"02:00\",\"14:30\"]}", "2026-01-01T01:00:00.000Z", "2026-01-01T02:00:00.000Z"},
        {"{\"at\":[\"02:00\",\"14:30\"]}", "2026-01-01T02:00:00.000Z", "2026-01-01T14:30:00.000Z"},
        {"{\"at\":[\"02:00\",\"14:30\"]}", "2026-12-31T15:00:00.000Z", "2027-01-01T02:00:00.000Z"},
        {"{\"at\":[\"02:00\"],\"offset\":\"+08:00\"}", "2026-01-01T01:00:00.000Z",
         "2026-01-01T18:00:00.000Z"},
        {"{\"at\":[\"20:00\"],\"offset\":\"-05:00\"}", "2026-01-01T02:00:00.000Z",
         "2026-01-02T01:00:00.000Z"},
    };
    char text[CLOCK_RFC3339_LEN + 1];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        clock_format_ms(next(rows[i].schedule, rows[i].now), text);
        assert_string_equal(text, rows[i].next);
    }
}

static const char *bad_schedules[] = {
    "{}",
    "{\"every_s\":1}",
    "{\"every_s\":60,\"at\":[\"02:00\"]}",
    "{\"at\":[]}",
    "{\"at\":[\"24:00\"]}",
    "{\"at\":[\"2:00\"]}",
    "{\"at\":[\"02:00\"],\"offset\":\"8\"}",
    "{\"at\":[\"02:00\"],\"offset\":\"+15:00\"}",
    "{\"every_s\":60,\"cron\":\"*\"}",
};

static char tool[40], source[40], node[40];

static void make_world(void)
{
    struct store_txn *txn = NULL;

    snprintf(source, sizeof source, "%s",
             fixture_ok(&f, PROVIDER, "POST", "sources",
                        text("{\"name\":\"landing\",\"organisation_id\":\"%s\",\"kind\":"
                             "\"managed\",\"zone\":\"landing\"}",
                             f.holder),
                        "id"));
    /* The data service makes the store; here there is none. */
    assert_int_equal(store_begin(f.ctl.store, STORE_WRITE, &txn), STORE_OK);
    assert_int_equal(store_exec(txn, "UPDATE sources SET state = 'ready'", NULL, 0, NULL),
                     STORE_OK);
    assert_int_equal(store_commit(&txn), STORE_OK);
    snprintf(node, sizeof node, "%s",
             fixture_ok(&f, PROVIDER, "POST", "exchange_nodes",
                        text("{\"name\":\"n\",\"code\":\"n\",\"kind\":\"other\",\"organisation_id\""
                             ":\"%s\",\"address\":\"https://example.org\"}",
                             f.holder),
                        "id"));
    snprintf(tool, sizeof tool, "%s",
             fixture_ok(&f, PROVIDER, "POST", "collection_tools",
                        text("{\"name\":\"t\",\"organisation_id\":\"%s\",\"scope\":[{\"node_id\":"
                             "\"%s\"}]}",
                             f.holder, node),
                        "id"));
}

static const char *definition(const char *schedule)
{
    return text("{\"name\":\"c\",\"organisation_id\":\"%s\",\"tool_id\":\"%s\",\"target_id\":"
                "\"%s\",\"target_table\":\"t\",\"inputs\":[{\"node_id\":\"%s\",\"path\":\"/\"}],"
                "\"columns\":[{\"name\":\"a\",\"type\":\"string\"}],\"schedule\":%s}",
                f.holder, tool, source, node, schedule);
}

static int count(enum who who, const char *target)
{
    struct reply r = fixture_call(&f, who, "GET", target, NULL, NULL);
    assert_int_equal(r.status, 200);
    int n = (int)json_integer_value(json_object_get(r.json, "total"));
    reply_free(&r);
    return n;
}

static void test_missed(void **state)
{
    (void)state;
    make_world();
    for (size_t i = 0; i < COUNT(bad_schedules); i++) {
        fixture_refused(&f, PROVIDER, "POST", "collections", NULL, definition(bad_schedules[i]),
                        "field-invalid");
    }
    fixture_ok(&f, PROVIDER, "POST", "collections", definition("{\"every_s\":3600,\"grace_s\":60}"),
               "id");
    uint64_t now = clock_wall_ms();
    jobs_run_once(&f.ctl, now);
    assert_int_equal(count(PROVIDER, "collection_runs"), 0);
    jobs_run_once(&f.ctl, now + 3600 * 1000 + 30 * 1000);
    assert_int_equal(count(PROVIDER, "collection_runs?cause=schedule"), 1);
    assert_int_equal(count(OPERATOR, "alerts?kind=collection-missed"), 0);
    jobs_run_once(&f.ctl, now + 3 * 3600 * 1000);
    assert_int_equal(count(PROVIDER, "collection_runs?state=missed"), 1);
    assert_int_equal(count(OPERATOR, "alerts?kind=collection-missed"), 1);
    jobs_run_once(&f.ctl, now + 3 * 3600 * 1000 + 1000);
    assert_int_equal(count(PROVIDER, "collection_runs?state=missed"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"schedules by interval and by times of day", test_times, NULL, NULL, NULL},
        {"[CI-6.2.1g] a scheduled run comes at its time, and a missed one is shown and alerted "
         "once",
         test_missed, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
