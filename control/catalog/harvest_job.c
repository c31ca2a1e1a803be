/* SPDX-License-Identifier: Apache-2.0 */
/* Harvesting, some tables a step: asked outside transactions, kept in one with their entries. What
 * is still to do is in the store, so a process that dies goes on where it was. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "catalog/catalog.h"
#include "catalog/harvest.h"
#include "catalog/standards.h"
#include "data_client.h"
#include "exchange/exchange.h"
#include "sandbox/stage.h"
#include "services/services.h"

#define TURN_MS      1500 /* of one harvest's turn */
#define HARVESTS_MAX "20" /* harvests of one turn */
#define TRIES        4
#define BATCH        16 /* tables of one call and one transaction */
#define RUNS_KEPT    10
#define CODES        "codes" /* no attribute: a member of the loaded row */

static bool is(const json_t *row, const char *state)
{
    return strcmp(row_text(row, "state"), state) == 0;
}

/* Codes that the harvest's standard has, by element: the harvest carries them for its turn. */
static enum problem load_codes(struct rest_call *c, struct store_txn *txn, json_t *harvest)
{
    const char *id = row_text(harvest, "standard_id");
    json_t *standard = NULL;
    enum problem p =
        id[0] ? api_load(c, txn, &metadata_standards_resource, id, &standard) : PROBLEM_OK;

    if (p == PROBLEM_OK && standard) {
        json_object_set_new(harvest, CODES, standard_codes(standard, NULL));
    }
    json_decref(standard);
    return p;
}

static enum problem load(struct rest_call *c, const char *id, json_t **harvest, json_t **source)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &harvests_resource, id, harvest);
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &sources_resource, row_text(*harvest, "source_id"), source);
    }
    if (p == PROBLEM_OK && is(*harvest, "running")) {
        p = load_codes(c, txn, *harvest);
    }
    store_rollback(&txn);
    return p;
}

static void set_time(json_t *row, const char *name, uint64_t ms)
{
    json_object_set_new(row, name, stage_time(ms));
}

static void ended(struct rest_call *c, json_t *harvest, const char *reason)
{
    json_int_t hours = json_integer_value(json_object_get(harvest, "schedule"));

    set_time(harvest, "finished_at", c->now_ms);
    json_object_set_new(harvest, "reason", reason ? json_string(reason) : json_null());
    set_time(harvest, "due_at", hours > 0 ? c->now_ms + (uint64_t)hours * 3600000 : 0);
}

/* The rest of a run whose source is gone. */
static enum problem fail_rest(struct rest_call *c, struct store_txn *txn, const json_t *harvest,
                              const char *reason)
{
    const struct store_value v[] = {store_text(reason), store_int((int64_t)c->now_ms),
                                    store_text(row_text(harvest, "id")),
                                    store_int(json_integer_value(json_object_get(harvest, "run")))};

    return rest_store_problem(
        c, store_exec(txn,
                      "UPDATE harvest_items SET state = 'failed', reason = ?, updated_at = ? WHERE "
                      "harvest_id = ? AND run = ? AND state = 'pending'",
                      v, 4, NULL));
}

static enum problem put_off(struct rest_call *c, struct store_txn *txn, const json_t *old,
                            const char *reason, bool at_once)
{
    json_int_t failures = json_integer_value(json_object_get(old, "failures")) + 1;
    bool over = at_once || failures >= TRIES;
    json_t *row = json_deep_copy(old);
    enum problem p = PROBLEM_OK;

    json_object_set_new(row, "failures", json_integer(failures));
    if (over) {
        ended(c, row, reason);
        p = fail_rest(c, txn, row, reason);
    } else {
        set_time(row, "due_at", c->now_ms + 300 * (uint64_t)failures);
    }
    if (p == PROBLEM_OK) {
        p = stage_change(c, txn, &harvests_resource, old, row, over ? "failed" : NULL,
                         over ? "fail" : "retry");
    }
    json_decref(row);
    return p;
}

/* Not reached: again in a while, a few times; then this run has failed. What was kept of it since
 * the harvest was loaded stays counted. */
static enum problem not_reached(struct rest_call *c, const json_t *harvest, const char *reason,
                                bool at_once)
{
    struct store_txn *txn = NULL;
    json_t *old = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &harvests_resource, row_text(harvest, "id"), &old);
    if (p == PROBLEM_OK && !is(old, "stopped")) {
        p = put_off(c, txn, old, reason, at_once);
    }
    json_decref(old);
    return rest_finish(c, &txn, p);
}

/* Beginning --------------------------------------------------------------------------------------
 */
static bool wanted(const json_t *harvest, const char *schema, const char *table)
{
    const char *filter = row_text(harvest, "filter");
    char whole[520];

    snprintf(whole, sizeof whole, "%s.%s", schema, table);
    return !filter[0] || fnmatch(filter, table, 0) == 0 || fnmatch(filter, whole, 0) == 0;
}

static json_t *item_new(const struct rest_call *c, const json_t *harvest, const char *schema,
                        const char *table)
{
    char id[UUID_TEXT_LEN + 1];
    struct uuid u;

    uuid_new(&u);
    uuid_format(&u, id);
    return json_pack("{s:s, s:s, s:i, s:o, s:o, s:O, s:O, s:O, s:s, s:s}", "id", id, "state",
                     "pending", "revision", 1, "created_at", stage_time(c->now_ms), "updated_at",
                     stage_time(c->now_ms), "harvest_id", json_object_get(harvest, "id"),
                     "organisation_id", json_object_get(harvest, "organisation_id"), "run",
                     json_object_get(harvest, "run"), "schema", schema, "table", table);
}

static enum problem add_items(struct rest_call *c, struct store_txn *txn, json_t *row,
                              const json_t *tables)
{
    const struct store_value v[] = {
        store_text(row_text(row, "id")),
        store_int(json_integer_value(json_object_get(row, "run")) - RUNS_KEPT)};
    json_t *t;
    size_t i;
    json_int_t total = 0;
    enum problem p = rest_store_problem(
        c,
        store_exec(txn, "DELETE FROM harvest_items WHERE harvest_id = ? AND run <= ?", v, 2, NULL));

    json_array_foreach(tables, i, t)
    {
        if (p != PROBLEM_OK || !wanted(row, row_text(t, "schema"), row_text(t, "name"))) {
            continue;
        }
        json_t *item = item_new(c, row, row_text(t, "schema"), row_text(t, "name"));
        json_object_set(item, "kind", json_object_get(t, "type"));
        p = row_insert(c, txn, &harvest_items_resource, item);
        json_decref(item);
        total++;
    }
    json_object_set_new(row, "total", json_integer(total));
    return p;
}

/* A folder is looked at first, by the data service and for as long as it takes: *ready tells. */
static enum problem look(struct rest_call *c, const json_t *harvest, const json_t *source,
                         bool *ready)
{
    char ticket[80];
    json_t *more, *answer = NULL;
    json_int_t run = json_integer_value(json_object_get(harvest, "run"));

    *ready = strcmp(row_text(source, "kind"), "files") != 0;
    if (*ready) {
        return PROBLEM_OK;
    }
    snprintf(ticket, sizeof ticket, "%s-%lld", row_text(harvest, "id"),
             (long long)run + (is(harvest, "waiting") ? 0 : 1));
    more = json_pack("{s:s}", "ticket", ticket);
    enum problem p = data_client_source(c, "refresh", source, more, &answer);
    *ready = strcmp(row_text(answer, "state"), "done") == 0;
    if (p == PROBLEM_OK && strcmp(row_text(answer, "state"), "failed") == 0) {
        p = PROBLEM_SOURCE_UNAVAILABLE;
    }
    json_decref(more);
    json_decref(answer);
    return p;
}

static enum problem begin(struct rest_call *c, const json_t *harvest, const json_t *source)
{
    json_t *answer = NULL, *row;
    struct store_txn *txn = NULL;
    bool ready = false;
    enum problem p = look(c, harvest, source, &ready);

    if (p == PROBLEM_OK && !ready) {
        return PROBLEM_OK; /* the next turn asks again */
    }
    p = p == PROBLEM_OK ? data_client_call(c, "tables", source, NULL, NULL, &answer) : p;
    if (p != PROBLEM_OK) {
        return not_reached(c, harvest, problem_row(p)->code, false);
    }
    row = json_deep_copy(harvest);
    if (!is(harvest, "waiting")) { /* by its schedule */
        json_int_t run = json_integer_value(json_object_get(harvest, "run"));
        json_object_set_new(row, "run", json_integer(run + 1));
    }
    json_object_set_new(row, "done", json_integer(0));
    json_object_set_new(row, "failures", json_integer(0));
    json_object_set_new(row, "reason", json_null());
    set_time(row, "started_at", c->now_ms);
    set_time(row, "finished_at", 0);
    set_time(row, "due_at", c->now_ms);
    p = rest_begin(c, STORE_WRITE, &txn);
    if (p == PROBLEM_OK) {
        p = add_items(c, txn, row, json_object_get(answer, "items"));
        if (p == PROBLEM_OK) {
            p = stage_change(c, txn, &harvests_resource, harvest, row, "running", "begin");
        }
        p = rest_finish(c, &txn, p);
    }
    json_decref(answer);
    json_decref(row);
    return p;
}

/* A table ----------------------------------------------------------------------------------------
 */
static enum problem next_ids(struct rest_call *c, struct store_txn *txn, const json_t *harvest,
                             json_t **ids)
{
    static const char sql[] = "SELECT id FROM harvest_items WHERE harvest_id = ? AND run = ? AND "
                              "state = 'pending' ORDER BY id LIMIT ?";
    const struct store_value v[] = {store_text(row_text(harvest, "id")),
                                    store_int(json_integer_value(json_object_get(harvest, "run"))),
                                    store_int(BATCH)};

    return services_rows(c, txn, sql, v, 3, "id:t", ids);
}

static enum problem next_items(struct rest_call *c, const json_t *harvest, json_t *items)
{
    struct store_txn *txn = NULL;
    json_t *ids = NULL, *id;
    size_t i;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = next_ids(c, txn, harvest, &ids);
    json_array_foreach(ids, i, id)
    {
        json_t *item = NULL;
        p = p == PROBLEM_OK
                ? row_load(c, txn, &harvest_items_resource, row_text(id, "id"), false, &item)
                : p;
        if (item) {
            json_array_append_new(items, item);
        }
    }
    store_rollback(&txn);
    json_decref(ids);
    return p;
}

static enum problem keep_one(struct rest_call *c, struct store_txn *txn, const json_t *harvest,
                             json_t *item, const json_t *answer)
{
    enum problem p = PROBLEM_OK;

    if (row_text(answer, "problem")[0]) {
        json_object_set_new(item, "state", json_string("failed"));
        json_object_set(item, "reason", json_object_get(answer, "problem"));
    } else {
        p = harvest_take(c, txn, harvest, item, answer);
    }
    set_time(item, "updated_at", c->now_ms);
    return p == PROBLEM_OK ? row_update(c, txn, &harvest_items_resource, item) : p;
}

/* What was answered, of the first of the items. The run may have been stopped meanwhile: then
 * nothing is kept. */
static enum problem keep(struct rest_call *c, const json_t *harvest, const json_t *items,
                         const json_t *answers)
{
    struct store_txn *txn = NULL;
    const struct store_value v[] = {store_int((int64_t)json_array_size(answers)),
                                    store_int((int64_t)c->now_ms),
                                    store_text(row_text(harvest, "id")),
                                    store_int(json_integer_value(json_object_get(harvest, "run")))};
    int64_t changed = 0;
    json_t *answer;
    size_t i;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = rest_store_problem(c,
                           store_exec(txn,
                                      "UPDATE harvests SET done = done + ?, updated_at = ? WHERE "
                                      "id = ? AND run = ? AND state = 'running'",
                                      v, 4, &changed));
    json_array_foreach(answers, i, answer)
    {
        p = p == PROBLEM_OK && changed ? keep_one(c, txn, harvest, json_array_get(items, i), answer)
                                       : p;
    }
    return rest_finish(c, &txn, p);
}

static enum problem ask(struct rest_call *c, const json_t *harvest, const json_t *source,
                        const json_t *items, json_t **answers)
{
    json_t *body = exchange_source(c, source), *tables = json_array(), *answer = NULL, *item;
    size_t i;
    enum problem p = body ? PROBLEM_OK : PROBLEM_INTERNAL;

    json_array_foreach(items, i, item)
    {
        json_array_append_new(tables,
                              json_pack("{s:O, s:O}", "schema", json_object_get(item, "schema"),
                                        "table", json_object_get(item, "table")));
    }
    if (p == PROBLEM_OK) {
        json_object_set(body, "tables", tables);
        json_object_set(body, "codes", json_object_get(harvest, CODES));
        p = data_client_post(c, "/internal/v1/sources/profiles", body, &answer);
    }
    *answers = p == PROBLEM_OK ? json_incref(json_object_get(answer, "items"))
                               : json_pack("[{s:s}]", "problem", problem_row(p)->code);
    json_decref(tables);
    json_decref(body);
    json_decref(answer);
    return *answers ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* A file tells of itself; one that is a table is asked as a table besides. A new object. */
static json_t *ask_file(struct rest_call *c, const json_t *harvest, const json_t *source,
                        json_t *item)
{
    json_t *more = json_pack("{s:s}", "table", row_text(item, "table")), *file = NULL;
    json_t *one = json_pack("[O]", item), *answers = NULL, *answer = NULL;
    enum problem p = data_client_source(c, "item", source, more, &file);
    bool table = p == PROBLEM_NOT_FOUND ||
                 (strcmp(row_text(file, "kind"), "table") == 0 && !row_text(file, "reason")[0]);

    if (table) { /* not found: the table of the documents, which is none's */
        p = ask(c, harvest, source, one, &answers);
        answer = json_incref(json_array_get(answers, 0));
    } else if (p == PROBLEM_OK) {
        answer = json_pack("{s:[], s:O, s:O}", "columns", "comment", json_object_get(file, "title"),
                           "bytes", json_object_get(file, "bytes"));
    }
    if (file && answer) {
        json_object_set(answer, "file", file);
    }
    json_decref(more);
    json_decref(one);
    json_decref(answers);
    json_decref(file);
    return answer ? answer
                  : json_pack("{s:s}", "problem",
                              problem_row(p == PROBLEM_OK ? PROBLEM_INTERNAL : p)->code);
}

static enum problem ask_files(struct rest_call *c, const json_t *harvest, const json_t *source,
                              const json_t *items, json_t **answers)
{
    uint64_t until_us = clock_mono_us() + TURN_MS * 1000;
    json_t *item;
    size_t i;

    *answers = json_array();
    json_array_foreach(items, i, item)
    {
        json_t *answer = ask_file(c, harvest, source, item);
        json_array_append_new(*answers, answer);
        if (strcmp(row_text(answer, "problem"), "source-unavailable") == 0 ||
            clock_mono_us() > until_us) {
            break;
        }
    }
    return *answers ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* Is it the source that is away, and not one table that it cannot read? */
static bool source_away(struct rest_call *c, const json_t *source, const json_t *answers)
{
    size_t n = json_array_size(answers);
    const char *problem = row_text(json_array_get(answers, n - 1), "problem");
    json_t *ok = NULL;
    bool away = n > 0 && strcmp(problem, "source-unavailable") == 0 &&
                data_client_call(c, "check", source, NULL, NULL, &ok) != PROBLEM_OK;

    json_decref(ok);
    return away;
}

/* Some tables on one connection and in one transaction. */
static enum problem batch(struct rest_call *c, const json_t *harvest, const json_t *source,
                          const json_t *items, bool *go_on)
{
    json_t *answers = NULL;
    bool files = strcmp(row_text(source, "kind"), "files") == 0;
    enum problem p = files ? ask_files(c, harvest, source, items, &answers)
                           : ask(c, harvest, source, items, &answers);

    if (p == PROBLEM_OK && source_away(c, source, answers)) {
        *go_on = false;
        json_array_remove(answers, json_array_size(answers) - 1);
    }
    if (p == PROBLEM_OK && json_array_size(answers) > 0) {
        p = keep(c, harvest, items, answers);
    }
    if (p == PROBLEM_OK && !*go_on) {
        p = not_reached(c, harvest, "source-unavailable", false);
    }
    json_decref(answers);
    return p;
}

/* The end ----------------------------------------------------------------------------------------
 */
static enum problem gone_one(struct rest_call *c, struct store_txn *txn, const json_t *harvest,
                             const char *id)
{
    json_t *entry = NULL, *old, *item;
    enum problem p = api_load(c, txn, &entries_resource, id, &entry);

    if (p != PROBLEM_OK || !wanted(harvest, row_text(entry, "schema"), row_text(entry, "table"))) {
        json_decref(entry);
        return p;
    }
    item = item_new(c, harvest, row_text(entry, "schema"), row_text(entry, "table"));
    json_object_set_new(item, "state", json_string("gone"));
    json_object_set_new(item, "entry_id", json_string(id));
    p = row_insert(c, txn, &harvest_items_resource, item);
    if (p == PROBLEM_OK && !json_is_true(json_object_get(harvest, "dry_run"))) {
        old = json_deep_copy(entry);
        set_time(entry, "gone_at", c->now_ms);
        p = change_store(c, txn, &entries_resource, old, entry, "gone");
        json_decref(old);
    }
    json_decref(item);
    json_decref(entry);
    return p;
}

static enum problem gone(struct rest_call *c, struct store_txn *txn, const json_t *harvest)
{
    static const char sql[] =
        "SELECT e.id FROM entries e WHERE e.source_id = ? AND e.harvested_at IS NOT NULL AND "
        "e.gone_at IS NULL AND e.state <> 'withdrawn' AND NOT EXISTS (SELECT 1 FROM harvest_items "
        "i "
        "WHERE i.harvest_id = ? AND i.run = ? AND i.\"table\" = e.\"table\" AND i.schema = "
        "ifnull(e.schema, ''))";
    const struct store_value v[] = {store_text(row_text(harvest, "source_id")),
                                    store_text(row_text(harvest, "id")),
                                    store_int(json_integer_value(json_object_get(harvest, "run")))};
    struct store_rows *rows = NULL;
    json_t *ids = json_array(), *id;
    size_t i;
    enum problem p = rest_store_problem(c, store_query(txn, sql, v, 3, &rows));

    while (p == PROBLEM_OK && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    p = p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
    json_array_foreach(ids, i, id)
    {
        p = p == PROBLEM_OK ? gone_one(c, txn, harvest, json_string_value(id)) : p;
    }
    json_decref(ids);
    return p;
}

static enum problem finish(struct rest_call *c, const char *id)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *old = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &harvests_resource, id, &row);
    if (p == PROBLEM_OK && is(row, "running")) {
        p = gone(c, txn, row);
        old = json_deep_copy(row);
        ended(c, row, NULL);
        p = p == PROBLEM_OK ? stage_change(c, txn, &harvests_resource, old, row, "done", "finish")
                            : p;
    }
    json_decref(old);
    json_decref(row);
    return rest_finish(c, &txn, p);
}

static enum problem go_on(struct rest_call *c, const json_t *harvest, const json_t *source)
{
    uint64_t until_us = clock_mono_us() + TURN_MS * 1000;
    enum problem p = PROBLEM_OK;
    bool on = true;

    while (p == PROBLEM_OK && on && clock_mono_us() < until_us) {
        json_t *items = json_array();
        p = next_items(c, harvest, items);
        if (p == PROBLEM_OK && json_array_size(items) == 0) {
            json_decref(items);
            return finish(c, row_text(harvest, "id"));
        }
        p = p == PROBLEM_OK ? batch(c, harvest, source, items, &on) : p;
        json_decref(items);
    }
    return p;
}

static enum problem turn(struct rest_call *c, const char *id)
{
    json_t *harvest = NULL, *source = NULL;
    enum problem p = load(c, id, &harvest, &source);

    if (p == PROBLEM_OK && !is(source, "ready")) {
        p = not_reached(c, harvest, "source-unavailable", true);
    } else if (p == PROBLEM_OK) {
        p = is(harvest, "running") ? go_on(c, harvest, source) : begin(c, harvest, source);
    }
    json_decref(harvest);
    json_decref(source);
    return p;
}

static enum problem take_turn(struct rest_call *c, const char *id, void *arg)
{
    (void)arg;
    return turn(c, id);
}

enum problem harvest_job(struct rest_call *c)
{
    return stage_each_id(c,
                         "SELECT id FROM harvests WHERE state IN ('waiting', 'running', 'done', "
                         "'failed') AND due_at <= ? ORDER BY due_at LIMIT " HARVESTS_MAX,
                         0, take_turn, NULL);
}
