/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that write SQL only. */
#pragma once
#include "data/query/sql.h"

void sql_name(struct sql *sql, struct slice name);
void sql_bind(struct sql *sql, uint8_t type, struct slice text); /* has passed query_value_fits() */
/* `?`, or what stands for it, and the value bound. */
void sql_value(struct sql *sql, uint8_t type, struct slice text);
void sql_equals(struct sql *sql, struct slice column, const struct query_path *path, uint8_t type,
                struct slice value);
void sql_bind_integer(struct sql *sql, int64_t value);
void sql_bind_null(struct sql *sql);
void sql_column(struct sql *sql, struct slice column, const struct query_path *path);
/* Returns what joins a further condition. */
const char *sql_from_where(struct sql *sql, const struct query_table *table, const struct query *q,
                           const struct sql_scope *scope);

/* sql_order.c */
void sql_order(struct sql *sql, const struct query_table *table, const struct query *q);
/* The rows behind q->seek in that order. */
void sql_seek(struct sql *sql, const struct query *q, const struct sql_sort *sorts, size_t n,
              const char *glue);
