/* SPDX-License-Identifier: Apache-2.0 */
/* Analysis tasks (SW-9.6.2-4a, SW-9.6.2-4b): what an app computes of others' data. One is
 * registered only while a signed privacy agreement with the owner of each API it names allows each
 * of its operations at that API's level; and an API whose provider says so gives groups and files
 * to registered tasks alone. */
#pragma once
#include "rest/resource.h"

extern const struct resource analysis_tasks_resource;
/* Takes from *ways (the caller's array; NULL: any) what an API with analysis_agreement gives to
 * tasks and this subscription's app has none for, and adds that it may have groups where it may. */
enum problem analysis_bound(struct rest_call *c, struct store_txn *txn, const json_t *subscription,
                            const json_t *api, json_t **ways);
