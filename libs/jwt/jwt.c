/* SPDX-License-Identifier: Apache-2.0 */
#include "jwt/jwt.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/codec.h"

#define SECONDS_MAX 253402300799 /* the end of 9999 */

static const struct {
    const char *name;
    enum crypto_alg alg;
    bool ps256;
} algorithms[] = {
    {"ES256", CRYPTO_ALG_ECDSA_P256_SHA256, false},
    {"PS512", CRYPTO_ALG_RSA_PSS_SHA512, false}, /* before PS256: the one that is written */
    {"PS256", CRYPTO_ALG_RSA_PSS_SHA512, true},
    {"SM2SM3", CRYPTO_ALG_SM2_SM3, false},
};
#define ALGORITHMS (sizeof algorithms / sizeof *algorithms)

static json_t *part_json(struct slice part)
{
    uint8_t bytes[JWT_TEXT_MAX];
    size_t n = 0;

    if (part.n == 0 || !codec_unbase64url(bytes, sizeof bytes, &n, part.p, part.n)) {
        return NULL;
    }
    json_t *v = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(v)) {
        json_decref(v);
        return NULL;
    }
    return v;
}

static bool find_algorithm(const json_t *header, struct jwt *j)
{
    const char *name = json_string_value(json_object_get(header, "alg"));

    for (size_t i = 0; name && i < ALGORITHMS; i++) {
        if (strcmp(algorithms[i].name, name) == 0) {
            j->alg = algorithms[i].alg;
            j->ps256 = algorithms[i].ps256;
            return true;
        }
    }
    return false;
}

/* Three parts between two dots. */
static bool split(struct slice text, struct slice part[static 3])
{
    const char *first = memchr(text.p, '.', text.n), *end = text.p + text.n;
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;

    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1))) {
        return false;
    }
    part[0] = slice_of(text.p, (size_t)(first - text.p));
    part[1] = slice_of(first + 1, (size_t)(second - first - 1));
    part[2] = slice_of(second + 1, (size_t)(end - second - 1));
    return true;
}

enum jwt_err jwt_read(struct jwt *j, struct slice text)
{
    struct slice part[3];
    struct jwt read = {0};

    if (text.n == 0 || text.n > JWT_TEXT_MAX || !split(text, part) || part[2].n == 0 ||
        !codec_unbase64url(read.sig, sizeof read.sig, &read.sig_n, part[2].p, part[2].n)) {
        return JWT_EFORMAT;
    }
    read.signed_part = slice_of(text.p, part[0].n + 1 + part[1].n);
    read.header = part_json(part[0]);
    read.claims = read.header ? part_json(part[1]) : NULL;
    enum jwt_err err = !read.claims                           ? JWT_EFORMAT
                       : json_object_get(read.header, "crit") ? JWT_ECRITICAL
                       : json_object_get(read.header, "b64")  ? JWT_ECRITICAL
                       : !find_algorithm(read.header, &read)  ? JWT_EALGORITHM
                                                              : JWT_OK;
    if (err != JWT_OK) {
        jwt_fini(&read);
        return err;
    }
    *j = read;
    return JWT_OK;
}

void jwt_fini(struct jwt *j)
{
    json_decref(j->header);
    json_decref(j->claims);
    *j = (struct jwt){0};
}

enum jwt_err jwt_verify(const struct jwt *j, const struct crypto_key *key)
{
    if (j->alg != crypto_key_alg(key)) {
        return JWT_EALGORITHM;
    }
    enum crypto_err err =
        j->ps256
            ? crypto_key_verify_ps256(key, j->signed_part.p, j->signed_part.n, j->sig, j->sig_n)
            : crypto_key_verify(key, j->alg, j->signed_part.p, j->signed_part.n, j->sig, j->sig_n);
    return err == CRYPTO_OK ? JWT_OK : JWT_ESIGNATURE;
}

const char *jwt_text(const struct jwt *j, const char *claim)
{
    const char *s = json_string_value(json_object_get(j->claims, claim));
    return s ? s : "";
}

bool jwt_seconds(const struct jwt *j, const char *claim, uint64_t *s)
{
    const json_t *v = json_object_get(j->claims, claim);
    double n = json_number_value(v);

    if (!json_is_number(v) || !(n >= 0 && n <= SECONDS_MAX)) {
        return false;
    }
    *s = (uint64_t)n;
    return true;
}

const char *jwt_alg_name(const struct crypto_key *key)
{
    size_t i = 0;

    while (i < ALGORITHMS && algorithms[i].alg != crypto_key_alg(key)) {
        i++;
    }
    return i < ALGORITHMS ? algorithms[i].name : "none";
}

static void add_part(struct buf *out, const void *bytes, size_t n)
{
    if (buf_reserve(out, CODEC_BASE64URL_LEN(n))) {
        out->n += codec_base64url(out->p + out->n, bytes, n);
    }
}

static void add_json(struct buf *out, const json_t *v)
{
    char *text = v ? json_dumps(v, JSON_COMPACT) : NULL;

    if (text) {
        add_part(out, text, strlen(text));
    } else {
        out->failed = true;
    }
    free(text);
}

char *jwt_write(const struct crypto_key *key, const char *kid, const char *typ,
                const json_t *claims)
{
    json_t *header = json_pack("{s:s, s:s, s:s}", "alg", jwt_alg_name(key), "typ", typ, "kid", kid);
    uint8_t sig[CRYPTO_SIG_MAX];
    size_t sig_n = 0;
    struct buf out;

    buf_init(&out);
    add_json(&out, header);
    buf_addc(&out, '.');
    add_json(&out, claims);
    json_decref(header);
    if (out.failed ||
        crypto_key_sign(key, crypto_key_alg(key), out.p, out.n, sig, &sig_n) != CRYPTO_OK) {
        buf_fini(&out);
        return NULL;
    }
    buf_addc(&out, '.');
    add_part(&out, sig, sig_n);
    buf_addc(&out, '\0');
    if (out.failed) {
        buf_fini(&out);
        return NULL;
    }
    return out.p;
}
