/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions outside a call: may this app be given this owner's rows of this API now, and each field
 * how. Asks policy_decide() with what the data service's own replica holds, as the gateway does for
 * a call, so that what is pushed, streamed or packed is what a call would be answered. */
#pragma once
#include "audit/audit.h"
#include "base/buf.h"
#include "plan/plan.h"
#include "policy/policy.h"
#include "replica/replica.h"

#define DECIDE_OWNER_MAX 128 /* bytes, = LINK_OWNER_MAX */

/* One thread at a time. */
struct decide;
struct decide *decide_new(struct replica *replica, const uint8_t link_key[static CRYPTO_KEY_LEN]);
void decide_free(struct decide **d);

struct decide_question {
    struct uuid api, app;
    struct slice owner; /* whose rows; "" when the API is not owner-scoped */
    uint8_t method;     /* one policy_method bit */
    uint8_t stream;     /* enum policy_stream */
};

/* Good until the next decide_ask() but one of the same struct decide. */
struct decision {
    enum problem reason; /* PROBLEM_OK: allowed, and plan is set */
    const struct plan *plan;
    const struct policy_verdict *verdict;
    const struct policy_api *api; /* with its fields */
    struct uuid app, grant;       /* grant nil: none */
    struct slice owner;
    uint64_t plan_key;
    const struct row_filter *rows; /* NULL: all of them */
};

/* PROBLEM_OK of the call itself never means allowed: look at the decision. NULL: no memory. The
 * block lists are asked too; a list that cannot be read keeps everybody out. An app in its test
 * stage is refused: it is given no real row. About 1 us when nothing changed since the last time.
 */
const struct decision *decide_ask(struct decide *d, const struct decide_question *q);

/* Whether this row, a JSON object, is one that may be given under the decision. */
bool decide_admits(const struct decision *decision, struct slice json);

/* One JSON document through the decision's plan, appended to out. rows and seen add up over
 * documents until decide_begin(). False: it is no JSON, or no memory; out is then unspecified. */
void decide_begin(struct decide *d);
bool decide_mask(struct decide *d, const struct decision *decision, struct slice json,
                 struct buf *out) __attribute__((warn_unused_result));

/* The record of what was given ------------------------------------------------------------------
 * in a stream of its own beside the gateway workers', which the node's agent seals. Any thread. */
struct decide_log;
struct decide_log *decide_log_open(const char *data_dir, const char *node);
void decide_log_close(struct decide_log **log);
/* About once a second. */
void decide_log_tick(struct decide_log *log, uint64_t now_ms);
/* Fills in the parties, the plan and what decide_mask() saw; the caller gives txn, status, reason,
 * times, method, rows, bytes. False: it is not in the log, so nothing may leave. */
bool decide_record(struct decide_log *log, const struct decide *d, const struct decision *decision,
                   struct audit_call *call) __attribute__((warn_unused_result));
