/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in. An unknown login costs and answers what a wrong password does. The order is fixed: the
 * wait, the captcha, the password, the second factor; who fails at one does not learn about the
 * next. */
#include <stdio.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/codec.h"
#include "identity/inner.h"

static enum problem load_user(struct rest_call *c, struct store_txn *txn, struct attempt *a)
{
    const struct store_value v = store_text(a->in->login);
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

enum problem attempt_load(struct rest_call *c, struct attempt *a)
{
    const char *scenario = a->in->scenario ? a->in->scenario : "portal";
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    failures_of_login(&a->login, a->in->login);
    failures_of(&a->address, "address", c->req->peer_address ? c->req->peer_address : "");
    if (p != PROBLEM_OK) {
        return p;
    }
    p = failures_load(c, txn, &a->login);
    if (p == PROBLEM_OK && c->req->peer_address) {
        p = failures_load(c, txn, &a->address);
    }
    if (p == PROBLEM_OK) {
        p = setting_get(c, txn, "captcha", a->captcha_rule);
    }
    if (p == PROBLEM_OK) {
        p = session_times_get(c, txn, scenario, &a->times);
    }
    if (p == PROBLEM_OK) {
        p = load_user(c, txn, a);
    }
    store_rollback(&txn);
    return p;
}

void attempt_fini(struct attempt *a)
{
    json_decref(a->user);
    a->user = NULL;
}

/* Counts a failure and answers `wrong`. */
static enum problem failed(struct rest_call *c, const struct attempt *a, enum problem wrong)
{
    /* What was typed as a login that is none may be a password: it is not written down. */
    enum problem p = failures_note(c, &a->login, true, a->user ? a->in->login : "unknown");

    if (p == PROBLEM_OK && c->req->peer_address) {
        /* An address is slowed by captchas alone: waiting would let one shut out its neighbours. */
        p = failures_note(c, &a->address, false, NULL);
    }
    return p == PROBLEM_OK ? wrong : p;
}

static enum problem prove_captcha(struct rest_call *c, const struct attempt *a)
{
    bool ok = false, needed = strcmp(a->captcha_rule, "always") == 0 ||
                              a->login.count >= FAILURES_CAPTCHA ||
                              a->address.count >= FAILURES_CAPTCHA_ADDRESS;

    if (!needed && !a->in->captcha_id) {
        return PROBLEM_OK;
    }
    enum problem p = captcha_take(c, a->in->captcha_id, a->in->captcha, &ok);
    return p == PROBLEM_OK && !ok ? failed(c, a, PROBLEM_CAPTCHA_INVALID) : p;
}

/* The password is always hashed, so that its time tells nothing. *first: what kind of factor was
 * shown, and whether it holds. */
static enum problem prove_first(struct rest_call *c, struct attempt *a)
{
    char opened[SEALED_TEXT_MAX + 1] = "";
    const char *password = a->in->password ? a->in->password : "";
    bool ok = true, certificate = true;
    enum problem p = PROBLEM_OK;

    if (a->in->password_sealed) {
        p = sealed_open(c, NULL, a->in->password_sealed, opened, &ok);
        password = opened;
    }
    bool shown = a->in->password || a->in->password_sealed;
    bool right = password_verify(a->user ? row_text(a->user, "password_hash") : NULL, password);
    crypto_wipe(opened, sizeof opened);
    if (p == PROBLEM_OK && a->in->certificate) {
        p = certificate_matches(c, a->user, &certificate);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    const char *accessid = a->user ? row_text(a->user, "accessid") : "";
    if (a->accessid && (strlen(accessid) != strlen(a->accessid) || !accessid[0] ||
                        !crypto_equal(accessid, a->accessid, strlen(accessid)))) {
        ok = false;
    }
    if (!a->user || !ok || (shown ? !right : !a->in->certificate || !certificate)) {
        return failed(c, a, PROBLEM_SIGN_IN_FAILED);
    }
    if (!certificate) {
        return failed(c, a, PROBLEM_SECOND_FACTOR_INVALID);
    }
    a->factors |= shown ? TOKEN_PASSWORD : 0u;
    a->factors |= a->in->certificate ? TOKEN_USER_CERTIFICATE : 0u;
    return PROBLEM_OK;
}

static bool several(unsigned factors)
{
    return (factors & (factors - 1)) != 0;
}

static enum problem prove_second(struct rest_call *c, struct attempt *a)
{
    bool ok = false;

    if (!a->in->otp) {
        return json_is_true(json_object_get(a->user, "totp")) && !several(a->factors)
                   ? PROBLEM_SECOND_FACTOR_REQUIRED
                   : PROBLEM_OK;
    }
    enum problem p = otp_use(c, a->user, a->in->otp, &ok);
    if (p == PROBLEM_OK && !ok) {
        p = failed(c, a, PROBLEM_SECOND_FACTOR_INVALID);
    }
    a->factors |= ok ? TOKEN_OTP : 0u;
    return p;
}

/* What only somebody who proved to be the user is told. */
static enum problem check_standing(struct rest_call *c, const struct attempt *a)
{
    const char *scenario = a->in->scenario ? a->in->scenario : "portal";
    const char *due = row_text(a->user, "verify_due_at");
    uint64_t due_ms = 0;

    if (due[0] && clock_parse_ms(due, strlen(due), &due_ms) && due_ms <= c->now_ms &&
        strcmp(scenario, "verification") != 0) {
        return rest_fail(c, PROBLEM_IDENTITY_UNVERIFIED, "",
                         "sign in with the scenario verification and verify the identity");
    }
    if (strcmp(scenario, "counter") == 0 &&
        !(rest_role_by_name(row_text(a->user, "role")) & ROLE_STAFF)) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/scenario", "the counter is for staff");
    }
    return access_check_address(c, NULL, rest_role_by_name(row_text(a->user, "role")),
                                a->in->login);
}

enum problem attempt_prove(struct rest_call *c, struct attempt *a)
{
    enum problem p = failures_wait(c, &a->login);

    if (p == PROBLEM_OK) {
        p = prove_captcha(c, a);
    }
    if (p == PROBLEM_OK) {
        p = prove_first(c, a);
    }
    if (p == PROBLEM_OK) {
        p = prove_second(c, a);
    }
    return p == PROBLEM_OK ? check_standing(c, a) : p;
}

/* The token is made here and nowhere else: nobody can bring one along (session fixation). */
enum problem attempt_finish(struct rest_call *c, struct attempt *a,
                            char token[static SESSION_TOKEN_TEXT])
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    crypto_random_text(token);
    p = session_start(c, txn, a, token);
    if (p == PROBLEM_OK) {
        p = failures_clear(c, txn, &a->login);
    }
    if (p == PROBLEM_OK && (a->factors & TOKEN_PASSWORD)) {
        p = account_seen(c, txn, a->user, a->in->password);
    }
    return rest_finish(c, &txn, p);
}

enum problem identity_sign_in(struct rest_call *c, const struct sign_in *in,
                              char token[static SESSION_TOKEN_TEXT], json_t **user)
{
    struct attempt a = {.in = in};
    enum problem p = attempt_load(c, &a);

    token[0] = '\0';
    *user = NULL;
    if (p == PROBLEM_OK) {
        p = attempt_prove(c, &a);
    }
    if (p == PROBLEM_OK) {
        p = attempt_finish(c, &a, token);
    }
    if (p == PROBLEM_OK) {
        *user = row_public(resource_by_plural("users"), a.user);
    }
    attempt_fini(&a);
    return p;
}

/* REST -----------------------------------------------------------------------------------------
 */
static enum problem optional_text(struct rest_call *c, const char *name, size_t max,
                                  const char **out)
{
    enum problem p = PROBLEM_OK;

    if (json_object_get(c->body, name)) {
        *out = rest_body_text(c, name, max, &p);
    }
    return p;
}

static enum problem read_sign_in(struct rest_call *c, struct sign_in *in)
{
    static const char *const members[] = {"login",       "password", "password_sealed",
                                          "captcha_id",  "captcha",  "otp",
                                          "certificate", "scenario", NULL};
    const struct {
        const char *name;
        size_t max;
        const char **out;
    } texts[] = {{"password", PASSWORD_MAX, &in->password},
                 {"password_sealed", SEALED_TEXT_MAX, &in->password_sealed},
                 {"captcha_id", UUID_TEXT_LEN, &in->captcha_id},
                 {"captcha", 32, &in->captcha},
                 {"otp", 16, &in->otp},
                 {"scenario", 32, &in->scenario}};
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        in->login = rest_body_text(c, "login", 128, &p);
    }
    for (size_t i = 0; p == PROBLEM_OK && i < sizeof texts / sizeof *texts; i++) {
        p = optional_text(c, texts[i].name, texts[i].max, texts[i].out);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    in->certificate = json_is_true(json_object_get(c->body, "certificate"));
    bool both = in->password && in->password_sealed;
    if (both || (!in->password && !in->password_sealed && !in->certificate)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/password",
                         "a password, a sealed one or a certificate is needed");
    }
    return PROBLEM_OK;
}

static enum problem answer(struct rest_call *c, const struct attempt *a, const char *token)
{
    char until[CLOCK_RFC3339_LEN + 1];
    json_t *user = row_public(resource_by_plural("users"), a->user);

    clock_format_ms(c->now_ms + a->times.absolute_ms, until);
    return rest_answer(c, 201,
                       json_pack("{s:s, s:s, s:s, s:o, s:o, s:O}", "token", token, "expires_at",
                                 until, "session", c->user.session, "factors",
                                 factor_names(a->factors), "user", user, "password_change_required",
                                 json_object_get(a->user, "password_change_required")));
}

enum problem rest_session_create(struct rest_call *c)
{
    struct sign_in in = {0};
    struct attempt a = {.in = &in};
    char token[SESSION_TOKEN_TEXT] = "";
    enum problem p = read_sign_in(c, &in);

    if (p == PROBLEM_OK) {
        p = attempt_load(c, &a);
    }
    if (p == PROBLEM_OK) {
        p = attempt_prove(c, &a);
    }
    if (p == PROBLEM_OK) {
        p = attempt_finish(c, &a, token);
    }
    if (p == PROBLEM_OK) {
        p = answer(c, &a, token);
    }
    crypto_wipe(token, sizeof token);
    attempt_fini(&a);
    return p;
}
