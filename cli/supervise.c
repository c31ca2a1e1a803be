/* SPDX-License-Identifier: Apache-2.0 */
#include "supervise.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define STEADY_MS      10000 /* having run so long, the next end starts the back-off anew */
#define EARLY_ENDS     5     /* ends before the platform was ever ready: it will not get so */
#define STOP_MS        12000

struct role {
    const char *name;
    pid_t pid; /* 0: not running */
    uint64_t started_ms, retry_at_ms;
    unsigned backoff_ms, early_ends;
};

struct supervisor {
    const struct settings *settings;
    int argc;
    char **argv;
    struct role roles[3]; /* in the order of their start */
    int signals;
    bool ready;
};

enum { ROLES = 3 };

static uint64_t now_ms(void)
{
    return clock_mono_us() / 1000;
}

static void become(const struct supervisor *v, const struct role *role, pid_t parent)
{
    sigset_t none;
    char program[] = "sluice", *argv[64] = {program, (char *)(uintptr_t)role->name};
    int n = 2;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* a terminal's Ctrl-C is ours, to stop the roles in order */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(1);
    }
    if (strcmp(role->name, "control") != 0) {
        unsetenv("SLUICE_ADMIN_PASSWORD");
    }
    for (int i = 1; i < v->argc && n < 63; i++) {
        argv[n++] = v->argv[i];
    }
    argv[n] = NULL;
    execv("/proc/self/exe", argv);
    fprintf(stderr, "sluice: cannot start %s: %s\n", role->name, strerror(errno));
    _exit(127);
}

static void start_role(struct supervisor *v, struct role *role)
{
    pid_t parent = getpid(), pid = fork();
    role->started_ms = now_ms();
    if (pid == 0) {
        become(v, role, parent);
    }
    if (pid < 0) {
        fprintf(stderr, "sluice: cannot start %s: %s\n", role->name, strerror(errno));
        role->retry_at_ms = now_ms() + BACKOFF_MAX_MS;
        return;
    }
    role->pid = pid;
}

static void describe(int status, char out[64])
{
    if (WIFSIGNALED(status)) {
        snprintf(out, 64, "was killed by signal %d", WTERMSIG(status));
    } else {
        snprintf(out, 64, "ended with code %d", WEXITSTATUS(status));
    }
}

static void role_ended(struct supervisor *v, struct role *role, int status)
{
    char how[64];
    uint64_t now = now_ms();
    bool steady = now - role->started_ms > STEADY_MS;
    role->pid = 0;
    role->backoff_ms = steady || role->backoff_ms == 0 ? BACKOFF_MIN_MS : role->backoff_ms * 2;
    role->backoff_ms = role->backoff_ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : role->backoff_ms;
    role->retry_at_ms = now + role->backoff_ms;
    role->early_ends += !v->ready;
    describe(status, how);
    fprintf(stderr, "sluice: %s %s; starting it again in %u ms\n", role->name, how,
            role->backoff_ms);
}

/* nginx of a killed agent becomes our child too (see supervise) and ends here when it ends. */
static void reap(struct supervisor *v)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < ROLES; i++) {
            if (v->roles[i].pid == pid) {
                role_ended(v, &v->roles[i], status);
            }
        }
    }
}

static bool answers(const struct sockaddr *addr, socklen_t len)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, addr, len) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

static bool tcp_answers(const char *host, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        return answers((struct sockaddr *)&v4, sizeof v4);
    }
    return inet_pton(AF_INET6, host, &v6.sin6_addr) == 1 &&
           answers((struct sockaddr *)&v6, sizeof v6);
}

static bool all_answer(const struct settings *s)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, s->data_socket, strlen(s->data_socket));
    return tcp_answers(s->control.listen, s->control.port) &&
           answers((struct sockaddr *)&un, sizeof un) &&
           tcp_answers(s->gateway.listen, s->gateway.port);
}

static void tell(const struct settings *s)
{
    printf("sluice: ready: control plane https://%s:%u\n", s->control.listen, s->control.port);
    printf("sluice: ready: data service %s\n", s->data_socket);
    printf("sluice: ready: gateway %s://%s:%u\n", s->tls ? "https" : "http", s->gateway.listen,
           s->gateway.port);
    printf("sluice: the inner CA's certificate is %s/pki/ca.crt\n", s->data_dir);
    fflush(stdout);
}

static const struct role *hopeless(const struct supervisor *v)
{
    for (int i = 0; i < ROLES; i++) {
        if (v->roles[i].early_ends >= EARLY_ENDS) {
            return &v->roles[i];
        }
    }
    return NULL;
}

/* The gateway's settings and program can be changed under way. */
static void pass_on(const struct supervisor *v, int signal)
{
    for (int i = 0; i < ROLES; i++) {
        if (strcmp(v->roles[i].name, "gateway") == 0 && v->roles[i].pid != 0) {
            kill(v->roles[i].pid, signal);
        }
    }
}

/* True: asked to stop. */
static bool turn(struct supervisor *v)
{
    struct pollfd p = {.fd = v->signals, .events = POLLIN};
    struct signalfd_siginfo info = {0};
    bool waiting = !v->ready;
    for (int i = 0; i < ROLES; i++) {
        waiting |= v->roles[i].pid == 0;
    }
    if (poll(&p, 1, waiting ? 50 : -1) > 0 && read(v->signals, &info, sizeof info) != sizeof info) {
        info.ssi_signo = 0;
    }
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
        return true;
    }
    if (info.ssi_signo == SIGHUP || info.ssi_signo == SIGUSR2) {
        pass_on(v, (int)info.ssi_signo);
    }
    reap(v);
    for (int i = 0; i < ROLES; i++) {
        if (v->roles[i].pid == 0 && now_ms() >= v->roles[i].retry_at_ms) {
            start_role(v, &v->roles[i]);
        }
    }
    if (!v->ready && all_answer(v->settings)) {
        v->ready = true;
        tell(v->settings);
    }
    return false;
}

static bool gone_within(pid_t pid, unsigned limit_ms)
{
    for (uint64_t end = now_ms() + limit_ms; now_ms() < end; usleep(10000)) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            return true;
        }
    }
    return false;
}

static void stop_all(struct supervisor *v)
{
    for (int i = ROLES; i-- > 0;) {
        pid_t pid = v->roles[i].pid;
        if (pid == 0) {
            continue;
        }
        kill(pid, SIGTERM);
        if (!gone_within(pid, STOP_MS)) {
            fprintf(stderr, "sluice: %s does not stop; killing it\n", v->roles[i].name);
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
    }
}

int supervise(const struct settings *s, int argc, char **argv)
{
    struct supervisor v = {.settings = s,
                           .argc = argc,
                           .argv = argv,
                           .roles = {{.name = "control"}, {.name = "data"}, {.name = "gateway"}}};
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGHUP);
    sigaddset(&wanted, SIGUSR2);
    sigaddset(&wanted, SIGCHLD);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    v.signals = signalfd(-1, &wanted, SFD_CLOEXEC);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (v.signals < 0) {
        fprintf(stderr, "sluice: signalfd: %s\n", strerror(errno));
        return 1;
    }
    const struct role *bad = NULL;
    while (bad == NULL && !turn(&v)) {
        bad = hopeless(&v);
    }
    if (bad != NULL) {
        fprintf(stderr,
                "sluice: %s ended %d times before the platform was ready; giving up, its reason is "
                "above\n",
                bad->name, EARLY_ENDS);
    }
    stop_all(&v);
    return bad == NULL ? 0 : 1;
}
