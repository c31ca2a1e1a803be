/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/algorithm.h"

static const struct {
    const char *name;
    enum crypto_alg alg;
    enum crypto_purpose purpose;
} names[] = {
    {"sm3", CRYPTO_ALG_SM3, CRYPTO_FOR_DIGEST},
    {"sha-256", CRYPTO_ALG_SHA_256, CRYPTO_FOR_DIGEST},
    {"sha-512", CRYPTO_ALG_SHA_512, CRYPTO_FOR_DIGEST},
    {"hmac-sm3", CRYPTO_ALG_HMAC_SM3, CRYPTO_FOR_MAC},
    {"hmac-sha256", CRYPTO_ALG_HMAC_SHA256, CRYPTO_FOR_MAC},
    {"sm2-sm3", CRYPTO_ALG_SM2_SM3, CRYPTO_FOR_SIGNATURE},
    {"ecdsa-p256-sha256", CRYPTO_ALG_ECDSA_P256_SHA256, CRYPTO_FOR_SIGNATURE},
    {"rsa-pss-sha512", CRYPTO_ALG_RSA_PSS_SHA512, CRYPTO_FOR_SIGNATURE},
    {"SM2", CRYPTO_ALG_SM2, CRYPTO_FOR_KEY},
    {"ECDH-ES", CRYPTO_ALG_ECDH_ES, CRYPTO_FOR_KEY},
    {"SM4GCM", CRYPTO_ALG_SM4GCM, CRYPTO_FOR_CONTENT},
    {"A256GCM", CRYPTO_ALG_A256GCM, CRYPTO_FOR_CONTENT},
    {"TLSv1.2", CRYPTO_ALG_TLS12, CRYPTO_FOR_TLS},
    {"TLSv1.3", CRYPTO_ALG_TLS13, CRYPTO_FOR_TLS},
};

static void every_name(void **state)
{
    (void)state;
    assert_int_equal(sizeof names / sizeof *names, CRYPTO_ALG_COUNT);
    for (size_t i = 0; i < CRYPTO_ALG_COUNT; i++) {
        enum crypto_alg alg = CRYPTO_ALG_COUNT;
        assert_true(crypto_algorithm_find(slice_str(names[i].name), &alg));
        assert_int_equal(alg, names[i].alg);
        const struct crypto_algorithm *row = crypto_algorithm(alg);
        assert_string_equal(row->name, names[i].name);
        assert_int_equal(row->purpose, names[i].purpose);
        assert_true(strlen(row->note) > 0 && strlen(crypto_purpose_name(row->purpose)) > 0);
    }
}

static void other_names(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",        "SM3",  "sm2",           "sm3 ",    "sha-1",   "md5",    "rsa-v1_5-sha256",
        "SM4-GCM", "none", "A128CBC-HS256", "hmac-sm", "TLSv1.1", "RSA1_5", "sm2-sm3\n"};
    struct crypto_policy policy, before;
    crypto_policy_init(&policy);
    before = policy;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        enum crypto_alg alg = CRYPTO_ALG_SM2;
        assert_false(crypto_algorithm_find(slice_str(bad[i]), &alg));
        assert_int_equal(alg, CRYPTO_ALG_SM2);
        assert_false(crypto_policy_set(&policy, slice_str(bad[i]), CRYPTO_ENABLED, 0));
        assert_false(crypto_policy_reset(&policy, slice_str(bad[i])));
    }
    assert_false(crypto_policy_set(&policy, SLICE("sm3"), CRYPTO_ENABLED, -1));
    assert_false(crypto_algorithm_find(SLICE("sm3\0"), &(enum crypto_alg){0}));
    assert_memory_equal(&policy, &before, sizeof policy);
    enum crypto_status status = CRYPTO_DEPRECATED;
    assert_false(crypto_status_find(SLICE("Enabled"), &status));
    assert_false(crypto_status_find(SLICE(""), &status));
    assert_int_equal(status, CRYPTO_DEPRECATED);
    for (enum crypto_status s = 0; s <= CRYPTO_DISABLED; s++) {
        assert_true(crypto_status_find(slice_str(crypto_status_name(s)), &status));
        assert_int_equal(status, s);
    }
}

static const struct {
    enum crypto_status set;
    int64_t sunset_ms, now_ms;
    enum crypto_status want;
} rows[] = {
    {CRYPTO_ENABLED, 0, INT64_MAX, CRYPTO_ENABLED},
    {CRYPTO_ENABLED, 1000, 999, CRYPTO_ENABLED},
    {CRYPTO_ENABLED, 1000, 1000, CRYPTO_DISABLED},
    {CRYPTO_DEPRECATED, 0, 5000, CRYPTO_DEPRECATED},
    {CRYPTO_DEPRECATED, 1000, 999, CRYPTO_DEPRECATED},
    {CRYPTO_DEPRECATED, 1000, 1001, CRYPTO_DISABLED},
    {CRYPTO_DISABLED, 0, 0, CRYPTO_DISABLED},
    {CRYPTO_DISABLED, 1000, 1, CRYPTO_DISABLED},
};

static void policies(void **state)
{
    (void)state;
    for (enum crypto_alg alg = 0; alg < CRYPTO_ALG_COUNT; alg++) {
        struct crypto_policy policy;
        crypto_policy_init(&policy);
        struct slice name = slice_str(crypto_algorithm(alg)->name);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            assert_true(crypto_policy_set(&policy, name, rows[i].set, rows[i].sunset_ms));
            assert_int_equal(crypto_policy_status(&policy, alg, rows[i].now_ms), rows[i].want);
            assert_int_equal(crypto_policy_allows(&policy, alg, rows[i].now_ms),
                             rows[i].want != CRYPTO_DISABLED);
            for (enum crypto_alg other = 0; other < CRYPTO_ALG_COUNT; other++) {
                assert_true(other == alg || crypto_policy_allows(&policy, other, 5000));
            }
        }
        assert_true(crypto_policy_reset(&policy, name));
        assert_int_equal(crypto_policy_status(&policy, alg, INT64_MAX), CRYPTO_ENABLED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"algorithm: every name, its purpose and its note", every_name, NULL, NULL, NULL},
        {"[BK-7.1a] algorithm: a name that is not allowed is refused", other_names, NULL, NULL,
         NULL},
        {"[SW-9.8-tra4] algorithm: each can be switched off alone, at once or at its sunset",
         policies, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
