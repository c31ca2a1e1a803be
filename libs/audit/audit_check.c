/* SPDX-License-Identifier: Apache-2.0 */
/* One segment: every record in its place and unchanged, the ends where header, seal and head say.
 * The bytes are a copy read with read(2): a file cut under a mapping would kill the verifier. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_walk.h"

#define READ_STEP (1u << 20)

struct plan_at { /* decoded when first cited */
    struct seg_record record;
    json_t *json;
};

struct check { /* one segment under way */
    struct walk *w;
    struct walk_stream *st;
    const char *name;
    uint8_t *bytes;
    size_t n, at;
    int fd; /* -1: nothing to read again */
    bool again;
    struct seg_head head;
    uint8_t chain[SEG_CHAIN_LEN];
    uint64_t records, expected; /* by place; by number */
    const struct mark *signed_head;
    struct plan_at *plans;
    size_t n_plans, cap_plans;
};

/* Reading ------------------------------------------------------------------------------------- */

static bool read_all(int fd, uint8_t **out, size_t *n)
{
    uint8_t *p = NULL;
    size_t cap = 0, got = 0;
    for (;;) {
        if (got == cap) {
            uint8_t *more = cap >= SEG_FILE_MAX ? NULL : realloc(p, cap == 0 ? READ_STEP : cap * 2);
            if (more == NULL) {
                break;
            }
            p = more;
            cap = cap == 0 ? READ_STEP : cap * 2;
        }
        ssize_t r = pread(fd, p + got, cap - got, (off_t)got);
        if (r < 0 && errno != EINTR) {
            break;
        }
        if (r == 0) {
            *out = p;
            *n = got;
            return true;
        }
        got += r > 0 ? (size_t)r : 0;
    }
    free(p);
    return false;
}

static int open_file(const struct walk *w, const char *name)
{
    struct stat st;
    int fd = openat(w->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        return -1;
    }
    return fd;
}

bool walk_read(struct walk *w, const char *name, uint8_t **out, size_t *n)
{
    *out = NULL;
    *n = 0;
    int fd = open_file(w, name);
    if (fd < 0) {
        return false;
    }
    bool ok = read_all(fd, out, n);
    close(fd);
    return ok;
}

/* What records mean to a reader --------------------------------------------------------------- */

static void pending_add(struct walk_stream *st, const struct uuid *txn)
{
    if (st->n_pending == st->cap_pending) {
        size_t cap = st->cap_pending == 0 ? 64 : st->cap_pending * 2;
        struct uuid *more = reallocarray(st->pending, cap, sizeof *more);
        if (more == NULL) {
            return; /* a count in the summary is short, nothing else */
        }
        st->pending = more;
        st->cap_pending = cap;
    }
    st->pending[st->n_pending++] = *txn;
}

static void pending_remove(struct walk_stream *st, const struct uuid *txn)
{
    for (size_t i = st->n_pending; i-- > 0;) {
        if (uuid_eq(&st->pending[i], txn)) {
            st->pending[i] = st->pending[--st->n_pending];
            return;
        }
    }
}

void walk_interrupted(struct walk *w, struct walk_stream *st)
{
    w->sum->interrupted += st->n_pending;
    st->n_pending = 0;
}

static void keep_plan(struct check *c, const struct seg_record *r)
{
    if (c->w->visit == NULL || r->payload_n < 4) {
        return;
    }
    if (c->n_plans == c->cap_plans) {
        size_t cap = c->cap_plans == 0 ? 64 : c->cap_plans * 2;
        struct plan_at *more = reallocarray(c->plans, cap, sizeof *more);
        if (more == NULL) {
            return;
        }
        c->plans = more;
        c->cap_plans = cap;
    }
    c->plans[c->n_plans++] = (struct plan_at){.record = *r};
}

static const json_t *plan_of(struct check *c, uint32_t number)
{
    /* Numbers count from 1 in order, except where records are missing. */
    size_t i = number < c->n_plans ? number : c->n_plans;
    while (i > 0 && get32(c->plans[i - 1].record.payload) != number) {
        i--;
    }
    if (number == 0 || i == 0) {
        return NULL;
    }
    struct plan_at *plan = &c->plans[i - 1];
    if (plan->json == NULL) {
        uint32_t unused;
        plan->json = rec_decode_plan(&plan->record, &unused);
    }
    return plan->json;
}

static void take_call(struct check *c, const struct seg_record *r)
{
    uint64_t seen[POLICY_FIELD_WORDS];
    struct audit_record rec = {.segment = c->name, .index = r->index};
    if (!rec_decode_call(r, &rec.call, seen)) {
        walk_find(c->w, c->name, r->index, "the record is no call this version can read");
        return;
    }
    if (r->kind == AUDIT_OPEN) {
        pending_add(c->st, &rec.call.txn);
    } else {
        c->w->sum->calls++;
        pending_remove(c->st, &rec.call.txn);
    }
    if (c->w->visit != NULL && !c->w->visit(c->w->ctx, &rec, plan_of(c, rec.call.plan))) {
        c->w->stop = true;
    }
}

static void take_record(struct check *c, const struct seg_record *r)
{
    switch (r->kind) {
    case AUDIT_CALL:
    case AUDIT_OPEN:
        take_call(c, r);
        return;
    case AUDIT_PLAN:
        keep_plan(c, r);
        return;
    case AUDIT_START:
        walk_interrupted(c->w, c->st);
        return;
    default:
        walk_find(c->w, c->name, r->index, "the record is of unknown kind %u", r->kind);
    }
}

/* Records ------------------------------------------------------------------------------------- */

/* A read beside a live writer may see a length before the bytes it stands for: read that place
 * again, once. */
static bool read_again(struct check *c)
{
    if (c->fd < 0 || c->again || c->head.state == SEG_CLOSED) {
        return false;
    }
    c->again = true;
    size_t left = c->n - c->at;
    ssize_t r = pread(c->fd, c->bytes + c->at, left < READ_STEP ? left : READ_STEP, (off_t)c->at);
    return r > 0;
}

static void place_record(struct check *c, const struct seg_record *r, bool follows)
{
    if (r->index > c->expected && r->index - 1 == c->expected) {
        walk_find(c->w, c->name, c->expected,
                  "record %" PRIu64 " is not in its place: removed or moved", c->expected);
    } else if (r->index > c->expected) {
        walk_find(c->w, c->name, c->expected,
                  "records %" PRIu64 " to %" PRIu32 " are not in their place: removed or moved",
                  c->expected, r->index - 1);
    } else if (r->index < c->expected) {
        walk_find(c->w, c->name, r->index,
                  "record %" PRIu32 " stands behind record %" PRIu64 ": inserted, doubled or moved",
                  r->index, c->expected - 1);
    } else if (!follows) {
        walk_find(c->w, c->name, r->index,
                  "record %" PRIu32
                  " does not match its chain value: it was changed, or one was put before it",
                  r->index);
    }
    c->expected = r->index >= c->expected ? (uint64_t)r->index + 1 : c->expected;
}

static void check_head_at(struct check *c)
{
    const struct mark *m = c->signed_head;
    if (m != NULL && m->records == c->records && memcmp(m->chain, c->chain, SEG_CHAIN_LEN) != 0) {
        walk_find(c->w, c->name, c->records == 0 ? 0 : c->records - 1,
                  "the records up to here are not the %" PRIu64 " the signed head covers",
                  m->records);
        c->signed_head = NULL;
    }
}

static void check_records(struct check *c)
{
    struct seg_record r;
    check_head_at(c);
    while (!c->w->stop) {
        enum seg_step step = seg_step(c->bytes + c->at, c->n - c->at, &r);
        if (step == SEG_END) {
            return;
        }
        bool follows = step == SEG_RECORD && seg_follows(&c->w->hasher, &r, c->chain);
        if ((!follows || r.index != c->expected) && read_again(c)) {
            continue;
        }
        if (step != SEG_RECORD) {
            walk_find(c->w, c->name, c->expected,
                      step == SEG_SHORT
                          ? "the file ends in the middle of record %" PRIu64
                          : "record %" PRIu64
                            " has a length that cannot be; nothing behind it is readable",
                      c->expected);
            return;
        }
        place_record(c, &r, follows);
        memcpy(c->chain, r.chain, SEG_CHAIN_LEN); /* after a defect: go on from what is stored */
        c->at += r.length;
        c->records++;
        c->w->sum->records++;
        check_head_at(c);
        take_record(c, &r);
    }
}

/* Ends ---------------------------------------------------------------------------------------- */

static void check_end(struct check *c)
{
    const struct seg_head *h = &c->head;
    size_t from = c->at;
    if (h->state == SEG_CLOSED && (h->records != c->records || h->end != c->at ||
                                   memcmp(h->last, c->chain, SEG_CHAIN_LEN) != 0)) {
        walk_find(c->w, c->name, c->records,
                  "the segment was closed with %" PRIu32 " records but holds %" PRIu64, h->records,
                  c->records);
    }
    if (h->state == SEG_OPEN) {
        from = c->n - c->at < REC_MAX ? c->n : c->at + REC_MAX; /* a record under way, or torn */
    }
    while (from < c->n && c->bytes[from] == 0) {
        from++;
    }
    if (from < c->n) {
        walk_find(c->w, c->name, c->records,
                  "there are bytes behind the last record that no record owns");
    }
}

static bool mark_eq(const struct mark *a, const struct mark *b)
{
    return a->stream == b->stream && a->seq == b->seq && a->records == b->records &&
           a->end == b->end && memcmp(a->chain, b->chain, SEG_CHAIN_LEN) == 0;
}

static void check_seal_copy(struct check *c, const struct seal *ledger)
{
    struct seal seal;
    uint32_t n = get32(c->bytes + SEG_SEAL_AT);
    if (n == 0 || c->w->key == NULL) {
        return;
    }
    struct slice line =
        slice_of((const char *)c->bytes + SEG_SEAL_AT + 4, n <= SEG_SEAL_MAX ? n : 0);
    if (line.n == 0 || !line_signed_by(line, c->w->key) || !seal_read(&seal, line)) {
        walk_find(c->w, c->name, c->records, "the seal in the segment is forged or damaged");
        return;
    }
    if (ledger != NULL ? !mark_eq(&seal.mark, &ledger->mark)
                       : seal.mark.records != c->records ||
                             memcmp(seal.mark.chain, c->chain, SEG_CHAIN_LEN) != 0) {
        walk_find(c->w, c->name, c->records, "the seal in the segment belongs to other records");
    }
}

static void check_seal(struct check *c)
{
    const struct seal *seal = walk_seal_of(c->w, c->st->stream, c->head.seq);
    check_seal_copy(c, seal);
    if (seal == NULL) {
        const struct mark *m = walk_head_of(c->w, c->st->stream);
        if (m != NULL && c->head.seq < m->seq) {
            walk_find(c->w, c->name, c->records,
                      "the segment has no seal though a later one of its stream is signed");
        }
        return;
    }
    c->w->sum->sealed++;
    const struct mark *m = &seal->mark;
    if (seal->broken) {
        walk_find(c->w, c->name, m->records,
                  "the sealer found the segment broken behind record %" PRIu64, m->records);
    } else if (m->records != c->records || m->end != c->at ||
               memcmp(m->chain, c->chain, SEG_CHAIN_LEN) != 0) {
        walk_find(c->w, c->name, m->records < c->records ? m->records : c->records,
                  "the seal covers %" PRIu64 " records that end otherwise than the %" PRIu64
                  " here",
                  m->records, c->records);
    }
}

static void check_head_end(struct check *c)
{
    const struct mark *m = c->signed_head;
    if (m != NULL && m->records > c->records) {
        walk_find(c->w, c->name, c->records,
                  "the tail is cut: the signed head covers %" PRIu64 " records, %" PRIu64
                  " are here",
                  m->records, c->records);
    }
}

static void check_start(struct check *c, uint64_t seq)
{
    const struct seg_head *h = &c->head;
    if (h->stream != c->st->stream || h->seq != seq) {
        walk_find(c->w, c->name, 0,
                  "the header says stream %" PRIu32 ", segment %" PRIu64 ": the file was renamed",
                  h->stream, h->seq);
    }
    if (!c->st->adopt && memcmp(h->previous, c->st->chain, SEG_CHAIN_LEN) != 0) {
        walk_find(c->w, c->name, 0, "the segment does not follow the one before it");
    }
}

void walk_bytes(struct walk *w, struct walk_stream *st, const char *name, uint64_t seq,
                uint8_t *bytes, size_t n, int fd)
{
    struct check c = {
        .w = w, .st = st, .name = name, .bytes = bytes, .n = n, .at = SEG_HEAD_BYTES, .fd = fd};
    const struct mark *m = walk_head_of(w, st->stream);
    c.signed_head = m != NULL && m->seq == seq ? m : NULL;
    w->sum->segments++;
    w->findings = 0;
    if (!seg_head_read(&c.head, bytes, n)) {
        walk_find(w, name, 0, "the segment's header cannot be read");
        st->adopt = true;
        return;
    }
    check_start(&c, seq);
    seg_head_chain(&w->hasher, bytes, c.chain);
    check_records(&c);
    if (!w->stop) {
        check_end(&c);
        check_seal(&c);
        check_head_end(&c);
    }
    w->first_us =
        w->first_us == 0 || c.head.created_us < w->first_us ? c.head.created_us : w->first_us;
    memcpy(st->chain, c.chain, SEG_CHAIN_LEN);
    st->adopt = false;
    st->closed = c.head.state == SEG_CLOSED;
    for (size_t i = 0; i < c.n_plans; i++) {
        json_decref(c.plans[i].json);
    }
    free(c.plans);
}

bool walk_segment(struct walk *w, struct walk_stream *st, uint64_t seq)
{
    char name[SEG_NAME_MAX];
    uint8_t *bytes = NULL;
    size_t n = 0;
    seg_name(name, st->stream, seq);
    int fd = open_file(w, name);
    if (fd < 0) {
        w->findings = 0;
        walk_find(w, name, 0, "the segment cannot be opened");
        st->adopt = true;
        return true;
    }
    bool ok = read_all(fd, &bytes, &n);
    if (ok) {
        walk_bytes(w, st, name, seq, bytes, n, fd);
    }
    free(bytes);
    close(fd);
    return ok;
}
