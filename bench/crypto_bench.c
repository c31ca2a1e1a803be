/* SPDX-License-Identifier: Apache-2.0 */
/* What this core's cryptography does: one line a row, "name<TAB>value<TAB>unit", each the median of
 * RUNS runs of RUN_S seconds of this thread's CPU time. Rows of sm2 name the provider: those of the
 * program itself are "sluice …"; "openssl …" is the peer that SM2 was chosen against. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/key.h"

#define RUNS          5
#define RUN_S         0.3
#define MESSAGE_BYTES 250 /* about a signature base */
#define BULK_BYTES    (256 * 1024)

struct work {
    const struct crypto_key *key;
    EVP_PKEY *pkey;
    uint8_t message[MESSAGE_BYTES];
    uint8_t raw[CRYPTO_SIG_MAX], der[CRYPTO_SM2_SIG_MAX];
    size_t raw_n, der_n;
    uint8_t *bulk, *out; /* BULK_BYTES, and as much and CRYPTO_SEAL_EXTRA */
};

static void must(bool done, const char *what)
{
    if (!done) {
        fprintf(stderr, "crypto_bench: %s failed\n", what);
        exit(1);
    }
}

static void sluice_sign(struct work *w)
{
    must(crypto_key_sign(w->key, crypto_key_alg(w->key), w->message, MESSAGE_BYTES, w->raw,
                         &w->raw_n) == CRYPTO_OK,
         "sign");
}

static void sluice_verify(struct work *w)
{
    must(crypto_key_verify(w->key, crypto_key_alg(w->key), w->message, MESSAGE_BYTES, w->raw,
                           w->raw_n) == CRYPTO_OK,
         "verify");
}

typedef int (*init_fn)(EVP_MD_CTX *, EVP_PKEY_CTX **, const char *, OSSL_LIB_CTX *, const char *,
                       EVP_PKEY *, const OSSL_PARAM[]);

static EVP_MD_CTX *openssl_start(init_fn init, EVP_PKEY *pkey)
{
    static char id[] = "1234567812345678";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_DIST_ID, id, sizeof id - 1), OSSL_PARAM_END};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx != NULL && init(ctx, NULL, "SM3", NULL, NULL, pkey, params) == 1, "openssl start");
    return ctx;
}

static void openssl_sign(struct work *w)
{
    EVP_MD_CTX *ctx = openssl_start(EVP_DigestSignInit_ex, w->pkey);
    w->der_n = sizeof w->der;
    must(EVP_DigestSign(ctx, w->der, &w->der_n, w->message, MESSAGE_BYTES) == 1, "openssl sign");
    EVP_MD_CTX_free(ctx);
}

static void openssl_verify(struct work *w)
{
    EVP_MD_CTX *ctx = openssl_start(EVP_DigestVerifyInit_ex, w->pkey);
    must(EVP_DigestVerify(ctx, w->der, w->der_n, w->message, MESSAGE_BYTES) == 1, "openssl verify");
    EVP_MD_CTX_free(ctx);
}

static void sm3(struct work *w)
{
    uint8_t hash[CRYPTO_HASH_LEN];
    crypto_hash(CRYPTO_SM3, w->bulk, BULK_BYTES, hash);
}

static void sm4_seal(struct work *w)
{
    static const uint8_t key[CRYPTO_KEY_LEN] = {1};
    crypto_seal(key, SLICE(""), w->bulk, BULK_BYTES, w->out);
}

static void sm4_open(struct work *w)
{
    static const uint8_t key[CRYPTO_KEY_LEN] = {1};
    must(crypto_open(key, SLICE(""), w->out, BULK_BYTES + CRYPTO_SEAL_EXTRA, w->bulk) == CRYPTO_OK,
         "open");
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double per_second(void (*work)(struct work *), struct work *w)
{
    double rates[RUNS];
    for (int run = 0; run < RUNS; run++) {
        double start = cpu_s(), now;
        size_t done = 0;
        do {
            work(w);
            done++;
        } while ((now = cpu_s()) - start < RUN_S);
        rates[run] = (double)done / (now - start);
    }
    qsort(rates, RUNS, sizeof *rates, by_size);
    return rates[RUNS / 2];
}

static EVP_PKEY *same_key_for_openssl(const struct crypto_key *key)
{
    char *pem = crypto_key_private_pem(key);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    must(pkey != NULL, "key");
    BIO_free(bio);
    crypto_wipe(pem, strlen(pem));
    free(pem);
    return pkey;
}

int main(void)
{
    static struct work w;
    struct crypto_key *keys[] = {crypto_key_new(CRYPTO_KEY_SM2), crypto_key_new(CRYPTO_KEY_P256),
                                 crypto_key_new(CRYPTO_KEY_RSA)};
    w.bulk = calloc(1, BULK_BYTES);
    w.out = calloc(1, BULK_BYTES + CRYPTO_SEAL_EXTRA);
    must(w.bulk != NULL && w.out != NULL, "memory");
    w.pkey = same_key_for_openssl(keys[0]);
    static const double mb = BULK_BYTES / 1e6;
    /* A verify follows the signature it verifies; so does an open its seal. */
    static const struct {
        const char *name;
        size_t key;
        void (*work)(struct work *);
        double times;
        const char *unit;
    } rows[] = {
        {"sluice sm2-sm3 sign", 0, sluice_sign, 1, "/s"},
        {"sluice sm2-sm3 verify", 0, sluice_verify, 1, "/s"},
        {"openssl sm2-sm3 sign", 0, openssl_sign, 1, "/s"},
        {"openssl sm2-sm3 verify", 0, openssl_verify, 1, "/s"},
        {"sluice ecdsa-p256-sha256 sign", 1, sluice_sign, 1, "/s"},
        {"sluice ecdsa-p256-sha256 verify", 1, sluice_verify, 1, "/s"},
        {"sluice rsa-pss-sha512 3072 sign", 2, sluice_sign, 1, "/s"},
        {"sluice rsa-pss-sha512 3072 verify", 2, sluice_verify, 1, "/s"},
        {"sluice sm3", 0, sm3, mb, "MB/s"},
        {"sluice sm4-gcm seal", 0, sm4_seal, mb, "MB/s"},
        {"sluice sm4-gcm open", 0, sm4_open, mb, "MB/s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        w.key = keys[rows[i].key];
        printf("%s\t%.0f\t%s\n", rows[i].name, per_second(rows[i].work, &w) * rows[i].times,
               rows[i].unit);
        fflush(stdout);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        crypto_key_free(&keys[i]);
    }
    EVP_PKEY_free(w.pkey);
    free(w.bulk);
    free(w.out);
    return 0;
}
