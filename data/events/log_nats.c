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

#define TRIES 3

struct waiting {
    struct event *events;
    size_t n, duplicates;
    enum log_err err;
    bool done;
    struct waiting *next;
};

static struct nats_log *of(struct topic_log *log)
{
    return (struct nats_log *)(void *)log;
}

/* The newest blocks -------------------------------------------------------------------------------
 * Sealed as they are. Under the lock. */
static void tail_drop(struct nats_log *log)
{
    struct tail_block *b =
        &log->tail[(log->tail_at + NATS_TAIL_BLOCKS - log->tail_n) % NATS_TAIL_BLOCKS];
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
           (log->tail_n == NATS_TAIL_BLOCKS || log->tail_bytes + block.n > NATS_TAIL_BYTES))
        tail_drop(log);
    char *p = log->nats->tail_bytes + block.n <= NATS_TAIL_BYTES_ALL ? malloc(block.n) : NULL;
    if (!p) { /* the tail has no gaps */
        while (log->tail_n)
            tail_drop(log);
        return;
    }
    memcpy(p, block.p, block.n);
    log->tail[log->tail_at] = (struct tail_block){message, first, last, p, block.n};
    log->tail_at = (log->tail_at + 1) % NATS_TAIL_BLOCKS;
    log->tail_n++;
    log->tail_bytes += block.n;
    log->nats->tail_bytes += block.n;
}

static const struct tail_block *tail_find(const struct nats_log *log, uint64_t seq)
{
    size_t lo = 0, hi = log->tail_n, start = log->tail_at + NATS_TAIL_BLOCKS - log->tail_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct tail_block *b = &log->tail[(start + mid) % NATS_TAIL_BLOCKS];
        if (b->last < seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct tail_block *b =
        lo < log->tail_n ? &log->tail[(start + lo) % NATS_TAIL_BLOCKS] : NULL;
    return b && b->first <= seq ? b : NULL;
}

/* Writing ---------------------------------------------------------------------------------------
 */
size_t nats_log_room_of(struct nats_log *log)
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
    size_t room = nats_log_room_of(log), n = 0;
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
 * nats_prepare(), which a failure makes necessary. */
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
    if (!nats_no_answer(s))
        fprintf(stderr, "data: events: NATS stores nothing in %s: %s (%d)\n", log->stream,
                natsStatus_GetText(s), (int)code);
    return LOG_EAWAY;
}

enum log_err nats_publish(struct nats_log *log, size_t count, uint64_t now_ms, bool *stored)
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
    nats_end(log->nats, !nats_no_answer(s));
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
        err = is_ready(log) ? LOG_OK : nats_prepare(log);
        if (err)
            return err;
        size_t count = pack(log, first, last, now_ms);
        if (count == 0)
            return LOG_OK;
        err = nats_publish(log, count, now_ms, &stored);
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
    return nats_log_room_of(of(log));
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
    if (to && nats_locate(log, from, to, 0, at_ms ? at_ms : 1, &raw, &message) == LOG_READ) {
        if (message > to)
            before = last;
        else if (nats_get(log, message, &raw, &head) == LOG_READ)
            before = head.first - 1;
    }
    buf_fini(&raw);
    return before;
}

/* Asked for now, done by the keeper. */
static void nats_trim(struct topic_log *base, uint64_t at_ms, uint64_t bytes)
{
    struct nats_log *log = of(base);
    pthread_mutex_lock(&log->lock);
    log->trim_at_ms = at_ms;
    log->trim_bytes = bytes;
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
    bool ok = b && nats_take_block(b->p, (int)b->n, &r->base.raw, head);
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
        enum log_read read =
            nats_locate(log, from, to, r->base.after + 1, 0, &r->base.raw, &r->message);
        if (read != LOG_READ) {
            r->message = 0;
            return read;
        }
    }
    for (; r->message <= to; r->message++) {
        enum log_read read = nats_get(log, r->message, &r->base.raw, head);
        if (read == LOG_AWAY)
            return read;
        if (read == LOG_NONE) { /* dropped meanwhile, and all before the first with it */
            pthread_mutex_lock(&log->lock);
            r->message = log->message0 > r->message ? log->message0 - 1 : r->message;
            pthread_mutex_unlock(&log->lock);
        }
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
    topic_log_close(&log->files);
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

struct topic_log *topic_log_open_nats(struct log_nats *nats, const char *dir,
                                      const struct uuid *topic,
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
    if (!nats_carry_begin(log, dir)) {
        nats_close(&log->base);
        return NULL;
    }
    pthread_mutex_lock(&nats->lock);
    log->next = nats->logs;
    nats->logs = log;
    pthread_mutex_unlock(&nats->lock);
    return &log->base;
}
