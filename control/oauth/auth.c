/* SPDX-License-Identifier: Apache-2.0 */
/* Who the calling client is (RFC 6749 2.3, 7523, 8705). A client has one method, and must use that
 * one; whatever fails is the same refusal, so that nothing is learnt about clients. */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "crypto/certificate.h"
#include "oauth/inner.h"

#define BASIC_MAX      1024
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

struct shown {
    char basic[BASIC_MAX]; /* id NUL secret */
    const char *id, *secret, *assertion;
    enum client_auth method;
    struct jwt jwt;
};

static bool not_known(struct oauth_error *e)
{
    return oauth_refuse(e, "invalid_client", "the client cannot be authenticated");
}

static void unescape(char *s)
{
    for (char *at = s; (at = strchr(at, '+')); *at = ' ') {
    }
    MHD_http_unescape(s);
}

/* RFC 6749 2.3.1: both halves are form-encoded. */
static bool read_basic(const char *header, struct shown *s)
{
    size_t n = 0, text_n = strlen(header);

    if (!codec_unbase64(s->basic, sizeof s->basic - 1, &n, header, text_n)) {
        return false;
    }
    s->basic[n] = '\0';
    char *colon = strchr(s->basic, ':');
    if (!colon || strlen(s->basic) != n) {
        return false;
    }
    *colon = '\0';
    unescape(s->basic);
    unescape(colon + 1);
    s->id = s->basic;
    s->secret = colon + 1;
    s->method = CLIENT_SECRET_BASIC;
    return true;
}

static bool read_assertion(struct rest_call *c, struct shown *s, struct oauth_error *e)
{
    const char *type = rest_form(c, "client_assertion_type");

    if (!type || strcmp(type, ASSERTION_TYPE) != 0) {
        return oauth_refuse(e, "invalid_client", "client_assertion_type must be " ASSERTION_TYPE);
    }
    if (jwt_read(&s->jwt, slice_str(s->assertion)) != JWT_OK) {
        return not_known(e);
    }
    const char *named = rest_form(c, "client_id");
    s->id = jwt_text(&s->jwt, "sub");
    s->method = CLIENT_PRIVATE_KEY_JWT;
    return named && strcmp(named, s->id) != 0 ? not_known(e) : true;
}

/* What the call shows; two ways at once could name two clients. */
static bool read_shown(struct rest_call *c, struct shown *s, struct oauth_error *e)
{
    const char *header = c->req->authorization;
    bool basic = header && strncasecmp(header, "Basic ", 6) == 0;

    s->secret = rest_form(c, "client_secret");
    s->assertion = rest_form(c, "client_assertion");
    if (basic + (s->secret != NULL) + (s->assertion != NULL) > 1) {
        return oauth_refuse(e, "invalid_request", "one way of client authentication is needed");
    }
    if (s->assertion) {
        return read_assertion(c, s, e);
    }
    const char *named = rest_form(c, "client_id");
    if (basic) {
        return read_basic(header + 6, s) && !(named && strcmp(named, s->id) != 0) ? true
                                                                                  : not_known(e);
    }
    s->id = named;
    s->method = s->secret ? CLIENT_SECRET_POST : CLIENT_TLS;
    return s->id && (s->secret || c->req->peer_certificate.n) ? true : not_known(e);
}

static bool key_live(const struct client_key *key, uint64_t now_ms)
{
    return key->from_ms <= now_ms && (key->to_ms == 0 || key->to_ms > now_ms);
}

/* All of them are looked at, whichever fits. */
static bool secret_fits(const struct client *k, const char *text, uint64_t now_ms)
{
    uint8_t given[CRYPTO_KEY_LEN] = {0};
    size_t n = 0;
    bool readable =
        codec_unbase64url(given, sizeof given, &n, text, strlen(text)) && n == sizeof given;
    bool fits = false;

    for (size_t i = 0; i < k->n_keys; i++) {
        if (k->keys[i].secret && key_live(&k->keys[i], now_ms)) {
            fits |= crypto_equal(given, k->keys[i].bytes, sizeof given);
        }
    }
    crypto_wipe(given, sizeof given);
    return readable && fits;
}

static bool is_ours(struct rest_call *c, const char *text)
{
    const char *issuer = oauth_issuer(c->ctl), *const paths[] = {"", c->req->path, "/oauth/token"};
    char url[300];

    for (size_t i = 0; text && i < COUNT(paths); i++) {
        snprintf(url, sizeof url, "%s%s", issuer, paths[i]);
        if (strcmp(text, url) == 0) {
            return true;
        }
    }
    return false;
}

/* FAPI 2.0 5.3.2.1: the issuer alone, as a text; else the endpoint's address counts too, and a list
 * of nothing but ours. A list that names another server would let that one use it here. */
static bool audience_fits(struct rest_call *c, const struct client *k, const struct jwt *j)
{
    const json_t *aud = json_object_get(j->claims, "aud");
    bool fits = json_is_array(aud) && json_array_size(aud) > 0;
    json_t *v;
    size_t i;

    if (k->fapi2) {
        return json_is_string(aud) && strcmp(json_string_value(aud), oauth_issuer(c->ctl)) == 0;
    }
    json_array_foreach(aud, i, v)
    {
        fits = fits && is_ours(c, json_string_value(v));
    }
    return fits || is_ours(c, json_string_value(aud));
}

static bool times_fit(const struct jwt *j, uint64_t now_s, uint64_t *exp)
{
    uint64_t iat = 0, nbf = 0;

    return jwt_seconds(j, "exp", exp) && *exp > now_s &&
           *exp <= now_s + OAUTH_ASSERTION_MAX_S + OAUTH_CLOCK_SKEW_S &&
           (!json_object_get(j->claims, "iat") ||
            (jwt_seconds(j, "iat", &iat) && iat <= now_s + OAUTH_CLOCK_SKEW_S)) &&
           (!json_object_get(j->claims, "nbf") ||
            (jwt_seconds(j, "nbf", &nbf) && nbf <= now_s + OAUTH_CLOCK_SKEW_S));
}

/* Keys that came in a certificate prove a connection, not an assertion. */
static bool signed_by(const struct client *k, const struct jwt *j, uint64_t now_ms)
{
    for (size_t i = 0; i < k->n_keys; i++) {
        const struct client_key *key = &k->keys[i];
        if (!key->secret && key_live(key, now_ms) && !row_text(key->row, "certificate")[0] &&
            jwt_verify(j, key->key) == JWT_OK) {
            return true;
        }
    }
    return false;
}

static bool assertion_fits(struct rest_call *c, const struct client *k, const struct jwt *j,
                           struct oauth_error *e)
{
    const char *jti = jwt_text(j, "jti");
    char scope[64];
    uint64_t exp = 0;

    if (strcmp(jwt_text(j, "iss"), k->id) != 0 || strcmp(jwt_text(j, "sub"), k->id) != 0 ||
        !audience_fits(c, k, j) || !times_fit(j, c->now_ms / 1000, &exp) || !jti[0] ||
        strlen(jti) > OAUTH_JTI_MAX || !signed_by(k, j, c->now_ms)) {
        return not_known(e);
    }
    snprintf(scope, sizeof scope, "assertion:%s", k->id);
    if (!oauth_once(c, scope, jti, exp, e)) {
        return strcmp(e->code, "invalid_request") == 0 ? not_known(e) : false;
    }
    return true;
}

/* Certificates ------------------------------------------------------------------------------------
 */
static bool anchor_trusts(struct rest_call *c, const json_t *anchor,
                          const struct crypto_certificate *crt)
{
    bool needed = json_is_true(json_object_get(anchor, "crl_required"));
    struct crypto_trust *trust =
        crypto_trust_new(needed ? CRYPTO_CRL_ALWAYS : CRYPTO_CRL_WHERE_NAMED);
    const char *crl = row_text(anchor, "crl");
    size_t n = 0;
    uint8_t *der = malloc(strlen(crl) + 1);
    bool ok =
        der && crypto_trust_add_ca(trust, slice_str(row_text(anchor, "certificate"))) == CRYPTO_OK;

    if (ok && crl[0]) {
        ok = codec_unbase64(der, strlen(crl), &n, crl, strlen(crl)) &&
             crypto_trust_add_crl(trust, slice_of((const char *)der, n)) == CRYPTO_OK;
    }
    ok = ok && crypto_trust_verify(trust, crt, NULL, 0, (int64_t)c->now_ms) == CRYPTO_TRUSTED;
    crypto_trust_free(&trust);
    free(der);
    return ok;
}

struct trust_search {
    const struct crypto_certificate *crt;
    bool found;
};

static enum problem visit_anchor(struct rest_call *c, struct change *ch)
{
    struct trust_search *s = ch->arg;

    s->found = s->found || anchor_trusts(c, ch->row, s->crt);
    return PROBLEM_OK;
}

static bool ca_trusted(struct rest_call *c, const struct crypto_certificate *crt)
{
    struct trust_search s = {.crt = crt};
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &trusts_resource, "state", "active", visit_anchor, &s);
    }
    store_rollback(&txn);
    return p == PROBLEM_OK && s.found;
}

static bool certificate_fits(struct rest_call *c, const struct client *k,
                             const struct crypto_certificate *crt)
{
    const char *wanted = k->method == CLIENT_TLS ? "ca" : "pinned";
    uint8_t sm3[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];
    int64_t from_ms = 0, to_ms = 0;

    crypto_certificate_validity(crt, &from_ms, &to_ms);
    crypto_certificate_fingerprint(crt, CRYPTO_SM3, sm3);
    hex[codec_hex(hex, sm3, sizeof sm3)] = '\0';
    if (from_ms > (int64_t)c->now_ms || to_ms <= (int64_t)c->now_ms) {
        return false;
    }
    for (size_t i = 0; i < k->n_keys; i++) {
        const json_t *row = k->keys[i].row;
        if (!key_live(&k->keys[i], c->now_ms) ||
            strcmp(row_text(row, "certificate_mode"), wanted) != 0) {
            continue;
        }
        if (k->method == CLIENT_TLS ? strcmp(row_text(row, "certificate_subject"),
                                             crypto_certificate_subject(crt)) == 0 &&
                                          ca_trusted(c, crt)
                                    : strcmp(row_text(row, "certificate_sm3"), hex) == 0) {
            return true;
        }
    }
    return false;
}

/* Reads the connection's certificate, if any; *fits: it authenticates k. */
static void look_at_certificate(struct rest_call *c, struct auth *a, const struct client *k,
                                bool *fits)
{
    struct crypto_certificate *crt = NULL;

    *fits = false;
    if (c->req->peer_certificate.n == 0 ||
        crypto_certificate_load(&crt, c->req->peer_certificate) != CRYPTO_OK) {
        return;
    }
    crypto_certificate_fingerprint(crt, CRYPTO_SHA256, a->certificate_sha256);
    a->has_certificate = true;
    *fits = k->method >= CLIENT_TLS && certificate_fits(c, k, crt);
    crypto_certificate_free(&crt);
}

/* ------------------------------------------------------------------------------------------------
 */
static bool judge(struct rest_call *c, struct auth *a, const struct shown *s, struct oauth_error *e)
{
    const struct client *k = a->client;
    bool by_certificate = false;

    look_at_certificate(c, a, k, &by_certificate);
    if (k->fapi2 && k->method < CLIENT_PRIVATE_KEY_JWT) {
        return oauth_refuse(e, "invalid_client",
                            "this client's profile takes private_key_jwt or a certificate");
    }
    if (k->method >= CLIENT_TLS) {
        return s->method == CLIENT_TLS && by_certificate ? true : not_known(e);
    }
    if (s->method != k->method) {
        return not_known(e);
    }
    if (k->method == CLIENT_PRIVATE_KEY_JWT) {
        return assertion_fits(c, k, &s->jwt, e);
    }
    return secret_fits(k, s->secret, c->now_ms) ? true : not_known(e);
}

bool oauth_authenticate(struct rest_call *c, struct auth *a, struct oauth_error *e)
{
    struct shown s = {0};

    *a = (struct auth){0};
    bool ok = read_shown(c, &s, e);
    if (ok) {
        a->client = client_get(c, s.id);
        ok = a->client ? judge(c, a, &s, e) : not_known(e);
    }
    crypto_wipe(s.basic, sizeof s.basic);
    jwt_fini(&s.jwt);
    if (!ok) {
        auth_fini(a);
    }
    return ok;
}

enum problem oauth_caller(struct rest_call *c, char app_id[static UUID_TEXT_LEN + 1])
{
    struct oauth_error e = {0};
    struct auth a = {0};

    if (!oauth_authenticate(c, &a, &e)) {
        return rest_fail(c, PROBLEM_CLIENT_INVALID, "", "%s", e.text);
    }
    snprintf(app_id, UUID_TEXT_LEN + 1, "%s", a.client->id);
    auth_fini(&a);
    return PROBLEM_OK;
}

void auth_fini(struct auth *a)
{
    client_put(&a->client);
}

bool oauth_bind(struct rest_call *c, struct auth *a, struct oauth_error *e)
{
    const struct client *k = a->client;

    a->binding = TOKEN_BEARER;
    if (rest_request_header(c, "DPoP")) {
        a->binding = TOKEN_DPOP;
        return dpop_check(c, NULL, a->thumb, e);
    }
    if (k->dpop_bound) {
        return oauth_refuse(e, "invalid_dpop_proof", "this client's tokens need a DPoP proof");
    }
    if (a->has_certificate && (k->method >= CLIENT_TLS || k->fapi2)) {
        a->binding = TOKEN_CERTIFICATE;
        memcpy(a->thumb, a->certificate_sha256, sizeof a->thumb);
        return true;
    }
    return !k->fapi2 ? true
                     : oauth_refuse(e, "invalid_dpop_proof",
                                    "this client's profile needs a DPoP proof or a certificate");
}
