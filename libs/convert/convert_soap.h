/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope around a document: which elements are its own, and of a fault only whose it is. */
#pragma once
#include <libxml/parser.h>

#include "convert/convert_inner.h"

/* The one place where libxml2 reads a guarded body: no network, no entities but the five. *parser
 * is set while it runs, for xmlStopParser(). *good: well formed, namespaces too. False: no memory.
 */
bool convert_sax(xmlSAXHandler *sax, void *context, xmlParserCtxt **parser, struct slice body,
                 bool *good);
/* Was it the bound on distinct names that libxml2 reports as lack of memory? */
bool convert_sax_names_full(const xmlParserCtxt *parser);

struct convert_soap {
    enum convert_form form; /* CONVERT_XML: no envelope, every element is the document's */
    unsigned depth;         /* of the envelope's own elements that are open */
    enum { SOAP_BEFORE, SOAP_HEADER, SOAP_BODY, SOAP_AFTER } stage;
    bool in_fault, code_open, found_code;
    char code[64];
    size_t code_n;
};

void convert_soap_init(struct convert_soap *s, enum convert_form form);
/* A start tag outside the document; *payload: it is the document's root and changes nothing here.
 */
enum convert_err convert_soap_start(struct convert_soap *s, const xmlChar *local, struct slice ns,
                                    const xmlChar **attributes, int n, bool *payload);
void convert_soap_end(struct convert_soap *s);
bool convert_soap_text(struct convert_soap *s, struct slice text); /* false: not its concern */
enum convert_err convert_soap_complete(const struct convert_soap *s);
enum convert_fault convert_soap_fault_class(const struct convert_soap *s);
