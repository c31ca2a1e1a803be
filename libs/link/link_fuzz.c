/* SPDX-License-Identifier: Apache-2.0 */
/* The input is taken twice: as the text of a header, and as a payload with a right MAC, so that
 * what lies behind the MAC is reached too. */
#include <stdlib.h>

#include "base/codec.h"
#include "link/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAYLOAD_MAX 1400

static void decode(struct crypto_hmac *key, struct slice text)
{
    struct link_call call;
    uint8_t scratch[LINK_TEXT_MAX];
    enum link_err err = link_decode(&call, key, SLICE("GET"), SLICE("/"), text, 0, scratch);
    if (err != LINK_OK && err != LINK_ESTALE) {
        return;
    }
    char again[LINK_TEXT_MAX];
    size_t n = link_encode(&call, key, SLICE("GET"), SLICE("/"), again);
    struct link_call copy;
    uint8_t other[LINK_TEXT_MAX];
    if (n == 0 ||
        link_decode(&copy, key, SLICE("GET"), SLICE("/"), slice_of(again, n), 0, other) != err ||
        copy.n_fields != call.n_fields || !slice_eq(copy.owner, call.owner) ||
        memcmp(copy.outcome, call.outcome, call.n_fields) != 0) {
        abort(); /* what is read is what would be written */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crypto_hmac *key;
    if (key == NULL) {
        key = crypto_hmac_new(CRYPTO_SM3, "fuzz", 4);
    }
    decode(key, slice_of((const char *)data, size));
    if (size > PAYLOAD_MAX) {
        return 0;
    }
    uint8_t mac[CRYPTO_HASH_LEN];
    char text[LINK_TEXT_MAX];
    crypto_hmac_begin(key);
    crypto_hmac_add(key, data, size);
    crypto_hmac_add(key, "\3GET/", 5);
    crypto_hmac_end(key, mac);
    size_t n = codec_base64url(text, data, size);
    text[n++] = '.';
    n += codec_base64url(text + n, mac, sizeof mac);
    decode(key, slice_of(text, n));
    return 0;
}
