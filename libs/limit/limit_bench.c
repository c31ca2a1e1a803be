/* SPDX-License-Identifier: Apache-2.0 */
/* What a take costs when nobody else wants the counter: one rule on one key, on many keys that fit
 * no cache, and four rules a call; each with the reading of the clocks that a caller also pays. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "limit/limit.h"

enum { CALLS = 1000000, KEYS = 32768, KEYS_MAX = 8 * KEYS };

static const struct limit_rule rules[] = {
    {.measure = LIMIT_RATE, .action = LIMIT_REJECT, .amount = LIMIT_RATE_MAX, .window_ms = 60000},
    {.measure = LIMIT_CONCURRENCY, .action = LIMIT_REJECT, .amount = 1000},
    {.measure = LIMIT_DAY_CALLS, .action = LIMIT_REJECT, .amount = UINT64_MAX},
    {.measure = LIMIT_DAY_BYTES, .action = LIMIT_REJECT, .amount = UINT64_MAX},
};

static void run(struct limit *l, const char *what, size_t n, unsigned keys)
{
    size_t refused_by;
    uint64_t begun_us = clock_mono_us();
    for (unsigned call = 0; call < CALLS; call++) {
        struct limit_check checks[4];
        unsigned one = call * 2654435761u % keys;
        for (size_t i = 0; i < n; i++) {
            struct limit_key key = {i + 1, one};
            checks[i] = (struct limit_check){.key = key, .rule = &rules[i]};
        }
        if (limit_take(l, checks, n, limit_now(l), &refused_by) != LIMIT_OK) {
            fprintf(stderr, "limit_bench: a take failed\n");
            exit(1);
        }
        limit_release(l, checks, n);
    }
    printf("%-28s %6.0f ns a call\n", what, (double)(clock_mono_us() - begun_us) * 1000 / CALLS);
}

/* Two processes at one counter. */
static void run_two(struct limit *l, const char *path)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct limit *own;
        if (limit_open(&own, path, KEYS_MAX) != LIMIT_OK) {
            _exit(1);
        }
        run(own, "1 rule, 1 key, 2 processes", 1, 1);
        limit_close(&own);
        fflush(stdout);
        _exit(0);
    }
    run(l, "1 rule, 1 key, 2 processes", 1, 1);
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        exit(1);
    }
}

int main(void)
{
    char path[] = "/tmp/limit-bench-XXXXXX";
    int fd = mkstemp(path);
    struct limit *l;
    if (fd < 0 || close(fd) != 0 || unlink(path) != 0 ||
        limit_open(&l, path, KEYS_MAX) != LIMIT_OK) {
        return 1;
    }
    run(l, "1 rule, 1 key", 1, 1);
    run(l, "4 rules, 1 key each", 4, 1);
    run(l, "1 rule, 32,768 keys, new", 1, KEYS);
    run(l, "1 rule, 32,768 keys", 1, KEYS);
    run(l, "4 rules, 32,768 keys each", 4, KEYS);
    fflush(stdout);
    run_two(l, path);
    limit_close(&l);
    unlink(path);
    return 0;
}
