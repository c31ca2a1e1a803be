/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "sdk/sdk.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SM3 ";sm3=" HEX

static const struct {
    const char *value;
    enum sdk_err err;
} rows[] = {
    {"js/1.0.0" SM3, SDK_OK},
    {"java-android/10.20.30-rc.1+build.05" SM3, SDK_OK},
    {"c99/0.0.0-0" SM3, SDK_OK},
    {"js/1.0.0-alpha.0a" SM3, SDK_OK},
    {"abcdefghijklmnopqrstuvwx/1.0.0" SM3, SDK_OK},
    {"js/1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" SM3, SDK_OK}, /* 39 bytes of version */
    {"", SDK_ENAME},
    {"js", SDK_ENAME},
    {"js" SM3, SDK_ENAME},
    {"/1.0.0" SM3, SDK_ENAME},
    {"JS/1.0.0" SM3, SDK_ENAME},
    {"1js/1.0.0" SM3, SDK_ENAME},
    {"-js/1.0.0" SM3, SDK_ENAME},
    {"j s/1.0.0" SM3, SDK_ENAME},
    {" js/1.0.0" SM3, SDK_ENAME},
    {"j\xc3\xa9/1.0.0" SM3, SDK_ENAME},
    {"abcdefghijklmnopqrstuvwxy/1.0.0" SM3, SDK_ENAME},
    {"js/" SM3, SDK_EVERSION},
    {"js/1" SM3, SDK_EVERSION},
    {"js/1.0" SM3, SDK_EVERSION},
    {"js/1.0." SM3, SDK_EVERSION},
    {"js/1.0.0.0" SM3, SDK_EVERSION},
    {"js/01.0.0" SM3, SDK_EVERSION},
    {"js/1.00.0" SM3, SDK_EVERSION},
    {"js/1.0.0-" SM3, SDK_EVERSION},
    {"js/1.0.0-01" SM3, SDK_EVERSION},
    {"js/1.0.0-a..b" SM3, SDK_EVERSION},
    {"js/1.0.0+" SM3, SDK_EVERSION},
    {"js/1.0.0+a+b" SM3, SDK_EVERSION},
    {"js/v1.0.0" SM3, SDK_EVERSION},
    {"js/1.0.0 " SM3, SDK_EVERSION},
    {"js/js/1.0.0" SM3, SDK_EVERSION},
    {"js/1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" SM3, SDK_EVERSION},
    {"js/1.0.0", SDK_EDIGEST},
    {"js/1.0.0;", SDK_EDIGEST},
    {"js/1.0.0;sm3=", SDK_EDIGEST},
    {"js/1.0.0;sm3=" HEX "0", SDK_EDIGEST},
    {"js/1.0.0;sm3=" HEX " ", SDK_EDIGEST},
    {"js/1.0.0; sm3=" HEX, SDK_EDIGEST},
    {"js/1.0.0;SM3=" HEX, SDK_EDIGEST},
    {"js/1.0.0;sha256=" HEX, SDK_EDIGEST},
    {"js/1.0.0" SM3 SM3, SDK_EDIGEST},
    {"js/1.0.0;sm3=0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", SDK_EDIGEST},
    {"js/1.0.0;sm3=0123456789abcdeg0123456789abcdef0123456789abcdef0123456789abcdef", SDK_EDIGEST},
    {"js/1.0.0, c/1.0.0" SM3, SDK_EVERSION},
};

static void headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sdk_claim claim;
        enum sdk_err err = sdk_parse(&claim, slice_str(rows[i].value));
        if (err != rows[i].err) {
            fail_msg("%s: %s", rows[i].value, sdk_strerror(err));
        }
    }
}

static void the_parts_of_one(void **state)
{
    struct sdk_claim claim;
    (void)state;
    assert_int_equal(sdk_parse(&claim, SLICE("js/1.2.3-rc.1" SM3)), SDK_OK);
    assert_true(slice_eq(claim.text, SLICE("js/1.2.3-rc.1")));
    assert_true(slice_eq(claim.name, SLICE("js")));
    assert_true(slice_eq(claim.version, SLICE("1.2.3-rc.1")));
    assert_int_equal(claim.sm3[0], 0x01);
    assert_int_equal(claim.sm3[31], 0xef);
}

static json_t *release(const char *state, json_int_t from)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", "js", "version", "1.2.3", "digest_sm3",
                     HEX, "state", state, "refused_from", from);
}

static void what_a_release_is_worth(void **state)
{
    static const struct {
        const char *state;
        json_int_t from;
        enum policy_sdk standing; /* at 100 */
    } cases[] = {
        {"current", 0, POLICY_SDK_CURRENT},     {"outdated", 0, POLICY_SDK_OUTDATED},
        {"outdated", 101, POLICY_SDK_OUTDATED}, {"outdated", 100, POLICY_SDK_REFUSED},
        {"outdated", 1, POLICY_SDK_REFUSED},    {"withdrawn", 0, POLICY_SDK_REFUSED},
        {"withdrawn", 200, POLICY_SDK_REFUSED}, {"current", 100, POLICY_SDK_REFUSED},
    };
    struct sdk_claim claim, other;
    (void)state;
    assert_int_equal(sdk_parse(&claim, SLICE("js/1.2.3" SM3)), SDK_OK);
    other = claim;
    other.sm3[31] ^= 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sdk_release r;
        json_t *data = release(cases[i].state, cases[i].from);
        assert_true(sdk_release_read(&r, data));
        assert_string_equal(r.text, "js/1.2.3");
        assert_int_equal(sdk_standing(&r, claim.sm3, 100), cases[i].standing);
        assert_int_equal(sdk_standing(&r, NULL, 100), cases[i].standing);
        assert_int_equal(sdk_standing(&r, other.sm3, 100), POLICY_SDK_UNKNOWN);
        json_decref(data);
    }
    assert_int_equal(sdk_standing(NULL, claim.sm3, 100), POLICY_SDK_UNKNOWN);
    assert_int_equal(sdk_standing(NULL, NULL, 100), POLICY_SDK_UNKNOWN);
}

static void records_that_are_none(void **state)
{
    static const struct {
        const char *member, *value; /* NULL: without it */
    } wrong[] = {{"name", NULL},       {"name", "JS"},       {"version", NULL},    {"version", "1"},
                 {"digest_sm3", NULL}, {"digest_sm3", "00"}, {"state", "retired"}, {"state", NULL}};
    struct sdk_release r;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *data = release("current", 0);
        json_object_del(data, wrong[i].member);
        if (wrong[i].value) {
            json_object_set_new(data, wrong[i].member, json_string(wrong[i].value));
        }
        assert_false(sdk_release_read(&r, data));
        json_decref(data);
    }
    json_t *data = release("current", -1);
    assert_false(sdk_release_read(&r, data));
    json_decref(data);
    assert_false(sdk_release_read(&r, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(the_parts_of_one),
        cmocka_unit_test(what_a_release_is_worth),
        cmocka_unit_test(records_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
