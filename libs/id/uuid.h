/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDv7 (RFC 9562): the id of every resource and the transaction number of every call. Bytes
 * sort by time. uuid_new is safe from any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UUID_LEN      16
#define UUID_TEXT_LEN 36 /* lower case, with hyphens, without the NUL */

struct uuid {
    uint8_t b[UUID_LEN];
};

/* 60 bits of time (milliseconds and their fraction), 62 bits cryptographically random; ids of one
 * thread sort in the order they were made. Never fails (aborts without entropy). About 60 ns. */
void uuid_new(struct uuid *u);
void uuid_new_text(char out[static UUID_TEXT_LEN + 1]); /* the same, as text */
void uuid_format(const struct uuid *u, char out[UUID_TEXT_LEN + 1]);
/* Any version; hyphenated only. On failure *u is unchanged. */
bool uuid_parse(struct uuid *u, const char *text, size_t n) __attribute__((warn_unused_result));

static inline bool uuid_eq(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, UUID_LEN) == 0;
}

static inline bool uuid_is_nil(const struct uuid *u)
{
    static const struct uuid nil;
    return uuid_eq(u, &nil);
}
