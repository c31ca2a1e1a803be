/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of upstreams kept for a while (SW-6-cache, SW-8.3.4-cache), in nginx's own cache on a
 * memory file system. What is kept is what came before the plan, so callers with different masks
 * share it and each gets its own; the stages before `dispatch` have decided that this caller may
 * have it, so a revoked grant gets nothing. Calls that ask for the same thing at once wait for the
 * first (proxy_cache_lock).
 *
 * The key holds all an answer may depend on: API, revision and epoch, whose rows and which of them,
 * the target with its query, what is negotiated, and of a dataset which fields may be read. Never
 * kept: an answer under a single-use grant, one that is no 200, is larger than BODY_MAX or cannot
 * be read, and what its upstream forbids to keep. */
#include "sluice.h"

#define BODY_MAX (1024 * 1024)
#define ZONE     "sluice_cache" /* node/nginx_conf.c */

static bool conditional(const ngx_http_request_t *r)
{
    const ngx_http_headers_in_t *in = &r->headers_in;
    return in->range || in->if_range || in->if_modified_since || in->if_unmodified_since ||
           in->if_match || in->if_none_match || in->authorization || in->cookies.nelts;
}

static bool wanted(const ngx_http_request_t *r, const sluice_ctx_t *ctx)
{
    if (!ctx || !ctx->api || ctx->api->record.cache_ms == 0 || ctx->mode != SLUICE_PLAN ||
        ctx->export_asked) {
        return false;
    }
    bool once = ctx->verdict->grant_known && ctx->verdict->grant_record.term == POLICY_ONCE;
    bool body = r->request_body && r->request_body->bufs;
    /* What is made up is not kept for others, and what is kept is not for the test stage. */
    return !sluice_sandbox(ctx) && r->method == NGX_HTTP_GET && !once && !body && !conditional(r) &&
           ctx->api->record.policy.kind != POLICY_COMPOSED &&
           ctx->api->record.policy.kind != POLICY_TOPIC;
}

static void add_part(struct crypto_hasher *hasher, struct slice part)
{
    uint64_t n = part.n;
    crypto_hasher_add(hasher, (const uint8_t *)&n, sizeof n);
    crypto_hasher_add(hasher, (const uint8_t *)part.p, part.n);
}

static void add_number(struct crypto_hasher *hasher, uint64_t n)
{
    crypto_hasher_add(hasher, (const uint8_t *)&n, sizeof n);
}

/* What an upstream may choose its answer by. */
static void add_negotiation(struct crypto_hasher *hasher, ngx_http_request_t *r)
{
    static const struct slice names[] = {{"accept", 6}, {"accept-language", 15}, {"prefer", 6}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        add_number(hasher, i);
        for (ngx_list_part_t *part = &r->headers_in.headers.part; part; part = part->next) {
            ngx_table_elt_t *header = part->elts;
            for (ngx_uint_t j = 0; j < part->nelts; j++) {
                if (header[j].key.len == names[i].n &&
                    ngx_memcmp(header[j].lowcase_key, names[i].p, names[i].n) == 0) {
                    add_part(hasher, sluice_slice(header[j].value));
                }
            }
        }
    }
}

static void make_key(ngx_http_request_t *r, const sluice_ctx_t *ctx,
                     uint8_t key[static CRYPTO_HASH_LEN])
{
    const struct replica_api *api = &ctx->api->record;
    bool dataset = api->policy.kind == POLICY_DATASET;
    struct crypto_hasher hasher;
    crypto_hasher_init(&hasher, CRYPTO_SM3);
    crypto_hasher_add(&hasher, api->policy.id.b, UUID_LEN);
    add_number(&hasher, api->policy.rev);
    add_number(&hasher, api->cache_epoch);
    add_number(&hasher, dataset ? ctx->verdict->plan_key : 0);
    add_number(&hasher, !dataset && api->targets[ctx->chosen].role == REPLICA_CANARY);
    add_part(&hasher, ctx->verdict->of);
    add_part(&hasher, ctx->verdict->rows);
    add_part(&hasher, sluice_slice(r->unparsed_uri));
    add_negotiation(&hasher, r);
    crypto_hasher_end(&hasher, key);
    crypto_hasher_fini(&hasher);
}

/* $sluice_cache: the zone, or "off". */
static ngx_int_t get_zone(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    const sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    struct slice zone = wanted(r, ctx) ? SLICE(ZONE) : SLICE("off");
    (void)data;
    *v = (ngx_http_variable_value_t){
        .valid = 1, .data = (u_char *)zone.p, .len = (unsigned)zone.n & 0xfffffff};
    return NGX_OK;
}

/* Who waits for another's answer waits no longer than for its own. */
static ngx_int_t set_wait(ngx_http_request_t *r, uint32_t timeout_ms)
{
    ngx_http_upstream_conf_t *own = ngx_palloc(r->pool, sizeof *own);
    if (!own) {
        return NGX_ERROR;
    }
    *own = *r->upstream->conf;
    own->cache_lock_timeout = timeout_ms;
    own->cache_lock_age = timeout_ms;
    r->upstream->conf = own;
    return NGX_OK;
}

/* $sluice_cache_key: asked for when the zone was not "off". */
static ngx_int_t get_key(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data)
{
    const sluice_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_sluice_module);
    uint8_t key[CRYPTO_HASH_LEN];
    u_char *text = ngx_pnalloc(r->pool, 2 * sizeof key);
    (void)data;
    if (!text || !ctx || !r->upstream || set_wait(r, ctx->api->record.timeout_ms) != NGX_OK) {
        return NGX_ERROR;
    }
    make_key(r, ctx, key);
    ngx_hex_dump(text, key, sizeof key);
    *v = (ngx_http_variable_value_t){.valid = 1, .data = text, .len = 2 * sizeof key};
    return NGX_OK;
}

ngx_int_t sluice_add_cache_variables(ngx_conf_t *cf)
{
    static const struct {
        ngx_str_t name;
        ngx_http_get_variable_pt get;
    } rows[] = {{ngx_string("sluice_cache"), get_zone}, {ngx_string("sluice_cache_key"), get_key}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ngx_str_t name = rows[i].name;
        ngx_http_variable_t *v = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (!v) {
            return NGX_ERROR;
        }
        v->get_handler = rows[i].get;
    }
    return NGX_OK;
}

/* Answers ----------------------------------------------------------------------------------------
 */

/* RFC 9111: what was kept says how old it is. */
static ngx_int_t say_age(ngx_http_request_t *r)
{
    u_char *text = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (!text) {
        return NGX_ERROR;
    }
    time_t age = ngx_max(ngx_time() - r->cache->date, 0);
    u_char *end = ngx_sprintf(text, "%T", age);
    return sluice_add_header(r, "Age", slice_of((char *)text, (size_t)(end - text)));
}

/* nginx counts whole seconds and an answer is good for all of its last one: it is kept a second
 * short rather than long. */
static time_t good_until(uint32_t cache_ms)
{
    ngx_time_t *now = ngx_timeofday();
    return (time_t)(((uint64_t)now->sec * 1000 + now->msec + cache_ms) / 1000) - 1;
}

ngx_int_t sluice_cache_answer(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    ngx_http_upstream_t *u = r->upstream;
    if (!r->cache || !u) {
        return NGX_OK;
    }
    if (r->cached) {
        ctx->cached = true;
        return ctx->mode == SLUICE_PLAN ? say_age(r) : NGX_OK;
    }
    time_t until = good_until(ctx->api->record.cache_ms);
    bool good = ctx->mode == SLUICE_PLAN && ctx->problem == PROBLEM_OK &&
                u->headers_in.status_n == NGX_HTTP_OK &&
                u->headers_in.content_length_n <= BODY_MAX && until >= ngx_time();
    if (!good) {
        u->cacheable = 0;
    }
    if (r->cache->valid_sec == 0 || r->cache->valid_sec > until) {
        r->cache->valid_sec = until;
    }
    return NGX_OK;
}

void sluice_cache_body(ngx_http_request_t *r)
{
    ngx_http_upstream_t *u = r->upstream;
    if (!r->cached && u && u->cacheable && u->pipe && u->pipe->read_length > BODY_MAX) {
        u->cacheable = 0;
        u->pipe->cacheable = 0;
    }
}

void sluice_cache_spoil(ngx_http_request_t *r)
{
    if (!r->cache || !r->upstream) {
        return;
    }
    r->upstream->cacheable = 0;
    if (r->cache->file.name.len) {
        (void)ngx_delete_file(r->cache->file.name.data); /* it may not be there yet */
    }
}
