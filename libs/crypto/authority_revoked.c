/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists and OCSP answers, signed by the CA's own key. */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/authority_inner.h"

#define OCSP_REQUEST_MAX 16384
#define OCSP_MANY        16 /* certificates of one request */

static void add_entry(X509_CRL *crl, const struct crypto_revoked *row)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *serial = authority_serial(row->serial);
    ASN1_TIME *at = authority_time(row->at_ms);
    ASN1_ENUMERATED *reason = row->reason ? ASN1_ENUMERATED_new() : NULL;
    bool ok = entry != NULL && serial != NULL &&
              X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
              X509_REVOKED_set_revocationDate(entry, at) == 1;

    if (ok && reason != NULL) {
        ok = ASN1_ENUMERATED_set(reason, row->reason) == 1 &&
             X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0) == 1;
    }
    if (!ok || X509_CRL_add0_revoked(crl, entry) != 1) {
        crypto_die("a revocation list cannot be filled");
    }
    ASN1_ENUMERATED_free(reason);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(at);
}

static void add_number(X509_CRL *crl, X509 *issuer, int64_t number)
{
    ASN1_INTEGER *value = ASN1_INTEGER_new();
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *key_id =
        X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always");
    if (value == NULL || key_id == NULL || ASN1_INTEGER_set_int64(value, number) != 1 ||
        X509_CRL_add1_ext_i2d(crl, NID_crl_number, value, 0, 0) != 1 ||
        X509_CRL_add_ext(crl, key_id, -1) != 1) {
        crypto_die("a revocation list cannot be filled");
    }
    X509_EXTENSION_free(key_id);
    ASN1_INTEGER_free(value);
}

void crypto_authority_crl(struct crypto_authority *ca, const struct crypto_revoked *list, size_t n,
                          int64_t number, int64_t this_ms, int64_t next_ms, uint8_t **der,
                          size_t *der_n)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = authority_time(this_ms), *until = authority_time(next_ms);
    uint8_t *bytes = NULL;

    if (crl == NULL || X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1 ||
        X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->crt)) != 1 ||
        X509_CRL_set1_lastUpdate(crl, from) != 1 || X509_CRL_set1_nextUpdate(crl, until) != 1) {
        crypto_die("a revocation list cannot be made");
    }
    for (size_t i = 0; i < n; i++) {
        add_entry(crl, &list[i]);
    }
    add_number(crl, ca->crt, number);
    X509_CRL_sort(crl);
    EVP_MD_CTX *ctx = authority_signing(ca->key);
    if (X509_CRL_sign_ctx(crl, ctx) <= 0) {
        crypto_die("a revocation list cannot be signed");
    }
    authority_signing_free(ctx);
    int bytes_n = i2d_X509_CRL(crl, &bytes);
    authority_take_der(bytes, bytes_n, der, der_n);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    X509_CRL_free(crl);
}

/* OCSP ---------------------------------------------------------------------------------------- */
struct answering {
    struct crypto_authority *ca;
    crypto_issued_lookup lookup;
    void *ctx;
    ASN1_TIME *from, *until;
};

/* The hash of the request may be any: the issuer is compared by the one it chose. */
static bool of_this_ca(X509 *crt, OCSP_CERTID *id)
{
    ASN1_OBJECT *algorithm = NULL;

    OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, id);
    const EVP_MD *md = EVP_get_digestbyobj(algorithm);
    OCSP_CERTID *ours = md ? OCSP_cert_to_id(md, NULL, crt) : NULL;
    bool same = ours != NULL && OCSP_id_issuer_cmp(ours, id) == 0;
    OCSP_CERTID_free(ours);
    return same;
}

static bool serial_of(OCSP_CERTID *id, char hex[static CRYPTO_SERIAL_LEN + 1])
{
    ASN1_INTEGER *serial = NULL;
    bool ok = false;

    OCSP_id_get0_info(NULL, NULL, NULL, &serial, id);
    BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
    char *text = number ? BN_bn2hex(number) : NULL;
    if (text != NULL && strlen(text) == CRYPTO_SERIAL_LEN) {
        for (size_t i = 0; i <= CRYPTO_SERIAL_LEN; i++) {
            hex[i] = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a' : text[i]);
        }
        ok = true;
    }
    OPENSSL_free(text);
    BN_free(number);
    return ok;
}

static bool answer_one(const struct answering *a, OCSP_BASICRESP *basic, OCSP_CERTID *id)
{
    struct crypto_revoked revoked = {0};
    char serial[CRYPTO_SERIAL_LEN + 1];
    enum crypto_issued issued = CRYPTO_ISSUED_UNKNOWN;
    ASN1_TIME *at = NULL;

    if (of_this_ca(a->ca->crt, id) && serial_of(id, serial)) {
        issued = a->lookup(a->ctx, serial, &revoked);
    }
    int status = issued == CRYPTO_ISSUED_GOOD      ? V_OCSP_CERTSTATUS_GOOD
                 : issued == CRYPTO_ISSUED_REVOKED ? V_OCSP_CERTSTATUS_REVOKED
                                                   : V_OCSP_CERTSTATUS_UNKNOWN;
    if (issued == CRYPTO_ISSUED_REVOKED) {
        at = authority_time(revoked.at_ms);
    }
    bool ok =
        OCSP_basic_add1_status(basic, id, status, revoked.reason, at, a->from, a->until) != NULL;
    ASN1_TIME_free(at);
    return ok;
}

static OCSP_BASICRESP *answer_all(const struct answering *a, OCSP_REQUEST *req)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    int n = OCSP_request_onereq_count(req);
    bool ok = basic != NULL && n > 0 && n <= OCSP_MANY;

    for (int i = 0; ok && i < n; i++) {
        ok = answer_one(a, basic, OCSP_onereq_get0_id(OCSP_request_onereq_get0(req, i)));
    }
    if (ok) {
        EVP_MD_CTX *ctx = authority_signing(a->ca->key);
        (void)OCSP_copy_nonce(basic, req); /* 2: there was none */
        ok = OCSP_basic_sign_ctx(basic, a->ca->crt, ctx, NULL, 0) == 1;
        authority_signing_free(ctx);
    }
    if (!ok) {
        OCSP_BASICRESP_free(basic);
        return NULL;
    }
    return basic;
}

static OCSP_REQUEST *read_request(struct slice bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.p;
    OCSP_REQUEST *req = bytes.n > 0 && bytes.n <= OCSP_REQUEST_MAX
                            ? d2i_OCSP_REQUEST(NULL, &at, (long)bytes.n)
                            : NULL;

    if (req != NULL && at != (const uint8_t *)bytes.p + bytes.n) {
        OCSP_REQUEST_free(req);
        return NULL;
    }
    return req;
}

void crypto_authority_ocsp(struct crypto_authority *ca, struct slice request,
                           crypto_issued_lookup lookup, void *ctx, int64_t this_ms, int64_t next_ms,
                           uint8_t **der, size_t *der_n)
{
    OCSP_REQUEST *req = read_request(request);
    struct answering a = {ca, lookup, ctx, authority_time(this_ms), authority_time(next_ms)};
    OCSP_BASICRESP *basic = req ? answer_all(&a, req) : NULL;
    OCSP_RESPONSE *resp = OCSP_response_create(
        basic ? OCSP_RESPONSE_STATUS_SUCCESSFUL : OCSP_RESPONSE_STATUS_MALFORMEDREQUEST, basic);
    uint8_t *bytes = NULL;

    if (resp == NULL) {
        crypto_die("out of memory");
    }
    int bytes_n = i2d_OCSP_RESPONSE(resp, &bytes);
    authority_take_der(bytes, bytes_n, der, der_n);
    ERR_clear_error();
    OCSP_RESPONSE_free(resp);
    OCSP_BASICRESP_free(basic);
    OCSP_REQUEST_free(req);
    ASN1_TIME_free(a.from);
    ASN1_TIME_free(a.until);
}
