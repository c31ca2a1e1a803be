/* SPDX-License-Identifier: Apache-2.0 */
/* Token texts, and plain texts sealed with the right key, which only a defect of ours could make.
 */
#include "token/token.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct token_key key = {.id = 1};
    struct token t;

    (void)!token_open(&t, &key, 1, slice_of((const char *)data, n));
    (void)unpack(&t, data, n);
    return 0;
}
