/* SPDX-License-Identifier: Apache-2.0 */
#include "data/query/cell.h"

#include <jansson.h>

#include "base/utf8.h"

static void add_fixed(struct buf *out, struct slice value)
{
    for (size_t i = 0; i < value.n;) {
        size_t n = utf8_char(slice_of(value.p + i, value.n - i));
        if (n)
            buf_add(out, value.p + i, n);
        else
            buf_adds(out, "\xef\xbf\xbd");
        i += n ? n : 1;
    }
}

static void write_string(struct buf *out, struct slice value)
{
    if (utf8_valid(value)) {
        buf_add_json(out, value);
        return;
    }
    struct buf fixed;
    buf_init(&fixed);
    add_fixed(&fixed, value);
    if (fixed.failed)
        out->failed = true;
    else
        buf_add_json(out, buf_slice(&fixed));
    buf_fini(&fixed);
}

static size_t digits(struct slice s, size_t i)
{
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i;
}

/* Writes a number with the digits it has. Sources leave out a zero that RFC 8259 wants (.5,
 * -.5, 5.). */
static bool write_number(struct buf *out, struct slice v)
{
    size_t sign = v.n && v.p[0] == '-' ? 1 : 0;
    size_t whole = digits(v, sign), end = whole, start = sign;
    if (end < v.n && v.p[end] == '.')
        end = digits(v, end + 1);
    size_t mantissa = end;
    if (mantissa == sign || (mantissa == sign + 1 && whole == sign))
        return false;
    if (end < v.n && (v.p[end] == 'e' || v.p[end] == 'E')) {
        size_t at = end + 1 + (end + 1 < v.n && (v.p[end + 1] == '-' || v.p[end + 1] == '+'));
        end = digits(v, at);
        if (end == at)
            return false;
    }
    if (end != v.n)
        return false;
    while (start + 1 < whole && v.p[start] == '0')
        start++;
    if (sign)
        buf_addc(out, '-');
    if (whole == sign)
        buf_addc(out, '0');
    buf_add(out, v.p + start, mantissa - start);
    if (v.p[mantissa - 1] == '.')
        buf_addc(out, '0');
    buf_add(out, v.p + mantissa, v.n - mantissa);
    return true;
}

static bool write_boolean(struct buf *out, struct slice v)
{
    static const struct {
        struct slice text;
        bool value;
    } words[] = {{{"1", 1}, true},  {{"0", 1}, false},   {{"t", 1}, true},
                 {{"f", 1}, false}, {{"true", 4}, true}, {{"false", 5}, false},
                 {{"\1", 1}, true}, {{"\0", 1}, false},  {{"-1", 2}, true}}; /* BIT: a byte */
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (slice_eq(v, words[i].text)) {
            buf_adds(out, words[i].value ? "true" : "false");
            return true;
        }
    }
    return false;
}

static bool write_json(struct buf *out, struct slice v)
{
    json_t *parsed = json_loadb(v.p, v.n, JSON_DECODE_ANY, NULL);
    if (!parsed)
        return false;
    json_decref(parsed);
    buf_add(out, v.p, v.n);
    return true;
}

static void add_hex(struct buf *out, struct slice v)
{
    static const char hex[] = "0123456789abcdef";
    if (!buf_reserve(out, v.n * 2 + 1))
        return;
    for (size_t i = 0; i < v.n; i++) {
        out->p[out->n++] = hex[(unsigned char)v.p[i] >> 4];
        out->p[out->n++] = hex[v.p[i] & 15];
    }
}

static void write_binary(struct buf *out, struct slice v)
{
    buf_adds(out, "\"\\\\x");
    add_hex(out, v);
    buf_addc(out, '"');
}

/* 0123-56-89 and then, perhaps, a time after ' ' or 'T'. */
static bool is_date(struct slice v)
{
    return v.n >= 10 && digits(v, 0) == 4 && v.p[4] == '-' && digits(v, 5) == 7 && v.p[7] == '-' &&
           digits(v, 8) >= 10;
}

#define ISO_MAX 64

/* The same with the T of ISO 8601 where a source puts a blank. */
static struct slice to_iso(struct slice v, char iso[static ISO_MAX])
{
    if (!is_date(v) || v.n >= ISO_MAX || (v.n > 10 && v.p[10] != ' '))
        return v;
    memcpy(iso, v.p, v.n);
    if (v.n > 10)
        iso[10] = 'T';
    return slice_of(iso, v.n);
}

static void write_datetime(struct buf *out, struct slice v)
{
    char iso[ISO_MAX];
    write_string(out, to_iso(v, iso));
}

bool cell_plain(struct buf *out, enum query_type type, struct slice value)
{
    char iso[ISO_MAX];
    if ((type == QUERY_INTEGER || type == QUERY_NUMBER) && write_number(out, value))
        return true;
    if ((type == QUERY_BOOLEAN && write_boolean(out, value)) ||
        (type == QUERY_JSON && write_json(out, value)))
        return true;
    if (type == QUERY_BINARY) {
        buf_adds(out, "\\x");
        add_hex(out, value);
        return false;
    }
    if (type == QUERY_DATETIME)
        value = to_iso(value, iso);
    if (utf8_valid(value))
        buf_add(out, value.p, value.n);
    else
        add_fixed(out, value);
    return false;
}

void cell_write(struct buf *out, enum query_type type, struct slice value)
{
    bool done = false;
    if (type == QUERY_INTEGER || type == QUERY_NUMBER)
        done = write_number(out, value);
    else if (type == QUERY_BOOLEAN)
        done = write_boolean(out, value);
    else if (type == QUERY_JSON)
        done = write_json(out, value);
    if (done)
        return;
    if (type == QUERY_BINARY)
        write_binary(out, value);
    else if (type == QUERY_DATETIME)
        write_datetime(out, value);
    else
        write_string(out, value);
}

void cell_write_text(struct buf *out, enum query_type type, enum cell_style style,
                     struct slice value)
{
    bool dated = type == QUERY_DATE || type == QUERY_DATETIME;
    if (style != CELL_SECONDS || !dated || !is_date(value) || value.n > 64) {
        write_string(out, value);
        return;
    }
    char text[20] = "0000-00-00 00:00:00";
    memcpy(text, value.p, 10);
    if (value.n >= 19)
        memcpy(text + 11, value.p + 11, 8);
    else if (value.n == 16)
        memcpy(text + 11, value.p + 11, 5);
    write_string(out, slice_of(text, 19));
}
