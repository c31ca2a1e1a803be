/* SPDX-License-Identifier: Apache-2.0 */
/* The log under what happens to it: torn blocks, other keys, rotation, retention, several writers.
 * What a log is to those who use it is asked of both kinds by one body; NATS is a server of ours,
 * with JetStream in a folder of the test's. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <nats/nats.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "data/events/cloudevents.h"
#include "data/events/log_inner.h"
#include "data/events/nats.h"

static char dir[] = "/tmp/sluice-log-XXXXXX";
static const uint8_t key[CRYPTO_KEY_LEN] = {7};
static const struct uuid topic = {{1, 2, 3}};

static int fresh(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/sluice-log-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int gone(void **state)
{
    char command[80];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static enum log_err put(struct topic_log *log, const char *id, size_t *duplicates)
{
    struct event e = {.key = SLICE("k"),
                      .owner = SLICE("o"),
                      .type = SLICE("t"),
                      .head = SLICE("{\"id\":\"x\""),
                      .data = slice_str(id)};
    ce_identity(&e, SLICE("/s"), slice_str(id));
    return topic_log_append(log, &e, 1, duplicates);
}

static size_t count(struct topic_log *log, uint64_t after)
{
    struct event e;
    enum log_read read;
    size_t n = 0;
    struct topic_reader *r = topic_reader_new(log);
    topic_reader_seek(r, after);
    while ((read = topic_reader_next(r, &e)) == LOG_READ) {
        assert_int_equal(e.seq, after + ++n);
        assert_true(slice_eq(e.owner, SLICE("o")) && slice_eq(e.key, SLICE("k")));
    }
    assert_int_equal(read, LOG_NONE);
    topic_reader_free(&r);
    return n;
}

/* Both kinds: files, and a stream of the server at `port` ----------------------------------------
 */
static struct log_nats *nats;
static pid_t server;
static int port;

static void start_server_with(bool tls)
{
    char number[16], store[64], certificate[64], own_key[64];
    snprintf(number, sizeof number, "%d", port);
    snprintf(store, sizeof store, "%s/nats", dir);
    snprintf(certificate, sizeof certificate, "--tlscert=%s/c.pem", dir);
    snprintf(own_key, sizeof own_key, "--tlskey=%s/k.pem", dir);
    server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        execlp("nats-server", "nats-server", "-a", "127.0.0.1", "-p", number, "-js", "-sd", store,
               tls ? "--tls" : (char *)NULL, certificate, own_key, (char *)NULL);
        _exit(127);
    }
}

static void start_server(void)
{
    start_server_with(false);
}

static void kill_server(void)
{
    int status;
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, &status, 0), server);
    server = 0;
}

static void free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    port = ntohs(address.sin_port);
    close(fd);
}

static void connect_nats(void)
{
    char url[40];
    const char *why = NULL;
    const struct nats_config cfg = {.url = url, .timeout_ms = 3000};
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", port);
    nats = log_nats_open(&cfg, &why);
    if (!nats)
        fail_msg("%s", why);
}

static void disconnect_nats(void)
{
    log_nats_close(&nats);
}

static int fresh_nats(void **state)
{
    fresh(state);
    free_port();
    start_server();
    connect_nats();
    return 0;
}

static int gone_nats(void **state)
{
    disconnect_nats();
    if (server)
        kill_server();
    return gone(state);
}

#define SOON(condition)                                                                            \
    for (int turn = 0; !(condition); turn++) {                                                     \
        assert_true(turn < 3000);                                                                  \
        usleep(10000);                                                                             \
    }

static struct topic_log *open_log(size_t segment_bytes)
{
    struct topic_log *log = nats ? topic_log_open_nats(nats, "/nowhere", &topic, key)
                                 : topic_log_open(dir, &topic, key, segment_bytes);
    assert_non_null(log);
    SOON(topic_log_ready(log));
    return log;
}

/* As a data service that ends and starts. */
static struct topic_log *open_again(struct topic_log *log, size_t segment_bytes)
{
    bool with_nats = nats != NULL;
    if (with_nats)
        log_nats_stop(nats);
    topic_log_close(&log);
    if (with_nats) {
        disconnect_nats();
        connect_nats();
    }
    return open_log(segment_bytes);
}

static void close_log(struct topic_log *log)
{
    if (nats)
        log_nats_stop(nats);
    topic_log_close(&log);
}

static void kept(void **state)
{
    size_t twice = 9;
    char id[16];
    (void)state;
    struct topic_log *log = open_log(400);
    assert_int_equal(topic_log_last(log), 0);
    assert_int_equal(topic_log_first(log), 1);
    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof id, "%d", i);
        assert_int_equal(put(log, id, &twice), LOG_OK);
        assert_int_equal(twice, 0);
    }
    assert_int_equal(put(log, "29", &twice), LOG_OK);
    assert_int_equal(twice, 1);
    assert_int_equal(topic_log_last(log), 30);
    assert_int_equal(count(log, 0), 30);
    assert_int_equal(count(log, 17), 13);
    log = open_again(log, 400);
    assert_int_equal(topic_log_last(log), 30);
    assert_int_equal(put(log, "29", &twice), LOG_OK);
    assert_int_equal(twice, 1); /* a publisher that tries again after our crash */
    assert_int_equal(count(log, 0), 30);
    assert_int_equal(count(log, 17), 13); /* now not from memory */
    assert_int_equal(put(log, "30", &twice), LOG_OK);
    assert_int_equal(count(log, 28), 3);
    assert_int_equal(topic_log_before(log, 1), 0);
    assert_int_equal(topic_log_before(log, clock_wall_ms() + 1000), 31);
    topic_log_trim(log, 0, nats ? topic_log_bytes(log) / 3 : 500);
    SOON(topic_log_first(log) > 1);
    assert_true(topic_log_first(log) <= 31);
    assert_true(nats || topic_log_bytes(log) <= 1200);
    assert_int_equal(count(log, topic_log_first(log) - 1), 32 - topic_log_first(log));
    topic_log_trim(log, clock_wall_ms() + 1000, 1 << 20);
    SOON(topic_log_first(log) >= (nats ? 31 : 28)); /* the newest stays: it has the number */
    uint64_t first = topic_log_first(log);
    log = open_again(log, 400);
    assert_int_equal(topic_log_last(log), 31);
    assert_int_equal(topic_log_first(log), first);
    close_log(log);
}

/* What a batch holds twice, or what is there, is stored once; the rest of it with it. */
static void batches(void **state)
{
    struct event e[3];
    struct topic_log *log = open_log(0);
    size_t twice = 0;
    (void)state;
    for (int i = 0; i < 3; i++) {
        e[i] = (struct event){.key = SLICE("k"), .owner = SLICE("o"), .data = SLICE("{}")};
        ce_identity(&e[i], SLICE("/s"), i == 1 ? SLICE("same") : SLICE("other"));
    }
    assert_int_equal(topic_log_append(log, e, 3, &twice), LOG_OK);
    assert_int_equal(twice, 1);
    assert_int_equal(topic_log_append(log, e, 3, &twice), LOG_OK);
    assert_int_equal(twice, 3);
    assert_int_equal(count(log, 0), 2);
    char *large = calloc(1, 9u << 20);
    e[0].data = slice_of(large, 9u << 20);
    ce_identity(&e[0], SLICE("/s"), SLICE("large"));
    assert_int_equal(topic_log_append(log, e, 1, &twice), LOG_EMEMORY);
    assert_int_equal(put(log, "after", &twice), LOG_OK);
    assert_int_equal(count(log, 0), 3);
    free(large);
    close_log(log);
}

/* Cut anywhere in its last block, the log is what it was before that block and goes on from there.
 */
static void torn(void **state)
{
    char path[100];
    size_t twice;
    (void)state;
    struct topic_log *log = topic_log_open(dir, &topic, key, 0);
    assert_int_equal(put(log, "a", &twice), LOG_OK);
    uint64_t whole = topic_log_bytes(log);
    assert_int_equal(put(log, "b", &twice), LOG_OK);
    uint64_t all = topic_log_bytes(log);
    topic_log_close(&log);
    snprintf(path, sizeof path, "%s/%020d.log", dir, 1);
    for (uint64_t at = all - 1; at >= whole; at -= 7) {
        assert_int_equal(truncate(path, (off_t)at), 0);
        log = topic_log_open(dir, &topic, key, 0);
        assert_non_null(log);
        assert_int_equal(topic_log_last(log), 1);
        assert_int_equal(put(log, "b", &twice), LOG_OK);
        assert_int_equal(twice, 0);
        assert_int_equal(count(log, 0), 2);
        topic_log_close(&log);
    }
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, (off_t)all - 3), 1); /* not torn: changed */
    close(fd);
    log = topic_log_open(dir, &topic, key, 0);
    assert_int_equal(topic_log_last(log), 1);
    topic_log_close(&log);
}

static void sealed(void **state)
{
    char path[100], bytes[400];
    const uint8_t other[CRYPTO_KEY_LEN] = {8};
    size_t twice;
    (void)state;
    struct topic_log *log = topic_log_open(dir, &topic, key, 0);
    assert_int_equal(put(log, "13812345678", &twice), LOG_OK);
    topic_log_close(&log);
    snprintf(path, sizeof path, "%s/%020d.log", dir, 1);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_true(n > 40);
    assert_null(memmem(bytes, (size_t)n, "13812345678", 11));
    log = topic_log_open(dir, &topic, other, 0); /* what does not open is no event */
    assert_non_null(log);
    assert_int_equal(topic_log_last(log), 0);
    topic_log_close(&log);
}

static void *writer(void *p)
{
    static _Atomic int number;
    size_t twice;
    char id[16];
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof id, "w%d", number++);
        assert_int_equal(put(p, id, &twice), LOG_OK);
    }
    return NULL;
}

static void together(void **state)
{
    pthread_t threads[4];
    (void)state;
    struct topic_log *log = open_log(4000);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, writer, log), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(topic_log_last(log), 200);
    assert_int_equal(count(log, 0), 200);
    close_log(log);
}

/* NATS alone --------------------------------------------------------------------------------------
 */
/* It is killed at once: what was acknowledged is there, what was not is said not to be. */
static void killed(void **state)
{
    struct event e;
    size_t twice;
    (void)state;
    struct topic_log *log = open_log(0);
    assert_int_equal(put(log, "a", &twice), LOG_OK);
    assert_int_equal(put(log, "b", &twice), LOG_OK);
    kill_server();
    assert_int_equal(put(log, "c", &twice), LOG_EAWAY);
    assert_int_equal(topic_log_last(log), 2);
    assert_int_equal(count(log, 0), 2); /* still in memory */
    struct topic_log *other = topic_log_open_nats(nats, "/nowhere", &(struct uuid){{9}}, key);
    assert_false(topic_log_ready(other)); /* not known is not empty */
    struct topic_reader *r = topic_reader_new(other);
    assert_int_equal(topic_reader_next(r, &e), LOG_AWAY);
    topic_reader_free(&r);
    start_server();
    SOON(put(log, "c", &twice) == LOG_OK);
    assert_int_equal(count(log, 0), 3);
    assert_int_equal(put(log, "c", &twice), LOG_OK);
    assert_int_equal(twice, 1);
    SOON(topic_log_ready(other));
    log_nats_stop(nats);
    topic_log_close(&other);
    topic_log_close(&log);
}

/* It hangs: a publisher is told so in time, those after it at once; what it did take after all is
 * not taken twice. */
static void hangs(void **state)
{
    size_t twice;
    int status;
    (void)state;
    struct topic_log *log = open_log(0);
    assert_int_equal(put(log, "a", &twice), LOG_OK);
    kill(server, SIGSTOP);
    assert_int_equal(waitpid(server, &status, WUNTRACED), server);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(put(log, "b", &twice), LOG_EAWAY);
    uint64_t before_ms = clock_wall_ms();
    assert_int_equal(put(log, "b", &twice), LOG_EAWAY);
    assert_true(clock_wall_ms() - before_ms < 2000); /* not the 3 s of asking */
    kill(server, SIGCONT);
    SOON(put(log, "b", &twice) == LOG_OK);
    assert_int_equal(topic_log_last(log), 2);
    assert_int_equal(count(log, 0), 2);
    close_log(log);
}

/* Two data services of one topic by mistake: neither overwrites, repeats or misnumbers. Somebody
 * else's messages are no events. */
static void two_writers(void **state)
{
    struct log_nats *mine = nats;
    natsConnection *c = NULL;
    char url[40], subject[80], id[UUID_TEXT_LEN + 1];
    size_t twice;
    (void)state;
    struct topic_log *log = open_log(0);
    connect_nats();
    struct topic_log *other = open_log(0);
    assert_int_equal(put(log, "a", &twice), LOG_OK);
    assert_int_equal(put(other, "a", &twice), LOG_OK);
    assert_int_equal(twice, 1);
    assert_int_equal(put(other, "b", &twice), LOG_OK);
    assert_int_equal(put(log, "c", &twice), LOG_OK);
    assert_int_equal(topic_log_last(log), 3);
    assert_int_equal(count(log, 0), 3);
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", port);
    uuid_format(&topic, id);
    snprintf(subject, sizeof subject, "sluice.events.%s", id);
    assert_int_equal(natsConnection_ConnectTo(&c, url), NATS_OK);
    assert_int_equal(natsConnection_PublishString(c, subject, "no block"), NATS_OK);
    assert_int_equal(natsConnection_Flush(c), NATS_OK);
    natsConnection_Destroy(c);
    assert_int_equal(put(other, "d", &twice), LOG_OK);
    assert_int_equal(topic_log_last(other), 4);
    close_log(other);
    disconnect_nats();
    nats = mine;
    log = open_again(log, 0);
    assert_int_equal(count(log, 0), 4);
    close_log(log);
}

/* From files into NATS ---------------------------------------------------------------------------
 */
static void put_files(const char *folder, size_t from, size_t n, struct topic_log **open)
{
    char id[16];
    size_t twice;
    struct topic_log *log = topic_log_open(folder, &topic, key, 400);
    assert_non_null(log);
    for (size_t i = from; i < from + n; i++) {
        snprintf(id, sizeof id, "%zu", i);
        assert_int_equal(put(log, id, &twice), LOG_OK);
    }
    *open = log;
}

static struct topic_log *carry(const char *folder)
{
    struct topic_log *log = topic_log_open_nats(nats, folder, &topic, key);
    assert_non_null(log);
    SOON(topic_log_ready(log));
    return log;
}

static size_t entries(const char *folder)
{
    char command[120];
    snprintf(command, sizeof command, "test -z \"$(ls -A %s)\"", folder);
    return system(command) == 0 ? 0 : 1;
}

/* Numbers, order, times and what counts as a duplicate are what they were; NATS comes late, and
 * what was carried half is carried whole. */
static void carried(void **state)
{
    char folder[64], mark[80];
    size_t twice;
    struct topic_log *files;
    (void)state;
    snprintf(folder, sizeof folder, "%s/topic", dir);
    snprintf(mark, sizeof mark, "%s/.to-nats", folder);
    kill_server();
    put_files(folder, 0, 20, &files);
    topic_log_trim(files, 0, 1500);
    uint64_t first = topic_log_first(files), at_ms = clock_wall_ms() + 1000;
    assert_true(first > 1);
    topic_log_close(&files);

    struct topic_log *log = topic_log_open_nats(nats, folder, &topic, key);
    assert_non_null(log);
    assert_false(topic_log_ready(log));
    assert_int_equal(put(log, "new", &twice), LOG_EAWAY);
    start_server();
    SOON(topic_log_ready(log));
    assert_int_equal(topic_log_first(log), first);
    assert_int_equal(topic_log_last(log), 20);
    assert_int_equal(count(log, first - 1), 21 - first);
    assert_int_equal(topic_log_before(log, at_ms), 20);
    assert_int_equal(put(log, "19", &twice), LOG_OK);
    assert_int_equal(twice, 1);
    assert_int_equal(entries(folder), 0);
    close_log(log);
    disconnect_nats();
    connect_nats();

    put_files(folder, 0, 30, &files); /* as if it had been killed after the twentieth */
    topic_log_close(&files);
    close(open(mark, O_CREAT | O_WRONLY, 0600));
    log = carry(folder);
    assert_int_equal(topic_log_last(log), 30);
    assert_int_equal(count(log, first - 1), 31 - first);
    assert_int_equal(put(log, "new", &twice), LOG_OK);
    assert_int_equal(topic_log_last(log), 31);
    assert_int_equal(entries(folder), 0);
    close_log(log);
    disconnect_nats();
    connect_nats();

    put_files(folder, 100, 3, &files); /* a stream that has events of its own keeps to them */
    topic_log_close(&files);
    log = carry(folder);
    assert_int_equal(topic_log_last(log), 31);
    assert_int_equal(entries(folder), 1);
    close_log(log);
}

/* A certificate of its own for this name, in the folder. */
static void make_certificate(const char *name)
{
    char command[400];
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "
             "%s/k.pem -out %s/c.pem -days 2 -subj /CN=nats -addext subjectAltName=DNS:%s "
             "2>/dev/null",
             dir, dir, name);
    assert_int_equal(system(command), 0);
}

/* Whether a server that shows the certificate for `name` is taken for the one we asked for. */
static bool trusted(const char *name, bool known_ca)
{
    char url[40], ca[64];
    const char *why = NULL;
    size_t twice;
    bool ready = false;
    make_certificate(name);
    start_server_with(true);
    snprintf(url, sizeof url, "tls://localhost:%d", port);
    snprintf(ca, sizeof ca, "%s/c.pem", dir);
    const struct nats_config cfg = {.url = url, .ca = known_ca ? ca : NULL, .timeout_ms = 3000};
    nats = log_nats_open(&cfg, &why);
    assert_non_null(nats);
    struct topic_log *log = topic_log_open_nats(nats, "/nowhere", &topic, key);
    for (int turn = 0; turn < (known_ca && !strcmp(name, "localhost") ? 1000 : 150) && !ready;
         turn++) {
        usleep(10000);
        ready = topic_log_ready(log);
    }
    assert_int_equal(put(log, "a", &twice), ready ? LOG_OK : LOG_EAWAY);
    close_log(log);
    disconnect_nats();
    kill_server();
    return ready;
}

static void over_tls(void **state)
{
    (void)state;
    free_port();
    assert_true(trusted("localhost", true));
    assert_false(trusted("localhost", false));
    assert_false(trusted("other.example", true));
}

static void wrong_settings(void **state)
{
    static const struct {
        struct nats_config cfg;
        const char *why;
    } rows[] = {
        {{.url = "nats://10.0.0.1:4222"}, "an address of NATS"},
        {{.url = "nats://127.0.0.1.example.org:4222"}, "an address of NATS"},
        {{.url = "nats://me:pw@127.0.0.1:4222"}, "an address of NATS"},
        {{.url = "http://127.0.0.1"}, "an address of NATS"},
        {{.url = "nats://127.0.0.1:4222,nats://far"}, "an address of NATS"},
        {{.url = "nats://127.0.0.1:4222", .user = "u"}, "the password file"},
        {{.url = "nats://127.0.0.1:4222", .user = "u", .password = "/etc/passwd"},
         "the password file"},
        {{.url = "nats://127.0.0.1:4222", .credentials = "/nowhere"}, "the credentials"},
        {{.url = "tls://127.0.0.1:4222", .ca = "/nowhere"}, "the certificate authority"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *why = "";
        struct log_nats *n = log_nats_open(&rows[i].cfg, &why);
        if (n || !strstr(why, rows[i].why))
            fail_msg("row %zu: %s", i, why);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kept, fresh, gone),
        cmocka_unit_test_setup_teardown(torn, fresh, gone),
        cmocka_unit_test_setup_teardown(sealed, fresh, gone),
        cmocka_unit_test_setup_teardown(batches, fresh, gone),
        cmocka_unit_test_setup_teardown(together, fresh, gone),
        cmocka_unit_test_setup_teardown(kept, fresh_nats, gone_nats),
        cmocka_unit_test_setup_teardown(batches, fresh_nats, gone_nats),
        cmocka_unit_test_setup_teardown(together, fresh_nats, gone_nats),
        cmocka_unit_test_setup_teardown(killed, fresh_nats, gone_nats),
        cmocka_unit_test_setup_teardown(hangs, fresh_nats, gone_nats),
        cmocka_unit_test_setup_teardown(two_writers, fresh_nats, gone_nats),
        cmocka_unit_test_setup_teardown(carried, fresh_nats, gone_nats),
        cmocka_unit_test_setup_teardown(over_tls, fresh, gone),
        cmocka_unit_test(wrong_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
