/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: one thread, many receivers side by side. A receiver that fails is tried again later and
 * later, an event that fails too often becomes a dead letter, and a receiver that fails all the
 * time is left alone but for a try now and then: none holds up another. Signed as Standard Webhooks
 * says (HMAC-SHA256 over id.time.body). */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/codec.h"
#include "data/events/broker.h"

#define REQUESTS     4 /* of one receiver at once */
#define REQUESTS_ALL 256
#define BATCH_MAX    100
#define BODY_MAX     (1u << 20)
#define ANSWER_MAX   65536 /* bytes a receiver may say */
#define POLL_MS      100
#define CONNECT_MS   3000L
#define BACKOFF_MAX  3600000u
#define PARK_AFTER   8 /* failures in a row */
#define SAVE_MS      1000
#define AWAY_MS      500 /* until a log that does not answer is asked again */

struct request {
    struct sub *sub;
    CURL *curl;
    struct curl_slist *headers;
    struct buf body;
    uint64_t seqs[BATCH_MAX];
    size_t n, heard;
    struct request *next;
};

static struct request *under_way; /* the pusher's alone */

static size_t hear(char *p, size_t size, size_t n, void *ctx)
{
    struct request *r = ctx;
    (void)p;
    r->heard += size * n;
    return r->heard > ANSWER_MAX ? 0 : size * n;
}

static curl_socket_t open_public(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)ctx, (void)purpose;
    if (address_is_private(&address->addr))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void request_free(struct request *r)
{
    curl_slist_free_all(r->headers);
    curl_easy_cleanup(r->curl);
    buf_wipe(&r->body);
    free(r);
}

static json_int_t setting(const struct sub *s, const char *name)
{
    return json_integer_value(json_object_get(s->config, name));
}

static bool add_header(struct request *r, const char *format, const char *value)
{
    char text[300];
    snprintf(text, sizeof text, format, value);
    struct curl_slist *more = curl_slist_append(r->headers, text);
    r->headers = more ? more : r->headers;
    return more != NULL;
}

static bool sign(struct request *r, const struct sub *s, const char *id)
{
    uint8_t mac[CRYPTO_HASH_LEN];
    char now[24], signature[CODEC_BASE64_LEN(CRYPTO_HASH_LEN) + 1];
    snprintf(now, sizeof now, "%llu", (unsigned long long)(clock_wall_ms() / 1000));
    struct crypto_hmac *h = crypto_hmac_new(CRYPTO_SHA256, s->secret, s->secret_n);
    if (!h)
        return false;
    crypto_hmac_begin(h);
    crypto_hmac_add(h, id, strlen(id));
    crypto_hmac_add(h, ".", 1);
    crypto_hmac_add(h, now, strlen(now));
    crypto_hmac_add(h, ".", 1);
    crypto_hmac_add(h, r->body.p, r->body.n);
    crypto_hmac_end(h, mac);
    crypto_hmac_free(&h);
    signature[codec_base64(signature, mac, sizeof mac)] = '\0';
    return add_header(r, "webhook-id: %s", id) && add_header(r, "webhook-timestamp: %s", now) &&
           add_header(r, "webhook-signature: v1,%s", signature);
}

static bool prepare(struct events *e, struct request *r, const struct sub *s, bool batch,
                    const struct uuid *txn)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(txn, id);
    r->curl = curl_easy_init();
    if (!r->curl || !sign(r, s, id) || !add_header(r, "Sluice-Transaction: %s", id) ||
        !add_header(r, "Content-Type: %s",
                    batch ? "application/cloudevents-batch+json" : "application/cloudevents+json"))
        return false;
    curl_easy_setopt(r->curl, CURLOPT_PRIVATE, r);
    curl_easy_setopt(r->curl, CURLOPT_URL, s->url);
    curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, r->headers);
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, r->body.p);
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
    curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, (long)setting(s, "timeout_ms"));
    curl_easy_setopt(r->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(r->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, hear);
    curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, e->private_webhooks ? "http,https" : "https");
    if (!e->private_webhooks)
        curl_easy_setopt(r->curl, CURLOPT_OPENSOCKETFUNCTION, open_public);
    return true;
}

/* The events into the body, each decided and masked now; those the app may not have are dropped. */
static bool fill(struct events *e, struct request *r, struct sub *s, struct item **items, size_t n,
                 bool batch, struct uuid *txn)
{
    struct delivery d;
    struct event event;
    uint64_t seqs[BATCH_MAX];
    bool ok = true;
    deliver_begin(&d, e, s->topic, &s->app);
    d.method = POLICY_POST;
    *txn = d.txn;
    for (size_t i = 0; i < n; i++)
        seqs[i] = items[i]->seq;
    buf_adds(&r->body, batch ? "[" : "");
    for (size_t i = 0; i < n && ok; i++) {
        enum log_read read = r->body.n > BODY_MAX ? LOG_AWAY : window_event(s, seqs[i], &event);
        if (read == LOG_AWAY) {
            window_later(s, seqs[i], r->body.n > BODY_MAX ? 0 : clock_wall_ms() + AWAY_MS);
            continue;
        }
        size_t before = r->body.n;
        buf_adds(&r->body, batch && r->n ? "," : "");
        enum deliver given =
            read == LOG_READ ? deliver_event(&d, &event, &r->body) : DELIVER_REFUSED;
        ok = given != DELIVER_FAILED;
        if (given == DELIVER_GIVEN) {
            r->seqs[r->n++] = seqs[i];
        } else {
            r->body.n = before;
            window_done(e, s, seqs[i], false);
        }
    }
    buf_adds(&r->body, batch ? "]" : "");
    return deliver_end(&d) && ok && !r->body.failed;
}

static void give_back(struct sub *s, const uint64_t *seqs, size_t n, uint64_t ready_ms)
{
    for (size_t i = 0; i < n; i++)
        window_later(s, seqs[i], ready_ms);
}

/* One request more to the receiver; false: nothing for it now. */
static bool send_next(struct events *e, struct sub *s, uint64_t now_ms)
{
    struct item *items[BATCH_MAX];
    struct uuid txn;
    uint64_t seqs[BATCH_MAX];
    size_t max = (size_t)setting(s, "batch");
    size_t n = window_take(s, now_ms, UINT64_MAX, max < BATCH_MAX ? max : BATCH_MAX, items);
    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        seqs[i] = items[i]->seq;
    struct request *r = calloc(1, sizeof *r);
    if (!r) {
        give_back(s, seqs, n, now_ms + 1000);
        return false;
    }
    buf_init(&r->body);
    r->sub = s;
    bool ok = fill(e, r, s, items, n, max > 1, &txn);
    if (ok && r->n == 0) { /* none of them was for this app */
        request_free(r);
        return true;
    }
    if (!ok || !prepare(e, r, s, max > 1, &txn) ||
        curl_multi_add_handle(e->multi, r->curl) != CURLM_OK) {
        give_back(s, seqs, n, now_ms + 1000);
        request_free(r);
        return false;
    }
    s->in_flight++;
    r->next = under_way;
    under_way = r;
    return true;
}

static size_t pump(struct events *e, struct sub *s, uint64_t now_ms)
{
    size_t before, allowed;
    pthread_mutex_lock(&s->lock);
    before = s->in_flight;
    allowed = s->failures >= PARK_AFTER ? 1 : REQUESTS;
    if (s->live && s->webhook && now_ms >= s->parked_until_ms) {
        window_fill(e, s);
        while (s->begun && s->topic->live && s->in_flight < allowed && send_next(e, s, now_ms))
            ;
    }
    size_t now = s->in_flight;
    pthread_mutex_unlock(&s->lock);
    return now > before ? now - before : 0;
}

/* Doubled at each attempt, and a quarter more or less so that receivers of one outage are not all
 * asked again at one instant. */
static uint64_t backoff(const struct sub *s, unsigned attempts)
{
    uint64_t ms = (uint64_t)setting(s, "backoff_ms") << (attempts < 12 ? attempts - 1 : 11);
    uint32_t random;
    crypto_random((uint8_t *)&random, sizeof random);
    ms = ms < BACKOFF_MAX ? ms : BACKOFF_MAX;
    return ms - ms / 4 + random % (ms / 2 + 1);
}

static void failed(struct events *e, struct request *r, uint64_t now_ms)
{
    struct sub *s = r->sub;
    unsigned attempts = (unsigned)setting(s, "attempts");
    s->failures++;
    for (size_t i = 0; i < r->n; i++) {
        struct item *it = window_find(s, r->seqs[i]);
        if (!it)
            continue;
        it->attempts++;
        if (it->attempts >= attempts &&
            state_bury(e->state, &s->id, it->seq, it->attempts, s->last_error, now_ms)) {
            s->dead++;
            window_done(e, s, r->seqs[i], true);
            continue;
        }
        it->state = ITEM_WAITING;
        it->ready_ms = now_ms + backoff(s, it->attempts);
    }
    if (s->failures >= PARK_AFTER)
        s->parked_until_ms = now_ms + backoff(s, s->failures - PARK_AFTER + 2);
}

static void finish(struct events *e, struct request *r, CURLcode result)
{
    struct sub *s = r->sub;
    long status = 0;
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    pthread_mutex_lock(&s->lock);
    s->in_flight--;
    if (result == CURLE_OK && status >= 200 && status < 300) {
        s->failures = 0;
        s->last_error[0] = '\0';
        s->delivered += r->n;
        for (size_t i = 0; i < r->n; i++)
            window_done(e, s, r->seqs[i], false);
    } else {
        if (result == CURLE_OK)
            snprintf(s->last_error, sizeof s->last_error, "answered %ld", status);
        else if (r->heard > ANSWER_MAX)
            snprintf(s->last_error, sizeof s->last_error, "its answer was too large");
        else
            snprintf(s->last_error, sizeof s->last_error, "%s", curl_easy_strerror(result));
        failed(e, r, clock_wall_ms());
    }
    pthread_mutex_unlock(&s->lock);
}

static void collect(struct events *e, size_t *running)
{
    struct CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(e->multi, &left))) {
        struct request *r = NULL;
        if (m->msg != CURLMSG_DONE ||
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r) != CURLE_OK || !r)
            continue;
        CURLcode result = m->data.result;
        curl_multi_remove_handle(e->multi, r->curl);
        struct request **at = &under_way;
        while (*at && *at != r)
            at = &(*at)->next;
        if (*at)
            *at = r->next;
        finish(e, r, result);
        request_free(r);
        *running -= *running > 0;
    }
}

static struct sub *nth(struct events *e, size_t i)
{
    pthread_mutex_lock(&e->lock);
    struct sub *s = i < e->n_subs ? e->subs[i] : NULL;
    pthread_mutex_unlock(&e->lock);
    return s;
}

static void save(struct events *e)
{
    struct sub *s;
    for (size_t i = 0; (s = nth(e, i)); i++) {
        pthread_mutex_lock(&s->lock);
        if (s->dirty && s->begun)
            s->dirty = !state_set_position(e->state, &s->id, s->window.acked);
        pthread_mutex_unlock(&s->lock);
    }
}

/* Requests under way at the end are forgotten: what they carried is sent again. */
static void abandon(struct events *e)
{
    while (under_way) {
        struct request *r = under_way;
        under_way = r->next;
        curl_multi_remove_handle(e->multi, r->curl);
        request_free(r);
    }
}

void *push_run(void *p)
{
    struct events *e = p;
    uint64_t saved_ms = 0;
    size_t running = 0;
    int active = 0;
    while (!broker_ending(e)) {
        uint64_t now_ms = clock_wall_ms();
        struct sub *s;
        for (size_t i = 0; running < REQUESTS_ALL && (s = nth(e, i)); i++)
            running += pump(e, s, now_ms);
        curl_multi_perform(e->multi, &active);
        collect(e, &running);
        if (now_ms - saved_ms >= SAVE_MS) {
            save(e);
            saved_ms = now_ms;
        }
        curl_multi_poll(e->multi, NULL, 0, POLL_MS, NULL);
    }
    abandon(e);
    return NULL;
}
