/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of data/events. Lock order: a subscription's, then the broker's. */
#pragma once
#include <jansson.h>
#include <pthread.h>

#include "data/decide/decide.h"
#include "data/events/events.h"
#include "data/events/log.h"
#include "data/events/state.h"
#include "personal/personal.h"

#define BROKER_TOPICS  1024
#define BROKER_SUBS    4096
#define BROKER_STREAMS 256
#define STREAMS_OF_APP 16
#define HEARTBEAT_MS   3000
#define WINDOW_ITEMS   256
#define WINDOW_BYTES   (2u << 20)
#define SECRET_MAX     64

struct topic {
    struct uuid api;
    struct topic_log *log;
    json_t *config; /* the feed's data; replaced under the broker's lock */
    uint64_t rev;
    bool live, seen;
    bool poll_now;               /* the poller's: rows were changed through us */
    bool poll_failed, sweep_now; /* sweep_now: a row was deleted through us */
    uint64_t polled_ms;
};

enum item_state { ITEM_WAITING, ITEM_OUT, ITEM_DONE };
struct item {
    uint64_t seq, key, ready_ms; /* ready_ms: when waiting, not before; when out, given back at */
    uint8_t state, attempts;
    bool redo; /* a dead letter, tried once more */
};

/* What a subscription has read and not yet got rid of, in order. */
struct window {
    struct item items[WINDOW_ITEMS];
    size_t n;
    uint64_t acked; /* all up to this one are done */
    uint64_t read;  /* the last one read */
};

struct sub {
    struct uuid id, app, api;
    pthread_mutex_t lock;
    json_t *config;
    uint64_t rev;
    bool live, seen, webhook, begun;
    bool gone; /* removed: nothing is kept of where it was */
    char name[65], url[1100];
    uint8_t secret[SECRET_MAX];
    size_t secret_n;
    struct topic *topic;
    struct topic_reader *reader, *again; /* again: finds events of the window a second time */
    struct window window;
    bool dirty;                   /* window.acked is newer than the state's */
    unsigned failures, in_flight; /* webhook: in a row; requests under way */
    uint64_t parked_until_ms;
    char last_error[120];
    uint64_t delivered, dead;
};

struct events_stream {
    struct events *e;
    struct events_stream *next;
    struct topic *topic;
    struct uuid app, txn;
    struct topic_reader *reader;
    uint64_t position, version, heartbeat_ms;
    struct buf out;
    size_t sent;
    bool waiting, ended;
    bool away; /* the log was, when last read: what there is comes with a later tick */
    void (*wait)(void *ctx);
    void (*wake)(void *ctx);
    void *ctx;
};

struct events {
    struct replica *replica;
    uint8_t link_key[CRYPTO_KEY_LEN], store_key[CRYPTO_KEY_LEN], feed_key[CRYPTO_KEY_LEN];
    const char *data_dir;
    bool private_webhooks;
    char dir[560];
    struct log_nats *nats; /* NULL: the logs are ours, on disk */
    struct decide_log *audit;
    struct state *state;
    pthread_key_t decider_key;
    bool key_made;
    pthread_mutex_t lock;
    struct topic *topics[BROKER_TOPICS];
    size_t n_topics;
    struct sub *subs[BROKER_SUBS];
    size_t n_subs;
    struct events_stream *streams;
    size_t n_streams;
    bool stopping;
    bool swept; /* what was removed while we were not there is forgotten */
    bool again; /* a subscription was in use when its change was read */
    pthread_t clock, pusher, poller;
    bool clock_made, pusher_made, poller_made;
    void *multi; /* CURLM of the pusher: to wake it */
    uint64_t topics_rev, subs_rev, version;
    struct replica_reader *reader; /* the clock's, and under the lock of broker_sync */
};

/* broker.c */
struct decide *broker_decider(struct events *e); /* of this thread */
struct topic *broker_topic(struct events *e, const struct uuid *api);
struct sub *broker_sub(struct events *e, const struct uuid *app, const struct uuid *api,
                       struct slice name);
struct sub *broker_sub_by_id(struct events *e, const struct uuid *id);
void broker_sync(struct events *e);
void broker_wake(struct events *e); /* events came: streams, the pusher */

/* deliver.c: events on their way to one app. */
struct delivery {
    struct events *e;
    struct decide *d;
    struct topic *topic;
    struct uuid app, txn;            /* of this delivery */
    char about[64];                  /* the call it answers, "" none */
    uint8_t method;                  /* policy_method of it, GET */
    const struct decision *decision; /* of the run of events not yet recorded */
    char owner[DECIDE_OWNER_MAX];
    size_t owner_n;
    enum problem reason; /* of that run */
    uint64_t rows, bytes, at_us;
    bool open;
};
enum deliver { DELIVER_GIVEN, DELIVER_REFUSED, DELIVER_FAILED };
void deliver_begin(struct delivery *d, struct events *e, struct topic *t, const struct uuid *app);
/* The event as this app may have it, appended to out as JSON. */
enum deliver deliver_event(struct delivery *d, const struct event *event, struct buf *out);
/* Records what was given; false: it cannot be recorded, so what was written to out must not leave.
 */
bool deliver_end(struct delivery *d) __attribute__((warn_unused_result));
/* Whether the app may be given anything at all. */
enum problem deliver_may(struct events *e, const struct uuid *api, const struct uuid *app,
                         uint8_t stream);
/* On record that personal information was covered in what the app publishes by call txn. */
bool deliver_covered(struct events *e, const struct topic *t, const struct uuid *app,
                     const struct uuid *txn, const struct personal_seen *seen)
    __attribute__((warn_unused_result));

/* window.c; the subscription's lock is held. */
void window_fill(struct events *e, struct sub *s);
void window_later(struct sub *s, uint64_t seq, uint64_t ready_ms); /* it waits again */
/* Up to max items that may go now, in order, and no two of one key apart; marked out until. */
size_t window_take(struct sub *s, uint64_t now_ms, uint64_t until_ms, size_t max,
                   struct item **items);
/* buried: it is a dead letter now, not delivered. */
void window_done(struct events *e, struct sub *s, uint64_t seq, bool buried);
struct item *window_find(struct sub *s, uint64_t seq);
/* Dead letters back among what goes out: all, or one; how many. */
size_t window_redo(struct events *e, struct sub *s, uint64_t seq, uint64_t now_ms);
/* Read again. LOG_NONE: it is gone. LOG_AWAY: it is to be given back to the window, not dropped. */
enum log_read window_event(struct sub *s, uint64_t seq, struct event *event);
void window_rewind(struct events *e, struct sub *s, uint64_t after);

/* push.c, poll.c: threads */
void *push_run(void *events);
void *poll_run(void *events);
bool broker_ending(struct events *e);
/* stream.c */
void stream_open(struct worker *w, struct topic *t, const struct service_request *rq,
                 uint64_t after, struct service_reply *rp);
void stream_tick(struct events *e, uint64_t now_ms, bool all);
/* pull.c */
enum problem pull_take(struct worker *w, struct topic *t, const json_t *body, const char **detail);
enum problem pull_answer(struct worker *w, struct topic *t, const json_t *body, bool again,
                         const char **detail);
