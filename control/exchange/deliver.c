/* SPDX-License-Identifier: Apache-2.0 */
/* A registered tool hands records over: known by its own credential, for the collection that names
 * it, from a node within its scope. What is acknowledged is in the store, with its records, until
 * the run has taken them. */
#include <stdio.h>

#include "api/api.h"
#include "base/codec.h"
#include "exchange/exchange.h"
#include "lifecycle/lifecycle.h"

#define WAITING_MAX (8 << 20) /* bytes of what a collection has not taken yet */

static bool token_is(const char *authorization, const json_t *tool)
{
    uint8_t hash[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];
    const char *kept = row_text(tool, "token_sm3");

    if (!authorization || strncmp(authorization, "Bearer ", 7) != 0) {
        return false;
    }
    crypto_hash(CRYPTO_SM3, authorization + 7, strlen(authorization + 7), hash);
    hex[codec_hex(hex, hash, sizeof hash)] = '\0';
    return strlen(kept) == sizeof hex - 1 && crypto_equal(kept, hex, sizeof hex - 1);
}

/* The sender it names is a node we know, within the tool's scope; the receiver, when named, us. */
static enum problem check_sender(struct rest_call *c, struct store_txn *txn, const json_t *tool,
                                 json_t **node)
{
    const struct store_value v = store_text(row_text(c->body, "sender"));
    struct store_rows *rows = NULL;
    json_t *entry;
    size_t i;
    char id[UUID_TEXT_LEN + 1] = "";
    bool within = false;
    enum store_err err = store_query(
        txn, "SELECT id FROM exchange_nodes WHERE code = ? AND state = 'active'", &v, 1, &rows);

    if (err == STORE_OK && store_next(rows)) {
        snprintf(id, sizeof id, "%s", store_get_text(rows, 0));
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    if (p == PROBLEM_OK && !id[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/sender", "no node has this code");
    }
    json_array_foreach(json_object_get(tool, "scope"), i, entry)
    {
        within = within || strcmp(row_text(entry, "node_id"), id) == 0;
    }
    if (p == PROBLEM_OK && !within) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/sender", "it is outside the tool's scope");
    }
    return p == PROBLEM_OK ? api_load(c, txn, &exchange_nodes_resource, id, node) : p;
}

static enum problem check_receiver(struct rest_call *c, const json_t *collection)
{
    const char *receiver = row_text(c->body, "receiver");

    return !receiver[0] || strcmp(receiver, row_text(collection, "name")) == 0
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/receiver", "no such receiver");
}

static const json_t *scope_of(const json_t *tool, const json_t *node)
{
    json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(tool, "scope"), i, entry)
    {
        if (strcmp(row_text(entry, "node_id"), row_text(node, "id")) == 0) {
            return json_object_get(entry, "fields");
        }
    }
    return NULL;
}

static enum problem check_fields(struct rest_call *c, const json_t *allowed, const json_t *records)
{
    json_t *record, *v, *word;
    const char *name;
    size_t i, k;

    json_array_foreach(records, i, record)
    {
        json_object_foreach(record, name, v)
        {
            bool known = !json_is_array(allowed);
            json_array_foreach(allowed, k, word)
            {
                known = known || strcmp(json_string_value(word), name) == 0;
            }
            if (!known) {
                return rest_fail(c, PROBLEM_NOT_PERMITTED, "/records",
                                 "the field %.80s is outside the tool's scope", name);
            }
        }
    }
    return PROBLEM_OK;
}

static enum problem check_records(struct rest_call *c)
{
    json_t *records = json_object_get(c->body, "records");

    return json_is_array(records) && json_array_size(records)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/records", "an array of records is needed");
}

/* What a delivery may have is the collection's to say; what waits for its runs is bounded too,
 * since a run's row holds it until it is taken. */
static enum problem check_room(struct rest_call *c, struct store_txn *txn, const json_t *collection)
{
    static const char sql[] = "SELECT coalesce(sum(length(payload)), 0) FROM collection_runs WHERE "
                              "collection_id = ? AND state IN ('queued', 'running')";
    const struct store_value v = store_text(row_text(collection, "id"));
    json_int_t most = json_integer_value(json_object_get(collection, "delivery_kib")) * 1024;
    size_t n = json_dumpb(json_object_get(c->body, "records"), NULL, 0, JSON_COMPACT);
    struct store_rows *rows = NULL;

    if (n > (size_t)most) {
        return rest_fail(c, PROBLEM_BODY_TOO_LARGE, "/records",
                         "the records of one delivery are at most %lld bytes here, these are %zu",
                         (long long)most, n);
    }
    enum problem p = rest_store_problem(c, store_query(txn, sql, &v, 1, &rows));
    if (p != PROBLEM_OK) {
        return p;
    }
    bool room = store_next(rows) && store_get_int(rows, 0) + (int64_t)n <= WAITING_MAX;
    p = rest_store_problem(c, store_rows_end(&rows));
    return p == PROBLEM_OK && !room
               ? rest_fail(c, PROBLEM_CONCURRENCY_LIMITED, "/records",
                           "deliveries of %d bytes wait already: once they are taken", WAITING_MAX)
               : p;
}

/* Whose credential it is not learns nothing of what there is. */
static enum problem load(struct rest_call *c, struct store_txn *txn, json_t **collection,
                         json_t **tool)
{
    struct uuid id;
    enum problem p = PROBLEM_OK;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_SIGNED_IN;
    }
    p = row_load(c, txn, &collections_resource, c->segment[1], false, collection);
    if (p == PROBLEM_OK && *collection) {
        p = api_load(c, txn, &collection_tools_resource, row_text(*collection, "tool_id"), tool);
    }
    if (p == PROBLEM_OK && (!*tool || !token_is(c->req->authorization, *tool))) {
        return PROBLEM_NOT_SIGNED_IN;
    }
    return p;
}

static enum problem accept(struct rest_call *c, struct store_txn *txn, const json_t *collection,
                           const json_t *tool, json_t **run)
{
    json_t *node = NULL, *payload = NULL;
    enum problem p = strcmp(row_text(tool, "state"), "active") != 0
                         ? rest_fail(c, PROBLEM_NOT_PERMITTED, "", "the tool is disabled")
                         : PROBLEM_OK;

    if (p == PROBLEM_OK && strcmp(row_text(collection, "state"), "active") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the collection is disabled");
    }
    if (p == PROBLEM_OK) {
        p = life_may_come_to(c, txn, row_text(collection, "target_id"),
                             row_text(collection, "target_table"), "collection");
    }
    if (p == PROBLEM_OK) {
        p = check_receiver(c, collection);
    }
    if (p == PROBLEM_OK) {
        p = check_room(c, txn, collection);
    }
    if (p == PROBLEM_OK) {
        p = check_sender(c, txn, tool, &node);
    }
    if (p == PROBLEM_OK) {
        p = check_fields(c, scope_of(tool, node), json_object_get(c->body, "records"));
    }
    if (p == PROBLEM_OK) {
        payload = json_pack("{s:s, s:O}", "sender", row_text(node, "code"), "records",
                            json_object_get(c->body, "records"));
        p = run_make(c, txn, collection, "queued", "delivery", row_text(tool, "name"), payload,
                     run);
    }
    json_decref(payload);
    json_decref(node);
    return p;
}

/* A refusal for what the tool may not is alerted, in a transaction of its own. */
static enum problem refuse(struct rest_call *c, const json_t *collection, enum problem why)
{
    struct store_txn *txn = NULL;
    char detail[sizeof c->detail], where[sizeof c->where];

    memcpy(detail, c->detail, sizeof detail);
    memcpy(where, c->where, sizeof where);
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn,
                        exchange_alert(c, txn, "collection-out-of-scope", collection, detail));
    }
    return p == PROBLEM_OK ? rest_fail(c, why, where, "%s", detail) : p;
}

/* Whoever calls is known before the store is held for writing. */
static enum problem authenticate(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *collection = NULL, *tool = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = load(c, txn, &collection, &tool);
        store_rollback(&txn);
    }
    json_decref(collection);
    json_decref(tool);
    return p;
}

enum problem collection_deliver(struct rest_call *c)
{
    static const char *const members[] = {"sender", "receiver", "records", NULL};
    struct store_txn *txn = NULL;
    json_t *collection = NULL, *tool = NULL, *run = NULL;
    enum problem p = authenticate(c), before;

    if (p == PROBLEM_OK) {
        p = rest_body_members(c, members);
    }
    if (p == PROBLEM_OK) {
        p = check_records(c);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        before = load(c, txn, &collection, &tool);
        p = before == PROBLEM_OK ? accept(c, txn, collection, tool, &run) : before;
        p = rest_finish(c, &txn, p);
        if (before == PROBLEM_OK &&
            (p == PROBLEM_NOT_PERMITTED || strcmp(c->where, "/sender") == 0 ||
             strcmp(c->where, "/receiver") == 0)) {
            p = refuse(c, collection, p);
        }
    }
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 202,
                        json_pack("{s:s, s:s}", "run_id", row_text(run, "id"), "state",
                                  row_text(run, "state")));
    }
    json_decref(collection);
    json_decref(tool);
    json_decref(run);
    return p;
}
