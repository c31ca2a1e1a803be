/* SPDX-License-Identifier: Apache-2.0 */
/* The data service: published datasets answered from their sources. Speaks HTTP on a unix socket,
 * believes only callers that prove themselves with the link key (libs/link). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "data/events/nats.h"

struct data_config {
    const char *data_dir;    /* keys/link.key, pki/, data/replica below it */
    const char *socket;      /* unix socket path, mode 0660 */
    const char *control;     /* "https://127.0.0.1:7301": the feed */
    unsigned threads;        /* request threads = most connections per source; 0: 8 */
    const char *node;        /* names our audit stream; NULL: "data" */
    bool private_webhooks;   /* webhooks may be at private addresses, and without TLS */
    struct nats_config nats; /* where events are kept; url NULL or "": below data_dir */
    unsigned journal_days;   /* writes are kept; 0: data/write/journal.h */
    unsigned max_rows;       /* most rows of one answer; 0: 1000 */
    const char *file_roots;  /* folders that sources may be: "name=/folder, …"; NULL: none */
    unsigned files_poll_s;   /* how often they are looked at; 0: 30 s */
};

/* Runs until SIGTERM or SIGINT; returns the process's exit code. */
int data_run(const struct data_config *cfg);
