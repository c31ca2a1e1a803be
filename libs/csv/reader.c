/* SPDX-License-Identifier: Apache-2.0 */
#include "csv/reader.h"

#include <csv.h>
#include <stdlib.h>

#include "base/buf.h"

struct reader {
    const struct csv_read_options *options;
    csv_row_fn *row;
    void *ctx;
    struct buf bytes;       /* of the row's cells, one after the other */
    struct csv_cell *cells; /* text.p NULL until the row is whole: bytes may move */
    size_t n;
    uint64_t line, row_line;
    size_t row_bytes;
    enum csv_read_err err;
};

static const char *const errors[] = {
    [CSV_READ_OK] = "no error",
    [CSV_READ_EQUOTE] = "a quote stands inside a cell, or is never closed",
    [CSV_READ_ELONG] = "the row is too long",
    [CSV_READ_ECELLS] = "the row has too many cells",
    [CSV_READ_ESTOP] = "stopped",
    [CSV_READ_EMEMORY] = "out of memory",
};

const char *csv_read_strerror(enum csv_read_err err)
{
    return (size_t)err < sizeof errors / sizeof *errors ? errors[err] : "unknown error";
}

static void on_cell(void *p, size_t n, void *ctx)
{
    struct reader *r = ctx;
    if (r->err)
        return;
    if (r->n == r->options->cells_max) {
        r->err = CSV_READ_ECELLS;
        return;
    }
    r->cells[r->n++] = (struct csv_cell){{NULL, n}, p == NULL};
    buf_add(&r->bytes, p ? p : "", n);
    if (r->bytes.failed)
        r->err = CSV_READ_EMEMORY;
}

static void on_row(int end, void *ctx)
{
    struct reader *r = ctx;
    size_t at = 0;
    (void)end;
    if (r->err)
        return;
    for (size_t i = 0; i < r->n; i++) {
        r->cells[i].text.p = r->bytes.p ? r->bytes.p + at : "";
        at += r->cells[i].text.n;
    }
    if (r->n && !r->row(r->ctx, r->cells, r->n, r->row_line))
        r->err = CSV_READ_ESTOP;
    r->n = 0;
    r->row_bytes = 0;
    buf_clear(&r->bytes);
}

static int no_space(unsigned char c)
{
    (void)c;
    return 0;
}

static char find_delimiter(struct slice text)
{
    static const char marks[] = ",;\t";
    size_t counts[sizeof marks - 1] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.n && i < 65536 && (quoted || !strchr("\r\n", text.p[i])); i++) {
        quoted ^= text.p[i] == '"';
        const char *mark = quoted || !text.p[i] ? NULL : strchr(marks, text.p[i]);
        if (mark)
            counts[mark - marks]++;
    }
    for (size_t i = 1; i < sizeof marks - 1; i++)
        best = counts[i] > counts[best] ? i : best;
    return marks[best];
}

/* Line by line, so that a line without an end costs no more than is allowed, and an error is known
 * to be of this one. */
static void feed(struct reader *r, struct csv_parser *parser, struct slice text)
{
    while (text.n && !r->err) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) + 1 : text.n;
        if (r->row_bytes == 0)
            r->row_line = r->line;
        if (n > r->options->row_max - r->row_bytes) {
            r->err = CSV_READ_ELONG;
            return;
        }
        r->row_bytes += n;
        if (csv_parse(parser, text.p, n, on_cell, on_row, r) != n && !r->err)
            r->err = csv_error(parser) == CSV_EPARSE ? CSV_READ_EQUOTE : CSV_READ_EMEMORY;
        if (!r->err && end) {
            r->line++;
            if (r->n == 0 && r->bytes.n == 0 && n == 1)
                r->row_bytes = 0; /* an empty line begins no row */
        }
        text = slice_of(text.p + n, text.n - n);
    }
}

enum csv_read_err csv_read(struct slice text, const struct csv_read_options *options,
                           csv_row_fn *row, void *ctx, uint64_t *line)
{
    struct csv_parser parser;
    struct reader r = {.options = options, .row = row, .ctx = ctx, .line = 1, .row_line = 1};
    *line = 0;
    r.cells = calloc(options->cells_max ? options->cells_max : 1, sizeof *r.cells);
    if (!r.cells || csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0) {
        free(r.cells);
        return CSV_READ_EMEMORY;
    }
    buf_init(&r.bytes);
    csv_set_space_func(&parser, no_space);
    csv_set_delim(&parser,
                  (unsigned char)(options->delimiter ? options->delimiter : find_delimiter(text)));
    feed(&r, &parser, text);
    if (!r.err && csv_fini(&parser, on_cell, on_row, &r) != 0 && !r.err)
        r.err = csv_error(&parser) == CSV_EPARSE ? CSV_READ_EQUOTE : CSV_READ_EMEMORY;
    if (r.err)
        *line = r.err == CSV_READ_EQUOTE && r.row_line < r.line ? r.row_line : r.line;
    csv_free(&parser);
    buf_fini(&r.bytes);
    free(r.cells);
    return r.err;
}
