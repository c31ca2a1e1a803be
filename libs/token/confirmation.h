/* SPDX-License-Identifier: Apache-2.0 */
/* What a user confirmed of one transaction (BK-10.2.2b), sealed by the control plane with a sub-key
 * of the access tokens', opened by the gateway alone: who, for which app and API, and the digest of
 * the call. Text: "slc1." base64url(key id, 4 bytes || nonce || cipher text || tag). No allocation;
 * safe from any thread. */
#pragma once
#include "token/token.h"

#define CONFIRMATION_PREFIX   "slc1."
#define CONFIRMATION_TEXT_MAX 512

struct confirmation {
    struct uuid id; /* used once */
    struct uuid app, api, user;
    uint8_t owner_sm3[CRYPTO_HASH_LEN];   /* of the user's value in owner columns, "" none */
    uint8_t content_sm3[CRYPTO_HASH_LEN]; /* confirmation_content() */
    uint64_t issued_ms, expires_ms;       /* wall */
    uint8_t factors;                      /* enum token_factor bits the user showed */
};

/* SM3 over the method, a line end, path and query as sent, a line end, and the body. */
void confirmation_content(struct slice method, struct slice target, struct slice body,
                          uint8_t out[static CRYPTO_HASH_LEN]);
/* As token_seal() and token_open(). */
size_t confirmation_seal(const struct confirmation *c, const struct token_key *key,
                         char out[static CONFIRMATION_TEXT_MAX]);
enum token_err confirmation_open(struct confirmation *c, const struct token_key *keys,
                                 size_t n_keys, struct slice text)
    __attribute__((warn_unused_result));
