/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of an export into a zone store instead of a file. */
#pragma once
#include "data/batch/format.h"
#include "data/catalog.h"
#include "data/zones/zones.h"

struct zone_run {
    const struct catalog_api *api;
    const uint16_t *select; /* columns of the API, one for each cell */
    size_t n;
    const struct format_column *columns;
    enum problem (*next)(void *ctx, const struct format_cell **cells, bool *more);
    bool (*stop)(void *ctx);
    void *ctx;
};
/* Replaces the table by the rows, in one transaction, once for each id; *sum is of what the store
 * then holds. MASKED-UNFIT: a value is none of its column; PROBLEM_COUNT: told to stop. On each
 * problem the table is as it was. */
enum problem zone_run(struct zone_run *r, const char *data_dir, const struct uuid *source,
                      struct slice id, struct slice table, struct zone_sum *sum)
    __attribute__((warn_unused_result));
