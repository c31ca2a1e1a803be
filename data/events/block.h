/* SPDX-License-Identifier: Apache-2.0 */
/* What was published together, as it lies on disk. */
#pragma once
#include "data/events/log.h"

#define BLOCK_HEAD  40
#define BLOCK_BYTES (8u << 20) /* most of one */

struct block_key {
    struct uuid topic;
    uint8_t key[CRYPTO_KEY_LEN];
};

struct block_head {
    uint32_t sealed_n, count;
    uint64_t first, at_ms;
};

void block_add(struct buf *plain, const struct event *event);
/* The event at *at, which moves on; false: no more, or not readable. */
bool block_event(struct slice plain, size_t *at, struct event *event);
/* Header and sealed bytes into out. */
bool block_seal(const struct block_key *key, uint64_t first, uint64_t at_ms, size_t count,
                const struct buf *plain, struct buf *out);
bool block_read_head(int fd, uint64_t offset, struct block_head *head);
/* The same of a block that is in memory, whole. */
bool block_parse_head(struct slice block, struct block_head *head);
bool block_open(struct slice block, const struct block_head *head, const struct block_key *key,
                struct buf *plain);
/* Opens the block whose head was read; raw is scratch. */
bool block_read(int fd, uint64_t offset, const struct block_head *head, const struct block_key *key,
                struct buf *raw, struct buf *plain);
