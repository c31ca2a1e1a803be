/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be opened, by when and by whom: scopes that were agreed to, a plan whose items have a
 * date and somebody responsible; and entries shared with one other party. */
#pragma once
#include "sandbox/stage.h"

extern const struct resource catalog_settings_resource;
extern const struct resource opening_scopes_resource;
extern const struct resource opening_plan_items_resource;
extern const struct resource entry_shares_resource;

#define CATALOG_SETTING_MAX 40
/* A switch of catalog_settings. */
enum problem catalog_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                                bool *on);

/* scopes.c: whether an approved scope covers the entry now; title: of that scope, at most cap - 1
 * bytes, "": none does. */
enum problem scope_covers(struct rest_call *c, struct store_txn *txn, const json_t *entry,
                          char *title, size_t cap);
/* Where the platform asks for it: refuses to list an entry that no scope covers. */
enum problem scope_check_listing(struct rest_call *c, struct store_txn *txn, const json_t *entry);
/* What stands in the open directory and in no scope: new array [{entry_id, name, …}]. */
enum problem scope_uncovered(struct rest_call *c, struct store_txn *txn, json_t **out);

/* plan.c: the entry is listed now: its items are done. */
enum problem plan_entry_opened(struct rest_call *c, struct store_txn *txn, const json_t *entry);
enum problem opening_plan_job(struct rest_call *c);
enum problem opening_report(struct rest_call *c); /* GET catalog/opening */

enum problem share_use(struct rest_call *c); /* POST entry_shares/{id}/use */
enum problem entry_shares_job(struct rest_call *c);
/* What shares let an organisation see, as a condition on `entries AS t` with one value to bind. */
#define SHARED_WITH                                                                                \
    "t.id IN (SELECT s.entry_id FROM entry_shares s WHERE s.receiver_id = ? AND s.state = "        \
    "'active')"
