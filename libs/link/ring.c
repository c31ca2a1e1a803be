/* SPDX-License-Identifier: Apache-2.0 */
#include "link/ring.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "crypto/keystore.h"

#define LOOK_MS   1000
#define HURRY_MS  50 /* a stranger's calls must not make us read files */
#define TRIES     8
#define SETTLE_MS 3000 /* by then all who look know it too */
#define SUFFIX    ".key"
#define NEXT      ".next.key"

struct mark { /* of a file, as it was when it was read */
    bool there;
    ino_t inode;
    struct timespec changed;
};

static struct {
    pthread_mutex_t lock;
    char path[2][PATH_MAX]; /* the next one, the present one */
    struct mark mark[2];
    uint8_t key[LINK_RING_MAX][CRYPTO_KEY_LEN], feed[LINK_RING_MAX][CRYPTO_KEY_LEN];
    unsigned n;
    uint64_t looked_ms, since_ms; /* since_ms: when the newest was read first */
    _Atomic bool hold;            /* the newest does not sign yet */
    _Atomic uint64_t generation;  /* 0: nothing was loaded */
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void mark_of(struct mark out[static 2])
{
    struct stat st;
    for (size_t i = 0; i < 2; i++) {
        out[i] = (struct mark){0};
        if (stat(ring.path[i], &st) == 0)
            out[i] = (struct mark){true, st.st_ino, st.st_mtim};
    }
}

static bool same(const struct mark *a, const struct mark *b)
{
    for (size_t i = 0; i < 2; i++)
        if (a[i].there != b[i].there || a[i].inode != b[i].inode ||
            a[i].changed.tv_sec != b[i].changed.tv_sec ||
            a[i].changed.tv_nsec != b[i].changed.tv_nsec)
            return false;
    return true;
}

static enum crypto_err read_keys(uint8_t keys[static LINK_RING_MAX][CRYPTO_KEY_LEN], unsigned *n)
{
    enum crypto_err err = crypto_keyfile_load(ring.path[1], keys[0]);
    *n = 1;
    if (err != CRYPTO_OK)
        return err;
    memcpy(keys[1], keys[0], CRYPTO_KEY_LEN);
    err = crypto_keyfile_load(ring.path[0], keys[0]);
    if (err == CRYPTO_EIO && errno == ENOENT) {
        memcpy(keys[0], keys[1], CRYPTO_KEY_LEN);
        return CRYPTO_OK;
    }
    *n = err == CRYPTO_OK && !crypto_equal(keys[0], keys[1], CRYPTO_KEY_LEN) ? 2 : 1;
    return err;
}

/* Both files as they were at one instant. Under the lock. On error the keys stay. */
static enum crypto_err read_both(bool *changed)
{
    uint8_t keys[LINK_RING_MAX][CRYPTO_KEY_LEN];
    struct mark before[2], after[2];
    unsigned n = 0;
    enum crypto_err err = CRYPTO_EIO;
    *changed = false;
    for (int i = 0; i < TRIES; i++) {
        mark_of(before);
        err = read_keys(keys, &n);
        mark_of(after);
        if (same(before, after))
            break;
    }
    if (err == CRYPTO_OK) {
        *changed = n != ring.n || memcmp(keys, ring.key, n * CRYPTO_KEY_LEN) != 0;
        memcpy(ring.mark, after, sizeof ring.mark);
        memcpy(ring.key, keys, sizeof ring.key);
        ring.n = n;
        for (unsigned i = 0; i < n; i++)
            crypto_derive(ring.key[i], "feed.secret", ring.feed[i]);
        for (unsigned i = n; i < LINK_RING_MAX; i++) {
            crypto_wipe(ring.key[i], CRYPTO_KEY_LEN);
            crypto_wipe(ring.feed[i], CRYPTO_KEY_LEN);
        }
        if (*changed) {
            ring.since_ms = mono_ms();
            ring.generation++;
        }
    }
    crypto_wipe(keys, sizeof keys);
    return err;
}

enum crypto_err link_ring_load(const char *path)
{
    size_t n = strlen(path), suffix = sizeof SUFFIX - 1;
    bool changed;
    if (n < suffix || n + sizeof NEXT >= PATH_MAX || strcmp(path + n - suffix, SUFFIX) != 0) {
        errno = EINVAL;
        return CRYPTO_EIO;
    }
    pthread_mutex_lock(&ring.lock);
    snprintf(ring.path[1], PATH_MAX, "%s", path);
    snprintf(ring.path[0], PATH_MAX, "%.*s" NEXT, (int)(n - suffix), path);
    ring.n = 0;
    enum crypto_err err = read_both(&changed);
    int error = errno;
    ring.looked_ms = mono_ms();
    ring.since_ms = 0; /* whoever starts finds what others found before */
    pthread_mutex_unlock(&ring.lock);
    errno = error;
    return err;
}

enum crypto_err link_data_key(const char *path, const uint8_t link[static CRYPTO_KEY_LEN],
                              uint8_t key[static CRYPTO_KEY_LEN])
{
    enum crypto_err err = crypto_keyfile_load(path, key);
    if (err != CRYPTO_EIO || errno != ENOENT)
        return err;
    err = crypto_keystore_write(path, false, slice_of((const char *)link, CRYPTO_KEY_LEN));
    bool raced = err == CRYPTO_EIO && errno == EEXIST;
    return err == CRYPTO_OK || raced ? crypto_keyfile_load(path, key) : err;
}

void link_ring_wipe(void)
{
    pthread_mutex_lock(&ring.lock);
    crypto_wipe(ring.key, sizeof ring.key);
    crypto_wipe(ring.feed, sizeof ring.feed);
    ring.n = 0;
    ring.generation = 0;
    pthread_mutex_unlock(&ring.lock);
}

bool link_ring_look(bool at_once)
{
    struct mark now[2];
    bool changed = false;
    if (ring.generation == 0)
        return false;
    pthread_mutex_lock(&ring.lock);
    uint64_t ms = mono_ms();
    if (ms - ring.looked_ms >= (at_once ? HURRY_MS : LOOK_MS)) {
        ring.looked_ms = ms;
        mark_of(now);
        if (!same(now, ring.mark) && read_both(&changed) != CRYPTO_OK)
            fprintf(stderr, "sluice: %s: cannot be read; going on with the key there was\n",
                    ring.path[1]);
    }
    pthread_mutex_unlock(&ring.lock);
    return changed;
}

unsigned link_ring_derive(const char *label, uint8_t out[static LINK_RING_MAX][CRYPTO_KEY_LEN])
{
    pthread_mutex_lock(&ring.lock);
    unsigned n = ring.generation ? ring.n : 0;
    for (unsigned i = 0; i < n; i++)
        crypto_derive(ring.key[i], label, out[i]);
    pthread_mutex_unlock(&ring.lock);
    return n;
}

/* Which of the keys is signed with. */
static unsigned signing(unsigned n)
{
    return n > 1 && (ring.hold || mono_ms() - ring.since_ms < SETTLE_MS) ? n - 1 : 0;
}

void link_ring_hold(bool hold)
{
    ring.hold = hold;
}

bool link_ring_signing(const char *label, uint8_t out[static CRYPTO_KEY_LEN])
{
    (void)link_ring_look(false);
    pthread_mutex_lock(&ring.lock);
    bool there = ring.generation != 0;
    if (there)
        crypto_derive(ring.key[signing(ring.n)], label, out);
    pthread_mutex_unlock(&ring.lock);
    return there;
}

static enum crypto_err open_with_any(struct slice id, const void *in, size_t n, uint8_t *out)
{
    uint8_t keys[LINK_RING_MAX][CRYPTO_KEY_LEN];
    enum crypto_err err = CRYPTO_EVERIFY;
    pthread_mutex_lock(&ring.lock);
    unsigned n_keys = ring.n;
    memcpy(keys, ring.feed, sizeof keys);
    pthread_mutex_unlock(&ring.lock);
    for (unsigned i = 0; i < n_keys && err == CRYPTO_EVERIFY; i++)
        err = crypto_open(keys[i], id, in, n, out);
    crypto_wipe(keys, sizeof keys);
    return err;
}

enum crypto_err link_ring_open(const uint8_t *fixed, struct slice id, const void *in, size_t n,
                               uint8_t *out)
{
    if (ring.generation == 0)
        return fixed ? crypto_open(fixed, id, in, n, out) : CRYPTO_EVERIFY;
    enum crypto_err err = open_with_any(id, in, n, out);
    return err == CRYPTO_EVERIFY && link_ring_look(true) ? open_with_any(id, in, n, out) : err;
}

/* Keys of one purpose ---------------------------------------------------------------------------
 */

static void take(struct link_mac *mac, uint8_t keys[static LINK_RING_MAX][CRYPTO_KEY_LEN],
                 unsigned n)
{
    for (unsigned i = 0; i < LINK_RING_MAX; i++)
        crypto_hmac_free(&mac->key[i]);
    for (unsigned i = 0; i < n; i++)
        mac->key[i] = crypto_hmac_new(CRYPTO_SM3, keys[i], CRYPTO_KEY_LEN);
    mac->n = n;
}

static void refresh(struct link_mac *mac)
{
    uint8_t keys[LINK_RING_MAX][CRYPTO_KEY_LEN];
    uint64_t generation = ring.generation;
    if (generation == mac->generation)
        return;
    unsigned n = link_ring_derive(mac->label, keys);
    if (n > 0)
        take(mac, keys, n);
    mac->generation = generation;
    crypto_wipe(keys, sizeof keys);
}

void link_mac_init(struct link_mac *mac, const char *label,
                   const uint8_t fixed[static CRYPTO_KEY_LEN])
{
    uint8_t key[LINK_RING_MAX][CRYPTO_KEY_LEN];
    *mac = (struct link_mac){.label = label};
    crypto_derive(fixed, label, key[0]);
    take(mac, key, 1);
    crypto_wipe(key, sizeof key);
    refresh(mac);
}

void link_mac_fini(struct link_mac *mac)
{
    for (unsigned i = 0; i < LINK_RING_MAX; i++)
        crypto_hmac_free(&mac->key[i]);
    mac->n = 0;
}

struct crypto_hmac *link_mac_sign(struct link_mac *mac)
{
    (void)link_ring_look(false);
    refresh(mac);
    pthread_mutex_lock(&ring.lock);
    unsigned i = signing(mac->n);
    pthread_mutex_unlock(&ring.lock);
    return mac->key[i];
}

enum link_err link_mac_call(struct link_call *call, struct link_mac *mac, struct slice method,
                            struct slice target, struct slice text, uint64_t now_ms,
                            uint8_t scratch[static LINK_TEXT_MAX])
{
    enum link_err err = LINK_EMAC;
    (void)link_mac_sign(mac);
    for (unsigned i = 0; i < mac->n && err == LINK_EMAC; i++)
        err = link_decode(call, mac->key[i], method, target, text, now_ms, scratch);
    if (err != LINK_EMAC || !link_ring_look(true))
        return err;
    refresh(mac);
    return link_decode(call, mac->key[0], method, target, text, now_ms, scratch);
}

enum link_err link_mac_inner(struct link_inner *inner, struct link_mac *mac,
                             const struct link_request *rq, struct slice text, uint64_t now_ms,
                             uint8_t scratch[static LINK_INNER_TEXT_MAX])
{
    enum link_err err = LINK_EMAC;
    (void)link_mac_sign(mac);
    for (unsigned i = 0; i < mac->n && err == LINK_EMAC; i++)
        err = link_inner_decode(inner, mac->key[i], rq, text, now_ms, scratch);
    if (err != LINK_EMAC || !link_ring_look(true))
        return err;
    refresh(mac);
    return link_inner_decode(inner, mac->key[0], rq, text, now_ms, scratch);
}
