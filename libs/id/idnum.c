/* SPDX-License-Identifier: Apache-2.0 */
#include "id/idnum.h"

#define ID_CARD_OLD_LEN 15
#define BANK_CARD_MIN   13
#define BANK_CARD_MAX   19

/* GB 32100-2015: I, O, S, V and Z are left out. A character's value is its place. */
static const char uscc_alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
#define USCC_MODULUS 31

/* 3^i mod 31 */
static const uint8_t uscc_weights[] = {1,  3,  9,  27, 19, 26, 16, 17, 20,
                                       29, 25, 13, 8,  24, 10, 30, 28};

/* GB 11643-1999: 2^(17-i) mod 11 */
static const uint8_t id_card_weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};

/* GB/T 2260 provinces, 71 81 82 Taiwan, Hong Kong, Macao, 83 residence permits, 91 abroad. */
static const char provinces[] = "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 "
                                "50 51 52 53 54 61 62 63 64 65 71 81 82 83 91 ";

static bool all_digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
    }
    return true;
}

static unsigned number(const char *digits, size_t n)
{
    unsigned value = 0;
    for (size_t i = 0; i < n; i++) {
        value = value * 10 + (unsigned)(digits[i] - '0');
    }
    return value;
}

char idnum_uscc_check(const char first[static 17])
{
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof uscc_weights; i++) {
        const char *at = first[i] == '\0' ? NULL : strchr(uscc_alphabet, first[i]);
        if (at == NULL) {
            return '\0';
        }
        sum += (unsigned)(at - uscc_alphabet) * uscc_weights[i];
    }
    return uscc_alphabet[(USCC_MODULUS - sum % USCC_MODULUS) % USCC_MODULUS];
}

bool idnum_is_uscc(struct slice text)
{
    if (text.n != IDNUM_USCC_LEN || !all_digits(text.p + 2, 6)) { /* 3-8: the division's code */
        return false;
    }
    char check = idnum_uscc_check(text.p);
    return check != '\0' && check == text.p[17];
}

char idnum_id_card_check(const char first[static 17])
{
    if (!all_digits(first, sizeof id_card_weights)) {
        return '\0';
    }
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof id_card_weights; i++) {
        sum += (unsigned)(first[i] - '0') * id_card_weights[i];
    }
    return "10X98765432"[sum % 11];
}

static bool is_province(const char code[static 2])
{
    for (const char *p = provinces; *p != '\0'; p += 3) {
        if (p[0] == code[0] && p[1] == code[1]) {
            return true;
        }
    }
    return false;
}

static bool is_date(unsigned year, unsigned month, unsigned day)
{
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1800 || year > 2199 || month < 1 || month > 12 || day < 1 || day > days[month - 1]) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return leap || month != 2 || day < 29;
}

static bool is_old_id_card(const char *p)
{
    return all_digits(p, ID_CARD_OLD_LEN) && is_province(p) &&
           is_date(1900 + number(p + 6, 2), number(p + 8, 2), number(p + 10, 2));
}

bool idnum_is_id_card(struct slice text)
{
    if (text.n == ID_CARD_OLD_LEN) {
        return is_old_id_card(text.p);
    }
    if (text.n != IDNUM_ID_CARD_LEN) {
        return false;
    }
    char last = text.p[17] == 'x' ? 'X' : text.p[17]; /* people type both */
    return idnum_id_card_check(text.p) == last && last != '\0' && is_province(text.p) &&
           is_date(number(text.p + 6, 4), number(text.p + 10, 2), number(text.p + 12, 2));
}

char idnum_luhn_check(struct slice digits)
{
    if (digits.n == 0 || !all_digits(digits.p, digits.n)) {
        return '\0';
    }
    unsigned sum = 0;
    for (size_t i = 0; i < digits.n; i++) {
        unsigned value = (unsigned)(digits.p[digits.n - 1 - i] - '0');
        if (i % 2 == 0) { /* the check digit will stand to the right of it */
            value = value * 2 > 9 ? value * 2 - 9 : value * 2;
        }
        sum += value;
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

bool idnum_is_bank_card(struct slice text)
{
    if (text.n < BANK_CARD_MIN || text.n > BANK_CARD_MAX || text.p[0] == '0') {
        return false; /* ISO/IEC 7812 gives no bank a leading 0 */
    }
    char check = idnum_luhn_check(slice_of(text.p, text.n - 1));
    return check != '\0' && check == text.p[text.n - 1];
}
