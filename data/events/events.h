/* SPDX-License-Identifier: Apache-2.0 */
/* The broker: topics that apps and datasets publish to, and the ways their events reach other apps
 * (docs/events.md). Every event is decided, masked and recorded for its receiver when it leaves
 * (data/decide), never when it is published. */
#pragma once
#include "data/events/nats.h"
#include "data/service.h"

struct events_config {
    struct replica *replica;
    const uint8_t *link_key; /* copied */
    const char *data_dir;    /* borrowed */
    const char *node;        /* names our audit stream; borrowed */
    struct nats_config nats; /* url NULL or "": logs are files below data_dir */
    bool private_webhooks;   /* receivers may be at private addresses, and without TLS */
};

struct events *events_start(const struct events_config *cfg, const char **why);
/* Ends streams and threads: afterwards no connection is suspended. Then events_free. */
void events_stop(struct events *e);
void events_free(struct events **e);

/* A call of an API of kind topic that the gateway let through. */
void events_handle(struct worker *w, const struct catalog_api *api,
                   const struct service_request *rq, struct service_reply *rp);
/* What the control plane asks: POST /internal/v1/events/... */
bool events_is_internal(struct slice target);
void events_internal(struct worker *w, const struct service_request *rq, struct service_reply *rp);

/* A stream of server-sent events, as the HTTP server drives it. */
struct events_stream;
void events_stream_free(struct events_stream *s);
#define EVENTS_STREAM_END (-1)
/* Bytes written to out; 0: none now, and wait(ctx) has been called under the lock that keeps
 * wake(ctx) from coming before it; EVENTS_STREAM_END: the stream is over. */
ptrdiff_t events_stream_read(struct events_stream *s, char *out, size_t max);
void events_stream_connect(struct events_stream *s, void (*wait)(void *ctx),
                           void (*wake)(void *ctx), void *ctx);

/* For whoever changes a dataset's rows through the platform: its topics look at once. gone: a row
 * was deleted, which only a look at all of them finds. */
void events_dataset_changed(struct events *e, const struct uuid *dataset, bool gone);
