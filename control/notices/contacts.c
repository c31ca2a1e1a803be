/* SPDX-License-Identifier: Apache-2.0 */
/* Where somebody wants to be told: an e-mail address or a webhook of their own. A webhook gets a
 * secret, shown once, with which each delivery is signed. */
#include <ctype.h>
#include <stdio.h>

#include "api/api.h"
#include "base/codec.h"
#include "notices/inner.h"
#include "outbound.h"

static const char *const channels[] = {"email", "webhook", NULL};
static const char *const languages[] = {"zh", "en", NULL};

static enum problem check_kinds(struct rest_call *c, const char *where, const json_t *v)
{
    enum problem p = api_check_words(c, where, v, NULL, 100);
    json_t *item;
    size_t i;

    json_array_foreach(v, i, item)
    {
        if (p == PROBLEM_OK && !notice_kind_by_name(json_string_value(item))) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "%.60s is no kind of notice",
                          json_string_value(item));
        }
    }
    return p;
}

static const struct attr attrs[] = {
    {"user_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "users"},
    {"channel", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 10, .values = channels},
    {"address", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE, 3, 500},
    {"language", ATTR_TEXT, 0, 1, 10, .values = languages, .fallback = "\"zh\""},
    {"kinds", ATTR_JSON, 0, .check = check_kinds},
    {"secret_sealed", ATTR_TEXT, AF_HIDDEN},
};

/* What a mail header may safely hold; whether the address exists, its server says. */
static bool email_ok(const char *s)
{
    const char *at = strchr(s, '@');

    for (const char *p = s; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("@._+-=", *p)) {
            return false;
        }
    }
    return at && at > s && !strchr(at + 1, '@') && at[1] && strlen(s) <= 254;
}

static enum problem make_secret(struct rest_call *c, json_t *row)
{
    uint8_t secret[WEBHOOK_SECRET_LEN];
    char text[sizeof WEBHOOK_SECRET_PREFIX + CODEC_BASE64_LEN(WEBHOOK_SECRET_LEN)];

    crypto_random(secret, sizeof secret);
    strcpy(text, WEBHOOK_SECRET_PREFIX);
    size_t n = strlen(text);
    text[n + codec_base64(text + n, secret, sizeof secret)] = '\0';
    json_t *sealed =
        api_seal_kept(c->ctl, row_text(row, "id"), slice_of((const char *)secret, sizeof secret));
    c->once = json_pack("{s:s}", "secret", text);
    json_object_set_new(row, "secret_sealed", sealed);
    crypto_wipe(secret, sizeof secret);
    crypto_wipe(text, sizeof text);
    return sealed && c->once ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    const char *address = row_text(ch->row, "address");

    json_object_set_new(ch->row, "user_id", json_string(c->user.id));
    if (strcmp(row_text(ch->row, "channel"), "email") == 0) {
        return email_ok(address) ? PROBLEM_OK
                                 : rest_fail(c, PROBLEM_FIELD_INVALID, "/address",
                                             "an e-mail address like name@example.org is needed");
    }
    if (!outbound_webhook_ok(c->ctl->cfg, address)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/address",
                         "an https:// address without user and fragment is needed");
    }
    return make_secret(c, ch->row);
}

static enum problem drop_deliveries(struct rest_call *c, struct change *ch)
{
    const struct store_value v = store_text(row_text(ch->row, "id"));

    return rest_store_problem(
        c, store_exec(ch->txn, "DELETE FROM notice_deliveries WHERE contact_id = ?", &v, 1, NULL));
}

static const struct transition transitions[] = {
    {"active", "remove", "removed", ROLE_ALL, .hook = drop_deliveries},
};

static const struct scope scopes[] = {
    {ROLE_ALL & ~ROLE_AUDITOR, BIND_USER, "t.user_id = ?", "t.user_id = ?"},
};

const struct resource contact_points_resource = {
    .plural = "contact_points",
    .kind = "contact-point",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = ROLE_ALL & ~ROLE_AUDITOR,
    .patch_roles = ROLE_ALL & ~ROLE_AUDITOR,
    .prepare = prepare,
};
