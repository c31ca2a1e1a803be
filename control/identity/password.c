/* SPDX-License-Identifier: Apache-2.0 */
/* The password policy, argon2 in small doses, and changing one's password (SW-9.5-1c, CI-8.3b). */
#include <ctype.h>
#include <semaphore.h>
#include <stdio.h>

#include "base/utf8.h"
#include "identity/inner.h"
#include "notices/notices.h"

#define PASSWORD_MIN     12 /* characters */
#define PASSWORD_LONG    16 /* characters from which on their kinds do not matter */
#define PASSWORD_KINDS   3
#define PASSWORD_HISTORY 5

/* The commonest ones that the other rules would let pass; compared without case. */
static const char *const common[] = {
    "password1234",
    "password123!",
    "password@123",
    "passw0rd1234",
    "passw0rd123!",
    "p@ssw0rd1234",
    "p@ssw0rd123!",
    "p@ssword1234",
    "qwerty123456",
    "qwerty12345!",
    "qwertyuiop123",
    "qwertyuiop1!",
    "1qaz@wsx3edc",
    "1qaz2wsx3edc",
    "1qaz!qaz2wsx",
    "!qaz2wsx#edc",
    "zaq12wsxcde3",
    "admin123456!",
    "admin@123456",
    "administrator1",
    "administrator1!",
    "abcd12345678",
    "abc123456789",
    "abcdef123456",
    "aa123456789!",
    "aa1234567890",
    "a123456789!!",
    "welcome12345",
    "welcome123!!",
    "changeme1234",
    "changeme123!",
    "iloveyou1234",
    "letmein12345",
    "woaini123456",
    "woaini1314520",
    "test12345678",
    "root12345678",
    "superuser123",
    "huanying12345",
    "123456789abc",
    "1234567890aa",
    "12345678901234567890",
    "01234567890123456789",
    "11111111111111111111",
    "00000000000000000000",
    "88888888888888888888",
    "aaaaaaaaaaaaaaaaaaaa",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "passwordpasswordpassword",
};

static bool is_common(const char *password)
{
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
        if (strcasecmp(common[i], password) == 0) {
            return true;
        }
    }
    return false;
}

/* Of lower case, upper case, digits and the rest; characters past ASCII are a fifth kind. */
static unsigned kinds_of(const char *password)
{
    bool lower = false, upper = false, digit = false, other = false, wide = false;

    for (const unsigned char *s = (const unsigned char *)password; *s; s++) {
        wide = wide || *s >= 0x80;
        lower = lower || islower(*s);
        upper = upper || isupper(*s);
        digit = digit || isdigit(*s);
        other = other || (*s < 0x80 && !isalnum(*s));
    }
    return (unsigned)lower + upper + digit + other + wide;
}

enum problem rest_password_check(struct rest_call *c, const char *where, const char *password,
                                 const char *login)
{
    struct slice s = slice_str(password);
    size_t characters = 0;

    if (s.n > PASSWORD_MAX || strcasecmp(password, login) == 0) {
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
    if (characters < PASSWORD_LONG && kinds_of(password) < PASSWORD_KINDS) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "lower case, upper case, digits, others: %d of these kinds, or %d "
                         "characters",
                         PASSWORD_KINDS, PASSWORD_LONG);
    }
    return is_common(password) ? rest_fail(c, PROBLEM_FIELD_INVALID, where,
                                           "it is one of the passwords that are tried first")
                               : PROBLEM_OK;
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

bool password_verify(const char *phc, const char *password)
{
    pthread_once(&hashing_once, hashing_init);
    while (sem_wait(&hashing) != 0) {
    }
    bool ok = crypto_password_verify(phc ? phc : dummy_phc, slice_str(password)) == CRYPTO_OK;
    sem_post(&hashing);
    return ok && phc;
}

/* History --------------------------------------------------------------------------------------
 */
enum problem identity_password_note(struct rest_call *c, struct store_txn *txn, const char *user_id,
                                    const char *phc)
{
    static const char prune[] =
        "DELETE FROM password_history WHERE user_id = ? AND rowid NOT IN (SELECT rowid FROM "
        "password_history WHERE user_id = ? ORDER BY at DESC, rowid DESC LIMIT ?)";
    const struct store_value v[] = {store_text(user_id), store_int((int64_t)c->now_ms),
                                    store_text(phc)};
    const struct store_value w[] = {store_text(user_id), store_text(user_id),
                                    store_int(PASSWORD_HISTORY)};
    enum store_err err = store_exec(
        txn, "INSERT INTO password_history (user_id, at, password_hash) VALUES (?, ?, ?)", v, 3,
        NULL);

    return rest_store_problem(c, err == STORE_OK ? store_exec(txn, prune, w, 3, NULL) : err);
}

static enum problem load_history(struct rest_call *c, const char *user_id,
                                 char phc[static PASSWORD_HISTORY][CRYPTO_PASSWORD_MAX], size_t *n)
{
    static const char sql[] = "SELECT password_hash FROM password_history WHERE user_id = ? ORDER "
                              "BY at DESC, rowid DESC";
    const struct store_value v = store_text(user_id);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    enum store_err err = store_query(txn, sql, &v, 1, &rows);
    while (err == STORE_OK && *n < PASSWORD_HISTORY && store_next(rows)) {
        snprintf(phc[(*n)++], CRYPTO_PASSWORD_MAX, "%s", store_get_text(rows, 0));
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    store_rollback(&txn);
    return rest_store_problem(c, err);
}

enum problem password_check_history(struct rest_call *c, const char *user_id, const char *where,
                                    const char *password)
{
    char phc[PASSWORD_HISTORY][CRYPTO_PASSWORD_MAX];
    size_t n = 0;
    enum problem p = load_history(c, user_id, phc, &n);

    for (size_t i = 0; p == PROBLEM_OK && i < n; i++) {
        if (password_verify(phc[i], password)) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "it is one of the last %d",
                          PASSWORD_HISTORY);
        }
    }
    return p;
}

/* Change ---------------------------------------------------------------------------------------
 */
enum problem password_store(struct rest_call *c, const char *user_id, const char *password)
{
    char phc[CRYPTO_PASSWORD_MAX];
    const struct resource *users = resource_by_plural("users");
    const struct notice told = {.kind = "password-changed",
                                .user_id = user_id,
                                .object_kind = "user",
                                .object_id = user_id};
    struct store_txn *txn = NULL;
    json_t *old = NULL, *row = NULL;

    crypto_password_hash(slice_str(password), phc); /* slow, so before the store is locked */
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = row_load(c, txn, users, user_id, false, &old);
    if (p == PROBLEM_OK) {
        row = json_deep_copy(old);
        json_object_set_new(row, "password_hash", json_string(phc));
        json_object_set_new(row, "password_change_required", json_false());
        json_object_set_new(row, "call_verifier", account_verifier(c, row, password));
        p = old ? change_store(c, txn, users, old, row, "change-password") : PROBLEM_NOT_SIGNED_IN;
    }
    if (p == PROBLEM_OK) {
        p = notice_put(c, txn, &told);
    }
    json_decref(old);
    json_decref(row);
    return rest_finish(c, &txn, p);
}

/* A text of the body, or the same sealed under the published key in NAME_sealed. */
static enum problem body_password(struct rest_call *c, const char *name,
                                  char out[static SEALED_TEXT_MAX + 1])
{
    char sealed[32];
    bool ok = true;
    enum problem p = PROBLEM_OK;

    snprintf(sealed, sizeof sealed, "%s_sealed", name);
    if (!json_object_get(c->body, sealed)) {
        const char *plain = rest_body_text(c, name, PASSWORD_MAX, &p);
        snprintf(out, SEALED_TEXT_MAX + 1, "%s", plain ? plain : "");
        return p;
    }
    const char *text = rest_body_text(c, sealed, SEALED_TEXT_MAX, &p);
    if (p == PROBLEM_OK) {
        p = sealed_open(c, NULL, text, out, &ok);
    }
    return p == PROBLEM_OK && !ok ? PROBLEM_SIGN_IN_FAILED : p;
}

static enum problem change(struct rest_call *c, const char *old, const char *new)
{
    const struct sign_in in = {.login = c->user.login, .password = old};
    struct attempt a = {.in = &in};
    enum problem p = rest_password_check(c, "/new_password", new, c->user.login);

    if (p == PROBLEM_OK && strcmp(old, new) == 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/new_password", "it is the old one");
    }
    if (p == PROBLEM_OK) {
        p = attempt_load(c, &a);
    }
    if (p == PROBLEM_OK) {
        p = failures_wait(c, &a.login);
    }
    if (p == PROBLEM_OK &&
        !password_verify(a.user ? row_text(a.user, "password_hash") : NULL, old)) {
        p = failures_note(c, &a.login, true, c->user.login);
        p = p == PROBLEM_OK
                ? rest_fail(c, PROBLEM_SIGN_IN_FAILED, "/old_password", "the old password is wrong")
                : p;
    }
    if (p == PROBLEM_OK) {
        p = password_check_history(c, c->user.id, "/new_password", new);
    }
    if (p == PROBLEM_OK) {
        p = password_store(c, c->user.id, new);
    }
    attempt_fini(&a);
    return p;
}

enum problem rest_me_password(struct rest_call *c)
{
    static const char *const members[] = {"old_password", "new_password", "old_password_sealed",
                                          "new_password_sealed", NULL};
    char old[SEALED_TEXT_MAX + 1] = "", new[SEALED_TEXT_MAX + 1] = "";
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        p = body_password(c, "old_password", old);
    }
    if (p == PROBLEM_OK) {
        p = body_password(c, "new_password", new);
    }
    if (p == PROBLEM_OK) {
        p = change(c, old, new);
    }
    crypto_wipe(old, sizeof old);
    crypto_wipe(new, sizeof new);
    c->resp->status = 204;
    return p;
}
