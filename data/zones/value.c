/* SPDX-License-Identifier: Apache-2.0 */
/* One plain form for each value, so that what left a source and what a store holds have the same
 * digest although each writes a number its own way. What SQLite would not give back as it was is
 * refused. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/zones/inner.h"

static bool plain_integer(struct slice text, struct zone_plain *out)
{
    char digits[24], *end;
    if (text.n == 0 || text.n >= sizeof digits)
        return false;
    memcpy(digits, text.p, text.n);
    digits[text.n] = '\0';
    if (digits[0] == ' ' || digits[0] == '+')
        return false;
    errno = 0;
    out->integer = strtoll(digits, &end, 10);
    out->kind = ZONE_PLAIN_INT;
    return errno == 0 && *end == '\0';
}

static size_t significant(const char *text)
{
    size_t n = 0, zeros = 0;
    for (; *text && *text != 'e' && *text != 'E'; text++) {
        if (*text < '0' || *text > '9')
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        if (n || *text != '0')
            n++;
    }
    return n > zeros ? n - zeros : 0;
}

static bool plain_number(struct slice text, struct zone_plain *out)
{
    static const char allowed[] = "0123456789+-.eE";
    char digits[64], *end;
    if (text.n == 0 || text.n >= sizeof digits)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (!memchr(allowed, text.p[i], sizeof allowed - 1))
            return false;
    memcpy(digits, text.p, text.n);
    digits[text.n] = '\0';
    out->real = strtod(digits, &end);
    out->kind = ZONE_PLAIN_REAL;
    return *end == '\0' && isfinite(out->real) && significant(digits) <= ZONE_DIGITS_MAX;
}

static bool plain_boolean(struct slice text, struct zone_plain *out)
{
    out->kind = ZONE_PLAIN_INT;
    out->integer = slice_eq(text, SLICE("1")) || slice_eq(text, SLICE("true"));
    return out->integer || slice_eq(text, SLICE("0")) || slice_eq(text, SLICE("false"));
}

/* The year first: a text that SQLite could take for a number would not stay as it is. */
static bool plain_date(struct slice text, struct zone_plain *out)
{
    for (size_t i = 0; i < 4; i++)
        if (text.n < 8 || text.p[i] < '0' || text.p[i] > '9')
            return false;
    out->kind = ZONE_PLAIN_TEXT;
    out->text = text;
    return text.p[4] == '-' && !memchr(text.p, '\0', text.n);
}

bool zone_plain(enum query_type type, const struct zone_value *value, struct zone_plain *out)
{
    *out = (struct zone_plain){.kind = ZONE_PLAIN_NULL};
    if (value->null)
        return true;
    if (value->text.n > ZONE_CELL_MAX)
        return false;
    switch (type) {
    case QUERY_INTEGER:
        return plain_integer(value->text, out);
    case QUERY_NUMBER:
        return plain_number(value->text, out);
    case QUERY_BOOLEAN:
        return plain_boolean(value->text, out);
    case QUERY_DATE:
    case QUERY_DATETIME:
        return plain_date(value->text, out);
    case QUERY_BINARY:
        out->kind = ZONE_PLAIN_BYTES;
        out->text = value->text;
        return true;
    default:
        out->kind = ZONE_PLAIN_TEXT;
        out->text = value->text;
        return value->text.n == 0 || !memchr(value->text.p, '\0', value->text.n);
    }
}

void zone_sum_init(struct zone_summer *s)
{
    crypto_hasher_init(&s->hasher, CRYPTO_SM3);
    s->rows = 0;
}

static void add(struct zone_summer *s, char kind, struct slice bytes)
{
    uint8_t head[9] = {(uint8_t)kind};
    for (size_t i = 0; i < 8; i++)
        head[8 - i] = (uint8_t)((uint64_t)bytes.n >> (8 * i));
    crypto_hasher_add(&s->hasher, head, sizeof head);
    if (bytes.n)
        crypto_hasher_add(&s->hasher, bytes.p, bytes.n);
}

enum zone_err zone_sum_value(struct zone_summer *s, enum query_type type,
                             const struct zone_value *value)
{
    struct zone_plain plain;
    if (!zone_plain(type, value, &plain))
        return ZONE_EVALUE;
    switch (plain.kind) {
    case ZONE_PLAIN_NULL:
        add(s, 'n', SLICE(""));
        break;
    case ZONE_PLAIN_INT:
        snprintf(plain.digits, sizeof plain.digits, "%lld", (long long)plain.integer);
        add(s, 'v', slice_str(plain.digits));
        break;
    case ZONE_PLAIN_REAL:
        snprintf(plain.digits, sizeof plain.digits, "%.15g", plain.real == 0 ? 0.0 : plain.real);
        add(s, 'v', slice_str(plain.digits));
        break;
    case ZONE_PLAIN_TEXT:
    case ZONE_PLAIN_BYTES:
        add(s, 'v', plain.text);
        break;
    }
    return ZONE_OK;
}

void zone_sum_row(struct zone_summer *s)
{
    add(s, 'r', SLICE(""));
    s->rows++;
}

void zone_sum_end(struct zone_summer *s, struct zone_sum *sum)
{
    sum->rows = s->rows;
    crypto_hasher_end(&s->hasher, sum->sm3);
    crypto_hasher_fini(&s->hasher);
}
