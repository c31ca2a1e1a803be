/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP on a unix socket in front of service.h: libmicrohttpd, epoll, a pool of threads. */
#pragma once
#include "data/service.h"

struct server_config {
    struct service_config service;
    const char *socket; /* path; made with mode 0660, a stale one removed */
    unsigned threads;
    const char *gateway_socket; /* its inner listener, for the parts of composed APIs */
};

struct server;
/* NULL: cannot start; *why says what failed (static). Accepting begins at once. */
struct server *server_start(const struct server_config *cfg, const char **why);
/* Answers what has been read, then ends all threads and removes the socket. */
void server_stop(struct server **s);
