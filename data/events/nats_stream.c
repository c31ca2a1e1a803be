/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a stream: a message, where one is, what there was before us, and that old ones
 * go. */
#include <stdio.h>

#include "base/clock.h"
#include "data/events/nats_inner.h"

#define TRIM_MS 2000

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
bool nats_no_answer(natsStatus s)
{
    return s == NATS_TIMEOUT || s == NATS_CONNECTION_DISCONNECTED || s == NATS_CONNECTION_CLOSED ||
           s == NATS_IO_ERROR || s == NATS_STALE_CONNECTION;
}

bool nats_take_block(const char *p, int n, struct buf *raw, struct block_head *head)
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

enum log_read nats_get(struct nats_log *log, uint64_t message, struct buf *raw,
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
    nats_end(log->nats, !nats_no_answer(s));
    enum log_read read = LOG_AWAY;
    if (s == NATS_NOT_FOUND)
        read = missing(log, message);
    if (s == NATS_OK)
        read = nats_take_block(natsMsg_GetData(msg), natsMsg_GetDataLength(msg), raw, head)
                   ? LOG_READ
                   : LOG_DAMAGED;
    natsMsg_Destroy(msg);
    return read;
}

enum log_read nats_locate(struct nats_log *log, uint64_t from, uint64_t to, uint64_t seq,
                          uint64_t at_ms, struct buf *raw, uint64_t *message)
{
    struct block_head head;
    uint64_t lo = from ? from : 1, hi = to + 1;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        enum log_read read = nats_get(log, mid, raw, &head);
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
            nats_take_block(natsMsg_GetData(msg), natsMsg_GetDataLength(msg), &log->block, &head) &&
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
        if ((read = nats_get(log, at, &log->block, &head)) == LOG_AWAY)
            return LOG_EAWAY;
    if (read != LOG_READ)
        return LOG_OK;
    uint64_t last = head.first + head.count - 1;
    if (last > LOG_DUPLICATES && nats_locate(log, f->message0, f->message1, last - LOG_DUPLICATES,
                                             0, &log->block, &from) != LOG_READ)
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
        read = nats_get(log, at, &log->block, &head);
        if (read == LOG_AWAY)
            return LOG_EAWAY;
        f->first = read == LOG_READ ? head.first : f->first;
    }
    return LOG_OK;
}

enum log_err nats_prepare(struct nats_log *log)
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
    pthread_mutex_unlock(&log->lock);
    if (log->files)
        err = nats_carry(log, f.message1 == 0);
    if (err)
        return err;
    pthread_mutex_lock(&log->lock);
    log->ready = log->known = true;
    pthread_mutex_unlock(&log->lock);
    return LOG_OK;
}

/* Retention ---------------------------------------------------------------------------------------
 */
/* The first message that stays. */
static enum log_read keep_from(struct nats_log *log, const struct found *f, uint64_t at_ms,
                               uint64_t bytes, uint64_t *message)
{
    uint64_t n = f->message1 - f->message0 + 1, by_size = f->message0;
    if (f->bytes > bytes)
        by_size += n - (uint64_t)((double)n * (double)bytes / (double)f->bytes);
    enum log_read read = LOG_READ;
    *message = f->message0;
    if (at_ms)
        read = nats_locate(log, f->message0, f->message1, 0, at_ms, &log->block, message);
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
        nats_end(log->nats, !nats_no_answer(s));
        if (s != NATS_OK || nats_get(log, message, &log->block, &head) != LOG_READ ||
            ask_stream(log, &f))
            return;
    } else if (nats_get(log, message, &log->block, &head) != LOG_READ) {
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
        (void)nats_prepare(log);
    else
        drop_old(log, at_ms, bytes);
    pthread_mutex_lock(&log->lock);
    log->trimmed_ms = trim ? now_ms : log->trimmed_ms;
    log->busy = false;
    pthread_cond_broadcast(&log->turn);
    pthread_mutex_unlock(&log->lock);
}
