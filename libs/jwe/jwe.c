/* SPDX-License-Identifier: Apache-2.0 */
#include "jwe/jwe.h"

#include <stdlib.h>

#include "base/codec.h"
#include "inner.h"

static const struct suite {
    enum crypto_key_kind kind;
    enum crypto_alg alg, enc;
    enum jwe_err (*seal)(const struct jwe_key *to, const json_t *header, struct slice plain,
                         struct buf *out);
    enum jwe_err (*open)(const struct jwe_key *key, const struct jwe_parts *parts, struct buf *out);
} suites[] = {
    {CRYPTO_KEY_SM2, CRYPTO_ALG_SM2, CRYPTO_ALG_SM4GCM, jwe_sm2_seal, jwe_sm2_open},
    {CRYPTO_KEY_P256, CRYPTO_ALG_ECDH_ES, CRYPTO_ALG_A256GCM, jwe_ecdh_seal, jwe_ecdh_open},
};
#define SUITES (sizeof suites / sizeof *suites)

const char *jwe_strerror(enum jwe_err err)
{
    static const char *const texts[] = {
        [JWE_OK] = "opened",
        [JWE_EFORMAT] = "not a compact JWE as it must be",
        [JWE_EALG] = "alg and enc are not an enabled suite, or zip or crit is used",
        [JWE_EKEY] = "sealed for no key that we have",
        [JWE_EOPEN] = "it was altered, or sealed for another key",
        [JWE_EDIGEST] = "the digest is not that of the plain text",
        [JWE_EMEMORY] = "out of memory",
    };
    return texts[err];
}

static const struct suite *suite_of(const struct jwe_key *key)
{
    return crypto_key_kind(key->key) == CRYPTO_KEY_SM2 ? &suites[0] : &suites[1];
}

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < 0x20 || text.p[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

struct jwe_key *jwe_key_take(struct crypto_key **from, struct slice kid)
{
    struct jwe_key *key = calloc(1, sizeof *key);
    bool good = key != NULL && *from != NULL && kid.n > 0 && kid.n <= JWE_KID_MAX &&
                is_plain(kid) && crypto_key_kind(*from) != CRYPTO_KEY_RSA;
    if (!good) {
        crypto_key_free(from);
        free(key);
        return NULL;
    }
    key->key = *from;
    *from = NULL;
    memcpy(key->kid, kid.p, kid.n);
    if (crypto_key_kind(key->key) == CRYPTO_KEY_P256 && !jwe_ecdh_ready(key)) {
        jwe_key_free(&key);
    }
    return key;
}

void jwe_key_free(struct jwe_key **key)
{
    if (*key == NULL) {
        return;
    }
    crypto_key_free(&(*key)->key);
    json_decref((*key)->jwk);
    if ((*key)->cfg != NULL) {
        jose_cfg_decref((*key)->cfg);
    }
    free(*key);
    *key = NULL;
}

bool jwe_key_allowed(const struct jwe_key *key, const struct crypto_policy *policy, int64_t now_ms)
{
    const struct suite *suite = suite_of(key);
    return crypto_policy_allows(policy, suite->alg, now_ms) &&
           crypto_policy_allows(policy, suite->enc, now_ms);
}

/* Sealing -------------------------------------------------------------------------------------- */

static json_t *make_header(const struct jwe_key *to, struct slice cty, struct slice plain)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    char text[CODEC_BASE64URL_LEN(CRYPTO_HASH_LEN)];
    const struct suite *suite = suite_of(to);
    crypto_hash(CRYPTO_SM3, plain.p, plain.n, digest);
    size_t n = codec_base64url(text, digest, sizeof digest);
    json_t *header =
        json_pack("{s:s, s:s, s:s, s:s%}", "alg", crypto_algorithm(suite->alg)->name, "enc",
                  crypto_algorithm(suite->enc)->name, "kid", to->kid, "digest", text, n);
    if (header != NULL && cty.n > 0 &&
        json_object_set_new(header, "cty", json_stringn(cty.p, cty.n)) != 0) {
        json_decref(header);
        return NULL;
    }
    return header;
}

enum jwe_err jwe_seal(const struct jwe_key *to, struct slice cty, struct slice plain,
                      struct buf *out)
{
    size_t before = out->n;
    if (cty.n > JWE_CTY_MAX || !is_plain(cty)) {
        return JWE_EFORMAT;
    }
    json_t *header = make_header(to, cty, plain);
    enum jwe_err err = header == NULL ? JWE_EMEMORY : suite_of(to)->seal(to, header, plain, out);
    json_decref(header);
    if (err == JWE_OK && out->failed) {
        err = JWE_EMEMORY;
    }
    out->n = err == JWE_OK ? out->n : before;
    return err;
}

/* Opening -------------------------------------------------------------------------------------- */

static bool split(struct slice in, struct jwe_parts *parts)
{
    struct slice *part[] = {&parts->header, &parts->key, &parts->iv, &parts->text, &parts->tag};
    const char *end = in.p + in.n;
    for (size_t i = 0; i < 5; i++) {
        const char *dot = in.p < end ? memchr(in.p, '.', (size_t)(end - in.p)) : NULL;
        if ((dot == NULL) != (i == 4)) {
            return false;
        }
        const char *stop = dot == NULL ? end : dot;
        *part[i] = slice_of(in.p, (size_t)(stop - in.p));
        in.p = stop + (dot != NULL);
    }
    return parts->header.n > 0 && parts->tag.n > 0;
}

static json_t *read_header(struct slice text)
{
    char bytes[JWE_HEADER_MAX];
    size_t n;
    if (!codec_unbase64url(bytes, sizeof bytes, &n, text.p, text.n)) {
        return NULL;
    }
    json_t *header = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, NULL);
    if (header != NULL && !json_is_object(header)) {
        json_decref(header);
        header = NULL;
    }
    return header;
}

/* The text of a member; "" when it is absent. False: it is there and is no such text. */
static bool member(const json_t *header, const char *name, size_t max, struct slice *text)
{
    const json_t *value = json_object_get(header, name);
    *text = SLICE("");
    if (value == NULL) {
        return true;
    }
    *text = slice_of(json_string_value(value), json_string_length(value));
    return json_is_string(value) && text->n > 0 && text->n <= max && is_plain(*text);
}

static const struct suite *find_suite(struct slice alg, struct slice enc)
{
    for (size_t i = 0; i < SUITES; i++) {
        if (slice_eq(alg, slice_str(crypto_algorithm(suites[i].alg)->name)) &&
            slice_eq(enc, slice_str(crypto_algorithm(suites[i].enc)->name))) {
            return &suites[i];
        }
    }
    return NULL;
}

static struct jwe_key *find_key(struct jwe_key *const keys[], size_t n, const struct suite *suite,
                                struct slice kid)
{
    for (size_t i = 0; i < n; i++) {
        if (keys[i] != NULL && suite_of(keys[i]) == suite && crypto_key_is_pair(keys[i]->key) &&
            (kid.n == 0 || slice_eq(kid, slice_str(keys[i]->kid)))) {
            return keys[i];
        }
    }
    return NULL;
}

/* What the header must say for the text to be opened. */
struct head {
    const struct suite *suite;
    struct jwe_key *key;
    bool has_digest;
    uint8_t digest[CRYPTO_HASH_LEN];
};

static enum jwe_err judge(const json_t *header, struct head *head, struct jwe_key *const keys[],
                          size_t n_keys, char cty[static JWE_CTY_MAX + 1])
{
    struct slice alg, enc, kid, type, digest;
    size_t n = 0;
    if (json_object_get(header, "zip") != NULL || json_object_get(header, "crit") != NULL) {
        return JWE_EALG;
    }
    if (!member(header, "alg", 64, &alg) || !member(header, "enc", 64, &enc) ||
        !member(header, "kid", JWE_KID_MAX, &kid) || !member(header, "cty", JWE_CTY_MAX, &type) ||
        !member(header, "digest", 64, &digest)) {
        return JWE_EFORMAT;
    }
    head->suite = find_suite(alg, enc);
    if (head->suite == NULL) {
        return JWE_EALG;
    }
    head->has_digest = digest.n > 0;
    if (head->has_digest &&
        (!codec_unbase64url(head->digest, sizeof head->digest, &n, digest.p, digest.n) ||
         n != sizeof head->digest)) {
        return JWE_EFORMAT;
    }
    memcpy(cty, type.p, type.n);
    cty[type.n] = '\0';
    head->key = find_key(keys, n_keys, head->suite, kid);
    return head->key == NULL ? JWE_EKEY : JWE_OK;
}

static enum jwe_err open_parts(const struct head *head, const struct jwe_parts *parts,
                               struct buf *out)
{
    uint8_t digest[CRYPTO_HASH_LEN];
    size_t before = out->n;
    enum jwe_err err = head->suite->open(head->key, parts, out);
    if (err == JWE_OK && head->has_digest) {
        crypto_hash(CRYPTO_SM3, out->p + before, out->n - before, digest);
        err = crypto_equal(digest, head->digest, sizeof digest) ? JWE_OK : JWE_EDIGEST;
    }
    if (err != JWE_OK && out->n > before) {
        crypto_wipe(out->p + before, out->n - before);
        out->n = before;
    }
    return err;
}

bool jwe_kid(struct slice sealed, char kid[static JWE_KID_MAX + 1])
{
    struct jwe_parts parts;
    struct slice text;
    json_t *header = split(sealed, &parts) ? read_header(parts.header) : NULL;
    bool good = header != NULL && member(header, "kid", JWE_KID_MAX, &text);
    if (good) {
        memcpy(kid, text.p, text.n);
        kid[text.n] = '\0';
    }
    json_decref(header);
    return good;
}

enum jwe_err jwe_open(struct jwe_key *const keys[], size_t n_keys,
                      const struct crypto_policy *policy, int64_t now_ms, struct slice sealed,
                      struct buf *out, char cty[static JWE_CTY_MAX + 1])
{
    struct jwe_parts parts;
    struct head head = {0};
    if (!split(sealed, &parts)) {
        return JWE_EFORMAT;
    }
    json_t *header = read_header(parts.header);
    if (header == NULL) {
        return JWE_EFORMAT;
    }
    enum jwe_err err = judge(header, &head, keys, n_keys, cty);
    json_decref(header);
    if (err == JWE_OK && !jwe_key_allowed(head.key, policy, now_ms)) {
        err = JWE_EALG;
    }
    return err == JWE_OK ? open_parts(&head, &parts, out) : err;
}
