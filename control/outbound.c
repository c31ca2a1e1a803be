/* SPDX-License-Identifier: Apache-2.0 */
#include "outbound.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"

#define CONNECT_MS 3000L
#define TOTAL_MS   10000L
#define POLL_MS    500u

static size_t discard(char *p, size_t size, size_t n, void *ctx)
{
    (void)p;
    (void)ctx;
    return size * n;
}

static curl_socket_t open_public(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)ctx;
    (void)purpose;
    if (address_is_private(&address->addr)) {
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void outbound_prepare(CURL *curl, const struct control_config *cfg)
{
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TOTAL_MS);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, cfg->private_webhooks ? "http,https" : "https");
    if (!cfg->private_webhooks) {
        curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_public);
    }
}

bool outbound_webhook_ok(const struct control_config *cfg, const char *url)
{
    bool plain = cfg->private_webhooks && strncasecmp(url, "http://", 7) == 0;

    if (!plain && strncasecmp(url, "https://", 8) != 0) {
        return false;
    }
    return !strpbrk(url, " \"<>\\^`{|}@#"); /* no user, no fragment */
}

/* Several -----------------------------------------------------------------------------------------
 */
static void read_results(CURLM *multi)
{
    struct CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(multi, &left))) {
        struct outbound_transfer *t = NULL;
        if (m->msg == CURLMSG_DONE &&
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t) == CURLE_OK && t) {
            t->result = m->data.result;
            curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &t->status);
        }
    }
}

void outbound_all(struct outbound_transfer *const *all, size_t n, unsigned ms)
{
    CURLM *multi = curl_multi_init();
    int running = 0;

    for (size_t i = 0; i < n; i++) {
        all[i]->result = CURLE_FAILED_INIT;
        if (multi && all[i]->curl) {
            curl_easy_setopt(all[i]->curl, CURLOPT_PRIVATE, all[i]);
            all[i]->result = CURLE_OPERATION_TIMEDOUT; /* until it is known */
            curl_multi_add_handle(multi, all[i]->curl);
        }
    }
    for (unsigned turn = 0; multi && turn < ms / POLL_MS; turn++) {
        if (curl_multi_perform(multi, &running) != CURLM_OK || running == 0) {
            break;
        }
        curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
    }
    if (multi) {
        read_results(multi);
    }
    for (size_t i = 0; i < n && multi; i++) {
        if (all[i]->curl) {
            curl_multi_remove_handle(multi, all[i]->curl);
        }
    }
    curl_multi_cleanup(multi);
}

/* Exchanges ---------------------------------------------------------------------------------------
 */
struct taken {
    struct buf *answer;
    size_t max;
};

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    const struct taken *t = ctx;

    if (size * n > t->max - t->answer->n) {
        return 0;
    }
    buf_add(t->answer, p, size * n);
    return t->answer->failed ? 0 : size * n;
}

static struct curl_slist *headers_of(const struct outbound *o)
{
    struct curl_slist *headers = NULL;
    char text[4300];

    if (o->content_type) {
        snprintf(text, sizeof text, "Content-Type: %s", o->content_type);
        headers = curl_slist_append(headers, text);
    }
    if (o->authorization) {
        snprintf(text, sizeof text, "Authorization: %s", o->authorization);
        headers = curl_slist_append(headers, text);
        memset(text, 0, sizeof text);
    }
    return headers;
}

/* A file in memory that holds the CAs, since curl's GnuTLS takes files alone; -1: there is none. */
static int ca_file(const struct outbound *o)
{
    int fd = o->ca ? memfd_create("outbound-ca", MFD_CLOEXEC) : -1;
    size_t n = o->ca ? strlen(o->ca) : 0;

    if (fd >= 0 && write(fd, o->ca, n) != (ssize_t)n) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void address(CURL *curl, const struct outbound *o, int ca)
{
    char path[64];

    curl_easy_setopt(curl, CURLOPT_URL, o->url);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, o->timeout_ms ? o->timeout_ms : TOTAL_MS);
    if (o->administrators) {
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, NULL);
    }
    if (o->ca) { /* these and no others */
        snprintf(path, sizeof path, "/proc/self/fd/%d", ca);
        curl_easy_setopt(curl, CURLOPT_CAINFO, path);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
}

long outbound_exchange(const struct control_config *cfg, const struct outbound *o)
{
    struct taken t = {o->answer, o->answer_max};
    int ca = ca_file(o);
    struct curl_slist *headers = headers_of(o);
    CURL *curl = curl_easy_init();
    long status = 0;

    if (curl) {
        outbound_prepare(curl, cfg);
        address(curl, o, ca);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        if (o->body.p) {
            curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body.n);
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, o->body.p);
        }
        if (o->answer) {
            curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
            curl_easy_setopt(curl, CURLOPT_WRITEDATA, &t);
        }
        if (curl_easy_perform(curl) == CURLE_OK) {
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        }
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (ca >= 0) {
        close(ca);
    }
    return status;
}
