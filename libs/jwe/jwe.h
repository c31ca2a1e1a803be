/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed bodies: JWE in compact form (RFC 7516) in two suites. ECDH-ES with A256GCM (RFC 7518) is
 * what stock JOSE clients do; SM2 with SM4GCM is the same shape with the national algorithms
 * (docs/protection.md): the content key is encrypted by SM2, the content by SM4-GCM, the protected
 * header is authenticated. The header may carry `digest`, the SM3 of the plain text in base64url,
 * which is held against what was opened (CI-6.2.1e, f); jwe_seal() always sends it.
 *
 * Refused: zip, crit, any header but the protected one, more or fewer than five parts. A key may be
 * used by one thread at a time. */
#pragma once
#include "base/buf.h"
#include "crypto/algorithm.h"
#include "crypto/key.h"

#define JWE_HEADER_MAX 2048 /* bytes of the protected header, decoded */
#define JWE_KID_MAX    128
#define JWE_CTY_MAX    127

enum jwe_err {
    JWE_OK,
    JWE_EFORMAT, /* not five parts of base64url, or a header that is not as it must be */
    JWE_EALG,    /* alg and enc are no suite of ours, or switched off; zip or crit */
    JWE_EKEY,    /* for none of the keys given */
    JWE_EOPEN,   /* altered, or sealed for another key of that name */
    JWE_EDIGEST, /* the plain text is not what the header says */
    JWE_EMEMORY
};
const char *jwe_strerror(enum jwe_err err); /* static */

struct jwe_key;
/* Takes *key (SM2 or P-256; a pair opens and seals, a public one seals) also when it fails, and
 * copies kid, what its owner calls it. NULL: of another kind, kid is empty or too long, no memory.
 */
struct jwe_key *jwe_key_take(struct crypto_key **key, struct slice kid);
void jwe_key_free(struct jwe_key **key);
/* The suite that seals for this key; true when both parts are allowed now. */
bool jwe_key_allowed(const struct jwe_key *key, const struct crypto_policy *policy, int64_t now_ms);

/* Appends the sealed text to *out. cty: type of the plain text, at most JWE_CTY_MAX printable
 * bytes. EFORMAT: cty cannot be written. On error *out is as it was. */
enum jwe_err jwe_seal(const struct jwe_key *to, struct slice cty, struct slice plain,
                      struct buf *out) __attribute__((warn_unused_result));

/* The kid of a sealed text's header, "" when it names none; nothing of it is checked yet. False: it
 * cannot be read. */
bool jwe_kid(struct slice sealed, char kid[static JWE_KID_MAX + 1])
    __attribute__((warn_unused_result));

/* Appends the plain text to *out; cty: NUL-terminated, "" when the header has none. Without kid in
 * the header the first key of the suite is taken. On error *out holds nothing of the plain text
 * and cty is unspecified. */
enum jwe_err jwe_open(struct jwe_key *const keys[], size_t n_keys,
                      const struct crypto_policy *policy, int64_t now_ms, struct slice sealed,
                      struct buf *out, char cty[static JWE_CTY_MAX + 1])
    __attribute__((warn_unused_result));
