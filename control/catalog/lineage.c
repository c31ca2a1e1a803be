/* SPDX-License-Identifier: Apache-2.0 */
/* From an entry to what lies before and behind it: where its data is, which columns become which
 * fields of which APIs, who subscribes, and how to ask for them. */
#include <stdio.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "data_client.h"
#include "exchange/exchange.h"

#define APIS_MAX 200

static enum problem with_entry(struct rest_call *c, bool kept,
                               enum problem (*tell)(struct rest_call *c, struct store_txn *txn,
                                                    const json_t *entry, json_t **out))
{
    struct store_txn *txn = NULL;
    json_t *entry = NULL, *out = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = entry_seen(c, txn, &entry);
    if (p == PROBLEM_OK && kept && !entry_keeper(c, entry)) {
        p = PROBLEM_NOT_PERMITTED;
    }
    p = p == PROBLEM_OK ? tell(c, txn, entry, &out) : p;
    store_rollback(&txn);
    json_decref(entry);
    if (p != PROBLEM_OK) {
        json_decref(out);
        return p;
    }
    return rest_answer(c, 200, out);
}

static json_t *place(const json_t *entry, const json_t *source)
{
    return json_pack("{s:O, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "source_id",
                     json_object_get(entry, "source_id"), "source", row_text(source, "name"),
                     "source_state", row_text(source, "state"), "kind", row_text(source, "kind"),
                     "zone", row_text(source, "zone"), "schema", row_text(entry, "schema"), "table",
                     row_text(entry, "table"), "storage", row_text(entry, "storage"));
}

static enum problem add_place(struct rest_call *c, struct store_txn *txn, const json_t *entry,
                              json_t *out)
{
    json_t *source = NULL, *owner = NULL;
    enum problem p =
        api_load(c, txn, &organisations_resource, row_text(entry, "organisation_id"), &owner);

    if (p == PROBLEM_OK && row_text(entry, "source_id")[0]) {
        p = api_load(c, txn, &sources_resource, row_text(entry, "source_id"), &source);
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(out, "owner",
                            json_pack("{s:O, s:s}", "organisation_id", json_object_get(owner, "id"),
                                      "name", row_text(owner, "name")));
        if (entry_keeper(c, entry)) {
            json_object_set_new(out, "location",
                                source ? place(entry, source)
                                       : json_pack("{s:s}", "storage", row_text(entry, "storage")));
        }
    }
    json_decref(source);
    json_decref(owner);
    return p;
}

/* An identifier stays when its entry moves, or becomes part of another. */
enum problem catalog_resolve(struct rest_call *c)
{
    static const char *const known[] = {"identifier"};
    const char *identifier = rest_query(c, "identifier");
    struct store_txn *txn = NULL;
    json_t *entry = NULL, *out = NULL;
    enum problem p = rest_query_known(c, known, 1, "identifier is known");

    if (p != PROBLEM_OK || !identifier) {
        return p != PROBLEM_OK
                   ? p
                   : rest_fail(c, PROBLEM_QUERY_MALFORMED, "/identifier", "it is needed");
    }
    if (strncmp(identifier, "urn:uuid:", 9) != 0 || strlen(identifier) != 9 + UUID_TEXT_LEN) {
        return PROBLEM_NOT_FOUND;
    }
    p = rest_begin(c, STORE_READ, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &entries_resource, identifier + 9, true, &entry);
    p = p == PROBLEM_OK && !entry ? PROBLEM_NOT_FOUND : p;
    if (p == PROBLEM_OK) {
        out = json_pack("{s:o}", "entry", row_shown(c, &entries_resource, entry));
        p = add_place(c, txn, entry, out);
    }
    store_rollback(&txn);
    json_decref(entry);
    if (p != PROBLEM_OK) {
        json_decref(out);
        return p;
    }
    return rest_answer(c, 200, out);
}

static json_t *api_link(const json_t *api)
{
    return json_pack("{s:O, s:O, s:O, s:O, s:O, s:O, s:O, s:{s:s, s:s, s:{s:O}}, s:[]}", "id",
                     json_object_get(api, "id"), "name", json_object_get(api, "name"), "version",
                     json_object_get(api, "version"), "title", json_object_get(api, "title"),
                     "path", json_object_get(api, "path"), "state", json_object_get(api, "state"),
                     "access", json_object_get(api, "access"), "apply", "method", "POST", "path",
                     "/api/v1/subscriptions", "body", "api_id", json_object_get(api, "id"), "apps");
}

/* Who subscribes is for who keeps the entry. */
static enum problem add_apps(struct rest_call *c, struct store_txn *txn, json_t *link)
{
    const struct store_value v = store_text(row_text(link, "id"));
    struct store_rows *rows = NULL;
    enum problem p = rest_store_problem(
        c, store_query(txn,
                       "SELECT a.id, a.name FROM subscriptions s JOIN apps a ON a.id = s.app_id "
                       "WHERE s.api_id = ? AND s.state = 'approved' ORDER BY a.id LIMIT 200",
                       &v, 1, &rows));

    while (p == PROBLEM_OK && store_next(rows)) {
        json_array_append_new(json_object_get(link, "apps"),
                              json_pack("{s:s, s:s}", "id", store_get_text(rows, 0), "name",
                                        store_get_text(rows, 1)));
    }
    return p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
}

/* The APIs over the dataset that this caller may know of. */
static enum problem add_apis(struct rest_call *c, struct store_txn *txn, const json_t *entry,
                             json_t *apis)
{
    struct store_value v[1 + SCOPE_VALUES_MAX] = {store_text(row_text(entry, "dataset_id"))};
    struct store_rows *rows = NULL;
    struct buf sql;
    size_t n = 1, i;
    json_t *link;

    buf_init(&sql);
    buf_adds(&sql, "SELECT ");
    row_columns(&apis_resource, &sql);
    buf_adds(&sql, " FROM apis AS t WHERE t.dataset_id = ?");
    scope_sql(c, &apis_resource, false, &sql, v, &n);
    buf_addf(&sql, " ORDER BY t.created_at LIMIT %d", APIS_MAX);
    buf_addc(&sql, '\0');
    enum problem p =
        rest_store_problem(c, sql.failed ? STORE_EIO : store_query(txn, sql.p, v, n, &rows));
    while (p == PROBLEM_OK && store_next(rows)) {
        json_t *api = row_read(&apis_resource, rows);
        json_array_append_new(apis, api_link(api));
        json_decref(api);
    }
    p = p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
    buf_fini(&sql);
    json_array_foreach(apis, i, link)
    {
        p = p == PROBLEM_OK && entry_keeper(c, entry) ? add_apps(c, txn, link) : p;
    }
    return p;
}

static json_t *columns_of(const struct rest_call *c, const json_t *entry, const json_t *dataset)
{
    json_t *out = json_array(), *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        json_int_t level = json_integer_value(json_object_get(f, "level"));
        if (entry_keeper(c, entry) || (level >= 1 && level <= 3)) {
            json_array_append_new(
                out, json_pack("{s:s, s:s, s:s, s:I}", "column", row_text(f, "column"), "field",
                               row_text(f, "name"), "title", row_text(f, "title"), "level", level));
        }
    }
    return out;
}

static enum problem lineage(struct rest_call *c, struct store_txn *txn, const json_t *entry,
                            json_t **out)
{
    json_t *dataset = NULL, *apis = json_array();
    enum problem p = PROBLEM_OK;

    if (row_text(entry, "dataset_id")[0]) {
        p = api_load(c, txn, &datasets_resource, row_text(entry, "dataset_id"), &dataset);
    }
    if (p == PROBLEM_OK && dataset) {
        p = add_apis(c, txn, entry, apis);
    }
    *out = json_pack("{s:O, s:O, s:o, s:o}", "entry_id", json_object_get(entry, "id"), "identifier",
                     json_object_get(entry, "identifier"), "columns",
                     dataset ? columns_of(c, entry, dataset) : json_array(), "apis", apis);
    if (dataset) {
        json_object_set_new(*out, "dataset",
                            json_pack("{s:O, s:O, s:O}", "id", json_object_get(dataset, "id"),
                                      "name", json_object_get(dataset, "name"), "state",
                                      json_object_get(dataset, "state")));
    }
    json_decref(dataset);
    return p == PROBLEM_OK ? add_place(c, txn, entry, *out) : p;
}

enum problem entry_lineage(struct rest_call *c)
{
    return with_entry(c, false, lineage);
}

/* The rule of each column of a preview: as the dataset's levels say; without one it stays covered.
 */
static json_t *masks_of(const json_t *dataset)
{
    json_t *masks = json_object(), *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        json_int_t level = json_integer_value(json_object_get(f, "level"));
        const char *mask = row_text(f, "mask");
        const char *rule = level == 1 || level == 2 ? "none"
                           : level == 3             ? mask
                           : level == 4             ? "null"
                                                    : "";
        json_object_set_new(masks, row_text(f, "column"), json_string(rule));
    }
    return masks;
}

struct preview {
    json_t *source, *body;
};

static enum problem preview_body(struct rest_call *c, struct preview *pv)
{
    struct store_txn *txn = NULL;
    json_t *entry = NULL, *dataset = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = entry_seen(c, txn, &entry);
    if (p == PROBLEM_OK && !entry_keeper(c, entry)) {
        p = PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK && (!row_text(entry, "source_id")[0] || !row_text(entry, "table")[0])) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the entry names no table of a source");
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &sources_resource, row_text(entry, "source_id"), &pv->source);
    }
    if (p == PROBLEM_OK && row_text(entry, "dataset_id")[0]) {
        p = api_load(c, txn, &datasets_resource, row_text(entry, "dataset_id"), &dataset);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK && strcmp(row_text(pv->source, "state"), "ready") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "its source is not ready");
    }
    if (p == PROBLEM_OK) {
        pv->body = exchange_source(c, pv->source);
        json_object_set_new(pv->body, "schema", json_string(row_text(entry, "schema")));
        json_object_set_new(pv->body, "table", json_string(row_text(entry, "table")));
        json_object_set_new(pv->body, "masks", masks_of(dataset));
        json_object_set_new(pv->body, "sample", json_integer(10));
    }
    json_decref(entry);
    json_decref(dataset);
    return p;
}

enum problem entry_preview(struct rest_call *c)
{
    struct preview pv = {0};
    json_t *answer = NULL;
    enum problem p = preview_body(c, &pv);

    if (p == PROBLEM_OK) {
        p = data_client_post(c, "/internal/v1/sources/profile", pv.body, &answer);
    }
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 200, json_pack("{s:O}", "items", json_object_get(answer, "sample")));
    }
    json_decref(answer);
    json_decref(pv.source);
    json_decref(pv.body);
    return p;
}
