/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/utf8.h"

static void buf_grows_and_escapes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b);
    for (int i = 0; i < 1000; i++) {
        buf_addf(&b, "%d,", i);
    }
    assert_int_equal(b.n, 10 * 2 + 90 * 3 + 900 * 4);
    buf_clear(&b);
    buf_add_json(&b, slice_of("a\"\\\n\x01\0z", 7));
    assert_true(slice_eq(buf_slice(&b), SLICE("\"a\\\"\\\\\\n\\u0001\\u0000z\"")));
    assert_false(buf_reserve(&b, SIZE_MAX / 2));
    buf_adds(&b, "after a failure nothing is added");
    assert_true(b.failed);
    buf_fini(&b);
}

static void clock_round_trip_and_refusals(void **state)
{
    (void)state;
    char text[CLOCK_RFC3339_LEN + 1];
    uint64_t ms = 0;
    clock_format_ms(1790000000123, text);
    assert_string_equal(text, "2026-09-21T14:13:20.123Z");
    assert_true(clock_parse_ms(text, CLOCK_RFC3339_LEN, &ms));
    assert_int_equal(ms, 1790000000123);
    assert_true(clock_parse_ms("2024-02-29T00:00:00Z", 20, &ms));
    static const char *const bad[] = {
        "",
        "2026",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00+01",
        "2026-01-01T00:00:00.1Z",
        "2026-01-01T00:00:00.12xZ",
        "1969-12-31T23:59:59Z",
        "2o26-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ms = 7;
        assert_false(clock_parse_ms(bad[i], strlen(bad[i]), &ms));
        assert_int_equal(ms, 7);
    }
}

static void codec_vectors(void **state)
{
    (void)state;
    /* RFC 4648 section 10 */
    static const char *const rows[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xff\xfe\xfb", "//77", "__77"},
    };
    char out[64];
    uint8_t back[64];
    size_t n;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i][0]);
        n = codec_base64(out, rows[i][0], len);
        assert_true(slice_eq(slice_of(out, n), slice_str(rows[i][1])));
        assert_int_equal(n, CODEC_BASE64_LEN(len));
        n = codec_base64url(out, rows[i][0], len);
        assert_true(slice_eq(slice_of(out, n), slice_str(rows[i][2])));
        assert_int_equal(n, CODEC_BASE64URL_LEN(len));
        assert_true(codec_unbase64(back, sizeof back, &n, rows[i][1], strlen(rows[i][1])));
        assert_memory_equal(back, rows[i][0], len);
        assert_true(codec_unbase64url(back, sizeof back, &n, rows[i][2], strlen(rows[i][2])));
        assert_int_equal(n, len);
    }
}

static void codec_refusals(void **state)
{
    (void)state;
    uint8_t out[4];
    size_t n;
    static const char *const bad64[] = {
        "Z", "Zg", "Zg=", "Zh==", "Z===", "====", "Zm9v\n", "Zm9vYmFy", "__77", "Z g="};
    for (size_t i = 0; i < sizeof bad64 / sizeof *bad64; i++) {
        assert_false(codec_unbase64(out, sizeof out, &n, bad64[i], strlen(bad64[i])));
    }
    static const char *const bad_url[] = {"Z", "Zh", "Zg==", "//77", "Zm9vYmFy"};
    for (size_t i = 0; i < sizeof bad_url / sizeof *bad_url; i++) {
        assert_false(codec_unbase64url(out, sizeof out, &n, bad_url[i], strlen(bad_url[i])));
    }
    static const char *const bad_hex[] = {"a", "0g", "0x", "0011223344", "-1"};
    for (size_t i = 0; i < sizeof bad_hex / sizeof *bad_hex; i++) {
        assert_false(codec_unhex(out, sizeof out, &n, bad_hex[i], strlen(bad_hex[i])));
    }
    assert_true(codec_unhex(out, sizeof out, &n, "00fFAb", 6));
    assert_memory_equal(out, "\x00\xff\xab", 3);
}

static void utf8_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
    } rows[] = {
        {"a", 1},
        {"\xc2\x80", 2},
        {"数", 3},
        {"\xf0\x9f\x98\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},
        {"\xc0\x80", 0},
        {"\xc1\xbf", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xed\xa0\x80", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xe6\x95", 0},
        {"\xe6\x95g", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(utf8_char(slice_str(rows[i].text)), rows[i].n);
        assert_int_equal(utf8_valid(slice_str(rows[i].text)), rows[i].n > 0 || !*rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_grows_and_escapes),
        cmocka_unit_test(clock_round_trip_and_refusals),
        cmocka_unit_test(codec_vectors),
        cmocka_unit_test(codec_refusals),
        cmocka_unit_test(utf8_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
