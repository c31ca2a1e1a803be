/* SPDX-License-Identifier: Apache-2.0 */
/* The whole directory. Order matters beside a live writer and sealer: signed heads first, then the
 * ledger, then the list of files; each later one can only know more than the earlier. */
#include "audit/audit_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"

#define UNSIGNED_AFTER_US                                                                          \
    60000000 /* the sealer signs each second; a minute without is no delay                         \
              */

struct seg_id {
    uint32_t stream;
    uint64_t seq;
};

void walk_find(struct walk *w, const char *segment, uint64_t index, const char *fmt, ...)
{
    struct audit_finding f = {.index = index};
    w->broken = true;
    if (w->findings++ > FINDINGS_MAX || w->report == NULL) {
        return;
    }
    snprintf(f.segment, sizeof f.segment, "%s", segment);
    if (w->findings > FINDINGS_MAX) {
        snprintf(f.text, sizeof f.text, "more defects than %d; the rest are not listed",
                 FINDINGS_MAX);
    } else {
        va_list args;
        va_start(args, fmt);
        vsnprintf(f.text, sizeof f.text, fmt, args);
        va_end(args);
    }
    w->report(w->ctx, &f);
}

/* Signed texts -------------------------------------------------------------------------------- */

static void load_heads(struct walk *w)
{
    uint8_t *p;
    size_t n;
    if (!walk_read(w, HEADS_FILE, &p, &n)) {
        return;
    }
    struct slice line = slice_of((const char *)p, n > 0 && p[n - 1] == '\n' ? n - 1 : 0);
    if (line.n == 0 || !heads_read(&w->heads, line)) {
        walk_find(w, HEADS_FILE, 0, "the signed heads cannot be read");
    } else if (w->key != NULL && !line_signed_by(line, w->key)) {
        walk_find(w, HEADS_FILE, 0, "the signature of the heads is forged");
    } else {
        w->have_heads = true;
    }
    free(p);
}

static int by_segment(const void *a, const void *b)
{
    const struct seal *x = a, *y = b;
    if (x->mark.stream != y->mark.stream) {
        return x->mark.stream < y->mark.stream ? -1 : 1;
    }
    return x->mark.seq < y->mark.seq ? -1 : x->mark.seq > y->mark.seq;
}

const struct seal *walk_seal_of(const struct walk *w, uint32_t stream, uint64_t seq)
{
    struct seal key = {.mark = {.stream = stream, .seq = seq}};
    return w->n_seals == 0 ? NULL : bsearch(&key, w->seals, w->n_seals, sizeof key, by_segment);
}

const struct mark *walk_head_of(const struct walk *w, uint32_t stream)
{
    for (size_t i = 0; w->have_heads && i < w->heads.n; i++) {
        if (w->heads.marks[i].stream == stream) {
            return &w->heads.marks[i];
        }
    }
    return NULL;
}

struct ledger_read {
    uint64_t lines;
    uint8_t last[SEG_CHAIN_LEN]; /* SM3 of the last line */
    size_t cap;
    bool met; /* the heads' line was seen */
};

static bool keep_seal(struct walk *w, struct ledger_read *l, const struct seal *seal)
{
    if (w->n_seals == l->cap) {
        size_t cap = l->cap == 0 ? 256 : l->cap * 2;
        struct seal *more = reallocarray(w->seals, cap, sizeof *more);
        if (more == NULL) {
            return false;
        }
        w->seals = more;
        l->cap = cap;
    }
    w->seals[w->n_seals++] = *seal;
    return true;
}

static bool take_line(struct walk *w, struct ledger_read *l, struct slice line)
{
    struct seal seal;
    bool readable = seal_read(&seal, line), kept = true;
    if (!readable) {
        walk_find(w, LEDGER_FILE, l->lines, "line %" PRIu64 " is no seal", l->lines + 1);
    } else if (memcmp(seal.previous, l->last, SEG_CHAIN_LEN) != 0) {
        walk_find(w, LEDGER_FILE, l->lines,
                  "line %" PRIu64
                  " does not follow the one before it: lines were changed, removed or moved",
                  l->lines + 1);
    }
    if (readable && w->key != NULL && !line_signed_by(line, w->key)) {
        walk_find(w, LEDGER_FILE, l->lines,
                  "the signature of line %" PRIu64 " is forged (stream %" PRIu32
                  ", segment %" PRIu64 ")",
                  l->lines + 1, seal.mark.stream, seal.mark.seq);
    } else if (readable) {
        kept = keep_seal(w, l, &seal);
    }
    crypto_hash(CRYPTO_SM3, line.p, line.n, l->last);
    l->lines++;
    l->met = l->met || (l->lines == w->heads.seals &&
                        memcmp(l->last, w->heads.last_seal, SEG_CHAIN_LEN) == 0);
    return kept;
}

static void check_ledger(struct walk *w, const struct ledger_read *l)
{
    if (w->have_heads && w->heads.seals > 0 && !l->met) {
        walk_find(w, LEDGER_FILE, l->lines,
                  "the signed heads count %" PRIu64 " seals; the ledger has %" PRIu64
                  " and not the same",
                  w->heads.seals, l->lines);
    }
    qsort(w->seals, w->n_seals, w->n_seals == 0 ? 1 : sizeof *w->seals, by_segment);
    for (size_t i = 1; i < w->n_seals; i++) {
        if (by_segment(&w->seals[i - 1], &w->seals[i]) == 0) {
            walk_find(w, LEDGER_FILE, i, "stream %" PRIu32 ", segment %" PRIu64 " is sealed twice",
                      w->seals[i].mark.stream, w->seals[i].mark.seq);
        }
    }
}

static bool load_ledger(struct walk *w)
{
    struct ledger_read l = {0};
    uint8_t *p;
    size_t n;
    bool ok = true;
    (void)!walk_read(w, LEDGER_FILE, &p,
                     &n); /* none: as good as an empty one, and the heads know */
    w->findings = 0;
    /* What follows the last newline is a line under way; the sealer repairs a torn one. */
    for (size_t at = 0; ok && at < n;) {
        uint8_t *end = memchr(p + at, '\n', n - at);
        if (end == NULL) {
            break;
        }
        ok = take_line(w, &l, slice_of((const char *)p + at, (size_t)(end - p) - at));
        at = (size_t)(end - p) + 1;
    }
    free(p);
    if (ok && w->n_seals > 0) {
        check_ledger(w, &l);
    } else if (ok && w->have_heads && w->heads.seals > 0) {
        walk_find(w, LEDGER_FILE, 0,
                  "the signed heads count %" PRIu64 " seals; the ledger has none", w->heads.seals);
    }
    return ok;
}

/* Files --------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct seg_id *x = a, *y = b;
    if (x->stream != y->stream) {
        return x->stream < y->stream ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static bool list_segments(struct walk *w, struct seg_id **ids, size_t *n)
{
    size_t cap = 0;
    struct seg_id id;
    int fd = openat(w->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    bool ok = dir != NULL;
    w->findings = 0;
    for (struct dirent *e; ok && (e = readdir(dir)) != NULL;) {
        if (strncmp(e->d_name, HEADS_BAD, sizeof HEADS_BAD - 1) == 0) {
            walk_find(w, e->d_name, 0,
                      "the sealer once found signed heads that the log did not bear out, and kept "
                      "them here");
        }
        if (!seg_name_parse(e->d_name, &id.stream, &id.seq)) {
            continue;
        }
        if (*n == cap) {
            cap = cap == 0 ? 256 : cap * 2;
            struct seg_id *more = reallocarray(*ids, cap, sizeof *more);
            ok = more != NULL;
            *ids = ok ? more : *ids;
        }
        if (ok) {
            (*ids)[(*n)++] = id;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (*n > 0) {
        qsort(*ids, *n, sizeof **ids, by_id);
    }
    return ok;
}

/* Names the segments [from, to) of a stream, which are not there. */
static void report_missing(struct walk *w, uint32_t stream, uint64_t from, uint64_t to)
{
    char name[SEG_NAME_MAX];
    w->findings = 0;
    for (uint64_t seq = from; seq < to && w->findings <= FINDINGS_MAX; seq++) {
        const struct seal *seal = walk_seal_of(w, stream, seq);
        seg_name(name, stream, seq);
        if (seal != NULL) {
            walk_find(w, name, 0, "the segment is missing; its seal counts %" PRIu64 " records",
                      seal->mark.records);
        } else {
            walk_find(w, name, 0, "the segment is missing");
        }
    }
}

/* The last segment of a stream that anything signed speaks of. */
static uint64_t last_known(const struct walk *w, uint32_t stream)
{
    const struct mark *m = walk_head_of(w, stream);
    uint64_t last = m == NULL ? 0 : m->seq;
    for (size_t i = 0; i < w->n_seals; i++) {
        const struct mark *s = &w->seals[i].mark;
        last = s->stream == stream && s->seq > last ? s->seq : last;
    }
    return last;
}

/* Whether a writer holds the stream. A writer that opens in this very instant takes the next
 * number. */
static bool is_live(const struct walk *w, uint32_t stream)
{
    char name[SEG_NAME_MAX];
    snprintf(name, sizeof name, "s%03" PRIu32 ".lock", stream);
    int fd = openat(w->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    bool live = flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return live;
}

static bool walk_stream(struct walk *w, uint32_t stream, const struct seg_id *ids, size_t n)
{
    struct walk_stream st = {.stream = stream, .seq = 1};
    bool ok = true;
    for (size_t i = 0; i < n && ok && !w->stop; i++) {
        if (ids[i].seq > st.seq) {
            report_missing(w, stream, st.seq, ids[i].seq);
            st.adopt = true;
        }
        ok = walk_segment(w, &st, ids[i].seq);
        st.seq = ids[i].seq + 1;
    }
    uint64_t last = last_known(w, stream);
    if (ok && !w->stop && last >= st.seq) {
        report_missing(w, stream, st.seq, last + 1);
    }
    if (st.n_pending > 0 && !is_live(w, stream)) {
        walk_interrupted(w, &st);
    }
    free(st.pending);
    return ok;
}

static bool walk_streams(struct walk *w, const struct seg_id *ids, size_t n)
{
    size_t at = 0;
    for (uint32_t stream = 0; stream < SEG_STREAMS_MAX && !w->stop; stream++) {
        size_t end = at;
        while (end < n && ids[end].stream == stream) {
            end++;
        }
        if (!walk_stream(w, stream, ids + at, end - at)) {
            return false;
        }
        at = end;
    }
    return true;
}

static void check_signed_at_all(struct walk *w)
{
    bool expected =
        w->key != NULL && w->sum->records > 0 && w->first_us + UNSIGNED_AFTER_US < clock_wall_us();
    if (!w->stop && expected && !w->have_heads) {
        w->findings = 0;
        walk_find(w, HEADS_FILE, 0,
                  "there are no signed heads: removed, or the node's agent never ran");
    }
}

enum audit_err audit_walk(const char *dir, const struct crypto_sm2 *public_key,
                          bool (*visit)(void *ctx, const struct audit_record *rec,
                                        const json_t *plan),
                          void (*report)(void *ctx, const struct audit_finding *f), void *ctx,
                          struct audit_summary *sum)
{
    struct seg_id *ids = NULL;
    size_t n = 0;
    struct walk *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return AUDIT_EIO;
    }
    *w = (struct walk){.key = public_key, .visit = visit, .report = report, .ctx = ctx, .sum = sum};
    *sum = (struct audit_summary){0};
    crypto_hasher_init(&w->hasher, CRYPTO_SM3);
    w->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = w->dir >= 0;
    if (ok) {
        load_heads(w);
        ok = load_ledger(w) && list_segments(w, &ids, &n) && walk_streams(w, ids, n);
    }
    if (ok) {
        check_signed_at_all(w);
    }
    if (w->dir >= 0) {
        close(w->dir);
    }
    bool broken = w->broken;
    crypto_hasher_fini(&w->hasher);
    free(w->seals);
    free(ids);
    free(w);
    return !ok ? AUDIT_EIO : broken ? AUDIT_EBROKEN : AUDIT_OK;
}
