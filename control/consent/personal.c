/* SPDX-License-Identifier: Apache-2.0 */
/* What the platform holds of whoever asks, whole and in one piece; and the end of an account, which
 * takes with it all that is not needed to prove what was done (SW-9.1-7b). */
#include "api/api.h"
#include "base/clock.h"
#include "consent/consent.h"
#include "notices/notices.h"

#define ROWS_MAX 10000 /* of one kind */

static const struct {
    const struct resource *res;
    const char *column;
    bool of_subject; /* the column holds the value of owner columns, not the account's id */
} held[] = {
    {&grants_resource, "owner", true},         {&grant_requests_resource, "owner", true},
    {&licences_resource, "owner", true},       {&closures_resource, "owner", true},
    {&audiences_resource, "owner", true},      {&confirmations_resource, "user_id", false},
    {&corrections_resource, "user_id", false}, {&notices_resource, "user_id", false},
};

static enum problem collect(struct rest_call *c, struct change *ch)
{
    json_t *list = ch->arg;

    if (json_array_size(list) >= ROWS_MAX) {
        return rest_fail(c, PROBLEM_QUERY_TOO_LARGE, "", "more than %d of the %s: read them there",
                         ROWS_MAX, ch->res->plural);
    }
    json_array_append_new(list, row_public(ch->res, ch->row));
    return PROBLEM_OK;
}

static json_t *time_text(int64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    clock_format_ms((uint64_t)ms, text);
    return json_string(text);
}

static enum problem add_sessions(struct rest_call *c, struct store_txn *txn, json_t *list)
{
    static const char sql[] = "SELECT id, scenario, signed_in_at, used_at, expires_at FROM "
                              "sessions WHERE user_id = ? ORDER BY created_at LIMIT 1000";
    const struct store_value v = store_text(c->user.id);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o, s:o, s:o}", "id", store_get_text(rows, 0),
                                        "scenario", store_get_text(rows, 1), "signed_in_at",
                                        time_text(store_get_int(rows, 2)), "used_at",
                                        time_text(store_get_int(rows, 3)), "expires_at",
                                        time_text(store_get_int(rows, 4))));
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem gather(struct rest_call *c, struct store_txn *txn, json_t *all)
{
    json_t *account = NULL;
    enum problem p = api_load(c, txn, &users_resource, c->user.id, &account);

    if (p == PROBLEM_OK) {
        json_object_set_new(all, "account", row_public(&users_resource, account));
    }
    json_decref(account);
    for (size_t i = 0; i < COUNT(held) && p == PROBLEM_OK; i++) {
        const char *value = held[i].of_subject ? c->user.subject : c->user.id;
        json_t *list = json_array();
        json_object_set_new(all, held[i].res->plural, list);
        if (value[0]) {
            p = row_each(c, txn, held[i].res, held[i].column, value, collect, list);
        }
    }
    json_t *sessions = json_array();
    json_object_set_new(all, "sessions", sessions);
    return p == PROBLEM_OK ? add_sessions(c, txn, sessions) : p;
}

enum problem rest_me_data(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *all = json_object();
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = gather(c, txn, all);
        store_rollback(&txn);
    }
    if (p != PROBLEM_OK) {
        json_decref(all);
        return p;
    }
    json_object_set_new(all, "at", time_text((int64_t)c->now_ms));
    return rest_answer(c, 200, all);
}

/* The end of an account --------------------------------------------------------------------------
 */
static json_t *emptied(const json_t *old)
{
    static const char *const gone[] = {
        "display_name",        "email",       "phone_sealed",        "real_name_sealed",
        "id_number_sealed",    "totp_sealed", "totp_pending_sealed", "certificate_subject",
        "certificate_trust_id"};
    json_t *row = json_deep_copy(old);

    for (size_t i = 0; i < COUNT(gone); i++) {
        json_object_set_new(row, gone[i], json_null());
    }
    json_object_set_new(row, "totp", json_false());
    json_object_set_new(row, "password_hash", json_string("-")); /* fits no password */
    json_object_set_new(row, "state", json_string("closed"));
    return row;
}

static enum problem end_account(struct rest_call *c, struct store_txn *txn)
{
    json_t *old = NULL, *row = NULL;
    enum problem p = api_load(c, txn, &users_resource, c->user.id, &old);

    if (p == PROBLEM_OK && c->user.subject[0]) {
        p = closures_close(c, txn, NULL, "close-1: the account");
    }
    if (p == PROBLEM_OK) {
        row = emptied(old);
        p = change_store(c, txn, &users_resource, old, row, "close");
    }
    json_decref(old);
    json_decref(row);
    return p;
}

enum problem rest_me_close(struct rest_call *c)
{
    static const char *const members[] = {"login", NULL};
    struct store_txn *txn = NULL;
    enum problem p = rest_body_members(c, members);
    const char *login = p == PROBLEM_OK ? rest_body_text(c, "login", 128, &p) : NULL;

    if (p == PROBLEM_OK && c->user.role != ROLE_OWNER) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "",
                         "an account of an organisation is closed by an administrator");
    }
    if (p == PROBLEM_OK && strcmp(login, c->user.login) != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/login", "write your own login, to be sure");
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, end_account(c, txn));
    }
    c->resp->status = 204;
    return p;
}
