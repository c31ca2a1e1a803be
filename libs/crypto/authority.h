/* SPDX-License-Identifier: Apache-2.0 */
/* A CA that issues client certificates to apps, with its revocation list and OCSP answers: ECDSA
 * P-256 with SHA-256, or SM2 with SM3 (id "1234567812345678"). No store, no clock: the caller says
 * the time and what is revoked. An authority may be used by one thread at a time. */
#pragma once
#include "crypto/key.h"

#define CRYPTO_REQUEST_MAX 16384 /* bytes of a certificate request that are looked at */
#define CRYPTO_SERIAL_LEN  32    /* hex digits of a serial number of ours */

struct crypto_authority;
/* A fresh self-signed one; kind: SM2 or P-256. */
struct crypto_authority *crypto_authority_new(enum crypto_key_kind kind, const char *common_name,
                                              int64_t from_ms, int64_t until_ms);
/* PEM each. EFORMAT: cannot be read, or they do not belong together. */
enum crypto_err crypto_authority_load(struct crypto_authority **ca, struct slice certificate,
                                      struct slice key) __attribute__((warn_unused_result));
void crypto_authority_free(struct crypto_authority **ca); /* wipes */
/* PEM; caller frees. The key: PKCS #8, caller wipes it too. */
char *crypto_authority_certificate(const struct crypto_authority *ca);
char *crypto_authority_key(const struct crypto_authority *ca);

/* Certificate requests (PKCS #10) ------------------------------------------------------------- */
struct crypto_request;
/* One PEM block. EFORMAT: cannot be read; EVERIFY: it is not signed by its own key, so whoever sent
 * it may not hold it. */
enum crypto_err crypto_request_load(struct crypto_request **req, struct slice pem)
    __attribute__((warn_unused_result));
void crypto_request_free(struct crypto_request **req);
/* Its key, of one of the three kinds; belongs to the request. NULL: of another kind, or weak. */
const struct crypto_key *crypto_request_key(const struct crypto_request *req);

struct crypto_order { /* of a certificate: nothing of the request is taken but its key */
    const char *common_name, *organisation; /* UTF-8; at most 64 bytes are used of each */
    int64_t from_ms, until_ms;
    /* Where others find the revocation list, the OCSP responder and the CA's certificate (RFC 5280
     * 4.2.1.13, 4.2.2.1); addresses without a comma. NULL: not said; all three or none. */
    const char *crl_url, *ocsp_url, *ca_url;
};
/* PEM of the certificate, caller frees, and its serial number in hex; NULL: a name that X.509 does
 * not take. For TLS clients: digitalSignature, clientAuth, no CA. */
char *crypto_authority_issue(struct crypto_authority *ca, const struct crypto_request *req,
                             const struct crypto_order *order,
                             char serial[static CRYPTO_SERIAL_LEN + 1]);

/* What was revoked -------------------------------------------------------------------------------
 */
struct crypto_revoked {
    char serial[CRYPTO_SERIAL_LEN + 1];
    int64_t at_ms;
    int reason; /* RFC 5280 5.3.1; 0: not said */
};
/* DER of a full list; caller frees with free(). */
void crypto_authority_crl(struct crypto_authority *ca, const struct crypto_revoked *list, size_t n,
                          int64_t number, int64_t this_ms, int64_t next_ms, uint8_t **der,
                          size_t *der_n);

enum crypto_issued { CRYPTO_ISSUED_UNKNOWN, CRYPTO_ISSUED_GOOD, CRYPTO_ISSUED_REVOKED };
/* Fills *revoked for CRYPTO_ISSUED_REVOKED. */
typedef enum crypto_issued (*crypto_issued_lookup)(void *ctx, const char *serial,
                                                   struct crypto_revoked *revoked);
/* The answer to an OCSP request (RFC 6960), its nonce in it; caller frees. Of a request that cannot
 * be read: "malformedRequest". A certificate of another CA is unknown. */
void crypto_authority_ocsp(struct crypto_authority *ca, struct slice request,
                           crypto_issued_lookup lookup, void *ctx, int64_t this_ms, int64_t next_ms,
                           uint8_t **der, size_t *der_n);
