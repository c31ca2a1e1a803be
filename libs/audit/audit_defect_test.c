/* SPDX-License-Identifier: Apache-2.0 */
/* A log damaged in every way we could think of: verification names the place. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit_testing.h"
#include "base/clock.h"

static void change(const char *name, uint64_t index, size_t offset)
{
    struct bytes b = load(name);
    b.p[(size_t)(record_at(b, index).start - b.p) + offset] ^= 1;
    store(name, b);
}

static void change_byte(void)
{
    change("s000-00000001.seg", 5, 60);
}
static void change_chain(void)
{
    struct bytes b = load("s000-00000001.seg");
    struct seg_record r = record_at(b, 7);
    b.p[r.chain - b.p] ^= 1;
    store("s000-00000001.seg", b);
}
static void change_open(void)
{
    change("s000-00000003.seg", 1, 60);
}
static void change_length(void)
{
    change("s000-00000001.seg", 5, 0);
}
static void change_index(void)
{
    change("s000-00000001.seg", 5, 6);
}

static void cut_open(void)
{
    struct bytes b = load("s000-00000003.seg");
    size_t at = (size_t)(record_at(b, 2).start - b.p);
    memset(b.p + at, 0, b.n - at);
    store("s000-00000003.seg", b);
}
static void truncate_open(void)
{
    struct bytes b = load("s000-00000003.seg");
    b.n = (size_t)(record_at(b, 2).start - b.p) + 20;
    store("s000-00000003.seg", b);
}
static void truncate_sealed(void)
{
    struct bytes b = load("s000-00000002.seg");
    b.n = (size_t)(record_at(b, 9).start - b.p);
    store("s000-00000002.seg", b);
}
static void remove_record(void)
{
    struct bytes b = load("s000-00000001.seg");
    struct seg_record r = record_at(b, 5);
    size_t at = (size_t)(r.start - b.p), length = r.length;
    memmove(b.p + at, b.p + at + length, b.n - at - length);
    b.n -= length;
    store("s000-00000001.seg", b);
}
static void insert_record(void) /* forged well: it follows record 4, only the next one betrays it */
{
    struct bytes b = load("s000-00000001.seg");
    struct seg_record before = record_at(b, 4), r = record_at(b, 5);
    size_t at = (size_t)(r.start - b.p), length = r.length;
    uint8_t text[SEG_CHAIN_LEN + REC_CALL_MAX];
    memcpy(text, before.chain, SEG_CHAIN_LEN);
    memcpy(text + SEG_CHAIN_LEN, r.start, length);
    text[SEG_CHAIN_LEN + 60] ^= 1;
    crypto_hash(CRYPTO_SM3, text, length, text + length);
    memmove(b.p + at + length, b.p + at, b.n - at);
    memcpy(b.p + at, text + SEG_CHAIN_LEN, length);
    b.n += length;
    store("s000-00000001.seg", b);
}
static void swap_records(void)
{
    struct bytes b = load("s000-00000001.seg");
    struct seg_record one = record_at(b, 5), two = record_at(b, 6);
    uint8_t copy[REC_CALL_MAX];
    size_t at = (size_t)(one.start - b.p);
    uint32_t n = one.length, m = two.length;
    memcpy(copy, one.start, n);
    memmove(b.p + at, two.start, m);
    memcpy(b.p + at + m, copy, n);
    store("s000-00000001.seg", b);
}
static void rewrite_from(const char *name,
                         uint64_t index) /* a forger who makes every chain value anew */
{
    struct bytes b = load(name);
    struct crypto_hasher h;
    uint8_t chain[SEG_CHAIN_LEN];
    struct seg_record r = record_at(b, index);
    b.p[(size_t)(r.start - b.p) + 60] ^= 1;
    memcpy(chain, r.start - SEG_CHAIN_LEN, SEG_CHAIN_LEN);
    crypto_hasher_init(&h, CRYPTO_SM3);
    for (size_t at = (size_t)(r.start - b.p); seg_step(b.p + at, b.n - at, &r) == SEG_RECORD;
         at += r.length) {
        (void)!seg_follows(&h, &r, chain);
        crypto_hasher_reset(&h);
        crypto_hasher_add(&h, chain, SEG_CHAIN_LEN);
        crypto_hasher_add(&h, r.start, r.length - SEG_CHAIN_LEN);
        crypto_hasher_end(&h, chain);
        memcpy(b.p + at + r.length - SEG_CHAIN_LEN, chain, SEG_CHAIN_LEN);
    }
    crypto_hasher_fini(&h);
    if (get32(b.p + SEG_STATE_AT) == SEG_CLOSED) {
        memcpy(b.p + 144, chain, SEG_CHAIN_LEN);
    }
    store(name, b);
}
static void rewrite_sealed(void)
{
    rewrite_from("s000-00000002.seg", 5);
}
static void rewrite_open(void)
{
    rewrite_from("s000-00000003.seg", 1);
}

static void delete_first(void)
{
    in_dir("rm s000-00000001.seg");
}
static void delete_sealed(void)
{
    in_dir("rm s000-00000002.seg");
}
static void delete_open(void)
{
    in_dir("rm s000-00000003.seg");
}
static void delete_stream(void)
{
    in_dir("rm s001*");
}
static void swap_segments(void)
{
    in_dir("mv s000-00000001.seg x && mv s000-00000002.seg s000-00000001.seg && mv x "
           "s000-00000002.seg");
}
static void forge_seal(void)
{
    in_dir("sed -i '2s/\"records\":/\"records\":1/' seals");
}
static void forge_sealer(void) /* whole and well-formed, by another key */
{
    struct crypto_sm2 *mine = crypto_sm2_new();
    struct bytes b = load("seals");
    struct seal seal;
    struct buf text;
    char *end = memchr(b.p, '\n', b.n);
    buf_init(&text);
    assert_true(seal_read(&seal, slice_of((char *)b.p, (size_t)(end - (char *)b.p))));
    seal_write(&text, &seal, mine);
    buf_addc(&text, '\n');
    free(b.p);
    store("seals", (struct bytes){(uint8_t *)text.p, text.n});
    crypto_sm2_free(&mine);
}
static void delete_line(void)
{
    in_dir("sed -i 1d seals");
}
static void delete_last_line(void)
{
    in_dir("sed -i 2d seals");
}
static void double_line(void)
{
    in_dir("tail -1 seals > x && cat x >> seals");
}
static void delete_ledger(void)
{
    in_dir("rm seals");
}
static void garbage_ledger(void)
{
    in_dir("echo '{\"sluice\":' >> seals");
}
static void forge_heads(void)
{
    in_dir("sed -i 's/\"records\":/\"records\":1/' heads");
}
static void garbage_heads(void)
{
    in_dir("head -c 100 /dev/urandom > heads");
}
static void break_header(void)
{
    struct bytes b = load("s000-00000001.seg");
    b.p[0] ^= 1;
    store("s000-00000001.seg", b);
}
static void change_header(void)
{
    struct bytes b = load("s000-00000001.seg");
    b.p[32] ^= 1;
    store("s000-00000001.seg", b);
}
static void change_previous(void)
{
    struct bytes b = load("s000-00000002.seg");
    b.p[64] ^= 1;
    store("s000-00000002.seg", b);
}
static void change_copy(void)
{
    struct bytes b = load("s000-00000001.seg");
    b.p[SEG_SEAL_AT + 40] ^= 1;
    store("s000-00000001.seg", b);
}
static void hide_bytes(void)
{
    struct bytes b = load("s000-00000001.seg");
    memset(b.p + b.n, 0, 64);
    b.p[b.n + 40] = 1;
    b.n += 64;
    store("s000-00000001.seg", b);
}

static const struct defect {
    const char *name;
    void (*make)(void);
    const char *segment, *text;
    long index; /* -1: any */
} defects[] = {
    {"a byte of a sealed record", change_byte, "s000-00000001.seg",
     "record 5 does not match its chain", 5},
    {"a chain value", change_chain, "s000-00000001.seg", "record 7 does not match its chain", 7},
    {"a byte of an open record", change_open, "s000-00000003.seg",
     "record 1 does not match its chain", 1},
    {"a length", change_length, "s000-00000001.seg", "record 5 has a length that cannot be", 5},
    {"a record's number", change_index, "s000-00000001.seg", "not in their place", 5},
    {"the tail behind a signed head", cut_open, "s000-00000003.seg", "the tail is cut", 2},
    {"a file ending in a record", truncate_open, "s000-00000003.seg",
     "ends in the middle of record 2", 2},
    {"the end of a sealed file", truncate_sealed, "s000-00000002.seg", "was closed with", 9},
    {"a removed record", remove_record, "s000-00000001.seg", "record 5 is not in its place", 5},
    {"an inserted record", insert_record, "s000-00000001.seg", "inserted, doubled or moved", 5},
    {"swapped records", swap_records, "s000-00000001.seg", "record 5 stands behind record 6", 5},
    {"a rewritten sealed chain", rewrite_sealed, "s000-00000002.seg", "the seal covers", -1},
    {"a rewritten open chain", rewrite_open, "s000-00000003.seg", "the signed head covers", -1},
    {"the first segment", delete_first, "s000-00000001.seg", "the segment is missing", 0},
    {"a sealed segment", delete_sealed, "s000-00000002.seg", "the segment is missing", 0},
    {"the open segment", delete_open, "s000-00000003.seg", "the segment is missing", 0},
    {"a whole stream", delete_stream, "s001-00000001.seg", "the segment is missing", 0},
    {"swapped segments", swap_segments, "s000-00000001.seg", "the file was renamed", 0},
    {"a forged seal", forge_seal, "seals", "signature of line 2 is forged", 1},
    {"a seal by another key", forge_sealer, "seals", "signature of line 1 is forged", 0},
    {"the first ledger line", delete_line, "seals", "does not follow the one before", 0},
    {"the last ledger line", delete_last_line, "seals", "the signed heads count 2 seals", 1},
    {"a doubled ledger line", double_line, "seals", "sealed twice", -1},
    {"the ledger", delete_ledger, "seals", "the ledger has none", 0},
    {"garbage in the ledger", garbage_ledger, "seals", "line 3 is no seal", 2},
    {"forged heads", forge_heads, "heads", "signature of the heads is forged", 0},
    {"garbage for heads", garbage_heads, "heads", "cannot be read", 0},
    {"a segment's magic", break_header, "s000-00000001.seg", "header cannot be read", 0},
    {"a segment's node", change_header, "s000-00000001.seg", "record 0 does not match", 0},
    {"a segment's predecessor", change_previous, "s000-00000002.seg",
     "does not follow the one before", 0},
    {"the seal in a segment", change_copy, "s000-00000001.seg", "seal in the segment is forged",
     -1},
    {"bytes behind the end", hide_bytes, "s000-00000001.seg", "no record owns", -1},
};

static bool found(const struct seen_walk *s, const struct defect *d)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct audit_finding *f = &s->findings[i];
        if (strcmp(f->segment, d->segment) == 0 && strstr(f->text, d->text) != NULL &&
            (d->index < 0 || (uint64_t)d->index == f->index)) {
            return true;
        }
    }
    return false;
}

static void defects_named(void **state)
{
    struct seen_walk s;
    (void)state;
    uint64_t calls = build_log();
    assert_clean(&s);
    assert_int_equal(s.sum.calls, calls + 5);
    assert_int_equal(s.sum.segments, 4);
    assert_int_equal(s.sum.sealed, 2);
    in_dir("mkdir ../keep-$$ 2>/dev/null; rm -rf /tmp/audit_keep.$PPID; cp -a . "
           "/tmp/audit_keep.$PPID; rmdir ../keep-$$");
    for (size_t i = 0; i < COUNT(defects); i++) {
        in_dir("rm -rf ./* && cp -a /tmp/audit_keep.$PPID/. .");
        defects[i].make();
        enum audit_err err = walk(&s);
        if (err != AUDIT_EBROKEN || !found(&s, &defects[i])) {
            for (size_t k = 0; k < s.n; k++) {
                print_message("  %s %lu: %s\n", s.findings[k].segment,
                              (unsigned long)s.findings[k].index, s.findings[k].text);
            }
            in_dir("rm -rf /tmp/audit_keep.$PPID");
            fail_msg("%s: not named", defects[i].name);
        }
    }
    in_dir("rm -rf /tmp/audit_keep.$PPID");
}

static void header_lies(void **state)
{
    struct audit_writer *w = open_writer(SEG_TEST);
    struct seen_walk s;
    (void)state;
    append(w, 0, 5);
    audit_writer_close(&w);
    struct bytes b = load("s000-00000001.seg");
    b.p[132]++;
    store("s000-00000001.seg", b);
    struct audit_sealer *sealer = open_sealer(SEG_TEST);
    settle(sealer);
    audit_sealer_close(&sealer);
    assert_int_equal(walk(&s), AUDIT_EBROKEN);
    assert_true(found(&s, &(struct defect){.segment = "s000-00000001.seg",
                                           .text = "sealer found the segment broken",
                                           .index = -1}));
}

static void tail_cut_while_down(void **state)
{
    struct seen_walk s;
    (void)state;
    build_log();
    cut_open();
    struct audit_writer *w = open_writer(SEG_TEST); /* goes on behind the cut, as it must */
    append(w, 0, 5);
    audit_writer_close(&w);
    assert_int_equal(walk(&s), AUDIT_EBROKEN);
    struct audit_sealer *sealer = open_sealer(SEG_TEST); /* and the sealer does not bless it */
    assert_int_equal(audit_sealer_tick(sealer, clock_wall_ms()), AUDIT_OK);
    audit_sealer_close(&sealer);
    assert_int_equal(walk(&s), AUDIT_EBROKEN);
    assert_true(found(&s, &(struct defect){.segment = "s000-00000003.seg",
                                           .text = "sealer found the segment broken",
                                           .index = -1}));
    w = open_writer(SEG_TEST); /* the next segment is sound again */
    append(w, 0, 5);
    audit_writer_close(&w);
    sealer = open_sealer(SEG_TEST);
    assert_int_equal(audit_sealer_tick(sealer, clock_wall_ms()), AUDIT_OK);
    audit_sealer_close(&sealer);
    walk(&s);
    assert_false(
        found(&s, &(struct defect){.segment = "s000-00000004.seg", .text = "", .index = -1}));
}

static void damage_kept(void **state) /* what a power cut leaves: a record in the middle gone bad */
{
    struct seen_walk s;
    (void)state;
    build_log();
    in_dir("rm heads seals");
    change_open();
    struct audit_writer *w = open_writer(SEG_TEST);
    append(w, 0, 5);
    audit_writer_close(&w);
    assert_int_equal(walk(&s), AUDIT_EBROKEN);
    assert_true(found(&s, &(struct defect){.segment = "s000-00000003.seg",
                                           .text = "record 1 does not match",
                                           .index = 1}));
    assert_int_equal(access(path_of("s000-00000004.seg"), F_OK), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("[BK-12.3a3] each kind of defect is named with its place", defects_named),
        TEST("[BK-12.3a3] a tail cut while the node is down is not blessed", tail_cut_while_down),
        TEST("[BK-12.3a3] a header that lies is not sealed as sound", header_lies),
        TEST("damage is kept as evidence", damage_kept),
    };
    return RUN_GROUP("audit defects", tests);
}
