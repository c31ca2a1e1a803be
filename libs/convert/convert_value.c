/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the scalar types. A number is text from end to end: never a double, so that
 * 12345678901234567890 and 1.10 come out as they went in. What XML Schema lets one write in several
 * ways (+5, 007, .5, 1 for true) comes out in the one way JSON has. */
#include "base/codec.h"
#include "convert/convert_inner.h"

struct slice convert_trim(struct slice s)
{
    while (s.n > 0 && strchr(" \t\r\n", s.p[0]) != NULL && s.p[0] != '\0') {
        s.p++, s.n--;
    }
    while (s.n > 0 && strchr(" \t\r\n", s.p[s.n - 1]) != NULL && s.p[s.n - 1] != '\0') {
        s.n--;
    }
    return s;
}

/* The parts of a number: sign, digits before and after the point, exponent with its letter. */
struct number {
    bool negative;
    struct slice whole, fraction, exponent;
};

static struct slice digits(const char **p, const char *end)
{
    const char *from = *p;
    while (*p < end && **p >= '0' && **p <= '9') {
        (*p)++;
    }
    return slice_of(from, (size_t)(*p - from));
}

static bool number_read(struct slice text, enum convert_kind kind, struct number *n)
{
    const char *p = text.p, *end = p + text.n;
    *n = (struct number){0};
    if (p < end && (*p == '-' || *p == '+')) {
        n->negative = *p++ == '-';
    }
    n->whole = digits(&p, end);
    if (p < end && *p == '.' && kind != CONVERT_INTEGER) {
        p++;
        n->fraction = digits(&p, end);
    }
    if (n->whole.n + n->fraction.n == 0) {
        return false;
    }
    if (p < end && (*p == 'e' || *p == 'E') && kind == CONVERT_NUMBER) {
        const char *from = p++;
        p += p < end && (*p == '-' || *p == '+');
        if (digits(&p, end).n == 0) {
            return false;
        }
        n->exponent = slice_of(from, (size_t)(p - from));
    }
    return p == end;
}

static void number_add(const struct number *n, struct buf *out)
{
    struct slice whole = n->whole;
    while (whole.n > 1 && whole.p[0] == '0') {
        whole.p++, whole.n--;
    }
    buf_adds(out, n->negative ? "-" : "");
    buf_add(out, whole.n > 0 ? whole.p : "0", whole.n > 0 ? whole.n : 1);
    if (n->fraction.n > 0) {
        buf_addc(out, '.');
        buf_add(out, n->fraction.p, n->fraction.n);
    }
    buf_add(out, n->exponent.p, n->exponent.n);
}

/* '#' a digit, another byte itself. Returns what it took, 0: no match. */
static size_t shape(const char *p, const char *end, const char *pattern)
{
    size_t i = 0;
    for (; pattern[i] != '\0'; i++) {
        if (p + i >= end) {
            return 0;
        }
        bool digit = p[i] >= '0' && p[i] <= '9';
        if (pattern[i] == '#' ? !digit : p[i] != pattern[i]) {
            return 0;
        }
    }
    return i;
}

static unsigned two(const char *p)
{
    return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
}

static bool day_ok(const char *p) /* ####-##-## */
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year = two(p) * 100 + two(p + 2), month = two(p + 5), day = two(p + 8);
    if (month < 1 || month > 12 || day < 1) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

static bool zone_ok(const char *p, const char *end)
{
    if (p == end || (end - p == 1 && *p == 'Z')) {
        return true;
    }
    if (end - p != 6 || (*p != '+' && *p != '-') || shape(p + 1, end, "##:##") == 0) {
        return false;
    }
    return two(p + 1) * 60 + two(p + 4) <= 14 * 60 && two(p + 4) < 60;
}

static bool date_ok(struct slice s, bool time)
{
    const char *p = s.p, *end = p + s.n;
    if (shape(p, end, "####-##-##") == 0 || !day_ok(p)) {
        return false;
    }
    p += 10;
    if (!time) {
        return zone_ok(p, end);
    }
    if (shape(p, end, "T##:##:##") == 0 || two(p + 1) > 23 || two(p + 4) > 59 || two(p + 7) > 59) {
        return false;
    }
    p += 9;
    if (p < end && *p == '.') {
        p++;
        if (digits(&p, end).n == 0) {
            return false;
        }
    }
    return zone_ok(p, end);
}

static bool base64_ok(struct slice s)
{
    size_t padding = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '+' || c == '/';
        padding += c == '=';
        if ((!letter && c != '=') || (letter && padding > 0)) {
            return false;
        }
    }
    return s.n % 4 == 0 && padding <= 2;
}

static bool listed(const struct convert_scalar *s, struct slice text)
{
    for (uint32_t i = 0; i < s->n_values; i++) {
        if (slice_eq(s->values[i], text)) {
            return true;
        }
    }
    return s->n_values == 0;
}

static int truth(struct slice s) /* 0, 1, or -1: neither */
{
    if (slice_eq(s, SLICE("true")) || slice_eq(s, SLICE("1"))) {
        return 1;
    }
    return slice_eq(s, SLICE("false")) || slice_eq(s, SLICE("0")) ? 0 : -1;
}

bool convert_value_ok(const struct convert_scalar *s, struct slice text)
{
    struct number n;
    if (!listed(s, text)) {
        return false;
    }
    switch ((enum convert_kind)s->kind) {
    case CONVERT_STRING:
        return true;
    case CONVERT_INTEGER:
    case CONVERT_DECIMAL:
    case CONVERT_NUMBER:
        return number_read(text, s->kind, &n);
    case CONVERT_BOOLEAN:
        return truth(text) >= 0;
    case CONVERT_DATE:
    case CONVERT_DATETIME:
        return date_ok(text, s->kind == CONVERT_DATETIME);
    case CONVERT_BASE64:
        return base64_ok(text);
    }
    return false;
}

void convert_add_json(struct buf *out, struct slice text)
{
    static const uint8_t special[256] = {
        [0] = 1,  [1] = 1,  [2] = 1,  [3] = 1,  [4] = 1,  [5] = 1,   [6] = 1,   [7] = 1,  [8] = 1,
        [9] = 1,  [10] = 1, [11] = 1, [12] = 1, [13] = 1, [14] = 1,  [15] = 1,  [16] = 1, [17] = 1,
        [18] = 1, [19] = 1, [20] = 1, [21] = 1, [22] = 1, [23] = 1,  [24] = 1,  [25] = 1, [26] = 1,
        [27] = 1, [28] = 1, [29] = 1, [30] = 1, [31] = 1, ['"'] = 1, ['\\'] = 1};
    for (size_t i = 0; i < text.n; i++) {
        if (special[(uint8_t)text.p[i]]) {
            buf_add_json(out, text);
            return;
        }
    }
    if (!buf_reserve(out, text.n + 2)) {
        return;
    }
    char *p = out->p + out->n;
    *p = '"';
    if (text.n > 0) {
        memcpy(p + 1, text.p, text.n);
    }
    p[text.n + 1] = '"';
    out->n += text.n + 2;
}

enum convert_err convert_value_json(const struct convert_scalar *s, struct slice text,
                                    struct buf *out)
{
    struct number n;
    if (s->kind != CONVERT_STRING) {
        text = convert_trim(text);
    }
    if (!convert_value_ok(s, text)) {
        return CONVERT_EVALUE;
    }
    if (s->kind == CONVERT_BOOLEAN) {
        buf_adds(out, truth(text) == 1 ? "true" : "false");
        return CONVERT_OK;
    }
    bool numeric =
        s->kind == CONVERT_INTEGER || s->kind == CONVERT_DECIMAL || s->kind == CONVERT_NUMBER;
    if (numeric && !s->quoted && number_read(text, s->kind, &n)) {
        number_add(&n, out);
        return CONVERT_OK;
    }
    convert_add_json(out, text);
    return CONVERT_OK;
}
