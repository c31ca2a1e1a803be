/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/encoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

static void test_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes, *text;
    } rows[] = {
        {"GB18030", "\xd6\xd0\xb9\xfa", "中国"},
        {"GBK", "\xc1\xaa\xcd\xa8", "联通"}, /* which is UTF-8 of something else as well */
        {"GB18030", "\x81\x35\xf4\x37", "\xee\x9f\x87"},
        {"GB18030", "\x94\x39\xda\x33", "\xf0\x9f\x92\xa9"}, /* four bytes, beyond the BMP */
        {"BIG5", "\xa4\xa4\xb0\xea", "中國"},
        {"GBK", "plain 'text'", "plain 'text'"},
        {"GBK", "", ""},
    };
    struct buf text, bytes;
    buf_init(&text);
    buf_init(&bytes);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct encoding *e = encoding_new(slice_str(rows[i].name));
        assert_non_null(e);
        encoding_decode(e, slice_str(rows[i].bytes), &text);
        if (i != 2) /* a private character: iconv has its own mapping */
            assert_true(slice_eq(buf_slice(&text), slice_str(rows[i].text)));
        buf_clear(&bytes);
        assert_true(encoding_encode(e, buf_slice(&text), &bytes));
        assert_true(slice_eq(buf_slice(&bytes), slice_str(rows[i].bytes)));
        encoding_free(&e);
    }
    buf_fini(&text);
    buf_fini(&bytes);
}

/* Whatever the bytes are, what comes out is UTF-8, and nothing after a bad byte is lost. */
static void test_broken(void **state)
{
    (void)state;
    struct encoding *e = encoding_new(SLICE("GB18030"));
    struct buf text, bytes;
    buf_init(&text);
    buf_init(&bytes);
    encoding_decode(e, SLICE("a\xff\xd6\xd0z\xd6"), &text);
    assert_true(slice_eq(buf_slice(&text), SLICE("a\xef\xbf\xbd中z\xef\xbf\xbd")));
    uint32_t seed = 1;
    for (int round = 0; round < 2000; round++) {
        char any[64];
        for (size_t i = 0; i < sizeof any; i++)
            any[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
        encoding_decode(e, slice_of(any, (size_t)round % sizeof any), &text);
        assert_true(utf8_valid(buf_slice(&text)));
    }
    encoding_free(&e);
    e = encoding_new(SLICE("BIG5"));
    assert_false(encoding_encode(e, SLICE("\xf0\x9f\x98\x80"), &bytes)); /* it has no such sign */
    encoding_free(&e);
    assert_null(encoding_new(SLICE("UTF-7")));
    assert_null(encoding_new(SLICE("")));
    buf_fini(&text);
    buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"text goes out in UTF-8 and comes back as the bytes it was", test_both_ways, NULL, NULL,
         NULL},
        {"broken text never leaves broken", test_broken, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
