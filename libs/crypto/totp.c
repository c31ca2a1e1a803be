/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/totp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#define SHA1_LEN 20

/* RFC 4226 5.3, RFC 6238 4.2 */
void crypto_totp(const uint8_t secret[static CRYPTO_TOTP_SECRET_LEN], uint64_t step,
                 char out[static CRYPTO_TOTP_DIGITS + 1])
{
    uint8_t counter[8], mac[SHA1_LEN];
    unsigned n = 0;

    for (int i = 0; i < 8; i++) {
        counter[i] = (uint8_t)(step >> (56 - 8 * i));
    }
    if (!HMAC(EVP_sha1(), secret, CRYPTO_TOTP_SECRET_LEN, counter, sizeof counter, mac, &n) ||
        n != SHA1_LEN) {
        abort(); /* a broken provider */
    }
    unsigned at = mac[SHA1_LEN - 1] & 0x0f;
    uint32_t code = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
                    (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    snprintf(out, CRYPTO_TOTP_DIGITS + 1, "%06u", (unsigned)(code % 1000000));
    crypto_wipe(mac, sizeof mac);
}

uint64_t crypto_totp_match(const uint8_t secret[static CRYPTO_TOTP_SECRET_LEN], struct slice code,
                           uint64_t now_step, uint64_t last_step)
{
    char want[CRYPTO_TOTP_DIGITS + 1];
    uint64_t found = 0;

    if (code.n != CRYPTO_TOTP_DIGITS || now_step == 0) {
        return 0;
    }
    for (uint64_t step = now_step - 1; step <= now_step + 1; step++) {
        crypto_totp(secret, step, want);
        if (crypto_equal(want, code.p, CRYPTO_TOTP_DIGITS) && step > last_step) {
            found = step;
        }
    }
    crypto_wipe(want, sizeof want);
    return found;
}

void crypto_totp_text(const uint8_t secret[static CRYPTO_TOTP_SECRET_LEN],
                      char out[static CRYPTO_TOTP_TEXT_LEN + 1])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    for (size_t i = 0; i < CRYPTO_TOTP_TEXT_LEN; i++) {
        size_t bit = i * 5, byte = bit / 8;
        unsigned two = (unsigned)secret[byte] << 8;
        two |= byte + 1 < CRYPTO_TOTP_SECRET_LEN ? secret[byte + 1] : 0;
        out[i] = alphabet[two >> (11 - bit % 8) & 31];
    }
    out[CRYPTO_TOTP_TEXT_LEN] = '\0';
}
