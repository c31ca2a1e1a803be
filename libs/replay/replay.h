/* SPDX-License-Identifier: Apache-2.0 */
/* Single-use nonces across processes (EC-6.1.3.1b): a fixed table in a memory-mapped file, so it
 * survives any process, and lock-free, so a process killed half way blocks nobody. 8 slots of 8
 * bytes a bucket: 40 bits of a keyed-by-file-seed hash and 24 bits of expiry in seconds since the
 * file was made. Two choices of bucket. A false "used" has odds below 2^-35 a call; a used nonce is
 * never taken for new while it lives. Any number of threads and processes. */
#pragma once
#include "base/slice.h"

struct replay;
enum replay_err { REPLAY_OK, REPLAY_EUSED, REPLAY_EFULL, REPLAY_EIO, REPLAY_EFORMAT, REPLAY_ELIFE };
/* Farthest expires_s from now_s: a single-use grant lives a day at most (control/api/grants.c), and
 * an hour is for clocks that differ. */
#define REPLAY_LIFE_MAX_S 90000
const char *replay_strerror(enum replay_err err);

/* size_bytes: a power of two ≥ 4096 (else EFORMAT); only for a new file, made whole with mode 0600.
 * Old files keep theirs. 8 bytes a live nonce, 68 to 84 % full at the first EFULL. errno on EIO. A
 * file that is not ours, is of another size than it says or is of the far future is EFORMAT: remove
 * it once nothing uses it and the longest life has passed. */
enum replay_err replay_open(struct replay **r, const char *path, size_t size_bytes)
    __attribute__((warn_unused_result));
void replay_close(struct replay **r);
/* Starts bringing the nonce's two buckets into the cache; worth a call when other work comes first.
 */
void replay_prefetch(const struct replay *r, struct slice scope, struct slice nonce);
/* Marks (scope, nonce) used up to and including expires_s (wall seconds). now_s: the caller's
 * clock; the file remembers the latest seen, so a clock that goes back revives nothing: a nonce
 * whose expiry is before the latest time seen is EUSED, as it may have been used and forgotten.
 * EFULL: both buckets hold only live nonces; the caller must refuse the call. ELIFE: expires_s is
 * farther than REPLAY_LIFE_MAX_S from now_s. Call it last, when all else about the signature is
 * right. About 0.3 us. */
enum replay_err replay_use(struct replay *r, struct slice scope, struct slice nonce, uint64_t now_s,
                           uint64_t expires_s) __attribute__((warn_unused_result));
