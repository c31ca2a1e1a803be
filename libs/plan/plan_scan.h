/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the end of what is plain, 16 bytes at a time. Nothing here reads at or past `end`.
 * PLAN_SCAN_PORTABLE chooses the 64-bit version on any machine, so that it can be tested here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(PLAN_SCAN_PORTABLE)
#include <emmintrin.h>
#define SCAN_STEP 16
/* Place of the first special byte among the 16 at p, or 16. Bytes of 0x80 and more are negative
 * here, so one signed comparison finds them and the control characters together. */
static inline unsigned scan_block(const uint8_t *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i hit = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
                               _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                            _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
    unsigned mask = (unsigned)_mm_movemask_epi8(hit);
    return (unsigned)__builtin_ctz(mask | 0x10000u);
}
#elif defined(__aarch64__) && !defined(PLAN_SCAN_PORTABLE)
#include <arm_neon.h>
#define SCAN_STEP 16
static inline unsigned scan_block(const uint8_t *p)
{
    uint8x16_t v = vld1q_u8(p);
    uint8x16_t hit = vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8(0x20));
    hit = vorrq_u8(hit, vceqq_u8(v, vdupq_n_u8('"')));
    hit = vorrq_u8(hit, vceqq_u8(v, vdupq_n_u8('\\')));
    /* four bits a byte: NEON has no movemask */
    uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8(hit), 4);
    uint64_t mask = vget_lane_u64(vreinterpret_u64_u8(narrow), 0);
    return mask == 0 ? 16 : (unsigned)__builtin_ctzll(mask) / 4;
}
#else
#define SCAN_STEP 8
#define SCAN_ALL  0x0101010101010101u
/* A borrow can only make a byte above a true hit look like one, so the lowest is right. */
static inline unsigned scan_block(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    uint64_t quote = v ^ (SCAN_ALL * '"'), escape = v ^ (SCAN_ALL * '\\');
    uint64_t hit = v | ((v - SCAN_ALL * 0x20) & ~v) | ((quote - SCAN_ALL) & ~quote) |
                   ((escape - SCAN_ALL) & ~escape);
    hit &= SCAN_ALL * 0x80;
    return hit == 0 ? 8 : (unsigned)__builtin_ctzll(hit) / 8;
}
#endif

static inline bool scan_is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The first of [p, end) that is a quote, a backslash, a control character or not ASCII. */
static inline const uint8_t *scan_plain(const uint8_t *p, const uint8_t *end)
{
    while (end - p >= SCAN_STEP) {
        unsigned n = scan_block(p);
        p += n;
        if (n < SCAN_STEP) {
            return p;
        }
    }
    while (p < end && scan_is_plain(*p)) {
        p++;
    }
    return p;
}

/* Bytes of the well-formed UTF-8 character that begins at p with a byte of 0x80 or more; 0 when
 * there is none or it goes past end. */
static inline size_t scan_utf8_char(const uint8_t *p, const uint8_t *end)
{
    size_t left = (size_t)(end - p);
    if (left >= 3 && (p[0] & 0xf0) == 0xe0) { /* most Chinese text */
        bool shape = (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80;
        bool range = (p[0] != 0xe0 || p[1] >= 0xa0) && (p[0] != 0xed || p[1] < 0xa0);
        return shape && range ? 3 : 0;
    }
    if (left >= 2 && p[0] >= 0xc2 && p[0] <= 0xdf) {
        return (p[1] & 0xc0) == 0x80 ? 2 : 0;
    }
    if (left >= 4 && p[0] >= 0xf0 && p[0] <= 0xf4) {
        bool shape = (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80;
        bool range = (p[0] != 0xf0 || p[1] >= 0x90) && (p[0] != 0xf4 || p[1] < 0x90);
        return shape && range ? 4 : 0;
    }
    return 0;
}

/* Past the whole characters that are not ASCII. */
static inline const uint8_t *scan_utf8(const uint8_t *p, const uint8_t *end)
{
    size_t n;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - p >= 4) { /* three bytes, as most Chinese has, by their bits alone */
        uint32_t v;
        memcpy(&v, p, sizeof v);
        if ((v & 0xc0c0f0) != 0x8080e0 || (v & 0xff) == 0xe0 || (v & 0xff) == 0xed) {
            break;
        }
        p += 3;
    }
#endif
    while (p < end && *p >= 0x80 && (n = scan_utf8_char(p, end)) > 0) {
        p += n;
    }
    return p;
}

static inline const uint8_t *scan_space(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    return p;
}
