/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "rest/resource.h"

/* take.c: a table as its source describes it becomes or updates its entry; the item gets its state,
 * entry_id, reason and deviations. A dry run says what would be. */
enum problem harvest_take(struct rest_call *c, struct store_txn *txn, const json_t *harvest,
                          json_t *item, const json_t *answer);
