/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/certificate_inner.h"

void sm2_identity_set(X509 *x509)
{
    static const uint8_t id[] = "1234567812345678";
    if (X509_get_signature_nid(x509) != NID_SM2_with_SM3) {
        return;
    }
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    if (value == NULL || ASN1_OCTET_STRING_set(value, id, sizeof id - 1) != 1) {
        crypto_die("out of memory");
    }
    X509_set0_distinguishing_id(x509, value);
}

bool sm2_signed_by(X509 *ca, const void *in, size_t n, const ASN1_BIT_STRING *sig)
{
    uint8_t *spki = NULL, raw[CRYPTO_RAW_SIG_LEN];
    int spki_n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(ca), &spki);
    struct crypto_key *key = NULL;
    bool good =
        spki_n > 0 && (sig->flags & 0x07) == 0 && /* a whole number of bytes */
        crypto_key_load_spki(&key, slice_of((char *)spki, (size_t)spki_n)) == CRYPTO_OK &&
        crypto_sig_from_der(ASN1_STRING_get0_data(sig), (size_t)ASN1_STRING_length(sig), raw) &&
        crypto_key_verify(key, CRYPTO_ALG_SM2_SM3, in, n, raw, sizeof raw) == CRYPTO_OK;
    crypto_key_free(&key);
    OPENSSL_free(spki);
    return good;
}

bool strong_signature(int nid)
{
    int digest;
    return OBJ_find_sigid_algs(nid, &digest, NULL) == 1 && digest != NID_sha1 && digest != NID_md5;
}

bool time_ms(const ASN1_TIME *time, int64_t *ms)
{
    struct tm tm;
    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1) {
        return false;
    }
    *ms = (int64_t)timegm(&tm) * 1000;
    return true;
}

bool der_of(struct slice bytes, size_t max, const char *label, struct slice *der, char **pem_label)
{
    *pem_label = NULL;
    if (bytes.n == 0 || bytes.n > max) {
        return false;
    }
    if (bytes.p[0] == 0x30) { /* a SEQUENCE; no PEM begins with a digit */
        *der = bytes;
        return true;
    }
    if (!pem_read(bytes, max, pem_label, der)) {
        *pem_label = NULL;
        return false;
    }
    if (strcmp(*pem_label, label) != 0) {
        pem_free(*pem_label, *der);
        *pem_label = NULL;
        return false;
    }
    return true;
}

/* NULL: longer than we keep. */
static char *name_text(const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        crypto_die("out of memory");
    }
    char *bytes, *text = NULL;
    int n = X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    long written = BIO_get_mem_data(bio, &bytes);
    if (n >= 0 && written < CRYPTO_SUBJECT_MAX && memchr(bytes, '\0', (size_t)written) == NULL) {
        text = strndup(written > 0 ? bytes : "", (size_t)written);
    }
    BIO_free(bio);
    return text;
}

static char *serial_text(const ASN1_INTEGER *serial)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
    char *hex = number == NULL ? NULL : BN_bn2hex(number), *text = NULL;
    if (hex != NULL) {
        size_t zero = hex[0] == '0' && hex[1] != '\0' ? 1 : 0; /* it writes whole bytes */
        text = strdup(hex + zero);
        for (char *c = text; c != NULL && *c != '\0'; c++) {
            *c = (char)(*c >= 'A' && *c <= 'F' ? *c + 32 : *c);
        }
    }
    OPENSSL_free(hex);
    BN_free(number);
    return text;
}

static struct crypto_certificate *parse(struct slice der)
{
    const uint8_t *at = (const uint8_t *)der.p;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.n);
    struct crypto_certificate *crt = x509 == NULL ? NULL : calloc(1, sizeof *crt);
    if (crt == NULL) {
        X509_free(x509);
        return NULL;
    }
    crt->x509 = x509;
    sm2_identity_set(x509);
    crt->der = malloc(der.n);
    crt->subject = name_text(X509_get_subject_name(x509));
    crt->issuer = name_text(X509_get_issuer_name(x509));
    crt->serial = serial_text(X509_get0_serialNumber(x509));
    if (at != (const uint8_t *)der.p + der.n || crt->der == NULL || crt->subject == NULL ||
        crt->issuer == NULL || crt->serial == NULL ||
        !time_ms(X509_get0_notBefore(x509), &crt->not_before_ms) ||
        !time_ms(X509_get0_notAfter(x509), &crt->not_after_ms)) {
        crypto_certificate_free(&crt);
        return NULL;
    }
    memcpy(crt->der, der.p, der.n);
    crt->der_n = der.n;
    return crt;
}

enum crypto_err crypto_certificate_load(struct crypto_certificate **crt, struct slice bytes)
{
    struct slice der;
    char *label;
    if (!der_of(bytes, CRYPTO_CERTIFICATE_MAX, "CERTIFICATE", &der, &label)) {
        return CRYPTO_EFORMAT;
    }
    struct crypto_certificate *parsed = parse(der);
    if (label != NULL) {
        pem_free(label, der);
    }
    ERR_clear_error();
    if (parsed == NULL) {
        return CRYPTO_EFORMAT;
    }
    *crt = parsed;
    return CRYPTO_OK;
}

void crypto_certificate_free(struct crypto_certificate **crt)
{
    struct crypto_certificate *c = *crt;
    if (c == NULL) {
        return;
    }
    X509_free(c->x509);
    free(c->der);
    free(c->subject);
    free(c->issuer);
    free(c->serial);
    free(c);
    *crt = NULL;
}

struct slice crypto_certificate_der(const struct crypto_certificate *crt)
{
    return slice_of((const char *)crt->der, crt->der_n);
}

void crypto_certificate_fingerprint(const struct crypto_certificate *crt, enum crypto_hash alg,
                                    uint8_t out[static CRYPTO_HASH_LEN])
{
    crypto_hash(alg, crt->der, crt->der_n, out);
}

const char *crypto_certificate_subject(const struct crypto_certificate *crt)
{
    return crt->subject;
}

const char *crypto_certificate_issuer(const struct crypto_certificate *crt)
{
    return crt->issuer;
}

const char *crypto_certificate_serial(const struct crypto_certificate *crt)
{
    return crt->serial;
}

void crypto_certificate_validity(const struct crypto_certificate *crt, int64_t *not_before_ms,
                                 int64_t *not_after_ms)
{
    *not_before_ms = crt->not_before_ms;
    *not_after_ms = crt->not_after_ms;
}

enum crypto_err crypto_certificate_key(const struct crypto_certificate *crt,
                                       struct crypto_key **key)
{
    uint8_t *spki = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(crt->x509), &spki);
    enum crypto_err err =
        n <= 0 ? CRYPTO_EFORMAT : crypto_key_load_spki(key, slice_of((char *)spki, (size_t)n));
    OPENSSL_free(spki);
    ERR_clear_error();
    return err;
}
