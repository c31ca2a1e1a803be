/* SPDX-License-Identifier: Apache-2.0 */
/* The receiver's word that what it had is deleted: of users' information and of the bank's business
 * material each (BK-9.4c1), with the paper that proves it, and what it keeps under which duty. */
#include <stdio.h>

#include "api/api.h"
#include "exit/exit.h"

#define RETAINED_MAX 32

static enum problem check_one_retained(struct rest_call *c, const json_t *exit, const json_t *item)
{
    static const char *const members[] = {"what", "duty", "until", NULL};
    uint64_t until_ms = api_ms(item, "until"),
             most_ms = exit_duty_until(exit, row_text(item, "duty"));

    if (!json_is_object(item) || !api_only_members(item, members) || !row_text(item, "what")[0] ||
        strlen(row_text(item, "what")) > 1000 || !until_ms) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/retained",
                         "objects of what, duty and until are needed");
    }
    return until_ms <= most_ms
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/retained",
                           "the exit has no duty %.40s that lasts so long", row_text(item, "duty"));
}

static enum problem check_retained(struct rest_call *c, const json_t *exit, const json_t *v)
{
    json_t *item;
    size_t i;
    enum problem p = PROBLEM_OK;

    if (v && (!json_is_array(v) || json_array_size(v) > RETAINED_MAX)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/retained", "a list of at most 32 is needed");
    }
    json_array_foreach(v, i, item)
    {
        p = p == PROBLEM_OK ? check_one_retained(c, exit, item) : p;
    }
    return p;
}

static enum problem read_receipt(struct rest_call *c, struct store_txn *txn, const json_t *exit,
                                 json_t **receipt)
{
    static const char *const members[] = {"user_information", "business_material", "document_id",
                                          "retained", NULL};
    enum problem p = rest_body_members(c, members);

    for (size_t i = 0; i < 2 && p == PROBLEM_OK; i++) {
        char where[32];
        snprintf(where, sizeof where, "/%s", members[i]);
        p = attr_text_check(c, where, json_object_get(c->body, members[i]), 1, REST_TEXT_MAX, true);
    }
    if (p == PROBLEM_OK) {
        p = stage_document(c, txn, "/document_id", row_text(c->body, "document_id"));
    }
    if (p == PROBLEM_OK) {
        p = check_retained(c, exit, json_object_get(c->body, "retained"));
    }
    *receipt = p == PROBLEM_OK ? json_deep_copy(c->body) : NULL;
    if (*receipt && !json_object_get(*receipt, "retained")) {
        json_object_set_new(*receipt, "retained", json_array());
    }
    return p;
}

static enum problem receive(struct rest_call *c, struct store_txn *txn, json_t **row)
{
    json_t *receipt = NULL, *old;
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &exits_resource, c->segment[1], true, row);
    if (p == PROBLEM_OK && !*row) {
        return PROBLEM_NOT_FOUND;
    }
    p = p == PROBLEM_OK ? change_precondition(c, *row, true) : p;
    if (p == PROBLEM_OK && strcmp(row_text(*row, "state"), "ended") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the exit is %s", row_text(*row, "state"));
    }
    if (p == PROBLEM_OK) {
        p = read_receipt(c, txn, *row, &receipt);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    old = json_deep_copy(*row);
    json_object_set_new(*row, "receipt", receipt);
    stage_sign(c, *row, "received");
    p = stage_change(c, txn, &exits_resource, old, *row, "received", "receipt");
    json_decref(old);
    return p == PROBLEM_OK ? stage_tell(c, txn, "exit-receipt-received", "exit", *row,
                                        row_text(*row, "app_id"), NULL, true)
                           : p;
}

/* Only the receiver can say it. */
enum problem exit_receipt(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = c->user.role & ROLE_DEVELOPER ? PROBLEM_OK : PROBLEM_NOT_PERMITTED;

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, receive(c, txn, &row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &exits_resource, row, 200);
    }
    json_decref(row);
    return p;
}
