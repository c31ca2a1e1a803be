/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS(a) (sizeof(a) / sizeof *(a))

/* Single quotes for double ones. */
static json_t *json(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_error_t error;
    json_t *value = json_loads(copy, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value)
        fail_msg("%s: %s", error.text, text);
    free(copy);
    return value;
}

static struct graph *compiled(const char *text, struct graph_error *error)
{
    json_t *definition = json(text);
    struct graph *g = graph_new(definition, error);
    json_decref(definition);
    return g;
}

#define ONE(more) "{'steps':[{'name':'a','api':'/x/v1'" more "}],'output':{}}"
#define OUT(map)  "{'steps':[{'name':'a','api':'/x/v1'}],'output':" map "}"
#define TWO(a, b)                                                                                  \
    "{'steps':[{'name':'a','api':'/x'" a "},{'name':'b','api':'/y'" b "}],'output':{}}"

static void takes_what_the_grammar_says(void **state)
{
    (void)state;
    static const char *const rows[] = {
        ONE(""),
        ONE(",'method':'GET','retries':3,'timeout_ms':60000,'on_failure':'fail'"),
        ONE(",'method':'POST','body':{'a':[1,{'$ref':'/request/body/x','default':[]}]}"),
        ONE(",'path':'/{/request/path/0}/rows','when':'/request/query/x'"),
        ONE(",'query':{'q':'eq.{/request/query/id}','lit':'{{}}'},'headers':{'prefer':'a'}"),
        ONE(",'on_failure':{'default':null}"),
        TWO("", ",'after':['a']"),
        TWO(",'query':{'x':'{/steps/b/body/0/id}'}", ""),
        OUT("{'a':{'$ref':'/steps/a/body'},'b':{'$text':'x{/steps/a/"
            "status}'},'c':{'$literal':{'$ref':7}}}"),
        OUT("7"),
        "{'deadline_ms':60000,'steps':[{'name':'a','api':'/x'}],'output':[]}",
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct graph_error error;
        struct graph *g = compiled(rows[i], &error);
        if (!g)
            fail_msg("%s: %s %s", rows[i], error.where, error.text);
        graph_free(&g);
    }
}

static const struct {
    const char *text, *where;
} refused[] = {
    {"7", ""},
    {"[]", ""},
    {"{}", "/steps"},
    {"{'steps':[],'output':{}}", "/steps"},
    {"{'steps':{},'output':{}}", "/steps"},
    {"{'steps':[{'name':'a','api':'/x'}]}", "/output"},
    {"{'steps':[{'name':'a','api':'/x'}],'output':{},'x':1}", ""},
    {"{'deadline_ms':60001,'steps':[{'name':'a','api':'/x'}],'output':{}}", "/deadline_ms"},
    {"{'deadline_ms':-1,'steps':[{'name':'a','api':'/x'}],'output':{}}", "/deadline_ms"},
    {"{'deadline_ms':1.5,'steps':[{'name':'a','api':'/x'}],'output':{}}", "/deadline_ms"},
    {"{'steps':[7],'output':{}}", "/steps/0"},
    {"{'steps':[{'api':'/x'}],'output':{}}", "/steps/0/name"},
    {"{'steps':[{'name':'A','api':'/x'}],'output':{}}", "/steps/0/name"},
    {"{'steps':[{'name':'a/b','api':'/x'}],'output':{}}", "/steps/0/name"},
    {"{'steps':[{'name':'a\\u0000','api':'/x'}],'output':{}}", "/steps/0/name"},
    {"{'steps':[{'name':'a','api':'/x'},{'name':'a','api':'/y'}],'output':{}}", "/steps/1/name"},
    {"{'steps':[{'name':'a'}],'output':{}}", "/steps/0/api"},
    {"{'steps':[{'name':'a','api':'x'}],'output':{}}", "/steps/0/api"},
    {"{'steps':[{'name':'a','api':'/x/'}],'output':{}}", "/steps/0/api"},
    {"{'steps':[{'name':'a','api':'/x?y=1'}],'output':{}}", "/steps/0/api"},
    {"{'steps':[{'name':'a','api':'/x/../y'}],'output':{}}", "/steps/0/api"},
    {"{'steps':[{'name':'a','api':'http://h/x'}],'output':{}}", "/steps/0/api"},
    {ONE(",'url':'http://x'"), "/steps/0"},
    {ONE(",'method':'DELETE'"), "/steps/0/method"},
    {ONE(",'method':7"), "/steps/0/method"},
    {ONE(",'body':{}"), "/steps/0/body"},
    {ONE(",'method':'POST','retries':1"), "/steps/0/retries"},
    {ONE(",'retries':4"), "/steps/0/retries"},
    {ONE(",'timeout_ms':60001"), "/steps/0/timeout_ms"},
    {ONE(",'path':'x'"), "/steps/0/path"},
    {ONE(",'path':'/a?b'"), "/steps/0/path"},
    {ONE(",'path':'/a%2f'"), "/steps/0/path"},
    {ONE(",'path':'/{/request/path/0'"), "/steps/0/path"},
    {ONE(",'path':'/}'"), "/steps/0/path"},
    {ONE(",'path':'/{/request/secret}'"), "/steps/0/path"},
    {ONE(",'query':[]"), "/steps/0/query"},
    {ONE(",'query':{'a':1}"), "/steps/0/query"},
    {ONE(",'query':{'a':'{/steps/b/body}'}"), "/steps/0/query"},
    {ONE(",'query':{'a':'{/steps/a/body}'}"), "/steps/0"},
    {ONE(",'headers':{'sluice-inner':'x'}"), "/steps/0/headers"},
    {ONE(",'headers':{'Sluice-App':'x'}"), "/steps/0/headers"},
    {ONE(",'headers':{'host':'x'}"), "/steps/0/headers"},
    {ONE(",'headers':{'transfer-encoding':'chunked'}"), "/steps/0/headers"},
    {ONE(",'headers':{'signature':'x'}"), "/steps/0/headers"},
    {ONE(",'headers':{'x:y':'x'}"), "/steps/0/headers"},
    {ONE(",'after':['b']"), "/steps/0/after"},
    {ONE(",'after':'a'"), "/steps/0/after"},
    {ONE(",'after':['a']"), "/steps/0"},
    {ONE(",'when':'/x'"), "/steps/0/when"},
    {ONE(",'when':'/request/query/~2'"), "/steps/0/when"},
    {ONE(",'when':{}"), "/steps/0/when"},
    {ONE(",'on_failure':'ignore'"), "/steps/0/on_failure"},
    {ONE(",'on_failure':{'default':1,'x':2}"), "/steps/0/on_failure"},
    {ONE(",'on_failure':{}"), "/steps/0/on_failure"},
    {TWO(",'after':['b']", ",'after':['a']"), "/steps/0"},
    {TWO(",'when':'/steps/b/body'", ",'path':'/{/steps/a/body/x}'"), "/steps/0"},
    {OUT("{'$ref':'/steps/b/body'}"), "/output"},
    {OUT("{'$ref':'/steps'}"), "/output"},
    {OUT("{'$ref':'/'}"), "/output"},
    {OUT("{'$ref':''}"), "/output"},
    {OUT("{'$ref':7}"), "/output"},
    {OUT("{'$ref':'/steps/a/headers'}"), "/output"},
    {OUT("{'$ref':'/request/headers'}"), "/output"},
    {OUT("{'$ref':'/steps/a/body','x':1}"), "/output"},
    {OUT("{'$literal':1,'default':1}"), "/output"},
    {OUT("{'$each':1}"), "/output"},
    {OUT("[[{'a':{'$ref':'/nowhere'}}]]"), "/output"},
    {OUT("{'$text':'{'}"), "/output"},
    {OUT("[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]"), ""},
};

static void refuses_the_rest_and_says_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(refused); i++) {
        struct graph_error error;
        struct graph *g = compiled(refused[i].text, &error);
        if (g || strcmp(error.where, refused[i].where) != 0 || !error.text[0])
            fail_msg("%s: at '%s': %s", refused[i].text, g ? "taken" : error.where, error.text);
    }
}

static void bounds(void **state)
{
    (void)state;
    struct graph_error error;
    for (int n = GRAPH_STEPS_MAX; n <= GRAPH_STEPS_MAX + 1; n++) {
        json_t *steps = json_array();
        for (int i = 0; i < n; i++) {
            char name[8];
            snprintf(name, sizeof name, "s%d", i);
            json_array_append_new(steps, json_pack("{s:s,s:s}", "name", name, "api", "/x"));
        }
        json_t *definition = json_pack("{s:o,s:{}}", "steps", steps, "output");
        struct graph *g = graph_new(definition, &error);
        assert_int_equal(g != NULL, n == GRAPH_STEPS_MAX);
        graph_free(&g);
        json_decref(definition);
    }
    json_t *definition = json(ONE(""));
    char *big = calloc(1, GRAPH_BYTES_MAX + 1);
    memset(big, 'x', GRAPH_BYTES_MAX);
    json_object_set_new(definition, "output", json_string(big));
    assert_null(graph_new(definition, &error));
    free(big);
    json_decref(definition);
}

static const char scope_text[] =
    "{'request':{'method':'GET','path':['o "
    "1','..'],'query':{'id':'a&b=/?','n':null,'e':'','up':'x/../../y','pc':'%2Fa?#','nl':'x\\ny'},"
    "'body':{'x':[1,{'y':true}],'a/b':{'~':5}}},"
    "'steps':{'a':{'status':200,'body':[{'id':7,'name':'甲'}]},'b':{'body':null}}}";

static void mappings(void **state)
{
    (void)state;
    static const struct {
        const char *mapping, *result;
    } rows[] = {
        {"{'$ref':'/steps/a/body'}", "[{'id':7,'name':'甲'}]"},
        {"{'o':{'$ref':'/steps/a/body/0/id'},'s':{'$ref':'/steps/a/status'}}", "{'o':7,'s':200}"},
        {"{'gone':{'$ref':'/steps/a/body/1'},'kept':1}", "{'kept':1}"},
        {"{'null':{'$ref':'/steps/b/body'}}", "{'null':null}"},
        {"{'d':{'$ref':'/steps/b/body','default':[]}}", "{'d':[]}"},
        {"{'d':{'$ref':'/steps/b/status','default':{'$ref':1}}}", "{'d':{'$ref':1}}"},
        {"[{'$ref':'/steps/a/body/-'},{'$ref':'/steps/a/body/00'}]", "[null,null]"},
        {"{'$ref':'/request/body/a~1b/~0'}", "5"},
        {"{'$ref':'/request/body/x/1/y'}", "true"},
        {"{'$ref':'/request/body/x/1/y/z'}", "null"},
        {"{'$literal':{'$ref':'/x'}}", "{'$ref':'/x'}"},
        {"{'t':{'$text':'{/steps/a/body/0/name}/{/steps/a/body/0/id}{{}}'}}", "{'t':'甲/7{}'}"},
        {"{'t':{'$text':'{/steps/b/body}'}}", "{}"},
        {"{'t':{'$text':'{/steps/a/body}'}}", "{}"},
        {"'{/steps/a/status}'", "'{/steps/a/status}'"},
    };
    json_t *scope = json(scope_text);
    for (size_t i = 0; i < ROWS(rows); i++) {
        json_t *mapping = json(rows[i].mapping), *want = json(rows[i].result);
        json_t *got = graph_map(mapping, scope);
        if (!json_equal(got, want))
            fail_msg("%s gives %s", rows[i].mapping, json_dumps(got, JSON_ENCODE_ANY));
        json_decref(got);
        json_decref(want);
        json_decref(mapping);
    }
    json_decref(scope);
}

static void targets(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        enum graph_text result;
        const char *target;
    } rows[] = {
        {"", GRAPH_TEXT_OK, "/x/v1"},
        {",'path':'/rows/{/request/path/0}'", GRAPH_TEXT_OK, "/x/v1/rows/o%201"},
        {",'path':'/{/request/query/id}'", GRAPH_TEXT_BAD, NULL},
        {",'path':'/{/request/query/up}'", GRAPH_TEXT_BAD, NULL},
        {",'path':'/{/request/query/pc}'", GRAPH_TEXT_OK, "/x/v1/%252Fa%3F%23"},
        {",'path':'/{/request/path/1}'", GRAPH_TEXT_BAD, NULL},
        {",'path':'/.{/request/path/9}'", GRAPH_TEXT_ABSENT, NULL},
        {",'path':'/{/request/query/e}'", GRAPH_TEXT_BAD, NULL},
        {",'path':'/a/../b'", GRAPH_TEXT_BAD, NULL},
        {",'path':'/{/request/body}'", GRAPH_TEXT_BAD, NULL},
        {",'query':{'id':'eq.{/request/query/id}','z':'(1,2)'}", GRAPH_TEXT_OK,
         "/x/v1?id=eq.a%26b%3D%2F%3F&z=%281%2C2%29"},
        {",'query':{'gone':'{/request/query/n}','a b':'{/request/body/x/1/y}'}", GRAPH_TEXT_OK,
         "/x/v1?a%20b=true"},
        {",'query':{'e':'{/request/query/e}'}", GRAPH_TEXT_OK, "/x/v1?e="},
        {",'query':{'e':'{/request/body/x}'}", GRAPH_TEXT_BAD, NULL},
    };
    json_t *scope = json(scope_text);
    for (size_t i = 0; i < ROWS(rows); i++) {
        char text[400];
        struct graph_error error;
        struct buf out;
        buf_init(&out);
        snprintf(text, sizeof text, "{'steps':[{'name':'a','api':'/x/v1'%s}],'output':{}}",
                 rows[i].more);
        struct graph *g = compiled(text, &error);
        if (!g)
            fail_msg("%s: %s", text, error.text);
        enum graph_text result = graph_target(&g->steps[0], scope, &out);
        if (result != rows[i].result ||
            (rows[i].target && !slice_eq(buf_slice(&out), slice_str(rows[i].target))))
            fail_msg("%s: %d %.*s", rows[i].more, result, SLICE_FMT(buf_slice(&out)));
        buf_fini(&out);
        graph_free(&g);
    }
    struct buf out;
    buf_init(&out);
    assert_int_equal(graph_header("x{/request/query/nl}", scope, &out), GRAPH_TEXT_BAD);
    assert_int_equal(graph_header("{/request/query/n}", scope, &out), GRAPH_TEXT_ABSENT);
    buf_fini(&out);
    json_decref(scope);
}

static void an_answer_is_bounded(void **state)
{
    (void)state;
    json_t *scope = json(scope_text), *mapping = json("[]");
    for (int i = 0; i < 1000; i++)
        json_array_append_new(mapping, json("{'$ref':'/request/body'}"));
    json_t *value = graph_map(mapping, scope);
    struct buf out;
    buf_init(&out);
    assert_false(graph_write(value, 1000, &out));
    assert_true(out.n <= 1000);
    buf_clear(&out);
    assert_true(graph_write(value, 100000, &out));
    buf_fini(&out);
    json_decref(value);
    json_decref(mapping);
    json_decref(scope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[SW-8.3.4-control] a graph is what its grammar says", takes_what_the_grammar_says, NULL,
         NULL, NULL},
        {"[SW-8.3.4-control] every other is refused, and where is said",
         refuses_the_rest_and_says_where, NULL, NULL, NULL},
        {"steps and bytes are bounded", bounds, NULL, NULL, NULL},
        {"[SW-8.3.4-orchestrate] mappings take from the request and from steps", mappings, NULL,
         NULL, NULL},
        {"a value stays a value in a path, a query and a header", targets, NULL, NULL, NULL},
        {"an answer is bounded whatever a mapping repeats", an_answer_is_bounded, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
