/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of nodes: refused whole unless every member is as the contract has it, kept once, shown
 * to whoever may see them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "crypto/key.h"
#include "feed/reports.h"
#include "test/fixture.h"

static struct fixture f;
static char app[40], api[40], foreign[40];

#define ID(n)     "01a20106-0dc8-7e83-8236-6981d4646" n
#define HEAD      "\"node\":\"gw-1\",\"at\":1790000000000,\"version\":\"0.1.0\""
#define TAIL      ",\"limits\":[],\"targets\":[],\"keys\":[]}"
#define EVENT     "{\"id\":\"" ID("001") "\",\"at\":1790000000000,\"kind\":\"limit-alert\"}"
#define EVENTS(e) "{" HEAD ",\"events\":[" e "]" TAIL

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
    static const char made[] =
        "{\"name\":\"%s\",\"version\":\"v1\",\"path\":\"/%s\",\"kind\":\"http\",\"upstream\":"
        "\"http://127.0.0.1:9\",\"fields\":[{\"path\":\"a\",\"level\":1,\"type\":\"scalar\"}]}";
    snprintf(api, sizeof api, "%s",
             fixture_ok(&f, PROVIDER, "POST", "apis", text(made, "mine", "mine"), "id"));
    snprintf(foreign, sizeof foreign, "%s",
             fixture_ok(&f, OPERATOR, "POST", "apis", text(made, "other", "other"), "id"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static enum problem take(const char *body, size_t *accepted)
{
    char why[REPORTS_WHY_MAX];
    return reports_take(&f.ctl, slice_str(body), accepted, why);
}

static int64_t alerts(void)
{
    struct reply r = fixture_call(&f, ADMIN, "GET", "alerts", NULL, NULL);
    int64_t total = json_integer_value(json_object_get(r.json, "total"));
    reply_free(&r);
    return total;
}

static size_t live(enum who who, const char *target)
{
    struct reply r = fixture_call(&f, who, "GET", target, NULL, NULL);
    assert_int_equal(r.status, 200);
    size_t n = json_array_size(json_object_get(r.json, "items"));
    reply_free(&r);
    return n;
}

static const char *const malformed[] = {
    "",
    "x",
    "[]",
    "{}",
    "{" HEAD "}",
    "{" HEAD ",\"events\":[],\"limits\":[],\"targets\":[]}",
    "{" HEAD ",\"events\":{},\"limits\":[],\"targets\":[],\"keys\":[]}",
    "{" HEAD ",\"events\":[],\"more\":1,\"limits\":[],\"targets\":[],\"keys\":[]}",
    "{" HEAD ",\"node\":\"gw-2\",\"events\":[]" TAIL,
    "{\"node\":\"\",\"at\":1,\"version\":\"\",\"events\":[]" TAIL,
    "{\"node\":\"a b\",\"at\":1,\"version\":\"\",\"events\":[]" TAIL,
    "{\"node\":\"../x\",\"at\":1,\"version\":\"\",\"events\":[]" TAIL,
    "{\"node\":\"gw\",\"at\":-1,\"version\":\"\",\"events\":[]" TAIL,
    "{\"node\":\"gw\",\"at\":1e30,\"version\":\"\",\"events\":[]" TAIL,
    "{\"node\":\"gw\",\"at\":1,\"events\":[]" TAIL,
    "{\"node\":\"\xff\",\"at\":1,\"version\":\"\",\"events\":[]" TAIL,
    EVENTS("7"),
    EVENTS("{}"),
    EVENTS("{\"id\":\"x\",\"at\":1,\"kind\":\"limit-alert\"}"),
    EVENTS("{\"id\":\"" ID("002") "\",\"at\":1}"),
    EVENTS("{\"id\":\"" ID("002") "\",\"at\":1,\"kind\":\"party\"}"),
    EVENTS("{\"id\":\"" ID("002") "\",\"at\":1,\"kind\":\"grant-used\",\"grant_id\":\"x\"}"),
    EVENTS("{\"id\":\"" ID("002") "\",\"at\":\"1\",\"kind\":\"target-up\"}"),
    EVENTS("{\"id\":\"" ID("002") "\",\"at\":1,\"kind\":\"target-up\",\"api_id\":\"x\"}"),
    EVENTS("{\"id\":\"" ID("002") "\",\"at\":1,\"kind\":\"target-up\",\"reason\":\"a\\nb\"}"),
    EVENTS("{\"id\":\"" ID("002") "\",\"at\":1,\"kind\":\"target-up\",\"count\":-1}"),
    EVENTS("{\"id\":\"" ID("002") "\",\"at\":1,\"kind\":\"target-up\",\"colour\":\"red\"}"),
    EVENTS(EVENT ",{\"id\":\"" ID("002") "\"}"), /* the first of them is not kept either */
    "{" HEAD ",\"events\":[],\"limits\":[{}],\"targets\":[],\"keys\":[]}",
    "{" HEAD ",\"events\":[],\"limits\":[{\"limit_id\":\"" ID(
        "003") "\",\"key\":7,\"used\":1,\"remaining\":1,\"reset_s\":1}],\"targets\":[],\"keys\":[]"
               "}",
    "{" HEAD ",\"events\":[],\"limits\":[{\"limit_id\":\"" ID(
        "003") "\",\"key\":{\"x\":1},\"used\":1,\"remaining\":1,\"reset_s\":1}],\"targets\":[],"
               "\"keys\":[]}",
    "{" HEAD
    ",\"events\":[],\"limits\":[],\"targets\":[{\"api_id\":\"" ID("003") "\"}],\"keys\":[]}",
    "{" HEAD ",\"events\":[],\"limits\":[],\"targets\":[],\"keys\":[7]}",
    "{" HEAD ",\"events\":[],\"limits\":[],\"targets\":[],\"keys\":[{\"kty\":\"EC\"}]}",
    "{" HEAD ",\"events\":[],\"limits\":[],\"targets\":[],\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\","
    "\"use\":\"sig\"}]}",
    "{" HEAD ",\"events\":[[[[[[[[[1]]]]]]]]]" TAIL,
};

static void refuses(void **state)
{
    (void)state;
    size_t accepted = 99;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        if (take(malformed[i], &accepted) != PROBLEM_BODY_MALFORMED) {
            fail_msg("taken: %s", malformed[i]);
        }
    }
    struct buf big;
    buf_init(&big);
    buf_adds(&big, "{" HEAD ",\"events\":[");
    for (int i = 0; i <= REPORTS_EVENTS_MAX; i++) {
        buf_addf(&big,
                 "%s{\"id\":\"01a20106-0dc8-7e83-8236-%012d\",\"at\":1,\"kind\":\"target-up\"}",
                 i ? "," : "", i);
    }
    buf_adds(&big, "]" TAIL);
    buf_addc(&big, '\0');
    assert_int_equal(take(big.p, &accepted), PROBLEM_BODY_MALFORMED);
    buf_clear(&big);
    for (unsigned i = 0; i <= REPORTS_BODY_MAX; i++) {
        buf_addc(&big, ' ');
    }
    buf_addc(&big, '\0');
    assert_int_equal(take(big.p, &accepted), PROBLEM_BODY_TOO_LARGE);
    buf_fini(&big);
    assert_int_equal(accepted, 99);
    assert_int_equal(alerts(), 0);
    assert_int_equal(live(ADMIN, "live/nodes"), 0);
}

static void kept_once(void **state)
{
    (void)state;
    size_t accepted = 0;
    const char *body = text(
        EVENTS("{\"id\":\"" ID(
            "010") "\",\"at\":1790000000123,\"kind\":\"impersonation\","
                   "\"app_id\":\"%s\",\"api_id\":\"%s\",\"address\":\"192.0.2.1\",\"count\":7,"
                   "\"owner\":null,\"reason\":\"another app's key\"},"
                   "{\"id\":\"" ID("011") "\",\"at\":1790000000124,\"kind\":\"breaker-closed\"}"),
        app, api);
    assert_int_equal(take(body, &accepted), PROBLEM_OK);
    assert_int_equal(accepted, 2);
    assert_int_equal(take(body, &accepted), PROBLEM_OK);
    assert_int_equal(accepted, 2);
    fixture_reopen(&f);
    assert_int_equal(take(body, &accepted), PROBLEM_OK);
    assert_int_equal(alerts(), 2);
    struct reply r = fixture_call(&f, AUDITOR, "GET", "alerts/" ID("010"), NULL, NULL);
    assert_string_equal(row_text(r.json, "state"), "open");
    assert_string_equal(row_text(r.json, "at"), "2026-09-21T14:13:20.123Z");
    assert_string_equal(row_text(r.json, "node"), "gw-1");
    assert_string_equal(row_text(r.json, "address"), "192.0.2.1");
    assert_int_equal(json_integer_value(json_object_get(r.json, "count")), 7);
    reply_free(&r);
    assert_string_equal(fixture_ok(&f, ADMIN, "GET", "alerts/" ID("011"), NULL, "state"), "closed");
    fixture_refused(&f, DEVELOPER, "GET", "alerts", NULL, NULL, "not-permitted");
    fixture_ok(&f, PROVIDER, "GET", "alerts/" ID("010"), NULL, NULL);
    fixture_refused(&f, PROVIDER, "GET", "alerts/" ID("011"), NULL, NULL, "not-found");
    fixture_refused(&f, ADMIN, "POST", "alerts", NULL, "{\"kind\":\"limit-alert\"}",
                    "not-permitted");
    fixture_refused(&f, ADMIN, "PATCH", "alerts/" ID("010"), "auto", "{\"kind\":\"target-up\"}",
                    "not-permitted");
}

static void *send_again(void *body)
{
    for (int i = 0; i < 20; i++) {
        size_t accepted;
        if (take(body, &accepted) != PROBLEM_OK) {
            return body;
        }
    }
    return NULL;
}

static void kept_once_from_many(void **state)
{
    (void)state;
    pthread_t threads[4];
    void *failed = NULL;
    int64_t before = alerts();
    char body[4096];
    snprintf(body, sizeof body, "%s",
             EVENTS("{\"id\":\"" ID("020") "\",\"at\":1,\"kind\":\"target-down\"},{\"id\":\"" ID(
                 "021") "\",\"at\":1,\"kind\":\"redis-lost\"}"));
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, send_again, body), 0);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(alerts(), before + 2);
}

static void handled(void **state)
{
    (void)state;
    fixture_refused(&f, PROVIDER, "POST", "alerts/" ID("010") "/acknowledge", "auto",
                    "{\"comment\":\"x\"}", "not-permitted");
    fixture_refused(&f, OPERATOR, "POST", "alerts/" ID("010") "/acknowledge", "auto", NULL,
                    "body-malformed");
    fixture_ok(&f, OPERATOR, "POST", "alerts/" ID("010") "/acknowledge",
               "{\"comment\":\"called the party\"}", NULL);
    assert_string_equal(fixture_ok(&f, ADMIN, "GET", "alerts/" ID("010"), NULL, "handled_by"),
                        "operator");
    fixture_refused(&f, OPERATOR, "POST", "alerts/" ID("010") "/acknowledge", "auto",
                    "{\"comment\":\"again\"}", "state-conflict");
    fixture_ok(&f, OPERATOR, "POST", "alerts/" ID("010") "/close", NULL, NULL);
}

#define RATE "\"measure\":\"rate\",\"amount\":3,\"window_ms\":1000,\"action\":\"reject\""
static void limited_from_an_alert(void **state)
{
    (void)state;
    static const char where[] = "alerts/" ID("010") "/limit";
    static const char *const bad[] = {
        "{" RATE "}",
        "{" RATE ",\"expires_at\":null}",
        "{" RATE ",\"expires_at\":\"2001-01-01T00:00:00Z\"}",
        "{" RATE ",\"expires_at\":\"2037-01-01T00:00:00Z\",\"app_id\":\"x\"}",
        "{" RATE ",\"expires_at\":\"2037-01-01T00:00:00Z\",\"alert_id\":\"x\"}",
        "{\"measure\":\"rate\",\"action\":\"reject\",\"expires_at\":\"2037-01-01T00:00:00Z\"}",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        fixture_refused(&f, OPERATOR, "POST", where, NULL, bad[i], "field-invalid");
    }
    static const char good[] = "{" RATE ",\"expires_at\":\"2037-01-01T00:00:00Z\"}";
    fixture_refused(&f, PROVIDER, "POST", where, NULL, good, "not-permitted");
    fixture_refused(&f, OPERATOR, "POST", "alerts/" ID("099") "/limit", NULL, good, "not-found");
    fixture_refused(&f, OPERATOR, "POST", "alerts/x/limit", NULL, good, "not-found");
    fixture_refused(&f, OPERATOR, "POST", "alerts/" ID("011") "/limit", NULL, good,
                    "state-conflict"); /* names neither app nor API */
    struct reply r = fixture_call(&f, OPERATOR, "POST", where, NULL, good);
    assert_int_equal(r.status, 201);
    assert_string_equal(row_text(r.json, "app_id"), app);
    assert_string_equal(row_text(r.json, "api_id"), api);
    assert_string_equal(row_text(r.json, "per"), "app-api");
    assert_string_equal(row_text(r.json, "alert_id"), ID("010"));
    assert_string_equal(row_text(r.json, "state"), "active");
    const char *id = text("%s", row_text(r.json, "id"));
    reply_free(&r);
    r = fixture_call(&f, ADMIN, "GET", text("operations?resource_id=%s", id), NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(r.json, "total")), 1);
    reply_free(&r);
}

static void live_views(void **state)
{
    (void)state;
    size_t accepted;
    static const char body[] =
        "{\"node\":\"%s\",\"at\":1790000000000,\"version\":\"0.1.0\",\"events\":[],\"limits\":["
        "{\"limit_id\":\"" ID(
            "050") "\",\"key\":{\"app_id\":\"%s\",\"api_id\":\"%s\"},\"used\":5,"
                   "\"remaining\":0,\"reset_s\":3,\"suspended_until\":1790000005000},"
                   "{\"limit_id\":\"" ID(
                       "051") "\",\"key\":{},\"used\":1,\"remaining\":9,\"reset_s\":3}],"
                              "\"targets\":[{\"api_id\":\"%s\",\"target\":\"10.0.0.7:80\",\"role\":"
                              "\"primary\","
                              "\"breaker\":\"open\",\"health\":\"down\",\"in_flight\":0,\"calls\":"
                              "9,\"failures\":5,"
                              "\"since\":1790000000000},{\"api_id\":\"%s\",\"target\":\"10.0.0.8:"
                              "80\",\"role\":"
                              "\"canary\",\"breaker\":\"closed\",\"health\":\"up\",\"in_flight\":1,"
                              "\"calls\":9,"
                              "\"failures\":0,\"since\":1790000000000}],\"keys\":[]}";
    assert_int_equal(take(text(body, "gw-1", app, api, api, foreign), &accepted), PROBLEM_OK);
    assert_int_equal(take(text(body, "gw-2", app, api, api, foreign), &accepted), PROBLEM_OK);
    assert_int_equal(take(text(body, "gw-2", app, api, api, foreign), &accepted), PROBLEM_OK);
    assert_int_equal(live(ADMIN, "live/nodes"), 2);
    assert_int_equal(live(AUDITOR, "live/limits"), 4);
    assert_int_equal(live(OPERATOR, "live/targets?node=gw-2"), 2);
    assert_int_equal(live(OPERATOR, text("live/limits?app_id=%s", app)), 2);
    assert_int_equal(live(OPERATOR, text("live/targets?api_id=%s&node=gw-1", foreign)), 1);
    assert_int_equal(live(PROVIDER, "live/targets"), 2); /* its own API, on both nodes */
    assert_int_equal(live(PROVIDER, "live/limits"), 2);
    fixture_refused(&f, PROVIDER, "GET", "live/nodes", NULL, NULL, "not-permitted");
    fixture_refused(&f, DEVELOPER, "GET", "live/limits", NULL, NULL, "not-permitted");
    fixture_refused(&f, OWNER, "GET", "live/targets", NULL, NULL, "not-permitted");
    fixture_refused(&f, NOBODY, "GET", "live/targets", NULL, NULL, "not-signed-in");
    fixture_refused(&f, ADMIN, "GET", "live/targets?colour=red", NULL, NULL, "query-malformed");
    struct reply r = fixture_call(&f, ADMIN, "GET", "live/nodes", NULL, NULL);
    assert_true(json_is_true(
        json_object_get(json_array_get(json_object_get(r.json, "items"), 0), "alive")));
    reply_free(&r);
    /* names without end do not fill the memory */
    for (int i = 0; i < REPORTS_NODES_MAX + 10; i++) {
        assert_int_equal(
            take(text("{\"node\":\"n%d\",\"at\":1,\"version\":\"\",\"events\":[]" TAIL, i),
                 &accepted),
            PROBLEM_OK);
    }
    assert_int_equal(live(ADMIN, "live/nodes"), REPORTS_NODES_MAX);
}

/* A key as a node tells it. */
static const char *jwk(const struct crypto_key *key, const char *use)
{
    char *own = crypto_key_jwk(key);
    const char *out = text("%.*s,\"use\":\"%s\"}", (int)strlen(own) - 1, own, use);
    free(own);
    return out;
}

static size_t keys_shown(void)
{
    struct reply r = fixture_call(&f, NOBODY, "GET", "keys", NULL, NULL);
    assert_int_equal(r.status, 200);
    size_t n = json_array_size(json_object_get(r.json, "keys"));
    reply_free(&r);
    return n;
}

static void node_keys(void **state)
{
    (void)state;
    size_t accepted;
    struct crypto_key *first = crypto_key_new(CRYPTO_KEY_SM2),
                      *next = crypto_key_new(CRYPTO_KEY_SM2),
                      *seal = crypto_key_new(CRYPTO_KEY_P256);
    static const char body[] = "{\"node\":\"gw-k\",\"at\":1,\"version\":\"\",\"events\":[],"
                               "\"limits\":[],\"targets\":[],\"keys\":[%s]}";
    assert_int_equal(keys_shown(), 0);
    assert_int_equal(
        take(text(body, text("%s,%s", jwk(first, "sig"), jwk(seal, "enc"))), &accepted),
        PROBLEM_OK);
    assert_int_equal(keys_shown(), 2);
    fixture_reopen(&f);
    assert_int_equal(keys_shown(), 2);
    /* What signed answers still verifies them; what no longer opens bodies is not offered. */
    assert_int_equal(take(text(body, jwk(next, "sig")), &accepted), PROBLEM_OK);
    assert_int_equal(keys_shown(), 2);
    char *private = crypto_key_private_pem(first);
    assert_non_null(private);
    crypto_wipe(private, strlen(private));
    free(private);
    const char *secret = jwk(first, "sig");
    assert_int_equal(
        take(text(body, text("%.*s,\"d\":\"AAAA\"}", (int)strlen(secret) - 1, secret)), &accepted),
        PROBLEM_BODY_MALFORMED);
    assert_int_equal(take(text(body, jwk(next, "both")), &accepted), PROBLEM_BODY_MALFORMED);
    crypto_key_free(&first);
    crypto_key_free(&next);
    crypto_key_free(&seal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"reports that are wrong are refused whole", refuses, NULL, NULL, NULL},
        {"[BK-10.1.2a2-2] an event is kept once, over restarts, and shown", kept_once, NULL, NULL,
         NULL},
        {"an event sent by many at once is kept once", kept_once_from_many, NULL, NULL, NULL},
        {"[BK-10.2.1b3] a limit from an alert: for its app and API, and it ends",
         limited_from_an_alert, NULL, NULL, NULL},
        {"an alert is acknowledged and closed", handled, NULL, NULL, NULL},
        {"the last view of each node, by who may see it", live_views, NULL, NULL, NULL},
        {"the keys of nodes are open to all and outlive them", node_keys, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
