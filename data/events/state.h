/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker must remember beside the logs, in an SQLite file of the data service: where each
 * subscription is, which later events it has acknowledged, its dead letters, and what rows of
 * polled datasets looked like. Any thread. */
#pragma once
#include <jansson.h>

#include "base/buf.h"
#include "id/uuid.h"

struct state;
struct state *state_open(const char *path);
void state_close(struct state **s);

/* False: no such subscription yet. */
bool state_position(struct state *s, const struct uuid *sub, uint64_t *acked);
bool state_set_position(struct state *s, const struct uuid *sub, uint64_t acked)
    __attribute__((warn_unused_result));
/* Acknowledged out of order: durable when it returns true. */
bool state_ack(struct state *s, const struct uuid *sub, const uint64_t *seqs, size_t n)
    __attribute__((warn_unused_result));
bool state_acked(struct state *s, const struct uuid *sub, uint64_t seq);

void state_unack(struct state *s, const struct uuid *sub); /* none is, beyond the position */

bool state_bury(struct state *s, const struct uuid *sub, uint64_t seq, unsigned attempts,
                const char *reason, uint64_t now_ms) __attribute__((warn_unused_result));
json_t *state_dead(struct state *s, const struct uuid *sub, size_t max); /* array, oldest first */
uint64_t state_dead_count(struct state *s, const struct uuid *sub);
/* Takes them out; the lowest number among them, 0: there were none. */
uint64_t state_exhume(struct state *s, const struct uuid *sub, uint64_t seq,
                      void (*each)(void *ctx, uint64_t seq), void *ctx);
void state_forget(struct state *s, const struct uuid *sub);
/* Every subscription of which something is kept. each may forget it. */
void state_each(struct state *s, void (*each)(void *ctx, const struct uuid *sub), void *ctx);

/* Rows of a polled dataset by the digest of their key. */
bool state_begin(struct state *s) __attribute__((warn_unused_result));
bool state_end(struct state *s, bool keep) __attribute__((warn_unused_result));
/* What is kept of the row; false: it is new. sealed is appended. */
bool state_row(struct state *s, const struct uuid *topic, const uint64_t key[2], uint64_t hash[2],
               struct buf *sealed);
bool state_set_row(struct state *s, const struct uuid *topic, const uint64_t key[2],
                   const uint64_t hash[2], uint64_t round, struct slice sealed)
    __attribute__((warn_unused_result));
bool state_touch_row(struct state *s, const struct uuid *topic, const uint64_t key[2],
                     uint64_t round) __attribute__((warn_unused_result));
/* One row that the round did not see, taken out; false: none is left. */
bool state_gone_row(struct state *s, const struct uuid *topic, uint64_t round, uint64_t key[2],
                    struct buf *sealed);
struct state_look {
    uint64_t round, swept_ms; /* the last; when all rows were compared last. 0: never */
    char mark[64];            /* the highest change there was; "": not known */
};
void state_look(struct state *s, const struct uuid *topic, struct state_look *look);
bool state_set_look(struct state *s, const struct uuid *topic, const struct state_look *look)
    __attribute__((warn_unused_result));
