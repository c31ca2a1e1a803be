/* SPDX-License-Identifier: Apache-2.0 */
/* Processes killed at any instant, power cuts, full disks: nothing acknowledged is lost, nothing
 * damaged is blessed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit_testing.h"
#include "base/clock.h"

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("[BK-7.3.3a2] a writer killed 50 times loses nothing it acknowledged", killed_writer),
        TEST("a sealer killed 20 times goes on", killed_sealer),
        TEST("a torn record is cut, nothing else", torn_tail),
        TEST("[BK-7.3.3a2] a full disk stops data, not the record of refusals", full_disk),
        TEST("[BK-7.3.3a2] an answer begun may use the reserve; recovers by itself",
             opened_uses_reserve),
    };
    return RUN_GROUP("audit crashes", tests);
}
