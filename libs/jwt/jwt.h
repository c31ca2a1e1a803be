/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Signatures in compact form (RFC 7515, 7519): client assertions, DPoP proofs, and our own
 * id tokens. The one reader of such text from outside. The algorithm follows from the key that
 * verifies, never from the text: `none` and HMAC are not among those there are. */
#pragma once
#include <jansson.h>

#include "crypto/key.h"

#define JWT_TEXT_MAX 8192 /* bytes that are looked at */

struct jwt {
    json_t *header, *claims;  /* objects, members distinct */
    enum crypto_alg alg;      /* of the key that can verify it */
    bool ps256;               /* by an RSA key, but with SHA-256: verified, never written */
    struct slice signed_part; /* into the text given */
    uint8_t sig[CRYPTO_SIG_MAX];
    size_t sig_n;
};
enum jwt_err { JWT_OK, JWT_EFORMAT, JWT_EALGORITHM, JWT_ECRITICAL, JWT_ESIGNATURE };

/* Reads; nothing is verified yet. On error *j is unchanged. ECRITICAL: it demands an extension. */
enum jwt_err jwt_read(struct jwt *j, struct slice text) __attribute__((warn_unused_result));
void jwt_fini(struct jwt *j);
/* EALGORITHM: its alg is another than the key's. */
enum jwt_err jwt_verify(const struct jwt *j, const struct crypto_key *key)
    __attribute__((warn_unused_result));
const char *jwt_text(const struct jwt *j, const char *claim); /* "": absent or no text */
/* A NumericDate of 1970 to 9999. False: absent or none. */
bool jwt_seconds(const struct jwt *j, const char *claim, uint64_t *s)
    __attribute__((warn_unused_result));
const char *jwt_alg_name(const struct crypto_key *key); /* "ES256", "PS512", "SM2SM3" */
/* Signs with a pair; NULL: out of memory. Caller frees. */
char *jwt_write(const struct crypto_key *key, const char *kid, const char *typ,
                const json_t *claims);
