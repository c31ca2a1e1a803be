/* SPDX-License-Identifier: Apache-2.0 */
/* Comma separated values (RFC 4180), row by row, by libcsv in its strict mode: a quote stands
 * around a whole cell or not at all. What libcsv leaves unbounded is bounded here, and each error
 * has its line. Spaces belong to their cell. Ends of lines: CR LF, LF or CR; empty lines are left
 * out. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum csv_read_err {
    CSV_READ_OK,
    CSV_READ_EQUOTE, /* a quote inside a cell, or one that is never closed */
    CSV_READ_ELONG,  /* a row of more bytes than were allowed */
    CSV_READ_ECELLS, /* a row of more cells than were allowed */
    CSV_READ_ESTOP,  /* the receiver wanted no more */
    CSV_READ_EMEMORY
};
const char *csv_read_strerror(enum csv_read_err err); /* static, never NULL */

struct csv_read_options {
    char delimiter;   /* 0: the one of , ; and tab that the first line has most of */
    uint32_t row_max; /* bytes */
    uint32_t cells_max;
};

struct csv_cell {
    struct slice text;
    bool null; /* nothing stands between the delimiters, not even quotes */
};

/* One row; the cells are good until it returns. line: where the row begins, from 1. False: stop. */
typedef bool csv_row_fn(void *ctx, const struct csv_cell *cells, size_t n, uint64_t line);

/* text is the whole of the file, without a byte order mark. *line: of an error. */
enum csv_read_err csv_read(struct slice text, const struct csv_read_options *options,
                           csv_row_fn *row, void *ctx, uint64_t *line)
    __attribute__((warn_unused_result));
