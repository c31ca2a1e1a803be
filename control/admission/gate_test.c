/* SPDX-License-Identifier: Apache-2.0 */
/* The gate before an app, what a rating bears, and what falls due afterwards. */
#include <stdlib.h>

#include "admission/testing.h"
#include "base/clock.h"
#include "jobs/jobs.h"

static struct admission_world w;
#define F   (&w.f)
#define DAY (86400ull * 1000)

static int setup(void **state)
{
    (void)state;
    admission_world_open(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    admission_world_close(&w);
    return 0;
}

static void a_rating_bears_so_much(void **state)
{
    (void)state;
    const char *subscription = "{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"x\","
                               "\"max_level\":%d}";
    admission_assess(&w, 90, 90);
    const char *good = fixture_ok(F, DEVELOPER, "POST", "subscriptions",
                                  text(subscription, w.app, w.api, 3), "id");
    fixture_ok(F, OPERATOR, "POST", text("subscriptions/%s/approve", good), NULL, NULL);
    admission_assess(&w, 62, 62); /* C: level 2, no A2 */
    json_t *data = fixture_fed(F, "subscription", good);
    assert_int_equal(json_integer_value(json_object_get(data, "max_level")), 2);
    json_decref(data);
    fixture_refused(F, DEVELOPER, "POST", "subscriptions", NULL,
                    text(subscription, w.app, w.api, 3), "risk-exceeded");
    fixture_refused(F, DEVELOPER, "POST", "subscriptions", NULL,
                    text(subscription, w.app, w.bank_api, 2), "risk-exceeded");
    admission_assess(&w, 30, 30); /* D: nothing */
    data = fixture_fed(F, "subscription", good);
    assert_string_equal(row_text(data, "state"), "inactive");
    json_decref(data);
    fixture_refused(F, DEVELOPER, "POST", "subscriptions", NULL,
                    text(subscription, w.app, w.api, 1), "risk-exceeded");
    admission_assess(&w, 90, 90);
    assert_int_equal(admission_total(&w, DEVELOPER, "assessments?state=active"),
                     1); /* one counts */
    fixture_ok(F, DEVELOPER, "POST", text("subscriptions/%s/cancel", good), NULL, NULL);
}

static const char *certificate(const char *kind, int days, const char *more)
{
    return text("{\"organisation_id\":\"%s\",\"kind\":\"%s\",\"number\":\"N-%d\",\"issuer\":\"a "
                "body\",\"document_id\":\"%s\",\"issued_at\":\"%s\",\"valid_until\":\"%s\"%s}",
                F->third, kind, days, admission_document_of(&w, DEVELOPER), admission_in_days(-9),
                admission_in_days(days), more);
}

static const char *confirmed(const char *body)
{
    const char *id = fixture_ok(F, DEVELOPER, "POST", "qualification_certificates", body, "id");

    fixture_ok(F, OPERATOR, "POST", text("qualification_certificates/%s/confirm", id), NULL, NULL);
    return id;
}

static const char *missing(void)
{
    struct reply r = fixture_call(F, OPERATOR, "POST", text("apps/%s/admit", w.app), "auto", NULL);

    assert_string_equal(r.code, "admission-incomplete");
    const char *out = text("%s", row_text(r.json, "detail"));
    reply_free(&r);
    return out;
}

static void the_gate_names_what_is_missing(void **state)
{
    (void)state;
    admission_set(&w, "admission-required", "on");
    admission_set(&w, "certificates-required", "mlps,cryptography,compliance");
    const char *said = missing();
    assert_non_null(strstr(said, "an approved application"));
    admission_approved(&w);
    said = missing();
    assert_non_null(strstr(said, "agreement"));
    assert_non_null(strstr(said, "certificates"));
    assert_null(strstr(said, "application"));
    admission_sign_both(&w, admission_offer(&w, "[\"id\"]", 100, 200));
    said = missing();
    assert_null(strstr(said, "agreement"));
    assert_non_null(strstr(said, "certificates"));
    fixture_refused(F, DEVELOPER, "POST", "qualification_certificates", NULL,
                    certificate("mlps", 60, ",\"level\":1"), "field-invalid");
    fixture_refused(F, DEVELOPER, "POST", "qualification_certificates", NULL,
                    certificate("compliance", 60, ""), "field-invalid");
    fixture_refused(F, DEVELOPER, "POST", "qualification_certificates", NULL,
                    certificate("mlps", -1, ",\"level\":3"), "field-invalid");
    confirmed(certificate("mlps", 60, ",\"level\":3"));
    confirmed(certificate("cryptography", 90, ""));
    const char *last =
        fixture_ok(F, DEVELOPER, "POST", "qualification_certificates",
                   certificate("compliance", 90, ",\"issuer_qualification\":\"q\""), "id");
    assert_non_null(strstr(missing(), "certificates")); /* filed is not confirmed */
    fixture_refused(F, DEVELOPER, "POST", text("qualification_certificates/%s/confirm", last),
                    "auto", NULL, "not-permitted");
    fixture_ok(F, OPERATOR, "POST", text("qualification_certificates/%s/confirm", last), NULL,
               NULL);
    struct reply r =
        fixture_call(F, DEVELOPER, "GET", text("apps/%s/admission", w.app), NULL, NULL);
    assert_true(json_is_true(json_object_get(r.json, "complete")));
    reply_free(&r);
    fixture_refused(F, STRANGER, "GET", text("apps/%s/admission", w.app), NULL, NULL, "not-found");
    fixture_ok(F, OPERATOR, "POST", text("apps/%s/admit", w.app), NULL, NULL);
    const char *key = text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", w.app);
    fixture_ok(F, DEVELOPER, "POST", "credentials", key, NULL);
    admission_set(&w, "certificates-required", "mlps,cryptography,compliance,industry-licence");
    fixture_refused(F, DEVELOPER, "POST", "credentials", NULL, key, "admission-incomplete");
    admission_set(&w, "certificates-required", "mlps");
    fixture_refused(F, ADMIN, "PATCH", "admission_settings/01a20106-0dc8-7000-8000-000000000b04",
                    "auto", "{\"value\":\"mlps,nothing\"}", "field-invalid");
}

/* After the gate's test: the certificate of graded protection ends in 60 days. */
static void an_expired_certificate_stops_its_apps(void **state)
{
    (void)state;
    uint64_t now = clock_wall_ms();
    const char *app = text("apps/%s", w.app);

    jobs_run_once(&F->ctl, now + 31 * DAY);
    assert_int_equal(admission_total(&w, DEVELOPER, "notices?kind=certificate-document-expiring"),
                     1);
    jobs_run_once(&F->ctl, now + 32 * DAY);
    assert_int_equal(admission_total(&w, DEVELOPER, "notices?kind=certificate-document-expiring"),
                     1);
    jobs_run_once(&F->ctl, now + 61 * DAY);
    assert_int_equal(
        admission_total(&w, DEVELOPER, "qualification_certificates?kind=mlps&state=expired"), 1);
    assert_int_equal(admission_total(&w, OPERATOR, "re_reviews?cause=certificate"), 1);
    assert_string_equal(admission_member(&w, app, "state"), "admitted"); /* its days of grace */
    jobs_run_once(&F->ctl, now + 91 * DAY);
    assert_string_equal(admission_member(&w, app, "state"), "suspended");
    json_t *data = fixture_fed(F, "app", w.app);
    assert_string_equal(row_text(data, "state"), "inactive");
    json_decref(data);
    fixture_refused(F, OPERATOR, "POST", text("%s/resume", app), "auto", NULL,
                    "admission-incomplete");
    confirmed(certificate("mlps", 300, ",\"level\":2"));
    fixture_ok(F, OPERATOR, "POST", text("%s/resume", app), NULL, NULL);
}

static void reviewed_again_on_a_schedule(void **state)
{
    (void)state;
    uint64_t now = clock_wall_ms();
    const char *app = text("apps/%s", w.app);

    admission_set(&w, "admission-required", "off");
    admission_approved(&w); /* and the one of the gate's test */
    jobs_run_once(&F->ctl, now + 336 * DAY);
    int open = admission_total(&w, OPERATOR, "re_reviews?cause=schedule&state=open");
    assert_true(open >= 2);
    jobs_run_once(&F->ctl, now + 337 * DAY);
    assert_int_equal(admission_total(&w, OPERATOR, "re_reviews?cause=schedule&state=open"),
                     open); /* once */
    struct reply r = fixture_call(F, OPERATOR, "GET",
                                  "re_reviews?cause=schedule&state=open&page_size=1", NULL, NULL);
    const char *id =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));
    const char *application =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "application_id"));
    reply_free(&r);
    const char *before =
        admission_member(&w, text("applications/%s", application), "review_due_at");
    fixture_refused(F, DEVELOPER, "POST", text("re_reviews/%s/complete", id), "auto",
                    "{\"comment\":\"fine\"}", "not-permitted");
    fixture_ok(F, OPERATOR, "PATCH", text("re_reviews/%s", id),
               text("{\"next_due_at\":\"%s\"}", admission_in_days(800)), NULL);
    fixture_ok(F, OPERATOR, "POST", text("re_reviews/%s/complete", id),
               "{\"comment\":\"as before\"}", NULL);
    assert_string_not_equal(
        admission_member(&w, text("applications/%s", application), "review_due_at"), before);
    assert_string_equal(admission_member(&w, app, "state"), "admitted");
    admission_set(&w, "overdue-review", "suspend");
    jobs_run_once(&F->ctl, now + 366 * DAY);
    assert_int_equal(admission_total(&w, OPERATOR, "re_reviews?cause=schedule&state=overdue"),
                     open - 1);
    assert_true(admission_total(&w, OPERATOR, "notices?kind=re-review-overdue") >= open - 1);
    assert_string_equal(admission_member(&w, app, "state"), "suspended");
    fixture_ok(F, OPERATOR, "POST", text("%s/resume", app), NULL, NULL);
    admission_set(&w, "overdue-review", "alert");
}

static void a_major_change_waits_for_its_assessment(void **state)
{
    (void)state;
    const char *body = "{\"app_id\":\"%s\",\"change\":\"volume\",\"description\":\"ten times\","
                       "\"change_plan\":\"in steps\",\"emergency_plan\":\"back\",\"party_risk\":"
                       "\"load\",\"user_notice\":\"by mail\"%s}";
    const char *app = text("apps/%s", w.app);

    fixture_refused(F, DEVELOPER, "POST", "major_changes", NULL,
                    text(body, w.app, ",\"measure\":\"continue\""), "not-permitted");
    static const char *const asked[] = {"change_plan", "emergency_plan", "party_risk",
                                        "user_notice"};
    for (size_t i = 0; i < COUNT(asked); i++) {
        json_t *lacking = json_loads(text(body, w.app, ""), 0, NULL);
        json_object_del(lacking, asked[i]);
        char *said = json_dumps(lacking, 0);
        fixture_refused(F, DEVELOPER, "POST", "major_changes", NULL, said, "field-invalid");
        free(said);
        json_decref(lacking);
    }
    const char *id = fixture_ok(F, DEVELOPER, "POST", "major_changes", text(body, w.app, ""), "id");
    const char *path = text("major_changes/%s", id), *decide = text("major_changes/%s/decide", id);
    assert_int_equal(admission_total(&w, OPERATOR, text("notices?object_id=%s", id)), 1);
    assert_int_equal(admission_total(&w, STRANGER, "major_changes"), 0);
    fixture_ok(F, OPERATOR, "PATCH", path, "{\"measure\":\"limit\",\"risk_assessment\":\"high\"}",
               NULL);
    fixture_refused(F, OPERATOR, "POST", decide, "auto", NULL, "state-conflict");
    fixture_ok(F, OPERATOR, "PATCH", path, "{\"impact_assessment\":\"queues\"}", NULL);
    fixture_refused(F, OPERATOR, "POST", decide, "auto", NULL, "state-conflict"); /* how much */
    fixture_ok(F, OPERATOR, "PATCH", path, "{\"limit_per_day\":50}", NULL);
    fixture_ok(F, OPERATOR, "POST", decide, NULL, NULL);
    struct reply r = fixture_call(
        F, OPERATOR, "GET", text("limits?app_id=%s&state=active&measure=calls", w.app), NULL, NULL);
    json_t *limit, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(r.json, "items"), i, limit)
    {
        found = strstr(row_text(limit, "reason"), id) ? limit : found;
    }
    assert_non_null(found);
    assert_int_equal(json_integer_value(json_object_get(found, "amount")), 50);
    reply_free(&r);
    assert_int_equal(admission_total(&w, DEVELOPER, text("notices?object_id=%s", id)), 1);

    id = fixture_ok(F, DEVELOPER, "POST", "major_changes", text(body, w.app, ""), "id");
    fixture_ok(F, OPERATOR, "PATCH", text("major_changes/%s", id),
               "{\"measure\":\"suspend\",\"risk_assessment\":\"high\",\"impact_assessment\":\"all "
               "of it\"}",
               NULL);
    fixture_ok(F, OPERATOR, "POST", text("major_changes/%s/decide", id), NULL, NULL);
    assert_string_equal(admission_member(&w, app, "state"), "suspended");
    fixture_ok(F, OPERATOR, "POST", text("%s/resume", app), NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-10.2.1c] a rating bears so much and no more", a_rating_bears_so_much, NULL, NULL,
         NULL},
        {"[EC-4.2.1a1, BK-9.1.1a, BK-9.1.1b, GS-6.1b-4] the gate names what is missing",
         the_gate_names_what_is_missing, NULL, NULL, NULL},
        {"[GS-6.8d-2, GS-6.8e-2, BK-9.3.4a] an expired certificate stops its apps",
         an_expired_certificate_stops_its_apps, NULL, NULL, NULL},
        {"[BK-10.2.1a2] reviewed again on a schedule", reviewed_again_on_a_schedule, NULL, NULL,
         NULL},
        {"[BK-10.3b1, BK-10.3b2, BK-10.3b3, BK-10.3c1, BK-10.3c2] a major change waits for its "
         "assessment",
         a_major_change_waits_for_its_assessment, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
