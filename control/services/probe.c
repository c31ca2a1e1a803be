/* SPDX-License-Identifier: Apache-2.0 */
/* The platform tests an API before it is opened (SW-7d4 to -7d7): its own app calls it through a
 * gateway as anybody's would. Three reports come of it: does it do what was asked, is it safe, is
 * it as fast as its service promises. */
#include "services/probe.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"

#define CALLS_MAX       50
#define TARGET_MAX      1000
#define BODY_MAX        65536
#define REPEAT_DEFAULT  40
#define AT_ONCE_DEFAULT 4
#define KNOWN_MS        8000 /* until the nodes have heard of the app's subscription */

struct testing {
    struct probe probe;
    struct probe_schema schema;
    json_t *api, *service; /* service NULL: none */
    json_t *cases[3], *figures;
    bool passed[3];
};
enum { FUNCTIONAL, SECURITY, PERFORMANCE };
static const char *const kinds[] = {"functional", "security", "performance"};

static void add_case(struct testing *t, int kind, bool passed, const char *name, const char *note)
{
    json_array_append_new(
        t->cases[kind], json_pack("{s:s, s:b, s:s}", "case", name, "passed", passed, "note", note));
    t->passed[kind] = t->passed[kind] && passed;
}

/* What is asked ---------------------------------------------------------------------------------
 */
static const char *method_of(const json_t *call)
{
    const char *method = row_text(call, "method");

    return method[0] ? method : "GET";
}

/* HEAD has nothing to look at; a body goes with what takes one. */
static bool method_ok(const json_t *call)
{
    static const char *const methods[] = {"GET", "DELETE", "POST", "PUT", "PATCH"};
    const json_t *method = json_object_get(call, "method"), *body = json_object_get(call, "body");
    bool known = !method || json_is_string(method);
    size_t k = 0;

    while (k < COUNT(methods) && strcmp(methods[k], method_of(call)) != 0) {
        k++;
    }
    return known && k < COUNT(methods) &&
           (!body || (k >= 2 && (json_is_object(body) || json_is_array(body)) &&
                      json_dumpb(body, NULL, 0, JSON_COMPACT) <= BODY_MAX));
}

static enum problem check_call(struct rest_call *c, const json_t *call, size_t i)
{
    static const char *const members[] = {"method", "target", "body", "status",
                                          "fields", "grant",  NULL};
    const json_t *target = json_object_get(call, "target"), *f;
    struct uuid id;
    const char *grant = row_text(call, "grant");
    char where[40];
    bool ok = json_is_object(call) && api_only_members(call, members) &&
              (!target || (json_is_string(target) && json_string_length(target) <= TARGET_MAX)) &&
              (!grant[0] || uuid_parse(&id, grant, strlen(grant))) && method_ok(call);
    size_t k;

    for (const char *at = row_text(call, "target"); ok && *at; at++) {
        ok = *at > 0x20 && *at < 0x7f && *at != '#';
    }
    json_array_foreach(json_object_get(call, "fields"), k, f)
    {
        ok = ok && json_is_string(f);
    }
    snprintf(where, sizeof where, "/calls/%zu", i);
    return ok ? PROBLEM_OK
              : rest_fail(
                    c, PROBLEM_FIELD_INVALID, where,
                    "method (GET, POST, PUT, PATCH, DELETE), target (what follows the path), body, "
                    "status, fields and grant are taken");
}

static enum problem check_body(struct rest_call *c)
{
    static const char *const members[] = {"calls", "repeat", "at_once", NULL};
    const json_t *calls = json_object_get(c->body, "calls"),
                 *repeat = json_object_get(c->body, "repeat"),
                 *at_once = json_object_get(c->body, "at_once");
    json_t *call;
    size_t i;
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK && (!json_is_array(calls) || json_array_size(calls) < 1 ||
                            json_array_size(calls) > CALLS_MAX)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/calls", "1 to 50 calls are needed");
    }
    if (p == PROBLEM_OK && repeat && !api_int_within(repeat, 1, PROBE_CALLS_MAX)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/repeat", "1 to %d is needed", PROBE_CALLS_MAX);
    }
    if (p == PROBLEM_OK && at_once && !api_int_within(at_once, 1, PROBE_AT_ONCE_MAX)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/at_once", "1 to %d is needed", PROBE_AT_ONCE_MAX);
    }
    json_array_foreach(calls, i, call)
    {
        p = p == PROBLEM_OK ? check_call(c, call, i) : p;
    }
    return p;
}

/* A call as it is sent. */
struct made {
    struct probe_call call;
    char target[PROBE_TARGET_MAX], *body;
};

static void make_call(const struct testing *t, const json_t *call, struct made *m)
{
    const json_t *body = json_object_get(call, "body");

    *m = (struct made){.body = body ? json_dumps(body, JSON_COMPACT) : NULL};
    snprintf(m->target, sizeof m->target, "%.255s%s", row_text(t->api, "path"),
             row_text(call, "target"));
    m->call =
        (struct probe_call){.method = method_of(call),
                            .target = m->target,
                            .grant = row_text(call, "grant")[0] ? row_text(call, "grant") : NULL,
                            .body = m->body};
}

static void send_call(struct testing *t, const json_t *call, enum probe_proof proof,
                      struct probe_answer *answer)
{
    struct made m;

    make_call(t, call, &m);
    probe_send(&t->probe, &m.call, proof, answer);
    free(m.body);
}

static long status_wanted(const json_t *call)
{
    json_int_t wanted = json_integer_value(json_object_get(call, "status"));

    return wanted ? (long)wanted : 200;
}

/* Function ---------------------------------------------------------------------------------------
 */
static const json_t *first_row(const json_t *v)
{
    return json_is_array(v) ? json_array_get(v, 0) : v;
}

static bool has(const json_t *v, const char *path)
{
    char name[256];
    size_t n = strcspn(path, ".");

    snprintf(name, sizeof name, "%.*s", (int)n, path);
    const json_t *member = json_object_get(first_row(v), name);
    return member && (!path[n] || has(member, path + n + 1));
}

static void see_fields(struct testing *t, const json_t *call, const json_t *answer)
{
    json_t *f;
    size_t k;
    char note[200];

    json_array_foreach(json_object_get(call, "fields"), k, f)
    {
        snprintf(note, sizeof note, "%.150s", json_string_value(f));
        add_case(t, FUNCTIONAL, has(answer, json_string_value(f)), "field", note);
    }
}

static void test_function(struct testing *t, const json_t *calls)
{
    json_t *call;
    size_t i;
    char note[PROBE_NOTE_MAX];

    json_array_foreach(calls, i, call)
    {
        struct probe_answer a;
        send_call(t, call, PROBE_SIGNED, &a);
        snprintf(note, sizeof note, "%s %.200s: status %ld, %.120s", method_of(call),
                 row_text(call, "target"), a.status, row_text(a.json, "code"));
        add_case(t, FUNCTIONAL, a.status == status_wanted(call), "status", note);
        add_case(t, FUNCTIONAL, a.json != NULL || a.status == 204, "json", "the answer is JSON");
        bool holds =
            probe_schema_holds(&t->schema, method_of(call), row_text(call, "target"), &a, note);
        add_case(t, FUNCTIONAL, holds, "schema", holds ? "the answer is as it is declared" : note);
        see_fields(t, call, a.json);
        probe_answer_fini(&a);
    }
}

/* Safety -----------------------------------------------------------------------------------------
 */
static bool masks_set(const json_t *fields)
{
    json_t *f;
    size_t i;
    bool all = true;

    json_array_foreach(fields, i, f)
    {
        all =
            all && (json_integer_value(json_object_get(f, "level")) != 3 || row_text(f, "mask")[0]);
    }
    return all;
}

static bool loopback(const char *authority)
{
    return strncmp(authority, "127.", 4) == 0 || strncmp(authority, "[::1]", 5) == 0 ||
           strncmp(authority, "localhost", 9) == 0;
}

static bool transport_ok(const struct testing *t)
{
    return strncmp(t->probe.gateway, "https://", 8) == 0 || loopback(t->probe.authority);
}

static void refused_without(struct testing *t, const json_t *call, enum probe_proof proof,
                            const char *note)
{
    struct probe_answer a;

    send_call(t, call, proof, &a);
    add_case(t, SECURITY, a.status == 401, "authentication", note);
    probe_answer_fini(&a);
}

static void test_safety(struct testing *t, const json_t *call)
{
    const json_t *fields = json_object_get(t->api, "fields");
    struct probe_answer a;

    refused_without(t, call, PROBE_UNSIGNED, "a call without proof is refused");
    refused_without(t, call, PROBE_FORGED, "a forged signature is refused");
    send_call(t, call, PROBE_SIGNED, &a);
    add_case(t, SECURITY, a.status == status_wanted(call) && probe_only_declared(fields, a.json),
             "level", "nothing but declared fields up to level 3 leaves");
    if (json_is_true(json_object_get(t->api, "sign_response"))) {
        add_case(t, SECURITY, a.proven, "answer-signature",
                 "the answer is signed by a key of the platform's nodes");
    }
    probe_answer_fini(&a);
    add_case(t, SECURITY, masks_set(fields), "masking", "each field of level 3 has a mask");
    add_case(t, SECURITY, transport_ok(t), "transport", "the gateway is reached over TLS");
}

/* Speed ------------------------------------------------------------------------------------------
 */
static int by_ms(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void judge(struct testing *t, double p95, double rate, int at_once, json_int_t failed)
{
    json_int_t within = json_integer_value(json_object_get(t->service, "response_ms"));
    json_int_t wanted = json_integer_value(json_object_get(t->service, "throughput"));
    char note[120];

    snprintf(note, sizeof note, "95 of 100 within %.1f ms; promised %d", p95, (int)within);
    add_case(t, PERFORMANCE, !within || p95 <= (double)within, "response-time", note);
    snprintf(note, sizeof note, "%.1f a second, %d calls at once; promised %d", rate, at_once,
             (int)wanted);
    add_case(t, PERFORMANCE, !wanted || rate >= (double)wanted, "throughput", note);
    snprintf(note, sizeof note, "%d of 1000 failed", (int)failed);
    add_case(t, PERFORMANCE, failed == 0, "availability", note);
}

static void figure(struct testing *t, struct probe_load *load, size_t at_once)
{
    size_t n = load->n;
    double *ms = load->ms, took = load->took_ms > 1 ? load->took_ms : 1;

    qsort(ms, n, sizeof *ms, by_ms);
    double p95 = ms[(n * 95 + 99) / 100 - 1], rate = 1000.0 * (double)n / took;
    json_int_t permille = (json_int_t)((load->failed * 1000 + n - 1) / n);
    t->figures = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "calls", (json_int_t)n, "at_once",
                           (json_int_t)at_once, "p50_ms", (json_int_t)(ms[n / 2] + 0.5), "p95_ms",
                           (json_int_t)(p95 + 0.999), "per_second", (json_int_t)rate,
                           "failed_permille", permille);
    judge(t, p95, rate, (int)at_once, permille);
}

static void test_speed(struct testing *t, const json_t *call, size_t repeat, size_t at_once)
{
    struct probe_load *load = malloc(sizeof *load);
    struct made m;

    make_call(t, call, &m);
    if (load && probe_load(&t->probe, &m.call, status_wanted(call), repeat, at_once, load)) {
        figure(t, load, at_once);
    } else {
        add_case(t, PERFORMANCE, false, "availability", "no call could be made");
    }
    free(m.body);
    free(load);
}

/* Before and after -------------------------------------------------------------------------------
 */
static enum problem subscribe(struct rest_call *c, struct store_txn *txn, const json_t *api,
                              const char *app_id)
{
    const struct store_value v[] = {store_text(row_text(api, "id")), store_text(app_id)};
    json_t *there = NULL;
    enum problem p = services_rows(c, txn,
                                   "SELECT id FROM subscriptions WHERE api_id = ? AND app_id = ? "
                                   "AND state = 'approved'",
                                   v, 2, "id:t", &there);
    bool has_one = json_array_size(there) > 0;

    json_decref(there);
    if (p != PROBLEM_OK || has_one) {
        return p;
    }
    json_t *row = resource_row(&subscriptions_resource);
    json_object_set_new(row, "state", json_string("approved"));
    json_object_set_new(row, "app_id", json_string(app_id));
    json_object_set(row, "api_id", json_object_get(api, "id"));
    json_object_set_new(row, "purpose", json_string("the platform's own test"));
    json_object_set_new(row, "risk_assessment", json_string("the platform's own app; it tests"));
    json_object_set_new(row, "max_level", json_integer(3));
    p = change_store(c, txn, &subscriptions_resource, NULL, row, "carry");
    json_decref(row);
    return p;
}

/* A secret where the API takes one, else a key pair (each API of class A2). */
static enum problem key_kind(struct rest_call *c, const json_t *api, enum probe_key *kind)
{
    const json_t *schemes = json_object_get(api, "schemes");
    json_t *scheme;
    size_t i;
    bool a2 = strcmp(row_text(api, "class"), "A2") == 0, named = json_array_size(schemes) > 0;
    bool secret = !named && !a2, key = !named;

    json_array_foreach(schemes, i, scheme)
    {
        secret = secret || strcmp(json_string_value(scheme), "secret") == 0;
        key = key || strcmp(json_string_value(scheme), "key") == 0;
    }
    *kind = secret && !a2 ? PROBE_SECRET : PROBE_PAIR;
    return secret || key ? PROBLEM_OK
                         : rest_fail(c, PROBLEM_STATE_CONFLICT, "/schemes",
                                     "the API takes a certificate alone, which the platform's "
                                     "own app has not; hand a report in: POST /service_reports");
}

enum problem probe_open(struct rest_call *c, struct store_txn *txn, const json_t *api,
                        struct probe *probe)
{
    char app_id[SERVICE_SETTING_MAX];
    enum probe_key kind = PROBE_SECRET;
    enum problem p = service_setting(c, txn, "probe-app", app_id);

    if (p == PROBLEM_OK && strcmp(app_id, "none") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the setting probe-app is none");
    }
    if (p == PROBLEM_OK) {
        p = key_kind(c, api, &kind);
    }
    if (p == PROBLEM_OK) { /* before the key: whose subscription it is decides its class */
        p = subscribe(c, txn, api, app_id);
    }
    return p == PROBLEM_OK ? probe_init(c, txn, app_id, c->ctl->cfg->gateway_url, kind, probe) : p;
}

static enum problem prepare(struct rest_call *c, struct store_txn *txn, struct testing *t)
{
    enum problem p = service_load(c, txn, &apis_resource, true, &t->api);
    const char *state = row_text(t->api, "state");

    if (p == PROBLEM_OK && strcmp(state, "test") != 0 && strcmp(state, "published") != 0 &&
        strcmp(state, "deprecated") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the API is %s; it is tested in state test",
                      state);
    }
    if (p == PROBLEM_OK) {
        p = probe_open(c, txn, t->api, &t->probe);
    }
    if (p == PROBLEM_OK) {
        p = probe_schema_load(c, txn, t->api, &t->schema);
    }
    if (p == PROBLEM_OK && row_text(t->api, "service_id")[0]) {
        p = api_load(c, txn, &services_resource, row_text(t->api, "service_id"), &t->service);
    }
    return p;
}

/* Nodes hear of the subscription within a second; the first calls are none of the test. */
static void wait_known(struct testing *t, const json_t *call)
{
    static const struct timespec pause = {.tv_nsec = 50000000};
    uint64_t until = clock_wall_ms() + KNOWN_MS;
    bool known = false;

    while (!known && clock_wall_ms() < until) {
        struct probe_answer a;
        send_call(t, call, PROBE_SIGNED, &a);
        const char *code = row_text(a.json, "code");
        known = strcmp(code, "route-unknown") != 0 && strcmp(code, "subscription-missing") != 0 &&
                strcmp(code, "credential-unknown") != 0;
        probe_answer_fini(&a);
        if (!known) {
            nanosleep(&pause, NULL);
        }
    }
}

static enum problem keep(struct rest_call *c, struct store_txn *txn, struct testing *t)
{
    enum problem p = PROBLEM_OK;

    for (int i = 0; i < 3 && p == PROBLEM_OK; i++) {
        p = report_keep(c, txn, t->api, kinds[i], t->passed[i], t->cases[i],
                        i == PERFORMANCE ? t->figures : NULL);
    }
    return p;
}

static json_t *told(const struct testing *t)
{
    json_t *reports = json_array();

    for (int i = 0; i < 3; i++) {
        json_array_append_new(reports,
                              json_pack("{s:s, s:s, s:O}", "kind", kinds[i], "result",
                                        t->passed[i] ? "passed" : "failed", "cases", t->cases[i]));
    }
    return json_pack("{s:b, s:o, s:O}", "passed", t->passed[0] && t->passed[1] && t->passed[2],
                     "reports", reports, "figures", t->figures);
}

static enum problem run(struct rest_call *c, struct testing *t)
{
    const json_t *calls = json_object_get(c->body, "calls"), *first = json_array_get(calls, 0);
    json_int_t repeat = json_integer_value(json_object_get(c->body, "repeat")),
               at_once = json_integer_value(json_object_get(c->body, "at_once"));
    struct store_txn *txn = NULL;

    wait_known(t, first);
    test_function(t, calls);
    test_safety(t, first);
    test_speed(t, first, repeat ? (size_t)repeat : REPEAT_DEFAULT,
               at_once ? (size_t)at_once : AT_ONCE_DEFAULT);
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, keep(c, txn, t));
    }
    return p == PROBLEM_OK ? rest_answer(c, 200, told(t)) : p;
}

static enum problem test(struct rest_call *c)
{
    struct testing t = {.cases = {json_array(), json_array(), json_array()},
                        .passed = {true, true, true}};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, prepare(c, txn, &t));
    }
    p = p == PROBLEM_OK ? run(c, &t) : p;
    probe_fini(&t.probe);
    probe_schema_fini(&t.schema);
    for (int i = 0; i < 3; i++) {
        json_decref(t.cases[i]);
    }
    json_decref(t.figures);
    json_decref(t.api);
    json_decref(t.service);
    return p;
}

/* One test at a time: two would measure each other, and each holds one of REST's threads. */
enum problem service_test(struct rest_call *c)
{
    static atomic_flag testing = ATOMIC_FLAG_INIT;
    enum problem p = check_body(c);

    if (p != PROBLEM_OK) {
        return p;
    }
    if (atomic_flag_test_and_set(&testing)) {
        return rest_fail(c, PROBLEM_CONCURRENCY_LIMITED, "", "another API is being tested");
    }
    p = test(c);
    atomic_flag_clear(&testing);
    return p;
}
