/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's store: one append-only log of events a topic, each block (what was published
 * together) sealed with SM4-GCM so that level-3 values lie encrypted. Embedded, a log is segments
 * on disk: an append that returned is durable, writers that come together share one fdatasync, and
 * a block torn by a crash was never acknowledged and is cut. With NATS a log is a stream of
 * JetStream that has acknowledged what an append returned for; to those who use it, it is the same
 * log. Any thread may append; a reader is one thread's. */
#pragma once
#include "base/buf.h"
#include "crypto/crypto.h"
#include "id/uuid.h"

#define LOG_SEGMENT_BYTES (32u << 20)
#define LOG_DUPLICATES    16384 /* the latest events whose ids are remembered */
#define LOG_BATCH_MAX     1000  /* events of one append */

struct event {
    uint64_t seq, at_ms;  /* given by the log */
    uint64_t identity[2]; /* of source and id: what makes a second publication a duplicate */
    struct slice key;     /* events of one key are delivered in order */
    struct slice owner;   /* whose data it is, "" nobody's */
    struct slice type;    /* of the event */
    struct slice head;    /* its attributes: a JSON object without the closing brace */
    struct slice data;    /* JSON */
};

/* LOG_EAWAY: NATS does not answer. Nothing of it was acknowledged; published again it is stored
 * once.
 */
enum log_err { LOG_OK, LOG_EFULL, LOG_EIO, LOG_EMEMORY, LOG_EAWAY };

struct topic_log;
/* Makes dir. NULL: it cannot be opened or read. segment_bytes 0: LOG_SEGMENT_BYTES. */
struct topic_log *topic_log_open(const char *dir, const struct uuid *topic,
                                 const uint8_t key[static CRYPTO_KEY_LEN], size_t segment_bytes);
/* The same as a stream of NATS. Never waits: it is ready when NATS answers, and has all that lay in
 * dir, which need not be there. NULL: what lies there cannot be read. */
struct log_nats;
struct topic_log *topic_log_open_nats(struct log_nats *nats, const char *dir,
                                      const struct uuid *topic,
                                      const uint8_t key[static CRYPTO_KEY_LEN]);
void topic_log_close(struct topic_log **log);
/* False: it has not been found yet what it holds, so first and last say nothing. */
bool topic_log_ready(struct topic_log *log);
size_t topic_log_room(struct topic_log *log); /* most bytes of one append, as they are stored */
/* All or none; *duplicates of them were there already and are not written again. */
enum log_err topic_log_append(struct topic_log *log, struct event *events, size_t n,
                              size_t *duplicates) __attribute__((warn_unused_result));
uint64_t topic_log_last(struct topic_log *log);  /* of the newest durable event; 0: none */
uint64_t topic_log_first(struct topic_log *log); /* of the oldest kept; last + 1: none is */
/* The sequence number before the first event published at at_ms or later. */
uint64_t topic_log_before(struct topic_log *log, uint64_t at_ms);
/* Drops whole segments or blocks that are older than at_ms or beyond bytes in all, NATS soon after;
 * never the one written last. */
void topic_log_trim(struct topic_log *log, uint64_t at_ms, uint64_t bytes);

struct topic_reader;
struct topic_reader *topic_reader_new(struct topic_log *log); /* the log outlives it */
void topic_reader_free(struct topic_reader **r);
uint64_t topic_reader_after(const struct topic_reader *r); /* where it is */
void topic_reader_seek(struct topic_reader *r, uint64_t after);
/* LOG_NONE: none yet. LOG_DAMAGED: the log is, there. LOG_AWAY: NATS does not answer: try later.
 * The event's slices last until the next call. */
enum log_read { LOG_READ, LOG_NONE, LOG_DAMAGED, LOG_AWAY };
enum log_read topic_reader_next(struct topic_reader *r, struct event *event);
