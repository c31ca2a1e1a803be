/* SPDX-License-Identifier: Apache-2.0 */
/* The two headers of a signed request: alone, or as one of a batch. */
#include <assert.h>
#include <stdio.h>

#include "base/codec.h"
#include "id/uuid.h"
#include "signing.h"

#define BASE_MAX  (64u << 10)
#define NONCE_LEN CODEC_BASE64URL_LEN(UUID_LEN)

static bool failed(const char *what, const char *why)
{
    fprintf(stderr, "sluice: %s: %s\n", what, why);
    return false;
}

static bool field_value(void *ctx, struct slice name, struct slice *value)
{
    const struct signing *s = ctx;
    *value = slice_str(slice_eq(name, SLICE("sluice-grant"))         ? s->grant
                       : slice_eq(name, SLICE("sluice-purpose"))     ? s->purpose_header
                       : slice_eq(name, SLICE("sluice-app-version")) ? s->app_version
                                                                     : s->digest);
    return true;
}

static enum httpsig_err cover(struct httpsig *sig, const struct signing *s)
{
    const struct {
        struct slice name;
        bool wanted;
    } all[] = {
        {SLICE("@method"), true},
        {SLICE("@authority"), true},
        {SLICE("@path"), true},
        {SLICE("@query"), true},
        {SLICE("content-digest"), s->has_body},
        {SLICE("sluice-grant"), s->grant != NULL},
        {SLICE("sluice-purpose"), s->purpose_header != NULL},
        {SLICE("sluice-app-version"), s->app_version != NULL},
    };
    enum httpsig_err err = HTTPSIG_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && err == HTTPSIG_OK; i++) {
        err = all[i].wanted ? httpsig_cover(sig, all[i].name) : HTTPSIG_OK;
    }
    return err;
}

/* Writes h->input with a fresh nonce; base borrows until the next call. */
static bool make_base(const struct signing *s, const char *alg, uint64_t now_s,
                      struct signing_headers *h, struct slice *base)
{
    static char text[BASE_MAX];
    struct uuid fresh;
    char nonce[NONCE_LEN];
    size_t input_n, n;
    uuid_new(&fresh);
    codec_base64url(nonce, fresh.b, UUID_LEN);
    struct httpsig sig = {.label = SLICE(SIGNING_LABEL),
                          .created_s = now_s,
                          .expires_s = now_s + s->valid,
                          .nonce = slice_of(nonce, sizeof nonce),
                          .keyid = slice_str(s->credential),
                          .alg = slice_str(alg)};
    struct httpsig_request request = {.method = slice_str(s->method),
                                      .scheme = slice_str(s->scheme),
                                      .authority = slice_str(s->authority),
                                      .target = slice_str(s->target),
                                      .field = field_value,
                                      .ctx = (void *)(uintptr_t)s};
    enum httpsig_err err = cover(&sig, s);
    if (err == HTTPSIG_OK) {
        err = httpsig_write_input(&sig, h->input, sizeof h->input - 1, &input_n);
    }
    if (err != HTTPSIG_OK) {
        return failed("--credential is too long, or no key id", httpsig_strerror(err));
    }
    h->input[input_n] = '\0';
    err = httpsig_base(&sig, &request, text, sizeof text, &n);
    *base = slice_of(text, n);
    return err == HTTPSIG_OK || failed("cannot be signed", httpsig_strerror(err));
}

static bool write_signature(struct signing_headers *h, const uint8_t *bytes, size_t n)
{
    struct httpsig sig = {.label = SLICE(SIGNING_LABEL)};
    size_t text_n;
    if (httpsig_write_signature(&sig, bytes, n, h->signature, sizeof h->signature - 1, &text_n) !=
        HTTPSIG_OK) {
        return failed("the key is too large", "RSA up to 4096 bits");
    }
    h->signature[text_n] = '\0';
    return true;
}

bool signing_make(const struct signing *s, uint64_t now_s, struct signing_headers *h)
{
    struct slice base;
    uint8_t bytes[CRYPTO_SIG_MAX];
    size_t n = CRYPTO_HASH_LEN;
    if (!make_base(s, s->algorithm, now_s, h, &base)) {
        return false;
    }
    if (s->key == NULL) {
        crypto_hmac_sign(s->hmac, base.p, base.n, bytes);
    } else if (crypto_key_sign(s->key, crypto_key_alg(s->key), base.p, base.n, bytes, &n) !=
               CRYPTO_OK) {
        return failed(s->key_file, "cannot sign");
    }
    return write_signature(h, bytes, n);
}

bool signing_batch_add(struct signing_batch *b, const struct signing *s, uint64_t now_s,
                       struct signing_headers *h)
{
    struct slice base;
    assert(b->n < MERKLE_LEAVES_MAX);
    if (!make_base(s, HTTPSIG_BATCH_ALG, now_s, h, &base)) {
        return false;
    }
    merkle_leaf(base, &b->tree[b->n++]);
    return true;
}

bool signing_batch_end(struct signing_batch *b, const struct signing *s,
                       struct signing_headers headers[])
{
    uint16_t size = (uint16_t)b->n;
    char text[HTTPSIG_BATCH_TEXT_MAX];
    uint8_t raw[CRYPTO_SIG_MAX], bytes[HTTPSIG_BATCH_LEN_MAX];
    size_t raw_n;
    size_t text_n = httpsig_batch_text(size, merkle_build(b->tree, size), text);
    if (crypto_key_sign(s->key, CRYPTO_ALG_SM2_SM3, text, text_n, raw, &raw_n) != CRYPTO_OK) {
        return failed(s->key_file, "cannot sign");
    }
    for (uint16_t i = 0; i < size; i++) {
        struct httpsig_batch one;
        httpsig_batch_of(&one, b->tree, size, i, raw);
        if (!write_signature(&headers[i], bytes, httpsig_batch_encode(&one, bytes))) {
            return false;
        }
    }
    b->n = 0;
    return true;
}
