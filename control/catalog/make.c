/* SPDX-License-Identifier: Apache-2.0 */
/* Entries nobody types: of tables that were harvested and of datasets that are published. */
#include <stdio.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "services/services.h"

enum problem entry_seen(struct rest_call *c, struct store_txn *txn, json_t **entry)
{
    struct uuid id;

    *entry = NULL;
    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &entries_resource, c->segment[1], true, entry);
    return p == PROBLEM_OK && !*entry ? PROBLEM_NOT_FOUND : p;
}

static enum problem find(struct rest_call *c, struct store_txn *txn, const char *sql,
                         const struct store_value *v, size_t n, json_t **entry)
{
    struct store_rows *rows = NULL;
    char id[UUID_TEXT_LEN + 1] = "";
    enum problem p = rest_store_problem(c, store_query(txn, sql, v, n, &rows));

    *entry = NULL;
    if (p == PROBLEM_OK && store_next(rows)) {
        snprintf(id, sizeof id, "%s", store_get_text(rows, 0));
    }
    p = p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
    return p == PROBLEM_OK && id[0] ? row_load(c, txn, &entries_resource, id, false, entry) : p;
}

enum problem entry_of_table(struct rest_call *c, struct store_txn *txn, const char *source_id,
                            const char *schema, const char *table, json_t **entry)
{
    const struct store_value v[] = {store_text(source_id), store_text(table), store_text(schema)};

    return find(c, txn,
                "SELECT id FROM entries WHERE source_id = ? AND \"table\" = ? AND ? IN ('', "
                "ifnull(schema, '')) AND state <> 'withdrawn' ORDER BY created_at LIMIT 1",
                v, 3, entry);
}

json_t *entry_new(const struct rest_call *c, const char *name, const char *organisation_id)
{
    char id[UUID_TEXT_LEN + 1], identifier[64];
    struct uuid u;

    (void)c;
    uuid_new(&u);
    uuid_format(&u, id);
    snprintf(identifier, sizeof identifier, "urn:uuid:%s", id);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:[], s:[], s:[]}", "id", id, "state",
                     "draft", "identifier", identifier, "name", name, "organisation_id",
                     organisation_id, "decision", "undecided", "version", 0, "tags", "keywords",
                     "fields");
}

enum problem entry_opens_dataset(struct rest_call *c, struct store_txn *txn, const char *dataset_id,
                                 bool *open)
{
    static const char sql[] =
        "SELECT count(*) FROM entries AS t WHERE t.dataset_id = ? AND " ENTRY_LISTED;
    int64_t n = 0;
    enum problem p = services_count(c, txn, sql, dataset_id, &n);

    *open = n > 0;
    return p;
}

static json_t *named(const json_t *fields, const char *name)
{
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        if (strcmp(row_text(f, "name"), name) == 0) {
            return f;
        }
    }
    return NULL;
}

json_t *entry_fields(const json_t *columns, const json_t *before)
{
    static const char *const kept[] = {"title", "format", "description", "open", "element"};
    json_t *out = json_array(), *col, *v;
    size_t i;

    json_array_foreach(columns, i, col)
    {
        const char *name = row_text(col, "name");
        const json_t *old = named(before, name);
        json_t *f = json_pack("{s:s, s:s, s:s, s:b}", "name", name, "type", row_text(col, "type"),
                              "format", row_text(col, "native_type"), "key",
                              json_is_true(json_object_get(col, "key")));
        v = json_object_get(col, "length");
        json_object_set_new(f, "length", json_integer(json_integer_value(v)));
        if (row_text(col, "comment")[0]) {
            json_object_set(f, "description", json_object_get(col, "comment"));
        }
        for (size_t k = 0; k < COUNT(kept); k++) {
            if ((v = json_object_get(old, kept[k]))) {
                json_object_set(f, kept[k], v);
            }
        }
        if (json_array_size(out) < ENTRY_FIELDS_MAX) {
            json_array_append_new(out, f);
        } else {
            json_decref(f);
        }
    }
    return out;
}

/* Of a dataset: what is of level 4 or has none does not leave, and is not told outside either. */
static json_t *fields_of_dataset(const json_t *fields, const json_t *before)
{
    json_t *out = json_array(), *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        const char *column = row_text(f, "column");
        json_t *old = named(before, column), *made = old ? json_deep_copy(old) : json_object();
        json_int_t level = json_integer_value(json_object_get(f, "level"));
        const char *title = row_text(f, "title")[0] ? row_text(f, "title") : row_text(f, "name");
        json_object_set_new(made, "name", json_string(column));
        json_object_set_new(made, "type", json_string(row_text(f, "type")));
        json_object_set_new(made, "length",
                            json_integer(json_integer_value(json_object_get(f, "length"))));
        json_object_set_new(made, "open", json_boolean(level >= 1 && level <= 3));
        if (!row_text(made, "title")[0] && strcmp(title, column) != 0) {
            json_object_set_new(made, "title", json_string(title));
        }
        json_array_append_new(out, made);
    }
    return out;
}

/* What a query or an entity gives is a resource of its own, beside the tables it is made from. */
enum problem entry_of_dataset(struct rest_call *c, struct store_txn *txn, const json_t *dataset)
{
    const struct store_value v = store_text(row_text(dataset, "id"));
    const char *title = row_text(dataset, "title");
    json_t *entry = NULL, *old = NULL;
    enum problem p = find(c, txn,
                          "SELECT id FROM entries WHERE dataset_id = ? AND state <> 'withdrawn' "
                          "ORDER BY created_at LIMIT 1",
                          &v, 1, &entry);

    bool of_table =
        !row_text(dataset, "query")[0] && !json_is_true(json_object_get(dataset, "whole"));
    if (p == PROBLEM_OK && !entry && of_table) {
        p = entry_of_table(c, txn, row_text(dataset, "source_id"), row_text(dataset, "schema"),
                           row_text(dataset, "table"), &entry);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    if (entry) {
        old = json_deep_copy(entry);
    } else {
        entry = entry_new(c, title[0] ? title : row_text(dataset, "name"),
                          row_text(dataset, "organisation_id"));
    }
    json_object_set(entry, "source_id", json_object_get(dataset, "source_id"));
    if (of_table) {
        json_object_set(entry, "table", json_object_get(dataset, "table"));
    }
    if (of_table && row_text(dataset, "schema")[0]) {
        json_object_set(entry, "schema", json_object_get(dataset, "schema"));
    }
    json_object_set(entry, "dataset_id", json_object_get(dataset, "id"));
    json_object_set_new(
        entry, "fields",
        fields_of_dataset(json_object_get(dataset, "fields"), json_object_get(entry, "fields")));
    if (!old || !json_equal(old, entry)) {
        if (old && strcmp(row_text(old, "state"), "published") == 0) {
            json_object_set_new(
                entry, "version",
                json_integer(json_integer_value(json_object_get(old, "version")) + 1));
        }
        p = change_store(c, txn, &entries_resource, old, entry, old ? "follow" : "create");
    }
    json_decref(entry);
    json_decref(old);
    return p;
}

/* What its origin's entry says of it, for a table that is new in the open zone. */
static enum problem describe_alike(struct rest_call *c, struct store_txn *txn,
                                   const char *dataset_id, json_t *entry)
{
    static const char *const alike[] = {"name",
                                        "summary",
                                        "department",
                                        "domain_id",
                                        "theme_id",
                                        "category_id",
                                        "application_id",
                                        "tags",
                                        "keywords",
                                        "opening",
                                        "update_frequency",
                                        "volatility",
                                        "access_conditions"};
    const struct store_value v = store_text(dataset_id);
    json_t *from = NULL;
    enum problem p = find(c, txn,
                          "SELECT id FROM entries WHERE dataset_id = ? AND state <> 'withdrawn' "
                          "ORDER BY created_at LIMIT 1",
                          &v, 1, &from);

    for (size_t i = 0; p == PROBLEM_OK && from && i < COUNT(alike); i++) {
        json_object_set(entry, alike[i], json_object_get(from, alike[i]));
    }
    json_decref(from);
    return p;
}

enum problem entry_of_transfer(struct rest_call *c, struct store_txn *txn, const json_t *transfer)
{
    const char *table = row_text(transfer, "target_table");
    json_t *source = NULL, *entry = NULL, *old = NULL;
    enum problem p = api_load(c, txn, &sources_resource, row_text(transfer, "target_id"), &source);

    if (p == PROBLEM_OK) {
        p = entry_of_table(c, txn, row_text(source, "id"), "", table, &entry);
    }
    if (p == PROBLEM_OK && entry) {
        old = json_deep_copy(entry);
    } else if (p == PROBLEM_OK) {
        entry = entry_new(c, table, row_text(source, "organisation_id"));
        json_object_set(entry, "source_id", json_object_get(source, "id"));
        json_object_set_new(entry, "table", json_string(table));
        p = describe_alike(c, txn, row_text(transfer, "dataset_id"), entry);
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(
            entry, "fields",
            entry_fields(json_object_get(transfer, "columns"), json_object_get(old, "fields")));
        json_object_set_new(entry, "last_update", stage_time(c->now_ms));
        p = change_store(c, txn, &entries_resource, old, entry, old ? "follow" : "create");
    }
    json_decref(source);
    json_decref(entry);
    json_decref(old);
    return p;
}
