/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/encoding.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>

/* What the platform calls it (control/api/sources.c has the same) and how iconv does. */
static const struct {
    struct slice name;
    const char *iconv;
} names[] = {
    {{"GB18030", 7}, "GB18030"},
    {{"GBK", 3}, "GBK"},
    {{"BIG5", 4}, "BIG5-HKSCS"},
};

struct encoding {
    iconv_t in, out;
};

#define NO_ICONV ((iconv_t)-1)

struct encoding *encoding_new(struct slice name)
{
    struct encoding *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->in = e->out = NO_ICONV;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!slice_eq(names[i].name, name))
            continue;
        e->in = iconv_open("UTF-8", names[i].iconv);
        e->out = iconv_open(names[i].iconv, "UTF-8");
    }
    if (e->in == NO_ICONV || e->out == NO_ICONV)
        encoding_free(&e);
    return e;
}

void encoding_free(struct encoding **e)
{
    if (!*e)
        return;
    if ((*e)->in != NO_ICONV)
        iconv_close((*e)->in);
    if ((*e)->out != NO_ICONV)
        iconv_close((*e)->out);
    free(*e);
    *e = NULL;
}

/* Converts what it can, appended. False: the next byte begins nothing. */
static bool convert(iconv_t cd, struct slice *from, struct buf *to)
{
    char *in = (char *)(uintptr_t)from->p;
    size_t left = from->n;
    iconv(cd, NULL, NULL, NULL, NULL); /* from the beginning */
    while (left) {
        if (!buf_reserve(to, left * 2 + 16))
            break;
        char *out = to->p + to->n;
        size_t room = to->cap - to->n, had = room;
        size_t r = iconv(cd, &in, &left, &out, &room);
        to->n += had - room;
        if (r == (size_t)-1 && errno != E2BIG)
            break;
    }
    *from = slice_of(in, left);
    return left == 0;
}

void encoding_decode(struct encoding *e, struct slice bytes, struct buf *text)
{
    buf_clear(text);
    while (!convert(e->in, &bytes, text) && !text->failed) {
        buf_adds(text, "\xef\xbf\xbd");
        bytes = slice_of(bytes.p + 1, bytes.n - 1);
    }
}

bool encoding_encode(struct encoding *e, struct slice text, struct buf *bytes)
{
    return convert(e->out, &text, bytes) && !bytes->failed;
}
