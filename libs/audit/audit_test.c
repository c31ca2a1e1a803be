/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit_ledger.h"
#include "base/clock.h"

#define SEG_TEST (64u << 10)
#define SEG_LIVE (256u << 10)
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Bench of the tests ----------------------------------------------------------------------------
 */

static char dir[64];
static struct crypto_sm2 *key;

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/audit_test.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static struct audit_writer *open_writer(size_t bytes)
{
    struct audit_writer *w = NULL;
    struct audit_config cfg = {.dir = dir, .node = "node-1", .segment_bytes = bytes};
    assert_int_equal(audit_writer_open(&w, &cfg), AUDIT_OK);
    return w;
}

static struct audit_sealer *open_sealer(size_t bytes)
{
    struct audit_sealer *s = NULL;
    struct audit_config cfg = {.dir = dir, .node = "node-1", .segment_bytes = bytes};
    assert_int_equal(audit_sealer_open(&s, &cfg, key), AUDIT_OK);
    return s;
}

static const uint64_t seen_ab[POLICY_FIELD_WORDS] = {3};

static struct audit_call call_of(uint64_t i)
{
    struct audit_call call = {
        .kind = AUDIT_CALL,
        .at_us = 1700000000000000 + i,
        .elapsed_us = 812,
        .status = 200,
        .method = POLICY_GET,
        .class_ = POLICY_A1,
        .api_rev = 12,
        .rows = i,
        .bytes_out = 4711,
        .bytes_in = 3,
        .client = SLICE("\x7f\0\0\1"),
        .owner = SLICE("M00042"),
        .seen = seen_ab,
        .n_fields = 3,
    };
    memset(call.txn.b, 1, UUID_LEN);
    memcpy(call.txn.b, &i, sizeof i);
    memset(call.app.b, 2, UUID_LEN);
    memset(call.api.b, 3, UUID_LEN);
    memset(call.credential.b, 4, UUID_LEN);
    memset(call.grant.b, 5, UUID_LEN);
    return call;
}

static void append(struct audit_writer *w, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        struct audit_call call = call_of(i);
        assert_int_equal(audit_writer_append(w, &call), AUDIT_OK);
    }
}

/* A tick seals a bounded number of segments. */
static void settle(struct audit_sealer *s)
{
    for (int i = 0; i < 100; i++) {
        assert_int_equal(audit_sealer_tick(s, clock_wall_ms()), AUDIT_OK);
    }
}

struct seen_walk {
    struct audit_summary sum;
    struct audit_finding findings[200];
    size_t n;
    uint64_t next_row, last_rows; /* rows count up in the order of appending */
    bool in_order;
};

static void on_finding(void *ctx, const struct audit_finding *f)
{
    struct seen_walk *s = ctx;
    if (s->n < COUNT(s->findings)) {
        s->findings[s->n++] = *f;
    }
}

static bool on_record(void *ctx, const struct audit_record *rec, const json_t *plan)
{
    struct seen_walk *s = ctx;
    (void)plan;
    s->in_order = s->in_order && rec->call.rows == s->next_row;
    s->next_row = rec->call.rows + 1;
    return true;
}

static enum audit_err walk(struct seen_walk *s)
{
    *s = (struct seen_walk){.in_order = true};
    return audit_walk(dir, key, on_record, on_finding, s, &s->sum);
}

static void assert_clean(struct seen_walk *s)
{
    enum audit_err err = walk(s);
    for (size_t i = 0; i < s->n; i++) {
        print_message("%s %lu: %s\n", s->findings[i].segment, (unsigned long)s->findings[i].index,
                      s->findings[i].text);
    }
    assert_int_equal(err, AUDIT_OK);
}

/* Round trip ------------------------------------------------------------------------------------
 */

static struct policy_field fields[] = {
    {.path = {"name", 4}, .level = 1, .mask = {.rule = MASK_NONE}},
    {.path = {"phone", 5}, .level = 3, .mask = {.rule = MASK_PHONE}},
    {.path = {"card", 4}, .level = 4, .mask = {.rule = MASK_NONE}},
};
static struct policy_api api = {.rev = 12, .n_fields = 3, .fields = fields};
static struct policy_verdict verdict = {
    .n_fields = 3,
    .outcome = {PLAN_KEEP, PLAN_MASK, PLAN_DROP},
    .why = {POLICY_WHY_OPEN, POLICY_WHY_MASKED, POLICY_WHY_FORBIDDEN}};

static void assert_plan(const json_t *plan)
{
    const char *path, *outcome, *mask;
    int level;
    assert_non_null(plan);
    json_t *list = json_object_get(plan, "fields");
    assert_int_equal(json_array_size(list), 3);
    assert_int_equal(json_unpack(json_array_get(list, 1), "{s:s,s:i,s:s,s:s}", "path", &path,
                                 "level", &level, "outcome", &outcome, "mask", &mask),
                     0);
    assert_string_equal(path, "phone");
    assert_int_equal(level, 3);
    assert_string_equal(outcome, "mask");
    assert_string_equal(mask, "phone");
}

static bool check_record(void *ctx, const struct audit_record *rec, const json_t *plan)
{
    const struct audit_call *c = &rec->call;
    struct audit_call want = call_of(c->rows);
    (*(int *)ctx)++;
    assert_true(uuid_eq(&c->txn, &want.txn) && uuid_eq(&c->app, &want.app) &&
                uuid_eq(&c->api, &want.api));
    assert_true(uuid_eq(&c->credential, &want.credential) && uuid_eq(&c->grant, &want.grant));
    assert_true(c->at_us == want.at_us && c->elapsed_us == 812 && c->api_rev == 12);
    assert_true(c->bytes_out == 4711 && c->bytes_in == 3 && c->method == POLICY_GET &&
                c->class_ == POLICY_A1);
    assert_true(slice_eq(c->client, want.client) && slice_eq(c->owner, want.owner));
    assert_int_equal(c->n_fields, 3);
    assert_int_equal(c->seen[0], 3);
    if (c->status == 403) {
        assert_int_equal(c->reason, PROBLEM_FIELD_FORBIDDEN);
        assert_true(slice_eq(c->target, SLICE("/a?b=c")));
        assert_null(plan);
    } else {
        assert_plan(plan);
    }
    return true;
}

static void round_trip(void **state)
{
    struct audit_writer *w = open_writer(SEG_TEST);
    uint32_t plan;
    int visited = 0;
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) { /* several segments: the plan must be there in each */
        assert_int_equal(audit_writer_plan(w, 77, &api, &verdict, &plan), AUDIT_OK);
        struct audit_call call = call_of(i);
        call.plan = plan;
        if (i % 10 == 9) {
            call.plan = 0;
            call.status = 403;
            call.reason = PROBLEM_FIELD_FORBIDDEN;
            call.target = SLICE("/a?b=c");
        }
        assert_int_equal(audit_writer_append(w, &call), AUDIT_OK);
    }
    struct audit_summary sum;
    assert_int_equal(audit_walk(dir, key, check_record, NULL, &visited, &sum), AUDIT_OK);
    assert_int_equal(visited, 1000);
    assert_int_equal(sum.calls, 1000);
    assert_true(sum.segments > 3);
    audit_writer_close(&w);
}

static void many_plans(void **state)
{
    struct audit_writer *w = open_writer(8u << 20);
    uint32_t first, plan = 0, again;
    (void)state;
    assert_int_equal(audit_writer_plan(w, 1, &api, &verdict, &first), AUDIT_OK);
    for (uint64_t k = 2; k < PLANS_MAX + 100; k++) {
        assert_int_equal(audit_writer_plan(w, k, &api, &verdict, &plan), AUDIT_OK);
        assert_int_equal(audit_writer_plan(w, k, &api, &verdict, &again), AUDIT_OK);
        assert_int_equal(plan, again);
    }
    struct audit_call call = call_of(0);
    call.plan =
        first; /* long evicted: recorded without its plan, not refused, not under a wrong one */
    assert_int_equal(audit_writer_append(w, &call), AUDIT_OK);
    call = call_of(1);
    call.plan = plan;
    assert_int_equal(audit_writer_append(w, &call), AUDIT_OK);
    audit_writer_close(&w);
    struct seen_walk s;
    assert_clean(&s);
    assert_int_equal(s.sum.calls, 2);
    assert_int_equal(s.sum.records, 4); /* start, one plan, two calls */
}

static void bad_arguments(void **state)
{
    static const struct {
        const char *node;
        size_t bytes;
    } rows[] = {
        {"", 0},
        {"Node", 0},
        {"a/b", 0},
        {"a234567890123456789012345678901234567890", 0},
        {"node", 1000},
        {"node", SEG_TEST + 1},
        {"node", 1ull << 40},
    };
    struct audit_writer *w = NULL;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct audit_config cfg = {
            .dir = dir, .node = rows[i].node, .segment_bytes = rows[i].bytes};
        assert_int_equal(audit_writer_open(&w, &cfg), AUDIT_EFORMAT);
        assert_null(w);
    }
    struct audit_config cfg = {.dir = "/nonexistent/a/b", .node = "node"};
    assert_int_equal(audit_writer_open(&w, &cfg), AUDIT_EIO);
    w = open_writer(SEG_TEST);
    struct audit_call call = call_of(0);
    call.kind = AUDIT_PLAN;
    assert_int_equal(audit_writer_append(w, &call), AUDIT_EFORMAT);
    audit_writer_close(&w);
    struct seen_walk s;
    strcat(dir, "/not-there");
    assert_int_equal(walk(&s), AUDIT_EIO);
    *strrchr(dir, '/') = 0;
}

/* Defects ---------------------------------------------------------------------------------------
 */

/* Stream 0: segments 1 and 2 sealed, 3 open, 4 calls under a signed head. Stream 1: one open
 * segment. */
static uint64_t build_log(void)
{
    struct audit_writer *w = open_writer(SEG_TEST), *other = open_writer(SEG_TEST);
    struct audit_sealer *s = open_sealer(SEG_TEST);
    uint64_t n = 0;
    while (access(path_of("s000-00000003.seg"), F_OK) != 0) {
        append(w, n, n + 1);
        n++;
    }
    append(w, n, n + 3);
    append(other, 0, 5);
    assert_int_equal(audit_sealer_tick(s, clock_wall_ms()), AUDIT_OK);
    audit_sealer_close(&s);
    /* As after kill -9: open segments stay open. Closing is for the locks; their bytes are put
     * back. */
    char command[600];
    snprintf(
        command, sizeof command,
        "cd '%s' && cp s000-00000003.seg a && cp s001-00000001.seg b && cp heads h && cp seals l",
        dir);
    assert_int_equal(system(command), 0);
    audit_writer_close(&w);
    audit_writer_close(&other);
    snprintf(
        command, sizeof command,
        "cd '%s' && mv a s000-00000003.seg && mv b s001-00000001.seg && mv h heads && mv l seals",
        dir);
    assert_int_equal(system(command), 0);
    return n + 3;
}

struct bytes {
    uint8_t *p;
    size_t n;
};

static struct bytes load(const char *name)
{
    struct stat st;
    int fd = open(path_of(name), O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    struct bytes b = {malloc((size_t)st.st_size + 4096), (size_t)st.st_size};
    assert_non_null(b.p);
    assert_int_equal(read(fd, b.p, b.n), (ssize_t)b.n);
    close(fd);
    return b;
}

static void store(const char *name, struct bytes b)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b.p, b.n), (ssize_t)b.n);
    close(fd);
    free(b.p);
}

static struct seg_record record_at(struct bytes b, uint64_t index)
{
    struct seg_record r;
    size_t at = SEG_HEAD_BYTES;
    for (uint64_t i = 0; seg_step(b.p + at, b.n - at, &r) == SEG_RECORD; i++) {
        if (i == index) {
            return r;
        }
        at += r.length;
    }
    fail_msg("no record %lu", (unsigned long)index);
    return r;
}

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

static void in_dir(const char *commands)
{
    char command[400];
    snprintf(command, sizeof command, "cd '%s' && %s", dir, commands);
    assert_int_equal(system(command), 0);
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

/* Crashes ---------------------------------------------------------------------------------------
 */

#define KILLS 50

static void child_appends(int pipe_fd, uint64_t from)
{
    struct audit_writer *w;
    struct audit_config cfg = {.dir = dir, .node = "node-1", .segment_bytes = 256u << 10};
    uint32_t plan;
    if (audit_writer_open(&w, &cfg) != AUDIT_OK) {
        _exit(1);
    }
    for (uint64_t i = from;; i++) {
        struct audit_call call = call_of(i);
        if (audit_writer_plan(w, i % 5, &api, &verdict, &plan) != AUDIT_OK) {
            _exit(2);
        }
        call.plan = plan;
        if (audit_writer_append(w, &call) != AUDIT_OK || write(pipe_fd, &i, sizeof i) != sizeof i) {
            _exit(3);
        }
    }
}

/* Runs a writer for a while, kills it, returns the last row it acknowledged. */
static uint64_t run_and_kill(uint64_t from, unsigned us)
{
    int fds[2];
    uint64_t acked = from - 1, row;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        child_appends(fds[1], from);
    }
    close(fds[1]);
    uint64_t until = clock_mono_us() + us;
    while (clock_mono_us() < until && read(fds[0], &row, sizeof row) == sizeof row) {
        acked = row;
    }
    kill(pid, SIGKILL);
    while (read(fds[0], &row, sizeof row) == sizeof row) {
        acked = row;
    }
    waitpid(pid, NULL, 0);
    close(fds[0]);
    return acked;
}

struct rows_seen {
    uint64_t rows, lost, acked[KILLS + 1], next;
    size_t run;
};

static bool count_rows(void *ctx, const struct audit_record *rec, const json_t *plan)
{
    struct rows_seen *s = ctx;
    /* Each run begins 1,000,000 rows on; within a run nothing may be missing. */
    size_t run = rec->call.rows / 1000000;
    if (run != s->run) {
        s->lost += s->run < KILLS + 1 && s->next <= s->acked[s->run] && s->rows > 0;
        s->run = run;
        s->next = run * 1000000;
    }
    s->lost += rec->call.rows != s->next || plan == NULL;
    s->next = rec->call.rows + 1;
    s->rows++;
    return true;
}

static void killed_writer(void **state)
{
    struct rows_seen seen = {.run = 1, .next = 1000000};
    struct audit_sealer *s = open_sealer(256u << 10);
    struct audit_summary sum;
    (void)state;
    for (unsigned i = 1; i <= KILLS; i++) {
        uint64_t from = (uint64_t)i * 1000000;
        seen.acked[i] = run_and_kill(from, 2000 + i * 137 % 9000);
        assert_true(seen.acked[i] >= from - 1);
        assert_int_equal(audit_sealer_tick(s, clock_wall_ms()), AUDIT_OK);
        if (i % 10 == 0) {
            audit_sealer_close(&s);
            s = open_sealer(256u << 10);
        }
    }
    audit_sealer_close(&s);
    struct seen_walk w;
    assert_clean(&w);
    assert_int_equal(audit_walk(dir, key, count_rows, NULL, &seen, &sum), AUDIT_OK);
    seen.lost += seen.next <= seen.acked[seen.run];
    assert_int_equal(seen.lost, 0);
    assert_true(seen.rows > KILLS);
    assert_int_equal(access(path_of("s001.lock"), F_OK), -1); /* each took the stream over */
}

static void killed_sealer(void **state)
{
    struct audit_writer *w = open_writer(SEG_TEST);
    uint64_t n = 0;
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct audit_sealer *s;
            struct audit_config cfg = {.dir = dir, .node = "node-1", .segment_bytes = SEG_TEST};
            if (audit_sealer_open(&s, &cfg, key) != AUDIT_OK) {
                _exit(1);
            }
            for (;;) {
                (void)!audit_sealer_tick(s, clock_wall_ms());
            }
        }
        for (uint64_t until = clock_mono_us() + 3000 + i * 977 % 20000; clock_mono_us() < until;
             n++) {
            append(w, n, n + 1);
        }
        int status;
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
    }
    int fd = open(path_of("seals"), O_WRONLY | O_APPEND); /* and a line torn in its middle */
    assert_int_equal(write(fd, "{\"sluice\":\"seal\",", 17), 17);
    close(fd);
    struct audit_sealer *s = open_sealer(SEG_TEST);
    assert_int_equal(audit_sealer_tick(s, clock_wall_ms()), AUDIT_OK);
    audit_writer_close(&w);
    settle(s);
    audit_sealer_close(&s);
    struct seen_walk seen;
    assert_clean(&seen);
    assert_true(seen.in_order);
    assert_int_equal(seen.sum.calls, n);
    assert_int_equal(seen.sum.sealed, seen.sum.segments);
}

static void torn_tail(void **state)
{
    (void)state;
    build_log();
    struct bytes b = load("s000-00000003.seg");
    struct seg_record r = record_at(b, 3);
    memset(b.p + (r.start - b.p) + r.length + 4, 0xaa, 3000); /* bytes, but no length yet */
    store("s000-00000003.seg", b);
    struct audit_writer *w = open_writer(SEG_TEST);
    append(w, 0, 3);
    struct seen_walk s;
    assert_clean(&s); /* while open: closing would cut what is left over */
    audit_writer_close(&w);
    assert_clean(&s);
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

/* Full disks ------------------------------------------------------------------------------------
 */

static void fill_until_full(struct audit_writer *w, uint64_t *n, uint16_t status)
{
    for (;; (*n)++) {
        struct audit_call call = call_of(*n);
        call.status = status;
        enum audit_err err = audit_writer_append(w, &call);
        if (err != AUDIT_OK) {
            assert_int_equal(err, AUDIT_EFULL);
            return;
        }
    }
}

static void full_disk(void **state)
{
    (void)state;
    if (mount("tmpfs", dir, "tmpfs", 0, "size=3m") != 0) {
        skip();
    }
    struct audit_writer *w = open_writer(1u << 20);
    struct audit_sealer *s = open_sealer(1u << 20);
    int fd = open(path_of("ballast"), O_CREAT | O_WRONLY, 0600);
    assert_int_equal(posix_fallocate(fd, 0, 1900 << 10), 0);
    uint64_t n = 0, data;
    assert_int_equal(audit_sealer_tick(s, clock_wall_ms()),
                     AUDIT_EFULL); /* no room for a next segment, and says so */
    fill_until_full(w, &n, 200);
    data = n;
    fill_until_full(w, &n, 403); /* refusals go on in the reserve */
    assert_true(n - data > 100);
    struct audit_call opened = call_of(n);
    assert_int_equal(audit_writer_append(w, &opened), AUDIT_EFULL);
    assert_int_equal(audit_writer_tick(w, clock_wall_ms() + 1000), AUDIT_EFULL);
    assert_int_equal(audit_sealer_tick(s, clock_wall_ms()), AUDIT_EFULL);
    assert_int_equal(ftruncate(fd, 0), 0); /* room again */
    close(fd);
    assert_int_equal(audit_writer_tick(w, clock_wall_ms() + 1000), AUDIT_OK);
    append(w, n, n + 5);
    audit_writer_close(&w);
    (void)!audit_sealer_tick(s, clock_wall_ms());
    audit_sealer_close(&s);
    struct seen_walk seen;
    enum audit_err err = walk(&seen);
    umount(dir);
    assert_int_equal(err, AUDIT_OK);
    assert_int_equal(seen.sum.calls, n + 5);
    assert_true(seen.in_order);
}

static void opened_uses_reserve(void **state)
{
    struct rlimit limit, old;
    (void)state;
    struct audit_writer *w = open_writer(SEG_TEST);
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    limit = (struct rlimit){4096, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    uint64_t n = 0;
    fill_until_full(w, &n, 200);
    struct audit_call call = call_of(n);
    call.opened = true;
    enum audit_err err = audit_writer_append(w, &call);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(err, AUDIT_OK); /* its data has left: the record of it must not be lost */
    usleep(600000);
    append(w, n + 1, n + 10); /* by itself, without a tick */
    audit_writer_close(&w);
    struct seen_walk s;
    assert_clean(&s);
    assert_int_equal(s.sum.calls, n + 10);
}

/* Several at once -------------------------------------------------------------------------------
 */

static void streams_of_their_own(void **state)
{
    struct audit_writer *w[3];
    (void)state;
    for (size_t i = 0; i < COUNT(w); i++) {
        w[i] = open_writer(SEG_TEST);
        append(w[i], 0, 3);
    }
    audit_writer_close(&w[1]);
    w[1] = open_writer(SEG_TEST); /* the lowest free number */
    append(w[1], 3, 5);
    struct seen_walk s;
    assert_clean(&s);
    assert_int_equal(s.sum.segments, 4);
    assert_int_equal(s.sum.calls, 11);
    assert_int_equal(access(path_of("s003.lock"), F_OK), -1);
    struct audit_sealer *one = open_sealer(SEG_TEST), *two = NULL;
    struct audit_config cfg = {.dir = dir, .node = "node-1"};
    assert_int_equal(audit_sealer_open(&two, &cfg, key), AUDIT_EIO);
    audit_sealer_close(&one);
    for (size_t i = 0; i < COUNT(w); i++) {
        audit_writer_close(&w[i]);
    }
}

static void interrupted(void **state)
{
    struct audit_writer *w = open_writer(SEG_TEST);
    struct seen_walk s;
    (void)state;
    for (uint64_t i = 0; i < 4; i++) {
        struct audit_call call = call_of(i);
        call.kind = AUDIT_OPEN;
        assert_int_equal(audit_writer_append(w, &call), AUDIT_OK);
    }
    append(w, 0, 3);
    assert_clean(&s);
    assert_int_equal(s.sum.interrupted, 0); /* it may still be on its way */
    audit_writer_close(&w);
    assert_clean(&s);
    assert_int_equal(s.sum.interrupted, 1);
}

static void rotation_by_age(void **state)
{
    struct audit_writer *w = open_writer(SEG_TEST);
    struct seen_walk s;
    uint64_t now = clock_wall_ms();
    (void)state;
    assert_int_equal(audit_writer_tick(w, now + AUDIT_SEGMENT_AGE_MS + 1),
                     AUDIT_OK); /* empty: stays */
    append(w, 0, 1);
    assert_int_equal(audit_writer_tick(w, now), AUDIT_OK);
    assert_clean(&s);
    assert_int_equal(s.sum.segments, 1);
    assert_int_equal(audit_writer_tick(w, now + AUDIT_SEGMENT_AGE_MS + 1000), AUDIT_OK);
    assert_clean(&s);
    assert_int_equal(s.sum.segments, 2);
    struct bytes b = load("s000-00000001.seg");
    assert_true(b.n < SEG_TEST / 4); /* room not used is given back */
    free(b.p);
    audit_writer_close(&w);
}

static bool run;

static void *write_thread(void *arg)
{
    for (uint64_t *n = arg; __atomic_load_n(&run, __ATOMIC_RELAXED);) {
        struct audit_writer *w = open_writer(SEG_LIVE);
        append(w, *n, *n + 400);
        *n += 400;
        usleep(2000);
        audit_writer_close(&w);
    }
    return NULL;
}

static void live(void **state)
{
    pthread_t threads[2];
    uint64_t n[2] = {0};
    struct seen_walk s;
    (void)state;
    __atomic_store_n(&run, true, __ATOMIC_RELAXED);
    struct audit_sealer *sealer = open_sealer(SEG_LIVE);
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_thread, &n[i]), 0);
    }
    for (uint64_t until = clock_mono_us() + 700000; clock_mono_us() < until;) {
        assert_int_equal(audit_sealer_tick(sealer, clock_wall_ms()), AUDIT_OK);
        assert_clean(&s); /* a verifier beside live writers sees no defect where there is none */
    }
    __atomic_store_n(&run, false, __ATOMIC_RELAXED);
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    settle(sealer);
    audit_sealer_close(&sealer);
    assert_clean(&s);
    assert_int_equal(s.sum.calls, n[0] + n[1]);
    assert_int_equal(s.sum.sealed, s.sum.segments);
}

#define TEST(title, fn)                                                                            \
    {                                                                                              \
        title, fn, setup, teardown, NULL                                                           \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("[BK-7.3.3b1] [EC-4.2.1-0h] every field of a call and of its plan comes back",
             round_trip),
        TEST("plans beyond the memory of them", many_plans),
        TEST("bad arguments are refused", bad_arguments),
        TEST("[BK-12.3a3] each kind of defect is named with its place", defects_named),
        TEST("[BK-7.3.3a2] a writer killed 50 times loses nothing it acknowledged", killed_writer),
        TEST("a sealer killed 20 times goes on", killed_sealer),
        TEST("a torn record is cut, nothing else", torn_tail),
        TEST("[BK-12.3a3] a tail cut while the node is down is not blessed", tail_cut_while_down),
        TEST("[BK-12.3a3] a header that lies is not sealed as sound", header_lies),
        TEST("damage is kept as evidence", damage_kept),
        TEST("[BK-7.3.3a2] a full disk stops data, not the record of refusals", full_disk),
        TEST("[BK-7.3.3a2] an answer begun may use the reserve; recovers by itself",
             opened_uses_reserve),
        TEST("writers have streams of their own", streams_of_their_own),
        TEST("answers cut short are counted", interrupted),
        TEST("rotation by age", rotation_by_age),
        TEST("writers, sealer and verifier at once", live),
    };
    key = crypto_sm2_new();
    int failed = cmocka_run_group_tests_name("audit", tests, NULL, NULL);
    crypto_sm2_free(&key);
    return failed;
}
