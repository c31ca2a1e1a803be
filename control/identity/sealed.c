/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/inner.h"

#define DIGITS_MAX 15 /* of a wall time in ms */

static bool nonce_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool sealed_parse(struct sealed_text *s, struct slice plain)
{
    uint64_t at_ms = 0;
    size_t i = 0, from;

    while (i < plain.n && i < DIGITS_MAX && plain.p[i] >= '0' && plain.p[i] <= '9') {
        at_ms = at_ms * 10 + (uint64_t)(plain.p[i++] - '0');
    }
    if (i == 0 || i == plain.n || plain.p[i++] != '.') {
        return false;
    }
    from = i;
    while (i < plain.n && i - from <= SEALED_NONCE_MAX && nonce_char(plain.p[i])) {
        i++;
    }
    size_t nonce_n = i - from;
    if (nonce_n < SEALED_NONCE_MIN || nonce_n > SEALED_NONCE_MAX || i == plain.n ||
        plain.p[i++] != '.' || i == plain.n || memchr(plain.p + i, '\0', plain.n - i)) {
        return false;
    }
    *s = (struct sealed_text){.at_ms = at_ms,
                              .nonce = slice_of(plain.p + from, nonce_n),
                              .password = slice_of(plain.p + i, plain.n - i)};
    return true;
}
