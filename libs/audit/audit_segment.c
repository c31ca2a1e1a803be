/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_format.h"

#include <inttypes.h>
#include <stdio.h>

const char *audit_strerror(enum audit_err err)
{
    static const char *const texts[] = {
        [AUDIT_OK] = "no error",
        [AUDIT_EFULL] = "the audit log is full and no new segment can be made",
        [AUDIT_EIO] = "the audit directory or a file in it cannot be read or written",
        [AUDIT_EFORMAT] = "not a record or segment this version can read or write",
        [AUDIT_EBROKEN] = "the audit log does not verify",
    };
    return (unsigned)err < sizeof texts / sizeof *texts ? texts[err] : "unknown audit error";
}

void seg_name(char out[static SEG_NAME_MAX], uint32_t stream, uint64_t seq)
{
    snprintf(out, SEG_NAME_MAX, "s%03" PRIu32 "-%08" PRIu64 ".seg", stream, seq);
}

bool seg_name_parse(const char *name, uint32_t *stream, uint64_t *seq)
{
    uint32_t st;
    uint64_t sq;
    if (strlen(name) >= SEG_NAME_MAX ||
        sscanf(name, "s%" SCNu32 "-%" SCNu64 ".seg", &st, &sq) != 2) {
        return false;
    }
    char again[SEG_NAME_MAX];
    seg_name(again, st, sq);
    if (strcmp(again, name) != 0 || st >= SEG_STREAMS_MAX || sq == 0) {
        return false;
    }
    *stream = st;
    *seq = sq;
    return true;
}

void seg_head_write(uint8_t out[static SEG_HEAD_BYTES], const struct seg_head *h)
{
    memset(out, 0, SEG_HEAD_BYTES);
    memcpy(out, SEG_MAGIC, 8);
    put32(out + 8, SEG_VERSION);
    put32(out + 12, h->stream);
    put64(out + 16, h->seq);
    put64(out + 24, h->created_us);
    memcpy(out + 32, h->node, strnlen(h->node, SEG_NODE_MAX));
    memcpy(out + 64, h->previous, SEG_CHAIN_LEN);
    put32(out + 96, SEG_HEAD_BYTES);
}

void seg_head_close(uint8_t *head, const struct seg_head *h)
{
    put32(head + 132, h->records);
    put64(head + 136, h->end);
    memcpy(head + 144, h->last, SEG_CHAIN_LEN);
    put64(head + 176, h->closed_us);
    __atomic_store_n((uint32_t *)(void *)(head + SEG_STATE_AT), htole32(SEG_CLOSED),
                     __ATOMIC_RELEASE);
}

bool seg_head_read(struct seg_head *h, const uint8_t *p, size_t n)
{
    static const uint8_t zeros[28];
    if (n < SEG_HEAD_BYTES || memcmp(p, SEG_MAGIC, 8) != 0 || get32(p + 8) < SEG_VERSION_MIN ||
        get32(p + 8) > SEG_VERSION || get32(p + 96) != SEG_HEAD_BYTES ||
        memcmp(p + 100, zeros, sizeof zeros) != 0) {
        return false;
    }
    *h = (struct seg_head){
        .stream = get32(p + 12), .seq = get64(p + 16), .created_us = get64(p + 24)};
    memcpy(h->node, p + 32, SEG_NODE_MAX);
    memcpy(h->previous, p + 64, SEG_CHAIN_LEN);
    h->state = get32(p + SEG_STATE_AT);
    h->records = get32(p + 132);
    h->end = get64(p + 136);
    memcpy(h->last, p + 144, SEG_CHAIN_LEN);
    h->closed_us = get64(p + 176);
    return h->state <= SEG_CLOSED;
}

void seg_head_chain(struct crypto_hasher *hasher, const uint8_t *head,
                    uint8_t chain[static SEG_CHAIN_LEN])
{
    crypto_hasher_reset(hasher);
    crypto_hasher_add(hasher, head, SEG_FIXED_BYTES);
    crypto_hasher_end(hasher, chain);
}

enum seg_step seg_step(const uint8_t *p, size_t n, struct seg_record *r)
{
    if (n < REC_HEAD_BYTES) {
        return SEG_END;
    }
    uint32_t length = get32(p);
    if (length == 0) {
        return SEG_END;
    }
    if (length % 8 != 0 || length < REC_HEAD_BYTES + SEG_CHAIN_LEN || length > REC_MAX) {
        return SEG_BAD;
    }
    uint32_t tag = get32(p + 4);
    *r = (struct seg_record){
        .length = length,
        .index = tag >> 8,
        .kind = (uint8_t)tag,
        .start = p,
        .payload = p + REC_HEAD_BYTES,
        .payload_n = length - REC_HEAD_BYTES - SEG_CHAIN_LEN,
        .chain = p + length - SEG_CHAIN_LEN,
    };
    return length > n ? SEG_SHORT : SEG_RECORD;
}

bool seg_follows(struct crypto_hasher *hasher, const struct seg_record *r,
                 uint8_t chain[static SEG_CHAIN_LEN])
{
    uint8_t want[SEG_CHAIN_LEN];
    crypto_hasher_reset(hasher);
    crypto_hasher_add(hasher, chain, SEG_CHAIN_LEN);
    crypto_hasher_add(hasher, r->start, r->length - SEG_CHAIN_LEN);
    crypto_hasher_end(hasher, want);
    if (memcmp(want, r->chain, SEG_CHAIN_LEN) != 0) {
        return false;
    }
    memcpy(chain, want, SEG_CHAIN_LEN);
    return true;
}
