/* SPDX-License-Identifier: Apache-2.0 */
/* Reading JSON as it comes, RFC 8259 strictly, with the text of numbers kept: a tree made by a
 * library has numbers as doubles, and makes two passes of one. The bytes are known to be UTF-8. */
#include "convert/convert_inner.h"

void convert_json_space(struct convert_json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t')) {
        j->p++;
    }
}

bool convert_json_char(struct convert_json *j, char c)
{
    convert_json_space(j);
    if (j->p < j->end && *j->p == c) {
        j->p++;
        return true;
    }
    return false;
}

bool convert_json_word(struct convert_json *j, struct slice word)
{
    if ((size_t)(j->end - j->p) < word.n || memcmp(j->p, word.p, word.n) != 0) {
        return false;
    }
    j->p += word.n;
    return true;
}

static bool hex4(struct convert_json *j, uint32_t *value)
{
    *value = 0;
    if (j->end - j->p < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char c = *j->p++;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return false;
        }
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

static size_t utf8_put(char out[static 4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

enum convert_err convert_json_escape(struct convert_json *j, char utf8[static 4], size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t c, low;
    if (j->end - j->p < 2) {
        return CONVERT_ESYNTAX;
    }
    char letter = j->p[1];
    j->p += 2;
    if (letter != 'u') {
        const char *at = letter != '\0' ? strchr(from, letter) : NULL;
        if (at == NULL) {
            return CONVERT_ESYNTAX;
        }
        utf8[0] = to[at - from];
        *n = 1;
        return CONVERT_OK;
    }
    if (!hex4(j, &c)) {
        return CONVERT_ESYNTAX;
    }
    if (c >= 0xd800 && c <= 0xdfff) { /* half of a pair alone is no character */
        if (c > 0xdbff || !convert_json_word(j, SLICE("\\u")) || !hex4(j, &low) || low < 0xdc00 ||
            low > 0xdfff) {
            return CONVERT_ESYNTAX;
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    *n = utf8_put(utf8, c);
    return CONVERT_OK;
}

enum convert_err convert_json_string(struct convert_json *j, struct buf *scratch,
                                     struct slice *text)
{
    const char *from = j->p;
    bool escaped = false;
    buf_clear(scratch);
    while (j->p < j->end && *j->p != '"') {
        if ((uint8_t)*j->p < 0x20) {
            return CONVERT_ESYNTAX;
        }
        if (*j->p != '\\') {
            j->p++;
            continue;
        }
        char utf8[4];
        size_t n;
        buf_add(scratch, from, (size_t)(j->p - from));
        enum convert_err err = convert_json_escape(j, utf8, &n);
        if (err != CONVERT_OK) {
            return err;
        }
        buf_add(scratch, utf8, n);
        from = j->p;
        escaped = true;
    }
    if (j->p == j->end) {
        return CONVERT_ESYNTAX;
    }
    size_t n = (size_t)(j->p++ - from);
    if (!escaped) {
        *text = slice_of(from, n);
        return CONVERT_OK;
    }
    buf_add(scratch, from, n);
    *text = buf_slice(scratch);
    return scratch->failed ? CONVERT_EMEMORY : CONVERT_OK;
}

static size_t digits(struct convert_json *j)
{
    const char *from = j->p;
    while (j->p < j->end && *j->p >= '0' && *j->p <= '9') {
        j->p++;
    }
    return (size_t)(j->p - from);
}

enum convert_err convert_json_number(struct convert_json *j, struct slice *text,
                                     enum convert_kind *kind)
{
    const char *from = j->p;
    (void)convert_json_word(j, SLICE("-"));
    bool zero = j->p < j->end && *j->p == '0';
    size_t n = digits(j);
    if (n == 0 || (zero && n > 1)) {
        return CONVERT_ESYNTAX;
    }
    *kind = CONVERT_INTEGER;
    if (convert_json_word(j, SLICE("."))) {
        *kind = CONVERT_DECIMAL;
        if (digits(j) == 0) {
            return CONVERT_ESYNTAX;
        }
    }
    if (convert_json_word(j, SLICE("e")) || convert_json_word(j, SLICE("E"))) {
        *kind = CONVERT_NUMBER;
        j->p += j->p < j->end && (*j->p == '+' || *j->p == '-');
        if (digits(j) == 0) {
            return CONVERT_ESYNTAX;
        }
    }
    *text = slice_of(from, (size_t)(j->p - from));
    return CONVERT_OK;
}

static enum convert_err skip_string(struct convert_json *j)
{
    char utf8[4];
    size_t n;
    while (j->p < j->end && *j->p != '"') {
        if ((uint8_t)*j->p < 0x20) {
            return CONVERT_ESYNTAX;
        }
        if (*j->p != '\\') {
            j->p++;
        } else if (convert_json_escape(j, utf8, &n) != CONVERT_OK) {
            return CONVERT_ESYNTAX;
        }
    }
    return convert_json_word(j, SLICE("\"")) ? CONVERT_OK : CONVERT_ESYNTAX;
}

static enum convert_err skip_members(struct convert_json *j, unsigned depth, char close)
{
    if (convert_json_char(j, close)) {
        return CONVERT_OK;
    }
    do {
        if (close == '}' && (!convert_json_char(j, '"') || skip_string(j) != CONVERT_OK ||
                             !convert_json_char(j, ':'))) {
            return CONVERT_ESYNTAX;
        }
        enum convert_err err = convert_json_skip(j, depth);
        if (err != CONVERT_OK) {
            return err;
        }
    } while (convert_json_char(j, ','));
    return convert_json_char(j, close) ? CONVERT_OK : CONVERT_ESYNTAX;
}

enum convert_err convert_json_skip(struct convert_json *j, unsigned depth)
{
    struct slice text;
    enum convert_kind kind;
    if (depth >= CONVERT_DEPTH_MAX) {
        return CONVERT_EDEPTH;
    }
    if (convert_json_char(j, '"')) {
        return skip_string(j);
    }
    if (convert_json_char(j, '{')) {
        return skip_members(j, depth + 1, '}');
    }
    if (convert_json_char(j, '[')) {
        return skip_members(j, depth + 1, ']');
    }
    if (convert_json_word(j, SLICE("true")) || convert_json_word(j, SLICE("false")) ||
        convert_json_word(j, SLICE("null"))) {
        return CONVERT_OK;
    }
    return convert_json_number(j, &text, &kind);
}
