/* SPDX-License-Identifier: Apache-2.0 */
/* The two signed texts of an audit directory: `seals`, a line for each finished segment, and
 * `heads`, one line rewritten about once a second. A line is a JSON object whose last member is
 * "sig": SM2 over every byte of the line before `,"sig":"`. Internal to libs/audit. */
#pragma once
#include "audit/audit_format.h"
#include "base/buf.h"

#define LEDGER_FILE  "seals"
#define HEADS_FILE   "heads"
#define HEADS_BAD    "heads.bad-" /* a signed head that what was found later contradicts */
#define LINE_MAX_LEN (1u << 20)

struct mark { /* how far a segment goes */
    uint32_t stream;
    uint64_t seq, records, end;
    uint8_t chain[SEG_CHAIN_LEN];
};

struct seal {
    struct mark mark;
    char node[SEG_NODE_MAX + 1];
    uint64_t sealed_ms;
    bool broken; /* the sealer itself saw records that do not follow; mark is the last good one */
    uint8_t previous[SEG_CHAIN_LEN]; /* SM3 of the ledger line before this one */
};

struct heads {
    uint64_t at_ms, seals; /* lines in the ledger */
    uint8_t last_seal[SEG_CHAIN_LEN];
    size_t n;
    struct mark marks[SEG_STREAMS_MAX];
};

/* Each writes a whole signed line without its newline. */
void seal_write(struct buf *out, const struct seal *s, const struct crypto_sm2 *key);
void heads_write(struct buf *out, const struct heads *h, const struct crypto_sm2 *key);
/* False: not such a line. */
bool seal_read(struct seal *s, struct slice line) __attribute__((warn_unused_result));
bool heads_read(struct heads *h, struct slice line) __attribute__((warn_unused_result));
bool line_signed_by(struct slice line, const struct crypto_sm2 *key)
    __attribute__((warn_unused_result));
