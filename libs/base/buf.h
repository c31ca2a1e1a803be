/* SPDX-License-Identifier: Apache-2.0 */
/* A growable byte buffer on the heap. One thread at a time. A failed allocation sets `failed`
 * and turns every later append into a no-op, so a writer checks once, at the end. */
#pragma once
#include <stdarg.h>

#include "base/slice.h"

struct buf {
    char *p;
    size_t n, cap;
    bool failed;
};

void buf_init(struct buf *b);
void buf_fini(struct buf *b);                 /* frees; the buf may be used again after buf_init */
void buf_wipe(struct buf *b);                 /* as buf_fini, zeroing the bytes first */
void buf_clear(struct buf *b);                /* keeps the memory */
bool buf_reserve(struct buf *b, size_t more); /* false: out of memory, `failed` set */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *text);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_add_json(struct buf *b, struct slice text); /* with quotes, RFC 8259 escapes */

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->p, b->n);
}
