/* SPDX-License-Identifier: Apache-2.0 */
/* A PKI made by OpenSSL for certificate_test.c and certificate_fuzz.c. Everything here is a test's:
 * it asserts instead of returning errors. Times are in days from `base_s`. */
#pragma once
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/certificate.h"

#define DAY_S INT64_C(86400)

enum test_key { TEST_P256, TEST_SM2, TEST_RSA2048, TEST_RSA1024 };

struct party {
    EVP_PKEY *key;
    X509 *x509;
};

struct plan {
    const char *name;
    enum test_key key;
    const char *constraints, *usage, *extended, *points; /* NULL: left out */
    int from_days, until_days;
    const char *digest; /* NULL: that of the issuer's key */
};
extern const struct plan plan_ca, plan_client;

extern int64_t base_s;
struct party party_make(const struct plan *plan, const struct party *issuer); /* NULL: itself */
void party_free(struct party *party);
struct crypto_certificate *party_certificate(const struct party *party);
/* `revoked`: NULL or one to put on it; `critical`: with a critical extension of no meaning.
 * malloc'd DER. */
struct slice crl_make(const struct party *ca, const struct party *revoked, int from_days,
                      int until_days, bool critical);
struct slice der_of_x509(X509 *x509); /* malloc'd */
struct slice pem_of_x509(X509 *x509); /* malloc'd */
/* An answer about `subject`; signer: the issuer or a delegate. nonce_of: NULL or the request whose
 * nonce it returns. malloc'd DER. */
struct slice ocsp_make(const struct party *subject, const struct party *issuer,
                       const struct party *signer, int status, struct slice nonce_of, int from_days,
                       int until_days);
