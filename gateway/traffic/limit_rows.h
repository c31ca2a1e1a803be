/* SPDX-License-Identifier: Apache-2.0 */
/* The feed's `limit` set, compiled, and what of it applies to a call. */
#pragma once
#include "sluice.h"

#include "limit/limit.h"

/* Bits: what a rule counts apart. */
enum { LIMIT_BY_APP = 1, LIMIT_BY_API = 2, LIMIT_BY_USER = 4, LIMIT_BY_ADDRESS = 8 };

struct limit_row {
    bool refusals;        /* counts refused calls, else those let in */
    struct uuid app, api; /* of whose calls, to which API; nil: all */
    uint8_t by;
    uint64_t not_before_ms;
    struct limit_rule rule;
};

#define LIMIT_RUNS 4 /* of an (app, API) pair: rules for all, for the API, the app, both */

/* Compiles the set anew when it has changed. Its number, which is another for each set; 0: the set
 * cannot be had. */
uint64_t limit_rows_current(void);
void limit_rows_clear(void);
/* The rows by number, until the next limit_rows_current(). */
const struct limit_row *limit_rows(void);
bool limit_rows_count_refusals(void);
/* app NULL: rules for all apps alone. */
void limit_rows_find(bool refusals, const struct uuid *app, const struct uuid *api,
                     struct limit_run runs[LIMIT_RUNS]);

/* Whom a call is about. Nil ids and empty slices: nobody. */
struct limit_parties {
    struct uuid app, api;
    struct slice user, address; /* address: 4 or 16 bytes */
    struct slice address_text;
};
void limit_parties_of(ngx_http_request_t *r, const sluice_ctx_t *ctx, struct limit_parties *p);
/* False: the rule says nothing of this call: not in its time, or it counts users or addresses apart
 * and there is none. by: row->by, or what else is to be counted apart. */
bool limit_check_make(struct limit_check *check, struct limit_label *label,
                      const struct limit_row *row, uint8_t by, const struct limit_parties *parties,
                      uint64_t now_ms);
