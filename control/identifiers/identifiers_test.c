/* SPDX-License-Identifier: Apache-2.0 */
#include "test/fixture.h"

#include <stdio.h>

#include "uapi/uapi.h"

static struct fixture f;

static int set_up(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_feed_readable(&f);
    fixture_close(&f);
    return 0;
}

/* The one row of a list. */
static const char *only(const char *target, const char *member)
{
    struct reply r = fixture_call(&f, ADMIN, "GET", target, NULL, NULL);
    const json_t *items = json_object_get(r.json, "items");
    assert_int_equal(json_array_size(items), 1);
    const char *s = text("%s", row_text(json_array_get(items, 0), member));
    reply_free(&r);
    return s;
}

static size_t count(enum who who, const char *target)
{
    struct reply r = fixture_call(&f, who, "GET", target, NULL, NULL);
    assert_int_equal(r.status, 200);
    size_t n = (size_t)json_integer_value(json_object_get(r.json, "total"));
    reply_free(&r);
    return n;
}

static void institution(const char *code)
{
    const char *id = only("identifier_settings?name=institution-code", "id");
    fixture_ok(&f, ADMIN, "PATCH", text("identifier_settings/%s", id),
               text("{\"value\":\"%s\"}", code), NULL);
}

static const char *category(const char *code)
{
    return only(text("service_categories?code=%s", code), "id");
}

/* more: members with a comma before each. */
static const char *api(const char *name, const char *version, const char *more)
{
    return fixture_ok(&f, OPERATOR, "POST", "apis",
                      text("{\"name\":\"%s\",\"version\":\"%s\",\"path\":\"/%s/%s\",\"kind\":"
                           "\"http\",\"organisation_id\":\"%s\",\"upstream\":"
                           "\"http://127.0.0.1:9\",\"fields\":[{\"path\":\"name\",\"level\":2,"
                           "\"type\":\"scalar\"}]%s}",
                           name, version, name, version, f.holder, more),
                      "id");
}

static const char *in_category(const char *code)
{
    return text(",\"category_id\":\"%s\"", category(code));
}

static const char *publish(const char *id)
{
    fixture_ok(&f, OPERATOR, "POST", text("apis/%s/publish", id), NULL, NULL);
    return fixture_ok(&f, OPERATOR, "GET", text("apis/%s", id), NULL, "u_api_id");
}

static void shipped_categories_stand(void **state)
{
    static const char *const names[] = {"账户服务", "支付结算", "投资理财", "信贷",
                                        "信用卡",   "行业服务", "国际业务", "科技服务"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *code = text("service_categories?code=%02zu", i + 1), *id = only(code, "id");
        assert_string_equal(only(code, "name"), names[i]);
        fixture_refused(&f, ADMIN, "PATCH", text("service_categories/%s", id), "auto",
                        "{\"name\":\"other\"}", "state-conflict");
        fixture_refused(&f, ADMIN, "POST", text("service_categories/%s/retire", id), "auto", NULL,
                        "state-conflict");
    }
    assert_string_equal(only("service_categories?code=010001", "name"), "存管账户");
    assert_string_equal(only("service_categories?code=010002", "name"), "积分账户");
}

static void new_categories_are_numbered_in_order(void **state)
{
    (void)state;
    const char *first = category("03"), *second = category("04");
    for (int i = 1; i <= 2; i++) {
        assert_string_equal(fixture_ok(&f, OPERATOR, "POST", "service_categories",
                                       text("{\"parent_id\":\"%s\",\"name\":\"n%d\"}", first, i),
                                       "code"),
                            text("03%04d", i));
    }
    const char *third = fixture_ok(&f, OPERATOR, "POST", "service_categories",
                                   text("{\"parent_id\":\"%s\",\"name\":\"x\"}", second), "id");
    assert_string_equal(only("service_categories?code=040001", "id"), third);
    fixture_refused(&f, OPERATOR, "POST", "service_categories", NULL,
                    text("{\"parent_id\":\"%s\",\"name\":\"y\"}", third), "field-invalid");
    /* A retired one keeps its number. */
    fixture_ok(&f, OPERATOR, "POST", text("service_categories/%s/retire", third), NULL, NULL);
    assert_string_equal(fixture_ok(&f, OPERATOR, "POST", "service_categories",
                                   text("{\"parent_id\":\"%s\",\"name\":\"z\"}", second), "code"),
                        "040002");
    for (int i = 9; i <= 99; i++) {
        assert_string_equal(fixture_ok(&f, OPERATOR, "POST", "service_categories",
                                       text("{\"name\":\"first level %d\"}", i), "code"),
                            text("%02d", i));
    }
    fixture_refused(&f, OPERATOR, "POST", "service_categories", NULL, "{\"name\":\"one more\"}",
                    "state-conflict");
    fixture_refused(&f, DEVELOPER, "POST", "service_categories", NULL, "{\"name\":\"mine\"}",
                    "not-permitted");
}

static void external_apis_get_codes_without_gap(void **state)
{
    (void)state;
    const char *plain = api("before", "v1", "");
    assert_string_equal(publish(plain), ""); /* no institution: no codes */
    fixture_refused(
        &f, ADMIN, "PATCH",
        text("identifier_settings/%s", only("identifier_settings?name=institution-code", "id")),
        "auto", "{\"value\":\"C10102\"}", "field-invalid");
    institution("C1010211000012");
    const char *none = api("none", "v1", "");
    fixture_refused(&f, OPERATOR, "POST", text("apis/%s/publish", none), "auto", NULL,
                    "field-invalid");
    assert_string_equal(publish(api("one", "v1", in_category("010001"))),
                        "OPC101020101000100000100");
    /* A publication that fails takes no number. */
    const char *bad =
        api("bad", "v1", text("%s,\"api_identifier\":\"pay\"", in_category("010001")));
    const char *pay =
        api("pay", "v1", text("%s,\"api_identifier\":\"pay\"", in_category("010001")));
    assert_string_equal(publish(pay), "OPC101020101000100000200");
    fixture_refused(&f, OPERATOR, "POST", text("apis/%s/publish", bad), "auto", NULL,
                    "state-conflict");
    assert_string_equal(publish(api("three", "v1", in_category("010001"))),
                        "OPC101020101000100000300");
    /* Another category, another class: from the start. */
    assert_string_equal(publish(api("points", "v1", in_category("010002"))),
                        "OPC101020101000200000100");
    assert_string_equal(publish(api("secure", "v1",
                                    text("%s,\"class\":\"A2\",\"operation\":\"balance\","
                                         "\"schemes\":[\"key\"]",
                                         in_category("010001")))),
                        "OPC101020201000100000100");
    /* A version shares its API's code; other types have none. */
    assert_string_equal(
        publish(api("pay", "v2", text("%s,\"api_identifier\":\"pay\"", in_category("010001")))),
        "OPC101020101000100000200");
    assert_string_equal(
        publish(api("inside", "v1", text("%s,\"type\":\"internal\"", in_category("010001")))), "");
    /* What the code says stays. */
    fixture_refused(&f, OPERATOR, "PATCH", text("apis/%s", pay), "auto",
                    text("{\"category_id\":\"%s\"}", category("010002")), "state-conflict");
    fixture_refused(&f, OPERATOR, "PATCH", text("apis/%s", pay), "auto", "{\"u_api_id\":null}",
                    "state-conflict");
    fixture_refused(
        &f, ADMIN, "PATCH",
        text("identifier_settings/%s", only("identifier_settings?name=institution-code", "id")),
        "auto", "{\"value\":\"D1010211000012\"}", "state-conflict");
}

static void a_code_by_hand_keeps_the_rules(void **state)
{
    static const char *const wrong[] = {"OPC10102010100020000420",  "OPC1010201010002000042000",
                                        "opC101020101000100000100", "OPC101020001000100000100",
                                        "OPC101020301000100000100", "OPC101020201000100000100",
                                        "OPC101020100000100000100", "OPC101020101000000000100",
                                        "OPC101020101000100000001", "ＯＰC10102010100010000"};
    (void)state;
    institution("C1010211000012");
    for (size_t i = 0; i < COUNT(wrong); i++) {
        fixture_refused(&f, OPERATOR, "POST", "apis", NULL,
                        text("{\"name\":\"h\",\"version\":\"v1\",\"path\":\"/h/v1\",\"kind\":"
                             "\"http\",\"upstream\":\"http://127.0.0.1:9\",\"u_api_id\":\"%s\"}",
                             wrong[i]),
                        "field-invalid");
    }
    /* Well-formed, and of another bank, another category or out of turn. */
    static const char *const others[] = {"OPC101030101000100000100", "OPC101020101000200000100",
                                         "OPC101020101000100000900"};
    for (size_t i = 0; i < COUNT(others); i++) {
        const char *id = api(text("other%zu", i), "v1",
                             text("%s,\"u_api_id\":\"%s\"", in_category("010001"), others[i]));
        fixture_refused(&f, OPERATOR, "POST", text("apis/%s/publish", id), "auto", NULL,
                        "field-invalid");
    }
    const char *right = api(
        "right", "v1", text("%s,\"u_api_id\":\"OPC101020101000100000100\"", in_category("010001")));
    assert_string_equal(publish(right), "OPC101020101000100000100");
}

static void codes_are_registered_and_cancelled(void **state)
{
    (void)state;
    institution("C1010211000012");
    const char *id = api("told", "v1", in_category("010001"));
    publish(id);
    const char *list = "api_registrations?kind=register&state=pending";
    assert_string_equal(only(list, "u_api_id"), "OPC101020101000100000100");
    struct reply r = fixture_call(&f, OPERATOR, "GET", "api_registrations/export", NULL, NULL);
    assert_int_equal(r.status, 200);
    const json_t *item = json_array_get(json_object_get(r.json, "items"), 0);
    assert_string_equal(row_text(item, "category"), "010001");
    assert_string_equal(row_text(item, "name"), "told");
    assert_string_equal(row_text(r.json, "institution"), "C10102");
    reply_free(&r);
    const char *application = only(list, "id");
    fixture_refused(&f, OPERATOR, "POST", text("api_registrations/%s/accept", application), "auto",
                    "{\"receipt\":\"R1\"}", "state-conflict");
    fixture_ok(&f, OPERATOR, "POST", text("api_registrations/%s/submit", application),
               "{\"reference\":\"2026-1\"}", NULL);
    assert_string_equal(fixture_ok(&f, OPERATOR, "POST",
                                   text("api_registrations/%s/accept", application),
                                   "{\"receipt\":\"R1\"}", "receipt"),
                        "R1");
    assert_int_equal(count(OPERATOR, list), 0);
    /* A second publication of the same code is not registered again. */
    fixture_ok(&f, OPERATOR, "POST", text("apis/%s/offline", id), NULL, NULL);
    publish(id);
    assert_int_equal(count(OPERATOR, "api_registrations?kind=register"), 1);
    fixture_ok(&f, OPERATOR, "POST", text("apis/%s/cancel-registration", id), NULL, NULL);
    fixture_ok(&f, OPERATOR, "POST", text("apis/%s/cancel-registration", id), NULL, NULL);
    assert_int_equal(count(OPERATOR, "api_registrations?kind=cancel&state=pending"), 1);
    const char *plain = api("plain", "v1", ",\"type\":\"internal\"");
    publish(plain);
    fixture_refused(&f, OPERATOR, "POST", text("apis/%s/cancel-registration", plain), NULL, NULL,
                    "state-conflict");
    fixture_refused(&f, DEVELOPER, "GET", "api_registrations/export", NULL, NULL, "not-permitted");
}

static const char *app_of(enum who who, const char *organisation, const char *name)
{
    return fixture_ok(&f, who, "POST", "apps",
                      text("{\"name\":\"%s\",\"organisation_id\":\"%s\",\"environment\":"
                           "\"general\"}",
                           name, organisation),
                      "id");
}

static const char *wish(const char *app, const char *api_id)
{
    return text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"t\",\"max_level\":2}", app,
                api_id);
}

static void each_api_is_for_those_it_names(void **state)
{
    (void)state;
    const char *open = api("open", "v1", "");
    const char *inside = api("inside", "v1", ",\"type\":\"internal\"");
    const char *partner =
        api("partner", "v1", text(",\"type\":\"partner\",\"partners\":[\"%s\"]", f.third));
    publish(open);
    publish(inside);
    publish(partner);
    assert_int_equal(count(DEVELOPER, "apis?state=published"), 2);
    assert_int_equal(count(STRANGER, "apis?state=published"), 1);
    assert_int_equal(count(OPERATOR, "apis?type=internal"), 1);
    const char *mine = app_of(DEVELOPER, f.third, "mine");
    const char *theirs = app_of(STRANGER, f.stranger, "theirs");
    fixture_ok(&f, DEVELOPER, "POST", "subscriptions", wish(mine, partner), "id");
    fixture_refused(&f, OPERATOR, "POST", "subscriptions", NULL, wish(theirs, partner),
                    "not-permitted");
    fixture_refused(&f, OPERATOR, "POST", "subscriptions", NULL, wish(mine, inside),
                    "not-permitted");
    fixture_refused(&f, OPERATOR, "PATCH", text("apis/%s", open), "auto",
                    text("{\"partners\":[\"%s\"]}", f.third), "field-invalid");
    fixture_refused(&f, OPERATOR, "PATCH", text("apis/%s", partner), "auto", "{\"partners\":null}",
                    "field-invalid");
    fixture_refused(&f, OPERATOR, "PATCH", text("apis/%s", partner), "auto",
                    "{\"access\":\"registered\"}", "field-invalid");
    json_t *fed = fixture_fed(&f, "api", inside);
    assert_true(json_is_true(json_object_get(fed, "internal")));
    json_decref(fed);
}

/* What was approved stops to count when its organisation is no partner any more. */
static void a_partner_that_is_named_no_more_is_out(void **state)
{
    (void)state;
    const char *partner =
        api("partner", "v1",
            text(",\"type\":\"partner\",\"partners\":[\"%s\",\"%s\"]", f.third, f.stranger));
    publish(partner);
    const char *app = app_of(DEVELOPER, f.third, "mine");
    const char *s = fixture_ok(&f, DEVELOPER, "POST", "subscriptions", wish(app, partner), "id");
    fixture_ok(&f, OPERATOR, "POST", text("subscriptions/%s/approve", s), NULL, NULL);
    json_t *fed = fixture_fed(&f, "subscription", s);
    assert_string_equal(row_text(fed, "state"), "active");
    json_decref(fed);
    fixture_ok(&f, OPERATOR, "PATCH", text("apis/%s", partner),
               text("{\"partners\":[\"%s\"]}", f.stranger), NULL);
    fed = fixture_fed(&f, "subscription", s);
    assert_string_equal(row_text(fed, "state"), "inactive");
    json_decref(fed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-B.3.5e1, BK-B.3.5e2, BK-B.3.5e3, BK-B.3.5e4, BK-B.3.5e5, BK-B.3.5e6, BK-B.3.5e7, "
         "BK-B.3.5e8, BK-B.3.5f3] the shipped categories stand",
         shipped_categories_stand, set_up, tear_down, NULL},
        {"[BK-B.3.5c, BK-B.3.5d, BK-B.3.5e0, BK-B.3.5e9, BK-B.3.5f1, BK-B.3.5f2] new categories "
         "are "
         "numbered in order, to the last",
         new_categories_are_numbered_in_order, set_up, tear_down, NULL},
        {"[BK-3.3, BK-3.4, BK-2c, BK-12.1b1, BK-A-4, BK-B.1b, BK-B.3.3, BK-B.3.4c, BK-B.3.4d, "
         "BK-B.3.6a, BK-B.3.6b, BK-B.3.7] external APIs get their codes in order, without gap",
         external_apis_get_codes_without_gap, set_up, tear_down, NULL},
        {"[BK-B.1b, BK-B.2a, BK-B.2b, BK-B.3.2, BK-B.3.3, BK-B.3.4d, BK-B.3.5c] a code written by "
         "hand keeps the rules or is refused",
         a_code_by_hand_keeps_the_rules, set_up, tear_down, NULL},
        {"[BK-12.1b2, BK-11b2] codes are registered and cancelled, with receipts",
         codes_are_registered_and_cancelled, set_up, tear_down, NULL},
        {"[BK-A-1, BK-A-2, BK-A-3] each API is for those it names", each_api_is_for_those_it_names,
         set_up, tear_down, NULL},
        {"[BK-A-3] a partner that is named no more is out", a_partner_that_is_named_no_more_is_out,
         set_up, tear_down, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
