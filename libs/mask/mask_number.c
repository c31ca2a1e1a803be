/* SPDX-License-Identifier: Apache-2.0 */
/* Telephone numbers, identifiers and dates: values that are digits with some signs between. All
 * are ASCII but the 年月日 of dates; any other character makes the value unrecognised. */
#include "mask/mask_rules.h"
#include "mask/mask_utf8.h"

/* phone ---------------------------------------------------------------------------------------- */
#define PHONE_DIGITS_MAX 24

struct phone {
    char digits[PHONE_DIGITS_MAX];
    size_t n;
    bool plus;        /* began with '+' */
    size_t extension; /* digits before the extension's sign; n when there is none */
};

/* Digits with ' ', '-', '(' and ')' between; 'x' or '#' begins an extension. */
static bool read_phone(struct slice text, struct phone *phone)
{
    phone->n = 0;
    phone->plus = text.p[0] == '+';
    phone->extension = SIZE_MAX;
    for (size_t i = phone->plus ? 1 : 0; i < text.n; i++) {
        char c = text.p[i];
        if (mask_is_digit(c)) {
            if (phone->n == PHONE_DIGITS_MAX) {
                return false;
            }
            phone->digits[phone->n++] = c;
        } else if ((c == 'x' || c == '#') && phone->extension == SIZE_MAX) {
            phone->extension = phone->n;
        } else if (c != ' ' && c != '-' && c != '(' && c != ')') {
            return false;
        }
    }
    if (phone->extension == SIZE_MAX) {
        phone->extension = phone->n;
    }
    return phone->n > 0;
}

/* Digits of a Chinese area code at d, 0 when there is none: 010 and 02x have three, others four;
 * after +86 the leading 0 is left out. */
static size_t area_code(const char *d, size_t n, bool after_country)
{
    size_t zero = after_country ? 0 : 1;
    if (n < 3 || (zero == 1 && d[0] != '0')) {
        return 0;
    }
    if (d[zero] == '1') {
        return d[zero + 1] == '0' ? zero + 2 : 0;
    }
    if (d[zero] == '0') {
        return 0;
    }
    return d[zero] == '2' ? zero + 2 : zero + 3;
}

/* Which digits to cover: [*from, *to), and every one past the extension's sign. False: not a
 * telephone number of a known shape. */
static bool recognise_phone(const struct phone *phone, size_t *from, size_t *to)
{
    const char *d = phone->digits;
    size_t n = phone->extension, skip = 0;
    if (phone->plus || (n >= 2 && d[0] == '0' && d[1] == '0')) {
        skip = phone->plus ? 0 : 2;
        if (n < skip + 2 || d[skip] != '8' || d[skip + 1] != '6') {
            *from = skip; /* another country: where its code ends is not known here */
            *to = n - 4;
            return n >= skip + 7 && n <= skip + 15;
        }
        skip += 2;
    } else if (n == 13 && memcmp(d, "861", 3) == 0) {
        skip = 2;
    }
    if (n - skip == 11 && d[skip] == '1' && d[skip + 1] >= '3') {
        *from = skip + 3;
        *to = skip + 7;
        return true;
    }
    size_t area = area_code(d + skip, n - skip, skip > 0);
    size_t local = n - skip - area;
    if ((skip > 0 && area == 0) || local < 7 || local > 8 || d[skip + area] < '2') {
        return false;
    }
    *from = skip + area;
    *to = *from + 4;
    return true;
}

size_t mask_rule_phone(const struct mask_input *in, char *out)
{
    struct phone phone;
    size_t from, to, digit = 0;
    if (!read_phone(in->text, &phone) || !recognise_phone(&phone, &from, &to)) {
        return MASK_UNRECOGNISED;
    }
    for (size_t i = 0; i < in->text.n; i++) {
        char c = in->text.p[i];
        if (mask_is_digit(c)) {
            bool hide = (digit >= from && digit < to) || digit >= phone.extension;
            c = hide ? '*' : c;
            digit++;
        }
        out[i] = c;
    }
    return in->text.n;
}

/* identifiers ---------------------------------------------------------------------------------- */
/* Keeps the first and last characters that are not separators, one star for each other one. */
static size_t keep_ends(struct slice text, size_t solid, size_t first, size_t last, char *out)
{
    size_t index = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c != ' ' && c != '-') {
            c = index >= first && index < solid - last ? '*' : c;
            index++;
        }
        out[i] = c;
    }
    return text.n;
}

static bool all_digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!mask_is_digit(p[i])) {
            return false;
        }
    }
    return true;
}

/* The shape is enough: a mistyped identifier still names someone, and hides as well. */
size_t mask_rule_id_card(const struct mask_input *in, char *out)
{
    struct slice text = in->text;
    if (text.n == 15 && all_digits(text.p, 15)) {
        return keep_ends(text, 15, 6, 2, out);
    }
    if (text.n != 18 || !all_digits(text.p, 17) ||
        (!mask_is_digit(text.p[17]) && text.p[17] != 'X' && text.p[17] != 'x')) {
        return MASK_UNRECOGNISED;
    }
    return keep_ends(text, 18, 6, 2, out);
}

size_t mask_rule_bank_card(const struct mask_input *in, char *out)
{
    size_t digits = 0;
    for (size_t i = 0; i < in->text.n; i++) {
        char c = in->text.p[i];
        if (!mask_is_digit(c) && c != ' ' && c != '-') {
            return MASK_UNRECOGNISED;
        }
        digits += mask_is_digit(c);
    }
    if (digits < 13 || digits > 19) {
        return MASK_UNRECOGNISED;
    }
    return keep_ends(in->text, digits, 6, 4, out);
}

size_t mask_rule_uscc(const struct mask_input *in, char *out)
{
    for (size_t i = 0; i < in->text.n; i++) {
        if (!mask_is_digit(in->text.p[i]) && !mask_is_alpha(in->text.p[i])) {
            return MASK_UNRECOGNISED;
        }
    }
    return in->text.n == 18 ? keep_ends(in->text, 18, 8, 2, out) : MASK_UNRECOGNISED;
}

/* year ----------------------------------------------------------------------------------------- */
static bool in_range(const char *two_digits, char max_tens, char max_units)
{
    char tens = two_digits[0], units = two_digits[1];
    return (tens != '0' || units != '0') &&
           (tens < max_tens || (tens == max_tens && units <= max_units));
}

/* "1987", "198705", "19870501", "198705011230", "19870501123000", as told by its digits. */
static bool is_compact_date(const char *d, size_t n)
{
    if (n != 4 && n != 6 && n != 8 && n != 12 && n != 14) {
        return false;
    }
    return (d[0] == '1' || d[0] == '2') && all_digits(d, n) &&
           (n < 6 || in_range(d + 4, '1', '2')) && (n < 8 || in_range(d + 6, '3', '1'));
}

static bool parts_date(uint32_t c)
{
    static const uint32_t parts[] = {'-', '/', '.',    ':',    ' ',    'T',    'Z',    '+',   't',
                                     'z', ',', 0x5e74, 0x6708, 0x65e5, 0x65f6, 0x5206, 0x79d2};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (c == parts[i]) {
            return true;
        }
    }
    return false;
}

/* What follows the year: separators stay, each run of digits becomes "**", so that 1月 and 12月
 * look alike. A run longer than nanoseconds, or a first run of more than two digits, is no date. */
static size_t cover_date(struct slice rest, char *out)
{
    size_t n = 0, width, run = 0, runs = 0;
    for (size_t at = 0; at < rest.n; at += width) {
        uint32_t c = utf8_read(rest, at, &width);
        if (c < 0x80 && mask_is_digit((char)c)) {
            runs += run == 0;
            if (++run > (runs <= 2 ? 2u : 9u)) {
                return MASK_UNRECOGNISED;
            }
            if (run == 1) {
                out[n++] = '*';
                out[n++] = '*';
            }
            continue;
        }
        if (!parts_date(c)) {
            return MASK_UNRECOGNISED;
        }
        run = 0;
        memcpy(out + n, rest.p + at, width);
        n += width;
    }
    return runs <= 9 ? n : MASK_UNRECOGNISED;
}

size_t mask_rule_year(const struct mask_input *in, char *out)
{
    struct slice text = in->text;
    size_t run = 0;
    while (run < text.n && mask_is_digit(text.p[run])) {
        run++;
    }
    if (!is_compact_date(text.p, run) || (run != 4 && run != text.n && run != 8)) {
        return MASK_UNRECOGNISED;
    }
    memcpy(out, text.p, 4);
    memset(out + 4, '*', run - 4);
    size_t n = cover_date(slice_of(text.p + run, text.n - run), out + run);
    return n == MASK_UNRECOGNISED ? n : run + n;
}
