/* SPDX-License-Identifier: Apache-2.0 */
#include "api/keys.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/codec.h"

static enum problem given_away(struct rest_call *c, const char *where)
{
    return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                     "this is a private key, which nobody but its owner may have: it counts as "
                     "given away now, make a new pair and send the public part");
}

enum problem keys_refuse_private(struct rest_call *c, const char *where, const json_t *v)
{
    return strstr(json_string_value(v), "PRIVATE KEY") ? given_away(c, where) : PROBLEM_OK;
}

/* RFC 7518 6.2.2, 6.3.2, 6.4: the members that only a private or symmetric key has. */
static bool jwk_private(const json_t *jwk)
{
    static const char *const secret[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

    for (size_t i = 0; i < COUNT(secret); i++) {
        if (json_object_get(jwk, secret[i])) {
            return true;
        }
    }
    return false;
}

enum problem keys_check_public(struct rest_call *c, const char *where, const json_t *v)
{
    struct crypto_key *key = NULL;

    if (json_is_object(v) ? jwk_private(v)
                          : json_is_string(v) && strstr(json_string_value(v), "PRIVATE KEY")) {
        return given_away(c, where);
    }
    keys_load_public(v, &key);
    bool ok = key != NULL;
    crypto_key_free(&key);
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "a public key is needed, as one PEM block or a JWK object: SM2, P-256, "
                          "or RSA of 2048 to 8192 bits");
}

void keys_load_public(const json_t *v, struct crypto_key **key)
{
    char *jwk = json_is_object(v) ? json_dumps(v, JSON_COMPACT) : NULL;
    enum crypto_err err = CRYPTO_EFORMAT;

    *key = NULL;
    if (jwk) {
        err = crypto_key_load_jwk(key, CRYPTO_KEY_PUBLIC, slice_str(jwk));
    } else if (json_is_string(v) && json_string_length(v) <= CRYPTO_KEY_TEXT_MAX) {
        err = crypto_key_load_pem(key, CRYPTO_KEY_PUBLIC,
                                  slice_of(json_string_value(v), json_string_length(v)));
    }
    free(jwk);
    if (err != CRYPTO_OK) {
        *key = NULL;
    }
}

void keys_describe_certificate(const struct crypto_certificate *crt, json_t *row)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];

    crypto_certificate_fingerprint(crt, CRYPTO_SM3, digest);
    json_object_set_new(row, "certificate_sm3",
                        json_stringn(hex, codec_hex(hex, digest, sizeof digest)));
    json_object_set_new(row, "certificate_subject", json_string(crypto_certificate_subject(crt)));
}

json_t *keys_base64(const uint8_t *bytes, size_t n)
{
    char *text = malloc(CODEC_BASE64_LEN(n) + 1);
    json_t *out = text ? json_stringn(text, codec_base64(text, bytes, n)) : NULL;

    free(text);
    return out;
}

json_t *keys_base64url(struct slice bytes)
{
    char *text = malloc(CODEC_BASE64URL_LEN(bytes.n) + 1);
    json_t *out = text ? json_stringn(text, codec_base64url(text, bytes.p, bytes.n)) : NULL;

    free(text);
    return out;
}

/* Between the marks of one PEM block, or the text itself. */
static bool base64_of(const char *text, struct slice *inner)
{
    const char *begin = strstr(text, "-----BEGIN "), *end = NULL;

    if (!begin) {
        *inner = slice_str(text);
        return true;
    }
    begin = strstr(begin + 5, "-----");
    end = begin ? strstr(begin + 5, "-----END ") : NULL;
    if (!end || strstr(end, "-----BEGIN ")) {
        return false;
    }
    *inner = slice_of(begin + 5, (size_t)(end - begin) - 5);
    return true;
}

bool keys_pem_or_base64(const char *text, uint8_t *der, size_t cap, size_t *n)
{
    struct slice inner;
    char *plain = malloc(strlen(text) + 1);
    size_t length = 0;
    bool ok = plain && base64_of(text, &inner);

    for (size_t i = 0; ok && i < inner.n; i++) {
        if (!isspace((unsigned char)inner.p[i])) {
            plain[length++] = inner.p[i];
        }
    }
    ok = ok && codec_unbase64(der, cap, n, plain, length) && *n > 0;
    free(plain);
    return ok;
}
