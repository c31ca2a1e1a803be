/* SPDX-License-Identifier: Apache-2.0 */
/* What a compiled definition is asked, and its memory. */
#include "convert/convert.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>

#include "convert/convert_inner.h"

const char *convert_strerror(enum convert_err err)
{
    static const char *const sentences[] = {
#define X(value, sentence) [value] = (sentence),
        CONVERT_ERRORS(X)
#undef X
    };
    bool known = (unsigned)err < sizeof sentences / sizeof *sentences;
    return known ? sentences[err] : "unknown error";
}

void convert_trail_text(const struct convert_trail *trail, char out[static CONVERT_WHERE_MAX])
{
    size_t n = 0;
    out[0] = '\0';
    for (unsigned i = 0; trail != NULL && i < trail->n; i++) {
        struct slice key = trail->at[i].key;
        int wrote = snprintf(out + n, CONVERT_WHERE_MAX - n, "%s%.*s",
                             n > 0 && key.n > 0 ? "." : "", SLICE_FMT(key));
        n += wrote > 0 ? (size_t)wrote : 0;
        if (n < CONVERT_WHERE_MAX && trail->at[i].index > 0) {
            wrote = snprintf(out + n, CONVERT_WHERE_MAX - n, "[%u]", trail->at[i].index - 1);
            n += wrote > 0 ? (size_t)wrote : 0;
        }
        if (n >= CONVERT_WHERE_MAX) { /* cut between characters */
            n = CONVERT_WHERE_MAX - 1;
            while (n > 0 && ((uint8_t)out[n - 1] & 0xc0) == 0x80) {
                n--;
            }
            n -= n > 0 && (uint8_t)out[n - 1] >= 0xc0;
            out[n] = '\0';
            return;
        }
    }
}

enum convert_err convert_fail(struct convert_error *error, enum convert_err code,
                              const struct convert_trail *trail)
{
    if (error != NULL) {
        error->code = code;
        error->text = convert_strerror(code);
        convert_trail_text(trail, error->where);
    }
    return code;
}

/* Blocks of memory, freed together. */
#define BLOCK_BYTES 16384
struct convert_arena_block {
    struct convert_arena_block *next;
    size_t used, size;
    max_align_t data[];
};

void *convert_alloc(struct convert *c, size_t n)
{
    const size_t step = sizeof(max_align_t);
    struct convert_arena_block *b = c->blocks;
    if (n > SIZE_MAX / 2) {
        return NULL;
    }
    n = (n + step - 1) / step * step;
    if (b == NULL || b->size - b->used < n) {
        size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
        b = calloc(1, sizeof *b + size);
        if (b == NULL) {
            return NULL;
        }
        b->size = size;
        b->next = c->blocks;
        c->blocks = b;
    }
    void *p = (char *)b->data + b->used;
    b->used += n;
    return p;
}

void convert_free(struct convert **c)
{
    if (*c == NULL) {
        return;
    }
    for (struct convert_arena_block *b = (*c)->blocks, *next; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    free(*c);
    *c = NULL;
}

const struct convert_op *convert_find(const struct convert *c, struct slice method,
                                      struct slice path_rest)
{
    for (size_t i = 0; i < c->n_ops; i++) {
        if (slice_eq(c->ops[i].path, path_rest) && slice_eq(c->ops[i].method, method)) {
            return &c->ops[i];
        }
    }
    return NULL;
}

struct slice convert_op_method(const struct convert_op *op)
{
    return op->method;
}

struct slice convert_op_path(const struct convert_op *op)
{
    return op->path;
}

enum convert_form convert_op_upstream_form(const struct convert_op *op)
{
    return op->upstream;
}

const char *convert_op_upstream_method(const struct convert_op *op)
{
    return op->upstream_method;
}

const char *convert_op_upstream_path(const struct convert_op *op)
{
    return op->upstream_path;
}

const char *convert_op_action(const struct convert_op *op)
{
    return op->action;
}

const char *convert_op_action_header(const struct convert_op *op)
{
    return op->action_header;
}

bool convert_op_accepts(const struct convert_op *op, enum convert_form form)
{
    return form <= CONVERT_SOAP12 && op->accepts[form];
}

bool convert_op_by_query(const struct convert_op *op)
{
    return op->by_query;
}

const char *convert_op_content_type(const struct convert_op *op, enum convert_form form)
{
    static const char *const types[] = {
        [CONVERT_JSON] = "application/json",
        [CONVERT_XML] = "application/xml; charset=utf-8",
        [CONVERT_SOAP11] = "text/xml; charset=utf-8",
    };
    return form == CONVERT_SOAP12 ? op->soap12_type : types[form];
}
