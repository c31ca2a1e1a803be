/* SPDX-License-Identifier: Apache-2.0 */
/* Names, e-mail addresses and keep:N:M. */
#include "mask/mask_rules.h"
#include "mask/mask_utf8.h"

/* What parts the words of a name: spaces, hyphens, and the dots of transliterated names
 * (买买提·吐尔逊). */
static bool parts_words(uint32_t c)
{
    static const uint32_t parts[] = {' ', '-', 0xa0, 0xb7, 0x2022, 0x2027, 0x3000, 0x30fb, 0xff0e};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (c == parts[i]) {
            return true;
        }
    }
    return false;
}

/* A digit, '@' or other sign means that something else than a name sits in the field. */
static bool fits_name(uint32_t c)
{
    return c >= 0x80 ? c > 0xa0 && !(c >= 0xff10 && c <= 0xff19)
                     : mask_is_alpha((char)c) || c == '\'' || c == '.';
}

static size_t add_stars(char *out, size_t n)
{
    memset(out, '*', n);
    return n;
}

/* One word of `chars` characters, the first of which takes `width` bytes at p. A word in a script
 * of letters gets the same cover whatever its length; each hidden CJK character gets one star. A
 * word of one character would be given away whole, so it is hidden. */
static size_t cover_word(const char *p, size_t width, size_t chars, char *out)
{
    size_t n = 0;
    if (chars == 0) {
        return 0;
    }
    if (chars == 1) {
        return add_stars(out, 1);
    }
    memcpy(out, p, width);
    n += width;
    return n + add_stars(out + n, width < 3 ? 3 : chars - 1);
}

size_t mask_rule_name(const struct mask_input *in, char *out)
{
    size_t n = 0, width, word_at = 0, word_width = 0, word_chars = 0;
    for (size_t at = 0; at < in->text.n; at += width) {
        uint32_t c = utf8_read(in->text, at, &width);
        if (parts_words(c)) {
            n += cover_word(in->text.p + word_at, word_width, word_chars, out + n);
            word_chars = 0;
            memcpy(out + n, in->text.p + at, width);
            n += width;
            continue;
        }
        if (!fits_name(c)) {
            return MASK_UNRECOGNISED;
        }
        if (word_chars++ == 0) {
            word_at = at;
            word_width = width;
        }
    }
    return n + cover_word(in->text.p + word_at, word_width, word_chars, out + n);
}

/* Letters, digits and hyphens in at least two labels; letters of other scripts pass. */
static bool is_mail_domain(struct slice domain)
{
    size_t dots = 0, label = 0;
    for (size_t i = 0; i < domain.n; i++) {
        char c = domain.p[i];
        if (c == '.') {
            if (label == 0) {
                return false;
            }
            dots++;
            label = 0;
            continue;
        }
        if (!mask_is_alpha(c) && !mask_is_digit(c) && c != '-' && (uint8_t)c < 0x80) {
            return false;
        }
        label++;
    }
    return dots > 0 && label > 0;
}

/* RFC 5321 dot-string characters; a quoted local part is rare enough to be covered whole. */
static bool is_mail_local(struct slice local)
{
    for (size_t i = 0; i < local.n; i++) {
        char c = local.p[i];
        if (!mask_is_alpha(c) && !mask_is_digit(c) && (uint8_t)c < 0x80 &&
            (c == '\0' || strchr(".!#$%&'*+/=?^_`{|}~-", c) == NULL)) {
            return false;
        }
    }
    return local.n > 0;
}

size_t mask_rule_email(const struct mask_input *in, char *out)
{
    const char *at_sign = memchr(in->text.p, '@', in->text.n);
    if (at_sign == NULL) {
        return MASK_UNRECOGNISED;
    }
    struct slice local = slice_of(in->text.p, (size_t)(at_sign - in->text.p));
    struct slice domain = slice_of(at_sign + 1, in->text.n - local.n - 1);
    if (!is_mail_local(local) || !is_mail_domain(domain)) {
        return MASK_UNRECOGNISED;
    }
    size_t width = 0;
    (void)utf8_read(local, 0, &width);
    size_t n = width < local.n ? width : 0; /* a local part of one character is hidden too */
    memcpy(out, local.p, n);
    n += add_stars(out + n, 3);
    memcpy(out + n, at_sign, domain.n + 1);
    return n + domain.n + 1;
}

size_t mask_rule_keep(const struct mask_input *in, char *out)
{
    size_t first = in->spec->first, last = in->spec->last;
    if (first + last >= in->chars) {
        return MASK_UNRECOGNISED; /* would give all of it away */
    }
    size_t n = 0, index = 0, width;
    for (size_t at = 0; at < in->text.n; at += width, index++) {
        (void)utf8_read(in->text, at, &width);
        if (index >= first && index < in->chars - last) {
            out[n++] = '*';
            continue;
        }
        memcpy(out + n, in->text.p + at, width);
        n += width;
    }
    return n;
}
