/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: the delimiter, or none. Whatever comes is rows within their bounds, or an error with
 * its line. */
#include <stdlib.h>

#include "csv/reader.h"

static bool on_row(void *ctx, const struct csv_cell *cells, size_t n, uint64_t line)
{
    uint64_t *last = ctx;
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += cells[i].text.n;
        if (cells[i].null && cells[i].text.n)
            abort();
    }
    if (n == 0 || n > 16 || bytes > 256 || line < *last)
        abort();
    *last = line;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct csv_read_options options = {.row_max = 256, .cells_max = 16};
    uint64_t last = 0, line;
    if (n == 0)
        return 0;
    options.delimiter = data[0] % 2 ? ',' : 0;
    enum csv_read_err err =
        csv_read(slice_of((const char *)data + 1, n - 1), &options, on_row, &last, &line);
    if ((err != CSV_READ_OK) != (line > 0))
        abort();
    return 0;
}
