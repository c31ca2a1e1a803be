/* SPDX-License-Identifier: Apache-2.0 */
/* The nginx master beside the agent. It outlives an agent that is killed, goes on serving from the
 * replica, and is adopted by the next agent. One thread. Needs PR_SET_CHILD_SUBREAPER: nginx is a
 * daemon, and each master that an upgrade leaves is a grandchild at first.
 *
 * A change (new settings, or new program and module) is started by node_nginx_change() and carried
 * on by the ticks:
 *
 *   RELOADING ── all workers are new ones ──▶ STEADY
 *   STARTING ── the new master's workers stand ──▶ DRAINING ── the old one's are gone ──▶ STEADY
 *
 * Whatever fails on the way goes back to the old nginx.conf and the old master. */
#pragma once
#include <sys/types.h>

#include "node/nginx_proc.h"
#include "node/node.h"

enum node_nginx_state { NGINX_STEADY, NGINX_RELOADING, NGINX_STARTING, NGINX_DRAINING };

struct node_nginx {
    char prefix[512];      /* data_dir/gateway/nginx/ */
    char replay_file[512]; /* what tells our workers from others' */
    char listen_host[64];
    uint16_t port;
    const char *program;
    pid_t pid; /* the master that serves; 0: none runs */
    int pidfd; /* readable when it has ended; -1: none runs */
    bool told; /* that the port is taken */
    uint64_t started_ms, retry_at_ms;
    unsigned backoff_ms;

    /* a change */
    enum node_nginx_state state;
    pid_t fresh;              /* the master that is to serve */
    uint64_t until_ms;        /* then it has failed, or (DRAINING) is over */
    uint64_t stands_since_ms; /* STARTING: its workers are the same since then; 0: none */
    struct node_workers workers, before; /* now; and before the change or at the last tick */
    char next_host[64];
    uint16_t next_port;
    bool reload_after; /* nginx.conf was written anew while an upgrade was under way */
};

/* Writes the configuration, which node_check() has passed, then adopts a running master or starts
 * one. false: a sentence on stderr says why. */
bool node_nginx_start(struct node_nginx *n, const struct node_config *cfg)
    __attribute__((warn_unused_result));
/* Call when pidfd is readable, about once a second, and every 50 ms while state is not
 * NGINX_STEADY: notices an end and starts it again, carries a change on. Reaps every child. */
void node_nginx_tick(struct node_nginx *n);
/* Lets calls under way finish, for some seconds at most. */
void node_nginx_stop(struct node_nginx *n);

/* True when a change may begin: none is under way and the workers of the one before have gone, or
 * have had 10 s for it. */
bool node_nginx_may_change(struct node_nginx *n);
/* cfg has passed node_check(). upgrade: a new master from the program and module on the disk;
 * false: new workers of the same. Says on stderr what comes of it. */
void node_nginx_change(struct node_nginx *n, const struct node_config *cfg, bool upgrade);

/* node/nginx_child.c, for the others */
const char *node_nginx_program(const struct node_config *cfg);
bool node_nginx_write_conf(struct node_nginx *n, const struct node_config *cfg, bool *changed);
bool node_nginx_port_free(const char *host, uint16_t port);
bool node_nginx_watch(struct node_nginx *n, pid_t pid);
/* node/nginx_change.c */
void node_nginx_change_tick(struct node_nginx *n);
/* An upgrade that another agent began goes on: n->pid is the old master. */
void node_nginx_change_resume(struct node_nginx *n, bool conf_changed);
void node_nginx_change_back(struct node_nginx *n); /* the configuration before the change */
