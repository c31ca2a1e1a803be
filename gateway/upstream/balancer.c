/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice_balancer;` inside an upstream block: the peer is one of the API's targets (targets.c) or
 * the data service's socket, chosen per call, so a new API needs no reload. `keepalive` after it
 * pools connections by address.
 *
 * A GET or HEAD without a body whose target failed before its answer began goes on to another one,
 * `retries` times at most. TLS or not is each target's own (upstream_tls.c). All tries together
 * have the API's time (SW-8.3.4-timeout): until the first byte of an answer it is one deadline,
 * from there on the longest silence. */
#include "sluice.h"

#include "base/clock.h"

#define RETRY_ON                                                                                   \
    (NGX_HTTP_UPSTREAM_FT_ERROR | NGX_HTTP_UPSTREAM_FT_TIMEOUT | NGX_HTTP_UPSTREAM_FT_HTTP_502 |   \
     NGX_HTTP_UPSTREAM_FT_HTTP_503 | NGX_HTTP_UPSTREAM_FT_HTTP_504)

typedef struct {
    ngx_http_request_t *r;
    sluice_ctx_t *ctx;
    ngx_event_t deadline;
    unsigned tried; /* a bit a target: failed, or not to be asked now */
    bool asked;     /* any */
    int at;         /* the target asked now, or CHOOSE_NONE */
    uint32_t ticket;
    uint64_t asked_us;
} peer_t;

/* The data service ---------------------------------------------------------------------------- */

static ngx_int_t get_data(ngx_peer_connection_t *pc, void *data)
{
    ngx_addr_t *addr = data;
    pc->sockaddr = addr->sockaddr;
    pc->socklen = addr->socklen;
    pc->name = &addr->name;
    pc->cached = 0;
    pc->connection = NULL;
    return NGX_OK;
}

static void free_data(ngx_peer_connection_t *pc, void *data, ngx_uint_t state)
{
    (void)data;
    (void)state;
    pc->tries = 0; /* its MACed call is for one use */
}

/* A business unit's targets ------------------------------------------------------------------- */

/* The chosen one if it may still be asked, else the next best. */
static int admit_one(peer_t *peer)
{
    sluice_ctx_t *ctx = peer->ctx;
    int at = peer->asked ? sluice_target_choose(ctx, peer->tried) : ctx->chosen;
    while (at != CHOOSE_NONE && (!sluice_upstream_tls_can(peer->r, &ctx->api->record.targets[at]) ||
                                 !sluice_target_admit(ctx->api, at, &peer->ticket))) {
        peer->tried |= 1u << at;
        at = sluice_target_choose(ctx, peer->tried);
    }
    return at;
}

static ngx_int_t get_target(ngx_peer_connection_t *pc, void *data)
{
    peer_t *peer = data;
    sluice_ctx_t *ctx = peer->ctx;
    int at = admit_one(peer);
    if (at == CHOOSE_NONE) {
        if (!peer->asked) {
            (void)sluice_targets_refuse(ctx);
        }
        pc->name = NULL;
        return NGX_BUSY;
    }
    peer->at = at;
    peer->asked = true;
    peer->asked_us = clock_mono_us();
    if (at != ctx->chosen && sluice_redirect(peer->r, ctx, at) != NGX_OK) {
        return NGX_ERROR;
    }
    sluice_target_t *target = &ctx->api->targets[at];
    peer->r->upstream->ssl = ctx->api->record.targets[at].tls;
    pc->sockaddr = &target->addr.any;
    pc->socklen = target->addrlen;
    pc->name = &target->text;
    pc->cached = 0;
    pc->connection = NULL;
    return NGX_OK;
}

/* A kept connection that the other side had closed says nothing of the target. */
static bool was_stale(const ngx_peer_connection_t *pc, const ngx_http_upstream_t *u)
{
    const ngx_connection_t *c = pc->connection;
    return pc->cached && u->headers_in.status_n == 0 && c && !c->read->timedout &&
           !c->write->timedout;
}

static enum targets_outcome outcome_of(const peer_t *peer, const ngx_peer_connection_t *pc,
                                       ngx_uint_t state)
{
    const ngx_http_upstream_t *u = peer->r->upstream;
    const ngx_event_pipe_t *pipe = u->pipe;
    if (state & NGX_PEER_FAILED) {
        return was_stale(pc, u) || peer->r->connection->error ? TARGETS_UNDECIDED : TARGETS_FAILED;
    }
    if (u->headers_in.status_n == 0) {
        return TARGETS_UNDECIDED; /* the caller left */
    }
    bool cut = pipe->upstream_error || (pipe->upstream_eof && pipe->length > 0);
    bool unreadable = peer->ctx->failed && peer->ctx->problem == PROBLEM_UPSTREAM_INVALID;
    return u->headers_in.status_n >= 500 || cut || unreadable ? TARGETS_FAILED : TARGETS_WELL;
}

static void free_target(ngx_peer_connection_t *pc, void *data, ngx_uint_t state)
{
    peer_t *peer = data;
    if (pc->tries) {
        pc->tries--;
    }
    if (peer->at == CHOOSE_NONE) {
        return;
    }
    enum targets_outcome outcome = outcome_of(peer, pc, state);
    sluice_target_report(peer->ctx->api, peer->at, peer->ticket, outcome,
                         clock_mono_us() - peer->asked_us);
    if (outcome == TARGETS_FAILED) {
        peer->tried |= 1u << peer->at;
        sluice_upstream_tls_forget(peer->ctx->api->targets[peer->at].id);
    }
    peer->at = CHOOSE_NONE;
}

/* As nginx does when an upstream is silent for too long: the handler finds the time over. */
static void on_deadline(ngx_event_t *event)
{
    peer_t *peer = event->data;
    ngx_http_upstream_t *u = peer->r->upstream;
    ngx_connection_t *c = u->peer.connection;
    if (c && peer->at != CHOOSE_NONE && u->headers_in.status_n == 0) {
        c->read->timedout = 1;
        c->write->timedout = c->ssl && !c->ssl->handshaked; /* what a handshake looks at */
        c->read->handler(c->read);
    }
}

static void end_timer(void *data)
{
    peer_t *peer = data;
    if (peer->deadline.timer_set) {
        ngx_del_timer(&peer->deadline);
    }
}

static ngx_int_t set_session(ngx_peer_connection_t *pc, void *data)
{
    peer_t *peer = data;
    pc->connection->requests = NGX_MAX_UINT32_VALUE; /* its first is its last: it is not kept */
    return sluice_upstream_tls_resume(pc->connection, peer->ctx->api->targets[peer->at].id);
}

static void save_session(ngx_peer_connection_t *pc, void *data)
{
    peer_t *peer = data;
    if (peer->at != CHOOSE_NONE) {
        sluice_upstream_tls_keep(pc->connection, peer->ctx->api->targets[peer->at].id);
    }
}

static bool may_repeat(const ngx_http_request_t *r)
{
    return (r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) && r->headers_in.content_length_n <= 0 &&
           !r->headers_in.chunked;
}

/* The API's own times, in a copy of the location's settings: those are shared by all calls. */
static ngx_int_t set_times(ngx_http_request_t *r, uint32_t timeout_ms, uint32_t left_ms,
                           bool repeat)
{
    ngx_http_upstream_conf_t *own = ngx_palloc(r->pool, sizeof *own);
    if (!own) {
        return NGX_ERROR;
    }
    *own = *r->upstream->conf;
    if (timeout_ms) {
        own->connect_timeout = ngx_min(own->connect_timeout, timeout_ms);
        own->send_timeout = timeout_ms;
        own->read_timeout = timeout_ms;
        own->next_upstream_timeout = left_ms;
    }
    if (repeat) {
        own->next_upstream = RETRY_ON;
    }
    r->upstream->conf = own;
    return NGX_OK;
}

static ngx_int_t init_target(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    const struct replica_api *api = &ctx->api->record;
    bool repeat = may_repeat(r);
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(peer_t));
    ngx_msec_t waited = ngx_current_msec - ctx->dispatched; /* for another call's answer */
    uint32_t left_ms =
        api->timeout_ms > waited ? (uint32_t)(api->timeout_ms - waited) : (api->timeout_ms ? 1 : 0);
    if (!cleanup || set_times(r, api->timeout_ms, left_ms, repeat) != NGX_OK) {
        return NGX_ERROR;
    }
    peer_t *peer = cleanup->data;
    ngx_memzero(peer, sizeof *peer);
    peer->r = r;
    peer->ctx = ctx;
    peer->at = CHOOSE_NONE;
    peer->deadline = (ngx_event_t){
        .handler = on_deadline, .data = peer, .log = r->connection->log, .cancelable = 1};
    cleanup->handler = end_timer;
    if (api->timeout_ms) {
        ngx_add_timer(&peer->deadline, left_ms);
    }
    r->upstream->peer.data = peer;
    r->upstream->peer.get = get_target;
    r->upstream->peer.free = free_target;
    r->upstream->peer.set_session = set_session;
    r->upstream->peer.save_session = save_session;
    r->upstream->peer.tries = repeat ? 1 + ngx_min(api->retries, api->n_targets - 1) : 1;
    return NGX_OK;
}

static ngx_int_t init_peer(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *upstream)
{
    sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    sluice_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_sluice_module);
    (void)upstream;
    if (!ctx || !ctx->api) {
        return NGX_ERROR;
    }
    if (sluice_to_unit(ctx)) {
        return init_target(r, ctx);
    }
    if (set_times(r, ctx->api->record.timeout_ms, ctx->api->record.timeout_ms, false) != NGX_OK) {
        return NGX_ERROR;
    }
    r->upstream->ssl = 0; /* a socket of this machine */
    r->upstream->peer.data = &conf->data_addr;
    r->upstream->peer.get = get_data;
    r->upstream->peer.free = free_data;
    r->upstream->peer.tries = 1;
    return NGX_OK;
}

static ngx_int_t init_upstream(ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *upstream)
{
    (void)cf;
    upstream->peer.init = init_peer;
    return NGX_OK;
}

char *sluice_balancer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_upstream_srv_conf_t *upstream =
        ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);
    (void)cmd;
    (void)conf;
    if (upstream->peer.init_upstream) {
        return "must come before keepalive and be the only balancer";
    }
    upstream->peer.init_upstream = init_upstream;
    upstream->flags = NGX_HTTP_UPSTREAM_CREATE | NGX_HTTP_UPSTREAM_FAIL_TIMEOUT;
    return NGX_CONF_OK;
}
