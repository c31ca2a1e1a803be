/* SPDX-License-Identifier: Apache-2.0 */
/* Every certificate is built from the order, never by copying from the request: a subject, a name
 * or an extension that the applicant chose would be vouched for unread. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/authority_inner.h"

#define SM2_ID      "1234567812345678"
#define NAME_MAX_CH 64 /* RFC 5280 A.1, ub-common-name */

struct crypto_request {
    X509_REQ *req;
    EVP_PKEY *pkey;
    struct crypto_key *key;
};

EVP_MD_CTX *authority_signing(EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *inner = EVP_PKEY_CTX_new(key, NULL);
    bool sm2 = EVP_PKEY_is_a(key, "SM2");

    if (ctx == NULL || inner == NULL) {
        crypto_die("out of memory");
    }
    EVP_MD_CTX_set_pkey_ctx(ctx, inner);
    if ((sm2 && EVP_PKEY_CTX_set1_id(inner, SM2_ID, sizeof SM2_ID - 1) != 1) ||
        EVP_DigestSignInit(ctx, NULL, sm2 ? EVP_sm3() : EVP_sha256(), NULL, key) != 1) {
        crypto_die("a CA key cannot sign");
    }
    return ctx;
}

void authority_signing_free(EVP_MD_CTX *ctx)
{
    EVP_PKEY_CTX *inner = EVP_MD_CTX_get_pkey_ctx(ctx);

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_CTX_free(inner); /* set_pkey_ctx leaves it to the caller */
}

ASN1_TIME *authority_time(int64_t ms)
{
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)(ms / 1000));

    if (time == NULL) {
        crypto_die("a time that X.509 cannot say");
    }
    return time;
}

void authority_take_der(uint8_t *from, int n, uint8_t **der, size_t *der_n)
{
    *der = n > 0 ? malloc((size_t)n) : NULL;
    if (*der == NULL) {
        crypto_die("DER cannot be encoded");
    }
    memcpy(*der, from, (size_t)n);
    *der_n = (size_t)n;
    OPENSSL_free(from);
}

ASN1_INTEGER *authority_serial(const char *hex)
{
    BIGNUM *number = NULL;
    ASN1_INTEGER *serial = NULL;

    if (BN_hex2bn(&number, hex) == (int)strlen(hex)) {
        serial = BN_to_ASN1_INTEGER(number, NULL);
    }
    BN_free(number);
    return serial;
}

/* 128 random bits but for the top two, so that it is positive and always of one length. */
static void set_serial(X509 *crt, char hex[static CRYPTO_SERIAL_LEN + 1])
{
    uint8_t bytes[CRYPTO_SERIAL_LEN / 2];

    crypto_random(bytes, sizeof bytes);
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    }
    ASN1_INTEGER *serial = authority_serial(hex);
    if (serial == NULL || X509_set_serialNumber(crt, serial) != 1) {
        crypto_die("out of memory");
    }
    ASN1_INTEGER_free(serial);
}

/* At most 64 characters, cut between characters. */
static bool add_name(X509_NAME *name, const char *type, const char *value)
{
    size_t n = 0, characters = 0;

    for (; value[n] && characters < NAME_MAX_CH; characters++) {
        for (n++; ((unsigned char)value[n] & 0xc0) == 0x80; n++) {
        }
    }
    return n > 0 && X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const uint8_t *)value,
                                               (int)n, -1, 0) == 1;
}

static X509 *new_certificate(EVP_PKEY *key, const struct crypto_order *order,
                             char serial[static CRYPTO_SERIAL_LEN + 1])
{
    X509 *crt = X509_new();
    ASN1_TIME *from = authority_time(order->from_ms), *until = authority_time(order->until_ms);

    if (crt == NULL || X509_set_version(crt, X509_VERSION_3) != 1 ||
        X509_set1_notBefore(crt, from) != 1 || X509_set1_notAfter(crt, until) != 1 ||
        X509_set_pubkey(crt, key) != 1) {
        crypto_die("certificate cannot be filled");
    }
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    set_serial(crt, serial);
    X509_NAME *subject = X509_get_subject_name(crt);
    if (!add_name(subject, "O", order->organisation) ||
        !add_name(subject, "CN", order->common_name)) {
        X509_free(crt);
        ERR_clear_error();
        return NULL;
    }
    return crt;
}

static void add_extension(X509 *crt, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, crt, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (extension == NULL || X509_add_ext(crt, extension, -1) != 1) {
        crypto_die("certificate extension refused");
    }
    X509_EXTENSION_free(extension);
}

static void sign_certificate(X509 *crt, EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = authority_signing(key);

    if (X509_sign_ctx(crt, ctx) <= 0) {
        crypto_die("certificate cannot be signed");
    }
    authority_signing_free(ctx);
}

struct crypto_authority *crypto_authority_new(enum crypto_key_kind kind, const char *common_name,
                                              int64_t from_ms, int64_t until_ms)
{
    struct crypto_authority *ca = calloc(1, sizeof *ca);
    const struct crypto_order order = {.common_name = common_name,
                                       .organisation = "Sluice",
                                       .from_ms = from_ms,
                                       .until_ms = until_ms};
    char serial[CRYPTO_SERIAL_LEN + 1];

    if (ca == NULL) {
        crypto_die("out of memory");
    }
    ca->key = kind == CRYPTO_KEY_SM2 ? EVP_PKEY_Q_keygen(NULL, NULL, "SM2") : EVP_EC_gen("P-256");
    ca->crt = ca->key == NULL ? NULL : new_certificate(ca->key, &order, serial);
    if (ca->crt == NULL || X509_set_issuer_name(ca->crt, X509_get_subject_name(ca->crt)) != 1) {
        crypto_die("a CA cannot be made");
    }
    add_extension(ca->crt, ca->crt, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_extension(ca->crt, ca->crt, NID_key_usage,
                  "critical,keyCertSign,cRLSign,digitalSignature"); /* the last for OCSP */
    add_extension(ca->crt, ca->crt, NID_subject_key_identifier, "hash");
    sign_certificate(ca->crt, ca->key);
    return ca;
}

void crypto_authority_free(struct crypto_authority **ca)
{
    if (*ca != NULL) {
        EVP_PKEY_free((*ca)->key);
        X509_free((*ca)->crt);
        free(*ca);
        *ca = NULL;
    }
}

enum crypto_err crypto_authority_load(struct crypto_authority **ca, struct slice certificate,
                                      struct slice key)
{
    BIO *crt_bio = BIO_new_mem_buf(certificate.p, (int)certificate.n);
    BIO *key_bio = BIO_new_mem_buf(key.p, (int)key.n);
    struct crypto_authority *loaded = calloc(1, sizeof *loaded);
    static char no_passphrase[] = "";

    if (crt_bio == NULL || key_bio == NULL || loaded == NULL) {
        crypto_die("out of memory");
    }
    loaded->crt = PEM_read_bio_X509(crt_bio, NULL, NULL, NULL);
    loaded->key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, no_passphrase);
    BIO_free(crt_bio);
    BIO_free(key_bio);
    bool good = loaded->crt != NULL && loaded->key != NULL &&
                X509_check_private_key(loaded->crt, loaded->key) == 1;
    ERR_clear_error();
    if (!good) {
        crypto_authority_free(&loaded);
        return CRYPTO_EFORMAT;
    }
    *ca = loaded;
    return CRYPTO_OK;
}

/* Empties the BIO, whose memory may hold a private key, and frees it. */
static char *text_of(BIO *bio)
{
    char *bytes, *text;
    long n = BIO_get_mem_data(bio, &bytes);

    text = n > 0 ? malloc((size_t)n + 1) : NULL;
    if (text == NULL) {
        crypto_die("PEM cannot be written");
        return NULL; /* not reached: for checkers that do not know */
    }
    memcpy(text, bytes, (size_t)n);
    text[n] = '\0';
    crypto_wipe(bytes, (size_t)n);
    BIO_free(bio);
    return text;
}

static char *pem_of(X509 *crt)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio == NULL || PEM_write_bio_X509(bio, crt) != 1) {
        crypto_die("certificate cannot be encoded");
    }
    return text_of(bio);
}

char *crypto_authority_certificate(const struct crypto_authority *ca)
{
    return pem_of(ca->crt);
}

char *crypto_authority_key(const struct crypto_authority *ca)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio == NULL ||
        PEM_write_bio_PKCS8PrivateKey(bio, ca->key, NULL, NULL, 0, NULL, NULL) != 1) {
        crypto_die("key cannot be encoded");
    }
    return text_of(bio);
}

/* Requests ------------------------------------------------------------------------------------ */
static struct crypto_key *key_of(EVP_PKEY *pkey)
{
    uint8_t *der = NULL;
    struct crypto_key *key = NULL;
    int n = i2d_PUBKEY(pkey, &der);

    if (n <= 0 || crypto_key_load_spki(&key, slice_of((char *)der, (size_t)n)) != CRYPTO_OK) {
        key = NULL;
    }
    OPENSSL_free(der);
    return key;
}

static bool self_signed(X509_REQ *req, EVP_PKEY *pkey)
{
    if (EVP_PKEY_is_a(pkey, "SM2")) {
        ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
        if (id == NULL || ASN1_OCTET_STRING_set(id, (const uint8_t *)SM2_ID, -1) != 1) {
            crypto_die("out of memory");
        }
        X509_REQ_set0_distinguishing_id(req, id);
    }
    return X509_REQ_verify(req, pkey) == 1;
}

enum crypto_err crypto_request_load(struct crypto_request **req, struct slice pem)
{
    char *label = NULL;
    struct slice der;
    enum crypto_err err = CRYPTO_EFORMAT;
    struct crypto_request *loaded = calloc(1, sizeof *loaded);

    if (loaded == NULL) {
        crypto_die("out of memory");
    }
    if (!pem_read(pem, CRYPTO_REQUEST_MAX, &label, &der)) {
        free(loaded);
        return CRYPTO_EFORMAT;
    }
    const uint8_t *at = (const uint8_t *)der.p;
    if (strcmp(label, "CERTIFICATE REQUEST") == 0 ||
        strcmp(label, "NEW CERTIFICATE REQUEST") == 0) {
        loaded->req = d2i_X509_REQ(NULL, &at, (long)der.n);
    }
    bool whole = loaded->req != NULL && at == (const uint8_t *)der.p + der.n;
    pem_free(label, der);
    loaded->pkey = whole ? X509_REQ_get_pubkey(loaded->req) : NULL;
    if (loaded->pkey != NULL) {
        err = self_signed(loaded->req, loaded->pkey) ? CRYPTO_OK : CRYPTO_EVERIFY;
        loaded->key = key_of(loaded->pkey);
    }
    ERR_clear_error();
    if (err != CRYPTO_OK) {
        crypto_request_free(&loaded);
        return err;
    }
    *req = loaded;
    return CRYPTO_OK;
}

void crypto_request_free(struct crypto_request **req)
{
    if (*req != NULL) {
        crypto_key_free(&(*req)->key);
        EVP_PKEY_free((*req)->pkey);
        X509_REQ_free((*req)->req);
        free(*req);
        *req = NULL;
    }
}

const struct crypto_key *crypto_request_key(const struct crypto_request *req)
{
    return req->key;
}

static void add_addresses(X509 *crt, X509 *issuer, const struct crypto_order *order)
{
    char value[1024];

    snprintf(value, sizeof value, "URI:%s", order->crl_url);
    add_extension(crt, issuer, NID_crl_distribution_points, value);
    snprintf(value, sizeof value, "OCSP;URI:%s,caIssuers;URI:%s", order->ocsp_url, order->ca_url);
    add_extension(crt, issuer, NID_info_access, value);
}

char *crypto_authority_issue(struct crypto_authority *ca, const struct crypto_request *req,
                             const struct crypto_order *order,
                             char serial[static CRYPTO_SERIAL_LEN + 1])
{
    X509 *crt = new_certificate(req->pkey, order, serial);

    if (crt == NULL) {
        return NULL;
    }
    if (X509_set_issuer_name(crt, X509_get_subject_name(ca->crt)) != 1) {
        crypto_die("out of memory");
    }
    add_extension(crt, ca->crt, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(crt, ca->crt, NID_key_usage, "critical,digitalSignature");
    add_extension(crt, ca->crt, NID_ext_key_usage, "clientAuth");
    add_extension(crt, ca->crt, NID_subject_key_identifier, "hash");
    add_extension(crt, ca->crt, NID_authority_key_identifier, "keyid");
    if (order->crl_url != NULL) {
        add_addresses(crt, ca->crt, order);
    }
    sign_certificate(crt, ca->key);
    char *pem = pem_of(crt);
    X509_free(crt);
    return pem;
}
