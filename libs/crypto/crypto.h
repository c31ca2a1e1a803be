/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's door to cryptography: OpenSSL 3 EVP, libgcrypt and libargon2 behind it, never an
 * algorithm of our own. Every function is safe from any thread on objects of its own. Anything
 * that fails on outside bytes returns an error; out of memory and a broken provider abort, since
 * no caller could go on safely. */
#pragma once
#include "base/slice.h"

#define CRYPTO_HASH_LEN    32 /* SM3 and SHA-256 alike */
#define CRYPTO_KEY_LEN     32 /* a master or link key, in bytes */
#define CRYPTO_SEAL_EXTRA  28 /* nonce 12 and tag 16 around the cipher text */
#define CRYPTO_SM2_SIG_MAX 72 /* DER */

enum crypto_hash { CRYPTO_SM3, CRYPTO_SHA256 };

enum crypto_err {
    CRYPTO_OK,
    CRYPTO_EVERIFY, /* signature, tag or password does not match */
    CRYPTO_EFORMAT, /* key, PEM or sealed text cannot be read */
    CRYPTO_EIO,     /* file cannot be read or written; errno says why */
    CRYPTO_ELOCKED  /* key-store-locked: passphrase missing or wrong, or the file was altered */
};
const char *crypto_strerror(enum crypto_err err);

/* crypto/hash.c ------------------------------------------------------------------------------- */
void crypto_hash(enum crypto_hash alg, const void *in, size_t n,
                 uint8_t out[static CRYPTO_HASH_LEN]);

struct crypto_hasher { /* incremental; ctx is a gcry_md_hd_t */
    void *ctx;
    enum crypto_hash alg;
};
void crypto_hasher_init(struct crypto_hasher *h, enum crypto_hash alg);
void crypto_hasher_reset(struct crypto_hasher *h); /* ready for the next message, no allocation */
void crypto_hasher_add(struct crypto_hasher *h, const void *in, size_t n);
void crypto_hasher_end(struct crypto_hasher *h, uint8_t out[static CRYPTO_HASH_LEN]);
void crypto_hasher_fini(struct crypto_hasher *h);

/* crypto/hmac.c: a keyed state made once, used for many messages. One thread at a time. ----------
 */
struct crypto_hmac;
struct crypto_hmac *crypto_hmac_new(enum crypto_hash alg, const void *key, size_t n);
void crypto_hmac_free(struct crypto_hmac **h); /* wipes */
void crypto_hmac_sign(struct crypto_hmac *h, const void *in, size_t n,
                      uint8_t out[static CRYPTO_HASH_LEN]);
/* The same over parts; _begin drops whatever was under way. */
void crypto_hmac_begin(struct crypto_hmac *h);
void crypto_hmac_add(struct crypto_hmac *h, const void *in, size_t n);
void crypto_hmac_end(struct crypto_hmac *h, uint8_t out[static CRYPTO_HASH_LEN]);
/* A sub-key for one purpose: HMAC-SM3(master, label). */
void crypto_derive(const uint8_t master[static CRYPTO_KEY_LEN], const char *label,
                   uint8_t out[static CRYPTO_KEY_LEN]);

/* crypto/seal.c: SM4-GCM. key: first 16 bytes of a derived key are used. -------------------------
 */
/* Writes n + CRYPTO_SEAL_EXTRA bytes. */
void crypto_seal(const uint8_t key[static CRYPTO_KEY_LEN], struct slice aad, const void *in,
                 size_t n, uint8_t *out);
/* Writes n - CRYPTO_SEAL_EXTRA bytes; on EVERIFY they are zeros, on EFORMAT (n too short) nothing
 * is written. */
enum crypto_err crypto_open(const uint8_t key[static CRYPTO_KEY_LEN], struct slice aad,
                            const void *in, size_t n, uint8_t *out)
    __attribute__((warn_unused_result));

/* crypto/sm2.c: GB/T 32918 signatures over SM3, default id "1234567812345678", DER. ---------------
 */
struct crypto_sm2;
struct crypto_sm2 *crypto_sm2_new(void); /* a fresh key pair */
enum crypto_err crypto_sm2_load(struct crypto_sm2 **key, const char *pem_path)
    __attribute__((warn_unused_result)); /* private or public PEM */
enum crypto_err crypto_sm2_save(const struct crypto_sm2 *key, const char *private_path,
                                const char *public_path)
    __attribute__((warn_unused_result)); /* private: mode 0600, EIO with errno EEXIST over an
                                            existing file; public is replaced */
void crypto_sm2_free(struct crypto_sm2 **key);
void crypto_sm2_sign(const struct crypto_sm2 *key, const void *in, size_t n,
                     uint8_t sig[static CRYPTO_SM2_SIG_MAX], size_t *sig_n);
enum crypto_err crypto_sm2_verify(const struct crypto_sm2 *key, const void *in, size_t n,
                                  const uint8_t *sig, size_t sig_n)
    __attribute__((warn_unused_result));

/* crypto/secret.c ------------------------------------------------------------------------------ */
void crypto_random(void *out, size_t n);
/* base64url of 32 random bytes and a NUL: what nobody guesses, for those who carry it around. */
#define CRYPTO_RANDOM_TEXT 44
void crypto_random_text(char out[static CRYPTO_RANDOM_TEXT]);
void crypto_wipe(void *p, size_t n);
bool crypto_equal(const void *a, const void *b, size_t n); /* constant time */
/* A 32-byte key file, mode 0600 or 0400, sealed (crypto/keystore.h) or, from before there was a key
 * store, plain. load: EFORMAT when the size or mode is wrong. create: makes one with fresh random
 * bytes when there is none, seals a plain one, then loads it. ELOCKED changes nothing. */
enum crypto_err crypto_keyfile_load(const char *path, uint8_t key[static CRYPTO_KEY_LEN])
    __attribute__((warn_unused_result));
enum crypto_err crypto_keyfile_create(const char *path, uint8_t key[static CRYPTO_KEY_LEN])
    __attribute__((warn_unused_result));
/* argon2id, PHC string. */
#define CRYPTO_PASSWORD_MAX 128 /* room for the PHC string and its NUL */
void crypto_password_hash(struct slice password, char out[static CRYPTO_PASSWORD_MAX]);
enum crypto_err crypto_password_verify(const char *phc, struct slice password)
    __attribute__((warn_unused_result));

/* crypto/pki.c: the platform's inner CA for the links between its own processes.
 * ------------------- */
/* Makes dir/ca.{key,crt} and, for each name, dir/NAME.{key,crt} (ECDSA P-256, SAN localhost,
 * 127.0.0.1, ::1 and `host`, a DNS name or address; NULL: none), what is missing or within 90 days
 * of its end only. Keys 0600, PKCS #8 encrypted under the passphrase that crypto/keystore.h finds
 * (PBES2: scrypt, AES-256-CBC), so that nginx and OpenSSL's tools open them too; plain ones are
 * encrypted. Makes dir (0755; its parent must exist). Processes may call it at the same time.
 * EFORMAT: a name is not [a-z0-9-]{1,64}, a host is no host, or a CA file cannot be read. ELOCKED:
 * there is no passphrase, or it is another. */
enum crypto_err crypto_pki_ensure(const char *dir, const char *const names[], size_t n,
                                  const char *host) __attribute__((warn_unused_result));
/* The private key in such a file, or in a plain one, as plain PKCS #8 PEM: new text, that the
 * caller wipes and frees. EIO with errno; ELOCKED as above; EFORMAT: no private key. */
enum crypto_err crypto_pki_key(const char *path, char **pem) __attribute__((warn_unused_result));
