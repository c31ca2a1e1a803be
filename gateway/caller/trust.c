/* SPDX-License-Identifier: Apache-2.0 */
/* Two trusts, for the two answers to "what if there is no CRL": `strict` holds the CAs that demand
 * one (crl_required, or an OCSP responder, which no worker may wait for), `lenient` the others,
 * where a CRL counts when there is one or the certificate names one. A certificate is believed when
 * either does. A CA that cannot be read is no CA; one whose CRL cannot be read becomes strict, and
 * so believes nobody until it is mended. */
#include "sluice.h"

#include "caller/trust.h"

#include "base/codec.h"

static struct {
    sluice_set_t set;
    uint64_t round;
    struct crypto_trust *lenient, *strict;
} now;

static void complain(const struct uuid *id, const char *what)
{
    char text[UUID_TEXT_LEN + 1];
    uuid_format(id, text);
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "sluice: trust %s: %s", text, what);
}

/* false: there is a CRL and it is no good. */
static bool add_crl(struct crypto_trust *trust, struct slice base64)
{
    size_t n;
    char *der = base64.n ? malloc(base64.n) : NULL;
    if (!der) {
        return base64.n == 0;
    }
    bool good = codec_unbase64(der, base64.n, &n, base64.p, base64.n) &&
                crypto_trust_add_crl(trust, slice_of(der, n)) == CRYPTO_OK;
    free(der);
    return good;
}

/* Tried by itself: what is in a trust stays there. */
static bool crl_good(struct slice ca, struct slice crl)
{
    struct crypto_trust *trial = crypto_trust_new(CRYPTO_CRL_ALWAYS);
    bool good = crl.n == 0 || (crypto_trust_add_ca(trial, ca) == CRYPTO_OK && add_crl(trial, crl));
    crypto_trust_free(&trial);
    return good;
}

static void add(const struct uuid *id, const json_t *row)
{
    struct slice ca = sluice_member(row, "certificate"), crl = sluice_member(row, "crl");
    bool good = crl_good(ca, crl);
    bool strict =
        !good || json_is_true(json_object_get(row, "crl_required")) || sluice_member(row, "ocsp").n;
    struct crypto_trust *trust = strict ? now.strict : now.lenient;
    if (crypto_trust_add_ca(trust, ca) != CRYPTO_OK) {
        complain(id, "not the certificate of a CA; passed over");
        return;
    }
    if (!good || !add_crl(trust, crl)) {
        complain(id, "its CRL cannot be used; nothing it signed is believed");
    }
}

static bool visit(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    json_t *row = json_loadb(json.p, json.n, 0, NULL);
    (void)ctx;
    (void)rev;
    add(id, row); /* NULL, or no object: has no members */
    json_decref(row);
    return true;
}

void sluice_trust_clear(void)
{
    crypto_trust_free(&now.lenient);
    crypto_trust_free(&now.strict);
}

static void compile(void)
{
    struct replica_reader *reader = sluice_reader();
    sluice_trust_clear();
    now.lenient = crypto_trust_new(CRYPTO_CRL_WHERE_NAMED);
    now.strict = crypto_trust_new(CRYPTO_CRL_ALWAYS);
    if (!reader || replica_set_each(reader, REPLICA_TRUST, visit, NULL) != REPLICA_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sluice: trust cannot be read");
    }
}

uint64_t sluice_trust_round(void)
{
    if (sluice_set_changed(&now.set, REPLICA_TRUST)) {
        compile();
        now.round++;
    }
    return now.round;
}

enum crypto_trust_result sluice_trust_verify(const struct crypto_certificate *crt,
                                             struct crypto_certificate *const chain[],
                                             size_t chain_n, int64_t now_ms)
{
    if (!now.lenient) { /* the replica has not been read yet */
        return CRYPTO_UNTRUSTED_ISSUER;
    }
    enum crypto_trust_result result = crypto_trust_verify(now.lenient, crt, chain, chain_n, now_ms);
    if (result == CRYPTO_TRUSTED) {
        return result;
    }
    enum crypto_trust_result strict = crypto_trust_verify(now.strict, crt, chain, chain_n, now_ms);
    return strict != CRYPTO_UNTRUSTED_ISSUER ? strict : result;
}
