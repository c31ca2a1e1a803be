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
#define QUERY_EMBEDS_MAX     4    /* relations asked for at once */
#define QUERY_PATH_MAX       8    /* steps into a JSON value */
#define QUERY_SORT_MAX       24   /* columns an order consists of, the key's among them */
#define QUERY_NO_LIMIT       UINT64_MAX
#define QUERY_NO_COLUMN      UINT16_MAX

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

enum query_fn { QUERY_FN_NONE, QUERY_COUNT, QUERY_SUM, QUERY_AVG, QUERY_MIN, QUERY_MAX, QUERY_FNS };
/* QUERY_FN_NONE for a name there is not. */
enum query_fn query_fn_by_name(struct slice name);

/* One field of the API and the column behind it; column.n is 0 when the dataset has none. */
struct query_column {
    struct slice name, column;
    uint8_t type; /* enum query_type */
    uint8_t fn;  /* enum query_fn: no column, but a place where such an aggregate may be answered */
    uint16_t of; /* of which field alone; QUERY_NO_COLUMN: of any */
};

struct query_node;
/* What makes a table's rows: its name, or a provider's own query with named parameters. */
struct query_table {
    struct slice schema, table;
    struct slice text;         /* "": the table; else SQL of the provider's, `?` for parameters */
    struct slice owner_column; /* of the table; "" when it has none */
    uint8_t owner_type;
    const struct query_column *columns; /* one for each API field, in its order */
    size_t n_columns;
    const struct slice *keys; /* columns of the primary key */
    const uint8_t *key_types; /* enum query_type */
    size_t n_keys;
    const struct query_node *filter; /* NULL, or what holds for every row that may be given */
    uint32_t min_group;              /* 0: no aggregates; else rows a group needs to be given */
    bool groups_only;                /* no single rows */
    const struct query_relation *relations;
    size_t n_relations;
    bool whole;                             /* who names nothing gets related rows too */
    const struct query_argument *arguments; /* of text */
    size_t n_arguments;
    const uint16_t *marks; /* for each `?` of text, in its order, which argument it is */
    size_t n_marks;
};

/* Rows of another table that belong to a row: name(…) in select. */
struct query_relation {
    struct slice name;
    struct slice local, foreign; /* columns that are equal */
    uint8_t local_type, foreign_type;
    bool many; /* an array, else an object or null */
    struct query_table table;
    const uint16_t *fields; /* for each of table's columns the API field that decides on it */
};

struct query_argument {
    struct slice name;
    uint8_t type;
    bool required;
    struct slice fallback; /* when it is not given */
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

/* Steps into a JSON value: ->a->0->>b. */
struct query_path {
    struct slice steps[QUERY_PATH_MAX];
    uint8_t n;
    bool text; /* the last one gives text (->>), not JSON */
};

struct query_node {
    struct query_node *next, *first; /* first: children of AND and OR */
    const struct query_path *path;   /* NULL: the column itself */
    uint8_t kind, op;
    bool negate;
    bool as_sorted; /* of QUERY_EQ: equal as the source sorts, not to the letter */
    uint16_t column;
    uint16_t n_values;
    struct slice *values;
};

enum query_nulls { QUERY_NULLS_DEFAULT, QUERY_NULLS_FIRST, QUERY_NULLS_LAST };
struct query_order {
    const struct query_path *path;
    uint16_t column;
    uint8_t nulls; /* enum query_nulls */
    bool descending;
};

/* Where the value of a selected field comes from, if not simply from its column. */
struct query_from {
    const struct query_path *path;
    uint16_t column; /* QUERY_NO_COLUMN: count() of rows */
    uint8_t fn;      /* enum query_fn */
    uint8_t type;    /* enum query_type of the value */
};

struct query_embed {
    const struct query_relation *relation;
    struct query *query; /* of its table; offset and limit are the caller's affair */
};

struct query {
    uint16_t select[QUERY_SELECT_MAX];        /* field numbers, each once */
    struct query_from from[QUERY_SELECT_MAX]; /* if special, for each of select */
    size_t n_select;
    bool special, grouped; /* grouped: aggregates, by the fields that are none */
    struct query_embed embeds[QUERY_EMBEDS_MAX];
    size_t n_embeds;
    struct slice arguments[QUERY_ORDER_MAX]; /* of a provider's query; p NULL: null */
    struct slice after; /* p NULL: no cursor wanted; "" from the start; else sealed, as it came */
    struct slice seek[QUERY_SORT_MAX]; /* values to go on behind, by sort column; p NULL: null */
    size_t n_seek;                     /* 0: from the start */
    struct query_node where;           /* an AND; no children: all rows */
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
    bool json;                                      /* and look into JSON */
    bool extended; /* the asker can answer aggregates, relations and cursors: rest.c alone */
    uint32_t max_rows;
};

struct query_error {
    struct slice where; /* the parameter at fault; borrowed from the arena */
    const char *detail; /* static */
};

/* All rows, no field. */
void query_clear(struct query *q);

/* PROBLEM_OK and a filled *q, or the problem and a filled *err. */
enum problem query_parse(struct query *q, struct arena *arena, const struct query_table *table,
                         const struct query_input *in, struct query_error *err)
    __attribute__((warn_unused_result));

/* Conditions alone, as a provider writes them for all rows of a dataset: `a=eq.1&or=(…)`. The tree
 * is in the arena. */
enum problem query_parse_filter(struct query_node *filter, struct arena *arena,
                                const struct query_table *table, const struct query_input *in,
                                struct query_error *err) __attribute__((warn_unused_result));

/* Whole decimal number without sign, at most 18 digits. */
bool query_uint(struct slice text, uint64_t *value) __attribute__((warn_unused_result));
/* Can this text be a value of the type? Dates are left to the source to judge. */
bool query_value_fits(enum query_type type, struct slice text);

/* Percent-decodes (and '+' to space) into the arena; p is NULL when the text is malformed, holds a
 * NUL or is not UTF-8, or the arena is used up. */
struct slice query_decode(struct arena *arena, struct slice raw);
