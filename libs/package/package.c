/* SPDX-License-Identifier: Apache-2.0 */
#include "package/package.h"

#include <stdlib.h>

#include "base/codec.h"
#include "jwt/jwt.h"

#define FIRST "SLUICE-PACKAGE 1\n"
#define TYP   "sluice-package+jwt"

const char *package_strerror(enum package_err err)
{
    static const char *const texts[] = {
        [PACKAGE_OK] = "no error",
        [PACKAGE_EFORMAT] = "it is no package, or was cut or added to",
        [PACKAGE_ESIGNATURE] = "it was changed, or another key signed it",
        [PACKAGE_EOPEN] = "it is for another receiver, or cannot be opened",
        [PACKAGE_EIO] = "it cannot be read or written",
        [PACKAGE_EMEMORY] = "out of memory",
    };
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown error";
}

/* Writing -------------------------------------------------------------------------------------- */

static void put(struct package_writer *w, const char *p, size_t n)
{
    crypto_hasher_add(&w->hasher, p, n);
    if (w->err == PACKAGE_OK && fwrite(p, 1, n, w->out) != n) {
        w->err = PACKAGE_EIO;
    }
}

void package_begin(struct package_writer *w, FILE *out)
{
    *w = (struct package_writer){.out = out};
    buf_init(&w->line);
    crypto_hasher_init(&w->hasher, CRYPTO_SM3);
    put(w, FIRST, sizeof FIRST - 1);
}

void package_add(struct package_writer *w, const struct jwe_key *to, struct slice cty,
                 struct slice plain)
{
    if (w->err != PACKAGE_OK) {
        return;
    }
    buf_clear(&w->line);
    enum jwe_err err = jwe_seal(to, cty, plain, &w->line);
    buf_addc(&w->line, '\n');
    if (err != JWE_OK || w->line.failed || w->line.n > PACKAGE_LINE_MAX ||
        w->parts == PACKAGE_PARTS_MAX) {
        w->err = err == JWE_OK && !w->line.failed ? PACKAGE_EFORMAT : PACKAGE_EMEMORY;
        return;
    }
    put(w, w->line.p, w->line.n);
    w->parts++;
}

enum package_err package_end(struct package_writer *w, const struct crypto_key *signer,
                             const char *kid)
{
    uint8_t sm3[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
    crypto_hasher_end(&w->hasher, sm3);
    json_t *claims = json_pack("{s:s%, s:I}", "package_sm3", hex, codec_hex(hex, sm3, sizeof sm3),
                               "parts", (json_int_t)w->parts);
    char *jws = claims != NULL ? jwt_write(signer, kid, TYP, claims) : NULL;
    json_decref(claims);
    if (w->err == PACKAGE_OK && jws == NULL) {
        w->err = PACKAGE_EMEMORY;
    }
    if (w->err == PACKAGE_OK && (fprintf(w->out, "=%s\n", jws) < 0 || fflush(w->out) != 0)) {
        w->err = PACKAGE_EIO;
    }
    free(jws);
    crypto_hasher_fini(&w->hasher);
    buf_wipe(&w->line);
    return w->err;
}

/* Reading -------------------------------------------------------------------------------------- */

struct reader {
    FILE *in;
    char *line;
    size_t cap;
    struct slice text; /* without its LF */
};

/* A whole line; EFORMAT at the end of the file too. */
static enum package_err next_line(struct reader *r)
{
    size_t n = 0;
    for (int c; (c = getc_unlocked(r->in)) != EOF;) {
        if (n + 1 > r->cap) {
            size_t cap = r->cap == 0 ? 65536 : r->cap * 2;
            char *grown = cap > 2 * (size_t)PACKAGE_LINE_MAX ? NULL : realloc(r->line, cap);
            if (grown == NULL) {
                return cap > 2 * (size_t)PACKAGE_LINE_MAX ? PACKAGE_EFORMAT : PACKAGE_EMEMORY;
            }
            r->line = grown;
            r->cap = cap;
        }
        if (c == '\n') {
            r->text = slice_of(r->line, n);
            return PACKAGE_OK;
        }
        r->line[n++] = (char)c;
        if (n > PACKAGE_LINE_MAX) {
            return PACKAGE_EFORMAT;
        }
    }
    return ferror(r->in) ? PACKAGE_EIO : PACKAGE_EFORMAT;
}

/* The first line; then each part by visit; *end gets the last line, which the reader keeps. */
static enum package_err
each_part(struct reader *r, enum package_err (*visit)(void *ctx, uint64_t i, struct slice line),
          void *ctx, uint64_t *parts)
{
    rewind(r->in);
    enum package_err err = next_line(r);
    if (err == PACKAGE_OK && !slice_eq(r->text, slice_of(FIRST, sizeof FIRST - 2))) {
        err = PACKAGE_EFORMAT;
    }
    for (*parts = 0; err == PACKAGE_OK; ++*parts) {
        err = next_line(r);
        if (err != PACKAGE_OK || (r->text.n > 0 && r->text.p[0] == '=')) {
            break;
        }
        err = *parts < PACKAGE_PARTS_MAX ? visit(ctx, *parts, r->text) : PACKAGE_EFORMAT;
    }
    if (err == PACKAGE_OK && getc(r->in) != EOF) {
        err = PACKAGE_EFORMAT;
    }
    return err;
}

static enum package_err hash_line(void *ctx, uint64_t i, struct slice line)
{
    (void)i;
    crypto_hasher_add(ctx, line.p, line.n);
    crypto_hasher_add(ctx, "\n", 1);
    return PACKAGE_OK;
}

static bool claims_fit(const struct jwt *j, const uint8_t sm3[static CRYPTO_HASH_LEN],
                       uint64_t parts)
{
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];
    const json_t *n = json_object_get(j->claims, "parts");
    hex[codec_hex(hex, sm3, CRYPTO_HASH_LEN)] = '\0';
    return strcmp(jwt_text(j, "package_sm3"), hex) == 0 && json_is_integer(n) &&
           json_integer_value(n) == (json_int_t)parts;
}

enum package_err package_verify(FILE *in, const struct crypto_key *signer)
{
    struct reader r = {.in = in};
    struct crypto_hasher hasher;
    struct jwt j;
    uint8_t sm3[CRYPTO_HASH_LEN];
    uint64_t parts;
    crypto_hasher_init(&hasher, CRYPTO_SM3);
    crypto_hasher_add(&hasher, FIRST, sizeof FIRST - 1);
    enum package_err err = each_part(&r, hash_line, &hasher, &parts);
    crypto_hasher_end(&hasher, sm3);
    crypto_hasher_fini(&hasher);
    if (err == PACKAGE_OK) {
        err = PACKAGE_ESIGNATURE;
        if (jwt_read(&j, slice_of(r.text.p + 1, r.text.n - 1)) == JWT_OK) {
            err = jwt_verify(&j, signer) == JWT_OK && claims_fit(&j, sm3, parts)
                      ? PACKAGE_OK
                      : PACKAGE_ESIGNATURE;
            jwt_fini(&j);
        }
    }
    free(r.line);
    return err;
}

static enum package_err pass(void *ctx, uint64_t i, struct slice line)
{
    (void)ctx, (void)i, (void)line;
    return PACKAGE_OK;
}

enum package_err package_look(FILE *in, char kid[static PACKAGE_KID_MAX + 1], uint64_t *parts)
{
    struct reader r = {.in = in};
    struct jwt j;
    enum package_err err = each_part(&r, pass, NULL, parts);
    kid[0] = '\0';
    if (err == PACKAGE_OK) {
        err = PACKAGE_EFORMAT;
        if (jwt_read(&j, slice_of(r.text.p + 1, r.text.n - 1)) == JWT_OK) {
            const char *said = json_string_value(json_object_get(j.header, "kid"));
            if (said == NULL || strlen(said) <= PACKAGE_KID_MAX) {
                snprintf(kid, PACKAGE_KID_MAX + 1, "%s", said != NULL ? said : "");
                err = PACKAGE_OK;
            }
            jwt_fini(&j);
        }
    }
    free(r.line);
    return err;
}

struct opening {
    struct jwe_key *own;
    struct crypto_policy policy;
    int64_t now_ms;
    package_take take;
    void *ctx;
    struct buf plain;
};

static enum package_err open_line(void *ctx, uint64_t i, struct slice line)
{
    struct opening *o = ctx;
    char cty[JWE_CTY_MAX + 1];
    buf_clear(&o->plain);
    enum jwe_err err = jwe_open(&o->own, 1, &o->policy, o->now_ms, line, &o->plain, cty);
    if (err != JWE_OK) {
        return err == JWE_EMEMORY ? PACKAGE_EMEMORY : PACKAGE_EOPEN;
    }
    struct slice plain = o->plain.n > 0 ? buf_slice(&o->plain) : SLICE("");
    return o->take(o->ctx, i, cty, plain) ? PACKAGE_OK : PACKAGE_EIO;
}

enum package_err package_open(FILE *in, struct jwe_key *own, int64_t now_ms, package_take take,
                              void *ctx)
{
    struct reader r = {.in = in};
    struct opening o = {.own = own, .now_ms = now_ms, .take = take, .ctx = ctx};
    uint64_t parts;
    crypto_policy_init(&o.policy);
    buf_init(&o.plain);
    enum package_err err = each_part(&r, open_line, &o, &parts);
    buf_wipe(&o.plain);
    free(r.line);
    return err;
}
