/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses the type, the rest is the file. */
#include "documents/documents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const types[] = {"application/pdf", "image/png", "image/jpeg", "text/plain",
                                        "application/json"};
    if (n == 0) {
        return 0;
    }
    const struct slice content = slice_of((const char *)data + 1, n - 1);
    const char *type = types[data[0] % COUNT(types)];
    if (document_check_content(type, content) == PROBLEM_OK && strncmp(type, "text", 4) == 0 &&
        memchr(content.p, '\0', content.n)) {
        __builtin_trap();
    }
    return 0;
}
