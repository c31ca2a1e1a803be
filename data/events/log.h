/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded broker's store: one append-only log of events a topic, in segments, each block (what
 * was published together) sealed with SM4-GCM so that level-3 values lie encrypted. An append that
 * returned is on disk: writers that come together share one fdatasync. A block torn by a crash was
 * never acknowledged and is cut. Any thread may append; a reader is one thread's. */
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

enum log_err { LOG_OK, LOG_EFULL, LOG_EIO, LOG_EMEMORY };

struct topic_log;
/* Makes dir. NULL: it cannot be opened or read. segment_bytes 0: LOG_SEGMENT_BYTES. */
struct topic_log *topic_log_open(const char *dir, const struct uuid *topic,
                                 const uint8_t key[static CRYPTO_KEY_LEN], size_t segment_bytes);
void topic_log_close(struct topic_log **log);
/* All or none; *duplicates of them were there already and are not written again. */
enum log_err topic_log_append(struct topic_log *log, struct event *events, size_t n,
                              size_t *duplicates) __attribute__((warn_unused_result));
uint64_t topic_log_last(struct topic_log *log);  /* of the newest durable event; 0: none */
uint64_t topic_log_first(struct topic_log *log); /* of the oldest kept; last + 1: none is */
uint64_t topic_log_bytes(struct topic_log *log);
/* The sequence number before the first event published at at_ms or later. */
uint64_t topic_log_before(struct topic_log *log, uint64_t at_ms);
/* Drops whole segments that are older than at_ms or beyond bytes in all; never the one written. */
void topic_log_trim(struct topic_log *log, uint64_t at_ms, uint64_t bytes);

struct topic_reader;
struct topic_reader *topic_reader_new(struct topic_log *log); /* the log outlives it */
void topic_reader_free(struct topic_reader **r);
uint64_t topic_reader_after(const struct topic_reader *r); /* where it is */
void topic_reader_seek(struct topic_reader *r, uint64_t after);
/* The next durable event; false: none yet, or the log is damaged there (*damaged). Its slices last
 * until the next call. */
bool topic_reader_next(struct topic_reader *r, struct event *event, bool *damaged);
