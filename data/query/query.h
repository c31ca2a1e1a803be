/* SPDX-License-Identifier: Apache-2.0 */
/* A client's query on a dataset: PostgREST's grammar read into a small tree (docs/query.md). Values
 * stay values: the tree holds column numbers of the dataset and texts to bind, never SQL. */
#pragma once
#include "data/query/arena.h"
#include "problem/problem.h"

#define QUERY_BYTES_MAX      16384
#define QUERY_CONDITIONS_MAX 100
#define QUERY_DEPTH_MAX      8
#define QUERY_VALUE_MAX      4096 /* bytes */
#define QUERY_LIST_MAX       200  /* values of an in-list */
#define QUERY_ORDER_MAX      16
#define QUERY_SELECT_MAX     512  /* = POLICY_FIELDS_MAX */
#define QUERY_PAGESIZE_MAX   1000 /* CI-A.2c */
#define QUERY_NO_LIMIT       UINT64_MAX

enum query_type {
    QUERY_STRING,
    QUERY_INTEGER,
    QUERY_NUMBER,
    QUERY_BOOLEAN,
    QUERY_DATE,
    QUERY_DATETIME,
    QUERY_BINARY,
    QUERY_JSON,
    QUERY_TYPES
};
const char *query_type_name(enum query_type type);
/* QUERY_STRING for a name there is not: text can stand for anything. */
enum query_type query_type_by_name(struct slice name);

/* One field of the API and the column behind it; column.n is 0 when the dataset has none. */
struct query_column {
    struct slice name, column;
    uint8_t type; /* enum query_type */
};

struct query_table {
    struct slice schema, table;
    struct slice owner_column; /* of the table; "" when it has none */
    uint8_t owner_type;
    const struct query_column *columns; /* one for each API field, in its order */
    size_t n_columns;
    const struct slice *keys; /* columns of the primary key */
    size_t n_keys;
};

enum query_op {
    QUERY_EQ,
    QUERY_NEQ,
    QUERY_GT,
    QUERY_GTE,
    QUERY_LT,
    QUERY_LTE,
    QUERY_LIKE,
    QUERY_ILIKE,
    QUERY_MATCH,
    QUERY_IMATCH,
    QUERY_IN,
    QUERY_IS,
    QUERY_DISTINCT,
    QUERY_OPS
};

enum query_node_kind { QUERY_AND, QUERY_OR, QUERY_CONDITION };

struct query_node {
    struct query_node *next, *first; /* first: children of AND and OR */
    uint8_t kind, op;
    bool negate;
    uint16_t column;
    uint16_t n_values;
    struct slice *values;
};

enum query_nulls { QUERY_NULLS_DEFAULT, QUERY_NULLS_FIRST, QUERY_NULLS_LAST };
struct query_order {
    uint16_t column;
    uint8_t nulls; /* enum query_nulls */
    bool descending;
};

struct query {
    uint16_t select[QUERY_SELECT_MAX]; /* field numbers, each once */
    size_t n_select;
    struct query_node where; /* an AND; no children: all rows */
    struct query_order order[QUERY_ORDER_MAX];
    size_t n_order;
    uint64_t offset, limit; /* limit ≤ max_rows */
    bool count;             /* the whole number of rows is wanted too */
    bool single;            /* one object, not an array */
};

struct query_input {
    struct slice raw;                               /* the query string as it came, without '?' */
    struct slice range, range_unit, prefer, accept; /* header values, "" when absent */
    const uint8_t *outcome;                         /* enum plan_outcome, one for each column */
    bool regex;                                     /* the source can match regular expressions */
    uint32_t max_rows;
};

struct query_error {
    struct slice where; /* the parameter at fault; borrowed from the arena */
    const char *detail; /* static */
};

/* PROBLEM_OK and a filled *q, or the problem and a filled *err. */
enum problem query_parse(struct query *q, struct arena *arena, const struct query_table *table,
                         const struct query_input *in, struct query_error *err)
    __attribute__((warn_unused_result));

/* Whole decimal number without sign, at most 18 digits. */
bool query_uint(struct slice text, uint64_t *value) __attribute__((warn_unused_result));
/* Can this text be a value of the type? Dates are left to the source to judge. */
bool query_value_fits(enum query_type type, struct slice text);

/* Percent-decodes (and '+' to space) into the arena; p is NULL when the text is malformed, holds a
 * NUL or is not UTF-8, or the arena is used up. */
struct slice query_decode(struct arena *arena, struct slice raw);
