/* SPDX-License-Identifier: Apache-2.0 */
/* A developer tries an API, or looks at the records their app was granted (SW-8.2c1-1, SW-8.1-r3):
 * the platform makes the call as the app would, signed with the app's own secret, through a
 * gateway. So it is decided, limited, masked and recorded as each of the app's calls, and no secret
 * comes to a browser. Where an API wants a key's signature the developer's side signs: first it is
 * told the signature base, then it sends the call with the signature; the key stays where it is.
 * Who had it made stands in the log of operations. */
#include <stdatomic.h>
#include <stdio.h>

#include "admission/gate.h"
#include "api/api.h"
#include "httpsig/httpsig.h"
#include "services/probe.h"
#include "store/log.h"

#define TARGET_MAX  2000
#define CONTENT_MAX 65536
#define PURPOSE_MAX 255
#define AT_ONCE     3 /* each may hold one of REST's threads for as long as an upstream takes */

struct trial {
    struct probe probe;
    struct probe_answer answer;
    json_t *api;
    const char *app, *more, *method, *key; /* of the body; more: what follows the API's path; key: a
                                              credential that signs elsewhere, NULL: none */
    char alg[HTTPSIG_ALG_MAX + 1];         /* the key's */
    char *purpose;                         /* percent-encoded */
    char version[APP_VERSION_MAX + 1];     /* of an app whose calls say it */
    bool live;                             /* the caller knows that it writes in earnest */
    char target[TARGET_MAX + 300];         /* path and more */
    struct probe_call q;
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

static bool among(const char *const *list, const char *text)
{
    for (size_t i = 0; list[i]; i++) {
        if (strcmp(list[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static enum problem read_id(struct rest_call *c, const char *name, const char **id)
{
    const json_t *v = json_object_get(c->body, name);
    char where[24];
    struct uuid u;

    *id = json_string_value(v);
    snprintf(where, sizeof where, "/%s", name);
    return v && !json_is_null(v) && (!*id || !uuid_parse(&u, *id, strlen(*id)))
               ? rest_fail(c, PROBLEM_FIELD_INVALID, where, "an id is needed")
               : PROBLEM_OK;
}

static enum problem read_target(struct rest_call *c, struct trial *t)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};
    const json_t *target = json_object_get(c->body, "target"),
                 *method = json_object_get(c->body, "method");

    t->more = target ? json_string_value(target) : "";
    if (!t->more || strlen(t->more) > TARGET_MAX || !more_ok(t->more)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/target",
                         "what follows the API's path: /… or ?…, percent-encoded, at most %d bytes",
                         TARGET_MAX);
    }
    t->method = method ? json_string_value(method) : "GET";
    return t->method && among(methods, t->method)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/method",
                           "GET, POST, PUT, PATCH or DELETE is needed");
}

static enum problem read_content(struct rest_call *c, struct trial *t)
{
    static const char *const types[] = {"application/json", "application/xml", "text/xml",
                                        "application/x-www-form-urlencoded", NULL};
    const json_t *content = json_object_get(c->body, "content"),
                 *type = json_object_get(c->body, "content_type");

    if (!content) {
        return type ? rest_fail(c, PROBLEM_FIELD_INVALID, "/content_type", "there is no content")
                    : PROBLEM_OK;
    }
    if (!json_is_string(content) || json_string_length(content) > CONTENT_MAX ||
        strcmp(t->method, "GET") == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/content",
                         "a text of at most %d bytes, of a method that has a body", CONTENT_MAX);
    }
    t->q.content_type = type ? json_string_value(type) : types[0];
    if (!t->q.content_type || !among(types, t->q.content_type)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/content_type",
                         "JSON, XML or a form (application/x-www-form-urlencoded) is sent");
    }
    t->q.body = json_string_value(content);
    return PROBLEM_OK;
}

static enum problem read_purpose(struct rest_call *c, struct trial *t)
{
    const json_t *v = json_object_get(c->body, "purpose");
    enum problem p = v ? attr_text_check(c, "/purpose", v, 1, PURPOSE_MAX, false) : PROBLEM_OK;

    if (p == PROBLEM_OK && v) {
        t->purpose = curl_easy_escape(NULL, json_string_value(v), (int)json_string_length(v));
        p = t->purpose ? PROBLEM_OK : PROBLEM_INTERNAL;
    }
    t->q.purpose = t->purpose;
    return p;
}

/* Both or none, and by the key that is named: whose call it is, stands in the log. */
static enum problem read_signature(struct rest_call *c, struct trial *t)
{
    const char *input = json_string_value(json_object_get(c->body, "signature_input")),
               *signature = json_string_value(json_object_get(c->body, "signature"));
    struct httpsig sig;
    size_t bad = 0;

    if (!json_object_get(c->body, "signature_input") && !json_object_get(c->body, "signature")) {
        return PROBLEM_OK;
    }
    if (!t->key || !input || !signature || strlen(input) >= PROBE_HEADER_MAX ||
        strlen(signature) >= PROBE_HEADER_MAX ||
        httpsig_parse(&sig, slice_str(input), slice_str(signature), &bad) != HTTPSIG_OK ||
        !slice_eq(sig.keyid, slice_str(t->key))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/signature",
                         "signature_input as it was given, and signature as sig1=:base64:, by the "
                         "key of credential_id");
    }
    t->q.input = input;
    t->q.signature = signature;
    return PROBLEM_OK;
}

static enum problem read_body(struct rest_call *c, struct trial *t)
{
    static const char *const members[] = {
        "app_id",  "target",        "grant_id", "method",          "content",   "content_type",
        "purpose", "credential_id", "live",     "signature_input", "signature", NULL};
    const json_t *live = json_object_get(c->body, "live");
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        p = read_id(c, "app_id", &t->app);
    }
    if (p == PROBLEM_OK && !t->app) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id", "the id of an app is needed");
    }
    p = p == PROBLEM_OK ? read_target(c, t) : p;
    p = p == PROBLEM_OK ? read_id(c, "grant_id", &t->q.grant) : p;
    p = p == PROBLEM_OK ? read_id(c, "credential_id", &t->key) : p;
    p = p == PROBLEM_OK ? read_content(c, t) : p;
    p = p == PROBLEM_OK ? read_purpose(c, t) : p;
    p = p == PROBLEM_OK ? read_signature(c, t) : p;
    if (p == PROBLEM_OK && live && !json_is_boolean(live)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/live", "true or false is needed");
    }
    t->live = json_is_true(live);
    return p;
}

static enum problem note(struct rest_call *c, struct store_txn *txn, const struct trial *t)
{
    char after[120];
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login,
                                 .action = "try",
                                 .kind = "api",
                                 .id = row_text(t->api, "id"),
                                 .after = after};

    snprintf(after, sizeof after, "{\"app_id\":\"%s\",\"method\":\"%s\"}", t->app, t->method);
    return rest_store_problem(c, log_operation(txn, &op));
}

/* A try that would write is one only for an app in its test stage, whose calls reach nobody's
 * data; of a live app it is a write, and whoever makes it has to say that they know. */
static enum problem check_write(struct rest_call *c, const struct trial *t, const json_t *app)
{
    bool asks = strcmp(t->method, "GET") == 0 ||
                (strcmp(t->method, "POST") == 0 && json_is_true(json_object_get(t->api, "query")));

    return !asks && !t->live && strcmp(row_text(app, "state"), "testing") != 0
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "/live",
                           "the app is not in its test stage: this call writes in earnest; live: "
                           "true says that this is meant")
               : PROBLEM_OK;
}

/* The key has to be the app's and to sign; whether it still counts, the gateway says. */
static enum problem load_key(struct rest_call *c, struct store_txn *txn, struct trial *t)
{
    const struct store_value v[] = {store_text(t->key), store_text(t->app)};
    json_t *rows = NULL;
    enum problem p = services_rows(c, txn,
                                   "SELECT algorithm FROM credentials WHERE id = ? AND app_id = ? "
                                   "AND algorithm IN ('sm2-sm3', 'ecdsa-p256-sha256', "
                                   "'rsa-pss-sha512')",
                                   v, COUNT(v), "algorithm:t", &rows);

    snprintf(t->alg, sizeof t->alg, "%s", row_text(json_array_get(rows, 0), "algorithm"));
    json_decref(rows);
    return p == PROBLEM_OK && !t->alg[0]
               ? rest_fail(c, PROBLEM_NOT_FOUND, "/credential_id", "the app has no such key")
               : p;
}

static enum problem prepare(struct rest_call *c, struct store_txn *txn, struct trial *t)
{
    json_t *app = NULL;
    const char *gateway = c->ctl->cfg->gateway_url;
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
    p = p == PROBLEM_OK ? check_write(c, t, app) : p;
    if (p == PROBLEM_OK && json_is_true(json_object_get(app, "states_version"))) {
        p = app_version_live(c, txn, t->app, t->version);
        t->q.version = t->version[0] ? t->version : NULL;
    }
    p = p == PROBLEM_OK && t->key ? load_key(c, txn, t) : p;
    if (p == PROBLEM_OK) {
        p = probe_init(c, txn, t->app, gateway, t->key ? PROBE_ELSEWHERE : PROBE_SECRET, &t->probe);
    }
    json_decref(app);
    return p == PROBLEM_OK && !(t->key && !t->q.input) ? note(c, txn, t) : p;
}

/* What the app's key is to sign, in place of the call. */
static enum problem answer_base(struct rest_call *c, struct trial *t)
{
    struct probe_request request = {0};
    char base[PROBE_BASE_MAX];

    if (t->q.body) {
        probe_digest(&t->q, &request);
    }
    if (!probe_base(&t->probe, &t->q, t->key, t->alg, &request, base)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/target", "it is too long to be signed");
    }
    return rest_answer(c, 200,
                       json_pack("{s:{s:s, s:s, s:s}}", "sign", "signature_input", request.input,
                                 "base", base, "algorithm", t->alg));
}

static enum problem ask(struct rest_call *c, struct trial *t)
{
    t->probe.zh = c->zh;
    snprintf(t->target, sizeof t->target, "%.255s%s", row_text(t->api, "path"), t->more);
    t->q.method = t->method;
    t->q.target = t->target;
    if (t->key && !t->q.input) {
        return answer_base(c, t);
    }
    probe_send(&t->probe, &t->q, PROBE_SIGNED, &t->answer);
    if (t->answer.status == 0) {
        return rest_fail(
            c, PROBLEM_UPSTREAM_UNAVAILABLE, "",
            "no gateway answered within 10 s and 1 MiB; its address is the setting gateway-url");
    }
    return rest_answer(c, 200,
                       json_pack("{s:i, s:s, s:s, s:i, s:O?}", "status", (int)t->answer.status,
                                 "target", t->target, "transaction_id", t->answer.transaction, "ms",
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
    struct trial t = {.method = ""};
    enum problem p = read_body(c, &t);

    if (p == PROBLEM_OK && atomic_fetch_add(&running, 1) >= AT_ONCE) {
        p = rest_fail(c, PROBLEM_CONCURRENCY_LIMITED, "", "others are trying calls; try again");
        atomic_fetch_sub(&running, 1);
    } else if (p == PROBLEM_OK) {
        p = run(c, &t);
        atomic_fetch_sub(&running, 1);
    }
    probe_fini(&t.probe);
    curl_free(t.purpose);
    probe_answer_fini(&t.answer);
    json_decref(t.api);
    return p;
}
