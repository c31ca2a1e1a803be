/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <unistd.h>

#include "base/codec.h"
#include "crypto/key.h"

#define KINDS 3

static struct crypto_key *pairs[KINDS], *publics[KINDS];
static const char message[] = "a message";

static struct crypto_key *public_of(const struct crypto_key *pair)
{
    struct crypto_key *key = NULL;
    assert_int_equal(crypto_key_load_spki(&key, crypto_key_spki(pair)), CRYPTO_OK);
    return key;
}

static int make_keys(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        pairs[i] = crypto_key_new((enum crypto_key_kind)i);
        publics[i] = public_of(pairs[i]);
    }
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        crypto_key_free(&pairs[i]);
        crypto_key_free(&publics[i]);
    }
    return 0;
}

static enum crypto_err verify(const struct crypto_key *key, const uint8_t *sig, size_t n)
{
    return crypto_key_verify(key, crypto_key_alg(key), message, sizeof message, sig, n);
}

static size_t sign(const struct crypto_key *key, uint8_t sig[static CRYPTO_SIG_MAX])
{
    size_t n = 0;
    assert_int_equal(crypto_key_sign(key, crypto_key_alg(key), message, sizeof message, sig, &n),
                     CRYPTO_OK);
    return n;
}

static void sign_and_verify(void **state)
{
    (void)state;
    static const size_t lengths[KINDS] = {64, 64, 384};
    uint8_t sig[CRYPTO_SIG_MAX];
    for (int i = 0; i < KINDS; i++) {
        assert_int_equal(crypto_key_kind(publics[i]), i);
        assert_true(crypto_key_is_pair(pairs[i]) && !crypto_key_is_pair(publics[i]));
        for (int turn = 0; turn < 3; turn++) { /* the handle is reused */
            size_t n = sign(pairs[i], sig);
            assert_int_equal(n, lengths[i]);
            assert_int_equal(verify(publics[i], sig, n), CRYPTO_OK);
            assert_int_equal(verify(pairs[i], sig, n), CRYPTO_OK);
            sig[turn * 7] ^= 1;
            assert_int_equal(verify(publics[i], sig, n), CRYPTO_EVERIFY);
        }
        crypto_key_free(&(struct crypto_key *){NULL});
    }
}

static void refused_signatures(void **state)
{
    (void)state;
    uint8_t sig[CRYPTO_SIG_MAX + 1] = {0}, bad[CRYPTO_SIG_MAX + 1];
    for (int i = 0; i < KINDS; i++) {
        size_t n = sign(pairs[i], sig);
        assert_int_equal(verify(publics[i], sig, n - 1), CRYPTO_EVERIFY);
        assert_int_equal(verify(publics[i], sig, n + 1), CRYPTO_EVERIFY);
        assert_int_equal(verify(publics[i], sig, 0), CRYPTO_EVERIFY);
        assert_int_equal(crypto_key_verify(publics[i], crypto_key_alg(publics[i]), "a massage",
                                           sizeof message, sig, n),
                         CRYPTO_EVERIFY);
        static const uint8_t fills[] = {0x00, 0xff}; /* r and s of zero, and above the order */
        for (size_t f = 0; f < sizeof fills; f++) {
            memset(bad, fills[f], sizeof bad);
            assert_int_equal(verify(publics[i], bad, n), CRYPTO_EVERIFY);
            memcpy(bad, sig, n / 2);
            assert_int_equal(verify(publics[i], bad, n), CRYPTO_EVERIFY);
        }
        struct crypto_key *other = crypto_key_new((enum crypto_key_kind)i);
        assert_int_equal(verify(other, sig, n), CRYPTO_EVERIFY);
        crypto_key_free(&other);
        assert_int_equal(verify(publics[i], sig, n), CRYPTO_OK); /* none of that stuck */
    }
}

/* A key does its own algorithm and no other, and a public one does not sign. */
static void other_algorithms(void **state)
{
    (void)state;
    uint8_t sig[CRYPTO_SIG_MAX];
    for (int i = 0; i < KINDS; i++) {
        size_t n = sign(pairs[i], sig), untouched = 7;
        for (enum crypto_alg alg = 0; alg < CRYPTO_ALG_COUNT; alg++) {
            if (alg == crypto_key_alg(pairs[i])) {
                continue;
            }
            assert_int_equal(crypto_key_verify(publics[i], alg, message, sizeof message, sig, n),
                             CRYPTO_EVERIFY);
            assert_int_equal(
                crypto_key_sign(pairs[i], alg, message, sizeof message, sig, &untouched),
                CRYPTO_EFORMAT);
        }
        assert_int_equal(crypto_key_sign(publics[i], crypto_key_alg(publics[i]), message,
                                         sizeof message, sig, &untouched),
                         CRYPTO_EFORMAT);
        assert_int_equal(untouched, 7);
    }
}

/* Each form leads back to the same key. */
static void every_form(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        struct crypto_key *again = NULL;
        char *texts[] = {crypto_key_public_pem(pairs[i]), crypto_key_jwk(pairs[i]),
                         crypto_key_private_pem(pairs[i])};
        assert_int_equal(crypto_key_load_pem(&again, CRYPTO_KEY_PUBLIC, slice_str(texts[0])),
                         CRYPTO_OK);
        assert_string_equal(crypto_key_id(again), crypto_key_id(pairs[i]));
        crypto_key_free(&again);
        assert_int_equal(crypto_key_load_jwk(&again, CRYPTO_KEY_PUBLIC, slice_str(texts[1])),
                         CRYPTO_OK);
        assert_true(slice_eq(crypto_key_spki(again), crypto_key_spki(pairs[i])));
        uint8_t one[CRYPTO_HASH_LEN], two[CRYPTO_HASH_LEN], sig[CRYPTO_SIG_MAX];
        crypto_key_thumbprint(again, one);
        crypto_key_thumbprint(pairs[i], two);
        assert_memory_equal(one, two, sizeof one);
        crypto_key_free(&again);
        assert_int_equal(crypto_key_load_pem(&again, CRYPTO_KEY_PAIR, slice_str(texts[2])),
                         CRYPTO_OK);
        assert_int_equal(verify(publics[i], sig, sign(again, sig)), CRYPTO_OK);
        crypto_key_free(&again);
        /* a private key where a public one belongs, and the other way round */
        assert_int_equal(crypto_key_load_pem(&again, CRYPTO_KEY_PUBLIC, slice_str(texts[2])),
                         CRYPTO_EFORMAT);
        assert_int_equal(crypto_key_load_pem(&again, CRYPTO_KEY_PAIR, slice_str(texts[0])),
                         CRYPTO_EFORMAT);
        assert_int_equal(crypto_key_load_jwk(&again, CRYPTO_KEY_PAIR, slice_str(texts[1])),
                         CRYPTO_EFORMAT);
        assert_null(again);
        for (size_t t = 0; t < 3; t++) {
            free(texts[t]);
        }
    }
}

/* Every byte of an SPKI changed, cut and followed by another: refused, or another key. */
static void changed_spki(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        struct slice der = crypto_key_spki(publics[i]);
        char bytes[1024] = {0};
        struct crypto_key *key = NULL;
        memcpy(bytes, der.p, der.n);
        assert_int_equal(crypto_key_load_spki(&key, slice_of(bytes, der.n + 1)), CRYPTO_EFORMAT);
        for (size_t at = 0; at < der.n; at++) {
            assert_int_equal(crypto_key_load_spki(&key, slice_of(bytes, at)), CRYPTO_EFORMAT);
            bytes[at] ^= 0x20;
            enum crypto_err err = crypto_key_load_spki(&key, slice_of(bytes, der.n));
            assert_true(err == CRYPTO_EFORMAT || crypto_key_kind(key) == CRYPTO_KEY_RSA);
            assert_true(err == CRYPTO_EFORMAT ||
                        strcmp(crypto_key_id(key), crypto_key_id(publics[i])) != 0);
            crypto_key_free(&key);
            bytes[at] ^= 0x20;
        }
    }
}

/* Keys we do not take, as OpenSSL makes them. */
static struct slice foreign(EVP_PKEY *pkey, char out[static 4096])
{
    assert_non_null(pkey);
    uint8_t *at = (uint8_t *)out;
    int n = i2d_PUBKEY(pkey, NULL);
    assert_in_range(n, 1, 4096);
    assert_int_equal(i2d_PUBKEY(pkey, &at), n);
    EVP_PKEY_free(pkey);
    return slice_of(out, (size_t)n);
}

static EVP_PKEY *rsa_with(unsigned bits, unsigned long e)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pkey = NULL;
    BIGNUM *number = BN_new();
    BN_set_word(number, e);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits), 1);
    assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, number), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &pkey), 1);
    BN_free(number);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static EVP_PKEY *p256_with(const char *param, const char *value)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    assert_int_equal(EVP_PKEY_set_utf8_string_param(pkey, param, value), 1);
    return pkey;
}

/* A modulus nobody could have made: only its size matters to what is tested. */
static EVP_PKEY *rsa_of_bits(int bits)
{
    BIGNUM *n = BN_new(), *e = BN_new();
    assert_int_equal(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
    BN_set_word(e, 65537);
    unsigned char n_bytes[2048], e_bytes[8];
    OSSL_PARAM params[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, n_bytes, (size_t)BN_num_bytes(n)),
                           OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, e_bytes, (size_t)BN_num_bytes(e)),
                           OSSL_PARAM_END};
    BN_bn2nativepad(n, n_bytes, BN_num_bytes(n));
    BN_bn2nativepad(e, e_bytes, BN_num_bytes(e));
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pkey = NULL;
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    BN_free(e);
    return pkey;
}

static void foreign_keys(void **state)
{
    (void)state;
    char der[4096];
    EVP_PKEY *bad[] = {
        EVP_EC_gen("P-384"),
        EVP_EC_gen("secp256k1"),
        EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
        EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
        rsa_with(1024, 65537),
        rsa_with(2048, 3),
        rsa_of_bits(2047),
        rsa_of_bits(8193),
        rsa_of_bits(16000),
        p256_with(OSSL_PKEY_PARAM_EC_ENCODING, "explicit"),
        p256_with(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"),
        p256_with(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "hybrid"),
    };
    struct crypto_key *key = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(crypto_key_load_spki(&key, foreign(bad[i], der)), CRYPTO_EFORMAT);
        assert_null(key);
    }
    assert_int_equal(crypto_key_load_spki(&key, foreign(rsa_of_bits(2048), der)), CRYPTO_OK);
    crypto_key_free(&key);
    assert_int_equal(crypto_key_load_spki(&key, foreign(rsa_of_bits(8192), der)), CRYPTO_OK);
    crypto_key_free(&key);
}

#define X "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA"
#define Y "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"
static const struct {
    const char *what, *json;
} bad_jwks[] = {
    {"nothing", ""},
    {"no object", "[]"},
    {"no kty", "{\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}"},
    {"symmetric", "{\"kty\":\"oct\",\"k\":\"AAAA\"}"},
    {"kty of another case", "{\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}"},
    {"no curve", "{\"kty\":\"EC\",\"x\":\"" X "\",\"y\":\"" Y "\"}"},
    {"another curve", "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y "\"}"},
    {"off this curve", "{\"kty\":\"EC\",\"crv\":\"SM2\",\"x\":\"" X "\",\"y\":\"" Y "\"}"},
    {"off its curve", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" Y "\",\"y\":\"" X "\"}"},
    {"y missing", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}"},
    {"x too short", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"qIVY\",\"y\":\"" Y "\"}"},
    {"x padded", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "=\",\"y\":\"" Y "\"}"},
    {"x too long", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "AAAA\",\"y\":\"" Y "\"}"},
    {"x a number", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":1,\"y\":\"" Y "\"}"},
    {"a member twice",
     "{\"kty\":\"EC\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}"},
    {"bytes after it", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}x"},
    {"private",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\",\"d\":\"" X "\"}"},
    {"small RSA", "{\"kty\":\"RSA\",\"n\":\"" X "\",\"e\":\"AQAB\"}"},
    {"RSA without e", "{\"kty\":\"RSA\",\"n\":\"" X "\"}"},
    {"RSA n empty", "{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}"},
    {"RSA e with a zero in front", "{\"kty\":\"RSA\",\"n\":\"" X "\",\"e\":\"AAEAAQ\"}"},
};

static void refused_jwks(void **state)
{
    (void)state;
    struct crypto_key *key = NULL;
    for (size_t i = 0; i < sizeof bad_jwks / sizeof *bad_jwks; i++) {
        struct slice json = slice_str(bad_jwks[i].json);
        if (crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, json) != CRYPTO_EFORMAT) {
            fail_msg("taken: %s", bad_jwks[i].what);
        }
    }
    static char spaces[CRYPTO_KEY_TEXT_MAX + 1];
    memset(spaces, ' ', sizeof spaces);
    assert_int_equal(crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, slice_of(spaces, sizeof spaces)),
                     CRYPTO_EFORMAT);
    /* a private half that is not of this point */
    assert_int_equal(crypto_key_load_jwk(&key, CRYPTO_KEY_PAIR,
                                         SLICE("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X
                                               "\",\"y\":\"" Y "\",\"d\":\"" X "\"}")),
                     CRYPTO_EFORMAT);
    assert_null(key);
}

static char *number(EVP_PKEY *pkey, const char *param, int pad)
{
    static char text[16][512];
    static size_t turn;
    BIGNUM *bn = NULL;
    uint8_t bytes[512];
    assert_int_equal(EVP_PKEY_get_bn_param(pkey, param, &bn), 1);
    int n = BN_bn2binpad(bn, bytes, pad > 0 ? pad : BN_num_bytes(bn));
    BN_clear_free(bn);
    turn = (turn + 1) % 16;
    text[turn][codec_base64url(text[turn], bytes, (size_t)n)] = '\0';
    return text[turn];
}

static void private_jwks(void **state)
{
    (void)state;
    EVP_PKEY *pkeys[] = {EVP_PKEY_Q_keygen(NULL, NULL, "SM2"), EVP_EC_gen("P-256"),
                         EVP_RSA_gen(2048)};
    for (int i = 0; i < KINDS; i++) {
        EVP_PKEY *p = pkeys[i];
        json_t *jwk =
            i == CRYPTO_KEY_RSA
                ? json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "kty", "RSA", "n",
                            number(p, "n", 0), "e", number(p, "e", 0), "d", number(p, "d", 0), "p",
                            number(p, "rsa-factor1", 0), "q", number(p, "rsa-factor2", 0), "dp",
                            number(p, "rsa-exponent1", 0), "dq", number(p, "rsa-exponent2", 0),
                            "qi", number(p, "rsa-coefficient1", 0))
                : json_pack("{s:s,s:s,s:s,s:s,s:s}", "kty", "EC", "crv", i == 0 ? "SM2" : "P-256",
                            "x", number(p, "qx", 32), "y", number(p, "qy", 32), "d",
                            number(p, "priv", 32));
        char *text = json_dumps(jwk, 0), sig_room[CRYPTO_SIG_MAX];
        struct crypto_key *key = NULL;
        assert_int_equal(crypto_key_load_jwk(&key, CRYPTO_KEY_PAIR, slice_str(text)), CRYPTO_OK);
        uint8_t *sig = (uint8_t *)sig_room;
        assert_int_equal(verify(key, sig, sign(key, sig)), CRYPTO_OK);
        crypto_key_free(&key);
        assert_int_equal(crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, slice_str(text)),
                         CRYPTO_EFORMAT);
        json_object_del(jwk, i == CRYPTO_KEY_RSA ? "qi" : "y");
        free(text);
        text = json_dumps(jwk, 0);
        assert_int_equal(crypto_key_load_jwk(&key, CRYPTO_KEY_PAIR, slice_str(text)),
                         CRYPTO_EFORMAT);
        free(text);
        json_decref(jwk);
        EVP_PKEY_free(p);
    }
}

static void refused_pems(void **state)
{
    (void)state;
    char *good = crypto_key_public_pem(pairs[CRYPTO_KEY_SM2]), text[2048];
    static const struct {
        const char *before, *after;
    } around[] = {{"words\n", ""}, {"x", ""}, {"", "words"}, {"", "-----BEGIN "}, {"", "\n."}};
    struct crypto_key *key = NULL;
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        int n = snprintf(text, sizeof text, "%s%s%s", around[i].before, good, around[i].after);
        assert_int_equal(crypto_key_load_pem(&key, CRYPTO_KEY_PUBLIC, slice_of(text, (size_t)n)),
                         CRYPTO_EFORMAT);
    }
    int twice = snprintf(text, sizeof text, "%s%s", good, good);
    assert_int_equal(crypto_key_load_pem(&key, CRYPTO_KEY_PUBLIC, slice_of(text, (size_t)twice)),
                     CRYPTO_EFORMAT);
    assert_int_equal(crypto_key_load_pem(&key, CRYPTO_KEY_PUBLIC, SLICE("")), CRYPTO_EFORMAT);
    for (size_t n = strlen(good) - 2; n > 0; n--) { /* only the last line end may be missing */
        assert_int_equal(crypto_key_load_pem(&key, CRYPTO_KEY_PUBLIC, slice_of(good, n)),
                         CRYPTO_EFORMAT);
    }
    int n = snprintf(text, sizeof text, " \n%s\r\n ", good);
    assert_int_equal(crypto_key_load_pem(&key, CRYPTO_KEY_PUBLIC, slice_of(text, (size_t)n)),
                     CRYPTO_OK);
    crypto_key_free(&key);
    free(good);
}

static char *private_pem(EVP_PKEY *pkey, const EVP_CIPHER *cipher, bool traditional)
{
    static char text[8192];
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned char password[] = "secret";
    assert_int_equal(
        traditional
            ? PEM_write_bio_PrivateKey_traditional(bio, pkey, cipher, password, 6, NULL, NULL)
            : PEM_write_bio_PrivateKey(bio, pkey, cipher, password, 6, NULL, NULL),
        1);
    char *bytes;
    long n = BIO_get_mem_data(bio, &bytes);
    memcpy(text, bytes, (size_t)n);
    text[n] = '\0';
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return text;
}

static void private_pems(void **state)
{
    (void)state;
    struct crypto_key *key = NULL;
    static const struct {
        const char *group;
        bool encrypted, traditional;
        enum crypto_err err;
    } rows[] = {
        {"P-256", false, true, CRYPTO_OK},     {"SM2", false, true, CRYPTO_OK},
        {"P-256", true, true, CRYPTO_EFORMAT}, {"P-256", true, false, CRYPTO_EFORMAT},
        {"SM2", true, false, CRYPTO_EFORMAT},  {"P-384", false, true, CRYPTO_EFORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EVP_PKEY *pkey = strcmp(rows[i].group, "SM2") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "SM2")
                                                           : EVP_EC_gen(rows[i].group);
        char *pem =
            private_pem(pkey, rows[i].encrypted ? EVP_aes_128_cbc() : NULL, rows[i].traditional);
        assert_int_equal(crypto_key_load_pem(&key, CRYPTO_KEY_PAIR, slice_str(pem)), rows[i].err);
        crypto_key_free(&key);
    }
}

static void files(void **state)
{
    (void)state;
    char path[] = "/tmp/sluice-key-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    char *pem = crypto_key_private_pem(pairs[CRYPTO_KEY_P256]);
    assert_int_equal(write(fd, pem, strlen(pem)), strlen(pem));
    free(pem);
    struct crypto_key *key = NULL;
    assert_int_equal(crypto_key_load_file(&key, CRYPTO_KEY_PUBLIC, path), CRYPTO_EFORMAT);
    assert_int_equal(crypto_key_load_file(&key, CRYPTO_KEY_PAIR, path), CRYPTO_OK);
    assert_string_equal(crypto_key_id(key), crypto_key_id(pairs[CRYPTO_KEY_P256]));
    crypto_key_free(&key);
    assert_int_equal(ftruncate(fd, CRYPTO_KEY_TEXT_MAX + 1), 0);
    assert_int_equal(crypto_key_load_file(&key, CRYPTO_KEY_PAIR, path), CRYPTO_EFORMAT);
    close(fd);
    unlink(path);
    assert_int_equal(crypto_key_load_file(&key, CRYPTO_KEY_PAIR, path), CRYPTO_EIO);
    assert_null(key);
}

/* SM2 signatures of one provider verify with the other, in both directions. */
static int openssl_sm2(EVP_PKEY *pkey, uint8_t *der, size_t *der_n, bool signing)
{
    static const char id[] = "1234567812345678";
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *inner = NULL;
    int done = signing ? EVP_DigestSignInit(ctx, &inner, EVP_sm3(), NULL, pkey)
                       : EVP_DigestVerifyInit(ctx, &inner, EVP_sm3(), NULL, pkey);
    /* Not among the parameters of the init: OpenSSL 3.0.19 refuses it there. */
    if (done == 1 && EVP_PKEY_CTX_set1_id(inner, id, sizeof id - 1) == 1) {
        done = signing
                   ? EVP_DigestSign(ctx, der, der_n, (const uint8_t *)message, sizeof message)
                   : EVP_DigestVerify(ctx, der, *der_n, (const uint8_t *)message, sizeof message);
    }
    EVP_MD_CTX_free(ctx);
    return done;
}

static void both_providers(void **state)
{
    (void)state;
    char *pem = crypto_key_private_pem(pairs[CRYPTO_KEY_SM2]);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    assert_non_null(pkey);
    for (int turn = 0; turn < 20; turn++) {
        uint8_t raw[CRYPTO_SIG_MAX], der[CRYPTO_SM2_SIG_MAX];
        sign(pairs[CRYPTO_KEY_SM2], raw);
        size_t n = crypto_sig_to_der(raw, der);
        assert_int_equal(openssl_sm2(pkey, der, &n, false), 1);
        n = sizeof der;
        assert_int_equal(openssl_sm2(pkey, der, &n, true), 1);
        assert_true(crypto_sig_from_der(der, n, raw));
        assert_int_equal(verify(publics[CRYPTO_KEY_SM2], raw, CRYPTO_RAW_SIG_LEN), CRYPTO_OK);
    }
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    free(pem);
}

static const struct {
    const char *what, *hex;
} bad_ders[] = {
    {"empty", ""},
    {"no sequence", "020101"},
    {"one number", "3003020101"},
    {"bytes after it", "300602010102010100"},
    {"three numbers", "3009020101020101020101"},
    {"negative", "30060201ff020101"},
    {"a zero too many", "300702020001020101"},
    {"long form of a short length", "308106020101020101"},
    {"length beyond the end", "3007020101020101"},
    {"33 bytes", "3026022101000000000000000000000000000000000000000000000000000000000000000002"
                 "0101"},
};

static void der_signatures(void **state)
{
    (void)state;
    uint8_t der[CRYPTO_SM2_SIG_MAX], raw[CRYPTO_RAW_SIG_LEN] = {7}, again[CRYPTO_RAW_SIG_LEN];
    for (size_t i = 0; i < sizeof bad_ders / sizeof *bad_ders; i++) {
        size_t n = 0;
        const char *hex = bad_ders[i].hex;
        if (!codec_unhex(der, sizeof der, &n, hex, strlen(hex))) {
            n = 0;
        }
        if (crypto_sig_from_der(der, n, raw)) {
            fail_msg("taken: %s", bad_ders[i].what);
        }
        assert_int_equal(raw[0], 7);
    }
    for (int turn = 0; turn < 200; turn++) { /* leading zeros and high bits come up */
        crypto_random(raw, sizeof raw);
        raw[0] &= (uint8_t)(turn % 3 == 0 ? 0 : 0xff);
        size_t n = crypto_sig_to_der(raw, der);
        assert_true(crypto_sig_from_der(der, n, again));
        assert_memory_equal(raw, again, sizeof raw);
        assert_false(crypto_sig_from_der(der, n - 1, again));
    }
}

static void wrapping(void **state)
{
    (void)state;
    uint8_t key[16], sealed[CRYPTO_SM2_CIPHER_MAX(CRYPTO_SM2_PLAIN_MAX) + 1], out[300];
    const struct crypto_key *pair = pairs[CRYPTO_KEY_SM2], *public = publics[CRYPTO_KEY_SM2];
    crypto_random(key, sizeof key);
    size_t n = 0, out_n = 0;
    assert_int_equal(crypto_sm2_encrypt(public, key, sizeof key, sealed, sizeof sealed, &n),
                     CRYPTO_OK);
    assert_null(memmem(sealed, n, key, sizeof key));
    assert_int_equal(crypto_sm2_decrypt(pair, sealed, n, out, sizeof out, &out_n), CRYPTO_OK);
    assert_int_equal(out_n, sizeof key);
    assert_memory_equal(out, key, sizeof key);
    struct crypto_key *other = crypto_key_new(CRYPTO_KEY_SM2);
    assert_int_equal(crypto_sm2_decrypt(other, sealed, n, out, sizeof out, &out_n), CRYPTO_EVERIFY);
    crypto_key_free(&other);
    assert_int_equal(crypto_sm2_decrypt(public, sealed, n, out, sizeof out, &out_n),
                     CRYPTO_EFORMAT);
    assert_int_equal(crypto_sm2_decrypt(pair, sealed, n, out, 15, &out_n), CRYPTO_EVERIFY);
    sealed[n] = 0;
    assert_int_equal(crypto_sm2_decrypt(pair, sealed, n + 1, out, sizeof out, &out_n),
                     CRYPTO_EVERIFY);
    for (size_t i = 0; i < n; i++) {
        sealed[i] ^= 1;
        assert_int_equal(crypto_sm2_decrypt(pair, sealed, n, out, sizeof out, &out_n),
                         CRYPTO_EVERIFY);
        assert_int_equal(out[0], 0);
        sealed[i] ^= 1;
        assert_int_equal(crypto_sm2_decrypt(pair, sealed, i, out, sizeof out, &out_n),
                         i == 0 ? CRYPTO_EFORMAT : CRYPTO_EVERIFY);
    }
    for (size_t size = 1; size <= CRYPTO_SM2_PLAIN_MAX; size++) {
        memset(out, (int)size, size);
        assert_int_equal(crypto_sm2_encrypt(public, out, size, sealed, sizeof sealed, &n),
                         CRYPTO_OK);
        assert_int_equal(crypto_sm2_decrypt(pair, sealed, n, out, sizeof out, &out_n), CRYPTO_OK);
        assert_int_equal(out_n, size);
    }
    static const size_t bad[] = {0, CRYPTO_SM2_PLAIN_MAX + 1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(crypto_sm2_encrypt(public, out, bad[i], sealed, sizeof sealed, &n),
                         CRYPTO_EFORMAT);
    }
    assert_int_equal(crypto_sm2_encrypt(public, key, 16, sealed, 64, &n), CRYPTO_EFORMAT);
    assert_int_equal(
        crypto_sm2_encrypt(publics[CRYPTO_KEY_P256], key, 16, sealed, sizeof sealed, &n),
        CRYPTO_EFORMAT);
}

static void *use(void *arg)
{
    uint8_t sig[CRYPTO_SIG_MAX];
    size_t *good = arg;
    for (int i = 0; i < 30; i++) {
        struct crypto_key *key = pairs[i % KINDS];
        size_t n = 0;
        if (crypto_key_sign(key, crypto_key_alg(key), message, sizeof message, sig, &n) ==
                CRYPTO_OK &&
            verify(publics[i % KINDS], sig, n) == CRYPTO_OK) {
            ++*good;
        }
    }
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    pthread_t thread[4];
    size_t good[4] = {0};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, use, &good[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(good[i], 30);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[EC-6.1.4.3d, BK-7.2.2b2] key: what a pair signs its public half verifies",
         sign_and_verify, NULL, NULL, NULL},
        {"[EC-6.1.4.3a, BK-7.2.2b1] key: other messages, lengths, numbers and keys are refused",
         refused_signatures, NULL, NULL, NULL},
        {"key: one algorithm a key, and a public key does not sign", other_algorithms, NULL, NULL,
         NULL},
        {"key: PEM, SPKI and JWK lead back to the same key", every_form, NULL, NULL, NULL},
        {"key: a changed SPKI is refused or another key", changed_spki, NULL, NULL, NULL},
        {"[BK-7.1a] key: other curves, sizes, exponents and encodings are refused", foreign_keys,
         NULL, NULL, NULL},
        {"key: JWKs that are refused", refused_jwks, NULL, NULL, NULL},
        {"key: private JWKs", private_jwks, NULL, NULL, NULL},
        {"key: PEM with anything around it is refused", refused_pems, NULL, NULL, NULL},
        {"key: private PEM of each form; an encrypted one is refused", private_pems, NULL, NULL,
         NULL},
        {"key: files", files, NULL, NULL, NULL},
        {"[SW-9.3-3a] key: SM2 signatures of either provider verify with the other", both_providers,
         NULL, NULL, NULL},
        {"key: DER signatures, the canonical ones only", der_signatures, NULL, NULL, NULL},
        {"[SW-9.3-3a, SW-9.4-1a] key: a content key wrapped with SM2 opens with the private key "
         "only",
         wrapping, NULL, NULL, NULL},
        {"key: shared by threads", threads, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
