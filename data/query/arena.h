/* SPDX-License-Identifier: Apache-2.0 */
/* One request's memory: a block made once for each worker, given out front to back, taken back as a
 * whole. A request that needs more than the block holds is refused, so no query can make the
 * process grow. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define ARENA_BYTES (1u << 20)

struct arena {
    char *block;
    size_t used, cap;
};

bool arena_init(struct arena *a, size_t cap) __attribute__((warn_unused_result));
void arena_fini(struct arena *a);
void arena_reset(struct arena *a);
/* Zeroed, aligned for any object; NULL when the block is used up. */
void *arena_get(struct arena *a, size_t n, size_t count);
/* A copy with a NUL after it; p is NULL when the block is used up. */
struct slice arena_copy(struct arena *a, struct slice text);
