/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of an API's description share: api/apis.c its table, api/targets.c where its calls
 * go, api/protection.c how they are protected. */
#pragma once
#include "api/api.h"

/* Attribute checks, as struct attr wants them. */
enum problem targets_check_upstream(struct rest_call *c, const char *where, const json_t *v);
enum problem targets_check(struct rest_call *c, const char *where, const json_t *v);
enum problem targets_check_canary_apps(struct rest_call *c, const char *where, const json_t *v);
enum problem targets_check_breaker(struct rest_call *c, const char *where, const json_t *v);
enum problem targets_check_health(struct rest_call *c, const char *where, const json_t *v);
enum problem protection_check_schemes(struct rest_call *c, const char *where, const json_t *v);
enum problem protection_check_claims(struct rest_call *c, const char *where, const json_t *v);

/* An address of this scheme without credentials, query or fragment. */
bool targets_url_ok(const char *text, const char *scheme);
/* The attributes of a row together. protection_* also sets what the class forces. */
enum problem targets_check_api(struct rest_call *c, struct change *ch);
enum problem protection_check_api(struct rest_call *c, struct change *ch);
/* Sets what the API's financial scenario asks of its users, or refuses what falls short of it. */
enum problem scenario_apply(struct rest_call *c, struct store_txn *txn, json_t *api);
/* How many factors the user of an API's calls must have shown: what it says, and for one that moves
 * money two in any case (BK-7.2.1b2-2). */
json_int_t protection_user_factors(const json_t *api);
bool protection_authenticates(const json_t *api); /* speaks for who a user is */
bool protection_moves_money(const json_t *api);   /* or applies for a product */
bool protection_sdk_required(const json_t *api);  /* no call of it without a registered SDK */
json_t *targets_feed(const json_t *targets);      /* new array */

extern const char *const protection_operations[]; /* NULL-terminated */
#define PROTECTION_FUND_OPERATIONS 3 /* the first ones: they move money, or bind to a product */
/* Where in its body a call says how much it moves; "": it moves nothing. Borrowed from the row. */
const char *protection_amount_path(const json_t *api);
