/* SPDX-License-Identifier: Apache-2.0 */
/* The service over its socket: framing, sizes, several threads at once. */
#include "data/server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "data/testing.h"

#define CLIENTS 8
#define CALLS   50

static struct testing t;
static struct server *server;
static char sqlite[256], path[100];

static int dial(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strcpy(to.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 5}, sizeof(struct timeval));
    return fd;
}

static bool send_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* Reads one answer with Content-Length into out, NUL-terminated; its status, 0 when there is none.
 */
static int read_answer(int fd, char *out, size_t cap, bool head)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = n + 1 < cap ? recv(fd, out + n, cap - n - 1, 0) : 0;
        n += got > 0 ? (size_t)got : 0;
        out[n] = '\0';
        const char *end = strstr(out, "\r\n\r\n"), *length = strcasestr(out, "Content-Length: ");
        if (end && length &&
            (head || n >= (size_t)(end + 4 - out) + strtoul(length + 16, NULL, 10)))
            return atoi(out + 9);
        if (got <= 0)
            return 0;
    }
}

static int ask(int fd, const struct testing_call *call, char *out, size_t cap)
{
    char proof[LINK_TEXT_MAX], request[8192];
    size_t n = testing_prove(&t, call, proof);
    size_t body_n = call->body ? strlen(call->body) : 0;
    int len = snprintf(
        request, sizeof request,
        "%s %s HTTP/1.1\r\nHost: data\r\nSluice-Call: %.*s\r\nContent-Length: %zu\r\n\r\n%s",
        call->method, call->target, (int)n, proof, body_n, call->body ? call->body : "");
    return send_all(fd, request, (size_t)len)
               ? read_answer(fd, out, cap, strcmp(call->method, "HEAD") == 0)
               : 0;
}

static void test_answers(void **state)
{
    (void)state;
    char out[8192];
    int fd = dial();
    struct testing_call call = {
        .method = "GET", .target = "/t/11?select=id&id=eq.2", .api = &t.orders};
    assert_int_equal(ask(fd, &call, out, sizeof out), 200);
    assert_non_null(strstr(out, "\r\n\r\n[{\"id\":2}]"));
    assert_non_null(strstr(out, "Content-Range: 0-0/*\r\n"));
    call.method = "HEAD";
    assert_int_equal(ask(fd, &call, out, sizeof out), 200);
    assert_null(strstr(out, "{\"id\""));
    call.method = "GET";
    call.target = "/t/11?card=eq.1";
    assert_int_equal(ask(fd, &call, out, sizeof out), 403);
    assert_non_null(strstr(out, "Sluice-Problem: field-forbidden\r\n"));
    call = (struct testing_call){.method = "POST",
                                 .target = "/t/13",
                                 .api = &t.grade,
                                 .body = "{\"uniscId\":\"91310000X00000001A\"}"};
    assert_int_equal(ask(fd, &call, out, sizeof out), 200);
    assert_non_null(strstr(out, "\"assessGrade\":\"AA\""));
    close(fd);
}

/* The proof covers method and target: it opens nothing else. */
static void test_proof(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "GET /t/11?id=eq.2 HTTP/1.1\r\nHost: d\r\nSluice-Call: %s\r\n\r\n",
        "GET /t/11?id=eq.1&x HTTP/1.1\r\nHost: d\r\nSluice-Call: %s\r\n\r\n",
        "POST /t/11?id=eq.1 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nSluice-Call: %s\r\n\r\n",
        "GET /t/11?id=eq.1 HTTP/1.1\r\nHost: d\r\nSluice-Call: x%s\r\n\r\n",
        "GET /t/11?id=eq.1 HTTP/1.1\r\nHost: d\r\nX: %.1s\r\n\r\n",
    };
    char proof[LINK_TEXT_MAX + 1], request[8192], out[8192];
    struct testing_call call = {.method = "GET", .target = "/t/11?id=eq.1", .api = &t.orders};
    proof[testing_prove(&t, &call, proof)] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        int fd = dial();
        int n = snprintf(request, sizeof request, forms[i], proof);
        assert_true(send_all(fd, request, (size_t)n));
        assert_int_equal(read_answer(fd, out, sizeof out, false), 403);
        assert_non_null(strstr(out, "Sluice-Problem: link-refused\r\n"));
        close(fd);
    }
}

/* Far more filters than are allowed still reach the parser, which says so. */
static void test_many_filters(void **state)
{
    (void)state;
    static const size_t counts[] = {101, 400, 1200};
    char *target = malloc(16384), request[20000], proof[LINK_TEXT_MAX + 1], out[8192];
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char *p = stpcpy(target, "/t/11?");
        for (size_t k = 0; k < counts[i]; k++)
            p = stpcpy(p, k ? "&id=neq.1" : "id=neq.1");
        struct testing_call call = {.method = "GET", .target = target, .api = &t.orders};
        proof[testing_prove(&t, &call, proof)] = '\0';
        int n = snprintf(request, sizeof request,
                         "GET %s HTTP/1.1\r\nHost: d\r\nSluice-Call: %s\r\n\r\n", target, proof);
        int fd = dial();
        assert_true(send_all(fd, request, (size_t)n));
        assert_int_equal(read_answer(fd, out, sizeof out, false), 400);
        assert_non_null(strstr(out, "Sluice-Problem: query-too-large\r\n"));
        close(fd);
    }
    free(target);
}

static void test_sizes(void **state)
{
    (void)state;
    char out[8192], *big = malloc(1200001);
    memset(big, 'a', 1200000);
    big[1200000] = '\0';
    int fd = dial(); /* a target longer than a connection's memory */
    (void)(send_all(fd, "GET /t/11?", 10) && send_all(fd, big, 1200000));
    int status = read_answer(fd, out, sizeof out, false);
    assert_true(status == 0 || status >= 400); /* cut off or told so, never served */
    close(fd);
    fd = dial(); /* a body past the limit */
    const char head[] = "POST /t/13 HTTP/1.1\r\nHost: d\r\nContent-Length: 1200000\r\n\r\n";
    assert_true(send_all(fd, head, sizeof head - 1) && send_all(fd, big, 1200000));
    assert_int_equal(read_answer(fd, out, sizeof out, false), 413);
    close(fd);
    fd = dial(); /* a chunked body that breaks off */
    const char chunked[] =
        "POST /t/13 HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc";
    assert_true(send_all(fd, chunked, sizeof chunked - 1));
    close(fd);
    free(big);
    fd = dial(); /* and the service goes on */
    struct testing_call call = {
        .method = "GET", .target = "/t/11?select=id&id=eq.2", .api = &t.orders};
    assert_int_equal(ask(fd, &call, out, sizeof out), 200);
    close(fd);
}

struct client {
    pthread_t thread;
    char proof[3][LINK_TEXT_MAX + 1];
    size_t good;
};

static const char *const targets[3] = {"/t/11?select=id&id=eq.1",
                                       "/t/11?select=id&order=id.desc&limit=1",
                                       "/t/11?select=id&name=eq.wang"};
static const char *const bodies[3] = {"\r\n\r\n[{\"id\":1}]", "\r\n\r\n[{\"id\":3}]",
                                      "\r\n\r\n[{\"id\":3}]"};

static void *client_run(void *p)
{
    struct client *c = p;
    char request[4096], out[4096];
    int fd = dial();
    for (size_t i = 0; i < CALLS; i++) {
        int n = snprintf(request, sizeof request,
                         "GET %s HTTP/1.1\r\nHost: d\r\nSluice-Call: %s\r\n\r\n", targets[i % 3],
                         c->proof[i % 3]);
        bool ok =
            send_all(fd, request, (size_t)n) && read_answer(fd, out, sizeof out, false) == 200;
        c->good += ok && strstr(out, bodies[i % 3]);
    }
    close(fd);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    static struct client clients[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        for (size_t k = 0; k < 3; k++) {
            struct testing_call call = {.method = "GET", .target = targets[k], .api = &t.orders};
            clients[i].proof[k][testing_prove(&t, &call, clients[i].proof[k])] = '\0';
        }
        assert_int_equal(pthread_create(&clients[i].thread, NULL, client_run, &clients[i]), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_int_equal(clients[i].good, CALLS);
    }
}

static void test_socket(void **state)
{
    (void)state;
    struct stat st;
    const char *why = NULL;
    struct server_config cfg = {.service = t.cfg, .socket = path, .threads = 1};
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_null(server_start(&cfg, &why)); /* somebody answers there */
    assert_non_null(why);
    assert_int_equal(stat(path, &st), 0);
    char other[120];
    snprintf(other, sizeof other, "%s.file", path);
    fclose(fopen(other, "w"));
    cfg.socket = other;
    assert_null(server_start(&cfg, &why)); /* not a socket: left alone */
    assert_int_equal(unlink(other), 0);
    struct sockaddr_un stale = {.sun_family = AF_UNIX};
    snprintf(stale.sun_path, sizeof stale.sun_path, "%s.stale", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&stale, sizeof stale), 0);
    close(fd); /* its owner died */
    cfg.socket = stale.sun_path;
    struct server *second = server_start(&cfg, &why);
    assert_non_null(second);
    server_stop(&second);
    assert_int_not_equal(stat(stale.sun_path, &st), 0);
}

static int setup(void **state)
{
    (void)state;
    const char *why = NULL;
    testing_open(&t);
    testing_connection(&t, TESTING_SQLITE, sqlite);
    testing_fill(sqlite);
    testing_publish(&t, sqlite);
    snprintf(path, sizeof path, "%s/data.sock", t.dir);
    struct server_config cfg = {.service = t.cfg, .socket = path, .threads = 4};
    server = server_start(&cfg, &why);
    return server ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    server_stop(&server);
    testing_close(&t);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"answers over the socket", test_answers, NULL, NULL, NULL},
        {"[EC-4.3.2a] a proof opens one method and target", test_proof, NULL, NULL, NULL},
        {"what is too large is refused and harms nobody", test_sizes, NULL, NULL, NULL},
        {"too many filters are named as such", test_many_filters, NULL, NULL, NULL},
        {"threads do not mix answers up", test_threads, NULL, NULL, NULL},
        {"socket: mode, in use, stale", test_socket, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
