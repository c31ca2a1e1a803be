/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from outside about certificates. The input brings its own CA, so that signatures of
 * seeds hold: first byte what the rest is, two bytes the length of the CA, the CA, the rest. The
 * time is 30 days into the CA's life. */
#include <stdlib.h>

#include "crypto/certificate.h"

#define MONTH_MS INT64_C(2592000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void fuzz_certificate(struct crypto_trust *trust, struct slice in, int64_t at_ms)
{
    struct crypto_certificate *crt = NULL;
    if (crypto_certificate_load(&crt, in) != CRYPTO_OK) {
        must(crt == NULL);
        return;
    }
    must(strlen(crypto_certificate_subject(crt)) < CRYPTO_SUBJECT_MAX);
    must(strlen(crypto_certificate_issuer(crt)) < CRYPTO_SUBJECT_MAX);
    must(*crypto_certificate_serial(crt) != '\0');
    struct crypto_key *key = NULL;
    must((crypto_certificate_key(crt, &key) == CRYPTO_OK) == (key != NULL));
    crypto_key_free(&key);
    enum crypto_trust_result result = crypto_trust_verify(trust, crt, &crt, 1, at_ms);
    must(strcmp(crypto_trust_strerror(result), "unknown result") != 0);
    crypto_certificate_free(&crt);
}

static void fuzz_ocsp(const struct crypto_certificate *ca, struct slice in, int64_t at_ms)
{
    struct crypto_ocsp_answer answer = {.this_update_ms = -1};
    uint8_t *request;
    size_t n;
    crypto_ocsp_request(ca, ca, &request, &n);
    enum crypto_err err =
        crypto_ocsp_read(ca, ca, slice_of((char *)request, n), in, at_ms, &answer);
    must((err == CRYPTO_OK) == (answer.this_update_ms != -1));
    free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    size_t ca_n = n < 3 ? 0 : (size_t)data[1] << 8 | data[2];
    if (n < 3 || ca_n > n - 3) {
        return 0;
    }
    struct slice ca_der = slice_of((const char *)data + 3, ca_n),
                 in = slice_of(ca_der.p + ca_n, n - 3 - ca_n);
    struct crypto_trust *trust = crypto_trust_new(data[0] >> 2 & 3);
    struct crypto_certificate *ca = NULL;
    int64_t at_ms = MONTH_MS, until_ms;
    if (crypto_certificate_load(&ca, ca_der) == CRYPTO_OK) {
        crypto_certificate_validity(ca, &at_ms, &until_ms);
        at_ms += MONTH_MS;
        (void)!crypto_trust_add_ca(trust, ca_der);
    }
    switch (data[0] & 3) {
    case 0:
        fuzz_certificate(trust, in, at_ms);
        break;
    case 1:
        (void)!crypto_trust_add_crl(trust, in);
        fuzz_certificate(trust, ca_der, at_ms);
        break;
    case 2:
        if (ca != NULL) {
            fuzz_ocsp(ca, in, at_ms);
        }
        break;
    default:
        (void)!crypto_trust_add_ca(trust, in);
        break;
    }
    crypto_certificate_free(&ca);
    crypto_trust_free(&trust);
    return 0;
}
