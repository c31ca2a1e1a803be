/* SPDX-License-Identifier: Apache-2.0 */
/* What a key looks like outside: JWK, thumbprint, PEM. */
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/codec.h"
#include "crypto/key_inner.h"

#define NUMBER_ROOM (8192 / 8)

static json_t *base64url(const uint8_t *bytes, size_t n)
{
    char text[CODEC_BASE64URL_LEN(NUMBER_ROOM)];
    return json_stringn(text, codec_base64url(text, bytes, n));
}

static json_t *number_of(const struct crypto_key *key, const char *param)
{
    uint8_t bytes[NUMBER_ROOM];
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(key->pkey, param, &number) != 1 ||
        BN_num_bytes(number) > NUMBER_ROOM) {
        crypto_die("RSA key cannot be read");
    }
    int n = BN_bn2bin(number, bytes);
    BN_free(number);
    return base64url(bytes, (size_t)n);
}

/* The members RFC 7638 names, no others. */
static json_t *public_members(const struct crypto_key *key)
{
    json_t *jwk;
    if (key->kind == CRYPTO_KEY_RSA) {
        jwk = json_pack("{s:s, s:o, s:o}", "kty", "RSA", "n", number_of(key, OSSL_PKEY_PARAM_RSA_N),
                        "e", number_of(key, OSSL_PKEY_PARAM_RSA_E));
    } else {
        const uint8_t *x = key->spki + EC_PREFIX_LEN;
        jwk = json_pack("{s:s, s:s, s:o, s:o}", "kty", "EC", "crv",
                        key->kind == CRYPTO_KEY_SM2 ? "SM2" : "P-256", "x",
                        base64url(x, EC_FIELD_LEN), "y", base64url(x + EC_FIELD_LEN, EC_FIELD_LEN));
    }
    if (jwk == NULL) {
        crypto_die("out of memory");
    }
    return jwk;
}

/* Takes jwk. */
static char *text_of(json_t *jwk)
{
    char *text = json_dumps(jwk, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(jwk);
    if (text == NULL) {
        crypto_die("out of memory");
    }
    return text;
}

char *crypto_key_jwk(const struct crypto_key *key)
{
    json_t *jwk = public_members(key);
    if (json_object_set_new(jwk, "kid", json_string(key->id)) != 0) {
        crypto_die("out of memory");
    }
    return text_of(jwk);
}

void crypto_key_thumbprint(const struct crypto_key *key, uint8_t out[static CRYPTO_HASH_LEN])
{
    char *text = text_of(public_members(key));
    crypto_hash(CRYPTO_SHA256, text, strlen(text), out);
    free(text);
}

/* Takes bio. */
static char *text_of_bio(BIO *bio, int written)
{
    char *bytes;
    long n = BIO_get_mem_data(bio, &bytes);
    if (written != 1) {
        crypto_die("key cannot be encoded");
    }
    char *text = malloc((size_t)n + 1);
    if (text == NULL) {
        crypto_die("out of memory");
    }
    memcpy(text, bytes, (size_t)n);
    text[n] = '\0';
    crypto_wipe(bytes, (size_t)n);
    BIO_free(bio);
    return text;
}

char *crypto_key_public_pem(const struct crypto_key *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return text_of_bio(bio, bio != NULL && PEM_write_bio_PUBKEY(bio, key->pkey) == 1);
}

char *crypto_key_private_pem(const struct crypto_key *key)
{
    if (!key->pair) {
        crypto_die("a public key has no private half to write");
    }
    BIO *bio = BIO_new(BIO_s_mem());
    return text_of_bio(bio, bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL,
                                                                         0, NULL, NULL) == 1);
}
