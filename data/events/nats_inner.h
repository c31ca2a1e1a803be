/* SPDX-License-Identifier: Apache-2.0 */
/* Between nats.c, the connection; nats_stream.c, what is asked of a stream; and log_nats.c, the log
 * that is made of it. */
#pragma once
#include <nats/nats.h>
#include <pthread.h>

#include "data/events/log_inner.h"
#include "data/events/nats.h"

#define NATS_TAIL_BYTES     (1u << 20)  /* of the newest blocks, kept in memory for readers */
#define NATS_TAIL_BYTES_ALL (64u << 20) /* of all logs together */

struct nats_log;
struct log_nats {
    pthread_rwlock_t gate; /* held to read while the connection is used, to write to replace it */
    natsOptions *options;
    natsConnection *connection;
    jsCtx *js;
    _Atomic uint64_t tail_bytes;
    unsigned replicas, timeout_ms;
    pthread_mutex_t lock; /* of what follows */
    uint64_t away_until_ms;
    struct nats_log *logs;
    bool stopping, keeper_made, told;
    pthread_t keeper;
    pthread_cond_t stop;
};

/* NULL: it is not connected, or did not answer a moment ago. Else nats_end() follows. */
jsCtx *nats_begin(struct log_nats *nats);
/* Whether it answered: what it says, even a refusal, is an answer. */
void nats_end(struct log_nats *nats, bool answered);
size_t nats_room(struct log_nats *nats); /* most bytes of a message */

#define NATS_TAIL_BLOCKS 1024

struct tail_block {
    uint64_t message, first, last;
    char *p;
    size_t n;
};

struct nats_log {
    struct topic_log base;
    struct log_nats *nats;
    struct nats_log *next;
    struct block_key key;
    char stream[48], subject[56];
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t turn;
    struct waiting *queue;       /* log_nats.c */
    bool busy;                   /* somebody writes, or finds out what there is */
    bool ready;                  /* last, first and seen are what the stream holds */
    bool known;                  /* they once were: readers have what they need */
    uint64_t first, last;        /* events */
    uint64_t message0, message1; /* the first and last message */
    uint64_t bytes, trim_at_ms, trim_bytes, trimmed_ms;
    struct topic_log *files; /* nats_carry.c: where its events were before NATS; NULL: nowhere */
    char files_dir[700];
    struct tail_block tail[NATS_TAIL_BLOCKS]; /* a ring */
    size_t tail_at, tail_n, tail_bytes;
    /* of whoever is busy */
    struct seen seen;
    struct buf plain, block;
};

/* nats_stream.c ---------------------------------------------------------------------------------
 */
bool nats_no_answer(natsStatus s);
/* A message into raw; false: it is no block. */
bool nats_take_block(const char *p, int n, struct buf *raw, struct block_head *head);
/* LOG_DAMAGED: what is there is no block. LOG_NONE: it was dropped. */
enum log_read nats_get(struct nats_log *log, uint64_t message, struct buf *raw,
                       struct block_head *head);
/* The first message from `from` to `to` whose events end at `seq` or later, or that was written at
 * at_ms or later; to + 1: there is none. */
enum log_read nats_locate(struct nats_log *log, uint64_t from, uint64_t to, uint64_t seq,
                          uint64_t at_ms, struct buf *raw, uint64_t *message);
/* Makes the stream if there is none and finds out what it holds. By whoever is busy. */
enum log_err nats_prepare(struct nats_log *log);
void nats_log_keep(struct nats_log *log); /* the keeper's */

/* log_nats.c: what log->plain has, as the next message. By whoever is busy. */
enum log_err nats_publish(struct nats_log *log, size_t count, uint64_t at_ms, bool *stored);
size_t nats_log_room_of(struct nats_log *log);

/* nats_carry.c ----------------------------------------------------------------------------------
 * The files of the topic, if it has any. False: they cannot be read. */
bool nats_carry_begin(struct nats_log *log, const char *dir);
/* Once nats_prepare() knows what the stream holds (empty: nothing, ever). LOG_EAWAY: not done yet.
 */
enum log_err nats_carry(struct nats_log *log, bool empty);
