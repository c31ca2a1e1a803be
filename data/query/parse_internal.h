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

/* `col->a->>b` taken apart: *name is what stands before the first arrow, *path NULL without one. */
enum problem parser_path(struct parser *ps, struct slice text, struct slice *name,
                         const struct query_path **path) __attribute__((warn_unused_result));
/* The column of a path must hold JSON this app may read as it is, at a source that can look in. */
enum problem parser_path_column(struct parser *ps, struct slice text, enum query_use use,
                                uint16_t *column, const struct query_path **path)
    __attribute__((warn_unused_result));
struct slice parser_unquoted(struct slice name);
struct slice parser_trim(struct slice s);
/* The part of text up to the next comma outside of quotes and parentheses; *text moves behind it.
 */
struct slice parser_item(struct slice *text);

/* select.c */
enum problem select_parse(struct parser *ps, struct slice text) __attribute__((warn_unused_result));
void select_all(struct parser *ps);
/* `relation.name=…`: false when there is no such relation in select. */
bool select_embedded(struct parser *ps, struct slice name, struct parser *child,
                     struct slice *rest);
/* When all parameters are read: do the parts go together? */
enum problem select_check(struct parser *ps) __attribute__((warn_unused_result));

/* filter.c: `column=text` and `and=(…)`; each adds to q->where. */
enum problem filter_column(struct parser *ps, struct slice column, struct slice text)
    __attribute__((warn_unused_result));
enum problem filter_logic(struct parser *ps, enum query_node_kind kind, bool negate,
                          struct slice text) __attribute__((warn_unused_result));

/* range.c: how many rows from where. */
struct range_params {
    struct slice limit, offset, pageno, pagesize, after; /* p NULL: absent */
};
enum problem range_resolve(struct parser *ps, const struct range_params *params)
    __attribute__((warn_unused_result));
