/* SPDX-License-Identifier: Apache-2.0 */
/* Single-use nonces across processes (EC-6.1.3.1b): a fixed table in a memory-mapped file, so it
 * survives any process, and lock-free, so a process killed half way blocks nobody. 8 slots of 8 bytes
 * a bucket: 40 bits of a keyed-by-file-seed hash and 24 bits of expiry in seconds since the file was
 * made. Two choices of bucket. A false "used" has odds below 2^-35 a call; a used nonce is never
 * taken for new while it lives. Any number of threads and processes. */
#pragma once
#include "base/slice.h"

struct replay;
enum replay_err { REPLAY_OK, REPLAY_EUSED, REPLAY_EFULL, REPLAY_EIO, REPLAY_EFORMAT };
const char *replay_strerror(enum replay_err err);

/* size_bytes: a power of two ≥ 4096; only for a new file. Old files keep theirs. errno on EIO. */
enum replay_err replay_open(struct replay **r, const char *path, size_t size_bytes) __attribute__((warn_unused_result));
void replay_close(struct replay **r);
/* Marks (scope, nonce) used until expires_s (wall seconds). EFULL: both buckets hold only live
 * nonces; the caller must refuse the call. */
enum replay_err replay_use(struct replay *r, struct slice scope, struct slice nonce, uint64_t now_s, uint64_t expires_s) __attribute__((warn_unused_result));
