/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset and the APIs on it. Columns and names reach the nodes at a publication, all APIs of the
 * dataset together, so that a public name always has its column. Levels reach them at once. */
#include "api/api.h"
#include "classify/classify.h"
#include "services/services.h"

static json_t *published_columns(const json_t *dataset)
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

static json_t *snapshot(const json_t *dataset)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "source_id", row_text(dataset, "source_id"),
                     "schema", row_text(dataset, "schema"), "table", row_text(dataset, "table"),
                     "owner_column", row_text(dataset, "owner_column"), "columns",
                     published_columns(dataset));
}

enum problem publication_fields(struct rest_call *c, struct store_txn *txn, const char *profile,
                                const json_t *dataset, json_t **fields)
{
    *fields = fields_for_profile(profile, json_object_get(dataset, "fields"));
    enum problem p =
        strcmp(profile, "rest") == 0 ? reading_fields(c, txn, dataset, *fields) : PROBLEM_OK;

    if (p == PROBLEM_OK) {
        p = fields_check_publication(c, *fields);
    }
    if (p != PROBLEM_OK) {
        json_decref(*fields);
        *fields = NULL;
    }
    return p;
}

static enum problem store_fields(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                 json_t *fields, const char *action)
{
    if (json_equal(json_object_get(api, "fields"), fields)) {
        json_decref(fields);
        return PROBLEM_OK;
    }
    json_t *row = json_deep_copy(api);
    json_object_set_new(row, "fields", fields);
    enum problem p = protection_check_fields(c, row, fields);
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &apis_resource, api, row, action);
    }
    json_decref(row);
    return p;
}

static enum problem collect(struct rest_call *c, struct change *ch)
{
    (void)c;
    return json_array_append(ch->arg, ch->row) == 0 ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem apis_of(struct rest_call *c, struct store_txn *txn, const char *dataset_id,
                            json_t **apis)
{
    *apis = json_array();
    return row_each(c, txn, &apis_resource, "dataset_id", dataset_id, collect, *apis);
}

enum problem publication_refresh(struct rest_call *c, struct store_txn *txn, const char *dataset_id,
                                 const char *but_api)
{
    json_t *dataset = NULL, *apis = NULL, *api;
    size_t i;
    enum problem p = api_load(c, txn, &datasets_resource, dataset_id, &dataset);

    if (p == PROBLEM_OK) {
        p = security_review_covers(c, txn, &datasets_resource, dataset,
                                   json_object_get(dataset, "fields"));
    }
    if (p != PROBLEM_OK) {
        json_decref(dataset);
        return p;
    }
    json_t *row = json_deep_copy(dataset);
    json_t *published = snapshot(dataset);
    p = reading_snapshot(c, txn, dataset, published);
    json_object_set_new(row, "published", published);
    json_object_set_new(row, "state", json_string("published"));
    if (p == PROBLEM_OK && !json_equal(row, dataset)) {
        p = change_store(c, txn, &datasets_resource, dataset, row, "publish");
    }
    if (p == PROBLEM_OK) {
        p = apis_of(c, txn, dataset_id, &apis);
    }
    json_array_foreach(apis, i, api)
    {
        if (p == PROBLEM_OK && api_state_live(api) && strcmp(row_text(api, "id"), but_api) != 0) {
            json_t *fields = NULL;
            p = publication_fields(c, txn, row_text(api, "profile"), row, &fields);
            if (p == PROBLEM_OK && !json_equal(json_object_get(api, "fields"), fields)) {
                p = change_covers(c, txn, api, but_api);
            }
            if (p == PROBLEM_OK) {
                p = store_fields(c, txn, api, json_incref(fields), "refresh");
            }
            json_decref(fields);
        }
    }
    json_decref(apis);
    json_decref(row);
    json_decref(dataset);
    return p;
}

static const json_t *find(const json_t *list, const char *member, const char *value)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (strcmp(row_text(item, member), value) == 0) {
            return item;
        }
    }
    return NULL;
}

/* Level and mask of each field by the column it had at publication. A column that is gone has no
 * level any more and is dropped by the decision. */
static json_t *relevelled(const json_t *api, const json_t *dataset, const json_t *more)
{
    static const char *const copied[] = {"tags", "category", "sensitive"};
    json_t *fields = json_deep_copy(json_object_get(api, "fields")), *f;
    const json_t *columns = json_object_get(json_object_get(dataset, "published"), "columns");
    json_t *envelope = fields_for_profile(row_text(api, "profile"), NULL);
    size_t i;

    json_array_foreach(fields, i, f)
    {
        if (find(envelope, "path", row_text(f, "path"))) {
            continue;
        }
        const json_t *column = find(columns, "name", row_text(f, "name"));
        const json_t *now =
            column ? find(json_object_get(dataset, "fields"), "column", row_text(column, "column"))
                   : find(more, "path", row_text(f, "path"));
        json_t *level = json_object_get(now, "level");
        json_object_set_new(f, "level", level ? json_incref(level) : json_integer(0));
        json_object_set_new(f, "mask", json_string(now ? row_text(now, "mask") : ""));
        for (size_t k = 0; k < COUNT(copied); k++) {
            json_object_del(f, copied[k]);
            if (json_object_get(now, copied[k])) {
                json_object_set(f, copied[k], json_object_get(now, copied[k]));
            }
        }
    }
    json_decref(envelope);
    return fields;
}

/* Stopped or suspended, an API comes back as it is; from its test stage or from offline it is
 * published first. */
static bool any_open(const json_t *apis)
{
    json_t *api;
    size_t i;

    json_array_foreach(apis, i, api)
    {
        const char *state = row_text(api, "state");
        if (api_state_live(api) && strcmp(state, "offline") != 0 && strcmp(state, "test") != 0) {
            return true;
        }
    }
    return false;
}

/* What nodes read now: a column that was added since opens with the next publication. */
static enum problem review_served(struct rest_call *c, struct store_txn *txn, const json_t *dataset)
{
    const json_t *columns = json_object_get(json_object_get(dataset, "published"), "columns");
    json_t *served = json_array(), *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        if (find(columns, "column", row_text(f, "column"))) {
            json_array_append(served, f);
        }
    }
    enum problem p = security_review_covers(c, txn, &datasets_resource, dataset, served);
    json_decref(served);
    return p;
}

static enum problem relevel(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                            const json_t *apis)
{
    json_t *more = json_array(), *api;
    size_t i;
    enum problem p = any_open(apis) ? reading_fields(c, txn, dataset, more) : PROBLEM_OK;

    json_array_foreach(apis, i, api)
    {
        if (p == PROBLEM_OK && api_state_live(api)) {
            p = store_fields(c, txn, api, relevelled(api, dataset, more), "classify");
        }
    }
    json_decref(more);
    return p;
}

/* A dataset whose rows belong to those of another: its levels hold there too. */
static enum problem relevel_other(struct rest_call *c, struct store_txn *txn, const char *id)
{
    json_t *dataset = NULL, *apis = NULL;
    enum problem p = api_load(c, txn, &datasets_resource, id, &dataset);

    if (p == PROBLEM_OK) {
        p = apis_of(c, txn, id, &apis);
    }
    if (p == PROBLEM_OK) {
        p = relevel(c, txn, dataset, apis);
    }
    json_decref(apis);
    json_decref(dataset);
    return p;
}

static enum problem relevel_others(struct rest_call *c, struct store_txn *txn, const char *id)
{
    const struct store_value v = store_text(id);
    struct store_rows *rows = NULL;
    json_t *ids = json_array(), *other;
    size_t i;
    enum store_err err = store_query(
        txn, "SELECT id FROM datasets WHERE relations LIKE '%' || ? || '%'", &v, 1, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    json_array_foreach(ids, i, other)
    {
        p = p == PROBLEM_OK ? relevel_other(c, txn, json_string_value(other)) : p;
    }
    json_decref(ids);
    return p;
}

enum problem publication_levels(struct rest_call *c, struct store_txn *txn, const json_t *dataset)
{
    json_t *apis = NULL;
    enum problem p = apis_of(c, txn, row_text(dataset, "id"), &apis);

    if (p == PROBLEM_OK && any_open(apis)) {
        p = review_served(c, txn, dataset);
    }
    if (p == PROBLEM_OK) {
        p = relevel(c, txn, dataset, apis);
    }
    json_decref(apis);
    return p == PROBLEM_OK ? relevel_others(c, txn, row_text(dataset, "id")) : p;
}
