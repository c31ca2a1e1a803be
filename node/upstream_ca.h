/* SPDX-License-Identifier: Apache-2.0 */
/* Whose certificates upstreams may show: the system's CAs, the inner CA and gateway.upstream_ca in
 * one file, beside nginx.conf, for nginx and the health checks. */
#pragma once
#include "node/node.h"

#define NODE_UPSTREAM_CA "upstream-ca.pem"

/* Writes it into the folder `prefix` ("/x/"), whole or not at all. *changed: it is another than
 * before. false: *fault says why not. */
bool node_upstream_ca(const struct node_config *cfg, const char *prefix, bool *changed,
                      struct node_fault *fault) __attribute__((warn_unused_result));
