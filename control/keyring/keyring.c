/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring/inner.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/codec.h"
#include "core.h"
#include "crypto/keystore.h"

#define FILE_NOW  "master.key"
#define FILE_NEXT "master.next.key"
#define KEPT_NAME "kept_keys" /* in meta, and bound into what is sealed there */
#define KEPT_LEN  (KEYRING_KEPT * CRYPTO_KEY_LEN)

static const char *const labels[KEYRING_KEPT] = {
    [KEYRING_NUMBERS] = "identity.number",
    [KEYRING_SUPPLY] = "supply.key",
    [KEYRING_FORMS] = "web.form",
    [KEYRING_SIGN_ON] = "peers.sign-on",
};

bool keyring_complain(const char *path, enum crypto_err err)
{
    fprintf(stderr, "sluice: control: %s: %s\n", path,
            err == CRYPTO_EIO ? strerror(errno) : crypto_strerror(err));
    return false;
}

void keyring_path(const struct control *ctl, const char *name, char out[static PATH_MAX])
{
    snprintf(out, PATH_MAX, "%.*s/keys/%s", PATH_MAX - 64, ctl->cfg->data_dir, name);
}

/* Files --------------------------------------------------------------------------------------- */

bool keyring_load(struct control *ctl, const char *folder)
{
    struct keyring *ring = &ctl->keys;
    uint8_t now[CRYPTO_KEY_LEN], next[CRYPTO_KEY_LEN];
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%.*s/%s", PATH_MAX - 64, folder, FILE_NOW);
    enum crypto_err err = crypto_keyfile_create(path, now);
    if (err != CRYPTO_OK) {
        return keyring_complain(path, err);
    }
    crypto_derive(now, "store.secret", ring->key[0]);
    ring->n = 1;
    crypto_wipe(now, sizeof now);
    keyring_path(ctl, FILE_NEXT, path);
    err = crypto_keyfile_load(path, next);
    if (err == CRYPTO_EIO && errno == ENOENT) {
        return true;
    }
    if (err != CRYPTO_OK) {
        return keyring_complain(path, err);
    }
    memcpy(ring->key[1], ring->key[0], CRYPTO_KEY_LEN);
    crypto_derive(next, "store.secret", ring->key[0]);
    ring->n = crypto_equal(ring->key[0], ring->key[1], CRYPTO_KEY_LEN) ? 1 : 2;
    crypto_wipe(next, sizeof next);
    return true;
}

bool keyring_take_next(struct control *ctl)
{
    struct keyring *ring = &ctl->keys;
    uint8_t next[CRYPTO_KEY_LEN], key[CRYPTO_KEY_LEN];
    char path[PATH_MAX];

    keyring_path(ctl, FILE_NEXT, path);
    enum crypto_err err = crypto_keyfile_create(path, next);
    if (err != CRYPTO_OK) {
        return keyring_complain(path, err);
    }
    crypto_derive(next, "store.secret", key);
    crypto_wipe(next, sizeof next);
    pthread_rwlock_wrlock(&ring->lock);
    if (!crypto_equal(ring->key[0], key, CRYPTO_KEY_LEN)) {
        memcpy(ring->key[1], ring->key[0], CRYPTO_KEY_LEN);
        memcpy(ring->key[0], key, CRYPTO_KEY_LEN);
        ring->n = 2;
        ring->turn ^= 1;
    }
    pthread_rwlock_unlock(&ring->lock);
    crypto_wipe(key, sizeof key);
    return true;
}

bool keyring_drop_old(struct control *ctl)
{
    struct keyring *ring = &ctl->keys;
    uint8_t next[CRYPTO_KEY_LEN];
    char path[PATH_MAX], now[PATH_MAX];

    keyring_path(ctl, FILE_NEXT, path);
    keyring_path(ctl, FILE_NOW, now);
    enum crypto_err err = crypto_keyfile_load(path, next);
    if (err == CRYPTO_EIO && errno == ENOENT) {
        return ring->n == 1; /* killed behind the last step */
    }
    if (err == CRYPTO_OK) {
        err = crypto_keystore_write(now, true, slice_of((const char *)next, sizeof next));
    }
    crypto_wipe(next, sizeof next);
    if (err == CRYPTO_OK && unlink(path) != 0) {
        err = CRYPTO_EIO;
    }
    if (err != CRYPTO_OK) {
        return keyring_complain(path, err);
    }
    pthread_rwlock_wrlock(&ring->lock);
    ring->n = 1;
    crypto_wipe(ring->key[1], CRYPTO_KEY_LEN);
    pthread_rwlock_unlock(&ring->lock);
    return true;
}

/* Kept sub-keys ------------------------------------------------------------------------------- */

static enum store_err read_kept(struct store_txn *txn, uint8_t *sealed, size_t cap, size_t *n)
{
    static const char sql[] = "SELECT value FROM meta WHERE key = '" KEPT_NAME "'";
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, NULL, 0, &rows);

    *n = 0;
    if (err == STORE_OK && store_next(rows)) {
        const char *text = store_get_text(rows, 0);
        if (!codec_unbase64url(sealed, cap, n, text, strlen(text))) {
            *n = 1; /* there, and nothing that opens */
        }
    }
    return err == STORE_OK ? store_rows_end(&rows) : err;
}

static bool make_kept(struct control *ctl, struct store_txn *txn)
{
    uint8_t sealed[KEPT_LEN + CRYPTO_SEAL_EXTRA];
    char text[CODEC_BASE64URL_LEN(sizeof sealed) + 1];

    for (size_t i = 0; i < KEYRING_KEPT; i++) {
        crypto_derive(ctl->keys.key[0], labels[i], ctl->keys.kept[i]);
    }
    keyring_seal(ctl, SLICE(KEPT_NAME), ctl->keys.kept, KEPT_LEN, sealed);
    text[codec_base64url(text, sealed, sizeof sealed)] = '\0';
    const struct store_value v = store_text(text);
    return store_exec(txn, "INSERT INTO meta (key, value) VALUES ('" KEPT_NAME "', ?)", &v, 1,
                      NULL) == STORE_OK;
}

bool keyring_load_kept(struct control *ctl, struct store_txn *txn)
{
    uint8_t sealed[KEPT_LEN + CRYPTO_SEAL_EXTRA];
    size_t n = 0;

    if (read_kept(txn, sealed, sizeof sealed, &n) != STORE_OK) {
        return false;
    }
    if (n == 0) {
        return make_kept(ctl, txn);
    }
    if (n != sizeof sealed ||
        keyring_open(ctl, SLICE(KEPT_NAME), sealed, n, (uint8_t *)ctl->keys.kept) != CRYPTO_OK) {
        fprintf(stderr, "sluice: control: the store's own keys cannot be opened: is "
                        "keys/master.key the store's?\n");
        return false;
    }
    return true;
}

const uint8_t *keyring_kept(const struct control *ctl, enum keyring_kept which)
{
    return ctl->keys.kept[which];
}

void keyring_wipe(struct control *ctl)
{
    crypto_wipe(ctl->keys.key, sizeof ctl->keys.key);
    crypto_wipe(ctl->keys.kept, sizeof ctl->keys.kept);
    ctl->keys.n = 0;
}

/* Sealing ------------------------------------------------------------------------------------- */

/* The lock is no part of what a caller sees as constant. */
static struct keyring *ring_of(const struct control *ctl)
{
    return (struct keyring *)(uintptr_t)&ctl->keys;
}

static unsigned copy_keys(const struct control *ctl, uint8_t (*out)[CRYPTO_KEY_LEN])
{
    struct keyring *ring = ring_of(ctl);

    pthread_rwlock_rdlock(&ring->lock);
    unsigned n = ring->n;
    memcpy(out, ring->key, sizeof ring->key);
    pthread_rwlock_unlock(&ring->lock);
    return n;
}

void keyring_seal(const struct control *ctl, struct slice context, const void *in, size_t n,
                  uint8_t *out)
{
    uint8_t keys[2][CRYPTO_KEY_LEN];

    (void)copy_keys(ctl, keys);
    crypto_seal(keys[0], context, in, n, out);
    crypto_wipe(keys, sizeof keys);
}

enum crypto_err keyring_open_aged(const struct control *ctl, struct slice context, const void *in,
                                  size_t n, uint8_t *out, bool *old)
{
    uint8_t keys[2][CRYPTO_KEY_LEN];
    unsigned n_keys = copy_keys(ctl, keys);
    enum crypto_err err = CRYPTO_EVERIFY;

    *old = false;
    for (unsigned i = 0; i < n_keys && err == CRYPTO_EVERIFY; i++) {
        err = crypto_open(keys[i], context, in, n, out);
        *old = i > 0;
    }
    crypto_wipe(keys, sizeof keys);
    return err;
}

enum crypto_err keyring_open(const struct control *ctl, struct slice context, const void *in,
                             size_t n, uint8_t *out)
{
    bool old;

    return keyring_open_aged(ctl, context, in, n, out, &old);
}

static void id_of(const uint8_t key[static CRYPTO_KEY_LEN], char out[static KEYRING_ID_LEN + 1])
{
    uint8_t mark[CRYPTO_HASH_LEN];

    crypto_derive(key, "keyring.id", mark);
    out[codec_hex(out, mark, KEYRING_ID_LEN / 2)] = '\0';
}

void keyring_ids(const struct control *ctl, char newest[static KEYRING_ID_LEN + 1],
                 char other[static KEYRING_ID_LEN + 1])
{
    uint8_t keys[2][CRYPTO_KEY_LEN];
    unsigned n = copy_keys(ctl, keys);

    id_of(keys[0], newest);
    other[0] = '\0';
    if (n == 2) {
        id_of(keys[1], other);
    }
    crypto_wipe(keys, sizeof keys);
}

/* Calls under way ----------------------------------------------------------------------------- */

unsigned keyring_enter(struct control *ctl)
{
    pthread_rwlock_rdlock(&ctl->keys.lock);
    unsigned turn = ctl->keys.turn;
    ctl->keys.calls[turn]++;
    pthread_rwlock_unlock(&ctl->keys.lock);
    return turn;
}

void keyring_leave(struct control *ctl, unsigned turn)
{
    ctl->keys.calls[turn]--;
}

void keyring_turn(struct control *ctl)
{
    pthread_rwlock_wrlock(&ctl->keys.lock);
    ctl->keys.turn ^= 1;
    pthread_rwlock_unlock(&ctl->keys.lock);
}

bool keyring_settled(const struct control *ctl)
{
    return ring_of(ctl)->calls[ring_of(ctl)->turn ^ 1] == 0;
}
