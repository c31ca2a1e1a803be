/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "jwt/dpop.h"

#define NOW   1800000000
#define TOKEN "slt1.something"
#define URL   "https://gateway.example/trade/orders/v1"

static struct crypto_key *key;

static int setup(void **state)
{
    (void)state;
    key = crypto_key_new(CRYPTO_KEY_P256);
    return key ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    crypto_key_free(&key);
    return 0;
}

static void part(char *out, size_t room, const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT);
    assert_true(CODEC_BASE64URL_LEN(strlen(text)) < room);
    out[codec_base64url(out, text, strlen(text))] = '\0';
    free(text);
}

/* A proof with members of its header and claims replaced; a null takes one away. */
static void make(char out[4096], const char *header_changes, const char *claim_changes)
{
    char *jwk_text = crypto_key_jwk(key), head[1024], body[1024], ath[64];
    uint8_t hash[32], sig[CRYPTO_SIG_MAX];
    size_t sig_n = 0;

    crypto_hash(CRYPTO_SHA256, TOKEN, strlen(TOKEN), hash);
    ath[codec_base64url(ath, hash, sizeof hash)] = '\0';
    json_t *header = json_pack("{s:s, s:s, s:o}", "typ", "dpop+jwt", "alg", "ES256", "jwk",
                               json_loads(jwk_text, 0, NULL));
    json_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:s}", "jti", "once-1", "htm", "GET", "htu",
                               URL, "iat", (json_int_t)NOW, "ath", ath);
    json_t *changes[] = {json_loads(header_changes, 0, NULL), json_loads(claim_changes, 0, NULL)};
    assert_true(changes[0] && changes[1]);
    json_object_update(header, changes[0]);
    json_object_update(claims, changes[1]);
    part(head, sizeof head, header);
    part(body, sizeof body, claims);
    int n = snprintf(out, 4096, "%s.%s", head, body);
    assert_int_equal(
        crypto_key_sign(key, CRYPTO_ALG_ECDSA_P256_SHA256, out, (size_t)n, sig, &sig_n), CRYPTO_OK);
    out[n] = '.';
    out[n + 1 + (int)codec_base64url(out + n + 1, sig, sig_n)] = '\0';
    json_decref(header);
    json_decref(claims);
    json_decref(changes[0]);
    json_decref(changes[1]);
    free(jwk_text);
}

static const struct dpop_call call = {.method = {"GET", 3},
                                      .url = {URL, sizeof URL - 1},
                                      .access_token = {TOKEN, sizeof TOKEN - 1},
                                      .now_s = NOW};

static void test_good(void **state)
{
    (void)state;
    char proof[4096];
    struct dpop d;
    uint8_t thumb[32];

    make(proof, "{}", "{}");
    assert_int_equal(dpop_judge(&d, slice_str(proof), &call), DPOP_OK);
    crypto_key_thumbprint(key, thumb);
    assert_memory_equal(d.thumb, thumb, 32);
    assert_string_equal(d.jti, "once-1");
    make(proof, "{}", "{\"htu\":\"" URL "?limit=1#x\"}");
    assert_int_equal(dpop_judge(&d, slice_str(proof), &call), DPOP_OK);
}

static const struct {
    const char *header, *claims;
    enum dpop_err err;
} bad[] = {
    {"{\"typ\":\"JWT\"}", "{}", DPOP_EFORMAT},
    {"{\"typ\":null}", "{}", DPOP_EFORMAT},
    {"{\"alg\":\"none\"}", "{}", DPOP_EKEY},
    {"{\"alg\":\"HS256\"}", "{}", DPOP_EKEY},
    {"{\"alg\":\"PS512\"}", "{}", DPOP_EKEY},
    {"{\"jwk\":null}", "{}", DPOP_EKEY},
    {"{\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}", "{}", DPOP_EKEY},
    {"{\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}}", "{}", DPOP_EKEY},
    {"{\"crit\":[\"x\"]}", "{}", DPOP_EFORMAT},
    {"{}", "{\"htm\":\"POST\"}", DPOP_ECALL},
    {"{}", "{\"htu\":\"https://other.example/trade/orders/v1\"}", DPOP_ECALL},
    {"{}", "{\"htu\":\"http://gateway.example/trade/orders/v1\"}", DPOP_ECALL},
    {"{}", "{\"htu\":\"" URL "/more\"}", DPOP_ECALL},
    {"{}", "{\"ath\":\"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo\"}", DPOP_ECALL},
    {"{}", "{\"ath\":null}", DPOP_ECALL},
    {"{}", "{\"iat\":1799999939}", DPOP_ETIME},
    {"{}", "{\"iat\":1800000061}", DPOP_ETIME},
    {"{}", "{\"iat\":\"1800000000\"}", DPOP_EFORMAT},
    {"{}", "{\"jti\":\"\"}", DPOP_EFORMAT},
    {"{}", "{\"jti\":7}", DPOP_EFORMAT},
};

static void test_bad(void **state)
{
    (void)state;
    char proof[4096];
    struct dpop d;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        make(proof, bad[i].header, bad[i].claims);
        if (dpop_judge(&d, slice_str(proof), &call) != bad[i].err) {
            fail_msg("row %zu: %s %s", i, bad[i].header, bad[i].claims);
        }
    }
    make(proof, "{}", "{}");
    size_t n = strlen(proof);
    proof[n - 4] = proof[n - 4] == 'A' ? 'B' : 'A';
    assert_int_equal(dpop_judge(&d, slice_str(proof), &call), DPOP_ESIGNATURE);
    assert_int_equal(dpop_judge(&d, SLICE(""), &call), DPOP_EFORMAT);
    assert_int_equal(dpop_judge(&d, SLICE("a.b"), &call), DPOP_EFORMAT);
    assert_int_equal(dpop_judge(&d, SLICE("a.b.c.d"), &call), DPOP_EFORMAT);
}

/* A proof whose key is given away proves nothing. */
static void test_private_key(void **state)
{
    (void)state;
    char proof[4096];
    struct dpop d;

    make(proof,
         "{\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\","
         "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
         "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
         "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}}",
         "{}");
    assert_int_equal(dpop_judge(&d, slice_str(proof), &call), DPOP_EKEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_private_key),
    };
    return cmocka_run_group_tests_name("dpop", tests, setup, teardown);
}
