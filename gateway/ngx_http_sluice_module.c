/* SPDX-License-Identifier: Apache-2.0 */
#include "sluice.h"

static void *create_main_conf(ngx_conf_t *cf);
static char *init_main_conf(ngx_conf_t *cf, void *conf);
static void *create_loc_conf(ngx_conf_t *cf);
static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t init(ngx_conf_t *cf);
static ngx_int_t add_variables(ngx_conf_t *cf);
static char *set_replay(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *set_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

static ngx_conf_enum_t lost_words[] = {{ngx_string("local"), SLUICE_REDIS_LOST_LOCAL},
                                       {ngx_string("refuse"), SLUICE_REDIS_LOST_REFUSE},
                                       {ngx_null_string, 0}};

#define MAIN_PATH(name, member)                                                                    \
    {                                                                                              \
        ngx_string(name), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_str_slot,              \
            NGX_HTTP_MAIN_CONF_OFFSET, offsetof(sluice_main_conf_t, member), NULL                  \
    }

static ngx_command_t commands[] = {
    {ngx_string("sluice"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_FLAG,
     ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET, offsetof(sluice_loc_conf_t, on), NULL},
    {ngx_string("sluice_inner"), NGX_HTTP_SRV_CONF | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(sluice_loc_conf_t, inner), NULL},
    {ngx_string("sluice_entry"), NGX_HTTP_SRV_CONF | NGX_CONF_TAKE1, ngx_conf_set_str_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(sluice_loc_conf_t, entry), NULL},
    MAIN_PATH("sluice_replica", replica_dir),
    MAIN_PATH("sluice_audit", audit_dir),
    MAIN_PATH("sluice_node", node),
    MAIN_PATH("sluice_link_key", link_key_file),
    MAIN_PATH("sluice_data_socket", data_socket),
    MAIN_PATH("sluice_state", state_dir),
    MAIN_PATH("sluice_keys", keys_dir),
    {ngx_string("sluice_replay"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE2, set_replay,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("sluice_staleness"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_sec_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(sluice_main_conf_t, staleness_s), NULL},
    {ngx_string("sluice_redis"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE12, set_redis,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("sluice_redis_timeout"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_conf_set_msec_slot, NGX_HTTP_MAIN_CONF_OFFSET,
     offsetof(sluice_main_conf_t, redis_timeout_ms), NULL},
    {ngx_string("sluice_redis_lost"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_enum_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(sluice_main_conf_t, redis_lost), lost_words},
    {ngx_string("sluice_metrics"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, sluice_metrics, 0, 0, NULL},
    {ngx_string("sluice_balancer"), NGX_HTTP_UPS_CONF | NGX_CONF_NOARGS, sluice_balancer, 0, 0,
     NULL},
    ngx_null_command};

static ngx_http_module_t module_ctx = {add_variables, init, create_main_conf, init_main_conf,
                                       NULL,          NULL, create_loc_conf,  merge_loc_conf};

ngx_module_t ngx_http_sluice_module = {
    NGX_MODULE_V1,      &module_ctx, commands, NGX_HTTP_MODULE,    NULL, NULL,
    sluice_worker_init, NULL,        NULL,     sluice_worker_exit, NULL, NGX_MODULE_V1_PADDING};

static const sluice_stage_pt stages[] = {
    sluice_route,  sluice_addresses, sluice_token,        sluice_account, sluice_authenticate,
    sluice_decide, sluice_callers,   sluice_nonce,        sluice_limits,  sluice_grant,
    sluice_body,   sluice_open,      sluice_confirmation, sluice_unwrap,  sluice_validate,
    sluice_claims, sluice_amounts,   sluice_convert,      sluice_dispatch};
const char *const sluice_stage_names[] = {
    "route",    "addresses", "token",   "account", "authenticate", "decide",       "callers",
    "nonce",    "limits",    "grant",   "body",    "open",         "confirmation", "unwrap",
    "validate", "claims",    "amounts", "convert", "dispatch"};

#define STAGES (sizeof stages / sizeof *stages)
_Static_assert(STAGES == sizeof sluice_stage_names / sizeof *sluice_stage_names,
               "each stage has a name");
const size_t sluice_stages_n = STAGES;

static ngx_int_t run_stages(ngx_http_request_t *r, sluice_ctx_t *ctx)
{
    for (; ctx->stage < STAGES; ctx->stage++) {
        sluice_stage_begin(ctx);
        ngx_int_t rc = stages[ctx->stage](r, ctx);
        if (rc == NGX_DONE) {
            return rc; /* it goes on elsewhere, and may be over: r and ctx may be gone */
        }
        sluice_stage_end(ctx);
        if (rc == NGX_OK) {
            continue;
        }
        if (rc != NGX_DECLINED) {
            return rc;
        }
        ctx->stage = STAGES;
        ctx->mode = SLUICE_OWN;
        r->content_handler = sluice_problem_handler;
    }
    return NGX_OK;
}

static ngx_int_t access_handler(ngx_http_request_t *r)
{
    sluice_loc_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_sluice_module);
    if (!conf->on || r != r->main) {
        return NGX_DECLINED;
    }
    sluice_ctx_t *ctx = sluice_ctx(r);
    if (!ctx) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_int_t rc = run_stages(r, ctx);
    sluice_snapshot_end();
    return rc;
}

static char *set_replay(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    sluice_main_conf_t *main = conf;
    ngx_str_t *args = cf->args->elts;
    (void)cmd;
    ssize_t size = ngx_parse_size(&args[2]);
    if (size < 4096 || (size & (size - 1))) {
        return "takes a file and a size that is a power of two of at least 4k";
    }
    main->replay_file = args[1];
    main->replay_size = (size_t)size;
    return NGX_CONF_OK;
}

static char *set_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    sluice_main_conf_t *main = conf;
    ngx_str_t *args = cf->args->elts;
    (void)cmd;
    if (main->redis_address.len) {
        return "is duplicate";
    }
    main->redis_address = args[1];
    if (cf->args->nelts > 2) {
        main->redis_password_file = args[2];
    }
    return NGX_CONF_OK;
}

static void *create_main_conf(ngx_conf_t *cf)
{
    sluice_main_conf_t *conf = ngx_pcalloc(cf->pool, sizeof *conf);
    if (conf) {
        conf->staleness_s = NGX_CONF_UNSET;
        conf->redis_timeout_ms = NGX_CONF_UNSET_MSEC;
        conf->redis_lost = NGX_CONF_UNSET_UINT;
    }
    return conf;
}

static char *init_main_conf(ngx_conf_t *cf, void *conf)
{
    sluice_main_conf_t *main = conf;
    ngx_conf_init_value(main->staleness_s, 3600);
    ngx_conf_init_msec_value(main->redis_timeout_ms, 20);
    ngx_conf_init_uint_value(main->redis_lost, SLUICE_REDIS_LOST_LOCAL);
    if (main->replica_dir.len == 0) {
        return NGX_CONF_OK; /* `sluice on` without it refuses every call */
    }
    if (main->audit_dir.len == 0 || main->node.len == 0 || main->replay_file.len == 0 ||
        main->link_key_file.len == 0 || main->data_socket.len == 0 || main->state_dir.len == 0 ||
        main->keys_dir.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "sluice_replica needs sluice_audit, sluice_node, sluice_replay, "
                           "sluice_link_key, sluice_data_socket, sluice_state and sluice_keys "
                           "beside it");
        return NGX_CONF_ERROR;
    }
    ngx_url_t url = {0};
    url.url.len = main->data_socket.len + sizeof "unix:" - 1;
    url.url.data = ngx_pnalloc(cf->pool, url.url.len + 1);
    if (!url.url.data) {
        return NGX_CONF_ERROR;
    }
    ngx_sprintf(url.url.data, "unix:%V%Z", &main->data_socket);
    if (ngx_parse_url(cf->pool, &url) != NGX_OK) {
        return "sluice_data_socket is not the path of a socket";
    }
    main->data_addr = url.addrs[0];
    return NGX_CONF_OK;
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    sluice_loc_conf_t *conf = ngx_pcalloc(cf->pool, sizeof *conf);
    if (conf) {
        conf->on = NGX_CONF_UNSET;
        conf->inner = NGX_CONF_UNSET;
    }
    return conf;
}

static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    sluice_loc_conf_t *from = parent, *to = child;
    (void)cf;
    ngx_conf_merge_value(to->on, from->on, 0);
    ngx_conf_merge_value(to->inner, from->inner, 0);
    ngx_conf_merge_str_value(to->entry, from->entry, "");
    return NGX_CONF_OK;
}

static ngx_int_t add_variables(ngx_conf_t *cf)
{
    ngx_int_t rc = sluice_add_variables(cf);
    rc = rc == NGX_OK ? sluice_add_cache_variables(cf) : rc;
    return rc == NGX_OK ? sluice_add_access_variables(cf) : rc;
}

static ngx_int_t add_handler(ngx_http_core_main_conf_t *core, ngx_uint_t phase,
                             ngx_http_handler_pt handler)
{
    ngx_http_handler_pt *slot = ngx_array_push(&core->phases[phase].handlers);
    if (!slot) {
        return NGX_ERROR;
    }
    *slot = handler;
    return NGX_OK;
}

static ngx_int_t init(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    if (add_handler(core, NGX_HTTP_ACCESS_PHASE, access_handler) != NGX_OK ||
        add_handler(core, NGX_HTTP_LOG_PHASE, sluice_log_handler) != NGX_OK) {
        return NGX_ERROR;
    }
    return sluice_filter_init(cf);
}
