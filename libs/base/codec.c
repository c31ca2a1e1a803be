/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t codec_hex(char *out, const void *in, size_t n)
{
    const uint8_t *p = in;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[p[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
    return 2 * n;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool codec_unhex(void *out, size_t cap, size_t *n, const char *in, size_t len)
{
    if (len % 2 || len / 2 > cap) {
        return false;
    }
    for (size_t i = 0; i < len / 2; i++) {
        int high = hex_value(in[2 * i]), low = hex_value(in[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        ((uint8_t *)out)[i] = (uint8_t)(high << 4 | low);
    }
    *n = len / 2;
    return true;
}

/* Whole groups of three, then the one or two bytes left; no padding. */
static size_t encode64(const char *alphabet, char *out, const uint8_t *p, size_t n)
{
    char *q = out;
    for (; n >= 3; n -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *q++ = alphabet[v >> 18];
        *q++ = alphabet[v >> 12 & 63];
        *q++ = alphabet[v >> 6 & 63];
        *q++ = alphabet[v & 63];
    }
    if (n == 0) {
        return (size_t)(q - out);
    }
    uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
    *q++ = alphabet[v >> 18];
    *q++ = alphabet[v >> 12 & 63];
    if (n == 2) {
        *q++ = alphabet[v >> 6 & 63];
    }
    return (size_t)(q - out);
}

size_t codec_base64(char *out, const void *in, size_t n)
{
    size_t m = encode64(standard, out, in, n);
    while (m % 4) {
        out[m++] = '=';
    }
    return m;
}

size_t codec_base64url(char *out, const void *in, size_t n)
{
    return encode64(url_safe, out, in, n);
}

/* Value of a character with IS set, and for the two that differ a bit that says whose they are; 0
 * for characters of neither alphabet. */
#define IS       0x100
#define STANDARD 0x200
#define URL_SAFE 0x400

static const uint16_t values[256] = {
    ['A'] = IS | 0,
    IS | 1,
    IS | 2,
    IS | 3,
    IS | 4,
    IS | 5,
    IS | 6,
    IS | 7,
    IS | 8,
    IS | 9,
    IS | 10,
    IS | 11,
    IS | 12,
    IS | 13,
    IS | 14,
    IS | 15,
    IS | 16,
    IS | 17,
    IS | 18,
    IS | 19,
    IS | 20,
    IS | 21,
    IS | 22,
    IS | 23,
    IS | 24,
    IS | 25,
    ['a'] = IS | 26,
    IS | 27,
    IS | 28,
    IS | 29,
    IS | 30,
    IS | 31,
    IS | 32,
    IS | 33,
    IS | 34,
    IS | 35,
    IS | 36,
    IS | 37,
    IS | 38,
    IS | 39,
    IS | 40,
    IS | 41,
    IS | 42,
    IS | 43,
    IS | 44,
    IS | 45,
    IS | 46,
    IS | 47,
    IS | 48,
    IS | 49,
    IS | 50,
    IS | 51,
    ['0'] = IS | 52,
    IS | 53,
    IS | 54,
    IS | 55,
    IS | 56,
    IS | 57,
    IS | 58,
    IS | 59,
    IS | 60,
    IS | 61,
    ['+'] = IS | STANDARD | 62,
    ['/'] = IS | STANDARD | 63,
    ['-'] = IS | URL_SAFE | 62,
    ['_'] = IS | URL_SAFE | 63,
};

/* Four characters at once; *good loses its bits when one is not of this alphabet. */
static uint32_t four(const char *in, uint16_t foreign, uint16_t *good)
{
    uint16_t a = values[(uint8_t)in[0]], b = values[(uint8_t)in[1]];
    uint16_t c = values[(uint8_t)in[2]], d = values[(uint8_t)in[3]];
    *good &= (uint16_t)(a & b & c & d);
    *good &= (uint16_t)((a | b | c | d) & foreign ? 0 : IS);
    return (uint32_t)(a & 63) << 18 | (uint32_t)(b & 63) << 12 | (uint32_t)(c & 63) << 6 | (d & 63);
}

/* Unpadded text. Bits beyond the last byte must be zero, so that one value has one text. */
static bool decode64(uint16_t foreign, uint8_t *out, size_t cap, size_t *n, const char *in,
                     size_t len)
{
    uint8_t *q = out;
    uint16_t good = IS;
    size_t rest = len % 4;
    if (rest == 1 || len / 4 * 3 + (rest ? rest - 1 : 0) > cap) {
        return false;
    }
    for (; len >= 4; len -= 4, in += 4) {
        uint32_t v = four(in, foreign, &good);
        *q++ = (uint8_t)(v >> 16);
        *q++ = (uint8_t)(v >> 8);
        *q++ = (uint8_t)v;
    }
    if (rest) {
        char last[4] = {in[0], in[1], rest == 3 ? in[2] : 'A', 'A'};
        uint32_t v = four(last, foreign, &good);
        *q++ = (uint8_t)(v >> 16);
        good &= (rest == 2 ? v & 0xffff : v & 0xff) == 0 ? IS : 0;
        if (rest == 3) {
            *q++ = (uint8_t)(v >> 8);
        }
    }
    *n = (size_t)(q - out);
    return good != 0;
}

bool codec_unbase64(void *out, size_t cap, size_t *n, const char *in, size_t len)
{
    if (len % 4) {
        return false;
    }
    size_t pad = len && in[len - 1] == '=' ? (in[len - 2] == '=' ? 2 : 1) : 0;
    return decode64(URL_SAFE, out, cap, n, in, len - pad);
}

bool codec_unbase64url(void *out, size_t cap, size_t *n, const char *in, size_t len)
{
    return decode64(STANDARD, out, cap, n, in, len);
}
