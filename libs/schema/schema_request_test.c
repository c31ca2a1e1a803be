/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <cmocka.h>

#define ROWS(a) (sizeof(a) / sizeof *(a))

/* ' for ": a made-up API of orders. */
static const char document[] =
    "{'openapi':'3.1.0','info':{'title':'orders','version':'2'},'paths':{"
    "'/':{'get':{'parameters':["
    "{'name':'limit','in':'query','schema':{'type':'integer','minimum':1,'maximum':100}},"
    "{'name':'state','in':'query','required':true,'schema':{'type':'string','enum':['new','paid']}}"
    ","
    "{'name':'paid','in':'query','schema':{'type':'boolean'}},"
    "{'name':'min','in':'query','schema':{'type':'number','exclusiveMinimum':0}},"
    "{'name':'text','in':'query','schema':{'type':'string','maxLength':4}},"
    "{'name':'tag','in':'query','schema':{'type':'array','items':{'type':'string','minLength':1},'"
    "maxItems':3,"
    "'uniqueItems':true}},"
    "{'name':'ids','in':'query','explode':false,'schema':{'type':'array','items':{'type':'integer'}"
    ",'minItems':2}},"
    "{'name':'X-Unit','in':'header','schema':{'$ref':'#/components/schemas/Unit'}},"
    "{'name':'X-List','in':'header','schema':{'type':'array','items':{'type':'integer'}}}],"
    "'responses':{'200':{'content':{'application/json':{'schema':{'type':'array','items':"
    "{'$ref':'#/components/schemas/Order'}}}}},'4XX':{'content':{'application/"
    "problem+json':{}}},'default':{}}},"
    "'post':{'requestBody':{'$ref':'#/components/requestBodies/Order'}},"
    "'put':{'requestBody':{'content':{'application/json':{}}}}},"
    "'/open':{'get':{'x-sluice-query':'open','parameters':[{'$ref':'#/components/parameters/"
    "page'}]}},"
    "'/"
    "{id}':{'parameters':[{'name':'id','in':'path','required':true,'schema':{'type':'integer','"
    "minimum':1}}],"
    "'get':{},'delete':{'parameters':[{'name':'id','in':'path','required':true,'schema':{'type':'"
    "string',"
    "'pattern':'^d[0-9]$'}}]}},"
    "'/{id}/"
    "items':{'get':{'parameters':[{'name':'id','in':'path','required':true,'schema':{'type':'array'"
    ",'items':"
    "{'type':'string'}}}]}},"
    "'/latest':{'get':{}}},"
    "'components':{'schemas':{'Unit':{'type':'string','format':'uscc'},"
    "'Order':{'type':'object','properties':{'id':{'type':'integer'},'buyer':{'type':'string','"
    "maxLength':20}},"
    "'required':['id']}},"
    "'parameters':{'page':{'name':'page','in':'query','schema':{'type':'integer'}}},"
    "'requestBodies':{'Order':{'required':true,'content':{'application/json':{'schema':"
    "{'$ref':'#/components/schemas/Order'}},'application/octet-stream':{}}}}}}";

static struct schema *compiled(const char *text)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    for (char *p = copy; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json_error_t error;
    json_t *json = json_loads(copy, 0, &error);
    if (json == NULL) {
        fail_msg("%s at %d", error.text, error.position);
    }
    struct schema *schema = NULL;
    struct schema_error err;
    if (schema_compile(json, &schema, &err) != SCHEMA_OK) {
        fail_msg("%s: %s", err.where, err.detail);
    }
    json_decref(json);
    free(copy);
    return schema;
}

static int setup(void **state)
{
    *state = compiled(document);
    return 0;
}

static int teardown(void **state)
{
    struct schema *schema = *state;
    schema_free(&schema);
    return 0;
}

/* "Name: value" lines with \n between. */
static bool find_header(void *ctx, struct slice name, size_t nth, struct slice *value)
{
    for (const char *line = ctx; *line != '\0';) {
        size_t n = strcspn(line, "\n"), colon = strcspn(line, ":");
        if (colon == name.n && strncasecmp(line, name.p, name.n) == 0 && nth-- == 0) {
            *value = slice_of(line + colon + 1, n - colon - 1);
            return true;
        }
        line += n + (line[n] == '\n');
    }
    return false;
}

struct row {
    const char *method, *path, *query, *headers;
    enum schema_err code;
    const char *where;
};

static void run(const struct schema *schema, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct schema_error err = {.where = "?", .detail = "untouched"};
        struct schema_request request = {.method = slice_str(rows[i].method),
                                         .path = slice_str(rows[i].path),
                                         .query = slice_str(rows[i].query),
                                         .header = rows[i].headers == NULL ? NULL : find_header,
                                         .header_ctx = (void *)(uintptr_t)rows[i].headers};
        enum schema_err code = schema_check_request(schema, &request, &err);
        const char *where = rows[i].code == SCHEMA_OK ? "?" : rows[i].where;
        if (code != rows[i].code || strcmp(err.where, where) != 0) {
            fail_msg("row %zu: %s %s?%s: %d at '%s': %s", i, rows[i].method, rows[i].path,
                     rows[i].query, code, err.where, err.detail);
        }
    }
}

static void routes(void **state)
{
    static const struct row rows[] = {
        {"GET", "/latest", "", NULL, SCHEMA_OK, NULL},
        {"GET", "/7", "", NULL, SCHEMA_OK, NULL},
        {"GET", "/7/items", "", NULL, SCHEMA_OK, NULL},
        {"PUT", "", "", NULL, SCHEMA_OK, NULL},
        {"PUT", "/", "", NULL, SCHEMA_OK, NULL},
        {"GET", "7", "", NULL, SCHEMA_EROUTE, ""},
        {"GET", "//", "", NULL, SCHEMA_EROUTE, ""},
        {"GET", "/7/", "", NULL, SCHEMA_EROUTE, ""},
        {"GET", "/7/items/", "", NULL, SCHEMA_EROUTE, ""},
        {"GET", "/7/Items", "", NULL, SCHEMA_EROUTE, ""},
        {"GET", "/7/%69tems", "", NULL, SCHEMA_EROUTE, ""},
        {"GET", "//items", "", NULL, SCHEMA_EROUTE, ""},
        {"GET", "/a/b/c", "", NULL, SCHEMA_EROUTE, ""},
        {"GET", "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4", "", NULL,
         SCHEMA_EROUTE, ""},
        {"DELETE", "/latest", "", NULL, SCHEMA_EMETHOD, ""},
        {"get", "/latest", "", NULL, SCHEMA_EMETHOD, ""},
        {"GETT", "/latest", "", NULL, SCHEMA_EMETHOD, ""},
        {"GE", "/latest", "", NULL, SCHEMA_EMETHOD, ""},
        {"", "/latest", "", NULL, SCHEMA_EMETHOD, ""},
        {"HEAD", "/latest", "", NULL, SCHEMA_EMETHOD, ""},
        {"CONNECT", "/7", "", NULL, SCHEMA_EMETHOD, ""},
    };
    run(*state, rows, ROWS(rows));
}

static void in_path(void **state)
{
    static const struct row rows[] = {
        {"GET", "/%37", "", NULL, SCHEMA_OK, NULL},
        {"DELETE", "/d1", "", NULL, SCHEMA_OK, NULL},
        {"DELETE", "/7", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/0", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/seven", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/7.0", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/+7", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/07", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/7%", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/7%0", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/7%zz", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/9223372036854775807", "", NULL, SCHEMA_OK, NULL},
        {"GET", "/9223372036854775808", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/99999999999999999999999999999999999999999999999999999999999999999999999", "",
         NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/a,b/items", "", NULL, SCHEMA_OK, NULL},
        {"GET", "/../items", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/%2e%2E/items", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/./items", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/a%2fb/items", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/a%5cb/items", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/a%00/items", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/a%0ab/items", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/%ff/items", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
        {"GET", "/%c0%af/items", "", NULL, SCHEMA_EPARAM_INVALID, "id"},
    };
    run(*state, rows, ROWS(rows));
}

#define Q(text, code, where)                                                                       \
    {                                                                                              \
        "GET", "/", "state=new" text, NULL, code, where                                            \
    }

static const struct row queries[] = {
    {"GET", "/", "", NULL, SCHEMA_EPARAM_MISSING, "state"},
    {"GET", "/", "limit=1", NULL, SCHEMA_EPARAM_MISSING, "state"},
    {"GET", "/", "state=old", NULL, SCHEMA_EPARAM_INVALID, "state"},
    {"GET", "/", "state=", NULL, SCHEMA_EPARAM_INVALID, "state"},
    {"GET", "/", "state", NULL, SCHEMA_EPARAM_INVALID, "state"},
    {"GET", "/", "st%61te=n%65w", NULL, SCHEMA_OK, NULL},
    Q("", SCHEMA_OK, NULL),
    Q("&limit=100&paid=true&min=0.5&text=a+b", SCHEMA_OK, NULL),
    Q("&state=new", SCHEMA_EPARAM_INVALID, "state"),
    Q("&limit=1&limit=1", SCHEMA_EPARAM_INVALID, "limit"),
    Q("&limit=101", SCHEMA_EPARAM_INVALID, "limit"),
    Q("&limit=0", SCHEMA_EPARAM_INVALID, "limit"),
    Q("&limit=", SCHEMA_EPARAM_INVALID, "limit"),
    Q("&limit=1e1", SCHEMA_EPARAM_INVALID, "limit"),
    Q("&limit=0x10", SCHEMA_EPARAM_INVALID, "limit"),
    Q("&limit=%201", SCHEMA_EPARAM_INVALID, "limit"),
    Q("&limit=1%3bdrop", SCHEMA_EPARAM_INVALID, "limit"),
    Q("&limit=1%27%20or%201=1", SCHEMA_EPARAM_INVALID, "limit"),
    Q("&limit=%EF%BC%91", SCHEMA_EPARAM_INVALID, "limit"),
    Q("&paid=1", SCHEMA_EPARAM_INVALID, "paid"),
    Q("&paid=True", SCHEMA_EPARAM_INVALID, "paid"),
    Q("&min=0", SCHEMA_EPARAM_INVALID, "min"),
    Q("&min=1e3", SCHEMA_OK, NULL),
    Q("&min=1e400", SCHEMA_EPARAM_INVALID, "min"),
    Q("&min=inf", SCHEMA_EPARAM_INVALID, "min"),
    Q("&min=nan", SCHEMA_EPARAM_INVALID, "min"),
    Q("&min=.5", SCHEMA_EPARAM_INVALID, "min"),
    Q("&min=5.", SCHEMA_EPARAM_INVALID, "min"),
    Q("&min=1,5", SCHEMA_EPARAM_INVALID, "min"),
    Q("&text=%E6%95%B0%E9%97%B8", SCHEMA_OK, NULL),
    Q("&text=%E6%95", SCHEMA_EPARAM_INVALID, "text"),
    Q("&text=%ed%a0%80", SCHEMA_EPARAM_INVALID, "text"),
    Q("&text=%00", SCHEMA_EPARAM_INVALID, "text"),
    Q("&text=%u4e00", SCHEMA_EPARAM_INVALID, "text"),
    Q("&text=abcde", SCHEMA_EPARAM_INVALID, "text"),
    Q("&text=a=b", SCHEMA_OK, NULL),
    Q("&tag=a&tag=b&tag=c", SCHEMA_OK, NULL),
    Q("&tag=a,b&tag=c", SCHEMA_OK, NULL), /* a comma is text where items come one by one */
    Q("&tag=a&tag=a", SCHEMA_EPARAM_INVALID, "tag"),
    Q("&tag=a&tag=", SCHEMA_EPARAM_INVALID, "tag"),
    Q("&tag=a&tag=b&tag=c&tag=d", SCHEMA_EPARAM_INVALID, "tag"),
    Q("&ids=1,2,3", SCHEMA_OK, NULL),
    Q("&ids=1", SCHEMA_EPARAM_INVALID, "ids"),
    Q("&ids=1,2&ids=3", SCHEMA_EPARAM_INVALID, "ids"),
    Q("&ids=1,", SCHEMA_EPARAM_INVALID, "ids"),
    Q("&ids=1,x", SCHEMA_EPARAM_INVALID, "ids"),
    Q("&ids=1%2c2", SCHEMA_EPARAM_INVALID, "ids"),
    Q("&nope=1", SCHEMA_EPARAM_UNKNOWN, "nope"),
    Q("&STATE=new", SCHEMA_EPARAM_UNKNOWN, "STATE"),
    Q("&limit[]=1", SCHEMA_EPARAM_UNKNOWN, ""),
    Q("&13800138000=1", SCHEMA_EPARAM_UNKNOWN, ""),
    Q("&%3Cscript%3E=1", SCHEMA_EPARAM_UNKNOWN, ""),
    Q("&", SCHEMA_EPARAM_UNKNOWN, ""),
    Q("&=1", SCHEMA_EPARAM_UNKNOWN, ""),
    Q("&%zz=1", SCHEMA_EPARAM_INVALID, ""),
    {"GET", "/latest", "a=1", NULL, SCHEMA_EPARAM_UNKNOWN, "a"},
    {"GET", "/open", "anything=1&page=2", NULL, SCHEMA_OK, NULL},
    {"GET", "/open", "anything=1&page=x", NULL, SCHEMA_EPARAM_INVALID, "page"},
    {"GET", "/open", "anything=%zz", NULL, SCHEMA_EPARAM_INVALID, ""},
    {"GET", "/open", "anything=%ff", NULL, SCHEMA_EPARAM_INVALID, ""},
};

static void in_query(void **state)
{
    run(*state, queries, ROWS(queries));
}

static void in_headers(void **state)
{
    static const struct row rows[] = {
        {"GET", "/", "state=new", "Other:x", SCHEMA_OK, NULL},
        {"GET", "/", "state=new", "x-unit:91350200MA2XXXXXXF", SCHEMA_OK, NULL},
        {"GET", "/", "state=new", "X-Unit: 91350200MA2XXXXXXF ", SCHEMA_OK, NULL},
        {"GET", "/", "state=new", "X-Unit:9135", SCHEMA_EPARAM_INVALID, "X-Unit"},
        {"GET", "/", "state=new", "X-Unit:", SCHEMA_EPARAM_INVALID, "X-Unit"},
        {"GET", "/", "state=new", "X-Unit:\xff", SCHEMA_EPARAM_INVALID, "X-Unit"},
        {"GET", "/", "state=new", "X-Unit:91350200MA2XXXXXXF\nX-Unit:91350200MA2XXXXXXF",
         SCHEMA_EPARAM_INVALID, "X-Unit"},
        {"GET", "/", "state=new", "X-List:1, 2,3\nX-List:4", SCHEMA_OK, NULL},
        {"GET", "/", "state=new", "X-List:1,,2", SCHEMA_EPARAM_INVALID, "X-List"},
        {"GET", "/", "state=new", "X-List:1\nX-List:a", SCHEMA_EPARAM_INVALID, "X-List"},
    };
    run(*state, rows, ROWS(rows));
}

static void versions(void **state)
{
    (void)state;
    static const struct row header[] = {
        {"GET", "/", "", "Api-Version:2", SCHEMA_OK, NULL},
        {"GET", "/", "", "Api-Version:1", SCHEMA_EVERSION, "Api-Version"},
        {"GET", "/", "", "Api-Version:2\nApi-Version:2", SCHEMA_EVERSION, "Api-Version"},
        {"GET", "/", "", "Api-Version:", SCHEMA_EVERSION, "Api-Version"},
        {"GET", "/", "", NULL, SCHEMA_EVERSION, "Api-Version"},
        {"GET", "/", "Api-Version=2", NULL, SCHEMA_EPARAM_UNKNOWN, "Api-Version"},
    };
    static const struct row query[] = {
        {"GET", "/", "v=2", NULL, SCHEMA_OK, NULL},
        {"GET", "/", "v=%32", NULL, SCHEMA_OK, NULL},
        {"GET", "/", "v=3", NULL, SCHEMA_EVERSION, "v"},
        {"GET", "/", "v=2&v=2", NULL, SCHEMA_EVERSION, "v"},
        {"GET", "/", "v=%", NULL, SCHEMA_EVERSION, "v"},
        {"GET", "/", "", "v:2", SCHEMA_EVERSION, "v"},
    };
    struct schema *schema =
        compiled("{'info':{'version':'2'},'x-sluice-version':{'in':'header','name':'Api-Version'},"
                 "'paths':{'/':{'get':{}}}}");
    run(schema, header, ROWS(header));
    schema_free(&schema);
    schema = compiled("{'info':{'version':'2'},'x-sluice-version':{'in':'query','name':'v'},'paths'"
                      ":{'/':{'get':{}}}}");
    run(schema, query, ROWS(query));
    schema_free(&schema);
}

static void bodies(void **state)
{
    static const struct {
        const char *method, *type, *body;
        enum schema_err code;
        const char *where;
    } rows[] = {
        {"POST", "application/json", "{\"id\":1}", SCHEMA_OK, NULL},
        {"POST", "Application/JSON ; Charset=UTF-8", " {\"id\":1}\n", SCHEMA_OK, NULL},
        {"POST", "application/json;charset=gbk", "{\"id\":1}", SCHEMA_ECONTENT_TYPE, ""},
        {"POST", "application/octet-stream", "\x01\x02", SCHEMA_OK, NULL},
        {"POST", "text/plain", "{\"id\":1}", SCHEMA_ECONTENT_TYPE, ""},
        {"POST", "", "{\"id\":1}", SCHEMA_ECONTENT_TYPE, ""},
        {"POST", "application/jsonx", "{\"id\":1}", SCHEMA_ECONTENT_TYPE, ""},
        {"POST", "application/json", "", SCHEMA_EBODY_MISSING, ""},
        {"PUT", "application/json", "", SCHEMA_OK, NULL},
        {"PUT", "application/json", "[{\"any\":1}]", SCHEMA_OK, NULL},
        {"PUT", "application/json", "[1,]", SCHEMA_EBODY_MALFORMED, ""},
        {"GET", "application/json", "{}", SCHEMA_EBODY_UNEXPECTED, ""},
        {"POST", "application/json", "{\"id\":1", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":1}}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":1} {}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":1,\"id\":2}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":1,\"i\\u0064\":2}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{'id':1}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":1,}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":01}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":NaN}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":9223372036854775808}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":1e999}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":1,\"buyer\":\"\\u0000\"}", SCHEMA_EBODY_MALFORMED,
         ""},
        {"POST", "application/json", "{\"id\":1,\"\\u0000\":1}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":1,\"buyer\":\"\xff\"}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "{\"id\":1,\"buyer\":\"\\ud800\"}", SCHEMA_EBODY_MALFORMED,
         ""},
        {"POST", "application/json", "\xef\xbb\xbf{\"id\":1}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "/* c */{\"id\":1}", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", " ", SCHEMA_EBODY_MALFORMED, ""},
        {"POST", "application/json", "[]", SCHEMA_EBODY_INVALID, ""},
        {"POST", "application/json", "{\"buyer\":\"x\"}", SCHEMA_EBODY_INVALID, "/id"},
        {"POST", "application/json", "{\"id\":1,\"admin\":true}", SCHEMA_EBODY_INVALID, "/admin"},
        {"POST", "application/json", "{\"id\":1,\"__proto__\":{}}", SCHEMA_EBODY_INVALID,
         "/__proto__"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct schema_error err = {.where = "?"};
        struct schema_request request = {.method = slice_str(rows[i].method),
                                         .path = SLICE("/"),
                                         .query =
                                             slice_str(rows[i].method[0] == 'G' ? "state=new" : ""),
                                         .content_type = slice_str(rows[i].type),
                                         .body = slice_str(rows[i].body)};
        enum schema_err code = schema_check_request(*state, &request, &err);
        if (code != rows[i].code ||
            strcmp(err.where, rows[i].code == SCHEMA_OK ? "?" : rows[i].where) != 0) {
            fail_msg("row %zu: %s: %d at '%s': %s", i, rows[i].body, code, err.where, err.detail);
        }
    }
}

static enum schema_err put(const struct schema *schema, struct slice body, uint32_t depth,
                           uint32_t members)
{
    struct schema_error err;
    struct schema_request request = {.method = SLICE("PUT"),
                                     .path = SLICE("/"),
                                     .content_type = SLICE("application/json"),
                                     .body = body,
                                     .depth_max = depth,
                                     .members_max = members};
    return schema_check_request(schema, &request, &err);
}

static void body_bounds(void **state)
{
    enum { BYTES = 1 << 20 };
    char *body = malloc(BYTES);
    memset(body, '[', BYTES);
    assert_int_equal(put(*state, slice_of(body, BYTES), 0, 0), SCHEMA_ELIMIT);
    assert_int_equal(put(*state, slice_of(body, SCHEMA_BODY_DEPTH), 0, 0), SCHEMA_EBODY_MALFORMED);
    assert_int_equal(put(*state, SLICE("[[\"[[[[[[\\\"[[[[\"]]"), 2, 0), SCHEMA_OK);
    assert_int_equal(put(*state, SLICE("[[[]]]"), 2, 0), SCHEMA_ELIMIT);
    assert_int_equal(put(*state, SLICE("{\"a\":{\"b\":[]}}"), 2, 0), SCHEMA_ELIMIT);
    memset(body, ',', BYTES);
    assert_int_equal(put(*state, slice_of(body, BYTES), 0, 0), SCHEMA_ELIMIT);
    assert_int_equal(put(*state, SLICE("[1,2,3]"), 0, 4), SCHEMA_OK);
    assert_int_equal(put(*state, SLICE("[1,2,3,4]"), 0, 4), SCHEMA_ELIMIT);
    free(body);
}

/* Long queries: the last that fits, and one more. */
static void query_bounds(void **state)
{
    char query[SCHEMA_QUERY_MAX + 2];
    size_t n = 0;
    struct row row = {"GET", "/open", query, NULL, SCHEMA_OK, NULL};
    for (int i = 0; i < SCHEMA_PAIRS_MAX; i++) {
        n += (size_t)snprintf(query + n, sizeof query - n, "%sa=1", i == 0 ? "" : "&");
    }
    run(*state, &row, 1);
    snprintf(query + n, sizeof query - n, "&a=1");
    row.code = SCHEMA_ELIMIT;
    row.where = "";
    run(*state, &row, 1);
    memset(query, 'a', sizeof query);
    query[SCHEMA_QUERY_MAX] = '\0';
    row.code = SCHEMA_OK;
    run(*state, &row, 1);
    query[SCHEMA_QUERY_MAX] = 'a';
    query[SCHEMA_QUERY_MAX + 1] = '\0';
    row.code = SCHEMA_ELIMIT;
    run(*state, &row, 1);
}

static void item_bounds(void **state)
{
    char path[SCHEMA_ITEMS_MAX * 2 + 32] = "/";
    struct row row = {"GET", path, "", NULL, SCHEMA_OK, NULL};
    for (int i = 0; i < SCHEMA_ITEMS_MAX; i++) {
        strcat(path, i == 0 ? "a" : ",a");
    }
    size_t n = strlen(path);
    strcat(path, "/items");
    run(*state, &row, 1);
    strcpy(path + n, ",a/items");
    row.code = SCHEMA_ELIMIT;
    row.where = "id";
    run(*state, &row, 1);
}

static void responses(void **state)
{
    static const struct {
        unsigned status;
        const char *type, *body;
        enum schema_err code;
        const char *where;
    } rows[] = {
        {200, "application/json", "[{\"id\":1}]", SCHEMA_OK, NULL},
        {200, "application/json", "[{\"id\":\"1\"}]", SCHEMA_EBODY_INVALID, "/0/id"},
        {200, "application/json", "[{\"id\":1,\"secret\":2}]", SCHEMA_EBODY_INVALID, "/0/secret"},
        {200, "text/html", "<html>", SCHEMA_ECONTENT_TYPE, ""},
        {200, "application/json", "<html>", SCHEMA_EBODY_MALFORMED, ""},
        {404, "application/problem+json", "{\"type\":\"x\"}", SCHEMA_OK, NULL},
        {404, "application/json", "{}", SCHEMA_ECONTENT_TYPE, ""},
        {500, "", "", SCHEMA_OK, NULL},
        {500, "text/plain", "trace", SCHEMA_EBODY_UNEXPECTED, ""},
    };
    struct schema_error err;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct schema_response response = {.method = SLICE("GET"),
                                           .path = SLICE("/"),
                                           .status = rows[i].status,
                                           .content_type = slice_str(rows[i].type),
                                           .body = slice_str(rows[i].body)};
        enum schema_err code = schema_check_response(*state, &response, &err);
        if (code != rows[i].code || (code != SCHEMA_OK && strcmp(err.where, rows[i].where) != 0)) {
            fail_msg("row %zu: %u %s: %d at '%s'", i, rows[i].status, rows[i].body, code,
                     err.where);
        }
    }
    struct schema_response none = {.method = SLICE("GET"), .path = SLICE("/latest"), .status = 200};
    assert_int_equal(schema_check_response(*state, &none, &err), SCHEMA_ESTATUS);
}

static void sentences(void **state)
{
    (void)state;
    for (int i = SCHEMA_OK; i <= SCHEMA_ENOMEM; i++) {
        assert_true(strlen(schema_strerror((enum schema_err)i)) > 5);
    }
    assert_string_equal(schema_strerror((enum schema_err)99), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-7.2.2a] a path or method that is not described is refused", routes, setup, teardown,
         NULL},
        {"[BK-7.3.2a1] a path parameter cannot climb, hide a slash or break its schema", in_path,
         setup, teardown, NULL},
        {"[BK-7.2.2a] query parameters missing, unknown, twice or badly formed are each refused",
         in_query, setup, teardown, NULL},
        {"[BK-7.2.2a] header parameters against their schema are refused", in_headers, setup,
         teardown, NULL},
        {"[BK-7.2.2a] a call for another version, or none, is refused", versions, NULL, NULL, NULL},
        {"[BK-7.2.2a] bodies missing, unexpected, of the wrong type or unreadable are each refused",
         bodies, setup, teardown, NULL},
        {"[BK-7.3.2a1] a body too deep or with too many members is refused before it is parsed",
         body_bounds, setup, teardown, NULL},
        {"[BK-7.3.2a1] a query too long or with too many parameters is refused", query_bounds,
         setup, teardown, NULL},
        {"[BK-7.3.2a1] an array with too many items in a parameter is refused", item_bounds, setup,
         teardown, NULL},
        {"responses are held against status, media type and schema", responses, setup, teardown,
         NULL},
        {"each error has a sentence", sentences, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
