/* SPDX-License-Identifier: Apache-2.0 */
/* The log as segments on disk. A segment's name is its first sequence number. A block: 40 bytes of
 * header, then the sealed events. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "data/events/log_inner.h"

#define DIR_MAX  700
#define SEGMENTS 4096

struct segment {
    uint64_t first, at_ms; /* of its first block */
    uint64_t bytes;
};

struct file_log {
    struct topic_log base;
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
    struct seen seen;
    struct buf block, plain;
};

static struct file_log *of(struct topic_log *log)
{
    return (struct file_log *)(void *)log;
}

static void path_of(const struct file_log *log, uint64_t first, char out[static DIR_MAX + 40])
{
    snprintf(out, DIR_MAX + 40, "%s/%020llu.log", log->dir, (unsigned long long)first);
}

/* Opening ---------------------------------------------------------------------------------------
 */
static int by_first(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static bool list_segments(struct file_log *log)
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

/* Reads a segment's blocks; *end: where the whole ones end. */
static bool scan(struct file_log *log, struct segment *s, bool last, int fd, uint64_t *end)
{
    struct block_head head;
    *end = 0;
    while (block_read_head(fd, *end, &head)) {
        if (!s->at_ms)
            s->at_ms = head.at_ms;
        if (last) {
            if (!block_read(fd, *end, &head, &log->key, &log->block, &log->plain))
                break;
            seen_block(&log->seen, buf_slice(&log->plain));
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

static bool sync_dir(const struct file_log *log)
{
    int fd = open(log->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool new_segment(struct file_log *log)
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

static bool recover(struct file_log *log)
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

static void file_close(struct topic_log *base)
{
    struct file_log *log = of(base);
    if (log->fd >= 0)
        close(log->fd);
    buf_fini(&log->block);
    buf_wipe(&log->plain);
    crypto_wipe(log->key.key, sizeof log->key.key);
    pthread_cond_destroy(&log->synced_now);
    pthread_mutex_destroy(&log->lock);
    free(log);
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

static size_t pack(struct file_log *log, struct event *events, size_t n, uint64_t now_ms)
{
    size_t kept = 0;
    buf_clear(&log->plain);
    for (size_t i = 0; i < n; i++) {
        bool twice = seen_known(&log->seen, events[i].identity);
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

static enum log_err write_block(struct file_log *log, size_t count, uint64_t now_ms)
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
static enum log_err wait_durable(struct file_log *log, uint64_t mine)
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

static enum log_err file_append(struct topic_log *base, struct event *events, size_t n,
                                size_t *duplicates)
{
    struct file_log *log = of(base);
    uint64_t now_ms = clock_wall_ms();
    enum log_err err = LOG_OK;
    pthread_mutex_lock(&log->lock);
    if (log->broken)
        err = LOG_EIO;
    size_t kept = err ? 0 : pack(log, events, n, now_ms);
    *duplicates = n - kept;
    if (!err && kept)
        err = write_block(log, kept, now_ms);
    for (size_t i = 0; !err && i < n; i++)
        if (events[i].seq)
            seen_remember(&log->seen, events[i].identity);
    if (!err) /* also of duplicates alone: the first of them may not be durable yet */
        err = wait_durable(log, log->written);
    pthread_mutex_unlock(&log->lock);
    return err;
}

/* Asking ---------------------------------------------------------------------------------------
 */
static bool file_ready(struct topic_log *log)
{
    (void)log;
    return true; /* it is open */
}

static size_t file_room(struct topic_log *log)
{
    (void)log;
    return BLOCK_BYTES;
}

static uint64_t file_last(struct topic_log *base)
{
    struct file_log *log = of(base);
    pthread_mutex_lock(&log->lock);
    uint64_t last = log->last;
    pthread_mutex_unlock(&log->lock);
    return last;
}

static uint64_t file_first(struct topic_log *base)
{
    struct file_log *log = of(base);
    pthread_mutex_lock(&log->lock);
    uint64_t first = log->segments[0].first;
    pthread_mutex_unlock(&log->lock);
    return first;
}

static uint64_t file_bytes(struct topic_log *base)
{
    struct file_log *log = of(base);
    uint64_t bytes = 0;
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < log->n; i++)
        bytes += log->segments[i].bytes;
    pthread_mutex_unlock(&log->lock);
    return bytes;
}

static void file_trim(struct topic_log *base, uint64_t at_ms, uint64_t bytes)
{
    struct file_log *log = of(base);
    char path[DIR_MAX + 40];
    uint64_t all = file_bytes(base);
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
struct file_reader {
    struct topic_reader base;
    int fd;                   /* 0: none; standard input is never a segment */
    uint64_t segment, offset; /* the segment's first number, where its next block is */
};

static void file_forget(struct topic_reader *base)
{
    struct file_reader *r = (struct file_reader *)(void *)base;
    if (r->fd > 0)
        close(r->fd);
    r->fd = -1;
    r->segment = 0;
}

/* The segment that holds number `want`, or the first after it; 0: none. */
static uint64_t segment_of(struct file_log *log, uint64_t want)
{
    uint64_t first = 0;
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < log->n; i++)
        if (i == 0 || log->segments[i].first <= want)
            first = log->segments[i].first;
    pthread_mutex_unlock(&log->lock);
    return first;
}

static bool open_segment(struct file_reader *r, uint64_t first)
{
    char path[DIR_MAX + 40];
    file_forget(&r->base);
    path_of(of(r->base.log), first, path);
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    r->segment = first;
    r->offset = 0;
    return r->fd >= 0;
}

static enum log_read file_next_block(struct topic_reader *base)
{
    struct file_reader *r = (struct file_reader *)(void *)base;
    struct file_log *log = of(base->log);
    struct block_head head;
    for (;;) {
        uint64_t first = segment_of(log, base->after + 1);
        if ((r->fd < 0 || first > r->segment) && !open_segment(r, first))
            return LOG_NONE;
        if (!block_read_head(r->fd, r->offset, &head) || head.first > base->limit)
            return LOG_NONE;
        uint64_t at = r->offset;
        r->offset += BLOCK_HEAD + head.sealed_n;
        if (head.first + head.count - 1 <= base->after)
            continue;
        if (!block_read(r->fd, at, &head, &log->key, &base->raw, &base->plain)) {
            r->offset = at;
            return LOG_DAMAGED;
        }
        base->seq = head.first;
        base->at_ms = head.at_ms;
        base->at = 0;
        return LOG_READ;
    }
}

static uint64_t file_before(struct topic_log *base, uint64_t at_ms)
{
    struct file_log *log = of(base);
    struct block_head head;
    char path[DIR_MAX + 40];
    uint64_t first = 0, before = 0, offset = 0, last = file_last(base);
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

static const struct log_ops ops = {
    .reader_bytes = sizeof(struct file_reader),
    .close = file_close,
    .ready = file_ready,
    .append = file_append,
    .room = file_room,
    .last = file_last,
    .first = file_first,
    .bytes = file_bytes,
    .before = file_before,
    .trim = file_trim,
    .forget = file_forget,
    .next_block = file_next_block,
};

struct topic_log *topic_log_open(const char *dir, const struct uuid *topic,
                                 const uint8_t key[static CRYPTO_KEY_LEN], size_t segment_bytes)
{
    struct file_log *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    log->base.ops = &ops;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->synced_now, NULL);
    log->fd = -1;
    log->segment_bytes = segment_bytes ? segment_bytes : LOG_SEGMENT_BYTES;
    log->key.topic = *topic;
    memcpy(log->key.key, key, CRYPTO_KEY_LEN);
    buf_init(&log->block);
    buf_init(&log->plain);
    snprintf(log->dir, sizeof log->dir, "%s", dir);
    if ((mkdir(dir, 0700) == 0 || errno == EEXIST) && recover(log))
        return &log->base;
    file_close(&log->base);
    return NULL;
}
