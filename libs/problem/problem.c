/* SPDX-License-Identifier: Apache-2.0 */
#include "problem/problem.h"

#include "base/utf8.h"

static const struct problem_row rows[PROBLEM_COUNT] = {
#include "problem/table.inc"
};

#define CUT 300 /* bytes of detail and of where */

const struct problem_row *problem_row(enum problem p)
{
    return &rows[(unsigned)p < PROBLEM_COUNT ? p : PROBLEM_INTERNAL];
}

enum problem problem_by_code(struct slice code)
{
    for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
        if (slice_eq(code, slice_str(rows[i].code))) {
            return (enum problem)i;
        }
    }
    return PROBLEM_COUNT;
}

/* The first language named wins: browsers and clients list theirs in order of preference. */
bool problem_prefers_zh(struct slice accept_language)
{
    while (accept_language.n && (*accept_language.p == ' ' || *accept_language.p == '\t')) {
        accept_language.p++;
        accept_language.n--;
    }
    return accept_language.n >= 2 && (accept_language.p[0] | 0x20) == 'z' &&
           (accept_language.p[1] | 0x20) == 'h';
}

/* A fixed page, so that the gateway can answer when memory is gone. */
struct page {
    char *p;
    size_t n, cap;
};

static void put(struct page *out, struct slice s)
{
    size_t n = s.n < out->cap - out->n ? s.n : out->cap - out->n;
    memcpy(out->p + out->n, s.p, n);
    out->n += n;
}

static struct slice cut(struct slice s)
{
    if (s.n <= CUT) {
        return s;
    }
    s.n = CUT;
    while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80) {
        s.n--;
    }
    return s;
}

/* Control characters, bytes that end a string and what is not UTF-8 become '?': what is quoted here
 * came from outside. */
static void put_text(struct page *out, struct slice s)
{
    put(out, SLICE("\""));
    while (s.n) {
        size_t n = utf8_char(s);
        unsigned char c = (unsigned char)*s.p;
        bool plain = n && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
        put(out, plain ? slice_of(s.p, n) : SLICE("?"));
        n = n ? n : 1;
        s.p += n;
        s.n -= n;
    }
    put(out, SLICE("\""));
}

static void put_member(struct page *out, const char *name, struct slice value)
{
    if (value.n == 0) {
        return;
    }
    put(out, SLICE(",\""));
    put(out, slice_str(name));
    put(out, SLICE("\":"));
    put_text(out, value);
}

size_t problem_render(enum problem p, bool zh, struct slice detail, struct slice where,
                      struct slice instance, char out[static PROBLEM_RENDER_MAX])
{
    const struct problem_row *row = problem_row(p);
    struct page page = {out, 0, PROBLEM_RENDER_MAX};
    put(&page, SLICE("{\"type\":\"urn:sluice:problem:"));
    put(&page, slice_str(row->code));
    put(&page, SLICE("\""));
    put_member(&page, "title", slice_str(zh ? row->title_zh : row->title_en));
    char status[] = {',',
                     '"',
                     's',
                     't',
                     'a',
                     't',
                     'u',
                     's',
                     '"',
                     ':',
                     (char)('0' + row->status / 100),
                     (char)('0' + row->status / 10 % 10),
                     (char)('0' + row->status % 10)};
    put(&page, slice_of(status, sizeof status));
    put_member(&page, "code", slice_str(row->code));
    put_member(&page, "detail", cut(detail));
    put_member(&page, "where", cut(where));
    put_member(&page, "instance", instance);
    put(&page, SLICE("}"));
    return page.n;
}
