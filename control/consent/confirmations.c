/* SPDX-License-Identifier: Apache-2.0 */
/* Confirmations of one transaction (BK-10.2.2): pushed by the app, decided by the user on our page,
 * kept as evidence of what was shown, to whom, when, under which risk notice. */
#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "consent/consent.h"
#include "oauth/inner.h"

_Static_assert(CONFIRMATION_SEALED_MAX == CONFIRMATION_TEXT_MAX, "the same text");

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "apps"},
    {"api_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "apis"},
    {"request_sm3", ATTR_TEXT, AF_HIDDEN},
    {"method", ATTR_TEXT, AF_READ_ONLY},
    {"target", ATTR_TEXT, AF_READ_ONLY},
    {"body", ATTR_TEXT, AF_HIDDEN},
    {"content_sm3", ATTR_TEXT, AF_READ_ONLY},
    {"redirect_uri", ATTR_TEXT, AF_HIDDEN},
    {"client_state", ATTR_TEXT, AF_HIDDEN},
    {"user_id", ATTR_TEXT, AF_READ_ONLY},
    {"owner", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"given_by", ATTR_TEXT, AF_READ_ONLY},
    {"factors", ATTR_INT, AF_READ_ONLY},
    {"act", ATTR_TEXT, AF_READ_ONLY},
    {"channel", ATTR_TEXT, AF_READ_ONLY},
    {"statement", ATTR_TEXT, AF_READ_ONLY},
    {"statement_sm3", ATTR_TEXT, AF_READ_ONLY},
    {"risk_version", ATTR_TEXT, AF_READ_ONLY},
    {"risk_acknowledged_at", ATTR_TIME, AF_READ_ONLY},
    {"decided_at", ATTR_TIME, AF_READ_ONLY},
    {"life_s", ATTR_INT, AF_READ_ONLY},
    {"expires_at", ATTR_TIME, AF_READ_ONLY},
};

enum problem confirmation_load(struct rest_call *c, struct store_txn *txn, const char *secret,
                               json_t **row)
{
    static const char sql[] = "SELECT id FROM confirmations WHERE request_sm3 = ? AND state = "
                              "'pending' AND expires_at > ?";
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1], id[UUID_TEXT_LEN + 1] = "";
    uint8_t digest[CRYPTO_HASH_LEN];
    struct store_rows *rows = NULL;

    oauth_secret_hash(secret ? secret : "", digest);
    hex[codec_hex(hex, digest, sizeof digest)] = '\0';
    const struct store_value v[] = {store_text(hex), store_int((int64_t)c->now_ms)};
    enum store_err err = store_query(txn, sql, v, 2, &rows);
    if (err == STORE_OK && store_next(rows)) {
        memcpy(id, store_get_text(rows, 0), UUID_TEXT_LEN);
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    if (p == PROBLEM_OK && !id[0]) {
        return rest_fail(c, PROBLEM_AUTHORIZATION_INVALID, "", "the request is decided or over");
    }
    return p == PROBLEM_OK ? api_load(c, txn, &confirmations_resource, id, row) : p;
}

/* From the decision on; what the app asked for, which is never longer than ours. */
static uint64_t end_ms(const struct rest_call *c, const json_t *row)
{
    return c->now_ms + (uint64_t)json_integer_value(json_object_get(row, "life_s")) * 1000;
}

static void set_decision(struct rest_call *c, json_t *row, const struct confirmation_decision *d)
{
    char now[CLOCK_RFC3339_LEN + 1], until[CLOCK_RFC3339_LEN + 1],
        hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];
    uint8_t digest[CRYPTO_HASH_LEN];

    clock_format_ms(c->now_ms, now);
    clock_format_ms(end_ms(c, row), until);
    crypto_hash(CRYPTO_SM3, d->statement, strlen(d->statement), digest);
    hex[codec_hex(hex, digest, sizeof digest)] = '\0';
    json_t *said =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:n}", "state",
                  d->agreed ? "confirmed" : "refused", "user_id", c->user.id, "owner",
                  c->user.subject, "given_by", c->user.login, "factors", (int)c->user.factors,
                  "act", "click", "channel", "page", "statement", d->statement, "statement_sm3",
                  hex, "decided_at", now, "expires_at", until, "body");
    json_object_update(row, said);
    json_decref(said);
    if (d->agreed && d->risk_version) {
        json_object_set_new(row, "risk_version", json_string(d->risk_version));
        json_object_set_new(row, "risk_acknowledged_at", json_string(now));
    }
}

static bool read_id(const json_t *row, const char *name, struct uuid *id)
{
    const char *text = row_text(row, name);

    return uuid_parse(id, text, strlen(text));
}

static bool seal(struct rest_call *c, const json_t *row, char sealed[static CONFIRMATION_TEXT_MAX])
{
    struct confirmation t = {
        .issued_ms = c->now_ms, .expires_ms = end_ms(c, row), .factors = c->user.factors};
    const char *content = row_text(row, "content_sm3");
    size_t n = 0;

    crypto_hash(CRYPTO_SM3, c->user.subject, strlen(c->user.subject), t.owner_sm3);
    return read_id(row, "id", &t.id) && read_id(row, "app_id", &t.app) &&
           read_id(row, "api_id", &t.api) && read_id(row, "user_id", &t.user) &&
           codec_unhex(t.content_sm3, sizeof t.content_sm3, &n, content, strlen(content)) &&
           n == sizeof t.content_sm3 && oauth_confirmation_seal(c, &t, sealed);
}

enum problem confirmation_decide(struct rest_call *c, struct store_txn *txn, const json_t *old,
                                 const struct confirmation_decision *d,
                                 char sealed[static CONFIRMATION_SEALED_MAX])
{
    json_t *row = json_deep_copy(old);
    enum problem p =
        d->agreed ? closures_refuse(c, txn, c->user.subject, row_text(old, "app_id")) : PROBLEM_OK;

    sealed[0] = '\0';
    set_decision(c, row, d);
    if (p == PROBLEM_OK && d->agreed && !seal(c, row, sealed)) {
        p = PROBLEM_INTERNAL;
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &confirmations_resource, old, row,
                         d->agreed ? "confirm" : "refuse");
    }
    json_decref(row);
    return p;
}

/* A job -------------------------------------------------------------------------------------------
 * What nobody decided in time: the body goes, the rest stays. */
static enum problem expire_one(struct rest_call *c, struct store_txn *txn, const char *id)
{
    json_t *old = NULL;
    enum problem p = api_load(c, txn, &confirmations_resource, id, &old);

    if (p == PROBLEM_OK) {
        json_t *row = json_deep_copy(old);
        json_object_set_new(row, "state", json_string("expired"));
        json_object_set_new(row, "body", json_null());
        p = change_store(c, txn, &confirmations_resource, old, row, "expire");
        json_decref(row);
    }
    json_decref(old);
    return p;
}

enum problem confirmations_expire(struct rest_call *c)
{
    const struct store_value v = store_int((int64_t)c->now_ms);
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    json_t *ids = json_array(), *id;
    size_t i;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        enum store_err err = store_query(txn,
                                         "SELECT id FROM confirmations WHERE state = 'pending' AND "
                                         "expires_at <= ? LIMIT 500",
                                         &v, 1, &rows);
        while (err == STORE_OK && store_next(rows)) {
            json_array_append_new(ids, json_string(store_get_text(rows, 0)));
        }
        p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
        store_rollback(&txn);
    }
    if (p == PROBLEM_OK && json_array_size(ids) > 0) {
        p = rest_begin(c, STORE_WRITE, &txn);
        json_array_foreach(ids, i, id)
        {
            p = p == PROBLEM_OK ? expire_one(c, txn, json_string_value(id)) : p;
        }
        p = txn ? rest_finish(c, &txn, p) : p;
    }
    json_decref(ids);
    return p;
}

static const struct scope scopes[] = {
    {ROLE_OWNER, BIND_USER, "t.user_id = ?", "1 = 0"},
    {ROLE_DEVELOPER, BIND_ORGANISATION,
     "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)", "1 = 0"},
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)", "1 = 0"},
};

/* Made by the app's push, changed by the user's decision, so by no route of REST. */
const struct resource confirmations_resource = {
    .plural = "confirmations",
    .kind = "confirmation",
    .initial = "pending",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
};
