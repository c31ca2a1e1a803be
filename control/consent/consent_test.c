/* SPDX-License-Identifier: Apache-2.0 */
/* What surrounds grants: clerks, requests to owners, closed services, the provider's own word, the
 * evidence. Most rows negative. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "consent/consent.h"
#include "test/fixture.h"

static struct fixture f;
static char app[40], api[40], other_app[40];

#define UNTIL "\"expires_at\":\"2037-01-01T00:00:00Z\""

static void copy(char out[static 40], const char *id)
{
    snprintf(out, 40, "%s", id);
}

static void admit(char out[static 40], const char *name)
{
    copy(out, fixture_ok(&f, DEVELOPER, "POST", "apps",
                         text("{\"name\":\"%s\",\"organisation_id\":\"%s\",\"environment\":"
                              "\"controlled\"}",
                              name, f.third),
                         "id"));
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/admit", out), NULL, NULL);
}

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    admit(app, "erp");
    admit(other_app, "crm");
    copy(api, fixture_ok(&f, PROVIDER, "POST", "apis",
                         "{\"name\":\"o\",\"version\":\"v1\",\"path\":\"/o/v1\",\"kind\":\"http\","
                         "\"upstream\":\"http://127.0.0.1:9\",\"owner_scoped\":true,\"fields\":[{"
                         "\"path\":\"a\",\"level\":2,\"type\":\"scalar\"},{\"path\":\"b\","
                         "\"level\":2,\"type\":\"scalar\"}]}",
                         "id"));
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", api), NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static const char *grant_body(const char *of_app, const char *more)
{
    return text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"term\":\"period\"%s}",
                of_app, api, more);
}

static void clerk_says_how(void **state)
{
    (void)state;
    static const struct {
        const char *more, *code;
    } wrong[] = {
        {",\"owner\":\"M1\"," UNTIL, "consent-incomplete"},
        {",\"owner\":\"M1\",\"act\":\"paper\"," UNTIL, "consent-incomplete"},
        {",\"owner\":\"M1\",\"act\":\"paper\",\"statement\":\"\"," UNTIL, "consent-incomplete"},
        {",\"owner\":\"M1\",\"act\":\"tick\",\"statement\":\"s\"," UNTIL, "consent-incomplete"},
        {",\"owner\":\"M1\",\"statement\":\"s\"," UNTIL, "consent-incomplete"},
        {",\"owner\":\"M1\",\"act\":\"paper\",\"statement\":\"s\"", "field-invalid"},
        {",\"act\":\"paper\",\"statement\":\"s\"," UNTIL, "field-invalid"},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        fixture_refused(&f, OPERATOR, "POST", "grants", NULL, grant_body(app, wrong[i].more),
                        wrong[i].code);
    }
    const char *id = fixture_ok(
        &f, OPERATOR, "POST", "grants",
        grant_body(app, ",\"owner\":\"M1\",\"act\":\"paper\",\"statement\":\"file 7\"," UNTIL),
        "id");
    assert_string_equal(fixture_ok(&f, OWNER, "GET", text("grants/%s", id), NULL, "channel"),
                        "counter");
    assert_int_equal(
        strlen(fixture_ok(&f, OWNER, "GET", text("grants/%s", id), NULL, "statement_sm3")), 64);
}

static const char *request_body(const char *more)
{
    return text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"owner\":\"M1\",\"purpose\":\"p\",\"term\":"
                "\"period\"," UNTIL "%s}",
                app, api, more);
}

/* Asked of one owner, answered by that owner alone; never wider than it was asked. */
static void request_goes_to_owner(void **state)
{
    (void)state;
    char id[40];
    fixture_refused(&f, OWNER, "POST", "grant_requests", NULL, request_body(""), "not-permitted");
    fixture_refused(&f, STRANGER, "POST", "grant_requests", NULL, request_body(""),
                    "field-invalid");
    copy(id, fixture_ok(&f, DEVELOPER, "POST", "grant_requests",
                        request_body(",\"fields\":[\"a\",\"b\"]"), "id"));
    fixture_refused(&f, OWNER, "GET", text("grants/%s", id), NULL, NULL, "not-found");
    fixture_refused(&f, STRANGER, "GET", text("grant_requests/%s", id), NULL, NULL, "not-found");
    for (size_t i = 0; i < 2; i++) {
        fixture_refused(&f, i ? OPERATOR : DEVELOPER, "POST", text("grant_requests/%s/approve", id),
                        "auto", "{\"statement\":\"yes\"}", "not-permitted");
    }
    static const char *const wider[] = {"{\"fields\":null}", "{\"fields\":[\"a\",\"c\"]}",
                                        "{\"expires_at\":\"2038-01-01T00:00:00Z\"}",
                                        "{\"purpose\":\"q\"}"};
    for (size_t i = 0; i < COUNT(wider); i++) {
        fixture_refused(&f, OWNER, "PATCH", text("grant_requests/%s", id), "auto", wider[i],
                        "field-invalid");
    }
    struct reply r = fixture_call(&f, OWNER, "PATCH", text("grant_requests/%s", id), "auto",
                                  "{\"fields\":[\"a\"]}");
    assert_int_equal(r.status, 200);
    reply_free(&r);
    fixture_refused(&f, OWNER, "POST", text("grant_requests/%s/approve", id), "auto", "{}",
                    "field-invalid");
    fixture_ok(&f, OWNER, "POST", text("grant_requests/%s/approve", id),
               "{\"statement\":\"erp may see a\"}", NULL);
    json_t *fed = fixture_fed(&f, "grant", id);
    assert_non_null(fed);
    assert_int_equal(json_array_size(json_object_get(fed, "fields")), 1);
    json_decref(fed);
    assert_string_equal(fixture_ok(&f, OWNER, "GET", text("grants/%s", id), NULL, "channel"),
                        "request");
    fixture_refused(&f, OWNER, "PATCH", text("grant_requests/%s", id), "auto",
                    "{\"fields\":[\"a\"]}", "state-conflict");
    const char *no = fixture_ok(&f, DEVELOPER, "POST", "grant_requests", request_body(""), "id");
    fixture_ok(&f, OWNER, "POST", text("grant_requests/%s/refuse", no), NULL, NULL);
    fixture_refused(&f, OWNER, "GET", text("grants/%s", no), NULL, NULL, "not-found");
}

static const char *state_of(const char *plural, const char *id)
{
    return fixture_ok(&f, ADMIN, "GET", text("%s/%s", plural, id), NULL, "state");
}

/* Of one app: its grants end, none is made, the other app's stay; the same over the counter. */
static void closed_services(void **state)
{
    (void)state;
    char one[40], two[40], closure[40];
    copy(one, fixture_ok(&f, OWNER, "POST", "grants", grant_body(app, "," UNTIL), "id"));
    copy(two, fixture_ok(&f, OWNER, "POST", "grants", grant_body(other_app, "," UNTIL), "id"));
    fixture_refused(&f, DEVELOPER, "POST", "closures", NULL, "{\"owner\":\"M1\"}", "not-permitted");
    copy(closure, fixture_ok(&f, OWNER, "POST", "closures",
                             text("{\"app_id\":\"%s\",\"owner\":\"M2\"}", app), "id"));
    assert_string_equal(state_of("closures", closure), "closed");
    assert_string_equal(fixture_ok(&f, OWNER, "GET", text("closures/%s", closure), NULL, "owner"),
                        "M1");
    assert_string_equal(state_of("grants", one), "revoked");
    assert_string_equal(state_of("grants", two), "active");
    fixture_refused(&f, OWNER, "POST", "grants", NULL, grant_body(app, "," UNTIL),
                    "services-closed");
    fixture_refused(&f, DEVELOPER, "POST", "grant_requests", NULL, request_body(""),
                    "services-closed");
    fixture_ok(&f, OWNER, "POST", "grants", grant_body(other_app, "," UNTIL), NULL);
    fixture_ok(&f, OWNER, "POST", text("closures/%s/reopen", closure), NULL, NULL);
    fixture_ok(&f, OWNER, "POST", "grants", grant_body(app, "," UNTIL), NULL);

    fixture_refused(&f, OPERATOR, "POST", "closures", NULL, "{\"owner\":\"M1\"}",
                    "consent-incomplete");
    copy(closure,
         fixture_ok(&f, OPERATOR, "POST", "closures",
                    "{\"owner\":\"M1\",\"act\":\"paper\",\"statement\":\"form 12\"}", "id"));
    assert_string_equal(state_of("closures", closure), "requested");
    assert_string_equal(state_of("grants", two), "active");
    fixture_ok(&f, OPERATOR, "POST", text("closures/%s/handle", closure), NULL, NULL);
    assert_string_equal(state_of("grants", two), "revoked");
    fixture_refused(&f, OWNER, "POST", "grants", NULL, grant_body(other_app, "," UNTIL),
                    "services-closed");
    fixture_refused(&f, OPERATOR, "POST", text("closures/%s/reopen", closure), "auto", NULL,
                    "consent-incomplete");
    fixture_ok(&f, OPERATOR, "POST", text("closures/%s/reopen", closure),
               "{\"reopen_statement\":\"form 13\"}", NULL);
}

static const char *fed_state(const char *id)
{
    json_t *fed = fixture_fed(&f, "subscription", id);
    const char *s = text("%s", row_text(fed, "state"));
    json_decref(fed);
    return s;
}

static void provider_grants_too(void **state)
{
    (void)state;
    char sub[40];
    struct reply r = fixture_call(&f, PROVIDER, "PATCH", text("apis/%s", api), "auto",
                                  "{\"provider_approval\":true}");
    assert_int_equal(r.status, 200);
    reply_free(&r);
    copy(sub,
         fixture_ok(&f, DEVELOPER, "POST", "subscriptions",
                    text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"max_level\":"
                         "2}",
                         app, api),
                    "id"));
    fixture_ok(&f, OPERATOR, "POST", text("subscriptions/%s/approve", sub), NULL, NULL);
    assert_string_equal(fed_state(sub), "inactive");
    fixture_refused(&f, OPERATOR, "POST", text("subscriptions/%s/authorize", sub), "auto", NULL,
                    "not-permitted");
    fixture_refused(&f, PROVIDER, "POST", text("subscriptions/%s/cancel", sub), "auto", NULL,
                    "not-permitted");
    fixture_refused(&f, PROVIDER, "PATCH", text("subscriptions/%s", sub), "auto",
                    "{\"max_level\":3}", "not-permitted");
    fixture_ok(&f, PROVIDER, "POST", text("subscriptions/%s/authorize", sub), NULL, NULL);
    assert_string_equal(fed_state(sub), "active");
    fixture_ok(&f, PROVIDER, "POST", text("subscriptions/%s/deauthorize", sub), NULL, NULL);
    assert_string_equal(fed_state(sub), "inactive");
}

static void evidence(void **state)
{
    (void)state;
    char id[40];
    copy(id, fixture_ok(&f, OWNER, "POST", "grants",
                        grant_body(app, ",\"statement\":\"I agree\"," UNTIL), "id"));
    fixture_ok(&f, OWNER, "POST", text("grants/%s/revoke", id), "{\"revocation_reason\":\"done\"}",
               NULL);
    struct reply r = fixture_call(&f, OWNER, "GET", text("grants/%s/evidence", id), NULL, NULL);
    assert_int_equal(r.status, 200);
    assert_true(json_is_true(json_object_get(r.json, "statement_intact")));
    const json_t *acts = json_object_get(r.json, "acts");
    assert_int_equal(json_array_size(acts), 2);
    assert_string_equal(row_text(json_array_get(acts, 0), "action"), "create");
    assert_string_equal(row_text(json_array_get(acts, 1), "action"), "revoke");
    assert_true(strlen(row_text(r.json, "signed")) > 100);
    reply_free(&r);
    fixture_refused(&f, STRANGER, "GET", text("grants/%s/evidence", id), NULL, NULL, "not-found");
    fixture_refused(&f, OWNER, "GET", "grants/x/evidence", NULL, NULL, "not-found");
}

static void confirmed_operations(void **state)
{
    (void)state;
    static const struct {
        const char *operation, *more;
        bool confirmed;
    } rows[] = {{"transfer", "", true},
                {"balance", "", true},
                {"balance", ",\"user_confirmation\":false", false},
                {"product-info", "", false},
                {"other", ",\"user_confirmation\":true", true}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *body =
            text("{\"name\":\"c%zu\",\"version\":\"v1\",\"path\":\"/c/%zu\",\"kind\":"
                 "\"http\",\"upstream\":\"http://127.0.0.1:9\",\"operation\":\"%s\"%s}",
                 i, i, rows[i].operation, rows[i].more);
        struct reply r = fixture_call(&f, PROVIDER, "POST", "apis", NULL, body);
        assert_int_equal(r.status, 201);
        assert_int_equal(json_is_true(json_object_get(r.json, "user_confirmation")),
                         rows[i].confirmed);
        reply_free(&r);
    }
    fixture_refused(&f, PROVIDER, "POST", "apis", NULL,
                    "{\"name\":\"c9\",\"version\":\"v1\",\"path\":\"/c/9\",\"kind\":\"http\","
                    "\"upstream\":\"http://127.0.0.1:9\",\"operation\":\"payment\","
                    "\"user_confirmation\":false}",
                    "field-invalid");
}

static void last_use(void **state)
{
    (void)state;
    char id[40], want[CLOCK_RFC3339_LEN + 1];
    struct rest_request req = {0};
    uint64_t now_ms = clock_wall_ms();
    struct rest_call c = {.ctl = &f.ctl, .req = &req, .now_ms = now_ms};
    struct store_txn *txn = NULL;
    copy(id, fixture_ok(&f, OWNER, "POST", "grants", grant_body(app, "," UNTIL), "id"));
    assert_string_equal(fixture_ok(&f, OWNER, "GET", text("grants/%s", id), NULL, "last_used_at"),
                        "");
    const uint64_t told[] = {now_ms - 5000, now_ms - 9000, now_ms + 3600000};
    const uint64_t kept[] = {now_ms - 5000, now_ms - 5000, now_ms};
    for (size_t i = 0; i < COUNT(told); i++) {
        assert_int_equal(rest_begin(&c, STORE_WRITE, &txn), PROBLEM_OK);
        assert_int_equal(rest_finish(&c, &txn, grants_used(&c, txn, id, told[i])), PROBLEM_OK);
        clock_format_ms(kept[i], want);
        assert_string_equal(
            fixture_ok(&f, OWNER, "GET", text("grants/%s", id), NULL, "last_used_at"), want);
    }
}

static void readable(void **state)
{
    (void)state;
    fixture_feed_readable(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-3.12a, BK-9.3.2a2-2] a clerk's entry says act, words and end", clerk_says_how, NULL,
         NULL, NULL},
        {"[SW-9.6.1-c1] a request goes to its owner", request_goes_to_owner, NULL, NULL, NULL},
        {"[BK-9.3.2b] closed services", closed_services, NULL, NULL, NULL},
        {"[SW-8.1-r2] the provider grants too", provider_grants_too, NULL, NULL, NULL},
        {"evidence of a grant", evidence, NULL, NULL, NULL},
        {"[BK-10.2.2b] operations that are confirmed", confirmed_operations, NULL, NULL, NULL},
        {"last use", last_use, NULL, NULL, NULL},
        {"a node can read the feed", readable, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
