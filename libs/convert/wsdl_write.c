/* SPDX-License-Identifier: Apache-2.0 */
/* The WSDL of a definition: document/literal, one schema. What the schema says may be looser than
 * the definition (an enumeration of an element with attributes), never stricter. */
#include <libxml/tree.h>

#include "convert/wsdl_inner.h"

struct maker {
    const json_t *definition;
    const char *tns; /* prefix of the one target namespace */
    struct buf *out;
    struct convert_error *error;
};

static bool refuse(struct maker *m, const json_t *at, const char *text)
{
    struct convert_trail trail = {.n = 1};
    const char *name = json_string_value(json_object_get(at, "name"));
    trail.at[0].key = slice_str(name != NULL ? name : "");
    (void)convert_fail(m->error, CONVERT_EUNSUPPORTED, &trail);
    m->error->text = text;
    return false;
}

static void add_text(struct maker *m, const char *text)
{
    (void)convert_add_xml(m->out, slice_str(text), true);
}

static const char *text_in(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static const char *xsd_of(const char *type)
{
    static const char *const names[][2] = {
        {"string", "xs:string"},     {"integer", "xs:integer"},    {"decimal", "xs:decimal"},
        {"number", "xs:double"},     {"boolean", "xs:boolean"},    {"date", "xs:date"},
        {"dateTime", "xs:dateTime"}, {"base64", "xs:base64Binary"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], type) == 0) {
            return names[i][1];
        }
    }
    return NULL;
}

/* The prefix an element is in: its own, or the default. */
static const char *prefix_of(const struct maker *m, const json_t *o)
{
    const json_t *ns = json_object_get(o, "ns");
    return ns != NULL ? json_string_value(ns) : text_in(m->definition, "ns");
}

static bool add_form(struct maker *m, const json_t *o, const char *prefix)
{
    if (prefix[0] != '\0' && strcmp(prefix, m->tns) != 0) {
        return refuse(m, o, "a name in a second namespace");
    }
    buf_addf(m->out, " form=\"%s\"", prefix[0] != '\0' ? "qualified" : "unqualified");
    return true;
}

static void add_enum(struct maker *m, const json_t *o)
{
    const json_t *list = json_object_get(o, "enum");
    for (size_t i = 0; i < json_array_size(list); i++) {
        buf_adds(m->out, "<xs:enumeration value=\"");
        add_text(m, json_string_value(json_array_get(list, i)));
        buf_adds(m->out, "\"/>");
    }
}

static void add_simple(struct maker *m, const json_t *o, const char *name)
{
    buf_addf(m->out, "<xs:simpleType%s%s%s><xs:restriction base=\"%s\">",
             name != NULL ? " name=\"" : "", name != NULL ? name : "", name != NULL ? "\"" : "",
             xsd_of(text_in(o, "type")));
    add_enum(m, o);
    buf_adds(m->out, "</xs:restriction></xs:simpleType>");
}

static bool add_attributes(struct maker *m, const json_t *o)
{
    const json_t *list = json_object_get(o, "attributes");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i);
        buf_addf(m->out, "<xs:attribute name=\"%s\"", text_in(a, "name"));
        if (!add_form(m, a, text_in(a, "ns"))) {
            return false;
        }
        buf_adds(m->out, json_is_true(json_object_get(a, "required")) ? " use=\"required\">" : ">");
        add_simple(m, a, NULL);
        buf_adds(m->out, "</xs:attribute>");
    }
    return true;
}

static bool add_element(struct maker *m, const json_t *o);

/* A choice's alternatives stand together in the list, as the definition has them in sequence. */
static bool add_elements(struct maker *m, const json_t *list)
{
    json_int_t open = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        json_int_t choice = json_integer_value(json_object_get(o, "choice"));
        if (open != 0 && choice != open) {
            buf_adds(m->out, "</xs:choice>");
        }
        if (choice != 0 && choice != open) {
            bool must = json_is_true(json_object_get(o, "required"));
            buf_addf(m->out, "<xs:choice minOccurs=\"%d\">", must ? 1 : 0);
        }
        open = choice;
        if (!add_element(m, o)) {
            return false;
        }
    }
    buf_adds(m->out, open != 0 ? "</xs:choice>" : "");
    return true;
}

static bool all_fits(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        bool many =
            json_is_true(json_object_get(o, "many")) && json_object_get(o, "wrapper") == NULL;
        if (many || json_object_get(o, "choice") != NULL) {
            return false;
        }
    }
    return true;
}

/* An object, or a scalar with attributes. */
static bool add_complex(struct maker *m, const json_t *o, const char *name)
{
    const json_t *list = json_object_get(o, "elements");
    buf_addf(m->out, "<xs:complexType%s%s%s>", name != NULL ? " name=\"" : "",
             name != NULL ? name : "", name != NULL ? "\"" : "");
    if (strcmp(text_in(o, "type"), "object") != 0) {
        buf_addf(m->out, "<xs:simpleContent><xs:extension base=\"%s\">",
                 xsd_of(text_in(o, "type")));
        bool good = add_attributes(m, o);
        buf_adds(m->out, "</xs:extension></xs:simpleContent></xs:complexType>");
        return good;
    }
    const char *order = strcmp(text_in(o, "order"), "any") == 0 ? "all" : "sequence";
    if (order[0] == 'a' && !all_fits(list)) {
        return refuse(m, o, "a list or choice among elements in any order");
    }
    buf_addf(m->out, "<xs:%s>", order);
    bool good = add_elements(m, list);
    buf_addf(m->out, "</xs:%s>", order);
    good = good && add_attributes(m, o);
    buf_adds(m->out, "</xs:complexType>");
    return good;
}

/* What follows an element's name: its type as an attribute or as what it contains. */
static bool add_type(struct maker *m, const json_t *o)
{
    const char *type = text_in(o, "type"), *known = xsd_of(type);
    bool object = strcmp(type, "object") == 0,
         attributes = json_object_get(o, "attributes") != NULL;
    if (known == NULL && !object) {
        buf_addf(m->out, " type=\"%s:%s\"/>", m->tns, type);
        return true;
    }
    if (!object && !attributes && json_object_get(o, "enum") == NULL) {
        buf_addf(m->out, " type=\"%s\"/>", known);
        return true;
    }
    buf_addc(m->out, '>');
    bool good = true;
    if (object || attributes) {
        good = add_complex(m, o, NULL);
    } else {
        add_simple(m, o, NULL);
    }
    buf_adds(m->out, "</xs:element>");
    return good;
}

static void add_occurs(struct maker *m, const json_t *o, bool inner)
{
    bool many = json_is_true(json_object_get(o, "many"));
    const json_t *min = json_object_get(o, "min"), *max = json_object_get(o, "max");
    bool choice = json_object_get(o, "choice") != NULL && !inner;
    json_int_t least =
        min != NULL ? json_integer_value(min) : json_is_true(json_object_get(o, "required"));
    buf_addf(m->out, " minOccurs=\"%d\"", choice ? 1 : (int)least);
    if (many && json_integer_value(max) > 0) {
        buf_addf(m->out, " maxOccurs=\"%d\"", (int)json_integer_value(max));
    } else if (many) {
        buf_adds(m->out, " maxOccurs=\"unbounded\"");
    }
}

static bool add_plain(struct maker *m, const json_t *o, bool inner)
{
    buf_addf(m->out, "<xs:element name=\"%s\"", text_in(o, "name"));
    add_occurs(m, o, inner);
    if (!add_form(m, o, prefix_of(m, o))) {
        return false;
    }
    buf_adds(m->out, json_is_true(json_object_get(o, "nillable")) ? " nillable=\"true\"" : "");
    return add_type(m, o);
}

static bool add_element(struct maker *m, const json_t *o)
{
    const json_t *wrapper = json_object_get(o, "wrapper"), *min = json_object_get(o, "min");
    if (wrapper == NULL) {
        return add_plain(m, o, false);
    }
    bool must = json_is_true(json_object_get(o, "required")) || json_integer_value(min) > 0 ||
                json_object_get(o, "choice") != NULL;
    buf_addf(m->out, "<xs:element name=\"%s\" minOccurs=\"%d\"", text_in(wrapper, "name"),
             must ? 1 : 0);
    if (!add_form(m, wrapper, prefix_of(m, wrapper))) {
        return false;
    }
    buf_adds(m->out, "><xs:complexType><xs:sequence>");
    bool good = add_plain(m, o, true);
    buf_adds(m->out, "</xs:sequence></xs:complexType></xs:element>");
    return good;
}

static bool add_types(struct maker *m)
{
    const char *name;
    json_t *o;
    json_object_foreach(json_object_get(m->definition, "types"), name, o)
    {
        bool object = strcmp(text_in(o, "type"), "object") == 0;
        if (!object && json_object_get(o, "attributes") == NULL) {
            add_simple(m, o, name);
        } else if (!add_complex(m, o, name)) {
            return false;
        }
    }
    return true;
}

static bool speaks(const json_t *op, const char *form)
{
    const json_t *list = json_object_get(op, "client");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(json_string_value(json_array_get(list, i)), form) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const sides[] = {"request", "response"};

/* Two operations may have the same root element: it is declared once, if it is the same. */
static bool add_root(struct maker *m, const json_t *ops, size_t at, size_t side)
{
    const json_t *root = json_object_get(json_array_get(ops, at), sides[side]);
    if (!json_is_object(root)) {
        return true;
    }
    for (size_t i = 0; i < at * 2 + side; i++) {
        const json_t *other = json_object_get(json_array_get(ops, i / 2), sides[i % 2]);
        if (strcmp(text_in(other, "name"), text_in(root, "name")) == 0) {
            return json_equal(other, root) ||
                   refuse(m, root, "one element name for two different documents");
        }
    }
    if (strcmp(prefix_of(m, root), m->tns) != 0) {
        return refuse(m, root, "a document in no namespace, or in a second one");
    }
    buf_addf(m->out, "<xs:element name=\"%s\"%s", text_in(root, "name"),
             json_is_true(json_object_get(root, "nillable")) ? " nillable=\"true\"" : "");
    return add_type(m, root);
}

static bool add_schema(struct maker *m, const json_t *ops)
{
    buf_addf(m->out, "<wsdl:types><xs:schema targetNamespace=\"");
    add_text(m, text_in(json_object_get(m->definition, "namespaces"), m->tns));
    buf_adds(m->out, "\">");
    bool good = add_types(m);
    for (size_t i = 0; good && i < json_array_size(ops); i++) {
        good = add_root(m, ops, i, 0) && add_root(m, ops, i, 1);
    }
    buf_adds(m->out, "</xs:schema></wsdl:types>");
    return good;
}

static void add_messages(struct maker *m, const json_t *op)
{
    for (size_t i = 0; i < 2; i++) {
        const json_t *root = json_object_get(op, sides[i]);
        buf_addf(m->out, "<wsdl:message name=\"%s.%s\">", text_in(op, "name"), sides[i]);
        if (json_is_object(root)) {
            buf_addf(m->out, "<wsdl:part name=\"parameters\" element=\"%s:%s\"/>", m->tns,
                     text_in(root, "name"));
        }
        buf_adds(m->out, "</wsdl:message>");
    }
}

static void add_binding(struct maker *m, const json_t *ops, const char *name, const char *form)
{
    const char *soap = strcmp(form, "soap11") == 0 ? "soap11" : "soap12";
    buf_addf(m->out,
             "<wsdl:binding name=\"%s.%s\" type=\"%s:%s\"><%s:binding style=\"document\" "
             "transport=\"" WSDL_HTTP "\"/>",
             name, form, m->tns, name, soap);
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *op = json_array_get(ops, i);
        if (!speaks(op, form)) {
            continue;
        }
        buf_addf(m->out, "<wsdl:operation name=\"%s\"><%s:operation soapAction=\"",
                 text_in(op, "name"), soap);
        add_text(m, text_in(op, "action"));
        buf_addf(m->out,
                 "\"/><wsdl:input><%s:body use=\"literal\"/></wsdl:input><wsdl:output>"
                 "<%s:body use=\"literal\"/></wsdl:output></wsdl:operation>",
                 soap, soap);
    }
    buf_adds(m->out, "</wsdl:binding>");
}

static void add_port(struct maker *m, const char *name, const char *form, const char *address)
{
    buf_addf(m->out, "<wsdl:port name=\"%s.%s\" binding=\"%s:%s.%s\"><%s:address location=\"", name,
             form, m->tns, name, form, form);
    add_text(m, address);
    buf_adds(m->out, "\"/></wsdl:port>");
}

static bool add_service(struct maker *m, const char *name, const char *address, bool soap12)
{
    static const char *const forms[] = {"soap11", "soap12"};
    const json_t *ops = json_object_get(m->definition, "operations");
    const char *uri = text_in(json_object_get(m->definition, "namespaces"), m->tns);
    buf_addf(m->out,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?><wsdl:definitions name=\"%s\" "
             "xmlns:wsdl=\"" WSDL_NS "\" xmlns:soap11=\"" WSDL_SOAP11_NS
             "\" xmlns:soap12=\"" WSDL_SOAP12_NS "\" xmlns:xs=\"" WSDL_XSD_NS "\" xmlns:%s=\"",
             name, m->tns);
    add_text(m, uri);
    buf_adds(m->out, "\" targetNamespace=\"");
    add_text(m, uri);
    buf_adds(m->out, "\">");
    if (!add_schema(m, ops)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(ops); i++) {
        add_messages(m, json_array_get(ops, i));
    }
    buf_addf(m->out, "<wsdl:portType name=\"%s\">", name);
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const char *op = text_in(json_array_get(ops, i), "name");
        buf_addf(m->out,
                 "<wsdl:operation name=\"%s\"><wsdl:input message=\"%s:%s.request\"/>"
                 "<wsdl:output message=\"%s:%s.response\"/></wsdl:operation>",
                 op, m->tns, op, m->tns, op);
    }
    buf_adds(m->out, "</wsdl:portType>");
    for (size_t i = 0; i < (soap12 ? 2 : 1); i++) {
        add_binding(m, ops, name, forms[i]);
    }
    buf_addf(m->out, "<wsdl:service name=\"%s\">", name);
    for (size_t i = 0; i < (soap12 ? 2 : 1); i++) {
        add_port(m, name, forms[i], address);
    }
    buf_adds(m->out, "</wsdl:service></wsdl:definitions>");
    return true;
}

/* The definition with only the operations a SOAP client may call; a new reference, NULL: no memory.
 */
static json_t *soap_part(const json_t *definition)
{
    json_t *copy = json_copy((json_t *)definition), *ops = json_array();
    const json_t *all = json_object_get(definition, "operations");
    bool good = copy != NULL && ops != NULL;
    for (size_t i = 0; good && i < json_array_size(all); i++) {
        json_t *op = json_array_get(all, i);
        if (speaks(op, "soap11") || speaks(op, "soap12")) {
            good = json_array_append(ops, op) == 0;
        }
    }
    good = good && json_object_set(copy, "operations", ops) == 0;
    json_decref(ops);
    if (!good) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

static bool make(struct maker *m, const char *name, const char *address, bool soap12)
{
    static const char *const own[] = {"wsdl", "soap11", "soap12", "xs"};
    const json_t *ops = json_object_get(m->definition, "operations");
    for (size_t i = 0; i < json_array_size(ops) * 2 && m->tns == NULL; i++) {
        const json_t *root = json_object_get(json_array_get(ops, i / 2), sides[i % 2]);
        m->tns = json_is_object(root) ? prefix_of(m, root) : NULL;
    }
    if (m->tns == NULL || m->tns[0] == '\0') {
        return refuse(m, NULL,
                      "a service without an operation for SOAP clients, or without a namespace");
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strcmp(m->tns, own[i]) == 0) {
            return refuse(m, NULL, "a prefix that WSDL needs itself");
        }
    }
    if (xmlValidateNCName((const xmlChar *)name, 0) != 0) {
        return refuse(m, NULL, "a name that is no XML name");
    }
    return add_service(m, name, address, soap12);
}

enum convert_err convert_wsdl_of(const json_t *definition, const char *name, const char *address,
                                 bool soap12, struct buf *out, struct convert_error *error)
{
    struct convert *checked;
    struct convert_error unused = {0};
    size_t was = out->n;
    struct maker m = {.out = out, .error = error != NULL ? error : &unused};
    enum convert_err err = convert_compile(definition, &checked, m.error);
    if (err != CONVERT_OK) {
        return err;
    }
    convert_free(&checked);
    json_t *part = soap_part(definition);
    m.definition = part;
    m.error->fault = CONVERT_FAULT_NONE;
    if (part == NULL) {
        return convert_fail(m.error, CONVERT_EMEMORY, NULL);
    }
    bool good = make(&m, name, address, soap12);
    json_decref(part);
    if (!good || out->failed) {
        out->n = was;
        return good ? convert_fail(m.error, CONVERT_EMEMORY, NULL) : CONVERT_EUNSUPPORTED;
    }
    return CONVERT_OK;
}
