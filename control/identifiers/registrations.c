/* SPDX-License-Identifier: Apache-2.0 */
/* What the registration platform was told of our codes, and what it answered (BK-12.1b2, BK-11b2).
 * Applications leave as a file; where and by whom they were handed in is recorded. */
#include "api/api.h"
#include "base/clock.h"
#include "identifiers/identifiers.h"

#define EXPORT_MAX 5000

static const char *const kinds[] = {"register", "cancel", NULL};

static const struct attr attrs[] = {
    {"api_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "apis"},
    {"u_api_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"kind", ATTR_TEXT, AF_READ_ONLY | AF_FILTER, .values = kinds},
    {"reference", ATTR_TEXT, AF_READ_ONLY, 1, 200},
    {"submitted_by", ATTR_TEXT, AF_READ_ONLY},
    {"submitted_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"receipt", ATTR_TEXT, AF_READ_ONLY, 1, 200},
    {"decided_by", ATTR_TEXT, AF_READ_ONLY},
    {"decided_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY, 1, 1000},
};

static enum problem stamp(struct rest_call *c, json_t *row, const char *by, const char *at)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(row, by, json_string(c->user.login));
    json_object_set_new(row, at, json_string(now));
    return PROBLEM_OK;
}

static enum problem submit(struct rest_call *c, struct change *ch)
{
    return stamp(c, ch->row, "submitted_by", "submitted_at");
}

static enum problem decide(struct rest_call *c, struct change *ch)
{
    return stamp(c, ch->row, "decided_by", "decided_at");
}

/* One application of a kind is under way or through, however many versions share the code. */
static enum problem under_way(struct rest_call *c, struct store_txn *txn, const char *code,
                              const char *kind, bool submitted, bool *there)
{
    const struct store_value v[] = {store_text(code), store_text(kind), store_int(submitted)};
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn,
                    "SELECT 1 FROM api_registrations WHERE u_api_id = ? AND kind = ? AND (state IN "
                    "('submitted', 'accepted') OR (? = 0 AND state = 'pending'))",
                    v, COUNT(v), &rows);

    *there = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem registration_open(struct rest_call *c, struct store_txn *txn, const json_t *api,
                               const char *kind)
{
    json_t *row = resource_row(&api_registrations_resource);
    bool there = false;
    enum problem p = under_way(c, txn, row_text(api, "u_api_id"), kind, false, &there);

    json_object_set(row, "api_id", json_object_get(api, "id"));
    json_object_set(row, "u_api_id", json_object_get(api, "u_api_id"));
    json_object_set_new(row, "kind", json_string(kind));
    if (p == PROBLEM_OK && !there) {
        p = change_store(c, txn, &api_registrations_resource, NULL, row, "create");
    }
    json_decref(row);
    return p;
}

static enum problem other_version(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                  bool *lives)
{
    const struct store_value v[] = {store_text(row_text(api, "u_api_id")),
                                    store_text(row_text(api, "id"))};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn,
                                     "SELECT 1 FROM apis WHERE u_api_id = ? AND id <> ? AND state "
                                     "IN ('published', 'deprecated') LIMIT 1",
                                     v, COUNT(v), &rows);

    *lives = err == STORE_OK && store_next(rows);
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem identifiers_cancelled(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                   bool *cancelled)
{
    const char *code = row_text(api, "u_api_id");
    bool lives = false;

    *cancelled = !code[0] || strcmp(row_text(api, "state"), "draft") == 0;
    if (*cancelled) {
        return PROBLEM_OK;
    }
    enum problem p = other_version(c, txn, api, &lives);
    if (p == PROBLEM_OK && !lives) {
        return under_way(c, txn, code, "cancel", true, cancelled);
    }
    *cancelled = lives;
    return p;
}

static enum problem cancel(struct rest_call *c, struct store_txn *txn, json_t **api)
{
    bool lives = false;
    enum problem p = row_load(c, txn, &apis_resource, c->segment[1], true, api);

    if (p == PROBLEM_OK && !*api) {
        return PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK &&
        (!row_text(*api, "u_api_id")[0] || strcmp(row_text(*api, "state"), "draft") == 0)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the API has no U_API_ID");
    }
    if (p == PROBLEM_OK) {
        p = other_version(c, txn, *api, &lives);
    }
    if (p == PROBLEM_OK && lives) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "another version lives under the same code");
    }
    return p == PROBLEM_OK ? registration_open(c, txn, *api, "cancel") : p;
}

enum problem registration_cancel(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *api = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, cancel(c, txn, &api));
    }
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 202,
                        json_pack("{s:O, s:s}", "u_api_id", json_object_get(api, "u_api_id"),
                                  "kind", "cancel"));
    }
    json_decref(api);
    return p;
}

static enum problem pending(struct rest_call *c, struct store_txn *txn, json_t *items)
{
    static const char sql[] =
        "SELECT r.u_api_id, r.kind, a.name, a.version, a.path, a.class, a.title, a.api_identifier, "
        "k.code, k.name FROM api_registrations r JOIN apis a ON a.id = r.api_id LEFT JOIN "
        "service_categories k ON k.id = a.category_id WHERE r.state = 'pending' ORDER BY "
        "r.created_at, r.id LIMIT ?";
    static const char *const names[] = {"u_api_id", "kind",         "name",  "version",
                                        "path",     "class",        "title", "api_identifier",
                                        "category", "category_name"};
    const struct store_value v = store_int(EXPORT_MAX);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_t *item = json_object();
        for (size_t i = 0; i < COUNT(names); i++) {
            const char *text = store_get_text(rows, (int)i);
            json_object_set_new(item, names[i], text ? json_string(text) : json_null());
        }
        json_array_append_new(items, item);
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem registrations_export(struct rest_call *c)
{
    char institution[7], now[CLOCK_RFC3339_LEN + 1];
    struct store_txn *txn = NULL;
    json_t *items = json_array();
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = identifiers_institution(c, txn, institution);
    }
    if (p == PROBLEM_OK) {
        p = pending(c, txn, items);
    }
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    clock_format_ms(c->now_ms, now);
    return rest_answer(
        c, 200,
        json_pack("{s:s, s:s, s:o}", "institution", institution, "made_at", now, "items", items));
}

static const struct transition transitions[] = {
    {"pending|refused", "submit", "submitted", ROLE_STAFF, .body_text = "reference",
     .hook = submit},
    {"submitted", "accept", "accepted", ROLE_STAFF, .body_text = "receipt", .hook = decide},
    {"submitted", "refuse", "refused", ROLE_STAFF, .body_text = "comment", .hook = decide},
};

#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, OWN_API},
};

const struct resource api_registrations_resource = {
    .plural = "api_registrations",
    .kind = "api-registration",
    .initial = "pending",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_PROVIDER | ROLE_AUDITOR,
};
