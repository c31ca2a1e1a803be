/* SPDX-License-Identifier: Apache-2.0 */
/* What the feed says of topics and subscriptions, in memory; the threads around it. */
#include "data/events/broker.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/codec.h"
#include "data/write/write.h"

#define TICK_MS 100

static void destroy_decider(void *p)
{
    struct decide *d = p;
    decide_free(&d);
}

struct decide *broker_decider(struct events *e)
{
    struct decide *d = pthread_getspecific(e->decider_key);
    if (d)
        return d;
    d = decide_new(e->replica, e->link_key);
    if (d && pthread_setspecific(e->decider_key, d) != 0)
        decide_free(&d);
    return d;
}

static const char *member(const json_t *config, const char *name)
{
    const char *s = json_string_value(json_object_get(config, name));
    return s ? s : "";
}

/* Topics ---------------------------------------------------------------------------------------
 * under the lock */
static struct topic *find_topic(struct events *e, const struct uuid *api)
{
    for (size_t i = 0; i < e->n_topics; i++)
        if (uuid_eq(&e->topics[i]->api, api))
            return e->topics[i];
    return NULL;
}

static struct topic *add_topic(struct events *e, const struct uuid *api)
{
    char dir[640], id[UUID_TEXT_LEN + 1];
    if (e->n_topics == BROKER_TOPICS)
        return NULL;
    struct topic *t = calloc(1, sizeof *t);
    uuid_format(api, id);
    snprintf(dir, sizeof dir, "%s/%s", e->dir, id);
    if (t)
        t->log = e->nats ? topic_log_open_nats(e->nats, api, e->store_key)
                         : topic_log_open(dir, api, e->store_key, 0);
    if (!t || !t->log) {
        free(t);
        fprintf(stderr, "data: events: the log of topic %s cannot be opened\n", id);
        return NULL;
    }
    t->api = *api;
    e->topics[e->n_topics++] = t;
    return t;
}

static bool put_topic(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    struct events *e = ctx;
    struct topic *t = find_topic(e, id);
    if (!t)
        t = add_topic(e, id);
    if (!t)
        return true;
    t->seen = true;
    if (t->rev == rev && t->config)
        return true;
    json_decref(t->config);
    t->config = json_loadb(json.p, json.n, 0, NULL);
    t->rev = rev;
    t->live = t->config && strcmp(member(t->config, "state"), "active") == 0;
    return true;
}

/* Subscriptions --------------------------------------------------------------------------------
 */
static struct sub *find_sub(struct events *e, const struct uuid *id)
{
    for (size_t i = 0; i < e->n_subs; i++)
        if (uuid_eq(&e->subs[i]->id, id))
            return e->subs[i];
    return NULL;
}

static struct sub *add_sub(struct events *e, const struct uuid *id)
{
    struct sub *s = e->n_subs < BROKER_SUBS ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->id = *id;
    pthread_mutex_init(&s->lock, NULL);
    e->subs[e->n_subs++] = s;
    return s;
}

static void read_secret(struct events *e, struct sub *s)
{
    uint8_t sealed[SECRET_MAX + CRYPTO_SEAL_EXTRA];
    char id[UUID_TEXT_LEN + 1];
    const char *text = member(s->config, "secret_sealed");
    size_t n = 0;
    s->secret_n = 0;
    uuid_format(&s->id, id);
    if (text[0] && codec_unbase64url(sealed, sizeof sealed, &n, text, strlen(text)) &&
        n > CRYPTO_SEAL_EXTRA &&
        link_ring_open(e->feed_key, slice_str(id), sealed, n, s->secret) == CRYPTO_OK)
        s->secret_n = n - CRYPTO_SEAL_EXTRA;
}

static void read_sub(struct events *e, struct sub *s)
{
    const char *app = member(s->config, "app_id"), *api = member(s->config, "api_id");
    bool ids = uuid_parse(&s->app, app, strlen(app)) && uuid_parse(&s->api, api, strlen(api));
    bool webhook = strcmp(member(s->config, "mode"), "webhook") == 0;
    snprintf(s->name, sizeof s->name, "%s", member(s->config, "name"));
    snprintf(s->url, sizeof s->url, "%s", member(s->config, "url"));
    read_secret(e, s);
    s->webhook = webhook;
    s->gone = false;
    s->live = ids && strcmp(member(s->config, "state"), "active") == 0 &&
              (!webhook || (s->secret_n && s->url[0]));
    s->parked_until_ms = 0; /* whoever changed it wants it tried */
    s->failures = 0;
}

static bool put_sub(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    struct events *e = ctx;
    struct sub *s = find_sub(e, id);
    if (!s)
        s = add_sub(e, id);
    if (!s)
        return true;
    s->seen = true;
    if (s->rev == rev && s->config)
        return true;
    /* Tried only: who holds it may be waiting for the broker's, which is ours now. */
    if (pthread_mutex_trylock(&s->lock) != 0) {
        e->again = true;
        return true;
    }
    json_decref(s->config);
    s->config = json_loadb(json.p, json.n, 0, NULL);
    s->rev = rev;
    read_sub(e, s);
    pthread_mutex_unlock(&s->lock);
    return true;
}

static void end_unseen(struct events *e)
{
    for (size_t i = 0; i < e->n_topics; i++) {
        e->topics[i]->live = e->topics[i]->live && e->topics[i]->seen;
        if (!e->topics[i]->seen)
            e->topics[i]->rev = 0;
    }
    for (size_t i = 0; i < e->n_subs; i++) {
        struct sub *s = e->subs[i];
        if (s->seen || !s->config)
            continue;
        if (pthread_mutex_trylock(&s->lock) != 0) {
            e->again = true;
            continue;
        }
        s->live = s->begun = s->dirty = false;
        s->rev = 0;
        s->window.n = 0; /* what is under way is finished without a trace */
        crypto_wipe(s->secret, sizeof s->secret);
        if (!s->gone)
            state_forget(e->state, &s->id);
        s->gone = true;
        pthread_mutex_unlock(&s->lock);
    }
}

static void sweep(void *ctx, const struct uuid *id)
{
    struct events *e = ctx;
    if (!find_sub(e, id))
        state_forget(e->state, id);
}

void broker_sync(struct events *e)
{
    uint64_t version = 0, synced = 0, topics = 0, subs = 0;
    pthread_mutex_lock(&e->lock);
    if (replica_read_begin(e->reader, &version, &synced) == REPLICA_OK) {
        bool ok = replica_set_rev(e->reader, REPLICA_TOPICS, &topics) == REPLICA_OK &&
                  replica_set_rev(e->reader, REPLICA_EVENT_SUBSCRIPTIONS, &subs) == REPLICA_OK;
        if (ok && (topics != e->topics_rev || subs != e->subs_rev)) {
            e->again = false;
            for (size_t i = 0; i < e->n_topics; i++)
                e->topics[i]->seen = false;
            for (size_t i = 0; i < e->n_subs; i++)
                e->subs[i]->seen = false;
            ok = replica_set_each(e->reader, REPLICA_TOPICS, put_topic, e) == REPLICA_OK &&
                 replica_set_each(e->reader, REPLICA_EVENT_SUBSCRIPTIONS, put_sub, e) == REPLICA_OK;
            if (ok) {
                end_unseen(e);
                if (!e->swept && synced) /* a replica that is still empty says nothing */
                    state_each(e->state, sweep, e);
                e->swept = e->swept || synced;
                e->topics_rev = topics;
                e->subs_rev = e->again ? 0 : subs; /* what was missed is read the next time */
            }
        }
        replica_read_end(e->reader);
    }
    pthread_mutex_unlock(&e->lock);
}

struct topic *broker_topic(struct events *e, const struct uuid *api)
{
    for (int turn = 0; turn < 2; turn++) {
        pthread_mutex_lock(&e->lock);
        struct topic *t = find_topic(e, api);
        bool live = t && t->live;
        pthread_mutex_unlock(&e->lock);
        if (live)
            return t;
        if (turn == 0)
            broker_sync(e); /* the feed may have just brought it */
    }
    return NULL;
}

struct sub *broker_sub_by_id(struct events *e, const struct uuid *id)
{
    broker_sync(e);
    pthread_mutex_lock(&e->lock);
    struct sub *s = find_sub(e, id);
    s = s && s->gone ? NULL : s;
    pthread_mutex_unlock(&e->lock);
    return s;
}

struct sub *broker_sub(struct events *e, const struct uuid *app, const struct uuid *api,
                       struct slice name)
{
    struct sub *found = NULL;
    for (int turn = 0; turn < 2 && !found; turn++) {
        pthread_mutex_lock(&e->lock);
        for (size_t i = 0; i < e->n_subs && !found; i++) {
            struct sub *s = e->subs[i];
            if (s->live && uuid_eq(&s->app, app) && uuid_eq(&s->api, api) &&
                slice_eq(slice_str(s->name), name))
                found = s;
        }
        pthread_mutex_unlock(&e->lock);
        if (!found && turn == 0)
            broker_sync(e);
    }
    return found;
}

/* Threads --------------------------------------------------------------------------------------
 */
void broker_wake(struct events *e)
{
    stream_tick(e, clock_wall_ms(), false);
    if (e->multi)
        curl_multi_wakeup(e->multi);
}

static void keep(struct events *e, uint64_t now_ms)
{
    for (size_t i = 0;; i++) {
        pthread_mutex_lock(&e->lock);
        struct topic *t = i < e->n_topics ? e->topics[i] : NULL;
        uint64_t age = 0, bytes = 0;
        if (t && t->config) {
            age = (uint64_t)json_integer_value(json_object_get(t->config, "retention_ms"));
            bytes = (uint64_t)json_integer_value(json_object_get(t->config, "retention_bytes"));
        }
        pthread_mutex_unlock(&e->lock);
        if (!t)
            return;
        if (age && bytes)
            topic_log_trim(t->log, now_ms > age ? now_ms - age : 0, bytes);
    }
}

bool broker_ending(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    bool stop = e->stopping;
    pthread_mutex_unlock(&e->lock);
    return stop;
}

static void *clock_run(void *p)
{
    struct events *e = p;
    uint64_t kept_ms = 0;
    const struct timespec pause = {.tv_nsec = TICK_MS * 1000000L};
    while (!broker_ending(e)) {
        uint64_t now_ms = clock_wall_ms(), version = 0, synced = 0;
        broker_sync(e);
        pthread_mutex_lock(&e->lock);
        if (replica_read_begin(e->reader, &version, &synced) == REPLICA_OK)
            replica_read_end(e->reader);
        bool moved = version != e->version;
        e->version = version;
        pthread_mutex_unlock(&e->lock);
        stream_tick(e, now_ms, moved); /* a revoked grant ends what it opened */
        if (now_ms - kept_ms >= 1000) {
            decide_log_tick(e->audit, now_ms);
            keep(e, now_ms);
            kept_ms = now_ms;
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static const char *open_parts(struct events *e, const struct events_config *cfg)
{
    char path[620];
    snprintf(e->dir, sizeof e->dir, "%s/data/events", cfg->data_dir);
    if (mkdir(e->dir, 0700) != 0 && errno != EEXIST)
        return "the folder of events cannot be made";
    snprintf(path, sizeof path, "%s/state.db", e->dir);
    e->state = state_open(path);
    if (!e->state)
        return "the state of events cannot be opened";
    if (cfg->nats.url && cfg->nats.url[0]) {
        const char *why = NULL;
        e->nats = log_nats_open(&cfg->nats, &why);
        if (!e->nats)
            return why;
    }
    e->audit = decide_log_open(cfg->data_dir, cfg->node);
    if (!e->audit)
        return "the audit stream cannot be opened";
    if (replica_reader_new(&e->reader, cfg->replica) != REPLICA_OK)
        return "no reader of the replica left";
    e->key_made = pthread_key_create(&e->decider_key, destroy_decider) == 0;
    return e->key_made ? NULL : "no thread key left";
}

static void on_written(void *ctx, const char *dataset, const char *operation, const json_t *key,
                       bool gone)
{
    struct uuid id;
    (void)operation, (void)key; /* the rows are looked at: what is told is what is there */
    if (uuid_parse(&id, dataset, strlen(dataset)))
        events_dataset_changed(ctx, &id, gone);
}

struct events *events_start(const struct events_config *cfg, const char **why)
{
    struct events *e = calloc(1, sizeof *e);
    *why = "out of memory";
    if (!e)
        return NULL;
    e->replica = cfg->replica;
    e->data_dir = cfg->data_dir;
    e->private_webhooks = cfg->private_webhooks;
    memcpy(e->link_key, cfg->link_key, CRYPTO_KEY_LEN);
    crypto_derive(cfg->link_key, "events.store", e->store_key);
    crypto_derive(cfg->link_key, "feed.secret", e->feed_key);
    pthread_mutex_init(&e->lock, NULL);
    *why = open_parts(e, cfg);
    if (!*why) {
        write_on_committed(on_written, e);
        e->multi = curl_multi_init();
        broker_sync(e);
        e->clock_made = pthread_create(&e->clock, NULL, clock_run, e) == 0;
        e->pusher_made = e->multi && pthread_create(&e->pusher, NULL, push_run, e) == 0;
        e->poller_made = pthread_create(&e->poller, NULL, poll_run, e) == 0;
        if (!e->clock_made || !e->pusher_made || !e->poller_made)
            *why = "no thread left";
    }
    if (*why) {
        events_stop(e);
        events_free(&e);
    }
    return e;
}

void events_stop(struct events *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    pthread_mutex_unlock(&e->lock);
    stream_tick(e, clock_wall_ms(), true);
    if (e->multi)
        curl_multi_wakeup(e->multi);
    if (e->clock_made)
        pthread_join(e->clock, NULL);
    if (e->pusher_made)
        pthread_join(e->pusher, NULL);
    if (e->poller_made)
        pthread_join(e->poller, NULL);
    e->clock_made = e->pusher_made = e->poller_made = false;
}

static void free_sub(struct sub *s)
{
    topic_reader_free(&s->reader);
    topic_reader_free(&s->again);
    json_decref(s->config);
    pthread_mutex_destroy(&s->lock);
    crypto_wipe(s->secret, sizeof s->secret);
    free(s);
}

void events_free(struct events **slot)
{
    struct events *e = *slot;
    if (!e)
        return;
    write_on_committed(NULL, NULL);
    if (e->nats)
        log_nats_stop(e->nats);
    for (size_t i = 0; i < e->n_subs; i++) {
        if (e->subs[i]->dirty)
            (void)!state_set_position(e->state, &e->subs[i]->id, e->subs[i]->window.acked);
        free_sub(e->subs[i]);
    }
    for (size_t i = 0; i < e->n_topics; i++) {
        topic_log_close(&e->topics[i]->log);
        json_decref(e->topics[i]->config);
        free(e->topics[i]);
    }
    log_nats_close(&e->nats);
    if (e->multi)
        curl_multi_cleanup(e->multi);
    state_close(&e->state);
    decide_log_close(&e->audit);
    if (e->reader)
        replica_reader_free(&e->reader);
    if (e->key_made)
        pthread_key_delete(e->decider_key);
    pthread_mutex_destroy(&e->lock);
    crypto_wipe(e->link_key, sizeof e->link_key);
    crypto_wipe(e->store_key, sizeof e->store_key);
    crypto_wipe(e->feed_key, sizeof e->feed_key);
    free(e);
    *slot = NULL;
}

void events_dataset_changed(struct events *e, const struct uuid *dataset, bool gone)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(dataset, id);
    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < e->n_topics; i++)
        if (e->topics[i]->config && strcmp(member(e->topics[i]->config, "dataset_id"), id) == 0) {
            e->topics[i]->poll_now = true;
            e->topics[i]->sweep_now = e->topics[i]->sweep_now || gone;
        }
    pthread_mutex_unlock(&e->lock);
}
