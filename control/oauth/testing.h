/* SPDX-License-Identifier: Apache-2.0 */
/* Apps of several kinds on a control plane without HTTP, for the OAuth server's tests. Everything
 * asserts. */
#pragma once
#include "oauth/inner.h"
#include "test/fixture.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define VERIFIER       "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE      "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" /* RFC 7636 appendix B */
#define REDIRECT       "https://app.example/cb"
#define ENCODED        REDIRECT /* the parser takes it as it is */
#define OWN            "grant_type=client_credentials"
#define CODE_FLOW                                                                                  \
    ",\"redirect_uris\":[\"" REDIRECT "\"],\"grant_types\":[\"client_credentials\","               \
    "\"authorization_code\",\"refresh_token\"]"
#define ASK                                                                                        \
    "response_type=code&redirect_uri=" ENCODED "&scope=openid+profile+orders.v1&state=s&nonce=n&"  \
    "code_challenge=" CHALLENGE "&code_challenge_method=S256"

/* One call outside /api/v1. */
struct web {
    const char *method, *path, *form, *query, *dpop, *authorization;
    struct slice certificate;
};

struct web_reply {
    unsigned status;
    json_t *json;
    char error[40];
};

struct client_of {
    char app[40], secret[64], credential[40];
    struct crypto_key *key;
};

extern struct fixture f;
extern char api[40], api_a2[40], session[40];
extern struct crypto_key *proof_key, *other_key;
extern struct client_of secret_app, key_app, web_app, fapi_app, other_app;

void web_free(struct web_reply *r);
/* Sends, asserts, and gives a member of the answer ("" none). error NULL: 2xx is wanted. */
const char *expect(const struct web *w, const char *error, const char *member);
const char *token_call(const char *form, const char *error, const char *member);
void make_app(struct client_of *k, const char *name);
void subscribe(const struct client_of *k, const char *to, const char *risk);
void give_secret(struct client_of *k);
void give_key(struct client_of *k);
void settings(const struct client_of *k, const char *more);
int oauth_setup(void **state);
int oauth_teardown(void **state);
const char *by_secret(const struct client_of *k, const char *more);
const char *own_token(const struct client_of *k);
bool is_active(const struct client_of *asks, const char *token);
json_t *assertion_claims(const struct client_of *k);
/* A form's beginning, signed by key; member: set to the JSON text given, or removed when that is
 * "". */
const char *assertion(const struct client_of *k, const struct crypto_key *key, const char *member,
                      const char *value);
const char *base64url(const char *s);
/* A DPoP proof; member as in assertion. */
const char *proof(const struct crypto_key *key, const char *path, const char *member,
                  const char *value);
const char *push(const struct client_of *k, const char *ask, const char *error);
struct rest_call call_of(const struct rest_request *req, struct rest_response *resp, enum who who);
/* GET /oauth/authorize of the pages. */
enum problem take(const char *client_id, const char *uri, char id[OAUTH_REQUEST_ID_TEXT],
                  const char **error);
const char *make_grant(const struct client_of *k);
/* What the consent page does. */
enum problem decide(const char *request, const char *grant, char code[OAUTH_CODE_TEXT]);
const char *code_for(const struct client_of *k, const char *grant);
const char *redeem(const char *code);
const char *refresh(const char *token);
void revoke_by(const struct oauth_revocation *r);
struct web_reply send_web(const struct web *w);
