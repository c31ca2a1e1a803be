/* SPDX-License-Identifier: Apache-2.0 */
/* Plausible values in place of true ones (SW-9.6.2-3b) that keep how values relate (SW-9.8-exc4).
 * A name depends on the key, the domain and the name; the number of days and the factor on the key
 * and the domain alone, since only what is the same for all keeps order, intervals and sums. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "crypto/crypto.h"
#include "mask/mask_rules.h"
#include "mask/mask_utf8.h"

/* Names ---------------------------------------------------------------------------------------- */

static const char surnames[] =
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏"
    "薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段";
static const char given[] =
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰文辉力波宁斌宇浩凯健俊帆雪梅琳云洁慧"
    "建国志海鹏飞晨阳子涵思远佳怡嘉瑞欣然雨泽新成安康乐天一心";

/* The CJK characters of both lists take three bytes each. */
static size_t pick(struct mask_draws *d, const char *list, size_t bytes, char *out)
{
    memcpy(out, list + (size_t)mask_draw(d, (uint32_t)(bytes / 3)) * 3, 3);
    return 3;
}

static bool is_chinese_name(const struct mask_input *in)
{
    if (in->chars < 2 || in->chars > 4) {
        return false;
    }
    for (size_t at = 0, width; at < in->text.n; at += width) {
        uint32_t c = utf8_read(in->text, at, &width);
        if (c < 0x4e00 || c > 0x9fff) {
            return false;
        }
    }
    return true;
}

size_t mask_rule_fake_name(const struct mask_input *in, char *out)
{
    struct mask_draws d;
    size_t n = 0;
    if (in->key == NULL) {
        return MASK_UNRECOGNISED;
    }
    if (!is_chinese_name(in)) {
        return mask_rule_pseudonym(in, out);
    }
    mask_draws_init(&d, in, in->text);
    n = pick(&d, surnames, sizeof surnames - 1, out);
    for (size_t i = 1; i < in->chars; i++) {
        n += pick(&d, given, sizeof given - 1, out + n);
    }
    crypto_wipe(&d, sizeof d);
    return n;
}

/* Dates ---------------------------------------------------------------------------------------- */

#define DAY_S 86400

/* Digits of text at `at`; false: not so many. */
static bool number_at(struct slice text, size_t at, size_t n, int *value)
{
    *value = 0;
    for (size_t i = at; i < at + n; i++) {
        if (i >= text.n || !mask_is_digit(text.p[i])) {
            return false;
        }
        *value = *value * 10 + (text.p[i] - '0');
    }
    return true;
}

/* 2026-01-02, 2026/01/02 or 20260102, then perhaps a time, which stays. *mark: the sign between. */
static bool read_date(struct slice text, struct tm *date, char *mark, size_t *end)
{
    *mark = text.n > 4 && (text.p[4] == '-' || text.p[4] == '/') ? text.p[4] : '\0';
    size_t gap = *mark != '\0';
    *end = 8 + 2 * gap;
    *date = (struct tm){0};
    if (!number_at(text, 0, 4, &date->tm_year) || !number_at(text, 4 + gap, 2, &date->tm_mon) ||
        !number_at(text, 6 + 2 * gap, 2, &date->tm_mday) || (gap && text.p[7] != *mark)) {
        return false;
    }
    bool good = date->tm_mon >= 1 && date->tm_mon <= 12 && date->tm_mday >= 1 &&
                date->tm_mday <= 31 && date->tm_year >= 1600 &&
                (text.n == *end || (gap && (text.p[*end] == 'T' || text.p[*end] == ' ')));
    date->tm_year -= 1900;
    date->tm_mon -= 1;
    return good;
}

static int shift_days(const struct mask_input *in)
{
    struct mask_draws d;
    mask_draws_init(&d, in, SLICE("date_shift"));
    int days = 1 + (int)mask_draw(&d, in->spec->days);
    bool back = mask_draw(&d, 2) == 1;
    crypto_wipe(&d, sizeof d);
    return back ? -days : days;
}

size_t mask_rule_date_shift(const struct mask_input *in, char *out)
{
    struct tm date, moved;
    char mark, text[64];
    size_t end;
    if (in->key == NULL || in->spec->days == 0 || !read_date(in->text, &date, &mark, &end)) {
        return MASK_UNRECOGNISED;
    }
    time_t at = timegm(&date) + (time_t)shift_days(in) * DAY_S;
    if (gmtime_r(&at, &moved) == NULL || moved.tm_year > 8099 || moved.tm_year < -900) {
        return MASK_UNRECOGNISED;
    }
    const char between[2] = {mark, '\0'};
    int n = snprintf(text, sizeof text, "%04d%s%02d%s%02d", moved.tm_year + 1900, between,
                     moved.tm_mon + 1, between, moved.tm_mday);
    if (n < 0 || (size_t)n != end) {
        return MASK_UNRECOGNISED;
    }
    memcpy(out, text, end);
    memcpy(out + end, in->text.p + end, in->text.n - end);
    return in->text.n;
}

/* Numbers -------------------------------------------------------------------------------------- */

#define SCALE_DIGITS_MAX 15 /* three more fit 64 bits */

/* The digits as a whole number, and how many stand behind the point. */
static bool read_decimal(struct slice text, bool *negative, uint64_t *digits, size_t *decimals)
{
    size_t i = text.n > 0 && text.p[0] == '-', n = 0;
    bool point = false;
    *negative = i == 1;
    *digits = 0;
    *decimals = 0;
    for (; i < text.n; i++) {
        if (text.p[i] == '.' && !point && n > 0) {
            point = true;
            continue;
        }
        if (!mask_is_digit(text.p[i]) || ++n > SCALE_DIGITS_MAX) {
            return false;
        }
        *digits = *digits * 10 + (uint64_t)(text.p[i] - '0');
        *decimals += point;
    }
    return n > 0 && text.p[text.n - 1] != '.';
}

size_t mask_rule_scale(const struct mask_input *in, char *out)
{
    struct mask_draws d;
    bool negative;
    uint64_t digits;
    size_t decimals;
    char text[48];
    if (in->key == NULL || !read_decimal(in->text, &negative, &digits, &decimals)) {
        return MASK_UNRECOGNISED;
    }
    mask_draws_init(&d, in, SLICE("scale"));
    digits *= 110 + mask_draw(&d, 890);
    crypto_wipe(&d, sizeof d);
    /* Two decimals more, but for zeros that say nothing. */
    size_t places = decimals + 2;
    for (; places > decimals && digits % 10 == 0; places--) {
        digits /= 10;
    }
    int n = snprintf(text, sizeof text, "%0*" PRIu64, (int)places + 1, digits);
    size_t whole = (size_t)n - places, at = 0;
    if (negative) {
        out[at++] = '-';
    }
    memcpy(out + at, text, whole);
    at += whole;
    if (places > 0) {
        out[at++] = '.';
        memcpy(out + at, text + whole, places);
        at += places;
    }
    return at;
}
