/* SPDX-License-Identifier: Apache-2.0 */
/* A table of a source, field by field with its level (EC-5.2). Nodes read columns as they were at
 * the last publication; a level reaches every API at once (EC-4.2.1b2). */
#include "api/api.h"
#include "batch/batch.h"
#include "catalog/catalog.h"
#include "classify/classify.h"
#include "data_client.h"
#include "lifecycle/lifecycle.h"
#include "sandbox/stage.h"
#include "write/write.h"

static const char *const opening_classes[] = {"unconditional", "conditional", "not-open", NULL};
static const char *const confidentialities[] = {"public", "internal", "confidential", "secret",
                                                NULL};
static const char *const audiences[] = {"public", "registered", "authorised", "internal", NULL};

static enum problem check_derived(struct rest_call *c, const char *where, const json_t *v)
{
    struct uuid id;
    json_t *item;
    size_t i;
    bool ok = json_is_array(v) && json_array_size(v) <= 20;

    json_array_foreach(v, i, item)
    {
        const char *s = json_is_string(item) ? json_string_value(item) : "";
        ok = ok && uuid_parse(&id, s, strlen(s));
    }
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "the ids of 20 datasets at most are needed");
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 128},
    {"title", ATTR_TEXT, AF_SORT, 0, 200},
    {"source_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "sources"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"schema", ATTR_TEXT, 0, 0, 128},
    {"table", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE, 1, 128},
    {"owner_column", ATTR_TEXT, 0, 1, 128},
    {"fields", ATTR_JSON, 0, .fallback = "[]", .check = fields_check_dataset},
    {"writable", ATTR_JSON, 0, .check = write_check_writable},
    {"row_filter", ATTR_TEXT, 0, 0, 2000},
    {"relations", ATTR_JSON, 0, .check = reading_check_relations},
    {"query", ATTR_TEXT, AF_LINES, 0, REST_TEXT_MAX},
    {"parameters", ATTR_JSON, 0, .check = reading_check_parameters},
    {"min_group", ATTR_INT, 0, 0, 1000000},
    {"groups_only", ATTR_BOOL, 0},
    {"query_timeout_ms", ATTR_INT, 0, 0, 60000},
    {"max_rows", ATTR_INT, 0, 0, 100000},
    {"max_cost", ATTR_INT, 0, 0, INT32_MAX},
    {"whole", ATTR_BOOL, 0},
    {"published", ATTR_JSON, AF_HIDDEN},
    {"opening_class", ATTR_TEXT, AF_FILTER, 1, 20, .values = opening_classes},
    {"confidentiality", ATTR_TEXT, AF_FILTER, 1, 20, .values = confidentialities},
    {"audience", ATTR_TEXT, AF_FILTER, 1, 20, .values = audiences},
    {"derived_from", ATTR_JSON, 0, .check = check_derived},
};

static enum problem read_fields(struct rest_call *c, const json_t *source, json_t *row)
{
    json_t *answer = NULL;

    if (row_text(row, "query")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/fields", "a query says which fields it gives");
    }
    enum problem p = data_client_call(c, "columns", source, row_text(row, "schema"),
                                      row_text(row, "table"), &answer);

    if (p != PROBLEM_OK) {
        return p == PROBLEM_NOT_FOUND
                   ? rest_fail(c, PROBLEM_FIELD_INVALID, "/table", "the source has no such table")
                   : p;
    }
    json_t *fields = fields_from_columns(json_object_get(answer, "columns"));
    classify_harvest(fields, json_object_get(answer, "columns"));
    json_decref(answer);
    if (json_array_size(fields) == 0) {
        json_decref(fields);
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/table",
                         "the source has no such table, or one without columns");
    }
    json_object_set_new(row, "fields", fields);
    return fields_check_dataset(c, "/fields", fields);
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    struct store_txn *txn = NULL;
    json_t *source = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &sources_resource, row_text(ch->row, "source_id"), &source);
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "organisation_id", json_object_get(source, "organisation_id"));
        p = json_array_size(json_object_get(ch->row, "fields")) ? PROBLEM_OK
                                                                : read_fields(c, source, ch->row);
    }
    json_decref(source);
    return p;
}

static bool has_column(const json_t *fields, const char *column)
{
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        if (strcmp(row_text(f, "column"), column) == 0) {
            return true;
        }
    }
    return false;
}

/* What it was made from is there, and is not itself (EC-3.14). */
static enum problem check_origins(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    json_t *id;
    size_t i;

    json_array_foreach(json_object_get(row, "derived_from"), i, id)
    {
        json_t *from = NULL;
        enum problem p = row_load(c, txn, &datasets_resource, json_string_value(id), true, &from);
        bool there = from && strcmp(json_string_value(id), row_text(row, "id")) != 0;
        if (p == PROBLEM_OK && !from) { /* somebody else's, if it is open */
            p = entry_opens_dataset(c, txn, json_string_value(id), &there);
        }
        json_decref(from);
        if (p != PROBLEM_OK) {
            return p;
        }
        if (!there) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/derived_from", "there is no such dataset");
        }
    }
    return PROBLEM_OK;
}

/* What is published opens further only by a declassification, where the platform asks for one. */
static enum problem check_masks(struct rest_call *c, struct change *ch)
{
    bool on = false, open = ch->old && strcmp(row_text(ch->old, "state"), "published") == 0;
    enum problem p = PROBLEM_OK;

    if (!ch->old || api_changed(ch->old, ch->row, "fields")) {
        p = mask_rules_fill(c, ch->txn, json_object_get(ch->row, "fields"));
    }
    if (p == PROBLEM_OK && open) {
        p = stage_setting_on(c, ch->txn, "declassification-required", &on);
    }
    return p == PROBLEM_OK && on ? declassification_check(c, ch->old, ch->row) : p;
}

/* The first API that still serves it and is like this is named. */
static enum problem none_live(struct rest_call *c, struct change *ch, const char *sql)
{
    const struct store_value v = store_text(row_text(ch->row, "id"));
    struct store_rows *rows = NULL;
    enum problem p = rest_store_problem(c, store_query(ch->txn, sql, &v, 1, &rows));

    if (p != PROBLEM_OK) {
        return p;
    }
    if (store_next(rows)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                      "the API at %.200s still serves it; take that offline first",
                      store_get_text(rows, 0));
    }
    enum store_err err = store_rows_end(&rows);
    return p == PROBLEM_OK ? rest_store_problem(c, err) : p;
}

#define LIVE "SELECT path FROM apis WHERE dataset_id = ? AND state IN ('published', 'deprecated') "

static enum problem no_live_api(struct rest_call *c, struct change *ch)
{
    return none_live(c, ch, LIVE "LIMIT 1");
}

static enum problem check_audience(struct rest_call *c, struct change *ch)
{
    bool closes = ch->old && api_changed(ch->old, ch->row, "audience") &&
                  strcmp(row_text(ch->row, "audience"), "authorised") == 0;

    return closes ? none_live(c, ch, LIVE "AND owner_scoped = 0 LIMIT 1") : PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    const char *owner = row_text(ch->row, "owner_column");

    if (json_array_size(json_object_get(ch->row, "fields")) == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/fields", "a dataset has fields");
    }
    if (owner[0] && !has_column(json_object_get(ch->row, "fields"), owner)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/owner_column", "no field has this column");
    }
    enum problem p = reading_check(c, ch);
    p = p == PROBLEM_OK ? check_masks(c, ch) : p;
    p = p == PROBLEM_OK ? check_origins(c, ch->txn, ch->row) : p;
    p = p == PROBLEM_OK ? check_audience(c, ch) : p;
    p = p == PROBLEM_OK ? write_check_dataset(c, ch->row) : p;
    return p == PROBLEM_OK && ch->old && json_is_object(json_object_get(ch->row, "writable"))
               ? life_may_come(c, ch->txn, row_text(ch->row, "id"), "write")
               : p;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    bool fields = strcmp(ch->action, "update") == 0 && api_changed(ch->old, ch->row, "fields");
    enum problem p = ch->old ? classify_opening_changed(c, ch->txn, ch->old, ch->row)
                             : classify_dataset_made(c, ch->txn, ch->row);

    if (p == PROBLEM_OK && ch->old && fields) {
        p = publication_levels(c, ch->txn, ch->row);
    }
    return p == PROBLEM_OK && strcmp(row_text(ch->row, "state"), "published") == 0
               ? entry_of_dataset(c, ch->txn, ch->row)
               : p;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    *data = NULL;
    return strcmp(row_text(row, "state"), "published") == 0 &&
                   json_is_object(json_object_get(row, "published"))
               ? write_feed(c, txn, row, data)
               : PROBLEM_OK;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"draft|published", "retire", "retired", KEEPER, .hook = no_live_api},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

const struct resource datasets_resource = {
    .plural = "datasets",
    .kind = "dataset",
    .initial = "draft",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .prepare = prepare,
    .check = check,
    .after = after,
    .feed = feed,
    .feed_kind = "dataset",
};
