/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL builds and checks the path. CRLs are ours to match, since OpenSSL 3.0 cannot be told the
 * identity an SM2 CRL is signed under: a CRL is verified once, when it comes, and kept beside the
 * CA that signed it. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "crypto/certificate_inner.h"

#define AUTH_LEVEL 2 /* 112 bit: no RSA below 2048, no SHA-1 */

struct anchor {
    X509 *ca;
    X509_CRL *crl; /* the newest, or NULL */
};

struct crypto_trust {
    enum crypto_revocation rule;
    X509_STORE *store;
    struct anchor *anchors;
    size_t n;
};

const char *crypto_trust_strerror(enum crypto_trust_result result)
{
    static const char *const texts[] = {
        [CRYPTO_TRUSTED] = "trusted",
        [CRYPTO_UNTRUSTED_ISSUER] = "no valid path to a trust anchor",
        [CRYPTO_UNTRUSTED_EXPIRED] = "a certificate has expired",
        [CRYPTO_UNTRUSTED_EARLY] = "a certificate is not yet valid",
        [CRYPTO_UNTRUSTED_PURPOSE] = "not a certificate for TLS clients",
        [CRYPTO_UNTRUSTED_WEAK] = "a key or signature algorithm is too weak",
        [CRYPTO_UNTRUSTED_REVOKED] = "a certificate is revoked",
        [CRYPTO_UNTRUSTED_NO_CRL] = "the issuer's revocation list is missing",
        [CRYPTO_UNTRUSTED_CRL_STALE] = "the issuer's revocation list is out of date",
    };
    return (size_t)result < sizeof texts / sizeof *texts ? texts[result] : "unknown result";
}

struct crypto_trust *crypto_trust_new(enum crypto_revocation rule)
{
    struct crypto_trust *trust = calloc(1, sizeof *trust);
    if (trust == NULL || (trust->store = X509_STORE_new()) == NULL) {
        crypto_die("out of memory");
    }
    trust->rule = rule;
    return trust;
}

void crypto_trust_free(struct crypto_trust **trust)
{
    struct crypto_trust *t = *trust;
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->n; i++) {
        X509_free(t->anchors[i].ca);
        X509_CRL_free(t->anchors[i].crl);
    }
    free(t->anchors);
    X509_STORE_free(t->store);
    free(t);
    *trust = NULL;
}

static struct anchor *anchor_of(const struct crypto_trust *trust, const X509 *ca)
{
    for (size_t i = 0; i < trust->n; i++) {
        if (X509_cmp(trust->anchors[i].ca, ca) == 0) {
            return &trust->anchors[i];
        }
    }
    return NULL;
}

static void add_anchor(struct crypto_trust *trust, X509 *ca)
{
    struct anchor *more = reallocarray(trust->anchors, trust->n + 1, sizeof *more);
    if (more == NULL || X509_STORE_add_cert(trust->store, ca) != 1 || X509_up_ref(ca) != 1) {
        crypto_die("out of memory");
    }
    more[trust->n++] = (struct anchor){.ca = ca};
    trust->anchors = more;
}

enum crypto_err crypto_trust_add_ca(struct crypto_trust *trust, struct slice ca)
{
    struct crypto_certificate *crt = NULL;
    enum crypto_err err = crypto_certificate_load(&crt, ca);
    if (err != CRYPTO_OK) {
        return err;
    }
    bool is_ca = X509_check_ca(crt->x509) == 1; /* by basic constraints; other values are guesses */
    if (is_ca && anchor_of(trust, crt->x509) == NULL) {
        add_anchor(trust, crt->x509);
    }
    crypto_certificate_free(&crt);
    ERR_clear_error();
    return is_ca ? CRYPTO_OK : CRYPTO_EFORMAT;
}

/* CRLs ----------------------------------------------------------------------------------------- */

/* A partial, indirect or delta CRL says so in a critical extension: it would be taken for a whole
 * one. An end is required, or a CRL from years ago would do for ever. */
static bool is_full(const X509_CRL *crl)
{
    int64_t ms;
    if (!time_ms(X509_CRL_get0_lastUpdate(crl), &ms) ||
        !time_ms(X509_CRL_get0_nextUpdate(crl), &ms)) {
        return false;
    }
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        if (X509_EXTENSION_get_critical(X509_CRL_get_ext(crl, i))) {
            return false;
        }
    }
    return true;
}

static X509_CRL *parse_crl(struct slice bytes)
{
    struct slice der;
    char *label;
    if (!der_of(bytes, CRYPTO_CRL_MAX, "X509 CRL", &der, &label)) {
        return NULL;
    }
    const uint8_t *at = (const uint8_t *)der.p, *end = at + der.n;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.n);
    if (crl != NULL && (at != end || !is_full(crl))) {
        X509_CRL_free(crl);
        crl = NULL;
    }
    if (label != NULL) {
        pem_free(label, der);
    }
    return crl;
}

static bool crl_signed_by(X509_CRL *crl, X509 *ca)
{
    int nid = X509_CRL_get_signature_nid(crl);
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca)) != 0 ||
        (X509_get_key_usage(ca) & KU_CRL_SIGN) == 0) { /* no key usage at all: every bit set */
        return false;
    }
    if (nid != NID_SM2_with_SM3) {
        return strong_signature(nid) && X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1;
    }
    uint8_t *signed_part = NULL;
    int n = i2d_re_X509_CRL_tbs(crl, &signed_part);
    const ASN1_BIT_STRING *sig;
    X509_CRL_get0_signature(crl, &sig, NULL);
    bool good = n > 0 && sm2_signed_by(ca, signed_part, (size_t)n, sig);
    OPENSSL_free(signed_part);
    return good;
}

static bool is_newer(const X509_CRL *crl, const X509_CRL *held)
{
    return held == NULL ||
           ASN1_TIME_compare(X509_CRL_get0_lastUpdate(crl), X509_CRL_get0_lastUpdate(held)) > 0;
}

/* One key may have several certificates; each anchor the CRL verifies under gets it. */
enum crypto_err crypto_trust_add_crl(struct crypto_trust *trust, struct slice bytes)
{
    X509_CRL *crl = parse_crl(bytes);
    ERR_clear_error();
    if (crl == NULL) {
        return CRYPTO_EFORMAT;
    }
    enum crypto_err err = CRYPTO_EVERIFY;
    for (size_t i = 0; i < trust->n; i++) {
        struct anchor *anchor = &trust->anchors[i];
        if (!crl_signed_by(crl, anchor->ca)) {
            continue;
        }
        err = CRYPTO_OK;
        if (is_newer(crl, anchor->crl)) {
            X509_CRL_free(anchor->crl);
            X509_CRL_up_ref(crl);
            anchor->crl = crl;
        }
    }
    X509_CRL_free(crl);
    ERR_clear_error();
    return err;
}

/* Whoever is on an old list is revoked all the same; who is not may be on the next. */
static enum crypto_trust_result check_crl(X509_CRL *crl, X509 *x509, int64_t at_ms)
{
    X509_REVOKED *entry;
    if (X509_CRL_get0_by_cert(crl, &entry, x509) == 1) {
        return CRYPTO_UNTRUSTED_REVOKED;
    }
    int64_t from, until;
    bool fresh = time_ms(X509_CRL_get0_lastUpdate(crl), &from) &&
                 time_ms(X509_CRL_get0_nextUpdate(crl), &until) && from <= at_ms + CLOCK_SKEW_MS &&
                 at_ms < until;
    return fresh ? CRYPTO_TRUSTED : CRYPTO_UNTRUSTED_CRL_STALE;
}

static enum crypto_trust_result check_revocation(const struct crypto_trust *trust,
                                                 STACK_OF(X509) * path, int64_t at_ms)
{
    for (int i = 0; i + 1 < sk_X509_num(path); i++) {
        X509 *x509 = sk_X509_value(path, i);
        struct anchor *issuer = anchor_of(trust, sk_X509_value(path, i + 1));
        bool names_one = X509_get_ext_by_NID(x509, NID_crl_distribution_points, -1) >= 0;
        if (issuer != NULL && issuer->crl != NULL) {
            enum crypto_trust_result result = check_crl(issuer->crl, x509, at_ms);
            if (result != CRYPTO_TRUSTED) {
                return result;
            }
        } else if (trust->rule == CRYPTO_CRL_ALWAYS || names_one) {
            return CRYPTO_UNTRUSTED_NO_CRL;
        }
    }
    return CRYPTO_TRUSTED;
}

/* The path ------------------------------------------------------------------------------------- */

static enum crypto_trust_result result_of(int error)
{
    static const struct {
        int error;
        enum crypto_trust_result result;
    } map[] = {
        {X509_V_ERR_CERT_HAS_EXPIRED, CRYPTO_UNTRUSTED_EXPIRED},
        {X509_V_ERR_CERT_NOT_YET_VALID, CRYPTO_UNTRUSTED_EARLY},
        {X509_V_ERR_INVALID_PURPOSE, CRYPTO_UNTRUSTED_PURPOSE},
        {X509_V_ERR_INVALID_CA, CRYPTO_UNTRUSTED_PURPOSE},
        {X509_V_ERR_PATH_LENGTH_EXCEEDED, CRYPTO_UNTRUSTED_PURPOSE},
        {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, CRYPTO_UNTRUSTED_PURPOSE},
        {X509_V_ERR_EE_KEY_TOO_SMALL, CRYPTO_UNTRUSTED_WEAK},
        {X509_V_ERR_CA_KEY_TOO_SMALL, CRYPTO_UNTRUSTED_WEAK},
        {X509_V_ERR_CA_MD_TOO_WEAK, CRYPTO_UNTRUSTED_WEAK},
    };
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        if (map[i].error == error) {
            return map[i].result;
        }
    }
    return CRYPTO_UNTRUSTED_ISSUER;
}

/* OpenSSL takes a certificate that names no extended use for one of any use; we do not. */
static bool says_client(X509 *x509)
{
    uint32_t uses = X509_get_extended_key_usage(x509);
    return uses != UINT32_MAX && (uses & XKU_SSL_CLIENT) != 0;
}

static enum crypto_trust_result verify_path(const struct crypto_trust *trust, X509_STORE_CTX *ctx,
                                            int64_t at_ms)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)(at_ms / 1000));
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_depth(param, CRYPTO_CHAIN_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    if (X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) != 1) {
        crypto_die("no TLS client purpose");
    }
    if (X509_verify_cert(ctx) != 1) {
        return result_of(X509_STORE_CTX_get_error(ctx));
    }
    return trust->rule == CRYPTO_CRL_NEVER
               ? CRYPTO_TRUSTED
               : check_revocation(trust, X509_STORE_CTX_get0_chain(ctx), at_ms);
}

enum crypto_trust_result crypto_trust_verify(const struct crypto_trust *trust,
                                             const struct crypto_certificate *crt,
                                             struct crypto_certificate *const chain[],
                                             size_t chain_n, int64_t at_ms)
{
    if (chain_n > CRYPTO_CHAIN_MAX) {
        return CRYPTO_UNTRUSTED_ISSUER;
    }
    STACK_OF(X509) *sent = sk_X509_new_null();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (sent == NULL || ctx == NULL) {
        crypto_die("out of memory");
    }
    for (size_t i = 0; i < chain_n; i++) {
        if (sk_X509_push(sent, chain[i]->x509) == 0) { /* borrowed */
            crypto_die("out of memory");
        }
    }
    if (X509_STORE_CTX_init(ctx, trust->store, crt->x509, sent) != 1) {
        crypto_die("out of memory");
    }
    enum crypto_trust_result result = verify_path(trust, ctx, at_ms);
    if (result == CRYPTO_TRUSTED && !says_client(crt->x509)) {
        result = CRYPTO_UNTRUSTED_PURPOSE;
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_free(sent);
    ERR_clear_error();
    return result;
}
