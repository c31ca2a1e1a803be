/* SPDX-License-Identifier: Apache-2.0 */
#include "data/query/arena.h"

#include <stdalign.h>
#include <stdlib.h>

bool arena_init(struct arena *a, size_t cap)
{
    *a = (struct arena){.block = malloc(cap), .cap = cap};
    return a->block != NULL;
}

void arena_fini(struct arena *a)
{
    free(a->block);
    *a = (struct arena){0};
}

void arena_reset(struct arena *a)
{
    a->used = 0;
}

void *arena_get(struct arena *a, size_t n, size_t count)
{
    size_t at = (a->used + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (at > a->cap || (count && n > (a->cap - at) / count))
        return NULL;
    a->used = at + n * count;
    return memset(a->block + at, 0, n * count);
}

struct slice arena_copy(struct arena *a, struct slice text)
{
    if (text.n >= a->cap - a->used)
        return (struct slice){NULL, 0};
    char *p = a->block + a->used;
    a->used += text.n + 1;
    if (text.n)
        memcpy(p, text.p, text.n);
    p[text.n] = '\0';
    return slice_of(p, text.n);
}
