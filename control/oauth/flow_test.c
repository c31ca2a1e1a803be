/* SPDX-License-Identifier: Apache-2.0 */
/* Codes, refresh tokens, revocation and the strict profile, without HTTP: most of it what must be
 * refused. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "jobs/jobs.h"
#include "oauth/testing.h"

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

/* Whether a request like this one needs no asking of the owner. */
static enum oauth_consent consented(const char *ask)
{
    struct rest_request req = {.method = "GET", .path = "/oauth/authorize"};
    struct rest_response resp;
    struct rest_call c = call_of(&req, &resp, OWNER);
    struct oauth_request r = {0};
    struct store_txn *txn = NULL;
    enum oauth_consent consent = OAUTH_CONSENT_NONE;
    json_t *grants = NULL;
    char id[OAUTH_REQUEST_ID_TEXT];
    const char *error = NULL;

    assert_int_equal(take(web_app.app, push(&web_app, ask, NULL), id, &error), PROBLEM_OK);
    assert_int_equal(rest_begin(&c, STORE_READ, &txn), PROBLEM_OK);
    assert_int_equal(oauth_request_load(&c, txn, id, &r), PROBLEM_OK);
    assert_int_equal(oauth_consented(&c, txn, &r, &consent, &grants), PROBLEM_OK);
    store_rollback(&txn);
    assert_true(consent == OAUTH_CONSENT_NONE || json_is_array(grants));
    json_decref(grants);
    oauth_request_fini(&r);
    rest_response_fini(&resp);
    return consent;
}

/* %5B… in short: details of one API with these members more. */
static const char *detailed(const char *more)
{
    return text("response_type=code&redirect_uri=" ENCODED
                "&scope=openid&state=s&nonce=n&code_challenge=" CHALLENGE
                "&code_challenge_method=S256&authorization_details=[{\"type\":\"sluice_data\","
                "\"api\":\"orders.v1\"%s}]",
                more);
}

#define NARROW                                                                                     \
    "response_type=code&redirect_uri=" ENCODED                                                     \
    "&scope=%s&state=s&nonce=n&code_challenge=" CHALLENGE "&code_challenge_method=S256"

/* As prompt=none asks: no page, so nothing may be new to the owner. */
static void consents(void **state)
{
    (void)state;
    const char *grant = make_grant(&web_app);
    struct web_reply r = send_web(&(struct web){
        .path = "/oauth/token", .form = by_secret(&web_app, redeem(code_for(&web_app, grant)))});
    assert_int_equal(r.status, 200);
    web_free(&r);
    assert_int_equal(consented(ASK), OAUTH_CONSENT_BEFORE);
    assert_int_equal(consented(text(NARROW, "openid")), OAUTH_CONSENT_BEFORE);
    assert_int_equal(consented(text(NARROW, "openid+orders.v1")), OAUTH_CONSENT_BEFORE);
    /* Other fields, another purpose, a single use: other questions. */
    assert_int_equal(consented(detailed(",\"fields\":[\"a\"]")), OAUTH_CONSENT_NONE);
    assert_int_equal(consented(detailed(",\"purpose\":\"another\"")), OAUTH_CONSENT_NONE);
    assert_int_equal(consented(detailed(",\"term\":\"once\"")), OAUTH_CONSENT_NONE);
    assert_int_equal(consented(detailed("")), OAUTH_CONSENT_BEFORE);
    fixture_ok(&f, OWNER, "POST", text("grants/%s/revoke", grant), NULL, NULL);
    assert_int_equal(consented(ASK), OAUTH_CONSENT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        {"prompt=none: the same question was answered, and the answer stands", consents, NULL, NULL,
         NULL},
        {"revocations reach the feed and leave it", revocations_are_fed, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, oauth_setup, oauth_teardown);
}
