/* SPDX-License-Identifier: Apache-2.0 */
/* nginx's processes as /proc and its pid files tell them. Nothing here keeps state. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define NODE_WORKERS_MAX 1024 /* as the settings allow */

/* The workers of a master that take connections, in the order of /proc. */
struct node_workers {
    pid_t pid[NODE_WORKERS_MAX];
    size_t n;
    size_t leaving; /* workers that only finish their calls */
};

/* Starts `program -p prefix -c conf`, with -t -q when it is only to read it; its stderr is
 * stderr_fd, or ours when that is -1. 0: it cannot be run, errno says why. */
pid_t node_nginx_spawn(const char *program, const char *prefix, const char *conf, bool test,
                       int stderr_fd);
/* The master that a pid file below prefix names. 0: none, or a process that is not ours. */
pid_t node_nginx_master(const char *prefix, const char *pid_file);
void node_nginx_workers(pid_t master, struct node_workers *out);
/* Workers outlive a master that is killed, and keep its port. Those that have replay_file mapped,
 * which all of a node's have, are told to finish their calls and go, but for those of `master`; and
 * the processes that mind a cache, known by the error log below prefix. */
void node_nginx_dismiss_orphans(const char *prefix, const char *replay_file, pid_t master);
