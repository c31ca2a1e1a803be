/* SPDX-License-Identifier: Apache-2.0 */
/* The OAuth server without HTTP: most of it what it must refuse. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "crypto/certificate_testing.h"
#include "jobs/jobs.h"
#include "oauth/inner.h"
#include "test/fixture.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define VERIFIER       "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE      "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" /* RFC 7636 appendix B */
#define REDIRECT       "https://app.example/cb"
#define ENCODED        REDIRECT /* the parser takes it as it is */

static struct fixture f;
static char api[40], api_a2[40];
static struct crypto_key *proof_key, *other_key;

/* One call outside /api/v1. */
struct web {
    const char *method, *path, *form, *query, *dpop, *authorization;
    struct slice certificate;
};
struct web_reply {
    unsigned status;
    json_t *json;
    char error[40];
};

static const char *header_of(const void *ctx, const char *name)
{
    const struct web *w = ctx;

    return strcasecmp(name, "DPoP") == 0           ? w->dpop
           : strcasecmp(name, "Content-Type") == 0 ? "application/x-www-form-urlencoded"
                                                   : NULL;
}

static struct web_reply send_web(const struct web *w)
{
    struct rest_request req = {.method = w->method ? w->method : "POST",
                               .path = w->path,
                               .header = header_of,
                               .header_ctx = w,
                               .authorization = w->authorization,
                               .peer_certificate = w->certificate};
    struct rest_response resp;
    struct web_reply r = {0};

    req.body = w->form ? slice_str(w->form) : SLICE("");
    rest_response_init(&resp);
    rest_dispatch(&f.ctl, &req, &resp);
    r.status = resp.status;
    r.json = json_loadb(resp.body.p ? resp.body.p : "", resp.body.n, 0, NULL);
    snprintf(r.error, sizeof r.error, "%s", row_text(r.json, "error"));
    rest_response_fini(&resp);
    return r;
}

static void web_free(struct web_reply *r)
{
    json_decref(r->json);
    r->json = NULL;
}

/* Sends, asserts, and gives a member of the answer ("" none). error NULL: 2xx is wanted. */
static const char *expect(const struct web *w, const char *error, const char *member)
{
    struct web_reply r = send_web(w);
    bool good =
        error ? r.status >= 400 && strcmp(r.error, error) == 0 : r.status >= 200 && r.status < 300;

    if (!good) {
        fail_msg("%s %.300s: wanted %s, got %u %s %s %s", w->path, w->form ? w->form : "",
                 error ? error : "success", r.status, r.error,
                 row_text(r.json, "error_description"), row_text(r.json, "code"));
    }
    if (error) {
        assert_null(json_object_get(r.json, "access_token"));
    }
    const char *out = text("%s", member ? row_text(r.json, member) : "");
    web_free(&r);
    return out;
}

static const char *token_call(const char *form, const char *error, const char *member)
{
    return expect(&(struct web){.path = "/oauth/token", .form = form}, error, member);
}

/* Apps --------------------------------------------------------------------------------------------
 */
struct client_of {
    char app[40], secret[64], credential[40];
    struct crypto_key *key;
};
static struct client_of secret_app, key_app, web_app, fapi_app, other_app;

static void make_app(struct client_of *k, const char *name)
{
    snprintf(k->app, sizeof k->app, "%s",
             fixture_ok(&f, DEVELOPER, "POST", "apps",
                        text("{\"name\":\"%s\",\"organisation_id\":\"%s\",\"environment\":"
                             "\"controlled\"}",
                             name, f.third),
                        "id"));
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/admit", k->app), NULL, NULL);
}

static void subscribe(const struct client_of *k, const char *to, const char *risk)
{
    const char *id = fixture_ok(&f, DEVELOPER, "POST", "subscriptions",
                                text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\","
                                     "\"max_level\":3}",
                                     k->app, to),
                                "id");
    fixture_ok(&f, OPERATOR, "POST", text("subscriptions/%s/approve", id), risk, NULL);
}

static void give_secret(struct client_of *k)
{
    struct reply r =
        fixture_call(&f, DEVELOPER, "POST", "credentials", NULL,
                     text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sha256\"}", k->app));
    assert_int_equal(r.status, 201);
    snprintf(k->secret, sizeof k->secret, "%s", row_text(r.json, "secret"));
    snprintf(k->credential, sizeof k->credential, "%s", row_text(r.json, "id"));
    reply_free(&r);
}

static void give_key(struct client_of *k)
{
    k->key = crypto_key_new(CRYPTO_KEY_P256);
    char *jwk = crypto_key_jwk(k->key);
    snprintf(k->credential, sizeof k->credential, "%s",
             fixture_ok(&f, DEVELOPER, "POST", "credentials",
                        text("{\"app_id\":\"%s\",\"algorithm\":\"ecdsa-p256-sha256\","
                             "\"public_key\":%s}",
                             k->app, jwk),
                        "id"));
    free(jwk);
}

static void settings(const struct client_of *k, const char *more)
{
    fixture_ok(&f, DEVELOPER, "POST", "clients", text("{\"app_id\":\"%s\"%s}", k->app, more), NULL);
}

static const char *make_api(const char *name, const char *more)
{
    const char *id = fixture_ok(
        &f, PROVIDER, "POST", "apis",
        text("{\"name\":\"%s\",\"version\":\"v1\",\"path\":\"/%s/v1\",\"kind\":\"http\","
             "\"upstream\":\"http://127.0.0.1:9\",\"fields\":[{\"path\":\"a\",\"level\":1,\"type\":"
             "\"scalar\"},{\"path\":\"b\",\"level\":1,\"type\":\"scalar\"}]%s}",
             name, name, more),
        "id");
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", id), NULL, NULL);
    return id;
}

#define CODE_FLOW                                                                                  \
    ",\"redirect_uris\":[\"" REDIRECT "\"],\"grant_types\":[\"client_credentials\","               \
    "\"authorization_code\",\"refresh_token\"]"

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    snprintf(api, sizeof api, "%s", make_api("orders", ""));
    snprintf(api_a2, sizeof api_a2, "%s", make_api("pay", ",\"class\":\"A2\""));
    proof_key = crypto_key_new(CRYPTO_KEY_P256);
    other_key = crypto_key_new(CRYPTO_KEY_P256);
    make_app(&secret_app, "by secret");
    make_app(&key_app, "by key");
    make_app(&web_app, "for users");
    make_app(&fapi_app, "strict");
    make_app(&other_app, "another");
    give_secret(&secret_app);
    give_key(&key_app);
    give_secret(&web_app);
    give_key(&fapi_app);
    give_secret(&other_app);
    settings(&secret_app, ",\"token_endpoint_auth_method\":\"client_secret_post\"");
    settings(&key_app, "");
    settings(&web_app, ",\"token_endpoint_auth_method\":\"client_secret_post\"" CODE_FLOW);
    settings(&other_app, ",\"token_endpoint_auth_method\":\"client_secret_post\"" CODE_FLOW);
    subscribe(&secret_app, api, NULL);
    subscribe(&key_app, api, NULL);
    subscribe(&web_app, api, NULL);
    subscribe(&other_app, api, NULL);
    subscribe(&fapi_app, api_a2, "{\"risk_assessment\":\"looked at\"}");
    settings(&fapi_app, CODE_FLOW);
    return 0;
}

static int teardown(void **state)
{
    struct client_of *all[] = {&key_app, &fapi_app};

    (void)state;
    for (size_t i = 0; i < COUNT(all); i++) {
        crypto_key_free(&all[i]->key);
    }
    crypto_key_free(&proof_key);
    crypto_key_free(&other_key);
    fixture_close(&f);
    return 0;
}

static const char *by_secret(const struct client_of *k, const char *more)
{
    return text("client_id=%s&client_secret=%s&%s", k->app, k->secret, more);
}

#define OWN "grant_type=client_credentials"

static const char *own_token(const struct client_of *k)
{
    return token_call(by_secret(k, OWN), NULL, "access_token");
}

static bool is_active(const struct client_of *asks, const char *token)
{
    struct web_reply r = send_web(&(struct web){.path = "/oauth/introspect",
                                                .form = by_secret(asks, text("token=%s", token))});
    bool active = json_is_true(json_object_get(r.json, "active"));

    assert_int_equal(r.status, 200);
    if (!active) {
        assert_int_equal(json_object_size(r.json), 1);
    }
    web_free(&r);
    return active;
}

/* Client authentication ---------------------------------------------------------------------------
 */
static void by_secret_alone(void **state)
{
    (void)state;
    assert_true(strncmp(own_token(&secret_app), TOKEN_PREFIX, 5) == 0);
    const struct {
        const char *form, *error;
    } rows[] = {
        {OWN, "invalid_client"},
        {text("client_id=%s&" OWN, secret_app.app), "invalid_client"},
        {text("client_id=%s&client_secret=&" OWN, secret_app.app), "invalid_client"},
        {text("client_id=%s&client_secret=%s&" OWN, secret_app.app, web_app.secret),
         "invalid_client"},
        {text("client_id=%s&client_secret=%.42s&" OWN, secret_app.app, secret_app.secret),
         "invalid_client"},
        {text("client_id=nobody&client_secret=%s&" OWN, secret_app.secret), "invalid_client"},
        {by_secret(&secret_app, "grant_type=password&username=a&password=b"),
         "unsupported_grant_type"},
        {by_secret(&secret_app, "grant_type=implicit"), "unsupported_grant_type"},
        {by_secret(&secret_app, "scope=orders.v1"), "invalid_request"},
        {by_secret(&secret_app, OWN "&scope=pay.v1"), "invalid_scope"},
        {by_secret(&secret_app, OWN "&scope=openid"), "invalid_scope"},
        {by_secret(&secret_app, "grant_type=authorization_code&code=x"), "unauthorized_client"},
        {by_secret(&secret_app, "grant_type=refresh_token&refresh_token=x"), "unauthorized_client"},
        {text("client_id=%s&client_secret=%s&" OWN, key_app.app, secret_app.secret),
         "invalid_client"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        token_call(rows[i].form, rows[i].error, NULL);
    }
    char basic[200], pair[200];
    int n = snprintf(pair, sizeof pair, "%s:%s", secret_app.app, secret_app.secret);
    basic[codec_base64(basic, pair, (size_t)n)] = '\0';
    expect(&(struct web){.path = "/oauth/token",
                         .form = OWN,
                         .authorization = text("Basic %s", basic)},
           "invalid_client", NULL); /* its method is another */
    expect(&(struct web){.path = "/oauth/token",
                         .form = by_secret(&secret_app, OWN),
                         .authorization = text("Basic %s", basic)},
           "invalid_request", NULL); /* two at once */
}

static void void_at_once(void **state)
{
    (void)state;
    struct client_of k = {0};
    make_app(&k, "short-lived");
    give_secret(&k);
    settings(&k, ",\"token_endpoint_auth_method\":\"client_secret_post\"");
    subscribe(&k, api, NULL);
    own_token(&k);
    fixture_ok(&f, DEVELOPER, "POST", text("credentials/%s/revoke", k.credential), NULL, NULL);
    token_call(by_secret(&k, OWN), "invalid_client", NULL);
    give_secret(&k);
    const char *token = own_token(&k);
    assert_true(is_active(&k, token));
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/suspend", k.app), NULL, NULL);
    token_call(by_secret(&k, OWN), "invalid_client", NULL);
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/resume", k.app), NULL, NULL);
    own_token(&k);
}

static json_t *assertion_claims(const struct client_of *k)
{
    static int n;
    json_int_t now = (json_int_t)(clock_wall_ms() / 1000);

    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "iss", k->app, "sub", k->app, "aud",
                     oauth_issuer(&f.ctl), "exp", now + 60, "iat", now, "jti",
                     text("jti-%d-%s", n++, k->app));
}

/* By key; change: a member set to the JSON text given, or removed when that is "". */
static const char *assertion(const struct client_of *k, const struct crypto_key *key,
                             const char *member, const char *value)
{
    json_t *claims = assertion_claims(k);

    if (member && value[0]) {
        json_object_set_new(claims, member, json_loads(value, JSON_DECODE_ANY, NULL));
    } else if (member) {
        json_object_del(claims, member);
    }
    char *jwt = jwt_write(key, "any", "JWT", claims);
    const char *form = text("client_assertion_type=" ASSERTION_TYPE "&client_assertion=%s&", jwt);
    free(jwt);
    json_decref(claims);
    return form;
}

static void by_assertion(void **state)
{
    (void)state;
    json_int_t now = (json_int_t)(clock_wall_ms() / 1000);
    const char *good = assertion(&key_app, key_app.key, NULL, NULL);

    token_call(text("%s" OWN, good), NULL, "access_token");
    token_call(text("%s" OWN, good), "invalid_client", NULL); /* replayed */
    token_call(text("%s" OWN, assertion(&key_app, key_app.key, "aud",
                                        text("\"%s/oauth/token\"", oauth_issuer(&f.ctl)))),
               NULL, NULL);
    token_call(text("%s" OWN, assertion(&key_app, key_app.key, "aud",
                                        text("[\"%s/oauth/token\",\"%s\"]", oauth_issuer(&f.ctl),
                                             oauth_issuer(&f.ctl)))),
               NULL, NULL);
    const struct {
        const char *member, *value;
    } rows[] = {
        {"aud", "[]"},
        {"iss", "\"somebody\""},
        {"iss", ""},
        {"sub", ""},
        {"sub", text("\"%s\"", secret_app.app)},
        {"aud", ""},
        {"aud", "\"https://other.example\""},
        {"aud", text("[\"%s\",\"https://other.example\"]", oauth_issuer(&f.ctl))},
        {"exp", ""},
        {"exp", text("%lld", (long long)now - 1)},
        {"exp", text("%lld", (long long)now + 3600)},
        {"exp", "\"tomorrow\""},
        {"exp", "-1"},
        {"exp", "1e300"},
        {"iat", text("%lld", (long long)now + 600)},
        {"nbf", text("%lld", (long long)now + 600)},
        {"jti", ""},
        {"jti", "\"\""},
        {"jti", "7"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        token_call(text("%s" OWN, assertion(&key_app, key_app.key, rows[i].member, rows[i].value)),
                   "invalid_client", NULL);
    }
    token_call(text("%s" OWN, assertion(&key_app, other_key, NULL, NULL)), "invalid_client", NULL);
    token_call(
        text("%sclient_id=%s&" OWN, assertion(&key_app, key_app.key, NULL, NULL), secret_app.app),
        "invalid_client", NULL);
}

static const char *base64url(const char *s)
{
    char out[2000];

    assert_true(CODEC_BASE64URL_LEN(strlen(s)) < sizeof out);
    out[codec_base64url(out, s, strlen(s))] = '\0';
    return text("%s", out);
}

/* alg none, and HMAC with what is public of the key as its secret. */
static void algorithm_confusion(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"PS512\"}",
        "{\"alg\":\"SM2SM3\"}",
        "{\"alg\":\"ES256\",\"alg\":\"none\"}",
        "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"ES256\",\"b64\":false}",
        "{}",
        "[]",
    };
    for (size_t i = 0; i < COUNT(headers); i++) {
        json_t *claims = assertion_claims(&key_app);
        char *dump = json_dumps(claims, 0);
        uint8_t mac[CRYPTO_HASH_LEN];
        char sig[64];
        struct slice spki = crypto_key_spki(key_app.key);
        const char *body = text("%s.%s", base64url(headers[i]), base64url(dump));
        struct crypto_hmac *h = crypto_hmac_new(CRYPTO_SHA256, spki.p, spki.n);
        crypto_hmac_sign(h, body, strlen(body), mac);
        crypto_hmac_free(&h);
        sig[codec_base64url(sig, mac, sizeof mac)] = '\0';
        const char *const sigs[] = {"", sig};
        for (size_t k = 0; k < COUNT(sigs); k++) {
            token_call(text("client_assertion_type=" ASSERTION_TYPE "&client_assertion=%s.%s&" OWN,
                            body, sigs[k]),
                       "invalid_client", NULL);
        }
        free(dump);
        json_decref(claims);
    }
}

/* Proofs ------------------------------------------------------------------------------------------
 */
static const char *proof(const struct crypto_key *key, const char *path, const char *member,
                         const char *value)
{
    static int n;
    char *jwk_text = crypto_key_jwk(key);
    json_t *jwk = json_loads(jwk_text, 0, NULL);
    json_t *header = json_pack("{s:s, s:s, s:o}", "typ", "dpop+jwt", "alg", "ES256", "jwk", jwk);
    json_t *claims = json_pack("{s:s, s:s, s:I, s:s}", "htm", "POST", "htu",
                               text("%s%s", oauth_issuer(&f.ctl), path), "iat",
                               (json_int_t)(clock_wall_ms() / 1000), "jti", text("proof-%d", n++));
    json_t *at =
        member && (strcmp(member, "typ") == 0 || strcmp(member, "jwk") == 0) ? header : claims;
    if (member && value[0]) {
        json_object_set_new(at, member, json_loads(value, JSON_DECODE_ANY, NULL));
    } else if (member) {
        json_object_del(at, member);
    }
    char *head = json_dumps(header, JSON_COMPACT), *body = json_dumps(claims, JSON_COMPACT);
    const char *input = text("%s.%s", base64url(head), base64url(body));
    uint8_t sig[CRYPTO_SIG_MAX];
    size_t sig_n = 0;
    char sig_text[128];
    assert_int_equal(crypto_key_sign(key, crypto_key_alg(key), input, strlen(input), sig, &sig_n),
                     CRYPTO_OK);
    sig_text[codec_base64url(sig_text, sig, sig_n)] = '\0';
    free(jwk_text);
    free(head);
    free(body);
    json_decref(header);
    json_decref(claims);
    return text("%s.%s", input, sig_text);
}

static void proofs(void **state)
{
    (void)state;
    long long now = (long long)(clock_wall_ms() / 1000);
    const char *good = proof(proof_key, "/oauth/token", NULL, NULL);
    struct web w = {.path = "/oauth/token", .form = by_secret(&secret_app, OWN), .dpop = good};

    assert_string_equal(expect(&w, NULL, "token_type"), "DPoP");
    expect(&w, "invalid_dpop_proof", NULL); /* replayed */
    const struct {
        const char *member, *value;
    } rows[] = {
        {"typ", "\"JWT\""},
        {"typ", ""},
        {"jwk", ""},
        {"jwk", "{\"kty\":\"oct\",\"k\":\"AAAA\"}"},
        {"htm", "\"GET\""},
        {"htm", ""},
        {"htu", "\"https://other.example/oauth/token\""},
        {"htu", text("\"%s/oauth/par\"", oauth_issuer(&f.ctl))},
        {"htu", ""},
        {"iat", text("%lld", now - 120)},
        {"iat", text("%lld", now + 120)},
        {"iat", ""},
        {"jti", ""},
        {"jti", "\"\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        w.dpop = proof(proof_key, "/oauth/token", rows[i].member, rows[i].value);
        expect(&w, "invalid_dpop_proof", NULL);
    }
    char *jwk = crypto_key_jwk(other_key);
    w.dpop = proof(proof_key, "/oauth/token", "jwk", text("%s", jwk)); /* another's key */
    expect(&w, "invalid_dpop_proof", NULL);
    free(jwk);
    w.dpop = "not.a.proof";
    expect(&w, "invalid_dpop_proof", NULL);
    w.dpop = proof(proof_key, "/oauth/token", "htu",
                   text("\"%s/oauth/token?x=1#y\"", oauth_issuer(&f.ctl)));
    expect(&w, NULL, NULL);
}

/* Certificates ------------------------------------------------------------------------------------
 */
static void certificates(void **state)
{
    (void)state;
    struct client_of k = {0}, by_ca = {0};
    struct party ca, self, theirs, other;
    base_s = (int64_t)(clock_wall_ms() / 1000);
    ca = party_make(&plan_ca, NULL);
    struct plan named = plan_client;
    named.name = "app of ours";
    self = party_make(&named, NULL);
    theirs = party_make(&named, &ca);
    other = party_make(&plan_client, NULL);
    struct slice self_pem = pem_of_x509(self.x509), ca_pem = pem_of_x509(ca.x509),
                 theirs_pem = pem_of_x509(theirs.x509);
    struct slice self_der = der_of_x509(self.x509), theirs_der = der_of_x509(theirs.x509),
                 other_der = der_of_x509(other.x509);
    make_app(&k, "pinned");
    make_app(&by_ca, "by ca");
    json_t *body = json_pack("{s:s, s:s, s:s%}", "app_id", k.app, "algorithm", "ecdsa-p256-sha256",
                             "certificate", self_pem.p, self_pem.n);
    char *dump = json_dumps(body, 0);
    fixture_ok(&f, DEVELOPER, "POST", "credentials", dump, NULL);
    free(dump);
    json_decref(body);
    body = json_pack("{s:s, s:s, s:s, s:s%}", "app_id", by_ca.app, "algorithm", "ecdsa-p256-sha256",
                     "certificate_mode", "ca", "certificate", theirs_pem.p, theirs_pem.n);
    dump = json_dumps(body, 0);
    fixture_ok(&f, DEVELOPER, "POST", "credentials", dump, NULL);
    free(dump);
    json_decref(body);
    settings(&k, ",\"token_endpoint_auth_method\":\"self_signed_tls_client_auth\"");
    settings(&by_ca, ",\"token_endpoint_auth_method\":\"tls_client_auth\"");
    subscribe(&k, api, NULL);
    subscribe(&by_ca, api, NULL);

    const char *own = text("client_id=%s&" OWN, k.app),
               *ca_own = text("client_id=%s&" OWN, by_ca.app);
    struct web w = {.path = "/oauth/token", .form = own, .certificate = self_der};
    const char *token = expect(&w, NULL, "access_token");
    w.path = "/oauth/introspect";
    w.form = text("client_id=%s&token=%s", k.app, token);
    struct web_reply r = send_web(&w);
    uint8_t digest[CRYPTO_HASH_LEN];
    char want[64];
    crypto_hash(CRYPTO_SHA256, self_der.p, self_der.n, digest);
    want[codec_base64url(want, digest, sizeof digest)] = '\0';
    assert_string_equal(row_text(json_object_get(r.json, "cnf"), "x5t#S256"), want);
    web_free(&r);
    w.path = "/oauth/token";
    w.form = own;
    w.certificate = other_der;
    expect(&w, "invalid_client", NULL);
    w.certificate = theirs_der; /* same name, another key */
    expect(&w, "invalid_client", NULL);
    w.certificate = (struct slice){0};
    expect(&w, "invalid_client", NULL);
    w.certificate = SLICE("\x30\x03\x02\x01\x01");
    expect(&w, "invalid_client", NULL);
    w.form = ca_own;
    w.certificate = theirs_der;
    expect(&w, "invalid_client", NULL); /* the CA is not trusted yet */
    body = json_pack("{s:s, s:s%}", "name", "partner", "certificate", ca_pem.p, ca_pem.n);
    dump = json_dumps(body, 0);
    fixture_ok(&f, OPERATOR, "POST", "trusts", dump, NULL);
    free(dump);
    json_decref(body);
    expect(&w, NULL, NULL);
    w.certificate = self_der; /* its subject, but not by the CA */
    expect(&w, "invalid_client", NULL);
    const struct slice all[] = {self_pem, ca_pem, theirs_pem, self_der, theirs_der, other_der};
    for (size_t i = 0; i < COUNT(all); i++) {
        free((void *)all[i].p);
    }
    party_free(&ca);
    party_free(&self);
    party_free(&theirs);
    party_free(&other);
}

/* Requests and codes ------------------------------------------------------------------------------
 */
#define ASK                                                                                        \
    "response_type=code&redirect_uri=" ENCODED "&scope=openid+profile+orders.v1&state=s&nonce=n&"  \
    "code_challenge=" CHALLENGE "&code_challenge_method=S256"

static const char *push(const struct client_of *k, const char *ask, const char *error)
{
    return expect(&(struct web){.path = "/oauth/par", .form = by_secret(k, ask)}, error,
                  error ? NULL : "request_uri");
}

static struct rest_call call_of(const struct rest_request *req, struct rest_response *resp,
                                enum who who)
{
    struct rest_call c = {.ctl = &f.ctl, .req = req, .resp = resp, .now_ms = clock_wall_ms()};

    rest_response_init(resp);
    if (who != NOBODY) {
        const char *id = fixture_ok(&f, who, "GET", "users/me", NULL, "id");
        snprintf(c.user.id, sizeof c.user.id, "%s", id);
        snprintf(c.user.login, sizeof c.user.login, "merchant");
        c.user.role = ROLE_OWNER;
    }
    return c;
}

/* GET /oauth/authorize of the pages: the checked request's id, or the problem. */
static enum problem take(const char *client_id, const char *uri, char id[OAUTH_REQUEST_ID_TEXT],
                         const char **error)
{
    struct rest_request req = {.method = "GET", .path = "/oauth/authorize"};
    struct rest_response resp;
    struct oauth_request r;
    bool redirect = false;

    req.query[req.n_query++] = (struct rest_parameter){"client_id", client_id};
    req.query[req.n_query++] = (struct rest_parameter){"request_uri", uri};
    struct rest_call c = call_of(&req, &resp, NOBODY);
    enum problem p = oauth_request_take(&c, &r, error, &redirect);
    assert_false(redirect);
    if (p == PROBLEM_OK) {
        memcpy(id, r.id, OAUTH_REQUEST_ID_TEXT);
        assert_string_equal(row_text(r.params, "state"), "s");
        oauth_request_fini(&r);
    }
    rest_response_fini(&resp);
    return p;
}

static const char *make_grant(const struct client_of *k)
{
    return fixture_ok(&f, OWNER, "POST", "grants",
                      text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"term\":"
                           "\"period\",\"expires_at\":\"2030-01-01T00:00:00Z\"}",
                           k->app, api),
                      "id");
}

static char session[40] = "01a20106-0dc8-7e83-8236-6981d4646099";

/* What the consent page does. */
static enum problem decide(const char *request, const char *grant, char code[OAUTH_CODE_TEXT])
{
    struct rest_request req = {.method = "POST", .path = "/consent"};
    struct rest_response resp;
    struct oauth_request r;
    struct store_txn *txn = NULL;
    json_t *grants = grant ? json_pack("[s]", grant) : json_array();
    const struct oauth_decision d = {.grants = grants,
                                     .signed_in_ms = clock_wall_ms() - 5000,
                                     .session_id = session,
                                     .factors = TOKEN_PASSWORD | TOKEN_OTP};
    struct rest_call c = call_of(&req, &resp, OWNER);

    assert_int_equal(rest_begin(&c, STORE_WRITE, &txn), PROBLEM_OK);
    enum problem p = oauth_request_load(&c, txn, request, &r);
    if (p == PROBLEM_OK) {
        p = oauth_code_issue(&c, txn, &r, &d, code);
        oauth_request_fini(&r);
    }
    p = rest_finish(&c, &txn, p);
    json_decref(grants);
    rest_response_fini(&resp);
    return p;
}

static const char *code_for(const struct client_of *k, const char *grant)
{
    char id[OAUTH_REQUEST_ID_TEXT], code[OAUTH_CODE_TEXT];
    const char *error = NULL;

    assert_int_equal(take(k->app, push(k, ASK, NULL), id, &error), PROBLEM_OK);
    assert_int_equal(decide(id, grant, code), PROBLEM_OK);
    return text("%s", code);
}

static const char *redeem(const char *code)
{
    return text("grant_type=authorization_code&code=%s&redirect_uri=" ENCODED
                "&code_verifier=" VERIFIER,
                code);
}

static const char *refresh(const char *token)
{
    return text("grant_type=refresh_token&refresh_token=%s", token);
}

static void requests(void **state)
{
    (void)state;
    static const struct {
        const char *ask, *error;
    } rows[] = {
        {"", "invalid_request"},
        {"response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb2&scope=openid",
         "invalid_request"},
        {"response_type=code&redirect_uri=" ENCODED "%2F&scope=openid", "invalid_request"},
        {"response_type=code&redirect_uri=" ENCODED "%3Fa%3Db&scope=openid", "invalid_request"},
        {"response_type=token&redirect_uri=" ENCODED "&scope=openid", "unsupported_response_type"},
        {"response_type=code+id_token&redirect_uri=" ENCODED "&scope=openid",
         "unsupported_response_type"},
        {"response_type=code&redirect_uri=" ENCODED "&scope=openid", "invalid_request"},
        {"response_type=code&redirect_uri=" ENCODED "&scope=openid&code_challenge=" CHALLENGE,
         "invalid_request"},
        {"response_type=code&redirect_uri=" ENCODED "&scope=openid&code_challenge=" VERIFIER
         "&code_challenge_method=plain",
         "invalid_request"},
        {"response_type=code&redirect_uri=" ENCODED "&scope=openid&code_challenge=short"
         "&code_challenge_method=S256",
         "invalid_request"},
        {ASK "&request_uri=urn%3Ax", "invalid_request"},
        {ASK "&request=e30.e30.", "request_not_supported"},
        {ASK "&response_mode=fragment", "invalid_request"},
        {ASK "&prompt=none+login", "invalid_request"},
        {ASK "&prompt=dance", "invalid_request"},
        {ASK "&max_age=-1", "invalid_request"},
        {ASK "&dpop_jkt=short", "invalid_request"},
        {ASK "&authorization_details=x", "invalid_authorization_details"},
        {ASK "&authorization_details=%5B%5D", "invalid_authorization_details"},
        {ASK "&authorization_details=%5B%7B%22type%22%3A%22other%22%7D%5D",
         "invalid_authorization_details"},
        {ASK "&authorization_details=%5B%7B%22type%22%3A%22sluice_data%22%2C%22api%22%3A%22pay.v1"
             "%22%7D%5D",
         "invalid_authorization_details"},
        {ASK "&authorization_details=%5B%7B%22type%22%3A%22sluice_data%22%2C%22api%22%3A%22orders."
             "v1%22%2C%22term%22%3A%22forever%22%7D%5D",
         "invalid_authorization_details"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        push(&web_app, rows[i].ask, rows[i].error);
    }
    char id[OAUTH_REQUEST_ID_TEXT];
    const char *error = NULL, *uri = push(&web_app, ASK, NULL);
    assert_int_equal(take(other_app.app, uri, id, &error), PROBLEM_AUTHORIZATION_INVALID);
    assert_string_equal(error, "invalid_request_uri");
    assert_int_equal(take(web_app.app, "https://evil.example/request", id, &error),
                     PROBLEM_AUTHORIZATION_INVALID);
    assert_int_equal(take(web_app.app, OAUTH_REQUEST_URI "AAAA", id, &error),
                     PROBLEM_AUTHORIZATION_INVALID);
    assert_int_equal(take(web_app.app, uri, id, &error), PROBLEM_OK);
    char code[OAUTH_CODE_TEXT], again[OAUTH_CODE_TEXT];
    assert_int_equal(decide(id, NULL, code), PROBLEM_OK);
    assert_int_equal(decide(id, NULL, again), PROBLEM_AUTHORIZATION_INVALID);
    assert_int_equal(take(web_app.app, uri, id, &error), PROBLEM_AUTHORIZATION_INVALID);
}

static void codes(void **state)
{
    (void)state;
    const char *code = code_for(&web_app, NULL);
    const struct {
        const char *more, *error;
    } rows[] = {
        {text("grant_type=authorization_code&code=%s&code_verifier=" VERIFIER, code),
         "invalid_grant"},
        {text("grant_type=authorization_code&code=%s&code_verifier=" VERIFIER
              "&redirect_uri=https://evil.example/cb",
              code),
         "invalid_grant"},
        {text("grant_type=authorization_code&code=%s&redirect_uri=" ENCODED, code),
         "invalid_grant"},
        {text("grant_type=authorization_code&code=%s&redirect_uri=" ENCODED
              "&code_verifier=" CHALLENGE,
              code),
         "invalid_grant"},
        {text("grant_type=authorization_code&code=%s&redirect_uri=" ENCODED "&code_verifier=",
              code),
         "invalid_grant"},
        {redeem("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "invalid_grant"},
        {"grant_type=authorization_code&redirect_uri=" ENCODED, "invalid_request"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        token_call(by_secret(&web_app, rows[i].more), rows[i].error, NULL);
    }
    token_call(by_secret(&other_app, redeem(code)), "invalid_grant", NULL); /* mixed-up client */
    struct web_reply r =
        send_web(&(struct web){.path = "/oauth/token", .form = by_secret(&web_app, redeem(code))});
    assert_int_equal(r.status, 200);
    assert_string_equal(row_text(r.json, "scope"), "openid profile orders.v1");
    const char *access = text("%s", row_text(r.json, "access_token")),
               *fresh = text("%s", row_text(r.json, "refresh_token"));
    web_free(&r);
    assert_true(is_active(&web_app, access));
    assert_false(is_active(&other_app, access));
    token_call(by_secret(&web_app, redeem(code)), "invalid_grant", NULL); /* again: all ends */
    assert_false(is_active(&web_app, access));
    assert_false(is_active(&web_app, fresh));
    token_call(by_secret(&web_app, refresh(fresh)), "invalid_grant", NULL);
}

static void id_tokens(void **state)
{
    (void)state;
    struct web_reply r = send_web(&(struct web){
        .path = "/oauth/token", .form = by_secret(&web_app, redeem(code_for(&web_app, NULL)))});
    const char *id_token = row_text(r.json, "id_token");
    struct jwt j = {0};
    assert_int_equal(jwt_read(&j, slice_str(id_token)), JWT_OK);
    struct web_reply keys = send_web(&(struct web){.method = "GET", .path = "/oauth/jwks"});
    json_t *jwk = json_array_get(json_object_get(keys.json, "keys"), 0);
    assert_null(json_object_get(jwk, "d"));
    assert_string_equal(row_text(jwk, "kid"), row_text(j.header, "kid"));
    char *jwk_text = json_dumps(jwk, 0);
    struct crypto_key *key = NULL;
    assert_int_equal(crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, slice_str(jwk_text)), CRYPTO_OK);
    assert_int_equal(jwt_verify(&j, key), JWT_OK);
    static const char *const members[] = {"iss",       "sub", "aud", "azp",     "iat", "exp",
                                          "auth_time", "acr", "amr", "at_hash", "sid", "nonce"};
    for (size_t i = 0; i < COUNT(members); i++) {
        assert_non_null(json_object_get(j.claims, members[i]));
    }
    assert_string_equal(jwt_text(&j, "aud"), web_app.app);
    assert_string_equal(jwt_text(&j, "nonce"), "n");
    assert_string_equal(jwt_text(&j, "acr"), "2");
    const char *bearer = text("Bearer %s", row_text(r.json, "access_token"));
    struct web_reply who = send_web(
        &(struct web){.method = "GET", .path = "/oauth/userinfo", .authorization = bearer});
    assert_int_equal(who.status, 200);
    assert_string_equal(row_text(who.json, "sub"), jwt_text(&j, "sub"));
    assert_string_equal(row_text(who.json, "preferred_username"), "merchant");
    web_free(&who);
    expect(&(struct web){.method = "GET", .path = "/oauth/userinfo"}, "invalid_token", NULL);
    expect(&(struct web){.method = "GET",
                         .path = "/oauth/userinfo",
                         .authorization = text("Bearer %s", own_token(&secret_app))},
           "insufficient_scope", NULL);
    expect(&(struct web){.method = "GET",
                         .path = "/oauth/userinfo",
                         .authorization = text("DPoP %s", row_text(r.json, "access_token"))},
           "invalid_token", NULL);
    expect(&(struct web){.method = "GET",
                         .path = "/oauth/userinfo",
                         .authorization = text("%.60s", bearer)},
           "invalid_token", NULL);
    jwt_fini(&j);
    crypto_key_free(&key);
    free(jwk_text);
    web_free(&keys);
    web_free(&r);
}

/* Refresh and revocation --------------------------------------------------------------------------
 */
static void rotation(void **state)
{
    (void)state;
    const char *code = code_for(&web_app, NULL);
    const char *first = token_call(by_secret(&web_app, redeem(code)), NULL, "refresh_token");
    token_call(by_secret(&other_app, refresh(first)), "invalid_grant", NULL);
    token_call(by_secret(&web_app, text("%s&scope=pay.v1", refresh(first))), "invalid_scope", NULL);
    struct web_reply r = send_web(
        &(struct web){.path = "/oauth/token",
                      .form = by_secret(&web_app, text("%s&scope=orders.v1", refresh(first)))});
    assert_int_equal(r.status, 200);
    assert_string_equal(row_text(r.json, "scope"), "orders.v1");
    assert_null(json_object_get(r.json, "id_token"));
    const char *second = text("%s", row_text(r.json, "refresh_token")),
               *access = text("%s", row_text(r.json, "access_token"));
    web_free(&r);
    assert_string_not_equal(first, second);
    assert_true(is_active(&web_app, access));
    assert_true(is_active(&web_app, second));
    assert_false(is_active(&web_app, first));
    token_call(by_secret(&web_app, refresh(first)), "invalid_grant", NULL); /* reuse: all ends */
    token_call(by_secret(&web_app, refresh(second)), "invalid_grant", NULL);
    assert_false(is_active(&web_app, access));
}

struct race {
    const char *form;
    unsigned status;
    char token[64];
};

static void *race_run(void *arg)
{
    struct race *race = arg;
    struct web_reply r = send_web(&(struct web){.path = "/oauth/token", .form = race->form});

    race->status = r.status;
    snprintf(race->token, sizeof race->token, "%s", row_text(r.json, "refresh_token"));
    web_free(&r);
    return NULL;
}

/* Two at once: one is served, the other ends the family, so that neither goes on. */
static void refresh_race(void **state)
{
    (void)state;
    for (int n = 0; n < 8; n++) {
        const char *token = token_call(by_secret(&web_app, redeem(code_for(&web_app, NULL))), NULL,
                                       "refresh_token");
        const char *form = by_secret(&web_app, refresh(token));
        struct race race[2] = {{.form = form}, {.form = form}};
        pthread_t thread[2];
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pthread_create(&thread[i], NULL, race_run, &race[i]), 0);
        }
        for (int i = 0; i < 2; i++) {
            pthread_join(thread[i], NULL);
        }
        assert_int_equal((race[0].status == 200) + (race[1].status == 200), 1);
        const char *won = race[race[0].status == 200 ? 0 : 1].token;
        token_call(by_secret(&web_app, refresh(won)), "invalid_grant", NULL);
    }
}

static void revoke_by(const struct oauth_revocation *r)
{
    struct rest_request req = {.method = "POST", .path = ""};
    struct rest_response resp;
    struct rest_call c = call_of(&req, &resp, NOBODY);
    struct store_txn *txn = NULL;

    assert_int_equal(rest_begin(&c, STORE_WRITE, &txn), PROBLEM_OK);
    assert_int_equal(rest_finish(&c, &txn, oauth_revoke(&c, txn, r)), PROBLEM_OK);
    rest_response_fini(&resp);
}

static void *revoke_run(void *arg)
{
    revoke_by(arg);
    return NULL;
}

/* Whoever comes first, nothing lives afterwards. */
static void revoke_while_refreshing(void **state)
{
    (void)state;
    for (int n = 0; n < 8; n++) {
        struct web_reply r = send_web(&(struct web){
            .path = "/oauth/token", .form = by_secret(&web_app, redeem(code_for(&web_app, NULL)))});
        struct race race = {.form =
                                by_secret(&web_app, refresh(row_text(r.json, "refresh_token")))};
        struct oauth_revocation gone = {.session_id = session};
        pthread_t a, b;
        assert_int_equal(pthread_create(&a, NULL, race_run, &race), 0);
        assert_int_equal(pthread_create(&b, NULL, revoke_run, &gone), 0);
        pthread_join(a, NULL);
        pthread_join(b, NULL);
        assert_false(is_active(&web_app, row_text(r.json, "access_token")));
        if (race.status == 200) {
            token_call(by_secret(&web_app, refresh(race.token)), "invalid_grant", NULL);
        }
        web_free(&r);
        snprintf(session, sizeof session, "01a20106-0dc8-7e83-8236-6981d46461%02d", n);
    }
}

static void revocations(void **state)
{
    (void)state;
    const char *own = own_token(&secret_app);
    struct web w = {.path = "/oauth/revoke", .form = by_secret(&other_app, text("token=%s", own))};
    expect(&w, "invalid_request", NULL); /* another's */
    assert_true(is_active(&secret_app, own));
    w.form = by_secret(&secret_app, text("token=%s", own));
    expect(&w, NULL, NULL);
    assert_false(is_active(&secret_app, own));
    w.form = by_secret(&secret_app, "token=unknown");
    expect(&w, NULL, NULL);
    w.form = by_secret(&secret_app, "");
    expect(&w, "invalid_request", NULL);

    const char *grant = make_grant(&web_app);
    struct web_reply r = send_web(&(struct web){
        .path = "/oauth/token", .form = by_secret(&web_app, redeem(code_for(&web_app, grant)))});
    const char *token = text("%s", row_text(r.json, "refresh_token")),
               *access = text("%s", row_text(r.json, "access_token"));
    web_free(&r);
    w.form = by_secret(&other_app, text("token=%s", token));
    expect(&w, "invalid_request", NULL);
    assert_true(is_active(&web_app, token));
    const char *unused = code_for(&web_app, grant);
    fixture_ok(&f, OWNER, "POST", text("grants/%s/revoke", grant), NULL, NULL);
    revoke_by(&(struct oauth_revocation){.grant_id = grant});
    assert_false(is_active(&web_app, access));
    assert_false(is_active(&web_app, token));
    token_call(by_secret(&web_app, refresh(token)), "invalid_grant", NULL);
    token_call(by_secret(&web_app, redeem(unused)), "invalid_grant", NULL);
    fixture_reopen(&f); /* and it stays so */
    assert_false(is_active(&web_app, access));
    assert_false(is_active(&secret_app, own));

    token =
        token_call(by_secret(&web_app, redeem(code_for(&web_app, NULL))), NULL, "refresh_token");
    w.form = by_secret(&web_app, text("token=%s", token));
    expect(&w, NULL, NULL);
    token_call(by_secret(&web_app, refresh(token)), "invalid_grant", NULL);
    own = own_token(&secret_app);
    revoke_by(&(struct oauth_revocation){.app_id = secret_app.app});
    assert_false(is_active(&secret_app, own));
}

static void revocations_are_fed(void **state)
{
    (void)state;
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    char id[40] = "";
    revoke_by(&(struct oauth_revocation){.session_id = session});
    assert_int_equal(store_begin(f.ctl.store, STORE_READ, &txn), STORE_OK);
    const struct store_value v = store_text(session);
    assert_int_equal(
        store_query(txn, "SELECT id FROM token_revocations WHERE value = ?", &v, 1, &rows),
        STORE_OK);
    assert_true(store_next(rows));
    snprintf(id, sizeof id, "%s", store_get_text(rows, 0));
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    json_t *data = fixture_fed(&f, "token-revocation", id);
    assert_string_equal(row_text(data, "subject"), "session");
    assert_string_equal(row_text(data, "value"), session);
    assert_true(json_integer_value(json_object_get(data, "before")) > 0);
    json_decref(data);
    jobs_run_once(&f.ctl, clock_wall_ms() + 3 * 86400000ull); /* its tokens are all over */
    assert_null(fixture_fed(&f, "token-revocation", id));
}

/* The strict profile ------------------------------------------------------------------------------
 */
static const char *fapi(const char *more)
{
    return text("%s%s", assertion(&fapi_app, fapi_app.key, NULL, NULL), more);
}

static void strict_profile(void **state)
{
    (void)state;
    struct reply list =
        fixture_call(&f, DEVELOPER, "GET", text("clients?app_id=%s", fapi_app.app), NULL, NULL);
    json_t *row = json_array_get(json_object_get(list.json, "items"), 0);
    assert_string_equal(row_text(row, "profile"), "fapi2");
    const char *path = text("clients/%s", row_text(row, "id"));
    reply_free(&list);
    fixture_refused(&f, DEVELOPER, "PATCH", path, "auto",
                    "{\"token_endpoint_auth_method\":\"client_secret_post\"}", "field-invalid");
    assert_string_equal(
        fixture_ok(&f, DEVELOPER, "PATCH", path, "{\"profile\":\"plain\"}", "profile"), "fapi2");
    struct web w = {.path = "/oauth/token", .form = fapi(OWN)};
    expect(&w, "invalid_dpop_proof", NULL); /* no bearer tokens */
    w.form = fapi(OWN);
    w.dpop = proof(proof_key, "/oauth/token", NULL, NULL);
    const char *token = expect(&w, NULL, "access_token");
    w.form = text("%s" OWN, assertion(&fapi_app, fapi_app.key, "aud",
                                      text("\"%s/oauth/token\"", oauth_issuer(&f.ctl))));
    w.dpop = proof(proof_key, "/oauth/token", NULL, NULL);
    expect(&w, "invalid_client", NULL); /* the issuer alone */
    w.form = text("%s" OWN, assertion(&fapi_app, fapi_app.key, "aud",
                                      text("[\"%s\"]", oauth_issuer(&f.ctl))));
    expect(&w, "invalid_client", NULL);
    struct web_reply r =
        send_web(&(struct web){.path = "/oauth/introspect", .form = fapi(text("token=%s", token))});
    uint8_t thumb[CRYPTO_HASH_LEN];
    char want[64];
    crypto_key_thumbprint(proof_key, thumb);
    want[codec_base64url(want, thumb, sizeof thumb)] = '\0';
    assert_string_equal(row_text(json_object_get(r.json, "cnf"), "jkt"), want);
    web_free(&r);
}

/* The front channel is closed to it, its code and refresh token are bound to the proof's key. */
static void strict_code_flow(void **state)
{
    (void)state;
    static const char ask[] =
        "response_type=code&redirect_uri=" ENCODED
        "&scope=openid+pay.v1&state=s&code_challenge=" CHALLENGE "&code_challenge_method=S256";
    char id[OAUTH_REQUEST_ID_TEXT], code[OAUTH_CODE_TEXT];
    const char *error = NULL;
    struct web w = {.path = "/oauth/par",
                    .form = fapi(ask),
                    .dpop = proof(proof_key, "/oauth/par", NULL, NULL)};
    const char *uri = expect(&w, NULL, "request_uri");
    assert_int_equal(take(fapi_app.app, uri, id, &error), PROBLEM_OK);
    assert_int_equal(decide(id, NULL, code), PROBLEM_OK);
    w.path = "/oauth/token";
    w.form = fapi(redeem(code));
    w.dpop = proof(other_key, "/oauth/token", NULL, NULL);
    expect(&w, "invalid_dpop_proof", NULL);
    w.form = fapi(redeem(code));
    w.dpop = proof(proof_key, "/oauth/token", NULL, NULL);
    struct web_reply r = send_web(&w);
    assert_int_equal(r.status, 200);
    const char *access = row_text(r.json, "access_token"),
               *token = row_text(r.json, "refresh_token");
    for (int i = 0; i < 2; i++) { /* FAPI 2.0: no rotation */
        w.form = fapi(refresh(token));
        w.dpop = proof(proof_key, "/oauth/token", NULL, NULL);
        expect(&w, NULL, "access_token");
    }
    w.form = fapi(refresh(token));
    w.dpop = proof(other_key, "/oauth/token", NULL, NULL);
    expect(&w, "invalid_dpop_proof", NULL);
    uint8_t digest[CRYPTO_HASH_LEN];
    char ath[64];
    crypto_hash(CRYPTO_SHA256, access, strlen(access), digest);
    ath[codec_base64url(ath, digest, sizeof digest)] = '\0';
    struct web u = {.path = "/oauth/userinfo", .authorization = text("DPoP %s", access)};
    u.dpop = proof(proof_key, "/oauth/userinfo", "ath", text("\"%s\"", ath));
    expect(&u, NULL, NULL);
    u.dpop = proof(proof_key, "/oauth/userinfo", "ath", "\"AAAA\"");
    expect(&u, "invalid_dpop_proof", NULL);
    u.dpop = proof(proof_key, "/oauth/userinfo", NULL, NULL);
    expect(&u, "invalid_dpop_proof", NULL);
    u.dpop = proof(other_key, "/oauth/userinfo", "ath", text("\"%s\"", ath));
    expect(&u, "invalid_token", NULL);
    u.dpop = NULL;
    u.authorization = text("Bearer %s", access);
    expect(&u, "invalid_token", NULL);
    web_free(&r);
}

/* Keys, journal, settings -------------------------------------------------------------------------
 */
static void key_rotation(void **state)
{
    (void)state;
    const char *before = own_token(&secret_app);
    fixture_refused(&f, OPERATOR, "POST", "token-keys", NULL, NULL, "not-permitted");
    fixture_refused(&f, ADMIN, "POST", "token-keys", NULL, "{\"use\":\"door\"}", "field-invalid");
    struct reply r = fixture_call(&f, ADMIN, "POST", "token-keys", NULL, NULL);
    assert_int_equal(r.status, 201);
    json_t *data = fixture_fed(&f, "token-key", row_text(r.json, "id"));
    assert_string_equal(row_text(data, "state"), "next");
    assert_true((uint64_t)json_integer_value(json_object_get(data, "not_before")) >=
                clock_wall_ms() + 9000);
    char key_text[200];
    snprintf(key_text, sizeof key_text, "%s", row_text(data, "key_sealed"));
    uint8_t sealed[100], key[CRYPTO_KEY_LEN];
    size_t n = 0;
    assert_true(codec_unbase64url(sealed, sizeof sealed, &n, key_text, strlen(key_text)));
    assert_int_equal(n, CRYPTO_KEY_LEN + CRYPTO_SEAL_EXTRA);
    assert_int_equal(
        crypto_open(f.ctl.feed_secret, slice_str(row_text(r.json, "id")), sealed, n, key),
        CRYPTO_OK);
    json_decref(data);
    reply_free(&r);
    fixture_refused(&f, ADMIN, "POST", "token-keys", NULL, NULL, "state-conflict");
    assert_true(is_active(&secret_app, before));
    jobs_run_once(&f.ctl, clock_wall_ms() + 11000);
    r = fixture_call(&f, AUDITOR, "GET", "token-keys", NULL, NULL);
    unsigned current = 0, old = 0;
    json_t *v;
    size_t i;
    json_array_foreach(json_object_get(r.json, "items"), i, v)
    {
        bool ours = strcmp(row_text(v, "use"), "access") == 0;
        current += ours && strcmp(row_text(v, "state"), "current") == 0;
        old += ours && strcmp(row_text(v, "state"), "old") == 0;
        assert_null(json_object_get(v, "key_sealed"));
    }
    assert_int_equal(current, 1);
    assert_true(old >= 1);
    reply_free(&r);
    assert_true(is_active(&secret_app, before));
    fixture_refused(&f, DEVELOPER, "GET", "token-keys", NULL, NULL, "not-permitted");
}

static int64_t count_of(const char *sql)
{
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;

    assert_int_equal(store_begin(f.ctl.store, STORE_READ, &txn), STORE_OK);
    assert_int_equal(store_query(txn, sql, NULL, 0, &rows), STORE_OK);
    assert_true(store_next(rows));
    int64_t n = store_get_int(rows, 0);
    assert_int_equal(store_rows_end(&rows), STORE_OK);
    store_rollback(&txn);
    return n;
}

static void issues_are_recorded(void **state)
{
    (void)state;
    jobs_run_once(&f.ctl, clock_wall_ms());
    int64_t before = count_of("SELECT COUNT(*) FROM token_issues");
    for (int i = 0; i < 5; i++) {
        own_token(&secret_app);
    }
    fixture_reopen(&f); /* the journal outlives the process */
    jobs_run_once(&f.ctl, clock_wall_ms());
    jobs_run_once(&f.ctl, clock_wall_ms());
    assert_int_equal(count_of("SELECT COUNT(*) FROM token_issues"), before + 5);
}

static void client_settings(void **state)
{
    (void)state;
    static const struct {
        const char *more, *where;
    } rows[] = {
        {",\"redirect_uris\":[\"http://app.example/cb\"]", "/redirect_uris"},
        {",\"redirect_uris\":[\"https://app.example/cb#x\"]", "/redirect_uris"},
        {",\"redirect_uris\":[\"https://u@app.example/cb\"]", "/redirect_uris"},
        {",\"redirect_uris\":[\"https://app.example\\\\@evil/\"]", "/redirect_uris"},
        {",\"redirect_uris\":[\"javascript:alert(1)\"]", "/redirect_uris"},
        {",\"redirect_uris\":[\"http://localhost:1/cb\"]", "/redirect_uris"},
        {",\"redirect_uris\":[\"http://127.0.0.1.evil.example/\"]", "/redirect_uris"},
        {",\"redirect_uris\":\"https://app.example\"", "/redirect_uris"},
        {",\"grant_types\":[\"password\"]", "/grant_types"},
        {",\"grant_types\":[\"refresh_token\"]", "/grant_types"},
        {",\"grant_types\":[\"authorization_code\"]", "/redirect_uris"},
        {",\"token_endpoint_auth_method\":\"none\"", "/token_endpoint_auth_method"},
        {",\"profile\":\"fapi2\",\"token_endpoint_auth_method\":\"client_secret_post\"",
         "/token_endpoint_auth_method"},
        {",\"access_token_s\":1", "/access_token_s"},
        {",\"backchannel_logout_uri\":\"ftp://x\"", "/backchannel_logout_uri"},
    };
    struct client_of k = {0};
    make_app(&k, "settings");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reply r = fixture_call(&f, DEVELOPER, "POST", "clients", NULL,
                                      text("{\"app_id\":\"%s\"%s}", k.app, rows[i].more));
        if (r.status != 422 || strcmp(row_text(r.json, "where"), rows[i].where) != 0) {
            fail_msg("%s: %u at %s: %s", rows[i].more, r.status, row_text(r.json, "where"),
                     row_text(r.json, "detail"));
        }
        reply_free(&r);
    }
    fixture_refused(&f, STRANGER, "POST", "clients", NULL, text("{\"app_id\":\"%s\"}", k.app),
                    "field-invalid");
    settings(&k, ",\"redirect_uris\":[\"http://127.0.0.1:8080/cb\"]");
    fixture_refused(&f, DEVELOPER, "POST", "clients", NULL, text("{\"app_id\":\"%s\"}", k.app),
                    "already-exists");
}

static void jwt_reading(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        ".",
                                        "..",
                                        "a.b.c",
                                        "e30.e30",
                                        "e30..e30",
                                        "e30.e30.",
                                        "e30.e30.AA.AA",
                                        "e30=.e30.AA",
                                        "W10.W10.AA",
                                        "e30.e30.AA"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct jwt j = {.sig_n = 7};
        assert_int_not_equal(jwt_read(&j, slice_str(wrong[i])), JWT_OK);
        assert_int_equal(j.sig_n, 7);
    }
    json_t *claims = json_pack("{s:f, s:I}", "exp", 12.5, "big", (json_int_t)1 << 60);
    char *text_of = jwt_write(proof_key, "k", "JWT", claims);
    struct jwt j = {0};
    uint64_t s = 0;
    assert_int_equal(jwt_read(&j, slice_str(text_of)), JWT_OK);
    assert_int_equal(jwt_verify(&j, proof_key), JWT_OK);
    assert_int_equal(jwt_verify(&j, other_key), JWT_ESIGNATURE);
    assert_true(jwt_seconds(&j, "exp", &s) && s == 12);
    assert_false(jwt_seconds(&j, "big", &s));
    assert_false(jwt_seconds(&j, "none", &s));
    jwt_fini(&j);
    text_of[strlen(text_of) / 2] ^= 1;
    if (jwt_read(&j, slice_str(text_of)) == JWT_OK) {
        assert_int_not_equal(jwt_verify(&j, proof_key), JWT_OK);
        jwt_fini(&j);
    }
    free(text_of);
    json_decref(claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"JSON Web Tokens from outside", jwt_reading, NULL, NULL, NULL},
        {"what a client's settings may not be", client_settings, NULL, NULL, NULL},
        {"[SW-6-authn] a client authenticates by its secret", by_secret_alone, NULL, NULL, NULL},
        {"[EC-6.1.4.4a] a void credential or app gets no token", void_at_once, NULL, NULL, NULL},
        {"assertions: audience, issuer, time, reuse", by_assertion, NULL, NULL, NULL},
        {"alg none and HMAC are no signatures", algorithm_confusion, NULL, NULL, NULL},
        {"DPoP proofs: method, address, time, reuse, key", proofs, NULL, NULL, NULL},
        {"certificates, pinned and by CA", certificates, NULL, NULL, NULL},
        {"[EC-7.1.1a] what an authorization request may not be", requests, NULL, NULL, NULL},
        {"[BK-7.2.1b2-1, BK-9.3.1a1] a code is for its client, address, verifier, once", codes,
         NULL, NULL, NULL},
        {"id tokens and userinfo", id_tokens, NULL, NULL, NULL},
        {"refresh tokens turn, and reuse ends them", rotation, NULL, NULL, NULL},
        {"two refreshes at once: one winner", refresh_race, NULL, NULL, NULL},
        {"a refresh against a revocation leaks nothing", revoke_while_refreshing, NULL, NULL, NULL},
        {"[BK-9.2.1b4-1, EC-6.1.4.4b] revoked is refused, and stays so", revocations, NULL, NULL,
         NULL},
        {"[BK-10.2.2a] an A2 app's profile is strict", strict_profile, NULL, NULL, NULL},
        {"the strict profile's code flow", strict_code_flow, NULL, NULL, NULL},
        {"keys turn without a failed token", key_rotation, NULL, NULL, NULL},
        {"tokens an app got for itself are on record", issues_are_recorded, NULL, NULL, NULL},
        {"revocations reach the feed and leave it", revocations_are_fed, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
