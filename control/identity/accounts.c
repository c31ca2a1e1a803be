/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts that may call by accessid, username and pwd (CI-7.2c), as the app they are bound to:
 * what their password is compared with at the nodes (crypto/verifier.h). It is made when the
 * password is seen, at a change or a sign-in, and goes with whatever ends the account's standing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/codec.h"
#include "crypto/verifier.h"
#include "identity/inner.h"
#include "store/log.h"

#define FEED_KIND    "account"
#define ACCESSID_HEX 32

static bool may_call(const json_t *user)
{
    return row_text(user, "app_id")[0] && strlen(row_text(user, "accessid")) == ACCESSID_HEX &&
           strcmp(row_text(user, "state"), "active") == 0 &&
           !json_is_true(json_object_get(user, "password_change_required")) &&
           !json_is_true(json_object_get(user, "verify_suspended"));
}

json_t *account_verifier(const struct rest_call *c, const json_t *user, const char *password)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    char text[CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN)];

    if (!may_call(user)) {
        return json_null();
    }
    crypto_verifier(c->ctl->verifier, slice_str(row_text(user, "accessid")),
                    slice_str(row_text(user, "login")), slice_str(password), digest);
    return json_stringn(text, codec_base64url(text, digest, sizeof digest));
}

/* The start of SM3 over the app's accessid for the interface and the login: by these two a call
 * names an account (gateway/caller/account.c). */
static void entry_id(const char *accessid, const char *login, char out[static UUID_TEXT_LEN + 1])
{
    uint8_t digest[CRYPTO_HASH_LEN];
    struct uuid id;
    struct buf text;

    buf_init(&text);
    buf_add(&text, accessid, strlen(accessid) + 1);
    buf_add(&text, login, strlen(login));
    crypto_hash(CRYPTO_SM3, text.p, text.n, digest);
    buf_fini(&text);
    memcpy(id.b, digest, UUID_LEN);
    uuid_format(&id, out);
}

static void dashed(const char *a, char out[static UUID_TEXT_LEN + 1])
{
    snprintf(out, UUID_TEXT_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", a, a + 8, a + 12, a + 16, a + 20);
}

/* interface: {app_id, api_id, accessid}, an approved interface application. gone: the account calls
 * as that app no more. */
static enum problem tell_of(struct rest_call *c, struct store_txn *txn, const json_t *user,
                            const json_t *interface, bool gone)
{
    const char *verifier = row_text(user, "call_verifier");
    char id[UUID_TEXT_LEN + 1], own[UUID_TEXT_LEN + 1], *text = NULL;

    if (!gone && may_call(user) && verifier[0]) {
        dashed(row_text(user, "accessid"), own);
        json_t *data =
            json_pack("{s:s, s:s, s:s, s:s, s:s}", "user_id", row_text(user, "id"), "app_id",
                      row_text(interface, "app_id"), "api_id", row_text(interface, "api_id"),
                      "accessid", own, "verifier", verifier);
        text = json_dumps(data, JSON_COMPACT);
        json_decref(data);
        if (!text) {
            return PROBLEM_INTERNAL;
        }
    }
    entry_id(row_text(interface, "accessid"), row_text(user, "login"), id);
    enum store_err err = log_feed(txn, FEED_KIND, id, text, c->ctl->feed_keep);
    c->rang = true;
    free(text);
    return rest_store_problem(c, err);
}

struct telling {
    const json_t *user; /* or NULL: each user of the app */
    const json_t *interface;
    bool gone;
};

static enum problem tell_interface(struct rest_call *c, struct change *ch)
{
    const struct telling *t = ch->arg;

    return row_text(ch->row, "accessid")[0] ? tell_of(c, ch->txn, t->user, ch->row, t->gone)
                                            : PROBLEM_OK;
}

static enum problem tell_app(struct rest_call *c, struct store_txn *txn, const json_t *user,
                             const char *app_id, bool gone)
{
    struct telling t = {.user = user, .gone = gone};

    return app_id[0] ? row_each(c, txn, resource_by_plural("subscriptions"), "app_id", app_id,
                                tell_interface, &t)
                     : PROBLEM_OK;
}

static enum problem tell(struct rest_call *c, struct store_txn *txn, const json_t *user)
{
    return tell_app(c, txn, user, row_text(user, "app_id"), false);
}

static enum problem tell_user(struct rest_call *c, struct change *ch)
{
    const struct telling *t = ch->arg;

    return strlen(row_text(ch->row, "accessid")) == ACCESSID_HEX
               ? tell_of(c, ch->txn, ch->row, t->interface, false)
               : PROBLEM_OK;
}

enum problem account_interface_made(struct rest_call *c, struct store_txn *txn,
                                    const json_t *subscription)
{
    struct telling t = {.interface = subscription};

    return row_each(c, txn, resource_by_plural("users"), "app_id", row_text(subscription, "app_id"),
                    tell_user, &t);
}

enum problem account_changed(struct rest_call *c, struct store_txn *txn, const json_t *old,
                             const json_t *row)
{
    static const char *const told[] = {"state", "app_id", "call_verifier", "verify_suspended",
                                       "password_change_required"};

    if (strlen(row_text(row, "accessid")) != ACCESSID_HEX) {
        return PROBLEM_OK;
    }
    for (size_t i = 0; i < COUNT(told); i++) {
        if (api_changed(old, row, told[i])) {
            enum problem p = api_changed(old, row, "app_id")
                                 ? tell_app(c, txn, row, row_text(old, "app_id"), true)
                                 : PROBLEM_OK;
            return p == PROBLEM_OK ? tell(c, txn, row) : p;
        }
    }
    return PROBLEM_OK;
}

enum problem account_seen(struct rest_call *c, struct store_txn *txn, json_t *user,
                          const char *password)
{
    json_t *fresh = account_verifier(c, user, password);

    if (json_is_null(fresh) || json_equal(fresh, json_object_get(user, "call_verifier"))) {
        json_decref(fresh);
        return PROBLEM_OK;
    }
    json_object_set_new(user, "call_verifier", fresh);
    const struct store_value v[] = {store_text(row_text(user, "call_verifier")),
                                    store_text(row_text(user, "id"))};
    enum problem p = rest_store_problem(
        c, store_exec(txn, "UPDATE users SET call_verifier = ? WHERE id = ?", v, 2, NULL));
    return p == PROBLEM_OK ? tell(c, txn, user) : p;
}

static enum problem tell_one(struct rest_call *c, struct change *ch)
{
    return row_text(ch->row, "call_verifier")[0] ? tell(c, ch->txn, ch->row) : PROBLEM_OK;
}

enum problem accounts_feed_all(struct rest_call *c, struct store_txn *txn)
{
    return row_each(c, txn, resource_by_plural("users"), "state", "active", tell_one, NULL);
}

/* The app that an account calls as is of its own organisation. */
enum problem account_check(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    json_t *app = NULL;

    if (!row_text(row, "app_id")[0]) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, txn, resource_by_plural("apps"), row_text(row, "app_id"), &app);
    if (p == PROBLEM_OK &&
        strcmp(row_text(app, "organisation_id"), row_text(row, "organisation_id")) != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id",
                      "the app is not of the account's organisation");
    }
    json_decref(app);
    return p;
}
