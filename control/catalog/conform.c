/* SPDX-License-Identifier: Apache-2.0 */
/* Data beside the standards of its domain: what is missing, of another type, longer, or has values
 * that a list of codes lacks. Values are looked at by the data service, which tells only how many
 * differ. */
#include <stdio.h>
#include <strings.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "catalog/standards.h"
#include "data_client.h"
#include "exchange/exchange.h"
#include "services/services.h"

#define STANDARDS_MAX 20  /* of a domain that one entry is held against */
#define ENTRIES_MAX   500 /* of one page of a standard's report */

static const json_t *element_of(const json_t *standard, const json_t *field)
{
    const char *name = row_text(field, "element");
    json_t *e;
    size_t i;

    name = name[0] ? name : row_text(field, "name");
    json_array_foreach(json_object_get(standard, "elements"), i, e)
    {
        if (strcasecmp(row_text(e, "name"), name) == 0) {
            return e;
        }
    }
    return NULL;
}

static const json_t *field_of(const json_t *standard, const json_t *fields, const json_t *element)
{
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        if (!json_is_true(json_object_get(f, "gone")) && element_of(standard, f) == element) {
            return f;
        }
    }
    return NULL;
}

static void deviate(json_t *out, const json_t *element, const json_t *field, const char *demand,
                    json_t *wanted, json_t *found)
{
    json_array_append_new(out,
                          json_pack("{s:s, s:s, s:s, s:o, s:o}", "element",
                                    row_text(element, "name"), "field", row_text(field, "name"),
                                    "demand", demand, "wanted", wanted, "found", found));
}

/* A number with places holds whole ones, a time holds a date. */
static bool type_fits(const char *wanted, const char *found)
{
    return strcmp(wanted, found) == 0 || !found[0] ||
           (strcmp(wanted, "number") == 0 && strcmp(found, "integer") == 0) ||
           (strcmp(wanted, "datetime") == 0 && strcmp(found, "date") == 0);
}

static void hold(const json_t *e, const json_t *f, const json_t *outside, json_t *out)
{
    json_int_t most = json_integer_value(json_object_get(e, "length")),
               length = json_integer_value(json_object_get(f, "length")),
               wrong = json_integer_value(json_object_get(outside, row_text(f, "name")));

    if (!type_fits(row_text(e, "type"), row_text(f, "type"))) {
        deviate(out, e, f, "type", json_string(row_text(e, "type")),
                json_string(row_text(f, "type")));
    }
    if (most > 0 && length > most) {
        deviate(out, e, f, "length", json_integer(most), json_integer(length));
    }
    if (wrong > 0) {
        deviate(out, e, f, "code-list", json_string(row_text(e, "code_list")), json_integer(wrong));
    }
}

json_t *standard_report(const json_t *standard, const json_t *fields, const json_t *outside)
{
    json_t *out = json_array(), *beyond = json_array(), *e, *f;
    size_t i;

    json_array_foreach(json_object_get(standard, "elements"), i, e)
    {
        const json_t *field = field_of(standard, fields, e);
        if (field) {
            hold(e, field, outside, out);
        } else if (json_is_true(json_object_get(e, "mandatory"))) {
            deviate(out, e, NULL, "missing", json_string(row_text(e, "type")), json_null());
        }
    }
    json_array_foreach(fields, i, f)
    {
        if (!element_of(standard, f)) {
            json_array_append(beyond, json_object_get(f, "name"));
        }
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "standard_id", row_text(standard, "id"),
                     "code", row_text(standard, "code"), "edition", row_text(standard, "edition"),
                     "conforms", json_array_size(out) == 0, "deviations", out, "beyond", beyond);
}

json_t *standard_codes(const json_t *standard, const json_t *fields)
{
    const json_t *lists = json_object_get(standard, "code_lists");
    json_t *out = json_object(), *e;
    size_t i;

    json_array_foreach(json_object_get(standard, "elements"), i, e)
    {
        json_t *codes = json_object_get(lists, row_text(e, "code_list"));
        const json_t *f = fields ? field_of(standard, fields, e) : e;
        if (codes && f) {
            json_object_set(out, row_text(f, "name"), codes);
        }
    }
    return out;
}

/* One entry or dataset --------------------------------------------------------------------------
 */
struct held {
    json_t *standards, *fields, *source;
    const char *schema, *table;
    bool values;
    const char *said; /* of the values: why they are not looked at; NULL: they are */
};

static enum problem load_standards(struct rest_call *c, struct store_txn *txn, const char *domain,
                                   json_t *out)
{
    static const char sql[] = "SELECT id FROM metadata_standards WHERE domain_id = ? AND state = "
                              "'in-force' ORDER BY code, edition LIMIT ?";
    const struct store_value v[] = {store_text(domain), store_int(STANDARDS_MAX)};
    json_t *ids = NULL, *item, *row = NULL;
    size_t i;
    enum problem p = services_rows(c, txn, sql, v, 2, "id:t", &ids);

    json_array_foreach(ids, i, item)
    {
        p = p == PROBLEM_OK
                ? row_load(c, txn, &metadata_standards_resource, row_text(item, "id"), false, &row)
                : p;
        if (p == PROBLEM_OK && row) {
            json_array_append_new(out, row);
        }
        row = NULL;
    }
    json_decref(ids);
    return p;
}

/* Named by the caller, else those in force for the domain. */
static enum problem choose(struct rest_call *c, struct store_txn *txn, const char *domain,
                           json_t *out)
{
    const char *id = rest_query(c, "standard");
    struct uuid u;
    json_t *row = NULL;
    enum problem p = PROBLEM_OK;

    if (!id && !domain[0]) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/domain_id",
                         "it is of no domain; name a standard");
    }
    if (!id) {
        return load_standards(c, txn, domain, out);
    }
    p = uuid_parse(&u, id, strlen(id))
            ? row_load(c, txn, &metadata_standards_resource, id, true, &row)
            : PROBLEM_OK;
    if (p == PROBLEM_OK && !row) {
        p = rest_fail(c, PROBLEM_QUERY_MALFORMED, "/standard", "there is no such standard");
    }
    if (row) {
        json_array_append_new(out, row);
    }
    return p;
}

static enum problem find_source(struct rest_call *c, struct store_txn *txn, const json_t *row,
                                struct held *h)
{
    enum problem p = PROBLEM_OK;

    if (!h->values) {
        h->said = "not asked for";
    } else if (!row_text(row, "source_id")[0] || !row_text(row, "table")[0]) {
        h->said = "no table of a source is named";
    } else {
        p = api_load(c, txn, &sources_resource, row_text(row, "source_id"), &h->source);
        h->said = p == PROBLEM_OK && strcmp(row_text(h->source, "state"), "ready") == 0
                      ? NULL
                      : "the source is not ready";
    }
    return p;
}

/* {column: distinct values outside its list}. */
static json_t *outside_of(const json_t *answer)
{
    json_t *out = json_object(), *col;
    size_t i;

    json_array_foreach(json_object_get(answer, "columns"), i, col)
    {
        json_t *n = json_object_get(col, "outside");
        if (n) {
            json_object_set(out, row_text(col, "name"), n);
        }
    }
    return out;
}

static enum problem look_at_values(struct rest_call *c, const struct held *h,
                                   const json_t *standard, json_t **outside)
{
    json_t *codes = standard_codes(standard, h->fields), *body, *answer = NULL;
    enum problem p = PROBLEM_OK;

    if (!h->said && json_object_size(codes) > 0) {
        body = exchange_source(c, h->source);
        json_object_set_new(body, "schema", json_string(h->schema));
        json_object_set_new(body, "table", json_string(h->table));
        json_object_set(body, "codes", codes);
        p = data_client_post(c, "/internal/v1/sources/profile", body, &answer);
        *outside = outside_of(answer);
        json_decref(body);
        json_decref(answer);
    }
    json_decref(codes);
    return p;
}

static enum problem report(struct rest_call *c, const struct held *h, json_t *items)
{
    enum problem p = PROBLEM_OK;
    json_t *standard;
    size_t i;

    json_array_foreach(h->standards, i, standard)
    {
        json_t *outside = NULL;
        p = p == PROBLEM_OK ? look_at_values(c, h, standard, &outside) : p;
        if (p == PROBLEM_OK) {
            json_t *item = standard_report(standard, h->fields, outside);
            json_object_set_new(item, "values", json_string(h->said ? h->said : "looked at"));
            json_array_append_new(items, item);
        }
        json_decref(outside);
    }
    return p;
}

/* Fields of a dataset as those of an entry: a standard speaks of columns. */
static json_t *columns_of(const json_t *dataset)
{
    json_t *out = json_array(), *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        json_array_append_new(out, json_pack("{s:s, s:s, s:I}", "name", row_text(f, "column"),
                                             "type", row_text(f, "type"), "length",
                                             json_integer_value(json_object_get(f, "length"))));
    }
    return out;
}

static enum problem dataset_domain(struct rest_call *c, struct store_txn *txn, const char *id,
                                   char domain[static UUID_TEXT_LEN + 1])
{
    static const char sql[] = "SELECT domain_id FROM entries WHERE dataset_id = ? AND domain_id IS "
                              "NOT NULL AND state <> 'withdrawn' ORDER BY created_at LIMIT 1";
    const struct store_value v = store_text(id);
    json_t *rows = NULL;
    enum problem p = services_rows(c, txn, sql, &v, 1, "domain_id:t", &rows);

    snprintf(domain, UUID_TEXT_LEN + 1, "%s", row_text(json_array_get(rows, 0), "domain_id"));
    json_decref(rows);
    return p;
}

static enum problem conformity(struct rest_call *c, const struct resource *res)
{
    static const char *const known[] = {"standard", "values"};
    bool dataset = res == &datasets_resource;
    struct held h = {.standards = json_array(),
                     .values =
                         rest_query(c, "values") && strcmp(rest_query(c, "values"), "true") == 0};
    char domain[UUID_TEXT_LEN + 1] = "";
    struct store_txn *txn = NULL;
    json_t *row = NULL, *items = json_array();
    enum problem p = rest_query_known(c, known, COUNT(known), "standard and values are known");

    p = p == PROBLEM_OK ? rest_begin(c, STORE_READ, &txn) : p;
    if (p == PROBLEM_OK) {
        p = service_load(c, txn, res, false, &row);
        if (p == PROBLEM_OK && !dataset && !entry_keeper(c, row)) {
            p = PROBLEM_NOT_PERMITTED;
        }
        if (p == PROBLEM_OK && dataset) {
            p = dataset_domain(c, txn, row_text(row, "id"), domain);
        }
        p = p == PROBLEM_OK
                ? choose(c, txn, dataset ? domain : row_text(row, "domain_id"), h.standards)
                : p;
        p = p == PROBLEM_OK ? find_source(c, txn, row, &h) : p;
        store_rollback(&txn);
    }
    h.fields = dataset ? columns_of(row) : json_incref(json_object_get(row, "fields"));
    h.schema = row_text(row, "schema");
    h.table = row_text(row, "table");
    p = p == PROBLEM_OK ? report(c, &h, items) : p;
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 200, json_pack("{s:s, s:O}", "id", row_text(row, "id"), "items", items));
    }
    json_decref(items);
    json_decref(h.standards);
    json_decref(h.fields);
    json_decref(h.source);
    json_decref(row);
    return p;
}

enum problem entry_conformity(struct rest_call *c)
{
    return conformity(c, &entries_resource);
}

enum problem dataset_conformity(struct rest_call *c)
{
    return conformity(c, &datasets_resource);
}

/* A whole domain, and two editions --------------------------------------------------------------
 */
static json_t *summary(const json_t *standard, const json_t *rows)
{
    json_t *items = json_array(), *row;
    json_int_t conform = 0;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        json_t *r = standard_report(standard, json_object_get(row, "fields"), NULL);
        bool ok = json_is_true(json_object_get(r, "conforms"));
        conform += ok;
        json_array_append_new(items, json_pack("{s:O, s:O, s:O, s:b, s:O}", "entry_id",
                                               json_object_get(row, "id"), "name",
                                               json_object_get(row, "name"), "state",
                                               json_object_get(row, "state"), "conforms", ok,
                                               "deviations", json_object_get(r, "deviations")));
        json_decref(r);
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "standard_id", row_text(standard, "id"),
                     "code", row_text(standard, "code"), "edition", row_text(standard, "edition"),
                     "entries", (json_int_t)i, "conform", conform, "items", items);
}

enum problem standard_conformity(struct rest_call *c)
{
    static const char head[] = "SELECT t.id, t.name, t.state, t.fields FROM entries t WHERE "
                               "t.domain_id = ? AND t.state <> 'withdrawn'";
    struct store_value v[1 + SCOPE_VALUES_MAX];
    struct store_txn *txn = NULL;
    json_t *standard = NULL, *rows = NULL, *out = NULL;
    struct buf sql;
    size_t n = 1;
    enum problem p = rest_query_known(c, NULL, 0, "no parameter is known");

    p = p == PROBLEM_OK ? rest_begin(c, STORE_READ, &txn) : p;
    if (p != PROBLEM_OK) {
        return p;
    }
    buf_init(&sql);
    p = service_load(c, txn, &metadata_standards_resource, false, &standard);
    if (p == PROBLEM_OK) {
        v[0] = store_text(row_text(standard, "domain_id"));
        buf_adds(&sql, head);
        scope_sql(c, &entries_resource, true, &sql, v, &n);
        buf_addf(&sql, " ORDER BY t.created_at DESC LIMIT %d", ENTRIES_MAX);
        buf_addc(&sql, '\0');
        p = sql.failed ? PROBLEM_INTERNAL
                       : services_rows(c, txn, sql.p, v, n, "id:t name:t state:t fields:j", &rows);
    }
    out = p == PROBLEM_OK ? summary(standard, rows) : NULL;
    buf_fini(&sql);
    store_rollback(&txn);
    json_decref(standard);
    json_decref(rows);
    return p == PROBLEM_OK ? rest_answer(c, 200, out) : p;
}

static void differ(const json_t *from, const json_t *to, json_t *added, json_t *changed)
{
    json_t *e;
    size_t i;

    json_array_foreach(json_object_get(to, "elements"), i, e)
    {
        const json_t *before = element_of(from, e);
        if (!before) {
            json_array_append(added, e);
        } else if (changed && !json_equal(before, e)) {
            json_array_append_new(changed, json_pack("{s:O, s:O}", "from", before, "to", e));
        }
    }
}

enum problem standard_compare(struct rest_call *c)
{
    static const char *const known[] = {"with"};
    const char *id = rest_query(c, "with");
    struct store_txn *txn = NULL;
    struct uuid u;
    json_t *from = NULL, *to = NULL;
    enum problem p = rest_query_known(c, known, 1, "with is known");

    p = p == PROBLEM_OK ? rest_begin(c, STORE_READ, &txn) : p;
    if (p != PROBLEM_OK) {
        return p;
    }
    p = service_load(c, txn, &metadata_standards_resource, false, &from);
    if (p == PROBLEM_OK && id && uuid_parse(&u, id, strlen(id))) {
        p = row_load(c, txn, &metadata_standards_resource, id, true, &to);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK && !to) {
        p = rest_fail(c, PROBLEM_QUERY_MALFORMED, "/with", "there is no such standard");
    }
    if (p == PROBLEM_OK) {
        json_t *added = json_array(), *removed = json_array(), *changed = json_array();
        differ(from, to, added, changed);
        differ(to, from, removed, NULL);
        p = rest_answer(c, 200,
                        json_pack("{s:s, s:s, s:o, s:o, s:o}", "from", row_text(from, "edition"),
                                  "to", row_text(to, "edition"), "added", added, "removed", removed,
                                  "changed", changed));
    }
    json_decref(from);
    json_decref(to);
    return p;
}
