/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate_testing.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

const struct plan plan_ca = {.name = "CA",
                             .constraints = "critical,CA:TRUE",
                             .usage = "critical,keyCertSign,cRLSign",
                             .from_days = -30,
                             .until_days = 30};
const struct plan plan_client = {.name = "app",
                                 .constraints = "critical,CA:FALSE",
                                 .usage = "critical,digitalSignature",
                                 .extended = "clientAuth",
                                 .from_days = -10,
                                 .until_days = 10};
int64_t base_s;

static void must(bool done, const char *what)
{
    if (!done) {
        fprintf(stderr, "test PKI: %s\n", what);
        abort();
    }
}

static EVP_PKEY *new_key(enum test_key key)
{
    return key == TEST_P256  ? EVP_EC_gen("P-256")
           : key == TEST_SM2 ? EVP_PKEY_Q_keygen(NULL, NULL, "SM2")
                             : EVP_RSA_gen(key == TEST_RSA2048 ? 2048u : 1024u);
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    if (value == NULL) {
        return;
    }
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(extension != NULL && X509_add_ext(x509, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

static ASN1_TIME *days(int from_base)
{
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)(base_s + from_base * DAY_S));
    must(time != NULL, "time");
    return time;
}

/* A context to sign with, with the identity that SM2 wants. */
static EVP_MD_CTX *signing(EVP_PKEY *key, const char *digest)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool sm2 = EVP_PKEY_is_a(key, "SM2");
    EVP_PKEY_CTX *inner = EVP_PKEY_CTX_new(key, NULL);
    must(ctx != NULL && inner != NULL, "context");
    EVP_MD_CTX_set_pkey_ctx(ctx, inner);
    must(!sm2 || EVP_PKEY_CTX_set1_id(inner, "1234567812345678", 16) == 1, "SM2 identity");
    const EVP_MD *md = EVP_get_digestbyname(digest != NULL ? digest : sm2 ? "SM3" : "SHA256");
    must(EVP_DigestSignInit(ctx, NULL, md, NULL, key) == 1, "signing");
    return ctx;
}

static void signing_free(EVP_MD_CTX *ctx)
{
    EVP_PKEY_CTX *inner = EVP_MD_CTX_get_pkey_ctx(ctx);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_CTX_free(inner); /* set_pkey_ctx leaves it to the caller */
}

struct party party_make(const struct plan *plan, const struct party *issuer)
{
    static long serial = 0x1000;
    struct party party = {new_key(plan->key), X509_new()};
    issuer = issuer == NULL ? &party : issuer;
    X509 *x = party.x509;
    ASN1_TIME *from = days(plan->from_days), *until = days(plan->until_days);
    X509_NAME *name = X509_get_subject_name(x);
    must(X509_set_version(x, X509_VERSION_3) == 1 && X509_set1_notBefore(x, from) == 1 &&
             X509_set1_notAfter(x, until) == 1 && X509_set_pubkey(x, party.key) == 1 &&
             ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial) == 1 &&
             X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)"测试银行", -1,
                                        -1, 0) == 1 &&
             X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)plan->name, -1,
                                        -1, 0) == 1 &&
             X509_set_issuer_name(x, X509_get_subject_name(issuer->x509)) == 1,
         "certificate");
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    add_extension(x, issuer->x509, NID_basic_constraints, plan->constraints);
    add_extension(x, issuer->x509, NID_key_usage, plan->usage);
    add_extension(x, issuer->x509, NID_ext_key_usage, plan->extended);
    add_extension(x, issuer->x509, NID_crl_distribution_points, plan->points);
    add_extension(x, issuer->x509, NID_subject_key_identifier, "hash");
    EVP_MD_CTX *ctx = signing(issuer->key, plan->digest);
    must(X509_sign_ctx(x, ctx) > 0, "signature");
    signing_free(ctx);
    return party;
}

void party_free(struct party *party)
{
    EVP_PKEY_free(party->key);
    X509_free(party->x509);
    *party = (struct party){0};
}

static struct slice own(uint8_t *der, int n)
{
    must(n > 0, "encoding");
    char *copy = malloc((size_t)n);
    must(copy != NULL, "memory");
    memcpy(copy, der, (size_t)n);
    OPENSSL_free(der);
    return slice_of(copy, (size_t)n);
}

struct slice der_of_x509(X509 *x509)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x509, &der);
    return own(der, n);
}

struct slice pem_of_x509(X509 *x509)
{
    BIO *bio = BIO_new(BIO_s_mem());
    must(PEM_write_bio_X509(bio, x509) == 1, "PEM");
    char *bytes;
    size_t n = (size_t)BIO_get_mem_data(bio, &bytes);
    char *copy = malloc(n);
    must(copy != NULL, "memory");
    memcpy(copy, bytes, n);
    BIO_free(bio);
    return slice_of(copy, n);
}

struct crypto_certificate *party_certificate(const struct party *party)
{
    struct slice der = der_of_x509(party->x509);
    struct crypto_certificate *crt = NULL;
    must(crypto_certificate_load(&crt, der) == CRYPTO_OK, "own certificate");
    free((char *)(uintptr_t)der.p);
    return crt;
}

static void add_revoked(X509_CRL *crl, const struct party *revoked, int when_days)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *when = days(when_days);
    must(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->x509)) == 1 &&
             X509_REVOKED_set_revocationDate(entry, when) == 1 &&
             X509_CRL_add0_revoked(crl, entry) == 1,
         "revoked");
    ASN1_TIME_free(when);
}

struct slice crl_make(const struct party *ca, const struct party *revoked, int from_days,
                      int until_days, bool critical)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = days(from_days), *until = days(until_days);
    must(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
             X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x509)) == 1 &&
             X509_CRL_set1_lastUpdate(crl, from) == 1 &&
             (until_days == 0 || X509_CRL_set1_nextUpdate(crl, until) == 1),
         "CRL");
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    if (revoked != NULL) {
        add_revoked(crl, revoked, from_days);
    }
    if (critical) {
        X509V3_CTX ctx;
        X509V3_set_ctx_nodb(&ctx);
        X509V3_set_ctx(&ctx, ca->x509, NULL, NULL, crl, 0);
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, NID_issuing_distribution_point,
                                                        "critical,onlyuser:TRUE");
        must(extension != NULL && X509_CRL_add_ext(crl, extension, -1) == 1, "CRL extension");
        X509_EXTENSION_free(extension);
    }
    EVP_MD_CTX *ctx = signing(ca->key, NULL);
    must(X509_CRL_sign_ctx(crl, ctx) > 0, "CRL signature");
    signing_free(ctx);
    uint8_t *der = NULL;
    int n = i2d_X509_CRL(crl, &der);
    X509_CRL_free(crl);
    return own(der, n);
}

static void copy_nonce(OCSP_BASICRESP *basic, struct slice request)
{
    const uint8_t *at = (const uint8_t *)request.p;
    OCSP_REQUEST *sent = d2i_OCSP_REQUEST(NULL, &at, (long)request.n);
    must(sent != NULL && OCSP_copy_nonce(basic, sent) == 1, "nonce");
    OCSP_REQUEST_free(sent);
}

struct slice ocsp_make(const struct party *subject, const struct party *issuer,
                       const struct party *signer, int status, struct slice nonce_of, int from_days,
                       int until_days)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), subject->x509, issuer->x509);
    ASN1_TIME *from = days(from_days), *until = until_days != 0 ? days(until_days) : NULL;
    ASN1_TIME *when = status == V_OCSP_CERTSTATUS_REVOKED ? from : NULL;
    must(OCSP_basic_add1_status(basic, id, status, 0, when, from, until) != NULL, "OCSP status");
    if (nonce_of.n > 0) {
        copy_nonce(basic, nonce_of);
    }
    EVP_MD_CTX *ctx = signing(signer->key, NULL);
    unsigned long flags = signer == issuer ? OCSP_NOCERTS : 0;
    must(OCSP_basic_sign_ctx(basic, signer->x509, ctx, NULL, flags) == 1, "OCSP signature");
    signing_free(ctx);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    uint8_t *der = NULL;
    int n = i2d_OCSP_RESPONSE(response, &der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return own(der, n);
}
