/* SPDX-License-Identifier: Apache-2.0 */
#include "admission/analysis.h"

#include "admission/inner.h"
#include "admission/terms.h"
#include "api/api.h"

#define APIS_MAX 20

static const char *const operations[] = {"aggregate", "export", "model", NULL};

static enum problem check_operations(struct rest_call *c, const char *where, const json_t *v)
{
    return api_check_words(c, where, v, operations, COUNT(operations) - 1);
}

static enum problem check_apis(struct rest_call *c, const char *where, const json_t *v)
{
    return api_check_words(c, where, v, NULL, APIS_MAX);
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_SORT, 1, 128},
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"api_ids", ATTR_JSON, AF_REQUIRED | AF_IMMUTABLE, .check = check_apis},
    {"operations", ATTR_JSON, AF_REQUIRED | AF_IMMUTABLE, .check = check_operations},
    {"purpose", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, 1000},
    {"registered_by", ATTR_TEXT, AF_READ_ONLY},
};

static bool has(const json_t *list, const char *word)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        if (text && strcmp(text, word) == 0) {
            return true;
        }
    }
    return false;
}

static int64_t level_of(const json_t *api)
{
    json_t *field;
    int64_t highest = 1;
    size_t i;

    json_array_foreach(json_object_get(api, "fields"), i, field)
    {
        json_int_t level = json_integer_value(json_object_get(field, "level"));
        highest = level > highest && level <= 3 ? level : highest;
    }
    return highest;
}

/* Whatever the setting says: a task is what needs an agreement. */
static enum problem permitted(struct rest_call *c, struct store_txn *txn, const char *receiver,
                              const json_t *api, const char *operation)
{
    const struct admission_task task = {row_text(api, "organisation_id"),
                                        receiver,
                                        row_text(api, "id"),
                                        operation,
                                        level_of(api),
                                        true};

    return agreement_permits(c, txn, &task);
}

static enum problem check_api(struct rest_call *c, struct store_txn *txn, const json_t *row,
                              const char *receiver, const char *api_id)
{
    json_t *api = NULL, *item;
    size_t i;
    struct uuid id;
    enum problem p = uuid_parse(&id, api_id, strlen(api_id))
                         ? row_load(c, txn, &apis_resource, api_id, false, &api)
                         : PROBLEM_OK;

    if (p == PROBLEM_OK && !(api && api_state_live(api))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/api_ids", "there is no such API in service");
    }
    json_array_foreach(json_object_get(row, "operations"), i, item)
    {
        p = p == PROBLEM_OK ? permitted(c, txn, receiver, api, json_string_value(item)) : p;
    }
    json_decref(api);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL, *item;
    size_t i;

    if (ch->old) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    json_array_foreach(json_object_get(ch->row, "api_ids"), i, item)
    {
        p = p == PROBLEM_OK ? check_api(c, ch->txn, ch->row, row_text(app, "organisation_id"),
                                        json_string_value(item))
                            : p;
    }
    json_object_set_new(ch->row, "registered_by", json_string(c->user.login));
    json_decref(app);
    return p;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    return terms_refeed_app(c, ch->txn, row_text(ch->row, "app_id"));
}

#define SIDE (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"registered", "end", "ended", SIDE},
};

#define OWN_APP "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
#define OWN_API                                                                                    \
    "EXISTS (SELECT 1 FROM json_each(t.api_ids) j JOIN apis a ON a.id = j.value WHERE "            \
    "a.organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN_APP, OWN_APP},
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, "1 = 0"},
};

const struct resource analysis_tasks_resource = {
    .plural = "analysis_tasks",
    .kind = "analysis-task",
    .initial = "registered",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = SIDE | ROLE_PROVIDER | ROLE_AUDITOR,
    .create_roles = SIDE,
    .patch_roles = SIDE,
    .check = check,
    .after = after,
};

/* At the nodes ----------------------------------------------------------------------------------
 */
struct tasks {
    const char *api_id;
    bool aggregate, export_;
};

static enum problem add_task(struct rest_call *c, struct change *ch)
{
    struct tasks *t = ch->arg;
    const json_t *does = json_object_get(ch->row, "operations");

    (void)c;
    if (strcmp(row_text(ch->row, "state"), "registered") == 0 &&
        has(json_object_get(ch->row, "api_ids"), t->api_id)) {
        t->aggregate = t->aggregate || has(does, "aggregate");
        t->export_ = t->export_ || has(does, "export");
    }
    return PROBLEM_OK;
}

/* A task is worth what the agreement still says. */
static enum problem still(struct rest_call *c, struct store_txn *txn, const char *receiver,
                          const json_t *api, const char *operation, bool *may)
{
    enum problem p = *may ? permitted(c, txn, receiver, api, operation) : PROBLEM_OK;

    *may = *may && p == PROBLEM_OK;
    return p == PROBLEM_AGREEMENT_MISSING ? PROBLEM_OK : p;
}

static json_t *ways_left(const json_t *agreed, const struct tasks *t)
{
    static const char *const all[] = {"call", "sdk", "export", "event"};
    json_t *out = json_array();

    for (size_t i = 0; i < COUNT(all); i++) {
        bool given = t->export_ || strcmp(all[i], "export") != 0;
        if (given && (!agreed || has(agreed, all[i]))) {
            json_array_append_new(out, json_string(all[i]));
        }
    }
    if (t->aggregate && (has(out, "call") || has(out, "sdk"))) {
        json_array_append_new(out, json_string("aggregate"));
    }
    return out;
}

enum problem analysis_bound(struct rest_call *c, struct store_txn *txn, const json_t *subscription,
                            const json_t *api, json_t **ways)
{
    struct tasks t = {.api_id = row_text(api, "id"), .aggregate = true, .export_ = true};
    json_t *app = NULL;
    enum problem p = api_load(c, txn, &apps_resource, row_text(subscription, "app_id"), &app);
    const char *receiver = row_text(app, "organisation_id");
    bool asked = json_is_true(json_object_get(api, "analysis_agreement")) &&
                 strcmp(receiver, row_text(api, "organisation_id")) != 0;

    if (p == PROBLEM_OK && asked) {
        t.aggregate = t.export_ = false;
        p = row_each(c, txn, &analysis_tasks_resource, "app_id", row_text(app, "id"), add_task, &t);
        p = p == PROBLEM_OK ? still(c, txn, receiver, api, "aggregate", &t.aggregate) : p;
        p = p == PROBLEM_OK ? still(c, txn, receiver, api, "export", &t.export_) : p;
    }
    if (p == PROBLEM_OK && (asked || *ways)) {
        json_t *left = ways_left(*ways, &t);
        json_decref(*ways);
        *ways = left;
    }
    json_decref(app);
    return p;
}
