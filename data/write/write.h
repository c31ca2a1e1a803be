/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that come back: what an app with the right writes into a dataset (PostgREST's POST, PATCH
 * and DELETE), what a business unit supplies, and how each is taken back. docs/write-back.md. */
#pragma once
#include "data/service.h"
#include "data/write/journal.h"

#define WRITE_ROWS_MAX    500  /* of one operation */
#define WRITE_UNDO_MAX    5000 /* rows of one rollback */
#define WRITE_TRIES       3    /* of a transaction that another one beat */
#define WRITE_VERSION_MAX 40   /* bytes of an ETag with its quotes */

/* Called for each row of each operation that is done, at least once: after a crash perhaps again.
 * Register at start, before the server. key: an object, borrowed. gone: it was deleted. */
typedef void (*write_hook)(void *ctx, const char *dataset, const char *operation, const json_t *key,
                           bool gone);
void write_on_committed(write_hook hook, void *ctx);
void write_committed(const char *dataset, const char *operation, const json_t *row);

/* A POST, PATCH or DELETE on a dataset of profile rest. */
void write_handle(struct worker *w, const struct catalog_api *api, const struct service_request *rq,
                  struct service_reply *rp);
/* "/internal/v1/writes/…" of the control plane. *answer: a new object. */
enum problem write_internal(struct worker *w, struct slice path, const json_t *body,
                            json_t **answer, char detail[static 400]);

/* The version of a row for If-Match: keyed, so that it tells nothing of what is masked. Columns
 * that the call may read, in order, one write_version_add each. */
void write_version_begin(struct worker *w);
void write_version_add(struct worker *w, enum query_type type, struct slice value, bool null);
void write_version_end(struct worker *w, char out[static WRITE_VERSION_MAX]);

/* For the files of data/write ------------------------------------------------------------------ */
/* A member's value as the text of its column; NULL and *why (static) when it cannot be. */
json_t *write_value(const json_t *value, enum query_type type, const char **why);
enum problem write_source_problem(enum source_err err, const char **detail);
enum problem write_journal_problem(enum journal_err err);
/* Its number for rows_guard. */
int64_t write_guard_number(const char *operation);
/* Settles what a crash left prepared, of one dataset or all (NULL). */
void write_recover(struct worker *w, const char *dataset);
/* Commits the source, then the journal: the operation is prepared. */
enum problem write_commit(struct worker *w, struct source *source, const struct journal_op *op,
                          const char **detail);
enum problem write_undo(struct worker *w, const json_t *body, json_t **answer,
                        char detail[static 400]);
enum problem write_supply(struct worker *w, const json_t *body, json_t **answer,
                          char detail[static 400]);
/* A dataset's source and shape; *source is the worker's. */
enum problem write_open(struct worker *w, const char *source_id, const char *schema,
                        const char *table, const json_t *keys, struct source **source,
                        json_t **shape);
