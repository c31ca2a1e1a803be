/* SPDX-License-Identifier: Apache-2.0 */
/* How a dataset may be read, beyond its table: which rows at all, what belongs to them, whether
 * they may be counted, a query of the provider's in place of the table, what a call may cost. Nodes
 * get it with the columns; the API gets a field for each value that can be answered, decided like
 * any. */
#include <stdio.h>

#include "api/api.h"
#include "classify/classify.h"
#include "data_client.h"

#define RELATIONS_MAX  8
#define PARAMETERS_MAX 16
#define OPEN_LEVEL_MAX 2 /* what a mask hides is not counted with either */

static enum problem refuse(struct rest_call *c, const char *list, size_t i, const char *member,
                           const char *why)
{
    char where[96];

    snprintf(where, sizeof where, "/%s/%zu/%s", list, i, member);
    return rest_fail(c, PROBLEM_FIELD_INVALID, where, "%s", why);
}

/* Plain words only: they become names in a query and in an answer. */
static bool word(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return n > 0 && n <= 64 && s[n] == '\0';
}

static const json_t *field_of(const json_t *dataset, const char *member, const char *value)
{
    json_t *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        if (strcmp(row_text(f, member), value) == 0) {
            return f;
        }
    }
    return NULL;
}

static bool twice(const json_t *list, size_t i)
{
    const char *name = row_text(json_array_get(list, i), "name");

    for (size_t k = 0; k < i; k++) {
        if (strcmp(row_text(json_array_get(list, k), "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Members -----------------------------------------------------------------------------------------
 */
enum problem reading_check_parameters(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"name", "type", "required", "default", NULL};
    static const char *const types[] = {"string",  "integer", "number",
                                        "boolean", "date",    "datetime"};
    json_t *p;
    size_t i, k;

    (void)where;
    if (!json_is_array(v) || json_array_size(v) > PARAMETERS_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/parameters", "at most %d of them in an array",
                         PARAMETERS_MAX);
    }
    json_array_foreach(v, i, p)
    {
        const json_t *fallback = json_object_get(p, "default");
        for (k = 0; k < COUNT(types) && strcmp(types[k], row_text(p, "type")) != 0; k++) {
        }
        if (!json_is_object(p) || !api_only_members(p, members) || !word(row_text(p, "name")) ||
            twice(v, i)) {
            return refuse(c, "parameters", i, "name", "a word that no other parameter has");
        }
        if (k == COUNT(types)) {
            return refuse(c, "parameters", i, "type",
                          "string, integer, number, boolean, date or datetime");
        }
        if (fallback && !json_is_null(fallback) && !json_is_string(fallback)) {
            return refuse(c, "parameters", i, "default", "its text is needed");
        }
    }
    return PROBLEM_OK;
}

enum problem reading_check_relations(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"name", "dataset_id", "local", "foreign", "many", NULL};
    json_t *r;
    size_t i;

    (void)where;
    if (!json_is_array(v) || json_array_size(v) > RELATIONS_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/relations", "at most %d of them in an array",
                         RELATIONS_MAX);
    }
    json_array_foreach(v, i, r)
    {
        const json_t *many = json_object_get(r, "many");
        if (!json_is_object(r) || !api_only_members(r, members) || !word(row_text(r, "name")) ||
            twice(v, i)) {
            return refuse(c, "relations", i, "name", "a word that no other relation has");
        }
        if (many && !json_is_null(many) && !json_is_boolean(many)) {
            return refuse(c, "relations", i, "many", "true or false");
        }
    }
    return PROBLEM_OK;
}

/* One relation against the dataset it leads to. */
static enum problem check_relation(struct rest_call *c, struct change *ch, size_t i,
                                   const json_t *relation, const json_t *other)
{
    if (strcmp(row_text(other, "source_id"), row_text(ch->row, "source_id")) != 0) {
        return refuse(c, "relations", i, "dataset_id", "a dataset of the same source is needed");
    }
    if (row_text(other, "query")[0]) {
        return refuse(c, "relations", i, "dataset_id", "it is a query, no table");
    }
    if (!field_of(ch->row, "column", row_text(relation, "local"))) {
        return refuse(c, "relations", i, "local", "this dataset has no field of this column");
    }
    if (!field_of(other, "column", row_text(relation, "foreign"))) {
        return refuse(c, "relations", i, "foreign", "that dataset has no field of this column");
    }
    return field_of(ch->row, "name", row_text(relation, "name"))
               ? refuse(c, "relations", i, "name", "a field has this name")
               : PROBLEM_OK;
}

static enum problem check_relations(struct rest_call *c, struct change *ch)
{
    enum problem p = PROBLEM_OK;
    json_t *relation;
    size_t i;

    json_array_foreach(json_object_get(ch->row, "relations"), i, relation)
    {
        json_t *other = NULL;
        if (p == PROBLEM_OK) {
            p = row_load(c, ch->txn, &datasets_resource, row_text(relation, "dataset_id"), true,
                         &other);
            p = p == PROBLEM_OK && !other
                    ? refuse(c, "relations", i, "dataset_id", "there is no such dataset")
                    : p;
        }
        if (p == PROBLEM_OK) {
            p = check_relation(c, ch, i, relation, other);
        }
        json_decref(other);
    }
    return p;
}

enum problem reading_check(struct rest_call *c, struct change *ch)
{
    bool groups_only = json_is_true(json_object_get(ch->row, "groups_only"));
    json_int_t min_group = json_integer_value(json_object_get(ch->row, "min_group"));

    if (groups_only && min_group == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/min_group",
                         "a dataset of groups alone says how many rows one needs");
    }
    if (json_array_size(json_object_get(ch->row, "parameters")) && !row_text(ch->row, "query")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/parameters", "they are a query's");
    }
    if (row_text(ch->row, "query")[0] && json_is_object(json_object_get(ch->row, "writable"))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/writable", "a query has no table to write to");
    }
    return check_relations(c, ch);
}

/* What nodes are told -----------------------------------------------------------------------------
 */
static json_t *columns_of(const json_t *dataset)
{
    json_t *out = json_array(), *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        json_t *key = json_object_get(f, "key");
        bool is_key = json_is_true(key) || json_integer_value(key) > 0;
        json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:b}", "name", row_text(f, "name"),
                                             "column", row_text(f, "column"), "type",
                                             row_text(f, "type"), "key", is_key));
    }
    return out;
}

static json_t *relation_snapshot(const json_t *relation, const json_t *other)
{
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:o}", "name", row_text(relation, "name"),
        "local", row_text(relation, "local"), "foreign", row_text(relation, "foreign"), "many",
        json_is_true(json_object_get(relation, "many")), "schema", row_text(other, "schema"),
        "table", row_text(other, "table"), "owner_column", row_text(other, "owner_column"),
        "filter", row_text(other, "row_filter"), "columns", columns_of(other));
}

static enum problem relations_snapshot(struct rest_call *c, struct store_txn *txn,
                                       const json_t *dataset, json_t *out)
{
    enum problem p = PROBLEM_OK;
    json_t *relation;
    size_t i;

    json_array_foreach(json_object_get(dataset, "relations"), i, relation)
    {
        json_t *other = NULL;
        if (p == PROBLEM_OK) {
            p = api_load(c, txn, &datasets_resource, row_text(relation, "dataset_id"), &other);
        }
        if (p == PROBLEM_OK) {
            json_array_append_new(out, relation_snapshot(relation, other));
        }
        json_decref(other);
    }
    return p;
}

enum problem reading_snapshot(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                              json_t *out)
{
    static const struct {
        const char *attribute, *member;
    } copied[] = {{"row_filter", "filter"},
                  {"query", "query"},
                  {"parameters", "parameters"},
                  {"min_group", "min_group"},
                  {"groups_only", "groups_only"},
                  {"query_timeout_ms", "timeout_ms"},
                  {"whole", "whole"},
                  {"max_rows", "max_rows"},
                  {"max_cost", "max_cost"}};

    for (size_t i = 0; i < COUNT(copied); i++) {
        json_t *v = json_object_get(dataset, copied[i].attribute);
        bool says = v && !json_is_null(v) && !json_is_false(v) &&
                    !(json_is_integer(v) && json_integer_value(v) == 0) &&
                    !(json_is_string(v) && !json_string_length(v));
        if (says) {
            json_object_set(out, copied[i].member, v);
        }
    }
    if (json_array_size(json_object_get(dataset, "relations")) == 0) {
        return PROBLEM_OK;
    }
    json_t *relations = json_array();
    json_object_set_new(out, "relations", relations);
    return relations_snapshot(c, txn, dataset, relations);
}

/* Fields of the API -------------------------------------------------------------------------------
 */
static void add_field(json_t *fields, const char *path, json_int_t level, const char *type,
                      const json_t *from)
{
    json_array_append_new(
        fields, json_pack("{s:s, s:s, s:I, s:s, s:s, s:O*}", "path", path, "name", path, "level",
                          level, "type", strcmp(type, "json") == 0 ? "json" : "scalar", "mask",
                          row_text(from, "mask"), "tags", json_object_get(from, "tags")));
}

static json_int_t level_of(const json_t *f)
{
    return json_integer_value(json_object_get(f, "level"));
}

/* A count tells of all fields that choose its rows: it is as open as the least open of those that
 * may choose any. */
static void add_aggregates(const json_t *dataset, json_t *fields)
{
    static const char *const functions[] = {"sum", "avg", "min", "max"};
    json_int_t level = 1;
    char path[160];
    json_t *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        const char *type = row_text(f, "type");
        bool open = level_of(f) >= 1 && level_of(f) <= OPEN_LEVEL_MAX && !row_text(f, "mask")[0];
        if (open && level_of(f) > level) {
            level = level_of(f);
        }
        for (size_t k = 0; open && k < COUNT(functions); k++) {
            if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0) {
                snprintf(path, sizeof path, "%s_%s", row_text(f, "name"), functions[k]);
                add_field(fields, path, level_of(f), "number", NULL);
            }
        }
    }
    if (!field_of(dataset, "name", "count")) {
        add_field(fields, "count", level, "integer", NULL);
    }
}

static enum problem add_related(struct rest_call *c, struct store_txn *txn, const json_t *relation,
                                json_t *fields)
{
    json_t *other = NULL, *f;
    char path[300];
    size_t i;
    enum problem p = api_load(c, txn, &datasets_resource, row_text(relation, "dataset_id"), &other);

    if (p == PROBLEM_OK) {
        p = security_review_covers(c, txn, &datasets_resource, other,
                                   json_object_get(other, "fields"));
    }
    json_array_foreach(json_object_get(p == PROBLEM_OK ? other : NULL, "fields"), i, f)
    {
        snprintf(path, sizeof path, "%s.%s", row_text(relation, "name"), row_text(f, "name"));
        add_field(fields, path, level_of(f), row_text(f, "type"), f);
    }
    json_decref(other);
    return p;
}

enum problem reading_fields(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                            json_t *fields)
{
    enum problem p = PROBLEM_OK;
    json_t *relation;
    size_t i;

    json_array_foreach(json_object_get(dataset, "relations"), i, relation)
    {
        p = p == PROBLEM_OK ? add_related(c, txn, relation, fields) : p;
    }
    if (json_integer_value(json_object_get(dataset, "min_group")) > 0) {
        add_aggregates(dataset, fields);
    }
    return p;
}

/* Before a publication ----------------------------------------------------------------------------
 */
enum problem reading_prepare(struct rest_call *c, const char *dataset_id)
{
    json_t *dataset = NULL, *answer = NULL, *said = json_object();
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = row_load(c, txn, &datasets_resource, dataset_id, true, &dataset);
    }
    if (p == PROBLEM_OK && dataset) {
        p = reading_snapshot(c, txn, dataset, said);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK && dataset && json_object_size(said) > 0) {
        json_object_set_new(said, "columns", columns_of(dataset));
        p = data_client_post(c, "/internal/v1/datasets/check", said, &answer);
    }
    json_decref(answer);
    json_decref(said);
    json_decref(dataset);
    return p;
}
