/* SPDX-License-Identifier: Apache-2.0 */
/* One row by key: a loop over ODBC alone, the worker without HTTP, the service over its socket with
 * its clients on the same cores. For SQLite and PostgreSQL. */
#include "data/server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "data/testing.h"

#define SECONDS 2
#define CLIENTS 4

static struct testing t;
static char path[100], bench_request[4096];
static volatile bool stop;

static double odbc_loop(const char *connection)
{
    static const char sql[] = "SELECT \"order_id\", \"name\", \"price\", \"phone\" FROM \"orders\" "
                              "WHERE ((\"order_id\" = "
                              "?)) ORDER BY \"order_id\" LIMIT ? OFFSET ?";
    struct source *s = source_new(slice_str(connection), t.cfg.data_dir);
    struct source_param params[3] = {{.integer = 2, .is_integer = true},
                                     {.integer = 1000, .is_integer = true},
                                     {.integer = 0, .is_integer = true}};
    struct source_rows rows;
    bool more;
    size_t n = 0;
    uint64_t start = clock_mono_us();
    while (clock_mono_us() - start < SECONDS * 1000000u) {
        if (source_query(s, slice_str(sql), params, 3, &rows) != SOURCE_OK)
            abort();
        while (source_next(&rows, &more) == SOURCE_OK && more)
            n++;
        source_rows_end(&rows);
    }
    source_free(&s);
    return (double)(clock_mono_us() - start) / (double)n;
}

static struct slice no_header(void *ctx, const char *name)
{
    return strcmp(name, LINK_HEADER) == 0 ? *(struct slice *)ctx : SLICE("");
}

static const struct testing_call by_key = {.method = "GET",
                                           .target = "/t/11?select=id,name,price,phone&id=eq.2"};

static double worker_loop(void)
{
    struct worker *w = worker_new(&t.cfg);
    struct testing_call call = by_key;
    char text[LINK_TEXT_MAX];
    struct service_reply reply;
    size_t n = 0;
    call.api = &t.orders;
    struct slice proof = {text, testing_prove(&t, &call, text)};
    struct service_request rq = {.method = SLICE("GET"),
                                 .target = slice_str(call.target),
                                 .header = no_header,
                                 .ctx = &proof};
    uint64_t start = clock_mono_us();
    for (; clock_mono_us() - start < SECONDS * 1000000u; n++) {
        service_handle(w, &rq, &reply);
        if (reply.status != 200)
            abort();
    }
    worker_free(&w);
    return (double)(clock_mono_us() - start) / (double)n;
}

static void *client(void *p)
{
    size_t *count = p;
    char request[4096], answer[4096];
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strcpy(to.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        abort();
    size_t n = strlen(strcpy(request, bench_request));
    while (!stop) {
        if (send(fd, request, n, 0) != (ssize_t)n)
            abort();
        ssize_t got = recv(fd, answer, sizeof answer - 1, 0);
        if (got < 12 || memcmp(answer + 9, "200", 3) != 0)
            abort();
        ++*count;
    }
    close(fd);
    return NULL;
}

static double cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double socket_rate(double *cpu)
{
    const char *why;
    struct testing_call call = by_key;
    char proof[LINK_TEXT_MAX + 1];
    size_t counts[CLIENTS] = {0}, total = 0;
    pthread_t threads[CLIENTS];
    struct server_config cfg = {.service = t.cfg, .socket = path, .threads = 4};
    struct server *server = server_start(&cfg, &why);
    if (!server)
        abort();
    call.api = &t.orders;
    proof[testing_prove(&t, &call, proof)] = '\0';
    snprintf(bench_request, sizeof bench_request,
             "GET %s HTTP/1.1\r\nHost: d\r\nSluice-Call: %s\r\n\r\n", call.target, proof);
    stop = false;
    *cpu = cpu_us();
    uint64_t start = clock_mono_us();
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_create(&threads[i], NULL, client, &counts[i]);
    usleep(SECONDS * 1000000u);
    stop = true;
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        total += counts[i];
    }
    uint64_t took = clock_mono_us() - start;
    *cpu = (cpu_us() - *cpu) / (double)total;
    server_stop(&server);
    return (double)total * 1e6 / (double)took;
}

int main(void)
{
    char connection[256];
    testing_open(&t);
    testing_postgres_start(&t);
    snprintf(path, sizeof path, "%s/data.sock", t.dir);
    for (int postgres = 0; postgres < 2; postgres++) {
        testing_connection(&t, postgres ? TESTING_POSTGRES : TESTING_SQLITE, connection);
        testing_fill(connection);
        testing_publish(&t, connection);
        double odbc = odbc_loop(connection), worker = worker_loop(), cpu, rate = socket_rate(&cpu);
        printf(
            "%-10s ODBC loop %5.1f us, worker %5.1f us (%.2fx), over the socket %6.0f requests/s, "
            "%5.1f us of CPU each with its client\n",
            postgres ? "PostgreSQL" : "SQLite", odbc, worker, worker / odbc, rate, cpu);
    }
    testing_close(&t);
    return 0;
}
