/* SPDX-License-Identifier: Apache-2.0 */
/* WSDL 1.1 into a definition: document/literal and rpc/literal over HTTP. Nothing is fetched: what
 * a text imports from elsewhere is refused. */
#include <libxml/parser.h>
#include <stdio.h>

#include "convert/wsdl_inner.h"

static bool refuse(struct wsdl *w, enum convert_err code, const xmlNode *at, const char *text)
{
    const char *name = at != NULL ? wsdl_attr(at, "name") : NULL;
    w->error->code = code;
    w->error->text = text;
    snprintf(w->error->where, sizeof w->error->where, "%.60s%s%.100s",
             at != NULL ? (const char *)at->name : "", name != NULL ? " " : "",
             name != NULL ? name : "");
    return false;
}

bool wsdl_unsupported(struct wsdl *w, const xmlNode *at, const char *text)
{
    return refuse(w, CONVERT_EUNSUPPORTED, at, text);
}

bool wsdl_wrong(struct wsdl *w, const xmlNode *at, const char *text)
{
    return refuse(w, CONVERT_EDEFINITION, at, text);
}

bool wsdl_no_memory(struct wsdl *w)
{
    return refuse(w, CONVERT_EMEMORY, NULL, convert_strerror(CONVERT_EMEMORY));
}

bool wsdl_is(const xmlNode *node, const char *ns, const char *local)
{
    return node->type == XML_ELEMENT_NODE && node->ns != NULL &&
           strcmp((const char *)node->ns->href, ns) == 0 &&
           strcmp((const char *)node->name, local) == 0;
}

const char *wsdl_attr(const xmlNode *node, const char *name)
{
    if (node->type != XML_ELEMENT_NODE) {
        return NULL;
    }
    const xmlAttr *a = xmlHasNsProp((xmlNode *)node, (const xmlChar *)name, NULL);
    if (a == NULL) {
        return NULL;
    }
    return a->children != NULL ? (const char *)a->children->content : "";
}

xmlNode *wsdl_next(xmlNode *from, const char *ns, const char *local)
{
    while (from != NULL && !wsdl_is(from, ns, local)) {
        from = from->next;
    }
    return from;
}

xmlNode *wsdl_named(xmlNode *parent, const char *ns, const char *local, const char *name)
{
    for (xmlNode *n = wsdl_next(parent->children, ns, local); n != NULL;
         n = wsdl_next(n->next, ns, local)) {
        const char *own = wsdl_attr(n, "name");
        if (own != NULL && strcmp(own, name) == 0) {
            return n;
        }
    }
    return NULL;
}

bool wsdl_qname(struct wsdl *w, const xmlNode *node, const char *text, struct wsdl_name *name)
{
    char prefix[CONVERT_NAME_MAX + 1];
    const char *colon = strchr(text, ':');
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;
    if (n >= sizeof prefix) {
        return wsdl_wrong(w, node, "a name this long");
    }
    memcpy(prefix, text, n);
    prefix[n] = '\0';
    const xmlNs *ns =
        xmlSearchNs(w->doc, (xmlNode *)node, colon != NULL ? (const xmlChar *)prefix : NULL);
    if (ns == NULL && colon != NULL) {
        return wsdl_wrong(w, node, "a prefix that nothing declares");
    }
    *name = (struct wsdl_name){ns != NULL && ns->href != NULL ? (const char *)ns->href : "",
                               colon != NULL ? colon + 1 : text};
    return true;
}

bool wsdl_set(struct wsdl *w, json_t *o, const char *key, json_t *value)
{
    if (json_object_set_new(o, key, value) != 0) {
        return wsdl_no_memory(w);
    }
    return ++w->work <= WSDL_WORK_MAX || wsdl_unsupported(w, w->root, "a service this large");
}

bool wsdl_set_ns(struct wsdl *w, json_t *o, const char *uri)
{
    const char *prefix;
    char fresh[24];
    json_t *value;
    if (uri[0] == '\0') {
        return wsdl_set(w, o, "ns", json_string(""));
    }
    json_object_foreach(w->namespaces, prefix, value)
    {
        if (strcmp(json_string_value(value), uri) == 0) {
            return wsdl_set(w, o, "ns", json_string(prefix));
        }
    }
    snprintf(fresh, sizeof fresh, "n%zu", json_object_size(w->namespaces));
    return wsdl_set(w, w->namespaces, fresh, json_string(uri)) &&
           wsdl_set(w, o, "ns", json_string(fresh));
}

/* The schemas, and that none of them leans on something outside. */
static bool schemas(struct wsdl *w)
{
    xmlNode *import = wsdl_next(w->root->children, WSDL_NS, "import");
    if (import != NULL) {
        return wsdl_unsupported(w, import, "an import");
    }
    xmlNode *types = wsdl_next(w->root->children, WSDL_NS, "types");
    for (xmlNode *n = types != NULL ? types->children : NULL;
         (n = wsdl_next(n, WSDL_XSD_NS, "schema")) != NULL; n = n->next) {
        for (xmlNode *c = n->children; c != NULL; c = c->next) {
            bool outside =
                wsdl_is(c, WSDL_XSD_NS, "include") || wsdl_is(c, WSDL_XSD_NS, "redefine") ||
                (wsdl_is(c, WSDL_XSD_NS, "import") && wsdl_attr(c, "schemaLocation") != NULL);
            if (outside) {
                return wsdl_unsupported(w, c, "a schema from elsewhere");
            }
        }
        if (w->n_schemas == WSDL_SCHEMAS) {
            return wsdl_unsupported(w, n, "so many schemas");
        }
        w->schemas[w->n_schemas++] = n;
    }
    return true;
}

/* One service as it is called: its binding, and where. */
struct service {
    xmlNode *binding, *port_type;
    const char *soap; /* namespace of the binding's SOAP elements */
    const char *form;
    bool rpc;
    char path[512];
};

static const char *local_of(const char *qname)
{
    const char *colon = qname != NULL ? strchr(qname, ':') : NULL;
    return colon != NULL ? colon + 1 : qname;
}

static bool binding(struct wsdl *w, struct service *s)
{
    static const char *const versions[][2] = {{WSDL_SOAP11_NS, "soap11"},
                                              {WSDL_SOAP12_NS, "soap12"}};
    for (size_t v = 0; v < 2 && s->binding == NULL; v++) {
        for (xmlNode *n = w->root->children; (n = wsdl_next(n, WSDL_NS, "binding")) != NULL;
             n = n->next) {
            if (s->binding == NULL && wsdl_next(n->children, versions[v][0], "binding") != NULL) {
                s->binding = n;
                s->soap = versions[v][0];
                s->form = versions[v][1];
            }
        }
    }
    if (s->binding == NULL) {
        (void)wsdl_unsupported(w, w->root, "a service without a SOAP binding");
        return false;
    }
    xmlNode *soap = wsdl_next(s->binding->children, s->soap, "binding");
    const char *style = wsdl_attr(soap, "style"), *transport = wsdl_attr(soap, "transport"),
               *type = local_of(wsdl_attr(s->binding, "type"));
    s->rpc = style != NULL && strcmp(style, "rpc") == 0;
    s->port_type = type != NULL ? wsdl_named(w->root, WSDL_NS, "portType", type) : NULL;
    if (transport == NULL || strcmp(transport, WSDL_HTTP) != 0) {
        return wsdl_unsupported(w, s->binding, "a transport other than HTTP");
    }
    return s->port_type != NULL || wsdl_wrong(w, s->binding, "a port type that is not there");
}

/* The path of the address of a port of the binding. */
static void address(struct wsdl *w, struct service *s)
{
    const char *own = wsdl_attr(s->binding, "name");
    xmlNode *service = wsdl_next(w->root->children, WSDL_NS, "service");
    snprintf(s->path, sizeof s->path, "/");
    for (xmlNode *n = service != NULL ? service->children : NULL;
         (n = wsdl_next(n, WSDL_NS, "port")) != NULL; n = n->next) {
        const char *name = local_of(wsdl_attr(n, "binding"));
        xmlNode *soap = wsdl_next(n->children, s->soap, "address");
        const char *location = soap != NULL ? wsdl_attr(soap, "location") : NULL;
        const char *host = location != NULL ? strstr(location, "://") : NULL;
        const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
        if (own != NULL && name != NULL && strcmp(own, name) == 0 && path != NULL &&
            strlen(path) < sizeof s->path) {
            snprintf(s->path, sizeof s->path, "%s", path);
        }
    }
}

/* One direction of an operation. */
struct way {
    xmlNode *message;
    const char *namespace; /* of an rpc wrapper */
    char name[CONVERT_NAME_MAX + 16];
};

static bool body_of(struct wsdl *w, const struct service *s, xmlNode *bound, const char *what,
                    struct way *way)
{
    xmlNode *n = wsdl_next(bound->children, WSDL_NS, what);
    xmlNode *body = n != NULL ? wsdl_next(n->children, s->soap, "body") : NULL;
    const char *use = body != NULL ? wsdl_attr(body, "use") : NULL;
    if (body == NULL) {
        return wsdl_unsupported(w, bound, "an operation without soap:body");
    }
    if ((use != NULL && strcmp(use, "literal") != 0) || wsdl_attr(body, "encodingStyle") != NULL) {
        return wsdl_unsupported(w, bound, "SOAP encoding");
    }
    if (wsdl_next(n->children, s->soap, "header") != NULL || wsdl_attr(body, "parts") != NULL) {
        return wsdl_unsupported(w, bound, "a SOAP header or a choice of parts");
    }
    const char *ns = wsdl_attr(body, "namespace");
    way->namespace = ns != NULL ? ns : "";
    return true;
}

static bool rpc_part(struct wsdl *w, xmlNode *part, json_t *list)
{
    struct wsdl_name name;
    const char *type = wsdl_attr(part, "type"), *own = wsdl_attr(part, "name");
    if (type == NULL || own == NULL) {
        return wsdl_unsupported(w, part, "an rpc part without a type");
    }
    json_t *o = json_object();
    bool good = wsdl_set(w, o, "name", json_string(own)) && wsdl_set_ns(w, o, "") &&
                wsdl_qname(w, part, type, &name) && wsdl_type(w, part, name, o) &&
                wsdl_set(w, o, "required", json_true());
    if (!good) {
        json_decref(o);
        return false;
    }
    return json_array_append_new(list, o) == 0 || wsdl_no_memory(w);
}

static bool rpc_root(struct wsdl *w, const struct way *way, json_t **root)
{
    json_t *list = json_array();
    *root = json_object();
    bool good = wsdl_set(w, *root, "name", json_string(way->name)) &&
                wsdl_set(w, *root, "type", json_string("object")) &&
                wsdl_set_ns(w, *root, way->namespace) &&
                wsdl_set(w, *root, "elements", json_incref(list));
    for (xmlNode *n = way->message->children; good && (n = wsdl_next(n, WSDL_NS, "part")) != NULL;
         n = n->next) {
        good = rpc_part(w, n, list);
    }
    json_decref(list);
    return good;
}

static bool document_root(struct wsdl *w, const struct way *way, json_t **root)
{
    struct wsdl_name name;
    xmlNode *part = wsdl_next(way->message->children, WSDL_NS, "part");
    if (part == NULL) {
        *root = json_null();
        return true;
    }
    const char *element = wsdl_attr(part, "element");
    if (element == NULL || wsdl_next(part->next, WSDL_NS, "part") != NULL) {
        return wsdl_unsupported(w, way->message,
                                "a document with several parts, or one that is a type");
    }
    return wsdl_qname(w, part, element, &name) && wsdl_global_element(w, part, name, root);
}

static bool side(struct wsdl *w, const struct service *s, xmlNode *bound, xmlNode *abstract,
                 bool rpc, bool request, json_t *op)
{
    struct way way = {0};
    json_t *root = NULL;
    const char *what = request ? "input" : "output", *name = wsdl_attr(bound, "name");
    xmlNode *n = wsdl_next(abstract->children, WSDL_NS, what);
    if (n == NULL) {
        return !request || wsdl_unsupported(w, abstract, "an operation without input");
    }
    const char *message = local_of(wsdl_attr(n, "message"));
    way.message = message != NULL ? wsdl_named(w->root, WSDL_NS, "message", message) : NULL;
    if (way.message == NULL) {
        return wsdl_wrong(w, abstract, "a message that is not there");
    }
    snprintf(way.name, sizeof way.name, "%.*s%s", CONVERT_NAME_MAX, name,
             request ? "" : "Response");
    bool good = body_of(w, s, bound, what, &way) &&
                (rpc ? rpc_root(w, &way, &root) : document_root(w, &way, &root));
    if (!good) {
        json_decref(root);
        return false;
    }
    return wsdl_set(w, op, request ? "request" : "response", root);
}

static bool listed(const json_t *names, const char *name)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *one = json_string_value(json_array_get(names, i));
        if (one != NULL && strcmp(one, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool fill_operation(struct wsdl *w, const struct service *s, xmlNode *bound, bool get,
                           json_t *op)
{
    char path[CONVERT_NAME_MAX + 2];
    const char *name = wsdl_attr(bound, "name");
    xmlNode *soap = wsdl_next(bound->children, s->soap, "operation");
    const char *action = soap != NULL ? wsdl_attr(soap, "soapAction") : NULL;
    const char *style = soap != NULL ? wsdl_attr(soap, "style") : NULL;
    xmlNode *abstract = name != NULL ? wsdl_named(s->port_type, WSDL_NS, "operation", name) : NULL;
    if (abstract == NULL || strlen(name) > CONVERT_NAME_MAX) {
        return wsdl_wrong(w, bound, "an operation that the port type does not have");
    }
    snprintf(path, sizeof path, "/%s", name);
    bool rpc = style != NULL ? strcmp(style, "rpc") == 0 : s->rpc;
    return wsdl_set(w, op, "name", json_string(name)) &&
           wsdl_set(w, op, "method", json_string(get ? "GET" : "POST")) &&
           (!get || wsdl_set(w, op, "query", json_true())) &&
           wsdl_set(w, op, "path", json_string(path)) &&
           wsdl_set(w, op, "action", json_string(action != NULL ? action : "")) &&
           wsdl_set(w, op, "client", json_pack("[s]", "json")) &&
           wsdl_set(
               w, op, "upstream",
               json_pack("{s:s,s:s,s:s}", "form", s->form, "method", "POST", "path", s->path)) &&
           side(w, s, bound, abstract, rpc, true, op) &&
           side(w, s, bound, abstract, rpc, false, op);
}

static bool operations(struct wsdl *w, const json_t *get, json_t *list)
{
    struct service s = {0};
    if (!schemas(w) || !binding(w, &s)) {
        return false;
    }
    address(w, &s);
    for (xmlNode *n = s.binding->children; (n = wsdl_next(n, WSDL_NS, "operation")) != NULL;
         n = n->next) {
        const char *name = wsdl_attr(n, "name");
        json_t *op = json_object();
        bool good = fill_operation(w, &s, n, name != NULL && listed(get, name), op);
        if (!good || json_array_append(list, op) != 0) {
            json_decref(op);
            return good ? wsdl_no_memory(w) : false;
        }
        json_decref(op);
    }
    return true;
}

static void quiet(void *context, xmlErrorPtr error)
{
    (void)context, (void)error;
}

static xmlDoc *load(struct slice body)
{
    xmlParserCtxt *p = xmlNewParserCtxt();
    if (p == NULL) {
        return NULL;
    }
    p->sax->serror = quiet;
    xmlDoc *doc = xmlCtxtReadMemory(p, body.p, (int)body.n, NULL, "UTF-8",
                                    XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_NOCDATA);
    if (doc != NULL && !p->nsWellFormed) {
        xmlFreeDoc(doc);
        doc = NULL;
    }
    xmlFreeParserCtxt(p);
    return doc;
}

static enum convert_err compile(struct wsdl *w, const json_t *get, json_t *definition, json_t *list)
{
    struct convert *checked;
    w->root = xmlDocGetRootElement(w->doc);
    if (w->root == NULL || !wsdl_is(w->root, WSDL_NS, "definitions")) {
        (void)wsdl_wrong(w, w->root, "the root element is not that of WSDL 1.1");
        return w->error->code;
    }
    if (!operations(w, get, list)) {
        return w->error->code;
    }
    enum convert_err err = convert_compile(definition, &checked, w->error);
    if (err == CONVERT_OK) {
        convert_free(&checked);
    }
    return err;
}

enum convert_err convert_from_wsdl(struct slice wsdl, const json_t *get_operations, json_t **out,
                                   struct convert_error *error)
{
    struct convert_error unused = {0};
    struct wsdl w = {.error = error != NULL ? error : &unused};
    struct slice body;
    w.error->fault = CONVERT_FAULT_NONE;
    enum convert_err err = convert_guard(wsdl, CONVERT_WSDL_MAX, &body);
    if (err != CONVERT_OK) {
        return convert_fail(w.error, err, NULL);
    }
    w.doc = body.n > 0 ? load(body) : NULL;
    if (w.doc == NULL) {
        return convert_fail(w.error, CONVERT_ESYNTAX, NULL);
    }
    json_t *definition =
        json_pack("{s:i,s:{},s:{},s:[]}", "version", 1, "namespaces", "types", "operations");
    w.namespaces = json_object_get(definition, "namespaces");
    w.types = json_object_get(definition, "types");
    err = definition != NULL
              ? compile(&w, get_operations, definition, json_object_get(definition, "operations"))
              : convert_fail(w.error, CONVERT_EMEMORY, NULL);
    if (err == CONVERT_OK) {
        *out = json_incref(definition);
    }
    json_decref(definition);
    xmlFreeDoc(w.doc);
    return err;
}
