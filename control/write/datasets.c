/* SPDX-License-Identifier: Apache-2.0 */
/* What of a dataset may be written. */
#include "api/api.h"
#include "classify/classify.h"
#include "write/write.h"

static const char *const operations[] = {"insert", "update", "delete", NULL};
static const struct {
    const char *method, *operation;
} methods[] = {{"POST", "insert"}, {"PATCH", "update"}, {"DELETE", "delete"}};

enum problem write_check_writable(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"operations", "fields", NULL};

    if (json_is_null(v)) {
        return PROBLEM_OK;
    }
    if (!json_is_object(v) || !api_only_members(v, members)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "null, or {operations: [insert, update, delete], fields: [names]}");
    }
    enum problem p = api_check_words(c, where, json_object_get(v, "operations"), operations,
                                     COUNT(operations) - 1);
    return p == PROBLEM_OK ? api_check_words(c, where, json_object_get(v, "fields"), NULL, 512) : p;
}

static const json_t *field_of(const json_t *dataset, const char *name)
{
    json_t *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        if (strcmp(row_text(f, "name"), name) == 0) {
            return f;
        }
    }
    return NULL;
}

static bool has_key(const json_t *dataset)
{
    json_t *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        json_t *key = json_object_get(f, "key");
        if (json_is_true(key) || json_integer_value(key) > 0) {
            return true;
        }
    }
    return false;
}

enum problem write_check_dataset(struct rest_call *c, const json_t *dataset)
{
    const json_t *writable = json_object_get(dataset, "writable");
    json_t *name;
    size_t i;

    if (!json_is_object(writable)) {
        return PROBLEM_OK;
    }
    if (!has_key(dataset)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/writable",
                         "rows without a key cannot be written: no field is one");
    }
    json_array_foreach(json_object_get(writable, "fields"), i, name)
    {
        const json_t *field = field_of(dataset, json_string_value(name));
        if (!field) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/writable/fields",
                             "no field is named %.64s", json_string_value(name));
        }
        if (json_integer_value(json_object_get(field, "level")) == 4) {
            return rest_fail(c, PROBLEM_LEVEL_FORBIDDEN, "/writable/fields",
                             "%.64s is of level 4, which nobody else writes",
                             json_string_value(name));
        }
    }
    return PROBLEM_OK;
}

static bool takes(const json_t *dataset, const char *operation)
{
    const json_t *writable = json_object_get(dataset, "writable");
    json_t *v;
    size_t i;

    json_array_foreach(json_object_get(writable, "operations"), i, v)
    {
        if (strcmp(json_string_value(v), operation) == 0) {
            return true;
        }
    }
    return false;
}

enum problem write_check_methods(struct rest_call *c, const json_t *api, const json_t *dataset)
{
    json_t *v;
    size_t i;

    json_array_foreach(json_object_get(api, "methods"), i, v)
    {
        for (size_t k = 0; k < COUNT(methods); k++) {
            if (strcmp(json_string_value(v), methods[k].method) == 0 &&
                !takes(dataset, methods[k].operation)) {
                return rest_fail(c, PROBLEM_FIELD_INVALID, "/methods",
                                 "the dataset is not writable by %s (%s)", methods[k].method,
                                 methods[k].operation);
            }
        }
    }
    return PROBLEM_OK;
}

static enum problem delivers(struct rest_call *c, struct store_txn *txn, const char *dataset,
                             bool *yes)
{
    static const char sql[] =
        "SELECT 1 FROM delivery_targets WHERE dataset_id = ? AND state = 'active'";
    const struct store_value v = store_text(dataset);
    struct store_rows *rows = NULL;
    enum problem p = rest_store_problem(c, store_query(txn, sql, &v, 1, &rows));

    if (p != PROBLEM_OK) {
        return p;
    }
    *yes = store_next(rows);
    return rest_store_problem(c, store_rows_end(&rows));
}

/* A field of text that says nothing of people: no level that masks it, no tag, and neither a key
 * nor the owner's. */
static bool guarded_field(const json_t *dataset, const json_t *f)
{
    static const char *const meant[] = {"identity", "contact", "finance"};
    const char *category = row_text(f, "category"), *column = row_text(f, "column");
    json_int_t level = json_integer_value(json_object_get(f, "level"));

    for (size_t i = 0; i < COUNT(meant); i++) {
        if (strcmp(category, meant[i]) == 0) {
            return false;
        }
    }
    return level < 3 && !json_is_true(json_object_get(f, "key")) &&
           json_array_size(json_object_get(f, "tags")) == 0 &&
           strcmp(column, row_text(dataset, "owner_column")) != 0;
}

/* What nodes are told of fields that personal information is not to come into (SW-9.7-3f). */
static enum problem guard(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                          json_t *data)
{
    char value[CLASSIFY_SETTING_MAX];
    json_t *columns, *f;
    size_t i;
    enum problem p = classify_setting(c, txn, "submitted-personal", value);

    if (p != PROBLEM_OK || strcmp(value, "off") == 0) {
        return p;
    }
    columns = json_array();
    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        if (guarded_field(dataset, f)) {
            json_array_append(columns, json_object_get(f, "column"));
        }
    }
    json_object_set_new(data, "guarded", json_pack("{s:s, s:o}", "do", value, "columns", columns));
    return p;
}

enum problem write_feed(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                        json_t **data)
{
    json_t *writable = json_object_get(dataset, "writable");
    bool yes = false;
    enum problem p = delivers(c, txn, row_text(dataset, "id"), &yes);

    if (p != PROBLEM_OK) {
        return p;
    }
    *data = json_copy(json_object_get(dataset, "published"));
    if (json_is_object(writable)) {
        json_object_set(*data, "writable", writable);
    }
    if (yes) {
        json_object_set_new(*data, "delivers", json_true());
    }
    return guard(c, txn, dataset, *data);
}
