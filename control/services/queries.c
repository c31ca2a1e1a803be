/* SPDX-License-Identifier: Apache-2.0 */
/* A data service is developed in place (SW-8.2b-4): a query with parameters is tried on the
 * dataset's source, a few rows masked, and saved as a version once it can be run; one version is in
 * use. What callers get changes with the next publication, as with any change of a dataset. */
#include <stdio.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "data_client.h"
#include "exchange/exchange.h"
#include "services/queries.h"
#include "services/services.h"

static enum problem check_values(struct rest_call *c, const char *where, const json_t *v)
{
    const char *name;
    json_t *value;

    if (!json_is_object(v) || json_object_size(v) > 16) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an object of texts is needed");
    }
    json_object_foreach((json_t *)(uintptr_t)v, name, value)
    {
        if (!json_is_string(value)) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "the value of %.60s is no text",
                             name);
        }
    }
    return PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"dataset_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "datasets"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"number", ATTR_INT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"query", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"parameters", ATTR_JSON, AF_IMMUTABLE, .check = reading_check_parameters, .fallback = "[]"},
    {"values", ATTR_JSON, AF_WRITE_ONLY, .check = check_values},
    {"note", ATTR_TEXT, AF_LINES, 0, 1000},
    {"columns", ATTR_JSON, AF_READ_ONLY},
    {"made_by", ATTR_TEXT, AF_READ_ONLY},
    {"used_by", ATTR_TEXT, AF_READ_ONLY},
    {"used_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
};

/* A column shows what its field of the dataset says; without one it stays covered. */
static json_t *masks_of(const json_t *dataset)
{
    json_t *masks = json_object(), *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        json_int_t level = json_integer_value(json_object_get(f, "level"));
        json_object_set_new(masks, row_text(f, "column"),
                            json_string(level == 1 || level == 2 ? "none"
                                        : level == 3             ? row_text(f, "mask")
                                        : level == 4             ? "null"
                                                                 : ""));
    }
    return masks;
}

/* asked: {query, parameters, values, limit}. */
static enum problem try_query(struct rest_call *c, const json_t *dataset, const json_t *source,
                              const json_t *asked, json_t **answer)
{
    static const char *const copied[] = {"query", "parameters", "values", "limit"};
    json_t *body;

    if (strcmp(row_text(source, "state"), "ready") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/dataset_id", "its source is not ready");
    }
    body = exchange_source(c, source);
    if (!body) {
        return PROBLEM_INTERNAL;
    }
    for (size_t i = 0; i < COUNT(copied); i++) {
        json_object_set(body, copied[i], json_object_get(asked, copied[i]));
    }
    json_object_set_new(body, "masks", masks_of(dataset));
    enum problem p = data_client_post(c, "/internal/v1/sources/try", body, answer);
    json_decref(body);
    return p;
}

static enum problem load_both(struct rest_call *c, const char *id, json_t **dataset,
                              json_t **source)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &datasets_resource, id, true, dataset);
    if (p == PROBLEM_OK && !*dataset) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, &datasets_resource, id)) {
        p = PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &sources_resource, row_text(*dataset, "source_id"), source);
    }
    store_rollback(&txn);
    return p;
}

enum problem query_try(struct rest_call *c)
{
    static const char *const members[] = {"query", "parameters", "values", "limit", NULL};
    json_t *dataset = NULL, *source = NULL, *answer = NULL, *v;
    enum problem p = rest_body_members(c, members);
    struct uuid id;

    if (p == PROBLEM_OK && !uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK) {
        (void)rest_body_text(c, "query", REST_TEXT_MAX, &p);
    }
    if (p == PROBLEM_OK && (v = json_object_get(c->body, "parameters"))) {
        p = reading_check_parameters(c, "/parameters", v);
    }
    if (p == PROBLEM_OK && (v = json_object_get(c->body, "values"))) {
        p = check_values(c, "/values", v);
    }
    if (p == PROBLEM_OK && (v = json_object_get(c->body, "limit")) && !api_int_within(v, 1, 50)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/limit", "1 to 50 rows");
    }
    p = p == PROBLEM_OK ? load_both(c, c->segment[1], &dataset, &source) : p;
    p = p == PROBLEM_OK ? try_query(c, dataset, source, c->body, &answer) : p;
    json_decref(dataset);
    json_decref(source);
    return p == PROBLEM_OK ? rest_answer(c, 200, answer) : p;
}

/* Versions ---------------------------------------------------------------------------------------
 */
/* What cannot be run is not saved. */
static enum problem prepare(struct rest_call *c, struct change *ch)
{
    json_t *dataset = NULL, *source = NULL, *answer = NULL;
    json_t *asked = json_pack("{s:O, s:O, s:O*, s:i}", "query", json_object_get(ch->row, "query"),
                              "parameters", json_object_get(ch->row, "parameters"), "values",
                              json_object_get(c->body, "values"), "limit", 1);
    enum problem p = load_both(c, row_text(ch->row, "dataset_id"), &dataset, &source);

    p = p == PROBLEM_OK ? try_query(c, dataset, source, asked, &answer) : p;
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "columns", json_object_get(answer, "columns"));
    }
    json_decref(asked);
    json_decref(answer);
    json_decref(dataset);
    json_decref(source);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    static const char sql[] = "SELECT max(number) FROM query_versions WHERE dataset_id = ?";
    json_t *dataset = NULL;
    int64_t last = 0;
    enum problem p = PROBLEM_OK;

    if (ch->old) {
        return PROBLEM_OK;
    }
    p = services_count(c, ch->txn, sql, row_text(ch->row, "dataset_id"), &last);
    p = p == PROBLEM_OK
            ? api_load(c, ch->txn, &datasets_resource, row_text(ch->row, "dataset_id"), &dataset)
            : p;
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "organisation_id", json_object_get(dataset, "organisation_id"));
        json_object_set_new(ch->row, "number", json_integer(last + 1));
        json_object_set_new(ch->row, "made_by", json_string(c->user.login));
    }
    json_decref(dataset);
    return p;
}

/* A column that the dataset had keeps what was said of it; a new one is unclassified, so nothing is
 * published before somebody looked at it. */
static json_t *fields_of(const json_t *columns, const json_t *before)
{
    json_t *out = fields_from_columns(columns), *f, *old;
    size_t i, k;

    json_array_foreach(out, i, f)
    {
        json_array_foreach(before, k, old)
        {
            if (strcmp(row_text(old, "column"), row_text(f, "column")) == 0) {
                json_array_set(out, i, old);
                break;
            }
        }
    }
    return out;
}

static enum problem put_aside(struct rest_call *c, struct change *ch)
{
    json_t *old;
    enum problem p;

    if (strcmp(row_text(ch->row, "state"), "in-use") != 0 ||
        strcmp(row_text(ch->row, "id"), ch->arg) == 0) {
        return PROBLEM_OK;
    }
    old = json_deep_copy(ch->row);
    p = stage_change(c, ch->txn, ch->res, old, ch->row, "saved", "supersede");
    json_decref(old);
    return p;
}

static enum problem change_dataset(struct rest_call *c, struct change *ch)
{
    json_t *row = NULL, *old;
    enum problem p =
        api_load(c, ch->txn, &datasets_resource, row_text(ch->row, "dataset_id"), &row);

    if (p == PROBLEM_OK && strcmp(row_text(row, "state"), "retired") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/dataset_id", "the dataset is retired");
    }
    if (p != PROBLEM_OK) {
        json_decref(row);
        return p;
    }
    old = json_deep_copy(row);
    json_object_set(row, "query", json_object_get(ch->row, "query"));
    json_object_set(row, "parameters", json_object_get(ch->row, "parameters"));
    json_object_set_new(
        row, "fields",
        fields_of(json_object_get(ch->row, "columns"), json_object_get(old, "fields")));
    struct change of = {.res = &datasets_resource, .txn = ch->txn, .old = old, .row = row};
    p = datasets_resource.check(c, &of);
    p = p == PROBLEM_OK ? change_store(c, ch->txn, &datasets_resource, old, row, "update") : p;
    json_decref(old);
    json_decref(row);
    return p;
}

static enum problem use(struct rest_call *c, struct change *ch)
{
    enum problem p = change_dataset(c, ch);

    if (p == PROBLEM_OK) {
        p = row_each(c, ch->txn, ch->res, "dataset_id", row_text(ch->row, "dataset_id"), put_aside,
                     (void *)(uintptr_t)row_text(ch->row, "id"));
    }
    json_object_set_new(ch->row, "used_by", json_string(c->user.login));
    json_object_set_new(ch->row, "used_at", stage_time(c->now_ms));
    return p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"saved", "use", "in-use", KEEPER, .hook = use},
    {"saved", "discard", "discarded", KEEPER},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

const struct resource query_versions_resource = {
    .plural = "query_versions",
    .kind = "query-version",
    .initial = "saved",
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
};
