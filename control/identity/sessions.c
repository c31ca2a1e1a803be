/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions. The store knows only the SM3 of a token; the public id names a session in lists, logs
 * and tokens. Each carries the times of its scenario, fixed when it began. */
#include <stdio.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/codec.h"
#include "identity/inner.h"
#include "oauth/oauth.h"
#include "peers/peers.h"
#include "web/web.h"

#define TOUCH_MS 60000u /* a session's last use is written at most this often */

json_t *factor_names(unsigned factors)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        {TOKEN_PASSWORD, "password"}, {TOKEN_OTP, "otp"}, {TOKEN_USER_CERTIFICATE, "certificate"}};
    json_t *out = json_array();

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (factors & names[i].bit) {
            json_array_append_new(out, json_string(names[i].name));
        }
    }
    return out;
}

/* Beginning ------------------------------------------------------------------------------------
 */
enum problem session_start(struct rest_call *c, struct store_txn *txn, const struct attempt *a,
                           const char *token)
{
    static const char insert[] =
        "INSERT INTO sessions (token_sm3, user_id, created_at, used_at, expires_at, id, factors, "
        "scenario, idle_ms, signed_in_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    int64_t now = (int64_t)c->now_ms;
    uint8_t digest[CRYPTO_HASH_LEN];

    uuid_new_text(c->user.session);
    c->user.factors = (uint8_t)a->factors;
    c->user.signed_in_ms = c->now_ms;
    crypto_hash(CRYPTO_SM3, token, strlen(token), digest);
    const struct store_value v[] = {store_blob(digest, sizeof digest),
                                    store_text(row_text(a->user, "id")),
                                    store_int(now),
                                    store_int(now),
                                    store_int(now + (int64_t)a->times.absolute_ms),
                                    store_text(c->user.session),
                                    store_int(a->factors),
                                    store_text(a->in->scenario ? a->in->scenario : "portal"),
                                    store_int((int64_t)a->times.idle_ms),
                                    store_int(now)};
    const struct store_value gone[] = {store_int(now), store_int(now)};
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = a->in->login,
                                 .action = "sign-in",
                                 .kind = "session",
                                 .id = c->user.session};
    enum store_err err = store_exec(txn, insert, v, 10, NULL);
    if (err == STORE_OK) {
        err = store_exec(txn, "DELETE FROM sessions WHERE expires_at < ? OR used_at + idle_ms < ?",
                         gone, 2, NULL);
    }
    if (err == STORE_OK) {
        err = log_operation(txn, &op);
    }
    return rest_store_problem(c, err);
}

static enum problem mark_vouched(struct rest_call *c, struct store_txn *txn,
                                 const struct identity_voucher *v)
{
    const struct store_value values[] = {store_text(v->peer_id), store_text(v->peer_sid),
                                         store_int((int64_t)v->signed_in_ms),
                                         store_text(c->user.session)};

    c->user.signed_in_ms = v->signed_in_ms;
    return rest_store_problem(
        c, store_exec(
               txn, "UPDATE sessions SET peer_id = ?, peer_sid = ?, signed_in_at = ? WHERE id = ?",
               values, 4, NULL));
}

enum problem identity_vouch(struct rest_call *c, struct store_txn *txn,
                            const struct identity_voucher *v, char token[static SESSION_TOKEN_TEXT])
{
    const struct sign_in in = {.login = row_text(v->user, "login"), .scenario = "oauth"};
    struct attempt a = {.in = &in, .user = (json_t *)v->user, .factors = v->factors};
    enum problem p = session_times_get(c, txn, in.scenario, &a.times);

    crypto_random_text(token);
    if (p == PROBLEM_OK) {
        p = session_start(c, txn, &a, token);
    }
    return p == PROBLEM_OK ? mark_vouched(c, txn, v) : p;
}

/* Use ------------------------------------------------------------------------------------------
 */
struct loaded {
    uint64_t used_ms, idle_ms, due_ms;
    bool verification, live;
    char rule[16]; /* of the setting second-factor */
};

static void copy_text(char *out, size_t room, const char *text)
{
    snprintf(out, room, "%s", text ? text : "");
}

static void read_session(struct rest_call *c, struct store_rows *rows, struct loaded *l)
{
    l->used_ms = (uint64_t)store_get_int(rows, 6);
    l->idle_ms = (uint64_t)store_get_int(rows, 8);
    l->due_ms = (uint64_t)store_get_int(rows, 9);
    l->live = c->now_ms < (uint64_t)store_get_int(rows, 7) && c->now_ms < l->used_ms + l->idle_ms;
    copy_text(c->user.id, sizeof c->user.id, store_get_text(rows, 0));
    copy_text(c->user.login, sizeof c->user.login, store_get_text(rows, 1));
    c->user.role = rest_role_by_name(store_get_text(rows, 2));
    copy_text(c->user.organisation, sizeof c->user.organisation, store_get_text(rows, 3));
    copy_text(c->user.subject, sizeof c->user.subject, store_get_text(rows, 4));
    c->user.must_change_password = store_get_int(rows, 5) != 0;
    copy_text(c->user.session, sizeof c->user.session, store_get_text(rows, 10));
    c->user.factors = (uint8_t)store_get_int(rows, 11);
    c->user.signed_in_ms = (uint64_t)store_get_int(rows, 12);
    l->verification = strcmp(store_get_text(rows, 13), "verification") == 0;
    copy_text(l->rule, sizeof l->rule, store_get_text(rows, 14));
    const char *separation = store_get_text(rows, 15);
    c->user.duty = (uint8_t)access_duty_of(store_get_text(rows, 2),
                                           separation && strcmp(separation, "on") == 0);
    c->user.parties = access_parties(store_is_null(rows, 16) ? NULL : store_get_text(rows, 16));
}

static enum problem load_session(struct rest_call *c, struct store_txn *txn, struct loaded *l)
{
    static const char sql[] =
        "SELECT u.id, u.login, u.role, u.organisation_id, u.subject, u.password_change_required, "
        "s.used_at, s.expires_at, s.idle_ms, coalesce(u.verify_due_at, 0), s.id, s.factors, "
        "s.signed_in_at, s.scenario, "
        "(SELECT value FROM identity_settings WHERE name = 'second-factor'), "
        "(SELECT value FROM identity_settings WHERE name = 'separation'), o.parties "
        "FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN organisations o ON o.id = "
        "u.organisation_id "
        "WHERE s.token_sm3 = ? AND u.state = 'active'";
    const struct store_value v = store_blob(c->user.token_sm3, CRYPTO_HASH_LEN);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    if (err == STORE_OK && store_next(rows)) {
        read_session(c, rows, l);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    if (err != STORE_OK) {
        return rest_store_problem(c, err);
    }
    return l->live && c->user.role ? PROBLEM_OK : PROBLEM_NOT_SIGNED_IN;
}

/* What the user has to do before anything else is answered. Judged at each use, so that a setting
 * or a date that comes bites live sessions too. */
static enum problem restrict_user(struct rest_call *c, const struct loaded *l)
{
    bool one = (c->user.factors & (c->user.factors - 1)) == 0;
    bool asked = strcmp(l->rule, "all") == 0 ||
                 (strcmp(l->rule, "staff") == 0 && (c->user.role & ROLE_STAFF));

    c->user.restricted = PROBLEM_OK;
    if (l->due_ms && l->due_ms <= c->now_ms) {
        c->user.restricted = PROBLEM_IDENTITY_UNVERIFIED;
        return l->verification ? PROBLEM_OK : PROBLEM_NOT_SIGNED_IN;
    }
    asked = asked || (c->ctl->cfg->admin_second_factor && (c->user.role & ROLE_STAFF));
    if (asked && one) {
        c->user.restricted = PROBLEM_SECOND_FACTOR_REQUIRED;
    }
    return PROBLEM_OK;
}

static void touch(struct rest_call *c)
{
    const struct store_value v[] = {store_int((int64_t)c->now_ms),
                                    store_blob(c->user.token_sm3, CRYPTO_HASH_LEN)};
    struct store_txn *txn = NULL;

    if (store_begin(c->ctl->store, STORE_WRITE, &txn) != STORE_OK) {
        return;
    }
    /* A full store lets a session age; that is the worst of it. */
    if (store_exec(txn, "UPDATE sessions SET used_at = ? WHERE token_sm3 = ?", v, 2, NULL) !=
            STORE_OK ||
        store_commit(&txn) != STORE_OK) {
        store_rollback(&txn);
    }
}

enum problem identity_act_as(struct rest_call *c, struct store_txn *txn, const char *user)
{
    static const char sql[] =
        "SELECT u.id, u.login, u.role, u.organisation_id, u.subject, o.parties FROM users u LEFT "
        "JOIN organisations o ON o.id = u.organisation_id WHERE (u.id = ? OR u.login = ?) AND "
        "u.state = 'active'";
    const struct store_value v[] = {store_text(user), store_text(user)};
    struct store_rows *rows = NULL;
    bool separation = access_separation(txn);
    enum store_err err = store_query(txn, sql, v, 2, &rows);

    c->user = (struct rest_user){0};
    if (err == STORE_OK && store_next(rows)) {
        copy_text(c->user.id, sizeof c->user.id, store_get_text(rows, 0));
        copy_text(c->user.login, sizeof c->user.login, store_get_text(rows, 1));
        c->user.role = rest_role_by_name(store_get_text(rows, 2));
        c->user.duty = (uint8_t)access_duty_of(store_get_text(rows, 2), separation);
        copy_text(c->user.organisation, sizeof c->user.organisation, store_get_text(rows, 3));
        copy_text(c->user.subject, sizeof c->user.subject, store_get_text(rows, 4));
        c->user.parties = access_parties(store_is_null(rows, 5) ? NULL : store_get_text(rows, 5));
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    if (p == PROBLEM_OK && !c->user.role) {
        p = PROBLEM_NOT_SIGNED_IN;
    }
    return p == PROBLEM_OK ? access_load(c, txn, c->user.id, &c->held) : p;
}

static enum problem by_token(struct rest_call *c, const char *token)
{
    struct store_txn *txn = NULL;
    struct loaded l = {0};

    if (strlen(token) != CODEC_BASE64URL_LEN(TOKEN_BYTES)) {
        return PROBLEM_NOT_SIGNED_IN;
    }
    crypto_hash(CRYPTO_SM3, token, strlen(token), c->user.token_sm3);
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = load_session(c, txn, &l);
    if (p == PROBLEM_OK) {
        p = access_check_address(c, txn, c->user.role, NULL);
    }
    if (p == PROBLEM_OK) {
        access_held_free(&c->held);
        p = access_load(c, txn, c->user.id, &c->held);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        p = restrict_user(c, &l);
    }
    if (p != PROBLEM_OK) {
        c->user = (struct rest_user){0};
        access_held_free(&c->held);
    } else if (c->now_ms > l.used_ms + (l.idle_ms / 4 < TOUCH_MS ? l.idle_ms / 4 : TOUCH_MS)) {
        touch(c);
    }
    return p;
}

enum problem identity_session(struct rest_call *c, const char *token)
{
    enum problem p = by_token(c, token);

    return p == PROBLEM_OK ? c->user.restricted : p;
}

/* Also lets in who is restricted: rest/call.c holds them to the few routes that lift it. */
enum problem rest_authenticate(struct rest_call *c)
{
    static const char scheme[] = "Bearer ";
    const char *header = c->req->authorization;
    char token[SESSION_TOKEN_TEXT];

    if (!header && web_portal_session(c, token)) {
        enum problem p = by_token(c, token);
        crypto_wipe(token, sizeof token);
        return p;
    }
    if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0) {
        return PROBLEM_NOT_SIGNED_IN;
    }
    return by_token(c, header + sizeof scheme - 1);
}

/* End ------------------------------------------------------------------------------------------
 */
enum problem identity_session_end(struct rest_call *c, struct store_txn *txn,
                                  const char *session_id)
{
    const struct store_value v = store_text(session_id);
    const struct oauth_revocation tokens = {.session_id = session_id};
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login[0] ? c->user.login : "platform",
                                 .action = "sign-out",
                                 .kind = "session",
                                 .id = session_id};
    int64_t changed = 0;
    enum problem p = peers_note_logout(c, txn, session_id);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_exec(txn, "DELETE FROM sessions WHERE id = ?", &v, 1, &changed);
    if (err == STORE_OK && changed) {
        err = log_operation(txn, &op);
    }
    p = rest_store_problem(c, err);
    return p == PROBLEM_OK && changed ? oauth_revoke(c, txn, &tokens) : p;
}

#define END_BATCH 64

/* Some of the ids, since rows cannot be deleted while they are read. */
static enum problem some_of(struct rest_call *c, struct store_txn *txn, const char *user_id,
                            const char *keep, char ids[static END_BATCH][UUID_TEXT_LEN + 1],
                            size_t *n)
{
    const struct store_value v[] = {store_text(user_id), store_text(keep ? keep : ""),
                                    store_int(END_BATCH)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn, "SELECT id FROM sessions WHERE user_id = ? AND id <> ? LIMIT ?", v, 3, &rows);

    *n = 0;
    while (err == STORE_OK && *n < END_BATCH && store_next(rows)) {
        copy_text(ids[*n], UUID_TEXT_LEN + 1, store_get_text(rows, 0));
        (*n)++;
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem identity_sessions_end(struct rest_call *c, struct store_txn *txn, const char *user_id,
                                   const char *keep)
{
    char ids[END_BATCH][UUID_TEXT_LEN + 1];
    size_t n = 0;
    enum problem p;

    do {
        p = some_of(c, txn, user_id, keep, ids, &n);
        for (size_t i = 0; p == PROBLEM_OK && i < n; i++) {
            p = identity_session_end(c, txn, ids[i]);
        }
    } while (p == PROBLEM_OK && n == END_BATCH);
    return p;
}

enum problem rest_session_delete(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = rest_finish(c, &txn, identity_session_end(c, txn, c->user.session));
    c->resp->status = 204;
    return p;
}

/* List and end by id --------------------------------------------------------------------------- */
static json_t *time_text(int64_t ms)
{
    char text[CLOCK_RFC3339_LEN + 1];

    clock_format_ms((uint64_t)ms, text);
    return json_string(text);
}

static json_t *session_json(const struct rest_call *c, struct store_rows *rows)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b}", "id", store_get_text(rows, 0),
                     "user_id", store_get_text(rows, 1), "scenario", store_get_text(rows, 2),
                     "factors", factor_names((unsigned)store_get_int(rows, 3)), "signed_in_at",
                     time_text(store_get_int(rows, 4)), "used_at",
                     time_text(store_get_int(rows, 5)), "expires_at",
                     time_text(store_get_int(rows, 6)), "current",
                     strcmp(store_get_text(rows, 0), c->user.session) == 0);
}

/* One's own; an administrator also those of user_id. */
enum problem rest_sessions_list(struct rest_call *c)
{
    static const char *const names[] = {"user_id"};
    static const char sql[] = "SELECT id, user_id, scenario, factors, signed_in_at, used_at, "
                              "expires_at FROM sessions WHERE user_id = ? AND expires_at > ? AND "
                              "used_at + idle_ms > ? ORDER BY created_at DESC LIMIT 200";
    const char *user = rest_query(c, "user_id");
    const struct store_value v[] = {store_text(user ? user : c->user.id),
                                    store_int((int64_t)c->now_ms), store_int((int64_t)c->now_ms)};
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    json_t *items = json_array();
    enum problem p = rest_query_known(c, names, 1, "user_id is understood");

    if (p == PROBLEM_OK && user && strcmp(user, c->user.id) != 0 &&
        !access_may(c, "sessions.read")) {
        p = PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    enum store_err err = store_query(txn, sql, v, 3, &rows);
    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(items, session_json(c, rows));
    }
    p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    store_rollback(&txn);
    json_t *page = json_pack("{s:o}", "items", items);
    if (p != PROBLEM_OK) {
        json_decref(page);
        return p;
    }
    return rest_answer(c, 200, page);
}

/* Whether the session is there and the caller may end it. */
static enum problem check_owner(struct rest_call *c, struct store_txn *txn, const char *id)
{
    const struct store_value v = store_text(id);
    struct store_rows *rows = NULL;
    bool mine = false;
    enum store_err err =
        store_query(txn, "SELECT user_id FROM sessions WHERE id = ?", &v, 1, &rows);

    if (err == STORE_OK && store_next(rows)) {
        mine = access_may(c, "sessions.end") || strcmp(store_get_text(rows, 0), c->user.id) == 0;
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    return err != STORE_OK ? rest_store_problem(c, err) : mine ? PROBLEM_OK : PROBLEM_NOT_FOUND;
}

enum problem rest_session_end(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = check_owner(c, txn, c->segment[1]);
    if (p == PROBLEM_OK) {
        p = identity_session_end(c, txn, c->segment[1]);
    }
    c->resp->status = 204;
    return rest_finish(c, &txn, p);
}

enum problem rest_user_sessions_end(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *user = NULL;

    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, resource_by_plural("users"), c->segment[1], false, &user);
    if (p == PROBLEM_OK && !user) {
        p = PROBLEM_NOT_FOUND;
    }
    json_decref(user);
    if (p == PROBLEM_OK) {
        p = identity_sessions_end(c, txn, c->segment[1], NULL);
    }
    c->resp->status = 204;
    return rest_finish(c, &txn, p);
}
