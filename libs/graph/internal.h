/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this module share. Templates: literal text with {pointer} in it; {{ and }} are
 * braces. */
#pragma once
#include "graph/graph.h"

/* 17 digits would tell 0.1 as 0.10000000000000001. */
#define GRAPH_JSON (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

struct template_part {
    struct slice text; /* literal text, or a pointer */
    bool pointer;
};

/* Takes the next part off *rest. False: at the end, or *bad. */
bool template_next(struct slice *rest, struct template_part *part, bool *bad);

struct compile { /* under way */
    struct graph *g;
    struct graph_error *error;
    char at[64];   /* where the step being read is */
    uint32_t refs; /* steps it refers to */
};

/* check.c. Each returns false after compile_fail(), which tells what is wrong with the member of
 * c->at and returns false itself. References are noted in c->refs. */
bool compile_fail(struct compile *c, const char *member, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int compile_find_step(const struct compile *c, struct slice name); /* -1: none */
bool compile_is_word(struct slice word, const char *const words[]);
bool compile_pointer(struct compile *c, const char *member, struct slice pointer);
bool compile_template(struct compile *c, const char *member, const char *text);
bool compile_mapping(struct compile *c, const char *member, const json_t *mapping);
