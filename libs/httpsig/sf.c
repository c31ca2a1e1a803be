/* SPDX-License-Identifier: Apache-2.0 */
#include "httpsig/sf.h"

enum { LOWER = 1, DIGIT = 2, TOKEN = 4, BASE64 = 8, KEY = 16 };

/* The sets of RFC 8941 section 3 for the bytes 0x20 to 0x7f; all others are in none. */
/* clang-format off */
static const uint8_t classes_of[96] = {
     0,  4,  0,  4,  4,  4,  4,  4,  0,  0, 20, 12,  0, 20, 20, 12, /* 0x20 */
    30, 30, 30, 30, 30, 30, 30, 30, 30, 30,  4,  0,  0,  8,  0,  0, /* 0x30 */
     0, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, /* 0x40 */
    12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,  0,  0,  0,  4, 20, /* 0x50 */
     4, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, /* 0x60 */
    29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29,  0,  4,  0,  4,  0, /* 0x70 */
};
/* clang-format on */

static uint8_t class_of(char c)
{
    unsigned at = (unsigned char)c - 0x20u;
    return at < sizeof classes_of ? classes_of[at] : 0;
}

static struct slice take_all(struct sf *c, uint8_t classes)
{
    const char *from = c->at;
    while (c->at < c->end && (class_of(*c->at) & classes)) {
        c->at++;
    }
    return slice_of(from, (size_t)(c->at - from));
}

void sf_skip_spaces(struct sf *c)
{
    while (sf_take(c, ' ')) {
    }
}

bool sf_key(struct sf *c, struct slice *key)
{
    if (c->at == c->end || !((class_of(*c->at) & LOWER) || *c->at == '*')) {
        return false;
    }
    *key = take_all(c, KEY);
    return true;
}

bool sf_string(struct sf *c, struct sf_item *item)
{
    if (!sf_take(c, '"')) {
        return false;
    }
    *item = (struct sf_item){.kind = SF_STRING};
    const char *from = c->at;
    while (c->at < c->end && *c->at != '"') {
        if (*c->at == '\\') {
            item->escaped = true;
            c->at++;
            if (!sf_is(c, '"') && !sf_is(c, '\\')) {
                return false;
            }
        } else if (*c->at < 0x20 || *c->at > 0x7e) {
            return false;
        }
        c->at++;
    }
    item->text = slice_of(from, (size_t)(c->at - from));
    return sf_take(c, '"');
}

bool sf_bytes(struct sf *c, struct sf_item *item)
{
    if (!sf_take(c, ':')) {
        return false;
    }
    *item = (struct sf_item){.kind = SF_BYTES, .text = take_all(c, BASE64)};
    return sf_take(c, ':');
}

static bool take_number(struct sf *c, struct sf_item *item)
{
    *item = (struct sf_item){.kind = sf_take(c, '-') ? SF_OTHER : SF_INTEGER};
    struct slice digits = take_all(c, DIGIT);
    if (digits.n == 0 || digits.n > SF_DIGITS_MAX) {
        return false;
    }
    for (size_t i = 0; i < digits.n; i++) {
        item->number = item->number * 10 + (uint64_t)(digits.p[i] - '0');
    }
    if (!sf_take(c, '.')) {
        return true;
    }
    item->kind = SF_OTHER; /* a decimal */
    size_t places = take_all(c, DIGIT).n;
    return digits.n <= 12 && places >= 1 && places <= 3;
}

bool sf_item(struct sf *c, struct sf_item *item)
{
    if (c->at == c->end) {
        return false;
    }
    char first = *c->at;
    if (first == '"') {
        return sf_string(c, item);
    }
    if (first == ':') {
        return sf_bytes(c, item);
    }
    if (first == '-' || (class_of(first) & DIGIT)) {
        return take_number(c, item);
    }
    *item = (struct sf_item){.kind = SF_OTHER};
    if (sf_take(c, '?')) {
        return sf_take(c, '0') || sf_take(c, '1');
    }
    if (!(class_of((char)(first | 0x20)) & LOWER) && first != '*') {
        return false;
    }
    take_all(c, TOKEN);
    return true;
}

static void skip_ows(struct sf *c)
{
    while (sf_take(c, ' ') || sf_take(c, '\t')) {
    }
}

bool sf_next_member(struct sf *c, bool *more)
{
    skip_ows(c);
    *more = sf_take(c, ',');
    if (!*more) {
        return sf_done(c);
    }
    skip_ows(c);
    return !sf_done(c); /* no comma at the end */
}
