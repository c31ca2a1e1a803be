/* SPDX-License-Identifier: Apache-2.0 */
/* Texts become UTF-8: by their mark, by what was declared, else as they show: what is well formed
 * UTF-8 is UTF-8, what is not and is well formed GB18030 is that. Nothing is guessed at or
 * replaced: a text that fits nowhere is refused with the lines at fault. */
#include <errno.h>
#include <iconv.h>
#include <strings.h>

#include "base/utf8.h"
#include "data/files/inner.h"

#define LINES_TOLD 5
#define STEP       65536

static const char *const known[] = {"utf-8", "gb18030", "gbk", "big5", "utf-16le", "utf-16be"};

static const char *encoding_named(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i], name) == 0)
            return known[i];
    return NULL;
}

static const struct {
    const char *mark;
    size_t n;
    const char *encoding;
} marks[] = {
    {"\xef\xbb\xbf", 3, "utf-8"}, {"\xff\xfe", 2, "utf-16le"}, {"\xfe\xff", 2, "utf-16be"}};

static uint64_t line_of(struct slice text, size_t at)
{
    uint64_t line = 1;
    for (const char *p = text.p, *end = text.p + at;
         (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
        line++;
    return line;
}

/* The first lines that are no UTF-8. False: there is none. */
static bool bad_lines(struct slice text, struct files_detail *d)
{
    struct buf list;
    uint64_t line = 0;
    size_t n = 0;
    buf_init(&list);
    while (text.n) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t length = end ? (size_t)(end - text.p) + 1 : text.n;
        line++;
        if (!utf8_valid(slice_of(text.p, length)) && n++ < LINES_TOLD)
            buf_addf(&list, "%s%llu", n > 1 ? ", " : "", (unsigned long long)line);
        text = slice_of(text.p + length, text.n - length);
    }
    if (n)
        files_say(d, "%s %.*s%s: neither UTF-8 nor GB18030", n == 1 ? "line" : "lines", (int)list.n,
                  list.p, n > LINES_TOLD ? " and more" : "");
    buf_fini(&list);
    return n > 0;
}

static enum files_err convert(iconv_t cd, struct slice text, struct snapshot *to, size_t *at)
{
    static _Thread_local char out[STEP];
    char *in = (char *)(uintptr_t)text.p;
    size_t left = text.n;
    enum files_err err = FILES_OK;
    while (left && !err) {
        char *o = out;
        size_t room = sizeof out;
        size_t r = iconv(cd, &in, &left, &o, &room);
        int why = errno;
        err = snapshot_write(to, out, (size_t)(o - out));
        if (!err && r == (size_t)-1 && why != E2BIG)
            err = FILES_EENCODING; /* EINVAL: cut in the middle of a character */
    }
    *at = text.n - left;
    return err;
}

static enum files_err from_encoding(const struct snapshot *from, struct slice text,
                                    const char *encoding, struct snapshot *to, struct slice *out,
                                    struct files_detail *d)
{
    size_t at = 0;
    iconv_t cd = iconv_open("UTF-8", encoding);
    if (cd == (iconv_t)-1)
        return FILES_EIO;
    enum files_err err = snapshot_new(from->dir, to);
    if (!err)
        err = convert(cd, text, to, &at);
    iconv_close(cd);
    if (err == FILES_EENCODING)
        files_say(d, "line %llu: not %s", (unsigned long long)line_of(text, at), encoding);
    if (!err)
        err = snapshot_read(to);
    if (err)
        snapshot_free(to);
    else
        *out = to->content;
    return err;
}

static enum files_err as_it_shows(const struct snapshot *from, struct slice text,
                                  struct snapshot *to, struct slice *out, const char **encoding,
                                  struct files_detail *d)
{
    struct files_detail other = {""};
    *encoding = "utf-8";
    *out = text;
    if (!bad_lines(text, d))
        return FILES_OK;
    *encoding = "gb18030";
    enum files_err err = from_encoding(from, text, "gb18030", to, out, &other);
    if (!err)
        d->text[0] = '\0';
    return err;
}

static enum files_err decode(const struct snapshot *from, const char *declared, struct snapshot *to,
                             struct slice *text, const char **encoding, struct files_detail *d)
{
    struct slice bytes = from->content;
    const char *wanted = encoding_named(declared);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (bytes.n >= marks[i].n && memcmp(bytes.p, marks[i].mark, marks[i].n) == 0) {
            bytes = slice_of(bytes.p + marks[i].n, bytes.n - marks[i].n);
            wanted = marks[i].encoding;
            break;
        }
    if (!wanted)
        return as_it_shows(from, bytes, to, text, encoding, d);
    *encoding = wanted;
    if (strcmp(wanted, "utf-8") != 0)
        return from_encoding(from, bytes, wanted, to, text, d);
    *text = bytes;
    return bad_lines(bytes, d) ? FILES_EENCODING : FILES_OK;
}

enum files_err files_text(const struct snapshot *from, const char *declared, struct snapshot *to,
                          struct slice *text, const char **encoding, struct files_detail *d)
{
    *to = (struct snapshot){.fd = -1, .content = SLICE("")};
    enum files_err err = decode(from, declared, to, text, encoding, d);
    const char *nul = !err && text->n ? memchr(text->p, '\0', text->n) : NULL;
    if (nul) {
        files_say(d, "line %llu: a NUL byte: this is no text",
                  (unsigned long long)line_of(*text, (size_t)(nul - text->p)));
        snapshot_free(to);
        return FILES_ETYPE;
    }
    return err;
}
