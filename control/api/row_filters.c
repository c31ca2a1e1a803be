/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows one subscription or grant opens (EC-4.2.1c1): conditions beside the dataset's own, in
 * the same grammar, read by the data service when they are set. They only ever narrow: both hold,
 * and so do the dataset's and the owner's. What they may speak of is bounded too, for whether a row
 * comes tells of the field that chose it. */
#include <stdio.h>

#include "api/api.h"
#include "data_client.h"
#include "policy/policy.h"

static const json_t *field_of(const json_t *fields, const char *member, const char *value)
{
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        if (strcmp(row_text(f, member), value) == 0) {
            return f;
        }
    }
    return NULL;
}

static bool named(const json_t *paths, const char *name)
{
    json_t *path;
    size_t i;

    if (!json_is_array(paths) || json_array_size(paths) == 0) {
        return true;
    }
    json_array_foreach(paths, i, path)
    {
        const char *text = json_string_value(path), *dot = strrchr(text, '.');
        if (strcmp(dot ? dot + 1 : text, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Nothing of level 4 or of no level, whoever says it. Of an applicant nothing that the app would
 * not read in the rows themselves: else it would learn it by asking for those that have it. */
static const char *may_choose(const struct rest_call *c, const json_t *row, const json_t *field)
{
    json_int_t level = json_integer_value(json_object_get(field, "level"));
    json_int_t most = json_integer_value(json_object_get(row, "max_level"));

    if (level < 1 || level > 3) {
        return "it has no level, or level 4";
    }
    if (c->user.role & (ROLE_STAFF | ROLE_OWNER)) {
        return NULL;
    }
    if (row_text(field, "mask")[0] || level == 3) {
        return "it is masked";
    }
    return level <= most && named(json_object_get(row, "fields"), row_text(field, "name"))
               ? NULL
               : "it is not among the fields the subscription opens";
}

static enum problem check_columns(struct rest_call *c, const json_t *row, const json_t *dataset,
                                  const json_t *columns)
{
    json_t *name;
    size_t i;

    json_array_foreach(columns, i, name)
    {
        const char *text = json_string_value(name);
        const json_t *f = field_of(json_object_get(dataset, "fields"), "name", text);
        const char *why = f ? may_choose(c, row, f) : "the dataset has no such field";
        if (why) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/row_filter", "%.100s: %s", text, why);
        }
    }
    return PROBLEM_OK;
}

static json_t *question(const json_t *row, const json_t *dataset, bool events)
{
    json_t *columns = json_array(), *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        json_array_append_new(columns,
                              json_pack("{s:s, s:s, s:s, s:s}", "name", row_text(f, "name"),
                                        "column", row_text(f, "column"), "type",
                                        row_text(f, "type"), "title", row_text(f, "title")));
    }
    return json_pack("{s:o, s:s, s:b}", "columns", columns, "filter", row_text(row, "row_filter"),
                     "events", events);
}

/* What the API reads its rows from. */
static enum problem load_dataset(struct rest_call *c, const json_t *row, json_t **api,
                                 json_t **dataset)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &apis_resource, row_text(row, "api_id"), api);
    const char *id = p == PROBLEM_OK ? row_text(*api, "dataset_id") : "";
    if (p == PROBLEM_OK && id[0]) {
        p = api_load(c, txn, &datasets_resource, id, dataset);
    }
    store_rollback(&txn);
    return p;
}

static enum problem check_api(struct rest_call *c, const json_t *api, const json_t *dataset)
{
    if (!dataset) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/row_filter",
                         "the API reads no dataset, so its rows cannot be chosen");
    }
    if (strcmp(row_text(api, "profile"), "submission") == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/row_filter",
                         "the API takes rows and gives none");
    }
    return strcmp(row_text(api, "access"), "registered") == 0
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/row_filter",
                           "the API is open to every app, whatever its subscription says")
               : PROBLEM_OK;
}

static enum problem read_filter(struct rest_call *c, json_t *row)
{
    json_t *api = NULL, *dataset = NULL, *answer = NULL;
    enum problem p = load_dataset(c, row, &api, &dataset);

    p = p == PROBLEM_OK ? check_api(c, api, dataset) : p;
    if (p == PROBLEM_OK) {
        json_t *body = question(row, dataset, strcmp(row_text(api, "kind"), "topic") == 0);
        p = data_client_post(c, "/internal/v1/datasets/rows", body, &answer);
        json_decref(body);
        if (p == PROBLEM_QUERY_MALFORMED) { /* the service has said what is wrong; here is where */
            char why[sizeof c->detail];
            snprintf(why, sizeof why, "%s", c->detail);
            p = rest_fail(c, PROBLEM_FIELD_INVALID, "/row_filter", "%s", why);
        }
    }
    p = p == PROBLEM_OK ? check_columns(c, row, dataset, json_object_get(answer, "columns")) : p;
    if (p == PROBLEM_OK) {
        json_object_set_new(row, "row_filter_text",
                            json_pack("{s:O, s:O}", "en", json_object_get(answer, "en"), "zh",
                                      json_object_get(answer, "zh")));
    }
    json_decref(answer);
    json_decref(dataset);
    json_decref(api);
    return p;
}

enum problem row_filter_prepare(struct rest_call *c, struct change *ch)
{
    static const char *const bounds[] = {"row_filter", "max_level", "fields"};
    bool changed = !ch->old;

    for (size_t i = 0; i < COUNT(bounds) && !changed; i++) {
        changed = api_changed(ch->old, ch->row, bounds[i]);
    }
    if (!changed) {
        return PROBLEM_OK;
    }
    if (!row_text(ch->row, "row_filter")[0]) {
        json_object_set_new(ch->row, "row_filter", json_null());
        json_object_set_new(ch->row, "row_filter_text", json_null());
        return PROBLEM_OK;
    }
    return read_filter(c, ch->row);
}

const char *row_filter_words(const json_t *row, bool zh)
{
    return row_text(json_object_get(row, "row_filter_text"), zh ? "zh" : "en");
}

void row_filter_feed(const json_t *row, json_t *data)
{
    if (data && row_text(row, "row_filter")[0]) {
        json_object_set(data, "rows", json_object_get(row, "row_filter"));
    }
}
