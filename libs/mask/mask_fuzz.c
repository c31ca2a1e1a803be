/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: the rule; the rest: a value. Whatever comes out is UTF-8, within its bound, and the
 * same the second time. */
#include <stdlib.h>

#include "base/utf8.h"
#include "mask/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t bytes[32] = "fuzz";
    static struct mask_key *key;
    if (key == NULL) {
        key = mask_key_new(bytes);
    }
    if (size < 2) {
        return 0;
    }
    struct mask_spec spec = {.rule = data[0] % MASK_RULES, .first = data[0] >> 6, .last = 1};
    struct slice in = slice_of((const char *)data + 1, size - 1);
    char *out = malloc(MASK_OUT_MAX(in.n)), *again = malloc(MASK_OUT_MAX(in.n));
    size_t n = mask_apply(&spec, key, in, out);
    size_t m = mask_apply(&spec, key, in, again);
    if (n > MASK_OUT_MAX(in.n) || !utf8_valid(slice_of(out, n)) ||
        !slice_eq(slice_of(out, n), slice_of(again, m))) {
        abort();
    }
    free(out);
    free(again);
    return 0;
}
