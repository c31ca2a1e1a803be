/* SPDX-License-Identifier: Apache-2.0 */
#include "uapi/uapi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define GOOD "OPC101020101000200004200"

static enum uapi_err parse(const char *text)
{
    struct uapi_id id;
    return uapi_parse(&id, slice_str(text));
}

/* GOOD with what comes at `at` put over it. */
static enum uapi_err with(size_t at, const char *part)
{
    char text[UAPI_LEN + 1] = GOOD;
    memcpy(text + at, part, strlen(part));
    return parse(text);
}

static void a_code_reads_into_its_parts(void **state)
{
    (void)state;
    struct uapi_id id;
    assert_int_equal(uapi_parse(&id, SLICE(GOOD)), UAPI_OK);
    assert_string_equal(id.institution, "C10102");
    assert_int_equal(id.type, UAPI_A1);
    assert_string_equal(id.category, "010002");
    assert_int_equal(id.sequence, 42);
    char out[UAPI_LEN + 1];
    assert_true(uapi_format(&id, out));
    assert_string_equal(out, GOOD);
}

static void length_and_ascii(void **state)
{
    (void)state;
    assert_int_equal(parse("OPC10102010100020000420"), UAPI_ELENGTH);
    assert_int_equal(parse("OPC1010201010002000042000"), UAPI_ELENGTH);
    assert_int_equal(parse(""), UAPI_ELENGTH);
    assert_int_equal(parse("ＯＰC10102010100020000"), UAPI_EASCII); /* 24 bytes, full-width */
    assert_int_equal(with(4, "\n"), UAPI_EASCII);
    assert_int_equal(uapi_parse(&(struct uapi_id){{0}}, slice_of("OPC10102\0", 9)), UAPI_EASCII);
}

static void each_part_keeps_its_rule(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        const char *part;
        enum uapi_err err;
    } rows[] = {
        {0, "op", UAPI_EFIXED},
        {0, "0P", UAPI_EFIXED},
        {0, "PO", UAPI_EFIXED},
        {2, "c10102", UAPI_EINSTITUTION},
        {2, "110102", UAPI_EINSTITUTION},
        {2, "C1010A", UAPI_EINSTITUTION},
        {8, "00", UAPI_ETYPE},
        {8, "03", UAPI_ETYPE},
        {8, "99", UAPI_ETYPE},
        {8, "A1", UAPI_ETYPE},
        {8, "12", UAPI_ETYPE},
        {8, "02", UAPI_OK},
        {10, "00", UAPI_ECATEGORY},
        {12, "0000", UAPI_ECATEGORY},
        {10, "0A", UAPI_ECATEGORY},
        {12, "00 1", UAPI_ECATEGORY},
        {10, "99", UAPI_OK},
        {12, "9999", UAPI_OK},
        {16, "000000", UAPI_ESEQUENCE},
        {16, "00004x", UAPI_ESEQUENCE},
        {16, "999999", UAPI_OK},
        {22, "01", UAPI_ERESERVED},
        {22, "0 ", UAPI_ERESERVED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(with(rows[i].at, rows[i].part), rows[i].err);
}

static void nothing_is_written_that_would_not_read(void **state)
{
    (void)state;
    char out[UAPI_LEN + 1];
    struct uapi_id id = {.institution = "C10102", .type = 2, .category = "990001", .sequence = 1};
    assert_true(uapi_format(&id, out));
    assert_string_equal(out, "OPC101020299000100000100");
    id.sequence = 0;
    assert_false(uapi_format(&id, out));
    id.sequence = UAPI_SEQUENCE_MAX + 1;
    assert_false(uapi_format(&id, out));
    id.sequence = UAPI_SEQUENCE_MAX;
    assert_true(uapi_format(&id, out));
    id.type = 3;
    assert_false(uapi_format(&id, out));
    id.type = 1;
    memcpy(id.category, "00", 2);
    assert_false(uapi_format(&id, out));
}

static void institutions(void **state)
{
    (void)state;
    assert_true(uapi_institution_ok(SLICE("C1010211000012")));
    assert_false(uapi_institution_ok(SLICE("C101021100001")));
    assert_false(uapi_institution_ok(SLICE("C10102110000123")));
    assert_false(uapi_institution_ok(SLICE("c1010211000012")));
    assert_false(uapi_institution_ok(SLICE("C1010211000-12")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-B.2c, BK-B.3.1, BK-B.1a, BK-3.4, BK-B.3.4a, BK-B.3.5b, BK-B.3.6a] a code reads into "
         "its six parts and is written as it was",
         a_code_reads_into_its_parts, NULL, NULL, NULL},
        {"[BK-B.2a, BK-B.2b] 23 and 25 characters and full-width ones are refused",
         length_and_ascii, NULL, NULL, NULL},
        {"[BK-B.3.2, BK-B.3.4b, BK-B.3.4d, BK-B.3.5a, BK-B.3.5e0, BK-B.3.5f2, BK-B.3.7] each part "
         "keeps its rule",
         each_part_keeps_its_rule, NULL, NULL, NULL},
        {"nothing is written that would not read", nothing_is_written_that_would_not_read, NULL,
         NULL, NULL},
        {"[BK-2c] an institution code is one of 14 characters", institutions, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
