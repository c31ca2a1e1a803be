/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes tell the control plane (contract/feed.md, reports), without HTTP: events to keep, and
 * the node's present state, of which the last view stays in memory. Safe from any thread. */
#pragma once
#include "base/slice.h"
#include "core.h"
#include "problem/problem.h"

#define REPORTS_BODY_MAX    (1u << 20)
#define REPORTS_NODES_MAX   256
#define REPORTS_EVENTS_MAX  500
#define REPORTS_ROWS_MAX    1000 /* limits, and targets */
#define REPORTS_KEYS_MAX    8
#define REPORTS_WHY_MAX     160
#define REPORTS_ALIVE_MS    15000 /* three reports missed: the node is gone */
#define REPORTS_KEY_LIFE_MS (24ull * 3600 * 1000)

/* Takes one report. On OK its events are stored and *accepted is how many it had; sent again they
 * are the same ones. On any problem nothing of it is kept and why says what is wrong. */
enum problem reports_take(struct control *ctl, struct slice body, size_t *accepted,
                          char why[static REPORTS_WHY_MAX]) __attribute__((warn_unused_result));

/* A public JWK of a node, or of the data service, among those the platform shows. */
struct rest_call;
struct store_txn;
enum problem reports_keep_key(struct rest_call *c, struct store_txn *txn, const json_t *jwk,
                              const char *node) __attribute__((warn_unused_result));

/* feed/reports_read.c: a report as contract/feed.md has it, or NULL and why. New reference. */
json_t *reports_read(struct slice body, char why[static REPORTS_WHY_MAX]);

/* feed/live.c: the last view of each node, {name: report with received_at in ms}. A new copy. */
struct live;
struct live *live_new(void);
void live_free(struct live **live);
void live_put(struct live *live, json_t *report, uint64_t now_ms); /* takes the reference */
json_t *live_view(struct live *live);
/* Whether the keys of this report are those the node sent within the hour. */
bool live_same_keys(struct live *live, const json_t *report, uint64_t now_ms);
