/* SPDX-License-Identifier: Apache-2.0 */
/* The REST engine and every resource, most rows negative. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "test/fixture.h"

static struct fixture f;
static char app[40], source[40], dataset[40], api[40];

#define FIELDS(levels_of_phone)                                                                    \
    "[{\"column\":\"id\",\"name\":\"id\",\"type\":\"integer\",\"key\":true,\"level\":2},{"         \
    "\"column\":\"m\",\"name\":\"merchant\",\"level\":2},"                                         \
    "{\"column\":\"phone\",\"name\":\"phone\"," levels_of_phone                                    \
    "},{\"column\":\"card\",\"name\":\"card\",\"level\":4}]"
#define PHONE_OK FIELDS("\"level\":3,\"mask\":\"phone\"")

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    snprintf(app, sizeof app, "%s",
             fixture_ok(
                 &f, DEVELOPER, "POST", "apps",
                 text("{\"name\":\"erp\",\"organisation_id\":\"%s\",\"environment\":\"monitored\"}",
                      f.third),
                 "id"));
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/admit", app), NULL, NULL);
    snprintf(source, sizeof source, "%s",
             fixture_ok(&f, PROVIDER, "POST", "sources",
                        text("{\"name\":\"db\",\"organisation_id\":\"%s\",\"kind\":\"odbc\","
                             "\"connection\":\"Driver=x;PWD=hush-hush\"}",
                             f.holder),
                        "id"));
    snprintf(dataset, sizeof dataset, "%s",
             fixture_ok(&f, PROVIDER, "POST", "datasets",
                        text("{\"name\":\"orders\",\"source_id\":\"%s\",\"table\":\"orders\","
                             "\"owner_column\":\"m\",\"fields\":%s}",
                             source, PHONE_OK),
                        "id"));
    snprintf(api, sizeof api, "%s",
             fixture_ok(&f, PROVIDER, "POST", text("datasets/%s/publish", dataset),
                        "{\"name\":\"orders\",\"version\":\"v1\",\"path\":\"/trade/orders/v1\"}",
                        "id"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static const struct {
    const char *target, *body, *code;
} wrong_body_rows[] = {
    {"organisations", NULL, "body-malformed"},
    {"organisations", "", "body-malformed"},
    {"organisations", "[]", "body-malformed"},
    {"organisations", "\"x\"", "body-malformed"},
    {"organisations", "{\"name\":\"a\"", "body-malformed"},
    {"organisations", "{\"name\":\"a\",\"name\":\"b\",\"kind\":\"holder\"}", "body-malformed"},
    {"organisations", "{\"name\":\"\xff\xfe\",\"kind\":\"holder\"}", "body-malformed"},
    {"organisations", "{\"name\":\"\xed\xa0\x80\",\"kind\":\"holder\"}", "body-malformed"},
    {"organisations", "{\"name\":\"\\u0000\",\"kind\":\"holder\"}", "body-malformed"},
    {"organisations", "{\"contact\":[[[[[[[[[[1]]]]]]]]]]}", "body-malformed"},
    {"organisations", "{\"name\":\"\",\"kind\":\"holder\"}", "field-invalid"},
    {"organisations", "{\"name\":\"a\\nb\",\"kind\":\"holder\"}", "field-invalid"},
    {"organisations", "{\"name\":7,\"kind\":\"holder\"}", "field-invalid"},
    {"organisations", "{\"name\":null,\"kind\":\"holder\"}", "field-invalid"},
    {"organisations", "{\"name\":\"a\",\"kind\":\"king\"}", "field-invalid"},
    {"organisations", "{\"kind\":\"holder\"}", "field-invalid"},
    {"organisations", "{\"name\":\"a\",\"kind\":\"holder\",\"state\":\"active\"}", "field-invalid"},
    {"organisations", "{\"name\":\"a\",\"kind\":\"holder\",\"id\":\"x\"}", "field-invalid"},
    {"organisations", "{\"name\":\"a\",\"kind\":\"holder\",\"comment\":\"x\"}", "field-invalid"},
    {"organisations", "{\"name\":\"a\",\"kind\":\"holder\",\"uscc\":\"91350211M000100Y44\"}",
     "field-invalid"},
    {"organisations", "{\"name\":\"数据方\",\"kind\":\"holder\"}", "already-exists"},
    {"users", "{\"login\":\"a b\",\"role\":\"admin\",\"password\":\"long enough to do\"}",
     "field-invalid"},
    {"users", "{\"login\":\"x\",\"role\":\"king\",\"password\":\"long enough to do\"}",
     "field-invalid"},
    {"users", "{\"login\":\"x\",\"role\":\"admin\",\"password\":\"short\"}", "field-invalid"},
    {"users", "{\"login\":\"x\",\"role\":\"admin\",\"password\":\"十个汉字不够长的密码\"}",
     "field-invalid"},
    {"users", "{\"login\":\"longenoughlogin\",\"role\":\"admin\",\"password\":\"longenoughlogin\"}",
     "field-invalid"},
    {"users",
     "{\"login\":\"x\",\"role\":\"admin\",\"password_hash\":\"y\",\"password\":\"long enough "
     "to do\"}",
     "field-invalid"},
    {"users", "{\"login\":\"x\",\"role\":\"provider\",\"password\":\"long enough to do\"}",
     "field-invalid"},
    {"users", "{\"login\":\"x\",\"role\":\"owner\",\"password\":\"long enough to do\"}",
     "field-invalid"},
    {"users", "{\"login\":\"admin\",\"role\":\"admin\",\"password\":\"long enough to do\"}",
     "already-exists"},
    {"apps", "{\"name\":\"a\",\"organisation_id\":\"x\",\"environment\":\"general\"}",
     "field-invalid"},
    {"apps",
     "{\"name\":\"a\",\"organisation_id\":\"00000000-0000-0000-0000-000000000000\","
     "\"environment\":\"general\"}",
     "field-invalid"},
    {"nothing", "{}", "not-found"},
};

static void wrong_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong_body_rows); i++) {
        fixture_refused(&f, ADMIN, "POST", wrong_body_rows[i].target, NULL, wrong_body_rows[i].body,
                        wrong_body_rows[i].code);
    }
    char *big = malloc(REST_BODY_MAX + 2);
    memset(big, ' ', REST_BODY_MAX + 1);
    big[REST_BODY_MAX + 1] = '\0';
    fixture_refused(&f, ADMIN, "POST", "organisations", NULL, big, "body-too-large");
    free(big);
}

static void long_names(void **state)
{
    (void)state;
    char name[10001];
    memset(name, 'n', 10000);
    name[10000] = '\0';
    fixture_refused(&f, ADMIN, "POST", "organisations", NULL,
                    text("{\"name\":\"%s\",\"kind\":\"holder\"}", name), "field-invalid");
    fixture_refused(&f, ADMIN, "POST", "organisations", NULL, text("{\"%s\":1}", name),
                    "field-invalid");
    fixture_refused(&f, ADMIN, "GET", text("organisations?name=%s", name), NULL, NULL,
                    "query-too-large");
    fixture_refused(&f, ADMIN, "GET", text("organisations/%s", name), NULL, NULL, "not-found");
    fixture_refused(&f, NOBODY, "POST", "sessions", NULL,
                    text("{\"login\":\"%s\",\"password\":\"x\"}", name), "field-invalid");
}

/* SQL wherever a value can be given: it is a value, or no value at all. */
static void sql_everywhere(void **state)
{
    (void)state;
    static const char *const texts[] = {"' OR '1'='1",
                                        "x'; DROP TABLE users; --",
                                        "1 UNION SELECT password_hash FROM users",
                                        "%",
                                        "\\\\'",
                                        "\\\"; --"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct reply r =
            fixture_call(&f, ADMIN, "GET", text("organisations?name=%s", texts[i]), NULL, NULL);
        assert_int_equal(r.status, 200);
        assert_int_equal(json_array_size(json_object_get(r.json, "items")), 0);
        reply_free(&r);
        fixture_refused(&f, ADMIN, "GET", text("organisations?sort=%s", texts[i]), NULL, NULL,
                        "query-malformed");
        fixture_refused(&f, ADMIN, "GET",
                        text("organisations?%s=1", texts[i][0] == '\'' ? "name' OR '1" : "id;--"),
                        NULL, NULL, "query-malformed");
        fixture_refused(&f, ADMIN, "GET", text("organisations?page=%s", texts[i]), NULL, NULL,
                        "query-malformed");
        fixture_refused(&f, ADMIN, "GET", text("organisations/%s", texts[i]), NULL, NULL,
                        "not-found");
        fixture_refused(&f, ADMIN, "GET", text("operations?sort=%s", texts[i]), NULL, NULL,
                        "query-malformed");
        fixture_refused(&f, ADMIN, "GET", text("explain?app=%s&api=%s", texts[i], texts[i]), NULL,
                        NULL, "not-found");
        fixture_refused(&f, NOBODY, "POST", "sessions", NULL,
                        text("{\"login\":\"%s\",\"password\":\"%s\"}", texts[i], texts[i]),
                        "sign-in-failed");
        const char *id = fixture_ok(
            &f, ADMIN, "POST", "organisations",
            text("{\"name\":\"%s\",\"kind\":\"holder\",\"contact\":\"%s\"}", texts[i], texts[i]),
            "id");
        assert_int_equal(strlen(id), UUID_TEXT_LEN);
    }
    assert_string_equal(fixture_ok(&f, ADMIN, "GET", "users/me", NULL, "login"), "admin");
}

static void queries(void **state)
{
    (void)state;
    static const char *const bad[] = {"page=0",          "page=-1",
                                      "page=1x",         "page_size=0",
                                      "page_size=201",   "page_size=",
                                      "nope=1",          "sort=secret_sealed",
                                      "sort=-",          "sort=name,name,name,name,name",
                                      "password_hash=x", "created_at=yesterday",
                                      "name=\xff",       "contact=x"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        fixture_refused(&f, ADMIN, "GET", text("organisations?%s", bad[i]), NULL, NULL,
                        "query-malformed");
    }
    struct reply r =
        fixture_call(&f, ADMIN, "GET", "users?page=2&page_size=3&sort=login", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(r.json, "items")), 3);
    assert_int_equal(json_integer_value(json_object_get(r.json, "total")), 7);
    assert_string_equal(row_text(json_array_get(json_object_get(r.json, "items"), 0), "login"),
                        "merchant");
    assert_null(
        json_object_get(json_array_get(json_object_get(r.json, "items"), 0), "password_hash"));
    reply_free(&r);
}

static void preconditions(void **state)
{
    (void)state;
    const char *path = text("organisations/%s", f.holder);
    fixture_refused(&f, ADMIN, "PATCH", path, NULL, "{\"contact\":\"x\"}", "precondition-required");
    fixture_refused(&f, ADMIN, "PATCH", path, "\"1\"", "{\"contact\":\"x\"}",
                    "precondition-failed");
    fixture_refused(&f, ADMIN, "PATCH", path, "2", "{\"contact\":\"x\"}", "precondition-failed");
    fixture_refused(&f, ADMIN, "POST", text("%s/suspend", path), NULL, NULL,
                    "precondition-required");
    fixture_refused(&f, ADMIN, "POST", text("%s/suspend", path), "\"1\"", NULL,
                    "precondition-failed");
    fixture_refused(&f, ADMIN, "PATCH", path, "auto", "{\"kind\":\"platform\"}", "field-invalid");
    fixture_refused(&f, ADMIN, "PATCH", path, "auto", "{\"name\":null}", "field-invalid");
    fixture_ok(&f, ADMIN, "PATCH", path, "{\"contact\":\"x\"}", NULL);
    fixture_ok(&f, ADMIN, "PATCH", path, "{\"contact\":null}", NULL);
    struct reply r = fixture_call(&f, ADMIN, "GET", path, NULL, NULL);
    assert_true(json_is_null(json_object_get(r.json, "contact")));
    assert_string_equal(r.etag, "\"4\"");
    reply_free(&r);
}

static void states(void **state)
{
    (void)state;
    const char *id = fixture_ok(&f, ADMIN, "POST", "organisations",
                                "{\"name\":\"states\",\"kind\":\"holder\"}", "id");
    fixture_refused(&f, ADMIN, "POST", text("organisations/%s/suspend", id), "auto", NULL,
                    "state-conflict");
    fixture_refused(&f, ADMIN, "POST", text("organisations/%s/crown", id), "auto", NULL,
                    "not-found");
    fixture_refused(&f, ADMIN, "POST", text("organisations/%s/approve", id), "auto", "{\"x\":1}",
                    "field-invalid");
    fixture_ok(&f, OPERATOR, "POST", text("organisations/%s/reject", id), NULL, NULL);
    fixture_refused(&f, ADMIN, "POST", text("organisations/%s/approve", id), "auto", NULL,
                    "state-conflict");
    fixture_refused(&f, OPERATOR, "POST", text("apps/%s/return", app), "auto", NULL,
                    "state-conflict");
    const char *other = fixture_ok(
        &f, DEVELOPER, "POST", "apps",
        text("{\"name\":\"two\",\"organisation_id\":\"%s\",\"environment\":\"general\"}", f.third),
        "id");
    fixture_refused(&f, OPERATOR, "POST", text("apps/%s/return", other), "auto", NULL,
                    "body-malformed");
    fixture_refused(&f, OPERATOR, "POST", text("apps/%s/return", other), "auto", "{\"comment\":7}",
                    "field-invalid");
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/return", other),
               "{\"comment\":\"more, please\"}", NULL);
    assert_string_equal(fixture_ok(&f, DEVELOPER, "GET", text("apps/%s", other), NULL, "comment"),
                        "more, please");
    fixture_ok(&f, DEVELOPER, "POST", text("apps/%s/apply", other), NULL, NULL);
    fixture_refused(&f, DEVELOPER, "POST", "credentials", NULL,
                    text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", other),
                    "state-conflict");
}

static void roles_and_rows(void **state)
{
    (void)state;
    fixture_refused(&f, NOBODY, "GET", "apps", NULL, NULL, "not-signed-in");
    fixture_refused(&f, STRANGER, "GET", text("apps/%s", app), NULL, NULL, "not-found");
    fixture_refused(&f, STRANGER, "POST", text("apps/%s/withdraw", app), "\"2\"", NULL,
                    "not-found");
    fixture_refused(&f, STRANGER, "PATCH", text("apps/%s", app), "\"2\"", "{\"name\":\"mine\"}",
                    "not-found");
    fixture_refused(
        &f, STRANGER, "POST", "apps", NULL,
        text("{\"name\":\"a\",\"organisation_id\":\"%s\",\"environment\":\"general\"}", f.third),
        "field-invalid");
    fixture_refused(&f, STRANGER, "POST", "credentials", NULL,
                    text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", app), "field-invalid");
    fixture_refused(&f, DEVELOPER, "POST", text("apps/%s/suspend", app), "auto", NULL,
                    "not-permitted");
    fixture_refused(&f, DEVELOPER, "PATCH", text("apps/%s", app), "auto",
                    "{\"environment\":\"controlled\"}", "not-permitted");
    fixture_refused(&f, DEVELOPER, "GET", "sources", NULL, NULL, "not-permitted");
    fixture_refused(&f, DEVELOPER, "POST", text("apis/%s/offline", api), "auto", NULL,
                    "not-permitted");
    fixture_refused(&f, DEVELOPER, "POST", text("datasets/%s/publish", dataset), NULL,
                    "{\"name\":\"x\",\"path\":\"/x\"}", "not-permitted");
    fixture_refused(&f, PROVIDER, "POST", "organisations", NULL,
                    "{\"name\":\"x\",\"kind\":\"holder\"}", "not-permitted");
    fixture_refused(&f, PROVIDER, "GET", "operations", NULL, NULL, "not-permitted");
    fixture_refused(&f, AUDITOR, "POST", "organisations", NULL,
                    "{\"name\":\"x\",\"kind\":\"holder\"}", "not-permitted");
    fixture_refused(&f, AUDITOR, "POST", text("apps/%s/suspend", app), "auto", NULL,
                    "not-permitted");
    fixture_refused(&f, OPERATOR, "POST", "users", NULL,
                    "{\"login\":\"x\",\"role\":\"admin\",\"password\":\"long enough to do\"}",
                    "not-permitted");
    fixture_refused(&f, ADMIN, "POST",
                    text("users/%s/lock", fixture_ok(&f, ADMIN, "GET", "users/me", NULL, "id")),
                    "auto", NULL, "not-permitted");
    fixture_refused(&f, ADMIN, "DELETE", text("apps/%s", app), NULL, NULL, "method-not-allowed");
    struct reply r = fixture_call(&f, STRANGER, "GET", "apps", NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(r.json, "total")), 0);
    reply_free(&r);
    r = fixture_call(&f, STRANGER, "GET", "apis", NULL, NULL);
    assert_true(json_integer_value(json_object_get(r.json, "total")) >=
                1); /* published ones are for all to see */
    reply_free(&r);
    r = fixture_call(&f, STRANGER, "GET", "users", NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(r.json, "total")), 1);
    reply_free(&r);
}

static void publication(void **state)
{
    (void)state;
    static const struct {
        const char *phone, *code;
    } rows[] = {{"\"level\":0", "fields-unclassified"},
                {"\"level\":3", "field-unmasked"},
                {"\"level\":3,\"mask\":\"\"", "field-unmasked"}};
    const char *made =
        fixture_ok(&f, PROVIDER, "POST", "datasets",
                   text("{\"name\":\"drafts\",\"source_id\":\"%s\",\"table\":\"t\",\"fields\":%s}",
                        source, PHONE_OK),
                   "id");
    for (size_t i = 0; i < COUNT(rows); i++) {
        fixture_ok(&f, PROVIDER, "PATCH", text("datasets/%s", made),
                   text("{\"fields\":[{\"column\":\"a\",\"name\":\"a\",\"level\":1},{\"column\":"
                        "\"phone\",\"name\":\"phone\",%s}]}",
                        rows[i].phone),
                   NULL);
        fixture_refused(&f, PROVIDER, "POST", text("datasets/%s/publish", made), NULL,
                        "{\"name\":\"d\",\"version\":\"v1\",\"path\":\"/d/v1\"}", rows[i].code);
    }
    fixture_ok(&f, PROVIDER, "PATCH", text("datasets/%s", made),
               "{\"fields\":[{\"column\":\"a\",\"name\":\"a\",\"level\":4}]}", NULL);
    fixture_refused(&f, PROVIDER, "POST", text("datasets/%s/publish", made), NULL,
                    "{\"name\":\"d\",\"version\":\"v1\",\"path\":\"/d/v1\"}", "level-forbidden");
    static const char *const bad[] = {
        "{\"name\":\"d\",\"version\":\"1\",\"path\":\"/d/v1\"}",
        "{\"name\":\"d\",\"version\":\"v1\",\"path\":\"d/v1\"}",
        "{\"name\":\"d\",\"version\":\"v1\",\"path\":\"/d//v1\"}",
        "{\"name\":\"d\",\"version\":\"v1\",\"path\":\"/d/../v1\"}",
        "{\"name\":\"d\",\"version\":\"v1\",\"path\":\"/d/v1/\"}",
        "{\"name\":\"d\",\"version\":\"v1\",\"path\":\"/d%2fv1\"}",
        "{\"name\":\"d\",\"version\":\"v1\",\"path\":\"/d\",\"kind\":\"http\"}",
        "{\"version\":\"v1\",\"path\":\"/d\"}",
        "{\"name\":\"d\",\"version\":\"v1\",\"path\":\"/d\",\"profile\":\"none\"}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        fixture_refused(&f, PROVIDER, "POST", text("datasets/%s/publish", dataset), NULL, bad[i],
                        "field-invalid");
    }
    fixture_refused(&f, PROVIDER, "POST", text("datasets/%s/publish", dataset), NULL,
                    "{\"name\":\"d\",\"version\":\"v1\",\"path\":\"/trade/orders/v1\"}",
                    "already-exists");
    fixture_refused(&f, PROVIDER, "POST", text("datasets/%s/retire", dataset), "auto", NULL,
                    "state-conflict");
}

static const json_t *field_of(const json_t *row, const char *path)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(row, "fields"), i, item)
    {
        if (strcmp(row_text(item, "path"), path) == 0) {
            return item;
        }
    }
    return NULL;
}

static void levels_reach_apis(void **state)
{
    (void)state;
    fixture_ok(&f, PROVIDER, "PATCH", text("datasets/%s", dataset),
               "{\"fields\":[{\"column\":\"id\",\"name\":\"renamed\",\"level\":4},{\"column\":"
               "\"m\",\"name\":\"merchant\",\"level\":2},{\"column\":\"phone\",\"name\":\"phone\","
               "\"level\":3}]}",
               NULL);
    struct reply r = fixture_call(&f, DEVELOPER, "GET", text("apis/%s", api), NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(field_of(r.json, "id"), "level")), 4);
    assert_null(field_of(r.json, "renamed")); /* names wait for the next publication */
    assert_string_equal(row_text(field_of(r.json, "phone"), "mask"), "");
    assert_int_equal(json_integer_value(json_object_get(field_of(r.json, "card"), "level")),
                     0); /* its column is gone: unclassified */
    reply_free(&r);
    fixture_ok(&f, PROVIDER, "PATCH", text("datasets/%s", dataset),
               text("{\"fields\":%s}", PHONE_OK), NULL);
}

static void credit_profiles(void **state)
{
    (void)state;
    const char *made =
        fixture_ok(&f, PROVIDER, "POST", "datasets",
                   text("{\"name\":\"credit\",\"source_id\":\"%s\",\"table\":\"t\",\"fields\":[{"
                        "\"column\":\"u\",\"name\":\"uniscId\",\"level\":1}]}",
                        source),
                   "id");
    const char *id = fixture_ok(&f, PROVIDER, "POST", text("datasets/%s/publish", made),
                                "{\"name\":\"getEnterpriseGrades\",\"version\":\"v1\",\"path\":\"/"
                                "credit/getEnterpriseGrades\",\"profile\":\"getEnterpriseGrades\"}",
                                "id");
    struct reply r = fixture_call(&f, DEVELOPER, "GET", text("apis/%s", id), NULL, NULL);
    static const char *const paths[] = {"msg",        "result",        "data.pageno",
                                        "data.count", "data.pagesize", "data.companyList.uniscId"};
    assert_int_equal(json_array_size(json_object_get(r.json, "fields")), COUNT(paths));
    for (size_t i = 0; i < COUNT(paths); i++) {
        assert_non_null(field_of(r.json, paths[i]));
    }
    assert_int_equal(json_array_size(json_object_get(r.json, "methods")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(r.json, "methods"), 0)),
                        "POST");
    assert_false(json_is_true(json_object_get(r.json, "owner_scoped")));
    reply_free(&r);
}

static void secrets_are_shown_once(void **state)
{
    (void)state;
    struct reply r = fixture_call(&f, DEVELOPER, "POST", "credentials", NULL,
                                  text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", app));
    assert_int_equal(r.status, 201);
    assert_int_equal(strlen(row_text(r.json, "secret")), 43);
    const char *secret = text("%s", row_text(r.json, "secret")),
               *id = text("%s", row_text(r.json, "id"));
    reply_free(&r);
    r = fixture_call(&f, DEVELOPER, "GET", text("credentials/%s", id), NULL, NULL);
    assert_null(json_object_get(r.json, "secret"));
    assert_null(json_object_get(r.json, "secret_sealed"));
    reply_free(&r);
    r = fixture_call(&f, AUDITOR, "GET", "operations?page_size=200", NULL, NULL);
    char *all = json_dumps(r.json, 0);
    static const char *const never[] = {"_sealed\":", "password_hash\":", "argon2", "hush-hush",
                                        "one-time-"};
    for (size_t i = 0; i < COUNT(never); i++) {
        assert_null(strstr(all, never[i]));
    }
    assert_null(strstr(all, secret));
    free(all);
    reply_free(&r);
}

static void grants_belong_to_owners(void **state)
{
    (void)state;
    const char *body = text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"owner\":\"M2\",\"purpose\":"
                            "\"p\",\"term\":\"period\",\"expires_at\":\"2037-01-01T00:00:00Z\"}",
                            app, api);
    const char *id = fixture_ok(&f, OWNER, "POST", "grants", body, "id");
    assert_string_equal(fixture_ok(&f, OWNER, "GET", text("grants/%s", id), NULL, "owner"), "M1");
    assert_string_equal(fixture_ok(&f, DEVELOPER, "GET", text("grants/%s", id), NULL, "expires_at"),
                        "2037-01-01T00:00:00.000Z");
    fixture_refused(&f, OPERATOR, "POST", "grants", NULL, body, "consent-incomplete");
    const char *paper = text("%.*s,\"act\":\"paper\",\"statement\":\"signed on paper, file 7\"}",
                             (int)strlen(body) - 1, body);
    const char *other = fixture_ok(&f, OPERATOR, "POST", "grants", paper, "id");
    fixture_refused(&f, OWNER, "GET", text("grants/%s", other), NULL, NULL, "not-found");
    fixture_refused(&f, OWNER, "POST", text("grants/%s/revoke", other), "\"1\"", NULL, "not-found");
    fixture_refused(&f, DEVELOPER, "POST", text("grants/%s/revoke", id), "auto", NULL,
                    "not-permitted");
    fixture_refused(&f, OPERATOR, "PATCH", text("grants/%s", id), "auto",
                    "{\"expires_at\":\"2047-01-01T00:00:00Z\"}", "not-permitted");
    fixture_refused(
        &f, OWNER, "POST", "grants", NULL,
        text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"term\":\"once\"}", app, api),
        "field-invalid");
    fixture_refused(&f, OWNER, "POST", "grants", NULL,
                    text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"term\":\"once\","
                         "\"expires_at\":\"2001-01-01T00:00:00Z\"}",
                         app, api),
                    "field-invalid");
    fixture_refused(&f, OWNER, "POST", "grants", NULL,
                    text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"term\":\"once\","
                         "\"expires_at\":\"2037-01-01T00:00:00Z\",\"fields\":[\"nope\"]}",
                         app, api),
                    "field-invalid");
    fixture_ok(&f, OWNER, "POST", text("grants/%s/revoke", id), NULL, NULL);
    fixture_refused(&f, OWNER, "POST", text("grants/%s/revoke", id), "auto", NULL,
                    "state-conflict");
}

static const char *in_hours(double hours)
{
    static char at[CLOCK_RFC3339_LEN + 1];
    clock_format_ms(clock_wall_ms() + (uint64_t)(hours * 3600e3), at);
    return at;
}

/* A gateway remembers for a day that a grant was spent, and no longer. */
static void a_single_use_lives_a_day(void **state)
{
    (void)state;
    static const struct {
        const char *term;
        double hours;
        bool taken;
    } rows[] = {
        {"once", 23.9, true},   {"once", 24.1, false},     {"once", 9999, false},
        {"period", 9999, true}, {"agreement", 9999, true},
    };
    static const char make[] = "{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\","
                               "\"term\":\"%s\",\"expires_at\":\"%s\"}";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reply r = fixture_call(&f, OWNER, "POST", "grants", NULL,
                                      text(make, app, api, rows[i].term, in_hours(rows[i].hours)));
        assert_int_equal(r.status, rows[i].taken ? 201 : 422);
        if (!rows[i].taken) {
            assert_string_equal(r.code, "field-invalid");
            assert_string_equal(json_string_value(json_object_get(r.json, "where")), "/expires_at");
        }
        reply_free(&r);
    }
    /* nor is it extended: spent, it would be forgotten before it ends */
    const char *id =
        fixture_ok(&f, OWNER, "POST", "grants", text(make, app, api, "once", in_hours(2)), "id");
    fixture_refused(&f, OWNER, "PATCH", text("grants/%s", id), "auto",
                    text("{\"expires_at\":\"%s\"}", in_hours(3)), "field-invalid");
    fixture_ok(&f, OWNER, "PATCH", text("grants/%s", id),
               text("{\"expires_at\":\"%s\"}", in_hours(1)), NULL);
    fixture_refused(&f, OWNER, "PATCH", text("grants/%s", id), "auto",
                    text("{\"expires_at\":\"%s\"}", in_hours(2)), "field-invalid");
}

static void explains(void **state)
{
    (void)state;
    struct reply r = fixture_call(&f, DEVELOPER, "GET",
                                  text("explain?app=%s&api=%s&owner=nobody", app, api), NULL, NULL);
    assert_int_equal(r.status, 200);
    assert_true(json_is_false(json_object_get(r.json, "allowed")));
    assert_string_equal(r.code, "subscription-missing");
    reply_free(&r);
    const char *sub = fixture_ok(
        &f, DEVELOPER, "POST", "subscriptions",
        text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"max_level\":3}", app, api),
        "id");
    fixture_refused(
        &f, DEVELOPER, "POST", "subscriptions", NULL,
        text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"max_level\":3}", app, api),
        "already-exists");
    fixture_refused(
        &f, DEVELOPER, "POST", "subscriptions", NULL,
        text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"max_level\":4}", app, api),
        "field-invalid");
    fixture_ok(&f, OPERATOR, "POST", text("subscriptions/%s/approve", sub), NULL, NULL);
    fixture_refused(&f, DEVELOPER, "PATCH", text("subscriptions/%s", sub), "auto",
                    "{\"max_level\":2}", "state-conflict");
    fixture_ok(&f, OPERATOR, "POST", "grants",
               text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"owner\":\"M9\",\"purpose\":\"p\","
                    "\"term\":\"period\",\"expires_at\":\"2037-01-01T00:00:00Z\","
                    "\"act\":\"paper\",\"statement\":\"file 9\"}",
                    app, api),
               NULL);
    r = fixture_call(&f, DEVELOPER, "GET", text("explain?app=%s&api=%s&owner=M9", app, api), NULL,
                     NULL);
    assert_true(json_is_true(json_object_get(r.json, "allowed")));
    assert_string_equal(row_text(field_of(r.json, "phone"), "outcome"), "mask");
    assert_string_equal(row_text(field_of(r.json, "card"), "outcome"), "drop");
    reply_free(&r);
    fixture_refused(&f, STRANGER, "GET", text("explain?app=%s&api=%s", app, api), NULL, NULL,
                    "not-found");
    fixture_refused(&f, DEVELOPER, "GET", text("explain?api=%s", api), NULL, NULL,
                    "parameter-missing");
    fixture_refused(&f, DEVELOPER, "GET", text("explain?app=%s&api=%s&x=1", app, api), NULL, NULL,
                    "query-malformed");
}

static void dead_data_service(void **state)
{
    (void)state;
    fixture_refused(&f, PROVIDER, "POST", text("sources/%s/check", source), "auto", NULL,
                    "source-unavailable");
    fixture_refused(&f, PROVIDER, "GET", text("sources/%s/tables", source), NULL, NULL,
                    "source-unavailable");
    fixture_refused(&f, PROVIDER, "GET", text("sources/%s/tables/x", source), NULL, NULL,
                    "source-unavailable");
    fixture_refused(&f, STRANGER, "GET", text("sources/%s/tables", source), NULL, NULL,
                    "not-permitted");
    fixture_refused(&f, PROVIDER, "POST", "datasets", NULL,
                    text("{\"name\":\"n\",\"source_id\":\"%s\",\"table\":\"t\"}", source),
                    "source-unavailable");
    assert_string_equal(fixture_ok(&f, PROVIDER, "GET", text("sources/%s", source), NULL, "state"),
                        "draft");
}

static void sessions(void **state)
{
    (void)state;
    fixture_ok(
        &f, ADMIN, "POST", "users",
        "{\"login\":\"short-lived\",\"role\":\"auditor\",\"password\":\"one-time-password\"}",
        NULL);
    snprintf(f.token[NOBODY], sizeof f.token[NOBODY], "%s",
             fixture_ok(&f, NOBODY, "POST", "sessions",
                        "{\"login\":\"short-lived\",\"password\":\"one-time-password\"}", "token"));
    fixture_refused(&f, NOBODY, "GET", "apps", NULL, NULL, "password-change-required");
    fixture_refused(
        &f, NOBODY, "PUT", "users/me/password", NULL,
        "{\"old_password\":\"wrong wrong wrong\",\"new_password\":\"a second password\"}",
        "sign-in-failed");
    fixture_refused(&f, NOBODY, "PUT", "users/me/password", NULL,
                    "{\"old_password\":\"one-time-password\",\"new_password\":\"short\"}",
                    "field-invalid");
    fixture_refused(
        &f, NOBODY, "PUT", "users/me/password", NULL,
        "{\"old_password\":\"one-time-password\",\"new_password\":\"one-time-password\"}",
        "field-invalid");
    fixture_ok(&f, NOBODY, "PUT", "users/me/password",
               "{\"old_password\":\"one-time-password\",\"new_password\":\"a second password\"}",
               NULL);
    fixture_ok(&f, NOBODY, "GET", "apps", NULL, NULL);
    fixture_ok(&f, NOBODY, "DELETE", "sessions/current", NULL, NULL);
    fixture_refused(&f, NOBODY, "GET", "apps", NULL, NULL, "not-signed-in");
    static const char *const tokens[] = {"x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                         "' OR 1=1 --"};
    for (size_t i = 0; i < COUNT(tokens); i++) {
        snprintf(f.token[NOBODY], sizeof f.token[NOBODY], "%s", tokens[i]);
        fixture_refused(&f, NOBODY, "GET", "apps", NULL, NULL, "not-signed-in");
    }
    f.token[NOBODY][0] = '\0';
}

static void locks_out(void **state)
{
    (void)state;
    static const char *const logins[] = {"auditor", "no-such-login"}; /* one answer for both */
    for (size_t k = 0; k < COUNT(logins); k++) {
        for (int i = 0; i < 5; i++) {
            fixture_refused(&f, NOBODY, "POST", "sessions", NULL,
                            text("{\"login\":\"%s\",\"password\":\"wrong\"}", logins[k]),
                            i < 3 ? "sign-in-failed" : "captcha-invalid");
        }
        fixture_refused(
            &f, NOBODY, "POST", "sessions", NULL,
            text("{\"login\":\"%s\",\"password\":\"second-auditor-password\"}", logins[k]),
            "too-many-attempts");
    }
    fixture_ok(&f, AUDITOR, "GET", "operations", NULL, NULL); /* who is in stays in */
    const char *id = fixture_ok(&f, AUDITOR, "GET", "users/me", NULL, "id");
    fixture_ok(&f, ADMIN, "POST", text("users/%s/lock", id), NULL, NULL);
    fixture_refused(&f, AUDITOR, "GET", "operations", NULL, NULL, "not-signed-in");
}

static void full_store(void **state)
{
    (void)state;
    char name[60];
    unsigned refused = 0;
    assert_int_equal(store_limit_pages(f.ctl.store, 1), STORE_OK);
    for (int i = 0; i < 400 && !refused; i++) {
        snprintf(name, sizeof name, "fills %d", i);
        struct reply r = fixture_call(
            &f, ADMIN, "POST", "organisations", NULL,
            text("{\"name\":\"%s\",\"kind\":\"holder\",\"contact\":\"%0900d\"}", name, i));
        refused = r.status == 507 && strcmp(r.code, "storage-full") == 0 ? r.status : 0;
        assert_true(refused || r.status == 201);
        reply_free(&r);
    }
    assert_int_equal(refused, 507);
    struct reply r =
        fixture_call(&f, ADMIN, "GET", text("organisations?name=%s", name), NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(r.json, "total")), 0);
    reply_free(&r);
    assert_int_equal(store_limit_pages(f.ctl.store, 0), STORE_OK);
    fixture_ok(&f, ADMIN, "POST", "organisations",
               text("{\"name\":\"%s\",\"kind\":\"holder\"}", name), NULL);
}

/* What the contract promises is there: each address and action, each attribute. */
static void described(void **state)
{
    (void)state;
    FILE *file = fopen(SLUICE_OPENAPI, "rb");
    static char yaml[4 << 20];
    assert_non_null(file);
    assert_true(fread(yaml, 1, sizeof yaml - 1, file) > 0);
    fclose(file);
    for (size_t i = 0; i < resources_n; i++) {
        const struct resource *res = resources[i];
        assert_non_null(strstr(yaml, text("\n  /%s:\n", res->plural)));
        assert_non_null(strstr(yaml, text("\n  /%s/{id}:\n", res->plural)));
        for (size_t k = 0; k < res->n_transitions; k++) {
            if (!strstr(yaml,
                        text("\n  /%s/{id}/%s:\n", res->plural, res->transitions[k].action))) {
                fail_msg("openapi.yaml does not describe %s/%s", res->plural,
                         res->transitions[k].action);
            }
        }
        for (size_t k = 0; k < res->n_attrs; k++) {
            if (!(res->attrs[k].flags & AF_HIDDEN) &&
                !strstr(yaml, text(" %s:", res->attrs[k].name))) {
                fail_msg("openapi.yaml does not describe %s.%s", res->plural, res->attrs[k].name);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"bodies that are wrong", wrong_bodies, NULL, NULL, NULL},
        {"names of 10,000 characters", long_names, NULL, NULL, NULL},
        {"SQL in every parameter", sql_everywhere, NULL, NULL, NULL},
        {"queries of lists", queries, NULL, NULL, NULL},
        {"If-Match", preconditions, NULL, NULL, NULL},
        {"states and their actions", states, NULL, NULL, NULL},
        {"roles and whose rows", roles_and_rows, NULL, NULL, NULL},
        {"[EC-4.2.1b1] publication refuses what is not classified", publication, NULL, NULL, NULL},
        {"a level reaches every API at once", levels_reach_apis, NULL, NULL, NULL},
        {"the credit profiles", credit_profiles, NULL, NULL, NULL},
        {"secrets are shown once and never logged", secrets_are_shown_once, NULL, NULL, NULL},
        {"[EC-6.1.4.4b] grants belong to their owners", grants_belong_to_owners, NULL, NULL, NULL},
        {"[BK-9.3.2a3] a grant of a single use lives a day and is not extended",
         a_single_use_lives_a_day, NULL, NULL, NULL},
        {"explain gives the decision", explains, NULL, NULL, NULL},
        {"a data service that is not there", dead_data_service, NULL, NULL, NULL},
        {"sessions and passwords", sessions, NULL, NULL, NULL},
        {"sign-in locks out, known login or not", locks_out, NULL, NULL, NULL},
        {"a full disk: 507 and nothing changed", full_store, NULL, NULL, NULL},
        {"openapi.yaml describes it all", described, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
