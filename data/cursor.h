/* SPDX-License-Identifier: Apache-2.0 */
/* Where a page ended, for the caller to hand back: the last row's values of the order, sealed
 * (SM4-GCM) so that a key the app may not read stays unread, and bound to the API, the app, the
 * owner, the row filter and the query it came from. Any other text is refused. */
#pragma once
#include "data/service.h"

#define CURSOR_VALUES_MAX 1024 /* bytes of the values */
#define CURSOR_TEXT_MAX   1600

/* Fills w->query.seek from w->query.after. False: not a cursor of this query. */
bool cursor_open(struct worker *w, const struct catalog_api *api, struct slice raw)
    __attribute__((warn_unused_result));
/* "" in out: the values are too long to hand out. */
void cursor_write(struct worker *w, const struct catalog_api *api, struct slice raw,
                  const struct slice *values, size_t n, char out[static CURSOR_TEXT_MAX]);
