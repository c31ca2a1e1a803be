/* SPDX-License-Identifier: Apache-2.0 */
#include "node/nginx_proc.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

pid_t node_nginx_spawn(const char *program, const char *prefix, const char *conf, bool test,
                       int stderr_fd)
{
    /* posix_spawn takes char *const * for history's sake and changes nothing. */
    const char *argv[] = {program, "-p", prefix, "-c", conf, test ? "-t" : NULL, test ? "-q" : NULL,
                          NULL};
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t files;
    sigset_t none, all;
    pid_t pid = 0;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    if (posix_spawnattr_init(&attr) != 0) {
        return 0;
    }
    /* Our blocked signals would be its blocked signals; its own group keeps a terminal's Ctrl-C
     * ours to pass on, so that nginx stops gracefully. */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setpgroup(&attr, 0);
    int rc = posix_spawn_file_actions_init(&files);
    if (rc == 0) {
        rc = stderr_fd >= 0 ? posix_spawn_file_actions_adddup2(&files, stderr_fd, 2) : 0;
        rc = rc == 0 ? posix_spawn(&pid, program, &files, &attr, (char *const *)(uintptr_t)argv,
                                   environ)
                     : rc;
        posix_spawn_file_actions_destroy(&files);
    }
    posix_spawnattr_destroy(&attr);
    errno = rc;
    return rc == 0 ? pid : 0;
}

/* Reads /proc/PID/NAME as text. False: the process is gone. */
static bool read_proc(pid_t pid, const char *name, char *out, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    size_t got = fread(out, 1, room - 1, f);
    fclose(f);
    for (size_t i = 0; i < got; i++) { /* a title set by nginx is one string with spaces in it */
        out[i] = out[i] == '\0' ? ' ' : out[i];
    }
    out[got] = '\0';
    return got > 0;
}

/* The pid file may be of a process long gone whose number another has now: only a master started
 * with our very prefix is ours. */
pid_t node_nginx_master(const char *prefix, const char *pid_file)
{
    char path[600], line[1200] = "", named[600];
    snprintf(path, sizeof path, "%s%s", prefix, pid_file);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return 0;
    }
    bool ok = fgets(line, 32, f) != NULL;
    fclose(f);
    long pid = ok ? strtol(line, NULL, 10) : 0;
    if (pid <= 1 || pid > INT32_MAX || !read_proc((pid_t)pid, "cmdline", line, sizeof line)) {
        return 0;
    }
    snprintf(named, sizeof named, " %s ", prefix);
    return strstr(line, "master process") != NULL && strstr(line, named) != NULL ? (pid_t)pid : 0;
}

/* The parent of an nginx; 0: no nginx, or gone. */
static pid_t parent_of(pid_t pid)
{
    char text[512];
    int parent = 0;
    if (!read_proc(pid, "stat", text, sizeof text) || strstr(text, "(nginx)") == NULL) {
        return 0;
    }
    const char *rest = strrchr(text, ')');
    return sscanf(rest, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* Calls visit for each process of the name nginx that has a parent. */
static void each_nginx(void (*visit)(void *ctx, pid_t pid, pid_t parent), void *ctx)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);
        pid_t parent = pid > 1 ? parent_of((pid_t)pid) : 0;
        if (parent != 0) {
            visit(ctx, (pid_t)pid, parent);
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
}

struct count {
    pid_t master;
    struct node_workers *out;
};

static void count_worker(void *ctx, pid_t pid, pid_t parent)
{
    struct count *c = ctx;
    char title[256];
    if (parent != c->master || !read_proc(pid, "cmdline", title, sizeof title) ||
        strstr(title, "worker process") == NULL) {
        return;
    }
    if (strstr(title, "shutting down") != NULL) {
        c->out->leaving++;
    } else if (c->out->n < NODE_WORKERS_MAX) {
        c->out->pid[c->out->n++] = pid;
    }
}

void node_nginx_workers(pid_t master, struct node_workers *out)
{
    struct count c = {.master = master, .out = out};
    out->n = out->leaving = 0;
    each_nginx(count_worker, &c);
}

static bool has_mapped(pid_t pid, const char *file)
{
    char path[64], *line = NULL;
    size_t room = 0;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *f = fopen(path, "re");
    while (f != NULL && !found && getline(&line, &room, f) > 0) {
        const char *at = strchr(line, '/');
        size_t n = at == NULL ? 0 : strcspn(at, "\n");
        found = n > 0 && n == strlen(file) && memcmp(at, file, n) == 0;
    }
    free(line);
    if (f != NULL) {
        fclose(f);
    }
    return found;
}

static bool has_open(pid_t pid, const char *file)
{
    char path[64], target[600];
    const struct dirent *entry;
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path);
    while (fds != NULL && !found && (entry = readdir(fds)) != NULL) {
        ssize_t n = readlinkat(dirfd(fds), entry->d_name, target, sizeof target - 1);
        target[n < 0 ? 0 : n] = '\0';
        found = strcmp(target, file) == 0;
    }
    if (fds != NULL) {
        closedir(fds);
    }
    return found;
}

/* Minds or loads the cache of the nginx with this error log: it has no call and no table open. */
static bool is_cache_process(pid_t pid, const char *error_log)
{
    char title[256];
    return read_proc(pid, "cmdline", title, sizeof title) && strstr(title, "cache ") != NULL &&
           has_open(pid, error_log);
}

struct orphans {
    const char *replay_file;
    char error_log[600];
    pid_t master;
};

static void dismiss(void *ctx, pid_t pid, pid_t parent)
{
    const struct orphans *o = ctx;
    if (pid != o->master && parent != o->master &&
        (has_mapped(pid, o->replay_file) || is_cache_process(pid, o->error_log))) {
        kill(pid, SIGQUIT);
    }
}

void node_nginx_dismiss_orphans(const char *prefix, const char *replay_file, pid_t master)
{
    struct orphans o = {.replay_file = replay_file, .master = master};
    snprintf(o.error_log, sizeof o.error_log, "%serror.log", prefix);
    each_nginx(dismiss, &o);
}
