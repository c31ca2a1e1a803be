/* SPDX-License-Identifier: Apache-2.0 */
/* RDF statements and three ways to write them. Names are prefixed ("dct:title"), by the table in
 * rdf.c; subjects and IRIs of objects are absolute. Texts are UTF-8; control characters, which XML
 * cannot hold, become blanks. */
#pragma once
#include "rest/rest.h"

enum rdf_kind { RDF_IRI, RDF_NAME, RDF_TEXT, RDF_TIME };

struct rdf_statement {
    char *subject, *object;
    const char *predicate; /* static */
    enum rdf_kind kind;    /* of the object; RDF_NAME: a prefixed name */
};

/* Zeroed: empty. Statements of one subject stand together. */
struct rdf_graph {
    struct rdf_statement *statements;
    size_t n, cap;
    bool failed; /* no memory */
};

/* Adds one; an empty object adds nothing. Texts are copied, the predicate is not. */
void rdf_add(struct rdf_graph *g, const char *subject, const char *predicate, enum rdf_kind kind,
             const char *object);
void rdf_fini(struct rdf_graph *g);

/* The answer of the call: 200 and the graph. format: one of rdf_format_known(). */
bool rdf_format_known(const char *format);
enum problem rdf_answer(struct rest_call *c, const struct rdf_graph *g, const char *format);
