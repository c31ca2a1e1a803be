/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "problem/problem.h"

static void every_row_is_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
        const struct problem_row *row = problem_row((enum problem)i);
        assert_true(row->code[0] && row->title_en[0] && row->title_zh[0]);
        assert_in_range(row->status, 200, 599);
        assert_int_equal(problem_by_code(slice_str(row->code)), i);
    }
    assert_int_equal(problem_by_code(SLICE("no-such-code")), PROBLEM_COUNT);
    assert_ptr_equal(problem_row((enum problem)60000), problem_row(PROBLEM_INTERNAL));
}

static void languages(void **state)
{
    (void)state;
    assert_true(problem_prefers_zh(SLICE(" zh-CN,en;q=0.8")));
    assert_false(problem_prefers_zh(SLICE("en,zh")));
    assert_false(problem_prefers_zh(SLICE("z")));
    assert_false(problem_prefers_zh(SLICE("")));
}

static void hostile_text_stays_text(void **state)
{
    (void)state;
    char out[PROBLEM_RENDER_MAX];
    size_t n = problem_render(PROBLEM_FIELD_UNKNOWN, false, SLICE("a\"b\\c\r\n\x01"), SLICE("x"),
                              SLICE("t"), out);
    assert_true(slice_eq(
        slice_of(out, n),
        SLICE(
            "{\"type\":\"urn:sluice:problem:field-unknown\",\"title\":\"The request names a field "
            "the API does not "
            "have\",\"status\":400,\"code\":\"field-unknown\",\"detail\":\"a?b?c???\","
            "\"where\":\"x\",\"instance\":\"t\"}")));
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[1200], out[PROBLEM_RENDER_MAX];
    for (size_t i = 0; i < sizeof text; i += 3) {
        memcpy(text + i, "数", 3);
    }
    size_t n = problem_render(PROBLEM_INTERNAL, true, slice_of(text, 1000), slice_of(text, 3),
                              SLICE("t"), out);
    assert_in_range(n, 400, PROBLEM_RENDER_MAX - 1);
    assert_memory_equal(out + n - 14, "instance\":\"t\"}", 14);
    assert_true(utf8_valid(slice_of(out, n)));
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
    (void)state;
    char out[PROBLEM_RENDER_MAX];
    size_t n = problem_render(PROBLEM_INTERNAL, true, SLICE("\xb0\xe6\x95"), SLICE("\xed\xa0\x80"),
                              SLICE("t"), out);
    assert_true(utf8_valid(slice_of(out, n)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(languages),
        cmocka_unit_test(hostile_text_stays_text),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
