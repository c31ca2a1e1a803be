/* SPDX-License-Identifier: Apache-2.0 */
/* Keys an app signs its calls with. The secret is shown once and kept sealed. */
#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"

#define SECRET_BYTES 32
#define YEAR_MS      (365ull * 86400 * 1000)

static const char *const algorithms[] = {"hmac-sm3", "hmac-sha256", NULL};

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"algorithm", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_SORT, 1, 20, .values = algorithms},
    {"not_before", ATTR_TIME, AF_SORT},
    {"expires_at", ATTR_TIME, AF_SORT},
    {"secret_sealed", ATTR_TEXT, AF_HIDDEN},
};

static enum problem make_secret(struct rest_call *c, json_t *row)
{
    uint8_t secret[SECRET_BYTES];
    char text[CODEC_BASE64URL_LEN(SECRET_BYTES)];

    crypto_random(secret, sizeof secret);
    json_t *sealed = api_seal(c->ctl->store_secret, row_text(row, "id"),
                              slice_of((const char *)secret, sizeof secret));
    size_t n = codec_base64url(text, secret, sizeof secret);
    c->once = json_pack("{s:s%}", "secret", text, n);
    json_object_set_new(row, "secret_sealed", sealed);
    crypto_wipe(secret, sizeof secret);
    crypto_wipe(text, sizeof text);
    return sealed && c->once ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    char text[CLOCK_RFC3339_LEN + 1];

    if (!api_ms(ch->row, "expires_at")) {
        clock_format_ms(c->now_ms + YEAR_MS, text);
        json_object_set_new(ch->row, "expires_at", json_string(text));
    }
    return make_secret(c, ch->row);
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;
    enum problem p = api_check_validity(c, ch->row);

    if (p == PROBLEM_OK && !api_ms(ch->row, "expires_at")) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "a credential has an end");
    }
    if (p != PROBLEM_OK || ch->old) {
        return p;
    }
    p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    if (p == PROBLEM_OK && strcmp(row_text(app, "state"), "admitted") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/app_id",
                      "the app is %s; only an admitted app has credentials",
                      row_text(app, "state"));
    }
    json_decref(app);
    return p;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    json_t *sealed = api_reseal(c->ctl, row_text(row, "id"), row_text(row, "secret_sealed"));

    (void)txn;
    if (!sealed) {
        return rest_fail(
            c, PROBLEM_INTERNAL, "",
            "the credential's secret cannot be opened: is keys/master.key the store's?");
    }
    *data = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "app_id", row_text(row, "app_id"), "alg",
                      row_text(row, "algorithm"), "state", row_text(row, "state"), "not_before",
                      api_feed_ms(row, "not_before"), "expires_at", api_feed_ms(row, "expires_at"),
                      "secret_sealed", sealed);
    return *data ? PROBLEM_OK : PROBLEM_INTERNAL;
}

#define HOLDER (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"active", "revoke", "revoked", HOLDER},
};

#define OWN_APP "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN_APP, OWN_APP},
};

const struct resource credentials_resource = {
    .plural = "credentials",
    .kind = "credential",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = HOLDER | ROLE_AUDITOR,
    .create_roles = HOLDER,
    .patch_roles = HOLDER,
    .prepare = prepare,
    .check = check,
    .feed = feed,
    .feed_kind = "credential",
};
