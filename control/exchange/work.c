/* SPDX-License-Identifier: Apache-2.0 */
/* What the data service is to do for a run, and the job that asks it, asks how it went, and keeps
 * what came of it. Asking is outside transactions; a run that the data service does not know, since
 * one of us died, is asked for again: under its id it is done once. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "data_client.h"
#include "exchange/exchange.h"

#define BATCH 20 /* tasks of one turn */

/* The work ---------------------------------------------------------------------------------------
 */
struct words { /* what stands for ${…} in a request */
    const char *since, *now, *run;
};

static void expand_into(struct buf *out, const char *text, const struct words *w, bool url)
{
    static const char safe[] = "-._~";

    while (*text) {
        const char *value = strncmp(text, "${since}", 8) == 0 ? w->since
                            : strncmp(text, "${now}", 6) == 0 ? w->now
                            : strncmp(text, "${run}", 6) == 0 ? w->run
                                                              : NULL;
        if (!value) {
            buf_addc(out, *text++);
            continue;
        }
        for (; *value; value++) {
            bool plain = (*value >= '0' && *value <= '9') || (*value >= 'a' && *value <= 'z') ||
                         (*value >= 'A' && *value <= 'Z') || strchr(safe, *value);
            if (plain || !url) {
                buf_addc(out, *value);
            } else {
                buf_addf(out, "%%%02X", (unsigned char)*value);
            }
        }
        text = strchr(text, '}') + 1;
    }
}

static json_t *expand(const char *text, const struct words *w, bool url)
{
    struct buf out;

    buf_init(&out);
    expand_into(&out, text, w, url);
    json_t *v = out.failed ? NULL : json_stringn(out.p ? out.p : "", out.n);
    buf_fini(&out);
    return v;
}

/* A copy with every text expanded; definitions are at most 32 deep (collections_resource). */
static json_t *expand_tree(const json_t *v, const struct words *w)
{
    const char *key;
    json_t *item, *out;
    size_t i;

    if (json_is_string(v)) {
        return expand(json_string_value(v), w, false);
    }
    if (json_is_object(v)) {
        out = json_object();
        json_object_foreach((json_t *)(uintptr_t)v, key, item)
        {
            json_object_set_new(out, key, expand_tree(item, w));
        }
        return out;
    }
    if (json_is_array(v)) {
        out = json_array();
        json_array_foreach(v, i, item)
        {
            json_array_append_new(out, expand_tree(item, w));
        }
        return out;
    }
    return json_deep_copy(v);
}

static void copy(json_t *to, const json_t *from, const char *const *members)
{
    for (size_t i = 0; members[i]; i++) {
        json_t *v = json_object_get(from, members[i]);
        if (v && !json_is_null(v)) {
            json_object_set(to, members[i], v);
        }
    }
}

static void seal_for_data(const struct rest_call *c, json_t *to, const json_t *node,
                          const char *column, const char *member)
{
    const char *sealed = row_text(node, column);

    if (sealed[0]) {
        json_object_set_new(to, member, api_reseal(c->ctl, row_text(node, "id"), sealed));
    }
}

static json_t *node_input(const struct rest_call *c, const json_t *input, const json_t *node,
                          const struct words *w)
{
    static const char *const as_they_are[] = {"method", "content_type", "timeout_ms", "records",
                                              "digest", "encryption",   "reply",      NULL};
    static const char *const of_node[] = {"ca",        "credential_header", "token_url",
                                          "client_id", "token_scope",       NULL};
    const char *kind = row_text(json_object_get(input, "encryption"), "kind");
    json_t *out = json_pack("{s:s, s:s, s:s, s:b}", "kind", "http", "sender",
                            row_text(node, "code"), "node_id", row_text(node, "id"), "private",
                            json_is_true(json_object_get(node, "private_address")));
    struct buf url;

    buf_init(&url);
    buf_adds(&url, row_text(node, "address"));
    expand_into(&url, row_text(input, "path"), w, true);
    json_object_set_new(out, "url", json_stringn(url.p ? url.p : "", url.n));
    buf_fini(&url);
    copy(out, input, as_they_are);
    copy(out, node, of_node);
    if (json_object_get(input, "body")) {
        json_object_set_new(out, "body", expand_tree(json_object_get(input, "body"), w));
    }
    if (json_object_get(input, "headers")) {
        json_object_set_new(out, "headers", expand_tree(json_object_get(input, "headers"), w));
    }
    seal_for_data(c, out, node, "credential_sealed", "credential_sealed");
    seal_for_data(c, out, node, strcmp(kind, "sm4-gcm") == 0 ? "shared_key_sealed" : "key_sealed",
                  "key_sealed");
    if (json_is_true(json_object_get(input, "seal"))) {
        json_object_set(out, "seal_to", json_object_get(node, "public_key"));
    }
    return out;
}

static enum problem add_node(struct rest_call *c, struct store_txn *txn, const json_t *input,
                             const struct words *w, json_t *list, char why[static 200])
{
    json_t *node = NULL;
    enum problem p =
        row_load(c, txn, &exchange_nodes_resource, row_text(input, "node_id"), false, &node);

    if (p == PROBLEM_OK && (!node || strcmp(row_text(node, "state"), "active") != 0)) {
        snprintf(why, 200, "the node is unknown or disabled");
    } else if (p == PROBLEM_OK && !row_text(node, "address")[0]) {
        snprintf(why, 200, "the node has no address");
    } else if (p == PROBLEM_OK) {
        json_array_append_new(list, node_input(c, input, node, w));
    }
    json_decref(node);
    return p;
}

static enum problem add_source(struct rest_call *c, struct store_txn *txn, const json_t *input,
                               json_t *list, char why[static 200])
{
    static const char *const as_they_are[] = {"schema", "table", "columns", "where", NULL};
    json_t *source = NULL;
    enum problem p =
        row_load(c, txn, &sources_resource, row_text(input, "source_id"), false, &source);

    if (p == PROBLEM_OK && (!source || strcmp(row_text(source, "state"), "ready") != 0)) {
        snprintf(why, 200, "the source is unknown or not ready");
    } else if (p == PROBLEM_OK) {
        json_t *from = exchange_source(c, source);
        json_t *out = json_pack("{s:s, s:s, s:o}", "kind", "source", "sender",
                                row_text(source, "name"), "source", from ? from : json_null());
        copy(out, input, as_they_are);
        json_array_append_new(list, out);
    }
    json_decref(source);
    return p;
}

enum problem exchange_outward(struct rest_call *c, struct store_txn *txn, const json_t *transfer,
                              json_t *job, char why[static 200])
{
    json_t *node = NULL, *input = json_object(), *send;
    const struct words w = {"", "", row_text(transfer, "id")};
    enum problem p =
        row_load(c, txn, &exchange_nodes_resource, row_text(transfer, "node_id"), false, &node);

    if (p == PROBLEM_OK && (!node || strcmp(row_text(node, "state"), "active") != 0)) {
        snprintf(why, 200, "the node is unknown or disabled");
    } else if (p == PROBLEM_OK) {
        json_object_set_new(input, "method", json_string("POST"));
        json_object_set_new(input, "path", json_string(row_text(transfer, "path")));
        json_object_set(input, "seal", json_object_get(transfer, "seal"));
        send = node_input(c, input, node, &w);
        json_object_set_new(send, "from", json_string(row_text(transfer, "operator")));
        json_object_set_new(job, "send", send);
    }
    json_decref(input);
    json_decref(node);
    return p;
}

enum problem collection_work(struct rest_call *c, struct store_txn *txn, const json_t *run,
                             json_t **job, char why[static 200])
{
    static const char *const as_they_are[] = {"columns", "standard", "rules", "mapping",
                                              "merge",   "mode",     NULL};
    json_t *collection = NULL, *list = json_array(), *input, *now = exchange_time(c->now_ms),
           *payload = json_object_get(run, "payload");
    size_t i;
    enum problem p =
        api_load(c, txn, &collections_resource, row_text(run, "collection_id"), &collection);
    const struct words w = {row_text(collection, "last_success_at"), json_string_value(now),
                            row_text(run, "id")};

    why[0] = '\0';
    if (json_is_object(payload)) {
        json_array_append_new(list, json_pack("{s:s, s:O, s:O}", "kind", "inline", "sender",
                                              json_object_get(payload, "sender"), "records",
                                              json_object_get(payload, "records")));
    } else {
        json_array_foreach(json_object_get(collection, "inputs"), i, input)
        {
            if (p == PROBLEM_OK && !why[0]) {
                p = row_text(input, "node_id")[0] ? add_node(c, txn, input, &w, list, why)
                                                  : add_source(c, txn, input, list, why);
            }
        }
    }
    if (p == PROBLEM_OK) {
        *job = json_pack("{s:s, s:s, s:s, s:O}", "run", row_text(run, "id"), "target",
                         row_text(collection, "target_id"), "table",
                         row_text(collection, "target_table"), "inputs", list);
        copy(*job, collection, as_they_are);
    }
    json_decref(collection);
    json_decref(list);
    json_decref(now);
    return p;
}

/* How it ended ----------------------------------------------------------------------------------
 */
static void take_report(json_t *row, const json_t *report)
{
    static const char *const counts[] = {"received", "accepted",  "duplicate",   "blank",
                                         "illegal",  "converted", "quarantined", "sm3",
                                         "code",     "detail",    NULL};

    copy(row, report, counts);
    if (row_text(report, "where")[0]) {
        json_object_set(row, "place", json_object_get(report, "where"));
    }
}

static enum problem success(struct rest_call *c, struct store_txn *txn, const json_t *run,
                            json_t *collection)
{
    json_t *old = json_deep_copy(collection);
    json_t *at = json_object_get(run, "started_at");

    json_object_set(collection, "last_success_at",
                    json_is_string(at) ? at : json_object_get(run, "created_at"));
    enum problem p = change_store(c, txn, &collections_resource, old, collection, "succeed");
    json_decref(old);
    return p;
}

static enum problem follow_run(struct rest_call *c, struct store_txn *txn, const json_t *row,
                               const json_t *report)
{
    json_t *collection = NULL;
    enum problem p =
        api_load(c, txn, &collections_resource, row_text(row, "collection_id"), &collection);
    json_t *to = json_pack("[s]", row_text(collection, "name"));

    if (p == PROBLEM_OK) {
        p = exchange_note(
            c, txn, strcmp(row_text(row, "cause"), "delivery") == 0 ? "delivery" : "collection",
            row, row_text(collection, "organisation_id"), to, report);
    }
    if (p == PROBLEM_OK && strcmp(row_text(row, "state"), "succeeded") == 0) {
        p = success(c, txn, row, collection);
    } else if (p == PROBLEM_OK) {
        p = exchange_alert(c, txn, "collection-failed", collection, row_text(row, "code"));
    }
    json_decref(to);
    json_decref(collection);
    return p;
}

static enum problem finish(struct rest_call *c, const struct resource *res, const char *id,
                           const json_t *report)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *old = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, res, id, &row);
    if (p == PROBLEM_OK) {
        old = json_deep_copy(row);
        take_report(row, report);
        json_object_set(row, "state", json_object_get(report, "outcome"));
        json_object_set_new(row, "ended_at", exchange_time(c->now_ms));
        if (res == &collection_runs_resource) {
            json_object_set_new(row, "payload", json_null());
        }
        p = change_store(c, txn, res, old, row, "finish");
    }
    if (p == PROBLEM_OK) {
        p = res == &collection_runs_resource ? follow_run(c, txn, row, report)
                                             : transfer_follow(c, txn, row, report);
    }
    p = rest_finish(c, &txn, p);
    json_decref(old);
    json_decref(row);
    return p;
}

/* The job ---------------------------------------------------------------------------------------
 */
static enum problem mark_running(struct rest_call *c, const struct resource *res, const char *id)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *old = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, res, id, &row);
    if (p == PROBLEM_OK && strcmp(row_text(row, "state"), "queued") == 0) {
        old = json_deep_copy(row);
        json_object_set_new(row, "state", json_string("running"));
        json_object_set_new(row, "started_at", exchange_time(c->now_ms));
        p = change_store(c, txn, res, old, row, "begin");
    }
    p = rest_finish(c, &txn, p);
    json_decref(old);
    json_decref(row);
    return p;
}

static enum problem build(struct rest_call *c, const struct resource *res, const char *id,
                          json_t **job, char why[static 200])
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, res, id, &row);
    if (p == PROBLEM_OK) {
        p = res == &collection_runs_resource ? collection_work(c, txn, row, job, why)
                                             : transfer_work(c, txn, row, job, why);
    }
    store_rollback(&txn);
    json_decref(row);
    return p;
}

static enum problem ask_for(struct rest_call *c, const struct resource *res, const char *id)
{
    json_t *job = NULL, *answer = NULL;
    char why[200] = "";
    enum problem p = build(c, res, id, &job, why);

    if (p == PROBLEM_OK && why[0]) {
        json_t *report = json_pack("{s:s, s:s, s:s, s:s}", "outcome", "refused", "code",
                                   "definition-invalid", "where", "", "detail", why);
        p = finish(c, res, id, report);
        json_decref(report);
    } else if (p == PROBLEM_OK) {
        p = mark_running(c, res, id);
        if (p == PROBLEM_OK) {
            p = data_client_post(c, "/internal/v1/collect/start", job, &answer);
        }
    }
    json_decref(answer);
    json_decref(job);
    return p;
}

static enum problem go_on(struct rest_call *c, const struct resource *res, const char *id,
                          const char *target)
{
    json_t *body = json_pack("{s:s, s:s}", "target", target, "run", id), *answer = NULL;
    enum problem p = data_client_post(c, "/internal/v1/collect/state", body, &answer);
    const char *state = row_text(answer, "state");

    if (p == PROBLEM_OK && strcmp(state, "unknown") == 0) {
        p = ask_for(c, res, id);
    } else if (p == PROBLEM_OK && strcmp(state, "done") == 0) {
        p = finish(c, res, id, json_object_get(answer, "report"));
    }
    json_decref(answer);
    json_decref(body);
    return p;
}

static enum problem open_tasks(struct rest_call *c, const char *sql, json_t *tasks)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, NULL, 0, &rows);
    while (err == STORE_OK && json_array_size(tasks) < BATCH && store_next(rows)) {
        json_array_append_new(
            tasks, json_pack("[s, s]", store_get_text(rows, 0), store_get_text(rows, 1)));
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    store_rollback(&txn);
    return rest_store_problem(c, err);
}

enum problem exchange_job(struct rest_call *c)
{
    static const struct {
        const struct resource *res;
        const char *sql;
    } kinds[] = {
        {&collection_runs_resource,
         "SELECT r.id, k.target_id FROM collection_runs r JOIN collections k ON k.id = "
         "r.collection_id WHERE r.state IN ('queued', 'running') ORDER BY r.created_at, r.id"},
        {&transfers_resource,
         "SELECT id, coalesce(target_id, id) FROM transfers WHERE state IN ('queued', "
         "'running') ORDER BY created_at, id"},
    };
    enum problem first = PROBLEM_OK;
    json_t *task;
    size_t i;

    for (size_t k = 0; k < COUNT(kinds); k++) {
        json_t *tasks = json_array();
        enum problem p = open_tasks(c, kinds[k].sql, tasks);
        json_array_foreach(tasks, i, task)
        {
            if (p != PROBLEM_OK) {
                break; /* without the data service none goes on */
            }
            p = go_on(c, kinds[k].res, json_string_value(json_array_get(task, 0)),
                      json_string_value(json_array_get(task, 1)));
        }
        first = first == PROBLEM_OK ? p : first;
        json_decref(tasks);
    }
    return first;
}
