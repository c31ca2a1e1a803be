/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

struct alphabet {
    char text[65];
    char c62, c63; /* the two that differ */
};

static const struct alphabet standard = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", '+', '/'};
static const struct alphabet url_safe = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", '-', '_'};

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
static size_t encode64(const struct alphabet *a, char *out, const uint8_t *p, size_t n)
{
    char *q = out;
    for (; n >= 3; n -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *q++ = a->text[v >> 18];
        *q++ = a->text[v >> 12 & 63];
        *q++ = a->text[v >> 6 & 63];
        *q++ = a->text[v & 63];
    }
    if (n == 0) {
        return (size_t)(q - out);
    }
    uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
    *q++ = a->text[v >> 18];
    *q++ = a->text[v >> 12 & 63];
    if (n == 2) {
        *q++ = a->text[v >> 6 & 63];
    }
    return (size_t)(q - out);
}

size_t codec_base64(char *out, const void *in, size_t n)
{
    size_t m = encode64(&standard, out, in, n);
    while (m % 4) {
        out[m++] = '=';
    }
    return m;
}

size_t codec_base64url(char *out, const void *in, size_t n)
{
    return encode64(&url_safe, out, in, n);
}

static int value64(const struct alphabet *a, char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == a->c62 ? 62 : c == a->c63 ? 63 : -1;
}

/* Unpadded text. Bits beyond the last byte must be zero, so that one value has one text. */
static bool decode64(const struct alphabet *a, uint8_t *out, size_t cap, size_t *n, const char *in,
                     size_t len)
{
    if (len % 4 == 1 || len / 4 * 3 + len % 4 * 3 / 4 > cap) {
        return false;
    }
    uint32_t v = 0;
    unsigned bits = 0;
    size_t m = 0;
    for (size_t i = 0; i < len; i++) {
        int six = value64(a, in[i]);
        if (six < 0) {
            return false;
        }
        v = v << 6 | (uint32_t)six;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[m++] = (uint8_t)(v >> bits);
        }
        v &= (1u << bits) - 1;
    }
    *n = m;
    return v == 0;
}

bool codec_unbase64(void *out, size_t cap, size_t *n, const char *in, size_t len)
{
    if (len % 4) {
        return false;
    }
    size_t pad = len && in[len - 1] == '=' ? (in[len - 2] == '=' ? 2 : 1) : 0;
    return decode64(&standard, out, cap, n, in, len - pad);
}

bool codec_unbase64url(void *out, size_t cap, size_t *n, const char *in, size_t len)
{
    return decode64(&url_safe, out, cap, n, in, len);
}
