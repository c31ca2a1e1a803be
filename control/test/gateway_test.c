/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway is told of APIs, apps and keys: attributes and what they may not be together,
 * and the feed's entries of them. Most rows negative. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/certificate_testing.h"
#include "crypto/key.h"
#include "test/fixture.h"

static struct fixture f;
static char app[40];

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    snprintf(
        app, sizeof app, "%s",
        fixture_ok(
            &f, DEVELOPER, "POST", "apps",
            text("{\"name\":\"erp\",\"organisation_id\":\"%s\",\"environment\":\"controlled\"}",
                 f.third),
            "id"));
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/admit", app), NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

/* s as JSON text, quotes and line ends escaped. */
static const char *quoted(const char *s)
{
    json_t *v = json_string(s);
    char *dump = json_dumps(v, JSON_ENCODE_ANY);
    const char *out = text("%s", dump);
    free(dump);
    json_decref(v);
    return out;
}

static const char *api_body(const char *more)
{
    static int n;
    n++;
    return text("{\"name\":\"g%d\",\"version\":\"v1\",\"path\":\"/g/%d\",\"kind\":\"http\","
                "\"fields\":[{\"path\":\"a\",\"level\":1,\"type\":\"scalar\"}]%s}",
                n, n, more);
}

static const char *make_api(const char *more)
{
    return fixture_ok(&f, PROVIDER, "POST", "apis", api_body(more), "id");
}

#define UP ",\"upstream\":\"http://127.0.0.1:9\""
#define A2 UP ",\"class\":\"A2\""
#define T1 "{\"url\":\"http://127.0.0.1:9/a\"}"
#define TC "{\"url\":\"http://127.0.0.1:9/b\",\"role\":\"canary\"}"

static const struct {
    const char *more, *where;
} wrong_apis[] = {
    {"", "/upstream"},
    {UP ",\"targets\":[" T1 "]", "/targets"},
    {",\"upstream\":\"https://u:p@x/\"", "/upstream"},
    {",\"targets\":[]", "/targets"},
    {",\"targets\":{}", "/targets"},
    {",\"targets\":[1]", "/targets"},
    {",\"targets\":[{\"url\":\"ftp://x\"}]", "/targets"},
    {",\"targets\":[{\"url\":\"http://u:p@x\"}]", "/targets"},
    {",\"targets\":[{\"url\":\"http://x/?q\"}]", "/targets"},
    {",\"targets\":[" T1 "," T1 "]", "/targets"},
    {",\"targets\":[{\"url\":\"http://x\",\"weight\":0}]", "/targets"},
    {",\"targets\":[{\"url\":\"http://x\",\"weight\":1001}]", "/targets"},
    {",\"targets\":[{\"url\":\"http://x\",\"weight\":\"1\"}]", "/targets"},
    {",\"targets\":[{\"url\":\"http://x\",\"role\":\"main\"}]", "/targets"},
    {",\"targets\":[{\"url\":\"http://x\",\"host\":\"y\"}]", "/targets"},
    {",\"targets\":[{\"url\":\"http://x\",\"role\":\"standby\"}]", "/targets"},
    {",\"targets\":[" T1 "," TC "]", "/canary_percent"},
    {",\"canary_percent\":5,\"targets\":[" T1 "]", "/targets"},
    {",\"canary_percent\":101,\"targets\":[" T1 "," TC "]", "/canary_percent"},
    {",\"canary_apps\":[\"x\"],\"targets\":[" T1 "," TC "]", "/canary_apps"},
    {",\"canary_apps\":[\"00000000-0000-0000-0000-000000000001\"],\"targets\":[" T1 "," TC "]",
     "/canary_apps"},
    {UP ",\"balance\":\"random\"", "/balance"},
    {UP ",\"retries\":4", "/retries"},
    {UP ",\"breaker\":{}", "/breaker"},
    {UP ",\"breaker\":{\"failures\":0,\"window_ms\":1000,\"open_ms\":1000}", "/breaker"},
    {UP ",\"breaker\":{\"failures\":5,\"window_ms\":1000,\"open_ms\":1000,\"x\":1}", "/breaker"},
    {UP ",\"breaker\":{\"failures\":5,\"window_ms\":1.5,\"open_ms\":1000}", "/breaker"},
    {UP ",\"health\":{\"path\":\"x\",\"interval_ms\":1000,\"timeout_ms\":100}", "/health"},
    {UP ",\"health\":{\"path\":\"/a/../b\",\"interval_ms\":1000,\"timeout_ms\":100}", "/health"},
    {UP ",\"health\":{\"path\":\"/x\",\"interval_ms\":1000,\"timeout_ms\":2000}", "/health"},
    {UP ",\"health\":{\"path\":\"/x\",\"interval_ms\":1,\"timeout_ms\":1}", "/health"},
    {UP ",\"cache_ms\":-1", "/cache_ms"},
    {UP ",\"cache_epoch\":3", "/cache_epoch"},
    {UP ",\"deprecated_at\":\"2030-01-01T00:00:00Z\"", "/deprecated_at"},
    {UP ",\"signature_max_s\":301", "/signature_max_s"},
    {UP ",\"signature_max_s\":0", "/signature_max_s"},
    {UP ",\"schemes\":[]", "/schemes"},
    {UP ",\"schemes\":[\"password\"]", "/schemes"},
    {UP ",\"schemes\":[\"key\",\"key\"]", "/schemes"},
    {UP ",\"schemes\":\"key\"", "/schemes"},
    {UP ",\"seal_request\":\"yes\"", "/seal_request"},
    {UP ",\"seal_response\":true", "/seal_response"},
    {UP ",\"successor\":\"x\"", "/successor"},
    {UP ",\"mobile\":1", "/mobile"},
    {UP ",\"mobile_only\":true", "/mobile_only"},
    {UP ",\"entry\":\"A b\"", "/entry"},
    {UP ",\"operation\":\"payment\",\"sdk_required\":false", "/sdk_required"},
    {UP ",\"operation\":\"robbery\"", "/operation"},
    {UP ",\"methods\":[\"GET\",\"POST\"]", "/methods"},
    {UP ",\"methods\":[\"DELETE\"],\"query\":true", "/methods"},
    {UP ",\"methods\":[\"GET\",\"GET\"]", "/methods"},
    {UP ",\"operation\":\"payment\",\"class\":\"A1\"", "/class"},
    {UP ",\"operation\":\"points\",\"class\":\"A1\"", "/class"},
    {A2 ",\"schemes\":[\"secret\"]", "/schemes"},
    {A2 ",\"schemes\":[\"key\",\"secret\"]", "/schemes"},
    {A2 ",\"sign_response\":false", "/sign_response"},
    {A2 ",\"access\":\"registered\"", "/access"},
};

static void apis_that_are_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong_apis); i++) {
        struct reply r =
            fixture_call(&f, PROVIDER, "POST", "apis", NULL, api_body(wrong_apis[i].more));
        if (r.status != 422 || strcmp(row_text(r.json, "where"), wrong_apis[i].where) != 0) {
            fail_msg("%s: %u %s at %s: %s", wrong_apis[i].more, r.status, r.code,
                     row_text(r.json, "where"), row_text(r.json, "detail"));
        }
        reply_free(&r);
    }
    fixture_refused(&f, PROVIDER, "POST", "apis", NULL,
                    "{\"name\":\"c\",\"version\":\"v1\",\"path\":\"/c\",\"kind\":\"composed\","
                    "\"upstream\":\"http://127.0.0.1:9\"}",
                    "field-invalid");
}

static void apis_as_told(void **state)
{
    (void)state;
    char id[40];
    const char *plain = text("%s", make_api(UP));
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", plain), NULL, NULL);
    json_t *data = fixture_fed(&f, "api", plain);
    static const char *const absent[] = {"targets", "schemes",        "sign_response", "mobile",
                                         "breaker", "has_schema",     "deprecated_at", "successor",
                                         "health",  "signature_max_s"};
    for (size_t i = 0; i < COUNT(absent); i++) {
        assert_null(json_object_get(data, absent[i]));
    }
    json_decref(data);
    snprintf(id, sizeof id, "%s",
             make_api(text(",\"class\":\"A2\",\"targets\":[" T1 "," TC "],\"canary_apps\":[\"%s\"],"
                           "\"balance\":\"least-connections\",\"retries\":0,\"cache_ms\":5000,"
                           "\"breaker\":{\"failures\":5,\"window_ms\":10000,\"open_ms\":3000},"
                           "\"schemes\":[\"certificate\"],\"signature_max_s\":60,\"mobile\":true,"
                           "\"seal_response\":\"required\",\"notice_zh\":\"请改用新接口\","
                           "\"successor\":\"/g/new\",\"methods\":[\"GET\",\"DELETE\"]",
                           app)));
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", id), NULL, NULL);
    data = fixture_fed(&f, "api", id);
    const json_t *target = json_array_get(json_object_get(data, "targets"), 0);
    assert_int_equal(json_integer_value(json_object_get(target, "weight")), 1);
    assert_string_equal(row_text(target, "role"), "primary");
    assert_true(json_is_true(json_object_get(data, "sign_response")));
    assert_true(json_is_true(json_object_get(data, "mobile")));
    assert_int_equal(json_integer_value(json_object_get(data, "retries")), 0);
    assert_non_null(json_object_get(data, "retries"));
    assert_string_equal(row_text(data, "successor"), "/g/new");
    assert_int_equal(json_integer_value(json_object_get(data, "cache_epoch")), 0);
    json_decref(data);
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/purge", id), NULL, NULL);
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/deprecate", id), NULL, NULL);
    data = fixture_fed(&f, "api", id);
    assert_int_equal(json_integer_value(json_object_get(data, "cache_epoch")), 1);
    assert_true(json_integer_value(json_object_get(data, "deprecated_at")) > 0);
    assert_string_equal(row_text(data, "state"), "deprecated");
    json_decref(data);
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", id), NULL, NULL);
    data = fixture_fed(&f, "api", id);
    assert_null(json_object_get(data, "deprecated_at"));
    json_decref(data);
    fixture_refused(&f, DEVELOPER, "POST", text("apis/%s/purge", id), "auto", NULL,
                    "not-permitted");
    fixture_refused(&f, PROVIDER, "PATCH", text("apis/%s", id), "auto",
                    "{\"schemes\":[\"secret\"]}", "field-invalid");
}

static void operations_make_a_class(void **state)
{
    (void)state;
    static const struct {
        const char *operation, *class;
    } rows[] = {
        {"payment", "A2"},       {"transfer", "A2"},     {"product-purchase", "A2"},
        {"balance", "A2"},       {"holdings", "A2"},     {"transaction-history", "A2"},
        {"account-limit", "A2"}, {"payment-time", "A2"}, {"points", "A2"},
        {"product-info", "A1"},  {"other", "A1"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *id = make_api(text(UP ",\"operation\":\"%s\"", rows[i].operation));
        assert_string_equal(fixture_ok(&f, PROVIDER, "GET", text("apis/%s", id), NULL, "class"),
                            rows[i].class);
    }
    const char *id = make_api(UP);
    fixture_ok(&f, PROVIDER, "PATCH", text("apis/%s", id), "{\"operation\":\"balance\"}", NULL);
    assert_string_equal(fixture_ok(&f, PROVIDER, "GET", text("apis/%s", id), NULL, "class"), "A2");
    fixture_refused(&f, PROVIDER, "PATCH", text("apis/%s", id), "auto", "{\"class\":\"A1\"}",
                    "field-invalid");
}

static const struct {
    const char *class, *seal, *field, *code; /* NULL: published */
} tagged[] = {
    {"A1", "off", "\"level\":2,\"tags\":[\"personal-financial\"],\"mask\":\"phone\"",
     "field-unmasked"},
    {"A1", "required", "\"level\":2,\"tags\":[\"personal-financial\"]", "field-unmasked"},
    {"A1", "off", "\"level\":4,\"tags\":[\"payment-sensitive\"]", "field-unmasked"},
    {"A2", "off", "\"level\":2,\"tags\":[\"personal-financial\"]", "field-unmasked"},
    {"A2", "optional", "\"level\":2,\"tags\":[\"personal-financial\"]", "field-unmasked"},
    {"A2", "off", "\"level\":2,\"mask\":\"phone\",\"tags\":[\"payment-sensitive\"]",
     "field-unmasked"},
    {"A2", "off", "\"level\":2,\"mask\":\"phone\",\"tags\":[\"personal-financial\"]", NULL},
    {"A2", "required", "\"level\":2,\"tags\":[\"personal-financial\",\"payment-sensitive\"]", NULL},
    {"A2", "off", "\"level\":4,\"tags\":[\"payment-sensitive\"]", NULL},
};

static void tagged_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(tagged); i++) {
        const char *id = fixture_ok(
            &f, PROVIDER, "POST", "apis",
            text("{\"name\":\"t%zu\",\"version\":\"v1\",\"path\":\"/t/%zu\",\"kind\":\"http\""
                 ",\"upstream\":\"http://127.0.0.1:9\",\"class\":\"%s\",\"seal_response\":\"%s\","
                 "\"fields\":[{\"path\":\"id\",\"level\":1},{\"path\":\"x\",%s}]}",
                 i, i, tagged[i].class, tagged[i].seal, tagged[i].field),
            "id");
        if (tagged[i].code) {
            fixture_refused(&f, PROVIDER, "POST", text("apis/%s/publish", id), "auto", NULL,
                            tagged[i].code);
            continue;
        }
        fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", id), NULL, NULL);
        json_t *data = fixture_fed(&f, "api", id);
        assert_null(json_object_get(json_array_get(json_object_get(data, "fields"), 1), "tags"));
        json_decref(data);
        /* What is live stays within the rules. */
        if (strcmp(tagged[i].seal, "required") == 0) {
            fixture_refused(&f, PROVIDER, "PATCH", text("apis/%s", id), "auto",
                            "{\"seal_response\":\"off\"}", "field-unmasked");
        }
    }
    fixture_refused(&f, PROVIDER, "POST", "apis", NULL,
                    "{\"name\":\"t\",\"version\":\"v1\",\"path\":\"/t\",\"kind\":\"http\","
                    "\"upstream\":\"http://127.0.0.1:9\",\"fields\":[{\"path\":\"x\",\"level\":1,"
                    "\"tags\":[\"nice\"]}]}",
                    "field-invalid");
}

static const char *subscribe(const char *api)
{
    return fixture_ok(
        &f, DEVELOPER, "POST", "subscriptions",
        text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"max_level\":1}", app, api),
        "id");
}

static const char *fed_state(const char *kind, const char *id)
{
    json_t *data = fixture_fed(&f, kind, id);
    const char *out = text("%s", row_text(data, "state"));
    json_decref(data);
    return out;
}

static void risk_is_assessed(void **state)
{
    (void)state;
    char api[40], sub[40];
    snprintf(api, sizeof api, "%s", make_api(UP ",\"operation\":\"balance\""));
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", api), NULL, NULL);
    snprintf(sub, sizeof sub, "%s", subscribe(api));
    fixture_refused(&f, OPERATOR, "POST", text("subscriptions/%s/approve", sub), "auto", NULL,
                    "field-invalid");
    fixture_refused(&f, OPERATOR, "POST", text("subscriptions/%s/approve", sub), "auto",
                    "{\"risk_assessment\":\"\"}", "field-invalid");
    fixture_refused(&f, DEVELOPER, "PATCH", text("subscriptions/%s", sub), "auto",
                    "{\"risk_assessment\":\"none at all\"}", "not-permitted");
    fixture_ok(&f, OPERATOR, "POST", text("subscriptions/%s/approve", sub),
               "{\"risk_assessment\":\"assessed, no. 17\"}", NULL);
    assert_string_equal(
        fixture_ok(&f, DEVELOPER, "GET", text("subscriptions/%s", sub), NULL, "risk_approver"),
        "operator");
    assert_string_equal(fed_state("subscription", sub), "active");
    fixture_refused(&f, OPERATOR, "PATCH", text("subscriptions/%s", sub), "auto",
                    "{\"risk_assessment\":null}", "state-conflict");
    /* Holdings and points, read-only, need none (BK-7.2.2c3-1); writing them does. */
    snprintf(api, sizeof api, "%s", make_api(UP ",\"operation\":\"points\""));
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", api), NULL, NULL);
    snprintf(sub, sizeof sub, "%s", subscribe(api));
    fixture_ok(&f, OPERATOR, "POST", text("subscriptions/%s/approve", sub), NULL, NULL);
    assert_string_equal(fed_state("subscription", sub), "active");
    fixture_ok(&f, PROVIDER, "PATCH", text("apis/%s", api), "{\"methods\":[\"GET\",\"PUT\"]}",
               NULL);
    assert_string_equal(fed_state("subscription", sub), "inactive");
    /* An API that becomes A2 takes its subscriptions with it. */
    snprintf(api, sizeof api, "%s", make_api(UP));
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", api), NULL, NULL);
    snprintf(sub, sizeof sub, "%s", subscribe(api));
    fixture_ok(&f, OPERATOR, "POST", text("subscriptions/%s/approve", sub), NULL, NULL);
    fixture_ok(&f, PROVIDER, "PATCH", text("apis/%s", api), "{\"class\":\"A2\"}", NULL);
    assert_string_equal(fed_state("subscription", sub), "inactive");
    fixture_ok(&f, OPERATOR, "PATCH", text("subscriptions/%s", sub),
               "{\"risk_assessment\":\"assessed later\"}", NULL);
    assert_string_equal(fed_state("subscription", sub), "active");
}

/* Keys -------------------------------------------------------------------------------------------
 */
static const char *credential(const char *more)
{
    return text("{\"app_id\":\"%s\",%s}", app, more);
}

static void private_keys_are_refused(void **state)
{
    (void)state;
    struct crypto_key *key = crypto_key_new(CRYPTO_KEY_P256);
    char *pem = crypto_key_private_pem(key), *jwk = crypto_key_jwk(key);
    const char *certificate = fixture_pem(&f, "control.key");
    const char *private_jwk = text("%.*s,\"d\":\"AAAA\"}", (int)strlen(jwk) - 1, jwk);
    const char *const bodies[] = {
        text("\"algorithm\":\"ecdsa-p256-sha256\",\"public_key\":%s", quoted(pem)),
        text("\"algorithm\":\"ecdsa-p256-sha256\",\"public_key\":%s", private_jwk),
        text("\"algorithm\":\"ecdsa-p256-sha256\",\"certificate\":%s", certificate),
        "\"algorithm\":\"ecdsa-p256-sha256\",\"public_key\":{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct reply r =
            fixture_call(&f, DEVELOPER, "POST", "credentials", NULL, credential(bodies[i]));
        assert_string_equal(r.code, "field-invalid");
        assert_non_null(strstr(row_text(r.json, "detail"), "private key"));
        reply_free(&r);
    }
    struct reply r = fixture_call(&f, ADMIN, "GET", "operations?page_size=200", NULL, NULL);
    char *all = json_dumps(r.json, 0);
    assert_null(strstr(all, "PRIVATE KEY"));
    free(all);
    reply_free(&r);
    crypto_wipe(pem, strlen(pem));
    free(pem);
    free(jwk);
    crypto_key_free(&key);
}

static void keys_that_are_wrong(void **state)
{
    (void)state;
    struct crypto_key *sm2 = crypto_key_new(CRYPTO_KEY_SM2);
    char *pem = crypto_key_public_pem(sm2);
    const char *key = quoted(pem), *crt = fixture_pem(&f, "control.crt");
    const char *const bodies[] = {
        "\"algorithm\":\"md5\"",
        "\"algorithm\":\"sm2-sm3\"",
        "\"algorithm\":\"sm2-sm3\",\"public_key\":\"hello\"",
        "\"algorithm\":\"sm2-sm3\",\"public_key\":7",
        "\"algorithm\":\"sm2-sm3\",\"public_key\":{\"kty\":\"EC\"}",
        "\"algorithm\":\"sm2-sm3\",\"certificate\":\"hello\"",
        text("\"algorithm\":\"ecdsa-p256-sha256\",\"public_key\":%s", key),
        text("\"algorithm\":\"ECDH-ES\",\"public_key\":%s", key),
        text("\"algorithm\":\"rsa-pss-sha512\",\"public_key\":%s", key),
        text("\"algorithm\":\"hmac-sm3\",\"public_key\":%s", key),
        text("\"algorithm\":\"hmac-sm3\",\"certificate\":%s", crt),
        text("\"algorithm\":\"sm2-sm3\",\"certificate\":%s", crt),
        text("\"algorithm\":\"ecdsa-p256-sha256\",\"certificate\":%s,\"public_key\":%s", crt, key),
        text("\"algorithm\":\"ECDH-ES\",\"certificate\":%s", crt),
        text("\"algorithm\":\"sm2-sm3\",\"public_key\":%s,\"certificate_mode\":\"ca\"", key),
        text("\"algorithm\":\"sm2-sm3\",\"public_key\":%s,\"use\":\"encryption\"", key),
        text("\"algorithm\":\"SM2\",\"public_key\":%s,\"use\":\"signing\"", key),
        text("\"algorithm\":\"sm2-sm3\",\"public_key\":%s,\"expires_at\":null,"
             "\"not_before\":\"2999-01-01T00:00:00Z\"",
             key),
        text("\"algorithm\":\"ecdsa-p256-sha256\",\"certificate\":%s,"
             "\"expires_at\":\"2999-01-01T00:00:00Z\"",
             crt),
        text("\"algorithm\":\"sm2-sm3\",\"public_key\":%s,\"spki\":\"x\"", key),
        text("\"algorithm\":\"sm2-sm3\",\"public_key\":%s,\"certificate_sm3\":\"x\"", key),
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        fixture_refused(&f, DEVELOPER, "POST", "credentials", NULL, credential(bodies[i]),
                        "field-invalid");
    }
    free(pem);
    crypto_key_free(&sm2);
}

static void keys_as_told(void **state)
{
    (void)state;
    static const struct {
        const char *algorithm;
        enum crypto_key_kind kind;
        bool jwk, encrypts;
    } rows[] = {
        {"sm2-sm3", CRYPTO_KEY_SM2, false, false},
        {"sm2-sm3", CRYPTO_KEY_SM2, true, false},
        {"SM2", CRYPTO_KEY_SM2, true, true},
        {"ECDH-ES", CRYPTO_KEY_P256, false, true},
        {"ecdsa-p256-sha256", CRYPTO_KEY_P256, true, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct crypto_key *key = crypto_key_new(rows[i].kind);
        char *own = rows[i].jwk ? crypto_key_jwk(key) : crypto_key_public_pem(key);
        const char *body = credential(text("\"algorithm\":\"%s\",\"public_key\":%s",
                                           rows[i].algorithm, rows[i].jwk ? own : quoted(own)));
        struct reply r = fixture_call(&f, DEVELOPER, "POST", "credentials", NULL, body);
        assert_int_equal(r.status, 201);
        assert_null(json_object_get(r.json, "secret"));
        json_t *data = fixture_fed(&f, "credential", row_text(r.json, "id"));
        assert_null(json_object_get(data, "secret_sealed"));
        assert_true(strlen(row_text(data, "public_key")) > 80);
        assert_string_equal(row_text(data, "use"), rows[i].encrypts ? "encryption" : "");
        json_decref(data);
        /* each credential has a key of its own, in another app's hands least of all */
        fixture_refused(&f, ADMIN, "POST", "credentials", NULL, body, "already-exists");
        fixture_ok(&f, DEVELOPER, "POST", text("credentials/%s/revoke", row_text(r.json, "id")),
                   NULL, NULL);
        reply_free(&r);
        free(own);
        crypto_key_free(&key);
    }
    const char *body = credential(text("\"algorithm\":\"ecdsa-p256-sha256\",\"certificate\":%s",
                                       fixture_pem(&f, "control.crt")));
    const char *id = fixture_ok(&f, DEVELOPER, "POST", "credentials", body, "id");
    json_t *data = fixture_fed(&f, "credential", id),
           *certificate = json_object_get(data, "certificate");
    assert_string_equal(row_text(certificate, "mode"), "pinned");
    assert_int_equal(strlen(row_text(certificate, "sm3")), 64);
    assert_non_null(strstr(row_text(certificate, "subject"), "CN="));
    json_decref(data);
    fixture_ok(&f, DEVELOPER, "POST", text("credentials/%s/revoke", id), NULL, NULL);
    body = credential(text("\"algorithm\":\"ecdsa-p256-sha256\",\"certificate_mode\":\"ca\","
                           "\"certificate\":%s",
                           fixture_pem(&f, "control.crt")));
    data =
        fixture_fed(&f, "credential", fixture_ok(&f, DEVELOPER, "POST", "credentials", body, "id"));
    assert_true(json_is_null(json_object_get(json_object_get(data, "certificate"), "sm3")));
    json_decref(data);
}

static void subjects_by_ca(void **state)
{
    (void)state;
    char other[40], first[40], again[40], *bodies[3];
    base_s = (int64_t)(clock_wall_ms() / 1000);
    snprintf(
        other, sizeof other, "%s",
        fixture_ok(
            &f, DEVELOPER, "POST", "apps",
            text("{\"name\":\"wms\",\"organisation_id\":\"%s\",\"environment\":\"controlled\"}",
                 f.third),
            "id"));
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/admit", other), NULL, NULL);
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct party party = party_make(&plan_client, NULL); /* each with a key of its own */
        struct slice pem = pem_of_x509(party.x509);
        char *whole = strndup(pem.p, pem.n);
        bodies[i] = strdup(text("{\"app_id\":\"%s\",\"algorithm\":\"ecdsa-p256-sha256\","
                                "\"certificate_mode\":\"ca\",\"certificate\":%s}",
                                i == 1 ? other : app, quoted(whole)));
        free(whole);
        free((char *)pem.p);
        party_free(&party);
    }
    snprintf(first, sizeof first, "%s",
             fixture_ok(&f, DEVELOPER, "POST", "credentials", bodies[0], "id"));
    fixture_refused(&f, DEVELOPER, "POST", "credentials", NULL, bodies[1], "already-exists");
    snprintf(again, sizeof again, "%s",
             fixture_ok(&f, DEVELOPER, "POST", "credentials", bodies[2], "id"));
    fixture_ok(&f, DEVELOPER, "POST", text("credentials/%s/revoke", first), NULL, NULL);
    fixture_refused(&f, DEVELOPER, "POST", "credentials", NULL, bodies[1], "already-exists");
    fixture_ok(&f, DEVELOPER, "POST", text("credentials/%s/revoke", again), NULL, NULL);
    fixture_ok(&f, DEVELOPER, "POST", "credentials", bodies[1], NULL);
    for (size_t i = 0; i < COUNT(bodies); i++) {
        free(bodies[i]);
    }
}

static void explains_by_proof(void **state)
{
    (void)state;
    char api[40], secret[40];
    snprintf(secret, sizeof secret, "%s",
             fixture_ok(&f, DEVELOPER, "POST", "credentials",
                        credential("\"algorithm\":\"hmac-sm3\""), "id"));
    snprintf(api, sizeof api, "%s", make_api(A2));
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", api), NULL, NULL);
    fixture_ok(&f, OPERATOR, "POST", text("subscriptions/%s/approve", subscribe(api)),
               "{\"risk_assessment\":\"done\"}", NULL);
    struct reply r =
        fixture_call(&f, DEVELOPER, "GET",
                     text("explain?app=%s&api=%s&credential=%s", app, api, secret), NULL, NULL);
    assert_string_equal(r.code, "scheme-too-weak");
    assert_true(json_array_size(json_object_get(r.json, "needs")) > 0);
    reply_free(&r);
    r = fixture_call(&f, DEVELOPER, "GET", text("explain?app=%s&api=%s", app, api), NULL, NULL);
    assert_true(json_is_true(json_object_get(r.json, "allowed")));
    reply_free(&r);
    fixture_refused(&f, STRANGER, "GET", text("explain?app=%s&api=%s&credential=%s", app, api, api),
                    NULL, NULL, "not-found");
}

static void apps_as_told(void **state)
{
    (void)state;
    static const char *const bad[] = {"{\"factors\":[]}", "{\"factors\":[\"luck\"]}",
                                      "{\"factors\":\"key\"}", "{\"channel\":\"fax\"}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        fixture_refused(&f, OPERATOR, "PATCH", text("apps/%s", app), "auto", bad[i],
                        "field-invalid");
    }
    fixture_refused(&f, DEVELOPER, "PATCH", text("apps/%s", app), "auto", "{\"factors\":[\"key\"]}",
                    "not-permitted");
    fixture_refused(&f, DEVELOPER, "PATCH", text("apps/%s", app), "auto",
                    "{\"channel\":\"mobile\"}", "not-permitted");
    json_t *data = fixture_fed(&f, "app", app);
    assert_null(json_object_get(data, "factors"));
    assert_null(json_object_get(data, "subject"));
    json_decref(data);
    fixture_ok(&f, OPERATOR, "PATCH", text("apps/%s", app),
               "{\"factors\":[\"secret\",\"key\"],\"channel\":\"mobile\"}", NULL);
    fixture_ok(&f, OPERATOR, "PATCH", text("organisations/%s", f.third), "{\"subject\":\"M7\"}",
               NULL);
    data = fixture_fed(&f, "app", app);
    assert_int_equal(json_array_size(json_object_get(data, "factors")), 2);
    assert_string_equal(row_text(data, "channel"), "mobile");
    assert_string_equal(row_text(data, "subject"), "M7");
    json_decref(data);
}

static void every_entry_is_readable(void **state)
{
    (void)state;
    fixture_feed_readable(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-9.2.1b2] [BK-9.2.1b3] APIs that are wrong, A2 with a secret or unsigned among them",
         apis_that_are_wrong, NULL, NULL, NULL},
        {"an API's targets, breaker, cache and notices as nodes are told", apis_as_told, NULL, NULL,
         NULL},
        {"[BK-6.2b] payment, transfer and account queries make an API A2", operations_make_a_class,
         NULL, NULL, NULL},
        {"[BK-6.2c] [BK-7.2.2c] a tagged field is not published unmasked, nor in A1 at all",
         tagged_fields, NULL, NULL, NULL},
        {"[BK-6.2b3-1] [BK-7.2.2c3-1] A2 is opened to an app whose risk is assessed",
         risk_is_assessed, NULL, NULL, NULL},
        {"a private key sent by mistake is refused and not kept", private_keys_are_refused, NULL,
         NULL, NULL},
        {"keys and certificates that are wrong", keys_that_are_wrong, NULL, NULL, NULL},
        {"by CA a certificate's subject is one app's", subjects_by_ca, NULL, NULL, NULL},
        {"keys and certificates as nodes are told", keys_as_told, NULL, NULL, NULL},
        {"explain goes by what a credential proves", explains_by_proof, NULL, NULL, NULL},
        {"factors, channel and subject of apps", apps_as_told, NULL, NULL, NULL},
        {"a node can read every entry there was", every_entry_is_readable, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
