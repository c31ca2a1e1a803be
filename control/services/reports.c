/* SPDX-License-Identifier: Apache-2.0 */
/* Test reports of an API: the platform's own (probe.c) and those that somebody hands in with a
 * document, which an operator accepts. Each speaks of the definition that was tested and of no
 * other. */
#include <stdlib.h>

#include "api/api.h"
#include "base/codec.h"
#include "services/services.h"

static const char *const kinds[] = {"functional", "security", "performance", NULL};
static const char *const results[] = {"passed", "failed", NULL};

bool service_report_kind_known(const char *kind)
{
    for (size_t i = 0; kinds[i]; i++) {
        if (strcmp(kinds[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

static const struct attr attrs[] = {
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = kinds},
    {"result", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 10, .values = results},
    {"cases", ATTR_JSON, AF_READ_ONLY},
    {"summary", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"figures", ATTR_JSON, AF_READ_ONLY},
    {"document_id", ATTR_REF, AF_IMMUTABLE, .ref = "documents"},
    {"definition_sm3", ATTR_TEXT, AF_READ_ONLY},
    {"expires_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"source", ATTR_TEXT, AF_READ_ONLY | AF_FILTER, .fallback = "\"uploaded\""},
    {"tested_by", ATTR_TEXT, AF_READ_ONLY},
    {"accepted_by", ATTR_TEXT, AF_READ_ONLY},
    {"accepted_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

void report_definition_sm3(const json_t *api, char hex[static 65])
{
    static const char *const members[] = {
        "name",    "version",       "path",         "kind",         "dataset_id",   "upstream",
        "targets", "class",         "methods",      "profile",      "owner_scoped", "fields",
        "schemes", "sign_response", "seal_request", "seal_response"};
    json_t *all = json_object();
    uint8_t digest[CRYPTO_HASH_LEN];

    for (size_t i = 0; i < COUNT(members); i++) {
        json_t *v = json_object_get(api, members[i]);
        if (v && !json_is_null(v)) {
            json_object_set(all, members[i], v);
        }
    }
    char *text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
    crypto_hash(CRYPTO_SM3, text ? text : "", text ? strlen(text) : 0, digest);
    hex[codec_hex(hex, digest, sizeof digest)] = '\0';
    free(text);
    json_decref(all);
}

static enum problem fill(struct rest_call *c, struct store_txn *txn, const json_t *api, json_t *row)
{
    char hex[65];
    uint64_t days = 0;
    enum problem p = service_setting_days(c, txn, "report-days", &days);

    report_definition_sm3(api, hex);
    json_object_set_new(row, "definition_sm3", json_string(hex));
    json_object_set_new(row, "expires_at", stage_time(c->now_ms + days * STAGE_DAY_MS));
    json_object_set_new(row, "tested_by",
                        json_string(c->user.login[0] ? c->user.login : "platform"));
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);

    if (p == PROBLEM_OK && !row_text(ch->row, "document_id")[0]) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/document_id",
                      "a report of somebody else's needs its document");
    }
    if (p == PROBLEM_OK) {
        p = fill(c, ch->txn, api, ch->row);
    }
    json_decref(api);
    return p;
}

static enum problem accept(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "result"), "passed") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/result", "what failed is not accepted");
    }
    if (strcmp(row_text(ch->row, "tested_by"), c->user.login) == 0) {
        return rest_fail(c, PROBLEM_SELF_APPROVAL, "", "it is your own report");
    }
    stage_sign(c, ch->row, "accepted");
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"open", "accept", "accepted", ROLE_STAFF, .hook = accept},
    {"open", "return", "returned", ROLE_STAFF, .body_text = "comment"},
};

#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, OWN_API},
};

const struct resource service_reports_resource = {
    .plural = "service_reports",
    .kind = "service-report",
    .initial = "open",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_PROVIDER | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF | ROLE_PROVIDER,
    .check = check,
};

enum problem report_there(struct rest_call *c, struct store_txn *txn, const json_t *api,
                          const char *kind, bool *there)
{
    char hex[65];
    json_t *rows = NULL;

    report_definition_sm3(api, hex);
    const struct store_value v[] = {store_text(row_text(api, "id")), store_text(kind),
                                    store_text(hex), store_int((int64_t)c->now_ms)};
    enum problem p = services_rows(c, txn,
                                   "SELECT id FROM service_reports WHERE api_id = ? AND kind = ? "
                                   "AND state = 'accepted' AND result = 'passed' AND "
                                   "definition_sm3 = ? AND expires_at > ? LIMIT 1",
                                   v, COUNT(v), "id:t", &rows);

    *there = json_array_size(rows) > 0;
    json_decref(rows);
    return p;
}

/* A later failure of the same kind takes back what an earlier test had shown. */
enum problem report_keep(struct rest_call *c, struct store_txn *txn, const json_t *api,
                         const char *kind, bool passed, json_t *cases, json_t *figures)
{
    json_t *row = resource_row(&service_reports_resource);
    const struct store_value v[] = {store_text(row_text(api, "id")), store_text(kind)};
    enum problem p = PROBLEM_OK;

    json_object_set(row, "api_id", json_object_get(api, "id"));
    json_object_set_new(row, "kind", json_string(kind));
    json_object_set_new(row, "result", json_string(passed ? "passed" : "failed"));
    json_object_set_new(row, "state", json_string(passed ? "accepted" : "failed"));
    json_object_set_new(row, "source", json_string("platform"));
    json_object_set(row, "cases", cases);
    json_object_set(row, "figures", figures ? figures : json_null());
    if (!passed) {
        p = rest_store_problem(
            c, store_exec(txn,
                          "UPDATE service_reports SET state = 'superseded' WHERE api_id = ? AND "
                          "kind = ? AND state = 'accepted'",
                          v, COUNT(v), NULL));
    }
    if (p == PROBLEM_OK) {
        p = fill(c, txn, api, row);
    }
    if (passed) {
        stage_sign(c, row, "accepted");
        json_object_set_new(row, "accepted_by", json_string("platform"));
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &service_reports_resource, NULL, row, "create");
    }
    json_decref(row);
    return p;
}
