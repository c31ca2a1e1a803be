/* SPDX-License-Identifier: Apache-2.0 */
/* What a record of a change does: release.c. row is the record as it will be stored. */
#pragma once
#include "services/services.h"

/* Sets row.state to canary or released. */
enum problem change_release(struct rest_call *c, struct store_txn *txn, json_t *row);
enum problem change_complete(struct rest_call *c, struct store_txn *txn, json_t *row);
enum problem change_roll_back(struct rest_call *c, struct store_txn *txn, json_t *row);
enum problem changes_due(struct rest_call *c); /* part of the job */
