/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of certificate.h share; nothing outside this module includes it. */
#pragma once
#include <openssl/x509.h>

#include "crypto/certificate.h"
#include "crypto/internal.h"

#define CLOCK_SKEW_MS (5 * 60 * 1000) /* another party's clock may be this far ahead */

struct crypto_certificate {
    X509 *x509;
    uint8_t *der; /* as it came: what a fingerprint is of */
    size_t der_n;
    char *subject, *issuer, *serial;
    int64_t not_before_ms, not_after_ms;
};

/* SM2 certificates are signed under an identity OpenSSL has to be told. */
void sm2_identity_set(X509 *x509);
/* Verifies DER-coded `sig` of an SM2 certificate authority over `in`. */
bool sm2_signed_by(X509 *ca, const void *in, size_t n, const ASN1_BIT_STRING *sig)
    __attribute__((warn_unused_result));
/* Not over MD5 or SHA-1. */
bool strong_signature(int nid);
/* false: not a time. */
bool time_ms(const ASN1_TIME *time, int64_t *ms) __attribute__((warn_unused_result));
/* The DER of `bytes`, which is DER itself or the one PEM block with this label; *pem_label goes to
 * pem_free() with it when it is not NULL. */
bool der_of(struct slice bytes, size_t max, const char *label, struct slice *der, char **pem_label)
    __attribute__((warn_unused_result));
