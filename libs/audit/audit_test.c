/* SPDX-License-Identifier: Apache-2.0 */
/* What goes in comes back; writers, sealer and verifier at once. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit_testing.h"
#include "base/clock.h"

/* Round trip ------------------------------------------------------------------------------------
 */

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
    assert_true(uuid_eq(&c->token, &want.token) && uuid_eq(&c->user, &want.user));
    assert_true(uuid_eq(&c->purpose, &want.purpose) && slice_eq(c->sdk, want.sdk));
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

struct writing {
    uint64_t n;
    enum audit_err err; /* for the main thread to judge: cmocka's checks belong to it alone */
};

static void *write_thread(void *arg)
{
    struct writing *t = arg;
    struct audit_config cfg = {.dir = dir, .node = "node-1", .segment_bytes = SEG_LIVE};
    while (t->err == AUDIT_OK && __atomic_load_n(&run, __ATOMIC_RELAXED)) {
        struct audit_writer *w = NULL;
        t->err = audit_writer_open(&w, &cfg);
        for (uint64_t end = t->n + 400; t->err == AUDIT_OK && t->n < end; t->n++) {
            struct audit_call call = call_of(t->n);
            t->err = audit_writer_append(w, &call);
        }
        usleep(2000);
        audit_writer_close(&w);
    }
    return NULL;
}

static void live(void **state)
{
    pthread_t threads[2];
    struct writing writing[2] = {0};
    struct seen_walk s;
    (void)state;
    __atomic_store_n(&run, true, __ATOMIC_RELAXED);
    struct audit_sealer *sealer = open_sealer(SEG_LIVE);
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_thread, &writing[i]), 0);
    }
    for (uint64_t until = clock_mono_us() + 700000; clock_mono_us() < until;) {
        assert_int_equal(audit_sealer_tick(sealer, clock_wall_ms()), AUDIT_OK);
        assert_clean(&s); /* a verifier beside live writers sees no defect where there is none */
    }
    __atomic_store_n(&run, false, __ATOMIC_RELAXED);
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writing[i].err, AUDIT_OK);
    }
    settle(sealer);
    audit_sealer_close(&sealer);
    assert_clean(&s);
    assert_int_equal(s.sum.calls, writing[0].n + writing[1].n);
    assert_int_equal(s.sum.sealed, s.sum.segments);
}

static void chain_anew(struct bytes b)
{
    struct crypto_hasher h;
    struct seg_record r;
    uint8_t chain[SEG_CHAIN_LEN];

    crypto_hasher_init(&h, CRYPTO_SM3);
    seg_head_chain(&h, b.p, chain);
    for (size_t at = SEG_HEAD_BYTES; seg_step(b.p + at, b.n - at, &r) == SEG_RECORD;
         at += r.length) {
        crypto_hasher_reset(&h);
        crypto_hasher_add(&h, chain, SEG_CHAIN_LEN);
        crypto_hasher_add(&h, r.start, r.length - SEG_CHAIN_LEN);
        crypto_hasher_end(&h, chain);
        memcpy(b.p + at + r.length - SEG_CHAIN_LEN, chain, SEG_CHAIN_LEN);
    }
    crypto_hasher_fini(&h);
}

/* A log as the version before left it: it is read, and what is written now begins a segment. */
static void version_before(void **state)
{
    struct audit_writer *w = open_writer(SEG_TEST);
    struct seen_walk s;
    (void)state;
    append(w, 0, 1);
    append(w, 2, 4); /* none by a token */
    audit_writer_close(&w);
    struct bytes b = load("s000-00000001.seg");
    put32(b.p + 8, 1);
    memset(b.p + SEG_STATE_AT, 0, 184 - SEG_STATE_AT); /* open, as one that was killed leaves it */
    chain_anew(b);
    store("s000-00000001.seg", b);
    w = open_writer(SEG_TEST);
    append(w, 4, 6);
    audit_writer_close(&w);
    assert_clean(&s);
    assert_int_equal(s.sum.calls, 5);
    assert_int_equal(s.sum.segments, 2);
    struct bytes first = load("s000-00000001.seg"), second = load("s000-00000002.seg");
    struct seg_head h;
    assert_true(seg_head_read(&h, first.p, first.n) && h.state == SEG_CLOSED && h.records >= 4);
    assert_int_equal(get32(first.p + 8), 1);
    assert_int_equal(get32(second.p + 8), SEG_VERSION);
    put32(first.p + 8, SEG_VERSION + 1);
    assert_false(seg_head_read(&h, first.p, first.n));
    put32(first.p + 8, 0);
    assert_false(seg_head_read(&h, first.p, first.n));
    free(first.p);
    free(second.p);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("[BK-7.3.3b1] [EC-4.2.1-0h] every field of a call and of its plan comes back",
             round_trip),
        TEST("plans beyond the memory of them", many_plans),
        TEST("bad arguments are refused", bad_arguments),
        TEST("writers have streams of their own", streams_of_their_own),
        TEST("answers cut short are counted", interrupted),
        TEST("rotation by age", rotation_by_age),
        TEST("a log of the version before is read and gone on with", version_before),
        TEST("writers, sealer and verifier at once", live),
    };
    return RUN_GROUP("audit", tests);
}
