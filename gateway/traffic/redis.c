/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic/redis.h"

#include <hiredis/async.h>
#include <stdarg.h>

#include "base/clock.h"

#define HANDSHAKE_MS   1000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define PASSWORD_MAX   512

static struct {
    sluice_main_conf_t *conf; /* NULL: none configured */
    redisAsyncContext *redis; /* NULL: away */
    ngx_connection_t *c;      /* its socket, as nginx sees it */
    bool ready;               /* the script is loaded */
    bool told;                /* that it is away */
    ngx_msec_t backoff_ms;
    ngx_event_t timer; /* of the handshake, or until the next try */
    char sha[41];
    size_t password_n;
    char password[PASSWORD_MAX];
} server;

static struct sluice_redis_args args;

static void connect_now(void);

bool sluice_redis_wanted(void)
{
    return server.conf != NULL;
}

bool sluice_redis_local(void)
{
    return server.conf->redis_lost == SLUICE_REDIS_LOST_LOCAL;
}

/* hiredis on nginx's event loop ------------------------------------------------------------------
 * Level-triggered, for hiredis reads once a call. */

static void on_readable(ngx_event_t *event)
{
    ngx_connection_t *c = event->data;
    redisAsyncHandleRead(c->data); /* may free it */
}

static void on_writable(ngx_event_t *event)
{
    ngx_connection_t *c = event->data;
    redisAsyncHandleWrite(c->data);
}

static void set_event(ngx_event_t *event, ngx_int_t kind, bool on)
{
    if (on && !event->active) {
        (void)ngx_add_event(event, kind, NGX_LEVEL_EVENT);
    } else if (!on && event->active) {
        (void)ngx_del_event(event, kind, 0);
    }
}

static void add_read(void *c)
{
    set_event(((ngx_connection_t *)c)->read, NGX_READ_EVENT, true);
}

static void del_read(void *c)
{
    set_event(((ngx_connection_t *)c)->read, NGX_READ_EVENT, false);
}

static void add_write(void *c)
{
    set_event(((ngx_connection_t *)c)->write, NGX_WRITE_EVENT, true);
}

static void del_write(void *c)
{
    set_event(((ngx_connection_t *)c)->write, NGX_WRITE_EVENT, false);
}

/* hiredis closes the socket itself. */
static void cleanup(void *data)
{
    ngx_connection_t *c = data;
    del_read(c);
    del_write(c);
    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }
    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }
    c->fd = (ngx_socket_t)-1;
    ngx_free_connection(c);
}

static bool attach(redisAsyncContext *redis)
{
    ngx_connection_t *c = ngx_get_connection(redis->c.fd, ngx_cycle->log);
    if (!c) {
        return false;
    }
    c->data = redis;
    c->log = ngx_cycle->log;
    c->read->handler = on_readable;
    c->read->log = ngx_cycle->log;
    c->write->handler = on_writable;
    c->write->log = ngx_cycle->log;
    redis->ev.data = c;
    redis->ev.addRead = add_read;
    redis->ev.delRead = del_read;
    redis->ev.addWrite = add_write;
    redis->ev.delWrite = del_write;
    redis->ev.cleanup = cleanup;
    return true;
}

/* Coming and going ------------------------------------------------------------------------------
 */

/* One worker speaks for the node. */
static void tell_operators(const char *kind, const char *reason)
{
    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "sluice: %s (%s)", kind, reason);
    if (ngx_worker != 0) {
        return;
    }
    struct sluice_event event = {.kind = kind,
                                 .owner = SLICE(""),
                                 .address = SLICE(""),
                                 .target = sluice_slice(server.conf->redis_address),
                                 .reason = slice_str(reason)};
    sluice_event(&event);
}

static void try_again_later(const char *reason)
{
    server.redis = NULL;
    server.ready = false;
    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }
    if (!server.told) {
        server.told = true;
        tell_operators("redis-lost", reason);
    }
    if (server.timer.timer_set) {
        ngx_del_timer(&server.timer);
    }
    ngx_add_timer(&server.timer, server.backoff_ms);
    server.backoff_ms = ngx_min(server.backoff_ms * 2, BACKOFF_MAX_MS);
}

/* All who wait for an answer are told that none comes. */
static void lose(const char *reason)
{
    redisAsyncContext *redis = server.redis;
    try_again_later(reason);
    if (redis) {
        redisAsyncFree(redis);
    }
}

static void on_disconnect(const redisAsyncContext *redis, int status)
{
    (void)status;
    if (redis == server.redis) {
        try_again_later(redis->err ? redis->errstr : "closed");
    }
}

static void on_script(redisAsyncContext *redis, void *answer, void *data)
{
    const redisReply *reply = answer;
    (void)data;
    if (redis != server.redis || !reply) {
        return;
    }
    if (reply->type != REDIS_REPLY_STRING || reply->len != 40) {
        lose(reply->type == REDIS_REPLY_ERROR ? reply->str : "it does not take the script");
        return;
    }
    memcpy(server.sha, reply->str, sizeof server.sha);
    server.ready = true;
    server.backoff_ms = BACKOFF_MIN_MS;
    if (server.timer.timer_set) {
        ngx_del_timer(&server.timer);
    }
    if (server.told) {
        server.told = false;
        tell_operators("redis-back", "connected");
    }
}

static void on_connect(const redisAsyncContext *redis, int status)
{
    if (redis != server.redis) {
        return;
    }
    if (status != REDIS_OK) { /* hiredis frees it after this */
        try_again_later(redis->errstr && redis->errstr[0] ? redis->errstr : "no connection");
        return;
    }
    if (server.password_n) {
        redisAsyncCommand(server.redis, NULL, NULL, "AUTH %b", server.password, server.password_n);
    }
    redisAsyncCommand(server.redis, on_script, NULL, "SCRIPT LOAD %s", limit_redis_script);
}

static redisAsyncContext *open_socket(ngx_str_t address)
{
    char host[64], *text = (char *)address.data;
    const char *colon = strrchr(text, ':');
    if (text[0] == '/') {
        return redisAsyncConnectUnix(text);
    }
    if (!colon) {
        return NULL;
    }
    bool v6 = text[0] == '[';
    size_t n = (size_t)(colon - text);
    if (n < 2u * v6 || n - 2 * v6 >= sizeof host) {
        return NULL;
    }
    memcpy(host, text + v6, n - 2 * v6);
    host[n - 2 * v6] = '\0';
    return redisAsyncConnect(host, atoi(colon + 1)); /* an address: nothing is looked up */
}

static void connect_now(void)
{
    redisAsyncContext *redis = open_socket(server.conf->redis_address);
    if (!redis || redis->err || !attach(redis)) {
        try_again_later(redis && redis->err ? redis->errstr : "no connection");
        if (redis) {
            redisAsyncFree(redis);
        }
        return;
    }
    server.redis = redis;
    redisAsyncSetDisconnectCallback(redis, on_disconnect);
    redisAsyncSetConnectCallback(redis, on_connect);
    ngx_add_timer(&server.timer, HANDSHAKE_MS);
}

static void on_timer(ngx_event_t *event)
{
    (void)event;
    if (server.redis) {
        lose("no answer");
    } else {
        connect_now();
    }
}

static bool read_password(ngx_log_t *log, ngx_str_t file)
{
    if (file.len == 0) {
        return true;
    }
    ngx_fd_t fd = ngx_open_file(file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    ssize_t n = fd == NGX_INVALID_FILE ? -1 : read(fd, server.password, sizeof server.password);
    if (fd != NGX_INVALID_FILE) {
        ngx_close_file(fd);
    }
    while (n > 0 && (server.password[n - 1] == '\n' || server.password[n - 1] == '\r')) {
        n--;
    }
    if (n <= 0) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "sluice: the password of Redis in \"%V\"",
                      &file);
        return false;
    }
    server.password_n = (size_t)n;
    return true;
}

void sluice_redis_open(ngx_cycle_t *cycle, sluice_main_conf_t *conf)
{
    if (conf->redis_address.len == 0) {
        return;
    }
    server.conf = conf;
    server.backoff_ms = BACKOFF_MIN_MS;
    server.timer =
        (ngx_event_t){.handler = on_timer, .data = &server, .log = cycle->log, .cancelable = 1};
    if (read_password(cycle->log, conf->redis_password_file)) {
        connect_now();
    } else {
        try_again_later("no password");
    }
}

void sluice_redis_close(void)
{
    redisAsyncContext *redis = server.redis;
    server.redis = NULL;
    server.ready = false;
    if (redis) {
        redisAsyncFree(redis);
    }
    crypto_wipe(server.password, sizeof server.password);
}

/* Questions -------------------------------------------------------------------------------------
 */

struct sluice_redis_args *sluice_redis_command(void)
{
    args.n = 0;
    args.used = 0;
    args.overflow = false;
    return &args;
}

struct sluice_redis_args *sluice_redis_script(void)
{
    sluice_redis_arg(sluice_redis_command(), "EVALSHA");
    sluice_redis_arg(&args, "%s", server.sha);
    return &args;
}

void sluice_redis_arg(struct sluice_redis_args *a, const char *fmt, ...)
{
    va_list list;
    size_t room = sizeof a->text - a->used;
    va_start(list, fmt);
    int n = vsnprintf(a->text + a->used, room, fmt, list);
    va_end(list);
    if (n < 0 || (size_t)n >= room || a->n == SLUICE_REDIS_ARGS) {
        a->overflow = true;
        return;
    }
    a->v[a->n] = a->text + a->used;
    a->len[a->n++] = (size_t)n;
    a->used += (size_t)n;
}

static void read_reply(sluice_redis_op_t *op, const redisReply *reply)
{
    op->state = SLUICE_REDIS_LOST;
    if (!reply) {
        return;
    }
    if (reply->type == REDIS_REPLY_NIL) {
        op->state = SLUICE_REDIS_NIL;
    } else if (reply->type == REDIS_REPLY_STATUS) {
        op->state = SLUICE_REDIS_DONE;
    } else if (reply->type == REDIS_REPLY_ARRAY && reply->elements <= SLUICE_REDIS_NUMBERS_MAX) {
        for (op->n = 0; op->n < reply->elements; op->n++) {
            op->numbers[op->n] = reply->element[op->n]->integer; /* 0 of what is no number */
        }
        op->state = SLUICE_REDIS_NUMBERS;
    }
}

static void on_answer(redisAsyncContext *redis, void *answer, void *data)
{
    const redisReply *reply = answer;
    sluice_redis_op_t *op = data;
    bool unknown = reply && reply->type == REDIS_REPLY_ERROR && redis == server.redis;
    op->owed = false;
    if (!op->r) {
        free(op);
    } else if (op->state == SLUICE_REDIS_WAITS) {
        read_reply(op, reply);
        if (op->timer.timer_set) {
            ngx_del_timer(&op->timer);
        }
        ngx_post_event(&op->wake, &ngx_posted_events);
    }
    if (unknown) { /* a new server at the old address, without the script */
        lose(reply->str);
    }
}

static void on_late(ngx_event_t *event)
{
    sluice_redis_op_t *op = event->data;
    op->state = SLUICE_REDIS_LOST;
    ngx_post_event(&op->wake, &ngx_posted_events);
    lose("no answer in time");
}

static void on_wake(ngx_event_t *event)
{
    sluice_redis_op_t *op = event->data;
    ngx_http_request_t *r = op->r;
    ngx_connection_t *c = r->connection;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}

ngx_int_t sluice_redis_ask(ngx_http_request_t *r, sluice_ctx_t *ctx, struct sluice_redis_args *a)
{
    sluice_redis_op_t *op = server.ready && !a->overflow ? calloc(1, sizeof *op) : NULL;
    if (!op) {
        return NGX_ABORT;
    }
    if (redisAsyncCommandArgv(server.redis, on_answer, op, a->n, a->v, a->len) != REDIS_OK) {
        free(op);
        return NGX_ABORT;
    }
    op->owed = true;
    op->r = r;
    op->timer = (ngx_event_t){.handler = on_late, .data = op, .log = r->connection->log};
    op->wake = (ngx_event_t){.handler = on_wake, .data = op, .log = r->connection->log};
    ngx_add_timer(&op->timer, server.conf->redis_timeout_ms);
    ctx->redis = op;
    r->read_event_handler = ngx_http_test_reading; /* a caller that hangs up ends the call */
    r->write_event_handler = ngx_http_request_empty_handler;
    return NGX_DONE;
}

void sluice_redis_end(sluice_ctx_t *ctx)
{
    sluice_redis_op_t *op = ctx->redis;
    if (!op) {
        return;
    }
    ctx->redis = NULL;
    op->r = NULL;
    if (op->timer.timer_set) {
        ngx_del_timer(&op->timer);
    }
    if (op->wake.posted) {
        ngx_delete_posted_event(&op->wake);
    }
    if (!op->owed) {
        free(op);
    }
}

void sluice_redis_tell(struct sluice_redis_args *a)
{
    if (server.ready && !a->overflow) {
        redisAsyncCommandArgv(server.redis, NULL, NULL, a->n, a->v, a->len);
    }
}
