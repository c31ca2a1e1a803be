/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of making a dataset's API in one step (rest/publish.c): its row from c->body, and
 * its publication. */
#pragma once
#include "services/services.h"

enum problem publish_make_row(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                              json_t *row);
enum problem publish_write_row(struct rest_call *c, struct store_txn *txn, json_t *row);
