/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants:
 * - A token is made of pid, start time and boot, so neither a reused pid nor a reboot makes a dead
 *   holder look alive.
 * - head.offset_us is written before head.boot, under the head's lock, once a boot. */
#include "mapfile/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

#define PID_BITS       22 /* Linux allows no more */
#define START_BITS     (64 - PID_BITS)
#define OWNER_LEFT     1 /* closed by a living process: no pid 0, so no token is 1 */
#define LOCK_WAIT_US   100000
#define SPINS          200
#define YIELDS_A_CHECK 16

struct mapfile_head {
    char magic[MAPFILE_MAGIC_LEN];
    uint64_t body_bytes, seed;
    uint64_t check; /* of the members before it */
    _Alignas(64) _Atomic uint64_t boot;
    _Atomic uint64_t offset_us; /* CLOCK_BOOTTIME + offset is the file's clock */
    _Atomic uint64_t kept_us;
    _Alignas(64) _Atomic uint64_t lock;
    _Alignas(64) _Atomic uint64_t owners[MAPFILE_OWNERS]; /* tokens; 0: free */
};
_Static_assert(sizeof(struct mapfile_head) <= MAPFILE_HEAD_BYTES, "the head is one page");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "words are shared between processes");

const char *mapfile_strerror(enum mapfile_err err)
{
    static const char *const texts[] = {
        [MAPFILE_OK] = "no error",
        [MAPFILE_EIO] = "file cannot be opened, made or mapped",
        [MAPFILE_EFORMAT] = "file is not of this kind, or is damaged",
        [MAPFILE_EOWNERS] = "more processes than the file has room for",
    };
    return (size_t)err < sizeof texts / sizeof *texts ? texts[err] : "unknown error";
}

/* Who is who. */

static size_t read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* Never 0. The same for all processes of one boot. */
static uint64_t boot_hash(void)
{
    char text[64];
    size_t n = read_text("/proc/sys/kernel/random/boot_id", text, sizeof text);
    return XXH3_64bits(text, n) | 1;
}

/* Field 22 of /proc/PID/stat; the name in field 2 may hold anything, so from its last bracket on.
 * False: it could not be read. A zombie holds nothing any more: *dead. */
static bool read_start(const char *path, uint64_t *start, bool *dead)
{
    char text[1024];
    const char *at = read_text(path, text, sizeof text) > 0 ? strrchr(text, ')') : NULL;
    if (at == NULL || at[1] != ' ') {
        return false;
    }
    *dead = at[2] == 'Z' || at[2] == 'X';
    for (int field = 2; field < 22 && at != NULL; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        return false;
    }
    *start = strtoull(at + 1, NULL, 10);
    return true;
}

static uint64_t make_token(uint64_t pid, uint64_t start)
{
    uint64_t parts[2] = {boot_hash(), start};
    return pid << START_BITS | XXH3_64bits(parts, sizeof parts) >> PID_BITS;
}

/* What cannot be known counts as alive: to wait is safer than to break in. */
static bool is_dead(uint64_t token)
{
    uint64_t pid = token >> START_BITS, start;
    bool zombie = false;
    char path[64];
    if (pid == 0 || (kill((pid_t)pid, 0) != 0 && errno == ESRCH)) {
        return true;
    }
    snprintf(path, sizeof path, "/proc/%u/stat", (unsigned)pid);
    if (!read_start(path, &start, &zombie)) {
        return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    }
    return zombie || make_token(pid, start) != token;
}

/* The file. */

static uint64_t head_check(const struct mapfile_head *head)
{
    return XXH3_64bits(head, offsetof(struct mapfile_head, check));
}

/* posix_fallocate: with a sparse file a full disk would be a SIGBUS in the middle of a call. */
static bool fill_new(int fd, const char *magic, size_t body_bytes)
{
    struct mapfile_head head = {.body_bytes = body_bytes};
    memcpy(head.magic, magic, MAPFILE_MAGIC_LEN);
    if (getrandom(&head.seed, sizeof head.seed, 0) != sizeof head.seed) {
        return false;
    }
    head.check = head_check(&head);
    errno = posix_fallocate(fd, 0, (off_t)(MAPFILE_HEAD_BYTES + body_bytes));
    return errno == 0 && pwrite(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
           fsync(fd) == 0;
}

/* Made under another name and linked, so that nobody ever opens half a file. */
static bool make_file(const char *path, const char *magic, size_t body_bytes)
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
    bool made = fill_new(fd, magic, body_bytes) && (link(temporary, path) == 0 || errno == EEXIST);
    int error = errno;
    close(fd);
    unlink(temporary);
    errno = error;
    return made;
}

static enum mapfile_err map_file(struct mapfile *m, int fd, const char *magic)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return MAPFILE_EIO;
    }
    if (!S_ISREG(st.st_mode) || st.st_size <= MAPFILE_HEAD_BYTES) {
        return MAPFILE_EFORMAT;
    }
    size_t bytes = (size_t)st.st_size;
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return MAPFILE_EIO;
    }
    struct mapfile_head *head = base;
    if (memcmp(head->magic, magic, MAPFILE_MAGIC_LEN) != 0 || head->check != head_check(head) ||
        head->body_bytes != bytes - MAPFILE_HEAD_BYTES) {
        munmap(base, bytes);
        return MAPFILE_EFORMAT;
    }
    /* Else each page costs a fault on the call that first hits it. Kernels before 5.14 do not know
     * the advice and go on without. */
    (void)madvise(base, bytes, MADV_POPULATE_WRITE);
    m->head = head;
    m->body = (char *)base + MAPFILE_HEAD_BYTES;
    m->body_bytes = bytes - MAPFILE_HEAD_BYTES;
    m->seed = head->seed;
    return MAPFILE_OK;
}

static uint64_t clock_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The first to open after a boot says how the file's clock goes on. */
static bool set_clock(struct mapfile *m)
{
    uint64_t boot = boot_hash();
    if (atomic_load(&m->head->boot) == boot) {
        return true;
    }
    if (mapfile_lock(m, &m->head->lock) == MAPFILE_BUSY) {
        errno = EBUSY;
        return false;
    }
    if (atomic_load(&m->head->boot) != boot) {
        uint64_t wall_us = clock_us(CLOCK_REALTIME), kept_us = atomic_load(&m->head->kept_us);
        uint64_t start_us = wall_us > kept_us ? wall_us : kept_us;
        atomic_store(&m->head->offset_us, start_us - clock_us(CLOCK_BOOTTIME));
        atomic_store(&m->head->boot, boot);
    }
    mapfile_unlock(&m->head->lock);
    return true;
}

static bool set_token(struct mapfile *m)
{
    uint64_t start;
    bool dead;
    if (!read_start("/proc/self/stat", &start, &dead)) {
        return false;
    }
    m->token = make_token((uint64_t)getpid(), start);
    return true;
}

enum mapfile_err mapfile_open(struct mapfile *m, const char *path,
                              const char magic[static MAPFILE_MAGIC_LEN], size_t body_bytes)
{
    struct mapfile made = {.owner = MAPFILE_NO_OWNER};
    if (!set_token(&made)) {
        return MAPFILE_EIO;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && make_file(path, magic, body_bytes)) {
        fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0) {
        return MAPFILE_EIO;
    }
    enum mapfile_err err = map_file(&made, fd, magic);
    if (err == MAPFILE_OK && !set_clock(&made)) {
        mapfile_close(&made);
        err = MAPFILE_EIO;
    }
    int error = errno;
    close(fd);
    errno = error;
    if (err == MAPFILE_OK) {
        *m = made;
    }
    return err;
}

void mapfile_close(struct mapfile *m)
{
    if (m->head == NULL) {
        return;
    }
    if (m->owner != MAPFILE_NO_OWNER) {
        atomic_store(&m->head->owners[m->owner], OWNER_LEFT);
    }
    munmap(m->head, MAPFILE_HEAD_BYTES + m->body_bytes);
    *m = (struct mapfile){.owner = MAPFILE_NO_OWNER};
}

/* Owners. */

enum mapfile_err mapfile_join(struct mapfile *m)
{
    for (unsigned i = 0; i < MAPFILE_OWNERS; i++) {
        uint64_t nobody = 0;
        if (atomic_compare_exchange_strong(&m->head->owners[i], &nobody, m->token)) {
            m->owner = i;
            return MAPFILE_OK;
        }
    }
    return MAPFILE_EOWNERS;
}

bool mapfile_owner_is_dead(const struct mapfile *m, unsigned owner)
{
    uint64_t token = atomic_load(&m->head->owners[owner]);
    return token != 0 && token != m->token && is_dead(token);
}

void mapfile_owner_free(struct mapfile *m, unsigned owner)
{
    atomic_store(&m->head->owners[owner], 0);
}

/* Time. */

uint64_t mapfile_now_us(const struct mapfile *m)
{
    return clock_us(CLOCK_BOOTTIME) + atomic_load(&m->head->offset_us);
}

void mapfile_keep_time(struct mapfile *m)
{
    atomic_store(&m->head->kept_us, mapfile_now_us(m));
}

/* Locks. */

static void pause_a_bit(unsigned turn)
{
    if (turn < SPINS) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    } else {
        sched_yield();
    }
}

enum mapfile_lock mapfile_lock_slow(const struct mapfile *m, _Atomic uint64_t *word)
{
    uint64_t begun_us = 0;
    for (unsigned turn = 0;; turn++) {
        uint64_t holder = 0;
        if (atomic_compare_exchange_weak(word, &holder, m->token)) {
            return MAPFILE_LOCKED;
        }
        pause_a_bit(turn);
        if (turn < SPINS || turn % YIELDS_A_CHECK != 0 || holder == 0) {
            continue;
        }
        /* Only one of those who wait wins the exchange: the word is the dead one's but once. */
        if (holder != m->token && is_dead(holder) &&
            atomic_compare_exchange_strong(word, &holder, m->token)) {
            return MAPFILE_TAKEN_OVER;
        }
        uint64_t now_us = clock_us(CLOCK_MONOTONIC);
        begun_us = begun_us == 0 ? now_us : begun_us;
        if (now_us - begun_us > LOCK_WAIT_US) {
            return MAPFILE_BUSY;
        }
    }
}

_Atomic uint64_t *mapfile_lock_word(struct mapfile *m)
{
    return &m->head->lock;
}
