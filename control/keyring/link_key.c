/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a link key that is replaced. The other processes of this machine read them by
 * themselves (libs/link/ring.h). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/codec.h"
#include "core.h"
#include "crypto/keystore.h"
#include "keyring/inner.h"
#include "link/ring.h"

static void id_of(const uint8_t key[static CRYPTO_KEY_LEN], char out[static KEYRING_ID_LEN + 1])
{
    uint8_t mark[CRYPTO_HASH_LEN];

    crypto_derive(key, "keyring.id", mark);
    out[codec_hex(out, mark, KEYRING_ID_LEN / 2)] = '\0';
}

bool link_key_next(struct control *ctl, char newest[static KEYRING_ID_LEN + 1],
                   char other[static KEYRING_ID_LEN + 1])
{
    uint8_t now[CRYPTO_KEY_LEN], next[CRYPTO_KEY_LEN];
    char path[PATH_MAX];

    keyring_path(ctl, "link.key", path);
    enum crypto_err err = crypto_keyfile_load(path, now);
    if (err == CRYPTO_OK) {
        keyring_path(ctl, "link.next.key", path);
        err = crypto_keyfile_create(path, next);
    }
    if (err != CRYPTO_OK) {
        return keyring_complain(path, err);
    }
    id_of(next, newest);
    id_of(now, other);
    crypto_wipe(now, sizeof now);
    crypto_wipe(next, sizeof next);
    (void)link_ring_look(true);
    return true;
}

bool link_key_drop(struct control *ctl)
{
    uint8_t next[CRYPTO_KEY_LEN];
    char path[PATH_MAX], now[PATH_MAX];

    keyring_path(ctl, "link.next.key", path);
    keyring_path(ctl, "link.key", now);
    enum crypto_err err = crypto_keyfile_load(path, next);
    if (err == CRYPTO_EIO && errno == ENOENT) {
        return true; /* killed behind the last step */
    }
    if (err == CRYPTO_OK) {
        err = crypto_keystore_write(now, true, slice_of((const char *)next, sizeof next));
    }
    crypto_wipe(next, sizeof next);
    if (err == CRYPTO_OK && unlink(path) != 0) {
        err = CRYPTO_EIO;
    }
    (void)link_ring_look(true);
    return err == CRYPTO_OK || keyring_complain(path, err);
}
