/* SPDX-License-Identifier: Apache-2.0 */
/* What an app proves itself with and has bodies sealed for: a secret the platform makes, shown once
 * and kept sealed; or the public part of a key of the app's own, alone or in a certificate
 * (BK-9.2.1b1). An app has as many as it likes, each with its own validity. */
#include <inttypes.h>
#include <stdio.h>

#include "admission/gate.h"
#include "api/credentials.h"
#include "api/keys.h"
#include "base/clock.h"
#include "base/codec.h"
#include "ca/ca.h"

#define SECRET_BYTES 32
#define DAY_MS       (86400ull * 1000)

static const struct scheme {
    const char *name, *use;
    bool secret;
    enum crypto_key_kind kind;
} schemes[] = {
    {"hmac-sm3", "signing", true, 0},
    {"hmac-sha256", "signing", true, 0},
    {"sm2-sm3", "signing", false, CRYPTO_KEY_SM2},
    {"ecdsa-p256-sha256", "signing", false, CRYPTO_KEY_P256},
    {"rsa-pss-sha512", "signing", false, CRYPTO_KEY_RSA},
    {"SM2", "encryption", false, CRYPTO_KEY_SM2},
    {"ECDH-ES", "encryption", false, CRYPTO_KEY_P256},
};
static const char *const algorithms[] = {
    "hmac-sm3",       "hmac-sha256", "sm2-sm3", "ecdsa-p256-sha256",
    "rsa-pss-sha512", "SM2",         "ECDH-ES", NULL};
_Static_assert(COUNT(algorithms) == COUNT(schemes) + 1, "each word is a scheme");
static const char *const uses[] = {"signing", "encryption", NULL};
static const char *const modes[] = {"pinned", "ca", NULL};
static const char *const classes[] = {"A1", "A2", NULL};

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"algorithm", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_SORT, 1, 20, .values = algorithms},
    {"not_before", ATTR_TIME, AF_SORT},
    {"expires_at", ATTR_TIME, AF_SORT},
    {"use", ATTR_TEXT, AF_IMMUTABLE, 1, 20, .values = uses, .fallback = "\"signing\""},
    {"public_key", ATTR_JSON, AF_IMMUTABLE, .check = keys_check_public},
    {"certificate", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 1, CRYPTO_CERTIFICATE_MAX,
     .check = keys_refuse_private},
    {"certificate_mode", ATTR_TEXT, AF_IMMUTABLE, 1, 10, .values = modes},
    {"certificate_subject", ATTR_TEXT, AF_READ_ONLY},
    {"certificate_sm3", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"spki", ATTR_TEXT, AF_HIDDEN},
    {"secret_sealed", ATTR_TEXT, AF_HIDDEN},
    {"class", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 2, .values = classes},
    {"label", ATTR_TEXT, AF_FILTER, 1, 100},
    {"created_by", ATTR_TEXT, AF_READ_ONLY},
    {"key_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"serial", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"supersedes", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"overlap_until", ATTR_TIME, AF_READ_ONLY},
    {"reason", ATTR_TEXT, AF_READ_ONLY},
    {"voided_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"warned_at", ATTR_TIME, AF_READ_ONLY},
    {"lost_at", ATTR_TIME, AF_READ_ONLY},
};

static const struct scheme *scheme_of(const json_t *row)
{
    for (size_t i = 0; i < COUNT(schemes); i++) {
        if (strcmp(schemes[i].name, row_text(row, "algorithm")) == 0) {
            return &schemes[i];
        }
    }
    return &schemes[0];
}

static enum problem make_secret(struct rest_call *c, json_t *row)
{
    uint8_t secret[SECRET_BYTES];
    char text[CODEC_BASE64URL_LEN(SECRET_BYTES)];

    crypto_random(secret, sizeof secret);
    json_t *sealed =
        api_seal_kept(c->ctl, row_text(row, "id"), slice_of((const char *)secret, sizeof secret));
    size_t n = codec_base64url(text, secret, sizeof secret);
    c->once = json_pack("{s:s%}", "secret", text, n);
    json_object_set_new(row, "secret_sealed", sealed);
    crypto_wipe(secret, sizeof secret);
    crypto_wipe(text, sizeof text);
    return sealed && c->once ? PROBLEM_OK : PROBLEM_INTERNAL;
}

/* Milliseconds of its end, 0: the row has no certificate or it cannot be read. */
static int64_t certificate_end_ms(const json_t *row)
{
    struct crypto_certificate *crt = NULL;
    int64_t from_ms = 0, to_ms = 0;

    if (row_text(row, "certificate")[0] &&
        crypto_certificate_load(&crt, slice_str(row_text(row, "certificate"))) == CRYPTO_OK) {
        crypto_certificate_validity(crt, &from_ms, &to_ms);
    }
    crypto_certificate_free(&crt);
    return to_ms;
}

static enum problem take_certificate(struct rest_call *c, json_t *row, struct crypto_key **key)
{
    struct crypto_certificate *crt = NULL;

    if (crypto_certificate_load(&crt, slice_str(row_text(row, "certificate"))) != CRYPTO_OK ||
        crypto_certificate_key(crt, key) != CRYPTO_OK) {
        crypto_certificate_free(&crt);
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/certificate",
                         "one PEM block with a certificate for SM2, P-256 or RSA is needed");
    }
    keys_describe_certificate(crt, row);
    crypto_certificate_free(&crt);
    if (!row_text(row, "certificate_mode")[0]) {
        json_object_set_new(row, "certificate_mode", json_string("pinned"));
    }
    if (strcmp(row_text(row, "certificate_mode"), "ca") == 0 &&
        !row_text(row, "certificate_subject")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/certificate",
                         "by CA it is known by its subject, and this one has none");
    }
    return PROBLEM_OK;
}

/* The key of the row by whichever of the two it came, fit for the row's algorithm. */
static enum problem take_key(struct rest_call *c, const struct scheme *s, json_t *row)
{
    bool certified = row_text(row, "certificate")[0];
    struct crypto_key *key = NULL;
    enum problem p = PROBLEM_OK;

    if (certified) {
        p = take_certificate(c, row, &key);
    } else {
        keys_load_public(json_object_get(row, "public_key"), &key);
    }
    if (p == PROBLEM_OK && (!key || crypto_key_kind(key) != s->kind)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, certified ? "/certificate" : "/public_key",
                      "its key is of another kind than %s needs", s->name);
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(row, "spki", keys_base64url(crypto_key_spki(key)));
        json_object_set_new(row, "key_id", json_string(crypto_key_id(key)));
        json_object_set_new(row, "secret_sealed", json_string("")); /* no secret: NOT NULL */
    }
    crypto_key_free(&key);
    return p;
}

/* Exactly what the algorithm needs, and nothing that would be kept without being used. */
static enum problem check_material(struct rest_call *c, const struct scheme *s, const json_t *row)
{
    bool key = !json_is_null(json_object_get(row, "public_key")),
         certificate = row_text(row, "certificate")[0], mode = row_text(row, "certificate_mode")[0];

    if (s->secret && (key || certificate)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, key ? "/public_key" : "/certificate",
                         "the secret of %s is made by the platform", s->name);
    }
    if (!s->secret && key == certificate) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/public_key",
                         "%s needs a public_key or a certificate, one of them", s->name);
    }
    if (mode && !certificate) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/certificate_mode", "there is no certificate");
    }
    if (certificate && strcmp(s->use, "encryption") == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/certificate",
                         "a certificate is what a connection shows; to encrypt for, send its "
                         "public_key");
    }
    if (json_object_get(c->body, "use") && strcmp(row_text(row, "use"), s->use) != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/use", "%s is for %s", s->name, s->use);
    }
    return PROBLEM_OK;
}

static void default_end(struct rest_call *c, json_t *row, int64_t days)
{
    uint64_t end_ms = c->now_ms + (uint64_t)days * DAY_MS;
    int64_t certificate_ms = certificate_end_ms(row);
    char text[CLOCK_RFC3339_LEN + 1];

    if (certificate_ms > 0 && (uint64_t)certificate_ms < end_ms) {
        end_ms = (uint64_t)certificate_ms;
    }
    clock_format_ms(end_ms, text);
    json_object_set_new(row, "expires_at", json_string(text));
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    const struct scheme *s = scheme_of(ch->row);
    enum problem p = check_material(c, s, ch->row);

    if (p != PROBLEM_OK) {
        return p;
    }
    json_object_set_new(ch->row, "use", json_string(s->use));
    json_object_set_new(ch->row, "created_by",
                        json_string(c->user.login[0] ? c->user.login : "platform"));
    return s->secret ? make_secret(c, ch->row) : take_key(c, s, ch->row);
}

/* One key is one credential's: shared with another app it would prove either of them, used for both
 * purposes a decryption could be made to sign (BK-7.3.4a). A key that was lost never comes back
 * under a new number (BK-9.3.5b2). */
static enum problem check_unshared(struct rest_call *c, struct change *ch)
{
    static const char sql[] =
        "SELECT lost_at FROM credentials WHERE spki = ? AND (state = 'active' "
        "OR lost_at IS NOT NULL) ORDER BY state LIMIT 1";
    const struct store_value v = store_text(row_text(ch->row, "spki"));
    struct store_rows *rows = NULL;

    if (!row_text(ch->row, "spki")[0]) {
        return PROBLEM_OK;
    }
    enum store_err err = store_query(ch->txn, sql, &v, 1, &rows);
    bool taken = err == STORE_OK && store_next(rows);
    bool lost = taken && !store_is_null(rows, 0);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    return p == PROBLEM_OK && taken
               ? rest_fail(c, PROBLEM_ALREADY_EXISTS, "/public_key", "%s",
                           lost ? "this key was lost once; make a new pair"
                                : "an active credential has this key; each has one of its own")
               : p;
}

/* By CA the subject is all that a connection must show: another app's of the same subject would be
 * taken for this one's. */
static enum problem check_subject(struct rest_call *c, struct change *ch)
{
    static const char sql[] = "SELECT 1 FROM credentials WHERE certificate_subject = ? AND app_id "
                              "<> ? AND certificate_mode = 'ca' AND state = 'active'";
    const struct store_value v[] = {store_text(row_text(ch->row, "certificate_subject")),
                                    store_text(row_text(ch->row, "app_id"))};
    struct store_rows *rows = NULL;

    if (strcmp(row_text(ch->row, "certificate_mode"), "ca") != 0) {
        return PROBLEM_OK;
    }
    enum store_err err = store_query(ch->txn, sql, v, COUNT(v), &rows);
    bool taken = err == STORE_OK && store_next(rows);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    return p == PROBLEM_OK && taken
               ? rest_fail(c, PROBLEM_ALREADY_EXISTS, "/certificate",
                           "by CA a subject is one app's, and another app has this one")
               : p;
}

static enum problem check_allowed(struct rest_call *c, struct change *ch)
{
    static const char sql[] = "SELECT 1 FROM algorithms WHERE name = ? AND (status = 'disabled' OR "
                              "sunset_at <= ?)";
    const struct store_value v[] = {store_text(row_text(ch->row, "algorithm")),
                                    store_int((int64_t)c->now_ms)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(ch->txn, sql, v, COUNT(v), &rows);
    bool off = err == STORE_OK && store_next(rows);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    return p == PROBLEM_OK && off
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/algorithm",
                           "%s is disabled on this platform", row_text(ch->row, "algorithm"))
               : p;
}

static enum problem check_end(struct rest_call *c, const json_t *row)
{
    uint64_t end_ms = api_ms(row, "expires_at");
    int64_t certificate_ms = certificate_end_ms(row);

    if (!end_ms) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "a credential has an end");
    }
    if (certificate_ms && certificate_ms <= (int64_t)c->now_ms) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/certificate", "the certificate is over");
    }
    if (certificate_ms && end_ms > (uint64_t)certificate_ms) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "its certificate ends before");
    }
    return api_check_validity(c, row);
}

/* Its class and with it how long it may live (BK-7.3.4c1). */
static enum problem check_class(struct rest_call *c, struct change *ch)
{
    struct credential_policy policy;
    enum problem p = PROBLEM_OK;

    if (!ch->old) {
        const char *class = NULL;
        p = credential_class(c, ch->txn, row_text(ch->row, "app_id"), row_text(ch->row, "class"),
                             &class);
        json_object_set_new(ch->row, "class", json_string(class));
    }
    if (p == PROBLEM_OK) {
        p = credential_policy_load(c, ch->txn, row_text(ch->row, "class"), &policy);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    if (!ch->old && !api_ms(ch->row, "expires_at")) {
        default_end(c, ch->row, policy.default_days);
    }
    if ((!ch->old || api_changed(ch->old, ch->row, "expires_at")) &&
        api_ms(ch->row, "expires_at") > c->now_ms + (uint64_t)policy.max_days * DAY_MS) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at",
                         "a credential of class %s lives %" PRId64 " days at most",
                         row_text(ch->row, "class"), policy.max_days);
    }
    return PROBLEM_OK;
}

/* What is void stays void (BK-9.4b2); what is being replaced does not outlive its overlap. */
static enum problem check_patch(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "state"), "active") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the credential is %s",
                         row_text(ch->row, "state"));
    }
    if (api_changed(ch->old, ch->row, "expires_at")) {
        json_object_set_new(ch->row, "warned_at", json_null());
        if (row_text(ch->row, "overlap_until")[0]) {
            return rest_fail(c, PROBLEM_STATE_CONFLICT, "/expires_at", "it has a successor");
        }
    }
    return PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;
    enum problem p = ch->old ? check_patch(c, ch) : PROBLEM_OK;

    if (p == PROBLEM_OK) {
        p = check_class(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = check_end(c, ch->row);
    }
    if (p != PROBLEM_OK || ch->old) {
        return p;
    }
    p = check_allowed(c, ch);
    if (p == PROBLEM_OK) {
        p = check_unshared(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = check_subject(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    }
    if (p == PROBLEM_OK && !api_app_calls(app)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/app_id",
                      "the app is %s; only an app that is admitted or tested has credentials",
                      row_text(app, "state"));
    }
    if (p == PROBLEM_OK) {
        p = admission_gate(c, ch->txn, app);
    }
    json_decref(app);
    return p;
}

static enum problem feed_secret(struct rest_call *c, const json_t *row, json_t *out)
{
    json_t *sealed = api_reseal(c->ctl, row_text(row, "id"), row_text(row, "secret_sealed"));

    if (!sealed) {
        return rest_fail(
            c, PROBLEM_INTERNAL, "",
            "the credential's secret cannot be opened: is keys/master.key the store's?");
    }
    json_object_set_new(out, "secret_sealed", sealed);
    return PROBLEM_OK;
}

/* By CA any certificate of this subject will do, so it is not told which one this was. */
static void feed_key(const json_t *row, json_t *out)
{
    const char *mode = row_text(row, "certificate_mode");
    json_t *sm3 = json_object_get(row, "certificate_sm3");

    json_object_set(out, "public_key", json_object_get(row, "spki"));
    if (strcmp(row_text(row, "use"), "encryption") == 0) {
        json_object_set(out, "use", json_object_get(row, "use"));
    }
    if (mode[0]) {
        json_object_set_new(out, "certificate",
                            json_pack("{s:s, s:O, s:s}", "mode", mode, "sm3",
                                      strcmp(mode, "ca") == 0 ? json_null() : sm3, "subject",
                                      row_text(row, "certificate_subject")));
    }
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    (void)txn;
    *data = json_pack("{s:s, s:s, s:s, s:o, s:o}", "app_id", row_text(row, "app_id"), "alg",
                      row_text(row, "algorithm"), "state",
                      strcmp(row_text(row, "state"), "active") == 0 ? "active" : "revoked",
                      "not_before", api_feed_ms(row, "not_before"), "expires_at",
                      api_feed_ms(row, "expires_at"));
    if (!*data) {
        return PROBLEM_INTERNAL;
    }
    if (scheme_of(row)->secret) {
        return feed_secret(c, row, *data);
    }
    feed_key(row, *data);
    return PROBLEM_OK;
}

enum problem credential_make(struct rest_call *c, struct store_txn *txn, json_t *body,
                             const char *id, json_t **row)
{
    struct change ch = {.res = &credentials_resource, .txn = txn, .row = json_object()};
    json_t *sent = c->body;

    *row = ch.row;
    json_object_set_new(ch.row, "id", json_string(id));
    json_object_set_new(ch.row, "state", json_string("active"));
    c->body = body;
    enum problem p = attr_apply(c, txn, &credentials_resource, ch.row, true);
    if (p == PROBLEM_OK) {
        p = prepare(c, &ch);
    }
    if (p == PROBLEM_OK) {
        p = check(c, &ch);
    }
    c->body = sent;
    return p;
}

#define HOLDER (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"active|suspended", "revoke", "revoked", HOLDER, .body_text = "reason", .body_optional = true,
     .hook = credential_void},
    {"active", "report-loss", "suspended", HOLDER, .body_text = "reason", .body_optional = true,
     .hook = credential_lost},
    {"suspended", "resume", "active", ROLE_STAFF, .hook = credential_found},
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
    .after = credential_after,
    .feed = feed,
    .feed_kind = "credential",
};
