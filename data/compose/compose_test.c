/* SPDX-License-Identifier: Apache-2.0 */
/* Without a gateway: what is refused of a request, and how a job ends when nobody answers. */
#include "data/compose/job.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define ROWS(a) (sizeof(a) / sizeof *(a))

static struct graph *graph_of(const char *steps)
{
    char text[1024];
    struct graph_error error;
    snprintf(text, sizeof text, "{\"steps\":%s,\"output\":{\"a\":{\"$ref\":\"/steps/a/body\"}}}",
             steps);
    json_t *definition = json_loads(text, 0, NULL);
    struct graph *g = graph_new(definition, &error);
    json_decref(definition);
    if (!g)
        fail_msg("%s %s", error.where, error.text);
    return g;
}

static struct compose_job *job_of(const char *steps, const char *target, const char *body,
                                  enum problem *problem, struct slice *where)
{
    static struct link_inner caller;
    struct compose_request rq = {.graph = graph_of(steps),
                                 .caller = &caller,
                                 .path = "/x/v1",
                                 .method = SLICE("GET"),
                                 .target = slice_str(target),
                                 .body = slice_str(body),
                                 .traceparent = SLICE("00-zz"),
                                 .timeout_ms = 300};
    return compose_job_new(&rq, problem, where);
}

#define STEP(more) "[{\"name\":\"a\",\"api\":\"/y\"" more "}]"

static void requests(void **state)
{
    (void)state;
    static const struct {
        const char *target, *body;
        enum problem problem;
        const char *request; /* as JSON, when it can be read */
    } rows[] = {
        {"/x/v1", "", PROBLEM_OK, "{\"method\":\"GET\",\"path\":[],\"query\":{},\"body\":null}"},
        {"/x/v1/a%2Fb/c?q=1%202+3&e=&f", "[1]", PROBLEM_OK,
         "{\"method\":\"GET\",\"path\":[\"a/b\",\"c\"],\"query\":{\"q\":\"1 2 3\",\"e\":\"\","
         "\"f\":\"\"},\"body\":[1]}"},
        {"/x/v1?&&a=1&", "", PROBLEM_OK,
         "{\"method\":\"GET\",\"path\":[],\"query\":{\"a\":\"1\"},\"body\":null}"},
        {"/x/v", "", PROBLEM_NOT_FOUND, NULL},
        {"/x/v12", "", PROBLEM_NOT_FOUND, NULL},
        {"/%78/v1", "", PROBLEM_NOT_FOUND, NULL},
        {"/x/v1/%", "", PROBLEM_NOT_FOUND, NULL},
        {"/x/v1/%ff", "", PROBLEM_NOT_FOUND, NULL},
        {"/x/v1/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", "", PROBLEM_NOT_FOUND, NULL},
        {"/x/v1?a=%2", "", PROBLEM_QUERY_MALFORMED, NULL},
        {"/x/v1?a=%zz", "", PROBLEM_QUERY_MALFORMED, NULL},
        {"/x/v1?a=%80", "", PROBLEM_QUERY_MALFORMED, NULL},
        {"/x/v1?a=1&a=2", "", PROBLEM_QUERY_MALFORMED, NULL},
        {"/x/v1?a%00=1", "", PROBLEM_QUERY_MALFORMED, NULL},
        {"/x/v1", "{", PROBLEM_BODY_MALFORMED, NULL},
        {"/x/v1", "{\"a\":1,\"a\":2}", PROBLEM_BODY_MALFORMED, NULL},
        {"/x/v1", "\xff", PROBLEM_BODY_MALFORMED, NULL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        enum problem problem;
        struct slice where;
        struct compose_job *job = job_of(STEP(""), rows[i].target, rows[i].body, &problem, &where);
        if (problem != rows[i].problem || (job != NULL) != (problem == PROBLEM_OK))
            fail_msg("%s %s: %s", rows[i].target, rows[i].body, problem_row(problem)->code);
        if (job) {
            json_t *want = json_loads(rows[i].request, 0, NULL);
            assert_true(json_equal(json_object_get(job->scope, "request"), want));
            assert_int_equal(strlen(job->traceparent), 55);
            json_decref(want);
        }
        compose_job_free(&job);
    }
}

struct outcome {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned n;
    struct compose_result last;
};

static void on_done(void *ctx, struct compose_result *result)
{
    struct outcome *o = ctx;
    pthread_mutex_lock(&o->mutex);
    buf_fini(&o->last.body);
    o->last = *result;
    o->n++;
    pthread_cond_signal(&o->changed);
    pthread_mutex_unlock(&o->mutex);
}

static void await(struct outcome *o, unsigned n)
{
    pthread_mutex_lock(&o->mutex);
    while (o->n < n)
        pthread_cond_wait(&o->changed, &o->mutex);
    pthread_mutex_unlock(&o->mutex);
}

static struct compose *started(const char *socket)
{
    const char *why;
    struct compose_config cfg = {.socket = socket, .threads = 2};
    struct compose *c = compose_start(&cfg, &why);
    assert_non_null(c);
    return c;
}

static void submit(struct compose *c, const char *steps, struct outcome *o)
{
    enum problem problem;
    struct slice where;
    struct compose_job *job = job_of(steps, "/x/v1", "", &problem, &where);
    assert_non_null(job);
    compose_submit(c, &job, on_done, o);
    assert_null(job);
}

#define OUTCOME                                                                                    \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                    \
    }

static void nobody_listens(void **state)
{
    (void)state;
    static const struct {
        const char *steps;
        enum problem problem;
        const char *where, *body;
    } rows[] = {
        {STEP(""), PROBLEM_COMPOSITION_FAILED, "/steps/a", NULL},
        {STEP(",\"retries\":3"), PROBLEM_COMPOSITION_FAILED, "/steps/a", NULL},
        {STEP(",\"path\":\"/{/request/path/0}\""), PROBLEM_COMPOSITION_FAILED, "/steps/a", NULL},
        {STEP(",\"on_failure\":\"null\""), PROBLEM_OK, "", "{\"a\":null}"},
        {STEP(",\"on_failure\":{\"default\":[7]}"), PROBLEM_OK, "", "{\"a\":[7]}"},
        {STEP(",\"when\":\"/request/query/q\""), PROBLEM_OK, "", "{}"},
    };
    struct compose *c = started("/nonexistent/inner.sock");
    struct outcome o = OUTCOME;
    for (unsigned i = 0; i < ROWS(rows); i++) {
        submit(c, rows[i].steps, &o);
        await(&o, i + 1);
        assert_int_equal(o.last.problem, rows[i].problem);
        assert_string_equal(o.last.where, rows[i].where);
        if (rows[i].body)
            assert_true(slice_eq(buf_slice(&o.last.body), slice_str(rows[i].body)));
    }
    compose_stop(c);
    submit(c, STEP(""), &o); /* ends at once */
    assert_int_equal(o.n, ROWS(rows) + 1);
    assert_int_equal(o.last.problem, PROBLEM_COMPOSITION_FAILED);
    compose_free(&c);
    buf_fini(&o.last.body);
}

/* A listener whose backlog takes the connection and whose owner never reads. */
static void nobody_answers(void **state)
{
    (void)state;
    char dir[] = "/tmp/sluice-compose-XXXXXX";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct outcome o = OUTCOME;
    assert_non_null(mkdtemp(dir));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", dir);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 64), 0);
    struct compose *c = started(address.sun_path);
    uint64_t began = clock_mono_us();
    submit(c, STEP(",\"on_failure\":\"null\""), &o);
    await(&o, 1);
    assert_int_equal(o.last.problem, PROBLEM_COMPOSITION_TIMEOUT);
    assert_in_range(clock_mono_us() - began, 200000, 900000);
    submit(c, STEP(",\"timeout_ms\":50,\"on_failure\":\"null\""), &o);
    await(&o, 2);
    assert_int_equal(o.last.problem, PROBLEM_OK);
    for (int i = 0; i < 8; i++)
        submit(c, STEP(""), &o);
    compose_stop(c); /* while they are under way */
    assert_int_equal(o.n, 10);
    assert_int_equal(o.last.problem, PROBLEM_COMPOSITION_FAILED);
    compose_free(&c);
    buf_fini(&o.last.body);
    close(fd);
    unlink(address.sun_path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"what a graph may refer to of a request, and what is no request", requests, NULL, NULL,
         NULL},
        {"[SW-8.3.4-orchestrate] a part that cannot be reached fails as its step says",
         nobody_listens, NULL, NULL, NULL},
        {"[SW-8.3.4-orchestrate, SW-8.3.4-timeout] one deadline; a stop ends all", nobody_answers,
         NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
