/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in and sessions. The store knows only the SM3 of a token. An unknown login costs and answers
 * what a wrong password does; failures are counted by login, known or not, and make the next
 * attempt wait longer and longer. */
#include <semaphore.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/utf8.h"
#include "rest/resource.h"

#define TOKEN_BYTES       32
#define IDLE_MS           (30ull * 60 * 1000)
#define ABSOLUTE_MS       (12ull * 3600 * 1000)
#define TOUCH_MS          60000 /* a session's last use is written at most this often */
#define FAILURES_FREE     5
#define BACKOFF_MS        30000ull
#define BACKOFF_DOUBLINGS 5
#define FAILURES_KEEP_MS  (24ull * 3600 * 1000)
#define PASSWORD_MIN      12   /* characters */
#define PASSWORD_MAX      1024 /* bytes */

enum problem rest_password_check(struct rest_call *c, const char *where, const char *password,
                                 const char *login)
{
    struct slice s = slice_str(password);
    size_t characters = 0;

    if (s.n > PASSWORD_MAX || strcmp(password, login) == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "a password has at most %d bytes and is not the login", PASSWORD_MAX);
    }
    for (size_t step; s.n > 0 && (step = utf8_char(s)) > 0; characters++) {
        s = slice_of(s.p + step, s.n - step);
    }
    if (characters < PASSWORD_MIN) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "a password has at least %d characters",
                         PASSWORD_MIN);
    }
    return PROBLEM_OK;
}

/* Sessions ----------------------------------------------------------------------------------------
 */
static void copy_text(char *out, size_t room, const char *text)
{
    snprintf(out, room, "%s", text ? text : "");
}

static enum problem load_session(struct rest_call *c, struct store_txn *txn, uint64_t *used_at)
{
    static const char sql[] = "SELECT u.id, u.login, u.role, u.organisation_id, u.subject, "
                              "u.password_change_required, s.used_at, s.expires_at "
                              "FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_sm3 "
                              "= ? AND u.state = 'active'";
    const struct store_value v = store_blob(c->user.token_sm3, CRYPTO_HASH_LEN);
    struct store_rows *rows = NULL;
    bool live = false;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    if (err == STORE_OK && store_next(rows)) {
        *used_at = (uint64_t)store_get_int(rows, 6);
        live = c->now_ms < (uint64_t)store_get_int(rows, 7) && c->now_ms < *used_at + IDLE_MS;
        copy_text(c->user.id, sizeof c->user.id, store_get_text(rows, 0));
        copy_text(c->user.login, sizeof c->user.login, store_get_text(rows, 1));
        c->user.role = rest_role_by_name(store_get_text(rows, 2));
        copy_text(c->user.organisation, sizeof c->user.organisation, store_get_text(rows, 3));
        copy_text(c->user.subject, sizeof c->user.subject, store_get_text(rows, 4));
        c->user.must_change_password = store_get_int(rows, 5) != 0;
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    if (err != STORE_OK) {
        return rest_store_problem(c, err);
    }
    return live && c->user.role ? PROBLEM_OK : PROBLEM_NOT_SIGNED_IN;
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

enum problem rest_authenticate(struct rest_call *c)
{
    static const char scheme[] = "Bearer ";
    const char *header = c->req->authorization;
    struct store_txn *txn = NULL;
    uint64_t used_at = 0;

    if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0) {
        return PROBLEM_NOT_SIGNED_IN;
    }
    const char *token = header + sizeof scheme - 1;
    if (strlen(token) != CODEC_BASE64URL_LEN(TOKEN_BYTES)) {
        return PROBLEM_NOT_SIGNED_IN;
    }
    crypto_hash(CRYPTO_SM3, token, strlen(token), c->user.token_sm3);
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = load_session(c, txn, &used_at);
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        c->user.role = 0;
    } else if (c->now_ms > used_at + TOUCH_MS) {
        touch(c);
    }
    return p;
}

/* Sign-in -----------------------------------------------------------------------------------------
 */
struct attempt {
    const char *login, *password;
    uint8_t login_sm3[CRYPTO_HASH_LEN];
    json_t *user; /* NULL: unknown, or not active */
    int64_t failures;
    uint64_t until_ms;
};

static enum problem load_failures(struct rest_call *c, struct store_txn *txn, struct attempt *a)
{
    const struct store_value v = store_blob(a->login_sm3, CRYPTO_HASH_LEN);
    struct store_rows *rows = NULL;
    enum store_err err = store_query(
        txn, "SELECT failures, until_at FROM sign_in_failures WHERE login_sm3 = ?", &v, 1, &rows);

    if (err == STORE_OK && store_next(rows)) {
        a->failures = store_get_int(rows, 0);
        a->until_ms = (uint64_t)store_get_int(rows, 1);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    return rest_store_problem(c, err);
}

static enum problem load_user(struct rest_call *c, struct store_txn *txn, struct attempt *a)
{
    const struct store_value v = store_text(a->login);
    struct store_rows *rows = NULL;
    const struct resource *users = resource_by_plural("users");
    struct buf sql;

    buf_init(&sql);
    buf_adds(&sql, "SELECT ");
    row_columns(users, &sql);
    buf_adds(&sql, " FROM users WHERE login = ? AND state = 'active'");
    buf_addc(&sql, '\0');
    enum store_err err = sql.failed ? STORE_EIO : store_query(txn, sql.p, &v, 1, &rows);
    if (err == STORE_OK && store_next(rows)) {
        a->user = row_read(users, rows);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    buf_fini(&sql);
    return rest_store_problem(c, err);
}

static enum problem too_many(struct rest_call *c, uint64_t until_ms)
{
    c->resp->retry_after_s = (unsigned)((until_ms - c->now_ms + 999) / 1000);
    return rest_fail(c, PROBLEM_TOO_MANY_ATTEMPTS, "", "try again in %u seconds",
                     c->resp->retry_after_s);
}

/* argon2 takes tens of megabytes: a few at a time, whatever the number of threads. */
static sem_t hashing;
static pthread_once_t hashing_once = PTHREAD_ONCE_INIT;
static char dummy_phc[CRYPTO_PASSWORD_MAX];

static void hashing_init(void)
{
    sem_init(&hashing, 0, 2);
    crypto_password_hash(SLICE("nobody has this password"), dummy_phc);
}

static bool verify(const char *phc, const char *password)
{
    pthread_once(&hashing_once, hashing_init);
    while (sem_wait(&hashing) != 0) {
    }
    bool ok = crypto_password_verify(phc ? phc : dummy_phc, slice_str(password)) == CRYPTO_OK;
    sem_post(&hashing);
    return ok && phc;
}

static enum problem note_failure(struct rest_call *c, const struct attempt *a)
{
    struct store_txn *txn = NULL;
    int64_t failures = a->failures + 1, doublings = failures - FAILURES_FREE;
    uint64_t until = 0;

    if (doublings >= 0) {
        until = c->now_ms +
                (BACKOFF_MS << (doublings < BACKOFF_DOUBLINGS ? doublings : BACKOFF_DOUBLINGS));
    }
    const struct store_value v[] = {store_blob(a->login_sm3, CRYPTO_HASH_LEN), store_int(failures),
                                    store_int((int64_t)c->now_ms), store_int((int64_t)until)};
    const struct store_value old = store_int((int64_t)(c->now_ms - FAILURES_KEEP_MS));
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    /* Counted in the store, not from what this thread read: two attempts at once are two. */
    enum store_err err =
        store_exec(txn,
                   "INSERT INTO sign_in_failures (login_sm3, failures, last_at, until_at) VALUES "
                   "(?, ?, ?, ?) ON CONFLICT (login_sm3) DO UPDATE "
                   "SET failures = failures + 1, last_at = excluded.last_at, until_at = "
                   "max(until_at, excluded.until_at)",
                   v, 4, NULL);
    if (err == STORE_OK) {
        err = store_exec(txn, "DELETE FROM sign_in_failures WHERE last_at < ?", &old, 1, NULL);
    }
    return rest_finish(c, &txn, rest_store_problem(c, err));
}

static enum problem start_session(struct rest_call *c, struct attempt *a, const char *token)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    const char *id = row_text(a->user, "id");
    struct store_txn *txn = NULL;
    int64_t now = (int64_t)c->now_ms;

    crypto_hash(CRYPTO_SM3, token, strlen(token), digest);
    const struct store_value v[] = {store_blob(digest, sizeof digest), store_text(id),
                                    store_int(now), store_int(now),
                                    store_int(now + (int64_t)ABSOLUTE_MS)};
    const struct store_value login = store_blob(a->login_sm3, CRYPTO_HASH_LEN);
    const struct store_value gone[] = {store_int(now), store_int(now - (int64_t)IDLE_MS)};
    const struct operation op = {
        .at_ms = c->now_ms, .actor = a->login, .action = "sign-in", .kind = "session", .id = id};
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_exec(txn,
                                    "INSERT INTO sessions (token_sm3, user_id, created_at, "
                                    "used_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                                    v, 5, NULL);
    if (err == STORE_OK) {
        err = store_exec(txn, "DELETE FROM sign_in_failures WHERE login_sm3 = ?", &login, 1, NULL);
    }
    if (err == STORE_OK) {
        err = store_exec(txn, "DELETE FROM sessions WHERE expires_at < ? OR used_at < ?", gone, 2,
                         NULL);
    }
    if (err == STORE_OK) {
        err = log_operation(txn, &op);
    }
    return rest_finish(c, &txn, rest_store_problem(c, err));
}

static enum problem answer_session(struct rest_call *c, const struct attempt *a)
{
    uint8_t random[TOKEN_BYTES];
    char token[CODEC_BASE64URL_LEN(TOKEN_BYTES) + 1], until[CLOCK_RFC3339_LEN + 1];

    crypto_random(random, sizeof random);
    token[codec_base64url(token, random, sizeof random)] = '\0';
    crypto_wipe(random, sizeof random);
    enum problem p = start_session(c, (struct attempt *)a, token);
    if (p == PROBLEM_OK) {
        clock_format_ms(c->now_ms + ABSOLUTE_MS, until);
        json_t *user = row_public(resource_by_plural("users"), a->user);
        p = rest_answer(c, 201,
                        json_pack("{s:s, s:s, s:o, s:O}", "token", token, "expires_at", until,
                                  "user", user, "password_change_required",
                                  json_object_get(a->user, "password_change_required")));
    }
    crypto_wipe(token, sizeof token);
    return p;
}

static enum problem load_attempt(struct rest_call *c, struct attempt *a)
{
    struct store_txn *txn = NULL;

    crypto_hash(CRYPTO_SM3, a->login, strlen(a->login), a->login_sm3);
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = load_failures(c, txn, a);
    if (p == PROBLEM_OK) {
        p = load_user(c, txn, a);
    }
    store_rollback(&txn);
    return p;
}

enum problem rest_session_create(struct rest_call *c)
{
    static const char *const members[] = {"login", "password", NULL};
    struct attempt a = {0};
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        a.login = rest_body_text(c, "login", 128, &p);
    }
    if (p == PROBLEM_OK) {
        a.password = rest_body_text(c, "password", PASSWORD_MAX, &p);
    }
    if (p == PROBLEM_OK) {
        p = load_attempt(c, &a);
    }
    if (p == PROBLEM_OK && a.until_ms > c->now_ms) {
        p = too_many(c, a.until_ms);
    } else if (p == PROBLEM_OK) {
        bool ok = verify(a.user ? row_text(a.user, "password_hash") : NULL, a.password);
        p = ok ? answer_session(c, &a) : note_failure(c, &a);
        p = ok || p != PROBLEM_OK ? p : PROBLEM_SIGN_IN_FAILED;
    }
    json_decref(a.user);
    return p;
}

enum problem rest_session_delete(struct rest_call *c)
{
    const struct store_value v = store_blob(c->user.token_sm3, CRYPTO_HASH_LEN);
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login,
                                 .action = "sign-out",
                                 .kind = "session",
                                 .id = c->user.id};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_exec(txn, "DELETE FROM sessions WHERE token_sm3 = ?", &v, 1, NULL);
    if (err == STORE_OK) {
        err = log_operation(txn, &op);
    }
    p = rest_finish(c, &txn, rest_store_problem(c, err));
    c->resp->status = 204;
    return p;
}

/* Oneself -----------------------------------------------------------------------------------------
 */
static enum problem load_me(struct rest_call *c, json_t **row)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, resource_by_plural("users"), c->user.id, false, row);
    store_rollback(&txn);
    return p == PROBLEM_OK && !*row ? PROBLEM_NOT_SIGNED_IN : p;
}

enum problem rest_me_get(struct rest_call *c)
{
    json_t *row = NULL;
    enum problem p = load_me(c, &row);

    if (p == PROBLEM_OK) {
        p = resource_answer(c, resource_by_plural("users"), row, 200);
    }
    json_decref(row);
    return p;
}

static enum problem store_password(struct rest_call *c, const char *phc)
{
    const struct resource *users = resource_by_plural("users");
    struct store_txn *txn = NULL;
    json_t *old = NULL, *row = NULL;
    int64_t now = (int64_t)c->now_ms;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, users, c->user.id, false, &old);
    if (p == PROBLEM_OK) {
        row = json_deep_copy(old);
        json_object_set_new(row, "password_hash", json_string(phc));
        json_object_set_new(row, "password_change_required", json_false());
        p = old ? change_store(c, txn, users, old, row, "change-password") : PROBLEM_NOT_SIGNED_IN;
    }
    /* The change signed everyone out; this session, which knew the old password, goes on. */
    const struct store_value v[] = {store_blob(c->user.token_sm3, CRYPTO_HASH_LEN),
                                    store_text(c->user.id), store_int(now), store_int(now),
                                    store_int(now + (int64_t)ABSOLUTE_MS)};
    if (p == PROBLEM_OK) {
        p = rest_store_problem(c,
                               store_exec(txn,
                                          "INSERT INTO sessions (token_sm3, user_id, created_at, "
                                          "used_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                                          v, 5, NULL));
    }
    json_decref(old);
    json_decref(row);
    return rest_finish(c, &txn, p);
}

static enum problem check_old(struct rest_call *c, const char *old)
{
    json_t *row = NULL;
    struct attempt a = {.login = c->user.login};
    enum problem p = load_attempt(c, &a);

    json_decref(a.user);
    if (p == PROBLEM_OK && a.until_ms > c->now_ms) {
        return too_many(c, a.until_ms);
    }
    if (p == PROBLEM_OK) {
        p = load_me(c, &row);
    }
    if (p == PROBLEM_OK && !verify(row_text(row, "password_hash"), old)) {
        p = note_failure(c, &a);
        p = p == PROBLEM_OK
                ? rest_fail(c, PROBLEM_SIGN_IN_FAILED, "/old_password", "the old password is wrong")
                : p;
    }
    json_decref(row);
    return p;
}

enum problem rest_me_password(struct rest_call *c)
{
    static const char *const members[] = {"old_password", "new_password", NULL};
    const char *old = NULL, *new = NULL;
    char phc[CRYPTO_PASSWORD_MAX];
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        old = rest_body_text(c, "old_password", PASSWORD_MAX, &p);
    }
    if (p == PROBLEM_OK) {
        new = rest_body_text(c, "new_password", PASSWORD_MAX, &p);
    }
    if (p == PROBLEM_OK) {
        p = rest_password_check(c, "/new_password", new, c->user.login);
    }
    if (p == PROBLEM_OK && strcmp(old, new) == 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/new_password", "it is the old one");
    }
    if (p == PROBLEM_OK) {
        p = check_old(c, old);
    }
    if (p == PROBLEM_OK) {
        crypto_password_hash(slice_str(new), phc);
        p = store_password(c, phc);
    }
    c->resp->status = 204;
    return p;
}
