/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an API without a network: who may take which step, what nodes are told of each state,
 * a release that runs once, an archive that outlives its API. */
#include <stdlib.h>

#include "base/clock.h"
#include "jobs/jobs.h"
#include "sandbox/testing.h"

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
    fixture_feed_readable(&f);
    fixture_close(&f);
    return 0;
}

static void service_setting_is(const char *name, const char *value)
{
    struct reply r =
        fixture_call(&f, ADMIN, "GET", text("service_settings?name=%s", name), NULL, NULL);
    const char *id =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));

    reply_free(&r);
    fixture_ok(&f, ADMIN, "PATCH", text("service_settings/%s", id),
               text("{\"value\":\"%s\"}", value), NULL);
}

static const char *fed_state(const char *api)
{
    json_t *data = fixture_fed(&f, "api", api);
    const char *state = text("%s", data ? row_text(data, "state") : "none");

    json_decref(data);
    return state;
}

static void states_reach_nodes(void **state)
{
    (void)state;
    const char *api = testing_keep(testing_api(&f, "steps"));
    static const struct {
        enum who who;
        const char *action, *body, *fed;
    } steps[] = {{PROVIDER, "stop", "{\"comment\":\"night\"}", "offline"},
                 {PROVIDER, "start", NULL, "published"},
                 {OPERATOR, "suspend", "{\"comment\":\"leaks\"}", "offline"},
                 {PROVIDER, "rectify", "{\"comment\":\"done\"}", "offline"},
                 {OPERATOR, "resume", NULL, "published"},
                 {PROVIDER, "baffle", NULL, "offline"},
                 {PROVIDER, "offline", NULL, "offline"},
                 {PROVIDER, "archive", NULL, "none"}};

    for (size_t i = 0; i < COUNT(steps); i++) {
        fixture_refused(&f, DEVELOPER, "POST", text("apis/%s/%s", api, steps[i].action), "auto",
                        steps[i].body, "not-permitted");
        fixture_ok(&f, steps[i].who, "POST", text("apis/%s/%s", api, steps[i].action),
                   steps[i].body, NULL);
        assert_string_equal(fed_state(api), steps[i].fed);
    }
    assert_int_equal(testing_total(&f, OPERATOR, text("service_archives?api_id=%s", api)), 4);
}

static void bad_entries(void **state)
{
    (void)state;
    static const struct {
        const char *target, *body;
    } rows[] = {
        {"services", "{\"name\":\"x\"}"},
        {"services", "{\"name\":\"x\",\"title\":\"x\",\"kind\":\"h5\"}"},
        {"services", "{\"name\":\"x\",\"title\":\"x\",\"link\":\"https://a.example/\"}"},
        {"services", "{\"name\":\"x\",\"title\":\"x\",\"availability_permille\":1001}"},
        {"services", "{\"name\":\"x\",\"title\":\"x\",\"related_ids\":[\"no id\"]}"},
        {"services", "{\"name\":\"x\",\"title\":\"x\",\"related_ids\":"
                     "[\"01a20106-0dc8-7000-8000-00000000dead\"]}"},
        {"service_terminations", "{\"reason\":\"x\",\"user_notice\":\"x\"}"},
        {"services/publish", "{\"name\":\"x\",\"path\":\"/x\"}"},
        {"services/publish", "{\"dataset_id\":7,\"name\":\"x\",\"path\":\"/x\"}"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_refused(&f, PROVIDER, "POST", rows[i].target, NULL, rows[i].body, "field-invalid");
    }
    fixture_refused(&f, DEVELOPER, "POST", "services", NULL, "{\"name\":\"x\",\"title\":\"x\"}",
                    "not-permitted");
    fixture_refused(&f, OPERATOR, "POST", "service_domains", NULL,
                    "{\"code\":\"x\",\"title_zh\":\"x\",\"title_en\":\"x\",\"interface\":{}}",
                    "field-invalid");
    fixture_refused(&f, PROVIDER, "GET", "services/nothing/openapi", NULL, NULL, "not-found");
}

/* However often the clock comes round, or two clocks do. */
static void a_release_runs_once(void **state)
{
    (void)state;
    const char *api = testing_keep(testing_api(&f, "released"));
    service_setting_is("change-notice-days", "0");
    const char *id = testing_keep(fixture_ok(
        &f, PROVIDER, "POST", "service_changes",
        text("{\"api_id\":\"%s\",\"summary\":\"x\",\"change\":{\"timeout_ms\":777},\"plan\":\"x\","
             "\"emergency_plan\":\"x\",\"release_at\":\"%s\"}",
             api, testing_days(1)),
        "id"));
    fixture_refused(&f, PROVIDER, "POST", text("service_changes/%s/release", id), "auto", NULL,
                    "state-conflict");
    fixture_ok(&f, PROVIDER, "POST", text("service_changes/%s/assess", id), "{\"impact\":\"x\"}",
               NULL);
    fixture_ok(&f, PROVIDER, "POST", text("service_changes/%s/announce", id), NULL, NULL);
    fixture_refused(&f, PROVIDER, "POST", text("service_changes/%s/release", id), "auto", NULL,
                    "state-conflict"); /* its time has not come */
    jobs_run_once(&f.ctl, clock_wall_ms() + 2 * DAY_MS);
    jobs_run_once(&f.ctl, clock_wall_ms() + 2 * DAY_MS);
    assert_int_equal(
        testing_total(&f, OPERATOR, text("operations?kind=api&action=change&resource_id=%s", api)),
        1);
    assert_string_equal(testing_member(&f, text("service_changes/%s", id), "state"), "released");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[CI-8.1, BK-12.1a2] each state reaches the nodes, each step is for who may",
         states_reach_nodes, NULL, NULL, NULL},
        {"bad entries are refused", bad_entries, NULL, NULL, NULL},
        {"[BK-10.3a5] a release runs once", a_release_runs_once, NULL, NULL, NULL},
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
