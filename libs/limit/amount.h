/* SPDX-License-Identifier: Apache-2.0 */
/* What a transaction is worth, read from the body of its call. Allocates while it parses; safe from
 * any thread. */
#pragma once
#include "base/slice.h"

#define AMOUNT_MAX (UINT64_C(1) << 53) /* in hundredths: what any reader of JSON holds exactly */

enum amount_err {
    AMOUNT_OK,
    AMOUNT_EJSON,    /* the body is no JSON object */
    AMOUNT_EMISSING, /* no such member */
    AMOUNT_EVALUE,   /* no amount: negative, finer than a hundredth, too large, another type */
};
const char *amount_strerror(enum amount_err err);

/* The member of body at path ("amount", "order.total"), a JSON number or a text of digits with at
 * most two behind a point. *hundredths is unchanged on error. */
enum amount_err amount_of(struct slice body, struct slice path, uint64_t *hundredths)
    __attribute__((warn_unused_result));
