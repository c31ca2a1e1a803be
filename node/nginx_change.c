/* SPDX-License-Identifier: Apache-2.0 */
/* Reload and upgrade: nginx's own signals, each step waited for and each failure undone. What a
 * change cannot cost is a call, so the old workers go only when the new ones stand. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "node/nginx_child.h"

#define RELOAD_MS 10000 /* until all workers are new ones */
#define START_MS  15000 /* until a new master's workers stand */
#define FORK_MS   2000  /* until the old master has stepped aside for a new one, if that lives */
#define STANDS_MS 1000  /* workers that have lived so long do not die of their start */
#define DRAIN_MS  10000 /* then the old master is let go though calls are under way */

static uint64_t now_ms(void)
{
    return clock_mono_us() / 1000;
}

bool node_nginx_may_change(struct node_nginx *n)
{
    if (n->pid == 0 || n->state != NGINX_STEADY) {
        return false;
    }
    node_nginx_workers(n->pid, &n->workers);
    pid_t old = node_nginx_master(n->prefix, "nginx.pid.oldbin");
    return (n->workers.leaving == 0 && old == 0) || now_ms() >= n->until_ms;
}

/* Back to the nginx.conf before. */
void node_nginx_change_back(struct node_nginx *n)
{
    char path[600], last[600];
    snprintf(path, sizeof path, "%snginx.conf", n->prefix);
    snprintf(last, sizeof last, "%snginx.conf.last", n->prefix);
    if (rename(last, path) != 0) {
        fprintf(stderr, "sluice: gateway: %s cannot be put back\n", path);
    }
}

static void steady(struct node_nginx *n)
{
    n->state = NGINX_STEADY;
    n->fresh = 0;
    if (n->reload_after) {
        kill(n->pid, SIGHUP);
        n->reload_after = false;
    }
}

static void failed(struct node_nginx *n, const char *what)
{
    fprintf(stderr, "sluice: gateway: %s; nginx goes on as before (its reason is in %serror.log)\n",
            what, n->prefix);
    if (!n->reload_after) {
        node_nginx_change_back(n);
    }
    steady(n);
}

static void done(struct node_nginx *n, const char *what)
{
    fprintf(stderr, "sluice: gateway: %s\n", what);
    memcpy(n->listen_host, n->next_host, sizeof n->listen_host);
    n->port = n->next_port;
    steady(n);
    n->until_ms = now_ms() + DRAIN_MS;
}

void node_nginx_change(struct node_nginx *n, const struct node_config *cfg, bool upgrade)
{
    bool changed;
    bool moves = cfg->port != n->port || strcmp(cfg->listen_host, n->listen_host) != 0;
    if (moves && !node_nginx_port_free(cfg->listen_host, cfg->port)) {
        fprintf(stderr, "sluice: gateway: port %u on %s is taken; the settings stay as they were\n",
                cfg->port, cfg->listen_host);
        return;
    }
    if (!node_nginx_write_conf(n, cfg, &changed)) {
        return;
    }
    snprintf(n->next_host, sizeof n->next_host, "%s", cfg->listen_host);
    n->next_port = cfg->port;
    node_nginx_workers(n->pid, &n->before);
    n->stands_since_ms = 0;
    n->fresh = 0;
    n->state = upgrade ? NGINX_STARTING : NGINX_RELOADING;
    n->until_ms = now_ms() + (upgrade ? START_MS : RELOAD_MS);
    kill(n->pid, upgrade ? SIGUSR2 : SIGHUP);
}

void node_nginx_change_resume(struct node_nginx *n, bool conf_changed)
{
    memcpy(n->next_host, n->listen_host, sizeof n->next_host);
    n->next_port = n->port;
    n->reload_after = conf_changed;
    n->state = NGINX_STARTING;
    n->until_ms = now_ms() + START_MS;
}

static bool among(const struct node_workers *w, pid_t pid)
{
    for (size_t i = 0; i < w->n; i++) {
        if (w->pid[i] == pid) {
            return true;
        }
    }
    return false;
}

static void reloading(struct node_nginx *n)
{
    node_nginx_workers(n->pid, &n->workers);
    bool renewed = n->workers.n > 0;
    for (size_t i = 0; i < n->workers.n; i++) {
        renewed = renewed && !among(&n->before, n->workers.pid[i]);
    }
    if (renewed) {
        done(n, "nginx has taken the settings");
    } else if (now_ms() >= n->until_ms) {
        failed(n, "nginx has not taken the settings");
    }
}

/* A master alive, with the same workers for STANDS_MS: they loaded the module and did not die. */
static bool fresh_stands(struct node_nginx *n)
{
    node_nginx_workers(n->fresh, &n->workers);
    bool same = n->workers.n > 0 && n->workers.n == n->before.n &&
                memcmp(n->workers.pid, n->before.pid, n->workers.n * sizeof(pid_t)) == 0;
    n->before = n->workers;
    n->stands_since_ms = !same ? 0 : n->stands_since_ms == 0 ? now_ms() : n->stands_since_ms;
    return same && now_ms() - n->stands_since_ms >= STANDS_MS;
}

/* The new master has ended: the old one goes by its own name again. */
static bool fresh_lost(const struct node_nginx *n, pid_t named)
{
    bool forked = now_ms() + START_MS >= n->until_ms + FORK_MS;
    return (n->fresh != 0 || forked) && named == n->pid;
}

static void starting(struct node_nginx *n)
{
    pid_t named = node_nginx_master(n->prefix, "nginx.pid");
    bool lost = fresh_lost(n, named) || (n->fresh != 0 && kill(n->fresh, 0) != 0);
    if (named != 0 && named != n->pid) {
        n->fresh = named;
    }
    if (lost || now_ms() >= n->until_ms) {
        if (n->fresh != 0) {
            kill(n->fresh, SIGTERM);
        }
        failed(n, n->fresh != 0 ? "the new nginx does not stand" : "no new nginx came up");
    } else if (n->fresh != 0 && fresh_stands(n)) {
        kill(n->pid, SIGWINCH); /* the old master keeps its place, without workers */
        n->state = NGINX_DRAINING;
        n->until_ms = now_ms() + DRAIN_MS;
    }
}

static void draining(struct node_nginx *n)
{
    pid_t old = n->pid;
    if (kill(n->fresh, 0) != 0 || node_nginx_master(n->prefix, "nginx.pid") != n->fresh) {
        kill(old, SIGHUP); /* it takes its listeners up again */
        failed(n, "the new nginx has ended");
        return;
    }
    node_nginx_workers(old, &n->workers);
    bool empty = n->workers.n == 0 && n->workers.leaving == 0;
    if ((empty || now_ms() >= n->until_ms) && node_nginx_watch(n, n->fresh)) {
        kill(old, SIGQUIT);
        done(n, "nginx's new program and module serve");
    }
}

void node_nginx_change_tick(struct node_nginx *n)
{
    static void (*const steps[])(struct node_nginx *) = {
        [NGINX_RELOADING] = reloading, [NGINX_STARTING] = starting, [NGINX_DRAINING] = draining};
    if (n->state != NGINX_STEADY) {
        steps[n->state](n);
    }
}
