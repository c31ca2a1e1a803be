/* SPDX-License-Identifier: Apache-2.0 */
/* ECDH-ES with A256GCM, by libjose. It is given one recipient, one header and one key at a time, so
 * that nothing of the message chooses what it does. */
#include <jose/b64.h>
#include <jose/jwe.h>
#include <jose/openssl.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/codec.h"
#include "inner.h"

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

static bool add_part(struct buf *out, const json_t *jwe, const char *name)
{
    const json_t *part = json_object_get(jwe, name);
    buf_add(out, json_string_value(part), json_string_length(part));
    return json_is_string(part) && json_string_length(part) > 0;
}

static bool add_compact(struct buf *out, const json_t *jwe)
{
    bool good = add_part(out, jwe, "protected");
    buf_adds(out, ".."); /* a key that is agreed upon is not sent */
    good = add_part(out, jwe, "iv") && good;
    buf_addc(out, '.');
    (void)add_part(out, jwe, "ciphertext"); /* may be empty */
    buf_addc(out, '.');
    return add_part(out, jwe, "tag") && good;
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
    good = all != NULL && json_object_set_new(jwe, "protected", all) == 0;
    if (good) {
        (void)json_object_del(jwe, "header");
    }
    good = good && jose_jwe_enc_cek(to->cfg, jwe, cek, plain.p, plain.n) && add_compact(out, jwe);
    json_decref(recipient);
    json_decref(cek);
    json_decref(jwe);
    return good ? JWE_OK : JWE_EKEY;
}

enum jwe_err jwe_ecdh_open(const struct jwe_key *key, const struct jwe_parts *parts,
                           struct buf *out)
{
    if (parts->key.n != 0 || parts->iv.n != CODEC_BASE64URL_LEN(12) ||
        parts->tag.n != CODEC_BASE64URL_LEN(16)) {
        return JWE_EFORMAT; /* RFC 7518 4.6: agreed upon directly; 5.3: no shorter tag */
    }
    json_t *jwe = json_pack("{s:s%, s:s%, s:s%}", "protected", parts->header.p, parts->header.n,
                            "iv", parts->iv.p, parts->iv.n, "tag", parts->tag.p, parts->tag.n);
    void *plain = NULL; /* the last of the chain owns it; NULL too when it is empty */
    size_t n = 0;
    jose_io_t *last = jose_io_malloc(key->cfg, &plain, &n);
    jose_io_t *open = jwe && last ? jose_jwe_dec_io(key->cfg, jwe, NULL, key->jwk, last) : NULL;
    jose_io_t *first = open != NULL ? jose_b64_dec_io(open) : NULL;
    bool good = first != NULL && first->feed(first, parts->text.p, parts->text.n) &&
                first->done(first); /* it is done only when the tag is right */
    if (good && n > 0) {
        buf_add(out, plain, n);
        crypto_wipe(plain, n);
    }
    jose_io_auto(&first);
    jose_io_auto(&open);
    jose_io_auto(&last);
    json_decref(jwe);
    return out->failed ? JWE_EMEMORY : good ? JWE_OK : JWE_EOPEN;
}
