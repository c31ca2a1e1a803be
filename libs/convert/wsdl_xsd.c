/* SPDX-License-Identifier: Apache-2.0 */
/* XML Schema into types of a definition: what a definition can say, and an error for the rest. */
#include <stdio.h>
#include <stdlib.h>

#include "convert/wsdl_inner.h"

static const struct {
    const char *xsd, *type;
} builtin[] = {
    {"string", "string"},
    {"normalizedString", "string"},
    {"token", "string"},
    {"language", "string"},
    {"Name", "string"},
    {"NCName", "string"},
    {"NMTOKEN", "string"},
    {"anyURI", "string"},
    {"ID", "string"},
    {"IDREF", "string"},
    {"integer", "integer"},
    {"int", "integer"},
    {"long", "integer"},
    {"short", "integer"},
    {"byte", "integer"},
    {"unsignedInt", "integer"},
    {"unsignedLong", "integer"},
    {"unsignedShort", "integer"},
    {"unsignedByte", "integer"},
    {"positiveInteger", "integer"},
    {"negativeInteger", "integer"},
    {"decimal", "decimal"},
    {"nonNegativeInteger", "integer"},
    {"nonPositiveInteger", "integer"},
    {"float", "number"},
    {"double", "number"},
    {"boolean", "boolean"},
    {"date", "date"},
    {"dateTime", "dateTime"},
    {"base64Binary", "base64"},
};

static bool nested(struct wsdl *w, const xmlNode *at)
{
    return ++w->nested <= WSDL_NESTED ||
           wsdl_unsupported(w, at, "types that contain each other without end, or too deep");
}

static xmlNode *schema_of(const xmlNode *node)
{
    const xmlNode *at = node;
    while (at->parent != NULL && !wsdl_is(at, WSDL_XSD_NS, "schema")) {
        at = at->parent;
    }
    return (xmlNode *)at;
}

static const char *target_of(const xmlNode *node)
{
    const char *ns = wsdl_attr(schema_of(node), "targetNamespace");
    return ns != NULL ? ns : "";
}

static xmlNode *find(struct wsdl *w, struct wsdl_name name, const char *what)
{
    for (size_t i = 0; i < w->n_schemas; i++) {
        const char *ns = wsdl_attr(w->schemas[i], "targetNamespace");
        xmlNode *found = strcmp(ns != NULL ? ns : "", name.ns) == 0
                             ? wsdl_named(w->schemas[i], WSDL_XSD_NS, what, name.local)
                             : NULL;
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

/* The first child that is an element of a schema and no annotation. */
static xmlNode *content(xmlNode *node)
{
    xmlNode *n = node->children;
    while (n != NULL && (n->type != XML_ELEMENT_NODE || wsdl_is(n, WSDL_XSD_NS, "annotation"))) {
        n = n->next;
    }
    return n;
}

static xmlNode *after(xmlNode *n)
{
    do {
        n = n->next;
    } while (n != NULL && (n->type != XML_ELEMENT_NODE || wsdl_is(n, WSDL_XSD_NS, "annotation")));
    return n;
}

static bool xsd(const xmlNode *n, const char *local)
{
    return n != NULL && wsdl_is(n, WSDL_XSD_NS, local);
}

static bool yes(const xmlNode *n, const char *name)
{
    const char *value = wsdl_attr(n, name);
    return value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

static bool simple_type(struct wsdl *w, xmlNode *node, json_t *field);

static bool simple_restriction(struct wsdl *w, xmlNode *node, json_t *field)
{
    struct wsdl_name base;
    const char *text = wsdl_attr(node, "base");
    xmlNode *inner = content(node);
    bool anonymous = text == NULL && xsd(inner, "simpleType");
    if (anonymous ? !simple_type(w, inner, field)
                  : text == NULL || !wsdl_qname(w, node, text, &base) ||
                        !wsdl_type(w, node, base, field)) {
        return text != NULL || anonymous ? false
                                         : wsdl_wrong(w, node, "a restriction without a base");
    }
    json_t *values = json_array();
    for (xmlNode *n = inner; n != NULL; n = after(n)) {
        const char *value = wsdl_attr(n, "value");
        if (xsd(n, "enumeration") && value != NULL &&
            json_array_append_new(values, json_string(value)) != 0) {
            json_decref(values);
            return wsdl_no_memory(w);
        }
    }
    if (json_array_size(values) == 0) {
        json_decref(values);
        return true; /* what other facets say is for the service itself to check */
    }
    return wsdl_set(w, field, "enum", values);
}

static bool simple_type(struct wsdl *w, xmlNode *node, json_t *field)
{
    xmlNode *n = content(node);
    if (!nested(w, node)) {
        return false;
    }
    bool good = xsd(n, "restriction")
                    ? simple_restriction(w, n, field)
                    : wsdl_unsupported(w, node, "a list or union of simple types");
    w->nested--;
    return good;
}

static bool attribute_type(struct wsdl *w, xmlNode *node, json_t *o)
{
    struct wsdl_name name;
    const char *type = wsdl_attr(node, "type");
    xmlNode *inner = content(node);
    if (xsd(inner, "simpleType")) {
        return simple_type(w, inner, o);
    }
    if (type == NULL) {
        return wsdl_unsupported(w, node, "an attribute without a type");
    }
    if (!wsdl_qname(w, node, type, &name)) {
        return false;
    }
    xmlNode *named = find(w, name, "simpleType");
    return named != NULL ? simple_type(w, named, o) : wsdl_type(w, node, name, o);
}

static bool attribute(struct wsdl *w, xmlNode *node, json_t *list)
{
    const char *name = wsdl_attr(node, "name"), *use = wsdl_attr(node, "use"),
               *form = wsdl_attr(node, "form");
    if (name == NULL) {
        return wsdl_unsupported(w, node, "a reference to a global attribute");
    }
    if (use != NULL && strcmp(use, "prohibited") == 0) {
        return true;
    }
    form = form != NULL ? form : wsdl_attr(schema_of(node), "attributeFormDefault");
    json_t *o = json_object();
    bool good =
        wsdl_set(w, o, "name", json_string(name)) && attribute_type(w, node, o) &&
        wsdl_set(w, o, "required", json_boolean(use != NULL && strcmp(use, "required") == 0));
    if (good && form != NULL && strcmp(form, "qualified") == 0) {
        good = wsdl_set_ns(w, o, target_of(node));
    }
    if (!good) {
        json_decref(o);
        return false;
    }
    return json_array_append_new(list, o) == 0 || wsdl_no_memory(w);
}

/* A list in o, made when it is not there yet; borrowed. */
static json_t *list_in(json_t *o, const char *key)
{
    json_t *list = json_object_get(o, key);
    if (list == NULL && json_object_set_new(o, key, json_array()) == 0) {
        list = json_object_get(o, key);
    }
    return list;
}

static bool attributes(struct wsdl *w, xmlNode *n, json_t *type)
{
    for (; n != NULL; n = after(n)) {
        if (!xsd(n, "attribute")) {
            return wsdl_unsupported(w, n, "this where an attribute was expected");
        }
        json_t *list = list_in(type, "attributes");
        if (list == NULL || !attribute(w, n, list)) {
            return list != NULL ? false : wsdl_no_memory(w);
        }
    }
    return true;
}

static bool occurs(struct wsdl *w, const xmlNode *n, unsigned long *min, unsigned long *max)
{
    const char *from = wsdl_attr(n, "minOccurs"), *to = wsdl_attr(n, "maxOccurs");
    char *end = NULL;
    *min = from != NULL ? strtoul(from, &end, 10) : 1;
    bool good = from == NULL || (*from >= '0' && *from <= '9' && *end == '\0');
    if (to != NULL && strcmp(to, "unbounded") == 0) {
        *max = 0;
    } else {
        *max = to != NULL ? strtoul(to, &end, 10) : 1;
        good = good && (to == NULL || (*to >= '0' && *to <= '9' && *end == '\0' && *max > 0));
    }
    good = good && *min <= 1000000 && *max <= 1000000 && (*max == 0 || *min <= *max);
    return good || wsdl_unsupported(w, n, "these minOccurs and maxOccurs");
}

static bool complex_type(struct wsdl *w, xmlNode *node, json_t *type);

/* A type of its own name among the definition's types, compiled when first met: so types may
 * contain themselves. */
static bool named_type(struct wsdl *w, xmlNode *node, const char *ns, const char *local,
                       const char *suffix, json_t *field)
{
    char name[CONVERT_NAME_MAX + 16];
    json_t *probe = json_object();
    bool good = wsdl_set_ns(w, probe, ns);
    const char *prefix = json_string_value(json_object_get(probe, "ns"));
    int n = snprintf(name, sizeof name, "%s%s%s%s", good && prefix[0] != '\0' ? prefix : "t", ".",
                     local, suffix);
    json_decref(probe);
    if (!good || n >= CONVERT_NAME_MAX) {
        return good ? wsdl_unsupported(w, node, "a name this long") : false;
    }
    if (json_object_get(w->types, name) == NULL) {
        json_t *type = json_object();
        good = wsdl_set(w, w->types, name, type) && complex_type(w, node, type);
    }
    return good && wsdl_set(w, field, "type", json_string(name));
}

bool wsdl_type(struct wsdl *w, const xmlNode *at, struct wsdl_name name, json_t *field)
{
    if (strcmp(name.ns, WSDL_XSD_NS) == 0) {
        for (size_t i = 0; i < sizeof builtin / sizeof *builtin; i++) {
            if (strcmp(builtin[i].xsd, name.local) == 0) {
                return wsdl_set(w, field, "type", json_string(builtin[i].type));
            }
        }
        return wsdl_unsupported(w, at, "this built-in type");
    }
    xmlNode *node = find(w, name, "simpleType");
    if (node != NULL) {
        return simple_type(w, node, field);
    }
    node = find(w, name, "complexType");
    return node != NULL ? named_type(w, node, name.ns, name.local, "", field)
                        : wsdl_wrong(w, at, "a type that no schema here defines");
}

static bool element_type(struct wsdl *w, xmlNode *node, bool global, json_t *field)
{
    struct wsdl_name name;
    const char *type = wsdl_attr(node, "type");
    xmlNode *inner = content(node);
    if (type != NULL) {
        return wsdl_qname(w, node, type, &name) && wsdl_type(w, node, name, field);
    }
    if (xsd(inner, "simpleType")) {
        return simple_type(w, inner, field);
    }
    if (!xsd(inner, "complexType")) {
        return wsdl_unsupported(w, node, "an element without a type");
    }
    return global
               ? named_type(w, inner, target_of(node), wsdl_attr(node, "name"), "-element", field)
               : complex_type(w, inner, field);
}

static bool element_base(struct wsdl *w, xmlNode *node, bool global, json_t *field)
{
    const char *name = wsdl_attr(node, "name"), *form = wsdl_attr(node, "form");
    if (name == NULL) {
        return wsdl_wrong(w, node, "an element without a name");
    }
    if (yes(node, "abstract") || wsdl_attr(node, "substitutionGroup") != NULL) {
        return wsdl_unsupported(w, node, "a substitution group");
    }
    form = form != NULL ? form : wsdl_attr(schema_of(node), "elementFormDefault");
    bool qualified = global || (form != NULL && strcmp(form, "qualified") == 0);
    if (!wsdl_set(w, field, "name", json_string(name)) ||
        !wsdl_set_ns(w, field, qualified ? target_of(node) : "") ||
        !element_type(w, node, global, field)) {
        return false;
    }
    return !yes(node, "nillable") || wsdl_set(w, field, "nillable", json_true());
}

bool wsdl_global_element(struct wsdl *w, const xmlNode *at, struct wsdl_name name, json_t **field)
{
    xmlNode *node = find(w, name, "element");
    if (node == NULL) {
        return wsdl_wrong(w, at, "an element that no schema here defines");
    }
    *field = json_object();
    if (nested(w, at) && element_base(w, node, true, *field)) {
        w->nested--;
        return true;
    }
    json_decref(*field);
    *field = NULL;
    return false;
}

/* choice 0: none; else its number, and must: one of the choice has to be there. */
static bool element(struct wsdl *w, xmlNode *node, json_t *list, unsigned choice, bool must)
{
    unsigned long min, max;
    struct wsdl_name name;
    json_t *field = NULL;
    const char *ref = wsdl_attr(node, "ref");
    if (!occurs(w, node, &min, &max)) {
        return false;
    }
    bool good;
    if (ref != NULL) {
        good = wsdl_qname(w, node, ref, &name) && wsdl_global_element(w, node, name, &field);
    } else {
        field = json_object();
        good = element_base(w, node, false, field);
    }
    if (good && max != 1) {
        good = wsdl_set(w, field, "many", json_true()) &&
               wsdl_set(w, field, "max", json_integer((json_int_t)max)) &&
               wsdl_set(w, field, "min", json_integer((json_int_t)min));
    } else if (good) {
        good = wsdl_set(w, field, "required", json_boolean(min > 0 && (choice == 0 || must)));
    }
    if (good && choice > 0) {
        good = max == 1 ? wsdl_set(w, field, "choice", json_integer(choice))
                        : wsdl_unsupported(w, node, "a repeated element in a choice");
    }
    if (!good) {
        json_decref(field);
        return false;
    }
    return json_array_append_new(list, field) == 0 || wsdl_no_memory(w);
}

static unsigned choices_in(const json_t *list)
{
    json_int_t most = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t n = json_integer_value(json_object_get(json_array_get(list, i), "choice"));
        most = n > most ? n : most;
    }
    return (unsigned)most;
}

static bool choice(struct wsdl *w, xmlNode *node, json_t *list)
{
    unsigned long min, max;
    unsigned number = choices_in(list) + 1;
    if (!occurs(w, node, &min, &max)) {
        return false;
    }
    if (max != 1) {
        return wsdl_unsupported(w, node, "a choice that repeats");
    }
    for (xmlNode *n = content(node); n != NULL; n = after(n)) {
        if (!xsd(n, "element")) {
            return wsdl_unsupported(w, n, "this in a choice");
        }
        if (!element(w, n, list, number, min > 0)) {
            return false;
        }
    }
    return true;
}

static bool sequence(struct wsdl *w, xmlNode *node, json_t *list)
{
    unsigned long min, max;
    if (!occurs(w, node, &min, &max) || !nested(w, node)) {
        return false;
    }
    if (min != 1 || max != 1) {
        return wsdl_unsupported(w, node, "a sequence that repeats or may be absent");
    }
    for (xmlNode *n = content(node); n != NULL; n = after(n)) {
        bool good = xsd(n, "element")    ? element(w, n, list, 0, false)
                    : xsd(n, "sequence") ? sequence(w, n, list)
                    : xsd(n, "choice")   ? choice(w, n, list)
                                         : wsdl_unsupported(w, n, "this in a sequence");
        if (!good) {
            return false;
        }
    }
    w->nested--;
    return true;
}

static bool all(struct wsdl *w, xmlNode *node, json_t *type, json_t *list)
{
    unsigned long min, max;
    if (!occurs(w, node, &min, &max)) {
        return false;
    }
    if (min != 1 || max != 1 || json_array_size(list) > 0) {
        return wsdl_unsupported(w, node, "an all that may be absent or extends a type");
    }
    for (xmlNode *n = content(node); n != NULL; n = after(n)) {
        if (!xsd(n, "element") || !element(w, n, list, 0, false)) {
            return xsd(n, "element") ? false : wsdl_unsupported(w, n, "this in an all");
        }
    }
    return wsdl_set(w, type, "order", json_string("any"));
}

/* The particle, if there is one, and the attributes after it; a base type may have put its own
 * before. */
static bool particle(struct wsdl *w, xmlNode *n, json_t *type)
{
    json_t *list = list_in(type, "elements");
    if (list == NULL || !wsdl_set(w, type, "type", json_string("object"))) {
        return wsdl_no_memory(w);
    }
    bool one = xsd(n, "sequence") || xsd(n, "choice") || xsd(n, "all");
    if (one && json_object_get(type, "order") != NULL) {
        return wsdl_unsupported(w, n, "an extension of an all");
    }
    bool good = !one || (xsd(n, "sequence") ? sequence(w, n, list)
                         : xsd(n, "choice") ? choice(w, n, list)
                                            : all(w, n, type, list));
    return good && attributes(w, one ? after(n) : n, type);
}

static bool extension(struct wsdl *w, xmlNode *node, bool simple, json_t *type)
{
    struct wsdl_name name;
    const char *base = wsdl_attr(node, "base");
    if (base == NULL || !wsdl_qname(w, node, base, &name)) {
        return base != NULL ? false : wsdl_wrong(w, node, "an extension without a base");
    }
    xmlNode *complex = find(w, name, "complexType");
    if (complex != NULL ? !complex_type(w, complex, type)
        : !simple       ? !wsdl_wrong(w, node, "a base that no schema here defines")
                        : !wsdl_type(w, node, name, type)) {
        return false;
    }
    if (complex == NULL && !simple) {
        return false;
    }
    return simple ? attributes(w, content(node), type) : particle(w, content(node), type);
}

static bool complex_type(struct wsdl *w, xmlNode *node, json_t *type)
{
    xmlNode *n = content(node), *inner = n != NULL ? content(n) : NULL;
    if (!nested(w, node)) {
        return false;
    }
    if (yes(node, "mixed") || yes(node, "abstract")) {
        return wsdl_unsupported(w, node, "a mixed or abstract type");
    }
    bool simple = xsd(n, "simpleContent"), derived = simple || xsd(n, "complexContent");
    if (derived && (!xsd(inner, "extension") || yes(n, "mixed"))) {
        return wsdl_unsupported(w, n, "a restriction of a complex type, or mixed content");
    }
    bool good = derived ? extension(w, inner, simple, type) : particle(w, n, type);
    w->nested--;
    return good;
}
