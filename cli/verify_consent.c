/* SPDX-License-Identifier: Apache-2.0 */
#include "verify_consent.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "crypto/crypto.h"
#include "file.h"
#include "jwt/jwt.h"

#define EVIDENCE_MAX (4u << 20) /* bytes */
#define TYP          "consent-evidence+jwt"

static int cannot(const char *path, const char *why)
{
    fprintf(stderr, "sluice verify: %s: %s\n", path, why);
    return 2;
}

static int invalid(const char *why)
{
    printf("consent: NOT VALID\n  because    %s\n", why);
    return 1;
}

/* One part of a JWS in compact form; NULL: no object. */
static json_t *part_json(struct slice part)
{
    uint8_t *bytes = malloc(part.n + 1);
    size_t n = 0;
    json_t *v = NULL;

    if (bytes && codec_unbase64url(bytes, part.n, &n, part.p, part.n)) {
        v = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
    }
    free(bytes);
    if (!json_is_object(v)) {
        json_decref(v);
        return NULL;
    }
    return v;
}

/* The algorithm is the key's own, and the text has to say the same (RFC 8725 3.1). */
static bool verified(const struct proof_keys *keys, const json_t *header, struct slice covered,
                     const uint8_t *sig, size_t sig_n)
{
    const char *alg = json_string_value(json_object_get(header, "alg")),
               *kid = json_string_value(json_object_get(header, "kid"));

    for (size_t i = 0; alg && i < keys->n; i++) {
        const struct crypto_key *key = keys->list[i].key;
        if ((keys->list[i].id && (!kid || strcmp(keys->list[i].id, kid) != 0)) ||
            strcmp(alg, jwt_alg_name(key)) != 0) {
            continue;
        }
        if (crypto_key_verify(key, crypto_key_alg(key), covered.p, covered.n, sig, sig_n) ==
            CRYPTO_OK) {
            return true;
        }
    }
    return false;
}

static const char *text_of(const json_t *row, const char *name)
{
    const char *s = json_string_value(json_object_get(row, name));
    return s ? s : "-";
}

/* What is said comes from people: bytes of a terminal's own language stay out of it. */
static void put_safely(const char *text)
{
    for (const char *s = text; *s; s++) {
        unsigned char c = (unsigned char)*s;
        putchar(c >= 0x20 && c != 0x7f ? c : ' ');
    }
}

static void print_text(const char *what, const char *text)
{
    printf("  %-10s ", what);
    put_safely(text);
    putchar('\n');
}

static void print_acts(const json_t *acts)
{
    json_t *act;
    size_t i;

    json_array_foreach(acts, i, act)
    {
        print_text(text_of(act, "action"), text_of(act, "at"));
        printf("  %-10s by ", "");
        put_safely(text_of(act, "actor"));
        putchar('\n');
    }
}

static bool statement_fits(const json_t *grant)
{
    const char *said = json_string_value(json_object_get(grant, "statement"));
    uint8_t digest[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];

    if (!said) {
        return true; /* there was none to keep */
    }
    crypto_hash(CRYPTO_SM3, said, strlen(said), digest);
    hex[codec_hex(hex, digest, sizeof digest)] = '\0';
    return strcmp(hex, text_of(grant, "statement_sm3")) == 0;
}

static int report(const json_t *claims)
{
    const json_t *grant = json_object_get(claims, "grant");
    static const char *const shown[] = {
        "id",  "state",   "app_id",   "api_id",     "owner",      "purpose",   "term",
        "act", "channel", "given_by", "created_at", "expires_at", "statement", "revoked_by"};

    if (!json_is_object(grant) || !statement_fits(grant)) {
        return invalid("it is signed, but its statement is not the one whose digest was kept");
    }
    printf("consent: valid\n");
    print_text("issuer", text_of(claims, "iss"));
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        print_text(shown[i], text_of(grant, shown[i]));
    }
    print_acts(json_object_get(claims, "acts"));
    return 0;
}

static int check(const struct proof_keys *keys, struct slice text)
{
    const char *first = memchr(text.p, '.', text.n), *last = text.p + text.n;
    uint8_t sig[CRYPTO_SIG_MAX];
    size_t sig_n = 0;

    while (last > text.p && last[-1] != '.') {
        last--;
    }
    if (!first || last <= first + 1) {
        return invalid("it is not a signed text in three parts");
    }
    struct slice covered = slice_of(text.p, (size_t)(last - 1 - text.p));
    struct slice tail = slice_of(last, (size_t)(text.p + text.n - last));
    json_t *header = part_json(slice_of(text.p, (size_t)(first - text.p)));
    json_t *claims = part_json(slice_of(first + 1, (size_t)(last - 1 - (first + 1))));
    int code = 0;
    if (!header || !claims || !codec_unbase64url(sig, sizeof sig, &sig_n, tail.p, tail.n) ||
        strcmp(text_of(header, "typ"), TYP) != 0 || json_object_get(header, "crit")) {
        code = invalid("it is no evidence of a consent");
    } else {
        code = verified(keys, header, covered, sig, sig_n)
                   ? report(claims)
                   : invalid("none of the keys made its signature");
    }
    json_decref(header);
    json_decref(claims);
    return code;
}

int verify_consent(const char *path, const struct proof_keys *keys)
{
    struct buf file;

    buf_init(&file);
    if (!file_read(path, EVIDENCE_MAX, &file)) {
        int code = cannot(path, strerror(errno));
        buf_fini(&file);
        return code;
    }
    json_t *whole = json_loadb(file.n ? file.p : "", file.n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *text = json_object_get(whole, "signed");
    int code = json_is_string(text)
                   ? check(keys, slice_of(json_string_value(text), json_string_length(text)))
                   : cannot(path, "a JSON object with the member signed is needed");
    json_decref(whole);
    buf_fini(&file);
    return code;
}
