/* SPDX-License-Identifier: Apache-2.0 */
/* The nginx master as a child of the agent. It outlives an agent that is killed, goes on serving
 * from the replica, and is adopted by the next agent. One thread. */
#pragma once
#include <sys/types.h>

#include "node/node.h"

struct node_nginx {
    const struct node_config *cfg; /* borrowed */
    char prefix[512];              /* data_dir/gateway/nginx/ */
    pid_t pid;                     /* 0: none runs */
    int pidfd;                     /* readable when it has ended; -1: none runs */
    bool told;                     /* that the port is taken */
    bool child;                    /* ours to wait for; false: adopted */
    uint64_t started_ms, retry_at_ms;
    unsigned backoff_ms;
};

/* Writes the configuration, has nginx check it, then adopts a running master or starts one. false:
 * a sentence on stderr says why. */
bool node_nginx_start(struct node_nginx *n, const struct node_config *cfg)
    __attribute__((warn_unused_result));
/* Call when pidfd is readable and about once a second: notices an end and starts it again. */
void node_nginx_tick(struct node_nginx *n);
/* Lets calls under way finish, for some seconds at most. */
void node_nginx_stop(struct node_nginx *n);
