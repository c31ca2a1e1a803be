/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants:
 * - head.latest_s never goes back. A slot is dead only by comparison with it, so all processes and
 *   every state of the clock agree on what is dead.
 * - A nonce is written into an empty or dead slot of one of its two buckets by one
 * compare-and-swap; nothing is ever held, so a killed process leaves nothing behind.
 * - Two that write the same nonce at once both look again after writing: the writes and reads are
 *   sequentially consistent, so at least one sees the other and gives up. Both may. */
#include "replay/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define HEAD_BYTES   4096
#define SIZE_MIN     4096
#define SLOTS        8 /* a bucket is one cache line */
#define BUCKET_BYTES (SLOTS * sizeof(uint64_t))
#define EXPIRY_BITS  24
#define EXPIRY_MASK  ((1u << EXPIRY_BITS) - 1)
/* Nothing live is farther than this after latest_s: a second process may have seen less time pass.
 */
#define LIVE_S   (REPLAY_LIFE_MAX_S + 3600)
#define FUTURE_S (30u * 86400)

static const char magic[8] = "SLUREPL1";

struct head {
    char magic[8];
    uint64_t size_bytes, made_s, seed;
    uint64_t check; /* of the members before it */
    char pad[24];
    _Alignas(64) _Atomic uint64_t latest_s; /* shared by all who call */
};
_Static_assert(sizeof(struct head) <= HEAD_BYTES, "the head is one page");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "slots are shared between processes");

struct replay {
    struct head *head;
    _Atomic uint64_t *slots;
    uint64_t bucket_mask;
    size_t mapped_bytes;
};

/* What is looked for: where, and as what. */
struct mark {
    _Atomic uint64_t *bucket[2];
    uint64_t value; /* fingerprint << 24 | expiry */
};

const char *replay_strerror(enum replay_err err)
{
    static const char *const texts[] = {
        [REPLAY_OK] = "no error",
        [REPLAY_EUSED] = "nonce is used, or so old that it may have been",
        [REPLAY_EFULL] = "no room for another live nonce",
        [REPLAY_EIO] = "replay file cannot be opened or made",
        [REPLAY_EFORMAT] = "replay file is damaged, or its size is no power of two",
        [REPLAY_ELIFE] = "expiry is too far in the future",
    };
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown error";
}

static uint64_t head_check(const struct head *head)
{
    return XXH3_64bits(head, offsetof(struct head, check));
}

/* posix_fallocate: with a sparse file a full disk would be a SIGBUS in the middle of a call. */
static bool fill_new(int fd, size_t size_bytes)
{
    struct head head = {.size_bytes = size_bytes, .made_s = (uint64_t)time(NULL)};
    memcpy(head.magic, magic, sizeof magic);
    if (getrandom(&head.seed, sizeof head.seed, 0) != sizeof head.seed) {
        return false;
    }
    head.check = head_check(&head);
    atomic_init(&head.latest_s, head.made_s);
    errno = posix_fallocate(fd, 0, (off_t)(HEAD_BYTES + size_bytes));
    return errno == 0 && pwrite(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
           fsync(fd) == 0;
}

/* Made under another name and linked, so that nobody ever opens half a file. */
static bool make_file(const char *path, size_t size_bytes)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool made = fill_new(fd, size_bytes) && (link(temporary, path) == 0 || errno == EEXIST);
    int error = errno;
    close(fd);
    unlink(temporary);
    errno = error;
    return made;
}

static bool is_power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static enum replay_err map_file(struct replay *r, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return REPLAY_EIO;
    }
    if (!S_ISREG(st.st_mode) || st.st_size < HEAD_BYTES + SIZE_MIN) {
        return REPLAY_EFORMAT;
    }
    r->mapped_bytes = (size_t)st.st_size;
    void *base = mmap(NULL, r->mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return REPLAY_EIO;
    }
    r->head = base;
    uint64_t size = r->head->size_bytes, latest_s = atomic_load(&r->head->latest_s);
    if (memcmp(r->head->magic, magic, sizeof magic) != 0 || r->head->check != head_check(r->head) ||
        !is_power_of_two(size) || size != r->mapped_bytes - HEAD_BYTES ||
        latest_s > (uint64_t)time(NULL) + FUTURE_S) {
        munmap(base, r->mapped_bytes);
        return REPLAY_EFORMAT;
    }
    /* Else each page costs a fault on the call that first hits it. Older kernels (before 5.14) do
     * not know the advice and go on without. */
    (void)madvise(base, r->mapped_bytes, MADV_POPULATE_WRITE);
    r->slots = (_Atomic uint64_t *)(void *)((char *)base + HEAD_BYTES);
    r->bucket_mask = size / BUCKET_BYTES - 1;
    return REPLAY_OK;
}

enum replay_err replay_open(struct replay **r, const char *path, size_t size_bytes)
{
    if (!is_power_of_two(size_bytes) || size_bytes < SIZE_MIN) {
        return REPLAY_EFORMAT;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && make_file(path, size_bytes)) {
        fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0) {
        return REPLAY_EIO;
    }
    struct replay *made = calloc(1, sizeof *made);
    enum replay_err err = made == NULL ? REPLAY_EIO : map_file(made, fd);
    int error = errno;
    close(fd);
    if (err != REPLAY_OK) {
        free(made);
        errno = error;
        return err;
    }
    *r = made;
    return REPLAY_OK;
}

void replay_close(struct replay **r)
{
    if (*r != NULL) {
        munmap((*r)->head, (*r)->mapped_bytes);
        free(*r);
        *r = NULL;
    }
}

/* Moves the file's clock forward, never back, and returns it. */
static uint64_t advance(struct replay *r, uint64_t now_s)
{
    uint64_t latest_s = atomic_load(&r->head->latest_s);
    while (latest_s < now_s) {
        if (atomic_compare_exchange_weak(&r->head->latest_s, &latest_s, now_s)) {
            return now_s;
        }
    }
    return latest_s;
}

/* Expiries wrap after 194 days; what lies outside the span a live one can have is dead. */
static bool is_live(const struct replay *r, uint64_t value, uint64_t latest_s)
{
    uint32_t latest = (uint32_t)(latest_s - r->head->made_s);
    return value != 0 && (((uint32_t)value - latest) & EXPIRY_MASK) <= LIVE_S;
}

static struct mark make_mark(const struct replay *r, struct slice scope, struct slice nonce,
                             uint64_t expires_s)
{
    /* The seed is secret, so nobody can choose nonces that meet in one bucket. */
    XXH128_hash_t first = XXH3_128bits_withSeed(scope.p, scope.n, r->head->seed);
    XXH128_hash_t hash = XXH3_128bits_withSeed(nonce.p, nonce.n, first.low64 ^ r->head->seed);
    uint64_t one = hash.low64 & r->bucket_mask, two = hash.low64 >> 32 & r->bucket_mask;
    uint64_t fingerprint = hash.high64 >> EXPIRY_BITS;
    fingerprint += fingerprint == 0; /* an all-zero slot is an empty one */
    two ^= one == two;
    uint64_t expiry = (expires_s - r->head->made_s) & EXPIRY_MASK;
    return (struct mark){{r->slots + one * SLOTS, r->slots + two * SLOTS},
                         fingerprint << EXPIRY_BITS | expiry};
}

/* What a look at both buckets found. */
struct sight {
    bool used;
    _Atomic uint64_t *free_slot; /* in the emptier bucket; NULL: none */
    uint64_t was;                /* its dead value */
};

static struct sight look(const struct replay *r, const struct mark *mark, uint64_t latest_s,
                         const _Atomic uint64_t *own)
{
    struct sight sight = {0};
    int most = 0;
    for (int b = 0; b < 2; b++) {
        int dead = 0;
        uint64_t was = 0;
        _Atomic uint64_t *slot = NULL;
        for (int i = 0; i < SLOTS; i++) {
            uint64_t value = atomic_load(&mark->bucket[b][i]);
            if (!is_live(r, value, latest_s)) {
                dead++;
                slot = &mark->bucket[b][i];
                was = value;
            } else if (value >> EXPIRY_BITS == mark->value >> EXPIRY_BITS &&
                       &mark->bucket[b][i] != own) {
                sight.used = true;
            }
        }
        if (dead > most) {
            most = dead;
            sight.free_slot = slot;
            sight.was = was;
        }
    }
    return sight;
}

void replay_prefetch(const struct replay *r, struct slice scope, struct slice nonce)
{
    struct mark mark = make_mark(r, scope, nonce, r->head->made_s);
    __builtin_prefetch((const void *)mark.bucket[0]);
    __builtin_prefetch((const void *)mark.bucket[1]);
}

enum replay_err replay_use(struct replay *r, struct slice scope, struct slice nonce, uint64_t now_s,
                           uint64_t expires_s)
{
    if (expires_s > now_s && expires_s - now_s > REPLAY_LIFE_MAX_S) {
        return REPLAY_ELIFE;
    }
    uint64_t latest_s = advance(r, now_s);
    if (expires_s < latest_s) {
        return REPLAY_EUSED;
    }
    struct mark mark = make_mark(r, scope, nonce, expires_s);
    for (;;) { /* a lost race means that another call got on */
        struct sight sight = look(r, &mark, latest_s, NULL);
        if (sight.used) {
            return REPLAY_EUSED;
        }
        if (sight.free_slot == NULL) {
            return REPLAY_EFULL;
        }
        if (!atomic_compare_exchange_strong(sight.free_slot, &sight.was, mark.value)) {
            continue;
        }
        /* Someone with a later clock may have dropped this very nonce between our two looks. */
        bool raced = look(r, &mark, latest_s, sight.free_slot).used ||
                     expires_s < atomic_load(&r->head->latest_s);
        return raced ? REPLAY_EUSED : REPLAY_OK;
    }
}
