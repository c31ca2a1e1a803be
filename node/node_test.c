/* SPDX-License-Identifier: Apache-2.0 */
/* The generated nginx.conf, and the feed client against a real TLS server that plays a script. */
#include "node/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/crypto.h"
#include "node/nginx_conf.h"
#include "node/upstream_ca.h"
#include "replica/replica.h"

static struct node_config good(void)
{
    return (struct node_config){.data_dir = "/srv/sluice",
                                .node = "node-1",
                                .listen_host = "127.0.0.1",
                                .port = 7443,
                                .tls = true,
                                .control = "https://127.0.0.1:7301",
                                .data_socket = "/srv/sluice/data.sock",
                                .module = "/usr/lib/sluice/m.so"};
}

static bool conf_has(const struct node_config *cfg, const char *text)
{
    struct buf out;
    struct node_fault fault;
    buf_init(&out);
    assert_true(node_nginx_conf(cfg, NULL, &out, &fault));
    buf_addc(&out, '\0');
    bool has = strstr(out.p, text) != NULL;
    buf_fini(&out);
    return has;
}

static void conf_says_what_was_set(void **state)
{
    (void)state;
    struct node_config cfg = good();
    assert_true(conf_has(&cfg, "listen 127.0.0.1:7443 ssl http2"));
    assert_true(conf_has(&cfg, "ssl_certificate \"/srv/sluice/pki/gateway.crt\""));
    assert_true(conf_has(&cfg, "ssl_protocols TLSv1.2 TLSv1.3;"));
    assert_true(conf_has(&cfg, "ssl_verify_client optional_no_ca;"));
    assert_true(conf_has(&cfg, "keepalive_requests 1000;"));
    assert_true(conf_has(&cfg, "http2_max_concurrent_streams 64;"));
    assert_true(conf_has(&cfg, "client_header_timeout 10s;"));
    assert_true(conf_has(&cfg, "daemon on;")); /* else USR2 and WINCH are ignored */
    assert_true(conf_has(&cfg, "sluice_replay \"/srv/sluice/gateway/replay\" 67108864;"));
    assert_true(conf_has(&cfg, "sluice_staleness 3600s;"));
    assert_true(conf_has(&cfg, "worker_processes auto;"));
    assert_true(conf_has(&cfg, "proxy_set_header Sluice-Grant \"\";"));
    assert_true(conf_has(&cfg, "proxy_set_header Sluice-Purpose \"\";"));
    assert_true(conf_has(&cfg, "proxy_set_header Sluice-Confirmation \"\";"));
    assert_true(conf_has(&cfg, "proxy_set_header Sluice-Sdk \"\";"));
    assert_true(conf_has(&cfg, "listen \"unix:/srv/sluice/gateway/inner.sock\";"));
    assert_true(conf_has(&cfg, "listen \"unix:/srv/sluice/gateway/ops.sock\";"));
    assert_true(conf_has(&cfg, "proxy_ssl_verify on;"));
    assert_true(conf_has(&cfg, "proxy_ssl_certificate \"/srv/sluice/pki/gateway.crt\";"));
    assert_true(conf_has(&cfg, "proxy_ssl_protocols TLSv1.2 TLSv1.3;"));
    cfg.tls = false;
    cfg.listen_host = "::1";
    cfg.workers = 3;
    cfg.replay_bytes = 4096;
    cfg.staleness_max_s = 5;
    assert_true(conf_has(&cfg, "listen [::1]:7443 backlog"));
    assert_false(conf_has(&cfg, " ssl")); /* of the listener; upstreams' is proxy_ssl */
    assert_true(conf_has(&cfg, "worker_processes 3;"));
    assert_true(conf_has(&cfg, "sluice_staleness 5s;"));
    assert_false(conf_has(&cfg, "redis"));
    assert_false(conf_has(&cfg, "sluice_entry"));
    cfg.entries = "partners=127.0.0.1:7444, bank-x=[::1]:7445";
    assert_true(
        conf_has(&cfg, "listen 127.0.0.1:7444 backlog=4096;\n        sluice_entry partners;"));
    assert_true(conf_has(&cfg, "listen [::1]:7445 backlog=4096;\n        sluice_entry bank-x;"));
    cfg.redis = "127.0.0.1:6379";
    assert_true(conf_has(&cfg, "sluice_redis \"127.0.0.1:6379\";"));
    assert_true(conf_has(&cfg, "sluice_redis_timeout 20ms;"));
    assert_true(conf_has(&cfg, "sluice_redis_lost local;"));
    cfg.redis = "/run/redis.sock";
    cfg.redis_password_file = "/etc/sluice/redis";
    cfg.redis_timeout_ms = 5;
    cfg.redis_refuse = true;
    assert_true(conf_has(&cfg, "sluice_redis \"/run/redis.sock\" \"/etc/sluice/redis\";"));
    assert_true(conf_has(&cfg, "sluice_redis_timeout 5ms;"));
    assert_true(conf_has(&cfg, "sluice_redis_lost refuse;"));
}

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

static void upstream_cas_are_certificates(void **state)
{
    (void)state;
    static const char *const names[] = {"gateway"}, *const files[] = {
                                                        "ca.crt",      "ca.key",
                                                        "gateway.crt", "gateway.key",
                                                        "passphrase",  "lock",
                                                        "own.pem",     NODE_UPSTREAM_CA};
    static const char *const bad[] = {
        "", "no PEM\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n"};
    char dir[] = "/tmp/node-ca-XXXXXX", prefix[32], own[48], ca[48], path[64];
    struct node_config cfg = good();
    struct node_fault fault = {0};
    bool changed;
    assert_non_null(mkdtemp(dir));
    snprintf(prefix, sizeof prefix, "%s/", dir);
    snprintf(own, sizeof own, "%s/own.pem", dir);
    snprintf(ca, sizeof ca, "%s/ca.crt", dir);
    cfg.pki = dir;
    assert_false(node_upstream_ca(&cfg, prefix, &changed, &fault)); /* no inner CA */
    assert_int_equal(crypto_pki_ensure(dir, names, 1, "localhost"), CRYPTO_OK);
    assert_true(node_upstream_ca(&cfg, prefix, &changed, &fault) && changed);
    assert_true(node_upstream_ca(&cfg, prefix, &changed, &fault) && !changed);
    cfg.upstream_ca = own;
    assert_false(node_upstream_ca(&cfg, prefix, &changed, &fault)); /* no such file */
    assert_string_equal(fault.setting, "gateway.upstream_ca");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_file(own, bad[i]);
        assert_false(node_upstream_ca(&cfg, prefix, &changed, &fault));
    }
    cfg.upstream_ca = ca;
    assert_true(node_upstream_ca(&cfg, prefix, &changed, &fault) && changed);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
}

static char deep[91] = "/";
static const struct refused_row {
    const char *title, *data_dir, *node, *host, *module, *certificate, *redis, *entries;
    uint64_t replay;
    bool plain;
} refused_rows[] = {
    {.title = "relative data directory", .data_dir = "srv"},
    {.title = "quote in the data directory", .data_dir = "/a\"b"},
    {.title = "variable in the data directory", .data_dir = "/a$b"},
    {.title = "end of a directive in it", .data_dir = "/a;b"},
    {.title = "line break in it", .data_dir = "/a\nb"},
    {.title = "data directory too long for a socket below it", .data_dir = deep},
    {.title = "no node name", .node = ""},
    {.title = "upper case node", .node = "Node"},
    {.title = "node of 33 bytes", .node = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {.title = "host name to listen on", .host = "localhost"},
    {.title = "directive in the host", .host = "127.0.0.1; root /"},
    {.title = "plain on a public address", .host = "192.0.2.1", .plain = true},
    {.title = "plain on any address", .host = "0.0.0.0", .plain = true},
    {.title = "module with a brace", .module = "/m}.so"},
    {.title = "certificate with a quote", .certificate = "/c'"},
    {.title = "replay store of an odd size", .replay = 5000},
    {.title = "replay store too small", .replay = 2048},
    {.title = "Redis by name", .redis = "redis:6379"},
    {.title = "Redis without a port", .redis = "127.0.0.1"},
    {.title = "Redis at port 0", .redis = "127.0.0.1:0"},
    {.title = "Redis at a port too large", .redis = "127.0.0.1:65536"},
    {.title = "Redis at a port with more", .redis = "127.0.0.1:6379;"},
    {.title = "IPv6 without brackets", .redis = "::1:6379"},
    {.title = "IPv4 in brackets", .redis = "[127.0.0.1]:6379"},
    {.title = "socket with a quote", .redis = "/run/\"x"},
    {.title = "entry without a name", .entries = "=127.0.0.1:7444"},
    {.title = "entry without an address", .entries = "bank"},
    {.title = "entry with a name in capitals", .entries = "Bank=127.0.0.1:7444"},
    {.title = "entry at a host name", .entries = "bank=localhost:7444"},
    {.title = "entry without a port", .entries = "bank=127.0.0.1"},
    {.title = "a directive in an entry", .entries = "bank=127.0.0.1:7444;root /"},
    {.title = "one entry of two wrong", .entries = "bank=127.0.0.1:7444, x=y"},
    {.title = "plain entry at a public address", .entries = "bank=192.0.2.1:7444", .plain = true},
};

static void conf_refuses_what_it_cannot_say(void **state)
{
    (void)state;
    memset(deep + 1, 'a', sizeof deep - 2);
    for (size_t i = 0; i < sizeof refused_rows / sizeof *refused_rows; i++) {
        struct node_config cfg = good();
        struct buf out;
        struct node_fault fault = {0};
        cfg.data_dir = refused_rows[i].data_dir ? refused_rows[i].data_dir : cfg.data_dir;
        cfg.node = refused_rows[i].node ? refused_rows[i].node : cfg.node;
        cfg.listen_host = refused_rows[i].host ? refused_rows[i].host : cfg.listen_host;
        cfg.module = refused_rows[i].module ? refused_rows[i].module : cfg.module;
        cfg.certificate = cfg.certificate_key = refused_rows[i].certificate;
        cfg.replay_bytes = refused_rows[i].replay;
        cfg.redis = refused_rows[i].redis;
        cfg.entries = refused_rows[i].entries;
        cfg.tls = !refused_rows[i].plain;
        buf_init(&out);
        if (node_nginx_conf(&cfg, NULL, &out, &fault) || fault.text[0] == '\0') {
            fail_msg("%s", refused_rows[i].title);
        }
        buf_fini(&out);
    }
}

/* The feed
 * ------------------------------------------------------------------------------------------ */

#define EPOCH "00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff"
#define ID(n) "019a0000-0000-7000-8000-0000000000" n
#define APP(seq, id)                                                                               \
    "{\"seq\":" seq ",\"kind\":\"app\",\"id\":\"" id                                               \
    "\",\"op\":\"put\",\"data\":{\"state\":\"active\",\"environment\":\"general\"}}"

struct step {
    unsigned status;
    const char *body;
};

struct server {
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock;
    const struct step *steps;
    size_t n, at;
    char asked[16][160]; /* "epoch after kinds" of each request */
    bool client_proved;
};

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **ctx)
{
    struct server *s = cls;
    static const struct step quiet = {200, "{\"epoch\":\"" EPOCH
                                           "\",\"last\":9,\"reset\":false,\"entries\":[]}"};
    (void)method, (void)version, (void)upload, (void)upload_n, (void)ctx;
    pthread_mutex_lock(&s->lock);
    const struct step *step = s->at < s->n ? &s->steps[s->at] : &quiet;
    if (s->at < 16) {
        const char *epoch = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "epoch");
        const char *after = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "after");
        snprintf(s->asked[s->at], sizeof *s->asked, "%s %.2s %s", url, epoch, after);
    }
    bool pause = s->at >= s->n;
    s->at++;
    pthread_mutex_unlock(&s->lock);
    usleep(pause ? 50000 : 0);
    struct MHD_Response *r = MHD_create_response_from_buffer(
        strlen(step->body), (void *)(uintptr_t)step->body, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result rc = MHD_queue_response(c, step->status, r);
    MHD_destroy_response(r);
    return rc;
}

struct fixture {
    char dir[64], ca[160], crt[160], key[160], control[64];
    char *server_crt, *server_key, *ca_text;
    struct replica *replica;
    struct server server;
    uint16_t port;
};

static char *slurp(const char *dir, const char *name)
{
    char path[128], *text = calloc(1, 8192);
    snprintf(path, sizeof path, "%s/pki/%s", dir, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, 8191, f) > 0);
    fclose(f);
    return text;
}

static int setup(void **state)
{
    static const char *const names[] = {"control", "gateway"};
    struct fixture *x = calloc(1, sizeof *x);
    char path[128];
    strcpy(x->dir, "/tmp/node-test-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    snprintf(path, sizeof path, "%s/pki", x->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(crypto_pki_ensure(path, names, 2, "localhost"), CRYPTO_OK);
    snprintf(x->ca, sizeof x->ca, "%s/pki/ca.crt", x->dir);
    snprintf(x->crt, sizeof x->crt, "%s/pki/gateway.crt", x->dir);
    snprintf(x->key, sizeof x->key, "%s/pki/gateway.key", x->dir);
    x->server_crt = slurp(x->dir, "control.crt");
    snprintf(path, sizeof path, "%s/pki/control.key", x->dir);
    assert_int_equal(crypto_pki_key(path, &x->server_key), CRYPTO_OK);
    x->ca_text = slurp(x->dir, "ca.crt");
    snprintf(path, sizeof path, "%s/replica", x->dir);
    assert_int_equal(replica_open_writer(&x->replica, path, 64 << 20), REPLICA_OK);
    pthread_mutex_init(&x->server.lock, NULL);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {"pki/ca.crt",       "pki/ca.key",
                                        "pki/control.crt",  "pki/control.key",
                                        "pki/gateway.crt",  "pki/gateway.key",
                                        "pki/passphrase",   "replica/data.mdb",
                                        "replica/lock.mdb", "pki",
                                        "replica",          ""};
    struct fixture *x = *state;
    char path[160];
    replica_close(&x->replica);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", x->dir, files[i]);
        if (unlink(path) != 0) {
            rmdir(path);
        }
    }
    free(x->server_crt);
    free(x->server_key);
    free(x->ca_text);
    free(x);
    return 0;
}

static void serve(struct fixture *x, const struct step *steps, size_t n)
{
    x->server.steps = steps;
    x->server.n = n;
    x->server.at = 0;
    x->server.daemon = MHD_start_daemon(MHD_USE_TLS | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
                                        NULL, on_request, &x->server, MHD_OPTION_HTTPS_MEM_CERT,
                                        x->server_crt, MHD_OPTION_HTTPS_MEM_KEY, x->server_key,
                                        MHD_OPTION_HTTPS_MEM_TRUST, x->ca_text, MHD_OPTION_END);
    assert_non_null(x->server.daemon);
    x->port = MHD_get_daemon_info(x->server.daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(x->control, sizeof x->control, "https://127.0.0.1:%u", x->port);
}

/* Follows until the script is played and two heartbeats after it, or 10 s. */
static void follow(struct fixture *x, struct replica_cursor *cursor)
{
    struct node_feed_config cfg = {.control = x->control,
                                   .ca = x->ca,
                                   .certificate = x->crt,
                                   .key = x->key,
                                   .kinds = "app,list",
                                   .replica = x->replica};
    struct node_feed *feed = node_feed_start(&cfg);
    assert_non_null(feed);
    bool done = false;
    for (int i = 0; i < 1000 && !done; i++) {
        usleep(10000);
        pthread_mutex_lock(&x->server.lock);
        done = x->server.at >= x->server.n + 2;
        pthread_mutex_unlock(&x->server.lock);
    }
    node_feed_stop(&feed);
    assert_null(feed);
    MHD_stop_daemon(x->server.daemon);
    assert_true(done);
    assert_int_equal(replica_cursor(x->replica, cursor), REPLICA_OK);
}

static bool has_app(struct fixture *x, const char *id_text)
{
    struct replica_reader *rd;
    struct replica_app app;
    struct uuid id;
    uint64_t version, synced;
    assert_int_equal(replica_reader_new(&rd, x->replica), REPLICA_OK);
    assert_int_equal(replica_read_begin(rd, &version, &synced), REPLICA_OK);
    assert_true(uuid_parse(&id, id_text, strlen(id_text)));
    bool found = replica_get_app(rd, &id, &app) == REPLICA_OK;
    replica_reader_free(&rd);
    return found;
}

static void feed_takes_all_and_resumes(void **state)
{
    struct fixture *x = *state;
    struct replica_cursor cursor;
    static const struct step first[] = {
        {200, "{\"epoch\":\"" EPOCH
              "\",\"last\":5,\"reset\":true,\"entries\":[" APP("5", ID("01")) "]}"},
        {503, "not now"},
        {200, "not json"},
        {200, "{\"epoch\":\"" EPOCH
              "\",\"last\":9,\"reset\":false,\"entries\":[" APP("9", ID("02")) "]}"},
    };
    uint64_t before = clock_wall_ms();
    serve(x, first, 4);
    follow(x, &cursor);
    assert_string_equal(x->server.asked[0], "/feed/v1/changes 00 0");
    assert_string_equal(x->server.asked[1], "/feed/v1/changes 00 5");
    assert_string_equal(x->server.asked[3], "/feed/v1/changes 00 5"); /* nothing moved meanwhile */
    assert_int_equal(cursor.seq, 9);
    assert_true(cursor.synced_ms >= before);
    assert_true(has_app(x, ID("01")) && has_app(x, ID("02")));
    serve(x, NULL, 0);
    follow(x, &cursor);
    assert_string_equal(x->server.asked[0],
                        "/feed/v1/changes 00 9"); /* a new feed goes on from there */
}

static void feed_of_another_store_is_taken_whole(void **state)
{
    struct fixture *x = *state;
    struct replica_cursor cursor;
    static const struct step steps[] = {
        {200, "{\"epoch\":\"" OTHER
              "\",\"last\":50,\"reset\":true,\"entries\":[" APP("5", ID("01")) "]}"},
        {200, "{\"epoch\":\"" EPOCH
              "\",\"last\":60,\"reset\":false,\"entries\":[" APP("6", ID("03")) "]}"},
        {200, "{\"epoch\":\"" EPOCH
              "\",\"last\":9,\"reset\":true,\"entries\":[" APP("9", ID("02")) "]}"},
    };
    serve(x, steps, 3);
    follow(x, &cursor);
    assert_string_equal(x->server.asked[1], "/feed/v1/changes ff 50");
    assert_string_equal(x->server.asked[2], "/feed/v1/changes 00 0");
    assert_false(has_app(x, ID("01")) || has_app(x, ID("03")));
    assert_true(has_app(x, ID("02")));
}

static void feed_goes_on_past_what_it_cannot_read(void **state)
{
    struct fixture *x = *state;
    struct replica_cursor cursor;
    static const struct step steps[] = {
        {200, "{\"epoch\":\"" EPOCH "\",\"last\":2,\"reset\":true,\"entries\":[" APP(
                  "1", ID("01")) "," APP("2", ID("02")) "]}"},
        {200, "{\"epoch\":\"" EPOCH "\",\"last\":9,\"reset\":false,\"entries\":[7,"
              "{\"seq\":3,\"kind\":\"app\",\"id\":\"" ID(
                  "01") "\",\"op\":\"put\",\"data\":{\"state\":\"from the future\"}},"
                        "{\"seq\":4,\"kind\":\"app\",\"id\":\"" ID("02") "\",\"op\":\"del\"}," APP(
                            "9", ID("03")) "]}"},
    };
    serve(x, steps, 2);
    follow(x, &cursor);
    assert_int_equal(cursor.seq, 9);
    assert_false(has_app(x, ID("01"))); /* unreadable: refused, not kept as it was */
    assert_false(has_app(x, ID("02"))); /* the revocation behind it bit */
    assert_true(has_app(x, ID("03")));
}

#define LIST(seq, id, value)                                                                       \
    "{\"seq\":" seq ",\"kind\":\"list\",\"id\":\"" id                                              \
    "\",\"op\":\"put\",\"data\":{\"list\":\"block\",\"subject\":\"address\",\"value\":\"" value    \
    "\"}}"

struct found {
    size_t n;
    char text[256];
};

static bool find_list(void *ctx, const struct uuid *id, uint64_t rev, struct slice json)
{
    struct found *found = ctx;
    (void)id, (void)rev;
    snprintf(found->text, sizeof found->text, "%.*s", SLICE_FMT(json));
    found->n++;
    return true;
}

static struct found lists_of(struct fixture *x)
{
    struct replica_reader *rd;
    struct found found = {0};
    uint64_t version, synced;
    assert_int_equal(replica_reader_new(&rd, x->replica), REPLICA_OK);
    assert_int_equal(replica_read_begin(rd, &version, &synced), REPLICA_OK);
    assert_int_equal(replica_set_each(rd, REPLICA_LISTS, find_list, &found), REPLICA_OK);
    replica_reader_free(&rd);
    return found;
}

/* A block that cannot be read any more is no reason to let in whom it blocked. */
static void feed_keeps_restrictions_it_cannot_read(void **state)
{
    struct fixture *x = *state;
    struct replica_cursor cursor;
    static const struct step steps[] = {
        {200, "{\"epoch\":\"" EPOCH
              "\",\"last\":1,\"reset\":true,\"entries\":[" LIST("1", ID("05"), "10.0.0.1") "]}"},
        {200, "{\"epoch\":\"" EPOCH "\",\"last\":3,\"reset\":false,\"entries\":[" LIST(
                  "2", ID("05"), "nonsense") "," LIST("3", ID("06"), "nonsense") "]}"},
        {200, "{\"epoch\":\"" EPOCH "\",\"last\":9,\"reset\":true,\"entries\":[" LIST(
                  "9", ID("05"), "still nonsense") "]}"},
    };
    serve(x, steps, 2);
    follow(x, &cursor);
    struct found found = lists_of(x);
    assert_int_equal(cursor.seq, 9); /* of the quiet answers behind it: it went on */
    assert_int_equal(found.n, 1);
    assert_non_null(strstr(found.text, "10.0.0.1"));
    serve(x, steps + 2, 1);
    follow(x, &cursor);
    found = lists_of(x);
    assert_int_equal(found.n, 1);
    assert_non_null(strstr(found.text, "10.0.0.1"));
    static const struct step lifted[] = {
        {200, "{\"epoch\":\"" EPOCH "\",\"last\":10,\"reset\":false,\"entries\":[{\"seq\":10,"
              "\"kind\":\"list\",\"id\":\"" ID("05") "\",\"op\":\"del\"}]}"}};
    serve(x, lifted, 1);
    follow(x, &cursor);
    assert_int_equal(lists_of(x).n, 0);
}

static bool user_may(struct fixture *x, struct uuid user, struct uuid api)
{
    struct replica_reader *rd;
    uint64_t version, synced;
    bool may = true;
    assert_int_equal(replica_reader_new(&rd, x->replica), REPLICA_OK);
    assert_int_equal(replica_read_begin(rd, &version, &synced), REPLICA_OK);
    assert_int_equal(replica_user_may(rd, &user, &api, &may), REPLICA_OK);
    replica_reader_free(&rd);
    return may;
}

/* Without a record nothing bounds a user: one that cannot be read must not come to that. */
static void feed_refuses_users_it_cannot_read(void **state)
{
    struct fixture *x = *state;
    struct replica_cursor cursor;
    struct uuid user, api;
    static const struct step steps[] = {
        {200, "{\"epoch\":\"" EPOCH "\",\"last\":9,\"reset\":true,\"entries\":[{\"seq\":9,"
              "\"kind\":\"user-apis\",\"id\":\"" ID("05") "\",\"op\":\"put\",\"data\":{\"mode\":"
                                                          "\"as they like\"}}]}"},
    };
    assert_true(uuid_parse(&user, ID("05"), UUID_TEXT_LEN));
    assert_true(uuid_parse(&api, ID("06"), UUID_TEXT_LEN));
    assert_true(user_may(x, user, api));
    serve(x, steps, 1);
    follow(x, &cursor);
    assert_false(user_may(x, user, api));
}

static void feed_believes_only_our_ca(void **state)
{
    struct fixture *x = *state;
    static const char *const names[] = {"gateway"};
    char other[96];
    snprintf(other, sizeof other, "%s/pki/other", x->dir);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_int_equal(crypto_pki_ensure(other, names, 1, "localhost"), CRYPTO_OK);
    snprintf(x->ca, sizeof x->ca, "%s/ca.crt", other);
    serve(x, NULL, 0);
    struct node_feed_config cfg = {.control = x->control,
                                   .ca = x->ca,
                                   .certificate = x->crt,
                                   .key = x->key,
                                   .kinds = "app,list",
                                   .replica = x->replica};
    struct node_feed *feed = node_feed_start(&cfg);
    usleep(300000);
    node_feed_stop(&feed);
    MHD_stop_daemon(x->server.daemon);
    assert_int_equal(x->server.at, 0);
    static const char *const made[] = {"ca.crt", "ca.key", "gateway.crt", "gateway.key", ".lock",
                                       "lock",   ""};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s", other, made[i]);
        if (unlink(path) != 0) {
            rmdir(path);
        }
    }
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const struct CMUnitTest tests[] = {
        {"nginx.conf says what was set", conf_says_what_was_set, NULL, NULL, NULL},
        {"[GS-6.8a-4a] whom upstreams are believed from is readable, or nothing is written",
         upstream_cas_are_certificates, NULL, NULL, NULL},
        {"[EC-6.1.4.3b] nginx.conf refuses what it cannot say, and plain HTTP in public",
         conf_refuses_what_it_cannot_say, NULL, NULL, NULL},
        {"the feed is taken whole, then followed, then resumed", feed_takes_all_and_resumes, setup,
         teardown, NULL},
        {"the feed of another store is taken whole", feed_of_another_store_is_taken_whole, setup,
         teardown, NULL},
        {"an entry that cannot be read stops no revocation behind it",
         feed_goes_on_past_what_it_cannot_read, setup, teardown, NULL},
        {"[BK-10.1.2a4] a restriction that cannot be read any more stays as it was",
         feed_keeps_restrictions_it_cannot_read, setup, teardown, NULL},
        {"[SW-3.7a] a user whose interfaces cannot be read may call nothing",
         feed_refuses_users_it_cannot_read, setup, teardown, NULL},
        {"[EC-4.3.2a] the feed believes only our CA", feed_believes_only_our_ca, setup, teardown,
         NULL},
    };
    int rc = cmocka_run_group_tests_name("node", tests, NULL, NULL);
    curl_global_cleanup();
    return rc;
}
