/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side. It follows every stream record by record, checks each one's chain value before
 * it signs anything, and never signs what contradicts an earlier signature of its own: such a
 * segment is sealed as broken, at its last good record, and what was signed before is kept for the
 * verifier. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_ledger.h"

#define READ_BYTES (256u << 10) /* > REC_MAX */
#define FILE_MODE  0640
#define DIR_MODE   0750
#define SEALS_TICK                                                                                 \
    32 /* of one stream: a writer faster than the disk must not hold the others up                 \
        */

struct follow {                  /* one stream */
    int fd;                      /* segment `now.seq`; -1: not there yet */
    struct mark now;             /* up to where its records have been checked */
    struct mark head;            /* what the heads say, or will say at the end of this tick */
    struct mark owed;            /* what a former sealer signed of this segment; seq 0: nothing */
    uint8_t last[SEG_CHAIN_LEN]; /* of the segment before; zeros for the first */
    bool broken;
    bool adopt; /* the segment before was broken: only the next header knows how its chain ended */
};

struct audit_sealer {
    int dir, lock, ledger;
    size_t segment_bytes;
    char node[SEG_NODE_MAX + 1];
    const struct crypto_sm2 *key;
    struct crypto_hasher hasher;
    uint8_t *bytes; /* READ_BYTES */
    struct buf text;
    off_t ledger_bytes;
    uint64_t seals;
    uint8_t last_seal[SEG_CHAIN_LEN];
    bool heads_stale;
    size_t n;
    struct follow streams[SEG_STREAMS_MAX];
    struct heads heads;
};

/* Following ----------------------------------------------------------------------------------- */

static ssize_t read_at(int fd, void *p, size_t n, uint64_t at)
{
    size_t got = 0;
    while (got < n) {
        ssize_t r = pread(fd, (char *)p + got, n - got, (off_t)(at + got));
        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r < 0) {
            return -1;
        }
        if (r == 0) {
            break;
        }
        got += (size_t)r;
    }
    return (ssize_t)got;
}

static bool exists(const struct audit_sealer *s, const char *name)
{
    return faccessat(s->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool met(const struct follow *f)
{
    return f->owed.seq != f->now.seq || f->now.records != f->owed.records ||
           memcmp(f->now.chain, f->owed.chain, SEG_CHAIN_LEN) == 0;
}

/* Makes f.now the start of segment now.seq. False: it is not there. A segment that cannot be what
 * it says it is comes out broken, with no records. */
static bool open_segment(struct audit_sealer *s, struct follow *f)
{
    char name[SEG_NAME_MAX], after[SEG_NAME_MAX];
    struct seg_head h;
    seg_name(name, f->now.stream, f->now.seq);
    seg_name(after, f->now.stream, f->now.seq + 1);
    f->fd = openat(s->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (f->fd < 0 && !exists(s, after)) {
        return false;
    }
    f->now.records = 0;
    f->now.end = SEG_HEAD_BYTES;
    memcpy(f->now.chain, f->last, SEG_CHAIN_LEN);
    f->broken = f->fd < 0 || read_at(f->fd, s->bytes, SEG_HEAD_BYTES, 0) != SEG_HEAD_BYTES ||
                !seg_head_read(&h, s->bytes, SEG_HEAD_BYTES) || h.stream != f->now.stream ||
                h.seq != f->now.seq ||
                (!f->adopt && memcmp(h.previous, f->last, SEG_CHAIN_LEN) != 0);
    if (!f->broken) {
        seg_head_chain(&s->hasher, s->bytes, f->now.chain);
        f->broken = !met(f);
    }
    return true;
}

/* Checks the records in bytes[0..n); returns the bytes consumed. *bad: what follows them is no
 * record that belongs there. */
static size_t follow_bytes(struct audit_sealer *s, struct follow *f, size_t n, bool *bad)
{
    size_t at = 0;
    struct seg_record r;
    *bad = false;
    for (;;) {
        enum seg_step step = seg_step(s->bytes + at, n - at, &r);
        if (step == SEG_END || (step == SEG_SHORT && n == READ_BYTES && at > 0)) {
            return at;
        }
        if (step != SEG_RECORD || r.index != f->now.records ||
            !seg_follows(&s->hasher, &r, f->now.chain)) {
            *bad = true;
            return at;
        }
        at += r.length;
        f->now.records++;
        f->now.end += r.length;
        if (!met(f)) {
            f->broken = true;
            return at;
        }
    }
}

static enum audit_err advance(struct audit_sealer *s, struct follow *f)
{
    for (bool again = false; !f->broken;) {
        bool bad;
        ssize_t n = read_at(f->fd, s->bytes, READ_BYTES, f->now.end);
        if (n < 0) {
            return AUDIT_EIO;
        }
        size_t used = follow_bytes(s, f, (size_t)n, &bad);
        /* A read beside a live writer may see a length before the bytes it stands for, once. */
        f->broken = f->broken || (bad && again);
        if (!bad && used == 0) {
            break;
        }
        again = bad;
    }
    f->broken = f->broken || (f->owed.seq == f->now.seq && f->now.records < f->owed.records);
    return AUDIT_OK;
}

/* The ledger ---------------------------------------------------------------------------------- */

static void put_seal_in_segment(const struct follow *f, struct slice line)
{
    uint8_t n[4];
    put32(n, (uint32_t)line.n);
    if (f->fd < 0 || line.n > SEG_SEAL_MAX) {
        return;
    }
    /* The copy lets one file prove itself; the ledger is what counts, so a failure here is no
     * error. */
    if (pwrite(f->fd, line.p, line.n, SEG_SEAL_AT + 4) == (ssize_t)line.n &&
        pwrite(f->fd, n, sizeof n, SEG_SEAL_AT) == (ssize_t)sizeof n) {
        (void)!fdatasync(f->fd);
    }
}

static enum audit_err append_seal(struct audit_sealer *s, const struct follow *f, uint64_t now_ms)
{
    struct seal seal = {.mark = f->now, .sealed_ms = now_ms, .broken = f->broken};
    memcpy(seal.node, s->node, sizeof seal.node);
    memcpy(seal.previous, s->last_seal, SEG_CHAIN_LEN);
    buf_clear(&s->text);
    seal_write(&s->text, &seal, s->key);
    size_t n = s->text.n;
    buf_addc(&s->text, '\n');
    if (s->text.failed) {
        return AUDIT_EIO;
    }
    ssize_t done = pwrite(s->ledger, s->text.p, s->text.n, s->ledger_bytes);
    if (done != (ssize_t)s->text.n || fdatasync(s->ledger) != 0) {
        bool full = done >= 0 || errno == ENOSPC || errno == EFBIG || errno == EDQUOT;
        (void)!ftruncate(s->ledger, s->ledger_bytes);
        return full ? AUDIT_EFULL : AUDIT_EIO;
    }
    s->ledger_bytes += done;
    s->seals++;
    crypto_hash(CRYPTO_SM3, s->text.p, n, s->last_seal);
    put_seal_in_segment(f, slice_of(s->text.p, n));
    return AUDIT_OK;
}

/* What the writer said of its segment when it closed it. */
static bool agrees(const struct follow *f, const struct seg_head *h)
{
    return h->records == f->now.records && h->end == f->now.end &&
           memcmp(h->last, f->now.chain, SEG_CHAIN_LEN) == 0;
}

static enum audit_err seal_current(struct audit_sealer *s, struct follow *f, uint64_t now_ms)
{
    enum audit_err err = append_seal(s, f, now_ms);
    if (err != AUDIT_OK) {
        return err;
    }
    if (f->fd >= 0) {
        close(f->fd);
        f->fd = -1;
    }
    if (!f->broken) {
        f->head = f->now;
    }
    memcpy(f->last, f->now.chain, SEG_CHAIN_LEN);
    f->now.seq++;
    f->adopt = f->broken;
    f->broken = false;
    s->heads_stale = true;
    return AUDIT_OK;
}

/* True: finished, though its header may not say so (a writer killed while rotating, or no file). */
static bool finished(const struct audit_sealer *s, const struct follow *f, struct seg_head *h)
{
    uint8_t head[SEG_HEAD_BYTES];
    if (f->fd < 0) {
        *h = (struct seg_head){0};
        return true;
    }
    if (read_at(f->fd, head, sizeof head, 0) != sizeof head ||
        !seg_head_read(h, head, sizeof head)) {
        char after[SEG_NAME_MAX];
        seg_name(after, f->now.stream, f->now.seq + 1);
        *h = (struct seg_head){0};
        return exists(s, after);
    }
    return h->state == SEG_CLOSED;
}

static enum audit_err follow_stream(struct audit_sealer *s, struct follow *f, uint64_t now_ms)
{
    for (unsigned i = 0; i < SEALS_TICK; i++) {
        struct seg_head h;
        if (f->fd < 0 && !open_segment(s, f)) {
            return AUDIT_OK;
        }
        uint64_t before = f->now.end;
        bool done =
            finished(s, f, &h); /* before reading on: a closed segment has no later records */
        enum audit_err err = f->broken ? AUDIT_OK : advance(s, f);
        if (err != AUDIT_OK) {
            return err;
        }
        if (f->now.end != before && fdatasync(f->fd) != 0) {
            return AUDIT_EIO;
        }
        if (!done) {
            s->heads_stale = s->heads_stale || f->now.end != before || f->head.seq != f->now.seq;
            f->head = f->broken ? f->head : f->now;
            return AUDIT_OK;
        }
        f->broken = f->broken || !agrees(f, &h);
        err = seal_current(s, f, now_ms);
        if (err != AUDIT_OK) {
            return err;
        }
    }
    return AUDIT_OK;
}

/* Heads --------------------------------------------------------------------------------------- */

static bool write_file(const struct audit_sealer *s, const char *name, const char *tmp,
                       struct slice text)
{
    int fd = openat(s->dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0) {
        return false;
    }
    bool ok = write(fd, text.p, text.n) == (ssize_t)text.n && fdatasync(fd) == 0;
    close(fd);
    return ok && renameat(s->dir, tmp, s->dir, name) == 0;
}

static enum audit_err write_heads(struct audit_sealer *s, uint64_t now_ms)
{
    s->heads.at_ms = now_ms;
    s->heads.seals = s->seals;
    memcpy(s->heads.last_seal, s->last_seal, SEG_CHAIN_LEN);
    s->heads.n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->streams[i].head.seq > 0) {
            s->heads.marks[s->heads.n++] = s->streams[i].head;
        }
    }
    buf_clear(&s->text);
    heads_write(&s->text, &s->heads, s->key);
    buf_addc(&s->text, '\n');
    if (s->text.failed || !write_file(s, HEADS_FILE, HEADS_FILE ".tmp", buf_slice(&s->text))) {
        return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? AUDIT_EFULL : AUDIT_EIO;
    }
    s->heads_stale = false;
    return AUDIT_OK;
}

/* Whole before it gets its name, so that a writer can trust the room of a file it finds. */
static enum audit_err prepare_next(const struct audit_sealer *s, const struct follow *f)
{
    char next[SEG_NAME_MAX], tmp[SEG_NAME_MAX];
    snprintf(next, sizeof next, "s%03" PRIu32 ".next", f->now.stream);
    snprintf(tmp, sizeof tmp, "s%03" PRIu32 ".next.tmp", f->now.stream);
    if (f->fd < 0 || exists(s, next)) {
        return AUDIT_OK;
    }
    int fd = openat(s->dir, tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0) {
        return errno == ENOSPC || errno == EDQUOT ? AUDIT_EFULL : AUDIT_EIO;
    }
    int error = posix_fallocate(fd, 0, (off_t)s->segment_bytes);
    struct stat st;
    if (error == 0 && fstat(f->fd, &st) == 0 &&
        (st.st_uid != geteuid() || st.st_gid != getegid())) {
        error =
            fchown(fd, st.st_uid, st.st_gid) == 0 ? 0 : errno; /* workers may run as another user */
    }
    close(fd);
    /* Never over one that a writer has just made: it writes into that file, and would give its name
     * to ours, which is empty. */
    if (error == 0 && renameat2(s->dir, tmp, s->dir, next, RENAME_NOREPLACE) == 0) {
        return AUDIT_OK;
    }
    if (error == 0 && errno != EEXIST) {
        error = errno;
    }
    unlinkat(s->dir, tmp, 0);
    if (error == 0) {
        return AUDIT_OK;
    }
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? AUDIT_EFULL : AUDIT_EIO;
}

/* Opening ------------------------------------------------------------------------------------- */

static void discover(struct audit_sealer *s, size_t at_least)
{
    for (; s->n < SEG_STREAMS_MAX; s->n++) {
        char name[SEG_NAME_MAX];
        snprintf(name, sizeof name, "s%03zu.lock", s->n);
        if (s->n >= at_least && !exists(s, name)) {
            return;
        }
        s->streams[s->n] = (struct follow){.fd = -1, .now = {.stream = (uint32_t)s->n, .seq = 1}};
    }
}

static void take_line(struct audit_sealer *s, struct slice line)
{
    struct seal seal;
    crypto_hash(CRYPTO_SM3, line.p, line.n, s->last_seal);
    s->seals++;
    if (!seal_read(&seal, line)) {
        return; /* the verifier names it */
    }
    discover(s, (size_t)seal.mark.stream + 1);
    struct follow *f = &s->streams[seal.mark.stream];
    memcpy(f->last, seal.mark.chain, SEG_CHAIN_LEN);
    f->head = seal.mark;
    f->now.seq = seal.mark.seq + 1;
    f->adopt = seal.broken;
}

/* Reads the ledger and cuts a half-written last line, which no head ever counted. *agree: it holds
 * what h says of it. */
static bool load_ledger(struct audit_sealer *s, const struct heads *h, bool *agree)
{
    s->ledger = openat(s->dir, LEDGER_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    FILE *f = s->ledger < 0 ? NULL : fdopen(dup(s->ledger), "r");
    if (f == NULL) {
        return false;
    }
    char *line = NULL;
    size_t cap = 0;
    *agree = h->seals == 0;
    for (ssize_t n; (n = getline(&line, &cap, f)) > 0 && line[n - 1] == '\n';) {
        take_line(s, slice_of(line, (size_t)n - 1));
        s->ledger_bytes += n;
        *agree = *agree ||
                 (s->seals == h->seals && memcmp(s->last_seal, h->last_seal, SEG_CHAIN_LEN) == 0);
    }
    bool ok = !ferror(f) && ftruncate(s->ledger, s->ledger_bytes) == 0;
    free(line);
    fclose(f);
    return ok;
}

/* Reads the last signed heads into s->heads. False: there are none, or they are not ours. */
static bool load_heads(struct audit_sealer *s)
{
    int fd = openat(s->dir, HEADS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0) {
        return false;
    }
    bool ok = fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= LINE_MAX_LEN;
    buf_clear(&s->text);
    ok = ok && buf_reserve(&s->text, (size_t)st.st_size) &&
         read_at(fd, s->text.p, (size_t)st.st_size, 0) == st.st_size &&
         s->text.p[st.st_size - 1] == '\n';
    close(fd);
    struct slice line = slice_of(s->text.p, ok ? (size_t)st.st_size - 1 : 0);
    return ok && line_signed_by(line, s->key) && heads_read(&s->heads, line);
}

/* What was signed before binds us: returns false when it cannot be squared with the ledger. */
static bool take_heads(struct audit_sealer *s)
{
    bool ok = true;
    for (size_t i = 0; i < s->heads.n; i++) {
        const struct mark *m = &s->heads.marks[i];
        discover(s, (size_t)m->stream + 1);
        struct follow *f = &s->streams[m->stream];
        ok = ok && m->seq <= f->now.seq;
        if (m->seq >= f->now.seq) {
            f->owed = f->head = *m;
        }
    }
    return ok;
}

static bool begin(struct audit_sealer *s)
{
    bool had = exists(s, HEADS_FILE), agree;
    bool good = load_heads(s);
    if (!good) {
        s->heads = (struct heads){0};
    }
    if (!load_ledger(s, &s->heads, &agree)) {
        return false;
    }
    good = take_heads(s) && good && agree;
    if (had && !good) {
        char bad[64];
        snprintf(bad, sizeof bad, HEADS_BAD "%" PRIu64, s->heads.at_ms);
        (void)!renameat(s->dir, HEADS_FILE, s->dir, bad);
    }
    s->heads_stale = true;
    return true;
}

static void fini(struct audit_sealer *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->streams[i].fd >= 0) {
            close(s->streams[i].fd);
        }
    }
    const int fds[] = {s->ledger, s->lock, s->dir};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    crypto_hasher_fini(&s->hasher);
    buf_fini(&s->text);
    free(s->bytes);
    free(s);
}

enum audit_err audit_sealer_open(struct audit_sealer **out, const struct audit_config *cfg,
                                 const struct crypto_sm2 *key)
{
    if (strlen(cfg->node) > SEG_NODE_MAX) {
        return AUDIT_EFORMAT;
    }
    struct audit_sealer *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return AUDIT_EIO;
    }
    s->dir = s->lock = s->ledger = -1;
    s->segment_bytes = cfg->segment_bytes == 0 ? AUDIT_SEGMENT_BYTES : cfg->segment_bytes;
    s->key = key;
    memcpy(s->node, cfg->node, strlen(cfg->node));
    crypto_hasher_init(&s->hasher, CRYPTO_SM3);
    buf_init(&s->text);
    s->bytes = malloc(READ_BYTES);
    bool ok = s->bytes != NULL && (mkdir(cfg->dir, DIR_MODE) == 0 || errno == EEXIST);
    s->dir = ok ? open(cfg->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    ok = ok && s->dir >= 0;
    s->lock =
        ok ? openat(s->dir, "sealer.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE)
           : -1;
    ok = ok && s->lock >= 0 && flock(s->lock, LOCK_EX | LOCK_NB) == 0 && begin(s);
    if (!ok) {
        fini(s);
        return AUDIT_EIO;
    }
    *out = s;
    return AUDIT_OK;
}

/* One stream's trouble must not keep the others from being sealed: goes on, returns the first
 * error. */
enum audit_err audit_sealer_tick(struct audit_sealer *s, uint64_t now_ms)
{
    enum audit_err first = AUDIT_OK;
    discover(s, 0);
    for (size_t i = 0; i < s->n; i++) {
        enum audit_err err = follow_stream(s, &s->streams[i], now_ms);
        first = first == AUDIT_OK ? err : first;
    }
    if (s->heads_stale) {
        enum audit_err err = write_heads(s, now_ms);
        first = first == AUDIT_OK ? err : first;
    }
    for (size_t i = 0; i < s->n; i++) {
        enum audit_err err = prepare_next(s, &s->streams[i]);
        first = first == AUDIT_OK ? err : first;
    }
    return first;
}

void audit_sealer_close(struct audit_sealer **s)
{
    if (*s != NULL) {
        fini(*s);
        *s = NULL;
    }
}
