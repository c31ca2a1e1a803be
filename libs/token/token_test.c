/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "token/token.h"

static struct token sample(void)
{
    struct token t = {.issued_ms = 1700000000000,
                      .expires_ms = 1700000300000,
                      .signed_in_ms = 1699999999999,
                      .binding = TOKEN_DPOP,
                      .factors = TOKEN_PASSWORD | TOKEN_OTP,
                      .n_apis = TOKEN_SCOPES_MAX,
                      .n_grants = TOKEN_GRANTS_MAX};

    uuid_new(&t.id);
    uuid_new(&t.app);
    uuid_new(&t.user);
    uuid_new(&t.session);
    uuid_new(&t.family);
    crypto_random(t.thumb, sizeof t.thumb);
    for (size_t i = 0; i < TOKEN_SCOPES_MAX; i++) {
        uuid_new(&t.apis[i]);
        uuid_new(&t.grants[i]);
    }
    return t;
}

static void test_comes_back(void **state)
{
    (void)state;
    struct token t = sample(), back = {0};
    struct token_key keys[2] = {{.id = 7}, {.id = 0x01020304}};
    char text[TOKEN_TEXT_MAX];

    crypto_random(keys[0].key, CRYPTO_KEY_LEN);
    crypto_random(keys[1].key, CRYPTO_KEY_LEN);
    size_t n = token_seal(&t, &keys[1], text);
    assert_int_equal(strlen(text), n);
    assert_int_equal(token_open(&back, keys, 2, slice_of(text, n)), TOKEN_OK);
    assert_memory_equal(&back.id, &t.id, sizeof t.id);
    assert_memory_equal(back.apis, t.apis, sizeof t.apis);
    assert_memory_equal(back.grants, t.grants, sizeof t.grants);
    assert_memory_equal(back.thumb, t.thumb, sizeof t.thumb);
    assert_int_equal(back.expires_ms, t.expires_ms);
    assert_int_equal(back.factors, t.factors);
    assert_int_equal(token_open(&back, keys, 1, slice_of(text, n)), TOKEN_EKEY);
}

/* Every byte counts, and no key of the same name opens what another sealed. */
static void test_changed(void **state)
{
    (void)state;
    struct token t = sample(), back;
    struct token_key key = {.id = 1}, other = {.id = 1};
    char text[TOKEN_TEXT_MAX], broken[TOKEN_TEXT_MAX];

    t.n_apis = 1;
    t.n_grants = 0;
    crypto_random(key.key, CRYPTO_KEY_LEN);
    crypto_random(other.key, CRYPTO_KEY_LEN);
    size_t n = token_seal(&t, &key, text);
    assert_int_equal(token_open(&back, &other, 1, slice_of(text, n)), TOKEN_ESEAL);
    for (size_t i = 0; i < n; i++) {
        memcpy(broken, text, n);
        broken[i] = broken[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(token_open(&back, &key, 1, slice_of(broken, n)), TOKEN_OK);
        assert_int_not_equal(token_open(&back, &key, 1, slice_of(text, i)), TOKEN_OK);
    }
    memcpy(broken, text, n);
    broken[n] = 'A';
    assert_int_not_equal(token_open(&back, &key, 1, slice_of(broken, n + 1)), TOKEN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
