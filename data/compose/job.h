/* SPDX-License-Identifier: Apache-2.0 */
/* One composed call under way: which steps have begun and ended and what they gave. Belongs to one
 * executor thread once submitted. */
#pragma once
#include <curl/curl.h>

#include "data/compose/compose.h"
#include "link/ring.h"

struct part { /* a step's call; easy is NULL when none is under way */
    struct compose_job *job;
    CURL *easy;
    struct curl_slist *headers;
    struct buf target, body, answer;
    uint8_t retries; /* left */
};

struct compose_job {
    struct compose_job *next;
    struct graph *graph;
    struct link_inner caller;
    char owner[LINK_OWNER_MAX];
    char traceparent[56];
    uint32_t timeout_ms;
    uint64_t deadline_us; /* of the monotonic clock */
    json_t *scope, *steps;
    uint32_t begun, ended; /* bit i: step i */
    size_t received_bytes; /* from all parts */
    struct part parts[GRAPH_STEPS_MAX];
    struct compose_result result;
    bool over; /* result is final */
    void (*done)(void *ctx, struct compose_result *result);
    void *ctx;
};

/* request.c: the scope's "request"; NULL: *problem and *where say why. */
json_t *compose_read_request(const struct compose_request *rq, enum problem *problem,
                             struct slice *where);

struct executor {
    struct compose *compose;
    CURLM *multi;
    struct link_mac inner;
    struct compose_job *jobs; /* under way */
};

/* part.c: begins the call of a step. False: it cannot be made. */
bool part_begin(struct executor *e, struct compose_job *job, uint32_t step);
void part_end(struct executor *e, struct part *part); /* frees all but the job's; idempotent */

/* job.c: goes on as far as it can; afterwards job->over, or some part is under way. */
void job_advance(struct executor *e, struct compose_job *job);
/* A part's transfer has come to its end. */
void job_part_done(struct executor *e, struct part *part, CURLcode code);
void job_fail(struct compose_job *job, enum problem problem, const char *step, const char *detail);
const char *compose_socket(const struct compose *c);
