/* SPDX-License-Identifier: Apache-2.0 */
/* Between nats.c, the connection, and log_nats.c, the logs. */
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

/* log_nats.c, for the keeper */
void nats_log_keep(struct nats_log *log);
struct nats_log *nats_log_next(struct nats_log *log);
