/* SPDX-License-Identifier: Apache-2.0 */
/* Pushed requests, introspection, revocation, userinfo (RFC 9126, 7662, 7009; OpenID Connect Core
 * 5.3). */
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "oauth/engine.h"
#include "oauth/inner.h"

/* Pushed authorization requests -------------------------------------------------------------------
 */
static bool push(struct rest_call *c, struct auth *a, struct oauth_request *r,
                 struct oauth_error *e)
{
    uint8_t thumb[CRYPTO_HASH_LEN];
    struct store_txn *txn = NULL;
    bool redirect = false;

    if (rest_form(c, "request_uri")) {
        return oauth_refuse(e, "invalid_request", "request_uri is what this answers, not takes");
    }
    if (rest_request_header(c, "DPoP")) { /* RFC 9449 10.1 */
        if (!dpop_check(c, NULL, thumb, e)) {
            return false;
        }
        r->dpop_jkt[codec_hex(r->dpop_jkt, thumb, sizeof thumb)] = '\0';
    }
    if (!oauth_request_check(c, a->client, rest_form, r, &redirect, e)) {
        return false;
    }
    json_object_set_new(r->params, "client_id", json_string(a->client->id));
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    p = p == PROBLEM_OK ? rest_finish(c, &txn, oauth_request_store(c, txn, a->client->id, r, true))
                        : p;
    return p == PROBLEM_OK ? true : oauth_refuse_problem(c, e, p);
}

enum problem oauth_par(struct rest_call *c)
{
    struct oauth_request r = {0};
    struct oauth_error e = {0};
    struct auth a = {0};
    char uri[sizeof OAUTH_REQUEST_URI + OAUTH_REQUEST_ID_TEXT];

    bool ok = oauth_authenticate(c, &a, &e) && push(c, &a, &r, &e);
    snprintf(uri, sizeof uri, "%s%s", OAUTH_REQUEST_URI, r.id);
    oauth_request_fini(&r);
    auth_fini(&a);
    return ok ? rest_answer(c, 201,
                            json_pack("{s:s, s:I}", "request_uri", uri, "expires_in",
                                      (json_int_t)(OAUTH_REQUEST_LIFE_MS / 1000)))
              : oauth_answer_error(c, &e);
}

/* Introspection -----------------------------------------------------------------------------------
 */
static json_t *confirmation(const struct token *t)
{
    char text[CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN) + 1];

    text[codec_base64url(text, t->thumb, sizeof t->thumb)] = '\0';
    return json_pack("{s:s}", t->binding == TOKEN_DPOP ? "jkt" : "x5t#S256", text);
}

static void scope_of(struct rest_call *c, const struct client *k, const struct token *t,
                     struct buf *scope)
{
    for (size_t i = 0; i < t->n_apis; i++) {
        const struct client_api *api = client_api_by_id(k, &t->apis[i], c->now_ms);
        if (api) {
            buf_addf(scope, "%s%s", scope->n ? " " : "", api->scope);
        }
    }
    buf_addc(scope, '\0');
}

static json_t *describe_access(struct rest_call *c, const struct client *k, const struct token *t)
{
    char jti[UUID_TEXT_LEN + 1], user[UUID_TEXT_LEN + 1];
    bool own = uuid_is_nil(&t->user);
    struct buf scope;

    uuid_format(&t->id, jti);
    uuid_format(&t->user, user);
    buf_init(&scope);
    scope_of(c, k, t, &scope);
    json_t *v = json_pack(
        "{s:b, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "active", 1, "scope", scope.p, "client_id",
        k->id, "sub", own ? k->id : user, "token_type",
        t->binding == TOKEN_DPOP ? "DPoP" : "Bearer", "iat", (json_int_t)(t->issued_ms / 1000),
        "exp", (json_int_t)(t->expires_ms / 1000), "jti", jti, "iss", oauth_issuer(c->ctl));
    if (t->binding != TOKEN_BEARER) {
        json_object_set_new(v, "cnf", confirmation(t));
    }
    buf_fini(&scope);
    return v;
}

/* NULL: not active, or another client's. */
static json_t *describe_refresh(struct rest_call *c, const struct client *k, const char *text)
{
    struct oauth_standing s = {0};
    struct store_txn *txn = NULL;
    json_t *v = NULL;
    bool live = false;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = standing_of_refresh(c, txn, text, &s);
    }
    if (p == PROBLEM_OK) {
        p = standing_live(c, txn, &s, &live);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK && live && strcmp(s.app_id, k->id) == 0 && !s.used_ms && !s.revoked_ms &&
        s.expires_ms > c->now_ms) {
        v = json_pack("{s:b, s:s, s:s, s:I, s:I, s:s}", "active", 1, "client_id", k->id, "sub",
                      s.user, "iat", (json_int_t)(s.created_ms / 1000), "exp",
                      (json_int_t)(s.expires_ms / 1000), "iss", oauth_issuer(c->ctl));
    }
    standing_fini(&s);
    return v;
}

/* A client learns of its own tokens alone; of any other, no more than that it is not active. */
enum problem oauth_introspect(struct rest_call *c)
{
    const char *text = rest_form(c, "token");
    struct oauth_error e = {0};
    struct auth a = {0};
    struct token t;
    json_t *answer = NULL;

    if (!oauth_authenticate(c, &a, &e)) {
        return oauth_answer_error(c, &e);
    }
    if (!text) {
        auth_fini(&a);
        oauth_refuse(&e, "invalid_request", "token is needed");
        return oauth_answer_error(c, &e);
    }
    if (strncmp(text, TOKEN_PREFIX, sizeof TOKEN_PREFIX - 1) == 0) {
        if (oauth_token_read(c, text, &t) == OAUTH_TOKEN_GOOD && uuid_eq(&t.app, &a.client->app)) {
            answer = describe_access(c, a.client, &t);
        }
    } else {
        answer = describe_refresh(c, a.client, text);
    }
    auth_fini(&a);
    return rest_answer(c, 200, answer ? answer : json_pack("{s:b}", "active", 0));
}

/* Revocation --------------------------------------------------------------------------------------
 */
static bool not_yours(struct oauth_error *e)
{
    return oauth_refuse(e, "invalid_request", "the token was not issued to this client");
}

static bool revoke_access(struct rest_call *c, const struct client *k, const char *text,
                          struct oauth_error *e)
{
    char id[UUID_TEXT_LEN + 1];
    struct store_txn *txn = NULL;
    struct token t;
    enum oauth_token_state state = oauth_token_read(c, text, &t);

    if (state == OAUTH_TOKEN_INVALID) {
        return true; /* RFC 7009 2.2: what was wanted is so */
    }
    if (!uuid_eq(&t.app, &k->app)) {
        return not_yours(e);
    }
    if (state != OAUTH_TOKEN_GOOD) {
        return true;
    }
    uuid_format(&t.id, id);
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, revocation_store(c, txn, "token", id));
    }
    return p == PROBLEM_OK ? true : oauth_refuse_problem(c, e, p);
}

static bool revoke_refresh(struct rest_call *c, const struct client *k, const char *text,
                           struct oauth_error *e)
{
    struct oauth_standing s = {0};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    bool foreign = false;

    if (p == PROBLEM_OK) {
        p = standing_of_refresh(c, txn, text, &s);
    }
    if (p == PROBLEM_OK && s.app_id[0]) {
        const struct oauth_revocation r = {.family_id = s.family};
        foreign = strcmp(s.app_id, k->id) != 0;
        p = foreign || s.revoked_ms ? PROBLEM_OK : oauth_revoke(c, txn, &r);
    }
    p = txn ? rest_finish(c, &txn, p) : p;
    standing_fini(&s);
    if (p != PROBLEM_OK) {
        return oauth_refuse_problem(c, e, p);
    }
    return foreign ? not_yours(e) : true;
}

enum problem oauth_revoke_token(struct rest_call *c)
{
    const char *text = rest_form(c, "token");
    struct oauth_error e = {0};
    struct auth a = {0};
    bool ok = oauth_authenticate(c, &a, &e);

    if (ok && !text) {
        ok = oauth_refuse(&e, "invalid_request", "token is needed");
    } else if (ok) {
        ok = strncmp(text, TOKEN_PREFIX, sizeof TOKEN_PREFIX - 1) == 0
                 ? revoke_access(c, a.client, text, &e)
                 : revoke_refresh(c, a.client, text, &e);
    }
    auth_fini(&a);
    return ok ? rest_answer(c, 200, json_object()) : oauth_answer_error(c, &e);
}

/* Userinfo ----------------------------------------------------------------------------------------
 */
static bool bad_token(struct oauth_error *e, const char *why)
{
    return oauth_refuse(e, "invalid_token", "%s", why);
}

/* A bound token counts with its proof alone (RFC 9449 7.1, RFC 8705 3). */
static bool proof_fits(struct rest_call *c, const struct token *t, const char *text, bool dpop,
                       struct oauth_error *e)
{
    uint8_t thumb[CRYPTO_HASH_LEN];

    if (dpop != (t->binding == TOKEN_DPOP)) {
        return bad_token(e, "the token is of the other kind, Bearer or DPoP");
    }
    if (dpop && !dpop_check(c, text, thumb, e)) {
        return false;
    }
    if (t->binding == TOKEN_CERTIFICATE) {
        crypto_hash(CRYPTO_SHA256, c->req->peer_certificate.p ? c->req->peer_certificate.p : "",
                    c->req->peer_certificate.n, thumb);
    }
    return t->binding == TOKEN_BEARER || crypto_equal(thumb, t->thumb, sizeof thumb)
               ? true
               : bad_token(e, "the token is bound to another key or certificate");
}

static bool shown_token(struct rest_call *c, struct token *t, struct oauth_error *e)
{
    const char *header = c->req->authorization ? c->req->authorization : "";
    bool dpop = strncasecmp(header, "DPoP ", 5) == 0;

    if (!dpop && strncasecmp(header, "Bearer ", 7) != 0) {
        return bad_token(e, "an access token is needed");
    }
    const char *text = header + (dpop ? 5 : 7);
    switch (oauth_token_read(c, text, t)) {
    case OAUTH_TOKEN_GOOD:
        return proof_fits(c, t, text, dpop, e);
    case OAUTH_TOKEN_OVER:
        return bad_token(e, "the access token is over");
    case OAUTH_TOKEN_REVOKED:
        return bad_token(e, "the access token is revoked");
    case OAUTH_TOKEN_INVALID:
        break;
    }
    return bad_token(e, "the access token is not one of this platform's");
}

static bool read_user(struct rest_call *c, const struct token *t, json_t **claims,
                      struct oauth_error *e)
{
    char id[UUID_TEXT_LEN + 1], family[UUID_TEXT_LEN + 1];
    struct oauth_standing s = {0};
    struct store_txn *txn = NULL;
    json_t *user = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    uuid_format(&t->user, id);
    uuid_format(&t->family, family);
    if (p == PROBLEM_OK) {
        p = standing_of_family(c, txn, family, &s);
    }
    if (p == PROBLEM_OK) {
        p = row_load(c, txn, &users_resource, id, false, &user);
    }
    store_rollback(&txn);
    const char *scope = row_text(s.params, "scope");
    bool ok = p == PROBLEM_OK && user && strcmp(row_text(user, "state"), "active") == 0;
    if (ok && !oauth_scope_has(scope, "openid", 6)) {
        ok = oauth_refuse(e, "insufficient_scope", "scope openid is needed");
    } else if (!ok) {
        bad_token(e, "the user's account is not active");
    }
    if (ok) {
        *claims = json_pack("{s:s}", "sub", id);
        if (oauth_scope_has(scope, "profile", 7)) {
            json_object_set(*claims, "name", json_object_get(user, "display_name"));
            json_object_set(*claims, "preferred_username", json_object_get(user, "login"));
        }
    }
    json_decref(user);
    standing_fini(&s);
    return ok;
}

enum problem oauth_userinfo(struct rest_call *c)
{
    struct oauth_error e = {0};
    struct token t;
    json_t *claims = NULL;
    char header[320];
    bool ok = rest_query(c, "access_token")
                  ? oauth_refuse(&e, "invalid_request", "an access token goes in the header alone")
                  : shown_token(c, &t, &e);

    if (ok && uuid_is_nil(&t.user)) {
        ok = oauth_refuse(&e, "insufficient_scope", "the token is an app's own, not a user's");
    }
    if (ok && read_user(c, &t, &claims, &e)) {
        return rest_answer(c, 200, claims);
    }
    if (strcmp(e.code, "invalid_dpop_proof") == 0) {
        snprintf(header, sizeof header, "DPoP error=\"%s\", algs=\"ES256 PS256 PS512\"", e.code);
        rest_header(c, "WWW-Authenticate", header);
        return rest_answer(c, 401,
                           json_pack("{s:s, s:s}", "error", e.code, "error_description", e.text));
    }
    snprintf(header, sizeof header, "Bearer error=\"%s\", error_description=\"%s\"", e.code,
             e.text);
    rest_header(c, "WWW-Authenticate", header);
    return oauth_answer_error(c, &e);
}
