/* SPDX-License-Identifier: Apache-2.0 */
/* Asks each target whose API says `health` (contract/feed.md) and writes what it finds into the
 * table the workers choose by (libs/targets): 2xx in time is well, RISE in a row turn a target up,
 * FALL down. A thread of its own; at most PROBES targets, PARALLEL asked at once. */
#pragma once

struct replica;
struct node_health_config {
    const char *state_dir;
    const char *ca, *certificate, *key; /* PEM paths: for targets over TLS */
    struct replica *replica;
};
struct node_health;
/* What *cfg points at must outlive it. NULL: no memory or no thread. Stopping takes up to a second.
 */
struct node_health *node_health_start(const struct node_health_config *cfg);
void node_health_stop(struct node_health **health);
