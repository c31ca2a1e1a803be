/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

/* What may follow a lead byte: how many bytes in all, and the range of the second (RFC 3629,
 * section 4). */
static const struct {
    uint8_t from, to, bytes, second_from, second_to;
} leads[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static bool tail_ok(const uint8_t *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    return true;
}

size_t utf8_char(struct slice s)
{
    const uint8_t *p = (const uint8_t *)s.p;
    if (s.n == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] > 0xe0 && p[0] < 0xed && s.n >= 3) { /* most Chinese: no second byte is special */
        return (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        if (p[0] < leads[i].from || p[0] > leads[i].to) {
            continue;
        }
        bool ok = s.n >= leads[i].bytes && p[1] >= leads[i].second_from &&
                  p[1] <= leads[i].second_to && tail_ok(p, 2, leads[i].bytes);
        return ok ? leads[i].bytes : 0;
    }
    return 0;
}

bool utf8_valid(struct slice s)
{
    while (s.n) {
        size_t n = utf8_char(s);
        if (n == 0) {
            return false;
        }
        s.p += n;
        s.n -= n;
    }
    return true;
}
