/* SPDX-License-Identifier: Apache-2.0 */
/* The vectors of RFC 6238 appendix B, cut to six digits, and what must not pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/totp.h"

static const uint8_t secret[CRYPTO_TOTP_SECRET_LEN + 1] = "12345678901234567890";

static void vectors(void **state)
{
    static const struct {
        uint64_t at_s;
        const char *code;
    } rows[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    char code[CRYPTO_TOTP_DIGITS + 1], text[CRYPTO_TOTP_TEXT_LEN + 1];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        crypto_totp(secret, crypto_totp_step(rows[i].at_s * 1000), code);
        assert_string_equal(code, rows[i].code);
    }
    crypto_totp_text(secret, text);
    assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}

static void matches(void **state)
{
    uint64_t now = crypto_totp_step(UINT64_C(1111111111000));
    char code[CRYPTO_TOTP_DIGITS + 1];

    (void)state;
    for (uint64_t step = now - 3; step <= now + 3; step++) {
        bool near_now = step >= now - 1 && step <= now + 1;
        crypto_totp(secret, step, code);
        assert_int_equal(crypto_totp_match(secret, slice_str(code), now, 0), near_now ? step : 0);
        assert_int_equal(crypto_totp_match(secret, slice_str(code), now, step), 0); /* used */
    }
    crypto_totp(secret, now, code);
    assert_int_equal(crypto_totp_match(secret, slice_of(code, 5), now, 0), 0);
    assert_int_equal(crypto_totp_match(secret, slice_of(code, 7), now, 0), 0);
    code[0] = code[0] == '9' ? '0' : '9';
    assert_int_equal(crypto_totp_match(secret, slice_str(code), now, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors), cmocka_unit_test(matches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
