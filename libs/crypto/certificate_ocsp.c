/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "crypto/certificate_inner.h"

#define OCSP_BYTES_MAX 65536

/* By SHA-1, which is what responders index by (RFC 5019 2.1.1): a name, not a protection. */
static OCSP_CERTID *id_of(const struct crypto_certificate *crt,
                          const struct crypto_certificate *issuer)
{
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), crt->x509, issuer->x509);
    if (id == NULL) {
        crypto_die("no OCSP id, or out of memory");
    }
    return id;
}

void crypto_ocsp_request(const struct crypto_certificate *crt,
                         const struct crypto_certificate *issuer, uint8_t **der, size_t *n)
{
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    uint8_t *encoded = NULL;
    int made = -1;
    if (request != NULL && OCSP_request_add0_id(request, id_of(crt, issuer)) != NULL &&
        OCSP_request_add1_nonce(request, NULL, -1) == 1) {
        made = i2d_OCSP_REQUEST(request, &encoded);
    }
    if (made <= 0) {
        crypto_die("OCSP request cannot be made");
    }
    *der = malloc((size_t)made);
    if (*der == NULL) {
        crypto_die("out of memory");
    }
    memcpy(*der, encoded, (size_t)made);
    *n = (size_t)made;
    OPENSSL_free(encoded);
    OCSP_REQUEST_free(request);
}

static OCSP_BASICRESP *parse(struct slice bytes)
{
    if (bytes.n == 0 || bytes.n > OCSP_BYTES_MAX) {
        return NULL;
    }
    const uint8_t *at = (const uint8_t *)bytes.p;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)bytes.n);
    OCSP_BASICRESP *basic = NULL;
    if (response != NULL && at == (const uint8_t *)bytes.p + bytes.n &&
        OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        basic = OCSP_response_get1_basic(response);
    }
    OCSP_RESPONSE_free(response);
    return basic;
}

/* A responder may leave the nonce out (RFC 5019 4); one of its own means an answer to someone else.
 */
static bool nonce_fits(struct slice request, OCSP_BASICRESP *basic)
{
    const uint8_t *at = (const uint8_t *)request.p;
    OCSP_REQUEST *sent =
        request.n > OCSP_BYTES_MAX ? NULL : d2i_OCSP_REQUEST(NULL, &at, (long)request.n);
    bool fits = sent != NULL && OCSP_check_nonce(sent, basic) != 0;
    OCSP_REQUEST_free(sent);
    return fits;
}

static int signature_nid(const OCSP_BASICRESP *basic)
{
    const ASN1_OBJECT *oid;
    X509_ALGOR_get0(&oid, NULL, NULL, OCSP_resp_get0_tbs_sigalg(basic));
    return OBJ_obj2nid(oid);
}

/* OpenSSL 3.0 verifies an SM2 answer under an empty identity: its signature is checked here
 * instead. *checked says that it was. */
static bool sm2_signature_fits(OCSP_BASICRESP *basic, STACK_OF(X509) * known, bool *checked)
{
    *checked = signature_nid(basic) == NID_SM2_with_SM3;
    if (!*checked) {
        return true;
    }
    X509 *signer;
    uint8_t *signed_part = NULL;
    int n = i2d_OCSP_RESPDATA(OCSP_resp_get0_respdata(basic), &signed_part);
    bool good = n > 0 && OCSP_resp_get0_signer(basic, &signer, known) == 1 &&
                sm2_signed_by(signer, signed_part, (size_t)n, OCSP_resp_get0_signature(basic));
    OPENSSL_free(signed_part);
    return good;
}

/* Signed by the issuer, or by a certificate in the answer that the issuer made for OCSP. */
static bool is_genuine(OCSP_BASICRESP *basic, const struct crypto_certificate *issuer,
                       int64_t at_ms)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *known = sk_X509_new_null();
    if (store == NULL || known == NULL || X509_STORE_add_cert(store, issuer->x509) != 1 ||
        sk_X509_push(known, issuer->x509) == 0) {
        crypto_die("out of memory");
    }
    X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
    X509_VERIFY_PARAM_set_time(param, (time_t)(at_ms / 1000));
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    const STACK_OF(X509) *sent = OCSP_resp_get0_certs(basic);
    for (int i = 0; i < sk_X509_num(sent); i++) {
        sm2_identity_set(sk_X509_value(sent, i));
    }
    bool checked;
    bool genuine = strong_signature(signature_nid(basic)) &&
                   sm2_signature_fits(basic, known, &checked) &&
                   OCSP_basic_verify(basic, known, store, checked ? OCSP_NOSIGS : 0) == 1;
    sk_X509_free(known);
    X509_STORE_free(store);
    return genuine;
}

static enum crypto_err read_status(OCSP_BASICRESP *basic, OCSP_CERTID *id, int64_t at_ms,
                                   struct crypto_ocsp_answer *answer)
{
    static const enum crypto_ocsp_status statuses[] = {
        [V_OCSP_CERTSTATUS_GOOD] = CRYPTO_OCSP_GOOD,
        [V_OCSP_CERTSTATUS_REVOKED] = CRYPTO_OCSP_REVOKED,
        [V_OCSP_CERTSTATUS_UNKNOWN] = CRYPTO_OCSP_UNKNOWN,
    };
    int status, reason;
    ASN1_GENERALIZEDTIME *from, *until;
    if (OCSP_resp_find_status(basic, id, &status, &reason, NULL, &from, &until) != 1 ||
        status < 0 || (size_t)status >= sizeof statuses / sizeof *statuses) {
        return CRYPTO_EFORMAT;
    }
    struct crypto_ocsp_answer a = {.status = statuses[status]};
    if (!time_ms(from, &a.this_update_ms) ||
        (until != NULL && !time_ms(until, &a.next_update_ms))) {
        return CRYPTO_EFORMAT;
    }
    /* Without an end it speaks of the moment it was made. */
    int64_t end = until != NULL ? a.next_update_ms : a.this_update_ms + CLOCK_SKEW_MS;
    if (a.this_update_ms > at_ms + CLOCK_SKEW_MS || end < at_ms - CLOCK_SKEW_MS) {
        return CRYPTO_EVERIFY;
    }
    *answer = a;
    return CRYPTO_OK;
}

enum crypto_err crypto_ocsp_read(const struct crypto_certificate *crt,
                                 const struct crypto_certificate *issuer, struct slice request,
                                 struct slice response, int64_t at_ms,
                                 struct crypto_ocsp_answer *answer)
{
    OCSP_BASICRESP *basic = parse(response);
    if (basic == NULL) {
        ERR_clear_error();
        return CRYPTO_EFORMAT;
    }
    enum crypto_err err = CRYPTO_EVERIFY;
    if (nonce_fits(request, basic) && is_genuine(basic, issuer, at_ms)) {
        OCSP_CERTID *id = id_of(crt, issuer);
        err = read_status(basic, id, at_ms, answer);
        OCSP_CERTID_free(id);
    }
    OCSP_BASICRESP_free(basic);
    ERR_clear_error();
    return err;
}
