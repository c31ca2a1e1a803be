/* SPDX-License-Identifier: Apache-2.0 */
/* Agreements: what they must hold, who may sign, and what of a subscription they leave. */
#include "admission/testing.h"
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "jobs/jobs.h"

static struct admission_world w;
#define F   (&w.f)
#define DAY (86400ull * 1000)

static int setup(void **state)
{
    (void)state;
    admission_world_open(&w);
    fixture_ok(F, OPERATOR, "POST", text("apps/%s/admit", w.app), NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    admission_world_close(&w);
    return 0;
}

static const char *subscribe(const char *api, const char *more)
{
    const char *id = fixture_ok(F, DEVELOPER, "POST", "subscriptions",
                                text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"x\","
                                     "\"max_level\":3%s}",
                                     w.app, api, more),
                                "id");

    fixture_ok(F, OPERATOR, "POST", text("subscriptions/%s/approve", id), NULL, NULL);
    return id;
}

/* What the nodes read of a subscription: "state/level/fields", fields "-" for all. */
static const char *told(const char *subscription)
{
    json_t *data = fixture_fed(F, "subscription", subscription), *field;
    const char *fields = json_is_null(json_object_get(data, "fields")) ? "-" : "";
    size_t i;

    json_array_foreach(json_object_get(data, "fields"), i, field)
    {
        fields = text("%s%s%s", fields, i ? "," : "", json_string_value(field));
    }
    const char *out = text("%s/%d/%s", row_text(data, "state"),
                           (int)json_integer_value(json_object_get(data, "max_level")), fields);
    json_decref(data);
    return out;
}

static void a_template_lacks_no_clause(void **state)
{
    (void)state;
    struct reply r = fixture_call(
        F, OPERATOR, "POST", "agreement_templates", NULL,
        "{\"kind\":\"cooperation\",\"name\":\"x\",\"body\":\"y\",\"clauses\":[{\"clause\":"
        "\"scenarios\",\"title\":\"a\",\"text\":\"b\"}]}");
    assert_string_equal(r.code, "agreement-incomplete");
    assert_non_null(strstr(row_text(r.json, "detail"), "no-clearing"));
    assert_non_null(strstr(row_text(r.json, "detail"), "security-duties"));
    assert_null(strstr(row_text(r.json, "detail"), "scenarios"));
    reply_free(&r);
    const char *id = admission_template(&w, "cooperation");
    fixture_refused(F, OPERATOR, "PATCH", text("agreement_templates/%s", id), "auto",
                    "{\"clauses\":[]}", "state-conflict");
    fixture_refused(F, DEVELOPER, "POST", "agreement_templates", NULL,
                    "{\"kind\":\"user\",\"name\":\"x\",\"body\":\"y\",\"clauses\":[]}",
                    "not-permitted");
}

static const char *draft(const char *more)
{
    return fixture_ok(F, DEVELOPER, "POST", "agreements",
                      text("{\"template_id\":\"%s\",\"provider_id\":\"%s\",\"receiver_id\":\"%s\","
                           "\"app_id\":\"%s\",\"title\":\"t\"%s}",
                           admission_template(&w, "data-use"), F->holder, F->third, w.app, more),
                      "id");
}

static void an_agreement_is_whole_before_it_is_offered(void **state)
{
    (void)state;
    static const char *const lacks[] = {"shared_data", "interfaces",      "purpose",
                                        "expires_at",  "provider_duties", "receiver_duties"};
    const char *id = draft("");
    struct reply r =
        fixture_call(F, DEVELOPER, "POST", text("agreements/%s/offer", id), "auto", NULL);

    assert_string_equal(r.code, "agreement-incomplete");
    for (size_t i = 0; i < COUNT(lacks); i++) {
        assert_non_null(strstr(row_text(r.json, "detail"), lacks[i]));
    }
    reply_free(&r);
    id = draft(text(",\"shared_data\":\"x\",\"purpose\":\"x\",\"expires_at\":\"%s\","
                    "\"retention_days\":1,\"provider_duties\":[\"a\"],\"receiver_duties\":[\"b\"],"
                    "\"interfaces\":[{\"api_id\":\"%s\"}]",
                    admission_in_days(9), w.api));
    r = fixture_call(F, DEVELOPER, "POST", text("agreements/%s/offer", id), "auto", NULL);
    assert_string_equal(r.code, "agreement-incomplete");
    assert_non_null(strstr(row_text(r.json, "detail"), "interfaces/fields"));
    assert_non_null(strstr(row_text(r.json, "detail"), "interfaces/per_day"));
    reply_free(&r);
    const char *body = "{\"interfaces\":[{\"api_id\":\"%s\",\"fields\":[\"%s\"],\"per_day\":5}]}";
    fixture_refused(F, DEVELOPER, "PATCH", text("agreements/%s", id), "auto",
                    text(body, w.api, "nothing"), "field-invalid");
    fixture_ok(F, DEVELOPER, "PATCH", text("agreements/%s", id), text(body, w.api, "id"), NULL);
    fixture_ok(F, DEVELOPER, "POST", text("agreements/%s/offer", id), NULL, NULL);
    fixture_refused(F, DEVELOPER, "PATCH", text("agreements/%s", id), "auto",
                    "{\"purpose\":\"another\"}", "state-conflict");
    fixture_refused(F, STRANGER, "GET", text("agreements/%s", id), NULL, NULL, "not-found");
}

static void only_the_sides_sign(void **state)
{
    (void)state;
    const char *id = admission_offer(&w, "[\"id\"]", 5, 30);
    const char *sign = text("agreements/%s/sign", id);
    struct crypto_key *theirs = NULL, *ours = NULL, *unknown = crypto_key_new(CRYPTO_KEY_SM2);

    admission_key(&w, DEVELOPER, F->third, CRYPTO_KEY_SM2, &theirs);
    admission_key(&w, PROVIDER, F->holder, CRYPTO_KEY_P256, &ours);
    char *pem = crypto_key_public_pem(unknown);
    fixture_refused(
        F, OPERATOR, "POST", "signing_keys", NULL,
        text("{\"organisation_id\":\"%s\",\"public_key\":%s}", F->third, quoted_text(pem)),
        "not-permitted"); /* nobody registers a key for somebody else */
    free(pem);
    fixture_refused(F, DEVELOPER, "POST", sign, "auto", admission_signature(&w, id, unknown),
                    "agreement-signature-invalid");
    fixture_refused(F, DEVELOPER, "POST", sign, "auto", admission_signature(&w, id, ours),
                    "agreement-signature-invalid"); /* the other side's key */
    const char *other = admission_offer(&w, "[\"id\"]", 5, 30);
    fixture_refused(F, DEVELOPER, "POST", sign, "auto", admission_signature(&w, other, theirs),
                    "agreement-signature-invalid"); /* of another agreement */
    fixture_refused(F, OPERATOR, "POST", sign, "auto", admission_signature(&w, id, ours),
                    "not-permitted");
    fixture_ok(F, DEVELOPER, "POST", sign, admission_signature(&w, id, theirs), NULL);
    assert_string_equal(fixture_ok(F, OPERATOR, "GET", text("agreements/%s", id), NULL, "state"),
                        "offered");
    fixture_refused(F, DEVELOPER, "POST", sign, "auto", admission_signature(&w, id, theirs),
                    "state-conflict");
    assert_string_equal(
        fixture_ok(F, PROVIDER, "POST", sign, admission_signature(&w, id, ours), "state"),
        "in_force");
    struct reply r = fixture_call(F, AUDITOR, "GET", text("agreements/%s", id), NULL, NULL);
    assert_int_equal(strlen(row_text(r.json, "digest_sm3")), 64);
    assert_non_null(strstr(row_text(r.json, "text"), "\"per_day\": 5"));
    assert_string_equal(row_text(json_object_get(r.json, "receiver_signature"), "algorithm"),
                        "sm2-sm3");
    reply_free(&r);
    fixture_ok(F, PROVIDER, "POST", text("agreements/%s/terminate", id), "{\"reason\":\"done\"}",
               NULL);
    crypto_key_free(&theirs);
    crypto_key_free(&ours);
    crypto_key_free(&unknown);
}

static char mine[40]; /* the subscription of the API that agreements name */

static int limits_of(const char *agreement, const char *state)
{
    struct reply r = fixture_call(
        F, OPERATOR, "GET", text("limits?agreement_id=%s&state=%s", agreement, state), NULL, NULL);
    int n = (int)json_integer_value(json_object_get(r.json, "total"));

    reply_free(&r);
    return n;
}

static void what_it_does_not_name_is_not_given(void **state)
{
    (void)state;
    const char *all = subscribe(w.bank_api, "");
    snprintf(mine, sizeof mine, "%s", subscribe(w.api, ",\"fields\":[\"phone\",\"name\"]"));

    /* An agreement of an earlier test ended: it named the API. */
    assert_string_equal(told(mine), "inactive/3/phone,name");
    const char *id = admission_offer(&w, "[\"id\",\"name\"]", 7, 30);
    assert_string_equal(told(mine), "inactive/3/phone,name"); /* an offer gives nothing */
    admission_sign_both(&w, id);
    assert_string_equal(told(mine), "active/3/name");
    assert_string_equal(told(all), "inactive/3/-"); /* of this provider nothing else */
    assert_int_equal(limits_of(id, "active"), 1);
    json_t *data = fixture_fed(F, "subscription", mine);
    assert_true(json_integer_value(json_object_get(data, "expires_at")) > 0);
    json_decref(data);

    jobs_run_once(&F->ctl, clock_wall_ms() + 31 * DAY);
    assert_string_equal(fixture_ok(F, OPERATOR, "GET", text("agreements/%s", id), NULL, "state"),
                        "expired");
    assert_string_equal(told(mine), "inactive/3/phone,name");
    assert_int_equal(limits_of(id, "active"), 0);
    assert_int_equal(limits_of(id, "removed"), 1);
}

/* An agreement on the API with this app, offered; "" where it is refused. */
static const char *agreed(const char *app, const char *of_interface, const char *terms)
{
    struct reply r = fixture_call(
        F, DEVELOPER, "POST", "agreements", NULL,
        text("{\"template_id\":\"%s\",\"provider_id\":\"%s\",\"receiver_id\":\"%s\","
             "\"app_id\":\"%s\",\"title\":\"t\",\"shared_data\":\"x\",\"purpose\":\"x\","
             "\"expires_at\":\"%s\",\"retention_days\":1,\"provider_duties\":[\"a\"],"
             "\"receiver_duties\":[\"b\"],\"interfaces\":[{\"api_id\":\"%s\",\"fields\":[\"name\"],"
             "\"per_day\":9,%s}],\"terms\":%s}",
             admission_template(&w, "data-use"), F->holder, F->third, app, admission_in_days(30),
             w.api, of_interface, terms));
    const char *id = text("%s", r.status == 201 ? row_text(r.json, "id") : "");

    reply_free(&r);
    if (*id) {
        fixture_ok(F, PROVIDER, "POST", text("agreements/%s/offer", id), NULL, NULL);
        admission_sign_both(&w, id);
    }
    return id;
}

static const char *told_ways(void)
{
    json_t *data = fixture_fed(F, "subscription", mine), *way;
    const char *out = row_text(data, "state");
    size_t i;

    out = text("%s", out);
    json_array_foreach(json_object_get(data, "ways"), i, way)
    {
        out = text("%s %s", out, json_string_value(way));
    }
    json_decref(data);
    return out;
}

static void modes_and_formats_say_by_which_ways(void **state)
{
    static const struct {
        const char *interface, *terms, *told;
    } rows[] = {
        {"\"access_mode\":\"file\"", "{}", "active export"},
        {"\"access_mode\":\"direct\"", "{}", "active call aggregate"},
        {"\"access_mode\":\"event\"", "{}", "active event"},
        {"\"access_mode\":\"sdk\"", "{}", "active sdk aggregate"},
        {"\"access_mode\":\"sdk\"", "{\"data_format\":[\"csv\"]}", "inactive"},
        {"\"scenario\":\"x\"", "{}", "active"},
        {"\"scenario\":\"x\"", "{\"access_mode\":[\"direct\",\"event\"]}",
         "active call event aggregate"},
        {"\"ways\":[\"export\"]", "{\"access_mode\":[\"direct\"]}", "active export"},
        {"\"access_mode\":\"direct\"", "{\"data_format\":[\"json\"]}", "active call aggregate"},
        {"\"access_mode\":\"direct\"", "{\"data_format\":[\"csv\"]}", "inactive"},
        {"\"scenario\":\"x\"", "{\"data_format\":[\"csv\"]}", "active export"},
        {"\"scenario\":\"x\"", "{\"data_format\":[\"json\"]}", "active call event aggregate"},
        {"\"access_mode\":\"server\"", "{}", NULL},
        {"\"access_mode\":\"file\",\"ways\":[\"call\"]", "{}", NULL},
        {"\"scenario\":\"x\"", "{\"data_format\":\"csv\"}", NULL},
        {"\"scenario\":\"x\"", "{\"access_mode\":[\"mail\"]}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *id = agreed(w.app, rows[i].interface, rows[i].terms);
        if (!rows[i].told) {
            assert_string_equal(id, "");
            continue;
        }
        assert_string_equal(told_ways(), rows[i].told);
        fixture_ok(F, PROVIDER, "POST", text("agreements/%s/terminate", id), "{\"reason\":\"x\"}",
                   NULL);
    }
}

static void what_is_agreed_is_called_before_going_live(void **state)
{
    (void)state;
    const char *app = text(
        "%s", fixture_ok(F, DEVELOPER, "POST", "apps",
                         text("{\"name\":\"connected\",\"organisation_id\":\"%s\",\"environment\":"
                              "\"general\"}",
                              F->third),
                         "id"));
    fixture_ok(F, OPERATOR, "POST", text("apps/%s/test", app), NULL, NULL);
    assert_string_not_equal(agreed(app, "\"access_mode\":\"direct\"", "{}"), "");
    struct reply r =
        fixture_call(F, DEVELOPER, "POST", text("apps/%s/test-report", app), NULL, NULL);
    const json_t *cases = json_object_get(r.json, "cases"), *last;
    last = json_array_get(cases, json_array_size(cases) - 1);
    assert_string_equal(row_text(r.json, "result"), "failed");
    assert_string_equal(row_text(last, "api_id"), w.api);
    assert_true(json_is_true(json_object_get(last, "required")));
    assert_false(json_is_true(json_object_get(last, "passed")));
    reply_free(&r);
}

static void required_means_nothing_without_one(void **state)
{
    (void)state;
    const char *api = fixture_ok(
        F, PROVIDER, "POST", "apis",
        "{\"name\":\"port\",\"version\":\"v1\",\"path\":\"/port/v1\",\"kind\":\"http\","
        "\"upstream\":\"http://127.0.0.1:9\",\"title\":\"x\",\"fields\":[{\"path\":\"id\","
        "\"name\":\"id\",\"level\":2,\"type\":\"scalar\",\"mask\":\"\"}]}",
        "id");
    fixture_ok(F, PROVIDER, "POST", text("apis/%s/publish", api), NULL, NULL);
    const char *id = subscribe(api, "");
    assert_string_equal(told(id), "active/3/-");
    admission_set(&w, "agreement-required", "on");
    assert_string_equal(told(id), "inactive/3/-");
    admission_set(&w, "agreement-required", "off");
    assert_string_equal(told(id), "active/3/-");
    fixture_ok(F, PROVIDER, "PATCH", text("apis/%s", api), "{\"agreement_required\":true}", NULL);
    assert_string_equal(told(id), "inactive/3/-");
}

static const char *composed(const char *name, const char *organisation)
{
    return fixture_ok(
        F, OPERATOR, "POST", "apis",
        text("{\"name\":\"%s\",\"version\":\"v1\",\"path\":\"/%s/v1\",\"kind\":\"composed\","
             "\"organisation_id\":\"%s\",\"title\":\"x\",\"fields\":[{\"path\":\"id\",\"name\":"
             "\"id\",\"level\":2,\"type\":\"scalar\",\"mask\":\"\"}]}",
             name, name, organisation),
        "id");
}

static void privacy_before_data_is_put_together(void **state)
{
    (void)state;
    const char *api = composed("together", F->third);
    const char *graph = text("{\"api_id\":\"%s\",\"graph\":{\"steps\":[{\"name\":\"a\",\"api\":"
                             "\"/trade/v1\"}],\"output\":{\"id\":\"/steps/a/body/id\"}}}",
                             api);
    const char *template = admission_template(&w, "privacy");
    const char *body = "{\"template_id\":\"%s\",\"provider_id\":\"%s\",\"receiver_id\":\"%s\","
                       "\"title\":\"隐私保护协议\",\"shared_data\":\"orders\",\"purpose\":\"x\","
                       "\"expires_at\":\"%s\",\"retention_days\":0,\"provider_duties\":[\"a\"],"
                       "\"receiver_duties\":[\"b\"],\"interfaces\":[{\"api_id\":\"%s\",\"fields\":["
                       "\"id\"]}],\"terms\":{\"operations\":[\"%s\"],\"max_level\":%d}}";
    static const struct {
        const char *operation;
        int level;
        bool permits;
    } rows[] = {{"model", 3, false}, {"compose", 2, false}, {"compose", 3, true}};

    admission_set(&w, "privacy-agreement-required", "on");
    fixture_refused(F, OPERATOR, "POST", "compositions", NULL, graph, "agreement-missing");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *id = fixture_ok(F, PROVIDER, "POST", "agreements",
                                    text(body, template, F->holder, F->third, admission_in_days(30),
                                         w.api, rows[i].operation, rows[i].level),
                                    "id");
        fixture_ok(F, PROVIDER, "POST", text("agreements/%s/offer", id), NULL, NULL);
        admission_sign_both(&w, id);
        if (!rows[i].permits) {
            fixture_refused(F, OPERATOR, "POST", "compositions", NULL, graph, "agreement-missing");
        } else {
            fixture_ok(F, OPERATOR, "POST", "compositions", graph, NULL);
            fixture_ok(F, OPERATOR, "POST", text("apis/%s/publish", api), NULL, NULL);
            fixture_ok(F, DEVELOPER, "POST", text("agreements/%s/terminate", id),
                       "{\"reason\":\"over\"}", NULL);
            assert_string_equal(fixture_ok(F, OPERATOR, "GET", text("apis/%s", api), NULL, "state"),
                                "offline");
            fixture_refused(F, OPERATOR, "POST", text("apis/%s/publish", api), "auto", NULL,
                            "agreement-missing");
        }
    }
    admission_set(&w, "privacy-agreement-required", "off");
    fixture_ok(F, OPERATOR, "POST", text("apis/%s/publish", api), NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-9.1.1e, BK-9.1.1f, BK-12.2a] a template lacks no clause", a_template_lacks_no_clause,
         NULL, NULL, NULL},
        {"[SW-9.8-use2a, SW-9.8-use2d] an agreement is whole before it is offered",
         an_agreement_is_whole_before_it_is_offered, NULL, NULL, NULL},
        {"[SW-9.8-use1, SW-8.2c2-5] only the two sides sign, each with a key of its own",
         only_the_sides_sign, NULL, NULL, NULL},
        {"[SW-9.8-use2b, SW-9.8-use2c] what an agreement does not name is not given",
         what_it_does_not_name_is_not_given, NULL, NULL, NULL},
        {"[CI-6.1.4b, CI-6.1.4d] access modes and data formats say by which ways an API is reached",
         modes_and_formats_say_by_which_ways, NULL, NULL, NULL},
        {"[CI-6.1.6b] each agreed interface is called before the app goes live",
         what_is_agreed_is_called_before_going_live, NULL, NULL, NULL},
        {"where an agreement is required nothing is given without one",
         required_means_nothing_without_one, NULL, NULL, NULL},
        {"[SW-9.6.2-4a, SW-9.6.2-4b] a privacy agreement before data is put together",
         privacy_before_data_is_put_together, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
