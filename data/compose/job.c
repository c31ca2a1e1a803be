/* SPDX-License-Identifier: Apache-2.0 */
#include "data/compose/job.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"

#define TRACE_LEN 55

static bool trace_ok(struct slice text)
{
    if (text.n != TRACE_LEN || memcmp(text.p, "00-", 3) != 0)
        return false;
    for (size_t i = 3; i < text.n; i++) {
        bool dash = i == 35 || i == 52;
        if (dash ? text.p[i] != '-' : !text.p[i] || !strchr("0123456789abcdef", text.p[i]))
            return false;
    }
    return true;
}

/* The caller's, or one whose trace id is the transaction of the whole: all parts carry the same. */
static void set_trace(struct compose_job *job, struct slice given)
{
    struct uuid span;
    char id[33] = "", parent[17] = "";
    if (trace_ok(given)) {
        memcpy(job->traceparent, given.p, TRACE_LEN);
        return;
    }
    uuid_new(&span);
    codec_hex(id, job->caller.txn.b, UUID_LEN);
    codec_hex(parent, span.b + 8, 8);
    snprintf(job->traceparent, sizeof job->traceparent, "00-%s-%s-01", id, parent);
}

/* A tenth is left for the gateway to say that time ran out before its own does. */
static uint32_t deadline_ms(const struct compose_request *rq)
{
    uint32_t mine = rq->timeout_ms - rq->timeout_ms / 10;
    uint32_t graphs = rq->graph->deadline_ms;
    return graphs && graphs < mine ? graphs : mine;
}

struct compose_job *compose_job_new(const struct compose_request *rq, enum problem *problem,
                                    struct slice *where)
{
    struct compose_job *job = calloc(1, sizeof *job);
    struct graph *graph = rq->graph;
    *problem = PROBLEM_INTERNAL;
    *where = SLICE("");
    if (!job) {
        graph_free(&graph);
        return NULL;
    }
    job->graph = graph;
    job->caller = *rq->caller;
    if (rq->caller->owner.n)
        memcpy(job->owner, rq->caller->owner.p, rq->caller->owner.n);
    job->caller.owner = slice_of(job->owner, rq->caller->owner.n);
    job->timeout_ms = deadline_ms(rq);
    set_trace(job, rq->traceparent);
    json_t *request = compose_read_request(rq, problem, where);
    job->steps = json_object();
    job->scope = request ? json_pack("{s:o,s:O}", "request", request, "steps", job->steps) : NULL;
    if (!job->scope)
        compose_job_free(&job);
    return job;
}

void compose_job_free(struct compose_job **slot)
{
    struct compose_job *job = *slot;
    *slot = NULL;
    if (!job)
        return;
    graph_free(&job->graph);
    json_decref(job->scope);
    json_decref(job->steps);
    free(job);
}

void job_fail(struct compose_job *job, enum problem problem, const char *step, const char *detail)
{
    job->over = true;
    job->result.problem = problem;
    job->result.detail = detail;
    if (step)
        snprintf(job->result.where, sizeof job->result.where, "/steps/%s", step);
}

/* curl counts whole milliseconds, so a part may end a little before its time. */
static bool late(const struct compose_job *job)
{
    return clock_mono_us() + 2000 >= job->deadline_us;
}

static void keep(struct compose_job *job, uint32_t step, long status, json_t *body)
{
    const char *name = job->graph->steps[step].name;
    job->ended |= UINT32_C(1) << step;
    json_t *output = json_pack("{s:I,s:o}", "status", (json_int_t)status, "body", body);
    if (json_object_set_new(job->steps, name, output) != 0)
        job_fail(job, PROBLEM_INTERNAL, NULL, NULL);
}

/* detail: the code of the part's problem, static, or NULL. */
static void step_failed(struct compose_job *job, uint32_t step, long status, const char *detail)
{
    const struct graph_step *from = &job->graph->steps[step];
    if (late(job))
        job_fail(job, PROBLEM_COMPOSITION_TIMEOUT, from->name, NULL);
    else if (from->on_failure == GRAPH_FAIL)
        job_fail(job, PROBLEM_COMPOSITION_FAILED, from->name, detail);
    else if (from->on_failure == GRAPH_NULL)
        keep(job, step, status, json_null());
    else
        keep(job, step, status, json_deep_copy(from->fallback));
}

static bool wanted(const struct compose_job *job, uint32_t step)
{
    const char *when = job->graph->steps[step].when;
    const json_t *value = when ? graph_find(job->scope, when) : NULL;
    return !when || (value && !json_is_null(value));
}

/* Begins what can begin. False: nothing new has come of it. */
static bool begin_steps(struct executor *e, struct compose_job *job)
{
    bool moved = false;
    for (uint32_t i = 0; i < job->graph->n_steps && !job->over; i++) {
        const uint32_t bit = UINT32_C(1) << i;
        if (job->begun & bit || job->graph->steps[i].after & ~job->ended)
            continue;
        moved = true;
        job->begun |= bit;
        job->parts[i].retries = job->graph->steps[i].retries;
        if (!wanted(job, i))
            job->ended |= bit;
        else if (!part_begin(e, job, i))
            step_failed(job, i, 0, NULL);
    }
    return moved;
}

static void write_output(struct compose_job *job)
{
    json_t *output = graph_map(job->graph->output, job->scope);
    job->over = true;
    if (!output || !graph_write(output, COMPOSE_ANSWER_MAX, &job->result.body))
        job_fail(job, PROBLEM_COMPOSITION_FAILED, NULL, "the answer is too large");
    json_decref(output);
}

void job_advance(struct executor *e, struct compose_job *job)
{
    const uint32_t all = UINT32_MAX >> (32 - job->graph->n_steps);
    while (!job->over && begin_steps(e, job))
        ;
    if (!job->over && job->ended == all)
        write_output(job);
    for (uint32_t i = 0; job->over && i < job->graph->n_steps; i++)
        part_end(e, &job->parts[i]);
}

static bool again(const struct part *part, CURLcode code, long status)
{
    bool passing = code == CURLE_OK ? status >= 502 && status <= 504
                                    : code != CURLE_OPERATION_TIMEDOUT && code != CURLE_WRITE_ERROR;
    return passing && part->retries > 0 && !late(part->job);
}

static json_t *read_answer(const struct part *part)
{
    return part->answer.n ? json_loadb(part->answer.p, part->answer.n,
                                       JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL)
                          : json_null();
}

/* Of a refusal only the code of our own catalogue is told on. */
static const char *problem_code(const json_t *answer)
{
    const char *code = json_string_value(json_object_get(answer, "code"));
    enum problem p = code ? problem_by_code(slice_str(code)) : PROBLEM_COUNT;
    return p == PROBLEM_OK || p == PROBLEM_COUNT ? NULL : problem_row(p)->code;
}

void job_part_done(struct executor *e, struct part *part, CURLcode code)
{
    struct compose_job *job = part->job;
    uint32_t step = (uint32_t)(part - job->parts);
    long status = 0;
    curl_easy_getinfo(part->easy, CURLINFO_RESPONSE_CODE, &status);
    json_t *answer = code == CURLE_OK ? read_answer(part) : NULL;
    bool retry = again(part, code, status);
    part_end(e, part);
    if (retry && !job->over) {
        part->retries--;
        retry = part_begin(e, job, step);
    }
    if (!retry && !job->over) {
        if (answer && status >= 200 && status < 300)
            keep(job, step, status, json_incref(answer));
        else
            step_failed(job, step, status, problem_code(answer));
    }
    json_decref(answer);
    job_advance(e, job);
}
