/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-out between platforms (GS-6.4d; OpenID Connect Back-Channel Logout 1.0). A token tells that
 * a session is over: one of the peer's, that ours came from; or ours, told by a peer whose user
 * signed out there. What hangs on it ends, and whoever else has it is told in turn. */
#include <stdio.h>

#include "identity/identity.h"
#include "oauth/oauth.h"
#include "peers/inner.h"

#define EVENT "http://schemas.openid.net/event/backchannel-logout"
#define BATCH 64

/* Whom to tell ------------------------------------------------------------------------------------
 */
enum problem peers_note_logout(struct rest_call *c, struct store_txn *txn, const char *session_id)
{
    static const char apps[] =
        "INSERT INTO logout_deliveries (receiver, session_id, user_id, audience, uri, state, "
        "attempts, due_at) SELECT DISTINCT f.app_id, s.id, s.user_id, f.app_id, "
        "k.backchannel_logout_uri, 'due', 0, ? FROM sessions s JOIN oauth_families f ON "
        "f.session_id = s.id JOIN clients k ON k.app_id = f.app_id AND k.state <> 'removed' WHERE "
        "s.id = ? AND k.backchannel_logout_uri IS NOT NULL ON CONFLICT DO NOTHING";
    static const char peer[] =
        "INSERT INTO logout_deliveries (receiver, session_id, user_id, audience, uri, state, "
        "attempts, due_at) SELECT p.id, s.peer_sid, a.subject, p.issuer, "
        "json_extract(p.metadata, '$.peer_logout_endpoint'), 'due', 0, ? FROM sessions s JOIN "
        "peers "
        "p ON p.id = s.peer_id JOIN peer_accounts a ON a.peer_id = p.id AND a.user_id = s.user_id "
        "AND a.state = 'active' WHERE s.id = ? AND s.peer_sid <> '' AND "
        "substr(json_extract(p.metadata, '$.peer_logout_endpoint'), 1, length(p.issuer) + 1) = "
        "p.issuer || '/' LIMIT 1 ON CONFLICT DO NOTHING";
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_text(session_id)};
    enum store_err err = store_exec(txn, apps, v, 2, NULL);

    if (err == STORE_OK) {
        err = store_exec(txn, peer, v, 2, NULL);
    }
    return rest_store_problem(c, err);
}

/* Being told --------------------------------------------------------------------------------------
 */
static enum problem invalid(struct rest_call *c, const char *why)
{
    return rest_fail(c, PROBLEM_PEER_REFUSED, "/logout_token", "%s", why);
}

static enum problem load_peer(struct rest_call *c, const char *issuer, json_t **peer)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = peer_load(c, txn, "issuer", issuer, peer);
    }
    store_rollback(&txn);
    return p == PROBLEM_NOT_FOUND ? invalid(c, "it is of nobody we trust") : p;
}

static enum problem check_claims(struct rest_call *c, const json_t *peer, const json_t *claims)
{
    const json_t *event = json_object_get(json_object_get(claims, "events"), EVENT);
    const char *jti = row_text(claims, "jti");
    char scope[64];

    if (!json_is_object(event)) {
        return invalid(c, "it is no logout token");
    }
    if (json_object_get(claims, "nonce")) {
        return invalid(c, "a logout token has no nonce");
    }
    if (!jti[0] || (!row_text(claims, "sid")[0] && !row_text(claims, "sub")[0])) {
        return invalid(c, "jti, and sid or sub, are needed");
    }
    snprintf(scope, sizeof scope, "logout:%s", row_text(peer, "id"));
    json_int_t exp = json_integer_value(json_object_get(claims, "exp"));
    return oauth_used_once(c, scope, jti, (uint64_t)exp + 120) ? PROBLEM_OK
                                                               : invalid(c, "it has been used");
}

/* Ids of sessions, by a query with two values. */
static enum problem ids_of(struct rest_call *c, struct store_txn *txn, const char *sql,
                           const char *one, const char *two,
                           char ids[static BATCH][UUID_TEXT_LEN + 1], size_t *n)
{
    const struct store_value v[] = {store_text(one), store_text(two)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, 2, &rows);

    *n = 0;
    while (err == STORE_OK && *n < BATCH && store_next(rows)) {
        snprintf(ids[(*n)++], UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem end_all(struct rest_call *c, struct store_txn *txn, const char *sql,
                            const char *one, const char *two)
{
    char ids[BATCH][UUID_TEXT_LEN + 1];
    size_t n = 0;
    enum problem p;

    do {
        p = ids_of(c, txn, sql, one, two, ids, &n);
        for (size_t i = 0; p == PROBLEM_OK && i < n; i++) {
            p = identity_session_end(c, txn, ids[i]);
        }
    } while (p == PROBLEM_OK && n == BATCH);
    return p;
}

/* ours: the session is one of our own, the peer's user came from here. */
static enum problem end(struct rest_call *c, const json_t *peer, const json_t *claims, bool ours)
{
    static const char by_sid[] = "SELECT id FROM sessions WHERE peer_id = ? AND peer_sid = ? LIMIT "
                                 "64";
    static const char by_sub[] =
        "SELECT s.id FROM sessions s JOIN peer_accounts a ON a.peer_id = s.peer_id AND a.user_id = "
        "s.user_id AND a.state = 'active' WHERE s.peer_id = ? AND a.subject = ? LIMIT 64";
    static const char given[] = "SELECT DISTINCT s.id FROM sessions s JOIN oauth_families f ON "
                                "f.session_id = s.id WHERE f.app_id = ? AND s.id = ? LIMIT 64";
    const char *sid = row_text(claims, "sid"), *sub = row_text(claims, "sub"),
               *id = row_text(peer, "id");
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    snprintf(c->user.login, sizeof c->user.login, "peer:%s", row_text(peer, "name"));
    if (ours) {
        p = sid[0] ? end_all(c, txn, given, row_text(peer, "app_id"), sid)
                   : invalid(c, "sid is needed");
    } else {
        p = sid[0] ? end_all(c, txn, by_sid, id, sid) : end_all(c, txn, by_sub, id, sub);
    }
    return rest_finish(c, &txn, p);
}

static enum problem judge(struct rest_call *c, const char *text, const struct jwt *j)
{
    const char *issuer = oauth_issuer(c->ctl),
               *typ = json_string_value(json_object_get(j->header, "typ"));
    struct provider provider = {0};
    json_t *peer = NULL, *claims = NULL;
    bool ours = strcmp(jwt_text(j, "aud"), issuer) == 0;
    enum problem p = load_peer(c, jwt_text(j, "iss"), &peer);

    if (p == PROBLEM_OK && typ && strcmp(typ, "logout+jwt") != 0 && strcmp(typ, "JWT") != 0) {
        p = invalid(c, "it is no logout token");
    }
    if (p == PROBLEM_OK) {
        p = provider_open(c, peer, &provider);
    }
    if (p == PROBLEM_OK) {
        claims = provider_claims(c, &provider, text, ours ? issuer : row_text(peer, "client_id"));
        p = claims ? check_claims(c, peer, claims) : PROBLEM_PEER_REFUSED;
    }
    if (p == PROBLEM_OK) {
        p = end(c, peer, claims, ours);
    }
    provider_fini(&provider);
    json_decref(claims);
    json_decref(peer);
    return p;
}

enum problem peers_logout(struct rest_call *c)
{
    const char *text = rest_form(c, "logout_token");
    struct jwt j = {0};

    if (!text || jwt_read(&j, slice_str(text)) != JWT_OK) {
        return invalid(c, "a signed token is needed");
    }
    enum problem p = judge(c, text, &j);
    jwt_fini(&j);
    return p == PROBLEM_OK ? rest_answer(c, 200, json_object()) : p;
}
