/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a segment, shared by writer, sealer and reader; docs/audit-format.md is its twin for
 * third parties. Little-endian throughout. Internal to libs/audit. */
#pragma once
#include <endian.h>
#include <string.h>

#include "audit/audit.h"

#define SEG_MAGIC        "SLAUDIT1"
#define SEG_VERSION      4 /* that is written; from SEG_VERSION_MIN on all are read */
#define SEG_VERSION_MIN  1
#define SEG_HEAD_BYTES   4096 /* records begin here */
#define SEG_FIXED_BYTES  128  /* of the header: never change, hashed into the chain */
#define SEG_NODE_MAX     32
#define SEG_STATE_AT     128
#define SEG_SEAL_AT      512
#define SEG_SEAL_MAX     2048
#define SEG_CHAIN_LEN    CRYPTO_HASH_LEN
#define SEG_NAME_MAX     40 /* "s000-00000001.seg" and its NUL, with room */
#define SEG_STREAMS_MAX  1000
#define SEG_FILE_MAX     (1ull << 31) /* a larger file is not one of ours */
#define REC_HEAD_BYTES   8
#define REC_MAX          (192u << 10)
#define REC_CALL_FIXED   140  /* payload bytes before the variable part */
#define REC_CALL_TOKEN   32   /* token and user, behind the variable part: since version 2 */
#define REC_CALL_PURPOSE 16   /* what for, behind that: since version 3 */
#define REC_CALL_SDK     64   /* through which kit, zero padded, behind that: since version 4 */
#define REC_CALL_MAX     1024 /* a whole call record */
#define REC_OWNER_MAX    128
#define REC_TARGET_MAX   512
#define AUDIT_START      4 /* record kind, private: a writer took the stream over */

enum { SEG_OPEN, SEG_CLOSED };

static inline void put16(uint8_t *p, uint16_t v)
{
    v = htole16(v);
    memcpy(p, &v, sizeof v);
}
static inline void put32(uint8_t *p, uint32_t v)
{
    v = htole32(v);
    memcpy(p, &v, sizeof v);
}
static inline void put64(uint8_t *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof v);
}
static inline uint16_t get16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return le16toh(v);
}
static inline uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return le32toh(v);
}
static inline uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

/* audit_segment.c -------------------------------------------------------------------------------
 */
struct seg_head {
    uint32_t stream;
    uint64_t seq, created_us;
    char node[SEG_NODE_MAX + 1];
    uint8_t previous[SEG_CHAIN_LEN]; /* last chain value of the stream's segment before this one */
    uint32_t state, records;         /* this and below: what its writer said when it closed it */
    uint64_t end, closed_us;
    uint8_t last[SEG_CHAIN_LEN];
};

void seg_name(char out[static SEG_NAME_MAX], uint32_t stream, uint64_t seq);
bool seg_name_parse(const char *name, uint32_t *stream, uint64_t *seq)
    __attribute__((warn_unused_result));
/* Fills the whole header of an open segment. */
void seg_head_write(uint8_t out[static SEG_HEAD_BYTES], const struct seg_head *h);
/* The writer's last word: state, counts, end; the state goes last. */
void seg_head_close(uint8_t *head, const struct seg_head *h);
bool seg_head_read(struct seg_head *h, const uint8_t *p, size_t n)
    __attribute__((warn_unused_result));
/* The chain value records start from: SM3 of the header's fixed part. */
void seg_head_chain(struct crypto_hasher *hasher, const uint8_t *head,
                    uint8_t chain[static SEG_CHAIN_LEN]);

struct seg_record {
    uint32_t length, index;
    uint8_t kind;
    const uint8_t *start, *payload, *chain;
    size_t payload_n;
};
enum seg_step {
    SEG_RECORD,
    SEG_END,
    SEG_SHORT /* the record goes on past n */,
    SEG_BAD /* not a record */
};
enum seg_step seg_step(const uint8_t *p, size_t n, struct seg_record *r)
    __attribute__((warn_unused_result));
/* Does r follow a record whose chain value is `chain`? On yes *chain moves to r's. */
bool seg_follows(struct crypto_hasher *hasher, const struct seg_record *r,
                 uint8_t chain[static SEG_CHAIN_LEN]) __attribute__((warn_unused_result));

/* audit_record.c --------------------------------------------------------------------------------
 */
/* Each encoder writes a record up to, not with, its chain value, and returns that length. */
size_t rec_encode_call(uint8_t out[static REC_CALL_MAX], const struct audit_call *call,
                       uint32_t plan, uint32_t index);
size_t rec_encode_start(uint8_t out[static REC_CALL_MAX], uint64_t at_us, uint32_t pid,
                        uint32_t index);
/* A plan's payload without its number; returns its length, at most REC_MAX - 64. */
size_t rec_encode_plan(uint8_t out[static REC_MAX], const struct policy_api *api,
                       const struct policy_verdict *v);
/* Puts head, number and padding around that payload. */
size_t rec_wrap_plan(uint8_t out[static REC_MAX], const uint8_t *payload, size_t n, uint32_t number,
                     uint32_t index);
/* seen receives the field bits call->seen points to. */
bool rec_decode_call(const struct seg_record *r, struct audit_call *call,
                     uint64_t seen[static POLICY_FIELD_WORDS]) __attribute__((warn_unused_result));
/* {"api","rev","fields":[{"path","level","outcome","why","mask"}]}; NULL: not a plan, or no memory.
 */
json_t *rec_decode_plan(const struct seg_record *r, uint32_t *number)
    __attribute__((warn_unused_result));

/* audit_plans.c: what the writer remembers of plans, least recently used out first --------------
 */
#define PLANS_MAX       16384
#define PLANS_BYTES_MAX (32u << 20)
struct plans;
struct plans_entry {
    uint64_t key;
    uint64_t generation; /* of the segment that holds it, 0: none yet */
    uint32_t number;     /* in that segment */
    uint32_t n;
    uint8_t *payload;
};
struct plans *plans_new(void);
void plans_free(struct plans **p);
struct plans_entry *plans_find(struct plans *p, uint64_t key,
                               uint32_t *handle);               /* NULL: not there */
struct plans_entry *plans_at(struct plans *p, uint32_t handle); /* NULL: stale */
/* Copies payload. NULL: no memory. */
struct plans_entry *plans_add(struct plans *p, uint64_t key, const uint8_t *payload, size_t n,
                              uint32_t *handle);
