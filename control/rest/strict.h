/* SPDX-License-Identifier: Apache-2.0 */
/* The settings that clauses of the standards ask for. A new store has them as they are here; an
 * administrator may make one weaker, says why, and it is told wherever somebody looks
 * (docs/strict.md). */
#pragma once
#include "rest/resource.h"

/* Of a setting's new row: whether it is weaker than shipped, and whether it may become so. */
enum problem strict_check(struct rest_call *c, struct change *ch);
/* Of a setting that is stored: one made weaker just now is logged and told. */
enum problem strict_after(struct rest_call *c, struct change *ch);
enum problem strict_settings_get(struct rest_call *c); /* GET strict_settings */
/* *weaker of *all; names: those that are, as many as there is room for. */
#define STRICT_NAMES_MAX 160
enum problem strict_count(struct rest_call *c, struct store_txn *txn, size_t *weaker, size_t *all,
                          char names[static STRICT_NAMES_MAX]);
/* At the first start of a trial: all of them are as weak as they may be, in one operation. */
enum problem strict_trial(struct rest_call *c, struct store_txn *txn);
