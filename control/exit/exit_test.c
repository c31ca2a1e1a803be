/* SPDX-License-Identifier: Apache-2.0 */
/* An exit from its announcement to its last duty, and one whose process dies again and again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "jobs/jobs.h"
#include "sandbox/testing.h"

#define OWNERS 450
#define KILLS  12

static struct fixture f;
static char api[40];

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    snprintf(api, sizeof api, "%s", testing_api(&f, "orders"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_feed_readable(&f);
    fixture_close(&f);
    return 0;
}

static const char *grant_of(enum who who, const char *app, const char *owner)
{
    return fixture_ok(
        &f, who, "POST", "grants",
        text(
            "{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"x\",\"term\":\"period\","
            "\"expires_at\":\"%s\"%s}",
            app, api, testing_days(90),
            owner
                ? text(
                      ",\"owner\":\"%s\",\"act\":\"paper\",\"statement\":\"signed at the counter\"",
                      owner)
                : ""),
        "id");
}

static int64_t count(const char *sql, const char *value)
{
    const struct store_value v = store_text(value);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;

    assert_int_equal(store_begin(f.ctl.store, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, sql, &v, 1, &rows), STORE_OK);
    assert_true(store_next(rows));
    int64_t n = store_get_int(rows, 0);
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    return n;
}

static struct {
    const char *app, *subscription, *key, *grant, *id, *target;
    uint64_t now_ms;
} way; /* of the exit that the first tests follow, one after the other */

static void begin(void)
{
    way.app = testing_keep(testing_live_app(&f, "leaving"));
    way.subscription = testing_keep(testing_subscribe(&f, way.app, api));
    way.key = testing_keep(
        fixture_ok(&f, DEVELOPER, "POST", "credentials",
                   text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", way.app), "id"));
    way.grant = testing_keep(grant_of(OWNER, way.app, NULL));
    grant_of(OPERATOR, way.app, "nobody-here");
    way.now_ms = clock_wall_ms();
}

static void give_notice(void)
{
    /* Announced: its own side gives notice, or an operator shortens it. */
    fixture_refused(&f, STRANGER, "POST", "exits", NULL,
                    text("{\"app_id\":\"%s\",\"reason\":\"over\"}", way.app), "field-invalid");
    fixture_refused(&f, DEVELOPER, "POST", "exits", NULL,
                    text("{\"app_id\":\"%s\",\"reason\":\"over\",\"leave_at\":\"%s\"}", way.app,
                         testing_days(3)),
                    "field-invalid");
    way.id =
        testing_keep(fixture_ok(&f, DEVELOPER, "POST", "exits",
                                text("{\"app_id\":\"%s\",\"reason\":\"over\"}", way.app), "id"));
    way.target = testing_keep(text("exits/%s", way.id));
    assert_string_equal(testing_member(&f, way.target, "side"), "organisation");
    fixture_refused(&f, OPERATOR, "POST", "exits", NULL,
                    text("{\"app_id\":\"%s\",\"reason\":\"twice\"}", way.app), "already-exists");
    assert_int_equal(
        testing_total(&f, PROVIDER, text("notices?kind=exit-announced&object_id=%s", way.id)), 1);
}

static void announced(void **state)
{
    (void)state;
    begin();
    give_notice();
    fixture_ok(&f, OPERATOR, "PATCH", way.target,
               text("{\"confidentiality_days\":100,\"surviving\":[{\"kind\":"
                    "\"anti-money-laundering\",\"until\":\"%s\",\"note\":\"five years\"}]}",
                    testing_days(1825)),
               NULL);
    fixture_refused(&f, DEVELOPER, "PATCH", way.target, "auto", "{\"confidentiality_days\":1}",
                    "not-permitted");
    fixture_refused(&f, OWNER, "POST", "grants", NULL,
                    text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"x\",\"term\":"
                         "\"period\",\"expires_at\":\"%s\"}",
                         way.app, api, testing_days(30)),
                    "state-conflict"); /* nothing new */
    fixture_refused(&f, DEVELOPER, "POST", "subscriptions", NULL,
                    text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"x\",\"max_level\":1}",
                         way.app, api),
                    "state-conflict");
    jobs_run_once(&f.ctl, clock_wall_ms());
    assert_int_equal(
        testing_total(&f, OWNER, text("notices?kind=exit-of-app&object_id=%s", way.id)), 1);
    struct reply r = fixture_call(&f, OPERATOR, "GET", way.target, NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(r.json, "owners_noticed")), 1);
    assert_int_equal(json_integer_value(json_object_get(r.json, "owners_unreached")), 1);
    reply_free(&r);
}

static void settle(void)
{
    /* Not settled: it does not end, whatever the date; not with an incident open. */
    jobs_run_once(&f.ctl, way.now_ms + 31 * DAY_MS);
    assert_string_equal(testing_member(&f, way.target, "state"), "announced");
    assert_string_not_equal(testing_member(&f, way.target, "warned_at"), "");
    const char *incident = fixture_ok(
        &f, OPERATOR, "POST", "incidents",
        text("{\"app_id\":\"%s\",\"kind\":\"abuse\",\"severity\":\"low\",\"title\":\"x\"}",
             way.app),
        "id");
    fixture_refused(&f, DEVELOPER, "POST", text("%s/settle", way.target), "auto",
                    "{\"settlement\":\"all paid\"}", "state-conflict");
    fixture_ok(&f, OPERATOR, "POST", text("incidents/%s/dismiss", incident),
               "{\"comment\":\"it was none\"}", NULL);
    fixture_ok(&f, DEVELOPER, "POST", text("%s/settle", way.target),
               "{\"settlement\":\"all paid\"}", NULL);
    jobs_run_once(&f.ctl, way.now_ms + 29 * DAY_MS);
    assert_string_equal(testing_member(&f, text("apps/%s", way.app), "state"), "admitted");
}

static void settled_and_ended(void **state)
{
    (void)state;
    settle();

    /* The date. */
    jobs_run_once(&f.ctl, way.now_ms + 31 * DAY_MS);
    assert_string_equal(testing_member(&f, way.target, "state"), "ended");
    assert_string_equal(testing_member(&f, text("apps/%s", way.app), "state"), "withdrawn");
    assert_string_equal(testing_member(&f, text("grants/%s", way.grant), "state"), "revoked");
    assert_string_equal(testing_member(&f, text("subscriptions/%s", way.subscription), "state"),
                        "cancelled");
    assert_string_equal(testing_member(&f, text("credentials/%s", way.key), "state"), "revoked");
    assert_string_equal(testing_member(&f, text("credentials/%s", way.key), "reason"),
                        "the app left the platform");
    assert_int_equal(testing_total(&f, AUDITOR, text("credentials?app_id=%s", way.app)), 1);
    fixture_refused(&f, OPERATOR, "POST", text("apps/%s/admit", way.app), "auto", NULL,
                    "state-conflict");
    struct reply r = fixture_call(&f, DEVELOPER, "GET", way.target, NULL, NULL);
    const json_t *item = json_array_get(json_object_get(r.json, "deletion_order"), 0);
    assert_string_equal(row_text(item, "api_id"), api);
    assert_string_equal(row_text(item, "class"), "user-information");
    assert_int_equal(json_integer_value(json_object_get(item, "owners")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(item, "fields"), 0)),
                        "name");
    reply_free(&r);
}

static void late_and_wrong(void)
{
    /* The receipt: late is told; each class has its word; what is kept rests on a duty. */
    fixture_refused(&f, OPERATOR, "POST", text("%s/close", way.target), "auto", NULL,
                    "state-conflict");
    jobs_run_once(&f.ctl, way.now_ms + 62 * DAY_MS);
    assert_int_equal(testing_total(&f, DEVELOPER,
                                   text("notices?kind=exit-receipt-overdue&object_id=%s", way.id)),
                     1);
    fixture_refused(
        &f, DEVELOPER, "POST", text("%s/receipt", way.target), "auto",
        text("{\"user_information\":\"gone\",\"document_id\":\"%s\"}", testing_document(&f)),
        "field-invalid");
    fixture_refused(&f, DEVELOPER, "POST", text("%s/receipt", way.target), "auto",
                    text("{\"user_information\":\"gone\",\"business_material\":\"gone\","
                         "\"document_id\":\"%s\",\"retained\":[{\"what\":\"ledgers\","
                         "\"duty\":\"anti-fraud\",\"until\":\"%s\"}]}",
                         testing_document(&f), testing_days(100)),
                    "field-invalid");
}

static void received(void **state)
{
    (void)state;
    late_and_wrong();
    char receipt[400];
    snprintf(
        receipt, sizeof receipt, "%s",
        text("{\"user_information\":\"gone\",\"business_material\":\"gone\",\"document_id\":\"%s"
             "\",\"retained\":[{\"what\":\"ledgers\",\"duty\":\"anti-money-laundering\","
             "\"until\":\"%s\"}]}",
             testing_document(&f), testing_days(1000)));
    fixture_refused(&f, OPERATOR, "POST", text("%s/receipt", way.target), "auto", receipt,
                    "not-permitted");
    fixture_ok(&f, DEVELOPER, "POST", text("%s/receipt", way.target), receipt, NULL);
    fixture_ok(&f, OPERATOR, "POST", text("%s/return", way.target), "{\"comment\":\"unsigned\"}",
               NULL);
    fixture_ok(&f, DEVELOPER, "POST", text("%s/receipt", way.target), receipt, NULL);
    testing_act(&f, OPERATOR, text("%s/check", way.target));
    testing_act(&f, OPERATOR, text("%s/close", way.target));

    /* What outlives it. */
    assert_int_equal(testing_total(&f, DEVELOPER, "exit_duties?state=active"), 2);
    jobs_run_once(&f.ctl, way.now_ms + 132 * DAY_MS);
    assert_int_equal(testing_total(&f, OPERATOR, "exit_duties?state=active"), 1);
    assert_int_equal(testing_total(&f, OPERATOR, "exit_duties?kind=anti-money-laundering"), 1);
}

static void an_operator_may_end_it_at_once_or_not_at_all(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_live_app(&f, "urgent"));
    const char *id = fixture_ok(
        &f, OPERATOR, "POST", "exits",
        text("{\"app_id\":\"%s\",\"reason\":\"x\",\"leave_at\":\"%s\"}", app, testing_days(1)),
        "id");
    fixture_refused(&f, DEVELOPER, "POST", text("exits/%s/cancel", id), "auto",
                    "{\"comment\":\"no\"}", "not-permitted");
    fixture_ok(&f, OPERATOR, "POST", text("exits/%s/cancel", id), "{\"comment\":\"agreed\"}", NULL);
    jobs_run_once(&f.ctl, clock_wall_ms() + 90 * DAY_MS);
    assert_string_equal(testing_member(&f, text("apps/%s", app), "state"), "admitted");
    grant_of(OWNER, app, NULL);
}

static void what_was_live_leaves_by_an_exit_alone(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_live_app(&f, "held")),
               *never = testing_keep(testing_app(&f, "never"));
    testing_setting(&f, "exit-required", "on");
    fixture_refused(&f, DEVELOPER, "POST", text("apps/%s/withdraw", app), "auto", NULL,
                    "state-conflict");
    fixture_refused(&f, OPERATOR, "POST", text("apps/%s/withdraw", app), "auto", NULL,
                    "state-conflict");
    testing_act(&f, DEVELOPER, text("apps/%s/withdraw", never));
    const char *id = testing_keep(fixture_ok(
        &f, OPERATOR, "POST", "exits",
        text("{\"app_id\":\"%s\",\"reason\":\"over\",\"leave_at\":\"%s\"}", app, testing_days(0)),
        "id"));
    fixture_ok(&f, OPERATOR, "POST", text("exits/%s/settle", id), "{\"settlement\":\"done\"}",
               NULL);
    jobs_run_once(&f.ctl, clock_wall_ms() + 1000);
    jobs_run_once(&f.ctl, clock_wall_ms() + 2000);
    assert_string_equal(testing_member(&f, text("apps/%s", app), "state"), "withdrawn");
    testing_setting(&f, "exit-required", "off");
}

static void run_jobs_for_ever(uint64_t now_ms)
{
    for (;;) {
        jobs_run_once(&f.ctl, now_ms);
    }
}

static void killed_after_us(useconds_t us, uint64_t now_ms)
{
    control_close(&f.ctl);
    pid_t pid = fork();
    if (pid == 0) {
        if (!control_open(&f.ctl, &f.cfg)) {
            _exit(1);
        }
        run_jobs_for_ever(now_ms);
    }
    usleep(us);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(control_open(&f.ctl, &f.cfg));
}

/* All that ends with the app ends together: nothing is left half way at any instant. */
static void assert_whole(const char *app, const char *id)
{
    bool ended = strcmp(testing_member(&f, text("exits/%s", id), "state"), "ended") == 0;
    int64_t live = count("SELECT count(*) FROM grants WHERE app_id = ? AND state = 'active'", app);

    assert_int_equal(live, ended ? 0 : OWNERS);
    assert_string_equal(testing_member(&f, text("apps/%s", app), "state"),
                        ended ? "withdrawn" : "admitted");
    assert_int_equal(
        count("SELECT count(*) FROM credentials WHERE app_id = ? AND state = 'active'", app),
        ended ? 0 : 1);
}

static void goes_on_after_each_death(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_live_app(&f, "dying"));
    uint64_t now_ms = clock_wall_ms();

    fixture_ok(&f, DEVELOPER, "POST", "credentials",
               text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", app), "id");
    for (int i = 0; i < OWNERS; i++) {
        grant_of(OPERATOR, app, text("owner-%04d", i));
    }
    const char *id =
        testing_keep(fixture_ok(&f, DEVELOPER, "POST", "exits",
                                text("{\"app_id\":\"%s\",\"reason\":\"over\"}", app), "id"));
    fixture_ok(&f, DEVELOPER, "POST", text("exits/%s/settle", id), "{\"settlement\":\"done\"}",
               NULL);
    for (int i = 0; i < KILLS; i++) {
        killed_after_us((useconds_t)(20000 + i * 15000), now_ms + 31 * DAY_MS);
        assert_whole(app, id);
    }
    for (int i = 0; i < 20; i++) {
        jobs_run_once(&f.ctl, now_ms + 31 * DAY_MS);
    }
    assert_string_equal(testing_member(&f, text("exits/%s", id), "state"), "ended");
    assert_whole(app, id);
    assert_int_equal(count("SELECT count(*) FROM exit_notices WHERE exit_id = ?", id), OWNERS);
    assert_int_equal(count("SELECT count(DISTINCT owner) FROM exit_notices WHERE exit_id = ?", id),
                     OWNERS);
    assert_int_equal(count("SELECT owners_unreached FROM exits WHERE id = ?", id), OWNERS);
    assert_int_equal(count("SELECT count(*) FROM exit_duties WHERE exit_id = ?", id), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-9.4a1] announced: told to all sides, and nothing new", announced, NULL, NULL, NULL},
        {"[BK-9.4a1] not before it is settled, then on its date and whole", settled_and_ended, NULL,
         NULL, NULL},
        {"[BK-9.4c1, BK-9.3.3e3] the receipt: in time, of each kind, and what is kept with its "
         "duty",
         received, NULL, NULL, NULL},
        {"an operator may end it at once, or not at all",
         an_operator_may_end_it_at_once_or_not_at_all, NULL, NULL, NULL},
        {"[BK-9.4a1] what was live leaves by an exit alone, when the platform says so",
         what_was_live_leaves_by_an_exit_alone, NULL, NULL, NULL},
        {"[BK-9.4a1] it goes on after each death, and everybody is told once",
         goes_on_after_each_death, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("control exit", tests, setup, teardown);
}
