/* SPDX-License-Identifier: Apache-2.0 */
/* Write-back as the people of the platform see it: the journal, rollbacks, deliveries to business
 * units and what they supply. The journal itself is the data service's (data/write); this asks it.
 */
#pragma once
#include "rest/resource.h"

extern const struct resource delivery_targets_resource;
extern const struct resource supply_keys_resource;

enum problem write_check_writable(struct rest_call *c, const char *where, const json_t *v);
/* The dataset's `writable` fits its fields. */
enum problem write_check_dataset(struct rest_call *c, const json_t *dataset);
/* The methods of an API on the dataset are among what it takes. */
enum problem write_check_methods(struct rest_call *c, const json_t *api, const json_t *dataset);
/* What the nodes are told of it beside the published columns; a new object. */
enum problem write_feed(struct rest_call *c, struct store_txn *txn, const json_t *dataset,
                        json_t **data);

enum problem writes_list(struct rest_call *c);          /* GET writes */
enum problem writes_get(struct rest_call *c);           /* GET writes/{id}: with its images */
enum problem writes_rollback(struct rest_call *c);      /* POST writes/{id}/rollback */
enum problem writes_rollback_many(struct rest_call *c); /* POST datasets/{id}/rollback */
enum problem deliveries_list(struct rest_call *c);      /* GET datasets/{id}/deliveries */
enum problem deliveries_retry(struct rest_call *c); /* POST datasets/{id}/deliveries/{n}/retry */
enum problem supply_records(struct rest_call *c);   /* POST /supply/{dataset}/records */
enum problem deliveries_job(struct rest_call *c);
