/* SPDX-License-Identifier: Apache-2.0 */
/* A row of a source as it may leave: each field kept, masked or left out exactly as the gateway's
 * field plan does with an answer (libs/plan, libs/mask), without JSON between. One thread at a
 * time. */
#pragma once
#include "data/batch/format.h"
#include "data/catalog.h"
#include "plan/plan.h"

struct row_plan;
/* The fields that leave, in this order: numbers of the API's columns whose outcome is keep or mask.
 * Borrows the API until it is freed. mask_key: 32 bytes. NULL: out of memory. */
struct row_plan *row_plan_new(const struct catalog_api *api, const uint8_t *outcome,
                              const uint16_t *select, size_t n, const uint8_t *mask_key);
void row_plan_free(struct row_plan **plan);

const struct format_column *row_plan_columns(const struct row_plan *plan);
/* values[i].p NULL: null. The cells are good until the next call. NULL: out of memory. */
const struct format_cell *row_plan_apply(struct row_plan *plan, const struct slice *values);
