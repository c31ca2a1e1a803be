/* SPDX-License-Identifier: Apache-2.0 */
/* All rows of a query, however many, in bounded memory. A table with a key is read page by page,
 * each where the last one ended by the key: no statement runs long, a source that went away is gone
 * on with, and so is a reading after a kill. Without a key, or in an order of the caller's own, it
 * is one statement from beginning to end. One thread at a time. */
#pragma once
#include "data/catalog.h"
#include "data/query/sql.h"

#define READ_PAGE_ROWS 5000
#define READ_WHOLE_MS  600000 /* at most, of the statement that reads a table without a key */

struct reader;
struct reader_ask {
    struct source *source; /* connected */
    const struct catalog_api *api;
    const struct query *query; /* what is selected and how; its arena outlives the reader */
    struct sql_scope scope;    /* its tree outlives the reader */
    int tracked;               /* a further column wanted in each row; -1: none */
    struct slice at;           /* where an earlier reading ended; "": from the beginning */
    uint64_t rows;             /* that earlier ones gave */
};
/* NULL: out of memory, or more columns than a query may have. */
struct reader *reader_new(const struct reader_ask *ask);
void reader_free(struct reader **r);
bool reader_resumes(const struct reader *r); /* by the key */
/* values: one for each selected column, p NULL: null; good until the next call. After
 * SOURCE-UNAVAILABLE a reader that resumes may be asked again. *more false: that were all. */
enum problem reader_next(struct reader *r, const struct slice **values, bool *more)
    __attribute__((warn_unused_result));
struct slice reader_tracked(const struct reader *r); /* of the row given last; p NULL: null */
/* Where the row given last stands; false: out of memory, or a key that cannot be gone on from. */
bool reader_at(const struct reader *r, struct buf *at) __attribute__((warn_unused_result));
