/* SPDX-License-Identifier: Apache-2.0 */
/* ECDH-ES with A256GCM: libjose agrees on the key, OpenSSL encrypts. libjose is given one
 * recipient, one header and one key at a time, so that nothing of the message chooses what it does.
 */
#include <jose/jwe.h>
#include <jose/openssl.h>
#include <limits.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/codec.h"
#include "inner.h"

#define KEY_LEN 32

/* libjose says on stderr what is wrong with a message; that is for its sender to know, not for our
 * log to fill with. */
static void keep_quiet(void *misc, const char *file, int line, uint64_t err, const char *fmt,
                       va_list ap)
{
    (void)misc, (void)file, (void)line, (void)err, (void)fmt, (void)ap;
}

static json_t *private_jwk(jose_cfg_t *cfg, const struct crypto_key *key)
{
    char *pem = crypto_key_private_pem(key);
    BIO *bio = pem == NULL ? NULL : BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pkey = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    json_t *jwk = pkey == NULL ? NULL : jose_openssl_jwk_from_EVP_PKEY(cfg, pkey);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    if (pem != NULL) {
        crypto_wipe(pem, strlen(pem));
    }
    free(pem);
    return jwk;
}

static json_t *public_jwk(const struct crypto_key *key)
{
    char *text = crypto_key_jwk(key);
    json_t *jwk = text == NULL ? NULL : json_loads(text, 0, NULL);
    free(text);
    return jwk;
}

bool jwe_ecdh_ready(struct jwe_key *key)
{
    key->cfg = jose_cfg();
    if (key->cfg == NULL) {
        return false;
    }
    jose_cfg_set_err_func(key->cfg, keep_quiet, NULL);
    key->jwk =
        crypto_key_is_pair(key->key) ? private_jwk(key->cfg, key->key) : public_jwk(key->key);
    return key->jwk != NULL;
}

/* A256GCM over sealed = iv || text || tag, in place: libjose would take the text through JSON, at
 * a twentieth of the speed. seal: writes the tag; else false when it is not the right one. */
static bool gcm(bool seal, const uint8_t key[KEY_LEN], struct slice aad, uint8_t *sealed, size_t n)
{
    uint8_t *text = sealed + JWE_IV_LEN, *tag = text + n;
    int done;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good = ctx != NULL && n <= INT_MAX &&
                EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed, seal) == 1 &&
                EVP_CipherUpdate(ctx, NULL, &done, (const uint8_t *)aad.p, (int)aad.n) == 1 &&
                EVP_CipherUpdate(ctx, text, &done, text, (int)n) == 1 &&
                (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, JWE_TAG_LEN, tag) == 1) &&
                EVP_CipherFinal_ex(ctx, tag, &done) == 1 &&
                (!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, JWE_TAG_LEN, tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

static bool content_key(const json_t *cek, uint8_t key[KEY_LEN])
{
    const json_t *k = json_object_get(cek, "k");
    size_t n = 0;
    return json_is_string(k) &&
           codec_unbase64url(key, KEY_LEN, &n, json_string_value(k), json_string_length(k)) &&
           n == KEY_LEN;
}

static bool seal_content(const json_t *header, const json_t *cek, struct slice plain,
                         struct buf *out)
{
    uint8_t key[KEY_LEN], *sealed = malloc(JWE_IV_LEN + plain.n + JWE_TAG_LEN);
    size_t before = out->n;
    bool good = sealed != NULL && content_key(cek, key) && jwe_add_header(out, header);
    if (good) {
        crypto_random(sealed, JWE_IV_LEN);
        memcpy(sealed + JWE_IV_LEN, plain.n > 0 ? plain.p : "", plain.n);
        good = gcm(true, key, slice_of(out->p + before, out->n - before), sealed, plain.n);
        buf_addc(out, '.'); /* a key that is agreed upon is not sent */
        jwe_add_part(out, sealed, JWE_IV_LEN);
        jwe_add_part(out, sealed + JWE_IV_LEN, plain.n);
        jwe_add_part(out, sealed + JWE_IV_LEN + plain.n, JWE_TAG_LEN);
    }
    crypto_wipe(key, sizeof key);
    free(sealed);
    return good;
}

enum jwe_err jwe_ecdh_seal(const struct jwe_key *to, const json_t *header, struct slice plain,
                           struct buf *out)
{
    json_t *jwe = json_pack("{s:O}", "protected", header), *cek = json_object();
    json_t *recipient = json_object();
    bool good = jwe != NULL && cek != NULL && recipient != NULL &&
                jose_jwe_enc_jwk(to->cfg, jwe, recipient, to->jwk, cek);
    /* The compact form has the protected header alone: the agreed key moves into it. */
    json_t *all = good ? jose_jwe_hdr(jwe, recipient) : NULL;
    good = all != NULL && seal_content(all, cek, plain, out);
    json_decref(all);
    json_decref(recipient);
    json_decref(cek);
    json_decref(jwe);
    return good ? JWE_OK : JWE_EKEY;
}

enum jwe_err jwe_ecdh_open(const struct jwe_key *key, const struct jwe_parts *parts,
                           struct buf *out)
{
    uint8_t content[KEY_LEN];
    size_t n = 0;
    uint8_t *all = parts->key.n == 0 ? jwe_gather(parts, &n) : NULL; /* RFC 7518 4.6 */
    if (all == NULL) {
        return JWE_EFORMAT;
    }
    json_t *jwe = json_pack("{s:s%}", "protected", parts->header.p, parts->header.n);
    json_t *cek = jwe == NULL ? NULL : jose_jwe_dec_jwk(key->cfg, jwe, NULL, key->jwk);
    n -= JWE_IV_LEN + JWE_TAG_LEN;
    bool good =
        cek != NULL && content_key(cek, content) && gcm(false, content, parts->header, all, n);
    if (good) {
        buf_add(out, all + JWE_IV_LEN, n);
    }
    crypto_wipe(content, sizeof content);
    crypto_wipe(all, JWE_IV_LEN + n);
    free(all);
    json_decref(cek);
    json_decref(jwe);
    return out->failed ? JWE_EMEMORY : good ? JWE_OK : JWE_EOPEN;
}
