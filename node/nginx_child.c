/* SPDX-License-Identifier: Apache-2.0 */
#include "node/nginx_child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "node/nginx_conf.h"
#include "node/upstream_ca.h"

#define NGINX_DEFAULT  "/usr/sbin/nginx"
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define STEADY_MS      10000 /* having run so long, the next end starts the back-off anew */
#define START_MS       5000  /* from the fork of the daemon to its pid file */
#define QUIT_MS        6000
#define TERM_MS        2000

const char *node_nginx_program(const struct node_config *cfg)
{
    return cfg->nginx != NULL ? cfg->nginx : NGINX_DEFAULT;
}

static bool ended_within(int pidfd, int wait_ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    return poll(&p, 1, wait_ms) > 0;
}

static bool replace_file(const char *path, const struct buf *text)
{
    char temp[620], last[620];
    snprintf(temp, sizeof temp, "%s.new", path);
    snprintf(last, sizeof last, "%s.last", path);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool ok = fd >= 0 && write(fd, text->p, text->n) == (ssize_t)text->n;
    ok = (fd < 0 || close(fd) == 0) && ok;
    unlink(last);
    return ok && (link(path, last) == 0 || errno == ENOENT) && rename(temp, path) == 0;
}

/* The text before it stays as nginx.conf.last. */
bool node_nginx_write_conf(struct node_nginx *n, const struct node_config *cfg, bool *changed)
{
    char path[600];
    struct buf text, old;
    struct node_fault fault;
    bool fresh_ca = false;
    buf_init(&text);
    if (!node_nginx_conf(cfg, NULL, &text, &fault) ||
        !node_upstream_ca(cfg, n->prefix, &fresh_ca, &fault)) {
        fprintf(stderr, "sluice: gateway: %s\n", fault.text);
        buf_fini(&text);
        return false;
    }
    snprintf(path, sizeof path, "%snginx.conf", n->prefix);
    buf_init(&old);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t got = buf_reserve(&old, 65536) ? read(fd, old.p, 65536) : -1;
        old.n = got > 0 ? (size_t)got : 0;
        close(fd);
    }
    *changed = fresh_ca || !slice_eq(buf_slice(&text), buf_slice(&old));
    bool ok = replace_file(path, &text);
    if (!ok) {
        fprintf(stderr, "sluice: gateway: cannot write %s: %s\n", path, strerror(errno));
    }
    buf_fini(&text);
    buf_fini(&old);
    return ok;
}

bool node_nginx_port_free(const char *host, uint16_t port)
{
    struct sockaddr_storage addr = {.ss_family = AF_INET};
    socklen_t len = sizeof(struct sockaddr_in);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&addr;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_port = htons(port);
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        addr.ss_family = AF_INET6;
        v6->sin6_port = htons(port);
        len = sizeof *v6;
    }
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) {
        return true; /* nginx will say what is wrong */
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool taken = bind(fd, (struct sockaddr *)&addr, len) != 0 && errno == EADDRINUSE;
    close(fd);
    return !taken;
}

bool node_nginx_watch(struct node_nginx *n, pid_t pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        return false;
    }
    if (n->pidfd >= 0) {
        close(n->pidfd);
    }
    n->pidfd = pidfd;
    n->pid = pid;
    n->started_ms = clock_mono_us() / 1000;
    return true;
}

/* The daemon that the process we started left behind: it writes its pid file and its title. */
static bool await_master(struct node_nginx *n)
{
    for (int waited_ms = 0; waited_ms < START_MS; waited_ms += 10) {
        pid_t pid = node_nginx_master(n->prefix, "nginx.pid");
        if (pid != 0) {
            return node_nginx_watch(n, pid);
        }
        usleep(10000);
    }
    fprintf(stderr, "sluice: gateway: nginx does not come up; its reason is in %serror.log\n",
            n->prefix);
    return false;
}

/* What a killed nginx leaves behind, on which the next could not listen. */
static void remove_sockets(const struct node_nginx *n)
{
    static const char *const names[] = {"ops.sock", "inner.sock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s../%s", n->prefix, names[i]);
        unlink(path);
    }
}

static bool launch(struct node_nginx *n)
{
    char pid_file[600];
    int status = 0;
    if (!node_nginx_port_free(n->listen_host, n->port)) {
        if (!n->told) {
            fprintf(stderr,
                    "sluice: gateway: port %u on %s is taken by another program; choose another "
                    "with --gateway-port or gateway.port\n",
                    n->port, n->listen_host);
        }
        n->told = true;
        return false;
    }
    n->told = false;
    snprintf(pid_file, sizeof pid_file, "%snginx.pid", n->prefix);
    unlink(pid_file);
    remove_sockets(n);
    pid_t pid = node_nginx_spawn(n->program, n->prefix, "nginx.conf", false, -1);
    if (pid == 0) {
        fprintf(stderr, "sluice: gateway: cannot run %s: %s\n", n->program, strerror(errno));
        return false;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "sluice: gateway: nginx does not start; its reason is above\n");
        return false;
    }
    return await_master(n);
}

static bool take_config(struct node_nginx *n, const struct node_config *cfg)
{
    int len = snprintf(n->prefix, sizeof n->prefix, "%s/gateway/nginx/", cfg->data_dir);
    if (len < 0 || (size_t)len >= sizeof n->prefix) {
        fprintf(stderr, "sluice: gateway: the path of the data directory is too long\n");
        return false;
    }
    snprintf(n->replay_file, sizeof n->replay_file, "%.480s/gateway/replay", cfg->data_dir);
    snprintf(n->listen_host, sizeof n->listen_host, "%s", cfg->listen_host);
    n->port = cfg->port;
    n->program = node_nginx_program(cfg);
    if (mkdir(n->prefix, 0750) != 0 && errno != EEXIST) {
        fprintf(stderr, "sluice: gateway: cannot make %s: %s\n", n->prefix, strerror(errno));
        return false;
    }
    return true;
}

/* The master that is left of two. */
static pid_t other_master(const struct node_nginx *n)
{
    pid_t pid = node_nginx_master(n->prefix, "nginx.pid");
    pid_t old = node_nginx_master(n->prefix, "nginx.pid.oldbin");
    if (old == 0 || old == pid) {
        return pid;
    }
    kill(old, pid != 0 ? SIGQUIT : SIGHUP); /* HUP: to have workers again */
    return pid != 0 ? pid : old;
}

/* Takes over the nginx that an agent before us left. Was that one in the middle of an upgrade, the
 * new master may still be on its way: the upgrade goes on as ours. */
static bool take_over(struct node_nginx *n, bool changed)
{
    pid_t pid = node_nginx_master(n->prefix, "nginx.pid");
    pid_t old = node_nginx_master(n->prefix, "nginx.pid.oldbin");
    bool upgrading = old != 0 && old != pid;
    if ((pid == 0 && old == 0) || !node_nginx_watch(n, upgrading ? old : pid)) {
        return false;
    }
    fprintf(stderr, "sluice: gateway: nginx runs already (process %d): taking it over\n",
            (int)n->pid);
    if (upgrading) {
        node_nginx_change_resume(n, changed);
    } else if (changed) {
        kill(pid, SIGHUP);
    }
    return true;
}

bool node_nginx_start(struct node_nginx *n, const struct node_config *cfg)
{
    bool changed;
    *n = (struct node_nginx){.pidfd = -1, .backoff_ms = BACKOFF_MIN_MS};
    if (!take_config(n, cfg) || !node_nginx_write_conf(n, cfg, &changed)) {
        return false;
    }
    if (take_over(n, changed)) {
        return true;
    }
    node_nginx_dismiss_orphans(n->prefix, n->replay_file, 0);
    for (int i = 0; i < 20 && !node_nginx_port_free(n->listen_host, n->port); i++) {
        usleep(50000);
    }
    return launch(n);
}

static void forget(struct node_nginx *n)
{
    close(n->pidfd);
    n->pidfd = -1;
    n->pid = 0;
    n->state = NGINX_STEADY;
    n->fresh = 0;
}

/* The master has ended. In an upgrade the other one may stand. */
static void master_ended(struct node_nginx *n, uint64_t now_ms)
{
    bool steady = now_ms - n->started_ms > STEADY_MS;
    if (n->state != NGINX_STEADY) {
        fprintf(stderr, "sluice: gateway: nginx ended in the middle of a change\n");
    }
    if (n->state == NGINX_RELOADING) {
        node_nginx_change_back(n); /* it may be what it died of */
    }
    forget(n);
    pid_t other = other_master(n);
    node_nginx_dismiss_orphans(n->prefix, n->replay_file, other);
    if (other != 0 && node_nginx_watch(n, other)) {
        return;
    }
    n->backoff_ms = steady ? BACKOFF_MIN_MS : n->backoff_ms;
    n->retry_at_ms = now_ms + n->backoff_ms;
    fprintf(stderr, "sluice: gateway: nginx ended; starting it again in %u ms\n", n->backoff_ms);
}

void node_nginx_tick(struct node_nginx *n)
{
    uint64_t now_ms = clock_mono_us() / 1000;
    bool ended = n->pid != 0 && ended_within(n->pidfd, 0);
    while (waitpid(-1, NULL, WNOHANG) > 0) { /* masters, and workers whose master was killed */
    }
    if (n->pid != 0 && !ended) {
        node_nginx_change_tick(n);
        return;
    }
    if (ended) {
        master_ended(n, now_ms);
    }
    if (n->pid != 0 || now_ms < n->retry_at_ms) {
        return;
    }
    n->backoff_ms = n->backoff_ms * 2 < BACKOFF_MAX_MS ? n->backoff_ms * 2 : BACKOFF_MAX_MS;
    n->retry_at_ms = now_ms + n->backoff_ms;
    (void)launch(n); /* it has said why, and we try again */
}

void node_nginx_stop(struct node_nginx *n)
{
    static const struct {
        int signal, wait_ms;
    } steps[] = {{SIGQUIT, QUIT_MS}, {SIGTERM, TERM_MS}, {SIGKILL, TERM_MS}};
    pid_t old = n->pid == 0 ? 0 : node_nginx_master(n->prefix, "nginx.pid.oldbin");
    pid_t fresh = n->pid == 0 ? 0 : node_nginx_master(n->prefix, "nginx.pid");
    for (size_t i = 0; n->pid != 0 && i < sizeof steps / sizeof *steps; i++) {
        for (size_t k = 0; k < 2; k++) { /* a change is under way: both go */
            pid_t other = k == 0 ? old : fresh;
            if (other != 0 && other != n->pid) {
                kill(other, steps[i].signal);
            }
        }
        kill(n->pid, steps[i].signal);
        if (ended_within(n->pidfd, steps[i].wait_ms)) {
            node_nginx_dismiss_orphans(n->prefix, n->replay_file, 0);
            forget(n);
        }
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}
