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

/* What an order consists of, the key last so that it is total. */
struct sql_sort {
    struct slice column;
    const struct query_path *path;
    uint8_t type;
    bool descending, nulls_first, key;
};
size_t sql_sorts(const struct query_table *table, const struct query *q,
                 struct sql_sort out[static QUERY_SORT_MAX]);

/* Which rows of the table a caller may be given or write, before what it asks itself. */
struct sql_scope {
    struct slice owner;            /* p NULL: no isolation */
    const struct query_node *rows; /* what holds of each of them beside the table's own filter;
                                      NULL: nothing more */
};

/* With a cursor wanted (q->after) the columns of the order follow the
 * selected ones; with embeds the columns their rows are found by follow after those. */
void sql_select(struct sql *sql, const struct query_table *table, const struct query *q,
                const struct sql_scope *scope);
/* The rows of a relation that belong to these values of its column; that column follows the
 * selected ones. At most limit rows. A related row is not of the scope's rows, it belongs to one
 * that is. */
void sql_related(struct sql *sql, const struct query_embed *embed, struct slice owner,
                 const struct slice *values, size_t n, uint64_t limit);
void sql_count(struct sql *sql, const struct query_table *table, const struct query *q,
               const struct sql_scope *scope);
