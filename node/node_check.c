/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "node/nginx_child.h"
#include "node/nginx_conf.h"
#include "node/nginx_proc.h"
#include "node/upstream_ca.h"

#define SAID_MAX 8192

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static bool write_text(const char *prefix, const struct buf *text)
{
    char path[64];
    snprintf(path, sizeof path, "%snginx.conf", prefix);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, text->p, text->n) == (ssize_t)text->n;
    return (fd < 0 || close(fd) == 0) && ok;
}

/* Which setting nginx means, by the words it uses; the first row that fits. */
static const struct {
    const char *said, *setting;
} means[] = {
    {"bind() to", "gateway.port"},
    {"cannot load certificate key", "gateway.certificate_key"},
    {"SSL_CTX_use_PrivateKey", "gateway.certificate_key"},
    {"cannot load certificate", "gateway.certificate"},
    {"SSL_CTX_use_certificate", "gateway.certificate"},
};

/* nginx's first sentence of weight, without the place in a file nobody wrote. */
static void explain(char *said, const char *prefix, struct node_fault *fault)
{
    char *at = strstr(said, "[emerg] ");
    at = at == NULL ? said : at + strlen("[emerg] ");
    at += strspn(at, "0123456789#"); /* which process said it */
    at += strspn(at, ": ");
    at[strcspn(at, "\n")] = '\0';
    char *place = strstr(at, prefix);
    if (place != NULL && place - at > 4 && strncmp(place - 4, " in ", 4) == 0) {
        place[-4] = '\0';
    }
    snprintf(fault->text, sizeof fault->text, "nginx says: %.480s", at[0] == '\0' ? "nothing" : at);
    for (size_t i = 0; i < sizeof means / sizeof *means && fault->setting == NULL; i++) {
        fault->setting = strstr(at, means[i].said) != NULL ? means[i].setting : NULL;
    }
}

/* What it says beyond SAID_MAX is read and dropped: a full pipe would stop it. */
static void read_all(int fd, char said[SAID_MAX])
{
    char rest[512];
    size_t n = 0;
    for (;;) {
        bool room = n < SAID_MAX - 1;
        ssize_t got = room ? read(fd, said + n, SAID_MAX - 1 - n) : read(fd, rest, sizeof rest);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        n += room ? (size_t)got : 0;
    }
    said[n] = '\0';
}

static bool ask_nginx(const struct node_config *cfg, const char *prefix, struct node_fault *fault)
{
    char said[SAID_MAX];
    int pipe_fds[2], status = 0;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        snprintf(fault->text, sizeof fault->text, "pipe: %s", strerror(errno));
        return false;
    }
    const char *program = node_nginx_program(cfg);
    pid_t pid = node_nginx_spawn(program, prefix, "nginx.conf", true, pipe_fds[1]);
    int why = errno;
    close(pipe_fds[1]);
    read_all(pipe_fds[0], said);
    close(pipe_fds[0]);
    if (pid == 0) {
        snprintf(fault->text, sizeof fault->text, "cannot run %s: %s", program, strerror(why));
        return false;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    explain(said, prefix, fault);
    return false;
}

bool node_check(const struct node_config *cfg, struct node_fault *fault)
{
    char dir[] = "/tmp/sluice-check-XXXXXX", prefix[sizeof dir + 1];
    struct buf text;
    *fault = (struct node_fault){0};
    buf_init(&text);
    if (mkdtemp(dir) == NULL) {
        snprintf(fault->text, sizeof fault->text, "scratch folder in /tmp: %s", strerror(errno));
        return false;
    }
    snprintf(prefix, sizeof prefix, "%s/", dir);
    /* nginx listens even to try it out: on sockets here, for the node's folder may not be yet. */
    bool ok = node_nginx_conf(cfg, dir, &text, fault), fresh;
    if (ok && !write_text(prefix, &text)) {
        snprintf(fault->text, sizeof fault->text, "%snginx.conf: %s", prefix, strerror(errno));
        ok = false;
    }
    ok = ok && node_upstream_ca(cfg, prefix, &fresh, fault) && ask_nginx(cfg, prefix, fault);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    buf_fini(&text);
    return ok;
}
