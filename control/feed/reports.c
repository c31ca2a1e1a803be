/* SPDX-License-Identifier: Apache-2.0 */
#include "feed/reports.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "consent/consent.h"
#include "crypto/key.h"
#include "lifecycle/lifecycle.h"
#include "sandbox/sandbox.h"

/* Told for the record; there is nothing left to do about them. */
static bool is_recovery(const char *kind)
{
    static const char *const recoveries[] = {"breaker-closed", "target-up", "redis-back"};

    for (size_t i = 0; i < COUNT(recoveries); i++) {
        if (strcmp(recoveries[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

static json_t *alert_row(const json_t *event, const char *node, uint64_t now_ms)
{
    static const char *const copied[] = {"kind",  "api_id",  "app_id", "credential_id", "limit_id",
                                         "owner", "address", "target", "count",         "reason"};
    char now[CLOCK_RFC3339_LEN + 1], at[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(now_ms, now);
    clock_format_ms((uint64_t)json_integer_value(json_object_get(event, "at")), at);
    json_t *row =
        json_pack("{s:O, s:s, s:i, s:s, s:s, s:s, s:s}", "id", json_object_get(event, "id"),
                  "state", is_recovery(row_text(event, "kind")) ? "closed" : "open", "revision", 1,
                  "created_at", now, "updated_at", now, "at", at, "node", node);
    for (size_t i = 0; i < COUNT(copied); i++) {
        json_t *v = json_object_get(event, copied[i]);
        json_object_set(row, copied[i], v ? v : json_null());
    }
    return row;
}

/* A node sends again what it was not told is stored, so each id is taken once. */
static enum problem store_event(struct rest_call *c, struct store_txn *txn, const json_t *event,
                                const char *node)
{
    const struct store_value v = store_text(row_text(event, "id"));
    struct store_rows *rows = NULL;

    if (strcmp(row_text(event, "kind"), "grant-used") == 0) {
        return grants_used(c, txn, row_text(event, "grant_id"),
                           (uint64_t)json_integer_value(json_object_get(event, "at")));
    }
    if (strcmp(row_text(event, "kind"), "sandbox-call") == 0) {
        return sandbox_call_store(c, txn, event, node);
    }
    if (strcmp(row_text(event, "kind"), "package-named") == 0) {
        bool theirs = true;
        enum problem p =
            app_has_package(c, txn, row_text(event, "app_id"), row_text(event, "target"), &theirs);
        if (p != PROBLEM_OK || theirs) {
            return p;
        }
    }
    enum store_err err = store_query(txn, "SELECT 1 FROM alerts WHERE id = ?", &v, 1, &rows);
    bool known = err == STORE_OK && store_next(rows);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    if (p != PROBLEM_OK || known) {
        return p;
    }
    json_t *row = alert_row(event, node, c->now_ms);
    if (strcmp(row_text(row, "kind"), "package-named") == 0) {
        json_object_set_new(row, "kind", json_string("suspected-transfer"));
    }
    p = row_insert(c, txn, &alerts_resource, row);
    json_decref(row);
    return p;
}

enum problem reports_keep_key(struct rest_call *c, struct store_txn *txn, const json_t *jwk,
                              const char *node)
{
    static const char sql[] =
        "INSERT INTO node_keys (thumbprint, node, jwk, \"use\", \"current\", first_at, last_at) "
        "VALUES (?, ?, ?, ?, 1, ?, ?) ON CONFLICT (node, thumbprint, \"use\") DO UPDATE SET "
        "jwk = excluded.jwk, \"current\" = 1, last_at = excluded.last_at";
    char *text = json_dumps(jwk, JSON_COMPACT | JSON_SORT_KEYS);
    struct crypto_key *key = NULL;
    enum problem p = PROBLEM_INTERNAL;

    if (text && crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, slice_str(text)) == CRYPTO_OK) {
        const struct store_value v[] = {store_text(crypto_key_id(key)),
                                        store_text(node),
                                        store_text(text),
                                        store_text(row_text(jwk, "use")),
                                        store_int((int64_t)c->now_ms),
                                        store_int((int64_t)c->now_ms)};
        p = rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL));
    }
    crypto_key_free(&key);
    free(text);
    return p;
}

static enum problem store_keys(struct rest_call *c, struct store_txn *txn, const json_t *report,
                               const char *node)
{
    const struct store_value v = store_text(node);
    json_t *jwk;
    size_t i;
    enum problem p = rest_store_problem(
        c, store_exec(txn, "UPDATE node_keys SET \"current\" = 0 WHERE node = ?", &v, 1, NULL));

    json_array_foreach(json_object_get(report, "keys"), i, jwk)
    {
        if (p == PROBLEM_OK) {
            p = reports_keep_key(c, txn, jwk, node);
        }
    }
    return p;
}

static enum problem store_report(struct rest_call *c, const json_t *report, bool keys)
{
    const char *node = row_text(report, "node");
    struct store_txn *txn = NULL;
    json_t *event;
    size_t i;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    json_array_foreach(json_object_get(report, "events"), i, event)
    {
        if (p == PROBLEM_OK) {
            p = store_event(c, txn, event, node);
        }
    }
    if (p == PROBLEM_OK && keys) {
        p = store_keys(c, txn, report, node);
    }
    if (p == PROBLEM_OK && json_object_get(report, "usage")) {
        p = uses_store(c, txn, node, json_object_get(report, "usage"));
    }
    return rest_finish(c, &txn, p);
}

enum problem reports_take(struct control *ctl, struct slice body, size_t *accepted,
                          char why[static REPORTS_WHY_MAX])
{
    struct rest_request req = {0};
    struct rest_call c = {.ctl = ctl, .req = &req, .now_ms = clock_wall_ms()};
    enum problem p = PROBLEM_OK;

    why[0] = '\0';
    if (body.n > REPORTS_BODY_MAX) {
        return PROBLEM_BODY_TOO_LARGE;
    }
    json_t *report = reports_read(body, why);
    if (!report) {
        return PROBLEM_BODY_MALFORMED;
    }
    size_t n = json_array_size(json_object_get(report, "events"));
    bool keys = !live_same_keys(ctl->live, report, c.now_ms);
    if (n > 0 || keys || json_object_get(report, "usage")) {
        p = store_report(&c, report, keys);
    }
    if (p != PROBLEM_OK) {
        json_decref(report);
        return p;
    }
    *accepted = n;
    json_object_del(report, "events");
    json_object_del(report, "usage");
    live_put(ctl->live, report, c.now_ms);
    return PROBLEM_OK;
}
