/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice package`: offline packages, with no platform at hand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "cli.h"
#include "file.h"
#include "package/package.h"
#include "proof.h"
#include "unknown.h"

#define PIECE_BYTES (4u << 20)
#define FILE_MAX    (256u << 20)

static const char help[] =
    "usage: sluice package verify --signer KEYS PACKAGE\n"
    "       sluice package open --key OWN --signer KEYS [--manifest FILE] PACKAGE > FILE\n"
    "       sluice package seal --to KEY --key OWN [--kid NAME] [--type MEDIA] FILE > PACKAGE\n\n"
    "A package is sealed to one receiver and signed by who made it; it travels by any way.\n"
    "verify says whether it is whole and whose; open verifies first, writes what is inside to\n"
    "standard output and checks it against the manifest; seal makes one, for the platform.\n"
    "Exit code: 0 done, 1 the package is not good, 2 wrong options or unreadable files.\n\n"
    "  --signer KEYS    public key (PEM), JWK or JWK set of who signed: of the platform's "
    "packages\n"
    "                   what GET /api/v1/keys answers\n"
    "  --key OWN        your private key (PEM): it opens what was sealed to you, or signs\n"
    "  --to KEY         public key of the receiver; of the platform the key of purpose packages\n"
    "                   among those GET /api/v1/keys answers\n"
    "  --manifest FILE  where the manifest goes (without it, nowhere)\n\n"
    "examples:\n"
    "  curl -s https://platform/api/v1/keys > keys.json\n"
    "  sluice package open --key own.pem --signer keys.json orders.pkg > orders.csv.gz\n"
    "  sluice package seal --to platform.pub --key own.pem orders.csv > orders.pkg\n";

struct options {
    const char *signer, *key, *to, *kid, *type, *manifest, *file;
};
static const struct {
    const char *name;
    size_t at;
} options[] = {
    {"--signer", offsetof(struct options, signer)},
    {"--key", offsetof(struct options, key)},
    {"--to", offsetof(struct options, to)},
    {"--kid", offsetof(struct options, kid)},
    {"--type", offsetof(struct options, type)},
    {"--manifest", offsetof(struct options, manifest)},
};
#define OPTIONS (sizeof options / sizeof *options)

static int fail(const char *what, const char *why, int code)
{
    fprintf(stderr, "sluice package: %s: %s\n", what, why);
    return code;
}

static bool read_options(struct options *o, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        size_t row = 0;
        while (row < OPTIONS && strcmp(options[row].name, argv[i]) != 0) {
            row++;
        }
        if (row < OPTIONS && i + 1 < argc) {
            const char *value = argv[++i];
            memcpy((char *)o + options[row].at, &value, sizeof value);
        } else if (row == OPTIONS && argv[i][0] != '-' && o->file == NULL) {
            o->file = argv[i];
        } else {
            cli_unknown_option("package", argv[i], &options[0].name, OPTIONS, sizeof *options);
            return false;
        }
    }
    return o->file != NULL;
}

/* By whichever of the keys; the one its signature names first. */
static int verify(const struct options *o, FILE *in)
{
    struct proof_keys keys;
    char kid[PACKAGE_KID_MAX + 1];
    uint64_t parts;
    const char *why = proof_keys_load(&keys, o->signer);
    if (why != NULL) {
        proof_keys_fini(&keys);
        return fail(o->signer, why, 2);
    }
    enum package_err err = package_look(in, kid, &parts);
    if (err == PACKAGE_OK) {
        err = PACKAGE_ESIGNATURE;
        for (size_t i = 0; i < keys.n && err == PACKAGE_ESIGNATURE; i++) {
            err = package_verify(in, keys.list[i].key);
        }
    }
    proof_keys_fini(&keys);
    return err == PACKAGE_OK ? 0 : fail(o->file, package_strerror(err), 1);
}

struct opened {
    struct crypto_hasher hasher;
    json_t *manifest;
    const char *path;
};

static bool take(void *ctx, uint64_t part, const char *cty, struct slice plain)
{
    struct opened *o = ctx;
    if (part > 0) {
        crypto_hasher_add(&o->hasher, plain.p, plain.n);
        return fwrite(plain.p, 1, plain.n, stdout) == plain.n;
    }
    o->manifest = strcmp(cty, PACKAGE_JSON) == 0 ? json_loadb(plain.p, plain.n, 0, NULL) : NULL;
    FILE *f = o->path != NULL ? fopen(o->path, "w") : NULL;
    bool ok = o->path == NULL || (f != NULL && fwrite(plain.p, 1, plain.n, f) == plain.n);
    return (f == NULL || fclose(f) == 0) && ok;
}

static bool as_said(struct opened *o)
{
    uint8_t sm3[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN) + 1];
    crypto_hasher_end(&o->hasher, sm3);
    hex[codec_hex(hex, sm3, sizeof sm3)] = '\0';
    const json_t *file = json_array_get(json_object_get(o->manifest, "files"), 0);
    const char *said = json_string_value(json_object_get(file, "sm3"));
    return said != NULL && strcmp(said, hex) == 0;
}

static int open_it(const struct options *o, FILE *in)
{
    struct crypto_key *key = NULL;
    struct opened opened = {.path = o->manifest};
    int code = verify(o, in);
    if (code != 0) {
        return code;
    }
    enum crypto_err key_err = crypto_key_load_file(&key, CRYPTO_KEY_PAIR, o->key);
    if (key_err != CRYPTO_OK) {
        return fail(o->key, crypto_strerror(key_err), 2);
    }
    char kid[JWE_KID_MAX + 1] = "";
    char line[JWE_HEADER_MAX * 2] = "";
    rewind(in);
    bool there = fgets(line, sizeof line, in) != NULL;
    there = there && fgets(line, sizeof line, in) != NULL; /* the second line */
    if (!there || !jwe_kid(slice_of(line, strcspn(line, "\n")), kid) || kid[0] == '\0') {
        snprintf(kid, sizeof kid, "own");
    }
    struct jwe_key *own = jwe_key_take(&key, slice_str(kid));
    if (own == NULL) {
        return fail(o->key, "neither an SM2 nor a P-256 key", 2);
    }
    crypto_hasher_init(&opened.hasher, CRYPTO_SM3);
    enum package_err err = package_open(in, own, (int64_t)clock_wall_ms(), take, &opened);
    bool whole = err == PACKAGE_OK && fflush(stdout) == 0;
    if (whole && !as_said(&opened)) {
        err = PACKAGE_EFORMAT;
    }
    crypto_hasher_fini(&opened.hasher);
    json_decref(opened.manifest);
    jwe_key_free(&own);
    return err == PACKAGE_OK ? 0 : fail(o->file, package_strerror(err), 1);
}

static struct jwe_key *receiver(const struct options *o)
{
    struct proof_keys keys;
    const char *why = proof_keys_load(&keys, o->to);
    struct jwe_key *to = NULL;
    if (why == NULL && keys.n == 1) {
        const char *id =
            keys.list[0].id != NULL ? keys.list[0].id : crypto_key_id(keys.list[0].key);
        char kid[JWE_KID_MAX + 1];
        snprintf(kid, sizeof kid, "%s", id);
        to = jwe_key_take(&keys.list[0].key, slice_str(kid));
    }
    if (to == NULL) {
        fail(o->to, why != NULL ? why : "one SM2 or P-256 key is needed", 2);
    }
    proof_keys_fini(&keys);
    return to;
}

/* A manifest of one file, as the platform's have it. */
static char *manifest_of(const struct options *o, struct slice content)
{
    uint8_t sm3[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
    const char *name = strrchr(o->file, '/');
    crypto_hash(CRYPTO_SM3, content.p, content.n, sm3);
    json_t *json = json_pack("{s:[{s:s, s:I, s:s, s:s%}]}", "files", "name",
                             name != NULL ? name + 1 : o->file, "bytes", (json_int_t)content.n,
                             "media_type", o->type != NULL ? o->type : "application/octet-stream",
                             "sm3", hex, codec_hex(hex, sm3, sizeof sm3));
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(json);
    return text;
}

static int seal(const struct options *o)
{
    struct crypto_key *signer = NULL;
    struct package_writer w;
    struct buf content;
    buf_init(&content);
    enum crypto_err key_err = crypto_key_load_file(&signer, CRYPTO_KEY_PAIR, o->key);
    struct jwe_key *to = key_err == CRYPTO_OK ? receiver(o) : NULL;
    int code = key_err != CRYPTO_OK ? fail(o->key, crypto_strerror(key_err), 2)
               : to == NULL         ? 2
                                    : 0;
    if (code == 0 && !file_read(o->file, FILE_MAX, &content)) {
        code = fail(o->file, strerror(errno), 2);
    }
    if (code == 0) {
        struct slice left = content.n > 0 ? buf_slice(&content) : SLICE("");
        char *manifest = manifest_of(o, left);
        package_begin(&w, stdout);
        package_add(&w, to, SLICE(PACKAGE_JSON), slice_str(manifest != NULL ? manifest : ""));
        for (size_t n; left.n > 0; left = slice_of(left.p + n, left.n - n)) {
            n = left.n < PIECE_BYTES ? left.n : PIECE_BYTES;
            package_add(&w, to, slice_str(o->type != NULL ? o->type : "application/octet-stream"),
                        slice_of(left.p, n));
        }
        enum package_err err =
            package_end(&w, signer, o->kid != NULL ? o->kid : crypto_key_id(signer));
        free(manifest);
        code = err == PACKAGE_OK ? 0 : fail(o->file, package_strerror(err), 1);
    }
    crypto_key_free(&signer);
    jwe_key_free(&to);
    buf_wipe(&content);
    return code;
}

int cli_package(int argc, char **argv)
{
    struct options o = {0};
    const char *verb = argc > 1 ? argv[1] : "";
    bool sealing = strcmp(verb, "seal") == 0, opening = strcmp(verb, "open") == 0;
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if ((!sealing && !opening && strcmp(verb, "verify") != 0) || !read_options(&o, argc, argv) ||
        (sealing ? o.to == NULL || o.key == NULL
                 : o.signer == NULL || (opening && o.key == NULL))) {
        return fail(verb, "'sluice package --help' shows what it takes", 2);
    }
    if (sealing) {
        return seal(&o);
    }
    FILE *in = fopen(o.file, "r");
    if (in == NULL) {
        return fail(o.file, strerror(errno), 2);
    }
    int code = opening ? open_it(&o, in) : verify(&o, in);
    fclose(in);
    return code;
}
