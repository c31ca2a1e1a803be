/* SPDX-License-Identifier: Apache-2.0 */
/* A developer tries an API, or looks at the records their app was granted (SW-8.2c1-1, SW-8.1-r3):
 * the platform makes the call as the app would, signed with the app's own secret, through a
 * gateway. So it is decided, limited, masked and recorded as each of the app's calls, and no secret
 * comes to a browser. Who had it made stands in the log of operations. */
#include <stdatomic.h>
#include <stdio.h>

#include "api/api.h"
#include "services/probe.h"
#include "store/log.h"

#define TARGET_MAX 2000
#define AT_ONCE    3 /* each may hold one of REST's threads for as long as an upstream takes */

struct trial {
    struct probe probe;
    struct probe_answer answer;
    json_t *api;
    const char *app, *more,
        *grant; /* of the body; more: what follows the API's path, grant NULL: none */
};

static atomic_int running;

/* What may follow the path: a sub-path and a query, printable, not leading out of the API. */
static bool more_ok(const char *more)
{
    if (*more && *more != '/' && *more != '?') {
        return false;
    }
    size_t path_n = strcspn(more, "?");
    bool plain = strcspn(more, "\\%") >= path_n;
    for (size_t i = 0; plain && more[i]; i++) {
        plain = more[i] > 0x20 && more[i] < 0x7f && more[i] != '#' &&
                !(i < path_n && strncmp(more + i, "..", 2) == 0);
    }
    return plain;
}

static enum problem read_body(struct rest_call *c, struct trial *t)
{
    static const char *const members[] = {"app_id", "target", "grant_id", NULL};
    const json_t *target = json_object_get(c->body, "target"),
                 *grant = json_object_get(c->body, "grant_id");
    struct uuid id;
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        t->app = rest_body_text(c, "app_id", UUID_TEXT_LEN, &p);
    }
    if (p == PROBLEM_OK && !uuid_parse(&id, t->app, strlen(t->app))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id", "the id of an app is needed");
    }
    t->more = target ? json_string_value(target) : "";
    if (p == PROBLEM_OK && (!t->more || strlen(t->more) > TARGET_MAX || !more_ok(t->more))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/target",
                      "what follows the API's path: /… or ?…, percent-encoded, at most %d bytes",
                      TARGET_MAX);
    }
    t->grant = json_string_value(grant);
    if (p == PROBLEM_OK && grant && !json_is_null(grant) &&
        (!t->grant || !uuid_parse(&id, t->grant, strlen(t->grant)))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/grant_id", "the id of a grant is needed");
    }
    return p;
}

static enum problem note(struct rest_call *c, struct store_txn *txn, const struct trial *t)
{
    char after[80];
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login,
                                 .action = "try",
                                 .kind = "api",
                                 .id = row_text(t->api, "id"),
                                 .after = after};

    snprintf(after, sizeof after, "{\"app_id\":\"%s\"}", t->app);
    return rest_store_problem(c, log_operation(txn, &op));
}

static enum problem prepare(struct rest_call *c, struct store_txn *txn, struct trial *t)
{
    json_t *app = NULL;
    enum problem p = service_load(c, txn, &apis_resource, false, &t->api);

    if (p == PROBLEM_OK) {
        p = row_load(c, txn, &apps_resource, t->app, true, &app);
    }
    if (p == PROBLEM_OK && !app) {
        p = rest_fail(c, PROBLEM_NOT_FOUND, "/app_id", "there is no such app of yours");
    }
    if (p == PROBLEM_OK && !row_writable(c, txn, &apps_resource, t->app)) {
        p = PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK) {
        p = probe_init(c, txn, t->app, c->ctl->cfg->gateway_url, PROBE_SECRET, &t->probe);
    }
    json_decref(app);
    return p == PROBLEM_OK ? note(c, txn, t) : p;
}

static enum problem ask(struct rest_call *c, struct trial *t)
{
    char target[TARGET_MAX + 300];
    const struct probe_call call = {.method = "GET", .target = target, .grant = t->grant};

    t->probe.zh = c->zh;
    snprintf(target, sizeof target, "%.255s%s", row_text(t->api, "path"), t->more);
    probe_send(&t->probe, &call, PROBE_SIGNED, &t->answer);
    if (t->answer.status == 0) {
        return rest_fail(
            c, PROBLEM_UPSTREAM_UNAVAILABLE, "",
            "no gateway answered within 10 s and 1 MiB; its address is the setting gateway-url");
    }
    return rest_answer(c, 200,
                       json_pack("{s:i, s:s, s:s, s:i, s:O?}", "status", (int)t->answer.status,
                                 "target", target, "transaction_id", t->answer.transaction, "ms",
                                 (int)(t->answer.ms + 0.5), "body", t->answer.json));
}

static enum problem run(struct rest_call *c, struct trial *t)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, prepare(c, txn, t));
    }
    return p == PROBLEM_OK ? ask(c, t) : p;
}

enum problem service_try(struct rest_call *c)
{
    struct trial t = {0};
    enum problem p = read_body(c, &t);

    if (p == PROBLEM_OK && atomic_fetch_add(&running, 1) >= AT_ONCE) {
        p = rest_fail(c, PROBLEM_CONCURRENCY_LIMITED, "", "others are trying calls; try again");
        atomic_fetch_sub(&running, 1);
    } else if (p == PROBLEM_OK) {
        p = run(c, &t);
        atomic_fetch_sub(&running, 1);
    }
    probe_fini(&t.probe);
    probe_answer_fini(&t.answer);
    json_decref(t.api);
    return p;
}
