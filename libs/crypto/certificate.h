/* SPDX-License-Identifier: Apache-2.0 */
/* Client certificates of mutual TLS (BK-7.2.1a1-2, BK-9.2.1b1-2): what one says, and whether it is
 * to be believed at a given time: by trust anchors, CRLs and OCSP answers; SM2 certificates and
 * CRLs (id "1234567812345678") included. No sockets, no clock: the caller fetches and says the
 * time. A certificate may be read by many threads; a trust is changed and used by one thread at a
 * time. */
#pragma once
#include "crypto/key.h"

#define CRYPTO_CERTIFICATE_MAX     16384     /* bytes of DER or PEM that are looked at */
#define CRYPTO_CRL_MAX             (8 << 20) /* the same of a CRL */
#define CRYPTO_CHAIN_MAX           8         /* certificates a peer may send above its own */
#define CRYPTO_SUBJECT_MAX         1024      /* with the NUL */
#define CRYPTO_FINGERPRINT_HEX_LEN 64

struct crypto_certificate;
/* DER, or one PEM block. EFORMAT: cannot be read, or bytes follow it. */
enum crypto_err crypto_certificate_load(struct crypto_certificate **crt, struct slice bytes)
    __attribute__((warn_unused_result));
void crypto_certificate_free(struct crypto_certificate **crt);

struct slice crypto_certificate_der(const struct crypto_certificate *crt); /* lives as long */
/* Hash of the DER; CRYPTO_SM3 for `certificate.sm3` of a credential, CRYPTO_SHA256 for RFC 8705. */
void crypto_certificate_fingerprint(const struct crypto_certificate *crt, enum crypto_hash alg,
                                    uint8_t out[static CRYPTO_HASH_LEN]);
/* RFC 4514, UTF-8, NUL-terminated: most specific first, "CN=app,O=Bank". Lives as long as crt. */
const char *crypto_certificate_subject(const struct crypto_certificate *crt);
const char *crypto_certificate_issuer(const struct crypto_certificate *crt);
/* Lower-case hex without leading zeros. */
const char *crypto_certificate_serial(const struct crypto_certificate *crt);
void crypto_certificate_validity(const struct crypto_certificate *crt, int64_t *not_before_ms,
                                 int64_t *not_after_ms);
/* The public key. EFORMAT: not of the three kinds; the certificate may still serve TLS. */
enum crypto_err crypto_certificate_key(const struct crypto_certificate *crt,
                                       struct crypto_key **key) __attribute__((warn_unused_result));

/* Trust -----------------------------------------------------------------------------------------
 */
enum crypto_revocation {
    CRYPTO_CRL_WHERE_NAMED, /* a fresh CRL is needed from an issuer that has published one here, or
                               when the certificate names a distribution point */
    CRYPTO_CRL_ALWAYS,      /* needed from every issuer */
    CRYPTO_CRL_NEVER        /* the caller asks OCSP, or accepts the risk */
};

/* Why a certificate is refused. The first that applies; append only. */
enum crypto_trust_result {
    CRYPTO_TRUSTED,
    CRYPTO_UNTRUSTED_ISSUER,  /* no chain to an anchor, or a signature in it is wrong */
    CRYPTO_UNTRUSTED_EXPIRED, /* it or one above it */
    CRYPTO_UNTRUSTED_EARLY,   /* not yet valid */
    CRYPTO_UNTRUSTED_PURPOSE, /* extended key usage does not name clientAuth, or a CA is none */
    CRYPTO_UNTRUSTED_WEAK,    /* less than 112 bit: RSA below 2048, SHA-1 */
    CRYPTO_UNTRUSTED_REVOKED,
    CRYPTO_UNTRUSTED_NO_CRL,   /* one is needed and there is none */
    CRYPTO_UNTRUSTED_CRL_STALE /* past its nextUpdate, or from the future */
};
const char *crypto_trust_strerror(enum crypto_trust_result result);

struct crypto_trust;
struct crypto_trust *crypto_trust_new(enum crypto_revocation rule);
void crypto_trust_free(struct crypto_trust **trust);
/* An anchor: a CA certificate, self-signed or not; a chain may end there. EFORMAT: no certificate,
 * or not one of a CA. The same one again is no error. */
enum crypto_err crypto_trust_add_ca(struct crypto_trust *trust, struct slice ca)
    __attribute__((warn_unused_result));
/* DER, or one PEM block, of a full CRL signed by a CA added before. EFORMAT: cannot be read, has no
 * nextUpdate, or is partial (an unknown critical extension); EVERIFY: no CA here signed it. A newer
 * one takes an older one's place; an older one is no error and changes nothing. */
enum crypto_err crypto_trust_add_crl(struct crypto_trust *trust, struct slice crl)
    __attribute__((warn_unused_result));
/* chain: what the peer sent above its certificate, in any order; only material for a path to an
 * anchor. CRLs of an issuer that is not an anchor itself are not there: under CRYPTO_CRL_ALWAYS its
 * certificates are refused until it is added. */
enum crypto_trust_result
crypto_trust_verify(const struct crypto_trust *trust, const struct crypto_certificate *crt,
                    struct crypto_certificate *const chain[], size_t chain_n, int64_t at_ms)
    __attribute__((warn_unused_result));

/* OCSP (RFC 6960) -------------------------------------------------------------------------------
 */
enum crypto_ocsp_status { CRYPTO_OCSP_GOOD, CRYPTO_OCSP_REVOKED, CRYPTO_OCSP_UNKNOWN };

struct crypto_ocsp_answer {
    enum crypto_ocsp_status status;
    int64_t this_update_ms, next_update_ms; /* keep the answer until next_update_ms; 0: do not */
};

/* The body of a request about one certificate, with a nonce; *der is malloc'd. */
void crypto_ocsp_request(const struct crypto_certificate *crt,
                         const struct crypto_certificate *issuer, uint8_t **der, size_t *n);
/* Reads the answer. request: the bytes that were sent, for the nonce. EFORMAT: not a successful
 * response, or not about crt; EVERIFY: not signed by the issuer or by a responder it delegated, the
 * nonce is another, or it does not cover at_ms (5 minutes of another clock are borne). */
enum crypto_err crypto_ocsp_read(const struct crypto_certificate *crt,
                                 const struct crypto_certificate *issuer, struct slice request,
                                 struct slice response, int64_t at_ms,
                                 struct crypto_ocsp_answer *answer)
    __attribute__((warn_unused_result));
