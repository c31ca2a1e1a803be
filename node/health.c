/* SPDX-License-Identifier: Apache-2.0 */
#include "node/health.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "node/report.h"
#include "node/tls.h"
#include "replica/replica.h"
#include "targets/targets.h"

#define PROBES       4096
#define PARALLEL     64
#define RISE         2
#define FALL         3
#define TICK_MS      100
#define SCAN_MS      1000
#define TARGETS_FILE 4096 /* as gateway/targets.c */
#define PATH_ROOM    700
#define TEXT_MAX     300

struct probe {
    uint64_t id, scan, next_ms, interval_ms;
    long timeout_ms;
    struct uuid api;
    char host[TEXT_MAX], address[TEXT_MAX], url[TEXT_MAX + 64];
    bool down;
    CURL *easy; /* NULL: not being asked */
    struct curl_slist *headers, *connect_to;
};

struct node_health {
    struct node_health_config cfg;
    pthread_t thread;
    atomic_bool stopping;

    /* owned by the thread */
    CURLM *multi;
    struct targets *targets;
    struct replica_reader *reader;
    struct probe **probes;
    size_t n, running;
    uint64_t version, scan, scanned_ms;
    char events_dir[PATH_ROOM];
    struct node_identity identity;
};

static const struct targets_config config = {.ratio_calls = 1,
                                             .window_ms = 1000,
                                             .open_ms = 100,
                                             .open_max_ms = 100,
                                             .probe_ms = 100,
                                             .rise = RISE,
                                             .fall = FALL};

/* Which targets are asked ----------------------------------------------------------------------
 */

static struct probe *find(struct node_health *h, uint64_t id)
{
    for (size_t i = 0; i < h->n; i++) {
        if (h->probes[i]->id == id) {
            return h->probes[i];
        }
    }
    struct probe *fresh = h->n < PROBES ? calloc(1, sizeof *fresh) : NULL;
    if (fresh != NULL) {
        fresh->id = id;
        h->probes[h->n++] = fresh;
    }
    return fresh;
}

static bool on_api(void *ctx, const struct replica_api *api)
{
    struct node_health *h = ctx;
    for (size_t i = 0; api->health_path.n > 0 && i < api->n_targets; i++) {
        const struct replica_target *t = &api->targets[i];
        struct probe *p = find(h, targets_id(api->policy.id.b, t->host, t->path));
        if (p == NULL || p->easy != NULL) {
            continue; /* one that is being asked is read anew in the next scan */
        }
        p->api = api->policy.id;
        p->interval_ms = api->health_interval_ms;
        p->timeout_ms = (long)api->health_timeout_ms;
        snprintf(p->host, sizeof p->host, "%.*s", SLICE_FMT(t->host));
        snprintf(p->address, sizeof p->address, "::%.*s", SLICE_FMT(t->address));
        snprintf(p->url, sizeof p->url, "%s://%.*s%.*s", t->tls ? "https" : "http",
                 SLICE_FMT(t->host), SLICE_FMT(api->health_path));
        p->scan = t->address.n > 0 ? h->scan : 0;
    }
    return !atomic_load(&h->stopping);
}

static void drop_unseen(struct node_health *h)
{
    for (size_t i = h->n; i-- > 0;) {
        if (h->probes[i]->scan != h->scan && h->probes[i]->easy == NULL) {
            free(h->probes[i]);
            h->probes[i] = h->probes[--h->n];
        }
    }
}

static void scan(struct node_health *h, uint64_t now_ms)
{
    uint64_t version, synced_ms;
    if (now_ms - h->scanned_ms < SCAN_MS ||
        replica_read_begin(h->reader, &version, &synced_ms) != REPLICA_OK) {
        return;
    }
    h->scanned_ms = now_ms;
    if (version != h->version || h->scan == 0) {
        h->scan++;
        /* A record that cannot be read is nobody's target; the rest was visited. */
        (void)!replica_each_api(h->reader, on_api, h);
        h->version = h->running > 0 ? 0 : version;
        drop_unseen(h);
    }
    replica_read_end(h->reader);
}

/* Asking --------------------------------------------------------------------------------------- */

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    (void)p, (void)ctx;
    return size * n;
}

/* As the gateway asks a target over TLS: docs/upstreams.md. */
static void set_tls(const struct node_health *h, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    node_identity_show(&h->identity, easy, h->cfg.ca);
}

static void free_lists(struct probe *p)
{
    curl_slist_free_all(p->headers);
    curl_slist_free_all(p->connect_to);
    p->headers = p->connect_to = NULL;
}

static void begin(struct node_health *h, struct probe *p)
{
    char host[TEXT_MAX + 8];
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return;
    }
    snprintf(host, sizeof host, "Host: %s", p->host);
    p->headers = curl_slist_append(NULL, host);
    p->connect_to = curl_slist_append(NULL, p->address); /* "::10.0.0.7:80": it is looked up */
    set_tls(h, easy);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_URL, p->url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, p->connect_to);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, p->headers);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, p->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, 1024L * 1024);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, p);
    if (curl_multi_add_handle(h->multi, easy) != CURLM_OK) {
        curl_easy_cleanup(easy);
        free_lists(p);
        return;
    }
    p->easy = easy;
    h->running++;
}

static void end(struct node_health *h, struct probe *p)
{
    curl_multi_remove_handle(h->multi, p->easy);
    curl_easy_cleanup(p->easy);
    free_lists(p);
    p->easy = NULL;
    h->running--;
}

static void tell(struct node_health *h, struct probe *p, enum targets_event event)
{
    struct uuid id;
    char text[UUID_TEXT_LEN + 1], api[UUID_TEXT_LEN + 1];
    bool down = event == TARGETS_WENT_DOWN;
    if ((event != TARGETS_WENT_UP && !down) || down == p->down) {
        return; /* the first time a target is found well is no news */
    }
    p->down = down;
    uuid_new(&id);
    uuid_format(&id, text);
    uuid_format(&p->api, api);
    json_t *line =
        json_pack("{s:s, s:I, s:s, s:s, s:s}", "id", text, "at", (json_int_t)clock_wall_ms(),
                  "kind", down ? "target-down" : "target-up", "api_id", api, "target", p->host);
    if (line == NULL || !spool_add(h->events_dir, line)) {
        fprintf(stderr, "sluice: health: %s is %s: the event is lost\n", p->host,
                down ? "down" : "up");
    }
    json_decref(line);
}

static void take(struct node_health *h, struct probe *p, CURLcode rc)
{
    long status = 0;
    char label[UUID_TEXT_LEN + 1];
    curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
    end(h, p);
    uuid_format(&p->api, label);
    bool well = rc == CURLE_OK && status >= 200 && status < 300;
    tell(h, p,
         targets_health_set(h->targets, p->id, label, &config, well, targets_now(h->targets)));
}

static void step(struct node_health *h)
{
    CURLMsg *message;
    int left, active;
    uint64_t now_ms = clock_mono_us() / 1000;
    scan(h, now_ms);
    for (size_t i = 0; i < h->n && h->running < PARALLEL; i++) {
        struct probe *p = h->probes[i];
        if (p->easy == NULL && p->scan == h->scan && now_ms >= p->next_ms) {
            p->next_ms = now_ms + p->interval_ms;
            begin(h, p);
        }
    }
    curl_multi_perform(h->multi, &active);
    while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
        struct probe *p = NULL;
        CURLcode rc = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &p);
        take(h, p, rc);
    }
    curl_multi_poll(h->multi, NULL, 0, TICK_MS, NULL);
}

/* Life ----------------------------------------------------------------------------------------- */

static void *follow(void *ctx)
{
    struct node_health *h = ctx;
    while (!atomic_load(&h->stopping)) {
        step(h);
    }
    return NULL;
}

static void health_free(struct node_health *h)
{
    for (size_t i = 0; i < h->n; i++) {
        if (h->probes[i]->easy != NULL) {
            end(h, h->probes[i]);
        }
        free(h->probes[i]);
    }
    free(h->probes);
    curl_multi_cleanup(h->multi);
    replica_reader_free(&h->reader);
    targets_close(&h->targets);
    node_identity_fini(&h->identity);
    free(h);
}

static bool setup(struct node_health *h)
{
    char path[PATH_ROOM];
    int n = snprintf(path, sizeof path, "%s/targets", h->cfg.state_dir);
    int m = snprintf(h->events_dir, sizeof h->events_dir, "%s/events", h->cfg.state_dir);
    h->probes = calloc(PROBES, sizeof *h->probes);
    h->multi = curl_multi_init();
    return n > 0 && n < PATH_ROOM && m > 0 && m < PATH_ROOM && h->probes != NULL &&
           h->multi != NULL && targets_open(&h->targets, path, TARGETS_FILE) == TARGETS_OK &&
           replica_reader_new(&h->reader, h->cfg.replica) == REPLICA_OK &&
           node_identity_load(&h->identity, h->cfg.certificate, h->cfg.key);
}

struct node_health *node_health_start(const struct node_health_config *cfg)
{
    struct node_health *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return NULL;
    }
    h->cfg = *cfg;
    if (!setup(h) || pthread_create(&h->thread, NULL, follow, h) != 0) {
        health_free(h);
        return NULL;
    }
    return h;
}

void node_health_stop(struct node_health **health)
{
    if (*health == NULL) {
        return;
    }
    atomic_store(&(*health)->stopping, true);
    pthread_join((*health)->thread, NULL);
    health_free(*health);
    *health = NULL;
}
