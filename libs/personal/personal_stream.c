/* SPDX-License-Identifier: Apache-2.0 */
/* The stream is cut into cells at whatever ends a value in CSV, JSON or XML; a cell goes to the
 * detector when it has digits enough, or an at sign. No format is parsed: what is somebody's is
 * found wherever it stands. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "personal/personal_inner.h"

#define DIGITS_MIN 11 /* of the shortest number that is somebody's */

struct personal_stream {
    personal_each each;
    void *ctx;
    struct detect *detect;
    uint64_t at, line;           /* of the next byte */
    uint64_t cell_at, cell_line; /* of the cell's first */
    char cell[DETECT_VALUE_MAX];
    size_t n, digits;
    size_t looked;      /* bytes of the cell that the detector has */
    bool mail;          /* the cell has an at sign */
    bool begun, json;   /* what the first sign that is no blank says */
    bool in_string;     /* of JSON */
    unsigned char skip; /* bytes of an escape still to come */
    bool escape;        /* the last byte was a backslash */
    uint64_t told_at;   /* of the last hit, + 1: one told twice is one */
};

struct personal_stream *personal_stream_new(personal_each each, void *ctx)
{
    struct personal_stream *s = calloc(1, sizeof *s);
    struct detect_error err;
    size_t bad;
    if (s && detect_new(&s->detect, NULL, 0, &bad, &err) == DETECT_OK) {
        s->each = each;
        s->ctx = ctx;
        s->line = s->cell_line = 1;
        return s;
    }
    free(s);
    return NULL;
}

void personal_stream_free(struct personal_stream **slot)
{
    if (!*slot)
        return;
    detect_free(&(*slot)->detect);
    free(*slot);
    *slot = NULL;
}

static bool separates(unsigned char c)
{
    return (c < 0x20) || strchr(",;\"'<>|{}[]:=\x7f", c);
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* Part of a number or an address. */
static bool in_word(unsigned char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("._%+-@", c));
}

/* A number of JSON, with sign and fraction. */
static void whole(const struct personal_stream *s, struct personal_hit *hit)
{
    size_t from = 0, to = s->looked;
    while (from < to && s->cell[from] == ' ')
        from++;
    while (to > from && s->cell[to - 1] == ' ')
        to--;
    hit->at = s->cell_at + from;
    hit->n = to - from;
    hit->literal = true;
}

static void on_word(void *ctx, size_t rule, size_t at, size_t n)
{
    struct personal_stream *s = ctx;
    struct personal_hit hit = {s->cell_at + at, s->cell_line, n, detect_rules[rule].name, false};
    if (!personal_is_somebodys(rule) || s->told_at == hit.at + 1)
        return;
    s->told_at = hit.at + 1;
    if (s->json && !s->in_string)
        whole(s, &hit);
    s->each(s->ctx, &hit);
}

/* Characters of GB18030 become blanks: their second bytes may look like letters or digits. */
static void blank_others(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!((unsigned char)p[i] & 0x80))
            continue;
        size_t width = i + 3 < n && is_digit((unsigned char)p[i + 1]) &&
                               ((unsigned char)p[i + 2] & 0x80) && is_digit((unsigned char)p[i + 3])
                           ? 4
                       : i + 1 < n && !is_digit((unsigned char)p[i + 1]) ? 2
                                                                         : 1;
        memset(p + i, ' ', width);
        i += width - 1;
    }
}

static void look(struct personal_stream *s, size_t n)
{
    struct slice cell = slice_of(s->cell, n);
    char copy[DETECT_VALUE_MAX];
    s->looked = n;
    if (!s->mail && s->digits < DIGITS_MIN)
        return;
    if (!utf8_valid(cell)) {
        memcpy(copy, s->cell, n);
        blank_others(copy, n);
        cell.p = copy;
    }
    detect_words(s->detect, cell, on_word, s);
}

static void begin_cell(struct personal_stream *s, uint64_t at)
{
    s->n = s->digits = 0;
    s->mail = false;
    s->cell_at = at;
    s->cell_line = s->line;
}

/* A cell longer than is looked at goes in parts, cut where no word is; a word of that length is
 * nobody's. */
static void part(struct personal_stream *s)
{
    size_t n = s->n, keep;
    while (n > 0 && in_word((unsigned char)s->cell[n - 1]))
        n--;
    if (n == 0)
        n = s->n;
    look(s, n);
    keep = s->n - n;
    memmove(s->cell, s->cell + n, keep);
    uint64_t at = s->cell_at + n;
    begin_cell(s, at);
    for (size_t i = 0; i < keep; i++) {
        s->digits += is_digit((unsigned char)s->cell[i]);
        s->mail |= s->cell[i] == '@';
    }
    s->n = keep;
}

static void end_cell(struct personal_stream *s)
{
    if (s->n)
        look(s, s->n);
    begin_cell(s, s->at + 1);
}

/* After a backslash: `\n` and `\u4e2d` are no letters of a word, a quote ends no string. */
static bool escaped(struct personal_stream *s, unsigned char c)
{
    s->escape = false;
    s->skip = c == 'u' ? 4 : 0;
    return c && strchr("bfnrtu/\"\\", c);
}

static void first(struct personal_stream *s, unsigned char c)
{
    if (c <= ' ' || c == 0xef || c == 0xbb || c == 0xbf)
        return;
    s->begun = true;
    s->json = c == '{' || c == '[';
}

static void add(struct personal_stream *s, unsigned char c)
{
    if (!s->begun)
        first(s, c);
    if (s->skip > 0) {
        s->skip--;
        begin_cell(s, s->at + 1);
    } else if (s->escape && escaped(s, c)) {
        begin_cell(s, s->at + 1);
    } else if (c == '\\' || separates(c)) {
        end_cell(s);
        s->escape = c == '\\';
        s->in_string ^= s->json && c == '"';
    } else {
        s->cell[s->n++] = (char)c;
        s->digits += is_digit(c);
        s->mail |= c == '@';
        if (s->n == sizeof s->cell)
            part(s);
    }
    s->at++;
    if (c == '\n') {
        s->line++;
        s->cell_line = s->line;
    }
}

void personal_stream_add(struct personal_stream *s, struct slice piece)
{
    for (size_t i = 0; i < piece.n; i++)
        add(s, (unsigned char)piece.p[i]);
}

void personal_stream_end(struct personal_stream *s)
{
    end_cell(s);
}

void personal_fill(char *out, size_t n, bool literal)
{
    memset(out, literal ? ' ' : '*', n);
    if (literal && n >= 4)
        memcpy(out, "null", 4);
}
