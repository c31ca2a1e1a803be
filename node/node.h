/* SPDX-License-Identifier: Apache-2.0 */
/* What a data-plane node runs beside its workers: the feed client that keeps the replica, the nginx
 * child with its generated configuration, the sealer of audit segments. node/ leans on libs only.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct node_config {
    const char *data_dir; /* keys/, pki/, gateway/ below it */
    const char *node;     /* name, [a-z0-9-]{1,32} */
    const char *listen_host;
    uint16_t port;
    bool tls;                                  /* false only on a loopback address */
    const char *certificate, *certificate_key; /* NULL: pki/gateway.{crt,key} */
    const char *pki;         /* ca.crt, gateway.{crt,key} of the inner CA; NULL: data_dir/pki */
    const char *upstream_ca; /* PEM; further CAs of upstreams' certificates; NULL: none */
    unsigned workers;        /* 0: one per core */
    const char *control;     /* "https://127.0.0.1:7301" */
    const char *data_socket;
    unsigned staleness_max_s; /* past it calls are refused policy-stale; 0: 3600 */
    uint64_t replay_bytes;    /* 0: 64 MiB */
    const char *redis;        /* shared by nodes: "address:port" or a socket's path; NULL: none */
    const char *redis_password_file; /* NULL: none */
    unsigned redis_timeout_ms;       /* 0: 20 */
    bool redis_refuse;     /* while it is away calls are refused, not counted by the node alone */
    uint16_t metrics_port; /* of 127.0.0.1, beside gateway/ops.sock; 0: none */
    bool access_log;       /* gateway/access.log, a line of JSON a call */
    const char *entries;   /* further entry points, "name=address:port, …" (BK-A-3); NULL: none */
    const char *nginx;     /* program; NULL: /usr/sbin/nginx */
    const char *module;    /* path of ngx_http_sluice_module.so */
};

/* What is wrong with a configuration. setting: the key of sluice.yaml at fault; NULL: none alone.
 */
struct node_fault {
    const char *setting;
    char text[512];
};

/* Has nginx read what *cfg generates, in a scratch folder: nothing that runs and no file of the
 * data directory is touched. false: *fault says why not. Costs a start of nginx (tens of ms). */
bool node_check(const struct node_config *cfg, struct node_fault *fault)
    __attribute__((warn_unused_result));

/* Reads the settings anew and checks them with node_check(). false: they are wrong, which it has
 * said on stderr. What *cfg points at must stay good until the next call. */
struct node_settings {
    bool (*read)(void *ctx, struct node_config *cfg);
    void *ctx;
};

/* cfg: checked, and good for as long as this runs. SIGHUP has nginx take the settings that `again`
 * reads, SIGUSR2 replaces nginx's program and module with those on the disk; either drops no call
 * and goes back to what was when it fails. Runs until SIGTERM or SIGINT (then stops nginx
 * gracefully); returns the process's exit code. */
int node_run(const struct node_config *cfg, const struct node_settings *again);

/* node/feed_client.c
 * ------------------------------------------------------------------------------- */
struct replica;
struct node_feed_config {
    const char *control, *ca, *certificate, *key; /* PEM paths */
    const char *kinds;                            /* "api,app,…" */
    struct replica *replica;
    void (*changed)(void *ctx); /* after each applied batch with entries; may be NULL */
    /* An entry could not be read, and what became of it; kind and id may be NULL. May be NULL. */
    void (*unreadable)(void *ctx, const char *kind, const char *id, const char *fate);
    void *ctx;
};
struct node_feed;
/* Starts a thread that follows the feed for ever: resumes from the replica's cursor, resyncs when
 * told, backs off 50 ms … 2 s while control is away. What *cfg points at must outlive the feed.
 * NULL: no memory, or the replica cannot be read. Stopping takes up to a second. */
struct node_feed *node_feed_start(const struct node_feed_config *cfg);
void node_feed_stop(struct node_feed **feed);
