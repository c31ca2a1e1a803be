/* SPDX-License-Identifier: Apache-2.0 */
/* Every export there was: who asked, for what, under which grant, masked by which rules, and what
 * became of it (SW-9.7-2a). Those of apps come from the data service; an operator, or the provider
 * of the API, asks for one here. */
#include "batch/batch.h"

#include <stdio.h>

#include "api/api.h"
#include "data_client.h"

static const char *const formats[] = {"csv", "ndjson", "xml", NULL};
static const char *const methods[] = {"none", "gzip", "zstd", NULL};

static enum problem check_table(struct rest_call *c, const char *where, const json_t *v)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *s = json_string_value(v);

    return strspn(s, letters) == strlen(s) && s[0] != '_'
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "letters, digits and _ are allowed");
}

static const struct attr attrs[] = {
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"owner", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 128},
    {"query", ATTR_TEXT, AF_IMMUTABLE, 0, 4096},
    {"format", ATTR_TEXT, AF_IMMUTABLE, 1, 10, .values = formats, .fallback = "\"ndjson\""},
    {"compression", ATTR_TEXT, AF_IMMUTABLE, 1, 10, .values = methods, .fallback = "\"none\""},
    {"since_column", ATTR_TEXT, AF_IMMUTABLE, 1, 128},
    {"since_after", ATTR_TEXT, AF_IMMUTABLE, 1, 256},
    {"expires_in_s", ATTR_INT, AF_IMMUTABLE, 60, 604800, .fallback = "86400"},
    {"zone_source_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "sources"},
    {"zone_table", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 64, .check = check_table},
    {"app_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"grant_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY},
    {"fields", ATTR_JSON, AF_READ_ONLY},
    {"rules", ATTR_JSON, AF_READ_ONLY},
    {"rows", ATTR_INT, AF_READ_ONLY | AF_SORT},
    {"bytes", ATTR_INT, AF_READ_ONLY | AF_SORT},
    {"sm3", ATTR_TEXT, AF_READ_ONLY},
    {"cursor", ATTR_TEXT, AF_READ_ONLY},
    {"error", ATTR_TEXT, AF_READ_ONLY},
    {"departs", ATTR_BOOL, AF_READ_ONLY | AF_FILTER, .fallback = "false"},
    {"finished_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"expires_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
};

/* A whole table goes to the open zone alone, where what is sensitive is masked for everybody. */
static enum problem check_zone(struct rest_call *c, struct change *ch)
{
    json_t *source = NULL;
    bool zone = row_text(ch->row, "zone_source_id")[0], table = row_text(ch->row, "zone_table")[0];

    if (zone != table) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, zone ? "/zone_table" : "/zone_source_id",
                         "zone_source_id and zone_table go together");
    }
    if (!zone) {
        return PROBLEM_OK;
    }
    enum problem p =
        api_load(c, ch->txn, &sources_resource, row_text(ch->row, "zone_source_id"), &source);
    if (p == PROBLEM_OK && (strcmp(row_text(source, "kind"), "managed") != 0 ||
                            strcmp(row_text(source, "zone"), "open") != 0 ||
                            strcmp(row_text(source, "state"), "ready") != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/zone_source_id",
                      "a managed source of the open zone, ready, is needed");
    }
    json_decref(source);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;
    bool zone = row_text(ch->row, "zone_source_id")[0];

    if (ch->old) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    if (p == PROBLEM_OK && !json_is_true(json_object_get(api, "batch"))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id",
                      "its API makes no exports: batch is off");
    }
    if (p == PROBLEM_OK && !zone && json_is_true(json_object_get(api, "owner_scoped")) &&
        !row_text(ch->row, "owner")[0]) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/owner", "the API's rows have owners: whose?");
    }
    p = p == PROBLEM_OK ? check_zone(c, ch) : p;
    if (p == PROBLEM_OK) {
        json_object_set_new(ch->row, "requested_by",
                            json_string(c->user.login[0] ? c->user.login : "platform"));
        p = mask_rules_used(c, ch->txn, json_object_get(api, "fields"), NULL);
    }
    json_decref(api);
    return p;
}

enum problem export_request(struct rest_call *c, struct store_txn *txn, json_t *body, json_t **row)
{
    struct change ch = {.res = &exports_resource, .txn = txn};
    json_t *sent = c->body;
    const unsigned role = c->user.role;

    ch.row = *row = resource_row(&exports_resource);
    json_object_set_new(*row, "state", json_string("requested"));
    c->body = body;
    c->user.role =
        ROLE_OPERATOR; /* who made the task; what it names is looked up with that sight */
    enum problem p = attr_apply(c, txn, &exports_resource, *row, true);
    if (p == PROBLEM_OK) {
        p = check(c, &ch);
    }
    c->body = sent;
    c->user.role = role;
    return p == PROBLEM_OK ? change_store(c, txn, &exports_resource, NULL, *row, "create") : p;
}

/* Outside a transaction: the data service is asked first, so what is `erased` here is gone there.
 */
static enum problem erase(struct rest_call *c, struct change *ch)
{
    json_t *body = json_pack("{s:s}", "id", row_text(ch->row, "id")), *answer = NULL;
    enum problem p = data_client_post(c, "/internal/v1/exports/erase", body, &answer);

    json_decref(body);
    json_decref(answer);
    return p == PROBLEM_NOT_FOUND ? PROBLEM_OK : p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"requested|queued|running|ready|failed", "erase", "erased", KEEPER | ROLE_DEVELOPER,
     .prepare = erase},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)",
     "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"},
    {ROLE_DEVELOPER, BIND_ORGANISATION,
     "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)",
     "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"},
};

const struct resource exports_resource = {
    .plural = "exports",
    .kind = "export",
    .initial = "requested",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = KEEPER,
    .check = check,
};

enum problem export_manifest(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *body = NULL, *answer = NULL;
    struct uuid id;
    enum problem p = uuid_parse(&id, c->segment[1], strlen(c->segment[1]))
                         ? rest_begin(c, STORE_READ, &txn)
                         : PROBLEM_NOT_FOUND;

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, &exports_resource, c->segment[1], true, &row);
    store_rollback(&txn);
    if (p == PROBLEM_OK && !row) {
        return PROBLEM_NOT_FOUND;
    }
    body = json_pack("{s:s}", "id", c->segment[1]);
    p = p == PROBLEM_OK ? data_client_post(c, "/internal/v1/exports/manifest", body, &answer) : p;
    json_decref(body);
    json_decref(row);
    return p == PROBLEM_OK ? rest_answer(c, 200, answer) : p;
}
