/* SPDX-License-Identifier: Apache-2.0 */
/* The test stage: what it lets an app do, what its calls count for, what going live asks. */
#include <stdio.h>

#include "base/clock.h"
#include "jobs/jobs.h"
#include "sandbox/testing.h"

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

static void say_fed(const char *app, const char *state)
{
    json_t *fed = fixture_fed(&f, "app", app);

    assert_string_equal(row_text(fed, "state"), state);
    json_decref(fed);
}

static const char *key_of(const char *app)
{
    return fixture_ok(&f, DEVELOPER, "POST", "credentials",
                      text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", app), "id");
}

/* Nodes hear of the stage; what was made for it is void when it ends. */
static void nothing_of_the_stage_outlives_it(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_app(&f, "stage"));
    fixture_refused(&f, DEVELOPER, "POST", text("apps/%s/test", app), "auto", NULL,
                    "not-permitted");
    testing_act(&f, OPERATOR, text("apps/%s/test", app));
    say_fed(app, "testing");
    assert_string_not_equal(testing_member(&f, text("apps/%s", app), "testing_since"), "");
    const char *key = key_of(app), *subscription = testing_subscribe(&f, app, api);
    const char *grant = fixture_ok(
        &f, OWNER, "POST", "grants",
        text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"x\",\"term\":\"period\","
             "\"expires_at\":\"%s\"}",
             app, api, testing_days(30)),
        "id");
    testing_act(&f, OPERATOR, text("apps/%s/admit", app));
    say_fed(app, "active");
    assert_string_equal(testing_member(&f, text("credentials/%s", key), "state"), "revoked");
    assert_string_equal(testing_member(&f, text("grants/%s", grant), "state"), "revoked");
    assert_string_equal(testing_member(&f, text("subscriptions/%s", subscription), "state"),
                        "approved");
    key = key_of(app); /* of the app that is live: stays */
    testing_act(&f, OPERATOR, text("apps/%s/suspend", app));
    testing_act(&f, OPERATOR, text("apps/%s/resume", app));
    assert_string_equal(testing_member(&f, text("credentials/%s", key), "state"), "active");
}

static const char *report_of(const char *app, const char *result)
{
    const char *id =
        fixture_ok(&f, DEVELOPER, "POST", text("apps/%s/test-report", app), NULL, "id");

    assert_string_equal(testing_member(&f, text("test_reports/%s", id), "result"), result);
    assert_string_equal(testing_member(&f, text("test_reports/%s", id), "source"), "platform");
    return id;
}

/* Each step of the joint test is one that the platform saw. */
static void a_report_counts_what_was_called(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_app(&f, "joint"));
    fixture_refused(&f, DEVELOPER, "POST", text("apps/%s/test-report", app), NULL, NULL,
                    "state-conflict");
    testing_act(&f, OPERATOR, text("apps/%s/test", app));
    fixture_refused(&f, STRANGER, "POST", text("apps/%s/test-report", app), NULL, NULL,
                    "not-found");
    report_of(app, "failed");
    testing_call_of(&f, app, api, "ok", 200, 1);
    testing_call_of(&f, app, api, "signature-invalid", 401, 2);
    report_of(app, "failed"); /* no API is subscribed, and nothing after the refusal */
    testing_subscribe(&f, app, api);
    report_of(app, "failed");
    testing_call_of(&f, app, api, "ok", 200, 3);
    const char *good = report_of(app, "passed");
    testing_subscribe(&f, app, testing_api(&f, "more"));
    report_of(app, "failed"); /* one API was never called */
    assert_int_equal(testing_total(&f, DEVELOPER, text("sandbox_calls?app_id=%s", app)), 3);
    assert_int_equal(testing_total(&f, STRANGER, text("sandbox_calls?app_id=%s", app)), 0);
    fixture_refused(&f, OPERATOR, "POST", text("test_reports/%s/accept", good), "auto", NULL,
                    "state-conflict"); /* both sides, its own first */
    testing_act(&f, DEVELOPER, text("test_reports/%s/confirm", good));
    testing_act(&f, OPERATOR, text("test_reports/%s/accept", good));
    assert_string_equal(testing_member(&f, text("test_reports/%s", good), "accepted_by"),
                        "operator");
}

static void calls_of_others_are_not_counted(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_app(&f, "old"));
    testing_act(&f, OPERATOR, text("apps/%s/test", app));
    testing_subscribe(&f, app, api);
    testing_call_of(&f, app, api, "ok", 200, -100000); /* before the stage */
    testing_call_of(&f, app, api, "signature-invalid", 401, -99000);
    testing_call_of(&f, app, api, "ok", 200, -98000);
    report_of(app, "failed");
    testing_call_of(&f, "01a20106-0dc8-7e83-8236-6981d4646001", api, "ok", 200, 1);
    assert_int_equal(
        testing_total(&f, OPERATOR, "sandbox_calls?app_id=01a20106-0dc8-7e83-8236-6981d4646001"),
        0);
}

static const char *uploaded(const char *app, const char *kind, const char *more)
{
    const char *id = fixture_ok(&f, DEVELOPER, "POST", "test_reports",
                                text("{\"app_id\":\"%s\",\"kind\":\"%s\",\"result\":\"passed\","
                                     "\"document_id\":\"%s\"%s}",
                                     app, kind, testing_document(&f), more),
                                "id");
    testing_act(&f, DEVELOPER, text("test_reports/%s/confirm", id));
    testing_act(&f, OPERATOR, text("test_reports/%s/accept", id));
    return id;
}

static void refuse_wrong_reports(const char *app)
{
    fixture_refused(&f, DEVELOPER, "POST", "test_reports", NULL,
                    text("{\"app_id\":\"%s\",\"kind\":\"functional\",\"result\":\"passed\"}", app),
                    "field-invalid"); /* the platform's to make */
    fixture_refused(&f, DEVELOPER, "POST", "test_reports", NULL,
                    text("{\"app_id\":\"%s\",\"kind\":\"conformity\",\"result\":\"passed\","
                         "\"document_id\":\"%s\"}",
                         app, testing_document(&f)),
                    "field-invalid"); /* by whom? */
    fixture_refused(&f, DEVELOPER, "POST", "test_reports", NULL,
                    text("{\"app_id\":\"%s\",\"kind\":\"security\",\"result\":\"passed\"}", app),
                    "field-invalid"); /* where is it? */
    fixture_refused(&f, STRANGER, "POST", "test_reports", NULL,
                    text("{\"app_id\":\"%s\",\"kind\":\"security\",\"result\":\"passed\","
                         "\"document_id\":\"%s\"}",
                         app, testing_document(&f)),
                    "field-invalid");
}

static const char *refused_at(const char *app)
{
    struct reply r = fixture_call(&f, OPERATOR, "POST", text("apps/%s/admit", app), "auto", NULL);

    assert_string_equal(r.code, "test-report-missing");
    const char *list = strchr(row_text(r.json, "detail"), ':');
    const char *out = text("%s", list ? list + 2 : "");
    reply_free(&r);
    return out;
}

static void going_live_waits_for_reports(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_app(&f, "gated")),
               *open = testing_keep(testing_app(&f, "open"));
    testing_act(&f, OPERATOR, text("apps/%s/admit", open)); /* off: nothing is asked */
    testing_setting(&f, "test-report-required", "on");
    testing_setting(&f, "test-report-kinds", "functional conformity");
    testing_setting(&f, "self-reports-required", "emergency");
    assert_string_equal(refused_at(app), "functional, conformity, emergency");
    testing_act(&f, OPERATOR, text("apps/%s/test", app));
    refuse_wrong_reports(app);
    const char *contacts = fixture_ok(
        &f, DEVELOPER, "POST", "self_reports",
        text("{\"organisation_id\":\"%s\",\"kind\":\"emergency\",\"content\":{\"organisation\":"
             "\"a\",\"contacts\":\"b\",\"procedure\":\"c\",\"drill\":\"d\"}}",
             f.third),
        "id");
    assert_string_equal(refused_at(app), "functional, conformity, emergency");
    testing_act(&f, OPERATOR, text("self_reports/%s/accept", contacts));
    uploaded(app, "conformity",
             text(",\"assessor\":\"a laboratory\",\"qualification\":\"no. 1\",\"tested_at\":"
                  "\"%s\",\"expires_at\":\"%s\"",
                  testing_days(-1), testing_days(10)));
    testing_subscribe(&f, app, api);
    testing_call_of(&f, app, api, "signature-invalid", 401, 1);
    testing_call_of(&f, app, api, "ok", 200, 2);
    const char *functional = testing_keep(report_of(app, "passed"));
    testing_act(&f, DEVELOPER, text("test_reports/%s/confirm", functional));
    assert_string_equal(refused_at(app), "functional");
    testing_act(&f, OPERATOR, text("test_reports/%s/accept", functional));
    testing_act(&f, OPERATOR, text("apps/%s/admit", app));
    testing_act(&f, OPERATOR, text("apps/%s/suspend", app));
    testing_act(&f, OPERATOR, text("apps/%s/resume", app));
    testing_setting(&f, "test-report-kinds", "functional performance");
    testing_act(&f, OPERATOR, text("apps/%s/suspend", app));
    fixture_refused(&f, OPERATOR, "POST", text("apps/%s/resume", app), "auto", NULL,
                    "test-report-missing"); /* what is asked now is asked of who comes back */
    testing_setting(&f, "test-report-kinds", "functional");
    testing_setting(&f, "self-reports-required", "none");
    testing_setting(&f, "test-report-required", "off");
}

/* Staff cannot raise a grade without its proof, and one whose scans are old falls back. */
static void a_grade_rests_on_proof(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_app(&f, "graded"));
    const char *target = testing_keep(text("apps/%s", app));
    testing_act(&f, OPERATOR, text("apps/%s/admit", app));
    testing_setting(&f, "test-report-required", "on");
    testing_setting(&f, "test-report-kinds", "security");
    fixture_refused(&f, OPERATOR, "PATCH", target, "auto", "{\"environment\":\"controlled\"}",
                    "test-report-missing");
    uploaded(app, "security", "");
    fixture_refused(&f, OPERATOR, "PATCH", target, "auto", "{\"environment\":\"controlled\"}",
                    "test-report-missing");
    uploaded(app, "scan", "");
    fixture_ok(&f, OPERATOR, "PATCH", target, "{\"environment\":\"controlled\",\"scan_days\":30}",
               NULL);
    assert_string_not_equal(testing_member(&f, target, "scanned_at"), "");
    jobs_run_once(&f.ctl, clock_wall_ms() + 29 * DAY_MS);
    assert_string_equal(testing_member(&f, target, "environment"), "controlled");
    testing_setting(&f, "scan-overdue", "downgrade");
    jobs_run_once(&f.ctl, clock_wall_ms() + 31 * DAY_MS);
    assert_string_equal(testing_member(&f, target, "environment"), "general");
    assert_int_equal(
        testing_total(&f, DEVELOPER, text("notices?kind=scan-overdue&object_id=%s", app)), 1);
    testing_setting(&f, "test-report-required", "off");
    testing_setting(&f, "test-report-kinds", "functional");
}

static void preparations_are_stated_and_checked(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_app(&f, "prepared"));
    testing_act(&f, OPERATOR, text("apps/%s/test", app));
    struct reply r =
        fixture_call(&f, DEVELOPER, "GET", text("test_preparations?app_id=%s", app), NULL, NULL);
    const char *id =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));
    reply_free(&r);
    testing_setting(&f, "preparation-required", "on");
    fixture_refused(&f, OPERATOR, "POST", text("apps/%s/admit", app), "auto", NULL,
                    "test-report-missing");
    fixture_refused(&f, DEVELOPER, "POST", text("test_preparations/%s/complete", id), "auto", NULL,
                    "state-conflict");
    fixture_refused(&f, DEVELOPER, "PATCH", text("test_preparations/%s", id), "auto",
                    text("{\"due_at\":\"%s\"}", testing_days(90)), "not-permitted");
    fixture_ok(&f, DEVELOPER, "PATCH", text("test_preparations/%s", id),
               text("{\"environment\":\"two hosts\",\"hardening\":\"done\",\"backup\":\"daily\","
                    "\"recovery\":\"in our plan\",\"contacts\":\"on call\","
                    "\"hardening_document_id\":\"%s\"}",
                    testing_document(&f)),
               NULL);
    fixture_refused(&f, DEVELOPER, "POST", text("test_preparations/%s/complete", id), "auto", NULL,
                    "state-conflict"); /* never connected */
    jobs_run_once(&f.ctl, clock_wall_ms() + 15 * DAY_MS);
    jobs_run_once(&f.ctl, clock_wall_ms() + 16 * DAY_MS);
    assert_int_equal(
        testing_total(&f, OPERATOR, text("notices?kind=test-preparation-overdue&object_id=%s", id)),
        1);
    testing_call_of(&f, app, api, "ok", 200, 1);
    testing_act(&f, DEVELOPER, text("test_preparations/%s/complete", id));
    testing_act(&f, OPERATOR, text("apps/%s/admit", app));
    testing_setting(&f, "preparation-required", "off");
}

static void settings_are_an_administrators(void **state)
{
    (void)state;
    const char *id = "01a20106-0dc8-7000-8000-000000001201";
    fixture_refused(&f, OPERATOR, "PATCH", text("stage_settings/%s", id), "auto",
                    "{\"value\":\"on\"}", "not-permitted");
    fixture_refused(&f, ADMIN, "PATCH", text("stage_settings/%s", id), "auto",
                    "{\"value\":\"perhaps\"}", "field-invalid");
    fixture_refused(&f, ADMIN, "PATCH", "stage_settings/01a20106-0dc8-7000-8000-000000001202",
                    "auto", "{\"value\":\"functional anything\"}", "field-invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-9.4b1] keys, tokens and consents made for the test stage end with it",
         nothing_of_the_stage_outlives_it, NULL, NULL, NULL},
        {"[GS-6.9.2e-2] a report counts the calls of the present stage, API by API",
         a_report_counts_what_was_called, NULL, NULL, NULL},
        {"calls of another stage or of nobody's app count for nothing",
         calls_of_others_are_not_counted, NULL, NULL, NULL},
        {"[EC-7.2.1-0, EC-7.2.2b1] going live waits for what is asked, and says what is missing",
         going_live_waits_for_reports, NULL, NULL, NULL},
        {"[EC-7.1.3-M2, EC-7.1.3-M3, EC-7.1.3-C1] a grade rests on tests and on scans of late",
         a_grade_rests_on_proof, NULL, NULL, NULL},
        {"[CI-6.1.2c] preparations are stated, checked and overdue once",
         preparations_are_stated_and_checked, NULL, NULL, NULL},
        {"settings are an administrator's", settings_are_an_administrators, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("control sandbox", tests, setup, teardown);
}
