/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events: the connection stays open, each event leaves when it is there. Between events
 * a line with the position is sent every few seconds, so that all ends know the other is alive and
 * a client that comes back asks from the right place. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/events/broker.h"

#define CHUNK_EVENTS 200
#define CHUNK_BYTES  (64u << 10)

static bool admit(struct events *e, struct events_stream *s)
{
    size_t same = 0;
    pthread_mutex_lock(&e->lock);
    for (const struct events_stream *o = e->streams; o; o = o->next)
        same += uuid_eq(&o->app, &s->app);
    bool ok = !e->stopping && e->n_streams < BROKER_STREAMS && same < STREAMS_OF_APP;
    if (ok) {
        s->next = e->streams;
        e->streams = s;
        e->n_streams++;
    }
    pthread_mutex_unlock(&e->lock);
    return ok;
}

void stream_open(struct worker *w, struct topic *t, const struct service_request *rq,
                 uint64_t after, struct service_reply *rp)
{
    struct events_stream *s = calloc(1, sizeof *s);
    if (s)
        s->reader = topic_reader_new(t->log);
    if (!s || !s->reader) {
        free(s);
        service_problem(w, rq, rp, PROBLEM_INTERNAL, NULL, SLICE(""));
        return;
    }
    s->e = w->events;
    s->topic = t;
    s->app = w->call.app;
    s->txn = w->call.txn;
    s->position = after;
    s->heartbeat_ms = 0;
    buf_init(&s->out);
    topic_reader_seek(s->reader, after);
    if (!admit(s->e, s)) {
        topic_reader_free(&s->reader);
        free(s);
        service_problem(w, rq, rp, PROBLEM_CONCURRENCY_LIMITED, "too many streams are open",
                        SLICE(""));
        return;
    }
    rp->content_type = "text/event-stream; charset=utf-8";
    rp->stream = s;
}

void events_stream_free(struct events_stream *s)
{
    struct events *e = s->e;
    pthread_mutex_lock(&e->lock);
    struct events_stream **at = &e->streams;
    while (*at && *at != s)
        at = &(*at)->next;
    if (*at) {
        *at = s->next;
        e->n_streams--;
    }
    pthread_mutex_unlock(&e->lock);
    topic_reader_free(&s->reader);
    buf_wipe(&s->out);
    free(s);
}

void events_stream_connect(struct events_stream *s, void (*wait)(void *ctx),
                           void (*wake)(void *ctx), void *ctx)
{
    s->wait = wait;
    s->wake = wake;
    s->ctx = ctx;
}

static void add_frame(struct buf *out, uint64_t seq)
{
    buf_addf(out, "id: %llu\ndata: ", (unsigned long long)seq);
}

/* What is there now, up to a chunk. False: the stream is over. */
static bool render(struct events_stream *s)
{
    struct delivery d;
    struct event event;
    enum log_read read = LOG_NONE;
    if (deliver_may(s->e, &s->topic->api, &s->app, POLICY_STREAM_OPEN) || !s->topic->live)
        return false;
    deliver_begin(&d, s->e, s->topic, &s->app);
    char id[UUID_TEXT_LEN + 1];
    uuid_format(&s->txn, id);
    snprintf(d.about, sizeof d.about, "events %s", id);
    for (int i = 0; i < CHUNK_EVENTS && s->out.n < CHUNK_BYTES; i++) {
        read = topic_reader_next(s->reader, &event);
        if (read != LOG_READ)
            break;
        size_t before = s->out.n;
        add_frame(&s->out, event.seq);
        enum deliver given = deliver_event(&d, &event, &s->out);
        if (given == DELIVER_FAILED)
            return false;
        if (given == DELIVER_REFUSED)
            s->out.n = before;
        else
            buf_adds(&s->out, "\n\n");
        s->position = event.seq;
    }
    s->away = read == LOG_AWAY;
    return read != LOG_DAMAGED && !s->out.failed && deliver_end(&d);
}

static void heartbeat(struct events_stream *s, uint64_t now_ms)
{
    if (now_ms - s->heartbeat_ms < HEARTBEAT_MS)
        return;
    s->heartbeat_ms = now_ms;
    buf_addf(&s->out, "id: %llu\n\n", (unsigned long long)s->position);
}

/* True: wait() was called, and wake() will be. */
static bool wait_for_more(struct events_stream *s)
{
    struct events *e = s->e;
    uint64_t last = topic_log_last(s->topic->log);
    pthread_mutex_lock(&e->lock);
    bool wait = !e->stopping && s->version == e->version && (s->away || last <= s->position);
    if (wait) {
        s->waiting = true;
        s->wait(s->ctx);
    }
    s->version = e->version;
    pthread_mutex_unlock(&e->lock);
    return wait;
}

ptrdiff_t events_stream_read(struct events_stream *s, char *out, size_t max)
{
    for (int turn = 0; turn < 3; turn++) {
        if (s->sent < s->out.n) {
            size_t n = s->out.n - s->sent < max ? s->out.n - s->sent : max;
            memcpy(out, s->out.p + s->sent, n);
            s->sent += n;
            return (ptrdiff_t)n;
        }
        buf_clear(&s->out);
        s->sent = 0;
        pthread_mutex_lock(&s->e->lock);
        s->ended |= s->e->stopping;
        pthread_mutex_unlock(&s->e->lock);
        if (s->ended)
            return EVENTS_STREAM_END;
        if (!render(s)) {
            s->ended = true;
            buf_clear(&s->out); /* what is not recorded does not leave */
            return EVENTS_STREAM_END;
        }
        heartbeat(s, clock_wall_ms());
        if (s->out.n == 0 && wait_for_more(s))
            return 0;
    }
    buf_addf(&s->out, "id: %llu\n\n", (unsigned long long)s->position);
    return events_stream_read(s, out, max);
}

/* Wakes those that wait and have a reason: events, a changed replica, the time for a sign of life.
 */
void stream_tick(struct events *e, uint64_t now_ms, bool all)
{
    pthread_mutex_lock(&e->lock);
    for (struct events_stream *s = e->streams; s; s = s->next) {
        if (!s->waiting || !(all || e->stopping || now_ms - s->heartbeat_ms >= HEARTBEAT_MS ||
                             topic_log_last(s->topic->log) > s->position))
            continue;
        s->waiting = false;
        s->wake(s->ctx);
    }
    pthread_mutex_unlock(&e->lock);
}
