/* SPDX-License-Identifier: Apache-2.0 */
/* Hex, base64 (RFC 4648 section 4, padded) and base64url (section 5, no padding). Decoders are
 * strict: one wrong byte is a refusal, and then *n and out are unspecified. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODEC_HEX_LEN(n)       ((n)*2)
#define CODEC_BASE64_LEN(n)    ((((n) + 2) / 3) * 4)
#define CODEC_BASE64URL_LEN(n) (((n)*8 + 5) / 6)

/* Each writes exactly the _LEN() above, no NUL, and returns it. */
size_t codec_hex(char *out, const void *in, size_t n);
size_t codec_base64(char *out, const void *in, size_t n);
size_t codec_base64url(char *out, const void *in, size_t n);

/* cap: room in out; *n: bytes written. */
bool codec_unhex(void *out, size_t cap, size_t *n, const char *in, size_t len)
    __attribute__((warn_unused_result));
bool codec_unbase64(void *out, size_t cap, size_t *n, const char *in, size_t len)
    __attribute__((warn_unused_result));
bool codec_unbase64url(void *out, size_t cap, size_t *n, const char *in, size_t len)
    __attribute__((warn_unused_result));
