/* SPDX-License-Identifier: Apache-2.0 */
/* The open directory for other catalogues: DCAT 3 in the profile of DCAT-AP as Turtle, JSON-LD and
 * RDF/XML, and as plain JSON. What is listed, a page at a time. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "catalog/rdf.h"
#include "services/services.h"

#define PAGE_SIZE 500
#define APIS_MAX  50 /* distributions of one entry */
#define CATALOG   "urn:sluice:catalog"
#define PLATFORM  "urn:sluice:platform"

/* Terms of DCAT for members of an entry that are texts, or lists of them. */
static const struct {
    const char *member, *term;
    enum rdf_kind kind;
} terms[] = {
    {"identifier", "dct:identifier", RDF_TEXT}, {"name", "dct:title", RDF_TEXT},
    {"tags", "dcat:keyword", RDF_TEXT},         {"keywords", "dcat:keyword", RDF_TEXT},
    {"published_at", "dct:issued", RDF_TIME},   {"last_update", "dct:modified", RDF_TIME},
};
static const char frequency_base[] = "http://publications.europa.eu/resource/authority/frequency/";
static const struct {
    const char *word, *name;
} frequencies[] = {
    {"real-time", "UPDATE_CONT"}, {"hourly", "HOURLY"},   {"daily", "DAILY"},
    {"weekly", "WEEKLY"},         {"monthly", "MONTHLY"}, {"quarterly", "QUARTERLY"},
    {"yearly", "ANNUAL"},         {"static", "NEVER"},    {"irregular", "IRREG"},
};

struct listing {
    struct store_txn *txn;
    json_t *entries;
    bool more;
    char gateway[SERVICE_SETTING_MAX]; /* where callers reach APIs; "none": not said */
    struct rdf_graph g;
    json_t *told; /* {id: true}: organisations and nodes that have their statements */
};

static const char *urn(const char *id, char out[static 64])
{
    snprintf(out, 64, "urn:uuid:%s", id);
    return out;
}

static void add_frequency(struct rdf_graph *g, const char *subject, const char *word)
{
    char iri[160];

    for (size_t i = 0; i < COUNT(frequencies); i++) {
        if (strcmp(frequencies[i].word, word) == 0) {
            snprintf(iri, sizeof iri, "%s%s", frequency_base, frequencies[i].name);
            rdf_add(g, subject, "dct:accrualPeriodicity", RDF_IRI, iri);
        }
    }
}

static void add_texts(struct rdf_graph *g, const char *subject, const char *term,
                      enum rdf_kind kind, const json_t *v)
{
    json_t *item;
    size_t i;

    rdf_add(g, subject, term, kind, json_string_value(v));
    json_array_foreach(v, i, item)
    {
        rdf_add(g, subject, term, kind, json_string_value(item));
    }
}

static void access_of(const char *subject, char out[static 80])
{
    snprintf(out, 80, "%.60s#access", subject);
}

static void add_entry(struct rdf_graph *g, const json_t *e)
{
    const char *subject = row_text(e, "identifier"), *summary = row_text(e, "summary");
    char iri[80];

    rdf_add(g, subject, "rdf:type", RDF_NAME, "dcat:Dataset");
    for (size_t i = 0; i < COUNT(terms); i++) {
        add_texts(g, subject, terms[i].term, terms[i].kind, json_object_get(e, terms[i].member));
    }
    rdf_add(g, subject, "dct:description", RDF_TEXT, summary[0] ? summary : row_text(e, "name"));
    add_frequency(g, subject, row_text(e, "update_frequency"));
    if (row_text(e, "theme_id")[0]) {
        rdf_add(g, subject, "dcat:theme", RDF_IRI, urn(row_text(e, "theme_id"), iri));
    }
    rdf_add(g, subject, "dct:publisher", RDF_IRI, urn(row_text(e, "organisation_id"), iri));
    if (row_text(e, "access_conditions")[0]) {
        access_of(subject, iri);
        rdf_add(g, subject, "dct:accessRights", RDF_IRI, iri);
    }
}

static void add_access(struct rdf_graph *g, const json_t *e)
{
    char iri[80];

    if (row_text(e, "access_conditions")[0]) {
        access_of(row_text(e, "identifier"), iri);
        rdf_add(g, iri, "rdf:type", RDF_NAME, "dct:RightsStatement");
        rdf_add(g, iri, "rdfs:label", RDF_TEXT, row_text(e, "access_conditions"));
    }
}

/* Each API over the data that this caller may know of is a way to it. */
static enum problem load_apis(struct rest_call *c, struct listing *l, const json_t *e, json_t *apis)
{
    struct store_value v[1 + SCOPE_VALUES_MAX] = {store_text(row_text(e, "dataset_id"))};
    struct store_rows *rows = NULL;
    struct buf sql;
    size_t n = 1;

    if (!row_text(e, "dataset_id")[0] || strcmp(l->gateway, "none") == 0) {
        return PROBLEM_OK;
    }
    buf_init(&sql);
    buf_adds(&sql, "SELECT t.id, t.path, t.title, t.name FROM apis AS t WHERE t.dataset_id = ? AND "
                   "t.state IN ('published', 'deprecated')");
    scope_sql(c, &apis_resource, false, &sql, v, &n);
    buf_addf(&sql, " ORDER BY t.created_at LIMIT %d", APIS_MAX);
    buf_addc(&sql, '\0');
    enum problem p =
        rest_store_problem(c, sql.failed ? STORE_EIO : store_query(l->txn, sql.p, v, n, &rows));
    while (p == PROBLEM_OK && store_next(rows)) {
        const char *title = store_get_text(rows, 2);
        json_array_append_new(apis, json_pack("{s:s, s:s, s:s}", "id", store_get_text(rows, 0),
                                              "path", store_get_text(rows, 1), "title",
                                              title && title[0] ? title : store_get_text(rows, 3)));
    }
    buf_fini(&sql);
    return p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
}

static void add_distributions(struct listing *l, const char *subject, const json_t *apis)
{
    char iri[64], url[SERVICE_SETTING_MAX + 512];
    size_t n = strlen(l->gateway), i;
    json_t *api;

    json_array_foreach(apis, i, api)
    {
        rdf_add(&l->g, subject, "dcat:distribution", RDF_IRI, urn(row_text(api, "id"), iri));
    }
    json_array_foreach(apis, i, api)
    {
        urn(row_text(api, "id"), iri);
        snprintf(url, sizeof url, "%.*s%s", (int)(n && l->gateway[n - 1] == '/' ? n - 1 : n),
                 l->gateway, row_text(api, "path"));
        rdf_add(&l->g, iri, "rdf:type", RDF_NAME, "dcat:Distribution");
        rdf_add(&l->g, iri, "dct:title", RDF_TEXT, row_text(api, "title"));
        rdf_add(&l->g, iri, "dcat:accessURL", RDF_IRI, url);
    }
}

/* The first time that somebody or something is spoken of. */
static bool first(struct listing *l, const char *id)
{
    bool anew = id[0] && !json_object_get(l->told, id);

    if (anew) {
        json_object_set_new(l->told, id, json_true());
    }
    return anew;
}

static enum problem add_publisher(struct rest_call *c, struct listing *l, const char *id)
{
    json_t *row = NULL;
    char iri[64];
    enum problem p =
        first(l, id) ? api_load(c, l->txn, &organisations_resource, id, &row) : PROBLEM_OK;

    if (p == PROBLEM_OK && row) {
        rdf_add(&l->g, urn(id, iri), "rdf:type", RDF_NAME, "foaf:Agent");
        rdf_add(&l->g, iri, "foaf:name", RDF_TEXT, row_text(row, "name"));
    }
    json_decref(row);
    return p;
}

static enum problem add_theme(struct rest_call *c, struct listing *l, const char *id)
{
    json_t *row = NULL;
    char iri[64], parent[64];
    enum problem p =
        first(l, id) ? row_load(c, l->txn, &catalog_nodes_resource, id, false, &row) : PROBLEM_OK;

    if (p == PROBLEM_OK && row) {
        rdf_add(&l->g, urn(id, iri), "rdf:type", RDF_NAME, "skos:Concept");
        rdf_add(&l->g, iri, "skos:prefLabel", RDF_TEXT, row_text(row, "name"));
        rdf_add(&l->g, iri, "skos:altLabel", RDF_TEXT, row_text(row, "name_en"));
        if (row_text(row, "parent_id")[0]) {
            rdf_add(&l->g, iri, "skos:broader", RDF_IRI, urn(row_text(row, "parent_id"), parent));
        }
    }
    json_decref(row);
    return p;
}

/* What an entry refers to, each once. */
static enum problem add_around(struct rest_call *c, struct listing *l, const json_t *e)
{
    json_t *apis = json_array();
    enum problem p = load_apis(c, l, e, apis);

    if (p == PROBLEM_OK) {
        add_distributions(l, row_text(e, "identifier"), apis);
        add_access(&l->g, e);
        p = add_publisher(c, l, row_text(e, "organisation_id"));
    }
    json_decref(apis);
    return p == PROBLEM_OK ? add_theme(c, l, row_text(e, "theme_id")) : p;
}

/* The directory itself is the platform's: of the organisation that runs it, if one is said to. */
static enum problem add_catalog(struct rest_call *c, struct listing *l)
{
    static const char sql[] = "SELECT name FROM organisations WHERE kind = 'platform' AND state = "
                              "'active' ORDER BY created_at LIMIT 1";
    struct store_rows *rows = NULL;
    char name[256] = "Open data platform";
    json_t *e;
    size_t i;
    enum problem p = rest_store_problem(c, store_query(l->txn, sql, NULL, 0, &rows));

    if (p == PROBLEM_OK && store_next(rows)) {
        snprintf(name, sizeof name, "%s", store_get_text(rows, 0));
    }
    p = p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
    rdf_add(&l->g, CATALOG, "rdf:type", RDF_NAME, "dcat:Catalog");
    rdf_add(&l->g, CATALOG, "dct:title", RDF_TEXT, "Open data");
    rdf_add(&l->g, CATALOG, "dct:description", RDF_TEXT,
            "What data is open, and how to ask for it");
    rdf_add(&l->g, CATALOG, "dct:publisher", RDF_IRI, PLATFORM);
    json_array_foreach(l->entries, i, e)
    {
        rdf_add(&l->g, CATALOG, "dcat:dataset", RDF_IRI, row_text(e, "identifier"));
    }
    rdf_add(&l->g, PLATFORM, "rdf:type", RDF_NAME, "foaf:Agent");
    rdf_add(&l->g, PLATFORM, "foaf:name", RDF_TEXT, name);
    return p;
}

static enum problem describe(struct rest_call *c, struct listing *l)
{
    enum problem p = service_setting(c, l->txn, "gateway-url", l->gateway);
    json_t *e;
    size_t i;

    p = p == PROBLEM_OK ? add_catalog(c, l) : p;
    json_array_foreach(l->entries, i, e)
    {
        if (p == PROBLEM_OK) {
            add_entry(&l->g, e);
            p = add_around(c, l, e);
        }
    }
    return p;
}

static enum problem load(struct rest_call *c, long page, struct listing *l)
{
    struct store_value v[2] = {store_int(PAGE_SIZE + 1), store_int((page - 1) * PAGE_SIZE)};
    struct store_rows *rows = NULL;
    struct buf sql;

    buf_init(&sql);
    buf_adds(&sql, "SELECT ");
    row_columns(&entries_resource, &sql);
    buf_adds(&sql, " FROM entries AS t WHERE " ENTRY_LISTED
                   " ORDER BY t.created_at, t.id LIMIT ? OFFSET ?");
    buf_addc(&sql, '\0');
    enum problem p =
        rest_store_problem(c, sql.failed ? STORE_EIO : store_query(l->txn, sql.p, v, 2, &rows));
    while (p == PROBLEM_OK && store_next(rows)) {
        l->more = json_array_size(l->entries) == PAGE_SIZE;
        if (!l->more) {
            json_t *row = row_read(&entries_resource, rows);
            json_array_append_new(l->entries, row_shown(c, &entries_resource, row));
            json_decref(row);
        }
    }
    p = p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
    buf_fini(&sql);
    return p;
}

static enum problem read_query(struct rest_call *c, const char **format, long *page)
{
    static const char *const known[] = {"format", "page"};
    const char *text = rest_query(c, "page");
    enum problem p = rest_query_known(c, known, COUNT(known), "format and page are known");

    *format = rest_query(c, "format");
    *format = *format ? *format : "json";
    *page = text ? strtol(text, NULL, 10) : 1;
    if (p == PROBLEM_OK && strcmp(*format, "json") != 0 && !rdf_format_known(*format)) {
        p = rest_fail(c, PROBLEM_QUERY_MALFORMED, "/format",
                      "json, jsonld, turtle or rdfxml is needed");
    }
    if (p == PROBLEM_OK && (*page < 1 || *page > 100000)) {
        p = rest_fail(c, PROBLEM_QUERY_MALFORMED, "/page", "a whole number from 1 is needed");
    }
    return p;
}

enum problem catalog_export(struct rest_call *c)
{
    struct listing l = {.entries = json_array(), .told = json_object()};
    const char *format = NULL;
    char next[100];
    long page = 1;
    enum problem p = read_query(c, &format, &page);

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &l.txn);
    }
    if (p == PROBLEM_OK) {
        p = load(c, page, &l);
        if (p == PROBLEM_OK && rdf_format_known(format)) {
            p = describe(c, &l);
        }
        store_rollback(&l.txn);
    }
    if (p == PROBLEM_OK && l.more) {
        snprintf(next, sizeof next, "</api/v1/catalog/export?format=%s&page=%ld>; rel=\"next\"",
                 format, page + 1);
        rest_header(c, "Link", next);
    }
    if (p == PROBLEM_OK) {
        p = rdf_format_known(format)
                ? rdf_answer(c, &l.g, format)
                : rest_answer(c, 200, json_pack("{s:O, s:b}", "items", l.entries, "more", l.more));
    }
    json_decref(l.entries);
    json_decref(l.told);
    rdf_fini(&l.g);
    return p;
}
