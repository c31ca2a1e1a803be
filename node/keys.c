/* SPDX-License-Identifier: Apache-2.0 */
#include "node/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/key.h"
#include "crypto/keystore.h"

#define PATH_ROOM 600

static const struct {
    const char *name, *use, *alg;
    enum crypto_key_kind kind;
    bool published; /* as PEM beside it too, for `sluice verify` */
} rows[] = {
    {"answer", "sig", "sm2-sm3", CRYPTO_KEY_SM2, true},
    {"body-sm2", "enc", "SM2", CRYPTO_KEY_SM2, false},
    {"body-ec", "enc", "ECDH-ES", CRYPTO_KEY_P256, false},
};

static bool complain(const char *path, const char *why)
{
    fprintf(stderr, "sluice: gateway: %s: %s\n", path, why);
    return false;
}

/* Whole or not at all: a start that dies half way leaves no half a key behind. */
static bool write_file(const char *path, mode_t mode, const char *text)
{
    char temporary[PATH_ROOM + 8];
    size_t n = strlen(text);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
    ok = (fd < 0 || close(fd) == 0) && ok && rename(temporary, path) == 0;
    return ok || complain(path, strerror(errno));
}

static bool make_key(const char *path, enum crypto_key_kind kind)
{
    struct crypto_key *key = crypto_key_new(kind);
    char *pem = crypto_key_private_pem(key);
    crypto_key_free(&key);
    if (pem == NULL) {
        return complain(path, "a key cannot be made");
    }
    enum crypto_err err = crypto_keystore_write(path, false, slice_str(pem));
    crypto_wipe(pem, strlen(pem));
    free(pem);
    return err == CRYPTO_OK || complain(path, crypto_strerror(err));
}

static bool publish(const char *path, const struct crypto_key *key)
{
    char *pem = crypto_key_public_pem(key);
    bool ok = pem != NULL && write_file(path, 0644, pem);
    free(pem);
    return ok;
}

static bool add_jwk(json_t *set, const struct crypto_key *key, size_t row)
{
    char *text = crypto_key_jwk(key);
    json_t *jwk = text == NULL ? NULL : json_loads(text, 0, NULL);
    free(text);
    bool ok = jwk != NULL && json_object_set_new(jwk, "use", json_string(rows[row].use)) == 0 &&
              json_object_set_new(jwk, "alg", json_string(rows[row].alg)) == 0;
    return json_array_append_new(set, jwk) == 0 && ok;
}

static bool ensure(const char *data_dir, size_t row, json_t *set)
{
    char path[PATH_ROOM], public_path[PATH_ROOM];
    struct crypto_key *key = NULL;
    int n = snprintf(path, sizeof path, "%s/keys/%s.key", data_dir, rows[row].name);
    if (n < 0 || (size_t)n >= sizeof path) {
        return complain(data_dir, "this path is too long");
    }
    snprintf(public_path, sizeof public_path, "%s/keys/%s.pub", data_dir, rows[row].name);
    if (access(path, F_OK) != 0 && (errno != ENOENT || !make_key(path, rows[row].kind))) {
        return false;
    }
    enum crypto_err err = crypto_key_load_file(&key, CRYPTO_KEY_PAIR, path);
    if (err != CRYPTO_OK || crypto_key_kind(key) != rows[row].kind) {
        crypto_key_free(&key);
        return complain(path, err == CRYPTO_OK ? "a key of another kind" : crypto_strerror(err));
    }
    err = crypto_keystore_seal_file(path); /* one from before there was a key store */
    if (err != CRYPTO_OK) {
        crypto_key_free(&key);
        return complain(path, crypto_strerror(err));
    }
    bool ok = add_jwk(set, key, row) && (!rows[row].published || publish(public_path, key));
    crypto_key_free(&key);
    return ok;
}

bool node_keys_ensure(const char *data_dir)
{
    char path[PATH_ROOM];
    json_t *set = json_array();
    bool ok = set != NULL;
    for (size_t i = 0; ok && i < sizeof rows / sizeof *rows; i++) {
        ok = ensure(data_dir, i, set);
    }
    json_t *root = json_pack("{s:O}", "keys", set);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    int n = snprintf(path, sizeof path, "%s/gateway/state/keys.json", data_dir);
    ok = ok && text != NULL && n > 0 && (size_t)n < sizeof path && write_file(path, 0644, text);
    free(text);
    json_decref(root);
    json_decref(set);
    return ok;
}
