/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 by code point, for the mask rules alone. What is well formed, base/utf8.h says. */
#pragma once
#include "base/utf8.h"

/* Decodes the character at s.p[at]; s is well formed. *width gets its bytes. */
static inline uint32_t utf8_read(struct slice s, size_t at, size_t *width)
{
    const uint8_t *p = (const uint8_t *)s.p + at;
    if (p[0] < 0x80) {
        *width = 1;
        return p[0];
    }
    *width = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = p[0] & (0x7fu >> *width);
    for (size_t i = 1; i < *width; i++) {
        c = (c << 6) | (p[i] & 0x3fu);
    }
    return c;
}

/* Writes c, a code point below U+10000 and no surrogate, and returns its bytes. */
static inline size_t utf8_write(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | (c >> 12));
    out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
    out[2] = (char)(0x80 | (c & 0x3f));
    return 3;
}

/* True and *chars when all of s is well formed. */
static inline bool utf8_count(struct slice s, size_t *chars)
{
    size_t ascii = 0, width;
    for (uint64_t v; s.n - ascii >= sizeof v; ascii += sizeof v) {
        memcpy(&v, s.p + ascii, sizeof v);
        if ((v & 0x8080808080808080u) != 0) {
            break;
        }
    }
    size_t n = ascii;
    for (size_t at = ascii; at < s.n; at += width, n++) {
        width = (uint8_t)s.p[at] < 0x80 ? 1 : utf8_char(slice_of(s.p + at, s.n - at));
        if (width == 0) {
            return false;
        }
    }
    *chars = n;
    return true;
}
