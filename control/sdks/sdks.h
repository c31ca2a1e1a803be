/* SPDX-License-Identifier: Apache-2.0 */
/* Software kits: the releases the platform has given out and how long each is taken, and the
 * exceptions of apps that may call without one (docs/sdk-access.md). */
#pragma once
#include "policy/policy.h"
#include "rest/resource.h"

extern const struct resource sdk_releases_resource;
extern const struct resource direct_connections_resource;

/* Until when the app may call the API directly, in milliseconds; 0: there is no such exception. */
enum problem direct_until(struct rest_call *c, struct store_txn *txn, const char *app_id,
                          const char *api_id, uint64_t *until_ms);
/* What the release "name/version" is worth now, for explain. */
enum problem sdk_standing_of(struct rest_call *c, struct store_txn *txn, const char *text,
                             enum policy_sdk *standing);
