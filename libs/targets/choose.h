/* SPDX-License-Identifier: Apache-2.0 */
/* Which upstream target a call goes to. Pure: same input, same answer; the turn of the round robin
 * is the caller's to keep (one a worker and set of targets, zeroed at first and when the set
 * changes).
 *
 * The call is meant for the canaries when its app is one of theirs or its hash falls below their
 * share; it goes to the primaries when no canary is usable. A standby serves only while no primary
 * is usable (SW-10.1-3d). A canary never serves those it is not meant for. Weight 0 takes a target
 * out. A call of an app in its test stage goes to a sandbox target or to none, and no other call
 * goes to one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHOOSE_MAX     16
#define CHOOSE_NONE    (-1)
#define CHOOSE_PARTS   10000 /* of canary shares: 1 = 0.01 % */
#define CHOOSE_WEIGHTS 65535 /* highest weight */

enum choose_role { CHOOSE_PRIMARY, CHOOSE_STANDBY, CHOOSE_CANARY, CHOOSE_SANDBOX };
enum choose_method {
    CHOOSE_ROUND_ROBIN,      /* smooth: turns of a heavy target are spread, not in a row */
    CHOOSE_LEAST_CONNECTIONS /* fewest in flight for its weight; among equals by turns */
};

struct choose_target {
    uint16_t weight;
    enum choose_role role;
    bool usable;       /* targets_look() */
    uint32_t inflight; /* likewise */
};

struct choose_call {
    enum choose_method method;
    uint32_t canary_share; /* 0..CHOOSE_PARTS */
    uint32_t hash; /* 0..CHOOSE_PARTS-1, of the call, or of the app to keep it on one side */
    bool is_canary_app, is_sandbox;
};

struct choose_turn {
    int32_t credit[CHOOSE_MAX];
};

/* Index of the target, or CHOOSE_NONE: none is usable. n ≤ CHOOSE_MAX, more are not looked at. */
int choose_target(const struct choose_target *targets, size_t n, const struct choose_call *call,
                  struct choose_turn *turn);
