/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to addresses that users left: webhooks, clients that want to hear of a sign-out. */
#pragma once
#include <curl/curl.h>

#include "control.h"

/* Bounds the transfer in time, follows nothing, asks no proxy, takes https alone, discards the
 * answer, and connects to public addresses alone; with cfg->private_webhooks to any, and by http
 * too: a user must not make the platform knock where they cannot. */
void outbound_prepare(CURL *curl, const struct control_config *cfg);
