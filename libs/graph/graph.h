/* SPDX-License-Identifier: Apache-2.0 */
/* A composed API's graph (SW-8.3.4-orchestrate; the grammar is in docs/composition.md): compiled
 * once and strictly, then only read. What it evaluates is a `scope`, the JSON document
 *   {"request": {"method", "path", "query", "body"}, "steps": {NAME: {"status", "body"}}}
 * that JSON pointers (RFC 6901) point into. No I/O and no clock. A compiled graph may be read by
 * any number of threads; a scope belongs to one. */
#pragma once
#include <jansson.h>

#include "base/buf.h"

#define GRAPH_STEPS_MAX    32
#define GRAPH_BYTES_MAX    (256u << 10) /* of the definition as compact JSON */
#define GRAPH_DEPTH_MAX    24           /* of the definition */
#define GRAPH_NAME_MAX     32           /* bytes of a step's name */
#define GRAPH_PATH_MAX     255          /* bytes of an API's path */
#define GRAPH_TARGET_MAX   8192         /* bytes of what a step asks for */
#define GRAPH_DEADLINE_MAX 60000        /* ms */
#define GRAPH_RETRIES_MAX  3

enum graph_failure { GRAPH_FAIL, GRAPH_NULL, GRAPH_DEFAULT };

struct graph_step { /* texts and trees are the graph's */
    const char *name, *api;
    const char *path;      /* template of what follows the API's path, "" nothing */
    const char *when;      /* pointer to what must be there and not null; NULL: always */
    const json_t *query;   /* object of templates, or NULL; so are headers */
    const json_t *headers; /* names in lower case */
    const json_t *body;    /* mapping, NULL: no body; only of a POST */
    const json_t *fallback;
    bool post;           /* else GET */
    uint8_t on_failure;  /* enum graph_failure */
    uint8_t retries;     /* only of a GET */
    uint32_t timeout_ms; /* 0: what is left of the deadline */
    uint32_t after;      /* bit i: step i has ended before this one begins */
};

struct graph {
    uint32_t deadline_ms; /* 0: none of its own */
    uint32_t n_steps;
    struct graph_step steps[GRAPH_STEPS_MAX];
    const json_t *output; /* mapping */
    json_t *source;       /* owned: what all the above points into */
    unsigned refs;
};

struct graph_error {
    char where[96]; /* JSON pointer into the definition */
    char text[128];
};

/* A new graph with one reference, or NULL and *error. Refused: members, words and references that
 * are not known, cycles, sizes and depths beyond the above. */
struct graph *graph_new(const json_t *definition, struct graph_error *error)
    __attribute__((warn_unused_result));
struct graph *graph_ref(struct graph *g); /* from any thread */
void graph_free(struct graph **g);        /* drops one reference; from any thread */

/* What a pointer points at, borrowed from the scope; NULL: nothing. */
const json_t *graph_find(const json_t *scope, const char *pointer);
/* A new tree in which references are replaced by what they point at, shared with the scope (so the
 * tree is small whatever it repeats, its text may not be: write it with graph_write). What points
 * at nothing and has no default is left out of an object, null elsewhere. NULL: out of memory. */
json_t *graph_map(const json_t *mapping, const json_t *scope) __attribute__((warn_unused_result));
/* Appends compact JSON. False: it would be longer than max bytes, or out of memory. */
bool graph_write(const json_t *value, size_t max, struct buf *out)
    __attribute__((warn_unused_result));

enum graph_text {
    GRAPH_TEXT_OK,
    GRAPH_TEXT_ABSENT /* points at nothing, or null */,
    GRAPH_TEXT_BAD
};
/* Appends the target: path and query, percent-encoded. A query parameter that is absent is left
 * out; a path that is, or that would change the shape of the path, is an error. */
enum graph_text graph_target(const struct graph_step *step, const json_t *scope, struct buf *out)
    __attribute__((warn_unused_result));
/* Appends a header's value. BAD: it has a control character. */
enum graph_text graph_header(const char *template_text, const json_t *scope, struct buf *out)
    __attribute__((warn_unused_result));
