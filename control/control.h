/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: REST (contract/rest.md, contract/openapi.yaml), the store, the feed
 * (contract/feed.md). The only writer of the store. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct control_config {
    const char *data_dir;    /* keys/, pki/, control/store.db below it */
    const char *listen_host; /* "127.0.0.1" */
    uint16_t port;           /* REST, HTTPS */
    uint16_t feed_port;      /* feed, mutual TLS */
    /* What others see the control plane at, "https://name[:port]", no slash at its end: behind a
     * proxy another address than listen_host and port. NULL: those. */
    const char *public_url;
    const char *data_socket; /* unix socket of the data service, for source checks and metadata */
    const char *openapi_path;
    /* Notices by e-mail: "smtp://host:port" and the sender's address; NULL: none are sent. */
    const char *smtp, *smtp_from;
    bool private_webhooks; /* webhooks may be at private addresses, and without TLS */
    /* Networks that staff may sign in and call from, with commas between; NULL: from anywhere. */
    const char *admin_networks;
    bool admin_second_factor; /* staff need two factors whatever the setting second-factor says */
    /* Where calls that users try go while the setting gateway-url is none; NULL: nowhere. */
    const char *gateway_url;
    bool trial;         /* the first start makes a store for trying things out: see rest/strict.h */
    uint64_t feed_keep; /* changes kept before a node must resync; 0: 100,000 */
    const char
        *admin_password; /* NULL: generate and print; tests and the demo give one by environment */
};

/* Runs until SIGTERM or SIGINT; returns the process's exit code. On first start creates the store
 * and the administrator and prints its one-time password to stdout, once. */
int control_run(const struct control_config *cfg);
