/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to addresses that users left: webhooks, clients that want to hear of a sign-out. */
#pragma once
#include <curl/curl.h>

#include "base/buf.h"
#include "control.h"

/* Bounds the transfer in time, follows nothing, asks no proxy, takes https alone, discards the
 * answer, and connects to public addresses alone; with cfg->private_webhooks to any, and by http
 * too: a user must not make the platform knock where they cannot. */
void outbound_prepare(CURL *curl, const struct control_config *cfg);

/* A transfer among several. */
struct outbound_transfer {
    CURL *curl; /* prepared, CURLOPT_PRIVATE taken; NULL: there is none. The caller's to clean up */
    CURLcode result;
    long status; /* of the answer, where there was one */
};
/* Carries them out side by side and waits for all, ms at most: what is not over by then is
 * CURLE_OPERATION_TIMEDOUT; what there was no handle for, CURLE_FAILED_INIT. */
void outbound_all(struct outbound_transfer *const *all, size_t n, unsigned ms);

/* https:// without user and fragment; with cfg->private_webhooks http:// too. */
bool outbound_webhook_ok(const struct control_config *cfg, const char *url);

/* One exchange, its answer kept. */
struct outbound {
    const char *url, *authorization, *content_type; /* NULL: none */
    struct slice body;                              /* sent by POST; p NULL: a GET */
    const char *ca; /* PEM of the CAs that count for the server; NULL: the machine's */
    /* An administrator chose the address: it may be a private one, and plain when it says so. */
    bool administrators;
    long timeout_ms;    /* 0: ten seconds */
    size_t answer_max;  /* bytes; a longer answer is none */
    struct buf *answer; /* NULL: it is not wanted */
};
/* The HTTP status; 0: no answer. */
long outbound_exchange(const struct control_config *cfg, const struct outbound *o);
