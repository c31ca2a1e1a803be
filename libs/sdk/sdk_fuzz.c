/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the header: what is taken is made of its parts again, byte for byte. */
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "sdk/sdk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice value = slice_of((const char *)data, n);
    struct sdk_claim claim;
    if (sdk_parse(&claim, value) != SDK_OK) {
        return 0;
    }
    char hex[2 * SDK_DIGEST_LEN + 1];
    size_t hex_n = codec_hex(hex, claim.sm3, sizeof claim.sm3);
    bool whole = claim.text.n <= SDK_TEXT_MAX &&
                 claim.text.n == claim.name.n + 1 + claim.version.n &&
                 n == claim.text.n + 5 + hex_n && memcmp(data + n - hex_n, hex, hex_n) == 0;
    if (!whole) {
        abort();
    }
    return 0;
}
