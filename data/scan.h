/* SPDX-License-Identifier: Apache-2.0 */
/* A step of looking through a table for what its columns hold: some rows, counted by libs/detect.
 * Counts leave this process, values do not. */
#pragma once
#include <jansson.h>

#include "data/sources/odbc.h"
#include "problem/problem.h"

#define SCAN_ROWS_MAX    5000 /* of a step */
#define SCAN_COLUMNS_MAX 512

/* body: schema, table, columns [names], order [names], offset, rows, patterns [texts]. *answer:
 * {rows, columns: [{name, values, bytes, votes: {rule: [matched, valid, inside]}}]}; an operator's
 * patterns are the rules "own-0", "own-1", … A body that does not fit: PROBLEM_BODY_MALFORMED. */
enum problem scan_step(struct source *s, const json_t *body, json_t **answer)
    __attribute__((warn_unused_result));
