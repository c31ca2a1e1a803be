/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoint (RFC 6749 3.2, 4.1.3, 4.4, 6; RFC 7636; OpenID Connect Core 3.1.3). */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "oauth/engine.h"
#include "oauth/inner.h"

#define ID_TOKEN_LIFE_S 3600

/* Access tokens -----------------------------------------------------------------------------------
 */
static void prepare(struct rest_call *c, const struct auth *a, struct token *t)
{
    *t = (struct token){.app = a->client->app,
                        .issued_ms = c->now_ms,
                        .expires_ms = c->now_ms + a->client->access_s * 1000ull,
                        .binding = (uint8_t)a->binding};
    uuid_new(&t->id);
    memcpy(t->thumb, a->thumb, sizeof t->thumb);
}

static json_t *answer_of(const struct auth *a, const char *text, const char *scope)
{
    return json_pack("{s:s, s:s, s:I, s:s}", "access_token", text, "token_type",
                     a->binding == TOKEN_DPOP ? "DPoP" : "Bearer", "expires_in",
                     (json_int_t)a->client->access_s, "scope", scope);
}

/* Client credentials ------------------------------------------------------------------------------
 */
static bool add_own(struct token *t, const struct client_api *api, struct buf *scope,
                    struct oauth_error *e)
{
    for (size_t i = 0; i < t->n_apis; i++) {
        if (uuid_eq(&t->apis[i], &api->id)) {
            return true;
        }
    }
    if (t->n_apis == TOKEN_SCOPES_MAX) {
        return oauth_refuse(e, "invalid_scope", "at most %d APIs a token: name them in scope",
                            TOKEN_SCOPES_MAX);
    }
    t->apis[t->n_apis++] = api->id;
    buf_addf(scope, "%s%s", scope->n ? " " : "", api->scope);
    return true;
}

static bool own_apis(struct rest_call *c, const struct client *k, struct token *t,
                     struct buf *scope, struct oauth_error *e)
{
    const char *asked = rest_form(c, "scope");

    for (size_t i = 0; !asked && i < k->n_apis; i++) {
        if (client_api_live(&k->apis[i], c->now_ms) && !add_own(t, &k->apis[i], scope, e)) {
            return false;
        }
    }
    for (const char *at = asked ? asked : ""; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        const struct client_api *api = client_api_by_scope(k, at, n, c->now_ms);
        if (n > 0 && !api) {
            return oauth_refuse(e, "invalid_scope",
                                "an app acting for itself asks for APIs it is subscribed to");
        }
        if (api && !add_own(t, api, scope, e)) {
            return false;
        }
        at += n;
    }
    return t->n_apis > 0 ? true : oauth_refuse(e, "invalid_scope", "no approved subscription");
}

/* No user, no grant: owner-scoped data stays closed to it at the gateway. */
bool grant_own(struct rest_call *c, struct auth *a, json_t **answer, struct oauth_error *e)
{
    char text[TOKEN_TEXT_MAX];
    struct buf scope;
    struct token t;

    if (!a->client->own) {
        return oauth_refuse(e, "unauthorized_client",
                            "the client's grant_types lack client_credentials");
    }
    prepare(c, a, &t);
    buf_init(&scope);
    bool ok = own_apis(c, a->client, &t, &scope, e);
    buf_addc(&scope, '\0');
    if (ok && !oauth_seal(c, &t, text)) {
        ok = oauth_refuse(e, "server_error", "there is no key to seal with");
    }
    const struct journal_record r = {t.id, t.app, t.issued_ms, t.expires_ms, t.binding};
    if (ok && !journal_add(c->ctl->oauth->journal, &r)) {
        ok = oauth_refuse(e, "temporarily_unavailable", "the record of tokens is full");
    }
    if (ok) {
        *answer = answer_of(a, text, scope.p);
    }
    crypto_wipe(text, sizeof text);
    buf_fini(&scope);
    return ok;
}

/* Users' tokens -----------------------------------------------------------------------------------
 */
/* The standing's APIs that the app may still call and, on a refresh, that are asked for again. */
static void user_apis(struct rest_call *c, const struct client *k, const struct oauth_standing *s,
                      const char *asked, struct token *t, struct buf *scope)
{
    static const char *const plain[] = {"openid", "profile"};
    json_t *v;
    size_t i;

    for (i = 0; i < COUNT(plain); i++) {
        size_t n = strlen(plain[i]);
        if (oauth_scope_has(row_text(s->params, "scope"), plain[i], n) &&
            (!asked || oauth_scope_has(asked, plain[i], n))) {
            buf_addf(scope, "%s%s", scope->n ? " " : "", plain[i]);
        }
    }
    json_array_foreach(s->apis, i, v)
    {
        const char *name = row_text(v, "name"), *id = row_text(v, "api_id");
        struct uuid api;
        if (t->n_apis < TOKEN_SCOPES_MAX && uuid_parse(&api, id, strlen(id)) &&
            client_api_by_id(k, &api, c->now_ms) &&
            (!asked || oauth_scope_has(asked, name, strlen(name)))) {
            t->apis[t->n_apis++] = api;
            buf_addf(scope, "%s%s", scope->n ? " " : "", name);
        }
    }
    buf_addc(scope, '\0');
}

static void user_grants(const struct oauth_standing *s, struct token *t)
{
    json_t *v;
    size_t i;

    json_array_foreach(s->grants, i, v)
    {
        if (t->n_grants < TOKEN_GRANTS_MAX &&
            uuid_parse(&t->grants[t->n_grants], json_string_value(v), json_string_length(v))) {
            t->n_grants++;
        }
    }
}

static void parse_id(struct uuid *id, const char *text)
{
    if (!uuid_parse(id, text, strlen(text))) {
        *id = (struct uuid){0};
    }
}

static json_t *amr_of(unsigned factors)
{
    static const struct {
        unsigned factor;
        const char *name;
    } names[] = {{TOKEN_PASSWORD, "pwd"}, {TOKEN_OTP, "otp"}, {TOKEN_USER_CERTIFICATE, "swk"}};
    json_t *amr = json_array();
    size_t n = 0;

    for (size_t i = 0; i < COUNT(names); i++) {
        if (factors & names[i].factor) {
            json_array_append_new(amr, json_string(names[i].name));
            n++;
        }
    }
    if (n > 1) {
        json_array_append_new(amr, json_string("mfa"));
    }
    return amr;
}

/* at_hash: the left half of the token's SHA-256 (OpenID Connect Core 3.1.3.6). */
static json_t *id_token_claims(struct rest_call *c, const struct auth *a,
                               const struct oauth_standing *s, const char *access_token)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    char at_hash[CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN / 2) + 1];
    json_int_t now_s = (json_int_t)(c->now_ms / 1000);
    bool several = (s->factors & (s->factors - 1)) != 0;

    crypto_hash(CRYPTO_SHA256, access_token, strlen(access_token), digest);
    at_hash[codec_base64url(at_hash, digest, sizeof digest / 2)] = '\0';
    json_t *claims =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:o}", "iss", oauth_issuer(c->ctl),
                  "sub", s->user, "aud", a->client->id, "azp", a->client->id, "iat", now_s, "exp",
                  now_s + ID_TOKEN_LIFE_S, "auth_time", (json_int_t)(s->signed_in_ms / 1000),
                  "at_hash", at_hash, "acr", several ? "2" : "1", "amr", amr_of(s->factors));
    if (row_text(s->params, "nonce")[0]) {
        json_object_set(claims, "nonce", json_object_get(s->params, "nonce"));
    }
    if (s->session[0]) {
        json_object_set_new(claims, "sid", json_string(s->session));
    }
    return claims;
}

static bool add_id_token(struct rest_call *c, const struct auth *a, const struct oauth_standing *s,
                         const char *access_token, json_t *answer, struct oauth_error *e)
{
    if (!oauth_scope_has(row_text(answer, "scope"), "openid", 6)) {
        return true;
    }
    json_t *claims = id_token_claims(c, a, s, access_token);
    char *text = claims ? oauth_jwt_sign(c, claims, "JWT") : NULL;

    json_decref(claims);
    if (!text) {
        return oauth_refuse(e, "server_error", "the id token cannot be signed");
    }
    json_object_set_new(answer, "id_token", json_string(text));
    crypto_wipe(text, strlen(text));
    free(text);
    return true;
}

static bool user_token(struct rest_call *c, struct auth *a, const struct oauth_standing *s,
                       const char *asked, json_t **answer, struct oauth_error *e)
{
    char text[TOKEN_TEXT_MAX];
    struct buf scope;
    struct token t;

    prepare(c, a, &t);
    parse_id(&t.user, s->user);
    parse_id(&t.session, s->session);
    parse_id(&t.family, s->family);
    t.signed_in_ms = s->signed_in_ms;
    t.factors = (uint8_t)s->factors;
    buf_init(&scope);
    user_apis(c, a->client, s, asked, &t, &scope);
    user_grants(s, &t);
    bool ok = oauth_seal(c, &t, text) ? true : oauth_refuse(e, "server_error", "no key");
    if (ok) {
        *answer = answer_of(a, text, scope.p);
        if (json_object_get(s->params, "authorization_details")) {
            json_object_set(*answer, "authorization_details",
                            json_object_get(s->params, "authorization_details"));
        }
        ok = add_id_token(c, a, s, text, *answer, e);
    }
    crypto_wipe(text, sizeof text);
    buf_fini(&scope);
    return ok;
}

static bool log_issue(struct rest_call *c, struct store_txn *txn, const struct auth *a,
                      const struct oauth_standing *s, const char *by, struct oauth_error *e)
{
    enum problem p = oauth_log(c, txn, a->client->id, "issue", "token", s->family,
                               json_pack("{s:s, s:s}", "user", s->user, "by", by));
    return p == PROBLEM_OK ? true : oauth_refuse_problem(c, e, p);
}

static bool add_refresh(struct rest_call *c, struct store_txn *txn, const struct auth *a,
                        const struct oauth_standing *s, json_t *answer, struct oauth_error *e)
{
    char text[OAUTH_CODE_TEXT];

    if (!a->client->refresh) {
        return true;
    }
    enum problem p = refresh_store(c, txn, s->family, s->expires_ms, text);
    if (p != PROBLEM_OK) {
        return oauth_refuse_problem(c, e, p);
    }
    json_object_set_new(answer, "refresh_token", json_string(text));
    crypto_wipe(text, sizeof text);
    return true;
}

/* A used code or refresh token was stolen from whoever came first, or by whoever came first: all
 * that came of it ends (RFC 6749 4.1.2, RFC 9700 4.14.2). The refusal commits. */
static bool end_family(struct rest_call *c, struct store_txn **txn, const char *family,
                       struct oauth_error *e)
{
    const struct oauth_revocation r = {.family_id = family};
    enum problem p = family[0] ? oauth_revoke(c, *txn, &r) : PROBLEM_OK;

    p = rest_finish(c, txn, p);
    return p == PROBLEM_OK ? oauth_refuse(e, "invalid_grant", "it has been used")
                           : oauth_refuse_problem(c, e, p);
}

static bool bad_grant(struct oauth_error *e, const char *why)
{
    return oauth_refuse(e, "invalid_grant", "%s", why);
}

/* The key that the code or refresh token is bound to, if any, must be the proof's. */
static bool key_fits(const struct auth *a, const char *jkt)
{
    char hex[65];

    if (!jkt[0]) {
        return true;
    }
    hex[codec_hex(hex, a->thumb, sizeof a->thumb)] = '\0';
    return a->binding == TOKEN_DPOP && strcmp(hex, jkt) == 0;
}

/* Authorization code ------------------------------------------------------------------------------
 */
static bool code_fits(struct rest_call *c, const struct auth *a, const struct oauth_standing *s,
                      struct oauth_error *e)
{
    const char *uri = rest_form(c, "redirect_uri"), *verifier = rest_form(c, "code_verifier");

    if (s->expires_ms <= c->now_ms) {
        return bad_grant(e, "the code is over");
    }
    if (!uri || strcmp(uri, row_text(s->params, "redirect_uri")) != 0) {
        return bad_grant(e, "redirect_uri is another than the request's");
    }
    if (!verifier || !oauth_verifier_fits(verifier, row_text(s->params, "code_challenge"))) {
        return bad_grant(e, "code_verifier does not fit the request's code_challenge");
    }
    return key_fits(a, s->jkt)
               ? true
               : oauth_refuse(e, "invalid_dpop_proof", "the code is bound to another key");
}

static enum problem use_code(struct rest_call *c, struct store_txn *txn, const char *code,
                             const char *family)
{
    uint8_t sm3[CRYPTO_HASH_LEN];

    oauth_secret_hash(code, sm3);
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_text(family),
                                    store_blob(sm3, sizeof sm3)};
    return rest_store_problem(
        c, store_exec(txn, "UPDATE oauth_codes SET used_at = ?, family_id = ? WHERE code_sm3 = ?",
                      v, 3, NULL));
}

static bool redeem(struct rest_call *c, struct store_txn *txn, struct auth *a,
                   struct oauth_standing *s, json_t **answer, struct oauth_error *e)
{
    bool live = false;
    enum problem p = standing_live(c, txn, s, &live);

    if (p == PROBLEM_OK && !live) {
        return bad_grant(e, "the consent or account behind it has ended");
    }
    s->expires_ms = c->now_ms + a->client->refresh_s * 1000ull;
    if (p == PROBLEM_OK) {
        p = family_store(c, txn, s);
    }
    if (p == PROBLEM_OK) {
        p = use_code(c, txn, rest_form(c, "code"), s->family);
    }
    if (p != PROBLEM_OK) {
        return oauth_refuse_problem(c, e, p);
    }
    return user_token(c, a, s, NULL, answer, e) && add_refresh(c, txn, a, s, *answer, e) &&
           log_issue(c, txn, a, s, "authorization_code", e);
}

static bool finish(struct rest_call *c, struct store_txn **txn, bool ok, struct oauth_error *e)
{
    if (!ok) {
        store_rollback(txn);
        return false;
    }
    enum problem p = rest_finish(c, txn, PROBLEM_OK);
    return p == PROBLEM_OK ? true : oauth_refuse_problem(c, e, p);
}

/* Session and user may end after consent: then there is no code any more (revocation.c marks it
 * used without a family). */
bool grant_code(struct rest_call *c, struct auth *a, json_t **answer, struct oauth_error *e)
{
    const char *code = rest_form(c, "code");
    struct oauth_standing s = {0};
    struct store_txn *txn = NULL;

    if (!a->client->code) {
        return oauth_refuse(e, "unauthorized_client",
                            "the client's grant_types lack authorization_code");
    }
    if (!code) {
        return oauth_refuse(e, "invalid_request", "code is needed");
    }
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p == PROBLEM_OK) {
        p = standing_of_code(c, txn, code, &s);
    }
    bool ok = p == PROBLEM_OK ? true : oauth_refuse_problem(c, e, p);
    if (ok && strcmp(s.app_id, a->client->id) != 0) {
        ok = bad_grant(e, "the code is not one of this client's");
    }
    if (ok && s.used_ms) {
        ok = end_family(c, &txn, s.family, e);
    }
    ok = ok && code_fits(c, a, &s, e) && redeem(c, txn, a, &s, answer, e);
    ok = finish(c, &txn, ok, e);
    standing_fini(&s);
    return ok;
}

/* Refresh -----------------------------------------------------------------------------------------
 */
static bool refresh_fits(struct rest_call *c, struct store_txn *txn, const struct auth *a,
                         const struct oauth_standing *s, struct oauth_error *e)
{
    bool live = false;

    if (s->revoked_ms || s->expires_ms <= c->now_ms) {
        return bad_grant(e, "the refresh token is over or revoked");
    }
    if (!key_fits(a, s->jkt)) {
        return oauth_refuse(e, "invalid_dpop_proof", "the refresh token is bound to another key");
    }
    enum problem p = standing_live(c, txn, s, &live);
    if (p != PROBLEM_OK) {
        return oauth_refuse_problem(c, e, p);
    }
    return live ? true : bad_grant(e, "the consent or account behind it has ended");
}

/* A narrower scope is for this access token alone (RFC 6749 6). */
static bool scope_within(struct rest_call *c, const struct oauth_standing *s, struct oauth_error *e)
{
    const char *asked = rest_form(c, "scope");

    for (const char *at = asked ? asked : ""; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " "), i;
        bool there = n == 0 || oauth_scope_has(row_text(s->params, "scope"), at, n);
        json_t *v;
        json_array_foreach(s->apis, i, v)
        {
            there = there ||
                    (strlen(row_text(v, "name")) == n && memcmp(row_text(v, "name"), at, n) == 0);
        }
        if (!there) {
            return oauth_refuse(e, "invalid_scope", "more than what was granted");
        }
        at += n;
    }
    return true;
}

/* FAPI 2.0 5.3.2.1 forbids rotation: a client that authenticates and is sender-constrained gains
 * nothing by it and loses its token to a lost answer. */
static bool rotate(struct rest_call *c, struct store_txn *txn, const struct auth *a,
                   const struct oauth_standing *s, json_t *answer, struct oauth_error *e)
{
    uint8_t sm3[CRYPTO_HASH_LEN];

    if (a->client->fapi2) {
        return true;
    }
    oauth_secret_hash(rest_form(c, "refresh_token"), sm3);
    const struct store_value v[] = {store_int((int64_t)c->now_ms), store_blob(sm3, sizeof sm3)};
    enum problem p = rest_store_problem(
        c, store_exec(txn, "UPDATE oauth_refresh_tokens SET used_at = ? WHERE token_sm3 = ?", v, 2,
                      NULL));
    return p == PROBLEM_OK ? add_refresh(c, txn, a, s, answer, e) : oauth_refuse_problem(c, e, p);
}

bool grant_refresh(struct rest_call *c, struct auth *a, json_t **answer, struct oauth_error *e)
{
    const char *token = rest_form(c, "refresh_token");
    struct oauth_standing s = {0};
    struct store_txn *txn = NULL;

    if (!a->client->refresh) {
        return oauth_refuse(e, "unauthorized_client",
                            "the client's grant_types lack refresh_token");
    }
    if (!token) {
        return oauth_refuse(e, "invalid_request", "refresh_token is needed");
    }
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p == PROBLEM_OK) {
        p = standing_of_refresh(c, txn, token, &s);
    }
    bool ok = p == PROBLEM_OK ? true : oauth_refuse_problem(c, e, p);
    if (ok && strcmp(s.app_id, a->client->id) != 0) {
        ok = bad_grant(e, "the refresh token is not one of this client's");
    }
    if (ok && s.used_ms) {
        ok = end_family(c, &txn, s.family, e);
    }
    ok = ok && refresh_fits(c, txn, a, &s, e) && scope_within(c, &s, e) &&
         user_token(c, a, &s, rest_form(c, "scope"), answer, e) &&
         rotate(c, txn, a, &s, *answer, e) && log_issue(c, txn, a, &s, "refresh_token", e);
    ok = finish(c, &txn, ok, e);
    standing_fini(&s);
    return ok;
}

/* ------------------------------------------------------------------------------------------------
 */
static const struct {
    const char *type;
    bool (*run)(struct rest_call *c, struct auth *a, json_t **answer, struct oauth_error *e);
} grant_types[] = {
    {"client_credentials", grant_own},
    {"authorization_code", grant_code},
    {"refresh_token", grant_refresh},
};

enum problem oauth_token(struct rest_call *c)
{
    const char *type = rest_form(c, "grant_type");
    struct oauth_error e = {0};
    struct auth a = {0};
    json_t *answer = NULL;
    size_t i = 0;

    while (type && i < COUNT(grant_types) && strcmp(grant_types[i].type, type) != 0) {
        i++;
    }
    bool ok = oauth_authenticate(c, &a, &e);
    if (ok && (!type || i == COUNT(grant_types))) {
        ok = oauth_refuse(&e, type ? "unsupported_grant_type" : "invalid_request",
                          "grant_type is client_credentials, authorization_code or refresh_token");
    }
    ok = ok && oauth_bind(c, &a, &e) && grant_types[i].run(c, &a, &answer, &e);
    auth_fini(&a);
    rest_header(c, "Pragma", "no-cache");
    if (!ok) {
        json_decref(answer);
        return oauth_answer_error(c, &e);
    }
    return rest_answer(c, 200, answer);
}
