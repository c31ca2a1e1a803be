/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/ocsp.h>
#include <openssl/rand.h>
#include <time.h>

#include "base/codec.h"
#include "crypto/certificate_testing.h"

#define DAY_MS INT64_C(86400000)

static int64_t at(int from_base_days)
{
    return base_s * 1000 + from_base_days * DAY_MS;
}

static void drop(struct slice bytes)
{
    free((char *)(uintptr_t)bytes.p);
}

static struct crypto_trust *trust_of(enum crypto_revocation rule, const struct party *ca)
{
    struct crypto_trust *trust = crypto_trust_new(rule);
    struct slice der = der_of_x509(ca->x509);
    assert_int_equal(crypto_trust_add_ca(trust, der), CRYPTO_OK);
    assert_int_equal(crypto_trust_add_ca(trust, der), CRYPTO_OK); /* twice is once */
    drop(der);
    return trust;
}

static enum crypto_trust_result verify(const struct crypto_trust *trust, const struct party *party,
                                       int at_days)
{
    struct crypto_certificate *crt = party_certificate(party);
    enum crypto_trust_result result = crypto_trust_verify(trust, crt, NULL, 0, at(at_days));
    crypto_certificate_free(&crt);
    return result;
}

static enum crypto_err add_crl(struct crypto_trust *trust, struct slice crl)
{
    enum crypto_err err = crypto_trust_add_crl(trust, crl);
    drop(crl);
    return err;
}

static const enum test_key kinds[] = {TEST_P256, TEST_SM2, TEST_RSA2048};
#define KINDS (sizeof kinds / sizeof *kinds)

static struct plan with_key(struct plan plan, enum test_key key)
{
    plan.key = key;
    return plan;
}

static void reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct plan plan = with_key(plan_client, kinds[i]);
        struct party party = party_make(&plan, NULL);
        struct slice der = der_of_x509(party.x509), pem = pem_of_x509(party.x509);
        struct crypto_certificate *crt = NULL, *again = NULL;
        assert_int_equal(crypto_certificate_load(&crt, der), CRYPTO_OK);
        assert_int_equal(crypto_certificate_load(&again, pem), CRYPTO_OK);
        assert_true(slice_eq(crypto_certificate_der(crt), der));
        assert_true(slice_eq(crypto_certificate_der(again), der));
        assert_string_equal(crypto_certificate_subject(crt), "CN=app,O=测试银行");
        assert_string_equal(crypto_certificate_issuer(crt), "CN=app,O=测试银行");
        assert_memory_equal(crypto_certificate_serial(crt), "10", 2);
        int64_t from, until;
        crypto_certificate_validity(crt, &from, &until);
        assert_true(from == at(-10) && until == at(10));
        uint8_t got[CRYPTO_HASH_LEN], want[CRYPTO_HASH_LEN];
        for (enum crypto_hash alg = CRYPTO_SM3; alg <= CRYPTO_SHA256; alg++) {
            crypto_certificate_fingerprint(again, alg, got);
            crypto_hash(alg, der.p, der.n, want);
            assert_memory_equal(got, want, sizeof got);
        }
        struct crypto_key *key = NULL, *same = NULL;
        assert_int_equal(crypto_certificate_key(crt, &key), CRYPTO_OK);
        assert_int_equal(crypto_key_load_certificate(&same, pem), CRYPTO_OK);
        assert_string_equal(crypto_key_id(key), crypto_key_id(same));
        crypto_key_free(&key);
        crypto_key_free(&same);
        crypto_certificate_free(&crt);
        crypto_certificate_free(&again);
        drop(der);
        drop(pem);
        party_free(&party);
    }
}

/* Cut, followed by something, of another kind, with a name made to look like another. */
static void refused_bytes(void **state)
{
    (void)state;
    struct plan weak = with_key(plan_client, TEST_RSA1024), sly = plan_client;
    sly.name = "a,O=b\n\\";
    struct party party = party_make(&plan_client, NULL), other = party_make(&weak, NULL),
                 named = party_make(&sly, NULL);
    struct slice der = der_of_x509(party.x509), crl = crl_make(&party, NULL, 0, 1, false);
    struct crypto_certificate *crt = NULL;
    for (size_t n = 0; n < der.n; n++) {
        assert_int_equal(crypto_certificate_load(&crt, slice_of(der.p, n)), CRYPTO_EFORMAT);
    }
    char more[4096] = {0};
    memcpy(more, der.p, der.n);
    assert_int_equal(crypto_certificate_load(&crt, slice_of(more, der.n + 1)), CRYPTO_EFORMAT);
    static char big[CRYPTO_CERTIFICATE_MAX + 1];
    memcpy(big, der.p, der.n);
    assert_int_equal(crypto_certificate_load(&crt, slice_of(big, sizeof big)), CRYPTO_EFORMAT);
    assert_int_equal(crypto_certificate_load(&crt, crl), CRYPTO_EFORMAT);
    assert_null(crt);
    crt = party_certificate(&named);
    assert_string_equal(crypto_certificate_subject(crt), "CN=a\\,O=b\\0A\\\\,O=测试银行");
    crypto_certificate_free(&crt);
    crt = party_certificate(&other); /* a key that is none of ours */
    struct crypto_key *key = NULL;
    assert_int_equal(crypto_certificate_key(crt, &key), CRYPTO_EFORMAT);
    crypto_certificate_free(&crt);
    drop(der);
    drop(crl);
    party_free(&party);
    party_free(&other);
    party_free(&named);
}

static const struct {
    const char *what;
    struct plan change; /* what differs from plan_client; .key always counts */
    int at_days;
    enum crypto_trust_result want;
} leaves[] = {
    {"as it should be", {0}, 0, CRYPTO_TRUSTED},
    {"SM2 key", {.key = TEST_SM2}, 0, CRYPTO_TRUSTED},
    {"RSA key", {.key = TEST_RSA2048}, 0, CRYPTO_TRUSTED},
    {"last day", {0}, 9, CRYPTO_TRUSTED},
    {"expired", {0}, 11, CRYPTO_UNTRUSTED_EXPIRED},
    {"not yet valid", {0}, -11, CRYPTO_UNTRUSTED_EARLY},
    {"for servers", {.extended = "serverAuth"}, 0, CRYPTO_UNTRUSTED_PURPOSE},
    {"for code", {.extended = "codeSigning,emailProtection"}, 0, CRYPTO_UNTRUSTED_PURPOSE},
    {"for anything", {.extended = "anyExtendedKeyUsage"}, 0, CRYPTO_UNTRUSTED_PURPOSE},
    {"for servers and clients", {.extended = "serverAuth,clientAuth"}, 0, CRYPTO_TRUSTED},
    {"says no use", {.extended = ""}, 0, CRYPTO_UNTRUSTED_PURPOSE},
    {"key usage of another kind", {.usage = "critical,cRLSign"}, 0, CRYPTO_UNTRUSTED_PURPOSE},
    {"small RSA key", {.key = TEST_RSA1024}, 0, CRYPTO_UNTRUSTED_WEAK},
    {"over SHA-1", {.digest = "SHA1"}, 0, CRYPTO_UNTRUSTED_WEAK},
    {"names a CRL there is none of",
     {.points = "URI:http://ca.example/crl"},
     0,
     CRYPTO_UNTRUSTED_NO_CRL},
};

static void certificates(void **state)
{
    (void)state;
    struct party ca = party_make(&plan_ca, NULL);
    struct crypto_trust *trust = trust_of(CRYPTO_CRL_WHERE_NAMED, &ca);
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        struct plan plan = with_key(plan_client, leaves[i].change.key);
        const struct plan *change = &leaves[i].change;
        plan.usage = change->usage != NULL ? change->usage : plan.usage;
        plan.extended = change->extended == NULL    ? plan.extended
                        : *change->extended == '\0' ? NULL
                                                    : change->extended;
        plan.points = change->points;
        plan.digest = change->digest;
        struct party leaf = party_make(&plan, &ca);
        enum crypto_trust_result got = verify(trust, &leaf, leaves[i].at_days);
        if (got != leaves[i].want) {
            fail_msg("%s: %s", leaves[i].what, crypto_trust_strerror(got));
        }
        party_free(&leaf);
    }
    crypto_trust_free(&trust);
    party_free(&ca);
}

static void other_issuers(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct plan plan = with_key(plan_ca, kinds[i]);
        struct party ca = party_make(&plan, NULL), same_name = party_make(&plan, NULL),
                     leaf = party_make(&plan_client, &ca),
                     forged = party_make(&plan_client, &same_name),
                     alone = party_make(&plan_client, NULL);
        struct crypto_trust *trust = trust_of(CRYPTO_CRL_NEVER, &ca),
                            *none = crypto_trust_new(CRYPTO_CRL_NEVER);
        assert_int_equal(verify(trust, &leaf, 0), CRYPTO_TRUSTED);
        assert_int_equal(verify(trust, &forged, 0), CRYPTO_UNTRUSTED_ISSUER);
        assert_int_equal(verify(trust, &alone, 0), CRYPTO_UNTRUSTED_ISSUER);
        assert_int_equal(verify(none, &leaf, 0), CRYPTO_UNTRUSTED_ISSUER);
        /* the last byte is the signature's */
        struct slice der = der_of_x509(leaf.x509);
        ((char *)(uintptr_t)der.p)[der.n - 1] ^= 1;
        struct crypto_certificate *crt = NULL;
        assert_int_equal(crypto_certificate_load(&crt, der), CRYPTO_OK);
        assert_int_equal(crypto_trust_verify(trust, crt, NULL, 0, at(0)), CRYPTO_UNTRUSTED_ISSUER);
        crypto_certificate_free(&crt);
        drop(der);
        /* a leaf is no anchor */
        der = der_of_x509(leaf.x509);
        assert_int_equal(crypto_trust_add_ca(trust, der), CRYPTO_EFORMAT);
        assert_int_equal(crypto_trust_add_ca(trust, slice_of(der.p, 20)), CRYPTO_EFORMAT);
        drop(der);
        crypto_trust_free(&trust);
        crypto_trust_free(&none);
        party_free(&ca);
        party_free(&same_name);
        party_free(&leaf);
        party_free(&forged);
        party_free(&alone);
    }
}

/* root - middle - leaf; the peer sends the middle. And a leaf that plays CA. */
static void chains(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct plan plan = with_key(plan_ca, kinds[i]), middle_plan = plan;
        middle_plan.name = "middle";
        struct party root = party_make(&plan, NULL), middle = party_make(&middle_plan, &root),
                     leaf = party_make(&plan_client, &middle),
                     below = party_make(&plan_client, &leaf);
        struct crypto_trust *trust = trust_of(CRYPTO_CRL_WHERE_NAMED, &root),
                            *direct = trust_of(CRYPTO_CRL_NEVER, &middle);
        struct crypto_certificate *crt = party_certificate(&leaf),
                                  *sent[CRYPTO_CHAIN_MAX + 1] = {party_certificate(&middle)},
                                  *bad = party_certificate(&below), *leaf_too = crt;
        assert_int_equal(crypto_trust_verify(trust, crt, NULL, 0, at(0)), CRYPTO_UNTRUSTED_ISSUER);
        assert_int_equal(crypto_trust_verify(trust, crt, sent, 1, at(0)), CRYPTO_TRUSTED);
        assert_int_equal(crypto_trust_verify(direct, crt, NULL, 0, at(0)), CRYPTO_TRUSTED);
        struct crypto_certificate *both[] = {sent[0], leaf_too};
        assert_int_not_equal(crypto_trust_verify(trust, bad, both, 2, at(0)), CRYPTO_TRUSTED);
        for (size_t n = 1; n <= CRYPTO_CHAIN_MAX; n++) {
            sent[n] = sent[0];
        }
        assert_int_equal(crypto_trust_verify(trust, crt, sent, CRYPTO_CHAIN_MAX, at(0)),
                         CRYPTO_TRUSTED);
        assert_int_equal(crypto_trust_verify(trust, crt, sent, CRYPTO_CHAIN_MAX + 1, at(0)),
                         CRYPTO_UNTRUSTED_ISSUER);
        /* the middle revoked by the root */
        assert_int_equal(add_crl(trust, crl_make(&root, &middle, 0, 5, false)), CRYPTO_OK);
        assert_int_equal(crypto_trust_verify(trust, crt, sent, 1, at(0)), CRYPTO_UNTRUSTED_REVOKED);
        crypto_certificate_free(&crt);
        crypto_certificate_free(&sent[0]);
        crypto_certificate_free(&bad);
        crypto_trust_free(&trust);
        crypto_trust_free(&direct);
        party_free(&root);
        party_free(&middle);
        party_free(&leaf);
        party_free(&below);
    }
}

static void revocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct plan plan = with_key(plan_ca, kinds[i]);
        struct party ca = party_make(&plan, NULL), same_name = party_make(&plan, NULL),
                     leaf = party_make(&plan_client, &ca), gone = party_make(&plan_client, &ca);
        struct crypto_trust *named = trust_of(CRYPTO_CRL_WHERE_NAMED, &ca),
                            *always = trust_of(CRYPTO_CRL_ALWAYS, &ca),
                            *never = trust_of(CRYPTO_CRL_NEVER, &ca);
        assert_int_equal(verify(named, &leaf, 0), CRYPTO_TRUSTED);
        assert_int_equal(verify(always, &leaf, 0), CRYPTO_UNTRUSTED_NO_CRL);
        assert_int_equal(verify(never, &leaf, 0), CRYPTO_TRUSTED);
        assert_int_equal(add_crl(always, crl_make(&same_name, NULL, 0, 2, false)), CRYPTO_EVERIFY);
        assert_int_equal(add_crl(always, crl_make(&leaf, NULL, 0, 2, false)), CRYPTO_EVERIFY);
        assert_int_equal(add_crl(always, crl_make(&ca, NULL, 0, 2, true)), CRYPTO_EFORMAT);
        assert_int_equal(add_crl(always, crl_make(&ca, NULL, 0, 0, false)), CRYPTO_EFORMAT);
        assert_int_equal(verify(always, &leaf, 0), CRYPTO_UNTRUSTED_NO_CRL);
        struct crypto_trust *checked[] = {named, always};
        for (size_t t = 0; t < 2; t++) {
            assert_int_equal(add_crl(checked[t], crl_make(&ca, &gone, 0, 2, false)), CRYPTO_OK);
            assert_int_equal(verify(checked[t], &leaf, 1), CRYPTO_TRUSTED);
            assert_int_equal(verify(checked[t], &gone, 1), CRYPTO_UNTRUSTED_REVOKED);
            assert_int_equal(verify(checked[t], &leaf, 2), CRYPTO_UNTRUSTED_CRL_STALE);
            assert_int_equal(verify(checked[t], &gone, 3), CRYPTO_UNTRUSTED_REVOKED);
            assert_int_equal(verify(checked[t], &leaf, -1), CRYPTO_UNTRUSTED_CRL_STALE);
            /* an older one does not bring anyone back; a newer one counts */
            assert_int_equal(add_crl(checked[t], crl_make(&ca, NULL, -1, 9, false)), CRYPTO_OK);
            assert_int_equal(verify(checked[t], &gone, 1), CRYPTO_UNTRUSTED_REVOKED);
            assert_int_equal(add_crl(checked[t], crl_make(&ca, &leaf, 1, 9, false)), CRYPTO_OK);
            assert_int_equal(verify(checked[t], &leaf, 3), CRYPTO_UNTRUSTED_REVOKED);
            assert_int_equal(verify(checked[t], &gone, 3), CRYPTO_TRUSTED);
        }
        assert_int_equal(add_crl(never, crl_make(&ca, &leaf, 0, 2, false)), CRYPTO_OK);
        assert_int_equal(verify(never, &leaf, 1), CRYPTO_TRUSTED);
        crypto_trust_free(&named);
        crypto_trust_free(&always);
        crypto_trust_free(&never);
        party_free(&ca);
        party_free(&same_name);
        party_free(&leaf);
        party_free(&gone);
    }
}

/* Every byte of a CRL changed is no CRL of this CA, or says the same. */
static void changed_crl(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct plan plan = with_key(plan_ca, kinds[i]);
        struct party ca = party_make(&plan, NULL), gone = party_make(&plan_client, &ca);
        struct slice crl = crl_make(&ca, &gone, 0, 2, false);
        char *bytes = (char *)(uintptr_t)crl.p;
        for (size_t n = 0; n < crl.n; n++) {
            struct crypto_trust *trust = trust_of(CRYPTO_CRL_ALWAYS, &ca);
            bytes[n] ^= 1;
            if (crypto_trust_add_crl(trust, crl) == CRYPTO_OK) {
                fail_msg("key %zu: byte %zu of %zu may be another", i, n, crl.n);
            }
            bytes[n] ^= 1;
            assert_int_equal(crypto_trust_add_crl(trust, slice_of(bytes, n)), CRYPTO_EFORMAT);
            crypto_trust_free(&trust);
        }
        drop(crl);
        party_free(&ca);
        party_free(&gone);
    }
}

struct ocsp_case {
    struct party ca, leaf, other, delegate, stranger, other_leaf;
    struct crypto_certificate *ca_crt, *crt;
    struct slice request;
};

static void ocsp_setup(struct ocsp_case *c, enum test_key key)
{
    struct plan ca = with_key(plan_ca, key), delegate = with_key(plan_client, key);
    delegate.extended = "OCSPSigning";
    *c = (struct ocsp_case){.ca = party_make(&ca, NULL), .other = party_make(&ca, NULL)};
    c->leaf = party_make(&plan_client, &c->ca);
    c->other_leaf = party_make(&plan_client, &c->ca);
    c->delegate = party_make(&delegate, &c->ca);
    c->stranger = party_make(&plan_client, &c->ca); /* no OCSPSigning */
    c->ca_crt = party_certificate(&c->ca);
    c->crt = party_certificate(&c->leaf);
    uint8_t *der;
    size_t n;
    crypto_ocsp_request(c->crt, c->ca_crt, &der, &n);
    c->request = slice_of((char *)der, n);
}

static void ocsp_teardown(struct ocsp_case *c)
{
    struct party *parties[] = {&c->ca,       &c->leaf,     &c->other,
                               &c->delegate, &c->stranger, &c->other_leaf};
    for (size_t i = 0; i < sizeof parties / sizeof *parties; i++) {
        party_free(parties[i]);
    }
    crypto_certificate_free(&c->ca_crt);
    crypto_certificate_free(&c->crt);
    drop(c->request);
}

static enum crypto_err ask(const struct ocsp_case *c, struct slice response, int at_days,
                           struct crypto_ocsp_answer *answer)
{
    enum crypto_err err =
        crypto_ocsp_read(c->crt, c->ca_crt, c->request, response, at(at_days), answer);
    drop(response);
    return err;
}

static void ocsp_answers(void **state)
{
    (void)state;
    static const struct {
        int openssl;
        enum crypto_ocsp_status want;
    } rows[] = {{V_OCSP_CERTSTATUS_GOOD, CRYPTO_OCSP_GOOD},
                {V_OCSP_CERTSTATUS_REVOKED, CRYPTO_OCSP_REVOKED},
                {V_OCSP_CERTSTATUS_UNKNOWN, CRYPTO_OCSP_UNKNOWN}};
    for (size_t k = 0; k < KINDS; k++) {
        struct ocsp_case c;
        ocsp_setup(&c, kinds[k]);
        const struct party *signers[] = {&c.ca, &c.delegate};
        for (size_t i = 0; i < 6; i++) {
            struct crypto_ocsp_answer answer = {.status = 99};
            struct slice nonce = i % 2 == 0 ? c.request : slice_of(NULL, 0);
            struct slice response =
                ocsp_make(&c.leaf, &c.ca, signers[i % 2], rows[i / 2].openssl, nonce, 0, 2);
            assert_int_equal(ask(&c, response, 1, &answer), CRYPTO_OK);
            assert_int_equal(answer.status, rows[i / 2].want);
            assert_true(answer.this_update_ms == at(0) && answer.next_update_ms == at(2));
        }
        ocsp_teardown(&c);
    }
}

static void ocsp_refusals(void **state)
{
    (void)state;
    const struct slice no_nonce = {NULL, 0};
    for (size_t k = 0; k < KINDS; k++) {
        struct ocsp_case c;
        ocsp_setup(&c, kinds[k]);
        struct crypto_ocsp_answer answer = {.status = 99};
        uint8_t *der;
        size_t n;
        crypto_ocsp_request(c.crt, c.ca_crt, &der, &n); /* its nonce is another */
        const struct {
            const struct party *subject, *issuer, *signer;
            struct slice nonce;
            int at_days, until_days;
            enum crypto_err want;
        } rows[] = {
            {&c.leaf, &c.ca, &c.other, no_nonce, 1, 2, CRYPTO_EVERIFY},
            {&c.leaf, &c.ca, &c.stranger, no_nonce, 1, 2, CRYPTO_EVERIFY},
            {&c.leaf, &c.ca, &c.leaf, no_nonce, 1, 2, CRYPTO_EVERIFY},
            {&c.leaf, &c.ca, &c.ca, slice_of((char *)der, n), 1, 2, CRYPTO_EVERIFY},
            {&c.leaf, &c.ca, &c.ca, no_nonce, 3, 2, CRYPTO_EVERIFY},
            {&c.leaf, &c.ca, &c.ca, no_nonce, -1, 2, CRYPTO_EVERIFY},
            {&c.leaf, &c.ca, &c.ca, no_nonce, 1, 0, CRYPTO_EVERIFY},         /* no end, and old */
            {&c.leaf, &c.ca, &c.delegate, no_nonce, 15, 20, CRYPTO_EVERIFY}, /* it has expired */
            {&c.other_leaf, &c.ca, &c.ca, no_nonce, 1, 2, CRYPTO_EFORMAT},
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct slice response =
                ocsp_make(rows[i].subject, rows[i].issuer, rows[i].signer, V_OCSP_CERTSTATUS_GOOD,
                          rows[i].nonce, 0, rows[i].until_days);
            enum crypto_err err = ask(&c, response, rows[i].at_days, &answer);
            if (err != rows[i].want) {
                fail_msg("key %zu row %zu: %d", k, i, (int)err);
            }
        }
        free(der);
        struct slice good =
            ocsp_make(&c.leaf, &c.ca, &c.ca, V_OCSP_CERTSTATUS_GOOD, c.request, 0, 2);
        char *bytes = (char *)(uintptr_t)good.p;
        for (size_t i = 0; i < good.n; i++) {
            assert_int_equal(
                crypto_ocsp_read(c.crt, c.ca_crt, c.request, slice_of(bytes, i), at(1), &answer),
                CRYPTO_EFORMAT);
        }
        bytes[good.n - 1] ^= 1;
        assert_int_equal(ask(&c, good, 1, &answer), CRYPTO_EVERIFY);
        assert_int_equal(answer.status, 99);
        ocsp_teardown(&c);
    }
}

int main(void)
{
    base_s = (int64_t)time(NULL);
    const struct CMUnitTest tests[] = {
        {"[BK-7.2.1a1-2] certificate: subject, serial, validity, fingerprints and key of each kind",
         reading, NULL, NULL, NULL},
        {"certificate: bytes that are none are refused, names are escaped", refused_bytes, NULL,
         NULL, NULL},
        {"[BK-7.2.1a1-2, BK-9.2.1b1-2] certificate: expired, early, of another use or weak ones "
         "are "
         "refused",
         certificates, NULL, NULL, NULL},
        {"[BK-9.2.1b1-2] certificate: of an unknown CA, or a forged one, is refused", other_issuers,
         NULL, NULL, NULL},
        {"[BK-9.2.1b1-2] certificate: chains through a CA in between", chains, NULL, NULL, NULL},
        {"[BK-9.2.1b1-2] certificate: revoked by a CRL, a missing or stale CRL", revocation, NULL,
         NULL, NULL},
        {"certificate: a changed CRL is refused", changed_crl, NULL, NULL, NULL},
        {"[BK-9.2.1b1-2] ocsp: good, revoked, unknown, signed by the CA or its delegate",
         ocsp_answers, NULL, NULL, NULL},
        {"ocsp: answers of others, of another time, about another, cut or changed", ocsp_refusals,
         NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
