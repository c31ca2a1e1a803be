/* SPDX-License-Identifier: Apache-2.0 */
/* By the clock: lists and scans that are overdue, calls of the test stage that are old. */
#include "api/api.h"
#include "sandbox/sandbox.h"

#define CALLS_KEPT_DAYS 180
#define CALLS_KEPT      "20000" /* the newest of an app in its test stage */

/* An app whose grade rests on scans and that has none of late: told, and by rule taken back to what
 * needs no proof (EC-7.1.3-M3). */
static enum problem warn_scan(struct rest_call *c, struct store_txn *txn, json_t *app)
{
    char rule[STAGE_SETTING_MAX];
    const char *id = row_text(app, "id");
    json_t *old = json_deep_copy(app);
    enum problem p = stage_setting(c, txn, "scan-overdue", rule);

    json_object_set_new(app, "scan_warned_at", stage_time(c->now_ms));
    if (strcmp(rule, "downgrade") == 0) {
        json_object_set_new(app, "environment", json_string("general"));
    }
    if (p == PROBLEM_OK) {
        p = stage_change(c, txn, &apps_resource, old, app, NULL, "update");
    }
    json_decref(old);
    if (p == PROBLEM_OK) {
        p = stage_tell(c, txn, "scan-overdue", "app", app, id, rule, false);
    }
    return p == PROBLEM_OK ? stage_tell(c, txn, "scan-overdue", "app", app, id, rule, true) : p;
}

static enum problem forget_calls(struct rest_call *c)
{
    const struct store_value v = store_int((int64_t)(c->now_ms - CALLS_KEPT_DAYS * STAGE_DAY_MS));
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    return rest_finish(
        c, &txn,
        rest_store_problem(
            c, store_exec(txn, "DELETE FROM sandbox_calls WHERE created_at < ?", &v, 1, NULL)));
}

static enum problem thin_out(struct rest_call *c, struct store_txn *txn, json_t *app)
{
    static const char sql[] =
        "DELETE FROM sandbox_calls WHERE app_id = ? AND at < (SELECT at FROM sandbox_calls WHERE "
        "app_id = ? ORDER BY at DESC LIMIT 1 OFFSET " CALLS_KEPT ")";
    const struct store_value v[] = {store_text(row_text(app, "id")),
                                    store_text(row_text(app, "id"))};

    return rest_store_problem(c, store_exec(txn, sql, v, COUNT(v), NULL));
}

enum problem sandbox_job(struct rest_call *c)
{
    enum problem p = test_preparations_due(c);

    if (p == PROBLEM_OK) {
        p = stage_each_due(c,
                           "SELECT id FROM apps WHERE state = 'admitted' AND scan_warned_at IS "
                           "NULL AND scan_days IS NOT NULL AND coalesce(scanned_at, created_at) + "
                           "scan_days * 86400000 <= ?",
                           0, &apps_resource, warn_scan);
    }
    if (p == PROBLEM_OK) {
        p = stage_each_due(c,
                           "SELECT id FROM apps WHERE state = 'testing' AND testing_since <= ? AND "
                           "(SELECT count(*) FROM sandbox_calls s WHERE s.app_id = apps.id) "
                           "> " CALLS_KEPT,
                           0, &apps_resource, thin_out);
    }
    return p == PROBLEM_OK ? forget_calls(c) : p;
}
