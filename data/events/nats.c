/* SPDX-License-Identifier: Apache-2.0 */
#include "data/events/nats_inner.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define TIMEOUT_MS   2000
#define AWAY_MS      1000 /* not asked again after it did not answer in time */
#define RECONNECT_MS 250
#define KEEP_MS      500
#define PASSWORD_MAX 256
#define URLS_MAX     8

static bool given(const char *s)
{
    return s && s[0];
}

/* Only its owner may read it; the last line end is not part of it. */
static bool read_password(const char *path, char out[static PASSWORD_MAX])
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !(st.st_mode & 077)
                    ? read(fd, out, PASSWORD_MAX - 1)
                    : -1;
    if (fd >= 0)
        close(fd);
    if (n > 0 && out[n - 1] == '\n')
        n--;
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Without TLS only to this machine: who we are would be read on the way. */
static bool url_ok(const char *url)
{
    static const char *const near[] = {"nats://127.0.0.1", "nats://[::1]", "nats://localhost"};
    if (strchr(url, '@'))
        return false;
    if (strncmp(url, "tls://", 6) == 0)
        return url[6] != '\0';
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        size_t n = strlen(near[i]);
        if (strncmp(url, near[i], n) == 0 && (url[n] == '\0' || url[n] == ':'))
            return true;
    }
    return false;
}

static const char *set_servers(natsOptions *o, const char *urls)
{
    char text[1024], *rest = text;
    const char *list[URLS_MAX];
    int n = 0;
    if ((size_t)snprintf(text, sizeof text, "%s", urls) >= sizeof text)
        return "too many addresses of NATS";
    for (char *url; (url = strsep(&rest, ","));) {
        if (n == URLS_MAX || !url_ok(url))
            return "an address of NATS is tls://host:port, or nats:// of this machine, without "
                   "user and password";
        list[n++] = url;
    }
    return natsOptions_SetServers(o, list, n) == NATS_OK ? NULL : "out of memory";
}

static const char *set_credentials(natsOptions *o, const struct nats_config *cfg)
{
    char password[PASSWORD_MAX] = "";
    if (given(cfg->credentials))
        return access(cfg->credentials, R_OK) == 0 &&
                       natsOptions_SetUserCredentialsFromFiles(o, cfg->credentials, NULL) == NATS_OK
                   ? NULL
                   : "the credentials of NATS cannot be read";
    if (!given(cfg->user))
        return NULL;
    if (!given(cfg->password) || !read_password(cfg->password, password))
        return "the password file of NATS is missing, empty, or others may read it";
    natsStatus s = natsOptions_SetUserInfo(o, cfg->user, password);
    explicit_bzero(password, sizeof password);
    return s == NATS_OK ? NULL : "out of memory";
}

static const char *set_tls(natsOptions *o, const struct nats_config *cfg)
{
    if (!strstr(cfg->url, "tls://"))
        return NULL;
    if (natsOptions_SetSecure(o, true) != NATS_OK)
        return "out of memory";
    if (given(cfg->ca) && natsOptions_LoadCATrustedCertificates(o, cfg->ca) != NATS_OK)
        return "the certificate authority of NATS cannot be read";
    if (given(cfg->certificate) &&
        natsOptions_LoadCertificatesChain(o, cfg->certificate, cfg->key) != NATS_OK)
        return "our certificate for NATS cannot be read";
    return NULL;
}

static void on_retry(natsConnection *connection, void *ctx)
{
    (void)connection, (void)ctx; /* asks for attempts that go on in the background */
}

static void on_error(natsConnection *connection, natsSubscription *sub, natsStatus err, void *ctx)
{
    (void)connection, (void)sub, (void)ctx;
    fprintf(stderr, "data: events: NATS: %s\n", natsStatus_GetText(err));
}

static const char *set_options(struct log_nats *n, const struct nats_config *cfg)
{
    natsOptions *o = n->options;
    const char *why = set_servers(o, cfg->url);
    why = why ? why : set_credentials(o, cfg);
    why = why ? why : set_tls(o, cfg);
    if (why)
        return why;
    bool ok = natsOptions_SetMaxReconnect(o, -1) == NATS_OK &&
              natsOptions_SetReconnectWait(o, RECONNECT_MS) == NATS_OK &&
              natsOptions_SetReconnectJitter(o, RECONNECT_MS, RECONNECT_MS) == NATS_OK &&
              natsOptions_SetRetryOnFailedConnect(o, true, on_retry, NULL) == NATS_OK &&
              natsOptions_SetTimeout(o, n->timeout_ms) == NATS_OK &&
              natsOptions_SetPingInterval(o, 5000) == NATS_OK &&
              natsOptions_SetErrorHandler(o, on_error, NULL) == NATS_OK &&
              natsOptions_SetName(o, "sluice") == NATS_OK;
    return ok ? NULL : "out of memory";
}

static void drop_connection(struct log_nats *n)
{
    jsCtx_Destroy(n->js);
    natsConnection_Destroy(n->connection);
    n->js = NULL;
    n->connection = NULL;
}

/* The library gives up for good a server that does not let us in: then it is begun anew, since an
 * operator may have put right what was wrong. */
static void connect_again(struct log_nats *n)
{
    pthread_rwlock_rdlock(&n->gate);
    bool closed = !n->connection || natsConnection_Status(n->connection) == NATS_CONN_STATUS_CLOSED;
    pthread_rwlock_unlock(&n->gate);
    if (!closed)
        return;
    pthread_rwlock_wrlock(&n->gate);
    drop_connection(n);
    jsOptions options;
    natsStatus s = natsConnection_Connect(&n->connection, n->options);
    if (s == NATS_OK || s == NATS_NOT_YET_CONNECTED) {
        s = jsOptions_Init(&options);
        options.Wait = n->timeout_ms;
        s = s == NATS_OK ? natsConnection_JetStream(&n->js, n->connection, &options) : s;
    }
    if (s != NATS_OK) {
        if (!n->told)
            fprintf(stderr, "data: events: NATS: %s\n", natsStatus_GetText(s));
        n->told = true;
        drop_connection(n);
    }
    pthread_rwlock_unlock(&n->gate);
}

static bool is_away(struct log_nats *n)
{
    pthread_mutex_lock(&n->lock);
    bool away = clock_wall_ms() < n->away_until_ms;
    pthread_mutex_unlock(&n->lock);
    return away;
}

jsCtx *nats_begin(struct log_nats *n)
{
    pthread_rwlock_rdlock(&n->gate);
    if (n->js && !is_away(n) && natsConnection_Status(n->connection) == NATS_CONN_STATUS_CONNECTED)
        return n->js;
    pthread_rwlock_unlock(&n->gate);
    return NULL;
}

void nats_end(struct log_nats *n, bool answered)
{
    if (!answered) {
        pthread_mutex_lock(&n->lock);
        n->away_until_ms = clock_wall_ms() + AWAY_MS;
        pthread_mutex_unlock(&n->lock);
    }
    pthread_rwlock_unlock(&n->gate);
}

size_t nats_room(struct log_nats *n)
{
    pthread_rwlock_rdlock(&n->gate);
    int64_t max = n->connection ? natsConnection_GetMaxPayload(n->connection) : 0;
    pthread_rwlock_unlock(&n->gate);
    return max > 0 ? (size_t)max : 1u << 20;
}

static void *keep_run(void *p)
{
    struct log_nats *n = p;
    pthread_mutex_lock(&n->lock);
    while (!n->stopping) {
        struct timespec until;
        pthread_mutex_unlock(&n->lock);
        connect_again(n);
        pthread_mutex_lock(&n->lock);
        /* A log is taken out of the list only when its topic ends: with all of them. */
        for (struct nats_log *log = n->logs; log && !n->stopping; log = log->next) {
            pthread_mutex_unlock(&n->lock);
            nats_log_keep(log);
            pthread_mutex_lock(&n->lock);
        }
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += KEEP_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (!n->stopping)
            pthread_cond_timedwait(&n->stop, &n->lock, &until);
    }
    pthread_mutex_unlock(&n->lock);
    return NULL;
}

struct log_nats *log_nats_open(const struct nats_config *cfg, const char **why)
{
    struct log_nats *n = calloc(1, sizeof *n);
    *why = "out of memory";
    if (!n)
        return NULL;
    pthread_rwlock_init(&n->gate, NULL);
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->stop, NULL);
    n->replicas = cfg->replicas ? cfg->replicas : 1;
    n->timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : TIMEOUT_MS;
    if (natsOptions_Create(&n->options) == NATS_OK)
        *why = set_options(n, cfg);
    if (!*why) {
        connect_again(n);
        n->keeper_made = pthread_create(&n->keeper, NULL, keep_run, n) == 0;
        *why = n->keeper_made ? NULL : "no thread left";
    }
    if (*why)
        log_nats_close(&n);
    return n;
}

void log_nats_stop(struct log_nats *n)
{
    pthread_mutex_lock(&n->lock);
    n->stopping = true;
    pthread_cond_signal(&n->stop);
    pthread_mutex_unlock(&n->lock);
    if (n->keeper_made)
        pthread_join(n->keeper, NULL);
    n->keeper_made = false;
}

void log_nats_close(struct log_nats **slot)
{
    struct log_nats *n = *slot;
    if (!n)
        return;
    log_nats_stop(n);
    drop_connection(n);
    natsOptions_Destroy(n->options);
    pthread_cond_destroy(&n->stop);
    pthread_mutex_destroy(&n->lock);
    pthread_rwlock_destroy(&n->gate);
    free(n);
    *slot = NULL;
}
