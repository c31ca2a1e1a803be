/* SPDX-License-Identifier: Apache-2.0 */
/* The account interfaces of the credit platform (CI-5.3): POST in JSON or as a form, {msg, result,
 * data} out. With `kid`, passwords are sealed under the key of that id, as getPublicKey gives it.
 */
#include <stdio.h>

#include "base/clock.h"
#include "identity/inner.h"

static const char *member(const struct rest_call *c, const char *name)
{
    const char *form = rest_form(c, name);

    return form ? form : json_string_value(json_object_get(c->body, name));
}

static enum problem answer(struct rest_call *c, const char *msg, json_t *data)
{
    json_t *json = json_pack("{s:s, s:i}", "msg", msg, "result", 1);

    if (data) {
        json_object_set_new(json, "data", data);
    }
    return rest_answer(c, 200, json);
}

/* A refusal has result 0 and no data; what the caller sent is not in it. */
static enum problem refuse(struct rest_call *c, enum problem p)
{
    char msg[128];

    if (problem_row(p)->status >= 500) {
        return p;
    }
    snprintf(msg, sizeof msg, "%s%s%s", problem_row(p)->title_zh, c->where[0] == '/' ? "：" : "",
             c->where[0] == '/' ? c->where + 1 : "");
    return rest_answer(c, 200, json_pack("{s:s, s:i}", "msg", msg, "result", 0));
}

static enum problem need(struct rest_call *c, const char *name, size_t max, const char **out)
{
    char where[64];

    *out = member(c, name);
    snprintf(where, sizeof where, "/%s", name);
    return *out && **out && strlen(*out) <= max
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_PARAMETER_MISSING, where, "a text is needed");
}

struct account_call {
    const char *accessid, *username, *pwd, *kid;
    char opened[SEALED_TEXT_MAX + 1];
};

/* A password as it came, or opened; what does not open is no password anybody has. */
static enum problem take_password(struct rest_call *c, struct account_call *a, const char *name,
                                  char opened[static SEALED_TEXT_MAX + 1], const char **out)
{
    bool ok = false;
    enum problem p = need(c, name, PASSWORD_MAX, out);

    if (p != PROBLEM_OK || !a->kid) {
        return p;
    }
    p = sealed_open(c, a->kid, *out, opened, &ok);
    if (p == PROBLEM_OK && !ok) {
        opened[0] = '\0';
    }
    *out = opened;
    return p;
}

static enum problem read_call(struct rest_call *c, struct account_call *a)
{
    enum problem p = need(c, "accessid", 64, &a->accessid);

    a->kid = member(c, "kid");
    if (p == PROBLEM_OK) {
        p = need(c, "username", 128, &a->username);
    }
    return p == PROBLEM_OK ? take_password(c, a, "pwd", a->opened, &a->pwd) : p;
}

static json_t *token_data(const struct rest_call *c, const struct attempt *a, const char *token)
{
    char until[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms + a->times.absolute_ms, until);
    return json_pack("{s:s, s:s, s:I}", "token", token, "expiresAt", until, "expiresIn",
                     (json_int_t)(a->times.absolute_ms / 1000));
}

static struct sign_in sign_in_of(const struct rest_call *c, const struct account_call *call)
{
    return (struct sign_in){.login = call->username,
                            .password = call->pwd,
                            .captcha_id = member(c, "captchaId"),
                            .captcha = member(c, "captcha"),
                            .otp = member(c, "otp"),
                            .scenario = "api"};
}

/* Proves the account; with a token also opens a session. */
static enum problem prove(struct rest_call *c, const struct account_call *call, struct attempt *a)
{
    enum problem p = attempt_load(c, a);

    a->accessid = call->accessid;
    return p == PROBLEM_OK ? attempt_prove(c, a) : p;
}

enum problem credit_token(struct rest_call *c)
{
    struct account_call call = {0};
    char token[SESSION_TOKEN_TEXT] = "";
    enum problem p = read_call(c, &call);
    const struct sign_in in = sign_in_of(c, &call);
    struct attempt a = {.in = &in};

    if (p == PROBLEM_OK) {
        p = prove(c, &call, &a);
    }
    if (p == PROBLEM_OK) {
        p = attempt_finish(c, &a, token);
    }
    p = p == PROBLEM_OK ? answer(c, "获取令牌成功", token_data(c, &a, token)) : refuse(c, p);
    crypto_wipe(token, sizeof token);
    crypto_wipe(call.opened, sizeof call.opened);
    attempt_fini(&a);
    return p;
}

static enum problem change(struct rest_call *c, const json_t *user, const char *pwd,
                           const char *new)
{
    const char *id = row_text(user, "id");
    enum problem p = rest_password_check(c, "/newPwd", new, row_text(user, "login"));

    if (p == PROBLEM_OK && strcmp(pwd, new) == 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/newPwd", "it is the old one");
    }
    if (p == PROBLEM_OK) {
        p = password_check_history(c, id, "/newPwd", new);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    /* Who proved the old password is who acts; the log says so. */
    snprintf(c->user.id, sizeof c->user.id, "%s", id);
    snprintf(c->user.login, sizeof c->user.login, "%s", row_text(user, "login"));
    return password_store(c, id, new);
}

enum problem credit_modify_password(struct rest_call *c)
{
    struct account_call call = {0};
    char opened[SEALED_TEXT_MAX + 1] = "";
    const char *new = NULL;
    enum problem p = read_call(c, &call);

    if (p == PROBLEM_OK) {
        p = take_password(c, &call, "newPwd", opened, &new);
    }
    const struct sign_in in = sign_in_of(c, &call);
    struct attempt a = {.in = &in};
    if (p == PROBLEM_OK) {
        p = prove(c, &call, &a);
    }
    if (p == PROBLEM_OK) {
        p = change(c, a.user, call.pwd, new);
    }
    p = p == PROBLEM_OK ? answer(c, "修改密码成功", NULL) : refuse(c, p);
    crypto_wipe(call.opened, sizeof call.opened);
    crypto_wipe(opened, sizeof opened);
    attempt_fini(&a);
    return p;
}

enum problem credit_public_key(struct rest_call *c)
{
    json_t *key = NULL;
    enum problem p = login_key_current(c, &key);

    return p == PROBLEM_OK ? answer(c, "获取公钥成功", key) : refuse(c, p);
}
