/* SPDX-License-Identifier: Apache-2.0 */
/* The keys under which the control plane keeps secrets in the store: sub-key "store.secret" of
 * keys/master.key. While a new master key takes over (keyring/replacements.c) there are two: all is
 * sealed under the new one and opens under either. A new one is in keys/master.next.key until
 * nothing is sealed under the old one any more; then it is master.key, and the old one is nowhere.
 *
 * What is derived and never opened (digests of identity numbers, verifiers of supply keys, guards
 * of forms) comes from sub-keys of the first master key, which are kept in the store under the
 * present one: from them no master key can be had. Any thread. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/slice.h"
#include "crypto/crypto.h"

#define KEYRING_ID_LEN 16 /* hex digits */

struct control;
struct store_txn;

enum keyring_kept { KEYRING_NUMBERS, KEYRING_SUPPLY, KEYRING_FORMS, KEYRING_SIGN_ON, KEYRING_KEPT };

struct keyring {
    pthread_rwlock_t lock;
    uint8_t key[2][CRYPTO_KEY_LEN]; /* newest first */
    unsigned n;
    uint8_t kept[KEYRING_KEPT][CRYPTO_KEY_LEN]; /* constant once the store is open */
    /* Calls under way, by whether they began before or after the last change of key. */
    _Atomic unsigned calls[2];
    _Atomic unsigned turn;
};

/* Reads the key files below folder, makes the first one. A sentence on stderr and false. */
bool keyring_load(struct control *ctl, const char *folder) __attribute__((warn_unused_result));
/* The sub-keys kept in the store; made with a new store. False: another master key's store. */
bool keyring_load_kept(struct control *ctl, struct store_txn *txn)
    __attribute__((warn_unused_result));
void keyring_wipe(struct control *ctl);

/* As crypto_seal() and crypto_open(). */
void keyring_seal(const struct control *ctl, struct slice context, const void *in, size_t n,
                  uint8_t *out);
enum crypto_err keyring_open(const struct control *ctl, struct slice context, const void *in,
                             size_t n, uint8_t *out) __attribute__((warn_unused_result));
/* *old: it is not sealed under the newest key. */
enum crypto_err keyring_open_aged(const struct control *ctl, struct slice context, const void *in,
                                  size_t n, uint8_t *out, bool *old)
    __attribute__((warn_unused_result));
const uint8_t *keyring_kept(const struct control *ctl, enum keyring_kept which);
/* What names the newest key and, while there are two, the other: "" else. Tells nothing of it. */
void keyring_ids(const struct control *ctl, char newest[static KEYRING_ID_LEN + 1],
                 char other[static KEYRING_ID_LEN + 1]);

/* Makes keys/master.next.key if it is not there, and seals under it from now on. */
bool keyring_take_next(struct control *ctl) __attribute__((warn_unused_result));
/* Nothing is sealed under the old key: the new one's file takes the old one's place, and the old
 * key is wiped. May be called again after a kill at any instant. */
bool keyring_drop_old(struct control *ctl) __attribute__((warn_unused_result));

/* The same two steps of the link key, keys/link.next.key (keyring/link_key.c). */
bool link_key_next(struct control *ctl, char newest[static KEYRING_ID_LEN + 1],
                   char other[static KEYRING_ID_LEN + 1]) __attribute__((warn_unused_result));
bool link_key_drop(struct control *ctl) __attribute__((warn_unused_result));

/* Around each call that may seal: what was sealed under an old key is in the store, or was given
 * up, once keyring_settled(). */
unsigned keyring_enter(struct control *ctl);
void keyring_leave(struct control *ctl, unsigned turn);
bool keyring_settled(const struct control *ctl);
void keyring_turn(struct control *ctl); /* once settled: waits for those that began before now */
