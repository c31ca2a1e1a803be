/* SPDX-License-Identifier: Apache-2.0 */
/* What a table is like, for the resource centre's entries: columns, comments, how much, how full.
 * Values leave masked; there are few of them. */
#pragma once
#include <jansson.h>

#include "data/sources/odbc.h"
#include "problem/problem.h"

#define HARVEST_COLUMNS_MAX 256   /* columns with figures; the rest have their description alone */
#define HARVEST_SAMPLED     10000 /* rows that figures are taken from */
#define HARVEST_ROWS_MAX    20

/* A value under the rule its column has among masks; without one: covered but for its ends, of
 * dates but for the year. New value. */
json_t *harvest_cover(const json_t *masks, const char *column, const char *type, struct slice v);

/* masks: {column: rule}, "none" shows a column; NULL or no rule: covered but for its ends. codes:
 * {column: [code]}, small and capital letters of its name alike: how many distinct values are none
 * of the codes is told as `outside`. n_rows: sample rows. *answer: {columns: [{name, type, length,
 * nullable, key, native_type, comment, nulls, distinct, min, max, outside}], comment, rows, bytes,
 * sample: [{column: value}]}. */
enum problem harvest_profile(struct source *s, const char *schema, const char *table,
                             const json_t *masks, const json_t *codes, unsigned n_rows,
                             json_t **answer) __attribute__((warn_unused_result));
