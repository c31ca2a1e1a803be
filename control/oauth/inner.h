/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the OAuth server say to each other. */
#pragma once
#include <stdatomic.h>

#include "api/api.h"
#include "jwt/jwt.h"
#include "oauth/oauth.h"
#include "replay/replay.h"

#define OAUTH_REQUEST_LIFE_MS (590ull * 1000) /* FAPI 2.0 5.3.2.2: below 600 s */
#define OAUTH_CODE_LIFE_MS    (60ull * 1000)
#define OAUTH_ASSERTION_MAX_S 300
#define OAUTH_CLOCK_SKEW_S    60
#define OAUTH_JTI_MAX         256   /* bytes */
#define OAUTH_ACCESS_MAX_S    86400 /* longest life of an access token */
#define OAUTH_REQUEST_URI     "urn:ietf:params:oauth:request_uri:"

/* Refusals in OAuth's words. code is static. */
struct oauth_error {
    const char *code;
    char text[240];
};
/* Notes it; always false. */
bool oauth_refuse(struct oauth_error *e, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool oauth_refuse_problem(struct rest_call *c, struct oauth_error *e, enum problem p);
/* Sends it with the status that belongs to its code. */
enum problem oauth_answer_error(struct rest_call *c, const struct oauth_error *e);

/* Clients -----------------------------------------------------------------------------------------
 * An app with its settings, credentials and APIs as of one moment; shared by calls, dropped when
 * anything that nodes are told changes. */
enum client_auth {
    CLIENT_SECRET_BASIC,
    CLIENT_SECRET_POST,
    CLIENT_PRIVATE_KEY_JWT,
    CLIENT_TLS,
    CLIENT_SELF_SIGNED_TLS
};
struct client_key {
    json_t *row; /* the credential's, without its secret */
    bool secret;
    uint8_t bytes[CRYPTO_KEY_LEN]; /* secret */
    struct crypto_key *key;        /* else */
    uint64_t from_ms, to_ms;
};
struct client_api {
    struct uuid id;
    char scope[160]; /* name.version */
    bool a2;
    uint64_t from_ms, to_ms;
    json_t *entry; /* as in oauth_request.apis */
};
struct client {
    atomic_uint users;
    uint64_t generation;
    char id[UUID_TEXT_LEN + 1];
    struct uuid app;
    json_t *row; /* the app's, with the member "settings" */
    enum client_auth method;
    bool fapi2, dpop_bound, require_par, code, refresh, own; /* own: client_credentials */
    uint32_t access_s, refresh_s;
    struct client_key *keys;
    size_t n_keys;
    struct client_api *apis;
    size_t n_apis;
    struct client *next; /* in its bucket */
};
/* NULL: no app of that id that may use OAuth now. */
const struct client *client_get(struct rest_call *c, const char *id);
void client_put(const struct client **client);
void client_free(struct client *client);
struct client *client_load(struct rest_call *c, const char *id);
const struct client_api *client_api_by_scope(const struct client *k, const char *word, size_t n,
                                             uint64_t now_ms);
const struct client_api *client_api_by_id(const struct client *k, const struct uuid *id,
                                          uint64_t now_ms);
bool client_api_live(const struct client_api *a, uint64_t now_ms);
extern const char *const client_auth_names[]; /* by enum client_auth, NULL-terminated */

/* Authentication of the calling client (RFC 6749 2.3, 7523, 8705). */
struct auth {
    const struct client *client;
    bool has_certificate;
    uint8_t certificate_sha256[CRYPTO_HASH_LEN];
    enum token_binding binding; /* of tokens made now, by oauth_bind */
    uint8_t thumb[CRYPTO_HASH_LEN];
};
bool oauth_authenticate(struct rest_call *c, struct auth *a, struct oauth_error *e)
    __attribute__((warn_unused_result));
void auth_fini(struct auth *a);
/* What tokens issued to this call are bound to: a DPoP proof's key or the certificate. */
bool oauth_bind(struct rest_call *c, struct auth *a, struct oauth_error *e)
    __attribute__((warn_unused_result));
/* Checks the DPoP proof of the call (RFC 9449 4.3). access_token: the one that is shown with it, or
 * NULL. */
bool dpop_check(struct rest_call *c, const char *access_token,
                uint8_t thumb[static CRYPTO_HASH_LEN], struct oauth_error *e)
    __attribute__((warn_unused_result));
/* Once for a jti of a scope ("assertion:<client>"), until expires_s. */
bool oauth_once(struct rest_call *c, const char *scope, const char *jti, uint64_t expires_s,
                struct oauth_error *e) __attribute__((warn_unused_result));

/* Keys --------------------------------------------------------------------------------------------
 */
#define OAUTH_KEYS_MAX 16
struct token_key_row {
    struct token_key key;
    uint64_t from_ms, to_ms;
};
struct jwt_key_row {
    char kid[44];
    struct crypto_key *key;
    json_t *jwk;
    uint64_t from_ms, to_ms;
};
enum problem oauth_keys_ensure(struct rest_call *c); /* first keys; loads them */
enum problem oauth_keys_load(struct rest_call *c);
bool oauth_seal(struct rest_call *c, const struct token *t, char out[static TOKEN_TEXT_MAX]);
/* Opens and judges: seal, expiry, revocation. */
enum oauth_token_state {
    OAUTH_TOKEN_GOOD,
    OAUTH_TOKEN_INVALID,
    OAUTH_TOKEN_OVER,
    OAUTH_TOKEN_REVOKED
};
enum oauth_token_state oauth_token_read(struct rest_call *c, const char *text, struct token *t);
json_t *oauth_jwks(struct rest_call *c); /* new {"keys": […]} */

/* Revocations -------------------------------------------------------------------------------------
 */
struct revocations;
struct revocations *revocations_new(void);
void revocations_free(struct revocations **r);
bool revocations_cover(struct rest_call *c, const struct token *t);
enum problem revocations_feed_all(struct rest_call *c, struct store_txn *txn);
enum problem revocations_expire(struct rest_call *c, struct store_txn *txn);
enum problem revocation_store(struct rest_call *c, struct store_txn *txn, const char *subject,
                              const char *value);

/* The journal of tokens that apps got for themselves: a record is in it before the token leaves,
 * without a transaction; it outlives a killed process. */
struct journal;
struct journal *journal_open(const char *path); /* NULL and a sentence on stderr */
void journal_close(struct journal **j);
struct journal_record {
    struct uuid token, app;
    uint64_t at_ms, expires_ms;
    uint8_t binding;
};
/* False: full; nothing is issued then. */
bool journal_add(struct journal *j, const struct journal_record *r)
    __attribute__((warn_unused_result));
/* Up to cap records from the oldest on; journal_done drops the n oldest. One thread. */
size_t journal_peek(struct journal *j, struct journal_record *out, size_t cap);
void journal_done(struct journal *j, size_t n);

/* Codes and families ------------------------------------------------------------------------------
 */
void oauth_secret_new(char text[static OAUTH_CODE_TEXT]);
void oauth_secret_hash(const char *text, uint8_t out[static CRYPTO_HASH_LEN]);
bool oauth_verifier_fits(const char *verifier, const char *challenge);
/* Checks the parameters of an authorization request as `get` tells them. */
typedef const char *(*oauth_parameter)(const struct rest_call *c, const char *key);
bool oauth_request_check(struct rest_call *c, const struct client *k, oauth_parameter get,
                         struct oauth_request *r, bool *redirect, struct oauth_error *e)
    __attribute__((warn_unused_result));
enum problem oauth_request_store(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                 struct oauth_request *r, bool pushed);
/* A word among those of a scope. */
bool oauth_scope_has(const char *scope, const char *word, size_t n);

/* What a code or refresh token stands for. */
struct oauth_standing {
    char family[UUID_TEXT_LEN + 1], app_id[UUID_TEXT_LEN + 1], user[UUID_TEXT_LEN + 1],
        session[UUID_TEXT_LEN + 1], jkt[65];
    json_t *params, *apis, *grants;
    uint64_t signed_in_ms, created_ms, expires_ms, used_ms, revoked_ms;
    unsigned factors;
};
void standing_fini(struct oauth_standing *s);
/* PROBLEM_OK with s->app_id "" when there is none. by: `oauth_codes` or `oauth_refresh_tokens`. */
enum problem standing_of_code(struct rest_call *c, struct store_txn *txn, const char *code,
                              struct oauth_standing *s);
enum problem standing_of_refresh(struct rest_call *c, struct store_txn *txn, const char *token,
                                 struct oauth_standing *s);
enum problem standing_of_family(struct rest_call *c, struct store_txn *txn, const char *family,
                                struct oauth_standing *s);
/* Whether its user's account and all its grants are live now. */
enum problem standing_live(struct rest_call *c, struct store_txn *txn,
                           const struct oauth_standing *s, bool *live);
enum problem family_store(struct rest_call *c, struct store_txn *txn, struct oauth_standing *s);
enum problem refresh_store(struct rest_call *c, struct store_txn *txn, const char *family,
                           uint64_t expires_ms, char text[static OAUTH_CODE_TEXT]);
enum problem oauth_log(struct rest_call *c, struct store_txn *txn, const char *app_id,
                       const char *action, const char *kind, const char *id, json_t *after);

/* The whole of it, of a control plane. */
struct oauth {
    char issuer[200];
    struct replay *replay;
    struct journal *journal;
    struct revocations *revocations;
    pthread_mutex_t clients_lock;
    struct client **clients; /* buckets */
    size_t n_clients;
    pthread_rwlock_t keys_lock;
    struct token_key_row access[OAUTH_KEYS_MAX];
    struct jwt_key_row jwt[OAUTH_KEYS_MAX];
    size_t n_access, n_jwt;
};
void clients_flush(struct oauth *o);

/* Grants of the token endpoint, each in its file. */
bool grant_own(struct rest_call *c, struct auth *a, json_t **answer, struct oauth_error *e);
bool grant_code(struct rest_call *c, struct auth *a, json_t **answer, struct oauth_error *e);
bool grant_refresh(struct rest_call *c, struct auth *a, json_t **answer, struct oauth_error *e);
