/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in and its factors, sessions and passwords, as a hostile caller meets them. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/codec.h"
#include "crypto/certificate_testing.h"
#include "identity/testing.h"

static struct fixture f;

#define OPERATOR_PASSWORD      "second-operator-password"
#define LOGIN(login, password) "{\"login\":\"" login "\",\"password\":\"" password "\""
#define OPERATOR_LOGIN         LOGIN("operator", OPERATOR_PASSWORD)

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    base_s = (int64_t)(clock_wall_ms() / 1000);
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

/* Captcha --------------------------------------------------------------------------------------
 */
static void captchas(void **state)
{
    (void)state;
    struct reply r = fixture_call(&f, NOBODY, "POST", "captchas", NULL, NULL);
    assert_int_equal(r.status, 201);
    assert_int_equal(strncmp(row_text(r.json, "image"), "data:image/png;base64,iVBORw0KGgo", 33),
                     0);
    assert_true(strlen(row_text(r.json, "image")) > 2000);
    reply_free(&r);
    testing_setting(&f, "captcha", "always");
    testing_sign_in(&f, OPERATOR_LOGIN "}", NULL, "captcha-invalid", NULL);
    const char *good = testing_captcha(&f);
    testing_sign_in(&f, text(OPERATOR_LOGIN ",%s}", good), NULL, "", NULL);
    testing_sign_in(&f, text(OPERATOR_LOGIN ",%s}", good), NULL, "captcha-invalid", NULL);
    const char *late = testing_captcha(&f);
    testing_sql(&f, "UPDATE captchas SET expires_at = 1");
    testing_sign_in(&f, text(OPERATOR_LOGIN ",%s}", late), NULL, "captcha-invalid", NULL);
    /* Spent by a wrong answer, so it cannot be tried out. */
    const char *tried = testing_captcha(&f);
    testing_sign_in(&f, text(OPERATOR_LOGIN ",%.52s\"captcha\":\"ACDEE\"}", tried), NULL,
                    "captcha-invalid", NULL);
    forget_failures();
    testing_sign_in(&f, text(OPERATOR_LOGIN ",%s}", tried), NULL, "captcha-invalid", NULL);
    testing_setting(&f, "captcha", "after-failures");
    forget_failures();
}

static void brute_force(void **state)
{
    (void)state;
    const struct extra from = {.address = "192.0.2.7"};
    int64_t noted = testing_count(&f, "SELECT count(*) FROM operations WHERE action = "
                                      "'fail-to-prove' AND actor = 'operator'");
    for (int i = 0; i < 3; i++) {
        testing_sign_in(&f, LOGIN("operator", "wrong") "}", NULL, "sign-in-failed", NULL);
    }
    testing_sign_in(&f, OPERATOR_LOGIN "}", NULL, "captcha-invalid", NULL);
    assert_int_equal(testing_count(&f, "SELECT count(*) FROM operations WHERE action = "
                                       "'fail-to-prove' AND actor = 'operator'"),
                     noted + 4);
    testing_sign_in(&f, text(OPERATOR_LOGIN ",%s}", testing_captcha(&f)), NULL, "", NULL);
    testing_sign_in(&f, OPERATOR_LOGIN "}", NULL, "", NULL); /* success forgets */
    for (int i = 0; i < 10; i++) {                           /* one address, many logins */
        testing_sign_in(&f, text("{\"login\":\"nobody-%d\",\"password\":\"wrong\"}", i), &from,
                        "sign-in-failed", NULL);
    }
    testing_sign_in(&f, OPERATOR_LOGIN "}", &from, "captcha-invalid", NULL);
    testing_sign_in(&f, text(OPERATOR_LOGIN ",%s}", testing_captcha(&f)), &from, "", NULL);
    forget_failures();
    for (int i = 0; i < 5; i++) {
        testing_sign_in(&f, text(LOGIN("operator", "wrong") ",%s}", testing_captcha(&f)), NULL,
                        "sign-in-failed", NULL);
    }
    testing_sign_in(&f, text(OPERATOR_LOGIN ",%s}", testing_captcha(&f)), NULL, "too-many-attempts",
                    NULL);
    forget_failures();
}

static double cpu_of(const char *body)
{
    struct timespec a, b;

    forget_failures();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    testing_sign_in(&f, body, NULL, "sign-in-failed", NULL);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    return (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
}

/* Whoever does not exist costs what a wrong password does, and reads the same. */
static void enumeration(void **state)
{
    (void)state;
    fixture_ok(&f, ADMIN, "POST", "users",
               "{\"login\":\"gone\",\"role\":\"auditor\",\"password\":\"one-time-password\"}",
               NULL);
    testing_sql(&f, "UPDATE users SET state = 'locked' WHERE login = 'gone'");
    cpu_of(LOGIN("operator", "wrong") "}");
    double wrong = cpu_of(LOGIN("operator", "wrong") "}");
    static const char *const others[] = {LOGIN("no-such", "wrong") "}",
                                         LOGIN("gone", "one-time-password") "}",
                                         "{\"login\":\"no-such\",\"password_sealed\":\"AAAA\"}",
                                         "{\"login\":\"operator\",\"certificate\":true}"};
    for (size_t i = 0; i < COUNT(others); i++) {
        double other = cpu_of(others[i]);
        if (other < wrong / 3 || other > wrong * 3) {
            fail_msg("%s: %.2f ms, a wrong password %.2f ms", others[i], other, wrong);
        }
    }
    struct reply a = testing_call(&f, "POST", "/api/v1/sessions", LOGIN("operator", "x") "}", NULL),
                 b = testing_call(&f, "POST", "/api/v1/sessions", LOGIN("no-such", "x") "}", NULL);
    assert_string_equal(row_text(a.json, "detail"), row_text(b.json, "detail"));
    assert_string_equal(row_text(a.json, "title"), row_text(b.json, "title"));
    assert_int_equal(json_object_size(a.json), json_object_size(b.json));
    reply_free(&a);
    reply_free(&b);
    forget_failures();
}

/* Passwords ------------------------------------------------------------------------------------
 */
static void passwords(void **state)
{
    (void)state;
    static const char *const weak[] = {"short-1A",       "alllowercase", "nokinds12345",
                                       "Password1234",   "P@SSW0RD1234", "11111111111111111111",
                                       "picky.one.user", "Admin@123456"};
    for (size_t i = 0; i < COUNT(weak); i++) {
        fixture_refused(
            &f, ADMIN, "POST", "users", NULL,
            text("{\"login\":\"picky.one.user\",\"role\":\"auditor\",\"password\":\"%s\"}",
                 weak[i]),
            "field-invalid");
    }
    fixture_ok(&f, ADMIN, "POST", "users",
               "{\"login\":\"picky\",\"role\":\"auditor\",\"password\":\"Mixed-kinds-0\"}", NULL);
    snprintf(f.token[NOBODY], sizeof f.token[NOBODY], "%s",
             testing_sign_in(&f, LOGIN("picky", "Mixed-kinds-0") "}", NULL, "", "token"));
    for (int i = 1; i <= 5; i++) {
        fixture_ok(&f, NOBODY, "PUT", "users/me/password",
                   text("{\"old_password\":\"Mixed-kinds-%d\",\"new_password\":\"Mixed-kinds-%d\"}",
                        i - 1, i),
                   NULL);
    }
    for (int i = 1; i <= 5; i++) { /* the last five are refused */
        fixture_refused(
            &f, NOBODY, "PUT", "users/me/password", NULL,
            text("{\"old_password\":\"Mixed-kinds-5\",\"new_password\":\"Mixed-kinds-%d\"}", i),
            "field-invalid");
    }
    fixture_ok(&f, NOBODY, "PUT", "users/me/password",
               "{\"old_password\":\"Mixed-kinds-5\",\"new_password\":\"Mixed-kinds-0\"}", NULL);
    f.token[NOBODY][0] = '\0';
    assert_int_equal(testing_count(&f, "SELECT count(*) FROM operations WHERE before LIKE "
                                       "'%Mixed-kinds%' OR after LIKE '%Mixed-kinds%' OR after "
                                       "LIKE '%argon2%'"),
                     0);
}

static void sealed_passwords(void **state)
{
    (void)state;
    const char *sealed = testing_sealed(&f, OPERATOR_PASSWORD, 0, "nonce-nonce-nonce");
    const char *body = text("{\"login\":\"operator\",\"password_sealed\":\"%s\"}", sealed);
    testing_sign_in(&f, body, NULL, "", NULL);
    testing_sign_in(&f, body, NULL, "sign-in-failed", NULL); /* replayed */
    forget_failures();
    const struct {
        const char *password, *nonce;
        uint64_t ago_ms;
    } wrong[] = {
        {OPERATOR_PASSWORD, "nonce-nonce-nonc2", 121000},
        {OPERATOR_PASSWORD, "nonce-nonce-nonc3", (uint64_t)-121000},
        {OPERATOR_PASSWORD, "short", 0},
        {"another password", "nonce-nonce-nonc4", 0},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        sealed = testing_sealed(&f, wrong[i].password, wrong[i].ago_ms, wrong[i].nonce);
        testing_sign_in(&f, text("{\"login\":\"operator\",\"password_sealed\":\"%s\"}", sealed),
                        NULL, "sign-in-failed", NULL);
        forget_failures();
    }
    /* A changed byte, and one that says both. */
    char *changed = strdup(testing_sealed(&f, OPERATOR_PASSWORD, 0, "nonce-nonce-nonc5"));
    changed[60] = changed[60] == 'A' ? 'B' : 'A';
    testing_sign_in(&f, text("{\"login\":\"operator\",\"password_sealed\":\"%s\"}", changed), NULL,
                    "sign-in-failed", NULL);
    testing_sign_in(&f, text(OPERATOR_LOGIN ",\"password_sealed\":\"%s\"}", changed), NULL,
                    "field-invalid", NULL);
    free(changed);
    forget_failures();
    assert_int_equal(testing_count(&f, "SELECT count(*) FROM login_keys"), 1);
    assert_int_equal(
        testing_count(&f, "SELECT count(*) FROM login_keys WHERE private_sealed LIKE '%KEY%'"), 0);
}

static void sealed_texts(void **state)
{
    (void)state;
    static const struct {
        const char *plain;
        bool ok;
    } rows[] = {
        {"1.abcdefghijklmnop.p", true},
        {"1700000000000.ABCDEFGHIJKLMNOP-_.a.b.c", true},
        {"", false},
        {".abcdefghijklmnop.p", false},
        {"1", false},
        {"1.", false},
        {"1.abcdefghijklmno.p", false},
        {"1.abcdefghijklmnop", false},
        {"1.abcdefghijklmnop.", false},
        {"-1.abcdefghijklmnop.p", false},
        {"1.abcdefghijklmno!.p", false},
        {"1234567890123456.abcdefghijklmnop.p", false},
        {"1 .abcdefghijklmnop.p", false},
        {"1.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.p", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sealed_text s = {.at_ms = 77};
        if (sealed_parse(&s, slice_str(rows[i].plain)) != rows[i].ok) {
            fail_msg("%s", rows[i].plain);
        }
        assert_true(rows[i].ok || s.at_ms == 77);
    }
    struct sealed_text s;
    assert_false(sealed_parse(&s, slice_of("1.abcdefghijklmnop.p\0q", 22)));
}

/* Second factors -------------------------------------------------------------------------------
 */
static void one_time_codes(void **state)
{
    (void)state;
    uint8_t secret[20];
    fixture_refused(&f, OPERATOR, "POST", "users/me/totp/confirm", NULL, "{\"otp\":\"123456\"}",
                    "state-conflict");
    const char *used = testing_enrol(&f, OPERATOR, secret);
    fixture_refused(&f, OPERATOR, "POST", "users/me/totp", NULL, NULL, "state-conflict");
    testing_sign_in(&f, OPERATOR_LOGIN "}", NULL, "second-factor-required", NULL);
    /* The code of the enrolment is used. */
    testing_sign_in(&f, text(OPERATOR_LOGIN ",\"otp\":\"%s\"}", used), NULL,
                    "second-factor-invalid", NULL);
    const char *next = text(OPERATOR_LOGIN ",\"otp\":\"%s\"}", testing_otp(secret, 1));
    testing_sign_in(&f, next, NULL, "", NULL);
    testing_sign_in(&f, next, NULL, "second-factor-invalid", NULL);
    testing_sign_in(&f, text(LOGIN("operator", "wrong") ",\"otp\":\"%s\"}", testing_otp(secret, 1)),
                    NULL, "sign-in-failed", NULL); /* nothing about the code */
    forget_failures();
    for (int i = 0; i < 5; i++) { /* six digits are not tried out */
        testing_sign_in(&f, text(OPERATOR_LOGIN ",\"otp\":\"00000%d\",%s}", i, testing_captcha(&f)),
                        NULL, "second-factor-invalid", NULL);
    }
    testing_sql(&f, "UPDATE users SET totp_last_step = 0");
    testing_sign_in(
        &f, text(OPERATOR_LOGIN ",\"otp\":\"%s\",%s}", testing_otp(secret, 1), testing_captcha(&f)),
        NULL, "too-many-attempts", NULL);
    forget_failures();
    assert_int_equal(testing_count(&f, "SELECT count(*) FROM operations WHERE after LIKE "
                                       "'%sealed%' OR after LIKE '%otpauth%'"),
                     0);
    fixture_refused(&f, OPERATOR, "POST", "users/me/totp/remove", NULL, "{\"otp\":\"000000\"}",
                    "second-factor-invalid");
    fixture_ok(&f, OPERATOR, "POST", "users/me/totp/remove",
               text("{\"otp\":\"%s\"}", testing_otp(secret, 1)), NULL);
    testing_sign_in(&f, OPERATOR_LOGIN "}", NULL, "", NULL);
}

/* The setting bites sessions that are open; enrolling or stepping up lifts it. */
static void enforced_factors(void **state)
{
    (void)state;
    uint8_t secret[20];
    testing_setting(&f, "second-factor", "staff");
    testing_sql(&f, "UPDATE sessions SET factors = 1");
    fixture_refused(&f, OPERATOR, "GET", "apps", NULL, NULL, "second-factor-required");
    fixture_ok(&f, DEVELOPER, "GET", "apps", NULL, NULL);
    testing_enrol(&f, OPERATOR, secret);
    fixture_ok(&f, OPERATOR, "GET", "apps", NULL, NULL);
    snprintf(f.token[NOBODY], sizeof f.token[NOBODY], "%s",
             testing_sign_in(&f, text(OPERATOR_LOGIN ",\"otp\":\"%s\"}", testing_otp(secret, 1)),
                             NULL, "", "token"));
    fixture_ok(&f, NOBODY, "GET", "apps", NULL, NULL);
    f.token[NOBODY][0] = '\0';
    testing_enrol(&f, ADMIN, secret);
    testing_setting(&f, "second-factor", "off");
    /* An administrator takes an authenticator away and never gives one. */
    const char *id = fixture_ok(&f, OPERATOR, "GET", "users/me", NULL, "id");
    fixture_ok(&f, ADMIN, "PATCH", text("users/%s", id), "{\"totp\":false}", NULL);
    fixture_refused(&f, ADMIN, "PATCH", text("users/%s", id), "auto", "{\"totp\":true}",
                    "field-invalid");
    testing_sign_in(&f, OPERATOR_LOGIN "}", NULL, "", NULL);
}

static void step_up(void **state)
{
    (void)state;
    uint8_t secret[20];
    testing_enrol(&f, OWNER, secret);
    testing_sql(&f, "UPDATE sessions SET factors = 1");
    fixture_refused(&f, OWNER, "POST", "sessions/current/factors", NULL, "{\"otp\":\"000000\"}",
                    "second-factor-invalid");
    fixture_refused(&f, OWNER, "POST", "sessions/current/factors", NULL, "{}", "field-invalid");
    fixture_refused(&f, OWNER, "POST", "sessions/current/factors", NULL, "{\"certificate\":true}",
                    "second-factor-invalid");
    const char *code = testing_otp(secret, 1);
    struct reply r = fixture_call(&f, OWNER, "POST", "sessions/current/factors", NULL,
                                  text("{\"otp\":\"%s\"}", code));
    assert_int_equal(r.status, 200);
    assert_int_equal(json_array_size(json_object_get(r.json, "factors")), 2);
    reply_free(&r);
    assert_int_equal(testing_count(&f, "SELECT count(*) FROM sessions WHERE factors = 3"), 1);
    fixture_refused(&f, OWNER, "POST", "sessions/current/factors", NULL,
                    text("{\"otp\":\"%s\"}", code), "second-factor-invalid");
    forget_failures();
}

/* Certificates ---------------------------------------------------------------------------------
 */
static const char *json_of(struct slice pem)
{
    json_t *v = json_stringn(pem.p, pem.n);
    char *dump = json_dumps(v, JSON_ENCODE_ANY);
    const char *out = text("%s", dump);

    free(dump);
    free((char *)pem.p);
    json_decref(v);
    return out;
}

static const char *add_trust(const struct party *ca)
{
    return fixture_ok(&f, OPERATOR, "POST", "trusts",
                      text("{\"name\":\"CA\",\"certificate\":%s}", json_of(pem_of_x509(ca->x509))),
                      "id");
}

static void expect_certificate(const struct party *client, const char *body, const char *code)
{
    struct slice der = der_of_x509(client->x509);
    const struct extra with = {.certificate = der};

    forget_failures();
    testing_sign_in(&f, body, &with, code, NULL);
    free((char *)der.p);
}

#define ALONE "{\"login\":\"operator\",\"certificate\":true}"
#define BOTH  OPERATOR_LOGIN ",\"certificate\":true}"
static void certificates(void **state)
{
    (void)state;
    struct plan late = plan_client, other_ca_plan = plan_ca, other_name = plan_client;
    late.from_days = -20;
    late.until_days = -1;
    other_ca_plan.name = "Other CA";
    other_name.name = "somebody";
    struct party ca = party_make(&plan_ca, NULL), other_ca = party_make(&other_ca_plan, NULL);
    struct party good = party_make(&plan_client, &ca), forged = party_make(&plan_client, &other_ca),
                 self = party_make(&plan_client, NULL), expired = party_make(&late, &ca),
                 stranger = party_make(&other_name, &ca), revoked = party_make(&plan_client, &ca);
    const char *trust = add_trust(&ca),
               *id = fixture_ok(&f, OPERATOR, "GET", "users/me", NULL, "id");

    expect_certificate(&good, ALONE, "sign-in-failed"); /* not registered */
    add_trust(&other_ca); /* trusted by the platform, but not for this user */
    fixture_refused(&f, ADMIN, "PATCH", text("users/%s", id), "auto",
                    "{\"certificate_subject\":\"CN=app\"}", "field-invalid");
    struct crypto_certificate *crt = party_certificate(&good);
    fixture_ok(&f, ADMIN, "PATCH", text("users/%s", id),
               text("{\"certificate_subject\":\"%s\",\"certificate_trust_id\":\"%s\"}",
                    crypto_certificate_subject(crt), trust),
               NULL);
    crypto_certificate_free(&crt);
    expect_certificate(&good, ALONE, "");
    expect_certificate(&good, BOTH, "");
    expect_certificate(&good, LOGIN("operator", "wrong") ",\"certificate\":true}",
                       "sign-in-failed");
    expect_certificate(&forged, ALONE, "sign-in-failed");
    expect_certificate(&forged, BOTH, "second-factor-invalid");
    expect_certificate(&self, BOTH, "second-factor-invalid");
    expect_certificate(&expired, BOTH, "second-factor-invalid");
    expect_certificate(&stranger, BOTH, "second-factor-invalid");
    expect_certificate(&good, "{\"login\":\"auditor\",\"certificate\":true}", "sign-in-failed");
    testing_sign_in(&f, BOTH, NULL, "second-factor-invalid", NULL); /* none on the connection */
    struct slice crl = crl_make(&ca, &revoked, -1, 5, false);
    char *crl_text = calloc(1, crl.n * 2 + 8);
    codec_base64(crl_text, crl.p, crl.n);
    fixture_ok(&f, OPERATOR, "PATCH", text("trusts/%s", trust), text("{\"crl\":\"%s\"}", crl_text),
               NULL);
    expect_certificate(&revoked, BOTH, "second-factor-invalid");
    expect_certificate(&good, BOTH, "");
    fixture_ok(&f, OPERATOR, "POST", text("trusts/%s/disable", trust), NULL, NULL);
    expect_certificate(&good, BOTH, "second-factor-invalid");
    struct party *all[] = {&ca, &other_ca, &good, &forged, &self, &expired, &stranger, &revoked};
    for (size_t i = 0; i < COUNT(all); i++) {
        party_free(all[i]);
    }
    free(crl_text);
    free((char *)crl.p);
    forget_failures();
    /* A password alone does not enrol an authenticator past the certificate. */
    fixture_refused(&f, OPERATOR, "POST", "users/me/totp", NULL, NULL, "second-factor-required");
}

/* Sessions -------------------------------------------------------------------------------------
 */
static const char *policy_of(const char *scenario)
{
    struct reply r = fixture_call(&f, ADMIN, "GET", "session_policies", NULL, NULL);
    const char *id = "";
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(r.json, "items"), i, item)
    {
        if (strcmp(row_text(item, "scenario"), scenario) == 0) {
            id = text("session_policies/%s", row_text(item, "id"));
        }
    }
    reply_free(&r);
    return id;
}

static void session_times(void **state)
{
    (void)state;
    const char *api = policy_of("api");
    fixture_refused(&f, OPERATOR, "PATCH", api, "auto", "{\"idle_s\":60}", "not-permitted");
    fixture_refused(&f, ADMIN, "PATCH", api, "auto", "{\"absolute_s\":86401}", "field-invalid");
    fixture_refused(&f, ADMIN, "PATCH", api, "auto", "{\"idle_s\":3601}", "field-invalid");
    fixture_refused(&f, ADMIN, "PATCH", api, "auto", "{\"idle_s\":null}", "field-invalid");
    fixture_refused(&f, ADMIN, "PATCH", api, "auto", "{\"idle_s\":600,\"absolute_s\":500}",
                    "field-invalid");
    fixture_refused(&f, ADMIN, "POST", "session_policies", NULL, "{\"idle_s\":60}",
                    "not-permitted");
    fixture_ok(&f, ADMIN, "PATCH", api, "{\"idle_s\":60,\"absolute_s\":120}", NULL);
    testing_sign_in(&f, OPERATOR_LOGIN ",\"scenario\":\"moon\"}", NULL, "field-invalid", NULL);
    testing_sign_in(&f,
                    LOGIN("developer", "second-developer-password") ",\"scenario\":\"counter\"}",
                    NULL, "not-permitted", NULL);
    testing_sign_in(&f, OPERATOR_LOGIN ",\"scenario\":\"counter\"}", NULL, "", NULL);
    static const char *const ends[] = {
        "UPDATE sessions SET used_at = used_at - 61000 WHERE scenario = 'api'",
        "UPDATE sessions SET expires_at = expires_at - 121000 WHERE scenario = 'api'",
    };
    for (size_t i = 0; i < COUNT(ends); i++) {
        snprintf(f.token[NOBODY], sizeof f.token[NOBODY], "%s",
                 testing_sign_in(&f, OPERATOR_LOGIN ",\"scenario\":\"api\"}", NULL, "", "token"));
        fixture_ok(&f, NOBODY, "GET", "apps", NULL, NULL);
        testing_sql(&f, ends[i]);
        fixture_refused(&f, NOBODY, "GET", "apps", NULL, NULL, "not-signed-in");
    }
    f.token[NOBODY][0] = '\0';
}

/* A token that is brought along is never made a session, and each sign-in has one of its own. */
static void fixation(void **state)
{
    (void)state;
    static const char planted[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const struct extra with = {.token = planted};
    const char *one = testing_sign_in(&f, OPERATOR_LOGIN "}", &with, "", "token"),
               *two = testing_sign_in(&f, OPERATOR_LOGIN "}", &with, "", "token");
    assert_string_not_equal(one, planted);
    assert_string_not_equal(one, two);
    struct reply r = testing_call(&f, "GET", "/api/v1/users/me", NULL, &with);
    assert_string_equal(r.code, "not-signed-in");
    reply_free(&r);
    /* The public id is no token. */
    const struct extra by_id = {.token =
                                    testing_sign_in(&f, OPERATOR_LOGIN "}", NULL, "", "session")};
    r = testing_call(&f, "GET", "/api/v1/users/me", NULL, &by_id);
    assert_string_equal(r.code, "not-signed-in");
    reply_free(&r);
}

static size_t sessions_of(enum who who, const char *query)
{
    struct reply r = fixture_call(&f, who, "GET", text("sessions%s", query), NULL, NULL);
    size_t n = json_array_size(json_object_get(r.json, "items"));

    assert_int_equal(r.status, 200);
    reply_free(&r);
    return n;
}

static void listed_sessions(void **state)
{
    (void)state;
    const char *id = fixture_ok(&f, DEVELOPER, "GET", "users/me", NULL, "id");
    size_t before = sessions_of(DEVELOPER, "");
    const char *body = LOGIN("developer", "second-developer-password") "}";
    const char *session = testing_sign_in(&f, body, NULL, "", "session");
    testing_sign_in(&f, body, NULL, "", NULL);
    assert_int_equal(sessions_of(DEVELOPER, ""), before + 2);
    assert_int_equal(sessions_of(ADMIN, text("?user_id=%s", id)), before + 2);
    fixture_refused(&f, STRANGER, "GET", text("sessions?user_id=%s", id), NULL, NULL,
                    "not-permitted");
    fixture_refused(&f, STRANGER, "DELETE", text("sessions/%s", session), NULL, NULL, "not-found");
    fixture_ok(&f, DEVELOPER, "DELETE", text("sessions/%s", session), NULL, NULL);
    fixture_refused(&f, DEVELOPER, "DELETE", text("sessions/%s", session), NULL, NULL, "not-found");
    assert_int_equal(sessions_of(DEVELOPER, ""), before + 1);
    fixture_refused(&f, OPERATOR, "DELETE", text("users/%s/sessions", id), NULL, NULL,
                    "not-permitted");
    fixture_ok(&f, ADMIN, "DELETE", text("users/%s/sessions", id), NULL, NULL);
    fixture_refused(&f, DEVELOPER, "GET", "apps", NULL, NULL, "not-signed-in");
    assert_true(testing_count(&f, text("SELECT count(*) FROM operations WHERE action = 'sign-out' "
                                       "AND resource_id = '%s'",
                                       session)) == 1);
    snprintf(f.token[DEVELOPER], sizeof f.token[DEVELOPER], "%s",
             testing_sign_in(&f, body, NULL, "", "token"));
    /* Other sessions end with the password, the one that changed it goes on. */
    const struct extra other = {.token = testing_sign_in(&f, body, NULL, "", "token")};
    fixture_ok(&f, DEVELOPER, "PUT", "users/me/password",
               "{\"old_password\":\"second-developer-password\",\"new_password\":\"third-developer-"
               "password\"}",
               NULL);
    fixture_ok(&f, DEVELOPER, "GET", "apps", NULL, NULL);
    struct reply r = testing_call(&f, "GET", "/api/v1/users/me", NULL, &other);
    assert_string_equal(r.code, "not-signed-in");
    reply_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[SW-9.5-1d] a captcha counts once, in time and with the right answer", captchas, NULL,
         NULL, NULL},
        {"[CI-8.3b] wrong passwords bring captchas, then waits; an address with many, captchas",
         brute_force, NULL, NULL, NULL},
        {"[CI-7.2c2] an unknown login costs and reads like a wrong password", enumeration, NULL,
         NULL, NULL},
        {"[SW-9.1-8b, SW-9.5-1c] weak passwords and the last five are refused", passwords, NULL,
         NULL, NULL},
        {"[CI-5.3a, CI-7.2c3] a sealed password opens once, in time, whole", sealed_passwords, NULL,
         NULL, NULL},
        {"what a sealed password looks like inside", sealed_texts, NULL, NULL, NULL},
        {"[BK-7.2.1b2-2] a code of an authenticator counts once and is not tried out",
         one_time_codes, NULL, NULL, NULL},
        {"[CI-8.3b, SW-9.3-2e] where two factors are demanded one opens nothing", enforced_factors,
         NULL, NULL, NULL},
        {"[BK-7.2.1b1] a session gets a stronger factor", step_up, NULL, NULL, NULL},
        {"[SW-4b, SW-5-access-e] a certificate counts by its CA, chain, time and revocation",
         certificates, NULL, NULL, NULL},
        {"[BK-9.3.1c1, BK-9.3.1c2] sessions end by their scenario's times", session_times, NULL,
         NULL, NULL},
        {"a planted token is no session", fixation, NULL, NULL, NULL},
        {"sessions are listed and ended, by their user and an administrator", listed_sessions, NULL,
         NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
