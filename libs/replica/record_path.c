/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "replica/record.h"

#define HOST_MAX 253
#define BASE_MAX 255
#define LATELY_S 30

static bool is_path_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

static bool segment_ok(struct slice s)
{
    if (s.n == 0 || slice_eq(s, SLICE(".")) || slice_eq(s, SLICE(".."))) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (!is_path_char(s.p[i])) {
            return false;
        }
    }
    return true;
}

bool record_path_ok(struct slice path)
{
    if (path.n < 2 || path.n > REPLICA_PATH_MAX || path.p[0] != '/') {
        return false;
    }
    size_t segments = 0, at = 1;
    while (at <= path.n) {
        const char *slash = memchr(path.p + at, '/', path.n - at);
        size_t end = slash == NULL ? path.n : (size_t)(slash - path.p);
        if (++segments > REPLICA_SEGMENTS_MAX || !segment_ok(slice_of(path.p + at, end - at))) {
            return false;
        }
        at = end + 1;
    }
    return true;
}

static bool read_port(struct slice text, uint16_t *port)
{
    unsigned value = 0;
    if (text.n == 0 || text.n > 5) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text.p[i] - '0');
    }
    if (value == 0 || value > 65535) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

static bool host_ok(struct slice host)
{
    if (host.n == 0 || host.n > HOST_MAX) {
        return false;
    }
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-' || c == ':' || c == '_';
        if (!name) {
            return false;
        }
    }
    return true;
}

/* host, host:port, [v6] or [v6]:port; *port stays as it was without one. */
static bool split_authority(struct slice text, struct slice *host, uint16_t *port)
{
    const char *bracket = text.n > 0 && text.p[0] == '[' ? memchr(text.p, ']', text.n) : NULL;
    size_t host_end, after;
    if (bracket != NULL) {
        host_end = (size_t)(bracket - text.p);
        *host = slice_of(text.p + 1, host_end - 1);
        after = host_end + 1;
    } else {
        const char *colon = memchr(text.p, ':', text.n);
        host_end = colon == NULL ? text.n : (size_t)(colon - text.p);
        *host = slice_of(text.p, host_end);
        after = host_end;
    }
    if (!host_ok(*host)) {
        return false;
    }
    if (after == text.n) {
        return true;
    }
    return text.p[after] == ':' &&
           read_port(slice_of(text.p + after + 1, text.n - after - 1), port);
}

static const struct scheme {
    const char *text;
    uint16_t port;
    bool tls;
} schemes[] = {{"http://", 80, false}, {"https://", 443, true}};

/* The scheme's row and what follows it; NULL: another scheme. */
static const struct scheme *take_scheme(struct slice *url)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i].text);
        if (url->n > n && memcmp(url->p, schemes[i].text, n) == 0) {
            *url = slice_of(url->p + n, url->n - n);
            return &schemes[i];
        }
    }
    return NULL;
}

struct slice record_upstream_host(struct slice url)
{
    (void)take_scheme(&url);
    const char *slash = memchr(url.p, '/', url.n);
    return slice_of(url.p, slash == NULL ? url.n : (size_t)(slash - url.p));
}

bool record_upstream_split(struct slice url, struct record_upstream *out)
{
    const struct scheme *scheme = take_scheme(&url);
    if (scheme == NULL) {
        return false;
    }
    const char *slash = memchr(url.p, '/', url.n);
    size_t end = slash == NULL ? url.n : (size_t)(slash - url.p);
    struct slice base = slice_of(url.p + end, url.n - end);
    if (base.n > 0 && base.p[base.n - 1] == '/') {
        base.n--;
    }
    if (base.n > BASE_MAX) {
        return false;
    }
    /* A base goes into the request line: no query, no escape, nothing that ends the line. */
    for (size_t i = 0; i < base.n; i++) {
        if (base.p[i] != '/' && !is_path_char(base.p[i])) {
            return false;
        }
    }
    out->base = base;
    out->port = scheme->port;
    out->tls = scheme->tls;
    return split_authority(slice_of(url.p, end), &out->host, &out->port);
}

/* Many APIs share a host, and a name server that does not answer costs seconds a question: what was
 * asked lately, in vain too, is not asked again. A thread's own, so no lock. */
static _Thread_local struct {
    char name[HOST_MAX + 1], text[INET6_ADDRSTRLEN];
    bool v6;
    uint64_t until_s;
} lately[64];

static void look_up(const char *name, char text[static INET6_ADDRSTRLEN], bool *v6)
{
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    text[0] = '\0';
    if (getaddrinfo(name, NULL, &hints, &found) != 0 || found == NULL) {
        return;
    }
    /* IPv4 first where a host has both: "localhost" services commonly listen there alone. */
    const struct addrinfo *best = found;
    for (const struct addrinfo *a = found; a != NULL && best->ai_family != AF_INET;
         a = a->ai_next) {
        best = a->ai_family == AF_INET ? a : best;
    }
    *v6 = best->ai_family == AF_INET6;
    int rc = getnameinfo(best->ai_addr, best->ai_addrlen, text, INET6_ADDRSTRLEN, NULL, 0,
                         NI_NUMERICHOST);
    if (rc != 0 || strchr(text, '%') != NULL) {
        text[0] = '\0';
    }
    freeaddrinfo(found);
}

void record_upstream_resolve(struct slice host, uint16_t port, char out[static RECORD_ADDRESS_MAX])
{
    uint32_t hash = 2166136261u;
    uint64_t now_s = clock_mono_us() / 1000000;
    out[0] = '\0';
    if (host.n > HOST_MAX) {
        return;
    }
    for (size_t i = 0; i < host.n; i++) {
        hash = (hash ^ (uint8_t)host.p[i]) * 16777619u;
    }
    size_t i = hash % (sizeof lately / sizeof *lately);
    if (lately[i].until_s <= now_s || !slice_eq(slice_str(lately[i].name), host)) {
        memcpy(lately[i].name, host.p, host.n);
        lately[i].name[host.n] = '\0';
        look_up(lately[i].name, lately[i].text, &lately[i].v6);
        lately[i].until_s = now_s + LATELY_S;
    }
    if (lately[i].text[0] != '\0') {
        snprintf(out, RECORD_ADDRESS_MAX, lately[i].v6 ? "[%s]:%u" : "%s:%u", lately[i].text, port);
    }
}
