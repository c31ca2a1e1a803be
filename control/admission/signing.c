/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that organisations sign agreements with, and the signing. A key is registered by the
 * organisation itself: nobody else, the operators not either, can sign in its name. */
#include "admission/inner.h"
#include "api/keys.h"
#include "base/codec.h"

static const struct attr attrs[] = {
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"label", ATTR_TEXT, 0, 1, 100},
    {"public_key", ATTR_JSON, AF_REQUIRED | AF_IMMUTABLE, .check = keys_check_public},
    {"algorithm", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"key_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"registered_by", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    static const char *const algorithms[] = {
        [CRYPTO_KEY_SM2] = "sm2-sm3",
        [CRYPTO_KEY_P256] = "ecdsa-p256-sha256",
    };
    struct crypto_key *key = NULL;

    keys_load_public(json_object_get(ch->row, "public_key"), &key);
    if (!key || crypto_key_kind(key) == CRYPTO_KEY_RSA) {
        crypto_key_free(&key);
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/public_key",
                         "agreements are signed with SM2 "
                         "or P-256");
    }
    json_object_set_new(ch->row, "algorithm", json_string(algorithms[crypto_key_kind(key)]));
    json_object_set_new(ch->row, "key_id", json_string(crypto_key_id(key)));
    json_object_set_new(ch->row, "registered_by", json_string(c->user.login));
    crypto_key_free(&key);
    return PROBLEM_OK;
}

/* The operators sign for the platform's own organisation alone. */
static bool speaks_for(const struct rest_call *c, const json_t *organisation)
{
    return c->user.role & ROLE_STAFF
               ? strcmp(row_text(organisation, "kind"), "platform") == 0
               : c->user.organisation[0] &&
                     strcmp(row_text(organisation, "id"), c->user.organisation) == 0;
}

static enum problem check_speaks(struct rest_call *c, struct store_txn *txn, const char *id)
{
    json_t *organisation = NULL;
    enum problem p = api_load(c, txn, &organisations_resource, id, &organisation);
    bool ok = p == PROBLEM_OK && speaks_for(c, organisation);

    json_decref(organisation);
    return p == PROBLEM_OK && !ok
               ? rest_fail(c, PROBLEM_NOT_PERMITTED, "", "only the organisation itself does this")
               : p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    static const char sql[] = "SELECT 1 FROM signing_keys WHERE key_id = ? AND id <> ?";
    const struct store_value v[] = {store_text(row_text(ch->row, "key_id")),
                                    store_text(row_text(ch->row, "id"))};
    bool taken = false;
    enum problem p = check_speaks(c, ch->txn, row_text(ch->row, "organisation_id"));

    p = p == PROBLEM_OK ? admission_exists(c, ch->txn, sql, v, COUNT(v), &taken) : p;
    return p == PROBLEM_OK && taken
               ? rest_fail(c, PROBLEM_ALREADY_EXISTS, "/public_key", "this key is registered")
               : p;
}

static const struct transition transitions[] = {
    {"active", "revoke", "revoked", APPLICANT_ROLES},
};

#define OWN "t.organisation_id = ?"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER | ROLE_PROVIDER, BIND_ORGANISATION, OWN, OWN},
};

const struct resource signing_keys_resource = {
    .plural = "signing_keys",
    .kind = "signing-key",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .create_roles = APPLICANT_ROLES,
    .prepare = prepare,
    .check = check,
};

static enum problem key_load(struct rest_call *c, struct store_txn *txn, const char *key_id,
                             const char *organisation, json_t **key)
{
    static const char sql[] =
        "SELECT id FROM signing_keys WHERE key_id = ? AND organisation_id = ? AND state = 'active'";
    const struct store_value v[] = {store_text(key_id), store_text(organisation)};
    json_t *ids = json_array();
    enum problem p = admission_texts(c, txn, sql, v, COUNT(v), ids);

    if (p == PROBLEM_OK && json_array_size(ids) == 0) {
        p = rest_fail(c, PROBLEM_AGREEMENT_SIGNATURE_INVALID, "/key_id",
                      "it is no active signing key of that side");
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &signing_keys_resource, json_string_value(json_array_get(ids, 0)),
                     key);
    }
    json_decref(ids);
    return p;
}

/* Raw r || s or DER, in base64url. */
static bool verifies(const struct crypto_key *key, const char *text, const char *signature)
{
    uint8_t given[CRYPTO_SIG_MAX], raw[CRYPTO_RAW_SIG_LEN];
    size_t n = 0;

    if (!codec_unbase64url(given, sizeof given, &n, signature, strlen(signature))) {
        return false;
    }
    if (n == CRYPTO_RAW_SIG_LEN) {
        memcpy(raw, given, n);
    } else if (!crypto_sig_from_der(given, n, raw)) {
        return false;
    }
    return crypto_key_verify(key, crypto_key_alg(key), text, strlen(text), raw, sizeof raw) ==
           CRYPTO_OK;
}

/* Which side the caller signs for: the one it speaks for. */
static enum problem find_side(struct rest_call *c, struct store_txn *txn, const json_t *agreement,
                              const char **organisation, const char **member)
{
    *organisation = row_text(agreement, "provider_id");
    *member = "provider_signature";
    enum problem p = check_speaks(c, txn, *organisation);
    if (p == PROBLEM_NOT_PERMITTED) {
        *organisation = row_text(agreement, "receiver_id");
        *member = "receiver_signature";
        p = check_speaks(c, txn, *organisation);
    }
    return p;
}

static enum problem take_signature(struct rest_call *c, struct store_txn *txn, json_t *agreement,
                                   const char *key_id, const char *signature)
{
    const char *organisation = NULL, *member = NULL;
    json_t *row = NULL;
    struct crypto_key *key = NULL;
    enum problem p = find_side(c, txn, agreement, &organisation, &member);

    if (p == PROBLEM_OK && !json_is_null(json_object_get(agreement, member))) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "that side has signed");
    }
    p = p == PROBLEM_OK ? key_load(c, txn, key_id, organisation, &row) : p;
    if (p == PROBLEM_OK) {
        keys_load_public(json_object_get(row, "public_key"), &key);
        p = key && verifies(key, row_text(agreement, "signing_text"), signature)
                ? PROBLEM_OK
                : rest_fail(c, PROBLEM_AGREEMENT_SIGNATURE_INVALID, "/signature",
                            "it is not this key's over signing_text");
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(agreement, member,
                            json_pack("{s:s, s:s, s:s, s:s, s:o}", "key_id", key_id, "algorithm",
                                      row_text(row, "algorithm"), "signature", signature, "by",
                                      c->user.login, "at", admission_time(c->now_ms)));
    }
    crypto_key_free(&key);
    json_decref(row);
    return p;
}

static enum problem sign(struct rest_call *c, struct store_txn *txn, const char *key_id,
                         const char *signature, json_t **row)
{
    enum problem p = admission_load_path(c, txn, &agreements_resource, row);

    if (p == PROBLEM_OK && !admission_state_is(*row, "offered")) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the agreement is %s",
                      row_text(*row, "state"));
    }
    if (p == PROBLEM_OK && api_ms(*row, "expires_at") <= c->now_ms) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "its term is over");
    }
    p = p == PROBLEM_OK ? take_signature(c, txn, *row, key_id, signature) : p;
    if (p != PROBLEM_OK) {
        return p;
    }
    bool both = json_is_object(json_object_get(*row, "provider_signature")) &&
                json_is_object(json_object_get(*row, "receiver_signature"));
    if (both) {
        json_object_set_new(*row, "in_force_at", admission_time(c->now_ms));
    }
    return admission_move(c, txn, &agreements_resource, *row, both ? "in_force" : "offered",
                          "sign");
}

enum problem rest_agreement_sign(struct rest_call *c)
{
    static const char *const members[] = {"key_id", "signature", NULL};
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_body_members(c, members);
    const char *key_id = p == PROBLEM_OK ? rest_body_text(c, "key_id", CRYPTO_KEY_ID_LEN, &p) : "";
    const char *signature = p == PROBLEM_OK ? rest_body_text(c, "signature", 1400, &p) : "";

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, sign(c, txn, key_id, signature, &row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &agreements_resource, row, 200);
    }
    json_decref(row);
    return p;
}
