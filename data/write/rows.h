/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a table as images: a JSON object of each column's text, null, or {"b64": …} for bytes
 * that are no UTF-8. What the journal keeps, what a rollback puts back and what decides after a
 * crash is one form, so that two images are the same row exactly when they are equal. */
#pragma once
#include <jansson.h>

#include "data/query/arena.h"
#include "data/sources/odbc.h"

/* A shape: {"schema", "table", "columns": [{"n": column, "t": type, "k": true of a key}]}. All
 * columns of the table, also those that the dataset does not show: a deleted row comes back whole.
 */
enum source_err rows_shape(struct source *s, const char *schema, const char *table,
                           const json_t *keys, json_t **shape) __attribute__((warn_unused_result));

/* One connection inside source_begin and source_commit. */
struct rows {
    struct source *source;
    const json_t *shape;
    struct arena *arena;
    struct source_param *params; /* this and sql: rows_end frees */
    struct buf sql;
};
void rows_begin(struct rows *r, struct source *source, const json_t *shape, struct arena *arena);
void rows_end(struct rows *r);

/* The key of an image, or NULL when it lacks a part. New reference. */
json_t *rows_key(const json_t *shape, const json_t *image);
/* The row with this key, held for the transaction; *image NULL: there is none. */
enum source_err rows_read(struct rows *r, const json_t *key, json_t **image)
    __attribute__((warn_unused_result));
/* values: some columns. *key: of the row that was made, as given or as the source made it. */
enum source_err rows_insert(struct rows *r, const json_t *values, json_t **key)
    __attribute__((warn_unused_result));
enum source_err rows_update(struct rows *r, const json_t *key, const json_t *values)
    __attribute__((warn_unused_result));
enum source_err rows_delete(struct rows *r, const json_t *key) __attribute__((warn_unused_result));
/* Waits until no other transaction with this number is open. */
enum source_err rows_guard(struct rows *r, int64_t number) __attribute__((warn_unused_result));
/* The bytes of a value; p NULL: null, or the arena is used up. */
struct slice rows_bytes(const json_t *value, struct arena *arena);
/* Text, or {"b64"} when it is not UTF-8 or the column is binary. New reference. */
json_t *rows_value(struct slice bytes, bool binary);
