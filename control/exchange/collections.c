/* SPDX-License-Identifier: Apache-2.0 */
/* What is collected: from where, by which tool, how it is read, cleaned and held against which
 * standard, and where it is stored. */
#include <stdio.h>

#include "api/api.h"
#include "exchange/exchange.h"
#include "lifecycle/lifecycle.h"

#define KEEPER           (ROLE_STAFF | ROLE_PROVIDER)
#define DELIVERY_KIB_MAX 768   /* with its definition it fits what the data service takes at once */
#define WORK_MAX         60000 /* bytes: what the data service takes at once */

static const char *const modes[] = {"append", "upsert", "replace", NULL};
static const char *const merges[] = {"first", "last", NULL};
static const char *const types[] = {"string",   "integer", "number", "boolean", "date",
                                    "datetime", "binary",  "json",   NULL};
static const char *const rule_names[] = {"required", "default", "trim", "upper",
                                         "date",     "code",    "unit", NULL};

static bool among(const char *const *list, const char *word)
{
    for (size_t i = 0; list[i]; i++) {
        if (strcmp(list[i], word) == 0) {
            return true;
        }
    }
    return false;
}

enum problem collection_check_columns(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *column;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > 500) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "1 to 500 columns are needed");
    }
    json_array_foreach(v, i, column)
    {
        static const char *const members[] = {"name", "type", "key", NULL};
        if (!json_is_object(column) || !api_only_members(column, members) ||
            !row_text(column, "name")[0] || !among(types, row_text(column, "type"))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "each has a name and a type");
        }
    }
    return PROBLEM_OK;
}

static enum problem check_rules(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *rule;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) > 200) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of rules is needed");
    }
    json_array_foreach(v, i, rule)
    {
        static const char *const members[] = {"field", "rule",  "from",   "to",
                                              "map",   "value", "strict", NULL};
        if (!json_is_object(rule) || !api_only_members(rule, members) ||
            !row_text(rule, "field")[0] || !among(rule_names, row_text(rule, "rule"))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                             "each has a field and a rule: required, default, trim, upper, date, "
                             "code or unit");
        }
    }
    return PROBLEM_OK;
}

static enum problem check_object(struct rest_call *c, const char *where, const json_t *v)
{
    return json_is_object(v)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "a JSON object is needed");
}

static enum problem check_inputs(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const of_node[] = {
        "node_id",    "table",   "method", "path",       "headers", "body", "content_type",
        "timeout_ms", "records", "digest", "encryption", "reply",   "seal", NULL};
    static const char *const of_source[] = {"source_id", "schema", "table",
                                            "columns",   "where",  NULL};
    json_t *input;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) > 16) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "at most 16 inputs, as an array");
    }
    json_array_foreach(v, i, input)
    {
        bool node = row_text(input, "node_id")[0], source = row_text(input, "source_id")[0];
        if (!json_is_object(input) || node == source ||
            !api_only_members(input, node ? of_node : of_source) ||
            (source && (!row_text(input, "table")[0] ||
                        !json_array_size(json_object_get(input, "columns"))))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                             "each reads a node_id, or of a source_id a table and columns");
        }
        json_t *ms = json_object_get(input, "timeout_ms");
        if (ms && !api_int_within(ms, 100, 60000)) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "timeout_ms is 100 to 60000");
        }
    }
    return PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"tool_id", ATTR_REF, AF_REQUIRED | AF_FILTER, .ref = "collection_tools"},
    {"target_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "sources"},
    {"target_table", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE, 1, 128},
    {"inputs", ATTR_JSON, AF_REQUIRED, .check = check_inputs},
    {"mapping", ATTR_JSON, 0, .check = check_object},
    {"columns", ATTR_JSON, AF_REQUIRED, .check = collection_check_columns},
    {"standard", ATTR_JSON, 0, .check = check_object},
    {"rules", ATTR_JSON, 0, .check = check_rules},
    {"merge", ATTR_TEXT, 0, 1, 10, .values = merges},
    {"mode", ATTR_TEXT, 0, 1, 10, .values = modes, .fallback = "\"append\""},
    {"schedule", ATTR_JSON, 0, .check = schedule_check},
    {"delivery_kib", ATTR_INT, 0, 1, DELIVERY_KIB_MAX, .fallback = "256"},
    {"next_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"last_success_at", ATTR_TIME, AF_READ_ONLY},
};

static bool has_key(const json_t *columns)
{
    json_t *column;
    size_t i;

    json_array_foreach(columns, i, column)
    {
        if (json_is_true(json_object_get(column, "key"))) {
            return true;
        }
    }
    return false;
}

/* A collection stays in one organisation: its tool and its store are that one's. */
static enum problem check_own(struct rest_call *c, struct change *ch, const char *plural,
                              const char *member)
{
    json_t *row = NULL;
    char where[40];
    enum problem p =
        api_load(c, ch->txn, resource_by_plural(plural), row_text(ch->row, member), &row);

    snprintf(where, sizeof where, "/%s", member);
    if (p == PROBLEM_OK &&
        strcmp(row_text(row, "organisation_id"), row_text(ch->row, "organisation_id")) != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "it is another organisation's");
    }
    if (p == PROBLEM_OK && strcmp(member, "target_id") == 0 &&
        (strcmp(row_text(row, "kind"), "managed") != 0 ||
         strcmp(row_text(row, "state"), "ready") != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "a managed source that is ready is needed");
    }
    json_decref(row);
    return p;
}

static enum problem check_size(struct rest_call *c, const json_t *row)
{
    size_t n =
        json_dumpb(json_object_get(row, "inputs"), NULL, 0, JSON_COMPACT) +
        json_dumpb(json_object_get(row, "columns"), NULL, 0, JSON_COMPACT) +
        json_dumpb(json_object_get(row, "standard"), NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) +
        json_dumpb(json_object_get(row, "rules"), NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) +
        json_dumpb(json_object_get(row, "mapping"), NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);

    return n <= WORK_MAX - 16384
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "", "the definition is over 43,616 bytes");
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *columns = json_object_get(ch->row, "columns");
    enum problem p = check_own(c, ch, "collection_tools", "tool_id");

    if (p == PROBLEM_OK) {
        p = check_own(c, ch, "sources", "target_id");
    }
    if (p == PROBLEM_OK && !has_key(columns) &&
        (row_text(ch->row, "merge")[0] || strcmp(row_text(ch->row, "mode"), "upsert") == 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/columns", "a column is the key, to merge by it");
    }
    if (p == PROBLEM_OK) {
        p = check_size(c, ch->row);
    }
    if (p == PROBLEM_OK && (!ch->old || api_changed(ch->old, ch->row, "schedule"))) {
        json_t *schedule = json_object_get(ch->row, "schedule");
        json_object_set_new(
            ch->row, "next_at",
            exchange_time(json_is_object(schedule) ? schedule_next(schedule, c->now_ms) : 0));
    }
    return p;
}

static enum problem resume(struct rest_call *c, struct change *ch)
{
    json_t *schedule = json_object_get(ch->row, "schedule");

    if (json_is_object(schedule)) {
        json_object_set_new(ch->row, "next_at", exchange_time(schedule_next(schedule, c->now_ms)));
    }
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"active", "disable", "disabled", KEEPER},
    {"disabled", "enable", "active", KEEPER, .hook = resume},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, EXCHANGE_OWN, EXCHANGE_OWN},
};

const struct resource collections_resource = {
    .plural = "collections",
    .kind = "collection",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .check = check,
    .depth = 32,
};

/* Beginning -------------------------------------------------------------------------------------
 */
enum problem collection_queue(struct rest_call *c, struct store_txn *txn, const json_t *collection,
                              const char *cause, const char *reason, json_t *payload, json_t **row)
{
    char why[200] = "";
    json_t *tool = NULL;
    enum problem p =
        api_load(c, txn, &collection_tools_resource, row_text(collection, "tool_id"), &tool);

    if (p == PROBLEM_OK) {
        p = tool_covers(c, txn, tool, collection, why);
    }
    json_decref(tool);
    if (p == PROBLEM_OK && !why[0]) {
        p = life_may_come_to(c, txn, row_text(collection, "target_id"),
                             row_text(collection, "target_table"), "collection");
        if (p == PROBLEM_NOT_PERMITTED) { /* refused, and alerted, as what a tool may not */
            snprintf(why, sizeof why, "%.199s", c->detail);
            p = PROBLEM_OK;
        }
    }
    if (p != PROBLEM_OK || !why[0]) {
        return p == PROBLEM_OK ? run_make(c, txn, collection, "queued", cause, reason, payload, row)
                               : p;
    }
    p = run_make(c, txn, collection, "refused", cause, reason, NULL, row);
    if (p == PROBLEM_OK) {
        rest_fail(c, PROBLEM_NOT_PERMITTED, "", "%s", why);
        p = exchange_alert(c, txn, "collection-out-of-scope", collection, why);
    }
    return p;
}

static enum problem load_own(struct rest_call *c, struct store_txn *txn, json_t **row)
{
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &collections_resource, c->segment[1], true, row);
    if (p == PROBLEM_OK && !*row) {
        return PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, &collections_resource, c->segment[1])) {
        return PROBLEM_NOT_PERMITTED;
    }
    return p == PROBLEM_OK && strcmp(row_text(*row, "state"), "active") != 0
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the collection is disabled")
               : p;
}

/* What was refused is in the store, with its alert: the caller is told after the commit. */
static enum problem answer_run(struct rest_call *c, enum problem p, const json_t *run,
                               unsigned status)
{
    if (p == PROBLEM_OK && strcmp(row_text(run, "state"), "refused") == 0) {
        return PROBLEM_NOT_PERMITTED;
    }
    return p == PROBLEM_OK ? resource_answer(c, &collection_runs_resource, run, status) : p;
}

enum problem collection_start(struct rest_call *c)
{
    static const char *const members[] = {"reason", NULL};
    struct store_txn *txn = NULL;
    json_t *row = NULL, *run = NULL;
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        p = attr_text_check(c, "/reason", json_object_get(c->body, "reason"), 1, 1000, true);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = load_own(c, txn, &row);
        if (p == PROBLEM_OK && json_array_size(json_object_get(row, "inputs")) == 0) {
            p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it takes deliveries alone");
        }
        if (p == PROBLEM_OK) {
            p = collection_queue(c, txn, row, "manual", row_text(c->body, "reason"), NULL, &run);
        }
        p = rest_finish(c, &txn, p);
    }
    p = answer_run(c, p, run, 201);
    json_decref(row);
    json_decref(run);
    return p;
}

/* By the clock ----------------------------------------------------------------------------------
 */
static enum problem run_due(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *schedule = json_object_get(row, "schedule"), *run = NULL, *old = json_deep_copy(row);
    uint64_t due = api_ms(row, "next_at");
    bool missed = c->now_ms > due + schedule_grace_ms(schedule);
    enum problem p = PROBLEM_OK;

    json_object_set_new(row, "next_at", exchange_time(schedule_next(schedule, c->now_ms)));
    if (missed) {
        p = run_make(c, txn, row, "missed", "schedule", NULL, NULL, &run);
        if (p == PROBLEM_OK) {
            p = exchange_alert(c, txn, "collection-missed", row, row_text(old, "next_at"));
        }
        json_decref(run);
        run = NULL;
    } else {
        p = collection_queue(c, txn, row, "schedule", NULL, NULL, &run);
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &collections_resource, old, row, "schedule");
    }
    json_decref(run);
    json_decref(old);
    return p;
}

static enum problem due_ids(struct rest_call *c, json_t *ids)
{
    const struct store_value v = store_int((int64_t)c->now_ms);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn,
                                     "SELECT id FROM collections WHERE state = 'active' AND "
                                     "next_at <= ? ORDER BY next_at LIMIT 100",
                                     &v, 1, &rows);
    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    store_rollback(&txn);
    return rest_store_problem(c, err);
}

enum problem collections_schedule_job(struct rest_call *c)
{
    json_t *ids = json_array(), *id;
    size_t i;
    enum problem first = due_ids(c, ids);

    json_array_foreach(ids, i, id)
    {
        struct store_txn *txn = NULL;
        json_t *row = NULL;
        enum problem p = rest_begin(c, STORE_WRITE, &txn);
        if (p == PROBLEM_OK) {
            p = row_load(c, txn, &collections_resource, json_string_value(id), false, &row);
            p = rest_finish(c, &txn, p == PROBLEM_OK && row ? run_due(c, txn, row) : p);
        }
        json_decref(row);
        first = first == PROBLEM_OK ? p : first;
    }
    json_decref(ids);
    return first;
}
