/* SPDX-License-Identifier: Apache-2.0 */
/* From files into NATS: a topic that had its events in files keeps them, with their numbers, when
 * the data service is told of NATS. What has been carried over is what the stream holds, so a death
 * on either side costs nothing; until all is there the log is not ready, so nothing new comes in
 * between and every cursor and position means what it meant. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "data/events/nats_inner.h"

#define TURN_MS    2000 /* of one turn: others wait for the keeper meanwhile */
#define PATH_BYTES 1000
#define BEGUN      ".to-nats" /* in the folder: its events are on their way into an empty stream */

static bool is_segment(const char *name)
{
    size_t n = strlen(name);
    return n == 24 && strcmp(name + n - 4, ".log") == 0;
}

static bool has_segments(const char *dir)
{
    DIR *d = opendir(dir);
    bool found = false;
    for (const struct dirent *e; d && !found && (e = readdir(d)) != NULL;)
        found = is_segment(e->d_name);
    if (d)
        closedir(d);
    return found;
}

bool nats_carry_begin(struct nats_log *log, const char *dir)
{
    snprintf(log->files_dir, sizeof log->files_dir, "%s", dir);
    if (!has_segments(dir))
        return true;
    log->files = topic_log_open(dir, &log->key.topic, log->key.key, 0);
    return log->files != NULL;
}

static bool sync_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static void path_of(const struct nats_log *log, const char *name, char out[static PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/%s", log->files_dir, name);
}

static bool begun(const struct nats_log *log)
{
    char path[PATH_BYTES];
    path_of(log, BEGUN, path);
    return access(path, F_OK) == 0;
}

static bool mark(const struct nats_log *log)
{
    char path[PATH_BYTES];
    path_of(log, BEGUN, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    close(fd);
    return sync_folder(log->files_dir);
}

/* All of it is in the stream: files would keep what retention is to end. The mark goes last, so
 * that a death in between is followed by the rest. */
static void remove_files(struct nats_log *log)
{
    char path[PATH_BYTES];
    topic_log_close(&log->files);
    DIR *d = opendir(log->files_dir);
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
        path_of(log, e->d_name, path);
        if (is_segment(e->d_name) && unlink(path) != 0)
            fprintf(stderr, "data: events: %s: cannot be removed\n", path);
    }
    if (d)
        closedir(d);
    path_of(log, BEGUN, path);
    if (sync_folder(log->files_dir))
        unlink(path);
}

static enum log_err send(struct nats_log *log, size_t *count, uint64_t at_ms)
{
    bool stored = false;
    enum log_err err = *count ? nats_publish(log, *count, at_ms, &stored) : LOG_OK;
    if (!err && *count && !stored)
        err = LOG_EAWAY; /* somebody else wrote into the stream: looked at again */
    buf_clear(&log->plain);
    *count = 0;
    return err;
}

static size_t size_of(const struct event *e)
{
    return 40 + e->key.n + e->owner.n + e->type.n + e->head.n + e->data.n;
}

/* Blocks as they were, cut where a message of NATS has no room for one. LOG_EAWAY: there is more.
 */
static enum log_err send_some(struct nats_log *log, struct topic_reader *from)
{
    struct event e;
    uint64_t until_ms = clock_mono_us() / 1000 + TURN_MS, at_ms = 0;
    size_t count = 0, room = nats_log_room_of(log);
    enum log_err err = LOG_OK;
    enum log_read read = LOG_NONE;
    buf_clear(&log->plain);
    while (!err && clock_mono_us() / 1000 < until_ms &&
           (read = topic_reader_next(from, &e)) == LOG_READ) {
        bool other = count && (e.at_ms != at_ms || count == LOG_BATCH_MAX ||
                               log->plain.n + size_of(&e) > room);
        if (other)
            err = send(log, &count, at_ms);
        if (err)
            break;
        at_ms = e.at_ms;
        block_add(&log->plain, &e);
        seen_remember(&log->seen, e.identity);
        count++;
    }
    err = err ? err : send(log, &count, at_ms);
    if (!err && read == LOG_DAMAGED) {
        fprintf(stderr, "data: events: %s: damaged after event %llu: not carried into NATS\n",
                log->files_dir, (unsigned long long)topic_reader_after(from));
        return LOG_EIO;
    }
    return err || read == LOG_NONE ? err : LOG_EAWAY;
}

enum log_err nats_carry(struct nats_log *log, bool empty)
{
    uint64_t first = topic_log_first(log->files), last = topic_log_last(log->files);
    if (!begun(log) && (!empty || last < first)) { /* the stream has a life of its own */
        fprintf(stderr, "data: events: %s: left alone: its topic has events in NATS, or it none\n",
                log->files_dir);
        topic_log_close(&log->files);
        return LOG_OK;
    }
    if (!begun(log) && !mark(log))
        return LOG_EFULL;
    if (empty) {
        pthread_mutex_lock(&log->lock);
        log->last = first - 1;
        log->first = first;
        pthread_mutex_unlock(&log->lock);
    }
    struct topic_reader *from = topic_reader_new(log->files);
    if (!from)
        return LOG_EMEMORY;
    topic_reader_seek(from, log->last);
    enum log_err err = send_some(log, from);
    topic_reader_free(&from);
    if (!err)
        remove_files(log);
    return err;
}
