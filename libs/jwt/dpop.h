/* SPDX-License-Identifier: Apache-2.0 */
/* A proof of possession that goes with a token (RFC 9449 section 4.3), judged but for its being
 * used once: the caller keeps the jti's. No clock, no sockets; safe from any thread. */
#pragma once
#include "jwt/jwt.h"

#define DPOP_JTI_MAX  256 /* bytes */
#define DPOP_WINDOW_S 60  /* either way between its iat and now */

struct dpop_call { /* what the proof must be for; slices borrowed */
    struct slice method;
    struct slice url;          /* scheme, authority and path; without query and fragment */
    struct slice access_token; /* "": none is shown with it */
    uint64_t now_s;
};
struct dpop {
    uint8_t thumb[CRYPTO_HASH_LEN]; /* RFC 7638, of the key that signed */
    char jti[DPOP_JTI_MAX + 1];
    uint64_t spent_until_s; /* remember the jti as long */
};
enum dpop_err {
    DPOP_OK,
    DPOP_EFORMAT, /* not a signed proof, or one that carries a private key */
    DPOP_EKEY,    /* its key cannot be used here */
    DPOP_ESIGNATURE,
    DPOP_ECALL, /* for another method, address or token */
    DPOP_ETIME
};
const char *dpop_strerror(enum dpop_err err);
/* On error *out is unspecified. */
enum dpop_err dpop_judge(struct dpop *out, struct slice proof, const struct dpop_call *call)
    __attribute__((warn_unused_result));
