/* SPDX-License-Identifier: Apache-2.0 */
/* What apps in their test stage are given: made up, the same each time, and never of a source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/sandbox.h"
#include "data/testing.h"
#include "id/idnum.h"

static struct testing t;
static struct worker *w;
static struct service_reply reply;

static struct slice made(struct buf *out, const char *name, const char *rule, enum query_type type,
                         uint64_t row)
{
    struct mask_spec mask = {0};
    if (rule[0])
        assert_int_equal(mask_parse(&mask, slice_str(rule)), MASK_OK);
    buf_clear(out);
    sandbox_value(out, sandbox_kind_of(slice_str(name), &mask), type, slice_str(name), row);
    return buf_slice(out);
}

/* Whatever checks such a number accepts these, on each row. */
static void numbers_have_right_check_digits(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out);
    for (uint64_t row = 0; row < 2000; row += 7) {
        assert_true(idnum_is_id_card(made(&out, "x", "id_card", QUERY_STRING, row)));
        assert_true(idnum_is_id_card(made(&out, "buyerIdCard", "", QUERY_STRING, row)));
        assert_true(idnum_is_uscc(made(&out, "uniscId", "", QUERY_STRING, row)));
        assert_true(idnum_is_bank_card(made(&out, "card", "bank_card", QUERY_STRING, row)));
    }
    buf_fini(&out);
}

static void a_value_is_of_its_columns_type(void **state)
{
    static const struct {
        enum query_type type;
        const char *name, *rule, *text;
    } rows[] = {
        {QUERY_INTEGER, "code", "", "3"},
        {QUERY_NUMBER, "code", "", "300.03"},
        {QUERY_BOOLEAN, "code", "", "true"},
        {QUERY_DATE, "code", "", "2000-01-03"},
        {QUERY_JSON, "code", "", "{\"test\":3}"},
        {QUERY_DATETIME, "code", "", "2000-01-03 08:02:00"},
        {QUERY_STRING, "code", "", "test-code-3"},
        {QUERY_INTEGER, "price", "", "3"}, /* whatever it is called */
        {QUERY_STRING, "price", "", "300.03"},
        {QUERY_STRING, "shop_name", "", "测试用户0003"},
        {QUERY_STRING, "companyName", "", "测试企业0003有限公司"},
        {QUERY_STRING, "tel", "phone", "15400000003"},
        {QUERY_STRING, "email", "", "user3@example.com"},
        {QUERY_STRING, "x", "address", "测试省测试市测试区测试路3号"},
    };
    struct buf out;
    (void)state;
    buf_init(&out);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice got = made(&out, rows[i].name, rows[i].rule, rows[i].type, 2);
        if (!slice_eq(got, slice_str(rows[i].text)))
            fail_msg("row %zu: %.*s", i, SLICE_FMT(got));
    }
    buf_fini(&out);
}

static const char *ask(const struct uuid *api, const char *target, const char *owner, bool sandbox)
{
    struct testing_call call = {
        .method = "GET", .target = target, .api = api, .owner = owner, .sandbox = sandbox};
    testing_call(&t, w, &call, &reply);
    return w->body.p;
}

/* The source cannot be reached, so what is answered cannot be of it. */
static void no_source_is_asked(void **state)
{
    static const char two[] = "/t/11?select=id,paid,phone&limit=2&offset=1";
    (void)state;
    ask(&t.orders, "/t/11?limit=1", NULL, false);
    assert_int_equal(reply.status, 503);
    for (int again = 0; again < 2; again++)
        assert_string_equal(ask(&t.orders, two, NULL, true),
                            "[{\"id\":2,\"paid\":false,\"phone\":\"15400000002\"},"
                            "{\"id\":3,\"paid\":true,\"phone\":\"15400000003\"}]");
    assert_int_equal(reply.status, 200);
    assert_string_equal(ask(&t.orders, "/t/11?select=id,name&id=eq.42", NULL, true),
                        "[{\"id\":42,\"name\":\"测试用户0001\"}]");
    ask(&t.orders, "/t/11?select=nothing", NULL, true);
    assert_in_range(reply.status, 400, 499); /* the grammar is the real one */
    ask(&t.orders, "/t/11?select=id&name=match.%5Ea", NULL, true);
    assert_int_equal(reply.status, 200);
}

static void rows_are_the_owners(void **state)
{
    (void)state;
    assert_string_equal(ask(&t.owned, "/t/12?select=id&limit=1", "m-1", true), "[{\"id\":1}]");
    assert_int_equal(reply.status, 200);
    assert_string_equal(ask(&t.owned, "/t/12?select=id", NULL, true), "[]");
}

static void the_credit_profiles_answer_too(void **state)
{
    struct testing_call call = {.method = "POST",
                                .target = "/t/14",
                                .api = &t.grades,
                                .sandbox = true,
                                .content_type = "application/json",
                                .body = "{\"pagesize\":2}"};
    (void)state;
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(w->body.p, "\"count\":25"));
    assert_non_null(strstr(w->body.p, "测试企业0002有限公司"));
}

static json_t *field(const char *path, int level, const char *type, const char *mask)
{
    return json_pack("{s:s,s:s,s:i,s:s,s:s}", "path", path, "name", path, "level", level, "type",
                     type, "mask", mask);
}

/* The gateway sends calls of a business unit's API here in the test stage alone. */
static void a_units_api_is_answered_from_its_fields(void **state)
{
    static const uint8_t outcome[] = {PLAN_KEEP, PLAN_MASK, PLAN_DROP, PLAN_KEEP};
    struct uuid unit = t.orders;
    struct testing_call call = {
        .method = "POST", .target = "/unit", .api = &unit, .sandbox = true, .outcome = outcome};
    (void)state;
    unit.b[15] = 0x77;
    testing_put(&t, "api", &unit,
                json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:[s],s:b,s:i,s:i,s:i,s:s,s:[o,o,o,o]}", "name",
                          "unit", "path", "/unit", "state", "published", "class", "A1", "access",
                          "registered", "kind", "http", "methods", "POST", "owner_scoped", 0,
                          "timeout_ms", 1000, "max_body_bytes", 1000, "sunset_at", 0, "upstream",
                          "http://127.0.0.1:9/base", "fields",
                          field("data.list.id", 1, "scalar", ""),
                          field("data.phone", 3, "scalar", "phone"),
                          field("data.secret", 4, "scalar", ""), field("more", 1, "json", "")));
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(w->body.p, "{\"data\":{\"list\":{\"id\":\"test-id-1\"},"
                                   "\"phone\":\"15400000001\"},\"more\":{\"test\":true}}");
    call.sandbox = false;
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.problem, PROBLEM_LINK_REFUSED);
}

static int setup(void **state)
{
    char nowhere[256];
    (void)state;
    testing_open(&t);
    snprintf(nowhere, sizeof nowhere, "Driver=/nowhere/driver.so;Database=%s/none", t.dir);
    testing_publish(&t, nowhere);
    w = worker_new(&t.cfg);
    return w ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    worker_free(&w);
    testing_close(&t);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_right_check_digits),
        cmocka_unit_test(a_value_is_of_its_columns_type),
        cmocka_unit_test(no_source_is_asked),
        cmocka_unit_test(rows_are_the_owners),
        cmocka_unit_test(the_credit_profiles_answer_too),
        cmocka_unit_test(a_units_api_is_answered_from_its_fields),
    };
    return cmocka_run_group_tests_name("data sandbox", tests, setup, teardown);
}
