/* SPDX-License-Identifier: Apache-2.0 */
/* Turtle and RDF/XML are libraptor2's to write. Its world is not for several threads, so there is
 * one, behind a lock; JSON-LD is our JSON with the prefixes as its context. */
#include "catalog/rdf.h"

#include <pthread.h>
#include <raptor2/raptor2.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"

#define IRI_MAX 512

static const char *const prefixes[][2] = {
    {"rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"},
    {"rdfs", "http://www.w3.org/2000/01/rdf-schema#"},
    {"dcat", "http://www.w3.org/ns/dcat#"},
    {"dct", "http://purl.org/dc/terms/"},
    {"foaf", "http://xmlns.com/foaf/0.1/"},
    {"skos", "http://www.w3.org/2004/02/skos/core#"},
    {"xsd", "http://www.w3.org/2001/XMLSchema#"},
};

static char *copy_text(const char *text)
{
    char *out = strdup(text);

    for (char *p = out; p && *p; p++) {
        unsigned char ch = (unsigned char)*p;
        *p = ch < 0x20 && ch != '\n' && ch != '\t' && ch != '\r' ? ' ' : *p;
    }
    return out;
}

static bool room(struct rdf_graph *g)
{
    size_t cap = g->cap ? g->cap * 2 : 256;
    struct rdf_statement *grown;

    if (g->n < g->cap) {
        return true;
    }
    grown = realloc(g->statements, cap * sizeof *grown);
    if (!grown) {
        return false;
    }
    g->statements = grown;
    g->cap = cap;
    return true;
}

void rdf_add(struct rdf_graph *g, const char *subject, const char *predicate, enum rdf_kind kind,
             const char *object)
{
    if (!object || !object[0] || g->failed) {
        return;
    }
    g->failed = !room(g);
    if (g->failed) {
        return;
    }
    struct rdf_statement *s = &g->statements[g->n++];
    *s = (struct rdf_statement){copy_text(subject), copy_text(object), predicate, kind};
    g->failed = !s->subject || !s->object;
}

void rdf_fini(struct rdf_graph *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->statements[i].subject);
        free(g->statements[i].object);
    }
    free(g->statements);
    *g = (struct rdf_graph){0};
}

/* JSON-LD ----------------------------------------------------------------------------------------
 */
static json_t *value_of(const struct rdf_statement *s)
{
    if (s->kind == RDF_IRI) {
        return json_pack("{s:s}", "@id", s->object);
    }
    if (s->kind == RDF_TIME) {
        return json_pack("{s:s, s:s}", "@type", "xsd:dateTime", "@value", s->object);
    }
    return json_string(s->object);
}

/* One value stands alone, several are a list. */
static void put(json_t *node, const struct rdf_statement *s)
{
    const char *name = strcmp(s->predicate, "rdf:type") == 0 ? "@type" : s->predicate;
    json_t *there = json_object_get(node, name);

    if (!there) {
        json_object_set_new(node, name, value_of(s));
    } else if (json_is_array(there)) {
        json_array_append_new(there, value_of(s));
    } else {
        json_t *list = json_pack("[O, o]", there, value_of(s));
        json_object_set_new(node, name, list);
    }
}

static enum problem answer_jsonld(struct rest_call *c, const struct rdf_graph *g)
{
    json_t *context = json_object(), *nodes = json_array(), *node = NULL;

    for (size_t i = 0; i < COUNT(prefixes); i++) {
        json_object_set_new(context, prefixes[i][0], json_string(prefixes[i][1]));
    }
    for (size_t i = 0; i < g->n; i++) {
        const struct rdf_statement *s = &g->statements[i];
        if (!node || strcmp(row_text(node, "@id"), s->subject) != 0) {
            node = json_pack("{s:s}", "@id", s->subject);
            json_array_append_new(nodes, node);
        }
        put(node, s);
    }
    enum problem p =
        rest_answer(c, 200, json_pack("{s:o, s:o}", "@context", context, "@graph", nodes));
    c->resp->content_type = "application/ld+json";
    return p;
}

/* libraptor2 -------------------------------------------------------------------------------------
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static raptor_world *world; /* once made, for the process's life */

/* What it would set up of libcurl and libxml2 for all of the process is none of its business. */
static raptor_world *world_get(void)
{
    if (!world && (world = raptor_new_world())) {
        raptor_world_set_flag(world, RAPTOR_WORLD_FLAG_LIBXML_GENERIC_ERROR_SAVE, 0);
        raptor_world_set_flag(world, RAPTOR_WORLD_FLAG_LIBXML_STRUCTURED_ERROR_SAVE, 0);
        raptor_world_set_flag(world, RAPTOR_WORLD_FLAG_WWW_SKIP_INIT_FINISH, 1);
        if (raptor_world_open(world)) {
            raptor_free_world(world);
            world = NULL;
        }
    }
    return world;
}

/* "dct:title" as a whole. */
static bool expand(const char *name, char out[static IRI_MAX])
{
    const char *colon = strchr(name, ':');

    for (size_t i = 0; colon && i < COUNT(prefixes); i++) {
        size_t n = strlen(prefixes[i][0]);
        if ((size_t)(colon - name) == n && strncmp(name, prefixes[i][0], n) == 0) {
            return snprintf(out, IRI_MAX, "%s%s", prefixes[i][1], colon + 1) < IRI_MAX;
        }
    }
    return false;
}

static raptor_term *iri_term(const char *iri)
{
    return raptor_new_term_from_uri_string(world, (const unsigned char *)iri);
}

static raptor_term *name_term(const char *name)
{
    char iri[IRI_MAX];

    return expand(name, iri) ? iri_term(iri) : NULL;
}

static raptor_term *object_term(const struct rdf_statement *s)
{
    raptor_uri *type = NULL;
    raptor_term *term;
    char iri[IRI_MAX];

    if (s->kind == RDF_IRI || s->kind == RDF_NAME) {
        return s->kind == RDF_IRI ? iri_term(s->object) : name_term(s->object);
    }
    if (s->kind == RDF_TIME && expand("xsd:dateTime", iri)) {
        type = raptor_new_uri(world, (const unsigned char *)iri);
    }
    term = raptor_new_term_from_literal(world, (const unsigned char *)s->object, type, NULL);
    if (type) {
        raptor_free_uri(type);
    }
    return term;
}

static bool write_one(raptor_serializer *out, const struct rdf_statement *s)
{
    raptor_statement st;

    raptor_statement_init(&st, world);
    st.subject = iri_term(s->subject);
    st.predicate = name_term(s->predicate);
    st.object = object_term(s);
    bool ok = st.subject && st.predicate && st.object &&
              raptor_serializer_serialize_statement(out, &st) == 0;
    raptor_statement_clear(&st);
    return ok;
}

static bool write_all(raptor_serializer *out, const struct rdf_graph *g, struct buf *into)
{
    void *text = NULL;
    size_t n = 0;
    raptor_iostream *stream = raptor_new_iostream_to_string(world, &text, &n, malloc);
    bool ok = stream != NULL;

    for (size_t i = 1; i < COUNT(prefixes) && ok; i++) { /* rdf: is there already */
        raptor_uri *uri = raptor_new_uri(world, (const unsigned char *)prefixes[i][1]);
        ok = uri &&
             raptor_serializer_set_namespace(out, uri, (const unsigned char *)prefixes[i][0]) == 0;
        if (uri) {
            raptor_free_uri(uri);
        }
    }
    ok = ok && raptor_serializer_start_to_iostream(out, NULL, stream) == 0;
    for (size_t i = 0; i < g->n && ok; i++) {
        ok = write_one(out, &g->statements[i]);
    }
    ok = ok && raptor_serializer_serialize_end(out) == 0;
    if (stream) {
        raptor_free_iostream(stream); /* now the text is there */
    }
    if (ok && text) {
        buf_add(into, text, n);
    }
    free(text);
    return ok && !into->failed;
}

static const struct {
    const char *name, *writer, *content_type; /* writer NULL: our own JSON-LD */
} formats[] = {
    {"jsonld", NULL, "application/ld+json"},
    {"turtle", "turtle", "text/turtle; charset=utf-8"},
    {"rdfxml", "rdfxml-abbrev", "application/rdf+xml"},
};

bool rdf_format_known(const char *format)
{
    for (size_t i = 0; i < COUNT(formats); i++) {
        if (strcmp(formats[i].name, format) == 0) {
            return true;
        }
    }
    return false;
}

static enum problem answer_raptor(struct rest_call *c, const struct rdf_graph *g, size_t format)
{
    bool ok = false;

    pthread_mutex_lock(&lock);
    raptor_serializer *out =
        world_get() ? raptor_new_serializer(world, formats[format].writer) : NULL;
    if (out) {
        ok = write_all(out, g, &c->resp->body);
        raptor_free_serializer(out);
    }
    pthread_mutex_unlock(&lock);
    c->resp->content_type = formats[format].content_type;
    c->resp->status = 200;
    return ok ? PROBLEM_OK : PROBLEM_INTERNAL;
}

enum problem rdf_answer(struct rest_call *c, const struct rdf_graph *g, const char *format)
{
    size_t i = 0;

    while (i < COUNT(formats) && strcmp(formats[i].name, format) != 0) {
        i++;
    }
    if (g->failed || i == COUNT(formats)) {
        return PROBLEM_INTERNAL;
    }
    return formats[i].writer ? answer_raptor(c, g, i) : answer_jsonld(c, g);
}
