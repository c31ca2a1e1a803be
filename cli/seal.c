/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice seal` and `sluice open`: bodies as JWE, in the suite of the key given. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli.h"
#include "file.h"
#include "jwe/jwe.h"
#include "proof.h"
#include "unknown.h"

#define FILE_BYTES_MAX (64u << 20)

static const char help[] =
    "usage: sluice seal --key FILE [--kid ID] [--type TYPE] FILE\n"
    "       sluice open --key FILE FILE\n\n"
    "seal   prints FILE as a compact JWE that only the owner of the key can open: SM2 with SM4GCM\n"
    "       for an SM2 key, ECDH-ES with A256GCM for a P-256 key.\n"
    "open   prints what is sealed in FILE; its type goes to stderr. Exit code 1: it was altered, "
    "or\n"
    "       is for another key.\n\n"
    "  --key FILE   seal: public key or certificate (PEM), JWK or JWK set; open: private key "
    "(PEM)\n"
    "  --kid ID     which key of the set, and what the header calls it; else its SM3\n"
    "  --type TYPE  media type of FILE: application/json\n"
    "  FILE         - is standard input\n\n"
    "examples:\n"
    "  sluice seal --key keys.json --kid $KID order.json > order.jose\n"
    "  sluice call --type application/jose --body order.jose … | sluice open --key app.key -\n";

struct options {
    const char *key, *kid, *type, *file;
};

static const struct {
    const char *name;
    size_t at;
} options[] = {
    {"--key", offsetof(struct options, key)},
    {"--kid", offsetof(struct options, kid)},
    {"--type", offsetof(struct options, type)},
};
#define OPTIONS (sizeof options / sizeof *options)

static int fail(const char *command, const char *what, const char *why, int code)
{
    fprintf(stderr, "sluice %s: %s%s%s\n", command, what, *why != '\0' ? ": " : "", why);
    return code;
}

/* -1: go on; else the exit code. */
static int read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.type = "application/json"};
    for (int i = 1; i < argc; i++) {
        size_t row = 0;
        while (row < OPTIONS && strcmp(argv[i], options[row].name) != 0) {
            row++;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (row < OPTIONS && i + 1 < argc) {
            const char *value = argv[++i];
            memcpy((char *)o + options[row].at, &value, sizeof value);
        } else if (row < OPTIONS) {
            return fail(argv[0], argv[i], "needs a value after it", 2);
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            cli_unknown_option(argv[0], argv[i], &options[0].name, OPTIONS, sizeof *options);
            return 2;
        } else {
            o->file = argv[i];
        }
    }
    return o->key != NULL && o->file != NULL
               ? -1
               : fail(argv[0], "--key and a file are needed", "--help shows examples", 2);
}

static bool read_input(const char *command, const char *path, struct buf *out)
{
    const char *from = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    bool good = file_read(from, FILE_BYTES_MAX, out);
    if (!good) {
        fail(command, path, strerror(errno), 2);
    }
    return good;
}

/* The one key of the file, or that which --kid names. */
static struct jwe_key *recipient(const struct options *o)
{
    struct proof_keys keys;
    const char *why = proof_keys_load(&keys, o->key);
    struct jwe_key *to = NULL;
    for (size_t i = 0; i < keys.n && why == NULL && to == NULL; i++) {
        const char *id =
            keys.list[i].id != NULL ? keys.list[i].id : crypto_key_id(keys.list[i].key);
        if (keys.n == 1 || (o->kid != NULL && strcmp(o->kid, id) == 0)) {
            to = jwe_key_take(&keys.list[i].key, slice_str(o->kid != NULL ? o->kid : id));
            why = to == NULL ? "neither an SM2 nor a P-256 key" : NULL;
        }
    }
    if (to == NULL) {
        fail("seal", o->key, why != NULL ? why : "--kid must name one of its keys", 2);
    }
    proof_keys_fini(&keys);
    return to;
}

static int print(const struct buf *out)
{
    return fwrite(out->p, 1, out->n, stdout) == out->n && fflush(stdout) == 0 ? 0 : 1;
}

int cli_seal(int argc, char **argv)
{
    struct options o;
    struct buf plain, sealed;
    int code = read_options(&o, argc, argv);
    if (code >= 0) {
        return code;
    }
    buf_init(&plain);
    buf_init(&sealed);
    struct jwe_key *to = recipient(&o);
    code = to != NULL && read_input("seal", o.file, &plain) ? 0 : 2;
    if (code == 0) {
        enum jwe_err err = jwe_seal(to, slice_str(o.type), buf_slice(&plain), &sealed);
        code = err == JWE_OK ? print(&sealed) : fail("seal", jwe_strerror(err), "", 1);
    }
    jwe_key_free(&to);
    buf_wipe(&plain);
    buf_fini(&sealed);
    return code;
}

static int open_text(struct slice sealed, struct crypto_key *key)
{
    struct crypto_policy policy;
    struct buf plain;
    char cty[JWE_CTY_MAX + 1], kid[JWE_KID_MAX + 1];
    bool named = jwe_kid(sealed, kid) && kid[0] != '\0';
    struct jwe_key *own = jwe_key_take(&key, named ? slice_str(kid) : SLICE("own"));
    crypto_policy_init(&policy);
    buf_init(&plain);
    enum jwe_err err =
        own == NULL ? JWE_EKEY
                    : jwe_open(&own, 1, &policy, (int64_t)clock_wall_ms(), sealed, &plain, cty);
    if (err == JWE_OK) {
        fprintf(stderr, "%s\n", cty);
    }
    int code = err == JWE_OK ? print(&plain) : fail("open", jwe_strerror(err), "", 1);
    jwe_key_free(&own);
    buf_wipe(&plain);
    return code;
}

int cli_open(int argc, char **argv)
{
    struct options o;
    struct buf sealed;
    struct crypto_key *key = NULL;
    int code = read_options(&o, argc, argv);
    if (code >= 0) {
        return code;
    }
    enum crypto_err err = crypto_key_load_file(&key, CRYPTO_KEY_PAIR, o.key);
    if (err != CRYPTO_OK) {
        return fail("open", o.key, crypto_strerror(err), 2);
    }
    buf_init(&sealed);
    if (!read_input("open", o.file, &sealed)) {
        crypto_key_free(&key);
        buf_fini(&sealed);
        return 2;
    }
    while (sealed.n > 0 && (sealed.p[sealed.n - 1] == '\n' || sealed.p[sealed.n - 1] == '\r')) {
        sealed.n--; /* an editor's, no part of the text */
    }
    code = open_text(buf_slice(&sealed), key);
    buf_fini(&sealed);
    return code;
}
