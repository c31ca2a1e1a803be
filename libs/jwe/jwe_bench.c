/* SPDX-License-Identifier: Apache-2.0 */
/* Seals and opens 1 MiB and 300 bytes in both suites, beside SM4-GCM alone: MB/s and a second. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "jwe/jwe.h"

#define BIG     (1u << 20)
#define SMALL   300u
#define SPAN_US 500000u

static struct crypto_policy policy;
static char text[BIG];

static void report(const char *what, size_t bytes, unsigned n, uint64_t us)
{
    double s = (double)us / 1e6;
    printf("%-32s %8zu bytes %10.0f /s %8.0f MB/s\n", what, bytes, n / s,
           (double)n * (double)bytes / s / 1e6);
}

static void measure(const char *name, struct jwe_key *key, size_t bytes)
{
    struct buf sealed, plain;
    char what[64], cty[JWE_CTY_MAX + 1];
    unsigned n = 0;
    uint64_t from = clock_mono_us();
    buf_init(&sealed);
    buf_init(&plain);
    for (; clock_mono_us() - from < SPAN_US; n++) {
        buf_clear(&sealed);
        if (jwe_seal(key, SLICE("application/json"), slice_of(text, bytes), &sealed) != JWE_OK) {
            abort();
        }
    }
    snprintf(what, sizeof what, "%s seal", name);
    report(what, bytes, n, clock_mono_us() - from);
    from = clock_mono_us();
    for (n = 0; clock_mono_us() - from < SPAN_US; n++) {
        buf_clear(&plain);
        if (jwe_open(&key, 1, &policy, 0, buf_slice(&sealed), &plain, cty) != JWE_OK) {
            abort();
        }
    }
    snprintf(what, sizeof what, "%s open", name);
    report(what, bytes, n, clock_mono_us() - from);
    buf_fini(&sealed);
    buf_fini(&plain);
}

static void raw(void)
{
    static uint8_t out[BIG + CRYPTO_SEAL_EXTRA];
    uint8_t key[CRYPTO_KEY_LEN] = {1};
    unsigned n = 0;
    uint64_t from = clock_mono_us();
    for (; clock_mono_us() - from < SPAN_US; n++) {
        crypto_seal(key, SLICE(""), text, BIG, out);
    }
    report("SM4-GCM alone", BIG, n, clock_mono_us() - from);
    from = clock_mono_us();
    for (n = 0; clock_mono_us() - from < SPAN_US; n++) {
        crypto_hash(CRYPTO_SM3, text, BIG, out);
    }
    report("SM3 alone", BIG, n, clock_mono_us() - from);
}

int main(void)
{
    static const struct {
        const char *name;
        enum crypto_key_kind kind;
    } rows[] = {{"SM2 SM4GCM", CRYPTO_KEY_SM2}, {"ECDH-ES A256GCM", CRYPTO_KEY_P256}};
    crypto_policy_init(&policy);
    raw();
    for (size_t i = 0; i < 2; i++) {
        struct crypto_key *pair = crypto_key_new(rows[i].kind);
        struct jwe_key *key = jwe_key_take(&pair, SLICE("bench"));
        measure(rows[i].name, key, SMALL);
        measure(rows[i].name, key, BIG);
        jwe_key_free(&key);
    }
    return 0;
}
