/* SPDX-License-Identifier: Apache-2.0 */
/* Static masking: a whole table, masked, into a table of a zone store (SW-8.2a1-9). The load is
 * visible in one transaction or not at all; what a mask makes of a value must be a value of its
 * column, or the load is refused (SW-9.8-exc5). */
#include "data/batch/zone.h"

#include <stdlib.h>

static enum problem problem_of(enum zone_err err)
{
    return err == ZONE_OK || err == ZONE_EDONE ? PROBLEM_OK
           : err == ZONE_EMISSING              ? PROBLEM_SOURCE_UNAVAILABLE
           : err == ZONE_EVALUE                ? PROBLEM_MASKED_UNFIT
           : err == ZONE_EFULL                 ? PROBLEM_STORAGE_FULL
           : err == ZONE_EBUSY                 ? PROBLEM_SOURCE_UNAVAILABLE
                                               : PROBLEM_INTERNAL;
}

/* A masked value is text but where the rule keeps numbers numbers and dates dates. */
static void columns_of(const struct zone_run *r, struct zone_column *columns)
{
    for (size_t i = 0; i < r->n; i++)
        columns[i] = (struct zone_column){
            .name = r->columns[i].name,
            .type = (enum query_type)r->api->columns[r->select[i]].type,
        };
}

static enum problem load_rows(struct zone_run *r, struct zone *zone, struct zone_value *values,
                              uint64_t *rows)
{
    for (*rows = 0;; ++*rows) {
        const struct format_cell *cells;
        bool more = false;
        enum problem p = r->next(r->ctx, &cells, &more);
        if (p || !more)
            return p;
        for (size_t i = 0; i < r->n; i++)
            values[i] = (struct zone_value){.text = cells[i].text, .null = cells[i].null};
        enum zone_err err = zone_load_row(zone, values);
        if (err)
            return problem_of(err);
        if (*rows % 1000 == 999 && r->stop(r->ctx))
            return PROBLEM_COUNT;
    }
}

enum problem zone_run(struct zone_run *r, const char *data_dir, const struct uuid *source,
                      struct slice id, struct slice table, struct zone_sum *sum)
{
    struct zone *zone = NULL;
    struct zone_column *columns = calloc(r->n + 1, sizeof *columns);
    struct zone_value *values = calloc(r->n + 1, sizeof *values);
    uint64_t rows = 0;
    enum zone_err err = columns && values ? zone_open(&zone, data_dir, source) : ZONE_EIO;
    if (!err) {
        columns_of(r, columns);
        err = zone_load_begin(zone, id, table, ZONE_REPLACE, columns, r->n, sum);
    }
    enum problem p = problem_of(err);
    if (!err) {
        p = load_rows(r, zone, values, &rows);
        if (!p)
            p = problem_of(zone_load_commit(zone, sum));
        else
            zone_load_abort(zone);
    }
    zone_close(&zone);
    free(columns);
    free(values);
    return p;
}
