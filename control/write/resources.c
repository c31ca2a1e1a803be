/* SPDX-License-Identifier: Apache-2.0 */
/* Where a business unit is told of writes to its dataset, and the keys by which it supplies
 * records. Each has a secret of its own, shown once. */
#include <stdio.h>
#include <strings.h>

#include "api/api.h"
#include "base/codec.h"
#include "notices/inner.h"
#include "write/inner.h"
#include "write/write.h"

static enum problem check_url(struct rest_call *c, const char *where, const json_t *v)
{
    const char *s = json_string_value(v);
    bool plain = c->ctl->cfg->private_webhooks && strncasecmp(s, "http://", 7) == 0;

    if ((!plain && strncasecmp(s, "https://", 8) != 0) || strpbrk(s, " \"<>\\^`{|}@#")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "an https:// address without user and fragment is needed");
    }
    return PROBLEM_OK;
}

static const struct attr target_attrs[] = {
    {"dataset_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "datasets"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"url", ATTR_TEXT, AF_REQUIRED, 8, 1000, .check = check_url},
    {"secret_sealed", ATTR_TEXT, AF_HIDDEN},
};

static const struct attr key_attrs[] = {
    {"dataset_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "datasets"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"name", ATTR_TEXT, AF_REQUIRED | AF_SORT, 1, 128},
    {"expires_at", ATTR_TIME, AF_SORT},
    {"user_entered", ATTR_BOOL, AF_IMMUTABLE, .fallback = "false"},
    {"verifier", ATTR_TEXT, AF_HIDDEN},
};

/* Of the dataset's organisation, whoever asks; a provider of its own alone. */
static enum problem take_organisation(struct rest_call *c, struct change *ch)
{
    struct store_txn *txn = NULL;
    json_t *dataset = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = api_load(c, txn, &datasets_resource, row_text(ch->row, "dataset_id"), &dataset);
    if (p == PROBLEM_OK &&
        !row_writable(c, txn, &datasets_resource, row_text(ch->row, "dataset_id"))) {
        p = rest_fail(c, PROBLEM_NOT_PERMITTED, "/dataset_id", "the dataset is not yours");
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "organisation_id", json_object_get(dataset, "organisation_id"));
    }
    json_decref(dataset);
    return p;
}

static enum problem prepare_target(struct rest_call *c, struct change *ch)
{
    uint8_t secret[WEBHOOK_SECRET_LEN];
    char text[sizeof WEBHOOK_SECRET_PREFIX + CODEC_BASE64_LEN(WEBHOOK_SECRET_LEN)];
    enum problem p = take_organisation(c, ch);

    if (p != PROBLEM_OK) {
        return p;
    }
    crypto_random(secret, sizeof secret);
    strcpy(text, WEBHOOK_SECRET_PREFIX);
    size_t n = strlen(text);
    text[n + codec_base64(text + n, secret, sizeof secret)] = '\0';
    json_t *sealed = api_seal_kept(c->ctl, row_text(ch->row, "id"),
                                   slice_of((const char *)secret, sizeof secret));
    c->once = json_pack("{s:s}", "secret", text);
    json_object_set_new(ch->row, "secret_sealed", sealed);
    crypto_wipe(secret, sizeof secret);
    crypto_wipe(text, sizeof text);
    return sealed && c->once ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* The nodes queue deliveries of datasets that somebody wants to hear of. */
static enum problem tell(struct rest_call *c, struct change *ch)
{
    json_t *dataset = NULL;
    enum problem p =
        api_load(c, ch->txn, &datasets_resource, row_text(ch->row, "dataset_id"), &dataset);

    if (p == PROBLEM_OK) {
        p = change_feed(c, ch->txn, &datasets_resource, dataset);
    }
    json_decref(dataset);
    return p;
}

void supply_verifier(const struct rest_call *c, const char *id, struct slice secret,
                     char out[static SUPPLY_VERIFIER_MAX])
{
    uint8_t mac[CRYPTO_HASH_LEN];

    struct crypto_hmac *h =
        crypto_hmac_new(CRYPTO_SM3, keyring_kept(c->ctl, KEYRING_SUPPLY), CRYPTO_KEY_LEN);
    crypto_hmac_begin(h);
    crypto_hmac_add(h, id, strlen(id) + 1);
    crypto_hmac_add(h, secret.p, secret.n);
    crypto_hmac_end(h, mac);
    crypto_hmac_free(&h);
    out[codec_hex(out, mac, sizeof mac)] = '\0';
}

static enum problem prepare_key(struct rest_call *c, struct change *ch)
{
    uint8_t secret[32];
    char text[SUPPLY_PREFIX_LEN + UUID_TEXT_LEN + 1 + CODEC_BASE64URL_LEN(32) + 1];
    char verifier[SUPPLY_VERIFIER_MAX];
    enum problem p = take_organisation(c, ch);

    if (p != PROBLEM_OK) {
        return p;
    }
    crypto_random(secret, sizeof secret);
    int n = snprintf(text, sizeof text, "%s%s.", SUPPLY_PREFIX, row_text(ch->row, "id"));
    size_t len = codec_base64url(text + n, secret, sizeof secret);
    text[n + (int)len] = '\0';
    supply_verifier(c, row_text(ch->row, "id"), slice_of(text + n, len), verifier);
    c->once = json_pack("{s:s}", "key", text);
    json_object_set_new(ch->row, "verifier", json_string(verifier));
    crypto_wipe(secret, sizeof secret);
    crypto_wipe(text, sizeof text);
    return c->once ? PROBLEM_OK : PROBLEM_INTERNAL;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition target_transitions[] = {
    {"active", "remove", "removed", KEEPER},
};
static const struct transition key_transitions[] = {
    {"active", "revoke", "revoked", KEEPER},
};
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

const struct resource delivery_targets_resource = {
    .plural = "delivery_targets",
    .kind = "delivery-target",
    .initial = "active",
    .attrs = target_attrs,
    .n_attrs = COUNT(target_attrs),
    .transitions = target_transitions,
    .n_transitions = COUNT(target_transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .prepare = prepare_target,
    .after = tell,
};

const struct resource supply_keys_resource = {
    .plural = "supply_keys",
    .kind = "supply-key",
    .initial = "active",
    .attrs = key_attrs,
    .n_attrs = COUNT(key_attrs),
    .transitions = key_transitions,
    .n_transitions = COUNT(key_transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .prepare = prepare_key,
};
