/* SPDX-License-Identifier: Apache-2.0 */
/* Who used what how much, counted from the audit log for the control plane (contract/feed.md): a
 * row for each day, API, app, grant and owner. Each record counts once: a batch is on the disk
 * before it is sent, and a batch that may have been taken before a crash is sent again as the same
 * one. One thread. */
#pragma once
#include <jansson.h>

#define USAGE_ROWS_MAX 500

struct usage;
/* What it was told last is in STATE_DIR/usage.json. NULL: no memory. */
struct usage *usage_new(const char *audit_dir, const char *state_dir);
void usage_free(struct usage **u);
/* The batch to send, {id, rows}; NULL: there is nothing new. New reference. */
json_t *usage_take(struct usage *u);
/* The batch is stored, or is not to be sent again. */
void usage_accepted(struct usage *u);
