/* SPDX-License-Identifier: Apache-2.0 */
/* The script's text is redis_script.lua, as bytes: a literal of that length is beyond what C asks
 * of compilers. */
#include "limit/redis_script.h"

const char limit_redis_script[] = {
#include "redis_script.inc"
    0};

const char *limit_redis_measure(enum limit_measure measure)
{
    static const char *const words[LIMIT_MEASURES] = {
        [LIMIT_RATE] = "rate",           [LIMIT_CONCURRENCY] = "concurrency",
        [LIMIT_DAY_CALLS] = "day_calls", [LIMIT_DAY_ROWS] = "day_rows",
        [LIMIT_DAY_BYTES] = "day_bytes", [LIMIT_DAY_AMOUNT] = "day_amount",
    };
    return (unsigned)measure < LIMIT_MEASURES ? words[measure] : NULL;
}

const char *limit_redis_action(enum limit_action action)
{
    static const char *const words[LIMIT_ACTIONS] = {
        [LIMIT_ALERT] = "alert",
        [LIMIT_SUSPEND] = "suspend",
        [LIMIT_REJECT] = "reject",
    };
    return (unsigned)action < LIMIT_ACTIONS ? words[action] : NULL;
}
