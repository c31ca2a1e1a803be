/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up service whole, then the same cut and bent; both ways. */
#include "convert/convert.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

#include "convert/convert_testing.h"

#define HEAD                                                                                       \
    "<d:definitions xmlns:d='http://schemas.xmlsoap.org/wsdl/' "                                   \
    "xmlns:s='http://schemas.xmlsoap.org/wsdl/soap/' "                                             \
    "xmlns:x='http://www.w3.org/2001/XMLSchema' xmlns:t='urn:t' targetNamespace='urn:t'>"
#define SCHEMA(x) "<d:types><x:schema targetNamespace='urn:t'>" x "</x:schema></d:types>"
#define MESSAGES  "<d:message name='I'><d:part name='p' element='t:A'/></d:message>"
#define PORT                                                                                       \
    "<d:portType name='P'><d:operation name='Op'><d:input message='t:I'/></d:operation>"           \
    "</d:portType>"
#define BIND(style, body)                                                                          \
    "<d:binding name='B' type='t:P'><s:binding style='" style                                      \
    "' transport='http://schemas.xmlsoap.org/soap/http'/><d:operation name='Op'>"                  \
    "<s:operation soapAction='urn:op'/><d:input>" body "</d:input></d:operation></d:binding>"
#define LITERAL "<s:body use='literal'/>"
#define REST    MESSAGES PORT BIND("document", LITERAL) "</d:definitions>"
#define WSDL(x) HEAD SCHEMA(x) REST
#define TYPE(x) WSDL("<x:element name='A'><x:complexType>" x "</x:complexType></x:element>")
#define SEQ(x)  TYPE("<x:sequence>" x "</x:sequence>")

static const struct {
    const char *wsdl;
    enum convert_err err;
    const char *where; /* NULL: not looked at */
} rows[] = {
    {SEQ("<x:element name='b' type='x:string'/>"), CONVERT_OK, NULL},
    {SEQ(""), CONVERT_OK, NULL},
    {WSDL("<x:element name='A' type='x:string'/>"), CONVERT_OK, NULL},
    {"", CONVERT_ESYNTAX, ""},
    {"<a/>", CONVERT_EDEFINITION, "a"},
    {"<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/x'><a/>", CONVERT_EDOCTYPE, ""},
    {"<!DOCTYPE a [<!ENTITY a 'b'>]>" SEQ(""), CONVERT_EDOCTYPE, ""},
    {HEAD "<d:import namespace='u' location='http://127.0.0.1:1/'/>" REST, CONVERT_EUNSUPPORTED,
     "import"},
    {WSDL("<x:include schemaLocation='file:///etc/passwd'/>"), CONVERT_EUNSUPPORTED, "include"},
    {WSDL("<x:import namespace='u' schemaLocation='http://127.0.0.1:1/'/>"), CONVERT_EUNSUPPORTED,
     "import"},
    {WSDL(""), CONVERT_EDEFINITION, "part p"},
    {WSDL("<x:element name='A'/>"), CONVERT_EUNSUPPORTED, "element A"},
    {WSDL("<x:element name='A' type='t:No'/>"), CONVERT_EDEFINITION, "element A"},
    {WSDL("<x:element name='A' type='q:No'/>"), CONVERT_EDEFINITION, "element A"},
    {WSDL("<x:element name='A' type='x:anyType'/>"), CONVERT_EUNSUPPORTED, "element A"},
    {WSDL("<x:element name='A' abstract='true' type='x:string'/>"), CONVERT_EUNSUPPORTED,
     "element A"},
    {TYPE("<x:sequence maxOccurs='2'/>"), CONVERT_EUNSUPPORTED, "sequence"},
    {TYPE("<x:choice maxOccurs='unbounded'><x:element name='b' type='x:int'/></x:choice>"),
     CONVERT_EUNSUPPORTED, "choice"},
    {TYPE("<x:group ref='t:g'/>"), CONVERT_EUNSUPPORTED, "group"},
    {TYPE("<x:anyAttribute/>"), CONVERT_EUNSUPPORTED, "anyAttribute"},
    {SEQ("<x:any/>"), CONVERT_EUNSUPPORTED, "any"},
    {SEQ("<x:element name='b' type='x:string' minOccurs='3' maxOccurs='2'/>"), CONVERT_EUNSUPPORTED,
     "element b"},
    {SEQ("<x:element name='b' type='x:string' maxOccurs='-1'/>"), CONVERT_EUNSUPPORTED,
     "element b"},
    {SEQ("<x:element name='b' type='x:int'/><x:element name='b' type='x:int'/>"),
     CONVERT_EDEFINITION, NULL},
    {SEQ("<x:element ref='t:A'/>"), CONVERT_OK, NULL},
    {WSDL("<x:element name='A' type='t:T'/><x:complexType name='T' mixed='true'/>"),
     CONVERT_EUNSUPPORTED, "complexType T"},
    {WSDL("<x:element name='A' type='t:T'/><x:complexType name='T'><x:complexContent>"
          "<x:extension base='t:T'/></x:complexContent></x:complexType>"),
     CONVERT_EUNSUPPORTED, NULL},
    {WSDL("<x:element name='A' type='t:T'/><x:simpleType name='T'><x:restriction "
          "base='t:T'/></x:simpleType>"),
     CONVERT_EUNSUPPORTED, NULL},
    {WSDL("<x:element name='A' type='t:T'/><x:simpleType name='T'><x:list "
          "itemType='x:int'/></x:simpleType>"),
     CONVERT_EUNSUPPORTED, "simpleType T"},
    {WSDL("<x:element name='A' type='t:T'/><x:complexType name='T'><x:complexContent>"
          "<x:restriction base='x:anyType'/></x:complexContent></x:complexType>"),
     CONVERT_EUNSUPPORTED, "complexContent"},
    {HEAD SCHEMA("<x:element name='A' type='x:int'/>")
         MESSAGES PORT BIND("document", "<s:body use='encoded'/>") "</d:definitions>",
     CONVERT_EUNSUPPORTED, "operation Op"},
    {HEAD SCHEMA("<x:element name='A' type='x:int'/>") MESSAGES PORT BIND(
         "document", LITERAL "<s:header message='t:I' part='p' use='literal'/>") "</d:definitions>",
     CONVERT_EUNSUPPORTED, "operation Op"},
    {HEAD SCHEMA("<x:element name='A' type='x:int'/>") MESSAGES PORT "</d:definitions>",
     CONVERT_EUNSUPPORTED, "definitions"},
    {HEAD SCHEMA("<x:element name='A' type='x:int'/>")
         MESSAGES BIND("document", LITERAL) "</d:definitions>",
     CONVERT_EDEFINITION, "binding B"},
    {HEAD SCHEMA("<x:element name='A' type='x:int'/>")
         PORT BIND("document", LITERAL) "</d:definitions>",
     CONVERT_EDEFINITION, "operation Op"},
    {HEAD "<d:message name='I'><d:part name='p' type='x:int'/><d:part name='q' "
          "type='x:date'/></d:message>" PORT BIND(
              "rpc", "<s:body use='literal' namespace='urn:r'/>") "</d:definitions>",
     CONVERT_OK, NULL},
    {HEAD "<d:message name='I'><d:part name='p' type='x:int'/></d:message>" PORT BIND(
         "document", LITERAL) "</d:definitions>",
     CONVERT_EUNSUPPORTED, "message I"},
};

static char *quoted(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; p != NULL && *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    assert_non_null(copy);
    return copy;
}

static void services_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *d = NULL;
        struct convert_error e = {0};
        char *text = quoted(rows[i].wsdl);
        enum convert_err err = convert_from_wsdl(slice_str(text), NULL, &d, &e);
        if (err != rows[i].err ||
            (err != CONVERT_OK && rows[i].where != NULL && strcmp(e.where, rows[i].where) != 0)) {
            fail_msg("%s: %s (%s) at <%s>", rows[i].wsdl, convert_strerror(err), e.text, e.where);
        }
        assert_true((d != NULL) == (err == CONVERT_OK));
        json_decref(d);
        free(text);
    }
}

static json_t *customs(const json_t *get)
{
    char path[512], text[16384];
    const char *source = getenv("CONVERT_CORPUS");
    snprintf(path, sizeof path, "%s/wsdl/customs.wsdl",
             source != NULL ? source : "libs/convert/corpus");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    json_t *d = NULL;
    struct convert_error e = {0};
    if (convert_from_wsdl(slice_of(text, n), get, &d, &e) != CONVERT_OK) {
        fail_msg("%s at %s", e.text, e.where);
    }
    return d;
}

#define ANSWER                                                                                     \
    "{\"declaration\":{\"@id\":7,\"no\":\"n\",\"mode\":\"sea\",\"fee\":{\"@currency\":\"CNY\","    \
    "\"#text\":1.10},\"weight\":null,\"ship\":\"s\",\"item\":[{\"qty\":2,\"code\":\"k\"}],"        \
    "\"part\":{\"@id\":8,\"no\":\"m\",\"weight\":12345678901234567890.5,\"flight\":\"f\"}}}"

static void rest_in_front_of_soap(void **state)
{
    (void)state;
    struct buf xml, json;
    struct convert *c = NULL;
    struct convert_error e = {0};
    json_t *get = json_pack("[s]", "GetStatus"), *d = customs(get);
    buf_init(&xml);
    buf_init(&json);
    assert_int_equal(convert_compile(d, &c, &e), CONVERT_OK);
    const struct convert_op *op = convert_find(c, SLICE("GET"), SLICE("/GetStatus"));
    assert_non_null(op);
    assert_string_equal(convert_op_action(op), "urn:example:customs/GetStatus");
    assert_string_equal(convert_op_upstream_path(op), "/ws/customs");
    assert_int_equal(convert_op_upstream_form(op), CONVERT_SOAP11);
    assert_int_equal(convert_query(op, SLICE("no=42"), &json, &e), CONVERT_OK);
    assert_int_equal(
        convert_to_xml(op, CONVERT_REQUEST, CONVERT_SOAP11, buf_slice(&json), &xml, NULL, &e),
        CONVERT_OK);
    assert_non_null(memmem(xml.p, xml.n, "GetStatus><n0:no>42</n0:no></n0:GetStatus", 40));
    /* the answer there and back */
    buf_clear(&xml);
    buf_clear(&json);
    enum convert_err err =
        convert_to_xml(op, CONVERT_RESPONSE, CONVERT_SOAP11, SLICE(ANSWER), &xml, NULL, &e);
    assert_int_equal(err, CONVERT_OK);
    assert_int_equal(
        convert_to_json(op, CONVERT_RESPONSE, CONVERT_SOAP11, buf_slice(&xml), &json, NULL, &e),
        CONVERT_OK);
    assert_memory_equal(json.p, ANSWER, json.n);
    buf_fini(&xml);
    buf_fini(&json);
    convert_free(&c);
    json_decref(get);
    json_decref(d);
}

/* The generated WSDL, read again, converts as the definition it came from. */
static void soap_in_front_of_json(void **state)
{
    (void)state;
    struct buf wsdl, xml, json;
    struct convert *c = NULL;
    struct convert_error e = {0};
    json_t *d = customs(NULL), *again = NULL,
           *op = json_array_get(json_object_get(d, "operations"), 0);
    buf_init(&wsdl);
    buf_init(&xml);
    buf_init(&json);
    assert_int_equal(
        json_object_set_new(op, "client", json_pack("[sss]", "json", "soap11", "soap12")), 0);
    assert_int_equal(json_object_set_new(op, "upstream",
                                         json_pack("{s:s,s:s}", "form", "json", "path", "/status")),
                     0);
    enum convert_err err =
        convert_wsdl_of(d, "Customs", "https://gw.example/a?b&c", true, &wsdl, &e);
    if (err != CONVERT_OK) {
        fail_msg("%s at %s", e.text, e.where);
    }
    assert_non_null(memmem(wsdl.p, wsdl.n, "a?b&amp;c", 9));
    if (convert_from_wsdl(buf_slice(&wsdl), NULL, &again, &e) != CONVERT_OK) {
        fail_msg("%s at %s", e.text, e.where);
    }
    assert_int_equal(convert_compile(again, &c, &e), CONVERT_OK);
    const struct convert_op *found = convert_find(c, SLICE("POST"), SLICE("/GetStatus"));
    assert_non_null(found);
    assert_int_equal(
        convert_to_xml(found, CONVERT_RESPONSE, CONVERT_SOAP12, SLICE(ANSWER), &xml, NULL, &e),
        CONVERT_OK);
    convert_free(&c);
    assert_int_equal(convert_compile(d, &c, &e), CONVERT_OK);
    found = convert_find(c, SLICE("POST"), SLICE("/GetStatus"));
    assert_int_equal(
        convert_to_json(found, CONVERT_RESPONSE, CONVERT_SOAP12, buf_slice(&xml), &json, NULL, &e),
        CONVERT_OK);
    assert_memory_equal(json.p, ANSWER, json.n);
    assert_int_equal(convert_wsdl_of(d, "a b", "http://x", false, &json, &e), CONVERT_EUNSUPPORTED);
    json_object_del(op, "client");
    assert_int_equal(convert_wsdl_of(d, "A", "http://x", false, &json, &e), CONVERT_EUNSUPPORTED);
    convert_free(&c);
    buf_fini(&wsdl);
    buf_fini(&xml);
    buf_fini(&json);
    json_decref(again);
    json_decref(d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"[SW-6-protocol] a WSDL becomes a definition, or is refused with the construct's name",
         services_are_read_or_refused, NULL, NULL},
        {"[SW-8.3.4-protocol] a GET in front of SOAP asks and is answered without loss",
         rest_in_front_of_soap, NULL, NULL},
        {"[CI-6.2.2b1] the WSDL made for an API means what the API's definition says",
         soap_in_front_of_json, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
