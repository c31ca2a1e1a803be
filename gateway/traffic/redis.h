/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis that several nodes share: limits (libs/limit/redis_script.h), nonces, single-use
 * grants. One connection a worker, asked without waiting for earlier answers; a call that asks is
 * put aside until the answer, or until redis_timeout_ms have passed: then Redis counts as away for
 * all, until it answers again. One thread. */
#pragma once
#include "sluice.h"

#include "limit/redis_script.h"

#define SLUICE_REDIS_ARGS        192 /* of one command: 16 rules and more */
#define SLUICE_REDIS_NUMBERS_MAX (1 + 5 * LIMIT_CALL_RULES_MAX)

struct sluice_redis_args {
    int n;
    size_t used;
    bool overflow;
    const char *v[SLUICE_REDIS_ARGS];
    size_t len[SLUICE_REDIS_ARGS];
    char text[8192];
};

/* A question under way, or its answer. */
struct sluice_redis_op {
    enum {
        SLUICE_REDIS_WAITS,
        SLUICE_REDIS_NUMBERS, /* an array of numbers */
        SLUICE_REDIS_DONE,    /* "OK" */
        SLUICE_REDIS_NIL,     /* SET NX: it is there already */
        SLUICE_REDIS_LOST     /* no answer, or none of these */
    } state;
    size_t n;
    long long numbers[SLUICE_REDIS_NUMBERS_MAX];

    /* of redis.c */
    ngx_http_request_t *r; /* NULL: nobody waits */
    bool owed;             /* hiredis still has it */
    ngx_event_t timer, wake;
};

/* The arguments of one command; the next one overwrites them. */
struct sluice_redis_args *sluice_redis_command(void);
struct sluice_redis_args *sluice_redis_script(void); /* EVALSHA of the limits' script */
void sluice_redis_arg(struct sluice_redis_args *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* NGX_DONE: asked; r's phases run again when ctx->redis has left SLUICE_REDIS_WAITS. NGX_ABORT:
 * Redis is away. */
ngx_int_t sluice_redis_ask(ngx_http_request_t *r, sluice_ctx_t *ctx,
                           struct sluice_redis_args *args);
void sluice_redis_tell(struct sluice_redis_args *args); /* and never mind the answer */
