/* SPDX-License-Identifier: Apache-2.0 */
/* Asymmetric keys of three kinds behind one type: SM2, P-256, RSA of 2048 to 8192 bits. A key signs
 * and verifies by one algorithm only, that of its kind. Any thread may use a key; calls that sign
 * or verify with the same key wait for each other (a worker that wants no waiting has its own).
 * A load allocates; a verify with SM2 allocates what the provider needs and nothing else. */
#pragma once
#include "crypto/algorithm.h"
#include "crypto/crypto.h"

#define CRYPTO_RAW_SIG_LEN       64    /* r || s, of SM2 and P-256 (RFC 9421 3.3.4) */
#define CRYPTO_SIG_MAX           1024  /* room for any signature: RSA of 8192 bits */
#define CRYPTO_KEY_ID_LEN        64    /* hex of SM3 over the SPKI */
#define CRYPTO_KEY_TEXT_MAX      16384 /* longest PEM, DER or JWK that is looked at, in bytes */
#define CRYPTO_SM2_CIPHER_MAX(n) ((n) + 128) /* room for crypto_sm2_encrypt of n bytes */
#define CRYPTO_SM2_PLAIN_MAX     256

enum crypto_key_kind { CRYPTO_KEY_SM2, CRYPTO_KEY_P256, CRYPTO_KEY_RSA };

/* What a caller expects to be handed: a private key where a public one belongs is refused, since
 * whoever sent it has given it away. */
enum crypto_key_part { CRYPTO_KEY_PUBLIC, CRYPTO_KEY_PAIR };

struct crypto_key;

/* A fresh pair; RSA gets 3072 bits. */
struct crypto_key *crypto_key_new(enum crypto_key_kind kind);
void crypto_key_free(struct crypto_key **key); /* wipes; NULL inside is fine */

/* Each: CRYPTO_EFORMAT and *key unchanged when it is no key of the three kinds, a point is off its
 * curve, an RSA modulus is outside 2048 to 8192 bits or its exponent below 65537 or above 32 bits,
 * the part is not `part`, an encoding is not the canonical one or bytes follow it. */
enum crypto_err crypto_key_load_file(struct crypto_key **key, enum crypto_key_part part,
                                     const char *path) /* PEM, plain or sealed (crypto/keystore.h:
                                                          ELOCKED); CRYPTO_EIO with errno */
    __attribute__((warn_unused_result));
enum crypto_err crypto_key_load_pem(struct crypto_key **key, enum crypto_key_part part,
                                    struct slice pem) /* one block: PUBLIC KEY, (EC|RSA) PRIVATE
                                                         KEY; not encrypted; no text around it */
    __attribute__((warn_unused_result));
enum crypto_err crypto_key_load_spki(struct crypto_key **key, struct slice der)
    __attribute__((warn_unused_result));
enum crypto_err crypto_key_load_jwk(struct crypto_key **key, enum crypto_key_part part,
                                    struct slice json) /* RFC 7517; kty EC with crv P-256 or SM2,
                                                          kty RSA; other members are ignored */
    __attribute__((warn_unused_result));
/* The public key a certificate is for; nothing else about the certificate is checked here. DER, or
 * one PEM block. */
enum crypto_err crypto_key_load_certificate(struct crypto_key **key, struct slice certificate)
    __attribute__((warn_unused_result));

enum crypto_key_kind crypto_key_kind(const struct crypto_key *key);
bool crypto_key_is_pair(const struct crypto_key *key);
enum crypto_alg crypto_key_alg(const struct crypto_key *key); /* the one it signs by */
struct slice crypto_key_spki(const struct crypto_key *key);   /* DER; lives as long as the key */
const char *crypto_key_id(const struct crypto_key *key);      /* lower-case hex, NUL; as long */
char *crypto_key_jwk(const struct crypto_key *key); /* the public part, JSON; caller frees */
/* RFC 7638 by SHA-256; for SM2 over {"crv":"SM2",…}. */
void crypto_key_thumbprint(const struct crypto_key *key, uint8_t out[static CRYPTO_HASH_LEN]);
/* PEM; caller wipes and frees. crypto_key_private_pem: PKCS #8, for a pair only. */
char *crypto_key_public_pem(const struct crypto_key *key);
char *crypto_key_private_pem(const struct crypto_key *key);

/* Signatures: sm2-sm3 (id "1234567812345678") and ecdsa-p256-sha256: raw r || s, 64 bytes;
 * rsa-pss-sha512: salt 64, as long as the modulus. CRYPTO_EVERIFY when it does not match, has
 * another length, or `alg` is not the key's own. */
enum crypto_err crypto_key_verify(const struct crypto_key *key, enum crypto_alg alg, const void *in,
                                  size_t n, const uint8_t *sig, size_t sig_n)
    __attribute__((warn_unused_result));
/* By PS256 of RFC 7518: what JOSE's clients sign by with an RSA key (RSA-PSS, SHA-256, salt 32). A
 * key of ours never signs by it. */
enum crypto_err crypto_key_verify_ps256(const struct crypto_key *key, const void *in, size_t n,
                                        const uint8_t *sig, size_t sig_n)
    __attribute__((warn_unused_result));
/* CRYPTO_EFORMAT: the key is not a pair, or `alg` is not its own; outputs unchanged. */
enum crypto_err crypto_key_sign(const struct crypto_key *key, enum crypto_alg alg, const void *in,
                                size_t n, uint8_t sig[static CRYPTO_SIG_MAX], size_t *sig_n)
    __attribute__((warn_unused_result));

/* Between r || s and the DER that X.509 and our audit seals carry. crypto_sig_to_der needs room for
 * CRYPTO_SM2_SIG_MAX bytes and returns how many it wrote; crypto_sig_from_der refuses any but the
 * one canonical encoding. */
size_t crypto_sig_to_der(const uint8_t raw[static CRYPTO_RAW_SIG_LEN],
                         uint8_t der[static CRYPTO_SM2_SIG_MAX]);
bool crypto_sig_from_der(const uint8_t *der, size_t n, uint8_t raw[static CRYPTO_RAW_SIG_LEN])
    __attribute__((warn_unused_result));

/* SM2 public-key encryption (GB/T 32918.4 with SM3; C1, C3, C2 in the ASN.1 of GB/T 35276), meant
 * for content keys: 1 to CRYPTO_SM2_PLAIN_MAX bytes. EFORMAT: not an SM2 key, no pair, or a length
 * out of range; EVERIFY: cannot be opened with this key. On error outputs are unchanged, but for
 * `out` of a decrypt, which is wiped. */
enum crypto_err crypto_sm2_encrypt(const struct crypto_key *key, const void *in, size_t n,
                                   uint8_t *out, size_t cap, size_t *out_n)
    __attribute__((warn_unused_result));
enum crypto_err crypto_sm2_decrypt(const struct crypto_key *key, const void *in, size_t n,
                                   uint8_t *out, size_t cap, size_t *out_n)
    __attribute__((warn_unused_result));
