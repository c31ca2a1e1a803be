/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that standards publish. SM2 signatures (GM/T 0003.5) are in crypto_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/codec.h"
#include "crypto/key.h"

#define X "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA"
#define Y "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"

/* RFC 9421 appendix B: facts of the standard. */
static const struct {
    const char *jwk_or_spki, *base, *sig;
} rfc9421[] = {
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
     "\"@status\": 200\n\"content-type\": application/json\n\"content-digest\": "
     "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgf"
     "LQ==:\n\"content-length\": 23\n\"@signature-params\": (\"@status\" \"content-type\" "
     "\"content-digest\" \"content-length\");created=1618884473;keyid=\"test-key-ecc-p256\"",
     "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw=="},
    {"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/"
     "PbqvP1s2+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG"
     "2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+"
     "oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrF"
     "AHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+"
     "bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6"
     "aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+"
     "U9nV5o"
     "yc6XI2wIDAQAB",
     "\"@signature-params\": ();created=1618884473;keyid=\"test-key-rsa-pss\";"
     "nonce=\"b3k2pp5k7z-50gnwp.yemd\"",
     "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/"
     "lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7z"
     "FZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/"
     "Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKh"
     "O4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/"
     "QEVPnP5TmcAnLH1g+s++v6d4s8m0gC"
     "w1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q=="},
};

static void rfc9421_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rfc9421 / sizeof *rfc9421; i++) {
        struct slice text = slice_str(rfc9421[i].jwk_or_spki);
        struct crypto_key *key = NULL;
        uint8_t der[512], sig[512];
        size_t der_n, sig_n;
        if (text.p[0] == '{') {
            assert_int_equal(crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, text), CRYPTO_OK);
        } else {
            assert_true(codec_unbase64(der, sizeof der, &der_n, text.p, text.n));
            assert_int_equal(crypto_key_load_spki(&key, slice_of((char *)der, der_n)), CRYPTO_OK);
        }
        assert_true(
            codec_unbase64(sig, sizeof sig, &sig_n, rfc9421[i].sig, strlen(rfc9421[i].sig)));
        const char *base = rfc9421[i].base;
        enum crypto_alg alg = crypto_key_alg(key);
        assert_int_equal(crypto_key_verify(key, alg, base, strlen(base), sig, sig_n), CRYPTO_OK);
        assert_int_equal(crypto_key_verify(key, alg, base, strlen(base) - 1, sig, sig_n),
                         CRYPTO_EVERIFY);
        crypto_key_free(&key);
    }
}

/* GM/T 0003.5 appendix C: key pair, C1, C3, C2 (here in the ASN.1 of GB/T 35276) and plain text. */
static const char sm2_x[] = "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020";
static const char sm2_y[] = "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
static const char sm2_d[] = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
static const char sm2_cipher[] =
    "307c022004ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
    "022100e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
    "042059983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
    "041321886ca989ca9c7d58087307ca93092d651efa";

static const char *base64url_of(const char *hex, char out[static 64])
{
    uint8_t bytes[32];
    size_t n;
    assert_true(codec_unhex(bytes, sizeof bytes, &n, hex, strlen(hex)));
    out[codec_base64url(out, bytes, n)] = '\0';
    return out;
}

static void sm2_decryption(void **state)
{
    (void)state;
    char jwk[512], x[64], y[64], d[64];
    int n = snprintf(jwk, sizeof jwk,
                     "{\"kty\":\"EC\",\"crv\":\"SM2\",\"x\":\"%s\",\"y\":\"%s\",\"d\":\"%s\"}",
                     base64url_of(sm2_x, x), base64url_of(sm2_y, y), base64url_of(sm2_d, d));
    struct crypto_key *key = NULL;
    assert_int_equal(crypto_key_load_jwk(&key, CRYPTO_KEY_PAIR, slice_of(jwk, (size_t)n)),
                     CRYPTO_OK);
    uint8_t cipher[128], plain[64];
    size_t cipher_n, plain_n;
    assert_true(codec_unhex(cipher, sizeof cipher, &cipher_n, sm2_cipher, sizeof sm2_cipher - 1));
    assert_int_equal(crypto_sm2_decrypt(key, cipher, cipher_n, plain, sizeof plain, &plain_n),
                     CRYPTO_OK);
    assert_true(slice_eq(slice_of((char *)plain, plain_n), SLICE("encryption standard")));
    crypto_key_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-7.1a] key: signatures of RFC 9421 appendix B verify", rfc9421_vectors, NULL, NULL,
         NULL},
        {"[SW-9.3-3a, BK-7.1a] key: the cipher text of GM/T 0003.5 opens", sm2_decryption, NULL,
         NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
