/* SPDX-License-Identifier: Apache-2.0 */
/* Personal information in what is handed in (SW-9.7-3f): a text that proves to be an identity
 * number, a bank card, a mobile or an e-mail address, or has one in it, where it is not meant to
 * be. Where that is, and what becomes of it, the control plane says: with a dataset or a topic as
 * nodes are told of it (`guarded`), and of a file when it is handed in. All but a stream is safe
 * from any thread. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/slice.h"

#define PERSONAL_REFUSED "it holds personal information, which the field is not meant for"
#define PERSONAL_PATH_MAX                                                                          \
    255                       /* bytes of a path of a document: longer ones are meant for nothing  \
                               */
#define PERSONAL_DEPTH_MAX 64 /* levels of a document */

enum personal_guard { PERSONAL_OFF, PERSONAL_MASK, PERSONAL_REFUSE };

/* off, mask or refuse; anything else refuses. */
enum personal_guard personal_guard_named(const char *name);
/* The policy of a dataset as the feed tells it; guarded: its member, NULL: off. */
enum personal_guard personal_guard_of(const json_t *guarded);
/* Is this column among the guarded ones? */
bool personal_guards(const json_t *guarded, struct slice column);

/* What a text holds: a word of libs/detect ("id-card"), static; NULL: nothing of the kind. A text
 * that cannot be looked at for want of memory counts as holding something. */
const char *personal_find(struct slice text);
/* Passes a value on, *value owned: a guarded one that holds something is covered, or false:
 * refused. kind: what it holds, NULL: nothing. */
bool personal_pass(enum personal_guard guard, json_t **value, const char **kind);
/* Covered by the mask of what it is, or wholly where it only has it in it: a new string. NULL: no
 * memory. */
json_t *personal_cover(struct slice text);

/* personal_document.c: a JSON document of an app, texts and numbers wherever they are but below the
 * paths that are meant for it (as in plan/plan.h). ------------------------------------------------
 */
struct personal_seen {
    size_t covered;
    const char *kind;                 /* of the last one found, static; NULL: none */
    char path[PERSONAL_PATH_MAX + 1]; /* where that is */
};
/* *value owned, changed where something is covered. False: refused; seen says what and where. Adds
 * to *seen. meant: array of paths; NULL: none. */
bool personal_document(enum personal_guard guard, const json_t *meant, json_t **value,
                       struct personal_seen *seen);

/* personal_stream.c: text of any size and any format, piece by piece. -----------------------------
 */
struct personal_hit {
    uint64_t at, line; /* offset in the stream; line, from 1 */
    size_t n;
    const char *kind; /* static */
    bool literal;     /* a number of JSON, which no sign may take the place of */
};
typedef void (*personal_each)(void *ctx, const struct personal_hit *hit);
/* Needs 5 KB however long the text is. What lies over the edge of two pieces is found; what JSON
 * or XML writes with escapes for its digits is not. Text that is no UTF-8 is read as GB18030. One
 * thread. NULL: no memory. */
struct personal_stream;
struct personal_stream *personal_stream_new(personal_each each, void *ctx);
void personal_stream_add(struct personal_stream *s, struct slice piece);
void personal_stream_end(struct personal_stream *s);
void personal_stream_free(struct personal_stream **s);
/* As many bytes to stand in the place of a hit. */
void personal_fill(char *out, size_t n, bool literal);
