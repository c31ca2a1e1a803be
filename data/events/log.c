/* SPDX-License-Identifier: Apache-2.0 */
/* A segment's name is its first sequence number. A block: 40 bytes of header, then the sealed
 * events. */
#include "data/events/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "data/events/block.h"

#define DIR_MAX     700
#define SEGMENTS    4096
#define TABLE_SLOTS (2 * LOG_DUPLICATES)

struct segment {
    uint64_t first, at_ms; /* of its first block */
    uint64_t bytes;
};

struct topic_log {
    pthread_mutex_t lock;
    pthread_cond_t synced_now;
    char dir[DIR_MAX];
    struct block_key key;
    size_t segment_bytes;
    struct segment segments[SEGMENTS]; /* oldest first */
    size_t n;
    int fd;                   /* of the last segment */
    uint64_t written, synced; /* bytes ever, to tell who must wait */
    uint64_t next, last;      /* the next number; the last that is durable */
    bool syncing, broken;
    uint64_t table[TABLE_SLOTS][2];
    struct buf block, plain;
};

static void path_of(const struct topic_log *log, uint64_t first, char out[static DIR_MAX + 40])
{
    snprintf(out, DIR_MAX + 40, "%s/%020llu.log", log->dir, (unsigned long long)first);
}

/* Duplicates -------------------------------------------------------------------------------------
 * A table of one place a hash, overwritten: an old event's place may be taken by a newer one, so a
 * very late second publication can pass; one within the last few thousand never does unless two of
 * those share a place, and then it is delivered twice, as at-least-once allows. */
static uint64_t *place(struct topic_log *log, const uint64_t identity[2])
{
    return log->table[identity[0] % TABLE_SLOTS];
}

static bool known(struct topic_log *log, const uint64_t identity[2])
{
    const uint64_t *at = place(log, identity);
    return at[0] == identity[0] && at[1] == identity[1] && (at[0] || at[1]);
}

static void remember(struct topic_log *log, const uint64_t identity[2])
{
    memcpy(place(log, identity), identity, sizeof log->table[0]);
}

/* Opening ---------------------------------------------------------------------------------------
 */
static int by_first(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static bool list_segments(struct topic_log *log)
{
    DIR *dir = opendir(log->dir);
    const struct dirent *e;
    if (!dir)
        return false;
    while ((e = readdir(dir)) && log->n < SEGMENTS) {
        char *end;
        unsigned long long first = strtoull(e->d_name, &end, 10);
        if (first && end == e->d_name + 20 && strcmp(end, ".log") == 0)
            log->segments[log->n++].first = first;
    }
    closedir(dir);
    qsort(log->segments, log->n, sizeof *log->segments, by_first);
    return true;
}

static void learn(struct topic_log *log)
{
    struct event event;
    size_t at = 0;
    while (block_event(buf_slice(&log->plain), &at, &event))
        remember(log, event.identity);
}

/* Reads a segment's blocks; *end: where the whole ones end. */
static bool scan(struct topic_log *log, struct segment *s, bool last, int fd, uint64_t *end)
{
    struct block_head head;
    *end = 0;
    while (block_read_head(fd, *end, &head)) {
        if (!s->at_ms)
            s->at_ms = head.at_ms;
        if (last) {
            if (!block_read(fd, *end, &head, &log->key, &log->block, &log->plain))
                break;
            learn(log);
            log->next = head.first + head.count;
        }
        *end += BLOCK_HEAD + head.sealed_n;
        if (!last)
            break;
    }
    struct stat st;
    s->bytes = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return true;
}

static bool sync_dir(const struct topic_log *log)
{
    int fd = open(log->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool new_segment(struct topic_log *log)
{
    char path[DIR_MAX + 40];
    if (log->n == SEGMENTS)
        return false;
    path_of(log, log->next, path);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || !sync_dir(log)) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (log->fd >= 0)
        close(log->fd);
    log->fd = fd;
    log->segments[log->n++] = (struct segment){.first = log->next, .at_ms = 0};
    return true;
}

static bool recover(struct topic_log *log)
{
    char path[DIR_MAX + 40];
    uint64_t end = 0;
    log->next = 1;
    if (!list_segments(log))
        return false;
    for (size_t i = 0; i < log->n; i++) {
        bool last = i + 1 == log->n;
        path_of(log, log->segments[i].first, path);
        int fd = open(path, (last ? O_RDWR | O_APPEND : O_RDONLY) | O_CLOEXEC);
        if (fd < 0)
            return false;
        log->next = log->segments[i].first;
        scan(log, &log->segments[i], last, fd, &end);
        if (!last) {
            close(fd);
            continue;
        }
        log->fd = fd;
        if (log->segments[i].bytes > end && (ftruncate(fd, (off_t)end) != 0 || fsync(fd) != 0))
            return false;
        log->segments[i].bytes = end;
    }
    log->last = log->next - 1;
    return log->n > 0 || new_segment(log);
}

struct topic_log *topic_log_open(const char *dir, const struct uuid *topic,
                                 const uint8_t key[static CRYPTO_KEY_LEN], size_t segment_bytes)
{
    struct topic_log *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->synced_now, NULL);
    log->fd = -1;
    log->segment_bytes = segment_bytes ? segment_bytes : LOG_SEGMENT_BYTES;
    log->key.topic = *topic;
    memcpy(log->key.key, key, CRYPTO_KEY_LEN);
    buf_init(&log->block);
    buf_init(&log->plain);
    snprintf(log->dir, sizeof log->dir, "%s", dir);
    if ((mkdir(dir, 0700) != 0 && errno != EEXIST) || !recover(log))
        topic_log_close(&log);
    return log;
}

void topic_log_close(struct topic_log **slot)
{
    struct topic_log *log = *slot;
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    buf_fini(&log->block);
    buf_wipe(&log->plain);
    crypto_wipe(log->key.key, sizeof log->key.key);
    pthread_cond_destroy(&log->synced_now);
    pthread_mutex_destroy(&log->lock);
    free(log);
    *slot = NULL;
}

/* Writing ---------------------------------------------------------------------------------------
 */
static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

static size_t pack(struct topic_log *log, struct event *events, size_t n, uint64_t now_ms)
{
    size_t kept = 0;
    buf_clear(&log->plain);
    for (size_t i = 0; i < n; i++) {
        bool twice = known(log, events[i].identity);
        for (size_t j = i; !twice && j > 0; j--)
            twice = memcmp(events[j - 1].identity, events[i].identity, 16) == 0;
        events[i].seq = 0;
        if (twice)
            continue;
        events[i].seq = log->next + kept++;
        events[i].at_ms = now_ms;
        block_add(&log->plain, &events[i]);
    }
    return kept;
}

static enum log_err write_block(struct topic_log *log, size_t count, uint64_t now_ms)
{
    struct segment *s = &log->segments[log->n - 1];
    if (s->bytes > log->segment_bytes) {
        /* what is in the old one is made durable by whoever waits for it: do that first */
        if (fdatasync(log->fd) != 0 || !new_segment(log))
            return LOG_EFULL;
        s = &log->segments[log->n - 1];
    }
    if (log->plain.failed ||
        !block_seal(&log->key, log->next, now_ms, count, &log->plain, &log->block))
        return LOG_EMEMORY;
    if (!write_all(log->fd, log->block.p, log->block.n)) {
        log->broken = ftruncate(log->fd, (off_t)s->bytes) != 0;
        return LOG_EFULL;
    }
    if (!s->at_ms)
        s->at_ms = now_ms;
    s->bytes += log->block.n;
    log->written += log->block.n;
    log->next += count;
    return LOG_OK;
}

/* Under the lock. Whoever finds nobody syncing does it for all that is written by then. */
static enum log_err wait_durable(struct topic_log *log, uint64_t mine)
{
    while (log->synced < mine && !log->broken) {
        if (log->syncing) {
            pthread_cond_wait(&log->synced_now, &log->lock);
            continue;
        }
        uint64_t upto = log->written, last = log->next - 1;
        int fd = dup(log->fd);
        log->syncing = true;
        pthread_mutex_unlock(&log->lock);
        bool ok = fd >= 0 && fdatasync(fd) == 0;
        if (fd >= 0)
            close(fd);
        pthread_mutex_lock(&log->lock);
        log->syncing = false;
        log->broken |= !ok; /* what the kernel dropped cannot be asked for again */
        if (ok && upto > log->synced) {
            log->synced = upto;
            log->last = last;
        }
        pthread_cond_broadcast(&log->synced_now);
    }
    return log->broken ? LOG_EIO : LOG_OK;
}

enum log_err topic_log_append(struct topic_log *log, struct event *events, size_t n,
                              size_t *duplicates)
{
    uint64_t now_ms = clock_wall_ms();
    enum log_err err = LOG_OK;
    if (n > LOG_BATCH_MAX)
        return LOG_EMEMORY;
    pthread_mutex_lock(&log->lock);
    if (log->broken)
        err = LOG_EIO;
    size_t kept = err ? 0 : pack(log, events, n, now_ms);
    *duplicates = n - kept;
    if (!err && kept)
        err = write_block(log, kept, now_ms);
    for (size_t i = 0; !err && i < n; i++)
        if (events[i].seq)
            remember(log, events[i].identity);
    if (!err) /* also of duplicates alone: the first of them may not be durable yet */
        err = wait_durable(log, log->written);
    pthread_mutex_unlock(&log->lock);
    return err;
}

/* Asking ---------------------------------------------------------------------------------------
 */
uint64_t topic_log_last(struct topic_log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t last = log->last;
    pthread_mutex_unlock(&log->lock);
    return last;
}

uint64_t topic_log_first(struct topic_log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t first = log->segments[0].first;
    pthread_mutex_unlock(&log->lock);
    return first;
}

uint64_t topic_log_bytes(struct topic_log *log)
{
    uint64_t bytes = 0;
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < log->n; i++)
        bytes += log->segments[i].bytes;
    pthread_mutex_unlock(&log->lock);
    return bytes;
}

void topic_log_trim(struct topic_log *log, uint64_t at_ms, uint64_t bytes)
{
    char path[DIR_MAX + 40];
    uint64_t all = topic_log_bytes(log);
    pthread_mutex_lock(&log->lock);
    /* a segment is old when the next one began before the time */
    while (log->n > 1 && log->segments[1].at_ms &&
           (log->segments[1].at_ms < at_ms || all > bytes)) {
        all -= log->segments[0].bytes;
        path_of(log, log->segments[0].first, path);
        unlink(path);
        memmove(log->segments, log->segments + 1, --log->n * sizeof *log->segments);
    }
    pthread_mutex_unlock(&log->lock);
}

/* Reading ---------------------------------------------------------------------------------------
 */
struct topic_reader {
    struct topic_log *log;
    int fd;
    uint64_t segment, offset; /* the segment's first number, where its next block is */
    uint64_t after, limit;    /* what was given last; the last durable one when last looked */
    uint64_t seq, at_ms;      /* of the next event in plain */
    struct buf block, plain;
    size_t at;
};

struct topic_reader *topic_reader_new(struct topic_log *log)
{
    struct topic_reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->log = log;
    r->fd = -1;
    buf_init(&r->block);
    buf_init(&r->plain);
    return r;
}

void topic_reader_free(struct topic_reader **slot)
{
    struct topic_reader *r = *slot;
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    buf_fini(&r->block);
    buf_wipe(&r->plain);
    free(r);
    *slot = NULL;
}

uint64_t topic_reader_after(const struct topic_reader *r)
{
    return r->after;
}

void topic_reader_seek(struct topic_reader *r, uint64_t after)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    r->after = after;
    r->segment = 0;
    r->at = 0;
    buf_clear(&r->plain);
}

/* The segment that holds number `want`, or the first after it; 0: none. */
static uint64_t segment_of(struct topic_log *log, uint64_t want)
{
    uint64_t first = 0;
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < log->n; i++)
        if (i == 0 || log->segments[i].first <= want)
            first = log->segments[i].first;
    pthread_mutex_unlock(&log->lock);
    return first;
}

static bool open_segment(struct topic_reader *r, uint64_t first)
{
    char path[DIR_MAX + 40];
    if (r->fd >= 0)
        close(r->fd);
    path_of(r->log, first, path);
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    r->segment = first;
    r->offset = 0;
    return r->fd >= 0;
}

/* The next block that has something after r->after. */
static bool next_block(struct topic_reader *r, bool *damaged)
{
    struct block_head head;
    for (;;) {
        uint64_t first = segment_of(r->log, r->after + 1);
        if ((r->fd < 0 || first > r->segment) && !open_segment(r, first))
            return false;
        if (!block_read_head(r->fd, r->offset, &head))
            return false;
        if (head.first > r->limit)
            return false;
        uint64_t at = r->offset;
        r->offset += BLOCK_HEAD + head.sealed_n;
        if (head.first + head.count - 1 <= r->after)
            continue;
        if (!block_read(r->fd, at, &head, &r->log->key, &r->block, &r->plain)) {
            *damaged = true;
            r->offset = at;
            return false;
        }
        r->seq = head.first;
        r->at_ms = head.at_ms;
        r->at = 0;
        return true;
    }
}

bool topic_reader_next(struct topic_reader *r, struct event *event, bool *damaged)
{
    *damaged = false;
    if (r->after >= r->limit)
        r->limit = topic_log_last(r->log);
    if (r->after >= r->limit)
        return false;
    for (;;) {
        while (block_event(buf_slice(&r->plain), &r->at, event)) {
            event->seq = r->seq++;
            event->at_ms = r->at_ms;
            if (event->seq > r->after) {
                r->after = event->seq;
                return true;
            }
        }
        if (!next_block(r, damaged))
            return false;
    }
}

uint64_t topic_log_before(struct topic_log *log, uint64_t at_ms)
{
    struct block_head head;
    char path[DIR_MAX + 40];
    uint64_t first = 0, before = 0, offset = 0, last = topic_log_last(log);
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < log->n; i++)
        if (i == 0 || (log->segments[i].at_ms && log->segments[i].at_ms < at_ms))
            first = log->segments[i].first;
    pthread_mutex_unlock(&log->lock);
    before = first - 1;
    path_of(log, first, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && block_read_head(fd, offset, &head) && head.at_ms < at_ms &&
           head.first + head.count - 1 <= last) {
        before = head.first + head.count - 1;
        offset += BLOCK_HEAD + head.sealed_n;
    }
    if (fd >= 0)
        close(fd);
    return before;
}
