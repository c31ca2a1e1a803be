/* SPDX-License-Identifier: Apache-2.0 */
/* How long credentials live, who replaces them, certificates of the platform's own CA. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "crypto/authority.h"
#include "crypto/key.h"
#include "jobs/jobs.h"
#include "test/fixture.h"

#define DAY_MS (86400ull * 1000)

static struct fixture f;
static char app[40];

static const char *new_app(const char *name)
{
    const char *id = fixture_ok(
        &f, DEVELOPER, "POST", "apps",
        text("{\"name\":\"%s\",\"organisation_id\":\"%s\",\"environment\":\"controlled\","
             "\"services\":[\"payments\"]}",
             name, f.third),
        "id");
    fixture_ok(&f, OPERATOR, "POST", text("apps/%s/admit", id), NULL, NULL);
    return id;
}

static int setup(void **state)
{
    (void)state;
    fixture_open(&f);
    fixture_people(&f);
    snprintf(app, sizeof app, "%s", new_app("erp"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

static const char *in_days(unsigned days)
{
    char out[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(clock_wall_ms() + days * DAY_MS, out);
    return text("%s", out);
}

static const char *make(const char *more)
{
    return fixture_ok(&f, DEVELOPER, "POST", "credentials",
                      text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"%s}", app, more), "id");
}

static const char *member(const char *plural, const char *id, const char *name)
{
    return fixture_ok(&f, OPERATOR, "GET", text("%s/%s", plural, id), NULL, name);
}

static const char *quoted(const char *s)
{
    json_t *v = json_string(s);
    char *dump = json_dumps(v, JSON_ENCODE_ANY);
    const char *out = text("%s", dump);

    free(dump);
    json_decref(v);
    return out;
}

static void classes_bound_a_life(void **state)
{
    (void)state;
    const char *a1 = make(""), *a2 = make(",\"class\":\"A2\"");
    assert_string_equal(member("credentials", a1, "class"), "A1");
    assert_true(strcmp(member("credentials", a1, "expires_at"), in_days(364)) > 0);
    assert_true(strcmp(member("credentials", a1, "expires_at"), in_days(366)) < 0);
    assert_true(strcmp(member("credentials", a2, "expires_at"), in_days(181)) < 0);
    assert_true(strcmp(member("credentials", a2, "expires_at"), in_days(179)) > 0);
    fixture_refused(&f, DEVELOPER, "POST", "credentials", NULL,
                    text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\",\"class\":\"A2\","
                         "\"expires_at\":\"%s\"}",
                         app, in_days(366)),
                    "field-invalid");
    make(text(",\"expires_at\":\"%s\"", in_days(366)));
    fixture_refused(&f, DEVELOPER, "PATCH", text("credentials/%s", a2), "auto",
                    text("{\"expires_at\":\"%s\"}", in_days(400)), "field-invalid");
    fixture_ok(&f, DEVELOPER, "PATCH", text("credentials/%s", a2),
               text("{\"expires_at\":\"%s\"}", in_days(300)), NULL);
    const char *policy = "01a20106-0dc8-7000-8000-0000000000a2";
    fixture_refused(&f, OPERATOR, "PATCH", text("credential_policies/%s", policy), "auto",
                    "{\"max_days\":90}", "not-permitted");
    fixture_refused(&f, ADMIN, "PATCH", text("credential_policies/%s", policy), "auto",
                    "{\"max_days\":90}", "field-invalid");
    fixture_ok(&f, ADMIN, "PATCH", text("credential_policies/%s", policy),
               "{\"default_days\":30,\"max_days\":90}", NULL);
    a2 = make(",\"class\":\"A2\"");
    assert_true(strcmp(member("credentials", a2, "expires_at"), in_days(31)) < 0);
    fixture_ok(&f, ADMIN, "PATCH", text("credential_policies/%s", policy),
               "{\"default_days\":180,\"max_days\":365}", NULL);
}

static void warned_then_expired(void **state)
{
    (void)state;
    const char *near = make(text(",\"expires_at\":\"%s\"", in_days(20)));
    const char *far = make(text(",\"expires_at\":\"%s\"", in_days(40)));
    jobs_run_once(&f.ctl, clock_wall_ms());
    const char *warned = member("credentials", near, "warned_at");
    assert_string_not_equal(warned, "");
    assert_string_equal(member("credentials", far, "warned_at"), "");
    jobs_run_once(&f.ctl, clock_wall_ms() + DAY_MS);
    assert_string_equal(member("credentials", near, "warned_at"), warned); /* once */
    jobs_run_once(&f.ctl, clock_wall_ms() + 21 * DAY_MS);
    assert_string_equal(member("credentials", near, "state"), "expired");
    assert_string_not_equal(member("credentials", far, "warned_at"), "");
    json_t *data = fixture_fed(&f, "credential", near);
    assert_string_equal(row_text(data, "state"), "revoked");
    json_decref(data);
    fixture_refused(&f, DEVELOPER, "PATCH", text("credentials/%s", near), "auto",
                    text("{\"expires_at\":\"%s\"}", in_days(90)), "state-conflict");
}

static void one_successor(void **state)
{
    (void)state;
    const char *old = make(",\"label\":\"till\"");
    const char *rotate = text("credentials/%s/rotate", old);
    fixture_refused(&f, STRANGER, "POST", rotate, "*", "{}", "not-found");
    fixture_refused(&f, DEVELOPER, "POST", rotate, NULL, "{}", "precondition-required");
    fixture_refused(&f, DEVELOPER, "POST", rotate, "auto", "{\"overlap_s\":99999999}",
                    "field-invalid");
    fixture_refused(&f, DEVELOPER, "POST", rotate, "auto", "{\"app_id\":\"x\"}", "field-invalid");
    assert_string_equal(member("credentials", old, "overlap_until"), "");
    struct reply r = fixture_call(&f, DEVELOPER, "POST", rotate, "auto", "{\"overlap_s\":60}");
    assert_int_equal(r.status, 201);
    assert_string_equal(row_text(r.json, "supersedes"), old);
    assert_string_equal(row_text(r.json, "label"), "till");
    assert_int_equal(strlen(row_text(r.json, "secret")), 43);
    assert_string_equal(member("credentials", row_text(r.json, "id"), "secret"), "");
    reply_free(&r);
    assert_string_equal(member("credentials", old, "state"), "active");
    assert_string_equal(member("credentials", old, "overlap_until"),
                        member("credentials", old, "expires_at"));
    fixture_refused(&f, DEVELOPER, "POST", rotate, "auto", "{}", "state-conflict");
    fixture_refused(&f, DEVELOPER, "PATCH", text("credentials/%s", old), "auto",
                    text("{\"expires_at\":\"%s\"}", in_days(90)), "state-conflict");
    jobs_run_once(&f.ctl, clock_wall_ms() + 61000);
    assert_string_equal(member("credentials", old, "state"), "expired");
}

static void a_lost_key(void **state)
{
    (void)state;
    struct crypto_key *key = crypto_key_new(CRYPTO_KEY_P256);
    char *pem = crypto_key_public_pem(key);
    const char *body =
        text("{\"app_id\":\"%s\",\"algorithm\":\"ecdsa-p256-sha256\",\"public_key\":%s}", app,
             quoted(pem));
    const char *id = fixture_ok(&f, DEVELOPER, "POST", "credentials", body, "id");
    assert_string_equal(member("credentials", id, "key_id"), crypto_key_id(key));
    assert_string_equal(member("credentials", id, "created_by"), "developer");
    fixture_refused(&f, STRANGER, "POST", text("credentials/%s/report-loss", id), "*", NULL,
                    "not-found");
    fixture_ok(&f, DEVELOPER, "POST", text("credentials/%s/report-loss", id),
               "{\"reason\":\"the disk is gone\"}", NULL);
    json_t *data = fixture_fed(&f, "credential", id);
    assert_string_equal(row_text(data, "state"), "revoked");
    json_decref(data);
    fixture_refused(&f, DEVELOPER, "POST", text("credentials/%s/resume", id), "auto", NULL,
                    "not-permitted");
    fixture_refused(&f, DEVELOPER, "POST", "credentials", NULL, body, "already-exists");
    fixture_ok(&f, DEVELOPER, "POST", text("credentials/%s/revoke", id), NULL, NULL);
    fixture_refused(&f, DEVELOPER, "POST", "credentials", NULL, body, "already-exists");
    fixture_refused(&f, OPERATOR, "POST", text("credentials/%s/resume", id), "auto", NULL,
                    "state-conflict");
    assert_string_equal(member("credentials", id, "reason"), "the disk is gone");
    free(pem);
    crypto_key_free(&key);
}

static void exit_voids_all(void **state)
{
    (void)state;
    char gone[40];
    snprintf(gone, sizeof gone, "%s", new_app("leaving"));
    const char *id = fixture_ok(&f, DEVELOPER, "POST", "credentials",
                                text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", gone), "id");
    fixture_ok(&f, DEVELOPER, "POST", text("apps/%s/withdraw", gone), NULL, NULL);
    assert_string_equal(member("credentials", id, "state"), "revoked");
    assert_string_equal(member("credentials", id, "reason"), "the app has left");
    assert_string_not_equal(member("credentials", id, "voided_at"), "");
    struct reply r =
        fixture_call(&f, AUDITOR, "GET", text("credentials?app_id=%s", gone), NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(r.json, "items")), 1);
    reply_free(&r);
    fixture_refused(&f, DEVELOPER, "POST", "credentials", NULL,
                    text("{\"app_id\":\"%s\",\"algorithm\":\"hmac-sm3\"}", gone), "state-conflict");
}

/* A request as openssl req makes one; flip: one bit of its signature is changed. */
static const char *request(EVP_PKEY *key, bool flip)
{
    X509_REQ *req = X509_REQ_new();
    X509_NAME *name = X509_REQ_get_subject_name(req);
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;

    X509_REQ_set_version(req, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"somebody else", -1, -1,
                               0);
    X509_REQ_set_pubkey(req, key);
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:bank.example");
    X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
    sk_X509_EXTENSION_push(extensions, san);
    sk_X509_EXTENSION_push(extensions, ca);
    X509_REQ_add_extensions(req, extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    assert_true(X509_REQ_sign(req, key, EVP_sha256()) > 0);
    if (flip) {
        const ASN1_BIT_STRING *sig = NULL;
        X509_REQ_get0_signature(req, &sig, NULL);
        ((ASN1_BIT_STRING *)(uintptr_t)sig)->data[10] ^= 1;
    }
    PEM_write_bio_X509_REQ(bio, req);
    long n = BIO_get_mem_data(bio, &bytes);
    const char *out = text("%.*s", (int)n, bytes);
    BIO_free(bio);
    X509_REQ_free(req);
    return out;
}

static const char *asking(const char *csr)
{
    return text("{\"app_id\":\"%s\",\"csr\":%s}", app, quoted(csr));
}

static void requests_that_are_wrong(void **state)
{
    (void)state;
    EVP_PKEY *good = EVP_EC_gen("P-256"), *curve = EVP_EC_gen("P-384"), *weak = EVP_RSA_gen(1024u);
    const char *csr = request(good, false);
    const char *const wrong[] = {
        "hello",
        text("%s%s", csr, csr),
        text("x%s", csr),
        request(good, true),
        request(curve, false),
        request(weak, false),
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct reply r =
            fixture_call(&f, DEVELOPER, "POST", "certificate_requests", NULL, asking(wrong[i]));
        if (strcmp(r.code, "certificate-request-invalid") != 0 || r.status != 422) {
            fail_msg("%zu: %u %s", i, r.status, r.code);
        }
        reply_free(&r);
    }
    fixture_refused(&f, DEVELOPER, "POST", "certificate_requests", NULL,
                    asking("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
                    "field-invalid");
    const char *waiting = fixture_ok(
        &f, DEVELOPER, "POST", "apps",
        text("{\"name\":\"w\",\"organisation_id\":\"%s\",\"environment\":\"controlled\"}", f.third),
        "id");
    fixture_refused(&f, DEVELOPER, "POST", "certificate_requests", NULL,
                    text("{\"app_id\":\"%s\",\"csr\":%s}", waiting, quoted(csr)), "state-conflict");
    fixture_refused(&f, STRANGER, "POST", "certificate_requests", NULL, asking(csr),
                    "field-invalid");
    EVP_PKEY_free(good);
    EVP_PKEY_free(curve);
    EVP_PKEY_free(weak);
}

static void issued_certificate(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    const char *csr = request(key, false);
    const char *id = fixture_ok(&f, DEVELOPER, "POST", "certificate_requests", asking(csr), "id");
    fixture_refused(&f, DEVELOPER, "POST", text("certificate_requests/%s/issue", id), "auto", NULL,
                    "not-permitted");
    fixture_ok(&f, OPERATOR, "POST", text("certificate_requests/%s/issue", id), NULL, NULL);
    fixture_refused(&f, OPERATOR, "POST", text("certificate_requests/%s/issue", id), "auto", NULL,
                    "state-conflict");
    const char *credential = member("certificate_requests", id, "credential_id");
    const char *subject = member("credentials", credential, "certificate_subject");
    assert_non_null(strstr(subject, text("CN=%s", app)));
    assert_null(strstr(subject, "somebody"));
    BIO *bio = BIO_new_mem_buf(member("credentials", credential, "certificate"), -1);
    X509 *crt = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(crt);
    assert_int_equal(X509_check_ca(crt), 0);
    assert_null(X509_get_ext_d2i(crt, NID_subject_alt_name, NULL, NULL));
    assert_int_equal(X509_check_purpose(crt, X509_PURPOSE_SSL_CLIENT, 0), 1);
    assert_int_equal(X509_check_purpose(crt, X509_PURPOSE_SSL_SERVER, 0), 0);
    X509_free(crt);
    BIO_free(bio);
    const char *own = fixture_ok(&f, OPERATOR, "POST", "certificate_requests", asking(csr), "id");
    fixture_refused(&f, OPERATOR, "POST", text("certificate_requests/%s/issue", own), "auto", NULL,
                    "self-approval");
    fixture_refused(&f, ADMIN, "POST", text("certificate_requests/%s/issue", own), "auto", NULL,
                    "already-exists"); /* one key, one credential */
    fixture_ok(&f, ADMIN, "POST", text("certificate_requests/%s/refuse", own),
               "{\"reason\":\"a key of another credential\"}", NULL);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[BK-7.3.4c1] A1 and A2 credentials live as long as their class says, and no longer",
         classes_bound_a_life, NULL, NULL, NULL},
        {"[BK-7.3.4c2] a credential that ends is told of once, then it is over for good",
         warned_then_expired, NULL, NULL, NULL},
        {"[BK-7.3.4c2] a credential has one successor, of its own kind", one_successor, NULL, NULL,
         NULL},
        {"[BK-9.3.5b2] [BK-9.2.1a1-2] a lost key is suspended at once and never registered again",
         a_lost_key, NULL, NULL, NULL},
        {"[BK-9.4b1] [BK-9.4b2] an app that leaves leaves no credential behind", exit_voids_all,
         NULL, NULL, NULL},
        {"[BK-9.2.1a1-2] certificate requests that are wrong", requests_that_are_wrong, NULL, NULL,
         NULL},
        {"[CI-6.1.5d] a certificate says what the platform decides, and is issued by somebody else",
         issued_certificate, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
