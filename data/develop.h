/* SPDX-License-Identifier: Apache-2.0 */
/* A query tried where it will run, before a dataset has it (SW-8.2b-4): a few rows, masked. */
#pragma once
#include <jansson.h>

#include "data/sources/odbc.h"
#include "problem/problem.h"

#define DEVELOP_ROWS_MAX    50
#define DEVELOP_COLUMNS_MAX 256

/* body: query, parameters [{name, type, required, default}], values {name: text}, limit, masks
 * {column: rule} as harvest_profile() takes them. The text stands in parentheses of a SELECT with a
 * limit, on a connection that only reads. *answer: {columns: [{name, type, length, native_type}],
 * rows: [{column: value}], more}. What cannot be read, by us or by the source, is
 * PROBLEM_QUERY_MALFORMED, and detail (at most cap - 1 bytes) says why: of the source's words its
 * SQLSTATE alone. */
enum problem develop_try(struct source *s, const json_t *body, json_t **answer, char *detail,
                         size_t cap) __attribute__((warn_unused_result));
