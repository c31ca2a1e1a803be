/* SPDX-License-Identifier: Apache-2.0 */
/* The open directory for other catalogues: DCAT 3 as JSON-LD and RDF/XML, and as plain JSON. What
 * is listed, a page at a time. */
#include <libxml/xmlwriter.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "catalog/catalog.h"

#define PAGE_SIZE 500

/* Terms of DCAT for members of an entry. */
static const struct {
    const char *member, *term;
    enum { TEXT, TEXTS, TIME, FREQUENCY, IRI } kind;
} terms[] = {
    {"identifier", "dct:identifier", TEXT},
    {"name", "dct:title", TEXT},
    {"summary", "dct:description", TEXT},
    {"tags", "dcat:keyword", TEXTS},
    {"keywords", "dcat:keyword", TEXTS},
    {"published_at", "dct:issued", TIME},
    {"last_update", "dct:modified", TIME},
    {"access_conditions", "dct:accessRights", TEXT},
    {"update_frequency", "dct:accrualPeriodicity", FREQUENCY},
    {"theme_id", "dcat:theme", IRI},
    {"organisation_id", "dct:publisher", IRI},
};
static const char *const prefixes[][2] = {
    {"rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"},
    {"dcat", "http://www.w3.org/ns/dcat#"},
    {"dct", "http://purl.org/dc/terms/"},
    {"xsd", "http://www.w3.org/2001/XMLSchema#"},
};
static const char frequency_base[] = "http://publications.europa.eu/resource/authority/frequency/";
static const struct {
    const char *word, *name;
} frequencies[] = {
    {"real-time", "UPDATE_CONT"}, {"hourly", "HOURLY"},   {"daily", "DAILY"},
    {"weekly", "WEEKLY"},         {"monthly", "MONTHLY"}, {"quarterly", "QUARTERLY"},
    {"yearly", "ANNUAL"},         {"static", "NEVER"},    {"irregular", "IRREG"},
};

static void iri_of(int kind, const char *value, char out[static 160])
{
    out[0] = '\0';
    if (kind == IRI) {
        snprintf(out, 160, "urn:uuid:%s", value);
    }
    for (size_t i = 0; kind == FREQUENCY && i < COUNT(frequencies); i++) {
        if (strcmp(frequencies[i].word, value) == 0) {
            snprintf(out, 160, "%s%s", frequency_base, frequencies[i].name);
        }
    }
}

/* JSON-LD ----------------------------------------------------------------------------------------
 */
static json_t *context(void)
{
    json_t *out = json_object();

    for (size_t i = 0; i < COUNT(prefixes); i++) {
        json_object_set_new(out, prefixes[i][0], json_string(prefixes[i][1]));
    }
    return out;
}

static json_t *term_value(size_t i, const json_t *v)
{
    char iri[160];

    if (terms[i].kind == TIME) {
        return json_pack("{s:s, s:O}", "@type", "xsd:dateTime", "@value", v);
    }
    if (terms[i].kind == IRI || terms[i].kind == FREQUENCY) {
        iri_of(terms[i].kind, json_string_value(v), iri);
        return json_pack("{s:s}", "@id", iri);
    }
    return json_incref((json_t *)(uintptr_t)v);
}

static void put_term(json_t *out, size_t i, const json_t *v)
{
    json_t *list = json_object_get(out, terms[i].term);

    if (terms[i].kind != TEXTS) {
        json_object_set_new(out, terms[i].term, term_value(i, v));
        return;
    }
    if (!list) {
        list = json_array();
        json_object_set_new(out, terms[i].term, list);
    }
    json_array_extend(list, (json_t *)(uintptr_t)v);
}

static bool told(size_t i, const json_t *v)
{
    return terms[i].kind == TEXTS ? json_array_size(v) > 0
                                  : json_is_string(v) && json_string_length(v) > 0;
}

static json_t *as_jsonld(const json_t *entries)
{
    json_t *graph = json_array(), *members = json_array(), *e;
    size_t k;

    json_array_foreach(entries, k, e)
    {
        json_t *out = json_pack("{s:O, s:s}", "@id", json_object_get(e, "identifier"), "@type",
                                "dcat:Dataset");
        for (size_t i = 0; i < COUNT(terms); i++) {
            const json_t *v = json_object_get(e, terms[i].member);
            if (told(i, v)) {
                put_term(out, i, v);
            }
        }
        json_array_append_new(graph, out);
        json_array_append_new(members, json_pack("{s:O}", "@id", json_object_get(e, "identifier")));
    }
    json_array_append_new(graph, json_pack("{s:s, s:s, s:s, s:o}", "@id", "urn:sluice:catalog",
                                           "@type", "dcat:Catalog", "dct:title", "Open data",
                                           "dcat:dataset", members));
    return json_pack("{s:o, s:o}", "@context", context(), "@graph", graph);
}

/* RDF/XML ----------------------------------------------------------------------------------------
 */
#define X(text) ((const xmlChar *)(text))

/* XML 1.0 has no control characters; rows with them cannot come in, text of a source may. */
static void write_text(xmlTextWriterPtr w, const char *term, const char *type, const char *text)
{
    struct buf b;

    buf_init(&b);
    for (; *text; text++) {
        unsigned char ch = (unsigned char)*text;
        buf_addc(&b, ch < 0x20 && ch != '\n' && ch != '\t' && ch != '\r' ? ' ' : *text);
    }
    buf_addc(&b, '\0');
    xmlTextWriterStartElement(w, X(term));
    if (type) {
        xmlTextWriterWriteAttribute(w, X("rdf:datatype"), X(type));
    }
    xmlTextWriterWriteString(w, X(b.failed ? "" : b.p));
    xmlTextWriterEndElement(w);
    buf_fini(&b);
}

static void write_iri(xmlTextWriterPtr w, const char *term, const char *iri)
{
    xmlTextWriterStartElement(w, X(term));
    xmlTextWriterWriteAttribute(w, X("rdf:resource"), X(iri));
    xmlTextWriterEndElement(w);
}

static void write_term(xmlTextWriterPtr w, size_t i, const json_t *v)
{
    char iri[160];
    json_t *item;
    size_t k;

    if (terms[i].kind == TEXTS) {
        json_array_foreach(v, k, item)
        {
            write_text(w, terms[i].term, NULL, json_string_value(item));
        }
    } else if (terms[i].kind == IRI || terms[i].kind == FREQUENCY) {
        iri_of(terms[i].kind, json_string_value(v), iri);
        write_iri(w, terms[i].term, iri);
    } else {
        write_text(w, terms[i].term,
                   terms[i].kind == TIME ? "http://www.w3.org/2001/XMLSchema#dateTime" : NULL,
                   json_string_value(v));
    }
}

static void write_all(xmlTextWriterPtr w, const json_t *entries)
{
    char name[32];
    json_t *e;
    size_t k;

    xmlTextWriterStartDocument(w, NULL, "UTF-8", NULL);
    xmlTextWriterStartElement(w, X("rdf:RDF"));
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        snprintf(name, sizeof name, "xmlns:%s", prefixes[i][0]);
        xmlTextWriterWriteAttribute(w, X(name), X(prefixes[i][1]));
    }
    json_array_foreach(entries, k, e)
    {
        xmlTextWriterStartElement(w, X("dcat:Dataset"));
        xmlTextWriterWriteAttribute(w, X("rdf:about"), X(row_text(e, "identifier")));
        for (size_t i = 0; i < COUNT(terms); i++) {
            const json_t *v = json_object_get(e, terms[i].member);
            if (told(i, v)) {
                write_term(w, i, v);
            }
        }
        xmlTextWriterEndElement(w);
    }
    xmlTextWriterStartElement(w, X("dcat:Catalog"));
    xmlTextWriterWriteAttribute(w, X("rdf:about"), X("urn:sluice:catalog"));
    write_text(w, "dct:title", NULL, "Open data");
    json_array_foreach(entries, k, e)
    {
        write_iri(w, "dcat:dataset", row_text(e, "identifier"));
    }
    xmlTextWriterEndElement(w);
    xmlTextWriterEndDocument(w);
}

static enum problem answer_xml(struct rest_call *c, const json_t *entries)
{
    xmlBufferPtr out = xmlBufferCreate();
    xmlTextWriterPtr w = out ? xmlNewTextWriterMemory(out, 0) : NULL;

    if (w) {
        write_all(w, entries);
        xmlFreeTextWriter(w);
        buf_add(&c->resp->body, xmlBufferContent(out), (size_t)xmlBufferLength(out));
        c->resp->content_type = "application/rdf+xml";
        c->resp->status = 200;
    }
    xmlBufferFree(out);
    return w && !c->resp->body.failed ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* ------------------------------------------------------------------------------------------------
 */
static enum problem load(struct rest_call *c, long page, json_t *entries, bool *more)
{
    struct store_value v[2] = {store_int(PAGE_SIZE + 1), store_int((page - 1) * PAGE_SIZE)};
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    struct buf sql;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    buf_init(&sql);
    buf_adds(&sql, "SELECT ");
    row_columns(&entries_resource, &sql);
    buf_adds(&sql, " FROM entries AS t WHERE " ENTRY_LISTED
                   " ORDER BY t.created_at, t.id LIMIT ? OFFSET ?");
    buf_addc(&sql, '\0');
    p = rest_store_problem(c, sql.failed ? STORE_EIO : store_query(txn, sql.p, v, 2, &rows));
    while (p == PROBLEM_OK && store_next(rows)) {
        *more = json_array_size(entries) == PAGE_SIZE;
        if (!*more) {
            json_t *row = row_read(&entries_resource, rows);
            json_array_append_new(entries, row_shown(c, &entries_resource, row));
            json_decref(row);
        }
    }
    p = p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
    buf_fini(&sql);
    store_rollback(&txn);
    return p;
}

enum problem catalog_export(struct rest_call *c)
{
    static const char *const known[] = {"format", "page"};
    const char *format = rest_query(c, "format"), *text = rest_query(c, "page");
    long page = text ? strtol(text, NULL, 10) : 1;
    char next[100];
    bool more = false;
    enum problem p = rest_query_known(c, known, COUNT(known), "format and page are known");

    format = format ? format : "json";
    if (p == PROBLEM_OK && strcmp(format, "json") != 0 && strcmp(format, "jsonld") != 0 &&
        strcmp(format, "rdfxml") != 0) {
        p = rest_fail(c, PROBLEM_QUERY_MALFORMED, "/format", "json, jsonld or rdfxml is needed");
    }
    if (p == PROBLEM_OK && (page < 1 || page > 100000)) {
        p = rest_fail(c, PROBLEM_QUERY_MALFORMED, "/page", "a whole number from 1 is needed");
    }
    json_t *entries = json_array();
    p = p == PROBLEM_OK ? load(c, page, entries, &more) : p;
    if (p == PROBLEM_OK && more) {
        snprintf(next, sizeof next, "</api/v1/catalog/export?format=%s&page=%ld>; rel=\"next\"",
                 format, page + 1);
        rest_header(c, "Link", next);
    }
    if (p == PROBLEM_OK && strcmp(format, "rdfxml") == 0) {
        p = answer_xml(c, entries);
    } else if (p == PROBLEM_OK && strcmp(format, "jsonld") == 0) {
        p = rest_answer(c, 200, as_jsonld(entries));
        c->resp->content_type = "application/ld+json";
    } else if (p == PROBLEM_OK) {
        p = rest_answer(c, 200, json_pack("{s:O, s:b}", "items", entries, "more", more));
    }
    json_decref(entries);
    return p;
}
