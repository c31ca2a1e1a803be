/* SPDX-License-Identifier: Apache-2.0 */
#include "admission/gate.h"

#include <stdio.h>

#include "admission/inner.h"

static enum problem asked(struct rest_call *c, struct store_txn *txn, const char *sql,
                          const char *id, bool *holds)
{
    const struct store_value v = store_text(id);

    return admission_exists(c, txn, sql, &v, 1, holds);
}

static enum problem application_holds(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                      bool *holds)
{
    return asked(c, txn,
                 "SELECT 1 FROM applications WHERE app_id = ? AND state = 'approved' AND form_kind "
                 "IN ('third-party-software', 'bank-application-party', 'credit-platform')",
                 row_text(app, "id"), holds);
}

static enum problem agreement_holds(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                    bool *holds)
{
    static const char sql[] = "SELECT 1 FROM agreements WHERE app_id = ? AND state = 'in_force' "
                              "AND kind <> 'privacy' AND expires_at > ?";
    const struct store_value v[] = {store_text(row_text(app, "id")), store_int((int64_t)c->now_ms)};

    return admission_exists(c, txn, sql, v, COUNT(v), holds);
}

static enum problem assessment_holds(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                     bool *holds)
{
    const struct rating *rating = NULL;
    enum problem p = rating_of(c, txn, row_text(app, "organisation_id"), &rating);

    *holds = rating && rating->max_level > 0;
    return p;
}

static enum problem certificates_hold(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                      bool *holds)
{
    char kind[ADMISSION_VALUE];
    enum problem p = certificates_lacking(c, txn, row_text(app, "organisation_id"), kind);

    *holds = p == PROBLEM_OK && !kind[0];
    return p;
}

static enum problem filing_holds(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                 bool *holds)
{
    bool platform = false;
    enum problem p = asked(c, txn,
                           "SELECT 1 FROM applications WHERE app_id = ? AND form_kind = "
                           "'credit-platform' AND state = 'approved'",
                           row_text(app, "id"), &platform);

    *holds = true;
    return p == PROBLEM_OK && platform
               ? asked(c, txn, "SELECT 1 FROM filings WHERE app_id = ? AND state = 'active'",
                       row_text(app, "id"), holds)
               : p;
}

static enum problem preparation_holds(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                      bool *holds)
{
    bool open = false;
    enum problem p =
        asked(c, txn, "SELECT 1 FROM preparations WHERE app_id = ? AND state <> 'done'",
              row_text(app, "id"), &open);

    *holds = !open;
    return p;
}

/* EC-7.2.1e: what goes live is a version that was filed and looked at. */
static enum problem version_holds(struct rest_call *c, struct store_txn *txn, const json_t *app,
                                  bool *holds)
{
    bool on = false;
    enum problem p = admission_setting_on(c, txn, "version-required", &on);

    *holds = true;
    return p == PROBLEM_OK && on ? asked(c, txn,
                                         "SELECT 1 FROM app_versions WHERE app_id = ? AND state IN "
                                         "('accepted', 'live')",
                                         row_text(app, "id"), holds)
                                 : p;
}

static const struct gate_condition conditions[] = {
    /* clang-format off */
    {"application", "an approved application", "submit an application for this app", application_holds},
    {"agreement", "an agreement in force", "offer one and have both sides sign it", agreement_holds},
    {"assessment", "an assessment that counts", "assess the organisation", assessment_holds},
    {"certificates", "valid certificates", "file what certificates-required names", certificates_hold},
    {"filing", "a filing record", "file the platform", filing_holds},
    {"preparation", "a finished preparation", "complete the preparation", preparation_holds},
    {"version", "an accepted version", "file the version with its release review", version_holds},
    /* clang-format on */
};

enum problem admission_gate(struct rest_call *c, struct store_txn *txn, const json_t *app)
{
    char missing[260] = "";
    size_t n = 0;
    bool on = false;
    enum problem p = admission_setting_on(c, txn, "admission-required", &on);

    for (size_t i = 0; i < COUNT(conditions) && p == PROBLEM_OK && on; i++) {
        bool holds = false;
        p = conditions[i].holds(c, txn, app, &holds);
        if (p == PROBLEM_OK && !holds && n < sizeof missing - 1) {
            n += (size_t)snprintf(missing + n, sizeof missing - n, "%s%s (%s)", n ? ", " : "",
                                  conditions[i].missing, conditions[i].next);
        }
    }
    return p == PROBLEM_OK && n
               ? rest_fail(c, PROBLEM_ADMISSION_INCOMPLETE, "", "missing: %s", missing)
               : p;
}

enum problem admission_gate_hook(struct rest_call *c, struct change *ch)
{
    return admission_gate(c, ch->txn, ch->row);
}

/* GET /apps/{id}/admission: how far an app is, for whoever sees it. */
static enum problem describe(struct rest_call *c, struct store_txn *txn, const json_t *app,
                             json_t **answer)
{
    json_t *items = json_array();
    bool on = false, whole = true;
    enum problem p = admission_setting_on(c, txn, "admission-required", &on);

    for (size_t i = 0; i < COUNT(conditions) && p == PROBLEM_OK; i++) {
        bool holds = false;
        p = conditions[i].holds(c, txn, app, &holds);
        whole = whole && holds;
        json_array_append_new(
            items, json_pack("{s:s, s:b, s:o}", "name", conditions[i].name, "holds", holds, "next",
                             holds ? json_null() : json_string(conditions[i].next)));
    }
    *answer = json_pack("{s:b, s:b, s:o}", "required", on, "complete", whole, "conditions", items);
    return p;
}

enum problem gate_describe_app(struct rest_call *c, gate_describe what)
{
    struct store_txn *txn = NULL;
    json_t *app = NULL, *answer = NULL;
    struct uuid u;

    if (!uuid_parse(&u, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &apps_resource, c->segment[1], true, &app);
    p = p == PROBLEM_OK && !app ? PROBLEM_NOT_FOUND : p;
    p = p == PROBLEM_OK ? what(c, txn, app, &answer) : p;
    store_rollback(&txn);
    json_decref(app);
    if (p != PROBLEM_OK) {
        json_decref(answer);
        return p;
    }
    return rest_answer(c, 200, answer);
}

enum problem rest_app_admission(struct rest_call *c)
{
    return gate_describe_app(c, describe);
}
