/* SPDX-License-Identifier: Apache-2.0 */
/* The reader alone: what rows a text is, and at which line it is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "csv/reader.h"

/* Each row as `line:[cell][cell]`, an empty one without quotes as `~`. */
static bool write_row(void *ctx, const struct csv_cell *cells, size_t n, uint64_t line)
{
    struct buf *out = ctx;
    buf_addf(out, "%u:", (unsigned)line);
    for (size_t i = 0; i < n; i++) {
        buf_addc(out, '[');
        buf_add(out, cells[i].null ? "~" : cells[i].text.p, cells[i].null ? 1 : cells[i].text.n);
        buf_addc(out, ']');
    }
    return true;
}

static const struct csv_read_options small = {.row_max = 64, .cells_max = 4};

static void check_text(const char *text, const char *want, enum csv_read_err want_err,
                       uint64_t want_line)
{
    struct buf out;
    uint64_t line = 0;
    buf_init(&out);
    enum csv_read_err err = csv_read(slice_str(text), &small, write_row, &out, &line);
    buf_addc(&out, '\0');
    if (err != want_err || line != want_line || strcmp(out.p, want) != 0)
        print_error("of <%s>: %s, line %u: %s\n", text, csv_read_strerror(err), (unsigned)line,
                    out.p);
    assert_int_equal(err, want_err);
    assert_int_equal(line, want_line);
    assert_string_equal(out.p, want);
    buf_fini(&out);
}

static void rows_are_read(void **state)
{
    (void)state;
    check_text("a,b\r\n1,2\r\n", "1:[a][b]2:[1][2]", CSV_READ_OK, 0);
    check_text("a,b\n1,2", "1:[a][b]2:[1][2]", CSV_READ_OK, 0);
    check_text("a;b;c,d\n1;2;3,4\n", "1:[a][b][c,d]2:[1][2][3,4]", CSV_READ_OK, 0);
    check_text("a\tb\n1\t2\n", "1:[a][b]2:[1][2]", CSV_READ_OK, 0);
    check_text("\"a \"\"b\"\"\",\"c\nd\"\n1,2\n", "1:[a \"b\"][c\nd]3:[1][2]", CSV_READ_OK, 0);
    check_text("a,,\"\", x \n", "1:[a][~][][ x ]", CSV_READ_OK, 0);
    check_text("\n\na\n\nb\n", "3:[a]5:[b]", CSV_READ_OK, 0);
    check_text("", "", CSV_READ_OK, 0);
}

static void errors_have_their_line(void **state)
{
    (void)state;
    check_text("a,b\n1\"2,3\n", "1:[a][b]", CSV_READ_EQUOTE, 2);
    check_text("a,b\n\"1\"2,3\n", "1:[a][b]", CSV_READ_EQUOTE, 2);
    check_text("a,b\n1,2\n\"never\nclosed\n", "1:[a][b]2:[1][2]", CSV_READ_EQUOTE, 3);
    check_text("a,b,c,d\n1,2,3,4,5\n", "1:[a][b][c][d]", CSV_READ_ECELLS, 2);
    check_text("a\n0123456789012345678901234567890123456789012345678901234567890123456789\n",
               "1:[a]", CSV_READ_ELONG, 2);
    check_text("a\n\"01234567890123456789012345678901234567890\n1234567890123456789012345678\"\n",
               "1:[a]", CSV_READ_ELONG, 3);
}

static bool stop(void *ctx, const struct csv_cell *cells, size_t n, uint64_t line)
{
    (void)cells, (void)n, (void)line;
    return ++*(int *)ctx < 2;
}

static void a_receiver_may_stop(void **state)
{
    int seen = 0;
    uint64_t line;
    (void)state;
    assert_int_equal(csv_read(SLICE("a\nb\nc\n"), &small, stop, &seen, &line), CSV_READ_ESTOP);
    assert_int_equal(seen, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read),
        cmocka_unit_test(errors_have_their_line),
        cmocka_unit_test(a_receiver_may_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
