/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share; no one else includes it. */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "schema/schema.h"

/* -- places ------------------------------------------------------------------------------------ */

/* One token of a JSON pointer, on the C stack; rendered only when something is wrong. */
struct at {
    const struct at *up;
    const char *name; /* NULL: index */
    size_t index;
    bool pointer; /* name is a pointer already */
};

void schema_where(char out[static SCHEMA_WHERE_MAX + 1], const struct at *at);
void schema_where_text(char out[static SCHEMA_WHERE_MAX + 1], struct slice text);
/* Whether a stranger's name may be shown: see schema_error. */
bool schema_is_plain_name(struct slice name);

/* -- values: a JSON tree or a parameter's text, seen alike ------------------------------------- */

enum kind {
    KIND_NULL,
    KIND_BOOLEAN,
    KIND_INTEGER,
    KIND_NUMBER,
    KIND_STRING,
    KIND_ARRAY,
    KIND_OBJECT,
    KIND_COUNT
};

/* number is exact for every int64_t and double. KIND_INTEGER: it has no fraction, however it was
 * written. */
struct value {
    enum kind kind;
    bool truth;
    long double number;
    struct slice text;
    const json_t *tree;        /* arrays and objects of a body */
    const struct value *items; /* arrays of a parameter */
    size_t n;                  /* items or members */
};

struct value schema_value_of(const json_t *json);
struct value schema_value_item(const struct value *array, size_t i);
bool schema_value_equal(const struct value *a, const struct value *b);
uint64_t schema_value_hash(const struct value *v, uint64_t seed);

/* -- the compiled form ------------------------------------------------------------------------- */

/* search: the pattern with a leading ".*?", for all starts at once; plain: each start by itself,
 * for the few texts whose starts are too many at once, and for anchored patterns. */
struct pattern {
    pcre2_code *plain, *search; /* search NULL: anchored */
    uint32_t cost;              /* steps for a byte of input */
    bool looks;                 /* looks around: each byte may be read again from each other */
};

typedef bool (*format_fn)(struct slice text);

struct property {
    struct slice name; /* NUL-terminated */
    const struct node *schema;
};

struct pattern_property {
    struct pattern pattern;
    const struct node *schema;
};

struct nodes {
    const struct node **list;
    size_t n;
};

struct node {
    uint8_t types; /* a bit of each kind; 0: any */
    bool anything; /* no keyword that constrains */
    bool alias;    /* a $ref and nothing else */
    bool never;    /* the schema `false` */
    bool unique;
    bool closed; /* additionalProperties: false */
    bool scope;  /* unevaluatedProperties: false */
    bool open;   /* unevaluatedProperties: true */
    bool tuple;  /* prefixItems without items */
    bool int32;
    uint8_t height; /* nodes below it on the same value; 0: not known yet */
    format_fn format;
    struct pattern pattern;
    long double minimum, maximum, above, below, step;
    uint32_t min_length, max_length, min_items, max_items, min_members, max_members;
    json_t *constant, *choices;  /* owned */
    struct property *properties; /* sorted */
    struct pattern_property *patterns;
    const char **required;
    size_t n_properties, n_patterns, n_required;
    const struct node *additional, *items, *ref, *excluded;
    struct nodes prefix, all, any, one;
    struct node *next; /* all nodes, for schema_free */
};

enum place { IN_PATH, IN_QUERY, IN_HEADER };

struct parameter {
    struct slice name;
    enum place in;
    bool required, array, explode;
    enum kind kind;  /* of the scalar, or of each item */
    uint8_t segment; /* of a path */
    const struct node *schema;
};

struct media {
    struct slice type; /* lower case, no parameters */
    bool json;
    const struct node *schema; /* NULL: anything */
};

struct body {
    bool required;
    struct media *media;
    size_t n; /* 0: none is described */
};

struct response {
    unsigned first, last; /* statuses */
    struct body body;
};

struct operation {
    bool query_open;
    struct parameter *parameters;
    struct response *responses; /* the most special first */
    size_t n_parameters, n_responses;
    struct body body;
};

enum { METHOD_COUNT = 8 };
extern const char *const schema_methods[METHOD_COUNT]; /* lower case, as OpenAPI writes them */

struct segment {
    struct slice text; /* literal, or the name between the braces */
    bool variable;
};

struct path {
    struct segment *segments;
    size_t n;
    struct operation *operations[METHOD_COUNT];
};

struct block;

struct schema {
    struct block *blocks; /* arena */
    size_t size_bytes;
    uint64_t seed; /* of hashes that a caller must not foresee */
    pcre2_general_context *general;
    pcre2_compile_context *compile;
    pcre2_match_context *match;
    struct node *nodes;
    struct path *paths; /* sorted: a literal segment before a variable one */
    size_t n_paths;
    bool versioned;
    enum place version_in;
    struct slice version_name, version;
};

/* -- compiling --------------------------------------------------------------------------------- */

struct pending {
    const json_t *json;
    struct node *node;
    char *where;
};

/* Schemas wait in a list instead of a recursion, so that no description can grow our stack. */
struct build {
    const json_t *document;
    struct schema *schema;
    struct schema_error *err;
    struct pending *list;
    size_t n, cap;
};

/* Zeroed, 16-byte aligned, freed with the schema. NULL: out of memory, *err is set. */
void *schema_alloc(struct build *b, size_t count, size_t size);
bool schema_copy(struct build *b, struct slice *out, struct slice text);      /* NUL-terminated */
bool schema_refuse(struct build *b, const struct at *at, const char *detail); /* always false */
bool schema_no_memory(struct build *b);                                       /* always false */
/* The node of a schema; compiled by schema_compile_pending(). Each returns NULL after *err was set.
 */
const struct node *schema_node(struct build *b, const json_t *json, const struct at *at);
const json_t *schema_resolve(struct build *b, const char *ref, const struct at *at);
bool schema_compile_pending(struct build *b);
bool schema_compile_paths(struct build *b);
bool schema_pattern(struct build *b, struct pattern *out, const json_t *text, const struct at *at);
/* False: there is no such format. *fn NULL: it constrains nothing. */
bool schema_format(const char *name, format_fn *fn, bool *int32);
bool schema_is_mobile_or_line(struct slice text);

/* -- checking ---------------------------------------------------------------------------------- */

struct check {
    const struct schema *schema;
    struct schema_error *err;
    enum schema_err invalid; /* the code of a value against its schema */
    struct slice parameter;  /* what `where` says instead of a pointer; p NULL: a body */
    int64_t steps;
    unsigned quiet; /* > 0: a branch of anyOf, oneOf, not: its failure is no error yet */
    bool hard;      /* the check itself failed: no branch may go on */
    pcre2_match_data *match;
    char *marks; /* bitmaps of the members each open scope has seen described, a stack */
    size_t n_marks, cap_marks;
    char marks_here[512];
};

void schema_check_init(struct check *c, const struct schema *s, struct schema_error *err);
void schema_check_fini(struct check *c);
bool schema_check_value(struct check *c, const struct node *node, const struct value *v,
                        const struct at *at);
bool schema_check_body(struct check *c, const struct node *node, struct slice body,
                       uint32_t depth_max, uint32_t members_max);
/* Sets *err; always false. */
bool schema_fail(struct check *c, enum schema_err code, struct slice where, const char *detail);
bool schema_fail_at(struct check *c, enum schema_err code, const struct at *at, const char *detail);
