/* SPDX-License-Identifier: Apache-2.0 */
/* How an API answers when many ask at once (SW-7d7). One thread drives all connections, so what is
 * measured is the API and the gateway, not a scheduler; each call is signed anew, outside its time.
 */
#include "api/api.h"
#include "base/clock.h"
#include "services/probe.h"

#define LONGEST_MS 20000 /* no call begins later */
#define POLL_MS    100

struct lane { /* one connection */
    CURL *curl;
    struct probe_request request;
    bool busy;
};

struct run {
    CURLM *multi;
    struct probe *probe;
    const struct probe_call *call;
    struct probe_load *load;
    struct lane lanes[PROBE_AT_ONCE_MAX];
    size_t n_lanes, begun, wanted;
    long status;
    uint64_t began_ms;
};

static size_t drop(char *p, size_t size, size_t n, void *ctx)
{
    (void)p;
    (void)ctx;
    return size * n;
}

static void begin(struct run *r, struct lane *lane)
{
    if (r->begun >= r->wanted || clock_wall_ms() - r->began_ms >= LONGEST_MS) {
        return;
    }
    if (!probe_prepare(r->probe, lane->curl, r->call, PROBE_SIGNED, &lane->request)) {
        probe_release(&lane->request);
        return;
    }
    curl_easy_setopt(lane->curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(lane->curl, CURLOPT_PRIVATE, lane);
    lane->busy = curl_multi_add_handle(r->multi, lane->curl) == CURLM_OK;
    r->begun += lane->busy;
}

static void end(struct run *r, struct lane *lane, CURLcode result)
{
    struct probe_load *load = r->load;
    long status = 0;
    curl_off_t us = 0,
               ready_us = 0; /* a connection is made once, and is none of the answer's time */

    curl_easy_getinfo(lane->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(lane->curl, CURLINFO_TOTAL_TIME_T, &us);
    curl_easy_getinfo(lane->curl, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    load->ms[load->n++] = result == CURLE_OK ? (double)(us - ready_us) / 1000.0 : LONGEST_MS;
    load->failed += result != CURLE_OK || status != r->status;
    curl_multi_remove_handle(r->multi, lane->curl);
    probe_release(&lane->request);
    lane->busy = false;
}

static void collect(struct run *r)
{
    int left = 0;
    CURLMsg *m;

    while ((m = curl_multi_info_read(r->multi, &left)) != NULL) {
        void *lane = NULL;
        CURLcode result = m->data.result;
        if (m->msg == CURLMSG_DONE &&
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &lane) == CURLE_OK && lane) {
            end(r, lane, result);
            begin(r, lane);
        }
    }
}

static void drive(struct run *r)
{
    int running = 1;

    for (size_t i = 0; i < r->n_lanes; i++) {
        begin(r, &r->lanes[i]);
    }
    while (running > 0) {
        if (curl_multi_perform(r->multi, &running) != CURLM_OK) {
            break;
        }
        size_t before = r->begun;
        collect(r);
        running += r->begun > before;
        if (running > 0 && curl_multi_poll(r->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK) {
            break;
        }
    }
    r->load->took_ms = (double)(clock_wall_ms() - r->began_ms);
}

bool probe_load(struct probe *p, const struct probe_call *call, long status, size_t repeat,
                size_t at_once, struct probe_load *load)
{
    struct run r = {.multi = curl_multi_init(),
                    .probe = p,
                    .call = call,
                    .load = load,
                    .wanted = repeat,
                    .status = status};

    *load = (struct probe_load){0};
    while (r.multi && r.n_lanes < at_once && r.n_lanes < repeat) {
        r.lanes[r.n_lanes].curl = probe_handle(p);
        if (!r.lanes[r.n_lanes].curl) {
            break;
        }
        r.n_lanes++;
    }
    r.began_ms = clock_wall_ms();
    if (r.n_lanes) {
        drive(&r);
    }
    for (size_t i = 0; i < r.n_lanes; i++) {
        if (r.lanes[i].busy) {
            end(&r, &r.lanes[i], CURLE_OPERATION_TIMEDOUT);
        }
        curl_easy_cleanup(r.lanes[i].curl);
    }
    curl_multi_cleanup(r.multi);
    return load->n > 0;
}
