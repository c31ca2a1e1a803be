/* SPDX-License-Identifier: Apache-2.0 */
/* The member of a JSON value at a path of names with dots between them: "order.total". */
#pragma once
#include <jansson.h>

#include "base/slice.h"

/* Borrowed; NULL: there is none. */
static inline const json_t *json_at(const json_t *at, struct slice path)
{
    while (at != NULL && path.n > 0) {
        const char *dot = (const char *)memchr(path.p, '.', path.n);
        size_t n = dot == NULL ? path.n : (size_t)(dot - path.p), over = n + (dot != NULL);
        at = json_object_getn(at, path.p, n);
        path = slice_of(path.p + over, path.n - over);
    }
    return at;
}
