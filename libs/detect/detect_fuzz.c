/* SPDX-License-Identifier: Apache-2.0 */
/* The first line: an operator's pattern; the rest: a value. A pattern is taken or refused with a
 * place in it, and counts never say more than there were values. */
#include <stdlib.h>

#include "detect/detect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct detect *plain;
    const char *text = (const char *)data, *end = size ? memchr(text, '\n', size) : NULL;
    struct slice pattern = slice_of(text, end ? (size_t)(end - text) : 0);
    struct slice value = end ? slice_of(end + 1, size - pattern.n - 1) : slice_of(text, size);
    struct detect_column column = {0};
    struct detect_error err = {0};
    size_t bad;

    if (!plain && detect_new(&plain, NULL, 0, &bad, &err))
        abort();
    detect_value(plain, &column, value);
    for (size_t i = 0; i < detect_rules_n; i++) {
        if (column.votes[i].valid > column.values || column.votes[i].inside > column.values)
            abort();
    }
    if (detect_pattern_check(pattern, &err) == DETECT_EPATTERN &&
        (err.at > pattern.n || !err.why[0]))
        abort();
    return 0;
}
