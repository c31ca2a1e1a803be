/* SPDX-License-Identifier: Apache-2.0 */
/* SM2 public-key encryption by OpenSSL; rare beside signatures, so its speed decides nothing. */
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "crypto/key_inner.h"

static EVP_PKEY_CTX *start(const struct crypto_key *key, int (*init)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    if (ctx == NULL || init(ctx) != 1) {
        crypto_die("SM2 encryption cannot be set up");
    }
    return ctx;
}

enum crypto_err crypto_sm2_encrypt(const struct crypto_key *key, const void *in, size_t n,
                                   uint8_t *out, size_t cap, size_t *out_n)
{
    if (key->kind != CRYPTO_KEY_SM2 || n == 0 || n > CRYPTO_SM2_PLAIN_MAX ||
        cap < CRYPTO_SM2_CIPHER_MAX(n)) {
        return CRYPTO_EFORMAT;
    }
    EVP_PKEY_CTX *ctx = start(key, EVP_PKEY_encrypt_init);
    size_t made = cap;
    if (EVP_PKEY_encrypt(ctx, out, &made, in, n) != 1) {
        crypto_die("SM2 encryption failed");
    }
    EVP_PKEY_CTX_free(ctx);
    *out_n = made;
    return CRYPTO_OK;
}

/* The provider would not notice bytes behind the cipher text. */
static bool is_one_element(const uint8_t *in, size_t n)
{
    const uint8_t *at = in;
    long length;
    int tag, class;
    int flags = ASN1_get_object(&at, &length, &tag, &class, (long)n);
    ERR_clear_error();
    return (flags & (0x80 | 1)) == 0 && (size_t)(at - in) + (size_t)length == n;
}

enum crypto_err crypto_sm2_decrypt(const struct crypto_key *key, const void *in, size_t n,
                                   uint8_t *out, size_t cap, size_t *out_n)
{
    if (key->kind != CRYPTO_KEY_SM2 || !key->pair || n == 0 ||
        n > CRYPTO_SM2_CIPHER_MAX(CRYPTO_SM2_PLAIN_MAX)) {
        return CRYPTO_EFORMAT;
    }
    crypto_wipe(out, cap);
    if (!is_one_element(in, n)) {
        return CRYPTO_EVERIFY;
    }
    /* The provider may use as much room as there is cipher text, and says the length afterwards. */
    uint8_t plain[CRYPTO_SM2_CIPHER_MAX(CRYPTO_SM2_PLAIN_MAX)];
    size_t made = sizeof plain;
    EVP_PKEY_CTX *ctx = start(key, EVP_PKEY_decrypt_init);
    bool opened = EVP_PKEY_decrypt(ctx, plain, &made, in, n) == 1 && made <= cap;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    if (opened) {
        memcpy(out, plain, made);
        *out_n = made;
    }
    crypto_wipe(plain, sizeof plain);
    return opened ? CRYPTO_OK : CRYPTO_EVERIFY;
}
