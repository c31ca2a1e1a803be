/* SPDX-License-Identifier: Apache-2.0 */
/* Events fetched by the receiver and acknowledged by it; what it does not acknowledge in time is
 * given again. An acknowledgement that was answered is on disk. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/events/broker.h"

#define TAKE_DEFAULT    100
#define VISIBLE_DEFAULT 30 /* s */
#define VISIBLE_MAX     3600
#define ANSWER_BYTES    (1u << 20)

static bool number(const json_t *body, const char *name, json_int_t otherwise, json_int_t max,
                   uint64_t *out)
{
    const json_t *v = json_object_get(body, name);
    json_int_t n = v ? json_integer_value(v) : otherwise;
    *out = (uint64_t)n;
    return (!v || json_is_integer(v)) && n >= 1 && n <= max;
}

static enum problem find(struct worker *w, struct topic *t, const json_t *body, struct sub **sub,
                         const char **detail)
{
    const json_t *name = json_object_get(body, "subscription");
    *detail = "subscription names an event subscription of this app and topic";
    if (!json_is_string(name))
        return PROBLEM_BODY_INVALID;
    *sub = broker_sub(w->events, &w->call.app, &t->api,
                      slice_of(json_string_value(name), json_string_length(name)));
    return *sub && !(*sub)->webhook ? PROBLEM_OK : PROBLEM_NOT_FOUND;
}

static bool give(struct worker *w, struct delivery *d, struct sub *s, struct item **items, size_t n)
{
    struct event event;
    struct buf receipts;
    uint64_t seqs[WINDOW_ITEMS];
    bool ok = true, any = false;
    buf_init(&receipts);
    for (size_t i = 0; i < n; i++)
        seqs[i] = items[i]->seq; /* the window moves when one is done */
    buf_adds(&w->body, "{\"events\":[");
    for (size_t i = 0; i < n && ok; i++) {
        if (w->body.n > ANSWER_BYTES) { /* the rest another time */
            window_later(s, seqs[i], 0);
            continue;
        }
        size_t before = w->body.n;
        enum log_read read = window_event(s, seqs[i], &event);
        if (read == LOG_AWAY) {
            window_later(s, seqs[i], 0);
            continue;
        }
        buf_adds(&w->body, any ? "," : "");
        enum deliver given =
            read == LOG_READ ? deliver_event(d, &event, &w->body) : DELIVER_REFUSED;
        ok = given != DELIVER_FAILED;
        if (given == DELIVER_GIVEN) {
            struct item *it = window_find(s, seqs[i]);
            it->attempts += it->attempts < UINT8_MAX;
            buf_addf(&receipts, "%s\"%llu\"", any ? "," : "", (unsigned long long)seqs[i]);
            any = true;
        } else {
            w->body.n = before;
            window_done(w->events, s, seqs[i], false);
        }
    }
    buf_addf(&w->body, "],\"receipts\":[%.*s],\"cursor\":\"%llu\"}", (int)receipts.n,
             receipts.n ? receipts.p : "", (unsigned long long)s->window.acked);
    ok = ok && !receipts.failed && !w->body.failed;
    buf_fini(&receipts);
    return ok;
}

enum problem pull_take(struct worker *w, struct topic *t, const json_t *body, const char **detail)
{
    struct sub *s;
    struct delivery d;
    struct item *items[WINDOW_ITEMS];
    uint64_t max, visible, now_ms = clock_wall_ms();
    char id[UUID_TEXT_LEN + 1];
    *detail = "max is 1 to 256, visibility_s 1 to 3600";
    if (!number(body, "max", TAKE_DEFAULT, WINDOW_ITEMS, &max) ||
        !number(body, "visibility_s", VISIBLE_DEFAULT, VISIBLE_MAX, &visible))
        return PROBLEM_BODY_INVALID;
    enum problem p = find(w, t, body, &s, detail);
    if (p)
        return p;
    deliver_begin(&d, w->events, t, &w->call.app);
    uuid_format(&w->call.txn, id);
    snprintf(d.about, sizeof d.about, "events %s", id);
    pthread_mutex_lock(&s->lock);
    window_fill(w->events, s);
    size_t n = s->begun ? window_take(s, now_ms, now_ms + visible * 1000, max, items) : 0;
    bool ok = give(w, &d, s, items, n);
    pthread_mutex_unlock(&s->lock);
    ok = deliver_end(&d) && ok; /* unrecorded: not answered, and given again when its time is up */
    *detail = NULL;
    return ok ? PROBLEM_OK : PROBLEM_AUDIT_UNAVAILABLE;
}

static size_t read_receipts(const json_t *body, uint64_t out[WINDOW_ITEMS])
{
    const json_t *list = json_object_get(body, "receipts"), *v;
    size_t i, n = json_array_size(list);
    if (n == 0 || n > WINDOW_ITEMS)
        return 0;
    json_array_foreach(list, i, v)
    {
        struct slice text = slice_of(json_string_value(v), json_string_length(v));
        if (!json_is_string(v) || !query_uint(text, &out[i]))
            return 0;
    }
    return n;
}

enum problem pull_answer(struct worker *w, struct topic *t, const json_t *body, bool again,
                         const char **detail)
{
    struct sub *s;
    uint64_t seqs[WINDOW_ITEMS];
    enum problem p = find(w, t, body, &s, detail);
    if (p)
        return p;
    size_t n = read_receipts(body, seqs), kept = 0;
    *detail = "receipts are 1 to 256 of those a pull answered with";
    if (!n)
        return PROBLEM_BODY_INVALID;
    pthread_mutex_lock(&s->lock);
    window_fill(w->events, s); /* after a restart the window is read again first */
    for (size_t i = 0; i < n; i++)
        if (window_find(s, seqs[i]))
            seqs[kept++] = seqs[i];
    bool ok = again || kept == 0 || state_ack(w->events->state, &s->id, seqs, kept);
    for (size_t i = 0; ok && i < kept; i++) {
        struct item *it = window_find(s, seqs[i]);
        if (!again)
            window_done(w->events, s, seqs[i], false);
        else if (it)
            *it = (struct item){.seq = it->seq, .key = it->key, .attempts = it->attempts};
    }
    s->delivered += again ? 0 : kept;
    pthread_mutex_unlock(&s->lock);
    *detail = NULL;
    buf_addf(&w->body, "{\"acknowledged\":%zu}", again ? 0 : kept);
    return ok ? PROBLEM_OK : PROBLEM_STORAGE_FULL;
}
