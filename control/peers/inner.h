/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of peers/ say to each other. */
#pragma once
#include "api/api.h"
#include "jwt/jwt.h"
#include "peers/peers.h"

#define PEERS_ANSWER_MAX  (64u << 10) /* bytes of any answer of a peer */
#define PEERS_SUBJECT_MAX 128

/* Loads the active peer of an id; PROBLEM_NOT_FOUND. column: `id`, `name`, `issuer` or `app_id`. */
enum problem peer_load(struct rest_call *c, struct store_txn *txn, const char *column,
                       const char *value, json_t **peer);
bool peer_flag(const json_t *peer, const char *name);

/* provider.c: the peer as a provider -----------------------------------------------------------
 * Its addresses and keys, fetched when older than an hour and kept in the row. PROBLEM_PEER_
 * UNAVAILABLE. Outside a transaction. */
struct provider {
    json_t *peer, *metadata, *jwks;
    bool fresh; /* asked a moment ago: not again for an unknown key */
};
enum problem provider_open(struct rest_call *c, const json_t *peer, struct provider *p);
void provider_fini(struct provider *p);
/* An address of the metadata; NULL: none, or not the peer's own. */
const char *provider_address(const struct provider *p, const char *name);
/* The claims of a JWT that the peer signed for `audience` (iss, aud, times); NULL and c->detail.
 * Unknown keys are fetched once more. Caller drops them. */
json_t *provider_claims(struct rest_call *c, struct provider *p, const char *jwt,
                        const char *audience);
/* Sends a form with our client assertion in it; *answer is its JSON. PROBLEM_PEER_UNAVAILABLE when
 * there is none, PROBLEM_PEER_REFUSED on any status but 200. */
enum problem provider_ask(struct rest_call *c, struct provider *p, const char *address,
                          const char *const *members, json_t **answer);
/* GET with an access token. */
enum problem provider_get(struct rest_call *c, struct provider *p, const char *address,
                          const char *token, json_t **answer);

/* accounts.c: whose account here ----------------------------------------------------------------
 * info: {sub, name, preferred_username, kind, holder_kind, email, phone_number, real_name,
 * id_number, subject}, what the peer knows; all but sub may be missing. Prepares outside, stores
 * inside a transaction. */
struct account {
    const json_t *peer, *info;
    char phc[CRYPTO_PASSWORD_MAX]; /* of a password nobody knows */
    bool proven;                   /* name and number were checked */
    json_t *user;                  /* afterwards: the row */
    bool created;
};
/* PROBLEM_FIELD_INVALID, PROBLEM_IDENTITY_MISMATCH. */
enum problem account_prepare(struct rest_call *c, struct account *a);
/* Finds the account of (peer, sub), else one with the same proven identity when `link` says that
 * may be, else makes one; brings it up to date. */
enum problem account_store(struct rest_call *c, struct store_txn *txn, struct account *a,
                           bool link);
void account_fini(struct account *a);
/* What we tell of a user: the members that `fields` names, and sub. */
json_t *account_info(const struct rest_call *c, const json_t *user, const json_t *fields);
extern const char *const account_fields[]; /* NULL-terminated */
