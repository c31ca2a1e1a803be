/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens: opaque to clients, sealed with SM4-GCM by the control plane, opened locally by the
 * gateway (design section 5). Text: "slt1." base64url(key id, 4 bytes || nonce || cipher text ||
 * tag), the key id bound as additional data. No allocation; safe from any thread. */
#pragma once
#include "crypto/crypto.h"
#include "id/uuid.h"

#define TOKEN_PREFIX     "slt1."
#define TOKEN_GRANTS_MAX 16
#define TOKEN_SCOPES_MAX 16  /* APIs */
#define TOKEN_OWNER_MAX  128 /* bytes */
#define TOKEN_TEXT_MAX   2048

enum token_binding { /* what beside the token a call must prove (RFC 8705, RFC 9449) */
                     TOKEN_BEARER,
                     TOKEN_CERTIFICATE, /* thumb: SHA-256 of the certificate's DER */
                     TOKEN_DPOP         /* thumb: RFC 7638 thumbprint of the proof's key */
};
enum token_factor { /* bits: what its user signed in with (BK-7.2.1b) */
                    TOKEN_PASSWORD = 1,
                    TOKEN_OTP = 2,
                    TOKEN_USER_CERTIFICATE = 4
};

struct token {
    struct uuid id;      /* jti: what a revocation names */
    struct uuid app;     /* the client */
    struct uuid user;    /* nil: client credentials */
    struct uuid session; /* the user's, nil: none; its end is the token's */
    struct uuid family;  /* of refresh tokens, nil: none: reuse revokes all of it */
    uint64_t issued_ms, expires_ms, signed_in_ms; /* wall */
    uint8_t binding, factors;
    uint8_t thumb[CRYPTO_HASH_LEN]; /* binding not TOKEN_BEARER */
    uint8_t n_apis, n_grants;
    struct uuid apis[TOKEN_SCOPES_MAX];   /* what it may call */
    struct uuid grants[TOKEN_GRANTS_MAX]; /* the owner's, at most one an API */
};

struct token_key {
    uint32_t id;
    uint8_t key[CRYPTO_KEY_LEN];
};

enum token_err { TOKEN_OK, TOKEN_EFORMAT, TOKEN_EKEY, TOKEN_ESEAL };
const char *token_strerror(enum token_err err);

/* Returns the length written, with a NUL behind it; at most TOKEN_TEXT_MAX - 1. */
size_t token_seal(const struct token *t, const struct token_key *key,
                  char out[static TOKEN_TEXT_MAX]);
/* EKEY: sealed by none of the keys; ESEAL: changed, or by another key of that id. On error *t is
 * unspecified. Expiry, binding and revocation are the caller's to judge. */
enum token_err token_open(struct token *t, const struct token_key *keys, size_t n_keys,
                          struct slice text) __attribute__((warn_unused_result));
