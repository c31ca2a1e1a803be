/* SPDX-License-Identifier: Apache-2.0 */
/* What files are found to be, those that lie or are cut, and packed ones that unpack too far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zip.h>

#include <cmocka.h>

#include "media/media.h"

#define TEXT(literal) literal, sizeof(literal) - 1

static const struct {
    const char *content;
    size_t n;
    const char *type; /* NULL: none */
} files[] = {
    {TEXT("%PDF-1.7\n...\n%%EOF\n"), "application/pdf"},
    {TEXT("%PDF-1.7\n cut"), NULL},
    {TEXT("\x89PNG\r\n\x1a\n\0\0\0\rIHDR....IEND\xae\x42\x60\x82"), "image/png"},
    {TEXT("\x89PNG\r\n\x1a\n\0\0\0\rIHDR....IEND\xae\x42\x60\x82 and more"), NULL},
    {TEXT("\xff\xd8\xff\xe0 picture \xff\xd9"), "image/jpeg"},
    {TEXT("GIF89a....;"), "image/gif"},
    {TEXT("RIFF\x08\0\0\0WEBPVP8 "), "image/webp"},
    {TEXT("RIFF\x09\0\0\0WEBPVP8 "), NULL},
    {TEXT("II*\0\x08\0\0\0\0\0"), "image/tiff"},
    {TEXT("plain text\n\xe6\x96\x87\n"), "text/plain"},
    {TEXT("broken \xe6\x96"), NULL},
    {TEXT("a\0b"), NULL},
    {TEXT("MZ\x90\0\x03"), NULL},
    {TEXT("PK\x03\x04 no archive"), NULL},
    {TEXT(""), NULL},
};

static void files_are_what_their_bytes_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct media_found found;
        enum media_err err = media_look(slice_of(files[i].content, files[i].n), &found);
        if ((err == MEDIA_OK) != (files[i].type != NULL))
            print_error("file %zu\n", i);
        assert_int_equal(err, files[i].type ? MEDIA_OK : MEDIA_EUNKNOWN);
        if (files[i].type)
            assert_string_equal(found.type, files[i].type);
    }
    assert_true(media_is("application/json", SLICE("{\"a\":[1]}")));
    assert_false(media_is("application/json", SLICE("{\"a\":1,\"a\":2}")));
    assert_false(media_is("image/png", SLICE("%PDF-1.7\n%%EOF")));
    assert_string_equal(media_of_ending(SLICE("JPEG")), "image/jpeg");
    assert_null(media_of_ending(SLICE("exe")));
    assert_null(media_of_ending(SLICE("")));
}

static void deep_json_is_none(void **state)
{
    char text[200];
    (void)state;
    memset(text, '[', 100);
    memset(text + 100, ']', 100);
    assert_false(media_is("application/json", slice_of(text, 200)));
    assert_true(media_is("application/json", slice_of(text + 80, 40)));
}

/* A packed file of these entries, in memory: {name, content, bytes; n 0: so many zeros}. */
struct entry {
    const char *name, *content;
    size_t zeros;
};

static const char zeros[64u << 20];

static struct slice packed(const struct entry *entries, size_t n, void **memory)
{
    zip_error_t error;
    zip_source_t *out = zip_source_buffer_create(NULL, 0, 1, &error);
    assert_non_null(out);
    zip_source_keep(out);
    zip_t *zip = zip_open_from_source(out, ZIP_TRUNCATE, &error);
    assert_non_null(zip);
    for (size_t i = 0; i < n; i++) {
        const struct entry *e = &entries[i];
        assert_true(e->zeros <= sizeof zeros);
        zip_source_t *s = zip_source_buffer(zip, e->zeros ? zeros : e->content,
                                            e->zeros ? e->zeros : strlen(e->content), 0);
        assert_true(s && zip_file_add(zip, e->name, s, ZIP_FL_ENC_UTF_8) >= 0);
    }
    assert_int_equal(zip_close(zip), 0);
    assert_int_equal(zip_source_open(out), 0);
    zip_stat_t st;
    assert_int_equal(zip_source_stat(out, &st), 0);
    *memory = malloc(st.size);
    assert_int_equal(zip_source_read(out, *memory, st.size), (zip_int64_t)st.size);
    zip_source_close(out);
    zip_source_free(out);
    return slice_of(*memory, st.size);
}

static void check_office(const struct entry *entries, size_t n, enum media_err want,
                         const char *type, const char *title)
{
    void *memory;
    struct media_found found;
    struct slice file = packed(entries, n, &memory);
    assert_int_equal(media_look(file, &found), want);
    if (type) {
        assert_string_equal(found.type, type);
        assert_string_equal(found.title, title);
        assert_string_not_equal(type, "application/zip");
        assert_int_equal(media_look(slice_of(file.p, file.n - 30), &found), MEDIA_EUNKNOWN);
    }
    free(memory);
}

#define CORE(title)                                                                                \
    "<cp:coreProperties xmlns:cp=\"c\" xmlns:dc=\"d\"><dc:title>" title                            \
    "</dc:title></cp:coreProperties>"

static void office_files_are_opened_within_bounds(void **state)
{
    const struct entry word[] = {{"[Content_Types].xml", "<Types/>", 0},
                                 {"word/document.xml", "<w/>", 0},
                                 {"docProps/core.xml", CORE("Yearly report"), 0}};
    const struct entry macro[] = {{"word/document.xml", "<w/>", 0},
                                  {"word/vbaProject.bin", "x", 0}};
    const struct entry sheet[] = {{"xl/workbook.xml", "<w/>", 0}};
    const struct entry entity[] = {
        {"word/document.xml", "<w/>", 0},
        {"docProps/core.xml", "<!DOCTYPE a [<!ENTITY e \"boo\">]><a><title>&e;</title></a>", 0}};
    const struct entry bomb[] = {{"word/document.xml", "<w/>", 0},
                                 {"word/media/zeros", NULL, 64u << 20}};
    const struct entry odt[] = {{"mimetype", "application/vnd.oasis.opendocument.text", 0},
                                {"meta.xml", CORE("Brief"), 0}};
    const struct entry none[] = {{"a.txt", "a", 0}};
    (void)state;
    check_office(word, 3, MEDIA_OK,
                 "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                 "Yearly report");
    check_office(sheet, 1, MEDIA_OK,
                 "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "");
    check_office(odt, 2, MEDIA_OK, "application/vnd.oasis.opendocument.text", "Brief");
    check_office(entity, 2, MEDIA_OK,
                 "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "");
    check_office(macro, 2, MEDIA_EUNKNOWN, NULL, NULL);
    check_office(none, 1, MEDIA_EUNKNOWN, NULL, NULL);
    check_office(bomb, 2, MEDIA_EBOMB, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_what_their_bytes_say),
        cmocka_unit_test(deep_json_is_none),
        cmocka_unit_test(office_files_are_opened_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
