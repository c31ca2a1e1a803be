/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a source written as JSON: what service.c and related.c share. */
#pragma once
#include "data/service.h"

/* What came of a page. */
struct rows_page {
    uint64_t n;
    bool more;                         /* it is full, and a cursor was wanted */
    struct slice last[QUERY_SORT_MAX]; /* then: the order's values of its last row */
    size_t n_last;
};

/* Columns behind the selected ones that the order needs. */
size_t rows_sorts(const struct worker *w, const struct catalog_api *api);
/* Keeps the order's values if the current row ends the page. */
void rows_mark(struct worker *w, const struct source_rows *rows, size_t sorts,
               struct rows_page *page);
/* The current row without its closing brace. */
void rows_object(struct buf *out, const struct query *q, const struct query_table *table,
                 const struct slice *members, const struct source_rows *rows);

/* Ends rows. */
enum problem related_rows(struct worker *w, const struct catalog_api *api, struct source *source,
                          struct source_rows *rows, struct rows_page *page)
    __attribute__((warn_unused_result));
