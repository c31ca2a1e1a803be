/* SPDX-License-Identifier: Apache-2.0 */
/* Each time a collection ran: who began it and why, what came of it, counted; and a record of each
 * message that was exchanged (CI-3.1). The platform makes the rows. */
#include <stdlib.h>

#include "api/api.h"
#include "data_client.h"
#include "exchange/exchange.h"

#define READERS (ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER)
#define OWN_RUN "t.collection_id IN (SELECT id FROM collections WHERE organisation_id = ?)"

static const struct attr run_attrs[] = {
    {"collection_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "collections"},
    {"cause", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"operator", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"reason", ATTR_TEXT, AF_READ_ONLY},
    {"started_at", ATTR_TIME, AF_READ_ONLY},
    {"ended_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    EXCHANGE_REPORT,
    {"payload", ATTR_JSON, AF_HIDDEN},
};

static const struct scope run_scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_RUN, "1 = 0"},
};

const struct resource collection_runs_resource = {
    .plural = "collection_runs",
    .kind = "collection-run",
    .initial = "queued",
    .attrs = run_attrs,
    .n_attrs = COUNT(run_attrs),
    .scopes = run_scopes,
    .n_scopes = COUNT(run_scopes),
    .read_roles = READERS,
};

static const struct attr record_attrs[] = {
    {"kind", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"task_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"organisation_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"sender", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"receivers", ATTR_JSON, AF_READ_ONLY},
    {"transfer_result", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"processing_result", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"records", ATTR_INT, AF_READ_ONLY},
    {"sm3", ATTR_TEXT, AF_READ_ONLY},
    {"at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
};

static const struct scope record_scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER, BIND_ORGANISATION, EXCHANGE_OWN, "1 = 0"},
};

const struct resource exchange_records_resource = {
    .plural = "exchange_records",
    .kind = "exchange-record",
    .initial = "kept",
    .attrs = record_attrs,
    .n_attrs = COUNT(record_attrs),
    .scopes = record_scopes,
    .n_scopes = COUNT(record_scopes),
    .read_roles = READERS | ROLE_DEVELOPER,
};

enum problem run_make(struct rest_call *c, struct store_txn *txn, const json_t *collection,
                      const char *state, const char *cause, const char *reason, json_t *payload,
                      json_t **row)
{
    *row = exchange_row(&collection_runs_resource);
    json_object_set_new(*row, "state", json_string(state));
    json_object_set(*row, "collection_id", json_object_get(collection, "id"));
    json_object_set_new(*row, "cause", json_string(cause));
    json_object_set_new(*row, "operator",
                        json_string(c->user.login[0] ? c->user.login : "platform"));
    if (reason) {
        json_object_set_new(*row, "reason", json_string(reason));
    }
    if (payload) {
        json_object_set(*row, "payload", payload);
    }
    if (strcmp(state, "queued") != 0) {
        json_object_set_new(*row, "ended_at", exchange_time(c->now_ms));
    }
    return change_store(c, txn, &collection_runs_resource, NULL, *row, "create");
}

enum problem exchange_note(struct rest_call *c, struct store_txn *txn, const char *kind,
                           const json_t *task, const char *organisation, const json_t *receivers,
                           const json_t *report)
{
    json_t *input;
    size_t i;
    enum problem p = PROBLEM_OK;

    json_array_foreach(json_object_get(report, "inputs"), i, input)
    {
        json_t *row = exchange_row(&exchange_records_resource);
        json_object_set_new(row, "kind", json_string(kind));
        json_object_set(row, "task_id", json_object_get(task, "id"));
        json_object_set_new(row, "organisation_id", json_string(organisation));
        json_object_set(row, "sender", json_object_get(input, "sender"));
        json_object_set(row, "receivers", (json_t *)(uintptr_t)receivers);
        json_object_set(row, "transfer_result", json_object_get(input, "transfer"));
        json_object_set(row, "processing_result", json_object_get(report, "outcome"));
        json_object_set(row, "records", json_object_get(input, "received"));
        json_object_set(row, "sm3", json_object_get(report, "sm3"));
        json_object_set_new(row, "at", exchange_time(c->now_ms));
        if (p == PROBLEM_OK) {
            p = change_store(c, txn, &exchange_records_resource, NULL, row, "create");
        }
        json_decref(row);
    }
    return p;
}

/* Kept apart ------------------------------------------------------------------------------------
 */
static enum problem load_run(struct rest_call *c, json_t **run, json_t **collection)
{
    struct store_txn *txn = NULL;
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &collection_runs_resource, c->segment[1], true, run);
    p = p == PROBLEM_OK && !*run ? PROBLEM_NOT_FOUND : p;
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &collections_resource, row_text(*run, "collection_id"), collection);
    }
    store_rollback(&txn);
    return p;
}

enum problem collection_quarantine(struct rest_call *c)
{
    static const char *const names[] = {"offset"};
    json_t *run = NULL, *collection = NULL, *answer = NULL, *body = NULL;
    const char *offset = rest_query(c, "offset");
    enum problem p = rest_query_known(c, names, 1, "offset");

    if (p == PROBLEM_OK) {
        p = load_run(c, &run, &collection);
    }
    if (p == PROBLEM_OK) {
        body = json_pack("{s:s, s:s, s:I}", "target", row_text(collection, "target_id"), "run",
                         row_text(run, "id"), "offset",
                         (json_int_t)(offset ? strtoul(offset, NULL, 10) : 0));
        p = data_client_post(c, "/internal/v1/collect/quarantine", body, &answer);
    }
    json_decref(body);
    json_decref(run);
    json_decref(collection);
    return p == PROBLEM_OK ? rest_answer(c, 200, answer) : p;
}
