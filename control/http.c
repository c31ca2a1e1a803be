/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP by ulfius and libmicrohttpd. One callback a server; routes are ours (routes.c), since they
 * are a table that says more than a path. */
#include "http.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <ulfius.h>

#include "documents/documents.h"
#include "feed/feed.h"
#include "feed/reports.h"
#include "rest/rest.h"

#define REST_THREADS     8
#define REST_CONNECTIONS 1024
#define REST_PER_ADDRESS 256 /* each may hold a body of DOCUMENT_MAX */
#define FEED_CONNECTIONS 256
#define REST_TIMEOUT_S   75
#define FEED_TIMEOUT_S   60
/* Twice REST_HEAD_MAX: past it libmicrohttpd answers with a page of its own, and nothing can be put
 * in its place. */
#define CONNECTION_MEMORY (64u << 10)
#define PEM_MAX           (64l << 10)
#define STREAM_BLOCK      (256u << 10)

struct http_server {
    struct _u_instance instance;
    struct sockaddr_in address;
    struct control *ctl;
    char *key, *cert, *ca;
    bool initialised, running;
};

/* Longest client certificate that is handed on, DER. */
#define PEER_CERTIFICATE_MAX 16384u

static char *read_pem(const struct control *ctl, const char *name)
{
    char path[PATH_MAX];
    FILE *f = NULL;
    char *text = NULL;

    if (snprintf(path, sizeof path, "%s/pki/%s", ctl->cfg->data_dir, name) < (int)sizeof path) {
        f = fopen(path, "rb");
    }
    if (f && (text = calloc(1, PEM_MAX + 1)) && fread(text, 1, PEM_MAX, f) == 0) {
        free(text);
        text = NULL;
    }
    if (f) {
        fclose(f);
    }
    if (!text) {
        fprintf(stderr, "sluice: control: cannot read %s\n", path);
    }
    return text;
}

static char *read_key(const struct control *ctl)
{
    char path[PATH_MAX], *pem = NULL;

    snprintf(path, sizeof path, "%s/pki/control.key", ctl->cfg->data_dir);
    enum crypto_err err = crypto_pki_key(path, &pem);
    if (err != CRYPTO_OK) {
        fprintf(stderr, "sluice: control: %s: %s\n", path, crypto_strerror(err));
    }
    return pem;
}

/* REST --------------------------------------------------------------------------------------------
 */
static void fill_query(struct rest_request *req, struct _u_map *map)
{
    int n = u_map_count(map);
    const char **keys = u_map_enum_keys(map);

    for (int i = 0; i < n && req->n_query < REST_QUERY_MAX; i++) {
        const char *value = u_map_get(map, keys[i]);
        req->query[req->n_query++] = (struct rest_parameter){keys[i], value ? value : ""};
    }
}

static size_t head_bytes(const struct _u_request *request)
{
    size_t bytes = request->http_url ? strlen(request->http_url) : 0;
    const char **keys = u_map_enum_keys(request->map_header);

    for (int i = 0; keys && keys[i]; i++) {
        bytes += strlen(keys[i]) + (size_t)u_map_get_length(request->map_header, keys[i]);
    }
    return bytes;
}

static void set_header(struct _u_response *response, const char *name, const char *value)
{
    if (value[0]) {
        u_map_put(response->map_header, name, value);
    }
}

static void send_response(struct _u_response *response, const struct rest_response *resp)
{
    char seconds[16] = "";

    if (resp->retry_after_s) {
        snprintf(seconds, sizeof seconds, "%u", resp->retry_after_s);
    }
    set_header(response, "Content-Type", resp->body.n ? resp->content_type : "");
    set_header(response, "ETag", resp->etag);
    set_header(response, "Location", resp->location);
    set_header(response, "Retry-After", seconds);
    set_header(response, "Sluice-Transaction", resp->transaction);
    set_header(response, "Cache-Control", "no-store");
    set_header(response, "X-Content-Type-Options", "nosniff");
    set_header(response, "WWW-Authenticate", resp->status == 401 ? "Bearer" : "");
    for (size_t i = 0; i < resp->n_headers; i++) {
        u_map_put(response->map_header, resp->headers[i].name, resp->headers[i].value);
    }
    response->status = resp->status; /* ulfius sets it with a body alone */
    if (resp->body.n) {
        ulfius_set_binary_body_response(response, resp->status, resp->body.p, resp->body.n);
    }
}

static const char *header_of(const void *ctx, const char *name)
{
    return u_map_get_case(ctx, name);
}

/* ulfius hands on only certificates that its own trust verifies; which ones to believe is the
 * matter of whoever asks (pinned and self-signed ones too), so it is taken from the connection at
 * the start of each request. The request owns it and lets go of it. */
static void *on_request_start(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct connection_info_struct *info = ulfius_uri_logger(cls, uri);
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned n = 0;
    const gnutls_datum_t *peers =
        tls && tls->tls_session ? gnutls_certificate_get_peers(tls->tls_session, &n) : NULL;
    gnutls_x509_crt_t crt = NULL;

    if (!info || !info->request || info->request->client_cert || !peers || n == 0 ||
        peers[0].size > PEER_CERTIFICATE_MAX || gnutls_x509_crt_init(&crt) != GNUTLS_E_SUCCESS) {
        return info;
    }
    if (gnutls_x509_crt_import(crt, &peers[0], GNUTLS_X509_FMT_DER) != GNUTLS_E_SUCCESS) {
        gnutls_x509_crt_deinit(crt);
        return info;
    }
    info->request->client_cert = crt;
    return info;
}

static void fill_certificate(struct rest_request *req, const struct _u_request *request,
                             uint8_t der[static PEER_CERTIFICATE_MAX])
{
    size_t n = PEER_CERTIFICATE_MAX;

    if (request->client_cert && gnutls_x509_crt_export(request->client_cert, GNUTLS_X509_FMT_DER,
                                                       der, &n) == GNUTLS_E_SUCCESS) {
        req->peer_certificate = slice_of((const char *)der, n);
    }
}

static int on_rest(const struct _u_request *request, struct _u_response *response, void *user_data)
{
    struct http_server *server = user_data;
    struct rest_response resp;
    struct rest_request req = {
        .method = request->http_verb,
        .path = request->url_path ? request->url_path : "",
        .head_bytes = head_bytes(request),
        .body = slice_of(request->binary_body, request->binary_body_length),
        .authorization = u_map_get_case(request->map_header, "Authorization"),
        .if_match = u_map_get_case(request->map_header, "If-Match"),
        .accept_language = u_map_get_case(request->map_header, "Accept-Language"),
        .header = header_of,
        .header_ctx = request->map_header,
    };
    char address[INET_ADDRSTRLEN];
    uint8_t der[PEER_CERTIFICATE_MAX];
    const struct sockaddr_in *peer = (const struct sockaddr_in *)request->client_address;

    if (peer && peer->sin_family == AF_INET &&
        inet_ntop(AF_INET, &peer->sin_addr, address, sizeof address)) {
        req.peer_address = address;
    }

    fill_certificate(&req, request, der);
    fill_query(&req, request->map_url);
    rest_response_init(&resp);
    rest_dispatch(server->ctl, &req, &resp);
    send_response(response, &resp);
    rest_response_fini(&resp);
    return U_CALLBACK_COMPLETE;
}

/* Feed --------------------------------------------------------------------------------------------
 */
struct stream {
    struct buf body;
};

static ssize_t stream_more(void *ctx, uint64_t offset, char *out, size_t max)
{
    const struct stream *s = ctx;
    size_t n = offset < s->body.n ? s->body.n - (size_t)offset : 0;

    if (n == 0) {
        return U_STREAM_END;
    }
    n = n < max ? n : max;
    memcpy(out, s->body.p + offset, n);
    return (ssize_t)n;
}

static void stream_free(void *ctx)
{
    struct stream *s = ctx;

    buf_fini(&s->body);
    free(s);
}

static int refuse(struct _u_response *response, enum problem p, const char *detail)
{
    char text[PROBLEM_RENDER_MAX];
    size_t n = problem_render(p, false, slice_str(detail), SLICE(""), SLICE(""), text);

    u_map_put(response->map_header, "Content-Type", "application/problem+json");
    ulfius_set_binary_body_response(response, problem_row(p)->status, text, n);
    return U_CALLBACK_COMPLETE;
}

static bool read_feed_query(struct feed_query *q, struct _u_map *map)
{
    const char *epoch = u_map_get(map, "epoch"), *after = u_map_get(map, "after"),
               *kinds = u_map_get(map, "kinds"), *wait = u_map_get(map, "wait_ms");
    char *end = NULL;

    *q = (struct feed_query){0};
    if (epoch && strlen(epoch) < sizeof q->epoch) {
        memcpy(q->epoch, epoch, strlen(epoch));
    }
    if (after) {
        q->after = strtoll(after, &end, 10);
        if (*end || q->after < 0) {
            return false;
        }
    }
    if (wait) {
        q->wait_ms = (uint32_t)strtoul(wait, &end, 10);
        if (*end) {
            return false;
        }
    }
    return feed_parse_kinds(q, kinds ? kinds : "");
}

static int on_changes(struct http_server *server, const struct _u_request *request,
                      struct _u_response *response)
{
    struct feed_query q;

    if (!read_feed_query(&q, request->map_url)) {
        return refuse(response, PROBLEM_QUERY_MALFORMED,
                      "epoch, after, kinds and wait_ms are understood");
    }
    struct stream *s = calloc(1, sizeof *s);
    if (!s || feed_answer(server->ctl, &q, &s->body) != STORE_OK) {
        if (s) {
            stream_free(s);
        }
        return refuse(response, PROBLEM_INTERNAL, "");
    }
    u_map_put(response->map_header, "Content-Type", "application/json");
    ulfius_set_stream_response(response, 200, stream_more, stream_free, s->body.n, STREAM_BLOCK, s);
    return U_CALLBACK_COMPLETE;
}

static int on_reports(struct http_server *server, const struct _u_request *request,
                      struct _u_response *response)
{
    char why[REPORTS_WHY_MAX], text[40];
    size_t accepted = 0;
    enum problem p = reports_take(
        server->ctl, slice_of(request->binary_body, request->binary_body_length), &accepted, why);

    if (p != PROBLEM_OK) {
        return refuse(response, p, why);
    }
    int n = snprintf(text, sizeof text, "{\"accepted\":%zu}", accepted);
    u_map_put(response->map_header, "Content-Type", "application/json");
    ulfius_set_binary_body_response(response, 200, text, (size_t)n);
    return U_CALLBACK_COMPLETE;
}

static const struct {
    const char *path, *method;
    int (*answer)(struct http_server *server, const struct _u_request *request,
                  struct _u_response *response);
} feed_routes[] = {
    {"/feed/v1/changes", "GET", on_changes},
    {"/feed/v1/reports", "POST", on_reports},
};

static int on_feed(const struct _u_request *request, struct _u_response *response, void *user_data)
{
    /* The TLS layer asks for a certificate but lets a client without one finish the handshake. */
    if (!request->client_cert) {
        return refuse(response, PROBLEM_NOT_SIGNED_IN,
                      "a certificate of the platform's inner CA is needed");
    }
    for (size_t i = 0; i < sizeof feed_routes / sizeof *feed_routes; i++) {
        if (strcmp(request->url_path, feed_routes[i].path) != 0) {
            continue;
        }
        return strcmp(request->http_verb, feed_routes[i].method) == 0
                   ? feed_routes[i].answer(user_data, request, response)
                   : refuse(response, PROBLEM_METHOD_NOT_ALLOWED, "");
    }
    return refuse(response, PROBLEM_NOT_FOUND, "");
}

/* Both --------------------------------------------------------------------------------------------
 */
static struct http_server *server_new(struct control *ctl, uint16_t port, size_t body_max,
                                      int (*callback)(const struct _u_request *,
                                                      struct _u_response *, void *))
{
    struct http_server *s = calloc(1, sizeof *s);
    const char *host = ctl->cfg->listen_host ? ctl->cfg->listen_host : "127.0.0.1";

    if (!s) {
        return NULL;
    }
    s->ctl = ctl;
    s->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                  &s->address.sin_addr) != 1) {
        fprintf(stderr, "sluice: control: %s is not an IPv4 address to listen on\n", host);
        http_stop(&s);
        return NULL;
    }
    s->initialised = ulfius_init_instance(&s->instance, port, &s->address, NULL) == U_OK;
    s->key = read_key(ctl);
    s->cert = read_pem(ctl, "control.crt");
    if (!s->initialised || !s->key || !s->cert ||
        ulfius_set_default_endpoint(&s->instance, callback, s) != U_OK) {
        http_stop(&s);
        return NULL;
    }
    s->instance.check_utf8 = 0; /* refused by name in rest/call.c, not dropped */
    s->instance.allowed_post_processor = U_POST_PROCESS_NONE;
    s->instance.max_post_body_size =
        body_max + 1; /* one more than allowed shows that it is too large */
    return s;
}

static struct http_server *start(struct http_server *s, unsigned flags,
                                 struct MHD_OptionItem *options)
{
    if (ulfius_start_framework_with_mhd_options(&s->instance, flags, options) != U_OK) {
        fprintf(stderr, "sluice: control: cannot listen on port %u; is it taken?\n",
                s->instance.port);
        http_stop(&s);
        return NULL;
    }
    s->running = true;
    return s;
}

#define OPTION(name, number, pointer)                                                              \
    {                                                                                              \
        MHD_OPTION_##name, (intptr_t)(number), (void *)(pointer)                                   \
    }

/* GnuTLS's own default still speaks TLS 1.0 (BK-9.2.2d). */
static char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

struct http_server *http_rest_start(struct control *ctl)
{
    struct http_server *s = server_new(ctl, ctl->cfg->port, DOCUMENT_MAX, on_rest);

    if (!s || !(s->ca = read_pem(ctl, "ca.crt"))) {
        http_stop(&s);
        return NULL;
    }
    struct MHD_OptionItem options[] = {
        OPTION(NOTIFY_COMPLETED, mhd_request_completed, NULL),
        OPTION(URI_LOG_CALLBACK, on_request_start, NULL),
        OPTION(SOCK_ADDR, 0, &s->address),
        OPTION(HTTPS_MEM_KEY, 0, s->key),
        OPTION(HTTPS_MEM_CERT, 0, s->cert),
        /* A trust makes the server ask for a certificate; any, or none, finishes the handshake. */
        OPTION(HTTPS_MEM_TRUST, 0, s->ca),
        OPTION(HTTPS_PRIORITIES, 0, tls_priorities),
        OPTION(THREAD_POOL_SIZE, REST_THREADS, NULL),
        OPTION(CONNECTION_LIMIT, REST_CONNECTIONS, NULL),
        OPTION(PER_IP_CONNECTION_LIMIT, REST_PER_ADDRESS, NULL),
        OPTION(CONNECTION_TIMEOUT, REST_TIMEOUT_S, NULL),
        OPTION(CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL),
        OPTION(END, 0, NULL),
    };
    return start(s, MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS, options);
}

struct http_server *http_feed_start(struct control *ctl)
{
    struct http_server *s = server_new(ctl, ctl->cfg->feed_port, REST_BODY_MAX, on_feed);

    if (!s || !(s->ca = read_pem(ctl, "ca.crt"))) {
        http_stop(&s);
        return NULL;
    }
    s->instance.use_client_cert_auth = 1;
    struct MHD_OptionItem options[] = {
        OPTION(NOTIFY_COMPLETED, mhd_request_completed, NULL),
        OPTION(URI_LOG_CALLBACK, ulfius_uri_logger, NULL),
        OPTION(SOCK_ADDR, 0, &s->address),
        OPTION(HTTPS_MEM_KEY, 0, s->key),
        OPTION(HTTPS_MEM_CERT, 0, s->cert),
        OPTION(HTTPS_PRIORITIES, 0, tls_priorities),
        OPTION(HTTPS_MEM_TRUST, 0, s->ca),
        OPTION(CONNECTION_LIMIT, FEED_CONNECTIONS, NULL),
        OPTION(CONNECTION_TIMEOUT, FEED_TIMEOUT_S, NULL),
        OPTION(END, 0, NULL),
    };
    return start(s, MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS,
                 options);
}

void http_stop(struct http_server **server)
{
    struct http_server *s = *server;

    if (!s) {
        return;
    }
    if (s->running) {
        ulfius_stop_framework(&s->instance);
    }
    if (s->initialised) {
        ulfius_clean_instance(&s->instance);
    }
    if (s->key) {
        crypto_wipe(s->key, strlen(s->key));
    }
    free(s->key);
    free(s->cert);
    free(s->ca);
    free(s);
    *server = NULL;
}
