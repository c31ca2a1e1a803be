/* SPDX-License-Identifier: Apache-2.0 */
/* One definition, rows that each put one document through it. Most rows must be refused. Documents
 * are written with ' for ". */
#include "convert/convert.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

#include "convert/convert_testing.h"

#define C     "xmlns='" TESTING_NS "'"
#define OPEN  "<Declaration " C " id='1'>"
#define CLOSE "</Declaration>"
#define NO    "<no>n</no>"
#define MORE  "xmlns:m='urn:example:more'"

static struct convert *conv;

static int setup(void **state)
{
    (void)state;
    struct convert_error e = {0};
    json_t *d = testing_json(testing_definition);
    enum convert_err err = convert_compile(d, &conv, &e);
    json_decref(d);
    if (err != CONVERT_OK) {
        fprintf(stderr, "%s at %s\n", e.text, e.where);
    }
    return err;
}

static int teardown(void **state)
{
    (void)state;
    convert_free(&conv);
    return 0;
}

static const struct convert_op *op_of(const char *method, const char *path)
{
    const struct convert_op *op = convert_find(conv, slice_str(method), slice_str(path));
    assert_non_null(op);
    return op;
}

/* ' becomes ". */
static struct buf quoted(const char *text)
{
    struct buf b;
    buf_init(&b);
    for (; *text != '\0'; text++) {
        buf_addc(&b, *text == '\'' ? '"' : *text);
    }
    return b;
}

struct row {
    const char *in;
    enum convert_err err;
    const char *out; /* the whole result, or of an error where it is */
};

static bool same_json(struct slice a, const char *b)
{
    json_t *x = json_loadb(a.p, a.n, JSON_DECODE_ANY, NULL), *y = testing_json(b);
    bool same = x != NULL && y != NULL && json_equal(x, y) == 1;
    json_decref(x);
    json_decref(y);
    return same;
}

static void check(const struct row *row, enum convert_err err, const struct convert_error *e,
                  const struct buf *out, struct slice want)
{
    if (err != row->err) {
        fail_msg("%.200s: %s (%s), not %s", row->in, convert_strerror(err), e->where,
                 convert_strerror(row->err));
    }
    struct slice got = err == CONVERT_OK ? buf_slice(out) : slice_str(e->where);
    if (!slice_eq(got, want)) {
        fail_msg("%.200s: <%.*s>, not <%.*s>", row->in, SLICE_FMT(got), SLICE_FMT(want));
    }
    assert_true(err == CONVERT_OK || (e->code == err && e->text != NULL && out->n == 0));
}

static void run(const struct convert_op *op, enum convert_side side, enum convert_form form,
                bool to_xml, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf in = quoted(rows[i].in), want = quoted(rows[i].out), out;
        struct convert_error e = {0};
        buf_init(&out);
        enum convert_err err = (to_xml ? convert_to_xml : convert_to_json)(
            op, side, form, buf_slice(&in), &out, NULL, &e);
        check(&rows[i], err, &e, &out, buf_slice(&want));
        buf_fini(&in);
        buf_fini(&want);
        buf_fini(&out);
    }
}
#define RUN(op, side, form, to_xml, rows)                                                          \
    run(op, side, form, to_xml, rows, sizeof(rows) / sizeof *(rows))

#define HEAD                                                                                       \
    "<?xml version='1.0' encoding='UTF-8'?><c:Declaration xmlns:c='" TESTING_NS "' " MORE          \
    " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
#define TAIL "</c:Declaration>"
#define CN   "<c:no>n</c:no>"
#define J(x) "{'@id':'1','no':'n'," x "}"
#define X(x) HEAD " id='1'>" CN x TAIL

static const struct row to_xml_rows[] = {
    {"{'@id':'1','no':'n'}", CONVERT_OK, X("")},
    {"{'no':'n','@id':'1'}", CONVERT_OK, X("")}, /* attributes go into the start tag */
    {"{'urgent':true,'revision':7,'mode':'sea','no':'n','@id':'1'}", CONVERT_OK,
     HEAD " id='1' m:rev='7'>" CN "<c:mode>sea</c:mode><c:urgent>true</c:urgent>" TAIL},
    {J("'weight':1.10,'count':'12345678901234567890','ratio':1E400"), CONVERT_OK,
     X("<c:weight>1.10</c:weight><c:count>12345678901234567890</c:count><c:ratio>1E400</c:ratio>")},
    {J("'weight':null"), CONVERT_OK, X("<c:weight xsi:nil='true'/>")},
    {J("'party':{'name':'a','agent':{'name':'b'}}"), CONVERT_OK,
     X("<c:party><c:name>a</c:name><c:agent><c:name>b</c:name></c:agent></c:party>")},
    {J("'items':[]"), CONVERT_OK, X("<c:goods></c:goods>")},
    {J("'items':[{'qty':2,'code':'k'}]"), CONVERT_OK,
     X("<c:goods><c:item><c:code>k</c:code><c:qty>2</c:qty></c:item></c:goods>")},
    {J("'notes':['x','<&>\\r\\t']"), CONVERT_OK,
     X("<m:note>x</m:note><m:note>&lt;&amp;&gt;&#13;\t</m:note>")},
    {J("'fee':{'#text':0.10,'@currency':'a\\n\\u4e2d\\ud83d\\ude00'}"), CONVERT_OK,
     X("<c:fee currency='a&#10;\u4e2d\U0001f600'>0.10</c:fee>")},
    {J("'day':'2028-02-29','at':'2026-11-22T23:59:59.5+08:00','scan':'QQ=='"), CONVERT_OK,
     X("<c:day>2028-02-29</c:day><c:at>2026-11-22T23:59:59.5+08:00</c:at><c:scan>QQ==</c:scan>")},
    {"", CONVERT_EREQUIRED, "no"},
    {"[]", CONVERT_ETYPE, ""},
    {"{'@id':'1'}", CONVERT_EREQUIRED, "no"},
    {"{'no':'n'}", CONVERT_EREQUIRED, "@id"},
    {J("'other':1"), CONVERT_EUNKNOWN, ""},
    {J("'no':'m'"), CONVERT_EDUPLICATE, "no"},
    {J("'@id':'2'"), CONVERT_EDUPLICATE, "@id"},
    {J("'n\\u006f':'m'"), CONVERT_EDUPLICATE, "no"}, /* an escaped name is the same name */
    {J("'mode':'road'"), CONVERT_EVALUE, "mode"},
    {J("'mode':1"), CONVERT_ETYPE, "mode"},
    {J("'weight':'1'"), CONVERT_ETYPE, "weight"},
    {J("'weight':1e3"), CONVERT_EVALUE, "weight"},
    {J("'weight':01"), CONVERT_ESYNTAX, "weight"},
    {J("'weight':+1"), CONVERT_ESYNTAX, "weight"},
    {J("'weight':1."), CONVERT_ESYNTAX, "weight"},
    {J("'weight':NaN"), CONVERT_ESYNTAX, "weight"},
    {J("'count':1"), CONVERT_ETYPE, "count"},
    {J("'count':'1.0'"), CONVERT_EVALUE, "count"},
    {J("'urgent':1"), CONVERT_ETYPE, "urgent"},
    {J("'urgent':'true'"), CONVERT_ETYPE, "urgent"},
    {J("'urgent':null"), CONVERT_ENIL, "urgent"},
    {J("'day':'2027-02-29'"), CONVERT_EVALUE, "day"},
    {J("'day':'2026-13-01'"), CONVERT_EVALUE, "day"},
    {J("'at':'2026-11-22'"), CONVERT_EVALUE, "at"},
    {J("'at':'2026-11-22T24:00:00Z'"), CONVERT_EVALUE, "at"},
    {J("'at':'2026-11-22T00:00:00+15:00'"), CONVERT_EVALUE, "at"},
    {J("'scan':'Q'"), CONVERT_EVALUE, "scan"},
    {J("'scan':'Q==='"), CONVERT_EVALUE, "scan"},
    {J("'party':[]"), CONVERT_ETYPE, "party"},
    {J("'party':{'agent':{}}"), CONVERT_EREQUIRED, "party.agent.name"},
    {J("'items':{}"), CONVERT_ETYPE, "items"},
    {J("'items':[{'code':'k'},{'qty':1}]"), CONVERT_EREQUIRED, "items[1].code"},
    {J("'items':[{'code':'k','qty':1.5}]"), CONVERT_EVALUE, "items[0].qty"},
    {J("'items':[{'code':'1'},{'code':'2'},{'code':'3'},{'code':'4'},{'code':'5'}]"),
     CONVERT_ECOUNT, "items[4]"},
    {J("'notes':'x'"), CONVERT_ETYPE, "notes"},
    {J("'notes':[['x']]"), CONVERT_ETYPE, "notes[0]"},
    {J("'notes':['x',]"), CONVERT_ESYNTAX, "notes[1]"},
    {J("'notes':['\\u0000']"), CONVERT_ECHARACTER, "notes[0]"},
    {J("'notes':['\\u000b']"), CONVERT_ECHARACTER, "notes[0]"},
    {J("'notes':['\\uffff']"), CONVERT_ECHARACTER, "notes[0]"},
    {J("'notes':['\xef\xbf\xbe']"), CONVERT_ECHARACTER, "notes[0]"},
    {J("'notes':['\\ud800']"), CONVERT_ESYNTAX, "notes[0]"},
    {J("'notes':['\\udc00\\ud800']"), CONVERT_ESYNTAX, "notes[0]"},
    {J("'notes':['\\x']"), CONVERT_ESYNTAX, "notes[0]"},
    {J("'notes':['\t']"), CONVERT_ESYNTAX, "notes[0]"},
    {J("'notes':['\xc0\xaf']"), CONVERT_EENCODING, ""},
    {J("'notes':['\xed\xa0\x80']"), CONVERT_EENCODING, ""},
    {J("'fee':1"), CONVERT_ETYPE, "fee"},
    {J("'fee':{'@currency':'x'}"), CONVERT_EREQUIRED, "fee.#text"},
    {J("'fee':{'#text':1}"), CONVERT_EREQUIRED, "fee.@currency"},
    {J("'fee':{'@currency':'x','#text':{}}"), CONVERT_ETYPE, "fee.#text"},
    {J("'cash':'x','card':1"), CONVERT_ECHOICE, "card"},
    {"{'@id':'1','no':'n'", CONVERT_ESYNTAX, "no"},
    {"{'@id':'1','no':'n'}}", CONVERT_ESYNTAX, ""},
    {"{'@id':'1','no':'n'}{}", CONVERT_ESYNTAX, ""},
    {"{'@id':'1' 'no':'n'}", CONVERT_ESYNTAX, "@id"},
    {"{'@id':'1',}", CONVERT_ESYNTAX, "@id"},
};

static void json_becomes_xml(void **state)
{
    (void)state;
    RUN(op_of("POST", "/Declare"), CONVERT_REQUEST, CONVERT_XML, true, to_xml_rows);
}

static const struct row to_json_rows[] = {
    {OPEN NO CLOSE, CONVERT_OK, "{'@id':'1','no':'n'}"},
    {"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n<!-- x -->" OPEN NO
         CLOSE,
     CONVERT_OK, "{'@id':'1','no':'n'}"},
    /* prefixes mean nothing, namespaces do */
    {"<q:Declaration xmlns:q='" TESTING_NS "' " MORE
     " m:rev='+07' id='1'><q:no>n</q:no></q:Declaration>",
     CONVERT_OK, "{'revision':7,'@id':'1','no':'n'}"},
    {OPEN "<no><![CDATA[<a>&amp;]]>&lt;&#65;</no>" CLOSE, CONVERT_OK,
     "{'@id':'1','no':'<a>&amp;<A'}"},
    {"<Declaration " C " id='a&amp;b&quot;'>" NO CLOSE, CONVERT_OK, "{'@id':'a&b\\\"','no':'n'}"},
    {OPEN NO
     "<weight> 1.10 </weight><count>+5</count><ratio>-.5E-3</ratio><urgent>1</urgent>" CLOSE,
     CONVERT_OK, "{'@id':'1','no':'n','weight':1.10,'count':'+5','ratio':-0.5E-3,'urgent':true}"},
    {OPEN NO "<weight xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>" CLOSE,
     CONVERT_OK, "{'@id':'1','no':'n','weight':null}"},
    {OPEN NO "<goods><item><code>k</code></item></goods>" CLOSE, CONVERT_OK,
     "{'@id':'1','no':'n','items':[{'code':'k'}]}"},
    {OPEN NO "<goods/>" CLOSE, CONVERT_OK, "{'@id':'1','no':'n','items':[]}"},
    {OPEN NO "<n:note xmlns:n='urn:example:more'>x</n:note>" CLOSE, CONVERT_OK,
     "{'@id':'1','no':'n','notes':['x']}"}, /* an array of one */
    {OPEN NO "<fee currency='CNY'>1.50</fee><card>1</card>" CLOSE, CONVERT_OK,
     "{'@id':'1','no':'n','fee':{'@currency':'CNY','#text':1.50},'card':1}"},
    {"", CONVERT_ESYNTAX, ""},
    {"x", CONVERT_ESYNTAX, ""},
    {"<Declaration id='1'><no>n</no></Declaration>", CONVERT_EROOT, ""},
    {"<Other " C "/>", CONVERT_EROOT, ""},
    {"<Declaration xmlns='urn:example:customs2' id='1'/>", CONVERT_EROOT, ""},
    {"<c:Declaration id='1'><c:no>n</c:no></c:Declaration>", CONVERT_ESYNTAX, ""},
    {OPEN "<no xmlns=''>n</no>" CLOSE, CONVERT_EUNKNOWN, ""},
    {OPEN "<m:no " MORE ">n</m:no>" CLOSE, CONVERT_EUNKNOWN, ""},
    {OPEN NO "<note>x</note>" CLOSE, CONVERT_EUNKNOWN, ""},
    {OPEN NO NO CLOSE, CONVERT_EDUPLICATE, "no"},
    {OPEN "<mode>sea</mode>" NO CLOSE, CONVERT_EORDER, "no"},
    {OPEN "<mode>sea</mode>" CLOSE, CONVERT_EREQUIRED, "no"},
    {OPEN NO "<mode>SEA</mode>" CLOSE, CONVERT_EVALUE, "mode"},
    {OPEN NO "<weight>1e3</weight>" CLOSE, CONVERT_EVALUE, "weight"},
    {OPEN NO "<weight/>" CLOSE, CONVERT_EVALUE, "weight"},
    {OPEN NO "<weight>.</weight>" CLOSE, CONVERT_EVALUE, "weight"},
    {OPEN NO "<ratio>INF</ratio>" CLOSE, CONVERT_EVALUE, "ratio"},
    {OPEN NO "<urgent>TRUE</urgent>" CLOSE, CONVERT_EVALUE, "urgent"},
    {OPEN NO "<day>2026-00-01</day>" CLOSE, CONVERT_EVALUE, "day"},
    {OPEN NO "<scan>A</scan>" CLOSE, CONVERT_EVALUE, "scan"},
    {OPEN NO "x" CLOSE, CONVERT_ETEXT, ""},
    {OPEN NO "<party>x<name>a</name></party>" CLOSE, CONVERT_ETEXT, "party"},
    {OPEN NO "<party><agent/></party>" CLOSE, CONVERT_EREQUIRED, "party.agent.name"},
    {OPEN "<no>n<b/></no>" CLOSE, CONVERT_EUNKNOWN, "no"},
    {OPEN NO "<goods><item/></goods>" CLOSE, CONVERT_EREQUIRED, "items[0].code"},
    {OPEN NO "<goods><x/></goods>" CLOSE, CONVERT_EUNKNOWN, "items"},
    {"<Declaration " C " id='1' x='2'>" NO CLOSE, CONVERT_EATTRIBUTE, ""},
    {"<Declaration " C " c:id='1' xmlns:c='" TESTING_NS "'>" NO CLOSE, CONVERT_EATTRIBUTE, ""},
    {"<Declaration " C ">" NO CLOSE, CONVERT_EREQUIRED, "@id"},
    {"<Declaration " C " id='1' id='2'>" NO CLOSE, CONVERT_ESYNTAX, ""},
    {OPEN "<no xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/>" CLOSE,
     CONVERT_ENIL, "no"},
    {OPEN NO
     "<weight xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'>1</weight>" CLOSE,
     CONVERT_ENIL, "weight"},
    {OPEN NO
     "<weight xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:type='x'>1</weight>" CLOSE,
     CONVERT_EATTRIBUTE, "weight"},
    {OPEN NO "<cash>x</cash><card>1</card>" CLOSE, CONVERT_ECHOICE, "card"},
    {OPEN NO, CONVERT_ESYNTAX, ""},
    {OPEN NO "</declaration>", CONVERT_ESYNTAX, ""},
    {OPEN NO CLOSE OPEN NO CLOSE, CONVERT_ESYNTAX, ""},
    {OPEN "<no>&nbsp;</no>" CLOSE, CONVERT_ESYNTAX, "no"},
    {OPEN "<no>&#0;</no>" CLOSE, CONVERT_ESYNTAX, "no"},
    {OPEN "<no>\x0b</no>" CLOSE, CONVERT_ESYNTAX, "no"},
};

static void xml_becomes_json(void **state)
{
    (void)state;
    RUN(op_of("POST", "/Declare"), CONVERT_REQUEST, CONVERT_XML, false, to_json_rows);
}

static const struct row attack_rows[] = {
    {"<!DOCTYPE a [<!ENTITY x 'y'>]>" OPEN "<no>&x;</no>" CLOSE, CONVERT_EDOCTYPE, ""},
    {"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b "
     "'&a;&a;&a;&a;&a;&a;&a;&a;'>"
     "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;'>]>" OPEN "<no>&c;</no>" CLOSE,
     CONVERT_EDOCTYPE, ""},
    {"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" OPEN "<no>&x;</no>" CLOSE,
     CONVERT_EDOCTYPE, ""},
    {"<!DOCTYPE a [<!ENTITY x SYSTEM 'http://127.0.0.1:1/x'>]><a>&x;</a>", CONVERT_EDOCTYPE, ""},
    {"<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/x.dtd'><a/>", CONVERT_EDOCTYPE, ""},
    {"<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/p'>%p;]><a/>", CONVERT_EDOCTYPE, ""},
    {OPEN "<!DOCTYPE a>" NO CLOSE, CONVERT_EDOCTYPE, ""},
    {OPEN "<?php x?>" NO CLOSE, CONVERT_EDOCTYPE, ""},
    {"<?xml-stylesheet href='http://127.0.0.1:1/x'?>" OPEN NO CLOSE, CONVERT_EDOCTYPE, ""},
    {OPEN
     "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd'/>" CLOSE,
     CONVERT_EUNKNOWN, ""},
    {OPEN "<no>&x;</no>" CLOSE, CONVERT_ESYNTAX, "no"},
    {"<?xml version='1.0' encoding='GB18030'?>" OPEN NO CLOSE, CONVERT_EENCODING, ""},
    {"<?xml version='1.0' encoding='UTF-16'?>" OPEN NO CLOSE, CONVERT_EENCODING, ""},
    {"<?xml version='1.0' encoding='UTF-7'?>" OPEN NO CLOSE, CONVERT_EENCODING, ""},
    {"<?xml version='1.1'?>" OPEN NO CLOSE, CONVERT_EENCODING, ""},
    {"\xff\xfe<\x01", CONVERT_EENCODING, ""},
    {OPEN "<no>\xff</no>" CLOSE, CONVERT_EENCODING, ""},
    {OPEN "<no>\xc1\xbc</no>" CLOSE, CONVERT_EENCODING, ""},
};

static void attacks_are_refused(void **state)
{
    (void)state;
    RUN(op_of("POST", "/Declare"), CONVERT_REQUEST, CONVERT_XML, false, attack_rows);
}

static enum convert_err json_of(const struct buf *in, size_t max_in, size_t max_out)
{
    struct buf out;
    struct convert_error e;
    struct convert_limits limits = {max_in, max_out};
    buf_init(&out);
    enum convert_err err = convert_to_json(op_of("POST", "/Declare"), CONVERT_REQUEST, CONVERT_XML,
                                           buf_slice(in), &out, &limits, &e);
    assert_int_equal(out.n, 0);
    buf_fini(&out);
    return err;
}

static void repeat(struct buf *b, const char *text, unsigned n)
{
    while (n-- > 0) {
        buf_adds(b, text);
    }
}

static void bounds_hold(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    repeat(&b, "<a>", 100);
    repeat(&b, "</a>", 100);
    assert_int_equal(json_of(&b, 1 << 20, 1 << 20), CONVERT_EDEPTH);
    assert_int_equal(json_of(&b, 100, 1 << 20), CONVERT_EINPUT);
    buf_clear(&b);
    buf_adds(&b, "<a");
    for (unsigned i = 0; i < 65; i++) {
        buf_addf(&b, " a%u='%u'", i, i);
    }
    buf_adds(&b, "/>");
    assert_int_equal(json_of(&b, 1 << 20, 1 << 20), CONVERT_ELIMIT);
    buf_clear(&b);
    for (unsigned i = 0; i < 60; i++) { /* few a tag, many in scope */
        buf_addf(&b, "<a xmlns:a%u='a' xmlns:b%u='a' xmlns:c%u='a' xmlns:d%u='a' xmlns:e%u='a'>", i,
                 i, i, i, i);
    }
    assert_int_equal(json_of(&b, 1 << 20, 1 << 20), CONVERT_ELIMIT);
    buf_clear(&b);
    buf_addc(&b, '<');
    repeat(&b, "n", 300);
    buf_adds(&b, "/>");
    assert_int_equal(json_of(&b, 1 << 20, 1 << 20), CONVERT_ELIMIT);
    buf_clear(&b);
    buf_adds(&b, "<Declaration xmlns=\"" TESTING_NS "\" id=\"1\"><no>");
    repeat(&b, "n", 5000);
    buf_adds(&b, "</no></Declaration>");
    assert_int_equal(json_of(&b, 1 << 20, 4000), CONVERT_EOUTPUT);
    buf_clear(&b);
    buf_add(&b, "<a>\0</a>", 8);
    assert_int_equal(json_of(&b, 1 << 20, 4000), CONVERT_EENCODING);
    buf_fini(&b);
}

static void deep_json_is_refused(void **state)
{
    (void)state;
    struct buf b, out;
    struct convert_error e;
    struct convert_limits limits = {1 << 20, 64};
    buf_init(&b);
    buf_init(&out);
    const struct convert_op *op = op_of("POST", "/Declare");
    buf_adds(&b, "{\"@id\":\"1\",\"no\":\"n\",\"party\":");
    repeat(&b, "{\"name\":\"a\",\"agent\":", 100);
    assert_int_equal(
        convert_to_xml(op, CONVERT_REQUEST, CONVERT_XML, buf_slice(&b), &out, NULL, &e),
        CONVERT_EDEPTH);
    assert_true(strlen(e.where) < CONVERT_WHERE_MAX);
    buf_clear(&b);
    buf_adds(&b, "{\"@id\":\"1\",\"no\":\"n\"}");
    assert_int_equal(
        convert_to_xml(op, CONVERT_REQUEST, CONVERT_XML, buf_slice(&b), &out, &limits, &e),
        CONVERT_EOUTPUT);
    limits.input_bytes = 4;
    assert_int_equal(
        convert_to_xml(op, CONVERT_REQUEST, CONVERT_XML, buf_slice(&b), &out, &limits, &e),
        CONVERT_EINPUT);
    assert_int_equal(out.n, 0);
    buf_fini(&b);
    buf_fini(&out);
}

static const struct row any_order_rows[] = {
    {"<Receipt><b>1</b><b>2</b><a>x</a></Receipt>", CONVERT_OK, "{'b':[1,2],'a':'x'}"},
    {"<Receipt><a>x</a></Receipt>", CONVERT_EREQUIRED, "b"},
    {"<Receipt><b>1</b><b>2</b><a>x</a><b>3</b></Receipt>", CONVERT_EDUPLICATE, "b"},
    {"<Receipt><b>1</b><a>x</a></Receipt>", CONVERT_ECOUNT, "b"},
    {"<Receipt><a>x</a><b>2</b></Receipt>", CONVERT_ECOUNT, "b"},
};

static void order_may_be_any(void **state)
{
    (void)state;
    RUN(op_of("POST", "/Declare"), CONVERT_RESPONSE, CONVERT_XML, false, any_order_rows);
}

#define ENV(v, x) "<s:Envelope xmlns:s='" v "'><s:Body>" x "</s:Body></s:Envelope>"
#define V11       "http://schemas.xmlsoap.org/soap/envelope/"
#define V12       "http://www.w3.org/2003/05/soap-envelope"
#define STATUS    "<Status " C "><state>ok</state></Status>"

static const struct row soap11_rows[] = {
    {ENV(V11, STATUS), CONVERT_OK, "{'state':'ok'}"},
    {"<e:Envelope xmlns:e='" V11 "'><e:Header><x mustUnderstand='1'>y</x></e:Header><e:Body>" STATUS
     "</e:Body></e:Envelope>",
     CONVERT_OK, "{'state':'ok'}"},
    {"<e:Envelope xmlns:e='" V11
     "'><e:Header><x e:mustUnderstand='1'>y</x></e:Header><e:Body>" STATUS "</e:Body></e:Envelope>",
     CONVERT_EUNDERSTAND, ""},
    {ENV(V12, STATUS), CONVERT_EENVELOPE, ""},
    {STATUS, CONVERT_EENVELOPE, ""},
    {ENV(V11, ""), CONVERT_EROOT, ""},
    {ENV(V11, STATUS STATUS), CONVERT_EROOT, ""},
    {ENV(V11, "<x/>"), CONVERT_EROOT, ""},
    {ENV(V11, "text"), CONVERT_ETEXT, ""},
    {"<s:Envelope xmlns:s='" V11 "'/>", CONVERT_EENVELOPE, ""},
    {"<s:Envelope xmlns:s='" V11 "'><s:Body/><s:Body/></s:Envelope>", CONVERT_EENVELOPE, ""},
    {"<s:Envelope xmlns:s='" V11 "'><s:Body/><s:Header/></s:Envelope>", CONVERT_EENVELOPE, ""},
};

struct fault_row {
    enum convert_form form;
    const char *in;
    enum convert_fault fault;
};
static const struct fault_row fault_rows[] = {
    {CONVERT_SOAP11,
     ENV(V11, "<s:Fault><faultcode>s:Client.Auth</faultcode><faultstring>at "
              "db7</faultstring></s:Fault>"),
     CONVERT_FAULT_CLIENT},
    {CONVERT_SOAP11, ENV(V11, "<s:Fault><faultcode>s:Server</faultcode></s:Fault>"),
     CONVERT_FAULT_SERVER},
    {CONVERT_SOAP11, ENV(V11, "<s:Fault><detail><faultcode>Client</faultcode></detail></s:Fault>"),
     CONVERT_FAULT_SERVER},
    {CONVERT_SOAP11, ENV(V11, "<s:Fault/>"), CONVERT_FAULT_SERVER},
    {CONVERT_SOAP12, ENV(V12, "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code></s:Fault>"),
     CONVERT_FAULT_CLIENT},
    {CONVERT_SOAP12, ENV(V12, "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code></s:Fault>"),
     CONVERT_FAULT_SERVER},
};

static void envelopes_are_unwrapped(void **state)
{
    (void)state;
    const struct convert_op *op = op_of("GET", "/Status");
    RUN(op, CONVERT_RESPONSE, CONVERT_SOAP11, false, soap11_rows);
    for (size_t i = 0; i < sizeof fault_rows / sizeof *fault_rows; i++) {
        struct buf in = quoted(fault_rows[i].in), out;
        struct convert_error e = {0};
        buf_init(&out);
        assert_int_equal(convert_to_json(op, CONVERT_RESPONSE, fault_rows[i].form, buf_slice(&in),
                                         &out, NULL, &e),
                         CONVERT_EFAULT);
        assert_int_equal(e.fault, fault_rows[i].fault);
        assert_null(strstr(e.text, "db7"));
        assert_string_equal(e.where, "");
        assert_int_equal(out.n, 0);
        buf_fini(&in);
        buf_fini(&out);
    }
}

static const struct row soap_out_rows[] = {
    {"{'no':'n'}", CONVERT_OK,
     "<?xml version='1.0' encoding='UTF-8'?><soap:Envelope xmlns:soap='" V11
     "' xmlns:c='" TESTING_NS "' " MORE
     " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><soap:Body><c:GetStatus>"
     "<c:no>n</c:no></c:GetStatus></soap:Body></soap:Envelope>"},
    {"{'no':'</soap:Body>'}", CONVERT_OK,
     "<?xml version='1.0' encoding='UTF-8'?><soap:Envelope xmlns:soap='" V11
     "' xmlns:c='" TESTING_NS "' " MORE
     " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><soap:Body><c:GetStatus>"
     "<c:no>&lt;/soap:Body&gt;</c:no></c:GetStatus></soap:Body></soap:Envelope>"},
    {"{}", CONVERT_EREQUIRED, "no"},
};

static const struct row empty_rows[] = {
    {"", CONVERT_OK,
     "<?xml version='1.0' encoding='UTF-8'?><soap:Envelope xmlns:soap='" V12
     "' xmlns:c='" TESTING_NS "' " MORE
     " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><soap:Body></soap:Body></"
     "soap:Envelope>"},
    {"{'a':1}", CONVERT_EUNKNOWN, ""}};

static void envelopes_are_built(void **state)
{
    (void)state;
    const struct convert_op *op = op_of("GET", "/Status"), *ping = op_of("POST", "/Ping");
    RUN(op, CONVERT_REQUEST, CONVERT_SOAP11, true, soap_out_rows);
    RUN(ping, CONVERT_REQUEST, CONVERT_SOAP12, true, empty_rows);
    assert_string_equal(convert_op_action_header(op), "\"urn:status\"");
    assert_string_equal(convert_op_content_type(op, CONVERT_SOAP11), "text/xml; charset=utf-8");
    assert_string_equal(convert_op_content_type(op, CONVERT_SOAP12),
                        "application/soap+xml; charset=utf-8; action=\"urn:status\"");
    assert_string_equal(convert_op_upstream_path(op), "/ws");
    assert_string_equal(convert_op_upstream_method(op), "POST");
    assert_true(convert_op_by_query(op));
    assert_false(convert_op_accepts(op, CONVERT_XML));
}

static const struct row query_rows[] = {
    {"no=n", CONVERT_OK, "{'no':'n'}"},
    {"page=07&no=a+%e4%b8%ad%22&tag=x&tag=y", CONVERT_OK,
     "{'no':'a \u4e2d\\'','page':7,'tag':['x','y']}"},
    {"tag=x&&no", CONVERT_OK, "{'no':'','tag':['x']}"},
    {"no=1&no=2", CONVERT_EDUPLICATE, "no"},
    {"page=x", CONVERT_EVALUE, "page"},
    {"page=1;no=2", CONVERT_EVALUE, "page"},
    {"other=1", CONVERT_EUNKNOWN, ""},
    {"no=%zz", CONVERT_ESYNTAX, "no"},
    {"no=%e4", CONVERT_EENCODING, "no"},
    {"no=%00", CONVERT_EENCODING, "no"},
    {"no=%2", CONVERT_ESYNTAX, "no"},
};

static void queries_become_members(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof query_rows / sizeof *query_rows; i++) {
        struct buf out, want = quoted(query_rows[i].out);
        struct convert_error e = {0};
        buf_init(&out);
        enum convert_err err =
            convert_query(op_of("GET", "/Status"), slice_str(query_rows[i].in), &out, &e);
        check(&query_rows[i], err, &e, &out, buf_slice(&want));
        buf_fini(&out);
        buf_fini(&want);
    }
}

static void operations_are_found(void **state)
{
    (void)state;
    struct buf in = quoted(ENV(V12, "<GetStatus " C "><no>n</no></GetStatus>"));
    const struct convert_op *op = op_of("GET", "/Status");
    assert_null(convert_find(conv, SLICE("POST"), SLICE("/Status")));
    assert_null(convert_find(conv, SLICE("GET"), SLICE("/status")));
    assert_ptr_equal(convert_find_soap(conv, SLICE("urn:status"), SLICE("")), op);
    assert_ptr_equal(convert_find_soap(conv, SLICE(""), buf_slice(&in)), op);
    assert_null(convert_find_soap(conv, SLICE("urn:none"), buf_slice(&in)));
    assert_null(convert_find_soap(conv, SLICE(""), SLICE("<a/>")));
    assert_null(convert_find_soap(conv, SLICE(""), SLICE("<!DOCTYPE a><a/>")));
    buf_fini(&in);
}

static void faults_are_made(void **state)
{
    (void)state;
    for (enum convert_form f = CONVERT_SOAP11; f <= CONVERT_SOAP12; f++) {
        struct buf b, out;
        struct convert_error e;
        buf_init(&b);
        buf_init(&out);
        convert_soap_fault(f, CONVERT_FAULT_CLIENT, SLICE("a < b"), &b);
        assert_int_equal(convert_to_json(op_of("GET", "/Status"), CONVERT_RESPONSE, f,
                                         buf_slice(&b), &out, NULL, &e),
                         CONVERT_EFAULT);
        assert_int_equal(e.fault, CONVERT_FAULT_CLIENT);
        buf_fini(&b);
        buf_fini(&out);
    }
}

#define DEF(x) "{'version':1,'namespaces':{'c':'urn:c'},'operations':[" x "]}"
#define OP(x)  DEF("{'name':'A','method':'POST','path':'/A','upstream':{'form':'xml'}," x "}")
#define REQ(x) OP("'request':{'name':'R','type':'object','elements':[" x "]}")

static const struct {
    const char *definition, *where;
} bad_definitions[] = {
    {"{}", ""},
    {"{'version':2,'operations':[]}", ""},
    {"{'version':1,'operations':[]}", ""},
    {"{'version':1,'other':1,'operations':[]}", ""},
    {"{'version':1,'unknown':'keep','operations':[]}", ""},
    {"{'version':1,'namespaces':{'xsi':'urn:x'},'operations':[]}", ""},
    {"{'version':1,'namespaces':{'a':'urn:x','b':'urn:x'},'operations':[]}", ""},
    {"{'version':1,'namespaces':{'a b':'urn:x'},'operations':[]}", ""},
    {"{'version':1,'ns':'c','operations':[]}", ""},
    {"{'version':1,'types':{'string':{'type':'object'}},'operations':[]}", "types.string"},
    {"{'version':1,'types':{'A':{'type':'B'}},'operations':[]}", "types.A"},
    {DEF("1"), "operations[0]"},
    {DEF("{'name':'A','method':'TRACE','path':'/A','upstream':{'form':'xml'}}"), "operations[0]"},
    {DEF("{'name':'A','method':'GET','path':'A','upstream':{'form':'xml'}}"), "operations[0]"},
    {DEF("{'name':'A','method':'GET','path':'/A\\r\\nX: y','upstream':{'form':'xml'}}"),
     "operations[0]"},
    {DEF("{'name':'A','method':'GET','path':'/A','upstream':{'form':'csv'}}"), "operations[0]"},
    {OP("'action':'a\\u0022b'"), "operations[0]"},
    {OP("'client':['soap11']"), "operations[0]"},
    {OP("'request':{'name':'a:b','type':'string'}"), "operations[0].request"},
    {OP("'request':{'name':'R','type':'string','many':true}"), "operations[0].request"},
    {OP("'request':{'name':'R','ns':'d','type':'string'}"), "operations[0].request"},
    {OP("'request':{'name':'R'}"), "operations[0].request"},
    {OP("'request':{'name':'R','type':'string','elements':[]}"), "operations[0].request"},
    {REQ("{'name':'a','type':'string'},{'name':'a','type':'string'}"), "operations[0].request"},
    {REQ("{'name':'a','type':'float'}"), "operations[0].request.elements[0]"},
    {REQ("{'name':'a','type':'string','as':'string'}"), "operations[0].request.elements[0]"},
    {REQ("{'name':'a','type':'integer','enum':['x']}"), "operations[0].request.elements[0]"},
    {REQ("{'name':'a','type':'string','wrapper':{'name':'b'}}"),
     "operations[0].request.elements[0]"},
    {REQ("{'name':'a','type':'string','max':2}"), "operations[0].request.elements[0]"},
    {REQ("{'name':'a','type':'string','many':true,'min':3,'max':2}"),
     "operations[0].request.elements[0]"},
    {REQ("{'name':'a','type':'string','colour':2}"), "operations[0].request.elements[0]"},
    {REQ("{'name':'a','type':'string','attributes':[{'name':'x'}]}"),
     "operations[0].request.elements[0].attributes[0]"},
    {REQ("{'name':'a','type':'string','attributes':[{'name':'x','member':'#text','type':'string'}]"
         "}"),
     "operations[0].request.elements[0]"},
};

static void wrong_definitions_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_definitions / sizeof *bad_definitions; i++) {
        json_t *d = testing_json(bad_definitions[i].definition);
        struct convert *c = NULL;
        struct convert_error e = {0};
        assert_non_null(d);
        if (convert_compile(d, &c, &e) != CONVERT_EDEFINITION) {
            fail_msg("%s is taken", bad_definitions[i].definition);
        }
        assert_null(c);
        assert_string_equal(e.where, bad_definitions[i].where);
        assert_non_null(e.text);
        json_decref(d);
    }
}

static void unknown_parts_are_dropped(void **state)
{
    (void)state;
    struct convert *c = NULL;
    struct convert_error e;
    struct buf out;
    json_t *d = testing_json(
        "{'version':1,'unknown':'drop','operations':[{'name':'A','method':'POST','path':'/A',"
        "'upstream':{'form':'xml'},'request':{'name':'R','type':'object','elements':["
        "{'name':'a','type':'string'}]}}]}");
    buf_init(&out);
    assert_int_equal(convert_compile(d, &c, &e), CONVERT_OK);
    const struct convert_op *op = convert_find(c, SLICE("POST"), SLICE("/A"));
    assert_int_equal(convert_to_json(op, CONVERT_REQUEST, CONVERT_XML,
                                     SLICE("<R y='1'><x><a>no</a>t</x><a>yes</a><z/></R>"), &out,
                                     NULL, &e),
                     CONVERT_OK);
    assert_true(same_json(buf_slice(&out), "{'a':'yes'}"));
    buf_clear(&out);
    assert_int_equal(
        convert_to_xml(op, CONVERT_REQUEST, CONVERT_XML,
                       SLICE("{\"x\":{\"a\":[1,\"}\",null]},\"a\":\"yes\",\"z\":-1.5e3}"), &out,
                       NULL, &e),
        CONVERT_OK);
    assert_non_null(memmem(out.p, out.n, "<R><a>yes</a></R>", 17));
    buf_clear(&out);
    assert_int_equal(convert_to_xml(op, CONVERT_REQUEST, CONVERT_XML, SLICE("{\"x\":{\"a\":01}}"),
                                    &out, NULL, &e),
                     CONVERT_ESYNTAX);
    /* nothing but new names, which are a cost even where they are left out */
    struct buf names;
    buf_init(&names);
    buf_adds(&names, "<R><x>");
    for (unsigned i = 0; i < 100000; i++) {
        buf_addf(&names, "<element-%u/>", i);
    }
    buf_adds(&names, "</x></R>");
    assert_int_equal(
        convert_to_json(op, CONVERT_REQUEST, CONVERT_XML, buf_slice(&names), &out, NULL, &e),
        CONVERT_ELIMIT);
    buf_fini(&names);
    buf_fini(&out);
    json_decref(d);
    convert_free(&c);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"[SW-6-protocol] a JSON body becomes the XML its definition describes, any other is "
         "refused",
         json_becomes_xml, NULL, NULL},
        {"[SW-8.3.4-protocol] an XML body becomes the JSON its definition describes, any other is "
         "refused",
         xml_becomes_json, NULL, NULL},
        {"[BK-7.3.2a1] document types, entities, inclusions and other encodings are refused",
         attacks_are_refused, NULL, NULL},
        {"[BK-7.3.2a1] depth, attributes, names, input and output are bounded", bounds_hold, NULL,
         NULL},
        {"[BK-7.3.2a1] JSON nested too deep or too large is refused", deep_json_is_refused, NULL,
         NULL},
        {"[GS-4b] elements may come in any order where the definition says so", order_may_be_any,
         NULL, NULL},
        {"[BK-6.1b2] a SOAP envelope is unwrapped; of a fault only whose it is comes out",
         envelopes_are_unwrapped, NULL, NULL},
        {"[SW-6-protocol] a REST call becomes a SOAP envelope with its action", envelopes_are_built,
         NULL, NULL},
        {"[GS-4c] a query becomes the members it stands for", queries_become_members, NULL, NULL},
        {"[BK-6.1b2] a SOAP call finds its operation by action or by body", operations_are_found,
         NULL, NULL},
        {"[BK-6.1b2] our faults are SOAP faults", faults_are_made, NULL, NULL},
        {"[SW-8.3.4-protocol] a wrong definition is refused, saying where",
         wrong_definitions_are_refused, NULL, NULL},
        {"[GS-4b] unknown parts are left out when the definition says so",
         unknown_parts_are_dropped, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
