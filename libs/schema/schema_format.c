/* SPDX-License-Identifier: Apache-2.0 */
/* The formats, each a function of the text; a format that is not in the table is refused in a
 * description. */
#include "schema_inner.h"

#include <arpa/inet.h>
#include <time.h>

#include "id/idnum.h"
#include "id/uuid.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool all_digits(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!is_digit(text.p[i])) {
            return false;
        }
    }
    return text.n > 0;
}

static struct slice rest(struct slice text, size_t from)
{
    return slice_of(text.p + from, text.n - from);
}

/* The number of two digits that stands there; -1 when it does not. */
static int two(const char *p)
{
    return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + (p[1] - '0') : -1;
}

static bool is_date(struct slice text)
{
    if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-') {
        return false;
    }
    int century = two(text.p), year = two(text.p + 2), month = two(text.p + 5),
        day = two(text.p + 8);
    if (century < 0 || year < 0 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    struct tm tm = {.tm_year = century * 100 + year - 1900, .tm_mon = month - 1, .tm_mday = day};
    timegm(&tm); /* carries 31 February into March */
    return tm.tm_mon == month - 1 && tm.tm_mday == day;
}

/* "Z" or "+08:00" */
static bool is_offset(struct slice text)
{
    if (text.n == 1) {
        return one_of(text.p[0], "Zz");
    }
    if (text.n != 6 || !one_of(text.p[0], "+-") || text.p[3] != ':') {
        return false;
    }
    int hour = two(text.p + 1), minute = two(text.p + 4);
    return hour >= 0 && hour < 24 && minute >= 0 && minute < 60;
}

/* RFC 3339 full-time. A leap second is refused: few services behind us can take one. */
static bool is_time(struct slice text)
{
    if (text.n < 9 || text.p[2] != ':' || text.p[5] != ':') {
        return false;
    }
    int hour = two(text.p), minute = two(text.p + 3), second = two(text.p + 6);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
        return false;
    }
    size_t at = 8;
    if (text.p[at] == '.') {
        size_t digits = ++at;
        while (at < text.n && is_digit(text.p[at])) {
            at++;
        }
        if (at == digits) {
            return false;
        }
    }
    return is_offset(rest(text, at));
}

static bool is_date_time(struct slice text)
{
    return text.n > 11 && one_of(text.p[10], "Tt") && is_date(slice_of(text.p, 10)) &&
           is_time(rest(text, 11));
}

static bool is_uuid(struct slice text)
{
    struct uuid id;
    return uuid_parse(&id, text.p, text.n);
}

static bool is_label(struct slice text)
{
    if (text.n == 0 || text.n > 63 || text.p[0] == '-' || text.p[text.n - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (!is_letter(text.p[i]) && !is_digit(text.p[i]) && text.p[i] != '-') {
            return false;
        }
    }
    return true;
}

static bool is_hostname(struct slice text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '.') {
            if (!is_label(slice_of(text.p + from, i - from))) {
                return false;
            }
            from = i + 1;
        }
    }
    return text.n <= 253 && is_label(rest(text, from));
}

/* RFC 5321's dot-string; no quoted local part, no comment, no address literal. */
static bool is_email(struct slice text)
{
    const char *sign = text.n == 0 ? NULL : memchr(text.p, '@', text.n);
    if (sign == NULL || sign == text.p || sign - text.p > 64 || sign[-1] == '.') {
        return false;
    }
    char before = '.';
    for (const char *p = text.p; p < sign; before = *p++) {
        bool plain = is_letter(*p) || is_digit(*p) || one_of(*p, "!#$%&'*+-/=?^_`{|}~");
        if (!plain && (*p != '.' || before == '.')) {
            return false;
        }
    }
    return is_hostname(rest(text, (size_t)(sign + 1 - text.p)));
}

static bool is_address(int family, struct slice text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (text.n >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    return strlen(copy) == text.n && inet_pton(family, copy, &address) == 1;
}

static bool is_ipv4(struct slice text)
{
    return is_address(AF_INET, text);
}

static bool is_ipv6(struct slice text)
{
    return is_address(AF_INET6, text);
}

static size_t scheme_length(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ':') {
            return i;
        }
        if (!is_letter(text.p[i]) &&
            (i == 0 || (!is_digit(text.p[i]) && !one_of(text.p[i], "+-.")))) {
            return 0;
        }
    }
    return 0;
}

/* RFC 3986 with a scheme: the characters, the escapes, one fragment. It is text, not a place to
 * call. */
static bool is_uri(struct slice text)
{
    size_t scheme = scheme_length(text), fragments = 0;
    for (size_t i = scheme + 1; scheme > 0 && i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            if (text.n - i < 3 || !is_hex(text.p[i + 1]) || !is_hex(text.p[i + 2])) {
                return false;
            }
        } else if (!is_letter(c) && !is_digit(c) && !one_of(c, "-._~:/?#[]@!$&'()*+,;=")) {
            return false;
        }
        fragments += c == '#';
    }
    return scheme > 0 && scheme + 1 < text.n && fragments <= 1;
}

/* Mainland numbers: a mobile (1[3-9] and nine digits, +86 before it or not), or a line with its
 * area code. */
bool schema_is_mobile_or_line(struct slice text)
{
    if (text.n > 3 && memcmp(text.p, "+86", 3) == 0) {
        text = rest(text, text.p[3] == '-' || text.p[3] == ' ' ? 4 : 3);
    }
    if (text.n == 11 && text.p[0] == '1') {
        return text.p[1] >= '3' && all_digits(text);
    }
    const char *dash = text.n == 0 ? NULL : memchr(text.p, '-', text.n);
    if (dash == NULL) {
        return text.n >= 10 && text.n <= 12 && text.p[0] == '0' && text.p[1] != '0' &&
               all_digits(text);
    }
    struct slice area = slice_of(text.p, (size_t)(dash - text.p)), line = rest(text, area.n + 1);
    return (area.n == 3 || area.n == 4) && area.p[0] == '0' && area.p[1] != '0' &&
           all_digits(area) && (line.n == 7 || line.n == 8) && all_digits(line);
}

static const struct {
    const char *name;
    format_fn fn; /* NULL: says nothing about the text */
    bool int32;
} formats[] = {
    {"date", is_date},
    {"date-time", is_date_time},
    {"time", is_time},
    {"email", is_email},
    {"hostname", is_hostname},
    {"ipv4", is_ipv4},
    {"ipv6", is_ipv6},
    {"uri", is_uri},
    {"uuid", is_uuid},
    {"uscc", idnum_is_uscc},
    {"resident-id", idnum_is_id_card},
    {"bank-card", idnum_is_bank_card},
    {"phone-cn", schema_is_mobile_or_line},
    {"int32", NULL, true},
    {"int64", NULL}, /* what we read at all is one */
    {"float", NULL},
    {"double", NULL},
    {"password", NULL}, /* a hint to the screen */
};

bool schema_format(const char *name, format_fn *fn, bool *int32)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(name, formats[i].name) == 0) {
            *fn = formats[i].fn;
            *int32 = formats[i].int32;
            return true;
        }
    }
    return false;
}
