/* SPDX-License-Identifier: Apache-2.0 */
/* Composed APIs (SW-8.3.4-orchestrate). To the data service that runs one goes a ticket which says
 * for whom; each part it calls comes back over the inner listener, where that word takes the place
 * of a signature and all stages but `authenticate` do what they do for any call. A composed API may
 * be a part of another, and no deeper: so there is no cycle either. */
#include "sluice.h"

#include "base/clock.h"

static struct link_mac ticket_key, inner_key;

void sluice_inner_keys(const uint8_t fixed[static CRYPTO_KEY_LEN])
{
    link_mac_init(&ticket_key, "link.ticket", fixed);
    link_mac_init(&inner_key, "link.inner", fixed);
}

void sluice_inner_exit(void)
{
    link_mac_fini(&ticket_key);
    link_mac_fini(&inner_key);
}

static ngx_int_t refuse(sluice_ctx_t *ctx, const char *detail)
{
    return sluice_refuse(ctx, PROBLEM_LINK_REFUSED, slice_str(detail), SLICE("sluice-inner"));
}

static ngx_int_t read_word(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    struct link_inner *inner = ngx_palloc(r->pool, sizeof *inner);
    uint8_t *scratch = ngx_pnalloc(r->pool, LINK_INNER_TEXT_MAX);
    if (!inner || !scratch) {
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    struct link_request rq = {.method = sluice_slice(r->method_name),
                              .target = ctx->target,
                              .digest = ctx->content_digest.p ? ctx->content_digest : SLICE("")};
    if (!ctx->inner_header.p || ctx->duplicate_header) {
        return refuse(ctx, "parts of composed APIs alone are taken here");
    }
    enum link_err err =
        link_mac_inner(inner, &inner_key, &rq, ctx->inner_header, ctx->began_us / 1000, scratch);
    if (err != LINK_OK) {
        return refuse(ctx, link_strerror(err));
    }
    ctx->inner = inner;
    return NGX_OK;
}

static ngx_int_t spend(sluice_ctx_t *ctx)
{
    struct slice nonce = slice_of((const char *)ctx->inner->nonce.b, UUID_LEN);
    uint64_t expires_s = (ctx->inner->issued_ms + LINK_INNER_WINDOW_MS) / 1000 + 1;
    enum replay_err err = replay_use(sluice_worker.replay, SLICE(LINK_INNER_HEADER), nonce,
                                     ctx->began_us / 1000000, expires_s);
    if (err == REPLAY_OK) {
        return NGX_OK;
    }
    return err == REPLAY_EUSED
               ? refuse(ctx, "used before")
               : sluice_refuse(ctx, PROBLEM_REPLAY_STORE_FULL, SLICE(""), SLICE(""));
}

static ngx_int_t find_caller(sluice_ctx_t *ctx)
{
    const struct link_inner *inner = ctx->inner;
    ctx->caller = sluice_caller_find(&inner->credential);
    if (!ctx->caller) {
        return sluice_refuse(ctx, PROBLEM_CREDENTIAL_UNKNOWN, SLICE(""), SLICE(""));
    }
    if (!uuid_eq(&ctx->caller->credential.app, &inner->app)) {
        return refuse(ctx, "another app's credential");
    }
    ctx->proofs = inner->proofs;
    ctx->authenticated = true;
    return NGX_OK;
}

/* The owner of the whole call's rows is that of each part's, by the owner's grant for the part. */
static void find_grant(sluice_ctx_t *ctx)
{
    struct policy_grant grant;
    const struct link_inner *inner = ctx->inner;
    struct replica_reader *reader = inner->owner.n ? sluice_reader() : NULL;
    if (reader && replica_find_grant(reader, &inner->app, &ctx->api->record.policy, inner->owner,
                                     &grant) == REPLICA_OK) {
        ctx->grant_named = true;
        ctx->grant = grant.id;
    }
}

typedef struct {
    ngx_connection_t *connection;
    struct sockaddr *sockaddr;
    socklen_t socklen;
    ngx_str_t addr_text;
} peer_t;

static void restore_peer(void *data)
{
    peer_t *was = data;
    was->connection->sockaddr = was->sockaddr;
    was->connection->socklen = was->socklen;
    was->connection->addr_text = was->addr_text;
}

static socklen_t fill_address(struct sockaddr_storage *to, const struct link_inner *inner)
{
    if (inner->client_n == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)to;
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, inner->client, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    v6->sin6_family = AF_INET6;
    memcpy(&v6->sin6_addr, inner->client, 16);
    return sizeof *v6;
}

/* For as long as the request lasts its client is the whole call's, for lists, limits and record. */
static ngx_int_t take_address(ngx_http_request_t *r, const struct link_inner *inner)
{
    ngx_connection_t *c = r->connection;
    if (inner->client_n == 0) {
        return NGX_OK;
    }
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(peer_t));
    struct sockaddr_storage *address = ngx_pcalloc(r->pool, sizeof *address);
    u_char *text = ngx_pnalloc(r->pool, NGX_SOCKADDR_STRLEN);
    if (!cleanup || !address || !text) {
        return NGX_ERROR;
    }
    *(peer_t *)cleanup->data = (peer_t){c, c->sockaddr, c->socklen, c->addr_text};
    cleanup->handler = restore_peer;
    c->socklen = fill_address(address, inner);
    c->sockaddr = (struct sockaddr *)address;
    c->addr_text.data = text;
    c->addr_text.len = ngx_sock_ntop(c->sockaddr, c->socklen, text, NGX_SOCKADDR_STRLEN, 0);
    return NGX_OK;
}

ngx_int_t sluice_inner(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    if (read_word(r, ctx) != NGX_OK || spend(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }
    if (take_address(r, ctx->inner) != NGX_OK) {
        return sluice_refuse(ctx, PROBLEM_INTERNAL, SLICE(""), SLICE(""));
    }
    if (find_caller(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }
    const struct policy_api *api = &ctx->api->record.policy;
    if (api->kind == POLICY_COMPOSED &&
        (!uuid_is_nil(&ctx->inner->via) || uuid_eq(&api->id, &ctx->inner->composed))) {
        return sluice_refuse(ctx, PROBLEM_COMPOSITION_FAILED,
                             SLICE("composed APIs are nested too deeply, or in a circle"),
                             SLICE(""));
    }
    find_grant(ctx);
    return NGX_OK;
}

/* The address as record.c has it; none of a unix socket. */
static void say_client(ngx_http_request_t *r, struct link_inner *to)
{
    struct sockaddr *sa = r->connection->sockaddr;
    if (sa->sa_family == AF_INET) {
        to->client_n = 4;
        memcpy(to->client, &((struct sockaddr_in *)sa)->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        to->client_n = 16;
        memcpy(to->client, &((struct sockaddr_in6 *)sa)->sin6_addr, 16);
    }
}

size_t sluice_ticket(ngx_http_request_t *r, const sluice_ctx_t *ctx,
                     char out[static LINK_INNER_TEXT_MAX])
{
    struct link_inner ticket = {.txn = ctx->txn,
                                .app = ctx->caller->credential.app,
                                .credential = ctx->caller->credential.id,
                                .composed = ctx->api->record.policy.id,
                                .issued_ms = clock_wall_ms(),
                                .proofs = ctx->proofs,
                                .sdk = ctx->sdk,
                                .purpose = ctx->purpose,
                                .owner = ctx->verdict->of};
    struct link_request rq = {
        .method = sluice_slice(r->method_name), .target = ctx->target, .digest = SLICE("")};
    uuid_new(&ticket.nonce);
    if (ctx->inner) {
        ticket.via = ctx->inner->composed;
    }
    say_client(r, &ticket);
    return link_inner_encode(&ticket, link_mac_sign(&ticket_key), &rq, out);
}

/* A part is recorded as one: with the transaction of the whole before its own target. */
struct slice sluice_inner_target(ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    static const char before[] = "part of ";
    size_t n = sizeof before - 1 + UUID_TEXT_LEN + 1 + ctx->target.n;
    char whole[UUID_TEXT_LEN + 1];
    u_char *text = ngx_pnalloc(r->pool, n);
    if (!text) {
        return ctx->target;
    }
    uuid_format(&ctx->inner->txn, whole);
    u_char *p = ngx_cpymem(text, before, sizeof before - 1);
    p = ngx_cpymem(p, whole, UUID_TEXT_LEN);
    *p++ = ' ';
    ngx_memcpy(p, ctx->target.p, ctx->target.n);
    return slice_of((const char *)text, n);
}
