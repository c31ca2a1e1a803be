/* SPDX-License-Identifier: Apache-2.0 */
/* The link keys of this process: keys/link.key and, while a new one takes over, keys/link.next.key
 * beside it (SW-9.7-3a). What is signed holds with either, so processes may come to
 * know of it one after the other and no call fails; the newest signs once all had time to read it.
 * Files are looked at about once a second, and at once when something holds with no key there is:
 * whoever signs with a new key read it from a file that was there before. Any thread, but for
 * struct link_mac. */
#pragma once
#include "link/inner.h"

#define LINK_RING_MAX 2

/* Again: another file takes the place of the one before. Errors as of crypto_keyfile_load(). */
enum crypto_err link_ring_load(const char *path) __attribute__((warn_unused_result));
void link_ring_wipe(void);
/* Reads keys/data.key; makes it of the link key when there is none yet, so that what was derived of
 * that before there was a data key stays what it was. */
enum crypto_err link_data_key(const char *path, const uint8_t link[static CRYPTO_KEY_LEN],
                              uint8_t key[static CRYPTO_KEY_LEN])
    __attribute__((warn_unused_result));
/* Reads the files again if they changed and it is time, or at_once. True: the keys are others. */
bool link_ring_look(bool at_once);
/* Sub-keys of the keys there are, newest first; how many, 0: none was loaded. */
unsigned link_ring_derive(const char *label, uint8_t out[static LINK_RING_MAX][CRYPTO_KEY_LEN]);
/* The one that is signed and sealed with: the newest, once all have had the time to read it. False:
 * none was loaded. */
bool link_ring_signing(const char *label, uint8_t out[static CRYPTO_KEY_LEN])
    __attribute__((warn_unused_result));
/* While on, the newest does not sign or seal in this process. */
void link_ring_hold(bool hold);
/* Opens what the control plane sealed for nodes (sub-key "feed.secret"). fixed: the sub-key of a
 * process that loaded no ring; may be NULL of one that did. */
enum crypto_err link_ring_open(const uint8_t *fixed, struct slice id, const void *in, size_t n,
                               uint8_t *out) __attribute__((warn_unused_result));

/* Keys of one purpose, kept as long as the ring stands. One thread at a time. */
struct link_mac {
    const char *label; /* static */
    uint64_t generation;
    unsigned n;
    struct crypto_hmac *key[LINK_RING_MAX];
};
/* fixed: the link key of a process that loaded no ring. */
void link_mac_init(struct link_mac *mac, const char *label,
                   const uint8_t fixed[static CRYPTO_KEY_LEN]);
void link_mac_fini(struct link_mac *mac);
struct crypto_hmac *link_mac_sign(struct link_mac *mac);
/* As link_decode() and link_inner_decode(), with any of the keys. */
enum link_err link_mac_call(struct link_call *call, struct link_mac *mac, struct slice method,
                            struct slice target, struct slice text, uint64_t now_ms,
                            uint8_t scratch[static LINK_TEXT_MAX])
    __attribute__((warn_unused_result));
enum link_err link_mac_inner(struct link_inner *inner, struct link_mac *mac,
                             const struct link_request *rq, struct slice text, uint64_t now_ms,
                             uint8_t scratch[static LINK_INNER_TEXT_MAX])
    __attribute__((warn_unused_result));
