/* SPDX-License-Identifier: Apache-2.0 */
/* SM2 with SM4GCM: key = SM2 ciphertext (GB/T 35276 DER) of 16 bytes, iv of 12, tag of 16, and as
 * with every JWE the protected header's base64url is what GCM authenticates beside the text. */
#include <stdlib.h>

#include "base/codec.h"
#include "inner.h"

#define KEY_LEN 16

void jwe_add_part(struct buf *out, const void *bytes, size_t n)
{
    buf_addc(out, '.');
    if (buf_reserve(out, CODEC_BASE64URL_LEN(n))) {
        out->n += codec_base64url(out->p + out->n, bytes, n);
    }
}

bool jwe_add_header(struct buf *out, const json_t *header)
{
    char *text = json_dumps(header, JSON_COMPACT | JSON_PRESERVE_ORDER);
    size_t n = text == NULL ? 0 : strlen(text);
    if (text != NULL && buf_reserve(out, CODEC_BASE64URL_LEN(n))) {
        out->n += codec_base64url(out->p + out->n, text, n);
    }
    free(text);
    return n > 0 && !out->failed;
}

enum jwe_err jwe_sm2_seal(const struct jwe_key *to, const json_t *header, struct slice plain,
                          struct buf *out)
{
    uint8_t content_key[CRYPTO_KEY_LEN] = {0}, wrapped[CRYPTO_SM2_CIPHER_MAX(KEY_LEN)];
    size_t before = out->n, wrapped_n;
    uint8_t *sealed = malloc(plain.n + CRYPTO_SEAL_EXTRA);
    if (sealed == NULL || !jwe_add_header(out, header)) {
        free(sealed);
        return JWE_EMEMORY;
    }
    struct slice aad = {out->p + before, out->n - before};
    crypto_random(content_key, KEY_LEN);
    crypto_seal(content_key, aad, plain.p, plain.n, sealed);
    enum crypto_err err =
        crypto_sm2_encrypt(to->key, content_key, KEY_LEN, wrapped, sizeof wrapped, &wrapped_n);
    crypto_wipe(content_key, sizeof content_key);
    if (err == CRYPTO_OK) {
        jwe_add_part(out, wrapped, wrapped_n);
        jwe_add_part(out, sealed, JWE_IV_LEN);
        jwe_add_part(out, sealed + JWE_IV_LEN, plain.n);
        jwe_add_part(out, sealed + JWE_IV_LEN + plain.n, JWE_TAG_LEN);
    }
    free(sealed);
    return err == CRYPTO_OK ? JWE_OK : JWE_EKEY;
}

uint8_t *jwe_gather(const struct jwe_parts *parts, size_t *n)
{
    size_t iv_n, tag_n, text_n, room = parts->text.n / 4 * 3 + 3;
    uint8_t tag[JWE_TAG_LEN], *all = malloc(JWE_IV_LEN + room + JWE_TAG_LEN);
    if (all == NULL || !codec_unbase64url(all, JWE_IV_LEN, &iv_n, parts->iv.p, parts->iv.n) ||
        !codec_unbase64url(tag, JWE_TAG_LEN, &tag_n, parts->tag.p, parts->tag.n) ||
        !codec_unbase64url(all + JWE_IV_LEN, room, &text_n, parts->text.p, parts->text.n) ||
        iv_n != JWE_IV_LEN || tag_n != JWE_TAG_LEN) {
        free(all);
        return NULL;
    }
    memcpy(all + JWE_IV_LEN + text_n, tag, JWE_TAG_LEN);
    *n = JWE_IV_LEN + text_n + JWE_TAG_LEN;
    return all;
}

enum jwe_err jwe_sm2_open(const struct jwe_key *key, const struct jwe_parts *parts, struct buf *out)
{
    uint8_t content_key[CRYPTO_KEY_LEN] = {0}, wrapped[CRYPTO_SM2_CIPHER_MAX(KEY_LEN)];
    size_t wrapped_n, key_n = 0, all_n;
    if (!codec_unbase64url(wrapped, sizeof wrapped, &wrapped_n, parts->key.p, parts->key.n)) {
        return JWE_EFORMAT;
    }
    uint8_t *all = jwe_gather(parts, &all_n);
    if (all == NULL) {
        return JWE_EFORMAT;
    }
    enum crypto_err err =
        crypto_sm2_decrypt(key->key, wrapped, wrapped_n, content_key, sizeof content_key, &key_n);
    if (err == CRYPTO_OK && key_n == KEY_LEN && buf_reserve(out, all_n)) {
        err = crypto_open(content_key, parts->header, all, all_n, (uint8_t *)out->p + out->n);
        out->n += err == CRYPTO_OK ? all_n - CRYPTO_SEAL_EXTRA : 0;
    } else {
        err = CRYPTO_EVERIFY;
    }
    crypto_wipe(content_key, sizeof content_key);
    free(all);
    return out->failed ? JWE_EMEMORY : err == CRYPTO_OK ? JWE_OK : JWE_EOPEN;
}
