/* SPDX-License-Identifier: Apache-2.0 */
#include "node/report.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "node/tls.h"
#include "node/usage.h"

#define EVERY_MS       5000
#define LOOK_MS        200
#define CONNECT_MS     2000L
#define ALL_MS         10000L
#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 5000
#define ANSWER_MAX     4096
#define PATH_ROOM      700

struct node_report {
    struct node_report_config cfg;
    pthread_t thread;
    atomic_bool stopping;

    /* owned by the thread */
    CURL *curl;
    struct curl_slist *headers;
    struct spool *spool;
    struct usage *usage;
    bool without_usage; /* after a report with it was refused: is that the reason? */
    struct buf answer;
    char events_dir[PATH_ROOM], url[1024];
    size_t most; /* events in the next report: fewer after one was refused */
    unsigned backoff_ms;
    bool told; /* that the control plane does not take reports */
    struct node_identity identity;
};

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *answer = ctx;
    if (answer->n + size * n <= ANSWER_MAX) {
        buf_add(answer, p, size * n);
    }
    return size * n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct node_report *report = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(&report->stopping);
}

static bool setup(struct node_report *r)
{
    r->curl = curl_easy_init();
    r->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (r->curl == NULL || r->headers == NULL) {
        return false;
    }
    CURLcode rc[] = {
        curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, "https"),
        curl_easy_setopt(r->curl, CURLOPT_URL, r->url),
        curl_easy_setopt(r->curl, CURLOPT_PROXY, ""),
        curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L),
        curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, r->headers),
        curl_easy_setopt(r->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS),
        curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, ALL_MS),
        curl_easy_setopt(r->curl, CURLOPT_NOPROGRESS, 0L),
        curl_easy_setopt(r->curl, CURLOPT_XFERINFOFUNCTION, on_progress),
        curl_easy_setopt(r->curl, CURLOPT_XFERINFODATA, r),
        curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, on_body),
        curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, &r->answer),
    };
    for (size_t i = 0; i < sizeof rc / sizeof *rc; i++) {
        if (rc[i] != CURLE_OK) {
            return false;
        }
    }
    if (!node_identity_load(&r->identity, r->cfg.certificate, r->cfg.key)) {
        return false;
    }
    node_identity_show(&r->identity, r->curl, r->cfg.ca);
    return true;
}

/* The status of the answer; 0: there was none. */
static long post(struct node_report *r, const char *text)
{
    long status = 0;
    buf_clear(&r->answer);
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, text);
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(text));
    if (curl_easy_perform(r->curl) != CURLE_OK) {
        return 0;
    }
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static char *make(struct node_report *r, json_t *events, json_t *usage)
{
    json_t *report = json_pack("{s:s, s:I, s:s, s:O, s:o, s:o, s:o}", "node", r->cfg.node, "at",
                               (json_int_t)clock_wall_ms(), "version", NODE_VERSION, "events",
                               events, "limits", node_live_limits(r->cfg.state_dir), "targets",
                               node_live_targets(r->cfg.state_dir, r->cfg.replica), "keys",
                               node_live_keys(r->cfg.state_dir));
    if (usage != NULL) {
        json_object_set(report, "usage", usage);
    }
    char *text = report == NULL ? NULL : json_dumps(report, JSON_COMPACT);
    json_decref(report);
    return text;
}

/* What was sent of it is stored; or it alone is what the control plane does not read. */
static void usage_settle(struct node_report *r, bool sent)
{
    if (r->without_usage && !sent) {
        fprintf(stderr, "sluice: report: a batch of usage was refused and is passed over\n");
    }
    if (sent || r->without_usage) {
        usage_accepted(r->usage);
    }
    r->without_usage = false;
}

static void refused(struct node_report *r, long status, size_t n, bool usage)
{
    bool reads = status == 400 || status == 413 || status == 422;
    if (!r->told) {
        buf_addc(&r->answer, '\0');
        fprintf(stderr, "sluice: report: the control plane answers %ld: %.300s\n", status,
                status == 0 || r->answer.failed ? "" : r->answer.p);
        r->told = true;
    }
    if (reads && usage) {
        r->without_usage = true;
        return;
    }
    if (reads && n == 1) { /* this one: the others must not wait for it for ever */
        fprintf(stderr, "sluice: report: an event was refused and is passed over\n");
        spool_accepted(r->spool);
    }
    if (reads && n > 0) {
        r->most = 1;
    }
}

/* One report; false: it was not taken. */
static bool step(struct node_report *r)
{
    json_t *events = spool_take(r->spool, r->most);
    size_t n = json_array_size(events);
    json_t *usage = r->without_usage ? NULL : usage_take(r->usage);
    char *text = events == NULL ? NULL : make(r, events, usage);
    long status = text == NULL ? 0 : post(r, text);
    free(text);
    json_decref(events);
    json_decref(usage);
    if (status != 200) {
        refused(r, status, n, usage != NULL);
        return false;
    }
    usage_settle(r, usage != NULL);
    spool_accepted(r->spool);
    if (r->told) {
        fprintf(stderr, "sluice: report: the control plane takes reports again\n");
    }
    r->told = false;
    r->most = n < r->most ? SPOOL_EVENTS_MAX : r->most;
    return true;
}

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static void *follow(void *ctx)
{
    struct node_report *r = ctx;
    uint64_t next_ms = 0;
    while (!atomic_load(&r->stopping)) {
        uint64_t now_ms = clock_mono_us() / 1000;
        bool due = now_ms >= next_ms || (r->backoff_ms == 0 && spool_waiting(r->spool));
        if (due && step(r)) {
            r->backoff_ms = 0;
            next_ms = now_ms + EVERY_MS;
        } else if (due) {
            unsigned twice = r->backoff_ms * 2;
            r->backoff_ms = twice < BACKOFF_MIN_MS   ? BACKOFF_MIN_MS
                            : twice > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
                                                     : twice;
            next_ms = now_ms + r->backoff_ms;
        }
        pause_ms(LOOK_MS);
    }
    return NULL;
}

static void report_free(struct node_report *r)
{
    if (r->curl != NULL) {
        curl_easy_cleanup(r->curl);
    }
    node_identity_fini(&r->identity);
    curl_slist_free_all(r->headers);
    spool_free(&r->spool);
    usage_free(&r->usage);
    buf_fini(&r->answer);
    free(r);
}

struct node_report *node_report_start(const struct node_report_config *cfg)
{
    struct node_report *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->cfg = *cfg;
    r->most = SPOOL_EVENTS_MAX;
    buf_init(&r->answer);
    int n = snprintf(r->events_dir, sizeof r->events_dir, "%s/events", cfg->state_dir);
    int m = snprintf(r->url, sizeof r->url, "%s/feed/v1/reports", cfg->control);
    bool fits = n > 0 && (size_t)n < sizeof r->events_dir && m > 0 && (size_t)m < sizeof r->url;
    r->spool = fits ? spool_new(r->events_dir) : NULL;
    r->usage = usage_new(cfg->audit_dir, cfg->state_dir);
    if (r->spool == NULL || r->usage == NULL || !setup(r) ||
        pthread_create(&r->thread, NULL, follow, r) != 0) {
        report_free(r);
        return NULL;
    }
    return r;
}

void node_report_stop(struct node_report **report)
{
    if (*report == NULL) {
        return;
    }
    atomic_store(&(*report)->stopping, true);
    pthread_join((*report)->thread, NULL);
    report_free(*report);
    *report = NULL;
}
