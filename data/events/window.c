/* SPDX-License-Identifier: Apache-2.0 */
/* What of a topic a subscription has under way: bounded, in order, and of one key never two at
 * once, so that a redelivery cannot overtake (at least once, in order by key). */
#include <stdlib.h>
#include <xxhash.h>

#include "data/events/broker.h"

static bool wanted(const struct sub *s, struct slice type)
{
    const json_t *types = json_object_get(s->config, "types"), *v;
    size_t i;
    json_array_foreach(types, i, v)
    {
        struct slice t = slice_of(json_string_value(v), json_string_length(v));
        bool open = t.n && t.p[t.n - 1] == '*';
        if (open ? type.n >= t.n - 1 && memcmp(t.p, type.p, t.n - 1) == 0 : slice_eq(t, type))
            return true;
    }
    return json_array_size(types) == 0;
}

/* Where it is at its first use: kept at once, so that a crash does not make it begin again. */
static bool begin(struct events *e, struct sub *s)
{
    uint64_t acked = 0;
    if (!state_position(e->state, &s->id, &acked)) {
        const char *start = json_string_value(json_object_get(s->config, "start"));
        bool all = start && strcmp(start, "all") == 0;
        acked = all ? topic_log_first(s->topic->log) - 1 : topic_log_last(s->topic->log);
        if (!state_set_position(e->state, &s->id, acked))
            return false;
    }
    /* Of another log, before events moved to NATS or were lost: all that this one has is new. */
    uint64_t last = topic_log_last(s->topic->log);
    acked = acked > last ? topic_log_first(s->topic->log) - 1 : acked;
    s->window.n = 0;
    s->window.acked = s->window.read = acked;
    topic_reader_seek(s->reader, acked);
    s->begun = true;
    return true;
}

static bool ready(struct events *e, struct sub *s)
{
    if (s->gone)
        return false;
    if (!s->topic)
        s->topic = broker_topic(e, &s->api);
    if (!s->topic || !s->topic->live)
        return false;
    if (!s->reader)
        s->reader = topic_reader_new(s->topic->log);
    if (!s->again)
        s->again = topic_reader_new(s->topic->log);
    return s->reader && s->again && (s->begun || (topic_log_ready(s->topic->log) && begin(e, s)));
}

void window_fill(struct events *e, struct sub *s)
{
    struct window *w = &s->window;
    struct event event;
    if (!ready(e, s))
        return;
    while (w->n < WINDOW_ITEMS && topic_reader_next(s->reader, &event) == LOG_READ) {
        w->read = event.seq;
        if (wanted(s, event.type) && !state_acked(e->state, &s->id, event.seq)) {
            uint64_t key = event.key.n ? XXH3_64bits(event.key.p, event.key.n) : event.seq;
            w->items[w->n++] = (struct item){.seq = event.seq, .key = key};
        } else if (w->n == 0) {
            w->acked = event.seq;
            s->dirty = true;
        }
    }
}

static bool among(const uint64_t *keys, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++)
        if (keys[i] == key)
            return true;
    return false;
}

size_t window_take(struct sub *s, uint64_t now_ms, uint64_t until_ms, size_t max,
                   struct item **items)
{
    uint64_t busy[WINDOW_ITEMS];
    size_t n = 0, n_busy = 0;
    for (size_t i = 0; i < s->window.n && n < max; i++) {
        struct item *it = &s->window.items[i];
        if (it->state == ITEM_OUT && it->ready_ms <= now_ms)
            it->state = ITEM_WAITING; /* not acknowledged in time */
        if (it->state == ITEM_DONE)
            continue;
        if (it->state == ITEM_OUT || it->ready_ms > now_ms || among(busy, n_busy, it->key)) {
            busy[n_busy++] = it->key;
            continue;
        }
        it->state = ITEM_OUT;
        it->ready_ms = until_ms;
        items[n++] = it;
    }
    return n;
}

struct item *window_find(struct sub *s, uint64_t seq)
{
    for (size_t i = 0; i < s->window.n; i++)
        if (s->window.items[i].seq == seq)
            return &s->window.items[i];
    return NULL;
}

static void ignore(void *ctx, uint64_t seq)
{
    (void)ctx, (void)seq;
}

void window_done(struct events *e, struct sub *s, uint64_t seq, bool buried)
{
    struct window *w = &s->window;
    struct item *it = window_find(s, seq);
    if (!it)
        return;
    if (it->redo && !buried)
        (void)state_exhume(e->state, &s->id, seq, ignore, NULL);
    it->state = ITEM_DONE;
    size_t gone = 0;
    while (gone < w->n && w->items[gone].state == ITEM_DONE) {
        if (w->items[gone].seq > w->acked)
            w->acked = w->items[gone].seq;
        gone++;
    }
    w->n -= gone;
    memmove(w->items, w->items + gone, w->n * sizeof *w->items);
    if (w->n == 0)
        w->acked = w->read;
    s->dirty = true;
}

void window_later(struct sub *s, uint64_t seq, uint64_t ready_ms)
{
    struct item *it = window_find(s, seq);
    if (!it)
        return;
    it->state = ITEM_WAITING;
    it->ready_ms = ready_ms;
}

enum log_read window_event(struct sub *s, uint64_t seq, struct event *event)
{
    enum log_read read;
    uint64_t at = topic_reader_after(s->again);
    if (at >= seq || seq - at > WINDOW_ITEMS)
        topic_reader_seek(s->again, seq - 1);
    while ((read = topic_reader_next(s->again, event)) == LOG_READ)
        if (event->seq >= seq)
            return event->seq == seq ? LOG_READ : LOG_NONE;
    return read == LOG_AWAY ? LOG_AWAY : LOG_NONE;
}

void window_rewind(struct events *e, struct sub *s, uint64_t after)
{
    if (!ready(e, s))
        return;
    s->window.n = 0;
    s->window.acked = s->window.read = after;
    topic_reader_seek(s->reader, after);
    s->dirty = false;
    s->failures = 0;
    s->parked_until_ms = 0;
    /* what was acknowledged before is wanted again */
    state_unack(e->state, &s->id);
    (void)!state_set_position(e->state, &s->id, after);
}

size_t window_redo(struct events *e, struct sub *s, uint64_t seq, uint64_t now_ms)
{
    size_t n = 0, i;
    json_t *dead = state_dead(e->state, &s->id, 1000), *row;
    struct window *w = &s->window;
    if (!ready(e, s)) {
        json_decref(dead);
        return 0;
    }
    json_array_foreach(dead, i, row)
    {
        struct event event;
        uint64_t one = (uint64_t)json_integer_value(json_object_get(row, "sequence"));
        if ((seq && one != seq) || w->n == WINDOW_ITEMS || window_find(s, one) ||
            window_event(s, one, &event) != LOG_READ)
            continue;
        uint64_t key = event.key.n ? XXH3_64bits(event.key.p, event.key.n) : one;
        memmove(w->items + n + 1, w->items + n, (w->n - n) * sizeof *w->items);
        w->items[n] = (struct item){.seq = one, .key = key, .ready_ms = now_ms, .redo = true};
        w->n++;
        n++;
    }
    s->failures = 0;
    s->parked_until_ms = 0;
    json_decref(dead);
    return n;
}
