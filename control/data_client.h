/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the data service about a source, over its unix socket. */
#pragma once
#include "rest/rest.h"

/* operation: "check", "tables", "columns"; of a managed source "make" and "drop" too, of one of
 * files "drop", "refresh", "item", "put" and "remove". source: its
 * row. schema and table may be NULL. The service's refusals come back as its own problem codes; no
 * service: source-unavailable. *answer is a new object. Blocks up to DATA_CLIENT_TIMEOUT_MS, so
 * never inside a write transaction. */
#define DATA_CLIENT_TIMEOUT_MS 15000
enum problem data_client_call(struct rest_call *c, const char *operation, const json_t *source,
                              const char *schema, const char *table, json_t **answer);
/* The same with members of the asker's own beside schema and table ("scan"). */
enum problem data_client_source(struct rest_call *c, const char *operation, const json_t *source,
                                const json_t *more, json_t **answer);
/* Any other of its internal calls: body to /internal/v1/…, the answer as above. */
enum problem data_client_post(struct rest_call *c, const char *target, const json_t *body,
                              json_t **answer);
