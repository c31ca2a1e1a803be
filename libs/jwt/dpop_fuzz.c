/* SPDX-License-Identifier: Apache-2.0 */
/* DPoP proofs as clients send them: a text, or, when it begins with '{', header and claims of one,
 * parted by a line end, which are encoded and given a signature that may fit, so that the judges of
 * keys and claims are reached. */
#include "jwt/dpop.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct dpop_call call = {.method = {"GET", 3},
                                      .url = {"https://gateway.example/trade/orders/v1", 39},
                                      .access_token = {"slt1.something", 14},
                                      .now_s = 1800000000};

/* Claims behind a good signature, which no fuzzer can make. */
static void judge_unsigned(const char *p, size_t n)
{
    struct jwt j = {.claims = json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL)};
    struct dpop out;

    if (json_is_object(j.claims)) {
        (void)judge_claims(&out, &j, &call);
    }
    json_decref(j.claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data, *line = n ? memchr(p, '\n', n) : NULL;
    char text[JWT_TEXT_MAX];
    struct dpop out;

    if (n == 0 || p[0] != '{' || !line) {
        (void)!dpop_judge(&out, slice_of(p, n), &call);
        return 0;
    }
    size_t head_n = (size_t)(line - p), rest_n = n - head_n - 1, at;
    if (CODEC_BASE64URL_LEN(head_n) + CODEC_BASE64URL_LEN(rest_n) + 90 > sizeof text) {
        return 0;
    }
    at = codec_base64url(text, p, head_n);
    text[at++] = '.';
    at += codec_base64url(text + at, line + 1, rest_n);
    text[at++] = '.';
    memset(text + at, 'A', 86); /* 64 bytes */
    (void)!dpop_judge(&out, slice_of(text, at + 86), &call);
    judge_unsigned(line + 1, rest_n);
    return 0;
}
