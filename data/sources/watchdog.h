/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts off statements of sources that keep no time limit themselves (SQLite): one thread for the
 * process, started when first needed, looks at what is running a few times a second. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include <sql.h>

#define WATCHDOG_PERIOD_MS 100

struct watch { /* the caller's, for the time of one statement */
    SQLHSTMT handle;
    uint64_t deadline_us; /* monotonic */
    bool cut;
    struct watch *next, **back;
};

void watchdog_begin(struct watch *w, SQLHSTMT handle, uint64_t timeout_ms);
/* After it the handle may be freed. True: the statement was cut off. */
bool watchdog_end(struct watch *w);
