/* SPDX-License-Identifier: Apache-2.0 */
/* Registering an account (EC-3.2, EC-3.3, CI-6.1.5): whoever proves a real name and number waits as
 * `applied`, of no use for anything, until an operator has approved. */
#include <stdio.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "identity/inner.h"
#include "notices/notices.h"
#include "peers/peers.h"

#define ACCESSID_BYTES 16

void identity_accessid(json_t *row)
{
    uint8_t random[ACCESSID_BYTES];
    char hex[CODEC_HEX_LEN(ACCESSID_BYTES)];

    crypto_random(random, sizeof random);
    json_object_set_new(row, "accessid", json_stringn(hex, codec_hex(hex, random, sizeof random)));
}

static const struct attr *attr_named(const char *name)
{
    for (size_t i = 0; i < users_resource.n_attrs; i++) {
        if (strcmp(users_resource.attrs[i].name, name) == 0) {
            return &users_resource.attrs[i];
        }
    }
    return NULL;
}

static bool among(const char *const *values, const char *value)
{
    for (size_t i = 0; values[i]; i++) {
        if (strcmp(values[i], value) == 0) {
            return true;
        }
    }
    return false;
}

/* A member into the row, under the rules that the users' table has for it. */
static enum problem take(struct rest_call *c, json_t *row, const char *name, bool needed)
{
    const struct attr *a = attr_named(name);
    json_t *v = json_object_get(c->body, name);
    char where[64];

    snprintf(where, sizeof where, "/%s", name);
    if (!v && !needed) {
        return PROBLEM_OK;
    }
    enum problem p = attr_text_check(c, where, v, a->min, a->max, false);
    if (p == PROBLEM_OK && a->values && !among(a->values, json_string_value(v))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "it is not one of those there are");
    }
    if (p == PROBLEM_OK && a->check) {
        p = a->check(c, where, v);
    }
    if (p == PROBLEM_OK) {
        json_object_set(row, name, v);
    }
    return p;
}

static enum problem take_all(struct rest_call *c, json_t *row)
{
    static const struct {
        const char *name;
        bool needed;
    } taken[] = {{"login", true},
                 {"kind", true},
                 {"holder_kind", false},
                 {"email", false},
                 {"display_name", false}};
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; p == PROBLEM_OK && i < COUNT(taken); i++) {
        p = take(c, row, taken[i].name, taken[i].needed);
    }
    return p;
}

static enum problem take_password(struct rest_call *c, json_t *row)
{
    char opened[SEALED_TEXT_MAX + 1] = "", phc[CRYPTO_PASSWORD_MAX];
    const char *password = opened;
    bool ok = true;
    enum problem p = PROBLEM_OK;

    if (json_object_get(c->body, "password_sealed")) {
        const char *sealed = rest_body_text(c, "password_sealed", SEALED_TEXT_MAX, &p);
        p = p == PROBLEM_OK ? sealed_open(c, NULL, sealed, opened, &ok) : p;
    } else {
        password = rest_body_text(c, "password", PASSWORD_MAX, &p);
    }
    if (p == PROBLEM_OK && !ok) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/password_sealed", "it cannot be opened");
    }
    if (p == PROBLEM_OK) {
        p = rest_password_check(c, "/password", password, row_text(row, "login"));
    }
    if (p == PROBLEM_OK) {
        crypto_password_hash(slice_str(password), phc);
        json_object_set_new(row, "password_hash", json_string(phc));
    }
    crypto_wipe(opened, sizeof opened);
    return p;
}

static enum problem check_captcha(struct rest_call *c)
{
    enum problem p = PROBLEM_OK;
    bool ok = false;
    const char *id = json_string_value(json_object_get(c->body, "captcha_id"));
    const char *captcha = json_string_value(json_object_get(c->body, "captcha"));

    p = captcha_take(c, id, captcha, &ok);
    return p == PROBLEM_OK && !ok ? PROBLEM_CAPTCHA_INVALID : p;
}

static enum problem read_claim(struct rest_call *c, const json_t *row, struct identity_claim *claim,
                               const char **phone)
{
    enum problem p = PROBLEM_OK;

    claim->kind = row_text(row, "kind");
    claim->name = rest_body_text(c, "real_name", 255, &p);
    if (p == PROBLEM_OK) {
        claim->id_number = rest_body_text(c, "id_number", 18, &p);
    }
    if (p == PROBLEM_OK && json_object_get(c->body, "phone")) {
        *phone = rest_body_text(c, "phone", 32, &p);
    }
    return p;
}

static enum problem store_applied(struct rest_call *c, json_t *row,
                                  const struct identity_claim *claim, const char *phone)
{
    const struct notice told = {.kind = "registration-applied",
                                .object_kind = "user",
                                .object_id = row_text(row, "id"),
                                .object_name = row_text(row, "login")};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = peers_check_login(c, txn, row_text(row, "login"));
    if (p == PROBLEM_OK) {
        p = verification_fill(c, txn, row, claim, phone);
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &users_resource, NULL, row, "register");
    }
    if (p == PROBLEM_OK) {
        p = notice_put(c, txn, &told);
    }
    return rest_finish(c, &txn, p);
}

static json_t *new_row(void)
{
    char id[UUID_TEXT_LEN + 1];

    uuid_new_text(id);
    return json_pack("{s:s, s:s, s:s, s:b}", "id", id, "state", "applied", "role", "owner",
                     "password_change_required", 0);
}

/* The captcha is spent first: without one nothing here can be tried by a program. */
enum problem rest_register(struct rest_call *c)
{
    static const char *const members[] = {
        "login",     "password",  "password_sealed", "kind",  "holder_kind", "display_name",
        "real_name", "id_number", "phone",           "email", "captcha_id",  "captcha",
        NULL};
    struct identity_claim claim = {0};
    const char *phone = NULL;
    json_t *row = new_row();
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK) {
        p = check_captcha(c);
    }
    if (p == PROBLEM_OK) {
        p = take_all(c, row);
    }
    if (p == PROBLEM_OK) {
        p = read_claim(c, row, &claim, &phone);
    }
    if (p == PROBLEM_OK) {
        p = take_password(c, row);
    }
    if (p == PROBLEM_OK) {
        p = realname_check(c, &claim);
    }
    if (p == PROBLEM_OK) {
        p = store_applied(c, row, &claim, phone);
    }
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 201,
                        json_pack("{s:s, s:s, s:s}", "id", row_text(row, "id"), "login",
                                  row_text(row, "login"), "state", "applied"));
    }
    json_decref(row);
    return p;
}

/* Review (CI-6.1.5b) ---------------------------------------------------------------------------
 */
static enum problem take_review(struct rest_call *c, json_t *row, bool approve)
{
    static const char *const approving[] = {"comment", "role", "organisation_id", "subject", NULL};
    static const char *const refusing[] = {"comment", NULL};
    static const char *const roles[] = {"owner", "developer", "provider", NULL};
    static const char *const copied[] = {"role", "organisation_id", "subject"};
    json_t *v = json_object_get(c->body, "comment");
    char now[CLOCK_RFC3339_LEN + 1];
    enum problem p = PROBLEM_OK;

    if (c->body || !approve) {
        p = rest_body_members(c, approve ? approving : refusing);
    }
    if (p == PROBLEM_OK && (v || !approve)) {
        p = attr_text_check(c, "/comment", v, 1, REST_TEXT_MAX, true);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    for (size_t i = 0; approve && i < COUNT(copied); i++) {
        json_t *given = json_object_get(c->body, copied[i]);
        char where[32];
        snprintf(where, sizeof where, "/%s", copied[i]);
        if (given && attr_text_check(c, where, given, 1, 128, false) != PROBLEM_OK) {
            return PROBLEM_FIELD_INVALID;
        }
        if (given) {
            json_object_set(row, copied[i], given);
        }
    }
    if (!among(roles, row_text(row, "role"))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/role",
                         "owner, developer or provider: others are made by an administrator");
    }
    clock_format_ms(c->now_ms, now);
    json_object_set(row, "review_comment", v ? v : json_null());
    json_object_set_new(row, "reviewed_by", json_string(c->user.login));
    json_object_set_new(row, "reviewed_at", json_string(now));
    return PROBLEM_OK;
}

static enum problem review_write(struct rest_call *c, struct store_txn *txn, bool approve,
                                 json_t **row)
{
    const char *action = approve ? "approve-registration" : "refuse-registration";
    json_t *old = NULL;
    enum problem p = api_load(c, txn, &users_resource, c->segment[1], &old);

    if (p == PROBLEM_OK) {
        p = change_precondition(c, old, true);
    }
    if (p == PROBLEM_OK && strcmp(row_text(old, "state"), "applied") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the state is %s", row_text(old, "state"));
    }
    if (p == PROBLEM_OK) {
        *row = json_deep_copy(old);
        p = take_review(c, *row, approve);
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(*row, "state", json_string(approve ? "active" : "refused"));
        struct change ch = {
            .res = &users_resource, .txn = txn, .old = old, .row = *row, .action = action};
        p = approve ? users_resource.check(c, &ch) : PROBLEM_OK; /* which draws the accessid */
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &users_resource, old, *row, action);
    }
    json_decref(old);
    return p;
}

static enum problem review(struct rest_call *c, bool approve)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = review_write(c, txn, approve, &row);
    if (p == PROBLEM_OK) {
        const struct notice told = {.kind =
                                        approve ? "registration-approved" : "registration-refused",
                                    .user_id = row_text(row, "id"),
                                    .object_kind = "user",
                                    .object_id = row_text(row, "id"),
                                    .object_name = row_text(row, "login"),
                                    .detail = row_text(row, "review_comment")};
        p = notice_put(c, txn, &told);
    }
    p = rest_finish(c, &txn, p);
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &users_resource, row, 200);
    }
    json_decref(row);
    return p;
}

enum problem rest_registration_approve(struct rest_call *c)
{
    return review(c, true);
}

enum problem rest_registration_refuse(struct rest_call *c)
{
    return review(c, false);
}
