/* SPDX-License-Identifier: Apache-2.0 */
/* A code for an API that is published for the first time. */
#include <stdio.h>

#include "api/api.h"
#include "identifiers/identifiers.h"
#include "uapi/uapi.h"

static uint8_t type_of(const json_t *api)
{
    return strcmp(row_text(api, "class"), "A2") == 0 ? UAPI_A2 : UAPI_A1;
}

/* API_ID is the bank's name of a function: versions of one API share it, two APIs never. */
static enum problem identifier_free(struct rest_call *c, struct store_txn *txn, const json_t *api)
{
    const struct store_value v[] = {store_text(row_text(api, "api_identifier")),
                                    store_text(row_text(api, "name"))};
    struct store_rows *rows = NULL;

    if (!row_text(api, "api_identifier")[0]) {
        return PROBLEM_OK;
    }
    enum problem p = rest_store_problem(
        c, store_query(txn,
                       "SELECT name FROM apis WHERE api_identifier = ? AND name <> ? AND state NOT "
                       "IN ('draft', 'archived') LIMIT 1",
                       v, COUNT(v), &rows));
    if (p == PROBLEM_OK && store_next(rows)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/api_identifier",
                      "the API %.200s has this API_ID", store_get_text(rows, 0));
    }
    enum store_err err = store_rows_end(&rows);
    return p == PROBLEM_OK ? rest_store_problem(c, err) : p;
}

static enum problem category(struct rest_call *c, struct store_txn *txn, const json_t *api,
                             struct uapi_id *id)
{
    json_t *row = NULL;

    if (!row_text(api, "category_id")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/category_id",
                         "an external API is registered: name its service category, one of the "
                         "second level of service_categories");
    }
    enum problem p =
        api_load(c, txn, &service_categories_resource, row_text(api, "category_id"), &row);
    if (p == PROBLEM_OK &&
        (!row_text(row, "parent_id")[0] || strcmp(row_text(row, "state"), "active") != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/category_id",
                      "an active category of the second level is needed");
    }
    snprintf(id->category, sizeof id->category, "%.6s", row_text(row, "code"));
    json_decref(row);
    return p;
}

/* What another version of the same API was given for the same class and category. */
static enum problem inherited(struct rest_call *c, struct store_txn *txn, json_t *api,
                              const struct uapi_id *id, bool *found)
{
    const struct store_value v[] = {store_text(row_text(api, "name")), store_int(id->type),
                                    store_text(id->category), store_text(id->institution)};
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn,
                    "SELECT u_api_id FROM apis WHERE name = ? AND u_api_id IS NOT NULL AND "
                    "CAST(substr(u_api_id, 9, 2) AS INTEGER) = ? AND substr(u_api_id, 11, 6) = ? "
                    "AND substr(u_api_id, 3, 6) = ? ORDER BY created_at LIMIT 1",
                    v, COUNT(v), &rows);

    *found = err == STORE_OK && store_next(rows);
    if (*found) {
        json_object_set_new(api, "u_api_id", json_string(store_get_text(rows, 0)));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

/* The next number of institution, class and category, taken in this transaction. */
static enum problem next_number(struct rest_call *c, struct store_txn *txn, struct uapi_id *id)
{
    const struct store_value v[] = {store_text(id->institution), store_int(id->type),
                                    store_text(id->category)};
    struct store_rows *rows = NULL;
    enum store_err err = store_exec(
        txn,
        "INSERT INTO u_api_sequences (institution, type, category, last) VALUES (?, ?, ?, 1) ON "
        "CONFLICT (institution, type, category) DO UPDATE SET last = u_api_sequences.last + 1",
        v, COUNT(v), NULL);

    if (err == STORE_OK) {
        err = store_query(txn,
                          "SELECT last FROM u_api_sequences WHERE institution = ? AND type = ? AND "
                          "category = ?",
                          v, COUNT(v), &rows);
    }
    id->sequence = err == STORE_OK && store_next(rows) ? (uint32_t)store_get_int(rows, 0) : 0;
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    if (p == PROBLEM_OK && id->sequence > UAPI_SEQUENCE_MAX) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/category_id", "all numbers of it are taken");
    }
    return p;
}

/* A code written by hand has to be the very one that is next. */
static enum problem compare(struct rest_call *c, const json_t *api, const char *next)
{
    const char *typed = row_text(api, "u_api_id");

    return !typed[0] || strcmp(typed, next) == 0
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/u_api_id",
                           "of this institution, class and category the next code is %s", next);
}

static enum problem issue(struct rest_call *c, struct store_txn *txn, json_t *api,
                          struct uapi_id *id)
{
    char text[UAPI_LEN + 1];
    enum problem p = next_number(c, txn, id);

    if (p == PROBLEM_OK && !uapi_format(id, text)) {
        p = PROBLEM_INTERNAL;
    }
    if (p == PROBLEM_OK) {
        p = compare(c, api, text);
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(api, "u_api_id", json_string(text));
    }
    return p;
}

enum problem identifiers_publish(struct rest_call *c, struct change *ch)
{
    struct uapi_id id = {.type = type_of(ch->row)};
    bool found = false, issued = false;
    enum problem p = identifier_free(c, ch->txn, ch->row);

    if (p == PROBLEM_OK) {
        p = identifiers_institution(c, ch->txn, id.institution);
    }
    if (p != PROBLEM_OK || !id.institution[0] ||
        strcmp(row_text(ch->row, "type"), "external") != 0) {
        return p;
    }
    /* Published before: it keeps what it was given. */
    issued = row_text(ch->row, "u_api_id")[0] && ch->old &&
             strcmp(row_text(ch->old, "state"), "draft") != 0;
    p = issued ? PROBLEM_OK : category(c, ch->txn, ch->row, &id);
    if (p == PROBLEM_OK && !issued && !row_text(ch->row, "u_api_id")[0]) {
        p = inherited(c, ch->txn, ch->row, &id, &found);
    }
    return p == PROBLEM_OK && !issued && !found ? issue(c, ch->txn, ch->row, &id) : p;
}

/* A code that a draft is given by hand: its form, and that it fits the class. */
static enum problem check_typed(struct rest_call *c, const json_t *api)
{
    const char *typed = row_text(api, "u_api_id");
    struct uapi_id id;

    if (!typed[0]) {
        return PROBLEM_OK;
    }
    enum uapi_err err = uapi_parse(&id, slice_str(typed));
    if (err) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/u_api_id", "%s", uapi_strerror(err));
    }
    if (id.type != type_of(api)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/u_api_id",
                         "characters 9-10 are those of the other class");
    }
    return strcmp(row_text(api, "type"), "external") == 0
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/u_api_id",
                           "external APIs alone are registered");
}

/* What a code says stays true of its API. */
static enum problem check_issued(struct rest_call *c, const struct change *ch)
{
    static const char *const said[] = {"class", "type", "category_id", "u_api_id"};
    char where[32];

    for (size_t i = 0; i < COUNT(said); i++) {
        if (api_changed(ch->old, ch->row, said[i])) {
            snprintf(where, sizeof where, "/%s", said[i]);
            return rest_fail(c, PROBLEM_STATE_CONFLICT, where,
                             "its U_API_ID says otherwise; publish another version");
        }
    }
    return PROBLEM_OK;
}

static enum problem check_audience(struct rest_call *c, const json_t *api)
{
    bool partner = strcmp(row_text(api, "type"), "partner") == 0;
    size_t named = json_array_size(json_object_get(api, "partners"));

    if (partner != (named > 0)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/partners",
                         partner ? "an API of type partner names the organisations it is for"
                                 : "only an API of type partner names any");
    }
    if (strcmp(row_text(api, "type"), "external") != 0 &&
        strcmp(row_text(api, "access"), "subscription") != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/access",
                         "an API that is not for everybody needs subscriptions");
    }
    return PROBLEM_OK;
}

enum problem identifiers_check(struct rest_call *c, struct change *ch)
{
    bool issued = ch->old && row_text(ch->old, "u_api_id")[0] &&
                  strcmp(row_text(ch->old, "state"), "draft") != 0;
    enum problem p = check_audience(c, ch->row);

    if (p == PROBLEM_OK) {
        p = issued ? check_issued(c, ch) : check_typed(c, ch->row);
    }
    /* What is live keeps to the rules of publication. */
    return p == PROBLEM_OK && ch->old && api_state_live(ch->row) &&
                   api_changed(ch->old, ch->row, "api_identifier")
               ? identifier_free(c, ch->txn, ch->row)
               : p;
}
