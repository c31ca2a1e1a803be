/* SPDX-License-Identifier: Apache-2.0 */
/* One stream, one thread. Invariants:
 * - bytes at and after `pos` in the mapping are zero, so a record exists exactly when its length is
 * set;
 * - `chain` is the chain value of the record that ends at `pos`;
 * - every segment of the stream but the current one is closed, or will be by the next writer's
 * open. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_format.h"
#include "base/clock.h"

#define SEGMENT_MIN (64u << 10)
#define RETRY_MS    500 /* between tries to make a segment on a full disk: fallocate is dear there */
#define ROTATE_NUM  15  /* tick rotates at 15/16 of the ordinary room, so that append rarely must */
#define ROTATE_DEN  16
#define FILE_MODE   0640
#define DIR_MODE    0750

struct audit_writer {
    char node[SEG_NODE_MAX + 1];
    int dir, lock, fd;
    uint32_t stream;
    size_t segment_bytes;
    /* the current segment */
    uint8_t *map;
    size_t size, ordinary /* refusals alone go past it */, pos;
    uint64_t seq, created_us, generation;
    uint32_t records, plans_written;
    bool used; /* holds a record besides AUDIT_START */
    uint64_t retry_ms;
    struct crypto_hasher hasher;
    struct plans *plans;
    uint8_t *plan_payload, *plan_record; /* REC_MAX each, plan_record behind a chain value */
    struct {
        uint8_t chain[SEG_CHAIN_LEN]; /* right before the record: one run of bytes to hash */
        uint8_t record[REC_CALL_MAX];
    } hot;
};

/* Files --------------------------------------------------------------------------------------- */

static enum audit_err err_of_errno(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? AUDIT_EFULL : AUDIT_EIO;
}

static bool take_stream(struct audit_writer *w)
{
    for (uint32_t i = 0; i < SEG_STREAMS_MAX; i++) {
        char name[SEG_NAME_MAX];
        snprintf(name, sizeof name, "s%03u.lock", i);
        int fd = openat(w->dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
        if (fd < 0) {
            return false;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            w->lock = fd;
            w->stream = i;
            return true;
        }
        close(fd);
    }
    return false;
}

static void drop_segment(struct audit_writer *w)
{
    if (w->map != NULL) {
        munmap(w->map, w->size);
        w->map = NULL;
    }
    if (w->fd >= 0) {
        close(w->fd);
        w->fd = -1;
    }
}

/* A file of segment_bytes with its room set aside: what the sealer left ready, else a new one. */
static enum audit_err blank_file(struct audit_writer *w, const char *next, int *out)
{
    struct stat st;
    int fd = openat(w->dir, next, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0) {
        return err_of_errno(errno);
    }
    int error = fstat(fd, &st) != 0 ? errno : 0;
    if (error == 0 && (size_t)st.st_size < w->segment_bytes) {
        error = posix_fallocate(fd, 0, (off_t)w->segment_bytes);
    }
    if (error != 0) {
        unlinkat(w->dir, next,
                 0); /* a part of it would only hold room that the rest of the node needs */
        close(fd);
        return err_of_errno(error);
    }
    *out = fd;
    return AUDIT_OK;
}

static void close_current(struct audit_writer *w, bool cut)
{
    struct seg_head h = {.records = w->records, .end = w->pos, .closed_us = clock_wall_us()};
    memcpy(h.last, w->hot.chain, SEG_CHAIN_LEN);
    seg_head_close(w->map, &h);
    if (cut && ftruncate(w->fd, (off_t)w->pos) != 0) {
        /* Only room on disk is lost; readers go by the end in the header. */
    }
    drop_segment(w);
}

static void take_segment(struct audit_writer *w, int fd, uint8_t *map, size_t size)
{
    struct seg_head h;
    w->fd = fd;
    w->map = map;
    w->size = size;
    w->ordinary = size - (size / 4 < AUDIT_RESERVE_BYTES ? size / 4 : AUDIT_RESERVE_BYTES);
    if (!seg_head_read(&h, map, size)) {
        abort(); /* we have just written or read this very header */
    }
    w->seq = h.seq;
    w->created_us = h.created_us;
    w->pos = SEG_HEAD_BYTES;
    w->records = w->plans_written = 0;
    w->used = false;
    w->generation++;
    w->retry_ms = 0;
    seg_head_chain(&w->hasher, map, w->hot.chain);
}

/* Makes segment seq + 1, which follows the current chain value, and closes the current one. The new
 * name appears first: a process killed in between leaves an open segment before the last, which the
 * next open of this stream closes. On error nothing has changed. keep_tail: leave what lies behind
 * pos. */
static enum audit_err try_rotate(struct audit_writer *w, bool keep_tail)
{
    char next[SEG_NAME_MAX], name[SEG_NAME_MAX];
    struct seg_head h = {.stream = w->stream, .seq = w->seq + 1, .created_us = clock_wall_us()};
    int fd;
    snprintf(next, sizeof next, "s%03u.next", w->stream);
    enum audit_err err = blank_file(w, next, &fd);
    if (err != AUDIT_OK) {
        return err;
    }
    uint8_t *map = mmap(NULL, w->segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        close(fd);
        return AUDIT_EIO;
    }
    memcpy(h.node, w->node, sizeof h.node);
    if (h.seq > 1) {
        memcpy(h.previous, w->hot.chain, SEG_CHAIN_LEN);
    }
    seg_head_write(map, &h);
    seg_name(name, h.stream, h.seq);
    if (renameat(w->dir, next, w->dir, name) != 0) {
        munmap(map, w->segment_bytes);
        close(fd);
        return AUDIT_EIO;
    }
    if (w->map != NULL) {
        close_current(w, !keep_tail);
    }
    take_segment(w, fd, map, w->segment_bytes);
    return AUDIT_OK;
}

static enum audit_err rotate(struct audit_writer *w, bool keep_tail)
{
    enum audit_err err = try_rotate(w, keep_tail);
    if (err != AUDIT_OK) {
        w->retry_ms = clock_wall_ms() + RETRY_MS;
    }
    return err;
}

/* Appending ----------------------------------------------------------------------------------- */

/* buf: the chain value, then n bytes of record, then room for the new chain value. */
static void commit(struct audit_writer *w, uint8_t *buf, size_t n)
{
    uint8_t *record = buf + SEG_CHAIN_LEN, *at = w->map + w->pos;
    crypto_hasher_reset(&w->hasher);
    crypto_hasher_add(&w->hasher, buf, SEG_CHAIN_LEN + n);
    crypto_hasher_end(&w->hasher, w->hot.chain);
    memcpy(at + 4, record + 4, n - 4);
    memcpy(at + n, w->hot.chain, SEG_CHAIN_LEN);
    uint32_t length;
    memcpy(&length, record, sizeof length);
    __atomic_store_n((uint32_t *)(void *)at, length, __ATOMIC_RELEASE);
    w->pos += n + SEG_CHAIN_LEN;
    w->records++;
}

static bool fits(const struct audit_writer *w, size_t n, bool privileged)
{
    return w->pos + n + SEG_CHAIN_LEN <= (privileged ? w->size : w->ordinary);
}

/* Makes room for n bytes of record, by a new segment where needed and possible. */
static enum audit_err make_room(struct audit_writer *w, size_t n, bool privileged)
{
    if (fits(w, n, false)) {
        return AUDIT_OK;
    }
    enum audit_err err = AUDIT_EFULL;
    if (w->retry_ms == 0 || clock_wall_ms() >= w->retry_ms) {
        err = rotate(w, false);
    }
    if (fits(w, n, false) || (privileged && fits(w, n, true))) {
        return AUDIT_OK;
    }
    return err == AUDIT_OK ? AUDIT_EFULL : err;
}

/* Writes e into the current segment unless it is there. */
static enum audit_err cite(struct audit_writer *w, struct plans_entry *e, bool privileged)
{
    if (e->generation == w->generation) {
        return AUDIT_OK;
    }
    uint8_t *record = w->plan_record + SEG_CHAIN_LEN;
    enum audit_err err = make_room(w, REC_HEAD_BYTES + 4 + e->n + 7, privileged);
    if (err != AUDIT_OK) {
        return err;
    }
    size_t n = rec_wrap_plan(record, e->payload, e->n, w->plans_written + 1, w->records);
    memcpy(w->plan_record, w->hot.chain, SEG_CHAIN_LEN);
    commit(w, w->plan_record, n);
    e->number = ++w->plans_written;
    e->generation = w->generation;
    return AUDIT_OK;
}

/* The number to cite in the current segment; 0 when the plan is gone or has no room. */
static uint32_t plan_number(struct audit_writer *w, uint32_t handle, bool privileged)
{
    struct plans_entry *e = handle == 0 ? NULL : plans_at(w->plans, handle);
    if (e == NULL || cite(w, e, privileged) != AUDIT_OK) {
        return 0;
    }
    return e->number;
}

enum audit_err audit_writer_append(struct audit_writer *w, const struct audit_call *call)
{
    if (call->kind != AUDIT_CALL && call->kind != AUDIT_OPEN) {
        return AUDIT_EFORMAT;
    }
    bool privileged = call->kind == AUDIT_CALL && (call->status >= 400 || call->opened);
    enum audit_err err = make_room(w, REC_CALL_MAX - SEG_CHAIN_LEN, privileged);
    if (err != AUDIT_OK) {
        return err;
    }
    uint32_t plan = plan_number(w, call->plan, privileged);
    if (!fits(w, REC_CALL_MAX - SEG_CHAIN_LEN, false)) { /* the plan took the last room */
        err = make_room(w, REC_CALL_MAX - SEG_CHAIN_LEN, privileged);
        if (err != AUDIT_OK) {
            return err;
        }
        plan = plan_number(w, call->plan, privileged);
    }
    commit(w, w->hot.chain, rec_encode_call(w->hot.record, call, plan, w->records));
    w->used = true;
    return AUDIT_OK;
}

enum audit_err audit_writer_plan(struct audit_writer *w, uint64_t key, const struct policy_api *api,
                                 const struct policy_verdict *v, uint32_t *plan)
{
    uint32_t handle;
    struct plans_entry *e = plans_find(w->plans, key, &handle);
    if (e == NULL) {
        size_t n = rec_encode_plan(w->plan_payload, api, v);
        if (REC_HEAD_BYTES + 12 + n + SEG_CHAIN_LEN + REC_CALL_MAX > w->segment_bytes / 2) {
            return AUDIT_EFORMAT;
        }
        e = plans_add(w->plans, key, w->plan_payload, n, &handle);
    }
    if (e == NULL) {
        return AUDIT_EFULL;
    }
    *plan = handle; /* append writes the plan, right before the first call that cites it */
    return AUDIT_OK;
}

enum audit_err audit_writer_tick(struct audit_writer *w, uint64_t now_ms)
{
    bool old = w->used && now_ms >= w->created_us / 1000 + AUDIT_SEGMENT_AGE_MS;
    bool full = w->pos >= w->ordinary / ROTATE_DEN * ROTATE_NUM;
    if ((!old && !full) || now_ms < w->retry_ms) {
        return AUDIT_OK;
    }
    enum audit_err err = rotate(w, false);
    return err == AUDIT_EFULL && fits(w, REC_CALL_MAX, false) ? AUDIT_OK : err;
}

/* Opening ------------------------------------------------------------------------------------- */

static uint64_t last_seq(struct audit_writer *w, bool *ok)
{
    uint64_t last = 0;
    int fd = openat(w->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    *ok = dir != NULL;
    if (dir == NULL) {
        return 0;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        uint32_t stream;
        uint64_t seq;
        if (seg_name_parse(e->d_name, &stream, &seq) && stream == w->stream && seq > last) {
            last = seq;
        }
    }
    closedir(dir);
    return last;
}

static enum audit_err map_existing(struct audit_writer *w, uint64_t seq)
{
    char name[SEG_NAME_MAX];
    struct stat st;
    struct seg_head h;
    seg_name(name, w->stream, seq);
    int fd = openat(w->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < SEG_HEAD_BYTES ||
        (uint64_t)st.st_size > SEG_FILE_MAX) {
        if (fd >= 0) {
            close(fd);
        }
        return AUDIT_EIO;
    }
    uint8_t *map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED || !seg_head_read(&h, map, (size_t)st.st_size)) {
        if (map != MAP_FAILED) {
            munmap(map, (size_t)st.st_size);
        }
        close(fd);
        return AUDIT_EFORMAT;
    }
    take_segment(w, fd, map, (size_t)st.st_size);
    return AUDIT_OK;
}

/* Moves pos behind the last good record. True: nothing but a torn, never acknowledged record can
 * lie behind it. False: what lies there was a record once (a power cut, or somebody's hand). */
static bool recover(struct audit_writer *w)
{
    struct seg_record r;
    for (;;) {
        enum seg_step step = seg_step(w->map + w->pos, w->size - w->pos, &r);
        if (step == SEG_END) {
            return true;
        }
        if (step != SEG_RECORD || r.index != w->records ||
            !seg_follows(&w->hasher, &r, w->hot.chain)) {
            return false;
        }
        w->pos += r.length;
        w->records++;
        w->plans_written += r.kind == AUDIT_PLAN;
        w->used = w->used || r.kind != AUDIT_START;
    }
}

static void cut_torn(struct audit_writer *w)
{
    size_t left = w->size - w->pos;
    memset(w->map + w->pos, 0, left < REC_MAX ? left : REC_MAX);
}

/* The segment before the last may have been left open by a process killed while rotating. */
static enum audit_err close_before(struct audit_writer *w, uint64_t seq)
{
    enum audit_err err = map_existing(w, seq);
    if (err != AUDIT_OK) {
        return AUDIT_OK; /* gone or unreadable: for the verifier to name, not for us to stop at */
    }
    if (get32(w->map + SEG_STATE_AT) == SEG_OPEN) {
        close_current(w, recover(w));
    }
    drop_segment(w);
    return AUDIT_OK;
}

static enum audit_err recover_last(struct audit_writer *w, uint64_t seq)
{
    enum audit_err err = map_existing(w, seq);
    if (err != AUDIT_OK) {
        return err;
    }
    if (get32(w->map + SEG_STATE_AT) == SEG_CLOSED) {
        struct seg_head h;
        if (!seg_head_read(&h, w->map, w->size)) {
            return AUDIT_EFORMAT;
        }
        memcpy(w->hot.chain, h.last, SEG_CHAIN_LEN);
        drop_segment(w);
        return rotate(w, false);
    }
    if (!recover(w)) {
        return rotate(w, true); /* closed at its last good record, the rest left as evidence */
    }
    cut_torn(w);
    /* What is written now, a reader of the older version may not know. */
    return get32(w->map + 8) < SEG_VERSION ? rotate(w, false) : AUDIT_OK;
}

static enum audit_err begin(struct audit_writer *w)
{
    bool ok;
    uint64_t seq = last_seq(w, &ok);
    if (!ok) {
        return AUDIT_EIO;
    }
    enum audit_err err = seq > 1 ? close_before(w, seq - 1) : AUDIT_OK;
    if (err == AUDIT_OK) {
        err = seq > 0 ? recover_last(w, seq) : rotate(w, false);
    }
    if (err != AUDIT_OK) {
        return err;
    }
    /* Without room for it the start goes unrecorded; the calls after it matter more. */
    if (make_room(w, REC_CALL_MAX, false) == AUDIT_OK) {
        commit(w, w->hot.chain,
               rec_encode_start(w->hot.record, clock_wall_us(), (uint32_t)getpid(), w->records));
    }
    return AUDIT_OK;
}

static bool node_ok(const char *node)
{
    size_t n = strlen(node);
    return n > 0 && n <= SEG_NODE_MAX && strspn(node, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static void fini(struct audit_writer *w)
{
    drop_segment(w);
    if (w->dir >= 0) {
        close(w->dir);
    }
    if (w->lock >= 0) {
        close(w->lock);
    }
    if (w->hasher.ctx != NULL) {
        crypto_hasher_fini(&w->hasher);
    }
    plans_free(&w->plans);
    free(w->plan_payload);
    free(w->plan_record);
    free(w);
}

enum audit_err audit_writer_open(struct audit_writer **out, const struct audit_config *cfg)
{
    size_t bytes = cfg->segment_bytes == 0 ? AUDIT_SEGMENT_BYTES : cfg->segment_bytes;
    if (!node_ok(cfg->node) || bytes < SEGMENT_MIN || bytes % SEG_HEAD_BYTES != 0 ||
        bytes > SEG_FILE_MAX) {
        return AUDIT_EFORMAT;
    }
    struct audit_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return AUDIT_EIO;
    }
    w->dir = w->lock = w->fd = -1;
    w->segment_bytes = bytes;
    memcpy(w->node, cfg->node, strlen(cfg->node));
    crypto_hasher_init(&w->hasher, CRYPTO_SM3);
    w->plans = plans_new();
    w->plan_payload = malloc(REC_MAX);
    w->plan_record = malloc(REC_MAX + SEG_CHAIN_LEN);
    enum audit_err err = AUDIT_EIO;
    if (w->plans == NULL || w->plan_payload == NULL || w->plan_record == NULL) {
        goto out;
    }
    if (mkdir(cfg->dir, DIR_MODE) != 0 && errno != EEXIST) {
        goto out;
    }
    w->dir = open(cfg->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->dir < 0 || !take_stream(w)) {
        goto out;
    }
    err = begin(w);
out:
    if (err != AUDIT_OK) {
        fini(w);
        return err;
    }
    *out = w;
    return AUDIT_OK;
}

void audit_writer_close(struct audit_writer **w)
{
    if (*w == NULL) {
        return;
    }
    if ((*w)->used) {
        close_current(*w, true); /* done with: the sealer can seal it at once */
    }
    fini(*w);
    *w = NULL;
}
