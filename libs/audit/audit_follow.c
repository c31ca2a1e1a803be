/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a log on from where it was read to. Checks nothing: that is audit_walk's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "audit/audit_format.h"

#define READ_STEP (1u << 20) /* more than a record */

_Static_assert(AUDIT_STREAMS == SEG_STREAMS_MAX, "one place a stream");

struct follow {
    int dir, fd;
    uint32_t stream;
    struct audit_place *place;
    bool (*visit)(void *ctx, const struct audit_call *call);
    void *ctx;
    uint8_t *bytes; /* READ_STEP of them */
    bool stop;
};

static bool open_segment(struct follow *f, uint64_t seq)
{
    char name[SEG_NAME_MAX];

    seg_name(name, f->stream, seq);
    f->fd = openat(f->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return f->fd >= 0;
}

/* The first segment from seq on that there is: those before may lie elsewhere by now. 0: none. */
static uint64_t first_from(const struct follow *f, uint64_t seq)
{
    int fd = openat(f->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    uint64_t first = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        uint32_t stream;
        uint64_t n;
        if (seg_name_parse(entry->d_name, &stream, &n) && stream == f->stream && n >= seq &&
            (first == 0 || n < first)) {
            first = n;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    } else if (fd >= 0) {
        close(fd);
    }
    return first;
}

static bool take(struct follow *f, const struct seg_record *r)
{
    uint64_t seen[POLICY_FIELD_WORDS];
    struct audit_call call;

    if (r->kind == AUDIT_CALL && rec_decode_call(r, &call, seen) && !f->visit(f->ctx, &call)) {
        f->stop = true;
        return false;
    }
    f->place->at += r->length;
    return true;
}

/* The whole records of what was read; false: no more of this segment now. */
static bool take_some(struct follow *f, size_t n)
{
    struct seg_record r;
    size_t at = 0;

    for (;;) {
        switch (seg_step(f->bytes + at, n - at, &r)) {
        case SEG_RECORD:
            if (!take(f, &r)) {
                return false;
            }
            at += r.length;
            break;
        case SEG_SHORT:
            return at > 0;
        case SEG_END:
            return at > 0 && n - at < REC_HEAD_BYTES && n == READ_STEP;
        default:
            return false;
        }
    }
}

static void read_segment(struct follow *f)
{
    ssize_t n;

    if (f->place->at < SEG_HEAD_BYTES) {
        f->place->at = SEG_HEAD_BYTES;
    }
    do {
        n = pread(f->fd, f->bytes, READ_STEP, (off_t)f->place->at);
    } while ((n < 0 && errno == EINTR) || (n > 0 && take_some(f, (size_t)n)));
}

/* Its writer closed it and all of it was read, or it will write no more of it. */
static bool finished(struct follow *f)
{
    uint8_t head[SEG_HEAD_BYTES];
    struct seg_head h;

    return pread(f->fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
           seg_head_read(&h, head, sizeof head) && h.state == SEG_CLOSED;
}

static void follow_stream(struct follow *f)
{
    while (!f->stop) {
        if (!open_segment(f, f->place->seq)) {
            uint64_t first = first_from(f, f->place->seq);
            if (first == 0) {
                return;
            }
            *f->place = (struct audit_place){.seq = first};
            continue;
        }
        /* In this order: what was written before it was closed has then been read. */
        bool closed = finished(f);
        read_segment(f);
        close(f->fd);
        if (f->stop || !closed) {
            return;
        }
        *f->place = (struct audit_place){.seq = f->place->seq + 1};
    }
}

static bool has_stream(const struct follow *f)
{
    char name[32];

    snprintf(name, sizeof name, "s%03u.lock", f->stream);
    return faccessat(f->dir, name, F_OK, 0) == 0;
}

enum audit_err audit_follow(const char *dir, struct audit_places *places,
                            bool (*visit)(void *ctx, const struct audit_call *call), void *ctx)
{
    struct follow f = {.visit = visit, .ctx = ctx, .bytes = malloc(READ_STEP)};

    f.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f.bytes == NULL || f.dir < 0) {
        free(f.bytes);
        if (f.dir >= 0) {
            close(f.dir);
        }
        return AUDIT_EIO;
    }
    for (; f.stream < AUDIT_STREAMS && !f.stop && has_stream(&f); f.stream++) {
        f.place = &places->of[f.stream];
        if (f.place->seq == 0) {
            f.place->seq = 1;
        }
        follow_stream(&f);
    }
    free(f.bytes);
    close(f.dir);
    return AUDIT_OK;
}
