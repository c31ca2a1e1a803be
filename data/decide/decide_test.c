/* SPDX-License-Identifier: Apache-2.0 */
/* What may leave without a call: each thing that stands against it, one at a time, and that what
 * was decided is decided anew as soon as anything changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "data/decide/decide.h"
#include "data/row_filter.h"
#include "data/testing.h"

#define ID(last) "019a0000-0000-7000-8000-0000000000" last
#define APP_ID   ID("a1")
#define API_ID   ID("b1")
#define ORG_ID   ID("c1")

static struct testing t;
static struct decide *d;

static struct uuid id_of(const char *text)
{
    struct uuid id;
    assert_true(uuid_parse(&id, text, strlen(text)));
    return id;
}

/* Single quotes stand for double ones. */
static void put(const char *kind, const char *id, const char *data)
{
    char text[2000];
    struct uuid uuid = id_of(id);
    snprintf(text, sizeof text, "%s", data);
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    testing_put(&t, kind, &uuid, json);
}

static void put_api(const char *state, bool owned)
{
    char text[1500];
    snprintf(text, sizeof text,
             "{'name':'s','path':'/s','state':'%s','class':'A1','access':'subscription','kind':"
             "'topic','methods':['GET','POST'],'owner_scoped':%s,'upstream':'','sunset_at':0,"
             "'fields':[{'path':'no','name':'no','level':1,'type':'scalar','mask':''},"
             "{'path':'place','name':'place','level':2,'type':'scalar','mask':''},"
             "{'path':'phone','name':'phone','level':3,'type':'scalar','mask':'phone'},"
             "{'path':'pin','name':'pin','level':4,'type':'scalar','mask':''}]}",
             state, owned ? "true" : "false");
    put("api", API_ID, text);
}

static void put_app(const char *state, const char *environment, const char *more)
{
    char text[400];
    snprintf(text, sizeof text,
             "{'name':'a','state':'%s','environment':'%s','org_id':'" ORG_ID "'%s}", state,
             environment, more);
    put("app", APP_ID, text);
}

static void put_subscription(const char *state, int level)
{
    char text[300];
    snprintf(text, sizeof text,
             "{'app_id':'" APP_ID "','api_id':'" API_ID
             "','state':'%s','max_level':%d,'not_before':0,'expires_at':0,'fields':null}",
             state, level);
    put("subscription", ID("d1"), text);
}

static void put_grant(const char *state, uint64_t expires_ms)
{
    char text[400];
    snprintf(text, sizeof text,
             "{'app_id':'" APP_ID "','api_id':'" API_ID
             "','owner':'M1','state':'%s','term':'period','not_before':0,'expires_at':%llu,"
             "'fields':null}",
             state, (unsigned long long)expires_ms);
    put("grant", ID("e1"), text);
}

static void all_well(void)
{
    put_api("published", true);
    put_app("active", "controlled", "");
    put_subscription("active", 3);
    put_grant("active", clock_wall_ms() + 3600000);
}

static int open_all(void **state)
{
    (void)state;
    testing_open(&t);
    d = decide_new(t.cfg.replica, t.cfg.link_key);
    assert_non_null(d);
    all_well();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    decide_free(&d);
    testing_close(&t);
    return 0;
}

static const struct decision *ask(const char *owner, uint8_t method, uint8_t stream)
{
    const struct decide_question q = {.api = id_of(API_ID),
                                      .app = id_of(APP_ID),
                                      .owner = slice_str(owner),
                                      .method = method,
                                      .stream = stream};
    const struct decision *answer = decide_ask(d, &q);
    assert_non_null(answer);
    return answer;
}

static enum problem reason(const char *owner)
{
    return ask(owner, POLICY_GET, POLICY_STREAM_NONE)->reason;
}

static void masked(const char *owner, const char *json, const char *want)
{
    struct buf out;
    buf_init(&out);
    decide_begin(d);
    assert_true(decide_mask(d, ask(owner, POLICY_GET, POLICY_STREAM_NONE), slice_str(json), &out));
    buf_addc(&out, '\0');
    assert_string_equal(out.p, want);
    buf_fini(&out);
}

static void gives_what_a_call_would(void **state)
{
    struct buf out;
    (void)state;
    assert_int_equal(reason("M1"), PROBLEM_OK);
    assert_false(uuid_is_nil(&ask("M1", POLICY_GET, POLICY_STREAM_NONE)->grant));
    masked("M1", "{\"no\":1,\"place\":\"p\",\"phone\":\"13812345678\",\"pin\":\"0\",\"x\":2}",
           "{\"no\":1,\"place\":\"p\",\"phone\":\"138****5678\"}");
    put_subscription("active", 2); /* the subscription bounds the level */
    masked("M1", "{\"no\":1,\"phone\":\"13812345678\"}", "{\"no\":1}");
    put_subscription("active", 3);
    buf_init(&out);
    assert_false(decide_mask(d, ask("M1", POLICY_GET, POLICY_STREAM_NONE), SLICE("{\"no\":"),
                             &out)); /* half a document is none */
    buf_fini(&out);
}

static void refuses(void **state)
{
    char block[200];
    (void)state;
    assert_int_not_equal(reason("M2"), PROBLEM_OK); /* who granted nothing */
    assert_int_not_equal(reason(""), PROBLEM_OK);
    put_grant("revoked", clock_wall_ms() + 3600000);
    assert_int_not_equal(reason("M1"), PROBLEM_OK);
    put_grant("active", 1);
    assert_int_not_equal(reason("M1"), PROBLEM_OK);
    all_well();
    put_subscription("revoked", 3);
    assert_int_equal(reason("M1"), PROBLEM_SUBSCRIPTION_MISSING);
    all_well();
    put_api("offline", true);
    assert_int_not_equal(reason("M1"), PROBLEM_OK);
    all_well();
    put_app("inactive", "controlled", "");
    assert_int_equal(reason("M1"), PROBLEM_APP_INACTIVE);
    put_app("testing", "controlled", "");
    assert_int_equal(reason("M1"), PROBLEM_SANDBOX_UNAVAILABLE);
    all_well();
    for (int i = 0; i < 3; i++) { /* each list in turn, and what was kept does not go past it */
        static const char *const subjects[] = {"app", "organisation", "user"};
        static const char *const values[] = {APP_ID, ORG_ID, "M1"};
        assert_int_equal(reason("M1"), PROBLEM_OK);
        snprintf(block, sizeof block, "{'list':'block','subject':'%s','value':'%s'}", subjects[i],
                 values[i]);
        put("list", ID("f1"), block);
        assert_int_equal(reason("M1"), PROBLEM_CALLER_BLOCKED);
        put("list", ID("f1"), "{'list':'block','subject':'user','value':'nobody'}");
    }
    const struct decide_question unknown = {.api = id_of(ID("99")), .app = id_of(APP_ID)};
    assert_int_equal(decide_ask(d, &unknown)->reason, PROBLEM_ROUTE_UNKNOWN);
    char longest[DECIDE_OWNER_MAX + 2];
    memset(longest, 'm', sizeof longest);
    const struct decide_question too_long = {
        .api = id_of(API_ID), .app = id_of(APP_ID), .owner = slice_of(longest, sizeof longest - 1)};
    assert_null(decide_ask(d, &too_long));
}

/* A grant ends by the clock, without the feed saying so. */
static void ends_in_time(void **state)
{
    (void)state;
    uint64_t end = clock_wall_ms() + 300;
    put_grant("active", end);
    assert_int_equal(reason("M1"), PROBLEM_OK);
    while ((uint64_t)clock_wall_ms() <= end)
        ;
    assert_int_not_equal(reason("M1"), PROBLEM_OK);
    all_well();
}

/* To publish one writes, so the environment has to be a controlled one; to be let in no grant is
 * asked for; one's own rows need none. */
static void streams(void **state)
{
    (void)state;
    put_grant("revoked", 1);
    assert_int_equal(ask("", POLICY_GET, POLICY_STREAM_OPEN)->reason, PROBLEM_OK);
    assert_int_equal(ask("", POLICY_POST, POLICY_STREAM_PUBLISH)->reason, PROBLEM_OK);
    put_app("active", "monitored", "");
    assert_int_equal(ask("", POLICY_GET, POLICY_STREAM_OPEN)->reason, PROBLEM_OK);
    assert_int_equal(ask("", POLICY_POST, POLICY_STREAM_PUBLISH)->reason,
                     PROBLEM_ENVIRONMENT_TOO_LOW);
    put_app("active", "controlled", ",'subject':'M1'");
    assert_int_equal(reason("M1"), PROBLEM_OK);
    assert_true(uuid_is_nil(&ask("M1", POLICY_GET, POLICY_STREAM_NONE)->grant));
    assert_int_not_equal(reason("M2"), PROBLEM_OK);
    all_well();
}

/* As it was set: `text` on the topic's fields. */
static bool admits(const char *text, const char *row)
{
    static const struct policy_field fields[] = {
        {.path = {"n", 1}}, {.path = {"s", 1}}, {.path = {"b", 1}}, {.path = {"x", 1}}};
    const struct policy_api api = {.n_fields = 4, .fields = fields};
    struct row_filter *f = row_filter_new(&api, slice_str(text));
    assert_non_null(f);
    bool yes = row_filter_admits(f, slice_str(row));
    row_filter_free(&f);
    return yes;
}

/* EC-4.2.1c1: what SQL would say of the row, and what nobody can say is no. */
static void rows_of_events(void **state)
{
    static const struct {
        const char *filter, *row;
        bool yes;
    } cases[] = {
        {"n=eq.5", "{\"n\":5}", true},
        {"n=eq.5", "{\"n\":5.0}", true},
        {"n=eq.5", "{\"n\":6}", false},
        {"n=eq.5", "{\"n\":null}", false},
        {"n=eq.5", "{}", false},
        {"n=not.eq.5", "{\"n\":null}", false},
        {"n=not.eq.5", "{\"n\":6}", true},
        {"n=neq.5", "{}", false},
        {"n=gt.9", "{\"n\":10}", true}, /* as numbers, not as text */
        {"n=gte.10", "{\"n\":10}", true},
        {"n=lt.-1", "{\"n\":-10}", true},
        {"n=lt.-10", "{\"n\":-1}", false},
        {"n=lte.0.1", "{\"n\":0.10}", true},
        {"n=lt.0.1", "{\"n\":0.09}", true},
        {"n=gt.1e1", "{\"n\":100}", false}, /* not compared, so not given */
        {"n=not.gt.1e1", "{\"n\":100}", false},
        {"n=gt.0", "{\"n\":1234567890123456789.5}", false}, /* more digits than are kept */
        {"n=in.(1,2,3)", "{\"n\":2}", true},
        {"n=in.(1,2,3)", "{\"n\":4}", false},
        {"n=in.()", "{\"n\":4}", false},
        {"n=not.in.()", "{\"n\":4}", true},
        {"s=eq.east", "{\"s\":\"east\"}", true},
        {"s=eq.east", "{\"s\":\"East\"}", false},
        {"s=eq.east", "{\"s\":7}", false},
        {"s=eq.east", "{\"s\":[\"east\"]}", false},
        {"s=gt.a", "{\"s\":\"b\"}", false}, /* an order of text is a database's */
        {"s=like.*", "{\"s\":\"b\"}", false},
        {"b=eq.true", "{\"b\":true}", true},
        {"b=not.eq.true", "{\"b\":null}", false},
        {"b=eq.true", "{\"b\":false}", false},
        {"x=is.null", "{\"x\":null}", true},
        {"x=is.null", "{}", false},
        {"x=not.is.null", "{\"x\":1}", true},
        {"x=isdistinct.1", "{\"x\":null}", true},
        {"n=eq.5&s=eq.east", "{\"n\":5,\"s\":\"west\"}", false},
        {"or=(n.eq.5,s.eq.east)", "{\"n\":5,\"s\":null}", true},
        {"or=(n.eq.5,s.eq.east)", "{\"n\":6,\"s\":null}", false},
        {"not.or=(n.eq.5,s.eq.east)", "{\"n\":6,\"s\":null}", false},
        {"not.or=(n.eq.5,s.eq.east)", "{\"n\":6,\"s\":\"west\"}", true},
        {"not.and=(n.eq.5,s.eq.east)", "{\"n\":6,\"s\":null}", true},
        {"n=eq.5", "[{\"n\":5}]", false},
        {"n=eq.5", "{\"n\":5", false},
    };
    static const struct policy_api none = {.n_fields = 0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (admits(cases[i].filter, cases[i].row) != cases[i].yes)
            fail_msg("%s of %s", cases[i].filter, cases[i].row);
    assert_null(row_filter_new(&none, SLICE("n=eq.5"))); /* a field that is gone */
}

/* What may be set at all. */
static void rows_of_events_to_set(void **state)
{
    static const struct {
        const char *filter;
        bool taken;
    } set[] = {{"n=gt.5&s=in.(a,b)", true}, {"d=is.null", true},
               {"n=isdistinct.1", true},    {"s=gt.a", false},
               {"s=like.a*", false},        {"d=eq.2026-01-01", false},
               {"s=is.true", false},        {"or=(n.eq.1,d.lt.2026-01-01)", false}};
    (void)state;
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
        char detail[400] = "";
        json_t *answer = NULL;
        json_t *body = json_pack(
            "{s:[{s:s, s:s, s:s}, {s:s, s:s, s:s}, {s:s, s:s, s:s}], s:s, s:b}", "columns", "name",
            "n", "column", "n", "type", "integer", "name", "s", "column", "s", "type", "string",
            "name", "d", "column", "d", "type", "date", "filter", set[i].filter, "events", 1);
        enum problem p = row_filter_check(body, &answer, detail, sizeof detail);
        if (p != (set[i].taken ? PROBLEM_OK : PROBLEM_QUERY_MALFORMED) ||
            (detail[0] == '\0') != set[i].taken)
            fail_msg("%s: %s", set[i].filter, detail);
        json_decref(answer);
        json_decref(body);
    }
}

/* A decision says which rows; one that cannot be applied opens none. */
static void decides_rows(void **state)
{
    const char *const rows[] = {"place=eq.p", "gone=eq.1"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "{'app_id':'" APP_ID "','api_id':'" API_ID
                 "','state':'active','max_level':3,'not_before':0,'expires_at':0,'fields':null,"
                 "'rows':'%s'}",
                 rows[i]);
        put("subscription", ID("d1"), text);
        const struct decision *answer = ask("M1", POLICY_GET, POLICY_STREAM_EVENT);
        assert_int_equal(answer->reason, i ? PROBLEM_ROW_FILTER_UNUSABLE : PROBLEM_OK);
        assert_int_equal(decide_admits(answer, SLICE("{\"place\":\"p\"}")), !i);
        assert_false(decide_admits(answer, SLICE("{\"place\":\"q\"}")));
    }
    all_well();
    assert_true(decide_admits(ask("M1", POLICY_GET, POLICY_STREAM_EVENT), SLICE("{}")));
}

static void keeps_many(void **state)
{
    (void)state;
    put_api("published", false); /* nobody's rows: no owner asked */
    for (int i = 0; i < 5000; i++) {
        char owner[16];
        snprintf(owner, sizeof owner, "o%d", i % 2500);
        assert_int_equal(reason(owner), PROBLEM_OK);
    }
    all_well();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_what_a_call_would, open_all, close_all),
        cmocka_unit_test_setup_teardown(refuses, open_all, close_all),
        cmocka_unit_test_setup_teardown(ends_in_time, open_all, close_all),
        cmocka_unit_test_setup_teardown(streams, open_all, close_all),
        cmocka_unit_test(rows_of_events),
        cmocka_unit_test(rows_of_events_to_set),
        cmocka_unit_test_setup_teardown(decides_rows, open_all, close_all),
        cmocka_unit_test_setup_teardown(keeps_many, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
