/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the bytes of a batch signature. What is read is what would be written. */
#include <stdlib.h>

#include "httpsig/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct httpsig_batch b;
    if (!httpsig_batch_decode(&b, data, size)) {
        return 0;
    }
    uint8_t again[HTTPSIG_BATCH_LEN_MAX];
    if (httpsig_batch_encode(&b, again) != size || memcmp(again, data, size) != 0) {
        abort();
    }
    struct merkle_node root;
    char text[HTTPSIG_BATCH_TEXT_MAX];
    httpsig_batch_root(&b, slice_of((const char *)data, size), &root);
    if (b.index >= b.size || httpsig_batch_text(b.size, &root, text) >= sizeof text) {
        abort();
    }
    return 0;
}
