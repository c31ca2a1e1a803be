/* SPDX-License-Identifier: Apache-2.0 */
/* A call under way as limits see it: what it is counted under, and what came of it. */
#pragma once
#include "sluice.h"

#include "limit/limit.h"

struct sluice_limits {
    size_t n, refused_by;
    bool taken, shared, refused, charged;
    struct limit_check *checks;
    struct limit_label *labels;
    struct limit_rule *rules; /* copies: the set may be compiled anew while the call goes on */
};

/* Room for n checks; NULL: no memory. */
struct sluice_limits *sluice_limits_new(ngx_pool_t *pool, size_t n);
/* Counts the call under all of them, on this node or in Redis, or refuses it. NGX_DONE: it waits
 * for Redis, and the stage runs again. */
ngx_int_t sluice_limits_take(ngx_http_request_t *r, sluice_ctx_t *ctx, struct sluice_limits *l);
