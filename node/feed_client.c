/* SPDX-License-Identifier: Apache-2.0 */
/* Follows the change feed (contract/feed.md). The cursor lives in the replica, written in the same
 * transaction as the entries it stands for, so this file keeps no state worth saving. */
#include <curl/curl.h>
#include <inttypes.h>
#include <jansson.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "node/node.h"
#include "node/tls.h"
#include "replica/replica.h"

#define WAIT_MS          1000 /* an empty answer is the heartbeat that staleness is measured by */
#define CONNECT_MS       2000L
#define STALL_S          15L /* no byte for so long: the connection is dead */
#define ANSWER_MAX_BYTES ((size_t)2 << 30)
#define BATCH_MAX        5000 /* contract/feed.md: a fuller answer is none, so more may be waiting */
#define TRIM_BYTES       (8u << 20)
#define BACKOFF_MIN_MS   50
#define BACKOFF_MAX_MS   2000
#define BACKOFF_FIRST_MS 200  /* until it has followed once: nothing is served before */
#define TELL_MS          2000 /* all roles start at once: a moment without control is no news */

struct node_feed {
    struct node_feed_config cfg;
    pthread_t thread;
    atomic_bool stopping;

    /* owned by the thread */
    CURL *curl;
    struct buf body;
    char reason[CURL_ERROR_SIZE];
    struct replica_cursor cursor;
    unsigned backoff_ms;
    uint64_t good_ms; /* monotonic: when control last answered, or the start */
    bool told;        /* that it does not */
    bool followed;    /* once, since the start */
    struct node_identity identity;
};

static __attribute__((format(printf, 1, 2))) void say(const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fprintf(stderr, "sluice: feed: %s\n", text);
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *body = ctx;
    if (n > ANSWER_MAX_BYTES - body->n) {
        return 0;
    }
    buf_add(body, p, size * n);
    return body->failed ? 0 : n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct node_feed *feed = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(&feed->stopping);
}

static bool setup(struct node_feed *f)
{
    f->curl = curl_easy_init();
    if (f->curl == NULL) {
        return false;
    }
    CURLcode rc[] = {
        curl_easy_setopt(f->curl, CURLOPT_PROTOCOLS_STR, "https"),
        curl_easy_setopt(f->curl, CURLOPT_PROXY, ""),
        curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L),
        curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS),
        curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_LIMIT, 1L),
        curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_TIME, STALL_S),
        curl_easy_setopt(f->curl, CURLOPT_NOPROGRESS, 0L),
        curl_easy_setopt(f->curl, CURLOPT_XFERINFOFUNCTION, on_progress),
        curl_easy_setopt(f->curl, CURLOPT_XFERINFODATA, f),
        curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_body),
        curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, &f->body),
        curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, f->reason),
    };
    for (size_t i = 0; i < sizeof rc / sizeof *rc; i++) {
        if (rc[i] != CURLE_OK) {
            return false;
        }
    }
    if (!node_identity_load(&f->identity, f->cfg.certificate, f->cfg.key)) {
        return false;
    }
    node_identity_show(&f->identity, f->curl, f->cfg.ca);
    return true;
}

/* One long poll; the body is in f->body afterwards. */
static bool ask(struct node_feed *f)
{
    char url[1024], epoch[CODEC_HEX_LEN(REPLICA_EPOCH_LEN) + 1] = "";
    codec_hex(epoch, f->cursor.epoch, REPLICA_EPOCH_LEN);
    int n = snprintf(url, sizeof url,
                     "%s/feed/v1/changes?epoch=%s&after=%" PRIu64 "&kinds=%s&wait_ms=%d",
                     f->cfg.control, epoch, f->cursor.seq, f->cfg.kinds, WAIT_MS);
    if (n < 0 || (size_t)n >= sizeof url) {
        snprintf(f->reason, sizeof f->reason, "the address is too long");
        return false;
    }
    long status = 0;
    buf_clear(&f->body);
    f->reason[0] = '\0';
    curl_easy_setopt(f->curl, CURLOPT_URL, url);
    CURLcode rc = curl_easy_perform(f->curl);
    if (rc != CURLE_OK) {
        if (f->reason[0] == '\0') {
            snprintf(f->reason, sizeof f->reason, "%s", curl_easy_strerror(rc));
        }
        return false;
    }
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        snprintf(f->reason, sizeof f->reason, "the control plane answers %ld", status);
    }
    return status == 200;
}

/* Kinds whose records restrict: without one more would be allowed, not less. */
static bool restricts(const char *kind, enum replica_set *set)
{
    static const struct {
        const char *kind;
        enum replica_set set;
    } rows[] = {
        {"limit", REPLICA_LIMITS}, {"list", REPLICA_LISTS}, {"algorithm", REPLICA_ALGORITHMS}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows && kind != NULL; i++) {
        if (strcmp(rows[i].kind, kind) == 0) {
            *set = rows[i].set;
            return true;
        }
    }
    return false;
}

struct kept {
    struct uuid id;
    json_t *data; /* NULL: there is no such record */
};

static bool keep_one(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    struct kept *kept = ctx;
    (void)rev;
    if (!uuid_eq(id, &kept->id)) {
        return true;
    }
    kept->data = json_loadb(json.p, json.n, 0, NULL);
    return false;
}

/* The record as the replica has it; the caller's to free. */
static json_t *old_data(struct replica *replica, enum replica_set set, const char *id)
{
    struct kept kept = {.data = NULL};
    struct replica_reader *reader = NULL;
    uint64_t version, synced_ms;
    if (id == NULL || !uuid_parse(&kept.id, id, strlen(id)) ||
        replica_reader_new(&reader, replica) != REPLICA_OK) {
        return NULL;
    }
    if (replica_read_begin(reader, &version, &synced_ms) == REPLICA_OK) {
        if (replica_set_each(reader, set, keep_one, &kept) != REPLICA_OK && kept.data == NULL) {
            say("the replica cannot be read for what %s was", id);
        }
        replica_read_end(reader);
    }
    replica_reader_free(&reader);
    return kept.data;
}

/* True: a readable entry that leaves the record as it was stands in the unreadable one's place, so
 * that a reset keeps it too. */
static bool keep_old(struct node_feed *f, json_t *entry, enum replica_set set, const char *id)
{
    json_t *data = old_data(f->cfg.replica, set, id);
    if (data == NULL) {
        return false;
    }
    json_object_set_new(entry, "op", json_string("put"));
    json_object_set_new(entry, "data", data);
    return replica_entry_readable(entry);
}

/* A user whose record cannot be read may call nothing; without a record nothing would bound them.
 */
static void neutralise_entry(json_t *entry, const char *kind)
{
    bool user = kind != NULL && strcmp(kind, "user-apis") == 0;
    json_object_set_new(entry, "op", json_string(user ? "put" : "del"));
    if (user) {
        json_object_set_new(entry, "data", json_pack("{s:s, s:[]}", "mode", "only", "apis"));
    }
}

/* An entry we cannot read must not stop those behind it, revocations among them. What permits goes,
 * so whatever it would have allowed is refused; what restricts stays as it was. A restriction that
 * never was readable cannot be obeyed: nothing is made up in its place (a block of everything would
 * be an outage by one bad record), but the operators are told, for the node's policy lacks it. */
static void neutralise_one(struct node_feed *f, json_t *entry, const char *kind, const char *id)
{
    enum replica_set set;
    bool restriction = restricts(kind, &set);
    const char *fate = "what it names is refused until it is put right";
    if (restriction && keep_old(f, entry, set, id)) {
        fate = "its last readable state stays in force";
    } else {
        fate = restriction ? "this restriction is NOT in force until it is put right" : fate;
        neutralise_entry(entry, kind);
    }
    say("cannot read the entry of %s %s: %s", kind ? kind : "(no kind)", id ? id : "(no id)", fate);
    if (f->cfg.unreadable != NULL) {
        f->cfg.unreadable(f->cfg.ctx, kind, id, fate);
    }
}

static void neutralise(struct node_feed *f, json_t *entries)
{
    for (size_t i = json_array_size(entries); i-- > 0;) {
        json_t *entry = json_array_get(entries, i);
        if (replica_entry_readable(entry)) {
            continue;
        }
        if (json_is_object(entry)) {
            neutralise_one(f, entry, json_string_value(json_object_get(entry, "kind")),
                           json_string_value(json_object_get(entry, "id")));
        }
        if (!replica_entry_readable(entry)) {
            json_array_remove(entries, i);
        }
    }
}

static bool apply(struct node_feed *f, json_t *entries, const struct replica_cursor *to, bool reset)
{
    size_t bad, n = json_array_size(entries);
    bool durable = n > 0 || reset;
    enum replica_err err = replica_apply(f->cfg.replica, entries, to, reset, durable, &bad);
    if (err == REPLICA_EFORMAT) {
        neutralise(f, entries);
        err = replica_apply(f->cfg.replica, entries, to, reset, durable, &bad);
    }
    if (err != REPLICA_OK) {
        snprintf(f->reason, sizeof f->reason, "%s", replica_strerror(err));
        if (err == REPLICA_EFORMAT) { /* the replica contradicts itself: have it made anew */
            memset(&f->cursor, 0, sizeof f->cursor);
        }
        return false;
    }
    f->cursor = *to;
    if (durable && f->cfg.changed != NULL) {
        f->cfg.changed(f->cfg.ctx);
    }
    return true;
}

static bool read_cursor(const json_t *answer, struct replica_cursor *cursor)
{
    const json_t *last = json_object_get(answer, "last"), *epoch = json_object_get(answer, "epoch");
    size_t n = 0;
    if (!json_is_integer(last) || json_integer_value(last) < 0 || !json_is_string(epoch) ||
        !codec_unhex(cursor->epoch, sizeof cursor->epoch, &n, json_string_value(epoch),
                     json_string_length(epoch))) {
        return false;
    }
    cursor->seq = (uint64_t)json_integer_value(last);
    return n == sizeof cursor->epoch;
}

static bool take_answer(struct node_feed *f, json_t *answer)
{
    struct replica_cursor to = {.seq = 0};
    json_t *entries = json_object_get(answer, "entries");
    bool reset = json_is_true(json_object_get(answer, "reset"));
    if (!json_is_array(entries) || !read_cursor(answer, &to)) {
        snprintf(f->reason, sizeof f->reason, "the answer is not a feed's");
        return false;
    }
    bool follows =
        to.seq >= f->cursor.seq && memcmp(to.epoch, f->cursor.epoch, sizeof to.epoch) == 0;
    if (!reset && !follows) {
        snprintf(f->reason, sizeof f->reason, "the feed is of another store: resynchronising");
        memset(&f->cursor, 0, sizeof f->cursor);
        return false;
    }
    bool up_to_date = reset || json_array_size(entries) < BATCH_MAX;
    to.synced_ms = up_to_date ? clock_wall_ms() : f->cursor.synced_ms;
    if (reset) {
        say("taking the whole state: %zu entries", json_array_size(entries));
    }
    return apply(f, entries, &to, reset);
}

static bool step(struct node_feed *f)
{
    json_error_t error;
    if (!ask(f)) {
        return false;
    }
    size_t bytes = f->body.n;
    json_t *answer = json_loadb(f->body.p, bytes, 0, &error);
    if (answer == NULL) {
        snprintf(f->reason, sizeof f->reason, "the answer is not JSON: %s", error.text);
        return false;
    }
    bool ok = take_answer(f, answer);
    json_decref(answer);
    if (bytes > TRIM_BYTES) { /* a whole state is rare and large: give the memory back */
        buf_wipe(&f->body);
        malloc_trim(0);
    }
    return ok;
}

static void pause_ms(struct node_feed *f, unsigned ms)
{
    for (; ms > 0 && !atomic_load(&f->stopping); ms -= ms < 50 ? ms : 50) {
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
}

static void *follow(void *ctx)
{
    struct node_feed *f = ctx;
    while (!atomic_load(&f->stopping)) {
        if (step(f)) {
            if (f->told) {
                say("following %s again from %" PRIu64, f->cfg.control, f->cursor.seq);
            }
            f->told = false;
            f->followed = true;
            f->good_ms = clock_mono_us() / 1000;
            f->backoff_ms = BACKOFF_MIN_MS;
            continue;
        }
        bool long_ago = clock_mono_us() / 1000 - f->good_ms > TELL_MS;
        if (long_ago && !f->told && !atomic_load(&f->stopping)) {
            say("%s: %s; going on with what is here", f->cfg.control, f->reason);
            f->told = true;
        }
        pause_ms(f, f->backoff_ms);
        unsigned most = f->followed ? BACKOFF_MAX_MS : BACKOFF_FIRST_MS;
        f->backoff_ms = f->backoff_ms * 2 < most ? f->backoff_ms * 2 : most;
    }
    return NULL;
}

static void feed_free(struct node_feed *f)
{
    if (f->curl != NULL) {
        curl_easy_cleanup(f->curl);
    }
    node_identity_fini(&f->identity);
    buf_wipe(&f->body);
    free(f);
}

struct node_feed *node_feed_start(const struct node_feed_config *cfg)
{
    struct node_feed *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return NULL;
    }
    f->cfg = *cfg;
    f->backoff_ms = BACKOFF_MIN_MS;
    f->good_ms = clock_mono_us() / 1000;
    buf_init(&f->body);
    if (!setup(f) || replica_cursor(cfg->replica, &f->cursor) != REPLICA_OK ||
        pthread_create(&f->thread, NULL, follow, f) != 0) {
        feed_free(f);
        return NULL;
    }
    return f;
}

void node_feed_stop(struct node_feed **feed)
{
    if (*feed == NULL) {
        return;
    }
    atomic_store(&(*feed)->stopping, true);
    pthread_join((*feed)->thread, NULL);
    feed_free(*feed);
    *feed = NULL;
}
