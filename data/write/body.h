/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a write, held against what the dataset takes and the caller may write. */
#pragma once
#include "data/write/write.h"

struct write_body {
    /* Each {"values": {column: text or null}, "masked": {field's number: what came}}: what came for
     * a field that this caller sees masked is judged when the stored value is known. */
    json_t *items;
    const char *detail; /* static; of a problem */
    struct slice where; /* a member's name */
    char name[64 + 1];  /* what `where` may point at */
};
enum problem write_body_parse(struct write_body *b, struct worker *w, const struct catalog_api *api,
                              const struct service_request *rq, bool insert);
/* Moves what came for masked fields into values, or drops it: what is the mask of the stored value
 * leaves that as it is. before NULL: an insert. *values: a new object. */
enum problem write_body_values(struct write_body *b, struct worker *w,
                               const struct catalog_api *api, const json_t *item,
                               const json_t *before, json_t **values);
