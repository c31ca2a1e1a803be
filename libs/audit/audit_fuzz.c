/* SPDX-License-Identifier: Apache-2.0 */
/* The reader on hostile bytes: a segment (first byte even) or a line of ledger or heads. To get
 * past the chain, every second segment has its chain values and header repaired first. */
#include <stdlib.h>

#include "audit/audit_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static volatile uint8_t sink; /* so that reading the bytes is not optimised away */

static bool visit(void *ctx, const struct audit_record *rec, const json_t *plan)
{
    const struct slice slices[] = {rec->call.client, rec->call.owner, rec->call.target};
    (void)ctx;
    (void)plan;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < slices[i].n; k++) {
            sink = (uint8_t)(sink ^ (uint8_t)slices[i].p[k]);
        }
    }
    return true;
}

static void repair(struct walk *w, uint8_t *bytes, size_t n)
{
    struct seg_head h = {.stream = 0, .seq = 1};
    struct seg_record r;
    uint8_t chain[SEG_CHAIN_LEN];
    seg_head_write(bytes, &h);
    seg_head_chain(&w->hasher, bytes, chain);
    for (size_t at = SEG_HEAD_BYTES; seg_step(bytes + at, n - at, &r) == SEG_RECORD;
         at += r.length) {
        crypto_hasher_reset(&w->hasher);
        crypto_hasher_add(&w->hasher, chain, SEG_CHAIN_LEN);
        crypto_hasher_add(&w->hasher, r.start, r.length - SEG_CHAIN_LEN);
        crypto_hasher_end(&w->hasher, chain);
        memcpy(bytes + at + r.length - SEG_CHAIN_LEN, chain, SEG_CHAIN_LEN);
    }
}

static void fuzz_segment(const uint8_t *data, size_t n, bool mend)
{
    struct audit_summary sum = {0};
    struct walk *w = calloc(1, sizeof *w);
    struct walk_stream st = {.stream = 0, .seq = 1};
    size_t total = mend ? SEG_HEAD_BYTES + n : n;
    uint8_t *bytes = malloc(total > 0 ? total : 1);
    if (w == NULL || bytes == NULL) {
        abort();
    }
    w->dir = -1;
    w->visit = visit;
    w->sum = &sum;
    crypto_hasher_init(&w->hasher, CRYPTO_SM3);
    if (n > 0) {
        memcpy(bytes + (total - n), data, n);
    }
    if (mend) {
        repair(w, bytes, total);
    }
    walk_bytes(w, &st, "s000-00000001.seg", 1, bytes, total, -1);
    crypto_hasher_fini(&w->hasher);
    free(st.pending);
    free(bytes);
    free(w);
}

static void fuzz_line(struct slice line)
{
    static struct crypto_sm2 *key;
    static struct heads heads;
    struct seal seal;
    key = key == NULL ? crypto_sm2_new() : key;
    if (line_signed_by(line, key)) {
        abort(); /* nobody signed that */
    }
    (void)!seal_read(&seal, line);
    (void)!heads_read(&heads, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) {
        return 0;
    }
    if (data[0] & 1) {
        fuzz_line(slice_of((const char *)data + 1, n - 1));
    } else {
        fuzz_segment(data + 1, n - 1, (data[0] & 2) != 0);
    }
    return 0;
}
