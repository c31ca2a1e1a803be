/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed text is nonce || cipher text || tag. libgcrypt: OpenSSL 3.0 has no SM4-GCM. */
#include <gcrypt.h>

#include "crypto/internal.h"

#define NONCE_LEN   12
#define TAG_LEN     16
#define SM4_KEY_LEN 16
_Static_assert(NONCE_LEN + TAG_LEN == CRYPTO_SEAL_EXTRA, "the header states the overhead");

static gcry_cipher_hd_t start(const uint8_t *key, const uint8_t *nonce, struct slice aad)
{
    crypto_gcrypt_ready();
    gcry_cipher_hd_t cipher;
    if (gcry_cipher_open(&cipher, GCRY_CIPHER_SM4, GCRY_CIPHER_MODE_GCM, 0) != 0 ||
        gcry_cipher_setkey(cipher, key, SM4_KEY_LEN) != 0 ||
        gcry_cipher_setiv(cipher, nonce, NONCE_LEN) != 0 ||
        (aad.n > 0 && gcry_cipher_authenticate(cipher, aad.p, aad.n) != 0)) {
        crypto_die("no SM4-GCM, or out of memory");
    }
    return cipher;
}

void crypto_seal(const uint8_t key[static CRYPTO_KEY_LEN], struct slice aad, const void *in,
                 size_t n, uint8_t *out)
{
    crypto_random(out, NONCE_LEN);
    gcry_cipher_hd_t cipher = start(key, out, aad);
    if ((n > 0 && gcry_cipher_encrypt(cipher, out + NONCE_LEN, n, in, n) != 0) ||
        (n == 0 && gcry_cipher_final(cipher) != 0) ||
        gcry_cipher_gettag(cipher, out + NONCE_LEN + n, TAG_LEN) != 0) {
        crypto_die("SM4-GCM failed");
    }
    gcry_cipher_close(cipher);
}

enum crypto_err crypto_open(const uint8_t key[static CRYPTO_KEY_LEN], struct slice aad,
                            const void *in, size_t n, uint8_t *out)
{
    if (n < CRYPTO_SEAL_EXTRA) {
        return CRYPTO_EFORMAT;
    }
    const uint8_t *nonce = in, *text = nonce + NONCE_LEN;
    size_t text_n = n - CRYPTO_SEAL_EXTRA;
    gcry_cipher_hd_t cipher = start(key, nonce, aad);
    if (text_n > 0 && gcry_cipher_decrypt(cipher, out, text_n, text, text_n) != 0) {
        crypto_die("SM4-GCM failed");
    }
    bool genuine = gcry_cipher_checktag(cipher, text + text_n, TAG_LEN) == 0; /* constant time */
    gcry_cipher_close(cipher);
    if (!genuine) {
        crypto_wipe(out, text_n); /* nobody may look at text that is not authentic */
        return CRYPTO_EVERIFY;
    }
    return CRYPTO_OK;
}
