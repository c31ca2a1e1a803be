/* SPDX-License-Identifier: Apache-2.0 */
#include "node/nginx_conf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "crypto/keystore.h"
#include "node/cache_dir.h"
#include "node/upstream_ca.h"

/* How long calls under way when a worker is replaced may go on. */
#define NODE_NGINX_DRAIN_S       120u
#define REPLAY_DEFAULT           (64ull << 20)
#define STALENESS_DEFAULT_S      3600
#define REDIS_TIMEOUT_DEFAULT_MS 20u
#define CONNECTIONS_MAX          16384
#define NAME_MAX_BYTES           32 /* of a node, of an entry point (REPLICA_ENTRY_MAX) */
#define DATA_DIR_MAX             (sizeof((struct sockaddr_un *)0)->sun_path - sizeof "/gateway/inner.sock")

/* nginx has no escape for '$', and quotes end a word: such a path is refused, not mangled. */
static bool plain(const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || strchr("\"\\${};'", *text) != NULL) {
            return false;
        }
    }
    return text != NULL;
}

static bool node_name_ok(const char *name)
{
    size_t n = name == NULL ? 0 : strlen(name);
    return n >= 1 && n <= NAME_MAX_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static bool host_ok(const char *host)
{
    unsigned char address[16];
    return host != NULL &&
           (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1);
}

static bool loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* "10.0.0.7:6379" or "[::1]:6379": a name would have to be looked up. */
static bool address_ok(const char *text, char host[static INET6_ADDRSTRLEN + 2])
{
    const char *colon = strrchr(text, ':');
    size_t n = colon == NULL ? 0 : (size_t)(colon - text);
    if (n == 0 || n >= INET6_ADDRSTRLEN + 2 || colon[1] < '1' || colon[1] > '9' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || atol(colon + 1) > 65535) {
        return false;
    }
    bool v6 = text[0] == '[' && text[n - 1] == ']';
    snprintf(host, INET6_ADDRSTRLEN + 2, "%.*s", (int)(n - 2 * v6), text + v6);
    return host_ok(host) && v6 == (strchr(host, ':') != NULL);
}

/* Or "/run/redis.sock". */
static bool redis_ok(const char *text)
{
    char host[INET6_ADDRSTRLEN + 2];
    return text[0] == '/' ? plain(text) : address_ok(text, host);
}

/* The next of "name=address:port, …"; false at the end, or where it is none: *at tells. */
struct entry {
    char name[NAME_MAX_BYTES + 1], address[INET6_ADDRSTRLEN + 2 + 8], host[INET6_ADDRSTRLEN + 2];
};

static bool next_entry(const char **at, struct entry *e)
{
    const char *from = *at + strspn(*at, ", ");
    size_t n = strcspn(from, ", "), name_n = strcspn(from, "=");
    *at = from;
    if (n == 0 || name_n == 0 || name_n + 1 >= n || name_n >= sizeof e->name ||
        n - name_n - 1 >= sizeof e->address) {
        return false;
    }
    snprintf(e->name, sizeof e->name, "%.*s", (int)name_n, from);
    snprintf(e->address, sizeof e->address, "%.*s", (int)(n - name_n - 1), from + name_n + 1);
    if (!node_name_ok(e->name) || !address_ok(e->address, e->host)) {
        return false;
    }
    *at = from + n;
    return true;
}

static bool entries_ok(const char *text, bool tls)
{
    struct entry e;
    bool private = true;
    while (next_entry(&text, &e)) {
        private = private && (tls || loopback(e.host));
    }
    return *text == '\0' && private;
}

static bool passphrase_ok(void)
{
    const char *named = getenv(CRYPTO_PASSPHRASE_FILE);
    return named == NULL || *named == '\0' || (named[0] == '/' && plain(named));
}

static bool refused(const struct node_config *cfg, struct node_fault *fault)
{
    uint64_t replay = cfg->replay_bytes == 0 ? REPLAY_DEFAULT : cfg->replay_bytes;
    const struct {
        bool ok;
        const char *setting, *text;
    } rules[] = {
        {node_name_ok(cfg->node), "gateway.node",
         "the node's name must be 1 to 32 of a-z, 0-9 and '-'"},
        {plain(cfg->data_dir) && cfg->data_dir[0] == '/', "data_dir",
         "the data directory must be an absolute path without quotes, $, ;, { or }"},
        {strlen(cfg->data_dir) <= DATA_DIR_MAX, "data_dir",
         "the data directory's path is too long for the sockets below it"},
        {host_ok(cfg->listen_host), "gateway.listen",
         "the gateway listens on an IPv4 or IPv6 address, not a name"},
        {cfg->tls || (host_ok(cfg->listen_host) && loopback(cfg->listen_host)), "gateway.tls",
         "calls without TLS are taken on a loopback address alone"},
        {plain(cfg->data_socket), "data_dir",
         "the data service's socket has a character nginx cannot take"},
        {plain(cfg->module), NULL, "the nginx module's path has a character nginx cannot take"},
        {cfg->pki == NULL || plain(cfg->pki), "data_dir",
         "the inner CA's folder has a character nginx cannot take"},
        {passphrase_ok(), "key_passphrase_file",
         "the passphrase's path must be absolute, without quotes, $, ;, { or }"},
        {cfg->certificate == NULL || plain(cfg->certificate), "gateway.certificate",
         "the certificate's path has a character nginx cannot take"},
        {cfg->certificate_key == NULL || plain(cfg->certificate_key), "gateway.certificate_key",
         "the certificate key's path has a character nginx cannot take"},
        {replay >= 4096 && (replay & (replay - 1)) == 0, "gateway.replay_bytes",
         "the replay store's size must be a power of two of at least 4096 bytes"},
        {cfg->redis == NULL || redis_ok(cfg->redis), "gateway.redis.address",
         "Redis is given as address:port, [IPv6]:port or the absolute path of a socket"},
        {cfg->redis_password_file == NULL || plain(cfg->redis_password_file),
         "gateway.redis.password_file",
         "the path of Redis's password has a character nginx cannot take"},
        {cfg->entries == NULL || entries_ok(cfg->entries, cfg->tls), "gateway.entries",
         "further entry points are name=address:port, separated by commas; without TLS on a "
         "loopback address alone"},
        {cfg->redis_timeout_ms <= 10000, "gateway.redis.timeout_ms",
         "Redis is waited for 1 to 10000 ms"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!rules[i].ok) {
            fault->setting = rules[i].setting;
            snprintf(fault->text, sizeof fault->text, "%s", rules[i].text);
            return true;
        }
    }
    return false;
}

static unsigned long connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY ||
        limit.rlim_max > 4 * CONNECTIONS_MAX) {
        return CONNECTIONS_MAX;
    }
    return limit.rlim_max < 128 ? 64 : (unsigned long)limit.rlim_max / 4;
}

/* A new binary would get nothing of our environment; it needs what its libraries were told at the
 * first start. */
static void add_environment(struct buf *out)
{
    static const char *const names[] = {"LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                        "SLUICE_KEY_PASSPHRASE_FILE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (getenv(names[i]) != NULL) {
            buf_addf(out, "env %s;\n", names[i]);
        }
    }
}

static void add_main(const struct node_config *cfg, struct buf *out)
{
    unsigned long n = connections();
    buf_adds(out, "# Generated by sluice at each start: edit the settings, not this file.\n");
    if (geteuid() == 0) { /* the workers read keys of mode 0600: see deploy/README.md */
        buf_adds(out, "user root;\n");
    }
    /* As a daemon, for one taken for a child of the agent ignores the upgrade's signals. */
    buf_adds(out, "daemon on;\npid nginx.pid;\nerror_log error.log warn;\n");
    add_environment(out);
    buf_addf(out, "load_module \"%s\";\n", cfg->module);
    if (cfg->workers == 0) {
        buf_adds(out, "worker_processes auto;\n");
    } else {
        buf_addf(out, "worker_processes %u;\n", cfg->workers);
    }
    buf_addf(out, "worker_rlimit_nofile %lu;\nworker_shutdown_timeout %us;\n", 4 * n,
             NODE_NGINX_DRAIN_S);
    buf_addf(out, "events {\n    worker_connections %lu;\n}\n", n);
}

static void add_module(const struct node_config *cfg, struct buf *out)
{
    unsigned long long replay = cfg->replay_bytes == 0 ? REPLAY_DEFAULT : cfg->replay_bytes;
    buf_addf(out, "    sluice_replica \"%s/gateway/replica\";\n", cfg->data_dir);
    buf_addf(out, "    sluice_audit \"%s/gateway/audit\";\n", cfg->data_dir);
    buf_addf(out, "    sluice_node %s;\n", cfg->node);
    buf_addf(out, "    sluice_replay \"%s/gateway/replay\" %llu;\n", cfg->data_dir, replay);
    buf_addf(out, "    sluice_link_key \"%s/keys/link.key\";\n", cfg->data_dir);
    buf_addf(out, "    sluice_data_socket \"%s\";\n", cfg->data_socket);
    buf_addf(out, "    sluice_state \"%s/gateway/state\";\n", cfg->data_dir);
    buf_addf(out, "    sluice_keys \"%s/keys\";\n", cfg->data_dir);
    buf_addf(out, "    sluice_staleness %us;\n\n",
             cfg->staleness_max_s == 0 ? STALENESS_DEFAULT_S : cfg->staleness_max_s);
}

static void add_redis(const struct node_config *cfg, struct buf *out)
{
    if (cfg->redis == NULL) {
        return;
    }
    buf_addf(out, "    sluice_redis \"%s\"", cfg->redis);
    if (cfg->redis_password_file != NULL) {
        buf_addf(out, " \"%s\"", cfg->redis_password_file);
    }
    buf_addf(out, ";\n    sluice_redis_timeout %ums;\n    sluice_redis_lost %s;\n\n",
             cfg->redis_timeout_ms == 0 ? REDIS_TIMEOUT_DEFAULT_MS : cfg->redis_timeout_ms,
             cfg->redis_refuse ? "refuse" : "local");
}

/* Bodies stay in memory on both sides: what a call carries is never left on a disk.
 *
 * The limits that a hostile client meets (docs/operations.md has the table):
 * - a header has 10 s from its first byte or from the accept, a body 10 s between two reads;
 * - 4 buffers of 16 KiB bound one header line and all of them together, over HTTP/2 too;
 * - 1000 calls a connection: what a connection costs us (HPACK table, pools, a stream a reset
 *   request) is bounded, and the next one costs its client a handshake;
 * - 64 streams at once: a client sees them refused beyond, and twice as many in one read are a
 *   rapid reset (CVE-2023-44487), which ends the connection;
 * - a silent client holds memory for 75 s at most, and nothing when it is cut: it gets a reset. */
static const char http_text[] = "    server_tokens off;\n"
                                "    log_not_found off;\n"
                                "    merge_slashes off;\n"
                                "    tcp_nodelay on;\n"
                                "    reset_timedout_connection on;\n"
                                "    keepalive_timeout 75s;\n"
                                "    keepalive_requests 1000;\n"
                                "    client_header_timeout 10s;\n"
                                "    client_body_timeout 10s;\n"
                                "    send_timeout 30s;\n"
                                "    http2_max_concurrent_streams 64;\n"
                                "    request_pool_size 8k;\n"
                                "    large_client_header_buffers 4 16k;\n"
                                "    client_max_body_size 1m;\n"
                                "    client_body_buffer_size 1m;\n"
                                "    client_body_temp_path body_temp;\n"
                                "    proxy_temp_path proxy_temp;\n"
                                "    fastcgi_temp_path fastcgi_temp;\n"
                                "    uwsgi_temp_path uwsgi_temp;\n"
                                "    scgi_temp_path scgi_temp;\n"
                                "    proxy_max_temp_file_size 0;\n\n"
                                "    upstream sluice_upstream {\n"
                                "        server 0.0.0.1;\n"
                                "        sluice_balancer;\n"
                                "        keepalive 64;\n"
                                "        keepalive_timeout 20s;\n"
                                "        keepalive_requests 100000;\n"
                                "    }\n\n";

/* What the inner CA's keys are encrypted under; an operator's own key may be too. */
static void add_passphrase(const char *pki, struct buf *out)
{
    char key[800], file[CRYPTO_PATH_MAX];
    snprintf(key, sizeof key, "%s/gateway.key", pki);
    if (crypto_passphrase_file(key, file) && access(file, R_OK) == 0) {
        buf_addf(out, "    ssl_password_file \"%s\";\n", file);
        buf_addf(out, "    proxy_ssl_password_file \"%s\";\n\n", file);
    }
}

/* Whether a target is asked over TLS is its own to say (gateway/balancer.c). Then it must show a
 * certificate for its name by a CA of the bundle, and is shown ours if it asks: a peer platform
 * lets nobody in that it does not know (GS-6.8a-4a). */
static void add_upstream_tls(const struct node_config *cfg, struct buf *out)
{
    char pki[700];
    snprintf(pki, sizeof pki, "%s%s", cfg->pki == NULL ? cfg->data_dir : cfg->pki,
             cfg->pki == NULL ? "/pki" : "");
    buf_adds(out, "    proxy_ssl_server_name on;\n"
                  "    proxy_ssl_name $sluice_upstream_name;\n"
                  "    proxy_ssl_verify on;\n"
                  "    proxy_ssl_verify_depth 3;\n"
                  "    proxy_ssl_protocols TLSv1.2 TLSv1.3;\n"
                  "    proxy_ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;\n"
                  "    proxy_ssl_session_reuse on;\n"
                  "    proxy_ssl_trusted_certificate " NODE_UPSTREAM_CA ";\n");
    buf_addf(out, "    proxy_ssl_certificate \"%s/gateway.crt\";\n", pki);
    buf_addf(out, "    proxy_ssl_certificate_key \"%s/gateway.key\";\n", pki);
    add_passphrase(pki, out);
}

/* `sluice on` stands at the server so that nginx's own refusals, which no location sees, are
 * answered by the module too. */
static const char location_text[] =
    "        sluice on;\n"
    "        location / {\n"
    "            proxy_pass https://sluice_upstream;\n"
    "            proxy_http_version 1.1;\n"
    "            proxy_set_header Host $sluice_host;\n"
    "            proxy_set_header Connection \"\";\n"
    "            proxy_set_header Accept-Encoding \"\";\n"
    "            proxy_set_header Signature \"\";\n"
    "            proxy_set_header Signature-Input \"\";\n"
    "            proxy_set_header Sluice-Grant \"\";\n"
    "            proxy_set_header Sluice-Purpose \"\";\n"
    "            proxy_set_header Sluice-Confirmation \"\";\n"
    "            proxy_set_header Sluice-Sdk \"\";\n"
    "            proxy_set_header Sluice-Inner \"\";\n"
    "            proxy_set_header Authorization \"\";\n"
    "            proxy_set_header DPoP \"\";\n"
    "            proxy_buffering on;\n"
    "            proxy_ignore_headers X-Accel-Redirect X-Accel-Expires "
    "X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;\n"
    "            proxy_buffer_size 16k;\n"
    "            proxy_buffers 16 16k;\n"
    "            proxy_busy_buffers_size 64k;\n"
    "            proxy_connect_timeout 2s;\n"
    "            proxy_send_timeout 10s;\n"
    "            proxy_read_timeout 10s;\n"
    "            proxy_next_upstream off;\n"
    "            proxy_intercept_errors off;\n"
    "            proxy_redirect off;\n"
    "        }\n"
    "    }\n";

/* ECDHE alone (a key stolen later opens nothing recorded before), AEAD alone (BK-9.2.2c, d). A
 * client's certificate is asked for and looked at by the module, which knows whose it must be:
 * nginx would know one CA for all. */
static void add_tls(const struct node_config *cfg, struct buf *out)
{
    if (cfg->certificate != NULL && cfg->certificate_key != NULL) {
        buf_addf(out, "        ssl_certificate \"%s\";\n", cfg->certificate);
        buf_addf(out, "        ssl_certificate_key \"%s\";\n", cfg->certificate_key);
    } else {
        buf_addf(out, "        ssl_certificate \"%s/pki/gateway.crt\";\n", cfg->data_dir);
        buf_addf(out, "        ssl_certificate_key \"%s/pki/gateway.key\";\n", cfg->data_dir);
    }
    buf_adds(out, "        ssl_protocols TLSv1.2 TLSv1.3;\n"
                  "        ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;\n"
                  "        ssl_ecdh_curve X25519:prime256v1:secp384r1;\n"
                  "        ssl_prefer_server_ciphers off;\n"
                  "        ssl_session_cache shared:sluice_tls:10m;\n"
                  "        ssl_session_timeout 1h;\n"
                  "        ssl_session_tickets off;\n"
                  "        ssl_verify_client optional_no_ca;\n"
                  "        ssl_verify_depth 3;\n");
}

/* What a call was, without anything that says whose data it asked for: no query, no header, no
 * body. Written in blocks, so a crash of nginx may lose the last second; the audit log does not. */
static const char access_text[] =
    "    log_format sluice escape=json "
    "'{\"at\":\"$time_iso8601\",\"transaction\":\"$sluice_transaction\","
    "\"client\":\"$remote_addr\",\"method\":\"$request_method\",\"path\":\"$uri\","
    "\"protocol\":\"$server_protocol\",\"status\":$status,\"code\":\"$sluice_code\","
    "\"api\":\"$sluice_api\",\"app\":\"$sluice_app\",\"seconds\":$request_time,"
    "\"received\":$request_length,\"sent\":$body_bytes_sent,\"upstream\":\"$upstream_addr\","
    "\"upstream_seconds\":\"$upstream_response_time\",\"cache\":\"$sluice_cached\"}';\n"
    "    access_log access.log sluice buffer=64k flush=1s;\n\n";

/* What an upstream answered may serve again (gateway/cache.c says what and how long). Not on a
 * disk: it is not masked yet. Unused for ten minutes it goes. */
static void add_cache(const struct node_config *cfg, struct buf *out)
{
    char path[NODE_CACHE_PATH_MAX];
    unsigned mib;
    if (!node_cache_dir(cfg->data_dir, path, &mib)) {
        buf_adds(out, "    # no memory file system of our own: answers are not kept\n\n");
        return;
    }
    buf_addf(out,
             "    proxy_cache_path \"%s\" levels=1:2 keys_zone=sluice_cache:16m max_size=%um "
             "inactive=10m use_temp_path=off;\n",
             path, mib);
    buf_adds(out, "    proxy_cache $sluice_cache;\n"
                  "    proxy_cache_key $sluice_cache_key;\n"
                  "    proxy_cache_lock on;\n\n");
}

static void add_socket(const struct node_config *cfg, const char *sockets, const char *name,
                       struct buf *out)
{
    buf_addf(out, "    server {\n        listen \"unix:%s%s/%s\";\n",
             sockets != NULL ? sockets : cfg->data_dir, sockets != NULL ? "" : "/gateway", name);
}

/* For operators on this machine alone: it names APIs, apps and upstreams. */
static void add_ops(const struct node_config *cfg, const char *sockets, struct buf *out)
{
    add_socket(cfg, sockets, "ops.sock", out);
    if (cfg->metrics_port != 0) {
        buf_addf(out, "        listen 127.0.0.1:%u;\n", cfg->metrics_port);
    }
    buf_adds(out, "        access_log off;\n"
                  "        location = /metrics {\n            sluice_metrics;\n        }\n"
                  "        location / {\n            return 404;\n        }\n    }\n");
}

/* Where the data service calls the parts of a composed API: what is said there in place of a
 * signature is worth nothing at any other listener. */
static void add_inner(const struct node_config *cfg, const char *sockets, struct buf *out)
{
    add_socket(cfg, sockets, "inner.sock", out);
    buf_adds(out, "        sluice_inner on;\n");
    buf_adds(out, location_text);
}

/* entry NULL: the public one. */
static void add_server(const struct node_config *cfg, const char *address, const char *entry,
                       struct buf *out)
{
    buf_addf(out, "    server {\n        listen %s%s backlog=4096;\n", address,
             cfg->tls ? " ssl http2" : "");
    if (cfg->tls) {
        add_tls(cfg, out);
    }
    if (entry != NULL) {
        buf_addf(out, "        sluice_entry %s;\n", entry);
    }
    buf_adds(out, location_text);
}

static void add_servers(const struct node_config *cfg, struct buf *out)
{
    const char *fmt = strchr(cfg->listen_host, ':') != NULL ? "[%s]:%u" : "%s:%u",
               *at = cfg->entries == NULL ? "" : cfg->entries;
    char address[300];
    struct entry e;
    snprintf(address, sizeof address, fmt, cfg->listen_host, cfg->port);
    add_server(cfg, address, NULL, out);
    while (next_entry(&at, &e)) {
        add_server(cfg, e.address, e.name, out);
    }
}

bool node_nginx_conf(const struct node_config *cfg, const char *sockets, struct buf *out,
                     struct node_fault *fault)
{
    if (refused(cfg, fault)) {
        return false;
    }
    add_main(cfg, out);
    buf_adds(out, "http {\n");
    add_module(cfg, out);
    add_redis(cfg, out);
    buf_adds(out, http_text);
    add_upstream_tls(cfg, out);
    buf_adds(out, cfg->access_log ? access_text : "    access_log off;\n");
    add_cache(cfg, out);
    add_servers(cfg, out);
    add_inner(cfg, sockets, out);
    add_ops(cfg, sockets, out);
    buf_adds(out, "}\n");
    if (out->failed) {
        *fault = (struct node_fault){.text = "out of memory"};
    }
    return !out->failed;
}
