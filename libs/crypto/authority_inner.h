/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of authority.h share; nothing outside this module includes it. */
#pragma once
#include <openssl/x509.h>

#include "crypto/authority.h"
#include "crypto/internal.h"

struct crypto_authority {
    EVP_PKEY *key;
    X509 *crt;
};

/* A context to sign with, with the digest of the key's kind and the identity that SM2 wants; back
 * to authority_signing_free(). */
EVP_MD_CTX *authority_signing(EVP_PKEY *key);
void authority_signing_free(EVP_MD_CTX *ctx);
/* Seconds in ASN.1; the caller frees. */
ASN1_TIME *authority_time(int64_t ms);
/* A copy on the heap of what OpenSSL allocated, which is freed. */
void authority_take_der(uint8_t *from, int n, uint8_t **der, size_t *der_n);
/* NULL: not a number of ours. */
ASN1_INTEGER *authority_serial(const char *hex);
