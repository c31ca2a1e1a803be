/* SPDX-License-Identifier: Apache-2.0 */
#include "node/nginx_child.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "node/nginx_conf.h"

#define NGINX_DEFAULT  "/usr/sbin/nginx"
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define STEADY_MS      10000 /* having run so long, the next end starts the back-off anew */
#define QUIT_MS        6000
#define TERM_MS        2000

extern char **environ;

static const char *program(const struct node_config *cfg)
{
    return cfg->nginx != NULL ? cfg->nginx : NGINX_DEFAULT;
}

static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool ended_within(int pidfd, int wait_ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    return poll(&p, 1, wait_ms) > 0;
}

static bool write_conf(struct node_nginx *n, bool *changed)
{
    char path[600], temp[620];
    struct buf text, old;
    buf_init(&text);
    const char *reason = node_nginx_conf(n->cfg, &text);
    if (reason != NULL) {
        fprintf(stderr, "sluice: gateway: %s\n", reason);
        buf_fini(&text);
        return false;
    }
    snprintf(path, sizeof path, "%snginx.conf", n->prefix);
    snprintf(temp, sizeof temp, "%s.new", path);
    buf_init(&old);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t got = buf_reserve(&old, 65536) ? read(fd, old.p, 65536) : -1;
        old.n = got > 0 ? (size_t)got : 0;
        close(fd);
    }
    *changed = !slice_eq(buf_slice(&text), buf_slice(&old));
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool ok = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n;
    ok = (fd < 0 || close(fd) == 0) && ok && rename(temp, path) == 0;
    if (!ok) {
        fprintf(stderr, "sluice: gateway: cannot write %s: %s\n", path, strerror(errno));
    }
    buf_fini(&text);
    buf_fini(&old);
    return ok;
}

static pid_t spawn(struct node_nginx *n, bool test)
{
    /* posix_spawn takes char *const * for history's sake and changes nothing. */
    const char *argv[] = {program(n->cfg), "-p", n->prefix, "-c", "nginx.conf", NULL, NULL, NULL};
    if (test) {
        argv[5] = "-t";
        argv[6] = "-q";
    }
    posix_spawnattr_t attr;
    sigset_t none, all;
    pid_t pid = 0;
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawnattr_init(&attr) != 0) {
        return 0;
    }
    /* Our blocked signals would be its blocked signals; its own group keeps a terminal's Ctrl-C
     * ours to pass on, so that nginx stops gracefully. */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attr, &none);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setpgroup(&attr, 0);
    int rc = posix_spawn(&pid, argv[0], NULL, &attr, (char *const *)(uintptr_t)argv, environ);
    posix_spawnattr_destroy(&attr);
    if (rc != 0) {
        fprintf(stderr, "sluice: gateway: cannot run %s: %s\n", argv[0], strerror(rc));
        return 0;
    }
    return pid;
}

static bool check_conf(struct node_nginx *n)
{
    int status = 0;
    pid_t pid = spawn(n, true);
    if (pid == 0) {
        return false;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    fprintf(stderr, "sluice: gateway: nginx refuses %snginx.conf; its reason is above\n",
            n->prefix);
    return false;
}

static bool port_free(const struct node_config *cfg)
{
    struct sockaddr_storage addr = {.ss_family = AF_INET};
    socklen_t len = sizeof(struct sockaddr_in);
    struct sockaddr_in *v4 = (struct sockaddr_in *)&addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&addr;
    if (inet_pton(AF_INET, cfg->listen_host, &v4->sin_addr) == 1) {
        v4->sin_port = htons(cfg->port);
    } else if (inet_pton(AF_INET6, cfg->listen_host, &v6->sin6_addr) == 1) {
        addr.ss_family = AF_INET6;
        v6->sin6_port = htons(cfg->port);
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

static pid_t last_master(const struct node_nginx *n)
{
    char path[600], line[32];
    snprintf(path, sizeof path, "%snginx.pid", n->prefix);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return 0;
    }
    bool ok = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    long pid = ok ? strtol(line, NULL, 10) : 0;
    return pid > 1 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* The pid file may be of a process long gone whose number another has now: only a master started
 * with our very prefix is ours. */
static bool is_our_master(const struct node_nginx *n, pid_t pid)
{
    char path[64], line[1200];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    size_t got = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    for (size_t i = 0; i < got; i++) { /* a title set by nginx is one string with spaces in it */
        line[i] = line[i] == '\0' ? ' ' : line[i];
    }
    line[got] = '\0';
    return strstr(line, "master process") != NULL && strstr(line, n->prefix) != NULL;
}

/* True for a worker in the process group that the master with this number led. */
static bool is_orphan(const char *number, pid_t master)
{
    char path[64], text[512];
    int group = 0;
    snprintf(path, sizeof path, "/proc/%.20s/stat", number);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    bool ok = fgets(text, sizeof text, f) != NULL;
    fclose(f);
    const char *rest = ok ? strrchr(text, ')') : NULL; /* the name before it may hold anything */
    return rest != NULL && sscanf(rest, ") %*c %*d %d", &group) == 1 && group == master &&
           strstr(text, "(nginx)") != NULL;
}

/* Workers outlive a master that is killed and keep its port. They finish their calls and go. */
static void dismiss_orphans(pid_t master)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 1 && pid != master && is_orphan(entry->d_name, master)) {
            kill((pid_t)pid, SIGQUIT);
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
}

static bool watch(struct node_nginx *n, pid_t pid, bool child)
{
    n->pidfd = open_pidfd(pid);
    if (n->pidfd < 0) {
        return false;
    }
    n->pid = pid;
    n->child = child;
    n->started_ms = clock_mono_us() / 1000;
    return true;
}

static bool launch(struct node_nginx *n)
{
    if (!port_free(n->cfg)) {
        if (!n->told) {
            fprintf(stderr,
                    "sluice: gateway: port %u on %s is taken by another program; choose another "
                    "with --gateway-port or gateway.port\n",
                    n->cfg->port, n->cfg->listen_host);
        }
        n->told = true;
        return false;
    }
    n->told = false;
    pid_t pid = spawn(n, false);
    return pid != 0 && watch(n, pid, true);
}

static bool make_dirs(struct node_nginx *n, const struct node_config *cfg)
{
    int len = snprintf(n->prefix, sizeof n->prefix, "%s/gateway/nginx/", cfg->data_dir);
    if (len < 0 || (size_t)len >= sizeof n->prefix) {
        fprintf(stderr, "sluice: gateway: the path of the data directory is too long\n");
        return false;
    }
    if (mkdir(n->prefix, 0750) != 0 && errno != EEXIST) {
        fprintf(stderr, "sluice: gateway: cannot make %s: %s\n", n->prefix, strerror(errno));
        return false;
    }
    return true;
}

bool node_nginx_start(struct node_nginx *n, const struct node_config *cfg)
{
    bool changed;
    *n = (struct node_nginx){.cfg = cfg, .pidfd = -1, .backoff_ms = BACKOFF_MIN_MS};
    if (!make_dirs(n, cfg) || !write_conf(n, &changed) || !check_conf(n)) {
        return false;
    }
    pid_t pid = last_master(n);
    bool runs = pid != 0 && is_our_master(n, pid) && watch(n, pid, false);
    if (!runs && pid != 0) {
        dismiss_orphans(pid);
        for (int i = 0; i < 20 && !port_free(n->cfg); i++) {
            usleep(50000);
        }
    }
    if (!runs) {
        return launch(n);
    }
    fprintf(stderr, "sluice: gateway: nginx runs already (process %d): taking it over\n", (int)pid);
    if (changed) {
        kill(pid, SIGHUP);
    }
    return true;
}

static void forget(struct node_nginx *n)
{
    dismiss_orphans(n->pid);
    if (n->child) {
        while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    if (n->pidfd >= 0) {
        close(n->pidfd);
    }
    n->pidfd = -1;
    n->pid = 0;
}

void node_nginx_tick(struct node_nginx *n)
{
    uint64_t now_ms = clock_mono_us() / 1000;
    if (n->pid != 0 && !ended_within(n->pidfd, 0)) {
        return;
    }
    if (n->pid != 0) {
        bool steady = now_ms - n->started_ms > STEADY_MS;
        forget(n);
        n->backoff_ms = steady ? BACKOFF_MIN_MS : n->backoff_ms;
        n->retry_at_ms = now_ms + n->backoff_ms;
        fprintf(stderr, "sluice: gateway: nginx ended; starting it again in %u ms\n",
                n->backoff_ms);
    }
    if (now_ms < n->retry_at_ms) {
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
    for (size_t i = 0; n->pid != 0 && i < sizeof steps / sizeof *steps; i++) {
        kill(n->pid, steps[i].signal);
        if (ended_within(n->pidfd, steps[i].wait_ms)) {
            forget(n);
        }
    }
}
