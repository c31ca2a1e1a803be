/* SPDX-License-Identifier: Apache-2.0 */
/* The account by which a source is read is its supply credential (EC-4.3.2c): an organisation's,
 * with a state, an end, and no more rights than the platform lets it have. What it may do and how
 * the database keeps its data is asked at each check and once a day (SW-9.8-sto1, EC-5.1b). */
#include <stdio.h>

#include "api/api.h"
#include "data_client.h"
#include "jobs/jobs.h"
#include "lifecycle/lifecycle.h"
#include "notices/notices.h"
#include "sandbox/stage.h"

#define LOOK_AGAIN "86400000" /* ms between two looks at one source */

static struct store_value flag(const json_t *object, const char *member)
{
    const json_t *v = json_object_get(object, member);

    return json_is_boolean(v) ? store_int(json_is_true(v)) : store_text(NULL);
}

enum problem source_account_keep(struct rest_call *c, const char *id, const json_t *answer)
{
    static const char sql[] =
        "INSERT INTO source_accounts (source_id, administers, writes, checked_at, tls, at_rest, "
        "checksums, copies, copied_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source_id) "
        "DO UPDATE SET administers = excluded.administers, writes = excluded.writes, checked_at = "
        "excluded.checked_at, tls = excluded.tls, at_rest = excluded.at_rest, checksums = "
        "excluded.checksums, copies = excluded.copies, copied_at = excluded.copied_at";
    const json_t *account = json_object_get(answer, "account"),
                 *keeping = json_object_get(answer, "keeping"),
                 *copied = json_object_get(keeping, "copied_ms");
    const struct store_value v[] = {
        store_text(id),
        store_int(json_is_true(json_object_get(account, "administers"))),
        store_int(json_is_true(json_object_get(account, "writes"))),
        store_int((int64_t)c->now_ms),
        flag(keeping, "tls"),
        flag(keeping, "at_rest"),
        flag(keeping, "checksums"),
        flag(keeping, "copies"),
        json_is_integer(copied) ? store_int(json_integer_value(copied)) : store_text(NULL)};
    struct store_txn *txn = NULL;

    if (!json_is_object(account) && !json_is_object(keeping)) {
        return PROBLEM_OK;
    }
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    return p == PROBLEM_OK
               ? rest_finish(c, &txn,
                             rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL)))
               : p;
}

/* Why it must not be read by this account; NULL: nothing stands against it. */
static enum problem against(struct rest_call *c, struct store_txn *txn, const json_t *source,
                            const char **why)
{
    char rule[STAGE_SETTING_MAX];
    const struct store_value v = store_text(row_text(source, "id"));
    struct store_rows *rows = NULL;
    uint64_t until_ms = api_ms(source, "credential_expires_at");

    *why = until_ms && until_ms <= c->now_ms ? "the account was given until then" : NULL;
    enum problem p = stage_setting(c, txn, "source-rights", rule);
    if (p != PROBLEM_OK || *why || strcmp(rule, "refuse") != 0) {
        return p;
    }
    enum store_err err = store_query(
        txn, "SELECT administers, writes FROM source_accounts WHERE source_id = ?", &v, 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        bool writes =
            store_get_int(rows, 1) && !json_is_true(json_object_get(source, "for_writing"));
        *why = store_get_int(rows, 0) ? "its account may administer the database"
               : writes               ? "its account may write, and it is not for_writing"
                                      : NULL;
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem source_account_check(struct rest_call *c, struct store_txn *txn, const json_t *source)
{
    const char *why = NULL;
    enum problem p = against(c, txn, source, &why);

    return p == PROBLEM_OK && why
               ? rest_fail(c, PROBLEM_NOT_PERMITTED,
                           api_ms(source, "credential_expires_at") && strstr(why, "until")
                               ? "/credential_expires_at"
                               : "/connection",
                           "%s", why)
               : p;
}

/* By the clock -----------------------------------------------------------------------------------
 */
static enum problem tell(struct rest_call *c, struct store_txn *txn, const json_t *source,
                         const char *why)
{
    json_t *row = resource_row(&alerts_resource);
    const struct notice n = {.kind = "source-account",
                             .organisation_id = row_text(source, "organisation_id"),
                             .object_kind = "source",
                             .object_id = row_text(source, "id"),
                             .object_name = row_text(source, "name"),
                             .detail = why};

    json_object_set_new(row, "kind", json_string("source-account"));
    json_object_set_new(row, "at", stage_time(c->now_ms));
    json_object_set_new(row, "created_at", stage_time(c->now_ms));
    json_object_set_new(row, "updated_at", stage_time(c->now_ms));
    json_object_set_new(row, "revision", json_integer(1));
    json_object_set_new(row, "node", json_string("control"));
    json_object_set(row, "target", json_object_get(source, "name"));
    json_object_set_new(row, "reason", json_string(why));
    enum problem p = row_insert(c, txn, &alerts_resource, row);
    json_decref(row);
    return p == PROBLEM_OK ? notice_put(c, txn, &n) : p;
}

static enum problem stop_if_wrong(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    const char *why = NULL;
    enum problem p = against(c, txn, row, &why);

    if (p == PROBLEM_OK && why) {
        json_t *old = json_deep_copy(row);
        p = stage_change(c, txn, &sources_resource, old, row, "disabled", "disable");
        p = p == PROBLEM_OK ? tell(c, txn, row, why) : p;
        json_decref(old);
    }
    return p;
}

/* One source a turn: a database that does not answer holds up no other job for long. */
static enum problem due(struct rest_call *c, json_t **source)
{
    static const char sql[] =
        "SELECT s.id FROM sources s LEFT JOIN source_accounts a ON a.source_id = s.id WHERE "
        "s.state = 'ready' AND s.kind = 'odbc' AND a.checked_at < ? - " LOOK_AGAIN
        " ORDER BY a.checked_at LIMIT 1";
    const struct store_value v = store_int((int64_t)c->now_ms);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    char id[UUID_TEXT_LEN + 1] = "";
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, &v, 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        snprintf(id, sizeof id, "%s", store_get_text(rows, 0));
    }
    p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    if (p == PROBLEM_OK && id[0]) {
        p = api_load(c, txn, &sources_resource, id, source);
    }
    store_rollback(&txn);
    return p;
}

static enum problem look_again(struct rest_call *c)
{
    json_t *source = NULL, *answer = NULL;
    struct store_txn *txn = NULL;
    enum problem p = due(c, &source);

    if (p != PROBLEM_OK || !source) {
        return p;
    }
    /* What does not answer is looked at again tomorrow; that calls find out at once. */
    if (data_client_call(c, "check", source, NULL, NULL, &answer) == PROBLEM_OK) {
        p = source_account_keep(c, row_text(source, "id"), answer);
    } else {
        const struct store_value v[] = {store_int((int64_t)c->now_ms),
                                        store_text(row_text(source, "id"))};
        p = rest_begin(c, STORE_WRITE, &txn);
        if (p == PROBLEM_OK) {
            p = rest_finish(
                c, &txn,
                rest_store_problem(
                    c,
                    store_exec(txn, "UPDATE source_accounts SET checked_at = ? WHERE source_id = ?",
                               v, COUNT(v), NULL)));
        }
    }
    json_decref(answer);
    json_decref(source);
    return p;
}

enum problem source_accounts_job(struct rest_call *c)
{
    static const char wrong[] =
        "SELECT s.id FROM sources s LEFT JOIN source_accounts a ON a.source_id = s.id WHERE "
        "s.state = 'ready' AND s.kind = 'odbc' AND (s.credential_expires_at <= ?1 OR "
        "((a.administers "
        "OR (a.writes AND NOT coalesce(s.for_writing, 0))) AND EXISTS (SELECT 1 FROM "
        "stage_settings "
        "WHERE name = 'source-rights' AND value = 'refuse')))";
    enum problem p = look_again(c);
    enum problem q = stage_each_due(c, wrong, 0, &sources_resource, stop_if_wrong);

    return p == PROBLEM_OK ? q : p;
}
