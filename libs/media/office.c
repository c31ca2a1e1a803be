/* SPDX-License-Identifier: Apache-2.0 */
/* Office files: packed folders, told apart by what lies in them. All of it is unpacked once, into
 * nothing, so that what it would become elsewhere is known and not believed; what holds macros is
 * not taken. */
#include <libxml/parser.h>
#include <zip.h>

#include "base/utf8.h"
#include "media/media.h"

#define ABOUT_MAX 65536 /* bytes of the file that has the title */

static const struct {
    const char *entry, *type, *about;
} kinds[] = {
    {"word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
     "docProps/core.xml"},
    {"xl/workbook.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
     "docProps/core.xml"},
    {"ppt/presentation.xml",
     "application/vnd.openxmlformats-officedocument.presentationml.presentation",
     "docProps/core.xml"},
    {"OFD.xml", "application/ofd", NULL},
};

/* What its entry `mimetype` says. */
static const char *const open_types[] = {"application/vnd.oasis.opendocument.text",
                                         "application/vnd.oasis.opendocument.spreadsheet",
                                         "application/vnd.oasis.opendocument.presentation"};

/* At most cap bytes of an entry; 0: there is none, or it is longer. */
static size_t read_entry(zip_t *zip, const char *name, char *out, size_t cap)
{
    zip_int64_t i = zip_name_locate(zip, name, 0), n = -1;
    zip_file_t *f = i >= 0 ? zip_fopen_index(zip, (zip_uint64_t)i, 0) : NULL;
    if (f) {
        n = zip_fread(f, out, cap);
        zip_fclose(f);
    }
    return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

static enum media_err unpack(zip_t *zip, zip_uint64_t i, zip_uint64_t size, uint64_t *total)
{
    static _Thread_local char out[65536];
    zip_file_t *f = zip_fopen_index(zip, i, 0);
    uint64_t own = 0;
    zip_int64_t n = -1;
    while (f && own <= size && *total <= MEDIA_PLAIN_MAX &&
           (n = zip_fread(f, out, sizeof out)) > 0) {
        own += (uint64_t)n;
        *total += (uint64_t)n;
    }
    bool whole = f && zip_fclose(f) == 0 && n == 0;
    return *total > MEDIA_PLAIN_MAX || own > size ? MEDIA_EBOMB
           : whole && own == size                 ? MEDIA_OK
                                                  : MEDIA_EUNKNOWN;
}

/* What the entries say of themselves first: most bombs end here. */
static enum media_err check_sizes(zip_t *zip, zip_int64_t n, size_t packed)
{
    uint64_t total = 0;
    for (zip_int64_t i = 0; i < n; i++) {
        zip_stat_t st;
        if (zip_stat_index(zip, (zip_uint64_t)i, 0, &st) != 0 || !(st.valid & ZIP_STAT_SIZE) ||
            !(st.valid & ZIP_STAT_NAME) || strstr(st.name, "vbaProject"))
            return MEDIA_EUNKNOWN;
        total = st.size > UINT64_MAX - total ? UINT64_MAX : total + st.size;
    }
    bool bomb = total > MEDIA_PLAIN_MAX || (total > (1u << 20) && total / MEDIA_RATIO_MAX > packed);
    return bomb ? MEDIA_EBOMB : MEDIA_OK;
}

static enum media_err check_entries(zip_t *zip, size_t packed)
{
    zip_int64_t n = zip_get_num_entries(zip, 0);
    uint64_t total = 0;
    if (n > MEDIA_ENTRIES_MAX)
        return MEDIA_EBOMB;
    enum media_err err = n > 0 ? check_sizes(zip, n, packed) : MEDIA_EUNKNOWN;
    for (zip_int64_t i = 0; i < n && !err; i++) {
        zip_stat_t st;
        zip_stat_index(zip, (zip_uint64_t)i, 0, &st);
        err = unpack(zip, (zip_uint64_t)i, st.size, &total);
    }
    return err;
}

static const xmlNode *title_below(const xmlNode *node, int left)
{
    const xmlNode *found = NULL;
    for (; node && !found && left; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        found = strcmp((const char *)node->name, "title") == 0
                    ? node
                    : title_below(node->children, left - 1);
    }
    return found;
}

/* Decoration: a file whose description cannot be read has no title. */
static void read_title(zip_t *zip, const char *about, char title[static MEDIA_TITLE_MAX + 1])
{
    static _Thread_local char text[ABOUT_MAX];
    size_t n = read_entry(zip, about, text, sizeof text);
    xmlDoc *doc = n ? xmlReadMemory(text, (int)n, NULL, NULL,
                                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)
                    : NULL;
    const xmlNode *node = doc && !doc->intSubset ? title_below(xmlDocGetRootElement(doc), 8) : NULL;
    xmlChar *content = node ? xmlNodeGetContent(node) : NULL;
    size_t length = content ? strlen((const char *)content) : 0;
    bool plain = length > 0 && length <= MEDIA_TITLE_MAX;
    for (size_t i = 0; plain && i < length; i++)
        plain = content[i] >= 0x20 && content[i] != 0x7f;
    if (plain && utf8_valid(slice_of((const char *)content, length)))
        memcpy(title, content, length + 1);
    xmlFree(content);
    xmlFreeDoc(doc);
}

static enum media_err find_kind(zip_t *zip, struct media_found *found)
{
    char said[80];
    size_t n = read_entry(zip, "mimetype", said, sizeof said);
    for (size_t i = 0; i < sizeof open_types / sizeof *open_types; i++)
        if (slice_eq(slice_of(said, n), slice_str(open_types[i]))) {
            found->type = open_types[i];
            read_title(zip, "meta.xml", found->title);
            return MEDIA_OK;
        }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (zip_name_locate(zip, kinds[i].entry, 0) >= 0) {
            found->type = kinds[i].type;
            if (kinds[i].about)
                read_title(zip, kinds[i].about, found->title);
            return MEDIA_OK;
        }
    return MEDIA_EUNKNOWN;
}

enum media_err media_office(struct slice content, struct media_found *found)
{
    zip_error_t error;
    *found = (struct media_found){0};
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(content.p, content.n, 0, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) : NULL;
    if (source && !zip)
        zip_source_free(source);
    zip_error_fini(&error);
    if (!zip)
        return MEDIA_EUNKNOWN;
    enum media_err err = check_entries(zip, content.n);
    if (!err)
        err = find_kind(zip, found);
    zip_discard(zip);
    return err;
}
