/* SPDX-License-Identifier: Apache-2.0 */
/* Successors, warnings, losses and ends of credentials. */
#include <inttypes.h>
#include <stdio.h>

#include "api/credentials.h"
#include "base/clock.h"
#include "ca/ca.h"
#include "notices/notices.h"

#define BATCH_MAX 200 /* rows of one turn of the job, so that it never holds the store for long */

static json_t *time_text(uint64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(ms, text);
    return json_string(text);
}

enum problem credential_tell(struct rest_call *c, struct store_txn *txn, const char *kind,
                             const char *object_kind, const json_t *object)
{
    json_t *app = NULL;
    enum problem p = api_load(c, txn, &apps_resource, row_text(object, "app_id"), &app);
    const char *label = row_text(object, "label");
    const struct notice n = {.kind = kind,
                             .organisation_id = row_text(app, "organisation_id"),
                             .object_kind = object_kind,
                             .object_id = row_text(object, "id"),
                             .object_name = label[0] ? label : row_text(app, "name")};

    if (p == PROBLEM_OK) {
        p = notice_put(c, txn, &n);
    }
    json_decref(app);
    return p;
}

/* Ends ----------------------------------------------------------------------------------------- */
enum problem credential_void(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "voided_at", time_text(c->now_ms));
    return PROBLEM_OK;
}

/* Whoever lost a key says so once and it is worth nothing from then on; the operators are told
 * since they decide what follows (BK-9.3.5b2). */
enum problem credential_lost(struct rest_call *c, struct change *ch)
{
    const struct notice n = {.kind = "credential-lost",
                             .object_kind = "credential",
                             .object_id = row_text(ch->row, "id"),
                             .object_name = row_text(ch->row, "id")};
    json_object_set_new(ch->row, "lost_at", time_text(c->now_ms));
    enum problem p = notice_put(c, ch->txn, &n);

    return p == PROBLEM_OK ? credential_tell(c, ch->txn, "credential-lost", "credential", ch->row)
                           : p;
}

enum problem credential_found(struct rest_call *c, struct change *ch)
{
    (void)c;
    json_object_set_new(ch->row, "lost_at", json_null());
    return PROBLEM_OK;
}

enum problem credential_after(struct rest_call *c, struct change *ch)
{
    const char *id = row_text(ch->row, "id"), *state = row_text(ch->row, "state");

    if (!ch->old || !row_text(ch->row, "serial")[0] || !api_changed(ch->old, ch->row, "state")) {
        return PROBLEM_OK;
    }
    if (strcmp(state, "suspended") == 0) {
        return ca_revoke(c, ch->txn, id, c->now_ms, CA_REASON_HOLD);
    }
    if (strcmp(state, "revoked") == 0) {
        return ca_revoke(c, ch->txn, id, c->now_ms, CA_REASON_CESSATION);
    }
    if (strcmp(state, "expired") == 0) { /* by its overlap, perhaps before its certificate */
        return ca_revoke(c, ch->txn, id, c->now_ms, CA_REASON_SUPERSEDED);
    }
    return ca_revoke(c, ch->txn, id, 0, CA_REASON_NONE);
}

static enum problem end_one(struct rest_call *c, struct store_txn *txn, json_t *row,
                            const char *state, const char *action, const char *reason)
{
    json_t *old = json_deep_copy(row);

    json_object_set_new(row, "state", json_string(state));
    json_object_set_new(row, "voided_at", time_text(c->now_ms));
    if (reason) {
        json_object_set_new(row, "reason", json_string(reason));
    }
    enum problem p = change_store(c, txn, &credentials_resource, old, row, action);
    json_decref(old);
    return p;
}

static enum problem void_one(struct rest_call *c, struct change *ch)
{
    const char *state = row_text(ch->row, "state");

    if (strcmp(state, "active") != 0 && strcmp(state, "suspended") != 0) {
        return PROBLEM_OK;
    }
    return end_one(c, ch->txn, ch->row, "revoked", "revoke", ch->arg);
}

enum problem credentials_void_app(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                  const char *reason)
{
    return row_each(c, txn, &credentials_resource, "app_id", app_id, void_one,
                    (void *)(uintptr_t)reason);
}

enum problem credentials_follow_app(struct rest_call *c, struct change *ch)
{
    bool left = ch->old && api_changed(ch->old, ch->row, "state") &&
                strcmp(row_text(ch->row, "state"), "withdrawn") == 0;

    return left ? credentials_void_app(c, ch->txn, row_text(ch->row, "id"), "the app has left")
                : PROBLEM_OK;
}

/* The successor -------------------------------------------------------------------------------- */
static enum problem load_old(struct rest_call *c, struct store_txn *txn, json_t **old)
{
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = row_load(c, txn, &credentials_resource, c->segment[1], true, old);
    if (p == PROBLEM_OK && !*old) {
        return PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, &credentials_resource, c->segment[1])) {
        return PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK) {
        p = change_precondition(c, *old, true);
    }
    if (p == PROBLEM_OK &&
        (strcmp(row_text(*old, "state"), "active") != 0 || row_text(*old, "overlap_until")[0])) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the credential is %s",
                         row_text(*old, "overlap_until")[0] ? "replaced already"
                                                            : row_text(*old, "state"));
    }
    return p;
}

static enum problem overlap_of(struct rest_call *c, struct store_txn *txn, const json_t *old,
                               uint64_t *until_ms)
{
    const json_t *given = json_object_get(c->body, "overlap_s");
    struct credential_policy policy;
    enum problem p = credential_policy_load(c, txn, row_text(old, "class"), &policy);
    json_int_t seconds = p == PROBLEM_OK ? policy.overlap_days * 86400 : 0, max = seconds;

    if (p == PROBLEM_OK && given) {
        if (!api_int_within(given, 0, max)) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/overlap_s",
                             "0 to %" JSON_INTEGER_FORMAT " seconds", max);
        }
        seconds = json_integer_value(given);
    }
    uint64_t end_ms = api_ms(old, "expires_at");
    *until_ms = c->now_ms + (uint64_t)seconds * 1000;
    *until_ms = end_ms && end_ms < *until_ms ? end_ms : *until_ms;
    return p;
}

/* What creation would be sent for the successor. */
static json_t *successor_body(const struct rest_call *c, const json_t *old)
{
    static const char *const kept[] = {"app_id", "algorithm", "class", "label"};
    static const char *const given[] = {"public_key", "certificate", "expires_at", "label"};
    json_t *body = json_object();

    for (size_t i = 0; i < COUNT(kept); i++) {
        json_t *v = json_object_get(old, kept[i]);
        if (v && !json_is_null(v)) {
            json_object_set(body, kept[i], v);
        }
    }
    for (size_t i = 0; i < COUNT(given); i++) {
        json_t *v = json_object_get(c->body, given[i]);
        if (v) {
            json_object_set(body, given[i], v);
        }
    }
    if (json_object_get(body, "certificate") && row_text(old, "certificate_mode")[0]) {
        json_object_set(body, "certificate_mode", json_object_get(old, "certificate_mode"));
    }
    return body;
}

static enum problem end_old(struct rest_call *c, struct store_txn *txn, const json_t *old,
                            uint64_t until_ms)
{
    json_t *row = json_deep_copy(old);

    json_object_set_new(row, "overlap_until", time_text(until_ms));
    json_object_set_new(row, "expires_at", time_text(until_ms)); /* nodes go by this, to the ms */
    json_object_set_new(row, "reason", json_string("superseded"));
    enum problem p = change_store(c, txn, &credentials_resource, old, row, "rotate");
    json_decref(row);
    return p;
}

static enum problem rotate(struct rest_call *c, struct store_txn *txn, json_t **row)
{
    json_t *old = NULL;
    uint64_t until_ms = 0;
    struct uuid u;
    char id[UUID_TEXT_LEN + 1];
    enum problem p = load_old(c, txn, &old);

    if (p == PROBLEM_OK) {
        p = overlap_of(c, txn, old, &until_ms);
    }
    if (p == PROBLEM_OK) {
        json_t *body = successor_body(c, old);
        uuid_new(&u);
        uuid_format(&u, id);
        p = credential_make(c, txn, body, id, row);
        json_decref(body);
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(*row, "supersedes", json_string(row_text(old, "id")));
        p = change_store(c, txn, &credentials_resource, NULL, *row, "create");
    }
    if (p == PROBLEM_OK) {
        p = end_old(c, txn, old, until_ms);
    }
    if (p == PROBLEM_OK) {
        p = credential_tell(c, txn, "credential-rotated", "credential", *row);
    }
    json_decref(old);
    return p;
}

enum problem credential_rotate(struct rest_call *c)
{
    static const char *const members[] = {"public_key", "certificate", "expires_at",
                                          "label",      "overlap_s",   NULL};
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = PROBLEM_OK;

    if (c->body) {
        p = rest_body_members(c, members);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, rotate(c, txn, &row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &credentials_resource, row, 201);
    }
    json_decref(row);
    return p;
}

/* The job -------------------------------------------------------------------------------------- */
static enum problem expire(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = end_one(c, txn, row, "expired", "expire", NULL);

    return p == PROBLEM_OK ? credential_tell(c, txn, "credential-expired", "credential", row) : p;
}

static enum problem warn(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *old = json_deep_copy(row);

    json_object_set_new(row, "warned_at", time_text(c->now_ms));
    enum problem p = change_store(c, txn, &credentials_resource, old, row, "warn");
    json_decref(old);
    return p == PROBLEM_OK ? credential_tell(c, txn, "credential-expiring", "credential", row) : p;
}

static const struct duty {
    const char *sql; /* ids that are due at ? */
    enum problem (*act)(struct rest_call *c, struct store_txn *txn, json_t *row);
} duties[] = {
    {"SELECT id FROM credentials WHERE state IN ('active', 'suspended') AND expires_at <= ? ORDER "
     "BY expires_at LIMIT ?",
     expire},
    {"SELECT k.id FROM credentials k JOIN credential_policies p ON p.class = k.class WHERE k.state "
     "= 'active' AND k.warned_at IS NULL AND k.overlap_until IS NULL AND k.expires_at - "
     "p.warn_days * 86400000 <= ? ORDER BY k.expires_at LIMIT ?",
     warn},
};

static enum problem due(struct rest_call *c, struct store_txn *txn, const char *sql, json_t *ids)
{
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_int(BATCH_MAX)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem fulfil(struct rest_call *c, struct store_txn *txn, const struct duty *duty)
{
    json_t *ids = json_array(), *id;
    size_t i;
    enum problem p = due(c, txn, duty->sql, ids);

    json_array_foreach(ids, i, id)
    {
        json_t *row = NULL;
        if (p == PROBLEM_OK) {
            p = api_load(c, txn, &credentials_resource, json_string_value(id), &row);
        }
        if (p == PROBLEM_OK) {
            p = duty->act(c, txn, row);
        }
        json_decref(row);
    }
    json_decref(ids);
    return p;
}

enum problem credentials_watch(struct rest_call *c)
{
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(duties) && p == PROBLEM_OK; i++) {
        struct store_txn *txn = NULL;
        p = rest_begin(c, STORE_WRITE, &txn);
        if (p == PROBLEM_OK) {
            p = rest_finish(c, &txn, fulfil(c, txn, &duties[i]));
        }
    }
    return p;
}
