/* SPDX-License-Identifier: Apache-2.0 */
/* The values a signer sends, and Content-Digest both ways. */
#include "httpsig/inner.h"

#include "base/codec.h"

enum httpsig_err httpsig_cover(struct httpsig *s, struct slice name)
{
    return httpsig_add(s, (struct httpsig_covered){.name = name});
}

/* The request's signature covers its nonce and can be made by the app alone: an answer that covers
 * it belongs to that one call. */
enum httpsig_err httpsig_cover_answer(struct httpsig *s, bool content_type,
                                      struct slice request_label)
{
    const struct {
        struct slice name, key;
        bool wanted, req;
    } all[] = {
        {SLICE("@status"), SLICE(""), true, false},
        {SLICE("content-type"), SLICE(""), content_type, false},
        {SLICE("content-digest"), SLICE(""), true, false},
        {SLICE("sluice-transaction"), SLICE(""), true, false},
        {SLICE("@method"), SLICE(""), true, true},
        {SLICE("@target-uri"), SLICE(""), true, true},
        {SLICE("signature"), request_label, true, true},
    };
    enum httpsig_err err = HTTPSIG_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && err == HTTPSIG_OK; i++) {
        struct httpsig_covered one = {.name = all[i].name, .key = all[i].key, .req = all[i].req};
        err = all[i].wanted ? httpsig_add(s, one) : HTTPSIG_OK;
    }
    return err;
}

struct out {
    char *at, *end;
    bool full;
};

static void put(struct out *o, struct slice text)
{
    if ((size_t)(o->end - o->at) < text.n) {
        o->full = true;
        return;
    }
    if (text.n > 0) {
        memcpy(o->at, text.p, text.n);
    }
    o->at += text.n;
}

static void put_number(struct out *o, struct slice name, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    put(o, name);
    put(o, slice_of(digits + at, sizeof digits - at));
}

static void put_string(struct out *o, struct slice name, struct slice text)
{
    put(o, name);
    put(o, SLICE("=\""));
    put(o, text);
    put(o, SLICE("\""));
}

static bool is_plain(struct slice text, size_t min, size_t max)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
            return false;
        }
    }
    return text.n >= min && text.n <= max;
}

static bool is_label(struct slice label)
{
    struct sf c = sf_of(label);
    struct slice key;
    return sf_key(&c, &key) && sf_done(&c);
}

static bool can_write(const struct httpsig *s)
{
    bool times = s->created_s > 0 && s->created_s <= HTTPSIG_TIME_MAX &&
                 s->expires_s <= HTTPSIG_TIME_MAX &&
                 (s->expires_s == 0 || s->expires_s > s->created_s);
    return times && is_label(s->label) && is_plain(s->keyid, 1, HTTPSIG_KEYID_MAX) &&
           is_plain(s->alg, 1, HTTPSIG_ALG_MAX) &&
           (s->nonce.n == 0 || is_plain(s->nonce, HTTPSIG_NONCE_MIN, HTTPSIG_NONCE_MAX));
}

static void put_component(struct out *o, struct httpsig_covered *one)
{
    put(o, SLICE("\""));
    put(o, one->name);
    put(o, SLICE("\""));
    const char *params = o->at;
    put(o, one->req ? SLICE(";req") : SLICE(""));
    if (one->key.n > 0) {
        put_string(o, SLICE(";key"), one->key);
    }
    one->params = slice_of(params, (size_t)(o->at - params));
}

enum httpsig_err httpsig_write_input(struct httpsig *s, char *out, size_t cap, size_t *n)
{
    if (!can_write(s)) {
        return HTTPSIG_EPARAMETER;
    }
    struct out o = {out, out + cap, false};
    put(&o, s->label);
    put(&o, SLICE("="));
    const char *start = o.at;
    put(&o, SLICE("("));
    for (size_t i = 0; i < s->n_components; i++) {
        put(&o, i > 0 ? SLICE(" ") : SLICE(""));
        put_component(&o, &s->components[i]);
    }
    put_number(&o, SLICE(");created="), s->created_s);
    if (s->expires_s > 0) {
        put_number(&o, SLICE(";expires="), s->expires_s);
    }
    if (s->nonce.n > 0) {
        put_string(&o, SLICE(";nonce"), s->nonce);
    }
    put_string(&o, SLICE(";keyid"), s->keyid);
    put_string(&o, SLICE(";alg"), s->alg);
    if (o.full) {
        return HTTPSIG_ELIMIT;
    }
    s->params = slice_of(start, (size_t)(o.at - start));
    *n = (size_t)(o.at - out);
    return HTTPSIG_OK;
}

enum httpsig_err httpsig_write_signature(const struct httpsig *s, const uint8_t *sig, size_t sig_n,
                                         char *out, size_t cap, size_t *n)
{
    size_t text_n = s->label.n + 2 + CODEC_BASE64_LEN(sig_n) + 1;
    if (sig_n == 0 || sig_n > HTTPSIG_SIG_MAX || text_n > cap) {
        return HTTPSIG_ELIMIT;
    }
    struct out o = {out, out + cap, false};
    put(&o, s->label);
    put(&o, SLICE("=:"));
    o.at += codec_base64(o.at, sig, sig_n);
    put(&o, SLICE(":"));
    *n = text_n;
    return HTTPSIG_OK;
}

size_t httpsig_write_digest(enum httpsig_digest alg, const uint8_t digest[static 32],
                            char out[static HTTPSIG_DIGEST_TEXT_MAX])
{
    struct out o = {out, out + HTTPSIG_DIGEST_TEXT_MAX, false};
    put(&o, alg == HTTPSIG_DIGEST_SM3 ? SLICE("sm3=:") : SLICE("sha-256=:"));
    o.at += codec_base64(o.at, digest, 32);
    put(&o, SLICE(":"));
    return (size_t)(o.at - out);
}

enum httpsig_err httpsig_digest_parse(struct slice value, enum httpsig_digest *alg,
                                      uint8_t digest[static 32])
{
    struct sf c = sf_of(value);
    bool more = true;
    unsigned seen = 0;
    enum httpsig_digest best = HTTPSIG_DIGEST_NONE;
    sf_skip_spaces(&c);
    while (more) {
        struct slice key;
        struct sf_item item;
        if (!sf_key(&c, &key) || !sf_take(&c, '=') || !sf_bytes(&c, &item) ||
            !sf_next_member(&c, &more)) {
            return HTTPSIG_ESYNTAX;
        }
        enum httpsig_digest kind = slice_eq(key, SLICE("sm3"))       ? HTTPSIG_DIGEST_SM3
                                   : slice_eq(key, SLICE("sha-256")) ? HTTPSIG_DIGEST_SHA256
                                                                     : HTTPSIG_DIGEST_NONE;
        if (kind == HTTPSIG_DIGEST_NONE) {
            continue; /* another algorithm beside ours does no harm */
        }
        uint8_t bytes[36];
        size_t n;
        if (seen & 1u << kind ||
            !codec_unbase64(bytes, sizeof bytes, &n, item.text.p, item.text.n) || n != 32) {
            return HTTPSIG_ESYNTAX;
        }
        seen |= 1u << kind;
        if (kind > best) {
            best = kind;
            memcpy(digest, bytes, 32);
        }
    }
    *alg = best;
    return HTTPSIG_OK;
}
