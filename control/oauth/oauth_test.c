/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the OAuth server, their keys and settings, without HTTP: most of it what must be
 * refused. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "crypto/certificate_testing.h"
#include "jobs/jobs.h"
#include "link/ring.h"
#include "oauth/testing.h"

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
static struct party ca, self, theirs, other;
static struct client_of pinned, by_ca;

static void post_json(enum who who, const char *plural, json_t *body)
{
    char *dump = json_dumps(body, 0);

    fixture_ok(&f, who, "POST", plural, dump, NULL);
    free(dump);
    json_decref(body);
}

static void give_certificate(const struct client_of *k, const struct party *party, const char *mode)
{
    struct slice pem = pem_of_x509(party->x509);

    post_json(DEVELOPER, "credentials",
              json_pack("{s:s, s:s, s:s, s:s%}", "app_id", k->app, "algorithm", "ecdsa-p256-sha256",
                        "certificate_mode", mode, "certificate", pem.p, pem.n));
    free((void *)pem.p);
}

/* Two of one name, one by a CA, and a third. */
static void make_parties(void)
{
    struct plan named = plan_client;

    base_s = (int64_t)(clock_wall_ms() / 1000);
    named.name = "app of ours";
    ca = party_make(&plan_ca, NULL);
    self = party_make(&named, NULL);
    theirs = party_make(&named, &ca);
    other = party_make(&plan_client, NULL);
    make_app(&pinned, "pinned");
    make_app(&by_ca, "by ca");
    give_certificate(&pinned, &self, "pinned");
    give_certificate(&by_ca, &theirs, "ca");
    settings(&pinned, ",\"token_endpoint_auth_method\":\"self_signed_tls_client_auth\"");
    settings(&by_ca, ",\"token_endpoint_auth_method\":\"tls_client_auth\"");
    subscribe(&pinned, api, NULL);
    subscribe(&by_ca, api, NULL);
}

/* party NULL: a connection without a certificate. */
static const char *by_certificate(const struct client_of *k, const struct party *party,
                                  const char *error)
{
    struct slice der = party ? der_of_x509(party->x509) : (struct slice){0};
    const char *token = expect(&(struct web){.path = "/oauth/token",
                                             .form = text("client_id=%s&" OWN, k->app),
                                             .certificate = der},
                               error, error ? NULL : "access_token");

    free((void *)der.p);
    return token;
}

static void bound_to(const struct client_of *k, const struct party *party, const char *token)
{
    struct slice der = der_of_x509(party->x509);
    struct web_reply r =
        send_web(&(struct web){.path = "/oauth/introspect",
                               .form = text("client_id=%s&token=%s", k->app, token),
                               .certificate = der});
    uint8_t digest[CRYPTO_HASH_LEN];
    char want[64];

    crypto_hash(CRYPTO_SHA256, der.p, der.n, digest);
    want[codec_base64url(want, digest, sizeof digest)] = '\0';
    assert_string_equal(row_text(json_object_get(r.json, "cnf"), "x5t#S256"), want);
    web_free(&r);
    free((void *)der.p);
}

static void certificates(void **state)
{
    (void)state;
    make_parties();
    bound_to(&pinned, &self, by_certificate(&pinned, &self, NULL));
    by_certificate(&pinned, &other, "invalid_client");
    by_certificate(&pinned, &theirs, "invalid_client"); /* same name, another key */
    by_certificate(&pinned, NULL, "invalid_client");
    expect(&(struct web){.path = "/oauth/token",
                         .form = text("client_id=%s&" OWN, pinned.app),
                         .certificate = SLICE("\x30\x03\x02\x01\x01")},
           "invalid_client", NULL);
    by_certificate(&by_ca, &theirs, "invalid_client"); /* the CA is not trusted yet */
    struct slice pem = pem_of_x509(ca.x509);
    post_json(OPERATOR, "trusts",
              json_pack("{s:s, s:s%}", "name", "partner", "certificate", pem.p, pem.n));
    free((void *)pem.p);
    bound_to(&by_ca, &theirs, by_certificate(&by_ca, &theirs, NULL));
    by_certificate(&by_ca, &self, "invalid_client"); /* its subject, but not by the CA */
    party_free(&ca);
    party_free(&self);
    party_free(&theirs);
    party_free(&other);
}

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
    assert_int_equal(link_ring_open(NULL, slice_str(row_text(r.json, "id")), sealed, n, key),
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
        {"keys turn without a failed token", key_rotation, NULL, NULL, NULL},
        {"tokens an app got for itself are on record", issues_are_recorded, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, oauth_setup, oauth_teardown);
}
