/* SPDX-License-Identifier: Apache-2.0 */
/* The tree as SQL of the source's dialect. Text comes from us and from the dataset's own names,
 * quoted; everything a client sent is bound. */
#pragma once
#include "data/query/query.h"
#include "data/sources/odbc.h"

#define SQL_PARAMS_MAX (QUERY_CONDITIONS_MAX * QUERY_LIST_MAX + 4)

struct sql {
    struct buf *text; /* cleared, written, NUL-terminated */
    struct arena *arena;
    const struct dialect *dialect;
    char quote;
    struct source_param *params; /* in the arena */
    size_t n_params, cap_params;
    bool failed; /* the arena is used up, a name cannot be quoted, an owner does not fit its column
                  */
};

/* owner.p NULL: no isolation. */
void sql_select(struct sql *sql, const struct query_table *table, const struct query *q,
                struct slice owner);
void sql_count(struct sql *sql, const struct query_table *table, const struct query *q,
               struct slice owner);
