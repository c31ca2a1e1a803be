/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of audit_walk. Internal to libs/audit. */
#pragma once
#include "audit/audit_ledger.h"

#define FINDINGS_MAX 50 /* of one segment; a cut file can hold a hundred thousand */

struct walk {
    int dir;
    const struct crypto_sm2 *key; /* NULL: chains only */
    bool (*visit)(void *ctx, const struct audit_record *rec, const json_t *plan);
    void (*report)(void *ctx, const struct audit_finding *f);
    void *ctx;
    struct audit_summary *sum;
    struct crypto_hasher hasher;
    bool broken, stop;
    uint32_t findings; /* in this segment */
    struct heads heads;
    bool have_heads;
    struct seal *seals; /* by stream and seq */
    size_t n_seals;
    uint64_t first_us; /* when the oldest segment was made */
};

/* How one stream stands between two of its segments. */
struct walk_stream {
    uint32_t stream;
    uint64_t seq;                 /* expected next */
    uint8_t chain[SEG_CHAIN_LEN]; /* it must follow this */
    bool adopt;                   /* the one before was unreadable: any value will do */
    bool closed;                  /* the last one seen */
    struct uuid *pending;         /* AUDIT_OPEN without AUDIT_CALL so far */
    size_t n_pending, cap_pending;
};

void walk_find(struct walk *w, const char *segment, uint64_t index, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* audit_check.c: one segment file. False: out of memory or unreadable directory. */
bool walk_segment(struct walk *w, struct walk_stream *st, uint64_t seq)
    __attribute__((warn_unused_result));
/* The ledger's seal of a segment, NULL: none. */
const struct seal *walk_seal_of(const struct walk *w, uint32_t stream, uint64_t seq);
const struct mark *walk_head_of(const struct walk *w, uint32_t stream);
void walk_interrupted(struct walk *w, struct walk_stream *st);
/* Reads a whole file. False: no such file (*out empty) or no memory. */
bool walk_read(struct walk *w, const char *name, uint8_t **out, size_t *n)
    __attribute__((warn_unused_result));

/* audit_check.c, for the fuzzer: checks and visits the records of one segment held in memory. */
void walk_bytes(struct walk *w, struct walk_stream *st, const char *name, uint64_t seq,
                uint8_t *bytes, size_t n, int fd);
