/* SPDX-License-Identifier: Apache-2.0 */
/* Rows are written with ' for ", as JSON in C is unreadable otherwise. */
#include "schema/schema.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS(a) (sizeof(a) / sizeof *(a))

static char *quoted(const char *text)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    for (char *p = copy; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    return copy;
}

static json_t *parsed(const char *text)
{
    json_error_t error;
    char *copy = quoted(text);
    json_t *json = json_loads(copy, JSON_DECODE_ANY, &error);
    if (json == NULL) {
        fail_msg("%s: %s", text, error.text);
    }
    free(copy);
    return json;
}

static enum schema_err compile_text(const char *text, struct schema **out, struct schema_error *err)
{
    json_t *json = parsed(text);
    enum schema_err code = schema_compile(json, out, err);
    json_decref(json);
    return code;
}

static struct schema *compiled(const char *text)
{
    struct schema *schema = NULL;
    struct schema_error err;
    if (compile_text(text, &schema, &err) != SCHEMA_OK) {
        fail_msg("%s: at %s: %s", text, err.where, err.detail);
    }
    return schema;
}

/* A document whose POST / takes a body of that schema. */
static char *with_body(const char *schema)
{
    char *text;
    assert_true(
        asprintf(
            &text,
            "{'paths':{'/':{'post':{'requestBody':{'required':true,'content':{'application/json':"
            "{'schema':%s}}}}}},'components':{'schemas':{"
            "'Tree':{'type':'object','properties':{'v':{'type':'integer'},"
            "'kids':{'type':'array','items':{'$ref':'#/components/schemas/"
            "Tree'}}},'required':['v']},"
            "'Twice':{'type':'array','anyOf':[{'items':{'$ref':'#/components/schemas/Twice'}},"
            "{'items':{'$ref':'#/components/schemas/Twice'}}]},"
            "'Any':true,'Alias':{'$ref':'#/components/schemas/Any'},"
            "'Base':{'type':'object','properties':{'id':{'type':'integer'}},'required':['id']},"
            "'Pet':{'allOf':[{'$ref':'#/components/schemas/Base'},"
            "{'properties':{'name':{'type':'string'}}}]}}}}",
            schema) > 0);
    return text;
}

static enum schema_err check_body(const struct schema *schema, struct slice body,
                                  struct schema_error *err)
{
    struct schema_request request = {.method = SLICE("POST"),
                                     .path = SLICE("/"),
                                     .content_type = SLICE("application/json"),
                                     .body = body};
    return schema_check_request(schema, &request, err);
}

struct body_row {
    const char *schema, *body, *where; /* where NULL: it is taken */
};

static void run_bodies(const struct body_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *text = with_body(rows[i].schema), *body = quoted(rows[i].body);
        struct schema *schema = compiled(text);
        struct schema_error err = {.detail = "untouched"};
        enum schema_err code = check_body(schema, slice_str(body), &err);
        enum schema_err wanted = rows[i].where == NULL ? SCHEMA_OK : SCHEMA_EBODY_INVALID;
        if (code != wanted || (wanted != SCHEMA_OK && strcmp(err.where, rows[i].where) != 0)) {
            fail_msg("row %zu: %s with %s: %d at '%s': %s", i, rows[i].schema, rows[i].body, code,
                     err.where, err.detail);
        }
        if (wanted == SCHEMA_OK) {
            assert_string_equal(err.detail, "untouched");
        }
        schema_free(&schema);
        assert_null(schema);
        free(text);
        free(body);
    }
}

static void types(void **state)
{
    (void)state;
    static const struct body_row rows[] = {
        {"{'type':'string'}", "'a'", NULL},
        {"{'type':'string'}", "1", ""},
        {"{'type':'string'}", "null", ""},
        {"{'type':['string','null']}", "null", NULL},
        {"{'type':['string','null']}", "0", ""},
        {"{'type':'null'}", "false", ""},
        {"{'type':'boolean'}", "true", NULL},
        {"{'type':'boolean'}", "0", ""},
        {"{'type':'boolean'}", "'true'", ""},
        {"{'type':'integer'}", "1", NULL},
        {"{'type':'integer'}", "1.0", NULL},
        {"{'type':'integer'}", "1e3", NULL},
        {"{'type':'integer'}", "1.5", ""},
        {"{'type':'integer'}", "'1'", ""},
        {"{'type':'integer'}", "true", ""},
        {"{'type':'number'}", "1", NULL},
        {"{'type':'number'}", "1.5", NULL},
        {"{'type':'number'}", "'1.5'", ""},
        {"{'type':'object'}", "[]", ""},
        {"{'type':'array','items':{}}", "{}", ""},
        {"{'type':'array','items':{}}", "[1,'a',{'b':2}]", NULL},
        {"true", "{'a':1}", NULL},
        {"{}", "{'a':1}", NULL},
        {"{'$ref':'#/components/schemas/Alias'}", "{'a':1}", NULL},
        {"false", "1", ""},
        {"{'type':'object','properties':{'a':false}}", "{'a':1}", "/a"},
        {"{'enum':[1,'a',null,[1],{'x':1}]}", "{'x':1.0}", NULL},
        {"{'enum':[1,'a',null,[1],{'x':1}]}", "{'x':2}", ""},
        {"{'enum':[1,'a',null,[1],{'x':1}]}", "{'x':1,'y':1}", ""},
        {"{'enum':[1,'a',null,[1],{'x':1}]}", "[1]", NULL},
        {"{'enum':[1,'a',null,[1],{'x':1}]}", "[1,1]", ""},
        {"{'enum':[1,'a',null]}", "1.0", NULL},
        {"{'enum':[1,'a',null]}", "'A'", ""},
        {"{'enum':[1,'a',null]}", "false", ""},
        {"{'enum':[0]}", "false", ""},
        {"{'enum':[false]}", "0", ""},
        {"{'const':0}", "-0.0", NULL},
        {"{'const':0}", "null", ""},
        {"{'const':'a'}", "'ab'", ""},
        {"{'const':9007199254740993}", "9007199254740992", ""},
        {"{'const':9007199254740993}", "9007199254740993", NULL},
    };
    run_bodies(rows, ROWS(rows));
}

static void numbers(void **state)
{
    (void)state;
    static const struct body_row rows[] = {
        {"{'minimum':1}", "1", NULL},
        {"{'minimum':1}", "0.9999999999999999", ""},
        {"{'minimum':1}", "'text'", NULL},
        {"{'maximum':9007199254740992}", "9007199254740993", ""},
        {"{'maximum':9223372036854775807}", "9223372036854775807", NULL},
        {"{'minimum':-9223372036854775808}", "-9223372036854775808", NULL},
        {"{'maximum':1.5}", "1.5", NULL},
        {"{'maximum':1.5}", "1.6", ""},
        {"{'exclusiveMinimum':0}", "0", ""},
        {"{'exclusiveMinimum':0}", "1e-300", NULL},
        {"{'exclusiveMaximum':10}", "10.0", ""},
        {"{'exclusiveMaximum':10}", "9.99", NULL},
        {"{'multipleOf':2}", "7", ""},
        {"{'multipleOf':2}", "-8", NULL},
        {"{'multipleOf':0.1}", "0.3", NULL},
        {"{'multipleOf':0.1}", "0.35", ""},
        {"{'multipleOf':0.01}", "4.35", NULL},
        {"{'multipleOf':0.01}", "19.99", NULL},
        {"{'multipleOf':0.01}", "4.355", ""},
        {"{'multipleOf':0.01}", "0", NULL},
        {"{'multipleOf':0.01}", "123456789.12", NULL},
        {"{'multipleOf':0.01}", "123456789.125", ""},
        {"{'multipleOf':0.5}", "1e308", ""}, /* the quotient has no fraction to look at: refused */
        {"{'multipleOf':3}", "9223372036854775807", ""},
        {"{'multipleOf':7}", "9223372036854775807", NULL},
        {"{'type':'integer','format':'int32'}", "2147483647", NULL},
        {"{'type':'integer','format':'int32'}", "2147483648", ""},
        {"{'type':'integer','format':'int32'}", "-2147483649", ""},
        {"{'type':'integer','format':'int64'}", "9223372036854775807", NULL},
    };
    run_bodies(rows, ROWS(rows));
}

static void strings(void **state)
{
    (void)state;
    static const struct body_row rows[] = {
        {"{'minLength':2}", "'数'", ""},
        {"{'minLength':2}", "'数闸'", NULL},
        {"{'maxLength':2}", "'数闸'", NULL},
        {"{'maxLength':2}", "'😀😀'", NULL},
        {"{'maxLength':2}", "'数闸a'", ""},
        {"{'maxLength':0}", "''", NULL},
        {"{'pattern':'b'}", "'abc'", NULL},
        {"{'pattern':'^b'}", "'abc'", ""},
        {"{'pattern':'^b$'}", "'b\\n'", ""},
        {"{'pattern':'^b'}", "'a\\nb'", ""},
        {"{'pattern':'^a|b$'}", "'xb'", NULL},
        {"{'pattern':'^a|b$'}", "'xbx'", ""},
        {"{'pattern':'^a.c$'}", "'a\\nc'", ""},
        {"{'pattern':'^.$'}", "'闸'", NULL},
        {"{'pattern':'^\\\\d+$'}", "'１２'", ""},
        {"{'pattern':'^\\\\d+$'}", "'12'", NULL},
        {"{'pattern':'^\\\\u6570\\\\u{95f8}$'}", "'数闸'", NULL},
        {"{'pattern':'^[^]$'}", "'x'", NULL},
        {"{'pattern':'^\\\\p{Lu}\\\\-\\\\/$'}", "'A-/'", NULL},
        {"{'pattern':'^(?=.*[0-9])(?!.*x)(?:a|b)(?<n>[0-9])+$'}", "'a12'", NULL},
        {"{'pattern':'^(?=.*[0-9])(?!.*x)(?:a|b)(?<n>[0-9])+$'}", "'a12x'", ""},
        {"{'pattern':'^(a+)+$'}", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'",
         ""},
        {"{'pattern':'(x+x+)+y'}", "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'",
         ""},
    };
    run_bodies(rows, ROWS(rows));
}

static void formats(void **state)
{
    (void)state;
    static const struct {
        const char *format, *good, *bad; /* words, "|" between */
    } rows[] = {
        {"date", "2026-11-22|2024-02-29|1949-10-01|0001-01-01",
         "2026-02-29|2026-13-01|2026-00-10|26-11-22|2026-11-2|2026/11/"
         "22|2026-11-31||2026-11-22T|1900-02-29"},
        {"date-time",
         "2026-11-22T01:02:03Z|2026-11-22t01:02:03.123456789+08:00|1950-01-01T00:00:00-00:00",
         "2026-11-22T01:02:03|2026-11-22 "
         "01:02:03Z|2026-11-22T24:00:00Z|2026-11-22T01:60:00Z|2026-11-22T01:02:60Z|"
         "2026-11-22T01:02:03.Z|2026-11-22T01:02:03+8:00|2026-11-22T01:02:03+24:00|2026-02-30T01:"
         "02:03Z|x"},
        {"time", "01:02:03Z|23:59:59.5-11:30", "01:02:03|1:02:03Z|25:00:00Z|01:02Z|01:02:03+0800"},
        {"email", "a@b.cn|first.last+x@mail-1.example.com",
         "a|@b.cn|a@|a@b..cn|.a@b.cn|a.@b.cn|a..b@c.cn|a "
         "b@c.cn|a@-b.cn|a@b@c|a@[1.2.3.4]|a@b.cn\\u0000"},
        {"hostname", "a|www.example.com", "|a.|.a|-a|a_b|a b|数闸.cn"},
        {"uuid", "019a0000-0000-7000-8000-000000000000|019A0000-0000-7000-8000-00000000ABCD",
         "019a0000-0000-7000-8000-00000000000|019a000000007000800000000000000000|g19a0000-0000-"
         "7000-8000-000000000000"},
        {"ipv4", "0.0.0.0|255.255.255.255",
         "256.1.1.1|1.1.1|1.1.1.1.1|01.1.1.1|1.1.1.1 |0x7f.0.0.1|::1"},
        {"ipv6", "::|2001:db8::1|::ffff:1.2.3.4",
         "1::2::3|12345::|:::|fe80::1%eth0|1.2.3.4|2001:db8::1/64"},
        {"uri", "https://a.cn/x?y=1#z|urn:uuid:1|mailto:a@b.cn",
         "//a.cn|/x|a b:c|http://a/%zz|:x|http:|http://a#b#c|1a:b|数:x"},
        {"uscc", "91350200MA2XXXXXXF", "913502000000000000|91350200MA2XXXXXX|91350200ma2xxxxxxf|"},
        {"resident-id", "11010519491231002X|11010519491231002x",
         "110105194912310021|11010519491331002X|99010519491231002X|1101051949123100|"},
        {"bank-card", "6222020000000000000", "6222020000000000003|0000000000000000|622202|a"},
        {"phone-cn",
         "13800138000|+8613800138000|+86 13800138000|010-62345678|0592-1234567|02112345678",
         "12800138000|1380013800|138001380000|+8513800138000|110|0000-1234567|010-123|"
         "1380013800a|"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char schema[64];
        snprintf(schema, sizeof schema, "{'format':'%s'}", rows[i].format);
        for (int good = 0; good < 2; good++) {
            const char *p = good ? rows[i].good : rows[i].bad;
            for (bool more = true; more; p += more) {
                size_t n = strcspn(p, "|");
                char body[128];
                snprintf(body, sizeof body, "'%.*s'", (int)n, p);
                struct body_row row = {schema, body, good ? NULL : ""};
                if (strstr(body, "\\u0000") == NULL) {
                    run_bodies(&row, 1);
                }
                p += n;
                more = *p != '\0';
            }
        }
    }
}

static void arrays(void **state)
{
    (void)state;
    static const struct body_row rows[] = {
        {"{'type':'array','items':{'type':'integer'}}", "[1,2,3]", NULL},
        {"{'type':'array','items':{'type':'integer'}}", "[1,'2',3]", "/1"},
        {"{'items':{'items':{'type':'integer'}}}", "[[1],[2,null]]", "/1/1"},
        {"{'minItems':1}", "[]", ""},
        {"{'maxItems':1}", "[1,2]", ""},
        {"{'prefixItems':[{'type':'integer'},{'type':'string'}]}", "[1,'a']", NULL},
        {"{'prefixItems':[{'type':'integer'},{'type':'string'}]}", "[1]", NULL},
        {"{'prefixItems':[{'type':'integer'},{'type':'string'}]}", "['a',1]", "/0"},
        {"{'prefixItems':[{'type':'integer'},{'type':'string'}]}", "[1,'a',2]", ""},
        {"{'prefixItems':[{'type':'integer'}],'items':{'type':'null'}}", "[1,null,null]", NULL},
        {"{'prefixItems':[{'type':'integer'}],'items':{'type':'null'}}", "[1,null,2]", "/2"},
        {"{'prefixItems':[{'type':'integer'}],'items':false}", "[1,2]", "/1"},
        {"{'uniqueItems':true}", "[1,'1',true,null,[1],{'a':1}]", NULL},
        {"{'uniqueItems':true}", "[1,2,1.0]", ""},
        {"{'uniqueItems':true}", "[{'a':1,'b':2},{'b':2.0,'a':1}]", ""},
        {"{'uniqueItems':true}", "[[1,2],[2,1]]", NULL},
        {"{'uniqueItems':true}", "[['x'],0,['x']]", ""},
        {"{'uniqueItems':true}", "[1,true]", NULL},
        {"{'uniqueItems':true}", "[0,false]", NULL},
        {"{'uniqueItems':false}", "[1,1]", NULL},
    };
    run_bodies(rows, ROWS(rows));
}

static void objects(void **state)
{
    (void)state;
    static const struct body_row rows[] = {
        {"{'properties':{'a':{'type':'integer'}}}", "{'a':1}", NULL},
        {"{'properties':{'a':{'type':'integer'}}}", "{}", NULL},
        {"{'properties':{'a':{'type':'integer'}}}", "{'a':'1'}", "/a"},
        {"{'properties':{'a/b~':{'type':'integer'}}}", "{'a/b~':'1'}", "/a~1b~0"},
        {"{'properties':{'a':{'type':'integer'}}}", "{'a':1,'b':2}", "/b"},
        {"{'properties':{'a':{'type':'integer'}}}", "{'A':1}", "/A"},
        {"{'properties':{'a':{'type':'integer'}}}", "{'138 0013 8000':2}", ""},
        {"{'properties':{'a':{'type':'integer'}}}", "{'13800138000':2}", ""},
        {"{'properties':{'a':{'properties':{'b':{}}}}}", "{'a':{'b':1,'c':2}}", "/a/c"},
        {"{'type':'object'}", "{'a':1}", "/a"},
        {"{'type':'object'}", "{}", NULL},
        {"{'type':'object','additionalProperties':true}", "{'a':1}", NULL},
        {"{'type':'object','additionalProperties':{}}", "{'a':{'b':1}}", NULL},
        {"{'type':'object','additionalProperties':{'type':'integer'}}", "{'a':1}", NULL},
        {"{'type':'object','additionalProperties':{'type':'integer'}}", "{'a':'x'}", "/a"},
        {"{'type':'object','additionalProperties':{'type':'integer'}}",
         "{'11010519491231002X':'x'}", ""},
        {"{'type':'object','unevaluatedProperties':true}", "{'a':1}", NULL},
        {"{'patternProperties':{'^x_':{'type':'integer'}}}", "{'x_1':1}", NULL},
        {"{'patternProperties':{'^x_':{'type':'integer'}}}", "{'x_1':'1'}", "/x_1"},
        {"{'patternProperties':{'^x_':{'type':'integer'}}}", "{'y_1':1}", "/y_1"},
        {"{'patternProperties':{'^x_':{}},'properties':{'x_a':{'type':'null'}}}", "{'x_a':1}",
         "/x_a"},
        {"{'patternProperties':{'a':{'minimum':2},'b':{'maximum':4}}}", "{'ab':5}", "/ab"},
        {"{'required':['a'],'properties':{'a':{}}}", "{}", "/a"},
        {"{'required':['a'],'properties':{'a':{}}}", "{'a':null}", NULL},
        {"{'required':['a']}", "[]", NULL},
        {"{'minProperties':1,'additionalProperties':true}", "{}", ""},
        {"{'maxProperties':1,'additionalProperties':true}", "{'a':1,'b':2}", ""},
    };
    run_bodies(rows, ROWS(rows));
}

static void combined(void **state)
{
    (void)state;
    static const struct body_row rows[] = {
        {"{'$ref':'#/components/schemas/Pet'}", "{'id':1,'name':'x'}", NULL},
        {"{'$ref':'#/components/schemas/Pet'}", "{'id':1,'name':'x','z':1}", "/z"},
        {"{'$ref':'#/components/schemas/Pet'}", "{'name':'x'}", "/id"},
        {"{'$ref':'#/components/schemas/Pet'}", "{'id':1,'name':2}", "/name"},
        {"{'$ref':'#/components/schemas/Base','properties':{'k':{}}}", "{'id':1,'k':2}", NULL},
        {"{'$ref':'#/components/schemas/Base','additionalProperties':false}", "{'id':1}", "/id"},
        {"{'$ref':'#/components/schemas/Base','additionalProperties':true}", "{'id':1,'k':2}",
         NULL},
        {"{'allOf':[{'properties':{'a':{}}},{'properties':{'b':{}}}],'unevaluatedProperties':"
         "false}",
         "{'a':1,'b':2}", NULL},
        {"{'allOf':[{'properties':{'a':{}},'unevaluatedProperties':false},{'properties':{'b':{}}}]"
         "}",
         "{'a':1,'b':2}", "/b"},
        {"{'allOf':[{'minimum':1},{'maximum':2}]}", "3", ""},
        {"{'anyOf':[{'type':'string'},{'type':'null'}]}", "null", NULL},
        {"{'anyOf':[{'type':'string'},{'type':'null'}]}", "1", ""},
        {"{'anyOf':[{'properties':{'a':{}}},{'properties':{'b':{}}}]}", "{'a':1,'b':2}", NULL},
        {"{'anyOf':[{'properties':{'a':{}},'required':['a']},{'properties':{'b':{}},'required':['b'"
         "]}]}",
         "{'a':1,'c':2}", "/c"},
        /* a failed branch describes nothing */
        {"{'anyOf':[{'properties':{'a':{'type':'string'},'b':{}}},{'properties':{'a':{}}}]}",
         "{'a':1,'b':2}", "/b"},
        {"{'oneOf':[{'minimum':2},{'maximum':3}]}", "1", NULL},
        {"{'oneOf':[{'minimum':2},{'maximum':3}]}", "2.5", ""},
        {"{'oneOf':[{'type':'string'},{'type':'null'}]}", "1", ""},
        {"{'oneOf':[{'properties':{'k':{'const':'a'},'x':{}},'required':['k']},"
         "{'properties':{'k':{'const':'b'},'y':{}},'required':['k']}]}",
         "{'k':'b','y':1}", NULL},
        {"{'oneOf':[{'properties':{'k':{'const':'a'},'x':{}},'required':['k']},"
         "{'properties':{'k':{'const':'b'},'y':{}},'required':['k']}]}",
         "{'k':'b','x':1}", "/x"},
        {"{'not':{'type':'string'}}", "'a'", ""},
        {"{'not':{'type':'string'}}", "1", NULL},
        {"{'not':{'not':{'type':'string'}}}", "1", ""},
        {"{'not':{'required':['a']},'properties':{'a':{},'b':{}}}", "{'a':1}", ""},
        {"{'not':{'required':['a']},'properties':{'a':{},'b':{}}}", "{'b':1}", NULL},
        {"{'not':true}", "1", ""},
        {"{'$ref':'#/components/schemas/Tree'}", "{'v':1,'kids':[{'v':2,'kids':[{'v':3}]}]}", NULL},
        {"{'$ref':'#/components/schemas/Tree'}", "{'v':1,'kids':[{'v':2,'kids':[{'v':'3'}]}]}",
         "/kids/0/kids/0/v"},
        {"{'$ref':'#/components/schemas/Tree'}", "{'v':1,'kids':[{'v':2,'kids':[{'w':3}]}]}",
         "/kids/0/kids/0/v"},
        {"{'$defs':{'n':{'type':'null'}},'$ref':'#/paths/~1/post/requestBody/content/"
         "application~1json/schema/$defs/n'}",
         "1", ""},
    };
    run_bodies(rows, ROWS(rows));
}

/* What cannot be enforced, in a schema. where is below the schema. */
static const struct {
    const char *schema, *where;
} bad_schemas[] = {
    {"1", ""},
    {"{'type':'text'}", "/type"},
    {"{'type':[]}", "/type"},
    {"{'type':1}", "/type"},
    {"{'nullable':true}", "/nullable"},
    {"{'if':true}", "/if"},
    {"{'contains':{}}", "/contains"},
    {"{'propertyNames':{}}", "/propertyNames"},
    {"{'dependentRequired':{}}", "/dependentRequired"},
    {"{'unevaluatedItems':false}", "/unevaluatedItems"},
    {"{'unevaluatedProperties':{'type':'string'}}", "/unevaluatedProperties"},
    {"{'$dynamicRef':'#x'}", "/$dynamicRef"},
    {"{'$anchor':'x'}", "/$anchor"},
    {"{'$id':'x'}", "/$id"},
    {"{'$schema':'x'}", "/$schema"},
    {"{'minLenght':1}", "/minLenght"},
    {"{'properties':{'a/b':{'nope':1}}}", "/properties/a~1b/nope"},
    {"{'$ref':'other.json#/x'}", "/$ref"},
    {"{'$ref':'https://a.cn/x'}", "/$ref"},
    {"{'$ref':'#/components/schemas/Nobody'}", "/$ref"},
    {"{'$ref':'#/components/schemas/Ba%73e'}", "/$ref"},
    {"{'$ref':'#/components/~2'}", "/$ref"},
    {"{'$ref':'#anchor'}", "/$ref"},
    {"{'$ref':1}", "/$ref"},
    {"{'type':'array'}", ""},
    {"{'enum':[]}", "/enum"},
    {"{'enum':1}", "/enum"},
    {"{'minimum':'1'}", "/minimum"},
    {"{'exclusiveMinimum':true}", "/exclusiveMinimum"},
    {"{'multipleOf':0}", "/multipleOf"},
    {"{'multipleOf':-1}", "/multipleOf"},
    {"{'minLength':-1}", "/minLength"},
    {"{'minLength':1.5}", "/minLength"},
    {"{'maxItems':4294967296}", "/maxItems"},
    {"{'uniqueItems':1}", "/uniqueItems"},
    {"{'required':true}", "/required"},
    {"{'required':[1]}", "/required"},
    {"{'properties':[]}", "/properties"},
    {"{'allOf':[]}", "/allOf"},
    {"{'allOf':{}}", "/allOf"},
    {"{'anyOf':[1]}", "/anyOf/0"},
    {"{'format':'iban'}", "/format"},
    {"{'format':1}", "/format"},
    {"{'pattern':1}", "/pattern"},
    {"{'pattern':'('}", "/pattern"},
    {"{'pattern':'(a)\\\\1'}", "/pattern"},
    {"{'pattern':'\\\\Aa'}", "/pattern"},
    {"{'pattern':'a++'}", "/pattern"},
    {"{'pattern':'a{1,2}+'}", "/pattern"},
    {"{'pattern':'a{,2}'}", "/pattern"},
    {"{'pattern':'(?i)a'}", "/pattern"},
    {"{'pattern':'(?R)'}", "/pattern"},
    {"{'pattern':'(?>a)'}", "/pattern"},
    {"{'pattern':'(*ACCEPT)'}", "/pattern"},
    {"{'pattern':'[[:alpha:]]'}", "/pattern"},
    {"{'pattern':'[a'}", "/pattern"},
    {"{'pattern':'\\\\Q.'}", "/pattern"},
    {"{'pattern':'\\\\v'}", "/pattern"},
    {"{'pattern':'\\\\012'}", "/pattern"},
    {"{'pattern':'a\\\\'}", "/pattern"},
    {"{'pattern':'a)(b'}", "/pattern"},
    {"{'pattern':'((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))'}",
     "/pattern"},
    {"{'patternProperties':{'(':true}}", "/patternProperties/("},
};

static void schema_refusals(void **state)
{
    (void)state;
    static const char base[] = "/paths/~1/post/requestBody/content/application~1json/schema";
    for (size_t i = 0; i < ROWS(bad_schemas); i++) {
        char *text = with_body(bad_schemas[i].schema), where[SCHEMA_WHERE_MAX + 1];
        struct schema *schema = (struct schema *)&bad_schemas; /* must stay */
        struct schema_error err;
        snprintf(where, sizeof where, "%s%s", base, bad_schemas[i].where);
        enum schema_err code = compile_text(text, &schema, &err);
        if (code != SCHEMA_EDOCUMENT || strcmp(err.where, where) != 0 || strlen(err.detail) < 10) {
            fail_msg("row %zu: %s: %d at %s", i, bad_schemas[i].schema, code, err.where);
        }
        assert_ptr_equal(schema, &bad_schemas);
        free(text);
    }
}

static void circles(void **state)
{
    (void)state;
    static const char *const schemas[] = {
        "'A':{'$ref':'#/components/schemas/A'}",
        "'A':{'$ref':'#/components/schemas/B'},'B':{'$ref':'#/components/schemas/A'}",
        "'A':{'allOf':[{'type':'object'},{'anyOf':[{'$ref':'#/components/schemas/A'}]}]}",
        "'A':{'not':{'$ref':'#/components/schemas/A'}}",
        "'A':{'items':{'$ref':'#/components/B'}}},'B':{'oneOf':[{'$ref':'#/components/B'}]",
    };
    for (size_t i = 0; i < ROWS(schemas); i++) {
        char *text;
        struct schema *schema = NULL;
        struct schema_error err;
        assert_true(
            asprintf(
                &text,
                "{'paths':{'/':{'post':{'requestBody':{'content':{'application/json':{'schema':"
                "{'$ref':'#/components/schemas/A'}}}}}}},'components':{'schemas':{%s}}}",
                schemas[i]) > 0);
        assert_int_equal(compile_text(text, &schema, &err), SCHEMA_EDOCUMENT);
        assert_non_null(strstr(err.detail, "circle"));
        free(text);
    }
}

/* 2^30 ways through nested anyOf: a check may not walk them all. */
static void doubled_branches(void **state)
{
    (void)state;
    char *text = with_body("{'$ref':'#/components/schemas/Twice'}");
    struct schema *schema = compiled(text);
    struct schema_error err;
    assert_int_equal(check_body(schema, SLICE("[[[[]]]]"), &err), SCHEMA_OK);
    assert_int_equal(check_body(schema, SLICE("[[[[null]]]]"), &err), SCHEMA_EBODY_INVALID);
    assert_int_equal(
        check_body(schema,
                   SLICE("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[null]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), &err),
        SCHEMA_ELIMIT);
    schema_free(&schema);
    free(text);
}

#define GET(rest) "{'paths':{'/':{'get':{" rest "}}}}"
#define PARAMETER(rest)                                                                            \
    GET("'parameters':[{'name':'a','in':'query','schema':{'type':'string'}," rest "}]")
static const struct {
    const char *document, *where;
} bad_documents[] = {
    {"[]", ""},
    {"{}", "/paths"},
    {"{'paths':{}}", "/paths"},
    {"{'paths':[]}", "/paths"},
    {"{'openapi':'3.0.3','paths':{'/':{}}}", "/openapi"},
    {"{'swagger':'2.0','paths':{'/':{}}}", "/swagger"},
    {"{'jsonSchemaDialect':'x','paths':{'/':{}}}", "/jsonSchemaDialect"},
    {"{'paths':{'a':{}}}", "/paths/a"},
    {"{'paths':{'/{a}.json':{}}}", "/paths/~1{a}.json"},
    {"{'paths':{'/a%20b':{}}}", "/paths/~1a%20b"},
    {"{'paths':{'/a?b':{}}}", "/paths/~1a?b"},
    {"{'paths':{'/{a}':{},'/{b}':{}}}", "/paths"},
    {"{'paths':{'/':{'$ref':'#/x'}}}", "/paths/~1/$ref"},
    {"{'paths':{'/':{'query':{}}}}", "/paths/~1/query"},
    {"{'paths':{'/':{'get':1}}}", "/paths/~1/get"},
    {GET("'nope':1"), "/paths/~1/get/nope"},
    {GET("'x-sluice-query':true"), "/paths/~1/get/x-sluice-query"},
    {GET("'parameters':{}"), "/paths/~1/get/parameters"},
    {GET("'parameters':[{'name':'a','in':'cookie','schema':{'type':'string'}}]"),
     "/paths/~1/get/parameters/0"},
    {GET("'parameters':[{'name':'a','in':'query','content':{}}]"),
     "/paths/~1/get/parameters/0/content"},
    {GET("'parameters':[{'name':'a','in':'query'}]"), "/paths/~1/get/parameters/0"},
    {GET("'parameters':[{'in':'query','schema':{'type':'string'}}]"),
     "/paths/~1/get/parameters/0/name"},
    {GET("'parameters':[{'name':'Authorization','in':'header','schema':{'type':'string'}}]"),
     "/paths/~1/get/parameters/0/name"},
    {GET("'parameters':[{'name':'a','in':'query','schema':{}}]"),
     "/paths/~1/get/parameters/0/schema"},
    {GET("'parameters':[{'name':'a','in':'query','schema':{'type':'object'}}]"),
     "/paths/~1/get/parameters/0/schema"},
    {GET("'parameters':[{'name':'a','in':'query','schema':{'type':['string','null']}}]"),
     "/paths/~1/get/parameters/0/schema"},
    {GET("'parameters':[{'name':'a','in':'query','schema':{'type':'array','items':{'type':'"
         "array'}}}]"),
     "/paths/~1/get/parameters/0/schema"},
    {GET("'parameters':[{'name':'a','in':'path','required':true,'schema':{'type':'string'}}]"),
     "/paths/~1/get"},
    {GET("'parameters':[{'name':'a','in':'path','schema':{'type':'string'}}]"),
     "/paths/~1/get/parameters/0"},
    {"{'paths':{'/':{'get':{'requestBody':{'$ref':'#/components/"
     "b','required':true}}}},'components':{'b':{}}}",
     "/paths/~1/get/requestBody/required"},
    {GET("'parameters':[{'$ref':'#/components/parameters/x'}]"), "/paths/~1/get/parameters/0"},
    {"{'paths':{'/':{'get':{'parameters':[{'$ref':'#/components/parameters/x'}]}}},"
     "'components':{'parameters':{'x':{'$ref':'#/components/parameters/x'}}}}",
     "/components/parameters/x"},
    {GET("'parameters':[{'name':'a','in':'query','schema':{'type':'string'}},"
         "{'name':'a','in':'query','schema':{'type':'string'}}]"),
     "/paths/~1/get/parameters/1"},
    {PARAMETER("'style':'deepObject'"), "/paths/~1/get/parameters/0/style"},
    {PARAMETER("'style':'pipeDelimited'"), "/paths/~1/get/parameters/0/style"},
    {PARAMETER("'explode':1"), "/paths/~1/get/parameters/0/explode"},
    {PARAMETER("'allowEmptyValue':true"), "/paths/~1/get/parameters/0/allowEmptyValue"},
    {"{'paths':{'/{id}':{'get':{}}}}", "/paths/~1{id}/get"},
    {GET("'requestBody':{}"), "/paths/~1/get/requestBody"},
    {GET("'requestBody':{'content':{}}"), "/paths/~1/get/requestBody"},
    {GET("'requestBody':{'content':{'*/*':{}}}"), "/paths/~1/get/requestBody/content/*~1*"},
    {GET("'requestBody':{'content':{'application/json; charset=utf-8':{}}}"),
     "/paths/~1/get/requestBody/content/application~1json; charset=utf-8"},
    {GET("'requestBody':{'content':{'multipart/form-data':{}}}"),
     "/paths/~1/get/requestBody/content/multipart~1form-data"},
    {GET("'requestBody':{'content':{'application/x-www-form-urlencoded':{}}}"),
     "/paths/~1/get/requestBody/content/application~1x-www-form-urlencoded"},
    {GET("'requestBody':{'content':{'text/csv':{'schema':{'type':'string'}}}}"),
     "/paths/~1/get/requestBody/content/text~1csv/schema"},
    {GET("'requestBody':{'content':{'application/json':{'encoding':{}}}}"),
     "/paths/~1/get/requestBody/content/application~1json/encoding"},
    {GET("'responses':{'600':{}}"), "/paths/~1/get/responses/600"},
    {GET("'responses':{'20X':{}}"), "/paths/~1/get/responses/20X"},
    {"{'x-sluice-version':{'in':'header','name':'V'},'paths':{'/':{}}}", "/x-sluice-version"},
    {"{'info':{'version':'1'},'x-sluice-version':{'in':'path','name':'V'},'paths':{'/':{}}}",
     "/x-sluice-version"},
};

static void document_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(bad_documents); i++) {
        struct schema *schema = NULL;
        struct schema_error err;
        enum schema_err code = compile_text(bad_documents[i].document, &schema, &err);
        if (code != SCHEMA_EDOCUMENT || strcmp(err.where, bad_documents[i].where) != 0) {
            fail_msg("row %zu: %s: %d at %s: %s", i, bad_documents[i].document, code, err.where,
                     err.detail);
        }
        assert_null(schema);
    }
}

static void document_bounds(void **state)
{
    (void)state;
    struct schema *schema = NULL;
    struct schema_error err;
    json_t *deep = json_object(), *many = json_pack("{s:{s:{}}}", "paths", "/");
    for (int i = 0; i < SCHEMA_DOCUMENT_DEPTH; i++) {
        deep = json_pack("{s:o}", "x-deep", deep);
    }
    assert_int_equal(schema_compile(deep, &schema, &err), SCHEMA_EDOCUMENT);
    json_t *list = json_array();
    for (int i = 0; i < SCHEMA_DOCUMENT_VALUES; i++) {
        json_array_append_new(list, json_null());
    }
    json_object_set_new(many, "x-many", list);
    assert_int_equal(schema_compile(many, &schema, &err), SCHEMA_EDOCUMENT);
    json_t *schemas = json_array(), *paths;
    for (int i = 0; i < SCHEMA_NODES_MAX; i++) {
        json_array_append_new(schemas, json_object());
    }
    paths = json_pack("{s:{s:{s:{s:{s:{s:{s:{s:o}}}}}}}}", "paths", "/", "post", "requestBody",
                      "content", "application/json", "schema", "allOf", schemas);
    assert_int_equal(schema_compile(paths, &schema, &err), SCHEMA_EDOCUMENT);
    assert_null(schema);
    json_decref(deep);
    json_decref(many);
    json_decref(paths);
}

static void long_texts(void **state)
{
    (void)state;
    enum { LONG = SCHEMA_PATTERN_INPUT };
    static const struct {
        const char *schema;
        enum schema_err longest;
    } rows[] = {
        {"{'pattern':'^(a|x)*$'}", SCHEMA_OK},
        {"{'pattern':'^((x*)*)*[yz]$'}", SCHEMA_EBODY_INVALID},
        {"{'pattern':'x*[yz]'}", SCHEMA_EBODY_INVALID},
        {"{'pattern':'(x+x+)+[yz]'}", SCHEMA_ELIMIT},
        {"{'pattern':'(?=.*[yz])x'}", SCHEMA_ELIMIT},
    };
    char *body = malloc(LONG + 3);
    for (size_t i = 0; i < ROWS(rows); i++) {
        char *text = with_body(rows[i].schema);
        struct schema *schema = compiled(text);
        struct schema_error err;
        memset(body, 'x', LONG + 3);
        body[0] = body[LONG + 2] = '"';
        assert_int_equal(check_body(schema, slice_of(body, LONG + 3), &err), SCHEMA_ELIMIT);
        body[LONG + 1] = '"';
        assert_int_equal(check_body(schema, slice_of(body, LONG + 2), &err), rows[i].longest);
        schema_free(&schema);
        free(text);
    }
    free(body);
}

/* One compiled form, several threads. */
static void *check_often(void *schema)
{
    struct schema_error err;
    size_t wrong = 0;
    for (int i = 0; i < 500; i++) {
        wrong += check_body(schema, SLICE("{\"v\":1,\"kids\":[{\"v\":2}],\"s\":\"ab1\"}"), &err) !=
                 SCHEMA_OK;
        wrong += check_body(schema, SLICE("{\"v\":1,\"s\":\"zz\"}"), &err) != SCHEMA_EBODY_INVALID;
    }
    return (void *)wrong;
}

static void threads(void **state)
{
    (void)state;
    char *text =
        with_body("{'$ref':'#/components/schemas/Tree','properties':{'s':{'pattern':'b[0-9]'}}}");
    struct schema *schema = compiled(text);
    pthread_t list[4];
    for (size_t i = 0; i < ROWS(list); i++) {
        assert_int_equal(pthread_create(&list[i], NULL, check_often, schema), 0);
    }
    for (size_t i = 0; i < ROWS(list); i++) {
        void *wrong;
        assert_int_equal(pthread_join(list[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_in_range(schema_size_bytes(schema), 4096, 65536);
    schema_free(&schema);
    schema_free(&schema);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-7.2.2a] a value of the wrong type, or none of those listed, is refused", types, NULL,
         NULL, NULL},
        {"[BK-7.2.2a] a number out of its range or off its step is refused", numbers, NULL, NULL,
         NULL},
        {"[BK-7.2.2a] a text of the wrong length or pattern is refused", strings, NULL, NULL, NULL},
        {"[BK-7.2.2a] a text that is not of its format is refused, fourteen formats", formats, NULL,
         NULL, NULL},
        {"[BK-7.2.2a] an array with wrong, too many or equal items is refused", arrays, NULL, NULL,
         NULL},
        {"[BK-7.2.2a] a missing or unknown member is refused, and only a plain name is shown",
         objects, NULL, NULL, NULL},
        {"[BK-7.2.2a] combined schemas share what they describe", combined, NULL, NULL, NULL},
        {"[SW-8.3.4-security] a schema that cannot be enforced is refused, with the place",
         schema_refusals, NULL, NULL, NULL},
        {"[SW-8.3.4-security] schemas that refer in a circle are refused", circles, NULL, NULL,
         NULL},
        {"[BK-7.3.2a1] a body that multiplies the branches of a schema is cut short",
         doubled_branches, NULL, NULL, NULL},
        {"[SW-8.3.4-security] a description that cannot be enforced is refused, with the place",
         document_refusals, NULL, NULL, NULL},
        {"[BK-7.3.2a1] a description past its bounds is refused", document_bounds, NULL, NULL,
         NULL},
        {"[BK-7.3.2a1] no text makes a pattern slow", long_texts, NULL, NULL, NULL},
        {"threads share one compiled description", threads, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
