/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct sealed_text s;

    if (sealed_parse(&s, slice_of((const char *)data, n)) &&
        (s.password.n == 0 || s.password.p + s.password.n != (const char *)data + n ||
         memchr(s.password.p, '\0', s.password.n))) {
        __builtin_trap();
    }
    return 0;
}
