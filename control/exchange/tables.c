/* SPDX-License-Identifier: Apache-2.0 */
/* A table of a zone store, made before anything is in it: what is reported needs a place. */
#include "api/api.h"
#include "data_client.h"
#include "exchange/exchange.h"

static enum problem load_store(struct rest_call *c, json_t **source)
{
    struct store_txn *txn = NULL;
    struct uuid id;
    enum problem p = uuid_parse(&id, c->segment[1], strlen(c->segment[1]))
                         ? rest_begin(c, STORE_READ, &txn)
                         : PROBLEM_NOT_FOUND;

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &sources_resource, c->segment[1], true, source);
    if (p == PROBLEM_OK && !*source) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, &sources_resource, c->segment[1])) {
        p = PROBLEM_NOT_PERMITTED;
    }
    store_rollback(&txn);
    return p == PROBLEM_OK && (strcmp(row_text(*source, "kind"), "managed") != 0 ||
                               strcmp(row_text(*source, "state"), "ready") != 0)
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                           "a managed source that is ready is needed")
               : p;
}

enum problem rest_zone_table(struct rest_call *c)
{
    static const char *const members[] = {"name", "columns", NULL};
    json_t *source = NULL, *answer = NULL, *body = NULL;
    enum problem p = rest_body_members(c, members);
    const char *name = p == PROBLEM_OK ? rest_body_text(c, "name", 128, &p) : NULL;

    if (p == PROBLEM_OK) {
        p = collection_check_columns(c, "/columns", json_object_get(c->body, "columns"));
    }
    if (p == PROBLEM_OK) {
        p = load_store(c, &source);
    }
    if (p == PROBLEM_OK) {
        body = json_pack("{s:s, s:s, s:O}", "target", row_text(source, "id"), "table", name,
                         "columns", json_object_get(c->body, "columns"));
        p = data_client_post(c, "/internal/v1/collect/table", body, &answer);
    }
    json_decref(body);
    json_decref(source);
    return p == PROBLEM_OK ? rest_answer(c, 201, answer) : p;
}
