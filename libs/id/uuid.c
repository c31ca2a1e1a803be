/* SPDX-License-Identifier: Apache-2.0 */
/* Layout (RFC 9562 section 5.7 with method 3 of 6.2): 48 bits of milliseconds, version, 12 bits of
 * the millisecond's fraction, variant, 62 random bits. The 60 bits of time never repeat in a
 * thread, so ids of one thread sort in the order they were made. */
#include "id/uuid.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define POOL_BYTES   2048 /* one system call for 256 ids */
#define RANDOM_BYTES 8    /* taken from the pool by one id */

/* Counts forks: a child must not hand out the random bytes its parent holds too. */
static atomic_uint fork_count;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static _Thread_local struct {
    uint8_t bytes[POOL_BYTES];
    size_t left;
    unsigned fork_count;
    uint64_t last_tick; /* milliseconds << 12 | fraction, of the last id */
} pool;

static void on_fork(void)
{
    atomic_fetch_add(&fork_count, 1);
}

static void watch_forks(void)
{
    if (pthread_atfork(NULL, NULL, on_fork) != 0) {
        abort();
    }
}

static void refill(void)
{
    size_t have = 0;
    while (have < POOL_BYTES) {
        ssize_t got = getrandom(pool.bytes + have, POOL_BYTES - have, 0);
        if (got < 0 && errno != EINTR) {
            abort(); /* an id that can be guessed is worse than none */
        }
        have += got > 0 ? (size_t)got : 0;
    }
    pool.left = POOL_BYTES;
}

static void take_random(uint8_t out[static RANDOM_BYTES])
{
    pthread_once(&fork_once, watch_forks);
    unsigned forks = atomic_load_explicit(&fork_count, memory_order_relaxed);
    if (pool.left < RANDOM_BYTES || pool.fork_count != forks) {
        pool.fork_count = forks;
        refill();
    }
    pool.left -= RANDOM_BYTES;
    memcpy(out, pool.bytes + pool.left, RANDOM_BYTES);
    memset(pool.bytes + pool.left, 0, RANDOM_BYTES);
}

/* A tick is 1/4096 ms. More than 4096 ids in a millisecond run ahead of the clock, which the next
 * pause makes up for. */
static uint64_t next_tick(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    uint64_t fraction = ((uint64_t)now.tv_nsec % 1000000) * 4096 / 1000000;
    uint64_t tick = ms << 12 | fraction;
    if (tick <= pool.last_tick) {
        tick = pool.last_tick + 1;
    }
    pool.last_tick = tick;
    return tick;
}

void uuid_new(struct uuid *u)
{
    uint64_t tick = next_tick();
    for (int i = 0; i < 6; i++) {
        u->b[i] = (uint8_t)(tick >> (52 - 8 * i));
    }
    u->b[6] = (uint8_t)(0x70 | (tick >> 8 & 0x0f));
    u->b[7] = (uint8_t)tick;
    take_random(u->b + 8);
    u->b[8] = (uint8_t)(0x80 | (u->b[8] & 0x3f));
}

/* Where each byte's two digits stand in the text. */
static const uint8_t digit_at[UUID_LEN] = {0,  2,  4,  6,  9,  11, 14, 16,
                                           19, 21, 24, 26, 28, 30, 32, 34};

void uuid_format(const struct uuid *u, char out[UUID_TEXT_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < UUID_LEN; i++) {
        out[digit_at[i]] = digits[u->b[i] >> 4];
        out[digit_at[i] + 1] = digits[u->b[i] & 15];
    }
    out[8] = out[13] = out[18] = out[23] = '-';
    out[UUID_TEXT_LEN] = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uuid_parse(struct uuid *u, const char *text, size_t n)
{
    if (n != UUID_TEXT_LEN || text[8] != '-' || text[13] != '-' || text[18] != '-' ||
        text[23] != '-') {
        return false;
    }
    struct uuid read;
    for (size_t i = 0; i < UUID_LEN; i++) {
        int high = digit_value(text[digit_at[i]]), low = digit_value(text[digit_at[i] + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        read.b[i] = (uint8_t)(high << 4 | low);
    }
    *u = read;
    return true;
}

void uuid_new_text(char out[static UUID_TEXT_LEN + 1])
{
    struct uuid u;

    uuid_new(&u);
    uuid_format(&u, out);
}
