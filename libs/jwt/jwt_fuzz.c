/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a JWT: read or refused, and never verified by a key that did not sign them. */
#include <stdlib.h>

#include "jwt/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct crypto_key *key;
    struct jwt j = {0};
    uint64_t s = 0;

    if (!key) {
        key = crypto_key_new(CRYPTO_KEY_P256);
    }
    if (jwt_read(&j, slice_of((const char *)data, n)) == JWT_OK) {
        if (jwt_verify(&j, key) == JWT_OK || (jwt_seconds(&j, "exp", &s) && s > 253402300799)) {
            abort();
        }
        jwt_fini(&j);
    }
    return 0;
}
