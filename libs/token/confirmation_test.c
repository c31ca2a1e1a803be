/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "token/confirmation.h"

static struct confirmation sample(void)
{
    struct confirmation c = {
        .issued_ms = 1700000000000, .expires_ms = 1700000300000, .factors = TOKEN_PASSWORD};

    uuid_new(&c.id);
    uuid_new(&c.app);
    uuid_new(&c.api);
    uuid_new(&c.user);
    crypto_random(c.owner_sm3, sizeof c.owner_sm3);
    confirmation_content(SLICE("POST"), SLICE("/pay/v1"), SLICE("{\"amount\":1}"), c.content_sm3);
    return c;
}

static void test_comes_back(void **state)
{
    (void)state;
    struct confirmation c = sample(), back = {0};
    struct token_key keys[2] = {{.id = 7}, {.id = 8}};
    char text[CONFIRMATION_TEXT_MAX];

    crypto_random(keys[0].key, CRYPTO_KEY_LEN);
    crypto_random(keys[1].key, CRYPTO_KEY_LEN);
    size_t n = confirmation_seal(&c, &keys[1], text);
    assert_int_equal(strlen(text), n);
    assert_int_equal(confirmation_open(&back, keys, 2, slice_of(text, n)), TOKEN_OK);
    assert_memory_equal(&back.id, &c.id, UUID_LEN);
    assert_memory_equal(&back.user, &c.user, UUID_LEN);
    assert_memory_equal(back.owner_sm3, c.owner_sm3, CRYPTO_HASH_LEN);
    assert_memory_equal(back.content_sm3, c.content_sm3, CRYPTO_HASH_LEN);
    assert_int_equal(back.expires_ms, c.expires_ms);
    assert_int_equal(confirmation_open(&back, keys, 1, slice_of(text, n)), TOKEN_EKEY);
}

/* Every byte counts, and neither kind opens as the other. */
static void test_changed(void **state)
{
    (void)state;
    struct confirmation c = sample(), back;
    struct token_key key = {.id = 1};
    struct token t = {.issued_ms = 1, .expires_ms = 2}, token_back;
    char text[CONFIRMATION_TEXT_MAX], access[TOKEN_TEXT_MAX];

    crypto_random(key.key, CRYPTO_KEY_LEN);
    size_t n = confirmation_seal(&c, &key, text);
    for (size_t i = 0; i < n; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(confirmation_open(&back, &key, 1, slice_of(text, n)), TOKEN_OK);
        text[i] = was;
    }
    assert_int_equal(confirmation_open(&back, &key, 1, slice_of(text, n - 1)), TOKEN_EFORMAT);
    memcpy(text, TOKEN_PREFIX, sizeof TOKEN_PREFIX - 1);
    assert_int_not_equal(token_open(&token_back, &key, 1, slice_of(text, n)), TOKEN_OK);
    size_t m = token_seal(&t, &key, access);
    memcpy(access, CONFIRMATION_PREFIX, sizeof CONFIRMATION_PREFIX - 1);
    assert_int_not_equal(confirmation_open(&back, &key, 1, slice_of(access, m)), TOKEN_OK);
}

/* Method, target and body each change the digest, and no part passes for another. */
static void test_content(void **state)
{
    (void)state;
    static const char *const calls[][3] = {
        {"POST", "/pay/v1", "{}"},  {"PUT", "/pay/v1", "{}"}, {"POST", "/pay/v1?a=1", "{}"},
        {"POST", "/pay/v1", "{ }"}, {"POST", "/pay/v1", ""},  {"POST", "/pay/v1{}", ""},
        {"POST/pay", "/v1", "{}"},
    };
    uint8_t digests[7][CRYPTO_HASH_LEN];

    for (size_t i = 0; i < 7; i++) {
        confirmation_content(slice_str(calls[i][0]), slice_str(calls[i][1]), slice_str(calls[i][2]),
                             digests[i]);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(digests[i], digests[j], CRYPTO_HASH_LEN);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
