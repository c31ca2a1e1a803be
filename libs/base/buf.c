/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

void buf_fini(struct buf *b)
{
    free(b->p);
    buf_init(b);
}

void buf_wipe(struct buf *b)
{
    if (b->p) {
        explicit_bzero(b->p, b->cap);
    }
    buf_fini(b);
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

bool buf_reserve(struct buf *b, size_t more)
{
    if (b->failed) {
        return false;
    }
    if (more <= b->cap - b->n) {
        return true;
    }
    if (more > SIZE_MAX / 2 - b->n) {
        b->failed = true;
        return false;
    }
    size_t cap = b->cap ? b->cap : 256;
    while (cap < b->n + more) {
        cap *= 2;
    }
    char *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (n == 0 || !buf_reserve(b, n)) {
        return;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    /* One byte more: vsnprintf ends with a NUL, which is not counted as content. */
    if (n < 0 || !buf_reserve(b, (size_t)n + 1)) {
        b->failed = true;
        return;
    }
    va_start(args, fmt);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, args);
    va_end(args);
    b->n += (size_t)n;
}

static void add_escaped(struct buf *b, unsigned char c)
{
    static const char shorts[] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                  ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
    if (c < sizeof shorts && shorts[c]) {
        buf_add(b, (char[]){'\\', shorts[c]}, 2);
        return;
    }
    buf_addf(b, "\\u%04x", c);
}

void buf_add_json(struct buf *b, struct slice text)
{
    buf_addc(b, '"');
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        buf_add(b, text.p + from, i - from);
        add_escaped(b, c);
        from = i + 1;
    }
    buf_add(b, text.p + from, text.n - from);
    buf_addc(b, '"');
}
