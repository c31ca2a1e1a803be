/* SPDX-License-Identifier: Apache-2.0 */
/* A key of the platform replaced while it runs (SW-9.7-3a): asked for by one administrator and
 * agreed to by another, done in bounded steps by a job that a kill at any instant only holds up. */
#pragma once
#include "rest/resource.h"

extern const struct resource key_replacements_resource;
enum problem key_replacements_job(struct rest_call *c);

/* keyring/resealing.c: what the store holds sealed, a table and column each. */
#define RESEAL_ROWS  64         /* of one step */
#define RESEAL_BYTES (4u << 20) /* about as many of one step */
struct reseal {
    int64_t place;   /* which column; past the last: the pass is over */
    char after[128]; /* the key of the last row looked at; "": none */
    int64_t found;   /* sealed under the old key, and now under the new one, in this step */
};
/* One step. PROBLEM_INTERNAL and a sentence on stderr: something opens under neither key; then
 * nothing was changed. */
enum problem reseal_step(struct rest_call *c, struct store_txn *txn, struct reseal *r);
extern const size_t reseal_places;
/* "table.column" of place i, for tests. */
const char *reseal_name(size_t i);
