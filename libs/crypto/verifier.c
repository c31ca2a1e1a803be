/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/verifier.h"

static void add(struct crypto_hmac *mac, struct slice part)
{
    uint8_t length[4] = {(uint8_t)(part.n >> 24), (uint8_t)(part.n >> 16), (uint8_t)(part.n >> 8),
                         (uint8_t)part.n};
    crypto_hmac_add(mac, length, sizeof length);
    crypto_hmac_add(mac, part.p, part.n);
}

void crypto_verifier(const uint8_t key[static CRYPTO_KEY_LEN], struct slice accessid,
                     struct slice login, struct slice password, uint8_t out[static CRYPTO_HASH_LEN])
{
    struct crypto_hmac *mac = crypto_hmac_new(CRYPTO_SM3, key, CRYPTO_KEY_LEN);
    crypto_hmac_begin(mac);
    add(mac, accessid);
    add(mac, login);
    add(mac, password);
    crypto_hmac_end(mac, out);
    crypto_hmac_free(&mac);
}

void crypto_claim(const uint8_t key[static CRYPTO_KEY_LEN], struct slice which, struct slice whom,
                  struct slice what, uint8_t out[static CRYPTO_HASH_LEN])
{
    char plain[CRYPTO_CLAIM_MAX];
    size_t n = 0;
    bool address = slice_eq(which, SLICE("email")), date = slice_eq(which, SLICE("birth_date"));
    for (size_t i = 0; i < what.n && n < sizeof plain; i++) {
        char ch = what.p[i];
        bool upper = address && ch >= 'A' && ch <= 'Z';
        if (date && ch == '-')
            continue;
        plain[n++] = upper ? (char)(ch - 'A' + 'a') : ch;
    }
    crypto_verifier(key, which, whom, slice_of(plain, n), out);
    crypto_wipe(plain, sizeof plain);
}
