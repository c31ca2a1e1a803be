/* SPDX-License-Identifier: Apache-2.0 */
/* A table of fixed size in a memory-mapped file that many processes change at once: what libs/limit
 * and libs/targets stand on. It gives them four things:
 * - the file: made whole under another name with mode 0600, known by its magic and checked head;
 * - owners: each process that joins has a number, under which a module counts what the process
 *   holds, so that what a dead one held can be taken back;
 * - locks that outlive nobody: a lock word names its holder, and the next to wait finds out whether
 *   that one is dead and takes the lock over. The module must be able to repair what the dead one
 *   left half changed;
 * - a clock that never goes back, over reboots as well.
 * All processes must share one PID namespace (an owner that cannot be seen counts as dead) and open
 * the file after fork(): a child that uses its parent's mapping goes as its parent. Any number of
 * threads. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPFILE_MAGIC_LEN  8
#define MAPFILE_HEAD_BYTES 4096
#define MAPFILE_OWNERS     256 /* processes at once; those of an old nginx on its way out count */
#define MAPFILE_NO_OWNER   MAPFILE_OWNERS

enum mapfile_err { MAPFILE_OK, MAPFILE_EIO, MAPFILE_EFORMAT, MAPFILE_EOWNERS };
const char *mapfile_strerror(enum mapfile_err err);

struct mapfile_head; /* in the file */
struct mapfile {
    struct mapfile_head *head;
    void *body; /* zero bytes in a new file; page-aligned */
    size_t body_bytes;
    uint64_t seed;  /* random and secret, of the file: for hash tables nobody can choose keys for */
    uint64_t token; /* names this process in lock words; never 0 */
    unsigned owner; /* 0..MAPFILE_OWNERS-1 once joined */
};

/* body_bytes: only for a new file; an old one keeps its own. EIO: errno says why. EFORMAT: not
 * ours (magic), damaged, or of another size than it says: remove it when nothing uses it. On error
 * *m is unchanged. */
enum mapfile_err mapfile_open(struct mapfile *m, const char *path,
                              const char magic[static MAPFILE_MAGIC_LEN], size_t body_bytes)
    __attribute__((warn_unused_result));
/* Leaves, if joined. What it still held is taken back as from a dead process. */
void mapfile_close(struct mapfile *m);

/* Takes an owner number; EOWNERS: none is left, reap first. */
enum mapfile_err mapfile_join(struct mapfile *m) __attribute__((warn_unused_result));
/* Whether that owner is dead and not yet freed. A look into /proc, about 20 us. */
bool mapfile_owner_is_dead(const struct mapfile *m, unsigned owner);
/* For one that is dead, when nothing is counted under its number any more. */
void mapfile_owner_free(struct mapfile *m, unsigned owner);

/* Microseconds: at first the wall clock's, from then on the time that passed (CLOCK_BOOTTIME), so
 * setting the wall clock moves it not at all. After a reboot it goes on from the wall clock or,
 * when that went back, from the latest mapfile_keep_time(). */
uint64_t mapfile_now_us(const struct mapfile *m);
/* Notes the time for a later boot; once a second is plenty. */
void mapfile_keep_time(struct mapfile *m);

/* How it was got. TAKEN_OVER: from a dead process; repair what the lock guards before use. */
enum mapfile_lock { MAPFILE_LOCKED, MAPFILE_TAKEN_OVER, MAPFILE_BUSY };
/* Waits at most 100 ms, for a holder that lives but was stopped: then BUSY, and nothing is held. */
enum mapfile_lock mapfile_lock_slow(const struct mapfile *m, _Atomic uint64_t *word)
    __attribute__((warn_unused_result));

static inline enum mapfile_lock mapfile_lock(const struct mapfile *m, _Atomic uint64_t *word)
{
    uint64_t nobody = 0;
    if (atomic_compare_exchange_strong_explicit(word, &nobody, m->token, memory_order_acquire,
                                                memory_order_relaxed)) {
        return MAPFILE_LOCKED;
    }
    return mapfile_lock_slow(m, word);
}

static inline void mapfile_unlock(_Atomic uint64_t *word)
{
    atomic_store_explicit(word, 0, memory_order_release);
}

/* The process-wide lock of the head, for what is rare: a new key, a reboot. Same rules. */
_Atomic uint64_t *mapfile_lock_word(struct mapfile *m);
