/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the parser only. */
#pragma once
#include "data/query/query.h"

struct parser {
    struct arena *arena;
    const struct query_table *table;
    const struct query_input *in;
    struct query *q;
    struct query_error *err;
    struct slice where; /* the parameter being read */
    size_t conditions;
};

enum query_use { QUERY_USE_SELECT, QUERY_USE_FILTER };

enum problem parser_fail(struct parser *ps, enum problem problem, const char *detail);
enum problem parser_column(struct parser *ps, struct slice name, enum query_use use,
                           uint16_t *column) __attribute__((warn_unused_result));

/* filter.c: `column=text` and `and=(…)`; each adds to q->where. */
enum problem filter_column(struct parser *ps, struct slice column, struct slice text)
    __attribute__((warn_unused_result));
enum problem filter_logic(struct parser *ps, enum query_node_kind kind, bool negate,
                          struct slice text) __attribute__((warn_unused_result));

/* range.c: how many rows from where. */
struct range_params {
    struct slice limit, offset, pageno, pagesize; /* p NULL: absent */
};
enum problem range_resolve(struct parser *ps, const struct range_params *params)
    __attribute__((warn_unused_result));
