/* SPDX-License-Identifier: Apache-2.0 */
/* The row filter of one grant or subscription (EC-4.2.1c1): read when it is set, said in plain
 * words, and applied to an event, whose row is there already. To the rows of a source it is applied
 * by the source (data/query/sql.h). */
#pragma once
#include <jansson.h>

#include "data/query/query.h"
#include "policy/policy.h"

/* body: {columns: [{name, column, type, title?}], filter, events?: bool}. Of events only what needs
 * no database to judge is taken. *answer: {columns: [names it speaks of], en, zh}. Not
 * PROBLEM_OK: detail says what is wrong. */
enum problem row_filter_check(const json_t *body, json_t **answer, char *detail, size_t room)
    __attribute__((warn_unused_result));

/* NULL: it cannot be read, or speaks of what an event's row cannot be held to. api's fields must
 * outlive it. */
struct row_filter;
struct row_filter *row_filter_new(const struct policy_api *api, struct slice text);
void row_filter_free(struct row_filter **filter);
/* Whether the row, a JSON object, is certainly one of the filter's: what is not known is no. */
bool row_filter_admits(const struct row_filter *filter, struct slice row);
