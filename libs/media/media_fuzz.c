/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever comes is of one known type, or of none; what is found is confirmed when asked for. */
#include <stdint.h>
#include <stdlib.h>

#include "media/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice content = slice_of((const char *)data, n);
    struct media_found found;
    if (media_look(content, &found) != MEDIA_OK)
        return 0;
    if (!media_is(found.type, content) || strlen(found.title) > MEDIA_TITLE_MAX)
        abort();
    return 0;
}
