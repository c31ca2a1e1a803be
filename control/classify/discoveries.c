/* SPDX-License-Identifier: Apache-2.0 */
/* A look through a dataset's table, step by step: each step is one bounded question to the data
 * service and one transaction that adds its counts, so a process killed between two goes on where
 * it was. Values stay in the data service. */
#include <stdio.h>

#include "api/api.h"
#include "classify/classify.h"
#include "data_client.h"
#include "sandbox/stage.h"

#define STEP_ROWS    2000
#define ATTEMPTS_MAX 3
#define RETRY_MS     10000 /* after a source did not answer */

static const char *const modes[] = {"sample", "whole", NULL};
static const struct attr attrs[] = {
    {"dataset_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "datasets"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"mode", ATTR_TEXT, AF_IMMUTABLE, 1, 10, .values = modes, .fallback = "\"sample\""},
    {"sample_rows", ATTR_INT, AF_IMMUTABLE, 1, 1000000, .fallback = "1000"},
    {"rows", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"attempts", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"counts", ATTR_JSON, AF_HIDDEN, .fallback = "{}"},
    {"reason", ATTR_TEXT, AF_READ_ONLY},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY},
    {"finished_at", ATTR_TIME, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *dataset = NULL;
    enum problem p =
        api_load(c, ch->txn, &datasets_resource, row_text(ch->row, "dataset_id"), &dataset);

    if (p == PROBLEM_OK && c->user.role == ROLE_PROVIDER &&
        strcmp(row_text(dataset, "organisation_id"), c->user.organisation) != 0) {
        p = PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "organisation_id", json_object_get(dataset, "organisation_id"));
        json_object_set_new(ch->row, "requested_by", json_string(c->user.login));
    }
    json_decref(dataset);
    return p;
}

static enum problem apply(struct rest_call *c, struct change *ch)
{
    return findings_apply(c, ch->txn, ch->row);
}

static enum problem accept_all(struct rest_call *c, struct change *ch)
{
    return findings_accept_all(c, ch->txn, ch->row);
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"waiting", "cancel", "cancelled", KEEPER},
    {"proposed|applied", "accept-all", NULL, KEEPER, .hook = accept_all},
    {"proposed|applied", "apply", "applied", KEEPER, .hook = apply},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

const struct resource discoveries_resource = {
    .plural = "discoveries",
    .kind = "discovery",
    .initial = "waiting",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .check = check,
};

enum problem classify_insert(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                             json_t *row, const char *state)
{
    struct uuid id;
    char text[UUID_TEXT_LEN + 1];

    uuid_new(&id);
    uuid_format(&id, text);
    json_object_set_new(row, "id", json_string(text));
    json_object_set_new(row, "state", json_string(state));
    return change_store(c, txn, res, NULL, row, "create");
}

/* SW-9.8-col2: what is new is looked at before anyone uses it. */
enum problem classify_dataset_made(struct rest_call *c, struct store_txn *txn,
                                   const json_t *dataset)
{
    bool on = false;
    enum problem p = classify_setting_on(c, txn, "discover-new-datasets", &on);

    if (p != PROBLEM_OK || !on) {
        return p;
    }
    json_t *row = json_pack(
        "{s:O, s:O, s:s, s:i, s:i, s:i, s:{}, s:s}", "dataset_id", json_object_get(dataset, "id"),
        "organisation_id", json_object_get(dataset, "organisation_id"), "mode", "sample",
        "sample_rows", 1000, "rows", 0, "attempts", 0, "counts", "requested_by", "platform");
    p = classify_insert(c, txn, &discoveries_resource, row, "waiting");
    json_decref(row);
    return p;
}

/* A step --------------------------------------------------------------------------------------
 */

struct step {
    json_t *row, *dataset, *source, *rules, *patterns;
    json_int_t rows, want;
};

static void step_fini(struct step *s)
{
    json_decref(s->row);
    json_decref(s->dataset);
    json_decref(s->source);
    json_decref(s->rules);
    json_decref(s->patterns);
}

static enum problem load(struct rest_call *c, const char *id, struct step *s)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &discoveries_resource, id, &s->row);
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &datasets_resource, row_text(s->row, "dataset_id"), &s->dataset);
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &sources_resource, row_text(s->dataset, "source_id"), &s->source);
    }
    if (p == PROBLEM_OK) {
        p = classify_load_rules(c, txn, &s->rules, &s->patterns);
    }
    store_rollback(&txn);
    return p;
}

static json_t *question(const struct step *s)
{
    json_t *columns = json_array(), *order = json_array(), *patterns = json_array(), *item;
    size_t i;

    json_array_foreach(json_object_get(s->dataset, "fields"), i, item)
    {
        json_t *key = json_object_get(item, "key");
        json_array_append(columns, json_object_get(item, "column"));
        if (json_is_true(key) || json_integer_value(key) > 0) {
            json_array_append(order, json_object_get(item, "column"));
        }
    }
    json_array_foreach(s->patterns, i, item)
    {
        json_array_append(patterns, json_object_get(item, "pattern"));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:I}", "schema",
                     row_text(s->dataset, "schema"), "table", row_text(s->dataset, "table"),
                     "columns", columns, "order", order, "patterns", patterns, "offset", s->rows,
                     "rows", s->want);
}

static void add_votes(json_t *sum, const json_t *votes)
{
    const char *rule;
    json_t *v;

    json_object_foreach((json_t *)votes, rule, v)
    {
        json_t *old = json_object_get(sum, rule);
        json_object_set_new(sum, rule,
                            json_pack("[I,I,I]",
                                      json_integer_value(json_array_get(old, 0)) +
                                          json_integer_value(json_array_get(v, 0)),
                                      json_integer_value(json_array_get(old, 1)) +
                                          json_integer_value(json_array_get(v, 1)),
                                      json_integer_value(json_array_get(old, 2)) +
                                          json_integer_value(json_array_get(v, 2))));
    }
}

static void add_counts(json_t *counts, const json_t *columns)
{
    json_t *col;
    size_t i;

    json_array_foreach(columns, i, col)
    {
        const char *name = row_text(col, "name");
        json_t *sum = json_object_get(counts, name);
        if (!sum) {
            json_object_set_new(counts, name, json_pack("{s:i, s:{}}", "values", 0, "votes"));
            sum = json_object_get(counts, name);
        }
        json_object_set_new(sum, "values",
                            json_integer(json_integer_value(json_object_get(sum, "values")) +
                                         json_integer_value(json_object_get(col, "values"))));
        add_votes(json_object_get(sum, "votes"), json_object_get(col, "votes"));
    }
}

/* Not an operation for the log: the count moves, nothing else does. */
static enum problem move_on(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_object_set_new(row, "revision",
                        json_integer(json_integer_value(json_object_get(row, "revision")) + 1));
    json_object_set_new(row, "updated_at", stage_time(c->now_ms));
    return row_update(c, txn, &discoveries_resource, row);
}

static enum problem finish(struct rest_call *c, struct store_txn *txn, json_t *row,
                           const json_t *dataset)
{
    json_t *old = json_deep_copy(row);
    enum problem p = findings_make(c, txn, row, dataset);

    json_object_set_new(row, "finished_at", stage_time(c->now_ms));
    if (p == PROBLEM_OK) {
        p = stage_change(c, txn, &discoveries_resource, old, row, "proposed", "finish");
    }
    json_decref(old);
    return p;
}

static enum problem record(struct rest_call *c, struct step *s, const json_t *answer,
                           enum problem scanned)
{
    struct store_txn *txn = NULL;
    json_t *now = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &discoveries_resource, row_text(s->row, "id"), &now);
    if (p == PROBLEM_OK && api_changed(s->row, now, "revision")) {
        json_decref(now);
        return rest_finish(c, &txn, PROBLEM_OK); /* somebody else moved it on */
    }
    if (p == PROBLEM_OK && scanned != PROBLEM_OK) {
        json_int_t attempts = json_integer_value(json_object_get(now, "attempts")) + 1;
        json_t *old = json_deep_copy(now);
        json_object_set_new(now, "attempts", json_integer(attempts));
        json_object_set_new(now, "reason", json_string(problem_row(scanned)->code));
        p = attempts >= ATTEMPTS_MAX
                ? stage_change(c, txn, &discoveries_resource, old, now, "failed", "fail")
                : move_on(c, txn, now);
        json_decref(old);
    } else if (p == PROBLEM_OK) {
        json_int_t rows = json_integer_value(json_object_get(answer, "rows"));
        bool whole = strcmp(row_text(now, "mode"), "whole") == 0;
        json_int_t all = s->rows + rows,
                   sample = json_integer_value(json_object_get(now, "sample_rows"));
        add_counts(json_object_get(now, "counts"), json_object_get(answer, "columns"));
        json_object_set_new(now, "rows", json_integer(all));
        json_object_set_new(now, "state", json_string("running"));
        bool done = rows < s->want || (!whole && all >= sample);
        p = done ? finish(c, txn, now, s->dataset) : move_on(c, txn, now);
    }
    json_decref(now);
    return rest_finish(c, &txn, p);
}

static enum problem step(struct rest_call *c, const char *id, enum problem *scanned)
{
    struct step s = {0};
    json_t *answer = NULL;
    enum problem p = load(c, id, &s);

    if (p == PROBLEM_OK) {
        bool whole = strcmp(row_text(s.row, "mode"), "whole") == 0;
        s.rows = json_integer_value(json_object_get(s.row, "rows"));
        json_int_t left = json_integer_value(json_object_get(s.row, "sample_rows")) - s.rows;
        s.want = whole || left > STEP_ROWS ? STEP_ROWS : left < 1 ? 1 : left;
        json_t *more = question(&s);
        *scanned = data_client_source(c, "scan", s.source, more, &answer);
        json_decref(more);
        p = record(c, &s, answer, *scanned);
    }
    json_decref(answer);
    step_fini(&s);
    return p;
}

static enum problem next_ids(struct rest_call *c, json_t *ids)
{
    static const char sql[] =
        "SELECT id FROM discoveries WHERE state IN ('running', 'waiting') AND "
        "(attempts = 0 OR updated_at <= ?) ORDER BY updated_at LIMIT 8";
    const struct store_value before = store_int((int64_t)(c->now_ms - RETRY_MS));
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, &before, 1, &rows);
    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    store_rollback(&txn);
    return rest_store_problem(c, err);
}

enum problem classify_job(struct rest_call *c)
{
    json_t *ids = json_array(), *id;
    size_t i;
    enum problem first = next_ids(c, ids);

    json_array_foreach(ids, i, id)
    {
        /* A source that hangs must not hold up the other jobs once for each table it has. */
        enum problem scanned = PROBLEM_OK, p = step(c, json_string_value(id), &scanned);
        first = first == PROBLEM_OK ? p : first;
        if (scanned != PROBLEM_OK) {
            break;
        }
    }
    json_decref(ids);
    return first;
}
