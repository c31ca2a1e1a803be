/* SPDX-License-Identifier: Apache-2.0 */
/* The data service makes exports and knows how far each is; here is their history. Changes are
 * asked for oldest first, and the place reached is kept in the transaction that keeps them: killed
 * between two turns nothing is lost, and what is told twice is the same row. */
#include "admission/terms.h"
#include "api/api.h"
#include "batch/batch.h"
#include "data_client.h"
#include "feed/reports.h"
#include "notices/notices.h"
#include "sandbox/stage.h"
#include "services/services.h"

#define KEY_PERIOD_MS (3600 * 1000ull)
#define TURN_MAX      50 /* of operators' exports handed on at once */

static enum problem place(struct rest_call *c, struct store_txn *txn, int64_t *after)
{
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn, "SELECT after_ms FROM export_cursor WHERE one = 1", NULL, 0, &rows);

    *after = 0;
    if (err == STORE_OK && store_next(rows)) {
        *after = store_get_int(rows, 0);
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    return rest_store_problem(c, err);
}

static void copy_members(json_t *row, const json_t *told)
{
    static const struct {
        const char *row, *told;
    } members[] = {{"api_id", "api_id"},           {"app_id", "app_id"},
                   {"grant_id", "grant_id"},       {"owner", "owner"},
                   {"format", "format"},           {"compression", "compression"},
                   {"fields", "fields"},           {"sm3", "sm3"},
                   {"finished_at", "finished_at"}, {"expires_at", "expires_at"}};
    const json_t *progress = json_object_get(told, "progress");
    const json_t *incremental = json_object_get(told, "incremental");
    const char *cursor = row_text(incremental, "cursor");

    for (size_t i = 0; i < COUNT(members); i++) {
        json_t *v = json_object_get(told, members[i].told);
        json_object_set(row, members[i].row, v ? v : json_null());
    }
    if (!row_text(row, "owner")[0]) {
        json_object_set_new(row, "owner", json_null());
    }
    json_object_set(row, "rows", json_object_get(progress, "rows"));
    json_object_set(row, "bytes", json_object_get(progress, "bytes"));
    json_object_set_new(row, "cursor", cursor[0] ? json_string(cursor) : json_null());
    json_object_set(row, "error", json_object_get(json_object_get(told, "error"), "code"));
}

static json_t *fresh(const json_t *told)
{
    json_t *row = resource_row(&exports_resource);

    json_object_set(row, "id", json_object_get(told, "id"));
    return row;
}

/* With the versions of the rules that are in force now: those the file is being made by. */
static enum problem note_rules(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *used = NULL;
    enum problem p = mask_rules_used(c, txn, json_object_get(row, "fields"), &used);

    if (p == PROBLEM_OK) {
        json_object_set_new(row, "rules", used);
    }
    return p;
}

static enum problem tell_side(struct rest_call *c, struct store_txn *txn, const char *sql,
                              const json_t *row, const char *of)
{
    const struct store_value v = store_text(row_text(row, of));
    json_t *rows = NULL;
    enum problem p = services_rows(c, txn, sql, &v, 1, "organisation_id:t name:t", &rows);
    const json_t *side = json_array_get(rows, 0);
    const struct notice n = {.kind = "format-not-agreed",
                             .organisation_id = row_text(side, "organisation_id"),
                             .object_kind = "export",
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(side, "name"),
                             .detail = row_text(row, "format")};

    if (p == PROBLEM_OK && side) {
        p = notice_put(c, txn, &n);
    }
    json_decref(rows);
    return p;
}

/* A file in a format that the agreement does not name (CI-6.1.4d) is marked here and erased at the
 * next turn; both sides hear of it. */
static enum problem look_at_format(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    bool agreed = true;
    enum problem p = terms_format_agreed(c, txn, row_text(row, "app_id"), row_text(row, "api_id"),
                                         row_text(row, "format"), &agreed);

    json_object_set_new(row, "departs", json_boolean(!agreed));
    if (p == PROBLEM_OK && !agreed) {
        p = tell_side(c, txn, "SELECT organisation_id, name FROM apps WHERE id = ?", row, "app_id");
    }
    if (p == PROBLEM_OK && !agreed) {
        p = tell_side(c, txn, "SELECT organisation_id, name FROM apis WHERE id = ?", row, "api_id");
    }
    return p;
}

static enum problem note_erased(struct rest_call *c, const char *id)
{
    struct store_txn *txn = NULL;
    json_t *old = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &exports_resource, id, false, &old);
    if (p == PROBLEM_OK && old) {
        json_t *row = json_deep_copy(old);
        json_object_set_new(row, "state", json_string("erased"));
        p = change_store(c, txn, &exports_resource, old, row, "erase");
        json_decref(row);
    }
    json_decref(old);
    return rest_finish(c, &txn, p);
}

static enum problem erase_departing(struct rest_call *c, const char *id, void *arg)
{
    json_t *body = json_pack("{s:s}", "id", id), *answer = NULL;
    enum problem p = data_client_post(c, "/internal/v1/exports/erase", body, &answer);

    (void)arg;
    json_decref(body);
    json_decref(answer);
    return p == PROBLEM_OK || p == PROBLEM_NOT_FOUND ? note_erased(c, id) : p;
}

static enum problem keep(struct rest_call *c, struct store_txn *txn, const json_t *told)
{
    json_t *old = NULL, *row = NULL;
    const char *state = row_text(told, "state");
    enum problem p = row_load(c, txn, &exports_resource, row_text(told, "id"), false, &old);

    if (p != PROBLEM_OK) {
        return p;
    }
    row = old ? json_deep_copy(old) : fresh(told);
    copy_members(row, told);
    if (!json_is_array(json_object_get(row, "rules"))) {
        p = note_rules(c, txn, row);
    }
    json_object_set_new(row, "state", json_string(state));
    bool news = !old || strcmp(row_text(old, "state"), state) != 0;
    if (p == PROBLEM_OK && !old && row_text(row, "app_id")[0]) {
        p = look_at_format(c, txn, row);
    }
    if (p == PROBLEM_OK && news) {
        p = change_store(c, txn, &exports_resource, old, row, old ? "follow" : "create");
    }
    json_decref(old);
    json_decref(row);
    return p;
}

static enum problem keep_all(struct rest_call *c, const json_t *answer)
{
    const struct store_value at =
        store_int(json_integer_value(json_object_get(answer, "after_ms")));
    struct store_txn *txn = NULL;
    json_t *told;
    size_t i;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    json_array_foreach(json_object_get(answer, "items"), i, told)
    {
        p = p == PROBLEM_OK ? keep(c, txn, told) : p;
    }
    if (p == PROBLEM_OK) {
        p = rest_store_problem(
            c, store_exec(txn, "UPDATE export_cursor SET after_ms = ?", &at, 1, NULL));
    }
    return rest_finish(c, &txn, p);
}

/* What manifests are signed with is among the platform's keys before anybody has one. Asked for
 * now and then by this process, which one thread runs jobs of. */
static enum problem keep_key(struct rest_call *c)
{
    static uint64_t kept_ms;
    bool kept = kept_ms && c->now_ms - kept_ms < KEY_PERIOD_MS;
    struct store_txn *txn = NULL;
    json_t *body = json_object(), *answer = NULL;
    enum problem p =
        kept ? PROBLEM_OK : data_client_post(c, "/internal/v1/exports/key", body, &answer);

    json_decref(body);
    if (kept || p != PROBLEM_OK) {
        return p;
    }
    p = rest_begin(c, STORE_WRITE, &txn);
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn,
                        reports_keep_key(c, txn, json_object_get(answer, "key"), "data service"));
    }
    json_decref(answer);
    p = p == PROBLEM_OK ? packages_keep_key(c) : p;
    kept_ms = p == PROBLEM_OK ? c->now_ms : 0;
    return p;
}

static enum problem follow(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *body = NULL, *answer = NULL;
    int64_t after = 0;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = place(c, txn, &after);
    store_rollback(&txn);
    body = json_pack("{s:I}", "after_ms", (json_int_t)after);
    p = p == PROBLEM_OK ? data_client_post(c, "/internal/v1/exports/changes", body, &answer) : p;
    if (p == PROBLEM_OK && json_array_size(json_object_get(answer, "items"))) {
        p = keep_all(c, answer);
    }
    json_decref(body);
    json_decref(answer);
    return p;
}

/* Handing on what operators asked for ------------------------------------------------------------
 */

static enum problem waiting(struct rest_call *c, json_t *list)
{
    static const char sql[] =
        "SELECT id FROM exports WHERE state = 'requested' ORDER BY created_at";
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    json_t *ids = json_array(), *id, *row;
    size_t i;
    enum store_err err = store_query(txn, sql, NULL, 0, &rows);
    while (err == STORE_OK && json_array_size(ids) < TURN_MAX && store_next(rows)) {
        json_array_append_new(ids, json_string(store_get_text(rows, 0)));
    }
    err = err == STORE_OK ? store_rows_end(&rows) : err;
    p = rest_store_problem(c, err);
    json_array_foreach(ids, i, id)
    {
        row = NULL;
        p = p == PROBLEM_OK
                ? row_load(c, txn, &exports_resource, json_string_value(id), false, &row)
                : p;
        if (row) {
            json_array_append_new(list, row);
        }
    }
    json_decref(ids);
    store_rollback(&txn);
    return p;
}

static json_t *question(const json_t *row)
{
    json_t *ask = json_pack("{s:O, s:O, s:O}", "format", json_object_get(row, "format"),
                            "compression", json_object_get(row, "compression"), "expires_in_s",
                            json_object_get(row, "expires_in_s"));

    if (row_text(row, "since_column")[0]) {
        json_object_set_new(ask, "since",
                            json_pack("{s:s, s:O*}", "column", row_text(row, "since_column"),
                                      "after",
                                      json_is_string(json_object_get(row, "since_after"))
                                          ? json_object_get(row, "since_after")
                                          : NULL));
    }
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:o}", "id", row_text(row, "id"), "api_id",
                            row_text(row, "api_id"), "owner", row_text(row, "owner"), "query",
                            row_text(row, "query"), "ask", ask);
    if (row_text(row, "zone_source_id")[0]) {
        json_object_set(out, "zone", json_object_get(row, "zone_source_id"));
        json_object_set(out, "table", json_object_get(row, "zone_table"));
        json_object_set_new(out, "whole", json_boolean(!row_text(row, "owner")[0]));
    }
    return out;
}

static enum problem give_up(struct rest_call *c, const json_t *old, enum problem why)
{
    struct store_txn *txn = NULL;
    json_t *row = json_deep_copy(old);
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK) {
        json_object_set_new(row, "state", json_string("failed"));
        json_object_set_new(row, "error", json_string(problem_row(why)->code));
        p = rest_finish(c, &txn, change_store(c, txn, &exports_resource, old, row, "follow"));
    }
    json_decref(row);
    return p;
}

/* What can be had later is asked for again; what is wrong with the question ends it. */
static bool passing(enum problem p)
{
    return p == PROBLEM_OK || p == PROBLEM_SOURCE_UNAVAILABLE || p == PROBLEM_CONCURRENCY_LIMITED ||
           p == PROBLEM_PLAN_CHANGED || p == PROBLEM_STORAGE_FULL;
}

enum problem exports_job(struct rest_call *c)
{
    json_t *list = json_array(), *row, *answer = NULL;
    size_t i;
    enum problem p = waiting(c, list);

    json_array_foreach(list, i, row)
    {
        json_t *body = question(row);
        enum problem one = data_client_post(c, "/internal/v1/exports/create", body, &answer);
        json_decref(body);
        json_decref(answer);
        if (!passing(one)) {
            p = give_up(c, row, one);
        }
    }
    json_decref(list);
    p = p == PROBLEM_OK ? keep_key(c) : p;
    p = p == PROBLEM_OK ? follow(c) : p;
    return p == PROBLEM_OK ? stage_each_id(c,
                                           "SELECT id FROM exports WHERE departs = 1 AND state IN "
                                           "('queued', 'running', 'ready')",
                                           0, erase_departing, NULL)
                           : p;
}
