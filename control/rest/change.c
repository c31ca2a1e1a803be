/* SPDX-License-Identifier: Apache-2.0 */
/* One change, whole: the resource, what was done, what the nodes are told, in the caller's
 * transaction. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "notices/notices.h"
#include "rest/resource.h"

enum problem change_precondition(struct rest_call *c, const json_t *row, bool must)
{
    char want[32];

    if (!c->req->if_match) {
        return must ? PROBLEM_PRECONDITION_REQUIRED : PROBLEM_OK;
    }
    snprintf(want, sizeof want, "\"%" JSON_INTEGER_FORMAT "\"",
             json_integer_value(json_object_get(row, "revision")));
    if (strcmp(c->req->if_match, want) != 0 && strcmp(c->req->if_match, "*") != 0) {
        return rest_fail(c, PROBLEM_PRECONDITION_FAILED, "", "the revision is %s now", want);
    }
    return PROBLEM_OK;
}

enum problem change_feed(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                         const json_t *row)
{
    json_t *data = NULL;
    char *text = NULL;

    if (!res->feed) {
        return PROBLEM_OK;
    }
    enum problem p = res->feed(c, txn, row, &data);
    if (p == PROBLEM_OK && data && !(text = json_dumps(data, JSON_COMPACT))) {
        p = PROBLEM_INTERNAL;
    }
    if (p == PROBLEM_OK) {
        p = rest_store_problem(c, log_feed(txn, res->feed_kind,
                                           row_text(row, res->feed_id ? res->feed_id : "id"), text,
                                           c->ctl->feed_keep));
        c->rang = true;
    }
    free(text);
    json_decref(data);
    return p;
}

static enum problem log_change(struct rest_call *c, struct store_txn *txn,
                               const struct resource *res, const json_t *old, const json_t *row,
                               const char *action)
{
    json_t *before = old ? row_public(res, old) : NULL, *after = row_public(res, row);
    char *before_text = before ? json_dumps(before, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    char *after_text = json_dumps(after, JSON_COMPACT | JSON_SORT_KEYS);
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login[0] ? c->user.login : "platform",
                                 .action = action,
                                 .kind = res->kind,
                                 .id = row_text(row, "id"),
                                 .before = before_text,
                                 .after = after_text};
    enum store_err err = after_text ? log_operation(txn, &op) : STORE_EIO;

    free(before_text);
    free(after_text);
    json_decref(before);
    json_decref(after);
    return rest_store_problem(c, err);
}

enum problem change_store(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                          const json_t *old, json_t *row, const char *action)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(row, "updated_at", json_string(now));
    json_object_set_new(
        row, "revision",
        json_integer(old ? json_integer_value(json_object_get(old, "revision")) + 1 : 1));
    if (!old) {
        json_object_set_new(row, "created_at", json_string(now));
    }
    enum problem p = old ? row_update(c, txn, res, row) : row_insert(c, txn, res, row);
    if (p == PROBLEM_OK) {
        p = log_change(c, txn, res, old, row, action);
    }
    if (p == PROBLEM_OK) {
        p = change_feed(c, txn, res, row);
    }
    if (p == PROBLEM_OK) {
        p = notice_of_change(c, txn, res, row, action);
    }
    if (p != PROBLEM_OK || !res->after) {
        return p;
    }
    struct change ch = {.res = res, .txn = txn, .old = old, .row = row, .action = action};
    return res->after(c, &ch);
}

enum problem resource_answer(struct rest_call *c, const struct resource *res, const json_t *row,
                             unsigned status)
{
    json_t *shown = row_shown(c, res, row);

    snprintf(c->resp->etag, sizeof c->resp->etag, "\"%" JSON_INTEGER_FORMAT "\"",
             json_integer_value(json_object_get(row, "revision")));
    if (status == 201) {
        snprintf(c->resp->location, sizeof c->resp->location, "/api/v1/%s/%s", res->plural,
                 row_text(row, "id"));
    }
    if (c->once) {
        json_object_update(shown, c->once);
    }
    return rest_answer(c, status, shown);
}
