/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/purpose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/policy.h"

static struct uuid id_of(const char *text)
{
    struct uuid id = {{0}};
    assert_true(purpose_id(slice_str(text), &id));
    return id;
}

/* SM3 of "abc", of GB/T 32905 appendix A: an auditor makes the id without us. */
static void the_id_is_the_start_of_sm3(void **state)
{
    (void)state;
    static const uint8_t abc[UUID_LEN] = {0x66, 0xc7, 0xf0, 0xf4, 0x62, 0xee, 0xed, 0xd9,
                                          0xd1, 0xf2, 0xd4, 0x6b, 0xdc, 0x10, 0xe4, 0xe2};
    struct uuid id = id_of("abc"), blanks = id_of(" \tabc\r ");
    assert_memory_equal(id.b, abc, sizeof abc);
    assert_true(uuid_eq(&id, &blanks));
    blanks = id_of("a bc");
    assert_false(uuid_eq(&id, &blanks));
}

static void nothing_has_no_id(void **state)
{
    (void)state;
    static char longest[3 * PURPOSE_MAX + 1];
    struct uuid id = {{9}};
    memset(longest, 'x', sizeof longest);
    assert_false(purpose_id(SLICE(""), &id));
    assert_false(purpose_id(SLICE(" \t\r"), &id));
    assert_false(purpose_id(slice_of(longest, sizeof longest), &id));
    assert_int_equal(id.b[0], 9);
    assert_true(purpose_id(slice_of(longest, sizeof longest - 1), &id));
}

static const struct {
    const char *value, *text; /* NULL: refused */
} headers[] = {
    {"credit review", "credit review"},
    {"%E8%B4%B7%E6%AC%BE", "贷款"},
    {"%e8%b4%b7款", "贷款"},
    {"100%25", "100%"},
    {"", NULL},
    {"%20%20", NULL},
    {"%", NULL},
    {"%4", NULL},
    {"%zz", NULL},
    {"a%0Ab", NULL},
    {"%E8%B4", NULL},
    {"\xff", NULL},
    {"%C0%AF", NULL},
};

static void a_header_is_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct uuid got = {{0}}, want = {{0}};
        bool good = purpose_of_header(slice_str(headers[i].value), &got);
        if (good != (headers[i].text != NULL)) {
            fail_msg("%s", headers[i].value);
        }
        if (good && headers[i].text) {
            want = id_of(headers[i].text);
            assert_true(uuid_eq(&got, &want));
        }
    }
    static char long_one[3 * PURPOSE_MAX + 1];
    struct uuid got;
    memset(long_one, 'a', sizeof long_one);
    assert_false(purpose_of_header(slice_of(long_one, sizeof long_one), &got));
}

static void lines_are_taken_one_by_one(void **state)
{
    (void)state;
    static const char *const want[] = {"one", "two words", "three"};
    struct slice lines = SLICE("one\r\n\n  two words \n \t\nthree"), line;
    for (size_t i = 0; i < 3; i++) {
        assert_true(purpose_next(&lines, &line));
        assert_true(slice_eq(line, slice_str(want[i])));
    }
    assert_false(purpose_next(&lines, &line));
}

/* CI-6.1.4b: what was agreed on as files is no call. */
static void the_way(void **state)
{
    (void)state;
    static const struct {
        uint8_t ways, stream;
        bool file;
        enum problem want;
        uint8_t sdk;
    } ways[] = {
        {0, POLICY_STREAM_NONE, false, PROBLEM_OK},
        {POLICY_WAY_CALL, POLICY_STREAM_NONE, false, PROBLEM_OK},
        {POLICY_WAY_EXPORT, POLICY_STREAM_NONE, false, PROBLEM_ACCESS_NOT_AGREED},
        {POLICY_WAY_EXPORT, POLICY_STREAM_NONE, true, PROBLEM_OK},
        {POLICY_WAY_CALL | POLICY_WAY_EVENT, POLICY_STREAM_NONE, true, PROBLEM_ACCESS_NOT_AGREED},
        {POLICY_WAY_EVENT, POLICY_STREAM_EVENT, false, PROBLEM_OK},
        {POLICY_WAY_CALL, POLICY_STREAM_EVENT, false, PROBLEM_ACCESS_NOT_AGREED},
        {POLICY_WAY_CALL, POLICY_STREAM_OPEN, false, PROBLEM_ACCESS_NOT_AGREED},
        {POLICY_WAY_CALL, POLICY_STREAM_NONE, false, PROBLEM_OK, POLICY_SDK_CURRENT},
        {POLICY_WAY_SDK, POLICY_STREAM_NONE, false, PROBLEM_SDK_REQUIRED},
        {POLICY_WAY_SDK, POLICY_STREAM_NONE, false, PROBLEM_OK, POLICY_SDK_CURRENT},
        {POLICY_WAY_SDK, POLICY_STREAM_NONE, false, PROBLEM_OK, POLICY_SDK_OUTDATED},
        {POLICY_WAY_SDK, POLICY_STREAM_NONE, true, PROBLEM_ACCESS_NOT_AGREED, POLICY_SDK_CURRENT},
        {POLICY_WAY_SDK, POLICY_STREAM_EVENT, false, PROBLEM_ACCESS_NOT_AGREED},
    };
    static struct policy_verdict v;
    const struct policy_field field = {.path = SLICE("x"), .level = POLICY_L1};
    const struct policy_api api = {.id.b = {1},
                                   .state = POLICY_API_PUBLISHED,
                                   .kind = POLICY_HTTP,
                                   .class_ = POLICY_A1,
                                   .access = POLICY_SUBSCRIPTION,
                                   .methods = POLICY_GET,
                                   .n_fields = 1,
                                   .fields = &field};
    const struct policy_app app = {
        .id.b = {2}, .state = POLICY_ACTIVE, .environment = POLICY_MONITORED};
    const struct policy_credential key = {
        .app.b = {2}, .state = POLICY_ACTIVE, .alg = POLICY_HMAC_SM3};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const struct policy_subscription s = {.state = POLICY_ACTIVE,
                                              .max_level = POLICY_L1,
                                              .all_fields = true,
                                              .ways = ways[i].ways};
        const struct policy_call call = {.api = &api,
                                         .app = &app,
                                         .credential = &key,
                                         .subscription = &s,
                                         .method = POLICY_GET,
                                         .stream = ways[i].stream,
                                         .export_ = ways[i].file,
                                         .sdk = ways[i].sdk};
        policy_decide(&call, &v);
        if (v.reason != ways[i].want) {
            fail_msg("%zu: %s", i, problem_row(v.reason)->code);
        }
    }
}

/* The gate ------------------------------------------------------------------------------------- */
enum { NONE, A, B, BOTH };
static const struct row {
    const char *title;
    bool needed, scoped, granted, agreed, event;
    int said, grant, subscription; /* A, B: one purpose; NONE: none */
    enum problem want;
} rows[] = {
    {"unsaid where nobody asks", 0, 1, 1, 0, 0, NONE, A, B, PROBLEM_OK},
    {"unsaid is what the grant says, within the agreement", 0, 1, 1, 1, 0, NONE, A, A, PROBLEM_OK},
    {"and not beyond it", 0, 1, 1, 1, 0, NONE, A, B, PROBLEM_PURPOSE_MISMATCH},
    {"unsaid of a grant for two things", 0, 1, 1, 0, 0, NONE, BOTH, A, PROBLEM_PURPOSE_MISSING},
    {"said of a grant for two things", 0, 1, 1, 0, 0, B, BOTH, A, PROBLEM_OK},
    {"unsaid where it is asked", 1, 1, 1, 0, 0, NONE, A, A, PROBLEM_PURPOSE_MISSING},
    {"as the grant says", 1, 1, 1, 0, 0, A, A, B, PROBLEM_OK},
    {"not as the grant says", 1, 1, 1, 0, 0, B, A, B, PROBLEM_PURPOSE_MISMATCH},
    {"said though nobody asks is compared", 0, 1, 1, 0, 0, B, A, B, PROBLEM_PURPOSE_MISMATCH},
    {"a grant from before purposes names none", 1, 1, 1, 0, 0, A, NONE, A,
     PROBLEM_PURPOSE_MISMATCH},
    {"an agreement bounds the grant", 1, 1, 1, 1, 0, A, A, B, PROBLEM_PURPOSE_MISMATCH},
    {"grant and agreement name it", 1, 1, 1, 1, 0, A, A, A, PROBLEM_OK},
    {"without a grant the subscription says", 1, 0, 0, 0, 0, A, NONE, A, PROBLEM_OK},
    {"and refuses", 1, 0, 0, 0, 0, A, NONE, B, PROBLEM_PURPOSE_MISMATCH},
    {"nothing named is nothing allowed", 1, 0, 0, 0, 0, A, NONE, NONE, PROBLEM_PURPOSE_MISMATCH},
    {"an event is for what was granted", 1, 1, 1, 0, 1, NONE, A, B, PROBLEM_OK},
    {"and within the agreement", 1, 1, 1, 1, 1, NONE, A, B, PROBLEM_PURPOSE_MISSING},
};

static void the_gate(void **state)
{
    (void)state;
    const struct uuid ids[] = {{{0}}, {{1}}, {{2}}};
    struct policy_verdict v;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct policy_field field = {.path = SLICE("x"), .level = POLICY_L2};
        struct policy_api api = {.id.b = {1},
                                 .state = POLICY_API_PUBLISHED,
                                 .kind = POLICY_HTTP,
                                 .class_ = POLICY_A1,
                                 .access = POLICY_SUBSCRIPTION,
                                 .methods = POLICY_GET,
                                 .owner_scoped = r->scoped,
                                 .purpose_needed = r->needed,
                                 .n_fields = 1,
                                 .fields = &field};
        struct policy_app app = {
            .id.b = {2}, .state = POLICY_ACTIVE, .environment = POLICY_MONITORED};
        struct policy_credential key = {
            .app.b = {2}, .state = POLICY_ACTIVE, .alg = POLICY_HMAC_SM3};
        struct policy_subscription s = {.state = POLICY_ACTIVE,
                                        .max_level = POLICY_L3,
                                        .all_fields = true,
                                        .agreed = r->agreed,
                                        .purposes = slice_of((const char *)&ids[r->subscription],
                                                             r->subscription ? UUID_LEN : 0)};
        struct policy_grant g = {.app.b = {2},
                                 .api.b = {1},
                                 .owner = SLICE("M"),
                                 .state = POLICY_ACTIVE,
                                 .term = POLICY_PERIOD,
                                 .all_fields = true,
                                 .purposes =
                                     slice_of((const char *)&ids[r->grant == BOTH ? A : r->grant],
                                              r->grant == BOTH ? 2 * UUID_LEN
                                              : r->grant       ? UUID_LEN
                                                               : 0)};
        const struct policy_call call = {.api = &api,
                                         .app = &app,
                                         .credential = &key,
                                         .subscription = &s,
                                         .grant = r->granted ? &g : NULL,
                                         .grant_named = r->granted,
                                         .method = POLICY_GET,
                                         .purpose = ids[r->said],
                                         .stream =
                                             r->event ? POLICY_STREAM_EVENT : POLICY_STREAM_NONE};
        policy_decide(&call, &v);
        if (v.reason != r->want) {
            fail_msg("%s: %s", r->title, problem_row(v.reason)->code);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"a purpose's id is the start of its SM3", the_id_is_the_start_of_sm3, NULL, NULL, NULL},
        {"a blank or endless purpose has none", nothing_has_no_id, NULL, NULL, NULL},
        {"the header's value is decoded strictly", a_header_is_decoded, NULL, NULL, NULL},
        {"[CI-6.1.4b] another way than was agreed on is refused", the_way, NULL, NULL, NULL},
        {"one purpose a line", lines_are_taken_one_by_one, NULL, NULL, NULL},
        {"[BK-9.3.2a2-1, SW-9.8-use2c] a purpose that nobody named is refused", the_gate, NULL,
         NULL, NULL},
    };
    return cmocka_run_group_tests_name("purpose", tests, NULL, NULL);
}
