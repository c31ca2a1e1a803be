/* SPDX-License-Identifier: Apache-2.0 */
/* Smooth weighted round robin: each eligible target earns its weight, the richest is chosen and
 * pays what all earned. By turns alone, credits stay within ± the sum of weights; by load the
 * richest need not be chosen for long, so there they are held within CREDIT_MAX. */
#include "targets/choose.h"

#define CREDIT_MAX (1 << 24) /* beyond any sum of weights */

static int32_t held(int32_t credit)
{
    return credit > CREDIT_MAX ? CREDIT_MAX : credit < -CREDIT_MAX ? -CREDIT_MAX : credit;
}

static bool is_eligible(const struct choose_target *t, enum choose_role role)
{
    return t->usable && t->weight > 0 && t->role == role;
}

/* Fewer in flight for its weight than the other: a / wa < b / wb. */
static int by_load(const struct choose_target *a, const struct choose_target *b)
{
    uint64_t one = (uint64_t)a->inflight * b->weight, two = (uint64_t)b->inflight * a->weight;
    return one < two ? -1 : one > two;
}

/* CHOOSE_NONE: none of that role is eligible; the turn is unchanged then. */
static int pick(const struct choose_target *targets, size_t n, enum choose_role role,
                enum choose_method method, struct choose_turn *turn)
{
    int best = CHOOSE_NONE;
    int32_t earned = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_eligible(&targets[i], role)) {
            continue;
        }
        turn->credit[i] = held(turn->credit[i] + targets[i].weight);
        earned += targets[i].weight;
        int load = best == CHOOSE_NONE            ? -1
                   : method == CHOOSE_ROUND_ROBIN ? 0
                                                  : by_load(&targets[i], &targets[best]);
        if (load < 0 || (load == 0 && turn->credit[i] > turn->credit[best])) {
            best = (int)i;
        }
    }
    if (best != CHOOSE_NONE) {
        turn->credit[best] = held(turn->credit[best] - earned);
    }
    return best;
}

int choose_target(const struct choose_target *targets, size_t n, const struct choose_call *call,
                  struct choose_turn *turn)
{
    n = n > CHOOSE_MAX ? CHOOSE_MAX : n;
    if (call->is_sandbox) {
        return pick(targets, n, CHOOSE_SANDBOX, call->method, turn);
    }
    bool for_canary = call->is_canary_app || call->hash < call->canary_share;
    int one = for_canary ? pick(targets, n, CHOOSE_CANARY, call->method, turn) : CHOOSE_NONE;
    one = one != CHOOSE_NONE ? one : pick(targets, n, CHOOSE_PRIMARY, call->method, turn);
    return one != CHOOSE_NONE ? one : pick(targets, n, CHOOSE_STANDBY, call->method, turn);
}
