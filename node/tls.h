/* SPDX-License-Identifier: Apache-2.0 */
/* How a node shows who it is over TLS: its certificate and key, read once, so that the two are a
 * pair also while the files are replaced. curl with GnuTLS reads files alone and opens no key
 * encrypted as ours are: it is given files in memory. */
#pragma once
#include <curl/curl.h>
#include <stdbool.h>

struct node_identity {
    int fds[2];        /* certificate and key; memory that no child inherits; -1: none */
    char paths[2][32]; /* of this process alone */
};

/* Of the files, the key's as crypto_pki_key opens it. False: a sentence on stderr says why. */
bool node_identity_load(struct node_identity *id, const char *certificate, const char *key)
    __attribute__((warn_unused_result));
void node_identity_fini(struct node_identity *id);
/* Trusts the CAs of the file `ca` alone and shows the identity, which has to outlive the handle's
 * connections. */
void node_identity_show(const struct node_identity *id, CURL *easy, const char *ca);
