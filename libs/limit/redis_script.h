/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of limit.h over several machines: the same counters in one Redis (6.2 or later), by
 * one Lua script that Redis runs whole or not at all. Measures, actions, exactness and all-or-none
 * are those of limit.h; what differs:
 * - the clock is the server's (TIME), the same for all gateways;
 * - CONCURRENCY counts leases, one a call, each for at most lease_ms: what a machine that dies had
 *   in flight comes back when its leases end. Give a lease the call's deadline and a little;
 * - when the server's clock goes back, calls count at the latest time seen; when by more than two
 *   windows, all that was counted counts as of now;
 * - the keys of one call may lie anywhere in the key space: one server with its replicas, not a
 *   cluster. Replication is asynchronous: at a failover the last calls may be forgotten;
 * - a counter has at most 2^53.
 * When Redis does not answer, the caller decides: see the gateway.
 *
 * EVALSHA limit_redis_script 2n KEYS… ARGV…
 *   KEYS: two a rule: PREFIX "sluice:limit:" + 32 hex digits of the limit_key (hi, lo), and the
 *     same + ":leases" (used by CONCURRENCY, given for all)
 *   ARGV: 1 operation, 2 call id (the transaction number), 3 lease_ms; then 8 a rule: measure,
 *     action, amount, window_ms, suspend_s, utc_offset_s, released_ms, units. Rules that have ended
 *     (ends_ms) are left out by the caller. Rules must have passed limit_rule_check.
 *   take: [number of the rule that refuses, from 1; 0: none] and 5 integers a rule: outcome (enum
 *     limit_outcome), first_over, used, remaining, reset_s
 *   release: with the keys and the call id of the take; nothing else is looked at: []
 *   charge: one rule, day_rows or day_bytes; one more argument after it: the amount: []
 *   measure: rate concurrency day_calls day_rows day_bytes day_amount;
 *     action: alert suspend reject */
#pragma once

#define LIMIT_REDIS_PREFIX "sluice:limit:"
#define LIMIT_REDIS_LEASES ":leases"

/* NUL-terminated text for SCRIPT LOAD; static. */
extern const char limit_redis_script[];
/* Words of the script for the enums. NULL: out of range. */
#include "limit/limit.h"
const char *limit_redis_measure(enum limit_measure measure);
const char *limit_redis_action(enum limit_action action);
