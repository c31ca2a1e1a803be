/* SPDX-License-Identifier: Apache-2.0 */
/* Incidents and periodic reports: who says what, and what is overdue. */
#include <stdio.h>
#include <stdlib.h>

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

static const char *incident(enum who who, const char *app, const char *severity)
{
    return fixture_ok(&f, who, "POST", "incidents",
                      text("{\"app_id\":\"%s\",\"kind\":\"vulnerability\",\"severity\":\"%s\","
                           "\"title\":\"a library is out of date\"}",
                           app, severity),
                      "id");
}

static void an_incident_is_fixed_and_verified(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_live_app(&f, "fixed")),
               *id = incident(OPERATOR, app, "critical");
    const char *target = testing_keep(text("incidents/%s", id));
    assert_string_equal(testing_member(&f, target, "source"), "operator");
    assert_true(strcmp(testing_member(&f, target, "due_at"), testing_days(2)) < 0);
    assert_int_equal(testing_total(&f, STRANGER, "incidents"), 0);
    fixture_refused(&f, STRANGER, "POST", "incidents", NULL,
                    text("{\"app_id\":\"%s\",\"kind\":\"leak\",\"severity\":\"low\",\"title\":"
                         "\"x\"}",
                         app),
                    "field-invalid");
    fixture_refused(&f, DEVELOPER, "PATCH", target, "auto",
                    text("{\"due_at\":\"%s\"}", testing_days(90)), "not-permitted");
    fixture_refused(&f, DEVELOPER, "PATCH", target, "auto", "{\"severity\":\"low\"}",
                    "not-permitted");
    testing_act(&f, DEVELOPER, text("%s/accept", target));
    fixture_refused(&f, OPERATOR, "POST", text("%s/verify", target), "auto", NULL,
                    "state-conflict");
    fixture_ok(&f, DEVELOPER, "POST", text("%s/fix", target), "{\"remedy\":\"updated\"}", NULL);
    fixture_refused(&f, DEVELOPER, "POST", text("%s/verify", target), "auto", NULL,
                    "not-permitted");
    fixture_ok(&f, OPERATOR, "POST", text("%s/reopen", target), "{\"comment\":\"still there\"}",
               NULL);
    fixture_ok(&f, DEVELOPER, "POST", text("%s/fix", target), "{\"remedy\":\"again\"}", NULL);
    testing_act(&f, OPERATOR, text("%s/verify", target));
    testing_act(&f, OPERATOR, text("%s/close", target));
    assert_string_equal(testing_member(&f, target, "state"), "closed");
    assert_string_equal(testing_member(&f, target, "verified_by"), "operator");
}

/* A leak the app's own side reports reaches the operators, who stop it at once. */
static void a_leak_is_reported_and_contained(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_live_app(&f, "leaking"));
    const char *key = fixture_ok(&f, DEVELOPER, "POST", "credentials",
                                 text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", app), "id");
    const char *grant = fixture_ok(
        &f, OWNER, "POST", "grants",
        text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"x\",\"term\":\"period\","
             "\"expires_at\":\"%s\"}",
             app, api, testing_days(30)),
        "id");
    const char *id = testing_keep(incident(DEVELOPER, app, "high")),
               *target = testing_keep(text("incidents/%s/contain", id));
    assert_int_equal(
        testing_total(&f, OPERATOR, text("notices?kind=incident-opened&object_id=%s", id)), 1);
    fixture_refused(&f, DEVELOPER, "POST", target, "auto",
                    "{\"suspend_app\":true,\"reason\":\"x\"}", "not-permitted");
    fixture_refused(&f, OPERATOR, "POST", target, "auto", "{\"reason\":\"x\"}", "field-invalid");
    fixture_refused(&f, OPERATOR, "POST", target, NULL, "{\"suspend_app\":true,\"reason\":\"x\"}",
                    "precondition-required");
    fixture_ok(&f, OPERATOR, "POST", target,
               "{\"suspend_app\":true,\"revoke_grants\":true,\"void_credentials\":true,"
               "\"reason\":\"data was seen elsewhere\"}",
               NULL);
    assert_string_equal(testing_member(&f, text("apps/%s", app), "state"), "suspended");
    assert_string_equal(testing_member(&f, text("grants/%s", grant), "state"), "revoked");
    assert_string_equal(testing_member(&f, text("credentials/%s", key), "state"), "revoked");
    assert_string_equal(testing_member(&f, text("credentials/%s", key), "reason"),
                        "data was seen elsewhere");
    struct reply r = fixture_call(&f, OPERATOR, "GET", text("incidents/%s", id), NULL, NULL);
    const json_t *done = json_array_get(json_object_get(r.json, "containment"), 0);
    assert_string_equal(row_text(done, "by"), "operator");
    assert_true(json_is_true(json_object_get(done, "void_credentials")));
    reply_free(&r);
}

static void late_is_told_then_suspended(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_live_app(&f, "late")),
               *target = testing_keep(text("incidents/%s", incident(OPERATOR, app, "high")));
    uint64_t now_ms = clock_wall_ms();

    jobs_run_once(&f.ctl, now_ms + 6 * DAY_MS);
    assert_string_equal(testing_member(&f, target, "warned_at"), "");
    jobs_run_once(&f.ctl, now_ms + 8 * DAY_MS);
    assert_string_not_equal(testing_member(&f, target, "warned_at"), "");
    assert_string_equal(testing_member(&f, text("apps/%s", app), "state"), "admitted");
    jobs_run_once(&f.ctl, now_ms + 15 * DAY_MS);
    assert_string_equal(testing_member(&f, text("apps/%s", app), "state"), "suspended");
    testing_act(&f, OPERATOR, text("apps/%s/resume", app));
    jobs_run_once(&f.ctl, now_ms + 16 * DAY_MS); /* once: an operator's word stands */
    assert_string_equal(testing_member(&f, text("apps/%s", app), "state"), "admitted");
}

static const char *report(enum who who, const char *kind, const char *content)
{
    return text("{\"organisation_id\":\"%s\",\"kind\":\"%s\",\"content\":%s}",
                who == STRANGER ? f.stranger : f.third, kind, content);
}

static void a_report_speaks_of_each_part(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *content, *code; /* code NULL: taken */
    } rows[] = {
        {"data-life-cycle",
         "{\"generation\":\"a\",\"storage\":\"b\",\"use\":\"c\",\"sharing\":\"d\","
         "\"destruction\":\"e\"}",
         NULL},
        {"data-life-cycle",
         "{\"generation\":\"a\",\"storage\":\"b\",\"use\":\"c\",\"sharing\":\"d\"}",
         "field-invalid"},
        {"backup", "{\"backup\":\"a\",\"recovery\":\"b\",\"more\":\"c\"}", "field-invalid"},
        {"backup", "{\"backup\":\"a\",\"recovery\":\"b\"}", NULL},
        {"backup", "[]", "field-invalid"},
        {"backup", "{\"backup\":\"\",\"recovery\":\"b\"}", "field-invalid"},
        {"vulnerability-scan", "{\"result\":\"nothing\"}", "field-invalid"},
        {"vulnerability-management", "{\"mechanism\":\"a\",\"contact\":\"b\"}", NULL},
        {"leak-prevention",
         "{\"access\":\"a\",\"staff\":\"b\",\"export\":\"c\",\"monitoring\":\"d\",\"response\":"
         "\"e\"}",
         NULL},
        {"emergency",
         "{\"organisation\":\"a\",\"contacts\":\"b\",\"procedure\":\"c\",\"drill\":\"d\"}", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *body = report(DEVELOPER, rows[i].kind, rows[i].content);
        if (rows[i].code) {
            fixture_refused(&f, DEVELOPER, "POST", "self_reports", NULL, body, rows[i].code);
        } else {
            fixture_ok(&f, DEVELOPER, "POST", "self_reports", body, NULL);
        }
    }
    fixture_refused(&f, STRANGER, "POST", "self_reports", NULL,
                    report(DEVELOPER, rows[0].kind, rows[0].content), "field-invalid");
    assert_int_equal(testing_total(&f, STRANGER, "self_reports"), 0);
    const char *id = fixture_ok(&f, DEVELOPER, "POST", "self_reports",
                                report(DEVELOPER, rows[3].kind, rows[3].content), "id");
    fixture_refused(&f, DEVELOPER, "POST", text("self_reports/%s/accept", id), "auto", NULL,
                    "not-permitted");
    fixture_ok(&f, OPERATOR, "POST", text("self_reports/%s/return", id),
               "{\"comment\":\"where to?\"}", NULL);
}

static void a_report_is_due_again_and_again(void **state)
{
    (void)state;
    const char *app = testing_keep(testing_live_app(&f, "owing"));
    uint64_t now_ms = clock_wall_ms();
    const char *duty = fixture_ok(
        &f, OPERATOR, "POST", "report_duties",
        text("{\"organisation_id\":\"%s\",\"kind\":\"software-life-cycle\",\"every_days\":90}",
             f.third),
        "id");
    const char *target = testing_keep(text("report_duties/%s", duty));
    fixture_refused(&f, OPERATOR, "POST", "report_duties", NULL,
                    text("{\"organisation_id\":\"%s\",\"kind\":\"software-life-cycle\","
                         "\"every_days\":30}",
                         f.third),
                    "already-exists");
    jobs_run_once(&f.ctl, now_ms + 82 * DAY_MS);
    assert_string_equal(testing_member(&f, target, "reminded_at"), "");
    jobs_run_once(&f.ctl, now_ms + 84 * DAY_MS);
    assert_string_not_equal(testing_member(&f, target, "reminded_at"), "");
    jobs_run_once(&f.ctl, now_ms + 91 * DAY_MS);
    assert_string_not_equal(testing_member(&f, target, "overdue_at"), "");
    jobs_run_once(&f.ctl, now_ms + 200 * DAY_MS); /* 0: never by itself */
    assert_string_equal(testing_member(&f, text("apps/%s", app), "state"), "admitted");
    testing_setting(&f, "self-report-suspend-days", "30");
    static const char *const names[] = {"requirements", "design", "code_audit", "security_test",
                                        "release_review"};
    json_t *content = json_object();
    for (size_t i = 0; i < COUNT(names); i++) {
        json_object_set_new(
            content, names[i],
            json_pack("{s:s, s:s}", "text", "done", "document_id", testing_document(&f)));
    }
    char parts[1000];
    char *dump = json_dumps(content, 0);
    snprintf(parts, sizeof parts, "%s", dump);
    free(dump);
    json_object_set_new(json_object_get(content, "design"), "document_id",
                        json_string("01a20106-0dc8-7e83-8236-6981d4646002"));
    dump = json_dumps(content, 0);
    fixture_refused(&f, DEVELOPER, "POST", "self_reports", NULL,
                    report(DEVELOPER, "software-life-cycle", dump), "field-invalid");
    free(dump);
    json_decref(content);
    const char *id = fixture_ok(&f, DEVELOPER, "POST", "self_reports",
                                report(DEVELOPER, "software-life-cycle", parts), "id");
    jobs_run_once(&f.ctl, now_ms + 200 * DAY_MS); /* sent in: the platform's turn */
    assert_string_equal(testing_member(&f, text("apps/%s", app), "state"), "admitted");
    fixture_ok(&f, OPERATOR, "POST", text("self_reports/%s/return", id), "{\"comment\":\"no\"}",
               NULL);
    jobs_run_once(&f.ctl, now_ms + 200 * DAY_MS);
    assert_string_equal(testing_member(&f, text("apps/%s", app), "state"), "suspended");
    id = fixture_ok(&f, DEVELOPER, "POST", "self_reports",
                    report(DEVELOPER, "software-life-cycle", parts), "id");
    testing_act(&f, OPERATOR, text("self_reports/%s/accept", id));
    assert_string_equal(testing_member(&f, target, "overdue_at"), "");
    assert_true(strcmp(testing_member(&f, target, "due_at"), testing_days(89)) > 0);
    testing_setting(&f, "self-report-suspend-days", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"an incident is fixed by one side and verified by the other",
         an_incident_is_fixed_and_verified, NULL, NULL, NULL},
        {"[EC-7.2.2b3] a leak is reported and contained", a_leak_is_reported_and_contained, NULL,
         NULL, NULL},
        {"[EC-7.2.2a3] what is not fixed in time is told, then suspends the app",
         late_is_told_then_suspended, NULL, NULL, NULL},
        {"[EC-4.2.2c1, EC-7.2.2a1] a report speaks of each part its kind has",
         a_report_speaks_of_each_part, NULL, NULL, NULL},
        {"[EC-7.2.2a2] a report is due again and again: reminded, overdue, suspended",
         a_report_is_due_again_and_again, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("control incidents", tests, setup, teardown);
}
