/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for apps in their test stage: made from the API's fields alone, the same each time, so no
 * source is asked and nobody's data is among them. Numbers of people and enterprises carry right
 * check digits in ranges nobody is given. Pure functions. */
#pragma once
#include "base/buf.h"
#include "data/query/query.h"
#include "mask/mask.h"

#define SANDBOX_ROWS 25 /* in each dataset, and of each owner */

enum sandbox_kind {
    SANDBOX_PLAIN, /* by the column's type */
    SANDBOX_PERSON,
    SANDBOX_ENTERPRISE,
    SANDBOX_PHONE,
    SANDBOX_EMAIL,
    SANDBOX_ADDRESS,
    SANDBOX_ID_CARD,
    SANDBOX_BANK_CARD,
    SANDBOX_USCC,
    SANDBOX_AMOUNT
};

/* What a field stands for: by its mask rule, else by its name. */
enum sandbox_kind sandbox_kind_of(struct slice name, const struct mask_spec *mask);
/* The value of row `row` (from 0), as a source would give it. */
void sandbox_value(struct buf *out, enum sandbox_kind kind, enum query_type type, struct slice name,
                   uint64_t row);
