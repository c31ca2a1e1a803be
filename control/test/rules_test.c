/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, lists, trusts, algorithms and what is attached to an API; and what nodes report. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "crypto/key.h"
#include "feed/reports.h"
#include "test/fixture.h"

static struct fixture f;
static char app[40], api[40];

#define EVENT "01a20106-0dc8-7e83-8236-6981d4646"

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
    snprintf(api, sizeof api, "%s",
             fixture_ok(&f, PROVIDER, "POST", "apis",
                        "{\"name\":\"a\",\"version\":\"v1\",\"path\":\"/a/v1\",\"kind\":\"http\","
                        "\"upstream\":\"http://127.0.0.1:9\",\"fields\":[{\"path\":\"a\",\"level\":"
                        "1,\"type\":\"scalar\"}]}",
                        "id"));
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", api), NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static bool is_fed(const char *kind, const char *id)
{
    json_t *data = fixture_fed(&f, kind, id);
    bool there = data != NULL;
    json_decref(data);
    return there;
}

struct row {
    const char *body, *where;
};

static void refuse_all(enum who who, const char *plural, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct reply r = fixture_call(&f, who, "POST", plural, NULL, rows[i].body);
        if (r.status != 422 || strcmp(row_text(r.json, "where"), rows[i].where) != 0) {
            fail_msg("%s: %u %s at %s: %s", rows[i].body, r.status, r.code,
                     row_text(r.json, "where"), row_text(r.json, "detail"));
        }
        reply_free(&r);
    }
}

#define RATE "\"per\":\"app\",\"measure\":\"rate\",\"amount\":5,\"window_ms\":1000"
static const struct row wrong_limits[] = {
    {"{" RATE "}", "/action"},
    {"{\"per\":\"moon\",\"measure\":\"rows\",\"amount\":5,\"action\":\"alert\"}", "/per"},
    {"{\"per\":\"app\",\"measure\":\"luck\",\"amount\":5,\"action\":\"alert\"}", "/measure"},
    {"{\"per\":\"app\",\"measure\":\"rows\",\"amount\":0,\"action\":\"alert\"}", "/amount"},
    {"{\"per\":\"app\",\"measure\":\"rows\",\"amount\":1.5,\"action\":\"alert\"}", "/amount"},
    {"{\"per\":\"app\",\"measure\":\"rows\",\"amount\":9007199254740993,\"action\":\"alert\"}",
     "/amount"},
    {"{\"per\":\"app\",\"measure\":\"rate\",\"amount\":5,\"action\":\"alert\"}", "/window_ms"},
    {"{\"per\":\"app\",\"measure\":\"refused\",\"amount\":5,\"action\":\"alert\"}", "/window_ms"},
    {"{\"per\":\"app\",\"measure\":\"rows\",\"amount\":5,\"window_ms\":1000,\"action\":\"alert\"}",
     "/window_ms"},
    {"{\"per\":\"app\",\"measure\":\"rate\",\"amount\":5,\"window_ms\":999,\"action\":\"alert\"}",
     "/window_ms"},
    {"{\"per\":\"app\",\"measure\":\"rate\",\"amount\":5,\"window_ms\":86400001,\"action\":"
     "\"alert\"}",
     "/window_ms"},
    {"{" RATE ",\"action\":\"suspend\",\"suspend_s\":2678401}", "/suspend_s"},
    {"{\"per\":\"app\",\"measure\":\"rate\",\"amount\":1000000001,\"window_ms\":1000,\"action\":"
     "\"alert\"}",
     "/amount"},
    {"{" RATE ",\"action\":\"shout\"}", "/action"},
    {"{" RATE ",\"action\":\"suspend\"}", "/suspend_s"},
    {"{" RATE ",\"action\":\"reject\",\"suspend_s\":5}", "/suspend_s"},
    {"{" RATE ",\"action\":\"reject\",\"released_at\":\"2030-01-01T00:00:00Z\"}", "/released_at"},
    {"{" RATE ",\"action\":\"reject\",\"app_id\":\"00000000-0000-0000-0000-000000000001\"}",
     "/app_id"},
    {"{" RATE ",\"action\":\"reject\",\"not_before\":\"2031-01-01T00:00:00Z\",\"expires_at\":"
     "\"2030-01-01T00:00:00Z\"}",
     "/expires_at"},
    {"{" RATE ",\"action\":\"reject\",\"alert_id\":\"x\"}", "/alert_id"},
};

static void limits(void **state)
{
    (void)state;
    refuse_all(OPERATOR, "limits", wrong_limits, COUNT(wrong_limits));
    fixture_refused(&f, PROVIDER, "POST", "limits", NULL, "{" RATE ",\"action\":\"reject\"}",
                    "not-permitted");
    const char *id = fixture_ok(
        &f, OPERATOR, "POST", "limits",
        text("{" RATE
             ",\"action\":\"suspend\",\"suspend_s\":60,\"app_id\":\"%s\",\"reason\":\"r\"}",
             app),
        "id");
    json_t *data = fixture_fed(&f, "limit", id);
    assert_string_equal(row_text(data, "state"), "active");
    assert_string_equal(row_text(data, "app_id"), app);
    assert_int_equal(json_integer_value(json_object_get(data, "suspend_s")), 60);
    assert_null(json_object_get(data, "api_id"));
    assert_null(json_object_get(data, "released_at"));
    assert_null(json_object_get(data, "reason"));
    json_decref(data);
    fixture_ok(&f, DEVELOPER, "GET", text("limits/%s", id), NULL, NULL);
    fixture_refused(&f, STRANGER, "GET", text("limits/%s", id), NULL, NULL, "not-found");
    fixture_refused(&f, DEVELOPER, "POST", text("limits/%s/release", id), "auto", NULL,
                    "not-permitted");
    fixture_ok(&f, OPERATOR, "POST", text("limits/%s/release", id), NULL, NULL);
    data = fixture_fed(&f, "limit", id);
    assert_true(json_integer_value(json_object_get(data, "released_at")) > 0);
    assert_string_equal(row_text(data, "state"), "active");
    json_decref(data);
    fixture_ok(&f, OPERATOR, "POST", text("limits/%s/disable", id), NULL, NULL);
    data = fixture_fed(&f, "limit", id);
    assert_string_equal(row_text(data, "state"), "inactive");
    json_decref(data);
    fixture_refused(&f, OPERATOR, "POST", text("limits/%s/release", id), "auto", NULL,
                    "state-conflict");
    fixture_ok(&f, OPERATOR, "POST", text("limits/%s/remove", id), NULL, NULL);
    assert_false(is_fed("limit", id));
    fixture_refused(&f, OPERATOR, "PATCH", text("limits/%s", id), "auto", "{\"amount\":9}",
                    "state-conflict");
}

#define ADDRESS(a)                                                                                 \
    "{\"list\":\"block\",\"subject\":\"address\",\"value\":\"" a "\",\"reason\":\"r\"}"
static const struct row wrong_lists[] = {
    {"{\"list\":\"block\",\"subject\":\"user\",\"value\":\"M1\"}", "/reason"},
    {"{\"list\":\"block\",\"subject\":\"user\",\"value\":\"M1\",\"reason\":\"\"}", "/reason"},
    {"{\"list\":\"grey\",\"subject\":\"user\",\"value\":\"M1\",\"reason\":\"r\"}", "/list"},
    {"{\"list\":\"block\",\"subject\":\"planet\",\"value\":\"M1\",\"reason\":\"r\"}", "/subject"},
    {"{\"list\":\"block\",\"subject\":\"app\",\"value\":\"M1\",\"reason\":\"r\"}", "/value"},
    {"{\"list\":\"block\",\"subject\":\"app\",\"value\":\"00000000-0000-0000-0000-000000000001\","
     "\"reason\":\"r\"}",
     "/value"},
    {"{\"list\":\"block\",\"subject\":\"organisation\",\"value\":\"x\",\"reason\":\"r\"}",
     "/value"},
    {"{\"list\":\"block\",\"subject\":\"user\",\"value\":\"M1\",\"reason\":\"r\",\"added_by\":"
     "\"me\"}",
     "/added_by"},
    {ADDRESS("x"), "/value"},
    {ADDRESS("1.2.3"), "/value"},
    {ADDRESS("1.2.3.4/33"), "/value"},
    {ADDRESS("1.2.3.4/"), "/value"},
    {ADDRESS("1.2.3.4/-1"), "/value"},
    {ADDRESS("1.2.3.4/8x"), "/value"},
    {ADDRESS("1.2.3.4/ 8"), "/value"},
    {ADDRESS("2001:db8::/129"), "/value"},
    {ADDRESS("2001:db8::1::2"), "/value"},
    {ADDRESS("1.2.3.4,5.6.7.8"), "/value"},
};
static const struct {
    const char *given, *kept;
} networks[] = {
    {"192.0.2.7", "192.0.2.7"},
    {"192.0.2.7/32", "192.0.2.7"},
    {"192.0.2.7/24", "192.0.2.0/24"},
    {"192.0.2.7/0", "0.0.0.0/0"},
    {"10.255.1.1/9", "10.128.0.0/9"},
    {"2001:DB8::1", "2001:db8::1"},
    {"2001:db8::ff/112", "2001:db8::/112"},
    {"::1/128", "::1"},
};

static void lists(void **state)
{
    (void)state;
    refuse_all(OPERATOR, "lists", wrong_lists, COUNT(wrong_lists));
    for (size_t i = 0; i < COUNT(networks); i++) {
        assert_string_equal(
            fixture_ok(&f, OPERATOR, "POST", "lists",
                       text("{\"list\":\"allow\",\"subject\":\"address\",\"value\":\"%s\","
                            "\"reason\":\"r\",\"app_id\":\"%s\"}",
                            networks[i].given, app),
                       "value"),
            networks[i].kept);
    }
    const char *body = text("{\"list\":\"block\",\"subject\":\"organisation\",\"value\":\"%s\","
                            "\"reason\":\"挪用数据\"}",
                            f.third);
    fixture_refused(&f, DEVELOPER, "POST", "lists", NULL, body, "not-permitted");
    fixture_refused(&f, DEVELOPER, "GET", "lists", NULL, NULL, "not-permitted");
    const char *id = fixture_ok(&f, OPERATOR, "POST", "lists", body, "id");
    json_t *data = fixture_fed(&f, "list", id);
    assert_string_equal(row_text(data, "subject"), "organisation");
    assert_string_equal(row_text(data, "value"), f.third);
    assert_null(json_object_get(data, "reason"));
    json_decref(data);
    assert_string_equal(fixture_ok(&f, AUDITOR, "GET", text("lists/%s", id), NULL, "added_by"),
                        "operator");
    fixture_refused(&f, OPERATOR, "PATCH", text("lists/%s", id), "auto",
                    "{\"expires_at\":\"2037-01-01T00:00:00Z\"}", "field-invalid");
    fixture_ok(&f, ADMIN, "PATCH", text("lists/%s", id),
               "{\"expires_at\":\"2037-01-01T00:00:00Z\",\"reason\":\"until the audit is done\"}",
               NULL);
    fixture_refused(&f, OPERATOR, "POST", text("lists/%s/lift", id), "auto", NULL,
                    "body-malformed");
    fixture_ok(&f, OPERATOR, "POST", text("lists/%s/lift", id), "{\"comment\":\"cleared\"}", NULL);
    assert_false(is_fed("list", id));
    fixture_refused(&f, OPERATOR, "POST", text("lists/%s/lift", id), "auto",
                    "{\"comment\":\"again\"}", "state-conflict");
    /* who, when and why are in the operations log: adding, changing, lifting */
    struct reply r =
        fixture_call(&f, AUDITOR, "GET", text("operations?resource_id=%s", id), NULL, NULL);
    json_t *items = json_object_get(r.json, "items");
    assert_int_equal(json_array_size(items), 3);
    assert_string_equal(row_text(json_array_get(items, 0), "action"), "lift");
    assert_string_equal(row_text(json_array_get(items, 1), "actor"), "admin");
    assert_string_equal(row_text(json_object_get(json_array_get(items, 2), "after"), "reason"),
                        "挪用数据");
    reply_free(&r);
}

static void trusts(void **state)
{
    (void)state;
    const char *ca = fixture_pem(&f, "ca.crt");
    const struct row rows[] = {
        {"{\"name\":\"n\"}", "/certificate"},
        {"{\"name\":\"n\",\"certificate\":\"hello\"}", "/certificate"},
        {text("{\"name\":\"n\",\"certificate\":%s}", fixture_pem(&f, "control.crt")),
         "/certificate"},
        {text("{\"name\":\"n\",\"certificate\":%s}", fixture_pem(&f, "ca.key")), "/certificate"},
        {text("{\"name\":\"n\",\"certificate\":%s,\"crl_required\":true}", ca), "/crl"},
        {text("{\"name\":\"n\",\"certificate\":%s,\"crl\":\"!\"}", ca), "/crl"},
        {text("{\"name\":\"n\",\"certificate\":%s,\"crl\":\"AAAA\"}", ca), "/crl"},
        {text("{\"name\":\"n\",\"certificate\":%s,\"crl\":%s}", ca, ca), "/crl"},
        {text("{\"name\":\"n\",\"certificate\":%s,\"ocsp\":\"ldap://x\"}", ca), "/ocsp"},
    };
    refuse_all(OPERATOR, "trusts", rows, COUNT(rows));
    const char *body = text("{\"name\":\"n\",\"certificate\":%s,\"ocsp\":\"http://ocsp.x/\"}", ca);
    fixture_refused(&f, DEVELOPER, "POST", "trusts", NULL, body, "not-permitted");
    const char *id = fixture_ok(&f, OPERATOR, "POST", "trusts", body, "id");
    fixture_refused(&f, OPERATOR, "POST", "trusts", NULL, body, "already-exists");
    json_t *data = fixture_fed(&f, "trust", id);
    assert_true(json_is_false(json_object_get(data, "crl_required")));
    assert_non_null(strstr(row_text(data, "certificate"), "BEGIN CERTIFICATE"));
    assert_string_equal(row_text(data, "ocsp"), "http://ocsp.x/");
    json_decref(data);
    fixture_ok(&f, OPERATOR, "POST", text("trusts/%s/disable", id), NULL, NULL);
    assert_false(is_fed("trust", id));
    fixture_ok(&f, OPERATOR, "POST", text("trusts/%s/enable", id), NULL, NULL);
    assert_true(is_fed("trust", id));
    fixture_ok(&f, OPERATOR, "POST", text("trusts/%s/remove", id), NULL, NULL);
    fixture_ok(&f, OPERATOR, "POST", "trusts", body, NULL);
}

static const char *algorithm(const char *name)
{
    struct reply r = fixture_call(&f, ADMIN, "GET", text("algorithms?name=%s", name), NULL, NULL);
    const char *id =
        text("%s", row_text(json_array_get(json_object_get(r.json, "items"), 0), "id"));
    reply_free(&r);
    return id;
}

static void algorithms(void **state)
{
    (void)state;
    const char *sm3 = algorithm("hmac-sm3"), *sha = algorithm("hmac-sha256");
    assert_true(is_fed("algorithm", sm3));
    fixture_refused(&f, OPERATOR, "PATCH", text("algorithms/%s", sm3), "auto",
                    "{\"status\":\"disabled\"}", "not-permitted");
    fixture_refused(&f, ADMIN, "POST", "algorithms", NULL, "{\"name\":\"rot13\"}", "not-permitted");
    fixture_refused(&f, ADMIN, "PATCH", text("algorithms/%s", sm3), "auto",
                    "{\"name\":\"hmac-md5\"}", "field-invalid");
    fixture_refused(&f, ADMIN, "PATCH", text("algorithms/%s", sm3), "auto",
                    "{\"status\":\"broken\"}", "field-invalid");
    fixture_ok(&f, ADMIN, "PATCH", text("algorithms/%s", sha), "{\"status\":\"disabled\"}", NULL);
    json_t *data = fixture_fed(&f, "algorithm", sha);
    assert_string_equal(row_text(data, "status"), "disabled");
    assert_string_equal(row_text(data, "name"), "hmac-sha256");
    json_decref(data);
    fixture_refused(&f, DEVELOPER, "POST", "credentials", NULL,
                    text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sha256\"}", app),
                    "field-invalid");
    fixture_refused(&f, ADMIN, "PATCH", text("algorithms/%s", sm3), "auto",
                    "{\"status\":\"disabled\"}", "state-conflict");
    fixture_refused(&f, ADMIN, "PATCH", text("algorithms/%s", sm3), "auto",
                    "{\"sunset_at\":\"2037-01-01T00:00:00Z\"}", "state-conflict");
    fixture_ok(&f, ADMIN, "PATCH", text("algorithms/%s", sm3), "{\"status\":\"deprecated\"}", NULL);
    fixture_ok(&f, ADMIN, "PATCH", text("algorithms/%s", sha), "{\"status\":\"enabled\"}", NULL);
    /* A restart keeps what was decided. */
    fixture_ok(&f, ADMIN, "PATCH", text("algorithms/%s", sm3),
               "{\"status\":\"disabled\",\"sunset_at\":null}", NULL);
    fixture_reopen(&f);
    assert_string_equal(fixture_ok(&f, ADMIN, "GET", text("algorithms/%s", sm3), NULL, "status"),
                        "disabled");
    fixture_ok(&f, ADMIN, "PATCH", text("algorithms/%s", sm3), "{\"status\":\"enabled\"}", NULL);
}

#define OPENAPI                                                                                    \
    "{\"openapi\":\"3.1.0\",\"paths\":{\"/\":{\"get\":{\"responses\":{\"200\":{\"description\":"   \
    "\"ok\"}}}}}}"

static void attachments(void **state)
{
    (void)state;
    char id[40];
    const struct row schemas[] = {
        {text("{\"api_id\":\"%s\"}", api), "/openapi"},
        {text("{\"api_id\":\"%s\",\"openapi\":7}", api), "/openapi"},
        {text("{\"api_id\":\"%s\",\"openapi\":{\"openapi\":\"3.1.0\"}}", api), "/openapi"},
        {"{\"api_id\":\"00000000-0000-0000-0000-000000000001\",\"openapi\":" OPENAPI "}",
         "/api_id"},
    };
    for (size_t i = 0; i < COUNT(schemas); i++) {
        fixture_refused(&f, PROVIDER, "POST", "schemas", NULL, schemas[i].body, "field-invalid");
    }
    json_t *data = fixture_fed(&f, "api", api);
    assert_null(json_object_get(data, "has_schema"));
    json_decref(data);
    const char *body = text("{\"api_id\":\"%s\",\"openapi\":" OPENAPI "}", api);
    fixture_refused(&f, DEVELOPER, "POST", "schemas", NULL, body, "not-permitted");
    snprintf(id, sizeof id, "%s", fixture_ok(&f, PROVIDER, "POST", "schemas", body, "id"));
    fixture_refused(&f, PROVIDER, "POST", "schemas", NULL, body, "already-exists");
    data = fixture_fed(&f, "api", api);
    assert_true(json_is_true(json_object_get(data, "has_schema")));
    json_decref(data);
    data = fixture_fed(&f, "schema", api); /* under the API's own id */
    assert_non_null(json_object_get(json_object_get(data, "openapi"), "paths"));
    json_decref(data);
    fixture_ok(&f, DEVELOPER, "GET", text("schemas/%s", id), NULL, NULL);
    fixture_ok(&f, PROVIDER, "POST", text("schemas/%s/remove", id), NULL, NULL);
    assert_false(is_fed("schema", api));
    data = fixture_fed(&f, "api", api);
    assert_null(json_object_get(data, "has_schema"));
    json_decref(data);
    fixture_ok(&f, PROVIDER, "POST", "schemas", body, NULL);
    const char *const conversions[] = {
        text("{\"api_id\":\"%s\"}", api),
        text("{\"api_id\":\"%s\",\"definition\":{}}", api),
        text("{\"api_id\":\"%s\",\"definition\":[]}", api),
        text("{\"api_id\":\"%s\",\"wsdl\":\"<x/>\"}", api),
        text("{\"api_id\":\"%s\",\"wsdl\":\"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>\"}", api),
        text("{\"api_id\":\"%s\",\"wsdl\":\"<x/>\",\"definition\":{}}", api),
        text("{\"api_id\":\"%s\",\"get_operations\":[\"a\"]}", api),
    };
    for (size_t i = 0; i < COUNT(conversions); i++) {
        fixture_refused(&f, PROVIDER, "POST", "conversions", NULL, conversions[i], "field-invalid");
    }
}

/* What a SOAP service says of itself is all its REST face needs. */
static void conversion_from_wsdl(void **state)
{
    (void)state;
    static char wsdl[65536];
    FILE *file = fopen(CUSTOMS_WSDL, "rb");
    assert_non_null(file);
    assert_true(fread(wsdl, 1, sizeof wsdl - 1, file) > 0);
    fclose(file);
    json_t *body = json_pack("{s:s, s:s}", "api_id", api, "wsdl", wsdl);
    char *dump = json_dumps(body, 0);
    const char *id = fixture_ok(&f, PROVIDER, "POST", "conversions", dump, "id");
    json_t *data = fixture_fed(&f, "conversion", api), *entry = fixture_fed(&f, "api", api);
    assert_true(json_is_object(json_object_get(data, "definition")));
    assert_true(json_is_true(json_object_get(entry, "has_conversion")));
    /* the definition, and not the text it came from, is what is kept */
    struct reply r = fixture_call(&f, PROVIDER, "GET", text("conversions/%s", id), NULL, NULL);
    assert_null(json_object_get(r.json, "wsdl"));
    assert_true(
        json_equal(json_object_get(r.json, "definition"), json_object_get(data, "definition")));
    reply_free(&r);
    fixture_refused(&f, DEVELOPER, "GET", text("conversions/%s", id), NULL, NULL, "not-permitted");
    fixture_refused(&f, PROVIDER, "PATCH", text("conversions/%s", id), "auto",
                    "{\"definition\":null}", "field-invalid");
    fixture_ok(&f, PROVIDER, "POST", text("conversions/%s/remove", id), NULL, NULL);
    json_decref(data);
    json_decref(entry);
    free(dump);
    json_decref(body);
}

static void compositions(void **state)
{
    (void)state;
    char id[40], graph[40];
    fixture_refused(&f, PROVIDER, "POST", "compositions", NULL,
                    text("{\"api_id\":\"%s\",\"graph\":{\"steps\":[{}]}}", api), "field-invalid");
    snprintf(id, sizeof id, "%s",
             fixture_ok(&f, PROVIDER, "POST", "apis",
                        "{\"name\":\"c\",\"version\":\"v1\",\"path\":\"/c\",\"kind\":\"composed\","
                        "\"fields\":[{\"path\":\"a\",\"level\":1,\"type\":\"scalar\"}]}",
                        "id"));
    fixture_refused(&f, PROVIDER, "POST", text("apis/%s/publish", id), "auto", NULL,
                    "state-conflict");
    static const char *const graphs[] = {
        "7", "{}", "{\"steps\":[]}", "{\"steps\":7}",
        "{\"steps\":[{\"name\":\"a\",\"api\":\"/x\",\"after\":[\"a\"]}],\"output\":{}}"};
    for (size_t i = 0; i < COUNT(graphs); i++) {
        fixture_refused(&f, PROVIDER, "POST", "compositions", NULL,
                        text("{\"api_id\":\"%s\",\"graph\":%s}", id, graphs[i]), "field-invalid");
    }
    struct buf big;
    buf_init(&big);
    buf_addf(&big, "{\"api_id\":\"%s\",\"graph\":{\"steps\":[{\"x\":\"", id);
    for (unsigned i = 0; i <= 256u << 10; i++) {
        buf_addc(&big, 'x');
    }
    buf_adds(&big, "\"}]}}");
    buf_addc(&big, '\0');
    fixture_refused(&f, PROVIDER, "POST", "compositions", NULL, big.p, "field-invalid");
    buf_fini(&big);
    snprintf(
        graph, sizeof graph, "%s",
        fixture_ok(&f, PROVIDER, "POST", "compositions",
                   text("{\"api_id\":\"%s\",\"graph\":{\"steps\":[{\"name\":\"a\",\"api\":\"/x\"}],"
                        "\"output\":{}}}",
                        id),
                   "id"));
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", id), NULL, NULL);
    json_t *data = fixture_fed(&f, "composition", id);
    assert_true(json_is_array(json_object_get(json_object_get(data, "graph"), "steps")));
    json_decref(data);
    fixture_refused(&f, PROVIDER, "POST", text("compositions/%s/remove", graph), "auto", NULL,
                    "state-conflict");
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/offline", id), NULL, NULL);
    fixture_ok(&f, PROVIDER, "POST", text("compositions/%s/remove", graph), NULL, NULL);
}

static void every_entry_is_readable(void **state)
{
    (void)state;
    fixture_feed_readable(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-10.1.2a1] limits: what they may be, released, disabled", limits, NULL, NULL, NULL},
        {"[BK-10.1.2a4] lists: each change with reason and operator", lists, NULL, NULL, NULL},
        {"the CAs whose certificates count", trusts, NULL, NULL, NULL},
        {"[BK-7.1a] the last usable algorithm of a purpose stays", algorithms, NULL, NULL, NULL},
        {"schemas and conversions are what their modules can enforce", attachments, NULL, NULL,
         NULL},
        {"a WSDL becomes a conversion", conversion_from_wsdl, NULL, NULL, NULL},
        {"a composed API has its graph", compositions, NULL, NULL, NULL},
        {"a node can read every entry there was", every_entry_is_readable, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
