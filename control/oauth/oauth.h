/* SPDX-License-Identifier: Apache-2.0 */
/* The OAuth 2.0 and OpenID Connect server (RFC 6749, 7636, 8705, 9126, 9207, 9449; FAPI 2.0). An
 * app is a client: client_id is its id, its credentials authenticate it. This header is what the
 * server's side (token, par, introspect …) and the browser's side (web/: authorize, consent,
 * logout) say to each other. */
#pragma once
#include "rest/resource.h"
#include "token/token.h"

#define OAUTH_REQUEST_ID_TEXT 44 /* base64url of 32 random bytes, with the NUL */
#define OAUTH_CODE_TEXT       44

/* An authorization request as checked: pushed (RFC 9126) or from the front channel. */
struct oauth_request {
    char id[OAUTH_REQUEST_ID_TEXT];
    json_t *client; /* the app's row with its client settings; owned by the request */
    json_t *params; /* response_type, redirect_uri, scope, state, nonce, code_challenge, prompt,
                       max_age, acr_values, authorization_details …; all texts but the last */
    json_t *apis;   /* what it asks for: [{api_id, name, title, fields:[paths]|null, purpose, term,
                       expires_at|null}] */
    char dpop_jkt[65]; /* hex of the thumbprint the code will be bound to, "" none */
    uint64_t created_ms;
};
void oauth_request_fini(struct oauth_request *r);

/* Loads a stored request, unexpired and unused. */
enum problem oauth_request_load(struct rest_call *c, struct store_txn *txn, const char *id,
                                struct oauth_request *r);
/* Takes the request of GET /oauth/authorize from the query: a request_uri (then it is loaded and
 * nothing else of the query counts but client_id) or plain parameters, checked and stored. On
 * failure *redirect tells whether the error may be sent to the client's redirect_uri (only when
 * that was found good), with c->detail its description and *error one of OAuth's codes; r->params
 * has redirect_uri and state then. oauth_request_fini() in either case. */
enum problem oauth_request_take(struct rest_call *c, struct oauth_request *r, const char **error,
                                bool *redirect);

/* What the user decided. grants: ids of the grants made, an array. */
struct oauth_decision {
    const json_t *grants;
    uint64_t signed_in_ms;
    const char *session_id; /* its public id, a UUID: its end is the tokens'. NULL: the caller's */
    unsigned factors;       /* enum token_factor; 0: the caller's */
};
/* Marks the request used and writes a code, good for 60 s and once. PROBLEM_AUTHORIZATION_INVALID
 * when it was used meanwhile. */
enum problem oauth_code_issue(struct rest_call *c, struct store_txn *txn, struct oauth_request *r,
                              const struct oauth_decision *d, char code[static OAUTH_CODE_TEXT]);

/* Whether a code may be made without asking: the user has agreed to all of this request before and
 * that still stands (BEFORE), or the client is a peer platform that the operator lets sign users on
 * and asks for nothing but who the user is (PEER). *grants: a new array of the consent's grants. */
enum oauth_consent { OAUTH_CONSENT_NONE, OAUTH_CONSENT_BEFORE, OAUTH_CONSENT_PEER };
enum problem oauth_consented(struct rest_call *c, struct store_txn *txn,
                             const struct oauth_request *r, enum oauth_consent *consent,
                             json_t **grants);

/* The client that calls, authenticated as at the token endpoint. PROBLEM_CLIENT_INVALID. */
enum problem oauth_caller(struct rest_call *c, char app_id[static UUID_TEXT_LEN + 1]);
/* True once for a jti of a scope, until expires_s. */
bool oauth_used_once(struct rest_call *c, const char *scope, const char *jti, uint64_t expires_s);

/* The issuer, "https://host:port", for iss, metadata and links; as long as ctl. */
const char *oauth_issuer(const struct control *ctl);
/* A JWT signed with the server's current key (id_token, logout_token); NULL on failure. Caller
 * wipes and frees. typ: the header's. */
char *oauth_jwt_sign(struct rest_call *c, const json_t *claims, const char *typ);

/* Revokes in txn every token of: a grant, a session, a refresh family, an app and user. The
 * gateways know within a second. NULL: any. */
struct oauth_revocation {
    const char *grant_id, *session_id, *family_id, *app_id, *user_id;
};
enum problem oauth_revoke(struct rest_call *c, struct store_txn *txn,
                          const struct oauth_revocation *r);
