/* SPDX-License-Identifier: Apache-2.0 */
/* The life of data: each dataset has a stage (generated, stored, used, shared, destroyed), a policy
 * for how it comes to be and where it lies, and a view of who used it and with whom it was shared
 * (EC-4.2.1, EC-5.1). docs/lifecycle.md. */
#pragma once
#include "rest/resource.h"

/* lives.c: one row a dataset, made by the platform. */
extern const struct resource dataset_lives_resource;
enum problem lives_job(struct rest_call *c); /* opens, advances, looks for breaches */
/* May data of this dataset come by this way ("collection", "supply", "transfer", "write")?
 * NOT_PERMITTED: its policy of generation does not name it. A dataset without a policy may. */
enum problem life_may_come(struct rest_call *c, struct store_txn *txn, const char *dataset_id,
                           const char *way);
/* The same of each dataset on a table of a managed source. */
enum problem life_may_come_to(struct rest_call *c, struct store_txn *txn, const char *source_id,
                              const char *table, const char *way);

/* uses.c: what nodes counted. */
#define USES_ROWS_MAX 500
#define USES_TIMES    10 /* counts of contract/feed.md, USE */
/* usage: {id, rows} of a report that reports_read() has passed. */
enum problem uses_store(struct rest_call *c, struct store_txn *txn, const char *node,
                        const json_t *usage);
enum problem uses_fold_job(struct rest_call *c); /* owners of long ago are counted together */

/* view.c */
enum problem life_view(struct rest_call *c); /* GET dataset_lives/{id}/view */
/* open_zone.c */
enum problem zone_view(struct rest_call *c); /* GET zones/{zone} */

/* security.c, security_checks.c: what protects the data of the running platform, stage by stage. */
extern const struct resource security_reports_resource;
enum problem security_report_page(struct rest_call *c); /* GET security_reports/{id}/page */
