/* SPDX-License-Identifier: Apache-2.0 */
/* The audit stream of what leaves without a call. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "data/decide/inner.h"

#define NODE_MAX 128 /* bytes */

/* Opened with the first record: a segment is large, and a platform that delivers nothing needs none
 * beside those of its workers. */
struct decide_log {
    pthread_mutex_t lock;
    struct audit_writer *writer; /* NULL: not open */
    char dir[600], node[NODE_MAX];
};

struct decide_log *decide_log_open(const char *data_dir, const char *node)
{
    struct decide_log *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    pthread_mutex_init(&log->lock, NULL);
    snprintf(log->node, sizeof log->node, "%s", node);
    snprintf(log->dir, sizeof log->dir, "%s/gateway", data_dir);
    bool ok = mkdir(log->dir, 0750) == 0 || errno == EEXIST;
    snprintf(log->dir, sizeof log->dir, "%s/gateway/audit", data_dir);
    ok = ok && (mkdir(log->dir, 0750) == 0 || errno == EEXIST);
    if (!ok)
        decide_log_close(&log);
    return log;
}

static bool opened(struct decide_log *log)
{
    const struct audit_config cfg = {.dir = log->dir, .node = log->node};
    return log->writer || audit_writer_open(&log->writer, &cfg) == AUDIT_OK;
}

void decide_log_close(struct decide_log **slot)
{
    struct decide_log *log = *slot;
    if (!log)
        return;
    if (log->writer)
        audit_writer_close(&log->writer);
    pthread_mutex_destroy(&log->lock);
    free(log);
    *slot = NULL;
}

void decide_log_tick(struct decide_log *log, uint64_t now_ms)
{
    pthread_mutex_lock(&log->lock);
    if (log->writer)
        (void)!audit_writer_tick(log->writer, now_ms); /* full: the append will say so */
    pthread_mutex_unlock(&log->lock);
}

bool decide_record(struct decide_log *log, const struct decide *d, const struct decision *decision,
                   struct audit_call *call)
{
    call->kind = AUDIT_CALL;
    call->app = decision->app;
    call->api = decision->api->id;
    call->api_rev = decision->api->rev;
    call->class_ = decision->api->class_;
    call->grant = decision->grant;
    call->owner = decision->owner;
    call->client = SLICE("");
    if (!call->target.p)
        call->target = SLICE("");
    pthread_mutex_lock(&log->lock);
    enum audit_err err = opened(log) ? AUDIT_OK : AUDIT_EFULL;
    if (!err && call->reason == PROBLEM_OK && decision->plan) {
        call->seen = decide_seen(d);
        call->n_fields = decision->verdict->n_fields;
        err = audit_writer_plan(log->writer, decision->plan_key, decision->api, decision->verdict,
                                &call->plan);
    }
    if (!err)
        err = audit_writer_append(log->writer, call);
    pthread_mutex_unlock(&log->lock);
    return err == AUDIT_OK;
}
