/* SPDX-License-Identifier: Apache-2.0 */
/* The node's nginx.conf, generated whole from the settings: nobody edits it, and no call, API or
 * grant ever changes it. */
#pragma once
#include "base/buf.h"
#include "node/node.h"

/* Writes the text into *out. sockets: the folder of the sockets it listens on, NULL: that of the
 * node, data_dir/gateway. false: *fault says which setting cannot be written down. */
bool node_nginx_conf(const struct node_config *cfg, const char *sockets, struct buf *out,
                     struct node_fault *fault) __attribute__((warn_unused_result));
