/* SPDX-License-Identifier: Apache-2.0 */
/* What we ask of a peer beside sign-on: that those who registered here have an account there
 * (GS-6.4a-2), and whether a name and a number belong together (GS-6.4a-1). */
#include <stdio.h>
#include <stdlib.h>

#include "peers/inner.h"

#define BATCH      5 /* a peer and turn, so that one that hangs holds up the other jobs little */
#define RETRY_MS   5000ull
#define RETRY_LONG 9 /* doublings: about 40 minutes */

struct due {
    char user[UUID_TEXT_LEN + 1];
    int64_t revision, attempts;
};

/* Accounts of people registered here, as they are now, that the peer has not been told of. Those it
 * sent us itself it knows. */
static enum problem read_due(struct rest_call *c, const char *peer, struct due due[static BATCH],
                             size_t *n)
{
    static const char sql[] =
        "SELECT u.id, u.revision, coalesce(r.attempts, 0) FROM users u LEFT JOIN "
        "peer_registrations r ON r.peer_id = ? AND r.user_id = u.id WHERE u.role = 'owner' AND "
        "u.state = 'active' AND u.id_number_sealed IS NOT NULL AND coalesce(r.revision, 0) < "
        "u.revision AND coalesce(r.due_at, 0) <= ? AND NOT EXISTS (SELECT 1 FROM peer_accounts a "
        "WHERE a.user_id = u.id AND a.peer_id = ? AND a.state = 'active') LIMIT ?";
    const struct store_value v[] = {store_text(peer), store_int((int64_t)c->now_ms),
                                    store_text(peer), store_int(BATCH)};
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    *n = 0;
    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);
    while (err == STORE_OK && *n < BATCH && store_next(rows)) {
        struct due *d = &due[(*n)++];
        snprintf(d->user, sizeof d->user, "%s", store_get_text(rows, 0));
        d->revision = store_get_int(rows, 1);
        d->attempts = store_get_int(rows, 2);
    }
    p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    store_rollback(&txn);
    return p;
}

static enum problem note(struct rest_call *c, const char *peer, const struct due *d, bool told)
{
    unsigned doublings = (unsigned)(d->attempts < RETRY_LONG ? d->attempts : RETRY_LONG);
    const struct store_value v[] = {
        store_text(peer), store_text(d->user), store_int(told ? d->revision : 0),
        store_int(told ? 0 : d->attempts + 1),
        store_int(told ? 0 : (int64_t)(c->now_ms + (RETRY_MS << doublings)))};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err =
        store_exec(txn,
                   "INSERT INTO peer_registrations (peer_id, user_id, revision, attempts, due_at) "
                   "VALUES (?, ?, ?, ?, ?) ON CONFLICT (peer_id, user_id) DO UPDATE SET revision = "
                   "excluded.revision, attempts = excluded.attempts, due_at = excluded.due_at",
                   v, COUNT(v), NULL);
    return rest_finish(c, &txn, rest_store_problem(c, err));
}

static enum problem load_user(struct rest_call *c, const char *id, json_t **user)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &users_resource, id, user);
    }
    store_rollback(&txn);
    return p;
}

static enum problem send(struct rest_call *c, struct provider *provider, const char *address,
                         const char *user_id)
{
    json_t *user = NULL, *fields = json_array(), *answer = NULL;
    enum problem p = load_user(c, user_id, &user);

    for (size_t i = 0; account_fields[i]; i++) {
        json_array_append_new(fields, json_string(account_fields[i]));
    }
    json_t *info = p == PROBLEM_OK ? account_info(c, user, fields) : NULL;
    char *text = info ? json_dumps(info, JSON_COMPACT) : NULL;
    if (text) {
        const char *const members[] = {"registration", text, NULL};
        p = provider_ask(c, provider, address, members, &answer);
        crypto_wipe(text, strlen(text));
    }
    free(text);
    json_decref(info);
    json_decref(fields);
    json_decref(user);
    json_decref(answer);
    return p;
}

static enum problem tell(struct rest_call *c, const json_t *peer)
{
    struct provider provider = {0};
    struct due due[BATCH];
    size_t n = 0;
    enum problem p = read_due(c, row_text(peer, "id"), due, &n);

    if (p != PROBLEM_OK || n == 0) {
        return p;
    }
    enum problem open = provider_open(c, peer, &provider);
    const char *address =
        open == PROBLEM_OK ? provider_address(&provider, "peer_registrations_endpoint") : NULL;
    for (size_t i = 0; i < n && p == PROBLEM_OK; i++) {
        bool told = address && send(c, &provider, address, due[i].user) == PROBLEM_OK;
        p = note(c, row_text(peer, "id"), &due[i], told);
    }
    provider_fini(&provider);
    c->detail[0] = '\0';
    return p;
}

static enum problem next_told(struct rest_call *c, char id[static UUID_TEXT_LEN + 1], json_t **peer)
{
    const struct store_value v = store_text(id);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    bool found = false;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn,
                                     "SELECT id FROM peers WHERE state = 'active' AND told = 1 AND "
                                     "id > ? ORDER BY id LIMIT 1",
                                     &v, 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        snprintf(id, UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
        found = true;
    }
    p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    if (p == PROBLEM_OK && found) {
        p = peer_load(c, txn, "id", id, peer);
    }
    store_rollback(&txn);
    return p;
}

enum problem peers_job_registrations(struct rest_call *c)
{
    char id[UUID_TEXT_LEN + 1] = "";
    enum problem p = PROBLEM_OK;
    json_t *peer = NULL;

    do {
        json_decref(peer);
        peer = NULL;
        p = next_told(c, id, &peer);
        if (p == PROBLEM_OK && peer) {
            p = tell(c, peer);
        }
    } while (p == PROBLEM_OK && peer);
    json_decref(peer);
    return p;
}

enum problem peers_verify(struct rest_call *c, const char *name, const char *kind,
                          const char *real_name, const char *id_number, bool *match)
{
    const char *const members[] = {"kind", kind, "name", real_name, "id_number", id_number, NULL};
    struct provider provider = {0};
    json_t *peer = NULL, *answer = NULL;
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    *match = false;
    if (p == PROBLEM_OK) {
        p = peer_load(c, txn, "name", name, &peer);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        p = provider_open(c, peer, &provider);
    }
    const char *address =
        p == PROBLEM_OK ? provider_address(&provider, "peer_verifications_endpoint") : NULL;
    if (p == PROBLEM_OK) {
        p = address ? provider_ask(c, &provider, address, members, &answer)
                    : PROBLEM_PEER_UNAVAILABLE;
    }
    const json_t *verdict = json_object_get(answer, "match");
    bool told = p == PROBLEM_OK && json_is_boolean(verdict);
    *match = told && json_is_true(verdict);
    provider_fini(&provider);
    json_decref(answer);
    json_decref(peer);
    return told ? PROBLEM_OK
                : rest_fail(c, PROBLEM_SOURCE_UNAVAILABLE, "",
                            "the source of real-name verification gives no answer");
}
