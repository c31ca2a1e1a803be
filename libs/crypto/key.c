/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include <gcrypt.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/codec.h"
#include "crypto/key_inner.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_BITS_NEW 3072
#define RSA_E_MIN    65537
#define RSA_E_BITS   32 /* a huge exponent would make a verify as dear as a signature */
#define RSA_SALT_LEN 64
#define HASH_ROOM    64

/* One row a kind, in the order of enum crypto_key_kind. */
static const struct {
    const char *type; /* OpenSSL's */
    enum crypto_alg alg;
    const char *spki_prefix; /* EC: everything of the SPKI but the two coordinates */
} kinds[] = {
    [CRYPTO_KEY_SM2] = {"SM2", CRYPTO_ALG_SM2_SM3,
                        "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x81\x1c"
                        "\xcf\x55\x01\x82\x2d\x03\x42\x00\x04"},
    [CRYPTO_KEY_P256] = {"EC", CRYPTO_ALG_ECDSA_P256_SHA256,
                         "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48"
                         "\xce\x3d\x03\x01\x07\x03\x42\x00\x04"},
    [CRYPTO_KEY_RSA] = {"RSA", CRYPTO_ALG_RSA_PSS_SHA512, NULL},
};

static bool kind_of(const EVP_PKEY *pkey, enum crypto_key_kind *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (EVP_PKEY_is_a(pkey, kinds[i].type)) {
            *kind = (enum crypto_key_kind)i;
            return true;
        }
    }
    return false;
}

/* Only sizes: whether n has small factors is its owner's concern, and testing it takes a second. */
static bool good_rsa(const EVP_PKEY *pkey)
{
    BIGNUM *n = NULL, *e = NULL;
    bool good = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
                BN_num_bits(n) >= RSA_BITS_MIN && BN_num_bits(n) <= RSA_BITS_MAX && BN_is_odd(n) &&
                BN_is_odd(e) && BN_num_bits(e) <= RSA_E_BITS && BN_get_word(e) >= RSA_E_MIN;
    BN_free(n);
    BN_free(e);
    return good;
}

/* Curve, named parameters and an uncompressed point: all of that is in the fixed prefix. */
static bool good_ec(const struct crypto_key *key)
{
    if (key->spki_n != EC_SPKI_LEN ||
        memcmp(key->spki, kinds[key->kind].spki_prefix, EC_PREFIX_LEN) != 0) {
        return false;
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    bool good = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

/* The private half belongs to the public one. */
static bool good_pair(const struct crypto_key *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    bool good = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

static struct crypto_key *wrap(EVP_PKEY *pkey, enum crypto_key_kind kind, bool is_pair)
{
    struct crypto_key *key = calloc(1, sizeof *key);
    struct key_ops *ops = calloc(1, sizeof *ops);
    if (key == NULL || ops == NULL || pthread_mutex_init(&ops->lock, NULL) != 0) {
        crypto_die("out of memory");
    }
    *key = (struct crypto_key){.pkey = pkey, .kind = kind, .pair = is_pair, .ops = ops};
    int n = i2d_PUBKEY(pkey, &key->spki);
    key->spki_n = n > 0 ? (size_t)n : 0;
    uint8_t digest[CRYPTO_HASH_LEN];
    crypto_hash(CRYPTO_SM3, key->spki, key->spki_n, digest);
    codec_hex(key->id, digest, sizeof digest);
    return key;
}

enum crypto_err key_take(struct crypto_key **key, EVP_PKEY *pkey, bool is_pair,
                         enum crypto_key_part part)
{
    enum crypto_key_kind kind;
    if (pkey == NULL || is_pair != (part == CRYPTO_KEY_PAIR) || !kind_of(pkey, &kind) ||
        (kind == CRYPTO_KEY_RSA && !good_rsa(pkey))) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return CRYPTO_EFORMAT;
    }
    struct crypto_key *made = wrap(pkey, kind, is_pair);
    if ((kind != CRYPTO_KEY_RSA && !good_ec(made)) || (is_pair && !good_pair(made))) {
        crypto_key_free(&made);
        ERR_clear_error();
        return CRYPTO_EFORMAT;
    }
    *key = made;
    return CRYPTO_OK;
}

struct crypto_key *crypto_key_new(enum crypto_key_kind kind)
{
    EVP_PKEY *pkey = kind == CRYPTO_KEY_SM2    ? EVP_PKEY_Q_keygen(NULL, NULL, "SM2")
                     : kind == CRYPTO_KEY_P256 ? EVP_EC_gen("P-256")
                                               : EVP_RSA_gen(RSA_BITS_NEW);
    struct crypto_key *key = NULL;
    if (key_take(&key, pkey, true, CRYPTO_KEY_PAIR) != CRYPTO_OK) {
        crypto_die("a key cannot be made");
    }
    return key;
}

void crypto_key_free(struct crypto_key **key)
{
    struct crypto_key *k = *key;
    if (k == NULL) {
        return;
    }
    sm2_signer_free(&k->ops->sm2);
    EVP_PKEY_CTX_free(k->ops->verify);
    EVP_PKEY_CTX_free(k->ops->sign);
    pthread_mutex_destroy(&k->ops->lock);
    free(k->ops);
    EVP_PKEY_free(k->pkey); /* clears the private half */
    OPENSSL_free(k->spki);
    free(k);
    *key = NULL;
}

enum crypto_key_kind crypto_key_kind(const struct crypto_key *key)
{
    return key->kind;
}

bool crypto_key_is_pair(const struct crypto_key *key)
{
    return key->pair;
}

enum crypto_alg crypto_key_alg(const struct crypto_key *key)
{
    return kinds[key->kind].alg;
}

struct slice crypto_key_spki(const struct crypto_key *key)
{
    return slice_of((const char *)key->spki, key->spki_n);
}

const char *crypto_key_id(const struct crypto_key *key)
{
    return key->id;
}

/* Called with the lock held. */
static struct sm2_signer *sm2_of(const struct crypto_key *key)
{
    if (key->ops->sm2 != NULL) {
        return key->ops->sm2;
    }
    uint8_t private_key[EC_FIELD_LEN];
    BIGNUM *d = NULL;
    if (key->pair && (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d) != 1 ||
                      BN_bn2binpad(d, private_key, sizeof private_key) < 0)) {
        crypto_die("SM2 key cannot be read");
    }
    BN_clear_free(d);
    key->ops->sm2 = sm2_signer_new(key->spki + EC_PREFIX_LEN, key->pair ? private_key : NULL);
    crypto_wipe(private_key, sizeof private_key);
    if (key->ops->sm2 == NULL) {
        crypto_die("SM2 key that one provider takes and the other does not");
    }
    return key->ops->sm2;
}

/* A context set up once; each use after that is only the mathematics. */
static EVP_PKEY_CTX *context_of(const struct crypto_key *key, EVP_PKEY_CTX **kept,
                                int (*init)(EVP_PKEY_CTX *))
{
    if (*kept != NULL) {
        return *kept;
    }
    bool rsa = key->kind == CRYPTO_KEY_RSA;
    const EVP_MD *md = rsa ? EVP_sha512() : EVP_sha256();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    if (ctx == NULL || init(ctx) != 1 ||
        (rsa && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) != 1) ||
        EVP_PKEY_CTX_set_signature_md(ctx, md) != 1 ||
        (rsa && (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) != 1 ||
                 EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_SALT_LEN) != 1))) {
        crypto_die("ECDSA or RSA-PSS cannot be set up");
    }
    return *kept = ctx;
}

static size_t hash_for(const struct crypto_key *key, const void *in, size_t n,
                       uint8_t out[static HASH_ROOM])
{
    int alg = key->kind == CRYPTO_KEY_RSA ? GCRY_MD_SHA512 : GCRY_MD_SHA256;
    crypto_gcrypt_ready();
    gcry_md_hash_buffer(alg, out, in, n);
    return gcry_md_get_algo_dlen(alg);
}

/* Called with the lock held. sig has the right length. */
static bool verify_locked(const struct crypto_key *key, const void *in, size_t n,
                          const uint8_t *sig, size_t sig_n)
{
    if (key->kind == CRYPTO_KEY_SM2) {
        return sm2_verify(sm2_of(key), in, n, sig);
    }
    uint8_t hash[HASH_ROOM], der[CRYPTO_SM2_SIG_MAX];
    size_t hash_n = hash_for(key, in, n, hash);
    if (key->kind == CRYPTO_KEY_P256) {
        sig_n = crypto_sig_to_der(sig, der);
        sig = der;
    }
    EVP_PKEY_CTX *ctx = context_of(key, &key->ops->verify, EVP_PKEY_verify_init);
    bool genuine = EVP_PKEY_verify(ctx, sig, sig_n, hash, hash_n) == 1;
    ERR_clear_error(); /* a wrong signature is an event, not this thread's error */
    return genuine;
}

static size_t sig_len(const struct crypto_key *key)
{
    return key->kind == CRYPTO_KEY_RSA ? (size_t)EVP_PKEY_get_size(key->pkey) : CRYPTO_RAW_SIG_LEN;
}

enum crypto_err crypto_key_verify(const struct crypto_key *key, enum crypto_alg alg, const void *in,
                                  size_t n, const uint8_t *sig, size_t sig_n)
{
    if (alg != kinds[key->kind].alg || sig_n != sig_len(key)) {
        return CRYPTO_EVERIFY;
    }
    pthread_mutex_lock(&key->ops->lock);
    bool genuine = verify_locked(key, in, n, sig, sig_n);
    pthread_mutex_unlock(&key->ops->lock);
    return genuine ? CRYPTO_OK : CRYPTO_EVERIFY;
}

enum crypto_err crypto_key_verify_ps256(const struct crypto_key *key, const void *in, size_t n,
                                        const uint8_t *sig, size_t sig_n)
{
    EVP_PKEY_CTX *params = NULL;

    if (key->kind != CRYPTO_KEY_RSA || sig_n != sig_len(key)) {
        return CRYPTO_EVERIFY;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit(ctx, &params, EVP_sha256(), NULL, key->pkey) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PSS_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(params, RSA_PSS_SALTLEN_DIGEST) != 1) {
        crypto_die("RSA-PSS cannot be set up");
    }
    bool genuine = EVP_DigestVerify(ctx, sig, sig_n, in, n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return genuine ? CRYPTO_OK : CRYPTO_EVERIFY;
}

/* Called with the lock held. */
static void sign_locked(const struct crypto_key *key, const void *in, size_t n,
                        uint8_t sig[static CRYPTO_SIG_MAX])
{
    if (key->kind == CRYPTO_KEY_SM2) {
        sm2_sign(sm2_of(key), in, n, sig);
        return;
    }
    uint8_t hash[HASH_ROOM], made[CRYPTO_SIG_MAX];
    size_t hash_n = hash_for(key, in, n, hash), made_n = sizeof made;
    EVP_PKEY_CTX *ctx = context_of(key, &key->ops->sign, EVP_PKEY_sign_init);
    if (EVP_PKEY_sign(ctx, made, &made_n, hash, hash_n) != 1) {
        crypto_die("signing failed");
    }
    if (key->kind == CRYPTO_KEY_RSA) {
        memcpy(sig, made, made_n);
    } else if (!crypto_sig_from_der(made, made_n, sig)) {
        crypto_die("signature cannot be read");
    }
}

enum crypto_err crypto_key_sign(const struct crypto_key *key, enum crypto_alg alg, const void *in,
                                size_t n, uint8_t sig[static CRYPTO_SIG_MAX], size_t *sig_n)
{
    if (alg != kinds[key->kind].alg || !key->pair) {
        return CRYPTO_EFORMAT;
    }
    pthread_mutex_lock(&key->ops->lock);
    sign_locked(key, in, n, sig);
    pthread_mutex_unlock(&key->ops->lock);
    *sig_n = sig_len(key);
    return CRYPTO_OK;
}

size_t crypto_sig_to_der(const uint8_t raw[static CRYPTO_RAW_SIG_LEN],
                         uint8_t der[static CRYPTO_SM2_SIG_MAX])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, EC_FIELD_LEN, NULL);
    BIGNUM *s = BN_bin2bn(raw + EC_FIELD_LEN, EC_FIELD_LEN, NULL);
    if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
        crypto_die("out of memory");
    }
    uint8_t *end = der; /* at most 2 + 2 * (2 + 33) bytes */
    int n = i2d_ECDSA_SIG(sig, &end);
    ECDSA_SIG_free(sig);
    if (n <= 0) {
        crypto_die("signature cannot be encoded");
    }
    return (size_t)n;
}

bool crypto_sig_from_der(const uint8_t *der, size_t n, uint8_t raw[static CRYPTO_RAW_SIG_LEN])
{
    if (n > CRYPTO_SM2_SIG_MAX) {
        return false;
    }
    const uint8_t *at = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    uint8_t both[CRYPTO_RAW_SIG_LEN], again[CRYPTO_SM2_SIG_MAX];
    bool good =
        sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), both, EC_FIELD_LEN) == EC_FIELD_LEN &&
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), both + EC_FIELD_LEN, EC_FIELD_LEN) == EC_FIELD_LEN &&
        crypto_sig_to_der(both, again) == n && memcmp(again, der, n) == 0;
    ECDSA_SIG_free(sig);
    ERR_clear_error();
    if (good) {
        memcpy(raw, both, sizeof both);
    }
    return good;
}
