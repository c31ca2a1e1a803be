/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/purpose.h"

#include <string.h>

#include "base/codec.h"
#include "base/utf8.h"
#include "crypto/crypto.h"

#define BYTES_MAX (3 * PURPOSE_MAX)

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trimmed(struct slice text)
{
    while (text.n > 0 && blank(text.p[0])) {
        text = slice_of(text.p + 1, text.n - 1);
    }
    while (text.n > 0 && blank(text.p[text.n - 1])) {
        text.n--;
    }
    return text;
}

bool purpose_id(struct slice text, struct uuid *id)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    text = trimmed(text);
    if (text.n == 0 || text.n > BYTES_MAX) {
        return false;
    }
    crypto_hash(CRYPTO_SM3, text.p, text.n, digest);
    memcpy(id->b, digest, UUID_LEN);
    return true;
}

bool purpose_of_header(struct slice value, struct uuid *id)
{
    char text[BYTES_MAX];
    size_t n = 0, one;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (n == sizeof text) {
            return false;
        }
        if (c == '%' && (value.n - i < 3 || !codec_unhex(&c, 1, &one, value.p + i + 1, 2))) {
            return false;
        }
        i += value.p[i] == '%' ? 2 : 0;
        text[n++] = c;
    }
    struct slice whole = slice_of(text, n);
    return memchr(text, '\n', n) == NULL && utf8_valid(whole) && purpose_id(whole, id);
}

bool purpose_next(struct slice *lines, struct slice *text)
{
    while (lines->n > 0) {
        const char *end = memchr(lines->p, '\n', lines->n);
        size_t n = end == NULL ? lines->n : (size_t)(end - lines->p);
        *text = trimmed(slice_of(lines->p, n));
        n += end != NULL;
        *lines = slice_of(lines->p + n, lines->n - n);
        if (text->n > 0) {
            return true;
        }
    }
    return false;
}

bool purpose_among(struct slice ids, const struct uuid *id)
{
    for (size_t at = 0; at + UUID_LEN <= ids.n; at += UUID_LEN) {
        if (memcmp(ids.p + at, id->b, UUID_LEN) == 0) {
            return true;
        }
    }
    return false;
}
