/* SPDX-License-Identifier: Apache-2.0 */
/* The node's nginx.conf, generated whole from the settings: nobody edits it, and no call, API or
 * grant ever changes it. */
#pragma once
#include "base/buf.h"
#include "node/node.h"

/* Writes the text into *out. NULL, or a sentence that says which setting cannot be written down. */
const char *node_nginx_conf(const struct node_config *cfg, struct buf *out);
