/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice_balancer;` inside an upstream block: the peer is the API's own address or the data
 * service's socket, chosen per call, so a new API needs no reload. `keepalive` after it pools
 * connections by address. */
#include "sluice.h"

typedef struct {
    struct sockaddr *sockaddr;
    socklen_t socklen;
    ngx_str_t name;
} peer_t;

static ngx_int_t get_peer(ngx_peer_connection_t *pc, void *data)
{
    peer_t *peer = data;
    pc->sockaddr = peer->sockaddr;
    pc->socklen = peer->socklen;
    pc->name = &peer->name;
    pc->cached = 0;
    pc->connection = NULL;
    return NGX_OK;
}

static void free_peer(ngx_peer_connection_t *pc, void *data, ngx_uint_t state)
{
    (void)data;
    (void)state;
    pc->tries = 0; /* a call is never sent twice: it may not be safe to repeat */
}

/* The API's own timeout, in a copy of the location's settings: those are shared by all calls. */
static ngx_int_t set_timeout(ngx_http_request_t *r, uint32_t timeout_ms)
{
    if (timeout_ms == 0) {
        return NGX_OK;
    }
    ngx_http_upstream_conf_t *own = ngx_palloc(r->pool, sizeof *own);
    if (!own) {
        return NGX_ERROR;
    }
    *own = *r->upstream->conf;
    own->connect_timeout = ngx_min(own->connect_timeout, timeout_ms);
    own->send_timeout = timeout_ms;
    own->read_timeout = timeout_ms;
    r->upstream->conf = own;
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
    peer_t *peer = ngx_palloc(r->pool, sizeof *peer);
    if (!peer || set_timeout(r, ctx->api->record.timeout_ms) != NGX_OK) {
        return NGX_ERROR;
    }
    if (ctx->api->record.policy.kind == POLICY_HTTP) {
        peer->sockaddr = (struct sockaddr *)&ctx->api->addr;
        peer->socklen = ctx->api->addrlen;
        peer->name = ctx->api->addr_text;
    } else {
        peer->sockaddr = conf->data_addr.sockaddr;
        peer->socklen = conf->data_addr.socklen;
        peer->name = conf->data_addr.name;
    }
    r->upstream->peer.data = peer;
    r->upstream->peer.get = get_peer;
    r->upstream->peer.free = free_peer;
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
