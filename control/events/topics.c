/* SPDX-License-Identifier: Apache-2.0 */
/* What an API of kind topic carries: whose events, how long they are kept. */
#include "events/events.h"

#include <string.h>

#include "api/api.h"
#include "classify/classify.h"

#define PUBLISHERS_MAX 64
#define ATTRIBUTES_MAX 32
#define DAY_MS         (86400ll * 1000)
#define MIB            (1ll << 20)
#define SWEEP_S        600
#define TIMEOUT_MIN_MS 10000 /* of the gateway on a stream that sends a sign of life each 3 s */

/* Extension attributes have names of a-z and 0-9 (CloudEvents 1.0); those of the platform's own are
 * not passed on. */
static enum problem check_attributes(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *item;
    size_t i;
    enum problem p =
        json_array_size(v) ? api_check_words(c, where, v, NULL, ATTRIBUTES_MAX) : PROBLEM_OK;

    if (!json_is_array(v)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of names is needed");
    }
    json_array_foreach(v, i, item)
    {
        const char *s = json_string_value(item);
        size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789") : 0;
        bool ours = s && (strcmp(s, "sluiceowner") == 0 || strcmp(s, "sequence") == 0);
        if (p == PROBLEM_OK && (n == 0 || n > 64 || s[n] != '\0' || ours)) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "a name of a-z and 0-9 is needed; sluiceowner and sequence are taken");
        }
    }
    return p;
}

static enum problem check_publishers(struct rest_call *c, const char *where, const json_t *v)
{
    if (!json_is_array(v)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of ids of apps is needed");
    }
    return json_array_size(v) ? api_check_words(c, where, v, NULL, PUBLISHERS_MAX) : PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"publishers", ATTR_JSON, 0, .check = check_publishers, .fallback = "[]"},
    {"attributes", ATTR_JSON, 0, .check = check_attributes, .fallback = "[]"},
    {"poll_ms", ATTR_INT, 0, 500, 86400000},
    {"change_column", ATTR_TEXT, 0, 1, 128},
    {"sweep_s", ATTR_INT, 0, 1, 86400},
    {"retention_days", ATTR_INT, 0, 1, 3650, .fallback = "7"},
    {"retention_mb", ATTR_INT, 0, 64, 1 << 20, .fallback = "1024"},
};

static enum problem known_apps(struct rest_call *c, struct store_txn *txn, const json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        json_t *app = NULL;
        enum problem p = row_load(c, txn, &apps_resource, json_string_value(item), false, &app);
        bool there = app != NULL;
        json_decref(app);
        if (p != PROBLEM_OK || !there) {
            return p != PROBLEM_OK ? p
                                   : rest_fail(c, PROBLEM_FIELD_INVALID, "/publishers",
                                               "%.40s is no app", json_string_value(item));
        }
    }
    return PROBLEM_OK;
}

static enum problem none_yet(struct rest_call *c, struct change *ch)
{
    (void)ch;
    return rest_fail(c, PROBLEM_ALREADY_EXISTS, "/api_id", "the API has a topic already");
}

static enum problem others(struct rest_call *c, struct change *ch)
{
    return strcmp(row_text(ch->row, "state"), "removed") == 0 ? PROBLEM_OK : none_yet(c, ch);
}

/* What can only grow when a row is changed. A row is known again by its key. */
static enum problem check_change_column(struct rest_call *c, struct change *ch, const json_t *api)
{
    static const char *const types[] = {"integer", "number", "date", "datetime"};
    const char *name = row_text(ch->row, "change_column");
    json_t *dataset = NULL, *f;
    bool found = false, keyed = false;
    size_t i;

    if (!name[0] && !json_is_integer(json_object_get(ch->row, "sweep_s"))) {
        return PROBLEM_OK;
    }
    if (!name[0] || !row_text(api, "dataset_id")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, name[0] ? "/change_column" : "/sweep_s",
                         "only of a dataset's rows it can be said when they changed");
    }
    enum problem p =
        api_load(c, ch->txn, &datasets_resource, row_text(api, "dataset_id"), &dataset);
    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        bool fits = false;
        for (size_t k = 0; k < COUNT(types); k++) {
            fits = fits || strcmp(row_text(f, "type"), types[k]) == 0;
        }
        keyed = keyed || json_is_true(json_object_get(f, "key"));
        found = found || (fits && strcmp(row_text(f, "name"), name) == 0);
    }
    json_decref(dataset);
    if (p == PROBLEM_OK && (!found || !keyed)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/change_column",
                      "a field of a number or a time is needed, of a dataset with a key");
    }
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    bool dataset = row_text(api, "dataset_id")[0];

    if (p == PROBLEM_OK && strcmp(row_text(api, "kind"), "topic") != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id", "an API of kind topic is needed");
    }
    if (p == PROBLEM_OK && !ch->old) {
        p = row_each(c, ch->txn, &topics_resource, "api_id", row_text(api, "id"), others, NULL);
    }
    if (p == PROBLEM_OK && ch->old && strcmp(row_text(ch->old, "state"), "removed") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it is removed; make another");
    }
    if (p == PROBLEM_OK && dataset && json_array_size(json_object_get(ch->row, "publishers"))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/publishers",
                      "the events of a dataset come from its rows, not from apps");
    }
    if (p == PROBLEM_OK && !dataset && json_is_integer(json_object_get(ch->row, "poll_ms"))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/poll_ms", "only a dataset's rows are looked at");
    }
    if (p == PROBLEM_OK) {
        p = check_change_column(c, ch, api);
    }
    json_decref(api);
    return p == PROBLEM_OK ? known_apps(c, ch->txn, json_object_get(ch->row, "publishers")) : p;
}

/* Fields of level 3, with a tag, or of a category of people are meant for what is somebody's. */
static bool meant(const json_t *f)
{
    static const char *const categories[] = {"identity", "contact", "finance"};

    for (size_t i = 0; i < COUNT(categories); i++) {
        if (strcmp(row_text(f, "category"), categories[i]) == 0) {
            return true;
        }
    }
    return json_integer_value(json_object_get(f, "level")) >= 3 ||
           json_array_size(json_object_get(f, "tags")) > 0;
}

/* What the data service is told of personal information that apps publish (SW-9.7-3f). */
static enum problem guard(struct rest_call *c, struct store_txn *txn, const json_t *api,
                          json_t *data)
{
    char value[CLASSIFY_SETTING_MAX];
    json_t *paths, *f;
    size_t i;
    enum problem p = classify_setting(c, txn, "submitted-personal", value);

    if (p != PROBLEM_OK || strcmp(value, "off") == 0) {
        return p;
    }
    paths = json_array();
    json_array_foreach(json_object_get(api, "fields"), i, f)
    {
        if (meant(f)) {
            json_array_append(paths, json_object_get(f, "path"));
        }
    }
    json_object_set_new(data, "guarded", json_pack("{s:s, s:o}", "do", value, "meant", paths));
    return p;
}

static json_int_t times(const json_t *row, const char *name, json_int_t unit)
{
    return json_integer_value(json_object_get(row, name)) * unit;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    json_t *api = NULL;

    *data = NULL;
    if (strcmp(row_text(row, "state"), "removed") == 0) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, txn, &apis_resource, row_text(row, "api_id"), &api);
    if (p != PROBLEM_OK) {
        return p;
    }
    bool dataset = row_text(api, "dataset_id")[0];
    *data =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:O, s:O}", "api_id", row_text(row, "api_id"), "state",
                  row_text(row, "state"), "source", dataset ? "dataset" : "app", "retention_ms",
                  times(row, "retention_days", DAY_MS), "retention_bytes",
                  times(row, "retention_mb", MIB), "publishers", json_object_get(row, "publishers"),
                  "attributes", json_object_get(row, "attributes"));
    if (dataset) {
        json_object_set(*data, "dataset_id", json_object_get(api, "dataset_id"));
    }
    if (json_is_integer(json_object_get(row, "poll_ms"))) {
        json_object_set(*data, "poll_ms", json_object_get(row, "poll_ms"));
    }
    if (row_text(row, "change_column")[0]) {
        json_int_t every = json_integer_value(json_object_get(row, "sweep_s"));
        json_object_set(*data, "change_column", json_object_get(row, "change_column"));
        json_object_set_new(*data, "sweep_ms", json_integer((every ? every : SWEEP_S) * 1000));
    }
    p = !*data ? PROBLEM_INTERNAL : dataset ? PROBLEM_OK : guard(c, txn, api, *data);
    json_decref(api);
    return p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"active", "pause", "paused", KEEPER},
    {"paused", "resume", "active", KEEPER},
    {"active|paused", "remove", "removed", KEEPER},
};

#define OF_ORGANISATION "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
#define OF_OPEN_API     "t.api_id IN (SELECT id FROM apis WHERE state IN ('published', 'deprecated'))"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OF_ORGANISATION, OF_ORGANISATION},
    {ROLE_DEVELOPER, BIND_ORGANISATION, OF_OPEN_API, "1 = 0"},
};

const struct resource topics_resource = {
    .plural = "topics",
    .kind = "topic",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .check = check,
    .feed = feed,
    .feed_kind = "topic",
    .feed_id = "api_id",
};

static enum problem tell(struct rest_call *c, struct change *ch)
{
    return change_feed(c, ch->txn, ch->res, ch->row);
}

enum problem topics_tell(struct rest_call *c, struct store_txn *txn, const char *column,
                         const char *value)
{
    return row_each(c, txn, &topics_resource, column, value, tell, NULL);
}

/* A stream cannot be signed as a whole, nor confirmed or stepped up event by event, and a phone
 * holds no stream. */
enum problem topic_check_api(struct rest_call *c, struct change *ch)
{
    static const char *const barred[] = {"user_confirmation", "mobile", "collects_user_data",
                                         "sign_response", NULL};

    if (strcmp(row_text(ch->row, "kind"), "topic") != 0) {
        return PROBLEM_OK;
    }
    json_object_set_new(ch->row, "methods", json_pack("[s, s]", "GET", "POST"));
    /* Its POST asks for events; to publish is the publishers' that its topic names, from a
     * controlled environment (libs/policy). */
    json_object_set_new(ch->row, "query", json_true());
    if (strcmp(row_text(ch->row, "class"), "A1") != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/class", "a topic is of class A1");
    }
    for (size_t i = 0; barred[i]; i++) {
        char where[32] = "/";
        strncat(where, barred[i], sizeof where - 2);
        if (json_is_true(json_object_get(ch->row, barred[i]))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "a topic has none");
        }
    }
    if (json_integer_value(json_object_get(ch->row, "timeout_ms")) < TIMEOUT_MIN_MS) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/timeout_ms",
                         "a topic's streams need at least %d", TIMEOUT_MIN_MS);
    }
    return PROBLEM_OK;
}
