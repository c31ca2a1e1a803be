/* SPDX-License-Identifier: Apache-2.0 */
/* What the two readers, of WSDL and of the schemas inside it, share. */
#pragma once
#include <libxml/tree.h>

#include "convert/convert_inner.h"

#define WSDL_NS        "http://schemas.xmlsoap.org/wsdl/"
#define WSDL_SOAP11_NS "http://schemas.xmlsoap.org/wsdl/soap/"
#define WSDL_SOAP12_NS "http://schemas.xmlsoap.org/wsdl/soap12/"
#define WSDL_XSD_NS    "http://www.w3.org/2001/XMLSchema"
#define WSDL_HTTP      "http://schemas.xmlsoap.org/soap/http"
#define WSDL_SCHEMAS   64
#define WSDL_NESTED    48
#define WSDL_WORK_MAX  100000 /* members set: a base type is copied into each that extends it */

struct wsdl {
    struct convert_error *error;
    xmlDoc *doc;
    xmlNode *root;
    xmlNode *schemas[WSDL_SCHEMAS];
    size_t n_schemas;
    json_t *namespaces, *types; /* borrowed from the definition being made */
    unsigned nested, work;
};

/* A name as a QName in an attribute means it. Both live as long as the document; ns "": none. */
struct wsdl_name {
    const char *ns, *local;
};

/* Refuse: what is wrong, and the construct it stands in. Return false always. */
bool wsdl_unsupported(struct wsdl *w, const xmlNode *at, const char *text);
bool wsdl_wrong(struct wsdl *w, const xmlNode *at, const char *text);
bool wsdl_no_memory(struct wsdl *w);

bool wsdl_is(const xmlNode *node, const char *ns, const char *local);
const char *wsdl_attr(const xmlNode *node, const char *name);         /* NULL: none */
xmlNode *wsdl_next(xmlNode *from, const char *ns, const char *local); /* from or a later sibling */
xmlNode *wsdl_named(xmlNode *parent, const char *ns, const char *local, const char *name);
bool wsdl_qname(struct wsdl *w, const xmlNode *node, const char *text, struct wsdl_name *name);

bool wsdl_set(struct wsdl *w, json_t *o, const char *key, json_t *value); /* takes value */
bool wsdl_set_ns(struct wsdl *w, json_t *o, const char *uri);

/* *field: a new reference to the element a definition holds for a global element. */
bool wsdl_global_element(struct wsdl *w, const xmlNode *at, struct wsdl_name name, json_t **field);
/* Gives a field the keys of a type. */
bool wsdl_type(struct wsdl *w, const xmlNode *at, struct wsdl_name name, json_t *field);
