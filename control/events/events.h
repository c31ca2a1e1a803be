/* SPDX-License-Identifier: Apache-2.0 */
/* Topics that apps and datasets publish to, and how other apps are given their events (EC-7.1.4.2,
 * SW-8.3.2-e1). The data service's broker does it; here it is said who may and how. */
#pragma once
#include "rest/resource.h"

/* An API of kind topic: its methods, class and what it may not ask of a caller. */
enum problem topic_check_api(struct rest_call *c, struct change *ch);
/* Tells nodes anew of each topic with column = value (of a table, not from outside). */
enum problem topics_tell(struct rest_call *c, struct store_txn *txn, const char *column,
                         const char *value);
enum problem event_subscription_status(struct rest_call *c); /* GET …/{id}/status */
enum problem event_subscription_replay(struct rest_call *c); /* POST …/{id}/replay */

extern const struct resource topics_resource;
extern const struct resource event_subscriptions_resource;
