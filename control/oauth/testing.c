/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth/testing.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"

struct fixture f;
char api[40], api_a2[40];
struct crypto_key *proof_key, *other_key;

static const char *header_of(const void *ctx, const char *name)
{
    const struct web *w = ctx;

    return strcasecmp(name, "DPoP") == 0           ? w->dpop
           : strcasecmp(name, "Content-Type") == 0 ? "application/x-www-form-urlencoded"
                                                   : NULL;
}

struct web_reply send_web(const struct web *w)
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

void web_free(struct web_reply *r)
{
    json_decref(r->json);
    r->json = NULL;
}

/* Sends, asserts, and gives a member of the answer ("" none). error NULL: 2xx is wanted. */
const char *expect(const struct web *w, const char *error, const char *member)
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

const char *token_call(const char *form, const char *error, const char *member)
{
    return expect(&(struct web){.path = "/oauth/token", .form = form}, error, member);
}

/* Apps --------------------------------------------------------------------------------------------
 */
struct client_of secret_app, key_app, web_app, fapi_app, other_app;

void make_app(struct client_of *k, const char *name)
{
    snprintf(k->app, sizeof k->app, "%s",
             fixture_ok(&f, DEVELOPER, "POST", "apps",
                        text("{\"name\":\"%s\",\"organisation_id\":\"%s\",\"environment\":"
                             "\"controlled\"}",
                             name, f.third),
                        "id"));
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/admit", k->app), NULL, NULL);
}

void subscribe(const struct client_of *k, const char *to, const char *risk)
{
    const char *id = fixture_ok(&f, DEVELOPER, "POST", "subscriptions",
                                text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\","
                                     "\"max_level\":3}",
                                     k->app, to),
                                "id");
    fixture_ok(&f, OPERATOR, "POST", text("subscriptions/%s/approve", id), risk, NULL);
}

void give_secret(struct client_of *k)
{
    struct reply r =
        fixture_call(&f, DEVELOPER, "POST", "credentials", NULL,
                     text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sha256\"}", k->app));
    assert_int_equal(r.status, 201);
    snprintf(k->secret, sizeof k->secret, "%s", row_text(r.json, "secret"));
    snprintf(k->credential, sizeof k->credential, "%s", row_text(r.json, "id"));
    reply_free(&r);
}

void give_key(struct client_of *k)
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

void settings(const struct client_of *k, const char *more)
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

int oauth_setup(void **state)
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

int oauth_teardown(void **state)
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

const char *by_secret(const struct client_of *k, const char *more)
{
    return text("client_id=%s&client_secret=%s&%s", k->app, k->secret, more);
}

const char *own_token(const struct client_of *k)
{
    return token_call(by_secret(k, OWN), NULL, "access_token");
}

bool is_active(const struct client_of *asks, const char *token)
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

json_t *assertion_claims(const struct client_of *k)
{
    static int n;
    json_int_t now = (json_int_t)(clock_wall_ms() / 1000);

    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "iss", k->app, "sub", k->app, "aud",
                     oauth_issuer(&f.ctl), "exp", now + 60, "iat", now, "jti",
                     text("jti-%d-%s", n++, k->app));
}

/* By key; change: a member set to the JSON text given, or removed when that is "". */
const char *assertion(const struct client_of *k, const struct crypto_key *key, const char *member,
                      const char *value)
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

const char *base64url(const char *s)
{
    char out[2000];

    assert_true(CODEC_BASE64URL_LEN(strlen(s)) < sizeof out);
    out[codec_base64url(out, s, strlen(s))] = '\0';
    return text("%s", out);
}

const char *proof(const struct crypto_key *key, const char *path, const char *member,
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

const char *push(const struct client_of *k, const char *ask, const char *error)
{
    return expect(&(struct web){.path = "/oauth/par", .form = by_secret(k, ask)}, error,
                  error ? NULL : "request_uri");
}

struct rest_call call_of(const struct rest_request *req, struct rest_response *resp, enum who who)
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
enum problem take(const char *client_id, const char *uri, char id[OAUTH_REQUEST_ID_TEXT],
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

const char *make_grant(const struct client_of *k)
{
    return fixture_ok(&f, OWNER, "POST", "grants",
                      text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"term\":"
                           "\"period\",\"expires_at\":\"2030-01-01T00:00:00Z\"}",
                           k->app, api),
                      "id");
}

char session[40] = "01a20106-0dc8-7e83-8236-6981d4646099";

/* What the consent page does. */
enum problem decide(const char *request, const char *grant, char code[OAUTH_CODE_TEXT])
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

const char *code_for(const struct client_of *k, const char *grant)
{
    char id[OAUTH_REQUEST_ID_TEXT], code[OAUTH_CODE_TEXT];
    const char *error = NULL;

    assert_int_equal(take(k->app, push(k, ASK, NULL), id, &error), PROBLEM_OK);
    assert_int_equal(decide(id, grant, code), PROBLEM_OK);
    return text("%s", code);
}

const char *redeem(const char *code)
{
    return text("grant_type=authorization_code&code=%s&redirect_uri=" ENCODED
                "&code_verifier=" VERIFIER,
                code);
}

const char *refresh(const char *token)
{
    return text("grant_type=refresh_token&refresh_token=%s", token);
}

void revoke_by(const struct oauth_revocation *r)
{
    struct rest_request req = {.method = "POST", .path = ""};
    struct rest_response resp;
    struct rest_call c = call_of(&req, &resp, NOBODY);
    struct store_txn *txn = NULL;

    assert_int_equal(rest_begin(&c, STORE_WRITE, &txn), PROBLEM_OK);
    assert_int_equal(rest_finish(&c, &txn, oauth_revoke(&c, txn, r)), PROBLEM_OK);
    rest_response_fini(&resp);
}
