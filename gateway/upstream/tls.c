/* SPDX-License-Identifier: Apache-2.0 */
/* Targets over TLS (SW-9.3-2a, GS-6.9.3a). nginx does the handshake and compares the certificate
 * with the target's name, on resumption too, from what the session kept; node/nginx_conf.c says
 * whom it believes. A connection carries one call: the pool of kept ones knows addresses, not
 * names, and a name must not ride on what another has proved. So sessions are worth keeping. */
#include "sluice.h"

#define SESSIONS 256 /* a power of two; of two targets at one place the newer stays */

static struct {
    uint64_t target;
    ngx_ssl_session_t *session; /* NULL: none */
} sessions[SESSIONS];

bool sluice_upstream_tls_can(ngx_http_request_t *r, const struct replica_target *target)
{
    if (!target->tls || r->upstream->conf->ssl) {
        return true;
    }
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "sluice: proxy_pass of this location is not https: target \"%*s\" not asked",
                  target->host.n, target->host.p);
    return false;
}

static void drop(size_t at)
{
    if (sessions[at].session) {
        ngx_ssl_free_session(sessions[at].session);
        sessions[at].session = NULL;
    }
}

ngx_int_t sluice_upstream_tls_resume(ngx_connection_t *c, uint64_t target)
{
    size_t at = target & (SESSIONS - 1);
    if (!sessions[at].session || sessions[at].target != target) {
        return NGX_OK;
    }
    return ngx_ssl_set_session(c, sessions[at].session);
}

void sluice_upstream_tls_keep(ngx_connection_t *c, uint64_t target)
{
    size_t at = target & (SESSIONS - 1);
    ngx_ssl_session_t *fresh = ngx_ssl_get_session(c);
    if (!fresh) {
        return;
    }
    drop(at);
    sessions[at].target = target;
    sessions[at].session = fresh;
}

void sluice_upstream_tls_forget(uint64_t target)
{
    size_t at = target & (SESSIONS - 1);
    if (sessions[at].target == target) {
        drop(at);
    }
}

void sluice_upstream_tls_exit(void)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        drop(i);
    }
}
