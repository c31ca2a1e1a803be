/* SPDX-License-Identifier: Apache-2.0 */
/* Every door a key comes in by, and the SM2 cipher and signature texts beside them; the first byte
 * chooses. A key that is let in must sign if it is a pair, and come back the same through each form
 * it has. */
#include <stdlib.h>

#include "crypto/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_forms(const struct crypto_key *key)
{
    struct crypto_key *again = NULL;
    must(crypto_key_load_spki(&again, crypto_key_spki(key)) == CRYPTO_OK);
    must(strcmp(crypto_key_id(again), crypto_key_id(key)) == 0);
    crypto_key_free(&again);
    char *jwk = crypto_key_jwk(key), *pem = crypto_key_public_pem(key);
    must(crypto_key_load_jwk(&again, CRYPTO_KEY_PUBLIC, slice_str(jwk)) == CRYPTO_OK);
    must(slice_eq(crypto_key_spki(again), crypto_key_spki(key)));
    crypto_key_free(&again);
    must(crypto_key_load_pem(&again, CRYPTO_KEY_PUBLIC, slice_str(pem)) == CRYPTO_OK);
    crypto_key_free(&again);
    free(jwk);
    free(pem);
}

static void check_use(const struct crypto_key *key)
{
    uint8_t sig[CRYPTO_SIG_MAX] = {1};
    size_t n = crypto_key_kind(key) == CRYPTO_KEY_RSA ? 256 : CRYPTO_RAW_SIG_LEN;
    enum crypto_alg alg = crypto_key_alg(key);
    must(crypto_key_verify(key, alg, "m", 1, sig, n) == CRYPTO_EVERIFY);
    if (crypto_key_is_pair(key) && crypto_key_kind(key) != CRYPTO_KEY_RSA) {
        must(crypto_key_sign(key, alg, "m", 1, sig, &n) == CRYPTO_OK);
        must(crypto_key_verify(key, alg, "m", 1, sig, n) == CRYPTO_OK);
    }
}

static void fuzz_signature(struct slice in)
{
    uint8_t raw[CRYPTO_RAW_SIG_LEN], der[CRYPTO_SM2_SIG_MAX];
    if (crypto_sig_from_der((const uint8_t *)in.p, in.n, raw)) {
        must(crypto_sig_to_der(raw, der) == in.n && memcmp(der, in.p, in.n) == 0);
    }
}

static void fuzz_cipher(struct slice in)
{
    static struct crypto_key *key;
    key = key == NULL ? crypto_key_new(CRYPTO_KEY_SM2) : key;
    uint8_t out[CRYPTO_SM2_PLAIN_MAX];
    size_t n;
    (void)!crypto_sm2_decrypt(key, in.p, in.n, out, sizeof out, &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) {
        return 0;
    }
    struct slice in = slice_of((const char *)data + 1, n - 1);
    struct crypto_key *key = NULL;
    enum crypto_key_part part = data[0] & 1 ? CRYPTO_KEY_PAIR : CRYPTO_KEY_PUBLIC;
    enum crypto_err err = CRYPTO_EFORMAT;
    switch (data[0] >> 1 & 7) {
    case 0:
        err = crypto_key_load_spki(&key, in);
        part = CRYPTO_KEY_PUBLIC;
        break;
    case 1:
        err = crypto_key_load_pem(&key, part, in);
        break;
    case 2:
        err = crypto_key_load_jwk(&key, part, in);
        break;
    case 3:
        err = crypto_key_load_certificate(&key, in);
        part = CRYPTO_KEY_PUBLIC;
        break;
    case 4:
        fuzz_signature(in);
        break;
    default:
        fuzz_cipher(in);
        break;
    }
    must((err == CRYPTO_OK) == (key != NULL));
    if (key != NULL) {
        must(crypto_key_is_pair(key) == (part == CRYPTO_KEY_PAIR));
        check_forms(key);
        check_use(key);
        crypto_key_free(&key);
    }
    return 0;
}
