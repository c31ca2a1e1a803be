/* SPDX-License-Identifier: Apache-2.0 */
/* What a confirmed case ends in (BK-9.3.5e): the party is kept out and the evidence is put together
 * in one act; signed, so that it can be judged with the platform's published keys alone. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "consent/consent.h"
#include "incidents/cases.h"
#include "oauth/oauth.h"
#include "sandbox/stage.h"
#include "services/services.h"

#define EVIDENCE_TYP "case-evidence+jwt"
#define ALERTS_MAX   "200"

static enum problem alerts_of(struct rest_call *c, struct store_txn *txn, const json_t *row,
                              json_t **alerts)
{
    static const char sql[] =
        "SELECT id, kind, at, node, app_id, api_id, owner, address, \"count\", reason FROM alerts "
        "WHERE app_id = ? OR id = ? ORDER BY at DESC LIMIT " ALERTS_MAX;
    const char *alert = row_text(row, "alert_id"), *app = row_text(row, "app_id");
    const struct store_value v[] = {store_text(app), store_text(alert)};

    return services_rows(c, txn, sql, v, 2,
                         "id:t kind:t at:m node:t app_id:t api_id:t owner:t address:t count:i "
                         "reason:t",
                         alerts);
}

static enum problem shown_of(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                             const char *id, json_t *out)
{
    json_t *row = NULL;
    enum problem p = id[0] ? row_load(c, txn, res, id, false, &row) : PROBLEM_OK;

    json_object_set_new(out, res->kind, row ? row_public(res, row) : json_null());
    json_decref(row);
    return p;
}

/* The case, who it is about, what nodes reported and what was done: *out is new. */
static enum problem gather(struct rest_call *c, struct store_txn *txn, const json_t *row,
                           json_t **out)
{
    json_t *alerts = NULL, *acts = json_array();
    const char *list = row_text(row, "blacklist_id");
    enum problem p = evidence_acts(c, txn, row_text(row, "id"), acts);

    *out = json_pack("{s:s, s:I, s:o}", "iss", oauth_issuer(c->ctl), "iat",
                     (json_int_t)(c->now_ms / 1000), "case", row_public(&cases_resource, row));
    if (p == PROBLEM_OK && list[0]) {
        p = evidence_acts(c, txn, list, acts);
    }
    if (p == PROBLEM_OK) {
        p = alerts_of(c, txn, row, &alerts);
    }
    if (p == PROBLEM_OK) {
        p = shown_of(c, txn, &organisations_resource, row_text(row, "organisation_id"), *out);
    }
    if (p == PROBLEM_OK) {
        p = shown_of(c, txn, &apps_resource, row_text(row, "app_id"), *out);
    }
    if (p == PROBLEM_OK) {
        p = shown_of(c, txn, &lists_resource, list, *out);
    }
    json_object_set_new(*out, "alerts", alerts ? alerts : json_array());
    json_object_set_new(*out, "acts", acts);
    return p;
}

static enum problem answer(struct rest_call *c, json_t *claims)
{
    char *text = oauth_jwt_sign(c, claims, EVIDENCE_TYP);

    if (!text) {
        return PROBLEM_INTERNAL;
    }
    json_t *out = json_deep_copy(claims);
    json_object_set_new(out, "signed", json_string(text));
    free(text);
    return rest_answer(c, 200, out);
}

enum problem case_evidence(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *claims = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &cases_resource, false, &row);
    }
    if (p == PROBLEM_OK) {
        p = gather(c, txn, row, &claims);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        p = answer(c, claims);
    }
    json_decref(claims);
    json_decref(row);
    return p;
}

/* One block list entry keeps the organisation out; another of before is enough. */
static enum problem keep_out(struct rest_call *c, struct store_txn *txn, json_t *row,
                             const char *reason)
{
    static const char sql[] = "SELECT id FROM lists WHERE list = 'block' AND subject = "
                              "'organisation' AND value = ? AND state = 'active' AND app_id IS "
                              "NULL AND api_id IS NULL AND not_before IS NULL AND expires_at IS "
                              "NULL LIMIT 1";
    const struct store_value v = store_text(row_text(row, "organisation_id"));
    json_t *found = NULL;
    enum problem p = services_rows(c, txn, sql, &v, 1, "id:t", &found);

    if (p == PROBLEM_OK && json_array_size(found) > 0) {
        json_object_set(row, "blacklist_id", json_object_get(json_array_get(found, 0), "id"));
        json_decref(found);
        return p;
    }
    json_decref(found);
    if (p != PROBLEM_OK) {
        return p;
    }
    json_t *entry = resource_row(&lists_resource);
    json_object_set_new(entry, "list", json_string("block"));
    json_object_set_new(entry, "subject", json_string("organisation"));
    json_object_set(entry, "value", json_object_get(row, "organisation_id"));
    json_object_set_new(entry, "reason", json_string(reason));
    json_object_set_new(entry, "added_by", json_string(c->user.login));
    p = change_store(c, txn, &lists_resource, NULL, entry, "create");
    json_object_set(row, "blacklist_id", json_object_get(entry, "id"));
    json_decref(entry);
    return p;
}

static enum problem may_blacklist(struct rest_call *c, const json_t *row)
{
    const char *state = row_text(row, "state");

    if (strcmp(state, "treated") != 0 && strcmp(state, "closed") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the case is %s: it is confirmed first",
                         state);
    }
    if (!row_text(row, "organisation_id")[0]) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/organisation_id", "the case names no party");
    }
    return row_text(row, "blacklist_id")[0]
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "/blacklist_id", "it was done already")
               : PROBLEM_OK;
}

static enum problem blacklist(struct rest_call *c, struct store_txn *txn, const char *reason,
                              json_t **claims)
{
    json_t *old = NULL, *row = NULL;
    enum problem p = service_load(c, txn, &cases_resource, true, &old);

    if (p == PROBLEM_OK) {
        p = change_precondition(c, old, true);
    }
    if (p == PROBLEM_OK) {
        p = may_blacklist(c, old);
    }
    if (p == PROBLEM_OK) {
        row = json_deep_copy(old);
        p = keep_out(c, txn, row, reason);
    }
    if (p == PROBLEM_OK) {
        stage_sign(c, row, "blacklisted");
        p = change_store(c, txn, &cases_resource, old, row, "blacklist");
    }
    if (p == PROBLEM_OK) {
        p = gather(c, txn, row, claims);
    }
    json_decref(old);
    json_decref(row);
    return p;
}

enum problem case_blacklist(struct rest_call *c)
{
    static const char *const members[] = {"reason", NULL};
    struct store_txn *txn = NULL;
    json_t *claims = NULL;
    enum problem p = rest_body_members(c, members);
    const char *reason = p == PROBLEM_OK ? rest_body_text(c, "reason", 1000, &p) : NULL;

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, blacklist(c, txn, reason, &claims));
    }
    if (p == PROBLEM_OK) {
        p = answer(c, claims);
    }
    json_decref(claims);
    return p;
}
