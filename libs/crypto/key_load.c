/* SPDX-License-Identifier: Apache-2.0 */
/* Outside bytes become keys here. Whatever form they come in, key_take() judges the result. */
#include <errno.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/codec.h"
#include "crypto/certificate.h"
#include "crypto/key_inner.h"
#include "crypto/keystore.h"

enum crypto_err crypto_key_load_spki(struct crypto_key **key, struct slice der)
{
    if (der.n == 0 || der.n > CRYPTO_KEY_TEXT_MAX) {
        return CRYPTO_EFORMAT;
    }
    const uint8_t *at = (const uint8_t *)der.p;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)der.n);
    struct crypto_key *loaded = NULL;
    enum crypto_err err = key_take(&loaded, pkey, false, CRYPTO_KEY_PUBLIC);
    if (err != CRYPTO_OK) {
        return err;
    }
    if (!slice_eq(crypto_key_spki(loaded), der)) { /* another encoding, or bytes after it */
        crypto_key_free(&loaded);
        return CRYPTO_EFORMAT;
    }
    *key = loaded;
    return CRYPTO_OK;
}

static enum crypto_err load_private_der(struct crypto_key **key, enum crypto_key_part part,
                                        struct slice der)
{
    const uint8_t *at = (const uint8_t *)der.p, *end = at + der.n;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)der.n);
    if (at != end) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    return key_take(key, pkey, true, part);
}

enum crypto_err crypto_key_load_pem(struct crypto_key **key, enum crypto_key_part part,
                                    struct slice pem)
{
    static const struct {
        const char *label;
        bool pair;
    } labels[] = {{"PUBLIC KEY", false},
                  {"PRIVATE KEY", true},
                  {"EC PRIVATE KEY", true},
                  {"RSA PRIVATE KEY", true}};
    char *label;
    struct slice der;
    if (!pem_read(pem, CRYPTO_KEY_TEXT_MAX, &label, &der)) {
        return CRYPTO_EFORMAT;
    }
    enum crypto_err err = CRYPTO_EFORMAT;
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        if (strcmp(label, labels[i].label) != 0 || labels[i].pair != (part == CRYPTO_KEY_PAIR)) {
            continue;
        }
        err = labels[i].pair ? load_private_der(key, part, der) : crypto_key_load_spki(key, der);
    }
    pem_free(label, der);
    return err;
}

static enum crypto_err load_sealed(struct crypto_key **key, enum crypto_key_part part,
                                   const char *path, struct slice in)
{
    uint8_t pem[CRYPTO_KEY_TEXT_MAX + 1];
    size_t n = 0;
    enum crypto_err err =
        in.n <= sizeof pem ? crypto_keystore_open(path, in, pem, &n) : CRYPTO_EFORMAT;
    if (err == CRYPTO_OK) {
        err = crypto_key_load_pem(key, part, slice_of((const char *)pem, n));
    }
    crypto_wipe(pem, sizeof pem);
    return err;
}

enum crypto_err crypto_key_load_file(struct crypto_key **key, enum crypto_key_part part,
                                     const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return CRYPTO_EIO;
    }
    char text[CRYPTO_KEY_TEXT_MAX + 1]; /* one more than is allowed, so that too long shows */
    size_t n = fread(text, 1, sizeof text, file);
    bool failed = ferror(file) != 0;
    int error = errno;
    fclose(file);
    struct slice in = slice_of(text, n);
    enum crypto_err err = failed                       ? CRYPTO_EIO
                          : crypto_keystore_sealed(in) ? load_sealed(key, part, path, in)
                                                       : crypto_key_load_pem(key, part, in);
    crypto_wipe(text, sizeof text);
    errno = error;
    return err;
}

enum crypto_err crypto_key_load_certificate(struct crypto_key **key, struct slice certificate)
{
    struct crypto_certificate *crt = NULL;
    enum crypto_err err = crypto_certificate_load(&crt, certificate);
    if (err != CRYPTO_OK) {
        return err;
    }
    err = crypto_certificate_key(crt, key);
    crypto_certificate_free(&crt);
    return err;
}

/* JWK ------------------------------------------------------------------------------------------ */

#define NUMBER_ROOM (8192 / 8)
#define NUMBERS_MAX 8

struct member {
    const char *jwk, *param;
    bool private;
};

static const struct member rsa_members[] = {
    {"n", OSSL_PKEY_PARAM_RSA_N, false},         {"e", OSSL_PKEY_PARAM_RSA_E, false},
    {"d", OSSL_PKEY_PARAM_RSA_D, true},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1, true},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2, true},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1, true},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2, true}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1, true},
};
_Static_assert(sizeof rsa_members / sizeof *rsa_members == NUMBERS_MAX, "room for each number");

static bool member_bytes(const json_t *jwk, const char *name, uint8_t *out, size_t cap, size_t *n)
{
    const json_t *value = json_object_get(jwk, name);
    return json_is_string(value) &&
           codec_unbase64url(out, cap, n, json_string_value(value), json_string_length(value));
}

static EVP_PKEY *build(OSSL_PARAM_BLD *bld, const char *type, bool is_pair)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1) {
        crypto_die("out of memory");
    }
    EVP_PKEY *pkey = NULL;
    if (EVP_PKEY_fromdata(ctx, &pkey, is_pair ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) !=
        1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

static EVP_PKEY *ec_of(const json_t *jwk, const char *crv, bool is_pair, OSSL_PARAM_BLD *bld,
                       BIGNUM *numbers[static NUMBERS_MAX])
{
    static const struct {
        const char *crv, *type, *group;
    } curves[] = {{"SM2", "SM2", "SM2"}, {"P-256", "EC", "prime256v1"}};
    size_t i = strcmp(crv, curves[0].crv) == 0 ? 0 : 1, x_n, y_n, d_n;
    uint8_t point[1 + 2 * EC_FIELD_LEN] = {POINT_CONVERSION_UNCOMPRESSED}, d[EC_FIELD_LEN];
    if (strcmp(crv, curves[i].crv) != 0 || !member_bytes(jwk, "x", point + 1, EC_FIELD_LEN, &x_n) ||
        x_n != EC_FIELD_LEN ||
        !member_bytes(jwk, "y", point + 1 + EC_FIELD_LEN, EC_FIELD_LEN, &y_n) ||
        y_n != EC_FIELD_LEN) {
        return NULL;
    }
    if (is_pair && (!member_bytes(jwk, "d", d, sizeof d, &d_n) || d_n != sizeof d)) {
        crypto_wipe(d, sizeof d);
        return NULL;
    }
    numbers[0] = is_pair ? BN_bin2bn(d, sizeof d, NULL) : NULL;
    crypto_wipe(d, sizeof d);
    if (OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].group, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) != 1 ||
        (is_pair && OSSL_PARAM_BLD_push_BN_pad(bld, OSSL_PKEY_PARAM_PRIV_KEY, numbers[0],
                                               EC_FIELD_LEN) != 1)) {
        crypto_die("out of memory");
    }
    return build(bld, curves[i].type, is_pair);
}

static EVP_PKEY *rsa_of(const json_t *jwk, bool is_pair, OSSL_PARAM_BLD *bld,
                        BIGNUM *numbers[static NUMBERS_MAX])
{
    uint8_t bytes[NUMBER_ROOM];
    bool good = true;
    for (size_t i = 0; i < NUMBERS_MAX && good; i++) {
        const struct member *m = &rsa_members[i];
        size_t n = 0;
        if (m->private && !is_pair) {
            continue;
        }
        good = member_bytes(jwk, m->jwk, bytes, sizeof bytes, &n) && n > 0 && bytes[0] != 0;
        if (!good) {
            break;
        }
        numbers[i] = BN_bin2bn(bytes, (int)n, NULL);
        if (numbers[i] == NULL || OSSL_PARAM_BLD_push_BN(bld, m->param, numbers[i]) != 1) {
            crypto_die("out of memory");
        }
    }
    crypto_wipe(bytes, sizeof bytes);
    return good ? build(bld, "RSA", is_pair) : NULL;
}

static EVP_PKEY *pkey_of(const json_t *jwk, bool is_pair)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    bool rsa = kty != NULL && strcmp(kty, "RSA") == 0;
    if (!rsa && (kty == NULL || strcmp(kty, "EC") != 0 || crv == NULL)) {
        return NULL;
    }
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    if (bld == NULL) {
        crypto_die("out of memory");
    }
    BIGNUM *numbers[NUMBERS_MAX] = {0};
    EVP_PKEY *pkey =
        rsa ? rsa_of(jwk, is_pair, bld, numbers) : ec_of(jwk, crv, is_pair, bld, numbers);
    OSSL_PARAM_BLD_free(bld);
    for (size_t i = 0; i < NUMBERS_MAX; i++) {
        BN_clear_free(numbers[i]);
    }
    return pkey;
}

/* The JSON library does not wipe what it frees. */
static void wipe_strings(json_t *jwk)
{
    const char *name;
    json_t *value;
    json_object_foreach(jwk, name, value)
    {
        if (json_is_string(value)) {
            crypto_wipe((char *)(uintptr_t)json_string_value(value), json_string_length(value));
        }
    }
}

enum crypto_err crypto_key_load_jwk(struct crypto_key **key, enum crypto_key_part part,
                                    struct slice json)
{
    if (json.n > CRYPTO_KEY_TEXT_MAX) {
        return CRYPTO_EFORMAT;
    }
    json_t *jwk = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
    bool is_pair = json_object_get(jwk, "d") != NULL;
    enum crypto_err err = key_take(key, pkey_of(jwk, is_pair), is_pair, part);
    wipe_strings(jwk);
    json_decref(jwk);
    return err;
}
