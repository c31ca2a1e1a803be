/* SPDX-License-Identifier: Apache-2.0 */
/* Second factors: an authenticator app's codes (RFC 6238), their enrolment, and adding a factor to
 * a live session (BK-7.2.1b1, BK-7.2.1b2-2). */
#include <stdio.h>

#include "crypto/totp.h"
#include "identity/inner.h"

#define URI_MAX 512

/* The step after `last` whose code this is; 0: none. */
static uint64_t step_of(const struct rest_call *c, const json_t *user, const char *attribute,
                        uint64_t last, const char *code)
{
    char secret[CRYPTO_TOTP_SECRET_LEN + 1];
    size_t n = 0;
    uint64_t step = 0;

    if (secret_open(c, user, attribute, secret, sizeof secret, &n) && n == CRYPTO_TOTP_SECRET_LEN) {
        step = crypto_totp_match((const uint8_t *)secret, slice_str(code),
                                 crypto_totp_step(c->now_ms), last);
    }
    crypto_wipe(secret, sizeof secret);
    return step;
}

/* A code counts once: of two calls with it the one whose update changes the row has won. */
enum problem otp_use(struct rest_call *c, const json_t *user, const char *code, bool *ok)
{
    static const char sql[] = "UPDATE users SET totp_last_step = ? WHERE id = ? AND "
                              "coalesce(totp_last_step, 0) < ?";
    struct store_txn *txn = NULL;
    int64_t changed = 0;
    uint64_t last = (uint64_t)json_integer_value(json_object_get(user, "totp_last_step"));
    uint64_t step = step_of(c, user, "totp_sealed", last, code);

    *ok = false;
    if (step == 0) {
        return PROBLEM_OK;
    }
    const struct store_value v[] = {store_int((int64_t)step), store_text(row_text(user, "id")),
                                    store_int((int64_t)step)};
    enum problem p = rest_begin(c, STORE_WRITE, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = rest_finish(c, &txn, rest_store_problem(c, store_exec(txn, sql, v, 3, &changed)));
    *ok = p == PROBLEM_OK && changed == 1;
    return p;
}

static enum problem load_me(struct rest_call *c, struct store_txn *txn, json_t **row)
{
    enum problem p = row_load(c, txn, resource_by_plural("users"), c->user.id, false, row);

    return p == PROBLEM_OK && !*row ? PROBLEM_NOT_SIGNED_IN : p;
}

/* Enrolment ------------------------------------------------------------------------------------
 */
static enum problem answer_uri(struct rest_call *c, const uint8_t *secret)
{
    char text[CRYPTO_TOTP_TEXT_LEN + 1], uri[URI_MAX];

    /* A login has no character that a URI would have to escape. */
    crypto_totp_text(secret, text);
    snprintf(uri, sizeof uri,
             "otpauth://totp/Sluice:%s?secret=%s&issuer=Sluice&algorithm=SHA1&digits=6&period=30",
             c->user.login, text);
    enum problem p = rest_answer(c, 201, json_pack("{s:s}", "uri", uri));
    crypto_wipe(text, sizeof text);
    crypto_wipe(uri, sizeof uri);
    return p;
}

/* The secret waits beside the one in use until a code shows that it has arrived. */
enum problem rest_totp_begin(struct rest_call *c)
{
    const struct resource *users = resource_by_plural("users");
    uint8_t secret[CRYPTO_TOTP_SECRET_LEN];
    struct store_txn *txn = NULL;
    json_t *old = NULL, *row = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    crypto_random(secret, sizeof secret);
    p = load_me(c, txn, &old);
    if (p == PROBLEM_OK && json_is_true(json_object_get(old, "totp"))) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "an authenticator is enrolled; remove it");
    }
    /* Else a stolen password would enrol its thief's authenticator past the owner's certificate. */
    if (p == PROBLEM_OK && row_text(old, "certificate_subject")[0] &&
        !(c->user.factors & TOKEN_USER_CERTIFICATE)) {
        p = rest_fail(c, PROBLEM_SECOND_FACTOR_REQUIRED, "", "show the certificate first");
    }
    if (p == PROBLEM_OK) {
        row = json_deep_copy(old);
        json_object_set_new(row, "totp_pending_sealed",
                            secret_seal(c, c->user.id, "totp_pending_sealed",
                                        slice_of((const char *)secret, sizeof secret)));
        p = change_store(c, txn, users, old, row, "begin-totp");
    }
    p = rest_finish(c, &txn, p);
    if (p == PROBLEM_OK) {
        p = answer_uri(c, secret);
    }
    crypto_wipe(secret, sizeof secret);
    json_decref(old);
    json_decref(row);
    return p;
}

/* Adds bits to the session the call came with. */
static enum problem add_factor(struct rest_call *c, struct store_txn *txn, unsigned bit)
{
    const struct store_value v[] = {store_int(c->user.factors | bit), store_text(c->user.session)};

    c->user.factors |= (uint8_t)bit;
    return rest_store_problem(
        c, store_exec(txn, "UPDATE sessions SET factors = ? WHERE id = ?", v, 2, NULL));
}

/* The pending secret under the name of the one in use. */
static enum problem promote(struct rest_call *c, struct store_txn *txn, const json_t *old,
                            uint64_t step)
{
    char secret[CRYPTO_TOTP_SECRET_LEN + 1];
    json_t *row = json_deep_copy(old);
    size_t n = 0;

    if (!secret_open(c, old, "totp_pending_sealed", secret, sizeof secret, &n)) {
        json_decref(row);
        return PROBLEM_INTERNAL;
    }
    json_object_set_new(row, "totp_sealed",
                        secret_seal(c, c->user.id, "totp_sealed", slice_of(secret, n)));
    crypto_wipe(secret, sizeof secret);
    json_object_set_new(row, "totp_pending_sealed", json_null());
    json_object_set_new(row, "totp_last_step", json_integer((json_int_t)step));
    json_object_set_new(row, "totp", json_true());
    enum problem p = change_store(c, txn, resource_by_plural("users"), old, row, "confirm-totp");
    json_decref(row);
    return p == PROBLEM_OK ? add_factor(c, txn, TOKEN_OTP) : p;
}

static enum problem confirm(struct rest_call *c, const char *code, bool *wrong)
{
    struct store_txn *txn = NULL;
    json_t *old = NULL;
    uint64_t step = 0;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = load_me(c, txn, &old);
    if (p == PROBLEM_OK && !row_text(old, "totp_pending_sealed")[0]) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "no enrolment is under way");
    }
    if (p == PROBLEM_OK) {
        step = step_of(c, old, "totp_pending_sealed", 0, code);
        *wrong = step == 0;
        p = step ? promote(c, txn, old, step) : PROBLEM_SECOND_FACTOR_INVALID;
    }
    json_decref(old);
    return rest_finish(c, &txn, p);
}

static enum problem load_waits(struct rest_call *c, struct failures *f)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    failures_of_login(f, c->user.login);
    if (p != PROBLEM_OK) {
        return p;
    }
    p = failures_load(c, txn, f);
    store_rollback(&txn);
    return p == PROBLEM_OK ? failures_wait(c, f) : p;
}

static enum problem body_code(struct rest_call *c, const char **code)
{
    static const char *const members[] = {"otp", NULL};
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        *code = rest_body_text(c, "otp", 16, &p);
    }
    return p;
}

enum problem rest_totp_confirm(struct rest_call *c)
{
    const char *code = NULL;
    struct failures f;
    bool wrong = false;
    enum problem p = body_code(c, &code);

    if (p == PROBLEM_OK) {
        p = load_waits(c, &f);
    }
    if (p == PROBLEM_OK) {
        p = confirm(c, code, &wrong);
    }
    if (wrong) {
        enum problem noted = failures_note(c, &f, true, c->user.login);
        p = noted == PROBLEM_OK ? p : noted;
    }
    c->resp->status = 204;
    return p;
}

/* Only whoever still has the authenticator removes it. */
static enum problem remove_totp(struct rest_call *c)
{
    static const char *const gone[] = {"totp_sealed", "totp_pending_sealed"};
    struct store_txn *txn = NULL;
    json_t *old = NULL, *row = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = load_me(c, txn, &old);
    if (p == PROBLEM_OK) {
        row = json_deep_copy(old);
        for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
            json_object_set_new(row, gone[i], json_null());
        }
        json_object_set_new(row, "totp", json_false());
        p = change_store(c, txn, resource_by_plural("users"), old, row, "remove-totp");
    }
    json_decref(old);
    json_decref(row);
    return rest_finish(c, &txn, p);
}

/* Step-up --------------------------------------------------------------------------------------
 */
static enum problem read_me(struct rest_call *c, json_t **user)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = load_me(c, txn, user);
    store_rollback(&txn);
    return p;
}

/* code NULL: the connection's certificate. Failures count as those of sign-in do. */
static enum problem prove_factor(struct rest_call *c, const char *code)
{
    struct failures f;
    json_t *user = NULL;
    bool ok = false;
    enum problem p = load_waits(c, &f);

    if (p == PROBLEM_OK) {
        p = read_me(c, &user);
    }
    if (p == PROBLEM_OK) {
        p = code ? otp_use(c, user, code, &ok) : certificate_matches(c, user, &ok);
    }
    if (p == PROBLEM_OK && !ok) {
        p = failures_note(c, &f, true, c->user.login);
        p = p == PROBLEM_OK ? PROBLEM_SECOND_FACTOR_INVALID : p;
    }
    json_decref(user);
    return p;
}

static enum problem keep_factor(struct rest_call *c, unsigned bit)
{
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login,
                                 .action = bit == TOKEN_OTP ? "add-otp" : "add-certificate",
                                 .kind = "session",
                                 .id = c->user.session};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = add_factor(c, txn, bit);
    return rest_finish(c, &txn,
                       p == PROBLEM_OK ? rest_store_problem(c, log_operation(txn, &op)) : p);
}

enum problem identity_step_up(struct rest_call *c, const char *otp)
{
    enum problem p = prove_factor(c, otp);

    return p == PROBLEM_OK ? keep_factor(c, TOKEN_OTP) : p;
}

enum problem rest_session_factors(struct rest_call *c)
{
    static const char *const members[] = {"otp", "certificate", NULL};
    bool certificate = json_is_true(json_object_get(c->body, "certificate"));
    const char *code = NULL;
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK && certificate == (json_object_get(c->body, "otp") != NULL)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "", "one of otp and certificate is needed");
    }
    if (p == PROBLEM_OK && !certificate) {
        code = rest_body_text(c, "otp", 16, &p);
    }
    if (p == PROBLEM_OK) {
        p = prove_factor(c, code);
    }
    if (p == PROBLEM_OK) {
        p = keep_factor(c, code ? TOKEN_OTP : TOKEN_USER_CERTIFICATE);
    }
    return p == PROBLEM_OK ? rest_answer(c, 200,
                                         json_pack("{s:s, s:o}", "id", c->user.session, "factors",
                                                   factor_names(c->user.factors)))
                           : p;
}

enum problem rest_totp_remove(struct rest_call *c)
{
    const char *code = NULL;
    enum problem p = body_code(c, &code);

    if (p == PROBLEM_OK) {
        p = prove_factor(c, code);
    }
    if (p == PROBLEM_OK) {
        p = remove_totp(c);
    }
    c->resp->status = 204;
    return p;
}
