/* SPDX-License-Identifier: Apache-2.0 */
/* The few types that papers come in. */
#include <string.h>
#include <strings.h>

#include "documents/documents.h"
#include "media/media.h"

static const char *const types[] = {"application/pdf", "image/png", "image/jpeg", "text/plain",
                                    "application/json"};

const char *document_media_type(const char *content_type)
{
    if (!content_type) {
        return NULL;
    }
    size_t n = strcspn(content_type, "; ");

    for (size_t i = 0; i < COUNT(types); i++) {
        if (n == strlen(types[i]) && strncasecmp(content_type, types[i], n) == 0) {
            return types[i];
        }
    }
    return NULL;
}

enum problem document_check_content(const char *media_type, struct slice content)
{
    return media_is(media_type, content) ? PROBLEM_OK : PROBLEM_FILE_TYPE_MISMATCH;
}
