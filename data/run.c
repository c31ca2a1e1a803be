/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/batch/batch.h"
#include "data/collect/collect.h"
#include "data/data.h"
#include "data/events/events.h"
#include "data/files/files.h"
#include "data/server.h"
#include "data/sources/pool.h"
#include "data/write/journal.h"
#include "node/node.h"

#define RUN_REPLICA_BYTES ((size_t)4 << 30) /* of address space, not of disk */
#define RUN_THREADS       8
#define RUN_ROWS          1000
#define KINDS             "api,dataset,source,composition,app,subscription,grant,list,topic,event-subscription"

struct paths {
    char link_key[512], data_key[512], inner[512], replica[512], journal[512], ca[512],
        certificate[512], key[512];
};

static void fill_paths(struct paths *p, const char *dir)
{
    snprintf(p->link_key, sizeof p->link_key, "%s/keys/link.key", dir);
    snprintf(p->data_key, sizeof p->data_key, "%s/keys/data.key", dir);
    snprintf(p->inner, sizeof p->inner, "%s/gateway/inner.sock", dir);
    snprintf(p->replica, sizeof p->replica, "%s/data/replica", dir);
    snprintf(p->journal, sizeof p->journal, "%s/data/journal", dir);
    snprintf(p->ca, sizeof p->ca, "%s/pki/ca.crt", dir);
    snprintf(p->certificate, sizeof p->certificate, "%s/pki/data.crt", dir);
    snprintf(p->key, sizeof p->key, "%s/pki/data.key", dir);
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "data: %s: %s\n", what, why);
    return 1;
}

/* Serves until a signal comes. */
static int serve(const struct server_config *cfg, const struct node_feed_config *feed_cfg,
                 const sigset_t *signals)
{
    const char *why = NULL;
    struct node_feed *feed = node_feed_start(feed_cfg);
    if (!feed)
        return fail("feed", "cannot be started");
    struct server *server = server_start(cfg, &why);
    int code = 0, signal_no = 0;
    if (!server)
        code = fail(cfg->socket, why);
    else
        while (sigwait(signals, &signal_no) != 0)
            ;
    server_stop(&server);
    node_feed_stop(&feed);
    return code;
}

/* A replica that was fed fewer kinds than we want now would be taken for whole: it is fetched anew.
 */
static bool same_kinds(const char *dir, const char *replica)
{
    char path[600], file[600], was[sizeof KINDS] = "";
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    snprintf(path, sizeof path, "%s/kinds", dir);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(was, 1, sizeof was - 1, f) : 0;
    bool whole = f && fgetc(f) == EOF;
    if (f)
        fclose(f);
    if (whole && n == sizeof KINDS - 1 && memcmp(was, KINDS, n) == 0)
        return true;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(file, sizeof file, "%s/%s", replica, files[i]);
        if (unlink(file) != 0 && errno != ENOENT)
            return false;
    }
    f = fopen(path, "we");
    bool ok = f && fputs(KINDS, f) >= 0;
    return f && fclose(f) == 0 && ok;
}

/* Threads made from here on inherit the mask, so the signal comes to sigwait alone. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* A thread that wakes does not push aside the one that woke it: the gateway's worker or the
 * database first ends what it is at (docs/decisions/0019-wake-ups.md). Threads made later inherit
 * it; where it may not be set nothing is lost but speed. */
static void wake_politely(void)
{
    (void)sched_setscheduler(0, SCHED_BATCH, &(const struct sched_param){0});
}

static struct events *start_events(const struct data_config *cfg,
                                   const struct service_config *service, const char **why)
{
    const struct events_config events = {.replica = service->replica,
                                         .link_key = service->link_key,
                                         .data_dir = cfg->data_dir,
                                         .node = cfg->node ? cfg->node : "data",
                                         .nats = cfg->nats,
                                         .private_webhooks = cfg->private_webhooks};
    return events_start(&events, why);
}

static struct files *start_files(const struct data_config *cfg, struct replica *replica,
                                 const char **why)
{
    const struct files_config files = {.data_dir = cfg->data_dir,
                                       .roots = cfg->file_roots,
                                       .poll_s = cfg->files_poll_s,
                                       .replica = replica};
    return files_start(&files, why);
}

/* Not 0: a sentence was said. */
static int load_keys(const struct paths *paths, uint8_t data_key[static CRYPTO_KEY_LEN])
{
    enum crypto_err err = link_ring_load(paths->link_key);
    if (err)
        return fail(paths->link_key, crypto_strerror(err));
    err = crypto_keyfile_load(paths->data_key, data_key);
    return err ? fail(paths->data_key, crypto_strerror(err)) : 0;
}

int data_run(const struct data_config *cfg)
{
    struct paths paths;
    char dir[512];
    sigset_t signals;
    struct server_config server = {.socket = cfg->socket,
                                   .threads = cfg->threads ? cfg->threads : RUN_THREADS};
    umask(0077); /* stores, files of exports: nobody else's on this machine */
    server.service.data_dir = cfg->data_dir;
    server.service.max_rows = cfg->max_rows ? cfg->max_rows : RUN_ROWS;
    fill_paths(&paths, cfg->data_dir);
    server.gateway_socket = paths.inner;
    block_signals(&signals);
    wake_politely();
    if (load_keys(&paths, server.service.link_key))
        return 1;
    snprintf(dir, sizeof dir, "%s/data", cfg->data_dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return fail(dir, "cannot be made");
    if (!same_kinds(dir, paths.replica))
        return fail(paths.replica, "cannot be made anew");
    struct replica *replica = NULL;
    enum replica_err err = replica_open_writer(&replica, paths.replica, RUN_REPLICA_BYTES);
    if (err)
        return fail(paths.replica, replica_strerror(err));
    struct node_feed_config feed = {.control = cfg->control,
                                    .ca = paths.ca,
                                    .certificate = paths.certificate,
                                    .key = paths.key,
                                    .kinds = KINDS,
                                    .replica = replica};
    server.service.replica = replica;
    uint8_t secret[CRYPTO_KEY_LEN];
    crypto_derive(server.service.link_key, "feed.secret", secret);
    const struct collect_env env = {cfg->data_dir, secret};
    server.service.collector = collector_start(&env);
    const char *why = NULL, *why_files = NULL;
    server.service.events = start_events(cfg, &server.service, &why);
    snprintf(dir, sizeof dir, "%s/data/exports", cfg->data_dir);
    server.service.batch = batch_start(&server.service, dir, &why);
    server.service.journal = wjournal_open(paths.journal, server.service.link_key);
    server.service.files = start_files(cfg, replica, &why_files);
    if (server.service.journal)
        wjournal_retain(server.service.journal, cfg->journal_days);
    int code = !server.service.events    ? fail("events", why)
               : !server.service.files   ? fail("files", why_files)
               : !server.service.batch   ? fail("exports", why)
               : !server.service.journal ? fail(paths.journal, "the journal cannot be opened")
                                         : serve(&server, &feed, &signals);
    batch_stop(&server.service.batch);
    files_stop(&server.service.files);
    wjournal_close(&server.service.journal);
    events_free(&server.service.events);
    collector_stop(&server.service.collector);
    pool_close_all();
    crypto_wipe(secret, sizeof secret);
    crypto_wipe(server.service.link_key, sizeof server.service.link_key);
    replica_close(&replica);
    return code;
}
