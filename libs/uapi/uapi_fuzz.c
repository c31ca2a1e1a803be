/* SPDX-License-Identifier: Apache-2.0 */
/* What is read is written as it was. */
#include "uapi/uapi.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct uapi_id id;
    char out[UAPI_LEN + 1];
    if (uapi_parse(&id, slice_of((const char *)data, n)) != UAPI_OK)
        return 0;
    if (!uapi_format(&id, out) || n != UAPI_LEN || memcmp(out, data, n) != 0)
        abort();
    return 0;
}
