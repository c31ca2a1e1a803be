/* SPDX-License-Identifier: Apache-2.0 */
#include "media/media.h"

#include <jansson.h>
#include <strings.h>

#include "base/jsondepth.h"
#include "base/utf8.h"

#define PDF_TAIL 1024 /* bytes before the end in which %%EOF stands (ISO 32000-1 7.5.5) */

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

static bool is_gif(struct slice s)
{
    return (begins(s, "GIF87a", 6) || begins(s, "GIF89a", 6)) && ends(s, ";", 1);
}

/* Its own length is in the header: RIFF, of which eight bytes do not count. */
static bool is_webp(struct slice s)
{
    if (s.n < 16 || !begins(s, "RIFF", 4) || memcmp(s.p + 8, "WEBPVP8", 7) != 0)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < 4; i++)
        n |= (size_t)(unsigned char)s.p[4 + i] << (8 * i);
    return n + 8 == s.n;
}

static bool is_tiff(struct slice s)
{
    return s.n > 8 && (begins(s, "II*\0", 4) || begins(s, "MM\0*", 4));
}

/* Text has no control characters but those of lines; what starts as another type is that type. */
static bool is_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char b = (unsigned char)s.p[i];
        if ((b < 0x20 && !strchr("\t\n\r\f", b)) || b == 0 || b == 0x7f)
            return false;
    }
    return utf8_valid(s) && !begins(s, "%PDF-", 5) && !begins(s, "%!PS", 4);
}

static bool is_json(struct slice s)
{
    json_t *root = utf8_valid(s) ? json_loadb(s.p, s.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool ok = root && !jsondepth_over(root, MEDIA_LEVELS_MAX);
    json_decref(root);
    return ok;
}

static bool is_office(const char *type, struct slice s)
{
    struct media_found found;
    return media_office(s, &found) == MEDIA_OK && strcmp(found.type, type) == 0;
}

/* In the order they are tried: text last, it is what all that is no other may be. */
static const struct {
    const char *name;
    bool (*is)(struct slice content); /* NULL: an office format */
    bool found;                       /* looked for where nothing is claimed */
    const char *endings;
} types[] = {
    {"application/pdf", is_pdf, true, "pdf"},
    {"image/png", is_png, true, "png"},
    {"image/jpeg", is_jpeg, true, "jpg jpeg"},
    {"image/gif", is_gif, true, "gif"},
    {"image/webp", is_webp, true, "webp"},
    {"image/tiff", is_tiff, true, "tif tiff"},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", NULL, false,
     "docx"},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", NULL, false, "xlsx"},
    {"application/vnd.openxmlformats-officedocument.presentationml.presentation", NULL, false,
     "pptx"},
    {"application/vnd.oasis.opendocument.text", NULL, false, "odt"},
    {"application/vnd.oasis.opendocument.spreadsheet", NULL, false, "ods"},
    {"application/vnd.oasis.opendocument.presentation", NULL, false, "odp"},
    {"application/ofd", NULL, false, "ofd"},
    {"application/json", is_json, false, "json"},
    {"text/plain", is_text, true, "txt text md log"},
};
#define N_TYPES (sizeof types / sizeof *types)

bool media_is(const char *type, struct slice content)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (strcmp(types[i].name, type) == 0)
            return content.n &&
                   (types[i].is ? types[i].is(content) : is_office(types[i].name, content));
    return false;
}

enum media_err media_look(struct slice content, struct media_found *found)
{
    *found = (struct media_found){0};
    if (begins(content, "PK\x03\x04", 4))
        return media_office(content, found);
    for (size_t i = 0; i < N_TYPES && content.n; i++)
        if (types[i].found && types[i].is(content)) {
            found->type = types[i].name;
            return MEDIA_OK;
        }
    return MEDIA_EUNKNOWN;
}

const char *media_known(const char *type)
{
    for (size_t i = 0; type && i < N_TYPES; i++)
        if (strcmp(types[i].name, type) == 0)
            return types[i].name;
    return NULL;
}

const char *media_of_ending(struct slice ending)
{
    for (size_t i = 0; i < N_TYPES; i++)
        for (const char *at = types[i].endings; *at;) {
            size_t n = strcspn(at, " ");
            if (n == ending.n && strncasecmp(at, ending.p, n) == 0)
                return types[i].name;
            at += n + (at[n] == ' ');
        }
    return NULL;
}
