/* SPDX-License-Identifier: Apache-2.0 */
/* The input is taken twice: as the text of a header, and as a payload with a right MAC. */
#include <stdlib.h>

#include "base/codec.h"
#include "link/inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct crypto_hmac *key, struct slice text)
{
    static const struct link_request rq = {{"GET", 3}, {"/", 1}, {"", 0}};
    struct link_inner inner, copy;
    uint8_t scratch[LINK_INNER_TEXT_MAX], other[LINK_INNER_TEXT_MAX];
    enum link_err err = link_inner_decode(&inner, key, &rq, text, 0, scratch);
    if (err != LINK_OK && err != LINK_ESTALE) {
        return;
    }
    char again[LINK_INNER_TEXT_MAX];
    size_t n = link_inner_encode(&inner, key, &rq, again);
    if (n == 0 || link_inner_decode(&copy, key, &rq, slice_of(again, n), 0, other) != err ||
        !slice_eq(copy.owner, inner.owner) || !uuid_eq(&copy.via, &inner.via)) {
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
    if (size > 300) {
        return 0;
    }
    uint8_t mac[CRYPTO_HASH_LEN];
    char text[LINK_INNER_TEXT_MAX];
    crypto_hmac_begin(key);
    crypto_hmac_add(key, data, size);
    crypto_hmac_add(key, "\3GET\0/", 6);
    crypto_hmac_end(key, mac);
    size_t n = codec_base64url(text, data, size);
    text[n++] = '.';
    n += codec_base64url(text + n, mac, sizeof mac);
    decode(key, slice_of(text, n));
    return 0;
}
