/* SPDX-License-Identifier: Apache-2.0 */
#include "replay/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/sluice-replay-XXXXXX";
static const struct slice app = {"app-1", 5};
static uint64_t now_s;

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static struct replay *open_new(const char *name, size_t size_bytes)
{
    struct replay *r;
    unlink(in_dir(name));
    assert_int_equal(replay_open(&r, in_dir(name), size_bytes), REPLAY_OK);
    return r;
}

static enum replay_err use(struct replay *r, unsigned i, uint64_t at_s, uint64_t expires_s)
{
    char nonce[32];
    int n = snprintf(nonce, sizeof nonce, "nonce-%u", i);
    return replay_use(r, app, slice_of(nonce, (size_t)n), at_s, expires_s);
}

static void once(void **state)
{
    (void)state;
    struct replay *r = open_new("once", 65536), *again;
    assert_int_equal(use(r, 1, now_s, now_s + 60), REPLAY_OK);
    assert_int_equal(use(r, 1, now_s, now_s + 60), REPLAY_EUSED);
    assert_int_equal(use(r, 1, now_s + 60, now_s + 60), REPLAY_EUSED);
    assert_int_equal(use(r, 1, now_s, now_s + 3600),
                     REPLAY_EUSED); /* a later expiry is no way in */
    assert_int_equal(use(r, 2, now_s, now_s + 60), REPLAY_OK);
    assert_int_equal(replay_use(r, SLICE("app-2"), SLICE("nonce-1"), now_s, now_s + 60), REPLAY_OK);
    assert_int_equal(replay_use(r, SLICE("app-1n"), SLICE("once-1"), now_s, now_s + 60), REPLAY_OK);
    assert_int_equal(replay_use(r, SLICE(""), SLICE(""), now_s, now_s + 60), REPLAY_OK);
    assert_int_equal(replay_use(r, SLICE(""), SLICE(""), now_s, now_s + 60), REPLAY_EUSED);
    assert_int_equal(replay_open(&again, in_dir("once"), 4096), REPLAY_OK);
    assert_int_equal(use(again, 2, now_s, now_s + 60), REPLAY_EUSED); /* it outlives its opener */
    replay_close(&r);
    replay_close(&again);
    assert_null(r);
}

static void expiry(void **state)
{
    (void)state;
    struct replay *r = open_new("expiry", 4096);
    assert_int_equal(use(r, 1, now_s, now_s - 1), REPLAY_EUSED);
    assert_int_equal(use(r, 1, now_s, now_s + REPLAY_LIFE_MAX_S + 1), REPLAY_ELIFE);
    assert_int_equal(use(r, 1, now_s, UINT64_MAX), REPLAY_ELIFE);
    assert_int_equal(use(r, 1, now_s, now_s), REPLAY_OK);
    assert_int_equal(use(r, 1, now_s, now_s), REPLAY_EUSED);
    assert_int_equal(use(r, 2, now_s, now_s + REPLAY_LIFE_MAX_S), REPLAY_OK);
    assert_int_equal(use(r, 2, now_s + REPLAY_LIFE_MAX_S, now_s + REPLAY_LIFE_MAX_S + 9),
                     REPLAY_EUSED);
    assert_int_equal(use(r, 2, now_s + REPLAY_LIFE_MAX_S + 1, now_s + REPLAY_LIFE_MAX_S + 9),
                     REPLAY_OK); /* its life is over */
    replay_close(&r);
}

/* The table must serve for years, past the 194 days after which expiries wrap. */
static void years(void **state)
{
    (void)state;
    struct replay *r = open_new("years", 4096);
    uint64_t at_s = now_s;
    for (unsigned day = 0; day < 800; day++, at_s += 86400) {
        assert_int_equal(use(r, day % 7, at_s, at_s + 60), REPLAY_OK);
        assert_int_equal(use(r, day % 7, at_s + 60, at_s + 60), REPLAY_EUSED);
    }
    replay_close(&r);
}

static void full(void **state)
{
    (void)state;
    struct replay *r = open_new("full", 65536); /* 8192 slots */
    unsigned n = 0;
    while (use(r, n, now_s, now_s + 60) == REPLAY_OK) {
        n++;
    }
    assert_in_range(n, 8192 * 60 / 100, 8192);
    assert_int_equal(use(r, n, now_s, now_s + 60), REPLAY_EFULL);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(use(r, i, now_s + 60, now_s + 60), REPLAY_EUSED);
    }
    for (unsigned i = 0; i < 8192 * 60 / 100; i++) { /* all have expired: room again */
        assert_int_equal(use(r, i + 100000, now_s + 61, now_s + 120), REPLAY_OK);
    }
    replay_close(&r);
}

static void clock_back(void **state)
{
    (void)state;
    struct replay *r = open_new("back", 4096);
    assert_int_equal(use(r, 1, now_s, now_s + 60), REPLAY_OK);
    assert_int_equal(use(r, 1, now_s - 600, now_s + 60), REPLAY_EUSED);
    /* Ten minutes on, its slot serves others. 320 of 512 slots: at 400 one run in forty, by its
     * seed, found both buckets of some nonce full. */
    for (unsigned i = 1000; i < 1320; i++) {
        assert_int_equal(use(r, i, now_s + 600, now_s + 660), REPLAY_OK);
    }
    assert_int_equal(use(r, 1, now_s, now_s + 60), REPLAY_EUSED);  /* ten minutes back */
    assert_int_equal(use(r, 2, now_s, now_s + 599), REPLAY_EUSED); /* may have been used */
    assert_int_equal(use(r, 1319, now_s, now_s + 660), REPLAY_EUSED);
    assert_int_equal(use(r, 3, now_s, now_s + 660), REPLAY_OK);
    replay_close(&r);
}

static void patch(const char *name, off_t at, const void *bytes, size_t n)
{
    int fd = open(in_dir(name), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

/* Flips bits: a byte that is written may be the one that was there. */
static void flip(const char *name, off_t at)
{
    uint8_t byte;
    int fd = open(in_dir(name), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    close(fd);
    byte ^= 0xa5;
    patch(name, at, &byte, 1);
}

static void bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        off_t at, size; /* a byte changed at; or the file cut or grown to size */
    } rows[] = {
        {"magic", 0, 0},   {"size", 9, 0},          {"made", 16, 0},
        {"seed", 24, 0},   {"check", 32, 0},        {"far future", 69, 0},
        {"cut", -1, 8191}, {"grown", -1, 4096 * 3}, {"empty", -1, 0},
    };
    struct replay *r = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        r = open_new("bad", 4096);
        replay_close(&r);
        if (rows[i].at >= 0) {
            flip("bad", rows[i].at);
        } else {
            assert_int_equal(truncate(in_dir("bad"), rows[i].size), 0);
        }
        enum replay_err err = replay_open(&r, in_dir("bad"), 4096);
        if (err != REPLAY_EFORMAT) {
            fail_msg("%s: %s", rows[i].what, replay_strerror(err));
        }
        assert_null(r);
    }
    static const size_t sizes[] = {0, 1, 2048, 4095, 4097, 12288};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(replay_open(&r, in_dir("sizes"), sizes[i]), REPLAY_EFORMAT);
    }
    assert_int_equal(replay_open(&r, "/nonexistent/dir/file", 4096), REPLAY_EIO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(replay_open(&r, in_dir("too-big"), (size_t)1 << 60), REPLAY_EIO);
    assert_int_equal(access(in_dir("too-big"), F_OK), -1); /* nothing half made stays */
}

/* Garbage in the slots costs at most refusals. */
static void garbage(void **state)
{
    (void)state;
    struct replay *r = open_new("garbage", 4096);
    uint8_t bytes[4096];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 197 + i / 256);
    }
    patch("garbage", 4096, bytes, sizeof bytes);
    for (unsigned i = 0; i < 500; i++) {
        enum replay_err err = use(r, i, now_s, now_s + 60);
        if (err == REPLAY_OK) {
            assert_int_equal(use(r, i, now_s, now_s + 60), REPLAY_EUSED);
        }
    }
    replay_close(&r);
}

#define NONCES  20000
#define WORKERS 4

struct shared {
    struct replay *r;
    atomic_uint accepted[NONCES];
    atomic_uint started;
};

static void use_all(struct replay *r, struct shared *s)
{
    atomic_fetch_add(&s->started, 1);
    while (atomic_load(&s->started) < WORKERS) {
    }
    for (unsigned i = 0; i < NONCES; i++) {
        if (use(r, i, now_s, now_s + 60) == REPLAY_OK) {
            atomic_fetch_add(&s->accepted[i], 1);
        }
    }
}

static void *thread_main(void *arg)
{
    use_all(((struct shared *)arg)->r, arg);
    return NULL;
}

static void assert_once_each(struct shared *s)
{
    unsigned refused = 0;
    for (unsigned i = 0; i < NONCES; i++) {
        unsigned n = atomic_load(&s->accepted[i]);
        assert_in_range(n, 0, 1);
        refused += n == 0;
    }
    assert_in_range(refused, 0, NONCES / 10); /* races that refuse both are rare */
}

static void threads(void **state)
{
    (void)state;
    struct shared *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->r = open_new("threads", 1 << 20);
    pthread_t thread[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, thread_main, s), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(thread[i], NULL);
    }
    assert_once_each(s);
    replay_close(&s->r);
    free(s);
}

static void processes(void **state)
{
    (void)state;
    struct shared *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s != MAP_FAILED);
    unlink(in_dir("processes"));
    pid_t pids[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) { /* each opens, or makes, the file itself */
            struct replay *r;
            if (replay_open(&r, in_dir("processes"), 1 << 20) != REPLAY_OK) {
                _exit(1);
            }
            use_all(r, s);
            _exit(0);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_once_each(s);
    munmap(s, sizeof *s);
}

static void killed(void **state)
{
    (void)state;
    atomic_uint *done =
        mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(done != MAP_FAILED);
    struct replay *r = open_new("killed", 1 << 20);
    unsigned next = 0;
    for (int round = 0; round < 10; round++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (unsigned i = next;; i++) {
                if (use(r, i, now_s, now_s + 60) == REPLAY_OK) {
                    atomic_store(done, i + 1);
                }
            }
        }
        struct timespec wait = {0, 2000000};
        nanosleep(&wait, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        for (unsigned i = next; i < atomic_load(done); i++) { /* all it was told it had */
            assert_int_not_equal(use(r, i, now_s, now_s + 60), REPLAY_OK);
        }
        next = atomic_load(done) + 1;
        assert_int_equal(use(r, 1000000000u + (unsigned)round, now_s, now_s + 60), REPLAY_OK);
    }
    replay_close(&r);
    munmap(done, sizeof *done);
}

static int make_dir(void **state)
{
    (void)state;
    now_s = (uint64_t)time(NULL) + 5; /* a file made a second later must not know a later time */
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[EC-6.1.3.1b] replay: a nonce is good once", once, NULL, NULL, NULL},
        {"replay: expiry, and expiries too far away", expiry, NULL, NULL, NULL},
        {"replay: two years of days", years, NULL, NULL, NULL},
        {"replay: a full table refuses, forgets nothing, recovers", full, NULL, NULL, NULL},
        {"[EC-6.1.3.1b] replay: a clock that goes back revives nothing", clock_back, NULL, NULL,
         NULL},
        {"replay: files that are damaged or cannot be made", bad_files, NULL, NULL, NULL},
        {"replay: garbage in the slots", garbage, NULL, NULL, NULL},
        {"[EC-6.1.3.1b] replay: threads at once, at most one accepted", threads, NULL, NULL, NULL},
        {"[EC-6.1.3.1b] replay: processes at once, at most one accepted", processes, NULL, NULL,
         NULL},
        {"replay: a killed process blocks and loses nothing", killed, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
