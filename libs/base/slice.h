/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes with its length. Never NUL-terminated by contract; who lends it says
 * until when it lives. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_FMT(s)   (int)(s).n, (s).p /* for "%.*s" */

static inline struct slice slice_of(const char *p, size_t n)
{
    return (struct slice){p, n};
}

static inline struct slice slice_str(const char *nul_terminated)
{
    return (struct slice){nul_terminated, strlen(nul_terminated)};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
