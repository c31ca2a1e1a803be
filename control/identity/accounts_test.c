/* SPDX-License-Identifier: Apache-2.0 */
/* Registration, verified identity and what others claim about it, and the account interfaces of the
 * credit platform. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "identity/testing.h"
#include "jobs/jobs.h"

static struct fixture f;
static char grant[40];

/* A text that outlives the ring of text(). */
static char *kept(const char *value)
{
    static char room[8][256];
    static unsigned at;
    char *out = room[at++ % 8];

    snprintf(out, sizeof room[0], "%s", value);
    return out;
}

/* Synthetic: the check digits are right, nobody has them. */
#define ID_NUMBER    "11010519491231002X"
#define OTHER_NUMBER "440524188001010014"
#define USCC         "91350100M000100Y43"

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    const char *app = fixture_ok(
        &f, DEVELOPER, "POST", "apps",
        text("{\"name\":\"erp\",\"organisation_id\":\"%s\",\"environment\":\"controlled\"}",
             f.third),
        "id");
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/admit", app), NULL, NULL);
    const char *api = fixture_ok(
        &f, PROVIDER, "POST", "apis",
        "{\"name\":\"a\",\"version\":\"v1\",\"path\":\"/a/v1\",\"kind\":\"http\",\"upstream\":"
        "\"http://127.0.0.1:9\",\"fields\":[{\"path\":\"a\",\"level\":1,\"type\":\"scalar\"}]}",
        "id");
    fixture_ok(&f, PROVIDER, "POST", text("apis/%s/publish", api), NULL, NULL);
    snprintf(grant, sizeof grant, "%s",
             fixture_ok(&f, OWNER, "POST", "grants",
                        text("{\"app_id\":\"%s\",\"api_id\":\"%s\",\"purpose\":\"p\",\"term\":"
                             "\"period\",\"expires_at\":\"2099-01-01T00:00:00Z\"}",
                             app, api),
                        "id"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static void forget_failures(void)
{
    testing_sql(&f, "DELETE FROM sign_in_failures");
}

/* Registration ---------------------------------------------------------------------------------
 */
#define REGISTRATION(login, kind, name, number)                                                    \
    "\"login\":\"" login "\",\"password\":\"Mixed-kinds-0\",\"kind\":\"" kind "\",\"real_name\":"  \
    "\"" name "\",\"id_number\":\"" number "\",\"phone\":\"13800000000\""

static void refuse_registration(const char *members, const char *code)
{
    fixture_refused(&f, NOBODY, "POST", "registrations", NULL,
                    text("{%s,%s}", members, testing_captcha(&f)), code);
}

static void registrations(void **state)
{
    (void)state;
    static const char good[] = REGISTRATION("zhang", "person", "张三", ID_NUMBER);
    fixture_refused(&f, NOBODY, "POST", "registrations", NULL, text("{%s}", good),
                    "captcha-invalid");
    const char *captcha = testing_captcha(&f);
    const char *id = kept(fixture_ok(&f, NOBODY, "POST", "registrations",
                                     text("{%s,\"holder_kind\":\"natural-person\",\"email\":"
                                          "\"z@example.org\",%s}",
                                          good, captcha),
                                     "id"));
    fixture_refused(&f, NOBODY, "POST", "registrations", NULL, text("{%s,%s}", good, captcha),
                    "captcha-invalid");
    refuse_registration(good, "already-exists");
    refuse_registration(REGISTRATION("li", "person", "李四", "110105194912310021"),
                        "identity-mismatch");
    refuse_registration(REGISTRATION("li", "organisation", "某公司", ID_NUMBER),
                        "identity-mismatch");
    refuse_registration(REGISTRATION("li", "ghost", "李四", ID_NUMBER), "field-invalid");
    refuse_registration(REGISTRATION("l i", "person", "李四", ID_NUMBER), "field-invalid");
    refuse_registration(REGISTRATION("li", "person", "李四", ID_NUMBER) ",\"role\":\"admin\"",
                        "field-invalid");
    refuse_registration(REGISTRATION("li", "person", "李四", ID_NUMBER) ",\"accessid\":\"x\"",
                        "field-invalid");
    refuse_registration(REGISTRATION("li", "person", "李四", ID_NUMBER) ",\"email\":\"nowhere\"",
                        "field-invalid");
    testing_sign_in(&f, "{\"login\":\"zhang\",\"password\":\"Mixed-kinds-0\"}", NULL,
                    "sign-in-failed", NULL);
    fixture_refused(&f, DEVELOPER, "POST", text("users/%s/approve", id), "*",
                    "{\"subject\":\"Z1\"}", "not-permitted");
    fixture_refused(&f, OPERATOR, "POST", text("users/%s/approve", id), NULL,
                    "{\"subject\":\"Z1\"}", "precondition-required");
    fixture_refused(&f, OPERATOR, "POST", text("users/%s/approve", id), "auto", "{}",
                    "field-invalid"); /* an owner of what? */
    fixture_refused(&f, OPERATOR, "POST", text("users/%s/approve", id), "auto",
                    "{\"role\":\"admin\",\"subject\":\"Z1\"}", "field-invalid");
    const char *accessid = fixture_ok(&f, OPERATOR, "POST", text("users/%s/approve", id),
                                      "{\"subject\":\"Z1\",\"comment\":\"seen\"}", "accessid");
    assert_int_equal(strlen(accessid), 32);
    const char *target = text("users/%s", id);
    assert_string_equal(fixture_ok(&f, OPERATOR, "GET", target, NULL, "reviewed_by"), "operator");
    assert_true(fixture_ok(&f, OPERATOR, "GET", target, NULL, "reviewed_at")[0]);
    assert_string_equal(fixture_ok(&f, OPERATOR, "GET", target, NULL, "holder_kind"),
                        "natural-person");
    fixture_refused(&f, OPERATOR, "POST", text("users/%s/approve", id), "auto",
                    "{\"subject\":\"Z1\"}", "state-conflict");
    testing_sign_in(&f, "{\"login\":\"zhang\",\"password\":\"Mixed-kinds-0\"}", NULL, "", NULL);
}

static void refused_registration(void **state)
{
    (void)state;
    const char *id = fixture_ok(&f, NOBODY, "POST", "registrations",
                                text("{%s,%s}",
                                     REGISTRATION("corp", "organisation", "某公司",
                                                  USCC) ",\"holder_kind\":\"legal-person\"",
                                     testing_captcha(&f)),
                                "id");
    fixture_refused(&f, OPERATOR, "POST", text("users/%s/refuse", id), "auto", "{}",
                    "field-invalid"); /* a reason is owed */
    fixture_ok(&f, OPERATOR, "POST", text("users/%s/refuse", id), "{\"comment\":\"unclear\"}",
               NULL);
    assert_string_equal(fixture_ok(&f, OPERATOR, "GET", text("users/%s", id), NULL, "state"),
                        "refused");
    testing_sign_in(&f, "{\"login\":\"corp\",\"password\":\"Mixed-kinds-0\"}", NULL,
                    "sign-in-failed", NULL);
    assert_int_equal(
        testing_count(
            &f,
            "SELECT count(*) FROM operations WHERE action IN ('register', 'approve-registration', "
            "'refuse-registration') AND (after LIKE '%" ID_NUMBER "%' OR after LIKE '%张三%' OR "
            "after LIKE '%13800000000%')"),
        0);
    assert_int_equal(testing_count(&f, "SELECT count(*) FROM users WHERE id_number_sealed LIKE "
                                       "'%" ID_NUMBER "%' OR real_name_sealed LIKE '%张%'"),
                     0);
    forget_failures();
}

/* Verified identity ----------------------------------------------------------------------------
 */
static const char *fed_state(void)
{
    json_t *data = fixture_fed(&f, "grant", grant);
    const char *out = text("%s", row_text(data, "state"));

    json_decref(data);
    return out;
}

#define CLAIM(name, number) "{\"real_name\":\"" name "\",\"id_number\":\"" number "\"}"
static void verification(void **state)
{
    (void)state;
    const char *due = "UPDATE users SET verify_due_at = 1000 WHERE login = 'merchant'";
    testing_setting(&f, "verify-days", "90");
    fixture_ok(&f, OWNER, "POST", "users/me/verification",
               "{\"real_name\":\"王五\",\"id_number\":\"" ID_NUMBER "\",\"phone\":\"13800000001\"}",
               NULL);
    assert_true(fixture_ok(&f, OWNER, "GET", "users/me", NULL, "verify_due_at")[0]);
    assert_string_equal(fixture_ok(&f, OWNER, "GET", "users/me/identity", NULL, "id_number"),
                        "1101****2X");
    assert_string_equal(fixture_ok(&f, OWNER, "GET", "users/me/identity", NULL, "real_name"),
                        "王****");
    assert_string_equal(fed_state(), "active");
    testing_sql(&f, due);
    fixture_refused(&f, OWNER, "GET", "grants", NULL, NULL, "not-signed-in");
    jobs_run_once(&f.ctl, clock_wall_ms());
    assert_string_equal(fed_state(), "revoked");
    int64_t suspended =
        testing_count(&f, "SELECT count(*) FROM operations WHERE action = 'suspend-unverified'");
    jobs_run_once(&f.ctl, clock_wall_ms()); /* twice does it once */
    assert_int_equal(suspended, 1);
    assert_int_equal(
        testing_count(&f, "SELECT count(*) FROM operations WHERE action = 'suspend-unverified'"),
        1);
    static const char merchant[] =
        "\"login\":\"merchant\",\"password\":\"second-merchant-password\"";
    testing_sign_in(&f, text("{%s}", merchant), NULL, "identity-unverified", NULL);
    snprintf(f.token[OWNER], sizeof f.token[OWNER], "%s",
             testing_sign_in(&f, text("{%s,\"scenario\":\"verification\"}", merchant), NULL, "",
                             "token"));
    fixture_refused(&f, OWNER, "GET", "grants", NULL, NULL, "identity-unverified");
    fixture_refused(&f, OWNER, "POST", "users/me/verification", NULL, CLAIM("王五", OTHER_NUMBER),
                    "identity-mismatch"); /* somebody else's, though a good one */
    fixture_refused(&f, OWNER, "POST", "users/me/verification", NULL, CLAIM("王六", ID_NUMBER),
                    "identity-mismatch");
    assert_string_equal(fed_state(), "revoked");
    fixture_ok(&f, OWNER, "POST", "users/me/verification", CLAIM("王五", ID_NUMBER), NULL);
    assert_string_equal(fed_state(), "active");
    fixture_ok(&f, OWNER, "GET", "grants", NULL, NULL);
    testing_setting(&f, "verify-days", "0");
    static const char *const sources[] = {"ftp://x", "checksums", "http://", "http://a b"};
    for (size_t i = 0; i < COUNT(sources); i++) {
        struct reply r = fixture_call(&f, ADMIN, "PATCH",
                                      "identity_settings/01900000-0000-7000-8000-000000000314",
                                      "auto", text("{\"value\":\"%s\"}", sources[i]));
        assert_string_equal(r.code, "field-invalid");
        reply_free(&r);
    }
    testing_setting(&f, "identity-source", "http://127.0.0.1:9/nothing-listens");
    fixture_refused(&f, OWNER, "POST", "users/me/verification", NULL, CLAIM("王五", ID_NUMBER),
                    "source-unavailable");
    testing_setting(&f, "identity-source", "checksum");
    forget_failures();
}

#define SAID(subject, more) "{\"subject\":\"" subject "\"" more "}"
static void claimed_fields(void **state)
{
    (void)state;
    static const char *const right[] = {
        SAID("M1", ",\"real_name\":\"王五\""), SAID("M1", ",\"id_number\":\"" ID_NUMBER "\""),
        SAID("M1", ",\"real_name\":\"王五\",\"phone\":\"13800000001\"")};
    static const char *const wrong[] = {
        SAID("M1", ",\"real_name\":\"王六\""),
        SAID("M1", ",\"real_name\":\"王五\",\"phone\":\"13800000002\""),
        SAID("M1", ",\"real_name\":\"\xe7\x8e\x8b\""), SAID("M2", ",\"real_name\":\"王五\"")};
    for (size_t i = 0; i < COUNT(right); i++) {
        fixture_ok(&f, DEVELOPER, "POST", "users/verify-fields", right[i], NULL);
        fixture_ok(&f, PROVIDER, "POST", "users/verify-fields", right[i], NULL);
        /* Nobody's consent, no answer. */
        fixture_refused(&f, STRANGER, "POST", "users/verify-fields", NULL, right[i],
                        "user-data-mismatch");
        forget_failures();
        fixture_refused(&f, OWNER, "POST", "users/verify-fields", NULL, right[i], "not-permitted");
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct reply r = fixture_call(&f, DEVELOPER, "POST", "users/verify-fields", NULL, wrong[i]);
        assert_string_equal(r.code, "user-data-mismatch");
        assert_string_equal(row_text(r.json, "detail"), ""); /* not a word about which */
        assert_string_equal(row_text(r.json, "where"), "");
        reply_free(&r);
    }
    fixture_refused(&f, DEVELOPER, "POST", "users/verify-fields", NULL, SAID("M1", ""),
                    "field-invalid");
    forget_failures();
    for (int i = 0; i < 5; i++) {
        fixture_refused(&f, DEVELOPER, "POST", "users/verify-fields", NULL, wrong[0],
                        "user-data-mismatch");
    }
    fixture_refused(&f, DEVELOPER, "POST", "users/verify-fields", NULL, right[0],
                    "too-many-attempts");
    assert_true(testing_count(&f, "SELECT count(*) FROM operations WHERE action = 'verify-fields' "
                                  "AND after LIKE '%\"match\":false%'") > 0);
    assert_int_equal(testing_count(&f, "SELECT count(*) FROM operations WHERE action = "
                                       "'verify-fields' AND (after LIKE '%王%' OR after LIKE "
                                       "'%138%' OR after LIKE '%" ID_NUMBER "%')"),
                     0);
    forget_failures();
}

/* The credit platform's accounts ---------------------------------------------------------------
 */
static int credit(const char *interface, const char *body, const char *member, const char **out)
{
    struct reply r = testing_call(&f, "POST", text("/credit/account/%s", interface), body, NULL);
    int result = (int)json_integer_value(json_object_get(r.json, "result"));

    assert_int_equal(r.status, 200);
    assert_true(row_text(r.json, "msg")[0]);
    assert_true(result == 1 || !json_object_get(r.json, "data"));
    if (out) {
        *out = text("%s", row_text(json_object_get(r.json, "data"), member));
    }
    reply_free(&r);
    return result;
}

static void credit_accounts(void **state)
{
    (void)state;
    const char *accessid = kept(fixture_ok(&f, PROVIDER, "GET", "users/me", NULL, "accessid")),
               *kid, *token;
    const char *account = kept(text("\"accessid\":\"%s\",\"username\":\"provider\"", accessid));
    const char *other = kept(fixture_ok(&f, DEVELOPER, "GET", "users/me", NULL, "accessid"));
    assert_int_equal(strlen(accessid), 32);
    assert_string_not_equal(accessid, other);
    assert_int_equal(credit("getPublicKey", "{}", "kid", &kid), 1);
    const char *sealed = testing_sealed(&f, "second-provider-password", 0, "credit-credit-credit");
    const char *body = text("{%s,\"kid\":\"%s\",\"pwd\":\"%s\"}", account, kid, sealed);
    assert_int_equal(credit("getToken", body, "token", &token), 1);
    assert_int_equal(credit("getToken", body, NULL, NULL), 0); /* replayed */
    const struct extra with = {.token = kept(token)};
    struct reply r = testing_call(&f, "GET", "/api/v1/users/me", NULL, &with);
    assert_string_equal(row_text(r.json, "login"), "provider");
    reply_free(&r);
    const char *const wrong[] = {
        text("{%s,\"pwd\":\"wrong\"}", account),
        text("{\"accessid\":\"%s\",\"username\":\"provider\",\"pwd\":\"second-provider-password\"}",
             other),
        text("{\"accessid\":\"\",\"username\":\"provider\",\"pwd\":\"second-provider-password\"}"),
        text("{\"accessid\":\"%s\",\"username\":\"nobody\",\"pwd\":\"second-provider-password\"}",
             accessid),
        text("{%s}", account),
        "{}"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        forget_failures();
        assert_int_equal(credit("getToken", wrong[i], NULL, NULL), 0);
        assert_int_equal(credit("modifyPassword", wrong[i], NULL, NULL), 0);
    }
    forget_failures();
    assert_int_equal(
        credit("modifyPassword",
               text("{%s,\"pwd\":\"second-provider-password\",\"newPwd\":\"weak\"}", account), NULL,
               NULL),
        0);
    assert_int_equal(credit("modifyPassword",
                            text("{%s,\"pwd\":\"wrong\",\"newPwd\":\"Third-password-3\"}", account),
                            NULL, NULL),
                     0);
    assert_int_equal(
        credit("modifyPassword",
               text("{%s,\"pwd\":\"second-provider-password\",\"newPwd\":\"Third-password-3\"}",
                    account),
               NULL, NULL),
        1);
    r = testing_call(&f, "GET", "/api/v1/users/me", NULL, &with); /* signed out by the change */
    assert_string_equal(r.code, "not-signed-in");
    reply_free(&r);
    assert_int_equal(
        credit("getToken", text("{%s,\"pwd\":\"second-provider-password\"}", account), NULL, NULL),
        0);
    assert_int_equal(
        credit("getToken", text("{%s,\"pwd\":\"Third-password-3\"}", account), "token", &token), 1);
    forget_failures();
}

/* Every operation ------------------------------------------------------------------------------
 */
#define NOWHERE "00000000-0000-7000-8000-000000000000"

/* The pattern of a route as an address. */
static const char *target_of(const char *pattern)
{
    struct buf b;
    bool first = true;

    buf_init(&b);
    for (; *pattern; pattern++, first = false) {
        if (*pattern == '*') {
            buf_adds(&b, first ? "apps" : NOWHERE);
        } else {
            buf_addc(&b, *pattern);
        }
    }
    const char *out = text("%.*s", (int)b.n, b.p);
    buf_fini(&b);
    return out;
}

static void without_session(void **state)
{
    size_t open = 0;

    (void)state;
    for (size_t i = 0; i < rest_routes_n; i++) {
        const struct rest_route *r = &rest_routes[i];
        if (r->flags & ROUTE_OPEN) {
            open++;
            continue;
        }
        fixture_refused(&f, NOBODY, r->method, target_of(r->pattern), NULL, "{}", "not-signed-in");
    }
    assert_true(open > 0 && open < rest_routes_n / 3);
}

static void refused_by_role(enum who who, const char *method, const char *target)
{
    struct reply r = fixture_call(&f, who, method, target, "*", "{}");

    if (strcmp(r.code, "not-permitted") != 0 && strcmp(r.code, "not-found") != 0) {
        fail_msg("%s %s by %d: %u %s", method, target, who, r.status, r.code);
    }
    reply_free(&r);
}

/* What its table does not give a role, no role has. */
static void by_role(void **state)
{
    static const struct {
        enum who who;
        enum rest_role role;
    } people[] = {{ADMIN, ROLE_ADMIN},         {OPERATOR, ROLE_OPERATOR}, {PROVIDER, ROLE_PROVIDER},
                  {DEVELOPER, ROLE_DEVELOPER}, {OWNER, ROLE_OWNER},       {AUDITOR, ROLE_AUDITOR}};
    (void)state;
    for (size_t i = 0; i < resources_n * COUNT(people); i++) {
        const struct resource *res = resources[i / COUNT(people)];
        enum who who = people[i % COUNT(people)].who;
        unsigned role = people[i % COUNT(people)].role;
        const char *one = text("%s/" NOWHERE, res->plural);
        if (!(res->create_roles & role)) {
            refused_by_role(who, "POST", res->plural);
        }
        if (!(res->patch_roles & role)) {
            refused_by_role(who, "PATCH", one);
        }
        if (!(res->read_roles & role)) {
            refused_by_role(who, "GET", one);
            refused_by_role(who, "GET", res->plural);
        }
        for (size_t k = 0; k < res->n_transitions; k++) {
            if (!(res->transitions[k].roles & role)) {
                refused_by_role(who, "POST", text("%s/%s", one, res->transitions[k].action));
            }
        }
    }
}

/* A password the platform drew and printed is good for nothing but changing it. */
static void first_account(void **state)
{
    (void)state;
    struct fixture g = {0};
    strcpy(g.dir, "/tmp/sluice-control-XXXXXX");
    assert_non_null(mkdtemp(g.dir));
    g.cfg = (struct control_config){.data_dir = g.dir, .listen_host = "127.0.0.1"};
    assert_true(control_open(&g.ctl, &g.cfg));
    assert_int_equal(testing_count(&g, "SELECT count(*) FROM users"), 1);
    assert_int_equal(testing_count(&g, "SELECT password_change_required FROM users"), 1);
    fixture_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[CI-8.3c] without a session no operation is answered but the open ones", without_session,
         NULL, NULL, NULL},
        {"[CI-8.3c] no role has what its table does not give it", by_role, NULL, NULL, NULL},
        {"[CI-6.1.5a, CI-6.1.5b, EC-3.3, GS-6.4a-1, CI-7.2c1, CI-7.2c2] a registered account waits "
         "for its review",
         registrations, NULL, NULL, NULL},
        {"[EC-3.2, CI-6.1.5b] a refused account is of no use, and its data is sealed",
         refused_registration, NULL, NULL, NULL},
        {"[EC-6.1.4.4c] who does not verify in time loses use and grants until they do",
         verification, NULL, NULL, NULL},
        {"[BK-9.3.1b] what is claimed about a user matches or not, and no word more",
         claimed_fields, NULL, NULL, NULL},
        {"[CI-5.3, CI-5.3a, CI-5.3b, CI-5.3c, CI-7.2c3] the credit platform's accounts",
         credit_accounts, NULL, NULL, NULL},
        {"[SW-10.1-2c] the first account has to change the password it was given", first_account,
         NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
