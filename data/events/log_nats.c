/* SPDX-License-Identifier: Apache-2.0 */
/* A log as a stream of JetStream: a message is a block, so what was published together is stored as
 * a whole or not at all, and the numbers of events lie in the blocks as they do on disk. Each is
 * published on the condition that nothing has come since the one before it, so that a message that
 * was given up for lost and comes late after all cannot come twice; whoever is refused by that
 * reads first what came. Publishers that come together are one message. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/events/nats_inner.h"

#define TAIL_BLOCKS 1024
#define TRIES       3
#define TRIM_MS     2000

struct tail_block {
    uint64_t message, first, last;
    char *p;
    size_t n;
};

struct waiting {
    struct event *events;
    size_t n, duplicates;
    enum log_err err;
    bool done;
    struct waiting *next;
};

struct nats_log {
    struct topic_log base;
    struct log_nats *nats;
    struct nats_log *next;
    struct block_key key;
    char stream[48], subject[56];
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t turn;
    struct waiting *queue;
    bool busy;                   /* somebody writes, or finds out what there is */
    bool ready;                  /* last, first and seen are what the stream holds */
    bool known;                  /* they once were: readers have what they need */
    uint64_t first, last;        /* events */
    uint64_t message0, message1; /* the first and last message */
    uint64_t bytes, trim_at_ms, trim_bytes, trimmed_ms;
    struct tail_block tail[TAIL_BLOCKS]; /* a ring */
    size_t tail_at, tail_n, tail_bytes;
    /* of whoever is busy */
    struct seen seen;
    struct buf plain, block;
};

static struct nats_log *of(struct topic_log *log)
{
    return (struct nats_log *)(void *)log;
}

struct nats_log *nats_log_next(struct nats_log *log)
{
    return log->next;
}

/* The newest blocks -------------------------------------------------------------------------------
 * Sealed as they are. Under the lock. */
static void tail_drop(struct nats_log *log)
{
    struct tail_block *b = &log->tail[(log->tail_at + TAIL_BLOCKS - log->tail_n) % TAIL_BLOCKS];
    log->tail_bytes -= b->n;
    log->nats->tail_bytes -= b->n;
    log->tail_n--;
    free(b->p);
    b->p = NULL;
}

static void tail_keep(struct nats_log *log, uint64_t message, uint64_t first, uint64_t last,
                      struct slice block)
{
    while (log->tail_n &&
           (log->tail_n == TAIL_BLOCKS || log->tail_bytes + block.n > NATS_TAIL_BYTES))
        tail_drop(log);
    char *p = log->nats->tail_bytes + block.n <= NATS_TAIL_BYTES_ALL ? malloc(block.n) : NULL;
    if (!p) { /* the tail has no gaps */
        while (log->tail_n)
            tail_drop(log);
        return;
    }
    memcpy(p, block.p, block.n);
    log->tail[log->tail_at] = (struct tail_block){message, first, last, p, block.n};
    log->tail_at = (log->tail_at + 1) % TAIL_BLOCKS;
    log->tail_n++;
    log->tail_bytes += block.n;
    log->nats->tail_bytes += block.n;
}

static const struct tail_block *tail_find(const struct nats_log *log, uint64_t seq)
{
    size_t lo = 0, hi = log->tail_n, start = log->tail_at + TAIL_BLOCKS - log->tail_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct tail_block *b = &log->tail[(start + mid) % TAIL_BLOCKS];
        if (b->last < seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct tail_block *b = lo < log->tail_n ? &log->tail[(start + lo) % TAIL_BLOCKS] : NULL;
    return b && b->first <= seq ? b : NULL;
}

/* The stream ------------------------------------------------------------------------------------
 */
static enum log_err make_stream(struct nats_log *log, jsCtx *js, jsStreamInfo **info)
{
    jsStreamConfig cfg;
    jsErrCode code = 0;
    const char *subjects[] = {log->subject};
    natsStatus s = js_GetStreamInfo(info, js, log->stream, NULL, &code);
    if (s == NATS_OK)
        return LOG_OK;
    if (s != NATS_NOT_FOUND && code != JSStreamNotFoundErr)
        return LOG_EAWAY;
    jsStreamConfig_Init(&cfg);
    cfg.Name = log->stream;
    cfg.Subjects = subjects;
    cfg.SubjectsLen = 1;
    cfg.Storage = js_FileStorage;
    cfg.Replicas = log->nats->replicas;
    cfg.AllowDirect = true;
    cfg.DenyDelete = true;
    s = js_AddStream(info, js, &cfg, NULL, &code);
    if (s != NATS_OK)
        fprintf(stderr, "data: events: NATS makes no stream %s: %s (%d)\n", log->stream,
                natsStatus_GetText(s), (int)code);
    return s == NATS_OK ? LOG_OK : LOG_EAWAY;
}

struct found {
    uint64_t first, last, message0, message1, bytes;
};

static enum log_err ask_stream(struct nats_log *log, struct found *f)
{
    jsStreamInfo *info = NULL;
    jsCtx *js = nats_begin(log->nats);
    if (!js)
        return LOG_EAWAY;
    enum log_err err = make_stream(log, js, &info);
    if (!err)
        *f = (struct found){.message0 = info->State.FirstSeq,
                            .message1 = info->State.LastSeq,
                            .bytes = info->State.Bytes};
    jsStreamInfo_Destroy(info);
    nats_end(log->nats, !err);
    return err;
}

/* Messages --------------------------------------------------------------------------------------
 */
static bool no_answer(natsStatus s)
{
    return s == NATS_TIMEOUT || s == NATS_CONNECTION_DISCONNECTED || s == NATS_CONNECTION_CLOSED ||
           s == NATS_IO_ERROR || s == NATS_STALE_CONNECTION;
}

static bool take_block(const char *p, int n, struct buf *raw, struct block_head *head)
{
    buf_clear(raw);
    if (n <= 0)
        return false;
    buf_add(raw, p, (size_t)n);
    return !raw->failed && block_parse_head(buf_slice(raw), head);
}

/* A message that is not found has been dropped; or who was asked has not got it yet, then it is not
 * to be passed over. */
static enum log_read missing(struct nats_log *log, uint64_t message)
{
    struct found f;
    if (ask_stream(log, &f) || message >= f.message0)
        return LOG_AWAY;
    pthread_mutex_lock(&log->lock);
    log->message0 = f.message0 > log->message0 ? f.message0 : log->message0;
    pthread_mutex_unlock(&log->lock);
    return LOG_NONE;
}

/* LOG_DAMAGED: what is there is no block. LOG_NONE: it was dropped. */
static enum log_read get(struct nats_log *log, uint64_t message, struct buf *raw,
                         struct block_head *head)
{
    natsMsg *msg = NULL;
    jsDirectGetMsgOptions which;
    jsCtx *js = nats_begin(log->nats);
    if (!js)
        return LOG_AWAY;
    jsDirectGetMsgOptions_Init(&which);
    which.Sequence = message;
    natsStatus s = js_DirectGetMsg(&msg, js, log->stream, NULL, &which);
    nats_end(log->nats, !no_answer(s));
    enum log_read read = LOG_AWAY;
    if (s == NATS_NOT_FOUND)
        read = missing(log, message);
    if (s == NATS_OK)
        read = take_block(natsMsg_GetData(msg), natsMsg_GetDataLength(msg), raw, head)
                   ? LOG_READ
                   : LOG_DAMAGED;
    natsMsg_Destroy(msg);
    return read;
}

/* The first message from `from` to `to` whose events end at `seq` or later, or that was written at
 * at_ms or later; to + 1: there is none. */
static enum log_read locate(struct nats_log *log, uint64_t from, uint64_t to, uint64_t seq,
                            uint64_t at_ms, struct buf *raw, uint64_t *message)
{
    struct block_head head;
    uint64_t lo = from ? from : 1, hi = to + 1;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        enum log_read read = get(log, mid, raw, &head);
        if (read == LOG_AWAY)
            return read;
        bool before =
            read != LOG_READ || (at_ms ? head.at_ms < at_ms : head.first + head.count - 1 < seq);
        lo = before ? mid + 1 : lo;
        hi = before ? hi : mid;
    }
    *message = lo;
    return LOG_READ;
}

/* What there was before us --------------------------------------------------------------------
 * By whoever is busy. */
/* Reads all from `message` on at once; the last number among them into f->last. */
static enum log_err read_all(struct nats_log *log, jsCtx *js, uint64_t message, struct found *f)
{
    natsSubscription *sub = NULL;
    jsSubOptions options;
    struct block_head head;
    jsSubOptions_Init(&options);
    options.Stream = log->stream;
    options.Ordered = true;
    options.Config.DeliverPolicy = js_DeliverByStartSequence;
    options.Config.OptStartSeq = message;
    natsStatus s = js_SubscribeSync(&sub, js, log->subject, NULL, &options, NULL);
    for (bool done = false; s == NATS_OK && !done;) {
        natsMsg *msg = NULL;
        jsMsgMetaData *meta = NULL;
        s = natsSubscription_NextMsg(&msg, sub, log->nats->timeout_ms);
        s = s == NATS_OK ? natsMsg_GetMetaData(&meta, msg) : s;
        if (s == NATS_OK &&
            take_block(natsMsg_GetData(msg), natsMsg_GetDataLength(msg), &log->block, &head) &&
            block_open(buf_slice(&log->block), &head, &log->key, &log->plain)) {
            uint64_t last = head.first + head.count - 1;
            seen_block(&log->seen, buf_slice(&log->plain));
            f->last = last > f->last ? last : f->last;
        }
        done = meta && meta->Sequence.Stream >= f->message1;
        jsMsgMetaData_Destroy(meta);
        natsMsg_Destroy(msg);
    }
    natsSubscription_Destroy(sub);
    return s == NATS_OK ? LOG_OK : LOG_EAWAY;
}

/* The duplicates' table is that of the last events, and so is the last number. */
static enum log_err learn(struct nats_log *log, struct found *f)
{
    struct block_head head = {0};
    uint64_t from = f->message0;
    enum log_read read = LOG_NONE;
    memset(&log->seen, 0, sizeof log->seen);
    for (uint64_t at = f->message1; at >= f->message0 && read != LOG_READ; at--)
        if ((read = get(log, at, &log->block, &head)) == LOG_AWAY)
            return LOG_EAWAY;
    if (read != LOG_READ)
        return LOG_OK;
    uint64_t last = head.first + head.count - 1;
    if (last > LOG_DUPLICATES && locate(log, f->message0, f->message1, last - LOG_DUPLICATES, 0,
                                        &log->block, &from) != LOG_READ)
        return LOG_EAWAY;
    jsCtx *js = nats_begin(log->nats);
    if (!js)
        return LOG_EAWAY;
    enum log_err err = read_all(log, js, from, f);
    nats_end(log->nats, !err);
    if (err)
        return err;
    f->first = f->last + 1;
    for (uint64_t at = f->message0; at <= f->message1 && f->first > f->last; at++) {
        read = get(log, at, &log->block, &head);
        if (read == LOG_AWAY)
            return LOG_EAWAY;
        f->first = read == LOG_READ ? head.first : f->first;
    }
    return LOG_OK;
}

static enum log_err prepare(struct nats_log *log)
{
    struct found f;
    enum log_err err = ask_stream(log, &f);
    if (err)
        return err;
    if (f.message1 >= f.message0 && f.message1 > 0)
        err = learn(log, &f);
    else
        memset(&log->seen, 0, sizeof log->seen);
    if (err)
        return err;
    pthread_mutex_lock(&log->lock);
    log->last = f.last > log->last ? f.last : log->last; /* it never goes back */
    log->first = f.first ? f.first : log->last + 1;
    log->message0 = f.message0;
    log->message1 = f.message1;
    log->bytes = f.bytes;
    log->ready = log->known = true;
    pthread_mutex_unlock(&log->lock);
    return LOG_OK;
}

/* Writing ---------------------------------------------------------------------------------------
 */
static size_t room_of(struct nats_log *log)
{
    size_t room = nats_room(log->nats);
    room = room < BLOCK_BYTES ? room : BLOCK_BYTES;
    return room > 2048 ? room - 1024 : 1024; /* header, seal, and NATS' own headers */
}

static size_t size_of(const struct waiting *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += 40 + w->events[i].key.n + w->events[i].owner.n + w->events[i].type.n +
             w->events[i].head.n + w->events[i].data.n;
    return n;
}

/* From the oldest of those that wait to the last that fits into the same message. */
static struct waiting *take(struct nats_log *log, struct waiting **last)
{
    size_t room = room_of(log), n = 0;
    pthread_mutex_lock(&log->lock);
    struct waiting *first = log->queue;
    for (struct waiting *w = first; w; w = w->next) {
        n += size_of(w);
        if (n > room && w != first)
            break;
        *last = w;
        w->err = n > room ? LOG_EMEMORY : LOG_OK;
    }
    pthread_mutex_unlock(&log->lock);
    return first;
}

/* Those of all that are new, numbered; what is remembered of them too early is forgotten by
 * prepare(), which a failure makes necessary. */
static size_t pack(struct nats_log *log, struct waiting *first, const struct waiting *last,
                   uint64_t now_ms)
{
    size_t kept = 0;
    buf_clear(&log->plain);
    for (struct waiting *w = first; w; w = w == last ? NULL : w->next) {
        w->duplicates = 0;
        for (size_t i = 0; i < w->n && !w->err; i++) {
            struct event *e = &w->events[i];
            bool twice = seen_known(&log->seen, e->identity);
            w->duplicates += twice;
            e->seq = twice ? 0 : log->last + 1 + kept++;
            e->at_ms = now_ms;
            if (twice)
                continue;
            seen_remember(&log->seen, e->identity);
            block_add(&log->plain, e);
        }
    }
    return kept;
}

static enum log_err refused(struct nats_log *log, natsStatus s, jsErrCode code)
{
    if (code == JSInsufficientResourcesErr || code == JSStorageResourcesExceededErr ||
        code == JSStreamStoreFailedErr)
        return LOG_EFULL;
    if (code == JSStreamWrongLastSequenceErr)
        return LOG_OK; /* tried again, when it is known what came */
    if (s == NATS_MAX_PAYLOAD)
        return LOG_EMEMORY;
    if (!no_answer(s))
        fprintf(stderr, "data: events: NATS stores nothing in %s: %s (%d)\n", log->stream,
                natsStatus_GetText(s), (int)code);
    return LOG_EAWAY;
}

static enum log_err publish(struct nats_log *log, size_t count, uint64_t now_ms, bool *stored)
{
    jsPubOptions options;
    jsPubAck *ack = NULL;
    jsErrCode code = 0;
    uint64_t first = log->last + 1;
    if (log->plain.failed || !block_seal(&log->key, first, now_ms, count, &log->plain, &log->block))
        return LOG_EMEMORY;
    jsCtx *js = nats_begin(log->nats);
    if (!js)
        return LOG_EAWAY;
    jsPubOptions_Init(&options);
    options.MaxWait = log->nats->timeout_ms;
    options.ExpectLastSeq = log->message1;
    options.ExpectNoMessage = log->message1 == 0;
    natsStatus s =
        js_Publish(&ack, js, log->subject, log->block.p, (int)log->block.n, &options, &code);
    nats_end(log->nats, !no_answer(s));
    if (s != NATS_OK)
        return refused(log, s, code);
    *stored = true;
    pthread_mutex_lock(&log->lock);
    log->message1 = ack->Sequence;
    log->message0 = log->message0 ? log->message0 : 1;
    log->last += count;
    log->bytes += log->block.n;
    tail_keep(log, ack->Sequence, first, log->last, buf_slice(&log->block));
    pthread_mutex_unlock(&log->lock);
    jsPubAck_Destroy(ack);
    return LOG_OK;
}

static bool is_ready(struct nats_log *log)
{
    pthread_mutex_lock(&log->lock);
    bool ready = log->ready;
    pthread_mutex_unlock(&log->lock);
    return ready;
}

static void unready(struct nats_log *log)
{
    pthread_mutex_lock(&log->lock);
    log->ready = false;
    pthread_mutex_unlock(&log->lock);
}

static enum log_err write_all(struct nats_log *log, struct waiting *first,
                              const struct waiting *last)
{
    enum log_err err = LOG_OK;
    bool stored = false;
    for (int i = 0; i < TRIES && !stored; i++) {
        uint64_t now_ms = clock_wall_ms();
        err = is_ready(log) ? LOG_OK : prepare(log);
        if (err)
            return err;
        size_t count = pack(log, first, last, now_ms);
        if (count == 0)
            return LOG_OK;
        err = publish(log, count, now_ms, &stored);
        if (!stored)
            unready(log);
        if (err)
            return err;
    }
    return stored ? LOG_OK : LOG_EAWAY;
}

/* One message. By whoever is busy, without the lock. */
static void write_some(struct nats_log *log)
{
    struct waiting *last = NULL, *first = take(log, &last), *w = NULL;
    enum log_err err = first->err ? LOG_OK : write_all(log, first, last);
    pthread_mutex_lock(&log->lock);
    while (w != last) {
        w = log->queue;
        log->queue = w->next;
        w->err = w->err ? w->err : err;
        w->done = true;
    }
    pthread_mutex_unlock(&log->lock);
}

static enum log_err nats_append(struct topic_log *base, struct event *events, size_t n,
                                size_t *duplicates)
{
    struct nats_log *log = of(base);
    struct waiting me = {.events = events, .n = n}, **at = &log->queue;
    pthread_mutex_lock(&log->lock);
    while (*at)
        at = &(*at)->next;
    *at = &me;
    while (!me.done) {
        if (log->busy) {
            pthread_cond_wait(&log->turn, &log->lock);
            continue;
        }
        log->busy = true;
        pthread_mutex_unlock(&log->lock);
        write_some(log);
        pthread_mutex_lock(&log->lock);
        log->busy = false;
        pthread_cond_broadcast(&log->turn);
    }
    pthread_mutex_unlock(&log->lock);
    *duplicates = me.duplicates;
    return me.err;
}

/* Asking ----------------------------------------------------------------------------------------
 */
static uint64_t value(struct nats_log *log, const uint64_t *of_it)
{
    pthread_mutex_lock(&log->lock);
    uint64_t v = *of_it;
    pthread_mutex_unlock(&log->lock);
    return v;
}

static uint64_t nats_last(struct topic_log *log)
{
    return value(of(log), &of(log)->last);
}

static uint64_t nats_first(struct topic_log *log)
{
    return value(of(log), &of(log)->first);
}

static uint64_t nats_bytes(struct topic_log *log)
{
    return value(of(log), &of(log)->bytes);
}

static size_t nats_log_room(struct topic_log *log)
{
    return room_of(of(log));
}

static bool nats_ready(struct topic_log *base)
{
    struct nats_log *log = of(base);
    pthread_mutex_lock(&log->lock);
    bool known = log->known;
    pthread_mutex_unlock(&log->lock);
    return known;
}

static uint64_t nats_before(struct topic_log *base, uint64_t at_ms)
{
    struct nats_log *log = of(base);
    struct block_head head;
    struct buf raw;
    uint64_t message = 0, before = nats_first(base) - 1;
    buf_init(&raw);
    pthread_mutex_lock(&log->lock);
    uint64_t from = log->message0, to = log->message1, last = log->last;
    pthread_mutex_unlock(&log->lock);
    /* not to be found: from the first on, which is too much and never too little */
    if (to && locate(log, from, to, 0, at_ms ? at_ms : 1, &raw, &message) == LOG_READ) {
        if (message > to)
            before = last;
        else if (get(log, message, &raw, &head) == LOG_READ)
            before = head.first - 1;
    }
    buf_fini(&raw);
    return before;
}

/* Retention ---------------------------------------------------------------------------------------
 * Asked for now, done by the keeper. */
static void nats_trim(struct topic_log *base, uint64_t at_ms, uint64_t bytes)
{
    struct nats_log *log = of(base);
    pthread_mutex_lock(&log->lock);
    log->trim_at_ms = at_ms;
    log->trim_bytes = bytes;
    pthread_mutex_unlock(&log->lock);
}

/* The first message that stays. */
static enum log_read keep_from(struct nats_log *log, const struct found *f, uint64_t at_ms,
                               uint64_t bytes, uint64_t *message)
{
    uint64_t n = f->message1 - f->message0 + 1, by_size = f->message0;
    if (f->bytes > bytes)
        by_size += n - n * bytes / f->bytes;
    enum log_read read = LOG_READ;
    *message = f->message0;
    if (at_ms)
        read = locate(log, f->message0, f->message1, 0, at_ms, &log->block, message);
    *message = *message > by_size ? *message : by_size;
    *message = *message < f->message1 ? *message : f->message1; /* it has the last number */
    return read;
}

static void drop_old(struct nats_log *log, uint64_t at_ms, uint64_t bytes)
{
    struct found f;
    struct block_head head;
    uint64_t message;
    if (ask_stream(log, &f) || f.message0 == 0 || f.message1 < f.message0 ||
        keep_from(log, &f, at_ms, bytes, &message) != LOG_READ)
        return;
    if (message > f.message0) {
        jsOptions options;
        jsCtx *js = nats_begin(log->nats);
        if (!js)
            return;
        jsOptions_Init(&options);
        options.Wait = log->nats->timeout_ms;
        options.Stream.Purge.Sequence = message;
        natsStatus s = js_PurgeStream(js, log->stream, &options, NULL);
        nats_end(log->nats, !no_answer(s));
        if (s != NATS_OK || get(log, message, &log->block, &head) != LOG_READ ||
            ask_stream(log, &f))
            return;
    } else if (get(log, message, &log->block, &head) != LOG_READ) {
        return;
    }
    pthread_mutex_lock(&log->lock);
    log->message0 = f.message0;
    log->first = head.first;
    log->bytes = f.bytes;
    pthread_mutex_unlock(&log->lock);
}

void nats_log_keep(struct nats_log *log)
{
    uint64_t now_ms = clock_wall_ms();
    pthread_mutex_lock(&log->lock);
    bool busy = log->busy, ready = log->ready;
    bool trim = ready && log->trim_bytes && now_ms - log->trimmed_ms >= TRIM_MS;
    uint64_t at_ms = log->trim_at_ms, bytes = log->trim_bytes;
    log->busy = busy || trim || !ready;
    pthread_mutex_unlock(&log->lock);
    if (busy || (ready && !trim))
        return;
    if (!ready)
        (void)prepare(log);
    else
        drop_old(log, at_ms, bytes);
    pthread_mutex_lock(&log->lock);
    log->trimmed_ms = trim ? now_ms : log->trimmed_ms;
    log->busy = false;
    pthread_cond_broadcast(&log->turn);
    pthread_mutex_unlock(&log->lock);
}

/* Reading -----------------------------------------------------------------------------------------
 */
struct nats_reader {
    struct topic_reader base;
    uint64_t message; /* the next one; 0: to be found */
};

static void nats_forget(struct topic_reader *r)
{
    ((struct nats_reader *)(void *)r)->message = 0;
}

static bool from_tail(struct nats_log *log, struct nats_reader *r, struct block_head *head)
{
    pthread_mutex_lock(&log->lock);
    const struct tail_block *b = tail_find(log, r->base.after + 1);
    bool ok = b && take_block(b->p, (int)b->n, &r->base.raw, head);
    if (ok)
        r->message = b->message;
    pthread_mutex_unlock(&log->lock);
    return ok;
}

/* The next message that has something for it, at r->message. */
static enum log_read from_stream(struct nats_log *log, struct nats_reader *r,
                                 struct block_head *head)
{
    pthread_mutex_lock(&log->lock);
    uint64_t from = log->message0 ? log->message0 : 1, to = log->message1;
    pthread_mutex_unlock(&log->lock);
    if (r->message < from) {
        enum log_read read = locate(log, from, to, r->base.after + 1, 0, &r->base.raw, &r->message);
        if (read != LOG_READ) {
            r->message = 0;
            return read;
        }
    }
    for (; r->message <= to; r->message++) {
        enum log_read read = get(log, r->message, &r->base.raw, head);
        if (read == LOG_AWAY)
            return read;
        /* what is no block of ours was put there by somebody else: nothing of it is an event */
        if (read == LOG_READ && head->first + head->count - 1 > r->base.after)
            return LOG_READ;
    }
    return LOG_NONE;
}

static enum log_read nats_next_block(struct topic_reader *base)
{
    struct nats_reader *r = (struct nats_reader *)(void *)base;
    struct nats_log *log = of(base->log);
    struct block_head head;
    enum log_read read = from_tail(log, r, &head) ? LOG_READ : LOG_NONE;
    while (read != LOG_READ || !block_open(buf_slice(&base->raw), &head, &log->key, &base->plain)) {
        r->message += read == LOG_READ;
        read = from_stream(log, r, &head);
        if (read != LOG_READ)
            return read;
    }
    r->message++;
    base->seq = head.first;
    base->at_ms = head.at_ms;
    base->at = 0;
    return LOG_READ;
}

/* Opening ---------------------------------------------------------------------------------------
 */
static void nats_close(struct topic_log *base)
{
    struct nats_log *log = of(base);
    pthread_mutex_lock(&log->nats->lock);
    for (struct nats_log **at = &log->nats->logs; *at; at = &(*at)->next)
        if (*at == log) {
            *at = log->next;
            break;
        }
    pthread_mutex_unlock(&log->nats->lock);
    while (log->tail_n)
        tail_drop(log);
    buf_fini(&log->block);
    buf_wipe(&log->plain);
    crypto_wipe(log->key.key, sizeof log->key.key);
    pthread_cond_destroy(&log->turn);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

static const struct log_ops ops = {
    .reader_bytes = sizeof(struct nats_reader),
    .close = nats_close,
    .ready = nats_ready,
    .append = nats_append,
    .room = nats_log_room,
    .last = nats_last,
    .first = nats_first,
    .bytes = nats_bytes,
    .before = nats_before,
    .trim = nats_trim,
    .forget = nats_forget,
    .next_block = nats_next_block,
};

struct topic_log *topic_log_open_nats(struct log_nats *nats, const struct uuid *topic,
                                      const uint8_t key[static CRYPTO_KEY_LEN])
{
    char id[UUID_TEXT_LEN + 1];
    struct nats_log *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    log->base.ops = &ops;
    log->nats = nats;
    log->first = 1;
    log->key.topic = *topic;
    memcpy(log->key.key, key, CRYPTO_KEY_LEN);
    uuid_format(topic, id);
    snprintf(log->stream, sizeof log->stream, "sluice-%s", id);
    snprintf(log->subject, sizeof log->subject, "sluice.events.%s", id);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->turn, NULL);
    buf_init(&log->plain);
    buf_init(&log->block);
    pthread_mutex_lock(&nats->lock);
    log->next = nats->logs;
    nats->logs = log;
    pthread_mutex_unlock(&nats->lock);
    return &log->base;
}
