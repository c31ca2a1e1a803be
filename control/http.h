/* SPDX-License-Identifier: Apache-2.0 */
/* The two HTTPS servers of the control plane. */
#pragma once
#include "core.h"

struct http_server;
/* REST: TLS, a pool of epoll threads. NULL and a sentence on stderr on failure. */
struct http_server *http_rest_start(struct control *ctl);
/* The feed: mutual TLS, a thread a connection, so that long polls may sleep. */
struct http_server *http_feed_start(struct control *ctl);
void http_stop(struct http_server **server);
