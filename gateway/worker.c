/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker holds for its life: keys, its audit stream, its view of the replica. The replica
 * may not exist yet when nginx starts (a new node): the tick keeps trying, and calls are refused
 * `policy-stale` meanwhile. */
#include "sluice.h"

#include <sched.h>

#include "crypto/verifier.h"

#include "base/clock.h"
#include "caller/trust.h"

sluice_worker_t sluice_worker;

#define TICK_MS 1000

static sluice_main_conf_t *main_conf(ngx_cycle_t *cycle)
{
    return cycle->conf_ctx[ngx_http_module.index]
               ? ngx_http_cycle_get_module_main_conf(cycle, ngx_http_sluice_module)
               : NULL;
}

/* nginx ends each word of its configuration with a NUL. */
static const char *text(ngx_str_t s)
{
    return (const char *)s.data;
}

static void open_replica(ngx_cycle_t *cycle, const sluice_main_conf_t *conf)
{
    sluice_worker_t *w = &sluice_worker;
    if (w->reader) {
        return;
    }
    enum replica_err err = replica_open_reader(&w->replica, text(conf->replica_dir));
    if (err == REPLICA_OK) {
        err = replica_reader_new(&w->reader, w->replica);
    }
    if (err == REPLICA_OK) {
        return;
    }
    replica_close(&w->replica);
    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0, "sluice: no policy replica yet (%s)",
                  replica_strerror(err));
}

/* keys/data.key, beside the link key: of what stays when that is replaced. */
static enum crypto_err load_data_key(const char *link_key, uint8_t key[static CRYPTO_KEY_LEN])
{
    char path[NGX_MAX_PATH];
    const char *slash = strrchr(link_key, '/');
    int folder = slash ? (int)(slash - link_key) + 1 : 0;
    int n = snprintf(path, sizeof path, "%.*sdata.key", folder, link_key);
    return n > 0 && (size_t)n < sizeof path ? crypto_keyfile_load(path, key) : CRYPTO_EIO;
}

static ngx_int_t load_keys(ngx_cycle_t *cycle, const sluice_main_conf_t *conf)
{
    sluice_worker_t *w = &sluice_worker;
    uint8_t master[CRYPTO_KEY_LEN], key[CRYPTO_KEY_LEN];
    enum crypto_err err = link_ring_load(text(conf->link_key_file));
    if (err == CRYPTO_OK) {
        err = load_data_key(text(conf->link_key_file), master);
    }
    if (err != CRYPTO_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "sluice_link_key \"%V\": %s",
                      &conf->link_key_file, crypto_strerror(err));
        return NGX_ERROR;
    }
    crypto_derive(master, CRYPTO_VERIFIER_LABEL, w->verifier_key);
    link_mac_init(&w->link, "link.call", master);
    crypto_derive(master, "limit.seed", key);
    memcpy(&w->limit_seed, key, sizeof w->limit_seed);
    crypto_derive(master, "mask.pseudonym", key);
    w->mask_key = mask_key_new(key);
    sluice_inner_keys(master);
    crypto_wipe(master, sizeof master);
    crypto_wipe(key, sizeof key);
    return w->mask_key ? NGX_OK : NGX_ERROR;
}

static ngx_int_t open_stores(ngx_cycle_t *cycle, const sluice_main_conf_t *conf)
{
    sluice_worker_t *w = &sluice_worker;
    struct audit_config audit = {.dir = text(conf->audit_dir), .node = text(conf->node)};
    enum replay_err failed =
        w->replay ? REPLAY_OK : replay_open(&w->replay, text(conf->replay_file), conf->replay_size);
    if (failed != REPLAY_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "sluice_replay \"%V\": %s",
                      &conf->replay_file, replay_strerror(failed));
        return NGX_ERROR;
    }
    enum audit_err err = audit_writer_open(&w->audit, &audit);
    if (err != AUDIT_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "sluice_audit \"%V\": %s",
                      &conf->audit_dir, audit_strerror(err));
        return NGX_ERROR;
    }
    return NGX_OK;
}

/* Keys, the nonce table and an audit stream of its own: without all three a worker refuses each
 * call. It must not exit for want of them (nginx would start it again at once, for ever), so the
 * tick tries again: a disk may have had no room. */
static void become_ready(ngx_cycle_t *cycle, const sluice_main_conf_t *conf)
{
    sluice_worker_t *w = &sluice_worker;
    bool keys = w->mask_key != NULL;
    w->ready = (keys || load_keys(cycle, conf) == NGX_OK) && open_stores(cycle, conf) == NGX_OK;
    sluice_keys_load(cycle->log, conf->keys_dir);
}

static void on_tick(ngx_event_t *event)
{
    ngx_cycle_t *cycle = event->data;
    sluice_main_conf_t *conf = main_conf(cycle);
    sluice_worker_t *w = &sluice_worker;
    if (!w->ready) {
        become_ready(cycle, conf);
    }
    open_replica(cycle, conf);
    sluice_targets_tick();
    sluice_limits_open(cycle->log, conf->state_dir); /* again, when it could not be */
    sluice_limits_tick();
    enum audit_err err = w->ready ? audit_writer_tick(w->audit, clock_wall_ms()) : AUDIT_OK;
    if (err != AUDIT_OK) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno, "sluice: audit log: %s",
                      audit_strerror(err));
    }
    if (!ngx_exiting) {
        ngx_add_timer(event, TICK_MS);
    }
}

ngx_int_t sluice_worker_init(ngx_cycle_t *cycle)
{
    sluice_worker_t *w = &sluice_worker;
    sluice_main_conf_t *conf = main_conf(cycle);
    bool serves = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
    if (!conf || conf->replica_dir.len == 0 || !serves) {
        return NGX_OK;
    }
    if (sluice_certificate_init() != NGX_OK) {
        return NGX_ERROR;
    }
    /* Whoever wakes a worker ends what it is at first (docs/decisions/0019-wake-ups.md). */
    (void)sched_setscheduler(0, SCHED_BATCH, &(const struct sched_param){0});
    become_ready(cycle, conf);
    open_replica(cycle, conf);
    sluice_limits_open(cycle->log, conf->state_dir);
    sluice_redis_open(cycle, conf);
    sluice_metrics_open(cycle, conf->state_dir);
    sluice_targets_open(cycle, conf->state_dir);
    w->tick = (ngx_event_t){.handler = on_tick, .data = cycle, .log = cycle->log, .cancelable = 1};
    ngx_add_timer(&w->tick, TICK_MS);
    return NGX_OK;
}

void sluice_worker_exit(ngx_cycle_t *cycle)
{
    sluice_worker_t *w = &sluice_worker;
    (void)cycle;
    sluice_memo_clear();
    sluice_definitions_clear();
    sluice_trust_clear();
    sluice_token_clear();
    sluice_redis_close();
    sluice_limits_close();
    sluice_lists_clear();
    sluice_sdk_clear();
    sluice_events_close();
    sluice_evidence_close();
    sluice_recipients_clear();
    sluice_keys_free();
    sluice_metrics_close();
    sluice_targets_close();
    sluice_upstream_tls_exit();
    while (w->n_idle) {
        plan_stream_free(&w->idle[--w->n_idle]);
    }
    audit_writer_close(&w->audit);
    replay_close(&w->replay);
    replica_reader_free(&w->reader);
    replica_close(&w->replica);
    link_mac_fini(&w->link);
    link_ring_wipe();
    sluice_inner_exit();
    mask_key_free(&w->mask_key);
    crypto_wipe(w->verifier_key, sizeof w->verifier_key);
}

struct replica_reader *sluice_reader(void)
{
    sluice_worker_t *w = &sluice_worker;
    if (w->snapshot) {
        return w->reader;
    }
    if (!w->ready || !w->reader) {
        return NULL;
    }
    enum replica_err err = replica_read_begin(w->reader, &w->version, &w->synced_ms);
    if (err != REPLICA_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "sluice: replica: %s",
                      replica_strerror(err));
        w->refreshed_ms = 0;
        return NULL;
    }
    w->snapshot = true;
    w->refreshed_ms = ngx_current_msec;
    return w->reader;
}

void sluice_snapshot_end(void)
{
    sluice_worker_t *w = &sluice_worker;
    if (w->snapshot) {
        replica_read_end(w->reader);
        w->snapshot = false;
    }
}

bool sluice_refresh(void)
{
    sluice_worker_t *w = &sluice_worker;
    return (w->refreshed_ms && w->refreshed_ms == ngx_current_msec) || sluice_reader() != NULL;
}

struct plan_stream *sluice_stream_take(const struct plan *plan)
{
    sluice_worker_t *w = &sluice_worker;
    if (w->n_idle == 0) {
        return plan_stream_new(plan, w->mask_key);
    }
    struct plan_stream *stream = w->idle[--w->n_idle];
    plan_stream_reset(stream, plan, w->mask_key);
    return stream;
}

void sluice_stream_give(struct plan_stream *stream)
{
    sluice_worker_t *w = &sluice_worker;
    if (w->n_idle < sizeof w->idle / sizeof *w->idle) {
        w->idle[w->n_idle++] = stream;
        return;
    }
    plan_stream_free(&stream);
}

bool sluice_set_changed(sluice_set_t *set, enum replica_set which)
{
    uint64_t rev;
    if (set->read && set->version == sluice_worker.version) {
        return false;
    }
    struct replica_reader *reader = sluice_reader();
    if (!reader || replica_set_rev(reader, which, &rev) != REPLICA_OK) {
        return false;
    }
    bool changed = !set->read || rev != set->rev;
    *set = (sluice_set_t){.version = sluice_worker.version, .rev = rev, .read = true};
    return changed;
}
