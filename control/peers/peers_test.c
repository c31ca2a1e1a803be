/* SPDX-License-Identifier: Apache-2.0 */
/* What of another platform is believed and what not; whose account somebody of it gets. Platforms
 * that talk to each other are tests/e2e/peers.test.mjs. */
#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "identity/identity.h"
#include "oauth/oauth.h"
#include "peers/inner.h"
#include "test/fixture.h"

#define ISSUER "https://peer.example"
#define NOW_S  1800000000
#define NUMBER "11010519491231002X" /* synthetic, with a right check digit */
#define OTHER  "440524188001010014"

static struct fixture f;
static struct rest_request req = {.method = "", .path = ""};
static struct rest_response resp;
static json_t *peer, *registrar; /* rows: without and with `registers` */

static struct rest_call call(void)
{
    return (struct rest_call){.ctl = &f.ctl, .req = &req, .resp = &resp, .now_ms = NOW_S * 1000ull};
}

static json_t *make_peer(const char *name, const char *more)
{
    struct rest_call c = call();
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    const char *id = fixture_ok(
        &f, ADMIN, "POST", "peers",
        text("{\"name\":\"%s\",\"issuer\":\"https://%s.example\"%s}", name, name, more), "id");

    assert_int_equal(rest_begin(&c, STORE_READ, &txn), PROBLEM_OK);
    assert_int_equal(peer_load(&c, txn, "id", id, &row), PROBLEM_OK);
    store_rollback(&txn);
    return row;
}

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    rest_response_init(&resp);
    peer = make_peer("peer", "");
    const char *app = fixture_ok(&f, DEVELOPER, "POST", "apps",
                                 text("{\"name\":\"p\",\"organisation_id\":\"%s\","
                                      "\"environment\":\"controlled\"}",
                                      f.third),
                                 "id");
    registrar = make_peer("registrar", text(",\"app_id\":\"%s\",\"registers\":true", app));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(peer);
    json_decref(registrar);
    rest_response_fini(&resp);
    fixture_close(&f);
    return 0;
}

/* Tokens ------------------------------------------------------------------------------------------
 */
static const struct {
    const char *claims; /* changes; a null takes one away */
    const char *said;   /* of the refusal; NULL: taken */
} tokens[] = {
    {"{}", NULL},
    {"{\"aud\":[\"me\"]}", NULL},
    {"{\"azp\":\"me\"}", NULL},
    {"{\"iss\":\"https://other.example\"}", "another issuer"},
    {"{\"iss\":\"" ISSUER "/\"}", "another issuer"},
    {"{\"iss\":null}", "another issuer"},
    {"{\"aud\":\"you\"}", "somebody else"},
    {"{\"aud\":[\"me\",\"you\"]}", "somebody else"},
    {"{\"aud\":[]}", "somebody else"},
    {"{\"aud\":null}", "somebody else"},
    {"{\"azp\":\"you\"}", "somebody else"},
    {"{\"exp\":1799999900}", "over"},
    {"{\"exp\":null}", "over"},
    {"{\"exp\":\"1800000100\"}", "over"},
    {"{\"iat\":1800000100}", "over"},
    {"{\"iat\":null}", "over"},
    {"{\"exp\":1799999990,\"iat\":1799999995}", "over"},
};

static char *sign(const struct crypto_key *key, const char *kid, const char *changes)
{
    json_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", ISSUER, "aud", "me", "sub",
                               "somebody", "iat", (json_int_t)NOW_S, "exp", (json_int_t)NOW_S + 60);
    json_t *more = json_loads(changes, 0, NULL);

    assert_non_null(more);
    json_object_update(claims, more);
    char *jwt = jwt_write(key, kid, "JWT", claims);
    json_decref(claims);
    json_decref(more);
    return jwt;
}

static struct provider provider_of(const struct crypto_key *key, const char *kid)
{
    char *jwk = crypto_key_jwk(key);
    json_t *one = json_loads(jwk, 0, NULL);

    json_object_set_new(one, "kid", json_string(kid));
    free(jwk);
    return (struct provider){.peer = json_incref(peer),
                             .metadata = json_pack("{s:s, s:s, s:s}", "good", ISSUER "/a", "off",
                                                   ISSUER ".evil.example/a", "bare", ISSUER),
                             .jwks = json_pack("{s:[o]}", "keys", one),
                             .fresh = true};
}

static void judged(void **state)
{
    struct crypto_key *key = crypto_key_new(CRYPTO_KEY_P256),
                      *other = crypto_key_new(CRYPTO_KEY_P256);
    struct provider p = provider_of(key, "k1");
    struct rest_call c = call();

    (void)state;
    for (size_t i = 0; i < COUNT(tokens); i++) {
        char *jwt = sign(key, "k1", tokens[i].claims);
        json_t *claims = provider_claims(&c, &p, jwt, "me");
        if (!claims != (tokens[i].said != NULL) || (!claims && !strstr(c.detail, tokens[i].said))) {
            fail_msg("row %zu %s: %s", i, tokens[i].claims, c.detail);
        }
        json_decref(claims);
        free(jwt);
    }
    char *forged = sign(other, "k1", "{}"), *unnamed = sign(key, "k2", "{}");
    assert_null(provider_claims(&c, &p, forged, "me"));
    assert_null(provider_claims(&c, &p, unnamed, "me"));
    assert_null(provider_claims(&c, &p, "eyJhbGciOiJub25lIn0.e30.", "me"));
    assert_null(provider_claims(&c, &p, "", "me"));
    assert_string_equal(provider_address(&p, "good"), ISSUER "/a");
    assert_null(provider_address(&p, "off"));
    assert_null(provider_address(&p, "bare"));
    assert_null(provider_address(&p, "none"));
    free(forged);
    free(unnamed);
    provider_fini(&p);
    crypto_key_free(&key);
    crypto_key_free(&other);
}

/* Accounts ----------------------------------------------------------------------------------------
 */
/* The user's id, "" when the peer's word is refused with this problem. */
static const char *store(const json_t *of, bool link, const char *info_text, enum problem wanted,
                         const char *member)
{
    json_t *info = json_loads(info_text, 0, NULL);
    struct account a = {.peer = of, .info = info};
    struct rest_call c = call();
    struct store_txn *txn = NULL;
    const char *out = "";

    assert_non_null(info);
    enum problem p = account_prepare(&c, &a);
    if (p == PROBLEM_OK) {
        assert_int_equal(rest_begin(&c, STORE_WRITE, &txn), PROBLEM_OK);
        p = rest_finish(&c, &txn, account_store(&c, txn, &a, link));
    }
    if (p != wanted) {
        fail_msg("%s: %s %s", info_text, problem_row(p)->code, c.detail);
    }
    if (p == PROBLEM_OK) {
        out = text("%s", row_text(a.user, member));
    }
    account_fini(&a);
    json_decref(info);
    return out;
}

static void accounts(void **state)
{
    (void)state;
    const char *first = store(
        peer, false, "{\"sub\":\"s1\",\"name\":\"One\",\"subject\":\"M00001\"}", PROBLEM_OK, "id");
    assert_string_equal(store(peer, false, "{\"sub\":\"s1\",\"name\":\"Two\"}", PROBLEM_OK, "id"),
                        first);
    struct reply r = fixture_call(&f, ADMIN, "GET", text("users/%s", first), NULL, NULL);
    assert_string_equal(row_text(r.json, "display_name"), "Two");
    assert_string_equal(row_text(r.json, "login"), "s1@peer");
    assert_string_equal(row_text(r.json, "role"), "owner");
    assert_string_equal(row_text(r.json, "subject"), text("peer:%s", first)); /* not M00001 */
    reply_free(&r);
    assert_string_not_equal(store(registrar, false, "{\"sub\":\"s1\"}", PROBLEM_OK, "id"), first);
    /* A name that is no login becomes one that is. */
    assert_int_equal(strlen(store(peer, false, "{\"sub\":\"a|b/c\"}", PROBLEM_OK, "login")),
                     64 + 5);
}

/* Found again by who they are: by number and name, an owner, and only where that may be. */
static void linked(void **state)
{
    (void)state;
    const char *here =
        store(peer, false, "{\"sub\":\"p1\",\"real_name\":\"N\",\"id_number\":\"" NUMBER "\"}",
              PROBLEM_OK, "id");
    const char *same = "{\"sub\":\"r1\",\"real_name\":\"N\",\"id_number\":\"11010519491231002x\"}";
    assert_string_not_equal(store(registrar, false, same, PROBLEM_OK, "id"), here);
    assert_string_equal(store(registrar, true,
                              "{\"sub\":\"r2\",\"real_name\":\"N\",\"id_number\":\"" NUMBER
                              "\",\"name\":\"X\"}",
                              PROBLEM_OK, "id"),
                        here);
    assert_string_not_equal(
        store(registrar, true, "{\"sub\":\"r3\",\"real_name\":\"M\",\"id_number\":\"" NUMBER "\"}",
              PROBLEM_OK, "id"),
        here);
    assert_string_not_equal(
        store(registrar, true, "{\"sub\":\"r4\",\"real_name\":\"N\",\"id_number\":\"" OTHER "\"}",
              PROBLEM_OK, "id"),
        here);
    /* An account that is another's stays as they left it. */
    struct reply r = fixture_call(&f, ADMIN, "GET", text("users/%s", here), NULL, NULL);
    assert_string_equal(row_text(r.json, "display_name"), "");
    reply_free(&r);
}

static void unbelieved(void **state)
{
    (void)state;
    static const struct {
        const char *info;
        enum problem p;
    } rows[] = {
        {"{}", PROBLEM_FIELD_INVALID},
        {"{\"sub\":\"\"}", PROBLEM_FIELD_INVALID},
        {"{\"sub\":7}", PROBLEM_FIELD_INVALID},
        {"{\"sub\":\"a b\"}", PROBLEM_FIELD_INVALID},
        {"{\"sub\":\"x\",\"kind\":\"robot\"}", PROBLEM_FIELD_INVALID},
        {"{\"sub\":\"x\",\"holder_kind\":\"robot\"}", PROBLEM_FIELD_INVALID},
        {"{\"sub\":\"x\",\"email\":\"no\"}", PROBLEM_FIELD_INVALID},
        {"{\"sub\":\"x\",\"name\":{\"a\":1}}", PROBLEM_FIELD_INVALID},
        {"{\"sub\":\"x\",\"name\":\"a\\nb\"}", PROBLEM_FIELD_INVALID},
        {"{\"sub\":\"x\",\"real_name\":\"N\",\"id_number\":\"110105194912310021\"}",
         PROBLEM_IDENTITY_MISMATCH},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        store(registrar, true, rows[i].info, rows[i].p, NULL);
    }
}

static void told(void **state)
{
    (void)state;
    struct rest_call c = call();
    struct store_txn *txn = NULL;
    json_t *user = NULL, *none = json_array(), *some = json_pack("[s, s]", "name", "id_number");
    const char *id = store(peer, false,
                           "{\"sub\":\"t1\",\"name\":\"T\",\"email\":\"t@mail.example\","
                           "\"real_name\":\"N\",\"id_number\":\"" NUMBER "\"}",
                           PROBLEM_OK, "id");

    assert_int_equal(rest_begin(&c, STORE_READ, &txn), PROBLEM_OK);
    assert_int_equal(api_load(&c, txn, &users_resource, id, &user), PROBLEM_OK);
    store_rollback(&txn);
    json_t *nothing = account_info(&c, user, none), *two = account_info(&c, user, some);
    assert_int_equal(json_object_size(nothing), 1);
    assert_int_equal(json_object_size(two), 3);
    assert_string_equal(row_text(two, "sub"), id);
    assert_string_equal(row_text(two, "name"), "T");
    assert_string_equal(row_text(two, "id_number"), NUMBER);
    json_decref(nothing);
    json_decref(two);
    json_decref(none);
    json_decref(some);
    json_decref(user);
}

/* The rest ----------------------------------------------------------------------------------------
 */
static void refused(void **state)
{
    (void)state;
#define NEW "{\"name\":\"n\",\"issuer\":\"https://n.example\""
    static const struct {
        const char *body;
    } rows[] = {{"{\"name\":\"n/m\",\"issuer\":\"https://n.example\"}"},
                {"{\"name\":\"n\",\"issuer\":\"http://n.example\"}"},
                {"{\"name\":\"n\",\"issuer\":\"https://n.example/\"}"},
                {"{\"name\":\"n\",\"issuer\":\"https://n.example?x=1\"}"},
                {NEW ",\"offered\":true}"},
                {NEW ",\"silent\":true}"},
                {NEW ",\"told\":true}"},
                {NEW ",\"sign_on\":true}"},
                {NEW ",\"registers\":true}"},
                {NEW ",\"query_fields\":[\"name\"]}"},
                {NEW ",\"query_fields\":[\"password_hash\"]}"},
                {NEW ",\"ca\":\"-----BEGIN CERTIFICATE-----\\n-----END CERTIFICATE-----\\n\"}"}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_refused(&f, ADMIN, "POST", "peers", NULL, rows[i].body, "field-invalid");
    }
    fixture_refused(&f, OPERATOR, "POST", "peers", NULL, NEW "}", "not-permitted");
    fixture_refused(&f, DEVELOPER, "GET", "peers", NULL, NULL, "not-permitted");
    fixture_refused(&f, ADMIN, "POST", "peers", NULL, "{\"name\":\"m\",\"issuer\":\"" ISSUER "\"}",
                    "already-exists");
}

static void public_url(void **state)
{
    struct rest_request ask = {.method = "GET", .path = "/.well-known/openid-configuration"};
    struct rest_response answer;

    (void)state;
    f.cfg.public_url = "https://sluice.example:8443";
    fixture_reopen(&f);
    rest_response_init(&answer);
    rest_dispatch(&f.ctl, &ask, &answer);
    json_t *v = json_loadb(answer.body.p, answer.body.n, 0, NULL);
    assert_string_equal(row_text(v, "issuer"), "https://sluice.example:8443");
    assert_string_equal(row_text(v, "token_endpoint"), "https://sluice.example:8443/oauth/token");
    assert_string_equal(row_text(v, "peer_users_endpoint"),
                        "https://sluice.example:8443/peers/users");
    json_decref(v);
    rest_response_fini(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[GS-6.4c-2] a token of a peer is for us, by its key, of its issuer, now", judged, NULL,
         NULL, NULL},
        {"[GS-6.4b-2] somebody of a peer has one account, kept up to date", accounts, NULL, NULL,
         NULL},
        {"[GS-6.4a-2] who is proven to be the same is found again where that may be", linked, NULL,
         NULL, NULL},
        {"[GS-6.4a-1] what a peer says of a user and is not believed", unbelieved, NULL, NULL,
         NULL},
        {"[GS-6.4b-1] a peer is told what it may ask, no more", told, NULL, NULL, NULL},
        {"what a peer may not be", refused, NULL, NULL, NULL},
        {"metadata has the public address", public_url, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
