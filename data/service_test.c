/* SPDX-License-Identifier: Apache-2.0 */
/* The data service over a real SQLite file, a real PostgreSQL and a real MariaDB: the same rows,
 * the same answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "data/sources/connection.h"
#include "data/sources/metadata.h"
#include "data/testing.h"

static struct testing t;
static struct worker *w;
static struct service_reply reply;
static char sqlite[256], postgres[256], mariadb[256];

enum api { ORDERS, OWNED };

struct row {
    enum api api;
    const char *method, *target, *prefer, *range, *accept, *owner, *rows;
    unsigned status;
    const char *body, *content_range; /* body NULL: not compared; of a problem: its code */
};

#define GET(query) .method = "GET", .target = "/t/11" query
#define NAMES      "?select=id,name"

static const struct row rows[] = {
    {GET("?id=eq.1"), .status = 200,
     .body = "[{\"id\":1,\"name\":\"张三\",\"price\":10.25,\"paid\":true,\"made\":\"2026-01-02T03:"
             "04:05\","
             "\"note\":{\"a\":1},\"phone\":\"13800000001\"}]",
     .content_range = "0-0/*"},
    {GET("?id=eq.3"), .status = 200,
     .body = "[{\"id\":3,\"name\":\"wang\",\"price\":null,\"paid\":null,\"made\":null,\"note\":"
             "null,\"phone\":null}]"},
    {GET(NAMES), .status = 200,
     .body = "[{\"id\":1,\"name\":\"张三\"},{\"id\":2,\"name\":\"Li "
             "\\\"Si\\\"\"},{\"id\":3,\"name\":\"wang\"}]"},
    {GET(NAMES "&limit=1&offset=1"), .status = 200,
     .body = "[{\"id\":2,\"name\":\"Li \\\"Si\\\"\"}]", .content_range = "1-1/*"},
    {GET("?select=id&pageno=2&pagesize=2"), .status = 200, .body = "[{\"id\":3}]"},
    {GET("?select=id&id=gt.1&order=id.desc"), .status = 200, .body = "[{\"id\":3},{\"id\":2}]"},
    {GET("?select=id&id=in.(1,3)"), .status = 200, .body = "[{\"id\":1},{\"id\":3}]"},
    {GET("?select=id&id=in.()"), .status = 200, .body = "[]", .content_range = "*/*"},
    {GET("?select=id&name=like.*a*"), .status = 200, .body = "[{\"id\":3}]"},
    {GET("?select=id&name=like.*A*"), .status = 200, .body = "[]"},
    {GET("?select=id&name=ilike.*A*"), .status = 200, .body = "[{\"id\":3}]"},
    {GET("?select=id&name=like.li*"), .status = 200, .body = "[]"},
    {GET("?select=id&paid=is.true"), .status = 200, .body = "[{\"id\":1}]"},
    {GET("?select=id&paid=eq.false"), .status = 200, .body = "[{\"id\":2}]"},
    {GET("?select=id&paid=is.unknown"), .status = 200, .body = "[{\"id\":3}]"},
    {GET("?select=id&price=not.is.null"), .status = 200, .body = "[{\"id\":1},{\"id\":2}]"},
    {GET("?select=id&price=isdistinct.10.25"), .status = 200, .body = "[{\"id\":2},{\"id\":3}]"},
    {GET("?select=id&price=gte.0.75"), .status = 200, .body = "[{\"id\":1},{\"id\":2}]"},
    {GET("?select=id&made=gt.2026-01-02%2012:00:00"), .status = 200, .body = "[{\"id\":2}]"},
    {GET("?select=id&order=price"), .status = 200, .body = "[{\"id\":2},{\"id\":1},{\"id\":3}]"},
    {GET("?select=id&order=price.desc"), .status = 200,
     .body = "[{\"id\":3},{\"id\":1},{\"id\":2}]"},
    {GET("?select=id&order=price.nullsfirst"), .status = 200,
     .body = "[{\"id\":3},{\"id\":2},{\"id\":1}]"},
    {GET("?select=id&or=(id.eq.1,and(name.eq.wang,not.and(paid.is.true)))"), .status = 200,
     .body = "[{\"id\":1},{\"id\":3}]"},
    {GET("?select=id&name=eq.Li%20%22Si%22"), .status = 200, .body = "[{\"id\":2}]"},
    {GET("?select=id&name=in.(%22Li%20%5C%22Si%5C%22%22)"), .status = 200, .body = "[{\"id\":2}]"},
    {GET("?select=id"), .prefer = "count=exact", .status = 200,
     .body = "[{\"id\":1},{\"id\":2},{\"id\":3}]", .content_range = "0-2/3"},
    {GET("?select=id&limit=2"), .prefer = "count=exact", .status = 206,
     .body = "[{\"id\":1},{\"id\":2}]", .content_range = "0-1/3"},
    {GET("?select=id"), .prefer = "count=exact", .range = "1-1", .status = 206,
     .body = "[{\"id\":2}]", .content_range = "1-1/3"},
    {GET("?select=id&limit=0"), .prefer = "count=exact", .status = 206, .body = "[]",
     .content_range = "*/3"},
    {GET("?select=id&offset=9"), .prefer = "count=exact", .status = 416,
     .body = "range-unsatisfiable", .content_range = "*/3"},
    {GET("?select=id&offset=9"), .status = 200, .body = "[]"},
    {GET("?select=id&id=eq.2"), .accept = "application/vnd.pgrst.object+json", .status = 200,
     .body = "{\"id\":2}"},
    {GET("?select=id&id=eq.9"), .accept = "application/vnd.pgrst.object+json", .status = 406,
     .body = "not-acceptable"},
    {GET("?select=id"), .accept = "application/vnd.pgrst.object+json", .status = 406,
     .body = "not-acceptable"},
    {.method = "HEAD", .target = "/t/11?select=id&id=eq.1", .status = 200},
    {.method = "POST", .target = "/t/11", .status = 405, .body = "method-not-allowed"},
    /* refused by name */
    {GET("?select=card"), .status = 403, .body = "field-forbidden"},
    {GET("?card=eq.1"), .status = 403, .body = "field-forbidden"},
    {GET("?phone=eq.13800000001"), .status = 403, .body = "filter-forbidden"},
    {GET("?order=phone"), .status = 403, .body = "filter-forbidden"},
    {GET("?select=merchant"), .status = 400, .body = "field-unknown"},
    {GET("?select=order_id"), .status = 400, .body = "field-unknown"},
    {GET("?pageno=1&pagesize=1001"), .status = 400, .body = "query-too-large"},
    {GET("?made=eq.yesterdayish%27"),
     .status = 0}, /* a text to SQLite, malformed to PostgreSQL; never more */
    /* injection: values stay values */
    {GET("?select=id&name=eq.%27%20OR%201=1--"), .status = 200, .body = "[]"},
    {GET("?select=id&name=eq.%27;DROP%20TABLE%20orders;--"), .status = 200, .body = "[]"},
    {GET("?select=id&name=in.(%22%27)%20OR%20(1=1%22)"), .status = 200, .body = "[]"},
    {GET("?select=id&name=like.%27%7C%7C*"), .status = 200, .body = "[]"},
    {GET("?select=id&name=eq.%5C%27"), .status = 200, .body = "[]"},
    {GET("?select=id%22%20FROM%20ent--"), .status = 400, .body = "field-unknown"},
    {GET("?order=id%3BDROP%20TABLE%20orders"), .status = 400, .body = "field-unknown"},
    {GET("?limit=1%20UNION%20SELECT%201"), .status = 400, .body = "query-malformed"},
    {GET("?%22id%22%20=eq.1"), .status = 400, .body = "field-unknown"},
    {GET("?or=(id.eq.1,id.eq.1%20or%201=1)"), .status = 400, .body = "query-malformed"},
    /* owners */
    {OWNED, GET("?select=id"), .owner = "M1", .status = 200, .body = "[{\"id\":1},{\"id\":2}]"},
    {OWNED, GET("?select=id"), .owner = "M2", .status = 200, .body = "[{\"id\":3}]"},
    {OWNED, GET("?select=id&or=(id.gt.0,id.is.null)"), .owner = "M2", .status = 200,
     .body = "[{\"id\":3}]"},
    {OWNED, GET("?select=id"), .owner = "M1' OR '1'='1", .status = 200, .body = "[]"},
    {OWNED, GET("?select=id"), .status = 200, .body = "[]"},
    {OWNED, GET("?select=id"), .prefer = "count=exact", .status = 200, .body = "[]",
     .content_range = "*/0"},
    {OWNED, GET("?select=id&limit=1"), .prefer = "count=exact", .owner = "M1", .status = 206,
     .body = "[{\"id\":1}]", .content_range = "0-0/2"},
    /* EC-4.2.1c1: the rows of one grant, whatever is asked */
    {GET("?select=id"), .rows = "id=gt.1", .prefer = "count=exact", .status = 200,
     .body = "[{\"id\":2},{\"id\":3}]", .content_range = "0-1/2"},
    {GET("?select=id&id=eq.1"), .rows = "id=gt.1", .status = 200, .body = "[]"},
    {GET("?select=id&or=(id.eq.1,id.eq.2)"), .rows = "id=gt.1", .status = 200,
     .body = "[{\"id\":2}]"},
    {GET("?select=id&id=lt.3"), .rows = "id=gt.1&or=(paid.is.false,id.eq.3)", .status = 200,
     .body = "[{\"id\":2}]"},
    {OWNED, GET("?select=id"), .rows = "id=gt.1", .prefer = "count=exact", .owner = "M1",
     .status = 200, .body = "[{\"id\":2}]", .content_range = "0-0/1"},
    {GET("?select=id"), .rows = "nope=eq.1", .status = 403, .body = "row-filter-unusable"},
    {GET("?select=id"), .rows = "id=eq.x", .status = 403, .body = "row-filter-unusable"},
    {GET("?select=id"), .rows = "id=gt.1)OR(1=1", .status = 403, .body = "row-filter-unusable"},
    {GET("?select=id"), .rows = "name=match.a", .status = 403, .body = "row-filter-unusable"},
    {GET("?select=id"), .rows = "limit=9", .status = 403, .body = "row-filter-unusable"},
    {GET(NAMES "&id=eq.3"), .status = 200,
     .body = "[{\"id\":3,\"name\":\"wang\"}]"}, /* all still there */
};

static void check_body(const struct row *r)
{
    if (!r->body)
        return;
    if (r->status < 400) {
        assert_string_equal(w->body.p, r->body);
        return;
    }
    assert_string_equal(problem_row(reply.problem)->code, r->body);
    assert_non_null(strstr(w->body.p, r->body));
    char status[24]; /* the body's status is the answer's */
    snprintf(status, sizeof status, "\"status\":%u,", reply.status);
    assert_non_null(strstr(w->body.p, status));
}

static void run_rows(const struct row *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &list[i];
        struct testing_call call = {.method = r->method,
                                    .target = r->target,
                                    .prefer = r->prefer,
                                    .range = r->range,
                                    .accept = r->accept,
                                    .owner = r->owner,
                                    .rows = r->rows,
                                    .api = r->api == OWNED ? &t.owned : &t.orders};
        testing_call(&t, w, &call, &reply);
        if (r->status ? reply.status != r->status : reply.status > 400)
            fail_msg("%s: %u %s", r->target, reply.status, w->body.p);
        check_body(r);
        if (r->content_range)
            assert_string_equal(reply.content_range, r->content_range);
    }
}

/* What a stranger wrote is said back as a name or not at all. */
static void test_where(void **state)
{
    (void)state;
    static const struct {
        const char *target, *where; /* NULL: none */
    } named[] = {
        {"/t/11?merchant.no-1_x=eq.1", "\"where\":\"merchant.no-1_x\""},
        {"/t/11?%3Cscript%3E=eq.1", NULL},
        {"/t/11?a%20b=eq.1", NULL},
        {"/t/11?%E5%90%8D=eq.1", NULL},
        {"/t/11?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=eq.1", NULL},
    };
    testing_publish(&t, sqlite);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        struct testing_call call = {.method = "GET", .target = named[i].target, .api = &t.orders};
        testing_call(&t, w, &call, &reply);
        assert_int_equal(reply.status, 400);
        if ((strstr(w->body.p, named[i].where ? named[i].where : "\"where\"") == NULL) !=
            (named[i].where == NULL))
            fail_msg("%s: %s", named[i].target, w->body.p);
    }
}

static void test_rows_sqlite(void **state)
{
    (void)state;
    testing_publish(&t, sqlite);
    run_rows(rows, sizeof rows / sizeof *rows);
    struct testing_call call = {GET("?name=match.a"), .api = &t.orders};
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.problem, PROBLEM_QUERY_MALFORMED);
}

static void test_rows_mariadb(void **state)
{
    (void)state;
    static const struct row own[] = {
        {GET("?select=id&name=match.^w.*g$"), .status = 200, .body = "[{\"id\":3}]"},
        {GET("?select=id&name=match.^W"), .status = 200, .body = "[]"},
        {GET("?select=id&name=imatch.^W"), .status = 200, .body = "[{\"id\":3}]"},
        {GET("?name=match.("), .status = 400, .body = "query-malformed"},
        {GET("?select=note:note->a&id=eq.1"), .status = 200, .body = "[{\"note\":1}]"},
        {GET("?select=id&note->>a=eq.1"), .status = 200, .body = "[{\"id\":1}]"},
        {GET("?select=id&note->>%22x%22%5C.a=eq.1"), .status = 400, .body = "query-malformed"},
        /* equal is equal to the letter, whatever the collation says */
        {GET("?select=id&name=eq.WANG"), .status = 200, .body = "[]"},
        {GET("?select=id&name=eq.wang%20"), .status = 200, .body = "[]"},
        {GET("?select=id&name=in.(WANG,%22wang%20%22)"), .status = 200, .body = "[]"},
        {GET("?select=id&name=neq.WANG"), .status = 200,
         .body = "[{\"id\":1},{\"id\":2},{\"id\":3}]"},
        {GET("?select=id&name=isdistinct.WANG&id=eq.3"), .status = 200, .body = "[{\"id\":3}]"},
        {GET("?select=id&name=not.eq.WANG&id=eq.3"), .status = 200, .body = "[{\"id\":3}]"},
        {OWNED, GET("?select=id"), .owner = "m1", .status = 200, .body = "[]"},
        {OWNED, GET("?select=id"), .owner = "M1 ", .status = 200, .body = "[]"},
        {GET("?select=id&name=like.%5C%27*"), .status = 200, .body = "[]"},
        {GET("?select=id&price=eq.10.250"), .status = 200, .body = "[{\"id\":1}]"},
        {GET("?select=id&price=lt.1e1"), .status = 200, .body = "[{\"id\":2}]"},
        {GET("?select=id&made=eq.2026-01-02T03:04:05"), .status = 200, .body = "[{\"id\":1}]"},
    };
    testing_publish(&t, mariadb);
    run_rows(rows, sizeof rows / sizeof *rows);
    run_rows(own, sizeof own / sizeof *own);
}

static void test_rows_postgres(void **state)
{
    (void)state;
    testing_publish(&t, postgres);
    run_rows(rows, sizeof rows / sizeof *rows);
    struct testing_call call = {GET("?select=id&name=match.^w.*g$"), .api = &t.orders};
    testing_call(&t, w, &call, &reply);
    assert_string_equal(w->body.p, "[{\"id\":3}]");
    call.target = "/t/11?name=match.(";
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.problem,
                     PROBLEM_QUERY_MALFORMED); /* the source's judgement of the pattern */
}

struct credit_row {
    const struct uuid *api;
    const char *body, *type, *owner;
    bool grant;
    unsigned status;    /* of the problem; what is sent has 200 */
    const char *answer; /* whole, or what must be in it when it begins with '~' */
};

#define FORM    "application/x-www-form-urlencoded"
#define LICENCE "019a0000-0000-7000-8000-000000000021"

static const struct credit_row credit_rows[] = {
    {&t.grade,
     "{\"uniscId\":\"91310000X00000001A\",\"accessid\":\"a\",\"username\":\"u\",\"pwd\":\"p\"}",
     .status = 200,
     .answer = "{\"msg\":\"获取企业诚信等级成功\",\"result\":1,\"data\":{\"uniscId\":"
               "\"91310000X00000001A\","
               "\"enterpriseName\":\"甲公司\",\"assessGrade\":\"AA\"}}"},
    {&t.grade, "accessid=a&uniscId=91310000X00000002B", FORM, .status = 200, .answer = "~乙公司"},
    {&t.grade, "{\"uniscId\":\"91310000X00000009Z\"}", .status = 200,
     .answer = "{\"msg\":\"未查询到该企业的诚信等级：uniscId\",\"result\":0}"},
    {&t.grade, "{\"uniscId\":\"' OR '1'='1\"}", .status = 200, .answer = "~\"result\":0}"},
    {&t.grade, "{}", .status = 400, .answer = "{\"msg\":\"缺少必需参数：uniscId\",\"result\":0}"},
    {&t.grade, "{\"uniscId\":\"\"}", .status = 400, .answer = "~缺少必需参数：uniscId"},
    {&t.grade, "{\"uniscId\":5}", .status = 400, .answer = "~参数必须为字符串：uniscId"},
    {&t.grade, "{\"uniscId\":\"a\",\"uniscId\":\"b\"}", .status = 400, .answer = "~\"result\":0}"},
    {&t.grade, "[]", .status = 400, .answer = "~\"result\":0}"},
    {&t.grade, "{'uniscId':'9'}", .status = 400, .answer = "~\"result\":0}"},
    {&t.grade, "", .status = 400, .answer = "~\"result\":0}"},
    {&t.grade, "uniscId=%ff", FORM, .status = 400, .answer = "~\"result\":0}"},
    {&t.grade, "uniscId=a&uniscId=b", FORM, .status = 400, .answer = "~参数重复：uniscId"},
    {&t.grades, "{\"pageno\":1,\"pagesize\":2}", .status = 200,
     .answer = "{\"msg\":\"获取企业诚信等级成功\",\"result\":1,\"data\":{\"pageno\":1,\"count\":3,"
               "\"pagesize\":2,"
               "\"companyList\":[{\"uniscId\":\"91310000X00000001A\",\"enterpriseName\":\"甲公司\","
               "\"assessGrade\":"
               "\"AA\"},{\"uniscId\":\"91310000X00000002B\",\"enterpriseName\":\"乙公司\","
               "\"assessGrade\":\"B\"}]}}"},
    {&t.grades, "pageno=2&pagesize=2", FORM, .status = 200,
     .answer = "~\"companyList\":[{\"uniscId\":\"91310000X00000003C\""},
    {&t.grades, "{\"pagesize\":1000}", .status = 200,
     .answer = "~\"pageno\":1,\"count\":3,\"pagesize\":1000"},
    {&t.grades, "{\"pageno\":9,\"pagesize\":2}", .status = 200, .answer = "~\"companyList\":[]}}"},
    {&t.grades, "{\"pageno\":1,\"pagesize\":1001}", .status = 400,
     .answer = "~不得超过 1000：pagesize\",\"result\":0}"},
    {&t.grades, "{\"pageno\":1}", .status = 400, .answer = "~缺少必需参数：pagesize"},
    {&t.grades, "{\"pageno\":1.5,\"pagesize\":2}", .status = 400,
     .answer = "~参数必须为整数：pageno"},
    {&t.grades, "{\"pageno\":\"1\",\"pagesize\":2}", .status = 400,
     .answer = "~参数必须为整数：pageno"},
    {&t.grades, "{\"pageno\":0,\"pagesize\":2}", .status = 400,
     .answer = "~参数必须为正整数：pageno"},
    {&t.grades, "{\"pageno\":1,\"pagesize\":-2}", .status = 400,
     .answer = "~参数必须为正整数：pagesize"},
    {&t.grades, "pageno=x&pagesize=2", FORM, .status = 400, .answer = "~参数必须为正整数：pageno"},
    {&t.trading, "{\"uniscId\":\"91310000X00000001A\",\"licenseID\":\"" LICENCE "\"}", NULL,
     "91310000X00000001A", true, 200,
     "{\"msg\":\"获取公共资源交易记录成功\",\"result\":1,\"data\":[{\"type\":\"政府采购\","
     "\"publicizingDay\":"
     "\"2019-01-07 "
     "13:20:24\",\"bidPrice\":\"100.25\"},{\"type\":\"土地\",\"publicizingDay\":\"2019-01-08 "
     "00:00:00\",\"bidPrice\":\"7.75\"}]}"},
    {&t.trading, "{\"uniscId\":\"91310000X00000001A\"}", NULL, "91310000X00000001A", true, 400,
     "~缺少必需参数：licenseID"},
    {&t.trading, "{\"licenseID\":\"" LICENCE "\"}", NULL, "91310000X00000001A", true, 400,
     "~缺少必需参数：uniscId"},
    {&t.trading, "{\"uniscId\":\"91310000X00000001A\",\"licenseID\":\"x\"}", NULL,
     "91310000X00000001A", true, 403, "~：licenseID\",\"result\":0}"},
    {&t.trading, "{\"uniscId\":\"91310000X00000002B\",\"licenseID\":\"" LICENCE "\"}", NULL,
     "91310000X00000001A", true, 403, "~：uniscId\",\"result\":0}"},
    {&t.trading, "{\"uniscId\":\"91310000X00000001A\",\"licenseID\":\"" LICENCE "\"}", NULL, NULL,
     false, 403, "~\"result\":0}"},
    {&t.trading,
     "{\"uniscId\":\"91310000X00000001A\",\"licenseID\":\"00000000-0000-0000-0000-000000000000\"}",
     NULL, "91310000X00000001A", false, 403, "~\"result\":0}"},
};

static void run_credit(void)
{
    for (size_t i = 0; i < sizeof credit_rows / sizeof *credit_rows; i++) {
        const struct credit_row *r = &credit_rows[i];
        struct testing_call call = {.method = "POST",
                                    .target = "/t/credit",
                                    .body = r->body,
                                    .content_type = r->type,
                                    .api = r->api,
                                    .owner = r->owner,
                                    .grant = r->grant};
        testing_call(&t, w, &call, &reply);
        bool part = r->answer[0] == '~', refused = r->status >= 400;
        if (reply.status != 200 || problem_row(reply.problem)->status != r->status ||
            (part ? !strstr(w->body.p, r->answer + 1) : strcmp(w->body.p, r->answer) != 0))
            fail_msg("%s: %u %s", r->body, reply.status, w->body.p);
        if (refused)
            assert_null(strstr(w->body.p, "\"data\""));
        json_t *parsed = json_loads(w->body.p, 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(parsed, "result")),
                         strstr(w->body.p, "\"result\":1") != NULL);
        json_decref(parsed);
    }
}

static void test_credit(void **state)
{
    (void)state;
    testing_publish(&t, sqlite);
    run_credit();
    testing_publish(&t, postgres);
    run_credit();
    testing_publish(&t, mariadb);
    run_credit();
    struct testing_call get = {.method = "GET", .target = "/t/13", .api = &t.grade};
    testing_call(&t, w, &get, &reply);
    assert_int_equal(reply.status, 405);
    struct testing_call forged = {.method = "POST",
                                  .target = "/t/15",
                                  .api = &t.trading,
                                  .owner = "91310000X00000001A",
                                  .grant = true,
                                  .body =
                                      "{\"uniscId\":\"91310000X00000001A\",\"licenseID\":\"x\"}"};
    testing_call(&t, w, &forged, &reply);
    assert_int_equal(reply.problem, PROBLEM_GRANT_MISMATCH);
}

static void test_caller(void **state)
{
    (void)state;
    testing_publish(&t, sqlite);
    const struct {
        struct testing_call call;
        enum problem problem;
    } calls[] = {
        {{GET("?id=eq.1"), .api = &t.orders, .no_proof = true}, PROBLEM_LINK_REFUSED},
        {{GET("?id=eq.1")}, PROBLEM_LINK_REFUSED}, /* the control plane's proof opens no API */
        {{.method = "POST", .target = "/internal/v1/sources/check", .body = "{}", .api = &t.orders},
         PROBLEM_LINK_REFUSED},
        {{.method = "POST", .target = "/internal/v1/sources/check", .body = "{}", .no_proof = true},
         PROBLEM_LINK_REFUSED},
        {{GET("?id=eq.1"), .api = &t.orders, .rev = 1}, PROBLEM_PLAN_CHANGED},
        {{GET("?id=eq.1"), .api = &t.orders, .rev = 1000000}, PROBLEM_PLAN_CHANGED},
        {{GET("?id=eq.1"), .api = &t.orders, .n_fields = 3}, PROBLEM_PLAN_CHANGED},
        {{GET("?id=eq.1"), .api = &t.source}, PROBLEM_PLAN_CHANGED},
        {{GET("?id=eq.1"), .api = &t.orders}, PROBLEM_OK},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        uint64_t start = clock_mono_us();
        testing_call(&t, w, &calls[i].call, &reply);
        if (reply.problem != calls[i].problem)
            fail_msg("row %zu: %s", i, problem_row(reply.problem)->code);
        assert_true(clock_mono_us() - start < 2000000);
    }
}

/* A table of its own under the orders API's dataset would need another dataset: long values are
 * read by the source alone. */
static void test_long_values(void **state)
{
    (void)state;
    const char *const connections[] = {sqlite, postgres, mariadb};
    for (size_t i = 0; i < 3; i++) {
        struct source *s = source_new(slice_str(connections[i]), t.cfg.data_dir);
        struct source_rows found;
        struct slice value = SLICE("");
        bool more;
        for (int again = 0; again < 2; again++) {
            assert_int_equal(source_query(s, SLICE("SELECT body, id FROM wide"), NULL, 0, &found),
                             SOURCE_OK);
            assert_int_equal(source_next(&found, &more), SOURCE_OK);
            assert_true(more && source_cell(&found, 0, &value));
            assert_true(value.n > 6000);
            for (size_t k = 0; k < value.n; k++)
                assert_int_equal(value.p[k], 'w');
            assert_true(source_cell(&found, 1, &value) && slice_eq(value, SLICE("1")));
            source_rows_end(&found);
        }
        assert_int_not_equal(source_query(s, SLICE("DELETE FROM wide"), NULL, 0, &found),
                             SOURCE_OK); /* read only */
        source_free(&s);
    }
}

static void test_time_limit(void **state)
{
    (void)state;
    static const char endless[] =
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r";
    static const char asleep[] = "SELECT count(*) FROM orders WHERE sleep(10) = 0";
    const char *const connections[] = {sqlite, mariadb};
    for (size_t i = 0; i < 2; i++) {
        struct source *s = source_new(slice_str(connections[i]), t.cfg.data_dir);
        struct source_rows found;
        source_set_timeout_ms(s, 200);
        uint64_t start = clock_mono_us();
        assert_int_equal(source_query(s, slice_str(i ? asleep : endless), NULL, 0, &found),
                         SOURCE_ETIMEOUT);
        assert_true(clock_mono_us() - start < 5000000);
        assert_int_equal(source_query(s, SLICE("SELECT count(*) FROM orders"), NULL, 0, &found),
                         SOURCE_OK);
        source_rows_end(&found);
        source_free(&s);
    }
}

/* What is wrong by its text alone; the folder of the tests is nobody's. */
static void test_connection_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool allowed;
    } strings[] = {
        {"DRIVER=SQLite3;Database=/x", true},
        {"Driver={PostgreSQL Unicode};Server=h;Port=1;Database=warehouse", true},
        {"DSN=warehouse;UID=a;PWD=b", true},
        {"DSN=warehouse;UID=a;PWD=../b=/", true},
        {"Driver={MariaDB Unicode};Server=h;Database=w;", true},
        {"", false},
        {";", false},
        {"Database=/x", false},
        {"DRIVER=/tmp/evil.so", false},
        {"driver = {/tmp/evil.so}", false},
        {"DRIVER=SQLite3;LoadExt=/tmp/evil.so", false},
        {"DRIVER=SQLite3; loadext =/tmp/evil.so", false},
        {"DRIVER=SQLite3;X={;LOADEXT=evil}", false},
        {"FILEDSN=/tmp/x;DRIVER=SQLite3", false},
        {"DRIVER=SQLite3;SAVEFILE=/etc/x", false},
        {"DRIVER=SQLite3;Database=/x;NoCreat=0", false},
        {"DRIVER=SQLite3;Database=/x\nLoadExt=y", false},
        {"DRIVER=SQLite3;nonsense", false},
        {"DRIVER=PostgreSQL Unicode;pqopt={passfile=/etc/x}", false},
        {"DRIVER=PostgreSQL Unicode;A6=select 1", false},
        {"DRIVER=PostgreSQL Unicode;Database=w passfile=/etc/x", false},
        {"DRIVER=MariaDB;SSLKEY=/etc/x", false},
        {"DRIVER=MariaDB;plugin_dir=/tmp", false},
        /* a path from wherever the service runs, or one that SQLite reads otherwise than the kernel
         */
        {"DRIVER=SQLite3;Database=x.db", false},
        {"DRIVER=SQLite3;Database= /x", false},
        {"DRIVER=SQLite3;Database=", false},
        {"DRIVER=SQLite3;Database=file:/x", false},
        {"DRIVER=SQLite3;X=FILE:/x", false},
        {"DRIVER=Odd;Database={file:/x?mode=ro}", false},
        {"DRIVER=Odd;Database=var/control/store.db", false},
        {"DRIVER=SQLite3;Database=/nonexistent/../x", false},
        {"DRIVER=SQLite3;Database=/x/", false},
        {"DRIVER=SQLite3;Database=/./x", false},
        {"DRIVER=SQLite3;Database=//x", false},
        {"DRIVER=SQLite3;Database=/x/..", false},
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        if (connection_allowed(slice_str(strings[i].text), t.data_dir) != strings[i].allowed)
            fail_msg("%s", strings[i].text);
}

static void make_links(void)
{
    static const char *const links[][2] = {
        {"platform/control/store.db", "link.db"}, /* to a file */
        {"platform/control", "folder"},           /* to a folder */
        {"test.db", "platform/out.db"},           /* out of the platform: its own affair */
        {"platform/demo", "shown"},
    };
    char from[160], to[160];
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(from, sizeof from, "%s/%s", t.dir, links[i][0]);
        snprintf(to, sizeof to, "%s/%s", t.dir, links[i][1]);
        assert_int_equal(symlink(from, to), 0);
    }
}

/* %s is the folder of the tests; the platform's own is platform/ in it. */
static const struct {
    const char *format;
    bool allowed;
} file_rows[] = {
    {"DRIVER=SQLite3;Database=%s/test.db", true},
    {"DRIVER=SQLite3;Database=%s/platform/demo/d.db", true},
    {"DRIVER=SQLite3;Database=%s/shown/d.db", true},
    {"DRIVER=SQLite3;Database=%s/platform-of-others/x.db", true},
    {"DRIVER=SQLite3;Database=%s/platform/control/store.db", false},
    {"DRIVER=SQLite3;database=%s/platform/control/store.db", false},
    {"DRIVER=SQLite3;Database=%s/test.db;Database=%s/platform/control/store.db", false},
    {"DRIVER=SQLite3;Database={%s/platform/control/store.db}", false},
    {"DRIVER=Odd;Database={%s/platform/control/store.db}", false},
    {"DRIVER=Odd;Database='%s/platform/control/store.db'", false},
    {"DSN=odd;Somewhere=%s/platform/control/store.db", false},
    {"DSN=odd;X={;Database=%s/platform/control/store.db;}", false},
    {"DRIVER=SQLite3;Database=%s/platform", false},
    {"DRIVER=SQLite3;Database=%s/platform/not-yet", false},
    {"DRIVER=SQLite3;Database=%s/platform/not/yet/there.db", false},
    {"DRIVER=SQLite3;Database=%s/platform/demo/../control/store.db", false},
    {"DRIVER=Odd;Somewhere=%s/platform/demo/../control/store.db", false},
    {"DRIVER=SQLite3;Database=%s/nowhere/../platform/control/store.db", false},
    {"DRIVER=SQLite3;Database=%s/platform/control/store.db/", false},
    {"DRIVER=SQLite3;Database=%s/link.db", false},
    {"DRIVER=SQLite3;Database=%s/folder/store.db", false},
    {"DRIVER=SQLite3;Database=/proc/self/root%s/platform/control/store.db", false},
};

static json_t *call_internal(const char *what, const char *connection, const char *more);

static void test_platform_files(void **state)
{
    (void)state;
    char text[400], store[200];
    make_links();
    for (size_t i = 0; i < sizeof file_rows / sizeof *file_rows; i++) {
        snprintf(text, sizeof text, file_rows[i].format, t.dir, t.dir);
        if (connection_allowed(slice_str(text), t.data_dir) != file_rows[i].allowed)
            fail_msg("%s", text);
        if (connection_allowed(slice_str(text), "/nonexistent") && strstr(text, "SQLite3"))
            fail_msg("%s is allowed where the platform's folder cannot be read", text);
    }
    /* from inside that folder a bare name is a path too */
    assert_int_equal(chdir(t.data_dir), 0);
    assert_false(connection_allowed(SLICE("DRIVER=Odd;Database=control"), t.data_dir));
    assert_true(connection_allowed(SLICE("DRIVER=Odd;Database=warehouse"), t.data_dir));
    assert_int_equal(chdir("/"), 0);
    /* the service says the same of it as of a file that is not there */
    snprintf(store, sizeof store, file_rows[4].format, t.dir);
    json_t *own = call_internal("tables", store, "");
    assert_int_equal(reply.problem, PROBLEM_SOURCE_UNAVAILABLE);
    json_t *gone = call_internal("tables", "DRIVER=SQLite3;Database=/nonexistent/x.db", "");
    assert_int_equal(reply.problem, PROBLEM_SOURCE_UNAVAILABLE);
    assert_true(json_object_del(own, "instance") == 0 && json_object_del(gone, "instance") == 0);
    assert_true(json_is_string(json_object_get(own, "detail")) && json_equal(own, gone));
    json_decref(own);
    json_decref(gone);
}

static json_t *call_internal(const char *what, const char *connection, const char *more)
{
    char sealed[1024], id[UUID_TEXT_LEN + 1], target[64], body[2048];
    testing_seal(&t, &t.source, connection, sealed);
    uuid_format(&t.source, id);
    snprintf(target, sizeof target, "/internal/v1/sources/%s", what);
    snprintf(body, sizeof body, "{\"id\":\"%s\",\"connection_sealed\":\"%s\"%s}", id, sealed, more);
    struct testing_call call = {.method = "POST", .target = target, .body = body};
    testing_call(&t, w, &call, &reply);
    return json_loads(w->body.p, 0, NULL);
}

static void check_columns(const char *connection)
{
    static const char *const types[] = {"integer", "string", "number", "boolean", "datetime",
                                        "json",    "string", "string", "string"};
    json_t *answer = call_internal("columns", connection, ",\"table\":\"orders\"");
    assert_int_equal(reply.status, 200);
    json_t *list = json_object_get(answer, "columns"), *column;
    size_t i;
    assert_int_equal(json_array_size(list), 9);
    json_array_foreach(list, i, column)
    {
        assert_string_equal(json_string_value(json_object_get(column, "type")), types[i]);
        assert_int_equal(json_is_true(json_object_get(column, "key")), i == 0);
    }
    assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 1), "length")), 40);
    assert_true(json_is_false(json_object_get(json_array_get(list, 8), "nullable")));
    json_decref(answer);
}

static void test_internal(void **state)
{
    (void)state;
    const char *const connections[] = {sqlite, postgres, mariadb};
    for (size_t i = 0; i < 3; i++) {
        json_decref(call_internal("check", connections[i], ""));
        if (i == 0) /* of a file: is it anybody's to write? */
            assert_non_null(
                strstr(w->body.p, "\"account\":{\"administers\":false,\"writes\":false}"));
        else
            assert_non_null(
                strstr(w->body.p, "\"account\":{\"administers\":true,\"writes\":true}"));
        json_decref(call_internal("tables", connections[i], ""));
        assert_non_null(strstr(w->body.p, "\"name\":\"orders\",\"type\":\"table\""));
        check_columns(connections[i]);
        json_decref(call_internal("columns", connections[i], ",\"table\":\"order_\""));
        assert_int_equal(reply.problem, PROBLEM_NOT_FOUND);
        json_decref(call_internal("columns", connections[i], ",\"table\":\"%\""));
        assert_int_equal(reply.problem, PROBLEM_NOT_FOUND);
        json_decref(call_internal("columns", connections[i], ",\"table\":\"o'--\\\"\""));
        assert_int_equal(reply.problem, PROBLEM_NOT_FOUND);
    }
    json_decref(call_internal("check", "DRIVER=SQLite3;Database=/nonexistent/x.db", ""));
    assert_int_equal(reply.problem, PROBLEM_SOURCE_UNAVAILABLE);
    assert_null(strstr(w->body.p, "nonexistent"));
    json_decref(call_internal("check", "DRIVER=/tmp/evil.so", ""));
    assert_int_equal(reply.problem, PROBLEM_SOURCE_UNAVAILABLE);
    json_decref(call_internal("nothing", sqlite, ""));
    assert_int_equal(reply.problem, PROBLEM_NOT_FOUND);
    struct testing_call bad = {
        .method = "POST", .target = "/internal/v1/sources/check", .body = "{\"id\":1"};
    testing_call(&t, w, &bad, &reply);
    assert_int_equal(reply.problem, PROBLEM_BODY_MALFORMED);
}

static void test_gone_and_back(void **state)
{
    (void)state;
    testing_publish(&t, postgres);
    struct testing_call call = {GET("?select=id&id=eq.1"), .api = &t.orders};
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.status, 200);
    testing_postgres_stop(&t);
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.problem, PROBLEM_SOURCE_UNAVAILABLE);
    assert_null(strstr(w->body.p, "postgres"));
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.problem, PROBLEM_SOURCE_UNAVAILABLE);
    testing_postgres_start(&t);
    usleep(SOURCE_RETRY_MS * 1000);
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.status, 200);
    /* restarted between two calls: the first one after notices nothing */
    testing_postgres_stop(&t);
    testing_postgres_start(&t);
    testing_call(&t, w, &call, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(w->body.p, "[{\"id\":1}]");
}

static int setup(void **state)
{
    (void)state;
    testing_open(&t);
    testing_connection(&t, TESTING_SQLITE, sqlite);
    testing_postgres_start(&t);
    testing_mariadb_start(&t);
    testing_connection(&t, TESTING_POSTGRES, postgres);
    testing_connection(&t, TESTING_MARIADB, mariadb);
    testing_fill(sqlite);
    testing_fill(postgres);
    testing_fill(mariadb);
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
        {"[BK-7.2.2a][EC-6.1.4.1] queries on SQLite", test_rows_sqlite, NULL, NULL, NULL},
        {"a problem says a caller's names back only as names", test_where, NULL, NULL, NULL},
        {"[BK-7.2.2a][EC-6.1.4.1] queries on PostgreSQL", test_rows_postgres, NULL, NULL, NULL},
        {"[BK-7.2.2a][EC-6.1.4.1] queries on MariaDB", test_rows_mariadb, NULL, NULL, NULL},
        {"[CI-A.1][CI-A.2][CI-A.2c][CI-A.3][CI-A.3c][CI-7.3b] credit interfaces", test_credit, NULL,
         NULL, NULL},
        {"[EC-4.3.2a] only callers that prove themselves", test_caller, NULL, NULL, NULL},
        {"long values are read whole, nothing is written", test_long_values, NULL, NULL, NULL},
        {"a statement without end is cut off", test_time_limit, NULL, NULL, NULL},
        {"connection strings that load code are refused", test_connection_strings, NULL, NULL,
         NULL},
        {"[EC-6.1.4.1] a file of the platform is no source", test_platform_files, NULL, NULL, NULL},
        {"tables and columns of a source", test_internal, NULL, NULL, NULL},
        {"database gone and back", test_gone_and_back, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
