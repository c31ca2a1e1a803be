/* SPDX-License-Identifier: Apache-2.0 */
/* The platform tests an API before it is opened (SW-7d4 to -7d7): its own app calls it through a
 * gateway as anybody's would. Three reports come of it: does it do what was asked, is it safe, is
 * it as fast as its service promises. */
#include "services/probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"

#define CALLS_MAX      50
#define TARGET_MAX     1000
#define REPEAT_DEFAULT 20
#define REPEAT_MAX     500
#define LONGEST_MS     20000 /* of the whole performance test */
#define KNOWN_MS       8000  /* until the nodes have heard of the app's subscription */

struct testing {
    struct probe probe;
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
static enum problem check_call(struct rest_call *c, const json_t *call, size_t i)
{
    static const char *const members[] = {"target", "status", "fields", "grant", NULL};
    const json_t *target = json_object_get(call, "target"), *f;
    struct uuid id;
    const char *grant = row_text(call, "grant");
    char where[40];
    bool ok = json_is_object(call) && api_only_members(call, members) &&
              (!target || (json_is_string(target) && json_string_length(target) <= TARGET_MAX)) &&
              (!grant[0] || uuid_parse(&id, grant, strlen(grant)));
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
              : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "target (what follows the path), status, fields and grant are taken");
}

static enum problem check_body(struct rest_call *c)
{
    static const char *const members[] = {"calls", "repeat", NULL};
    const json_t *calls = json_object_get(c->body, "calls"),
                 *repeat = json_object_get(c->body, "repeat");
    json_t *call;
    size_t i;
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK && (!json_is_array(calls) || json_array_size(calls) < 1 ||
                            json_array_size(calls) > CALLS_MAX)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/calls", "1 to 50 calls are needed");
    }
    if (p == PROBLEM_OK && repeat && !api_int_within(repeat, 1, REPEAT_MAX)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/repeat", "1 to 500 is needed");
    }
    json_array_foreach(calls, i, call)
    {
        p = p == PROBLEM_OK ? check_call(c, call, i) : p;
    }
    return p;
}

static void target_of(const struct testing *t, const json_t *call, char out[static 1400])
{
    snprintf(out, 1400, "%.255s%s", row_text(t->api, "path"), row_text(call, "target"));
}

static const char *grant_of(const json_t *call)
{
    return row_text(call, "grant")[0] ? row_text(call, "grant") : NULL;
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

static void test_function(struct testing *t, const json_t *calls)
{
    json_t *call, *f;
    size_t i, k;
    char target[1400], note[200];

    json_array_foreach(calls, i, call)
    {
        struct probe_answer a;
        json_int_t wanted = json_integer_value(json_object_get(call, "status"));
        target_of(t, call, target);
        probe_get(&t->probe, target, grant_of(call), PROBE_SIGNED, &a);
        snprintf(note, sizeof note, "status %ld, %.120s", a.status, row_text(a.json, "code"));
        add_case(t, FUNCTIONAL, a.status == (wanted ? (long)wanted : 200), "status", note);
        add_case(t, FUNCTIONAL, a.json != NULL, "json", "the answer is JSON");
        json_array_foreach(json_object_get(call, "fields"), k, f)
        {
            snprintf(note, sizeof note, "%.150s", json_string_value(f));
            add_case(t, FUNCTIONAL, has(a.json, json_string_value(f)), "field", note);
        }
        json_decref(a.json);
    }
}

/* Safety -----------------------------------------------------------------------------------------
 */
static bool declared(const json_t *fields, const char *path)
{
    json_t *f;
    size_t i, n = strlen(path);

    json_array_foreach(fields, i, f)
    {
        json_int_t level = json_integer_value(json_object_get(f, "level"));
        const char *names[] = {row_text(f, "path"), row_text(f, "name")};
        for (size_t k = 0; k < 2; k++) {
            if (level >= 1 && level <= 3 &&
                (strcmp(names[k], path) == 0 ||
                 (strncmp(names[k], path, n) == 0 && names[k][n] == '.'))) {
                return true;
            }
        }
    }
    return false;
}

/* Every member of the answer is a declared field or leads to one; all: so far. */
static bool only_declared(const json_t *fields, const json_t *v, const char *path, int depth)
{
    const char *key;
    json_t *member;
    size_t i;
    char inner[300];
    bool all = depth < 32;

    json_array_foreach(v, i, member)
    {
        all = all && only_declared(fields, member, path, depth + 1);
    }
    json_object_foreach((json_t *)v, key, member)
    {
        snprintf(inner, sizeof inner, "%s%s%s", path, path[0] ? "." : "", key);
        all = all && declared(fields, inner) && only_declared(fields, member, inner, depth + 1);
    }
    return all;
}

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

static void test_safety(struct testing *t, const json_t *call)
{
    const json_t *fields = json_object_get(t->api, "fields");
    struct probe_answer a;
    char target[1400];

    target_of(t, call, target);
    probe_get(&t->probe, target, grant_of(call), PROBE_UNSIGNED, &a);
    add_case(t, SECURITY, a.status == 401, "authentication", "a call without proof is refused");
    json_decref(a.json);
    probe_get(&t->probe, target, grant_of(call), PROBE_FORGED, &a);
    add_case(t, SECURITY, a.status == 401, "authentication", "a forged signature is refused");
    json_decref(a.json);
    probe_get(&t->probe, target, grant_of(call), PROBE_SIGNED, &a);
    add_case(t, SECURITY, a.status == 200 && only_declared(fields, a.json, "", 0), "level",
             "nothing but declared fields up to level 3 leaves");
    json_decref(a.json);
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

static void judge(struct testing *t, double p95, double rate, json_int_t failed)
{
    json_int_t within = json_integer_value(json_object_get(t->service, "response_ms"));
    json_int_t wanted = json_integer_value(json_object_get(t->service, "throughput"));
    char note[120];

    snprintf(note, sizeof note, "95 of 100 within %.1f ms; promised %d", p95, (int)within);
    add_case(t, PERFORMANCE, !within || p95 <= (double)within, "response-time", note);
    snprintf(note, sizeof note, "%.1f a second, one after the other; promised %d", rate,
             (int)wanted);
    add_case(t, PERFORMANCE, !wanted || rate >= (double)wanted, "throughput", note);
    snprintf(note, sizeof note, "%d of 1000 failed", (int)failed);
    add_case(t, PERFORMANCE, failed == 0, "availability", note);
}

static void test_speed(struct testing *t, const json_t *call, size_t repeat)
{
    double ms[REPEAT_MAX] = {0}, began = (double)clock_wall_ms();
    size_t n = 0, failed = 0;
    char target[1400];

    target_of(t, call, target);
    for (; n < repeat && (double)clock_wall_ms() - began < LONGEST_MS; n++) {
        struct probe_answer a;
        probe_get(&t->probe, target, grant_of(call), PROBE_SIGNED, &a);
        ms[n] = a.status ? a.ms : LONGEST_MS;
        failed += a.status != 200;
        json_decref(a.json);
    }
    double took = (double)clock_wall_ms() - began;
    qsort(ms, n, sizeof *ms, by_ms);
    double p95 = ms[(n * 95 + 99) / 100 - 1], rate = 1000.0 * (double)n / (took > 1 ? took : 1);
    json_int_t permille = (json_int_t)((failed * 1000 + n - 1) / n);
    t->figures = json_pack("{s:I, s:I, s:I, s:I, s:I}", "calls", (json_int_t)n, "p50_ms",
                           (json_int_t)(ms[n / 2] + 0.5), "p95_ms", (json_int_t)(p95 + 0.999),
                           "per_second", (json_int_t)rate, "failed_permille", permille);
    judge(t, p95, rate, permille);
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
    json_object_set_new(row, "max_level", json_integer(3));
    p = change_store(c, txn, &subscriptions_resource, NULL, row, "carry");
    json_decref(row);
    return p;
}

static enum problem prepare(struct rest_call *c, struct store_txn *txn, struct testing *t)
{
    char app_id[SERVICE_SETTING_MAX];
    enum problem p = service_load(c, txn, &apis_resource, true, &t->api);
    const char *state = row_text(t->api, "state");

    if (p == PROBLEM_OK && strcmp(state, "test") != 0 && strcmp(state, "published") != 0 &&
        strcmp(state, "deprecated") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the API is %s; it is tested in state test",
                      state);
    }
    if (p == PROBLEM_OK) {
        p = service_setting(c, txn, "probe-app", app_id);
    }
    if (p == PROBLEM_OK && strcmp(app_id, "none") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the setting probe-app is none");
    }
    if (p == PROBLEM_OK) {
        p = probe_init(c, txn, app_id, NULL, &t->probe);
    }
    if (p == PROBLEM_OK) {
        p = subscribe(c, txn, t->api, app_id);
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
    char target[1400];
    bool known = false;

    target_of(t, call, target);
    while (!known && clock_wall_ms() < until) {
        struct probe_answer a;
        probe_get(&t->probe, target, grant_of(call), PROBE_SIGNED, &a);
        const char *code = row_text(a.json, "code");
        known = strcmp(code, "route-unknown") != 0 && strcmp(code, "subscription-missing") != 0 &&
                strcmp(code, "credential-unknown") != 0;
        json_decref(a.json);
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
    json_int_t repeat = json_integer_value(json_object_get(c->body, "repeat"));
    struct store_txn *txn = NULL;

    wait_known(t, first);
    test_function(t, calls);
    test_safety(t, first);
    test_speed(t, first, repeat ? (size_t)repeat : REPEAT_DEFAULT);
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, keep(c, txn, t));
    }
    return p == PROBLEM_OK ? rest_answer(c, 200, told(t)) : p;
}

enum problem service_test(struct rest_call *c)
{
    struct testing t = {.cases = {json_array(), json_array(), json_array()},
                        .passed = {true, true, true}};
    struct store_txn *txn = NULL;
    enum problem p = check_body(c);

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, prepare(c, txn, &t));
    }
    p = p == PROBLEM_OK ? run(c, &t) : p;
    probe_fini(&t.probe);
    for (int i = 0; i < 3; i++) {
        json_decref(t.cases[i]);
    }
    json_decref(t.figures);
    json_decref(t.api);
    json_decref(t.service);
    return p;
}
