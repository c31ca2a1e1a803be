/* SPDX-License-Identifier: Apache-2.0 */
/* Personal information in what is handed in: found when it proves to be, covered, and nothing else.
 * All numbers are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "data/personal.h"

static const struct {
    const char *text, *found, *covered; /* NULL found: nothing */
} rows[] = {
    {"11010519491231002X", "id-card", NULL},
    {"13812345678", "mobile", "138****5678"},
    {"nobody@example.com", "email", NULL},
    {"call 13812345678 after six", "mobile", "**************************"},
    {"110105194912310021", NULL, NULL}, /* a wrong check digit */
    {"10812345678", NULL, NULL},        /* no mobile begins so */
    {"packed", NULL, NULL},
    {"", NULL, NULL},
    {"2026-11-26", NULL, NULL},
    {"91350100M000100Y43", NULL, NULL}, /* an enterprise's code is nobody's */
    {"\xff\xfe 13812345678", NULL, NULL},
};

static void what_is_somebodys_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *found = personal_find(slice_str(rows[i].text));
        if (!rows[i].found) {
            assert_null(found);
            continue;
        }
        assert_non_null(found);
        assert_string_equal(found, rows[i].found);
        json_t *covered = personal_cover(slice_str(rows[i].text));
        assert_non_null(covered);
        assert_null(strstr(json_string_value(covered), rows[i].text));
        if (rows[i].covered)
            assert_string_equal(json_string_value(covered), rows[i].covered);
        json_decref(covered);
    }
}

static void a_policy_names_columns(void **state)
{
    (void)state;
    json_t *guarded = json_pack("{s:s, s:[s, i]}", "do", "refuse", "columns", "status", 7);
    assert_int_equal(personal_guard_of(NULL), PERSONAL_OFF);
    assert_int_equal(personal_guard_of(guarded), PERSONAL_REFUSE);
    assert_true(personal_guards(guarded, SLICE("status")));
    assert_false(personal_guards(guarded, SLICE("phone")));
    assert_false(personal_guards(NULL, SLICE("status")));
    json_object_set_new(guarded, "do", json_string("mask"));
    assert_int_equal(personal_guard_of(guarded), PERSONAL_MASK);
    json_decref(guarded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_somebodys_is_found),
        cmocka_unit_test(a_policy_names_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
