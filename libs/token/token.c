/* SPDX-License-Identifier: Apache-2.0 */
/* The plain text is packed with a fixed head and two counted lists, so that opening it is one pass
 * without a parser for a richer format. */
#include "token/token.h"

#include <string.h>

#include "base/codec.h"

#define PREFIX_LEN (sizeof TOKEN_PREFIX - 1)
#define VERSION    1
#define ID_LEN     16
#define KEY_ID_LEN 4
#define HEAD_LEN   (1 + 5 * ID_LEN + 3 * 8 + 2 + CRYPTO_HASH_LEN + 2)
#define PLAIN_MAX  (HEAD_LEN + (TOKEN_SCOPES_MAX + TOKEN_GRANTS_MAX) * ID_LEN)
#define SEALED_MAX (KEY_ID_LEN + PLAIN_MAX + CRYPTO_SEAL_EXTRA)
_Static_assert(PREFIX_LEN + CODEC_BASE64URL_LEN(SEALED_MAX) < TOKEN_TEXT_MAX, "a token fits");

const char *token_strerror(enum token_err err)
{
    static const char *const text[] = {
        [TOKEN_OK] = "no error",
        [TOKEN_EFORMAT] = "not an access token",
        [TOKEN_EKEY] = "sealed by a key that is not known",
        [TOKEN_ESEAL] = "the seal does not fit",
    };
    return (size_t)err < sizeof text / sizeof *text ? text[err] : "unknown token error";
}

static uint8_t *put_int(uint8_t *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    }
    return at + bytes;
}

static uint64_t get_int(const uint8_t **at, size_t bytes)
{
    uint64_t v = 0;

    for (size_t i = 0; i < bytes; i++) {
        v = v << 8 | *(*at)++;
    }
    return v;
}

static uint8_t *put_id(uint8_t *at, const struct uuid *id)
{
    memcpy(at, id, ID_LEN);
    return at + ID_LEN;
}

static void get_id(const uint8_t **at, struct uuid *id)
{
    memcpy(id, *at, ID_LEN);
    *at += ID_LEN;
}

static size_t pack(const struct token *t, uint8_t out[static PLAIN_MAX])
{
    uint8_t n_apis = t->n_apis < TOKEN_SCOPES_MAX ? t->n_apis : TOKEN_SCOPES_MAX;
    uint8_t n_grants = t->n_grants < TOKEN_GRANTS_MAX ? t->n_grants : TOKEN_GRANTS_MAX;
    uint8_t *at = out;

    *at++ = VERSION;
    at = put_id(at, &t->id);
    at = put_id(at, &t->app);
    at = put_id(at, &t->user);
    at = put_id(at, &t->session);
    at = put_id(at, &t->family);
    at = put_int(at, t->issued_ms, 8);
    at = put_int(at, t->expires_ms, 8);
    at = put_int(at, t->signed_in_ms, 8);
    *at++ = t->binding;
    *at++ = t->factors;
    memcpy(at, t->thumb, CRYPTO_HASH_LEN);
    at += CRYPTO_HASH_LEN;
    *at++ = n_apis;
    *at++ = n_grants;
    for (size_t i = 0; i < n_apis; i++) {
        at = put_id(at, &t->apis[i]);
    }
    for (size_t i = 0; i < n_grants; i++) {
        at = put_id(at, &t->grants[i]);
    }
    return (size_t)(at - out);
}

static bool unpack(struct token *t, const uint8_t *at, size_t n)
{
    if (n < HEAD_LEN || *at++ != VERSION) {
        return false;
    }
    get_id(&at, &t->id);
    get_id(&at, &t->app);
    get_id(&at, &t->user);
    get_id(&at, &t->session);
    get_id(&at, &t->family);
    t->issued_ms = get_int(&at, 8);
    t->expires_ms = get_int(&at, 8);
    t->signed_in_ms = get_int(&at, 8);
    t->binding = *at++;
    t->factors = *at++;
    memcpy(t->thumb, at, CRYPTO_HASH_LEN);
    at += CRYPTO_HASH_LEN;
    t->n_apis = *at++;
    t->n_grants = *at++;
    if (t->binding > TOKEN_DPOP || t->n_apis > TOKEN_SCOPES_MAX || t->n_grants > TOKEN_GRANTS_MAX ||
        n != HEAD_LEN + ((size_t)t->n_apis + t->n_grants) * ID_LEN) {
        return false;
    }
    for (size_t i = 0; i < t->n_apis; i++) {
        get_id(&at, &t->apis[i]);
    }
    for (size_t i = 0; i < t->n_grants; i++) {
        get_id(&at, &t->grants[i]);
    }
    return true;
}

size_t token_seal(const struct token *t, const struct token_key *key,
                  char out[static TOKEN_TEXT_MAX])
{
    uint8_t plain[PLAIN_MAX], sealed[SEALED_MAX];
    size_t n = pack(t, plain);

    put_int(sealed, key->id, KEY_ID_LEN);
    crypto_seal(key->key, slice_of((const char *)sealed, KEY_ID_LEN), plain, n,
                sealed + KEY_ID_LEN);
    memcpy(out, TOKEN_PREFIX, PREFIX_LEN);
    size_t text_n =
        PREFIX_LEN + codec_base64url(out + PREFIX_LEN, sealed, KEY_ID_LEN + n + CRYPTO_SEAL_EXTRA);
    out[text_n] = '\0';
    crypto_wipe(plain, sizeof plain);
    return text_n;
}

enum token_err token_open(struct token *t, const struct token_key *keys, size_t n_keys,
                          struct slice text)
{
    uint8_t sealed[SEALED_MAX], plain[PLAIN_MAX];
    size_t n = 0, i = 0;

    if (text.n <= PREFIX_LEN || memcmp(text.p, TOKEN_PREFIX, PREFIX_LEN) != 0) {
        return TOKEN_EFORMAT;
    }
    struct slice body = slice_of(text.p + PREFIX_LEN, text.n - PREFIX_LEN);
    if (body.n > CODEC_BASE64URL_LEN(SEALED_MAX) ||
        !codec_unbase64url(sealed, sizeof sealed, &n, body.p, body.n) ||
        n < KEY_ID_LEN + HEAD_LEN + CRYPTO_SEAL_EXTRA) {
        return TOKEN_EFORMAT;
    }
    const uint8_t *at = sealed;
    uint32_t id = (uint32_t)get_int(&at, KEY_ID_LEN);
    while (i < n_keys && keys[i].id != id) {
        i++;
    }
    if (i == n_keys) {
        return TOKEN_EKEY;
    }
    size_t plain_n = n - KEY_ID_LEN - CRYPTO_SEAL_EXTRA;
    if (crypto_open(keys[i].key, slice_of((const char *)sealed, KEY_ID_LEN), at, n - KEY_ID_LEN,
                    plain) != CRYPTO_OK) {
        return TOKEN_ESEAL;
    }
    bool ok = unpack(t, plain, plain_n);
    crypto_wipe(plain, sizeof plain);
    return ok ? TOKEN_OK : TOKEN_EFORMAT;
}
