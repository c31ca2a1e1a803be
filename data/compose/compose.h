/* SPDX-License-Identifier: Apache-2.0 */
/* Runs composed APIs (SW-8.3.4-orchestrate): the steps of a graph, in parallel where nothing orders
 * them, each a call of a published API over the gateway's inner listener, made for the caller of
 * the whole (libs/link/inner.h). Threads of its own with libcurl's multi interface: a thread of the
 * data service is never held, for the steps may need it. */
#pragma once
#include <jansson.h>

#include "graph/graph.h"
#include "link/inner.h"
#include "problem/problem.h"

#define COMPOSE_JOBS_MAX   256        /* under way in the process; more are refused */
#define COMPOSE_PART_MAX   (1u << 20) /* bytes of one part's answer */
#define COMPOSE_PARTS_MAX  (8u << 20) /* of all that one call is answered by its parts */
#define COMPOSE_ANSWER_MAX (4u << 20) /* bytes of the whole's */

struct compose_config {
    const char *socket; /* of the gateway's inner listener */
    uint8_t link_key[CRYPTO_KEY_LEN];
    unsigned threads; /* 1 to COMPOSE_THREADS_MAX */
};
#define COMPOSE_THREADS_MAX 8

struct compose;
struct compose *compose_start(const struct compose_config *cfg, const char **why);
/* Ends all jobs, as composition-failed; what is submitted later ends at once. */
void compose_stop(struct compose *c);
void compose_free(struct compose **c); /* after compose_stop, and when nobody submits any more */

struct compose_result {
    enum problem problem; /* PROBLEM_OK: body is the answer */
    struct buf body;      /* whose memory the receiver takes */
    char where[48];       /* of a problem: "/steps/NAME", or "" */
    const char *detail;   /* static, or NULL */
};

struct compose_request {
    struct graph *graph;             /* a reference, taken whatever comes of it */
    const struct link_inner *caller; /* of the ticket; copied */
    const char *path;                /* of the composed API */
    struct slice method, target, body;
    struct slice traceparent; /* as it came; "" none */
    uint32_t timeout_ms;      /* of the API */
};

struct compose_job;
/* NULL: *problem and *where say why the request cannot be read. */
struct compose_job *compose_job_new(const struct compose_request *rq, enum problem *problem,
                                    struct slice *where) __attribute__((warn_unused_result));
/* Takes the job. done is called once, from another thread or from this one. */
void compose_submit(struct compose *c, struct compose_job **job,
                    void (*done)(void *ctx, struct compose_result *result), void *ctx);
void compose_job_free(struct compose_job **job); /* of one that was not submitted */
