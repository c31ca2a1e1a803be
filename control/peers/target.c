/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer may ask of us, as our client and never without (GS-6.4a, GS-6.4b-1): who the user is
 * that it has just signed on, whether a name and a number belong together, and that somebody who
 * registered there has an account here. Refusals are problems as in REST. */
#include <stdio.h>
#include <stdlib.h>

#include "base/jsondepth.h"
#include "identity/identity.h"
#include "oauth/oauth.h"
#include "peers/inner.h"

#define INFO_MAX 8192

/* The peer whose app calls. */
static enum problem caller(struct rest_call *c, json_t **peer)
{
    char app[UUID_TEXT_LEN + 1];
    struct store_txn *txn = NULL;
    enum problem p = oauth_caller(c, app);

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = peer_load(c, txn, "app_id", app, peer);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        snprintf(c->user.login, sizeof c->user.login, "peer:%s", row_text(*peer, "name"));
    }
    return p == PROBLEM_NOT_FOUND ? PROBLEM_NOT_PERMITTED : p;
}

static enum problem form_text(struct rest_call *c, const char *name, size_t max, const char **out)
{
    char where[64];

    *out = rest_form(c, name);
    snprintf(where, sizeof where, "/%s", name);
    return *out && **out && strlen(*out) <= max
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_PARAMETER_MISSING, where,
                           "a text of 1 to %zu bytes is needed", max);
}

/* Users -------------------------------------------------------------------------------------------
 */
/* Somebody who is signed on there with a session that lives here. */
static enum problem signed_on(struct rest_call *c, struct store_txn *txn, const json_t *peer,
                              const char *user)
{
    const struct store_value v[] = {store_text(row_text(peer, "app_id")), store_text(user),
                                    store_int((int64_t)c->now_ms)};
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn,
                    "SELECT 1 FROM oauth_families f JOIN sessions s ON s.id = f.session_id WHERE "
                    "f.app_id = ? AND f.user_id = ? AND f.revoked_at IS NULL AND s.expires_at > ? "
                    "LIMIT 1",
                    v, COUNT(v), &rows);
    bool there = err == STORE_OK && store_next(rows);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    return p == PROBLEM_OK && !there
               ? rest_fail(c, PROBLEM_NOT_PERMITTED, "/sub", "nobody of that name is signed on")
               : p;
}

static enum problem log_told(struct rest_call *c, struct store_txn *txn, const char *user,
                             const json_t *fields)
{
    json_t *after = json_pack("{s:O}", "fields", fields);
    char *text = json_dumps(after, JSON_COMPACT | JSON_SORT_KEYS);
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login,
                                 .action = "tell-peer",
                                 .kind = "user",
                                 .id = user,
                                 .after = text};
    enum store_err err = text ? log_operation(txn, &op) : STORE_EIO;

    free(text);
    json_decref(after);
    return rest_store_problem(c, err);
}

static enum problem tell(struct rest_call *c, struct store_txn *txn, const json_t *peer,
                         const char *sub, json_t **info)
{
    json_t *user = NULL;
    enum problem p = signed_on(c, txn, peer, sub);

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &users_resource, sub, &user);
    }
    if (p == PROBLEM_OK) {
        *info = account_info(c, user, json_object_get(peer, "query_fields"));
        p = log_told(c, txn, sub, json_object_get(peer, "query_fields"));
    }
    json_decref(user);
    return p;
}

enum problem peers_users(struct rest_call *c)
{
    json_t *peer = NULL, *info = NULL;
    struct store_txn *txn = NULL;
    const char *sub = NULL;
    enum problem p = caller(c, &peer);

    if (p == PROBLEM_OK && json_array_size(json_object_get(peer, "query_fields")) == 0) {
        p = rest_fail(c, PROBLEM_NOT_PERMITTED, "", "this peer may not ask about users");
    }
    if (p == PROBLEM_OK) {
        p = form_text(c, "sub", PEERS_SUBJECT_MAX, &sub);
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, tell(c, txn, peer, sub, &info));
    }
    json_decref(peer);
    if (p != PROBLEM_OK) {
        json_decref(info);
        return p;
    }
    return rest_answer(c, 200, info);
}

/* Verifications -----------------------------------------------------------------------------------
 */
enum problem peers_verifications(struct rest_call *c)
{
    struct identity_claim claim = {0};
    json_t *peer = NULL;
    enum problem p = caller(c, &peer);

    json_decref(peer);
    if (p == PROBLEM_OK) {
        p = form_text(c, "kind", 20, &claim.kind);
    }
    if (p == PROBLEM_OK) {
        p = form_text(c, "name", 255, &claim.name);
    }
    if (p == PROBLEM_OK) {
        p = form_text(c, "id_number", 18, &claim.id_number);
    }
    if (p == PROBLEM_OK) {
        p = realname_check(c, &claim);
    }
    return p == PROBLEM_OK || p == PROBLEM_IDENTITY_MISMATCH
               ? rest_answer(c, 200, json_pack("{s:b}", "match", p == PROBLEM_OK))
               : p;
}

/* Registrations -----------------------------------------------------------------------------------
 */
static enum problem read_info(struct rest_call *c, json_t **info)
{
    const char *text = NULL;
    enum problem p = form_text(c, "registration", INFO_MAX, &text);

    if (p == PROBLEM_OK) {
        *info = json_loadb(text, strlen(text), JSON_REJECT_DUPLICATES, NULL);
        p = json_is_object(*info) && !jsondepth_over(*info, REST_DEPTH_MAX)
                ? PROBLEM_OK
                : rest_fail(c, PROBLEM_FIELD_INVALID, "/registration", "a JSON object is needed");
    }
    if (p == PROBLEM_OK && (!row_text(*info, "real_name")[0] || !row_text(*info, "id_number")[0])) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/registration",
                      "real_name and id_number are needed: nobody is registered unproven");
    }
    return p;
}

static enum problem take_registration(struct rest_call *c, struct account *a)
{
    struct store_txn *txn = NULL;
    enum problem p = account_prepare(c, a);

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    return p == PROBLEM_OK ? rest_finish(c, &txn, account_store(c, txn, a, true)) : p;
}

/* Sent again it changes nothing, but for what has changed there. */
enum problem peers_registrations(struct rest_call *c)
{
    json_t *peer = NULL, *info = NULL;
    enum problem p = caller(c, &peer);

    if (p == PROBLEM_OK && !peer_flag(peer, "registers")) {
        p = rest_fail(c, PROBLEM_NOT_PERMITTED, "", "this peer may not register users");
    }
    if (p == PROBLEM_OK) {
        p = read_info(c, &info);
    }
    struct account a = {.peer = peer, .info = info};
    if (p == PROBLEM_OK) {
        p = take_registration(c, &a);
    }
    if (p == PROBLEM_OK) {
        p = rest_answer(
            c, 200,
            json_pack("{s:s, s:b}", "user_id", row_text(a.user, "id"), "created", a.created));
    }
    account_fini(&a);
    json_decref(peer);
    json_decref(info);
    return p;
}
