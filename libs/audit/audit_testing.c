/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

char dir[64];
struct crypto_sm2 *key;

int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/audit_test.XXXXXX");
    return mkdtemp(dir) == NULL;
}

int teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

struct audit_writer *open_writer(size_t bytes)
{
    struct audit_writer *w = NULL;
    struct audit_config cfg = {.dir = dir, .node = "node-1", .segment_bytes = bytes};
    assert_int_equal(audit_writer_open(&w, &cfg), AUDIT_OK);
    return w;
}

struct audit_sealer *open_sealer(size_t bytes)
{
    struct audit_sealer *s = NULL;
    struct audit_config cfg = {.dir = dir, .node = "node-1", .segment_bytes = bytes};
    assert_int_equal(audit_sealer_open(&s, &cfg, key), AUDIT_OK);
    return s;
}

int run_group(const char *name, const struct CMUnitTest *tests, size_t n)
{
    key = crypto_sm2_new();
    int failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
    crypto_sm2_free(&key);
    return failed;
}

void in_dir(const char *commands)
{
    char command[400];
    snprintf(command, sizeof command, "cd '%s' && %s", dir, commands);
    assert_int_equal(system(command), 0);
}

struct policy_field fields[] = {
    {.path = {"name", 4}, .level = 1, .mask = {.rule = MASK_NONE}},
    {.path = {"phone", 5}, .level = 3, .mask = {.rule = MASK_PHONE}},
    {.path = {"card", 4}, .level = 4, .mask = {.rule = MASK_NONE}},
};
struct policy_api api = {.rev = 12, .n_fields = 3, .fields = fields};
struct policy_verdict verdict = {.n_fields = 3,
                                 .outcome = {PLAN_KEEP, PLAN_MASK, PLAN_DROP},
                                 .why = {POLICY_WHY_OPEN, POLICY_WHY_MASKED, POLICY_WHY_FORBIDDEN}};

static const uint64_t seen_ab[POLICY_FIELD_WORDS] = {3};

struct audit_call call_of(uint64_t i)
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
    if (i % 3 == 1) { /* came by a token, of a user or of the app's own */
        memset(call.token.b, 6, UUID_LEN);
        memset(call.user.b, i % 2 ? 7 : 0, UUID_LEN);
    }
    if (i % 2) { /* said what it was for */
        memset(call.purpose.b, 8, UUID_LEN);
    }
    call.sdk = i % 5 == 2 ? SLICE("js/1.2.3")
               : i % 5 == 4
                   ? SLICE("abcdefghijklmnopqrstuvwx/1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
                   : SLICE("");
    return call;
}

void append(struct audit_writer *w, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        struct audit_call call = call_of(i);
        assert_int_equal(audit_writer_append(w, &call), AUDIT_OK);
    }
}

/* A tick seals a bounded number of segments. */
void settle(struct audit_sealer *s)
{
    for (int i = 0; i < 100; i++) {
        assert_int_equal(audit_sealer_tick(s, clock_wall_ms()), AUDIT_OK);
    }
}

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

enum audit_err walk(struct seen_walk *s)
{
    *s = (struct seen_walk){.in_order = true};
    return audit_walk(dir, key, on_record, on_finding, s, &s->sum);
}

void assert_clean(struct seen_walk *s)
{
    enum audit_err err = walk(s);
    for (size_t i = 0; i < s->n; i++) {
        print_message("%s %lu: %s\n", s->findings[i].segment, (unsigned long)s->findings[i].index,
                      s->findings[i].text);
    }
    assert_int_equal(err, AUDIT_OK);
}

uint64_t build_log(void)
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

struct bytes load(const char *name)
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

void store(const char *name, struct bytes b)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b.p, b.n), (ssize_t)b.n);
    close(fd);
    free(b.p);
}

struct seg_record record_at(struct bytes b, uint64_t index)
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
