/* SPDX-License-Identifier: Apache-2.0 */
/* What a report of the security of data is made of. Internal to control/lifecycle. */
#pragma once
#include "rest/resource.h"

/* security_checks.c: what is active now, asked of the settings, the store, the files and the nodes
 * of this moment: [{stage, title_en, title_zh, controls: [{control, title_en, title_zh, active,
 * found}], measures: [{measure, title_en, title_zh, in_place, count, last_at}]}]. New array.
 * *missing: controls that are not active and measures that are not in place. */
enum problem security_stages(struct rest_call *c, struct store_txn *txn, json_t **stages,
                             json_int_t *missing);
