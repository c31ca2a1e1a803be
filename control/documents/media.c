/* SPDX-License-Identifier: Apache-2.0 */
/* The few types that papers come in. Each has a first mark and a last one, so that a file that was
 * cut, or that hides another behind its end, is not taken for whole. */
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "documents/documents.h"

#define JSON_LEVELS_MAX 32
#define PDF_TAIL        1024 /* bytes before the end in which %%EOF stands (ISO 32000-1 7.5.5) */

static bool begins(struct slice s, const char *mark, size_t n)
{
    return s.n >= n && memcmp(s.p, mark, n) == 0;
}

static bool ends(struct slice s, const char *mark, size_t n)
{
    return s.n >= n && memcmp(s.p + s.n - n, mark, n) == 0;
}

static bool is_pdf(struct slice s)
{
    size_t tail = s.n < PDF_TAIL ? s.n : PDF_TAIL;

    return (begins(s, "%PDF-1.", 7) || begins(s, "%PDF-2.", 7)) &&
           memmem(s.p + s.n - tail, tail, "%%EOF", 5) != NULL;
}

static bool is_png(struct slice s)
{
    return begins(s, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16) && ends(s, "IEND\xae\x42\x60\x82", 8);
}

static bool is_jpeg(struct slice s)
{
    return begins(s, "\xff\xd8\xff", 3) && ends(s, "\xff\xd9", 2);
}

/* Text has no control characters but those of lines; what starts as another type is that type. */
static bool is_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        if ((b < 0x20 && !strchr("\t\n\r\f", b)) || b == 0 || b == 0x7f) {
            return false;
        }
    }
    return utf8_valid(s) && !begins(s, "%PDF-", 5) && !begins(s, "%!PS", 4);
}

static bool is_json(struct slice s)
{
    json_t *root = utf8_valid(s) ? json_loadb(s.p, s.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool ok = root && !rest_too_deep(root, JSON_LEVELS_MAX);

    json_decref(root);
    return ok;
}

static const struct {
    const char *name;
    bool (*is)(struct slice content);
} types[] = {
    {"application/pdf", is_pdf}, {"image/png", is_png},         {"image/jpeg", is_jpeg},
    {"text/plain", is_text},     {"application/json", is_json},
};

const char *document_media_type(const char *content_type)
{
    if (!content_type) {
        return NULL;
    }
    size_t n = strcspn(content_type, "; ");

    for (size_t i = 0; i < COUNT(types); i++) {
        if (n == strlen(types[i].name) && strncasecmp(content_type, types[i].name, n) == 0) {
            return types[i].name;
        }
    }
    return NULL;
}

enum problem document_check_content(const char *media_type, struct slice content)
{
    for (size_t i = 0; i < COUNT(types); i++) {
        if (strcmp(types[i].name, media_type) == 0) {
            return content.n && types[i].is(content) ? PROBLEM_OK : PROBLEM_FILE_TYPE_MISMATCH;
        }
    }
    return PROBLEM_FILE_TYPE_MISMATCH;
}
