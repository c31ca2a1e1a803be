/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-on from a peer (GS-6.4b, GS-6.4c): the authorization code flow with PKCE (RFC 7636), our
 * client assertion, nonce and iss (RFC 9207). The state lives in one browser and counts once, so
 * nobody can be led into another's session; the session's token is made here, when all is proven.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "identity/identity.h"
#include "oauth/oauth.h"
#include "peers/inner.h"
#include "token/token.h"
#include "web/web.h"

#define LIFE_MS  (10ull * 60 * 1000)
#define CALLBACK "/peers/callback"

struct sign_on {
    char state[FORM_TOKEN_TEXT], nonce[FORM_TOKEN_TEXT], verifier[FORM_TOKEN_TEXT];
    uint8_t state_sm3[CRYPTO_HASH_LEN];
    json_t *peer;
    char next[REST_TEXT_MAX];
    int64_t tried; /* -1: by hand; else how many peers were asked, this one among them */
};

static void from_state(const struct rest_call *c, const char *what, const char *state,
                       char out[static FORM_TOKEN_TEXT])
{
    uint8_t mac[CRYPTO_HASH_LEN];

    struct crypto_hmac *h =
        crypto_hmac_new(CRYPTO_SM3, keyring_kept(c->ctl, KEYRING_SIGN_ON), CRYPTO_KEY_LEN);
    crypto_hmac_begin(h);
    crypto_hmac_add(h, what, strlen(what) + 1);
    crypto_hmac_add(h, state, strlen(state));
    crypto_hmac_end(h, mac);
    crypto_hmac_free(&h);
    out[codec_base64url(out, mac, sizeof mac)] = '\0';
}

static void derive_all(const struct rest_call *c, struct sign_on *s)
{
    from_state(c, "nonce", s->state, s->nonce);
    from_state(c, "verifier", s->state, s->verifier);
    crypto_hash(CRYPTO_SM3, s->state, strlen(s->state), s->state_sm3);
}

static void browser_sm3(struct rest_call *c, uint8_t out[static CRYPTO_HASH_LEN])
{
    char value[FORM_TOKEN_TEXT];

    web_browser(c, value);
    crypto_hash(CRYPTO_SM3, value, strlen(value), out);
}

/* There -------------------------------------------------------------------------------------------
 */
static enum problem store(struct rest_call *c, const struct sign_on *s)
{
    uint8_t browser[CRYPTO_HASH_LEN];
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    browser_sm3(c, browser);
    const struct store_value v[] = {store_blob(s->state_sm3, CRYPTO_HASH_LEN),
                                    store_text(row_text(s->peer, "id")),
                                    store_blob(browser, sizeof browser),
                                    store_text(s->next),
                                    store_int(s->tried),
                                    store_int((int64_t)(c->now_ms + LIFE_MS))};
    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err =
        store_exec(txn,
                   "INSERT INTO peer_sign_ons (state_sm3, peer_id, browser_sm3, next, tried, "
                   "expires_at) VALUES (?, ?, ?, ?, ?, ?)",
                   v, COUNT(v), NULL);
    return rest_finish(c, &txn, rest_store_problem(c, err));
}

static enum problem lead(struct rest_call *c, const struct sign_on *s, const char *address,
                         const char *prompt)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    char challenge[FORM_TOKEN_TEXT], back[300];
    struct buf url;

    crypto_hash(CRYPTO_SHA256, s->verifier, strlen(s->verifier), digest);
    challenge[codec_base64url(challenge, digest, sizeof digest)] = '\0';
    snprintf(back, sizeof back, "%s" CALLBACK, oauth_issuer(c->ctl));
    const char *const parameters[] = {"response_type",
                                      "code",
                                      "client_id",
                                      row_text(s->peer, "client_id"),
                                      "redirect_uri",
                                      back,
                                      "scope",
                                      "openid profile",
                                      "state",
                                      s->state,
                                      "nonce",
                                      s->nonce,
                                      "code_challenge",
                                      challenge,
                                      "code_challenge_method",
                                      "S256",
                                      prompt ? "prompt" : NULL,
                                      prompt,
                                      NULL};
    buf_init(&url);
    buf_adds(&url, address);
    for (size_t i = 0; parameters[i]; i += 2) {
        url_parameter(&url, parameters[i], parameters[i + 1]);
    }
    buf_addc(&url, '\0');
    enum problem p = url.failed ? PROBLEM_INTERNAL : web_redirect(c, url.p);
    buf_wipe(&url);
    return p;
}

static enum problem begin(struct rest_call *c, json_t *peer, const char *next, int64_t tried,
                          const char *prompt)
{
    struct sign_on s = {.peer = peer, .tried = tried};
    struct provider provider;
    enum problem p = provider_open(c, peer, &provider);
    const char *address =
        p == PROBLEM_OK ? provider_address(&provider, "authorization_endpoint") : NULL;

    if (p == PROBLEM_OK && !address) {
        p = rest_fail(c, PROBLEM_PEER_UNAVAILABLE, "", "%s: it signs nobody on",
                      row_text(peer, "name"));
    }
    snprintf(s.next, sizeof s.next, "%s", next);
    crypto_random_text(s.state);
    derive_all(c, &s);
    if (p == PROBLEM_OK) {
        p = store(c, &s);
    }
    if (p == PROBLEM_OK) {
        p = lead(c, &s, address, prompt);
    }
    provider_fini(&provider);
    crypto_wipe(&s, sizeof s);
    return p;
}

static enum problem load_offered(struct rest_call *c, const char *id, json_t **peer)
{
    struct store_txn *txn = NULL;
    enum problem p = id ? rest_begin(c, STORE_READ, &txn) : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK) {
        p = peer_load(c, txn, "id", id, peer);
    }
    store_rollback(&txn);
    return p == PROBLEM_OK && !peer_flag(*peer, "offered") ? PROBLEM_NOT_FOUND : p;
}

enum problem peers_sign_on(struct rest_call *c)
{
    const char *again = rest_query(c, "again");
    json_t *peer = NULL;
    enum problem p = load_offered(c, rest_query(c, "peer"), &peer);

    if (p == PROBLEM_OK) {
        p = begin(c, peer, web_continuation(rest_query(c, "continue")), -1,
                  again && strcmp(again, "1") == 0 ? "login" : NULL);
    }
    json_decref(peer);
    return p == PROBLEM_OK ? p : page_problem(c, p);
}

/* Which peers -------------------------------------------------------------------------------------
 */
static enum problem list(struct rest_call *c, const char *column, json_t **items)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    char sql[200];
    enum problem p = rest_begin(c, STORE_READ, &txn);

    *items = json_array();
    if (p != PROBLEM_OK) {
        return p;
    }
    snprintf(sql, sizeof sql,
             "SELECT id, name FROM peers WHERE state = 'active' AND %s = 1 ORDER BY created_at, id "
             "LIMIT 20",
             column);
    enum store_err err = store_query(txn, sql, NULL, 0, &rows);
    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(*items, json_pack("{s:s, s:s}", "id", store_get_text(rows, 0), "name",
                                                store_get_text(rows, 1)));
    }
    p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    store_rollback(&txn);
    return p;
}

enum problem peers_offered(struct rest_call *c, json_t **items)
{
    return list(c, "offered", items);
}

static enum problem try_one(struct rest_call *c, const char *id, const char *next, unsigned tried,
                            bool *sent)
{
    struct store_txn *txn = NULL;
    json_t *peer = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = peer_load(c, txn, "id", id, &peer);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        p = begin(c, peer, next, (int64_t)tried, "none");
    }
    *sent = p == PROBLEM_OK;
    json_decref(peer);
    return p == PROBLEM_PEER_UNAVAILABLE || p == PROBLEM_NOT_FOUND ? PROBLEM_OK : p;
}

enum problem peers_try_silently(struct rest_call *c, const char *next, unsigned tried, bool *sent)
{
    json_t *items = NULL;
    enum problem p = list(c, "silent", &items);

    *sent = false;
    for (size_t i = tried; p == PROBLEM_OK && !*sent && i < json_array_size(items); i++) {
        p = try_one(c, row_text(json_array_get(items, i), "id"), next, (unsigned)i + 1, sent);
    }
    json_decref(items);
    if (!*sent) {
        c->detail[0] = '\0';
    }
    return p;
}

/* And back ----------------------------------------------------------------------------------------
 */
static enum problem refused(struct rest_call *c, const char *why)
{
    return rest_fail(c, PROBLEM_PEER_REFUSED, "", "%s", why);
}

/* Gone whatever comes of it: a state counts once. */
static enum problem drop(struct rest_call *c, struct store_txn *txn, const struct sign_on *s)
{
    const struct store_value v = store_blob(s->state_sm3, CRYPTO_HASH_LEN);

    return rest_store_problem(
        c, store_exec(txn, "DELETE FROM peer_sign_ons WHERE state_sm3 = ?", &v, 1, NULL));
}

static enum problem read_row(struct rest_call *c, struct store_txn *txn, struct sign_on *s,
                             char peer[static UUID_TEXT_LEN + 1], bool *same_browser)
{
    const struct store_value v[] = {store_blob(s->state_sm3, CRYPTO_HASH_LEN),
                                    store_int((int64_t)c->now_ms)};
    uint8_t browser[CRYPTO_HASH_LEN];
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn,
                                     "SELECT peer_id, browser_sm3, next, tried FROM peer_sign_ons "
                                     "WHERE state_sm3 = ? AND expires_at > ?",
                                     v, 2, &rows);

    peer[0] = '\0';
    browser_sm3(c, browser);
    if (err == STORE_OK && store_next(rows)) {
        struct slice stored = store_get_blob(rows, 1);
        *same_browser =
            stored.n == sizeof browser && crypto_equal(stored.p, browser, sizeof browser);
        snprintf(peer, UUID_TEXT_LEN + 1, "%s", store_get_text(rows, 0));
        snprintf(s->next, sizeof s->next, "%s", store_get_text(rows, 2));
        s->tried = store_get_int(rows, 3);
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem take(struct rest_call *c, struct sign_on *s)
{
    char peer[UUID_TEXT_LEN + 1];
    struct store_txn *txn = NULL;
    bool same_browser = false;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = read_row(c, txn, s, peer, &same_browser);
    if (p == PROBLEM_OK && peer[0] && same_browser) {
        p = drop(c, txn, s);
        p = p == PROBLEM_OK ? peer_load(c, txn, "id", peer, &s->peer) : p;
    }
    p = rest_finish(c, &txn, p == PROBLEM_NOT_FOUND ? PROBLEM_OK : p);
    return p == PROBLEM_OK && !s->peer
               ? refused(c, "the sign-on is over, or was begun in another browser")
               : p;
}

static unsigned factors_of(const json_t *peer, const json_t *claims)
{
    static const struct {
        const char *name;
        unsigned factor;
    } names[] = {{"pwd", TOKEN_PASSWORD}, {"otp", TOKEN_OTP}, {"swk", TOKEN_USER_CERTIFICATE}};
    unsigned factors = 0;
    json_t *v;
    size_t i;

    json_array_foreach(json_object_get(claims, "amr"), i, v)
    {
        for (size_t k = 0; json_is_string(v) && k < COUNT(names); k++) {
            factors |= strcmp(names[k].name, json_string_value(v)) == 0 ? names[k].factor : 0;
        }
    }
    return factors && peer_flag(peer, "trust_factors") ? factors : TOKEN_PASSWORD;
}

/* The time the user proved themselves there, not the time we were told; whole seconds, so up to
 * their end. */
static uint64_t signed_in_ms(const struct rest_call *c, const json_t *claims)
{
    json_int_t s = json_integer_value(json_object_get(claims, "auth_time"));
    uint64_t ms = s > 0 ? (uint64_t)s * 1000 + 999 : c->now_ms;

    return ms < c->now_ms ? ms : c->now_ms;
}

static enum problem open_session(struct rest_call *c, const struct sign_on *s, const json_t *claims,
                                 struct account *a)
{
    char token[SESSION_TOKEN_TEXT] = "";
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    snprintf(c->user.login, sizeof c->user.login, "peer:%s", row_text(s->peer, "name"));
    p = account_store(c, txn, a, peer_flag(s->peer, "registers"));
    if (p == PROBLEM_OK && strcmp(row_text(a->user, "state"), "active") != 0) {
        p = refused(c, "the account here is not active");
    }
    if (p == PROBLEM_OK) {
        const struct identity_voucher v = {.user = a->user,
                                           .peer_id = row_text(s->peer, "id"),
                                           .peer_sid = row_text(claims, "sid"),
                                           .factors = factors_of(s->peer, claims),
                                           .signed_in_ms = signed_in_ms(c, claims)};
        p = identity_vouch(c, txn, &v, token);
    }
    p = rest_finish(c, &txn, p);
    if (p == PROBLEM_OK) { /* one that opens nothing would be led here again and again */
        p = identity_session(c, token);
    }
    if (p == PROBLEM_OK) {
        web_cookie_set(c, token);
    }
    crypto_wipe(token, sizeof token);
    return p;
}

/* By our own interface where the peer has it and lets us, else by OpenID Connect's. */
static enum problem fetch_info(struct rest_call *c, struct provider *provider, const char *sub,
                               const char *token, json_t **info)
{
    const char *users = provider_address(provider, "peer_users_endpoint"),
               *userinfo = provider_address(provider, "userinfo_endpoint");
    const char *const members[] = {"sub", sub, NULL};
    enum problem p = users ? provider_ask(c, provider, users, members, info) : PROBLEM_PEER_REFUSED;

    if (p == PROBLEM_PEER_REFUSED && userinfo) {
        p = provider_get(c, provider, userinfo, token, info);
    }
    return p == PROBLEM_OK && strcmp(row_text(*info, "sub"), sub) != 0
               ? refused(c, "what it tells is of another user")
               : p;
}

static enum problem redeem(struct rest_call *c, const struct sign_on *s, struct provider *provider,
                           const char *code, json_t **tokens)
{
    const char *address = provider_address(provider, "token_endpoint");
    char back[300];

    snprintf(back, sizeof back, "%s" CALLBACK, oauth_issuer(c->ctl));
    const char *const members[] = {
        "grant_type", "authorization_code", "code",      code, "redirect_uri",
        back,         "code_verifier",      s->verifier, NULL};
    return address ? provider_ask(c, provider, address, members, tokens)
                   : rest_fail(c, PROBLEM_PEER_UNAVAILABLE, "", "it has no token endpoint");
}

static enum problem prove(struct rest_call *c, const struct sign_on *s, struct provider *provider,
                          const char *code)
{
    json_t *tokens = NULL, *claims = NULL, *info = NULL;
    struct account a = {.peer = s->peer};
    enum problem p = redeem(c, s, provider, code, &tokens);

    if (p == PROBLEM_OK) {
        claims = provider_claims(c, provider, row_text(tokens, "id_token"),
                                 row_text(s->peer, "client_id"));
        p = claims ? PROBLEM_OK : PROBLEM_PEER_REFUSED;
    }
    if (p == PROBLEM_OK && strcmp(row_text(claims, "nonce"), s->nonce) != 0) {
        p = refused(c, "the id token was made for another sign-on");
    }
    if (p == PROBLEM_OK) {
        p = fetch_info(c, provider, row_text(claims, "sub"), row_text(tokens, "access_token"),
                       &info);
    }
    if (p == PROBLEM_OK) {
        a.info = info;
        p = account_prepare(c, &a);
    }
    if (p == PROBLEM_OK) {
        p = open_session(c, s, claims, &a);
    }
    account_fini(&a);
    json_decref(tokens);
    json_decref(claims);
    json_decref(info);
    return p;
}

/* Where an answer comes from has to be who was asked (RFC 9207 2.4): mixed up, a code would go to
 * another provider. */
static bool answers(const struct rest_call *c, const struct provider *provider)
{
    const char *iss = rest_query(c, "iss");
    bool named = peer_flag(provider->metadata, "authorization_response_iss_parameter_supported");

    return iss ? strcmp(iss, row_text(provider->peer, "issuer")) == 0 : !named;
}

static enum problem come_back(struct rest_call *c, struct sign_on *s)
{
    const char *code = rest_query(c, "code"), *error = rest_query(c, "error");
    struct provider provider = {0};
    enum problem p = provider_open(c, s->peer, &provider);

    if (p == PROBLEM_OK && !answers(c, &provider)) {
        p = refused(c, "the answer is of another issuer");
    }
    if (p == PROBLEM_OK && (error || !code)) {
        p = rest_fail(c, PROBLEM_PEER_REFUSED, "", "%s: %.100s", row_text(s->peer, "name"),
                      error ? error : "no code");
    }
    if (p == PROBLEM_OK) {
        p = prove(c, s, &provider, code);
    }
    provider_fini(&provider);
    return p;
}

/* The next peer, or the page where one signs in by hand. */
static enum problem go_on(struct rest_call *c, const struct sign_on *s)
{
    char tried[16];
    struct buf url;

    snprintf(tried, sizeof tried, "%d", (int)s->tried);
    buf_init(&url);
    buf_adds(&url, "/login");
    url_parameter(&url, "continue", s->next);
    url_parameter(&url, "tried", tried);
    buf_addc(&url, '\0');
    enum problem p = url.failed ? PROBLEM_INTERNAL : web_redirect(c, url.p);
    buf_fini(&url);
    return p;
}

enum problem peers_callback(struct rest_call *c)
{
    const char *state = rest_query(c, "state");
    struct sign_on s = {.tried = -1};

    if (!state || strlen(state) != FORM_TOKEN_TEXT - 1) {
        return page_problem(c, refused(c, "there is no such sign-on"));
    }
    snprintf(s.state, sizeof s.state, "%s", state);
    derive_all(c, &s);
    enum problem p = take(c, &s);
    if (p == PROBLEM_OK) {
        p = come_back(c, &s);
        if (p == PROBLEM_OK) {
            p = web_redirect(c, s.next);
        } else if (s.tried >= 0 && (p == PROBLEM_PEER_REFUSED || p == PROBLEM_PEER_UNAVAILABLE)) {
            p = go_on(c, &s);
        }
    }
    json_decref(s.peer);
    crypto_wipe(&s, sizeof s);
    return p == PROBLEM_OK ? p : page_problem(c, p);
}

enum problem peers_job_expire(struct rest_call *c)
{
    const struct store_value v = store_int((int64_t)c->now_ms);
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err =
        store_exec(txn, "DELETE FROM peer_sign_ons WHERE expires_at <= ?", &v, 1, NULL);
    return rest_finish(c, &txn, rest_store_problem(c, err));
}
