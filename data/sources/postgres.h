/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL by libpq: what source.h's calls do for a source of that kind, where the way over ODBC
 * was measured to cost several times as much (docs/decisions/0016-postgres-by-libpq.md). One
 * connection, a bounded set of prepared statements, rows one by one as they arrive, so memory does
 * not depend on how many there are. Never waits longer than the statement's limit. */
#pragma once
#include <libpq-fe.h>

#include "data/sources/odbc.h"

struct postgres;

/* Of an ODBC connection string whose driver is PostgreSQL's and which says nothing beyond where,
 * which database, who and how protected. NULL: another one (a DSN, an option of the driver's), or
 * no memory; then ODBC serves. */
struct postgres *postgres_new(struct slice connection);
void postgres_free(struct postgres **p); /* closes, wipes */

bool postgres_connected(const struct postgres *p);
/* setup: said once on the new connection, NULL-terminated or four of them. */
bool postgres_connect(struct postgres *p, const char *const setup[4])
    __attribute__((warn_unused_result));
void postgres_close(struct postgres *p);
/* Of every statement from now on. */
void postgres_limit(struct postgres *p, uint64_t timeout_ms);

/* sql has `?` for each parameter. *dead: the connection is of no more use. On SOURCE_OK rows are
 * there to be read, and postgres_end is owed. */
enum source_err postgres_query(struct postgres *p, struct slice sql,
                               const struct source_param *params, size_t n_params,
                               size_t *n_columns, bool *dead) __attribute__((warn_unused_result));
enum source_err postgres_next(struct postgres *p, bool *more) __attribute__((warn_unused_result));
/* False: null. */
bool postgres_cell(struct postgres *p, size_t i, struct slice *value);
/* Bytes, not text? */
bool postgres_is_binary(const struct postgres *p, size_t i);
/* Rows not read yet are given up: the server is told to stop. */
void postgres_end(struct postgres *p);
