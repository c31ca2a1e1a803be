/* SPDX-License-Identifier: Apache-2.0 */
/* Going live, and what ends with the test stage. */
#include <stdio.h>

#include "api/api.h"
#include "api/credentials.h"
#include "oauth/oauth.h"
#include "sandbox/sandbox.h"

#define MISSING_MAX 240

static enum problem has_report(struct rest_call *c, struct store_txn *txn, const json_t *app,
                               const char *kind, bool *has)
{
    const struct store_value v[] = {store_text(row_text(app, "id")), store_text(kind),
                                    store_int((int64_t)c->now_ms)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn,
                                     "SELECT 1 FROM test_reports WHERE app_id = ? AND kind = ? AND "
                                     "state = 'accepted' AND result = 'passed' AND expires_at > ?",
                                     v, COUNT(v), &rows);

    *has = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static void lacks(char missing[static MISSING_MAX], const char *what)
{
    size_t n = strlen(missing);

    snprintf(missing + n, MISSING_MAX - n, "%s%s", n ? ", " : "", what);
}

static enum problem ask_report(struct rest_call *c, struct store_txn *txn, const json_t *app,
                               const char *kind, char missing[static MISSING_MAX])
{
    bool has = false;
    enum problem p = has_report(c, txn, app, kind, &has);

    if (p == PROBLEM_OK && !has && !strstr(missing, kind)) {
        lacks(missing, kind);
    }
    return p;
}

static enum problem ask_kinds(struct rest_call *c, struct store_txn *txn, const json_t *app,
                              char missing[static MISSING_MAX])
{
    char kinds[STAGE_SETTING_MAX], *save = NULL;
    enum problem p = stage_setting(c, txn, "test-report-kinds", kinds);

    for (char *kind = strtok_r(kinds, " ", &save); kind && p == PROBLEM_OK;
         kind = strtok_r(NULL, " ", &save)) {
        p = ask_report(c, txn, app, kind, missing);
    }
    return p;
}

/* The grades that may receive more need proof of their safety, and the higher one all of the
 * lower's (EC-7.1.3-M2, -M3, -C1). */
static enum problem ask_grade(struct rest_call *c, struct store_txn *txn, const json_t *app,
                              char missing[static MISSING_MAX])
{
    enum problem p = PROBLEM_OK;

    if (strcmp(row_text(app, "environment"), "general") != 0) {
        p = ask_report(c, txn, app, "security", missing);
        p = p == PROBLEM_OK ? ask_report(c, txn, app, "scan", missing) : p;
    }
    return p;
}

/* What its side must have said of itself before anybody's data goes there (EC-7.2.1-0, -7.2.2b1).
 */
static enum problem ask_self_reports(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                     char missing[static MISSING_MAX])
{
    static const char sql[] = "SELECT 1 FROM self_reports WHERE organisation_id = ? AND kind = ? "
                              "AND state = 'accepted'";
    char kinds[STAGE_SETTING_MAX], *save = NULL;
    enum problem p = stage_setting(c, txn, "self-reports-required", kinds);

    if (p != PROBLEM_OK || strcmp(kinds, "none") == 0) {
        return p;
    }
    for (char *kind = strtok_r(kinds, " ", &save); kind && p == PROBLEM_OK;
         kind = strtok_r(NULL, " ", &save)) {
        const struct store_value v[] = {store_text(row_text(app, "organisation_id")),
                                        store_text(kind)};
        struct store_rows *rows = NULL;
        enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);
        bool has = err == STORE_OK && store_next(rows);
        p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
        if (p == PROBLEM_OK && !has) {
            lacks(missing, kind);
        }
    }
    return p;
}

static enum problem ask_preparation(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                    char missing[static MISSING_MAX])
{
    bool on = false, done = false;
    enum problem p = stage_setting_on(c, txn, "preparation-required", &on);

    if (p == PROBLEM_OK && on) {
        p = test_preparation_done(c, txn, row_text(app, "id"), &done);
    }
    if (p == PROBLEM_OK && on && !done) {
        lacks(missing, "the list of preparations");
    }
    return p;
}

/* BK-12.2b1-3, BK-12.2b2: what the party says to users of its own: docs/appside.md. */
static enum problem ask_documents(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                  char missing[static MISSING_MAX])
{
    static const char *const purposes[] = {"privacy-notice", "consent-text", "collector-statement"};
    static const char sql[] = "SELECT 1 FROM documents WHERE organisation_id = ? AND purpose = ? "
                              "AND state = 'stored'";
    bool on = false;
    enum problem p = stage_setting_on(c, txn, "user-documents-required", &on);

    for (size_t i = 0; i < COUNT(purposes) && p == PROBLEM_OK && on; i++) {
        const struct store_value v[] = {store_text(row_text(app, "organisation_id")),
                                        store_text(purposes[i])};
        struct store_rows *rows = NULL;
        enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);
        bool has = err == STORE_OK && store_next(rows);
        p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
        if (p == PROBLEM_OK && !has) {
            lacks(missing, purposes[i]);
        }
    }
    return p;
}

enum problem sandbox_gate(struct rest_call *c, struct store_txn *txn, const json_t *app)
{
    char missing[MISSING_MAX] = "";
    bool on = false;
    enum problem p = stage_setting_on(c, txn, "test-report-required", &on);

    if (p == PROBLEM_OK && on) {
        p = ask_kinds(c, txn, app, missing);
    }
    if (p == PROBLEM_OK && on) {
        p = ask_grade(c, txn, app, missing);
    }
    if (p == PROBLEM_OK) {
        p = ask_self_reports(c, txn, app, missing);
    }
    if (p == PROBLEM_OK) {
        p = ask_preparation(c, txn, app, missing);
    }
    if (p == PROBLEM_OK) {
        p = ask_documents(c, txn, app, missing);
    }
    return p == PROBLEM_OK && missing[0]
               ? rest_fail(c, PROBLEM_TEST_REPORT_MISSING, "",
                           "before it goes live the app needs, accepted and not expired: %s",
                           missing)
               : p;
}

enum problem sandbox_enter(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "testing_since", stage_time(c->now_ms));
    return test_preparation_open(c, ch->txn, row_text(ch->row, "id"));
}

/* Keys that lay in a test environment and consent given to a test are worth nothing in earnest. */
enum problem sandbox_follow_app(struct rest_call *c, struct change *ch)
{
    static const char why[] = "made for the test stage";
    const char *id = row_text(ch->row, "id");
    const struct oauth_revocation tokens = {.app_id = id};
    bool left = ch->old && strcmp(row_text(ch->old, "state"), "testing") == 0 &&
                api_changed(ch->old, ch->row, "state");

    if (!left) {
        return PROBLEM_OK;
    }
    enum problem p = credentials_void_app(c, ch->txn, id, why);
    if (p == PROBLEM_OK) {
        p = stage_revoke_grants(c, ch->txn, id, 0, why);
    }
    return p == PROBLEM_OK ? oauth_revoke(c, ch->txn, &tokens) : p;
}
