/* SPDX-License-Identifier: Apache-2.0 */
/* Acts that need a second administrator. The request is written down as it came and answered 202;
 * when another approves, exactly that request runs, as the one who asked. It runs at most once: an
 * approval whose run was cut short stays `approved` and is asked for anew. */
#include <stdio.h>
#include <stdlib.h>

#include "access/access.h"
#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "notices/notices.h"

#define VALID_MIN_S  60
#define VALID_MAX_S  (30 * 86400)
#define EXPIRE_BATCH 100

/* Which operations ------------------------------------------------------------------------------
 */
static enum problem check_operation(struct rest_call *c, const char *where, const json_t *v)
{
    const char *word = json_string_value(v), *verb = strrchr(word, '.');

    return access_names_operations(word) && strcmp(word, "*") != 0 &&
                   !(verb && strcmp(verb, ".read") == 0) && strncmp(word, "approvals", 9) != 0
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "an operation that changes something is needed; /access/operations "
                           "lists them");
}

static const struct attr dual_attrs[] = {
    {"operation", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, ACCESS_OPERATION_MAX - 1,
     .check = check_operation},
    {"valid_s", ATTR_INT, AF_IMMUTABLE, VALID_MIN_S, VALID_MAX_S, .fallback = "86400"},
};

static const struct transition dual_transitions[] = {
    {"active", "remove", "removed", ROLE_ADMIN},
};

const struct resource dual_controls_resource = {
    .plural = "dual_controls",
    .kind = "dual-control",
    .initial = "active",
    .attrs = dual_attrs,
    .n_attrs = COUNT(dual_attrs),
    .transitions = dual_transitions,
    .n_transitions = COUNT(dual_transitions),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_ADMIN,
};

/* *valid_s 0: one administrator suffices. To give up dual control is itself such an act. */
static enum problem wanted(struct rest_call *c, struct store_txn *txn, const char *operation,
                           int64_t *valid_s)
{
    bool giving_up = strcmp(operation, "dual_controls.remove") == 0;
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn, "SELECT operation, valid_s FROM dual_controls WHERE state = 'active'", NULL, 0, &rows);

    *valid_s = 0;
    while (err == STORE_OK && store_next(rows)) {
        if (giving_up || access_covers(store_get_text(rows, 0), operation)) {
            *valid_s = store_get_int(rows, 1);
        }
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

/* Approvals ---------------------------------------------------------------------------------------
 */
static const struct attr approval_attrs[] = {
    {"operation", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"method", ATTR_TEXT, AF_READ_ONLY},
    {"path", ATTR_TEXT, AF_READ_ONLY},
    {"request", ATTR_JSON, AF_READ_ONLY},
    {"request_sealed", ATTR_TEXT, AF_HIDDEN},
    {"request_sm3", ATTR_TEXT, AF_READ_ONLY},
    {"requested_by", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "users"},
    {"expires_at", ATTR_TIME, AF_READ_ONLY},
    {"decided_by", ATTR_REF, AF_READ_ONLY, .ref = "users"},
    {"decided_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"result_status", ATTR_INT, AF_READ_ONLY},
    {"result_code", ATTR_TEXT, AF_READ_ONLY},
};

/* What a second administrator has to see; what is taken and never shown stays so. */
static json_t *shown_body(const struct rest_call *c)
{
    const struct resource *res = resource_by_plural(c->segment[0]);
    json_t *shown = c->body ? json_deep_copy(c->body) : json_null();

    for (size_t i = 0; res && i < res->n_attrs; i++) {
        if ((res->attrs[i].flags & AF_WRITE_ONLY) && json_object_get(shown, res->attrs[i].name)) {
            json_object_set_new(shown, res->attrs[i].name, json_string("(not shown)"));
        }
    }
    return shown;
}

static void set_time(json_t *row, const char *name, uint64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(ms, text);
    json_object_set_new(row, name, json_string(text));
}

/* The whole request, sealed with the row's id: it opens in this row and unchanged, or not at all.
 */
static bool seal_request(const struct rest_call *c, json_t *row)
{
    json_t *whole = json_pack("{s:s, s:s, s:s*, s:s%}", "method", c->req->method, "path",
                              c->req->path, "if_match", c->req->if_match, "body",
                              c->req->body.n ? c->req->body.p : "", c->req->body.n);
    char *text = whole ? json_dumps(whole, JSON_COMPACT) : NULL;
    uint8_t digest[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
    json_t *sealed = NULL;

    if (text) {
        size_t n = strlen(text);
        sealed = api_seal_kept(c->ctl, row_text(row, "id"), slice_of(text, n));
        crypto_hash(CRYPTO_SM3, text, n, digest);
        json_object_set_new(row, "request_sm3",
                            json_stringn(hex, codec_hex(hex, digest, sizeof digest)));
        crypto_wipe(text, n);
        free(text);
    }
    json_decref(whole);
    return sealed && json_object_set_new(row, "request_sealed", sealed) == 0;
}

static json_t *new_row(const struct rest_call *c, const char *operation, int64_t valid_s)
{
    json_t *row = resource_row(&approvals_resource);

    json_object_set_new(row, "operation", json_string(operation));
    json_object_set_new(row, "method", json_string(c->req->method));
    json_object_set_new(row, "path", json_string(c->req->path));
    json_object_set_new(row, "request", shown_body(c));
    json_object_set_new(row, "requested_by", json_string(c->user.id));
    set_time(row, "expires_at", c->now_ms + (uint64_t)valid_s * 1000);
    if (!seal_request(c, row)) {
        json_decref(row);
        return NULL;
    }
    return row;
}

static enum problem hold_back(struct rest_call *c, const char *operation, int64_t valid_s)
{
    struct store_txn *txn = NULL;
    json_t *row = new_row(c, operation, valid_s);
    enum problem p = row ? rest_begin(c, STORE_WRITE, &txn) : PROBLEM_INTERNAL;
    const struct notice n = {.kind = "approval-requested",
                             .object_kind = "approval",
                             .object_id = row_text(row, "id"),
                             .object_name = operation};

    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &approvals_resource, NULL, row, "create");
        p = p == PROBLEM_OK ? notice_put(c, txn, &n) : p;
        p = rest_finish(c, &txn, p);
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &approvals_resource, row, 202);
        snprintf(c->resp->location, sizeof c->resp->location, "/api/v1/approvals/%s",
                 row_text(row, "id"));
    }
    json_decref(row);
    return p;
}

enum problem access_dual(struct rest_call *c, const char *operation, bool *held_back)
{
    struct store_txn *txn = NULL;
    int64_t valid_s = 0;

    *held_back = false;
    if (c->approved || strcmp(c->req->method, "GET") == 0 ||
        strncmp(operation, "approvals.", 10) == 0) {
        return PROBLEM_OK;
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p == PROBLEM_OK) {
        p = wanted(c, txn, operation, &valid_s);
        store_rollback(&txn);
    }
    if (p != PROBLEM_OK || valid_s == 0) {
        return p;
    }
    if (c->req->n_query) {
        return rest_fail(c, PROBLEM_QUERY_MALFORMED, "", "an act of two has no query");
    }
    *held_back = true;
    return hold_back(c, operation, valid_s);
}

/* Deciding ----------------------------------------------------------------------------------------
 */
static void note_decision(struct rest_call *c, json_t *row)
{
    json_object_set_new(row, "decided_by", json_string(c->user.id));
    set_time(row, "decided_at", c->now_ms);
}

/* Whoever decides is another, and one who could have asked for it. */
static enum problem may_decide(struct rest_call *c, const json_t *row)
{
    if (strcmp(row_text(row, "requested_by"), c->user.id) == 0) {
        return rest_fail(c, PROBLEM_SELF_APPROVAL, "", "another administrator has to decide");
    }
    return access_may(c, row_text(row, "operation"))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_NOT_PERMITTED, "", "the operation is not one of yours");
}

static enum problem refuse(struct rest_call *c, struct change *ch)
{
    note_decision(c, ch->row);
    return may_decide(c, ch->row);
}

static enum problem withdraw(struct rest_call *c, struct change *ch)
{
    return strcmp(row_text(ch->row, "requested_by"), c->user.id) == 0
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_NOT_PERMITTED, "", "only who asked for it withdraws it");
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    const char *state = row_text(ch->row, "state");
    const struct notice n = {.kind = "approval-decided",
                             .user_id = row_text(ch->row, "requested_by"),
                             .object_kind = "approval",
                             .object_id = row_text(ch->row, "id"),
                             .object_name = row_text(ch->row, "operation"),
                             .detail = state};

    return strcmp(state, "pending") == 0 || strcmp(state, "approved") == 0
               ? PROBLEM_OK
               : notice_put(c, ch->txn, &n);
}

static const struct transition approval_transitions[] = {
    {"pending", "refuse", "refused", ROLE_STAFF, .body_text = "comment", .hook = refuse},
    {"pending", "withdraw", "withdrawn", ROLE_ANY, .hook = withdraw},
};

static const struct scope approval_scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER | ROLE_OWNER | ROLE_MEMBER, BIND_USER, "t.requested_by = ?",
     "t.requested_by = ?"},
};

const struct resource approvals_resource = {
    .plural = "approvals",
    .kind = "approval",
    .initial = "pending",
    .attrs = approval_attrs,
    .n_attrs = COUNT(approval_attrs),
    .transitions = approval_transitions,
    .n_transitions = COUNT(approval_transitions),
    .scopes = approval_scopes,
    .n_scopes = COUNT(approval_scopes),
    .read_roles = ROLE_ANY,
    .after = after,
};

static enum problem set_state(struct rest_call *c, struct store_txn *txn, json_t **row,
                              const char *state, const char *action)
{
    json_t *old = json_deep_copy(*row);

    json_object_set_new(*row, "state", json_string(state));
    enum problem p = change_store(c, txn, &approvals_resource, old, *row, action);
    json_decref(old);
    return p;
}

/* In txn: from pending to approved, by one winner. */
static enum problem take(struct rest_call *c, struct store_txn *txn, json_t **row)
{
    static const char *const members[] = {"comment", NULL};
    struct uuid id;
    enum problem p = uuid_parse(&id, c->segment[1], strlen(c->segment[1]))
                         ? row_load(c, txn, &approvals_resource, c->segment[1], true, row)
                         : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK && !*row) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK) {
        p = change_precondition(c, *row, true);
    }
    if (p == PROBLEM_OK && (strcmp(row_text(*row, "state"), "pending") != 0 ||
                            api_ms(*row, "expires_at") <= c->now_ms)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it is %s, or over", row_text(*row, "state"));
    }
    if (p == PROBLEM_OK) {
        p = may_decide(c, *row);
    }
    if (p == PROBLEM_OK && c->body) {
        p = rest_body_members(c, members);
    }
    if (p == PROBLEM_OK && json_object_get(c->body, "comment")) {
        p = attr_text_check(c, "/comment", json_object_get(c->body, "comment"), 1, 1000, true);
        json_object_set(*row, "comment", json_object_get(c->body, "comment"));
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    note_decision(c, *row);
    return set_state(c, txn, row, "approved", "approve");
}

/* NULL: it is not the request that was sealed for this row. */
static json_t *open_request(const struct rest_call *c, const json_t *row)
{
    const char *sealed = row_text(row, "request_sealed");
    size_t text_n = strlen(sealed), n = 0;
    uint8_t *bytes = malloc(text_n + 1), *plain = malloc(text_n + 1);
    json_t *whole = NULL;

    if (bytes && plain && codec_unbase64url(bytes, text_n, &n, sealed, text_n) &&
        n >= CRYPTO_SEAL_EXTRA &&
        keyring_open(c->ctl, slice_str(row_text(row, "id")), bytes, n, plain) == CRYPTO_OK) {
        whole = json_loadb((const char *)plain, n - CRYPTO_SEAL_EXTRA, 0, NULL);
    }
    if (plain) {
        crypto_wipe(plain, text_n + 1);
    }
    free(bytes);
    free(plain);
    return whole;
}

static void run(struct rest_call *c, json_t *row)
{
    json_t *whole = open_request(c, row), *body = json_object_get(whole, "body");
    const struct rest_request req = {
        .method = row_text(whole, "method"),
        .path = row_text(whole, "path"),
        .if_match = json_string_value(json_object_get(whole, "if_match")),
        .body = slice_of(json_string_value(body), json_string_length(body)),
        .peer_address = c->req->peer_address};
    struct rest_response resp;
    enum problem p = whole ? PROBLEM_OK : PROBLEM_INTERNAL;

    rest_response_init(&resp);
    if (p == PROBLEM_OK) {
        p = rest_dispatch_as(c->ctl, &req, row_text(row, "requested_by"), &resp);
    }
    json_object_set_new(row, "result_status",
                        json_integer(p == PROBLEM_OK ? resp.status : problem_row(p)->status));
    json_object_set_new(row, "result_code", json_string(problem_row(p)->code));
    rest_response_fini(&resp);
    json_decref(whole);
}

enum problem rest_approval_approve(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, take(c, txn, &row));
    }
    if (p == PROBLEM_OK) {
        run(c, row);
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        bool done = json_integer_value(json_object_get(row, "result_status")) < 400;
        p = rest_finish(
            c, &txn,
            set_state(c, txn, &row, done ? "executed" : "failed", done ? "execute" : "fail"));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &approvals_resource, row, 200);
    }
    json_decref(row);
    return p;
}

/* The job -------------------------------------------------------------------------------------- */
static enum problem expire(struct rest_call *c, struct change *ch)
{
    json_t *row = json_incref(ch->row);
    enum problem p = strcmp(row_text(row, "state"), "pending") == 0
                         ? set_state(c, ch->txn, &row, "expired", "expire")
                         : PROBLEM_OK;

    json_decref(row);
    return p;
}

enum problem access_job(struct rest_call *c)
{
    static const char sql[] =
        "SELECT id FROM approvals WHERE state = 'pending' AND expires_at <= ? LIMIT ?";
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_int(EXPIRE_BATCH)};
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    json_t *ids = json_array(), *id;
    size_t i;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        enum store_err err = store_query(txn, sql, v, 2, &rows);
        while (err == STORE_OK && store_next(rows)) {
            json_array_append_new(ids, json_string(store_get_text(rows, 0)));
        }
        p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
        store_rollback(&txn);
    }
    if (p == PROBLEM_OK && json_array_size(ids)) {
        p = rest_begin(c, STORE_WRITE, &txn);
        json_array_foreach(ids, i, id)
        {
            p = p == PROBLEM_OK ? row_each(c, txn, &approvals_resource, "id", json_string_value(id),
                                           expire, NULL)
                                : p;
        }
        p = rest_finish(c, &txn, p);
    }
    json_decref(ids);
    return p;
}
