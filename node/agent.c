/* SPDX-License-Identifier: Apache-2.0 */
/* The agent beside the workers: keeps the replica, seals the audit log, minds nginx. It is never on
 * the way of a call, so it may be killed and started again while calls go on. */
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "crypto/keystore.h"
#include "node/cache_dir.h"
#include "node/health.h"
#include "node/keys.h"
#include "node/nginx_child.h"
#include "node/report.h"
#include "node/upstream_ca.h"
#include "replica/replica.h"

#define TICK_MS       1000
#define READERS_TICKS 10
#define CHANGE_MS     50 /* while nginx starts or changes */
#define PATH_ROOM     600

struct agent {
    const struct node_config *cfg;
    char replica_dir[PATH_ROOM], audit_dir[PATH_ROOM], state_dir[PATH_ROOM];
    char ca[PATH_ROOM], certificate[PATH_ROOM], key[PATH_ROOM], upstream_ca[PATH_ROOM];
    struct replica *replica;
    struct node_feed *feed;
    struct node_report *report;
    struct node_health *health;
    struct crypto_sm2 *audit_key;
    struct audit_sealer *sealer;
    struct node_nginx nginx;
    const struct node_settings *again;
    bool reload, upgrade; /* asked for; several askings are one */
    int signals;
    bool seal_failing;
    unsigned ticks;
};

static bool path_of(char out[PATH_ROOM], const struct node_config *cfg, const char *rest)
{
    int n = snprintf(out, PATH_ROOM, "%s/%s", cfg->data_dir, rest);
    return n > 0 && n < PATH_ROOM;
}

static bool complain(const char *what, const char *why)
{
    fprintf(stderr, "sluice: gateway: %s: %s\n", what, why);
    return false;
}

static bool make_dir(const struct node_config *cfg, const char *rest)
{
    char path[PATH_ROOM];
    if (!path_of(path, cfg, rest)) {
        return complain(rest, "the path of the data directory is too long");
    }
    return mkdir(path, 0750) == 0 || errno == EEXIST || complain(path, strerror(errno));
}

static bool open_audit_key(struct agent *a)
{
    char private_path[PATH_ROOM], public_path[PATH_ROOM];
    if (!path_of(private_path, a->cfg, "keys/audit.key") ||
        !path_of(public_path, a->cfg, "keys/audit.pub")) {
        return false;
    }
    enum crypto_err err = CRYPTO_OK;
    if (access(private_path, F_OK) != 0 && errno == ENOENT) {
        struct crypto_sm2 *fresh = crypto_sm2_new();
        err = crypto_sm2_save(fresh, private_path, public_path);
        crypto_sm2_free(&fresh);
    }
    if (err == CRYPTO_OK) {
        err = crypto_sm2_load(&a->audit_key, private_path);
    }
    if (err == CRYPTO_OK) {
        err = crypto_keystore_seal_file(private_path);
    }
    return err == CRYPTO_OK || complain(private_path, crypto_strerror(err));
}

static bool open_sealer(struct agent *a)
{
    struct audit_config cfg = {.dir = a->audit_dir, .node = a->cfg->node};
    enum audit_err err = audit_sealer_open(&a->sealer, &cfg, a->audit_key);
    return err == AUDIT_OK || complain(a->audit_dir, audit_strerror(err));
}

/* A replica that cannot be read holds nothing the control plane has not: it is set aside and made
 * anew. Workers of a running nginx hold the old file open, and are told apart by its name. */
static enum replica_err open_anew(struct agent *a)
{
    char from[PATH_ROOM + 16], to[PATH_ROOM + 32];
    snprintf(from, sizeof from, "%s/data.mdb", a->replica_dir);
    snprintf(to, sizeof to, "%s.broken", from);
    fprintf(stderr, "sluice: gateway: the replica cannot be read; kept as %s, starting over\n", to);
    if (rename(from, to) != 0) {
        return REPLICA_EIO;
    }
    return replica_open_writer(&a->replica, a->replica_dir, 0);
}

static bool open_replica(struct agent *a)
{
    enum replica_err err = replica_open_writer(&a->replica, a->replica_dir, 0);
    if (err == REPLICA_EFORMAT) {
        err = open_anew(a);
    }
    return err == REPLICA_OK || complain(a->replica_dir, replica_strerror(err));
}

/* A restriction the node cannot read may not be in force: somebody has to hear of it. */
static void tell_unreadable(void *ctx, const char *kind, const char *id, const char *fate)
{
    const struct agent *a = ctx;
    char dir[PATH_ROOM], event_id[UUID_TEXT_LEN + 1], reason[256];
    struct uuid fresh;
    uuid_new(&fresh);
    uuid_format(&fresh, event_id);
    snprintf(reason, sizeof reason, "%.20s %.40s: %s", kind ? kind : "?", id ? id : "?", fate);
    json_t *event =
        json_pack("{s:s, s:I, s:s, s:s}", "id", event_id, "at", (json_int_t)clock_wall_ms(), "kind",
                  "policy-unreadable", "reason", reason);
    if (!event || !path_of(dir, a->cfg, "gateway/state/events") || !spool_add(dir, event)) {
        complain("event", "an unreadable entry of the feed could not be reported");
    }
    json_decref(event);
}

static bool start_feed(struct agent *a)
{
    struct node_feed_config cfg = {
        .control = a->cfg->control,
        .ca = a->ca,
        .certificate = a->certificate,
        .key = a->key,
        .kinds =
            "api,app,credential,subscription,grant,limit,list,trust,algorithm,schema,conversion,"
            "token-key,token-revocation,user-apis,account,sdk-release",
        .replica = a->replica,
        .unreadable = tell_unreadable,
        .ctx = a,
    };
    if (!path_of(a->ca, a->cfg, "pki/ca.crt") ||
        !path_of(a->certificate, a->cfg, "pki/gateway.crt") ||
        !path_of(a->key, a->cfg, "pki/gateway.key")) {
        return complain("pki", "the path of the data directory is too long");
    }
    a->feed = node_feed_start(&cfg);
    return a->feed != NULL || complain("feed", "cannot be started");
}

static bool start_report(struct agent *a)
{
    struct node_report_config cfg = {.control = a->cfg->control,
                                     .ca = a->ca,
                                     .certificate = a->certificate,
                                     .key = a->key,
                                     .node = a->cfg->node,
                                     .state_dir = a->state_dir,
                                     .audit_dir = a->audit_dir,
                                     .replica = a->replica};
    a->report = node_report_start(&cfg);
    return a->report != NULL || complain("report", "cannot be started");
}

static bool start_health(struct agent *a)
{
    struct node_health_config cfg = {.state_dir = a->state_dir,
                                     .ca = a->upstream_ca,
                                     .certificate = a->certificate,
                                     .key = a->key,
                                     .replica = a->replica};
    bool named = path_of(a->upstream_ca, a->cfg, "gateway/nginx/" NODE_UPSTREAM_CA);
    a->health = named ? node_health_start(&cfg) : NULL;
    if (a->health == NULL) { /* calls go on without: their own failures tell too */
        complain("health", "targets are not asked: gateway/state/targets cannot be opened");
    }
    return true;
}

static bool start(struct agent *a)
{
    if (!path_of(a->replica_dir, a->cfg, "gateway/replica") ||
        !path_of(a->state_dir, a->cfg, "gateway/state") ||
        !path_of(a->audit_dir, a->cfg, "gateway/audit")) {
        return complain(a->cfg->data_dir, "this path is too long");
    }
    return make_dir(a->cfg, "gateway") && make_dir(a->cfg, "gateway/audit") &&
           make_dir(a->cfg, "gateway/state") && make_dir(a->cfg, "gateway/state/events") &&
           make_dir(a->cfg, "keys") && node_keys_ensure(a->cfg->data_dir) && open_audit_key(a) &&
           open_sealer(a) && open_replica(a) && start_feed(a) && start_report(a) &&
           node_nginx_start(&a->nginx, a->cfg) && start_health(a);
}

/* What the feed, the sealer and the files of this process hang on stays as it was at its start. */
static bool same_node(const struct node_config *was, const struct node_config *now)
{
    const struct {
        const char *setting, *was, *now;
    } fixed[] = {{"data_dir", was->data_dir, now->data_dir},
                 {"gateway.node", was->node, now->node},
                 {"gateway.control", was->control, now->control}};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        if (strcmp(fixed[i].was, fixed[i].now) != 0) {
            return complain(fixed[i].setting, "changes with a restart alone; nothing was changed");
        }
    }
    return true;
}

/* A change waits for the one before it: each has workers of its own until their calls are done. */
static void change(struct agent *a)
{
    struct node_config fresh;
    if ((!a->reload && !a->upgrade) || !node_nginx_may_change(&a->nginx)) {
        return;
    }
    bool upgrade = a->upgrade;
    a->reload = a->upgrade = false;
    if (!a->again->read(a->again->ctx, &fresh) || !same_node(a->cfg, &fresh)) {
        fprintf(stderr, "sluice: gateway: nginx goes on with what it has\n");
        return;
    }
    node_nginx_change(&a->nginx, &fresh, upgrade);
}

static void tick(struct agent *a)
{
    enum audit_err err = audit_sealer_tick(a->sealer, clock_wall_ms());
    if (err != AUDIT_OK && !a->seal_failing) {
        complain("sealing the audit log", audit_strerror(err));
    }
    a->seal_failing = err != AUDIT_OK;
    if (++a->ticks % READERS_TICKS == 0) {
        replica_check_readers(a->replica);
    }
}

/* False: asked to stop. */
static bool take_signals(struct agent *a)
{
    struct signalfd_siginfo info;
    while (read(a->signals, &info, sizeof info) == sizeof info) {
        a->reload |= info.ssi_signo == SIGHUP;
        a->upgrade |= info.ssi_signo == SIGUSR2;
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
            return false;
        }
    }
    return true;
}

static int pause_ms(const struct agent *a, uint64_t left_ms)
{
    bool busy = a->nginx.pid == 0 || a->nginx.state != NGINX_STEADY || a->reload || a->upgrade;
    return busy && left_ms > CHANGE_MS ? CHANGE_MS : (int)left_ms;
}

static void run(struct agent *a)
{
    uint64_t next_ms = clock_mono_us() / 1000;
    for (;;) {
        uint64_t now_ms = clock_mono_us() / 1000;
        if (now_ms >= next_ms) {
            tick(a);
            next_ms = now_ms + TICK_MS;
        }
        node_nginx_tick(&a->nginx);
        change(a);
        struct pollfd fds[] = {{.fd = a->signals, .events = POLLIN},
                               {.fd = a->nginx.pidfd, .events = POLLIN}};
        if (poll(fds, a->nginx.pid == 0 ? 1 : 2, pause_ms(a, next_ms - now_ms)) > 0 &&
            (fds[0].revents & POLLIN) && !take_signals(a)) {
            return;
        }
    }
}

static void stop(struct agent *a)
{
    node_nginx_stop(&a->nginx);
    node_cache_remove(a->cfg->data_dir);
    node_feed_stop(&a->feed);
    node_health_stop(&a->health);
    node_report_stop(&a->report);
    if (a->sealer != NULL) { /* what the workers closed on their way out */
        tick(a);
    }
    audit_sealer_close(&a->sealer);
    crypto_sm2_free(&a->audit_key);
    replica_close(&a->replica);
    close(a->signals);
}

static bool take_over_signals(struct agent *a)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        sigaddset(&set, wanted[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* of nginx's masters, see nginx_child.h */
    a->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return a->signals >= 0;
}

int node_run(const struct node_config *cfg, const struct node_settings *again)
{
    struct agent a = {.cfg = cfg, .again = again, .nginx.pidfd = -1};
    if (!take_over_signals(&a) || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        complain("start", strerror(errno));
        return 1;
    }
    bool ok = start(&a);
    if (ok) {
        run(&a);
    }
    stop(&a);
    curl_global_cleanup();
    return ok ? 0 : 1;
}
