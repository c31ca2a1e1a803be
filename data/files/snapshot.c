/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of ours. A file is copied once, hashed on the way, and held against what it was before:
 * what is read from then on cannot change under the reader, nor shrink under a mapping of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/codec.h"
#include "data/files/inner.h"

#define TEMPORARY ".new-"
#define STEP      65536
#define TICKS_NS  25000000

static enum files_err io_error(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? FILES_EFULL : FILES_EIO;
}

enum files_err snapshot_new(int dir, struct snapshot *s)
{
    char id[UUID_TEXT_LEN + 1];
    struct uuid u;
    *s = (struct snapshot){.dir = dir, .fd = -1, .content = SLICE("")};
    uuid_new(&u);
    uuid_format(&u, id);
    snprintf(s->name, sizeof s->name, TEMPORARY "%s", id);
    s->fd = openat(dir, s->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s->fd >= 0)
        return FILES_OK;
    s->name[0] = '\0';
    return io_error(errno);
}

enum files_err snapshot_write(struct snapshot *s, const void *p, size_t n)
{
    const char *at = p;
    while (n) {
        ssize_t done = write(s->fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return io_error(errno);
        at += done;
        n -= (size_t)done;
    }
    return FILES_OK;
}

enum files_err snapshot_read(struct snapshot *s)
{
    struct stat st;
    if (fstat(s->fd, &st) != 0)
        return FILES_EIO;
    if (st.st_size == 0)
        return FILES_OK;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, s->fd, 0);
    if (p == MAP_FAILED)
        return FILES_EIO;
    s->content = slice_of(p, (size_t)st.st_size);
    return FILES_OK;
}

void snapshot_free(struct snapshot *s)
{
    if (s->content.n)
        munmap((void *)(uintptr_t)s->content.p, s->content.n);
    if (s->fd >= 0)
        close(s->fd);
    if (s->name[0])
        unlinkat(s->dir, s->name, 0);
    *s = (struct snapshot){.fd = -1, .content = SLICE("")};
}

static enum files_err copy(int from, struct snapshot *s)
{
    static _Thread_local char bytes[STEP];
    struct crypto_hasher hasher;
    uint64_t total = 0;
    enum files_err err = FILES_OK;
    ssize_t n = 0;
    crypto_hasher_init(&hasher, CRYPTO_SM3);
    while (!err && (n = read(from, bytes, sizeof bytes)) > 0) {
        total += (uint64_t)n;
        err = total > s->stamp.size ? FILES_ECHANGED : snapshot_write(s, bytes, (size_t)n);
        crypto_hasher_add(&hasher, bytes, (size_t)n);
    }
    crypto_hasher_end(&hasher, s->sm3);
    crypto_hasher_fini(&hasher);
    if (!err && n < 0)
        err = FILES_EIO;
    return !err && total != s->stamp.size ? FILES_ECHANGED : err;
}

static bool same(const struct files_stamp *a, const struct files_stamp *b)
{
    return a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns;
}

/* Times of files go by ticks: one written to a moment ago could be written to again with the same
 * stamp. Such a one is given the time of some ticks first. */
static void settle(int from)
{
    struct timespec now;
    struct stat st;
    clock_gettime(CLOCK_REALTIME, &now);
    if (fstat(from, &st) != 0)
        return;
    int64_t age_ns = now.tv_sec * 1000000000ll + now.tv_nsec -
                     (st.st_ctim.tv_sec * 1000000000ll + st.st_ctim.tv_nsec);
    if (age_ns < TICKS_NS)
        nanosleep(&(struct timespec){.tv_nsec = TICKS_NS}, NULL);
}

static enum files_err take(int from, struct snapshot *s)
{
    struct stat st;
    settle(from);
    if (fstat(from, &st) != 0)
        return FILES_EIO;
    struct files_stamp before = files_stamp_of(&st), after;
    if (before.size > FILES_BYTES_MAX)
        return FILES_ELARGE;
    s->stamp = before;
    enum files_err err = copy(from, s);
    if (err)
        return err;
    if (fstat(from, &st) != 0)
        return FILES_EIO;
    after = files_stamp_of(&st);
    return same(&before, &after) ? snapshot_read(s) : FILES_ECHANGED;
}

enum files_err snapshot_take(int root, const char *path, int dir, struct snapshot *s)
{
    int from = -1;
    *s = (struct snapshot){.fd = -1, .content = SLICE("")};
    enum files_err err = files_open(root, path, &from);
    if (err)
        return err;
    err = snapshot_new(dir, s);
    if (!err)
        err = take(from, s);
    close(from);
    if (err)
        snapshot_free(s);
    return err;
}

enum files_err snapshot_keep(struct snapshot *s, const char *name)
{
    if (fsync(s->fd) != 0 || renameat(s->dir, s->name, s->dir, name) != 0 || fsync(s->dir) != 0)
        return io_error(errno);
    s->name[0] = '\0';
    return FILES_OK;
}

void snapshot_sweep(int dir)
{
    int copy_of = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy_of >= 0 ? fdopendir(copy_of) : NULL;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (strncmp(e->d_name, TEMPORARY, sizeof TEMPORARY - 1) == 0)
            unlinkat(dir, e->d_name, 0);
    if (d)
        closedir(d);
    else if (copy_of >= 0)
        close(copy_of);
}

/* gzip ------------------------------------------------------------------------------------------
 */

static bool too_far(uint64_t plain, uint64_t packed)
{
    return plain > FILES_PLAIN_MAX || (plain > (1u << 20) && plain / FILES_RATIO_MAX > packed);
}

static enum files_err inflate_all(z_stream *z, struct slice from, struct snapshot *to)
{
    static _Thread_local unsigned char out[STEP];
    uint64_t plain = 0;
    int r = Z_OK;
    for (size_t at = 0; at < from.n || z->avail_in;) {
        if (!z->avail_in) {
            size_t n = from.n - at < STEP ? from.n - at : STEP;
            z->next_in = (Bytef *)(uintptr_t)(from.p + at);
            z->avail_in = (uInt)n;
            at += n;
        }
        if (r == Z_STREAM_END && inflateReset(z) != Z_OK) /* the next member */
            return FILES_EIO;
        z->next_out = out;
        z->avail_out = sizeof out;
        r = inflate(z, Z_NO_FLUSH);
        if (r != Z_OK && r != Z_STREAM_END)
            return FILES_ETYPE;
        plain += sizeof out - z->avail_out;
        if (too_far(plain, from.n))
            return FILES_EBOMB;
        enum files_err err = snapshot_write(to, out, sizeof out - z->avail_out);
        if (err)
            return err;
    }
    while (r == Z_OK) { /* what the window still holds */
        z->next_out = out;
        z->avail_out = sizeof out;
        r = inflate(z, Z_NO_FLUSH);
        plain += sizeof out - z->avail_out;
        if (too_far(plain, from.n))
            return FILES_EBOMB;
        enum files_err err = snapshot_write(to, out, sizeof out - z->avail_out);
        if (err)
            return err;
    }
    return r == Z_STREAM_END ? FILES_OK : FILES_ETYPE;
}

enum files_err snapshot_inflate(const struct snapshot *from, struct snapshot *to)
{
    z_stream z = {0};
    enum files_err err = snapshot_new(from->dir, to);
    if (err)
        return err;
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        err = FILES_EIO;
    else
        err = inflate_all(&z, from->content, to);
    inflateEnd(&z);
    if (!err)
        err = snapshot_read(to);
    if (err)
        snapshot_free(to);
    return err;
}
