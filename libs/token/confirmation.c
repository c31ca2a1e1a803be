/* SPDX-License-Identifier: Apache-2.0 */
/* The key is derived for confirmations alone, so that no text of one kind opens as the other. */
#include "token/confirmation.h"

#include <string.h>

#include "base/codec.h"

#define PREFIX_LEN (sizeof CONFIRMATION_PREFIX - 1)
#define VERSION    1
#define KEY_ID_LEN 4
#define PLAIN_LEN  (1 + 4 * UUID_LEN + 2 * CRYPTO_HASH_LEN + 2 * 8 + 1)
#define SEALED_LEN (KEY_ID_LEN + PLAIN_LEN + CRYPTO_SEAL_EXTRA)
_Static_assert(PREFIX_LEN + CODEC_BASE64URL_LEN(SEALED_LEN) < CONFIRMATION_TEXT_MAX, "one fits");

static uint8_t *put(uint8_t *at, const void *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}

static uint8_t *put_int(uint8_t *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    }
    return at + bytes;
}

static const uint8_t *get(const uint8_t *at, void *out, size_t n)
{
    memcpy(out, at, n);
    return at + n;
}

static uint64_t get_int(const uint8_t **at, size_t bytes)
{
    uint64_t v = 0;

    for (size_t i = 0; i < bytes; i++) {
        v = v << 8 | *(*at)++;
    }
    return v;
}

void confirmation_content(struct slice method, struct slice target, struct slice body,
                          uint8_t out[static CRYPTO_HASH_LEN])
{
    struct crypto_hasher h;

    crypto_hasher_init(&h, CRYPTO_SM3);
    crypto_hasher_add(&h, method.p, method.n);
    crypto_hasher_add(&h, "\n", 1);
    crypto_hasher_add(&h, target.p, target.n);
    crypto_hasher_add(&h, "\n", 1);
    if (body.n > 0) {
        crypto_hasher_add(&h, body.p, body.n);
    }
    crypto_hasher_end(&h, out);
    crypto_hasher_fini(&h);
}

size_t confirmation_seal(const struct confirmation *c, const struct token_key *key,
                         char out[static CONFIRMATION_TEXT_MAX])
{
    uint8_t plain[PLAIN_LEN], sealed[SEALED_LEN], sub[CRYPTO_KEY_LEN], *at = plain;

    *at++ = VERSION;
    at = put(at, &c->id, UUID_LEN);
    at = put(at, &c->app, UUID_LEN);
    at = put(at, &c->api, UUID_LEN);
    at = put(at, &c->user, UUID_LEN);
    at = put(at, c->owner_sm3, CRYPTO_HASH_LEN);
    at = put(at, c->content_sm3, CRYPTO_HASH_LEN);
    at = put_int(at, c->issued_ms, 8);
    at = put_int(at, c->expires_ms, 8);
    *at = c->factors;
    put_int(sealed, key->id, KEY_ID_LEN);
    crypto_derive(key->key, "confirmation", sub);
    crypto_seal(sub, slice_of((const char *)sealed, KEY_ID_LEN), plain, sizeof plain,
                sealed + KEY_ID_LEN);
    crypto_wipe(sub, sizeof sub);
    memcpy(out, CONFIRMATION_PREFIX, PREFIX_LEN);
    size_t n = PREFIX_LEN + codec_base64url(out + PREFIX_LEN, sealed, sizeof sealed);
    out[n] = '\0';
    return n;
}

static bool unpack(struct confirmation *c, const uint8_t *at)
{
    if (*at++ != VERSION) {
        return false;
    }
    at = get(at, &c->id, UUID_LEN);
    at = get(at, &c->app, UUID_LEN);
    at = get(at, &c->api, UUID_LEN);
    at = get(at, &c->user, UUID_LEN);
    at = get(at, c->owner_sm3, CRYPTO_HASH_LEN);
    at = get(at, c->content_sm3, CRYPTO_HASH_LEN);
    c->issued_ms = get_int(&at, 8);
    c->expires_ms = get_int(&at, 8);
    c->factors = *at;
    return true;
}

enum token_err confirmation_open(struct confirmation *c, const struct token_key *keys,
                                 size_t n_keys, struct slice text)
{
    uint8_t sealed[SEALED_LEN], plain[PLAIN_LEN], sub[CRYPTO_KEY_LEN];
    size_t n = 0, i = 0;

    if (text.n != PREFIX_LEN + CODEC_BASE64URL_LEN(SEALED_LEN) ||
        memcmp(text.p, CONFIRMATION_PREFIX, PREFIX_LEN) != 0 ||
        !codec_unbase64url(sealed, sizeof sealed, &n, text.p + PREFIX_LEN, text.n - PREFIX_LEN) ||
        n != SEALED_LEN) {
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
    crypto_derive(keys[i].key, "confirmation", sub);
    enum crypto_err err =
        crypto_open(sub, slice_of((const char *)sealed, KEY_ID_LEN), at, n - KEY_ID_LEN, plain);
    crypto_wipe(sub, sizeof sub);
    if (err != CRYPTO_OK) {
        return TOKEN_ESEAL;
    }
    return unpack(c, plain) ? TOKEN_OK : TOKEN_EFORMAT;
}
