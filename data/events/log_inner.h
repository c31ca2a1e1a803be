/* SPDX-License-Identifier: Apache-2.0 */
/* Between log.h and its back ends: log_file.c, segments on disk; log_nats.c, a stream of NATS. Both
 * keep the same blocks (block.h), numbered without gaps. */
#pragma once
#include "data/events/block.h"

#define SEEN_SLOTS (2 * LOG_DUPLICATES)

/* A table of one place a hash, overwritten: an old event's place may be taken by a newer one, so a
 * very late second publication can pass; one within the last few thousand never does unless two of
 * those share a place, and then it is delivered twice, as at-least-once allows. */
struct seen {
    uint64_t table[SEEN_SLOTS][2];
};
bool seen_known(const struct seen *s, const uint64_t identity[2]);
void seen_remember(struct seen *s, const uint64_t identity[2]);
void seen_block(struct seen *s, struct slice plain); /* all of its events */

struct topic_log {
    const struct log_ops *ops;
};

struct topic_reader {
    struct topic_log *log;
    uint64_t after, limit; /* what was given last; the last durable one when last looked */
    uint64_t seq, at_ms;   /* of the next event in plain */
    struct buf raw, plain;
    size_t at;
};

struct log_ops {
    size_t reader_bytes;
    void (*close)(struct topic_log *log);
    bool (*ready)(struct topic_log *log);
    enum log_err (*append)(struct topic_log *log, struct event *events, size_t n,
                           size_t *duplicates);
    size_t (*room)(struct topic_log *log);
    uint64_t (*last)(struct topic_log *log);
    uint64_t (*first)(struct topic_log *log);
    uint64_t (*bytes)(struct topic_log *log);
    uint64_t (*before)(struct topic_log *log, uint64_t at_ms);
    void (*trim)(struct topic_log *log, uint64_t at_ms, uint64_t bytes);
    void (*forget)(struct topic_reader *r); /* where it was: it goes to another place */
    /* The next block that has something after r->after into plain, seq, at_ms and at. */
    enum log_read (*next_block)(struct topic_reader *r);
};

uint64_t topic_log_bytes(struct topic_log *log); /* for tests */
