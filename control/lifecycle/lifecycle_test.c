/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes counted is added once, refused whole when a member is wrong, and of long ago kept
 * without names; stages go one way; policies say no. */
#include <stdio.h>

#include "feed/reports.h"
#include "jobs/jobs.h"
#include "lifecycle/lifecycle.h"
#include "test/fixture.h"

#define DAY_MS   86400000ull
#define LONG_AGO (19000 * DAY_MS)
#define NOW      (20000 * DAY_MS)
#define BATCH(n) "01a20106-0dc8-7e83-8236-6981d464600" n
#define API      "01a20106-0dc8-7e83-8236-6981d464610a"
#define APP      "01a20106-0dc8-7e83-8236-6981d464610b"
#define USE(owner, day)                                                                            \
    "{\"day\":" day ",\"api_id\":\"" API "\",\"app_id\":\"" APP "\",\"owner\":\"" owner            \
    "\",\"calls\":2,\"refused\":1,\"rows\":3,\"bytes\":40}"
#define TIMED(times)                                                                               \
    "{\"day\":1700006400000,\"api_id\":\"" API                                                     \
    "\",\"calls\":9,\"refused\":3,\"rows\":0,\"bytes\":0,"                                         \
    "\"failed\":2,\"times\":" times "}"
#define REPORT(usage)                                                                              \
    "{\"node\":\"gw-1\",\"at\":1,\"version\":\"\",\"events\":[],\"limits\":[],\"targets\":[],"     \
    "\"keys\":[],\"usage\":" usage "}"

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

static enum problem take(const char *body)
{
    char why[REPORTS_WHY_MAX];
    size_t accepted = 0;
    return reports_take(&f.ctl, slice_str(body), &accepted, why);
}

static int64_t number(const char *sql)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    assert_int_equal(store_begin(f.ctl.store, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, sql, NULL, 0, &rows), STORE_OK);
    assert_true(store_next(rows));
    int64_t n = store_get_int(rows, 0);
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    return n;
}

static void a_batch_counts_once(void **state)
{
    (void)state;
    const char *first = REPORT("{\"id\":\"" BATCH("1") "\",\"rows\":[" USE(
        "M1", "1728000000000") "," USE("M2", "1728000000000") "]}");
    assert_int_equal(take(first), PROBLEM_OK);
    assert_int_equal(take(first), PROBLEM_OK); /* the node was not told, and sends it again */
    assert_int_equal(number("SELECT sum(calls) FROM data_uses"), 4);
    assert_int_equal(
        take(REPORT("{\"id\":\"" BATCH("2") "\",\"rows\":[" USE("M1", "1728000000000") "]}")),
        PROBLEM_OK);
    assert_int_equal(number("SELECT sum(calls) FROM data_uses"), 6);
    assert_int_equal(number("SELECT count(*) FROM data_uses"), 2);
    assert_int_equal(number("SELECT rows FROM data_uses WHERE owner = 'M1'"), 6);
}

static void a_batch_with_a_wrong_member_is_refused_whole(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[]",
        "{\"id\":\"" BATCH("3") "\"}",
        "{\"id\":\"x\",\"rows\":[]}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[],\"more\":1}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":{}}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[{}]}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[" USE("M1", "-1") "]}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[" USE("M1", "\"today\"") "]}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[" USE("M1", "1") "," USE("\\u0001", "1") "]}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[{\"day\":1,\"api_id\":\"orders\",\"calls\":1,"
                                "\"refused\":0,\"rows\":0,\"bytes\":0}]}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[" TIMED("{}") "]}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[" TIMED("[\"1\"]") "]}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[" TIMED("[-1]") "]}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[" TIMED("[[1]]") "]}",
        "{\"id\":\"" BATCH("3") "\",\"rows\":[" TIMED("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]") "]}",
    };
    int64_t before = number("SELECT count(*) FROM data_uses");
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *body = text("{\"node\":\"gw-1\",\"at\":1,\"version\":\"\",\"events\":[],"
                                "\"limits\":[],\"targets\":[],\"keys\":[],\"usage\":%s}",
                                bad[i]);
        assert_int_equal(take(body), PROBLEM_BODY_MALFORMED);
    }
    assert_int_equal(number("SELECT count(*) FROM data_uses"), before);
}

/* Of all callers together, a row a day; a batch that comes twice counts once. */
static void times_add_up(void **state)
{
    (void)state;
    static const char one[] = REPORT("{\"id\":\"" BATCH("8") "\",\"rows\":[" TIMED(
        "[1,2,0,0,0,0,0,0,0,4]") "," TIMED("[1,0,0,0,0,0,0,0,0,0]") "]}");
    static const char other[] = REPORT(
        "{\"id\":\"" BATCH("9") "\",\"rows\":[" TIMED("[1,2,3]") "]}"); /* another contract's */

    for (int i = 0; i < 2; i++) {
        assert_int_equal(take(one), PROBLEM_OK);
    }
    assert_int_equal(take(other), PROBLEM_OK);
    assert_int_equal(number("SELECT count(*) FROM api_times"), 1);
    assert_int_equal(number("SELECT failed FROM api_times"), 4);
    assert_int_equal(number("SELECT t0 FROM api_times"), 2);
    assert_int_equal(number("SELECT t1 FROM api_times"), 2);
    assert_int_equal(number("SELECT t9 FROM api_times"), 4);
}

/* More owners than one turn folds: the sums stay, the names go, what is recent keeps them. */
static void owners_of_long_ago_become_one(void **state)
{
    (void)state;
    enum { OWNERS = 700 };
    struct store_txn *txn = NULL;
    assert_int_equal(store_begin(f.ctl.store, STORE_WRITE, &txn), STORE_OK);
    for (int i = 0; i < OWNERS; i++) {
        const struct store_value v[] = {store_int((int64_t)LONG_AGO), store_text(text("M%d", i))};
        assert_int_equal(store_exec(txn,
                                    "INSERT INTO data_uses VALUES ('" API "', ?, '" APP
                                    "', 'g', ?, 1, 0, 5, 7)",
                                    v, 2, NULL),
                         STORE_OK);
    }
    assert_int_equal(store_commit(&txn), STORE_OK);
    int64_t recent =
        number("SELECT count(*) FROM data_uses WHERE owner <> '' AND day > 1700000000000");
    for (int turn = 0; turn < 3; turn++) {
        struct rest_request req = {0};
        struct rest_call c = {.ctl = &f.ctl, .req = &req, .now_ms = NOW};
        assert_int_equal(uses_fold_job(&c), PROBLEM_OK);
    }
    assert_int_equal(number("SELECT count(*) FROM data_uses WHERE day < 1700000000000"), 1);
    assert_int_equal(number("SELECT calls FROM data_uses WHERE day < 1700000000000"), OWNERS);
    assert_int_equal(number("SELECT rows FROM data_uses WHERE day < 1700000000000"), 5 * OWNERS);
    assert_int_equal(
        number("SELECT count(*) FROM data_uses WHERE owner <> '' AND day > 1700000000000"), recent);
}

static void only_what_may_be_is_said_of_a_life(void **state)
{
    (void)state;
    fixture_refused(&f, ADMIN, "POST", "dataset_lives", NULL, "{}", "not-permitted");
    fixture_refused(&f, DEVELOPER, "GET", "dataset_lives", NULL, NULL, "not-permitted");
    fixture_refused(&f, DEVELOPER, "GET", "zones/open", NULL, NULL, "not-permitted");
    fixture_refused(&f, ADMIN, "GET", "zones/everything", NULL, NULL, "not-found");
    fixture_refused(&f, ADMIN, "GET", "zones/open?page=0", NULL, NULL, "parameter-invalid");
    fixture_refused(&f, PROVIDER, "POST", "security_reports", NULL, "{}", "not-permitted");
    fixture_refused(&f, OPERATOR, "POST", "security_reports", NULL, "{\"result\":\"pass\"}",
                    "field-invalid");
    const char *id = fixture_ok(&f, OPERATOR, "POST", "security_reports", "{}", "id");
    fixture_refused(&f, AUDITOR, "GET", text("security_reports/%s/page?x=1", id), NULL, NULL,
                    "query-malformed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_counts_once),
        cmocka_unit_test(a_batch_with_a_wrong_member_is_refused_whole),
        cmocka_unit_test(times_add_up),
        cmocka_unit_test(owners_of_long_ago_become_one),
        cmocka_unit_test(only_what_may_be_is_said_of_a_life),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
