/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd without ulfius: the proof in Sluice-Call covers the raw target, which ulfius gives
 * only after it has copied and decoded every argument, header and cookie into maps of its own; here
 * a request costs two allocations. Connections are accepted by a thread of ours and dealt out in
 * turn: left to itself, epoll wakes the same worker for most of them, and one slow source would
 * hold them all up. */
#include "data/server.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "data/events/events.h"

#define SERVER_POOL_BYTES  (128u << 10) /* of a connection: holds the request head, taken apart */
#define SERVER_CONNECTIONS 1024
#define SERVER_IDLE_S      120
#define STREAM_BYTES       32768 /* of a stream's events sent at once */
#define SERVER_COMPOSERS   2     /* threads that run composed APIs */

struct server {
    struct service_config service;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int listen_fd, wake_fd;
    struct MHD_Daemon *daemon;
    struct compose *compose;
    pthread_t acceptor;
    pthread_key_t worker_key;
    bool key_made, acceptor_made;
};

struct exchange { /* one request */
    struct MHD_Connection *connection;
    struct buf body;
    bool begun, too_large;
    bool composed; /* result is what there is to say */
    struct uuid txn;
    struct compose_result result;
    char target[]; /* as it came */
};

static void destroy_worker(void *p)
{
    struct worker *w = p;
    worker_free(&w);
}

static struct worker *thread_worker(struct server *s)
{
    struct worker *w = pthread_getspecific(s->worker_key);
    if (w)
        return w;
    w = worker_new(&s->service);
    if (w && pthread_setspecific(s->worker_key, w) != 0)
        worker_free(&w);
    return w;
}

static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    (void)cls;
    size_t n = strlen(target) + 1;
    struct exchange *x = malloc(sizeof *x + n);
    if (!x)
        return NULL;
    *x = (struct exchange){.connection = connection};
    buf_init(&x->body);
    memcpy(x->target, target, n);
    return x;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode why)
{
    (void)cls, (void)connection, (void)why;
    struct exchange *x = *slot;
    if (!x)
        return;
    buf_fini(&x->body);
    buf_fini(&x->result.body);
    free(x);
    *slot = NULL;
}

static struct slice get_header(void *ctx, const char *name)
{
    const struct exchange *x = ctx;
    const char *value = NULL;
    size_t n = 0;
    MHD_lookup_connection_value_n(x->connection, MHD_HEADER_KIND, name, strlen(name), &value, &n);
    return value ? slice_of(value, n) : SLICE("");
}

/* Large answers are handed over, small ones copied so that the worker keeps its buffer. */
static struct MHD_Response *make_response(struct worker *w, const struct service_file *file)
{
    struct buf *body = &w->body;
    if (file->is)
        return MHD_create_response_from_fd_at_offset64(file->bytes, file->fd, file->offset);
    if (body->n <= 65536)
        return MHD_create_response_from_buffer(body->n, body->p, MHD_RESPMEM_MUST_COPY);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(body->n, body->p, MHD_RESPMEM_MUST_FREE);
    if (r)
        buf_init(body);
    return r;
}

static void suspend(void *connection)
{
    MHD_suspend_connection(connection);
}

static void resume(void *connection)
{
    MHD_resume_connection(connection);
}

static ssize_t read_stream(void *cls, uint64_t at, char *out, size_t max)
{
    (void)at;
    ptrdiff_t n = events_stream_read(cls, out, max);
    return n == EVENTS_STREAM_END ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static void free_stream(void *cls)
{
    events_stream_free(cls);
}

/* Events as they come: the connection sleeps between them. */
static struct MHD_Response *stream_response(struct MHD_Connection *connection,
                                            struct events_stream *stream)
{
    events_stream_connect(stream, suspend, resume, connection);
    struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BYTES,
                                                               read_stream, stream, free_stream);
    if (!r)
        events_stream_free(stream);
    return r;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct worker *w,
                                  const struct service_reply *rp)
{
    struct MHD_Response *r =
        rp->stream ? stream_response(connection, rp->stream) : make_response(w, &rp->file);
    if (!r && rp->file.is)
        close(rp->file.fd);
    if (!r)
        return MHD_NO;
    for (size_t i = 0; i < rp->n_headers; i++)
        MHD_add_response_header(r, rp->headers[i].name, rp->headers[i].value);
    MHD_add_response_header(r, "Content-Type", rp->content_type);
    if (rp->content_range[0])
        MHD_add_response_header(r, "Content-Range", rp->content_range);
    if (rp->next[0])
        MHD_add_response_header(r, "Sluice-Next", rp->next);
    if (rp->etag[0])
        MHD_add_response_header(r, "ETag", rp->etag);
    if (rp->operation[0])
        MHD_add_response_header(r, "Sluice-Operation", rp->operation);
    if (rp->replayed)
        MHD_add_response_header(r, "Sluice-Replayed", "true");
    if (rp->problem)
        MHD_add_response_header(r, "Sluice-Problem", problem_row(rp->problem)->code);
    enum MHD_Result result = MHD_queue_response(connection, rp->status, r);
    MHD_destroy_response(r);
    return result;
}

/* From a thread of compose: what MHD does next is call on_request() again. */
static void on_composed(void *ctx, struct compose_result *result)
{
    struct exchange *x = ctx;
    x->result = *result;
    x->composed = true;
    MHD_resume_connection(x->connection);
}

/* Suspended first: the answer may come before this returns. */
static enum MHD_Result answer_later(struct server *s, struct exchange *x, struct worker *w,
                                    struct service_reply *reply)
{
    x->txn = w->call.txn;
    MHD_suspend_connection(x->connection);
    compose_submit(s->compose, &reply->later, on_composed, x);
    return MHD_YES;
}

static enum MHD_Result answer(struct server *s, struct exchange *x, const char *method)
{
    struct worker *w = thread_worker(s);
    struct service_reply reply;
    if (!w)
        return MHD_NO;
    struct service_request rq = {
        .method = slice_str(method),
        .target = slice_str(x->target),
        .body = x->body.n ? buf_slice(&x->body) : SLICE(""),
        .header = get_header,
        .ctx = x,
    };
    if (x->composed) {
        service_composed(w, &rq, &x->txn, &x->result, &reply);
    } else if (x->too_large || x->body.failed) {
        reply = (struct service_reply){0};
        memset(&w->call.txn, 0, sizeof w->call.txn);
        service_problem(w, &rq, &reply, PROBLEM_BODY_TOO_LARGE, NULL, SLICE(""));
    } else {
        service_handle(w, &rq, &reply);
    }
    return reply.later ? answer_later(s, x, w, &reply) : send_reply(x->connection, w, &reply);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_n, void **slot)
{
    (void)url, (void)version, (void)connection;
    struct exchange *x = *slot;
    if (!x)
        return MHD_NO;
    if (!x->begun) {
        x->begun = true;
        return MHD_YES;
    }
    if (*data_n) {
        x->too_large = x->too_large || *data_n > SERVICE_BODY_MAX - x->body.n;
        if (!x->too_large)
            buf_add(&x->body, data, *data_n);
        *data_n = 0;
        return MHD_YES;
    }
    return answer(cls, x, method);
}

static void *accept_loop(void *cls)
{
    struct server *s = cls;
    struct pollfd fds[2] = {{.fd = s->listen_fd, .events = POLLIN},
                            {.fd = s->wake_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
        if (fds[1].revents)
            break;
        struct sockaddr_un from = {.sun_family = AF_UNIX};
        int fd =
            fds[0].revents ? accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
        if (fd >= 0)
            MHD_add_connection(s->daemon, fd, (struct sockaddr *)&from, sizeof from.sun_family);
        else if (fds[0].revents && (errno == EMFILE || errno == ENFILE))
            poll(NULL, 0, 10); /* no descriptor to be had: let some calls end */
    }
    return NULL;
}

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* Remove what a dead process left; never a socket somebody answers on, never another kind of
     * file. */
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        close(fd);
        return -1;
    }
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
    mode_t old = umask(0117);
    bool ok = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    umask(old);
    if (ok && listen(fd, 511) == 0)
        return fd;
    close(fd);
    return -1;
}

static const char *start_parts(struct server *s, const struct server_config *cfg)
{
    struct compose_config compose = {.socket = cfg->gateway_socket ? cfg->gateway_socket : "",
                                     .threads = SERVER_COMPOSERS};
    const char *why;
    memcpy(compose.link_key, cfg->service.link_key, sizeof compose.link_key);
    s->compose = compose_start(&compose, &why);
    crypto_wipe(compose.link_key, sizeof compose.link_key);
    if (!s->compose)
        return why;
    s->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (s->wake_fd < 0)
        return "no descriptor left";
    s->key_made = pthread_key_create(&s->worker_key, destroy_worker) == 0;
    if (!s->key_made)
        return "no thread key left";
    s->listen_fd = open_socket(cfg->socket);
    if (s->listen_fd < 0)
        return "the socket cannot be made, or is in use";
    strcpy(s->path, cfg->socket);
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0,
        NULL, NULL, on_request, s, MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_THREAD_POOL_SIZE, cfg->threads,
        MHD_OPTION_CONNECTION_LIMIT, SERVER_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        SERVER_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_POOL_BYTES,
        MHD_OPTION_END);
    if (!s->daemon)
        return "the HTTP server cannot be started";
    s->acceptor_made = pthread_create(&s->acceptor, NULL, accept_loop, s) == 0;
    return s->acceptor_made ? NULL : "no thread left";
}

struct server *server_start(const struct server_config *cfg, const char **why)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        *why = "out of memory";
        return NULL;
    }
    s->service = cfg->service;
    s->listen_fd = s->wake_fd = -1;
    *why = start_parts(s, cfg);
    if (*why)
        server_stop(&s);
    return s;
}

void server_stop(struct server **slot)
{
    struct server *s = *slot;
    if (!s)
        return;
    uint64_t one = 1;
    if (s->acceptor_made && write(s->wake_fd, &one, sizeof one) == sizeof one)
        pthread_join(s->acceptor, NULL);
    events_stop(s->service.events);
    if (s->compose)
        compose_stop(s->compose); /* no connection may be suspended when the daemon stops */
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    compose_free(&s->compose);
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
        unlink(s->path);
    }
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    if (s->key_made)
        pthread_key_delete(s->worker_key);
    crypto_wipe(s->service.link_key, sizeof s->service.link_key);
    free(s);
    *slot = NULL;
}
