/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to NATS that all logs of a data service share (log.h), and the thread that keeps
 * its streams. Any thread. A call waits for timeout_ms at most; after one that was not answered in
 * time all fail at once for a while, so that nothing piles up on a server that hangs. */
#pragma once
#include "data/events/log.h"

struct nats_config {
    const char *url;             /* nats:// or tls://, several with commas; NULL or "": no NATS */
    const char *credentials;     /* file of a JWT and its seed; NULL or "": none */
    const char *user, *password; /* password: a file that only its owner may read */
    const char *ca, *certificate, *key; /* PEM files; ca NULL or "": the system's */
    unsigned replicas, timeout_ms;      /* 0: 1 and 2000 */
};

/* NULL: *why says what is wrong with the configuration. A server that is not there is no error. */
struct log_nats *log_nats_open(const struct nats_config *cfg, const char **why);
/* Ends its thread: before the first log is closed. */
void log_nats_stop(struct log_nats *nats);
/* After the last log is closed. */
void log_nats_close(struct log_nats **nats);
